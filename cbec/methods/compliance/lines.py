"""Order lines as facts: money in minor units, where the goods come from and go to, who sells to whom.

Facts of places are worked out once per distinct pair of places, never per line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.exact import half_up, micro, minor_digits, ten_to
from cbec.methods.compliance.goods import with_class

if TYPE_CHECKING:
    from cbec.methods.compliance.intervals import Periods
    from cbec.methods.compliance.rules import Pack

SCHEMES = ("IOSS", "OSS", "OSS_NON_UNION", "UK_VAT", "LOCAL", "NONE", "unknown")
PLACE = ("ship_from", "ship_to", "seller_country", "territory")
MICROS = 1_000_000


def prepare(
    order_lines: pl.DataFrame, products: pl.DataFrame | None, packs: Sequence[Pack], periods: Periods, gross: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines with their facts and whole amounts, and the distinct places they name.

    order_lines, products: tables of those names. gross: whether prices include tax where the line does not say.
    Lines: one row per order line in their order, with `row`, the keys, amounts >= 0 in minor units of the line's
    currency (`goods`, `shipping`, `insurance`; Int64), `sign`, `digits`, `duty_rate` (millionths of a percent),
    `gross`, `ddp`, `subheading`, `place`, `route` (pair of countries), `imported`, `period`, the facts a rule may
    ask for, and `issue`: the first reason why the line cannot be taxed. Places: `place` and the columns of `PLACE` with `pack`, `country`, `movement`,
    `seller`, `area`.
    """
    lines = _with_sale_date(_with_products(order_lines.with_row_index("row"), products))
    lines = _with_territory(lines, packs)
    places = _places(lines, packs)
    days = periods.of(lines["date"])
    imported = (pl.col("movement") == "import").fill_null(False).alias("imported")
    placed = places.select(*PLACE, "place", "route", "pack", "country", imported)
    lines = lines.join(placed, on=PLACE, how="left", nulls_equal=True, maintain_order="left")
    return (
        with_class(lines, packs)
        .join(days, left_on="date", right_on="day", how="left", maintain_order="left")
        .select(
            "row",
            "order_id",
            "line",
            "sku",
            "date",
            "currency",
            "ship_from",
            "ship_to",
            "place",
            "route",
            "pack",
            "imported",
            "period",
            *_amounts(gross),
            *_facts(),
            pl.col("goods_class").alias("category"),
            "goods_rule",
            _issue(packs).alias("issue"),
        ),
        places,
    )


def _with_products(lines: pl.DataFrame, products: pl.DataFrame | None) -> pl.DataFrame:
    """What the line does not say of its goods, the product may."""
    if products is None:
        return lines
    known = products.select("sku", *(pl.col(c).alias(f"{c}_of_product") for c in ("category", "hs_code")))
    joined = lines.join(known, on="sku", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(c, f"{c}_of_product").alias(c) for c in ("category", "hs_code"))


def _with_sale_date(lines: pl.DataFrame) -> pl.DataFrame:
    """A refund falls under the rules of the day of its sale: of its article in its order, else of its order."""
    back = pl.col("qty") < 0
    refunds = lines.filter(back).select("order_id").unique()
    if refunds.is_empty():
        return lines
    sales = lines.join(refunds, on="order_id", how="semi").filter(~back)
    article = sales.group_by("order_id", "sku").agg(pl.col("date").min().alias("of_article"))
    order = sales.group_by("order_id").agg(pl.col("date").min().alias("of_order"))
    joined = lines.join(article, on=["order_id", "sku"], how="left", maintain_order="left")
    joined = joined.join(order, on="order_id", how="left", maintain_order="left")
    sold = pl.coalesce("of_article", "of_order", "date")
    return joined.with_columns(pl.when(back).then(sold).otherwise("date").alias("date")).drop("of_article", "of_order")


def _with_territory(lines: pl.DataFrame, packs: Sequence[Pack]) -> pl.DataFrame:
    """`territory`: id of the special territory that the destination's code or postcode lies in."""
    rules = [rule for pack in packs for rule in pack.of("territory")]
    codes = {code: rule.id for rule in rules for code in rule.codes}
    by_code = pl.col("ship_to").replace_strict(codes, default=None, return_dtype=pl.String)
    lines = lines.with_columns(by_code.alias("territory"))
    countries = sorted({rule.country for rule in rules if rule.region is not None and rule.country is not None})
    regions = lines.filter(pl.col("ship_to").is_in(countries)).select("ship_to", "ship_to_region").drop_nulls().unique()
    if regions.is_empty():
        return lines
    found = pl.lit(None, pl.String)
    for rule in reversed(rules):
        if rule.region is not None:
            inside = (pl.col("ship_to") == rule.country) & pl.col("region").str.contains(f"^(?:{rule.region})$")
            found = pl.when(inside).then(pl.lit(rule.id)).otherwise(found)
    # Postcodes come as "ES-35001", "35 001" or "BT1 1AA".
    plain = pl.col("ship_to_region").str.to_uppercase().str.replace_all(r"[^A-Z0-9]", "")
    prefixed = pl.col("ship_to_region").str.to_uppercase().str.contains(r"^\s*[A-Z]{2}\s*-")
    bare = pl.when(prefixed & plain.str.starts_with(pl.col("ship_to"))).then(plain.str.slice(2)).otherwise(plain)
    special = regions.with_columns(bare.alias("region")).with_columns(found.alias("by_region")).drop("region")
    special = special.drop_nulls("by_region")
    if special.is_empty():
        return lines
    joined = lines.join(special, on=["ship_to", "ship_to_region"], how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("territory", "by_region").alias("territory")).drop("by_region")


