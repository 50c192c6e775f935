"""The answer of `forecast replenish`: rows with their reasons, findings, figures and notes from the computed arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.money import Headline
from cbec.methods import counts
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR, Costing, Outcome
from cbec.methods.forecast.orders import whole_packs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.firmlots import Firm
    from cbec.methods.forecast.limits import Limited
    from cbec.methods.forecast.orders import Plan
    from cbec.methods.forecast.projection import Projection
    from cbec.methods.forecast.surge import Surge
    from cbec.methods.protection import Clock, Demand, Floats, Linked
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices

    Flags = NDArray[np.bool_]
    Rows = NDArray[np.intp]

_Z90 = 1.6449


@dataclass(frozen=True)
class Case:
    """Everything computed for the n items.

    wanted: orders before the limits; plan.order: within them. uncosted: a target in money, but a cost is not known.
    """

    clock: Clock
    linked: Linked
    demand: Demand
    terms: Terms
    held: Stock
    plan: Plan
    prices: Prices
    p_stockout: Floats
    wanted: Floats
    limited: Limited
    firm: Firm
    surge: Surge
    uncosted: Flags


@dataclass(frozen=True)
class Choices:
    """Ways to order (n units each) and what each is expected to cost. seller: NaN where it has no rate.

    uncut: the orders before the limits. Of lots for firm orders: ours beside an order per period that needs one, which
    stands where the seller formula's would.
    """

    seller: Floats
    ours_cost: Outcome
    seller_cost: Outcome
    none_cost: Outcome
    uncut_cost: Outcome
    sd: float


def choices(case: Case) -> Choices:
    """Our orders beside the seller formula's (its daily rate x (lead time + review) - position, same packs) and none."""
    costing = Costing(case.demand, case.terms, case.held, case.plan, case.prices)
    need = case.linked.seller_rate() * case.terms.protection - case.plan.position
    seller = np.where(np.isnan(need), np.nan, whole_packs(np.nan_to_num(need), case.terms))
    at = np.nan_to_num(seller)
    theirs = costing.of(at)
    known = ~np.isnan(seller)
    theirs = Outcome(*(np.where(known, a, np.nan) for a in (theirs.cost, theirs.holding, theirs.short)))
    sd = costing.spread(case.plan.order, np.where(known, seller, case.plan.order))
    ours, uncut = costing.of(case.plan.order), costing.of(case.wanted)
    firm = case.firm.item
    ours, uncut = (_instead(way, firm, case.firm.cost) for way in (ours, uncut))
    return Choices(seller, ours, _instead(theirs, firm, case.firm.simple), costing.of(np.zeros_like(at)), uncut, sd)


def _instead(way: Outcome, at: Rows, cost: Floats) -> Outcome:
    whole, short = way.cost.copy(), way.short.copy()
    whole[at], short[at] = cost, 0.0
    return Outcome(whole, way.holding, short)


