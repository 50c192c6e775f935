"""Orders into shipments."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.route.ship import Terms, shipments

DAY = date(2026, 9, 30)
TERMS = Terms("CNNGB", 7, 0.1, None)


def orders(*rows):
    names = ("sku", "warehouse", "order_qty", "stockout_date", "arrival_date")
    frame = pl.DataFrame(
        rows, schema=dict(zip(names, (pl.String, pl.String, pl.Float64, pl.Date, pl.Date), strict=True)), orient="row"
    )
    return frame.with_columns(order_date=pl.lit(DAY))


def products(**more):
    frame = {
        "sku": ["A", "B", "C"],
        "supplier_id": ["S1", "S1", "S2"],
        "weight_kg": [1.0, 2.0, 0.5],
        "length_cm": [10.0, 20.0, 10.0],
        "width_cm": [10.0, 10.0, 10.0],
        "height_cm": [10.0, 10.0, 10.0],
        "unit_cost": [3.0, 5.0, 7.0],
        "currency": ["CNY", "CNY", "CNY"],
    }
    return pl.DataFrame(frame | more)


def test_one_shipment_per_supplier_and_warehouse():
    made = shipments(
        orders(
            ("A", "W1", 10, date(2026, 10, 20), date(2026, 11, 11)),
            ("B", "W1", 5, date(2026, 11, 1), date(2026, 11, 11)),
            ("C", "W1", 4, None, date(2026, 11, 11)),
            ("A", "W2", 0, None, None),
        ),
        products(),
        None,
        TERMS,
    )
    assert made["shipment_id"].to_list() == ["ORD-S1-W1", "ORD-S2-W1"]
    assert made["weight_kg"].to_list() == pytest.approx([22.0, 2.2])  # (10 + 10) kg and 2 kg, with 10 % packing
    assert made["volume_m3"].to_list() == pytest.approx([0.022, 0.0044])
    assert made["goods_value"].to_list() == [55.0, 28.0]
    assert made["ready_date"].to_list() == [date(2026, 10, 7)] * 2
    # The first shelf that can still be helped; without one, the arrival that was planned.
    assert made["due_date"].to_list() == [date(2026, 10, 20), date(2026, 11, 11)]


def test_a_shelf_that_is_empty_before_the_goods_can_leave_sets_no_day():
    made = shipments(orders(("A", "W1", 10, date(2026, 10, 3), date(2026, 11, 11))), products(), None, TERMS)
    assert made["due_date"].to_list() == [date(2026, 11, 11)]


def test_what_a_shipment_needs_is_asked_for():
    line = orders(("A", "W1", 10, None, date(2026, 11, 11)))
    with pytest.raises(InputRejected, match="weight_kg of 1 ordered SKUs is not told"):
        shipments(line, products(weight_kg=[None, 2.0, 0.5]), None, TERMS)
    two = orders(("A", "W1", 1, None, date(2026, 11, 11)), ("B", "W1", 1, None, date(2026, 11, 11)))
    with pytest.raises(UsageFault, match="CNY, USD"):
        shipments(two, products(currency=["CNY", "USD", "CNY"]), None, TERMS)


def test_mass_and_order_of_rows():
    rows = [
        ("A", "W1", 10.0, None, DAY),
        ("B", "W2", 5.0, None, DAY),
        ("C", "W1", 4.0, None, DAY),
        ("B", "W1", 2.0, None, DAY),
    ]
    straight = shipments(orders(*rows), products(), None, TERMS)
    assert straight.equals(shipments(orders(*rows[::-1]), products(), None, TERMS))
    assert straight["pieces"].sum() == 21
    assert straight["weight_kg"].sum() == pytest.approx(1.1 * (10 * 1 + 7 * 2 + 4 * 0.5))


def test_nothing_ordered_is_nothing_shipped():
    made = shipments(orders(("A", "W1", 0, None, None)), products(), None, TERMS)
    assert made.is_empty()
    assert made.columns[:3] == ["shipment_id", "origin", "destination"]
