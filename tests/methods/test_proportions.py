"""Shares of few cases: published intervals, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.methods import proportions


@pytest.mark.parametrize(
    ("hits", "cases", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(hits, cases, low, high):
    found = proportions.wilson(hits, cases)
    assert [float(x) for x in found] == pytest.approx([low, high], abs=5e-5)


def test_jeffreys_are_quantiles_of_the_beta_distribution():
    from scipy import stats

    low, high = proportions.jeffreys([7, 0, 10], 10, 0.9)
    posterior = stats.beta(7.5, 3.5)
    assert (low[0], high[0]) == pytest.approx((posterior.ppf(0.05), posterior.ppf(0.95)))
    assert low[1] == 0.0 and high[2] == 1.0
    assert high[1] == pytest.approx(stats.beta(0.5, 10.5).ppf(0.95))


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)],
)
def test_difference_as_published(one, other, low, high):
    found = proportions.difference(*one, *other)
    assert [float(x) for x in found] == pytest.approx([low, high], abs=5e-5)


@given(st.integers(1, 400), st.data(), st.sampled_from(["wilson", "jeffreys"]))
def test_intervals_hold_their_share(cases, data, kind):
    hits = data.draw(st.integers(0, cases))
    low, high = (float(x) for x in proportions.interval(kind, hits, cases, 0.95))
    assert 0 <= low <= hits / cases + 1e-12
    assert hits / cases - 1e-12 <= high <= 1
    wide_low, wide_high = (float(x) for x in proportions.interval(kind, hits, cases, 0.99))
    assert wide_low <= low + 1e-12 and high <= wide_high + 1e-12


def test_without_cases_nothing_is_known():
    assert np.isnan(proportions.wilson(0, 0)).all() and np.isnan(proportions.jeffreys(0, 0)).all()


def test_lines_of_an_order_that_go_together_count_as_one():
    # Ten orders of five lines; in group 0 all lines of an order share their fate, in group 1 they alternate.
    cluster = np.repeat(np.arange(20), 5)
    group = np.repeat([0, 1], 50)
    hit = np.concatenate((np.repeat([1, 0] * 5, 5), np.tile([1, 0, 1, 0, 1, 0, 1, 0, 1, 0], 5)))
    cases, worth = proportions.effective(group, cluster, hit, 2)
    assert cases.tolist() == [50, 50]
    assert worth[0] == 10  # never below the number of orders
    assert worth[1] == 50  # never above the number of lines
    _, sure = proportions.effective(group, cluster, np.ones(100), 2)
    assert sure.tolist() == [10, 10]


def test_few_cases_are_drawn_to_the_mean():
    hits, cases = np.array([90.0, 50, 1, 0]), np.array([100.0, 100, 1, 0])
    shares, mean, weight = proportions.shrunk(hits, cases)
    assert mean == pytest.approx(141 / 201)
    assert 0 < weight < proportions.MAX_PRIOR
    assert abs(shares[0] - 0.9) < abs(shares[2] - 1.0)
    assert shares[3] == pytest.approx(mean)
    assert ((shares >= 0) & (shares <= 1)).all()


def test_alike_groups_are_drawn_together_and_one_stays_itself():
    alike, mean, weight = proportions.shrunk([10, 10, 10], [20, 20, 20])
    assert weight == proportions.MAX_PRIOR and alike == pytest.approx([mean] * 3)
    alone, _, _ = proportions.shrunk([3], [4])
    assert alone[0] == 0.75


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12))
def test_drawn_shares_lie_between_the_own_and_the_mean(pairs):
    hits = np.array([min(k, n) for k, n in pairs], dtype=float)
    cases = np.array([n for _, n in pairs], dtype=float)
    shares, mean, _ = proportions.shrunk(hits, cases)
    for share, k, n in zip(shares, hits, cases, strict=True):
        if n:
            low, high = sorted((k / n, mean))
            assert low - 1e-9 <= share <= high + 1e-9
