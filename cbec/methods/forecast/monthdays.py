"""Days of the month: paydays, benefits and rents make days of a month alike, whatever the weekday.

The total demand of all series, and what each group of them has besides, without its weekly season and over its mean of four
weeks, tells an index per day of the month: the median over the months, whose differences say how much of it to believe
(James & Stein).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import periods, seasonal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.seasonal import Seasons

    Floats = NDArray[np.float64]
    Groups = NDArray[np.int64]

#: Days in a mean, and days of history wanted.
WEEKS, LEAST = 28, 120
#: Months in which a day of the month must be known.
MONTHS = 3
#: Ratios outside are events (closed, a rush), not days of the month.
USUAL = (0.4, 2.5)
#: Times the standard error that shrinking takes off.
SHRINK = 1.0


@dataclass(frozen=True)
class MonthDays:
    """A season and days of the month around it.

    index: L x 31 factors; line: rows -> L; view: rows -> V; past, ahead: V x T and V x h days of the month from 0.
    """

    inner: Seasons
    index: Floats
    line: Groups
    view: Groups
    past: Groups
    ahead: Groups

    def of(self, rows: slice | Groups) -> MonthDays:
        """Those of some of the histories."""
        return MonthDays(self.inner.of(rows), self.index, self.line[rows], self.view[rows], self.past, self.ahead)

    def out_of(self, y: Floats) -> Floats:
        """Histories without them."""
        return self.inner.out_of(y / self.index[self.line[:, None], self.past[self.view]])

    def into(self, forecast: Floats) -> Floats:
        """Forecasts with them."""
        h = forecast.shape[1]
        return np.asarray(self.inner.into(forecast) * self.index[self.line[:, None], self.ahead[self.view][:, :h]])


def within(season: Seasons, stack: Floats, ordinals: Groups, back: tuple[int, ...], h: int, group: Groups) -> Seasons:
    """The season with days of the month where the history tells any.

    stack: V x n x T daily histories known today and at the origins `back` days ago; ordinals: T day numbers of today's view.
    """
    deep, count, width = stack.shape
    if width < LEAST or count < seasonal.SHARED:
        return season
    cuts = (0, *back)
    past = np.stack([_days(ordinals - cut) for cut in cuts])
    ahead = np.stack([_days(ordinals[-1] + 1 + np.arange(h) - cut) for cut in cuts])
    number = np.stack([_months(ordinals - cut) for cut in cuts])
    flat = np.empty(stack.shape)
    for k in range(deep):
        flat[k] = season.of(slice(k * count, (k + 1) * count)).out_of(stack[k])
    groups = np.unique(group)
    index = np.ones((deep, 1 + len(groups), 31))
    of = np.zeros(count, np.int64)
    whole = _total(flat)
    for k in range(deep):
        index[k, 0] = _index(whole[k], past[k], number[k])
    for place, one in enumerate(groups, 1):
        here = group == one
        if seasonal.SHARED <= here.sum() < count:
            of[here] = place
            lines = _total(flat[:, here])
            for k in range(deep):
                beyond = _index(lines[k] / index[k, 0][past[k]], past[k], number[k])
                index[k, place] = index[k, 0] * beyond
    if (index == 1).all():
        return season
    view = np.repeat(np.arange(deep), count)
    line = view * (1 + len(groups)) + np.tile(of, deep)
    return MonthDays(season, index.reshape(-1, 31), line, view, past, ahead)


def _total(stack: Floats) -> Floats:
    """V x T: units of all series, where enough of them are alive."""
    known = ~np.isnan(stack)
    return np.where(known.sum(1) >= seasonal.SHARED, np.where(known, stack, 0.0).sum(1), np.nan)


def _days(ordinals: Groups) -> Groups:
    day = periods.starts(ordinals, "D")
    return np.asarray((day - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64))


def _months(ordinals: Groups) -> Groups:
    month = periods.starts(ordinals, "D").astype("datetime64[M]").astype(np.int64)
    return np.asarray(month - month.min())


def _index(line: Floats, day: Groups, month: Groups) -> Floats:
    """31 factors of one line of shared demand (T), 1 where months do not resemble each other."""
    none = np.ones(31)
    known = np.flatnonzero(~np.isnan(line))
    if len(known) < LEAST:
        return none
    begin = int(known[0])
    part = line[begin:]
    usual = seasonal.centred_mean(part[None, :], WEEKS)[0]
    if np.isnan(usual).all():
        return none
    usual = seasonal.to_the_ends(usual, WEEKS)
    ratio = np.where(usual > 0, part / np.where(usual > 0, usual, 1.0), np.nan)
    ratio[(ratio < USUAL[0]) | (ratio > USUAL[1])] = np.nan
    table = np.full((int(month.max()) + 1, 31), np.nan)
    table[month[begin:], day[begin:]] = ratio - 1
    there = ~np.isnan(table)
    count = there.sum(0)
    enough = count >= MONTHS
    if not enough.any():
        return none
    middle = np.zeros(31)
    middle[enough] = np.nanmedian(table[:, enough], 0)
    middle -= np.where(enough, np.average(middle, weights=count * enough), middle)
    rest = np.where(there, table - middle, 0.0)
    variance = float((rest * rest).sum()) / max(int(there.sum()) - 31, 1)
    noise = float((variance / np.maximum(count, 1))[enough].sum())
    size = float((middle * middle).sum())
    keep = max(0.0, 1 - SHRINK * noise / size) if size > 0 else 0.0
    return np.asarray(1 + keep * middle)
