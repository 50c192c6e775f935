"""Means and variances of groups with few cases, drawn to those of all groups as far as chance explains their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def means(mean: Floats, error: Floats) -> tuple[Floats, float, float]:
    """Means of groups drawn to their common one: (drawn means, common mean, variance between groups).

    mean, error: of each group, the error as a variance (> 0). The variance between groups is that of Paule and Mandel
    (1982): the one at which the weighted squares of the distances add up to their degrees of freedom. One group stays
    as it is.
    """
    k = mean.size
    if k < 2:
        return mean.copy(), float(mean[0]) if k else float("nan"), float("nan")

    def excess(tau: float) -> float:
        w = 1 / (error + tau)
        middle = float((w * mean).sum() / w.sum())
        return float((w * (mean - middle) ** 2).sum()) - (k - 1)

    low, high = 0.0, float(np.var(mean, ddof=1)) + 1e-12
    if excess(0.0) <= 0:
        tau = 0.0
    else:
        while excess(high) > 0:
            high *= 2
        for _ in range(200):
            tau = (low + high) / 2
            low, high = (tau, high) if excess(tau) > 0 else (low, tau)
            if high - low <= 1e-12 * high:
                break
        tau = (low + high) / 2
    w = 1 / (error + tau)
    common = float((w * mean).sum() / w.sum())
    share = tau / (tau + error)
    return share * mean + (1 - share) * common, common, tau


def variances(variance: Floats, freedom: Floats) -> tuple[Floats, float, float]:
    """Variances of groups drawn to a common one: (drawn variances, common variance, its degrees of freedom).

    variance, freedom: sample variance (> 0) and degrees of freedom (>= 0) of each group. The common variance and its
    weight are fitted by the moments of log variances (Smyth 2004, sections 4 and 6.2). A group without freedom gets the
    common variance; where no group has any, all are NaN.
    """
    told = (freedom > 0) & np.isfinite(variance)
    if not told.any():
        return np.full(variance.shape, np.nan), float("nan"), 0.0
    v, d = variance[told], freedom[told]
    e = np.log(v) - special.digamma(d / 2) + np.log(d / 2)
    if v.size == 1:
        return np.where(told, variance, v[0]), float(v[0]), 0.0
    middle = float(e.mean())
    spread = float(((e - middle) ** 2).sum()) / (v.size - 1) - float(special.polygamma(1, d / 2).mean())
    if spread <= 0:
        prior, weight = float(np.exp(middle)), np.inf
        return np.full(variance.shape, prior), prior, weight
    weight = 2 * _inverse_trigamma(spread)
    prior = float(np.exp(middle + special.digamma(weight / 2) - np.log(weight / 2)))
    own, of = np.where(told, variance, 0.0), np.where(told, freedom, 0.0)
    return (weight * prior + of * own) / (weight + of), prior, weight


def _inverse_trigamma(x: float) -> float:
    """Newton's method on 1 / trigamma, which is convex and nearly linear (Smyth 2004, appendix)."""
    if x > 1e7:
        return float(1 / np.sqrt(x))
    if x < 1e-6:
        return 1 / x
    y = 0.5 + 1 / x
    for _ in range(50):
        trigamma = float(special.polygamma(1, y))
        step = trigamma * (1 - trigamma / x) / float(special.polygamma(2, y))
        y += step
        if -step / y < 1e-10:
            break
    return y
