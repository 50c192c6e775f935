"""Shares of few cases: intervals, the difference of two shares, and shrinkage towards the shares of all.

All functions are vectorised over groups. A group without cases has NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

#: A prior never weighs more cases than this, however alike the groups look: they are never quite the same.
MAX_PRIOR = 200.0


def wilson(hits: ArrayLike, cases: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """The score interval of a share (Wilson 1927; Newcombe 1998, method 3). cases may be effective ones, not whole."""
    k, n = _floats(hits, cases)
    z = special.ndtri(0.5 + confidence / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (k + z * z / 2) / (n + z * z)
        half = z / (n + z * z) * np.sqrt(np.maximum(k * (n - k) / n, 0) + z * z / 4)
    low, high = np.where(k <= 0, 0.0, middle - half), np.where(k >= n, 1.0, middle + half)
    return _known(n, low), _known(n, high)


def jeffreys(hits: ArrayLike, cases: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """The equal-tailed interval of Jeffreys' prior, its ends closed at 0 and at all (Brown, Cai and DasGupta 2001)."""
    k, n = _floats(hits, cases)
    tail = (1 - confidence) / 2
    k, miss = np.maximum(k, 0), np.maximum(n - k, 0)
    low = np.where(k <= 0, 0.0, special.betaincinv(k + 0.5, miss + 0.5, tail))
    high = np.where(miss <= 0, 1.0, special.betaincinv(k + 0.5, miss + 0.5, 1 - tail))
    return _known(n, low), _known(n, high)


def interval(kind: str, hits: ArrayLike, cases: ArrayLike, confidence: float) -> tuple[Floats, Floats]:
    """`wilson` or `jeffreys` by name."""
    return {"wilson": wilson, "jeffreys": jeffreys}[kind](hits, cases, confidence)


def difference(
    hits: ArrayLike, cases: ArrayLike, other_hits: ArrayLike, other_cases: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Interval of the first share less the other, from their score intervals (Newcombe 1998, hybrid method 10)."""
    k, n, j, m = _floats(hits, cases, other_hits, other_cases)
    low, high = wilson(k, n, confidence)
    other_low, other_high = wilson(j, m, confidence)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = k / n, j / m
    return (
        p - q - np.sqrt((p - low) ** 2 + (other_high - q) ** 2),
        p - q + np.sqrt((high - p) ** 2 + (q - other_low) ** 2),
    )


def effective(group: NDArray[np.intp], cluster: NDArray[np.intp], hit: ArrayLike, groups: int) -> tuple[Floats, Floats]:
    """Cases of each group and how many independent ones they are worth, where cases of a cluster go together.

    group, cluster, hit: one entry per case; clusters are numbered from 0 and lie within one group. The variance of the
    share is that of a ratio over clusters (Cochran 1977, ch. 11), and n_eff = p (1 - p) / variance (Korn and Graubard
    1998), held between the numbers of clusters and of cases. Where all or none hit it is the number of clusters.
    """
    hit = np.asarray(hit, dtype=np.float64)
    count = int(cluster.max(initial=-1)) + 1
    size = np.bincount(cluster, minlength=count).astype(np.float64)
    hits = np.bincount(cluster, weights=hit, minlength=count)
    owner = np.zeros(count, dtype=np.intp)
    owner[cluster] = group
    n = np.bincount(owner, weights=size, minlength=groups).astype(np.float64)
    clusters = np.bincount(owner, weights=size > 0, minlength=groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.bincount(owner, weights=hits, minlength=groups) / n
        residual = (hits - p[owner] * size) ** 2
        spread = np.bincount(owner, weights=residual, minlength=groups) * clusters / (clusters - 1) / n**2
        worth = p * (1 - p) / spread
    worth = np.where(np.isfinite(worth) & (p > 0) & (p < 1), worth, clusters)
    return n, np.clip(worth, np.minimum(clusters, n), n)


def shrunk(hits: ArrayLike, cases: ArrayLike) -> tuple[Floats, float, float]:
    """Shares drawn to the mean of all groups by a beta prior fitted to them: (shares, prior mean, prior weight).

    The prior's intraclass correlation is the moment estimator of Kleinman (1973) with cases as weights; its weight in
    cases is (1 - rho) / rho, at most MAX_PRIOR. A group without cases gets the mean.
    """
    k, n = _floats(hits, cases)
    there = n > 0
    if not there.any():
        return np.full(k.shape, np.nan), float("nan"), 0.0
    total = float(n[there].sum())
    mean = float(k[there].sum()) / total
    weight = MAX_PRIOR
    groups, rest = int(there.sum()), total - float((n[there] ** 2).sum()) / total
    if groups > 1 and 0 < mean < 1:
        between = float((n[there] * (k[there] / n[there] - mean) ** 2).sum())
        chance = mean * (1 - mean)
        rho = (between - chance * (groups - 1)) / (chance * (rest - (groups - 1))) if rest > groups - 1 else 0.0
        weight = MAX_PRIOR if rho <= 0 else min(MAX_PRIOR, max(1 - rho, 0.0) / rho)
    if groups == 1:
        weight = 0.0  # nothing to be drawn to
    with np.errstate(invalid="ignore"):
        return (k + weight * mean) / np.where(n + weight > 0, n + weight, np.nan), mean, weight


def _floats(*values: ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in values)))


def _known(n: Floats, values: Floats) -> Floats:
    out: Floats = np.where(n > 0, values, np.nan)
    return out
