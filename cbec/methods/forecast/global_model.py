"""One model over all series: gradient boosted trees (LightGBM; Ke et al. 2017), Tweedie loss, direct.

A row is a series, an origin and a number of periods ahead; everything in it was known at the origin, or is known in advance
(calendar, effects of what is planned). What it learns is a factor on a level of the series (its logarithm is the initial
score), so that a series of a thousand a day and one of three a month teach each other; season and effects are taken out
before and put in after, as for the other methods. Lessons are origins further back whose horizon was over; late ones weigh more.

One model is taught by what was known at the oldest past origin and judged at all of them; today's model is taught by all. It
is used for those classes of series in which its mean with what was chosen without it did better than that alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cbec.methods.forecast import periods, pooled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.drivers import Driven
    from cbec.methods.forecast.effects import Effects
    from cbec.methods.forecast.history import Panel
    from cbec.methods.forecast.seasonal import Seasons

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NAME = "global_model"
#: Frequencies that it is taught at, and series that it takes to be worth it unasked.
FINE, LEAST = ("H", "D", "W", "M"), 500
#: Rows of a lesson book, and the most rows that are forecast (series x origins x periods ahead).
ROWS, MOST = 300_000, 12_000_000
#: Half-life of a lesson's weight in horizons.
RECENCY = 6.0
LEARNER: dict[str, Any] = {
    "objective": "tweedie",
    "tweedie_variance_power": 1.2,
    "learning_rate": 0.08,
    "num_leaves": 31,
    "min_data_in_leaf": 300,
    "lambda_l2": 20.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 127,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "verbose": -1,
}
ROUNDS = 100


@dataclass(frozen=True)
class View:
    """Histories as known at one origin: flat (n x T, right-aligned, without season and effects), its columns before the data
    (lead), the period number after its end, numbers of the groups (n), and per kind the logarithms of the effects on the
    known periods and on those ahead, R x (T - lead + h), with the row of each series in them. year: whether every lesson knows the year before it (one or two that
    do would be learnt by heart)."""

    flat: Floats
    lead: int
    ordinal: int
    frequency: str
    group: Ints
    effects: dict[str, tuple[Floats, Ints] | None] = field(default_factory=dict)
    year: bool = False

    def without(self, kind: str) -> View:
        """The same with nothing planned of a kind."""
        return replace(self, effects=self.effects | {kind: None})


@dataclass(frozen=True)
class Made:
    """Forecasts without season and effects, (1 + K) x n x h, and per kind what the model makes of the effects besides: n x h
    factors on today's."""

    flat: Floats
    besides: dict[str, Floats]


def wanted(mode: str, panel: Panel, origins: int, h: int) -> bool:
    """Whether it is worth teaching. mode: on, off, or auto: LEAST series, promotions, events or signals known, and no more to
    forecast than MOST."""
    count, width = panel.units.shape
    if mode == "off" or panel.frequency not in FINE or not _lessons(width - (origins > 1) * h, h):
        return False
    large = count >= LEAST and count * h * origins <= MOST
    given = panel.covariates is not None and bool({"promotion", "event", "signal"} & set(panel.covariates.kinds))
    return mode == "on" or (large and given)


def forecasts(
    panel: Panel, stack: Floats, season: Seasons, back: tuple[int, ...], h: int, driven: Driven | None
) -> Made | None:
    """Forecasts from today and from the origins `back` periods ago; None where the oldest origin left nothing to learn.

    stack: (1 + K) x n x T histories without effects; season: theirs.
    """
    count = stack.shape[1]
    kinds = () if driven is None else driven.kinds
    views = []
    for k, cut in enumerate((0, *back)):
        flat = season.of(slice(k * count, (k + 1) * count)).out_of(stack[k])
        one = None if driven is None else driven.origins[k]
        logs = {kind: _log(one, kind) for kind in kinds}
        ordinal = int(panel.ordinals[-1]) + 1 - cut
        known = flat.shape[1] - cut
        lessons = _lessons(known, h)
        year = bool(lessons) and known - lessons[-1] >= sum(_YEAR[panel.frequency][::2])
        views.append(View(flat, cut, ordinal, panel.frequency, panel.group, logs, year))
    teacher, today = train(views[-1], h), train(views[0], h)
    if teacher is None or today is None:
        return None
    made = np.stack([factor(today if k == 0 else teacher, view, h) for k, view in enumerate(views)])
    besides = {kind: made[0] / factor(today, views[0].without(kind), h) for kind in kinds if views[0].effects[kind]}
    return Made(made, besides)


def _log(one: Effects | None, kind: str) -> tuple[Floats, Ints] | None:
    if one is None or kind not in one.factor:
        return None
    factor_, at = one.factor[kind]
    return np.log(factor_), at


def level(features: Floats) -> Floats:
    """The level that a forecast is a factor on."""
    return np.asarray(np.maximum(features @ pooled.PRIOR, 1e-3))


def rows_of(view: View, back: int) -> tuple[Floats, Floats]:
    """Features by series (n x F) of the origin `back` periods before the view's end, and the level (n)."""
    width = view.flat.shape[1]
    past = np.full(view.flat.shape, np.nan)
    past[:, back:] = view.flat[:, : width - back]
    means = pooled.features(past[:, view.lead + back :], view.frequency)
    at = level(means)
    known = ~np.isnan(past)
    sold = np.nan_to_num(past) > 0
    life = known.sum(1)
    recent = periods.YOUNG[view.frequency]
    last = np.where(sold.any(1), sold[:, ::-1].argmax(1), width)
    near = known[:, -recent:].sum(1)
    whole = _group_lines(past, view.group)
    short, long = pooled.HALF_LIVES[view.frequency][0][0], pooled.HALF_LIVES[view.frequency][0][2]
    trend = np.log(_recent(whole, short) / _recent(whole, long))[view.group]
    columns = [
        np.log(at),
        *(means / at[:, None]).T,
        np.where(near > 0, sold[:, -recent:].sum(1) / np.maximum(near, 1), 0.0),
        sold.sum(1) / np.maximum(life, 1),
        np.minimum(last, 400),
        life,
        trend,
        view.group,
    ]
    return np.stack(columns, 1), at


