"""Stock against the books."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stockroom import stock, table
from support.supply import day, receipts, sold

from cbec.core.errors import InputRejected
from cbec.methods.monitor import items
from cbec.methods.monitor.balance import balance

NOW, BEFORE = day(30), day(0)


def book(on_hand, previous, sales=(), came=(), *, least=0.0, cutoff=0, restock=True, **more):
    """on_hand, previous: pieces by (SKU, warehouse)."""
    base = {"unit_cost": 2.0, "currency": "EUR"} | more

    def rows(held, counted):
        return [
            base | {"sku": s, "warehouse": w, "on_hand": float(n), "snapshot_date": counted}
            for (s, w), n in held.items()
        ]

    shelf = items.shelf(stock(*rows(on_hand, NOW)), None, None, None, None, None)
    days = None if sales is None else items.daily(table("sales", list(sales)))
    received = None if came is None else receipts(*came)
    earlier = table("previous_inventory", rows(previous, BEFORE))
    made = balance(shelf, earlier, days, received, cutoff_days=cutoff, least=least, restock_returns=restock)
    return {(r["sku"], r["warehouse"]): r for r in made.iter_rows(named=True)}


A = ("A", "W1")
CAME = {"sku": "A", "warehouse": "W1", "receipt_date": day(15), "qty": 20.0, "rejected": 3.0}


def test_it_adds_up():
    sales = [
        *sold("A", [1] * 30, until=NOW),
        {"sku": "A", "market": "DE", "warehouse": "W1", "date": day(5), "units": -2.0, "channel": "returns"},
    ]
    row = book({A: 39}, {A: 50}, sales, [CAME])[A]
    assert (row["previous"], row["received"], row["sold"], row["expected"], row["counted"]) == (50, 17, 28, 39, 39)
    assert row["verdict"] == "agrees"
    row = book({A: 39}, {A: 50}, sales, [CAME], restock=False)[A]
    assert (row["sold"], row["difference"], row["verdict"], row["value"]) == (30, 2, "surplus", 4.0)


def test_the_days_of_the_counts_bound_what_counts():
    sales = [
        {"sku": "A", "market": "DE", "warehouse": "W1", "date": d, "units": 1.0}
        for d in (BEFORE, day(1), NOW, NOW + timedelta(days=1))
    ]
    assert book({A: 8}, {A: 10}, sales)[A]["sold"] == 2
    edge = [
        CAME | {"receipt_date": d, "qty": q, "rejected": None} for d, q in ((BEFORE, 1.0), (day(1), 2.0), (NOW, 4.0))
    ]
    assert book({A: 16}, {A: 10}, (), edge)[A]["received"] == 6


def test_missing_beyond_what_bookings_explain():
    sales = sold("A", [2] * 30, until=NOW)
    assert book({A: 37}, {A: 100}, sales)[A]["verdict"] == "missing"
    assert book({A: 37}, {A: 100}, sales, least=3)[A]["verdict"] == "agrees"
    row = book({A: 38}, {A: 100}, sales, cutoff=1)[A]
    assert (row["tolerance"], row["verdict"]) == (2.0, "agrees")
    assert book({A: 37}, {A: 100}, sales, cutoff=1)[A]["verdict"] == "missing"
    last = CAME | {"receipt_date": NOW, "rejected": None}
    assert book({A: 100}, {A: 100}, (), [last], cutoff=1)[A]["verdict"] == "agrees"  # not unpacked yet
    assert book({A: 100}, {A: 100}, (), [last | {"receipt_date": day(20)}], cutoff=1)[A]["verdict"] == "missing"


def test_what_is_not_told_cannot_be_judged():
    assert book({A: 10}, {A: 50}, None, ())[A]["verdict"] == "agrees"  # it may have been sold
    assert book({A: 50}, {A: 10}, (), None)[A]["verdict"] == "agrees"  # it may have been received
    assert book({A: 50}, {A: 10}, None, ())[A]["verdict"] == "surplus"
    assert book({A: 10}, {A: 50}, (), None)[A]["verdict"] == "missing"


def test_goods_in_the_wrong_place():
    b = ("A", "W2")
    found = book({A: 30, b: 60}, {A: 50, b: 40})
    assert {r["verdict"] for r in found.values()} == {"elsewhere"}
    found = book({A: 30, b: 60}, {A: 50, b: 50})
    assert (found[A]["verdict"], found[b]["verdict"]) == ("missing", "surplus")


def test_rows_that_one_table_lacks():
    found = book({A: 5}, {("B", "W1"): 7})
    assert (found[A]["verdict"], found[A]["previous"]) == ("surplus", 0)
    lost = found["B", "W1"]
    assert (lost["verdict"], lost["counted"], lost["_listed"]) == ("missing", 0, False)


def test_days_are_needed():
    counted = items.shelf(stock({"snapshot_date": NOW}), None, None, None, None, None)
    row = {"sku": "A", "warehouse": "W1", "on_hand": 1.0}
    for day_of, told in ((NOW, "not before"), (None, "no snapshot_date")):
        earlier = table("previous_inventory", [row | {"snapshot_date": day_of}])
        with pytest.raises(InputRejected, match=told):
            balance(counted, earlier, None, None, cutoff_days=0, least=0, restock_returns=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 60), st.lists(st.integers(-2, 6), max_size=29), st.integers(0, 40), st.integers(-10, 10))
def test_a_difference_is_found_for_what_it_is(start, daily, came, gap):
    sales = sold("A", daily, until=NOW)
    rows = [CAME | {"qty": float(came), "rejected": None}] if came else []
    end = start - sum(daily) + came + gap
    row = book({A: end}, {A: start}, sales, rows)[A]
    assert row["difference"] == pytest.approx(gap)
    assert row["verdict"] == ("missing" if gap < 0 else "surplus" if gap > 0 else "agrees")
