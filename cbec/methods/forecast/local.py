"""Methods per series, run over all series at once.

Every method takes histories y (N x T, right-aligned: the last column is the last known period; NaN = masked, or
before the first sale) and gives the next h periods (N x h, never negative). Recursions loop over time only.

Sources: SES and damped trend: Gardner & McKenzie 1985, Hyndman et al. 2008; Croston 1972; SBA: Syntetos & Boylan
2005; TSB: Teunter, Syntetos & Babai 2011.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Weights of the formula that sellers' tools print: 30, 15 and 7 days.
SELLER = ((30, 0.2), (15, 0.3), (7, 0.5))
ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
TREND_ALPHAS = (0.1, 0.3, 0.5, 0.8)
TREND_BETAS = (0.02, 0.1, 0.3)
TREND_PHIS = (0.85, 0.93, 0.98)


def born(y: Floats) -> NDArray[np.int64]:
    """Column of the first known period; T where there is none."""
    known = ~np.isnan(y)
    first: NDArray[np.int64] = np.where(known.any(1), known.argmax(1), y.shape[1])
    return first


def zeroed(y: Floats) -> Floats:
    """NaN as 0; nan_to_num looks for infinities too, which no history has, and takes three times as long."""
    return np.where(np.isnan(y), 0.0, y)


def carried(y: Floats) -> Floats:
    """Masked periods filled with the last known one (those before the first sale stay NaN)."""
    known = ~np.isnan(y)
    rows = np.flatnonzero((known[:, :-1] > known[:, 1:]).any(1))  # a gap after what is known: few have one
    if not rows.size:
        return y
    at = np.where(known[rows], np.arange(y.shape[1]), 0)
    np.maximum.accumulate(at, axis=1, out=at)
    out = y.copy()
    out[rows] = np.take_along_axis(y[rows], at, 1)
    return out


def last(y: Floats) -> Floats:
    """The last known value (N); 0 where there is none."""
    if y.shape[1] == 0:
        return np.zeros(len(y))
    out = y[:, -1].copy()
    rows = np.flatnonzero(np.isnan(out))  # few are masked in the last period
    back = (~np.isnan(y[rows, ::-1])).argmax(1)
    out[rows] = np.nan_to_num(y[rows, y.shape[1] - 1 - back])
    return out


def naive(y: Floats, h: int) -> Floats:
    """The last known value."""
    return np.repeat(last(y)[:, None], h, 1)


def seasonal_naive(y: Floats, h: int, season: int) -> Floats:
    """The last known value of the same season; where the history is shorter than a season, the last known value."""
    width = y.shape[1]
    out = naive(y, h)
    if season <= 1 or width < season:
        return out
    block = y[:, width % season :].reshape(len(y), -1, season)
    latest = np.full((len(y), season), np.nan)
    for back in range(block.shape[1]):
        latest = np.where(np.isnan(block[:, back]), latest, block[:, back])
    ahead = latest[:, np.arange(h) % season]
    return np.where(np.isnan(ahead), out, ahead)


def seasonal_level(y: Floats, h: int, season: int, window: int) -> Floats:
    """The seasonal naive times the root of this year's level over last year's (the last `window` periods of each).

    The root is a change half believed. The ratio is held within 1/4 and 4; where either year is not known it is 1.
    """
    width = y.shape[1]
    out = seasonal_naive(y, h, season)
    if season <= 1 or width < season + window:
        return out
    now, then = y[:, width - window :], y[:, width - season - window : width - season]
    both = ~np.isnan(now) & ~np.isnan(then)
    upper, lower = np.where(both, now, 0.0).sum(1), np.where(both, then, 0.0).sum(1)
    fair = (upper > 0) & (lower > 0)
    ratio = np.where(fair, upper / np.where(fair, lower, 1.0), 1.0)
    return np.asarray(out * np.sqrt(np.clip(ratio, 0.25, 4.0))[:, None])


def seasonal_shift(y: Floats, h: int, season: int, window: int) -> Floats:
    """The seasonal naive plus what the mean of the last `window` periods is above that of a season ago."""
    width = y.shape[1]
    out = seasonal_naive(y, h, season)
    if width < season + window:
        return out
    now, then = y[:, width - window :], y[:, width - season - window : width - season]
    both = ~np.isnan(now) & ~np.isnan(then)
    change = np.where(both, now - np.nan_to_num(then), 0.0).sum(1) / np.maximum(both.sum(1), 1)
    return np.asarray(np.maximum(out + change[:, None], 0.0))


def reverting(y: Floats, h: int, window: int) -> Floats:
    """The mean of the last `window` periods, and the last value's distance from it fading by its autocorrelation."""
    base = window_mean(y, 1, window)
    rest = np.nan_to_num(y[:, -2 * window :] - base)
    power = np.einsum("it,it->i", rest[:, :-1], rest[:, :-1])
    fading = np.einsum("it,it->i", rest[:, 1:], rest[:, :-1]) / np.where(power > 0, power, 1.0)
    off = last(y)[:, None] - base
    return np.asarray(base + off * np.clip(fading, 0.0, 0.99)[:, None] ** np.arange(1, h + 1))


