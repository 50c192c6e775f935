"""Demand per SKU and warehouse over any number of days ahead, as mean and variance of its cumulative total.

From a forecast with a warehouse per series, or a forecast per market and the table `coverage`. The forecast's own
cumulative quantiles (total of periods 1..h) are read, never a sum of the quantiles of single periods.

Stated assumptions: markets pooled into one warehouse are independent, or correlated as the setting says; the demand of
a part of a period has that part of the period's mean and of its variance (independent increments).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import special

from cbec.core.errors import InputRejected
from cbec.core.words import of
from cbec.methods import counts, words
from cbec.tables.demand import IN_LOTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

SERIES = ("sku", "market", "warehouse", "channel")
#: Shares of a market may miss 1 by this much (thirds written with two decimals); they are scaled to 1.
SHARE_TOLERANCE = 0.02
#: Points of a random lead time.
LEAD_POINTS = 21
#: The level at which a spread is read where none decides.
MIDDLE = 0.95
#: What the levels that do not decide weigh beside the one which does; longer totals from which the spread of few units is read
#: besides, and what each level of them weighs of that.
OTHER, LONGER, LONGER_WEIGHT = 0.05, 10, 0.3
EPOCH = date(1970, 1, 1)
#: A period of each frequency: to its end in Polars' words, and its days on the average.
PERIOD = {
    "H": ("1h", 1 / 24),
    "D": ("1d", 1.0),
    "W": ("1w", 7.0),
    "M": ("1mo", 365.25 / 12),
    "Q": ("1q", 365.25 / 4),
    "Y": ("1y", 365.25),
}


@dataclass(frozen=True)
class Clock:
    """When the forecast's periods end, seen from the evening of `today`.

    today: day of the order; demand counts from the day after. frequency: of the forecast. edges: H + 1 days since
    `today`: start of period 1 (not after 0), then the end of each period.
    """

    today: date
    frequency: str
    edges: Floats

    def day(self, offset: int) -> date:
        """`offset` days after today."""
        return self.today + timedelta(days=offset)

    def dates(self, name: str, offset: Floats) -> pl.Series:
        """Days after today as dates; none where it is NaN."""
        days = pl.Series(name, offset, nan_to_null=True).cast(pl.Int64).to_frame()
        return days.select((pl.lit(self.today) + pl.duration(days=name)).cast(pl.Date).alias(name)).to_series()

    def offset(self, days: pl.Series) -> Floats:
        """Dates as days after today."""
        return (days.to_physical().to_numpy() - (self.today - EPOCH).days).astype(np.float64)


@dataclass(frozen=True)
class Linked:
    """Series of the forecast joined to the warehouses that serve them.

    items: n rows sku, warehouse, sorted. item, series, share: one entry per link, sorted by item. mean, seller:
    S x H cumulative mean and S daily rate of the seller formula (NaN = none). quantiles: 3 x S x H cumulative
    quantiles of counts.UPPER. known: periods that each series has. names: the SERIES columns of the S series. lot: S, units
    that its customers buy at a time.
    """

    items: pl.DataFrame
    item: Rows
    series: Rows
    share: Floats
    mean: Floats
    quantiles: Floats
    seller: Floats
    known: NDArray[np.intp]
    names: pl.DataFrame
    lot: Floats

    def rate(self, clock: Clock) -> Floats:
        """Expected units per day and item, over the whole forecast."""
        last = self.known - 1
        span = clock.edges[1:][last] - clock.edges[0]
        per_day = self.share * (self.mean[np.arange(len(self.mean)), last] / span)[self.series]
        return np.bincount(self.item, weights=per_day, minlength=self.items.height).astype(np.float64)

    def seller_rate(self) -> Floats:
        """Units per day and item by the seller formula; NaN where a series has none."""
        rate = self.share * self.seller[self.series]
        return np.bincount(self.item, weights=rate, minlength=self.items.height).astype(np.float64)


@dataclass(frozen=True)
class Demand:
    """Cumulative demand of n items: days (K, from 0), mean and var (n x K), reach (n, days known), lot (n, units bought at a
    time, 1 = any number)."""

    days: Floats
    mean: Floats
    var: Floats
    reach: Floats
    lot: Floats

    def at(self, days: Floats, rows: Rows | None = None) -> tuple[Floats, Floats]:
        """Mean and variance of the demand of the next `days` days.

        days: m or m x J for the items `rows` (default all). Between the ends of periods both run straight; past the
        last known period they run on at its rate, which only the far end of a random lead time meets.
        """
        rows = np.arange(len(self.mean)) if rows is None else rows
        rows = rows.reshape(-1, *[1] * (days.ndim - 1))
        left = np.clip(np.searchsorted(self.days, days, side="right") - 1, 0, len(self.days) - 2)
        part = (days - self.days[left]) / (self.days[left + 1] - self.days[left])
        mean, var = (a[rows, left] + part * (a[rows, left + 1] - a[rows, left]) for a in (self.mean, self.var))
        return mean, var


def clock(forecast: pl.DataFrame, as_of: date | None) -> Clock:
    """The calendar of a forecast.

    as_of: the day of the order, default that of the forecast. Where the first period begins later (data by weeks or
    months whose last period is over), the day before it is meant. A period that has begun counts with what is left.
    Raises InputRejected where series disagree on as_of, frequency or dates, or the forecast is over by then.
    """
    if forecast.is_empty():
        raise InputRejected("forecast: it has no rows")
    for column in ("as_of", "frequency"):
        found = forecast[column].unique().sort().to_list()
        if len(found) > 1:
            raise InputRejected(
                f"forecast: several values of {column} ({', '.join(map(str, found[:3]))}); orders need one forecast at a time",
                hint="give the output of one run of `cbec forecast demand`",
            )
    frequency = str(forecast["frequency"][0])
    steps = forecast.select("h", pl.col("date").cast(pl.Datetime("us"))).unique().sort("h", "date")
    if steps["h"].to_list() != list(range(1, steps.height + 1)):
        raise InputRejected(
            "forecast: the periods h = 1, 2, ... do not have one date each", hint="one forecast at a time"
        )
    end = steps["date"].tail(1).dt.offset_by(PERIOD[frequency][0])
    edges = pl.concat([steps["date"], end]).dt.epoch("us").to_numpy() / 86_400_000_000
    today = max(as_of or forecast["as_of"][0], EPOCH + timedelta(days=int(np.floor(edges[0])) - 1))
    edges = edges - (today - EPOCH).days - 1
    edges[0] = min(edges[0], 0.0)  # hours may begin after midnight
    if edges[-1] <= 0:
        raise InputRejected(f"forecast: its last period ends before {today}", hint="make a new forecast")
    return Clock(today, frequency, edges)


def link(forecast: pl.DataFrame, coverage: pl.DataFrame | None, clock: Clock) -> Linked:
    """Join series to warehouses.

    A series with a warehouse is its demand. Others go by market through `coverage`. Raises InputRejected where a
    market has no row there or its shares do not sum to 1.
    """
    if (forecast["sku"] == "*").any():
        raise InputRejected(
            "forecast: it is not by SKU, and stock is", hint="forecast by SKU: `cbec forecast demand --by sku,market`"
        )
    columns = ["cum_mean", *(f"cum_q{round(100 * p)}" for p in counts.UPPER), "seller_formula"]
    rows = forecast.select(
        "sku",
        pl.col("market").fill_null("*"),
        "warehouse",
        "channel",
        "h",
        *(pl.col(c).cast(pl.Float64) for c in columns),
        lot=pl.col("flags").str.extract(rf"(?:^|\|){IN_LOTS}(\d+)").cast(pl.Float64),
    )
    names = rows.select(SERIES).unique().sort(SERIES, nulls_last=True).with_row_index("series")
    cells = rows.join(names, on=list(SERIES), how="left", nulls_equal=True, maintain_order="left")
    columns.append("lot")
    shape = (names.height, len(clock.edges) - 1)
    at = (cells["series"].to_numpy(), cells["h"].to_numpy() - 1)
    values = np.full((len(columns), *shape), np.nan)
    for i, column in enumerate(columns):
        values[i][at] = cells[column].to_numpy()
    known = np.where(np.isnan(values[0]).any(1), np.isnan(values[0]).argmax(1), shape[1])
    if (known == 0).any():
        bad = names.row(int(known.argmin()), named=True)
        raise InputRejected(f"forecast: no period h = 1 for SKU {bad['sku']}, market {bad['market']}")
    links = _links(names, coverage)
    items = links.select("sku", "warehouse").unique().sort("sku", "warehouse")
    links = links.join(items.with_row_index("item"), on=["sku", "warehouse"], how="left").sort("item", "series")
    # Past its last period a short series stays level; `reach` keeps orders from using that.
    # Less than a billionth of a unit is nothing.
    total = np.fmax.accumulate(np.where(values[:4] > 1e-9, values[:4], 0.0), axis=2)
    return Linked(
        items,
        links["item"].to_numpy().astype(np.intp),
        links["series"].to_numpy().astype(np.intp),
        links["share"].to_numpy(),
        total[0],
        total[1:],
        values[4][:, 0] / (clock.edges[1] - clock.edges[0]),
        known.astype(np.intp),
        names.select(SERIES),
        np.nan_to_num(np.fmax.reduce(values[5], axis=1), nan=1.0),
    )


def _links(names: pl.DataFrame, coverage: pl.DataFrame | None) -> pl.DataFrame:
    direct = names.filter(pl.col("warehouse").is_not_null()).select(
        "series", "sku", "warehouse", pl.lit(1.0).alias("share")
    )
    by_market = names.filter(pl.col("warehouse").is_null()).select("series", "sku", "market")
    if by_market.is_empty():
        return direct
    markets = by_market["market"].unique().sort().to_list()
    example = f"market,warehouse,share\\n{markets[0]},YOUR_WAREHOUSE,1"
    if coverage is None:
        raise InputRejected(
            "the forecast has no warehouse, and no table says which warehouse serves which market",
            hint=f'give --coverage FILE with one line per market, for example the file "{example}", '
            "or forecast by warehouse (`cbec forecast demand --by sku,warehouse`)",
        )
    served = coverage.with_columns(pl.col("share").fill_null(1.0)).filter(pl.col("market").is_in(markets))
    served = served.sort("market", "warehouse")
    total = served.group_by("market", maintain_order=True).agg(pl.col("share").sum().alias("sum"))
    missing = sorted(set(markets) - set(total["market"].to_list()))
    if missing:
        raise InputRejected(
            f"coverage: no warehouse for market {words.some(missing, 5)}",
            hint=f'add a row per market to coverage, for example "{missing[0]},YOUR_WAREHOUSE,1"',
        )
    wrong = total.filter((pl.col("sum") - 1).abs() > SHARE_TOLERANCE).sort("market")
    if wrong.height:
        raise InputRejected(
            f"coverage: the shares of market {wrong['market'][0]} sum to {wrong['sum'][0]:g}, not to 1",
            hint="write the column share, the part of the market's demand that each warehouse serves (an empty share is 1)",
        )
    served = served.join(total, on="market").filter(pl.col("share") > 0)
    pairs = by_market.join(
        served.select("market", "warehouse", share=pl.col("share") / pl.col("sum")), on="market", how="left"
    )
    return pl.concat([direct, pairs.select(direct.columns)])


def demand(
    linked: Linked,
    clock: Clock,
    horizon: Floats,
    target: Floats,
    correlation: float,
    short: NDArray[np.bool_] | None = None,
) -> Demand:
    """Cumulative demand per item.

    horizon: n, days over which stock must last (the spread is read off there). target: n, service levels: the
    quantile nearest to it gives the spread, so that the level asked for is the forecast's own. NaN = no level decides.
    correlation: between the series that one warehouse serves. short: n, whether the units short are asked for (a fill
    rate): a whole quantile of few units leaves open how many, so that longer totals are asked too. Raises InputRejected
    where the forecast of a series is over today.
    """
    ends = clock.edges[1:]
    z = special.ndtri(np.array(counts.UPPER))
    near = np.abs(special.ndtri(np.where(np.isnan(target), MIDDLE, target))[:, None] - z).argmin(1)[linked.item]
    at = np.minimum(np.searchsorted(ends, horizon - 1e-9), len(ends) - 1)[linked.item]
    mean = linked.mean[linked.series]
    longer = np.zeros(len(near), bool) if short is None else short[linked.item]
    share, lot = linked.share[:, None], linked.lot[linked.series, None]
    var = _variance(linked, mean, at, near, np.where(np.isnan(target), 1.0, OTHER)[linked.item], longer)
    # Each buyer of the market is served from this warehouse with probability `share`: the count is thinned. A share
    # of the quantile would leave nothing of the chance in small counts (half of a Poisson 2 is a Poisson 1, not
    # half as spread).
    mean, var = share * mean, share**2 * var + share * (1 - share) * lot * mean
    first = np.flatnonzero(np.diff(linked.item, prepend=-1))
    together = np.add.reduceat(var, first, axis=0)
    if correlation > 0:
        together = (1 - correlation) * together + correlation * np.add.reduceat(np.sqrt(var), first, axis=0) ** 2
    reach = np.minimum.reduceat(ends[linked.known - 1][linked.series], first)
    if (reach <= 0).any():
        name = linked.items.row(int(reach.argmin()), named=True)
        raise InputRejected(
            f"forecast: its periods of SKU {name['sku']} for {name['warehouse']} end before {clock.today} ({of(int((reach <= 0).sum()), 'item')})",
            hint="make a new forecast, or see whether rows of it were left out (--max-bad)",
        )
    of_all = np.gcd.reduceat(lot[:, 0].astype(np.int64), first).astype(np.float64)
    return _from_today(clock, np.add.reduceat(mean, first, axis=0), together, reach, of_all)


def _variance(linked: Linked, mean: Floats, at: Rows, near: Rows, other: Floats, longer: NDArray[np.bool_]) -> Floats:
    """Variance of each link's market per horizon (before thinning), links x H. What is bought in lots is counted in lots.

    at: the period at whose end it matters; near: the level that decides; other: what the other levels weigh; longer: whether
    longer totals do too. One entry per link.
    """
    lot = linked.lot[linked.series]
    var, mean = np.zeros_like(mean), mean / lot[:, None]
    for i in range(len(counts.UPPER)):
        of = np.flatnonzero(near == i)
        # Rounded up: stock comes in whole units, and the continuity correction of `counts.cdf` gives the same unit back.
        var[of] = counts.implied_variance(
            i, mean[of], np.ceil(linked.quantiles[i][linked.series[of]] / lot[of, None] - 1e-6)
        )
    rows = np.arange(len(mean))
    here = mean[rows, at]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(here > 0, var[rows, at] / here, 1.0)
    few = here < counts.COUNT_MEAN
    for rows, more in ((np.flatnonzero(few & ~longer), 0), (np.flatnonzero(few & longer), LONGER)):
        ratio[rows] = _dispersion(linked, mean, at[rows], near[rows], other[rows], rows, more)
    # The steps of small counts hide their spread. Where few units are expected the ratio variance / mean at the
    # horizon that matters holds for all (that of a compound Poisson demand does not depend on the horizon).
    limit = np.where(here < counts.COUNT_MEAN, counts.COUNT_MEAN, 10.0)
    var = np.where(mean < limit[:, None], ratio[:, None] * mean, var)
    out: Floats = np.maximum.accumulate(var, axis=1) * lot[:, None] ** 2
    return out


def _dispersion(linked: Linked, mean: Floats, at: Rows, near: Rows, other: Floats, rows: Rows, more: int) -> Floats:
    """Variance over mean of the links `rows` by their totals of periods 1..at + 1 and of `more` longer times, further and
    further apart: those weigh LONGER_WEIGHT times what another level does, since errors that last spread them wider. mean: in lots."""
    own, width = at + 1.0, mean.shape[1]
    ends = [np.rint(own * (width / own) ** (i / max(more, 1))).astype(np.intp) - 1 for i in range(more + 1)]
    totals = np.stack([mean[rows, end] for end in ends])
    series = linked.series[rows]
    quantiles = [np.stack([q[series, end] / linked.lot[series] for end in ends]) for q in linked.quantiles]
    levels = np.arange(len(counts.UPPER))[:, None]
    weights = [np.where(levels == near, 1.0, other)]
    weights += [np.where(m < counts.COUNT_MEAN, LONGER_WEIGHT * other, 0.0) + 0.0 * levels for m in totals[1:]]
    return counts.dispersion(totals, quantiles, np.stack(weights))


def _from_today(clock: Clock, mean: Floats, var: Floats, reach: Floats, lot: Floats) -> Demand:
    """Totals since the first period's start into totals since today."""
    zero = np.zeros((len(mean), 1))
    whole = Demand(clock.edges, np.hstack([zero, mean]), np.hstack([zero, var]), reach, lot)
    if clock.edges[0] < 0:
        keep = clock.edges > 0
        past = whole.at(np.zeros(len(mean)))
        mean, var = (a[:, keep] - b[:, None] for a, b in zip((whole.mean, whole.var), past, strict=True))
        whole = Demand(np.append(0.0, clock.edges[keep]), np.hstack([zero, mean]), np.hstack([zero, var]), reach, lot)
    return whole


