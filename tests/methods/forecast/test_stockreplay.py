"""The replay of the stock: a walk by hand, mass balance, no knowledge of the future."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from support import stockroom as room

from cbec.methods.forecast import lostsales
from cbec.methods.forecast import stockreplay as replay

KEYS = pl.DataFrame({"sku": ["A"], "market": ["DE"]})


def world(lost=True, **policy):
    products = room.table("products", [{"sku": "A", "unit_cost": 36.5, "price": 41.5, "currency": "EUR"}])
    rules = replay.Rules(0.9, 1.0, 0.1, 0.5, lost, room.AS_OF, None)
    return replay.world(KEYS, "D", room.policy({"lead_time_days": 2.0} | policy), None, products, None, rules)


def origin(after, forecast=None, known=None):
    after = np.array([after], dtype=float)
    h = after.shape[1]
    mean = np.full((1, h), 4.0) if forecast is None else np.array([forecast], dtype=float)
    upper = np.stack([np.ceil(np.cumsum(mean, 1) + k * np.sqrt(np.cumsum(mean, 1))) for k in (1.28, 1.64, 2.33)])
    known = np.full((1, 30), 4.0) if known is None else known
    return replay.Origin(
        date(2026, 1, 31), np.array([0]), known, after, {"cbec": mean, "naive": mean}, "cbec", upper, np.ones(1)
    )


def test_a_walk_by_hand():
    # Textbook level without spread: 3 days x 4. Start 4 on hand, 4 due on day 2; orders arrive two days later.
    played = replay.play(
        world(), origin([4, 4, 6, 2, 4]), replay._textbook(np.arange(4.0, 21, 4)[None], np.zeros(1), np.zeros(1))
    )
    assert played.left[0].tolist()[2:] == [0, 2, 2] and np.isnan(played.left[0, :2]).all()
    assert played.short[0].tolist()[2:] == [2, 0, 0]


def test_units_balance_and_waiting_demand_is_served_later():
    for lost in (True, False):
        box = origin([4, 9, 9, 0, 0, 1, 4, 4])
        played = replay.play(world(lost), box, replay._distribution(world(lost), box, np.array([0.9])))
        assert (played.left[0, 2:] >= 0).all() and (played.short[0, 2:] >= 0).all()
    costs = replay.by_method(world(), origin([4] * 8))
    assert set(costs) == {"cbec", "naive"} and (costs["cbec"] >= 0).all()


def test_unknown_periods_cost_nothing():
    played = replay.play(
        world(), origin([4, 4, np.nan, 4]), replay._textbook(np.arange(4.0, 17, 4)[None], np.zeros(1), np.zeros(1))
    )
    assert np.isnan(played.left[0, 2]) and played.left[0, 3] == 0


def test_the_factor_of_an_origin_knows_only_what_came_before():
    box = world()
    calm, rush = origin([4] * 10), origin([4] * 10, known=np.full((1, 34), 4.0))
    rush = replace(rush, day=date(2026, 2, 4))
    first, best = replay.record(box, [calm, rush])
    wild = replace(calm, after=np.array([[4.0] * 4 + [40.0] * 6]))  # after the second origin: unknown there
    second, _ = replay.record(box, [wild, rush])

    def chosen(frame):
        return frame.filter(pl.col("origin") == "2026-02-04", pl.col("verdict").str.starts_with("chosen"))[
            "ratio_factor"
        ].to_list()

    assert chosen(first) == chosen(second) and len(chosen(first)) == 1
    assert best in replay.FACTORS
    assert first.filter(origin="2026-01-31", verdict="chosen")["ratio_factor"].to_list() == [
        1.0
    ]  # nothing is known yet


def test_no_cost_no_record():
    rules = replay.Rules(0.9, 1.0, 0.1, 0.5, True, room.AS_OF, None)
    blank = replay.world(KEYS, "D", room.policy(), None, None, None, rules)
    frame, best = replay.record(blank, [origin([4] * 8)])
    assert best is None and frame.is_empty()
    assert np.isnan(replay.by_method(blank, origin([4] * 8))["cbec"]).all()


def test_higher_levels_leave_fewer_short():
    rng = np.random.default_rng(3)
    box = origin(rng.poisson(4, 60).tolist())
    short = [
        np.nansum(replay.play(world(), box, replay._distribution(world(), box, np.array([p]))).short)
        for p in (0.5, 0.8, 0.99)
    ]
    assert short == sorted(short, reverse=True)
    assert short[0] > short[2]


def test_orders_of_lost_sales_are_those_of_what_the_review_lacks():
    # An empty shelf for two days of lead time: what they ask for is lost, the order of the first day serves the third alone.
    box = world(lost=True)
    bare = replace(origin([4] * 5, known=np.zeros((1, 30))), rows=np.array([0]))
    level = np.array([0.8])
    need = replay._distribution(box, bare, level)
    draws = lostsales.Replayed(0.8).of(need.mean, need.var, np.ones(1))
    played = replay.play(box, bare, need, draws)
    first = np.sort(draws[2, 0])[47]  # the 48th of 60 draws of the third day holds 80 %
    assert played.left[0, 2] + (4 - played.short[0, 2]) == first and 4 <= first <= 8
    with_position = replay.play(box, bare, need)
    assert with_position.left[0, 2] > played.left[0, 2] + 4  # that rule orders two lost days again


def test_a_large_catalogue_of_lost_sales_is_drawn_in_blocks(monkeypatch):
    keys = pl.DataFrame({"sku": [f"S{i}" for i in range(7)]})
    products = room.table(
        "products", [{"sku": s, "unit_cost": 5.0, "price": 9.0, "currency": "EUR"} for s in keys["sku"]]
    )
    rules = replay.Rules(0.95, 7.0, 0.25, 0.5, True, date(2026, 1, 31), None)
    box = replay.world(keys, "D", room.policy({"lead_time_days": 2.0}), None, products, None, rules)
    one = origin([4.0] * 8)
    many = replace(
        one,
        rows=np.arange(7),
        known=np.repeat(one.known, 7, 0),
        after=np.repeat(one.after, 7, 0),
        forecasts={name: np.repeat(mean, 7, 0) for name, mean in one.forecasts.items()},
        cumulative=np.repeat(one.cumulative, 7, 1),
        lot=np.ones(7),
    )
    whole = replay.by_method(box, many)
    monkeypatch.setattr(replay, "BLOCK", 3 * lostsales.DRAWS)
    record, costs = replay.record(box, [many])[0], replay.by_method(box, many)
    alone = [replay.record(box, [part])[0]["cost"] for part in replay._parts(many, lostsales.DRAWS)]
    assert len(alone) == 3 and record["cost"].to_list() == pytest.approx(sum(alone).to_list())
    for name, cost in whole.items():
        assert costs[name].shape == cost.shape and np.isfinite(costs[name]).all()
    np.testing.assert_array_equal(costs["naive"], whole["naive"])


def test_high_levels_of_lost_sales_are_told_apart():
    # A unit short costs a hundred times what holding it for a review does: the level of 99 % needs more draws than one of 80 %.
    rng = np.random.default_rng(4)
    box = world(lost=True, holding_rate=0.365, shortage_cost=3.65, target="cost_carry_over")
    many = origin(rng.poisson(4, 40).tolist())
    frame, _ = replay.record(box, [many])
    every = frame.filter(origin="all").sort("ratio_factor")
    assert every["service_level"].is_sorted() and every["service_level"].max() > 0.99
    assert every["holding"].n_unique() >= 5
    assert lostsales.Replayed(0.8).count == lostsales.REPLAYED and lostsales.Replayed(0.999).count == lostsales.DRAWS


def test_one_factor_moves_items_of_every_margin_alike():
    terms = room.policy({"target": "cost_carry_over"})
    keys = pl.DataFrame({"sku": ["A", "B"]})
    products = room.table(
        "products",
        [{"sku": s, "unit_cost": 10.0, "price": p, "currency": "EUR"} for s, p in (("A", 10.1), ("B", 20.0))],
    )
    box = replay.world(
        keys, "D", terms, None, products, None, replay.Rules(0.95, 1.0, 36.5, 0.5, False, room.AS_OF, None)
    )
    odds = []
    for factor in (1.0, 2.0):
        level = replay._levels(box, replace(origin([4.0] * 8), rows=np.arange(2)), factor)
        odds.append(level / (1 - level))
    assert odds[1] / odds[0] == pytest.approx([2.0, 2.0])