def _owners(packs: Sequence[Pack]) -> pl.DataFrame:
    """code -> pack and country: jurisdictions, codes treated as one of them, codes of special territories."""
    rows = [(code, pack.id, code) for pack in packs for code in pack.jurisdictions]
    rows += [(code, pack.id, to) for pack in packs for code, to in pack.treated_as.items()]
    rows += [
        (code, pack.id, rule.country or "") for pack in packs for rule in pack.of("territory") for code in rule.codes
    ]
    return pl.DataFrame(rows, schema=["code", "pack", "country"], orient="row").unique(
        "code", keep="first", maintain_order=True
    )


def _places(lines: pl.DataFrame, packs: Sequence[Pack]) -> pl.DataFrame:
    owners = _owners(packs)
    places = lines.select(PLACE).unique().sort(PLACE).with_row_index("place")
    routes = places.select("ship_from", "ship_to").unique().sort("ship_from", "ship_to").with_row_index("route")
    places = places.join(routes, on=["ship_from", "ship_to"], how="left", nulls_equal=True)

    def owner(column: str, tag: str) -> pl.DataFrame:
        return owners.rename({"code": column, "pack": f"pack{tag}", "country": f"country{tag}"})

    areas = {rule.id: rule.area for pack in packs for rule in pack.of("territory")}
    names = {rule.id: rule.name for pack in packs for rule in pack.of("territory")}
    placed = (
        places.join(owner("ship_to", ""), on="ship_to", how="left")
        .join(owner("ship_from", "_from"), on="ship_from", how="left")
        .join(owner("seller_country", "_seller"), on="seller_country", how="left")
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
        .then(pl.lit("unknown"))
        .when(pl.col("country_seller") == pl.col("country"))
        .then(pl.lit("local"))
        .when(pl.col("pack_seller") == pl.col("pack"))
        .then(pl.lit("inside"))
        .otherwise(pl.lit("outside"))
    )
    return placed.with_columns(
        movement.alias("movement"),
        seller.alias("seller"),
        pl.col("territory")
        .replace_strict(areas, default="main", return_dtype=pl.String)
        .fill_null("main")
        .alias("area"),
        pl.col("territory").replace_strict(names, default=None, return_dtype=pl.String).alias("territory_name"),
    ).sort("place")


def _amounts(gross: bool) -> list[pl.Expr]:
    digits = minor_digits()
    unit = ten_to(digits)
    quantity, price = micro("qty"), micro("price")

    def charge(column: str) -> pl.Expr:
        return half_up(micro(column).abs() * unit, MICROS).fill_null(0).alias(column)

    return [
        digits.alias("digits"),
        pl.when(quantity < 0).then(-1).otherwise(1).cast(pl.Int64).alias("sign"),
        half_up((quantity * price).abs() * unit, MICROS * MICROS).alias("goods"),
        charge("shipping"),
        charge("insurance"),
        micro("duty_rate_pct").alias("duty_rate"),
        pl.col("price_includes_tax").fill_null(gross).alias("gross"),
        (pl.col("incoterm") == "DDP").fill_null(False).alias("ddp"),
        _subheading().alias("subheading"),
    ]


def _subheading() -> pl.Expr:
    """First six digits of a numeric customs code, else its words: what "different tariff subheadings" counts."""
    code = pl.col("hs_code").str.strip_chars().str.to_lowercase()
    digits = code.str.replace_all(r"[\s.\-]", "")
    return pl.when(digits.str.contains(r"^\d{6,}$")).then(digits.str.slice(0, 6)).when(code != "").then(code)


def _facts() -> list[pl.Expr]:
    number = pl.col("buyer_tax_id").str.strip_chars().str.to_uppercase()
    prefix = pl.when(number.str.contains(r"^[A-Z]{2}")).then(number.str.slice(0, 2)).when(number != "").then(pl.lit(""))
    return [
        (pl.col("buyer_type") == "B2B").fill_null(False).alias("business"),
        prefix.alias("prefix"),
        pl.col("marketplace_collects").fill_null(False).alias("marketplace"),
        pl.col("gift").fill_null(False),
        pl.col("scheme").fill_null("unknown").cast(pl.Enum(SCHEMES)),
    ]


def _issue(packs: Sequence[Pack]) -> pl.Expr:
    """Reason code of the first thing a line lacks."""
    late = pl.lit(False)
    for pack in packs:
        late |= (pl.col("pack") == pack.id) & (pl.col("date") > pl.lit(pack.valid_to))
    lacks = [
        ("tax_no_date", pl.col("date").is_null()),
        ("tax_no_destination", pl.col("ship_to").is_null()),
        ("tax_no_pack", pl.col("pack").is_null()),
        ("tax_pack_expired", late),
        ("tax_no_origin", pl.col("ship_from").is_null()),
        ("tax_no_price", pl.col("price").is_null()),
        ("tax_no_currency", pl.col("currency").is_null()),
    ]
    issue = pl.lit(None, pl.String)
    for code, lacking in reversed(lacks):
        issue = pl.when(lacking.fill_null(False)).then(pl.lit(code)).otherwise(issue)
    return issue
