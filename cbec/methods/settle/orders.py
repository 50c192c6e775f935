"""Orders against settlements: which orders no settlement has paid yet."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from cbec.methods.settle.lines import thousandths
from cbec.methods.settle.outcome import UNEXPLAINED


def unsettled(order_lines: pl.DataFrame, settlements: pl.DataFrame, as_of: date, days: int) -> pl.DataFrame:
    """Orders older than `days` that no line of a settlement names, as rows of `unexplained` (side order, thousandths).

    Orders before the first that a settlement names belong to settlements that were not given. The amount is what the buyer paid for the order's lines that were
    not sent back.
    """
    known = settlements.filter(pl.col("order_id").is_not_null()).select("order_id").unique()
    empty = pl.DataFrame(schema=UNEXPLAINED)
    begins = order_lines.join(known, on="order_id", how="semi")["date"].min()
    if begins is None:
        return empty
    sign = pl.when(pl.col("qty") < 0).then(-1).otherwise(1)
    gross = pl.col("qty") * pl.col("price").fill_null(0) + sign * (
        pl.col("shipping").fill_null(0) + pl.col("insurance").fill_null(0)
    )
    orders = (
        order_lines.filter(pl.col("currency").is_not_null())
        .with_columns(amount=gross.cast(pl.Decimal(38, 6)))
        .with_columns(amount=thousandths())
        .group_by("order_id", "currency")
        .agg(
            pl.col("amount").sum(), date=pl.col("date").min(), marketplace=pl.col("market").drop_nulls().sort().first()
        )
        .filter(pl.col("date").is_between(begins, as_of - timedelta(days=days)), pl.col("amount") > 0)
        .join(known, on="order_id", how="anti")
    )
    rows = orders.with_columns(
        side=pl.lit("order"), item="order_id", kind=pl.lit("unsettled"), reason_code=pl.lit("recon_unsettled")
    )
    lacking = [pl.lit(None, kind).alias(name) for name, kind in UNEXPLAINED.items() if name not in rows.columns]
    return pl.concat(
        [empty, rows.with_columns(lacking).select(pl.col(n).cast(k) for n, k in UNEXPLAINED.items())]
    ).sort("item", "currency")
