"""Shipments, rate cards, departures and nodes as arrays in the home currency: what ways are looked for in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault
from cbec.core.money import rate_to
from cbec.methods.route import calendar, cards, disruptions
from cbec.methods.route.carbon import Factors, assign

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.route.calendar import Calendar
    from cbec.methods.route.cards import Cards, Goods
    from cbec.methods.route.disruptions import Disrupted

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

DAYS_OF_YEAR = 365.0


@dataclass(frozen=True)
class Terms:
    """Settings of the plan; they hold where a row tells nothing of its own. See `cbec.route.Plan`."""

    home_currency: str | None
    capital_rate: float
    late_share: float
    transit_cv: float
    transfer_days: float
    max_wait_days: int


@dataclass(frozen=True)
class Ships:
    """n shipments in the order of their id. available: day number from which each can leave; due: day number or NaN;
    per_day: capital cost of a day; late: cost of a day late; the `_assumed` ones come from settings."""

    frame: pl.DataFrame
    goods: Goods
    value: Floats
    available: Ints
    due: Floats
    per_day: Floats
    late: Floats
    capital_assumed: Bools
    late_assumed: Bools

    def part(self, some: slice) -> Ships:
        """A run of shipments, numbered from 0 again."""
        goods = cards.Goods(*(getattr(self.goods, f)[some] for f in ("weight", "volume", "dangerous", "chilled")))
        frame = self.frame[some].with_columns(shipment=pl.int_range(pl.len(), dtype=pl.Int64))
        names = ("value", "available", "due", "per_day", "late", "capital_assumed", "late_assumed")
        return Ships(frame, goods, *(getattr(self, f)[some] for f in names))


@dataclass(frozen=True)
class World:
    """All that does not depend on a single shipment. Arrays are by row of the rate cards.

    undisturbed: departures as if nothing were closed. mean, var: of transit and of waiting for a departure of unknown day; per_tonne: kg CO2e per tonne (NaN = unknown); at the
    end of the row: whether lanes may be changed there, dwell and its variance, handling per kg.
    """

    today: date
    home: str
    terms: Terms
    cards: Cards
    calendar: Calendar
    undisturbed: Calendar
    disrupted: Disrupted
    closed: Ints
    mean: Floats
    var: Floats
    cutoff: Floats
    loss: Floats
    per_tonne: Floats
    spread_assumed: Bools
    transfer: Bools
    dwell: Floats
    dwell_var: Floats
    dwell_assumed: Bools
    handling: Floats
    factor_id: pl.Series
    default_factor: Bools


def home_currency(chosen: str | None, *frames: pl.DataFrame | None) -> str:
    """The currency of the answer: the one chosen, or the only one there is. Raises UsageFault for a mixture."""
    if chosen is not None:
        return chosen
    there: list[str] = sorted(
        {c for f in frames if f is not None for c in f["currency"].drop_nulls().unique().to_list()}
    )
    if len(there) != 1:
        told = ", ".join(there) or "none"
        raise UsageFault(f"amounts stand in several currencies ({told})", hint="set --home-currency, and give --rates")
    return there[0]


def ships(shipments: pl.DataFrame, rates: pl.DataFrame | None, today: date, home: str, terms: Terms) -> Ships:
    """The table `shipments` as arrays; amounts at the last fixing at or before `today`, or the day they are ready."""
    frame = shipments.sort("shipment_id").with_columns(shipment=pl.int_range(pl.len(), dtype=pl.Int64))
    frame = frame.with_columns(_day=pl.min_horizontal("ready_date", pl.lit(today)))
    rate = rate_to(frame, "currency", "_day", rates, home).to_numpy()
    value = _floats(frame, "goods_value", 0.0) * rate
    capital, late = _floats(frame, "capital_rate"), _floats(frame, "late_cost_per_day")
    first = calendar.day_numbers(pl.Series([today]), 0)[0]
    due = frame["due_date"].cast(pl.Int32).cast(pl.Float64).fill_null(np.nan).to_numpy()
    chilled = frame.select(pl.any_horizontal(pl.col("temp_min_c", "temp_max_c").is_not_null())).to_series()
    return Ships(
        frame=frame,
        goods=cards.Goods(
            _floats(frame, "weight_kg", 0.0),
            _floats(frame, "volume_m3", 0.0),
            frame["dg_class"].is_not_null().to_numpy(),
            chilled.to_numpy(),
        ),
        value=value,
        available=np.maximum(calendar.day_numbers(frame["ready_date"], 0), first),
        due=due,
        per_day=value * np.where(np.isnan(capital), terms.capital_rate, capital) / DAYS_OF_YEAR,
        late=np.where(np.isnan(late), terms.late_share * value, late * rate),
        capital_assumed=np.isnan(capital),
        late_assumed=np.isnan(late) & ~np.isnan(due),
    )


def build(
    lanes: pl.DataFrame,
    nodes: pl.DataFrame | None,
    events: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    factors: Factors,
    span: tuple[int, int],
    today: date,
    home: str,
    terms: Terms,
) -> World:
    """Everything but the shipments. span: first and last day on which one is ready (day numbers)."""
    on = lanes.with_columns(_day=pl.lit(today))
    read = cards.read(lanes, rate_to(on, "currency", "_day", rates, home))
    disrupted = disruptions.match(events, read.frame)
    closures = disrupted.closures()
    transit = _floats(read.frame, "transit_days", 0.0)
    sd = _floats(read.frame, "transit_sd_days")
    cutoff = np.ceil(_floats(read.frame, "cutoff_days", 0.0))
    # Far enough for the second lane: two transits, dwell and waits, with room for their spread.
    longest = float(transit.max(initial=0.0))
    ahead = int(3 * longest + 2 * terms.max_wait_days + cutoff.max(initial=0.0) + 120)
    dates = calendar.build(read.frame, closures, span[0], span[1] + ahead)
    emission = assign(read.frame.select("row", "mode", "factor_id", "distance_km"), factors)
    per_tonne = emission.select((pl.col("ttw") + pl.col("wtt")) * pl.col("distance_km")).to_series()
    transfer, dwell, dwell_sd, assumed, handling = _nodes(read.frame, nodes, rates, today, home, terms)
    return World(
        today=today,
        home=home,
        terms=terms,
        cards=read,
        calendar=dates,
        undisturbed=calendar.build(read.frame, [], span[0], span[1] + ahead) if closures else dates,
        disrupted=disrupted,
        closed=np.array(sorted({row for row, _, _ in closures}), dtype=np.int64),
        mean=transit + dates.wait,
        var=np.where(np.isnan(sd), terms.transit_cv * transit, sd) ** 2 + dates.wait_var,
        cutoff=cutoff,
        loss=_floats(read.frame, "loss_rate", 0.0),
        per_tonne=per_tonne.fill_null(np.nan).to_numpy(),
        spread_assumed=np.isnan(sd) & (transit > 0),
        transfer=transfer,
        dwell=dwell,
        dwell_var=dwell_sd**2,
        dwell_assumed=assumed,
        handling=handling,
        factor_id=emission["factor_id"],
        default_factor=emission["default_factor"].to_numpy(),
    )


def _nodes(
    frame: pl.DataFrame, nodes: pl.DataFrame | None, rates: pl.DataFrame | None, today: date, home: str, terms: Terms
) -> tuple[Bools, Floats, Floats, Bools, Floats]:
    """What happens where each row ends. Without the table lanes may be changed anywhere, as the settings say."""
    ends = frame.select(node="destination")
    if nodes is None:
        n = frame.height
        dwell = np.full(n, terms.transfer_days)
        yes, none = np.ones(n, dtype=np.bool_), np.zeros(n)
        return yes, dwell, terms.transit_cv * dwell, yes, none
    on = nodes.with_columns(_day=pl.lit(today))
    known = nodes.with_columns(_rate=rate_to(on, "currency", "_day", rates, home), transfer=pl.lit(True))
    known = ends.join(known, on="node", how="left", maintain_order="left")
    told = _floats(known, "dwell_days")
    dwell = np.where(np.isnan(told), terms.transfer_days, told)
    sd = _floats(known, "dwell_sd_days")
    handling = _floats(known, "cost_per_kg", 0.0) * _floats(known, "_rate", 1.0)
    transfer = known["transfer"].fill_null(False).to_numpy()
    return transfer, dwell, np.where(np.isnan(sd), terms.transit_cv * dwell, sd), np.isnan(told), handling


def _floats(frame: pl.DataFrame, name: str, empty: float = np.nan) -> Floats:
    return frame[name].cast(pl.Float64).fill_null(empty).to_numpy().astype(np.float64)
