"""What a stock brings until its sell-by day under a path of discounts, and the path that brings most.

The value of a path: net price of what is sold, less storage, less the disposal of what is left, each discounted at the
rate of capital; what is left at the sell-by day is worth nothing. Demand that comes after the stock is gone is met by new
goods at the regular price: it earns price less unit cost (where that is above 0), so that clearing early is not taken for
losing the customers.

Demand of a stage is the forecast's, times the uplift of its discount. Uplift: (1 - d)^elasticity up to the deepest discount
that the data have seen; beyond, the exponential demand curve that touches it there, which promises less. Part of the
uplift of a promotion is borrowed from the seller's own later weeks (van Heerde, Leeflang & Wittink 2004 find about a
third); a lasting discount does not get it. The elasticity is random (three points of a normal); it stays what it is over
the whole path, and nothing is learnt on the way: run it again with new sales.

All items at once: items x discounts x elasticities x stages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods import counts
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.protection import Demand

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Gauss-Hermite points of the elasticity, in standard deviations, and their weights.
POINTS = np.array([-np.sqrt(3.0), 0.0, np.sqrt(3.0)])
WEIGHTS = np.array([1 / 6, 2 / 3, 1 / 6])
#: Rows (items x discounts) looked at together: keeps memory flat.
CHUNK = 4096
#: Rounds of the search over all stages at most; an item is left alone as soon as a round gains nothing.
SWEEPS = 4
#: What a discount of 100 % over the whole time has to earn at least, as a share of the excess's value.
DEAR = 0.02


@dataclass(frozen=True)
class Goods:
    """n items. stock: units that can be sold; excess: those of them that are more than needed. price: net of what selling costs in proportion to it, per unit at the regular
    price; effort: what selling a unit costs besides. unit_cost. storage: n x P, cost of one unit between the points of the outlook.
    disposal: per unit left. capital: rate per year. elasticity, sd, deepest: n. All money in one currency."""

    stock: Floats
    excess: Floats
    price: Floats
    effort: Floats
    unit_cost: Floats
    storage: Floats
    disposal: Floats
    capital: Floats
    elasticity: Floats
    sd: Floats
    deepest: Floats


@dataclass(frozen=True)
class Outlook:
    """Demand of n items at the regular price. edges: K + 1 days of the stages, from 0; points: P + 1 days, their halves too
    (P = 2 K) or the edges alone (P = K); mean, var: n x P, between the points."""

    edges: Floats
    points: Floats
    mean: Floats
    var: Floats

    @property
    def per_stage(self) -> int:
        """Steps between points in a stage."""
        return (len(self.points) - 1) // (len(self.edges) - 1)


@dataclass(frozen=True)
class Worth:
    """m rows, money at today's value. income: of what is sold, and the margin of new goods after it. storage: and disposal of
    what is left. sold: units until the end. left: expected stock at each point, m x (P + 1)."""

    income: Floats
    storage: Floats
    sold: Floats
    left: Floats

    @property
    def value(self) -> Floats:
        """Of the path."""
        return self.income - self.storage


def stages(days: int, step: int) -> Floats:
    """Days on which the price may change: the first after `step` days, then ever more rarely (step x j^1.5)."""
    edges = [0]
    while edges[-1] < days:
        edges.append(step * round(len(edges) ** 1.5))
    edges[-1] = days
    if len(edges) > 2 and edges[-1] - edges[-2] < step / 2:
        del edges[-2]
    return np.array(edges, dtype=np.float64)


def ahead(demand: Demand, days: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the demand of the next days, n x J, past the end of the forecast too.

    There the forecast's average rate goes on; what is not known of its level at the end is not known after it, so that the
    variance beyond a Poisson's grows with the square of time.
    """
    reach = demand.reach[:, None]
    times = np.maximum(np.broadcast_to(days, (len(demand.mean), days.shape[-1])) / reach, 1.0)
    mean, var = demand.at(np.minimum(days, reach))
    over = np.maximum(var - mean, 0.0)
    return mean * times, np.minimum(var, mean) * times + over * times**2


