"""Large Parquet tables that are read by ranges of a key, so that nobody holds them whole.

Each range is held against the contract by whoever reads it. That finds what a look at the whole would find: the ranged key is
a part of the table's key, so that rows of one key meet in one range. Taken only where the types of the files are those of
the contract and all files have the same columns; anything else is read whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cbec import tables
from cbec.core import check, files, header
from cbec.core.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import polars as pl

    from cbec.core.command import Common
    from cbec.core.contract import Column, Contract

LARGE = 5_000_000
"""Rows from which on a table is read by ranges."""
SAMPLED = 97
"""Of rows in no order every so-manieth tells where ranges begin."""
TAKEN = 500_000
"""Rows in no order that are laid into their ranges at a time."""


@dataclass(frozen=True)
class Ranged:
    """The rows of a table with low <= key < high (None = no border) on or before `until`, as files.

    places: (name for messages, absolute path). columns: contract column -> its name in the files, `headers`: all of their
    names. height: rows of the whole. borders: the first keys of the ranges but the first, for whom asks `ranges`; starts: the
    row at which each range begins, where the rows are in the order of the key; laid: else, files of each range, from `lay`.
    """

    table: str
    key: str
    places: tuple[tuple[str, str], ...]
    columns: Mapping[str, str]
    headers: tuple[str, ...]
    height: int
    sources: tuple[files.Source, ...] = ()
    notes: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    until: date | None = None
    borders: tuple[str, ...] = ()
    starts: Mapping[str | None, int] = field(default_factory=dict)
    laid: Mapping[str | None, tuple[Path, ...]] = field(default_factory=dict)

    def between(self, low: str | None, high: str | None) -> Ranged:
        """The rows of a range of the key."""
        return dataclasses.replace(self, low=low, high=high)

    def at(self, day: date) -> Ranged:
        """What of it was known on a day."""
        import polars as pl

        cut = dataclasses.replace(self, until=day)
        return dataclasses.replace(cut, height=int(cut.scan().select(pl.len()).collect().item()))

    def scan(self) -> pl.LazyFrame:
        """The contract's columns that the files have, under its names, unchecked."""
        import polars as pl

        rows = pl.scan_parquet([path for _, path in self.places], glob=False, hive_partitioning=False)
        rows = rows.select(pl.col(name).alias(column) for column, name in self.columns.items())
        return rows if self.until is None else rows.filter(self._known())

    def distinct(self, *columns: str) -> pl.DataFrame:
        """Distinct values of columns; one that the files lack is empty."""
        import polars as pl

        absent = [pl.lit(None, pl.String).alias(c) for c in columns if c not in self.columns]
        return self.scan().with_columns(absent).select(columns).unique().collect(engine="streaming")

    def ranges(self, rows: int) -> Ranged:
        """With `borders` of ranges of about so many rows, and `starts` where the rows are in the order of the key."""
        keys = self.scan().select(self.key).collect()[self.key]
        if keys.null_count() or not keys.is_sorted():
            some = keys.gather_every(SAMPLED).sort()
            return dataclasses.replace(self, borders=_firsts(some, max(rows // SAMPLED, 1)))
        borders = _firsts(keys, rows)
        starts = {border: int(keys.search_sorted(border, "left")) for border in borders}
        return dataclasses.replace(self, borders=borders, starts={None: 0} | starts)

    def lay(self, folder: Path) -> Ranged:
        """With the rows of each range in files of its own in that folder, if they are in no order."""
        import polars as pl

        if self.starts:
            return self
        borders = pl.Series(self.borders, dtype=pl.String)
        laid: dict[str | None, list[Path]] = {low: [] for low in (None, *self.borders)}
        for place, ((name, path), source) in enumerate(zip(self.places, self.sources, strict=True)):
            for first in range(0, source.rows, TAKEN):
                rows = self._slice(name, path, first, TAKEN)
                number = borders.search_sorted(rows[self.columns[self.key]].fill_null(""), "right").alias("number")
                rows = rows.with_columns(number)
                for (range_of,), mine in rows.partition_by("number", as_dict=True, include_key=False).items():
                    low = (None, *self.borders)[int(str(range_of))]
                    file = folder / f"{self.table}-{range_of}-{place}-{first}.arrow"
                    mine.write_ipc(file, compression="lz4")
                    laid[low].append(file)
        return dataclasses.replace(self, laid={low: tuple(files) for low, files in laid.items()})

    def words(self, *columns: str, common: Common) -> pl.DataFrame:
        """Distinct values of columns as the contract's check reads them: what is no value of its kind is empty."""
        return self._plain(self.scan().select(c for c in columns if c in self.columns).unique(), columns, common)

    def where(self, condition: pl.Expr, columns: Sequence[str], common: Common) -> pl.DataFrame:
        """Columns, read alike, of the rows that fit a condition on the cells as they stand in the files."""
        rows = self.scan().filter(condition).select(c for c in columns if c in self.columns)
        return self._plain(rows, columns, common)

    def _plain(self, rows: pl.LazyFrame, columns: Sequence[str], common: Common) -> pl.DataFrame:
        return check.plain(tables.get(self.table), rows.collect(engine="streaming"), common).select(columns)

    def bound(self, column: str, highest: bool) -> Any:
        """The highest or lowest value of a column."""
        import polars as pl

        cell = pl.col(column)
        return self.scan().select(cell.max() if highest else cell.min()).collect().item()

    def read(self, common: Common) -> check.Checked:
        """The rows, held against their contract."""
        import polars as pl

        contract = tables.get(self.table)
        if self.laid:
            rows = pl.concat([pl.read_ipc(file) for file in self.laid[self.low]], rechunk=False)
            frame = rows.sort([self.columns[name] for name in contract.key if name in self.columns])
        else:
            parts, before = [], 0
            for (name, path), source in zip(self.places, self.sources, strict=True):
                parts.append(self._file(name, path, before))
                before += source.rows
            frame = pl.concat([part for part in parts if part.height] or parts[:1]).rechunk()
        raw = files.Raw(frame, [], {name: list(self.headers) for name, _ in self.places})
        told = check.check(contract, raw, common)
        if self.until is not None:
            told = dataclasses.replace(told, good=told.good.filter(self._known()), kept=told.good.height)
        return told

    def _known(self) -> pl.Expr:
        import polars as pl

        return pl.col(str(tables.get(self.table).time)).le(self.until).fill_null(True)

    def _file(self, name: str, path: str, before: int) -> pl.DataFrame:
        """The rows of the range in one file. before: rows of the files before it."""
        import polars as pl

        if self.low in self.starts and (self.high is None or self.high in self.starts):
            last = sum(source.rows for source in self.sources) if self.high is None else self.starts[self.high]
            first, end = (max(at - before, 0) for at in (self.starts[self.low], last))
            return self._slice(name, path, first, end - first)
        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(*self.columns.values())
        rows = rows.with_row_index(files.ROW, offset=2)
        key = pl.col(self.columns[self.key])
        if self.low is not None:
            rows = rows.filter(key >= pl.lit(self.low))
        if self.high is not None:  # cells that are empty, which the contract refuses, belong to the first range
            rows = rows.filter((key < pl.lit(self.high)) | (key.is_null() if self.low is None else pl.lit(False)))
        return rows.collect().with_columns(pl.lit(name).alias(files.FILE))

    def _slice(self, name: str, path: str, first: int, count: int) -> pl.DataFrame:
        """Some rows of a file that stand one after the other."""
        import polars as pl

        rows = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(*self.columns.values())
        cut = rows.slice(first, count).collect().with_row_index(files.ROW, offset=first + 2)
        return cut.with_columns(pl.lit(name).alias(files.FILE))


def _firsts(keys: pl.Series, rows: int) -> tuple[str, ...]:
    """The first key of every so many sorted rows, but of the first ones."""
    import polars as pl

    firsts = keys.gather(pl.int_range(rows, len(keys), rows, eager=True)).unique(maintain_order=True)
    return tuple(first for first in firsts if first is not None and first != keys[0])


def offered(contract: Contract, paths: Sequence[str], key: str) -> Ranged | None:
    """The table as it lies in `paths`, or None where it is to be read whole: small, of another kind, or in doubt."""
    import polars as pl

    if key not in contract.key or contract.column(key).kind != "text":
        return None
    if any(path == "-" or path.startswith(files.CLOUD) for path in paths):
        return None
    places = [place for path in paths for place in files.places(path)]
    if any(place.hive or place.path is None or not place.path.is_file() for place in places):
        return None
    schemas, heights = [], []
    for place in places:
        with open(str(place.path), "rb") as file:
            if file.read(4) != b"PAR1":
                return None
        try:
            rows = pl.scan_parquet(str(place.path), glob=False, hive_partitioning=False)
            schemas.append(rows.collect_schema())
            heights.append(int(rows.select(pl.len()).collect().item()))
        except (pl.exceptions.PolarsError, OSError):
            return None
    if not places or sum(heights) < LARGE or any(schema != schemas[0] for schema in schemas) or not all(heights):
        return None
    headers = {place.name: list(schemas[0]) for place in places}
    found, faults, extra = header.match(contract, headers)
    if faults or key not in found or files.ROW in schemas[0] or files.FILE in schemas[0]:
        return None
    columns = {column: names[0] for column, names in found.items()}
    if not all(_natural(contract.column(column), schemas[0][name]) for column, name in columns.items()):
        return None
    sources = tuple(_source(place, height) for place, height in zip(places, heights, strict=True))
    empty = pl.DataFrame()
    files.each_once(contract.name, [files.Part(empty, source, []) for source in sources])
    return Ranged(
        contract.name,
        key,
        tuple((place.name, str(place.path.absolute())) for place in places if place.path is not None),
        columns,
        tuple(schemas[0]),
        sum(heights),
        sources,
        tuple(check.unused_note(extra)),
    )


def _natural(column: Column, kind: pl.DataType) -> bool:
    """Whether the type in the file is the contract's own, so that no cell has to be parsed."""
    import polars as pl

    if column.kind == "float":
        return kind.is_numeric() and not kind.is_decimal()
    if column.kind == "int":
        return kind.is_integer()
    if column.kind == "decimal":
        return kind.is_numeric()
    kinds = {"date": pl.Date, "moment": pl.Date, "bool": pl.Boolean, "text": pl.String}
    return (column.kind in kinds and kind == kinds[column.kind]) or (
        column.kind in ("country", "currency") and kind == pl.String
    )


def _source(place: files.Place, height: int) -> files.Source:
    try:
        with open(str(place.path), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise InputRejected(f"{place.name}: cannot be read ({error.strerror})") from None
    return files.Source(place.name, size, digest, height, "binary", "parquet")
