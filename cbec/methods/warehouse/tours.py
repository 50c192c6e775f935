"""Length of picking tours through a block of parallel aisles, for many orders at once.

* s-shape: aisles with picks from left to right, each walked through in full; where their number is odd the last is
  walked to its farthest pick and back.
* return: each aisle with picks is entered from the front, walked to its farthest pick and left at the front.
* shortest: the shortest tour (Ratliff and Rosenthal 1983, Operations Research 31): aisle by aisle, the cheapest set of
  walked edges for each way in which it can touch the two cross aisles. A closed walk is a connected set of edges with
  an even degree at every point, so that parity and connection at the two corners are all that must be remembered.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.warehouse.layout import Block

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

POLICIES = ("shortest", "s-shape", "return")
_ORDERS_AT_ONCE = 20_000


def lengths(policy: str, order: Rows, bin_at: Rows, n: int, block: Block) -> Floats:
    """Metres of each of n orders (0 for those without picks).

    order, bin_at: one entry per pick: its order's number and its bin's. policy: one of POLICIES.
    """
    out = np.zeros(n)
    rank = np.argsort(order, kind="stable")
    order, bin_at = order[rank], bin_at[rank]
    for start in range(0, n, _ORDERS_AT_ONCE):
        stop = min(start + _ORDERS_AT_ONCE, n)
        few = slice(*np.searchsorted(order, [start, stop]))
        seen = _Seen(order[few] - start, block.aisle[bin_at[few]], block.y[bin_at[few]], stop - start, block)
        out[start:stop] = {"shortest": _shortest, "s-shape": _s_shape, "return": _return}[policy](seen, block)
    return out


def trips(order: Rows, bin_at: Rows, n: int, distance: Floats) -> Floats:
    """Metres of each order where each bin is a trip of its own from the dock: twice its distance."""
    return np.bincount(order, weights=2 * distance[bin_at], minlength=n).astype(np.float64)


class _Seen:
    """Per order and aisle (n x A): whether it has picks, the nearest and farthest y, the widest gap between picks."""

    def __init__(self, order: Rows, aisle: Rows, y: Floats, n: int, block: Block) -> None:
        aisles = len(block.x)
        self.has: NDArray[np.bool_] = np.zeros((n, aisles), bool)
        self.near: Floats = np.zeros((n, aisles))
        self.far: Floats = np.zeros((n, aisles))
        self.gap: Floats = np.zeros((n, aisles))
        if not len(order):
            return
        rank = np.lexsort((y, aisle, order))
        order, aisle, y = order[rank], aisle[rank], y[rank]
        first = np.flatnonzero(np.diff(order * aisles + aisle, prepend=-1))
        last = np.append(first[1:], len(y)) - 1
        at = (order[first], aisle[first])
        self.has[at], self.near[at], self.far[at] = True, y[first], y[last]
        step = np.diff(y, prepend=y[0])
        step[first] = 0.0
        self.gap[at] = np.maximum.reduceat(step, first)


def _across(seen: _Seen, block: Block) -> tuple[NDArray[np.bool_], Floats, Rows]:
    """Which orders have picks, their walk along the front from the depot and back, their last aisle."""
    has = seen.has
    left = has.argmax(axis=1)
    right = has.shape[1] - 1 - has[:, ::-1].argmax(axis=1)
    low, high = np.minimum(block.x[left], block.depot), np.maximum(block.x[right], block.depot)
    some: NDArray[np.bool_] = np.asarray(has.any(axis=1))
    return some, 2 * (high - low), right


def _s_shape(seen: _Seen, block: Block) -> Floats:
    some, across, right = _across(seen, block)
    aisles = seen.has.sum(axis=1)
    odd = aisles % 2 == 1
    far = seen.far[np.arange(len(aisles)), right]
    along = (aisles - odd) * block.length + odd * 2 * far
    return np.where(some, across + along, 0.0)


def _return(seen: _Seen, block: Block) -> Floats:
    some, across, _ = _across(seen, block)
    return np.where(some, across + 2 * seen.far.sum(axis=1), 0.0)


# --- shortest ------------------------------------------------------------------------------------------------------


class State(NamedTuple):
    """What a set of edges so far looks like from the next aisle: the degree at its back and front corner (0, 1 = odd,
    2 = even), and whether both hang together. `over`: the walk is complete and nothing may follow."""

    back: int
    front: int
    joined: bool
    over: bool = False


NOTHING, OVER = State(0, 0, False), State(0, 0, False, True)
#: How an aisle can be walked: degree added at its back and front, whether it joins them.
WALKS = {
    "through": (1, 1, True),
    "twice": (2, 2, True),
    "from_back": (2, 0, False),
    "from_front": (0, 2, False),
    "both_ends": (2, 2, False),
    "not": (0, 0, False),
}


@cache
def _tables() -> tuple[list[State], list[tuple[str, int, int]], list[tuple[int, int, int]]]:
    """All states, the transitions (walk, from, to) within an aisle and (edges, from, to) to the next."""
    states, within, between = [NOTHING, OVER], [], []
    at = {NOTHING: 0, OVER: 1}
    queue = [NOTHING, OVER]

    def number(state: State) -> int:
        if state not in at:
            at[state] = len(states)
            states.append(state)
            queue.append(state)
        return at[state]

    while queue:
        state = queue.pop()
        for walk in WALKS:
            after = _walk(state, walk)
            if after is not None:
                within.append((walk, at[state], number(after)))
        for back, front in product(range(3), repeat=2):
            onward = _cross(state, back, front)
            if onward is not None:
                between.append((back + front, at[state], number(onward)))
    return states, within, between


def _walk(state: State, walk: str) -> State | None:
    back, front, joins = WALKS[walk]
    if state.over:
        return state if walk == "not" else None

    def degree(old: int, new: int) -> int:
        return old if not new else new if not old else 2 - (old + new) % 2

    both = (degree(state.back, back), degree(state.front, front))
    return State(*both, all(both) and (joins or state.joined))


def _cross(state: State, back: int, front: int) -> State | None:
    """Edges along the two cross aisles to the next aisle: each corner that is left must have an even degree."""
    for old, new in ((state.back, back), (state.front, front)):
        if (old == 0 and new) or (old + new) % 2:
            return None
    if state in (NOTHING, OVER):
        return state
    apart = bool(state.back and state.front and not state.joined)
    if not back and not front:
        return None if apart else OVER
    if apart and not (back and front):
        return None  # one part would be left behind
    return State(back, front, state.joined and bool(back and front))


def _shortest(seen: _Seen, block: Block) -> Floats:
    states, within, between = _tables()
    x, depot = block.x, block.depot
    columns: list[tuple[float, int | None]] = [(place, i) for i, place in enumerate(x.tolist())]
    if not np.isclose(x, depot).any():
        columns = sorted([*columns, (depot, None)], key=lambda c: c[0])
    n = len(seen.has)
    best = np.full((len(states), n), np.inf)
    best[0] = 0.0
    for number, (place, aisle) in enumerate(columns):
        if number:
            gap = place - columns[number - 1][0]
            moved = np.full_like(best, np.inf)
            for edges, before, after in between:
                np.minimum(moved[after], best[before] + edges * gap, out=moved[after])
            best = moved
        cost = _walks(seen, aisle, block, bool(np.isclose(place, depot)), n)
        walked = np.full_like(best, np.inf)
        for walk, before, after in within:
            np.minimum(walked[after], best[before] + cost[walk], out=walked[after])
        best = walked
    ends = [i for i, s in enumerate(states) if s != NOTHING and _cross(s, 0, 0) == OVER]
    out: Floats = np.where(seen.has.any(axis=1), best[ends].min(axis=0), 0.0)
    return out


def _walks(seen: _Seen, aisle: int | None, block: Block, depot: bool, n: int) -> dict[str, Floats]:
    """Metres of each way to walk one aisle; the depot is a pick at its front. None: there is no aisle, only the depot."""
    never, free = np.full(n, np.inf), np.zeros(n)
    if aisle is None:
        return dict.fromkeys(WALKS, never) | {"from_front": free}
    has = seen.has[:, aisle]
    near, far, gap = seen.near[:, aisle], seen.far[:, aisle], seen.gap[:, aisle]
    if depot:
        gap = np.where(has, np.maximum(gap, near), 0.0)
        has, near = np.ones(n, bool), np.zeros(n)
    full = block.length
    return {
        "through": np.full(n, full),
        "twice": np.full(n, 2 * full),
        "from_back": np.where(has, 2 * (full - near), np.inf),
        "from_front": np.where(has, 2 * far, np.inf),
        "both_ends": np.where(has & (gap > 0), 2 * (full - gap), np.inf),
        "not": np.where(has, np.inf, 0.0),
    }
