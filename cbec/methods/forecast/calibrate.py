"""Distributions from what the chosen methods got wrong at past origins.

Split-conformal in spirit (Vovk et al.; Stankeviciute et al. 2021): errors of the rolling origins, divided by the usual
error of their series as it was known at the origin, are pooled per class and horizon; their quantiles times today's
usual error lie around the forecast. The totals of periods 1..h have their own errors, since quantiles do not add.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from cbec.tables.demand import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Normal errors that stand beside the pooled ones, so that a handful of them gives no wild tail.
PSEUDO = 30


def quantiles(
    point: Floats, scale: Floats, past: Floats, past_scale: Floats, actual: Floats, group: NDArray[np.int64]
) -> Floats:
    """Quantiles 8 x n x h around the point forecasts.

    point: n x h; scale: n; past, actual: K x n x h (NaN unknown); past_scale: K x n; group: n, numbers of classes.
    """
    count, h = point.shape
    out = np.empty((len(LEVELS), count, h))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(past_scale[:, :, None] > 0, (actual - past) / past_scale[:, :, None], np.nan)
    for label in np.unique(group):
        here = group == label
        out[:, here] = point[here] + scale[here, None] * _spread(z[:, here].reshape(-1, h))[:, None, :]
    out = np.maximum(out, 0.0)
    return np.asarray(np.maximum.accumulate(out, 0))


def _spread(z: Floats) -> Floats:
    """8 x h quantiles of pooled errors, mixed with normal ones whose spread grows with the horizon as theirs does."""
    h = z.shape[1]
    known = np.isfinite(z)
    n = known.sum(0)
    power = np.where(known, z * z, 0.0).sum(0)
    growth = np.sqrt(np.arange(1, h + 1))
    rms = np.sqrt((power + PSEUDO * 0.5 * growth**2) / (n + PSEUDO * 0.5))
    rms = np.maximum.accumulate(rms)
    normal = ndtri((np.arange(PSEUDO) + 0.5) / PSEUDO)
    out = np.empty((len(LEVELS), h))
    for k in range(h):
        pool = np.concatenate([z[known[:, k], k], normal * rms[k]])
        out[:, k] = np.quantile(pool, LEVELS, method="hazen")
    return out
