"""What a stock brings under a path of discounts: by hand, by simulation, and the best path."""

from __future__ import annotations

import itertools
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import stockroom as room

from cbec.methods import protection
from cbec.methods.forecast import markdown as md

GRID = np.arange(15) * 0.05


def goods(n=1, **more):
    blank = {
        "stock": 400.0, "excess": 300.0, "price": 20.0, "effort": 0.0, "unit_cost": 8.0, "disposal": 0.0, "capital": 0.0,
        "elasticity": -2.0, "sd": 0.0, "deepest": 0.7,
    } | more  # fmt: skip
    storage = np.broadcast_to(blank.pop("storage", 0.0), (n, 6)).astype(float)
    return md.Goods(**{k: np.broadcast_to(v, n).astype(float) for k, v in blank.items()}, storage=storage)


def view(rate=1.0, n=1, edges=(0, 30, 90, 180), ratio=1.0):
    points = np.sort(np.concatenate([edges, (np.array(edges[1:]) + np.array(edges[:-1])) / 2]))
    mean = np.broadcast_to(np.diff(points) * rate, (n, len(points) - 1))
    return md.Outlook(np.array(edges, float), points, mean, ratio * mean)


def worth(g, v, *path, borrowed=0.0, stock=None):
    return md.worth(
        g,
        v,
        np.arange(len(g.stock)),
        np.array([path], float),
        borrowed,
        None if stock is None else np.array([stock], float),
    )


def test_by_hand_where_stock_never_ends():
    # 180 units are asked for, 400 are there: sales are the demand, the rest is destroyed.
    found = worth(goods(disposal=0.5), view(), 0, 0, 0)
    assert found.sold[0] == pytest.approx(180, abs=1e-6)
    assert found.income[0] == pytest.approx(180 * 20)
    assert found.storage[0] == pytest.approx(220 * 0.5)
    assert found.left[0].tolist() == pytest.approx([400, 385, 370, 340, 310, 265, 220])
    # Half price from the second stage on: four times the demand.
    found = worth(goods(stock=1000.0), view(), 0, 0.5, 0.5)
    assert found.sold[0] == pytest.approx(30 + 4 * 150, abs=1e-3)
    assert found.income[0] == pytest.approx(30 * 20 + 600 * 10, rel=1e-6)


def test_what_comes_after_the_stock_is_gone_is_served_by_new_goods_at_their_margin():
    # 18 units for a demand of 180: the other 162 earn price - cost = 12 each.
    found = worth(goods(stock=18.0), view(), 0, 0, 0)
    assert found.income[0] == pytest.approx(18 * 20 + 162 * 12, rel=1e-6)
    # Goods that sell below their cost are not bought again.
    found = worth(goods(stock=18.0, price=6.0), view(), 0, 0, 0)
    assert found.income[0] == pytest.approx(18 * 6, rel=1e-6)


def test_capital_storage_and_effort():
    found = worth(goods(capital=0.21, effort=2.0, storage=0.3), view(), 0, 0, 0)
    days = np.array([7.5, 22.5, 45, 75, 112.5, 157.5])
    value = 1.21 ** (-days / 365)
    assert found.income[0] == pytest.approx(18 * (np.diff(view().points) * value).sum())
    stock = np.array([400, 385, 370, 340, 310, 265, 220])
    assert found.storage[0] == pytest.approx((0.3 * (stock[1:] + stock[:-1]) / 2 * value).sum())


