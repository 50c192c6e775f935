"""What rules ask of order lines, worked out once per distinct combination of words.

A line's facts are where it comes from and goes to, who sells what to whom, and how. Millions of lines have thousands
of combinations of words, and rules tell few of them apart: words that no rule of the destination's pack names count as
one. What remains becomes a row of a small table, and a line its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.codes import MEANT
from cbec.methods.compliance.codes import Classes, Pairs, Words, places, taken
from cbec.methods.compliance.goods import Goods
from cbec.methods.compliance.rules import SCHEMES, TRANSPORTS
from cbec.methods.compliance.tax_numbers import malformed
from cbec.methods.compliance.territories import UNKNOWN, Regions, owners, placed

if TYPE_CHECKING:
    from cbec.core.command import Common
    from cbec.core.ranged import Ranged
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.rules import Pack, Rule

OTHER = "other"
MALFORMED = "-"
"""Stands for the prefix of a tax number that cannot be one."""
TELLING = ("IOSS", "UK_VAT")
"""Registrations that are used only within the limit: a refund under one of them tells what its sale was."""
MISSING, INSIDE, ORIGIN, TERRITORY, OUTSIDE = "missing", "inside", "origin", "territory", "outside"
PLAIN = {
    "ship_from": OTHER, "seller": UNKNOWN, "buyer_tax_id": MISSING, "scheme": UNKNOWN, "transport": UNKNOWN, "origin": OTHER,
    "marketplace": "no", "gift": "no", "buyer_statement": "no", "from_home": "no",
}  # fmt: skip
"""What a fact counts as where no rule of the pack names it."""
BUYERS = [MISSING, INSIDE, ORIGIN, TERRITORY, OUTSIDE, MALFORMED]
PLACE = {
    "pack": pl.String, "country": pl.String, "number": pl.Int64, "owned": pl.Int64, "ship_from": pl.String, "ship_to": pl.String, "movement": pl.String,
    "seller": pl.String, "from_home": pl.String, "territory": pl.String, "area": pl.String, "territory_name": pl.String,
}  # fmt: skip
YES_NO = {"marketplace": "marketplace_collects", "gift": "gift", "buyer_statement": "buyer_statement"}
FLAGS = ("business", *YES_NO)
ORDINARY = 2 * len(BUYERS)
"""The second code of a fact is below this where no rate of the state of dispatch is asked for."""
LETTERS = [a + b for a in ascii_uppercase for b in ascii_uppercase]
COLUMNS = (
    "date", "currency", "ship_from", "ship_to", "ship_to_region", "seller_country", "scheme", "transport", "origin", "category", "hs_code",
)  # fmt: skip
NUMBERS = ("buyer_tax_id", "ship_to")


@dataclass(frozen=True)
class Met:
    """What stands in a file of order lines: of each column in `COLUMNS` every value at least once, and `NUMBERS` likewise."""

    columns: Mapping[str, pl.Series]
    numbers: pl.DataFrame


def met(lines: pl.DataFrame | Ranged, common: Common | None = None) -> Met:
    """What stands in order lines. common: how cells are read where the lines lie in files."""
    if isinstance(lines, pl.DataFrame):
        return Met({name: lines[name] for name in COLUMNS}, lines.select(NUMBERS))
    assert common is not None
    numbers = lines.words(*NUMBERS, common=common)
    each = {name: lines.words(name, common=common)[name] for name in COLUMNS if name not in NUMBERS}
    return Met(each | {"ship_to": numbers["ship_to"]}, numbers)


class Facts:
    """The facts of one file, numbered as they are met; `table` has a row for each."""

    def __init__(self, met: Met, products: pl.DataFrame | None, book: Rulebook) -> None:
        packs, lines = book.packs, met.columns
        self._packs = {pack.id: pack for pack in packs}
        self._asked = {pack.id: _asked(pack) for pack in packs}
        self._lands = {
            pack.id: {code for rule in pack.of("territory") for code in rule.codes}
            for pack in packs
            if TERRITORY in self._asked[pack.id].get("buyer_tax_id", ())
        }
        words = {name: Words(lines[name]) for name in ("ship_from", "ship_to", "seller_country")}
        for name, known in (("scheme", SCHEMES), ("transport", TRANSPORTS)):
            words[name] = Words(known=known if lines[name].null_count() < len(lines[name]) else ())
        words["prefix"] = Words(known=["", MALFORMED, *LETTERS])
        made = [
            lines["origin"],
            *([] if products is None or "origin" not in products.columns else [products["origin"]]),
        ]
        words["origin"] = Words(*made)
        self._words = words
        self._malformed = _malformed(met.numbers)
        named = {word for asked in self._asked.values() for word in asked.get("origin", ())} - {UNKNOWN}
        self._origins = [*sorted(named), OTHER, UNKNOWN]
        told = [word if word in named else OTHER for word in words["origin"].words]
        self._of_origin = pl.Series("origin", [self._origins.index(word) for word in (*told, UNKNOWN)], dtype=pl.Int64)
        self._regions = Regions(lines["ship_to_region"], packs)
        self.goods = Goods(lines, products, packs, book.categories)
        self._owned = book.owned

        def sizes(*names: str) -> dict[str, int]:
            return {name: words[name].size for name in names}

        way = ("ship_from", "ship_to")
        self._places = Classes(sizes(*way, "seller_country") | {"region": self._regions.size}, self._place)
        self._numbers = Classes(sizes(*way, "prefix"), self._number)
        kind = {"owned": len(self._owned), "category": self.goods.categories, "hs": self.goods.codes}
        self._kinds = Classes(kind, self._kind)
        conduct = {"pack": len(packs) + 1} | sizes("scheme", "transport") | {"origin": len(self._origins)}
        self._conducts = Classes(conduct | dict.fromkeys(FLAGS, 2), self._conduct)
        self._dealings, self._sales, self._pairs = Pairs(), Pairs(), Pairs()
        # Rules that charge the tax of the state of dispatch, and what is asked of the lines for which they may hold.
        self._sent = {p.id: [r for r in p.of("scheme") if r.then.get("rate_of") == "dispatch"] for p in packs}
        self._asking = np.zeros((0, len(BUYERS)), dtype=bool)
        of = {code: book.owned.index((pack, country)) for code, pack, country, _ in owners(packs).iter_rows()}
        self._of_dispatch = pl.Series("owned", [*(of.get(w, 0) for w in words["ship_from"].words), 0], dtype=pl.Int64)
        self._dispatches = Pairs()
        self.table = pl.DataFrame()

    @property
    def places(self) -> pl.Series:
        """The countries that goods go to."""
        return self._words["ship_to"].words

    @property
    def origin(self) -> Words:
        """The countries that goods were made in."""
        return self._words["origin"]

    def ways(self, lines: pl.DataFrame) -> dict[str, pl.Series]:
        """The codes of the countries that goods go between: `ship_from`, `ship_to`."""
        return {name: self._words[name].codes(lines[name]) for name in ("ship_from", "ship_to")}

    @property
    def routes(self) -> int:
        """How many numbers of routes there are."""
        return self._words["ship_from"].size * self._words["ship_to"].size

    def route(self, ways: dict[str, pl.Series]) -> pl.Series:
        """A number for each pair of countries. ways: from `ways`."""
        return (ways["ship_from"] * self._words["ship_to"].size + ways["ship_to"]).alias("route")

    def number(self, lines: pl.DataFrame, ways: dict[str, pl.Series], hs: pl.Series, origin: pl.Series) -> pl.Series:
        """The number of each line's facts (its row in `table`).

        lines: rows of order_lines, products joined; ways: from `ways`; hs: from `goods.words`; origin: codes of `origin`.
        """
        codes = {name: self._words[name].codes(lines[name]) for name in ("seller_country", "scheme", "transport")}
        region = self._regions.code(lines["ship_to_region"])
        place = self._places.number(pl.DataFrame(ways | {"seller_country": codes["seller_country"], "region": region}))
        owned, pack = (taken(self._places.table[name], place) for name in ("owned", "number"))
        category = self.goods.code(lines["category"], hs)
        kind = self._kinds.number(pl.DataFrame([owned.alias("owned"), *category]))
        flags = lines.select(
            (pl.col("buyer_type") == "B2B").fill_null(False).cast(pl.Int64).alias("business"),
            *(pl.col(column).fill_null(False).cast(pl.Int64).alias(flag) for flag, column in YES_NO.items()),
        )
        told = {"pack": pack, "scheme": codes["scheme"], "transport": codes["transport"]}
        told |= {"origin": taken(self._of_origin, origin)}
        conduct = self._conducts.number(pl.DataFrame(told).hstack(flags))
        dealing, buyer = self._dealings.number(place, conduct), self._buyer(lines, ways)
        rest = buyer * 2
        if lines["currency"].null_count():
            rest += lines["currency"].is_null().cast(pl.Int64)
        rows = self._from_where(dealing, buyer)
        if len(rows):
            sent = self._of_dispatch.gather(ways["ship_from"].gather(rows))
            there = pl.DataFrame([sent, *(code.gather(rows) for code in category)])
            number = self._dispatches.number(sent, self._kinds.number(there)) + 1
            rest = rest.scatter(rows, rest.gather(rows) + number * ORDINARY)
        numbers = self._pairs.number(self._sales.number(dealing, kind), rest)
        if len(self._pairs.first) > self.table.height:
            self._extend()
        return numbers

    def _from_where(self, dealing: pl.Series, buyer: pl.Series) -> pl.Series:
        """The rows of lines that may bear the tax of the state their goods are sent from."""
        codes = (codes[len(self._asking) :] for codes in (self._dealings.first, self._dealings.second))
        fresh = []
        for place, conduct in zip(*codes, strict=True):
            told = self._places.table.row(place, named=True) | self._conducts.table.row(conduct, named=True)
            rules = self._asking_rules(told | {"buyer": "B2B" if told["business"] else "B2C"})
            held = [rule.when.get("buyer_tax_id", BUYERS) for rule in rules]
            fresh.append([any((MISSING if b == MALFORMED else b) in words for words in held) for b in BUYERS])
        if fresh:
            self._asking = np.vstack([self._asking, fresh])
        some = self._asking.any(axis=1)
        if not some.any():
            return pl.Series("row", [], dtype=pl.UInt32)
        rows = np.flatnonzero(some.take(dealing.to_numpy()))
        rows = rows[self._asking[dealing.to_numpy()[rows], buyer.to_numpy()[rows]]]
        return pl.Series("row", rows.astype(np.uint32))

    def _asking_rules(self, told: Mapping[str, str | None]) -> list[Rule]:
        """The rules that charge the tax of dispatch and may hold, as far as these facts tell."""
        rules = self._sent.get(told["pack"] or "", ())
        return [rule for rule in rules if all(told[k] in words for k, words in rule.when.items() if k in told)]

    def _extend(self) -> None:
        """Rows of `table` for the facts that were met since."""
        sale, rest = (pairs[self.table.height :] for pairs in (self._pairs.first, self._pairs.second))
        sent, rest = rest // ORDINARY, rest % ORDINARY
        dealing, kind = self._sales.first.gather(sale), self._sales.second.gather(sale)
        place, conduct = self._dealings.first.gather(dealing), self._dealings.second.gather(dealing)
        parts = [self._places.table[place], self._conducts.table[conduct], self._kinds.table[kind], self._of_sent(sent)]
        number = pl.Series("buyer_tax_id", BUYERS, dtype=pl.String).gather(rest // 2)
        told = pl.concat(parts, how="horizontal").with_columns(
            number.replace(MALFORMED, MISSING),
            (number == MALFORMED).alias("malformed"),
            (rest % 2 == 0).alias("priced_in_money"),
        )
        self.table = pl.concat([self.table, told], rechunk=True) if self.table.width else told

    def _of_sent(self, sent: pl.Series) -> pl.DataFrame:
        """What the state of dispatch says of the goods, null where nobody asks: `sent` (its code), `sent_owned` (its place in
        `Rulebook.owned`, 0 for none), `sent_category`, `sent_goods_rule`, `sent_hinted`."""
        codes = [
            pl.concat([pl.Series(c.name, [None], dtype=pl.Int64), c])
            for c in (self._dispatches.first, self._dispatches.second)
        ]
        owned, kind = (code.gather(sent) for code in codes)
        countries = pl.Series("sent", [country for _, country in self._owned], dtype=pl.String)
        kinds = self._kinds.table.select("category", "goods_rule", "hinted").select(pl.all().name.prefix("sent_"))
        found = kinds.select(pl.all().gather(kind)) if kinds.height else kinds
        return found.with_columns(countries.gather(owned), owned.fill_null(0).alias("sent_owned"))

    def _buyer(self, lines: pl.DataFrame, ways: dict[str, pl.Series]) -> pl.Series:
        """Whose prefix the buyer's number bears, as a position in `BUYERS`."""
        found = pl.Series("buyer", [0], dtype=pl.Int64).new_from_index(0, lines.height)
        rows = places(lines["buyer_tax_id"].is_not_null())
        if not len(rows):
            return found
        prefix = self._words["prefix"].codes(self._prefix(lines.select("buyer_tax_id", "ship_to")[rows]))
        codes = {name: way.gather(rows) for name, way in ways.items()} | {"prefix": prefix}
        number = self._numbers.number(pl.DataFrame(codes))
        place = self._numbers.table.select(
            pl.col("buyer").replace_strict(BUYERS, range(len(BUYERS)), return_dtype=pl.Int64)
        )
        return found.scatter(rows, place["buyer"].gather(number))

    def _prefix(self, numbers: pl.DataFrame) -> pl.Series:
        """Two letters that the buyer's tax number begins with; MALFORMED where it cannot be a tax number."""
        prefix = _prefix(numbers["buyer_tax_id"]).alias("prefix")
        if not self._malformed.height:
            return prefix
        rows = numbers.with_row_index("row").join(
            self._malformed, on=["buyer_tax_id", "ship_to"], how="semi", nulls_equal=True
        )["row"]
        return prefix.scatter(rows, MALFORMED) if len(rows) else prefix

    def _plain(self, pack: str | None, fact: str, word: str) -> str:
        """The word, or what it counts as where no rule of the pack names it."""
        named = self._asked[pack].get(fact, ()) if pack is not None else ()
        return word if named and (word in named or word == UNKNOWN or PLAIN[fact] in named) else PLAIN[fact]

    def _place(self, fresh: pl.DataFrame) -> pl.DataFrame:
        told = fresh.select(
            *(self._words[name].told(fresh[name]).alias(name) for name in ("ship_from", "ship_to", "seller_country")),
            "region",
        )
        told = placed(told.with_columns(self._regions.territory(told)), list(self._packs.values()))
        owned = {pair: n for n, pair in enumerate(self._owned)}
        numbers = {pack: n for n, pack in enumerate([None, *self._packs])}
        rows = [
            (
                place["pack"],
                place["country"],
                numbers[place["pack"]],
                owned[place["pack"], place["country"]],
                None if place["ship_from"] is None else self._plain(place["pack"], "ship_from", place["ship_from"]),
                place["ship_to"],
                place["movement"],
                self._plain(place["pack"], "seller", place["seller"]),
                self._plain(place["pack"], "from_home", place["from_home"]) if self._asking_rules(place) else "no",
                place["territory"],
                place["area"],
                place["territory_name"],
            )
            for place in told.iter_rows(named=True)
        ]
        return pl.DataFrame(rows, schema=PLACE, orient="row")

    def _number(self, fresh: pl.DataFrame) -> pl.DataFrame:
        """Whose prefix a tax number bears: of a country of the pack, of the country the goods come from, of another."""
        none = pl.lit(None, pl.String)
        told = fresh.select(
            *(self._words[name].told(fresh[name]).alias(name) for name in ("ship_from", "ship_to", "prefix")),
            none.alias("seller_country"),
            none.alias("territory"),
        )
        between = placed(told, list(self._packs.values()))
        found = []
        for prefix, pack, movement, origin in between.select("prefix", "pack", "movement", "country_from").iter_rows():
            meant = MEANT.get(prefix, prefix)
            if prefix == MALFORMED:
                found.append(MALFORMED)
                continue
            if prefix is None:
                word = MISSING
            elif movement not in (None, "domestic") and meant == origin:
                word = ORIGIN
            elif pack is not None and meant in ("", *self._packs[pack].jurisdictions):
                word = INSIDE
            elif pack is not None and meant in self._lands.get(pack, ()):
                word = TERRITORY
            else:
                word = OUTSIDE
            found.append(self._plain(pack, "buyer_tax_id", word))
        return pl.DataFrame({"buyer": found}, schema={"buyer": pl.String})

    def _kind(self, fresh: pl.DataFrame) -> pl.DataFrame:
        held = [self._owned[n] for n in fresh["owned"].to_list()]
        places = {"pack": [pack for pack, _ in held], "country": [country for _, country in held]}
        facts = pl.DataFrame(places, schema={"pack": pl.String, "country": pl.String})
        return self.goods.classified(facts.hstack(fresh.select("category", "hs"))).select(
            "category", "goods_rule", "goods", "hinted"
        )

    def _conduct(self, fresh: pl.DataFrame) -> pl.DataFrame:
        told = fresh.select(
            "pack",
            *(self._words[name].told(fresh[name]).alias(name) for name in ("scheme", "transport")),
            pl.Series("origin", self._origins, dtype=pl.String).gather(fresh["origin"]),
            pl.col("business") == 1,
            *(pl.when(pl.col(flag) == 1).then(pl.lit("yes")).otherwise(pl.lit("no")).alias(flag) for flag in YES_NO),
        )
        facts = ("transport", "origin", *YES_NO)
        packs = [None, *self._packs]
        rows = []
        for line in told.iter_rows(named=True):
            pack, scheme = packs[line["pack"]], line["scheme"] or UNKNOWN
            plain = [self._plain(pack, fact, line[fact] or UNKNOWN) for fact in facts]
            telling = scheme in TELLING
            rows.append((line["business"], self._plain(pack, "scheme", scheme), telling, *plain))
        schema = {"business": pl.Boolean, "scheme": pl.String, "telling": pl.Boolean} | dict.fromkeys(facts, pl.String)
        return pl.DataFrame(rows, schema=schema, orient="row")


