"""Sales into cells of series, period and price: what elasticities are fitted to.

A day without a sale has no row, and so no price: who sold nothing at a price is not seen. Such series are marked, and their
units are read as counts cut off at zero; read as they stand, days on offer seem to sell at least one unit always, and
slow sellers look far too elastic. Series with rows of zero units tell every price, and are read as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.methods.forecast import periods

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SERIES = ("sku", "market", "channel", "currency")
#: A series that sells on fewer of its days says more of the size of orders than of how many come; it is left out.
OFTEN = 0.2
#: Weeks of a block over which a series' level counts as constant (launches, growth, lost rankings go into the level).
BLOCK = 26
#: Weeks have effects of their own where they leave this much of the moves of prices within a category (SKUs at their
#: regular price are then the controls); where nearly all prices move together, four weeks share one effect.
CONTROLLED = 0.3


@dataclass(frozen=True)
class Cells:
    """One cell per series, period and price; arrays of as many entries.

    units, exposure (slots, that is days, weeks or months with a row, days weighted by weekday), slots (not weighted), cut
    (whether they are known only because something was sold), log_price (less the series' regular price), promo; level:
    series x block, time: category x period, sku, category, series: numbers into `skus`, `categories`, `names`; block: 0 = the
    last. names: SERIES
    columns, regular (price, weighted median of the last block). deepest: per SKU the deepest discount seen.
    """

    units: Floats
    exposure: Floats
    log_price: Floats
    promo: Floats
    slots: Floats
    cut: NDArray[np.bool_]
    level: Ints
    time: Ints
    sku: Ints
    category: Ints
    series: Ints
    period: Ints
    block: Ints
    skus: pl.DataFrame
    categories: list[str]
    names: pl.DataFrame
    deepest: Floats

    @property
    def category_of(self) -> Ints:
        """Category number of each SKU."""
        return self.skus["category_number"].to_numpy()


def prepare(sales: pl.DataFrame, products: pl.DataFrame | None) -> Cells | None:
    """Cells of a typed sales table; None where no row tells a price.

    sales: contract `sales`, cut at the day of the decision. products: for the categories that share effects of time and
    are pooled; without it all SKUs are one. Rows of negative units (returns) and without a price do not count.
    """
    spacing = periods.native(sales["date"])
    length = 7 if spacing in ("H", "D") else 1
    rows = _by_slot(sales, "D" if spacing == "H" else spacing)
    return None if rows.is_empty() else _numbered(_cells(rows, length), products)


def _by_slot(sales: pl.DataFrame, spacing: str) -> pl.DataFrame:
    """Units, price paid and promo per series and slot (day, week or month) that could be bought at a told price."""
    rows = sales.filter(
        pl.col("units").is_finite()
        & (pl.col("units") >= 0)
        & (pl.col("price") > 0)
        & pl.col("in_stock").fill_null(True)
    ).select(
        "sku",
        *(pl.col(c).fill_null("*") for c in SERIES[1:]),
        periods.ordinal("date", spacing).alias("slot"),
        "units",
        "price",
        pl.col("promo").fill_null(False),
    )
    paid = (pl.col("units") * pl.col("price")).sum() / pl.col("units").sum()
    # Sorted before grouping: sums of floats keep their order whatever the order of rows and threads.
    every = rows.sort(*SERIES, "slot", "price", "units", "promo").group_by(*SERIES, "slot", maintain_order=True)
    slots = every.agg(
        pl.when(pl.col("units").sum() > 0).then(paid).otherwise(pl.col("price").mean()).log().alias("log_price"),
        pl.col("units").sum().alias("sold"),
        pl.col("promo").any(),
    )
    life = pl.col("slot").max().over(SERIES) - pl.col("slot").min().over(SERIES) + 1
    often = (pl.col("sold") > 0).sum().over(SERIES) >= OFTEN * life
    return slots.with_columns(cut=(pl.col("sold") > 0).all().over(SERIES)).filter(often)


def _cells(rows: pl.DataFrame, length: int) -> pl.DataFrame:
    """Slots of one series, period (a week where slots are days), price (to one per cent) and promotion together."""
    if length == 7:
        rows = rows.with_columns(_weekdays(rows))
        period = (pl.col("slot") + 3) // 7  # 1970-01-01 was a Thursday
    else:
        rows, period = rows.with_columns(exposure=pl.lit(1.0)), pl.col("slot")
    keyed = rows.with_columns(
        period.alias("period"), (pl.col("log_price") * 100).round().cast(pl.Int64).alias("per_cent")
    )
    key = [*SERIES, "period", "per_cent", "promo"]
    return (
        keyed.sort(*key, "slot")
        .group_by(key, maintain_order=True)
        .agg(
            pl.col("sold", "exposure").sum(), pl.col("log_price").mean(), pl.len().alias("slots"), pl.col("cut").first()
        )
    )


def _weekdays(rows: pl.DataFrame) -> pl.Series:
    """Weight of each row's weekday in its market's units (mean 1): column `exposure`."""
    weekday = ((pl.col("slot") + 3) % 7).alias("weekday")
    sold = rows.group_by("market", weekday).agg(pl.col("sold").round(3).sum())
    # One unit more on every weekday: nothing sold on Sundays is no proof of never.
    share = (pl.col("sold").fill_null(0.0) + 1) * 7 / (pl.col("sold").fill_null(0.0) + 1).sum().over("market")
    grid = (
        rows.select("market")
        .unique()
        .join(pl.DataFrame({"weekday": range(7)}, schema={"weekday": pl.Int64}), how="cross")
    )
    grid = (
        grid.join(sold, on=["market", "weekday"], how="left")
        .sort("market", "weekday")
        .with_columns(share.alias("exposure"))
    )
    keyed = rows.select("market", weekday)
    return keyed.join(grid, on=["market", "weekday"], how="left", maintain_order="left")["exposure"]


def _numbered(cells: pl.DataFrame, products: pl.DataFrame | None) -> Cells | None:
    skus = cells.select("sku").unique().sort("sku")
    if products is None:
        skus = skus.with_columns(category=pl.lit("*"))
    else:
        named = products.select("sku", pl.col("category").fill_null("*"))
        skus = skus.join(named, on="sku", how="left", maintain_order="left").with_columns(
            pl.col("category").fill_null("*")
        )
    last = int(cells["period"].max())  # type: ignore[arg-type]
    cells = cells.with_columns(((last - pl.col("period")) // BLOCK).alias("block"))
    # A block without a sale tells nothing of prices.
    cells = cells.filter(pl.col("sold").sum().over(*SERIES, "block") > 0)
    if cells.is_empty():
        return None
    skus = skus.filter(pl.col("sku").is_in(cells["sku"].unique().implode()))
    categories = skus["category"].unique().sort()
    skus = skus.with_row_index("number")
    numbers = pl.DataFrame({"category": categories}).with_row_index("category_number")
    skus = skus.join(numbers, on="category", how="left", maintain_order="left").with_columns(
        pl.col("number", "category_number").cast(pl.Int64)
    )
    cells = cells.join(skus, on="sku", how="left", maintain_order="left")
    names = _regular(cells)
    cells = cells.join(names, on=SERIES, how="left", maintain_order="left")
    log_price = (cells["log_price"] - cells["regular_log"]).to_numpy()
    sku = cells["number"].to_numpy()
    deepest = np.zeros(skus.height)
    np.maximum.at(deepest, sku, -np.expm1(np.minimum(log_price, 0.0)))
    level, category = _codes(cells, [*SERIES, "block"]), cells["category_number"].to_numpy()
    units, week = cells["sold"].to_numpy(), _codes(cells, ["category", "period"])
    free = [residual(log_price, units + 0.1, of, level) for of in (week, np.zeros_like(week))]
    left, every = (total(category, (units + 0.1) * x**2, len(categories)) for x in free)
    coarse = pl.Series((left < CONTROLLED * every)[category])
    moment = pl.when(coarse).then(last - (last - pl.col("period")) // 4 * 4).otherwise("period").alias("moment")
    return Cells(
        units=units,
        exposure=cells["exposure"].to_numpy(),
        log_price=log_price,
        promo=cells["promo"].cast(pl.Float64).to_numpy(),
        slots=cells["slots"].cast(pl.Float64).to_numpy(),
        cut=cells["cut"].to_numpy(),
        level=level,
        time=_codes(cells.with_columns(moment), ["category", "moment"]),
        sku=sku,
        category=category,
        series=_codes(cells, list(SERIES)),
        period=cells["period"].to_numpy(),
        block=cells["block"].to_numpy(),
        skus=skus,
        categories=categories.to_list(),
        names=names.with_columns(pl.col("regular_log").exp().alias("regular")),
        deepest=deepest,
    )


def total(of: Ints, values: Floats, n: int) -> Floats:
    """Sums of `values` by the numbers `of`."""
    return np.bincount(of, weights=values, minlength=n).astype(np.float64)


def residual(x: Floats, weight: Floats, time: Ints, level: Ints, rounds: int = 4) -> Floats:
    """x less its weighted means over times and levels, by alternating projections."""
    out = x
    for of in (level, time) * rounds + (level,):
        n = int(of.max()) + 1
        out = out - (total(of, weight * out, n) / np.maximum(total(of, weight, n), 1e-12))[of]
    return out


def _regular(cells: pl.DataFrame) -> pl.DataFrame:
    """Regular price of each series: the median of its last block by slots sold at it, as a logarithm."""
    recent = cells.filter(pl.col("block") == pl.col("block").min().over(SERIES)).sort(*SERIES, "log_price", "period")
    half = pl.col("slots").cum_sum().over(SERIES) >= 0.5 * pl.col("slots").sum().over(SERIES)
    return (
        recent.filter(half).group_by(SERIES, maintain_order=True).agg(pl.col("log_price").first().alias("regular_log"))
    )


def _codes(frame: pl.DataFrame, columns: list[str]) -> Any:
    """Numbers 0, 1, ... of the distinct rows of these columns, in their order."""
    names = frame.select(columns).unique().sort(columns).with_row_index("code")
    return (
        frame.select(columns)
        .join(names, on=columns, how="left", maintain_order="left")["code"]
        .to_numpy()
        .astype(np.int64)
    )
