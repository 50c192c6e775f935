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
    """Periods out of stock: NaN, or the mean of the slots in stock times the slots of the period.

    A slot is out of stock where in_stock is false in its rows and true (or empty) in none.
    """
    out = rows.filter(pl.col("in_stock").eq_missing(False)).select("series", "slot").unique()
    if out.is_empty():
        return np.zeros(shape, bool), units
    there = rows.filter(pl.col("in_stock").ne_missing(False) & (pl.col("units") > 0)).select("series", "slot").unique()
    out = out.join(there, on=["series", "slot"], how="anti")
    hidden = rows.join(out, on=["series", "slot"], how="semi")
    once = hidden.unique(["series", "slot"]).with_columns(pl.lit(1.0).alias("value"))
    lost = _sum(once, shape, start, "value")
    sold = _sum(hidden.with_columns(pl.col("units").clip(lower_bound=0).alias("value")), shape, start, "value")
    inside = slots(start + np.arange(shape[1]), spacing, chosen)
    known = inside - lost
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(known >= MIN_IN_STOCK * inside, (units - sold) * inside / known, np.nan)
    mark = lost > 0
    return mark, np.where(mark, scaled, units)


def slots(ordinals: NDArray[np.int64], spacing: str, chosen: str) -> Floats:
    """Slots of the spacing in each period of a frequency."""
    if spacing == chosen:
        return np.ones(len(ordinals))
    edges = periods.starts(np.append(ordinals, ordinals[-1] + 1), chosen)
    inside = pl.DataFrame({"date": pl.Series(edges)}).select(periods.ordinal("date", spacing)).to_series().to_numpy()
    return np.diff(inside).astype(np.float64)
