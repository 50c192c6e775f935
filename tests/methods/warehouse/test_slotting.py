"""Which SKU goes where: exact against every arrangement, limits never broken, choices by trial."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import floors
from support.stockroom import table

from cbec.methods.warehouse import layout, picks, slotting
from cbec.methods.warehouse.slotting import NOWHERE, Fit


def fit_of(floor, need, m3=None, kg=None, zone=None):
    n = len(need)
    nothing = np.full(n, np.nan)
    return Fit(
        floor,
        np.array(need, float),
        nothing if m3 is None else np.array(m3),
        nothing if kg is None else np.array(kg),
        zone or [None] * n,
    )


def total(frequency, place, ranking):
    rank = {b: i for i, b in enumerate(ranking)}
    return sum(f * rank[p] for f, p in zip(frequency, place, strict=True) if p != NOWHERE)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(1, 3))
def test_without_limits_sorting_is_exact(frequency, aisles):
    floor = layout.read(floors.bins(aisles, 2))
    ranking = layout.orders_of_bins(floor)["distance"]
    found = slotting.assign(np.array(frequency, float), ranking, fit_of(floor, [1] * len(frequency)))
    placed = [p for p in found if p != NOWHERE]
    assert len(placed) == len(set(placed)) == min(len(frequency), len(floor.bins))
    if len(frequency) <= len(floor.bins) <= 4:
        best = min(total(frequency, p, ranking) for p in itertools.permutations(range(len(floor.bins)), len(frequency)))
        assert total(frequency, found, ranking) == best


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_under_limits_the_assignment_is_exact_and_no_limit_is_broken(data):
    units = data.draw(st.lists(st.integers(1, 6), min_size=4, max_size=4))
    need = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    frequency = np.array(data.draw(st.lists(st.integers(1, 9), min_size=len(need), max_size=len(need))), float)
    floor = layout.read(floors.bins(2, 2).with_columns(capacity_units=np.array(units, float)))
    ranking = layout.orders_of_bins(floor)["distance"]
    fit = fit_of(floor, need)
    found = slotting.assign(frequency, ranking, fit)
    for sku, place in enumerate(found):
        assert place == NOWHERE or fit.bins(sku)[place]
    ways = itertools.permutations([*range(4), *[NOWHERE] * len(need)], len(need))
    allowed = [w for w in ways if all(p == NOWHERE or fit.bins(s)[p] for s, p in enumerate(w))]
    most = max(sum(p != NOWHERE for p in w) for w in allowed)
    assert sum(p != NOWHERE for p in found) == most
    full = [w for w in allowed if sum(p != NOWHERE for p in w) == most]
    if most == len(need):
        assert total(frequency, found, ranking) == min(total(frequency, w, ranking) for w in full)


def test_large_floors_are_filled_by_the_greedy_rule_under_the_same_limits(monkeypatch):
    monkeypatch.setattr(slotting, "CELLS", 1)
    floor = layout.read(floors.bins(2, 3).with_columns(capacity_units=np.array([1.0, 9, 9, 1, 1, 9])))
    ranking = layout.orders_of_bins(floor)["distance"]
    found = slotting.assign(np.array([5.0, 9, 7]), ranking, fit_of(floor, [5, 5, 1]))
    assert [floor.bins[p] for p in found] == ["A3", "A2", "A1"]


def test_need_room_load_and_zone():
    bins = table(
        "bins",
        [
            {"bin": "small", "distance_m": 1.0, "capacity_m3": 0.1, "max_kg": 500.0, "zone": "dry"},
            {"bin": "weak", "distance_m": 2.0, "capacity_m3": 1.0, "max_kg": 5.0, "zone": "dry"},
            {"bin": "cold", "distance_m": 3.0, "capacity_m3": 1.0, "max_kg": 500.0, "zone": "cold"},
            {"bin": "big", "distance_m": 4.0, "capacity_m3": 1.0, "max_kg": 500.0, "zone": "dry"},
        ],
    )
    floor = layout.read(bins)
    fit = fit_of(floor, [10, 10, 10, 999], m3=[0.05, np.nan, 3.0, 0.05], kg=[1.0, 1.0, 1.0, 1.0], zone=["dry"] * 4)

    def named(sku):
        return [floor.bins[i] for i in np.flatnonzero(fit.bins(sku))]

    assert not fit.free
    assert named(0) == ["big"]  # 10 x 0.05 m3 and 10 kg; the cold bin is another zone
    assert named(1) == ["big", "small"]  # volume unknown: no limit of room
    assert named(2) == []  # no bin holds a single one
    assert named(3) == ["big"]  # more than any bin holds: as many as the largest


def test_the_trial_prefers_late_orders_where_demand_moved():
    rng = np.random.default_rng(2)
    early, late = "ABCD", "WXYZ"
    # The first 60 of 100 days sell A to D, the others W to Z.
    text = ["".join(rng.permutation(list(early if i < 900 else late))[:2]) for i in range(1500)]
    seen = picks.read(floors.orders(*text, days=100), [])
    floor = layout.read(floors.bins(4, 2))
    choice = slotting.choose(seen, floor, "s-shape", "auto", 0.0)
    assert choice.half_life < np.inf
    assert choice.metres == min(choice.tried.values())
    fixed = slotting.choose(seen, floor, "s-shape", "distance", 45.0)
    assert (fixed.ranking, fixed.half_life) == ("distance", 45.0)


def test_the_trial_fits_on_nothing_of_the_last_fifth():
    text = ["AB", "C", "BC"] * 100
    cut = 100 * 0.8 - 1e-9
    one, other = (
        picks.read(floors.orders(*text, *tail, days=100), list("ABCDE")) for tail in (["DE"] * 75, ["A", "B", "D"] * 25)
    )
    for life in slotting.HALF_LIVES:
        fitted = [p.frequency(p.aged(life, until=cut)) for p in (one, other)]
        assert fitted[0].sum() > 0 and np.array_equal(*fitted)


def test_few_or_undated_orders_are_not_tried_on():
    seen = picks.read(floors.orders("AB", "C", days=50), [])
    choice = slotting.choose(seen, layout.read(floors.bins(2, 2)), "s-shape", "auto", 0.0)
    assert (choice.ranking, choice.half_life, choice.metres) == ("aisle", np.inf, None)


def test_volumes_and_weights_come_from_the_item_master():
    products = table(
        "products",
        [{"sku": "A", "length_cm": 10.0, "width_cm": 20.0, "height_cm": 50.0}, {"sku": "B", "weight_kg": 2.0}],
    )
    m3, kg = slotting.attributes(["A", "B", "C"], products)
    assert m3[0] == pytest.approx(0.01) and np.isnan(m3[1:]).all()
    assert kg[1] == 2.0 and np.isnan(kg[[0, 2]]).all()
    assert np.isnan(slotting.attributes(["A"], None)[0]).all()
