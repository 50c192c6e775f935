"""The answer of `warehouse rebalance`: lots on trips, their worth beside the next best, findings, money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.core.money import Z90, Headline
from cbec.core.words import of
from cbec.methods import words
from cbec.methods.warehouse import network, transfer
from cbec.methods.warehouse.fan import WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.warehouse.network import World
    from cbec.methods.warehouse.search import Plan
    from cbec.methods.warehouse.slotrows import Found
    from cbec.methods.warehouse.transfer import Outcome

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

_TOLD = 10


@dataclass(frozen=True)
class Case:
    """Everything computed. before, after: outcome of all positions without and with the plan."""

    world: World
    plan: Plan
    before: Outcome
    after: Outcome
    supplied: Floats
    seconds: float


def case(world: World, plan: Plan, seconds: float) -> Case:
    """Price the plan once more for the rows."""
    net = world.net
    supplied = transfer.supply(net, plan.qty)
    nothing = transfer.outcome(net, transfer.supply(net, np.zeros(net.flows)))
    return Case(world, plan, nothing, transfer.outcome(net, supplied), supplied, seconds)


def rows(c: Case) -> pl.DataFrame:
    """The table `stock_transfers` without `reason`; columns that begin with `_` are its parameters."""
    net, world = c.world.net, c.world
    sent = np.flatnonzero(c.plan.qty > 0)
    lots = _on_trips(c, sent)
    worth, of_source = transfer.worth(net, c.plan.qty, sent)
    runner, runner_net = _runner_up(c, sent)
    cost = _costs(c, sent, worth)
    names = network.lane_names(world)
    place = {flow: i for i, flow in enumerate(sent.tolist())}
    out: list[dict[str, Any]] = []
    for flow, number, units in lots:
        i, lane, source, target = place[flow], int(net.lane[flow]), int(net.source[flow]), int(net.target[flow])
        share = units / float(c.plan.qty[flow])
        saves_stock = of_source[i] > worth[i] / 2
        customs = net.lanes.customs[lane]
        out.append(
            {
                "sku": net.skus[net.sku[source]],
                "from_warehouse": net.places[source],
                "to_warehouse": net.places[target],
                "trip": f"{names[lane]} {number}",
                "qty": int(units),
                "ship_date": world.clock.today,
                "arrival_date": world.clock.today + timedelta(days=int(net.lanes.days[lane])),
                "cost": share * float(cost[i]),
                "benefit": share * float(worth[i]),
                "currency": world.currency,
                "short_before": float(c.before.short[target]),
                "short_after": float(c.after.short[target]),
                "left_before": float(c.before.left[source]),
                "runner_up": runner[i],
                "runner_up_net": share * float(runner_net[i]),
                "reason_code": ("transfer_stock" if saves_stock else "transfer_shortage")
                + ("_customs" if customs else ""),
                "_days": float(world.horizon[target]),
                "_from_days": float(world.horizon[source]),
                "_stock": float(net.stock[target] + net.coming[target, -1]),
                "_demand": float(world.units[target]),
                "_from_stock": float(net.stock[source]),
                "_from_demand": float(world.units[source]),
            }
        )
    text, number_kind, day = pl.String, pl.Float64, pl.Date
    kinds: dict[str, Any] = {
        "sku": text, "from_warehouse": text, "to_warehouse": text, "trip": text, "qty": pl.Int64, "ship_date": day, "arrival_date": day,
        "cost": number_kind, "benefit": number_kind, "currency": text, "short_before": number_kind, "short_after": number_kind,
        "left_before": number_kind, "runner_up": text, "runner_up_net": number_kind, "reason_code": text,
    }  # fmt: skip
    hidden = ("_days", "_from_days", "_stock", "_demand", "_from_stock", "_from_demand")
    return pl.DataFrame(out, schema=kinds | dict.fromkeys(hidden, number_kind))


def _on_trips(c: Case, sent: Rows) -> list[tuple[int, int, float]]:
    """(flow, number of the trip, units): bulky units first, each lot into the first trip with room for a pack of it."""
    net = c.world.net
    needed = transfer.trips(net, c.plan.qty)
    left = {lane: [float(net.lanes.room[lane])] * int(needed[lane]) for lane in np.unique(net.lane[sent]).tolist()}
    order = sent[np.lexsort((sent, -net.m3[sent] * net.pack[sent]))]
    out: list[tuple[int, int, float]] = []
    for flow in order.tolist():
        rooms, m3, pack = left[int(net.lane[flow])], float(net.m3[flow]), float(net.pack[flow])
        packs = round(float(c.plan.qty[flow]) / pack)
        for trip, room in enumerate(rooms):
            fits = packs if np.isinf(room) else min(packs, int(np.floor(room / (m3 * pack) + 1e-9)))
            if fits > 0:
                out.append((flow, trip + 1, fits * pack))
                rooms[trip] -= fits * pack * m3
                packs -= fits
        if packs:  # corners are left over everywhere: the trip with the most room takes the last packs
            trip = int(np.argmax(rooms))
            rooms[trip] -= packs * pack * m3
            out.append((flow, trip + 1, packs * pack))
    joined: dict[tuple[int, int], float] = {}
    for flow, trip, units in out:
        joined[flow, trip] = joined.get((flow, trip), 0.0) + units
    return [(flow, trip, units) for (flow, trip), units in sorted(joined.items())]


def _costs(c: Case, flows: Rows, worth: Floats) -> Floats:
    """Freight and handling of each lot, and its share of the trips of its lane: by what it saves after freight, so that
    each bears what it can (by volume a small help that fills a corner would seem to lose)."""
    net = c.world.net
    own = net.cost[flows] * c.plan.qty[flows] + net.lot
    surplus = np.maximum(worth - own, 0.0) + 1e-9
    lane = net.lane[flows]
    total = np.bincount(lane, weights=surplus, minlength=len(net.lanes.fixed))
    trips = net.lanes.fixed * transfer.trips(net, c.plan.qty)
    out: Floats = own + trips[lane] * surplus / np.where(total > 0, total, 1.0)[lane]
    return out


def _runner_up(c: Case, flows: Rows) -> tuple[list[str], Floats]:
    """The best other warehouse to take each lot from, and its benefit less cost; `stay` where none pays.

    The other sends as much as it has left. A trip that does not run yet is paid in full.
    """
    net = c.world.net
    names = ["stay"] * len(flows)
    best = np.zeros(len(flows))
    into: dict[int, list[int]] = {}
    for flow in range(net.flows):
        into.setdefault(int(net.target[flow]), []).append(flow)
    pairs = [
        (i, other)
        for i, flow in enumerate(flows.tolist())
        for other in into[int(net.target[flow])]
        if net.source[other] != net.source[flow]
    ]
    if not pairs:
        return names, best
    mine, other = (np.array(p, dtype=np.intp) for p in zip(*pairs, strict=True))
    lot = flows[mine]
    spare = np.maximum(c.supplied[net.source[other], 0], 0.0)
    units = np.minimum(c.plan.qty[lot], np.floor(spare / net.pack[other]) * net.pack[other])
    target = c.supplied[net.target[lot]] - transfer.serves(net, lot) * c.plan.qty[lot][:, None]
    without = transfer.at(net, net.target[lot], target)
    instead = transfer.at(net, net.target[lot], target + transfer.serves(net, other) * units[:, None])
    source = net.source[other]
    given = transfer.at(net, source, c.supplied[source] - units[:, None]) - c.after.cost[source]
    volume = np.bincount(net.lane, weights=net.m3 * c.plan.qty, minlength=len(net.lanes.fixed))
    runs = transfer.trips(net, c.plan.qty)
    lane = net.lane[other]
    extra = net.m3[other] * units
    with np.errstate(invalid="ignore"):
        trips = np.maximum(np.ceil((volume[lane] + extra) / net.lanes.room[lane] - 1e-9), 1) - runs[lane]
    saved = without - instead - given - net.cost[other] * units - net.lot - net.lanes.fixed[lane] * np.maximum(trips, 0)
    saved[units <= 0] = -np.inf
    for i, flow_, value in zip(mine.tolist(), other.tolist(), saved.tolist(), strict=True):
        if value > best[i] + 1e-9:
            best[i], names[i] = value, net.places[net.source[flow_]]
    return names, best


# --- what a person should know -------------------------------------------------------------------------------------


def headline(c: Case) -> Headline | str:
    """Doing nothing beside the plan, freight and trips included."""
    if c.world.currency is None:
        return "no table tells a currency: set --home-currency"
    net, plan = c.world.net, c.plan
    change = c.after.paths - c.before.paths
    spread = float(np.sqrt(((change**2) @ WEIGHT - (change @ WEIGHT) ** 2).clip(min=0).sum()))
    difference = plan.cost - plan.nothing
    unserved = (
        "a unit short costs its margin once" if net.lost else "a waiting unit costs its shortage cost at every review"
    )
    basis = (
        f"expected shortage and stock of {of(len(net.skus), 'SKU')} in {of(len(set(net.places)), 'warehouse')} until an order could arrive "
        f"({c.world.horizon.min():.0f} to {c.world.horizon.max():.0f} days); {unserved}; today = no transfer, proposed = with "
        "transfers, freight and trips; the range is that of demand, positions being independent"
    )
    low, high = difference - Z90 * spread, difference + Z90 * spread
    return Headline(plan.nothing, plan.cost, low, high, c.world.currency, basis)


def metrics(c: Case, table: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Figures for summary.json."""
    net, plan = c.world.net, c.plan
    gap = plan.gap
    total = transfer.price(net, plan.qty)
    return {
        "skus": len(net.skus),
        "warehouses": len(set(net.places)),
        "lots": table.height,
        "units": int(plan.qty.sum()),
        "trips": int(transfer.trips(net, plan.qty).sum()),
        "freight": round(total.freight, 2),
        "handling": round(total.lots, 2),
        "trip_cost": round(total.trips, 2),
        "short_today": round(float(c.before.short.sum()), 2),
        "short": round(float(c.after.short.sum()), 2),
        "solver_status": plan.status,
        "bound": None if plan.bound is None else round(plan.bound, 2),
        "gap_pct": None if gap is None else round(100 * gap, 3),
    }


