"""Moves can be done in their order, save what they say, and pay for themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import floors

from cbec.core.errors import InputRejected
from cbec.methods.warehouse import slot as slots_of
from cbec.methods.warehouse import slotting
from cbec.methods.warehouse.moves import TEMPORARY
from cbec.methods.warehouse.slotting import NOWHERE

TERMS = slots_of.Terms(
    routing="s-shape", ranking="auto", half_life=np.inf, stock_days=0.0, keep_days=90.0, speed=1.0, minutes_per_move=0.5, max_moves=0,
    temporary="TEMP", front=0.0, back=0.0, depot=None, wage=0.0, currency=None,
)  # fmt: skip


def terms(**changed):
    from dataclasses import replace

    return replace(TERMS, **changed)


def replay(plan, holders):
    """Do the steps one by one; gives back what lies where in the end."""
    room = {}
    lies: dict[int, set[int]] = {}
    for sku, place in holders:
        lies.setdefault(place, set()).add(sku)
    for place, there in lies.items():
        room[place] = len(there)
    waiting: set[int] = set()
    for swap in plan.swaps:
        for sku, start, end in swap.steps:
            if start == TEMPORARY:
                assert sku in waiting
                waiting.discard(sku)
            else:
                assert sku in lies[start]
                lies[start].discard(sku)
            if end == TEMPORARY:
                assert not waiting  # one temporary place
                waiting.add(sku)
            else:
                there = lies.setdefault(end, set())
                assert len(there) < room.get(end, 1), "the place is taken"
                there.add(sku)
        assert not waiting  # nothing is left standing when a swap is done
    return lies


@st.composite
def floors_and_orders(draw):
    skus = "ABCDEFGH"[: draw(st.integers(2, 8))]
    aisles, cells = draw(st.sampled_from([(2, 3), (3, 3), (2, 5)]))
    text = draw(st.lists(st.text(skus, min_size=1, max_size=3), min_size=3, max_size=40))
    names = [f"{chr(65 + a)}{c}" for a in range(aisles) for c in range(1, cells + 1)]
    # Some bins hold two SKUs, some SKUs lie in two bins, some in none.
    places = {s: draw(st.sampled_from(names)) for s in skus if draw(st.integers(0, 7))}
    second = {s: draw(st.sampled_from(names)) for s in places if draw(st.integers(0, 5)) == 0}
    return aisles, cells, text, places, second


@settings(deadline=None, max_examples=80)
@given(floors_and_orders(), st.sampled_from([0, 1, 3]), st.booleans())
def test_every_move_can_be_done_and_saves_what_it_says(case, most, block):
    aisles, cells, text, places, second = case
    bins = floors.bins(aisles, cells)
    if not block:
        bins = bins.with_columns(x=None)
    held = floors.table("slots", [{"sku": s, "bin": b} for s, b in sorted({*places.items(), *second.items()})])
    plan = slots_of.make(None, floors.orders(*text, days=30), bins, held, None, terms(max_moves=most))
    number = {s: i for i, s in enumerate(plan.picks.skus)}
    at = {b: i for i, b in enumerate(plan.floor.bins)}
    holders = [(number[s], at[b]) for s, b in held.select("sku", "bin").iter_rows()]
    lies = replay(plan, holders)
    for sku, place in enumerate(plan.place):
        if plan.today[sku] != NOWHERE:
            assert sku in lies[place]  # the table tells where things lie after the moves
    carries = sum(len(w.steps) for w in plan.swaps)
    assert not most or carries <= most
    for swap in plan.swaps:
        assert swap.metres / 60 > len(swap.steps) * 0.5  # minutes saved are more than those of carrying
    known = np.where(plan.today == NOWHERE, NOWHERE, plan.place)
    before, after = (slotting.lengths(plan.picks, p, plan.floor, "s-shape") for p in (plan.today, known))
    scale = plan.picks.orders * plan.scale / plan.picks.orders
    assert sum(w.metres for w in plan.swaps) == pytest.approx(scale * (before.sum() - after.sum()), abs=1e-6)
    assert plan.metres["proposed"] <= plan.metres["today"] + 1e-6


def test_a_fast_mover_takes_the_near_bin_and_a_free_bin_spares_a_carry():
    orders = floors.orders(*["F"] * 60, "S", "T", days=30)
    full = slots_of.make(
        None, orders, floors.bins(1, 3), floors.slots(F="A3", S="A1", T="A2"), None, terms(minutes_per_move=0.1)
    )
    assert [len(w.steps) for w in full.swaps] == [3]  # over the temporary place
    assert [plan_bin(full, s) for s in "FST"] == ["A1", "A3", "A2"]
    spare = slots_of.make(
        None, orders, floors.bins(1, 4), floors.slots(F="A4", S="A1", T="A2"), None, terms(minutes_per_move=0.1)
    )
    assert [len(w.steps) for w in spare.swaps] == [2]
    assert [plan_bin(spare, s) for s in "FST"] == ["A1", "A3", "A2"]


def plan_bin(plan, sku):
    return plan.floor.bins[plan.place[plan.picks.skus.index(sku)]]


def test_a_move_that_does_not_pay_is_not_made():
    orders = floors.orders(*["F"] * 60, "S", days=30)
    plan = slots_of.make(
        None, orders, floors.bins(1, 3), floors.slots(F="A3", S="A1"), None, terms(minutes_per_move=500.0)
    )
    assert plan.swaps == []
    assert plan.metres["ideal"] < plan.metres["proposed"] == plan.metres["today"]


def test_zones_and_reserves_are_left_alone():
    bins = floors.bins(2, 3).with_columns(
        zone=floors.pl.when(floors.pl.col("aisle") == "A").then(floors.pl.lit("cold")).otherwise(floors.pl.lit("dry"))
    )
    held = floors.table(
        "slots",
        [{"sku": "F", "bin": "B3"}, {"sku": "S", "bin": "A1"}, {"sku": "T", "bin": "B1"}, {"sku": "T", "bin": "B2"}],
    )
    plan = slots_of.make(
        None, floors.orders(*["F"] * 90, "S", "T", days=30), bins, held, None, terms(minutes_per_move=0.01)
    )
    assert plan_bin(plan, "F") == "B1"  # A1 is nearer, but cold
    assert plan_bin(plan, "T") == "B3"  # its reserve in B2 stays where it is


def test_new_skus_are_put_away_in_free_bins_and_those_too_many_are_told():
    orders = floors.orders(*["N"] * 9, *["M"] * 3, "S", days=30)
    plan = slots_of.make(None, orders, floors.bins(1, 2), floors.slots(S="A1"), None, TERMS)
    assert plan_bin(plan, "N") == "A2"
    assert plan.place[plan.picks.skus.index("M")] == NOWHERE


def test_unknown_bins_and_a_taken_name_are_refused():
    with pytest.raises(InputRejected, match='bin "X9" is not in bins'):
        slots_of.make(None, floors.orders("A"), floors.bins(1, 2), floors.slots(A="X9"), None, TERMS)
    with pytest.raises(InputRejected, match="temporary place"):
        slots_of.make(None, floors.orders("A"), floors.bins(1, 2), floors.slots(A="A1"), None, terms(temporary="A2"))
    with pytest.raises(InputRejected, match="no line with pieces"):
        slots_of.make(None, floors.orders("A").clear(), floors.bins(1, 2), None, None, TERMS)
