"""`forecast replenish` as a whole: rows, reasons, money, findings, and what must always hold."""

from __future__ import annotations

import re
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support import stockroom as room
from support.answered import replenish

from cbec import tables
from cbec.core import check, reasons
from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import Headline
from cbec.forecast import Replenish

COSTED = {"unit_cost": 8.0, "currency": "EUR"}


def run(forecast, *, inventory=None, policies=None, coverage=None, s=None, **more):
    return replenish(
        forecast,
        room.stock() if inventory is None else inventory,
        room.policy() if policies is None else policies,
        coverage=room.serves() if coverage is None else coverage,
        s=s or Replenish(),
        **more,
    )


def row(result, **key):
    rows = result.tables["replenishment"].filter(**key) if key else result.tables["replenishment"]
    assert rows.height == 1
    return rows.row(0, named=True)


def rules(result):
    return {f.rule: f for f in result.findings}


def test_one_item_from_end_to_end():
    inventory = room.stock({"on_hand": 12.0} | COSTED)
    result = run(room.forecast(room.poisson(5, 20)), inventory=inventory, policies=room.policy({"pack_size": 10.0}))
    found = row(result)
    assert found["order_up_to"] == 33  # Poisson 25
    assert found["reorder_point"] == 28  # Poisson 20
    assert found["order_qty"] == 30  # 21 in packs of 10
    assert found["order_date"] == date(2026, 6, 28) and found["arrival_date"] == date(2026, 7, 2)
    assert found["stockout_date"] == date(2026, 7, 1)  # 15 units by day 3
    assert found["p_stockout"] == pytest.approx(0.961, abs=0.01)  # P(Poisson 20 > 12)
    assert found["safety_stock"] == pytest.approx(8)
    assert found["currency"] == "EUR"
    assert found["reason_code"] == "order_late"


def test_results_keep_their_contracts():
    parts = [room.poisson(r, 20, sku=sku) for sku, r in (("A", 5), ("B", 0.05), ("C", 40))]
    result = run(room.forecast(*parts), coverage=room.serves(W2=0.3, W1=0.7), inventory=room.stock(COSTED))
    for name in ("replenishment", "projection"):
        frame = result.tables[name]
        frame = reasons.render(frame) if name == "replenishment" else frame
        done = check.conform(tables.get(name), frame)
        assert done.height == frame.height > 0


def test_projection_starts_tomorrow_and_follows_the_stock():
    inbound = room.table("inbound", [{"sku": "A", "warehouse": "W1", "qty": 6.0, "arrival_date": date(2026, 6, 30)}])
    result = run(
        room.forecast(room.poisson(5, 20)),
        inventory=room.stock({"on_hand": 12.0}),
        inbound=inbound,
        s=Replenish(projection_days=6),
    )
    path = result.tables["projection"]
    assert path["date"].to_list() == [date(2026, 6, 29) + timedelta(days=d) for d in range(6)]
    order = row(result)["order_qty"]
    assert order == 33 - 18
    assert path["arrivals"].to_list() == [0, 6, 0, order, 0, 0]
    assert path["stock_without_order"].round(6).to_list() == [7, 8, 3, 0, 0, 0]
    # On day 4 the order arrives before its demand: 3 + 15 - 5.
    assert path["stock_mean"].round(6).to_list() == [7, 8, 3, 13, 8, 3]
    assert (path["stock_low"] <= path["stock_mean"]).all()
    assert path["p_stockout"].is_between(0, 1).all()


def test_projection_ends_with_the_forecast_and_reaches_the_next_arrival():
    result = run(room.forecast(room.poisson(5, 8)), s=Replenish(projection_days=90))
    assert result.tables["projection"].height == 8
    result = run(room.forecast(room.poisson(5, 20)), s=Replenish(projection_days=0))
    assert result.tables["projection"].height == 5


