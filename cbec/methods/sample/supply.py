"""Purchase orders of two years and their receipts, the suppliers behind them, and the stock of a month before.

The orders are a part of all: they do not add up to sales. Planted: a supplier that is late and gets worse, one that delivers
short, one whose prices creep, one that moves its dates, one with defects, one that delivers in parts, and an excellent one;
stock that is missing, stock that lies in the wrong warehouse, and stock that was negative since a receipt was booked late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from cbec.methods.sample import demand, stock
from cbec.methods.sample.company import END, START, Company, Family

BEFORE = date(2026, 8, 31)  # day of the earlier stock table
EVERY = 38  # days between two orders of a supplier for a warehouse
FAST_DAYS = 12  # the best sellers fly
ROLES = ("late_and_worse", "short", "price_creep", "moves_dates", "defects", "in_parts")
MISSING = 5
NAMES = (
    "Ningbo Bright", "Shenzhen Lumen", "Hangzhou Outdoor", "Saigon Canvas", "Yongkang Steel", "Foshan Home", "Yiwu Toys", "Dongguan Plush",
    "Suzhou Pets", "Wenzhou Pets", "Anxi Tea", "Wuyi Tea",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Supplier:
    """One supplier: its role (None = like most), currency, CNY per unit of it, and the days it has agreed to by warehouse."""

    name: str
    role: str | None
    currency: str
    cny: float
    agreed: dict[str, int]


def family(company: Company) -> Family:
    """The tables purchase_orders, receipts, suppliers and previous_inventory."""
    held = stock.family(company)
    inventory, inbound = held.tables["inventory"], held.tables["inbound"]
    fast = set(held.truths["fast_lane"])
    suppliers = _suppliers(company, held.truths["late_inbound"])
    sold = _sold(company)
    room = {
        (sku, place): on_hand + sold.get((sku, place), 0.0)
        for sku, place, on_hand in inventory.select("sku", "warehouse", "on_hand").iter_rows()
    }
    lines = _closed(company, suppliers, fast, room)
    lines += _open(company, suppliers, fast, inbound)
    late_booked = _late_booked(company, suppliers, room, lines)
    lines.append(late_booked)
    orders, receipts = _tables(lines)
    previous, missing, elsewhere = _previous(company, inventory, receipts, sold, late_booked)
    roles = {s.role: name for name, s in suppliers.items() if s.role}
    master = pl.DataFrame(
        [{"supplier_id": n, "name": s.name, "country": "VN" if "Saigon" in s.name else "CN", "lead_time_days": float(max(s.agreed.values()))} for n, s in suppliers.items()]
    )  # fmt: skip
    truths = {
        "suppliers": {role: roles[role] for role in (*ROLES, "excellent")},
        "stock_missing": missing,
        "stock_elsewhere": elsewhere,
        "stock_negative_before": f"{late_booked['sku']}@{late_booked['warehouse']}",
    }
    tables = {
        "purchase_orders": orders,
        "receipts": receipts,
        "suppliers": master.sort("supplier_id"),
        "previous_inventory": previous,
    }
    return Family(tables, truths)


def _suppliers(company: Company, late: list[Row]) -> dict[str, Supplier]:
    rng = company.random("suppliers")
    of = dict(company.items.select("sku", "supplier_id").iter_rows())
    names = sorted(set(of.values()))
    blamed = {of[row["sku"]] for row in late}
    # The excellent one has nothing overdue today.
    excellent = next((n for n in rng.permutation([n for n in names if n not in blamed]).tolist()), names[0])
    rest = rng.permutation([n for n in names if n != excellent]).tolist()
    role = dict(zip(rest, ROLES, strict=False)) | {excellent: "excellent"}
    found = {}
    for i, name in enumerate(names):
        own = stock.SUPPLIERS.get(name)
        agreed = {place: int(own[0] if own else days) for place, (days, _) in stock.LEAD.items()}
        usd = "Saigon" in NAMES[i % len(NAMES)]
        found[name] = Supplier(
            NAMES[i % len(NAMES)], role.get(name), "USD" if usd else "CNY", 7.1 if usd else 1.0, agreed
        )
    return found


def _sold(company: Company) -> dict[tuple[str, str], float]:
    """Units net of returns after BEFORE, by SKU and warehouse."""
    sales = demand.family(company).tables["sales"].filter(pl.col("date") > BEFORE)
    sums = sales.group_by("sku", "warehouse").agg(pl.col("units").sum().round(6))
    return {(sku, place): units for sku, place, units in sums.iter_rows()}


def _closed(
    company: Company, suppliers: dict[str, Supplier], fast: set[str], room: dict[tuple[str, str], float]
) -> list[Row]:
    """Lines that have been delivered by END, with their receipts."""
    rng = company.random("purchase orders")
    pairs = company.pairs().select(
        "sku", "warehouse", "supplier_id", "rate", "unit_cost", "launch_date", "delisted_date"
    )
    found: list[Row] = []
    for (name, place), goods in pairs.sort("supplier_id", "warehouse", "sku").group_by(
        "supplier_id", "warehouse", maintain_order=True
    ):
        supplier, rows = suppliers[str(name)], goods.rows(named=True)
        day, count = int(rng.integers(0, EVERY)), 0
        while day < (END - START).days:
            ordered = START + timedelta(days=day)
            count += 1
            chosen = rng.permutation(len(rows))[: 1 + rng.poisson(1.1)]
            delay, scatter = rng.normal(0, 1, 2)
            for i in sorted(chosen.tolist()):
                draws = rng.random(6)  # every line draws the same numbers, so that none moves another
                row, bell = rows[i], rng.normal(0, 1, 2)
                line = _line(row, supplier, ordered, f"{name}-{place}-{count:02d}", str(place), row["sku"] in fast)
                _deliver(
                    line, supplier, (END - START).days, day, draws, (0.7 * delay + 0.7 * bell[0], bell[1], scatter)
                )
                sold_then = row["launch_date"] <= ordered and (
                    row["delisted_date"] is None or ordered < row["delisted_date"]
                )
                if sold_then and _fits(line, room):
                    found.append(line)
            day += EVERY + int(rng.integers(-6, 7))
    return found


def _line(row: Row, supplier: Supplier, ordered: date, order: str, place: str, flies: bool) -> Row:
    days = FAST_DAYS if flies else supplier.agreed[place]
    return {
        "order": order, "supplier_id": row["supplier_id"], "sku": row["sku"], "warehouse": place, "order_date": ordered,
        "promised_date": ordered + timedelta(days=days), "revised_date": None, "qty": float(max(5, round(row["rate"] * 55 / 5) * 5)),
        "price": row["unit_cost"], "currency": supplier.currency, "status": "closed", "receipts": [],
    }  # fmt: skip


def _deliver(line: Row, supplier: Supplier, days: int, day: int, draws: Any, bell: tuple[float, float, float]) -> None:
    """What becomes of a line, by the role of its supplier: days against the promise, pieces, price, rejected pieces."""
    role, progress = supplier.role, day / days
    centre, spread = {"late_and_worse": (-2 + 14 * progress, 3.5), "excellent": (-6.0, 1.4)}.get(str(role), (-5.0, 3.2))
    offset = round(centre + spread * bell[0])
    creep = 1.09 ** (round(4 * progress) / 2) if role == "price_creep" else 1.0
    line["price"] = round(line["price"] * creep * (1 + 0.006 * bell[1]) / supplier.cny, 2)
    share = 0.6 + 0.06 * int(draws[1] * 6) if role == "short" and draws[0] < 0.4 else 1.0
    if role == "moves_dates" and draws[0] < 0.45:
        offset = 3 + int(draws[1] * 12)
        line["revised_date"] = line["promised_date"] + timedelta(days=offset + int(draws[2] * 3))
    there = line["promised_date"] + timedelta(days=max(offset, 3 - (line["promised_date"] - line["order_date"]).days))
    pieces = max(1.0, round(line["qty"] * share))
    # Some 60 % of receipts are inspected, whole.
    faulty = {"defects": 0.035, "excellent": 0.0}.get(str(role), 0.002)
    bad = float(round(pieces * faulty * (0.5 + draws[4]) + draws[5] - 0.5)) if faulty else 0.0
    parts = [(there, pieces, bad)]
    if role == "in_parts" and draws[0] < 0.5 and pieces > 5:
        early = round(pieces * 0.4)
        parts = [(there - timedelta(days=9), float(early), 0.0), (there, pieces - early, bad)]
    inspected = draws[3] < 0.6
    line["receipts"] = [(d, n, max(0.0, min(b, n)) if inspected else None) for d, n, b in parts]


def _fits(line: Row, room: dict[tuple[str, str], float]) -> bool:
    """Whether all of it came by END, and what came since BEFORE fits into the stock of END and the sales until then."""
    if max(d for d, _, _ in line["receipts"]) > END:
        return False
    key = (line["sku"], line["warehouse"])
    lately = sum(n - (b or 0.0) for d, n, b in line["receipts"] if d > BEFORE)
    if lately > room.get(key, 0.0):
        return False
    room[key] = room.get(key, 0.0) - lately
    return True


def _open(company: Company, suppliers: dict[str, Supplier], fast: set[str], inbound: pl.DataFrame) -> list[Row]:
    """What is on its way, as orders: promised for the day of arrival that `inbound` tells."""
    found = []
    goods = {r["sku"]: r for r in company.items.select("sku", "supplier_id", "unit_cost").iter_rows(named=True)}
    for row in inbound.sort("sku", "warehouse").iter_rows(named=True):
        item = goods[row["sku"]] | {"rate": 0.0}
        supplier = suppliers[item["supplier_id"]]
        days = FAST_DAYS if row["sku"] in fast else supplier.agreed[row["warehouse"]]
        ordered = min(row["arrival_date"] - timedelta(days=days), END - timedelta(days=1))
        line = _line(
            item,
            supplier,
            ordered,
            f"{item['supplier_id']}-{row['warehouse']}-open-{ordered}",
            row["warehouse"],
            row["sku"] in fast,
        )
        creep = 1.09**2 if supplier.role == "price_creep" else 1.0
        found.append(
            line | {"promised_date": row["arrival_date"], "qty": row["qty"], "status": "open", "price": round(item["unit_cost"] * creep / supplier.cny, 2)}
        )  # fmt: skip
    return found


def _late_booked(
    company: Company, suppliers: dict[str, Supplier], room: dict[tuple[str, str], float], lines: list[Row]
) -> Row:
    """A receipt booked in the days after BEFORE for goods that had been sold before: stock was under 0 by four."""
    rng = company.random("late booking")
    came = {(line["sku"], line["warehouse"]) for line in lines for d, _, _ in line["receipts"] if d > BEFORE}
    pairs = company.pairs().filter(pl.col("rate") > 0.8, pl.col("delisted_date").is_null()).sort("sku", "warehouse")
    free = [
        r
        for r in pairs.iter_rows(named=True)
        if (r["sku"], r["warehouse"]) not in came and room.get((r["sku"], r["warehouse"]), 0) > 40
    ]
    row = free[int(rng.integers(0, len(free)))]
    supplier = suppliers[row["supplier_id"]]
    ordered = BEFORE - timedelta(days=supplier.agreed[row["warehouse"]] - 3)
    line = _line(row, supplier, ordered, f"{row['supplier_id']}-{row['warehouse']}-late", row["warehouse"], False)
    pieces = room[row["sku"], row["warehouse"]] + 4.0
    price = round(row["unit_cost"] / supplier.cny, 2)
    return line | {"qty": pieces, "price": price, "receipts": [(BEFORE + timedelta(days=2), pieces, 0.0)]}


def _tables(lines: list[Row]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Orders numbered by their day, lines within them, and the receipts of the lines."""
    lines = sorted(lines, key=lambda r: (r["order_date"], r["order"], r["sku"]))
    numbers: dict[str, int] = {}
    seen: dict[str, int] = {}
    orders, receipts = [], []
    for line in lines:
        number = numbers.setdefault(line["order"], len(numbers) + 1)
        seen[line["order"]] = seen.get(line["order"], 0) + 1
        key = {"po_id": f"PO{number:04d}", "line": str(seen[line["order"]])}
        orders.append(
            key
            | {
                k: line[k]
                for k in (
                    "supplier_id",
                    "sku",
                    "warehouse",
                    "order_date",
                    "promised_date",
                    "revised_date",
                    "qty",
                    "price",
                    "currency",
                    "status",
                )
            }
        )
        receipts += [
            key | {"receipt_date": d, "qty": n, "rejected": b, "sku": line["sku"], "warehouse": line["warehouse"]}
            for d, n, b in line["receipts"]
        ]  # fmt: skip
    days = {"order_date": pl.Date(), "promised_date": pl.Date(), "revised_date": pl.Date()}
    schema = dict.fromkeys(("po_id", "line", "supplier_id", "sku", "warehouse"), pl.String()) | days | {"qty": pl.Float64(), "price": pl.Float64(), "currency": pl.String(), "status": pl.String()}  # fmt: skip
    came = {"po_id": pl.String(), "line": pl.String(), "receipt_date": pl.Date(), "qty": pl.Float64(), "rejected": pl.Float64(), "sku": pl.String(), "warehouse": pl.String()}  # fmt: skip
    return (
        pl.DataFrame(orders, schema=schema).sort("po_id", "line", "sku"),
        pl.DataFrame(receipts, schema=came).sort("po_id", "line", "sku", "receipt_date"),
    )


