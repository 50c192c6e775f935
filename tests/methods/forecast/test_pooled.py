"""Levels learnt over the catalogue."""

from __future__ import annotations

import numpy as np

from cbec.methods.forecast import pooled, seasonal
from cbec.methods.forecast.select import views


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
    found = pooled.levels(stack, neutral(stack), back, 30, "D")
    assert found.shape == (4, 400)
    assert abs(found[0].sum() / rate.sum() - 1) < 0.03
    assert np.corrcoef(found[0], rate)[0, 1] > 0.95


def test_bulk_orders_that_never_come_again_are_not_carried_on():
    y, rate = catalogue(400, 200)
    y[:50, -5] += 500
    stack = views(y, (30, 45, 60))
    level = pooled.levels(stack, neutral(stack), (30, 45, 60), 30, "D")[0]
    plain = y[:, -30:].mean(1)
    assert np.abs(level[:50] - rate[:50]).mean() < 0.6 * np.abs(plain[:50] - rate[:50]).mean()


def test_an_origin_learns_from_what_was_over_by_then():
    y, _ = catalogue(100, 200)
    changed = y.copy()
    changed[:, -30:] *= 50
    back = (30, 45, 60)
    one, two = (pooled.levels(views(x, back), neutral(views(x, back)), back, 30, "D") for x in (y, changed))
    np.testing.assert_array_equal(one[1:], two[1:])
    assert (one[0] != two[0]).any()


def test_too_short_to_learn_gives_the_prior():
    y = np.array([[2.0]])
    stack = views(y, ())
    assert pooled.levels(stack, neutral(stack), (), 30, "D")[0, 0] == 2.0
    assert pooled.levels(np.full((1, 1, 4), np.nan), neutral(np.zeros((1, 1, 4))), (), 3, "M")[0, 0] == 0


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
        level = pooled.levels(stack, neutral(stack), (6, 9, 12), 6, "M")[0]
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
    level = pooled.levels(stack, neutral(stack), (6, 9, 12), 6, "M", 2)[0].mean()
    biased = pooled.levels(stack, neutral(stack), (6, 9, 12), 6, "M", 1)[0].mean()
    assert biased > level
