"""Seasons: told where there are some, left alone where there are none, shared where series are too short."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast import seasonal

WAVE = np.array([1.4, 1.2, 1.0, 0.8, 0.6, 0.8, 1.0, 1.1, 0.9, 1.0, 0.9, 1.3])


def histories(count, width, factor, seed=1, level=100.0, noise=0.05):
    rng = np.random.default_rng(seed)
    at = np.arange(-width, 0) % len(factor)
    return level * factor[at] * (1 + noise * rng.standard_normal((count, width)))


def test_centred_mean_of_an_even_season_is_two_by_m():
    y = np.arange(10.0)[None, :]
    y[0, 3] = 9
    found = seasonal.centred_mean(y, 4)[0]
    assert np.isnan(found[:2]).all() and np.isnan(found[-2:]).all()
    assert found[4] == pytest.approx((y[0, 2] / 2 + y[0, 3] + y[0, 4] + y[0, 5] + y[0, 6] / 2) / 4)


def test_centred_mean_of_an_odd_season():
    y = np.array([[1.0, 2, 6, 4, np.nan, 6, 7]])
    np.testing.assert_allclose(seasonal.centred_mean(y, 3)[0], [np.nan, 3, 4, np.nan, np.nan, np.nan, np.nan])


def test_own_season_is_found_and_taken_out_and_put_back():
    y = histories(3, 60, WAVE)
    season = seasonal.estimate(y[None], 12)
    np.testing.assert_allclose(season.factor, np.tile(WAVE, (3, 1)), atol=0.1)
    flat = season.out_of(y)
    assert flat.std(1).max() < 8 < y.std(1).min()
    np.testing.assert_allclose(season.into(np.full((3, 13), 100.0)), 100 * np.tile(WAVE, (3, 2))[:, :13], atol=10)


def test_no_season_no_factors():
    y = histories(40, 60, np.ones(12), noise=0.2)
    factor = seasonal.estimate(y[None], 12).factor
    assert np.abs(factor - 1).mean() < 0.02


def test_histories_with_zeros_get_differences():
    y = np.tile([0.0, 4, 8, 0], 12)[None, :] + np.random.default_rng(0).uniform(0, 0.5, (1, 48))
    y[0, ::4] = 0
    season = seasonal.estimate(y[None], 4)
    assert (season.factor == 1).all()
    assert season.shift[0, 2] > 2 > -1 > season.shift[0, 0]


def test_a_young_series_gets_the_season_that_all_share():
    y = histories(30, 60, WAVE)
    y[0, :-10] = np.nan
    factor = seasonal.estimate(y[None], 12).factor
    np.testing.assert_allclose(factor[0], WAVE, atol=0.08)


def test_one_and_a_half_years_are_enough_for_a_shared_season():
    y = histories(40, 19, WAVE)
    np.testing.assert_allclose(seasonal.estimate(y[None], 12).factor.mean(0), WAVE, atol=0.25)


def test_a_season_seen_once_comes_again_for_the_most_part():
    """A month in which everything is shut, in a history of 15 months: two thirds of its fall are expected again."""
    dip = np.where(np.arange(12) == 7, 0.4, 1.0)
    index = seasonal.estimate(histories(40, 15, dip)[None], 12).factor[0]
    assert index[7] == index.min()
    assert 0.55 * 0.6 < 1 - index[7] / np.delete(index, 7).mean() < 0.75 * 0.6
    assert (seasonal.estimate(histories(40, 13, dip)[None], 12).factor == 1).all()


def test_a_season_seen_once_is_none_where_chance_makes_it():
    rng = np.random.default_rng(4)
    sparse = rng.poisson(0.3, (200, 16)).astype(float)
    assert np.abs(seasonal.estimate(sparse[None], 12).factor - 1).max() < 0.06


def test_the_slow_course_of_a_single_season_counts_for_less():
    """A company that grew fast and then stood still is no season: what its growth looks like is believed by a third."""
    growth = 1 / (1 + np.exp(-(np.arange(16) - 6) / 2)) + 0.05
    rng = np.random.default_rng(6)
    y = 100 * growth * (1 + 0.05 * rng.standard_normal((40, 16)))
    usual = seasonal.to_the_ends(seasonal.centred_mean(growth[None], 12)[0], 6)
    assert np.abs(seasonal.estimate(y[None], 12).factor[0] - 1).max() < np.abs(growth / usual - 1).max() / 3


def test_first_sales_make_no_season():
    """Histories begin with a sale: the first period of what sells now and then is high by definition."""
    rng = np.random.default_rng(9)
    y = rng.poisson(0.4, (400, 30)).astype(float)
    first = (y > 0).argmax(1)
    y[np.arange(30) < first[:, None]] = np.nan
    line = seasonal.shared(y[None], 12)[0, 0]
    assert line[:3][~np.isnan(line[:3])] == pytest.approx(np.nanmean(line[5:]), rel=0.25)


def test_closed_days_are_closed_and_say_nothing_of_the_level():
    week = np.array([1.2, 1.2, 1.2, 1.2, 1.2, 0.0, 1.0])
    rng = np.random.default_rng(2)
    y = rng.poisson(3 * week[np.arange(-140, 0) % 7], (60, 140)).astype(float)
    season = seasonal.estimate(y[None], 7, seasonal.RECENCY_SHORT)
    assert (season.factor[:, 5] < 0.05).all()
    assert np.isnan(season.out_of(y)[:, 5::7]).all()
    assert (season.into(np.full((60, 7), 3.0))[:, 5] < 0.1).all()


def test_panels_that_share_nothing_keep_to_their_own():
    parts = [histories(1, 72, np.roll(WAVE, k), seed=k) for k in range(12) for _ in range(2)]
    y = np.concatenate(parts)
    factor = seasonal.estimate(y[None], 12).factor
    expected = np.stack([np.roll(WAVE, k) for k in range(12) for _ in range(2)])
    assert np.abs(factor - expected).mean() < 0.05


def test_views_do_not_touch_each_other():
    late, early = histories(20, 60, WAVE), histories(20, 60, np.ones(12), seed=5)
    both = seasonal.estimate(np.stack([late, early]), 12)
    alone = seasonal.estimate(early[None], 12)
    np.testing.assert_array_equal(both.factor[20:], alone.factor)


@pytest.mark.parametrize("width", [1, 2, 5, 30])
def test_short_or_empty_histories(width):
    y = np.full((3, width), np.nan)
    season = seasonal.estimate(y[None], 12)
    assert (season.factor == 1).all() and (season.shift == 0).all()
    assert seasonal.estimate(y[None], 1).factor.shape == (3, 1)


def test_a_week_within_which_days_repeat():
    """Hours of a day times days of a week: the nested season is their product, and comes out as one."""
    rng = np.random.default_rng(3)
    day, week = np.array([1.5, 1.0, 0.5, 1.0]), np.array([1.4, 0.8, 0.8])
    at = np.arange(-120, 0)
    truth = day[at % 4] * week[at // 4 % 3]
    y = 50 * truth * (1 + 0.02 * rng.standard_normal((4, 120)))
    season = seasonal.nested(y[None], 4, 12)
    assert season.factor.shape == (4, 12)
    np.testing.assert_allclose(
        season.factor * season.factor.mean(1, keepdims=True) ** -1, np.tile(truth[-12:], (4, 1)), atol=0.06
    )
    np.testing.assert_allclose(season.out_of(y), 50, rtol=0.12)
    back = season.into(season.out_of(y)[:, -12:])
    np.testing.assert_allclose(back, y[:, -12:])


def test_a_nested_season_of_differences_can_be_put_back():
    y = np.tile([0.0, 3, 6, 1, 0, 9, 2, 0], 12)[None, :] + np.random.default_rng(0).uniform(0, 0.2, (1, 96))
    y[0, ::8] = 0
    season = seasonal.nested(y[None], 4, 8)
    np.testing.assert_allclose(season.into(season.out_of(y)[:, -8:]), y[:, -8:], atol=1e-9)


def test_evidence_is_the_autocorrelation_over_bartletts_standard_error():
    y = np.array([3.0, 5, 4, 8, 2, 6, 5, 9, 3, 4, 6, 7])
    x = y - y.mean()
    r = [(x[k:] * x[:-k]).sum() / (x * x).sum() for k in range(1, 5)]
    expected = r[3] / np.sqrt((1 + 2 * sum(v * v for v in r[:3])) / len(y))
    np.testing.assert_allclose(seasonal.evidence(y[None], 4), [expected])


def test_recent_years_weigh_more():
    """Three years without a season, then three with one: the later years count."""
    y = np.concatenate([histories(1, 36, np.ones(12)), histories(1, 36, WAVE)], 1)
    late, even = (seasonal._index(y, 12, recency)[0][0] for recency in (0.5, 1.0))
    assert late[0] - 1 > 1.3 * (even[0] - 1) > 0.1
    assert 1 - late[4] > 1.3 * (1 - even[4]) > 0.1


def test_days_of_some_years_tell_the_weeks_of_the_year():
    rng = np.random.default_rng(5)
    week, at = np.array([1.3, 0.7, 1.0]), np.arange(-3 * 12 * 3, 0)
    year = WAVE[at // 3 % 12]
    y = rng.poisson(40 * week[at % 3] * year, (6, len(at))).astype(float)
    y[:, 20:23] = np.nan
    inner = seasonal.estimate(y[None], 3)
    season = seasonal.around(y[None], inner, 12)
    truth = week[at % 3] * year
    flat = season.out_of(y)
    known = ~np.isnan(y)
    assert np.corrcoef(inner.out_of(y)[known], np.tile(year, (6, 1))[known])[0, 1] > 0.7
    assert abs(np.corrcoef(flat[known], np.tile(year, (6, 1))[known])[0, 1]) < 0.2
    ahead = season.of(slice(2, 4)).into(np.full((2, 36), 40.0))
    np.testing.assert_allclose(ahead, np.tile(40 * truth[-36:], (2, 1)), rtol=0.2)
    assert seasonal.around(y[None, :, -70:], inner, 12) is inner  # less than two years


def test_groups_add_what_they_have_besides():
    rng = np.random.default_rng(2)
    at = np.arange(-60, 0) % 12
    a, b = (rng.poisson(3 * wave[at], (25, 60)).astype(float) for wave in (WAVE, np.roll(WAVE, 6)))
    group = np.repeat([0, 1], 25)
    factor = seasonal.estimate(np.concatenate([a, b])[None], 12, group=group).factor
    plain = seasonal.estimate(np.concatenate([a, b])[None], 12).factor
    for rows, true in ((slice(25), WAVE), (slice(25, 50), np.roll(WAVE, 6))):
        assert np.abs(factor[rows] - true).mean() < 0.6 * np.abs(plain[rows] - true).mean()


def test_collections_that_come_and_go_make_no_season_of_those_that_stay():
    rng = np.random.default_rng(4)
    weeks, m = 52 * 4 + 5, 52
    stay = rng.poisson(12.0, (12, weeks)).astype(float)
    collections = np.full((160, weeks), np.nan)
    for i, row in enumerate(collections):
        begin = 8 + m * (i % 4) + int(rng.integers(0, 3))
        row[begin:] = 0.0
        row[begin : begin + 26] = rng.poisson(20.0, len(row[begin : begin + 26]))
    season = seasonal.estimate(np.concatenate([stay, collections])[None], m)
    assert np.abs(season.factor[:12] - 1).mean() < 0.1 and season.factor[:12].max() < 1.5
