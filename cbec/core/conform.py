"""The output side of a contract: what a step answers is brought into the shape its table promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cbec.core.cells import dtype

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.contract import Column, Contract

DIGITS = 6


class ContractBroken(AssertionError):
    """A step answered what its output table does not promise: a mistake of ours (status 70), never of the user."""


def conform(contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """The contract's columns of `frame`, cast to their kinds, rounded to their digits (6 if none), sorted by the key.

    Columns that the contract does not know are dropped; optional ones may be absent and stay so. NaN becomes null.
    Raises ContractBroken for a missing column, an empty cell, a value out of bounds or a key that comes twice.
    """
    import polars as pl

    missing = [c.name for c in contract.columns if c.required and c.name not in frame.columns]
    if missing:
        raise ContractBroken(f"{contract.name}: the answer lacks {', '.join(missing)}")
    present = [c for c in contract.columns if c.name in frame.columns]
    shaped = frame.select(_shape(contract, column, frame[column.name]) for column in present)
    for column in present:
        _hold(contract, column, shaped[column.name])
    keys = [name for name in contract.key if name in shaped.columns]
    if not keys:
        return shaped
    if ascending(shaped, keys, strictly=True):
        return shaped
    ordered = shaped.sort(keys, nulls_last=False, maintain_order=True)
    # Sorted, a key that comes twice stands beside itself.
    same = pl.all_horizontal(pl.col(k).eq_missing(pl.col(k).shift(1)) for k in keys)
    again = ordered.select(same.slice(1).alias("again"))
    twice = again["again"].arg_true()
    if len(twice):
        example = ordered.select(keys).row(int(twice[0]), named=True)
        raise ContractBroken(f"{contract.name}: the key comes twice: {example}")
    return ordered


def ascending(frame: pl.DataFrame, keys: Sequence[str], strictly: bool = False) -> bool:
    """Whether the rows are sorted by the keys, nulls first; strictly: and no key comes twice."""
    import polars as pl

    greater, same = pl.lit(False), pl.lit(True)
    for key in keys:
        now, before = pl.col(key), pl.col(key).shift(1)
        beyond = now > before
        if frame[key].null_count():
            beyond = beyond.fill_null(False) | (now.is_not_null() & before.is_null())
        greater |= same & beyond
        same &= now.eq_missing(before)
    fine = greater if strictly else greater | same
    return bool(frame.select(fine.slice(1).all()).item()) if frame.height > 1 else True


def _shape(contract: Contract, column: Column, series: pl.Series) -> pl.Series:
    import polars as pl

    target = dtype(column)
    digits = DIGITS if column.digits is None else column.digits
    try:
        if column.kind == "float":
            numbers = series.cast(pl.Float64).fill_nan(None).round(digits)
            # A zero has no sign, or sums in another order would print another byte (adding 0.0 to a Series does nothing).
            unsigned = numbers.to_frame(column.name)
            return unsigned.select(
                pl.when(pl.col(column.name) == 0).then(0.0).otherwise(pl.col(column.name)).alias(column.name)
            ).to_series()
        if column.kind == "decimal":
            if isinstance(series.dtype, pl.Decimal) and (series.dtype.scale or 0) <= digits:
                return series.cast(pl.Decimal(38, digits))  # nothing to round
            if series.dtype.is_float():
                series = series.fill_nan(None).round(digits)
            series = series.cast(pl.Decimal(38, max(6, digits))).round(digits)
            return series.cast(pl.Decimal(38, digits))
        if column.kind == "moment":
            return series.cast(pl.Datetime("us")) if isinstance(series.dtype, pl.Datetime) else series.cast(pl.Date)
        return series.cast(target)
    except pl.exceptions.PolarsError as error:
        raise ContractBroken(f"{contract.name}.{column.name}: {series.dtype} is not {column.kind} ({error})") from error


def _hold(contract: Contract, column: Column, series: pl.Series) -> None:
    import polars as pl

    name = f"{contract.name}.{column.name}"
    if series.null_count() and column.required and not column.null and column.default is None:
        raise ContractBroken(f"{name}: {series.null_count()} cells are empty")
    if column.one_of is not None:
        other = series.drop_nulls().unique()
        strange = other.filter(~other.is_in(column.one_of)).sort()
        if len(strange):
            raise ContractBroken(f"{name}: {strange[0]!r} is none of {', '.join(column.one_of)}")
    if not series.dtype.is_numeric() or series.null_count() == len(series):
        return
    unbounded = column.min is None and column.max is None and column.above is None
    if unbounded and not series.dtype.is_float():
        return  # only a float can be infinite
    numbers = series.cast(pl.Float64)
    if not numbers.is_finite().all():
        raise ContractBroken(f"{name}: an infinite value")
    lowest, highest = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    if column.min is not None and lowest < column.min:
        raise ContractBroken(f"{name}: {lowest:g} is below {column.min:g}")
    if column.max is not None and highest > column.max:
        raise ContractBroken(f"{name}: {highest:g} is above {column.max:g}")
    if column.above is not None and lowest <= column.above:
        raise ContractBroken(f"{name}: {lowest:g} is not above {column.above:g}")