def outlook(demand: Demand, days: int, step: int) -> Outlook:
    """The forecast in half stages."""
    edges = stages(days, step)
    points = np.sort(np.concatenate([edges, (edges[1:] + edges[:-1]) / 2]))
    mean, var = ahead(demand, points[None, :])
    return Outlook(edges, points, np.maximum(np.diff(mean), 0.0), np.maximum(np.diff(var), 0.0))


def part(goods: Goods, rows: Rows) -> Goods:
    """The same of some items."""
    return Goods(**{name: value[rows] for name, value in vars(goods).items()})


def part_of(view: Outlook, rows: Rows) -> Outlook:
    """The same of some items."""
    return Outlook(view.edges, view.points, view.mean[rows], view.var[rows])


def uplift(elasticity: Floats, deepest: Floats, discount: Floats, borrowed: float) -> Floats:
    """Demand at a discount over demand at the regular price; arguments broadcast. An elasticity above 0 counts as 0."""
    e = np.minimum(elasticity, 0.0)
    seen = np.minimum(discount, deepest)
    log = e * np.log1p(-seen) - e * (discount - seen) / (1 - deepest)
    out: Floats = 1 + (1 - borrowed) * np.expm1(np.minimum(log, 5.0))
    return out


def worth(
    goods: Goods, view: Outlook, rows: Rows, discount: Floats, borrowed: float, stock: Floats | None = None
) -> Worth:
    """What each row is worth.

    rows: m item numbers. discount: m x K shares of the regular price. stock: m other stocks than the items' own.
    """
    held = goods.stock[rows] if stock is None else stock
    parts = [slice(i, i + CHUNK) for i in range(0, max(len(rows), 1), CHUNK)]
    done = [_worth(goods, view, rows[p], discount[p], borrowed, held[p]) for p in parts]
    return Worth(*(np.concatenate([getattr(d, name) for d in done]) for name in ("income", "storage", "sold", "left")))


def _worth(goods: Goods, view: Outlook, rows: Rows, discount: Floats, borrowed: float, held: Floats) -> Worth:
    e = goods.elasticity[rows, None, None] + goods.sd[rows, None, None] * POINTS[:, None]
    d = np.repeat(discount, view.per_stage, axis=1)
    u = uplift(e, goods.deepest[rows, None, None], d[:, None, :], borrowed)
    base, var = view.mean[rows, None, :], view.var[rows, None, :]
    over = np.maximum(var - base, 0.0)
    mean = np.cumsum(u * base, axis=2)
    spread = np.cumsum(u * np.minimum(var, base) + u**2 * over, axis=2)
    left = np.concatenate(
        [
            np.broadcast_to(held[:, None, None], (*mean.shape[:2], 1)),
            counts.left_over(held[:, None, None], mean, spread),
        ],
        axis=2,
    )
    left = np.minimum.accumulate(left, axis=2)
    sold = -np.diff(left)
    middle = (view.points[1:] + view.points[:-1]) / 2
    rate = np.log1p(goods.capital[rows, None])
    time_value = np.exp(-rate * middle / DAYS_OF_YEAR)
    margin = np.maximum(goods.price[rows] - goods.effort[rows] - goods.unit_cost[rows], 0.0)[:, None]
    after = ((base - sold / u) * WEIGHTS[:, None]).sum(1) * margin
    left, sold = (left * WEIGHTS[:, None]).sum(1), (sold * WEIGHTS[:, None]).sum(1)
    income = sold * (goods.price[rows, None] * (1 - d) - goods.effort[rows, None])
    kept = (left[:, 1:] + left[:, :-1]) / 2 * goods.storage[rows]
    at_end = left[:, -1] * goods.disposal[rows] * np.exp(-rate[:, 0] * view.points[-1] / DAYS_OF_YEAR)
    return Worth(((income + after) * time_value).sum(1), (kept * time_value).sum(1) + at_end, sold.sum(1), left)


