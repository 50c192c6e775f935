"""Forecasts of all methods from rolling origins.

The histories as they stood at each origin are laid on top of each other, so that one pass of a method makes its
forecasts from all origins and from today. Nothing after an origin enters its forecast.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import (
    aggregated,
    drivers,
    global_model,
    history,
    local,
    monthdays,
    periods,
    pooled,
    seasonal,
    theta,
    winters,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: What does well without a record.
DEFAULT = "blend"
#: Weights of Theta, Theta of logarithms, damped trend, and Theta of quarters, in the combination.
_FINE, _COARSE = (0.31, 0.31, 0.38, 0.0), (0.3, 0.3, 0.4, 0.0)
COMBINATION = {"H": _FINE, "D": _FINE, "W": _FINE, "M": (0.32, 0.32, 0.16, 0.2), "Q": _COARSE, "Y": _COARSE}
#: Weight of the plain mean besides, which it has from a usual error over level of CALM[1] on; none below CALM[0].
LEAN = {"H": 0.2, "D": 0.2, "W": 0.2, "M": 0.4, "Q": 0.2, "Y": 0.0}
CALM = (0.03, 0.15)
#: What a method must beat.
NAIVE = "seasonal_naive"
#: Past origins at most.
ORIGINS = 4
#: Usual error over level from which the catalogue's level enters the blend, and at which it has its largest weight; known periods per
#: period with a sale (the cut of Syntetos, Boylan & Croston) from which it stands alone.
QUIET, NOISY, MOST = 0.1, 0.35, 0.75
#: The largest weight for what sells in large numbers (over quarters and years few values tell a trend, and the level is the
#: better guess there too), and how many times the noise of counts is small.
LEAST = {"H": 0.2, "D": 0.2, "W": 0.2, "M": 0.2, "Q": 0.75, "Y": 0.75}
COUNTED = 5.0
DENSE, SPARSE = 1.1, 1.32
#: Periods in which this year's level is compared with last year's, where a season is a year.
LEVEL_WINDOW = {"W": 8, "M": 3, "Q": 2}
#: Part of the blend in a forecast that otherwise follows last year.
HEDGE = 0.25
#: Series on which it is judged whether covariates help.
JUDGES = 1000


@dataclass(frozen=True)
class Rolled:
    """Forecasts per method, (1 + K) x n x h: row 0 from today, row k from cuts[k] periods ago; actual of the K past
    origins, (1 + K) x n x h, NaN where masked or not yet over (row 0 all NaN); usual: the same with bulk orders capped, by which
    methods are chosen. scale: (1 + K) x n, usual one-step error. moments: 3 x (1 + K) x n, known periods, mean and
    variance of the seasonally adjusted history.
    valid: (1 + K) x n, whether the series had enough history at the origin to be judged. effect: what was taken out of the
    histories and put into the forecasts of all methods but the naive ones. besides: see `global_model.Made`."""

    cuts: tuple[int, ...]
    forecasts: dict[str, Floats]
    actual: Floats
    usual: Floats
    scale: Floats
    moments: Floats
    valid: Flags
    effect: drivers.Driven | None = None
    besides: dict[str, Floats] = field(default_factory=dict)


def cuts(width: int, horizon: int, most: int = ORIGINS) -> tuple[int, ...]:
    """How many periods before today the past origins lie: the last `horizon` periods, and further back by a half each.

    A history too short for that is cut at a third of its length, so that the record covers the first part of the horizon.
    At least half of it lies before every origin: with less, methods err in ways that they no longer would.
    """
    reach = min(horizon, max(1, width // 3))
    room = max(width // 2 - reach, 0)
    step = max(1, min(-(-reach // 2), room // (most - 1)))
    found = [reach + k * step for k in range(most)]
    return tuple(c for c in found if width - c >= 2 and (c == reach or c <= width // 2))


def views(units: Floats, back: tuple[int, ...]) -> Floats:
    """(1 + K) x n x T: histories known today and at each origin, right-aligned."""
    out = np.empty((1 + len(back), *units.shape))
    for k, cut in enumerate((0, *back)):
        out[k] = view(units, cut)
    return out


def view(units: Floats, cut: int) -> Floats:
    """N x T: histories as known `cut` periods ago, right-aligned."""
    out = np.empty(units.shape)
    out[:, :cut], out[:, cut:] = np.nan, units[:, : units.shape[1] - cut]
    return out


def actuals(units: Floats, back: tuple[int, ...], h: int) -> Floats:
    """(1 + K) x n x h: what came after each origin."""
    count, width = units.shape
    out = np.full((1 + len(back), count, h), np.nan)
    for k, cut in enumerate(back, 1):
        part = units[:, width - cut : width - cut + h]
        out[k, :, : part.shape[1]] = part
    return out


def roll(panel: Panel, h: int, *, every: bool = False, trees: str = "off") -> Rolled:
    """Forecasts from today and from the past origins: of the candidates, or of every method.

    trees: whether the global model is among them, auto, on or off. What is known beside the sales is taken out of the histories and put into the forecasts, kind by kind where that
    does better at the past origins.
    """
    back = cuts(panel.units.shape[1], h)
    global_ = global_model.wanted(trees, panel, 1 + len(back), h)
    if panel.covariates is None or not panel.covariates.kinds:
        return _roll(panel, h, every=every, global_=global_)
    rows = np.unique(np.linspace(0, len(panel.keys) - 1, min(JUDGES, len(panel.keys))).astype(np.int64))
    few = history.some(panel, rows)

    def loss(effect: drivers.Driven | None) -> float:
        tried = _roll(few, h, effect)
        return float(errors(tried, tried.forecasts[DEFAULT]).sum())

    used, saved = drivers.judged(few, back, h, loss)
    chosen = panel.covariates.only(used.kinds, used.lines)
    effect = drivers.learn(replace(panel, covariates=chosen), back, h)
    if effect is not None:
        effect = replace(effect, saved=saved)
    return _roll(panel, h, effect, every=every, global_=global_)


def _roll(
    panel: Panel, h: int, effect: drivers.Driven | None = None, *, every: bool = False, global_: bool = False
) -> Rolled:
    width = panel.units.shape[1]
    back = cuts(width, h)
    stack, sold = views(panel.units, back), panel.sold
    if effect is not None:
        stack = effect.out_of(stack)
    actual, usual = actuals(sold, back, h), actuals(panel.units, back, h)
    shape = actual.shape
    y = stack.reshape(-1, width)
    recency = seasonal.RECENCY_SHORT if panel.frequency in "HD" else seasonal.RECENCY
    longer = periods.AROUND.get(panel.frequency, 0)
    inner = seasonal.nested(stack, panel.season, longer, recency, panel.group)
    season: seasonal.Seasons = inner
    if panel.frequency == "D":
        season = seasonal.around(stack, inner, periods.SEASON["W"], panel.group)
        season = monthdays.within(season, stack, panel.ordinals, back, h, panel.group)
    sales = (stack > 0).sum(2)
    least = [usual_least(known) for known in sales]  # what comes after an origin must not tell who teaches at it
    level, sure = pooled.levels(stack, season, back, h, panel.frequency, least)
    out: dict[str, Floats] = {}
    mse, moments = np.empty(len(y)), np.empty((3, len(y)))
    pool, mean = np.empty(len(y)), np.empty(len(y))
    flat = np.empty((len(y), h))
    blocks = [slice(start, start + seasonal.BLOCK) for start in range(0, len(y), seasonal.BLOCK)]
    for rows in blocks:
        alone = _methods(y[rows], season.of(rows), h, panel.frequency, every)
        flat[rows], pool[rows], mean[rows] = alone.flat, alone.pool, alone.mean
        mse[rows], moments[:, rows] = alone.mse, alone.moments
        for name, values in alone.made.items():
            out.setdefault(name, np.empty((len(y), h)))[rows] = values
    single, late = flat.mean(1).reshape(shape[:2]), mean.reshape(shape[:2])
    more = _bulk(panel, stack, season, late, back)
    level = pooled.lifted(level, sure, single, late, more).reshape(-1)
    for rows in blocks:
        for name, values in _pooled(season.of(rows), level[rows], pool[rows], flat[rows]).items():
            out.setdefault(name, np.empty((len(y), h)))[rows] = values
        if "seasonal_level" in out:
            followed = HEDGE * out["blend"][rows] + (1 - HEDGE) * out["seasonal_level"][rows]
            out.setdefault("seasonal_blend", np.empty((len(y), h)))[rows] = followed
    learnt = global_model.forecasts(panel, stack, season, back, h, effect) if global_ else None
    if learnt is not None:
        out[global_model.NAME] = np.maximum(season.into(learnt.flat.reshape(-1, h)), 0.0)
    if effect is not None:
        out = effect.into(out)
    # The methods to beat know of nothing but sales, as they came.
    out[NAIVE] = np.concatenate([local.seasonal_naive(view(sold, cut), h, panel.season) for cut in (0, *back)])
    if every:
        out["naive"] = np.concatenate([local.naive(view(sold, cut), h) for cut in (0, *back)])
    out["seller_formula"] = _seller(panel, sold, back, h)
    life = (~np.isnan(stack)).sum(2)
    scale = np.sqrt(np.nan_to_num(mse)).reshape(shape[:2])
    return Rolled(
        back,
        {k: v.reshape(shape) for k, v in out.items()},
        actual,
        usual,
        scale,
        moments.reshape(3, *shape[:2]),
        (sales >= _enough(least[0], width, back)[:, None]) & (life >= 2),
        effect,
        {} if learnt is None else learnt.besides,
    )


def usual_least(sales: NDArray[np.int64]) -> int:
    """Periods with a sale that (nearly) every series of the catalogue has, up to 8. sales: of n series, known at one origin.

    Series with fewer at a past origin are in the catalogue only since they sold again: they say nothing of what others
    may expect.
    """
    some = sales[sales > 0]
    return int(np.clip(np.quantile(some, 0.01), 1, 8)) if some.size else 1


def _enough(least: int, width: int, back: tuple[int, ...]) -> Floats:
    """1 + K, periods with a sale from which a series is judged at an origin.

    `least` (see `usual_least`), but where the data themselves go back no further than that, no series could have had it: there it is
    enough to have sold often (the cut of Syntetos, Boylan & Croston).
    """
    return np.minimum(least, (width - np.array((0, *back))) / SPARSE)


@dataclass(frozen=True)
class _Alone:
    """What series (N) let expect one at a time: forecasts N x h by method; the combination without season, never negative; the
    weight of the catalogue's level; the mean of late; the squared one-step error of Theta; moments of the adjusted history."""

    made: dict[str, Floats]
    flat: Floats
    pool: Floats
    mean: Floats
    mse: Floats
    moments: Floats


