from __future__ import annotations

import itertools
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import fxdesk as desk

from cbec.core.errors import UsageFault
from cbec.methods.fx import flows as flowing
from cbec.methods.fx import hedge, risk


def case(net, hedged, *, seed=0, step=1.0, spread=0.001, points=0.0, count=60):
    """Flows, scenarios and terms of these rows; spot is 1."""
    net, hedged = np.asarray(net, float), np.asarray(hedged, float)
    rows = len(net)
    table = pl.DataFrame(
        {
            "currency": [f"X{i:02d}" for i in range(rows)], "bucket": ["b"] * rows, "value_date": [desk.LAST + timedelta(days=30)] * rows,
            "gross_in": np.maximum(net, 0), "gross_out": np.minimum(net, 0), "net": net, "hedged": hedged, "open": net + hedged,
        }
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    moves = 0.02 * (rng.standard_t(4, (count, 1)) + rng.standard_t(4, (count, rows)))
    moves = np.concatenate([moves, -moves])
    chance = np.concatenate([np.full(count, 0.75 / count), np.full(count, 0.25 / count)])
    moves -= chance @ moves
    scenes = risk.Scenarios(moves, chance, np.ones(rows), count)
    ones = np.ones(rows)
    return (
        flowing.Flows(table, np.full(rows, 20)),
        scenes,
        hedge.Terms((1 + points) * ones, points * ones, spread * ones, step * ones),
    )


def solved(flows, scenes, terms, least=0.0, most=1.0, level=0.9):
    allowed = hedge.band(flows, least, most)
    return allowed, hedge.solve(flows, scenes, terms, allowed, level)


def cvar(flows, scenes, deal, level=0.9):
    return risk.tail(risk.losses(flows.column("open") + deal, scenes).sum(axis=1), scenes.chance, level)[1]


AMOUNTS = st.lists(st.integers(-1000, 1000), min_size=1, max_size=5)
RATIO = st.sampled_from([0.0, 0.25, 0.5, 0.8, 1.0])


@settings(max_examples=60, deadline=None)
@given(
    AMOUNTS,
    st.integers(0, 10**6),
    RATIO,
    RATIO,
    st.sampled_from([0.0, 0.002, 0.05]),
    st.sampled_from([-0.02, 0.0, 0.02]),
    st.sampled_from([1.0, 50.0]),
)
def test_a_plan_never_has_more_risk_than_doing_nothing_and_stays_within_the_band(
    net, seed, first, second, spread, points, step
):
    least, most = sorted((first, second))
    hedged = np.random.default_rng(seed).integers(-1500, 1500, len(net)) * (np.asarray(net) != 0)
    flows, scenes, terms = case(net, hedged, seed=seed, spread=spread, points=points, step=step)
    _, plan = solved(flows, scenes, terms, least, most)
    nothing = np.zeros(len(net))
    before, after = cvar(flows, scenes, nothing), cvar(flows, scenes, plan.deal)
    assert after <= before * (1 + 1e-9) + 1e-6
    np.testing.assert_allclose(plan.deal / step, np.round(plan.deal / step), atol=1e-9)
    now = hedge.ratio(flows.column("net"), flows.column("hedged"))
    then = hedge.ratio(flows.column("net"), flows.column("hedged") + plan.deal)
    slack = step / np.maximum(np.abs(flows.column("net")), 1e-9) + 1e-6
    there = np.isfinite(then)
    if plan.forced_back:
        assert not plan.deal.any()
    else:
        assert np.all((then >= least - slack)[there] & (then <= most + slack)[there])
    # What is within the band is never unwound.
    inside = there & (now >= least) & (now <= most)
    assert np.all(then[inside] >= now[inside] - 1e-9)
    if np.all((now >= least - 1e-12) & (now <= most + 1e-12) | ~there):
        assert after + hedge.counted(plan.deal, terms) <= before + 1e-6 * (1 + abs(before))


@pytest.mark.parametrize("seed", range(6))
def test_the_plan_is_the_best_of_all_on_a_small_grid(seed):
    flows, scenes, terms = case([100, -80], [0, 0], seed=seed, step=20.0, spread=0.01)
    _, plan = solved(flows, scenes, terms, 0.0, 0.8)
    every = {
        (-a, b): cvar(flows, scenes, np.array([-a, b])) + 0.01 * (a + b)
        for a, b in itertools.product(range(0, 81, 20), range(0, 61, 20))
    }
    assert plan.value == pytest.approx(min(every.values()), rel=1e-6)
    assert plan.bound <= plan.value + 1e-6 and plan.status.startswith("optimal")


def test_a_natural_hedge_is_left_alone_where_hedging_one_side_is_all_that_is_allowed():
    # One rate under two names: 100 in, 100 out. Selling the receipts alone would open the payments.
    flows, scenes, terms = case([100, -100], [0, 0])
    scenes = risk.Scenarios(np.repeat(scenes.moves[:, :1], 2, axis=1), scenes.chance, scenes.spot, scenes.origins)
    _, plan = solved(flows, scenes, terms)
    assert not plan.deal.any()


def test_a_band_that_would_raise_the_risk_is_not_obeyed():
    # 100 % is hedged where the policy allows 50 %: to come down would open what is closed today.
    flows, scenes, terms = case([1000], [-1000])
    _, plan = solved(flows, scenes, terms, 0.0, 0.5)
    assert plan.forced_back and not plan.deal.any()


def test_carry_that_pays_is_not_counted_and_carry_that_costs_is():
    terms = hedge.Terms(np.array([1.05, 1.05]), np.array([0.05, 0.05]), np.zeros(2), np.ones(2))
    carry, _ = hedge.costs(np.array([-10.0, 10.0]), terms)
    assert carry.tolist() == [-0.5, 0.5]  # sold at a premium pays, bought at one costs
    assert hedge.counted(np.array([-10.0, 10.0]), terms) == 0.5


def test_a_forward_that_costs_more_than_the_risk_is_not_dealt():
    flows, scenes, terms = case([100], [0], spread=0.5)
    assert not solved(flows, scenes, terms)[1].deal.any()
    flows, scenes, terms = case([100], [0], spread=0.0001)
    assert solved(flows, scenes, terms)[1].deal.tolist() == [-100]


def test_steps_and_bands():
    assert [hedge._round_step(x) for x in (1219.5, 212766.0, 5.0, 0.3, 0)] == [1000, 200000, 5, 0.2, 0]
    with pytest.raises(UsageFault, match="above max_ratio"):
        hedge.band(case([1], [0])[0], 0.8, 0.2)
    # Hedged beyond the whole: it comes back, and a coarse step never turns it into a position the other way.
    flows, scenes, terms = case([100], [-150], step=1000.0)
    allowed, plan = solved(flows, scenes, terms)
    assert allowed.over.all() and allowed.low.tolist() == [50] and not plan.deal.any()
    assert solved(*case([100], [-150], step=20.0))[1].deal.tolist() == [60]
