"""Pages of route: which way each shipment goes and what that costs, and what it emits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import figure, money, number, of, percent, plain
from cbec.report.page import Figure

if TYPE_CHECKING:
    from cbec.report.page import Format, Page, View

_BARS = 15
_ROWS = 100
_PARTS = {
    "freight": "freight",
    "surcharges": "surcharges",
    "handling": "handling",
    "capital_cost": "capital",
    "late_cost": "lateness",
    "loss_cost": "loss",
}
_MONEY: dict[str, Format] = dict.fromkeys((*_PARTS, "total_cost", "runner_up_cost", "_naive", "_saved"), "money")
_FORMATS: dict[str, Format] = _MONEY | {"p_on_time": "percent"}
_LABELS = {
    "modes": "way", "chargeable_kg": "chargeable kg", "capital_cost": "capital", "late_cost": "lateness", "loss_cost": "loss",
    "total_cost": "total", "p_on_time": "on time", "arrive_p50": "there by (50 %)", "arrive_p90": "there by (90 %)",
    "runner_up_cost": "runner-up total", "co2e_kg": "CO2e kg", "option_rank": "rank",
}  # fmt: skip
_CHOSEN = (
    "shipment_id", "modes", "lanes", "total_cost", "depart", "arrive_p50", "arrive_p90", "p_on_time", "runner_up", "runner_up_cost", "reason",
)  # fmt: skip
_EVERY = (
    "shipment_id", "option_rank", "modes", "lanes", *_PARTS, "total_cost", "arrive_p50", "p_on_time", "co2e_kg", "flags",
)  # fmt: skip
_POINTS = 150  # drawn per way
_DEARER = 8.0  # times the best option's cost at which a chart is cut


def plan(page: Page, view: View) -> None:
    """What the chosen ways cost and save, the price of speed, who is likely late, and who has no way at all."""
    options = view.table("options", "shipment_id", "option_rank", "modes", "total_cost")
    page.section("At a glance")
    if options is None:
        page.text("No shipment was given.")
        return
    best, stranded = options.filter(pl.col("option_rank") == 1), options.filter(pl.col("option_rank") == 0)
    currency = next(iter(options["currency"].drop_nulls().unique().sort().to_list()), None)
    page.figures(_tiles(view, best, stranded))
    if stranded.height:
        page.section("Shipments without a way", "They are in no sum above.")
        page.table(stranded, "", columns=["shipment_id", "reason"], contract="options")
    if not best.height:
        return
    page.section("How they go")
    _by_mode(page, best, currency)
    _pays(page, options, best, currency)
    _speed(page, options)
    _late(page, best)
    page.section("The way of each shipment")
    page.table(best, "", columns=_CHOSEN, contract="options", formats=_FORMATS, labels=_labels(currency))
    page.section("Every option", "The first of each shipment is the one above; flags say what another one is best at.")
    page.table(
        options.filter(pl.col("option_rank") > 0),
        "",
        columns=_EVERY,
        contract="options",
        formats=_FORMATS,
        labels=_labels(currency),
        cap=_ROWS,
    )
    legs = view.table("legs", "shipment_id", "option_rank", "leg")
    if legs is not None:
        page.section("Legs of the chosen ways")
        page.table(legs.filter(pl.col("option_rank") == 1).drop("option_rank"), "", contract="legs", cap=_ROWS)


def _labels(currency: str | None) -> dict[str, str]:
    """All amounts are in the home currency, which stands in the heading instead of every row."""
    return _LABELS | ({"total_cost": f"total ({currency})"} if currency else {})


def _tiles(view: View, best: pl.DataFrame, stranded: pl.DataFrame) -> list[Figure | None]:
    on_time, rule = view.metric("on_time"), view.metric("on_time_punctual")
    co2e, unknown = view.metric("co2e_kg"), view.metric("co2e_unknown")
    dearer, disrupted = view.metric("best_is_not_cheapest"), view.metric("disrupted")
    note = "" if rule is None else f"{percent(rule)} by the rule of thumb (cheapest that meets the date)"
    return [
        Figure("Shipments with a way", number(best.height), of(stranded.height, "shipment") + " without one", "bad" if stranded.height else "good"),
        None if on_time is None else Figure("Expected on time", percent(on_time), note),
        None
        if dearer is None
        else Figure("Worth more freight", number(dearer), "best in all, though not the cheapest in freight"),
        None if not disrupted else Figure("Met by disruptions", number(disrupted), "delayed or waiting, and still best"),
        None
        if co2e is None
        else Figure("Emissions", f"{number(co2e / 1000, 1)} t CO2e", f"unknown for {of(int(unknown), 'shipment')}" if unknown else "well to wheel"),
    ]  # fmt: skip


def _by_mode(page: Page, best: pl.DataFrame, currency: str | None) -> None:
    """What the chosen ways cost, by way and kind of cost."""
    parts = [c for c in _PARTS if c in best.columns]
    sums = best.group_by("modes").agg(pl.len().alias("n"), pl.col("total_cost").sum(), pl.col(parts).sum())
    top = sums.sort(["total_cost", "modes"], descending=[True, False]).head(_BARS)
    stacks = {_PARTS[c]: top[c].to_list() for c in parts if any(top[c].to_list())}
    amount = partial(_amount, currency)
    texts = [f"{amount(t)}, {of(n, 'shipment')}" for t, n in top.select("total_cost", "n").iter_rows()]
    names = [plain(m) for m in top["modes"].to_list()]
    drawn = svg.bars("Expected cost by way", names, stacks, write=amount, texts=texts)
    page.chart(
        drawn,
        "Expected cost by way",
        "Ways over two lanes are joined by >. Capital, lateness and loss are expected values.",
    )


def _amount(currency: str | None, value: float) -> str:
    return money(value, currency, cents=False)


def _pays(page: Page, options: pl.DataFrame, best: pl.DataFrame, currency: str | None) -> None:
    """Shipments whose best way is not the cheapest in freight."""
    cheapest = options.filter(_has("cheapest")).select(
        "shipment_id", pl.col("modes").alias("_way"), pl.col("total_cost").alias("_naive")
    )
    rows = (
        best.filter(~_has("cheapest")).join(cheapest, on="shipment_id", how="left")
        .with_columns((pl.col("_naive") - pl.col("total_cost")).alias("_saved"))
        .sort(["_saved", "shipment_id"], descending=[True, False])
    )  # fmt: skip
    if rows.height:
        page.section("Where more freight is worth it", "Dearer in freight than the cheapest way, and cheaper in all.")
        page.table(
            rows, "", columns=["shipment_id", "modes", "total_cost", "_way", "_naive", "_saved", "reason"], formats=_FORMATS,
            labels=_labels(currency) | {"_way": "cheapest in freight", "_naive": "its total", "_saved": "saved"},
        )  # fmt: skip


def _has(flag: str) -> pl.Expr:
    return pl.col("flags").fill_null("").str.split("|").list.contains(flag)


def _speed(page: Page, options: pl.DataFrame) -> None:
    """Every option by its days on the way and its cost beside the best of its shipment: the price of speed, by way."""
    if not {"depart", "arrive_p50"} <= set(options.columns):
        return
    lowest = pl.col("total_cost").min().over("shipment_id")
    rows = options.filter((pl.col("option_rank") > 0) & (lowest > 0)).with_columns(
        (pl.col("arrive_p50") - pl.col("depart")).dt.total_days().alias("_days"),
        (pl.col("total_cost") / lowest).alias("_times"),
    )
    if rows.height == rows["shipment_id"].n_unique():
        return  # nothing to compare
    order = rows.group_by("modes").len().sort(["len", "modes"], descending=[True, False])["modes"].to_list()
    shown = order[:7]
    groups: dict[str, list[tuple[float, float, str]]] = {}
    for mode in shown:
        some = rows.filter(pl.col("modes") == mode).sort("_times", "shipment_id", "_days")
        some = some.gather_every(-(-some.height // _POINTS))
        groups[plain(mode)] = [
            (float(days), float(times), f"{name}: {mode}, {days} days, {number(times, 2)} times the best")
            for name, days, times in some.select("shipment_id", "_days", "_times").iter_rows()
        ]
    drawn = svg.scatter(
        "Cost and time of the options", groups, x_title="days from departure to arrival (50 %)", y_title="total cost, times the best of the shipment",
        guides=[("y", 1.0, "the best")], limits=(None, _DEARER),
    )  # fmt: skip
    left = f" Not drawn: {', '.join(plain(m) for m in order[7:])}." if len(order) > len(shown) else ""
    page.section("The price of speed")
    page.chart(
        drawn,
        "Cost and time of the options",
        f"A point is an option. Those more than {_DEARER:g} times as dear lie at the upper edge.{left}",
    )


def _late(page: Page, best: pl.DataFrame) -> None:
    if "p_on_time" not in best.columns:
        return
    due = best.drop_nulls("p_on_time").sort(["p_on_time", "shipment_id"]).head(_BARS)
    if not due.height or (figure(due["p_on_time"][0]) or 0) >= 0.95:
        return
    rows = list(due.iter_rows(named=True))
    chances = [r["p_on_time"] for r in rows]
    texts = [f"{percent(r['p_on_time'], 0)}, {plain(r['modes'])}, there by {r['arrive_p50']} with 50 %" for r in rows]
    drawn = svg.bars(
        "Chance to be on time", [plain(r["shipment_id"]) for r in rows], {"on time": chances}, write=percent, texts=texts,
        tones=["orange" if p < 0.5 else "blue" for p in chances],
    )  # fmt: skip
    page.section(
        "Least likely to be on time", "By their best way: to hurry them costs more than it saves, or nothing is faster."
    )
    page.chart(
        drawn,
        "Chance to be on time",
        f"The {of(due.height, 'shipment')} with the lowest chance. Orange: more likely late than not.",
    )


def carbon(page: Page, view: View) -> None:
    """Emissions by mode, legs whose emissions are unknown, the factors used."""
    legs = view.table("carbon", "mode", "co2e_kg", "tonne_km")
    page.section("At a glance")
    if legs is None:
        page.text("No leg was given.")
        return
    known, unknown = legs.filter(pl.col("co2e_kg").is_not_null()), legs.filter(pl.col("co2e_kg").is_null())
    total, work = float(known["co2e_kg"].sum() or 0.0), float(known["tonne_km"].sum() or 0.0)
    page.figures(
        [
            Figure("Emissions", f"{number(total / 1000, 2)} t CO2e", "well to wheel"),
            Figure("Legs", number(legs.height), f"{number(work, 0)} t km"),
            Figure("Unknown", number(unknown.height), "in no sum here", "bad" if unknown.height else "good"),
            Figure("Per tonne-kilometre", f"{number(1000 * total / work, 0)} g") if work else None,
        ]
    )
    if known.height:
        sums = known.group_by("mode").agg(pl.len().alias("n"), pl.col("co2e_kg", "tonne_km", "ttw_kg", "wtt_kg").sum())
        top = sums.sort(["co2e_kg", "mode"], descending=[True, False]).head(_BARS)
        rows = list(top.iter_rows(named=True))
        texts = [f"{number(r['co2e_kg'], 0)} kg, {number(r['tonne_km'], 0)} t km" for r in rows]
        stacks = {"burning the fuel": [r["ttw_kg"] for r in rows], "making it": [r["wtt_kg"] for r in rows]}
        drawn = svg.bars("Emissions by mode", [plain(r["mode"]) for r in rows], stacks, texts=texts, axis="kg CO2e")
        page.section("By mode")
        page.chart(drawn, "Emissions by mode", "Tank to wheel and well to tank together are well to wheel.")
    if unknown.height:
        page.section("Unknown emissions", "A distance, a weight or a factor is missing: unknown is not zero.")
        page.table(
            unknown, "", columns=["shipment_id", "leg", "lane_id", "mode", "factor_id", "flags"], contract="carbon"
        )
    page.section("Legs")
    page.table(legs.drop("source", strict=False), "", contract="carbon")
    if {"factor_id", "source"} <= set(legs.columns):
        page.section("Factors and their sources")
        used = (
            legs.drop_nulls("source")
            .group_by("factor_id", "source")
            .agg(pl.len().alias("legs"), pl.col("co2e_kg").sum())
        )
        page.table(used.sort("factor_id"), "", columns=["factor_id", "legs", "co2e_kg", "source"], contract="carbon")


def ship(page: Page, view: View) -> None:
    """What leaves, where to, and what it is worth."""
    table = view.table("shipments")
    page.section("At a glance")
    if table is None:
        page.text("Nothing was ordered, so nothing is to be shipped.")
        return
    currency = str(table["currency"][0])
    page.figures(
        [
            Figure("Shipments", number(table.height)),
            Figure("Weight", f"{number(view.metric('weight_kg') or 0)} kg"),
            Figure("Volume", f"{number(view.metric('volume_m3') or 0, 1)} m³"),
            Figure("Goods", _amount(currency, view.metric("goods_value") or 0)),
        ]
    )
    page.section("Shipments")
    page.table(table.sort("ready_date", "due_date", "shipment_id"), "First to leave on top")


def leadtimes(page: Page, view: View) -> None:
    """What the ways chosen take to each warehouse, beside what the policies plan with."""
    table = view.table("route_lead_times", "warehouse", "lead_time_days", "policy_days", "shipments")
    page.section("At a glance")
    if table is None or not table.height:
        page.text("No shipment has a way: the policies stay as they are.")
        return
    off = table.filter(pl.col("reason_code").is_in(["lead_longer", "lead_shorter"]))
    weight = float(table["weight_kg"].sum())
    mean = float((table["lead_time_days"] * table["weight_kg"]).sum()) / weight if weight > 0 else None
    page.figures(
        [
            Figure("Order to shelf", f"{number(mean)} days", "mean over warehouses, by weight"),
            Figure("Far from their policy", of(off.height, "warehouse"), f"of {table.height}", "bad" if off.height else "good"),
            Figure("Shipments", number(table["shipments"].sum()), f"{number(weight)} kg"),
        ]
    )  # fmt: skip
    ranked = table.sort("weight_kg", "warehouse", descending=[True, False]).head(_BARS)
    page.section("Days from the order to the shelf")
    before = pl.col("lead_time_days") - pl.col("transport_days")
    stacks = {
        "until ready": ranked.select(before).to_series().to_list(),
        "on the way": ranked["transport_days"].to_list(),
    }
    told = ["policy: none" if d is None else f"policy: {number(d)}" for d in ranked["policy_days"].to_list()]
    drawn = svg.bars(
        "Days to each warehouse", ranked["warehouse"].to_list(), stacks, texts=told, axis="days", tones=["grey", "blue"], hatched=[0, 1]
    )  # fmt: skip
    page.chart(drawn, "Days by the ways chosen", "Behind the bar: what the policy of the warehouse plans with today.")
    page.section("Rows")
    page.table(ranked, "Warehouses, the heaviest first", contract="route_lead_times")
    following = view.table("policies_update", "lead_time_days")
    if following is not None:
        page.table(following, "The policies of the next orders", contract="policies_update")
