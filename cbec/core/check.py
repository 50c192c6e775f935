"""The contract of a table, kept: raw cells become typed good rows, and every broken promise a fault with its place.

Columns are matched, parsed whole, held against their bounds, the table's key and its named rules. Only columns
with a cell that does not parse at once are looked at closer. Faults are collected, not raised one by one; only
what no row can be read without (a missing column, dates in an unknown order) rejects the table as a whole.
"""

from __future__ import annotations

import dataclasses
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbec.core import cells, header, numerals, proof
from cbec.core.book import Book
from cbec.core.conform import ContractBroken, conform
from cbec.core.contract import Column, Contract
from cbec.core.errors import Fault, UsageFault, did_you_mean
from cbec.core.files import FILE, ROW, Raw

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.command import Common

__all__ = ["Checked", "ContractBroken", "check", "conform"]

SHOWN = 20
HUGE = 1e15  # beyond it a float holds no cents, and a sum of squares no meaning


@dataclass
class Checked:
    """A table held against its contract.

    good: the rows without fault, typed, in file order, contract columns first (absent optional ones are null or
    their default), then the extra numeric columns of an open table. rejects: one row per fault (table `rejects`).
    faults: the first 20, by file and row; total: how many there are; rows: rows read.
    whole: the table as a whole was refused (a missing column, dates of unknown order): good has no rows.
    kept: rows without fault, where `good` does not hold them all.
    """

    table: str
    good: pl.DataFrame
    rejects: pl.DataFrame
    faults: list[Fault]
    total: int
    rows: int
    whole: bool
    notes: list[str]
    kept: int | None = None

    @property
    def bad(self) -> int:
        """Rows with a fault."""
        return self.rows - (self.good.height if self.kept is None else self.kept)


def check(contract: Contract, raw: Raw, common: Common) -> Checked:
    """Hold what was read against the contract of its table.

    common: decimal, date_order and time_zone say what the cells do not prove. No fault is raised: `whole` and
    `total` say whether the table can be used, for `--max-bad` to judge. UsageFault for an unknown time zone.
    """
    _known_zone(common.time_zone)
    frame, book, extra = _align(contract, raw)
    taken, unused = _extras(contract, raw, extra)
    whole = dataclasses.replace(contract, columns=(*contract.columns, *taken))
    frame = book.frame = frame.with_columns(_number_cells(raw.frame[column.name]) for column in taken)
    parsed = _parse(whole, frame, book, raw, common)
    typed = _complete(whole, frame, parsed, book)
    _bounds(contract, parsed, book)
    _rules(contract, typed, book)
    _key(contract, typed, frame, book)
    notes = [*raw.notes, *(() if book.whole else unused_note(unused))]
    return _answer(contract, typed, book, raw.broken, notes)


def plain(contract: Contract, frame: pl.DataFrame, common: Common) -> pl.DataFrame:
    """All columns of the contract as `check` reads them; what is no value of its kind is empty, without a word.

    frame: some columns under the contract's names.
    """
    import polars as pl

    rows = frame.with_row_index(ROW).with_columns(pl.lit("").alias(FILE))
    raw = Raw(rows, [], {"": frame.columns})
    aligned, book, _ = _align(contract, raw)
    return _complete(contract, aligned, _parse(contract, aligned, book, raw, common), book)


def _number_cells(series: pl.Series) -> pl.Series:
    # In columns that no contract knows, NaN is how tools write an empty cell.
    import polars as pl

    if series.dtype == pl.String:
        return _emptied(series)
    return series.fill_nan(None) if series.dtype.is_float() else series


def _known_zone(name: str | None) -> None:
    import polars as pl

    if name is None:
        return
    try:
        pl.Series([0], dtype=pl.Datetime("us")).dt.replace_time_zone(name)
    except pl.exceptions.ComputeError:
        near = did_you_mean(name, zoneinfo.available_timezones())
        raise UsageFault(f'unknown time zone "{name}"{near}', hint="for instance --time-zone Asia/Shanghai") from None


def unused_note(unused: Sequence[str]) -> list[str]:
    """What is said of columns that no contract knows, if there are any."""
    if not unused:
        return []
    listed = ", ".join(unused[:8]) + (" ..." if len(unused) > 8 else "")
    what = "1 column is" if len(unused) == 1 else f"{len(unused)} columns are"
    return [f"{what} not part of the table and ignored: {listed}"]


