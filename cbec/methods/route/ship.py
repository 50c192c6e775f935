"""Orders into shipments: what a supplier makes for one warehouse travels together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import rate_to

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED = ("weight_kg", "length_cm", "width_cm", "height_cm", "unit_cost")
_CM3_PER_M3 = 1e6


@dataclass(frozen=True)
class Terms:
    """How orders become shipments: where goods are handed over, days from order to ready, extra weight and volume of
    packing as a share."""

    origin: str
    ready_days: int
    packing_share: float
    home: str | None


def shipments(orders: pl.DataFrame, products: pl.DataFrame, rates: pl.DataFrame | None, terms: Terms) -> pl.DataFrame:
    """Rows of the table `shipments`, one per supplier (empty: unknown) and warehouse with anything to order.

    orders: table replenishment. Weight and volume are those of the pieces plus the packing share. A shipment is due on
    the first day that one of its items would run out if it was still to be helped, else when its order was planned to
    arrive. Raises InputRejected naming SKUs whose weight, sizes or cost nobody told, UsageFault for mixed currencies
    without a home currency.
    """
    wanted = orders.filter(pl.col("order_qty") > 0)
    lines = wanted.join(products.select("sku", "supplier_id", "currency", *_NEEDED), on="sku", how="left")
    _complete(lines)
    currencies = sorted(lines["currency"].drop_nulls().unique().to_list())
    if terms.home is None and len(currencies) > 1:
        raise UsageFault(f"products: costs in {', '.join(currencies)}", hint="give --home-currency and --rates")
    home = terms.home or (currencies[0] if currencies else None)
    if home is None and lines.height:
        raise InputRejected(
            "products: unit_cost has no currency", hint="fill the column currency, or give --home-currency"
        )
    rate = rate_to(lines, "currency", "order_date", rates, home or "")
    volume = pl.col("length_cm") * pl.col("width_cm") * pl.col("height_cm") / _CM3_PER_M3
    packed = 1 + terms.packing_share
    ready = pl.col("order_date").dt.offset_by(f"{terms.ready_days}d")
    # A shelf that is empty before the goods can leave at all sets no day that a way could keep.
    needed = pl.when(pl.col("stockout_date") > ready).then(pl.col("stockout_date"))
    lines = lines.with_columns(
        rate,
        _kg=pl.col("order_qty") * pl.col("weight_kg") * packed,
        _m3=pl.col("order_qty") * volume * packed,
        _ready=ready,
        _needed=needed,
    ).with_columns(_value=pl.col("order_qty") * pl.col("unit_cost") * pl.col("rate"))
    # Sums in the order of the SKUs, so that equal orders give equal bytes.
    grouped = (
        lines.sort("supplier_id", "warehouse", "sku", nulls_last=True)
        .group_by("supplier_id", "warehouse", maintain_order=True)
        .agg(
            pl.col("_kg").sum().round(3).alias("weight_kg"),
            pl.col("_m3").sum().round(4).alias("volume_m3"),
            pl.col("_value").sum().round(2).alias("goods_value"),
            pl.col("_ready").max().alias("ready_date"),
            pl.coalesce(pl.col("_needed").min(), pl.col("arrival_date").max()).alias("due_date"),
            pl.col("order_qty").sum().alias("pieces"),
        )
    )
    name = pl.concat_str(pl.lit("ORD"), pl.col("supplier_id").fill_null("any"), "warehouse", separator="-")
    return grouped.select(
        name.alias("shipment_id"),
        pl.lit(terms.origin).alias("origin"),
        pl.col("warehouse").alias("destination"),
        "weight_kg",
        "volume_m3",
        "goods_value",
        pl.lit(home).alias("currency"),
        "ready_date",
        "due_date",
        "pieces",
        *(pl.lit(None, kind).alias(c) for c, kind in _UNTOLD.items()),
    )


_UNTOLD = {
    "incoterm": pl.String,
    "hs_code": pl.String,
    "dg_class": pl.String,
    "temp_min_c": pl.Float64,
    "temp_max_c": pl.Float64,
    "late_cost_per_day": pl.Float64,
    "capital_rate": pl.Float64,
}


def _complete(lines: pl.DataFrame) -> None:
    for column in _NEEDED:
        lacking = lines.filter(pl.col(column).is_null())["sku"].unique().sort()
        if len(lacking):
            raise InputRejected(
                f"products: {column} of {len(lacking)} ordered SKUs is not told, e.g. {_some(lacking.to_list())}",
                hint="a shipment needs the weight, sizes and cost of its goods",
            )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3])
