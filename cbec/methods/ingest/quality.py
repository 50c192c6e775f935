"""Data quality: the `dq` table of a frame, and what a person should look at before trusting it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.command import Finding
from cbec.core.header import match
from cbec.core.words import of

if TYPE_CHECKING:
    from cbec.core.contract import Contract

DQ = {
    "table": pl.String,
    "column": pl.String,
    "kind": pl.String,
    "rows": pl.Int64,
    "empty": pl.Int64,
    "distinct": pl.Int64,
    "lowest": pl.String,
    "highest": pl.String,
    "rejected": pl.Int64,
}

#: A break without any row is told when it is longer than a week: weekends and holidays are no news.
_LONG_BREAK = timedelta(days=7)


def profile(contract: Contract, frame: pl.DataFrame, rejected: Mapping[str, int] | None = None) -> pl.DataFrame:
    """One `dq` row per column of the contract that stands in `frame`.

    rows, empty and distinct (values, empty ones not counted) are of the good rows; lowest and highest as text,
    text by code point. rejected: cells of the column that broke the contract; column None counts for none.
    """
    counts = rejected or {}
    rows = []
    for column in contract.columns:
        if column.name not in frame.columns:
            continue
        cells = frame[column.name]
        rows.append(
            {
                "table": contract.name,
                "column": column.name,
                "kind": column.kind,
                "rows": frame.height,
                "empty": cells.null_count(),
                "distinct": cells.drop_nulls().n_unique(),
                "lowest": _shown(cells.min()),
                "highest": _shown(cells.max()),
                "rejected": counts.get(column.name, 0),
            }
        )
    return pl.DataFrame(rows, schema=DQ)


def _shown(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, float):
        return f"{value:.10g}"
    text = format(value, "f") if hasattr(value, "as_tuple") else str(value)
    if hasattr(value, "as_tuple") and "." in text:  # decimals carry six places; the zeros at their end say nothing
        text = text.rstrip("0").rstrip(".")
    return text


def present(contract: Contract, headers: Mapping[str, Sequence[str]]) -> list[str]:
    """Columns of the contract that stand in at least one file, in the contract's order. headers: file -> its columns."""
    found, _, _ = match(contract, headers)
    return [name for name in contract.names if name in found]


def rejected_by_column(rejects: pl.DataFrame) -> dict[str, int]:
    """Rejected cells per column of a `rejects` frame."""
    named = rejects.drop_nulls("column")
    return {str(k): int(n) for k, n in named.group_by("column").len().sort("column").iter_rows()}


def findings(contract: Contract, frame: pl.DataFrame, rejects: pl.DataFrame) -> list[Finding]:
    """high: cells that break the contract, per column and rule. warn: needed columns without any value, long
    breaks in the table's time. In the order of the table's columns."""
    return [*_broken(contract.name, rejects), *_hollow(contract, frame), *_breaks(contract, frame)]


def _broken(table: str, rejects: pl.DataFrame) -> list[Finding]:
    grouped = (
        rejects.sort("file", "row", nulls_last=True)
        .group_by("column", "rule", maintain_order=True)
        .agg(pl.len().alias("n"), pl.col("file").first(), pl.col("row").first(), pl.col("message").first())
        .sort("column", "rule", nulls_last=True)
    )
    found = []
    for column, rule, n, file, row, message in grouped.iter_rows():
        cells = of(n, "cell" if column is not None else "row")
        place = f"{file} row {row}" if row is not None else file
        name = column or "row"
        found.append(
            Finding(
                f"dq:{table}:{name}:{rule}",
                "high",
                f"{table}.{name}",
                rule,
                f"{cells}; the first is in {place}: {message}",
            )
        )
    return found


def _hollow(contract: Contract, frame: pl.DataFrame) -> list[Finding]:
    names = [c.name for c in contract.columns if c.required and c.name in frame.columns]
    hollow = [n for n in names if frame.height and frame[n].null_count() == frame.height]
    table = contract.name
    return [
        Finding(f"dq:{table}:{n}:empty", "warn", f"{table}.{n}", "empty", f"no row has a value in {n}") for n in hollow
    ]


def _breaks(contract: Contract, frame: pl.DataFrame) -> list[Finding]:
    if contract.time is None or contract.time not in frame.columns:
        return []
    days = frame[contract.time].drop_nulls().cast(pl.Date).unique().sort()
    gaps = [
        (b - a, a, b)
        for a, b in zip(days[:-1].to_list(), days[1:].to_list(), strict=True)
        if b - a > _LONG_BREAK + timedelta(days=1)
    ]
    if not gaps:
        return []
    longest, before, after = max(gaps)
    message = (
        f"{of(len(gaps), 'break')} of more than {_LONG_BREAK.days} days without any row; "
        f"the longest lies between {before} and {after} ({of(longest.days - 1, 'day')})"
    )
    entity = f"{contract.name}.{contract.time}"
    return [Finding(f"dq:{contract.name}:{contract.time}:break", "warn", entity, "break", message)]
