"""Effects of promotions, events, prices and signals: planted ones found, none made up, what comes later unseen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.forecast import drivers, effects
from cbec.methods.forecast.covariates import Covariates, Line, Signal

T, H, N = 400, 28, 60
WEEK = np.array([1.2, 1.1, 1.0, 0.9, 0.9, 0.7, 1.2])


def demand(rng, factor=1.0, rate=8.0):
    level = rate * WEEK[np.arange(T) % 7] * (1 + 0.3 * np.sin(np.arange(T) / 60))
    return rng.poisson(np.broadcast_to(level * factor, (N, T))).astype(float)


def bare(**known):
    return Covariates(width=T, length=T + H, market=np.zeros(N, np.int64), markets=("DE",), **known)


def promotions():
    planned, label = np.zeros((N, T + H)), np.zeros((N, T + H), np.int64)
    for number, days in ((1, (50, 150, 250, 350, 410)), (2, (100, 200, 300, 420))):
        for day in days:
            planned[::2, day : day + 4], label[::2, day : day + 4] = 1.0, number
    return planned, label


def learn(y, cov):
    return effects.learn(y, cov, H, "D", np.zeros(N, np.int64))


def test_planted_uplifts_are_found_by_name():
    planned, label = promotions()
    u = np.array([0.0, 0.5, 1.5])
    y = demand(np.random.default_rng(1), 1 + u[label[:, :T]] * planned[:, :T])
    found = learn(y, bare(planned=planned, label=label, names=("promotion", "deal", "week")))
    assert found.learnt.promotion[1:] == pytest.approx(u[1:], abs=0.12)
    ahead = found.ahead(("promotion",))
    assert ahead[0, 410 - T] == pytest.approx(1.5, abs=0.12) and (ahead[1] == 1).all()
    quiet = y / found.past(("promotion",))
    on = planned[0, :T] > 0
    assert quiet[::2, on].mean() == pytest.approx(quiet[::2, ~on].mean(), rel=0.06)


def test_events_and_holidays_of_a_market():
    x = np.zeros(T + H)
    x[20::45] = 1
    y = demand(np.random.default_rng(2), 1 - 0.4 * x[:T])
    found = learn(y, bare(lines=(Line("event", "strike", np.ones(1, bool), x),)))
    assert found.learnt.lines[0] == pytest.approx(-0.4, abs=0.06)


def test_nothing_is_made_up():
    planned, label = promotions()
    found = learn(demand(np.random.default_rng(3)), bare(planned=planned, label=label, names=("promotion", "a", "b")))
    assert np.abs(found.learnt.promotion).max() < 0.06 and np.abs(found.learnt.own).max() < 0.15
    assert learn(demand(np.random.default_rng(3)), bare()) is None


def test_price_elasticity_and_planned_price():
    rng = np.random.default_rng(4)
    price = np.where((np.arange(T) // 20) % 3 == 1, 8.0, 10.0) * np.ones((N, 1))
    planned = np.full((N, T + H), np.nan)
    planned[:, T + 3] = 8.0
    price[:, -20:] = 10.0
    found = learn(demand(rng, (price / 10) ** -2.0), bare(price=price, planned_price=planned))
    assert found.learnt.elasticity == pytest.approx(-2.0, abs=0.5)
    ahead = found.ahead(("price",))
    assert ahead[0, 3] > 1.3 and ahead[0, 4] == 1.0


def test_prices_that_rise_with_demand_make_no_demand():
    rng = np.random.default_rng(12)
    price = np.where((np.arange(T) // 20) % 3 == 1, 12.0, 10.0) * np.ones((N, 1))
    found = learn(demand(rng, (price / 10) ** 2.0), bare(price=price))
    assert found.learnt.elasticity == 0.0 and "price" not in found.factor


def test_a_planned_price_counts_for_its_days_and_until_it_ends():
    """A cut that ends with the last day known: afterwards the price before it; a day that is half at the lower price."""
    rng = np.random.default_rng(4)
    price = np.where((np.arange(T) // 20) % 3 == 1, 8.0, 10.0) * np.ones((N, 1))
    planned, held = np.full((N, T + H), np.nan), np.zeros((N, T + H))
    planned[:, :T][price == 8.0], held[:, :T][price == 8.0] = 8.0, 1.0
    planned[:, [T, T + 3]], held[:, [T, T + 3]] = 8.0, [1.0, 0.5]
    assert price[0, -1] == 8.0 and not np.isnan(planned[0, T - 1])
    known = bare(price=price, planned_price=planned, price_held=held)
    found = learn(demand(rng, (price / 10) ** -2.0), known)
    now, *_, half, after = (found.factor["price"][0][0, T + d] for d in (0, 3, 4))
    elasticity = found.learnt.elasticity
    assert elasticity == pytest.approx(-2.0, abs=0.5) and after == 1.0
    assert (now, half) == pytest.approx((0.8**elasticity, 0.9**elasticity))


def test_what_a_promotion_takes_off_the_price_is_a_part_of_it():
    """Weeks on promotion a third of the time, each with another price: elasticity and what is beside it are told apart."""
    rng = np.random.default_rng(7)
    weeks, ahead = 130, 8
    on = rng.random((N, weeks + ahead)) < 0.35
    price = np.where(on, np.exp(-rng.uniform(0.1, 0.6, on.shape)), 1.0)
    factor = np.where(on, 1.3, 1.0) * price**-2.5
    y = rng.poisson(40 * factor[:, :weeks]).astype(float)
    known = Covariates(
        width=weeks, length=weeks + ahead, market=np.zeros(N, np.int64), markets=("DE",),
        planned=on.astype(float), label=np.zeros(on.shape, np.int64), price=price[:, :weeks], planned_price=np.where(on, price, np.nan),
    )  # fmt: skip
    found = effects.learn(y, known, ahead, "W", np.zeros(N, np.int64))
    assert found.learnt.elasticity == pytest.approx(-2.5, abs=0.3)
    assert found.learnt.promotion[0] == pytest.approx(0.3, abs=0.15)
    told = found.ahead(("promotion",))
    assert (told[~on[:, weeks:]] == 1).all()
    np.testing.assert_allclose(told[on[:, weeks:]], factor[:, weeks:][on[:, weeks:]], rtol=0.2)
    # A promotion whose price is not told has the usual depth.
    usual = effects.learn(y, replace(known, planned_price=None), ahead, "W", np.zeros(N, np.int64)).ahead(
        ("promotion",)
    )
    assert usual[on[:, weeks:]].mean() == pytest.approx(factor[on].mean(), rel=0.15)


def test_a_signal_known_ahead():
    rng = np.random.default_rng(5)
    z = rng.normal(size=T + H)
    seen = np.minimum(np.arange(T + H), T - 1)
    signal = Signal("visits", np.ones(1, bool), np.arange(T + H), seen, z)
    found = learn(demand(rng, np.exp(0.2 * z[:T])), bare(signals=(signal,)))
    assert found.learnt.signals[0] == pytest.approx(0.2, abs=0.04)
    lagged = replace(signal, at=signal.at[:T], recorded=seen[:T], value=z[:T])
    assert learn(demand(rng), bare(signals=(lagged,))) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.05, 20), min_size=3, max_size=3), st.floats(0, 1e5))
def test_shares_add_up(factors, mean):
    told = drivers.shares(np.array([[mean]]), {str(i): np.array([[f]]) for i, f in enumerate(factors)})
    assert sum(v[0, 0] for v in told.values()) == pytest.approx(mean, abs=1e-6 * max(mean, 1))
    assert told["base"][0, 0] * np.prod(factors) == pytest.approx(mean, rel=1e-9)
    assert all((told[str(i)][0, 0] >= 0) == (f >= 1) or mean == 0 for i, f in enumerate(factors))


def test_shrinking_follows_the_evidence():
    one, many = np.array([60.0]), np.full(20, 60.0)
    base1, base20 = np.array([100.0]), np.full(20, 100.0)
    assert 0 < effects.shrunk(one, base1, 0.0) < effects.shrunk(many, base20, 0.0) < 0.6
    assert effects.shrunk(np.array([1.0]), np.array([100.0]), 0.0) == 0.0
    assert effects.shrunk(np.zeros(0), np.zeros(0), 0.3) == 0.3
