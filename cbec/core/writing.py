"""Frames into files and bytes: the same frame gives the same bytes."""

from __future__ import annotations

import gzip
import io
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from cbec.core.errors import EnvironmentFailed, UsageFault

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.staging import Staging

GROUP = 250_000
"""Rows of a group in Parquet."""
SHEET_ROWS = 1_048_575  # what a sheet holds under its header; more would be cut off in silence

#: Kind of file by suffix, longest first.
SUFFIXES = {
    ".csv.gz": "csv.gz",
    ".tsv.gz": "tsv.gz",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".xlsx": "xlsx",
}


def kind_of(path: Path | str) -> str:
    """The kind of file that a suffix asks for; UsageFault if none is known."""
    name = Path(path).name.lower()
    for suffix, kind in SUFFIXES.items():
        if name.endswith(suffix):
            return kind
    raise UsageFault(f"{path}: the suffix tells no kind of table", hint="one of " + " ".join(SUFFIXES))


def is_folder(output: str) -> bool:
    """Whether `--output` names a folder for every table of a result: it has no suffix, or ends with /."""
    return output.endswith("/") or not Path(output).suffix


@dataclass(frozen=True)
class Stored:
    """A table too large to be held: Parquet files of one schema, whose rows one after the other are the table."""

    files: tuple[Path, ...]
    height: int
    packed: bool = False
    """Whether the one file is what `write` would make of the whole."""

    def scan(self) -> pl.LazyFrame:
        """All rows, not read yet."""
        import polars as pl

        return pl.scan_parquet(list(self.files), glob=False, hive_partitioning=False)

    def frame(self) -> pl.DataFrame:
        """All rows."""
        return self.scan().collect()

    def pieces(self) -> Iterator[pl.DataFrame]:
        """The rows, some at a time."""
        for first in range(0, max(self.height, 1), GROUP):
            yield self.scan().slice(first, GROUP).collect()


def held(table: pl.DataFrame | Stored) -> pl.DataFrame:
    """The table in memory."""
    return table.frame() if isinstance(table, Stored) else table


def joined(pieces: Sequence[pl.DataFrame | Stored]) -> pl.DataFrame:
    """Pieces of one table, one below the other."""
    import polars as pl

    # A column that is empty in one piece may have no type of its own there.
    return pl.concat([held(piece) for piece in pieces], how="vertical_relaxed", rechunk=False)


def write(frame: pl.DataFrame | Stored, final: Path | str, staging: Staging, kind: str | None = None) -> None:
    """Write the frame beside its place; `staging` puts it there. The kind is told by the suffix unless given.

    Raises EnvironmentFailed where the disk is full or the place may not be written.
    """
    chosen = kind or kind_of(final)
    try:
        with staging.path(Path(final)).open("wb") as file:
            if not isinstance(frame, Stored):
                _writer(chosen)(frame, file)
            elif chosen in _STREAMS:
                _STREAMS[chosen](frame, file)
            else:
                _writer(chosen)(frame.frame(), file)
    except OSError as error:
        raise EnvironmentFailed(f"{final}: cannot be written ({error.strerror or error})") from error


def to_bytes(frame: pl.DataFrame, kind: str) -> bytes:
    """The bytes that `write` would put into a file of that kind."""
    target = io.BytesIO()
    _writer(kind)(frame, target)
    return target.getvalue()


def pour(table: pl.DataFrame | Stored, target: IO[bytes], kind: str) -> None:
    """Write a table into an open stream; of one that lies in files as text only some rows are held at a time."""
    if isinstance(table, Stored) and (kind in _LINES or (kind == "parquet" and table.packed)):
        _STREAMS[kind](table, target)
    else:
        target.write(to_bytes(held(table), kind))


def neutralise(frame: pl.DataFrame) -> pl.DataFrame:
    """An apostrophe before every text cell that a spreadsheet would run as a formula (= + - @ tab CR). Numbers stay."""
    import polars as pl

    text = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(
        pl.when(pl.col(n).str.contains(r"^[=+\-@\t\r]"))
        .then(pl.concat_str(pl.lit("'"), pl.col(n)))
        .otherwise(pl.col(n))
        .alias(n)
        for n in text
    )


def _writer(kind: str) -> Callable[[pl.DataFrame, IO[bytes]], None]:
    writers: dict[str, Callable[[pl.DataFrame, IO[bytes]], None]] = {
        "csv": lambda f, t: _text(f, t, ","),
        "tsv": lambda f, t: _text(f, t, "\t"),
        "csv.gz": lambda f, t: _packed(f, t, ","),
        "tsv.gz": lambda f, t: _packed(f, t, "\t"),
        "parquet": _parquet,
        "ndjson": lambda f, t: f.write_ndjson(t),
        "arrow": lambda f, t: f.write_ipc(t, compression="uncompressed"),
        "xlsx": _workbook,
    }
    if kind not in writers:
        raise UsageFault(f'unknown kind of table "{kind}"', hint="one of " + ", ".join(writers))
    return writers[kind]


def _parquet(frame: pl.DataFrame, target: IO[bytes]) -> None:
    packed = io.BytesIO()  # Polars tells of a full disk in words that differ from one time to the next
    frame.write_parquet(packed, compression="zstd", compression_level=3, statistics=True, row_group_size=GROUP)
    target.write(packed.getbuffer())


