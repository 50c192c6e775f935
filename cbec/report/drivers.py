"""The part of the demand page about what moves it: base, promotions, holidays, events, prices and signals in units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import number, percent, short
from cbec.report.page import Chart, Figure
from cbec.report.series import keys, name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Page, View

_TONES = {"promotion": "orange", "holiday": "green", "event": "ochre", "price": "sky", "signal": "grey"}
_SERIES = 6
_ROWS = 60


def drivers(page: Page, view: View) -> None:
    """Stacked areas of all series and of those that promotions move most, sums by driver, the rows."""
    told = view.table("drivers", "h", "base", "mean")
    if told is None or not told.height:
        return
    kinds = [k for k in _TONES if float(told[k].abs().sum()) > 0.5]
    page.section(
        "What moves demand", "Each forecast is base and what the drivers add or take away; together they are its mean."
    )
    base, mean = float(told["base"].sum()), float(told["mean"].sum())
    tiles: list[Figure | None] = [Figure("Base", short(round(base)), "units without any driver")]
    for kind in kinds:
        sum_ = float(told[kind].sum())
        tiles.append(
            Figure(
                f"By {kind}",
                f"{'+' if sum_ > 0 else ''}{short(round(sum_))}",
                f"{percent(sum_ / base)} of base" if base else "",
            )
        )
    page.figures(tiles)
    names = keys(told)
    count = told.select(names).n_unique()
    whole = told.group_by("date").agg(pl.col("base", "mean", *kinds).sum()).sort("date")
    charts = [
        Chart(
            _stacked("all series", whole, kinds),
            "All of them together",
            f"{number(count)} series, {short(round(mean))} units",
        )
    ]
    if kinds:
        moved = told.group_by(names).agg(pl.sum_horizontal(pl.col(kinds).abs()).sum().alias("moved"))
        for row in (
            moved.sort(["moved", *names], descending=[True, *[False] * len(names)])
            .head(_SERIES - 1)
            .iter_rows(named=True)
        ):
            one = told.filter(*[pl.col(n).eq_missing(row[n]) for n in names]).sort("h")
            sums = [f"{kind} {float(one[kind].sum()):+.0f}" for kind in kinds if abs(float(one[kind].sum())) >= 0.5]
            charts.append(Chart(_stacked(name(row, names), one, kinds), name(row, names), " · ".join(sums)))
    areas = [svg.Band("base", [], "blue", 0.15), *(svg.Band(kind, [], _TONES[kind], 0.5) for kind in kinds)]
    shown = svg.legend([svg.Line("expected (mean)", [], "blue", "5 2"), *areas])
    page.charts(
        charts,
        "Base and drivers",
        "First all series that a driver touches, then those that are moved most.",
        shown,
    )
    top = told.sort(
        [pl.sum_horizontal(pl.col(kinds).abs()) if kinds else "mean", *names, "h"],
        descending=[True, *[False] * (len(names) + 1)],
    )
    page.table(
        top, "Periods that are moved most", columns=[*names, "date", "base", *kinds, "mean", "names"], contract="drivers", cap=_ROWS,
    )  # fmt: skip


def _stacked(title: str, rows: pl.DataFrame, kinds: Sequence[str]) -> str:
    """The mean as a line over areas: the base, then each driver from where the one before ended."""
    dates, level = rows["date"].to_list(), rows["base"].to_list()
    bands = [svg.Band("base", [(d, 0.0, b) for d, b in zip(dates, level, strict=True)], "blue", 0.15)]
    for kind in kinds:
        upper = [b + k for b, k in zip(level, rows[kind].to_list(), strict=True)]
        area = [(d, min(a, b), max(a, b)) for d, a, b in zip(dates, level, upper, strict=True)]
        bands.append(svg.Band(kind, area, _TONES[kind], 0.5))
        level = upper
    mean = svg.Line("expected (mean)", list(zip(dates, rows["mean"].to_list(), strict=True)), "blue", "5 2")
    return svg.lines(title, [mean], bands, y_title="units", size=svg.SMALL, legend=False)
