"""Rate cards: chargeable weight, weight breaks, minimum charge, and the next break where it is cheaper.

Price of a row = fixed + max(minimum, per kg x charged kg + per m3 x volume), surcharges on top. The charged weight is the
chargeable weight (the larger of gross and volume weight), or the minimum of a higher break where that is cheaper
("bump-down", as IATA's air cargo tariffs have it): so no shipment pays more than a heavier one. A weight that lies in no band has no
rate, whatever stands above it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.tables.transport import PRICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

#: Bands like 1-45 | 46-100 or 249.99 | 250 have no gap: weight is billed in whole kg, or hundredths, rounded up.
ROUNDING_KG = 1.0
_EPS = 1e-9

#: Why a lane has no price for a shipment, from the least to the nearest to one.
OVER_CAPACITY, GOODS_REFUSED, NO_RATE = "capacity", "goods", "rate"


@dataclass(frozen=True)
class Cards:
    """Rows of rate cards in a fixed order, prices in the home currency.

    frame: the lanes with `row`, `tariff` (rows of one lane and validity), `low` and `high` (the band, both ends in it) and
    `floor` (from where the band's row is billed: a little lower than `low` where the card rounds weights up).
    """

    frame: pl.DataFrame
    tariff: Ints
    low: Floats
    high: Floats
    floor: Floats
    fixed: Floats
    least: Floats
    per_kg: Floats
    per_m3: Floats
    surcharge: Floats
    divisor: Floats
    capacity_kg: Floats
    capacity_m3: Floats
    overlapping: pl.DataFrame


@dataclass(frozen=True)
class Goods:
    """The n shipments, as far as their price goes. dangerous, chilled: what a lane may refuse."""

    weight: Floats
    volume: Floats
    dangerous: Bools
    chilled: Bools


@dataclass(frozen=True)
class Priced:
    """The cheapest row per shipment and tariff (arrays of one length), and the pairs that have no price.

    refused: columns `shipment`, `row` (one of the tariff), `why`, `kg`.
    """

    shipment: Ints
    row: Ints
    charged: Floats
    freight: Floats
    surcharge: Floats
    bumped: Bools
    refused: pl.DataFrame


def read(lanes: pl.DataFrame, to_home: pl.Series) -> Cards:
    """Rate cards from the table `lanes`; to_home: units of the home currency per unit of each row's currency."""
    prices = [(pl.col(name).fill_null(0.0) * pl.col("_to_home")).alias(name) for name in PRICES]
    group = ["lane_id", "origin", "destination", "valid_from", "valid_to"]
    frame = (
        lanes.with_columns(to_home.alias("_to_home"))
        .with_columns(prices)
        .sort([*group, "break_from_kg", "break_to_kg"], nulls_last=True)
        .with_columns(tariff=pl.struct(group).rle_id().cast(pl.Int64))
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64), low=pl.col("break_from_kg"))
    )
    following = pl.col("low").shift(-1).over("tariff")
    frame = frame.with_columns(high=pl.coalesce("break_to_kg", following, pl.lit(np.inf)))
    # The running maximum, since a band may lie within an earlier one.
    before = pl.col("high").cum_max().shift(1).over("tariff")
    gap = pl.col("low") - before
    frame = frame.with_columns(
        floor=pl.when(gap.is_between(0, ROUNDING_KG, closed="right")).then(before).otherwise("low"),
        _overlap=(gap < -_EPS).fill_null(False),
    )
    column = _column(frame)
    return Cards(
        frame=frame,
        tariff=frame["tariff"].to_numpy(),
        low=column("low"),
        high=column("high"),
        floor=column("floor"),
        fixed=column("cost_fixed"),
        least=column("cost_min"),
        per_kg=column("cost_per_kg"),
        per_m3=column("cost_per_m3"),
        surcharge=column("surcharge_pct", 0.0) / 100,
        divisor=column("dim_divisor", np.inf),
        capacity_kg=column("capacity_kg", np.inf),
        capacity_m3=column("capacity_m3", np.inf),
        overlapping=frame.filter("_overlap").select("lane_id").unique().sort("lane_id"),
    )


def _column(frame: pl.DataFrame):  # type: ignore[no-untyped-def]
    def get(name: str, empty: float = np.nan) -> Floats:
        return frame[name].cast(pl.Float64).fill_null(empty).to_numpy().astype(np.float64)

    return get


def chargeable(weight: Floats, volume: Floats, divisor: Floats) -> Floats:
    """kg: the larger of gross weight and volume / divisor (cm3 per kg; infinite = volume does not count)."""
    return np.maximum(weight, volume * 1e6 / divisor)


def price(cards: Cards, goods: Goods, shipment: Ints, row: Ints) -> Priced:
    """Price pairs of shipment and row (every row of a tariff must be there); keep the cheapest row of each tariff."""
    kg = chargeable(goods.weight[shipment], goods.volume[shipment], cards.divisor[row])
    within = (cards.capacity_kg[row] >= goods.weight[shipment]) & (cards.capacity_m3[row] >= goods.volume[shipment])
    taken = ~refuses(cards, goods, shipment, row)
    reaches = kg <= cards.high[row] + _EPS
    own = reaches & (kg >= cards.floor[row] - _EPS)
    charged = np.maximum(kg, cards.low[row])
    by_size = cards.per_kg[row] * charged + cards.per_m3[row] * goods.volume[shipment]
    freight = cards.fixed[row] + np.maximum(cards.least[row], by_size)
    total = freight * (1 + cards.surcharge[row])
    pair = shipment * (int(cards.tariff[-1]) + 1 if len(cards.tariff) else 1) + cards.tariff[row]
    good = within & taken
    priced = np.isin(pair, np.unique(pair[own & good]))
    usable = np.flatnonzero(priced & good & reaches)
    # The cheapest row, then the first: the order of rows is fixed by the card.
    order = usable[np.lexsort((row[usable], total[usable], pair[usable]))]
    first = order[np.diff(pair[order], prepend=-1) != 0]
    why = np.where(own & ~within, OVER_CAPACITY, np.where(own & ~taken, GOODS_REFUSED, NO_RATE))
    refused = _refused(pair, shipment, row, kg, why, ~priced)
    return Priced(
        shipment=shipment[first],
        row=row[first],
        charged=charged[first],
        freight=freight[first],
        surcharge=total[first] - freight[first],
        bumped=~own[first],
        refused=refused,
    )


def refuses(cards: Cards, goods: Goods, shipment: Ints, row: Ints) -> Bools:
    """Whether the lane says that it does not take goods of this kind; a lane that says nothing takes all."""
    dangerous = (~cards.frame["dg_accepted"].fill_null(True)).to_numpy()[row] & goods.dangerous[shipment]
    chilled = (~cards.frame["temp_controlled"].fill_null(True)).to_numpy()[row] & goods.chilled[shipment]
    return np.asarray(dangerous | chilled, dtype=np.bool_)


def _refused(pair: Ints, shipment: Ints, row: Ints, kg: Floats, why: NDArray[np.str_], which: Bools) -> pl.DataFrame:
    """One line per pair without a price: a refusal of the band that holds the weight tells more than the other bands."""
    rows = pl.DataFrame(
        {"pair": pair[which], "shipment": shipment[which], "row": row[which], "kg": kg[which], "why": why[which]},
        schema={"pair": pl.Int64, "shipment": pl.Int64, "row": pl.Int64, "kg": pl.Float64, "why": pl.String},
    )
    rows = rows.sort(pl.col("why") == NO_RATE, "pair", "row").unique("pair", keep="first", maintain_order=True)
    return rows.sort("pair").drop("pair")
