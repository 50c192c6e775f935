"""Tours through a block of aisles: against every order of visiting, and against walks step by step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.warehouse import tours
from cbec.methods.warehouse.layout import Block


def block(aisles, cells, pitch, depot):
    """`depot` in pitches from the first aisle; it may lie between two aisles."""
    x = np.arange(aisles) * pitch
    aisle, y = np.repeat(np.arange(aisles), cells), np.tile(np.arange(1.0, cells + 1), aisles)
    return Block(x, aisle, y, cells + 1.0, depot * pitch, 0.0)


def every_order(points, depot, length):
    """The shortest closed walk from the dock through all points, every order tried."""

    def apart(p, q):
        if p[0] == q[0]:
            return abs(p[1] - q[1])
        return abs(p[0] - q[0]) + min(p[1] + q[1], 2 * length - p[1] - q[1])

    nodes = [(depot, 0.0), *sorted(set(points))]
    best = np.inf
    for tour in itertools.permutations(range(1, len(nodes))):
        way = [0, *tour, 0]
        best = min(best, sum(apart(nodes[a], nodes[b]) for a, b in itertools.pairwise(way)))
    return best


def steps(points, depot, length):
    """The S-shape walk aisle by aisle."""
    aisles = sorted({x for x, _ in points})
    walked, at, back = 0.0, depot, False
    # The tour goes left to right: first to the leftmost aisle along the front.
    for i, x in enumerate(aisles):
        walked += abs(x - at)
        at = x
        if i == len(aisles) - 1 and not back:
            walked += 2 * max(y for a, y in points if a == x)
        else:
            walked += length
            back = not back
    return walked + abs(at - depot)


CASE = st.integers(1, 5).flatmap(
    lambda aisles: st.tuples(
        st.just(aisles),
        st.integers(2, 9),
        st.integers(1, 6).map(float),
        st.sampled_from([i / 2 for i in range(2 * aisles - 1)]),
        st.lists(st.tuples(st.integers(0, aisles - 1), st.integers(0, 8)), min_size=1, max_size=6),
    )
)


def walk(policy, case):
    aisles, cells, pitch, depot, picks = case
    floor = block(aisles, cells, pitch, depot)
    at = np.array([a * cells + min(c, cells - 1) for a, c in picks])
    points = [(floor.x[floor.aisle[i]], floor.y[i]) for i in at]
    return tours.lengths(policy, np.zeros(len(at), np.intp), at, 1, floor)[0], points, floor


@settings(deadline=None, max_examples=150)
@given(CASE)
def test_the_shortest_tour_is_that_of_every_order_tried(case):
    found, points, floor = walk("shortest", case)
    assert found == pytest.approx(every_order(points, floor.depot, floor.length))


@settings(deadline=None, max_examples=100)
@given(CASE)
def test_s_shape_walks_as_a_person_would(case):
    found, points, floor = walk("s-shape", case)
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    if left <= floor.depot <= right:
        assert found == pytest.approx(steps(points, floor.depot, floor.length))
    assert found >= walk("shortest", case)[0] - 1e-9


@settings(deadline=None, max_examples=60)
@given(CASE)
def test_return_enters_and_leaves_at_the_front(case):
    found, points, floor = walk("return", case)
    far = {x: max(y for a, y in points if a == x) for x, _ in points}
    low, high = min([*far, floor.depot]), max([*far, floor.depot])
    assert found == pytest.approx(2 * (high - low) + 2 * sum(far.values()))
    assert found >= walk("shortest", case)[0] - 1e-9


def test_many_orders_at_once_and_orders_without_picks(monkeypatch):
    floor = block(4, 6, 2.0, 1)
    rng = np.random.default_rng(0)
    order, at = rng.integers(0, 50, 120), rng.integers(0, 24, 120)
    order[order == 7] = 8
    whole = {p: tours.lengths(p, order, at, 50, floor) for p in tours.POLICIES}
    assert all(v[7] == 0 for v in whole.values())
    monkeypatch.setattr(tours, "_ORDERS_AT_ONCE", 7)
    for policy, expected in whole.items():
        assert np.array_equal(tours.lengths(policy, order, at, 50, floor), expected)
        alone = [
            tours.lengths(policy, np.zeros((order == i).sum(), np.intp), at[order == i], 1, floor)[0] for i in range(50)
        ]
        assert np.allclose(alone, expected)


def test_one_tour_by_hand():
    # Aisles at 0, 3, 6, the dock before the first; picks at 2 and 4 of the first, at 1 of the last; aisles 5 long.
    floor = block(3, 4, 3.0, 0)
    at = np.array([1, 3, 8])
    order = np.zeros(3, np.intp)
    assert tours.lengths("shortest", order, at, 1, floor)[0] == 2 * 6 + 2 * 4 + 2 * 1
    assert tours.lengths("s-shape", order, at, 1, floor)[0] == 2 * 6 + 2 * 5
    assert tours.lengths("return", order, at, 1, floor)[0] == 2 * 6 + 2 * 4 + 2 * 1


def test_trips_go_to_each_bin_and_back():
    found = tours.trips(np.array([0, 0, 2]), np.array([1, 0, 1]), 3, np.array([4.0, 10.0]))
    assert found.tolist() == [28.0, 0.0, 20.0]


def test_seven_states_are_enough():
    states, _, _ = tours._tables()
    assert len(states) == 7  # Ratliff and Rosenthal's, the empty and the complete one among them
