"""What `route plan` says beside its tables: the money headline, figures, findings and notes."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core import reasons
from cbec.core.money import Z90, Headline
from cbec.core.words import of
from cbec.methods.route import modes
from cbec.methods.route.answer import LIKELY

if TYPE_CHECKING:
    from cbec.methods.route.carbon import Factors
    from cbec.methods.route.plan import Case

#: finding_id, severity, entity, rule, message, money, currency
Found = tuple[str, str, str, str, str, float | None, str | None]
_EPOCH = date(1970, 1, 1)


#: Rules that people ship by; the headline compares with the one that costs less in all.
RULES = {
    "_cheapest": "the lowest freight, surcharges and handling, whatever the time",
    "_punctual": "the lowest freight, surcharges and handling that meets the due date by its mean transit, else the fastest",
}


def _by_rule(options: pl.DataFrame, rule: str) -> pl.DataFrame:
    return options.filter(pl.col(rule).fill_null(False))


def _some(n: int) -> str:
    return f"{of(n, 'shipment')}"


def _sum(frame: pl.DataFrame, column: str) -> float:
    return round(math.fsum(frame[column].drop_nulls().to_list()), 2)


def headline(case: Case, options: pl.DataFrame) -> Headline | str:
    """Today = the better of two plain rules; proposed = the lowest expected total. The range is that of arrivals."""
    best = options.filter(option_rank=1)
    if not best.height:
        return "no shipment has an option, so that there is nothing to compare"
    today, rule = min((_sum(_by_rule(options, rule), "total_cost"), rule) for rule in RULES)
    proposed = _sum(best, "total_cost")
    differs = options.filter((pl.col("option_rank") == 1) ^ pl.col(rule).fill_null(False))
    half = Z90 * math.sqrt(_sum(differs, "_var"))
    basis = (
        f"expected freight, surcharges, handling, capital, lateness and loss of {of(best.height, 'shipment')}; today = each by {RULES[rule]} "
        "(the better of two plain rules); the range is that of arrivals, taken as independent"
    )
    without = case.stranded.height
    if without:
        basis += f"; {_some(without)} without an option left out"
    return Headline(today, proposed, proposed - today - half, proposed - today + half, case.world.home, basis)


def metrics(case: Case, options: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Figures for summary.json, of the best options unless said otherwise."""
    best, naive = options.filter(option_rank=1), _by_rule(options, "_cheapest")
    punctual = _by_rule(options, "_punctual")

    def share(frame: pl.DataFrame) -> float | None:
        known = frame["p_on_time"].drop_nulls().to_list()
        return round(math.fsum(known) / len(known), 4) if known else None

    return {
        "shipments": case.ships.frame.height,
        "with_option": best.height,
        "without_option": case.stranded.height,
        "ways_found": case.found,
        "total_cost": _sum(best, "total_cost"),
        "total_cost_cheapest": _sum(naive, "total_cost"),
        "total_cost_punctual": _sum(punctual, "total_cost"),
        "outlay": _sum(best, "_outlay"),
        "late_cost": _sum(best, "late_cost"),
        "capital_cost": _sum(best, "capital_cost"),
        "best_is_not_cheapest": best.height - int(best["_cheapest"].sum() or 0),
        "over_two_lanes": int(best["modes"].str.contains(">").sum() or 0),
        "on_time": share(best),
        "on_time_cheapest": share(naive),
        "on_time_punctual": share(punctual),
        "disrupted": best.filter(pl.col("flags").str.split("|").list.contains("disrupted")).height,
        "co2e_kg": _sum(best, "co2e_kg") if best["co2e_kg"].count() else None,
        "co2e_kg_cheapest": _sum(naive, "co2e_kg") if naive["co2e_kg"].count() else None,
        "co2e_unknown": int(best["co2e_kg"].null_count()),
    }


def findings(case: Case, options: pl.DataFrame) -> list[Found]:
    """What a person should act on, most urgent first."""
    out = _stranded(options) + _late(case, options) + _lanes(case) + _events(case)
    cards = case.world.cards
    for lane in cards.overlapping["lane_id"].to_list():
        text = "weight bands of this lane overlap: the cheapest row that holds the weight is taken"
        out.append((f"overlapping_bands:{lane}", "warn", lane, "overlapping_bands", text, None, None))
    for rule, what in (("dg_unchecked", "dangerous goods"), ("temp_unchecked", "goods with a temperature range")):
        n = options.filter(pl.col("option_rank") == 1, pl.col("flags").str.split("|").list.contains(rule)).height
        if n:
            text = f"{_some(n)} of {what} with a best option that does not say whether it takes them: ask the carrier"
            out.append((f"{rule}:shipments", "warn", "shipments", rule, text, None, None))
    odd = case.ships.frame.filter(pl.col("due_date") < pl.col("ready_date"))
    for row in odd.iter_rows(named=True):
        text = f"due on {row['due_date']}, before it is ready on {row['ready_date']}"
        name = row["shipment_id"]
        out.append((f"due_before_ready:{name}", "warn", name, "due_before_ready", text, None, None))
    return out