def lead_times(days: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Lead times and their weights, n x J: J = 1 where no sd is over 0, else a gamma in LEAD_POINTS equal bins.

    Bins from its 0.1 % to its 99.9 % quantile, each at its middle. Mixing the distribution over them holds for any
    demand; the formula z * sqrt(L sd_d^2 + d^2 sd_L^2) only for a normal sum.
    """
    random = (sd > 0) & (days > 0)
    if not random.any():
        return days[:, None], np.ones((len(days), 1))
    # Few policies hold for many items: the quantiles of each pair are worked out once.
    pairs, which = np.unique(np.stack([days, sd], 1), axis=0, return_inverse=True)
    which = which.reshape(-1)
    if len(pairs) < len(days):
        middle, weight = lead_times(pairs[:, 0], pairs[:, 1])
        return middle[which], weight[which]
    spread = np.where(random, sd, 1.0)
    shape, scale = np.where(random, days / spread, 1.0) ** 2, spread**2 / np.where(random, days, 1.0)
    low, high = (special.gammaincinv(shape, p) for p in (0.001, 0.999))
    edges = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, LEAD_POINTS + 1)
    weight = np.diff(special.gammainc(shape[:, None], edges), axis=1)
    middle = (edges[:, :-1] + edges[:, 1:]) / 2 * scale[:, None]
    weight /= weight.sum(1, keepdims=True)
    return np.where(random[:, None], middle, days[:, None]), weight


def check_reach(linked: Linked, clock: Clock, demand: Demand, needed: Floats) -> None:
    """InputRejected where the forecast ends before the `needed` days (n) of an item, with the horizon to ask for."""
    short = np.flatnonzero(needed > demand.reach + 1e-9)
    if not short.size:
        return
    worst = int(short[np.argmax(needed[short] - demand.reach[short])])
    have = int(np.searchsorted(clock.edges[1:], demand.reach[worst] - 1e-9)) + 1
    more = int(np.ceil((needed[worst] - demand.reach[worst]) / PERIOD[clock.frequency][1] - 1e-9))
    name = linked.items.row(worst, named=True)
    raise InputRejected(
        f"forecast: it ends {demand.reach[worst]:g} days after {clock.today}, too soon for {short.size} of {len(needed)} items: "
        f"SKU {name['sku']} at {name['warehouse']} needs {needed[worst]:g} days of lead time and review",
        hint=f"forecast further ahead: `cbec forecast demand --horizon {have + more}` (periods of frequency {clock.frequency})",
    )
