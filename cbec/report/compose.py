"""From a result to its report: money, findings, the pictures and rows of its command, how it was made."""

from __future__ import annotations

import importlib
import importlib.util
import json
import keyword
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec.core.command import STEPS
from cbec.core.errors import InputRejected
from cbec.core.staging import Staging
from cbec.report import html, markdown
from cbec.report.format import day, number, of
from cbec.report.page import Page, View

if TYPE_CHECKING:
    import polars as pl

_TOP = 20


def write(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], folder: Path, staging: Staging) -> None:
    """Stage both files."""
    page = compose(summary, tables)
    staging.write(Path(folder) / "report.html", html.render(page).encode("utf-8", "replace"))
    staging.write(Path(folder) / "report.md", markdown.render(page).encode("utf-8", "replace"))


def redraw(folder: Path) -> None:
    """Both files again, from what the run left in the folder."""
    import polars as pl

    folder = Path(folder)
    place = folder / "summary.json"
    try:
        summary = json.loads(place.read_text("utf-8"))
        files = {str(name): folder / f"{name}.parquet" for name in summary["tables"]}
        for file in files.values():
            if not file.is_file():
                raise InputRejected(f"{file} is missing", hint="run the command again")
        tables = {name: pl.read_parquet(file, glob=False) for name, file in files.items()}
    except FileNotFoundError as missing:
        raise InputRejected(f"{place} is missing", hint="give a folder made by --report") from missing
    except (ValueError, TypeError, KeyError, pl.exceptions.PolarsError) as broken:
        raise InputRejected(
            f"{folder} holds no report that can be read: {broken}", hint="run the command again"
        ) from broken
    with Staging() as staging:
        write(summary, tables, folder, staging)


def compose(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> Page:
    """The page of a result."""
    # What is drawn again from disk has been through JSON; so has, by this, what is drawn at once.
    told: dict[str, Any] = json.loads(json.dumps(summary, default=day))
    step, command = str(told.get("step", "")), str(told.get("command", ""))
    as_of = f" · as of {told['as_of']}" if told.get("as_of") else ""
    title = str(told.get("title") or f"{step} {command}").strip().removesuffix(".")
    page = Page(title, f"cbec {step} {command}{as_of}", str(told.get("headline") or ""))
    page.lead(told.get("money") or {})
    findings = list(told.get("top_findings") or [])[:_TOP]
    counts: dict[str, int] = told.get("findings") or {}
    page.section("Findings", ", ".join(f"{n:,} {level}" for level, n in reversed(counts.items()) if n))
    page.findings(findings, sum(counts.values()) or len(findings))
    if told.get("notes"):
        page.section("Notes")
        page.text(*(str(n) for n in told["notes"]), listed=True)
    _drawer(step, command)(page, View(told, tables))
    _made(page, told, step, command)
    return page


def generic(page: Page, view: View) -> None:
    """For commands without pictures of their own: the top rows of each table."""
    for name, frame in view.tables.items():
        if name != "findings":
            page.section(name.replace("_", " "), of(frame.height, "row"))
            page.table(frame, "", contract=name)


def _drawer(step: str, command: str) -> Callable[[Page, View], None]:
    place = f"cbec.report.{step}"
    if step not in STEPS or importlib.util.find_spec(place) is None:
        return generic
    name = command.replace("-", "_")
    # `ingest import`: a keyword of Python carries an underscore behind it.
    name += "_" if keyword.iskeyword(name) else ""
    found: Callable[[Page, View], None] = getattr(importlib.import_module(place), name, generic)
    return found


def _made(page: Page, told: Mapping[str, Any], step: str, command: str) -> None:
    page.section("How this was made", "Times, versions, settings and file hashes stand in run.json beside this report.")
    inputs = ", ".join(f"{name} ({of(rows, 'row')})" for name, rows in (told.get("inputs") or {}).items())
    outputs = ", ".join(f"{name} ({of(rows, 'row')})" for name, rows in (told.get("tables") or {}).items())
    lines = [
        f"Command: cbec {step} {command}",
        f"Nothing after {told['as_of']} was used" if told.get("as_of") else "",
        f"Inputs: {inputs}" if inputs else "",
        f"Tables made: {outputs}" if outputs else "",
        f"Seed: {told['seed']}" if told.get("seed") is not None else "",
        f"Exit status: {told['status']}" if told.get("status") is not None else "",
    ]
    page.text(*(line for line in lines if line), listed=True)
    metrics = told.get("metrics") or {}
    if metrics:
        import polars as pl

        # As text, since figures of different kinds have no common number of decimals.
        rows = [(name, number(value) if value is not None else None) for name, value in sorted(metrics.items())]
        page.table(pl.DataFrame(rows, schema={"metric": pl.String, "value": pl.String}, orient="row"), "Metrics")
