"""Distributions from what the chosen methods got wrong at past origins.

Split-conformal in spirit (Vovk, Gammerman & Shafer 2005; Stankeviciute et al. 2021): errors of the rolling origins,
divided by the usual error of their series as it was known at the origin, are pooled among series of the same class and
size; their quantiles times today's usual error lie around the forecast. Totals of periods 1..h have their own
errors, since quantiles do not add.

The usual error of a series is shrunk twice: its one-step variance to what its level lets expect (Taylor's power law over
the catalogue), and the result by the ratio of its other origins' errors to the pool's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from cbec.tables.demand import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel
    from cbec.methods.forecast.rolling import Rolled

    Floats = NDArray[np.float64]
    Groups = NDArray[np.int64]

#: Normal errors that stand beside the pooled ones, so that a handful of them gives no wild tail.
PSEUDO = 30
#: Periods that the power law counts for in a series' variance; origins that the pool counts for in its ratio.
LAW, RATIO = 30.0, 8.0
#: Times the usual that the errors of one origin count for at most in a series' ratio (2 or 6: WQL of M3 months before the test
#: part within 0.3 %, coverage the same).
LOUDEST = 3.0
#: Errors below this part of the forecast are rounding of the computer.
ROUNDING = 1e-6
#: Times the median of its pool (at least: of the usual error) that an error counts for at most.
FAR = 15.0
#: Part of the shift of past errors' middle that is taken as what those periods had in common, not to come again (as for counts, see
#: counted.py): what forecasts missed to one side says next to nothing of the next time (decision 36).
SHOCK = 0.5
#: Size bins per class, and errors a bin must hold.
BINS, BIN_ERRORS = 5, 200
#: Errors wanted around each horizon; fewer are pooled with those of the neighbouring horizons.
WANTED = 200


@dataclass(frozen=True)
class Spread:
    """Usual error (1 + K) x n and group (1 + K) x n of every series today and at the past origins."""

    scale: Floats
    group: Groups


def spread(panel: Panel, rolled: Rolled, chosen: Floats) -> Spread:
    """What errors are measured in, and which are pooled. chosen: (1 + K) x n x h forecasts of the chosen methods."""
    mean = chosen.mean(2)
    scale = np.empty(mean.shape)
    width = panel.units.shape[1]
    known = np.cumsum(~np.isnan(panel.units), 1)
    life = np.stack([known[:, width - cut - 1] for cut in (0, *rolled.cuts)]).astype(np.float64)
    law = _law(rolled.scale[0] ** 2, mean[0], life[0])
    for k in range(len(life)):
        scale[k] = np.sqrt(_variance(rolled.scale[k] ** 2, mean[k], life[k], law, life[0]))
    scale *= _ratio(panel, rolled, chosen, scale)
    return Spread(scale, _groups(panel.demand_class, mean, rolled))


@dataclass(frozen=True)
class _Law:
    """One-step variance exp(a) mean^b of a catalogue, and the periods that it counts for in a series' own."""

    a: float
    b: float
    trust: float


def _law(mse: Floats, mean: Floats, life: Floats) -> _Law | None:
    """Taylor's law as the catalogue (n) shows it today, fitted in logarithms; None where it is too small or too young to.

    No history, however regular, has a variance of nothing but rounding: errors measured in it would drown those of every series in
    its pool.
    """
    use = (mean > 0) & (mse > (ROUNDING * mean) ** 2) & (life >= np.clip(life.max(initial=0), 3, 8))
    count = int(use.sum())
    if count < 5:
        return None
    x, y, w = np.log(mean[use]), np.log(mse[use]), np.minimum(life[use], 50.0)
    mid_x, mid_y = np.average(x, weights=w), np.average(y, weights=w)
    power = np.average((x - mid_x) ** 2, weights=w)
    slope = np.average((x - mid_x) * (y - mid_y), weights=w) / power if power > 1e-9 else 1.0
    slope = min(max(float(slope), 1.0), 2.0)
    return _Law(float(mid_y - slope * mid_x), slope, LAW * count / (count + 20))


def _variance(mse: Floats, mean: Floats, life: Floats, law: _Law | None, today: Floats) -> Floats:
    """One-step variances (n) shrunk to the law: the same one today and at the past origins, or errors of the past would be measured
    in another unit than those to come.

    Without a law histories of a few periods (whose errors may be 0 by chance) are shrunk to Poisson counts with a rate that is
    itself uncertain by 30 %.
    """
    level = np.maximum(mean, 0.0)
    if law is None:
        usual = (0.3 * level) ** 2 + np.minimum(level, level * level)
        trust = np.maximum(8.0 - today, 0.0) / 4
    else:
        usual = np.exp(law.a) * np.maximum(mean, 1e-3) ** law.b
        trust = np.full(len(mean), law.trust)
    steps = np.maximum(life - 1, 0.0)
    total = steps + trust
    shrunk = (steps * mse + trust * usual) / np.where(total > 0, total, 1.0)
    return np.asarray(np.where(total > 0, np.maximum(shrunk, usual / (4 * (steps + 1))), usual))