def best_path(goods: Goods, view: Outlook, grid: Floats, borrowed: float) -> Floats:
    """The path of discounts with the highest gain found, n x K.

    First the best of one discount until a stage or from a stage on; then stage by stage: from this stage on, and in this
    stage alone, other discounts, as long as anything is gained.
    The gain is that of `gain_of`, less DEAR of the excess's value per full discount: a discount has to earn something.
    While searching, stages are looked at as a whole; a path that gains nothing when their halves are looked at is dropped.
    """
    found = _search(*_by_stage(goods, view), grid, borrowed)
    every, regular = np.arange(len(found)), np.zeros_like(found)
    keep = worth(goods, view, every, regular, borrowed).value
    needed = worth(goods, view, every, regular, borrowed, goods.stock - goods.excess).value
    better = gain_of(goods, view, every, found, borrowed, needed) > keep
    return np.where(better[:, None], found, 0.0)


def _search(goods: Goods, view: Outlook, grid: Floats, borrowed: float) -> Floats:
    n, k = len(goods.stock), len(view.edges) - 1
    needed = worth(goods, view, np.arange(n), np.zeros((n, k)), borrowed, goods.stock - goods.excess).value
    price = DEAR * goods.excess * goods.unit_cost / k

    def gain(rows: Rows, path: Floats) -> Floats:
        out: Floats = gain_of(goods, view, rows, path, borrowed, needed[rows]) - price[rows] * path.sum(1)
        return out

    begin = _beginnings(len(grid), k)
    value = gain(np.repeat(np.arange(n), len(begin)), grid[np.tile(begin, (n, 1))]).reshape(n, -1)
    at = begin[value.argmax(1)]
    best = value.max(1)
    open_ = np.ones(n, dtype=bool)
    for sweep in range(SWEEPS):
        reach = (-9, -6, -3, -1, 1, 3) if sweep == 0 else (-2, -1, 1, 2)
        before = best.copy()
        for stage in range(k):
            for until in {stage + 1, k} if stage else {1}:
                rows = np.flatnonzero(open_)
                if not rows.size:
                    break
                tried = np.repeat(at[rows][:, None, :], len(reach), axis=1)
                moved = np.clip(tried[:, :, stage] + np.array(reach), 0, len(grid) - 1)
                tried[:, :, stage:until] = moved[:, :, None]
                got = gain(np.repeat(rows, len(reach)), grid[tried.reshape(-1, k)]).reshape(rows.size, -1)
                pick = got.argmax(1)
                better = got[np.arange(rows.size), pick] > best[rows] + 1e-9 * (1 + np.abs(best[rows]))
                at[rows[better]] = tried[better, pick[better]]
                best[rows[better]] = got[better, pick[better]]
        open_ &= best > before + 1e-6 * (1 + np.abs(before))
    out: Floats = grid[at]
    return out


def _by_stage(goods: Goods, view: Outlook) -> tuple[Goods, Outlook]:
    """The same with the two halves of each stage together."""
    n, k = len(goods.stock), len(view.edges) - 1
    if view.per_stage == 1:
        return goods, view
    mean, var, storage = (a.reshape(n, k, -1).sum(2) for a in (view.mean, view.var, goods.storage))
    return replace(goods, storage=storage), Outlook(view.edges, view.edges, mean, var)


def _beginnings(discounts: int, k: int) -> NDArray[np.intp]:
    """Paths to begin with, as numbers of discounts: none; one until a stage, or from a stage on."""
    stage = np.arange(k)
    coarse = range(2, discounts, 2) if discounts > 8 else range(1, discounts)
    until = [np.where(stage < last, d, 0) for last in range(1, k + 1) for d in coarse]
    since = [np.where(stage >= first, d, 0) for first in range(1, k) for d in coarse]
    return np.array([np.zeros(k, dtype=np.intp), *until, *since]).astype(np.intp)


