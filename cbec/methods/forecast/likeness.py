"""Cold start: what is new is expected to sell like what was launched before it, and less so with every period of its own.

Analogues are series of the same category (then price band, market as far as there are enough of them) whose launch lies in
the data. Aligned by launch and divided by the catalogue's own ups and downs, they tell the course of a launch and, by how far
their levels differ, how sure one can be of the level: a gamma distribution, updated by the new series' own sales as counts
(gamma-Poisson; Gelman et al., Bayesian Data Analysis, section 2.6). What follows is negative binomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.methods import counts
from cbec.methods.forecast import tables
from cbec.tables.demand import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Analogues wanted; with fewer the next wider group is asked, and below ENOUGH there is no answer.
WANTED, ENOUGH = 8, 3
#: Prices within this ratio are of one band.
BAND = 2.0
#: Launches without any course that stand beside those seen, at most.
FLAT = 4.0
#: Periods of a launch that are read together where few launches are known, at most.
SPAN = 5
#: Spread of the level around that of an analogue named by hand, as a share of it.
BY_HAND = 0.5
#: And around that of analogues at least: a handful that are alike by chance makes nobody that sure.
ALIKE = 0.3


def day(moment: date | datetime) -> date:
    """The day of a moment."""
    return moment.date() if isinstance(moment, datetime) else moment


def completed(frame: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    """The frame with columns that it lacks, empty."""
    return frame.with_columns(pl.lit(None, t).alias(c) for c, t in columns.items() if c not in frame.columns)


@dataclass(frozen=True)
class Catalogue:
    """What analogues are drawn from. value: n x A units by age, divided by the catalogue's index, NaN beyond what is known;
    index: T past and h coming values of the index; age: n, known periods since the launch (0: not launched);
    seen: n, whether its launch lies in the data; labels: per tier the group of each series, -1 = none; price: n."""

    value: Floats
    index: Floats
    age: Ints
    seen: NDArray[np.bool_]
    labels: dict[str, Ints]
    price: Floats
    dispersion: float


@dataclass(frozen=True)
class Made:
    """Forecasts of some series by analogues: rows (m), point (m x h), and how each came about."""

    rows: Ints
    point: Floats
    told: list[dict[str, Any]]


def catalogue(panel: Panel, point: Floats, products: pl.DataFrame | None, h: int) -> Catalogue:
    """point: n x h, what the usual methods forecast: the index goes on with that of the series that are not new."""
    width = panel.units.shape[1]
    units = panel.filled
    old = (panel.first <= 1) & ~panel.obsolete
    index = np.ones(width + h)
    if old.sum() >= ENOUGH:
        sums = np.concatenate([np.nansum(units[old], 0), point[old].sum(0)])
        usual = sums[:width].mean()
        index = np.maximum(sums / usual, 0.05) if usual > 0 else index
    age = np.where(panel.first < width, width - panel.first, 0)
    steps = np.arange(width)
    at = np.minimum(panel.first[:, None] + steps, width - 1)
    value = np.take_along_axis(units / index[:width], at, 1)
    value[steps[None, :] >= age[:, None]] = np.nan
    labels, price, begun = _kinship(panel, products)
    # What sold before the data begin was launched before, though its first sale of them may come late.
    seen = (panel.first > 1) & (age > 0) & ~begun
    return Catalogue(value, index, age.astype(np.int64), seen, labels, price, _dispersion(value))


def _kinship(panel: Panel, products: pl.DataFrame | None) -> tuple[dict[str, Ints], Floats, NDArray[np.bool_]]:
    """Groups per tier, prices, and which series were launched before the data begin (by products, where these tell)."""
    keys = tables.keys(panel).select("sku", "market")
    none = np.full(keys.height, -1, np.int64)
    if products is None:
        return (
            {"category and market": none, "category": none},
            np.full(keys.height, np.nan),
            np.zeros(keys.height, bool),
        )
    products = completed(products, category=pl.String, price=pl.Float64, launch_date=pl.Date)
    about = keys.join(
        products.select("sku", "category", "price", "launch_date"), on="sku", how="left", maintain_order="left"
    )
    lacks = about["category"].is_null().to_numpy()

    def group(*columns: str) -> Ints:
        words = about.select(pl.concat_str([pl.col(c).fill_null("") for c in columns], separator="\x1f")).to_series()
        return np.where(lacks, -1, words.rank("dense").to_numpy().astype(np.int64))

    price = about["price"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    start = day(tables.moments(panel.ordinals[:1], panel.frequency)[0])
    begun = (about["launch_date"] < start).fill_null(False).to_numpy()
    return {"category and market": group("category", "market"), "category": group("category")}, price, begun


def _dispersion(value: Floats) -> float:
    """Usual variance over mean of a series' periods, at least that of counts; by the differences from one period to the next (von
    Neumann 1941), since the course of a launch is no noise."""
    known = ~np.isnan(value)
    n = known.sum(1)
    use = n >= 8
    if not use.any():
        return 1.0
    mean = np.nanmean(value[use], 1)
    var = np.nanmean(np.diff(value[use], axis=1) ** 2, 1) / 2
    ratio = var[mean > 0] / mean[mean > 0]
    return float(np.clip(np.median(ratio), 1.0, 50.0)) if ratio.size else 1.0


def analogues(of: Catalogue, row: int, age: int, h: int, by_hand: Sequence[int] = ()) -> tuple[str, Ints]:
    """Which series stand for a new one, and by what: named by hand, or the narrowest group that holds enough."""
    if by_hand:
        return "named", np.asarray(by_hand, np.int64)
    able = of.seen & (of.age >= age + min(h, 4)) & (of.age >= 4)
    able[row] = False
    price = of.price[row]
    near = np.abs(np.log(of.price / price)) <= np.log(BAND) if price > 0 else np.zeros(len(able), bool)
    tiers = []
    for name, label in of.labels.items():
        same = able & (label == label[row]) & (label[row] >= 0)
        tiers += [(f"{name}, price band", same & near), (name, same)]
    tiers.append(("every launch", able))
    for name, some in tiers:
        if some.sum() >= WANTED:
            return name, np.flatnonzero(some)
    fullest = max(tiers, key=lambda t: int(t[1].sum()))
    return fullest[0], np.flatnonzero(fullest[1])


def forecast(of: Catalogue, rows: Ints, h: int, starts: Ints, by_hand: dict[int, list[int]], now: int) -> Made:
    """Forecast the series `rows` (m) as known `now` periods after the beginning of the data.

    starts: m, periods ahead until the launch (0: launched already). Series without enough analogues are left out.
    """
    points, told = [], []
    for row, start in zip(rows.tolist(), starts.tolist(), strict=True):
        found = _one(of, row, h, start, by_hand.get(row, []), now)
        if found is not None:
            points.append(found.pop("point"))
            told.append(found)
    return Made(np.array([t["row"] for t in told], np.int64), np.array(points).reshape(-1, h), told)


def _one(of: Catalogue, row: int, h: int, start: int, by_hand: list[int], now: int) -> dict[str, Any] | None:
    age = int(of.age[row])
    tier, donors = analogues(of, row, age, h, by_hand)
    if not by_hand and len(donors) < ENOUGH:
        return None
    course, mean, var = _launches(of, donors, age + h)
    if mean <= 0:
        return None
    var = max(var, ((BY_HAND if by_hand else ALIKE) * mean) ** 2)
    own = np.nan_to_num(of.value[row, :age])
    # The gamma of the level, and what the series' own sales add to it: units, and periods they were sold in.
    shape = mean**2 / var + own.sum() / of.dispersion
    level = shape / (mean / var + course[:age].sum() / of.dispersion)
    ahead = np.zeros(h)
    ahead[start:] = course[age : age + h - start] * of.index[now + start : now + h]
    return {
        "row": row, "point": np.round(level * ahead, 4), "analogues": donors, "tier": tier, "periods": age, "prior": mean,
        "level": level, "shape": shape, "own": float(own.mean()) if age else None, "start": start,
    }  # fmt: skip


def _launches(of: Catalogue, donors: Ints, length: int) -> tuple[Floats, float, float]:
    """The usual course (mean 1 over what is known) by age, and mean and variance of the levels."""
    value = of.value[donors, :length]
    level = np.nanmean(value, 1)
    use = level > 0
    if not use.any():
        return np.ones(length), 0.0, 0.0
    course = _course(value[use] / level[use, None], of.dispersion / float(level[use].mean()))
    long = np.concatenate([course, np.full(max(length - len(course), 0), course[-4:].mean() if len(course) else 1.0)])
    # The variance of levels holds what chance adds to each; only the rest is a difference of the products.
    noise = float(np.mean(of.dispersion * level / np.maximum((~np.isnan(value)).sum(1), 1)))
    spread = float(level.var(ddof=1)) if len(level) > 1 else 0.0
    return long, float(level.mean()), max(spread - noise, 0.0)


def _course(relative: Floats, noise: float) -> Floats:
    """Mean course of launches over their own level (m x ages, NaN = not known), drawn to 1 as by launches without any course.

    Few launches tell little of one period: they are read over those beside it, and as many stand against them as their
    disagreement over a period (of a single one: `noise`, that of its counts) is larger than the ups and downs of the course; FLAT at most.
    """
    there = ~np.isnan(relative)
    at = np.arange(relative.shape[1])
    half = np.minimum(
        min(SPAN, WANTED // len(relative)) // 2, np.minimum(at, at[::-1])
    )  # the first weeks rise: no mean of later ones

    def near(values: Floats) -> Floats:
        total = np.append(0.0, np.cumsum(values))
        return np.asarray(total[at + half + 1] - total[at - half])

    count = near(there.sum(0))
    usual = near(np.where(there, relative, 0.0).sum(0)) / np.maximum(count, 1)
    single = np.where(there, relative, 0.0).sum(0) / np.maximum(there.sum(0), 1)
    freedom = int((there.sum(0) - 1).clip(0).sum())
    within = np.nansum((relative - single) ** 2) / freedom if freedom else noise
    between = float(np.mean((usual - 1) ** 2 - within / np.maximum(count, 1)))
    more = float(np.clip(within / between, 0.0, FLAT)) if between > 0 else FLAT
    return np.asarray((usual * count + more) / np.maximum(count + more, 1e-9))


def quantiles(mean: Floats, dispersion: float, shape: Floats) -> Floats:
    """8 x m x h quantiles of counts whose rates (mean m x h) are gamma distributed with shapes m."""
    flat = mean.reshape(-1)
    var = np.maximum(flat * dispersion + flat**2 / np.repeat(shape, mean.shape[1]), 1e-9)
    one = np.ones((len(flat), 1))
    found = [counts.level(np.full(len(flat), q), flat[:, None], var[:, None], one) for q in LEVELS]
    return np.stack(found).reshape(len(LEVELS), *mean.shape) * (mean > 0)