def window_mean(y: Floats, h: int, window: int) -> Floats:
    """Mean of the known ones among the last `window` periods; the last known value where none is."""
    part = y[:, -window:]
    known = ~np.isnan(part)
    count = known.sum(1)
    mean = np.where(known, part, 0.0).sum(1) / np.maximum(count, 1)
    level = np.where(count > 0, mean, last(y))
    return np.repeat(level[:, None], h, 1)


def daily_mean(y: Floats, days: Floats, window: float) -> Floats:
    """Mean units per day over the last `window` days, periods taken as even within; NaN where nothing is known.

    y: N x T; days: length of each of the T periods.
    """
    upto = np.cumsum(days[::-1])[::-1]  # days from the start of each period to the end
    share = np.clip((window - (upto - days)) / days, 0.0, 1.0)
    used = int((share > 0).sum())
    if used == 0:
        return np.full(len(y), np.nan)
    part, weight = y[:, -used:], (share * days)[-used:]
    known = ~np.isnan(part)
    covered = (known * weight).sum(1)
    rate = np.where(known, part, 0.0) * (weight / days[-used:])
    return np.where(covered > 0, rate.sum(1) / np.where(covered > 0, covered, 1.0), np.nan)


def seller_formula(y: Floats, days: Floats, ahead: Floats) -> Floats:
    """0.2 x 30-day + 0.3 x 15-day + 0.5 x 7-day mean units per day, times the days of each coming period.

    Where a window has no known day, the next longer one stands in; else the last known period. days: of the T
    periods; ahead: days of the h coming periods.
    """
    stand_in = last(y) / (days[-1] if len(days) else 1.0)
    total = np.zeros(len(y))
    for window, weight in SELLER:
        mean = daily_mean(y, days, window)
        stand_in = np.where(np.isnan(mean), stand_in, mean)
        total += weight * stand_in
    return np.asarray(total[:, None] * ahead[None, :])


def ses(y: Floats, h: int, alphas: tuple[float, ...] = ALPHAS) -> Floats:
    """Simple exponential smoothing; alpha of each series by the squared one-step errors. Starts at the first value."""
    grid = np.array(alphas)[:, None]
    first = born(y)
    level = np.zeros((len(alphas), len(y)))
    loss = np.zeros_like(level)
    for t in range(int(first.min(initial=y.shape[1])), y.shape[1]):
        now = y[:, t]
        known = ~np.isnan(now)
        error = np.where(known, now - level, 0.0)
        starts = first == t
        loss += np.where(starts, 0.0, error * error)
        level += np.where(starts, 1.0, grid) * error
    best = loss.argmin(0)
    return np.repeat(np.maximum(level[best, np.arange(len(y))], 0.0)[:, None], h, 1)


