"""What the rules make of lines, worked out once per distinct combination of facts, period and limits.

A cell is a combination of facts in a period between rule changes: it has rates and bounds. A case is a cell whose
consignment stands somewhere against the limits: it has a rule. Even a file of millions of lines has few of both;
lines find theirs by one integer key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.compliance import chain
from cbec.methods.compliance.amounts import BRACKET, FLAT, NONE, TARIFF
from cbec.methods.compliance.codes import REASON, Pairs, Register, taken
from cbec.methods.compliance.exact import PERCENT
from cbec.methods.compliance.intervals import cuts_of
from cbec.methods.compliance.limits import NO_STATE, STATES
from cbec.methods.compliance.rules import LEVIES

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.facts import Facts


FLAT_UNTAXED = "price_plus_tariff"
"""The method of a tax that a flat duty is no part of."""
SENT = ("vat", "vat_rule", "category", "goods_rule", "hinted")
"""What a case takes from the state of dispatch where its rule says so."""


class Decisions:
    """Cells and cases of one file, numbered as they are met."""

    def __init__(self, facts: Facts, book: Rulebook) -> None:
        self._facts, self._book = facts, book
        self._periods = len(book.periods.starts) + 1
        self._same = Calendars(book)
        self._cells, self._cases, self._stands = Register(), Pairs(), Register()
        self._codes: list[int] = []
        self._calendar = pl.Series("calendar", [], dtype=pl.Int64)
        self.cells, self.cases = pl.DataFrame(), pl.DataFrame()

    def cell(self, fact: pl.Series, period: pl.Series) -> pl.Series:
        """The cell of each line: facts and period (null: the line has no date)."""
        fresh = self._facts.table.select("owned", "sent_owned")[len(self._calendar) :]
        both = pl.Series("calendar", [self._same.both(*pair) for pair in fresh.iter_rows()], dtype=pl.Int64)
        self._calendar = pl.concat([self._calendar, both], rechunk=True) if len(both) else self._calendar
        period = self._same.of(taken(self._calendar, fact), period.fill_null(self._periods - 1))
        numbers, new = self._cells.number(fact * self._periods + period)
        if len(new):
            told = self._facts.table[(new // self._periods).to_list()].with_columns(
                (new % self._periods).cast(pl.Int32).alias("period")
            )
            told = _within(_dated(told, self._book), self._book)
            self.cells = pl.concat([self.cells, told], rechunk=True) if self.cells.width else told
        return numbers

    def case(self, cell: pl.Series, state: pl.Series) -> pl.Series:
        """The case of each line: its cell and the states of its consignment (from `limits.Limits`)."""
        # Few of all combinations of states occur; numbered by themselves they keep the keys small.
        stands, new = self._stands.number(state)
        self._codes += new.to_list()
        numbers = self._cases.number(cell, stands)
        if len(self._cases.first) > self.cases.height:
            cells, stand = (codes[self.cases.height :] for codes in (self._cases.first, self._cases.second))
            codes = pl.Series(self._codes, dtype=pl.Int64).gather(stand)
            states = [((codes // STATES**i) % STATES).cast(pl.Int8).alias(f"state{i}") for i in range(self._book.slots)]
            rows = self.cells[cells.to_list()].with_columns(cells.alias("cell"), *states)
            rows = rows.with_columns(
                pl.when(pl.col(s.name) < NO_STATE).then(s.name).alias(s.name) for s in states
            ).with_row_index("case")
            told = _decided(rows, self._book)
            self.cases = pl.concat([self.cases, told], rechunk=True) if self.cases.width else told
        return numbers


class Calendars:
    """Periods in which nothing changes for a country: of several that follow each other the first stands for all."""

    def __init__(self, book: Rulebook) -> None:
        starts = book.periods.starts
        self._periods = len(starts) + 1
        firsts: list[int] = []
        for pack, country in book.owned:
            cuts = {starts[0]} if pack is None else cuts_of([p for p in book.packs if p.id == pack], country)
            at = 0
            for n, day in enumerate(starts):
                at = n if day in cuts else at
                firsts.append(at)
            firsts.append(self._periods - 1)
        self._firsts = pl.Series("period", firsts, dtype=pl.Int64)
        self._pairs: dict[tuple[int, int], int] = {}

    def both(self, one: int, other: int) -> int:
        """A calendar in which nothing changes for either of two places in `Rulebook.owned` (0: no place)."""
        if other == 0:
            return one
        if (one, other) not in self._pairs:
            self._pairs[one, other] = len(self._firsts) // self._periods
            mine, theirs = (self._firsts[at * self._periods : (at + 1) * self._periods] for at in (one, other))
            later = pl.select(pl.max_horizontal(mine, theirs.alias("theirs")).alias("period"))["period"]
            self._firsts = pl.concat([self._firsts, later], rechunk=True)
        return self._pairs[one, other]

    def of(self, calendar: pl.Series, period: pl.Series) -> pl.Series:
        """The period that stands for each. calendar: place in `Rulebook.owned`, or of `both`; period: the last one is that
        of no date."""
        return taken(self._firsts, calendar * self._periods + period)


def _dated(cells: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """Adds what holds in the period: rates, flat amounts, bounds; and `issue`, why it cannot be decided at all."""
    for levy in LEVIES:
        cells = cells.hstack(_rated(cells, book, levy))
    sent = pl.col("sent").alias("country"), pl.lit(None, pl.String).alias("territory"), pl.lit("main").alias("area")
    of_sent = cells.select(*sent, pl.col("sent_category").alias("category"), "period")
    cells = cells.hstack(_rated(of_sent, book, "vat").select(pl.all().name.prefix("sent_")))
    cells = cells.join(book.dated, on=["pack", "period"], how="left", maintain_order="left")
    cells = cells.join(book.periods.frame().rename({"starts": "day"}), on="period", how="left", maintain_order="left")
    late = pl.lit(False)
    for pack in book.packs:
        late |= (pl.col("pack") == pack.id) & (pl.col("day") > pl.lit(pack.valid_to))
    composite = {pack.id for pack in book.packs if any(r.then.get("levy") == "composite" for r in pack.of("scheme"))}
    folded = composite_rate(pl.col("vat"), pl.col("consumption").fill_null(0), book.factor)
    lacks = [
        ("tax_no_date", pl.col("day").is_null()),
        ("tax_no_destination", pl.col("ship_to").is_null()),
        ("tax_no_pack", pl.col("pack").is_null()),
        ("tax_pack_expired", late),
        ("tax_no_origin", pl.col("ship_from").is_null()),
    ]
    issue = pl.lit(None, pl.String)
    for code, lacking in reversed(lacks):
        issue = pl.when(lacking.fill_null(False)).then(pl.lit(code)).otherwise(issue)
    return cells.with_columns(
        issue.alias("issue"),
        # A price that includes tax includes what the usual way of selling charges.
        pl.when(pl.col("pack").is_in(composite)).then(folded).otherwise("vat").fill_null(0).alias("net_rate"),
        (pl.col("movement") == "import").fill_null(False).alias("imported"),
    )


def _within(cells: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """Adds `flat_untaxed`: whether a consignment within every limit bears a tax that a flat duty is no part of."""
    found = np.zeros(cells.height, dtype=bool)
    for pack in book.packs:
        bare = [rule.id for rule in pack.of("scheme") if book.methods.get(rule.then.get("base") or "") == FLAT_UNTAXED]
        mine = cells.select(
            (pl.col("pack") == pack.id)
            & pl.col("imported")
            & pl.col("issue").is_null()
            & pl.col("amount").is_not_null()
        )
        where = mine.to_series().fill_null(False).to_numpy()
        if bare and where.any():
            within = [pl.lit(chain.WITHIN, pl.Int8).alias(limit.id) for limit in pack.of("limit")]
            facts = chain.Cases(cells.with_columns(chain.buyer(), *within))
            found |= where & np.isin(facts.decide(pack, "scheme", book.as_of, where=where)[0].astype(str), bare)
    return cells.with_columns(pl.Series("flat_untaxed", found))


def composite_rate(vat: pl.Expr, consumption: pl.Expr, factor: pl.Expr) -> pl.Expr:
    """(consumption + VAT) / (1 - consumption) x factor, in millionths of a percent: tax on a price that consumption tax
    is a part of."""
    top = (vat + consumption).cast(pl.Int128) * PERCENT * factor
    return (
        (top * 2 + (PERCENT - consumption) * PERCENT) // ((PERCENT - consumption).cast(pl.Int128) * PERCENT * 2)
    ).cast(pl.Int64)


def _rated(cells: pl.DataFrame, book: Rulebook, levy: str) -> pl.DataFrame:
    """`<levy>` (millionths of a percent, Int64) and `<levy>_rule`: of the category, the territory or the country.

    A category with a rate of its own in a country has a known one in a territory that has rates of its own only where a
    rate names both, or the territory shares those of its country.
    Consumption and parcel taxes that no rule gives for a category are those for all goods.
    """
    keep = [pl.col("rate").alias(levy), pl.col("rate_rule").alias(f"{levy}_rule")]
    rates = book.rates(levy)
    on = ["country", "rated_as", "category", "period"]
    shared = pl.col("territory").is_in(book.sharing).fill_null(False)
    found = cells.with_columns(pl.when(~shared).then("territory").alias("rated_as"))
    found = found.select(*on, "territory", "area").with_row_index("n")
    main = found.join(rates.select(*on, *keep), on=on, how="left", nulls_equal=True, maintain_order="left")
    if levy != "vat":
        general = rates.filter(pl.col("category").is_null()).select("country", "period", "rate", "rate_rule")
        main = main.join(general, on=["country", "period"], how="left", maintain_order="left")
        told = pl.coalesce(levy, "rate").alias(levy), pl.coalesce(f"{levy}_rule", "rate_rule").alias(f"{levy}_rule")
        return main.select(*told)
    special = book.values("territory").select(
        pl.col("rule_id").alias("territory"), "period", rate="micro", rate_rule="rule_id"
    )
    main = main.join(special, on=["territory", "period"], how="left", maintain_order="left")
    local = pl.col("territory").is_not_null() & ((pl.col("area") == "outside") | pl.col("category").is_null())
    return main.select(
        pl.when(local).then(theirs).otherwise(own).alias(own)
        for own, theirs in ((levy, "rate"), (f"{levy}_rule", "rate_rule"))
    )


def _decided(cases: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """Adds to cases the rules that hold and what they say.

    `scheme_rule`, `duty_rule` and their outcomes; `problem`: the reason code where they leave it open; `rate`,
    `charged_rate`; `rule_ids` (List) and `_limit`, `_limit_currency`, `_territory`, `_sent`, `_taxed_in` for the sentences of reasons.
    """
    cases = cases.with_columns(chain.buyer())
    asked = cases.select(pl.col("issue").is_null() & pl.col("priced_in_money")).to_series().to_numpy()
    pack_of = np.array(cases["pack"].to_list(), dtype=object)
    limits = {rule.id: f"state{i}" for pack in book.packs for i, rule in enumerate(pack.of("limit"))}
    facts = chain.Cases(cases, limits)
    columns = []
    for kind in ("scheme", "duty"):
        named, opened = np.full(cases.height, None, dtype=object), np.full(cases.height, -1)
        for pack in book.packs:
            mine = asked & (pack_of == pack.id)
            if mine.any():
                rule, state = facts.decide(pack, kind, book.as_of, where=mine)
                named[mine], opened[mine] = rule[mine], state[mine]
        columns += chain.outcome(kind, named, opened)
    return _told(cases.with_columns(columns), book).drop("case")


def _told(cases: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    for kind in ("scheme", "duty"):
        cases = cases.join(book.outcomes(kind), on=f"{kind}_rule", how="left", maintain_order="left")
    dispatch = (pl.col("scheme_rate_of") == "dispatch").fill_null(False)
    cases = cases.with_columns(
        *(pl.when(dispatch).then(f"sent_{c}").otherwise(c).alias(c) for c in SENT),
        pl.when(~dispatch).then("territory").alias("territory"),
    )
    limits = book.values("limit", "threshold").select(
        pl.col("rule_id").alias("scheme_limit"), "period", pl.col("value").cast(pl.Float64).alias("_limit"), "unit"
    )
    cases = cases.join(limits, on=["scheme_limit", "period"], how="left", maintain_order="left")
    freed = book.values("limit").select(
        pl.col("rule_id").alias("scheme_allowance"), "period", pl.col("micro").alias("allowance")
    )
    cases = cases.join(freed, on=["scheme_allowance", "period"], how="left", maintain_order="left")
    named = book.values("rate").select(pl.col("rule_id").alias("scheme_rate"), "period", pl.col("micro").alias("named"))
    cases = cases.join(named, on=["scheme_rate", "period"], how="left", maintain_order="left")
    methods = book.methods
    customs = pl.col("duty_base").replace_strict(methods, default=None, return_dtype=pl.String)
    base = pl.col("scheme_base").replace_strict(methods, default=None, return_dtype=pl.String)
    kinds = {"flat": FLAT, "tariff": TARIFF, "bracket": BRACKET}
    levy = pl.col("scheme_levy").fill_null("vat")
    folded = composite_rate(pl.col("vat"), pl.col("consumption").fill_null(0), book.factor)
    charged = pl.col("scheme_tax") == "charge"
    cases = cases.with_columns(
        pl.col("unit").alias("_limit_currency"),
        pl.col("territory_name").alias("_territory"),
        pl.col("sent").alias("_sent"),
        pl.when(dispatch).then("sent").otherwise("ship_to").alias("_taxed_in"),
        pl.when(pl.col("scheme_rate").is_not_null())
        .then("named")
        .when(levy == "composite")
        .then(folded)
        .when(levy == "parcel")
        .then("parcel")
        .otherwise("vat")
        .alias("rate"),
        pl.when(pl.col("scheme_rate").is_not_null())
        .then("scheme_rate")
        .when(levy == "parcel")
        .then("parcel_rule")
        .otherwise("vat_rule")
        .alias("rate_rule"),
        pl.col("duty_duty")
        .replace_strict(kinds, default=NONE, return_dtype=pl.Int64)
        .fill_null(NONE)
        .alias("duty_kind"),
        (customs == "fob").fill_null(False).alias("fob"),
        pl.when(customs == "retail_share").then("share").alias("customs_share"),
        (base == "value_plus_duty").fill_null(False).alias("narrow_base"),
        (base == FLAT_UNTAXED).fill_null(False).alias("flat_untaxed"),
        pl.coalesce("scheme_waiver", "duty_waiver").cast(REASON).alias("waiver"),
        pl.col("scheme_declaration").cast(REASON).alias("declaration"),
        pl.col("scheme_rule").replace_strict(book.sparing, default=None, return_dtype=pl.Int64).alias("sparing"),
    ).drop("unit")
    return cases.with_columns(
        pl.when(charged.fill_null(False)).then("rate").otherwise(0).fill_null(0).alias("charged_rate"),
        _problem().alias("problem"),
        _rules().alias("rules"),
    )


def _problem() -> pl.Expr:
    """The reason code of what the rules leave open, null where they answer."""
    charged = pl.col("scheme_tax") == "charge"
    opened = {
        chain.CIRCULAR: "tax_limit_circular",
        chain.UNKNOWN: "tax_consignment_unknown",
        chain.NO_SALE: "tax_refund_without_sale",
    }

    def blocked(kind: str) -> pl.Expr:
        return pl.col(f"{kind}_open").cast(pl.Int64).replace_strict(opened, default=None, return_dtype=pl.String)

    return (
        pl.when(pl.col("issue").is_not_null())
        .then("issue")
        .when(~pl.col("priced_in_money"))
        .then(pl.lit("tax_no_currency"))
        .when(pl.col("scheme_open").is_not_null())
        .then(blocked("scheme"))
        .when(pl.col("scheme_rule").is_null())
        .then(pl.lit("tax_no_rule"))
        .when(pl.col("scheme_tax") == "undetermined")
        .then(pl.col("scheme_reason"))
        .when(charged & pl.col("rate").is_null())
        .then(pl.lit("tax_no_rate"))
        .when(pl.col("duty_open").is_not_null())
        .then(blocked("duty"))
        .when(pl.col("duty_rule").is_null())
        .then(pl.lit("tax_no_rule"))
    )


def _rules() -> pl.Expr:
    """Ids of the rules that made the figures, sorted: scheme and duty with what they rest on, and the rate."""
    none = pl.lit([], dtype=pl.List(pl.String))
    charged = (pl.col("scheme_tax") == "charge").fill_null(False)
    rated = charged | pl.col("territory").is_not_null()

    def one(column: str, when: pl.Expr) -> pl.Expr:
        return pl.when(when & pl.col(column).is_not_null()).then(pl.concat_list(column)).otherwise(none)

    composite = (pl.col("scheme_levy") == "composite").fill_null(False)
    # Classes that only conditions ask for are told wherever they were looked at.
    closed = pl.col("category").is_null() & ~pl.col("hinted")
    scheme, duty = (pl.col(f"{kind}_rests").fill_null(none) for kind in ("scheme", "duty"))
    duty = pl.when(pl.col("scheme_tax") != "undetermined").then(duty).otherwise(none)
    every = pl.concat_list(
        scheme,
        duty,
        one("rate_rule", rated),
        one("consumption_rule", charged & composite),
        one("goods_rule", charged | closed),
    )
    return pl.when(pl.col("scheme_rule").is_not_null()).then(every.list.unique().list.sort())