@pytest.mark.parametrize("order", [0.0, 13.0, 40.0])
def test_expected_cost_agrees_with_simulated_days(order):
    from cbec.methods import protection, unitcost
    from cbec.methods import terms as policy
    from cbec.methods.forecast import ordercost, orders

    forecast, inventory = room.forecast(room.poisson(5, 30)), room.stock({"on_hand": 22.0} | COSTED)
    policies = room.policy({"lead_time_days": 6.0, "review_days": 6.0, "shortage_cost": 3.0, "order_cost": 7.0})
    clock = protection.clock(forecast, None)
    linked = protection.link(forecast, room.serves(), clock)
    terms = policy.choose(linked.items, policies, None, service_level=0.95, review_days=7, holding_rate=0.25)
    demand = protection.demand(linked, clock, terms.protection, terms.service, 0.0, ~np.isnan(terms.fill))
    held = policy.stock(linked.items, inventory, None, clock)
    prices = unitcost.prices(linked.items, inventory, None, None, terms, today=clock.today, home=None, markup=0.5)
    costing = ordercost.Costing(demand, terms, held, orders.plan(demand, terms, held), prices)
    found = costing.of(np.array([order]))

    rng = np.random.default_rng(1)
    stock, short, days, waits = np.full(40000, 22.0), np.zeros(40000), np.zeros(40000), []
    for day in range(12):
        stock += order * (day == 6)
        asked = rng.poisson(5, 40000)
        short += np.maximum(asked - np.maximum(stock, 0), 0)
        days += np.maximum(stock - asked / 2, 0)
        stock -= asked  # demand waits
        if day in (5, 11):  # the evenings before the order arrives, and the next one could
            waits.append(np.maximum(-stock, 0).mean())
    assert found.short[0] == pytest.approx(short.mean(), rel=0.03)
    assert found.holding[0] == pytest.approx(days.mean() * 8 * 0.25 / 365, rel=0.05)
    assert found.shortage[0] == pytest.approx(3 * sum(waits), rel=0.03)
    assert found.cost[0] == pytest.approx(found.holding[0] + found.shortage[0] + 7 * (order > 0))


def test_money_compares_with_the_seller_formula_and_with_no_order():
    forecast = room.forecast(room.poisson(5, 20, seller_formula=2.0))
    result = run(forecast, inventory=room.stock({"on_hand": 12.0} | COSTED))
    assert isinstance(result.money, Headline)
    assert result.money.currency == "EUR"
    found = row(result)
    assert found["runner_up"] == "no_order"  # 2 a day x 5 days = 10 < 12: the formula orders nothing either
    assert found["cost"] == pytest.approx(result.money.proposed)
    assert result.money.today == pytest.approx(found["runner_up_cost"])
    assert result.money.low < result.money.difference < result.money.high
    assert result.money.difference < 0
    assert any("shortage cost unknown for 1 item " in n for n in result.notes)


def test_a_shortage_costs_the_margin_where_prices_are_known():
    products = room.table("products", [{"sku": "A", "unit_cost": 8.0, "price": 20.0, "currency": "EUR"}])
    forecast = room.forecast(room.poisson(5, 20))
    margin = row(run(forecast, products=products))
    told = row(run(forecast, products=products, policies=room.policy({"shortage_cost": 12.0})))
    assert margin["cost"] == pytest.approx(told["cost"])


def test_orders_cut_by_a_budget_are_not_dearer_for_the_sake_of_the_service_level():
    products = room.table("products", [{"sku": "A", "unit_cost": 8.0, "price": 20.0, "currency": "EUR"}])
    result = run(room.forecast(room.poisson(5, 20)), products=products, s=Replenish(budget=80.0))
    (note,) = (n for n in result.notes if "more than the seller formula's" in n)
    assert "1 order is cut by budget and containers" in note and "service level" not in note
    assert "no budget" in result.money.basis


def test_an_order_that_costs_more_than_it_saves_says_so():
    forecast = room.forecast(room.poisson(5, 20))
    result = run(
        forecast,
        inventory=room.stock({"on_hand": 33.0} | COSTED),
        policies=room.policy({"order_cost": 500.0, "service_level": 0.99}),
    )
    assert row(result)["reason_code"] == "order_now_dearer"
    assert row(result)["cost"] > row(result)["runner_up_cost"]
    assert any("more than the seller formula's" in n for n in result.notes)
    assert "the price of the service level" in reasons.render(result.tables["replenishment"])["reason"][0]


def test_costs_in_other_currencies_are_converted_or_refused():
    forecast = room.forecast(room.poisson(5, 20), room.poisson(5, 20, sku="B"))
    inventory = room.stock(COSTED, {"sku": "B", "unit_cost": 64.0, "currency": "CNY"})
    with pytest.raises(UsageFault, match="CNY, EUR"):
        run(forecast, inventory=inventory)
    rates = room.table("rates", [{"date": date(2026, 6, 26), "base": "EUR", "quote": "CNY", "rate": 8}])
    result = run(forecast, inventory=inventory, rates=rates, s=Replenish(home_currency="EUR"))
    costs = result.tables["replenishment"]["cost"]
    assert costs[0] == pytest.approx(costs[1])


