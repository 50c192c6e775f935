"""Files into raw frames. A table is read as it comes: its kind is told by its first bytes, never by its suffix.

Text cells stay text (ids keep their zeros); Parquet and Arrow cells keep their type. Every row carries where
it stood: `__file` as the user named it and `__row`, the number of its record (the header is record 1, so that
it is the line of a spreadsheet; of lines too, unless quoted cells hold line breaks).
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import mmap
import os
import re
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cbec.core import dialect, selfdescribed
from cbec.core.delimited import ROW, Delimited
from cbec.core.errors import Fault, InputRejected, NoRows, UsageFault, did_you_mean
from cbec.core.writing import neutralise, to_bytes, write

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.command import Common
    from cbec.core.contract import Contract

__all__ = ["FILE", "ROW", "Raw", "Source", "neutralise", "read", "to_bytes", "write"]

FILE = "__file"
CLOUD = ("s3://", "s3a://", "gs://", "gcs://", "az://", "azure://", "abfs://", "abfss://")


@dataclass(frozen=True)
class Source:
    """One file that was read. `sha256` is of its bytes as they lie on disk; None where Polars read them from an object store."""

    name: str
    bytes: int
    sha256: str | None
    rows: int
    encoding: str
    kind: str
    delimiter: str | None = None


@dataclass
class Raw:
    """What was read, before any contract: the rows of all files one after the other, joined by column name.

    frame: text cells (String) of CSV, TSV and xlsx; typed cells of Parquet, Arrow and NDJSON; `__file`, `__row`.
    headers: per file every column name that stood in it, also of columns that were not read.
    broken: rows that are too long or too short to have cells, or no JSON object; they are not in the frame.
    """

    frame: pl.DataFrame
    sources: list[Source]
    headers: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)
    broken: list[Fault] = field(default_factory=list)

    @property
    def header(self) -> list[str]:
        """Every column name of every file, in order."""
        return list(dict.fromkeys(name for names in self.headers.values() for name in names))

    @property
    def delimiter(self) -> str | None:
        """The delimiter of the first text file, if there is one."""
        return next((s.delimiter for s in self.sources if s.delimiter), None)


@dataclass
class Part:
    """What one file gave."""

    frame: pl.DataFrame
    source: Source
    header: list[str]
    notes: list[str] = field(default_factory=list)
    hive: tuple[tuple[str, str | None], ...] = ()
    broken: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """One file to read: its name in messages, its path (None: standard input), its hive columns."""

    name: str
    path: Path | None
    hive: tuple[tuple[str, str | None], ...] = ()


def read(contract: Contract | None, paths: Sequence[str], common: Common) -> Raw:
    """Read the files of one table and join them by column name.

    paths: files, quoted globs, folders of Parquet (key=value folders become columns), object store addresses,
    or `-` for standard input. common.encoding overrides what is told from the bytes.
    With a contract that is not open, columns it does not know are not read, only named in `headers`.
    A file without rows is named in a note, unless there are no others: then NoRows is raised.
    Raises InputRejected with file and row for anything that cannot be a table, EnvironmentFailed where an
    extra is not installed or an object store does not answer.
    """
    table = contract.name if contract else "table"
    wanted = wanted_of(contract)
    if list(paths).count("-") > 1:
        raise UsageFault(f"{table}: standard input can be read once only")
    parts: list[Part] = []
    empty: list[NoRows] = []
    for path in paths:
        if path.startswith(CLOUD):
            parts.extend(_read_cloud(path, table, wanted, common))
        else:
            for place in places(path):
                try:
                    parts.append(_read_place(place, table, wanted, common))
                except NoRows as none:  # a day without business among the files of a year
                    empty.append(none)
    if empty and not parts:
        raise empty[0]
    if not parts:
        raise InputRejected(f"{table}: no file was named")
    each_once(table, parts)
    raw = _join(parts)
    raw.notes.extend(none.message for none in empty)
    return raw


def each_once(table: str, parts: Sequence[Part]) -> None:
    """Refuse the same rows twice: one file under two names, or a copy of it, would count everything twice."""
    places: dict[str, str] = {}
    contents: dict[tuple[object, ...], str] = {}
    for part in parts:
        name, digest = part.source.name, part.source.sha256
        local = digest is not None and name != "-"
        place = os.path.realpath(name) if local else name
        if place in places:
            also = f", as {places[place]} too" if places[place] != name else ""
            raise UsageFault(f"{table}: {name} is named twice{also}")
        places[place] = name
        # Partitions may hold the same bytes, since the folder tells them apart.
        content = (digest or name, part.hive)
        if content in contents:
            raise InputRejected(
                f"{table}: {name} holds the same bytes as {contents[content]}: its rows would count twice",
                hint="leave one of them out",
            )
        contents[content] = name


def wanted_of(contract: Contract | None) -> Callable[[str], bool]:
    """Whether a column of that name is read for a table."""
    if contract is None or contract.open:
        return lambda name: name not in {FILE, ROW}
    from cbec.core.header import plain

    known = {plain(word) for column in contract.columns for word in (column.name, *column.aliases)}
    return lambda name: plain(name) in known


def places(path: str) -> list[Place]:
    """The files that a path of this machine names, in order."""
    if path == "-":
        return [Place("-", None)]
    if not path.strip():
        raise UsageFault("the path of a file is empty")
    here = Path(path)
    if here.is_dir():
        # Tools leave files such as _SUCCESS or .part beside the data.
        named = (Path(p) for p in glob.glob(f"{glob.escape(path)}/**/*.parquet", recursive=True))
        inside = sorted(p for p in named if p.is_file() and not _hidden(p.relative_to(here)))
        if not inside:
            raise InputRejected(
                f"{path}: the folder holds no .parquet file",
                hint=f"for other files quote a pattern: '{path.rstrip('/')}/*.csv'",
            )
        return [Place(str(p), p, _hive(p.relative_to(here))) for p in inside]
    if here.exists():
        return [Place(path, here)]
    if glob.has_magic(path):
        found = sorted(p for p in glob.glob(path, recursive=True) if not Path(p).is_dir())
        if not found:
            raise InputRejected(f"{path}: no file matches")
        return [Place(p, Path(p), _hive(Path(p))) for p in found]
    near = _near(here)
    raise InputRejected(f"{path}: no such file{near}")


def _hidden(inside: Path) -> bool:
    return any(part.startswith((".", "_")) for part in inside.parts)


def _near(path: Path) -> str:
    try:
        return did_you_mean(path.name, [p.name for p in path.parent.iterdir() if p != path])
    except OSError:
        return f" (there is no folder {path.parent})"


def _hive(inside: Path) -> tuple[tuple[str, str | None], ...]:
    pairs = [part.partition("=") for part in inside.parts[:-1] if "=" in part]
    return tuple((unquote(k), None if v == "__HIVE_DEFAULT_PARTITION__" else unquote(v)) for k, _, v in pairs)


def _bytes(place: Place) -> bytes | memoryview:
    if place.path is None:
        return sys.stdin.buffer.read()
    try:
        with place.path.open("rb") as file:
            if not place.path.is_file() or place.path.stat().st_size == 0:  # a pipe, or nothing
                return file.read()
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise InputRejected(f"{place.name}: cannot be read ({error.strerror})") from None


def _read_place(place: Place, table: str, wanted: Callable[[str], bool], common: Common) -> Part:
    stored = _bytes(place)
    digest = hashlib.sha256()
    for chunk in dialect.chunks(stored):
        digest.update(chunk)
    data = _gunzip(stored, place.name) if bytes(stored[:2]) == b"\x1f\x8b" else stored
    if not len(data):
        raise InputRejected(f"{place.name}: the file is empty")
    kind = _kind(bytes(data[:64]))
    if kind == "page":
        raise InputRejected(
            f"{place.name}: a page of HTML or XML, no table", hint="was a log-in page saved instead of the export?"
        )
    if kind == "json":
        hint = "write one object per line (NDJSON), e.g. with jq -c '.[]'"
        raise InputRejected(f"{place.name}: a JSON array, no table", hint=hint)
    if kind in {"csv", "ndjson"}:
        part = _read_text(place, table, data, wanted, common)
    else:
        at = place.path if data is stored else None
        frame, header, notes = selfdescribed.binary(kind, data, at, (table, place.name), wanted)
        part = Part(frame, Source(place.name, 0, None, frame.height, "binary", kind), header, notes)
    if part.frame.is_empty():
        raise NoRows(f"{place.name}: no rows")
    part.source = replace(part.source, bytes=len(stored), sha256=digest.hexdigest())
    _select(part, wanted)
    _add_hive(part, place, wanted)
    return part


def _read_text(
    place: Place, table: str, data: bytes | memoryview, wanted: Callable[[str], bool], common: Common
) -> Part:
    encoding, survey = _encoding(data, common.encoding, place.name)
    # A file that is UTF-8 already is read from where it lies; anything else from its bytes in memory.
    source: Path | bytes = bytes(data) if place.path is None or isinstance(data, bytes) else place.path
    if survey is None:
        data = source = dialect.transcode(data, encoding, place.name)
        survey = dialect.survey(data)
    _no_nul(survey, data, place.name, table)
    if _kind(bytes(data[:64])) == "ndjson":
        frame, broken = selfdescribed.ndjson(data, place.name, table)
        header = [n for n in frame.columns if n != ROW]
        return Part(frame, Source(place.name, 0, None, frame.height, encoding, "ndjson"), header, broken=broken)
    text = Delimited(place.name, table, source, data, survey)
    frame = text.frame(wanted)
    notes = [f"{place.name}: {text.blank} empty rows were passed over"] if text.blank else []
    told = Source(place.name, 0, None, frame.height, encoding, "csv", text.delimiter)
    return Part(frame, told, text.header, notes, broken=text.uneven)


def _select(part: Part, wanted: Callable[[str], bool]) -> None:
    names = [n for n in part.header if n in part.frame.columns and wanted(n)]
    if ROW in part.frame.columns:
        part.frame = part.frame.select(ROW, *names)
    else:
        part.frame = part.frame.select(names).with_row_index(ROW, offset=2)


def _add_hive(part: Part, place: Place, wanted: Callable[[str], bool]) -> None:
    import polars as pl

    part.hive = place.hive
    # As text, or a partition sku=007 would lose its zeros and market=NA its meaning.
    for key, value in place.hive:
        if key not in part.header:
            part.header.append(key)
            if wanted(key):
                part.frame = part.frame.with_columns(pl.lit(value, pl.String).alias(key))
    part.frame = part.frame.with_columns(pl.lit(place.name).alias(FILE))


def _kind(head: bytes) -> str:
    for mark, kind in (
        (b"PAR1", "parquet"),
        (b"ARROW1", "arrow"),
        (b"\xff\xff\xff\xff", "arrow stream"),
        (b"PK\x03\x04", "xlsx"),
    ):
        if head.startswith(mark):
            return kind
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "xlsx"  # its predecessor, which the same reader reads
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "page"
    if re.match(rb"\[\s*[{\[]", start):
        return "json"
    return "ndjson" if start.startswith(b"{") else "csv"


def _encoding(data: bytes | memoryview, asked: str, name: str) -> tuple[str, dialect.Survey | None]:
    """The name of the encoding, with what a look at all bytes told where they are UTF-8 already."""
    mark = dialect.encoding_by_mark(bytes(data[:4]))
    encoding = dialect.known_encoding(asked) if asked != "auto" else mark if mark not in {None, "utf-8-sig"} else None
    if encoding is not None and encoding != "utf-8":
        return encoding, None
    survey = dialect.survey(data)
    if survey.utf8:
        return "utf-8", survey
    return (encoding or dialect.guess_encoding(data, name)), None


def _no_nul(survey: dialect.Survey, data: bytes | memoryview, name: str, table: str) -> None:
    if survey.nul is None:
        return
    row = bytes(data[: survey.nul]).count(b"\n") + 1
    fault = Fault(
        table, name, row, None, "\\0", "nul", "the row holds a NUL byte: this is no text, or UTF-16 without its mark"
    )
    raise InputRejected(str(fault), [fault], hint="for UTF-16 without a byte order mark give --encoding utf-16-le")


def _gunzip(data: bytes | memoryview, name: str) -> bytes:
    target = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while piece := file.read(dialect.CHUNK):
                target.write(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise InputRejected(f"{name}: broken gzip ({error})") from None
    return target.getvalue()


def _read_cloud(address: str, table: str, wanted: Callable[[str], bool], common: Common) -> list[Part]:

    if address.removesuffix(".gz").endswith((".csv", ".tsv", ".txt", ".ndjson", ".jsonl")):
        texts = [(Place(name, None, _hive(Path(name))), data) for name, data in selfdescribed.cloud_text(address)]
        parts = [_read_text(place, table, data, wanted, common) for place, data in texts]
        for part, (place, data) in zip(parts, texts, strict=True):
            part.source = replace(part.source, bytes=len(data))
            _select(part, wanted)
            _add_hive(part, place, wanted)
        return parts
    frame = selfdescribed.cloud_table(address, FILE)
    if frame.is_empty():
        raise InputRejected(f"{address}: no rows")
    parts = []
    for piece in frame.partition_by(FILE, maintain_order=True):
        place = Place(piece[FILE][0], None, _hive(Path(piece[FILE][0])))
        names = [n for n in piece.columns if n != FILE]
        part = Part(piece.select(names), Source(place.name, 0, None, piece.height, "binary", "parquet"), names)
        _select(part, wanted)
        _add_hive(part, place, wanted)
        parts.append(part)
    return parts


def _join(parts: list[Part]) -> Raw:
    import polars as pl

    headers = {part.source.name: part.header for part in parts}
    sources = [part.source for part in parts]
    notes = [note for part in parts for note in part.notes]
    broken = [fault for part in parts for fault in part.broken]
    if len(parts) == 1:
        return Raw(parts[0].frame, sources, headers, notes, broken)
    frames = [part.frame for part in parts]
    kinds: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            if kind != pl.Null:
                kinds.setdefault(name, set()).add(kind)
    # A column that is text in one file and something else in another is text: nothing is lost by that.
    # Whole numbers and floats go the same way, since a long whole number is no float.
    mixed = [
        n
        for n, found in kinds.items()
        if len(found) > 1 and (pl.String in found or len({k.is_float() for k in found}) > 1)
    ]
    try:
        frames = [f.with_columns(pl.col(n).cast(pl.String) for n in mixed if n in f.columns) for f in frames]
        frame = pl.concat(frames, how="diagonal_relaxed", rechunk=False)
    except pl.exceptions.PolarsError as error:
        raise InputRejected(f"the files do not fit together ({str(error).splitlines()[0]})") from None
    return Raw(frame, sources, headers, notes, broken)
