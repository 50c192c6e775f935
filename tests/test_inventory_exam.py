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
    found, wrong = exam.answer({"id": "x", "topic": "astrology", "inputs": {}, "units": {"y": ""}})
    assert not found and "not known" in wrong
