"""The variance of a log rate over the next h fixings: five plain estimates and their geometric mean.

EWMA with decay .94 and .97 (RiskMetrics 1996), the mean square of 250 days, GARCH(1,1) of Bollerslev (1986) with
variance targeting, and HAR of Corsi (2009) on squared returns. On exchange rates no single one beats EWMA .97, while
their mean of logs beats each (QLIKE of Patton 2011; bench/fx.py measures it). Everything at index t uses fixings up
to t only, and is the variance of the sum of the returns t+1..t+h.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]

#: Fixings before the first estimate is taken seriously.
WARM = 125
DECAYS = (0.94, 0.97)
ROLLING, WINDOW = 250, 1000
#: Least number of squared returns (or pairs) behind a fitted parameter.
ENOUGH = 250
#: GARCH parameters tried: persistence a + b, and the weight a of the last squared return.
PERSISTENCE = (0.90, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
REACTION = (0.02, 0.04, 0.06, 0.09, 0.13, 0.18)
#: A pegged rate has no variance to take the logarithm of; this is a daily deviation of 0.0001 %.
FLOOR = 1e-12


def variances(logs: Floats, horizons: Iterable[int]) -> dict[int, Floats]:
    """Combined variance by horizon, shape as `logs` (n fixings); NaN before WARM fixings.

    Estimates that have too few data yet (GARCH, HAR: 250 squared returns) are left out of the mean.
    """
    parts = estimates(logs, tuple(horizons))
    made = {}
    for h in next(iter(parts.values())):
        stacked = np.log(np.maximum(np.stack([part[h] for part in parts.values()]), FLOOR * h))
        known = np.isfinite(stacked)
        mean = np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        made[h] = np.where(known.any(axis=0), np.exp(mean), np.nan)
    return made


def estimates(logs: Floats, horizons: tuple[int, ...]) -> dict[str, dict[int, Floats]]:
    """Each estimate of `variances` by name and horizon; NaN where it has too few data."""
    squares = np.diff(logs, prepend=logs[:1]) ** 2
    rolling, target = _mean(squares, ROLLING), _mean(squares, WINDOW)
    made = {f"ewma{int(100 * d)}": {h: h * _ewma(squares, d) for h in horizons} for d in DECAYS}
    made["rolling"] = {h: h * rolling for h in horizons}
    made["garch"] = _garch(squares, target, horizons)
    made["har"] = _har(squares, horizons)
    for by_horizon in made.values():
        for values in by_horizon.values():
            values[:WARM] = np.nan
    return made


def _mean(x: Floats, window: int) -> Floats:
    """Mean of the last `window` returns up to each day (fewer at the start). x[0] is no return."""
    total = np.concatenate([[0.0], np.cumsum(x)])
    at = np.arange(1, len(x) + 1)
    begin = np.maximum(at - window, 1)
    mean: Floats = (total[at] - total[begin]) / np.maximum(at - begin, 1)
    return mean


def _ewma(x: Floats, decay: float) -> Floats:
    """s[t] = decay s[t-1] + (1 - decay) x[t], started at the mean of the first 60 squared returns."""
    start = x[1:61].mean() if len(x) > 1 else 0.0
    smooth, _ = lfilter([1 - decay], [1, -decay], x[1:], zi=np.array([decay * start]))
    return np.concatenate([[start], smooth])


def _garch(x: Floats, target: Floats, horizons: tuple[int, ...]) -> dict[int, Floats]:
    """GARCH(1,1), s[t] = (1 - a - b) target[t] + a x[t] + b s[t-1], the target being the mean of 1000 squared returns.

    Quasi-likelihood over a grid instead of an optimiser: nothing fails to converge, and all windows are had at once
    from running sums. Every parameter pair counts by its likelihood over the last 1000 days, in which the best one
    carries nearly all of the weight. Over h days: h target + (1 - p^h) / (1 - p) (s - target), p = a + b.
    """
    grid = [(a, p) for p in PERSISTENCE for a in REACTION if a < p]
    state = np.empty((len(grid), len(x)))
    for k, (a, p) in enumerate(grid):
        drive = (1 - p) * target + a * x
        state[k], _ = lfilter([1.0], [1.0, -(p - a)], drive, zi=np.array([(p - a) * target[: ENOUGH + 1].mean()]))
    state = np.maximum(state, FLOOR)
    # Minus twice the Gaussian log likelihood of each day, by what was known the day before.
    loss = np.concatenate([np.zeros((len(grid), 1)), np.log(state[:, :-1]) + x[1:] / state[:, :-1]], axis=1)
    total = np.concatenate([np.zeros((len(grid), 1)), np.cumsum(loss, axis=1)], axis=1)
    at = np.arange(len(x))
    recent = total[:, at + 1] - total[:, np.maximum(at + 1 - WINDOW, 1)]
    weight = np.exp(-0.5 * (recent - recent.min(axis=0)))
    weight /= weight.sum(axis=0)
    persistence = np.array([p for _, p in grid])[:, None]
    made = {}
    for h in horizons:
        ahead = h * target + (1 - persistence**h) / (1 - persistence) * (state - target)
        made[h] = np.where(at >= ENOUGH, (weight * ahead).sum(axis=0), np.nan)
    return made


def _har(x: Floats, horizons: tuple[int, ...]) -> dict[int, Floats]:
    """Least squares of the next h squared returns on those of the last day, 5 days and 22 days, over 1000 pairs.

    Only pairs whose h days are over enter. A forecast is at least 15 % of the mean of its window.
    """
    n = len(x)
    features = np.column_stack([np.ones(n), x, _mean(x, 5), _mean(x, 22)])
    total = np.concatenate([[0.0], np.cumsum(x)])
    at = np.arange(n)
    squared = np.concatenate([np.zeros((1, 4, 4)), np.cumsum(features[:, :, None] * features[:, None, :], axis=0)])
    made = {}
    for h in horizons:
        outcome = np.zeros(n)
        if n > h:
            outcome[: n - h] = total[h + 1 :] - total[1 : n - h + 1]
        crossed = np.concatenate([np.zeros((1, 4)), np.cumsum(features * outcome[:, None], axis=0)])
        end = np.maximum(at - h + 1, 0)  # pairs before it are over
        begin = np.minimum(np.maximum(end - WINDOW, 22), end)
        enough = end - begin >= ENOUGH
        made[h] = np.full(n, np.nan)
        if enough.any():
            e, b = end[enough], begin[enough]
            right = crossed[e] - crossed[b]
            fitted = (features[enough] * solve(squared[e] - squared[b], right)).sum(axis=1)
            made[h][enough] = np.maximum(fitted, 0.15 * right[:, 0] / (e - b))
    return made


def solve(left: Floats, right: Floats) -> Floats:
    """Normal equations, many at once, scaled to a unit diagonal; the ridge of 1e-8 only saves rates that never move."""
    scale = np.sqrt(np.maximum(np.einsum("tii->ti", left), 1e-300))
    scaled = left / (scale[:, :, None] * scale[:, None, :]) + 1e-8 * np.eye(left.shape[1])
    solved: Floats = np.linalg.solve(scaled, (right / scale)[:, :, None])[:, :, 0] / scale
    return solved
