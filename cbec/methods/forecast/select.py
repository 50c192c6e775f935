"""The choice among methods by their errors at past origins, shrunk to those of the class and of all series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast.rolling import DEFAULT, NAIVE, NOISY, losses

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel
    from cbec.methods.forecast.rolling import Rolled

    Floats = NDArray[np.float64]

#: The methods among which is chosen, with their usual error over the mean of all of them (M3, M4, retail, spare parts).
CANDIDATES = {
    NAIVE: 1.15,
    "seasonal_level": 1.15,
    "seasonal_blend": 1.05,
    "window_mean": 0.96,
    "combination": 0.93,
    "pooled_level": 0.93,
    "tsb": 0.98,
    "blend": 0.9,
    # hours only
    "day_mean": 0.95,
    "reverting": 0.95,
    "week_shift": 1.0,
}
#: Hours that sell often are many enough for a series' own record: its forecast is the candidates' mean with weights by the inverse
#: of this power of their absolute errors, and the record of the class counts for so many origins.
POWER, PRIOR_HOURS = 7.0, 0.1
#: The advantage that what does well without a record keeps.
MARGIN = 0.06
#: Where nothing else is expected.
FALLBACK = "pooled_level"
#: Origins that the record of the class counts for in the choice per series (more for noisy series, where
#: anything may win by luck), and series-origins that the record of all series counts for in that of a class.
PRIOR = 16.0
PRIOR_NOISY = 64.0
CLASS_PRIOR = 50.0
#: Horizons that general experience counts for against the record of all series, which lived through the same periods: of
#: noisy series, and of quiet ones, whose record says more.
EXPERIENCE, EXPERIENCE_QUIET = 1.0, 0.25


@dataclass(frozen=True)
class Choice:
    """The method of each series (n, index into names), the weights of all today and at the past origins ((1 + K) x M x n), the
    shrunk scores (M x n) and the origins judged (n)."""

    names: list[str]
    best: NDArray[np.int64]
    weight: Floats
    score: Floats
    origins: NDArray[np.int64]
    notes: tuple[str, ...] = ()


def _absolute(rolled: Rolled, name: str) -> Floats:
    """K x n mean absolute errors at the past origins, NaN where nothing is known."""
    gap = np.abs(np.where(rolled.valid[1:, :, None], rolled.forecasts[name][1:] - rolled.usual[1:], np.nan))
    there = ~np.isnan(gap)
    count = there.sum(2)
    return np.where(count > 0, np.where(there, gap, 0.0).sum(2) / np.maximum(count, 1), np.nan)


def choose(panel: Panel, rolled: Rolled) -> Choice:
    """The method per series by its past errors, shrunk to those of its class and of all series.

    Root mean squared errors are taken relative to the mean of the candidates', so that no series rules the pool;
    in the pool they weigh by the root of their size. A few origins cannot tell similar methods apart however many series
    there are, since all series lived through the same months: what is known to do well in such classes
    keeps an advantage of MARGIN. A method that does not beat the seasonal naive is not chosen.
    """
    names = [n for n in CANDIDATES if n in rolled.forecasts]
    level = rolled.forecasts[DEFAULT][0].mean(1)
    noisy = rolled.scale[0] >= NOISY * level
    loss = np.stack([losses(rolled, rolled.forecasts[n]) for n in names])[:, 1:]  # M x K x n
    # Before a whole season is known, methods that live by it fall back on others: those origins do not judge them.
    whole_season = panel.units.shape[1] - np.array(rolled.cuts, np.int64) >= panel.season
    if panel.season > 1 and whole_season.any():
        loss[:, ~whole_season] = np.nan
    count = (~np.isnan(loss[0])).sum(0)
    own = np.sqrt(np.nansum(loss, 1) / np.maximum(count, 1))
    usual = own.mean(0)
    relative = np.where(usual > 0, own / np.where(usual > 0, usual, 1.0), 1.0)
    weight = count * np.sqrt(usual)
    everyone = _mean(relative, weight, np.ones(len(names)))
    pool = np.empty(relative.shape)
    for loud in (False, True):
        whole = _experienced(names, everyone, rolled, loud)
        for label in np.unique(panel.demand_class):
            here = (panel.demand_class == label) & (noisy == loud)
            seen = float(count[here].sum())
            inside = _experienced(names, _mean(relative[:, here], weight[here], everyone), rolled, loud)
            pool[:, here] = ((seen * inside + CLASS_PRIOR * whole) / (seen + CLASS_PRIOR))[:, None]
    prior = np.where(noisy, PRIOR_NOISY, PRIOR)
    score = (count * relative + prior * pool) / (count + prior)
    ranked = score.copy()
    ranked[names.index(DEFAULT)] -= MARGIN
    best = ranked.argmin(0)
    naive = names.index(NAIVE)
    best = np.where(score[best, np.arange(len(usual))] < score[naive], best, naive)
    best = np.where(count > 0, best, names.index(DEFAULT))
    # Nothing at all is no expectation. And the past of what counts as delisted now was silence by that very rule: it
    # cannot judge who comes back.
    expected = np.stack([rolled.forecasts[n][0].sum(1) for n in names])[best, np.arange(len(best))]
    alone = panel.obsolete | (expected <= 0)
    best = np.where(alone, names.index(FALLBACK), best)
    share = (np.arange(len(names))[:, None] == best).astype(np.float64)
    weights = np.repeat(share[None], 1 + len(rolled.cuts), 0)
    if panel.frequency == "H":
        often = np.isin(panel.demand_class, ("smooth", "erratic"))
        mixed = often & ~alone & (count > 0)
        weights[:, :, mixed] = _by_record(names, rolled)[:, :, mixed]
    return Choice(names, best, weights, score, count)


def _by_record(names: list[str], rolled: Rolled) -> Floats:
    """(1 + K) x M x n weights by the inverse of a power of the absolute errors, shrunk a little to those of all series.

    At a past origin the errors of the others count, so that the errors there are those of a forecast.
    """
    error = np.stack([_absolute(rolled, n) for n in names])  # M x K x n
    there = ~np.isnan(error)
    usual = np.where(there, error, 0.0).sum(0) / np.maximum(there.sum(0), 1)
    relative = error / np.where(usual > 0, usual, 1.0)
    value = np.where(there, relative, 0.0)
    origins = value.shape[1]
    out = np.empty((1 + origins, len(names), value.shape[2]))
    for left_out in range(-1, origins):
        use = there[:, np.arange(origins) != left_out]
        part = value[:, np.arange(origins) != left_out]
        count = use.sum(1)
        pool = part.sum((1, 2)) / np.maximum(count.sum(1), 1)
        score = (part.sum(1) + PRIOR_HOURS * pool[:, None]) / (count + PRIOR_HOURS)
        power = np.maximum(score, 1e-3) ** -POWER
        out[left_out + 1] = power / power.sum(0)
    return out


def chosen(rolled: Rolled, choice: Choice) -> Floats:
    """(1 + K) x n x h: the forecasts of the chosen methods, or of their weighted mean."""
    out = np.zeros_like(rolled.forecasts[choice.names[0]])
    for number, name in enumerate(choice.names):
        here = choice.weight[0, number] > 0
        out[:, here] += choice.weight[:, number, here, None] * rolled.forecasts[name][:, here]
    return out


def _experienced(names: list[str], record: Floats, rolled: Rolled, noisy: bool) -> Floats:
    """The record mixed with general experience: a few origins close to each other are little more than one."""
    if not rolled.cuts:
        return record
    reach = rolled.cuts[0]
    origins = 1 + (rolled.cuts[-1] - reach) / reach
    usual = np.array([CANDIDATES[n] for n in names])
    weight = EXPERIENCE if noisy else EXPERIENCE_QUIET
    return np.asarray((origins * record + weight * usual / usual.mean()) / (origins + weight))


def _mean(values: Floats, weight: Floats, otherwise: Floats) -> Floats:
    total = weight.sum()
    return np.asarray(np.einsum("mi,i->m", values, weight) / total) if total > 0 else otherwise
