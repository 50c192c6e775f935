"""The page of compliance diff: what rules change, when, and what that does to an order file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import NOTHING, figure, money, number, of, percent
from cbec.report.page import Chart, Figure

if TYPE_CHECKING:
    from cbec.report.page import Page, View

_BARS = 15
_CHARTS = 4
_SKUS = 25
_CHANGE = [
    "rule_id", "valid_from", "old_value", "new_value", "unit", "lines_changed", "skus", "difference", "currency", "reason", "scheme",
    "category", "citation",
]  # fmt: skip
#: The file beside the report holds duty, tax, status and rules too, before and after.
_LINE = [
    "order_id", "line", "sku", "date", "ship_to", "old_total", "new_total", "difference", "currency", "old_scheme", "new_scheme",
    "old_collected_by", "new_collected_by", "reason",
]  # fmt: skip
_DIFFERENCE: Any = {"difference": "money", "old_total": "money", "new_total": "money"}


def diff(page: Page, view: View) -> None:
    """Money at risk by country, rule and SKU; who collects instead; what loses its answer; every change with its source."""
    changes = view.table("rule_changes", "rule_id", "valid_from")
    page.section("At a glance")
    if changes is None:
        page.text("No rule says anything else than before.")
        return
    lines = view.table("line_changes", "difference", "currency", "reason_code")
    page.figures(_tiles(view, changes))
    if view.metric("lines") is None:
        page.text("No order lines were given (--order-lines): the changes stand alone, without lines and money.")
    if lines is not None:
        page.section("What it does to the orders")
        _money(page, view, lines)
        _moves(page, lines)
        _skus(page, lines)
        _lost(page, lines)
    page.section("The changes")
    touched = (
        changes.sort("lines_changed", descending=True, nulls_last=True, maintain_order=True)
        if "lines_changed" in changes.columns
        else changes
    )
    page.table(
        touched,
        "",
        columns=_CHANGE,
        contract="rule_changes",
        note="Lines that several changes touch count with each of them.",
    )
    days = changes.group_by("valid_from").agg(
        pl.len().alias("changes"), pl.col("jurisdiction").unique().sort().str.join(", ")
    )
    page.table(
        days.sort("valid_from", descending=True), "By the day from which they hold", labels={"jurisdiction": "where"}
    )
    if lines is not None:
        page.section("Rows")
        page.table(lines, "Lines taxed, collected or decided otherwise", columns=_LINE, contract="line_changes")


def _tiles(view: View, changes: pl.DataFrame) -> list[Figure | None]:
    of_lines = view.metric("lines")
    hit = view.metric("lines_changed") or 0
    lost = int(view.metric("lines_undetermined_by_change") or 0)
    moved = int(view.metric("lines_another_collects") or 0)
    tiles: list[Figure | None] = [
        Figure("Changes", number(changes.height), of(changes["rule_id"].n_unique(), "rule")),
        Figure("Lines changed", number(hit), f"{percent(hit / of_lines)} of {of_lines:,.0f} lines") if of_lines else None,
        Figure(
            "Orders and SKUs", f"{number(view.metric('orders_changed'))} / {number(view.metric('skus_changed'))}", "with such lines"
        ) if of_lines else None,
        Figure("Without an answer now", number(lost), "had one before", "bad" if lost else "good") if of_lines else None,
        Figure("Another collects", number(moved), "who charged or declared before no longer does") if moved else None,
    ]  # fmt: skip
    for currency in _currencies(view)[:3]:
        more, was = view.metric(f"difference_{currency}"), view.metric(f"old_due_{currency}")
        note = f"{percent(more / was)} of what was due" if more and was else "of the lines both decide"
        tiles.append(Figure(f"More due in {currency}", money(more, currency), note))
    return tiles


def _currencies(view: View) -> list[str]:
    """Currencies of the lines, that of the largest difference first."""
    metrics = view.summary.get("metrics") or {}
    found = [
        (abs(figure(v) or 0), k.removeprefix("difference_")) for k, v in metrics.items() if k.startswith("difference_")
    ]
    return [currency for amount, currency in sorted(found, key=lambda x: (-x[0], x[1])) if amount]


def _money(page: Page, view: View, lines: pl.DataFrame) -> None:
    currencies = _currencies(view)
    charts = []
    size = 340 if len(currencies) > 1 else 720
    for currency in currencies[:_CHARTS]:
        part = (
            lines.filter(pl.col("currency") == currency).group_by("ship_to").agg(pl.col("difference").sum(), pl.len())
        )
        top = (
            part.filter(pl.col("difference") != 0)
            .sort([pl.col("difference").abs(), "ship_to"], descending=[True, False])
            .head(_BARS)
        )
        names = [c or NOTHING for c in top["ship_to"].to_list()]
        drawn = svg.bars(
            f"More due in {currency}", names, {"more due": [figure(v) for v in top["difference"].to_list()]},
            write=lambda v: money(v, None), axis=currency, size=size, tones=["orange" if v > 0 else "green" for v in top["difference"].to_list()],
        )  # fmt: skip
        charts.append(Chart(drawn, f"More due in {currency}", of(int(part["len"].sum()), "line")))
    page.charts(
        charts,
        "More (or less) due, by country",
        "Orange: more is due, green: less. Each chart has the scale of its own currency.",
    )
    metrics = view.summary.get("metrics") or {}
    rows = [
        (c, *(figure(metrics.get(f"{side}_{c}")) for side in ("old_due", "new_due", "difference"))) for c in currencies
    ]
    table = pl.DataFrame(
        rows,
        schema={"currency": pl.String, "old_total": pl.Float64, "new_total": pl.Float64, "difference": pl.Float64},
        orient="row",
    )
    labels = {"old_total": "due before", "new_total": "due now", "difference": "more due"}
    page.table(table, "All lines that both states decide", labels=labels, formats=_DIFFERENCE)


def _moves(page: Page, lines: pl.DataFrame) -> None:
    """Lines whose scheme or collector is another."""
    by = ["ship_to", "old_scheme", "new_scheme", "old_collected_by", "new_collected_by", "currency"]
    differs = pl.any_horizontal(pl.col(f"old_{c}").ne_missing(pl.col(f"new_{c}")) for c in ("scheme", "collected_by"))
    moved = lines.filter(differs, ~pl.col("reason_code").is_in(["change_undetermined", "change_determined"]))
    if moved.height:
        told = (
            moved.group_by(by)
            .agg(pl.len().alias("lines"), pl.col("difference").sum())
            .sort(["lines", *by], descending=[True, *[False] * len(by)])
        )
        page.table(
            told,
            "Another scheme or collector",
            columns=[*by[:-1], "lines", "difference", "currency"],
            formats=_DIFFERENCE,
        )


def _skus(page: Page, lines: pl.DataFrame) -> None:
    told = lines.drop_nulls("difference").group_by("sku", "currency").agg(
        pl.len().alias("lines"), pl.col("order_id").n_unique().alias("orders"), pl.col("old_total", "new_total", "difference").sum()
    )  # fmt: skip
    told = told.sort([pl.col("difference").abs(), "sku", "currency"], descending=[True, False, False])
    labels = {"old_total": "due before", "new_total": "due now", "difference": "more due"}
    page.table(told, "SKUs with most at risk", labels=labels, formats=_DIFFERENCE, cap=_SKUS)


def _lost(page: Page, lines: pl.DataFrame) -> None:
    lost = lines.filter(pl.col("reason_code") == "change_undetermined")
    if lost.height:
        note = "They were taxed by the old rules; what is missing stands in the reason."
        columns = ["order_id", "line", "sku", "ship_to", "old_total", "currency", "reason"]
        page.table(
            lost, "Lines without an answer by the new rules", columns=columns, contract="line_changes", note=note
        )