def test_it_agrees_with_simulated_sales():
    g = goods(stock=120.0, disposal=1.0, elasticity=-2.5, sd=0.6, storage=0.1)
    path = (0.3, 0.2, 0.0)
    found = worth(g, view(), *path, borrowed=0.2)
    rng = np.random.default_rng(3)
    n = 60000
    e = -2.5 + 0.6 * rng.standard_normal(n)
    length = np.diff(view().points)
    stock, income, kept = np.full(n, 120.0), np.zeros(n), np.zeros(n)
    for i, days in enumerate(length):
        d = path[i // 2]
        u = 1 + 0.8 * ((1 - d) ** np.minimum(e, 0) - 1)
        asked = rng.poisson(days * u)
        sold = np.minimum(stock, asked)
        after = (days - sold / u) * 12
        kept += 0.1 * (stock + stock - sold) / 2
        stock = stock - sold
        income += sold * 20 * (1 - d) + after
    assert found.sold[0] == pytest.approx(120 - stock.mean(), rel=0.01)
    assert found.income[0] == pytest.approx(income.mean(), rel=0.01)
    assert found.storage[0] == pytest.approx((kept + stock).mean(), rel=0.03)
    gone = md.chance_sold(g, view(), np.array([path]), 0.2, np.array([120.0]), np.array([[180.0]]))
    assert gone[0, 0] == pytest.approx((stock <= 0).mean(), abs=0.02)


def test_uplift():
    assert md.uplift(-2.0, 0.5, np.array([0.0, 0.5]), 0.0).tolist() == pytest.approx([1, 4])
    assert md.uplift(-2.0, 0.5, 0.5, 0.4) == pytest.approx(1 + 0.6 * 3)
    assert md.uplift(1.0, 0.5, 0.5, 0.0) == 1  # nobody buys less for a lower price
    # Beyond what the data have seen the curve goes on without a corner, and below the constant elasticity.
    beyond = md.uplift(-3.0, 0.2, GRID, 0.0)
    assert (beyond <= (1 - GRID) ** -3.0 + 1e-9).all() and (np.diff(beyond) > 0).all()
    step = 1e-6
    slopes = [(md.uplift(-3.0, 0.2, 0.2 + s, 0.0) - md.uplift(-3.0, 0.2, 0.2, 0.0)) / s for s in (-step, step)]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-4)


def test_stages_grow_and_end_on_the_sell_by_day():
    assert md.stages(365, 14).tolist() == [0, 14, 42, 70, 112, 154, 210, 266, 322, 365]
    assert md.stages(14, 14).tolist() == [0, 14]
    assert md.stages(44, 14).tolist() == [0, 14, 44]
    for days, step in itertools.product((20, 100, 365, 1825), (1, 7, 30, 365)):
        edges = md.stages(days, step)
        assert edges[-1] == days and (np.diff(edges) > 0).all()


def test_past_the_forecast_its_mean_rate_goes_on_and_its_doubt_with_the_square_of_time():
    forecast = room.forecast(room.normal(10, 20, 14))
    clock = protection.clock(forecast, None)
    linked = protection.link(forecast, room.serves(), clock)
    demand = protection.demand(linked, clock, np.array([14.0]), np.array([0.95]), 0.0)
    mean, var = md.ahead(demand, np.array([[7.0, 14.0, 28.0, 140.0]]))
    assert mean[0].tolist() == pytest.approx([70, 140, 280, 1400], rel=1e-6)
    over = var[0, 1] - mean[0, 1]
    assert over > 0
    assert var[0, 2] == pytest.approx(280 + 4 * over) and var[0, 3] == pytest.approx(1400 + 100 * over)
    assert clock.day(14) == room.AS_OF + timedelta(days=14)


def best_of_all(g, v, grid, borrowed):
    """Every path, one by one."""
    k = len(v.edges) - 1
    paths = np.array(list(itertools.product(grid, repeat=k)))
    rows = np.zeros(len(paths), dtype=np.intp)
    needed = md.worth(g, v, rows[:1], np.zeros((1, k)), borrowed, (g.stock - g.excess)[:1]).value
    gain = md.gain_of(g, v, rows, paths, borrowed, np.repeat(needed, len(paths)))
    gain = gain - md.DEAR * g.excess[0] * g.unit_cost[0] * paths.mean(1)
    return gain.max(), gain, paths


@pytest.mark.parametrize("elasticity", [-1.2, -2.0, -3.0])
@pytest.mark.parametrize("storage", [0.0, 0.5])
@pytest.mark.parametrize("stock", [150.0, 400.0, 2000.0])
def test_the_path_found_is_nearly_the_best_of_all_paths(elasticity, storage, stock):
    g = goods(stock=stock, excess=stock - 60, elasticity=elasticity, sd=0.3, storage=storage, capital=0.2)
    grid = np.arange(8) * 0.1
    found = md.best_path(g, view(), grid, 0.2)
    best, gain, paths = best_of_all(g, view(), grid, 0.2)
    at = int(np.abs(paths - found).sum(1).argmin())
    assert np.allclose(paths[at], found)
    regular = gain[0]
    assert gain[at] >= regular - 1e-9
    assert gain[at] - regular >= 0.95 * (best - regular) - 1e-6


