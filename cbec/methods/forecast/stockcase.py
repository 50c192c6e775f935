"""From the tables of `forecast replenish` to everything that is worked out of each item: terms, demand, stock, orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods import protection, unitcost
from cbec.methods import terms as policy
from cbec.methods.forecast import firmdue, firmlots, limits, lostsales, orderdays, orders, projection, surge, targets

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from cbec.methods.forecast.firmdue import Due, Early
    from cbec.methods.forecast.firmlots import Firm
    from cbec.methods.forecast.limits import Boxes, Limited
    from cbec.methods.forecast.orders import Plan
    from cbec.methods.forecast.projection import Projection
    from cbec.methods.forecast.surge import Surge
    from cbec.methods.protection import Clock, Demand, Floats, Linked
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices


@dataclass(frozen=True)
class Given:
    """The tables of the command; None = not given."""

    forecast: pl.DataFrame
    inventory: pl.DataFrame
    policies: pl.DataFrame
    inbound: pl.DataFrame | None
    coverage: pl.DataFrame | None
    products: pl.DataFrame | None
    order_calendar: pl.DataFrame | None
    firm_orders: pl.DataFrame | None
    containers: pl.DataFrame | None
    sales: pl.DataFrame | None
    stock_record: pl.DataFrame | None
    rates: pl.DataFrame | None


@dataclass(frozen=True)
class Rules:
    """What holds where the tables say nothing: settings of the command. target: "" = an item's service level or fill rate."""

    policy: str
    target: str
    service_level: float
    review_days: float
    holding_rate: float
    markup: float
    ratio_factor: float
    lost: bool
    budget: float
    solver_seconds: float
    surge_periods: int
    correlation: float
    home_currency: str | None
    projection_days: int
    seed: int


@dataclass(frozen=True)
class Case:
    """Everything computed for the n items.

    firm_due: firm orders where they asked for more than the policy (else NaN). due, early: all of them, and those that no order
    serves in time. question, boxes: what the limits were asked. wanted: orders before them; plan.order: within them. uncosted: a
    target in money, but a cost is not known. factor: in the critical ratio, where a replay of the past told it.
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
    question: limits.Question
    boxes: Boxes | None
    limited: Limited
    firm: Firm
    firm_due: Floats
    due: Due
    early: Early
    surge: Surge
    projected: Projection
    uncosted: NDArray[np.bool_]
    factor: float | None = None


def case(given: Given, rules: Rules, clock: Clock) -> Case:
    """Terms and costs first, then demand over them, then orders: as each policy asks, for firm orders, within the limits.

    Errors: those of the tables' readers (`protection`, `terms`, `unitcost`); NoAnswer where the limits cannot be kept.
    """
    forecast, products, firm_orders, rates = given.forecast, given.products, given.firm_orders, given.rates
    linked = protection.link(forecast, given.coverage, clock)
    if firm_orders is not None:
        forecast = firmlots.complete(forecast, linked.items, firm_orders)
        linked = protection.link(forecast, given.coverage, clock)
    items = linked.items
    terms = policy.choose(
        items,
        given.policies,
        products,
        service_level=rules.service_level,
        review_days=rules.review_days,
        holding_rate=rules.holding_rate,
        policy=rules.policy,
        target=rules.target,
    )
    terms = orderdays.keep(terms, items, products, given.order_calendar, clock)
    held = policy.stock(items, given.inventory, given.inbound, clock)
    prices = unitcost.prices(
        items, given.inventory, products, rates, terms, today=clock.today, home=rules.home_currency, markup=rules.markup
    )
    per_day = linked.rate(clock)
    terms = firmlots.alone(terms, items, firm_orders, per_day, prices)
    lot = targets.lots(terms, prices, per_day)
    cycle = targets.cycle(terms, lot, per_day)
    tuned = None if given.stock_record is None else targets.tuned(given.stock_record)
    terms, uncosted = targets.by_cost(terms, prices, cycle, rules.ratio_factor if tuned is None else tuned)
    ahead = protection.demand(linked, clock, terms.protection, terms.service, rules.correlation, ~np.isnan(terms.fill))
    protection.check_reach(linked, clock, ahead, terms.needed)
    plan = orders.plan(ahead, terms, held, lot, cycle)
    if rules.lost:
        alone = protection.demand(linked, clock, terms.review, terms.service, rules.correlation)
        plan = lostsales.replan(ahead, alone, terms, held, plan, rules.seed)
    due = firmdue.of(items, firm_orders, clock)
    plan, firm_due, least = firmlots.beside(plan, due, terms, lot)
    firm = firmlots.plan(items, due, terms, held, prices)
    plan, fixed = orders.firm(plan, terms, firm)
    early = firmdue.early(due, held, terms.arrival)
    boxes = limits.boxes(given.containers, items, products, rates, clock.today, prices.currency)
    question = limits.Question(items, ahead, terms, held, plan, prices, due, np.where(fixed, plan.order, least), fixed)
    limited = limits.hold(question, rules.budget, boxes, rules.solver_seconds)
    within = limits.within(plan, limited)
    return Case(
        clock=clock,
        linked=linked,
        demand=ahead,
        terms=terms,
        held=held,
        plan=within,
        prices=prices,
        p_stockout=np.where(early.units > 0, 1.0, orders.stock_out_chance(ahead, terms, held)),
        wanted=plan.order,
        question=question,
        boxes=boxes,
        limited=limited,
        firm=firm,
        firm_due=firm_due,
        due=due,
        early=early,
        surge=surge.find(forecast, given.sales, linked, clock, rules.surge_periods),
        projected=projection.project(items, ahead, due, terms, held, within.order, clock, rules.projection_days),
        uncosted=uncosted,
        factor=tuned,
    )
