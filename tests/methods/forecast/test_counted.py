"""Counts: quantiles of the negative binomial as they are defined, and levels that hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cbec.methods.forecast import counted
from cbec.tables.demand import LEVELS

SCORES = stats.norm.ppf(LEVELS)[:, None]


def invert(mean, ratio, whole=True):
    return counted.invert(SCORES, np.array([mean], float), np.array([ratio], float), whole)[:, 0]


@pytest.mark.parametrize(("mean", "ratio"), [(0.05, 1.2), (0.7, 3.0), (4.0, 1.001), (12.0, 9.0), (25.0, 2.5)])
def test_few_counts_have_the_negative_binomials_quantiles(mean, ratio):
    np.testing.assert_array_equal(invert(mean, ratio), stats.nbinom.ppf(LEVELS, mean / (ratio - 1), 1 / ratio))


@pytest.mark.parametrize(("mean", "ratio"), [(80.0, 2.0), (300.0, 40.0), (5e4, 300.0)])
def test_many_counts_are_close_to_it(mean, ratio):
    expected = stats.nbinom.ppf(LEVELS, mean / (ratio - 1), 1 / ratio)
    np.testing.assert_allclose(invert(mean, ratio), expected, rtol=0.02, atol=1.01)


@pytest.mark.parametrize(("mean", "ratio"), [(2.5, 1.0), (40.0, 300.0), (0.3, 0.01)])
def test_units_that_are_not_whole_have_the_gammas(mean, ratio):
    expected = stats.gamma.ppf(LEVELS, mean / ratio, scale=ratio)
    np.testing.assert_allclose(invert(mean, ratio, whole=False), expected, rtol=0.02, atol=0.01 * mean)


@given(st.floats(1e-6, 1e6), st.floats(0.5, 1e4), st.booleans())
@settings(max_examples=200, deadline=None)
def test_quantiles_rise_and_are_not_negative(mean, ratio, whole):
    q = invert(mean, ratio, whole)
    assert np.isfinite(q).all() and (q >= 0).all() and (np.diff(q) >= -1e-9 * q[-1]).all()
    assert not whole or (q % 1 == 0).all()


def test_distribution_functions():
    k = np.arange(12.0)
    mean, ratio = np.full(12, 3.0), np.full(12, 2.0)
    np.testing.assert_allclose(counted.cdf(k, mean, ratio, True), stats.nbinom.cdf(k, 3.0, 0.5))
    np.testing.assert_allclose(counted.cdf(k, mean, ratio, False), stats.gamma.cdf(k, 1.5, scale=2.0))
    assert counted.cdf(np.array([-1.0]), mean[:1], ratio[:1], True)[0] == 0


def told(past, actual, ratio, levels=LEVELS):
    n = past.shape[1]
    shape = counted.Shape(np.full((len(past) + 1, n), ratio), np.zeros((len(past) + 1, n), np.int64))
    return counted.quantiles(past[0], past, actual, shape, levels, whole=True)


def test_levels_are_corrected_by_what_the_past_held():
    """Demand twice as spread as the shape says: its quantiles are those of the true distribution all the same."""
    rng = np.random.default_rng(1)
    past = np.full((4, 3000, 2), 6.0)
    actual = rng.negative_binomial(6 / 7, 1 / 8, past.shape).astype(float)  # variance 8 x mean
    q = told(past, actual, 3.0)
    true = stats.nbinom.ppf(LEVELS, 6 / 7, 1 / 8)
    assert np.abs(q[:, 0, 0] - true).max() <= 3
    assert np.mean(actual <= q[LEVELS.index(0.95), 0, 0]) == pytest.approx(0.95, abs=0.02)


def test_a_counts_transform_is_the_interval_that_it_fills():
    k, mean, ratio = np.array([0.0, 1.0, 5.0]), np.full(3, 3.0), np.full(3, 2.0)
    low, high = counted.transforms(k, mean, ratio, True)
    np.testing.assert_allclose(low, stats.nbinom.cdf(k - 1, 3.0, 0.5))
    np.testing.assert_allclose(high, stats.nbinom.cdf(k, 3.0, 0.5))


def test_half_of_what_the_months_had_in_common_is_taken_not_to_come_again():
    """Twice as much came as was expected, of everything: the middle moves half of the way, not all of it and not back."""
    rng = np.random.default_rng(3)
    past = np.full((4, 3000, 2), 40.0)
    q = told(past, rng.poisson(60.0, past.shape).astype(float), 1.5, (0.25, 0.5, 0.75))
    assert q[1, 0, 0] == pytest.approx(50, abs=2)
    assert q[0, 0, 0] < q[1, 0, 0] < q[2, 0, 0]


def test_without_a_past_the_shape_is_taken_as_it_is():
    shape = counted.Shape(np.full((1, 2), 2.0), np.zeros((1, 2), np.int64))
    none = np.empty((0, 2, 3))
    q = counted.quantiles(np.full((2, 3), 4.0), none, none, shape, LEVELS, whole=True)
    np.testing.assert_array_equal(q[:, 1, 2], stats.nbinom.ppf(LEVELS, 4.0, 0.5))


def test_dispersion_is_shrunk_to_the_catalogues():
    n = np.full(200, 30.0)
    mean = np.exp(np.linspace(0, 4, 200))
    var = 2 * mean**1.5
    var[7] = 0.0  # equal sales are no certainty
    found = counted.dispersion(n[None], mean[None], var[None])[0]
    np.testing.assert_allclose(np.delete(found, 7), np.delete(var / mean, 7), rtol=0.1)
    assert found[7] > 0.3


def test_an_origin_too_young_for_a_law_is_measured_by_todays():
    mean = np.tile(np.exp(np.linspace(0, 4, 200)), (3, 1))
    n = np.repeat([[12.0], [7.0], [4.0]], 200, 1)
    found = counted.dispersion(n, mean, 2 * mean**1.5)
    np.testing.assert_allclose(found[2], found[0], rtol=0.05)


def test_bins_have_equal_parts_of_today_and_enough_past():
    level = np.tile(np.arange(1000.0), (3, 1))
    group = counted.bins(level, np.ones((3, 1000), bool))
    assert np.bincount(group[0]).tolist() == [250, 250, 250, 250]
    assert counted.bins(level[:, :50], np.ones((3, 50), bool)).max() == 0


def test_units_that_are_not_whole_can_be_none():
    """Half of the past sold nothing: the lower quantiles are nothing, not a little."""
    rng = np.random.default_rng(3)
    past = np.full((4, 500, 3), 2.0)
    actual = np.where(rng.random(past.shape) < 0.5, 0.0, rng.gamma(4.0, 1.0, past.shape))
    shape = counted.Shape(np.full((5, 500), 2.0), np.zeros((5, 500), np.int64))
    q = counted.quantiles(past[0], past, actual, shape, LEVELS, whole=False)
    assert (q[LEVELS.index(0.25)] == 0).all() and (q[LEVELS.index(0.75)] > 1).all()


def test_a_horizon_that_nobody_reached_is_read_as_it_stands():
    nobody = np.empty(0)
    np.testing.assert_allclose(counted._read(nobody, nobody, nobody, LEVELS, True), SCORES[:, 0], atol=0.05)


def test_no_quantile_lies_beyond_what_its_mean_allows():
    """Where the past always brought far more than was expected, the corrected levels would put any tail anywhere."""
    past = np.full((4, 300, 2), 1.0)
    came = np.broadcast_to(np.where(np.arange(300) % 5 < 2, 400.0, 0.0)[:, None], past.shape)
    levels = (0.5, 0.9, 0.95, 0.99)
    shape = counted.Shape(np.full((5, 300), 30.0), np.zeros((5, 300), np.int64))
    for whole in (True, False):
        found = counted.quantiles(np.full((300, 2), 1.0), past, came, shape, levels, whole=whole)
        most = np.array([2.0, 10.0, 20.0, 100.0])
        assert (found <= most[:, None, None] + 1e-6).all() and (np.diff(found, axis=0) >= 0).all()
        assert found[2].max() == pytest.approx(20)
