"""Order lines as picks, classes, and whose lines they are."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import floors
from support.stockroom import table

from cbec.core.errors import InputRejected
from cbec.methods.warehouse import picks


def test_one_pick_per_order_and_sku_and_none_for_refunds():
    lines = table(
        "order_lines",
        [
            {"order_id": "1", "line": "1", "sku": "A", "qty": 2, "date": floors.DAY},
            {"order_id": "1", "line": "2", "sku": "A", "qty": 3, "date": floors.DAY},
            {"order_id": "1", "line": "1R", "sku": "B", "qty": -1, "date": floors.DAY},
            {"order_id": "2", "line": "1", "sku": "B", "qty": 1, "date": floors.DAY + timedelta(days=9)},
        ],
    )
    seen = picks.read(lines, ["Z"])
    assert seen.skus == ["A", "B", "Z"]
    assert seen.count.tolist() == [1, 1, 0]
    assert seen.units.tolist() == [5, 1, 0]
    assert seen.days == 10
    assert seen.day.tolist() == [0, 9]


def test_weights_halve_with_age():
    seen = picks.read(floors.orders("A", "B", "C", days=30), [])
    assert seen.aged(10.0).tolist() == [0.25, 0.5, 1.0]
    assert seen.aged(np.inf).tolist() == [1, 1, 1]
    assert seen.aged(10.0, until=10.0).tolist() == [0.5, 1.0, 0.0]
    undated = floors.orders("A", "B").with_columns(date=pl.lit(None, pl.Date))
    assert picks.read(undated, []).aged(10.0).tolist() == [1, 1]


def test_classes_end_at_80_and_95_percent_of_picks():
    assert picks.classes(np.array([50.0, 30, 15, 5, 0])) == ["A", "A", "B", "C", "C"]
    assert picks.classes(np.array([1.0])) == ["A"]
    assert picks.classes(np.zeros(2)) == ["C", "C"]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_classes_fall_with_picks_and_ties_go_by_name(count):
    found = picks.classes(np.array(count, float))
    order = sorted(range(len(count)), key=lambda i: (-count[i], i))
    assert [found[i] for i in order] == sorted(found)


def test_variability_needs_weeks_and_counts_from_the_first_pick():
    steady = [(f"{d:03d}s", "S", d) for d in range(0, 84, 7)]
    burst = [(f"b{i}", "B", 83 - 7 * (i % 2)) for i in range(12)] + [("b", "B", 1)]
    late = [(f"{d:03d}l", "L", d) for d in range(70, 84)]
    rows = [
        {"order_id": o, "line": "1", "sku": s, "qty": 1, "date": floors.DAY + timedelta(days=d)}
        for o, s, d in steady + burst + late
    ]
    assert picks.variability(picks.read(table("order_lines", rows), [])) == ["Z", None, "X"]
    assert picks.variability(picks.read(floors.orders("A", "B", days=20), [])) == [None, None]


def test_tables_are_told_apart_by_warehouse():
    lines = pl.concat([floors.orders("A").with_columns(warehouse=pl.lit(w)) for w in ("W1", "W2")])
    lines = pl.concat([lines, floors.orders("Q")])  # no warehouse: sent from elsewhere
    bins = pl.concat([floors.bins(1, 2).with_columns(warehouse=pl.lit(w)) for w in ("W1", "W2")])
    found = list(picks.by_warehouse(lines, bins, None))
    assert [f[0] for f in found] == ["W1", "W2"]
    assert all(f[1].height == 1 and f[2].height == 2 for f in found)
    (one,) = picks.by_warehouse(floors.orders("A", "B"), floors.bins(1, 2), floors.slots(A="A1"))
    assert one[0] is None and one[1].height == 2 and one[3].height == 1


@pytest.mark.parametrize(
    ("lines", "bins", "message"),
    [
        (["W1", "W2"], [None, None], "do not say whose"),
        ([None, None], ["W1", "W2"], "which one picks"),
        (["W1"], ["W1", None], "some rows"),
        (["W1"], [], "no rows"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(lines, bins, message):
    orders = pl.concat([floors.orders("A").with_columns(warehouse=pl.lit(w, pl.String)) for w in lines])
    places = floors.bins(1, 1).clear()
    if bins:
        places = pl.concat([floors.bins(1, 1).with_columns(warehouse=pl.lit(w, pl.String)) for w in bins])
    with pytest.raises(InputRejected, match=message):
        list(picks.by_warehouse(orders, places, None))
