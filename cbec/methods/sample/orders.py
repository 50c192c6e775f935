"""Order lines of the last quarter, a part of all orders, with what a tax engine must know of each.

`planted` (planted.py) adds the orders that stand on thresholds and corners of the law.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.methods.sample.company import DAYS, END, MARKETS, Family
from cbec.methods.sample.demand import expected
from cbec.methods.sample.planted import planted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.sample.company import Company

ORDERS, REFUNDS, BUYERS = 2330, 60, 700
FIRST = END - timedelta(days=91)  # 1 July 2026

#: market, from, to, warehouse (None = parcel from China), weight in the draw.
LANES: tuple[tuple[str, str, str, str | None, float], ...] = (
    ("DE", "CN", "DE", None, 0.11), ("DE", "DE", "DE", "DEHAM", 0.14), ("DE", "DE", "AT", "DEHAM", 0.03),
    ("DE", "DE", "NL", "DEHAM", 0.03), ("FR", "CN", "FR", None, 0.08), ("FR", "DE", "FR", "DEHAM", 0.08),
    ("ES", "CN", "ES", None, 0.05), ("ES", "DE", "ES", "DEHAM", 0.05), ("GB", "CN", "GB", None, 0.08),
    ("GB", "GB", "GB", "GBFXT", 0.10), ("US", "CN", "US", None, 0.06), ("US", "US", "US", "USLAX", 0.12),
    ("JP", "CN", "JP", None, 0.03), ("JP", "US", "JP", "USLAX", 0.04),
)  # fmt: skip
#: Standard rates of VAT that the shelf prices were set with, and the low-value limits; both only shape the sample.
VAT = {"DE": 0.19, "FR": 0.20, "ES": 0.21, "GB": 0.20, "AT": 0.20, "NL": 0.21, "US": 0.0, "JP": 0.10}
LIMIT = {"DE": 150, "FR": 150, "ES": 150, "AT": 150, "NL": 150, "GB": 135}
EU = ("DE", "FR", "ES", "AT", "NL")
PLACES = {
    "DE": ("10115", "20095", "50667", "80331", "01067", "04109"),
    "FR": ("75011", "69003", "13001", "31000", "44000", "59000"),
    "ES": ("28013", "08001", "41001", "46001", "48001", "29001"),
    "GB": ("EC1A 1BB", "M1 1AE", "B2 4QA", "EH1 1YZ", "CF10 1EP", "LS1 4AP"),
    "AT": ("1010", "8010", "5020"),
    "NL": ("1012 AB", "3011 AA", "5611 EM"),
    "US": ("CA", "NY", "TX", "FL", "WA", "IL"),
    "JP": ("100-0001", "530-0001", "460-0002", "812-0011"),
}
#: Made-up tax numbers that satisfy the check digits of their country; nobody is known to hold them.
TAX_IDS = {"DE": "DE999999000", "FR": "FR29999999907", "ES": "ESB99999906", "GB": "GB123456727"}
#: Customs duty of the goods in the EU and the UK, percent: round illustrative figures, not the tariff.
DUTY = {
    "940521": 3.7, "940542": 3.7, "940531": 3.7, "630622": 12.0, "940171": 0.0, "940320": 0.0, "732393": 3.2,
    "392410": 6.5, "691200": 7.0, "950300": 0.0, "420100": 2.7, "940490": 3.7, "090210": 0.0, "090230": 0.0,
}  # fmt: skip


def family(company: Company) -> Family:
    """The table `order_lines`; its lines are a sample of the quarter's orders, they do not add up to `sales`."""
    rng = company.random("orders")
    lines = _tax_columns(rng, _lines(rng, company))
    extra, truths = planted(company, FIRST)
    refunds = _refunds(rng, lines)
    columns = extra.columns
    everything = pl.concat([lines.select(columns), refunds.select(columns), extra])
    pairs = [
        f"{order}/{line}" for order, line in refunds.select("order_id", "line").sort("order_id", "line").iter_rows()
    ]
    return Family({"order_lines": everything.sort("order_id", "line")}, {"orders": truths, "refunds": pairs})


def _lines(rng: np.random.Generator, company: Company) -> pl.DataFrame:
    """Who bought what: one row per line, with the attributes of its order and item."""
    weight = np.array([lane[4] for lane in LANES])
    lane = rng.choice(len(LANES), ORDERS, p=weight / weight.sum())
    day = np.sort(rng.integers(0, 92, ORDERS))
    u = rng.random((ORDERS, 6))
    ship_to = np.array([x[2] for x in LANES])[lane]
    region = [PLACES[country][int(v * len(PLACES[country]))] for country, v in zip(ship_to, u[:, 0], strict=True)]
    buyer = [f"{country}-{1 + int(BUYERS * v**1.5):04d}" for country, v in zip(ship_to, u[:, 1], strict=True)]
    orders = pl.DataFrame(
        {
            "order": np.arange(ORDERS),
            "order_id": [f"SO26-{10001 + i}" for i in range(ORDERS)],
            "date": pl.Series([FIRST + timedelta(days=int(d)) for d in day], dtype=pl.Date),
            "market": [LANES[x][0] for x in lane],
            "ship_from": [LANES[x][1] for x in lane],
            "ship_to": ship_to,
            "warehouse": [LANES[x][3] for x in lane],
            "ship_to_region": region,
            "customer_id": buyer,
            "marketplace": u[:, 2] < 0.7,
            "business": (u[:, 3] < 0.03) & np.isin(ship_to, list(TAX_IDS)),
            "duty_paid": u[:, 4] < 0.6,
            "registered": u[:, 5] < 0.7,
        }
    )
    second, third = rng.random((2, ORDERS)) < np.array([[0.24], [0.15]])
    order = np.repeat(np.arange(ORDERS), 1 + second + (second & third))
    item = _items(rng, company, np.array([LANES[x][0] for x in lane])[order])
    size = order.size
    qty = 1 + (rng.random(size) < 0.12) + (rng.random(size) < 0.03)
    shipping = np.where(rng.random(size) < 0.4, rng.choice([2.9, 3.9, 4.9, 6.9], size), 0.0)
    series = company.series[item].select("sku", "price", "currency")
    goods = company.items.select("sku", "category", "hs_code", "origin")
    return (
        pl.DataFrame({"order": order, "qty": qty.astype(np.float64), "shipping": shipping, "blank": rng.random(size)})
        .with_columns(series, line=pl.int_range(1, pl.len() + 1).over("order").cast(pl.String))
        .join(orders, on="order", maintain_order="left")
        .join(goods, on="sku", maintain_order="left")
        .with_columns(shipping=pl.when(currency="JPY").then(pl.col("shipping") * 150).otherwise("shipping"))
    )


