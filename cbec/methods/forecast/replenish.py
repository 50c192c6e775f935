"""The answer of `forecast replenish`: rows with their reasons, findings, figures and notes from the computed arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods import counts, words
from cbec.methods.forecast import limits
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR, Costing, Outcome
from cbec.methods.forecast.orders import whole_packs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.stockcase import Case
    from cbec.methods.protection import Floats
    from cbec.methods.terms import Stock

    Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Choices:
    """Ways to order (n units each) and what each is expected to cost. seller: NaN where it has no rate.

    uncut: the orders before the limits. shipped: containers of the seller formula's orders and what of them is empty room
    (None: no containers, or not to be told). Of lots for firm orders: ours beside an order per period that needs one, which
    stands where the seller formula's would.
    """

    seller: Floats
    ours_cost: Outcome
    seller_cost: Outcome
    none_cost: Outcome
    uncut_cost: Outcome
    sd: float
    shipped: tuple[float, float] | None


def choices(case: Case) -> Choices:
    """Our orders beside the seller formula's (its daily rate x (lead time + review) - position, same packs) and none.

    Firm orders have to be served whatever rule orders the rest.
    """
    costing = Costing(case.demand, case.terms, case.held, case.plan, case.prices, case.due)
    need = case.linked.seller_rate() * case.terms.protection - case.plan.position
    seller = np.maximum(whole_packs(np.nan_to_num(need), case.terms), case.question.least)
    seller = np.where(np.isnan(need), np.nan, seller)
    at = np.nan_to_num(seller)
    theirs = costing.of(at)
    known = ~np.isnan(seller)
    theirs = Outcome(
        *(np.where(known, a, np.nan) for a in (theirs.cost, theirs.holding, theirs.shortage, theirs.short))
    )
    sd = costing.spread(case.plan.order, np.where(known, seller, case.plan.order))
    ours = costing.of(case.plan.order)
    uncut = ours if np.array_equal(case.wanted, case.plan.order) else costing.of(case.wanted)
    ours, uncut = (_instead(way, case, case.firm.cost) for way in (ours, uncut))
    theirs_too = np.where(case.question.fixed, case.plan.order, at)
    shipped = None if case.boxes is None else limits.shipped(case.question, case.boxes, theirs_too)
    return Choices(
        seller, ours, _instead(theirs, case, case.firm.simple), costing.of(np.zeros_like(at)), uncut, sd, shipped
    )


def _instead(way: Outcome, case: Case, lots: Floats) -> Outcome:
    """The outcome with the cost of lots where items are planned by them; what comes too early for the first is short."""
    at = case.firm.item
    whole, shortage, short = way.cost.copy(), way.shortage.copy(), way.short.copy()
    short[at] = case.early.units[at]
    shortage[at] = np.where(short[at] > 0, short[at] * case.prices.shortage[at], 0.0)
    whole[at] = lots + shortage[at]
    return Outcome(whole, way.holding, shortage, short)


def rows(case: Case, ways: Choices) -> pl.DataFrame:
    """The table `replenishment` without `reason`, with the parameters of its sentences in columns that begin with `_`."""
    clock, terms, plan, held = case.clock, case.terms, case.plan, case.held
    ordered = plan.order > 0
    horizon = case.demand.at(np.minimum(case.demand.reach, case.demand.days[-1]))
    runner, runner_cost = _runner_up(case, ways)
    need = np.maximum(plan.order_up_to - plan.position, 0.0)
    late = case.projected.empty < terms.arrival
    next_in = _next_arrival(held, len(need))
    figures = {
        "order_qty": plan.order,
        "wanted_qty": case.wanted,
        "reorder_point": plan.reorder_point,
        "order_up_to": plan.order_up_to,
        "safety_stock": plan.safety,
        "position": plan.position,
        "p_stockout": case.p_stockout,
        "cost": ways.ours_cost.cost,
        "runner_up_cost": runner_cost,
        **_spoken(case, ways, need, horizon, runner_cost),
    }
    day = {
        "order_date": np.where(ordered, terms.wait, np.nan),
        "arrival_date": np.where(ordered, terms.arrival, np.nan),
        "_early_day": case.early.day,
        "_earliest": terms.arrival.astype(np.float64),
        "_later_day": _at(len(need), case.firm.item, case.firm.later_day),
        "stockout_date": case.projected.empty,
        "_next_in": next_in,
    }
    frame = case.linked.items.with_columns(
        *(pl.Series(name, value, nan_to_null=True) for name, value in figures.items()),
        *(clock.dates(name, value) for name, value in day.items()),
        pl.Series("runner_up", runner.tolist()),
        pl.lit(case.prices.currency, pl.String).alias("currency"),
        pl.Series("_empty_first", late),
        pl.Series("_dearer", ordered & (ways.ours_cost.cost > runner_cost + 0.005)),
        pl.Series("_none_ahead", horizon[0] <= 0),
        pl.Series("_firm", _at(len(need), case.firm.item, np.ones(len(case.firm.item))) == 1),
        pl.Series("_by_lot", np.isin(terms.policy, ("sS", "sQ", "RsS"))),
    )
    known = pl.col("runner_up_cost").is_not_null()
    return frame.with_columns(_reason_code(), runner_up=pl.when(known).then("runner_up"))


def _spoken(
    case: Case, ways: Choices, need: Floats, horizon: tuple[Floats, Floats], runner_cost: Floats
) -> dict[str, Floats]:
    """What the sentences of reasons and findings tell (n each). horizon: mean and variance of the demand of the whole forecast."""
    terms, plan = case.terms, case.plan
    per_day = horizon[0] / case.demand.reach
    with np.errstate(divide="ignore", invalid="ignore"):
        cover = np.where(per_day > 0, np.maximum(plan.position, 0) / per_day, np.nan)
    return {
        "_need": need,
        "_mean": plan.cover.mean,
        "_days": terms.protection,
        "_lead": terms.lead,
        "_target": 100 * np.fmax(terms.service, np.nan_to_num(terms.fill)),
        "_cut": case.wanted - plan.order,
        "_lot": plan.order_up_to - plan.reorder_point,
        "_later": _at(len(need), case.firm.item, case.firm.later),
        "_firm_due": case.firm_due,
        "_early": np.where(case.early.units > 0, case.early.units, np.nan),
        "_moq": terms.moq,
        "_years": np.where(per_day > 0, plan.order / np.maximum(per_day * DAYS_OF_YEAR, 1e-9), np.nan),
        "_cover": cover,
        "_q95": counts.gamma_quantile(counts.UPPER.index(0.95), *horizon),
        "_horizon": case.demand.reach,
        "_more": ways.ours_cost.cost - runner_cost,
        "_short": ways.none_cost.short,
        "_wait": terms.arrival - case.projected.empty,
        "_chance": 100 * case.p_stockout,
    }


def _runner_up(case: Case, ways: Choices) -> tuple[np.ndarray, Floats]:
    """The cheapest of the other ways, by name and cost: none where its cost is not known."""
    n, ordered = len(case.wanted), case.plan.order > 0
    ways_of = [
        ("no_order", np.where(ordered, ways.none_cost.cost, np.nan)),
        ("seller_formula", ways.seller_cost.cost),
        ("uncut_order", np.where(case.wanted != case.plan.order, ways.uncut_cost.cost, np.nan)),
    ]
    costs = np.stack([np.where(np.isnan(cost), np.inf, cost) for _, cost in ways_of])
    costs[0, case.question.least > 0] = np.inf  # firm orders have to be served, late or not
    best = costs.argmin(0)
    cost = costs[best, np.arange(n)]
    names = np.array([name for name, _ in ways_of], dtype="<U16")[best]
    names[case.firm.item] = "lot_for_lot"
    return names, np.where(np.isinf(cost), np.nan, cost)


def _at(n: int, rows: Rows, values: Floats) -> Floats:
    out = np.full(n, np.nan)
    out[rows] = values
    return out


def _reason_code() -> pl.Expr:
    ordered = pl.col("order_qty") > 0
    waits = pl.col("_empty_first")
    kinds = [
        (waits, "order_late"),
        (pl.col("_by_lot"), "order_lot"),
        (~waits & (pl.col("_need") < pl.col("_moq")), "order_moq"),
        (~waits, "order_now"),
    ]
    cut, filled = pl.col("_cut") > 1e-9, pl.col("_cut") < -1e-9
    early = pl.col("_early").is_not_null()
    codes = [
        (early & ordered & ~cut, "order_firm_late"),
        (early & pl.col("_firm"), "firm_late"),
        (pl.col("_firm") & ordered, "order_firm"),
        (pl.col("_firm") & pl.col("_later").is_not_null(), "firm_later"),
        (pl.col("_firm"), "firm_enough"),
        (cut & ordered, "order_cut"),
        (cut, "order_cut_to_none"),
        (filled, "order_filled"),
        (ordered & pl.col("_firm_due").is_not_null(), "order_firm_due"),
        *((ordered & when & pl.col("_dearer"), code + "_dearer") for when, code in kinds),
        *((ordered & when, code) for when, code in kinds),
        (pl.col("_none_ahead") & pl.col("stockout_date").is_not_null(), "firm_in_time"),
        (pl.col("_none_ahead"), "no_demand"),
        (waits & pl.col("_next_in").is_not_null(), "stockout_before_inbound"),
        (pl.col("position") > pl.col("_q95"), "overstock"),
        ((pl.col("order_up_to") <= 0) & (pl.col("position") <= 0), "slow_mover"),
        (pl.col("_by_lot"), "above_reorder_point"),
    ]
    return words.reason_code(codes, "enough_stock")


def _next_arrival(held: Stock, n: int) -> Floats:
    first = np.full(n, np.inf)
    np.minimum.at(first, held.item, held.day.astype(np.float64))
    return np.where(np.isinf(first), np.nan, first)
