"""What binds purchases: days on which suppliers take orders, containers to the warehouses, and resellers' firm orders.

Planted: two suppliers that take orders on the second and fourth Monday of a month only; orders of resellers for items that the
warehouse does not sell otherwise, so that no forecast knows of them.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from cbec.methods.sample.company import END, START, Company, Family

#: Suppliers with order days, and the months that their calendars tell.
BY_CALENDAR, MONTHS = ("S06", "S10"), 6
#: Where resellers buy, how many items, days from END to their due dates, and how many pieces they take at the least and most.
PLACE, RESOLD, DUE, PIECES = "GBFXT", 2, (62, 76, 104, 118, 132), (20, 160)
#: Kinds of container: kg, m3, cost from China to any of the warehouses in USD.
KINDS = (("20GP", 21_700.0, 28.0, 2100.0), ("40HC", 26_500.0, 68.0, 3400.0))


def family(company: Company) -> Family:
    """The tables order_calendar, firm_orders and containers."""
    days = _mondays()
    calendar = pl.DataFrame(
        [{"supplier_id": name, "warehouse": None, "order_date": day} for name in BY_CALENDAR for day in days],
        schema={"supplier_id": pl.String, "warehouse": pl.String, "order_date": pl.Date},
    )
    firm = _firm_orders(company)
    boxes = pl.DataFrame(
        [
            {"container": kind, "capacity_kg": kg, "capacity_m3": m3, "cost": cost, "currency": "USD"}
            for kind, kg, m3, cost in KINDS
        ]
    )
    truths = {
        "order_days": {"suppliers": list(BY_CALENDAR), "first": days[0], "second": days[1]},
        "firm_orders": {
            f"{sku}@{place}": qty for sku, place, qty in firm.group_by("sku", "warehouse").agg(pl.col("qty").sum()).sort("sku").iter_rows()
        },
    }  # fmt: skip
    return Family({"order_calendar": calendar, "firm_orders": firm, "containers": boxes}, truths)


def _mondays() -> list[date]:
    """The second and fourth Monday of each month after END."""
    day, out = END + timedelta(days=1), []
    for _ in range(MONTHS):
        first = day + timedelta(days=-day.weekday() % 7)
        out += [first + timedelta(days=7), first + timedelta(days=21)]
        day = (day + timedelta(days=31)).replace(day=1)
    return out


def _firm_orders(company: Company) -> pl.DataFrame:
    rng = company.random("buying")
    sold_there = company.series.filter(pl.col("warehouse") == PLACE)["sku"].unique()
    free = company.items.filter(
        ~pl.col("sku").is_in(sold_there.implode()), pl.col("delisted_date").is_null(), pl.col("launch_date") < START
    )["sku"].sort()
    chosen = sorted(free.to_list()[i] for i in rng.choice(len(free), RESOLD, replace=False))
    rows = [
        {"sku": sku, "warehouse": PLACE, "due_date": END + timedelta(days=due), "qty": float(rng.integers(*PIECES) // 10 * 10)}
        for sku in chosen
        for due in DUE
    ]  # fmt: skip
    return pl.DataFrame(rows).sort("sku", "warehouse", "due_date")
