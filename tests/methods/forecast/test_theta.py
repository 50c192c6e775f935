"""Theta against the model's equations run one value at a time."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast.theta import DAMPING, of_logarithms, of_means, theta

NAN = np.nan
SERIES = [112.0, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170]


def by_hand(values, alpha, omega, h, damping=1.0):
    """Fiorucci et al. 2016, equations of the dynamic optimised Theta model with the level starting at y1 / 2."""
    level, mean, intercept, slope = values[0] / 2, 0.0, 0.0, 0.0
    errors, out = [], []
    known = list(values)
    for t in range(1, len(values) + h + 1):
        line = (1 - alpha) ** (t - 1) * intercept + (1 - (1 - alpha) ** t) / alpha * slope
        ahead = level + omega * line
        if t > len(known):
            known.append(ahead)
            out.append(ahead)
        elif t > 1:
            errors.append(known[t - 1] - ahead)
        now = known[t - 1]
        level += alpha * (now - level)
        slope = 0.0 if t == 1 else ((t - 2) * slope + 6 * (now - mean) / t) / (t + 1)
        mean += (now - mean) / t
        intercept = mean - slope * (t + 1) / 2
    total, steps = out[0], [out[0]]
    for k in range(1, h):
        total += damping**k * (out[k] - out[k - 1])
        steps.append(total)
    return steps, float(np.mean(np.square(errors)))


def right(*series):
    width = max(map(len, series))
    return np.array([[NAN] * (width - len(s)) + list(s) for s in series], float)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("omega", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("damping", [1.0, 0.9])
def test_forecast_and_error_for_given_parameters(alpha, omega, damping):
    made, mse = theta(right(SERIES * 2, SERIES), 6, omega=omega, alphas=(alpha,), damping=damping)
    expected, error = by_hand(SERIES, alpha, omega, 6, damping)
    np.testing.assert_allclose(made[1], expected)
    assert mse[1] == pytest.approx(error)


@pytest.mark.parametrize("alpha", [0.2, 0.6])
def test_the_closed_form_finds_the_best_omega(alpha):
    _, mse = theta(right(SERIES), 1, alphas=(alpha,))
    tried = [by_hand(SERIES, alpha, w, 1)[1] for w in np.linspace(0, 1, 101)]
    assert mse[0] <= min(tried) + 1e-9
    assert mse[0] == pytest.approx(min(tried), rel=1e-3)


def test_without_averaging_the_best_alpha_is_taken():
    made, mse = theta(right(SERIES), 3, average=False)
    each = [theta(right(SERIES), 3, alphas=(a,)) for a in (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)]
    best = min(each, key=lambda m: m[1][0])
    np.testing.assert_allclose(made, best[0])
    np.testing.assert_allclose(mse, best[1])


def test_series_do_not_touch_each_other():
    together = theta(right(SERIES, SERIES[:7], SERIES[3:11], [5.0]), 4)[0]
    for row, series in enumerate((SERIES, SERIES[:7], SERIES[3:11], [5.0])):
        np.testing.assert_allclose(together[row], theta(right(series), 4)[0][0])


def test_a_straight_line_goes_on():
    line = np.arange(1.0, 41.0)
    made, _ = theta(line[None, :], 3, damping=1.0)
    np.testing.assert_allclose(made[0], [41, 42, 43], rtol=0.02)


def test_masked_values_say_nothing_and_the_state_goes_on():
    gap = list(SERIES)
    gap[8] = gap[9] = NAN
    made, mse = theta(right(gap), 4)
    whole, _ = theta(right(SERIES), 4)
    assert np.isfinite(made).all() and np.isfinite(mse).all()
    np.testing.assert_allclose(made, whole, rtol=0.15)


def test_histories_of_no_or_one_value():
    made, mse = theta(np.array([[NAN, NAN, NAN], [NAN, NAN, 4.0]]), 2)
    assert made[0].tolist() == [0, 0]
    assert np.isfinite(made[1]).all()
    assert np.isnan(mse[0]) and np.isnan(mse[1])


def test_logarithms_only_where_every_value_is_positive():
    y = right([1.0, 2, 4, 8, 16, 32, 64], [1.0, 0, 2, 3, 1, 0, 5])
    otherwise = np.full((2, 3), -1.0)
    found = of_logarithms(y, otherwise, 12)
    assert found[1].tolist() == [-1, -1, -1]
    assert found[0, 0] > 64
    assert (found[0] <= 5 * 64 + 1e-9).all()


@pytest.mark.parametrize("shape", [1.0, 4.0])
def test_forecasts_of_logarithms_are_means_not_medians(shape):
    """Noise that exponentials would turn into a geometric mean, 44 % (12 %) below, over many series."""
    y = np.random.default_rng(3).gamma(shape, 10 / shape, (2000, 40))
    found = of_logarithms(y, np.zeros((2000, 6)), 12)
    assert abs(found.mean() / 10 - 1) < 0.02
    masked = y.copy()
    masked[:, -12:] = NAN
    assert np.isfinite(of_logarithms(masked, np.zeros((2000, 6)), 12)).all()


def test_means_of_three_go_on_where_the_line_of_their_means_leads():
    """Worked by hand: blocks end with the history, forecasts lie on lines between the middles of blocks."""
    y = right([0.0, *range(1, 31)])
    blocks = np.append(0.0, np.arange(2.0, 30.0, 3))  # means of (0), (1, 2, 3), (4, 5, 6) ...
    ahead = theta(blocks[None, :], 3, damping=DAMPING**3)[0][0]
    found = of_means(y, 6, 3)[0]
    points = [blocks[-1], *ahead]
    expected = np.interp(np.arange(1, 7), [-1, 2, 5, 8], points)
    np.testing.assert_allclose(found, expected)


def test_means_of_short_or_masked_histories():
    found = of_means(np.array([[NAN, NAN, NAN, 4.0], [NAN, 1.0, 2.0, 3.0]]), 5, 3)
    assert np.isfinite(found).all() and (found > 0).all()
    assert np.isfinite(of_means(np.array([[5.0, 6.0]]), 4, 3)).all()