def findings(c: Case) -> list[Found]:
    """What a person should act on."""
    world, net = c.world, c.world.net
    out: list[Found] = []
    out += _still_short(c)
    for what, skus in sorted(world.unknown.items()):
        if skus:
            where = {"cost": "unit cost or shortage cost", "weight": "weight", "volume": "dimensions"}[what]
            text = f"{words.skus(skus)}: {where} unknown, so that {'no lane' if what == 'cost' else 'a lane that needs it'} can be priced; not looked at"
            out.append((f"unknown_{what}", "warn", "products", f"unknown_{what}", text, None, None))
    used = np.unique(net.lane[c.plan.qty > 0])
    for lane, name in enumerate(network.lane_names(world)):
        if lane in used and net.lanes.customs[lane]:
            text = "crosses a customs border: an export and an import have to be declared; duty and import tax are in no figure here"
            out.append((f"customs:{name}", "info", name, "customs", text, None, None))
    asked = np.bincount(net.sku, weights=world.forecast) > 0
    dead = np.flatnonzero(~world.forecast & (net.stock > 0) & ~asked[net.sku])
    if dead.size:
        text = f"{words.skus(sorted({net.skus[i] for i in net.sku[dead].tolist()}))}: stock, but no forecast anywhere; nothing is proposed"
        out.append(("no_forecast", "warn", "forecast", "no_forecast", text, None, None))
    if c.plan.status == "feasible":
        gap = c.plan.gap
        text = f"the search was stopped after {c.seconds:g} seconds: the plan is not proved to be the best" + (
            f" (at most {100 * gap:.1f} % too dear)" if gap is not None else ""
        )
        out.append(("not_proved", "info", "solver", "not_proved", text, None, None))
    return out


