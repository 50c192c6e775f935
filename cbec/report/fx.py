"""Pages of fx: rates ahead as fans with their record, what is open and what it risks, forwards and what they change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import figure, money, number, of, percent, short
from cbec.report.page import Chart, Figure

if TYPE_CHECKING:
    from cbec.report.page import Format, Page, View

__all__ = ["exposure", "forecast", "hedge"]

_FANS = 12
_PAST = 120  # fixings before a fan
_HEAT = 20  # pairs of the record
_BARS = 24
_PREDICTIVE = ("autoregression", "reversion")
_CHOICES = {
    "do_nothing": "do nothing",
    "hedge_half": "hedge half",
    "hedge_all": "hedge all",
    "hedge_gross": "hedge receipts gross",
    "proposed": "proposed",
}


def forecast(page: Page, view: View) -> None:
    """What may happen to each rate, and whether anything beats no change."""
    table = view.table("fx_forecast", "base", "quote", "horizon_days", "mean")
    page.section("At a glance")
    if table is None:
        page.text("No pair was forecast.")
        return
    told = table.filter(pl.col("mean").is_not_null())
    _forecast_tiles(page, table, told)
    if told.height:
        page.section("Rates ahead")
        _fans(page, view, told)
        page.section("Record")
        _record(page, told)
    page.section("Rows")
    columns = [
        "base", "quote", "horizon_days", "target_date", "spot", "q01", "q05", "q50", "q95", "q99", "mean", "model", "rw_ratio", "coverage_90",
        "origins", "verdict",
    ]  # fmt: skip
    page.table(
        _rates(table, *(c for c in columns if c in {"spot", "mean", "sd"} or (c[0] == "q" and c != "quote"))), "", columns=columns, contract="fx_forecast", formats={"coverage_90": "percent"},
        labels={"rw_ratio": "error beside no change", "coverage_90": "inside 90 % range"},
    )  # fmt: skip


def _forecast_tiles(page: Page, table: pl.DataFrame, told: pl.DataFrame) -> None:
    pairs = told.select("base", "quote").n_unique()
    refused = table.select("base", "quote").n_unique() - pairs
    models = told.filter(pl.col("model").is_in(_PREDICTIVE)).height
    tested = told.filter(pl.col("p_value").is_not_null()).height
    first = told.filter(pl.col("horizon_days") == pl.col("horizon_days").min())
    inside = first["coverage_90"].drop_nulls()
    tails = first["kupiec_p"].drop_nulls()
    rejected = int((tails < 0.05).sum())
    verdict = "no evidence that a rate can be told ahead" if not models else "beyond doubt, by past origins"
    page.figures(
        [
            Figure("Pairs", number(pairs), f"{of(refused, 'pair')} cannot be told" if refused else ""),
            Figure("A model beats no change", f"{models} of {tested}", f"pairs and horizons; {verdict}")
            if tested
            else None,
            Figure(
                "Outcomes inside the 90 % range",
                percent(float(inside.round(4).mean())),  # type: ignore[arg-type]
                f"mean of the pairs, {first['horizon_days'][0]} business day ahead",
            )
            if inside.len()
            else None,
            Figure(
                "1 % tail rejected",
                f"{rejected} of {tails.len()}",
                "pairs, Kupiec's test at 5 %: about one in twenty is chance",
                "bad" if rejected > max(1, tails.len() // 10) else "good",
            )
            if tails.len()
            else None,
        ]
    )


def _fans(page: Page, view: View, told: pl.DataFrame) -> None:
    history = view.table("fx_history", "base", "quote", "date", "rate")
    last = told.filter(pl.col("horizon_days") == pl.col("horizon_days").max().over("base", "quote"))
    widest = last.with_columns((pl.col("sd") / pl.col("spot")).round(8).alias("width"))
    widest = widest.sort(["width", "base", "quote"], descending=[True, False, False])
    charts: list[Chart] = []
    lines: list[svg.Line] = []
    bands: list[svg.Band] = []
    for row in widest.head(_FANS).iter_rows(named=True):
        one = (pl.col("base") == row["base"]) & (pl.col("quote") == row["quote"])
        ahead = told.filter(one).sort("horizon_days").rows(named=True)
        today = row["spot"]
        start = (row["as_of"], 0.0)
        past = [] if history is None else history.filter(one).sort("date").tail(_PAST).select("date", "rate").rows()
        # As change from today's rate, so that pairs can be compared (and an axis from zero would squeeze a rate).
        lines = [
            svg.Line("past fixings", [(d, rate / today - 1) for d, rate in past] or [start], "ink"),
            svg.Line("median", [start, *((r["target_date"], r["q50"] / today - 1) for r in ahead)], "blue", "5 2"),
        ]
        bands = [
            svg.Band(
                label,
                [(*start, 0.0), *((r["target_date"], r[low] / today - 1, r[high] / today - 1) for r in ahead)],
                "blue",
                dark,
            )
            for label, low, high, dark in (
                ("98 % range", "q01", "q99", 0.12),
                ("90 % range", "q05", "q95", 0.2),
                ("50 % range", "q25", "q75", 0.3),
            )
        ]
        title = f"{row['base']}/{row['quote']}"
        drawn = svg.lines(title, lines, bands, size=svg.SMALL, legend=False, as_percent=True)
        about = f"{row['model']} · {_rate(row['spot'])}, {of(row['horizon_days'], 'day')} ahead {_rate(row['q05'])} – {_rate(row['q95'])}"
        charts.append(Chart(drawn, title, about))
    caption = f"Change from today's rate; {len(charts)} of {of(last.height, 'pair')}, the widest first. Beside each name: centre, today's rate, 90 % range at the longest horizon."
    page.charts(charts, "Past fixings and what may come", caption, svg.legend([*lines, *bands]))


def _rate(value: float) -> str:
    return number(value, 6 if abs(value) < 0.1 else 4 if abs(value) < 100 else 2)


def _rates(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Rates as text, each with the decimals of its size: yen and euros stand in one column."""
    return frame.with_columns(
        pl.Series(c, [None if v is None else _rate(v) for v in frame[c].to_list()], dtype=pl.String)
        for c in columns
        if c in frame.columns
    )


