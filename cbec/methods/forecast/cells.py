"""Sales rows added up by series and period, by way of the slots of the data's own spacing: a day, a week, a month.

rows of these functions have the columns series, slot and period (numbers), units, promo and in_stock; shape is series x periods,
start the number of the first period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.forecast import periods

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: A period needs this share of its slots in stock before their mean is scaled up to the whole.
MIN_IN_STOCK = 0.25
#: Part of a slot that its goods were there, on the average, where it sold and ended with an empty shelf.
SOLD_OUT = 0.5


def span(first_slot: int, last_slot: int, as_of: date, spacing: str, chosen: str) -> tuple[int, int, tuple[str, ...]]:
    """First and last whole period, and the flags of what was dropped.

    A slot is a period of the data's own spacing. A dated row stands for its whole slot, so that the slot of the
    last row is over; a later slot is over when as_of is its last day.
    """
    slot = int(pl.DataFrame({"date": [as_of]}).select(periods.ordinal("date", spacing)).item())
    if spacing == "H":
        # The last row's day is known up to that row; a later day is known whole.
        slot = slot + 23 if slot > last_slot else last_slot
    elif slot > last_slot and spacing != "D":
        over = periods.starts(np.array([slot + 1]), spacing)[0] - np.timedelta64(1, "D") <= np.datetime64(as_of)
        slot = slot if over else slot - 1
    slot = max(slot, last_slot)
    if spacing == chosen:
        return first_slot, slot, ()
    opening = periods.starts(np.array([first_slot, first_slot - 1, slot, slot + 1]), spacing)
    as_dates = pl.DataFrame({"date": pl.Series(opening)})
    before = as_dates.select(periods.ordinal("date", chosen))["date"].to_list()
    start, end = before[0], before[2]
    dropped: list[str] = []
    if before[1] == before[0]:  # the slot before the first row lies in the same period: it began before the data
        start += 1
        dropped.append("partial_first_dropped")
    if before[3] == before[2]:
        end -= 1
        dropped.append("partial_last_dropped")
    return start, end, tuple(dropped)


def _cells(rows: pl.DataFrame, width: int, start: int) -> NDArray[np.int64]:
    cells: NDArray[np.int64] = (
        rows.select(pl.col("series").cast(pl.Int64) * width + (pl.col("period") - start)).to_series().to_numpy()
    )
    return cells


def marks(rows: pl.DataFrame, shape: tuple[int, int], start: int) -> Flags:
    """Which periods of which series have a row."""
    out = np.zeros(shape[0] * shape[1], bool)
    out[_cells(rows, shape[1], start)] = True
    return out.reshape(shape)


def _sum(rows: pl.DataFrame, shape: tuple[int, int], start: int, value: str) -> Floats:
    """Sums per cell whose bytes do not depend on the order of rows: whole numbers add exactly, others are sorted first."""
    whole = rows.select(((pl.col(value) == pl.col(value).floor()) & (pl.col(value).abs() < 2**40)).all()).item()
    if not whole:
        rows = rows.sort("series", "period", value)
    cells = _cells(rows, shape[1], start)
    weights = rows[value].cast(pl.Float64).to_numpy()
    return np.asarray(np.bincount(cells, weights=weights, minlength=shape[0] * shape[1]), np.float64).reshape(shape)


def totals(rows: pl.DataFrame, shape: tuple[int, int], start: int) -> tuple[Floats, Floats]:
    """Units sold and units returned, each 0 or more."""
    sold = rows.select("series", "period", pl.col("units").clip(lower_bound=0).alias("value"))
    back = rows.filter(pl.col("units") < 0).select("series", "period", (-pl.col("units")).alias("value"))
    return _sum(sold, shape, start, "value"), _sum(back, shape, start, "value")


def masked(
    rows: pl.DataFrame, units: Floats, shape: tuple[int, int], start: int, spacing: str, chosen: str
) -> tuple[Flags, Floats]:
    """Periods out of stock: NaN, or what was sold while in stock, scaled up to the slots of the period.

    A slot is out of stock where in_stock is false in its rows and true (or empty) in none. Stock counted in the evening marks the
    day on which the last unit went, so that leaving out what such slots sold hides the very sales of what sells seldom: its forecast falls,
    less is ordered, more days are out. So they count, as SOLD_OUT of a slot in stock. A period that is one slot counts as it stands
    where it sold no less than the mean of those in stock before it, since no less was asked for; with less it tells nothing.
    """
    out = rows.filter(pl.col("in_stock").eq_missing(False)).select("series", "slot").unique()
    if out.is_empty():
        return np.zeros(shape, bool), units
    there = rows.filter(pl.col("in_stock").ne_missing(False) & (pl.col("units") > 0)).select("series", "slot").unique()
    out = out.join(there, on=["series", "slot"], how="anti")
    hidden = rows.join(out, on=["series", "slot"], how="semi")
    once = hidden.group_by("series", "slot").agg(pl.col("period").first(), (pl.col("units") > 0).any().alias("sold"))
    lost = _sum(once.with_columns(value=pl.when("sold").then(1 - SOLD_OUT).otherwise(1.0)), shape, start, "value")
    mark = lost > 0
    inside = slots(start + np.arange(shape[1]), spacing, chosen)
    known = inside - lost
    if spacing == chosen:
        return mark, np.where(mark & ~((units > 0) & (units >= _before(units, mark))), np.nan, units)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(known >= MIN_IN_STOCK * inside, units * inside / known, np.nan)
    return mark, np.where(mark, scaled, units)


def _before(units: Floats, mark: Flags) -> Floats:
    """Mean of the unmarked periods between the first sale and each period, n x T; 0 where there is none."""
    use = ~mark & (np.cumsum(units > 0, 1) > 0)
    total, count = (np.cumsum(x, 1) - x for x in (np.where(use, units, 0.0), use.astype(np.float64)))
    out: Floats = total / np.maximum(count, 1.0)
    return out


def slots(ordinals: NDArray[np.int64], spacing: str, chosen: str) -> Floats:
    """Slots of the spacing in each period of a frequency."""
    if spacing == chosen:
        return np.ones(len(ordinals))
    edges = periods.starts(np.append(ordinals, ordinals[-1] + 1), chosen)
    inside = pl.DataFrame({"date": pl.Series(edges)}).select(periods.ordinal("date", spacing)).to_series().to_numpy()
    return np.diff(inside).astype(np.float64)
