"""Rates, drops, dead stock and cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.stockroom import policy, stock, table
from support.supply import day, sold

from cbec.methods.monitor import items, movement

NOW = day(120)
LOOK = movement.Look(drop=14, base=56, share=0.5, alarms=0.05, dead=90, low=14.0)


def moving(on_hand, sales, look=LOOK, inbound=None, policies=None):
    """on_hand: pieces by SKU, all in W1."""
    rows = [
        {"sku": s, "on_hand": float(n), "snapshot_date": NOW}
        if not isinstance(n, dict)
        else {"sku": s, "snapshot_date": NOW} | n
        for s, n in on_hand.items()
    ]
    shelf = items.shelf(stock(*rows), None, None, None, None, None)
    days = items.daily(table("sales", sales))
    made = movement.cover(shelf, movement.rates(shelf, days, look), inbound, policies, look)
    return {r["sku"]: r for r in made.iter_rows(named=True)}, made


def test_the_rate_leaves_out_days_without_stock():
    daily = [2.0] * 100
    out = [
        {"sku": "A", "market": "DE", "warehouse": "W1", "date": day(120 - i), "units": 0.0, "in_stock": False}
        for i in range(14)
    ]
    sales = [r for r in sold("A", daily, until=NOW) if r["date"] <= day(106)] + out
    found, _ = moving({"A": 0}, sales)
    assert found["A"]["rate"] == pytest.approx(2.0)
    assert found["A"]["last_sold"] == day(106)


def test_out_of_stock_for_the_whole_window_takes_the_rate_from_before():
    out = [
        {"sku": "A", "market": "DE", "warehouse": "W1", "date": day(120 - i), "units": 0.0, "in_stock": False}
        for i in range(28)
    ]
    found, _ = moving({"A": 0}, [r for r in sold("A", [3.0] * 100, until=NOW) if r["date"] <= day(92)] + out)
    assert found["A"]["rate"] == pytest.approx(3.0)


def test_cover_follows_sales_and_arrivals():
    sales = sold("A", [2.0] * 100, until=NOW)
    found, _ = moving({"A": 31}, sales)
    assert found["A"]["cover"] == pytest.approx(15.5)
    assert found["A"]["short"] == 0  # the limit is 14 days
    coming = table("inbound", [{"sku": "A", "warehouse": "W1", "qty": 20.0, "arrival_date": day(130)}])
    found, _ = moving({"A": 31}, sales, inbound=coming, policies=policy({"lead_time_days": 30.0}))
    assert found["A"]["cover"] == pytest.approx(25.5)
    assert found["A"]["short"] == pytest.approx(9.0)
    late = table("inbound", [{"sku": "A", "warehouse": "W1", "qty": 20.0, "arrival_date": day(140)}])
    found, _ = moving({"A": 31}, sales, inbound=late, policies=policy({"lead_time_days": 30.0}))
    assert found["A"]["cover"] == pytest.approx(15.5)  # the gap before the arrival
    assert found["A"]["short"] == pytest.approx(7 + 2)  # before it, and after it is sold
    overdue = table("inbound", [{"sku": "A", "warehouse": "W1", "qty": 20.0, "arrival_date": day(119)}])
    found, _ = moving({"A": 31}, sales, inbound=overdue)
    assert found["A"]["cover"] == pytest.approx(15.5)  # it may never come


def test_reserved_pieces_are_not_free_and_nothing_asked_for_lasts():
    found, _ = moving({"A": {"on_hand": 10.0, "reserved": 10.0}, "B": 5}, sold("A", [1.0] * 60, until=NOW))
    assert (found["A"]["cover"], found["A"]["short"]) == (0.0, 14.0)
    assert found["B"]["cover"] is None and found["B"]["rate"] == 0


@settings(max_examples=30, deadline=None)
@example(1, 2.0, 0.5)
@given(st.integers(0, 200), st.floats(0.1, 9), st.floats(0, 60))
def test_short_is_what_the_rate_asks_beyond_the_stock(on_hand, rate, lead):
    found, _ = moving({"A": on_hand}, sold("A", [rate] * 60, until=NOW), policies=policy({"lead_time_days": lead}))
    assert found["A"]["short"] == pytest.approx(max(rate * lead - on_hand, 0), abs=1e-6)


def test_a_drop_is_told_and_a_season_is_not():
    rng = np.random.default_rng(2)
    crowd = [
        r
        for i in range(12)
        for r in sold(f"C{i:02d}", (rng.poisson(4, 106).tolist() + rng.poisson(1.2, 14).tolist()), until=NOW)
    ]
    steady = [r for i in range(12) for r in sold(f"S{i:02d}", rng.poisson(4, 120).tolist(), until=NOW)]
    blocked = sold("X", [4] * 106 + [0] * 14, until=NOW)
    shelf = {f"{k}{i:02d}": 50 for k in "CS" for i in range(12)} | {"X": 50}
    found, _ = moving({k: v for k, v in shelf.items() if k != "C" and not k.startswith("C")}, steady + blocked)
    assert [k for k, r in found.items() if r["dropped"]] == ["X"]
    assert found["X"]["expected"] == pytest.approx(56, rel=0.15) and found["X"]["observed"] == 0
    # All of them fall at once: nothing is the matter with any of them, but X sells none at all.
    found, _ = moving({k: v for k, v in shelf.items() if not k.startswith("S")}, crowd + blocked)
    assert [k for k, r in found.items() if r["dropped"]] == ["X"]


def test_no_drop_where_promotion_ended_or_the_shelf_was_empty():
    promo = (
        [r | {"promo": True} for r in sold("P", [30] * 20, until=day(106))]
        + sold("P", [3] * 14, until=NOW)
        + sold("P", [3] * 60, until=day(86))
    )
    empty = sold("E", [5] * 106, until=day(106)) + [
        {"sku": "E", "market": "DE", "warehouse": "W1", "date": day(107 + i), "units": 0.0, "in_stock": False}
        for i in range(14)
    ]
    found, _ = moving({"P": 9, "E": 9}, promo + empty)
    assert not found["P"]["dropped"] and not found["E"]["dropped"]


def test_few_false_alarms():
    rng = np.random.default_rng(8)
    sales = [
        r
        for i in range(200)
        for r in sold(f"N{i:03d}", rng.negative_binomial(1, 1 / (1 + rng.gamma(1, 2)), 120).tolist(), until=NOW)
    ]
    found, _ = moving({f"N{i:03d}": 9 for i in range(200)}, sales)
    assert sum(r["dropped"] for r in found.values()) <= 2


def test_dead_needs_a_long_look_and_a_long_stay():
    sales = sold("A", [1] * 20, until=day(25)) + sold("B", [1] * 100, until=NOW)
    on_hand = {
        "A": 5,
        "B": 5,
        "NEW": {"on_hand": 5.0, "age_days": 20.0},
        "NONE": 0,
        "OLD": {"on_hand": 5.0, "age_days": 400.0},
    }
    _, made = moving(on_hand, sales)
    told = movement.dead(made, day(0), NOW, LOOK)
    assert made.filter(told)["sku"].to_list() == ["A", "OLD"]
    assert not movement.dead(made, day(60), NOW, LOOK).any()
    assert not movement.dead(made, None, NOW, LOOK).any()
