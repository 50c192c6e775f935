"""What is more than needed: position, dead stock, silences, prices, storage per day."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from scipy import stats
from support import pricing
from support import stockroom as room

from cbec.core.errors import UsageFault
from cbec.methods import protection, unitcost
from cbec.methods import terms as policy
from cbec.methods.forecast import excess, fees, markdown, pricecells, sellprice

FAR = {"level": 0.95, "silent_days": 90.0, "sell_by_days": 365, "correlation": 0.0}


def linked(*series, coverage=None):
    forecast = room.forecast(*(series or [room.poisson(2, 90)]))
    clock = protection.clock(forecast, None)
    return protection.link(forecast, room.serves() if coverage is None else coverage, clock), clock


def of(inventory, *series, inbound=None, cover=30.0, sales=None, **more):
    link, clock = linked(*series)
    held = policy.stock(link.items, inventory, inbound, clock)
    return excess.position(link, clock, held, np.full(link.items.height, cover), sales, **FAR | more)


def test_excess_is_position_over_the_quantile_of_cover():
    found = of(room.stock({"on_hand": 200.0, "reserved": 10.0}))
    need = stats.poisson(60).ppf(0.95)
    assert found.needed.tolist() == [pytest.approx(need, abs=1)]
    assert found.excess[0] == 190 - found.needed[0]
    assert found.mean[0] == pytest.approx(60)
    # What arrives within the horizon counts, later deliveries do not; excess is at most what is here.
    arrival = room.AS_OF + timedelta(days=10)
    inbound = room.table("inbound", [{"sku": "A", "warehouse": "W1", "qty": 500.0, "arrival_date": arrival}])
    more = of(room.stock({"on_hand": 50.0}), inbound=inbound)
    assert more.position[0] == 550 and more.excess[0] == 50
    later = inbound.with_columns(arrival_date=pl.lit(room.AS_OF + timedelta(days=60)))
    assert of(room.stock({"on_hand": 50.0}), inbound=later).excess[0] == 0


def test_less_than_a_unit_is_no_excess_and_debts_are_none():
    need = of(room.stock({"on_hand": 500.0})).needed[0]
    assert of(room.stock({"on_hand": need + 0.5})).excess[0] == 0
    owed = of(room.stock({"on_hand": -20.0}))
    assert owed.free[0] == 0 and owed.excess[0] == 0


def test_stock_without_demand_is_dead():
    none = room.series([stats.poisson(0)] * 40, sku="A")
    found = of(room.stock({"on_hand": 7.0}), none)
    assert found.dead.tolist() == [True] and found.silent.tolist() == [False]
    assert found.excess.tolist() == [7.0]
    assert of(room.stock({"on_hand": 0.0}), none).dead.tolist() == [False]


def sold(days, *, in_stock=True, market="DE"):
    return [
        {
            "date": room.AS_OF - timedelta(days=int(d)),
            "sku": "A",
            "market": market,
            "units": 1.0,
            "price": 5.0,
            "in_stock": True,
        }
        for d in days
    ] + (
        []
        if in_stock is True
        else [
            {
                "date": room.AS_OF - timedelta(days=int(in_stock)),
                "sku": "A",
                "market": market,
                "units": 0.0,
                "in_stock": False,
            }
        ]
    )


def silent(rows, **more):
    found = of(room.stock({"on_hand": 7.0}), sales=pricing.frame(rows), **more)
    return found.silent[0], found.last_sale[0]


def test_a_long_silence_of_what_sold_often_is_dead_whatever_the_forecast_says():
    often = sold(range(120, 400, 2))
    assert silent(often) == (True, -120)
    found = of(room.stock({"on_hand": 7.0}), sales=pricing.frame(often))
    assert found.dead[0] and found.excess[0] == 7 and found.demand.mean.max() == 0
    # Not long enough; or nothing to wonder at, since it sold every two months; or it was out of stock until lately.
    assert silent(sold(range(80, 400, 2)))[0] is np.False_
    assert silent(sold(range(120, 1000, 60)))[0] is np.False_
    assert silent(sold(range(120, 400, 2), in_stock=20))[0] is np.False_
    assert silent(often, silent_days=150.0)[0] is np.False_
    # One market that still sells is enough.
    both = [room.poisson(2, 90), room.poisson(2, 90, market="FR")]
    link, clock = linked(
        *both, coverage=room.table("coverage", [{"market": m, "warehouse": "W1"} for m in ("DE", "FR")])
    )
    quiet, last = excess.silence(link, clock, pricing.frame([*often, *sold(range(5, 400, 2), market="FR")]), 90.0)
    assert quiet.tolist() == [False] and last.tolist() == [-5]
    # A forecast of all markets together is held against the sales of all.
    alone, clock = linked(room.poisson(2, 90, market="*", warehouse="W1"))
    assert excess.silence(alone, clock, pricing.frame([*often, *sold(range(5, 400, 2), market="FR")]), 90.0)[
        0
    ].tolist() == [False]
    assert excess.silence(alone, clock, pricing.frame([*often, *sold(range(130, 400, 2), market="FR")]), 90.0)[
        0
    ].tolist() == [True]


def test_prices_by_market_then_product_then_sales():
    both = [
        room.poisson(3, 90),
        room.poisson(1, 90, market="FR"),
        room.poisson(1, 90, sku="B"),
        room.poisson(1, 90, sku="C"),
    ]
    link, clock = linked(
        *both, coverage=room.table("coverage", [{"market": m, "warehouse": "W1"} for m in ("DE", "FR")])
    )
    products = room.table(
        "products",
        [{"sku": s, "unit_cost": 4.0, "price": p, "currency": "EUR"} for s, p in (("A", 9.0), ("B", 7.0), ("C", None))],
    )
    terms = excess.terms(link.items, None, products, level=0.95, holding_rate=0.2)
    costs = unitcost.prices(link.items, room.stock(), products, None, terms, today=clock.today, home=None, markup=0.0)
    table = room.table(
        "prices",
        [
            {"sku": "A", "market": "DE", "price": 10.0},
            {"sku": "A", "market": "DE", "price": 12.0, "date": date(2026, 6, 1)},
            {"sku": "A", "market": "*", "price": 20.0, "currency": "EUR"},
        ],
    )
    cells = pricecells.prepare(pricing.sales({"C": -2.0}, price=15.0, cuts=5), None)
    price, source = sellprice.regular(link, costs, table, cells, None, clock.today)
    # Market DE has its own last price, FR that of all; the mean goes by expected demand, three to one.
    assert price.tolist() == pytest.approx([(3 * 12 + 20) / 4, 7.0, 15.0])
    assert source == ["prices", "products", "sales"]
    price, source = sellprice.regular(link, costs, None, None, None, clock.today)
    assert source == ["products", "products", "unknown"] and np.isnan(price[2])
    with pytest.raises(UsageFault, match="CNY"):
        sellprice.regular(link, costs, table.with_columns(currency=pl.lit("CNY")), None, None, clock.today)
    rates = room.table("rates", [{"date": room.AS_OF, "base": "EUR", "quote": "CNY", "rate": 8}])
    converted, _ = sellprice.regular(link, costs, table.with_columns(currency=pl.lit("CNY")), None, rates, clock.today)
    assert converted[0] == pytest.approx((3 * 12 + 20) / 4 / 8)


def test_storage_follows_the_days_of_each_half_stage(tmp_path):
    place = tmp_path / "fees.yaml"
    place.write_text(
        "title: T\ncurrency: CNY\nfees:\n"
        "  - {kind: storage, valid_from: 2026-01-01, valid_to: 2027-12-31, per_m3_month: 30.4375}\n"
        "  - {kind: aged, valid_from: 2026-01-01, valid_to: 2027-12-31, age_from: 181, per_m3_month: 30.4375}\n"
        "  - {kind: disposal, valid_from: 2026-01-01, valid_to: 2027-12-31, per_unit: 2}\n"
    )
    link, clock = linked()
    none = pl.DataFrame({"elasticity": [-1.0], "sd": [0.1], "deepest": [0.2], "basis": ["own"]})
    facts = excess.Facts(
        np.array([4.0]), np.array([9.0]), ["products"], np.array([0.5]), np.array([1.0]), np.array([170.0]), none
    )
    held = policy.stock(link.items, room.stock(), None, clock)
    where = excess.position(link, clock, held, np.array([30.0]), None, **FAR)
    view = markdown.outlook(where.demand, 45, 14)
    terms = excess.terms(
        link.items, None, pl.DataFrame({"sku": ["A"], "supplier_id": [None]}), level=0.95, holding_rate=0.2
    )
    cost, destroy = excess.storage(np.array([0]), link, facts, terms, fees.load(str(place)), 0.125, view, clock)
    assert view.points.tolist() == [0, 7, 14, 29.5, 45]
    # 0.5 m3 x 1 a day x 0.125; from the day on which it is 181 days old (the eleventh) twice as much.
    assert cost[0].tolist() == pytest.approx([x * 0.0625 for x in (7, 7 + 4, 2 * 15.5, 2 * 15.5)])
    assert destroy.tolist() == [0.25]
    rates = room.table("rates", [{"date": room.AS_OF, "base": "EUR", "quote": "CNY", "rate": 8}])
    assert excess.fee_rate(fees.load(str(place)), rates, "EUR", room.AS_OF) == pytest.approx(0.125)
    told = room.policy({"storage_cost_m3_day": 3.0})
    terms = excess.terms(
        link.items, told, pl.DataFrame({"sku": ["A"], "supplier_id": [None]}), level=0.95, holding_rate=0.2
    )
    cost, destroy = excess.storage(np.array([0]), link, facts, terms, None, 1.0, view, clock)
    assert cost[0].tolist() == pytest.approx([1.5 * x for x in (7, 7, 15.5, 15.5)]) and destroy.tolist() == [0.0]
