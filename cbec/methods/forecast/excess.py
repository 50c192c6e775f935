"""Which stock is more than needed: position over the quantile of demand of the cover horizon, and what is known of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.money import rate_to
from cbec.methods import counts, protection
from cbec.methods import terms as policy
from cbec.methods.forecast import classes, markdown, sellprice
from cbec.methods.forecast import fees as fee_tables

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.forecast.fees import Fees
    from cbec.methods.forecast.pricecells import Cells
    from cbec.methods.protection import Clock, Demand, Linked
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Excess below one unit is none.
LEAST = 1.0
#: Fewer units than this expected until the sell-by day: no demand.
NO_DEMAND = 0.5


@dataclass(frozen=True)
class Position:
    """n items. cover: days; free: stock less reserved; coming: arrives within cover; needed: quantile of demand over
    cover; position, excess; mean: expected demand of cover; dead: stock that nobody is expected to buy; silent: because of a
    silence that the forecast does not know; last_sale: days after today (NaN = not told). demand: of the forecast."""

    demand: Demand
    cover: Floats
    free: Floats
    coming: Floats
    needed: Floats
    position: Floats
    excess: Floats
    mean: Floats
    dead: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    last_sale: Floats


@dataclass(frozen=True)
class Facts:
    """Of n items: unit cost and regular price (NaN = unknown) and where the price is from, volume (m3), weight (kg) and age
    (days; all NaN = unknown), elasticity (table of `elasticity.of_skus`)."""

    unit_cost: Floats
    price: Floats
    sources: list[str]
    volume: Floats
    weight: Floats
    age: Floats
    elasticity: pl.DataFrame


def terms(
    items: pl.DataFrame, policies: pl.DataFrame | None, products: pl.DataFrame, *, level: float, holding_rate: float
) -> Terms:
    """Terms of the items; without policies no lead time and the setting's rate."""
    if policies is None:
        policies = policy.at_once()
    return policy.choose(items, policies, products, service_level=level, review_days=0.0, holding_rate=holding_rate)


def position(
    linked: Linked, clock: Clock, held: Stock, cover: Floats, sales: pl.DataFrame | None, *,
    level: float, silent_days: float, sell_by_days: int, correlation: float,
) -> Position:  # fmt: skip
    """What is here, what is needed, and what is more than that: at most what is here, whole units of need."""
    demand = protection.demand(linked, clock, cover, np.full(len(cover), level), correlation)
    quiet, last_sale = silence(linked, clock, sales, silent_days)
    free, coming = np.maximum(held.free, 0.0), held.coming(cover)
    end = np.array([[float(sell_by_days)]])
    expected = markdown.ahead(demand, end)[0][:, 0] >= NO_DEMAND
    silent = quiet & (free > 0) & expected
    # Whatever the forecast says, nobody buys what has been silent for so long.
    none = {name: np.where(silent[:, None], 0.0, getattr(demand, name)) for name in ("mean", "var")}
    demand = dataclasses.replace(demand, **none)
    mean, var = markdown.ahead(demand, cover[:, None])
    there = held.free + coming
    dead = (free > 0) & (silent | ~expected)
    needed = np.where(dead, 0.0, counts.level(np.full(len(cover), level), mean, var, np.ones_like(mean), demand.lot))
    excess = np.clip(there - needed, 0.0, free)
    excess = np.where(excess >= LEAST, excess, 0.0)
    return Position(demand, cover, free, coming, needed, there, excess, mean[:, 0], dead, silent, last_sale)