def _methods(y: Floats, season: seasonal.Seasons, h: int, frequency: str, every: bool) -> _Alone:
    """Methods that look at one series at a time."""
    m = periods.SEASON[frequency]
    flat = season.out_of(y)
    raw, mse = theta.theta(flat, h)
    logs, trend = theta.of_logarithms(flat, raw, periods.LONG[frequency]), local.damped_trend(flat, h)
    mean = local.window_mean(flat, h, periods.LONG[frequency])
    weights = COMBINATION[frequency]
    combination = weights[0] * raw + weights[1] * logs + weights[2] * trend
    if weights[3]:
        combination += weights[3] * theta.of_means(flat, h, 3)
    lean = LEAN[frequency] * np.clip((_noise(combination, mse) - CALM[0]) / (CALM[1] - CALM[0]), 0.0, 1.0)[:, None]
    combination = (1 - lean) * combination + lean * mean
    pool = _pool(y, combination.mean(1), _noise(combination, mse), frequency)
    adjusted = {"window_mean": mean, "theta": raw, "combination": combination, "tsb": local.tsb(flat, h)}
    if frequency == "H":
        adjusted |= {
            "day_mean": local.window_mean(flat, h, 24),
            "reverting": local.reverting(flat, h, periods.LONG["H"]),
        }
    if every:
        adjusted |= {
            "theta_log": logs,
            "damped_trend": trend,
            "theta_standard": theta.theta(flat, h, omega=0.5)[0],
            "ses": local.ses(flat, h),
            "croston": local.croston(flat, h),
            "sba": local.croston(flat, h, variant="sba"),
            "adida": aggregated.adida(flat, h),
            "imapa": aggregated.imapa(flat, h),
        }
    made = {name: _seen(season, values) for name, values in adjusted.items()}
    if every:
        made["holt_winters"] = np.maximum(np.nan_to_num(winters.holt_winters(y, h, m)), 0.0)
    if frequency in LEVEL_WINDOW:
        made["seasonal_level"] = local.seasonal_level(y, h, m, LEVEL_WINDOW[frequency])
    if frequency == "H":
        made["week_shift"] = local.seasonal_shift(y, h, periods.AROUND["H"], m)
    return _Alone(made, np.maximum(combination, 0.0), pool, mean[:, 0], mse, _moments(flat))


