"""Direct lanes and pairs of lanes for each shipment, priced and timed.

Pairs are many, so that not all are looked at closely: where lanes meet, the BREADTH lanes best by estimated cost, by time and by
emissions are kept on either side; of the pairs of a shipment the KEPT best by an estimate of the total, and the best few
by outlay, time and emissions. Up to these numbers the search is exhaustive.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.route import calendar, cards, connections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.route.cards import Priced
    from cbec.methods.route.world import Ships, World

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

BREADTH, KEPT, FEW = 8, 60, 10
NOON = 0.5  # a departure is somewhere in its day: on average at noon
_BLOCKED = {"shipment": pl.Int64, "row": pl.Int64, "kg": pl.Float64, "why": pl.String}


@dataclass(frozen=True)
class Ways:
    """Ways of all shipments, one entry each. first, second: rows of the rate cards (second -1: direct).

    depart: day number of the first departure; mean, var: of the days from then to arrival; change: day number of the planned
    second departure; halfway: days from depart to the first arrival with 50 %; bumped: charged as a heavier shipment;
    disrupted: delayed, or kept from an earlier departure.
    """

    shipment: Ints
    first: Ints
    second: Ints
    charged: Floats
    charged_second: Floats
    freight: Floats
    surcharge: Floats
    handling: Floats
    bumped: Bools
    disrupted: Bools
    depart: Ints
    change: Ints
    first_mean: Floats
    first_var: Floats
    mean: Floats
    var: Floats

    def take(self, which: Ints | Bools) -> Ways:
        """Some of them."""
        return Ways(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class _Legs:
    """Priced lanes of shipments with their next departure."""

    priced: Priced
    depart: Ints
    mean: Floats
    var: Floats
    disrupted: Bools


def find(world: World, ships: Ships) -> tuple[Ways, pl.DataFrame, int]:
    """Ways, lanes that a shipment could not take (shipment, row, kg, why; direct ones and first ones), pairs not looked at."""
    frame, goods = world.cards.frame, ships.goods
    places = ships.frame.select("shipment", "origin", "destination")
    lanes = frame.select("row", "origin", "destination")
    straight = places.join(lanes, on=["origin", "destination"]).sort("shipment", "row")
    direct = cards.price(world.cards, goods, *_pairs(straight))
    legs, late = _leave(world, ships, direct)
    ways = [_direct(legs)]
    blocked = [direct.refused, late]
    firsts, seconds = _halves(world, places, lanes)
    skipped = 0
    if firsts.height:
        before = cards.price(world.cards, goods, *_pairs(firsts))
        after = cards.price(world.cards, goods, *_pairs(seconds))
        first_legs, first_late = _leave(world, ships, before)
        pairs, skipped = _joined(world, ships, first_legs, after)
        changed, lost = _two(world, ships, first_legs, after, pairs)
        ways.append(changed)
        blocked += [before.refused, after.refused, first_late, lost]
    every = Ways(*(np.concatenate([getattr(w, f) for w in ways]) for f in Ways.__dataclass_fields__))
    return every, pl.concat([b.select(*_BLOCKED) for b in blocked]).sort("shipment", "row", "why"), skipped


def _pairs(frame: pl.DataFrame) -> tuple[Ints, Ints]:
    return frame["shipment"].to_numpy(), frame["row"].to_numpy()


def _leave(world: World, ships: Ships, priced: Priced) -> tuple[_Legs, pl.DataFrame]:
    """First departures, transit and delays; and those that leave nothing in time or never arrive."""
    row, shipment = priced.row, priced.shipment
    wanted = ships.available[shipment] + world.cutoff[row].astype(np.int64)
    depart = world.calendar.next(row, wanted)
    goes = depart - wanted <= world.terms.max_wait_days
    safe = np.where(goes, depart, wanted)
    mean, var = world.mean[row], world.var[row]
    added, spread, never = world.disrupted.delay(row, safe, safe + mean + NOON, starts=True)
    why = np.where(never & goes, calendar.CLOSED, calendar.why_not(world.cards.frame, row, wanted, world.closed))
    fine = goes & ~never
    lost = _blocked(shipment[~fine], row[~fine], why[~fine])
    kept = dataclasses.replace(priced, **{f: getattr(priced, f)[fine] for f in _PRICED})
    held = (added > 0) | (depart != world.undisturbed.next(row, wanted))
    return _Legs(kept, depart[fine], (mean + added)[fine], (var + spread)[fine], held[fine]), lost


_PRICED = ("shipment", "row", "charged", "freight", "surcharge", "bumped")


def _blocked(shipment: Ints, row: Ints, why: NDArray[np.str_]) -> pl.DataFrame:
    none = np.full(len(row), np.nan)
    return pl.DataFrame({"shipment": shipment, "row": row, "kg": none, "why": why}, schema=_BLOCKED)


def _direct(legs: _Legs) -> Ways:
    priced, n = legs.priced, len(legs.depart)
    none = np.zeros(n)
    return Ways(
        priced.shipment, priced.row, np.full(n, -1, dtype=np.int64), priced.charged, none, priced.freight, priced.surcharge,
        none, priced.bumped, legs.disrupted, legs.depart, legs.depart, legs.mean, legs.var, legs.mean, legs.var,
    )  # fmt: skip


def _halves(world: World, places: pl.DataFrame, lanes: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(shipment, row) of lanes out of the origin to a place from where another lane leads to the destination, and of the latter."""
    ends = places.select("origin", "destination").unique()
    free = lanes.filter(pl.Series(world.transfer)).rename({"destination": "via"})
    between = (pl.col("via") != pl.col("origin")) & (pl.col("via") != pl.col("destination"))
    out = ends.join(free, on="origin").filter(between)
    into = ends.join(lanes.rename({"origin": "via"}), on="destination").filter(between)
    meet = ["origin", "destination", "via"]
    first, second = out.join(into, on=meet, how="semi"), into.join(out, on=meet, how="semi")
    sides = (places.join(side, on=["origin", "destination"]) for side in (first, second))
    a, b = (side.select("shipment", "row").unique().sort("shipment", "row") for side in sides)
    return a, b


