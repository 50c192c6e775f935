"""The top-level commands: demo, run, init, schema, check, config show, report, doctor."""

from __future__ import annotations

import json
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec.core import packaged
from cbec.core.command import Common, commands_of, find
from cbec.core.delivery import to_stdout
from cbec.core.errors import ExitStatus, InputRejected, UsageFault
from cbec.core.staging import Staging
from cbec.core.words import of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.core.console import Console
    from cbec.core.contract import Column, Contract


def demo(folder: str, console: Console) -> int:
    """Sample data and the packaged pipeline into `folder`, run; the path of the index on standard output."""
    from cbec import pipeline, sample

    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise UsageFault(f"{place} is a file", hint="give a folder: cbec demo FOLDER")
    # Only an earlier demo has these beside each other: another project's pipeline.yaml would be lost.
    earlier = (place / "data" / "truths.yaml").is_file() and (place / "pipeline.yaml").is_file()
    if place.is_dir() and any(place.iterdir()) and not earlier:
        raise UsageFault(f"{place} holds other files", hint="give another folder: cbec demo FOLDER")
    sample.write(place / "data")
    with Staging() as staging:
        staging.write(place / "pipeline.yaml", (packaged.folder("configs") / "pipeline.yaml").read_bytes())
    status = pipeline.run(place / "pipeline.yaml", console=console)
    _out(str(place / "report" / "index.html"))
    return status


def run(
    path: str,
    select: Sequence[str] | None,
    jobs: int,
    force: bool,
    dry_run: bool,
    carry: bool,
    wait: float,
    console: Console,
) -> int:
    """Run a pipeline; the highest status of its stages."""
    from cbec import pipeline

    return pipeline.run(
        Path(path), select=select, jobs=jobs, force=force, dry_run=dry_run, carry=carry, wait=wait,
        console=_Plan(console) if dry_run else console,
    )  # fmt: skip


class _Plan:
    """Where a dry run tells its plan: that is its answer, so standard output."""

    def __init__(self, console: Console) -> None:
        self.error = console.error

    def say(self, text: str) -> None:
        """A line of the plan."""
        _out(text)


INIT_SETTINGS = """\
# Settings of this project. Options on the command line and --set go over them; `cbec config show STEP` tells what holds.
common:
  # home_currency: EUR       # money in outputs; other currencies need --rates
  # time_zone: Europe/Berlin # for times that carry no zone
  language: en
"""
INIT_TABLES = ("sales", "inventory", "inbound", "coverage", "policies", "products", "order_lines", "rates")
INIT_PIPELINE = """\
# Fill the files in exports/ (a header of each stands there), then: cbec run
title: My company
stages:
  demand:
    command: forecast demand
    sales: exports/sales.csv
    output: work/forecast.parquet
  orders:
    command: forecast replenish
    forecast: work/forecast.parquet
    inventory: exports/inventory.csv
    policies: exports/policies.csv
    coverage: exports/coverage.csv
    products: exports/products.csv
    output: out/orders.csv
  tax:
    command: compliance tax
    order-lines: exports/order_lines.csv
    rates: exports/rates.csv
    output: out/tax.csv
"""


def init(folder: str, console: Console) -> None:
    """Lay out a project; files that exist are left as they are."""
    from cbec import tables

    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise UsageFault(f"{place} is a file", hint="give a folder: cbec init FOLDER")
    texts = {Path("cbec.yaml"): INIT_SETTINGS, Path("pipeline.yaml"): INIT_PIPELINE}
    for name in INIT_TABLES:
        texts[Path("exports") / f"{name}.csv"] = ",".join(tables.get(name).names) + "\n"
    with Staging() as staging:
        for relative, text in texts.items():
            if (place / relative).exists():
                console.say(f"kept {place / relative}")
                continue
            staging.write(place / relative, text.encode())
            console.say(f"made {place / relative}")


def schema(table: str | None, as_json: bool, as_csv: bool) -> None:
    """Print one table's contract or the list of tables."""
    from cbec import tables

    if as_json and as_csv:
        raise UsageFault("--json and --csv exclude each other")
    chosen = list(tables.every().values()) if table is None else [tables.get(table.replace("-", "_"))]
    if as_json:
        _out(json.dumps([_contract_json(c) for c in chosen], ensure_ascii=False, indent=2))
        return
    if as_csv:
        import csv
        import io

        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["table", "column", "kind", "unit", "required", "key", "range", "description", "also accepted"])
        for contract in chosen:
            writer.writerows([contract.name, *_column_cells(contract, c)] for c in contract.columns)
        _out(text.getvalue().rstrip("\n"))
        return
    if table is None:
        _out("\n".join(f"{c.name:16} {c.description}" for c in chosen) + "\n\ncbec schema TABLE tells its columns")
        return
    _schema_text(chosen[0])