def _bulk(panel: Panel, stack: Floats, season: seasonal.Seasons, mean: Floats, back: tuple[int, ...]) -> Floats:
    """(1 + K) x n: what one-off bulk orders add to the mean of late."""
    out = np.zeros(mean.shape)
    series = np.flatnonzero(panel.excess.any(1))
    if series.size:
        whole = stack[:, series] + local.zeroed(views(panel.excess[series], back))
        for k, histories in enumerate(whole):
            flat = season.of(k * len(panel.keys) + series).out_of(histories)
            out[k, series] = local.window_mean(flat, 1, periods.LONG[panel.frequency])[:, 0] - mean[k, series]
    return out


def _seen(season: seasonal.Seasons, flat: Floats) -> Floats:
    """Forecasts with their season, never negative."""
    return np.maximum(season.into(np.nan_to_num(flat)), 0.0)


def _pooled(season: seasonal.Seasons, level: Floats, pool: Floats, flat: Floats) -> dict[str, Floats]:
    """The catalogue's level (N), and the blend of it and of what the series say one at a time (N x h)."""
    mixed = pool[:, None] * level[:, None] + (1 - pool[:, None]) * flat
    every = np.repeat(level[:, None], flat.shape[1], 1)
    return {"pooled_level": _seen(season, every), "blend": _seen(season, mixed)}


