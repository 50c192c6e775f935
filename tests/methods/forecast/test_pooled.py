"""Levels learnt over the catalogue."""

from __future__ import annotations

import numpy as np

from cbec.methods.forecast import pooled, seasonal
from cbec.methods.forecast.rolling import views


def catalogue(count, width, seed=1):
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.0, 2.0, count)
    return rng.poisson(rate[:, None], (count, width)).astype(float), rate


def neutral(stack):
    rows = stack.shape[0] * stack.shape[1]
    return seasonal.Season(np.ones((rows, 7)), np.zeros((rows, 7)))


def test_a_steady_level_is_found():
    y, rate = catalogue(400, 200)
    back = (30, 45, 60)
    stack = views(y, back)
    found, _ = pooled.levels(stack, neutral(stack), back, 30, "D")
    assert found.shape == (4, 400)
    assert abs(found[0].sum() / rate.sum() - 1) < 0.03
    assert np.corrcoef(found[0], rate)[0, 1] > 0.95


def test_bulk_orders_that_never_come_again_are_not_carried_on():
    y, rate = catalogue(400, 200)
    y[:50, -5] += 500
    stack = views(y, (30, 45, 60))
    level = pooled.levels(stack, neutral(stack), (30, 45, 60), 30, "D")[0][0]
    plain = y[:, -30:].mean(1)
    assert np.abs(level[:50] - rate[:50]).mean() < 0.6 * np.abs(plain[:50] - rate[:50]).mean()


def test_what_was_launched_lately_is_not_taken_for_what_sold_seldom():
    y, rate = catalogue(1500, 60)
    first = np.where(np.arange(1500) % 3, np.random.default_rng(2).integers(1, 58, 1500), 0)
    y[np.arange(60) < first[:, None]] = np.nan
    back = (8, 12, 16)
    level = pooled.levels(views(y, back), neutral(views(y, back)), back, 8, "W")[0][0]
    for low, high in ((40, 54), (0, 40)):
        some = (first >= low) & (first < high)
        assert abs(level[some].sum() / rate[some].sum() - 1) < 0.06


def test_an_origin_learns_from_what_was_over_by_then():
    y, _ = catalogue(100, 200)
    changed = y.copy()
    changed[:, -30:] *= 50
    back = (30, 45, 60)
    one, two = (pooled.levels(views(x, back), neutral(views(x, back)), back, 30, "D")[0] for x in (y, changed))
    np.testing.assert_array_equal(one[1:], two[1:])
    assert (one[0] != two[0]).any()


def test_too_short_to_learn_gives_the_prior():
    y = np.array([[2.0]])
    stack = views(y, ())
    assert pooled.levels(stack, neutral(stack), (), 30, "D")[0][0, 0] == 2.0
    assert pooled.levels(np.full((1, 1, 4), np.nan), neutral(np.zeros((1, 1, 4))), (), 3, "M")[0][0, 0] == 0


def silent_catalogue(comes_back):
    """Every series sells for 30 months, then 30 months nothing; of some the sales come back now and then."""
    rng = np.random.default_rng(6)
    y = rng.poisson(0.6, (300, 72)).astype(float)
    for i in range(300):
        start = 20 + i % 40
        y[i, start:] = rng.poisson(0.1, 72 - start) if comes_back else 0.0
    return y


def test_what_never_came_back_is_expected_no_more():
    for comes_back in (False, True):
        y = silent_catalogue(comes_back)
        stack = views(y, (6, 9, 12))
        level = pooled.levels(stack, neutral(stack), (6, 9, 12), 6, "M")[0][0]
        silent = pooled._silent(y, "M")
        assert silent.sum() > 20
        if comes_back:
            assert 0.03 < level[silent].mean() < 0.2
        else:
            assert level[silent].max() < 0.01


def test_series_that_must_have_sold_again_to_be_in_the_catalogue_do_not_teach():
    """A catalogue of all that sold at least twice: those with a single sale at the origin were sure to sell again."""
    rng = np.random.default_rng(9)
    y = (rng.random((4000, 40)) < 0.05).astype(float)
    y = y[(y.sum(1) >= 2)]
    stack = views(y, (6, 9, 12))
    level = pooled.levels(stack, neutral(stack), (6, 9, 12), 6, "M", [2] * 4)[0].mean()
    biased = pooled.levels(stack, neutral(stack), (6, 9, 12), 6, "M", [1] * 4)[0].mean()
    assert biased > level


def test_a_steady_fall_of_all_is_sure_and_a_wavering_catalogue_is_not():
    rng = np.random.default_rng(3)
    month = np.arange(72)
    falling, wavering = 6 * 0.97**month, 4 + 2.5 * np.sin(month)
    for path, low, high in ((falling, 0.6, 1.0), (wavering, 0.0, 0.3)):
        y = rng.poisson(np.tile(path, (400, 1))).astype(float)
        stack = views(y, (6, 9, 12))
        assert low <= pooled.levels(stack, neutral(stack), (6, 9, 12), 6, "M")[1][0] <= high


def test_the_sum_follows_the_series_where_lessons_are_not_sure():
    rng = np.random.default_rng(4)
    level, single, mean = (rng.gamma(2.0, x, (2, 500)) for x in (2.0, 3.0, 4.0))
    nothing = np.zeros(mean.shape)
    free, bound = (pooled.lifted(level, np.full(2, s), single, mean, nothing) for s in (0.0, 1.0))
    np.testing.assert_array_equal(bound, level)
    between = np.sqrt(single.sum(1) * mean.sum(1))
    np.testing.assert_allclose(free.sum(1), between, rtol=0.05)  # all but what a small catalogue would keep
    np.testing.assert_allclose(free / level, (free / level)[:, :1].repeat(500, 1))  # and the shares stay


def test_bulk_orders_raise_all_of_the_catalogue_a_little():
    level = np.full((1, 400), 2.0)
    bulk = np.zeros((1, 400))
    bulk[0, 0] = 80.0  # a tenth of what all sold
    found = pooled.lifted(level, np.ones(1), level, level, bulk)
    assert 1.09 < found.sum() / level.sum() <= 1.1
    assert np.ptp(found) == 0


def test_a_lesson_tells_what_came_in_the_periods_after_its_origin():
    y = np.array([[5.0, 1, 0, 2, 7, 4, 9], [np.nan, np.nan, 3, 0, np.nan, 8, 2]])
    one = pooled._lesson(y, y, 3, 2, "W")
    np.testing.assert_array_equal(one.y, [(7 + 4) / 2, 8.0])
    np.testing.assert_array_equal(one.mean, [2.0, 1.5])
    assert one.sales.tolist() == [3, 1] and one.span.tolist() == [4, 1]


def test_a_small_catalogue_keeps_most_of_its_level():
    """Five series count for a fifth beside the twenty that each one's own level counts for."""
    level, single, mean = np.full((1, 5), 1.0), np.full((1, 5), 4.0), np.full((1, 5), 9.0)
    found = pooled.lifted(level, np.zeros(1), single, mean, np.zeros((1, 5)))
    np.testing.assert_allclose(found, 6.0 ** (5 / (5 + pooled.FEW)))