def _asked(pack: Pack) -> dict[str, frozenset[str]]:
    """The words that conditions of a pack name, by fact."""
    named: dict[str, set[str]] = {}
    for rule in pack.rules.values():
        for fact, words in rule.when.items():
            named.setdefault(fact, set()).update(words)
    return {fact: frozenset(words) for fact, words in named.items()}


def _prefix(number: pl.Series) -> pl.Series:
    """Two letters that a tax number begins with; "" for a number without, null for none."""
    if number.null_count() == len(number):
        return number
    plain = number.str.strip_chars().str.to_uppercase()
    # "ABN 51 824 753 556" begins with what it is, not with a country.
    rows = places(plain.str.head(3).is_in(["ABN", "GST", "UEN", "IRD", "TIN"]))
    if len(rows):
        plain = plain.scatter(rows, plain.gather(rows).str.replace(r"^...[^A-Z0-9]*", ""))
    two = plain.str.head(2)
    return two.to_frame("n").select(
        pl.when(pl.col("n").is_in(LETTERS)).then("n").when(pl.col("n") != "").then(pl.lit(""))
    )["n"]


def _malformed(pairs: pl.DataFrame) -> pl.DataFrame:
    """Distinct buyer_tax_id and ship_to whose number is malformed; a plain number is held against the rules
    of the country of destination."""
    if pairs["buyer_tax_id"].null_count() == pairs.height:
        return pairs.clear()
    pairs = pairs.filter(pl.col("buyer_tax_id").str.strip_chars() != "").unique()
    return pairs.filter(pl.Series(malformed(pairs.iter_rows()), dtype=pl.Boolean))