def rows(case: Case, ways: Choices, projected: Projection) -> pl.DataFrame:
    """The table `replenishment` without `reason`, with the parameters of its sentences in columns that begin with `_`."""
    clock, terms, plan, held = case.clock, case.terms, case.plan, case.held
    ordered = plan.order > 0
    horizon = case.demand.at(np.minimum(case.demand.reach, case.demand.days[-1]))
    runner, runner_cost = _runner_up(case, ways)
    need = np.maximum(plan.order_up_to - plan.position, 0.0)
    per_day = horizon[0] / case.demand.reach
    with np.errstate(divide="ignore", invalid="ignore"):
        cover = np.where(per_day > 0, np.maximum(plan.position, 0) / per_day, np.nan)
    late = projected.empty < terms.arrival
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
        "_need": need,
        "_mean": plan.cover.mean,
        "_days": terms.protection,
        "_lead": terms.lead,
        "_target": 100 * np.fmax(terms.service, np.nan_to_num(terms.fill)),
        "_cut": case.wanted - plan.order,
        "_lot": plan.order_up_to - plan.reorder_point,
        "_later": _at(len(need), case.firm.item, case.firm.later),
        "_moq": terms.moq,
        "_years": np.where(per_day > 0, plan.order / np.maximum(per_day * DAYS_OF_YEAR, 1e-9), np.nan),
        "_cover": cover,
        "_q95": counts.gamma_quantile(counts.UPPER.index(0.95), *horizon),
        "_horizon": case.demand.reach,
        "_more": ways.ours_cost.cost - runner_cost,
        "_short": ways.none_cost.short,
        "_wait": terms.arrival - projected.empty,
        "_chance": 100 * case.p_stockout,
    }
    day = {
        "order_date": np.where(ordered, terms.wait, np.nan),
        "arrival_date": np.where(ordered, terms.arrival, np.nan),
        "_later_day": _at(len(need), case.firm.item, case.firm.later_day),
        "stockout_date": projected.empty,
        "_next_in": next_in,
    }
    frame = case.linked.items.with_columns(
        *(pl.Series(name, value, nan_to_null=True) for name, value in figures.items()),
        *(_date(clock, name, value) for name, value in day.items()),
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


def _runner_up(case: Case, ways: Choices) -> tuple[np.ndarray, Floats]:
    """The cheapest of the other ways, by name and cost: none where its cost is not known."""
    n, ordered = len(case.wanted), case.plan.order > 0
    ways_of = [
        ("no_order", np.where(ordered, ways.none_cost.cost, np.nan)),
        ("seller_formula", ways.seller_cost.cost),
        ("uncut_order", np.where(case.wanted != case.plan.order, ways.uncut_cost.cost, np.nan)),
    ]
    costs = np.stack([np.where(np.isnan(cost), np.inf, cost) for _, cost in ways_of])
    costs[0, case.firm.item] = np.inf  # firm orders have to be served
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
    codes = [
        (pl.col("_firm") & ordered, "order_firm"),
        (pl.col("_firm") & pl.col("_later").is_not_null(), "firm_later"),
        (pl.col("_firm"), "firm_enough"),
        (cut & ordered, "order_cut"),
        (cut, "order_cut_to_none"),
        (filled, "order_filled"),
        *((ordered & when & pl.col("_dearer"), code + "_dearer") for when, code in kinds),
        *((ordered & when, code) for when, code in kinds),
        (pl.col("_none_ahead"), "no_demand"),
        (waits & pl.col("_next_in").is_not_null(), "stockout_before_inbound"),
        (pl.col("position") > pl.col("_q95"), "overstock"),
        ((pl.col("order_up_to") <= 0) & (pl.col("position") <= 0), "slow_mover"),
        (pl.col("_by_lot"), "above_reorder_point"),
    ]
    chain = pl.lit("enough_stock")
    for condition, code in reversed(codes):
        chain = pl.when(condition).then(pl.lit(code)).otherwise(chain)
    return chain.alias("reason_code")


def _next_arrival(held: Stock, n: int) -> Floats:
    first = np.full(n, np.inf)
    np.minimum.at(first, held.item, held.day.astype(np.float64))
    return np.where(np.isinf(first), np.nan, first)


def _date(clock: Clock, name: str, days: Floats) -> pl.Series:
    offset = pl.Series(name, days, nan_to_null=True).cast(pl.Int64)
    return (
        offset.to_frame().select((pl.lit(clock.today) + pl.duration(days=name)).cast(pl.Date).alias(name)).to_series()
    )


def headline(case: Case, ways: Choices) -> Headline | str:
    """Today = the seller formula's orders, proposed = ours, over the items where all costs are known."""
    known = ~np.isnan(ways.ours_cost.cost) & ~np.isnan(ways.seller_cost.cost)
    if not known.any():
        if np.isnan(ways.seller).all():
            return "the forecast has no column seller_formula, so that there is nothing to compare with"
        return "no unit cost is known: give unit_cost in products or inventory, or shortage_cost in policies"
    if case.prices.currency is None:
        return "costs are known but no table tells their currency: set --home-currency"
    today, ours = float(ways.seller_cost.cost[known].sum()), float(ways.ours_cost.cost[known].sum())
    half = _Z90 * ways.sd
    basis = (
        f"expected holding, shortage and order cost over lead time + review of {int(known.sum())} items; today = orders by "
        "the seller formula (0.2 x 30-day + 0.3 x 15-day + 0.5 x 7-day mean), the range takes items as independent"
    )
    if not known.all():
        basis += f"; {int((~known).sum())} items without a known cost are left out"
    return Headline(today, ours, ours - today - half, ours - today + half, case.prices.currency, basis)


def metrics(case: Case, ways: Choices, answer: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Figures for summary.json, over all items."""
    value = case.plan.order * case.prices.unit_cost
    known = ~np.isnan(ways.seller_cost.short)
    solved = case.limited.solved
    limits: dict[str, float | int | str | None] = {}
    if solved is not None:
        limits = {
            "limits_status": solved.status,
            "limits_gap": round(solved.gap, 6),
            "limits_bound": round(solved.bound, 2),
            "orders_cut": int((case.plan.order < case.wanted - 1e-9).sum()),
            "orders_filled": int((case.plan.order > case.wanted + 1e-9).sum()),
            "value_wanted": round(float(np.nansum(case.wanted * case.prices.unit_cost)), 2),
            "cost_of_limits": round(float(np.nansum(ways.ours_cost.cost - ways.uncut_cost.cost)), 2),
            "container_cost": round(case.limited.freight, 2),
        }
    return {
        **limits,
        "items": answer.height,
        "orders": int((case.plan.order > 0).sum()),
        "units_ordered": float(case.plan.order.sum()),
        "order_value": round(float(np.nansum(value)), 2),
        "seller_formula_orders": int((np.nan_to_num(ways.seller) > 0).sum()),
        "seller_formula_units": float(np.nansum(ways.seller)),
        "expected_short": round(float(ways.ours_cost.short.sum()), 2),
        "expected_short_seller_formula": round(float(ways.seller_cost.short[known].sum()), 2) if known.any() else None,
        "expected_short_no_order": round(float(ways.none_cost.short.sum()), 2),
        "stockouts_before_arrival": int(answer["_empty_first"].sum()),
        "overstocked": int((answer["reason_code"] == "overstock").sum()),
    }


def notes(case: Case, ways: Choices, inventory: pl.DataFrame, as_of_forecast: object, sales: bool) -> list[str]:
    """Assumptions and doubts, in words."""
    prices, clock = case.prices, case.clock
    out = []
    if clock.today != as_of_forecast:
        out.append(f"orders are dated {clock.today}; the forecast knows sales until {as_of_forecast}")
    stale = inventory.filter(pl.col("snapshot_date").is_not_null() & (pl.col("snapshot_date") != clock.today))
    if stale.height:
        out.append(
            f"{stale.height} stock rows were counted on another day than {clock.today}; sales between count in neither"
        )
    if case.held.not_coming:
        out.append(f"{case.held.not_coming} inbound rows have arrived or were cancelled by their status: not counted")
    if prices.guessed.any():
        out.append(
            f"shortage cost unknown for {int(prices.guessed.sum())} items (no price, none in policies): taken as a share of the "
            "unit cost (setting markup)"
        )
    if sales and not case.surge.periods:
        out.append(
            "too few periods of the forecast are over to see a surge: give --as-of a later day and the sales until then"
        )
    if case.uncosted.any():
        out.append(
            f"{int(case.uncosted.sum())} items have a target in money but no known cost: the service level of the settings holds"
        )
    solved = case.limited.solved
    if solved is not None and solved.status != "optimal":
        out.append(
            f"the clock stopped the program of budget and containers: a plan within {solved.gap:.2%} of the best, not the best"
        )
    unknown = int(np.isnan(ways.ours_cost.cost).sum())
    if unknown:
        out.append(f"cost unknown for {unknown} items: no unit_cost in products or inventory")
    both = ~np.isnan(ways.ours_cost.cost) & ~np.isnan(ways.seller_cost.cost)
    more = float((ways.ours_cost.cost - ways.seller_cost.cost)[both].sum())
    if more > 0:
        out.append(
            f"the proposed orders are expected to cost {more:.2f} {prices.currency or ''} more than the seller formula's over "
            "lead time + review: the service level is held as a constraint, even where a shortage would be cheaper"
        )
    return out
