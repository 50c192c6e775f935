"""Stock as it should be beside stock as counted: earlier stock + receipts - sales.

Bookings at the edge of a day can lie on either side of a count, so that a day's sales and the receipts about both counts are
no difference. Without sales nothing can be called missing, without receipts nothing surplus.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods.monitor.items import KEY

if TYPE_CHECKING:
    from cbec.methods.monitor.items import Shelf


def balance(
    shelf: Shelf,
    previous: pl.DataFrame,
    days: pl.DataFrame | None,
    receipts: pl.DataFrame | None,
    *,
    cutoff_days: int,
    least: float,
    restock_returns: bool,
) -> pl.DataFrame:
    """The table `stock_balance`, and `_listed` (whether inventory has a row), `_cost`.

    days: sales per day (`items.daily`); receipts with sku and warehouse. least: pieces that are never a difference.
    Raises InputRejected where the earlier table carries no day or a later one.
    """
    before = previous["snapshot_date"].max()
    if not isinstance(before, date):
        raise InputRejected(
            "previous_inventory carries no snapshot_date",
            hint="the day of the earlier stock is needed to add up what moved since",
        )
    now = shelf.items.select(*KEY, "on_hand", "counted", "cost")
    latest = now["counted"].max()
    if not isinstance(latest, date) or before >= latest:
        raise InputRejected(f"previous_inventory is of {before}, not before the stock of {shelf.today}")
    then = previous.select(*KEY, previous="on_hand", since=pl.col("snapshot_date").fill_null(before))
    rows = now.join(then, on=KEY, how="full", coalesce=True).with_columns(
        pl.col("counted").fill_null(latest),
        pl.col("since").fill_null(before),
        pl.col("previous").fill_null(0.0),
        _listed=pl.col("on_hand").is_not_null(),
        on_hand=pl.col("on_hand").fill_null(0.0),
    )
    spans = rows.select(*KEY, "since", "counted")
    rows = rows.join(_sold(spans, days, restock_returns), on=KEY, how="left")
    rows = rows.join(_received(spans, receipts, cutoff_days), on=KEY, how="left")
    moved = [("sold", days), ("received", receipts)]
    rows = rows.with_columns(
        pl.col(name).fill_null(0.0) if table is not None else pl.lit(None, pl.Float64).alias(name)
        for name, table in moved
    )
    span = (pl.col("counted") - pl.col("since")).dt.total_days().clip(1)
    edge = pl.col("_gross").fill_null(0.0) / span * cutoff_days + pl.col("_edge").fill_null(0.0)
    rows = rows.with_columns(
        expected=pl.col("previous") + pl.col("received").fill_null(0.0) - pl.col("sold").fill_null(0.0),
        tolerance=pl.max_horizontal(pl.lit(least), edge),
    ).with_columns(difference=pl.col("on_hand") - pl.col("expected"))
    return _judged(rows, days is not None, receipts is not None).with_columns(
        counted=pl.col("on_hand"), value=pl.col("difference") * pl.col("cost"), currency=pl.lit(shelf.currency, pl.String), _cost=pl.col("cost")
    ).sort(KEY)  # fmt: skip


def _sold(spans: pl.DataFrame, days: pl.DataFrame | None, restock: bool) -> pl.DataFrame:
    """Net pieces sold after the earlier count up to this one."""
    if days is None:
        return spans.select(*KEY, sold=pl.lit(None, pl.Float64), _gross=pl.lit(None, pl.Float64))
    within = days.join(spans, on=KEY).filter((pl.col("day") > pl.col("since")) & (pl.col("day") <= pl.col("counted")))
    back = pl.col("returned") if restock else pl.lit(0.0)
    return within.sort(*KEY, "day").group_by(KEY, maintain_order=True).agg(
        sold=(pl.col("sold") - back).sum(), _gross=pl.col("sold").sum()
    )  # fmt: skip


def _received(spans: pl.DataFrame, receipts: pl.DataFrame | None, cutoff: int) -> pl.DataFrame:
    """Good pieces received in between, and those about either count."""
    if receipts is None:
        return spans.select(*KEY, received=pl.lit(None, pl.Float64), _edge=pl.lit(None, pl.Float64))
    day = pl.col("receipt_date")
    came = receipts.join(spans, on=KEY).with_columns(
        good=(pl.col("qty") - pl.col("rejected").fill_null(0.0)).clip(0.0),
        inside=(day > pl.col("since")) & (day <= pl.col("counted")),
        about=((day - pl.col("since")).dt.total_days().is_between(1 - cutoff, cutoff) if cutoff else pl.lit(False))
        | ((day - pl.col("counted")).dt.total_days().is_between(1 - cutoff, cutoff) if cutoff else pl.lit(False)),
    )
    return came.sort(*KEY, "receipt_date", "good").group_by(KEY, maintain_order=True).agg(
        received=pl.col("good").filter("inside").sum(), _edge=pl.col("good").filter("about").sum()
    )  # fmt: skip


def _judged(rows: pl.DataFrame, sales: bool, receipts: bool) -> pl.DataFrame:
    """agrees, missing or surplus; elsewhere where a SKU's warehouses cancel out: goods that moved without a booking."""
    gap, slack = pl.col("difference"), pl.col("tolerance")
    odd = pl.when((gap < -slack) & sales).then(pl.lit("missing")).when((gap > slack) & receipts).then(pl.lit("surplus"))
    rows = rows.sort(KEY).with_columns(verdict=odd.otherwise(pl.lit("agrees")))
    sides = pl.col("verdict").is_in(["missing", "surplus"])
    both = (pl.col("verdict") == "missing").any().over("sku") & (pl.col("verdict") == "surplus").any().over("sku")
    net = pl.when(sides).then(gap).otherwise(0.0).sum().over("sku").abs()
    room = pl.when(sides).then(slack).otherwise(0.0).sum().over("sku")
    return rows.with_columns(
        verdict=pl.when(sides & both & (net <= room)).then(pl.lit("elsewhere")).otherwise("verdict")
    )
