"""Rolling origins and the choice among methods."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cbec.methods.forecast import history, rolling, select


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
    found = rolling.cuts(width, h)
    assert len(found) <= rolling.ORIGINS
    assert list(found) == sorted(set(found))
    assert all(width - c >= 2 for c in found)
    assert all(c <= width // 2 for c in found[1:])  # with less than half of it before, methods err in ways of their own
    if width >= 4 * h:
        assert found[0] == h and len(found) == rolling.ORIGINS


def test_views_and_actuals():
    y = np.arange(1.0, 9.0)[None, :]
    stack = rolling.views(y, (2, 3))
    assert stack[0, 0].tolist() == y[0].tolist()
    assert np.isnan(stack[1, 0, :2]).all() and stack[1, 0, 2:].tolist() == [1, 2, 3, 4, 5, 6]
    after = rolling.actuals(y, (2, 3), 3)
    assert np.isnan(after[0]).all()
    assert after[1, 0, :2].tolist() == [7, 8] and np.isnan(after[1, 0, 2])
    assert after[2, 0].tolist() == [6, 7, 8]


@pytest.mark.parametrize(
    ("rate", "change"),
    [(3.0, lambda later: later * 50), (0.05, lambda later: later * 0 + 7), (3.0, lambda later: later * 0)],
)
def test_every_method_is_causal(rate, change):
    rng = np.random.default_rng(1)
    y = rng.poisson(rate, (30, 120)).astype(float)
    y[:, 0] = 1  # the same first sales, so that both panels have the same series
    other = y.copy()
    back = rolling.cuts(120, 14)
    other[:, -back[0] :] = change(other[:, -back[0] :])
    one, two = (rolling.roll(panel_of(x), 14, every=True) for x in (y, other))
    for name, forecast in one.forecasts.items():
        np.testing.assert_array_equal(forecast[1:], two.forecasts[name][1:], err_msg=name)


def test_the_choice_finds_a_season_and_a_level():
    rng = np.random.default_rng(2)
    level = np.maximum(rng.normal(50, 10, (40, 1)) + rng.normal(0, 8, (40, 160)), 1)
    chosen = select.choose(panel_of(level), rolling.roll(panel_of(level), 14))
    names = np.array(chosen.names)[chosen.best]
    assert (names != "seasonal_naive").mean() > 0.9


def test_what_does_not_beat_the_seasonal_naive_is_not_used():
    """Every weekday walks for itself in large steps: nothing knows more than the last value of its day."""
    rng = np.random.default_rng(8)
    y = np.exp(np.cumsum(rng.normal(0, 0.5, (30, 20, 7)), 1)).reshape(30, 140) * 50
    chosen = select.choose(panel_of(y), rolling.roll(panel_of(y), 7))
    names = np.array(chosen.names)[chosen.best]
    assert (names == "seasonal_naive").mean() > 0.9


def test_the_head_start_of_the_default_does_not_lift_it_over_the_naive():
    """All methods err by 10 but the naive by 9.7, which is less than the head start: the naive it is."""
    rng = np.random.default_rng(9)
    panel = panel_of(np.maximum(rng.normal(100, 10, (60, 160)), 1.0))
    rolled = rolling.roll(panel, 14)
    sign = np.where(rng.random(rolled.usual.shape) < 0.5, -1.0, 1.0)
    errors = {name: 9.7 if name == "seasonal_naive" else 10.0 for name in rolled.forecasts}
    made = {name: np.nan_to_num(rolled.usual, nan=100.0) + size * sign for name, size in errors.items()}
    usual = dict.fromkeys(select.CANDIDATES, 1.0)  # no general experience besides
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select, "CANDIDATES", usual)
        chosen = select.choose(panel, replace(rolled, forecasts=made))
    assert (np.array(chosen.names)[chosen.best] == "seasonal_naive").all()


def test_noisy_sparse_and_young_series_lean_on_the_catalogue():
    rng = np.random.default_rng(5)
    y = rng.normal(100, 3, (5, 60))
    y[3] = 0.0
    y[3, ::9] = 2.0
    y[4, :-6] = np.nan
    level = np.array([100.0, 4.0, 1e6, 0.2, 100.0])
    noise = np.array([0.03, 0.5, 0.5, 0.05, 0.05])
    found = rolling._pool(y, level, noise, "W")
    assert found.tolist() == pytest.approx([0, rolling.MOST, rolling.LEAST["W"], 1, 1])


def test_steady_hours_are_forecast_by_the_weighted_mean_of_the_candidates():
    """A week with two peaks that only the weekly methods know: they get the weight."""
    rng = np.random.default_rng(6)
    hours = np.arange(-24 * 35, 0)
    day = 1 + 0.5 * np.sin(2 * np.pi * hours / 24)
    weekend = np.where(hours // 24 % 7 < 2, 2.0, 1.0)
    y = 1000 * (day * weekend) * (1 + 0.01 * rng.standard_normal((12, hours.size)))
    days = np.datetime64("2024-01-01", "h") + np.arange(hours.size)
    frame = pl.DataFrame(
        {
            "date": pl.Series(days.astype("datetime64[us]"))[np.tile(np.arange(hours.size), 12)],
            "sku": [f"S{i:02d}" for i in range(12) for _ in hours],
            "units": y.ravel(),
        }
    )
    panel = history.panel(frame, as_of=date(2024, 2, 4), frequency="H")
    rolled = rolling.roll(panel, 48)
    chosen = select.choose(panel, rolled)
    np.testing.assert_allclose(chosen.weight.sum(1), 1)
    share = dict(zip(chosen.names, chosen.weight[0].mean(1), strict=True))
    assert share["seasonal_naive"] < 0.01
    ahead = select.chosen(rolled, chosen)[0]
    true = 1000 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(48) / 24)) * np.where(np.arange(48) // 24 % 7 < 2, 2.0, 1.0)
    np.testing.assert_allclose(ahead.mean(0), true, rtol=0.02)


def test_strong_years_are_followed_though_blends_are_the_default():
    """Two years of weeks with a feast that no short season can know: last year's week is what counts."""
    rng = np.random.default_rng(7)
    year = np.ones(52)
    year[[5, 20, 33, 46]] = [3.0, 2.5, 2.0, 4.0]
    y = 1000 * np.tile(year, 2)[None, :92] * (1 + 0.05 * rng.standard_normal((30, 92)))
    chosen = select.choose(panel_of(y, "W", 7), rolling.roll(panel_of(y, "W", 7), 12))
    names = np.array(chosen.names)[chosen.best]
    assert np.isin(names, ["seasonal_blend", "seasonal_level", "seasonal_naive"]).mean() > 0.9


def test_origins_without_a_whole_season_do_not_judge():
    rng = np.random.default_rng(7)
    y = rng.normal(100, 5, (20, 70))
    panel = panel_of(y, "W", 7)
    rolled = rolling.roll(panel, 16)
    found = select.choose(panel, rolled)
    known = 70 - np.array(rolled.cuts)
    assert (known < 52).any() and found.origins.max() == (known >= 52).sum()


def test_series_without_a_record_get_what_is_known_to_do_well():
    y = np.array([[3.0, 4.0]])
    chosen = select.choose(panel_of(y), rolling.roll(panel_of(y), 5))
    assert chosen.origins.tolist() == [0]
    assert chosen.names[chosen.best[0]] == rolling.DEFAULT
