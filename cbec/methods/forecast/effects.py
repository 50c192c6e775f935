"""Effects of promotions, holidays, events, prices and signals on demand, learnt over all series, taken out and put in.

Demand is base x product of (1 + u x) over promotions, holidays and events that take the part x of a period, x exp(b z) over
prices and signals z. What a promotion takes off the price has the elasticity of prices, and is part of the promotion, as is what it
takes from the time after it (stockpiling: van Heerde, Leeflang & Wittink 2000). The base for the
estimate is the mean of the days around without any of them, times the days of the week of the group. Each u is a ratio of sums over all series that have it: first of all promotions (all holidays of a
market), then of each name, then of each name in a group of series (a category of a market), then of each series, each shrunk to the
one before by its own standard error, where days are the
sample, since all series live through the same days (empirical Bayes: James & Stein 1961; Efron & Morris 1975).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import occasions
from cbec.methods.forecast.baseline import WINDOW, around, expected
from cbec.methods.forecast.byday import LEAST, MOST, beside, shrunk, shrunk_each
from cbec.methods.forecast.covariates import broken
from cbec.methods.forecast.pricecells import total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.covariates import Covariates

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]

#: Rounds in which the kinds are estimated beside each other.
ROUNDS = 2
#: Bounds of the elasticity, and of what a signal may do.
ELASTICITY = -4.0
SIGNAL = 0.7
#: Periods after a promotion whose demand it may have taken: so many, and as many again.
AFTER = {"H": 168, "D": 7, "W": 1, "M": 1}
#: Series of a crowd that has effects of its own.
GROUP = 20
#: Steps of Newton's method towards the elasticity, per round.
STEPS = 8


@dataclass(frozen=True)
class Learnt:
    """Effects as learnt from one origin. promotion: per name (0 = without); own: n, what a series has beside; lines: as
    those of the covariates; elasticity; signals: as those of the covariates, per standard deviation; after: of the first and the second
    stretch after a promotion; proved: lines whose occasions tell each other."""

    promotion: Floats
    own: Floats
    lines: Floats
    elasticity: float
    signals: Floats
    after: Floats
    proved: Flags


@dataclass(frozen=True)
class Effects:
    """kind -> factors on the known periods and on the h ahead, R x (T' + h), with the row of each series (n) in them."""

    width: int
    factor: dict[str, tuple[Floats, Ints]]
    learnt: Learnt

    def past(self, kinds: Sequence[str]) -> Floats:
        """N x T': what demand is divided by."""
        return self._product(kinds, slice(0, self.width))

    def ahead(self, kinds: Sequence[str]) -> Floats:
        """N x h: what a forecast is multiplied by."""
        return self._product(kinds, slice(self.width, None))

    def of(self, rows: Ints) -> Effects:
        """The same for some of the series."""
        return replace(self, factor={k: (f, at[rows]) for k, (f, at) in self.factor.items()})

    def _product(self, kinds: Sequence[str], columns: slice) -> Floats:
        out: Floats | float = 1.0
        for kind in kinds:
            factor, at = self.factor[kind]
            out = out * factor[:, columns][at]
        return np.clip(out, LEAST, MOST)


def learn(
    units: Floats, cov: Covariates, h: int, frequency: str, group: Ints, crowd: Ints | None = None
) -> Effects | None:
    """Effects of an origin at the end of `units` (n x T', NaN = not known), h periods ahead; None where nothing is seen.

    cov: as known at that origin. group: n, whose days of the week are alike. crowd: see `occasions.crowds`, where these series are some of a whole.
    """
    work = _Work(units, cov, h, frequency, group, occasions.crowds(cov.market, group) if crowd is None else crowd)
    if not work.anything:
        return None
    for _ in range(ROUNDS):
        work.prices()
        work.promotions()
        work.aftermath()
        work.lines()
        work.signals()
    work.settle()
    return work.answer()


class _Work:
    """The estimate of one origin: base, factors as they stand, and one method per kind."""

    def __init__(self, units: Floats, cov: Covariates, h: int, frequency: str, group: Ints, crowd: Ints) -> None:
        self.cov, self.h, self.frequency, self.crowd = cov, h, frequency, crowd
        self.home = np.full(int(crowd.max(initial=0)) + 1, -1, np.int64)  # the market of each crowd
        self.home[crowd] = cov.market
        self.large = np.bincount(crowd, minlength=len(self.home)) >= GROUP
        self.cell: tuple[NDArray[np.intp], ...] = ()
        self.count, self.width = units.shape
        self.share: Floats | None
        self.share, self.label = cov.promotion(self.width)
        self.since = self._since()
        self.x = np.stack([line.x for line in cov.lines]) if cov.lines else np.zeros((0, cov.length))
        busy: Flags = np.zeros(units.shape, bool) if self.share is None else self.share[:, : self.width] > 0
        taken = np.zeros((len(cov.markets), self.width), bool)
        for line in cov.lines:
            taken[line.markets] |= line.x[: self.width] != 0
        busy = np.asarray(busy | taken[cov.market])
        late = busy if self.since is None else busy | (self.since[:, : self.width] > 0)
        self.price, self.depth = self._price()
        self.told = [s.known(self.width, cov.length) for s in cov.signals]
        self.standard = [_standard(v, self.width) for v in self.told]
        self.anything = bool(busy.any()) or self.price is not None or any(z is not None for z in self.standard)
        self.dear = np.zeros((self.count, self.width))
        self.promotion = np.zeros(len(cov.names))
        self.within = np.zeros((len(cov.names), len(self.home)))
        self.own, self.after = np.zeros(self.count), np.zeros(2)
        self.found = occasions.nothing(len(cov.lines), len(self.home))
        self.elasticity, self.beta = 0.0, np.zeros(len(cov.signals))
        self.line_factor = np.ones((len(self.home), cov.length))
        self.signal_factor = np.ones((len(cov.markets), cov.length))
        if not self.anything:
            return
        self.base = expected(units, late, frequency, group)
        if late is not busy:  # where promotions follow close upon each other
            self.base = np.where(np.isnan(self.base), expected(units, busy, frequency, group), self.base)
        self.known = ~np.isnan(units) & ~np.isnan(self.base)
        self.y = np.where(self.known, units, 0.0)
        self.base = np.where(self.known, self.base, 0.0)
        past = slice(0, self.width)
        if self.price is not None:
            # The base is that of the prices around it.
            quiet = np.where(self.known & ~busy, self.price[:, past], np.nan)
            self.dear = self.price[:, past] - np.nan_to_num(around(quiet, WINDOW[frequency]))
        if self.depth is not None:
            self.dear = self.dear + self.depth[:, past]
        self.dear = np.where(self.known, self.dear, 0.0)
        if self.share is not None and self.label is not None:
            self.cell = np.nonzero((self.share[:, : self.width] > 0) & self.known)

    def _since(self) -> NDArray[np.int8] | None:
        """N x (T + H): 1 and 2 in the first and the second stretch after a promotion that is over, else 0."""
        if self.share is None:
            return None
        at = np.arange(self.cov.length)
        on = self.share > 0
        last = np.maximum.accumulate(np.where(on, at, -self.cov.length), 1)
        stretch = (at - last - 1) // AFTER[self.frequency]
        out = np.where(on | (stretch > 1), 0, stretch + 1).astype(np.int8)
        return out if out[:, : self.width].any() else None

    def _price(self) -> tuple[Floats | None, Floats | None]:
        """N x (T + H) logarithms of the regular price over today's, and of what is paid on promotion over the regular one (0
        without; the usual depth of the series, or of all, where it is not told)."""
        if self.cov.price is None:
            return None, None
        paid = self.cov.price[:, : self.width].copy()
        on = None if self.share is None else self.share > 0
        if on is not None:
            paid[on[:, : self.width]] = np.nan
        there: Flags = ~np.isnan(paid)
        last = np.maximum.accumulate(np.where(there, np.arange(self.width), -1), 1)
        paid = np.take_along_axis(paid, np.maximum(last, 0), 1)
        now = self._now(paid)
        with np.errstate(divide="ignore", invalid="ignore"):
            past = np.where((last >= 0) & there.any(1, keepdims=True), np.log(paid / now[:, None]), 0.0)
            out = np.zeros((self.count, self.cov.length))
            out[:, : self.width] = np.nan_to_num(past)
            if self.cov.planned_price is not None:
                ahead = np.log(self._planned(now))
                out[:, self.width :] = np.clip(np.nan_to_num(ahead, posinf=0, neginf=0), -1.5, 1.5)
            depth = None if on is None else self._depth(on, paid)
        if on is not None and depth is not None:
            out[:, self.width :] = np.where(on[:, self.width :], 0.0, out[:, self.width :])
        out = np.clip(out, -1.5, 1.5)
        return out if self.cov.priced and (np.abs(out) > 0.005).any() else None, depth

    def _now(self, paid: Floats) -> Floats:
        """N: the regular price from here on where no plan tells it. paid: n x T', carried on where nothing was sold.

        A plan that lasts until a day has the price before it afterwards; the last one paid where all of the past is planned.
        """
        if self.cov.planned_price is None or self.cov.price is None:
            return paid[:, -1]
        past = slice(0, self.width)
        free = np.isnan(self.cov.planned_price[:, past]) & ~np.isnan(self.cov.price[:, past]) & ~np.isnan(paid)
        last = self.width - 1 - np.argmax(free[:, ::-1], 1)
        return np.asarray(paid[np.arange(len(paid)), np.where(free.any(1), last, self.width - 1)])

    def _planned(self, now: Floats) -> Floats:
        """N x H planned prices over today's, as the mean of a period's days: those without a plan at today's; NaN = no plan."""
        assert self.cov.planned_price is not None
        planned = self.cov.planned_price[:, self.width :] / now[:, None]
        held = 1.0 if self.cov.price_held is None else self.cov.price_held[:, self.width :]
        return 1 + held * (planned - 1)

    def _depth(self, on: Flags, regular: Floats) -> Floats | None:
        """What `_price` says of promotions (on: n x (T + H)). regular: n x T, NaN before the first."""
        told = np.full((self.count, self.cov.length), np.nan)
        assert self.cov.price is not None
        told[:, : self.width] = np.log(self.cov.price[:, : self.width] / regular)
        if self.cov.planned_price is not None:
            told[:, self.width :] = np.log(self._planned(self._now(regular)))
        self.there = there = on & np.isfinite(told)
        past = there[:, : self.width]
        if not past.any():
            return None
        taken = np.where(there, np.clip(np.where(there, told, 0.0), -1.5, 1.5), 0.0)
        # Per period that is on promotion as a whole: of one that is so in part the price falls in part.
        assert self.share is not None
        number = np.where(past, self.share[:, : self.width], 0.0).sum(1)
        every = taken[:, : self.width].sum() / number.sum()
        own = np.where(number > 0, taken[:, : self.width].sum(1) / np.where(number > 0, number, 1.0), every)
        out = np.where(there, taken, np.where(on, own[:, None] * self.share, 0.0))
        return out if (np.abs(out) > 0.005).any() else None

    def settle(self) -> None:
        """The depth of promotions whose price is not told: that which brings what the series' usual ones bring on the average (the mean of
        their factors, which is more than the factor of their mean)."""
        if self.depth is None or self.share is None or not self.elasticity:
            return
        past = self.there[:, : self.width]
        whole = np.where(past, self.depth[:, : self.width] / np.where(past, self.share[:, : self.width], 1.0), 0.0)
        gain, number = np.where(past, np.exp(self.elasticity * np.clip(whole, -1.5, 1.5)), 0.0).sum(1), past.sum(1)
        own = np.where(number > 0, gain / np.maximum(number, 1), gain.sum() / max(int(number.sum()), 1))
        untold = (self.share > 0) & ~self.there
        usual = np.log(own)[:, None] / self.elasticity * self.share
        self.depth = np.where(untold, usual, self.depth)

    def _others(self, *, promotion: bool = True, price: bool = True, lines: bool = True, signal: bool = True) -> Floats:
        """N x T' base times the factors of some kinds; price: regular prices and what promotions take off them."""
        out = self.base
        if promotion:
            out = out * self._uplift(slice(0, self.width))
        if price:
            out = out * np.exp(self.elasticity * self.dear)
        if lines:
            out = out * self.line_factor[:, : self.width][self.crowd]
        if signal:
            out = out * self.signal_factor[:, : self.width][self.cov.market]
        return np.asarray(out)

    def promoted(self, columns: slice) -> Floats:
        """N x columns: factor of promotions, with what they take off the price."""
        depth = 0.0 if self.depth is None else self.depth[:, columns]
        return np.clip(self._uplift(columns) * np.exp(self.elasticity * depth), LEAST, MOST)

    def _uplift(self, columns: slice) -> Floats:
        """N x columns: factor of promotions beside their price."""
        if self.share is None or self.label is None:
            return np.ones((self.count, columns.stop - columns.start))
        u = self.within[self.label[:, columns], self.crowd[:, None]] + self.own[:, None]
        out = 1 + u * self.share[:, columns]
        if self.since is not None and self.after.any():
            out = out * (1 + np.concatenate([[0.0], self.after]))[self.since[:, columns]]
        return np.clip(out, LEAST, MOST)

    def promotions(self) -> None:
        """Uplift of all promotions, of each name, of each series."""
        if self.share is None or self.label is None or not self.cell or not len(self.cell[0]):
            return
        row, day = self.cell
        x, name = self.share[self.cell], self.label[self.cell]
        base = self._others(promotion=False)[self.cell]
        excess, weight = x * (self.y[self.cell] - base), x * x * base

        whole = shrunk(total(day, excess, self.width), total(day, weight, self.width), 0.0)
        self.promotion[:] = whole
        self.promotion = shrunk_each(name, day, excess, weight, self.promotion, self.width)
        self.within[:] = self.promotion[:, None]
        own = self.large[self.crowd[row]]
        if len(self.home) > 1 and own.any():
            pair = (name * len(self.home) + self.crowd[row])[own]
            prior = self.within.ravel()
            inside = shrunk_each(pair, day[own], excess[own], weight[own], prior, self.width)
            self.within = inside.reshape(self.within.shape)
        rest = excess - self.within[name, self.crowd[row]] * weight
        self.own = beside(
            total(row, rest, self.count),
            total(row, weight, self.count),
            float((rest**2 / np.where(x > 0, x, 1.0) ** 2).sum() / max(float(base.sum()), 1e-9)),
        )

    def aftermath(self) -> None:
        """What promotions take from the time after them, in two stretches: one effect of all promotions each."""
        if self.since is None:
            return
        self.after[:] = 0.0
        base, since = self._others(), self.since[:, : self.width]
        for stretch in (1, 2):
            here = (since == stretch) & self.known
            gap, size = np.where(here, self.y - base, 0.0).sum(0), np.where(here, base, 0.0).sum(0)
            self.after[stretch - 1] = np.clip(shrunk(gap, size, 0.0), -0.9, 0.0)

    def lines(self) -> None:
        """Holidays and events."""
        if not self.cov.lines:
            return
        size = len(self.home), self.width
        sold, usual = np.zeros(size), np.zeros(size)
        np.add.at(sold, self.crowd, self.y)
        np.add.at(usual, self.crowd, self._others(lines=False))
        apart = WINDOW[self.frequency] // 2
        self.found = occasions.learn(self.cov.lines, self.home, self.large, sold, usual, self.found, apart)
        self.line_factor = occasions.factor(self.cov.lines, self.found.inside, np.arange(self.cov.length))

    def prices(self) -> None:
        """Elasticity of all series, from prices over those around and the depth of promotions, beside what promotions bring anyway:
        Poisson quasi-likelihood by Newton's method."""
        if self.price is None and self.depth is None:
            return
        share = np.zeros(self.known.shape) if self.share is None else self.share[:, : self.width]
        cell = np.nonzero(self.known & ((self.dear != 0) | (share > 0)))
        y, z, x, base = self.y[cell], self.dear[cell], share[cell], self._others(price=False, promotion=False)[cell]
        anyway = 0.0
        for _ in range(STEPS):
            mean = base * np.exp(anyway * x + self.elasticity * z)
            size = max(float((x * x * mean).sum()), 1e-9)
            pure = z - float((x * z * mean).sum()) / size * x
            weight = total(cell[1], pure * pure * mean, self.width)
            excess = total(cell[1], pure * (y - mean), self.width) + self.elasticity * weight
            push = total(cell[1], pure * mean, self.width)
            before = self.elasticity
            self.elasticity = float(np.clip(shrunk(excess, weight, 0.0, push), ELASTICITY, 0.0))
            mean = mean * np.exp((self.elasticity - before) * z)
            anyway = float(np.clip(anyway + (x * (y - mean)).sum() / size, np.log(LEAST), np.log(MOST)))

    def signals(self) -> None:
        """One coefficient per signal that is known ahead, from its values over those around."""
        if not any(z is not None for z in self.standard):
            return
        base = self._others(signal=False)
        for i, (signal, z) in enumerate(zip(self.cov.signals, self.standard, strict=True)):
            if z is None:
                continue
            past = z[: self.width]
            rows = signal.markets[self.cov.market]
            near = past - np.nan_to_num(around(past[None], WINDOW[self.frequency])[0])  # the base holds the rest of it
            near = np.where(np.isnan(near), 0.0, near)
            sold, usual = self.y[rows].sum(0), base[rows].sum(0)
            self.beta[i] = shrunk(near * (sold - usual), near * near * usual, 0.0)
        factor = np.zeros_like(self.signal_factor)
        for signal, z, beta in zip(self.cov.signals, self.standard, self.beta, strict=True):
            if z is not None:
                factor[signal.markets] += np.clip(beta * np.nan_to_num(z), -SIGNAL, SIGNAL)
        self.signal_factor = np.exp(factor)

    def answer(self) -> Effects:
        """Factors by kind."""
        span, cov = slice(0, self.width + self.h), self.cov
        every, market = np.arange(self.count), cov.market
        factor: dict[str, tuple[Floats, Ints]] = {}
        if self.share is not None:
            factor["promotion"] = self.promoted(span), every
        for kind in ("holiday", "event"):
            some = [i for i, line in enumerate(cov.lines) if line.kind == kind]
            if some:
                lines, days = [cov.lines[i] for i in some], np.arange(self.width + self.h)
                factor[kind] = occasions.factor(lines, self.found.inside[some], days), self.crowd
        if self.price is not None:
            factor["price"] = np.exp(self.elasticity * self.price[:, span]), every
        if any(z is not None for z in self.standard):
            factor["signal"] = self.signal_factor[:, span], market
        factor = {k: v for k, v in factor.items() if (v[0] != 1).any()}
        learnt = Learnt(
            self.promotion, self.own, self.found.u, self.elasticity, self.beta, self.after, self.found.proved
        )
        return Effects(self.width, factor, learnt)


def _standard(value: Floats, width: int) -> Floats | None:
    """A signal in standard deviations of its past; None where it is not known ahead or never moved."""
    value = np.where(broken(value, width), np.nan, value)
    past, ahead = value[:width], value[width:]
    n = int((~np.isnan(past)).sum())
    if n < 8 or np.isnan(ahead).all():
        return None
    spread = float(np.nanstd(past))
    return (value - float(np.nanmean(past))) / spread if spread > 0 else None
