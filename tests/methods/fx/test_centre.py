from __future__ import annotations

import numpy as np
import pytest
from support import fxdesk as desk

from cbec.methods.fx import record as records
from cbec.methods.fx.centre import MODELS, centre
from cbec.methods.fx.volatility import variances


def persistent(n: int, seed: int) -> np.ndarray:
    """Returns that follow half of the one before."""
    rng = np.random.default_rng(seed)
    r = np.zeros(n)
    for t in range(1, n):
        r[t] = 0.6 * r[t - 1] + 0.004 * rng.normal()
    return np.cumsum(r)


def trending(n: int, seed: int) -> np.ndarray:
    """A drift that changes slowly, under little noise."""
    rng = np.random.default_rng(seed)
    drift, logs = 0.0, np.zeros(n)
    for t in range(1, n):
        drift = 0.99 * drift + 0.0003 * rng.normal()
        logs[t] = logs[t - 1] + drift + 0.002 * rng.normal()
    return logs


def held(logs: np.ndarray, h: int) -> records.Record:
    return records.record(logs, variances(logs, (h,))[h], h, first=len(logs) - 1500)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_predictable_returns_are_predicted(seed):
    kept = held(persistent(3000, seed), 1)
    assert kept.ratio <= 0.9
    assert MODELS[kept.centre.model[-1] - 1] == "autoregression" and kept.centre.p_value[-1] < 1e-4


@pytest.mark.parametrize("h", [5, 20])
def test_a_trend_is_followed(h):
    kept = held(trending(3000, 4), h)
    assert kept.ratio <= 0.9 and kept.centre.model[-1] > 0


def test_a_random_walk_is_left_alone():
    used = []
    for seed in range(12):
        for h in (1, 5, 20):
            kept = held(desk.paths(2500, seed=seed)["EUR"], h)
            used.append(float((kept.centre.model[kept.at] > 0).mean()))
            assert kept.ratio <= 1.01
    assert np.mean(used) < 0.01


def test_what_comes_later_changes_no_earlier_forecast():
    logs = persistent(1600, 5)
    changed = logs.copy()
    changed[1201:] += np.random.default_rng(0).normal(0, 0.05, 399)
    for h in (1, 20):
        a, b = (centre(x, variances(x, (h,))[h], h) for x in (logs, changed))
        np.testing.assert_allclose(a.change[:1201], b.change[:1201], rtol=1e-7, atol=1e-12)
        np.testing.assert_array_equal(a.model[:1201], b.model[:1201])
        np.testing.assert_allclose(a.p_value[:1201], b.p_value[:1201], rtol=1e-6, atol=1e-12)
        assert a.change[1201:].any() or h > 1  # the test would prove nothing on a model that is never used


def test_a_rate_that_never_moves_needs_no_model():
    kept = held(np.zeros(2000), 5)
    assert not kept.centre.model.any() and kept.ratio is None