def croston(y: Floats, h: int, alpha: float = 0.1, variant: str = "croston") -> Floats:
    """Croston's method: sizes and intervals smoothed apart, updated at sales only.

    variant: croston, or sba (times 1 - alpha/2 against its bias). Starts at the first size with interval 1 (the
    series begin with a sale). Masked periods neither count nor update.
    """
    size, interval, gap = _croston_states(y, alpha)
    del gap
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(interval > 0, size / interval, 0.0)
    if variant == "sba":
        rate = rate * (1 - alpha / 2)
    return np.repeat(rate[:, None], h, 1)


def _croston_states(y: Floats, alpha: float) -> tuple[Floats, Floats, Floats]:
    size, interval, gap = np.zeros(len(y)), np.zeros(len(y)), np.ones(len(y))
    for t in range(y.shape[1]):
        now = y[:, t]
        known = ~np.isnan(now)
        sale = known & (now > 0)
        fresh = sale & (interval == 0)
        rate = np.where(fresh, 1.0, alpha)
        size = np.where(sale, size + rate * (now - size), size)
        interval = np.where(sale, interval + rate * (np.where(fresh, 1.0, gap) - interval), interval)
        gap = np.where(sale, 1.0, gap + known)
    return size, interval, gap


def tsb(y: Floats, h: int, alpha: float = 0.1, beta: float = 0.1) -> Floats:
    """Teunter-Syntetos-Babai: the chance of a sale is smoothed in every period, so that dying items fall to 0."""
    first = born(y)
    size, chance = np.zeros(len(y)), np.zeros(len(y))
    for t in range(int(first.min(initial=y.shape[1])), y.shape[1]):
        now = y[:, t]
        known = ~np.isnan(now)
        sale = known & (now > 0)
        starts = first == t
        size = np.where(sale, size + np.where(starts | (size == 0), 1.0, alpha) * (now - size), size)
        chance = np.where(known, chance + np.where(starts, 1.0, beta) * (sale - chance), chance)
    return np.repeat((size * chance)[:, None], h, 1)


def damped_trend(y: Floats, h: int) -> Floats:
    """Holt's method with a damped trend: the best of 36 settings and of plain smoothing at 4 alphas by one-step errors.

    The level starts at the mean of the first three values. Not clipped at 0.
    """
    grid = [(a, a * b, phi) for a in TREND_ALPHAS for b in TREND_BETAS for phi in TREND_PHIS]
    grid += [(a, 0.0, 0.0) for a in TREND_ALPHAS]
    alpha, beta, phi = (np.array(v)[:, None] for v in zip(*grid, strict=True))
    count, width = y.shape
    order = np.argsort(born(y), kind="stable")  # oldest first: the living ones are a leading slice
    first = born(y)[order]
    missing = np.isnan(y[order].T)
    value = np.ascontiguousarray(zeroed(carried(y)[order].T))
    start = sum(value[np.minimum(first + k, width - 1), np.arange(count)] for k in range(3)) / 3
    level = np.repeat(start[None, :], len(grid), 0)
    trend, loss = np.zeros_like(level), np.zeros_like(level)
    for t in range(int(first.min(initial=width)), width):
        live = int(np.searchsorted(first, t, side="right"))
        lev, slope = level[:, :live], trend[:, :live]
        slope *= phi
        lev += slope
        error = value[t, :live] - lev
        if missing[t, :live].any():
            error[:, missing[t, :live]] = 0.0
        loss[:, :live] += error * error
        lev += alpha * error
        slope += beta * error
    best, series = loss.argmin(0), np.arange(count)
    base, slope, fading = level[best, series], trend[best, series], phi[best, 0]
    out = np.empty((count, h))
    fade = np.ones(count)
    for k in range(h):
        fade = fade * fading
        base = base + fade * slope
        out[order, k] = base
    return out


def akaike(loss: Floats, seen: Floats) -> Floats:
    """Weights exp(-AIC/2) of settings (rows) with the same number of parameters, by their squared errors per series."""
    floor = 1e-12 * loss.max(0) + 1e-300
    fit = np.log(np.maximum(loss, floor)) * (seen / 2)
    share = np.exp(fit.min(0) - fit)
    return np.asarray(share / share.sum(0))
