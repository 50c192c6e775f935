"""Seasons: test, shrunk indices, taking them out and putting them back.

Classical decomposition (ratios to the centred moving average; differences where a value is not positive) with three
changes that pay on short histories: recent years weigh more, indices are shrunk by their own standard error
(James & Stein; Miller & Williams 2003), and a weak autocorrelation at the seasonal lag leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Groups = NDArray[np.int64]

#: Weight of a season against the one after it: years change faster than weekdays do.
RECENCY = 0.85
RECENCY_SHORT = 0.97
#: Times the standard error that shrinking takes off; above 1 since errors of neighbouring indices go together.
SHRINK = 1.5
#: Standard errors that the autocorrelation at the seasonal lag must have; where periods without a sale make chance seasons,
#: the usual test.
EVIDENCE, EVIDENCE_GAPS = 0.5, 2.5
#: Seasons a history must have.
SEASONS = 2.0
#: Standard errors by which the seasons of the shared line must resemble each other where it has SEASONS of them.
EVIDENCE_SHARED = 2.0
#: Part of a season seen once that comes again, and the seasons that this counts for beside the likeness of those at hand, of which the
#: first half tells nothing (its means are carried on at both ends); the part of a season beyond the first from which it counts in
#: full, and what its slow course (a cubic) counts for, since growth looks like that, too.
AGAIN, AGAIN_COUNTS, AGAIN_UNTOLD, AGAIN_AFTER, AGAIN_SLOW = 0.67, 0.5, 0.5, 0.125, 0.5
#: Series from which a shared season is told.
SHARED = 10
#: Periods that a collection sells for at least.
SPAN = 4
#: Part of the seasonal variance that the shared season must tell to be taken from series with a record of their own.
ALIKE = 0.1
#: Histories worked on at a time, so that they stay in the cache.
BLOCK = 4096
#: A factor below this is a closed day: it says nothing about the level.
CLOSED = 0.1


class Seasons(Protocol):
    """What can be taken out of histories and put into forecasts."""

    def of(self, rows: slice | Groups) -> Seasons:
        """Those of some of the histories."""
        ...

    def out_of(self, y: Floats) -> Floats:
        """Histories without it."""
        ...

    def into(self, forecast: Floats) -> Floats:
        """Forecasts with it."""
        ...


@dataclass(frozen=True)
class Season:
    """Seasonal factors (N x m, 1 = none) and differences (N x m, 0 = none); column j belongs to period T - m + j."""

    factor: Floats
    shift: Floats

    def of(self, rows: slice | Groups) -> Season:
        """The seasons of some of the histories."""
        return Season(self.factor[rows], self.shift[rows])

    def out_of(self, y: Floats) -> Floats:
        """Histories without their season."""
        width, m = y.shape[1], self.factor.shape[1]
        divisor = np.where(self.factor < CLOSED, np.nan, self.factor)
        if m == 1:
            return np.asarray(y / divisor - self.shift)
        out, shifted = np.empty(y.shape), bool(self.shift.any())
        for end in range(width, 0, -m):  # season by season from the end: no copy of the indices as long as the history
            here, there = slice(max(end - m, 0), end), slice(max(m - end, 0), m)
            np.divide(y[:, here], divisor[:, there], out=out[:, here])
            if shifted:
                out[:, here] -= self.shift[:, there]
        return out

    def into(self, forecast: Floats) -> Floats:
        """Forecasts with their season."""
        at = np.arange(forecast.shape[1]) % self.factor.shape[1]
        return np.asarray((forecast + self.shift[:, at]) * self.factor[:, at])


def nested(stack: Floats, m: int, around: int, recency: float = RECENCY, group: Groups | None = None) -> Season:
    """A season of m periods, and within it what a longer one of `around` periods (a multiple of m) has of its own."""
    inner = estimate(stack, m, recency, group)
    if not around or stack.shape[2] < SEASONS * around:
        return inner
    deep, count, width = stack.shape
    outer = estimate(inner.out_of(stack.reshape(-1, width)).reshape(deep, count, width), around, recency, group)
    times = around // m
    factor, shift = np.tile(inner.factor, times), np.tile(inner.shift, times)
    # ((x + outer.shift) outer.factor + inner.shift) inner.factor, written as one season
    return Season(factor * outer.factor, outer.shift + shift / np.maximum(outer.factor, 0.01))


@dataclass(frozen=True)
class Around:
    """A season and, around it, one of whole inner seasons: the weekdays, and the weeks of the year.

    outer: an index per inner season, the last of which ends with the history.
    """

    inner: Season
    outer: Season

    def of(self, rows: slice | Groups) -> Around:
        """Those of some of the histories."""
        return Around(self.inner.of(rows), self.outer.of(rows))

    def out_of(self, y: Floats) -> Floats:
        """Histories without them."""
        return self._each().out_of(self.inner.out_of(y))

    def into(self, forecast: Floats) -> Floats:
        """Forecasts with them."""
        return self.inner.into(self._each().into(forecast))

    def _each(self) -> Season:
        m = self.inner.factor.shape[1]
        return Season(np.repeat(self.outer.factor, m, 1), np.repeat(self.outer.shift, m, 1))


def around(stack: Floats, inner: Season, count: int, group: Groups | None = None) -> Seasons:
    """The inner season with one of `count` such seasons around it, told by their means, where the history is long enough.

    Single days of two or three years tell no index of a day of the year; the weeks they make do, as they do where they are
    all that is looked at.
    """
    deep, series, width = stack.shape
    m = inner.factor.shape[1]
    whole = width // m
    if whole < SEASONS * count:
        return inner
    flat = inner.out_of(stack.reshape(-1, width))[:, width - whole * m :].reshape(-1, whole, m)
    known = (~np.isnan(flat)).sum(2)
    mean = np.where(known > 0, np.nan_to_num(flat).sum(2) / np.maximum(known, 1), np.nan)
    return Around(inner, estimate(mean.reshape(deep, series, whole), count, group=group))


def centred_mean(y: Floats, m: int) -> Floats:
    """Centred moving average over m periods (2 x m for even m); NaN where a period is not known."""
    _count, width = y.shape
    out = np.full(y.shape, np.nan)
    if width < m + 1:
        return out
    total = np.cumsum(np.pad(np.nan_to_num(y), ((0, 0), (1, 0))), 1)
    known = np.cumsum(np.pad(~np.isnan(y), ((0, 0), (1, 0))), 1)
    sums, full = total[:, m:] - total[:, :-m], (known[:, m:] - known[:, :-m]) == m
    half = m // 2
    if m % 2 == 0:
        out[:, half : width - half] = np.where(
            full[:, :-1] & full[:, 1:], (sums[:, :-1] + sums[:, 1:]) / (2 * m), np.nan
        )
    else:
        out[:, half : width - half] = np.where(full, sums / m, np.nan)
    return out


def evidence(y: Floats, m: int) -> Floats:
    """Autocorrelation at lag m over its standard error (Bartlett), per series; 0 where nothing can be said."""
    count, width = y.shape
    known = ~np.isnan(y)
    n = known.sum(1)
    mean = np.where(known, y, 0.0).sum(1) / np.maximum(n, 1)
    x = np.where(known, y - mean[:, None], 0.0)
    power = np.einsum("ij,ij->i", x, x)
    safe = np.where(power > 0, power, 1.0)
    squares, at_m = np.zeros(count), np.zeros(count)
    for lag in range(1, min(m, width - 1) + 1):
        r = np.einsum("ij,ij->i", x[:, lag:], x[:, :-lag]) / safe
        if lag == m:
            at_m = r
        else:
            squares += r * r
    return np.asarray(at_m * np.sqrt(np.maximum(n, 1) / (1 + 2 * squares)))


def estimate(stack: Floats, m: int, recency: float = RECENCY, group: Groups | None = None) -> Season:
    """Seasonal indices of histories (V x n x T: V views of n series, right-aligned, NaN = not known) of season m.

    First the season that all series of a view share, from the mean of their levelled histories (it is all that a
    young or sparse series has), and what a group (n, numbers; a market, a category) has besides; then what a series has
    of its own, shrunk. Returns factors for the V * n histories.
    """
    deep, count, width = stack.shape
    y = stack.reshape(-1, width)
    if m <= 1:
        return Season(np.ones((len(y), 1)), np.zeros((len(y), 1)))
    common = np.ones((deep, m))
    if count >= SHARED:
        common = np.stack([_common(line, m, recency) for line in shared(stack, m)])
    told = _grouped(stack, common, recency, group)
    tells = ((~np.isnan(y)).sum(1) >= SEASONS * m) & _positive(y)
    factor, shift = np.ones((len(y), m)), np.zeros((len(y), m))
    for rows in _blocks(tells):
        factor[rows], shift[rows] = _index(y[rows], m, recency)
    alike = _alike(factor.reshape(deep, count, m), common, tells.reshape(deep, count))
    for rows in _blocks(~tells | np.repeat(alike, count)):
        together = Season(told[rows], np.zeros((len(rows), m)))
        own, shift[rows] = _index(together.out_of(y[rows]), m, recency)
        factor[rows] = together.factor * own
    return Season(factor, shift)


def _blocks(where: NDArray[np.bool_]) -> list[Groups]:
    """Numbers of the marked rows, as many at a time as stay in the cache."""
    rows = np.flatnonzero(where)
    return np.array_split(rows, -(-len(rows) // BLOCK)) if rows.size else []


def _positive(y: Floats) -> NDArray[np.bool_]:
    """Which histories (n) have no known value at or below 0."""
    return np.asarray(~(y <= 0).any(1))


def _grouped(stack: Floats, common: Floats, recency: float, group: Groups | None) -> Floats:
    """(V * n) x m: the common season times what each group's line shows beyond it."""
    _deep, count, width = stack.shape
    m = common.shape[1]
    out = np.repeat(common[:, None, :], count, 1)
    if group is not None:
        at = np.arange(-width, 0) % m
        for number in np.unique(group):
            here = group == number
            if SHARED <= here.sum() < count:
                without = np.where(common < CLOSED, np.nan, common)[:, at]
                lines = shared(stack[:, here], m) / np.stack([without, without**2], 1)
                out[:, here] *= np.stack([_common(line, m, recency) for line in lines])[:, None, :]
    return out.reshape(-1, m)


