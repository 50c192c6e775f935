"""Which SKU goes to which bin: frequent ones to near bins, under the limits of each bin.

Where every bin can hold every SKU, sorting both sides is exact for cost = picks x rank of the bin (the rearrangement
inequality; with one bin per SKU, Heskett's cube-per-order rule ranks SKUs the same way). Limits of room, load and zone
make it an assignment problem: solved exactly up to CELLS pairs (Jonker-Volgenant, SciPy), above by the greedy rule.
How to rank bins, and how fast old orders fade, is settled by trial: fitted on the first four fifths of the days, walked
on the last fifth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.warehouse import layout, tours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.warehouse.layout import Floor
    from cbec.methods.warehouse.picks import Picks

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

CELLS = 1_000_000
#: Days in which an order's weight halves, tried beside no fading.
HALF_LIVES = (np.inf, 90.0, 45.0, 21.0)
#: Orders needed in the last fifth of the days, or nothing is tried.
TRIAL_ORDERS = 100
NOWHERE = -1


class Fit:
    """Which bin may hold which SKU.

    A bin must hold `need` units of it by count, room and load; where the largest bin of its zone holds fewer, as many
    as that one, but at least one. Unknown volume, weight or limit: no limit.
    """

    def __init__(self, floor: Floor, need: Floats, m3: Floats, kg: Floats, zone: list[str | None]) -> None:
        self.floor, self.need, self.m3, self.kg = floor, need, m3, kg
        self.zone = [None if z is None else z for z in zone]
        self._bin_zone = np.array([z or "" for z in floor.zone])
        limits = (floor.units, floor.m3, floor.kg)
        self.free = all(np.isnan(limit).all() for limit in limits) and len(set(zone)) <= 1 and len(set(floor.zone)) <= 1

    def units(self, sku: int) -> Floats:
        """Units of the SKU that each bin holds; 0 outside its zone."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rooms = np.stack([self.floor.units, self.floor.m3 / self.m3[sku], self.floor.kg / self.kg[sku]])
        held = np.floor(np.where(np.isnan(rooms), np.inf, rooms).min(axis=0) + 1e-9)
        zone = self.zone[sku]
        return held if zone is None else np.where(self._bin_zone == zone, held, 0.0)

    def bins(self, sku: int) -> NDArray[np.bool_]:
        """Per bin: may it hold the SKU?"""
        held = self.units(sku)
        return held >= max(min(float(self.need[sku]), float(held.max(initial=0.0))), 1.0)


@dataclass(frozen=True)
class Choice:
    """How bins are ranked, half-life of orders in days (inf = none), metres per order on the trial (None = no trial)."""

    ranking: str
    half_life: float
    metres: float | None
    tried: dict[tuple[str, float], float]


def choose(picks: Picks, floor: Floor, policy: str, ranking: str, half_life: float) -> Choice:
    """The ranking of bins and the half-life that walk least on the last fifth of the days.

    ranking: `auto` or one of layout.orders_of_bins. half_life: 0 = by trial. The first of equals is taken; without
    dates or enough orders: the layout's own ranking (aisle, else distance) and no fading.
    """
    rankings = layout.orders_of_bins(floor)
    names = list(rankings) if ranking == "auto" or ranking not in rankings else [ranking]
    lives = HALF_LIVES if half_life <= 0 else (half_life,)
    cut = picks.days * 0.8
    late = picks.day >= cut
    if np.isnan(picks.days) or late.sum() < TRIAL_ORDERS or (~late).sum() < TRIAL_ORDERS:
        name = "aisle" if "aisle" in names else names[0]
        return Choice(name, lives[0], None, {})
    tried: dict[tuple[str, float], float] = {}
    for name in names:
        for life in lives:
            place = sort(picks.frequency(picks.aged(life, until=cut - 1e-9)), rankings[name])
            tried[name, life] = walked(picks, place, floor, policy, late)
    best = min(tried, key=lambda key: round(tried[key], 6))
    return Choice(*best, tried[best], tried)


def walked(picks: Picks, place: Rows, floor: Floor, policy: str, orders: NDArray[np.bool_] | None = None) -> float:
    """Mean metres per order; picks of SKUs without a bin are left out."""
    metres = lengths(picks, place, floor, policy)
    some = metres if orders is None else metres[orders]
    return float(some.mean()) if len(some) else 0.0


def lengths(picks: Picks, place: Rows, floor: Floor, policy: str) -> Floats:
    """Metres per order with SKUs in the bins `place` (NOWHERE: in none)."""
    known = place[picks.sku] != NOWHERE
    order, at = picks.order[known], place[picks.sku[known]]
    if floor.block is None:
        return tours.trips(order, at, picks.orders, floor.distance)
    return tours.lengths(policy, order, at, picks.orders, floor.block)


def sort(frequency: Floats, ranking: Rows) -> Rows:
    """Place per SKU where every bin holds every SKU: the first bin of the ranking to the most frequent, ties by name."""
    place = np.full(len(frequency), NOWHERE, dtype=np.intp)
    rank = np.argsort(-frequency, kind="stable")[: len(ranking)]
    place[rank] = ranking[: len(rank)]
    return place


def assign(frequency: Floats, ranking: Rows, fit: Fit) -> Rows:
    """Place per SKU under the limits of `fit`; NOWHERE where no bin is left. ranking: places, some bins several times."""
    if fit.free:
        return sort(frequency, ranking)
    skus = np.argsort(-frequency, kind="stable")
    if len(skus) * len(ranking) <= CELLS:
        return _exact(frequency, ranking, fit)
    place = np.full(len(frequency), NOWHERE, dtype=np.intp)
    left = np.ones(len(ranking), bool)
    for sku in skus:
        possible = left & fit.bins(int(sku))[ranking]
        if possible.any():
            first = int(possible.argmax())
            place[sku], left[first] = ranking[first], False
    return place


def _exact(frequency: Floats, ranking: Rows, fit: Fit) -> Rows:
    from scipy.optimize import linear_sum_assignment

    may = np.stack([fit.bins(sku)[ranking] for sku in range(len(frequency))])
    # A trifle more than the picks keeps SKUs without any in a fixed order.
    cost = (frequency[:, None] + 1e-6) * np.arange(len(ranking))
    never = (float(cost.max(initial=0.0)) + 1.0) * (min(cost.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(may, cost, never))
    place = np.full(len(frequency), NOWHERE, dtype=np.intp)
    done = may[rows, columns]
    place[rows[done]] = ranking[columns[done]]
    return place


def attributes(skus: list[str], products: pl.DataFrame | None) -> tuple[Floats, Floats]:
    """Volume (m3) and weight (kg) of a unit per SKU; NaN = not known."""
    nothing = np.full(len(skus), np.nan)
    if products is None:
        return nothing, nothing.copy()
    sides = [pl.col(c) for c in ("length_cm", "width_cm", "height_cm")]
    master = products.select("sku", m3=sides[0] * sides[1] * sides[2] / 1e6, kg="weight_kg")
    rows = pl.DataFrame({"sku": skus}, schema={"sku": pl.String}).join(
        master, on="sku", how="left", maintain_order="left"
    )
    m3, kg = (rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("m3", "kg"))
    return np.where(m3 > 0, m3, np.nan), np.where(kg > 0, kg, np.nan)
