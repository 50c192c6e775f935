"""Decision cost: what the stock would have cost with orders that follow from the forecasts of past origins.

At each origin of `forecast backtest` the forecast made there serves every order until the horizon ends (it is not made
anew at each review, which would favour whoever reacts fastest). All methods begin with the same stock: deliveries of
the recent mean for each review of the lead time. The replay runs by period; unmet demand waits or is lost; holding is
paid on the stock at the end of a period, shortage per unit that finds the shelf empty. Costs count from the first
arrival that an order can change. Where unmet demand is lost, cbec's orders are those of `lostsales`: the quantile of what the
review after the arrival lacks, from draws. Periods whose demand is not known (out of stock) pass with the recent mean and cost
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import special

from cbec.methods import counts, protection, unitcost
from cbec.methods import terms as policy
from cbec.methods.forecast import lostsales, targets
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR
from cbec.methods.forecast.orders import in_packs

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.terms import Terms
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: How many times a unit short counts in the critical ratio: preferred numbers (ISO 3), R20 (steps of an eighth) where most are best, R10
#: further out.
FACTORS = (
    0.2, 0.25, 0.32, 0.4, 0.45, 0.5, 0.56, 0.63, 0.71, 0.8, 0.9, 1.0, 1.12, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0, 10.0,
)  # fmt: skip
#: Series times draws whose demand is drawn at a time, where unmet demand is lost.
BLOCK = 4096 * lostsales.REPLAYED
#: Recent known periods from which the starting stock and the spread of methods without a distribution come.
RECENT = 26


@dataclass(frozen=True)
class Origin:
    """One past origin, told by `name`: rows = numbers of its m series; known: m x T units before it; after: m x H units that came (NaN =
    not known); forecasts: per method m x H means; cumulative: 3 x m x H upper quantiles (counts.UPPER) of cbec's totals; lot: m, units
    bought at a time."""

    day: date
    rows: Rows
    known: Floats
    after: Floats
    forecasts: dict[str, Floats]
    ours: str
    cumulative: Floats
    lot: Floats
    name: str = ""


@dataclass(frozen=True)
class World:
    """Terms and prices of all n series, and what unmet demand does."""

    terms: Terms
    prices: Prices
    frequency: str
    lost: bool

    @property
    def days(self) -> float:
        """Days of a period."""
        return protection.PERIOD[self.frequency][1]

    def lead(self, rows: Rows) -> Rows:
        """Whole periods from an order to its arrival."""
        return np.ceil(self.terms.lead[rows] / self.days - 1e-9).astype(np.intp)

    def review(self, rows: Rows) -> Rows:
        """Whole periods between two orders."""
        return np.maximum(np.round(self.terms.review[rows] / self.days), 1).astype(np.intp)


@dataclass(frozen=True)
class Played:
    """Per series and period, m x H: units left at the end and units short; NaN where they do not count."""

    left: Floats
    short: Floats

    def holding(self, world: World, rows: Rows) -> Floats:
        """Cost of holding, m x H."""
        rate = world.prices.unit_cost * world.terms.holding_rate * world.days / DAYS_OF_YEAR
        return self.left * rate[rows, None]

    def shortage(self, world: World, rows: Rows) -> Floats:
        """Cost of what was short, m x H."""
        return self.short * world.prices.shortage[rows, None]


def costed(world: World) -> NDArray[np.bool_]:
    """Which series have both costs."""
    return ~np.isnan(world.prices.unit_cost * world.prices.shortage)


def by_method(world: World, origin: Origin) -> dict[str, Floats]:
    """Decision cost of every method, per series of the origin (m; NaN where the costs are not known).

    Methods without a distribution hold the textbook's safety stock: z x sd of recent demand x sqrt(periods).
    """
    rows = origin.rows
    level = np.clip(np.nan_to_num(world.terms.service[rows], nan=0.95), targets.LOWEST, targets.HIGHEST)
    draws = lostsales.Replayed(float(level.max(initial=0.0)))
    if world.lost and len(rows) * draws.count > BLOCK and len(rows) > 1:
        parts = [by_method(world, part) for part in _parts(origin, draws.count)]
        return {name: np.concatenate([part[name] for part in parts]) for name in origin.forecasts}
    sd = _recent(origin.known)[1]
    out = {}
    for name, mean in origin.forecasts.items():
        if name == origin.ours:
            need = _distribution(world, origin, level)
        else:
            need = _textbook(np.cumsum(mean, 1), sd, special.ndtri(level))
        played = play(
            world,
            origin,
            need,
            draws.of(need.mean, need.var, need.lot) if world.lost and name == origin.ours else None,
        )
        cost = np.nansum(played.holding(world, rows) + played.shortage(world, rows), 1)
        out[name] = np.where(costed(world)[rows], cost, np.nan)
    return out


def _parts(origin: Origin, draws: int) -> list[Origin]:
    """Blocks of the series of an origin: what is drawn of them has to fit into memory."""
    size = max(BLOCK // draws, 1)
    blocks = [slice(at, at + size) for at in range(0, len(origin.rows), size)]
    return [
        replace(
            origin,
            rows=origin.rows[b],
            known=origin.known[b],
            after=origin.after[b],
            forecasts={name: values[b] for name, values in origin.forecasts.items()},
            cumulative=origin.cumulative[:, b],
            lot=origin.lot[b],
        )
        for b in blocks
    ]


def by_factor(
    world: World, origin: Origin, factor: float, draws: lostsales.Replayed | None = None
) -> tuple[Floats, Played]:
    """Orders of cbec's distribution at the critical ratio with a unit short counted `factor` times: their levels (m), and what became of them.

    draws: of the origin, kept for the next factor.
    """
    level = _levels(world, origin, factor)
    need = _distribution(world, origin, level)
    draws = draws or lostsales.Replayed(float(level.max(initial=0.0)))
    return level, play(world, origin, need, draws.of(need.mean, need.var, need.lot) if world.lost else None)


def _levels(world: World, origin: Origin, factor: float) -> Floats:
    """m, service levels of targets in money."""
    target = np.where(world.terms.target == "cost_single_period", world.terms.target, "cost_carry_over")
    terms, _ = targets.by_cost(replace(world.terms, target=target), world.prices, world.terms.review, factor)
    return np.nan_to_num(terms.service[origin.rows], nan=0.95)


class _Need:
    """Order-up-to level at decision t for the periods t .. end - 1."""

    def __init__(self, mean: Floats, var: Floats, level: Floats | None, z: Floats | None, lot: Floats) -> None:
        self.mean, self.var, self.level, self.z, self.lot = mean, var, level, z, lot

    def at(self, t: int, end: Rows, some: Rows) -> Floats:
        last = np.minimum(end, self.mean.shape[1] - 1)
        mean = np.maximum(self.mean[some, last] - self.mean[some, t], 0.0)
        var = np.maximum(self.var[some, last] - self.var[some, t], 0.0)
        if self.z is not None:
            out: Floats = np.maximum(np.ceil(mean + self.z[some] * np.sqrt(var) - 1e-9), 0.0)
            return out
        assert self.level is not None
        return counts.level(self.level[some], mean[:, None], var[:, None], np.ones((len(some), 1)), self.lot[some])


def _textbook(cumulative: Floats, sd: Floats, z: Floats) -> _Need:
    zero = np.zeros((len(cumulative), 1))
    steps = np.arange(cumulative.shape[1] + 1)
    return _Need(np.hstack([zero, cumulative]), sd[:, None] ** 2 * steps, None, z, np.ones(len(cumulative)))


def _distribution(world: World, origin: Origin, level: Floats) -> _Need:
    """cbec's own: the spread is read from its cumulative quantiles as `forecast replenish` reads it."""
    mean = np.cumsum(origin.forecasts[origin.ours], 1)
    m, h = mean.shape
    linked = protection.Linked(
        pl.DataFrame({"sku": np.arange(m), "warehouse": np.zeros(m)}),
        np.arange(m),
        np.arange(m),
        np.ones(m),
        mean,
        np.maximum.accumulate(origin.cumulative, axis=2),
        np.full(m, np.nan),
        np.full(m, h),
        pl.DataFrame(),
        origin.lot,
    )
    clock = protection.Clock(origin.day, world.frequency, np.arange(h + 1) * world.days)
    # Of lost sales each review is drawn by itself (see `lostsales`).
    reach = ((0 if world.lost else world.lead(origin.rows)) + world.review(origin.rows)) * world.days
    demand = protection.demand(linked, clock, np.minimum(reach, h * world.days), level, 0.0)
    return _Need(demand.mean, demand.var, level, None, origin.lot)


