from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import fxdesk as desk

from cbec.methods.fx import record as method
from cbec.methods.fx import spread
from cbec.methods.fx.volatility import variances
from cbec.tables.money import FX_LEVELS

# Non-rejection regions of Kupiec (1995) at the 5 % level, as printed in Jorion, Value at Risk, table 6-2.
REGIONS = [(510, 0.01, 2, 10), (1000, 0.01, 5, 16), (255, 0.05, 7, 20), (510, 0.05, 17, 35), (1000, 0.05, 38, 64)]


@pytest.mark.parametrize(("days", "level", "least", "most"), REGIONS)
def test_kupiec_accepts_the_published_regions(days, level, least, most):
    accepted = [x for x in range(days // 5) if method.kupiec(x, days, level) >= 0.05]
    assert (accepted[0], accepted[-1]) == (least, most)


def test_clusters_are_found():
    spread_out, together = np.zeros(1000, bool), np.zeros(1000, bool)
    spread_out[::100] = True
    together[500:510] = True
    assert method.christoffersen(spread_out) > 0.5
    assert method.christoffersen(together) < 1e-6
    assert method.christoffersen(np.zeros(10, bool)) == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-8, 8), min_size=2, max_size=60))
def test_quantiles_are_in_order_around_zero_and_turn_with_the_pair(scores):
    shape = spread.pool(np.array(scores), len(scores), 1)
    other = spread.pool(-np.array(scores), len(scores), 1)
    found = spread.quantiles(shape, FX_LEVELS)
    assert np.all(np.diff(found) >= 0) and found[FX_LEVELS.index(0.5)] == pytest.approx(0, abs=1e-12)
    # The distribution of the inverse rate is the inverse of the distribution.
    np.testing.assert_allclose(spread.quantiles(other, FX_LEVELS), -found[::-1], atol=1e-9)


def test_a_pool_holds_only_what_is_over():
    scores = np.arange(50.0)
    assert spread.pool(scores, 10, 5).max() - spread.pool(scores, 10, 5).min() <= 2 * 5 + 1e-9
    assert len(spread.pool(scores, 3, 5)) == 0


def test_a_peg_that_broke_does_not_blow_up_what_follows():
    logs = np.cumsum(1e-5 * np.random.default_rng(0).normal(size=1500))
    logs[1400:] += 0.16 + np.cumsum(0.01 * np.random.default_rng(1).normal(size=100))
    for h in (1, 20):
        variance = variances(logs, (h,))[h]
        kept = method.record(logs, variance, h)
        grown, sd = spread.moments(spread.pool(kept.scores, 1499, h), float(np.sqrt(variance[-1])))
        assert abs(grown - 1) < 0.1 and sd < 0.5


def test_coverage_is_near_what_was_said_on_a_random_walk():
    logs = desk.paths(3000, seed=8)["EUR"]
    kept = method.record(logs, variances(logs, (1,))[1], 1)
    assert kept.coverage(0.05, 0.95) == pytest.approx(0.9, abs=0.02)
    broken, days, p = kept.tail(0.01)
    assert p > 0.01 and broken / days < 0.02
    assert kept.pinball() > 0


def test_what_comes_later_changes_no_earlier_quantile():
    logs = desk.paths(1200, seed=2)["EUR"]
    changed = logs.copy()
    changed[901:] += np.random.default_rng(0).normal(0, 0.1, 299)
    for h in (1, 20):
        a, b = (method.record(x, variances(x, (h,))[h], h) for x in (logs, changed))
        there = a.at <= 900
        np.testing.assert_allclose(a.said[there], b.said[there], rtol=1e-8, atol=1e-12)
