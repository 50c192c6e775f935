"""Quantiles: ordered, never negative, and right as often as they say."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from cbec.methods.forecast import calibrate
from cbec.tables.demand import LEVELS

rng = np.random.default_rng(7)


def spread_of(past, n, scale=1.0):
    k = past.shape[0] + 1
    return calibrate.Spread(np.full((k, n), scale), np.zeros((k, n), np.int64))


def test_quantiles_of_normal_errors_are_normal():
    past = np.full((4, 2000, 3), 100.0)
    actual = past + rng.normal(0, 5, past.shape)
    q = calibrate.quantiles(past[0], past, actual, spread_of(past, 2000), total=False, whole=False)
    expected = 100 + 5 * stats.norm.ppf(LEVELS)
    np.testing.assert_allclose(q[:, 0, 1], expected, atol=0.6)


def test_quantiles_are_ordered_and_not_negative():
    past = rng.gamma(0.5, 2, (3, 50, 10))
    actual = rng.gamma(0.5, 4, (3, 50, 10))
    for total in (False, True):
        q = calibrate.quantiles(past[0], past, actual, spread_of(past, 50), total=total, whole=False)
        assert (q >= 0).all() and (np.diff(q, axis=0) >= 0).all()
        if total:
            assert (np.diff(q, axis=2) >= 0).all()


def test_whole_units_give_whole_quantiles():
    past = np.full((2, 20, 3), 2.3)
    q = calibrate.quantiles(past[0], past, np.rint(past), spread_of(past, 20), total=False, whole=True)
    assert (q % 1 == 0).all()


def test_totals_have_their_own_errors():
    """Errors that go together add up in totals: nine times the variance of one, not three times."""
    past = np.full((4, 1000, 3), 100.0)
    actual = past + rng.normal(0, 5, (4, 1000, 1))
    of = spread_of(past, 1000)
    q = calibrate.quantiles(past[0].cumsum(1), past.cumsum(2), actual.cumsum(2), of, total=True, whole=False)
    width = q[LEVELS.index(0.95), 0] - q[LEVELS.index(0.05), 0]
    assert width[2] / width[0] == pytest.approx(3, rel=0.05)


def test_without_a_record_the_spread_is_that_of_independent_steps():
    past, actual = np.empty((0, 2, 16)), np.empty((0, 2, 16))
    point = np.full((2, 16), 100.0)
    q = calibrate.quantiles(point, past, actual, spread_of(past, 2, 3.0), total=False, whole=False)
    np.testing.assert_allclose(q[LEVELS.index(0.95), 0] - 100, 3 * 1.645, rtol=0.06)
    q = calibrate.quantiles(point.cumsum(1), past, actual, spread_of(past, 2, 3.0), total=True, whole=False)
    width = q[LEVELS.index(0.95), 0] - point.cumsum(1)[0]
    assert width[15] / width[0] == pytest.approx(4, rel=0.01)


def test_beyond_the_record_the_spread_goes_on_growing():
    past = np.full((4, 300, 12), 50.0)
    actual = past + np.cumsum(rng.normal(0, 2, past.shape), 2)
    actual[:, :, 6:] = np.nan
    q = calibrate.quantiles(past[0], past, actual, spread_of(past, 300), total=False, whole=False)
    width = q[-2, 0] - q[0, 0]
    assert width[11] > 1.2 * width[5]
    assert (np.diff(width[5:]) >= 0).all()


def test_what_past_periods_had_in_common_is_half_expected_again():
    past = np.full((4, 1000, 2), 100.0)
    actual = past + rng.normal(8, 2, past.shape)  # everything sold better than forecast then
    for total in (False, True):
        q = calibrate.quantiles(past[0], past, actual, spread_of(past, 1000, 2.0), total=total, whole=False)
        np.testing.assert_allclose(q[LEVELS.index(0.5), 0], 104, atol=0.5)
        assert q[-1, 0, 0] - q[0, 0, 0] == pytest.approx(2 * (stats.norm.ppf(0.99) + stats.norm.ppf(0.95)), rel=0.1)


def shrunk(mse, mean, life):
    return calibrate._variance(mse, mean, life, calibrate._law(mse, mean, life), life)


def test_variances_of_short_histories_are_not_trusted():
    mean, life = np.array([10.0, 10.0]), np.array([3.0, 200.0])
    found = shrunk(np.array([0.0, 4.0]), mean, life)
    assert found[0] > 5  # a history of three equal values may still vary like counts
    assert found[1] == 4


def test_variances_follow_the_power_law_of_the_catalogue():
    mean = np.exp(rng.uniform(0, 6, 500))
    found = shrunk(mean**1.5 * rng.chisquare(20, 500) / 20, mean, np.full(500, 20.0))
    np.testing.assert_allclose(np.log(found / mean**1.5), 0, atol=0.6)


@pytest.mark.parametrize("others", [2, 30])
def test_a_history_without_errors_drowns_nobody(others):
    mean, life = np.full(others + 2, 50.0), np.full(others + 2, 20.0)
    mse = np.concatenate([rng.chisquare(20, others) / 20 * 25, [0.0, 1e-29]])
    found = shrunk(mse, mean, life)
    assert (found[:-2] > 8).all() and (found[:-2] < 60).all()
    assert (found[-2:] > 0.1).all() and (found[-2:] < 25).all()


def test_a_leap_after_a_quiet_past_does_not_make_the_others_leap():
    """One series that sold hundredfold overnight: the quantiles of its neighbours stay within fifteen usual errors."""
    past = np.full((2, 20, 3), 5.0)
    actual = np.rint(past + rng.normal(0, 1, past.shape))
    actual[0, 0] = 5e6
    q = calibrate.quantiles(past[0], past, actual, spread_of(past, 20), total=False, whole=False)
    assert (q <= 5 + 16).all()


def test_the_error_of_an_origin_is_not_measured_in_itself():
    """A series errs threefold at one origin: that widens it today and at the other origins, not at that one."""
    n, h = 200, 4
    error = np.where(rng.random((3, n, h)) < 0.5, -1.0, 1.0)
    error[0, 0] *= 3
    chosen = np.full((4, n, h), 10.0)
    actual = np.concatenate([np.full((1, n, h), np.nan), 10.0 + error])
    rolled = SimpleNamespace(valid=np.ones((4, n), bool), actual=actual)
    panel = SimpleNamespace(demand_class=np.full(n, "smooth"))
    found = calibrate._ratio(panel, rolled, chosen, np.ones((4, n)))
    own = (calibrate.RATIO + np.array([5.0, 2.0, 4.0, 4.0])) / (calibrate.RATIO + np.array([3, 2, 2, 2]))
    np.testing.assert_allclose(found[:, 0], own, rtol=0.02)
    np.testing.assert_allclose(found[:, 1:], 1.0, rtol=0.02)
