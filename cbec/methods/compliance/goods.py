"""What kind of goods a line sells, as far as tax rates ask: by customs code, or by the seller's own category.

A rule of kind `goods` names a class of goods (food, books ...) by the customs codes it covers and by words. A rule
of kind `rate` may then hold a rate for that class. Codes decide, of the line, the product or (by the table
category_codes) of its category; words alone never change a rate, they only warn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.codes import Words, taken
from cbec.methods.compliance.lines import digits_of, subheadings

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack, Rule

TELLING = 4
"""A customs code of fewer digits than this does not tell the goods; then the words of the category may."""


def plain_word(word: str) -> str:
    """A category as it is compared."""
    return word.strip().lower()


def codes_of(category_codes: pl.DataFrame | None) -> dict[str, str]:
    """category (as it is compared) -> digits of its customs code. category_codes: the table of that name."""
    if category_codes is None:
        return {}
    told = category_codes.select("category", digits_of(pl.col("hs_code")))
    return {plain_word(category): code for category, code in told.iter_rows() if code}


class Prefixes:
    """The longest of some prefixes that each customs code begins with, as a small number (0 = none)."""

    def __init__(self, codes: pl.Series, prefixes: Sequence[str]) -> None:
        self.prefixes = ["", *sorted(set(prefixes) - {""})]
        number = {prefix: i for i, prefix in enumerate(self.prefixes)}
        frame = codes.alias("digits").to_frame()
        found = pl.lit(0, pl.Int64)
        for length in sorted({len(p) for p in self.prefixes} - {0}):
            cut = pl.col("digits").str.slice(0, length)
            of = {p: n for p, n in number.items() if len(p) == length}
            longer = cut.replace_strict(of, default=None, return_dtype=pl.Int64)
            found = pl.coalesce(longer, found)
        self.of = frame.select(found.alias("prefix"))["prefix"]


class Goods:
    """Categories and customs codes of a file, reduced to what the rules tell apart."""

    def __init__(
        self,
        lines: Mapping[str, pl.Series],
        products: pl.DataFrame | None,
        packs: Sequence[Pack],
        codes: Mapping[str, str] | None = None,
    ) -> None:
        """lines: `category` and `hs_code`, every value at least once. codes: the customs code, or its beginning, of
        categories (in small letters)."""
        self._classes = {pack.id: _Classes(pack) for pack in packs}
        self._category, self._hs = (
            Words(lines[name], *([] if products is None else [products[name]])) for name in ("category", "hs_code")
        )
        self._subheadings: pl.Series | None = None
        rules = [rule for pack in packs for rule in pack.of("goods")]
        plain = self._hs.words.to_frame().select(digits_of(pl.col("word")))["word"]
        telling = plain.str.len_chars() >= TELLING
        every = Prefixes(plain, [code for rule in rules for code in (*rule.hs, *rule.partly)])
        # A telling code is its longest prefix; one that tells nothing is as good as none.
        self._prefixes = every.prefixes
        none = len(every.prefixes)
        hs = (
            pl.select(pl.when(telling).then(every.of).otherwise(none).alias("hs"))["hs"]
            if len(plain)
            else pl.Series([], dtype=pl.Int64)
        )
        self._of_hs = pl.concat([hs.cast(pl.Int64), pl.Series([none], dtype=pl.Int64)])
        self.codes = none + 1
        rated = {rule.category for pack in packs for rule in pack.of("rate") if rule.category is not None}
        keys = [
            (*self._meaning(word, rated, rules), (codes or {}).get(plain_word(word), ""))
            for word in self._category.words
        ]
        meanings = sorted({*keys, ("", (), "")})
        place = {key: i for i, key in enumerate(meanings)}
        self._meanings = meanings
        self._of_category = pl.Series([*(place[key] for key in keys), place["", (), ""]], dtype=pl.Int64)
        self.categories = len(meanings)

    @staticmethod
    def _meaning(word: str, rated: set[str], rules: Sequence[Rule]) -> tuple[str, tuple[str, ...]]:
        """What a category means: itself where a rate bears its name, and the rules whose words it holds."""
        plain = plain_word(word)
        spoken = tuple(r.id for r in rules if r.words and re.search(_pattern(r.words), plain))
        return (next((name for name in (word, plain) if name in rated), ""), spoken)

    @property
    def hs_words(self) -> pl.Series:
        """The distinct customs codes of the file, in the order of their numbers."""
        return self._hs.words

    def words(self, hs_code: pl.Series) -> pl.Series:
        """The number of each customs code among those of the file."""
        return self._hs.codes(hs_code)

    def subheadings(self, words: pl.Series) -> pl.Series:
        """The number of each code's subheading, null for none."""
        if self._subheadings is None:
            told = subheadings(self._hs.words)
            distinct = told.drop_nulls().unique().sort()
            number = told.to_frame("s").select(
                pl.col("s").replace_strict(distinct, list(range(len(distinct))), default=None, return_dtype=pl.Int64)
            )["s"]
            self._subheadings = pl.concat([number, pl.Series("s", [None], dtype=pl.Int64)])
        return self._subheadings.gather(words).alias("subheading")

    def articles(self, words: pl.Series) -> pl.Series:
        """The number of each code's digits, whatever its spelling; null for none."""
        plain = self._hs.words.to_frame().select(digits_of(pl.col("word")).replace("", None))["word"]
        number = plain.rank("dense").cast(pl.Int64)
        return pl.concat([number, pl.Series("word", [None], dtype=pl.Int64)]).gather(words).alias("article")

    def code(self, category_words: pl.Series, hs: pl.Series) -> list[pl.Series]:
        """Columns `category` and `hs` of codes: what the rules tell apart. hs: from `words`."""
        category = self._category.codes(category_words)
        return [
            taken(self._of_category, category).alias("category")
            if self.categories > 1
            else (category * 0).alias("category"),
            taken(self._of_hs, hs).alias("hs"),
        ]

    def classified(self, facts: pl.DataFrame) -> pl.DataFrame:
        """Adds `category`: the category that a rate rule of the line's country is for, or null; `goods_rule`; `goods`,
        the class that conditions may name; and `hinted`: a reduced rate may apply, but no rate is held for the class.

        A category that bears the name of a rate's category is taken as it is; else the longest matching code of a
        class decides, where that class has a rate. `goods_rule` is the rule of kind goods that spoke. Where it
        spoke and there is no category, the goods are of a kind that commonly bears a reduced rate, but the packs
        hold none for them: the class has no rate there, or the code covers other goods too.
        """
        on = ["pack", "country", "category", "hs"]
        asked = facts.select(on).unique()
        found = []
        for pack, country, category, hs in asked.iter_rows():
            word, spoken, code_of_category = self._meanings[category]
            code = self._prefixes[hs] if hs < len(self._prefixes) else code_of_category or None
            mine = self._classes.get(pack)
            category_of, rule = (None, None) if mine is None else mine.of(country, word, spoken, code)
            told = None if mine is None or rule is None else mine.rules[rule]
            kind = category_of or (None if told is None else told.goods)
            hinted = category_of is None and told is not None and told.hint
            found.append((category_of, rule, kind, hinted))
        schema = {"goods_category": pl.String, "goods_rule": pl.String, "goods": pl.String, "hinted": pl.Boolean}
        classes = asked.hstack(pl.DataFrame(found, schema=schema, orient="row"))
        joined = facts.join(classes, on=on, how="left", nulls_equal=True, maintain_order="left").drop("category", "hs")
        return joined.rename({"goods_category": "category"})


