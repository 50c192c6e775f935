"""The step `ingest`: exports as they come -> canonical tables, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbec.core.command import Common, Finding, RawTable, Result, command, setting
from cbec.core.words import of

if TYPE_CHECKING:
    from cbec.methods.ingest.apply import Applied, Tally
    from cbec.methods.ingest.layout import Layout

#: Canonical tables that a layout may make.
MADE = ("sales", "order_lines", "products")


@dataclass(frozen=True)
class Import(Common):
    """Settings of `ingest import`."""

    layout: str = setting(
        "auto", "a packaged layout, the path of a layout YAML, or auto = the one that fits the header"
    )
    given: str = setting(
        "", "what holds for every order line where the export does not tell: seller_country=DE|ship_from=CN"
    )


@dataclass(frozen=True)
class Check(Common):
    """Settings of `ingest check`."""

    table: str = setting("sales", "table that the files are meant to be; `cbec schema` lists them")


@command(*MADE, "dq", "removed", name="import", example="--files online_retail.csv --layout online_retail -o work")
def import_(files: RawTable, *, s: Import) -> Result:
    """Canonical tables from an export of a shop or marketplace, by a layout.

    The layout says how headers become columns, which lines are left out and why, and what each table takes from the
    rest. Every line left out is counted with its money, and listed with file and row in the table removed.
    """
    import polars as pl

    from cbec import tables
    from cbec.methods.ingest import apply, layout, quality

    header = list(dict.fromkeys(name for names in files.headers.values() for name in names))
    chosen = layout.find(s.layout, header, MADE)
    done = apply.run(chosen, files, s, apply.given(s.given, chosen))
    export = done.checked.good.select(quality.present(chosen.contract, files.headers))
    profiles = [quality.profile(chosen.contract, export, quality.rejected_by_column(done.checked.rejects))]
    profiles += [quality.profile(tables.get(name), frame) for name, frame in done.tables.items()]
    return Result(
        {**done.tables, "dq": pl.concat(profiles), "removed": done.removed},
        money="an import decides nothing; the money of the lines left out stands in metrics and findings",
        metrics=_metrics(chosen, done) | apply.figures(done.tables),
        findings=[_left_out(chosen, tally) for tally in done.tallies if tally.rows] + _nothing_left(chosen, done),
        notes=[f"layout {chosen.name}: {chosen.title}", *done.checked.notes],
        checked=[done.checked],
    )


@command("dq", "faults", example="--files sales.csv.gz --table sales -o dq.csv")
def check(files: RawTable, *, s: Check) -> Result:
    """What is in a table, column by column, and which cells break its contract.

    Broken cells are findings (high) and rows of the table faults here, not an error: use --fail-on high where they
    should stop a script.
    """
    from cbec import tables
    from cbec.core import check as contracts
    from cbec.methods.ingest import apply, quality

    contract = tables.get(s.table)
    checked = apply.usable(contracts.check(contract, files, s))
    good = checked.good.select(quality.present(contract, files.headers))
    return Result(
        {
            "dq": quality.profile(contract, good, quality.rejected_by_column(checked.rejects)),
            "faults": checked.rejects,
        },
        money="a check moves no money",
        metrics={"rows": checked.rows, "rows_good": good.height, "cells_rejected": checked.total},
        findings=quality.findings(contract, good, checked.rejects),
        notes=checked.notes,
    )


def _metrics(layout: Layout, done: Applied) -> dict[str, float | int | str | None]:
    figures: dict[str, float | int | str | None] = {
        "layout": layout.name,
        "layout_sha256": layout.sha256,
        "rows_in": done.checked.rows,
        "rows_rejected": done.checked.rows - done.checked.good.height,
        "rows_after_as_of": done.cut,
        "rows_removed": sum(t.rows for t in done.tallies),
        "rows_kept": done.kept,
    }
    for tally in done.tallies:
        figures[f"removed_{tally.rule}"] = tally.rows
        figures |= {f"removed_{tally.rule}_{currency}": amount for currency, amount in tally.money.items()}
    return figures


def _left_out(layout: Layout, tally: Tally) -> Finding:
    money, currency = None, None
    worth = ", ".join(f"{amount:,.2f} {code}" for code, amount in tally.money.items())
    if len(tally.money) == 1:
        [(currency, money)] = tally.money.items()
    rows = f"{of(tally.rows, 'row')} left out"
    message = f"{rows}{f' ({worth})' if worth else ''}: {tally.message}; the first is {tally.first}"
    return Finding(f"ingest:{layout.name}:{tally.rule}", "info", layout.name, tally.rule, message, money, currency)


def _nothing_left(layout: Layout, done: Applied) -> list[Finding]:
    if done.kept or not done.checked.rows:
        return []
    message = f"none of {done.checked.rows:,} rows is left: the tables are empty"
    return [Finding(f"ingest:{layout.name}:nothing_left", "warn", layout.name, "nothing_left", message)]
