"""Rolling origins and the choice among methods."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cbec.methods.forecast import history, select


def panel_of(y, frequency="D", step=1):
    count, width = y.shape
    days = [date(2024, 1, 1) + timedelta(days=step * i) for i in range(width)]
    frame = pl.DataFrame(
        {
            "date": pl.Series(days)[np.tile(np.arange(width), count)],
            "sku": [f"S{i:03d}" for i in range(count) for _ in range(width)],
            "units": y.ravel(),
        }
    )
    return history.panel(frame, as_of=days[-1], frequency=frequency)


@pytest.mark.parametrize(("width", "h"), [(1, 5), (2, 5), (3, 5), (10, 30), (90, 30), (400, 30), (126, 18), (50, 1)])
def test_cuts_leave_history_and_come_newest_first(width, h):
    found = select.cuts(width, h)
    assert len(found) <= select.ORIGINS
    assert list(found) == sorted(set(found))
    assert all(width - c >= 2 for c in found)
    if width >= 4 * h:
        assert found[0] == h and len(found) == select.ORIGINS


def test_views_and_actuals():
    y = np.arange(1.0, 9.0)[None, :]
    stack = select.views(y, (2, 3))
    assert stack[0, 0].tolist() == y[0].tolist()
    assert np.isnan(stack[1, 0, :2]).all() and stack[1, 0, 2:].tolist() == [1, 2, 3, 4, 5, 6]
    after = select.actuals(y, (2, 3), 3)
    assert np.isnan(after[0]).all()
    assert after[1, 0, :2].tolist() == [7, 8] and np.isnan(after[1, 0, 2])
    assert after[2, 0].tolist() == [6, 7, 8]


def test_every_method_is_causal():
    rng = np.random.default_rng(1)
    y = rng.poisson(3.0, (30, 120)).astype(float)
    y[:, 0] = 1  # the same first sales, so that both panels have the same series
    other = y.copy()
    back = select.cuts(120, 14)
    other[:, -back[0] :] *= 50
    one, two = (select.roll(panel_of(x), 14, every=True) for x in (y, other))
    for name, forecast in one.forecasts.items():
        np.testing.assert_array_equal(forecast[1:], two.forecasts[name][1:], err_msg=name)


def test_the_choice_finds_a_season_and_a_level():
    rng = np.random.default_rng(2)
    level = np.maximum(rng.normal(50, 10, (40, 1)) + rng.normal(0, 8, (40, 160)), 1)
    chosen = select.choose(panel_of(level), select.roll(panel_of(level), 14))
    names = np.array(chosen.names)[chosen.best]
    assert (names != "seasonal_naive").mean() > 0.9


def test_what_does_not_beat_the_seasonal_naive_is_not_used():
    """Every weekday walks for itself in large steps: nothing knows more than the last value of its day."""
    rng = np.random.default_rng(8)
    y = np.exp(np.cumsum(rng.normal(0, 0.5, (30, 20, 7)), 1)).reshape(30, 140) * 50
    chosen = select.choose(panel_of(y), select.roll(panel_of(y), 7))
    names = np.array(chosen.names)[chosen.best]
    assert (names == "seasonal_naive").mean() > 0.9


def test_noisy_and_sparse_series_lean_on_the_catalogue():
    rng = np.random.default_rng(5)
    steady = rng.normal(100, 3, (2, 60))
    rare = np.zeros((1, 60))
    rare[0, ::9] = 2.0
    combination = np.array([[100.0], [100.0], [0.2]])
    weight = select._noise(np.vstack([steady, rare]), combination, np.array([9.0, 900.0, 0.3]), 8)
    assert weight.tolist() == pytest.approx([0, 0.6, 1])


def test_series_without_a_record_get_what_is_known_to_do_well():
    y = np.array([[3.0, 4.0]])
    chosen = select.choose(panel_of(y), select.roll(panel_of(y), 5))
    assert chosen.origins.tolist() == [0]
    assert chosen.names[chosen.best[0]] == select.DEFAULT
