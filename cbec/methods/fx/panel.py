"""Fixings -> one clean, dated series of log rates per pair.

Nothing is invented: weekends and days on which every rate merely repeats the day before are left out, crosses are
taken at one and the same fixing, a series that has stopped is refused with its last day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cbec.core import words
from cbec.core.errors import InputRejected
from cbec.core.money import MAX_FIXING_AGE_DAYS

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

#: A longer silence splits a series; what lies before it says little of what comes (days; the longest run of public
#: holidays, China's in October, is 8 days).
LONGEST_GAP = 14
#: Direct rate and cross may differ by rounding and by the hour of fixing, not by this (share).
TRIANGLE = 0.005
#: A tick that jumps by so many daily deviations of its last 60 days, and at least so far, and is undone the next day
#: is an error. In the autumn of 2008 major currencies truly went 3 to 7.5 % one day and back the next.
TICK_DEVIATIONS, TICK_JUMP, TICK_LEFT, TICK_WINDOW = 6.0, 0.08, 0.25, 60

Told = tuple[str, str, str, str, str]
"""finding_id, severity, entity, rule, message."""


@dataclass(frozen=True)
class Series:
    """One pair: `logs[i]` is the log of quote per base fixed on `dates[i]` (ascending, weekdays)."""

    base: str
    quote: str
    dates: Days
    logs: Floats

    @property
    def name(self) -> str:
        """EUR/CNY."""
        return f"{self.base}/{self.quote}"

    @property
    def spot(self) -> float:
        """The last fixing."""
        return float(np.exp(self.logs[-1]))


@dataclass(frozen=True)
class Refused:
    """A pair that cannot be told, and why; `last`: its last fixing."""

    base: str
    quote: str
    why: str
    last: date | None = None


@dataclass
class Panel:
    """The pairs known on `as_of`, in the order of their names; home: what they are quoted in, None = as they stood."""

    as_of: date
    series: list[Series]
    home: str | None = None
    refused: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: list[Told] = field(default_factory=list)

    def of(self, base: str) -> Series:
        """The series of a currency against the home currency; InputRejected with the reason where there is none."""
        for one in self.series:
            if one.base == base:
                return one
        why = next((r.why for r in self.refused if r.base == base), "no pair of it in the table")
        raise InputRejected(f"rates: {base} cannot be told: {why}")


def latest(rates: pl.DataFrame) -> date:
    """The last day of the table."""
    last = rates["date"].max()
    if not isinstance(last, date):
        raise InputRejected("rates: no row")
    return last


def panel(rates: pl.DataFrame, as_of: date | None, home: str | None = None, only: Sequence[str] | None = None) -> Panel:
    """Clean series from the table `rates` (date, base, quote, rate, source), nothing later than `as_of`.

    home: every other currency against it, as it stands, inverted, or crossed through one third currency at the same
    fixing; None: the pairs as they stand. only: currencies wanted against home. The last source in order of name settles a day that several fixed.
    Raises InputRejected when no row is left, or when `home` is in no pair.
    """
    known = rates if as_of is None else rates.filter(pl.col("date") <= as_of)
    weekdays = known.filter(pl.col("date").dt.weekday() < 6)
    if weekdays.is_empty():
        raise InputRejected(f"rates: no fixing on a weekday{'' if as_of is None else f' up to {as_of}'}")
    made = Panel(as_of if as_of is not None else latest(known), [], home)
    if weekdays.height < known.height:
        made.notes.append(
            f"rates: {words.of(known.height - weekdays.height, 'row')} of weekends left out: no market fixes then"
        )
    days, legs = _wide(weekdays)
    days, legs = _without_copies(days, legs, made)
    currencies = sorted({c for leg in legs for c in leg})
    if home is not None and home not in currencies:
        raise InputRejected(f"rates: {home} is in no pair", hint="the pairs hold " + ", ".join(currencies))
    wanted = sorted(legs) if home is None else [(c, home) for c in currencies if c != home]
    for base, quote in wanted:
        if only is not None and base not in only:
            continue
        logs = legs[base, quote] if home is None else _joined(base, quote, legs)
        if logs is None:
            made.refused.append(Refused(base, quote, f"no pair joins it to {quote}, directly or through one other"))
            continue
        if home is not None:
            _triangles(base, quote, logs, legs, days, made)
        _take(base, quote, days, logs, made)
    return made


def _wide(rates: pl.DataFrame) -> tuple[Days, dict[tuple[str, str], Floats]]:
    """Days, and the log rate of every pair on each of them (NaN where it was not fixed)."""
    once = rates.sort("date", "base", "quote", "source").unique(
        ["date", "base", "quote"], keep="last", maintain_order=True
    )
    days = once["date"].unique().sort()
    axis = days.to_numpy().astype("datetime64[D]")
    logs: dict[tuple[str, str], Floats] = {}
    for (base, quote), rows in once.group_by("base", "quote", maintain_order=True):
        column = np.full(len(axis), np.nan)
        column[np.searchsorted(axis, rows["date"].to_numpy().astype("datetime64[D]"))] = np.log(rows["rate"].to_numpy())
        logs[str(base), str(quote)] = column
    return axis, dict(sorted(logs.items()))


def _without_copies(
    days: Days, legs: Mapping[tuple[str, str], Floats], made: Panel
) -> tuple[Days, dict[tuple[str, str], Floats]]:
    """Leave out days on which three or more pairs all repeat the day before: a holiday that somebody filled."""
    table = np.column_stack(list(legs.values()))
    both = np.isfinite(table[1:]) & np.isfinite(table[:-1])
    # A currency that is pegged stands still too; a copied day is one on which nothing at all moved.
    still = (np.where(both, table[1:] == table[:-1], True).all(axis=1)) & (both.sum(axis=1) >= 3)
    kept = np.concatenate([[True], ~still])
    if still.any():
        made.notes.append(
            f"rates: {words.of(int(still.sum()), 'day')} without any change in any pair left out as filled"
        )
    return days[kept], {pair: logs[kept] for pair, logs in legs.items()}


def _leg(a: str, b: str, legs: Mapping[tuple[str, str], Floats]) -> Floats | None:
    if (a, b) in legs:
        return legs[a, b]
    return -legs[b, a] if (b, a) in legs else None


def _crosses(base: str, quote: str, legs: Mapping[tuple[str, str], Floats]) -> list[tuple[str, Floats]]:
    found = []
    for third in sorted({c for leg in legs for c in leg} - {base, quote}):
        first, second = _leg(base, third, legs), _leg(third, quote, legs)
        if first is not None and second is not None:
            found.append((third, first + second))
    return found


def _joined(base: str, quote: str, legs: Mapping[tuple[str, str], Floats]) -> Floats | None:
    """The direct pair, else the cross with most fixings."""
    direct = _leg(base, quote, legs)
    if direct is not None:
        return direct
    crosses = _crosses(base, quote, legs)
    return max(crosses, key=lambda c: int(np.isfinite(c[1]).sum()))[1] if crosses else None


def _triangles(
    base: str, quote: str, logs: Floats, legs: Mapping[tuple[str, str], Floats], days: Days, made: Panel
) -> None:
    """A finding where the other ways to the same rate differ on one of the last 60 fixings."""
    ways = [(f"{quote}/{base} inverted", -legs[quote, base])] if {(base, quote), (quote, base)} <= set(legs) else []
    ways += [(f"the cross through {third}", cross) for third, cross in _crosses(base, quote, legs)]
    for way, other in ways:
        gap = np.abs(other - logs)[-60:]
        if np.isfinite(gap).any() and np.nanmax(gap) > TRIANGLE:
            at = days[-60:][int(np.nanargmax(gap))]
            message = f"{base}/{quote} and {way} differ by {100 * float(np.nanmax(gap)):.2f} % on {at}: one is wrong"
            made.findings.append(
                (f"fx:triangle:{base}{quote}:{way[-3:]}", "warn", f"{base}/{quote}", "triangle", message)
            )


def _take(base: str, quote: str, days: Days, logs: Floats, made: Panel) -> None:
    """The unbroken end of a series, or the reason why it cannot be used."""
    fixed = np.isfinite(logs)
    dates, values = days[fixed], logs[fixed]
    if not len(dates):
        made.refused.append(Refused(base, quote, f"{base} and {quote} were never fixed on the same day"))
        return
    last: date = dates[-1].astype(object)
    age = (made.as_of - last).days
    if age > MAX_FIXING_AGE_DAYS:
        why = f"its last fixing is of {last}, {age} days before {made.as_of}"
        made.refused.append(Refused(base, quote, why, last))
        return
    dates, values = _without_ticks(base, quote, dates, values, made)
    gaps = np.flatnonzero(np.diff(dates).astype(int) > LONGEST_GAP)
    if len(gaps):
        cut = int(gaps[-1]) + 1
        made.notes.append(
            f"{base}/{quote} begins on {dates[cut]}: {(dates[cut] - dates[cut - 1]).astype(int)} days without fixing before"
        )
        dates, values = dates[cut:], values[cut:]
    made.series.append(Series(base, quote, dates, values))


def _without_ticks(base: str, quote: str, dates: Days, logs: Floats, made: Panel) -> tuple[Days, Floats]:
    """Leave out fixings that jump and are undone the next day; real jumps (CHF 2015, TRY 2021) stay where they went."""
    returns = np.diff(logs)
    if len(returns) and abs(returns[-1]) > TICK_JUMP:
        message = f"the last fixing of {base}/{quote} is {100 * (np.exp(returns[-1]) - 1):.1f} % off the one before: if it is an error, so is all that follows"
        made.findings.append((f"fx:jump:{base}{quote}", "warn", f"{base}/{quote}", "last_fixing_jumps", message))
    if len(returns) < 4 or not (np.abs(returns) > TICK_JUMP).any():
        return dates, logs
    # Median absolute deviation as a standard deviation of the normal; of the days before the jump only.
    before = np.concatenate([np.full(TICK_WINDOW, np.nan), np.abs(returns)])
    usual = 1.4826 * np.nanmedian(np.lib.stride_tricks.sliding_window_view(before, TICK_WINDOW)[1:-2], axis=1)
    jump, back = returns[1:-1], returns[2:]
    wrong = (
        (np.abs(jump) > np.maximum(TICK_DEVIATIONS * usual, TICK_JUMP))
        & (np.abs(back) > TICK_JUMP / 2)
        & (np.abs(jump + back) < TICK_LEFT * np.abs(jump))
    )
    bad = np.flatnonzero(wrong) + 2
    for at in bad:
        message = f"{base}/{quote} jumps by {100 * (np.exp(returns[at - 1]) - 1):.1f} % on {dates[at]} and back the next day: left out"
        made.findings.append((f"fx:tick:{base}{quote}:{dates[at]}", "warn", f"{base}/{quote}", "bad_tick", message))
    kept = np.ones(len(logs), bool)
    kept[bad] = False
    return dates[kept], logs[kept]


def together(series: Sequence[Series]) -> tuple[Days, Floats]:
    """The days on which all series were fixed, and their log rates side by side: shape (days, series)."""
    days = series[0].dates
    for one in series[1:]:
        days = np.intersect1d(days, one.dates, assume_unique=True)
    columns: list[Any] = [one.logs[np.searchsorted(one.dates, days)] for one in series]
    return days, np.column_stack(columns)
