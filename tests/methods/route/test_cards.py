"""Rate cards against prices reckoned by hand, and what must hold for any card."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import freight

from cbec.methods.route import cards

#: A card of air freight: minimum 100, then 6.00 / 5.00 / 4.00 / 3.50 per kg.
AIR = ((0.0, 45.0, 6.0), (45.0, 100.0, 5.0), (100.0, 300.0, 4.0), (300.0, None, 3.5))


def price(rows, weight, volume=0.0, dangerous=False, chilled=False):
    """(charged kg, freight, surcharge) of one shipment on a card of one lane, or why there is no price."""
    frame = freight.lanes(*rows)
    card = cards.read(frame, pl.Series([1.0] * frame.height))
    goods = cards.Goods(np.array([weight]), np.array([volume]), np.array([dangerous]), np.array([chilled]))
    n = frame.height
    found = cards.price(card, goods, np.zeros(n, dtype=np.int64), np.arange(n))
    if len(found.row):
        assert found.refused.is_empty()
        return float(found.charged[0]), round(float(found.freight[0]), 6), round(float(found.surcharge[0]), 6)
    (why,) = found.refused["why"]
    return why


@pytest.mark.parametrize(
    ("weight", "volume", "divisor", "expected"),
    [
        (10, 0.09, 6000, 15.0),  # 90 000 cm3 / 6000
        (10, 0.09, 5000, 18.0),
        (20, 0.09, 6000, 20.0),
        (10, 0.09, 1000, 90.0),  # LCL: a tonne per m3
        (10, 0.09, np.inf, 10.0),  # volume does not count
        (0, 0, 6000, 0.0),
    ],
)
def test_chargeable_weight(weight, volume, divisor, expected):
    got = cards.chargeable(np.array([weight]), np.array([volume]), np.array([divisor]))
    assert got[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("weight", "charged", "freight_"),
    [
        (10, 10, 100),  # 60 is under the minimum
        (20, 20, 120),
        (30, 30, 180),
        (37.5, 37.5, 225),  # as dear as 45 kg at 5.00
        (40, 45, 225),  # 240 > 45 x 5
        (45, 45, 225),
        (70, 70, 350),
        (85, 100, 400),  # 425 > 100 x 4
        (250, 250, 1000),
        (270, 300, 1050),  # 1080 > 300 x 3.5
        (5000, 5000, 17500),
    ],
)
def test_breaks_and_bump_down(weight, charged, freight_):
    assert price(freight.breaks(*AIR, cost_min=100.0), weight) == (charged, freight_, 0.0)


def test_what_a_row_costs():
    row = freight.lane(cost_fixed=25.0, cost_min=40.0, cost_per_kg=0.5, cost_per_m3=10.0, surcharge_pct=20.0)
    assert price([row], 100, 2.0) == (100, 25 + 50 + 20, 19.0)
    assert price([row], 10, 0.5) == (10, 25 + 40, 13.0)  # 5 + 5 is under the minimum of 40


def test_a_gap_is_no_rate_and_never_free():
    card = freight.breaks((0.0, 100.0, 2.0), (200.0, 500.0, 1.0))
    assert price(card, 100) == (100, 200, 0)
    assert price(card, 150) == "rate"
    assert price(card, 501) == "rate"
    # Under the gap the next band is open to who pays its minimum weight: 100 x 2 = 200 x 1.
    assert price(card, 99) == (99, 198, 0)
    assert price(freight.breaks((45.0, 100.0, 2.0)), 30) == "rate"


def test_bands_written_in_whole_kg_or_hundredths_have_no_gap():
    card = freight.breaks((1.0, 45.0, 6.0), (46.0, 100.0, 5.5))
    assert price(card, 45.3) == (46, 253, 0)
    card = freight.breaks((0.0, 249.99, 2.0), (250.0, 500.0, 1.9))
    assert price(card, 249.995) == (250, 475, 0)
    assert price(card, 0) == (0, 0, 0)


def test_breaks_without_an_end_go_to_the_next():
    card = freight.breaks((0.0, None, 6.0), (45.0, None, 5.0), (100.0, None, 4.0))
    assert price(card, 44) == (45, 225, 0)
    assert price(card, 60) == (60, 300, 0)
    assert price(card, 1e6) == (1e6, 4e6, 0)


def test_capacity_and_goods_that_a_lane_refuses():
    assert price([freight.lane(capacity_kg=99.0)], 100) == "capacity"
    assert price([freight.lane(capacity_m3=1.0)], 100, 1.1) == "capacity"
    assert price([freight.lane(capacity_kg=100.0)], 100) == (100, 100, 0)
    assert price([freight.lane(dg_accepted=False)], 100, dangerous=True) == "goods"
    assert price([freight.lane(dg_accepted=False)], 100) == (100, 100, 0)
    assert price([freight.lane()], 100, dangerous=True, chilled=True) == (100, 100, 0)
    assert price([freight.lane(temp_controlled=False)], 100, chilled=True) == "goods"


def test_overlapping_bands_are_told_and_the_cheapest_holds():
    frame = freight.lanes(*freight.breaks((0.0, 100.0, 2.0), (50.0, 200.0, 1.9)))
    card = cards.read(frame, pl.Series([1.0, 1.0]))
    assert card.overlapping["lane_id"].to_list() == ["SEA"]
    assert price(freight.breaks((0.0, 100.0, 2.0), (50.0, 200.0, 1.9)), 60) == (60, 114, 0)
    assert cards.read(freight.lanes(*freight.breaks(*AIR)), pl.Series([1.0] * 4)).overlapping.is_empty()


def test_prices_come_in_the_home_currency():
    frame = freight.lanes(*freight.breaks(*AIR, cost_fixed=10.0, cost_min=50.0))
    card = cards.read(frame, pl.Series([7.0] * 4))
    assert card.per_kg.tolist() == [42, 35, 28, 24.5]
    assert card.fixed[0] == 70 and card.least[0] == 350


edges = st.lists(st.integers(1, 2000), min_size=1, max_size=6, unique=True).map(sorted)


@settings(max_examples=60, deadline=None)
@given(edges, st.data())
def test_no_shipment_pays_more_than_a_heavier_one(bounds, data):
    lows = [0, *bounds]
    gaps = data.draw(st.lists(st.booleans(), min_size=len(lows), max_size=len(lows)))
    rates = data.draw(st.lists(st.floats(0.0, 20.0), min_size=len(lows), max_size=len(lows)))
    pct = data.draw(st.floats(0, 50))
    ends = [*((a + b) / 2 if gap else float(b) for a, b, gap in zip(lows, bounds, gaps, strict=False)), 3000.0]
    card = [
        freight.lane(break_from_kg=float(a), break_to_kg=b, cost_per_kg=r, cost_min=30.0, surcharge_pct=pct)
        for a, b, r in zip(lows, ends, rates, strict=True)
    ]
    weights = sorted(data.draw(st.lists(st.floats(0, 3500), min_size=2, max_size=8)))
    told = [price(card, w) for w in weights]
    paid = [t[1] + t[2] for t in told if t != "rate"]
    assert all(a <= b + 1e-6 for a, b in itertools.pairwise(paid))
    assert all(p >= 30 for p in paid)
    assert all(t == "rate" for t, w in zip(told, weights, strict=True) if w > 3001)
