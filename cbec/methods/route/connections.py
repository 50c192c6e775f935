"""Changing lanes: from the distribution of the first arrival to that of the second departure.

The second lane leaves on its own days, so that a late arrival waits for the next departure. With X the time from the first departure
until the goods are ready again (transit, delay and dwell, a gamma), the day from which they can leave is k with probability
F(k - cutoff) - F(k - 1 - cutoff); each such day has its next departure. Mean and variance of the second departure
are sums over these days, not guesses from the mean arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.route import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.route.world import World

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

TAIL = 5e-4  # probability left out on either side; it goes to the outermost day
_BLOCK = 200_000


@dataclass(frozen=True)
class Link:
    """mean, var: of the days from the first departure to the second; planned: the second departure if the first lane needs
    its mean time; goes: whether there is one within the longest wait."""

    mean: Floats
    var: Floats
    planned: Ints
    goes: Bools


def connect(world: World, row: Ints, depart: Ints, mean: Floats, var: Floats, onward: Ints) -> Link:
    """Connections of first legs (row, depart, mean and var of the time to arrival) with rows `onward`.

    Who would find no departure within the longest wait is taken to wait that long.
    """
    if not len(row):
        return Link(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_))
    # Shipments that are ready on one day share their connections.
    keys, back = np.unique(np.column_stack([row, depart, onward]), axis=0, return_inverse=True)
    back = back.reshape(-1)
    one = np.zeros(len(keys), dtype=np.int64)
    one[back] = np.arange(len(row))
    first, start, second = keys[:, 0], keys[:, 1], keys[:, 2]
    ready_mean, ready_var = mean[one] + world.dwell[first], var[one] + world.dwell_var[first]
    cut = world.cutoff[second]
    low = np.floor(spread.quantile(TAIL, ready_mean, ready_var) + cut).astype(np.int64)
    high = np.ceil(spread.quantile(1 - TAIL, ready_mean, ready_var) + cut).astype(np.int64)
    m, v = np.zeros(len(keys)), np.zeros(len(keys))
    wide = high - low + 1
    order = np.argsort(wide, kind="stable")
    at = 0
    while at < len(order):
        # Blocks of similar width, so that no block is much larger than it must be.
        size = max(1, _BLOCK // int(wide[order[min(at + 1000, len(order) - 1)]]))
        some = order[at : at + size]
        m[some], v[some] = _moments(world, start, second, low, high, cut, ready_mean, ready_var, some)
        at += size
    wanted = start + np.ceil(ready_mean + cut - 1e-9).astype(np.int64)
    planned = world.calendar.next(second, wanted)
    goes = planned - wanted <= world.terms.max_wait_days
    return Link(m[back], v[back], np.where(goes, planned, wanted)[back], goes[back])


def _moments(
    world: World,
    start: Ints,
    second: Ints,
    low: Ints,
    high: Ints,
    cut: Floats,
    mean: Floats,
    var: Floats,
    some: Ints,
) -> tuple[Floats, Floats]:
    days = low[some, None] + np.arange(int((high[some] - low[some]).max()) + 1)
    last = high[some, None]
    until = spread.below(days - cut[some, None], mean[some, None], var[some, None])
    until = np.where(days >= last, 1.0, until)
    share = np.diff(until, axis=1, prepend=0.0)
    wanted = start[some, None] + np.minimum(days, last)
    leaves = world.calendar.next(np.broadcast_to(second[some, None], days.shape), wanted)
    longest = wanted + world.terms.max_wait_days
    offset = np.minimum(leaves, longest) - start[some, None]
    first = (share * offset).sum(axis=1)
    return first, np.maximum((share * (offset - first[:, None]) ** 2).sum(axis=1), 0.0)
