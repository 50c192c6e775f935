"""Methods per series against published rules worked out one value at a time."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast import local

NAN = np.nan


def rows(*values):
    width = max(map(len, values))
    return np.array([[NAN] * (width - len(v)) + list(v) for v in values], float)


def ses_by_hand(values, alpha):
    level, loss = values[0], 0.0
    for value in values[1:]:
        loss += (value - level) ** 2
        level += alpha * (value - level)
    return level, loss


def croston_by_hand(values, alpha):
    """Croston 1972: size and interval are smoothed at sales only; the first sale sets both, its interval being 1."""
    size = interval = None
    gap = 1
    for value in values:
        if value > 0:
            size = value if size is None else size + alpha * (value - size)
            interval = 1 if interval is None else interval + alpha * (gap - interval)
            gap = 1
        else:
            gap += 1
    return size / interval


def tsb_by_hand(values, alpha, beta):
    size, chance = values[0], 1.0
    for value in values[1:]:
        if value > 0:
            size += alpha * (value - size)
            chance += beta * (1 - chance)
        else:
            chance += beta * (0 - chance)
    return size * chance


SPARSE = [3, 0, 0, 5, 0, 1, 0, 0, 0, 2, 4]


def test_naive_and_seasonal_naive():
    y = rows([1, 2, 3, 4, 5], [7, 8])
    assert local.naive(y, 2).tolist() == [[5, 5], [8, 8]]
    # the second history is shorter than a season of 3: its last value stands in where there is none
    assert local.seasonal_naive(y, 4, 3).tolist() == [[3, 4, 5, 3], [8, 7, 8, 8]]
    assert local.seasonal_naive(y, 2, 1).tolist() == [[5, 5], [8, 8]]


def test_seasonal_naive_looks_past_masked_values():
    y = rows([1, 2, 3, 4, NAN, NAN])
    assert local.seasonal_naive(y, 3, 3).tolist() == [[4, 2, 3]]
    assert local.naive(y, 1).tolist() == [[4]]


def test_seasonal_level_believes_half_of_a_change():
    last_year, this_year = [10.0, 20.0, 30.0], [40.0, 80.0, 120.0]
    found = local.seasonal_level(rows(last_year + this_year), 3, 3, 3)
    np.testing.assert_allclose(found, [[80, 160, 240]])  # four times last year's level: the root is 2


def test_seasonal_shift_adds_the_change_of_the_last_periods():
    y = rows([1.0, 2, 3, 11, 12, 13])
    assert local.seasonal_shift(y, 3, 3, 3).tolist() == [[21, 22, 23]]
    assert local.seasonal_shift(y, 3, 3, 1).tolist() == [[21, 22, 23]]
    assert local.seasonal_shift(rows([5.0, 6]), 2, 3, 1).tolist() == [[6, 6]]  # too short: the naive


def test_reverting_fades_to_the_mean_by_the_autocorrelation():
    y = rows([1.0, -1, 1, -1, 1, 3, 5, 4])
    base = np.mean([1, 3, 5, 4])
    rest = np.array(y[0]) - base
    fading = (rest[1:] * rest[:-1]).sum() / (rest[:-1] ** 2).sum()
    np.testing.assert_allclose(local.reverting(y, 3, 4), [base + rest[-1] * fading ** np.arange(1, 4)])


def test_window_mean_of_known_values():
    assert local.window_mean(rows([9, 1, NAN, 3]), 1, 3).tolist() == [[2]]
    assert local.window_mean(rows([9, 1, NAN, NAN]), 1, 2).tolist() == [[1]]


def test_seller_formula_on_days():
    values = np.arange(1.0, 41.0)
    found = local.seller_formula(values[None, :], np.ones(40), np.ones(2))
    expected = 0.2 * values[-30:].mean() + 0.3 * values[-15:].mean() + 0.5 * values[-7:].mean()
    np.testing.assert_allclose(found, [[expected, expected]])


def test_seller_formula_on_weeks_spreads_units_evenly_within_a_week():
    values = np.array([7.0, 14.0, 21.0, 28.0, 35.0, 42.0])
    daily = np.repeat(values / 7, 7)
    expected = 0.2 * daily[-30:].mean() + 0.3 * daily[-15:].mean() + 0.5 * daily[-7:].mean()
    np.testing.assert_allclose(
        local.seller_formula(values[None, :], np.full(6, 7.0), np.array([7.0])), [[7 * expected]]
    )


def test_seller_formula_passes_over_masked_days():
    y = np.array([[2.0] * 30 + [NAN] * 7])
    np.testing.assert_allclose(local.seller_formula(y, np.ones(37), np.ones(1)), [[2]])


@pytest.mark.parametrize("values", [[5, 7, 6, 9, 8, 12, 10], [0, 0, 3, 1, 0, 2, 5, 5], [4], [4, 4, 4]])
def test_ses_takes_the_alpha_with_the_least_squared_error(values):
    states = [ses_by_hand(values, alpha) for alpha in local.ALPHAS]
    best = min(range(len(states)), key=lambda i: states[i][1])
    np.testing.assert_allclose(local.ses(rows(values), 2), [[states[best][0]] * 2])


def test_ses_carries_its_state_over_masked_values():
    with_gap, without = rows([5, 7, NAN, NAN, 9]), rows([5, 7, 9])
    np.testing.assert_allclose(local.ses(with_gap, 1, (0.3,)), local.ses(without, 1, (0.3,)))


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_croston_sba_and_tsb(alpha):
    y = rows(SPARSE, [2, 0, 0, 0, 2])
    for row, values in enumerate((SPARSE, [2, 0, 0, 0, 2])):
        rate = croston_by_hand(values, alpha)
        assert local.croston(y, 1, alpha)[row, 0] == pytest.approx(rate)
        assert local.croston(y, 1, alpha, "sba")[row, 0] == pytest.approx(rate * (1 - alpha / 2))
        assert local.tsb(y, 1, alpha, 0.2)[row, 0] == pytest.approx(tsb_by_hand(values, alpha, 0.2))


@pytest.mark.parametrize("method", [local.croston, local.tsb])
def test_masked_periods_are_no_interval_between_sales(method):
    with_gap, without = rows([2, 0, NAN, NAN, 0, 4, NAN, 0, 3]), rows([2, 0, 0, 4, 0, 3])
    np.testing.assert_allclose(method(with_gap, 1, 0.3), method(without, 1, 0.3))


def test_croston_of_a_steady_interval_is_size_over_interval():
    y = np.tile([6.0, 0.0, 0.0], 200)[None, :]
    assert local.croston(y, 1)[0, 0] == pytest.approx(2.0)


def damped_by_hand(values, h):
    start = sum(values[min(k, len(values) - 1)] for k in range(3)) / 3
    best = None
    grid = [(a, a * b, p) for a in local.TREND_ALPHAS for b in local.TREND_BETAS for p in local.TREND_PHIS]
    for alpha, beta, phi in [*grid, *((a, 0.0, 0.0) for a in local.TREND_ALPHAS)]:
        level, trend, loss = start, 0.0, 0.0
        for value in values:
            ahead = level + phi * trend
            error = value - ahead
            loss += error**2
            level, trend = ahead + alpha * error, phi * trend + beta * error
        if best is None or loss < best[0]:
            best = (loss, [level + trend * sum(phi**j for j in range(1, k + 1)) for k in range(1, h + 1)])
    return best[1]


@pytest.mark.parametrize("values", [[3, 5, 6, 8, 11, 12, 15, 16], [9, 9, 8, 9, 10, 9, 8]])
def test_damped_trend(values):
    other = [1.0] * 12
    np.testing.assert_allclose(local.damped_trend(rows(other, values), 4)[1], damped_by_hand(values, 4))


def test_methods_take_histories_without_anything():
    y = np.full((2, 5), NAN)
    for found in (
        local.naive(y, 3),
        local.seasonal_naive(y, 3, 2),
        local.window_mean(y, 3, 4),
        local.ses(y, 3),
        local.croston(y, 3),
        local.tsb(y, 3),
        local.damped_trend(y, 3),
        local.seasonal_shift(y, 3, 2, 1),
        local.reverting(y, 3, 2),
        local.seller_formula(y, np.ones(5), np.ones(3)),
    ):
        assert found.tolist() == [[0, 0, 0], [0, 0, 0]]