def _joined(world: World, ships: Ships, first: _Legs, second: Priced) -> tuple[pl.DataFrame, int]:
    """Pairs (a, b: positions among the legs) worth a closer look, and how many were left out."""
    one, two = first.priced, second
    place = world.cards.frame.select("origin", "destination")
    waits = first.depart - ships.available[one.shipment] + first.mean + world.dwell[one.row]
    handled = world.handling[one.row] * ships.goods.weight[one.shipment]
    left = _side(world, ships, one, waits, handled).with_columns(via=place["destination"].gather(one.row))
    right = _side(world, ships, two, world.mean[two.row] + world.cutoff[two.row], np.zeros(len(two.row)))
    right = right.with_columns(via=place["origin"].gather(two.row))
    full = _count(left, right)
    left, right = _best_of_place(left), _best_of_place(right)
    pairs = left.rename({"at": "a"}).join(right.rename({"at": "b"}), on=["shipment", "via"], suffix="_b")
    pairs = pairs.with_columns(
        outlay=pl.col("outlay") + pl.col("outlay_b"),
        days=pl.col("days") + pl.col("days_b"),
        co2e=pl.col("co2e") + pl.col("co2e_b"),
    ).sort("shipment", "a", "b")
    shipment = pairs["shipment"].to_numpy()
    overdue = np.nan_to_num(ships.available[shipment] + pairs["days"].to_numpy() - ships.due[shipment])
    cost = pairs["outlay"].to_numpy() + ships.per_day[shipment] * pairs["days"].to_numpy()
    cost = cost + ships.late[shipment] * np.maximum(overdue, 0.0)
    pairs = pairs.with_columns(pl.Series("cost", cost))
    ranks = {"cost": KEPT, "outlay": FEW, "days": FEW, "co2e": FEW}
    kept = pairs.filter(_within(ranks, "shipment"))
    return kept.select("shipment", "a", "b").sort("shipment", "a", "b"), full - kept.height


def _count(left: pl.DataFrame, right: pl.DataFrame) -> int:
    """How many pairs there are, without making them."""
    place = ["shipment", "via"]
    counts = left.group_by(place).len().join(right.group_by(place).len(), on=place)
    return int(counts.select((pl.col("len").cast(pl.Int64) * pl.col("len_right")).sum()).item())


def _side(world: World, ships: Ships, legs: Priced, days: Floats, more: Floats) -> pl.DataFrame:
    tonnes = ships.goods.weight[legs.shipment] / 1000
    outlay = legs.freight + legs.surcharge + more + world.loss[legs.row] * ships.value[legs.shipment]
    return pl.DataFrame(
        {
            "at": np.arange(len(legs.row)),
            "shipment": legs.shipment,
            "outlay": outlay,
            "days": days,
            "co2e": tonnes * world.per_tonne[legs.row],
            "cost": outlay + ships.per_day[legs.shipment] * days,
        }
    ).with_columns(pl.col("co2e").fill_nan(None))


def _within(ranks: dict[str, int], *by: str) -> pl.Expr:
    """Rows that are among the first of their group by one of the columns. Ties go by the order of rows."""
    return pl.any_horizontal(
        pl.col(name).rank("ordinal").over(*by).le(limit).fill_null(False) for name, limit in ranks.items()
    )


def _best_of_place(side: pl.DataFrame) -> pl.DataFrame:
    return side.sort("at").filter(_within(dict.fromkeys(("cost", "days", "co2e"), BREADTH), "shipment", "via"))


def _two(world: World, ships: Ships, first: _Legs, second: Priced, pairs: pl.DataFrame) -> tuple[Ways, pl.DataFrame]:
    """Pairs of lanes with the connection between them; and those whose second lane leaves nothing in time."""
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    one, two = first.priced, second
    shipment, row, onward = one.shipment[a], one.row[a], two.row[b]
    link = connections.connect(world, row, first.depart[a], first.mean[a], first.var[a], onward)
    arrive = first.depart[a] + link.mean + world.mean[onward] + NOON
    added, spread, never = world.disrupted.delay(onward, link.planned, arrive, starts=False)
    fine = link.goes & ~never
    why = np.where(link.goes, calendar.CLOSED, calendar.why_not(world.cards.frame, onward, link.planned, world.closed))
    lost = _blocked(shipment[~fine], onward[~fine], why[~fine])
    ways = Ways(
        shipment=shipment,
        first=row,
        second=onward,
        charged=one.charged[a],
        charged_second=two.charged[b],
        freight=one.freight[a] + two.freight[b],
        surcharge=one.surcharge[a] + two.surcharge[b],
        handling=world.handling[row] * ships.goods.weight[shipment],
        bumped=one.bumped[a] | two.bumped[b],
        disrupted=first.disrupted[a] | (added > 0),
        depart=first.depart[a],
        change=link.planned,
        first_mean=first.mean[a],
        first_var=first.var[a],
        mean=link.mean + world.mean[onward] + added,
        var=link.var + world.var[onward] + spread,
    )
    return ways.take(fine), lost
