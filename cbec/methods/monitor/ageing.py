"""Stock by how long it has been lying."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from cbec.methods.monitor.items import Shelf

#: Upper ends of the bands in days; marketplaces price storage from 181 days on.
ENDS = ((90, "0-90"), (180, "91-180"), (270, "181-270"), (365, "271-365"))


def bands(shelf: Shelf) -> pl.DataFrame:
    """The table `stock_ageing`: stock on hand (what is under 0 left out) per warehouse and band."""
    age = pl.col("age_days")
    band = pl.coalesce(
        *(pl.when(age <= end).then(pl.lit(name)) for end, name in ENDS), pl.when(age.is_not_null()).then(pl.lit("366+")), pl.lit("unknown")
    )  # fmt: skip
    held = shelf.items.filter(pl.col("on_hand") > 0).with_columns(band=band, worth=pl.col("on_hand") * pl.col("cost"))
    return held.group_by("warehouse", "band", maintain_order=True).agg(
        skus=pl.col("sku").n_unique(),
        units=pl.col("on_hand").sum(),
        value=pl.when(pl.col("worth").is_not_null().any()).then(pl.col("worth").sum()),
        currency=pl.lit(shelf.currency, pl.String),
    ).sort("warehouse", "band")  # fmt: skip
