"""What is known beside the sales: promotions, holidays, own events, planned prices and signals, by series and period.

A calendar is a plan: its rows count as known at every origin. Marks and prices in `sales` are records: at an origin only
those before it exist. A value of a signal exists from the day on which it was recorded (`recorded`; empty = its own date),
so that what is truly known only afterwards is refused at the origin, whatever its date.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]

#: In the order in which their effects are told and judged.
KINDS = ("promotion", "event", "holiday", "price", "signal")
#: A promotion that the calendar does not name.
UNNAMED = "promotion"
#: Times the distance from the median that all but this part of the values keep, from which a value of a signal is a fault.
FAR, RARE = 10.0, 0.02


def broken(value: Floats, width: int) -> Flags:
    """Values of a signal that are far beyond all that its first `width` periods had: faults of whoever measured. NaN = not known."""
    past = value[:width][~np.isnan(value[:width])]
    none = np.zeros(len(value), bool)
    if past.size < 8:
        return none
    middle = np.median(past)
    usual = float(np.quantile(np.abs(past - middle), 1 - RARE))
    return np.asarray(np.abs(np.nan_to_num(value, nan=middle) - middle) > FAR * usual) if usual > 0 else none


@dataclass(frozen=True)
class Line:
    """One holiday or event: the markets (S) that have it, and the part of each of T + H periods that it takes (its value)."""

    kind: str
    name: str
    markets: Flags
    x: Floats


@dataclass(frozen=True)
class Signal:
    """Values by period, as they came to be known: rows of (period from 0, period in which it was recorded, value), and markets (S)."""

    name: str
    markets: Flags
    at: Ints
    recorded: Ints
    value: Floats

    def known(self, width: int, length: int) -> Floats:
        """Values of `length` periods as known at the end of `width` periods: the latest record of each; NaN = not known."""
        out = np.full(length, np.nan)
        here = (self.recorded < width) & (self.at < length)
        order = np.lexsort((self.value[here], self.recorded[here]))
        out[self.at[here][order]] = self.value[here][order]
        return out


@dataclass(frozen=True)
class Covariates:
    """What is known beside n series of T periods (width), H periods ahead too (length = T + H).

    market: n, number of each series' market. lines: holidays and events. planned: n x (T + H) parts of periods on
    promotion by the calendar, label: their names (index into names); seen: n x T by the sales. price: n x T paid (NaN = no sale),
    planned_price: n x (T + H) (NaN = none), price_held: the parts of periods that it holds for; None where nothing is known of the kind.
    priced: whether changes of the regular price count; without, prices tell the depth of promotions alone.
    """

    width: int
    length: int
    market: Ints
    markets: tuple[str, ...]
    lines: tuple[Line, ...] = ()
    planned: Floats | None = None
    label: Ints | None = None
    names: tuple[str, ...] = (UNNAMED,)
    seen: Floats | None = None
    price: Floats | None = None
    planned_price: Floats | None = None
    price_held: Floats | None = None
    priced: bool = True
    signals: tuple[Signal, ...] = ()
    notes: list[str] = field(default_factory=list)
    findings: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of which something is known."""
        found = {line.kind for line in self.lines}
        found |= {"promotion"} if self.planned is not None or self.seen is not None else set()
        found |= {"price"} if self.price is not None and self.priced else set()
        found |= {"signal"} if self.signals else set()
        return tuple(k for k in KINDS if k in found)

    @property
    def unplanned(self) -> bool:
        """Promotions in the past and none planned ahead: the horizon counts as without any."""
        past = self.seen is not None and bool((self.seen > 0).any())
        if self.planned is None:
            return past
        past |= bool((self.planned[:, : self.width] > 0).any())
        return past and not (self.planned[:, self.width :] > 0).any()

    @property
    def planned_until(self) -> int | None:
        """The last period ahead with a promotion of any series, where as long a time without one follows as the past never had."""
        if self.planned is None:
            return None
        on: Flags = np.asarray((self.planned > 0).any(0))
        if self.seen is not None:
            on[: self.width] |= (self.seen > 0).any(0)
        past, ahead = np.flatnonzero(on[: self.width]), np.flatnonzero(on[self.width :]) + self.width
        if len(past) < 3 or not ahead.size:
            return None
        return int(ahead[-1]) if self.length - 1 - ahead[-1] > np.diff(past).max() - 1 else None

    def as_planned(self) -> Covariates:
        """The same where what the sales tell of the past counts as planned then, kind by kind, if the calendar plans ahead and tells no plan
        of the past: what is planned today was planned before too, or nothing could tell what a plan is worth."""
        found = self
        told: list[str] = []
        plan, past = self.planned, slice(0, self.width)
        if plan is not None and self.seen is not None and not (plan[:, past] > 0).any() and (self.seen > 0).any():
            found = replace(found, planned=np.concatenate([self.seen, plan[:, self.width :]], 1))
            told.append("promotions")
        prices = self.planned_price
        if (
            prices is not None
            and self.price is not None
            and np.isnan(prices[:, past]).all()
            and not np.isnan(prices).all()
        ):
            held = np.ones(prices.shape) if self.price_held is None else self.price_held
            held = np.concatenate([np.ones(self.price.shape), held[:, self.width :]], 1)
            both = np.concatenate([self.price, prices[:, self.width :]], 1)
            found = replace(found, planned_price=both, price_held=held)
            told.append("prices")
        if told:
            note = f"{' and '.join(told)} of the past count as planned then, as those of the calendar are now"
            found = replace(found, notes=[*self.notes, note])
        return found

    def only(self, kinds: Sequence[str], lines: Sequence[Line] | None = None) -> Covariates:
        """The same without the other kinds, and without other holidays and events than `lines`."""
        promo, price = "promotion" in kinds, "price" in kinds
        return replace(
            self,
            lines=tuple(x for x in self.lines if x.kind in kinds and (lines is None or any(x is y for y in lines))),
            planned=self.planned if promo else None,
            seen=self.seen if promo else None,
            price=self.price if price or promo else None,
            planned_price=self.planned_price if price or promo else None,
            price_held=self.price_held if price or promo else None,
            priced=price,
            signals=self.signals if "signal" in kinds else (),
        )

    def of(self, rows: Ints) -> Covariates:
        """The same for some of the series."""

        def part(values: Floats | None) -> Floats | None:
            return None if values is None else values[rows]

        return replace(
            self,
            market=self.market[rows],
            planned=part(self.planned),
            label=None if self.label is None else self.label[rows],
            seen=part(self.seen),
            price=part(self.price),
            planned_price=part(self.planned_price),
            price_held=part(self.price_held),
        )

    def until(self, cut: int) -> Covariates:
        """As known `cut` periods ago."""
        width = self.width - cut
        return replace(
            self,
            width=width,
            seen=None if self.seen is None else self.seen[:, :width],
            price=None if self.price is None else self.price[:, :width],
            notes=[],
            findings=[],
        )

    def promotion(self, width: int) -> tuple[Floats | None, Ints | None]:
        """Parts of periods on promotion and their names as known at the end of `width` periods: n x (T + H), None = none."""
        if self.planned is None:
            if self.seen is None:
                return None, None
            x = np.zeros((len(self.market), self.length))
            x[:, :width] = self.seen[:, :width]
            return x, np.zeros(x.shape, np.int64)
        x = self.planned.copy()
        if self.seen is not None:
            # Marked in sales but not in the plan: a promotion without a name.
            x[:, :width] = np.where(x[:, :width] > 0, x[:, :width], self.seen[:, :width])
        return x, self.label

    def named(self, rows: Ints, h: int) -> list[str]:
        """Names of what is planned or kept in each of the next h periods of some series, joined by |."""
        span = range(self.width, self.width + h)
        of_market = [
            ["|".join(sorted({line.name for line in self.lines if line.markets[m] and line.x[t]})) for t in span]
            for m in range(len(self.markets))
        ]
        told = []
        for i in rows.tolist():
            for step, names in enumerate(of_market[self.market[i]]):
                t = self.width + step
                on = self.planned is not None and self.label is not None and self.planned[i, t] > 0
                promotion = self.names[self.label[i, t]] if on and self.label is not None else ""
                told.append("|".join(n for n in (promotion, names) if n))
        return told