def _record(page: Page, told: pl.DataFrame) -> None:
    """Heat maps: error beside no change, and coverage, per pair and horizon."""
    named = told.with_columns(pl.concat_str("base", "quote", separator="/").alias("pair")).sort("pair", "horizon_days")
    pairs = named["pair"].unique().sort().to_list()[:_HEAT]
    days = named["horizon_days"].unique().sort().to_list()
    found = {(r["pair"], r["horizon_days"]): r for r in named.iter_rows(named=True)}

    def grid(column: str) -> list[list[float | None]]:
        return [[figure(found.get((p, d), {}).get(column)) for d in days] for p in pairs]

    heads = [f"{d} d" for d in days]
    few = (
        f" The first {len(pairs)} of {named['pair'].n_unique()} pairs." if named["pair"].n_unique() > len(pairs) else ""
    )
    charts = [
        Chart(
            svg.heatmap("Error beside no change", pairs, heads, grid("rw_ratio"), write=partial(number, digits=4), note="1 = as no change", size=340),
            "Error beside no change", f"Root mean squared log error over past origins; below 1 = better than no change.{few}",
        ),
        Chart(
            svg.heatmap("Inside the 90 % range", pairs, heads, grid("coverage_90"), write=partial(percent, digits=0), note="0.90 is right", size=340),
            "Inside the 90 % range", f"Share of past outcomes; far horizons stand on few independent ones.{few}",
        ),
    ]  # fmt: skip
    page.charts(charts)


def exposure(page: Page, view: View) -> None:
    """How much is open, in which currency, when, and whose risk it is."""
    rows = view.table("exposure_report", "currency", "bucket", "home_value")
    risks = view.table("currency_risk", "currency", "cvar_share")
    page.section("At a glance")
    if rows is None or risks is None:
        page.text("Nothing is open in a foreign currency.")
        return
    cvar, bare, alone = view.metric("cvar"), view.metric("cvar_without_hedges"), view.metric("diversification")
    level = view.metric("level")
    worst = f"mean of the worst {percent(1 - level, 0)} of outcomes" if level else ""
    page.figures(
        [
            Figure("Open, both directions", short(view.metric("open_value"))),
            None if cvar is None else Figure("At risk (CVaR)", short(cvar), worst),
            None if bare is None or cvar is None else Figure("Without the forwards that stand", short(bare), "CVaR", "good" if cvar < bare else ""),
            None if alone is None else Figure("Saved by moving apart", percent(alone), "CVaR together beside the sum of the currencies' own"),
        ]
    )  # fmt: skip
    page.section("Whose risk it is")
    ranked = risks.sort(["cvar_share", "currency"], descending=[True, False])
    drawn = svg.bars(
        "Share of the risk", ranked["currency"].to_list(), {"share": ranked["cvar_share"].to_list()}, write=short,
        ticks=("alone", ranked["cvar"].to_list()), axis="home currency",
        tones=["blue" if v >= 0 else "green" for v in ranked["cvar_share"].to_list()],
    )  # fmt: skip
    page.chart(
        drawn,
        "Each currency's part of the CVaR",
        "Bars add up to the CVaR of all together; below zero = it offsets others. Mark: the currency alone.",
    )
    _buckets(page, rows)
    page.section("By currency")
    columns = [
        "currency",
        "gross_in",
        "gross_out",
        "hedged",
        "open",
        "netted",
        "home_value",
        "cvar",
        "cvar_share",
        "reason",
    ]
    page.table(ranked, "", columns=columns, contract="currency_risk", formats={"netted": "percent"})
    page.section("By currency and time")
    page.table(_rates(rows, "spot"), "", contract="exposure_report")


