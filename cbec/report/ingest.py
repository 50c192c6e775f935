"""The page of ingest import: what came in, what became of it, and how good it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import number, of, percent
from cbec.report.page import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cbec.report.page import Page, View

_HOUSE = ("dq", "rejects", "findings", "removed")


def import_(page: Page, view: View) -> None:
    """Rows in and out, what was left out and why, the quality of each column."""
    made = {name: frame for name, frame in view.tables.items() if name not in _HOUSE}
    page.section("At a glance")
    _flow(page, view, made)
    if len(made) > 1:
        drawn = svg.bars("Rows per table", list(made), {"rows": [frame.height for frame in made.values()]})
        page.chart(drawn, "Rows per table made")
    removed = view.table("removed", "rule", "amount", "currency")
    if removed is not None:
        page.section(
            "Left out, and why", "Rules of the layout took these rows out; their money by currency, never added across."
        )
        why = removed.group_by("rule", "currency").agg(pl.len().alias("rows"), pl.col("amount").sum())
        why = why.sort(["rows", "rule", "currency"], descending=[True, False, False], nulls_last=True)
        page.table(why, "By rule", columns=["rule", "rows", "amount", "currency"], formats={"amount": "money"})
        page.table(removed, "Row by row", contract="removed")
    _rejects(page, view)
    quality(page, view)
    page.section("First rows of each table")
    for name, frame in made.items():
        page.table(frame, name.replace("_", " "), contract=name, cap=20)


def _flow(page: Page, view: View, made: Mapping[str, pl.DataFrame]) -> None:
    """From rows read to rows kept."""
    rows_in, kept = view.metric("rows_in"), view.metric("rows_kept")
    lost = {
        "rejected": view.metric("rows_rejected"),
        "after the as-of date": view.metric("rows_after_as_of"),
        "left out by a rule": view.metric("rows_removed"),
    }
    if rows_in is None:
        inputs = (view.summary.get("inputs") or {}).values()
        rows_in = float(sum(inputs)) if inputs else None
    made_rows = f"{number(sum(f.height for f in made.values()))} rows in {of(len(made), 'table')}"
    page.figures(
        [
            None if rows_in is None else Figure("Rows read", number(rows_in)),
            Figure("Rows made", made_rows.split(" ", maxsplit=1)[0], made_rows.partition(" ")[2])
            if kept is None
            else Figure("Rows kept", number(kept), made_rows),
            *(
                Figure(f"Rows {what}", number(n), "" if not rows_in else percent(n / rows_in))
                for what, n in lost.items()
                if n
            ),
        ]
    )
    if rows_in is None or kept is None:
        return
    steps = {"read": rows_in, **{k: v for k, v in lost.items() if v}, "kept": kept}
    looks = ["grey", *["orange"] * (len(steps) - 2), "blue"]
    drawn = svg.bars(
        "From rows read to rows kept",
        list(steps),
        {"rows": list(steps.values())},
        tones=looks,
        hatched=[t == "orange" for t in looks],
    )
    page.chart(drawn, "From rows read to rows kept", "Hatched: left out.")


def _rejects(page: Page, view: View) -> None:
    rejects = view.table("rejects", "table", "rule")
    if rejects is None:
        return
    page.section("Rejected", "Cells that break their table's contract, as they stood: mend them in the export.")
    why = rejects.group_by("table", "rule").len().sort(["len", "table", "rule"], descending=[True, False, False])
    page.table(why, "By rule", labels={"len": "cells"})
    page.table(rejects, "Cell by cell", contract="rejects")


def check(page: Page, view: View) -> None:
    """The quality of each column of a table."""
    page.section("At a glance")
    rows, good, cells = view.metric("rows"), view.metric("rows_good"), view.metric("cells_rejected")
    page.figures(
        [
            None if rows is None else Figure("Rows read", number(rows)),
            None
            if good is None
            else Figure("Rows that keep the contract", number(good), "" if not rows else percent(good / rows)),
            None if cells is None else Figure("Cells that break it", number(cells), "", "bad" if cells else "good"),
        ]
    )
    _rejects(page, view)
    quality(page, view)


def quality(page: Page, view: View) -> None:
    """Empty and rejected cells per column."""
    dq = view.table("dq", "table", "column", "rows", "empty", "rejected")
    if dq is None:
        return
    page.section("Quality of the columns")
    share = pl.when(pl.col("rows") > 0).then(pl.col("empty") / pl.col("rows")).round(6).alias("empty_share")
    told = dq.with_columns(share)
    gaps = told.filter((pl.col("empty_share") > 0) & (pl.col("empty_share") < 1)).sort(
        ["empty_share", "table", "column"], descending=[True, False, False]
    )
    if gaps.height:
        top: list[dict[str, Any]] = list(gaps.head(15).iter_rows(named=True))
        labels = [f"{r['table']}.{r['column']}" for r in top]
        drawn = svg.bars("Empty cells", labels, {"empty": [r["empty_share"] for r in top]}, write=percent)
        page.chart(
            drawn, "Columns with gaps", "Share of empty cells; columns that are wholly empty stand in the table only."
        )
    columns = ["table", "column", "kind", "rows", "empty", "empty_share", "distinct", "lowest", "highest", "rejected"]
    page.table(told, "", columns=columns, contract="dq", formats={"empty_share": "percent"})
