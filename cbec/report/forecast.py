"""Pages of forecast: demand as fan charts, the record beside the naive methods, orders with their stock ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core.words import PERIOD
from cbec.report import glossary, svg
from cbec.report.backtest import backtest
from cbec.report.clearance import clearance
from cbec.report.drivers import drivers
from cbec.report.explained import explained
from cbec.report.format import NOTHING, figure, number, of, percent, short, units
from cbec.report.levels import TOTALS, levels
from cbec.report.page import Chart, Figure
from cbec.report.series import WORDS, keys, last_period, name, rows_of, tone
from cbec.report.stock import replenish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Page, View

__all__ = ["backtest", "clearance", "demand", "replenish"]

_FANS = 12
_HISTORY = (40, 160)  # periods of history before a fan: four horizons, within these limits
_POINTS = 300  # points of a scatter, at most
_PERIODS = 60  # rows of the forecast per period, enough to see what the file holds
_WORDS = ("origin", "WAPE", "bias", "MAE", "value added", "ADI, CV2", "q05, q95", "seller formula", "seasonal naive")


def demand(page: Page, view: View) -> None:
    """Demand per series as a distribution, beside the record of the naive methods."""
    forecast, record = view.table("forecast", "h", "mean", "cum_mean"), view.table("model_record", "model")
    page.section("At a glance")
    page.figures(_demand_tiles(view, forecast, record))
    if forecast is None:
        page.text("No series was forecast.")
        return
    names = keys(forecast)
    explained(page, view)
    page.section("The largest series")
    _fans(page, view, forecast, names)
    drivers(page, view)
    if record is not None:
        page.section("Methods and their record")
        _record_pictures(page, record, names)
        _offenders(page, record, names)
    levels(page, view)
    page.section("Rows")
    page.table(
        last_period(forecast),
        "Total of the whole horizon, the largest series first",
        columns=[*names, "h", *TOTALS, "model", "flags"],
        labels={"h": "periods", **TOTALS},
        contract="forecast",
        formats=WORDS,
    )
    single = [
        "date",
        "h",
        "mean",
        "q05",
        "q25",
        "q50",
        "q75",
        "q95",
        "cum_mean",
        "cum_q05",
        "cum_q95",
        "naive",
        "seller_formula",
        "model",
    ]
    page.table(
        forecast,
        "Forecast per period",
        columns=[*names, *single],
        contract="forecast",
        formats=WORDS,
        note="cum = total of periods 1 to h; quantiles of periods do not add up to it.",
        cap=_PERIODS,
    )
    used = [forecast["model"], forecast["flags"]] if "flags" in forecast.columns else [forecast["model"]]
    if record is not None:
        page.table(
            record, "Record of every series", contract="model_record", formats=WORDS | {"value_added": "percent"}
        )
        used += [record["demand_class"]] if "demand_class" in record.columns else []
    glossary.words(page, _WORDS, *used)


def _demand_tiles(view: View, forecast: pl.DataFrame | None, record: pl.DataFrame | None) -> list[Figure | None]:
    count = record.height if record is not None else 0 if forecast is None else last_period(forecast).height
    tiles: list[Figure | None] = [Figure("Series", number(count))]
    if forecast is not None:
        last = last_period(forecast)
        periods, unit = _horizon(forecast)
        total = last["cum_mean"].round(4).sum()
        tiles.append(
            Figure("Expected units", short(round(float(total or 0.0))), f"the next {of(periods, unit)} together")
        )
    chosen, naive = view.metric("wape", "wape_chosen", "wape_model"), view.metric("wape_naive", "wape_seasonal_naive")
    seller = view.metric("wape_seller_formula", "wape_seller")
    if chosen is not None:
        tiles += [
            Figure(
                "Error (WAPE) of the chosen methods",
                percent(chosen),
                _beside(chosen, naive, seller),
                tone(chosen, naive),
            ),
            None if naive is None else Figure("Error of the seasonal naive", percent(naive)),
            None if seller is None else Figure("Error of the seller formula", percent(seller)),
        ]
        whole, rival = view.metric("wape_total_chosen"), view.metric("wape_total_naive")
        if whole is not None and rival is not None:
            beside = f"orders stand on such sums; seasonal naive {percent(rival)}"
            tiles.append(Figure("Error of totals of the horizon", percent(whole), beside, tone(whole, rival)))
    elif record is not None:
        tiles += _error_tiles(record)
    if record is not None and "value_added" in record.columns:
        judged = record["value_added"].drop_nulls()
        if judged.len():
            better = int((judged > 0).sum())
            tiles.append(
                Figure(
                    "Series better than naive",
                    percent(better / judged.len(), 0),
                    f"{better:,} of {judged.len():,} with a record",
                )
            )
    return tiles


def _error_tiles(record: pl.DataFrame) -> list[Figure | None]:
    known = record.drop_nulls([c for c in ("mae", "mae_naive") if c in record.columns])
    if not known.height or not {"mae", "mae_naive"} <= set(known.columns):
        return []
    chosen, naive = (float(known[c].round(4).sum()) for c in ("mae", "mae_naive"))
    if naive <= 0:
        return []
    change = chosen / naive - 1
    words = (
        "less error than the naive method"
        if change < 0
        else "more error than the naive method"
        if change > 0
        else "as the naive method"
    )
    return [
        Figure(
            "Error beside the naive method",
            percent(abs(change)),
            f"{words}; mean absolute errors of all series added",
            tone(chosen, naive),
        )
    ]


def _beside(chosen: float, naive: float | None, seller: float | None) -> str:
    parts = [
        f"{percent(abs(1 - chosen / other))} {'less' if chosen <= other else 'more'} than the {what}"
        for what, other in (("naive", naive), ("seller formula", seller))
        if other
    ]
    return ", ".join(parts)


def _horizon(forecast: pl.DataFrame) -> tuple[int, str]:
    frequency = forecast["frequency"][0] if "frequency" in forecast.columns else None
    return int(forecast["h"].max() or 0), PERIOD.get(str(frequency), "period")  # type: ignore[arg-type]


def _fans(page: Page, view: View, forecast: pl.DataFrame, names: Sequence[str]) -> None:
    every = last_period(forecast)
    top = every.head(_FANS)
    periods, unit = _horizon(forecast)
    ahead = rows_of(forecast, top, names, "date")
    before = rows_of(view.table("prepared", "date", "units"), top, names, "date")
    known = rows_of(view.table("model_record", "demand_class"), top, names, "model")
    charts: list[Chart] = []
    lines: list[svg.Line] = []
    bands: list[svg.Band] = []
    masked = False
    for last in top.iter_rows(named=True):
        key = tuple(last[n] for n in names)
        future = ahead.get(key, [])
        past = [r for r in before.get(key, []) if not future or r["date"] < future[0]["date"]][
            -min(max(_HISTORY[0], 4 * periods), _HISTORY[1]) :
        ]
        gaps = [
            svg.Mark(r["date"], "out of stock or not known", "cross", 0.0, "orange") for r in past if r["units"] is None
        ]
        masked = masked or bool(gaps)
        lines = [
            svg.Line("known demand", [(r["date"], r["units"]) for r in past], "ink"),
            svg.Line("expected (mean)", [(r["date"], r["mean"]) for r in future], "blue", "5 2"),
        ]
        bands = [
            svg.Band("90 % range", [(r["date"], r["q05"], r["q95"]) for r in future], "blue", 0.18),
            svg.Band("50 % range", [(r["date"], r["q25"], r["q75"]) for r in future], "blue", 0.3),
        ]
        title = name(last, names)
        drawn = svg.lines(title, lines, bands, gaps, y_title=f"units per {unit}", size=svg.SMALL, legend=False)
        about = known.get(key, [{}])[0].get("demand_class")
        words = [
            str(last.get("model")).replace("_", " "),
            *([str(about)] if about else []),
            f"{units(last['cum_mean'])} ({units(last.get('cum_q05'))} – {units(last.get('cum_q95'))})",
        ]
        charts.append(Chart(drawn, title, " · ".join(words)))
    caption = f"{len(charts)} of {every.height:,} series, by expected units of the next {of(periods, unit)}. Beside each name: method, class, expected total (its 90 % range)."
    marks = [svg.Mark(0, "out of stock or not known: left out of the model", "cross", 0, "orange")] if masked else []
    page.charts(charts, "Known demand and what is expected", caption, svg.legend([*lines, *bands, *marks]))


def _record_pictures(page: Page, record: pl.DataFrame, names: Sequence[str]) -> None:
    charts = [
        _counted(record, "model", "Methods chosen", "series"),
        _counted(record, "demand_class", "Classes of demand", "series"),
    ]
    if "value_added" in record.columns and record["value_added"].null_count() < record.height:
        edges = (
            ("worse", None, 0.0),
            ("0 to 5 %", 0.0, 0.05),
            ("5 to 15 %", 0.05, 0.15),
            ("15 to 30 %", 0.15, 0.3),
            ("over 30 %", 0.3, None),
        )
        values = [figure(v) for v in record["value_added"].to_list()]
        known = [v for v in values if v is not None]
        counts = [sum((a is None or v >= a) and (b is None or v < b) for v in known) for _, a, b in edges]
        drawn = svg.bars(
            "Series by error saved", [e[0] for e in edges], {"series": counts}, size=340, horizontal=False,
            tones=["orange", *["blue"] * 4], hatched=[True, *[False] * 4],
        )  # fmt: skip
        charts.append(
            Chart(
                drawn,
                "Error saved against the seasonal naive",
                "number of series; hatched: the naive method was better",
            )
        )
    page.charts([c for c in charts if c is not None])
    if {"adi", "cv2", "demand_class"} <= set(record.columns):
        _classes(page, record, names)


def _counted(frame: pl.DataFrame, column: str, title: str, what: str) -> Chart | None:
    if column not in frame.columns:
        return None
    counts = frame.group_by(column).len().sort(["len", column], descending=[True, False]).head(12)
    labels = [str(v).replace("_", " ") if v is not None else NOTHING for v in counts[column].to_list()]
    return Chart(svg.bars(title, labels, {what: counts["len"].to_list()}, size=340), title, f"number of {what}")


def _classes(page: Page, record: pl.DataFrame, names: Sequence[str]) -> None:
    known = record.drop_nulls(["adi", "cv2"]).sort(names)
    if not known.height:
        return
    thinned = known.gather_every(max(1, -(-known.height // _POINTS)))
    groups: dict[str, list[tuple[float, float, str]]] = {
        c: [] for c in sorted({str(c) for c in thinned["demand_class"].to_list()})
    }
    for row in thinned.iter_rows(named=True):
        groups[str(row["demand_class"])].append((row["adi"], row["cv2"], name(row, names)))
    few = f"; {thinned.height:,} of {known.height:,} series drawn" if thinned.height < known.height else ""
    # The borders of Syntetos, Boylan and Croston (2005), J. Oper. Res. Soc. 56: 495-503.
    drawn = svg.scatter(
        "Classes of demand", groups, x_title="mean interval between demands (periods)", y_title="squared variation of demand sizes (CV²)",
        guides=[("x", 1.32, "1.32"), ("y", 0.49, "0.49")], limits=(8.0, 3.0),
    )  # fmt: skip
    page.chart(
        drawn, "How regular demand is", f"Lower left is smooth, upper right lumpy; outliers are drawn at the edge{few}."
    )


def _offenders(page: Page, record: pl.DataFrame, names: Sequence[str]) -> None:
    if "mae" not in record.columns:
        return
    share = pl.col("mae").round(4).sum()
    worst = record.drop_nulls("mae").with_columns(
        (pl.when(share > 0).then(pl.col("mae") / share)).round(6).alias("error_share")
    )
    worst = worst.sort(["mae", *names], descending=[True, *[False] * len(names)]).head(20)
    columns = [
        *names,
        "demand_class",
        "model",
        "mae",
        "mae_naive",
        "mae_seller_formula",
        "value_added",
        "bias",
        "error_share",
        "flags",
    ]
    page.table(
        worst, "Worst offenders", columns=columns, contract="model_record", formats=WORDS | {"value_added": "percent", "error_share": "percent"},
        labels={"mae": "error of chosen", "mae_naive": "of naive", "mae_seller_formula": "of seller formula", "error_share": "share of all error"},
        note="Series with the largest mean absolute error (units per period): where better data or a judgement pays first.",
    )  # fmt: skip
