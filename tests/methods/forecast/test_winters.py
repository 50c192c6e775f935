"""Holt-Winters against statsmodels and against what it must do."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast import local, winters


@pytest.mark.parametrize("setting", [(0.2, 0.1, 0.2, 0.97), (0.5, 0.0, 0.4, 0.97), (0.05, 0.1, 0.05, 1.0)])
def test_recursions_are_those_of_statsmodels(setting):
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    rng = np.random.default_rng(5)
    m, h = 4, 6
    y = 20 + np.tile([3.0, -2, 1, -2], 12) + np.cumsum(rng.normal(0, 0.5, 48))
    alpha, share, gamma, phi = setting
    model = ETSModel(
        y[m:], error="add", trend="add", damped_trend=True, seasonal="add", seasonal_periods=m, initialization_method="known",
        initial_level=y[:m].mean(), initial_trend=0.0, initial_seasonal=y[:m] - y[:m].mean(),
    )  # fmt: skip
    with model.fix_params(
        {"smoothing_level": alpha, "smoothing_trend": alpha * share, "smoothing_seasonal": gamma, "damping_trend": phi}
    ):
        fitted = model.fit(disp=False)
    np.testing.assert_allclose(winters.holt_winters(y[None], h, m, (setting,))[0], fitted.forecast(h), rtol=1e-6)


def test_a_pure_season_is_carried_on():
    season = np.array([5.0, 1, 9, 3, 2, 7, 4])
    y = np.tile(season, 9)[None]
    np.testing.assert_allclose(winters.holt_winters(y, 10, 7)[0], np.tile(season, 2)[:10], atol=1e-9)


def test_short_histories_get_the_damped_trend_and_gaps_are_no_zeros():
    rng = np.random.default_rng(6)
    y = rng.poisson(20.0, (3, 40)).astype(float)
    y[0, :30] = np.nan
    found = winters.holt_winters(y, 5, 7)
    np.testing.assert_array_equal(found[0], local.damped_trend(y, 5)[0])
    holes = y[1:2].copy()
    holes[0, [20, 21, 33]] = np.nan
    assert abs(winters.holt_winters(holes, 7, 7).mean() - 20) < 6
    np.testing.assert_allclose(found[2], winters.holt_winters(y[2:3], 5, 7)[0])
    assert np.isfinite(winters.holt_winters(np.full((1, 9), np.nan), 2, 4)).all()
