"""What lies where and what a piece is worth, the day it was counted, and sales by warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import rate_to

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = ["sku", "warehouse"]


@dataclass(frozen=True)
class Shelf:
    """Stock of today. items: sku, warehouse, on_hand, reserved, age_days, counted (day), cost and price (in `currency`,
    null = not told), supplier_id; one row per row of inventory, sorted."""

    today: date
    items: pl.DataFrame
    currency: str | None


def shelf(
    inventory: pl.DataFrame,
    products: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    sales: pl.DataFrame | None,
    as_of: date | None,
    home: str | None,
) -> Shelf:
    """The table inventory with costs in one currency.

    today: as told, else the day of the count, else that of the last sale. Raises InputRejected where the count is later
    than --as-of or no day is known, UsageFault for several currencies without a home currency.
    """
    counted = inventory["snapshot_date"].max()
    sold = None if sales is None else sales.select(pl.col("date").cast(pl.Date).max()).item()
    today = as_of or counted or sold
    if not isinstance(today, date):
        raise InputRejected("inventory carries no snapshot_date, and no --as-of tells the day", hint="give --as-of")
    if isinstance(counted, date) and counted > today:
        raise InputRejected(
            f"inventory was counted on {counted}, after --as-of {today}", hint="give the stock of that day"
        )
    items = inventory.sort(KEY).with_columns(
        counted=pl.col("snapshot_date").fill_null(today), reserved=pl.col("reserved").fill_null(0.0)
    )
    if products is None:
        nothing = {
            "master_cost": pl.Float64,
            "price": pl.Float64,
            "master_currency": pl.String,
            "supplier_id": pl.String,
        }
        items = items.with_columns(pl.lit(None, kind).alias(name) for name, kind in nothing.items())
    else:
        master = products.select(
            "sku", "price", "supplier_id", master_cost="unit_cost", master_currency="currency"
        )  # fmt: skip
        items = items.join(master, on="sku", how="left", maintain_order="left")
    items, currency = _valued(items, rates, today, home)
    wanted = [*KEY, "on_hand", "reserved", "age_days", "counted", "cost", "price", "supplier_id"]
    return Shelf(today, items.select(wanted), currency)


def _valued(
    items: pl.DataFrame, rates: pl.DataFrame | None, today: date, home: str | None
) -> tuple[pl.DataFrame, str | None]:
    """Costs (the item master's before the count's) and prices in the home currency at today's rate."""
    own = pl.col("master_cost").is_not_null()
    items = items.with_columns(
        cost=pl.when(own).then("master_cost").otherwise("unit_cost").cast(pl.Float64),
        cost_currency=pl.when(own).then("master_currency").otherwise("currency"),
        price=pl.col("price").cast(pl.Float64),
        day=pl.lit(today),
    )
    items = items.with_columns(
        cost_currency=pl.when(pl.col("cost").is_not_null()).then("cost_currency"),
        price_currency=pl.when(pl.col("price").is_not_null()).then("master_currency"),
    )
    found = sorted({*items["cost_currency"].drop_nulls(), *items["price_currency"].drop_nulls()})
    if home is None and len(found) > 1:
        raise UsageFault(
            f"costs are in {', '.join(found)}, and no home currency is set", hint="set --home-currency and give --rates"
        )
    home = home or (found[0] if found else None)
    if home is not None:
        items = items.with_columns(
            cost=pl.col("cost") * rate_to(items, "cost_currency", "day", rates, home),
            price=pl.col("price") * rate_to(items, "price_currency", "day", rates, home),
        )
    return items, home if items["cost"].is_not_null().any() else None


def placed(frame: pl.DataFrame, shelf: Shelf) -> tuple[pl.DataFrame, set[str]]:
    """Rows with their warehouse, and the SKUs of which rows lack it: those lying in one warehouse alone are there."""
    if frame["warehouse"].null_count() == 0:
        return frame, set()
    single = shelf.items.group_by("sku").agg(pl.col("warehouse").first(), places=pl.len()).filter(pl.col("places") == 1)
    filled = frame.join(single.select("sku", only="warehouse"), on="sku", how="left", maintain_order="left")
    filled = filled.with_columns(warehouse=pl.coalesce("warehouse", "only")).drop("only")
    lost = filled.filter(pl.col("warehouse").is_null())
    return filled.drop_nulls("warehouse"), set(lost["sku"].unique())


def daily(sales: pl.DataFrame) -> pl.DataFrame:
    """Sales per SKU, warehouse and day: sold and returned pieces, whether it was on promotion, whether it could be bought."""
    rows = sales.with_columns(day=pl.col("date").cast(pl.Date))
    return rows.sort(*KEY, "day", "units").group_by(*KEY, "day", maintain_order=True).agg(
        sold=pl.col("units").clip(0.0).sum(),
        returned=(-pl.col("units")).clip(0.0).sum(),
        promo=pl.col("promo").fill_null(False).any(),
        # One market that could not buy does not empty the shelf.
        stocked=pl.col("in_stock").fill_null(True).any(),
    ).sort(*KEY, "day")  # fmt: skip


def entity(columns: Sequence[str] = KEY) -> pl.Expr:
    """SKU@WAREHOUSE."""
    return pl.concat_str(columns, separator="@")
