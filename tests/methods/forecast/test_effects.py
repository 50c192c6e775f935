"""Effects of promotions, events, prices and signals: planted ones found, none made up, what comes later unseen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.forecast import byday, drivers, effects, history, occasions
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


def test_what_a_promotion_takes_from_the_time_after_it():
    planned, label = promotions()
    planned[:, :T][:, :12] = 0
    since = bare(planned=planned, label=label, names=("promotion", "deal", "week"))
    factor = np.ones((N, T + H))
    for day in (50, 100, 150, 200, 250, 300, 350):
        factor[::2, day : day + 4], factor[::2, day + 4 : day + 11] = 2.0, 0.7
    found = learn(demand(np.random.default_rng(8), factor[:, :T]), since)
    assert found.learnt.after == pytest.approx([-0.3, 0.0], abs=0.06)
    ahead = found.ahead(("promotion",))
    assert ahead[0, 14:20] == pytest.approx(np.full(6, 0.7), abs=0.06)  # planned until day 413, another on 420
    assert ahead[0, 10:14] == pytest.approx(np.full(4, 2.0), abs=0.2) and (ahead[1] == 1).all()


def test_an_event_may_do_more_in_one_category():
    x = np.zeros(T + H)
    x[20::45] = 1
    group = np.arange(N) % 2
    y = demand(np.random.default_rng(9), 1 + np.where(group == 0, 0.3, 2.0)[:, None] * x[:T])
    known = bare(lines=(Line("event", "Friday", np.ones(1, bool), x),))
    found = effects.learn(y, known, H, "D", group).ahead(("event",))
    day = 425 - T
    assert found[0, day] == pytest.approx(1.3, abs=0.12) and found[1, day] == pytest.approx(3.0, abs=0.2)
    # Few series of a category tell nothing of their own.
    alike = effects.learn(y[:30], replace(known, market=known.market[:30]), H, "D", group[:30]).ahead(("event",))
    assert alike[0, day] == alike[1, day]


def test_what_comes_once_a_year_proves_itself_by_its_other_years():
    """A festival of three years and a day that does nothing: both lie before every horizon that is judged."""
    rng = np.random.default_rng(10)
    feast, idle = np.zeros(160 + 8), np.zeros(160 + 8)
    feast[[10, 61, 113, 164]] = 3 / 7
    idle[[30, 82, 134]] = 1 / 7
    lines = (Line("holiday", "feast", np.ones(1, bool), feast), Line("holiday", "idle", np.ones(1, bool), idle))
    y = rng.poisson(30 * (1 - 1.2 * feast[:160]), (N, 160)).astype(float)
    known = replace(bare(lines=lines), width=160, length=168)
    found = effects.learn(y, known, 8, "W", np.zeros(N, np.int64)).learnt
    assert found.proved.tolist() == [True, False]
    assert found.lines[0] == pytest.approx(-1.2, abs=0.15)


def test_kinds_are_judged_by_themselves_and_by_what_proved_itself():
    """An event on the days of a holiday: beside it neither would tell. And where a kind as a whole does no better, what is sure of it is tried."""
    rng = np.random.default_rng(14)
    feast, idle = np.zeros(168), np.zeros(168)
    feast[[10, 61, 113, 164]] = 3 / 7
    idle[[30, 82, 134]] = 1 / 7
    every = np.ones(1, bool)
    event, same, other = (
        Line(kind, name, every, x)
        for kind, name, x in (("event", "ours", feast), ("holiday", "feast", feast), ("holiday", "idle", idle))
    )
    y = rng.poisson(30 * (1 - 1.2 * feast[:160]), (8, 160))
    sales = pl.DataFrame(
        {
            "date": np.tile(np.datetime64("2022-01-03") + 7 * np.arange(160), 8),
            "sku": [f"S{i}" for i in range(8) for _ in range(160)],
            "market": "DE",
            "units": y.ravel().astype(float),
        }
    ).with_columns(pl.col("date").cast(pl.Date))
    panel = history.panel(sales, as_of=sales["date"].max(), frequency="W")
    market = np.zeros(8, np.int64)

    def judged(lines, loss):
        known = Covariates(width=160, length=168, market=market, markets=("DE",), lines=lines)
        return drivers.judged(replace(panel, covariates=known), (8,), 8, loss)

    seen = []

    def of_event(made):
        seen.append(None if made is None else (made.kinds, round(float(made.origins[0].learnt.lines[0]), 1)))
        return 1.0 if made is None else 0.8 if made.kinds == ("event",) else 2.0

    used, saved = judged((same, event), of_event)
    assert used.lines == (event,) and saved == pytest.approx(0.2)
    assert seen[1] == (("event",), pytest.approx(-1.2, abs=0.15))

    def of_feast(made):
        return 1.0 if made is None else 1.5 if len(made.origins[0].learnt.lines) == 2 else 0.9

    used, _ = judged((same, other), of_feast)
    assert used.lines == (same,)
    used, _ = judged((same, other), lambda made: 1.0 if made is None else 1.5)
    assert used.lines == () and not used.kinds


def test_a_price_off_by_rounding_tells_no_elasticity():
    rng = np.random.default_rng(11)
    price = np.round(20 * np.exp(0.0002 * np.arange(T)) * np.ones((N, 1)) + rng.normal(0, 0.02, (N, T)), 2)
    planned = np.full((N, T + H), np.nan)
    planned[:, T:] = price[:, -1:] * 1.02
    for seed in range(4):
        found = learn(demand(np.random.default_rng(seed)), bare(price=price, planned_price=planned))
        assert found is None or "price" not in found.factor or np.abs(found.ahead(("price",)) - 1).max() < 0.01


def test_promotions_without_a_told_price_bring_what_the_usual_ones_do_on_the_average():
    rng = np.random.default_rng(12)
    weeks, ahead = 130, 8
    on = rng.random((N, weeks + ahead)) < 0.25
    depth = rng.choice([0.05, 0.5], on.shape)
    price = np.where(on, 1 - depth, 1.0)
    y = rng.poisson(40 * price[:, :weeks] ** -2.0).astype(float)
    known = Covariates(
        width=weeks, length=weeks + ahead, market=np.zeros(N, np.int64), markets=("DE",), planned=on.astype(float),
        label=np.zeros(on.shape, np.int64), price=price[:, :weeks],
    )  # fmt: skip
    found = effects.learn(y, known, ahead, "W", np.zeros(N, np.int64)).ahead(("promotion",))
    assert found[on[:, weeks:]].mean() == pytest.approx((0.95**-2 + 0.5**-2) / 2, rel=0.06)  # of their mean depth: 2.1
    # Without the kind price the depth stays, and changes of the regular price do not count.
    alone = effects.learn(y, known.only(("promotion",)), ahead, "W", np.zeros(N, np.int64))
    assert alone.learnt.elasticity < -1.5 and "price" not in alone.factor


def test_a_signal_of_slow_ups_and_downs_keeps_its_strength_and_a_fault_in_it_is_no_value():
    rng = np.random.default_rng(13)
    weeks, ahead = 130, 4
    z = np.zeros(weeks + ahead)
    for t in range(1, len(z)):
        z[t] = 0.7 * z[t - 1] + rng.normal()
    z /= z[:weeks].std()
    y = rng.poisson(30 * np.exp(0.3 * z[:weeks]), (N, weeks)).astype(float)
    at = np.arange(weeks + ahead)
    signal = Signal("visits", np.ones(1, bool), at, np.minimum(at, weeks - 1), z)
    known = replace(bare(signals=(signal,)), width=weeks, length=weeks + ahead)
    found = effects.learn(y, known, ahead, "W", np.zeros(N, np.int64))
    assert found.learnt.signals[0] == pytest.approx(0.3, abs=0.07)
    for place in (40, weeks + 2):
        wild = z.copy()
        wild[place] = 1e6
        broken = replace(known, signals=(replace(signal, value=wild),))
        again = effects.learn(y, broken, ahead, "W", np.zeros(N, np.int64))
        assert again.learnt.signals[0] == pytest.approx(0.3, abs=0.07)
        assert again.ahead(("signal",)).max() < 2 and (place < weeks or again.ahead(("signal",))[0, 2] == 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.05, 20), min_size=3, max_size=3), st.floats(0, 1e5, allow_subnormal=False))
def test_shares_add_up(factors, mean):
    told = drivers.shares(np.array([[mean]]), {str(i): np.array([[f]]) for i, f in enumerate(factors)})
    assert sum(v[0, 0] for v in told.values()) == pytest.approx(mean, abs=1e-6 * max(mean, 1))
    assert told["base"][0, 0] * np.prod(factors) == pytest.approx(mean, rel=1e-9)
    assert all((told[str(i)][0, 0] >= 0) == (f >= 1) or mean == 0 for i, f in enumerate(factors))


def test_shrinking_follows_the_evidence():
    one, many = np.array([60.0]), np.full(20, 60.0)
    base1, base20 = np.array([100.0]), np.full(20, 100.0)
    assert 0 < byday.shrunk(one, base1, 0.0) < byday.shrunk(many, base20, 0.0) < 0.6
    assert byday.shrunk(np.array([1.0]), np.array([100.0]), 0.0) == 0.0
    assert byday.shrunk(np.zeros(0), np.zeros(0), 0.3) == 0.3


def test_shrinking_each_is_shrinking_one():
    rng = np.random.default_rng(0)
    key, day = rng.integers(0, 5, 400), rng.integers(0, 60, 400)
    weight = rng.uniform(1, 5, 400)
    excess = weight * 0.3 * key + rng.normal(0, 2, 400)
    prior = np.linspace(0.1, 0.6, 6)
    each = byday.shrunk_each(key, day, excess, weight, prior, 60)
    sums = [(np.bincount(day[key == k], v[key == k], 60)) for k in range(5) for v in (excess, weight)]
    alone = [byday.shrunk(sums[2 * k], sums[2 * k + 1], prior[k]) for k in range(5)]
    assert each.tolist() == pytest.approx([*alone, prior[5]])


def test_crowds_lie_within_markets():
    assert occasions.crowds(np.array([0, 0, 1, 1]), np.array([3, 5, 3, 3])).tolist() == [0, 1, 2, 2]
