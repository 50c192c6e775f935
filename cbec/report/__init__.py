"""A result -> terminal, HTML, Markdown; can be drawn again from disk. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl
    from rich.console import Console

    from cbec.core.staging import Staging


def build(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], folder: Path, staging: Staging) -> None:
    """Stage report.html and report.md of a result for `folder`.

    summary: what summary.json holds; tables: the result tables by name, as they were written. Same input, same bytes.
    """
    from cbec.report import compose

    compose.write(summary, tables, folder, staging)


def redraw(folder: Path) -> None:
    """Write report.html and report.md again from summary.json and the Parquet tables of `folder`.

    InputRejected where one of them is missing or is no result of cbec.
    """
    from cbec.report import compose

    compose.redraw(folder)


def index(folder: Path, run: Mapping[str, Any]) -> None:
    """Write index.html and index.md of a pipeline's run; cbec.report.overview says what `run` holds."""
    from cbec.report import overview

    overview.write(folder, run)


def terminal(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], console: Console | None = None) -> None:
    """Tell a result on a terminal: headline, money, findings, the top rows of the main table fitted to the width."""
    from cbec.report import screen

    screen.show(summary, tables, console)