def _stranded(options: pl.DataFrame) -> list[Found]:
    told = reasons.render(options.filter(option_rank=0))
    return [
        (f"no_option:{name}", "high", name, "no_option", reason, None, None)
        for name, reason in told.select("shipment_id", "reason").iter_rows()
    ]


def _late(case: Case, options: pl.DataFrame) -> list[Found]:
    late = options.filter(pl.col("option_rank") == 1, pl.col("p_on_time") < LIKELY)
    out: list[Found] = []
    for row in late.iter_rows(named=True):
        name, due = row["shipment_id"], case.ships.frame["due_date"][row["_shipment"]]
        text = (
            f"even the best option ({row['_name']}) meets the due date {due} with {100 * row['p_on_time']:.0f} % only; "
            f"it is there by {row['arrive_p50']} with 50 %"
        )
        out.append((f"late_likely:{name}", "warn", name, "late_likely", text, row["late_cost"], case.world.home))
    return out


def _lanes(case: Case) -> list[Found]:
    """Lanes that would have been looked at, and why they were not."""
    frame = case.world.cards.frame
    out: list[Found] = []
    for row in case.turned_down.iter_rows(named=True):
        lane, some, why = row["lane_id"], _some(row["shipments"]), row["why"]
        if why == "gap":
            bands = frame.filter(pl.col("tariff") == frame["tariff"][row["row"]])
            ends = zip(bands["high"].cum_max()[:-1], bands["floor"][1:], strict=True)
            gaps = ", ".join(f"{a:g} to {b:g}" for a, b in ends if b > a)
            text = f"no rate for {some} of {row['kg_low']:g} to {row['kg_high']:g} kg: the weight bands leave a gap ({gaps} kg)"
            out.append((f"rate_gap:{lane}", "warn", lane, "rate_gap", text, None, None))
        elif why == "expired":
            text = f"the rate ended on {frame['valid_to'][row['row']]}: not used for {some}; ask for a new one"
            out.append((f"rate_expired:{lane}", "warn", lane, "rate_expired", text, None, None))
        elif why == "closed":
            text = f"closed by a disruption, without a departure in time: not used for {some}"
            out.append((f"lane_closed:{lane}", "warn", lane, "lane_closed", text, None, None))
    return out


def _events(case: Case) -> list[Found]:
    out: list[Found] = []
    for row in case.world.disrupted.unmet().iter_rows(named=True):
        name = f"{row['scope']} {row['code']}"
        text = "no lane meets this disruption"
        if row["scope"] == "passage":
            text += ": lanes must name the passages on their way (column passages)"
        out.append((f"disruption_unmet:{name}:{row['start']}", "warn", name, "disruption_unmet", text, None, None))
    return out


def notes(case: Case, factors: Factors) -> list[str]:
    """Assumptions and doubts, in words."""
    ships, built, terms = case.ships, case.world, case.world.terms
    frame = built.cards.frame
    out = [f"nothing leaves before {built.today}; amounts are converted at the last fixing at or before it"]
    if np.any(ships.capital_assumed):
        some = _some(int(ships.capital_assumed.sum()))
        out.append(f"{some} without capital_rate: {terms.capital_rate:g} a year is taken (setting capital_rate)")
    if np.any(ships.late_assumed):
        some = _some(int(ships.late_assumed.sum()))
        out.append(
            f"{some} with a due date but without late_cost_per_day: {100 * terms.late_share:g} % of the goods value a day is "
            "taken (setting late_share)"
        )
    worthless = int((ships.value == 0).sum())
    if worthless:
        out.append(f"{_some(worthless)} of no goods value: their capital and loss cost nothing")
    lanes = frame.with_columns(
        _spread=pl.Series(built.spread_assumed), _word=pl.col("mode").map_elements(modes.of, return_dtype=pl.String)
    )

    def count(which: pl.Expr) -> int:
        return lanes.filter(which)["lane_id"].n_unique()

    if n := count(pl.col("_spread")):
        out.append(
            f"{of(n, 'lane', 'tell')} no transit_sd_days: {100 * terms.transit_cv:g} % of the transit time is taken (transit_cv)"
        )
    if n := count(pl.col("_word").is_in(["air", "express"]) & pl.col("dim_divisor").is_null()):
        out.append(f"{n} air and express lanes tell no dim_divisor: they are charged by gross weight")
    if n := count(pl.col("loss_rate").is_null()):
        out.append(f"{of(n, 'lane', 'tell')} no loss_rate: no loss is counted there")
    if n := count(pl.col("distance_km").is_null()):
        out.append(f"{of(n, 'lane', 'tell')} no distance_km: their emissions are unknown")
    out.append(f"emission factors: {factors.title}, well to wheel, by gross weight")
    if factors.valid_to is not None and bool(np.any(case.costed.ways.depart > (factors.valid_to - _EPOCH).days)):
        out.append(
            f"the emission factors are meant for activity until {factors.valid_to}; later legs use them all the same"
        )
    if case.skipped:
        out.append(
            f"{of(case.skipped, 'pair')} of lanes {'was' if case.skipped == 1 else 'were'} ruled out by an estimate of cost, time and emissions, and not looked at closer"
        )
    out.append("duties, taxes and safety stock are not in these costs")
    return out
