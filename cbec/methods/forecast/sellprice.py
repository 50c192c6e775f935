"""The regular selling price of an item in the home currency, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault
from cbec.core.money import rate_to

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.forecast.pricecells import Cells
    from cbec.methods.protection import Linked
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]


def regular(
    linked: Linked,
    costs: Prices,
    table: pl.DataFrame | None,
    cells: Cells | None,
    rates: pl.DataFrame | None,
    today: date,
) -> tuple[Floats, list[str]]:
    """Price per unit of n items in `costs.currency`, NaN = nobody tells; and per item prices, products, sales or unknown.

    The table `prices` (last row by then; the market's own before that of all), else products, else the regular price of
    sales. A warehouse that serves several markets has their mean by expected demand. Raises UsageFault for a currency
    that is not the home currency where there are no rates.
    """
    n, markets = linked.items.height, linked.names.select("sku", "market")
    told = np.full(markets.height, np.nan)
    if table is not None:
        told = _table(markets, table, rates, costs.currency, today)
    seen = np.full(markets.height, np.nan)
    if cells is not None and costs.currency is not None:
        seen = _sales(markets, cells, rates, costs.currency, today)
    weight = linked.share * linked.mean[linked.series, -1]
    tables, of_sales = (_over_markets(linked, values, weight, n) for values in (told, seen))
    price = np.where(np.isnan(tables), np.where(np.isnan(costs.price), of_sales, costs.price), tables)
    source = np.where(
        np.isnan(tables),
        np.where(np.isnan(costs.price), np.where(np.isnan(of_sales), "unknown", "sales"), "products"),
        "prices",
    )
    return price, source.tolist()


def _over_markets(linked: Linked, values: Floats, weight: Floats, n: int) -> Floats:
    """Mean of the markets that an item serves, by demand; plain where none is expected."""
    at = values[linked.series]
    known = ~np.isnan(at)
    out = np.full(n, np.nan)
    for w in (np.ones_like(weight), weight):
        total = np.bincount(linked.item[known], weights=w[known], minlength=n)
        sums = np.bincount(linked.item[known], weights=(w * at)[known], minlength=n)
        out = np.where(total > 0, sums / np.where(total > 0, total, 1.0), out)
    return out


def _table(
    markets: pl.DataFrame, table: pl.DataFrame, rates: pl.DataFrame | None, home: str | None, today: date
) -> Floats:
    rows = table.sort("sku", "market", "date", nulls_last=False).unique(
        ["sku", "market"], keep="last", maintain_order=True
    )
    money = rows.with_columns(pl.lit(today).alias("day"))
    foreign = sorted({c for c in money["currency"].drop_nulls().to_list() if c != home})
    if foreign and home is None:
        raise UsageFault(f"prices are in {', '.join(foreign)}, and no home currency is set", hint="set --home-currency")
    if home is not None:
        rows = rows.with_columns((pl.col("price") * rate_to(money, "currency", "day", rates, home)).alias("price"))
    own = markets.join(rows.select("sku", "market", "price"), on=["sku", "market"], how="left", maintain_order="left")[
        "price"
    ]
    every = markets.join(
        rows.filter(pl.col("market") == "*").select("sku", "price"), on="sku", how="left", maintain_order="left"
    )["price"]
    return own.fill_null(every).cast(pl.Float64).to_numpy()


def _sales(markets: pl.DataFrame, cells: Cells, rates: pl.DataFrame | None, home: str, today: date) -> Floats:
    """Regular prices of sales; those in a currency without rates stay unknown."""
    rows = cells.names.with_columns(pl.col("currency").replace("*", None), pl.lit(today).alias("day"))
    if rates is None:
        rows = rows.filter(pl.col("currency").fill_null(home) == home)
    if rows.is_empty():
        return np.full(markets.height, np.nan)
    rows = rows.with_columns((pl.col("regular") * rate_to(rows, "currency", "day", rates, home)).alias("price"))
    mean = (
        rows.sort("sku", "market", "channel").group_by("sku", "market", maintain_order=True).agg(pl.col("price").mean())
    )
    # A forecast over all markets (`*`) has the mean of them.
    every = mean.group_by("sku", maintain_order=True).agg(pl.col("price").mean())
    own = markets.join(mean, on=["sku", "market"], how="left", maintain_order="left")["price"]
    other = markets.join(every, on="sku", how="left", maintain_order="left")["price"]
    return own.fill_null(other).to_numpy()