def _align(contract: Contract, raw: Raw) -> tuple[pl.DataFrame, Book, list[str]]:
    import polars as pl

    found, faults, extra = header.match(contract, _headers(contract, raw))
    pieces = [pl.col(FILE), pl.col(ROW)]
    for column, spelled in found.items():
        kinds = {raw.frame.schema[name] for name in spelled}
        # Files may spell a column differently, but no file has two of one.
        parts = [pl.col(name) if len(kinds) == 1 else pl.col(name).cast(pl.String) for name in spelled]
        pieces.append((parts[0] if len(parts) == 1 else pl.coalesce(parts)).alias(column))
    frame = raw.frame.select(pieces)
    categories = [n for n, kind in frame.schema.items() if isinstance(kind, (pl.Categorical, pl.Enum))]
    frame = frame.with_columns(pl.col(n).cast(pl.String) for n in categories)
    frame = frame.with_columns(
        _emptied(frame[n]) for n, kind in frame.schema.items() if kind == pl.String and n != FILE
    )
    book = Book(contract, frame, {column: spelled[0] for column, spelled in found.items()}, list(faults))
    return frame, book, extra


def _headers(contract: Contract, raw: Raw) -> dict[str, list[str]]:
    # A frame that was changed since it was read (an import derives columns) counts as it is now.
    there = [n for n in raw.frame.columns if n not in {FILE, ROW}]
    known = {name for names in raw.headers.values() for name in names}
    made = [n for n in there if n not in known]
    unread = {n for n in known if n not in there and header.means(contract, n)}
    return {file: [*(n for n in names if n not in unread), *made] for file, names in raw.headers.items()}


def _emptied(text: pl.Series) -> pl.Series:
    """Empty cells are null; so are cells of spaces only. Cells that say NA or null are text."""
    import polars as pl

    hollow = text.str.len_bytes() == 0
    # Cells that begin with a space lie below "!", with an ideographic one not below it: half the cost of `starts_with`.
    if (text < "!").any() or (text >= "\u3000").any():
        hollow = text.str.strip_chars().str.len_bytes() == 0
    return pl.select(pl.when(~hollow).then(text)).to_series().alias(text.name) if hollow.any() else text


def _parse(contract: Contract, frame: pl.DataFrame, book: Book, raw: Raw, common: Common) -> dict[str, pl.Series]:
    import polars as pl

    parsed: dict[str, pl.Series] = {}
    numbers: dict[Column, pl.Series] = {}
    for column in contract.columns:
        if column.name not in frame.columns:
            continue
        series = frame[column.name]
        if series.dtype == pl.String and column.kind in {"int", "float", "decimal"}:
            numbers[column] = series
        elif series.dtype == pl.String and column.kind in {"date", "moment"}:
            parsed[column.name] = _date_or_time(column, proof.dates(column, series, book, raw, common))
        elif series.dtype == pl.String:
            _take(column, cells.words(column, series), parsed, book)
        else:
            answer = cells.declared(column, series, common.time_zone)
            if isinstance(answer, cells.Typed):
                _take(column, answer, parsed, book)
            elif answer == cells.NO_ZONE:
                proof.ask_zone(book, column, int(series.is_not_null().arg_max() or 0))
            else:
                book.refuse(column.name, None, column.kind, f"the column {answer}")
    return parsed | proof.numbers(numbers, book, raw, common)


def _take(column: Column, answer: cells.Typed, parsed: dict[str, pl.Series], book: Book) -> None:
    dated = column.kind in {"date", "moment"}
    parsed[column.name] = _date_or_time(column, answer.values) if dated else answer.values
    for wrong in answer.wrong:
        book.cell(column.name, wrong.mask, wrong.rule, wrong.message, wrong.suggest)


def _date_or_time(column: Column, values: pl.Series) -> pl.Series:
    import polars as pl

    if values.dtype == pl.Date:
        return values
    if column.kind == "date":
        return values.cast(pl.Date)
    days = values.cast(pl.Date)
    return days if (days.cast(pl.Datetime("us")) == values).all() else values


def _complete(contract: Contract, frame: pl.DataFrame, parsed: dict[str, pl.Series], book: Book) -> pl.DataFrame:
    """All columns of the contract: empty required cells are faults, absent optional columns are null or their default."""
    import polars as pl

    columns: list[pl.Expr | pl.Series] = []
    for column in contract.columns:
        kind = cells.dtype(column)
        if column.name not in parsed:
            columns.append(pl.lit(column.default, kind).alias(column.name))
            continue
        values = parsed[column.name].alias(column.name)
        if column.required and not column.null and column.default is None and frame[column.name].null_count():
            book.cell(
                column.name,
                frame[column.name].is_null(),
                "required",
                f"the cell is empty, and every row needs {column.name}",
            )
        if column.default is not None and values.null_count():
            default = pl.lit(column.default).cast(values.dtype)
            values = pl.select(pl.when(values.is_null()).then(default).otherwise(values)).to_series().alias(column.name)
        columns.append(values)
    return frame.select(ROW).with_columns(columns).drop(ROW)


