"""Rule packs compiled into interval tables, and dates into the periods between rule changes.

Every value of every rule becomes one row with the days it holds (`valid_from`, `valid_to` inclusive) and the day
it was known. Dates are cut at every boundary of any rule, so that within one period no rule changes and a line
finds its rules by an equi-join on the period instead of a range join.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.codes import taken

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Dated, Pack, Rule

ENDLESS = date(9999, 12, 31)
MICRO = 1_000_000
"""Values are kept as integers in millionths, so that joins and sums are exact."""

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "pack": pl.String,
    "rule_id": pl.String,
    "kind": pl.String,
    "jurisdiction": pl.String,
    "region": pl.String,
    "category": pl.String,
    "scheme": pl.String,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
    "recorded_from": pl.Date,
    "value": pl.Decimal(38, 6),
    "unit": pl.String,
    "citation": pl.String,
}


def in_force(rule: Rule, as_of: date | None) -> list[tuple[date, date, Dated]]:
    """Values of a rule as known on `as_of` (None: all that is known), as intervals (first day, last day, value).

    A value recorded after `as_of` did not exist then. Of two values from one day on, the one recorded later is the
    correction. A value of None ends the interval before it.
    """
    known: dict[date, Dated] = {}
    for value in sorted(rule.values, key=lambda v: (v.valid_from, v.recorded_from)):
        if as_of is None or value.recorded_from <= as_of:
            known[value.valid_from] = value
    values = list(known.values())
    ends = [*(v.valid_from - timedelta(days=1) for v in values[1:]), ENDLESS]
    return [(v.valid_from, end, v) for v, end in zip(values, ends, strict=False) if v.value is not None]


def table(packs: Iterable[Pack], as_of: date | None = None) -> pl.DataFrame:
    """All rules as one tidy interval table (columns: `SCHEMA`); conditions without value have a null `value`."""
    rows = [row for pack in packs for rule in pack.rules.values() for row in _rows(pack, rule, as_of)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(pack: Pack, rule: Rule, as_of: date | None) -> list[tuple[object, ...]]:
    def row(start: date, end: date, recorded: date, value: Decimal | None) -> tuple[object, ...]:
        place = (rule.country, rule.region, rule.category, rule.then.get("scheme"))
        times = (start, end, recorded)
        return (pack.id, rule.id, rule.kind, *place, *times, value, rule.unit, rule.reference.title)

    if rule.values:
        return [row(start, end, v.recorded_from, v.value) for start, end, v in in_force(rule, as_of)]
    if not known(rule, as_of):
        return []
    start, end = rule.valid_from or date.min, last_day(rule, as_of)
    return [row(start, end, rule.recorded_from or start, None)]


def known(rule: Rule, as_of: date | None) -> bool:
    """Whether a condition (a rule without values) was known on that day."""
    recorded = rule.recorded_from or rule.valid_from
    return as_of is None or recorded is None or recorded <= as_of


def last_day(rule: Rule, as_of: date | None) -> date:
    """The last day of a rule, as far as it was known."""
    foreseen = as_of is None or rule.end_recorded_from is None or rule.end_recorded_from <= as_of
    return rule.valid_to if foreseen and rule.valid_to is not None else ENDLESS


@dataclass(frozen=True)
class Days:
    """Periods of consecutive days from `first` (days since 1970) on."""

    first: int
    periods: pl.Series

    def of(self, days: pl.Series) -> pl.Series:
        """The period of each day, null for none."""
        if not len(self.periods):
            return pl.Series("period", [None], dtype=pl.Int64).new_from_index(0, len(days))
        at = days.to_physical().cast(pl.Int64) - self.first
        return self.periods.gather(at) if at.null_count() else taken(self.periods, at)


@dataclass(frozen=True)
class Periods:
    """The time line cut at every rule boundary: period i runs from `starts[i]` to the day before `starts[i + 1]`."""

    starts: tuple[date, ...]

    def frame(self) -> pl.DataFrame:
        """period (Int32), starts (Date)."""
        return pl.DataFrame({"period": range(len(self.starts)), "starts": self.starts}).cast({"period": pl.Int32})

    def lookup(self, days: pl.Series) -> Days:
        """The periods of the days of a column, and of those between its first and last."""
        first, last = days.min(), days.max()
        if first is None or last is None:
            return Days(0, pl.Series("period", [], dtype=pl.Int64))
        ends = pl.DataFrame({"first": [first], "last": [last]})
        span = ends.select(pl.date_range(pl.col("first").first(), pl.col("last").first()).alias("day"))
        cut = self.frame().rename({"starts": "day"}).sort("day")
        periods = span.join_asof(cut, on="day", strategy="backward")["period"].cast(pl.Int64)
        return Days(int(span["day"].to_physical()[0]), periods)

    def spread(self, intervals: pl.DataFrame) -> pl.DataFrame:
        """Interval rows repeated for every period they hold in, with the column `period`."""
        inside = (pl.col("valid_from") <= pl.col("starts")) & (pl.col("starts") <= pl.col("valid_to"))
        return intervals.join(self.frame(), how="cross").filter(inside).drop("starts")


def cuts_of(packs: Sequence[Pack], country: str | None = None) -> set[date]:
    """Days on which something changes: of all rules, whenever they were recorded (so that a period means the same to
    every `as_of`), and the days after the last that the packs were checked for. country: only what may concern it."""
    cuts = {date.min, *(pack.valid_to + timedelta(days=1) for pack in packs)}
    for rule in (rule for pack in packs for rule in pack.rules.values()):
        if country is not None and rule.country not in (None, country):
            continue
        cuts.update(value.valid_from for value in rule.values)
        if rule.valid_from is not None:
            cuts.add(rule.valid_from)
        if rule.valid_to is not None:
            cuts.add(rule.valid_to + timedelta(days=1))
    return cuts


def periods(packs: Sequence[Pack]) -> Periods:
    """The time line cut wherever anything changes in any pack."""
    return Periods(tuple(sorted(cuts_of(packs))))
