"""Demand as probabilities of 0, 1, 2, ... units: sums of periods, random lead times, quantiles, expected shortage.

An array `pmf` holds the probabilities; those past its end are under 1e-15 together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from cbec.core.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_TAIL = 1e-15


def given(probabilities: Sequence[float]) -> Floats:
    """Probabilities as they were told. Raises InputRejected where they are negative or do not sum to 1."""
    pmf = np.asarray(probabilities, dtype=np.float64)
    if pmf.size == 0 or (pmf < 0).any() or abs(pmf.sum() - 1) > 1e-6:
        raise InputRejected(f"probabilities must be >= 0 and sum to 1; they sum to {pmf.sum():g}")
    return pmf


def poisson(mean: float) -> Floats:
    """Poisson counts."""
    top = int(mean + 12 * np.sqrt(mean) + 40)
    k = np.arange(top + 1)
    out: Floats = np.exp(special.xlogy(k, mean) - mean - special.gammaln(k + 1))
    return out


def negative_binomial(mean: float, variance: float) -> Floats:
    """Counts of that mean and variance; Poisson where the variance is the mean. Raises InputRejected where it is under it."""
    if variance < mean * (1 - 1e-9):
        raise InputRejected(f"a negative binomial needs a variance over its mean, not {variance:g} with mean {mean:g}")
    if variance <= mean * (1 + 1e-9):
        return poisson(mean)
    p = mean / variance
    r = mean * p / (1 - p)
    top = int(mean + 12 * np.sqrt(variance) + 40)
    while True:
        k = np.arange(top + 1)
        out: Floats = np.exp(
            special.gammaln(k + r) - special.gammaln(r) - special.gammaln(k + 1) + r * np.log(p) + k * np.log1p(-p)
        )
        if special.betainc(top + 1, r, 1 - p) < _TAIL:
            return out
        top *= 2


def binomial(count: int, p: float) -> Floats:
    """Counts of `count` tries."""
    k = np.arange(count + 1)
    out: Floats = special.binom(count, k) * p**k * (1 - p) ** (count - k)
    return out


def geometric(mean: float) -> Floats:
    """Counts 0, 1, ... that fall by a constant ratio."""
    return negative_binomial(mean, mean * (1 + mean))


def observed(sales: Sequence[float]) -> Floats:
    """The shares of whole observed values."""
    out: Floats = np.bincount(np.asarray(sales, dtype=np.int64)) / len(sales)
    return out


def total(pmf: Floats, periods: int) -> Floats:
    """The sum of independent periods."""
    out, power = np.ones(1), pmf
    while periods:
        if periods & 1:
            out = np.convolve(out, power)
        periods >>= 1
        power = np.convolve(power, power) if periods else power
    return out


def mixed(parts: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """One of several distributions, by chance: a random lead time mixes the totals of its lengths."""
    out = np.zeros(max(map(len, parts)))
    for pmf, weight in zip(parts, weights, strict=True):
        out[: len(pmf)] += weight * pmf
    return out


def mean(pmf: Floats) -> float:
    """Expected units."""
    return float((pmf * np.arange(len(pmf))).sum())


def variance(pmf: Floats) -> float:
    """Variance of the units."""
    return float((pmf * (np.arange(len(pmf)) - mean(pmf)) ** 2).sum())


def cdf(pmf: Floats, x: float) -> float:
    """P(D <= x)."""
    return float(pmf[: int(np.floor(x)) + 1].sum()) if x >= 0 else 0.0


def quantile(pmf: Floats, level: float) -> int:
    """The smallest whole number whose distribution function reaches the level."""
    reached = np.cumsum(pmf) >= level - 1e-12
    return int(reached.argmax()) if reached.any() else len(pmf) - 1


def short(pmf: Floats, x: float) -> float:
    """E[(D - x)+]."""
    return float((pmf * np.maximum(np.arange(len(pmf)) - x, 0)).sum())


def left(pmf: Floats, x: float) -> float:
    """E[(x - D)+]."""
    return float((pmf * np.maximum(x - np.arange(len(pmf)), 0)).sum())


def least_cost_level(pmf: Floats, over: float, under: float) -> tuple[int, float]:
    """The newsvendor's level and its expected cost: the smallest whole x with P(D <= x) >= under / (under + over)."""
    level = quantile(pmf, under / (under + over))
    return level, over * left(pmf, level) + under * short(pmf, level)