def _previous(
    company: Company, inventory: pl.DataFrame, receipts: pl.DataFrame, sold: dict[tuple[str, str], float], booked: Row
) -> tuple[pl.DataFrame, list[Row], Row]:
    """Stock of BEFORE: that of END with the month undone, and what is missing today still in it."""
    rng = company.random("previous inventory")
    lately = receipts.filter(pl.col("receipt_date") > BEFORE).group_by("sku", "warehouse").agg(
        (pl.col("qty") - pl.col("rejected").fill_null(0.0)).sum().round(6)
    )  # fmt: skip
    came = {(sku, place): units for sku, place, units in lately.iter_rows()}
    rows = []
    for row in inventory.sort("sku", "warehouse").iter_rows(named=True):
        key = (row["sku"], row["warehouse"])
        rows.append(
            {
                "sku": row["sku"], "warehouse": row["warehouse"], "on_hand": row["on_hand"] + sold.get(key, 0.0) - came.get(key, 0.0),
                "unit_cost": row["unit_cost"], "currency": "CNY", "snapshot_date": BEFORE,
            }
        )  # fmt: skip
    place = {(r["sku"], r["warehouse"]): r for r in rows}
    full = [k for k, r in place.items() if r["on_hand"] > 60 and k != (booked["sku"], booked["warehouse"])]
    by_sku: dict[str, list[tuple[str, str]]] = {}
    for key in full:
        by_sku.setdefault(key[0], []).append(key)
    twice = sorted(sku for sku, keys in by_sku.items() if len(keys) > 1)
    moved = twice[int(rng.integers(0, len(twice)))]
    source, target = by_sku[moved][:2]
    place[source]["on_hand"] += 24.0
    place[target]["on_hand"] -= 24.0
    missing = []
    for i in np.sort(rng.permutation([i for i, k in enumerate(full) if k[0] != moved])[:MISSING]).tolist():
        units = float(15 + int(rng.integers(0, 26)))
        place[full[i]]["on_hand"] += units
        missing.append({"sku": full[i][0], "warehouse": full[i][1], "units": units})
    elsewhere = {"sku": moved, "from": source[1], "to": target[1], "units": 24.0}
    return pl.DataFrame(rows), missing, elsewhere