class _Classes:
    """The goods and rates of one pack, as looked up by country."""

    def __init__(self, pack: Pack) -> None:
        self._rules = pack.of("goods")
        self.rules = {rule.id: rule for rule in self._rules}
        self._rated = {(rule.country, rule.category) for rule in pack.of("rate")}
        self._closed = {rule.country for rule in self._rules if rule.complete}
        self._ranks: dict[str, dict[str, tuple[bool, bool, str, str]]] = {}

    def of(self, country: str, word: str, spoken: tuple[str, ...], code: str | None) -> tuple[str | None, str | None]:
        if word and (country, word) in self._rated:
            return word, None
        if code is None:  # no customs code that tells anything
            mine = [r.id for r in self._rules if r.id in spoken and self._of(r, country)]
            return None, mine[0] if mine else None
        held = self._held(country)
        there = [(held[prefix][0], n, held[prefix]) for n in range(len(code) + 1) if (prefix := code[:n]) in held]
        if not there:
            return None, None
        # A rule of the country goes before one of the whole pack, then the longer code.
        _, partly, goods, rule_id = max(there)[2]
        return (goods if not partly and (country, goods) in self._rated else None), rule_id

    def _held(self, country: str) -> dict[str, tuple[bool, bool, str, str]]:
        """The first of the rules of each prefix in a country: whether it is the country's own, whether the prefix covers
        other goods too, its class and id."""
        if country not in self._ranks:
            found: dict[str, tuple[bool, bool, str, str]] = {}
            for rule in self._rules:
                if self._of(rule, country):
                    for partly, prefixes in ((False, rule.hs), (True, rule.partly)):
                        rank = (rule.country is not None, partly, str(rule.goods), rule.id)
                        found |= {prefix: max(rank, found.get(prefix, rank)) for prefix in prefixes}
            self._ranks[country] = found
        return self._ranks[country]

    def _of(self, rule: Rule, country: str) -> bool:
        # A country is closed as to rates; classes that conditions name hold there too.
        return rule.country == country or (rule.country is None and (country not in self._closed or not rule.hint))


def _pattern(words: Sequence[str]) -> str:
    """Latin words as whole words (and their plural), Chinese ones anywhere."""
    latin = [re.escape(word.lower()) for word in words if word.isascii()]
    other = [re.escape(word) for word in words if not word.isascii()]
    whole = [rf"\b(?:{'|'.join(latin)})s?\b"] if latin else []
    return "|".join(whole + other)
