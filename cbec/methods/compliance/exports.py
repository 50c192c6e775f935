"""The export side: under which customs regime goods leave the seller's country, and what becomes of its VAT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core import reasons
from cbec.methods.compliance import chain
from cbec.methods.compliance.territories import owners

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

SCHEMA = {
    "order_id": pl.String, "line": pl.String, "status": pl.String, "ship_from": pl.String, "ship_to": pl.String, "regime": pl.String,
    "export_vat": pl.String, "rule_ids": pl.String, "citation": pl.String, "reason_code": pl.String, "reason": pl.String,
}  # fmt: skip
ON = ["ship_from", "ship_to", "seller_country", "buyer_type", "period"]


def leaving(order_lines: pl.DataFrame, book: Rulebook, language: str = "en") -> pl.DataFrame:
    """The table `exports`: a row for each sale of goods that leave, or left, a country whose pack has export rules.

    order_lines: a table of that name. Goods leave with the order where they are sent from the country to another;
    they left before where a seller of the country sells them from abroad. Refunds have no row.
    """
    packs = [pack for pack in book.packs if pack.of("export")]
    owner = owners(packs).select("code", "pack")
    places = owner["code"].to_list()
    # A first look at few columns: most files hold no line that leaves such a country.
    leaves = order_lines.select(
        (pl.col("qty") > 0)
        & pl.all_horizontal(pl.col("date", "ship_to").is_not_null())
        & pl.any_horizontal(pl.col("ship_from", "seller_country").is_in(places)).fill_null(False)
    ).to_series()
    sales = order_lines.select("order_id", "line", "date", *ON[:-1]).filter(leaves)
    period = book.periods.lookup(sales["date"]).of(sales["date"]).alias("period")
    sales = sales.select("order_id", "line", *ON[:-1]).with_columns(period)
    ways = sales.select(ON).unique(maintain_order=True)

    def of(column: str) -> pl.DataFrame:
        return owner.rename({"code": column, "pack": f"of_{column}"})

    for column in ("ship_from", "ship_to", "seller_country"):
        ways = ways.join(of(column), on=column, how="left", maintain_order="left")
    away = pl.col("of_ship_to").is_null()
    sent = away & pl.col("of_ship_from").is_not_null()
    stock = away & pl.col("of_ship_from").is_null() & pl.col("of_seller_country").is_not_null()
    starts = book.periods.frame().select(pl.col("period").cast(pl.Int64), day="starts")
    ways = ways.filter(sent | (stock & pl.col("ship_from").is_not_null())).with_columns(
        pl.coalesce("of_ship_from", "of_seller_country").alias("pack"),
        pl.when(sent).then(pl.lit("with_order")).otherwise(pl.lit("before")).alias("leaves"),
        pl.col("buyer_type").fill_null("B2C").alias("buyer"),
    )
    ways = ways.join(starts, on="period", how="left", maintain_order="left")
    parts = [chain.decide(ways.filter(pl.col("pack") == p.id), p, "export", book.as_of) for p in packs]
    if not parts or ways.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    told = pl.concat(parts).join(book.outcomes("export"), on="export_rule", how="left", maintain_order="left")
    known = pl.col("export_rule").is_not_null()
    titles = book.titles()
    told = told.with_columns(
        pl.when(known).then(pl.lit("OK")).otherwise(pl.lit("UNDETERMINED")).alias("status"),
        pl.col("export_regime").alias("regime"),
        pl.col("export_vat"),
        pl.col("export_rests").list.sort().list.join("|").alias("rule_ids"),
        pl.col("export_rule").replace_strict(titles, default=None, return_dtype=pl.String).alias("citation"),
        pl.when(known).then("export_reason").otherwise(pl.lit("export_no_rule")).alias("reason_code"),
    )
    told = reasons.render(told, language)
    joined = sales.join(told, on=ON, how="inner", nulls_equal=True, maintain_order="left")
    return joined.select(list(SCHEMA))
