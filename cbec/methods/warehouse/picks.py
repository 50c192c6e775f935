"""Order lines of one warehouse as picks: one per order and SKU, with the day of the order and the units taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Shares of all picks at which the classes A and B end.
CLASSES = (0.80, 0.95)
#: Coefficients of variation of weekly picks at which X and Y end, and the weeks needed to tell.
VARIATION, WEEKS = (0.5, 1.0), 8


@dataclass(frozen=True)
class Picks:
    """n picks of m orders and S SKUs (by name; some may have no pick).

    order, sku: per pick, sorted by order. day: per order, days since the first (NaN = no date). units: per SKU, all
    orders together. days: length of the period in days; NaN = not known.
    """

    skus: list[str]
    order: Rows
    sku: Rows
    day: Floats
    units: Floats
    days: float

    @property
    def orders(self) -> int:
        """How many orders."""
        return len(self.day)

    @property
    def count(self) -> NDArray[np.int64]:
        """Picks per SKU."""
        return np.bincount(self.sku, minlength=len(self.skus))

    def aged(self, half_life: float, until: float | None = None) -> Floats:
        """Weight per order: halves with every `half_life` days before the last day (or `until`); inf = all alike.

        Orders without a date, and those after `until`, weigh nothing where there are dates.
        """
        if np.isnan(self.day).all():
            return np.ones(self.orders)
        last = float(np.nanmax(self.day)) if until is None else until
        age = last - self.day
        weight = 0.5 ** (np.maximum(age, 0) / half_life)
        return np.where(age >= 0, weight, 0.0)

    def frequency(self, weight: Floats) -> Floats:
        """Picks per SKU with their order's weight."""
        return np.bincount(self.sku, weights=weight[self.order], minlength=len(self.skus)).astype(np.float64)


def read(lines: pl.DataFrame, more: list[str]) -> Picks:
    """Picks of `order_lines`; refunds (negative pieces) are none. more: SKUs that may have no line."""
    lines = lines.filter(pl.col("qty") > 0).select("order_id", "sku", pl.col("qty").cast(pl.Float64), "date")
    units = lines.group_by("sku").agg(pl.col("qty").sum())
    picks = lines.group_by("order_id", "sku").agg(pl.col("date").min()).sort("order_id", "sku")
    skus = sorted({*picks["sku"].unique().to_list(), *more})
    number = pl.DataFrame({"sku": skus}, schema={"sku": pl.String}).with_row_index("at")
    sku = picks.join(number, on="sku", how="left", maintain_order="left")["at"].to_numpy().astype(np.intp)
    totals = number.join(units, on="sku", how="left", maintain_order="left")["qty"].fill_null(0.0).to_numpy()
    day = picks.group_by("order_id", maintain_order=True).agg(pl.col("date").min())["date"]
    first, last = day.min(), day.max()
    if first is None or last is None:
        since, days = np.full(len(day), np.nan), float("nan")
    else:
        since = (day - first).dt.total_days().cast(pl.Float64).fill_null(np.nan).to_numpy()
        days = float(np.nanmax(since)) + 1
    order = (picks["order_id"].rle_id()).to_numpy().astype(np.intp)
    return Picks(skus, order, sku, since, totals, days)


def classes(frequency: Floats) -> list[str]:
    """A, B or C per SKU: the share of all picks that lies before it, SKUs by falling picks, ties in order of name."""
    rank = np.argsort(-frequency, kind="stable")
    total = max(float(frequency.sum()), 1e-12)
    before = (np.cumsum(frequency[rank]) - frequency[rank]) / total
    letter = np.array(["A", "B", "C"])[np.searchsorted(CLASSES, before + 1e-12, side="right")]
    letter[frequency[rank] <= 0] = "C"
    out = np.empty(len(rank), dtype=object)
    out[rank] = letter
    return [str(v) for v in out]


def variability(picks: Picks) -> list[str | None]:
    """X, Y or Z per SKU by the variation of its weekly picks since its first one; None where there are too few weeks."""
    weeks = 0 if np.isnan(picks.days) else int(picks.days // 7)
    if weeks < WEEKS:
        return [None] * len(picks.skus)
    # Whole weeks back from the last day; what is left of the first week is not counted.
    week = np.floor((picks.days - 1 - picks.day) / 7)[picks.order]
    known = week < weeks
    table = np.zeros((len(picks.skus), weeks))
    np.add.at(table, (picks.sku[known], weeks - 1 - week[known].astype(np.intp)), 1)
    out: list[str | None] = []
    for row in table:
        life = row[row.argmax() if not row.any() else int(np.flatnonzero(row)[0]) :]
        if not row.any() or len(life) < WEEKS:
            out.append(None)
            continue
        out.append("XYZ"[int(np.searchsorted(VARIATION, life.std() / life.mean(), side="right"))])
    return out


def by_warehouse(
    lines: pl.DataFrame, bins: pl.DataFrame, slots: pl.DataFrame | None
) -> Iterator[tuple[str | None, pl.DataFrame, pl.DataFrame, pl.DataFrame | None]]:
    """The three tables of each warehouse of `bins`, by name; None where bins name none.

    Lines without a warehouse are left out where others have one. Raises InputRejected where lines or slots cannot be
    told apart, or bins has no rows.
    """
    if bins.is_empty():
        raise InputRejected("bins: it has no rows")
    places = sorted(bins["warehouse"].drop_nulls().unique().to_list())
    named = sorted(lines["warehouse"].drop_nulls().unique().to_list())
    if places and bins["warehouse"].null_count():
        raise InputRejected("bins: some rows have a warehouse and some have none", hint="fill the column warehouse")
    if not places and len(named) > 1:
        raise InputRejected(
            f"order_lines are of {len(named)} warehouses ({', '.join(named[:3])}), and bins do not say whose they are",
            hint="add the column warehouse to bins",
        )
    if len(places) > 1 and not named:
        raise InputRejected(
            f"bins are of {len(places)} warehouses, and order_lines do not say which one picks them",
            hint="add the column warehouse to order_lines",
        )
    for place in places or [None]:
        mine = pl.lit(True) if not named else pl.col("warehouse") == (place or named[0])
        here = None if slots is None else slots
        if slots is not None and place is not None and slots["warehouse"].null_count() < slots.height:
            here = slots.filter(pl.col("warehouse") == place)
        elif slots is not None and len(places) > 1:
            raise InputRejected("slots: several warehouses, and no column warehouse", hint="add it")
        yield place, lines.filter(mine), bins if place is None else bins.filter(pl.col("warehouse") == place), here
