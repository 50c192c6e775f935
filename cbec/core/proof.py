"""Columns of text whose cells have two readings: decimal marks and the order of day and month.

A mark or an order is taken where it is set, where the column's cells in that file prove it, where the other
columns of the file do (decimal marks), or where the same column of the other files does. Else the table is
refused with the option that answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cbec.core import calendar_text, cells, numerals
from cbec.core.files import FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from cbec.core.book import Book
    from cbec.core.command import Common
    from cbec.core.contract import Column
    from cbec.core.files import Raw


def pieces(raw: Raw) -> list[tuple[int, int, str | None]]:
    """Start, number of rows and delimiter of each file's rows."""
    if len(raw.sources) == 1:
        return [(0, raw.frame.height, raw.delimiter)]
    delimiters = {source.name: source.delimiter for source in raw.sources}
    found, start = [], 0
    for rows, file in raw.frame[FILE].rle().struct.unnest().iter_rows():
        found.append((start, rows, delimiters.get(file)))
        start += rows
    return found


def numbers(columns: Mapping[Column, pl.Series], book: Book, raw: Raw, common: Common) -> dict[str, pl.Series]:
    """The number columns of a table, typed by name; cells that are none are faults."""
    import polars as pl

    at_once = {c: None if common.decimal == "comma" else numerals.fast(c, text) for c, text in columns.items()}
    undoubted = common.decimal == "point" or not any(source.delimiter == ";" for source in raw.sources)
    parsed = {c.name: values for c, values in at_once.items() if values is not None}
    if undoubted and len(parsed) == len(columns):
        return parsed
    parts = pieces(raw)
    marks = _marks(columns, parts, book, common)
    for column, text in columns.items():
        own = marks[column]
        if column.name in parsed and "comma" not in own:
            continue
        typed = [
            numerals.parse(column, text.slice(start, rows), mark)
            for (start, rows, _), mark in zip(parts, own, strict=True)
        ]
        parsed[column.name], bad, lost = (pl.concat(found) for found in zip(*typed, strict=True))
        if book.refused(column.name):
            continue  # its cells cannot be judged
        book.cell(column.name, bad, column.kind, f'"{{}}" {cells.NOT[column.kind]}', _told(own))
        loss = "is not a whole number" if column.kind == "int" else "has more digits than this column holds"
        book.cell(column.name, lost, column.kind, f'"{{}}" {loss}')
    return parsed


def _told(own: Sequence[numerals.Mark]) -> Callable[[str], str]:
    sign = {"point": ".", "comma": ","}

    def suggest(cell: str) -> str:
        if len(set(own)) > 1 or not set(cell) & {".", ","}:
            return ""
        return f' (the decimal mark of the column is "{sign[own[0]]}")'

    return suggest


def _marks(
    columns: Mapping[Column, pl.Series], parts: Sequence[tuple[int, int, str | None]], book: Book, common: Common
) -> dict[Column, list[numerals.Mark]]:
    """The decimal mark of each column in each file."""
    if common.decimal != "auto":
        mark: numerals.Mark = "comma" if common.decimal == "comma" else "point"
        return {column: [mark] * len(parts) for column in columns}
    clues = {c: [numerals.clues(text.slice(start, rows)) for start, rows, _ in parts] for c, text in columns.items()}
    marks: dict[Column, list[numerals.Mark]] = {}
    for column, own in clues.items():
        marks[column] = []
        for at, (clue, (start, _, delimiter)) in enumerate(zip(own, parts, strict=True)):
            proved = clue.mark or numerals.agreed([c[at] for c in clues.values()]) or numerals.agreed(own)
            marks[column].append(proved or "point")
            text = columns[column]
            if clue.mixed is not None:
                one, other = (text[start + position] for position in clue.mixed)
                message = f'"{other}" and "{one}" in one column: --decimal point or --decimal comma says which is right'
                book.refuse(column.name, start + clue.mixed[1], "decimal mark", message)
            elif proved is None and (position := clue.open(delimiter)) is not None:
                message = (
                    f'"{text[start + position]}" has two readings, and no cell of the file proves one; '
                    "give --decimal point or --decimal comma"
                )
                book.refuse(column.name, start + position, "decimal mark", message)
    return marks


