"""The inventory exam through the product's functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest


@pytest.fixture
def exam(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "bench"))
    import inventory_exam

    yield inventory_exam
    sys.modules.pop("inventory_exam", None)


def test_every_case_within_its_tolerance(exam, data_set):
    cases = json.loads((data_set("forecast/inventory_exam") / "cases.json").read_text("utf-8"))
    for case in cases:
        found, wrong = exam.answer(case)
        assert not wrong and exam.agrees(found, case["expected"], case["rel_tol"]), (case["id"], found, wrong)


def test_cases_of_other_shapes(exam):
    def ask(topic, inputs, *names):
        units = dict.fromkeys([*inputs, *names], "")
        found, wrong = exam.answer({"id": "x", "topic": topic, "inputs": inputs, "units": units})
        assert not wrong, wrong
        return [found[n] for n in names]

    nb = {"overage_cost": 1.0, "underage_cost": 9.0, "demand_mean": 4.0, "demand_variance": 20.0}
    assert ask("newsvendor_discrete", nb, "stock_level") == [10]
    priced = {"selling_price": 10.0, "unit_cost": 6.0, "salvage_value": 2.0, "demand_mean": 100.0, "demand_sd": 20.0}
    assert ask("newsvendor_normal", priced, "stock_level", "critical_ratio") == pytest.approx([100.0, 0.5])
    poisson = {
        "holding_cost": 2,
        "backorder_cost": 20,
        "fixed_order_cost": 9,
        "annual_demand": 10,
        "lead_time_demand_mean": 12,
    }
    assert ask("r_Q", poisson, "reorder_point", "order_quantity")[1] > 1
    assert ask(
        "eoq",
        {"fixed_order_cost": 8, "holding_cost": 0.225, "annual_demand": 1300, "order_quantity": 400},
        "annual_cost",
    ) == [71.0]
    rate = {"order_cost": 8, "holding_rate": 0.225, "unit_cost": 1.0, "weekly_demand": 25}
    assert ask("eoq", rate, "order_quantity") == [pytest.approx(304.0467, abs=1e-3)]
    lost = {"on_hand": 10, "inbound": [0, 5, 0], "forecast": [6, 6, 6]}
    units = dict.fromkeys([*lost, "ending_stock", "lost_units", "first_stockout_week"], "")
    case = {"id": "x", "topic": "projection", "question": "Unmet demand is lost.", "inputs": lost, "units": units}
    assert exam.answer(case)[0] == {"ending_stock": [4, 3, 0], "lost_units": [0, 0, 3], "first_stockout_week": 3}
    assert ask("days_of_cover", {"stock": 50, "weekly_demand": 35}, "days_of_cover") == [10.0]
    plain = {"fixed_order_cost": 45, "holding_rate": 0.2, "unit_cost": 12, "annual_demand": 9000}
    assert ask("eoq", plain, "total_cost", "cycle_weeks") == pytest.approx([109394.274, 3.356586], abs=1e-3)
    daily = {
        "fixed_order_cost": 45,
        "holding_cost": 2.4,
        "daily_demand": 36,
        "daily_production_rate": 80,
        "days_per_year": 250,
    }
    assert ask("epq", daily, "batch_quantity") == [pytest.approx(783.34945, abs=1e-4)]
    seen = {"observed_sales": [2, 0, 5, 1, 1, 3, 9, 0, 4, 2], "overage_cost": 1, "underage_cost": 4}
    assert ask("newsvendor_discrete", seen, "stock_level", "expected_cost") == pytest.approx([4, 4.3])
    # 40 in stock serve 30 and a third of the next 30; what is left of them at the end of the first period is held.
    begun = {"fixed_order_cost": 100, "holding_cost": 1.5, "demand": [30, 30, 70, 30], "starting_stock": 40}
    assert ask("wagner_whitin", begun, "orders", "total_cost") == [[0, 20, 100, 0], 260]
    lead = {"lead_time_demand_mean": 100, "lead_time_demand_sd": 30, "order_quantity": 200, "service_target": 0.9}
    assert ask("fill_rate_vs_csl", lead, "reorder_point", "fill_rate") == pytest.approx(
        [138.446547, 0.9928985], abs=1e-5
    )
    weeks = {"pmf": [0.5, 0.3, 0.15, 0.05], "weeks": 6, "stock": 8}
    assert ask("lead_time_convolution", weeks, "stockout_probability") == [pytest.approx(0.0419578, abs=1e-6)]
    aged = {
        "stock_by_band": [100, 50, 30, 20],
        "weekly_demand": 8,
        "horizon_weeks": 10,
        "fee_per_unit": [0.1, 0.2, 0.5, 1.0],
    }
    assert ask("clearance", aged, "left_total", "total_fee") == pytest.approx([120, 14])
    assert ask("base_stock_poisson", {"demand_rate": 2.4, "lead_time": 2, "base_stock": 7}, "ready_rate") == [
        pytest.approx(0.8866662, abs=1e-6)
    ]
    found, wrong = exam.answer({"id": "x", "topic": "astrology", "inputs": {}, "units": {"y": ""}})
    assert not found and "not known" in wrong