def _recent(known: Floats) -> tuple[Floats, Floats]:
    """Mean and sd of the last known periods, m each."""
    last = known[:, -RECENT:]
    count = (~np.isnan(last)).sum(1)
    mean = np.where(count > 0, np.nansum(last, 1) / np.maximum(count, 1), 0.0)
    squares = np.nansum((last - mean[:, None]) ** 2, 1)
    return mean, np.sqrt(squares / np.maximum(count - 1, 1))


def play(world: World, origin: Origin, need: _Need, draws: Floats | None = None) -> Played:
    """Walk the stock of every series through the periods after the origin.

    draws: h x m x draws; given, orders are those of lost sales, else they lift the position to the level.
    """
    rows, (m, h) = origin.rows, origin.after.shape
    lead, review = world.lead(rows), world.review(rows)
    mean = _recent(origin.known)[0]
    lot = np.round(mean * review)
    steps = np.arange(h)
    arriving = np.where((steps < lead[:, None]) & (steps % review[:, None] == 0) & (steps > 0), lot[:, None], 0.0)
    stock, owed = lot.copy(), np.zeros(m)
    left, short = np.full((m, h), np.nan), np.full((m, h), np.nan)
    on_order = arriving.sum(1)
    for t in range(h):
        # An order is placed before the period begins, and reaches the shelf `lead` periods later.
        due = np.flatnonzero((t % review == 0) & (t + lead < h))
        if due.size:
            end = np.minimum(t + lead + review, h)[due]
            if draws is None:
                want = need.at(t, end, due) - (stock - owed + on_order)[due]
            else:
                assert need.level is not None
                want = lostsales.lacking(
                    draws[:, due], stock[due], arriving[due], t, (t + lead)[due], end, need.level[due]
                )
            order = in_packs(want, world.terms.moq[rows[due]], world.terms.pack[rows[due]])
            arriving[due, t + lead[due]] += order
            on_order[due] += order
        stock, on_order = stock + arriving[:, t], on_order - arriving[:, t]
        served = np.minimum(stock, owed)
        stock, owed = stock - served, owed - served
        known = ~np.isnan(origin.after[:, t])
        asked = np.where(known, origin.after[:, t], np.round(mean))
        sold = np.minimum(stock, asked)
        stock = stock - sold
        missed = asked - sold
        if not world.lost:
            owed = owed + missed
        counted = known & (t >= lead)
        left[counted, t], short[counted, t] = stock[counted], missed[counted]
    return Played(left, short)


