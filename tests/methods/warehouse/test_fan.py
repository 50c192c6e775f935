"""Paths of demand: they keep the mean, agree with the gamma, and rise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cbec.methods.warehouse import fan


@given(st.floats(0, 1e5), st.floats(0.001, 50))
def test_paths_keep_the_mean_and_rise(mean, ratio):
    found = fan.paths(np.array([mean]), np.array([mean * ratio]))[0]
    assert found @ fan.WEIGHT == pytest.approx(mean, abs=2e-9)
    assert (np.diff(found) >= -1e-9).all()
    assert (found >= 0).all()


@pytest.mark.parametrize(("mean", "var"), [(0.4, 0.5), (6.0, 10.0), (80.0, 400.0)])
def test_expected_shortage_agrees_with_the_gamma(mean, var):
    shape, scale = mean**2 / var, var / mean
    found = fan.paths(np.array([mean]), np.array([var]))[0]
    gamma = stats.gamma(shape, scale=scale)
    for border in fan.BORDERS[1:-1]:
        x = gamma.ppf(border)
        exact = mean * stats.gamma(shape + 1, scale=scale).sf(x) - x * gamma.sf(x)
        # At the borders of slices the mean over paths is exact, up to the table over shapes.
        assert np.maximum(found - x, 0) @ fan.WEIGHT == pytest.approx(exact, rel=0.01, abs=2e-3 * mean)


def test_certain_and_no_demand():
    found = fan.paths(np.array([0.0, 50.0]), np.array([0.0, 0.0]))
    assert (found[0] == 0).all()
    assert np.allclose(found[1], 50, rtol=0.01)
