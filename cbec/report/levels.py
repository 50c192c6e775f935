"""The part of the demand page about sums of series: what each level is expected to sell, and how near each way was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core.words import PERIOD
from cbec.report import svg
from cbec.report.format import number, percent, plain, short
from cbec.report.page import Chart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Page, View

#: Columns of the total of all periods, and what they are called.
TOTALS = {"cum_mean": "expected"} | {f"cum_{q}": q for q in ("q05", "q25", "q50", "q75", "q95", "q99")}
_FANS = 9
_ROWS = 60
_WAYS = {
    "bottom_up": "sums of the series",
    "mint": "least squares over all levels",
    "own": "the level alone (does not add up)",
}
_TONES = {"bottom_up": "grey", "mint": "blue", "own": "ochre"}


def levels(page: Page, view: View) -> None:
    """A fan per node of the highest levels, the record per level, the rows."""
    forecast, record = (
        view.table("forecast_levels", "level", "node", "h", "mean"),
        view.table("level_record", "level", "wape"),
    )
    if forecast is None:
        return
    way = str(forecast["model"][0])
    page.section(
        "Sums of series",
        f"Coherent by {_WAYS[way]}: what a total, market or category is expected to sell is what its series are.",
    )
    _fans(page, forecast)
    if record is not None:
        _record(page, record)
    last = forecast.filter(pl.col("h") == pl.col("h").max()).sort(
        ["cum_mean", "level", "node"], descending=[True, False, False]
    )
    page.table(
        last,
        "Total of the whole horizon, the largest sums first",
        columns=["level", "node", "series", *TOTALS],
        labels=TOTALS,
        contract="forecast_levels",
        cap=_ROWS,
    )


def _fans(page: Page, forecast: pl.DataFrame) -> None:
    size = forecast.filter(pl.col("h") == pl.col("h").max()).select("level", "node", "cum_mean", "series")
    ranked = size.sort(["series", "cum_mean", "level", "node"], descending=[True, True, False, False]).head(_FANS)
    period = PERIOD.get(str(forecast["frequency"][0]), "period")
    charts: list[Chart] = []
    lines: list[svg.Line] = []
    bands: list[svg.Band] = []
    for level, node, total, series in ranked.select("level", "node", "cum_mean", "series").iter_rows():
        rows = forecast.filter(pl.col("level") == level, pl.col("node") == node).sort("h")
        told = rows.select("date", "mean", "q05", "q25", "q75", "q95").rows()
        lines = [svg.Line("expected (mean)", [(d, mean) for d, mean, *_ in told], "blue", "5 2")]
        bands = [
            svg.Band("90 % range", [(d, low, high) for d, _, low, _, _, high in told], "blue", 0.18),
            svg.Band("50 % range", [(d, low, high) for d, _, _, low, high, _ in told], "blue", 0.3),
        ]
        drawn = svg.lines(f"{level} {node}", lines, bands, y_title=f"units per {period}", size=svg.SMALL, legend=False)
        charts.append(Chart(drawn, node, f"{level}, {number(series)} series: {short(round(total))} units in all"))
    page.charts(charts, "The largest sums", f"Expected units per {period}.", svg.legend([*lines, *bands]))


def _record(page: Page, record: pl.DataFrame) -> None:
    ways = [w for w in _WAYS if w in set(record["method"].to_list())]
    table = record.pivot("method", index=["level", "nodes"], values="wape", aggregate_function="first").sort(
        "nodes", "level"
    )
    names = [f"{level} ({number(nodes)})" for level, nodes in table.select("level", "nodes").iter_rows()]
    charts = [_one(way, names, table[way].to_list()) for way in ways if way in table.columns]
    page.charts(
        charts, "Errors (WAPE) at the past origins, per level", "How many sums a level has stands behind its name."
    )


def _one(way: str, names: Sequence[str], values: Sequence[float | None]) -> Chart:
    shown = [100 * (v or 0.0) for v in values]
    told = ["" if v is None else percent(v) for v in values]
    drawn = svg.bars(
        plain(way),
        list(names),
        {"WAPE": shown},
        texts=told,
        size=340,
        axis="% of demand",
        tones=[_TONES[way]] * len(names),
    )
    return Chart(drawn, _WAYS[way], "")
