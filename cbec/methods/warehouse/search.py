"""The search for a plan of transfers with whole trips and whole lots.

1. Slope scaling (Kim and Pardalos 1999, Operations Research Letters 24): the cost of trips is spread over the volume that
   the last plan put on each lane, so that lanes with little on them grow dear; each plan is a linear programme.
2. For the trips that such a plan needs, the best lots: trips paid, their room the only limit.
3. Lots are cut to whole packs, room that is left is filled by the units that save most, trips that do not pay are left.
4. Whole trips as integers, by branch and bound, until proved or the clock stops it. The better plan is taken.

Doing nothing is one of the plans compared, so that the answer is never dearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.warehouse import transfer
from cbec.methods.warehouse.program import Program

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.warehouse.transfer import Network

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Rounds of slope scaling, and rounds without a better plan after which it ends.
ROUNDS, STALE = 12, 4
#: Passes over all flows that add or take back packs.
PASSES = 25
#: Positions that may tie their windows together in the programme; above, each receives by one window or sends.
TIED = 600
_EPS = 1e-7


@dataclass(frozen=True)
class Plan:
    """qty: whole units per flow. nothing, cost: expected cost of doing nothing and of the plan. bound: no plan over these
    flows costs less (None = not known). status: optimal (within program.GAP, but for whole units), bounded (the same
    before the handling of lots), feasible (stopped by the clock), heuristic (no proof was asked for) or nothing_pays.
    simplified: flows left out to keep the programme small."""

    qty: Floats
    nothing: float
    cost: float
    bound: float | None
    status: str
    simplified: int

    @property
    def gap(self) -> float | None:
        """How much dearer than the bound, as a share."""
        return None if self.bound is None else max(self.cost - self.bound, 0.0) / max(self.cost, 1e-12)


def best(net: Network, seconds: float) -> Plan:
    """The plan of a network. seconds: for the proof; 0 = none."""
    promising = np.flatnonzero(transfer.first_unit(net) > _EPS)
    flows = promising[_simpler(keep(net, promising))]
    small, used = _touched(keep(net, flows))
    empty = np.zeros(len(flows))
    rest = float(transfer.outcome(net, transfer.supply(net, np.zeros(net.flows))).cost[~used].sum())
    nothing = transfer.price(small, empty).cost
    if not len(flows):
        return Plan(np.zeros(net.flows), rest, rest, rest, "nothing_pays", 0)
    program = Program(small, useful(small))
    qty, cost, bound = _scaled(program, nothing)
    status = "heuristic"
    if seconds > 0:
        whole = program.whole(seconds)
        status = "optimal" if whole.status == "optimal" else "feasible"
        if whole.bound is not None:
            bound = whole.bound if bound is None else max(bound, whole.bound)
        if whole.qty is not None:
            found = _better((empty, nothing), finish(small, whole.qty))
            qty, cost = _better(_better((qty, cost), found), _paid(program, found[0]))
    lots = np.zeros(net.flows)
    lots[flows] = qty
    if status == "optimal" and not qty.any():
        status = "nothing_pays"
    elif status == "optimal" and net.lot > 0:
        status = "bounded"
    bound = None if bound is None else min(bound, cost) + rest
    return Plan(lots, nothing + rest, cost + rest, bound, status, len(promising) - len(flows))


def _touched(net: Network) -> tuple[Network, NDArray[np.bool_]]:
    """The network without the SKUs that have no flow, and which positions stay."""
    import dataclasses

    used = np.isin(net.sku, net.sku[net.source])
    number = np.cumsum(used) - 1
    per_position = ("sku", "stock", "short", "hold", "span", "demand", "coming", "excess")
    part = {name: getattr(net, name)[used] for name in per_position}
    places = [p for p, u in zip(net.places, used.tolist(), strict=True) if u]
    small = dataclasses.replace(net, **part, places=places, source=number[net.source], target=number[net.target])
    return small, used


def keep(net: Network, which: NDArray[np.bool_] | Rows) -> Network:
    """The network with some of its flows."""
    import dataclasses

    per_flow = ("source", "target", "lane", "window", "cost", "m3", "pack")
    return dataclasses.replace(net, **{name: getattr(net, name)[which] for name in per_flow})


def useful(net: Network) -> Floats:
    """Units of each flow beyond which one more cannot pay, whatever the others do (at most what is there).

    At best the lot alone supplies its target, and its source still gets all that others have. A plan that sends more on
    the flow would be better with one unit less.
    """
    total = np.bincount(net.sku, weights=np.maximum(net.stock, 0.0))
    there = np.maximum(net.stock, 0.0)[net.source]
    low, high = np.zeros(net.flows), np.floor(there)
    for _ in range(int(np.ceil(np.log2(max(float(high.max(initial=1.0)), 2.0)))) + 1):
        middle = np.ceil((low + high) / 2)
        pays = _last_unit(net, middle, total[net.sku][net.source].astype(np.float64)) > 0
        low, high = np.where(pays, middle, low), np.where(pays, high, np.maximum(middle - 1, low))
    return np.maximum(low, 0.0)


def _last_unit(net: Network, units: Floats, total: Floats) -> Floats:
    """What the last of `units` saves at best."""
    windows = net.span.shape[1]
    from_window = np.arange(windows) >= net.window[:, None]
    alone = np.where(from_window, units[:, None], 0.0)
    others = (total - units)[:, None] * np.ones(windows)
    with_it = transfer.at(net, net.target, alone)
    without = transfer.at(net, net.target, np.maximum(alone - from_window, 0.0))
    kept = transfer.at(net, net.source, others + 1.0) - transfer.at(net, net.source, others)
    return without - with_it + kept - net.cost


def _simpler(net: Network) -> NDArray[np.bool_]:
    """Flows to look at. Where too many positions would tie their windows together, each receives by the one window that
    promises most, and sends or receives, not both."""
    every = np.ones(net.flows, bool)
    if not net.lost or not net.flows:
        return every
    promise = transfer.first_unit(net) * np.maximum(useful(net), 1.0)
    n, windows = net.span.shape
    sent = np.bincount(net.source, weights=promise, minlength=n)
    by_window = np.zeros((n, windows))
    np.add.at(by_window, (net.target, net.window), promise)
    got = by_window.sum(axis=1)
    both = (sent > 0) & (got > 0)
    if int((both | ((by_window > 0).sum(axis=1) > 1)).sum()) <= TIED:
        return every
    gives = sent >= got
    out: NDArray[np.bool_] = (
        (~both | gives)[net.source]
        & (~both | ~gives)[net.target]
        & (by_window.argmax(axis=1)[net.target] == net.window)
    )
    return out


def _scaled(program: Program, nothing: float) -> tuple[Floats, float, float | None]:
    """Slope scaling: the best whole plan, its cost, and the bound of the first programme."""
    net = program.net
    lanes = net.lanes
    most = np.bincount(net.lane, weights=net.m3 * program.useful, minlength=len(lanes.fixed))
    with np.errstate(divide="ignore", invalid="ignore"):
        # No plan pays less for a m3 than a full trip does, or the only trip with all that could ever be on it.
        rate = lanes.fixed / np.minimum(lanes.room, np.maximum(most, 1e-12))
    rate = np.where(most > 0, rate, 0.0)
    kept: tuple[Floats, float] = (np.zeros(net.flows), nothing)
    bound: float | None = None
    stale = 0
    seen: set[bytes] = set()
    for number in range(ROUNDS):
        found = program.relaxed(rate)
        if found.qty is None:
            break
        if number == 0:
            bound = found.bound
        before = kept[1]
        raw = np.where(found.qty > 1e-6, found.qty, 0.0)
        needed = transfer.trips(net, raw)
        if needed.tobytes() not in seen:
            seen.add(needed.tobytes())
            kept = _better(kept, _paid(program, raw))
        stale = 0 if kept[1] < before - _EPS else stale + 1
        if stale >= STALE or not needed.any():
            break
        volume = np.bincount(net.lane, weights=net.m3 * raw, minlength=len(lanes.fixed))
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(volume > 0, lanes.fixed * needed / volume, rate)
    return kept[0], kept[1], bound


def _paid(program: Program, qty: Floats) -> tuple[Floats, float]:
    """The best lots for the trips that a plan needs."""
    net = program.net
    needed = transfer.trips(net, qty)
    free = np.where(needed > 0, 0.0, np.inf)
    room = np.where(needed > 0, np.maximum(needed, 1) * net.lanes.room, np.inf)
    found = program.relaxed(np.where(net.lanes.fixed > 0, free, 0.0), np.where(net.lanes.fixed > 0, room, np.inf))
    if found.qty is None:
        return qty, np.inf
    return finish(net, found.qty)


def _better(one: tuple[Floats, float], other: tuple[Floats, float]) -> tuple[Floats, float]:
    return other if other[1] < one[1] - _EPS else one


# --- whole lots ----------------------------------------------------------------------------------------------------


def finish(net: Network, qty: Floats) -> tuple[Floats, float]:
    """A plan of whole packs near `qty`, and its cost: cut, filled up, lots and lanes that do not pay left."""
    lanes = np.arange(len(net.lanes.fixed))
    lots = np.floor(qty / net.pack + 1e-6) * net.pack
    lots = _drop(net, _fill(net, lots, transfer.trips(net, np.where(qty > 1e-6, qty, 0.0))))
    cost = transfer.price(net, lots).cost
    while True:
        paid = transfer.trips(net, lots)
        without = [np.where(net.lane == lane, 0.0, lots) for lane in np.flatnonzero(paid * net.lanes.fixed > 0)]
        costs = [transfer.price(net, w).cost for w in without]
        if not costs or min(costs) >= cost - _EPS:
            return lots, cost
        lots = without[int(np.argmin(costs))]
        gone = np.isin(lanes, net.lane[lots > 0])
        lots = _drop(net, _fill(net, lots, np.where(gone, paid, 0)))
        cost = transfer.price(net, lots).cost


def _drop(net: Network, lots: Floats) -> Floats:
    """Without the lots that save less than their freight and handling; of each SKU the worst first."""
    lots = lots.copy()
    while True:
        sent = np.flatnonzero(lots > 0)
        surplus = transfer.worth(net, lots, sent)[0] - net.cost[sent] * lots[sent]
        of = net.sku[net.source[sent]]
        order = np.lexsort((surplus, of))
        worst = order[np.flatnonzero(np.diff(of[order], prepend=-1))]
        worst = worst[surplus[worst] < net.lot - _EPS]
        if not len(worst):
            return lots
        lots[sent[worst]] = 0.0


def _fill(net: Network, lots: Floats, paid: Rows) -> Floats:
    """Add and take back packs, one per SKU and pass, while that saves; trips `paid` are there and no others are opened."""
    lots = lots.copy()
    free = net.lanes.fixed <= 0
    room = np.where(free, np.inf, np.where(paid > 0, np.maximum(paid, 1) * net.lanes.room, 0.0))
    volume = np.bincount(net.lane, weights=net.m3 * lots, minlength=len(room))
    # What an SKU can still save depends on its own lots alone: only those that moved are looked at again.
    flows = np.flatnonzero((free | (paid > 0))[net.lane])
    for _ in range(PASSES):
        part, _ = _touched(keep(net, flows))
        here = lots[flows]
        there = part.stock - np.bincount(part.source, weights=here, minlength=len(part.stock))
        more = transfer.marginal(part, here, part.pack)
        more[there[part.source] < part.pack - 1e-9] = -np.inf
        fewer = transfer.marginal(part, here, -part.pack)
        fewer[here < part.pack] = -np.inf
        gain = np.maximum(more, fewer)
        step = np.where(more >= fewer, part.pack, -part.pack)
        # The best step of each SKU; then those that save most per m3, as long as there is room.
        of = part.sku[part.source]
        order = np.lexsort((-gain, of))
        first = order[np.flatnonzero(np.diff(of[order], prepend=-1))]
        chosen = first[gain[first] > _EPS]
        size = part.m3 * step
        chosen = chosen[np.argsort(-(gain[chosen] / np.maximum(np.abs(size[chosen]), 1e-12)), kind="stable")]
        moved = []
        for flow in chosen.tolist():
            lane = part.lane[flow]
            if size[flow] > 0 and volume[lane] + size[flow] > room[lane] * (1 + 1e-12) + 1e-12:
                continue
            volume[lane] += size[flow]
            lots[flows[flow]] += step[flow]
            moved.append(of[flow])
        if not moved:
            break
        flows = flows[np.isin(of, moved)]
    return lots
