"""Days of the month: told where months resemble each other, in groups, and only from what was known."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast import monthdays, seasonal
from cbec.methods.forecast.rolling import views

FIRST = 19000  # 2022-01-08


def catalogue(count, width, payday, seed=1):
    """Poisson demand with a weekday season and `payday` times as much on the first three days of a month."""
    rng = np.random.default_rng(seed)
    day = monthdays._days(np.arange(FIRST, FIRST + width))
    week = np.array([1.3, 1.1, 0.9, 0.8, 0.9, 1.0, 1.0])[np.arange(width) % 7]
    rate = rng.gamma(3, 2, (count, 1)) * week * np.where(day < 3, payday, 1.0)
    return rng.poisson(rate).astype(float)


def found(y, back=(), h=31, group=None):
    stack = views(y, back)
    group = np.zeros(len(y), np.int64) if group is None else group
    inner = seasonal.estimate(stack, 7, seasonal.RECENCY_SHORT)
    ordinals = np.arange(FIRST, FIRST + y.shape[1])
    return monthdays.within(inner, stack, ordinals, back, h, group)


def test_paydays_are_found_and_put_where_they_fall():
    y = catalogue(60, 400, 2.0)
    season = found(y)
    ahead = season.into(np.ones((60, 31)))
    day = monthdays._days(np.arange(FIRST + 400, FIRST + 431))
    assert ahead[:, day < 3].mean() / ahead[:, day >= 3].mean() == pytest.approx(2.0, rel=0.1)
    flat = season.out_of(y)
    known = monthdays._days(np.arange(FIRST, FIRST + 400))
    assert flat[:, known < 3].mean() / flat[:, known >= 3].mean() == pytest.approx(1.0, abs=0.06)


def test_without_paydays_next_to_nothing_is_told():
    season = found(catalogue(60, 400, 1.0))
    ahead = season.into(np.ones((60, 31))) / found(catalogue(60, 400, 1.0)[:, :100]).into(np.ones((60, 31)))
    index = season.index if isinstance(season, monthdays.MonthDays) else np.ones(1)
    assert np.abs(index - 1).max() < 0.05
    assert np.isfinite(ahead).all()


def test_a_short_history_has_no_days_of_the_month():
    assert isinstance(found(catalogue(60, 100, 2.0)), seasonal.Season)


def test_groups_have_their_own():
    y = np.concatenate([catalogue(40, 400, 2.0), catalogue(40, 400, 1.0, seed=2)])
    season = found(y, group=np.repeat([0, 1], 40))
    day = monthdays._days(np.arange(FIRST + 400, FIRST + 431))
    ahead = season.into(np.ones((80, 31)))
    ratio = ahead[:, day < 3].mean(1) / ahead[:, day >= 3].mean(1)
    assert ratio[:40].mean() > 1.8 and ratio[40:].mean() < 1.15


def test_an_origin_knows_what_was_known_then():
    y = catalogue(60, 400, 2.0)
    changed = y.copy()
    changed[:, -40:] *= 30
    one, two = (found(x, (40,)) for x in (y, changed))
    rows = slice(60, 120)
    np.testing.assert_array_equal(one.of(rows).into(np.ones((60, 31))), two.of(rows).into(np.ones((60, 31))))
    np.testing.assert_array_equal(
        one.of(rows).out_of(views(y, (40,))[1]), two.of(rows).out_of(views(changed, (40,))[1])
    )
    shown = one.of(rows).into(np.ones((60, 31)))
    day = monthdays._days(np.arange(FIRST + 360, FIRST + 391))
    assert shown[:, day < 3].mean() > 1.6 * shown[:, day >= 3].mean()


def test_the_index_is_shrunk_by_what_its_months_differ():
    """Days that differ by chance alone tell next to nothing: their medians would differ by 0.25 x 1.25 / root of 24."""
    days = np.arange(FIRST, FIRST + 720)
    day, month = monthdays._days(days), monthdays._months(days)
    true, noise = np.where(day < 3, 1.3, 1.0), np.random.default_rng(5).standard_normal(720)
    quiet, alone = (monthdays._index(100 * x, day, month) for x in (true * np.exp(0.01 * noise), np.exp(0.25 * noise)))
    assert quiet[:3].mean() / quiet[3:].mean() == pytest.approx(1.3, abs=0.02)
    assert alone.std() < 0.03
