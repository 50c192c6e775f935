"""Small tables of purchase orders, receipts and stock, typed as their contracts say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from support.stockroom import table

START = date(2026, 1, 5)


def day(n: int) -> date:
    """n days after START."""
    return START + timedelta(days=n)


def orders(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table purchase_orders: order P1, P2, ... of supplier S for 10 A on day 0, promised for day 10, unless told otherwise."""
    base = {"supplier_id": "S", "sku": "A", "order_date": day(0), "promised_date": day(10), "qty": 10.0}
    return table("purchase_orders", [base | {"po_id": f"P{i}"} | row for i, row in enumerate(rows, 1)])


def receipts(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table receipts: 10 of P1 on day 10 unless told otherwise."""
    base = {"po_id": "P1", "receipt_date": day(10), "qty": 10.0}
    return table("receipts", [base | row for row in rows])


def history(
    supplier: str, delays: list[int], *, every: int = 7, promise: int = 10, start: int = 0, **more: Any
) -> tuple[list[Any], list[Any]]:
    """Rows of one-line orders, one each `every` days, delivered so many days after the promise."""
    made: tuple[list[Any], list[Any]] = ([], [])
    for i, delay in enumerate(delays):
        first = start + every * i
        order = f"{supplier}-{i:03d}"
        made[0].append(
            {
                "po_id": order,
                "supplier_id": supplier,
                "order_date": day(first),
                "promised_date": day(first + promise),
                **more,
            }
        )
        made[1].append({"po_id": order, "receipt_date": day(first + promise + delay), "qty": more.get("qty", 10.0)})
    return made


def sold(
    sku: str, daily: list[float], *, until: date, warehouse: str | None = "W1", **more: Any
) -> list[dict[str, Any]]:
    """Rows of sales, one a day up to `until`; days of 0 have no row."""
    first = until - timedelta(days=len(daily) - 1)
    base = {"sku": sku, "market": "DE", "warehouse": warehouse} | more
    return [base | {"date": first + timedelta(days=i), "units": float(u)} for i, u in enumerate(daily) if u]
