"""From today's places to better ones by swaps that pay for themselves, in an order in which every place is free in time.

A swap brings one SKU to the bin it deserves. Who lies there goes on: to the place left behind (a cycle, closed over a
temporary place), to a free bin (an open chain), or to the bin it deserves itself, whose occupant goes on in turn. The
walks of all orders that hold a moved SKU are walked again, so that the saving is that of whole tours, not of distances.
A swap is taken where the minutes saved over the days that the slotting holds are more than those of carrying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.warehouse import tours
from cbec.methods.warehouse.slotting import NOWHERE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.warehouse.layout import Floor
    from cbec.methods.warehouse.picks import Picks
    from cbec.methods.warehouse.slotting import Fit

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: The temporary place in steps.
TEMPORARY = -2
#: SKUs that one swap may move.
CHAIN = 6
#: SKUs in a row that find no swap, after which the search ends (they come by falling promise).
PATIENCE = 150
_LEAST = 1e-9


@dataclass(frozen=True)
class Swap:
    """Steps (sku, from bin, to bin) in the order of doing, TEMPORARY being a place of its own; `lead`: the SKU for whose
    sake; metres saved over the days that the slotting holds."""

    steps: tuple[tuple[int, int, int], ...]
    lead: int
    metres: float


class Walks:
    """Tours of all orders, walked again only where a moved SKU is in them.

    weight: per order, so that the sum of weight x metres is the walk of the days that the slotting holds.
    """

    def __init__(self, picks: Picks, place: Rows, floor: Floor, policy: str, weight: Floats) -> None:
        self._picks, self._floor, self._policy, self._weight = picks, floor, policy, weight
        self._start = np.searchsorted(picks.order, np.arange(picks.orders + 1))
        rank = np.argsort(picks.sku, kind="stable")
        self._orders = picks.order[rank]
        self._of = np.searchsorted(picks.sku[rank], np.arange(len(picks.skus) + 1))
        self.place = place.copy()
        self.metres = self._walk(np.arange(picks.orders), self.place)

    @property
    def total(self) -> float:
        """Weighted metres of all orders."""
        return float(self._weight @ self.metres)

    def trial(self, moved: dict[int, int]) -> tuple[float, Rows, Floats]:
        """Metres saved if the SKUs `moved` lay in other bins; the orders concerned and their new metres."""
        parts = [self._orders[self._of[s] : self._of[s + 1]] for s in moved]
        orders = np.unique(np.concatenate(parts))
        place = self.place.copy()
        place[list(moved)] = list(moved.values())
        metres = self._walk(orders, place)
        return float(self._weight[orders] @ (self.metres[orders] - metres)), orders, metres

    def take(self, moved: dict[int, int], orders: Rows, metres: Floats) -> None:
        """Let a trial hold."""
        self.place[list(moved)] = list(moved.values())
        self.metres[orders] = metres

    def _walk(self, orders: Rows, place: Rows) -> Floats:
        size = self._start[orders + 1] - self._start[orders]
        at = np.repeat(self._start[orders] - np.cumsum(size) + size, size) + np.arange(int(size.sum()))
        bins = place[self._picks.sku[at]]
        order = np.repeat(np.arange(len(orders)), size)
        order, bins = order[bins != NOWHERE], bins[bins != NOWHERE]
        if self._floor.block is None:
            return tours.trips(order, bins, len(orders), self._floor.distance)
        return tours.lengths(self._policy, order, bins, len(orders), self._floor.block)


class Shelves:
    """Who lies where, and how many SKUs each bin may hold: as many as today, at least one."""

    def __init__(self, bins: int, holders: list[tuple[int, int]]) -> None:
        self.there: list[set[int]] = [set() for _ in range(bins)]
        for sku, place in holders:
            self.there[place].add(sku)
        self.room = np.array([max(1, len(s)) for s in self.there])

    def full(self, place: int) -> bool:
        """Whether nothing more may come."""
        return len(self.there[place]) >= int(self.room[place])

    def free(self) -> NDArray[np.bool_]:
        """Per bin, whether something may come."""
        return np.array([len(s) for s in self.there]) < self.room


def plan(
    walks: Walks, target: Rows, frequency: Floats, cost: Floats, fit: Fit, shelves: Shelves, per_metre: float, per_move: float, most: int,
) -> list[Swap]:  # fmt: skip
    """Swaps that pay, the most promising first; `walks` and `shelves` are left as they are after them.

    Promise: picks x ranks that the SKU would gain. Taking the swap of the largest walked saving at each step was tried on
    Online Retail and is worse on later orders: places near each other help one another, which single savings miss.

    target: place that each SKU deserves. cost: rank of each bin, 0 = best. per_metre, per_move: minutes of walking one
    metre and of carrying one SKU from place to place. most: carries allowed, 0 = any number.
    """
    place = walks.place
    placed = np.flatnonzero((place != NOWHERE) & (target != NOWHERE))
    promise = frequency[placed] * (cost[place[placed]] - cost[target[placed]])
    queue = placed[np.argsort(-promise, kind="stable")][: int((promise > 0).sum())]
    found: list[Swap] = []
    carries, idle = 0, 0
    for sku in queue.tolist():
        if idle >= PATIENCE or (most and carries >= most):
            break
        best = _best(sku, walks, target, frequency, cost, fit, shelves, per_metre, per_move, most - carries)
        if best is None:
            idle += 1
            continue
        idle = 0
        swap, moved, orders, metres = best
        walks.take(moved, orders, metres)
        for who, start, end in swap.steps:
            if start != TEMPORARY:
                shelves.there[start].discard(who)
            if end != TEMPORARY:
                shelves.there[end].add(who)
        carries += len(swap.steps)
        found.append(swap)
    return found


_Taken = tuple[Swap, dict[int, int], "Rows", "Floats"]


def _best(
    lead: int, walks: Walks, target: Rows, frequency: Floats, cost: Floats, fit: Fit, shelves: Shelves, per_metre: float, per_move: float, left: int,
) -> _Taken | None:  # fmt: skip
    """The way to bring `lead` to its place that saves most minutes net; None where none saves any."""
    home = int(walks.place[lead])
    best: _Taken | None = None
    best_net = _LEAST
    moved: dict[int, int] = {}
    steps: list[tuple[int, int, int]] = []
    sku, goal = lead, int(target[lead])
    while goal != home and goal not in moved.values() and fit.bins(sku)[goal]:
        steps.append((sku, int(walks.place[sku]), goal))
        moved[sku] = goal
        # Who has to go: of those picked there, the least picked one (ties by number) that is not on the move already.
        picked = [s for s in shelves.there[goal] if s not in moved and walks.place[s] == goal]
        others = sorted(picked, key=lambda s: (frequency[s], s))
        endings: list[tuple[dict[int, int], tuple[tuple[int, int, int], ...]]] = []
        if not shelves.full(goal):
            endings.append(({}, tuple(reversed(steps))))
        elif others and len(steps) < CHAIN:
            out = others[0]
            may = fit.bins(out)
            if may[home]:
                away = ((out, goal, TEMPORARY), *reversed(steps), (out, TEMPORARY, home))
                endings.append(({out: home}, away))
            open_bins = np.flatnonzero(shelves.free() & may)
            if open_bins.size:
                spare = int(open_bins[np.argmin(cost[open_bins])])
                endings.append(({out: spare}, ((out, goal, spare), *reversed(steps))))
        for more, way in endings:
            if left > 0 and len(way) > left:
                continue
            saved, orders, metres = walks.trial(moved | more)
            net = saved * per_metre - len(way) * per_move
            if net > best_net + _LEAST:
                best_net = net
                best = (Swap(way, lead, saved), moved | more, orders, metres)
        if not shelves.full(goal) or not others or len(steps) >= CHAIN - 1:
            break
        sku, goal = others[0], int(target[others[0]])
        if goal == NOWHERE or int(walks.place[sku]) == goal:
            break
    return best
