"""Limits over all SKUs: a budget, and containers by weight and volume, by a mixed-integer program.

Which orders to cut, or to fill up a container with: those that cost least by it. The expected cost of an item is a
convex function of its order (holding rises, shortage falls), here in pieces between whole packs, so that the program
needs integers only for packs, smallest orders and containers. A unit short counts at least what the service level
implies that it costs (Co / (1 - p)). What the policy wants is never cut for its own cost: a wanted unit left out saves nothing,
and an order costs at most what its lack would, so that only a limit cuts. What firm orders need is not cut at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected
from cbec.core.money import rate_to
from cbec.core.words import of
from cbec.methods import milp
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR, Costing
from cbec.methods.forecast.orders import in_packs

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.forecast.firmdue import Due
    from cbec.methods.forecast.orders import Plan
    from cbec.methods.protection import Demand
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Pieces of an item's cost between no order and the wanted one, and between that and the largest one.
PIECES, MORE = 10, 5
#: A wanted unit left out costs at least this part of what holding it for a review does, where its lack costs next to nothing.
WANTED = 0.1
#: Time for the containers of a rival's orders: a program of some ten whole numbers.
_SECONDS = 10.0
_CM3 = 1e-6
_LOADS = {
    "warehouse": pl.String, "container": pl.String, "count": pl.Int64, "load_kg": pl.Float64, "load_m3": pl.Float64,
    "fill_kg": pl.Float64, "fill_m3": pl.Float64, "cost": pl.Float64, "currency": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Boxes:
    """Kinds of container, m each, costs in the home currency; warehouse: "" = any; available: infinite = no limit.

    kg, m3: n, of one unit of each item.
    """

    name: list[str]
    warehouse: list[str]
    capacity_kg: Floats
    capacity_m3: Floats
    cost: Floats
    available: Floats
    kg: Floats
    m3: Floats


@dataclass(frozen=True)
class Limited:
    """order: n units within the limits. loads: table `order_loads` (None = no containers). solved: None = no limit was met.

    freight: what the containers cost; empty: what of it is for room that stays empty. value: of the orders at unit cost.
    """

    order: Floats
    loads: pl.DataFrame | None
    solved: milp.Solved | None
    freight: float
    value: float
    empty: float = 0.0


def boxes(
    containers: pl.DataFrame | None,
    items: pl.DataFrame,
    products: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    today: date,
    home: str | None,
) -> Boxes | None:
    """The table `containers`, and weight and volume of the items (NaN = not told)."""
    if containers is None or containers.is_empty():
        return None
    rows = containers.sort("container", "warehouse").with_columns(
        pl.lit(today).alias("day"), pl.col("cost").cast(pl.Float64)
    )
    currencies = rows["currency"].unique().sort().to_list()
    if home is None and len(currencies) == 1:
        home = currencies[0]
    if home is None:
        raise InputRejected(
            f"containers: costs are in {', '.join(currencies)}", hint="set --home-currency and give --rates"
        )
    cost = rows["cost"].to_numpy() * rate_to(rows, "currency", "day", rates, home).to_numpy()
    sizes = ["weight_kg", "length_cm", "width_cm", "height_cm"]
    if products is None:
        raise InputRejected(
            "containers need weight and size of the products",
            hint="give --products with weight_kg and length_cm, width_cm, height_cm",
        )
    master = items.join(products.select("sku", *sizes), on="sku", how="left", maintain_order="left")
    kg, *sides = (master[c].cast(pl.Float64).to_numpy() for c in sizes)
    return Boxes(
        rows["container"].to_list(),
        rows["warehouse"].fill_null("").to_list(),
        rows["capacity_kg"].to_numpy(),
        rows["capacity_m3"].to_numpy(),
        cost,
        rows["available"].cast(pl.Float64).fill_null(np.inf).to_numpy(),
        kg,
        sides[0] * sides[1] * sides[2] * _CM3,
    )


@dataclass(frozen=True)
class Question:
    """What the program is made of, n each. due: firm orders; least: units for them, which may not be cut. fixed: orders that
    may be neither cut nor raised (lots for firm orders)."""

    items: pl.DataFrame
    demand: Demand
    terms: Terms
    held: Stock
    plan: Plan
    prices: Prices
    due: Due
    least: Floats
    fixed: NDArray[np.bool_]


def hold(q: Question, budget: float, box: Boxes | None, seconds: float) -> Limited:
    """Orders of least expected cost within the budget (0 = none) and the containers.

    With containers an order may grow by the demand of one more review, in order to fill one. Only what travels empty
    counts as their cost: goods that do not travel now will have to later. Raises NoAnswer where what
    must be ordered breaks a limit, InputRejected where an order has no cost, weight or volume to be weighed by.
    """
    value = float(np.nansum(q.plan.order * q.prices.unit_cost))
    if box is None and (budget <= 0 or (value <= budget and not _unknown(q, q.prices.unit_cost).size)):
        return Limited(q.plan.order, None, None, 0.0, value)
    _check(q, box)
    most = _most(q, box)
    rows = np.flatnonzero(most > 0)
    model = milp.Model()
    unit = q.terms.pack[rows]
    packs = _items(model, q, rows, most[rows], _credit(q, box, rows) * unit)
    if budget > 0:
        model.row(packs, q.prices.unit_cost[rows] * unit, -np.inf, budget, "the budget")
    count = _containers(model, q, box, rows, packs) if box is not None else None
    solved = milp.solve(model, seconds)
    order = np.zeros(len(most))
    order[rows] = np.round(solved.x[packs]) * unit
    loads, freight, empty = (None, 0.0, 0.0)
    if box is not None and count is not None:
        loads, freight = _loads(q, box, _kinds(q, box, rows), order, np.round(solved.x[count]))
        empty = _empty(q, box, order, freight)
    return Limited(order, loads, solved, freight, float(np.nansum(order * q.prices.unit_cost)), empty)


def shipped(q: Question, box: Boxes, order: Floats) -> tuple[float, float] | None:
    """What the cheapest containers for other orders (n units) cost, as many as they need, and what of it is for empty room.

    None where their weight or size is not known, or no kind goes to their warehouse.
    """
    rows = np.flatnonzero(order > 0)
    places = set(q.items["warehouse"][rows].to_list())
    if np.isnan(box.kg[rows] + box.m3[rows]).any() or ("" not in box.warehouse and places - set(box.warehouse)):
        return None
    if not rows.size:
        return 0.0, 0.0
    model, kinds = milp.Model(), _kinds(q, box, rows)
    count = model.add(box.cost[[k for _, k in kinds]], 0.0, np.inf, whole=True)
    for place in places:
        own = rows[(q.items["warehouse"][rows] == place).to_numpy()]
        here = [i for i, (w, _) in enumerate(kinds) if w == place]
        for unit, capacity in ((box.kg, box.capacity_kg), (box.m3, box.capacity_m3)):
            load = float((unit * order)[own].sum())
            model.row(count[here], capacity[[kinds[i][1] for i in here]], load, np.inf)
    freight = milp.solve(model, _SECONDS).cost
    return freight, _empty(q, box, order, freight)


def _empty(q: Question, box: Boxes, order: Floats, freight: float) -> float:
    """Freight less that of the goods, each in a full container: the rest would be paid again by no later order."""
    rows = np.flatnonzero(order > 0)
    of_goods = _credit(replace(q, plan=replace(q.plan, order=order)), box, rows) * order[rows]
    return max(freight - float(of_goods.sum()), 0.0)


def _unknown(q: Question, figure: Floats) -> Rows:
    return np.flatnonzero((q.plan.order > 0) & np.isnan(figure))


def _check(q: Question, box: Boxes | None) -> None:
    needed = {"unit cost": q.prices.unit_cost}
    if box is not None:
        needed |= {"weight": box.kg, "size": box.m3}
    for what, figure in needed.items():
        lost = _unknown(q, figure)
        if lost.size:
            name = q.items.row(int(lost[0]), named=True)
            raise InputRejected(
                f"budget and containers weigh orders by cost, weight and volume, but the {what} of SKU {name['sku']} is not known ({of(lost.size, 'item')})",
                hint="complete products, or leave these SKUs out of the forecast",
            )


def _most(q: Question, box: Boxes | None) -> Floats:
    order = q.plan.order
    if box is None:
        return order
    reach = np.minimum(q.terms.lead + 2 * q.terms.review, q.demand.reach)
    more = np.maximum(q.demand.at(reach)[0] - q.plan.whole.mean, 0.0)
    known = ~np.isnan(q.prices.unit_cost) & ~np.isnan(box.kg) & ~np.isnan(box.m3) & ~q.fixed
    due = np.maximum(q.plan.order_up_to + more - q.plan.position, 0.0)
    grown = np.where(known, np.floor(due / q.terms.pack) * q.terms.pack, 0.0)
    grown = np.where(grown >= in_packs(np.ones_like(grown), q.terms.moq, q.terms.pack), grown, 0.0)
    return np.where(q.fixed, order, np.maximum(order, grown))


def _credit(q: Question, box: Boxes | None, rows: Rows) -> Floats:
    """Freight of a unit in a full container of the cheapest kind, by weight or volume, whichever fills up first."""
    if box is None:
        return np.zeros(len(rows))
    out = np.zeros(len(rows))
    places = q.items["warehouse"].to_numpy()[rows]
    for place in dict.fromkeys(places.tolist()):
        own = np.flatnonzero(places == place)
        here = [k for p, k in _kinds(q, box, rows) if p == place]
        kg, m3 = (float(np.nansum(q.plan.order[rows[own]] * unit[rows[own]])) for unit in (box.kg, box.m3))
        heavy = kg / box.capacity_kg[here].max() > m3 / box.capacity_m3[here].max()
        unit, capacity = (box.kg, box.capacity_kg) if heavy else (box.m3, box.capacity_m3)
        out[own] = np.nan_to_num(unit[rows[own]]) * (box.cost[here] / capacity[here]).min()
    return out


def _items(model: milp.Model, q: Question, rows: Rows, most: Floats, credit: Floats) -> Rows:
    """Columns of packs, pieces of cost and, where an order has a cost or a least size, whether there is one."""
    pack, fixed = q.terms.pack[rows], q.fixed[rows]
    count, wanted = np.round(most / pack), np.round(q.plan.order[rows] / pack)
    packs = model.add(-credit, np.where(fixed, count, np.round(q.least[rows] / pack)), count, whole=True)
    slopes, width, nothing = _slopes(q, rows, _grid(wanted, count) * pack[:, None])
    model.constant += nothing
    pieces = model.add(slopes.ravel(), 0.0, width.ravel()).reshape(slopes.shape)
    for i in range(len(rows)):
        own = pieces[i][width[i] > 0]
        model.row([packs[i], *own], [pack[i], *-np.ones(len(own))], 0.0, 0.0)
    least = np.ceil(q.terms.moq[rows] / pack - 1e-9)
    # Placing a wanted order counts as long as its lack costs more: which order to leave out, not whether one pays.
    lack = -(slopes * width)[:, :PIECES].sum(1) - WANTED * _per_review(q, rows) * q.plan.order[rows]
    placing = (q.terms.order_cost * q.terms.review / q.plan.cycle)[rows]
    placing = np.where(wanted > 0, np.minimum(placing, np.maximum(lack, 0.0)), placing)
    chosen = np.flatnonzero(~fixed & ((placing > 0) | (least > 1)))
    if chosen.size:
        any_order = model.add(placing[chosen], 0.0, 1.0, whole=True)
        for i, y in zip(chosen.tolist(), any_order, strict=True):
            model.row([packs[i], y], [1.0, -count[i]], -np.inf, 0.0)
            if least[i] > 1:
                model.row([packs[i], y], [1.0, -min(least[i], count[i])], 0.0, np.inf)
    return packs


def _per_review(q: Question, rows: Rows) -> Floats:
    """Cost of holding a unit for a review, m."""
    return (q.prices.unit_cost * q.terms.holding_rate / DAYS_OF_YEAR * q.terms.review)[rows]


def _grid(wanted: Floats, most: Floats) -> Floats:
    """Packs (m x K + 1) between which cost is taken as straight: the wanted order is one of them. wanted, most: m packs."""
    grid = np.round(wanted[:, None] * np.linspace(0, 1, PIECES + 1))
    if (most > wanted).any():
        more = np.round(wanted[:, None] + (most - wanted)[:, None] * np.linspace(0, 1, MORE + 1)[1:])
        grid = np.concatenate([grid, more], 1)
    return grid


def _slopes(q: Question, rows: Rows, grid: Floats) -> tuple[Floats, Floats, float]:
    """Cost per unit of each piece, rising, its width, and the cost of no order at all, as `ordercost` counts it but for the part
    that no order changes, for placing it and for what leaving out wanted units would save. grid: rows x K + 1 orders."""
    costing = Costing(q.demand, q.terms, q.held, q.plan, q.prices, q.due)
    per_day = costing.per_day[rows]
    level = np.clip(np.nan_to_num(q.terms.service[rows], nan=0.95), 0.0, 0.999)
    short = np.fmax(q.prices.shortage[rows], _per_review(q, rows) / (1 - level))
    days, after = costing.review(rows, grid)
    cost = per_day[:, None] * days + short[:, None] * after
    width = np.diff(grid, axis=1)
    slopes = np.where(width > 0, np.diff(cost, axis=1) / np.maximum(width, 1e-12), -np.inf)
    settled = -WANTED * _per_review(q, rows)[:, None]
    slopes = np.where(grid[:, 1:] <= q.plan.order[rows][:, None] + 1e-9, np.minimum(slopes, settled), slopes)
    out: Floats = np.maximum.accumulate(slopes, axis=1)  # rounding only: the functions are convex
    return np.where(np.isfinite(out), out, 0.0), width, float(cost[:, 0].sum())


def _containers(model: milp.Model, q: Question, box: Boxes, rows: Rows, packs: Rows) -> Rows:
    """Columns of the number of each kind at each warehouse; their order is that of `_kinds`."""
    kinds = _kinds(q, box, rows)
    count = model.add(box.cost[[k for _, k in kinds]], 0.0, box.available[[k for _, k in kinds]], whole=True)
    places = q.items["warehouse"].to_numpy()[rows]
    for place in dict.fromkeys(w for w, _ in kinds):
        own = np.flatnonzero(places == place)
        here = [i for i, (w, _) in enumerate(kinds) if w == place]
        for what, unit, capacity in (("weight", box.kg, box.capacity_kg), ("volume", box.m3, box.capacity_m3)):
            values = np.concatenate([unit[rows[own]] * q.terms.pack[rows[own]], -capacity[[kinds[i][1] for i in here]]])
            # A row that limits nothing here is in kilograms or cubic metres: told as such when it fails.
            model.row(
                np.concatenate([packs[own], count[here]]), values, -np.inf, 0.0, f"the {what} of containers to {place}"
            )
    for k, name in enumerate(box.name):
        shared = [count[i] for i, (_, kind) in enumerate(kinds) if kind == k]
        if len(shared) > 1 and np.isfinite(box.available[k]):
            model.row(shared, np.ones(len(shared)), -np.inf, float(box.available[k]), f"the number of {name}")
    return count


def _kinds(q: Question, box: Boxes, rows: Rows) -> list[tuple[str, int]]:
    """Warehouse and kind of every column of containers. Raises InputRejected for a warehouse that no kind goes to."""
    out = []
    for place in q.items["warehouse"][rows].unique().sort().to_list():
        fitting = [(place, k) for k, w in enumerate(box.warehouse) if w in ("", place)]
        if not fitting:
            raise InputRejected(f"containers: none goes to {place}", hint="add a row with this warehouse, or with none")
        out += fitting
    return out


def _loads(
    q: Question, box: Boxes, kinds: list[tuple[str, int]], order: Floats, count: Floats
) -> tuple[pl.DataFrame, float]:
    rows = []
    for place in dict.fromkeys(w for w, _ in kinds):
        here = [(k, n) for (w, k), n in zip(kinds, count, strict=True) if w == place]
        own = (q.items["warehouse"] == place).to_numpy() & (order > 0)
        kg, m3 = float((order * box.kg)[own].sum()), float((order * box.m3)[own].sum())
        room = [sum(c[k] * n for k, n in here) for c in (box.capacity_kg, box.capacity_m3)]
        rows += [
            {
                "warehouse": place,
                "container": box.name[k],
                "count": int(n),
                "load_kg": kg,
                "load_m3": m3,
                "fill_kg": min(kg / room[0], 1.0) if room[0] else 0.0,
                "fill_m3": min(m3 / room[1], 1.0) if room[1] else 0.0,
                "cost": float(n * box.cost[k]),
                "currency": q.prices.currency,
            }
            for k, n in here
            if n > 0
        ]
    frame = pl.DataFrame(rows, schema=_LOADS)
    return frame, float(frame["cost"].sum())


def loads(limited: Limited) -> pl.DataFrame:
    """Table `order_loads`; without rows where no containers were given."""
    return pl.DataFrame(schema=_LOADS) if limited.loads is None else limited.loads


def within(plan: Plan, limited: Limited) -> Plan:
    """The plan with the orders that the limits leave."""
    return replace(plan, order=limited.order)