def test_discounts_end_with_the_excess():
    # By this elasticity every discount up to a third pays, excess or not: that alone is no reason to go on.
    path = md.best_path(goods(stock=120.0, excess=60.0, elasticity=-4.0, capital=0.25, storage=0.3), view(), GRID, 0.0)
    assert path[0, 0] > 0 and path[0, -1] == 0
    alone = md.worth(
        goods(elasticity=-4.0), view(), np.array([0]), np.array([[0.2, 0.2, 0.2]]), 0.0, np.array([60.0])
    ).value
    needed = md.worth(goods(elasticity=-4.0), view(), np.array([0]), np.zeros((1, 3)), 0.0, np.array([60.0])).value
    assert alone > needed
    nothing_more = goods(stock=60.0, excess=0.0, elasticity=-4.0)
    assert md.gain_of(nothing_more, view(), np.array([0]), np.array([[0.2, 0.2, 0.2]]), 0.0, needed) == pytest.approx(
        needed
    )


ITEM = st.fixed_dictionaries(
    {
        "stock": st.floats(2, 3000),
        "share": st.floats(0.1, 1),
        "price": st.floats(1, 100),
        "unit_cost": st.floats(0.5, 80),
        "elasticity": st.floats(-5, 0.5),
        "sd": st.floats(0, 1.5),
        "capital": st.floats(0, 0.5),
        "storage": st.floats(0, 2),
        "disposal": st.floats(0, 3),
        "rate": st.floats(0.01, 30),
    }
)


@given(st.lists(ITEM, min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_what_always_holds(items):
    n = len(items)
    columns = {k: np.array([it[k] for it in items]) for k in items[0]}
    g = md.Goods(
        columns["stock"], columns["stock"] * columns["share"], columns["price"], np.zeros(n), columns["unit_cost"],
        np.repeat(columns["storage"][:, None], 6, 1), columns["disposal"], columns["capital"], columns["elasticity"],
        columns["sd"], np.full(n, 0.3),
    )  # fmt: skip
    base = view(n=n)
    v = md.Outlook(
        base.edges, base.points, base.mean * columns["rate"][:, None], 1.5 * base.mean * columns["rate"][:, None]
    )
    path = md.best_path(g, v, GRID, 0.33)
    every, regular = np.arange(n), np.zeros((n, 3))
    found, keep = md.worth(g, v, every, path, 0.33), md.worth(g, v, every, regular, 0.33)
    assert (np.isin(np.round(path / 0.05, 6), np.arange(15))).all()
    # A path is taken only for a gain.
    needed = md.worth(g, v, every, regular, 0.33, g.stock - g.excess).value
    gain = md.gain_of(g, v, every, path, 0.33, needed)
    assert (gain >= keep.value - 1e-6 * (1 + np.abs(keep.value))).all()
    # Units come from the stock, and go down only.
    for w in (found, keep):
        assert (w.sold <= g.stock + 1e-6).all() and (w.sold >= -1e-9).all()
        assert (np.diff(w.left, axis=1) <= 1e-9).all() and (w.left >= 0).all()
        assert w.left[:, 0] == pytest.approx(g.stock)
    # A lower price never sells less.
    cheaper = md.worth(g, v, every, np.minimum(path + 0.05, 0.7), 0.33)
    assert (cheaper.sold >= found.sold - 1e-6 * g.stock).all()
    # The same for one item alone as among others.
    alone = md.best_path(md.part(g, np.array([0])), md.part_of(v, np.array([0])), GRID, 0.33)
    assert np.array_equal(alone[0], path[0])
    chance = md.chance_sold(g, v, path, 0.33, g.stock, np.tile([0.0, 60.0, 180.0], (n, 1)))
    assert (np.diff(chance, axis=1) >= -1e-9).all() and ((chance >= 0) & (chance <= 1)).all()


def test_how_sure_a_difference_is():
    cut, regular = np.array([[0.3, 0.3, 0.3]]), np.zeros((1, 3))
    stock = (np.array([400.0]), np.array([400.0]))
    certain = md.spread_of_difference(goods(), view(ratio=1e-9), cut, regular, 0.0, stock)
    assert certain[0] == pytest.approx(0, abs=1.0) and certain[1] == pytest.approx(0, abs=1e-6)
    stock = (np.array([4000.0]), np.array([4000.0]))
    doubt = md.spread_of_difference(goods(sd=0.2), view(ratio=1e-9), cut, regular, 0.0, stock)
    # d value / d e at e = -2: units 180 x 0.7^-2 x ln 0.7 x 14 each, times 0.2.
    assert doubt[1][0] == pytest.approx(0.2 * 180 * 0.7**-2 * np.log(1 / 0.7) * 14, rel=0.1)
    wide = md.spread_of_difference(goods(), view(ratio=40.0), cut, regular, 0.0, stock)
    assert wide[0][0] > 100
