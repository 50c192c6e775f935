"""Theta models over all series at once.

The dynamic optimised Theta model (Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler 2016): a level smoothed with
alpha, plus omega = 1 - 1/theta times a regression line that is updated with every value. Given alpha, one-step errors
are linear in omega, so that its least-squares value has a closed form and only alpha needs a grid. Forecasts of the
grid are averaged with Akaike weights instead of taking the best alpha alone. theta = 2 (omega = 1/2) is the standard
Theta method of Assimakopoulos & Nikolopoulos 2000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast.local import akaike, born, carried, last, zeroed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ALPHAS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
#: Damping of the forecasts' slope per period: trends of demand fade (Gardner & McKenzie 1985).
DAMPING = 0.985


def theta(
    y: Floats,
    h: int,
    *,
    omega: float | None = None,
    alphas: tuple[float, ...] = ALPHAS,
    damping: float = DAMPING,
    average: bool = True,
) -> tuple[Floats, Floats]:
    """Forecast N x h of seasonally adjusted histories y (N x T, right-aligned, NaN = masked or not yet born).

    omega: None = least squares within 0..1 per series; 0.5 = the standard Theta method; 0 = simple smoothing.
    average: Akaike weights over the alphas, else the best alpha alone. The level starts at half the first value
    (as in the authors' program). Not clipped at 0.
    Returns the forecast and the mean squared one-step error (N; NaN with fewer than two known periods).
    """
    count, width = y.shape
    order = np.argsort(born(y), kind="stable")  # oldest first: the living ones are a leading slice
    first = born(y)[order]
    known = ~np.isnan(y[order].T)
    filled = np.ascontiguousarray(zeroed(carried(y)[order].T))
    a = np.array(alphas)[:, None]
    grid = len(alphas)
    level, decay = np.zeros((grid, count)), np.ones((grid, count))
    line_a, line_b, mean = np.zeros(count), np.zeros(count), np.zeros(count)
    ee, ed, dd = np.zeros((grid, count)), np.zeros((grid, count)), np.zeros((grid, count))
    seen = np.zeros(count)
    begin = int(first.min(initial=width))
    for t in range(begin, width):
        live = int(np.searchsorted(first, t, side="right"))
        now = filled[t, :live]
        newborn = first[:live] == t
        if newborn.any():
            level[:, :live][:, newborn] = now[newborn] / 2
        masked = not known[t, :live].all()
        use = (known[t, :live] & ~newborn).astype(np.float64) if masked or newborn.any() else None
        lev, dec = level[:, :live], decay[:, :live]
        line = dec * line_a[:live] + (1 - dec * (1 - a)) / a * line_b[:live]
        error = now - lev
        if use is not None:
            line, error_used = line * use, error * use
        else:
            error_used = error
        ee[:, :live] += error_used * error_used
        ed[:, :live] += error_used * line
        dd[:, :live] += line * line
        if use is not None:
            seen[:live] += use
        else:
            seen[:live] += 1
        lev += a * (error * known[t, :live] if masked else error)
        dec *= 1 - a
        _regress(line_a[:live], line_b[:live], mean[:live], now, (t - first[:live] + 1).astype(np.float64))
    weight = np.full((grid, count), omega if omega is not None else 0.0)
    if omega is None:
        weight = np.clip(ed / np.where(dd > 0, dd, 1.0), 0.0, 1.0)
    loss = np.maximum(ee - 2 * weight * ed + weight * weight * dd, 0.0)
    share = akaike(loss, seen) if average else (np.arange(grid)[:, None] == loss.argmin(0)).astype(np.float64)
    sorted_out = _ahead(level, decay, weight, share, a, line_a, line_b, mean, width - first, h, damping)
    out, mse = np.empty((count, h)), np.empty(count)
    out[order] = sorted_out
    mse[order] = np.where(seen > 0, (share * loss).sum(0) / np.maximum(seen, 1), np.nan)
    return out, mse


def of_logarithms(y: Floats, otherwise: Floats, window: int) -> Floats:
    """The same method on logarithms (growth in percent) for histories without a value at or below 0, else `otherwise`.

    What comes back from logarithms is a median; it is raised to a mean by the arithmetic over the geometric mean of the last
    `window` values (a smearing factor: Duan 1983). Held under five times the highest value, since exponentials run away.
    """
    h = otherwise.shape[1]
    known = ~np.isnan(y)
    rows = np.flatnonzero((np.where(known, y, np.inf).min(1, initial=np.inf) > 0) & known.any(1))
    out = otherwise.copy()
    if rows.size:
        logs = np.log(y[rows])
        ceiling = np.log(5.0) + np.where(known[rows], logs, -np.inf).max(1, keepdims=True)
        late, told = logs[:, -window:], known[rows, -window:]
        number = np.maximum(told.sum(1), 1)
        smear = (
            np.where(told, y[rows, -window:], 0.0).sum(1) / number / np.exp(np.where(told, late, 0.0).sum(1) / number)
        )
        raised = theta(logs, h)[0] + np.log(np.where(told.any(1), smear, 1.0))[:, None]
        out[rows] = np.exp(np.minimum(raised, ceiling))
    return out


def of_means(y: Floats, h: int, k: int) -> Floats:
    """The same method on means of k periods each (the last block ends with the history, of the first only a part may
    be known), on straight lines between them.

    Less noise and a longer view of the trend (temporal aggregation: Kourentzes, Petropoulos & Trapero 2014). Not clipped.
    """
    blocks = np.pad(y, ((0, 0), (-y.shape[1] % k, 0)), constant_values=np.nan).reshape(len(y), -1, k)
    there = ~np.isnan(blocks)
    count = there.sum(2)
    means = np.where(count > 0, np.where(there, blocks, 0.0).sum(2) / np.maximum(count, 1), np.nan)
    ahead = theta(means, -(-h // k) + 1, damping=DAMPING**k)[0]
    known = last(means)[:, None]
    points = np.concatenate([known, ahead], 1)
    place = (np.arange(1, h + 1) + (k - 1) / 2) / k  # periods ahead, in blocks since the middle of the last known one
    left = np.minimum(place.astype(np.int64), points.shape[1] - 2)
    share = place - left
    return np.asarray(points[:, left] * (1 - share) + points[:, left + 1] * share)


def _regress(line_a: Floats, line_b: Floats, mean: Floats, now: Floats, t: Floats) -> None:
    """Update the regression line of the values 1..t in place: intercept, slope, mean."""
    slope = ((t - 2) * line_b + 6 * (now - mean) / t) / (t + 1)
    slope[t == 1] = 0.0
    mean += (now - mean) / t
    line_b[:] = slope
    line_a[:] = mean - slope * (t + 1) / 2


def _ahead(
    level: Floats,
    decay: Floats,
    weight: Floats,
    share: Floats,
    a: Floats,
    line_a: Floats,
    line_b: Floats,
    mean: Floats,
    life: NDArray[np.int64],
    h: int,
    damping: float,
) -> Floats:
    """h steps: each forecast stands in for the value that is not there yet; the slope is damped."""
    grid, count = level.shape
    line_a, line_b, mean = (np.repeat(x[None, :], grid, 0) for x in (line_a, line_b, mean))
    t = life.astype(np.float64)
    out = np.empty((count, h))
    before = total = np.zeros(count)
    fade = 1.0
    for k in range(h):
        step = level + weight * (decay * line_a + (1 - decay * (1 - a)) / a * line_b)
        now = (share * step).sum(0)
        total = now if k == 0 else total + fade * (now - before)
        out[:, k], before, fade = total, now, fade * damping
        level = level + a * (step - level)
        decay = decay * (1 - a)
        t = t + 1
        for g in range(grid):
            _regress(line_a[g], line_b[g], mean[g], step[g], t)
    return out
