"""The floor from the table bins."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from support import floors

from cbec.methods.warehouse import layout


def test_the_dock_is_where_the_distances_say():
    for dock in range(4):
        block = layout.read(floors.bins(4, 5, dock=dock)).block
        assert block.depot == 3.0 * dock
        assert block.misfit == pytest.approx(0)
        assert block.length == 6.0  # first cell at 1, last at 5: the back lies at 6


def test_a_dock_between_two_aisles():
    bins = floors.bins(4, 5).with_columns(distance_m=(pl.col("x") - 4.0).abs() + pl.col("y"))
    assert layout.read(bins).block.depot == 4.0


def test_told_places_go_before_guesses():
    block = layout.read(floors.bins(2, 3), depot=1.0, front=-1.0, back=7.0).block
    assert block.depot == 1.0
    assert block.length == 8.0
    assert block.y.min() == 2.0


def test_racks_on_both_sides_belong_to_one_aisle():
    bins = floors.bins(2, 2).with_columns(x=pl.col("x") + pl.when(pl.col("y") == 1).then(-0.5).otherwise(0.5))
    block = layout.read(bins).block
    assert block.x.tolist() == [0.0, 3.0]
    assert block.aisle.tolist() == [0, 0, 1, 1]


def test_without_x_and_y_nothing_is_known_of_the_block():
    bins = floors.bins(2, 2).with_columns(y=pl.when(pl.col("bin") == "A1").then(None).otherwise("y"))
    floor = layout.read(bins)
    assert floor.block is None
    assert list(layout.orders_of_bins(floor)) == ["distance"]


def test_distances_that_do_not_fit_are_seen():
    bins = floors.bins(3, 4).with_columns(distance_m=40 - pl.col("distance_m"))
    assert layout.read(bins).block.misfit > layout.MISFIT


def test_rankings():
    floor = layout.read(floors.bins(3, 2, dock=1))
    order = {k: [floor.bins[i] for i in v] for k, v in layout.orders_of_bins(floor).items()}
    assert order["distance"] == ["B1", "B2", "A1", "C1", "A2", "C2"]
    assert order["aisle"] == ["B1", "B2", "A1", "C1", "A2", "C2"]
    assert order["across"] == ["B1", "A1", "C1", "B2", "A2", "C2"]
    assert np.isnan(floor.units).all()
