"""Forecasts of all methods from rolling origins, and the choice among them.

The histories as they stood at each origin are laid on top of each other, so that one pass of a method makes its
forecasts from all origins and from today. Nothing after an origin enters its forecast; the choice stands on the
errors of the past origins only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import local, periods, seasonal, theta

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]

#: The methods that every choice is measured against; the first is what a method must beat.
NAIVES = ("seasonal_naive", "naive", "seller_formula")
ORIGINS = 4


@dataclass(frozen=True)
class Rolled:
    """Forecasts per method, (1 + K) x n x h: row 0 from today, row k from cuts[k] periods ago; actual of the K past
    origins, (1 + K) x n x h, NaN where masked or not yet over (row 0 all NaN). scale: (1 + K) x n, usual one-step error.
    valid: (1 + K) x n, whether the series had enough history at the origin to be judged."""

    cuts: tuple[int, ...]
    forecasts: dict[str, Floats]
    actual: Floats
    scale: Floats
    valid: NDArray[np.bool_]


def cuts(width: int, horizon: int, most: int = ORIGINS) -> tuple[int, ...]:
    """How many periods before today the past origins lie: the last `horizon` periods, and further back by a half each.

    A history too short for that is cut at a third of its length, so that the record covers the first part of the horizon.
    """
    reach = min(horizon, max(1, width // 3))
    step = max(1, -(-reach // 2))
    found = [reach + k * step for k in range(most)]
    return tuple(c for c in found if width - c >= max(2, min(reach, width // 3)))


def views(units: Floats, back: tuple[int, ...]) -> Floats:
    """(1 + K) x n x T: histories known today and at each origin, right-aligned."""
    count, width = units.shape
    out = np.full((1 + len(back), count, width), np.nan)
    out[0] = units
    for k, cut in enumerate(back, 1):
        out[k, :, cut:] = units[:, : width - cut]
    return out


def actuals(units: Floats, back: tuple[int, ...], h: int) -> Floats:
    """(1 + K) x n x h: what came after each origin."""
    count, width = units.shape
    out = np.full((1 + len(back), count, h), np.nan)
    for k, cut in enumerate(back, 1):
        part = units[:, width - cut : width - cut + h]
        out[k, :, : part.shape[1]] = part
    return out


def roll(panel: Panel, h: int) -> Rolled:
    """Every method's forecasts from today and from the past origins."""
    count, width = panel.units.shape
    back = cuts(width, h)
    stack = views(panel.units, back)
    y = stack.reshape(-1, width)
    m = panel.season
    length = periods.days(panel.ordinals, panel.frequency)
    out: dict[str, Floats] = {}
    out["naive"] = local.naive(y, h)
    out["seasonal_naive"] = local.seasonal_naive(y, h, m)
    ahead = [periods.days(panel.ahead(h) - cut, panel.frequency) for cut in (0, *back)]
    formula = [
        local.seller_formula(stack[k], length[: width - cut] if k else length, ahead[k])
        if not k
        else local.seller_formula(panel.units[:, : width - cut], length[: width - cut], ahead[k])
        for k, cut in enumerate((0, *back))
    ]
    out["seller_formula"] = np.concatenate(formula)
    season = seasonal.estimate(y, m)
    flat = season.out_of(y)
    raw, mse = theta.theta(flat, h)
    out["theta"] = np.maximum(season.into(raw), 0.0)
    out["ses"] = np.maximum(season.into(local.ses(flat, h)), 0.0)
    out["tsb"] = local.tsb(y, h)
    window = max(2, round(56 / periods.DAYS[panel.frequency])) if panel.frequency in "HDW" else 2 * m
    out["window_mean"] = local.window_mean(y, h, window)
    out["median"] = np.median(np.stack([out[k] for k in ("theta", "ses", "window_mean")]), 0)
    shape = (1 + len(back), count, h)
    known = ~np.isnan(stack)
    life = known.sum(2)
    scale = np.sqrt(np.nan_to_num(mse)).reshape(shape[:2])
    sold = (np.nan_to_num(stack) > 0).any(2)
    return Rolled(
        back, {k: v.reshape(shape) for k, v in out.items()}, actuals(panel.units, back, h), scale, sold & (life >= 2)
    )


@dataclass(frozen=True)
class Choice:
    """The method of each series (index into names), its losses, and the record beside the naive methods."""

    names: list[str]
    best: NDArray[np.int64]
    losses: Floats
    origins: NDArray[np.int64]


def errors(rolled: Rolled, name: str) -> Floats:
    """(1 + K) x n: half the mean absolute error per period, half that of the running total per period; NaN unknown.

    The error of single periods alone would reward forecasting zero for items that sell now and then.
    """
    gap = np.where(rolled.valid[:, :, None], rolled.forecasts[name] - rolled.actual, np.nan)
    there = ~np.isnan(gap)
    n = there.sum(2)
    gap = np.where(there, gap, 0.0)
    single = np.abs(gap).sum(2) / np.maximum(n, 1)
    total = np.abs(gap.sum(2)) / np.maximum(n, 1)
    return np.where(n > 0, 0.5 * single + 0.5 * total, np.nan)


def choose(panel: Panel, rolled: Rolled, prior: float = 4.0) -> Choice:
    """The method per series by its past errors, shrunk to those of its class.

    Errors of each series are taken relative to the seasonal naive's; the class (and all series together) count as
    `prior` more origins. A method that does not beat the seasonal naive is not chosen.
    """
    names = list(rolled.forecasts)
    loss = np.stack([errors(rolled, n) for n in names])[:, 1:]  # M x K x n
    count = (~np.isnan(loss[0])).sum(0)
    own = np.nansum(loss, 1) / np.maximum(count, 1)
    base = own[names.index(NAIVES[0])]
    size = np.where(base > 0, base, np.maximum(own.mean(0), 1e-9))
    relative = np.minimum(own / size, 5.0)
    pool = np.ones((len(names), len(base)))
    judged = count > 0
    for label in np.unique(panel.demand_class):
        here = (panel.demand_class == label) & judged
        if here.any():
            pool[:, panel.demand_class == label] = _pooled(relative, here, judged)[:, None]
        elif judged.any():
            pool[:, panel.demand_class == label] = _pooled(relative, judged, judged)[:, None]
    score = (count * relative + prior * pool) / (count + prior)
    best = score.argmin(0)
    reference = score[names.index(NAIVES[0])]
    best = np.where(score.min(0) < reference, best, names.index(NAIVES[0]))
    if not judged.any():
        best[:] = names.index("median")
    return Choice(names, best, own, count)


def _pooled(relative: Floats, here: NDArray[np.bool_], judged: NDArray[np.bool_], prior: float = 30.0) -> Floats:
    whole = relative[:, judged].mean(1)
    return np.asarray((relative[:, here].sum(1) + prior * whole) / (here.sum() + prior))
