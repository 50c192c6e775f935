"""What a unit costs and what being short of one costs, in one currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault
from cbec.core.money import rate_to

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.terms import Terms

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """Money per unit in `currency` (None = no table tells one), n each; NaN = unknown.

    guessed: the shortage cost is a share of the unit cost, since neither policy nor price tells it. price: of products.
    """

    unit_cost: Floats
    shortage: Floats
    guessed: NDArray[np.bool_]
    currency: str | None
    price: Floats


def prices(
    items: pl.DataFrame,
    inventory: pl.DataFrame,
    products: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    terms: Terms,
    *,
    today: date,
    home: str | None,
    markup: float,
) -> Prices:
    """Landed unit costs and shortage costs in the home currency.

    Unit cost from products, else from inventory, with the policy's duty and freight per unit on top. Shortage: the policy's (in the home currency), else price less unit
    cost, else `markup` x unit cost. home: default the one currency that the tables have. Raises UsageFault where they
    have several and there is no home currency, InputRejected where a rate is missing.
    """
    stocked = inventory.select(
        "sku", "warehouse", pl.col("unit_cost").alias("stock_cost"), pl.col("currency").alias("stock_currency")
    )
    rows = items.join(stocked, on=["sku", "warehouse"], how="left", maintain_order="left")
    if products is None:
        empty = {"unit_cost": pl.Float64, "price": pl.Float64, "currency": pl.String}
        rows = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in empty.items())
    else:
        master = products.select("sku", "unit_cost", "price", "currency")
        rows = rows.join(master, on="sku", how="left", maintain_order="left")
    of_product = pl.col("unit_cost").is_not_null()
    money = rows.select(
        pl.when(of_product).then("unit_cost").otherwise("stock_cost").cast(pl.Float64).alias("cost"),
        pl.when(of_product).then("currency").otherwise("stock_currency").alias("cost_currency"),
        pl.col("price").cast(pl.Float64),
        pl.when(pl.col("price").is_not_null()).then("currency").alias("price_currency"),
        pl.lit(today).alias("day"),
    ).with_columns(pl.when(pl.col("cost").is_not_null()).then("cost_currency").alias("cost_currency"))
    found = sorted({*money["cost_currency"].drop_nulls().to_list(), *money["price_currency"].drop_nulls().to_list()})
    if home is None and len(found) > 1:
        raise UsageFault(
            f"costs are in {', '.join(found)}, and no home currency is set",
            hint="set --home-currency and give --rates, so that they can be added up",
        )
    home = home or (found[0] if found else None)
    cost, price = money["cost"].to_numpy(), money["price"].to_numpy()
    if home is not None:
        cost = cost * rate_to(money, "cost_currency", "day", rates, home).to_numpy()
        price = price * rate_to(money, "price_currency", "day", rates, home).to_numpy()
    cost = cost * (1 + terms.duty) + terms.freight
    margin = np.maximum(price - cost, 0.0)
    guessed = np.isnan(terms.shortage) & np.isnan(margin)
    shortage = np.where(np.isnan(terms.shortage), np.where(guessed, markup * cost, margin), terms.shortage)
    return Prices(cost, shortage, guessed & ~np.isnan(cost), home, price)
