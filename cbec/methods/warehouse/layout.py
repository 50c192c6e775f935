"""The floor of one warehouse: parallel aisles between a front and a back cross aisle, the depot on the front one.

The front cross aisle runs along y = front, the back one along y = back; aisles stand at their x. Both sides of an aisle
are in reach of one walk along it. Where bins have no x and y, nothing is known but the way from the dock to each bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Mean gap between told and walked distances, as a share of the mean distance, from which they are said not to fit.
MISFIT = 0.1


@dataclass(frozen=True)
class Block:
    """Geometry: x (A aisles, rising), aisle and y (per bin; y counted from the front cross aisle), length of an aisle
    from cross aisle to cross aisle, x of the depot. misfit: see MISFIT."""

    x: Floats
    aisle: Rows
    y: Floats
    length: float
    depot: float
    misfit: float

    @property
    def across(self) -> Floats:
        """Metres from the depot to each aisle along the front."""
        out: Floats = np.abs(self.x - self.depot)
        return out


@dataclass(frozen=True)
class Floor:
    """n bins sorted by name. Limits: NaN = none told. block: None where x or y is missing for any bin."""

    bins: list[str]
    distance: Floats
    units: Floats
    m3: Floats
    kg: Floats
    zone: list[str | None]
    block: Block | None


def read(bins: pl.DataFrame, *, front: float = 0.0, back: float = 0.0, depot: float | None = None) -> Floor:
    """The floor of a table `bins` of one warehouse.

    front: y of the front cross aisle. back: y of the back one; 0 = as far behind the last bin as the front lies before
    the first. depot: its x; None = the place on the front that explains `distance_m` best.
    """
    bins = bins.sort("bin")

    def cells(name: str) -> Floats:
        return bins[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    block = None
    if bins.height and not bins["x"].null_count() and not bins["y"].null_count():
        block = _block(bins, cells("x"), cells("y") - front, back - front, depot)
    return Floor(
        bins["bin"].to_list(),
        cells("distance_m"),
        cells("capacity_units"),
        cells("capacity_m3"),
        cells("max_kg"),
        bins["zone"].to_list(),
        block,
    )


def _block(bins: pl.DataFrame, x: Floats, y: Floats, back: float, depot: float | None) -> Block:
    # Racks on both sides of an aisle may have an x of their own: the aisle's is their middle. Without a name, x is one.
    named = bins.select(pl.coalesce("aisle", pl.col("x").cast(pl.String)).alias("aisle"), "x")
    middle = named.group_by("aisle").agg((pl.col("x").min() + pl.col("x").max()) / 2).sort("x", "aisle")
    at = named.join(middle.with_row_index("at"), on="aisle", how="left", maintain_order="left")["at"].to_numpy()
    aisle = at.astype(np.intp)
    place = middle["x"].to_numpy()
    length = max(back if back > 0 else float(y.max() + max(y.min(), 0.0)), float(y.max()))
    distance = bins["distance_m"].to_numpy()
    if depot is None:
        depot = _depot(place[aisle], distance - y)
    misfit = float(np.abs(np.abs(place[aisle] - depot) + y - distance).mean() / max(float(distance.mean()), 1e-9))
    return Block(place, aisle, y, length, depot, misfit)


def _depot(x: Floats, across: Floats) -> float:
    """The x from which the ways across come nearest to |x - depot| (least mean error; the leftmost of equals)."""
    # The best place of a sum of absolute errors lies where one of them is 0, or between such places.
    guesses = np.unique(np.round(np.concatenate([x, x - across, x + across]), 3))
    guesses = guesses[(guesses >= x.min()) & (guesses <= x.max())]
    guesses = guesses[:: len(guesses) // 500 + 1]
    pairs, count = np.unique(np.round(np.stack([x, across]), 3), axis=1, return_counts=True)
    error = np.abs(np.abs(pairs[0] - guesses[:, None]) - pairs[1]) @ count
    return float(guesses[int(error.argmin())])


def orders_of_bins(floor: Floor) -> dict[str, Rows]:
    """Ways to rank bins, best first, each an order of all n bins; ties by name.

    distance: by the way from the dock. aisle: the depot's aisle first, then aisles at the same way from the depot
    together, each from the front to the back (within-aisle storage). across: the front of all aisles first.
    """
    names = np.arange(len(floor.bins))
    found = {"distance": np.lexsort((names, floor.distance))}
    if floor.block is not None:
        across = np.round(floor.block.across, 6)[floor.block.aisle]
        found["aisle"] = np.lexsort((names, floor.block.y, across))
        found["across"] = np.lexsort((names, across, floor.block.y))
    return found
