"""Order lines as revenue, goods, duty and tax in home currency: what stands in the tables row by row.

Signs: revenue and returns are both positive; costs are positive, what comes back of them negative. Everything is
converted at the fixing of the line's own day.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from cbec.methods.minor import micro

if TYPE_CHECKING:
    from cbec.methods.settle.home import Home

AT_SALE = ("seller", "marketplace")
AT_IMPORT = ("customs", "carrier")


class Terms(NamedTuple):
    """gross: prices include tax where a line does not say; recoverable: import tax comes back; resold: share of the
    pieces sent back that go on the shelf again; divisor: cm3 per kg of volume weight."""

    gross: bool
    recoverable: bool
    resold: float
    divisor: float


def lines(
    order_lines: pl.DataFrame,
    products: pl.DataFrame,
    inventory: pl.DataFrame | None,
    tax: pl.DataFrame | None,
    home: Home,
    terms: Terms,
    as_of: date,
) -> pl.DataFrame:
    """One row per order line, sorted by order and line.

    Columns: row, order_id, line, sku, market, warehouse, day, currency, sold and back (pieces, millionths), gross (what the
    buyer was charged, home units with sign), revenue, returns, goods, duty, tax (home units), kg (chargeable weight of
    the line in grams, 0 for pieces sent back), and no_revenue, no_goods, no_duty, no_tax, no_kg (true where no table tells).
    """
    frame = (
        order_lines.with_columns(pl.col("line").fill_null("1"))
        .sort("order_id", "line")
        .with_row_index("row")
        .select(
            pl.col("row").cast(pl.Int64), "order_id", "line", "sku", "warehouse", "origin", "ship_from",
            pl.col("currency").fill_null(home.currency), market=pl.coalesce("market", "ship_to", pl.lit("*")),
            day=pl.col("date").fill_null(as_of), qty=micro("qty").cast(pl.Int64), no_revenue=pl.col("price").is_null(),
            price=micro("price").fill_null(0), extra=micro("shipping").fill_null(0) + micro("insurance").fill_null(0),
            includes=pl.col("price_includes_tax").fill_null(terms.gross), ddp=(pl.col("incoterm") == "DDP").fill_null(False),
        )
    )  # fmt: skip
    sign = pl.when(pl.col("qty") < 0).then(-1).otherwise(1)
    goods_price = (pl.col("qty").abs().cast(pl.Int128) * pl.col("price") + 500_000) // 1_000_000
    frame = frame.with_columns(
        charged=sign * (goods_price + pl.col("extra")),
        sold=pl.col("qty").clip(lower_bound=0).cast(pl.Int64),
        back=(-pl.col("qty")).clip(lower_bound=0).cast(pl.Int64),
    )
    frame = _taxed(frame, tax, home, terms)
    frame = _goods(frame, products, inventory, home, terms, as_of)
    net = pl.col("gross") - pl.col("within")
    return frame.with_columns(
        revenue=pl.when(pl.col("qty") < 0).then(0).otherwise(net),
        returns=pl.when(pl.col("qty") < 0).then(-net).otherwise(0),
    ).drop("qty", "price", "extra", "charged", "within", "includes", "ddp", "origin", "ship_from")


def _taxed(frame: pl.DataFrame, tax: pl.DataFrame | None, home: Home, terms: Terms) -> pl.DataFrame:
    """Adds gross, within (tax in the price that was charged at the sale), duty, tax, no_duty, no_tax."""
    if tax is None:
        frame = home.of(frame, "day", gross=pl.col("charged"))
        nothing = {name: pl.lit(0, pl.Int64) for name in ("within", "duty", "tax")}
        return frame.with_columns(**nothing, no_duty=pl.lit(True), no_tax=pl.lit(True))
    told = tax.with_columns(pl.col("line").fill_null("1")).select(
        "order_id", "line", "status", "collected_by", pl.col("currency").alias("due_in"), due=micro("tax"), customs=micro("duty"),
        base=micro("tax_base"), other=micro("other_charges"), imported=pl.col("customs_value").is_not_null(),
        net=pl.when(pl.col("scheme") == "IOSS").then(micro("customs_value")),
    )  # fmt: skip
    frame = frame.join(told, on=["order_id", "line"], how="left", maintain_order="left")
    known = (pl.col("status") == "OK").fill_null(False)
    at_sale = known & pl.col("collected_by").is_in(AT_SALE).fill_null(False)
    at_import = known & pl.col("collected_by").is_in(AT_IMPORT).fill_null(False)
    due, duty = pl.col("due").fill_null(0), pl.col("customs").fill_null(0)
    same = (pl.col("due_in") == pl.col("currency")).fill_null(False)
    # Without DDP a duty comes on top of the price, and with it the tax on that duty (the IOSS has none on a flat duty).
    net = pl.coalesce("net", pl.col("base") - duty)
    apart = pl.when(same & (duty != 0) & pl.col("base").is_not_null()).then(pl.col("charged") - net)
    within = pl.when(at_sale & pl.col("includes")).then(pl.when("ddp").then(due).otherwise(pl.coalesce(apart, due)))
    borne = pl.when(at_import & pl.col("ddp"))
    cost = (pl.lit(0) if terms.recoverable else due) + pl.col("other").fill_null(0)
    frame = frame.with_columns(
        within=within.otherwise(0),
        customs=pl.when(known & pl.col("ddp")).then(duty).otherwise(0),
        due=borne.then(cost).otherwise(0),
        paid_in=pl.col("currency"),
        due_in=pl.col("due_in").fill_null(home.currency),
    )
    frame = home.of(frame, "day", gross=pl.col("charged"))
    frame = frame.with_columns(currency="due_in")
    frame = home.of(frame, "day", duty=pl.col("customs"), tax=pl.col("due"), within=pl.col("within"))
    # Goods that came in bulk before the sale bore a duty that these tables do not tell.
    bulk = (pl.col("origin") != pl.col("ship_from")).fill_null(False) & ~pl.col("imported").fill_null(False)
    return frame.with_columns(currency="paid_in", no_duty=~known | bulk, no_tax=~known).drop(
        "status", "collected_by", "due_in", "due", "customs", "base", "net", "other", "imported", "paid_in"
    )


def _goods(
    frame: pl.DataFrame,
    products: pl.DataFrame,
    inventory: pl.DataFrame | None,
    home: Home,
    terms: Terms,
    as_of: date,
) -> pl.DataFrame:
    """Adds goods (pieces at the cost of products, else of inventory, resold returns taken off) and kg, the chargeable weight."""
    size = pl.col("length_cm") * pl.col("width_cm") * pl.col("height_cm") / terms.divisor
    items = products.select("sku", "unit_cost", cost_in="currency", kilos=pl.max_horizontal("weight_kg", size))
    if inventory is not None:
        kept = (
            inventory.filter(pl.col("unit_cost").is_not_null())
            .sort("sku", "warehouse")
            .unique("sku", keep="first", maintain_order=True)
            .select("sku", "unit_cost", cost_in="currency")
        )
        items = items.join(kept, on="sku", how="full", coalesce=True, suffix="_kept")
        lacks = pl.col("unit_cost").is_null()
        items = items.with_columns(
            unit_cost=pl.coalesce("unit_cost", "unit_cost_kept"),
            cost_in=pl.when(lacks).then("cost_in_kept").otherwise("cost_in"),
        )
    frame = frame.join(
        items.select("sku", "unit_cost", "cost_in", "kilos"), on="sku", how="left", maintain_order="left"
    )
    pieces = pl.col("sold") - (pl.col("back") * terms.resold).round(0)
    frame = frame.with_columns(paid_in="currency", currency=pl.col("cost_in").fill_null(home.currency))
    frame = home.of(frame, "day", goods=pieces * pl.col("unit_cost").fill_null(0.0))
    weight = pl.col("kilos").fill_null(0.0) * pl.col("sold") / 1000
    return frame.with_columns(
        currency="paid_in",
        kg=weight.round(0).cast(pl.Int64),
        no_goods=pl.col("unit_cost").is_null(),
        no_kg=pl.col("kilos").is_null(),
    ).drop("paid_in", "unit_cost", "cost_in", "kilos")
