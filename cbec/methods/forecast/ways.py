"""What each way of dealing with excess stock costs, and the cheapest.

Each way is valued on the whole stock (a markdown lowers the price of all of it) and told as the cost of the excess:

    cost = excess x unit cost - (value of the way - value of the needed stock alone at the regular price)

so that the way of today, keeping, costs storage, capital and what will have to be written off, and a markdown pays for
the margin that it gives away on units which would have sold anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.money import rate_to
from cbec.methods.forecast import markdown
from cbec.methods.forecast.excess import LEAST
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.excess import Facts, Position
    from cbec.methods.protection import Clock, Linked
    from cbec.methods.terms import Terms

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

WAYS = ("keep", "markdown", "transfer", "liquidate", "write_off")
KEEP, MARKDOWN, TRANSFER, LIQUIDATE, WRITE_OFF = range(len(WAYS))
#: A way has to save this share of the excess's value against keeping: less is not worth the work.
WORTH_IT = 0.05
#: Parts of the excess that may be sold off or destroyed; of equal ones the first.
PARTS = (1.0, 0.75, 0.5, 0.25)
#: Discounts that are tried lie so far apart, as price tags have them.
STEP = 0.05
#: A markdown lowers the price of all the stock: where the excess is a smaller part of it, none is looked at.
PART = 0.2


@dataclass(frozen=True)
class Transfer:
    """Per item with excess: units, destination (item number, -1 = none), what they are worth there less the way."""

    units: Floats
    to: Rows
    worth: Floats


@dataclass(frozen=True)
class Answer:
    """Everything computed for the m items with excess and a known unit cost, `rows` being their numbers.

    cost, recovered, storage: m x ways (NaN = not on offer). units: moved now, m x ways. chosen, second: numbers of ways
    (second -1 = none). path: m x K discounts of the best markdown. planned: those of the chosen way (0 but for a
    markdown). sold: units until the end, p_sold: chance of selling out, out_on: day of even odds (NaN = later). left,
    left_keep: m x (K + 1) expected stock at the edges of stages. sd_demand, sd_elasticity: of the chosen cost less that
    of keeping. to: item number of the destination (-1 = none).
    """

    rows: Rows
    view: markdown.Outlook
    cost: Floats
    recovered: Floats
    storage: Floats
    units: Floats
    chosen: Rows
    second: Rows
    path: Floats
    planned: Floats
    sold: Floats
    p_sold: Floats
    out_on: Floats
    left: Floats
    left_keep: Floats
    sd_demand: Floats
    sd_elasticity: Floats
    to: Rows


def goods(
    rows: Rows,
    where: Position,
    of: Facts,
    terms: Terms,
    storage: tuple[Floats, Floats],
    *,
    selling_rate: float,
    selling_cost: float,
) -> markdown.Goods:
    """The items as `markdown.worth` takes them. An unknown price counts as the unit cost: selling then gains nothing."""
    cost = of.unit_cost[rows]
    net = np.where(np.isnan(of.price[rows]), cost + selling_cost, of.price[rows] * (1 - selling_rate))
    told = (of.elasticity[c].gather(pl.Series(rows)).to_numpy() for c in ("elasticity", "sd", "deepest"))
    return markdown.Goods(
        where.free[rows],
        where.excess[rows],
        net,
        np.full(rows.size, selling_cost),
        cost,
        *storage,
        terms.holding_rate[rows],
        *told,
    )


def transfers(
    rows: Rows, linked: Linked, where: Position, of: Facts, terms: Terms, lanes: pl.DataFrame | None, rates: pl.DataFrame | None,
    clock: Clock, home: str | None,
) -> Transfer:  # fmt: skip
    """Excess to the warehouse that lacks the same SKU. There a unit saves buying one, less freight and capital on the way.

    The needs of a destination are filled from the best offers first; an item has one destination. The fixed cost of a trip
    is shared by room where the lane tells its capacity, else the item bears all of it.
    """
    out = Transfer(np.zeros(rows.size), np.full(rows.size, -1, dtype=np.intp), np.zeros(rows.size))
    room = where.needed - where.position
    if lanes is None or not rows.size or not (room >= LEAST).any():
        return out
    items = linked.items.with_row_index("to").with_columns(
        pl.Series("room", room), pl.Series("volume", of.volume, nan_to_null=True), pl.Series("weight", of.weight, nan_to_null=True),
        pl.Series("unit_cost", of.unit_cost), pl.Series("capital", terms.holding_rate),
    )  # fmt: skip
    giving = (
        items[rows]
        .drop("to", "room")
        .with_columns(pl.Series("excess", where.excess[rows]), pl.Series("row", np.arange(rows.size)))
    )
    taking = items.filter(pl.col("room") >= LEAST).select(
        "sku", pl.col("warehouse").alias("to_warehouse"), "to", "room"
    )
    money = lanes.with_columns(pl.lit(clock.today).alias("day"))
    lanes = lanes.with_columns(
        (pl.lit(1.0) if home is None else rate_to(money, "currency", "day", rates, home)).alias("rate")
    )
    pairs = giving.join(lanes, left_on="warehouse", right_on="from_warehouse").join(taking, on=["sku", "to_warehouse"])
    pairs = pairs.with_columns(pl.min_horizontal("excess", "room").floor().alias("units"))
    shared = pl.col("capacity_m3").is_not_null() & pl.col("volume").is_not_null()
    trip = pl.col("cost_fixed").fill_null(0.0) * pl.when(shared).then(
        pl.col("volume") / pl.col("capacity_m3")
    ).otherwise(1 / pl.col("units"))
    freight = (
        pl.col("cost_per_unit").fill_null(0.0)
        + pl.col("cost_per_kg").fill_null(0.0) * pl.col("weight").fill_null(0.0)
        + trip
    )
    capital = (-pl.col("capital").log1p() * pl.col("transit_days") / DAYS_OF_YEAR).exp()
    pairs = pairs.with_columns((pl.col("unit_cost") * capital - freight * pl.col("rate")).alias("each")).filter(
        pl.col("each") > 0
    )
    # One destination an item: where all that can go brings most. Then the best unit first into each destination.
    pairs = pairs.with_columns((pl.col("each") * pl.col("units")).alias("gain"))
    best = pairs.sort(["gain", "to", "transit_days", "row"], descending=[True, False, False, False]).unique(
        "row", keep="first", maintain_order=True
    )
    best = best.sort(["to", "each", "row"], descending=[False, True, False])
    before = pl.col("units").cum_sum().over("to") - pl.col("units")
    best = best.with_columns(pl.min_horizontal("units", (pl.col("room") - before).floor()).alias("units")).filter(
        pl.col("units") >= LEAST
    )
    at = best["row"].to_numpy().astype(np.intp)
    out.units[at], out.to[at] = best["units"].to_numpy(), best["to"].to_numpy().astype(np.intp)
    out.worth[at] = (best["units"] * best["each"]).to_numpy()
    return out


def judge(
    rows: Rows, items: markdown.Goods, view: markdown.Outlook, where: Position, priced: NDArray[np.bool_], moves: Transfer, *,
    recovery: float, max_discount: float, borrowed: float,
) -> Answer:  # fmt: skip
    """Every way of every item with excess, and the cheapest.

    rows: numbers of the m items; items, view, moves: theirs. priced: n, whether a price is known.
    """
    m, k = rows.size, len(view.edges) - 1
    every, excess, dead = np.arange(m), where.excess[rows], where.dead[rows]
    regular = np.zeros((m, k))
    path = regular.copy()
    some = np.flatnonzero(priced[rows] & ~dead & (excess >= PART * items.stock))
    grid: Floats = STEP * np.arange(int(max_discount / STEP + 1e-9) + 1).astype(np.float64)
    if some.size:
        path[some] = markdown.best_path(markdown.part(items, some), markdown.part_of(view, some), grid, borrowed)

    def worth(stock: Floats, plan: Floats = regular) -> markdown.Worth:
        return markdown.worth(items, view, every, plan, borrowed, stock)

    brought, kept = np.full((m, len(WAYS)), np.nan), np.full((m, len(WAYS)), np.nan)
    units = np.zeros((m, len(WAYS)))

    def offer(way: int, income: Floats, storage: Floats, gone: Floats, when: NDArray[np.bool_]) -> None:
        better = when & ~(income - storage <= brought[:, way] - kept[:, way] + 1e-9)
        brought[better, way], kept[better, way], units[better, way] = income[better], storage[better], gone[better]

    none = np.zeros(m)
    always, sold_off = np.full(m, True), np.full(m, recovery > 0)
    needed = worth(items.stock - excess)
    keep, cut, moved = worth(items.stock), worth(items.stock, path), worth(items.stock - moves.units)
    offer(KEEP, keep.income, keep.storage, none, always)
    # What the same discounts would earn without the excess is a question of the regular price, not of clearance.
    anyway = np.maximum(worth(items.stock - excess, path).value - needed.value, 0.0)
    offer(MARKDOWN, cut.income - anyway, cut.storage, none, path.max(1) > 0)
    offer(TRANSFER, moved.income + moves.worth, moved.storage, moves.units, moves.to >= 0)
    for share in PARTS:
        gone = excess if share == 1.0 else np.floor(share * excess)
        rest = worth(items.stock - gone)
        paid = gone * recovery * items.unit_cost
        offer(LIQUIDATE, rest.income + paid, rest.storage, gone, sold_off & (gone > 0))
        offer(WRITE_OFF, rest.income, rest.storage + gone * items.disposal, gone, gone > 0)
    brought, kept = brought - needed.income[:, None], kept - needed.storage[:, None]
    value = excess * items.unit_cost
    cost = value[:, None] - brought + kept
    chosen, second = choose(cost, value, dead)
    planned = np.where((chosen == MARKDOWN)[:, None], path, 0.0)
    stays = np.maximum(items.stock - units[every, chosen], 0.0)
    final = worth(stays, planned)
    p_sold, out_on = _sold_out(items, view, planned, borrowed, stays)
    spread = markdown.spread_of_difference(items, view, planned, regular, borrowed, (stays, items.stock))
    ends = slice(None, None, 2)
    return Answer(
        rows, view, cost, brought, kept, units, chosen, second, path, planned, final.sold, p_sold, out_on,
        final.left[:, ends], keep.left[:, ends], *spread, np.where(chosen == TRANSFER, moves.to, -1),
    )  # fmt: skip


def choose(cost: Floats, value: Floats, dead: NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """The cheapest way and the next (-1 = none) of m x ways costs, NaN = not on offer.

    Keeping wins unless WORTH_IT of the excess's value is saved. What nobody asks for is let go at equal cost.
    """
    judged = np.where(np.isnan(cost), np.inf, cost)
    against = judged + np.where(dead, 0.0, WORTH_IT * value)[:, None]
    against[:, KEEP] = judged[:, KEEP] + np.where(dead, 1e-6 * value + 1e-9, 0.0)
    chosen = against.argmin(1)
    rest = judged.copy()
    rest[np.arange(len(rest)), chosen] = np.inf
    second = np.where(np.isfinite(rest.min(1)), rest.argmin(1), -1)
    return chosen.astype(np.intp), second.astype(np.intp)


def _sold_out(
    items: markdown.Goods, view: markdown.Outlook, planned: Floats, borrowed: float, stock: Floats
) -> tuple[Floats, Floats]:
    """Chance of selling out by the sell-by day, and the first day with even odds of it (NaN = later); NaN without stock."""
    m, last = len(stock), float(view.points[-1])

    def gone(days: Floats) -> Floats:
        return markdown.chance_sold(items, view, planned, borrowed, stock, days[:, None])[:, 0]

    p = gone(np.full(m, last))
    low, high = np.zeros(m), np.full(m, last)
    for _ in range(10):
        middle = (low + high) / 2
        over = gone(middle) >= 0.5
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    none = stock <= 0
    return np.where(none, np.nan, p), np.where(none | (p < 0.5), np.nan, np.ceil(high))