def silence(linked: Linked, clock: Clock, sales: pl.DataFrame | None, least: float) -> tuple[NDArray[np.bool_], Floats]:
    """Items not sold for `least` days and for so long that chance leaves it 1 in 100; and the day of the last sale.

    The chance is that of a series which sells on as many days as this one did until its last sale. Days that the table
    marks as out of stock, and those before, are no silence.
    """
    n, nothing = linked.items.height, np.full(linked.items.height, np.nan)
    if sales is None:
        return np.zeros(n, dtype=bool), nothing
    rows = sales.select(
        "sku", pl.col("market").fill_null("*"), pl.col("date").cast(pl.Date), "units", pl.col("in_stock").fill_null(True)
    )  # fmt: skip
    every = pl.concat([rows, rows.with_columns(market=pl.lit("*"))]).unique() if rows["market"].n_unique() > 1 else rows
    sold = every.filter(pl.col("units") > 0).group_by("sku", "market").agg(
        pl.col("date").min().alias("first"), pl.col("date").max().alias("last"), pl.col("date").n_unique().alias("days")
    )  # fmt: skip
    out = every.filter(~pl.col("in_stock")).group_by("sku", "market").agg(pl.col("date").max().alias("out"))
    known = sold.join(out, on=["sku", "market"], how="left")
    told = linked.names.select("sku", "market").join(known, on=["sku", "market"], how="left", maintain_order="left")
    first, last, gone = (clock.offset(told[c]) for c in ("first", "last", "out"))
    share = told["days"].cast(pl.Float64).fill_null(np.nan).to_numpy() / (last - first + 1)
    quiet = -np.fmax(last, gone)
    lasting = quiet >= np.maximum(least, classes.patience(share))
    # An item is silent where every series that it serves is.
    series = linked.series
    all_quiet = np.bincount(linked.item[lasting[series]], minlength=n) == np.bincount(linked.item, minlength=n)
    latest = np.full(n, -np.inf)
    np.maximum.at(latest, linked.item, np.nan_to_num(last[series], nan=-np.inf))
    return all_quiet, np.where(np.isinf(latest), np.nan, latest)


def facts(
    linked: Linked, costs: Prices, inventory: pl.DataFrame, products: pl.DataFrame, prices: pl.DataFrame | None,
    elasticity: pl.DataFrame, cells: Cells | None, rates: pl.DataFrame | None, clock: Clock,
) -> Facts:  # fmt: skip
    """What the tables tell of the items, in their order."""
    sizes = [pl.col(f"{side}_cm") for side in ("length", "width", "height")]
    master = products.select("sku", "weight_kg", (sizes[0] * sizes[1] * sizes[2] / 1e6).alias("m3"))
    rows = linked.items.join(master, on="sku", how="left", maintain_order="left")
    rows = rows.join(
        inventory.select("sku", "warehouse", "age_days"), on=["sku", "warehouse"], how="left", maintain_order="left"
    )
    price, sources = sellprice.regular(linked, costs, prices, cells, rates, clock.today)
    volume, weight, age = (
        rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("m3", "weight_kg", "age_days")
    )
    return Facts(costs.unit_cost, price, sources, np.where(volume > 0, volume, np.nan), weight, age, elasticity)


def fee_rate(fees: Fees | None, rates: pl.DataFrame | None, home: str | None, today: date) -> float:
    """Home currency per unit of the fees' currency; 1 where nothing tells a home currency."""
    if fees is None or home is None:
        return 1.0
    one = pl.DataFrame({"currency": [fees.currency], "day": [today]})
    return float(rate_to(one, "currency", "day", rates, home)[0])


def storage(
    rows: Rows,
    linked: Linked,
    of: Facts,
    terms: Terms,
    fees: Fees | None,
    rate: float,
    view: markdown.Outlook,
    clock: Clock,
) -> tuple[Floats, Floats]:
    """Cost of one unit over each half stage (m x P), and of destroying it; by the fees, else the policies' storage cost."""
    if fees is None:
        return (terms.storage[rows] * np.nan_to_num(of.volume[rows]))[:, None] * np.diff(view.points), np.zeros(
            rows.size
        )
    place = linked.items["warehouse"].gather(pl.Series(rows))
    last = int(np.ceil(view.points[-1]))
    daily = fee_tables.per_day(fees, place, of.age[rows], of.volume[rows], clock.today, last)
    running = np.concatenate([np.zeros((rows.size, 1)), np.cumsum(daily, axis=1)], axis=1)
    # Ends of half stages may fall into a day: straight between its ends.
    low = np.floor(view.points).astype(np.intp)
    total = running[:, low] + (view.points - low) * (running[:, np.minimum(low + 1, last)] - running[:, low])
    return rate * np.diff(total, axis=1), rate * fee_tables.disposal(fees, place, clock.today)
