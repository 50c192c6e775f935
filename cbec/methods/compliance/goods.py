"""What kind of goods a line sells, as far as tax rates ask: by customs code, or by the seller's own category.

A rule of kind `goods` names a class of goods (food, books ...) by the customs codes it covers and by words. A rule
of kind `rate` may then hold a rate for that class. Codes decide; words alone never change a rate, they only warn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack

ON = ["pack", "country", "category", "hs_code"]
TELLING = 4
"""A customs code of fewer digits than this does not tell the goods; then the words of the category may."""


def with_class(lines: pl.DataFrame, packs: Sequence[Pack]) -> pl.DataFrame:
    """Adds `goods_class`: the category that a rate rule of the line's country is for, or null; and `goods_rule`.

    lines: `pack`, `country` (of destination), `category`, `hs_code`. A category that bears the name of a rate's
    category is taken as it is; else the longest matching code of a class decides, where that class has a rate.
    `goods_rule` is the rule of kind goods that spoke. Where it spoke and there is no class, the goods are of a
    kind that commonly bears a reduced rate, but the packs hold none for them: the class has no rate there, or the
    code covers other goods too.
    """
    distinct = lines.select(ON).unique().with_row_index("n")
    digits = pl.col("hs_code").str.replace_all(r"[^0-9]", "").alias("digits")
    distinct = distinct.with_columns(digits, pl.col("category").str.strip_chars().str.to_lowercase().alias("word"))
    rated = pl.DataFrame(
        sorted({(p.id, r.country, r.category) for p in packs for r in p.of("rate") if r.category is not None}),
        schema={"pack": pl.String, "country": pl.String, "of": pl.String},
        orient="row",
    ).with_columns(pl.col("of").alias("rated"))
    place = ["pack", "country"]
    exact = distinct.join(rated.rename({"of": "category"}), on=[*place, "category"], how="left")
    coded = _by_code(distinct, packs).join(rated.rename({"of": "class"}), on=[*place, "class"], how="left")
    told = exact.join(coded.select("n", "partly", code_rule="rule", by_code="rated"), on="n", how="left").join(
        _by_word(distinct, packs), on="n", how="left"
    )
    silent = (pl.col("digits").str.len_chars() < TELLING).fill_null(True)
    named = pl.col("rated").is_not_null()
    told = told.with_columns(
        pl.coalesce("rated", pl.when(~pl.col("partly")).then("by_code")).alias("goods_class"),
        pl.when(~named).then(pl.coalesce("code_rule", pl.when(silent).then("word_rule"))).alias("goods_rule"),
    )
    return lines.join(
        told.select(*ON, "goods_class", "goods_rule"), on=ON, how="left", nulls_equal=True, maintain_order="left"
    )


def _by_code(distinct: pl.DataFrame, packs: Sequence[Pack]) -> pl.DataFrame:
    """n, pack, country, `rule`, `class` and `partly` of the longest code that fits; a country's own classes first."""
    rows = []
    for pack in packs:
        rules = pack.of("goods")
        closed = {rule.country for rule in rules if rule.complete}
        for rule in rules:
            places = [rule.country] if rule.country else [c for c in pack.jurisdictions if c not in closed]
            prefixes = [(code, False) for code in rule.hs] + [(code, True) for code in rule.partly]
            rows += [
                (pack.id, place, rule.id, code, rule.goods, partly, rule.country is None)
                for place in places
                for code, partly in prefixes
            ]
    schema = dict.fromkeys(("pack", "country", "rule", "code", "class"), pl.String)
    table = pl.DataFrame(rows, schema=schema | {"partly": pl.Boolean, "general": pl.Boolean}, orient="row")
    found = []
    for length in sorted(set(table["code"].str.len_chars()), reverse=True):
        codes = table.filter(pl.col("code").str.len_chars() == length)
        cut = distinct.filter(pl.col("digits").str.len_chars() >= max(length, TELLING))
        cut = cut.with_columns(pl.col("digits").str.slice(0, length).alias("code"))
        found.append(cut.join(codes, on=["pack", "country", "code"]).with_columns(length=pl.lit(length)))
    columns = ["n", "pack", "country", "rule", "class", "partly"]
    if not found:
        return distinct.clear().select("n", "pack", "country", rule="word", **{"class": "word"}, partly=pl.lit(False))
    order = pl.concat(found).sort("n", "general", "length", "class", descending=[False, False, True, False])
    return order.unique("n", keep="first", maintain_order=True).select(columns)


def _by_word(distinct: pl.DataFrame, packs: Sequence[Pack]) -> pl.DataFrame:
    """n, `word_rule`: the first rule of the pack with a word that the category holds."""
    parts = []
    for pack in packs:
        spoken = pl.lit(None, pl.String)
        for rule in reversed(pack.of("goods")):
            if rule.words:
                fits = pl.col("word").str.contains(_pattern(rule.words))
                if rule.country is not None:
                    fits &= pl.col("country") == rule.country
                spoken = pl.when(fits.fill_null(False)).then(pl.lit(rule.id)).otherwise(spoken)
        parts.append(distinct.filter(pl.col("pack") == pack.id).select("n", spoken.alias("word_rule")))
    return pl.concat(parts)


def _pattern(words: Sequence[str]) -> str:
    """Latin words as whole words (and their plural), Chinese ones anywhere."""
    latin = [re.escape(word.lower()) for word in words if word.isascii()]
    other = [re.escape(word) for word in words if not word.isascii()]
    whole = [rf"\b(?:{'|'.join(latin)})s?\b"] if latin else []
    return "|".join(whole + other)
