"""Textbook models of one series by statsmodels."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast import reference

#: International airline passengers, thousands per month, 1949 to 1952 (Box, Jenkins & Reinsel, series G).
AIRLINE = (
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140,
    145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194,
)  # fmt: skip


def test_every_model_knows_the_season_of_the_airline_series():
    y = np.array(AIRLINE, float)
    found = reference.forecasts(y[:36], 12, 12)
    assert set(found) == {reference.ETS, reference.ARIMA, reference.STL}
    naive = np.abs(y[24:36] - y[36:]).mean()
    for name, ahead in found.items():
        assert np.abs(ahead - y[36:]).mean() < 0.9 * naive, name
    assert np.abs(found[reference.ARIMA] - y[36:]).mean() < 0.5 * naive  # the airline model, of all things


@pytest.mark.parametrize("units", [[], [3.0], [0.0] * 20, [5.0] * 20, [0.0] * 19 + [1000.0], [np.nan] * 30])
def test_odd_series_get_an_answer_or_none(units):
    for ahead in reference.forecasts(np.array(units, float), 3, 7).values():
        assert ahead.shape == (3,)
        assert np.isfinite(ahead).all()
        assert (ahead >= 0).all()


def test_periods_out_of_stock_are_no_zeros():
    y = np.random.default_rng(4).poisson(20.0, 60).astype(float)
    y[[10, 11, 30, 59]] = np.nan
    y[:3] = np.nan
    for name, ahead in reference.forecasts(y, 6, 7).items():
        assert 14 < ahead.mean() < 26, name