def _group_lines(flat: Floats, group: Ints) -> Floats:
    out = np.zeros((int(group.max(initial=0)) + 1, flat.shape[1]))
    np.add.at(out, group, np.maximum(np.nan_to_num(flat), 0.0))
    return out


def _recent(lines: Floats, half_life: float) -> Floats:
    weight = 0.5 ** (np.arange(lines.shape[1])[::-1] / half_life)
    return np.asarray((lines @ weight) / weight.sum() + 1e-3)


def steps_of(view: View, back: int, series: Ints, step: Ints) -> Floats:
    """Features by row of the period that is forecast: what is known in advance."""
    width = view.flat.shape[1]
    column = width - back + step
    ordinal = view.ordinal + step - back
    # Neither the day of the month nor the exact number of periods ahead: with both, a tree knows the date of a lesson, and
    # learns by heart what befell all series on it.
    columns: list[Any] = [step // periods.SEASON[view.frequency] if view.frequency in "HD" else step]
    if view.frequency in "HD":
        start = periods.starts(ordinal, view.frequency).astype("datetime64[D]")
        columns.append((start.astype(np.int64) + 3) % 7)
    columns += _year_before(view, back, series, step)
    for told in view.effects.values():
        columns.append(np.zeros(len(series)) if told is None else told[0][told[1][series], column - view.lead])
    return np.stack([np.asarray(c, np.float64) for c in columns], 1)


#: Periods of a year, on both sides of a date in it, and before it that are its usual.
_YEAR = {"H": (8736, 84, 672), "D": (364, 7, 28), "W": (52, 1, 8), "M": (12, 0, 3)}


def _year_before(view: View, back: int, series: Ints, step: Ints) -> list[Floats]:
    """How demand of the group, and of the series, stood a year before the period against a year before the origin."""
    year, around, before = _YEAR[view.frequency]
    width = view.flat.shape[1]
    origin = width - back
    first = origin - year - before
    if not view.year or first < view.lead:
        return [np.full(len(series), np.nan)] * 2
    out = []
    for lines, at in (
        (_group_lines(view.flat, view.group), view.group),
        (np.maximum(np.nan_to_num(view.flat), 0.0), np.arange(len(view.flat))),
    ):
        total = np.cumsum(np.pad(lines, ((0, 0), (1, 0))), 1)
        usual = (total[:, origin - year] - total[:, first]) / before
        left = origin - year + step % year - around  # a year before, or more years where that is not over yet
        right = np.minimum(left + 2 * around + 1, origin)
        there = (total[at[series], right] - total[at[series], left]) / (right - left)
        scale = usual[at[series]]
        out.append(np.log((there + 0.05 * scale + 1e-3) / (1.05 * scale + 1e-3)))
    return out


def train(view: View, h: int) -> Any:
    """A model taught by the origins that lie before the end of the view; None where they are too few for a single split, or nothing was sold after them."""
    import lightgbm

    width = view.flat.shape[1] - view.lead
    lessons = _lessons(width, h)
    if not lessons:
        return None
    count = len(view.flat)
    stride = max(1, -(-count * h * len(lessons) // ROWS))
    x, y, start, weight = [], [], [], []
    for number, back in enumerate(lessons):
        cells = np.arange(number % stride, count * h, stride)
        series, step = cells // h, cells % h
        target = view.flat[series, view.flat.shape[1] - back + step]
        by_series, at = rows_of(view, back)
        use = ~np.isnan(target) & (by_series[series, 1 : 1 + pooled.BASE].sum(1) > 0)
        series, step = series[use], step[use]
        ahead = steps_of(view, back, series, step)
        x.append(np.concatenate([by_series[series], ahead], 1))
        y.append(np.maximum(target[use], 0.0))
        start.append(np.log(at[series]))
        weight.append(np.full(len(series), 0.5 ** ((back - h) / (RECENCY * h))))
    if sum(map(len, y)) < 2 * LEARNER["min_data_in_leaf"] or not sum(float(part.sum()) for part in y):
        return None
    data = lightgbm.Dataset(
        np.concatenate(x),
        np.concatenate(y),
        weight=np.concatenate(weight),
        init_score=np.concatenate(start),
        params={k: LEARNER[k] for k in ("max_bin", "verbose", "num_threads")},
        free_raw_data=True,
    )
    return lightgbm.train(LEARNER, data, num_boost_round=ROUNDS)


def _lessons(width: int, h: int) -> list[int]:
    step = max(1, -(-h // 2))
    found = [h + k * step for k in range(8)]
    return [b for b in found if width - b >= max(h, width // 3)]


def factor(model: Any, view: View, h: int) -> Floats:
    """N x h: forecast of the level-and-factor, without season and effects."""
    count = len(view.flat)
    by_series, at = rows_of(view, 0)
    out = np.empty((count, h))
    block = max(1, 400_000 // h)
    for begin in range(0, count, block):
        rows = np.arange(begin, min(begin + block, count))
        series, step = np.repeat(rows, h), np.tile(np.arange(h), len(rows))
        ahead = steps_of(view, 0, series, step)
        raw = model.predict(np.concatenate([by_series[series], ahead], 1), raw_score=True, num_threads=2)
        out[rows] = (at[series] * np.exp(raw)).reshape(len(rows), h)
    return out