def gain_of(goods: Goods, view: Outlook, rows: Rows, path: Floats, borrowed: float, needed: Floats) -> Floats:
    """Value of the stock on a path, less what the same discounts would earn on the needed stock alone.

    That part would pay without the excess too: it says that the regular price is too high, which is not for a clearance
    to settle. needed: value of the needed stock at the regular price, m.
    """
    whole = worth(goods, view, rows, path, borrowed).value
    alone = worth(goods, view, rows, path, borrowed, (goods.stock - goods.excess)[rows]).value
    return whole - np.maximum(alone - needed, 0.0)


def chance_sold(
    goods: Goods, view: Outlook, discount: Floats, borrowed: float, stock: Floats, points: Floats
) -> Floats:
    """The chance that `stock` (n) is gone by each of the days `points` (n x J) under the path."""
    d = np.repeat(discount, view.per_stage, axis=1)
    u = uplift(
        goods.elasticity[:, None, None] + goods.sd[:, None, None] * POINTS[:, None],
        goods.deepest[:, None, None],
        d[:, None, :],
        borrowed,
    )
    base, var = view.mean[:, None, :], view.var[:, None, :]
    zero = np.zeros((*u.shape[:2], 1))
    mean = np.concatenate([zero, np.cumsum(u * base, axis=2)], axis=2)
    spread = np.concatenate(
        [zero, np.cumsum(u * np.minimum(var, base) + u**2 * np.maximum(var - base, 0.0), axis=2)], axis=2
    )
    left = np.clip(np.searchsorted(view.points, points, side="right") - 1, 0, len(view.points) - 2)
    part = ((points - view.points[left]) / (view.points[left + 1] - view.points[left]))[:, None, :]
    at = np.broadcast_to(left[:, None, :], (*u.shape[:2], points.shape[1]))
    m, v = (np.take_along_axis(a, at, 2) * (1 - part) + np.take_along_axis(a, at + 1, 2) * part for a in (mean, spread))
    gone = 1 - counts.cdf(np.ceil(stock - 1e-9)[:, None, None] - 1, m, v)
    out: Floats = np.clip((gone * WEIGHTS[:, None]).sum(1), 0.0, 1.0)
    return out


def spread_of_difference(
    goods: Goods, view: Outlook, first: Floats, second: Floats, borrowed: float, stocks: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Standard deviations of value(first path) - value(second path), n each: by chance of demand, by the elasticity.

    Demand at five points of its deviation, the same for both paths and over the whole time.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(5)
    weight = weight / weight.sum()
    n = len(goods.stock)
    table = np.zeros((n, len(z), len(POINTS)))
    for i, point in enumerate(z):
        for j, shift in enumerate(POINTS):
            sd = np.sqrt(np.cumsum(view.var, axis=1))
            total = np.maximum(np.cumsum(view.mean, axis=1) + point * sd, 0.0)
            certain = np.maximum(np.diff(np.maximum.accumulate(total, axis=1), axis=1, prepend=0.0), 0.0)
            known = Outlook(view.edges, view.points, certain, np.zeros_like(certain))
            fixed = Goods(**vars(goods) | {"elasticity": goods.elasticity + shift * goods.sd, "sd": np.zeros(n)})
            values = [
                worth(fixed, known, np.arange(n), path, borrowed, stock).value
                for path, stock in zip((first, second), stocks, strict=True)
            ]
            table[:, i, j] = values[0] - values[1]
    over_demand, over_e = (table * weight[:, None]).sum(1), (table * WEIGHTS).sum(2)

    def deviation(values: Floats, weights: Floats) -> Floats:
        middle = (values * weights).sum(1, keepdims=True)
        out: Floats = np.sqrt(((values - middle) ** 2 * weights).sum(1))
        return out

    return deviation(over_e, weight), deviation(over_demand, WEIGHTS)