def reachable(world: World, h: int) -> NDArray[np.bool_]:
    """Which series have an order within `h` periods whose whole review is in them."""
    every = np.arange(len(world.terms.lead))
    return world.lead(every) + world.review(every) <= h


def record(world: World, origins: list[Origin]) -> tuple[pl.DataFrame, float | None]:
    """Table `stock_record`, and the factor that cost least over all origins (None where no cost is known).

    Of an origin the factor is the one that would have cost least at the origins before, by what was known by then: the
    weeks of an earlier window that lie after the origin do not count.
    """
    order = sorted(origins, key=lambda o: (o.day, o.known.shape[1]))
    known = costed(world)
    if not order or not known.any():
        return nothing(), None
    cells = {(i, f): c for i, origin in enumerate(order) for f, c in _cells(world, origin, known).items()}
    rows, width = [], [o.known.shape[1] for o in order]
    for i, origin in enumerate(order):
        past = {
            f: sum(float((cells[j, f][0] + cells[j, f][1])[: width[i] - width[j]].sum()) for j in range(i))
            for f in FACTORS
        }
        cost = {f: float((cells[i, f][0] + cells[i, f][1]).sum()) for f in FACTORS}
        chosen = min(FACTORS, key=lambda f: (past[f], abs(np.log(f))))
        rows += [
            _row(origin.name or str(origin.day), f, [cells[i, f]], f == chosen, f == min(FACTORS, key=cost.__getitem__))
            for f in FACTORS
        ]
    whole = {f: sum(float((cells[i, f][0] + cells[i, f][1]).sum()) for i in range(len(order))) for f in FACTORS}
    best = min(FACTORS, key=lambda f: (whole[f], abs(np.log(f))))
    rows += [_row("all", f, [cells[i, f] for i in range(len(order))], f == best, False) for f in FACTORS]
    return pl.DataFrame(rows, schema=_RECORD), best