def dates(column: Column, text: pl.Series, book: Book, raw: Raw, common: Common) -> pl.Series:
    """A column of dates or times: Date, or naive Datetime; cells that are none are faults."""
    import polars as pl

    at_once = calendar_text.fast(text)
    if at_once is not None:
        return at_once
    parts = pieces(raw)
    distinct = [calendar_text.distinct(text.slice(start, rows)) for start, rows, _ in parts]
    if common.time_zone is None:
        zoned = pl.concat(distinct).filter(pl.col("zone").is_not_null())["cell"]
        if not zoned.is_empty():
            ask_zone(book, column, _first(text, zoned))
    orders = _orders(column, text, distinct, parts, book, common)
    values: list[pl.Series] = []
    for (start, rows, _), known, order in zip(parts, distinct, orders, strict=True):
        read = calendar_text.moments(known, order, common.time_zone)
        values.append(_lookup(text.slice(start, rows), read))
    moments = pl.concat(values)
    bad = moments.is_null() & text.is_not_null()
    if not book.refused(column.name):
        book.cell(column.name, bad, column.kind, f'"{{}}" {cells.NOT[column.kind]} such as 2025-01-31 or 31.1.2025')
    return moments


def _lookup(text: pl.Series, read: pl.DataFrame) -> pl.Series:
    import polars as pl

    kind = pl.Datetime("us")
    if read.is_empty():
        return pl.Series(text.name, [None], kind).new_from_index(0, len(text))
    return text.replace_strict(read["cell"], read["moment"], default=None, return_dtype=kind)


def ask_zone(book: Book, column: Column, position: int) -> None:
    """Refuse times with an offset where no zone is set to turn them into."""
    message = "the time carries a zone; say into which zone it is to be turned, e.g. --time-zone Asia/Shanghai"
    book.refuse(column.name, position, "time zone", message)


def _first(text: pl.Series, some: pl.Series) -> int:
    return int(text.is_in(some.to_list()).fill_null(False).arg_max() or 0)


def _orders(
    column: Column,
    text: pl.Series,
    distinct: Sequence[pl.DataFrame],
    parts: Sequence[tuple[int, int, str | None]],
    book: Book,
    common: Common,
) -> list[str]:
    """dmy, mdy or ymd for each file."""
    import polars as pl

    if common.date_order != "auto":
        return [common.date_order] * len(parts)
    together = _one(pl.concat(distinct))
    orders: list[str] = []
    for (start, rows, _), known in zip(parts, distinct, strict=True):
        order = _one(known) or together
        orders.append(order or "dmy")
        here = text.slice(start, rows)
        if known["dmy"].any() and known["mdy"].any():
            rarer, other = sorted(
                ("dmy", "mdy"), key=lambda order: here.is_in(known.filter(order)["cell"].to_list()).sum()
            )
            cell, against = known.filter(rarer)["cell"], known.filter(other)["cell"][0]
            message = (
                f'"{cell[0]}" and "{against}" in one column: --date-order dmy or --date-order mdy says which is right'
            )
            book.refuse(column.name, start + _first(here, cell.head(1)), "date order", message)
        elif order is None and known["open"].any():
            cell = known.filter("open")["cell"].head(1)
            message = (
                f'"{cell[0]}" may be read day first or month first, and no cell of the column proves which; '
                "give --date-order dmy or --date-order mdy"
            )
            book.refuse(column.name, start + _first(here, cell), "date order", message)
    return orders


def _one(known: pl.DataFrame) -> str | None:
    proved = [order for order in ("dmy", "mdy") if known[order].any()]
    return proved[0] if len(proved) == 1 else None
