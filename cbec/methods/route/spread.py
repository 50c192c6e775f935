"""Time in transit as a gamma distribution matched to a mean and a variance.

Times are never negative and lean to the right, and a sum of independent gammas is close to a gamma with the summed
mean and variance (Welch-Satterthwaite): that is how legs, dwell and delays are added. Quantiles are taken of the sum,
never added. A variance of 0 is a certain time. All functions take and give arrays of any one shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_CERTAIN = 1e-9  # days^2 under which a time counts as certain


def below(limit: ArrayLike, mean: ArrayLike, var: ArrayLike) -> Floats:
    """P(T <= limit)."""
    limit, mean, var, shape, random = _parts(limit, mean, var)
    share = special.gammainc(np.where(random, shape, 1.0), np.where(random, _scaled(limit, mean, var), 1.0))
    return np.asarray(np.where(random, share, limit >= mean), dtype=np.float64)


def over(limit: ArrayLike, mean: ArrayLike, var: ArrayLike) -> tuple[Floats, Floats]:
    """E[(T - limit)+] and E[((T - limit)+)^2], by the partial moments of the gamma distribution.

    With shape k: E[T; T > l] = mean x Q(k + 1, l) and E[T^2; T > l] = (mean^2 + var) x Q(k + 2, l).
    """
    limit, mean, var, shape, random = _parts(limit, mean, var)
    shape, at = np.where(random, shape, 1.0), np.where(random, _scaled(limit, mean, var), 1.0)
    q0, q1, q2 = (special.gammaincc(shape + i, at) for i in range(3))
    # Under 0 nothing is cut off: Q is 1 there, as gammaincc(., 0) says, and the formulas hold for negative limits.
    first = mean * q1 - limit * q0
    second = (mean**2 + var) * q2 - 2 * limit * mean * q1 + limit**2 * q0
    sure = np.maximum(mean - limit, 0.0)
    return np.where(random, np.maximum(first, 0.0), sure), np.where(random, np.maximum(second, 0.0), sure**2)


def quantile(level: float, mean: ArrayLike, var: ArrayLike) -> Floats:
    """The time that T does not exceed with probability `level`."""
    _, mean, var, shape, random = _parts(0.0, mean, var)
    scale = np.where(random, var, 1.0) / np.where(random, mean, 1.0)
    return np.asarray(np.where(random, special.gammaincinv(np.where(random, shape, 1.0), level) * scale, mean))


def mixed(mean: ArrayLike, var: ArrayLike, probability: ArrayLike) -> tuple[Floats, Floats]:
    """Mean and variance of a delay that happens with a probability, and is 0 else."""
    mean, var, p = (np.asarray(a, dtype=np.float64) for a in (mean, var, probability))
    return p * mean, p * (var + mean**2) - (p * mean) ** 2


def _parts(
    limit: ArrayLike, mean: ArrayLike, var: ArrayLike
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]]:
    limit, mean, var = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (limit, mean, var)))
    # A spread a thousand times the mean is no time in transit; the mean holds.
    random = (var > _CERTAIN) & (mean**2 > 1e-6 * var)
    shape = np.divide(mean**2, var, out=np.ones_like(mean), where=random)
    return limit, mean, var, shape, random


def _scaled(limit: Floats, mean: Floats, var: Floats) -> Floats:
    return np.where(var > _CERTAIN, np.maximum(limit, 0.0) * mean / np.maximum(var, _CERTAIN), 0.0)
