"""What a buyer has ordered in a calendar year up to an order, for limits per year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.exact import micro, wide
from cbec.methods.compliance.facts import owners
from cbec.methods.compliance.fixings import PER_UNIT, Fixings

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook


def spent(lines: pl.DataFrame, fixings: Fixings, book: Rulebook) -> pl.Series | None:
    """Value of each line's buyer's year up to and with its order, in millionths of the pack's currency.

    lines: a table order_lines. Goods, shipping and insurance of orders to the country, in order of date and order_id;
    refunds give nothing back. An order without customer_id stands for itself. Null where no limit per year asks, or
    price, currency or date is not told. None where no line goes to a country with such a limit.
    """
    packs = {pack.id: pack for pack in book.packs if any(r.per == "year" for r in pack.of("limit"))}
    owner = owners(list(packs.values())).select(pl.col("code").alias("ship_to"), "pack")
    asked = lines.with_row_index("n").join(owner, on="ship_to", how="inner", maintain_order="left")
    asked = asked.filter((pl.col("qty") > 0) & pl.all_horizontal(pl.col("price", "currency", "date").is_not_null()))
    if asked.is_empty():
        return None
    pairs = [fixings.pair(c, packs[p].currency) for c, p in asked.select("currency", "pack").iter_rows()]
    fx = fixings.of(pl.Series(pairs, dtype=pl.Int64), asked["date"])
    worth = micro("qty") * micro("price") // 10**6 + micro("shipping").fill_null(0) + micro("insurance").fill_null(0)
    buyer = pl.coalesce("customer_id", pl.concat_str(pl.lit("order "), "order_id"))
    valued = asked.select(
        "n", "pack", "order_id", "date", buyer.alias("buyer"), (wide(worth) * pl.lit(fx) // PER_UNIT).alias("worth")
    ).with_columns(pl.col("date").dt.year().alias("year"))
    key = ["pack", "buyer", "year"]
    orders = valued.group_by(*key, "date", "order_id").agg(pl.col("worth").sum()).sort(*key, "date", "order_id")
    orders = orders.with_columns(pl.col("worth").cum_sum().over(key).alias("spent")).drop("worth")
    told = valued.join(orders, on=[*key, "date", "order_id"], how="left", maintain_order="left")
    empty = pl.Series("_year", [None], dtype=pl.Int128).new_from_index(0, lines.height)
    return empty.scatter(told["n"], told["spent"])