def test_unknown_costs_stay_unknown():
    result = run(room.forecast(room.poisson(5, 20)))
    assert row(result)["cost"] is None and row(result)["runner_up"] is None
    assert isinstance(result.money, str) and "unit_cost" in result.money
    assert row(result)["order_qty"] == 33


def test_findings_tell_what_to_act_on():
    forecast = room.forecast(
        room.poisson(5, 20),
        room.poisson(0.01, 20, sku="slow"),
        room.poisson(1, 20, sku="owed"),
        room.poisson(1, 20, sku="unlisted"),
    )
    inventory = room.stock(
        {"on_hand": 2.0} | COSTED,
        {"sku": "slow", "on_hand": -1.0} | COSTED,
        {"sku": "owed", "on_hand": -4.0},
        {"sku": "nobody asks", "on_hand": 9.0},
    )
    inbound = room.table(
        "inbound",
        [
            {"sku": "A", "warehouse": "W1", "qty": 3.0, "arrival_date": date(2026, 6, 1)},
            {"sku": "owed", "warehouse": "W1", "qty": 3.0, "arrival_date": date(2026, 8, 1)},
        ],
    )
    result = run(forecast, inventory=inventory, inbound=inbound, policies=room.policy({"moq": 50.0}))
    found = rules(result)
    empty = {f.entity: f for f in result.findings if f.rule == "stockout_before_arrival"}
    assert set(empty) == {"A@W1", "owed@W1", "unlisted@W1", "slow@W1"}
    assert empty["A@W1"].severity == "high"
    assert empty["A@W1"].money == pytest.approx(15 * 4, rel=0.05)  # 20 asked for, 5 there, 4 each
    assert empty["unlisted@W1"].money is None
    assert found["overdue_inbound"].entity == "A@W1"
    assert found["late_inbound"].entity == "owed@W1"
    assert found["moq_over_a_year"].entity == "slow@W1"
    assert {f.entity for f in result.findings if f.rule == "negative_stock"} == {"slow@W1", "owed@W1"}
    assert "nobody asks" in found["no_forecast"].message
    assert "unlisted" in found["no_stock_row"].message
    assert len({f.finding_id for f in result.findings}) == len(result.findings)


def every_case():
    """A result that holds every reason code."""
    forecast = room.forecast(
        room.poisson(5, 40, sku="enough"),
        room.poisson(5, 40, sku="late"),
        room.poisson(5, 40, sku="late dear", seller_formula=0.0),
        room.poisson(0.2, 40, sku="moq"),
        room.poisson(5, 40, sku="now"),
        room.poisson(5, 40, sku="over"),
        room.poisson(0.001, 40, sku="slow"),
        room.poisson(5, 40, sku="waits"),
        room.series([room.stats.poisson(0)] * 40, sku="none"),
    )
    held = {
        "enough": 40,
        "late": 2,
        "late dear": 14,
        "moq": 2,
        "now": 20.5,
        "over": 900,
        "slow": 0,
        "waits": 3,
        "none": 4,
    }
    inventory = room.stock(*({"sku": sku, "on_hand": float(units)} | COSTED for sku, units in held.items()))
    inbound = room.table(
        "inbound", [{"sku": "waits", "warehouse": "W1", "qty": 90.0, "arrival_date": date(2026, 7, 2)}]
    )
    policies = room.policy(
        {}, {"sku": "moq", "moq": 30.0, "order_cost": 9.0}, {"sku": "late dear", "order_cost": 900.0}
    )
    return run(forecast, inventory=inventory, inbound=inbound, policies=policies)


