"""From tables to the network of positions and flows that transfers are planned on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import rate_to
from cbec.methods import protection, terms, unitcost
from cbec.methods.warehouse import fan, slotting
from cbec.methods.warehouse.transfer import Lanes, Network

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.protection import Clock

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]
    Flags = NDArray[np.bool_]

#: The level at which the spread of demand is read off the forecast.
LEVEL = 0.95
#: Windows that lost demand is looked at in; arrivals between two borders count as of the later one.
WINDOWS = 6
#: Volume by which units share a trip where their own is not known and the trip holds all.
NOMINAL_M3 = 0.001
DAYS_OF_YEAR = 365.0


@dataclass(frozen=True)
class Settings:
    """Of `warehouse rebalance`."""

    as_of: date | None
    home: str | None
    lost: bool
    cover_days: float
    review_days: float
    holding_rate: float
    markup: float
    correlation: float
    packs: bool
    lot_cost: float


@dataclass(frozen=True)
class World:
    """The network and what its answer needs: positions (sku, warehouse), horizon in days, what was left out and why."""

    net: Network
    clock: Clock
    positions: pl.DataFrame
    horizon: Floats
    forecast: Flags
    units: Floats
    currency: str | None
    guessed: int
    unknown: dict[str, list[str]]


def build(
    forecast: pl.DataFrame,
    inventory: pl.DataFrame,
    lanes: pl.DataFrame,
    policies: pl.DataFrame | None,
    coverage: pl.DataFrame | None,
    products: pl.DataFrame | None,
    inbound: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    s: Settings,
) -> World:
    """The network of all SKUs. Raises InputRejected where the forecast is too short, UsageFault for mixed currencies."""
    clock = protection.clock(forecast, s.as_of)
    linked = protection.link(forecast, coverage, clock)
    key = ["sku", "warehouse"]
    positions = pl.concat([linked.items, inventory.select(key)]).unique().sort(key)
    policy = terms.choose(
        positions,
        _anywhere(s) if policies is None else policies,
        products,
        service_level=LEVEL,
        review_days=s.review_days,
        holding_rate=s.holding_rate,
    )
    horizon = policy.protection
    asked = linked.items.join(positions.with_row_index("at"), on=key, how="left", maintain_order="left")["at"]
    asked_at = asked.to_numpy().astype(np.intp)
    n = positions.height
    ahead = protection.demand(linked, clock, horizon[asked_at], np.full(len(asked_at), LEVEL), s.correlation)
    protection.check_reach(linked, clock, ahead, horizon[asked_at])
    held = terms.stock(positions, inventory, inbound, clock)
    prices = unitcost.prices(
        positions, inventory, products, rates, policy, today=clock.today, home=s.home, markup=s.markup
    )
    currency, per_lane = _money(lanes, prices.currency, rates, clock, s.home)
    m3, kg = slotting.attributes(positions["sku"].to_list(), products)
    ways, at = _lanes(lanes, per_lane["cost_fixed"])
    hold = prices.unit_cost * policy.holding_rate / DAYS_OF_YEAR + np.nan_to_num(m3) * policy.storage
    flows = _flows(positions, ways, at, lanes, per_lane, prices, policy, held.free, horizon, m3, kg, s.packs)
    borders = _reviews(horizon, policy.review) if not s.lost else _windows(ways.days, horizon, n)
    ends = np.minimum(borders, horizon[:, None])
    mean, var = np.zeros_like(ends), np.zeros_like(ends)
    mean[asked_at], var[asked_at] = ahead.at(ends[asked_at])
    demand = np.maximum.accumulate(fan.paths(mean, var), axis=1)
    begins = np.hstack([np.zeros((n, 1)), borders[:, :-1]])
    span = np.maximum(ends - np.minimum(begins, horizon[:, None]), 0.0)
    coming, excess = _inbound(held, borders, ends, horizon, demand)
    # A lot serves the window that begins when it is there (lost), or the review by which it has come (waits).
    ready = begins if s.lost else borders
    late = flows.days[:, None] > ready[flows.target] + 1e-9
    window = late.sum(axis=1).astype(np.intp)
    useful = (window < ends.shape[1]) & (flows.days < horizon[flows.target])
    net = Network(
        lost=s.lost,
        skus=positions["sku"].unique().sort().to_list(),
        places=positions["warehouse"].to_list(),
        sku=(positions["sku"].rank("dense") - 1).to_numpy().astype(np.intp),
        stock=held.free,
        short=np.nan_to_num(prices.shortage),
        hold=np.nan_to_num(hold),
        span=span,
        demand=demand,
        coming=coming,
        excess=excess,
        lanes=ways,
        source=flows.source[useful],
        target=flows.target[useful],
        lane=flows.lane[useful],
        window=window[useful],
        cost=flows.cost[useful],
        m3=flows.m3[useful],
        pack=flows.pack[useful],
        lot=s.lot_cost,
    )
    known = np.zeros(n, bool)
    known[asked_at] = True
    total = np.zeros(n)
    total[asked_at] = mean[asked_at, -1]
    return World(
        net, clock, positions, horizon, known, total, currency, int(prices.guessed.sum()), flows.unknown
    )  # fmt: skip


def _anywhere(s: Settings) -> pl.DataFrame:
    """The policy where no table tells one: stock is looked after for `cover_days`."""
    from cbec.tables.stock import policies

    kinds = {c.name: pl.String if c.kind == "text" else pl.Float64 for c in policies.columns}
    first = max(s.cover_days - s.review_days, 0.0)
    row = dict.fromkeys(kinds) | {"lead_time_days": first, "review_days": min(s.review_days, s.cover_days)}
    return pl.DataFrame([row], schema=kinds)


def _money(
    lanes: pl.DataFrame, known: str | None, rates: pl.DataFrame | None, clock: Clock, home: str | None
) -> tuple[str | None, dict[str, Floats]]:
    """The currency of the answer, and the costs of each lane in it (0 where none is told)."""
    told = sorted(lanes["currency"].drop_nulls().unique().to_list())
    both = sorted({*told, *([known] if known else [])})
    if home is None and len(both) > 1:
        raise UsageFault(
            f"costs are in {', '.join(both)}, and no home currency is set", hint="set --home-currency and give --rates"
        )
    currency = home or (both[0] if both else None)
    rate = np.ones(lanes.height)
    if told and currency is not None:
        days = lanes.select("currency", pl.lit(clock.today).alias("day"))
        rate = rate_to(days, "currency", "day", rates, currency).to_numpy()
    names = ("cost_per_unit", "cost_per_kg", "cost_fixed")
    return currency, {c: lanes[c].cast(pl.Float64).fill_null(0.0).to_numpy() * rate for c in names}


def _lanes(lanes: pl.DataFrame, fixed: Floats) -> tuple[Lanes, pl.DataFrame]:
    """Lanes in the order of the table, with their numbers."""
    ways = Lanes(
        lanes["from_warehouse"].to_list(),
        lanes["to_warehouse"].to_list(),
        np.ceil(lanes["transit_days"].to_numpy() - 1e-9).astype(np.intp),
        fixed,
        lanes["capacity_m3"].cast(pl.Float64).fill_null(np.inf).to_numpy(),
        lanes["customs"].fill_null(False).to_list(),
    )
    return ways, lanes.select("from_warehouse", "to_warehouse").with_row_index("lane")


@dataclass(frozen=True)
class _Flows:
    source: Rows
    target: Rows
    lane: Rows
    days: Rows
    cost: Floats
    m3: Floats
    pack: Floats
    unknown: dict[str, list[str]]


def _flows(
    positions: pl.DataFrame,
    ways: Lanes,
    at: pl.DataFrame,
    lanes: pl.DataFrame,
    per_lane: dict[str, Floats],
    prices: unitcost.Prices,
    policy: terms.Terms,
    free: Floats,
    horizon: Floats,
    m3: Floats,
    kg: Floats,
    packs: bool,
) -> _Flows:
    """Every lane for every SKU that has free stock where it starts and a place where it ends."""
    numbered = positions.with_row_index("position")
    pairs = (
        numbered.rename({"warehouse": "from_warehouse", "position": "source"})
        .join(at, on="from_warehouse")
        .join(numbered.rename({"warehouse": "to_warehouse", "position": "target"}), on=["sku", "to_warehouse"])
        .sort("source", "target", "lane")
    )
    source, target, lane = (pairs[c].to_numpy().astype(np.intp) for c in ("source", "target", "lane"))
    pack = np.maximum(np.ceil(policy.pack), 1.0)[source] if packs else np.ones(len(source))
    enough = free[source] >= pack
    priced = ~(np.isnan(prices.unit_cost) | np.isnan(prices.shortage))
    cost_known = priced[source] & priced[target]
    weight_known = (per_lane["cost_per_kg"][lane] <= 0) | ~np.isnan(kg[source])
    room_known = np.isinf(ways.room[lane]) | ~np.isnan(m3[source])
    names = positions["sku"].to_list()

    def several(which: Flags) -> list[str]:
        return sorted({names[i] for i in source[enough & which].tolist()})

    unknown = {"cost": several(~cost_known), "weight": several(~weight_known), "volume": several(~room_known)}
    good = enough & cost_known & weight_known & room_known
    source, target, lane, pack = source[good], target[good], lane[good], pack[good]
    capital = prices.unit_cost[source] * policy.holding_rate[source] * ways.days[lane] / DAYS_OF_YEAR
    freight = per_lane["cost_per_unit"][lane] + per_lane["cost_per_kg"][lane] * np.nan_to_num(kg[source])
    volume = np.where(np.isnan(m3[source]), NOMINAL_M3, m3[source])
    return _Flows(source, target, lane, ways.days[lane], freight + capital, volume, pack, unknown)


def _reviews(horizon: Floats, review: Floats) -> Floats:
    """Days of the reviews of each position until its horizon, the last one repeated."""
    count = int(np.ceil((horizon / np.maximum(review, 1.0)).max(initial=1.0) - 1e-9))
    days = np.arange(1, max(count, 1) + 1) * np.maximum(review, 1.0)[:, None]
    out: Floats = np.minimum(days, horizon[:, None])
    return out


def _windows(days: Rows, horizon: Floats, n: int) -> Floats:
    """Ends of windows, the same for all: they begin when lanes arrive, at most WINDOWS of them."""
    last = float(horizon.max(initial=1.0))
    starts = np.unique(days[days < last]).astype(np.float64)
    starts = starts[starts > 0]
    while len(starts) > WINDOWS - 1:
        # The two that lie nearest (by ratio) become the later one.
        near = int(np.argmin(np.diff(np.log(starts))))
        starts = np.delete(starts, near)
    return np.tile(np.append(starts, last), (n, 1))


def _inbound(
    held: terms.Stock, borders: Floats, ends: Floats, horizon: Floats, demand: Floats
) -> tuple[Floats, Floats]:
    """Inbound until the end of each window, and the largest excess of demand over inbound within it, path by path.

    Within a window demand grows evenly. The evening before a delivery is when the shelf is emptiest.
    """
    n, windows = borders.shape
    coming = np.zeros((n, windows))
    counts = held.day <= horizon[held.item]
    item, day, qty = held.item[counts], held.day[counts].astype(np.float64), held.qty[counts]
    for r in range(windows):
        here = day <= borders[item, r] + 1e-9
        coming[:, r] = np.bincount(item[here], weights=qty[here], minlength=n)
    excess = demand - coming[:, :, None]
    order = np.lexsort((day, item))
    item, day, qty = item[order], day[order], qty[order]
    so_far = np.zeros(n)
    for position, when, units in zip(item.tolist(), day.tolist(), qty.tolist(), strict=True):
        r = int(np.searchsorted(borders[position], when - 1e-9))
        start = 0.0 if r == 0 else float(ends[position, r - 1])
        before = np.zeros(demand.shape[2]) if r == 0 else demand[position, r - 1]
        width = max(float(ends[position, r]) - start, 1e-9)
        share = min(max(when - 1 - start, 0.0) / width, 1.0)
        at_eve = before + share * (demand[position, r] - before)
        excess[position, r] = np.maximum(excess[position, r], at_eve - so_far[position])
        so_far[position] += units
    return coming, excess


def lane_names(world: World) -> list[str]:
    """`FROM-TO` of each lane, with its days where two lanes join the same warehouses."""
    ways = world.net.lanes
    pairs = list(zip(ways.start, ways.end, strict=True))
    return [
        f"{a}-{b}" + (f" {d}d" if pairs.count((a, b)) > 1 else "")
        for (a, b), d in zip(pairs, ways.days.tolist(), strict=True)
    ]


def strange_places(world: World, lanes: pl.DataFrame) -> list[str]:
    """Warehouses that lanes name and nobody else knows. InputRejected where no lane joins two known ones."""
    places = set(world.positions["warehouse"].to_list())
    joined = lanes.filter(pl.col("from_warehouse").is_in(places) & pl.col("to_warehouse").is_in(places))
    if joined.is_empty():
        raise InputRejected(
            f"transfer_lanes: none joins two of the warehouses {', '.join(sorted(places)[:5])}",
            hint="from_warehouse and to_warehouse must be written as in inventory and coverage",
        )
    return sorted({*lanes["from_warehouse"].to_list(), *lanes["to_warehouse"].to_list()} - places)
