"""What the procedure would have said at past fixings, held against what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, xlogy

from cbec.methods.fx import spread
from cbec.methods.fx.centre import Centre, centre
from cbec.methods.fx.volatility import WARM
from cbec.tables.money import FX_LEVELS

Floats = NDArray[np.float64]

#: A pool with fewer errors says too little of its 1 % tail to test it; so does a record of fewer days.
TAIL_POOL, TAIL_DAYS = 250, 250
#: The pool of errors is renewed every so many fixings of the record; it holds ten years, so it hardly changes.
RENEWED = 20


@dataclass(frozen=True)
class Record:
    """One pair and horizon. at: origins; said: (origins, levels) quantiles of the log change; came: the outcomes.

    centre, variance, scores: the procedure at every fixing, from which the forecast of today is made.
    """

    h: int
    at: NDArray[np.int64]
    said: Floats
    came: Floats
    centre: Centre
    variance: Floats
    scores: Floats

    @property
    def ratio(self) -> float | None:
        """Root mean squared error of the centre over that of no change."""
        change = self.centre.change[self.at]
        plain = float((self.came**2).mean()) if len(self.at) else 0.0
        return float(np.sqrt(((self.came - change) ** 2).mean() / plain)) if plain > 0 else None

    def coverage(self, low: float, high: float) -> float | None:
        """Share of outcomes between two of the levels."""
        if not len(self.at):
            return None
        a, b = (self.said[:, FX_LEVELS.index(level)] for level in (low, high))
        return float(((self.came >= a) & (self.came <= b)).mean())

    def breaches(self, level: float) -> NDArray[np.bool_]:
        """Which outcomes fell below (level < .5) or above that quantile."""
        line = self.said[:, FX_LEVELS.index(level)]
        return self.came < line if level < 0.5 else self.came > line

    def tail(self, level: float) -> tuple[int, int, float] | None:
        """(breaches, days, p-value of Kupiec's test) of an outer quantile one day ahead, where a test makes sense."""
        tested = self.at >= WARM + self.h + TAIL_POOL
        days = int(tested.sum())
        if self.h != 1 or days < TAIL_DAYS:
            return None
        broken = int((self.breaches(level) & tested).sum())
        return broken, days, kupiec(broken, days, min(level, 1 - level))

    def pinball(self) -> float | None:
        """Mean pinball loss over the levels, of log changes."""
        if not len(self.at):
            return None
        off = self.came[:, None] - self.said
        levels = np.asarray(FX_LEVELS)
        return float(np.maximum(levels * off, (levels - 1) * off).mean())


def record(
    logs: Floats,
    variance: Floats,
    h: int,
    *,
    first: int = 0,
    drift: Floats | None = None,
    step: int | None = None,
) -> Record:
    """The procedure at every origin from index `first` on whose outcome is known.

    variance: of the next h returns as known at each fixing. drift: expected log change by interest parity at each
    fixing, used where no predictive model is. step: fixings between two origins; default 1, and 5 for h > 1.
    """
    found = centre(logs, variance, h)
    if drift is not None:
        found = Centre(
            np.where(found.model == 0, drift, found.change),
            found.model, found.outcome, found.p_value, found.gain, found.best,
        )  # fmt: skip
    scores = spread.standardised(found.outcome - found.change, variance)
    begin = max(first, WARM + h + spread.FEWEST)
    at = np.arange(begin, len(logs) - h, step or (1 if h == 1 else 5))
    said = np.empty((len(at), len(FX_LEVELS)))
    line: Floats | None = None
    renewed = -RENEWED
    for row, t in enumerate(at):
        if line is None or t - renewed >= RENEWED:
            line, renewed = spread.quantiles(spread.pool(scores, int(t), h), FX_LEVELS), int(t)
        said[row] = line
    said = found.change[at][:, None] + said * np.sqrt(variance[at])[:, None]
    return Record(h, at, said, found.outcome[at], found, variance, scores)


def kupiec(breaches: int, days: int, level: float) -> float:
    """p-value of Kupiec's (1995) likelihood ratio test that breaches come with chance `level`."""
    if not days:
        return 1.0
    share = breaches / days
    likely = xlogy(breaches, level) + xlogy(days - breaches, 1 - level)
    best = xlogy(breaches, share) + xlogy(days - breaches, 1 - share)
    return float(chdtrc(1, max(2 * (best - likely), 0.0)))


def christoffersen(breaches: NDArray[np.bool_]) -> float:
    """p-value of Christoffersen's (1998) test that breaches do not come in clusters (independence)."""
    before, after = breaches[:-1], breaches[1:]
    n00, n01 = int((~before & ~after).sum()), int((~before & after).sum())
    n10, n11 = int((before & ~after).sum()), int((before & after).sum())
    if not len(before) or n01 + n11 == 0:
        return 1.0
    p01, p11 = n01 / max(n00 + n01, 1), n11 / max(n10 + n11, 1)
    p = (n01 + n11) / len(before)
    apart = xlogy(n01, p01) + xlogy(n00, 1 - p01) + xlogy(n11, p11) + xlogy(n10, 1 - p11)
    alike = xlogy(n01 + n11, p) + xlogy(n00 + n10, 1 - p)
    return float(chdtrc(1, max(2 * (apart - alike), 0.0)))
