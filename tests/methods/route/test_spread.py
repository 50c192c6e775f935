"""The gamma distribution of times: against SciPy and simulation, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cbec.methods.route import spread

MEAN, VAR = 30.0, 25.0
GAMMA = stats.gamma(MEAN**2 / VAR, scale=VAR / MEAN)


@pytest.mark.parametrize("limit", [-2.0, 0.0, 12.0, 29.0, 33.0, 60.0])
def test_it_is_the_gamma_of_that_mean_and_variance(limit):
    assert spread.below(limit, MEAN, VAR) == pytest.approx(GAMMA.cdf(limit), abs=1e-12)
    first, second = spread.over(limit, MEAN, VAR)
    low = max(limit, 0)
    assert first == pytest.approx(GAMMA.expect(lambda t: t - limit, lb=low), abs=1e-6)
    assert second == pytest.approx(GAMMA.expect(lambda t: (t - limit) ** 2, lb=low), abs=1e-5)


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_quantiles(level):
    assert spread.quantile(level, MEAN, VAR) == pytest.approx(GAMMA.ppf(level))


def test_without_spread_a_time_is_certain():
    assert spread.below([29.9, 30.0], 30.0, 0.0).tolist() == [0.0, 1.0]
    assert [v.tolist() for v in spread.over([28.0, 31.0], 30.0, 0.0)] == [[2.0, 0.0], [4.0, 0.0]]
    assert spread.quantile(0.9, 30.0, 0.0) == 30.0
    assert spread.below(0.0, 0.0, 0.0) == 1.0


def test_a_delay_that_may_happen():
    mean, var = spread.mixed(10.0, 4.0, 0.25)
    assert (mean, var) == (2.5, 0.25 * (4 + 100) - 2.5**2)


@settings(deadline=None)
@given(st.floats(0.1, 100), st.floats(0.01, 400), st.floats(-10, 200), st.floats(0, 50))
def test_later_limits_are_met_more_often(mean, var, limit, more):
    assert spread.below(limit + more, mean, var) >= spread.below(limit, mean, var)
    a, b = spread.over(limit, mean, var)[0], spread.over(limit + more, mean, var)[0]
    assert b <= a + 1e-9
    assert a >= mean - limit - 1e-9
    assert np.isfinite([a, b]).all()
