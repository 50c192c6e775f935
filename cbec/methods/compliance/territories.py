"""Where goods come from and go to: packs and countries that own a code, special territories, and what kind of movement that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.compliance.codes import SLOTS, Words, hashed

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack

UNKNOWN = "unknown"
OLD = {"A": "AT", "D": "DE", "E": "ES", "F": "FR", "I": "IT", "P": "PT", "FIN": "FI", "AX": "FI"}
"""Countries by the letters that people still write before postcodes."""


class Regions:
    """Special territories by the code of the country or by postcode."""

    def __init__(self, regions: pl.Series, packs: Sequence[Pack]) -> None:
        self._rules = [rule for pack in packs for rule in pack.of("territory")]
        self._codes = {code: rule.id for rule in self._rules for code in rule.codes}
        self._words = Words(regions).words
        self._meant: list[dict[str, str]] = [{}]
        if len(self._words) and any(rule.region is not None for rule in self._rules):
            self._classify()
        self.size = len(self._meant)

    def _classify(self) -> None:
        """A class for every set of territories that a word means, with the territory it means in each country."""
        upper = pl.col("word").str.to_uppercase()
        # Postcodes come as "ES-35001", "D-27498", "35 001" or "BT1 1AA".
        words = self._words.to_frame().with_row_index("n")
        plain = words.select(
            "n",
            upper.str.replace_all(r"[^A-Z0-9]", "").alias("plain"),
            upper.str.extract(r"^\s*([A-Z]{2}|[ADEFIP]|FIN)\s*-").alias("own"),
        ).with_columns(
            pl.col("plain").str.slice(pl.col("own").str.len_chars()).alias("rest"), pl.col("own").replace(OLD)
        )
        bare = pl.coalesce("rest", "plain")
        regional = [(at, rule) for at, rule in enumerate(self._rules) if rule.region is not None]
        any_of = f"^(?:{'|'.join(str(rule.region) for _, rule in regional)})$"
        special = plain.filter(pl.col("plain").str.contains(any_of) | bare.str.contains(any_of))
        marks = []
        for at, rule in regional:
            stripped = pl.when(pl.col("own") == rule.country).then("rest").otherwise("plain")
            fits = stripped.str.contains(f"^(?:{rule.region})$")
            marks.append(pl.when(fits).then(pl.lit(f"{at}")))
        keys = special.select("n", pl.concat_str(marks, separator="|", ignore_nulls=True).alias("key"))
        classes = ["", *sorted(set(keys["key"]) - {""})]
        for entry in classes[1:]:
            rules = [self._rules[int(n)] for n in entry.split("|")]
            self._meant.append({str(rule.country): rule.id for rule in reversed(rules)})
        number = keys.select(
            "n", pl.col("key").replace_strict(classes, list(range(len(classes))), return_dtype=pl.Int64)
        )
        of_word = words.join(number, on="n", how="left", maintain_order="left")["key"].fill_null(0)
        meant = of_word > 0
        few = words["word"].filter(meant)
        self._special, self._of_word = pl.Enum(few), of_word.filter(meant)
        self._maybe = np.zeros(SLOTS, dtype=bool)
        self._maybe[hashed(few, SLOTS)] = True

    def code(self, regions: pl.Series) -> pl.Series:
        """The class of each postcode."""
        none = pl.Series("region", [0], dtype=pl.Int64).new_from_index(0, len(regions))
        if self.size == 1:
            return none
        # Few of all postcodes mean a territory: most are told by their hash not to.
        rows = np.flatnonzero(self._maybe.take(hashed(regions, SLOTS)))
        found = regions.gather(rows).cast(self._special, strict=False).to_physical()
        there = found.is_not_null()
        return none.scatter(rows[there.to_numpy()], self._of_word.gather(found.drop_nulls()))

    def territory(self, facts: pl.DataFrame) -> pl.Series:
        """Id of the special territory of each combination, null for none."""
        found = [
            self._codes.get(to) or self._meant[region].get(to)
            for to, region in facts.select("ship_to", "region").iter_rows()
        ]
        return pl.Series("territory", found, dtype=pl.String)


def owners(packs: Sequence[Pack]) -> pl.DataFrame:
    """code -> pack, country and place (a special territory is one of its own): jurisdictions, codes treated as one of
    them, codes of special territories."""
    rows = [(code, pack.id, code, code) for pack in packs for code in pack.jurisdictions]
    rows += [(code, pack.id, to, to) for pack in packs for code, to in pack.treated_as.items()]
    special = [(code, pack.id, rule) for pack in packs for rule in pack.of("territory") for code in rule.codes]
    rows += [(code, pack, rule.country or "", code) for code, pack, rule in special]
    schema = dict.fromkeys(("code", "pack", "country", "place"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").unique("code", keep="first", maintain_order=True)


def placed(facts: pl.DataFrame, packs: Sequence[Pack]) -> pl.DataFrame:
    """Adds pack, country, movement, seller, from_home, area and the name of the territory."""
    held = owners(packs)

    def owner(column: str, tag: str) -> pl.DataFrame:
        return held.rename({"code": column} | {name: f"{name}{tag}" for name in ("pack", "country", "place")})

    areas = {rule.id: rule.area for pack in packs for rule in pack.of("territory")}
    names = {rule.id: rule.name for pack in packs for rule in pack.of("territory")}
    told = (
        facts.join(owner("ship_to", ""), on="ship_to", how="left", maintain_order="left")
        .join(owner("ship_from", "_from"), on="ship_from", how="left", maintain_order="left")
        .join(owner("seller_country", "_seller"), on="seller_country", how="left", maintain_order="left")
    )
    movement = (
        pl.when(pl.col("ship_from").is_null())
        .then(None)
        .when(pl.col("country_from") == pl.col("country"))
        .then(pl.lit("domestic"))
        .when(pl.col("pack_from") == pl.col("pack"))
        .then(pl.lit("intra"))
        .otherwise(pl.lit("import"))
    )
    seller = (
        pl.when(pl.col("seller_country").is_null())
        .then(pl.lit(UNKNOWN))
        .when(pl.col("country_seller") == pl.col("country"))
        .then(pl.lit("local"))
        .when(pl.col("pack_seller") == pl.col("pack"))
        .then(pl.lit("inside"))
        .otherwise(pl.lit("outside"))
    )
    home = (pl.col("place_seller") == pl.col("place_from")).fill_null(False)
    area = pl.col("territory").replace_strict(areas, default="main", return_dtype=pl.String).fill_null("main")
    name = pl.col("territory").replace_strict(names, default=None, return_dtype=pl.String)
    return told.with_columns(
        movement.alias("movement"),
        seller.alias("seller"),
        pl.when(home).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("from_home"),
        area.alias("area"),
        name.alias("territory_name"),
    ).drop("country_seller", "pack_seller")