def _ratio(panel: Panel, rolled: Rolled, chosen: Floats, scale: Floats) -> Floats:
    """(1 + K) x n: own size of errors over the class's, from the other origins, shrunk to 1."""
    out = np.ones(scale.shape)
    error = _standard(np.where(rolled.valid[:, :, None], rolled.actual, np.nan)[1:] - chosen[1:], scale[1:])
    error = np.abs(error)
    there = ~np.isnan(error)
    ratio = np.zeros(error.shape[:2])
    for label in np.unique(panel.demand_class):
        here = panel.demand_class == label
        n = there[:, here].sum((0, 1))
        usual = np.where(there[:, here], error[:, here], 0.0).sum((0, 1)) / np.maximum(n, 1)
        relative = np.where(there[:, here], error[:, here], 0.0) / np.where(usual > 0, usual, 1.0)
        ratio[:, here] = relative.sum(2) / np.maximum(there[:, here].sum(2), 1)
    judged = there.any(2)
    ratio = np.where(judged, np.minimum(ratio, LOUDEST), 0.0)
    total, count = ratio.sum(0), judged.sum(0)
    out[0] = (total + RATIO) / (count + RATIO)
    out[1:] = (total - ratio + RATIO) / (count - judged + RATIO)
    return out


def _groups(demand_class: NDArray[np.str_], mean: Floats, rolled: Rolled) -> Groups:
    """Class and size bin, numbered; bins have equal parts of the past forecasts' means."""
    out = np.zeros(mean.shape, np.int64)
    number = 0
    for label in np.unique(demand_class):
        here = np.flatnonzero(demand_class == label)
        past = mean[1:, here][rolled.valid[1:, here]]
        bins = int(np.clip(past.size // BIN_ERRORS, 1, BINS))
        edges = np.quantile(past, np.linspace(0, 1, bins + 1)[1:-1]) if bins > 1 else np.empty(0)
        out[:, here] = number + np.searchsorted(edges, mean[:, here])
        number += bins
    return out


def quantiles(point: Floats, past: Floats, actual: Floats, of: Spread, *, total: bool, whole: bool) -> Floats:
    """Quantiles 8 x n x h around point (n x h), never negative, rising with the level.

    past, actual: K x n x h forecasts from past origins and what came (NaN = not known). total: whether these are
    totals of periods 1..h, whose quantiles rise with h too. whole: units are whole numbers, so quantiles are too.
    """
    out = np.empty((len(LEVELS), *point.shape))
    z = _standard(actual - past, of.scale[1:])
    for number in np.unique(of.group[0]):
        here = of.group[0] == number
        width = _shape(_unshifted(_tamed(z[of.group[1:] == number], total)), total)
        out[:, here] = point[here] + of.scale[0][here, None] * width[:, None, :]
    out = np.maximum.accumulate(np.maximum(np.rint(out) if whole else out, 0.0), 0)
    return np.maximum.accumulate(out, 2) if total else out


def _standard(error: Floats, scale: Floats) -> Floats:
    return np.where(scale[:, :, None] > 0, error / np.where(scale > 0, scale, 1.0)[:, :, None], np.nan)


def _tamed(z: Floats, total: bool) -> Floats:
    """Pooled errors (errors x h), none further out than FAR times what is usual per period.

    Demand that leapt after a quiet past says little of how far others leap.
    """
    steps = np.arange(1, z.shape[1] + 1, dtype=np.float64) if total else np.ones(z.shape[1])
    size = np.abs(z / steps)
    there = ~np.isnan(size)
    far = FAR * max(float(np.median(size[there])), 1.0) * steps if there.any() else np.inf
    return np.clip(z, -far, far)


def _unshifted(z: Floats) -> Floats:
    """Pooled errors (errors x h) less a part of their middle at each horizon."""
    there = ~np.isnan(z).all(0)
    out = z.copy()
    out[:, there] -= SHOCK * np.nanmedian(z[:, there], 0)
    return out


def _shape(z: Floats, total: bool) -> Floats:
    """8 x h quantiles of pooled errors z (errors x h), mixed with normal ones of the same spread."""
    h = z.shape[1]
    there = ~np.isnan(z)
    n = there.sum(0)
    rms = _growth(np.where(there, z, 0.0), n, total)
    unit = np.where(there, z / rms, np.nan)
    normal = ndtri((np.arange(PSEUDO) + 0.5) / PSEUDO)
    out = np.empty((len(LEVELS), h))
    reach = int((n > 0).sum())
    for k in range(h):
        low = high = min(k, max(reach - 1, 0))
        held = int(n[low]) if reach else 0
        while held < WANTED and (low > 0 or high < reach - 1):
            low, high = max(low - 1, 0), min(high + 1, reach - 1)
            held = int(n[low : high + 1].sum())
        part = unit[:, low : high + 1]
        pool = np.sort(np.concatenate([part[~np.isnan(part)], normal]))
        out[:, k] = np.interp(np.array(LEVELS) * len(pool) - 0.5, np.arange(len(pool)), pool) * rms[k]
    return out


def _growth(z: Floats, n: NDArray[np.int64], total: bool) -> Floats:
    """Root mean square of the errors by horizon, never falling; beyond what was seen it grows as it did in the second half.

    Where next to nothing was seen it is that of independent steps of usual size.
    """
    h = z.shape[1]
    steps = np.arange(1, h + 1, dtype=np.float64)
    guess = steps if total else np.ones(h)  # variance of a total of independent periods, of one period
    reach = int((n > 0).sum())
    power = np.einsum("ih,ih->h", z, z)
    rms = np.sqrt(np.maximum.accumulate((power + PSEUDO / 6 * guess) / (n + PSEUDO / 6)))
    if 0 < reach < h:
        half = max(reach // 2, 1)
        rise = np.log(rms[reach - 1] / rms[half - 1]) / np.log(reach / half) if reach > half else 0.5
        low, high = (0.5, 1.0) if total else (0.0, 0.5)
        rms[reach:] = rms[reach - 1] * (steps[reach:] / reach) ** min(max(float(rise), low), high)
    return np.asarray(rms)
