"""The program of budget and containers against all plans there are, by the cost that the column `cost` tells."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy import stats
from support import stockroom as room

from cbec.methods import protection
from cbec.methods.forecast import limits, stockcase
from cbec.methods.forecast.ordercost import Costing

RULES = stockcase.Rules(
    policy="RS", target="", service_level=0.95, review_days=7.0, holding_rate=0.25, markup=0.5, ratio_factor=1.0,
    lost=False, budget=0.0, solver_seconds=20.0, surge_periods=3, correlation=0.0, home_currency=None,
    projection_days=0, seed=0,
)  # fmt: skip
NONE = dict.fromkeys(stockcase.Given.__dataclass_fields__)


def shop(rng):
    """Three SKUs of few units, some of them owed, with packs, smallest orders and costs of ordering."""
    names = ("A", "B", "C")
    rates, ratios = rng.uniform(0.05, 1.5, 3), rng.choice([2, 4], 3)
    sold = (
        room.series([stats.nbinom(m * h / (r - 1), 1 / r) for h in range(1, 20)], sku=s)
        for s, m, r in zip(names, rates, ratios, strict=True)
    )
    products = [
        {"sku": s, "unit_cost": c, "currency": "EUR", "weight_kg": w, "length_cm": x, "width_cm": 40.0, "height_cm": 30.0}
        for s, c, w, x in zip(names, *(rng.uniform(*at, 3).tolist() for at in ((2, 40), (0.2, 6), (10, 80))), strict=True)
    ]  # fmt: skip
    terms = [
        {"sku": s, "lead_time_days": float(rng.integers(0, 8)), "review_days": float(rng.integers(2, 10)),
         "moq": float(rng.choice([0, 4])), "pack_size": float(rng.choice([1, 2])),
         "order_cost": float(rng.choice([0, 15])), "shortage_cost": float(rng.choice([20, 60]))}
        for s in names
    ]  # fmt: skip
    held = [{"sku": s, "on_hand": float(rng.integers(-3, 4))} for s in names]
    return {
        "forecast": room.forecast(*sold),
        "products": room.table("products", products),
        "policies": room.policy(*terms),
        "inventory": room.stock(*held),
        "coverage": room.serves(),
    }


def case(given, budget=0.0, containers=None):
    tables = stockcase.Given(**(NONE | given | {"containers": containers}))
    rules = stockcase.Rules(**(vars(RULES) | {"budget": budget}))
    return stockcase.case(tables, rules, protection.clock(given["forecast"], None))


def all_plans(c):
    """Orders that each item may have, and what they cost: leaving out what is wanted saves nothing."""
    q = c.question
    costing = Costing(q.demand, q.terms, q.held, q.plan, q.prices, q.due)
    most, least = limits._most(q, c.boxes), np.maximum(q.terms.moq, q.terms.pack)
    for i in range(3):
        orders = np.arange(0, most[i] + 1e-9, q.terms.pack[i])
        orders = orders[(orders == 0) | (orders >= np.minimum(least[i], most[i]) - 1e-9)]
        wanted, floor = c.wanted[i], limits.WANTED * costing.per_day[i] * q.terms.review[i]
        placing = q.terms.order_cost[i] * q.terms.review[i] / q.plan.cycle[i]
        every = np.unique(np.concatenate([np.arange(0, most[i] + 1e-9, q.terms.pack[i]), [wanted]]))
        cost = {x: costing.of(np.where(np.arange(3) == i, x, 0.0)).cost[i] - placing * (x > 0) for x in every}
        settled = {x: min(cost[y] + floor * y for y in every if y <= x) - floor * x for x in every if x <= wanted}
        settled |= {x: settled[wanted] + cost[x] - cost[wanted] for x in every if x > wanted}
        if wanted > 0:
            placing = min(placing, max(settled[0] - settled[wanted] - floor * wanted, 0.0))
        yield [(x, settled[x] + placing * (x > 0)) for x in orders]


def freight(c, order, kinds=12):
    """Of the cheapest containers for an order, less that of full ones."""
    box, goods = c.boxes, limits._credit(c.question, c.boxes, np.arange(3)) @ order
    kg, m3 = box.kg @ order, box.m3 @ order
    counts = np.array(list(itertools.product(range(kinds), repeat=len(box.name))))
    fits = (counts @ box.capacity_kg >= kg - 1e-9) & (counts @ box.capacity_m3 >= m3 - 1e-9)
    return (counts[fits] @ box.cost).min() - goods


@pytest.mark.parametrize("seed", range(6))
def test_no_plan_within_the_budget_costs_less(seed):
    rng = np.random.default_rng(seed)
    given = shop(rng)
    wanted = case(given)
    budget = float(wanted.plan.order @ wanted.prices.unit_cost) * rng.uniform(0.3, 0.9)
    made = case(given, budget)
    every = list(all_plans(made))
    assert made.limited.solved is not None and made.limited.value <= budget
    best = min(
        sum(cost for _, cost in plan)
        for plan in itertools.product(*every)
        if sum(x * c for (x, _), c in zip(plan, made.prices.unit_cost, strict=True)) <= budget
    )
    mine = sum(dict(plan)[x] for plan, x in zip(every, made.plan.order, strict=True))
    assert mine <= best * 1.003  # between ten points of an order's cost lines are straight


@pytest.mark.parametrize("seed", range(3))
def test_no_plan_in_containers_costs_less(seed):
    rng = np.random.default_rng(100 + seed)
    kinds = room.table(
        "containers",
        [
            {"container": "BIG", "capacity_kg": 90.0, "capacity_m3": 1.5, "cost": 60.0, "currency": "EUR"},
            {"container": "SMALL", "capacity_kg": 30.0, "capacity_m3": 0.5, "cost": 25.0, "currency": "EUR"},
        ],
    )
    made = case(shop(rng), containers=kinds)
    every = list(all_plans(made))
    costs = {
        tuple(x for x, _ in plan): sum(cost for _, cost in plan) for plan in itertools.product(*(e[::2] for e in every))
    }
    mine = sum(dict(plan)[x] for plan, x in zip(every, made.plan.order, strict=True)) + freight(made, made.plan.order)
    sure = {order: cost for order, cost in costs.items() if cost - limits._credit(made.question, made.boxes, np.arange(3)) @ order < mine}  # fmt: skip
    best = min((cost + freight(made, np.array(order)) for order, cost in sure.items()), default=mine)
    assert mine <= best * 1.003


@pytest.mark.parametrize("seed", range(4))
def test_a_budget_just_under_what_is_wanted_cuts_one_order_at_most(seed):
    """Only money that lacks cuts, not what placing an order or its smallest size costs."""
    given = shop(np.random.default_rng(20 + seed))
    wanted = case(given)
    value = wanted.plan.order * wanted.prices.unit_cost
    made = case(given, budget=float(value.sum()) * 0.99)
    assert (made.plan.order < made.wanted).sum() == 1
    assert (made.plan.order <= made.wanted).all() and made.limited.value >= value.sum() - value.max() - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_containers_that_cost_nothing_cut_nothing(seed):
    """Smallest orders and costs of ordering included."""
    kind = {"container": "BIG", "capacity_kg": 1e6, "capacity_m3": 1e6, "cost": 0.0, "currency": "EUR"}
    made = case(shop(np.random.default_rng(40 + seed)), containers=room.table("containers", [kind]))
    assert made.wanted.sum() > 0 and (made.plan.order >= made.wanted).all()


def test_containers_with_room_cut_nothing_though_a_shortage_is_cheap():
    """What is short counts what the service level says that it costs, and what is wanted is settled."""
    given = shop(np.random.default_rng(3))
    given["policies"] = given["policies"].with_columns(shortage_cost=pl.lit(0.001))
    kind = {"container": "BIG", "capacity_kg": 1e6, "capacity_m3": 1e6, "cost": 0.001, "currency": "EUR"}
    made = case(given, containers=room.table("containers", [kind]))
    assert made.wanted.sum() > 0 and (made.plan.order >= made.wanted).all()