class Packing:
    """A Parquet file that is written while its pieces are still being made, to the bytes that `write` makes of the whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pieces: queue.Queue[pl.DataFrame | None] = queue.Queue(1)
        self._writer: threading.Thread | None = None
        self._failed: BaseException | None = None
        self._height = 0

    def __enter__(self) -> Packing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None and self._failed is None:
            self._put(None)
            self._writer.join()

    def add(self, piece: pl.DataFrame) -> None:
        """Put rows after those that were added. Raises EnvironmentFailed where the disk is full."""
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, args=(piece.schema,), daemon=True)
            self._writer.start()
        self._put(piece)
        self._height += piece.height

    def close(self) -> Stored:
        """The table, when all of it is written."""
        self._put(None)
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        self._raise()
        return Stored((self._path,), self._height, packed=True)

    def _put(self, piece: pl.DataFrame | None) -> None:
        while True:
            self._raise()
            try:
                self._pieces.put(piece, timeout=0.2)
            except queue.Full:
                continue
            return

    def _raise(self) -> None:
        if self._failed is not None:
            raise EnvironmentFailed(f"{self._path}: cannot be written ({self._failed})") from self._failed

    def _write(self, schema: pl.Schema) -> None:
        from polars.io.plugins import register_io_source

        def source(*_: object) -> Iterator[pl.DataFrame]:
            while (piece := self._pieces.get()) is not None:
                yield piece

        try:
            with self._path.open("wb") as file:
                _sink(register_io_source(source, schema=schema), file)
        except BaseException as error:  # told by the thread that adds
            self._failed = error


def _stream_parquet(table: Stored, target: IO[bytes]) -> None:
    if table.packed:
        with table.files[0].open("rb") as file:
            shutil.copyfileobj(file, target, 2**20)
        return
    _sink(table.scan(), target)


def _sink(rows: pl.LazyFrame, target: IO[bytes]) -> None:
    import polars as pl

    try:
        rows.sink_parquet(target, compression="zstd", compression_level=3, statistics=True, row_group_size=GROUP)
    except pl.exceptions.PolarsError as error:  # a full disk, in words of its own
        raise OSError(str(error).splitlines()[0]) from error


def _stream_text(table: Stored, target: IO[bytes], delimiter: str) -> None:
    whole = _whole_times(table.scan())
    for number, piece in enumerate(table.pieces()):
        _text(piece, target, delimiter, number == 0, whole)


def _stream_packed(table: Stored, target: IO[bytes], delimiter: str) -> None:
    with gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6, mtime=0) as packed:
        _stream_text(table, cast("IO[bytes]", packed), delimiter)


def _stream_ndjson(table: Stored, target: IO[bytes]) -> None:
    for piece in table.pieces():
        piece.write_ndjson(target)


#: Kinds of file that are written without the table ever being whole, to the bytes that the whole would give (gzip: unpacked).
_STREAMS: dict[str, Callable[[Stored, IO[bytes]], None]] = {
    "parquet": _stream_parquet,
    "csv": lambda s, t: _stream_text(s, t, ","),
    "tsv": lambda s, t: _stream_text(s, t, "\t"),
    "csv.gz": lambda s, t: _stream_packed(s, t, ","),
    "tsv.gz": lambda s, t: _stream_packed(s, t, "\t"),
    "ndjson": _stream_ndjson,
}
#: Those that need no way back in what they are written into.
_LINES = ("csv", "tsv", "ndjson")


def _text(
    frame: pl.DataFrame, target: IO[bytes], delimiter: str, header: bool = True, whole: frozenset[str] | None = None
) -> None:
    whole = _whole_times(frame.lazy()) if whole is None else whole
    _moments(frame, whole).write_csv(target, include_header=header, separator=delimiter, line_terminator="\n")


def _packed(frame: pl.DataFrame, target: IO[bytes], delimiter: str) -> None:
    # No name and no time in the gzip header, or equal tables would differ.
    with gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6, mtime=0) as packed:
        _text(frame, cast("IO[bytes]", packed), delimiter)


def _moments(frame: pl.DataFrame, whole: frozenset[str]) -> pl.DataFrame:
    """Times as ISO text without a fraction that is nothing but zeros."""
    import polars as pl

    times = [n for n, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    return frame.with_columns(
        pl.col(n).dt.to_string("%Y-%m-%dT%H:%M:%S" if n in whole else "%Y-%m-%dT%H:%M:%S%.6f") for n in times
    )


def _whole_times(rows: pl.LazyFrame) -> frozenset[str]:
    """Columns of times that are whole seconds."""
    import polars as pl

    times = [n for n, kind in rows.collect_schema().items() if isinstance(kind, pl.Datetime)]
    if not times:
        return frozenset()
    part = rows.select((pl.col(n).dt.microsecond() != 0).any() for n in times).collect()
    return frozenset(n for n in times if not part[n].item())


def _workbook(frame: pl.DataFrame, target: IO[bytes]) -> None:
    try:
        import xlsxwriter  # type: ignore[import-untyped]
    except ImportError:
        raise EnvironmentFailed("writing a workbook needs an extra package", hint="pip install cbec[excel]") from None
    if frame.height > SHEET_ROWS:
        hint = "write .parquet or .csv.gz"
        raise UsageFault(f"a workbook holds {SHEET_ROWS:,} rows, the table has {frame.height:,}", hint=hint)
    # Text stays text: nothing is taken for a formula, a number or a link.
    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False, "in_memory": True}
    packed = io.BytesIO()  # a full disk met while it packs would be an error of its own, and more when it is dropped
    with xlsxwriter.Workbook(packed, options) as book:
        book.set_properties({"created": datetime(2000, 1, 1)})  # the clock would make equal tables differ
        frame.write_excel(book, worksheet="table", autofit=False)
    target.write(packed.getbuffer())
