"""Rule packs made ready for one run: the time line, the values per period, what each rule says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import polars as pl

from cbec.methods.compliance import intervals
from cbec.methods.compliance.exact import PERCENT
from cbec.methods.compliance.goods import codes_of
from cbec.methods.compliance.rules import LIMITS, LINKS, OUTCOMES, PIECE, Pack, Rule
from cbec.methods.compliance.territories import owners

TEXT = pl.String


@dataclass(frozen=True)
class Rulebook:
    """Packs as known on a day (None: everything they know)."""

    packs: tuple[Pack, ...]
    as_of: date | None
    periods: intervals.Periods
    spread: pl.DataFrame
    categories: Mapping[str, str] = field(default_factory=dict)
    """Customs codes of the seller's own categories (`goods.codes_of`)."""
    # Asked for again and again, never changed.
    _values: dict[tuple[str, ...], pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)
    _rates: dict[str, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)
    _outcomes: dict[str, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    def values(self, *kinds: str) -> pl.DataFrame:
        """Interval rows of rules of these kinds, repeated for every period they hold in; `micro` = value in millionths."""
        if kinds not in self._values:
            rows = self.spread.filter(pl.col("kind").is_in(kinds))
            self._values[kinds] = rows.with_columns(pl.col("value").to_physical().cast(pl.Int64).alias("micro"))
        return self._values[kinds]

    def rates(self, levy: str) -> pl.DataFrame:
        """country, rated_as (territory, null: the country's own), category, period, rate (millionths of a percent), rate_rule:
        the rates of a levy."""
        if levy not in self._rates:
            of = [(r.id, r.territory) for pack in self.packs for r in pack.of("rate") if r.levy == levy]
            of_levy = pl.DataFrame(of, schema={"rule_id": TEXT, "rated_as": TEXT}, orient="row")
            rows = self.values("rate").join(of_levy, on="rule_id", maintain_order="left")
            country = pl.col("jurisdiction").alias("country")
            self._rates[levy] = rows.select(
                country, "rated_as", "category", "period", rate="micro", rate_rule="rule_id"
            )
        return self._rates[levy]

    @cached_property
    def sharing(self) -> list[str]:
        """Territories where rates that the country has for classes of goods hold too."""
        return [r.id for pack in self.packs for r in pack.of("territory") if r.country_rates]

    @cached_property
    def owned(self) -> list[tuple[str | None, str | None]]:
        """Pack and country of every place that a pack knows, sorted; first no pack."""
        return [(None, None), *sorted(set(owners(self.packs).select("pack", "country").iter_rows()))]

    @cached_property
    def limits(self) -> pl.DataFrame:
        """The limits of each pack, numbered from 0 within it: pack, slot, rule_id, per, base, inclusive, own (in the
        pack's currency)."""
        rows = [
            (p.id, slot, r.id, r.per, r.base, r.inclusive, r.unit in (p.currency, PIECE))
            for p in self.packs
            for slot, r in enumerate(p.of("limit"))
        ]
        schema = {"pack": TEXT, "slot": pl.Int32, "rule_id": TEXT, "per": TEXT, "base": TEXT, "inclusive": pl.Boolean}
        return pl.DataFrame(rows, schema=schema | {"own": pl.Boolean}, orient="row")

    @cached_property
    def dated(self) -> pl.DataFrame:
        """pack, period, `amount`, `bound0` .. of each slot, `share`: what the packs say for each period,
        in millionths."""
        told = pl.DataFrame({"pack": [pack.id for pack in self.packs]}, schema={"pack": TEXT})
        told = told.join(self.periods.frame().select("period"), how="cross")
        on = ["pack", "period"]
        held = {"amount": self.values("amount")}
        limits = self.values("limit").join(self.limits, on=["pack", "rule_id"])
        held |= {f"bound{slot}": limits.filter(pl.col("slot") == slot) for slot in range(self.slots)}
        held["share"] = self.values("method").unique(on)
        for name, values in held.items():
            told = told.join(values.select(*on, pl.col("micro").alias(name)), on=on, how="left", maintain_order="left")
        return told

    @cached_property
    def factor(self) -> pl.Expr:
        """The factor of composite rates of each pack and period, in millionths of a percent."""
        found = pl.lit(PERCENT, pl.Int64)
        for pack, period, value in self.values("factor").select("pack", "period", "micro").iter_rows():
            found = (
                pl.when((pl.col("pack") == pack) & (pl.col("period") == period)).then(pl.lit(value)).otherwise(found)
            )
        return found

    @cached_property
    def slots(self) -> int:
        """The largest number of limits in one pack."""
        return max((len(pack.of("limit")) for pack in self.packs), default=0)

    @cached_property
    def sparing(self) -> dict[str, int]:
        """Rule that charges no tax within a limit -> the slot of that limit (`limits`)."""
        slots = {(pack, rule): slot for pack, slot, rule in self.limits.select("pack", "slot", "rule_id").iter_rows()}
        rules = [(pack.id, rule) for pack in self.packs for rule in pack.of("scheme")]
        return {
            rule.id: slots[pack, rule.when["within"][0]]
            for pack, rule in rules
            if rule.then["tax"] == "none" and "within" in rule.when
        }

    def outcomes(self, kind: str) -> pl.DataFrame:
        """What each rule of a kind (scheme, duty or export) says, with the ids of the rules it rests on (`rests`)."""
        if kind not in self._outcomes:
            self._outcomes[kind] = self._told(kind)
        return self._outcomes[kind]

    def _told(self, kind: str) -> pl.DataFrame:
        rules = [rule for pack in self.packs for rule in pack.of(kind)]
        table = {
            "rule": [r.id for r in rules],
            "rests": [_rests(r) for r in rules],
            "limit": [next(iter(_limits(r)), r.then.get("threshold")) for r in rules],
        }
        table |= {name: [r.then.get(name) for r in rules] for name in OUTCOMES[kind]}
        schema: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(table, TEXT)
        schema["rests"] = pl.List(TEXT)
        return pl.DataFrame(table, schema=schema).rename(lambda c: f"{kind}_{c}")

    @cached_property
    def methods(self) -> dict[str, str]:
        """Rule id -> the way of computing it names."""
        return {r.id: str(r.method) for pack in self.packs for r in pack.of("method")}

    def titles(self) -> dict[str, str]:
        """Rule id -> title of its source."""
        return {rule.id: rule.reference.title for pack in self.packs for rule in pack.rules.values()}


def _limits(rule: Rule) -> list[str]:
    return [limit for key in LIMITS for limit in rule.when.get(key, ())]


def _rests(rule: Rule) -> list[str]:
    return [rule.id, *_limits(rule), *(rule.then[key] for key in (*LINKS, "amount") if key in rule.then)]


def _known(pack: Pack, as_of: date | None) -> Pack:
    """The pack as known then: without rates of classes of goods that nobody knew, by which a class would seem to have one,
    and without ends that nobody foresaw."""
    unknown = [r.id for r in pack.of("rate") if r.category is not None and not intervals.in_force(r, as_of)]
    unforeseen = {
        r.id: dataclasses.replace(r, valid_to=None)
        for r in pack.rules.values()
        if r.valid_to is not None and intervals.last_day(r, as_of) != r.valid_to
    }
    if not unknown and not unforeseen:
        return pack
    return dataclasses.replace(
        pack, rules={key: unforeseen.get(key, r) for key, r in pack.rules.items() if key not in unknown}
    )


def rulebook(packs: Sequence[Pack], as_of: date | None = None, category_codes: pl.DataFrame | None = None) -> Rulebook:
    """Compile packs for a day: rules and values recorded after it do not exist then. category_codes: table of that name."""
    periods = intervals.periods(packs)
    packs = [_known(pack, as_of) for pack in packs]
    dated = intervals.table(packs, as_of).drop_nulls("value")
    return Rulebook(tuple(packs), as_of, periods, periods.spread(dated), codes_of(category_codes))
