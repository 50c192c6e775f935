"""The programme is the cost; its plans are whole, possible, never dearer than nothing, and best where all can be tried."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import floors
from support.floors import networks

from cbec.methods.warehouse import search, transfer
from cbec.methods.warehouse.fan import WEIGHT
from cbec.methods.warehouse.program import Program

Q = len(WEIGHT)


@settings(deadline=None, max_examples=60)
@given(networks())
def test_the_programme_prices_its_plans_as_they_cost(net):
    per_m3 = np.linspace(0, 1, len(net.lanes.fixed))
    found = Program(net, search.useful(net)).relaxed(per_m3)
    assert found.status == "optimal"
    real = transfer.price(net, found.qty)
    assert found.bound == pytest.approx(
        real.positions + real.freight + per_m3[net.lane] @ (net.m3 * found.qty), rel=1e-6, abs=1e-4
    )
    # No plan of whole lots near it, nor none at all, is cheaper by the same prices.
    nothing = transfer.price(net, np.zeros(net.flows)).positions
    assert found.bound <= nothing + 1e-6


@settings(deadline=None, max_examples=60)
@given(networks())
def test_units_beyond_the_useful_ones_never_pay(net):
    most = search.useful(net)
    rng = np.random.default_rng(0)
    for flow in range(net.flows):
        room = int(net.stock[net.source[flow]] - most[flow])
        if room < 1:
            continue
        qty = np.zeros(net.flows)
        # Whatever the others of the same SKU send.
        for other in np.flatnonzero(
            (net.sku[net.source] == net.sku[net.source[flow]]) & (net.source != net.source[flow])
        ):
            left = net.stock[net.source[other]] - qty[net.source == net.source[other]].sum()
            qty[other] = rng.integers(0, int(max(left, 0)) + 1)
        qty[flow] = most[flow]
        assert transfer.marginal(net, qty, 1.0)[flow] <= 1e-6


@settings(deadline=None, max_examples=30)
@given(networks(), st.sampled_from([1.0, 3.0]), st.sampled_from([0.0, 4.0]), st.booleans())
def test_plans_are_whole_possible_and_never_dearer_than_nothing(net, pack, lot, proof):
    net = dataclasses.replace(net, pack=np.full(net.flows, pack), lot=lot)
    plan = search.best(net, 20.0 if proof else 0.0)
    assert plan.cost == pytest.approx(transfer.price(net, plan.qty).cost)
    assert plan.nothing == pytest.approx(transfer.price(net, np.zeros(net.flows)).cost)
    assert plan.cost <= plan.nothing + 1e-9
    assert plan.bound is None or plan.bound <= plan.cost + 1e-6
    assert (plan.qty % pack == 0).all() and (plan.qty >= 0).all()
    sent = np.bincount(net.source, weights=plan.qty, minlength=len(net.stock))
    assert (sent <= np.maximum(net.stock, 0) + 1e-9).all()  # nothing is sent that is not there
    # Every unit sent arrives: what is there and what is on the way is what was there.
    arrived = np.bincount(net.target, weights=plan.qty, minlength=len(net.stock))
    assert sent.sum() == arrived.sum() == plan.qty.sum()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.booleans())
def test_with_proof_the_plan_is_the_best_of_all(seed, lost):
    rng = np.random.default_rng(seed)
    demand = np.cumsum(rng.gamma(1.0, 2.0, (1, 3, 2, 1)) * np.sort(rng.gamma(2.0, 0.5, (1, 3, 1, Q)), axis=3), axis=2)
    stock = rng.integers(0, 6, (1, 3))
    lanes = [(0, 1, 0, 0.2, 6.0, 3.0), (1, 2, 1, 0.1, 4.0, np.inf), (0, 2, 1, 0.3, 0.0, np.inf)]
    net = floors.network(stock, demand, lanes, lost=lost, short=np.full(3, 4.0))
    plan = search.best(net, 20.0)
    best = np.inf
    for lots in itertools.product(range(6), repeat=3):
        qty = np.array(lots, float)
        if (np.bincount(net.source, weights=qty, minlength=3) <= net.stock).all():
            best = min(best, transfer.price(net, qty).cost)
    # The proof is of fractional lots; of so few units the whole ones cut from them may be a little dearer.
    assert best - 1e-9 <= plan.cost <= best * 1.1 + 0.5
    looked_at_all = (transfer.first_unit(net)[net.stock[net.source] > 0] > 0).all()
    assert not looked_at_all or plan.bound <= best + 1e-6


def test_trips_that_do_not_pay_are_not_run():
    demand = np.zeros((1, 2, 1, Q))
    demand[0, 1] = 4.0
    lanes = [(0, 1, 0, 0.0, 35.0, 10.0)]
    cheap = floors.network([[50, 0]], demand, lanes, hold=np.zeros(2))
    plan = search.best(cheap, 20.0)
    assert (plan.qty[0], plan.status) == (4.0, "optimal")  # 4 x 10 saved for 35
    dear = floors.network([[50, 0]], demand, [(0, 1, 0, 0.0, 45.0, 10.0)], hold=np.zeros(2))
    plan = search.best(dear, 20.0)
    assert (plan.qty[0], plan.status, plan.gap) == (0.0, "nothing_pays", 0.0)


def test_room_of_a_paid_trip_goes_to_what_saves_most():
    demand = np.zeros((2, 2, 1, Q))
    demand[:, 1] = 10.0
    net = floors.network([[50, 0], [50, 0]], demand, [(0, 1, 0, 0.0, 20.0, 12.0)], hold=np.zeros(4))
    net = dataclasses.replace(net, short=np.array([10.0, 3.0, 10.0, 1.0]))
    plan = search.best(net, 20.0)
    assert plan.qty.tolist() == [10.0, 2.0]


def test_packs_and_handling_keep_small_lots_at_home():
    demand = np.zeros((2, 2, 1, Q))
    demand[0, 1], demand[1, 1] = 10.0, 1.0
    net = floors.network([[50, 0], [50, 0]], demand, [(0, 1, 0, 0.0, 5.0, np.inf)], hold=np.full(4, 0.001))
    assert search.best(net, 20.0).qty.tolist() == [10.0, 1.0]
    handled = search.best(dataclasses.replace(net, lot=12.0), 20.0)
    assert (handled.qty.tolist(), handled.status) == ([10.0, 0.0], "bounded")
    packed = search.best(dataclasses.replace(net, pack=np.full(2, 6.0)), 20.0)
    assert packed.qty.tolist()[0] in (6.0, 12.0)


def test_large_programmes_are_simplified_and_say_so(monkeypatch):
    rng = np.random.default_rng(3)
    demand = np.cumsum(rng.gamma(1.0, 6.0, (4, 3, 3, 1)) * np.sort(rng.gamma(2.0, 0.5, (4, 3, 1, Q)), axis=3), axis=2)
    lanes = [(a, b, w, 0.1, 0.0, np.inf) for a in range(3) for b in range(3) if a != b for w in (0, 2)]
    net = floors.network(rng.integers(0, 40, (4, 3)), demand, lanes)
    whole = search.best(net, 0.0)
    monkeypatch.setattr(search, "TIED", 0)
    less = search.best(net, 0.0)
    assert whole.simplified == 0 < less.simplified
    assert whole.cost <= less.cost + 1e-6 <= less.nothing + 2e-6


def test_stopped_by_the_clock_is_no_optimum(monkeypatch):
    demand = np.zeros((1, 2, 1, Q))
    demand[0, 1] = 4.0
    net = floors.network([[50, 0]], demand, [(0, 1, 0, 0.0, 35.0, 10.0)], hold=np.zeros(2))
    monkeypatch.setattr(
        Program, "whole", lambda self, seconds: dataclasses.replace(self.relaxed(np.zeros(1)), status="feasible")
    )
    plan = search.best(net, 1.0)
    assert plan.status == "feasible"
    assert plan.cost <= plan.nothing and plan.gap is not None
