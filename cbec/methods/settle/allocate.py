"""Amounts shared out by weight so that the parts add up to the whole, to the last unit."""

from __future__ import annotations

import polars as pl


def share(parts: pl.DataFrame, amounts: pl.DataFrame, group: str | list[str]) -> pl.DataFrame:
    """The part of each row: rounded share of its group's amount by weight, the rest of rounding to the heaviest row.

    parts: `group` columns, row (a number that orders the rows), weight (whole, >= 0; a group of zeros is shared
    equally). amounts: the same group columns, amount (whole). Groups that only one of the two frames has are left out.
    Gives group columns, row, part (Int64); the parts of a group sum to its amount exactly.
    """
    by = [group] if isinstance(group, str) else group
    frame = parts.join(amounts, on=by)
    total = pl.col("weight").cast(pl.Int128).sum().over(by)
    weight = pl.when(total > 0).then(pl.col("weight").cast(pl.Int128)).otherwise(1)
    frame = frame.with_columns(weight=weight).with_columns(total=pl.col("weight").sum().over(by))
    whole, size = pl.col("amount").cast(pl.Int128), pl.col("total")
    part = whole.sign() * ((whole.abs() * pl.col("weight") * 2 + size) // (size * 2))
    frame = frame.with_columns(part=part).sort([*by, "weight", "row"], descending=[*[False] * len(by), True, False])
    rest = pl.col("amount") - pl.col("part").sum().over(by)
    first = pl.int_range(pl.len()).over(by) == 0
    frame = frame.with_columns(part=pl.when(first).then(pl.col("part") + rest).otherwise(pl.col("part")))
    return frame.select(*by, "row", pl.col("part").cast(pl.Int64)).sort(*by, "row")
