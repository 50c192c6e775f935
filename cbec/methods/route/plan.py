"""`route plan` from tables to costed ways: chunks of shipments through prices, departures and costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.route import calendar, cards, costs, paths, world
from cbec.methods.route.costs import Costed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from cbec.methods.route.carbon import Factors
    from cbec.methods.route.world import Ships, Terms, World

#: Pairs of shipment and row looked at together; about 100 bytes each.
_CHUNK = 1_500_000

#: Why a lane did not serve, the nearest to an option first.
WHYS = (
    calendar.CLOSED, calendar.NO_DEPARTURE, calendar.NOT_YET, calendar.EXPIRED, cards.GOODS_REFUSED, cards.OVER_CAPACITY,
    "gap", "below", "above",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Everything computed. ships: all shipments; costed: the ways kept, `shipment` being the position in ships;
    stranded: shipments without a way (shipment, why, row, kg; row null where no lane leads there); turned_down: shipments
    per lane and reason (lane_id, why, shipments, kg_low, kg_high, row); skipped: pairs not looked at; found: ways before keeping."""

    world: World
    ships: Ships
    costed: Costed
    stranded: pl.DataFrame
    turned_down: pl.DataFrame
    skipped: int
    found: int


def work(
    shipments: pl.DataFrame,
    lanes: pl.DataFrame,
    nodes: pl.DataFrame | None,
    disruptions: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    factors: Factors,
    as_of: date | None,
    terms: Terms,
    most: int,
) -> Case:
    """Find, cost and keep the ways of every shipment (at least one). as_of None: the first day on which one is ready.

    Nothing leaves before as_of; amounts are converted at the last fixing at or before it. Raises UsageFault for
    several currencies without home_currency or rates, InputRejected for a missing rate.
    """
    today: date = as_of if as_of is not None else shipments["ready_date"].min()  # type: ignore[assignment]
    home = world.home_currency(terms.home_currency, shipments, lanes, nodes)
    every = world.ships(shipments, rates, today, home, terms)
    span = int(every.available.min()), int(every.available.max())
    built = world.build(lanes, nodes, disruptions, rates, factors, span, today, home, terms)
    parts: list[Costed] = []
    stranded: list[pl.DataFrame] = []
    refused: list[pl.DataFrame] = []
    skipped = found = 0
    for some in _chunks(built, every):
        ships = every.part(some)
        ways, blocked, left_out = paths.find(built, ships)
        costed = costs.cost(built, ships, ways)
        found += len(costed.total)
        skipped += left_out
        kept = costs.keep(costed, most)
        blocked = _classed(built, blocked).with_columns(pl.col("shipment") + some.start)
        kept.ways.shipment[:] += some.start
        parts.append(kept)
        without = np.setdiff1d(np.arange(some.start, some.stop), kept.ways.shipment)
        stranded.append(_stranded(pl.Series("shipment", without, dtype=pl.Int64), blocked))
        refused.append(_per_lane(blocked))
    turned_down = (
        pl.concat(refused)
        .group_by("lane_id", "why")
        .agg(pl.col("shipments").sum(), pl.col("kg_low").min(), pl.col("kg_high").max(), pl.col("row").min())
    )
    return Case(built, every, _joined(parts), pl.concat(stranded), turned_down.sort("lane_id", "why"), skipped, found)


def _chunks(built: World, ships: Ships) -> Iterator[slice]:
    """Runs of shipments with about _CHUNK rows of rate cards to look at."""
    frame = built.cards.frame
    out = frame.group_by("origin").len("out")
    into = frame.group_by("destination").len("into")
    load = ships.frame.select("origin", "destination").join(out, on="origin", how="left", maintain_order="left")
    load = load.join(into, on="destination", how="left", maintain_order="left").fill_null(0)
    seen = np.cumsum(load["out"].cast(pl.Int64).to_numpy() + load["into"].cast(pl.Int64).to_numpy() + 1)
    start, n = 0, len(seen)
    while start < n:
        before = seen[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(seen, before + _CHUNK, side="right")))
        yield slice(start, stop)
        start = stop


def _joined(parts: list[Costed]) -> Costed:
    from cbec.methods.route.paths import Ways

    ways = Ways(*(np.concatenate([getattr(p.ways, f) for p in parts]) for f in Ways.__dataclass_fields__))
    names = [f for f in Costed.__dataclass_fields__ if f != "ways"]
    return Costed(ways, *(np.concatenate([getattr(p, f) for p in parts]) for f in names))


def _classed(built: World, blocked: pl.DataFrame) -> pl.DataFrame:
    """No rate: in a gap of the bands, under the first, or over the last."""
    bands = built.cards.frame.select(
        "row", "lane_id", lowest=pl.col("floor").min().over("tariff"), highest=pl.col("high").max().over("tariff")
    )
    kind = (
        pl.when(pl.col("kg") < pl.col("lowest")).then(pl.lit("below"))
        .when(pl.col("kg") > pl.col("highest")).then(pl.lit("above"))
        .otherwise(pl.lit("gap"))
    )  # fmt: skip
    found = blocked.join(bands, on="row", how="left", maintain_order="left")
    return found.with_columns(why=pl.when(pl.col("why") == cards.NO_RATE).then(kind).otherwise("why"))


def _per_lane(blocked: pl.DataFrame) -> pl.DataFrame:
    return (
        blocked.group_by("lane_id", "why")
        .agg(
            pl.col("shipment").n_unique().cast(pl.Int64).alias("shipments"),
            pl.col("kg").min().alias("kg_low"),
            pl.col("kg").max().alias("kg_high"),
            pl.col("row").min(),
        )
        .sort("lane_id", "why")
    )


def _stranded(without: pl.Series, blocked: pl.DataFrame) -> pl.DataFrame:
    """Per shipment without a way the lane that came nearest; direct lanes are not told apart from first and second ones."""
    order = {why: i for i, why in enumerate(WHYS)}
    near = (
        blocked.filter(pl.col("shipment").is_in(without.implode()))
        .with_columns(_order=pl.col("why").replace_strict(order, return_dtype=pl.Int64))
        .sort("shipment", "_order", "row")
        .unique("shipment", keep="first", maintain_order=True)
    )
    return without.to_frame().join(
        near.select("shipment", "why", "row", "kg"), on="shipment", how="left", maintain_order="left"
    )
