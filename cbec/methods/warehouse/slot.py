"""Slotting one warehouse: today's places, the places that SKUs deserve, and the swaps that pay for themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.core.errors import InputRejected
from cbec.methods.warehouse import layout, moves, picks, slotting
from cbec.methods.warehouse.slotting import NOWHERE

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from cbec.methods.warehouse.layout import Floor
    from cbec.methods.warehouse.moves import Swap
    from cbec.methods.warehouse.picks import Picks
    from cbec.methods.warehouse.slotting import Choice, Fit

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Terms:
    """Settings of a slotting. wage: per hour in `currency`, 0 = not known."""

    routing: str
    ranking: str
    half_life: float
    stock_days: float
    keep_days: float
    speed: float
    minutes_per_move: float
    max_moves: int
    temporary: str
    front: float
    back: float
    depot: float | None
    wage: float
    currency: str | None

    @property
    def minutes_per_metre(self) -> float:
        """At walking speed."""
        return 1 / (60 * self.speed)

    @property
    def rate(self) -> float | None:
        """Money per minute; None without a wage and a currency."""
        return self.wage / 60 if self.wage > 0 and self.currency else None


@dataclass(frozen=True)
class Plan:
    """One warehouse: bins of each SKU today and after the moves (NOWHERE = none), metres over the days that the slotting
    holds, of the same lines: today, after the moves, and if every SKU lay where it belongs. spread: sd of the saving."""

    name: str | None
    floor: Floor
    picks: Picks
    choice: Choice
    fit: Fit
    today: Rows
    place: Rows
    swaps: list[Swap]
    metres: dict[str, float]
    per_order: dict[str, float]
    spread: float
    scale: float
    unplaced_lines: int
    zone_guessed: list[str]


def make(
    name: str | None,
    lines: pl.DataFrame,
    bins: pl.DataFrame,
    slots: pl.DataFrame | None,
    products: pl.DataFrame | None,
    s: Terms,
) -> Plan:
    """Slot one warehouse. Raises InputRejected where slots name bins that there are not, or no line is left."""
    floor = layout.read(bins, front=s.front, back=s.back, depot=s.depot)
    place_of = {b: i for i, b in enumerate(floor.bins)}
    if s.temporary in place_of:
        raise InputRejected(f'bins: "{s.temporary}" is the name of the temporary place too', hint="set --temporary")
    held = [] if slots is None else slots.select("sku", "bin").sort("sku", "bin").rows()
    strange = [b for _, b in held if b not in place_of]
    if strange:
        raise InputRejected(
            f'slots: bin "{strange[0]}" is not in bins ({len(strange)} of {len(held)} rows)',
            hint="bins must list every place that slots name",
        )
    # Without slots the item master says what else wants a place; with them, what lies there and what is ordered does.
    more = [sku for sku, _ in held] if slots is not None else [] if products is None else products["sku"].to_list()
    seen = picks.read(lines, more)
    if not seen.orders:
        raise InputRejected(f"order_lines: no line with pieces{'' if name is None else f' of warehouse {name}'}")
    number = {sku: i for i, sku in enumerate(seen.skus)}
    holders = [(number[sku], place_of[b]) for sku, b in held]
    today = _nearest(len(seen.skus), holders, floor)
    fit, guessed = _fit(seen, floor, today, products, s)
    choice = slotting.choose(seen, floor, s.routing, s.ranking, s.half_life)
    aged = seen.aged(choice.half_life)
    frequency = seen.frequency(aged)
    ranking = layout.orders_of_bins(floor)[choice.ranking]
    shelves = moves.Shelves(len(floor.bins), holders)
    taken = [] if slots is None else [p for who, p in holders if today[who] != p]
    target = slotting.assign(frequency, _places(ranking, shelves, taken), fit)
    # The walk of the days that the slotting holds: so many orders a day, late ones counting most.
    scale = s.keep_days / seen.days if not np.isnan(seen.days) else 1.0
    weight = aged * (seen.orders * scale / max(float(aged.sum()), 1e-12))
    before = slotting.lengths(seen, today, floor, s.routing)
    known = today[seen.sku] != NOWHERE
    ideal = slotting.lengths(seen, np.where(today == NOWHERE, NOWHERE, target), floor, s.routing)
    if slots is None:
        place, swaps, after = target, [], slotting.lengths(seen, target, floor, s.routing)
        ideal = after
    else:
        walks = moves.Walks(seen, today, floor, s.routing, weight)
        cost = np.empty(len(floor.bins))
        cost[ranking] = np.arange(len(ranking))
        swaps = moves.plan(
            walks, target, frequency, cost, fit, shelves, s.minutes_per_metre, s.minutes_per_move, s.max_moves
        )
        after = walks.metres.copy()
        place = _put_away(walks.place, frequency, ranking, fit, shelves)
    saved = weight * (before - after)
    return Plan(
        name, floor, seen, choice, fit, today, place, swaps,
        {"today": float(weight @ before), "proposed": float(weight @ after), "ideal": float(weight @ ideal)},
        {"today": float(before.mean()), "proposed": float(after.mean()), "ideal": float(ideal.mean())},
        float(saved.std() * np.sqrt(len(saved))), scale, int((~known).sum()) if slots is not None else 0, guessed,
    )  # fmt: skip


def _nearest(n: int, holders: list[tuple[int, int]], floor: Floor) -> Rows:
    """The bin that each SKU is picked from today: of several the nearest, ties by name."""
    place = np.full(n, NOWHERE, dtype=np.intp)
    for sku, at in holders:
        if place[sku] == NOWHERE or floor.distance[at] < floor.distance[place[sku]]:
            place[sku] = at
    return place


def _fit(seen: Picks, floor: Floor, today: Rows, products: pl.DataFrame | None, s: Terms) -> tuple[Fit, list[str]]:
    """The limits; SKUs without a bin today take the zone in which most SKUs lie (told by name)."""
    m3, kg = slotting.attributes(seen.skus, products)
    per_day = seen.units / seen.days if not np.isnan(seen.days) else np.zeros(len(seen.skus))
    need = np.maximum(np.ceil(per_day * s.stock_days - 1e-9), 1.0)
    zone: list[str | None] = [None if p == NOWHERE else floor.zone[p] for p in today.tolist()]
    zones = [z for z in zone if z is not None]
    guessed: list[str] = []
    if zones:
        usual = max(sorted(set(zones)), key=zones.count)
        guessed = [sku for sku, p in zip(seen.skus, today.tolist(), strict=True) if p == NOWHERE]
        zone = [usual if p == NOWHERE else z for z, p in zip(zone, today.tolist(), strict=True)]
    return slotting.Fit(floor, need, m3, kg, zone), guessed


def _places(ranking: Rows, shelves: moves.Shelves, taken: list[int]) -> Rows:
    """Bins by rank, each as often as it may hold an SKU, less what stands there as a reserve."""
    room = shelves.room - np.bincount(taken, minlength=len(shelves.room))
    return np.repeat(ranking, np.maximum(room[ranking], 0))


def _put_away(place: Rows, frequency: Floats, ranking: Rows, fit: Fit, shelves: moves.Shelves) -> Rows:
    """SKUs without a bin get the best free one that may hold them, frequent SKUs first."""
    place = place.copy()
    for sku in np.argsort(-frequency, kind="stable").tolist():
        if place[sku] != NOWHERE:
            continue
        possible = (shelves.free() & fit.bins(sku))[ranking]
        if possible.any():
            place[sku] = ranking[int(possible.argmax())]
            shelves.there[place[sku]].add(sku)
    return place
