"""Rule packs made ready for one run: the time line, the values per period, what each rule says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from cbec.methods.compliance import intervals
from cbec.methods.compliance.rules import LIMITS, Pack, Rule


@dataclass(frozen=True)
class Rulebook:
    """Packs as known on a day (None: everything they know)."""

    packs: tuple[Pack, ...]
    as_of: date | None
    periods: intervals.Periods
    spread: pl.DataFrame

    def values(self, *kinds: str) -> pl.DataFrame:
        """Interval rows of rules of these kinds, repeated for every period they hold in; `micro` = value in millionths."""
        rows = self.spread.filter(pl.col("kind").is_in(kinds))
        return rows.with_columns(pl.col("value").to_physical().cast(pl.Int64).alias("micro"))

    def limits(self) -> pl.DataFrame:
        """pack, slot, rule_id, inclusive: the limits of each pack, numbered from 0 within it."""
        rows = [(p.id, slot, r.id, r.inclusive) for p in self.packs for slot, r in enumerate(p.of("limit"))]
        schema = {"pack": pl.String, "slot": pl.Int32, "rule_id": pl.String, "inclusive": pl.Boolean}
        return pl.DataFrame(rows, schema=schema, orient="row")

    @property
    def slots(self) -> int:
        """The largest number of limits in one pack."""
        return max(len(pack.of("limit")) for pack in self.packs)

    def outcomes(self, kind: str) -> pl.DataFrame:
        """What each rule of a kind (scheme or duty) says, with the ids of the rules it rests on (`rests`)."""
        rules = [rule for pack in self.packs for rule in pack.of(kind)]
        names = ("scheme", "collected_by", "tax", "reason") if kind == "scheme" else ("duty", "amount")
        table = {
            "rule_id": [r.id for r in rules],
            "rests": [_rests(r) for r in rules],
            "limit": [_limit(r) for r in rules],
        }
        table |= {name: [r.then.get(name) for r in rules] for name in names}
        schema: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(("rule_id", "limit", *names), pl.String)
        schema["rests"] = pl.List(pl.String)
        return pl.DataFrame(table, schema=schema).rename(lambda c: f"{kind}_rule" if c == "rule_id" else f"{kind}_{c}")

    def titles(self) -> dict[str, str]:
        """Rule id -> title of its source."""
        return {rule.id: rule.reference.title for pack in self.packs for rule in pack.rules.values()}


def _limit(rule: Rule) -> str | None:
    return next((limit for key in LIMITS for limit in rule.when.get(key, ())), None)


def _rests(rule: Rule) -> list[str]:
    named = [limit for key in LIMITS for limit in rule.when.get(key, ())]
    return [rule.id, *named, *(rule.then[key] for key in ("base", "amount") if key in rule.then)]


def rulebook(packs: Sequence[Pack], as_of: date | None = None) -> Rulebook:
    """Compile packs for a day: rules and values recorded after it do not exist then."""
    periods = intervals.periods(packs)
    dated = intervals.table(packs, as_of).drop_nulls("value")
    return Rulebook(tuple(packs), as_of, periods, periods.spread(dated))
