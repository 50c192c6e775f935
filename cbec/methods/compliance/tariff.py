"""The user's tariff: which duties fall on a line, by the longest matching code, measure by measure.

A measure is one authority's duty (`mfn` = the ordinary one; `s301`, `s232` ..). A rule pack says which measures its
country knows, for whom, and which exclude each other; the rates stand in the user's tariff or, for a measure that is
one rate on nearly everything, in the pack. Duties against dumping and the like are added wherever the tariff names the
goods; a measure that nobody knows is refused, never left out. Resolved once per combination of facts, code, origin and period.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from cbec.methods.compliance import chain
from cbec.methods.compliance.codes import Combinations, Pairs, taken
from cbec.methods.compliance.duty_text import DOLLARS, VALUE, Expression, NoRate, Term, parse
from cbec.methods.compliance.goods import Prefixes
from cbec.methods.compliance.intervals import MICRO, Periods, known
from cbec.methods.compliance.lines import digits_of
from cbec.methods.compliance.schedule import MFN, REMEDIES, Looked, Row, day_after, schedules
from cbec.methods.compliance.territories import UNKNOWN

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.facts import Facts
    from cbec.methods.compliance.rules import Pack, Rule

UNTOLD = ""
"""The origin of goods of which none is told."""
FROM_LINE = -1
"""Instead of a rate: the rate that the line itself tells."""


@dataclass(frozen=True)
class Part:
    """One measure on a line: its rate in millionths of a percent (FROM_LINE: the line's), or an expression's number."""

    measure: str
    rule: str | None
    rate: int | None
    expression: int | None
    source: str | None


@dataclass(frozen=True)
class Resolution:
    """All measures on a line; or why they are not known, with what is missing. `bracket`: the rate that a duty in
    steps depends on (of the bracket of the pack on the day), in millionths of a percent."""

    parts: tuple[Part, ...] = ()
    problem: str | None = None
    what: str | None = None
    bracket: int | None = None
    unchecked: bool = False  # a rate on nearly everything was taken, and the tariff names none of its exceptions


@dataclass(frozen=True)
class Measure:
    """A measure that holds for a combination of facts: its rule, and its rate where the pack has one."""

    name: str
    rule: str | None = None
    rate: int | None = None
    not_with: tuple[str, ...] = ()
    row_needed: bool = False
    rest: bool = False  # on what is left where a measure of `not_with` falls on a part of the value only
    stepped: bool = False  # a duty in steps depends on it
    open: bool = False  # it depends on the origin of the goods, which is not told


class Place(NamedTuple):
    """What decides about duties there: the pack, the names it has in the tariff, and the measures that hold."""

    pack: str | None
    names: tuple[str, ...]
    measures: tuple[Measure, ...]


class Tariff:
    """The duties of one run, resolved as they are met. `expressions` are those of all resolutions so far."""

    def __init__(self, table: pl.DataFrame | None, facts: Facts, book: Rulebook) -> None:
        self._book = book
        self._rows = schedules(table, book)
        self._jurisdictions = {place for place, _ in self._rows}
        self._remedied = {place for place, measure in self._rows if measure in REMEDIES}
        self._packs = {pack.id: pack for pack in book.packs}
        rows = [row for held in self._rows.values() for row in held.rows]
        self._periods = Periods(tuple(sorted({date.min, *(d for r in rows for d in (r.start, day_after(r.end)))})))
        words = facts.goods.hs_words
        digits = words.to_frame().select(digits_of(pl.col("word")))["word"]
        prefixes = Prefixes(digits, [r.code for r in rows])
        self._prefixes = prefixes.prefixes
        # A line without a customs code is not one whose code is in no row.
        none = pl.Series("p", [len(self._prefixes)], dtype=pl.Int64)
        blank = pl.when(digits == "").then(none[0]).otherwise(prefixes.of.cast(pl.Int64)).alias("p")
        self._of_hs = pl.concat([pl.select(blank)["p"] if len(digits) else none.clear(), none])
        # Origins that no row names are one.
        self._origins = [None, *sorted({r.origin for r in rows if r.origin is not None}), UNTOLD]
        told = [self._origins.index(o) if o in self._origins else 0 for o in facts.origin.words]
        self._of_origin = pl.Series("origin", [*told, self._origins.index(UNTOLD)], dtype=pl.Int64)
        sizes = {
            "period": len(self._periods.starts),
            "told": 2,
            "code": len(self._prefixes) + 1,
            "origin": len(self._origins),
        }
        self._combinations, self._pairs = Combinations(sizes), Pairs()
        self._goods: list[tuple[int, int, int, int]] = []
        self._places: dict[Place, int] = {}
        self._of_cell = pl.Series("place", [], dtype=pl.Int64)
        self._numbers: dict[Expression, int] = {}
        self._looked: dict[tuple[tuple[str, ...], str, str | None, str | None, date], Looked] = {}
        self.resolutions: list[Resolution] = []

    def covers(self, cells: pl.DataFrame) -> pl.Series:
        """Whether anything but the rate on the line itself can matter to lines of each cell."""
        packs = [pack.id for pack in self._book.packs if pack.of("measure")]
        places = sorted(self._jurisdictions)
        named = pl.col("country").is_in(places) | pl.col("pack").str.to_uppercase().is_in(places)
        return cells.select((pl.col("pack").is_in(packs) | named).fill_null(False).alias("covers"))["covers"]

    @property
    def expressions(self) -> list[Expression]:
        """The expressions that resolutions name by number."""
        return list(self._numbers)

    def number(self, lines: pl.DataFrame, cells: pl.DataFrame) -> pl.Series:
        """The resolution of each line. lines: `cell`, `day` (none is empty), `duty_rate`, `hs`, `origin` (codes). cells: from
        `decisions`."""
        fresh = cells[len(self._of_cell) :]
        if fresh.height:
            held = measures(fresh, self._book)
            found = [
                self._places.setdefault(Place(pack, self._named(pack, country), mine), len(self._places))
                for (pack, country), mine in zip(fresh.select("pack", "country").iter_rows(), held, strict=True)
            ]
            self._of_cell = pl.concat([self._of_cell, pl.Series("place", found, dtype=pl.Int64)], rechunk=True)
        codes = [
            self._periods.lookup(lines["day"]).of(lines["day"]),
            lines["duty_rate"].is_not_null().cast(pl.Int64).alias("told"),
            taken(self._of_hs, lines["hs"]).alias("code"),
            taken(self._of_origin, lines["origin"]).alias("origin"),
        ]
        goods, met = self._combinations.number(pl.DataFrame(codes))
        self._goods.extend(met.rows())
        numbers = self._pairs.number(goods, self._of_cell.gather(lines["cell"]))
        places = list(self._places)
        pairs = (pairs[len(self.resolutions) :].to_list() for pairs in (self._pairs.first, self._pairs.second))
        for of, place in zip(*pairs, strict=True):
            at, told, code, origin = self._goods[of]
            day = self._periods.starts[at]
            prefix = self._prefixes[code] if code < len(self._prefixes) else None
            self.resolutions.append(self._resolve(places[place], prefix, self._origins[origin], day, bool(told)))
        return numbers

    def _named(self, pack: str | None, country: str | None) -> tuple[str, ...]:
        """The names under which the tariff has rows for a country."""
        return tuple(n for n in dict.fromkeys((country, pack and pack.upper())) if n in self._jurisdictions)

    def _resolve(self, place: Place, code: str | None, origin: str | None, day: date, told: bool) -> Resolution:
        pack, held = self._packs[str(place.pack)], place.measures

        def look(measure: str) -> Looked:
            return self._look(place.names, measure, code, origin, day)

        bracket = self._bracket(pack, held, look)
        parts: dict[str, Part] = {}
        unchecked: list[str] = []
        # A measure with a rate of the pack's own takes the place of others, whatever they would be.
        owned = {m.name for m in held if m.rate and look(m.name)[0] is None}
        for measure in held:
            if owned & set(measure.not_with):
                continue
            if measure.open:
                return Resolution(problem="tax_no_goods_origin", what=measure.name, bracket=bracket)
            if measure.name == MFN and told:
                parts[MFN] = Part(MFN, measure.rule, FROM_LINE, None, None)
                continue
            row, any_row, coded = look(measure.name)
            if row is not None:
                part = self._read(row, measure, pack)
                if isinstance(part, Resolution):
                    return replace(part, bracket=bracket)
                parts[measure.name] = part
            elif code is None and coded:
                return Resolution(problem="tax_no_tariff_code", what=measure.name, bracket=bracket)
            elif measure.rate is not None:
                parts[measure.name] = Part(measure.name, measure.rule, measure.rate, None, None)
                unchecked += [] if any_row else [measure.name]
            elif measure.name == MFN:
                return Resolution(problem="tax_no_duty_rate", bracket=bracket)
            elif not any_row or measure.row_needed:
                return Resolution(problem="tax_measure_unknown", what=measure.name, bracket=bracket)
        remedies = self._remedies(place, code, origin, day, pack)
        if isinstance(remedies, Resolution):
            return replace(remedies, bracket=bracket)
        due = {name for name, part in parts.items() if part.rate != 0}
        beside = [self._beside(m, parts, due) for m in held if m.name in parts]
        kept = [part for part in beside if part is not None] + remedies
        return Resolution(tuple(kept), bracket=bracket, unchecked=any(p.measure in unchecked for p in kept))

    def _beside(self, measure: Measure, parts: dict[str, Part], due: set[str]) -> Part | None:
        """The part of a measure beside the others that are due: none where one takes its place, less the components that
        others fall on where it falls on the rest."""
        part, others = parts[measure.name], due & set(measure.not_with)
        if not others:
            return part
        expressions = list(self._numbers)
        components: set[str] = set()
        for name in others:
            number = parts[name].expression
            terms = () if number is None else expressions[number].terms
            units = {unit for term in terms for unit in term.units}
            if not units or VALUE in units or any(term.currency is not None for term in terms):
                return None  # it falls on the whole value
            components |= units
        if not measure.rest:
            return None
        if part.rate is None:  # the tariff tells what it falls on
            return part
        rate = Decimal(part.rate) / MICRO
        left = (Term(rate, (VALUE,)), *(Term(-rate, (unit,)) for unit in sorted(components)))
        number = self._numbers.setdefault(Expression(left), len(self._numbers))
        return replace(part, rate=None, expression=number)

    def _remedies(
        self, place: Place, code: str | None, origin: str | None, day: date, pack: Pack
    ) -> list[Part] | Resolution:
        """What `REMEDIES` add for the goods, or why it is not known."""
        parts: list[Part] = []
        if self._remedied.isdisjoint(place.names):
            return parts
        for name in REMEDIES:
            if not any((held, name) in self._rows for held in place.names):
                continue
            row, _, coded = self._look(place.names, name, code, origin, day)
            if code is None and coded:
                return Resolution(problem="tax_no_tariff_code", what=name)
            if origin == UNTOLD and any(
                self._look(place.names, name, code, other, day)[0] is not row for other in self._origins
            ):
                return Resolution(problem="tax_no_goods_origin", what=name)
            part = None if row is None else self._read(row, Measure(name), pack)
            if isinstance(part, Resolution):
                return part
            parts += [] if part is None else [part]
        return parts

    def _bracket(self, pack: Pack, held: Sequence[Measure], look: Callable[[str], Looked]) -> int | None:
        """The rate that a duty in steps depends on: the sum of its measures that hold for the line; None = not known."""
        total: int | None = None
        for measure in held:
            if not measure.stepped:
                continue
            if measure.open:
                return None
            row, any_row, _ = look(measure.name)
            part = None if row is None else self._read(row, measure, pack)
            if part is None and measure.rate is not None:
                total = (total or 0) + measure.rate
                continue
            if (
                isinstance(part, Resolution)
                or (part is not None and part.rate is None)
                or (row is None and not any_row)
            ):
                return None
            total = (total or 0) + (0 if part is None else int(part.rate or 0))
        return total

    def _look(self, names: tuple[str, ...], measure: str, code: str | None, origin: str | None, day: date) -> Looked:
        """What the tariff says, looked up once."""
        key = (names, measure, code, origin, day)
        told = self._looked.get(key)
        if told is None:
            told = self._looked[key] = self._found(*key)
        return told

    def _found(self, names: tuple[str, ...], measure: str, code: str | None, origin: str | None, day: date) -> Looked:
        """The row of the longest matching code (of two, the one that names the origin, then the later one); whether
        the tariff has any row of the measure on that day, and any with a code."""
        best: Row | None = None
        held = [self._rows[name, measure] for name in names if (name, measure) in self._rows]
        code = code or ""
        lengths = held[0].lengths if len(held) == 1 else sorted({n for one in held for n in one.lengths}, reverse=True)
        for length in lengths:
            if length > len(code):
                continue
            fits = [
                row
                for schedule in held
                for row in schedule.by_code.get(code[:length], ())
                if row.start <= day <= row.end and row.origin in (None, origin)
            ]
            if fits:
                best = max(fits, key=lambda r: (r.origin is not None, r.start))
                break
        there = [schedule.on(day) for schedule in held]
        return best, any(told for told, _ in there), any(coded for _, coded in there)

    def _read(self, row: Row, measure: Measure, pack: Pack) -> Part | Resolution:
        dollar = pack.currency if pack.currency in DOLLARS else "USD"
        source = row.source or f"tariff row {row.code or 'of all goods'}"
        try:
            expression = parse(row.duty, dollar)
        except NoRate as fault:
            return Resolution(problem="tax_duty_text", what=str(fault))
        if expression.condition is not None:
            return Resolution(problem="tax_duty_condition", what=row.duty)
        if expression.base:
            # "The duty provided in the applicable subheading + 25%": the ordinary duty is a measure of its own.
            if measure.name == MFN:
                return Resolution(
                    problem="tax_duty_text", what=f'"{row.duty}" points to the duty of another subheading'
                )
            expression = Expression(expression.terms)
        if expression.simple is not None:
            return Part(measure.name, measure.rule, int(expression.simple * MICRO), None, source)
        number = self._numbers.setdefault(expression, len(self._numbers))
        return Part(measure.name, measure.rule, None, number, source)


def measures(cells: pl.DataFrame, book: Rulebook) -> list[tuple[Measure, ...]]:
    """The measures of each cell, in the order of the pack; a pack that names none knows the ordinary duty only."""
    told: list[tuple[Measure, ...]] = [(Measure(MFN),)] * cells.height
    values = {
        (rule, period): micro
        for rule, period, micro in book.values("measure").select("rule_id", "period", "micro").iter_rows()
    }
    numbered = cells.with_row_index("case")
    for pack in book.packs:
        rules = [rule for rule in pack.of("measure") if known(rule, book.as_of)]
        rows = numbered.filter((pl.col("pack") == pack.id) & pl.col("day").is_not_null())
        if not rules or rows.is_empty():
            continue
        facts = chain.Cases(rows.with_columns(chain.buyer()))

        def stepped(day: date, pack: Pack = pack) -> set[str]:
            return {name for rule in pack.of("bracket") if _active(rule, day) for name in rule.measures}

        held: dict[int, list[Measure]] = {case: [] for case in rows["case"].to_list()}
        for name in dict.fromkeys(str(rule.measure) for rule in rules):
            mine = [rule for rule in rules if rule.measure == name]
            named, _ = facts.decide(pack, "measure", book.as_of, among=mine)
            told_of = zip(named, rows.select("case", "period", "origin", "day").iter_rows(), strict=True)
            for rule_id, (case, period, origin, day) in told_of:
                if origin == UNKNOWN and any("origin" in rule.when and _active(rule, day) for rule in mine):
                    held[case].append(Measure(name, stepped=name in stepped(day), open=True))
                elif rule_id is not None:
                    rule = pack.rules[rule_id]
                    rate = values.get((rule_id, period))
                    if rate is not None or not rule.values:
                        steps = name in stepped(day)
                        held[case].append(
                            Measure(name, rule_id, rate, rule.not_with, rule.row_needed, rule.rest, steps)
                        )
        for case, measures_held in held.items():
            told[case] = tuple(measures_held)
    return told


def _active(rule: Rule, day: date) -> bool:
    return (rule.valid_from or date.min) <= day <= (rule.valid_to or date.max)
