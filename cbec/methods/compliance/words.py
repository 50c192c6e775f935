"""What a line is told in words: scheme, collector, rules, sources and the sentence, once per distinct combination."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core import reasons
from cbec.methods.compliance.codes import MANY, Register
from cbec.methods.compliance.exact import percent

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.decisions import Decisions
    from cbec.methods.compliance.tariff import Tariff

UNCHECKED = "exemption_unchecked"
"""Flag of a line with a duty on nearly everything, whose exceptions the tariff does not name."""
REDUCED = "reduced_rate"
"""Flag of a line taxed at the standard rate although goods of its kind commonly bear a reduced one."""
TAX_ID = "buyer_tax_id_malformed"
"""Flag of a sale to a business whose tax number cannot be one: taken as if it had none."""
REASONS = 2**12
"""More distinct reasons than this (with what they are about) are not told apart."""


class Words:
    """The words of one run, found as combinations are met; `table` has a row for each."""

    def __init__(self, decisions: Decisions, tariff: Tariff, book: Rulebook, language: str) -> None:
        self._decisions, self._tariff, self._book, self._language = decisions, tariff, book, language
        self._register = Register()
        self._whys: dict[tuple[str | None, str | None], int] = {(None, None): 0}
        self.table = pl.DataFrame()

    def number(self, lines: pl.DataFrame) -> pl.Series:
        """The words of each line. lines: `case`, `problem` (reason code of what is unknown, null = nothing), `what`
        (what that reason is about), `resolution` (of the duties that were used, null = none), `waived`."""
        key = pl.col("case")
        if lines["problem"].null_count() < lines.height:
            rows = lines["problem"].is_not_null().arg_true()
            pairs = lines.select("problem", "what")[rows]
            for pair in pairs.unique(maintain_order=True).iter_rows():
                self._whys.setdefault(pair, len(self._whys))
            table = pl.DataFrame(
                [(*pair, n) for pair, n in self._whys.items()],
                schema={"problem": pl.String, "what": pl.String, "why": pl.Int64},
                orient="row",
            )
            found = pairs.join(table, on=["problem", "what"], how="left", nulls_equal=True, maintain_order="left")[
                "why"
            ]
            why = pl.Series("why", [0], dtype=pl.Int64).new_from_index(0, lines.height).scatter(rows, found)
            key += pl.lit(why) * (MANY * 2)
        if lines["waived"].any():
            key += pl.col("waived").cast(pl.Int64) * MANY
        if lines["resolution"].null_count() < lines.height:
            key += (pl.col("resolution").fill_null(-1) + 1) * (MANY * 2 * REASONS)
        numbers, fresh = self._register.number(lines.select(key.alias("key"))["key"])
        if len(fresh):
            split = fresh.to_frame("key").select(
                (pl.col("key") % MANY).alias("case"),
                (pl.col("key") // MANY % 2).alias("waived"),
                (pl.col("key") // (MANY * 2) % REASONS).alias("why"),
                (pl.col("key") // (MANY * 2 * REASONS)).alias("resolution"),
            )
            whys = list(self._whys)
            said = [whys[n] for n in split["why"].to_list()]
            problem = pl.Series("problem", [p for p, _ in said], dtype=pl.String)
            what = pl.Series("what", [w for _, w in said], dtype=pl.String)
            told = self._told(split.with_columns(problem, what))
            self.table = pl.concat([self.table, told], rechunk=True) if self.table.width else told
        return numbers

    def _told(self, fresh: pl.DataFrame) -> pl.DataFrame:
        cases = self._decisions.cases[fresh["case"].to_list()]
        waived = fresh["waived"] == 1
        rows = cases.with_columns(
            fresh["problem"].alias("problem"), fresh["what"].alias("_what"), waived.alias("waived")
        )
        known = pl.col("problem").is_null()
        reduced = known & (pl.col("scheme_tax") == "charge") & pl.col("hinted")
        ends = {pack.id: str(pack.valid_to) for pack in self._book.packs}
        reason = pl.when(pl.col("waived")).then(pl.lit("tax_waived")).otherwise("scheme_reason")
        rows = rows.with_columns(
            pl.when(known).then(reason).otherwise("problem").alias("reason_code"),
            pl.concat_str(
                pl.when(reduced.fill_null(False)).then(pl.lit(REDUCED)),
                pl.when(known & self._unchecked(fresh["resolution"])).then(pl.lit(UNCHECKED)),
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
            (TAX_ID, "tax_number_malformed"),
        ):
            warned = reasons.render(rows.with_columns(reason_code=pl.lit(code)), self._language)["reason"]
            raised = flags.list.contains(flag).fill_null(False)
            sentences = pl.select(
                pl.when(raised).then(pl.concat_str(sentences, warned, separator=" ")).otherwise(sentences).alias("r")
            )["r"]
        rows = rows.with_columns(
            sentences.alias("reason"),
            *self._rules(rows["rules"].to_list(), fresh["resolution"].to_list(), rows["problem"].to_list()),
        )  # fmt: skip
        collector = pl.when(pl.col("waived")).then(pl.lit("nobody")).otherwise("scheme_collected_by")
        return rows.select(
            pl.when(known).then(pl.lit("OK")).otherwise(pl.lit("UNDETERMINED")).alias("status"),
            pl.when(known).then(percent(pl.col("charged_rate"))).alias("tax_rate"),
            pl.when(known).then(pl.lit(0)).cast(pl.Decimal(38, 2)).alias("other_charges"),
            pl.when(known).then("scheme_scheme").alias("scheme"),
            pl.when(known).then(collector).alias("collected_by"),
            "rule_ids",
            "citation",
            "flags",
            "reason_code",
            "reason",
            (known & (pl.col("scheme_scheme") == "IMPORT")).fill_null(False).alias("import"),
        )

    def _unchecked(self, resolutions: pl.Series) -> pl.Series:
        said = [n > 0 and self._tariff.resolutions[n - 1].unchecked for n in resolutions.to_list()]
        return pl.Series("unchecked", said, dtype=pl.Boolean)

    def _rules(
        self, rules: list[list[str] | None], resolutions: list[int], problems: list[str | None]
    ) -> list[pl.Series]:
        """Ids of rules, sorted, and the titles of their sources with those of the tariff's rows."""
        titles = self._book.titles()
        ids: list[str | None] = []
        sources: list[str | None] = []
        for own, number, problem in zip(rules, resolutions, problems, strict=True):
            if own is None or problem in UNTOUCHED:
                ids.append(None)
                sources.append(None)
                continue
            parts = self._tariff.resolutions[number - 1].parts if number else ()
            every = sorted({*own, *(p.rule for p in parts if p.rule is not None)})
            cited = {titles[rule] for rule in every} | {p.source for p in parts if p.source is not None}
            ids.append("|".join(every))
            sources.append("|".join(sorted(source.replace("|", "/") for source in cited)))
        return [pl.Series("rule_ids", ids, dtype=pl.String), pl.Series("citation", sources, dtype=pl.String)]


UNTOUCHED = ("tax_no_price", "tax_no_currency")
"""Reasons of lines that no rule was asked about."""