def _items(rng: np.random.Generator, company: Company, market: NDArray[Any]) -> NDArray[np.int64]:
    """The series bought on each line, by its share of the quarter's demand in its market."""
    demand = expected(company)[:, DAYS - 92 : DAYS].sum(axis=1)
    bought = np.zeros(market.size, dtype=np.int64)
    of = company.series["market"].to_numpy()
    for m in MARKETS:
        there, lines = np.flatnonzero(of == m.code), np.flatnonzero(market == m.code)
        bought[lines] = rng.choice(there, lines.size, p=demand[there] / demand[there].sum())
    return bought


def _tax_columns(rng: np.random.Generator, lines: pl.DataFrame) -> pl.DataFrame:
    """Who collects, under which scheme, and whether prices carry tax, as a seller's export would tell it."""
    to, domestic = pl.col("ship_to"), pl.col("ship_from") != "CN"
    eu, gb, us = to.is_in(EU), to == "GB", to == "US"
    vat = to.replace_strict(VAT, return_dtype=pl.Float64)
    # Low value is judged on the goods without tax and shipping, over the whole order.
    value = (pl.col("price") * pl.col("qty") / (1 + vat)).sum().over("order")
    low = value <= to.replace_strict(LIMIT, default=0, return_dtype=pl.Float64)
    shop, business = ~pl.col("marketplace"), pl.col("business")
    scheme = (
        pl.when(business | us | (to == "JP")).then(None)
        .when(gb & (domestic | low)).then(pl.when(shop).then(pl.lit("UK_VAT")))
        .when(eu & domestic).then(pl.when(shop).then(pl.when(to == pl.col("ship_from")).then(pl.lit("LOCAL")).otherwise(pl.lit("OSS"))))
        .when(eu & low).then(pl.when(shop).then(pl.when("registered").then(pl.lit("IOSS")).otherwise(pl.lit("NONE"))))
        .otherwise(pl.lit("NONE"))
    )  # fmt: skip
    at_sale = domestic | low  # tax is due with the sale, else on import
    unpaid = ~domestic & ((~low & ~pl.col("duty_paid")) | (low & shop & eu & ~pl.col("registered")))
    included = ~(business | us | unpaid)
    lines = lines.with_columns(
        marketplace_collects=pl.when(eu | gb).then(~shop & at_sale & ~business).otherwise(us & ~shop),
        scheme=scheme,
        price_includes_tax=included,
        incoterm=pl.when(~domestic & (eu | gb)).then(pl.when(included).then(pl.lit("DDP")).otherwise(pl.lit("DAP"))),
        price=pl.when(included | us).then("price").otherwise((pl.col("price") / (1 + vat)).round(2)),
        buyer_type=pl.when("business").then(pl.lit("B2B")).otherwise(pl.lit("B2C")),
        buyer_tax_id=pl.when("business").then(to.replace_strict(TAX_IDS, default=None, return_dtype=pl.String)),
        seller_country=pl.lit("CN"),
        insurance=pl.lit(None, pl.Float64),
        gift=pl.lit(False),
        duty_rate_pct=pl.when(~domestic & (eu | gb) & ~low & (pl.col("blank") > 0.06)).then(
            pl.col("hs_code").replace_strict(DUTY, return_dtype=pl.Float64)
        ),
    )
    missing = pl.Series(rng.random(lines.height) < 0.015)
    return lines.with_columns(hs_code=pl.when(~missing).then("hs_code"))


def _refunds(rng: np.random.Generator, lines: pl.DataFrame) -> pl.DataFrame:
    """Lines sent back: the same order and price, negative pieces, a later date; line `1R` refunds line `1`."""
    early = lines.filter((pl.col("line") == "1") & (pl.col("date") <= END - timedelta(days=26)))
    chosen = early[np.sort(rng.permutation(early.height)[:REFUNDS])]
    return chosen.with_columns(
        wait=pl.Series(rng.integers(5, 26, chosen.height)),
        line=pl.col("line") + "R",
        qty=-pl.col("qty"),
        shipping=pl.lit(0.0),
    ).with_columns(date=pl.col("date") + pl.duration(days="wait"))
