"""One column of cells into its kind: from text, or from a type that a file declares. No cell loses anything in silence.

Every function answers the typed column, null where the cell was empty or wrong, and masks of the wrong cells.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from cbec.core.codes import COUNTRIES, CURRENCIES, MEANT

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.contract import Column

EXACT = 2**53  # whole numbers beyond it are not all floats

#: What `declared` answers for times with a zone where none is set to turn them into.
NO_ZONE = "holds times with a zone"

_TRUE = {"true", "1", "yes", "y", "t", "是", "有", "1.0"}
_FALSE = {"false", "0", "no", "n", "f", "否", "无", "0.0"}


class Wrong(NamedTuple):
    """Cells that break one rule. message: a sentence in which {} is the cell; suggest: what follows it, per cell."""

    mask: pl.Series
    rule: str
    message: str
    suggest: Callable[[str], str] | None = None


class Typed(NamedTuple):
    """A column of its kind and what was wrong with its cells."""

    values: pl.Series
    wrong: list[Wrong]


def dtype(column: Column) -> pl.DataType:
    """The Polars type of a contract column. A `decimal` has 6 decimals, or `digits` if those are more."""
    import polars as pl

    if column.kind == "decimal":
        return pl.Decimal(38, max(6, column.digits or 0))
    kinds = {"int": pl.Int64(), "float": pl.Float64(), "date": pl.Date(), "moment": pl.Date(), "bool": pl.Boolean()}
    return kinds.get(column.kind, pl.String())


def empty(columns: Iterable[Column]) -> pl.DataFrame:
    """A table of these columns without rows."""
    import polars as pl

    return pl.DataFrame(schema={column.name: dtype(column) for column in columns})


NOT = {
    "int": "is not a whole number",
    "float": "is not a number",
    "decimal": "is not a number",
    "date": "is not a date",
    "moment": "is not a date or time",
    "bool": "is neither true nor false",
    "country": "is not a country code (ISO 3166-1 alpha-2)",
    "currency": "is not a currency code (ISO 4217)",
}


def words(column: Column, text: pl.Series) -> Typed:
    """text, bool, country and currency from text. Codes may be in lower case and have spaces around them."""
    import polars as pl

    if column.kind == "text":
        return Typed(text, [])
    meanings = _meanings(column)
    distinct = text.unique().drop_nulls()
    if column.kind != "bool" and distinct.is_in(list(meanings)).all():
        return Typed(text, [])
    known = {
        cell: meanings.get(cell.strip().lower() if column.kind == "bool" else cell.strip().upper()) for cell in distinct
    }
    kind = pl.Boolean() if column.kind == "bool" else pl.String()
    if known:
        values = text.replace_strict(
            list(known), pl.Series(list(known.values()), dtype=kind), default=None, return_dtype=kind
        )
    else:
        values = text.cast(kind)
    # Nothing but spaces is an empty cell.
    blank = [cell for cell in known if not cell.strip()]
    empty = text.is_null() | text.is_in(blank) if blank else text.is_null()
    mask = values.is_null() & ~empty
    return Typed(
        values, [Wrong(mask, column.kind, f'"{{}}" {NOT[column.kind]}', _suggest_code(column))] if mask.any() else []
    )


def _meanings(column: Column) -> Mapping[str, bool | str]:
    if column.kind == "bool":
        return dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
    return {code: code for code in (COUNTRIES if column.kind == "country" else CURRENCIES)}


def _suggest_code(column: Column) -> Callable[[str], str] | None:
    if column.kind == "bool":
        return lambda _: "; write true or false, 1 or 0, yes or no, 是 or 否"

    def suggest(cell: str) -> str:
        meant = MEANT.get(cell.strip().upper())
        return f'; did you mean "{meant}"?' if meant else ""

    return suggest


def suggest_choice(choices: tuple[str, ...]) -> Callable[[str], str]:
    """What a cell outside `one_of` is told: the nearest choice, or all of them."""
    lower = {choice.lower(): choice for choice in choices}

    def suggest(cell: str) -> str:
        near = difflib.get_close_matches(cell.strip().lower(), list(lower), n=1, cutoff=0.6)
        return f'; did you mean "{lower[near[0]]}"?' if near else ""

    return suggest


def declared(column: Column, series: pl.Series, time_zone: str | None) -> Typed | str:
    """A column that came with a type of its own, cast to its kind; or the reason why that cannot be."""
    import polars as pl

    kind = series.dtype
    if kind == pl.Null:
        return Typed(series.cast(dtype(column)), [])
    if kind.is_nested() or kind in {pl.Object, pl.Time} or isinstance(kind, pl.Duration):
        return f"holds {kind}, which is no kind of cell here"
    if column.kind in {"int", "float", "decimal"}:
        return _number(column, series)
    if column.kind in {"date", "moment"}:
        return _moment(column, series, time_zone)
    if column.kind == "bool":
        if kind == pl.Boolean:
            return Typed(series, [])
        if not kind.is_numeric():
            return f"holds {kind}, not true or false"
        mask = (~series.is_in([0, 1])).fill_null(False)
        return Typed((series == 1).set(mask, None), _wrong(mask, "bool", f"{{}} {NOT['bool']}"))
    text = _as_text(series)
    return text if column.kind == "text" or text.wrong else words(column, text.values)


def _wrong(mask: pl.Series, rule: str, message: str) -> list[Wrong]:
    return [Wrong(mask, rule, message)] if mask.any() else []


def _as_text(series: pl.Series) -> Typed:
    import polars as pl

    kind = series.dtype
    if kind == pl.Binary:
        values = series.cast(pl.String, strict=False)
    elif kind.is_float():
        # An id that some tool made a float of: 7.0 was 7.
        values = series.cast(pl.String).str.replace(r"\.0$", "")
        mask = (~series.is_finite()).fill_null(False)
        return Typed(values.set(mask, None), _wrong(mask, "text", "{} is no text"))
    else:
        values = series.cast(pl.String)
    mask = values.is_null() & series.is_not_null()
    return Typed(values, _wrong(mask, "text", "the cell is no text"))


def _number(column: Column, series: pl.Series) -> Typed | str:
    import polars as pl

    kind, target = series.dtype, dtype(column)
    if kind == target:
        values = series
    elif not kind.is_numeric():
        return f"holds {kind}, not numbers"
    elif column.kind == "decimal" and kind.is_float():
        values = series.set((series.abs() >= 1e26).fill_null(False), None).cast(target, strict=False)
    else:
        values = series.cast(target, strict=False)
    mask = values.is_null() & series.is_not_null()
    if column.kind == "int":
        if kind.is_float() or kind.is_decimal():
            mask |= (series.cast(pl.Float64) % 1 != 0).fill_null(False)
    elif column.kind == "float":
        if kind.is_float():
            mask |= (~series.is_finite()).fill_null(False)
        elif kind.is_integer() and kind not in {pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32}:
            mask |= ((series > EXACT) | (series < -EXACT)).fill_null(False)
    elif kind.is_float():
        back = values.cast(pl.Float64)
        mask |= ((series - back).abs() > series.abs() * 1e-12).fill_null(True) & series.is_not_null()
    elif kind.is_decimal() and kind != target:
        mask |= (values.cast(kind, strict=False) != series).fill_null(True) & series.is_not_null()
    if not mask.any():
        return Typed(values, [])
    message = f"{{}} {NOT[column.kind]} that this column can hold exactly"
    return Typed(values.set(mask, None), [Wrong(mask, column.kind, message)])


def _moment(column: Column, series: pl.Series, time_zone: str | None) -> Typed | str:
    import polars as pl

    kind = series.dtype
    if kind == pl.Date:
        return Typed(series, [])
    if not isinstance(kind, pl.Datetime):
        return f"holds {kind}, not dates"
    values = series
    if kind.time_zone is not None:
        if time_zone is None:
            return NO_ZONE
        values = series.dt.convert_time_zone(time_zone).dt.replace_time_zone(None)
    return Typed(values.cast(pl.Datetime("us")), [])
