"""What rules ask of order lines, worked out once per distinct combination of words.

A line's facts are where it comes from and goes to, who sells what to whom, how, and in which currency. Millions of
lines have a few hundred combinations of them; each becomes a row of a small table, and a line its number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.codes import Combinations, Words
from cbec.methods.compliance.exact import minor_digits
from cbec.methods.compliance.goods import Goods
from cbec.methods.compliance.rules import SCHEMES, TRANSPORTS
from cbec.methods.compliance.tax_numbers import malformed

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack

COUNTRIES = ("ship_from", "ship_to", "seller_country")
FLAGS = ("business", "marketplace", "gift", "gross", "ddp", "statement")
UNKNOWN, OTHER = "unknown", "other"
MALFORMED = "-"
"""Stands for the prefix of a tax number that cannot be one."""


class Facts:
    """The combinations of facts of one file, numbered as they are met; `table` has a row for each."""

    def __init__(self, lines: pl.DataFrame, products: pl.DataFrame | None, packs: Sequence[Pack], gross: bool) -> None:
        self._packs, self._gross = packs, gross
        own = {name: Words(lines[name]) for name in (*COUNTRIES, "currency")}
        letters = ["", MALFORMED, *(chr(a) + chr(b) for a in range(65, 91) for b in range(65, 91))]
        for name, column, known in (
            ("scheme", "scheme", SCHEMES),
            ("transport", "transport", TRANSPORTS),
            ("prefix", "buyer_tax_id", letters),
        ):
            own[name] = Words(known=known if lines[column].null_count() < lines.height else ())
        self._words = own
        self._malformed = _malformed(lines)
        named = {code for p in packs for r in p.rules.values() for code in r.when.get("origin", ()) if code != UNKNOWN}
        self._origins = Words(known=sorted(named | {OTHER}))
        self._named = sorted(named)
        self._regions = Regions(lines["ship_to_region"], packs)
        self.goods = Goods(lines, products, packs)
        sizes = {name: words.size for name, words in own.items()}
        sizes |= {"origin": self._origins.size, "region": self._regions.size}
        sizes |= {"category": self.goods.categories, "hs": self.goods.codes} | dict.fromkeys(FLAGS, 2)
        self._combinations = Combinations(sizes)
        self.table = pl.DataFrame()

    def number(self, lines: pl.DataFrame, hs: pl.Series) -> pl.Series:
        """The number of each line's facts (its row in `table`). lines: rows of order_lines, products joined; hs: from
        `goods.words`."""
        codes = [words.codes(lines[name]) for name, words in self._words.items() if name != "prefix"]
        codes += [self._words["prefix"].codes(self._prefix(lines))]
        codes += [
            self._origin(lines["origin"]),
            self._regions.code(lines["ship_to_region"]),
            *self.goods.code(lines["category"], hs),
        ]
        flags = lines.select(
            (pl.col("buyer_type") == "B2B").fill_null(False).alias("business"),
            pl.col("marketplace_collects").fill_null(False).alias("marketplace"),
            pl.col("gift").fill_null(False),
            pl.col("price_includes_tax").fill_null(self._gross).alias("gross"),
            (pl.col("incoterm") == "DDP").fill_null(False).alias("ddp"),
            pl.col("buyer_statement").fill_null(False).alias("statement"),
        )
        frame = pl.DataFrame(codes).hstack(flags.cast(pl.Int64))
        numbers, fresh = self._combinations.number(frame)
        if fresh.height:
            described = self._described(fresh)
            self.table = pl.concat([self.table, described], rechunk=True) if self.table.width else described
        return numbers

    def _prefix(self, lines: pl.DataFrame) -> pl.Series:
        """Two letters that the buyer's tax number begins with; MALFORMED where it cannot be a tax number."""
        prefix = _prefix(lines["buyer_tax_id"]).alias("prefix")
        if not self._malformed.height:
            return prefix
        numbers = lines.select("buyer_tax_id", "ship_to", pl.int_range(pl.len()).alias("row"))
        rows = numbers.join(self._malformed, on=["buyer_tax_id", "ship_to"], how="semi", nulls_equal=True)["row"]
        return prefix.scatter(rows, MALFORMED) if len(rows) else prefix

    def _origin(self, origin: pl.Series) -> pl.Series:
        if not self._named or origin.null_count() == len(origin):
            return self._origins.codes(pl.Series("origin", [None], dtype=pl.String).new_from_index(0, len(origin)))
        named = pl.when(pl.col("origin").is_in(self._named)).then("origin").otherwise(pl.lit(OTHER))
        told = pl.when(pl.col("origin").is_not_null()).then(named).alias("origin")
        return self._origins.codes(origin.alias("origin").to_frame().select(told)["origin"])

    def _described(self, fresh: pl.DataFrame) -> pl.DataFrame:
        told = fresh.with_columns(
            (fresh["ship_from"] * self._words["ship_to"].size + fresh["ship_to"]).alias("route"),
            *(words.told(fresh[name]).alias(name) for name, words in self._words.items()),
            self._origins.told(fresh["origin"]).alias("origin"),
            *(pl.col(flag) == 1 for flag in FLAGS),
        )
        told = told.with_columns(self._regions.territory(told))
        told = _placed(told, self._packs)
        return self.goods.classified(told).with_columns(
            minor_digits().alias("digits"), pl.col("scheme").fill_null(UNKNOWN), pl.col("transport").fill_null(UNKNOWN),
            pl.col("origin").fill_null(UNKNOWN),
        )  # fmt: skip


