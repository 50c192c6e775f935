"""Terms, position, levels and packs."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import stats
from support import stockroom as room

from cbec.core.errors import InputRejected
from cbec.methods import protection
from cbec.methods import terms as policy
from cbec.methods.forecast import orders

ITEMS = pl.DataFrame({"sku": ["A", "A", "B", "C"], "warehouse": ["W1", "W2", "W1", "W1"]})
SETTINGS = {"service_level": 0.95, "review_days": 7.0, "holding_rate": 0.25}


def choose(*rows, items=ITEMS, suppliers=None):
    return policy.choose(items, room.policy(*rows), suppliers, **SETTINGS)


def planned(forecast, policies, inventory=None, inbound=None, coverage=None):
    clock = protection.clock(forecast, None)
    linked = protection.link(forecast, coverage if coverage is not None else room.serves(), clock)
    terms = policy.choose(linked.items, policies, None, **SETTINGS)
    demand = protection.demand(linked, clock, terms.protection, terms.service, 0.0, ~np.isnan(terms.fill))
    held = policy.stock(linked.items, room.stock() if inventory is None else inventory, inbound, clock)
    return orders.plan(demand, terms, held), held, demand, terms


def test_the_most_specific_policy_holds():
    suppliers = pl.DataFrame({"sku": ["A", "B", "C"], "supplier_id": ["S1", "S1", "S2"]})
    rows = [
        {"lead_time_days": 1.0},
        {"supplier_id": "S1", "lead_time_days": 2.0},
        {"warehouse": "W1", "lead_time_days": 3.0},
        {"sku": "A", "lead_time_days": 4.0},
        {"sku": "A", "warehouse": "W1", "lead_time_days": 5.0},
    ]

    def lead(some):
        return choose(*some, suppliers=suppliers).lead.tolist()

    assert lead(rows) == [5, 4, 2, 3]
    assert lead(rows[::-1]) == [5, 4, 2, 3]
    assert lead(rows[:2]) == [2, 2, 2, 1]
    assert lead(rows[:3]) == [2, 2, 2, 3]


def test_the_policy_row_holds_as_a_whole_and_settings_fill_it():
    terms = choose({"sku": "A", "review_days": None}, {"service_level": 0.9, "review_days": 3.0, "moq": 5.0})
    assert terms.service.tolist() == [0.95, 0.95, 0.9, 0.9]
    assert terms.review.tolist() == [7, 7, 3, 3]
    assert terms.moq.tolist() == [0, 0, 5, 5]


def test_an_item_without_policy_is_named():
    with pytest.raises(InputRejected, match="no row fits SKU B at W1"):
        choose({"sku": "A"}, {"sku": "C"})


def test_a_random_lead_time_needs_two_deviations_more_of_forecast():
    terms = choose({"lead_time_days": 10.0, "lead_time_sd_days": 3.0, "review_days": 4.0})
    assert terms.protection.tolist() == [14] * 4 and terms.needed.tolist() == [20] * 4


def test_slow_mover_of_the_field():
    # lambda = 0.2 a day, lead time 4, review 1, cycle service 95 %: S = 3 (reaches 98.1 %, fill rate 93.7 %).
    plan, *_ = planned(room.forecast(room.poisson(0.2, 10)), room.policy())
    assert plan.order_up_to[0] == 3
    assert plan.reorder_point[0] == stats.poisson(0.8).ppf(0.95) == 2
    assert plan.order[0] == 3


@pytest.mark.parametrize(("target", "level"), [(0.93, 3), (0.94, 4)])
def test_fill_rate_is_not_the_cycle_service(target, level):
    # 1 - (E[(D5 - 3)+] - E[(D4 - 3)+]) / 0.2 = 0.9368 for S = 3
    plan, *_ = planned(room.forecast(room.poisson(0.2, 10)), room.policy({"fill_rate": target}))
    assert plan.order_up_to[0] == level
    both, *_ = planned(room.forecast(room.poisson(0.2, 10)), room.policy({"fill_rate": target, "service_level": 0.95}))
    assert both.order_up_to[0] == max(level, 3)


def test_normal_demand_has_the_textbook_level():
    # L + R = 9 days of N(100, 20^2): 900 + 1.645 * 60 = 998.7
    plan, *_ = planned(room.forecast(room.normal(100, 20, 12)), room.policy({"lead_time_days": 8.0}))
    assert plan.order_up_to[0] == 999
    assert plan.order_up_to[0] - plan.whole.mean[0] == pytest.approx(99, abs=0.5)


def test_a_random_lead_time_raises_the_level():
    forecast = room.forecast(room.normal(100, 20, 40))
    fixed, *_ = planned(forecast, room.policy({"lead_time_days": 16.0}))
    random, *_ = planned(forecast, room.policy({"lead_time_days": 16.0, "lead_time_sd_days": 4.0}))
    # sd of the mixture: sqrt(17 * 20^2 + 100^2 * 4^2) = 408
    assert np.sqrt(random.whole.var[0]) == pytest.approx(408, rel=0.03)
    # the 95 % quantile of a gamma lead time (16, 4) is 23.1 days
    expected = 100 * (stats.gamma(16, scale=1).ppf(0.95) + 1)
    assert random.order_up_to[0] == pytest.approx(expected, rel=0.02)
    assert random.order_up_to[0] > fixed.order_up_to[0]


def test_position_counts_what_is_on_order():
    inbound = room.table(
        "inbound",
        [
            {"sku": "A", "warehouse": "W1", "qty": 5.0, "arrival_date": date(2026, 6, 20)},  # overdue: counts
            {"sku": "A", "warehouse": "W1", "qty": 7.0, "arrival_date": date(2026, 7, 3)},  # day 5 = L + R: counts
            {"sku": "A", "warehouse": "W1", "qty": 11.0, "arrival_date": date(2026, 7, 4)},  # after: does not
            {"sku": "A", "warehouse": "W1", "qty": 13.0, "arrival_date": date(2026, 7, 1), "status": " Received"},
            {"sku": "Z", "warehouse": "W1", "qty": 17.0, "arrival_date": date(2026, 7, 1)},
        ],
    )
    plan, held, *_ = planned(
        room.forecast(room.poisson(5, 10)), room.policy(), room.stock({"on_hand": 4.0, "reserved": 3.0}), inbound
    )
    assert plan.position[0] == 4 - 3 + 5 + 7
    assert plan.order[0] == stats.poisson(25).ppf(0.95) - 13
    assert held.overdue.tolist() == [True, False, False]
    assert held.not_coming == 1


@pytest.mark.parametrize(
    ("need", "moq", "pack", "order"),
    [
        (0, 10, 6, 0),
        (-3, 10, 6, 0),
        (1, 0, 6, 6),
        (6, 0, 6, 6),
        (6.5, 0, 1, 7),
        (7, 10, 6, 12),
        (13, 10, 6, 18),
        (0.3, 0, 0.1, 0.3),
    ],
)
def test_orders_are_whole_packs_and_at_least_the_smallest(need, moq, pack, order):
    terms = replace(choose({}, items=ITEMS.head(1)), moq=np.array([float(moq)]), pack=np.array([float(pack)]))
    assert orders.whole_packs(np.array([float(need)]), terms)[0] == pytest.approx(order)


def test_stock_out_chance_looks_at_the_evening_before_each_delivery():
    forecast = room.forecast(room.poisson(5, 20))
    policies = room.policy({"lead_time_days": 10.0})
    inbound = room.table(
        "inbound",
        [{"sku": "A", "warehouse": "W1", "qty": 100.0, "arrival_date": date(2026, 7, 6)}],  # day 8
    )
    _, held, demand, terms = planned(forecast, policies, room.stock({"on_hand": 30.0}), inbound)
    chance = orders.stock_out_chance(demand, terms, held)[0]
    assert chance == pytest.approx(1 - stats.poisson(35).cdf(30), abs=0.01)  # 7 days before the delivery
    _, held, demand, terms = planned(forecast, policies, room.stock({"on_hand": 60.0}))
    assert orders.stock_out_chance(demand, terms, held)[0] == pytest.approx(1 - stats.poisson(50).cdf(60), abs=0.01)
