"""Times of which some are known only to last longer than until today: the Kaplan-Meier estimate and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A distribution on `times` (rising) with the share still waiting after each; mean and variance of it.

    n: times that ended, awaited: those that did not. variance: with n / (n - 1); NaN for one ended time.
    """

    times: Floats
    survival: Floats
    mean: float
    variance: float
    n: int
    awaited: int

    def quantile(self, level: float) -> float:
        """The first time by which the share `level` has ended."""
        reached = np.flatnonzero(1 - self.survival >= level - 1e-12)
        return float(self.times[reached[0]] if reached.size else self.times[-1])


def kaplan_meier(times: ArrayLike, ended: ArrayLike) -> Curve:
    """The product-limit estimate (Kaplan and Meier 1958) of times >= 0.

    times: how long each took, or has taken so far where `ended` is false. Among equal times ends come before losses.
    The largest time counts as ended (Efron 1967), so that the curve comes down to 0: where it did not end, the mean and
    upper quantiles are lower bounds. Raises ValueError without any time.
    """
    t, e = np.asarray(times, dtype=np.float64), np.asarray(ended, dtype=bool)
    if not t.size:
        raise ValueError("no times")
    points = np.unique(t)
    at = np.searchsorted(points, t)
    ends = np.bincount(at, weights=e, minlength=points.size)
    here = np.bincount(at, minlength=points.size)
    at_risk = t.size - np.concatenate(([0], np.cumsum(here)[:-1]))
    share = 1 - ends / at_risk
    share[-1] = 0.0
    survival = np.cumprod(share)
    mass = np.concatenate(([1.0], survival[:-1])) - survival
    mean = float((mass * points).sum())
    known = int(e.sum())
    spread = float((mass * (points - mean) ** 2).sum())
    variance = spread * known / (known - 1) if known > 1 else float("nan")
    kept = mass > 0
    return Curve(points[kept], survival[kept], mean, variance, known, int(t.size - known))
