"""What a plan of transfers is expected to cost: stock, demand and lots of many SKUs over the days looked at.

A position is one SKU at one warehouse. It is looked at over its own days: until an order placed now and at the next
review could have arrived; what happens later is the matter of orders. Demand follows the paths of `fan`.

Two readings of demand that meets an empty shelf:

* lost: it is gone. On a path the units lost so far are the largest excess so far of demand over supply, so that a lot
  that arrives late saves nothing of what was lost before. Each costs the shortage cost once.
* waits: it waits for the next delivery. At every review each waiting unit costs the shortage cost.

Stock left costs holding: by its mean over each window (lost), or as it is found at each review (waits). Both readings
are convex in the lots sent.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.warehouse.fan import WEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Lanes:
    """L ways: names, days until goods are on the shelf (whole), cost and room of a trip (inf = all fits)."""

    start: list[str]
    end: list[str]
    days: Rows
    fixed: Floats
    room: Floats
    customs: list[bool]


@dataclass(frozen=True)
class Network:
    """n positions, R windows (or reviews), Q paths, F flows (a lane for one SKU).

    stock: free units now. short, hold: cost of a unit short, of a unit held for a day. span (n x R): days of each window,
    0 past the position's last day. demand (n x R x Q): cumulative at the end of each window. coming (n x R): inbound
    until then. excess (n x R x Q): largest cumulative demand less inbound within the window (lost only).
    source, target: positions of each flow. window: the first one that the lot serves. cost: of a unit, lane and capital
    on the way. m3: of a unit. pack: units move in multiples of it. lot: cost of handling one SKU on one lane.
    """

    lost: bool
    skus: list[str]
    places: list[str]
    sku: Rows
    stock: Floats
    short: Floats
    hold: Floats
    span: Floats
    demand: Floats
    coming: Floats
    excess: Floats
    lanes: Lanes
    source: Rows
    target: Rows
    lane: Rows
    window: Rows
    cost: Floats
    m3: Floats
    pack: Floats
    lot: float = 0.0

    @property
    def flows(self) -> int:
        """How many."""
        return len(self.source)


@dataclass(frozen=True)
class Outcome:
    """Per position: expected cost, units short and left at its last day; cost on each path (n x Q)."""

    cost: Floats
    short: Floats
    left: Floats
    paths: Floats


def supply(net: Network, qty: Floats) -> Floats:
    """Stock that serves each window, without inbound (n x R): what is there, less what is sent, plus what has arrived."""
    windows = net.span.shape[1]
    sent = np.bincount(net.source, weights=qty, minlength=len(net.stock))
    arrived = np.zeros((len(net.stock), windows))
    useful = net.window < windows
    np.add.at(arrived, (net.target[useful], net.window[useful]), qty[useful])
    return (net.stock - sent)[:, None] + np.cumsum(arrived, axis=1)


def outcome(net: Network, supplied: Floats) -> Outcome:
    """What a supply (n x R) is expected to cost."""
    gap = net.demand - (supplied + net.coming)[:, :, None]
    if net.lost:
        lost = np.maximum.accumulate(np.maximum(net.excess - supplied[:, :, None], 0.0), axis=1)
        end = lost - gap
        start = np.empty_like(end)
        start[:, 0] = np.maximum(supplied[:, 0, None], 0.0)
        start[:, 1:] = end[:, :-1] + np.diff(supplied, axis=1)[:, :, None]
        held = ((start + end) / 2 * net.span[:, :, None]).sum(axis=1)
        short, left = lost[:, -1], end[:, -1]
        paths = net.short[:, None] * short + net.hold[:, None] * held
    else:
        looked = (net.span > 0)[:, :, None]
        waiting, left_at = np.maximum(gap, 0.0) * looked, np.maximum(-gap, 0.0)
        paths = net.short[:, None] * waiting.sum(axis=1) + net.hold[:, None] * (left_at * net.span[:, :, None]).sum(
            axis=1
        )
        last = np.maximum((net.span > 0).sum(axis=1) - 1, 0)
        rows = np.arange(len(last))
        short, left = waiting[rows, last], left_at[rows, last]
    return Outcome(paths @ WEIGHT, short @ WEIGHT, left @ WEIGHT, paths)


def trips(net: Network, qty: Floats) -> Rows:
    """Trips of each lane: its volume over the room of one."""
    volume = np.bincount(net.lane, weights=net.m3 * qty, minlength=len(net.lanes.fixed))
    moved = np.bincount(net.lane, weights=qty, minlength=len(net.lanes.fixed)) > 0
    full = np.ceil(volume / net.lanes.room - 1e-9)
    return np.where(moved, np.maximum(full, 1), 0).astype(np.intp)


@dataclass(frozen=True)
class Total:
    """Cost of a plan: shortage and stock of all positions, freight by unit, handling by lot, trips."""

    positions: float
    freight: float
    lots: float
    trips: float

    @property
    def cost(self) -> float:
        """All of it."""
        return self.positions + self.freight + self.lots + self.trips


def price(net: Network, qty: Floats) -> Total:
    """The whole cost of a plan (F units per flow)."""
    positions = float(outcome(net, supply(net, qty)).cost.sum())
    lots = net.lot * int((qty > 0).sum())
    return Total(positions, float(net.cost @ qty), lots, float(net.lanes.fixed @ trips(net, qty)))


def first_unit(net: Network) -> Floats:
    """What the first unit of each flow saves, before the trip's cost (F)."""
    return marginal(net, np.zeros(net.flows), 1.0)


def marginal(net: Network, qty: Floats, step: float | Floats) -> Floats:
    """What `step` units more on each flow alone would save, before the trip's cost (F); step < 0: what fewer would.

    step: one number, or one per flow that is a multiple of the same sign.
    """
    supplied = supply(net, qty)
    size = np.broadcast_to(np.asarray(step, float), (net.flows,))
    saved = -net.cost * size
    now = outcome(net, supplied).cost
    windows = supplied.shape[1]
    for units in np.unique(size):
        these = np.flatnonzero(size == units)
        less = now - outcome(net, supplied - units).cost
        more = np.zeros((len(now), windows + 1))
        for window in np.unique(net.window[these]):
            if window < windows:
                after = supplied.copy()
                after[:, window:] += units
                more[:, window] = now - outcome(net, after).cost
        saved[these] += less[net.source[these]] + more[net.target[these], net.window[these]]
    out: Floats = saved
    return out


def at(net: Network, positions: Rows, supplied: Floats) -> Floats:
    """Expected cost of some positions (m), each with a supply of its own (m x R)."""
    names = ("short", "hold", "span", "demand", "coming", "excess")
    part = dataclasses.replace(net, **{name: getattr(net, name)[positions] for name in names})
    return outcome(part, supplied).cost


def serves(net: Network, flows: Rows) -> Floats:
    """1 in the windows that a lot of each flow serves, else 0 (m x R)."""
    return (np.arange(net.span.shape[1]) >= net.window[flows][:, None]).astype(np.float64)


def worth(net: Network, qty: Floats, flows: Rows) -> tuple[Floats, Floats]:
    """What each lot saves in shortage and stock, all others being sent: in all, and the part where it leaves."""
    supplied = supply(net, qty)
    units = qty[flows][:, None]
    target, source = net.target[flows], net.source[flows]
    there = at(net, target, supplied[target] - serves(net, flows) * units) - at(net, target, supplied[target])
    here = at(net, source, supplied[source] + units) - at(net, source, supplied[source])
    return there + here, here