def _cells(world: World, origin: Origin, known: NDArray[np.bool_]) -> dict[float, tuple[Floats, Floats, float, float]]:
    """Per factor: holding and shortage by period, units short, and the mean level, of the series with known costs."""
    on = np.flatnonzero(known[origin.rows]).size
    h = origin.after.shape[1]
    sums = {f: (np.zeros(h), np.zeros(h), 0.0, 0.0) for f in FACTORS}
    highest = float(_levels(world, origin, max(FACTORS)).max(initial=0.0))
    for part in _parts(origin, lostsales.Replayed(highest).count) if world.lost else [origin]:
        draws, here = lostsales.Replayed(highest), known[part.rows]
        for factor, (hold, miss, short, level) in sums.items():
            found, played = by_factor(world, part, factor, draws)
            costs = (played.holding(world, part.rows), played.shortage(world, part.rows))
            more = [np.nansum(c[here], 0) for c in costs]
            units = float(np.nansum(played.short[here]))
            sums[factor] = (hold + more[0], miss + more[1], short + units, level + float(found[here].sum()))
    return {f: (hold, miss, short, level / max(on, 1)) for f, (hold, miss, short, level) in sums.items()}


_RECORD = {
    "origin": pl.String, "ratio_factor": pl.Float64, "service_level": pl.Float64, "holding": pl.Float64, "shortage": pl.Float64,
    "cost": pl.Float64, "units_short": pl.Float64, "verdict": pl.String,
}  # fmt: skip


def nothing() -> pl.DataFrame:
    """Table `stock_record` without rows."""
    return pl.DataFrame(schema=_RECORD)


def world(
    keys: pl.DataFrame,
    frequency: str,
    policies: pl.DataFrame,
    coverage: pl.DataFrame | None,
    products: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    rules: Rules,
) -> World:
    """Terms and prices of every series. A market's policies are those of the warehouse that serves most of it."""
    items = keys.with_columns(pl.lit(None, pl.String).alias(c) for c in ("sku", "warehouse") if c not in keys.columns)
    if "warehouse" not in keys.columns and coverage is not None and "market" in keys.columns:
        most = coverage.sort("share", "warehouse", descending=[True, False], nulls_last=True).unique(
            "market", keep="first", maintain_order=True
        )
        items = items.drop("warehouse").join(
            most.select("market", "warehouse"), on="market", how="left", maintain_order="left"
        )
    items = items.select("sku", "warehouse")
    terms = policy.choose(
        items, policies, products,
        service_level=rules.service_level, review_days=rules.review_days, holding_rate=rules.holding_rate,
    )  # fmt: skip
    blank = pl.DataFrame(
        schema={"sku": pl.String, "warehouse": pl.String, "unit_cost": pl.Float64, "currency": pl.String}
    )
    prices = unitcost.prices(
        items, blank, products, rates, terms, today=rules.today, home=rules.home, markup=rules.markup
    )
    terms, _ = targets.by_cost(terms, prices, terms.review, 1.0)
    return World(terms, prices, frequency, rules.lost)


@dataclass(frozen=True)
class Rules:
    """Settings of the replay, as `forecast replenish` has them."""

    service_level: float
    review_days: float
    holding_rate: float
    markup: float
    lost: bool
    today: date
    home: str | None


def _row(
    origin: str, factor: float, parts: list[tuple[Floats, Floats, float, float]], chosen: bool, best: bool
) -> dict[str, object]:
    hold, miss = sum(float(p[0].sum()) for p in parts), sum(float(p[1].sum()) for p in parts)
    return {
        "origin": origin,
        "ratio_factor": factor,
        "service_level": sum(p[3] for p in parts) / len(parts),
        "holding": hold,
        "shortage": miss,
        "cost": hold + miss,
        "units_short": sum(p[2] for p in parts),
        "verdict": "chosen" if chosen else "best afterwards" if best else "",
    }