def _alike(factor: Floats, common: Floats, tells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """V: whether the series of a view share a season worth the name, or those that can tell one keep to their own."""
    size = np.where(tells, ((factor - 1) ** 2).sum(2), 0.0).sum(1) / np.maximum(tells.sum(1), 1)
    return np.asarray((((common - 1) ** 2).sum(1) >= ALIKE * size) & (common != 1).any(1))


def shared(stack: Floats, m: int) -> Floats:
    """V x 2 x T: mean of the series alive in each period, each divided by its own mean, and the variance of that mean.

    In a catalogue of collections of the series that last alone: what comes and goes every year makes a season of its
    launches, which neither it nor what stays does have.
    """
    return np.stack([_shared(y[lasts] if (lasts := lasting(y, m)) is not None else y) for y in stack])


def lasting(y: Floats, m: int) -> NDArray[np.bool_] | None:
    """Which series (n) sold for a season of m periods at least, from the first sale to the last, in a catalogue of collections.

    None where it is no such catalogue: fewer than SHARED last, or no more series than those sold steadily for a part of a season
    alone (in half of its periods at least; what hardly sells is no collection).
    """
    life = span(y)
    lasts = life >= m
    collections = ~lasts & (life >= SPAN) & (2 * (y > 0).sum(1) >= life)
    return lasts if SHARED <= lasts.sum() < collections.sum() else None


def span(y: Floats) -> Groups:
    """Periods from the first sale to the last, n; 0 without any."""
    sold = y > 0
    return np.where(sold.any(1), y.shape[1] - sold[:, ::-1].argmax(1) - sold.argmax(1), 0)


def _shared(y: Floats) -> Floats:
    # Histories begin with a sale: what sells in some periods only sold in the first by definition, and a launch is no whole period.
    known = ~np.isnan(y)
    first = known.argmax(1)
    begins = known.any(1) & ((first > 0) | (y == 0).any(1))
    known[np.flatnonzero(begins), first[begins]] = False
    value = np.where(known, y, 0.0)
    mean = value.sum(1) / np.maximum(known.sum(1), 1)
    weight = np.where(mean > 0, 1 / np.where(mean > 0, mean, 1.0), 0.0)
    alive = (known & (mean > 0)[:, None]).sum(0)
    line = np.einsum("it,i->t", value, weight) / np.maximum(alive, 1)
    square = np.einsum("it,it,i->t", value, value, weight**2) / np.maximum(alive, 1)
    noise = np.maximum(square - line * line, 0.0) / np.maximum(alive, 1)
    return np.where(alive >= SHARED, np.stack([line, noise]), np.nan)


def _common(told: Floats, m: int, recency: float) -> Floats:
    """Factors (m) of one line of shared demand with its variance (2 x T); 1 where its years do not resemble each other.

    The centred mean is carried on in a straight line to both ends. The correlation r of a season with the one before says how
    much of an index is season: with k of them, k r / (1 + (k - 1) r) (Spearman & Brown 1910). A young line, whose seasons can
    hardly be compared, is believed as much as those of other catalogues were, less what chance made of it (docs/decisions/0042).
    """
    none = np.ones(m)
    line, noise = told[:, ~np.isnan(told[0])]
    life = len(line)
    if life < m + 2:
        return none
    usual = to_the_ends(centred_mean(line[None, :], m)[0], max(m // 2, 2))
    # Weeks in which everything is shut (usual near 0) tell no season.
    open_ = usual > CLOSED * np.median(line)
    part = np.where(open_, line / np.where(open_, usual, 1.0) - 1, np.nan)
    young = life < SEASONS * m
    if young:
        if open_.sum() < m:
            return none
        at = np.linspace(-1, 1, life)
        part -= (1 - AGAIN_SLOW) * np.polyval(np.polyfit(at[open_], part[open_], 3), at)
    both = open_[:-m] & open_[m:]
    before, after = part[:-m][both], part[m:][both]
    spread = np.sqrt((before * before).sum() * (after * after).sum())
    alike = float((before * after).sum() / spread) if spread > 0 else 0.0
    kept = 1.0
    if young:
        seen = max(len(before) / m - AGAIN_UNTOLD, 0.0)
        alike = max((AGAIN_COUNTS * AGAIN + seen * alike) / (AGAIN_COUNTS + seen), 0.0)
        chance = float((noise[open_] / usual[open_] ** 2).sum() / max(float(np.nansum(part * part)), 1e-12))
        kept = max(1 - chance, 0.0) * min((life - m) / (AGAIN_AFTER * m), 1.0)
    elif alike * np.sqrt(len(before)) < EVIDENCE_SHARED:
        return none
    years = -(-life // m)
    padded = np.full(years * m, np.nan)
    padded[years * m - life :] = part
    cube = padded.reshape(years, m)
    weight = ~np.isnan(cube) * (recency ** np.arange(years)[::-1])[:, None]
    total = np.maximum(weight.sum(0), 1e-12)
    index = (np.nan_to_num(cube) * weight).sum(0) / total
    count = np.maximum(total**2 / np.maximum((weight * weight).sum(0), 1e-12), 1.0)
    index = (index - index.mean()) * (kept * count * alike / (1 + (count - 1) * alike))
    return np.asarray(np.maximum(1 + index, 0.0))


def to_the_ends(usual: Floats, reach: int) -> Floats:
    """A centred mean carried on in a straight line through its last (first) `reach` values."""
    out = usual.copy()
    there = np.flatnonzero(~np.isnan(usual))
    first, last = int(there[0]), int(there[-1])
    span = min(reach, last - first)
    if span > 0:
        head, tail = (usual[first + span] - usual[first]) / span, (usual[last] - usual[last - span]) / span
    else:
        head = tail = 0.0
    out[:first] = usual[first] + head * np.arange(-first, 0)
    out[last + 1 :] = usual[last] + tail * np.arange(1, len(usual) - last)
    return out


def _index(y: Floats, m: int, recency: float) -> tuple[Floats, Floats]:
    """Factor and shift per history (N x m), neutral where there is no evidence of a season.

    Factors where every value is positive, else shifts.
    """
    count, width = y.shape
    factor, shift = np.ones((count, max(m, 1))), np.zeros((count, max(m, 1)))
    known = ~np.isnan(y)
    life = known.sum(1)
    rows = np.flatnonzero(life >= SEASONS * m)
    if m <= 1 or width < SEASONS * m or not rows.size:
        return factor, shift
    y, life, known = y[rows], life[rows], known[rows]
    usual = centred_mean(y, m)
    positive = _positive(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(positive[:, None], y / usual - 1, y - usual)
    years = -(-width // m)
    cube = np.full((len(rows), years * m), np.nan)
    cube[:, years * m - width :] = parts
    cube = cube.reshape(len(rows), years, m)
    there = np.isfinite(cube)
    cube = np.where(there, cube, 0.0)
    weight = there * (recency ** np.arange(years)[::-1])[None, :, None]
    total = weight.sum(1)
    index = (cube * weight).sum(1) / np.where(total > 0, total, 1.0)
    rest = np.where(there, cube - index[:, None, :], 0.0)
    freedom = there.sum((1, 2)) - m
    variance = np.einsum("iym,iym->i", rest, rest) / np.maximum(freedom, 1)
    seasons = total**2 / np.maximum((weight * weight).sum(1), 1e-12)
    index = index - index.mean(1, keepdims=True)
    noise = (variance[:, None] / np.maximum(seasons, 1.0)).sum(1) * (m - 1) / m
    size = (index * index).sum(1)
    keep = np.clip(1 - SHRINK * noise / np.where(size > 0, size, 1.0), 0.0, 1.0)
    shown = (evidence(y, m) > np.where(positive, EVIDENCE, EVIDENCE_GAPS)) & (freedom > 0) & (size > 0)
    index = index * np.where(shown, keep, 0.0)[:, None]
    factor[rows] = np.where(positive[:, None], np.maximum(1 + index, 0.01), 1.0)
    shift[rows] = np.where(positive[:, None], 0.0, index)
    return factor, shift
