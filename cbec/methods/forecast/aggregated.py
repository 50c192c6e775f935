"""Smoothing of temporal aggregates for intermittent demand, over all series at once.

ADIDA (Nikolopoulos, Syntetos, Boylan, Petropoulos & Assimakopoulos 2011): periods are summed in buckets of the mean interval
between sales, the sums smoothed and spread evenly again. IMAPA (Petropoulos & Kourentzes 2015): the mean of that
over every bucket from one period to the mean interval.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import local

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Smoothing of intermittent demand stays slow.
ALPHAS = (0.1, 0.15, 0.2, 0.25, 0.3)
#: Longest bucket: longer ones leave next to nothing to smooth.
LONGEST = 30


def interval(y: Floats) -> NDArray[np.int64]:
    """Known periods per sale (N), rounded, 1 to LONGEST and at most half of the history."""
    known, sold = (~np.isnan(y)).sum(1), (np.nan_to_num(y) > 0).sum(1)
    most = np.clip(known // 2, 1, LONGEST)
    # Counted from the first sale to the last, so that a long silence at the end is no interval.
    columns = np.arange(y.shape[1])
    last = np.where(np.nan_to_num(y) > 0, columns, -1).max(1, initial=-1)
    span = (~np.isnan(y) & (columns <= last[:, None])).sum(1)
    size: NDArray[np.int64] = np.clip(np.rint(span / np.maximum(sold, 1)), 1, most).astype(np.int64)
    return size


def adida(y: Floats, h: int) -> Floats:
    """N x h by buckets of each series' own interval. y: N x T, right-aligned, NaN = masked or not yet born."""
    size = interval(y)
    out = np.empty(len(y))
    for k in np.unique(size).tolist():
        here = size == k
        out[here] = _rate(y[here], k)
    return np.repeat(out[:, None], h, 1)


def imapa(y: Floats, h: int) -> Floats:
    """N x h, the mean over all buckets up to the interval. y: see `adida`."""
    size = interval(y)
    total = np.zeros(len(y))
    for k in range(1, int(size.max(initial=1)) + 1):
        here = size >= k
        total[here] += _rate(y[here], k)
    return np.repeat((total / size)[:, None], h, 1)


def _rate(y: Floats, k: int) -> Floats:
    """Units per period by smoothing sums of k periods that end with the last one."""
    if k == 1:
        return local.ses(y, 1, ALPHAS)[:, 0]
    whole = y.shape[1] // k * k
    first = local.born(y) - (y.shape[1] - whole)
    buckets = y[:, y.shape[1] - whole :].reshape(len(y), -1, k)
    known = ~np.isnan(buckets)
    count = known.sum(2)
    sums = np.where(known, buckets, 0.0).sum(2) * k / np.maximum(count, 1)
    # A bucket that the series was born within is no whole one.
    begun = np.arange(buckets.shape[1]) * k >= first[:, None]
    sums = np.where((count > 0) & begun, sums, np.nan)
    return np.asarray(local.ses(sums, 1, ALPHAS)[:, 0] / k)
