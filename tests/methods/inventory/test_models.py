"""Published examples of Snyder & Shen, Nahmias, Zheng & Federgruen, Hopp & Spearman, and what must always hold."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cbec.core.errors import InputRejected, NoAnswer
from cbec.methods.inventory import counted, economic, flow, lotsize, normal, review


def test_economic_order_quantities_of_snyder_and_shen():
    lot = economic.eoq(8, 0.225, 1300)  # example 3.1
    assert (lot.quantity, lot.cost) == pytest.approx((304.0467, 68.4105), abs=1e-4)
    back = economic.eoq_backorders(8, 0.225, 5, 1300)  # example 3.8
    assert (back.quantity, back.fraction, back.cost) == pytest.approx((310.8125, 0.0430622, 66.9213), abs=1e-4)
    run = economic.epq(8, 0.225, 1300, 1700)  # example 3.9
    assert (run.quantity, run.cost) == pytest.approx((626.8084, 33.1839), abs=1e-4)


def test_discounts_of_nahmias_trash_bags():
    terms = (8, 0.2, 600, [0, 500, 1000], [0.3, 0.29, 0.28])
    lot = economic.all_units(*terms)
    assert (lot.quantity, lot.unit_price, lot.cost) == pytest.approx((500, 0.29, 198.1))
    step = economic.incremental(*terms)
    assert (step.quantity, step.cost) == pytest.approx((400, 204))


@given(st.floats(1, 200), st.floats(0.1, 0.5), st.floats(50, 9000), st.integers(50, 900), st.floats(0.8, 0.99))
@settings(max_examples=40, deadline=None)
def test_no_quantity_beats_the_discount_optimum(setup, rate, demand, edge, cut):
    terms = (setup, rate, demand, [0, edge], [10.0, 10.0 * cut])
    for find, judge in (
        (economic.all_units, economic.all_units_cost),
        (economic.incremental, economic.incremental_cost),
    ):
        best = find(*terms).cost
        tried = [judge(q, *terms).cost for q in [*np.geomspace(1, 20 * demand, 150), edge, edge - 1e-6]]
        assert best <= min(tried) * (1 + 1e-9)


def test_packs_and_least_orders():
    assert economic.eoq(120, 3.1, 5200, pack=48).quantity == 624
    assert economic.eoq(8, 0.225, 1300, least=400).quantity == 400
    assert economic.eoq(8, 0.225, 1300, pack=300, least=400).quantity == 600


def test_joint_replenishment_against_every_set_of_multipliers():
    minors, values = [15, 15, 15, 15], [86000, 12500, 1400, 3000]  # Silver, Pyke & Peterson
    found = economic.joint(40, minors, values, 0.24)
    assert found.multipliers == [1, 1, 4, 3]
    best = min(
        sqrt(
            2
            * (40 + sum(c / k for c, k in zip(minors, m, strict=True)))
            * 0.24
            * sum(v * k for v, k in zip(values, m, strict=True))
        )
        for m in itertools.product(range(1, 7), repeat=4)
        if min(m) == 1
    )
    assert found.cost == pytest.approx(best)


def test_newsvendors_of_snyder_and_shen():
    level = normal.newsvendor(50, 8, 0.18, 0.70)  # example 4.3
    assert (level.level, level.cost) == pytest.approx((56.6040, 1.9976), abs=1e-4)
    assert counted.least_cost_level(counted.poisson(50), 0.18, 0.70) == (56, pytest.approx(1.797235, abs=1e-6))


@pytest.mark.parametrize(
    ("pmf", "dist"),
    [
        (counted.poisson(7.3), stats.poisson(7.3)),
        (counted.negative_binomial(4.0, 20.0), stats.nbinom(1.0, 0.2)),
        (counted.binomial(12, 0.3), stats.binom(12, 0.3)),
        (counted.geometric(3.0), stats.geom(0.25, loc=-1)),
    ],
)
def test_counts_agree_with_scipy(pmf, dist):
    assert counted.mean(pmf) == pytest.approx(dist.mean())
    assert counted.variance(pmf) == pytest.approx(dist.var())
    for level in (0.05, 0.5, 0.9, 0.999):
        assert counted.quantile(pmf, level) == dist.ppf(level)
    assert counted.short(pmf, 5) == pytest.approx(dist.expect(lambda k: np.maximum(k - 5, 0)))
    assert counted.left(pmf, 5) - counted.short(pmf, 5) == pytest.approx(5 - dist.mean())


def test_sums_and_random_lead_times():
    pmf = counted.given([0.4, 0.3, 0.15, 0.1, 0.05])
    assert counted.cdf(counted.total(counted.poisson(1.5), 4), 9) == pytest.approx(stats.poisson(6).cdf(9))
    mixed = counted.mixed([counted.total(pmf, n + 1) for n in (1, 2, 4)], [0.25, 0.5, 0.25])
    assert counted.mean(mixed) == pytest.approx(3.25 * counted.mean(pmf))
    with pytest.raises(InputRejected, match="sum to 1"):
        counted.given([0.5, 0.4])
    with pytest.raises(InputRejected, match="variance"):
        counted.negative_binomial(4.0, 2.0)


def test_reorder_points_of_nahmias():
    found = normal.per_unit_short(50, 2.0, 25.0, 200, 100, 25)  # Harvey's Specialty Shop
    assert (found.quantity, found.point) == pytest.approx((110.77, 142.57), abs=0.01)
    assert normal.point_for_fill(100, 100, 25, 0.98) == pytest.approx(125.53, abs=0.01)
    with pytest.raises(NoAnswer):
        normal.per_unit_short(50, 200.0, 0.5, 200, 100, 25)


@given(st.floats(5, 200), st.floats(0.5, 6), st.floats(5, 60), st.floats(200, 5000), st.floats(2, 60))
@settings(max_examples=25, deadline=None)
def test_nothing_near_the_exact_r_q_costs_less(setup, holding, backorder, demand, sd):
    mean = 4 * sd
    best = normal.exact(setup, holding, backorder, demand, mean, sd)
    for q, r in itertools.product((0.9, 1, 1.1), (-0.1, 0, 0.1)):
        other = normal.exact_cost(best.quantity * q, best.point + r * sd, setup, holding, backorder, demand, mean, sd)
        assert best.cost <= other + 1e-6 * other


# Zheng & Federgruen 1991, table I: Poisson demand, K = 64, h = 1, p = 9.
@pytest.mark.parametrize(
    ("mean", "low", "high", "cost"),
    [(10, 6, 40, 35.022), (15, 10, 49, 42.698), (20, 14, 62, 49.173), (25, 19, 56, 54.262)],
)
def test_published_s_S(mean, low, high, cost):
    pmf = counted.poisson(mean)
    found = review.s_S(pmf, review.cost_rate(pmf, 1, 9), 64)
    assert (found.low, found.high) == (low, high)
    assert found.cost == pytest.approx(cost, abs=5e-4)


def test_no_s_S_on_a_grid_costs_less():
    pmf = counted.given([0.45, 0.25, 0.15, 0.08, 0.04, 0.02, 0.01])
    rate = review.cost_rate(counted.total(pmf, 3), 0.5, 8.0)
    found = review.s_S(pmf, rate, 6.0)
    grid = min(review.s_S_cost(pmf, rate, 6.0, s, up) for s in range(-2, 9) for up in range(s + 1, 20))
    assert found.cost == pytest.approx(grid)


def test_no_counted_r_q_on_a_grid_costs_less():
    rate = review.cost_rate(counted.poisson(12), 2, 20)
    found = review.r_q(rate, 12, 90)
    grid = min(review.r_q_cost(rate, r, q, 90) for r in range(40) for q in range(1, 60))
    assert found.cost == pytest.approx(grid)
    for quantity in (1, 7, 31):
        point = review.r_q(rate, 12, 90, quantity)
        assert point.high - point.low == quantity
        assert point.cost == pytest.approx(min(review.r_q_cost(rate, r, quantity, 90) for r in range(-30, 40)))


def test_fill_rates_of_counted_r_q():
    lead = counted.poisson(10)
    assert review.r_for_fill(lead, 1, 0.95) == review.fill_level(lead, 0.95) - 1  # one for one: r = S - 1
    for quantity in (1, 4, 20):
        served = [review.r_q_fill_rate(r, quantity, lead) for r in range(-1, 25)]
        assert served == sorted(served)
        r = review.r_for_fill(lead, quantity, 0.9)
        assert served[r + 1] >= 0.9 > served[r]
    # Units short of a cycle of Q, those of the cycle before aside, over Q.
    cycle = counted.short(lead, 12) - counted.short(lead, 32)
    assert review.r_q_fill_rate(12, 20, lead) == pytest.approx(1 - cycle / 20)


def test_base_stock_of_factory_physics():
    lead = counted.poisson(10)  # Hopp & Spearman: r = 15 for a fill rate of 95 %
    assert review.fill_level(lead, 0.95) == 16
    whole, alone = counted.poisson(1.0), counted.poisson(0.8)
    assert review.fill_rate(3, alone, whole) == pytest.approx(0.9368, abs=1e-4)
    assert review.level_for_fill(alone, whole, 0.93) == 3 and review.level_for_fill(alone, whole, 0.94) == 4


def test_lots_of_the_textbooks():
    plan = lotsize.wagner_whitin([90, 120, 80, 70], 500, 2.0)  # Snyder & Shen, example 3.10: 1,380
    assert plan.cost == 1380 and plan.orders.tolist() == [210, 0, 150, 0]
    meal = lotsize.silver_meal([18, 30, 42, 5, 20], 80, 2.0)  # Nahmias
    assert meal.orders.tolist() == [48, 0, 47, 0, 20]
    # Silver, Pyke & Peterson's twelve months, and the same by weeks, most of them without demand: the same lots.
    months = np.array([10, 62, 12, 130, 154, 129, 88, 52, 124, 160, 238, 41])
    weeks = np.kron(months, [1, 0, 0, 0])
    whole, cut = lotsize.silver_meal(months, 54, 0.4), lotsize.silver_meal(weeks, 54, 0.1)
    assert whole.orders[0] == 84 and (cut.orders[::4] == whole.orders).all()
    assert cut.cost == pytest.approx(whole.cost) and whole.cost < 1.1 * lotsize.wagner_whitin(months, 54, 0.4).cost
    unit = lotsize.least_unit_cost([18, 30, 42, 5, 20], 80, 2.0)
    assert unit.orders.tolist() == [48, 0, 42, 25, 0]


PERIODS = st.lists(st.integers(0, 90), min_size=1, max_size=7)


@given(PERIODS, st.floats(0, 300), st.floats(0, 4), st.lists(st.floats(1, 6), min_size=7, max_size=7))
@settings(max_examples=60, deadline=None)
def test_wagner_whitin_is_the_least_of_all_patterns(demand, setup, holding, prices):
    n, need = len(demand), np.array(demand, float)
    plan = lotsize.wagner_whitin(need, setup, holding, prices[:n])
    assert plan.cost == pytest.approx(lotsize.cost(plan.orders, need, setup, holding, prices[:n]), abs=1e-6)
    assert (np.cumsum(plan.orders - need) >= -1e-9).all() and plan.orders.sum() == pytest.approx(need.sum())
    best = np.inf
    for pattern in itertools.product([False, True], repeat=n):
        orders, last = np.zeros(n), -1
        for t in range(n):
            last = t if pattern[t] else last
            if need[t] > 0 and last < 0:
                break
            if last >= 0:
                orders[last] += need[t]
        else:
            best = min(best, lotsize.cost(orders, need, setup, holding, prices[:n]))
    assert plan.cost == pytest.approx(best, abs=1e-6)
    for rule in (lotsize.silver_meal, lotsize.least_unit_cost, lotsize.part_period):
        assert rule(need, setup, holding).cost >= lotsize.wagner_whitin(need, setup, holding).cost - 1e-6


def test_stock_by_known_figures():
    assert flow.net_stock(155, [0, 0, 90, 0], [60, 65, 70, 85]).tolist() == [95, 30, 50, -35]
    assert flow.cover(500, [120, 150, 90, 200], 7) == pytest.approx(25.9)
    assert np.isnan(flow.cover(500, [1, 2]))
    assert flow.left_by_age([300, 220, 140, 90], 252).tolist() == [300, 198, 0, 0]
    assert lotsize.net([30, 20, 10], 40).tolist() == [0, 10, 10]


def test_free_orders_and_no_demand():
    assert economic.eoq(0, 2, 500) == economic.Lot(0, 0)
    assert economic.eoq(10, 2, 0) == economic.Lot(0, 0)
    assert economic.eoq(0, 2, 500, pack=12) == economic.Lot(12, 12)
    assert economic.all_units(0, 0.2, 600, [0, 500], [3, 2]) == economic.Lot(500, 1300, 2)
    assert economic.all_units(0, 0.2, 600, [0, 500], [3, 2.99]) == economic.Lot(0, 1800, 3)
    assert economic.incremental(0, 0.2, 600, [0], [3]) == economic.Lot(0, 1800, 3)
    assert economic.eoq_backorders(0, 2, 5, 500).cost == 0
    none = counted.poisson(0)
    assert review.fill_rate(0, none, none) == 1
    best = normal.exact(0, 2, 8, 500, 20, 5)
    assert best.cost == pytest.approx(normal.newsvendor(20, 5, 2, 8).cost)


def test_an_increment_that_rises_in_price_is_cheapest_at_its_low_end():
    terms = (27.954, 0.27, 73, [0, 1100, 3320, 3730], [19.99, 19.06, 19.632, 16.114])
    best = economic.incremental(*terms)
    assert (best.quantity, best.cost) == pytest.approx((27.49857, 1607.68804))
    assert best.cost <= min(economic.incremental_cost(q, *terms).cost for q in np.geomspace(1, 9000, 400))


def test_demand_without_spread_is_the_deterministic_case():
    planned = economic.eoq_backorders(45, 3, 27, 1800)
    exact = normal.exact(45, 3, 27, 1800, 150, 0)
    assert (exact.quantity, exact.cost) == pytest.approx((planned.quantity, planned.cost))
    assert exact.point == pytest.approx(150 - planned.max_backorder)
    assert normal.point_for_fill(100, 150, 0, 0.98) == pytest.approx(148)
    assert normal.reached(50, 50, 0) == 1


@pytest.mark.parametrize(("minors", "values"), [([1], [160437]), ([15, 60], [300, 90000]), ([5, 15, 60], [80, 900, 7])])
def test_joint_replenishment_without_a_major_cost(minors, values):
    found = economic.joint(0, minors, values, 0.37)
    costs = [
        sqrt(2 * np.sum(minors / np.array(m)) * 0.37 * np.dot(values, m))
        for m in itertools.product(range(1, 40), repeat=len(minors))
        if min(m) == 1
    ]
    assert found.cost == pytest.approx(min(costs))


def test_what_has_no_best_policy_is_refused():
    for ask in (
        lambda: economic.joint(0, [0, 5], [100, 100], 0.2),
        lambda: economic.epq(10, 1, 100, 100),
        lambda: review.cost_rate(counted.poisson(3), 0, 9),
        lambda: review.cost_rate(counted.poisson(3), 1, 0),
        lambda: review.s_S_cost(np.ones(1), abs, 5, 0, 3),
    ):
        with pytest.raises(InputRejected):
            ask()
