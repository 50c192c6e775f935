"""What a line is told in words: scheme, collector, rules, sources and the sentence, once per distinct combination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cbec.core import reasons
from cbec.methods.compliance.codes import REASON, Pairs, gather, places
from cbec.methods.compliance.exact import percent

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.decisions import Decisions
    from cbec.methods.compliance.measures import Resolved
    from cbec.methods.compliance.tariff import Part

    Cited = tuple[frozenset[str], frozenset[str]]

UNCHECKED = "exemption_unchecked"
"""Flag of a line with a duty on nearly everything, whose exceptions the tariff does not name."""
REDUCED = "reduced_rate"
"""Flag of a line taxed at the standard rate although goods of its kind commonly bear a reduced one."""
ORPHAN = "refund_without_sale"
"""Flag of a refund whose sale is not in the file, reckoned by the rules of its own day."""
TAX_ID = "buyer_tax_id_malformed"
"""Flag of a sale to a business whose tax number cannot be one: taken as if it had none."""


class Words:
    """The words of one run, found as combinations are met.

    `table` has a row for each combination that is told alike; `sources` one for each set of rules and sources, which
    are many more where a tariff names a source for every row.
    """

    def __init__(self, decisions: Decisions, resolved: Resolved, book: Rulebook, language: str) -> None:
        self._decisions, self._resolved, self._book, self._language = decisions, resolved, book, language
        self._told_of, self._cited = Pairs(2**15), Pairs(2**11)
        self._whys: dict[tuple[str | None, str | None], int] = {(None, None): 0}
        self._rulesets: dict[tuple[str, ...] | None, int] = {None: 0}
        self._of_case = pl.Series("ruleset", [], dtype=pl.Int64)
        self._duties: dict[Cited, int] = {(frozenset(), frozenset()): 0}
        self._of_resolution = pl.Series("cited", [], dtype=pl.Int64)
        self.table = pl.DataFrame()
        self.sources = pl.DataFrame()

    def number(self, lines: pl.DataFrame, orphans: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The words of each line (rows of `table`) and its sources (rows of `sources`).

        lines: `case`, `problem` (reason code of what is unknown, null = nothing), `what` (what that reason is about),
        `resolution` (of the duties that were used, null = none), `waived`, `duty`. orphans: rows of refunds without their sale.
        """
        code = pl.lit(0, pl.Int64)
        if lines["problem"].null_count() < lines.height:
            code += pl.lit(self._why(lines)) * 16
        if lines["waived"].any():
            levied = (pl.col("waived") & (pl.col("duty") > 0)).fill_null(False)
            code += pl.col("waived").cast(pl.Int64) + levied.cast(pl.Int64) * 4
        if lines["resolution"].null_count() < lines.height and self._resolved.table["unchecked"].any():
            code += self._resolved.of("unchecked").fill_null(False).cast(pl.Int64) * 2
        codes = lines.select(pl.col("case").cast(pl.Int64), code.alias("code"))
        if len(orphans):
            own = codes["code"].scatter(orphans, codes["code"].gather(orphans) + 8)
            codes = codes.with_columns(own)
        numbers = self._told_of.number(codes["code"], codes["case"])
        fresh = pl.DataFrame([self._told_of.first.alias("code"), self._told_of.second.alias("case")])[
            self.table.height :
        ]
        if fresh.height:
            whys = list(self._whys)
            said = [whys[n // 16] for n in fresh["code"].to_list()]
            told = self._told(
                fresh.select(
                    "case",
                    (pl.col("code") % 2 == 1).alias("waived"),
                    (pl.col("code") // 2 % 2 == 1).alias("unchecked"),
                    (pl.col("code") // 4 % 2 == 1).alias("levied"),
                    (pl.col("code") // 8 % 2 == 1).alias("orphan"),
                    pl.Series("problem", [p for p, _ in said], dtype=pl.String),
                    pl.Series("what", [w for _, w in said], dtype=pl.String),
                )
            )
            self.table = pl.concat([self.table, told], rechunk=True) if self.table.width else told
        return numbers, self._cite(lines)

    def _why(self, lines: pl.DataFrame) -> pl.Series:
        """The number of each line's reason with what it is about, 0 for none."""
        rows = places(lines["problem"].is_not_null())
        pairs = lines.select("problem", "what")[rows]
        for pair in pairs.unique(maintain_order=True).iter_rows():
            self._whys.setdefault(pair, len(self._whys))
        table = pl.DataFrame(
            [(*pair, n) for pair, n in self._whys.items()],
            schema={"problem": REASON, "what": REASON, "why": pl.Int64},
            orient="row",
        )
        found = pairs.join(table, on=["problem", "what"], how="left", nulls_equal=True, maintain_order="left")["why"]
        return pl.Series("why", [0], dtype=pl.Int64).new_from_index(0, lines.height).scatter(rows, found)

    def _cite(self, lines: pl.DataFrame) -> pl.Series:
        """The rules and sources of each line, as a row of `sources`."""
        rules = self._decisions.cases["rules"][len(self._of_case) :].to_list()
        if rules:
            held = [None if r is None else tuple(r) for r in rules]
            found = [self._rulesets.setdefault(r, len(self._rulesets)) for r in held]
            self._of_case = pl.concat([self._of_case, pl.Series("r", found, dtype=pl.Int64)], rechunk=True)
        fresh = self._resolved.tariff.resolutions[len(self._of_resolution) :]
        if fresh:
            duties = [_cited(resolution.parts) for resolution in fresh]
            found = [self._duties.setdefault(cited, len(self._duties)) for cited in duties]
            self._of_resolution = pl.concat([self._of_resolution, pl.Series("d", found, dtype=pl.Int64)], rechunk=True)
        ruleset = gather(self._of_case, "case")
        if lines["problem"].null_count() < lines.height:
            untouched = pl.Series(UNTOUCHED, dtype=REASON)
            ruleset = pl.when(pl.col("problem").is_in(untouched.implode()).fill_null(False)).then(0).otherwise(ruleset)
        codes = lines.select(
            ruleset.alias("ruleset"),
            gather(self._of_resolution, "resolution").fill_null(0).alias("duties"),
        )
        numbers = self._cited.number(codes["duties"], codes["ruleset"])
        if len(self._cited.first) > self.sources.height:
            told = self._told_sources()
            self.sources = pl.concat([self.sources, told], rechunk=True) if self.sources.width else told
        return numbers

    def _told(self, fresh: pl.DataFrame) -> pl.DataFrame:
        cases = self._decisions.cases[fresh["case"].to_list()]
        rows = cases.with_columns(fresh["problem"], fresh["what"].alias("_what"), fresh["waived"])
        known = pl.col("problem").is_null()
        reduced = known & (pl.col("scheme_tax") == "charge") & pl.col("hinted")
        ends = {pack.id: str(pack.valid_to) for pack in self._book.packs}
        reason = pl.when(pl.col("waived")).then(pl.lit("tax_waived")).otherwise("scheme_reason")
        rows = rows.with_columns(
            pl.when(known).then(reason).otherwise("problem").alias("reason_code"),
            pl.concat_str(
                pl.when(reduced.fill_null(False)).then(pl.lit(REDUCED)),
                pl.when(known & pl.lit(fresh["unchecked"])).then(pl.lit(UNCHECKED)),
                pl.when(known & pl.lit(fresh["orphan"])).then(pl.lit(ORPHAN)),
                pl.when(pl.col("business") & pl.col("malformed")).then(pl.lit(TAX_ID)),
                separator="|",
                ignore_nulls=True,
            )
            .replace("", None)
            .alias("flags"),
            (pl.col("charged_rate") / 1_000_000).alias("tax_rate"),
            pl.col("pack").replace_strict(ends, default=None, return_dtype=pl.String).alias("_pack_valid_to"),
        )
        sentences = reasons.render(rows, self._language)["reason"]
        flags = rows["flags"].str.split("|")
        for flag, code in (
            (REDUCED, "tax_reduced_possible"),
            (UNCHECKED, "tax_exemption_unchecked"),
            (ORPHAN, "tax_refund_own_day"),
            (TAX_ID, "tax_number_malformed"),
        ):
            warned = reasons.render(rows.with_columns(reason_code=pl.lit(code)), self._language)["reason"]
            raised = flags.list.contains(flag).fill_null(False)
            sentences = pl.select(
                pl.when(raised).then(pl.concat_str(sentences, warned, separator=" ")).otherwise(sentences).alias("r")
            )["r"]
        rows = rows.with_columns(sentences.alias("reason"))
        # A tax that is not levied is nobody's, unless a duty is still due.
        nobody = pl.col("waived") & ~pl.lit(fresh["levied"])
        collector = pl.when(nobody).then(pl.lit("nobody")).otherwise("scheme_collected_by")
        # A line that lacks a duty, a measure or a quantity has its scheme all the same; only the figures are unknown.
        decided = known | pl.col("problem").is_in(FIGURES).fill_null(False)
        return rows.select(
            pl.when(known).then(pl.lit("OK")).otherwise(pl.lit("UNDETERMINED")).alias("status"),
            pl.when(known).then(percent(pl.col("charged_rate"))).alias("tax_rate"),
            pl.when(known).then(pl.lit(0)).cast(pl.Decimal(38, 2)).alias("other_charges"),
            pl.when(decided).then("scheme_scheme").alias("scheme"),
            pl.when(known).then(collector).alias("collected_by"),
            "flags",
            "reason_code",
            "reason",
            (known & (pl.col("scheme_scheme") == "IMPORT")).fill_null(False).alias("import"),
        )

    def _told_sources(self) -> pl.DataFrame:
        """`rule_ids`, sorted, and `citation`: the titles of their sources with those of the tariff's rows."""
        titles = {rule: _plain(title) for rule, title in self._book.titles().items()}
        rulesets, duties = list(self._rulesets), list(self._duties)
        fresh = (codes[self.sources.height :].to_list() for codes in (self._cited.second, self._cited.first))
        ids: list[str | None] = []
        sources: list[str | None] = []
        named: dict[tuple[tuple[str, ...], frozenset[str]], tuple[str, set[str]]] = {}
        for ruleset, number in zip(*fresh, strict=True):
            own, (more, told) = rulesets[ruleset], duties[number]
            if own is None:
                ids.append(None)
                sources.append(None)
                continue
            if (own, more) not in named:
                every = sorted({*own, *more})
                named[own, more] = "|".join(every), {titles[rule] for rule in every}
            joined, titled = named[own, more]
            ids.append(joined)
            sources.append("|".join(sorted(titled | told)))
        schema = {"rule_ids": pl.String, "citation": pl.String}
        return pl.DataFrame({"rule_ids": ids, "citation": sources}, schema=schema)


def _cited(parts: Sequence[Part]) -> Cited:
    return (
        frozenset(part.rule for part in parts if part.rule is not None),
        frozenset(_plain(part.source) for part in parts if part.source is not None),
    )


def _plain(source: str) -> str:
    """A source as it stands beside others, which a line keeps apart."""
    return source.replace("|", "/")


FIGURES = (
    "tax_no_duty_rate", "tax_measure_unknown", "tax_no_tariff_code", "tax_no_goods_origin", "tax_no_quantity",
    "tax_duty_text", "tax_duty_condition", "tax_excise",
)  # fmt: skip
"""Reasons of lines whose duty or excise cannot be reckoned; what they fall under is known where the rule tells it."""
UNTOUCHED = ("tax_no_price", "tax_no_currency")
"""Reasons of lines that no rule was asked about."""