def _extras(contract: Contract, raw: Raw, extra: Sequence[str]) -> tuple[list[Column], list[str]]:
    """Columns that an open table takes as its own, because they hold numbers; and the names that stay unused."""
    import polars as pl

    if not contract.open:
        return [], list(extra)
    taken: list[Column] = []
    unused: list[str] = []
    for name in (n for n in extra if n in raw.frame.columns):
        series = raw.frame[name]
        numeric = series.dtype.is_numeric() or (series.dtype == pl.String and numerals.all_numbers(_emptied(series)))
        if numeric and series.null_count() < len(series):
            taken.append(Column(name, "float", required=False, null=True))
        else:
            unused.append(name)
    return taken, unused


def _bounds(contract: Contract, parsed: dict[str, pl.Series], book: Book) -> None:
    import polars as pl

    for column in contract.columns:
        if column.name not in parsed:
            continue
        values = parsed[column.name]
        if column.one_of is not None:
            mask = (~values.is_in(column.one_of)).fill_null(False)
            listed = ", ".join(column.one_of)
            book.cell(column.name, mask, "one_of", f'"{{}}" is none of {listed}', cells.suggest_choice(column.one_of))
        bounded = any(b is not None for b in (column.min, column.max, column.above))
        if not bounded and column.kind != "float":
            continue
        lowest, highest = values.min(), values.max()
        if lowest is None or highest is None:
            continue
        if column.kind == "float" and max(-float(lowest), float(highest)) > HUGE:  # type: ignore[arg-type]
            book.cell(column.name, values.abs() > HUGE, "size", f"{{}} is beyond {HUGE:g}: nothing is counted in that")
        numbers = values.cast(pl.Float64) if values.dtype.is_decimal() else values
        if column.min is not None and float(lowest) < column.min:  # type: ignore[arg-type]
            book.cell(column.name, numbers < column.min, "min", f"{{}} is below {column.min:g}")
        if column.max is not None and float(highest) > column.max:  # type: ignore[arg-type]
            book.cell(column.name, numbers > column.max, "max", f"{{}} is above {column.max:g}")
        if column.above is not None and float(lowest) <= column.above:  # type: ignore[arg-type]
            book.cell(column.name, numbers <= column.above, "above", f"{{}} is not above {column.above:g}")


def _rules(contract: Contract, typed: pl.DataFrame, book: Book) -> None:
    for rule in contract.rules:
        if all(name in typed.columns for name in rule.needs):
            mask = typed.select(rule.broken().alias("broken")).to_series()
            book.cell(rule.column or rule.needs[0], mask, rule.name, rule.message.replace("{", "").replace("}", ""))


def _key(contract: Contract, typed: pl.DataFrame, frame: pl.DataFrame, book: Book) -> None:
    """The second and later rows of a key are faults. Hashes tell cheaply that there are none."""
    import polars as pl

    names = [name for name in contract.key if name in frame.columns]
    if not names or any(contract.column(n).required and n not in names for n in contract.key):
        return  # without a needed column of the key nobody can tell which rows are the same
    keys = typed.select(names)
    hashes = keys.hash_rows()
    if hashes.n_unique() == keys.height:
        return
    # A row whose key cells could not be read has no key.
    unread = frame.select(pl.any_horizontal(pl.col(n).is_not_null() & keys[n].is_null() for n in names)).to_series()
    suspects = keys.with_row_index("position").filter(hashes.is_duplicated() & ~unread)
    required = [n for n in names if contract.column(n).required and not contract.column(n).null]
    suspects = suspects.drop_nulls(required) if required else suspects
    later = (
        suspects.with_columns(first=pl.col("position").min().over(names))
        .filter(pl.col("position") != pl.col("first"))
        .sort("position")
    )
    if later.is_empty():
        return
    value = later.select(
        pl.concat_str([pl.col(n).cast(pl.String).fill_null("") for n in names], separator="|")
    ).to_series()
    spot = pl.DataFrame(
        {"file": book.frame[FILE].gather(later["first"]), "row": book.frame[ROW].gather(later["first"]), "value": value}
    )
    listed = ", ".join(names)
    told = spot.select(
        pl.format("the key ({}) stands already in {} row {}: {}", pl.lit(listed), "file", "row", "value")
    ).to_series()
    book.row(listed, later["position"], "key", value, told)


def _answer(contract: Contract, typed: pl.DataFrame, book: Book, broken: Sequence[Fault], notes: list[str]) -> Checked:
    import polars as pl

    rejects = book.rejects()
    if broken:
        uneven = [dataclasses.asdict(fault) | {"table": contract.name} for fault in broken]
        rejects = pl.concat([rejects, pl.DataFrame(uneven, schema=rejects.schema)])
    faults = [Fault(**line) for line in rejects.head(SHOWN).iter_rows(named=True)]
    good = typed
    if book.whole:
        good = typed.clear()
    elif book.found:
        fine = pl.Series([True]).new_from_index(0, typed.height).scatter(book.positions(), False)
        good = typed.filter(fine)
    rows = typed.height + len(broken)
    return Checked(contract.name, good, rejects, faults, rejects.height, rows, bool(book.whole), notes)
