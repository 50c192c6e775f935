"""Where the distribution of a rate is centred: no change, unless something has beaten no change beyond doubt.

Two predictive models stand ready, both least squares on the last 1000 pairs that are over, weighted by the inverse of
the variance known at the time: `autoregression` (on the last five returns) and `reversion` (on the distance of the
rate from its means of 20 and 120 fixings; a negative weight pulls back, a positive one follows the trend). On real
exchange rates neither beats no change (Meese and Rogoff 1983, Rossi 2013, bench/fx.py), and neither is used then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from cbec.methods.fx.volatility import ENOUGH, WARM, WINDOW, solve

Floats = NDArray[np.float64]

#: A model is used when it beats no change at this level; two models are tried, so each is held to half of it.
LEVEL = 0.01
#: The test compares means of blocks, so that outcomes that overlap do not count twice; a block holds two horizons.
SHORTEST_BLOCK, FEWEST_BLOCKS = 20, 12
MODELS = ("autoregression", "reversion")


@dataclass(frozen=True)
class Centre:
    """Expected log change over h fixings, as said at each fixing.

    change: of the procedure (0 where no model was in use); model: 0 = no change, k = MODELS[k - 1]; outcome: what
    came (NaN where it is not over); p_value, gain: of the better model's test at each fixing, and its mean squared
    error over that of no change there (NaN where there is no record yet).
    """

    change: Floats
    model: NDArray[np.int8]
    outcome: Floats
    p_value: Floats
    gain: Floats
    best: NDArray[np.int8]


def centre(logs: Floats, variance: Floats, h: int) -> Centre:
    """The procedure at every fixing: the model whose record up to that fixing beats no change, or none.

    logs: (n,) log rates; variance: (n,) of the next h returns together, as known at each fixing (NaN before WARM).
    Everything at index t uses fixings up to t only.
    """
    n = len(logs)
    outcome = np.full(n, np.nan)
    if n > h:
        outcome[: n - h] = logs[h:] - logs[: n - h]
    # A rate that stands still has no variance to weigh by; no model is needed for it either.
    weight = 1 / np.where(np.isfinite(variance), np.maximum(variance, 1e-12), np.inf)
    change, model = np.zeros(n), np.zeros(n, np.int8)
    p_value, gain, best = np.ones(n), np.full(n, np.nan), np.zeros(n, np.int8)
    for k, features in enumerate((_returns(logs), _distances(logs)), 1):
        said = _fitted(features, outcome, weight, h)
        p, ratio = _record(said, outcome, weight, h)
        better = p < p_value
        p_value, best = np.where(better, p, p_value), np.where(better, k, best).astype(np.int8)
        gain = np.where(better, ratio, gain)
        used = better & (p < LEVEL / len(MODELS))
        change, model = np.where(used, said, change), np.where(used, k, model).astype(np.int8)
    return Centre(change, model, outcome, p_value, gain, best)


def _returns(logs: Floats) -> Floats:
    """The last return, the one before, and the sum of the three before that."""
    r = np.diff(logs, prepend=logs[:1])
    lag = [np.concatenate([np.zeros(min(k, len(r))), r[: max(len(r) - k, 0)]]) for k in range(5)]
    return np.column_stack([lag[0], lag[1], lag[2] + lag[3] + lag[4]])


def _distances(logs: Floats) -> Floats:
    """Distance from the mean of the last 20 and 120 fixings."""
    total = np.concatenate([[0.0], np.cumsum(logs - logs[0])])
    at = np.arange(1, len(logs) + 1)
    means = [(total[at] - total[np.maximum(at - k, 0)]) / np.minimum(at, k) for k in (20, 120)]
    return np.column_stack([logs - logs[0] - m for m in means])


def _fitted(features: Floats, outcome: Floats, weight: Floats, h: int) -> Floats:
    """Forecast at each fixing from the last WINDOW pairs that are over (NaN with fewer than ENOUGH)."""
    n, k = features.shape
    weighted = features * weight[:, None]
    left = np.concatenate([np.zeros((1, k, k)), np.cumsum(weighted[:, :, None] * features[:, None, :], axis=0)])
    right = np.concatenate([np.zeros((1, k)), np.cumsum(weighted * np.nan_to_num(outcome)[:, None], axis=0)])
    end = np.maximum(np.arange(n) - h + 1, 0)
    begin = np.minimum(np.maximum(end - WINDOW, WARM), end)
    enough = end - begin >= ENOUGH
    said = np.full(n, np.nan)
    if enough.any():
        e, b = end[enough], begin[enough]
        said[enough] = (features[enough] * solve(left[e] - left[b], right[e] - right[b])).sum(axis=1)
    return said


def _record(said: Floats, outcome: Floats, weight: Floats, h: int) -> tuple[Floats, Floats]:
    """p-value (one-sided) that the model is no better than no change, and the ratio of mean squared errors.

    Differences of squared errors over the variance known at the time (Diebold and Mariano 1995), averaged over
    blocks; the t-test on block means needs no estimate of their correlation (Ibragimov and Mueller 2010). At each
    fixing the last WINDOW forecasts count of which the outcome is known.
    """
    n = len(said)
    known = np.isfinite(said) & np.isfinite(outcome)
    plain = np.where(known, outcome**2 * weight, 0.0)
    worse = np.where(known, (outcome - said) ** 2 * weight - plain, 0.0)
    first = int(np.argmax(known)) if known.any() else n
    block = max(2 * h, SHORTEST_BLOCK)
    most = max(WINDOW // block, FEWEST_BLOCKS)
    end = np.arange(n) - h + 1
    blocks = np.clip((end - first) // block, 0, most)
    totals = [np.concatenate([[0.0], np.cumsum(x)]) for x in (worse, plain)]
    sums = np.zeros((3, n))
    for k in range(most):
        there = blocks > k
        high, low = np.where(there, end - k * block, 0), np.where(there, end - (k + 1) * block, 0)
        loss, base = (t[high] - t[low] for t in totals)
        sums += np.stack([loss, loss**2, base])
    count = np.maximum(blocks, 2)
    mean = sums[0] / count
    spread = np.sqrt(np.maximum(sums[1] / count - mean**2, 0.0) * count / (count - 1))
    enough = (blocks >= FEWEST_BLOCKS) & (spread > 0)
    t = np.where(enough, mean / np.where(spread > 0, spread, 1.0) * np.sqrt(count), np.inf)
    p: Floats = np.where(enough, stdtr(count - 1, np.where(enough, t, 0.0)), 1.0)
    ratio: Floats = np.where(enough & (sums[2] > 0), 1 + sums[0] / np.where(sums[2] > 0, sums[2], 1.0), np.nan)
    return p, ratio
