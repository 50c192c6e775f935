"""What a buyer has ordered in a calendar year up to an order, for limits per year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.codes import places
from cbec.methods.compliance.exact import fits, micro, most, wide
from cbec.methods.compliance.fixings import PER_UNIT, Fixings
from cbec.methods.compliance.territories import owners

if TYPE_CHECKING:
    from cbec.core.command import Common
    from cbec.core.ranged import Ranged
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.rules import Pack


RETURNED = 30
"""Days in which goods sent back give the year's limit back (GACC announcement 194 of 2018: an application within 30 days of release
"and the annual cumulative transaction amount of the individual consumer will be adjusted", ssopdot.com)."""
KEY = ["pack", "buyer", "year", "date", "order_id"]
NEEDED = ["order_id", "date", "ship_to", "qty", "price", "shipping", "insurance", "currency", "customer_id"]


def asking(lines: Ranged, book: Rulebook, common: Common) -> pl.DataFrame:
    """The rows of a table order_lines that lies in files which `by_order` looks at."""
    codes = owners(_yearly(book))["code"].to_list()
    there = pl.col("ship_to").str.strip_chars().str.to_uppercase().is_in(codes)
    return lines.where(there, NEEDED, common)


def by_order(lines: pl.DataFrame, fixings: Fixings, book: Rulebook) -> pl.DataFrame | None:
    """pack, buyer, year, date, order_id -> `spent`: value of the buyer's year up to and with that order.

    lines: a table order_lines, all of them, since a buyer's orders may lie anywhere in it. In millionths of the pack's
    currency: goods, shipping and insurance of orders to the country, in order of date and order_id; what is given back
    within `RETURNED` days of its order is taken off from that day on. An order without customer_id stands for itself. None where no line goes to a country with such a limit.
    """
    asked = _asked(lines, book)
    if asked.is_empty():
        return None
    returned = _returned(lines, asked)
    if returned.height:
        asked = pl.concat([asked.with_columns(pl.col("date").alias("sold")), returned.select(*asked.columns, "sold")])
    packs = {pack.id: pack.currency for pack in book.packs}
    ways = asked.select("currency", "pack").unique()
    ways = ways.with_columns(
        pl.Series("pair", [fixings.pair(c, packs[p]) for c, p in ways.iter_rows()], dtype=pl.Int64)
    )
    pairs = asked.join(ways, on=["currency", "pack"], how="left", maintain_order="left")["pair"]
    fx = fixings.of(pairs, asked["sold" if returned.height else "date"])
    worth = micro("qty") * micro("price") // 10**6 + micro("shipping").fill_null(0) + micro("insurance").fill_null(0)
    valued = asked.select(*KEY, (wide(worth) * pl.lit(fx) // PER_UNIT).alias("worth"))
    orders = valued.group_by(KEY).agg(pl.col("worth").sum()).sort(KEY)
    told = orders.select(*KEY, pl.col("worth").cum_sum().over("pack", "buyer", "year").alias("spent"))
    return told.cast({"spent": pl.Int64}) if fits(most(told["spent"])) else told


def _returned(lines: pl.DataFrame, sales: pl.DataFrame) -> pl.DataFrame:
    """The refunds of sales (`_asked`) in time, with their buyer and year, less than 0, and `sold`, the day of their sale."""
    back = lines.select(NEEDED).with_row_index("n").filter(pl.col("qty") < 0)
    if back.is_empty():
        return back
    orders = sales.group_by("order_id").agg(
        pl.col("date").min().alias("sold"), *(pl.col(c).first() for c in ("pack", "buyer", "year"))
    )
    back = back.join(orders, on="order_id", how="inner", maintain_order="left")
    days = (pl.col("date") - pl.col("sold")).dt.total_days()
    told = pl.all_horizontal(pl.col("price", "currency").is_not_null()) & days.is_between(0, RETURNED)
    return back.filter(told).with_columns(-pl.col("shipping"), -pl.col("insurance"))


def spent(lines: pl.DataFrame, book: Rulebook, orders: pl.DataFrame) -> pl.Series:
    """`spent` of each line's order (`orders` from `by_order`), of a refund that of its sale; null where no limit per year
    asks, or price, currency or date is not told. lines: some whole orders of those."""
    none = pl.Series("_year", [None], dtype=orders.schema["spent"]).new_from_index(0, lines.height)
    told = _asked(lines, book).select("n", *KEY).join(orders, on=KEY, how="left", maintain_order="left")
    sold = none.scatter(told["n"], told["spent"])
    refunds = places(lines["qty"] < 0)
    if refunds.is_empty():
        return sold
    back = lines.select("order_id")[refunds].with_columns(refunds.alias("n"))
    sales = told.group_by("order_id").agg(pl.col("spent").min())
    back = back.join(sales, on="order_id", how="inner", maintain_order="left")
    return sold.scatter(back["n"], back["spent"])


def _yearly(book: Rulebook) -> list[Pack]:
    """The packs with a limit per year."""
    return [pack for pack in book.packs if any(rule.per == "year" for rule in pack.of("limit"))]


def _asked(lines: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """The lines of sales to countries with a limit per year, with their number `n`, `pack`, `buyer` and `year`."""
    owner = owners(_yearly(book)).select(pl.col("code").alias("ship_to"), "pack")
    rows = places(lines["ship_to"].is_in(owner["ship_to"].to_list()))
    asked = lines.select(NEEDED)[rows].with_columns(rows.alias("n"))
    asked = asked.join(owner, on="ship_to", how="inner", maintain_order="left")
    asked = asked.filter((pl.col("qty") > 0) & pl.all_horizontal(pl.col("price", "currency", "date").is_not_null()))
    buyer = pl.coalesce("customer_id", pl.concat_str(pl.lit("order "), "order_id"))
    return asked.with_columns(buyer.alias("buyer"), pl.col("date").dt.year().alias("year"))