def _still_short(c: Case) -> list[Found]:
    """Where shortage stays although nothing is moved there, dearest first."""
    world, net = c.world, c.world.net
    helped = np.isin(np.arange(len(net.stock)), net.target[c.plan.qty > 0])
    lost = net.short * c.after.short
    # Worth a line where shortage is likelier than not to be felt: a unit and a tenth of demand.
    some = np.flatnonzero(~helped & (c.after.short >= 1) & (c.after.short > 0.1 * world.units) & (lost > 0))
    order = some[np.lexsort((some, -lost[some]))][:_TOLD]
    has_flow = np.isin(np.arange(len(net.stock)), net.target)
    out: list[Found] = []
    for position in order.tolist():
        entity = f"{net.skus[net.sku[position]]}@{net.places[position]}"
        why = (
            "no transfer is worth its cost" if has_flow[position] else "no warehouse with a lane to it has any in time"
        )
        text = (
            f"expected {c.after.short[position]:.0f} short of {world.units[position]:.0f} wanted within "
            f"{world.horizon[position]:.0f} days, and {why}"
        )
        money = round(float(lost[position]), 2) if world.currency else None
        out.append((f"still_short:{entity}", "warn", entity, "still_short", text, money, world.currency))
    return out


def notes(
    c: Case, inventory: pl.DataFrame, policies: pl.DataFrame | None, markup: float, strange: list[str]
) -> list[str]:
    """Assumptions and doubts, in words. strange: warehouses that only lanes name."""
    plan, world = c.plan, c.world
    out: list[str] = []
    if strange:
        out.append(f"transfer_lanes name {', '.join(strange[:5])}, which hold and sell nothing here: not used")
    gap = plan.gap
    words = {
        "optimal": "the plan is proved to be the best for whole trips",
        "bounded": "the plan is proved to be the best for whole trips before the handling of lots, which was settled after",
        "nothing_pays": "no transfer pays: proved",
        "heuristic": "the plan comes from slope scaling, without a search for proof (--time-limit 0)",
        "feasible": f"the search was stopped by its clock after {c.seconds:g} s; another run may find another plan",
    }
    told = "" if gap is None or plan.status == "nothing_pays" else f", at most {100 * gap:.2f} % above the bound"
    out.append(words[plan.status] + told + "; only lanes whose first unit pays by itself were looked at")
    if plan.simplified:
        out.append(
            f"{plan.simplified} ways were left out to keep the programme small: each SKU receives by one way at a place"
        )
    if policies is None:
        out.append(f"no policies: every position is looked after for {world.horizon.max():g} days (setting cover_days)")
    if world.guessed:
        out.append(
            f"shortage cost unknown for {world.guessed} positions (no price, none in policies): taken as {markup:g} of the unit cost"
        )
    stale = inventory.filter(
        pl.col("snapshot_date").is_not_null() & (pl.col("snapshot_date") != world.clock.today)
    ).height
    if stale:
        out.append(f"{stale} stock rows were counted on another day than {world.clock.today}")
    return out
