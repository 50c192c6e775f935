"""Distribution, expected shortage and levels of counts, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cbec.methods import counts

ONE = np.ones((1, 1))


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=float)


@pytest.mark.parametrize(
    ("mean", "var", "law"),
    [
        (1.0, 1.0, stats.poisson(1)),
        (3.0, 7.0, stats.nbinom(9 / 4, 3 / 7)),
        (0.3, 4.0, stats.nbinom(0.09 / 3.7, 0.3 / 4)),
        (4.0, 2.0, stats.binom(8, 0.5)),
    ],
)
def test_counts_have_the_laws_of_the_katz_family(mean, var, law):
    k = np.arange(0, 12)
    np.testing.assert_allclose(counts.cdf(k.astype(float), array(mean), array(var)), law.cdf(k), atol=1e-9)
    many = np.arange(4000)
    for x in (0, 1, 2.5, 7):
        by_sum = (law.pmf(many) * np.maximum(many - x, 0)).sum()
        assert counts.shortage(array(x), array(mean), array(var))[0] == pytest.approx(by_sum, abs=1e-9)


def test_large_counts_are_gamma_with_half_a_unit_of_correction():
    law = stats.gamma(25, scale=4)  # mean 100, variance 400
    assert counts.cdf(array(120), array(100), array(400))[0] == pytest.approx(law.cdf(120.5))
    expected = law.expect(lambda d: max(d - 120, 0))
    assert counts.shortage(array(120), array(100), array(400))[0] == pytest.approx(expected, rel=1e-6)
    assert counts.left_over(array(120), array(100), array(400))[0] == pytest.approx(20 + expected, rel=1e-6)


def test_nothing_asked_for_needs_no_stock_and_debt_is_short():
    assert counts.level(array(0.95), np.zeros((1, 1)), np.zeros((1, 1)), ONE)[0] == 0
    assert counts.shortage(array(-2), array(3), array(3))[0] == pytest.approx(5)
    assert counts.cdf(array(-1), array(0), array(0))[0] == 0


@pytest.mark.parametrize("p", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_level_is_the_smallest_count_that_reaches_the_target(p):
    rates = array(0.01, 0.2, 1, 3.7, 12, 29)
    found = counts.level(np.full(6, p), rates[:, None], rates[:, None], np.ones((6, 1)))
    np.testing.assert_array_equal(found, stats.poisson(rates).ppf(p))


def test_level_of_a_mixture_has_its_own_quantile():
    mean, weight = array(2, 9)[None, :], array(0.5, 0.5)[None, :]
    s = counts.level(array(0.95), mean, mean, weight)[0]

    def mixed(x: float) -> float:
        return 0.5 * stats.poisson(2).cdf(x) + 0.5 * stats.poisson(9).cdf(x)

    assert mixed(s) >= 0.95 > mixed(s - 1)


@given(
    mean=st.floats(0.01, 500),
    ratio=st.floats(0.2, 20),
    p=st.floats(0.5, 0.998),
    more=st.floats(0.0001, 0.001),
)
@settings(max_examples=60, deadline=None)
def test_a_higher_target_never_lowers_the_level(mean, ratio, p, more):
    m = array(mean)[:, None]
    low, high = (counts.level(array(x), m, ratio * m, ONE)[0] for x in (p, p + more))
    assert low <= high
    assert counts.cdf(array(low), array(mean), array(ratio * mean))[0] >= p - 1e-9


def test_variance_is_read_off_a_quantile():
    law = stats.gamma(25, scale=4)
    for i, p in enumerate(counts.UPPER):
        assert counts.implied_variance(i, array(100), array(law.ppf(p)))[0] == pytest.approx(400, rel=1e-3)
        assert counts.gamma_quantile(i, array(100), array(400))[0] == pytest.approx(law.ppf(p), rel=1e-4)
    certain = counts.implied_variance(1, array(10, 0), array(10, 0))
    assert certain[0] < 1e-3 and certain[1] == 0


def by_level(mean, quantiles, index):
    """Ratios by the quantiles of one time, of which the one numbered `index` decides."""
    weight = np.where(np.arange(len(counts.UPPER))[:, None] == index, 1.0, 0.05) + np.zeros(len(mean))
    return counts.dispersion(mean[None], [q[None] for q in quantiles], weight[None])


def test_whole_quantiles_of_small_counts_come_back():
    rng = np.random.default_rng(3)
    mean = rng.gamma(0.7, 5, 2000) % 29
    var = mean * (1 + rng.gamma(1, 1, 2000))
    quantiles = [stats.nbinom(mean**2 / (var - mean), mean / var).ppf(p) for p in counts.UPPER]
    for i, p in enumerate(counts.UPPER):
        ratio = by_level(mean, quantiles, i)
        level = counts.level(np.full(2000, p), mean[:, None], (ratio * mean)[:, None], np.ones((2000, 1)))
        assert np.mean(level == quantiles[i]) > 0.95
        assert np.abs(level - quantiles[i]).max() <= 1


def test_poisson_counts_are_known_as_poisson():
    mean = array(0.2, 0.8, 1, 4.2, 15)
    quantiles = [stats.poisson(mean).ppf(p) for p in counts.UPPER]
    np.testing.assert_array_equal(by_level(mean, quantiles, 1), np.ones(5))


def test_levels_past_whole_floats_are_found():
    mean = np.array([3e15, 5e18])
    one = np.ones((2, 1))
    found = counts.level(np.array([0.95, 0.95]), mean[:, None], mean[:, None] ** 2 / 16, one)
    assert found == pytest.approx(stats.gamma(16, scale=1 / 16).ppf(0.95) * mean, rel=1e-6)
