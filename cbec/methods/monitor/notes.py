"""What a monitor could not look at, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.words import of
from cbec.methods.monitor import items

if TYPE_CHECKING:
    from cbec.methods.monitor.items import Shelf


@dataclass
class Notes:
    """unplaced: SKUs with sales whose warehouse is not known, left out where a warehouse's sales matter."""

    first_sale: date | None = None
    unplaced: set[str] = field(default_factory=set)
    receipts_left_out: int = 0


def sold(sales: pl.DataFrame, shelf: Shelf, told: Notes) -> pl.DataFrame:
    """Sales per SKU, warehouse and day."""
    there, told.unplaced = items.placed(sales, shelf)
    first = sales.select(pl.col("date").cast(pl.Date).min()).item()
    told.first_sale = first if isinstance(first, date) else None
    return items.daily(there)


def received(receipts: pl.DataFrame, told: Notes) -> pl.DataFrame:
    """Receipts that tell what came where."""
    known = receipts.drop_nulls(["sku", "warehouse"])
    told.receipts_left_out = receipts.height - known.height
    return known


def lines(
    told: Notes,
    shelf: Shelf,
    dead_days: int,
    sales: pl.DataFrame | None,
    receipts: pl.DataFrame | None,
    previous: pl.DataFrame | None,
    inbound: pl.DataFrame | None,
) -> list[str]:
    """In the order of what matters."""
    out = [f"stock of {shelf.today}"]
    if previous is None:
        out.append("without --previous-inventory nothing can be called missing")
    elif sales is None or receipts is None:
        lacking = "sales" if sales is None else "receipts"
        out.append(f"without --{lacking} stock is held against the books in one direction only")
    if sales is None:
        out.append("without --sales dead stock, drops and days of cover are not looked for")
    elif told.first_sale is None or (shelf.today - told.first_sale).days < dead_days - 1:
        out.append(f"sales begin on {told.first_sale}: too late to call stock dead after {dead_days} days")
    if told.unplaced:
        out.append(
            f"sales of {of(len(told.unplaced), 'SKU')} without a warehouse, and the goods lie in several: not looked at"
        )
    if told.receipts_left_out:
        out.append(f"left out: {of(told.receipts_left_out, 'receipt')} without SKU or warehouse")
    if inbound is None:
        out.append("without --inbound nothing overdue is seen, and cover is told as if nothing came")
    if shelf.items["age_days"].null_count() == shelf.items.height:
        out.append("inventory tells no age_days: nothing is called aged")
    return out
