"""What the rules make of lines, worked out once per distinct combination of facts.

Even a file of millions of lines has few combinations of places, period, buyer, scheme and limits; each is decided
once and lines find theirs by one integer key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core.codes import MEANT
from cbec.methods.compliance import chain
from cbec.methods.compliance.lines import SCHEMES

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

STATES = 5


def with_rate(lines: pl.DataFrame, places: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """Adds `rate` (millionths of a percent, Int64) and `rate_rule`: of the category, the territory or the country.

    A category with a rate of its own in a country has no known rate in a territory that has rates of its own.
    """
    on = ["place", "period", "category"]
    where = lines.filter(pl.col("issue").is_null()).select(on).unique()
    where = where.join(places.select("place", "country", "territory", "area"), on="place", how="left")
    keep = [pl.col("micro").alias("rate"), pl.col("rule_id").alias("rate_rule"), pl.col("period")]
    country = book.values("rate").select(pl.col("jurisdiction").alias("country"), "category", *keep)
    special = book.values("territory").select(pl.col("rule_id").alias("territory"), *keep)
    inside = pl.col("territory").is_not_null()
    local = where.filter(inside & ((pl.col("area") == "outside") | pl.col("category").is_null()))
    main = where.filter(~inside).join(country, on=["country", "category", "period"], nulls_equal=True)
    found = pl.concat([main, local.join(special, on=["territory", "period"])], how="diagonal")
    return lines.join(
        found.select(*on, "rate", "rate_rule"), on=on, how="left", nulls_equal=True, maintain_order="left"
    )


def decide(lines: pl.DataFrame, places: pl.DataFrame, book: Rulebook) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines with `case` (null where `issue` says why they cannot be decided), and the cases.

    A case has `scheme_rule`, `duty_rule` and what they say: `scheme_scheme`, `scheme_collected_by`, `scheme_tax`,
    `duty_duty`; `problem`: the reason code where they leave it open; `reason_code` where they do not; `rule_ids`
    and `citation`, sorted and joined by |; `_limit`, `_limit_currency`, `_territory` for the sentences of reasons.
    """
    keyed = lines.with_columns(pl.when(pl.col("issue").is_null()).then(_key(lines, book)).alias("key"))
    slots = [f"state{i}" for i in range(book.slots)]
    facts = [
        "place",
        "period",
        "category",
        "goods_rule",
        "business",
        "prefix",
        "marketplace",
        "gift",
        "scheme",
        "rate_rule",
        *slots,
    ]
    cases = keyed.select("key", *facts).drop_nulls("key").unique("key").sort("key").with_row_index("case")
    keyed = keyed.join(cases.select("key", "case"), on="key", how="left", maintain_order="left").drop("key")
    cases = cases.drop("key").join(places, on="place", how="left", maintain_order="left")
    starts = book.periods.frame().rename({"starts": "day"})
    cases = cases.join(starts, on="period", how="left", maintain_order="left").with_columns(_number(book), *_words())
    parts = []
    for pack in book.packs:
        rows = cases.filter(pl.col("pack") == pack.id)
        own = {r.id: f"state{i}" for i, r in enumerate(pack.of("limit"))}
        rows = rows.with_columns(pl.col(slot).alias(rule) for rule, slot in own.items())
        for kind in ("scheme", "duty"):
            rows = chain.decide(rows, pack, kind, book.as_of)
        parts.append(rows.drop(own))
    return keyed, _told(pl.concat(parts).sort("case"), book)


def _key(lines: pl.DataFrame, book: Rulebook) -> pl.Expr:
    """All facts of a line in one integer (mixed radix). The rate follows from place, period and category."""

    def coded(column: str) -> tuple[pl.Expr, int]:
        words = lines[column].drop_nulls().unique().sort()
        code = pl.col(column).cast(pl.Enum(words)).to_physical()
        return code.cast(pl.Int64).fill_null(len(words)), len(words) + 1

    digits: list[tuple[pl.Expr, int]] = [
        (pl.col("period").cast(pl.Int64), len(book.periods.starts)),
        *((pl.col(c).cast(pl.Int64), 2) for c in ("business", "marketplace", "gift")),
        (pl.col("scheme").to_physical().cast(pl.Int64), len(SCHEMES)),
        *((pl.col(f"state{i}").cast(pl.Int64).fill_null(STATES), STATES + 1) for i in range(book.slots)),
        coded("prefix"),
        coded("category"),
        coded("goods_rule"),
    ]
    key = pl.col("place").cast(pl.Int64)
    for digit, size in digits:
        key = key * size + digit
    return key


