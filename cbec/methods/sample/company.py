"""Who the sample company is: markets, warehouses, suppliers, items, and which item sells where.

Everything here is made up. The other families read a `Company` and draw from their own stream of random
numbers, named by the family, so that a new family never changes the tables of the others.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

START = date(2024, 10, 1)
END = date(2026, 9, 30)
DAYS = (END - START).days + 1
AHEAD = 91  # days after END for which expected demand is known to the generator (stock is set by it)
SKUS, SERIES = 200, 450
NEW, DELISTED, LATE, SLOW = (
    12,
    8,
    20,
    50,
)  # launched lately, taken off sale, launched within the two years, intermittent

Floats = NDArray[np.float64]


class Family(NamedTuple):
    """What one family makes: tables by name, and the truths planted in them."""

    tables: dict[str, pl.DataFrame]
    truths: dict[str, Any]


@dataclass(frozen=True)
class Market:
    """Where it sells. `weekday`: demand index Monday..Sunday with mean 1; `holiday`: factor on public holidays;
    `cny`: CNY per unit of the currency, for setting prices; `vat`: tax within the shelf price."""

    code: str
    currency: str
    warehouse: str
    size: float
    cny: float
    vat: float
    holiday: float
    weekday: tuple[float, ...]


MARKETS = (
    Market("DE", "EUR", "DEHAM", 1.3, 8.2, 0.19, 0.75, (1.12, 1.05, 1.00, 0.97, 0.90, 0.85, 1.11)),
    Market("FR", "EUR", "DEHAM", 0.8, 8.2, 0.20, 0.80, (1.15, 1.06, 1.02, 0.98, 0.92, 0.82, 1.05)),
    Market("ES", "EUR", "DEHAM", 0.55, 8.2, 0.21, 0.80, (1.10, 1.04, 1.02, 1.00, 0.94, 0.88, 1.02)),
    Market("GB", "GBP", "GBFXT", 1.0, 9.6, 0.20, 0.85, (1.06, 1.00, 0.97, 0.96, 0.93, 0.98, 1.10)),
    Market("US", "USD", "USLAX", 1.6, 7.1, 0.00, 0.85, (1.14, 1.08, 1.02, 0.97, 0.91, 0.86, 1.02)),
    Market("JP", "JPY", "USLAX", 0.6, 0.047, 0.10, 1.20, (0.90, 0.92, 0.94, 0.96, 1.00, 1.16, 1.12)),
)
MARKET_INDEX = {market.code: i for i, market in enumerate(MARKETS)}


@dataclass(frozen=True)
class Category:
    """A kind of goods. Season: 1 + amplitude * cos(2 pi (day of year - peak) / 365.25). `price`: CNY before tax,
    lowest and highest; `kg`: per 100 CNY of price; `items`: name and HS subheading (HS 2022)."""

    name: str
    prefix: str
    count: int
    amplitude: float
    peak: int
    price: tuple[float, float]
    kg: float
    returned: float
    items: tuple[tuple[str, str], ...]


CATEGORIES = (
    Category(
        "lighting", "LMP-", 40, 0.35, 349, (80, 900), 0.5, 0.014,
        (("LED table lamp", "940521"), ("LED wall light", "940542"), ("LED string lights", "940531")),
    ),
    Category(
        "outdoor", "OUT-", 35, 0.60, 186, (120, 1900), 0.9, 0.012,
        (("Tent", "630622"), ("Folding chair", "940171"), ("Camping table", "940320")),
    ),
    Category(
        "kitchen", "KIT-", 40, 0.12, 340, (60, 600), 0.8, 0.008,
        (("Steel pan", "732393"), ("Lunch box", "392410"), ("Stoneware bowl", "691200")),
    ),
    Category("toys", "TOY-", 35, 0.45, 342, (50, 700), 0.5, 0.010, (("Wooden puzzle", "950300"), ("Plush animal", "950300"))),
    Category(
        "pets", "PET-", 25, 0.00, 1, (50, 500), 0.6, 0.011,
        (("Dog harness", "420100"), ("Pet bed", "940490")),
    ),
    # The item numbers of tea are all digits with a leading zero: a reader that takes them for numbers loses it.
    Category("tea", "00", 25, 0.20, 15, (60, 300), 0.4, 0.003, (("Green tea", "090210"), ("Black tea", "090230"))),
)  # fmt: skip
VARIANTS = ("small", "large", "set of 2", "set of 4", "classic", "light", "deluxe", "travel")


@dataclass(frozen=True)
class Company:
    """The drawn attributes which all families share.

    items: one row per SKU (the columns of `products`, and rate, growth, delisted_date, intermittent);
    series: one row per SKU and market (warehouse, rate in units per day, price in the market's currency, ...).
    """

    seed: int
    items: pl.DataFrame
    series: pl.DataFrame

    def random(self, family: str) -> np.random.Generator:
        """The family's own stream: it depends on the seed and the name only."""
        return stream(self.seed, family)

    def cells(self, *columns: str) -> list[NDArray[Any]]:
        """Columns of `series` as arrays."""
        return [self.series[column].to_numpy() for column in columns]

    def pairs(self) -> pl.DataFrame:
        """SKU and warehouse with the total rate of the markets it serves, and the attributes of the SKU."""
        rates = self.series.group_by("sku", "warehouse").agg(pl.col("rate").sum().round(6), pl.col("market").sort())
        return rates.join(self.items.drop("rate"), on="sku").sort("sku", "warehouse")


def stream(seed: int, family: str) -> np.random.Generator:
    """PCG64 seeded by the seed and a checksum of the family's name (NumPy's SeedSequence with a spawn key)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(family.encode()),))))


def dates(days: NDArray[Any]) -> pl.Series:
    """Dates from days since START."""
    return pl.Series((np.datetime64(START, "D") + days.astype("timedelta64[D]")).astype("datetime64[D]"))


def found(seed: int) -> Company:
    """Draw the company."""
    rng = stream(seed, "company")
    items = _items(rng)
    return Company(seed, items, _series(rng, items))


def _items(rng: np.random.Generator) -> pl.DataFrame:
    rank = rng.permutation(SKUS) + 1
    # Popularity falls with rank by a power law; the last ranks are the slow movers that sell now and then.
    slow = rank > SKUS - SLOW
    rate = np.where(slow, rng.uniform(0.02, 0.1, SKUS), np.minimum(9, 12 * rank**-0.7))
    launched = np.array([START - timedelta(days=int(d)) for d in rng.integers(30, 1200, SKUS)], dtype=object)
    delisted = np.full(SKUS, None, dtype=object)
    growth = rng.normal(0, 0.02, SKUS).round(4)
    # Roles go to middle ranks by chance; an SKU has at most one, so that effects do not mix.
    roles = rng.permutation(np.flatnonzero((rank > 8) & (rank <= 120)))
    cut = np.cumsum((NEW, DELISTED, LATE, 6, 6))
    for i in roles[: cut[0]]:
        launched[i] = END - timedelta(days=int(rng.integers(56, 141)))
    for i in roles[cut[0] : cut[1]]:
        delisted[i] = END - timedelta(days=int(rng.integers(120, 301)))
    for i in roles[cut[1] : cut[2]]:
        launched[i] = START + timedelta(days=int(rng.integers(60, 500)))
    growth[roles[cut[2] : cut[3]]] = 0.6
    growth[roles[cut[3] : cut[4]]] = -0.4
    rows: list[dict[str, object]] = []
    for category_number, category in enumerate(CATEGORIES):
        low, high = np.log(category.price)
        for number in range(category.count):
            name, hs_code = category.items[number % len(category.items)]
            price = float(np.exp(rng.uniform(low, high)).round(0))
            weight = round(price / 100 * category.kg * float(rng.uniform(0.6, 1.5)), 2)
            side = (weight * 5000) ** (1 / 3)  # 5 litres per kg, a common figure for parcels
            length, width = side * float(rng.uniform(1.1, 1.6)), side * float(rng.uniform(0.8, 1.1))
            rows.append(
                {
                    "sku": f"{category.prefix}{101 + number}",
                    "name": f"{name}, {VARIANTS[number // len(category.items) % len(VARIANTS)]}",
                    "category": category.name,
                    "brand": "Example House",
                    "weight_kg": weight,
                    "length_cm": round(length, 1),
                    "width_cm": round(width, 1),
                    "height_cm": round(weight * 5000 / length / width, 1),
                    "unit_cost": round(price * float(rng.uniform(0.28, 0.42)), 2),
                    "currency": "CNY",
                    "price": price,
                    "hs_code": hs_code,
                    "origin": "VN" if category.name == "outdoor" and number % 7 == 3 else "CN",
                    "supplier_id": f"S{1 + 2 * category_number + number % 2:02d}",
                }
            )
    return pl.DataFrame(rows).with_columns(
        pl.Series("launch_date", launched.tolist(), pl.Date),
        pl.Series("delisted_date", delisted.tolist(), pl.Date),
        pl.Series("rate", rate),
        pl.Series("growth", growth),
        pl.Series("intermittent", slow),
    )


def _series(rng: np.random.Generator, items: pl.DataFrame) -> pl.DataFrame:
    size = np.array([market.size for market in MARKETS])
    rate = items["rate"].to_numpy()
    # Popular items and large markets go together more often (a random utility per pair); every SKU sells somewhere.
    utility = np.log(size)[None, :] + 0.35 * np.log(rate)[:, None] + rng.gumbel(0, 1, (SKUS, len(MARKETS)))
    utility[np.arange(SKUS), utility.argmax(axis=1)] = np.inf
    sku, market = np.unravel_index(np.sort(np.argsort(-utility, axis=None, kind="stable")[:SERIES]), utility.shape)
    slow = items["intermittent"].to_numpy()[sku]
    spread = np.exp(rng.normal(0, 0.25, SERIES))
    rates = np.where(slow, rate[sku], rate[sku] * size[market] * spread).round(6)
    gross = items["price"].to_numpy()[sku] * np.array([(1 + m.vat) / m.cny for m in MARKETS])[market]
    yen = np.array([m.currency == "JPY" for m in MARKETS])[market]
    price = np.where(yen, np.round(gross / 10) * 10, np.floor(gross) + 0.99).round(2)
    return pl.DataFrame(
        {
            "sku": items["sku"].gather(pl.Series(sku)),
            "market": pl.Series([MARKETS[m].code for m in market]),
            "warehouse": pl.Series([MARKETS[m].warehouse for m in market]),
            "currency": pl.Series([MARKETS[m].currency for m in market]),
            "rate": rates,
            "price": price,
            "intermittent": slow,
            "market_number": market,
            # The company's own shop sells its better items in two markets beside the marketplace.
            "webshop": ~slow & np.isin(market, (MARKET_INDEX["DE"], MARKET_INDEX["US"])) & (rates > 1),
            "item": sku,
        }
    )