def _noise(forecast: Floats, mse: Floats) -> Floats:
    """Usual error over level; infinite without a level."""
    level = forecast.mean(1)
    return np.where(level > 0, np.sqrt(np.nan_to_num(mse)) / np.where(level > 0, level, 1.0), np.inf)


def _pool(y: Floats, level: Floats, noise: Floats, frequency: str) -> Floats:
    """Weight of the catalogue's level in the blend: the noisier, sparser or younger a series, the less it tells by itself."""
    # Of what sells by the thousand, noise that counts do not explain tells less.
    few = np.clip((COUNTED / np.sqrt(np.maximum(level, 1e-9)) - QUIET) / (NOISY - QUIET), 0.0, 1.0)
    least = LEAST[frequency]
    most = least + (MOST - least) * few
    loud = most * np.clip((noise - QUIET) / (NOISY - QUIET), 0.0, 1.0)
    life = (~np.isnan(y)).sum(1)
    rare = np.clip((life / np.maximum((y > 0).sum(1), 1) - DENSE) / (SPARSE - DENSE), 0.0, 1.0)
    new = np.clip(2 - life / periods.YOUNG[frequency], 0.0, 1.0)
    return np.asarray(np.maximum(loud, np.maximum(rare, new)))


def _moments(y: Floats) -> Floats:
    known = ~np.isnan(y)
    n = known.sum(1).astype(np.float64)
    mean = np.where(known, y, 0.0).sum(1) / np.maximum(n, 1)
    rest = np.where(known, y - mean[:, None], 0.0)
    return np.stack([n, mean, np.einsum("it,it->i", rest, rest) / np.maximum(n - 1, 1)])


def _seller(panel: Panel, sold: Floats, back: tuple[int, ...], h: int) -> Floats:
    width = panel.units.shape[1]
    length = periods.days(panel.ordinals, panel.frequency)
    # As sellers' tools have it, days before the first sale count as days without sales.
    units = np.where(np.arange(width) < panel.first[:, None], 0.0, sold)
    parts = []
    for cut in (0, *back):
        ahead = periods.days(panel.ahead(h) - cut, panel.frequency)
        parts.append(local.seller_formula(units[:, : width - cut], length[: width - cut], ahead))
    return np.concatenate(parts)


def losses(rolled: Rolled, forecast: Floats) -> Floats:
    """(1 + K) x n mean squared errors: of the horizon's total per period, and of the single periods, half each.

    Squares, since the mean is what is asked for: absolute errors reward forecasting zero for what sells now and then.
    NaN where nothing is known.
    """
    gap = np.where(rolled.valid[:, :, None], forecast - rolled.usual, np.nan)
    there = ~np.isnan(gap)
    n = there.sum(2)
    gap = np.where(there, gap, 0.0)
    single = np.einsum("kih,kih->ki", gap, gap) / np.maximum(n, 1)
    total = (gap.sum(2) / np.maximum(n, 1)) ** 2
    return np.where(n > 0, 0.5 * single + 0.5 * total, np.nan)


def errors(rolled: Rolled, forecast: Floats) -> Floats:
    """N root mean squared errors over the past origins (see `losses`), 0 where nothing is known."""
    squared = losses(rolled, forecast)[1:]
    told = ~np.isnan(squared)
    return np.asarray(np.sqrt(np.where(told, squared, 0.0).sum(0) / np.maximum(told.sum(0), 1)))
