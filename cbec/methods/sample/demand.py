"""Sales of two years by day: season, weekday, trend, promotions, holidays, launches, stock-outs, noise."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.methods.sample.company import AHEAD, CATEGORIES, DAYS, END, MARKETS, SKUS, START, Family, dates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.sample.company import Company, Floats

DISCOUNT = 0.2  # off the shelf price on promotion days
WEBSHOP = 0.18  # share of the own shop where there is one
OUTAGES, OPEN_OUTAGES = 34, 4


def events() -> list[tuple[str, date, date, float]]:
    """Promotions of all markets: name, first day, last day, factor on demand."""
    found = []
    for year in (2024, 2025, 2026):
        first = date(year, 11, 1)
        thanksgiving = first + timedelta(days=(3 - first.weekday()) % 7 + 21)
        first = date(year, 7, 1)
        tuesday = first + timedelta(days=(1 - first.weekday()) % 7 + 7)
        found += [
            ("singles_day", date(year, 11, 11), date(year, 11, 11), 1.8),
            ("black_week", thanksgiving + timedelta(days=1), thanksgiving + timedelta(days=4), 2.6),
            ("spring_sale", date(year, 3, 20), date(year, 3, 25), 1.5),
            ("summer_deals", tuesday, tuesday + timedelta(days=1), 2.2),
        ]
    last = END + timedelta(days=AHEAD)
    return sorted((e for e in found if e[1] >= START and e[2] <= last), key=lambda e: e[1])


def promotions(company: Company) -> Floats:
    """Factor on demand per series and day (1 = no promotion), AHEAD days beyond the end too.

    An SKU takes part in an event with chance 0.65, in all its markets; some SKUs have coupon weeks of their own.
    """
    rng = company.random("promotions")
    factor = np.ones((SKUS, DAYS + AHEAD))
    for _ in range(2):
        first = rng.integers(20, DAYS - 20, SKUS)
        for i in np.flatnonzero(rng.random(SKUS) < 0.3):
            factor[i, first[i] : first[i] + 7] = 1.4
    for _, first_day, last_day, uplift in events():
        days = slice((first_day - START).days, (last_day - START).days + 1)
        factor[rng.random(SKUS) < 0.65, days] = uplift
    factor[company.items["intermittent"].to_numpy()] = 1.0
    item: NDArray[np.int64] = company.series["item"].to_numpy()
    return np.asarray(factor[item])


def expected(company: Company) -> Floats:
    """Mean units per series and day, AHEAD days beyond the end too, before noise and stock-outs."""
    import holidays

    rate, item, market = company.cells("rate", "item", "market_number")
    day = np.arange(DAYS + AHEAD)
    weekday = (day + START.weekday()) % 7
    calendar = [START + timedelta(days=int(d)) for d in day]
    day_of_year = np.array([d.timetuple().tm_yday for d in calendar])

    season = np.array([1 + c.amplitude * np.cos(2 * np.pi * (day_of_year - c.peak) / 365.25) for c in CATEGORIES])
    category = np.repeat(np.arange(len(CATEGORIES)), [c.count for c in CATEGORIES])
    week = np.array([m.weekday for m in MARKETS])[:, weekday]
    for number, m in enumerate(MARKETS):
        off = holidays.country_holidays(m.code, years=range(START.year, END.year + 1))
        week[number, [d in off for d in calendar]] *= m.holiday
    growth = company.items["growth"].to_numpy()[item]
    trend = np.exp(np.log1p(growth)[:, None] * (day - DAYS / 2)[None, :] / 365.25)

    launch = _days(company.items["launch_date"])[item]
    delisted = _days(company.items["delisted_date"])[item]
    age = day[None, :] - launch[:, None]
    # A launch takes some three weeks to reach its level.
    life = np.where(age < 0, 0, 1 - np.exp(-(age + 3) / 10)) * (day[None, :] < delisted[:, None])
    mean = rate[:, None] * season[category[item]] * week[market] * trend * life * promotions(company)
    # Rounded, so that the last bit of exp and cos on another processor changes no draw.
    return np.asarray(mean.round(6))


def outages(company: Company) -> pl.DataFrame:
    """Stock-outs per SKU and warehouse: first and last day; the open ones last to the end."""
    rng = company.random("outages")
    ready = company.pairs().filter(
        ~pl.col("intermittent")
        & pl.col("delisted_date").is_null()
        & (pl.col("launch_date") < START)
        & (pl.col("rate") > 0.8)
    )
    chosen = ready[rng.permutation(ready.height)[: OUTAGES + OPEN_OUTAGES]]
    length = rng.integers(7, 29, chosen.height)
    first = rng.integers(60, DAYS - 60, chosen.height)
    still = np.arange(chosen.height) >= OUTAGES
    first = np.where(still, DAYS - rng.integers(6, 16, chosen.height), first)
    last = np.where(still, DAYS - 1, first + length - 1)
    return chosen.select("sku", "warehouse", "market").with_columns(
        dates(first).alias("from"), dates(last).alias("to"), pl.Series("open", still)
    )


def family(company: Company) -> Family:
    """The table `sales` and what was planted in it."""
    rng = company.random("sales")
    mean, out = expected(company)[:, :DAYS], _outage_mask(company)
    units = _draw(company, rng, mean)
    units[out] = 0
    series, day = np.nonzero((units > 0) | out)
    sold = units[series, day]
    webshop = company.series["webshop"].to_numpy()[series]
    own = np.where(webshop, rng.binomial(sold, WEBSHOP), 0)
    promo = promotions(company)[:, :DAYS] > 1
    closed = out[series, day]

    market = rows(company, series, day, sold - own, promo, closed, "marketplace", keep=(sold > own) | closed)
    shop = rows(company, series, day, own, promo, closed, "webshop", keep=(own > 0) | (closed & webshop))
    back = _returns(company, rng, units, out, promo)
    sales = pl.concat([market, shop, back]).sort("date", "sku", "market", "warehouse", "channel")
    return Family({"sales": sales}, _truths(company))


def _draw(company: Company, rng: np.random.Generator, mean: Floats) -> NDArray[np.int64]:
    """Units: negative binomial around a slowly wandering level; slow movers sell rarely, then 1 or a few."""
    count = mean.shape[0]
    level = np.empty((count, DAYS))
    shock = rng.normal(0, 1, (count, DAYS))
    level[:, 0] = shock[:, 0]
    for t in range(1, DAYS):  # AR(1), half-life of three weeks
        level[:, t] = 0.968 * level[:, t - 1] + np.sqrt(1 - 0.968**2) * shock[:, t]
    wander = np.exp(0.08 * level - 0.08**2 / 2)
    shape = rng.uniform(6, 15, (count, 1))
    units = np.asarray(rng.poisson((mean * wander * rng.gamma(shape, 1 / shape, mean.shape)).round(6)), dtype=np.int64)
    slow = company.series["intermittent"].to_numpy()
    size = 1 + rng.poisson(0.6, (int(slow.sum()), DAYS))
    units[slow] = (rng.random(size.shape) < mean[slow] / 1.6) * size
    return units


def rows(
    company: Company, series: NDArray[Any], day: NDArray[Any], units: NDArray[Any], promo: NDArray[Any],
    closed: NDArray[Any], channel: str, keep: NDArray[Any],
) -> pl.DataFrame:  # fmt: skip
    """Rows of `sales` where `keep`: series and day by number, promo of every series and day, closed = could not be bought."""
    series, day, units, closed = series[keep], day[keep], units[keep], closed[keep]
    price, currency, on_offer = company.series["price"].to_numpy(), company.series["currency"], promo[series, day]
    paid = np.where(on_offer, price[series] * (1 - DISCOUNT), price[series])
    yen = (currency == "JPY").to_numpy()[series]
    at = pl.Series(series)
    return pl.DataFrame(
        {
            "date": dates(day),
            "sku": company.series["sku"].gather(at),
            "market": company.series["market"].gather(at),
            "warehouse": company.series["warehouse"].gather(at),
            "channel": pl.Series([channel], dtype=pl.String).new_from_index(0, len(at)),
            "units": units.astype(np.float64),
            "price": np.where(yen, paid.round(0), paid.round(2)),
            "currency": currency.gather(at),
            "promo": on_offer,
            "in_stock": ~closed,
        }
    )


def _returns(
    company: Company, rng: np.random.Generator, units: NDArray[np.int64], out: NDArray[Any], promo: NDArray[Any]
) -> pl.DataFrame:
    """Some units come back one to three weeks later, as negative rows of the channel `returns`.

    They say nothing of that day's shelf: promo and in_stock are empty.
    """
    share = np.repeat([c.returned for c in CATEGORIES], [c.count for c in CATEGORIES])
    back = rng.binomial(units, share[company.series["item"].to_numpy()][:, None])
    series, day = np.nonzero(back)
    later = day + rng.integers(7, 22, day.size)
    counted = np.zeros_like(units)
    inside = later < DAYS
    np.add.at(counted, (series[inside], later[inside]), back[series, day][inside])
    counted[out] = 0
    series, day = np.nonzero(counted)
    everything = np.ones(series.size, dtype=bool)
    back_rows = rows(
        company, series, day, -counted[series, day], np.zeros_like(promo), ~everything, "returns", everything
    )
    return back_rows.with_columns(promo=pl.lit(None, pl.Boolean), in_stock=pl.lit(None, pl.Boolean))


def _outage_mask(company: Company) -> NDArray[Any]:
    mask = np.zeros((company.series.height, DAYS), dtype=bool)
    sku, warehouse = company.series["sku"], company.series["warehouse"]
    for row in outages(company).iter_rows(named=True):
        days = slice((row["from"] - START).days, (row["to"] - START).days + 1)
        mask[((sku == row["sku"]) & (warehouse == row["warehouse"])).to_numpy(), days] = True
    return mask


def _days(column: pl.Series) -> NDArray[np.int64]:
    """Days since START; no date = never."""
    return (column - START).dt.total_days().fill_null(10**6).to_numpy()


def _truths(company: Company) -> dict[str, Any]:
    items = company.items
    slow = company.series.filter("intermittent").sort("sku", "market")
    new = items.filter(pl.col("launch_date") > END - timedelta(days=141))
    return {
        "season": {
            c.name: {
                "amplitude": c.amplitude,
                "peak_day_of_year": c.peak,
                "skus": f"{c.prefix}101..{c.prefix}{100 + c.count}",
            }
            for c in CATEGORIES
        },
        "weekday_index": {m.code: list(m.weekday) for m in MARKETS},
        "holiday_factor": {m.code: m.holiday for m in MARKETS},
        "promotions": [{"name": n, "from": a, "to": b, "factor": f} for n, a, b, f in events() if b <= END],
        "coupon_week_factor": 1.4,
        "promotion_discount": DISCOUNT,
        "growth_per_year": {
            sku: growth for sku, growth in items.select("sku", "growth").iter_rows() if growth in (0.6, -0.4)
        },
        "stock_outs": [
            row | {"market": "|".join(row["market"])}
            for row in outages(company).sort("sku", "warehouse").iter_rows(named=True)
        ],
        "intermittent": [f"{sku}@{market}" for sku, market in slow.select("sku", "market").iter_rows()],
        "new_items": dict(new.select("sku", "launch_date").iter_rows()),
        "delisted_items": dict(
            items.filter(pl.col("delisted_date").is_not_null()).select("sku", "delisted_date").iter_rows()
        ),
    }