def _prefix(number: pl.Series) -> pl.Series:
    """Two letters that a tax number begins with; "" for a number without, null for none."""
    if number.null_count() == len(number):
        return number
    # "ABN 51 824 753 556" begins with what it is, not with a country.
    plain = pl.col("n").str.strip_chars().str.to_uppercase().str.replace(r"^(?:ABN|GST|UEN|IRD|TIN)[^A-Z0-9]*", "")
    said = pl.when(plain.str.contains(r"^[A-Z]{2}")).then(plain.str.slice(0, 2)).when(plain != "").then(pl.lit(""))
    return number.alias("n").to_frame().select(said.alias("n"))["n"]


def _malformed(lines: pl.DataFrame) -> pl.DataFrame:
    """Distinct buyer_tax_id and ship_to of lines whose number is malformed; a plain number is held against the rules
    of the country of destination."""
    pairs = lines.select("buyer_tax_id", "ship_to")
    if lines["buyer_tax_id"].null_count() == lines.height:
        return pairs.clear()
    pairs = pairs.filter(pl.col("buyer_tax_id").str.strip_chars() != "").unique()
    return pairs.filter(pl.Series(malformed(pairs.iter_rows()), dtype=pl.Boolean))


class Regions:
    """Special territories by the code of the country or by postcode."""

    def __init__(self, regions: pl.Series, packs: Sequence[Pack]) -> None:
        self._rules = [rule for pack in packs for rule in pack.of("territory")]
        self._codes = {code: rule.id for rule in self._rules for code in rule.codes}
        self._words = Words(regions)
        self._of_word = pl.Series("region", [0], dtype=pl.Int64).new_from_index(0, self._words.size)
        self._meant: list[dict[str, str]] = [{}]
        if self._words.size > 1 and any(rule.region is not None for rule in self._rules):
            self._classify()
        self.size = len(self._meant)

    def _classify(self) -> None:
        """A class for every set of territories that a word means, with the territory it means in each country."""
        upper = pl.col("word").str.to_uppercase()
        # Postcodes come as "ES-35001", "35 001" or "BT1 1AA".
        words = self._words.words.to_frame().with_row_index("n")
        plain = words.select(
            "n",
            upper.str.replace_all(r"[^A-Z0-9]", "").alias("plain"),
            upper.str.extract(r"^\s*([A-Z]{2})\s*-").alias("own"),
        )
        bare = pl.when(pl.col("own").is_null()).then("plain").otherwise(pl.col("plain").str.slice(2))
        regional = [(at, rule) for at, rule in enumerate(self._rules) if rule.region is not None]
        any_of = f"^(?:{'|'.join(str(rule.region) for _, rule in regional)})$"
        special = plain.filter(pl.col("plain").str.contains(any_of) | bare.str.contains(any_of))
        marks = []
        for at, rule in regional:
            stripped = pl.when(pl.col("own") == rule.country).then(pl.col("plain").str.slice(2)).otherwise("plain")
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
        self._of_word = pl.concat([of_word, pl.Series("key", [0], dtype=pl.Int64)]).alias("region")

    def code(self, regions: pl.Series) -> pl.Series:
        """The class of each postcode."""
        if self.size == 1:
            return pl.Series("region", [0], dtype=pl.Int64).new_from_index(0, len(regions))
        return self._of_word.gather(self._words.codes(regions))

    def territory(self, facts: pl.DataFrame) -> pl.Series:
        """Id of the special territory of each combination, null for none."""
        found = [
            self._codes.get(to) or self._meant[region].get(to)
            for to, region in facts.select("ship_to", "region").iter_rows()
        ]
        return pl.Series("territory", found, dtype=pl.String)


def owners(packs: Sequence[Pack]) -> pl.DataFrame:
    """code -> pack and country: jurisdictions, codes treated as one of them, codes of special territories."""
    rows = [(code, pack.id, code) for pack in packs for code in pack.jurisdictions]
    rows += [(code, pack.id, to) for pack in packs for code, to in pack.treated_as.items()]
    rows += [
        (code, pack.id, rule.country or "") for pack in packs for rule in pack.of("territory") for code in rule.codes
    ]
    schema = dict.fromkeys(("code", "pack", "country"), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row").unique("code", keep="first", maintain_order=True)


def _placed(facts: pl.DataFrame, packs: Sequence[Pack]) -> pl.DataFrame:
    """Adds pack, country, movement, seller, area and the name of the territory."""
    held = owners(packs)

    def owner(column: str, tag: str) -> pl.DataFrame:
        return held.rename({"code": column, "pack": f"pack{tag}", "country": f"country{tag}"})

    areas = {rule.id: rule.area for pack in packs for rule in pack.of("territory")}
    names = {rule.id: rule.name for pack in packs for rule in pack.of("territory")}
    placed = (
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
    area = pl.col("territory").replace_strict(areas, default="main", return_dtype=pl.String).fill_null("main")
    name = pl.col("territory").replace_strict(names, default=None, return_dtype=pl.String)
    return placed.with_columns(
        movement.alias("movement"), seller.alias("seller"), area.alias("area"), name.alias("territory_name")
    ).drop("country_seller", "pack_seller")
