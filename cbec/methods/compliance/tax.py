"""Tax and duty per order line: facts -> rate -> consignment -> rule -> amounts, in joins and integer columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core import reasons
from cbec.methods.compliance import consignments, decisions
from cbec.methods.compliance.amounts import reckon
from cbec.methods.compliance.exact import decimal
from cbec.methods.compliance.lines import prepare

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

REDUCED = "reduced_rate"
"""Flag of a line taxed at the standard rate although goods of its kind commonly bear a reduced one."""
BROKEN = ("tax_no_price", "tax_no_currency")
"""Lines that cannot be taxed but leave a gap in the value of their consignment."""


def compute(
    order_lines: pl.DataFrame,
    products: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    book: Rulebook,
    *,
    gross: bool = False,
    language: str = "en",
) -> pl.DataFrame:
    """Tax and duty of every order line.

    order_lines, products, rates: tables of those names. gross: whether prices include tax where a line does not
    say. Returns the table `tax` in the order of the lines, money Decimal in the line's currency, with `reason`
    told in `language`. A line that no rule decides has status UNDETERMINED, null money, and says why.
    Raises InputRejected for a missing exchange rate, UsageFault where two rules contradict each other.
    """
    lines, places = prepare(order_lines, products, book.packs, book.periods, gross)
    lines = decisions.with_rate(lines, places, book)
    lines = _with_states(lines, rates, book)
    lines, cases = decisions.decide(lines, places, book)
    return _told(reckon(lines, cases), cases, book, language)


def _with_states(lines: pl.DataFrame, rates: pl.DataFrame | None, book: Rulebook) -> pl.DataFrame:
    """Adds what imported lines know of their consignment: `fx`, `amount` (of a flat duty), `state0` .."""
    states = [f"state{i}" for i in range(book.slots)]
    usable = pl.col("issue").is_null() | pl.col("issue").is_in(BROKEN)
    imports = lines.filter(pl.col("imported") & usable)
    if imports.is_empty():
        blank: dict[str, type[pl.DataType]] = {"fx": pl.Int128, "amount": pl.Int64, **dict.fromkeys(states, pl.Int8)}
        return lines.with_columns(pl.lit(None, kind).alias(name) for name, kind in blank.items())
    imports = consignments.fixings(imports, rates, book.packs)
    amounts = book.values("amount").select("pack", "period", pl.col("micro").alias("amount"))
    imports = imports.join(amounts, on=["pack", "period"], how="left", maintain_order="left")
    imports = consignments.lone_article(imports)
    imports = imports.join(_flat_in_price(imports), on="row", how="left", maintain_order="left")
    limits = book.values("limit").join(book.limits(), on=["pack", "rule_id"])
    held = consignments.states(imports, limits.select("pack", "period", "slot", "micro", "inclusive"), book.slots)
    known = held.select("row", "fx", "amount", "subheading", *states)
    return lines.drop("subheading").join(known, on="row", how="left", maintain_order="left")


def _flat_in_price(imports: pl.DataFrame) -> pl.DataFrame:
    """row -> `flat`: the flat duty that a DDP price includes if its consignment is within the limit."""
    inclusive = pl.col("gross") & pl.col("ddp")
    owing = ~pl.col("business") & pl.all_horizontal(pl.col("amount", "subheading", "goods", "fx").is_not_null())
    owing &= pl.col("issue").is_null()
    candidates = imports.filter(owing)
    if not candidates.select(inclusive.any()).item():
        return pl.DataFrame(schema={"row": imports.schema["row"], "flat": pl.Int64})
    return consignments.flat_duty(candidates).join(candidates.filter(inclusive).select("row"), on="row", how="semi")


def _told(lines: pl.DataFrame, cases: pl.DataFrame, book: Rulebook, language: str) -> pl.DataFrame:
    known = pl.col("problem").is_null()
    told = lines.join(
        cases.select("case", "scheme_scheme", "scheme_collected_by", "scheme_reason", "rule_ids", "citation"),
        on="case",
        how="left",
        maintain_order="left",
    )
    reduced = (
        known & (pl.col("scheme_tax") == "charge") & pl.col("goods_rule").is_not_null() & pl.col("category").is_null()
    )
    told = told.with_columns(
        pl.when(known).then("scheme_reason").otherwise("problem").alias("reason_code"),
        pl.when(reduced.fill_null(False)).then(pl.lit(REDUCED)).alias("flags"),
    )
    told = _with_reason(told, cases, book, language)
    digits = pl.col("digits")
    imported = pl.col("imported") | (pl.col("scheme_scheme") == "IMPORT").fill_null(False)
    tariff = pl.col("duty_duty") == "tariff"
    return told.select(
        "order_id",
        "line",
        pl.when(known).then(pl.lit("OK")).otherwise(pl.lit("UNDETERMINED")).alias("status"),
        "ship_to",
        decimal("intrinsic", digits).alias("intrinsic_value"),
        pl.when(imported).then(decimal("value", digits)).alias("customs_value"),
        pl.when(known & tariff).then(pl.col("tariff_rate").cast(pl.Decimal(38, 6)) / 1_000_000).alias("duty_rate"),
        decimal("duty", digits).alias("duty"),
        pl.when(known).then(pl.col("charged_rate").cast(pl.Decimal(38, 6)) / 1_000_000).alias("tax_rate"),
        decimal("base", digits).alias("tax_base"),
        decimal("tax", digits).alias("tax"),
        pl.when(known).then(pl.lit(0)).cast(pl.Decimal(38, 6)).alias("other_charges"),
        decimal(pl.col("duty") + pl.col("tax"), digits).alias("total"),
        "currency",
        pl.when(known).then("scheme_scheme").alias("scheme"),
        pl.when(known).then("scheme_collected_by").alias("collected_by"),
        "rule_ids",
        "citation",
        "flags",
        "reason_code",
        "reason",
    )


def _with_reason(lines: pl.DataFrame, cases: pl.DataFrame, book: Rulebook, language: str) -> pl.DataFrame:
    """Sentences are filled once per case and reason, not once per line."""
    on = ["case", "reason_code", "flags", "ship_to", "pack"]
    ends = {pack.id: str(pack.valid_to) for pack in book.packs}
    distinct = lines.select(*on, (pl.col("charged_rate") / 1_000_000).alias("tax_rate")).unique(on)
    filled = distinct.join(
        cases.select("case", "_limit", "_limit_currency", "_territory"), on="case", how="left"
    ).with_columns(pl.col("pack").replace_strict(ends, default=None, return_dtype=pl.String).alias("_pack_valid_to"))
    warned = reasons.render(filled.with_columns(reason_code=pl.lit("tax_reduced_possible")), language)["reason"]
    sentences = reasons.render(filled, language).with_columns(
        pl.when(pl.col("flags").is_null()).then("reason").otherwise(pl.concat_str("reason", warned, separator=" "))
    )
    sentences = sentences.select(*on, "reason")
    return lines.join(sentences, on=on, how="left", nulls_equal=True, maintain_order="left")
