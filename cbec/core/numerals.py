"""Text into numbers. Which mark is the decimal one is proved by a column or its file, never guessed per cell.

`1,5` or `1.234,50` prove the comma, `1.5` or `1,234.50` the point; `1,234` proves nothing.
Spaces and apostrophes between groups of three are always thousand separators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Literal

from cbec.core.cells import dtype

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.contract import Column

Mark = Literal["point", "comma"]

_GAP = r"[\s'’]"
_EXPONENT = r"(?:[eE][+-]?\d{1,3})?"
_OPEN = {"point": r"^[+-]?[1-9]\d{0,2},\d{3}$", "comma": r"^[+-]?[1-9]\d{0,2}\.\d{3}$"}
"""Cells that a decimal point (comma) reads as thousands and the other mark reads as a fraction."""

_PROOF = {
    "point": (
        rf"^[+-]?\d{{1,3}}(?:,\d{{2,3}})*,\d{{3}}\.\d*$|^[+-]?[1-9]\d{{0,2}}(?:,\d{{2,3}})+,\d{{3}}$|^[+-]?(?:\d|{_GAP})*\.\d*{_EXPONENT}$"
    ),
    "comma": (
        rf"^[+-]?\d{{1,3}}(?:\.\d{{3}})+,\d*$|^[+-]?[1-9]\d{{0,2}}(?:\.\d{{3}}){{2,}}$|^[+-]?(?:\d|{_GAP})*,\d*{_EXPONENT}$"
    ),
}
_VALID = {
    "point": rf"^[+-]?(?:\d+|\d{{1,3}}(?:,\d{{3}})+|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}|\d{{1,3}}(?:{_GAP}\d{{3}})+)?(?:\.\d*)?{_EXPONENT}$",
    "comma": rf"^[+-]?(?:\d+|\d{{1,3}}(?:\.\d{{3}})+|\d{{1,3}}(?:{_GAP}\d{{3}})+)?(?:,\d*)?{_EXPONENT}$",
}


@dataclass(frozen=True)
class Clues:
    """What the cells of a column say: positions of the first of each sort (None: no such cell), and how many prove.

    point, comma: cells that prove that mark. thousands: like 1,234, open between 1234 and 1.234.
    fraction: like 1.234, which a decimal comma would read as 1234.
    """

    point: int | None
    comma: int | None
    thousands: int | None
    fraction: int | None
    points: int
    commas: int

    @property
    def mark(self) -> Mark | None:
        """The mark that the cells prove, if they agree."""
        return agreed([self])

    @property
    def mixed(self) -> tuple[int, int] | None:
        """Where cells prove both marks: a cell of the common sort and one of the rarer."""
        if self.point is None or self.comma is None:
            return None
        return (self.comma, self.point) if self.points < self.commas else (self.point, self.comma)

    def open(self, delimiter: str | None) -> int | None:
        """A cell that cannot be read while no mark is proved. Files cut by semicolons tend to have decimal commas."""
        if self.thousands is not None:
            return self.thousands
        return self.fraction if delimiter == ";" else None


def agreed(clues: Sequence[Clues]) -> Mark | None:
    """The mark that these columns prove together; None where they prove none, or both."""
    point, comma = any(c.point is not None for c in clues), any(c.comma is not None for c in clues)
    return None if point == comma else "point" if point else "comma"


def fast(column: Column, text: pl.Series) -> pl.Series | None:
    """The whole column read with a decimal point and no thousand separators, or None if one cell is not like that."""
    import polars as pl

    kind = dtype(column)
    # Polars rounds what has too many decimals without a word.
    if isinstance(kind, pl.Decimal) and text.str.contains(_long(kind.scale)).any():
        return None
    numbers = text.cast(kind, strict=False)
    if numbers.null_count() != text.null_count():
        return None
    return None if column.kind == "float" and not numbers.is_finite().all() else numbers


def all_numbers(text: pl.Series) -> bool:
    """Whether every cell reads as a number with a decimal point, or every one with a decimal comma."""
    cells = text.drop_nulls().str.strip_chars()
    return any(
        bool((cells.str.contains(_VALID[mark]) & cells.str.contains(r"\d")).all()) for mark in ("point", "comma")
    )


def clues(text: pl.Series) -> Clues:
    """What the cells of a column say about the decimal mark of its file."""
    cells = text.str.strip_chars()
    marked = cells.str.contains(r"[.,]")
    thousands, fraction = cells.str.contains(_OPEN["point"]), cells.str.contains(_OPEN["comma"])
    point = cells.str.contains(_PROOF["point"]) & ~fraction & marked
    comma = cells.str.contains(_PROOF["comma"]) & ~thousands & marked
    counts = int(point.sum() or 0), int(comma.sum() or 0)
    return Clues(_first(point), _first(comma), _first(thousands), _first(fraction), *counts)


def _first(mask: pl.Series) -> int | None:
    found = mask.fill_null(False).arg_max() if mask.any() else None
    return None if found is None else int(found)


def parse(column: Column, text: pl.Series, mark: Mark) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Numbers, a mask of cells that are none, and one of cells that the kind cannot hold without loss.

    int: a whole number. decimal: at most 6 decimals (or the column's digits),
    noise of binary fractions (1e-12 of the value) apart.
    """
    import polars as pl

    kind = column.kind

    cells = text.str.strip_chars()
    cells = cells.set(cells == "", None)
    valid = cells.str.contains(_VALID[mark]) & cells.str.contains(r"\d")
    clean = cells.str.replace_all(_GAP if mark == "point" else rf"\.|{_GAP}", "").str.replace_all(
        ",", "" if mark == "point" else ".", literal=True
    )
    clean = pl.select(pl.when(valid).then(clean)).to_series()
    empty = pl.Series([False]).new_from_index(0, len(text))
    if kind == "float":
        numbers = clean.cast(pl.Float64, strict=False)
        numbers = pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()
        lost = empty
    elif kind == "int":
        numbers = clean.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)
        lost = clean.is_not_null() & numbers.is_null()
    else:
        numbers, lost = _decimals(clean, dtype(column))
    bad = cells.is_not_null() & numbers.is_null() & ~lost
    return numbers.alias(text.name), bad, lost


def _long(scale: int) -> str:
    return rf"\.\d{{{scale + 1}}}|[eE]"


def _decimals(clean: pl.Series, kind: pl.DataType) -> tuple[pl.Series, pl.Series]:
    import polars as pl

    scale = int(kind.scale)  # type: ignore[attr-defined]
    long = clean.str.contains(_long(scale)).fill_null(False)
    numbers = pl.select(pl.when(~long).then(clean)).to_series().cast(kind, strict=False)
    if long.any():
        distinct = clean.filter(long).unique()
        exact = pl.Series([rounded(cell, scale) for cell in distinct], dtype=pl.String)
        mended = clean.replace_strict(distinct, exact, default=None, return_dtype=pl.String).cast(kind, strict=False)
        numbers = pl.select(pl.when(long).then(mended).otherwise(numbers)).to_series()
    return numbers, clean.is_not_null() & numbers.is_null()


def rounded(cell: str, scale: int) -> str | None:
    """A decimal of that many places as text, or None where more than binary noise would be lost."""
    try:
        exact = Decimal(cell)
        near = exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_EVEN)
    except InvalidOperation:
        return None
    return f"{near:f}" if abs(exact - near) <= abs(exact) * Decimal("1e-12") else None
