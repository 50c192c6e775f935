"""Files that say themselves what their cells are: Parquet, Arrow, NDJSON, workbooks, and object stores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cbec.core.delimited import ROW
from cbec.core.errors import EnvironmentFailed, Fault, InputRejected

if TYPE_CHECKING:
    import polars as pl


def ndjson(data: bytes | memoryview, name: str, table: str) -> pl.DataFrame:
    """One JSON object per line, with the number of its line. InputRejected names a line that is none."""
    import polars as pl

    stored = bytes(data)
    try:
        frame = pl.read_ndjson(stored, infer_schema_length=None)
        if frame.height == stored.count(b"\n") + (not stored.endswith(b"\n")) and ROW not in frame.columns:
            return frame.with_row_index(ROW, offset=1)
    except pl.exceptions.PolarsError:
        pass
    return _ndjson_by_hand(stored.decode().removeprefix("\ufeff"), name, table)


def _ndjson_by_hand(text: str, name: str, table: str) -> pl.DataFrame:
    import polars as pl

    rows: list[dict[str, object]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
            if not isinstance(cells, dict):
                raise ValueError("no object")
        except ValueError as error:
            fault = Fault(table, name, number, None, line[:200], "json", f"the line is not one JSON object ({error})")
            raise InputRejected(str(fault), [fault]) from None
        rows.append({**cells, ROW: number})
    try:
        return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col(ROW).cast(pl.UInt32))
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise InputRejected(f"{name}: its rows do not make one table ({error})") from None


def _parquet(data: bytes | memoryview, at: Path | None, name: str) -> pl.DataFrame:
    import polars as pl

    return _typed(lambda: pl.read_parquet(at or bytes(data), glob=False, hive_partitioning=False), name, "Parquet")


def _arrow(data: bytes | memoryview, at: Path | None, name: str) -> pl.DataFrame:
    import polars as pl

    return _typed(lambda: pl.read_ipc(bytes(data)), name, "Arrow")


def _arrow_stream(data: bytes | memoryview, at: Path | None, name: str) -> pl.DataFrame:
    import polars as pl

    return _typed(lambda: pl.read_ipc_stream(bytes(data)), name, "Arrow")


def _typed(load: Callable[[], pl.DataFrame], name: str, kind: str) -> pl.DataFrame:
    import polars as pl

    try:
        return load()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputRejected(f"{name}: broken {kind} ({reason})") from None


def _xlsx(data: bytes | memoryview, at: Path | None, name: str) -> pl.DataFrame:
    import polars as pl

    try:
        import fastexcel
    except ImportError:
        raise EnvironmentFailed(
            f"{name}: reading workbooks needs an extra package", hint="pip install cbec[excel]"
        ) from None
    try:
        sheet = fastexcel.read_excel(bytes(data)).load_sheet(0, header_row=None, dtypes="string")
        cells = pl.DataFrame(sheet.to_polars())
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError) as error:
        raise InputRejected(f"{name}: broken workbook ({str(error).splitlines()[0]})") from None
    if cells.is_empty():
        raise InputRejected(f"{name}: the first sheet is empty")
    titles = [str(cell).strip() if cell else f"column {at}" for at, cell in enumerate(cells.row(0), 1)]
    twice = [n for at, n in enumerate(titles) if n in titles[:at]]
    if twice:
        fault = Fault("table", name, 1, twice[0], twice[0], "header", f'"{twice[0]}" stands twice in the header')
        raise InputRejected(str(fault), [fault])
    cells.columns = titles
    rows = cells[1:].with_row_index(ROW, offset=2)
    return rows.filter(~pl.all_horizontal(pl.col(titles).is_null()))


Reader = Callable[["bytes | memoryview", "Path | None", str], "pl.DataFrame"]
READERS: dict[str, Reader] = {"parquet": _parquet, "arrow": _arrow, "arrow stream": _arrow_stream, "xlsx": _xlsx}


def cloud(address: str, file_column: str) -> tuple[pl.DataFrame, str]:
    """A table in an object store, read by Polars, and its kind, told by the suffix (.parquet if there is none).

    Parquet comes with the address of each row's file in `file_column`.
    """
    import polars as pl

    bare = address.removesuffix(".gz")
    try:
        if bare.endswith((".csv", ".tsv", ".txt")):
            mark = "\t" if bare.endswith(".tsv") else ","
            return pl.scan_csv(address, infer_schema=False, separator=mark).collect(), "csv"
        if bare.endswith((".ndjson", ".jsonl")):
            return pl.scan_ndjson(address, infer_schema_length=None).collect(), "ndjson"
        if bare.endswith((".arrow", ".ipc", ".feather")):
            return pl.scan_ipc(address).collect(), "arrow"
        return pl.scan_parquet(address, hive_partitioning=False, include_file_paths=file_column).collect(), "parquet"
    except FileNotFoundError:
        raise InputRejected(f"{address}: no such object") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise EnvironmentFailed(f"{address}: cannot be read ({str(error).splitlines()[0]})") from None