def _buckets(page: Page, rows: pl.DataFrame) -> None:
    buckets = rows["bucket"].unique().sort().to_list()[:_BARS]
    values = {(r["currency"], r["bucket"]): r["home_value"] for r in rows.iter_rows(named=True)}
    sizes = rows.group_by("currency").agg(pl.col("home_value").abs().round(2).sum())
    top = sizes.sort(["home_value", "currency"], descending=[True, False])["currency"].to_list()
    stacks: dict[str, list[float | None]] = {c: [values.get((c, b), 0.0) for b in buckets] for c in top[:5]}
    rest = top[5:]
    if rest:
        stacks[f"{len(rest)} others"] = [sum(values.get((c, b), 0.0) for c in rest) for b in buckets]
    drawn = svg.bars("Open by time", buckets, stacks, write=short, axis="home currency")
    page.chart(
        drawn, "When it is due", "Open amounts after netting and forwards, at today's rates; to the left = to be paid."
    )


_TICKETS = (
    "currency",
    "value_date",
    "action",
    "notional",
    "forward",
    "carry",
    "spread",
    "ratio_before",
    "ratio_after",
    "reason",
)
_ROWS = (
    "currency", "bucket", "net", "open_before", "open_after", "ratio_before", "ratio_after", "cvar_before", "cvar_after", "policy_check", "reason",
)  # fmt: skip
_SHARES: dict[str, Format] = {"ratio_before": "percent", "ratio_after": "percent"}


def hedge(page: Page, view: View) -> None:
    """The plan beside the simple ways, the forwards to deal, and what they change."""
    plan = view.table("hedge_plan", "currency", "bucket", "action", "notional")
    choices = view.table("hedge_choices", "choice", "cvar", "total")
    page.section("At a glance")
    if plan is None:
        page.text("Nothing is open in a foreign currency.")
        return
    deals = plan.filter(pl.col("action") != "none")
    home = view.currency
    carry = view.metric("carry")
    bound, gap = view.metric("bound"), view.metric("gap")
    page.figures(
        [
            Figure("Forwards to deal", number(deals.height), f"of {of(plan.height, 'row')}"),
            Figure("Their value", money(view.metric("traded"), home)),
            Figure("Spread", money(view.metric("spread"), home), "half of bid-ask"),
            None if carry is None else Figure("Forward points", money(abs(carry), home), "cost" if carry > 0 else "pay; not counted as saved" if carry < 0 else ""),
            None if gap is None else Figure("From the best possible", percent(gap, 2), f"bound of the solver {money(bound, home)}; whole steps cost the rest"),
        ]
    )  # fmt: skip
    if choices is not None:
        _ways(page, choices, home)
    if deals.height:
        page.section("Forwards to deal")
        page.table(_rates(deals, "forward"), "", columns=_TICKETS, contract="hedge_plan", formats=_SHARES)
    page.section("What changes")
    _changes(page, plan)
    page.section("Every row")
    page.table(plan, "", columns=_ROWS, contract="hedge_plan", formats=_SHARES)


def _ways(page: Page, choices: pl.DataFrame, home: str | None) -> None:
    order = {name: i for i, name in enumerate(_CHOICES)}
    ranked = sorted(choices.iter_rows(named=True), key=lambda r: order.get(r["choice"], len(order)))
    labels = [_CHOICES.get(r["choice"], str(r["choice"])) for r in ranked]
    stacks: dict[str, list[Any]] = {
        "worst outcomes (CVaR)": [r["cvar"] for r in ranked],
        "spread and carry": [r["total"] - r["cvar"] for r in ranked],
    }
    drawn = svg.bars("The ways", labels, stacks, write=short, axis=home or "")
    page.chart(
        drawn,
        "The plan beside the simple ways",
        "Risk left and what it costs; the simple ways are not rounded to whole steps, and some break the policy.",
    )
    named = choices.with_columns(pl.col("choice").replace(_CHOICES))
    page.table(named, "", contract="hedge_choices", labels={"in_policy": "within the policy"})


def _changes(page: Page, plan: pl.DataFrame) -> None:
    top = plan.with_columns(
        pl.max_horizontal(pl.col("cvar_before").abs(), pl.col("cvar_after").abs()).round(2).alias("size")
    )
    top = top.sort(["size", "currency", "bucket"], descending=[True, False, False]).head(_BARS)
    names = [f"{r['currency']} {r['bucket']}" for r in top.iter_rows(named=True)]
    both = zip(top["cvar_before"].to_list(), top["cvar_after"].to_list(), strict=True)
    drawn = svg.bars(
        "Risk by row", names, {"after": top["cvar_after"].to_list()}, write=short, ticks=("today", top["cvar_before"].to_list()),
        texts=[f"{short(round(now))} → {short(round(then))}" for now, then in both],
    )  # fmt: skip
    page.chart(
        drawn,
        "Each row's part of the worst outcomes",
        "Bar: under the plan; mark: today. Below zero = it offsets the others.",
    )
