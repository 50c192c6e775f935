from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support import fxdesk as desk

from cbec.core.errors import InputRejected
from cbec.methods.fx import flows, risk
from cbec.methods.fx.panel import panel

LOSSES = arrays(np.float64, 60, elements=st.floats(-1e6, 1e6, allow_subnormal=False))
EVEN = np.full(60, 1 / 60)


def scenes(exposures, logs, home="CNY"):
    due = flows.flows(exposures, None, desk.LAST, home, "month")
    return due, risk.scenarios(due, panel(desk.rates(logs), None, home))


def test_the_tail_by_hand():
    loss = np.array([1.0, 5.0, 3.0, 2.0])
    var, cvar, weight = risk.tail(loss, np.full(4, 0.25), 0.5)
    assert (var, cvar) == (3.0, 4.0) and weight.tolist() == [0, 0.5, 0.5, 0]
    # An atom at the VaR is split: the worst 40 % are all of 5 and three fifths of 3.
    var, cvar, weight = risk.tail(loss, np.full(4, 0.25), 0.6)
    assert var == 3.0 and cvar == pytest.approx((0.25 * 5 + 0.15 * 3) / 0.4) and weight.sum() == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(LOSSES, LOSSES, st.floats(0.5, 0.99), st.floats(0, 100))
def test_cvar_is_a_coherent_measure(a, b, level, factor):
    def cvar(x):
        return risk.tail(x, EVEN, level)[1]

    slack = 1e-6 * (1 + np.abs(a).max() + np.abs(b).max())
    assert cvar(a) >= risk.tail(a, EVEN, level)[0] - slack
    assert cvar(a + b) <= cvar(a) + cvar(b) + slack
    assert cvar(factor * a) == pytest.approx(factor * cvar(a), rel=1e-9, abs=slack * (1 + factor))
    assert cvar(a + 3) == pytest.approx(cvar(a) + 3, rel=1e-9, abs=slack)
    # Rockafellar and Uryasev: the least over t of t + E max(loss - t, 0) / (1 - level) is reached at a loss.
    best = min(t + (EVEN @ np.maximum(a - t, 0)) / (1 - level) for t in a)
    assert cvar(a) == pytest.approx(best, rel=1e-9, abs=slack)


def test_two_names_of_one_rate_move_as_one():
    path = desk.paths(600)["EUR"]
    due, found = scenes(desk.due({}, {"currency": "DKK", "amount": -100_000, "type": "AP"}), {"EUR": path, "DKK": path})
    np.testing.assert_allclose(found.moves[:, 0], found.moves[:, 1])
    loss = risk.losses(due.column("open") * found.spot, found).sum(axis=1)
    assert np.abs(loss).max() < 1e-6


def test_scenarios_take_no_side_and_match_the_volatility_of_today():
    logs = desk.paths(1500, sd=0.004)
    _, found = scenes(desk.due({"due_date": desk.LAST + timedelta(days=28)}), logs)
    assert found.chance.sum() == pytest.approx(1) and found.chance @ found.moves[:, 0] == pytest.approx(0, abs=1e-12)
    assert found.moves.min() > -1
    sd = np.sqrt(found.chance @ found.moves[:, 0] ** 2)
    assert sd == pytest.approx(0.004 * np.sqrt(20), rel=0.25)


def test_a_stormy_end_widens_every_scenario():
    logs = desk.paths(1000)["EUR"]
    stormy = logs.copy()
    stormy[-30:] = logs[-31] + 4 * (logs[-30:] - logs[-31])
    calm, wild = (scenes(desk.due(), {"EUR": x})[1] for x in (logs, stormy))
    assert np.std(wild.moves) > 1.8 * np.std(calm.moves)


def test_too_few_fixings_in_common_are_refused():
    with pytest.raises(InputRejected, match="fixings are common to EUR, USD"):
        scenes(desk.due({}, {"currency": "USD"}), desk.paths(200))
