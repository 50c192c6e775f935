"""Files that say themselves what their cells are: Parquet, Arrow, NDJSON, workbooks, and object stores."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cbec.core.delimited import MOST, ROW, SHOWN, unique_header
from cbec.core.errors import EnvironmentFailed, Fault, InputRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl


def ndjson(data: bytes | memoryview, name: str, table: str) -> tuple[pl.DataFrame, list[Fault]]:
    """One JSON object per line, with the number of its line; and the lines that are none.

    InputRejected where no line is one, or so many are none that this is no table.
    """
    import polars as pl

    stored = bytes(data)
    try:
        frame = pl.read_ndjson(stored, infer_schema_length=None)
        if frame.height == stored.count(b"\n") + (not stored.endswith(b"\n")) and ROW not in frame.columns:
            return frame.with_row_index(ROW, offset=1), []
    except pl.exceptions.PolarsError:
        pass
    return _ndjson_by_hand(stored.decode().removeprefix("\ufeff"), name, table)


def _ndjson_by_hand(text: str, name: str, table: str) -> tuple[pl.DataFrame, list[Fault]]:
    import polars as pl

    rows: list[dict[str, object]] = []
    broken: list[Fault] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
            if not isinstance(cells, dict):
                raise ValueError("no object")
        except ValueError as error:
            what = f"the line is not one JSON object ({error})"
            broken.append(Fault(table, name, number, None, line[:200], "json", what))
            continue
        rows.append({**cells, ROW: number})
    if broken and (len(broken) > MOST or not rows):
        raise InputRejected(str(broken[0]), broken[:SHOWN], total=len(broken))
    try:
        return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col(ROW).cast(pl.UInt32)), broken
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise InputRejected(f"{name}: its rows do not make one table ({error})") from None


def binary(
    kind: str, data: bytes | memoryview, at: Path | None, place: tuple[str, str], wanted: Callable[[str], bool]
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """The wanted columns of a file in one of `KINDS`, the names of all its columns, and notes for a person.

    at: where it lies, if as it is; place: (table, file) for messages. InputRejected where the file is broken.
    """
    import polars as pl

    table, name = place
    notes: list[str] = []
    try:
        if kind == "xlsx":
            sheet, notes = _workbook(bytes(data), table, name)
            scan = sheet.lazy()
        elif kind == "parquet":
            scan = pl.scan_parquet(at or bytes(data), glob=False, hive_partitioning=False)
        elif kind == "arrow":
            scan = pl.read_ipc(bytes(data)).lazy()
        else:
            scan = pl.read_ipc_stream(bytes(data)).lazy()
        header = [n for n in scan.collect_schema().names() if n != ROW]
        if kind != "xlsx":  # rows of a sheet are numbered before empty ones are left out
            scan = scan.select(header).with_row_index(ROW, offset=2)
        return scan.select(ROW, *(n for n in header if wanted(n))).collect(), header, notes
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputRejected(f"{name}: broken {KINDS[kind]} ({str(error).splitlines()[0]})") from None


KINDS = {"parquet": "Parquet", "arrow": "Arrow", "arrow stream": "Arrow", "xlsx": "workbook"}


def _workbook(data: bytes, table: str, name: str) -> tuple[pl.DataFrame, list[str]]:
    import polars as pl

    try:
        import fastexcel
    except ImportError:
        needs = f"{name}: reading workbooks needs an extra package"
        raise EnvironmentFailed(needs, hint="pip install cbec[excel]") from None
    try:
        book = fastexcel.read_excel(data)
        sheet = book.load_sheet(0, header_row=None, dtypes="string")
    except fastexcel.FastExcelError as error:
        raise InputRejected(f"{name}: broken workbook ({str(error).splitlines()[0]})") from None
    cells = pl.DataFrame(sheet.to_polars())
    if cells.is_empty():
        raise InputRejected(f"{name}: the first sheet is empty")
    cells.columns = unique_header([cell or "" for cell in cells.row(0)], table, name)
    others = book.sheet_names[1:]
    notes = [f'{name}: only the first sheet, "{book.sheet_names[0]}", is read'] if others else []
    rows = cells[1:].with_row_index(ROW, offset=2)
    return rows.filter(~pl.all_horizontal(pl.col(cells.columns).is_null())), notes


def cloud_text(address: str) -> list[tuple[str, bytes]]:
    """Address and bytes of each text file at an address in an object store (a pattern may name several).

    Polars fetches them, which reads UTF-8 only and unpacks gzip. InputRejected for another encoding.
    """
    import polars as pl

    with _store(address):
        try:
            lines = pl.scan_lines(address, include_file_paths="file").collect()
        except pl.exceptions.ComputeError as error:
            if "utf8" not in str(error).lower().replace("-", ""):
                raise
            hint = "copy it here first: files of other encodings are read from a disk"
            raise InputRejected(f"{address}: not UTF-8", hint=hint) from None
    parts = lines.group_by("file", maintain_order=True).agg(pl.col("line").str.join("\n"))
    return [(name, text.encode() + b"\n") for name, text in parts.sort("file").iter_rows()]


def cloud_table(address: str, file_column: str) -> pl.DataFrame:
    """Parquet (or Arrow, by the suffix) in an object store, with the address of each row's file in `file_column`."""
    import polars as pl

    with _store(address):
        if address.endswith((".arrow", ".ipc", ".feather")):
            return pl.scan_ipc(address, include_file_paths=file_column).collect()
        return pl.scan_parquet(address, hive_partitioning=False, include_file_paths=file_column).collect()


@contextmanager
def _store(address: str) -> Iterator[None]:
    import polars as pl

    try:
        yield
    except FileNotFoundError:
        raise InputRejected(f"{address}: no such object") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise EnvironmentFailed(f"{address}: cannot be read ({str(error).splitlines()[0]})") from None
