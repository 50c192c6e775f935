"""What a plan costs: against a day-by-day shelf, and the shape of the cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import floors
from support.floors import networks

from cbec.methods.warehouse import transfer
from cbec.methods.warehouse.fan import WEIGHT

Q = len(WEIGHT)


def plans(net, rng):
    left = net.stock.copy()
    qty = np.zeros(net.flows)
    for flow in rng.permutation(net.flows):
        qty[flow] = rng.integers(0, int(max(left[net.source[flow]], 0)) + 1)
        left[net.source[flow]] -= qty[flow]
    return qty


@settings(deadline=None, max_examples=60)
@given(networks(lost=True), st.integers(0, 99))
def test_lost_demand_is_that_of_a_shelf_day_by_day(net, seed):
    qty = plans(net, np.random.default_rng(seed))
    found = transfer.outcome(net, transfer.supply(net, qty))
    for p in range(len(net.stock)):
        for q in range(Q):
            shelf = net.stock[p] - qty[net.source == p].sum()
            lost = held = 0.0
            for g in range(net.span.shape[1]):
                shelf += qty[(net.target == p) & (net.window == g)].sum()
                begin = shelf
                before = net.demand[p, g - 1, q] if g else 0.0
                wanted = net.demand[p, g, q] - before
                sold = min(wanted, shelf)
                lost += wanted - sold
                shelf += net.coming[p, g] - (net.coming[p, g - 1] if g else 0.0) - sold
                held += (begin + shelf) / 2 * net.span[p, g]
            assert found.paths[p, q] == pytest.approx(net.short[p] * lost + net.hold[p] * held, rel=1e-9, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(networks(lost=False), st.integers(0, 99))
def test_waiting_demand_costs_at_every_review(net, seed):
    qty = plans(net, np.random.default_rng(seed))
    supplied = transfer.supply(net, qty)
    found = transfer.outcome(net, supplied)
    for p in range(len(net.stock)):
        cost = np.zeros(Q)
        for r in range(net.span.shape[1]):
            there = supplied[p, r] + net.coming[p, r] - net.demand[p, r]
            cost += net.short[p] * np.maximum(-there, 0) + net.hold[p] * net.span[p, r] * np.maximum(there, 0)
        assert found.cost[p] == pytest.approx(cost @ WEIGHT)


@settings(deadline=None, max_examples=60)
@given(networks(), st.integers(0, 99))
def test_the_cost_is_convex_in_the_lots_and_marginals_are_differences(net, seed):
    rng = np.random.default_rng(seed)
    one, other = plans(net, rng), plans(net, rng)

    def cost(qty):
        return transfer.outcome(net, transfer.supply(net, qty)).cost.sum() + net.cost @ qty

    assert cost((one + other) / 2) <= (cost(one) + cost(other)) / 2 + 1e-6
    more = transfer.marginal(net, one, 1.0)
    for flow in range(net.flows):
        step = one.copy()
        step[flow] += 1
        assert more[flow] == pytest.approx(cost(one) - cost(step), abs=1e-6)
    sent = np.flatnonzero(one)
    worth, here = transfer.worth(net, one, sent)
    for i, flow in enumerate(sent):
        without = one.copy()
        without[flow] = 0
        assert worth[i] - net.cost[flow] * one[flow] == pytest.approx(cost(without) - cost(one), abs=1e-6)
    assert (here <= worth + 1e-6).all() or (here != worth).any()


def test_a_lot_that_comes_after_the_loss_saves_nothing_of_it():
    # 30 are wanted in each of two windows, nothing is there. A lot for the second window saves at most its 30.
    demand = (
        np.broadcast_to(np.array([30.0, 60.0])[None, None, :, None], (1, 2, 2, Q))
        * np.array([0, 1])[None, :, None, None]
    )
    net = floors.network([[100, 0]], demand, [(0, 1, 1, 0.0, 0.0, np.inf)], hold=np.zeros(2))
    cost = [transfer.price(net, np.array([float(q)])).cost for q in (0, 10, 30, 60)]
    assert cost == [600.0, 500.0, 300.0, 300.0]
    early = dataclasses.replace(net, window=np.array([0]))
    assert [transfer.price(early, np.array([float(q)])).cost for q in (10, 60)] == [500.0, 0.0]


def test_trips_are_whole_and_lots_cost_their_handling():
    demand = np.zeros((1, 2, 1, Q))
    net = floors.network([[100, 0]], demand, [(0, 1, 0, 1.0, 50.0, 8.0)], lot=7.0, hold=np.zeros(2))
    assert [int(transfer.trips(net, np.array([q]))[0]) for q in (0.0, 1.0, 8.0, 9.0)] == [0, 1, 1, 2]
    total = transfer.price(net, np.array([9.0]))
    assert (total.freight, total.lots, total.trips, total.cost) == (9.0, 7.0, 100.0, 116.0)
