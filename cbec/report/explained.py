"""The part of the demand page about one series: how its forecast came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.core.words import PERIOD
from cbec.report import svg
from cbec.report.format import figure, number, of, percent, plain, units
from cbec.report.page import Chart, Figure
from cbec.report.series import keys, name, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Page, View

_HISTORY = 160
_TOLD = "forecast"


def explained(page: Page, view: View) -> None:
    """History and fan of the series, what would have been forecast at past origins, every method with weight and error."""
    frame = view.table("explained", "method", "origin", "h", "weight", "forecast")
    if frame is None:
        return
    names = keys(frame)
    title = name(frame.row(0, named=True), names)
    one = frame.select(names).unique()
    page.section(f"How the forecast of {title} came about")
    _figures(page, view, one, names)
    _history(page, view, one, names)
    _origins(page, frame)
    _methods(page, frame)


def _figures(page: Page, view: View, one: pl.DataFrame, names: Sequence[str]) -> None:
    found = rows_of(view.table("model_record", "demand_class"), one, names, "model")
    record: dict[str, Any] = next(iter(found.values()), [{}])[0]
    ahead = next(iter(rows_of(view.table("forecast", "h", "cum_mean"), one, names, "h").values()), [])
    if ahead:
        last = ahead[-1]
        per = PERIOD.get(str(last["frequency"]), "period")
        interval = figure(record.get("adi")) or 0.0
        often = f"a sale every {per}" if interval < 1.05 else f"a sale every {number(interval, 1)} {per}s"
        errors = " and ".join(number(record.get(c)) for c in ("mae", "mae_naive"))
        page.figures(
            [
                Figure("Expected", f"{units(last['cum_mean'])} units", f"the next {of(int(last['h']), per)}; 90 % range {units(last['cum_q05'])} – {units(last['cum_q95'])}"),
                Figure("Class", plain(record.get("demand_class")), f"{often}; CV² of the amounts {number(record.get('cv2'), 2)}"),
                Figure("Error beside the seasonal naive's", errors, f"units a {per}, mean absolute, at {of(int(record.get('origins') or 0), 'past origin')}"),
                Figure("Bias", number(record.get("bias"), 2), f"units a {per}: forecast less what came"),
            ]
        )  # fmt: skip
    if record.get("flags"):
        page.text("What preparation did: " + plain(record["flags"]).replace("_", " ").replace("|", ", ") + ".")


def _history(page: Page, view: View, one: pl.DataFrame, names: Sequence[str]) -> None:
    ahead = next(iter(rows_of(view.table("forecast", "h", "mean"), one, names, "date").values()), [])
    before = next(iter(rows_of(view.table("prepared", "date", "units"), one, names, "date").values()), [])
    if not ahead:
        return
    past = [r for r in before if r["date"] < ahead[0]["date"]][-_HISTORY:]
    gaps = [
        svg.Mark(r["date"], "out of stock or not known", "cross", 0.0, "orange") for r in past if r["units"] is None
    ]
    lines = [
        svg.Line("known demand", [(r["date"], r["units"]) for r in past], "ink"),
        svg.Line("expected (mean)", [(r["date"], r["mean"]) for r in ahead], "blue", "5 2"),
        svg.Line("seasonal naive", [(r["date"], r["naive"]) for r in ahead], "ochre", "2 2"),
        svg.Line("seller formula", [(r["date"], r["seller_formula"]) for r in ahead], "purple", "1 3"),
    ]
    bands = [
        svg.Band("90 % range", [(r["date"], r["q05"], r["q95"]) for r in ahead], "blue", 0.18),
        svg.Band("50 % range", [(r["date"], r["q25"], r["q75"]) for r in ahead], "blue", 0.3),
    ]
    unit = PERIOD.get(str(ahead[0]["frequency"]), "period")
    drawn = svg.lines("Known demand and what is expected", lines, bands, gaps, y_title=f"units per {unit}")
    page.chart(drawn, "Known demand and what is expected")


def _origins(page: Page, frame: pl.DataFrame) -> None:
    """Small pictures: what would have been told at each past origin, and what came."""
    told = frame.filter(pl.col("method") == _TOLD, pl.col("actual").is_not_null())
    charts: list[Chart] = []
    lines: list[svg.Line] = []
    for (origin,), rows in told.sort("origin", "h").group_by("origin", maintain_order=True):
        points = rows.select("date", "forecast", "actual").rows()
        lines = [
            svg.Line("what came", [(d, a) for d, _, a in points], "ink"),
            svg.Line("forecast then", [(d, f) for d, f, _ in points], "blue", "5 2"),
        ]
        gap = float((rows["forecast"] - rows["actual"]).sum())
        came = float(rows["actual"].sum())
        off = f"{units(float(rows['forecast'].sum()))} told, {units(came)} came" + (
            f" ({percent(gap / came)})" if came > 0 else ""
        )
        charts.append(
            Chart(
                svg.lines(f"From {origin}", lines, y_title="units", size=svg.SMALL, legend=False),
                f"Known up to {origin}",
                off,
            )
        )
    page.charts(
        charts,
        "What would have been forecast before",
        "From the past origins that methods are judged at.",
        svg.legend(lines),
    )


def _methods(page: Page, frame: pl.DataFrame) -> None:
    today = frame["origin"].max()
    known = pl.col("actual").is_not_null()
    error = (pl.col("forecast") - pl.col("actual")).filter(known)
    table = (
        frame.group_by("method")
        .agg(
            pl.col("weight").filter(pl.col("origin") == today).first(),
            pl.col("forecast").filter(pl.col("origin") == today).sum().alias("total"),
            error.abs().mean().alias("mae"),
            error.mean().alias("bias"),
        )
        .sort(
            [pl.col("method") != _TOLD, pl.col("weight"), pl.col("mae"), pl.col("method")],
            descending=[False, True, False, False],
        )
    )
    note = "Errors are those at the past origins; the weights stand on them, on those of the class and of the whole catalogue."
    told, used = (table.filter((pl.col("method") == _TOLD) == of) for of in (True, False))
    made, total = float((used["weight"] * used["total"]).sum()), float(told["total"].sum())
    if abs(total - made) > 0.005 * max(total, 1.0):
        note += f" Together they make {units(made)}; sums of series (levels) or analogues moved that to {units(total)}."
    page.table(
        table,
        "Methods",
        labels={"weight": "weight today", "total": "total of the horizon", "mae": "mean absolute error before"},
        formats={"method": "words", "weight": "percent"},
        note=note,
    )