def test_each_situation_has_its_reason():
    result = every_case()
    codes = dict(result.tables["replenishment"].select("sku", "reason_code").iter_rows())
    assert codes == {
        "enough": "enough_stock",
        "late": "order_late",
        "late dear": "order_late_dearer",
        "moq": "order_moq_dearer",
        "none": "no_demand",
        "now": "order_now",
        "over": "overstock",
        "slow": "slow_mover",
        "waits": "stockout_before_inbound",
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_reasons_are_whole_sentences(language):
    told = reasons.render(every_case().tables["replenishment"], language)["reason"].to_list()
    for sentence in told:
        assert re.search(r"[.。]$", sentence) and "{" not in sentence and "None" not in sentence
        assert not re.search(r"\s{2}| [,.;:)]|\(\s", sentence), sentence  # no hole where a cell was empty


def test_a_short_forecast_is_refused_with_the_horizon_to_ask_for():
    with pytest.raises(InputRejected, match="needs 30 days") as caught:
        run(room.forecast(room.poisson(5, 20)), policies=room.policy({"lead_time_days": 29.0}))
    assert "--horizon 30" in (caught.value.hint or "")


def test_a_forecast_of_markets_is_no_plan_of_stock():
    with pytest.raises(InputRejected, match="not by SKU") as told:
        run(room.forecast(room.poisson(2, 20, sku="*")))
    assert "--by sku,market" in told.value.hint


def test_no_coverage_is_refused_even_with_one_warehouse():
    with pytest.raises(InputRejected, match="which warehouse"):
        replenish(room.forecast(room.poisson(5, 20)), room.stock(), room.policy(), s=Replenish())


ITEM = st.fixed_dictionaries(
    {
        "rate": st.floats(0, 40, allow_subnormal=False),
        "on_hand": st.integers(-5, 300),
        "pack": st.sampled_from([1.0, 5.0, 12.0]),
        "moq": st.sampled_from([0.0, 7.0, 50.0]),
        "sd": st.sampled_from([0.0, 1.5]),
    }
)


def cases(items):
    """Tables of several items, numbered."""
    forecast = room.forecast(*(room.poisson(it["rate"], 12, sku=f"{i:02}") for i, it in enumerate(items)))
    inventory = room.stock(
        *({"sku": f"{i:02}", "on_hand": float(it["on_hand"])} | COSTED for i, it in enumerate(items))
    )
    policies = room.policy(
        *(
            {"sku": f"{i:02}", "pack_size": it["pack"], "moq": it["moq"], "lead_time_sd_days": it["sd"]}
            for i, it in enumerate(items)
        )
    )
    return {"forecast": forecast, "inventory": inventory, "policies": policies}


@given(st.lists(ITEM, min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_what_always_holds(items, random):
    tables_ = cases(items)
    result = run(**tables_)
    rows, path = result.tables["replenishment"], result.tables["projection"]
    order = rows["order_qty"].to_numpy()
    pack, moq = (np.array([it[k] for it in items]) for k in ("pack", "moq"))
    assert np.allclose(order / pack, np.round(order / pack))
    assert ((order == 0) | (order >= moq)).all()
    assert ((order == 0) == (rows["position"] >= rows["order_up_to"]).to_numpy()).all()
    assert (rows["position"].to_numpy() + order >= rows["order_up_to"].to_numpy()).all()
    assert (rows["reorder_point"] <= rows["order_up_to"]).all()

    # More stock never orders more, and a higher service level never lowers a level.
    richer = tables_["inventory"].with_columns(pl.col("on_hand") + 9)
    assert (run(**tables_ | {"inventory": richer}).tables["replenishment"]["order_qty"] <= rows["order_qty"]).all()
    safer = run(**tables_, s=Replenish(service_level=0.99)).tables["replenishment"]
    assert (safer["order_up_to"] >= rows["order_up_to"]).all()

    # No stock comes from nowhere: what is there at the end came in or was there.
    last = path.group_by("sku", maintain_order=True).agg(
        pl.col("stock_mean").last(), pl.col("arrivals", "demand_mean").sum()
    )
    begin = tables_["inventory"].sort("sku")["on_hand"]
    assert (last["stock_mean"] <= np.maximum(begin, 0) + last["arrivals"] + 1e-6).all()
    assert (last["stock_mean"] >= begin + last["arrivals"] - last["demand_mean"] - 1e-6).all()

    # The order of rows in the files does not matter.
    shuffled = {name: frame[random.sample(range(frame.height), frame.height)] for name, frame in tables_.items()}
    again = run(**shuffled)
    for name, frame in result.tables.items():
        assert_frame_equal(again.tables[name], frame, check_exact=True)
    assert again.findings == result.findings


def test_orders_on_forecasts_that_leaned_are_told():
    forecast = room.forecast(room.poisson(5, 20, flags="promo|ran_high"), room.poisson(5, 20, sku="B"))
    result = run(forecast, inventory=room.stock({"on_hand": 2.0} | COSTED, {"sku": "B", "on_hand": 2.0} | COSTED))
    told = [note for note in result.notes if "ran much too high" in note]
    worth = row(result, sku="A")["order_qty"] * 8
    assert len(told) == 1 and f"1 item to be ordered (worth {worth:,.0f} EUR)" in told[0]
