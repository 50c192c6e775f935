"""The rows of a user's tariff, by jurisdiction and measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from cbec.core.errors import InputRejected, did_you_mean
from cbec.methods.compliance.lines import digits_of

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

MFN = "mfn"
REMEDIES = ("antidumping", "countervailing", "safeguard")
"""Measures that every country may have beside those of its pack: owed where the tariff has a row for the goods."""


@dataclass(frozen=True)
class Row:
    """One row of the user's tariff."""

    code: str
    origin: str | None
    start: date
    end: date
    duty: str
    source: str


Looked: TypeAlias = "tuple[Row | None, bool, bool]"
"""A row of the tariff, if any; whether the tariff has any row of the measure on that day, and any with a code."""


class Schedule:
    """The rows of one jurisdiction and measure."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.by_code: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self.by_code[row.code].append(row)
        self.lengths = sorted({len(code) for code in self.by_code}, reverse=True)
        self._days: dict[date, tuple[bool, bool]] = {}

    def on(self, day: date) -> tuple[bool, bool]:
        """Whether any row holds on a day, and any with a code."""
        if day not in self._days:
            there = [bool(row.code) for row in self.rows if row.start <= day <= row.end]
            self._days[day] = bool(there), any(there)
        return self._days[day]


def schedules(table: pl.DataFrame | None, book: Rulebook) -> dict[tuple[str, str], Schedule]:
    """A table tariff by jurisdiction and measure. Raises InputRejected for a measure that no pack of the book knows."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    if table is None:
        return {}
    columns = ("jurisdiction", "measure", "hs_code", "origin", "valid_from", "valid_to", "duty", "source")
    plain = table.select(columns).with_columns(
        pl.col("jurisdiction").str.strip_chars().str.to_uppercase(),
        pl.col("measure").fill_null(MFN).str.strip_chars().str.to_lowercase(),
        digits_of(pl.col("hs_code").fill_null("")),
        pl.col("valid_to").fill_null(date.max),
        pl.col("source").fill_null(""),
    )
    for place, measure, code, origin, start, end, duty, source in plain.iter_rows():
        found[place, measure].append(Row(code, origin, start, end, duty, source))
    _check_measures({measure for _, measure in found}, book)
    return {place: Schedule(rows) for place, rows in found.items()}


def _check_measures(named: set[str], book: Rulebook) -> None:
    """A duty that would be left out, because no pack knows its measure, must not be."""
    known = sorted({MFN, *REMEDIES, *(str(rule.measure) for pack in book.packs for rule in pack.of("measure"))})
    for measure in sorted(named - set(known)):
        raise InputRejected(
            f'tariff: measure "{measure}" is none of {", ".join(known)}{did_you_mean(measure, known)}',
            hint="say under which of them the duty is owed, or leave such rows out",
        )


def day_after(day: date) -> date:
    """The next day; the last day there is stays."""
    return day if day == date.max else day + timedelta(days=1)
