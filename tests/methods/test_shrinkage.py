"""Means and variances drawn to those of all groups: published figures, simulations, edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.methods import shrinkage

# BCG vaccine trials (Colditz et al. 1994): cases and people with and without vaccination.
TRIALS = [
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761), (180, 1361, 372, 1079),
    (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600), (186, 50448, 141, 27197), (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
]  # fmt: skip


def test_variance_between_groups_as_published():
    a, b, c, d = (np.array(x, dtype=float) for x in zip(*TRIALS, strict=True))
    log_ratio = np.log(a / (a + b)) - np.log(c / (c + d))
    error = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    drawn, common, between = shrinkage.means(log_ratio, error)
    # Viechtbauer's R package metafor on these data, method "PM".
    assert between == pytest.approx(0.3181, abs=5e-5)
    assert common == pytest.approx(-0.7150, abs=5e-5)
    assert (np.abs(drawn - common) <= np.abs(log_ratio - common)).all()


def test_groups_that_differ_by_chance_share_one_mean():
    drawn, common, between = shrinkage.means(np.array([10.0, 10.1, 9.9]), np.array([4.0, 4.0, 4.0]))
    assert between == 0 and drawn == pytest.approx([common] * 3)
    alone, _, _ = shrinkage.means(np.array([7.0]), np.array([2.0]))
    assert alone.tolist() == [7.0]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 50)), min_size=2, max_size=10))
def test_drawn_means_lie_between_the_own_and_the_common(rows):
    mean, error = (np.array(x) for x in zip(*rows, strict=True))
    drawn, common, between = shrinkage.means(mean, error)
    assert between >= 0
    low, high = np.minimum(mean, common), np.maximum(mean, common)
    assert ((drawn >= low - 1e-6) & (drawn <= high + 1e-6)).all()


def test_the_prior_of_variances_is_found_again():
    rng = np.random.default_rng(3)
    # sigma^2 ~ d0 s0^2 / chi^2(d0) with d0 = 8, s0^2 = 4; sample variances with 5 degrees of freedom.
    true = 8 * 4 / rng.chisquare(8, 4000)
    sample = true * rng.chisquare(5, 4000) / 5
    drawn, common, weight = shrinkage.variances(sample, np.full(4000, 5.0))
    assert common == pytest.approx(4, rel=0.05)
    assert weight == pytest.approx(8, rel=0.15)
    assert np.mean((np.log(drawn) - np.log(true)) ** 2) < np.mean((np.log(sample) - np.log(true)) ** 2)


def test_variances_without_freedom_and_alone():
    drawn, common, _ = shrinkage.variances(np.array([4.0, 6.0, np.nan]), np.array([5.0, 9.0, 0.0]))
    assert drawn[2] == pytest.approx(common)
    alone, _, _ = shrinkage.variances(np.array([4.0, np.nan]), np.array([5.0, 0.0]))
    assert alone.tolist() == [4.0, 4.0]
    nothing, _, _ = shrinkage.variances(np.array([np.nan]), np.array([0.0]))
    assert np.isnan(nothing).all()
