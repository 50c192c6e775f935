"""ADIDA and IMAPA."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.methods.forecast import aggregated


def right(series, width):
    return np.array([[np.nan] * (width - len(s)) + list(s) for s in series], float)


def test_regular_intervals_give_the_mean_rate():
    y = np.array([[4.0, 0, 0] * 8 + [4.0]])[:, :-1]
    assert aggregated.interval(y)[0] == 3
    np.testing.assert_allclose(aggregated.adida(y, 2), 4 / 3)


def test_imapa_is_the_mean_over_all_buckets():
    y = np.array([[6.0, 0, 0] * 8 + [6.0]])
    own = [aggregated._rate(y, k)[0] for k in (1, 2, 3)]
    np.testing.assert_allclose(aggregated.imapa(y, 1)[0, 0], np.mean(own))


@pytest.mark.parametrize("method", [aggregated.adida, aggregated.imapa])
def test_masked_periods_and_short_lives_count_for_nothing(method):
    plain = [2.0, 0, 0, 3, 0, 1, 0, 0, 4, 0, 0, 2]
    padded = right([plain], 20)
    np.testing.assert_allclose(method(padded, 3), method(np.array([plain]), 3))
    for odd in ([], [5.0], [0.0, 0.0], [np.nan, np.nan]):
        found = method(right([odd], 6), 2)
        assert np.isfinite(found).all() and (found >= 0).all()
    constant = np.full((1, 30), 3.0)
    constant[0, [7, 8, 15]] = np.nan
    np.testing.assert_allclose(method(constant, 2), 3.0)


@given(st.lists(st.integers(0, 9), min_size=8, max_size=60))
def test_forecasts_lie_between_what_was_sold(units):
    y = np.array([units], float)
    for method in (aggregated.adida, aggregated.imapa):
        assert 0 <= method(y, 1)[0, 0] <= max(units) + 1e-9


def test_series_do_not_touch_each_other():
    rng = np.random.default_rng(2)
    y = rng.poisson(0.4, (30, 60)).astype(float)
    for method in (aggregated.adida, aggregated.imapa):
        np.testing.assert_array_equal(method(y, 2)[11:12], method(y[11:12], 2))


def test_a_bucket_that_the_series_was_born_within_does_not_count():
    """Buckets of three that end with the history: the first known period is the last of its bucket."""
    born_within, born_before = right([[9.0, 0, 0, 3, 0, 0, 3]], 9), right([[0, 0, 3, 0, 0, 3]], 9)
    assert aggregated._rate(born_within, 3)[0] == aggregated._rate(born_before, 3)[0] == 1.0
