"""Measures on small figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast import metrics

Y = np.array([[1.0, 2.0], [0.0, 4.0]])
F = np.array([[1.0, 4.0], [0.0, 2.0]])
NAN = np.nan


def test_smape():
    assert metrics.smape(Y, F) == pytest.approx(100 / 3)
    assert metrics.smape(np.array([[NAN, 2.0]]), np.array([[5.0, 4.0]])) == pytest.approx(200 / 3)


def test_scales():
    known = np.array([[1.0, 3, 2, 6], [NAN, NAN, 2, 5]])
    assert metrics.seasonal_scale(known, 2).tolist() == [2, 3]  # the second is no longer than a season: lag 1
    assert metrics.squared_scale(np.array([[1.0, 3, 2]])).tolist() == [2.5]


def test_mase_and_rmsse_leave_out_series_without_a_scale():
    assert metrics.mase(Y, F, np.array([1.0, 2.0])) == pytest.approx(0.75)
    assert metrics.mase(Y, F, np.array([1.0, 0.0])) == pytest.approx(1.0)
    assert metrics.rmsse(Y, F, np.array([2.0, NAN])) == pytest.approx(1.0)
    assert metrics.mase(Y, F, np.zeros(2)) is None


def test_wape_and_bias():
    assert metrics.wape(Y, F) == pytest.approx(4 / 7)
    assert metrics.bias(Y, F) == 0
    assert metrics.wape(np.zeros((1, 2)), F[:1]) is None


def test_wql_of_the_median_is_wape():
    assert metrics.wql(Y, F[None], (0.5,)) == pytest.approx(4 / 7)
    assert metrics.wql(np.array([[10.0]]), np.array([[[8.0]], [[12.0]]]), (0.1, 0.9)) == pytest.approx(0.04)


def test_coverage():
    assert metrics.coverage(Y, None, F) == 0.75
    assert metrics.coverage(Y, F, F + 1) == 0.5
    assert metrics.coverage(np.array([[NAN]]), None, F[:1, :1]) is None


def test_they_agree_with_a_loop():
    rng = np.random.default_rng(0)
    y, f = rng.uniform(0, 9, (5, 4)), rng.uniform(0, 9, (5, 4))
    y[2, 1] = NAN
    scale = rng.uniform(1, 2, 5)
    each = [[abs(a - b) for a, b in zip(ys, fs, strict=True) if not np.isnan(a)] for ys, fs in zip(y, f, strict=True)]
    assert metrics.mase(y, f, scale) == pytest.approx(
        np.mean([np.mean(e) / s for e, s in zip(each, scale, strict=True)])
    )
    assert metrics.wape(y, f) == pytest.approx(sum(map(sum, each)) / np.nansum(y))