def _schema_text(contract: Contract) -> None:
    keyed = ", ".join(contract.key) + ("" if not contract.dynamic_key else " (those that make the series)")
    _out(f"{contract.name}: {contract.description}\nkey: {keyed}\n")
    heads = ("column", "kind", "unit", "needed", "range", "description")
    rows = [heads]
    for column in contract.columns:
        name, kind, unit, needed, _, allowed, description, _ = _column_cells(contract, column)
        rows.append((name, kind, unit, needed, allowed, description))
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    for row in rows:
        _out("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for rule in contract.rules:
        _out(f"rule {rule.name}: {rule.message}")
    also = [f"  {c.name}: {', '.join(c.aliases)}" for c in contract.columns if c.aliases]
    if also:
        _out("\nheaders also accepted:\n" + "\n".join(also))


def _column_cells(contract: Contract, column: Column) -> list[str]:
    low = "" if column.min is None else f"{column.min:g} <="
    low = low or ("" if column.above is None else f"{column.above:g} <")
    high = "" if column.max is None else f"<= {column.max:g}"
    allowed = " | ".join(column.one_of) if column.one_of else " ".join(p for p in (low, high) if p)
    return [
        column.name,
        column.kind,
        column.unit or "",
        "yes" if column.required else "no" if column.default is None else f"no: {column.default}",
        "key" if column.name in contract.key else "",
        allowed,
        column.description,
        ", ".join(column.aliases),
    ]


def _contract_json(contract: Contract) -> dict[str, Any]:
    cells = ("column", "kind", "unit", "required", "key", "range", "description", "aliases")
    return {
        "table": contract.name,
        "description": contract.description,
        "key": list(contract.key),
        "time": contract.time,
        "open": contract.open,
        "columns": [dict(zip(cells, _column_cells(contract, c), strict=True)) for c in contract.columns],
        "rules": [{"name": r.name, "message": r.message} for r in contract.rules],
    }


def check(table: str, paths: Sequence[str], rejects: str | None, sets: Sequence[str], console: Console) -> None:
    """Hold files against a contract; raises InputRejected with the faults."""
    from cbec import tables
    from cbec.core import check as checking
    from cbec.core import config, files
    from cbec.core.command import Command, Result

    contract = tables.get(table.replace("-", "_"))
    # The common settings are resolved as for any command; this one has no others, and no section of its own.
    stand_in = Command("", "check", "", lambda: Result({}), (), (), Common)
    settings = config.resolve(stand_in, {}, sets).settings
    outcome = checking.check(contract, files.read(contract, paths, settings), settings)
    for note in outcome.notes:
        console.say(f"note: {note}")
    if outcome.total:
        if rejects is not None:
            with Staging() as staging:
                files.write(checking.conform(tables.get("rejects"), outcome.rejects), Path(rejects), staging)
        faults = of(outcome.total, "fault")
        rows = of(outcome.rows, "row")
        raise InputRejected(f"{contract.name}: {faults} in {rows}", outcome.faults, total=outcome.total)
    console.say(f"{contract.name}: {of(outcome.rows, 'row')}, every one keeps the contract")


def config_show(step: str, command: str | None, path: str | None, sets: Sequence[str]) -> None:
    """Print each setting with its value and origin."""
    from cbec.core import config

    chosen = list(commands_of(step).values()) if command is None else [find(step, command)]
    for declared in chosen:
        settled = config.resolve(declared, {}, sets, path)
        _out(f"{declared.path}")
        for name in declared.fields():
            value = getattr(settled.settings, name)
            _out(f"  {name:20} {'' if value is None else value!s:24} {settled.origins[name]}")


def redraw(folder: str, console: Console) -> None:
    """Draw report.html and report.md again from the tables beside them."""
    from cbec import report

    if not (Path(folder) / "summary.json").is_file():
        raise InputRejected(f"{folder} holds no summary.json", hint="give a folder that --report wrote")
    report.redraw(Path(folder))
    console.say(f"drawn again: {Path(folder) / 'report.html'}")


def doctor() -> int:
    """Print what is installed; 6 when something that cbec needs is missing."""
    sound = True
    _out(
        f"cbec {metadata.version('cbec') if _installed('cbec') else 'from a checkout'}, Python {sys.version.split()[0]}"
    )
    for name in ("typer", "polars", "numpy", "scipy", "lightgbm", "rich", "pyyaml", "holidays"):
        has = _installed(name)
        sound &= has
        _out(f"  {name:14} {metadata.version(name) if has else 'MISSING'}")
    for name, extra in (("xlsxwriter", "excel"), ("fastexcel", "excel"), ("distributed", "cluster")):
        _out(
            f"  {name:14} {metadata.version(name) if _installed(name) else f'not installed: pip install cbec[{extra}]'}"
        )
    for name in ("configs", "sample_data"):
        try:
            _out(f"  {name:14} {packaged.folder(name)}")
        except FileNotFoundError as error:
            sound = False
            _out(f"  {name:14} {error}")
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    _out(f"  free disk      {free:,.1f} GB in {Path.cwd()}")
    return int(ExitStatus.DONE if sound else ExitStatus.ENVIRONMENT)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _out(text: str) -> None:
    to_stdout((text + "\n").encode())
