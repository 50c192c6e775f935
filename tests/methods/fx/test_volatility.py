from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import fxdesk as desk

from cbec.methods.fx import volatility as method

HORIZONS = (1, 5, 20)


def simulated(n: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A GARCH(1,1) path and its true next-day variance."""
    rng = np.random.default_rng(seed)
    variance, logs = np.empty(n), np.zeros(n)
    variance[0] = 2.5e-5
    for t in range(1, n):
        r = np.sqrt(variance[t - 1]) * rng.normal()
        logs[t] = logs[t - 1] + r
        variance[t] = 0.02 * 2.5e-5 + 0.08 * r**2 + 0.90 * variance[t - 1]
    return logs, variance


def test_exponential_weights_follow_their_recursion():
    logs = desk.paths(300)["EUR"]
    x = np.diff(logs) ** 2
    state = x[:60].mean()
    for value in x:
        state = 0.94 * state + 0.06 * value
    found = method.estimates(logs, HORIZONS)["ewma94"]
    assert found[1][-1] == pytest.approx(state, rel=1e-12)
    assert found[20][-1] == pytest.approx(20 * state, rel=1e-12)


def test_har_is_least_squares_on_the_pairs_that_are_over():
    logs = desk.paths(900)["EUR"]
    x = np.diff(logs, prepend=logs[:1]) ** 2
    t, h = 899, 5
    pairs = np.arange(22, t - h + 1)
    features = {i: [1, x[i], x[i - 4 : i + 1].mean(), x[i - 21 : i + 1].mean()] for i in [*pairs, t]}
    outcome = np.array([x[i + 1 : i + h + 1].sum() for i in pairs])
    weights = np.linalg.lstsq(np.array([features[i] for i in pairs]), outcome, rcond=None)[0]
    found = method.estimates(logs, (h,))["har"][h][t]
    assert found == pytest.approx(max(np.dot(features[t], weights), 0.15 * outcome.mean()), rel=1e-4)


def test_the_combination_follows_a_garch_path_closer_than_a_rolling_mean():
    logs, truth = simulated(3000)
    parts = method.estimates(logs, (1,)) | {"all": method.variances(logs, (1,))}
    error = {k: np.abs(np.log(v[1][500:] / truth[500:])).mean() for k, v in parts.items()}
    assert error["garch"] < error["rolling"] and error["all"] < error["rolling"] and error["garch"] < 0.15


@settings(max_examples=15, deadline=None)
@given(st.integers(260, 700), st.integers(0, 1000))
def test_what_comes_later_changes_no_earlier_variance(cut, seed):
    logs = desk.paths(760, seed=seed)["EUR"]
    changed = logs.copy()
    changed[cut + 1 :] += np.random.default_rng(seed).normal(0, 0.1, 760 - cut - 1)
    before, after = (method.variances(x, HORIZONS) for x in (logs, changed))
    for h in HORIZONS:
        np.testing.assert_allclose(before[h][method.WARM : cut + 1], after[h][method.WARM : cut + 1], rtol=1e-9)


def test_a_rate_that_never_moves_has_a_tiny_variance_and_a_short_one_none():
    flat = method.variances(np.zeros(700), (1, 20))
    assert np.all(flat[20][method.WARM :] <= 20 * method.FLOOR * 1.01) and np.all(flat[1][method.WARM :] > 0)
    assert np.isnan(method.variances(np.zeros(5), (1, 20))[1]).all()
    assert np.isnan(method.variances(np.zeros(1), (1,))[1]).all()
