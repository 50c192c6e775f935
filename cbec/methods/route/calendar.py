"""When lanes leave: weekdays or every n days, within the validity of the rate, not while closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.tables.transport import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

NEVER = np.int64(2**40)
_FOREVER = 10**7
_WORD = {word: i for i, words in enumerate(WEEKDAYS) for word in words}
_EVERY = re.compile(r"every\s*(\d+)")

#: Why there is no departure in time.
EXPIRED, NOT_YET, CLOSED, NO_DEPARTURE = "expired", "not_yet", "closed", "departure"


@dataclass(frozen=True)
class Pattern:
    """Days of departure. weekdays: Monday = 0; every: n days, counted from the first day of validity."""

    weekdays: frozenset[int] = frozenset(range(7))
    every: int = 1


def parse(text: str | None) -> Pattern:
    """What `departures` says (the contract has checked it); None or nothing = any day."""
    words = (text or "").strip().lower()
    if words in {"", "daily", "每天"}:
        return Pattern()
    if words in {"weekly", "每周"}:
        return Pattern(every=7)
    if match := _EVERY.match(words):
        return Pattern(every=int(match[1]))
    return Pattern(weekdays=frozenset(_WORD[w] for w in re.split(r"[|,;/、\s]+", words) if w))


@dataclass(frozen=True)
class Calendar:
    """Next departures. start: first day (days since 1970-01-01); following: calendars x days, the day of the next
    departure on or after each; which: calendar of each row; wait, wait_var: mean and variance of the days to wait beyond
    that where the day of departure is not known (every n days without a first day: any of them, equally likely)."""

    start: int
    following: Ints
    which: Ints
    wait: Floats
    wait_var: Floats

    def next(self, row: Ints, day: Ints) -> Ints:
        """The first departure of each row on or after `day`, NEVER if there is none in the calendar."""
        at = np.clip(day - self.start, 0, self.following.shape[1])
        inside = at < self.following.shape[1]
        found = self.following[self.which[row], np.where(inside, at, 0)]
        return np.where(inside, found, NEVER)


def build(frame: pl.DataFrame, closures: Sequence[tuple[int, int, int]], first: int, last: int) -> Calendar:
    """Departures of every row of the rate cards from day `first` to `last`.

    closures: (row, from day, to day) in which nothing leaves.
    """
    days = np.arange(first, last + 1, dtype=np.int64)
    closed: dict[int, list[tuple[int, int]]] = {}
    for row, start, end in closures:
        closed.setdefault(row, []).append((start, end))
    known: dict[tuple[object, ...], int] = {}
    table: list[Ints] = []
    which = np.zeros(frame.height, dtype=np.int64)
    wait, wait_var = np.zeros(frame.height), np.zeros(frame.height)
    patterns = {text: parse(text) for text in frame["departures"].unique().to_list()}
    opens, ends = day_numbers(frame["valid_from"], -_FOREVER), day_numbers(frame["valid_to"], _FOREVER)
    for row, text in enumerate(frame["departures"].to_list()):
        pattern, shut = patterns[text], tuple(sorted(closed.get(row, ())))
        key = (pattern, int(opens[row]), int(ends[row]), shut)
        if key not in known:
            known[key] = len(table)
            table.append(_following(days, pattern, int(opens[row]), int(ends[row]), shut))
        which[row] = known[key]
        if pattern.every > 1 and opens[row] == -_FOREVER:
            wait[row], wait_var[row] = (pattern.every - 1) / 2, (pattern.every**2 - 1) / 12
    return Calendar(first, np.array(table, dtype=np.int64).reshape(len(table), len(days)), which, wait, wait_var)


def _following(days: Ints, pattern: Pattern, begin: int, end: int, shut: tuple[tuple[int, int], ...]) -> Ints:
    leaves = (days >= begin) & (days <= end)
    if len(pattern.weekdays) < 7:
        leaves &= np.isin((days + 3) % 7, list(pattern.weekdays))  # 1970-01-01 was a Thursday
    if pattern.every > 1 and begin != -_FOREVER:
        leaves &= (days - begin) % pattern.every == 0
    for start, stop in shut:
        leaves &= (days < start) | (days > stop)
    return np.minimum.accumulate(np.where(leaves, days, NEVER)[::-1])[::-1]


def day_numbers(dates: pl.Series, empty: int) -> Ints:
    """Days since 1970-01-01."""
    return dates.cast(pl.Int32).cast(pl.Int64).fill_null(empty).to_numpy()


def why_not(frame: pl.DataFrame, row: Ints, day: Ints, closed: Ints) -> NDArray[np.str_]:
    """Why nothing leaves in time: the rate has ended, has not begun, the lane is closed, or there is no departure.

    closed: rows with a closure.
    """
    begin, end = day_numbers(frame["valid_from"], -_FOREVER)[row], day_numbers(frame["valid_to"], _FOREVER)[row]
    other = np.where(np.isin(row, closed), CLOSED, NO_DEPARTURE)
    return np.where(end < day, EXPIRED, np.where(begin > day, NOT_YET, other))