def _number(book: Rulebook) -> pl.Expr:
    """The fact `buyer_tax_id`, from the two letters a tax number begins with."""
    inside = pl.lit(False)
    prefix = pl.col("prefix").replace(MEANT)
    for pack in book.packs:
        inside |= (pl.col("pack") == pack.id) & prefix.is_in([*pack.jurisdictions, ""])
    return (
        pl.when(prefix.is_null())
        .then(pl.lit("missing"))
        .when((pl.col("movement") != "domestic") & (prefix == pl.col("country_from")))
        .then(pl.lit("origin"))
        .when(inside)
        .then(pl.lit("inside"))
        .otherwise(pl.lit("outside"))
        .alias("buyer_tax_id")
    )


def _words() -> list[pl.Expr]:
    def yes(column: str) -> pl.Expr:
        return pl.when(pl.col(column)).then(pl.lit("yes")).otherwise(pl.lit("no")).alias(column)

    buyer = pl.when(pl.col("business")).then(pl.lit("B2B")).otherwise(pl.lit("B2C")).alias("buyer")
    return [buyer, yes("marketplace"), yes("gift"), pl.col("scheme").cast(pl.String)]


def _told(cases: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    for kind in ("scheme", "duty"):
        cases = cases.join(book.outcomes(kind), on=f"{kind}_rule", how="left", maintain_order="left")
    limits = book.values("limit").select(
        pl.col("rule_id").alias("scheme_limit"), "period", pl.col("value").alias("_limit")
    )
    limits = limits.with_columns(pl.col("_limit").cast(pl.Float64))
    currencies = {pack.id: pack.currency for pack in book.packs}
    cases = cases.join(limits, on=["scheme_limit", "period"], how="left", maintain_order="left").with_columns(
        pl.col("pack").replace_strict(currencies, return_dtype=pl.String).alias("_limit_currency"),
        pl.col("territory_name").alias("_territory"),
        _problem().alias("problem"),
        _rules().alias("rules"),
    )
    titles = book.titles()
    named = pl.element().replace_strict(titles, return_dtype=pl.String)
    return cases.with_columns(
        pl.col("rules").list.join("|").alias("rule_ids"),
        pl.col("rules").list.eval(named).list.unique().list.sort().list.join("|").alias("citation"),
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
        pl.when(pl.col("scheme_open").is_not_null())
        .then(blocked("scheme"))
        .when(pl.col("scheme_rule").is_null())
        .then(pl.lit("tax_no_rule"))
        .when(pl.col("scheme_tax") == "undetermined")
        .then(pl.col("scheme_reason"))
        .when(charged & pl.col("rate_rule").is_null())
        .then(pl.lit("tax_no_rate"))
        .when(pl.col("duty_open").is_not_null())
        .then(blocked("duty"))
        .when(pl.col("duty_rule").is_null())
        .then(pl.lit("tax_no_rule"))
    )


def _rules() -> pl.Expr:
    """Ids of the rules that made the figures, sorted: scheme and duty with what they rest on, and the rate."""
    none = pl.lit([], dtype=pl.List(pl.String))
    rated = (pl.col("scheme_tax") == "charge") | pl.col("territory").is_not_null()
    rate = pl.when(rated & pl.col("rate_rule").is_not_null()).then(pl.concat_list("rate_rule")).otherwise(none)
    charged = (pl.col("scheme_tax") == "charge") & pl.col("goods_rule").is_not_null()
    goods = pl.when(charged.fill_null(False)).then(pl.concat_list("goods_rule")).otherwise(none)
    scheme, duty = (pl.col(f"{kind}_rests").fill_null(none) for kind in ("scheme", "duty"))
    duty = pl.when(pl.col("scheme_tax") != "undetermined").then(duty).otherwise(none)
    every = pl.concat_list(scheme, duty, rate, goods).list.unique().list.sort()
    return pl.when(pl.col("scheme_rule").is_not_null()).then(every)
