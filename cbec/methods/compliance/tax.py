"""Tax and duty per order line: facts -> cell -> consignment -> case -> amounts -> words, in integer columns.

Lines are worked through in parts of whole orders, so that memory holds one part's columns beside the lines and the
answer; what is found out of combinations (facts, cells, cases, duties, sentences) is kept for all parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance import consignments, years
from cbec.methods.compliance.amounts import BRACKET, FLAT, TARIFF, reckon
from cbec.methods.compliance.codes import REASON, gather, gathered, marked, places, reason, runs, scattered
from cbec.methods.compliance.decisions import Decisions
from cbec.methods.compliance.declarations import declared
from cbec.methods.compliance.exact import at_least, decimal, hundredths, part, percent
from cbec.methods.compliance.facts import Facts, Met, met
from cbec.methods.compliance.fixings import Fixings, Money
from cbec.methods.compliance.limits import Limits, stateless
from cbec.methods.compliance.lines import amounts, with_products, with_sale_date
from cbec.methods.compliance.measures import Applied, Resolved
from cbec.methods.compliance.tariff import Tariff
from cbec.methods.compliance.waivers import allowed, contradicted, in_steps, replaced, untaxed, waived
from cbec.methods.compliance.words import REDUCED, Words

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

__all__ = ["REDUCED", "compute"]
PART = 2_000_000
"""Lines worked on at a time, twice a partition of the engine: only where a table is not cut, or an order very large."""

UNASKED = ("duty_rate", "origin", "imported", "decidable", "resolution", "refused")
"""Columns of lines that nobody asks for of consignments."""


def compute(
    order_lines: pl.DataFrame,
    products: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    book: Rulebook,
    *,
    tariff: pl.DataFrame | None = None,
    gross: bool = False,
    language: str = "en",
    part_size: int = PART,
) -> pl.DataFrame:
    """Tax and duty of every order line.

    order_lines, products, rates, tariff: tables of those names. gross: whether prices include tax where a line does
    not say. Returns the table `tax` in the order of the lines, money Decimal in the line's currency, with `reason`
    told in `language`. A line that no rule decides has status UNDETERMINED, null money, and says why. The size of
    the parts changes nothing of the answer.
    Raises InputRejected for a missing exchange rate, UsageFault where two rules contradict each other.
    """
    run = Run(met(order_lines), products, rates, book, tariff=tariff, gross=gross, language=language)
    return run.told(order_lines, years.by_order(order_lines, Fixings(rates), book), part_size).drop("_alike")


class Run:
    """One file of lines: what is known of it as a whole, and what its parts have in common.

    It learns while it answers, so that one thread at a time may ask it; what it has learnt changes no answer.
    """

    def __init__(
        self,
        met: Met,
        products: pl.DataFrame | None,
        rates: pl.DataFrame | None,
        book: Rulebook,
        *,
        tariff: pl.DataFrame | None = None,
        gross: bool = False,
        language: str = "en",
    ) -> None:
        """met: what stands in the lines that will be asked about. The rest as `compute` takes it."""
        self._book, self._products = book, products
        self._gross = gross
        self._facts = Facts(met, products, book)
        self._decisions, self._limits = Decisions(self._facts, book), Limits(book)
        self._fixings = Fixings(rates)
        self._money = Money(met.columns["currency"], self._fixings, book)
        self._tariff = Tariff(tariff, self._facts, book)
        self._resolved = Resolved(self._tariff)
        self._words = Words(self._decisions, self._resolved, book, language)
        self._days = book.periods.lookup(met.columns["date"])

    @property
    def places(self) -> pl.Series:
        """The countries that goods go to."""
        return self._facts.places

    def told(self, lines: pl.DataFrame, spent: pl.DataFrame | None, part_size: int = PART) -> pl.DataFrame:
        """What `compute` returns, for some whole orders of the file, in the order of their lines; and `_alike`, a number
        that lines share which bear the same words, currency and countries.

        spent: what buyers spent (`years.by_order`), all that the lines of one order take from those of others.
        """
        if lines.is_empty():  # the columns of an answer, and no row
            return self.told(lines.clear(1), None).clear()
        starts, together = runs(lines["order_id"])
        order: pl.Series | None = None
        if not together:
            order = lines["order_id"].arg_sort()
            starts, _ = runs(lines["order_id"].gather(order))
        none = pl.lit(None, pl.Int128).alias("_year")
        lines = lines.with_columns(none if spent is None else years.spent(lines, self._book, spent))
        cuts, at = [0], 0
        while lines.height - at > part_size:
            after = starts.slice(at + part_size).arg_max()
            at = at + part_size + after if after is not None and starts[at + part_size + after] else lines.height
            cuts.append(at)
        ends = [*cuts[1:], lines.height]
        # Lines of one order are brought together part by part, so that no second copy of the file is held.
        parts = [
            self._part(lines[a:b] if order is None else lines[order[a:b]], starts[a:b])
            for a, b in zip(cuts, ends, strict=True)
        ]
        told = pl.concat(parts, rechunk=False)
        return told if order is None else told[order.arg_sort()]

    def _part(self, lines: pl.DataFrame, starts: pl.Series) -> pl.DataFrame:
        lines = with_products(lines, self._products)
        run = (starts.cast(pl.Int64).cum_sum() - 1).alias("run")
        lines = lines.with_columns(run).with_row_index("row")
        day, orphans = with_sale_date(lines)
        day = day.alias("day")
        hs = self._facts.goods.words(lines["hs_code"])
        origin = self._facts.origin.codes(lines["origin"])
        ways = self._facts.ways(lines)
        fact = self._facts.number(lines, ways, hs, origin)
        # Positions of the type that Polars gathers by, since several columns are.
        cell = self._decisions.cell(fact, self._days.of(day)).cast(pl.UInt32).alias("cell")
        money = self._money.codes(lines["currency"]).alias("money")
        digits = self._money.digits(money)
        frame = amounts(lines, digits).with_columns(
            lines["row"],
            lines["run"],
            cell,
            day,
            self._facts.route(ways),
            money,
            digits,
            lines["price_includes_tax"].fill_null(self._gross).alias("gross"),
            (lines["incoterm"] == "DDP").fill_null(False).alias("ddp"),
            hs=hs,
            origin=origin,
        )
        frame = frame.with_columns(
            *gathered(self._decisions.cells, "cell", "net_rate", "imported"),
            gather(self._decisions.cells["issue"].is_null(), "cell").alias("decidable"),
        )
        rows = places(frame["imported"] & frame["decidable"])
        frame, applied = self._with_duties(frame, lines, rows)
        imports = self._imports(frame, lines, rows) if len(rows) else None
        frame = contradicted(self._with_case(frame, imports), imports, self._decisions, self._limits)
        frame = self._reckoned(frame, imports, applied)
        return self._told(frame, lines, applied, orphans)

    def _with_duties(
        self, frame: pl.DataFrame, lines: pl.DataFrame, rows: pl.Series
    ) -> tuple[pl.DataFrame, Applied | None]:
        """Adds `resolution` (of the tariff; null where it is not asked), `one_rate`, `refused`, `bracket`."""
        if len(rows):
            covered = self._tariff.covers(self._decisions.cells)
            rows = rows.filter(covered.gather(frame["cell"].gather(rows))) if covered.any() else rows.clear()
        if not len(rows):
            return frame.with_columns(
                pl.lit(None, pl.UInt32).alias("resolution"),
                pl.col("duty_rate").alias("one_rate"),
                pl.lit(None, REASON).alias("refused"),
                pl.lit(None, pl.Int64).alias("bracket"),
            ), None
        sought = frame.select("cell", "day", "duty_rate", "hs", "origin")[rows]
        number = self._tariff.number(sought, self._decisions.cells).cast(pl.UInt32)
        frame = frame.with_columns(scattered("resolution", frame.height, rows, number))
        told = lines.select("row", "net_weight_kg", "quantities", "currency", "piece_kg")
        self._resolved.grow()
        applied = Applied(self._resolved, self._fixings, told.with_columns(frame["pieces"], frame["day"]))
        return applied.prepared(frame, rows), applied

    def _imports(self, frame: pl.DataFrame, lines: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
        """Imported lines by consignment, with what limits and duties owed once ask, and `state`."""
        cells = self._decisions.cells
        imports = frame.drop(UNASKED)[rows].with_columns(
            gathered(cells, "cell", "amount", "business", "telling", "share", "flat_untaxed")
        )
        imports = imports.with_columns(
            pl.when("priced").then("goods").alias("goods"),
            lines["_year"][rows].alias("year"),
            *self._money.fx(imports, cells),
        )
        if imports["amount"].null_count() < imports.height:
            imports = imports.with_columns(self._facts.goods.subheadings(imports["hs"]))
        else:
            imports = imports.with_columns(pl.lit(None, pl.Int64).alias("subheading"))
        imports = imports.with_columns(lines["sku"][rows], lines["line"][rows])
        imports = consignments.lone_article(consignments.grouped(imports))
        flat = consignments.flat_in_price(imports)
        none = pl.lit(None, pl.Int64).alias("flat")
        imports = (
            imports.join(flat, on="row", how="left", maintain_order="left")
            if flat.height
            else imports.with_columns(none)
        )
        imports = imports.with_columns(pl.col("one_rate").fill_null(0).alias("tariff_rate"))
        imports = consignments.values(imports).drop("flat")
        return imports.with_columns(self._limits.states(imports, cells))

    def _with_case(self, frame: pl.DataFrame, imports: pl.DataFrame | None) -> pl.DataFrame:
        """Adds `case`, what its rules say of the amounts, and `problem` (with `what` it is about)."""
        state = pl.Series("state", [stateless(self._book.slots)], dtype=pl.Int64).new_from_index(0, frame.height)
        if imports is not None:
            state = state.scatter(imports["row"], imports["state"])
        case = self._decisions.case(frame["cell"].cast(pl.Int64), state)
        frame = frame.with_columns(case.cast(pl.UInt32).alias("case"))
        frame = frame.with_columns(
            *gathered(
                self._decisions.cases,
                "case",
                "charged_rate",
                "duty_kind",
                "fob",
                "customs_share",
                "narrow_base",
                "flat_untaxed",
                "allowance",
                "waiver",
                "declaration",
            ),
            gather(self._decisions.cases["problem"].cast(REASON), "case").alias("problem"),
        ).rename({"customs_share": "share"})
        unpriced = pl.col("decidable") & ~pl.col("priced")
        problem = pl.when(unpriced).then(reason("tax_no_price")).otherwise("problem")
        tariff = pl.col("duty_kind") == TARIFF
        unknown = pl.when(pl.col("resolution").is_null() & pl.col("one_rate").is_null()).then(
            reason("tax_no_duty_rate")
        )
        steps = (pl.col("duty_kind") == BRACKET) & pl.col("bracket").is_null()
        problem = (
            pl.when(problem.is_not_null())
            .then(problem)
            .when(tariff)
            .then(pl.coalesce("refused", unknown))
            .when(steps)
            .then(reason("tax_measure_unknown"))
        )
        frame = frame.with_columns(problem.alias("problem"))
        return frame.with_columns(self._what(frame))

    def _what(self, frame: pl.DataFrame) -> pl.Series:
        """What the problem of a line's duty is about."""
        about = (pl.col("problem") == pl.col("refused")) | (pl.col("duty_kind") == BRACKET)
        rows = places(frame.select(about.alias("about"))["about"])
        if not len(rows):
            return pl.Series("what", [None], dtype=REASON).new_from_index(0, frame.height)
        rated = {m.measure for p in self._book.packs for m in p.of("measure") if m.values}
        brackets = [r for p in self._book.packs for r in p.of("bracket") if not rated.issuperset(r.measures)]
        measure = next((", ".join(r.measures) for r in brackets), None)
        asked = frame[rows]
        told = asked.select(
            pl.when(pl.col("problem").is_null())
            .then(None)
            .when(pl.col("duty_kind") == BRACKET)
            .then(pl.lit(measure, REASON))
            .otherwise(self._resolved.of("what"))
            .alias("what")
        )["what"]
        return scattered("what", frame.height, rows, told)

    def _reckoned(self, frame: pl.DataFrame, imports: pl.DataFrame | None, applied: Applied | None) -> pl.DataFrame:
        """Adds the amounts, and the problems that come to light with them."""
        frame = allowed(self._with_flat(frame, imports), imports)
        frame = frame.with_columns(pl.col("problem").is_null().alias("solvable"))

        def plain(lines: pl.DataFrame) -> pl.DataFrame:
            duty = part(at_least("customs"), pl.col("one_rate"))
            return lines.with_columns(duty.alias("tariff_duty"), pl.lit(None, REASON).alias("lacking"))

        if applied is not None:
            applied.bind(frame)
        solvable, duties = frame, plain if applied is None else applied.duties
        frame = reckon(solvable, duties)
        lacking = pl.col("problem").is_null() & pl.col("lacking").is_not_null() & (pl.col("duty_kind") == TARIFF)
        below = pl.col("problem").is_null() & (pl.col("value") < 0)
        if frame["lacking"].null_count() < frame.height:
            frame = frame.with_columns(
                pl.when(lacking).then("lacking").otherwise("what").alias("what"),
                pl.when(lacking).then(reason("tax_no_quantity")).otherwise("problem").alias("problem"),
            )
        frame = frame.with_columns(
            pl.when(below).then(reason("tax_price_below_duty")).otherwise("problem").alias("problem")
        )
        frame = declared(frame, imports, self._book, self._decisions.cells, self._facts.goods.articles, duties)
        told = waived(frame, imports, self._book, self._decisions.cells)
        rows = places(told["waived"] & told["gross"])
        if not len(rows):
            return told
        # A tax that is not levied is in no price: taken apart again without it, and asked again.
        frame = replaced(frame, untaxed(solvable[rows], self._book, duties), rows)
        told = waived(frame, imports, self._book, self._decisions.cells)
        circular = (told["row"].is_in(frame["row"][rows].implode()) & ~told["waived"]).alias("circular")
        problem = (
            pl.when(circular & pl.col("problem").is_null()).then(reason("tax_limit_circular")).otherwise("problem")
        )
        return told.with_columns(problem.alias("problem"))

    def _with_flat(self, frame: pl.DataFrame, imports: pl.DataFrame | None) -> pl.DataFrame:
        """Adds `flat`, the line's share of duties owed once; null where it owes none or it is unknown."""
        kinds = frame["duty_kind"].unique().to_list()
        if imports is None or not {FLAT, BRACKET} & set(kinds):
            return frame.with_columns(pl.lit(None, pl.Int64).alias("flat"))
        at = imports["row"]
        kind = frame["duty_kind"].gather(at)
        owed = (kind >= FLAT) & (kind != TARIFF) & frame["problem"].gather(at).is_null()
        rows = imports.select(*consignments.OWING, "day", "bracket", kind)[places(owed)]
        coded = pl.col("subheading").is_not_null() | (pl.col("duty_kind") == BRACKET)
        bare = rows.filter(~coded)
        owing, steps = rows.filter(coded & (pl.col("duty_kind") == FLAT)), rows.filter(pl.col("duty_kind") == BRACKET)
        shares = [consignments.flat_duty(owing)] if owing.height else []
        if steps.height:
            shares.append(consignments.flat_duty(in_steps(steps, self._book), each="group"))
        flat = pl.Series("flat", [None], dtype=pl.Int64).new_from_index(0, frame.height)
        problem = frame["problem"]
        if bare.height:
            problem = marked(problem, bare["row"], "tax_no_hs_code")
        for told in shares:
            flat = flat.scatter(told["row"], told["flat"])
            lost = told.filter(pl.col("flat").is_null())["row"]
            if len(lost):
                problem = marked(problem, lost, "tax_refund_without_sale")
        return frame.with_columns(flat, problem)

    def _told(
        self, frame: pl.DataFrame, lines: pl.DataFrame, applied: Applied | None, orphans: pl.Series
    ) -> pl.DataFrame:
        known = pl.col("problem").is_null()
        tariff = pl.col("duty_kind") == TARIFF
        rate = frame["one_rate"] if applied is None else applied.rate(frame)
        parts = pl.Series("duty_parts", [None], dtype=pl.String).new_from_index(0, frame.height)
        used = frame.with_columns(pl.when(known & tariff).then("resolution").alias("resolution"))
        words, cited = (numbers.cast(pl.UInt32) for numbers in self._words.number(used, orphans))
        if applied is not None:
            built = applied.build_up(frame)
            parts = parts.scatter(built["row"], built["duty_parts"])
        table, sources = self._words.table, self._words.sources
        factor = frame["sign"] if frame["sign"].min() == -1 else None
        if frame["digits"].min() == 0:
            unit = frame.select(hundredths(pl.col("digits")).alias("unit"))["unit"]
            factor = unit if factor is None else factor * unit

        def told(column: str) -> pl.Expr:
            return gather(table[column], "words").alias(column)

        def cents(amount: str, when: pl.Expr) -> pl.Expr:
            told = pl.when(when).then(amount)
            return (told if factor is None else told * factor).alias(amount)

        imported = pl.col("imported") | gather(table["import"], "words")
        amounts = frame.select("intrinsic", "customs", "duty", "base", "tax", "imported")
        amounts = amounts.with_columns(
            known=frame["problem"].is_null(), words=words, cited=cited, tariff=frame["duty_kind"] == TARIFF
        )
        alike = (words.cast(pl.Int64) * self._money.size + frame["money"]) * self._facts.routes + frame["route"]
        amounts = amounts.with_columns(
            *(cents(name, pl.col("known")) for name in ("intrinsic", "duty", "base", "tax")),
            cents("customs", pl.col("known") & imported),
        )

        return amounts.select(
            lines["order_id"],
            lines["line"],
            told("status"),
            lines["ship_to"],
            decimal("intrinsic").alias("intrinsic_value"),
            decimal("customs").alias("customs_value"),
            percent(pl.when(pl.col("known") & pl.col("tariff")).then(rate)).alias("duty_rate"),
            decimal("duty"),
            told("tax_rate"),
            decimal("base").alias("tax_base"),
            decimal("tax"),
            gather(table["other_charges"], "words").alias("other_charges"),
            decimal(pl.col("duty") + pl.col("tax")).alias("total"),
            lines["currency"],
            told("scheme"),
            told("collected_by"),
            gather(sources["rule_ids"], "cited").alias("rule_ids"),
            gather(sources["citation"], "cited").alias("citation"),
            parts,
            told("flags"),
            told("reason_code"),
            told("reason"),
            alike.alias("_alike"),
        )
