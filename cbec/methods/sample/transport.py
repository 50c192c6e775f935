"""Shipments of the next month from China to the warehouses, the rate cards of forwarders, and what is closed or slow.

Places are UN/LOCODEs, distances and prices round figures of the right size. Planted: goods that can wait, goods that are needed,
goods whose capital is dear, a weight in a gap of a rate card, a weight just under a break, a rate that has ended, a place
without lanes, a border that is closed for some days.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from cbec.methods.sample.company import END, Company, Family
from cbec.tables.transport import disruptions, lanes, nodes, shipments

SHIPMENTS = 48
CAPITAL_RATE = 0.09
SUEZ = "malacca|suez|gibraltar"
GAP = (300.0, 500.0)  # the rate card of AIR-SZX-FRA has no band in between

#: lane, from, to, mode, carrier, days, deviation, departures, cut-off days, km, loss rate, passages.
Route = tuple[str, str, str, str, str, float, float, str | None, float, float, float, str | None]
ROUTES: tuple[Route, ...] = (
    ("SEA-NGB-HAM", "CNNGB", "DEHAM", "sea", "Blue Anchor", 37, 5, "Fri", 3, 20200, 0.003, SUEZ),
    ("SEA-SZX-HAM", "CNSZX", "DEHAM", "sea", "Blue Anchor", 33, 5, "Wed", 3, 18900, 0.003, SUEZ),
    ("SEA-OLD-HAM", "CNNGB", "DEHAM", "sea", "Harbour Star", 39, 6, "Sat", 3, 20200, 0.003, SUEZ),
    ("SEA-NGB-RTM", "CNNGB", "NLRTM", "sea", "Blue Anchor", 31, 4, "Mon|Thu", 2, 19800, 0.003, SUEZ),
    ("SEA-NGB-FXT", "CNNGB", "GBFXT", "sea", "Blue Anchor", 36, 5, "Sun", 3, 19900, 0.003, SUEZ),
    ("SEA-SZX-FXT", "CNSZX", "GBFXT", "sea", "Harbour Star", 33, 5, "Tue", 3, 18600, 0.003, SUEZ),
    ("SEA-NGB-LAX", "CNNGB", "USLAX", "sea", "Harbour Star", 19, 4, "Thu", 3, 10600, 0.003, None),
    ("SEA-SZX-LAX", "CNSZX", "USLAX", "sea", "Harbour Star", 21, 4, "Sat", 3, 11800, 0.003, None),
    ("FAST-NGB-LAX", "CNNGB", "USLAX", "sea", "Pacific Fast", 12, 1.5, "Wed", 2, 10600, 0.002, None),
    ("RAIL-NGB-DUI", "CNNGB", "DEDUI", "rail", "Silk Rail", 19, 3, "Tue|Sat", 2, 11200, 0.002, None),
    ("AIR-NGB-HAM", "CNNGB", "DEHAM", "air", "Crane Air", 6, 1.2, "Mon|Wed|Fri", 1, 9100, 0.001, None),
    ("AIR-SZX-FRA", "CNSZX", "DEFRA", "air", "Crane Air", 4, 1, "daily", 1, 9200, 0.001, None),
    ("AIR-NGB-LHR", "CNNGB", "GBLHR", "air", "Crane Air", 4, 1, "Tue|Thu|Sun", 1, 9300, 0.001, None),
    ("AIR-SZX-LHR", "CNSZX", "GBLHR", "air", "Crane Air", 4, 1, "daily", 1, 9600, 0.001, None),
    ("AIR-NGB-LAX", "CNNGB", "USLAX", "air", "Crane Air", 5, 1, "Tue|Fri", 1, 10500, 0.001, None),
    ("AIR-SZX-LAX", "CNSZX", "USLAX", "air", "Crane Air", 5, 1, "daily", 1, 11700, 0.001, None),
    ("EXP-NGB-HAM", "CNNGB", "DEHAM", "express", "Swift", 4, 0.7, "1|2|3|4|5|6", 0, 9300, 0.001, None),
    ("EXP-NGB-FXT", "CNNGB", "GBFXT", "express", "Swift", 4, 0.7, "1|2|3|4|5|6", 0, 9500, 0.001, None),
    ("EXP-SZX-LAX", "CNSZX", "USLAX", "express", "Swift", 3.5, 0.7, "1|2|3|4|5|6", 0, 11800, 0.001, None),
    ("ROAD-RTM-HAM", "NLRTM", "DEHAM", "road", "Nord Cargo", 1.5, 0.4, "1|2|3|4|5", 0, 500, 0.0005, None),
    ("ROAD-DUI-HAM", "DEDUI", "DEHAM", "road", "Nord Cargo", 1, 0.3, "1|2|3|4|5", 0, 380, 0.0005, None),
    ("ROAD-FRA-HAM", "DEFRA", "DEHAM", "road", "Nord Cargo", 1, 0.3, "1|2|3|4|5", 0, 500, 0.0005, None),
    ("ROAD-LHR-FXT", "GBLHR", "GBFXT", "road", "Nord Cargo", 1, 0.3, "1|2|3|4|5", 0, 200, 0.0005, None),
)
#: How the modes are priced: currency, per shipment, minimum, cm3 per kg, surcharge %, largest kg, (from kg, per kg) for each break.
Card = tuple[str, float, float, float | None, float, float, tuple[tuple[float, float], ...]]
CARDS: dict[str, Card] = {
    # Sea is priced per tonne or m3, whichever is more: 1 m3 counts as 1 000 kg.
    "SEA": ("USD", 65, 90, 1000, 12, 25_000, ((0, 0.098), (5_000, 0.088), (15_000, 0.079))),
    "FAST": ("USD", 80, 150, 1000, 12, 20_000, ((0, 0.205), (5_000, 0.190))),
    "RAIL": ("CNY", 400, 900, 3000, 8, 24_000, ((0, 5.6), (1_000, 5.1), (5_000, 4.7))),
    "AIR": ("CNY", 300, 1_200, 6000, 22, 8_000, ((0, 46), (45, 39), (100, 33), (300, 30.5), (500, 29), (1_000, 27.5))),
    "EXP": ("CNY", 0, 350, 5000, 18, 300, ((0, 68), (21, 54), (71, 46))),
    "ROAD": ("EUR", 35, 60, 3000, 9, 24_000, ((0, 0.24), (500, 0.15), (3_000, 0.09))),
}
#: place, kind, country, latitude, longitude, dwell, deviation, handling per kg and its currency.
PLACES: tuple[tuple[str, str, str, float, float, float | None, float | None, float | None, str | None], ...] = (
    ("CNNGB", "port", "CN", 29.9, 121.6, None, None, None, None),
    ("CNSZX", "port", "CN", 22.5, 114.1, None, None, None, None),
    ("DEDUI", "rail", "DE", 51.4, 6.8, 1.5, 0.6, 0.04, "EUR"),
    ("DEFRA", "airport", "DE", 50.0, 8.6, 1.0, 0.4, 0.11, "EUR"),
    ("DEHAM", "warehouse", "DE", 53.5, 10.0, None, None, None, None),
    ("GBFXT", "warehouse", "GB", 52.0, 1.3, None, None, None, None),
    ("GBLHR", "airport", "GB", 51.5, -0.5, 1.2, 0.5, 0.12, "GBP"),
    ("NLRTM", "port", "NL", 51.9, 4.5, 2.5, 1.0, 0.03, "EUR"),
    ("USLAX", "warehouse", "US", 33.7, -118.3, None, None, None, None),
)
#: kind, what is special, and what differs from a shipment of 400 kg, 2 m3, CNY 30 000 from Ningbo to Hamburg, ready on 5 October.
#: `due` and `ready` are days from then.
PLANTED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("sea_can_wait", "nobody waits for it: the lowest freight is the best", {"due": 90, "late_cost_per_day": 200.0, "destination": "USLAX"}),
    ("air_is_needed", "every day late costs CNY 9 000, sea is weeks late", {"due": 10, "late_cost_per_day": 9_000.0}),
    ("capital_is_dear", "CNY 2 million of goods in 150 kg: two weeks less are worth the dearer way",
     {"goods_value": 2_000_000.0, "weight_kg": 150.0, "volume_m3": 0.6, "destination": "USLAX"}),
    ("rate_gap", "380 kg, where the card of AIR-SZX-FRA has no band", {"origin": "CNSZX", "weight_kg": 380.0, "volume_m3": 1.5, "due": 20,
     "late_cost_per_day": 400.0}),
    ("under_a_break", "92 kg are charged as 100 kg by air", {"weight_kg": 92.0, "volume_m3": 0.3, "due": 9, "late_cost_per_day": 2_500.0}),
    ("no_lane", "nobody carries from Chongqing", {"origin": "CNCKG"}),
    ("border_closed", "ready while the railway is closed", {"ready": 6, "goods_value": 300_000.0, "due": 36, "late_cost_per_day": 900.0}),
    ("too_late_already", "due in 2 days: the best way is late, too", {"due": 2, "late_cost_per_day": 600.0}),
    ("dangerous", "batteries, and no rate card says whether it takes them", {"dg_class": "9", "due": 60}),
)  # fmt: skip
_DEPART = END + timedelta(days=5)  # Monday 5 October 2026


def family(company: Company) -> Family:
    """The tables shipments, lanes, nodes and disruptions."""
    rng = company.random("transport")
    closed = (_DEPART + timedelta(days=5), _DEPART + timedelta(days=17 + int(rng.integers(0, 3))))
    cards = _lanes(rng)
    goods, planted = _shipments(rng, company)
    truths: dict[str, Any] = {
        "shipments": planted,
        "rate_gap": {"lane_id": "AIR-SZX-FRA", "from_kg": GAP[0], "to_kg": GAP[1]},
        # A date of its own: YAML would write the second mention of one object as a reference.
        "rate_expired": {"lane_id": "SEA-OLD-HAM", "valid_to": END + timedelta(days=0)},
        "lane_closed": {"lane_id": "RAIL-NGB-DUI", "from": closed[0], "to": closed[1]},
    }
    tables = {
        "shipments": goods.sort("shipment_id"),
        "lanes": cards.sort("lane_id", "valid_from", "break_from_kg"),
        "nodes": _nodes(rng),
        "disruptions": _disruptions(rng, closed),
    }
    return Family(tables, {"transport": truths})


def _lanes(rng: np.random.Generator) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for lane, start, end, mode, carrier, days, sd, departures, cutoff, km, loss, passages in ROUTES:
        currency, fixed, least, divisor, surcharge, most, breaks = CARDS[lane.split("-", maxsplit=1)[0]]
        # Longer ways cost a little more; the card that has ended was a bargain.
        level = float(rng.uniform(0.95, 1.05)) * (0.55 if lane == "SEA-OLD-HAM" else 1.0)
        ends = [*(low for low, _ in breaks[1:]), most]
        for (low, rate), high in zip(breaks, ends, strict=True):
            if lane == "AIR-SZX-FRA" and (low, high) == GAP:
                continue
            rows.append(
                {
                    "lane_id": lane, "origin": start, "destination": end, "mode": mode, "carrier": carrier, "currency": currency,
                    "cost_fixed": fixed, "cost_min": least, "cost_per_kg": round(rate * level, 4), "break_from_kg": low,
                    "break_to_kg": high, "dim_divisor": divisor, "surcharge_pct": surcharge, "transit_days": days,
                    "transit_sd_days": sd, "departures": departures, "cutoff_days": cutoff, "capacity_kg": most, "loss_rate": loss,
                    "distance_km": km, "valid_from": date(2026, 7, 1), "passages": passages,
                    "valid_to": END if lane == "SEA-OLD-HAM" else date(2026, 12, 31),
                }
            )  # fmt: skip
    return _frame(rows, lanes)


def _shipments(rng: np.random.Generator, company: Company) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    items = list(company.items.sort("sku").iter_rows(named=True))
    rows: list[dict[str, Any]] = []
    for number in range(SHIPMENTS):
        some = [items[i] for i in rng.choice(len(items), 3, replace=False)]
        pieces = [float(rng.integers(10, 160)) for _ in some]
        ready = _DEPART + timedelta(days=int(rng.integers(-4, 24)))
        due, late, chance = int(rng.integers(25, 70)), float(rng.uniform(0.002, 0.02)), float(rng.random())
        value = sum(n * i["unit_cost"] for n, i in zip(pieces, some, strict=True))
        kg = sum(n * i["weight_kg"] for n, i in zip(pieces, some, strict=True))
        # Items take 5 litres a kg; cartons add some air.
        volume, packing = kg * 0.005, float(rng.uniform(1.1, 1.3))
        rows.append(
            {
                "shipment_id": f"SH26-{101 + number}",
                "origin": "CNNGB" if rng.random() < 0.65 else "CNSZX",
                "destination": ("DEHAM", "GBFXT", "USLAX")[int(rng.choice(3, p=(0.45, 0.2, 0.35)))],
                "weight_kg": round(kg * 1.06, 1),
                "volume_m3": round(volume * packing, 2),
                "goods_value": round(value, 2),
                "ready_date": ready,
                "due_date": ready + timedelta(days=due) if chance < 0.8 else None,
                "late_cost_per_day": round(value * late, 2) if chance < 0.7 else None,
                "pieces": float(np.ceil(kg / 14)),
            }
        )
    told: list[dict[str, str]] = []
    for number, (kind, note, own) in enumerate(PLANTED, 1):
        name, more = f"SH26-P{number:02d}", dict(own)
        ready = _DEPART + timedelta(days=more.pop("ready", 0))
        due = more.pop("due", None)
        row = {
            "shipment_id": name, "origin": "CNNGB", "destination": "DEHAM", "weight_kg": 400.0, "volume_m3": 2.0,
            "goods_value": 30_000.0, "ready_date": ready, "due_date": None if due is None else ready + timedelta(days=due),
            "pieces": 30.0,
        }  # fmt: skip
        rows.append(row | more)
        told.append({"kind": kind, "shipment_id": name, "note": note})
    every = [r | {"currency": "CNY", "capital_rate": CAPITAL_RATE, "incoterm": "FOB"} for r in rows]
    return _frame(every, shipments), told


def _nodes(rng: np.random.Generator) -> pl.DataFrame:
    names = ("node", "kind", "country", "lat", "lon", "dwell_days", "dwell_sd_days", "cost_per_kg", "currency")
    rows: list[dict[str, Any]] = [dict(zip(names, place, strict=True)) for place in PLACES]
    for row in rows:
        if row["dwell_days"] is not None:
            row["dwell_days"] = round(row["dwell_days"] * float(rng.uniform(0.9, 1.1)), 1)
    return _frame(rows, nodes)


def _disruptions(rng: np.random.Generator, closed: tuple[date, date]) -> pl.DataFrame:
    queue = round(float(rng.uniform(2.0, 3.0)), 1)
    rows = [
        {"scope": "lane", "code": "RAIL-NGB-DUI", "start": closed[0], "end": closed[1], "closed": True, "source": "border closed"},
        {"scope": "node", "code": "NLRTM", "start": END, "end": date(2026, 12, 15), "delay_days": queue, "delay_sd_days": 1.5,
         "probability": 0.8, "source": "berths are full"},
        {"scope": "passage", "code": "suez", "start": END, "end": None, "delay_days": 10.0, "delay_sd_days": 2.0,
         "probability": 0.25, "source": "ships may go round the Cape"},
    ]  # fmt: skip
    blank = {"closed": False, "delay_days": None, "delay_sd_days": None, "probability": 1.0}
    return _frame([blank | row for row in rows], disruptions).sort("scope", "code", "start", "end", "source")


def _frame(rows: list[dict[str, Any]], contract: Any) -> pl.DataFrame:
    """Columns in the contract's order, those without any value left out."""
    kinds = {"date": pl.Date, "float": pl.Float64, "bool": pl.Boolean}
    schema = {c.name: kinds.get(c.kind, pl.String) for c in contract.columns}
    frame = pl.DataFrame([{n: r.get(n) for n in schema} for r in rows], schema=schema)
    return frame.select(c.name for c in frame.iter_columns() if c.null_count() < frame.height)
