"""Stock on hand and on its way, which warehouse serves which market, and the terms of replenishment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from cbec.methods.sample.company import DAYS, END, MARKETS, START, Company, Family
from cbec.methods.sample.demand import expected, outages

OVERSTOCK, RUNNING_OUT, COVERED, LATE_INBOUND, FAST_LANE = 10, 12, 10, 4, 3

#: Terms by warehouse: lead time by sea to the shelf and its deviation, days.
LEAD = {"DEHAM": (42.0, 6.0), "GBFXT": (44.0, 7.0), "USLAX": (36.0, 5.0)}
#: Suppliers with terms of their own: lead time, deviation, smallest order, pack.
SUPPLIERS = {
    "S03": (45.0, 8.0, 20.0, 4.0),
    "S05": (38.0, 5.0, 48.0, 12.0),
    "S07": (40.0, 6.0, 30.0, 6.0),
    "S11": (35.0, 4.0, 60.0, 20.0),
}


def family(company: Company) -> Family:
    """The tables inventory, inbound, coverage and policies."""
    stocked, roles = _roles(company)
    inventory, inbound, late = _stock(company, stocked)
    coverage = pl.DataFrame({"market": [m.code for m in MARKETS], "warehouse": [m.warehouse for m in MARKETS]})
    tables = {
        "inventory": inventory,
        "inbound": inbound,
        "coverage": coverage.with_columns(share=pl.lit(1.0)).sort("market", "warehouse"),
        "policies": _policies(company, roles["fast_lane"]),
    }
    named = {name: [f"{sku}@{place}" for sku, place in keys] for name, keys in roles.items() if name != "fast_lane"}
    return Family(tables, {**named, "late_inbound": late, "fast_lane": [sku for sku, _ in roles["fast_lane"]]})


def _roles(company: Company) -> tuple[pl.DataFrame, dict[str, list[tuple[str, str]]]]:
    """SKU and warehouse with the demand ahead of them and their role: each has one."""
    rng = company.random("stock roles")
    mean = expected(company)
    demand = company.series.select("sku", "warehouse").with_columns(
        # Sums by NumPy row by row: the order of addition is fixed, whatever the threads.
        near=pl.Series(mean[:, DAYS : DAYS + 28].sum(axis=1) / 28),
        ahead=pl.Series(mean[:, DAYS:].sum(axis=1)),
    )
    totals = (
        demand.sort("sku", "warehouse")
        .group_by("sku", "warehouse", maintain_order=True)
        .agg(pl.col("near", "ahead").sum().round(6))
    )
    pairs = company.pairs().join(totals, on=["sku", "warehouse"], how="left", maintain_order="left")
    still_out = outages(company).filter("open").select("sku", "warehouse").with_columns(open=pl.lit(True))
    pairs = pairs.join(still_out, on=["sku", "warehouse"], how="left", maintain_order="left")

    role = np.full(pairs.height, "steady", dtype=object)
    role[pairs["delisted_date"].is_not_null().to_numpy()] = "dead_stock"
    role[pairs["open"].is_not_null().to_numpy()] = "out_of_stock"
    settled = (role == "steady") & ~pairs["intermittent"].to_numpy() & (pairs["launch_date"] < START).to_numpy()
    # The dearest lanes are for the best sellers: they come by air, on terms of their own.
    best = (
        pairs.filter(pl.Series(settled)).sort("ahead", descending=True)["sku"].unique(maintain_order=True)[:FAST_LANE]
    )
    free = settled & ~pairs["sku"].is_in(best.implode()).to_numpy()
    queue = rng.permutation(np.flatnonzero(free & (pairs["near"] > 0.8).to_numpy()))
    role[queue[:RUNNING_OUT]] = "running_out"
    role[queue[RUNNING_OUT : RUNNING_OUT + COVERED]] = "covered_by_inbound"
    role[queue[RUNNING_OUT + COVERED :][:OVERSTOCK]] = "overstock"
    pairs = pairs.with_columns(role=pl.Series(role.tolist()))
    planted = ("out_of_stock", "running_out", "covered_by_inbound", "overstock", "dead_stock")
    keys = {name: pairs.filter(pl.col("role") == name).select("sku", "warehouse").rows() for name in planted}
    return pairs, keys | {"fast_lane": [(sku, "*") for sku in best.sort()]}


def _stock(company: Company, pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, list[dict[str, Any]]]:
    rng = company.random("stock")
    stock: list[dict[str, Any]] = []
    coming: list[dict[str, Any]] = []
    late: list[dict[str, Any]] = []
    for row in pairs.iter_rows(named=True):
        # Every role draws the same numbers, so that a change of one item moves no other.
        days, cover, age, share, wait, lateness = rng.random(6)
        near, ahead, role = row["near"], row["ahead"], row["role"]
        on_hand, age_days, arrival, qty = ahead * (0.35 + 0.75 * cover), 15 + 90 * age, None, 0.0
        if role == "out_of_stock":
            on_hand, arrival, qty = 0.0, END - timedelta(days=3 + int(20 * lateness)), ahead * 0.6
        elif role == "running_out":
            on_hand = near * (8 + 6 * days)
        elif role == "covered_by_inbound":
            on_hand, arrival, qty = near * (9 + 5 * days), END + timedelta(days=4 + int(4 * wait)), ahead * 0.85
        elif role == "overstock":
            on_hand, age_days = max(near, ahead / 91, row["rate"]) * (450 + 450 * cover), 210 + 220 * age
        elif role == "dead_stock":
            on_hand, age_days = 5 + 75 * cover, 180 + 200 * age
        elif row["intermittent"]:
            on_hand, age_days = 1 + 7 * cover, 30 + 200 * age
        elif share < 0.3:
            arrival, qty = END + timedelta(days=2 + int(40 * wait)), ahead * 0.5
            if sum(r["role"] == "steady" for r in late) < LATE_INBOUND:
                arrival = END - timedelta(days=3 + int(20 * lateness))
        key = {"sku": row["sku"], "warehouse": row["warehouse"]}
        if arrival is not None:
            coming.append(key | {"qty": float(np.ceil(qty / 10) * 10), "arrival_date": arrival, "status": "in_transit"})
            if arrival <= END:
                late.append(key | {"arrival_date": arrival, "role": role})
        whole = float(np.ceil(on_hand))
        stock.append(
            key
            | {
                "on_hand": whole,
                "reserved": float(min(whole, np.floor(near * 1.5))),
                "age_days": float(np.floor(age_days)),
                "unit_cost": row["unit_cost"],
                "currency": "CNY",
                "snapshot_date": END,
            }
        )
    inbound = pl.DataFrame(coming).sort("sku", "warehouse", "arrival_date")
    return pl.DataFrame(stock), inbound, [{k: v for k, v in r.items() if k != "role"} for r in late]


def _policies(company: Company, fast: list[tuple[str, str]]) -> pl.DataFrame:
    """One default row per warehouse, rows of suppliers, and the best sellers' rows. Money is in CNY."""
    common = {"review_days": 14.0, "holding_rate": 0.24, "order_cost": 150.0}
    rows: list[dict[str, Any]] = [
        common
        | {"warehouse": place, "lead_time_days": days, "lead_time_sd_days": sd, "moq": 10.0, "pack_size": 5.0}
        | {"service_level": 0.95, "shortage_cost": 60.0}
        for place, (days, sd) in LEAD.items()
    ]
    rows += [
        common
        | {"supplier_id": name, "lead_time_days": days, "lead_time_sd_days": sd, "moq": moq, "pack_size": pack}
        | {"service_level": 0.95, "shortage_cost": 60.0}
        for name, (days, sd, moq, pack) in SUPPLIERS.items()
    ]
    rows += [
        common
        | {
            "sku": sku,
            "review_days": 7.0,
            "lead_time_days": 12.0,
            "lead_time_sd_days": 3.0,
            "moq": 20.0,
            "pack_size": 10.0,
        }
        | {"service_level": 0.98, "shortage_cost": 90.0}
        for sku, _ in fast
    ]
    figures = ("lead_time_days", "lead_time_sd_days", "review_days", "moq", "pack_size", "service_level")
    kinds = dict.fromkeys(("sku", "warehouse", "supplier_id"), pl.String()) | dict.fromkeys(
        (*figures, "holding_rate", "shortage_cost", "order_cost"), pl.Float64()
    )
    return pl.DataFrame(rows, schema=kinds)
