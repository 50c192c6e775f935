"""Stock by day: mass balance, lost sales, what is owed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from support import stockroom as room

from cbec.methods.forecast.projection import lost_sales

UNITS = st.integers(0, 30)


@given(
    start=st.integers(-20, 60),
    days=st.lists(st.tuples(UNITS, UNITS), min_size=1, max_size=30),
)
@settings(max_examples=150, deadline=None)
def test_stock_is_the_daily_recursion_of_lost_sales(start, days):
    arrivals, asked = (np.array(x, dtype=float) for x in zip(*days, strict=True))
    found = lost_sales((start + np.cumsum(arrivals))[None, :], np.cumsum(asked)[None, :])[0]
    stock = float(start)
    for day, (more, less) in enumerate(zip(arrivals, asked, strict=True)):
        there = stock + more
        stock = max(there - less, min(there, 0.0))  # demand empties the shelf at most; what is owed stays owed
        assert found[day] == pytest.approx(stock)


def test_mass_balance_while_there_is_stock():
    arrivals, asked = np.array([0.0, 50, 0, 0]), np.array([10.0, 12, 9, 11])
    stock = lost_sales((40 + np.cumsum(arrivals))[None, :], np.cumsum(asked)[None, :])[0]
    np.testing.assert_allclose(np.diff(stock, prepend=40), arrivals - asked)


def test_chance_of_running_out_agrees_with_simulated_lost_sales():
    from cbec.methods import protection
    from cbec.methods import terms as policy
    from cbec.methods.forecast.firmdue import Due
    from cbec.methods.forecast.projection import project

    forecast = room.forecast(room.poisson(5, 24))
    clock = protection.clock(forecast, None)
    linked = protection.link(forecast, room.serves(), clock)
    terms = policy.choose(
        linked.items, room.policy({"lead_time_days": 9.0}), None, service_level=0.95, review_days=7, holding_rate=0.25
    )
    demand = protection.demand(linked, clock, terms.protection, terms.service, 0.0, ~np.isnan(terms.fill))
    held = policy.stock(linked.items, room.stock({"on_hand": 24.0}), None, clock)
    path = project(linked.items, demand, Due(), terms, held, np.array([70.0]), clock, 24).rows

    rng = np.random.default_rng(4)
    stock, share = np.full(20000, 24.0), []
    for day in range(1, 25):
        there = stock + 70 * (day == 9)
        asked = rng.poisson(5, 20000)
        share.append(float((asked > there).mean()))
        stock = np.maximum(there - asked, 0)
    p = path["p_stockout"].to_numpy()
    assert (p >= np.array(share) - 0.01).all()
    assert p[3] == pytest.approx(1 - stats.poisson(20).cdf(24), abs=0.01)
    assert p[7] > 0.98
    assert p[9] < 1e-4
    assert p[21] == pytest.approx(1 - stats.poisson(70).cdf(70), abs=0.02)


def test_the_shelf_is_empty_on_the_day_whose_demand_takes_the_last_unit():
    from cbec.methods import protection
    from cbec.methods import terms as policy
    from cbec.methods.forecast.firmdue import Due
    from cbec.methods.forecast.projection import project

    forecast = room.forecast(room.normal(10, 1, 12))
    clock = protection.clock(forecast, None)
    linked = protection.link(forecast, room.serves(), clock)
    terms = policy.choose(linked.items, room.policy(), None, service_level=0.95, review_days=7, holding_rate=0.25)
    demand = protection.demand(linked, clock, terms.protection, terms.service, 0.0)
    for units, day in ((9.0, 1.0), (30.0, 3.0), (31.0, 4.0), (500.0, np.nan)):
        held = policy.stock(linked.items, room.stock({"on_hand": units}), None, clock)
        found = project(linked.items, demand, Due(), terms, held, np.zeros(1), clock, 12).empty
        np.testing.assert_array_equal(found, [day])
