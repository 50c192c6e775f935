"""Answers cases of the inventory exam (lists of {id, topic, question, inputs, units, expected, rel_tol}) through the
product's functions, and scores them where they carry expected values.

A case is told by its topic and by which inputs it has; what is asked are the names in `units` that are no inputs.

    python bench/inventory_exam.py [--cases FILE] [--answers FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import harness
import inventory_levels
import inventory_lots
import inventory_stock
from inventory_cases import Answer, Case, named

from cbec.core.errors import CbecError
from cbec.methods.inventory import economic, lotsize

TOPICS: dict[str, Any] = {
    "eoq": inventory_lots.eoq,
    "eoq_backorders": inventory_lots.eoq_backorders,
    "discount_all_units": lambda i: inventory_lots.discount(i, economic.all_units, economic.all_units_cost),
    "discount_incremental": lambda i: inventory_lots.discount(i, economic.incremental, economic.incremental_cost),
    "epq": inventory_lots.epq,
    "newsvendor_normal": inventory_levels.newsvendor_normal,
    "newsvendor_poisson": inventory_levels.newsvendor_counted,
    "newsvendor_discrete": inventory_levels.newsvendor_counted,
    "r_Q": inventory_levels.reorder,
    "s_S": inventory_levels.s_S,
    "base_stock_poisson": inventory_levels.base_stock,
    "safety_stock_random_lead": inventory_levels.random_lead,
    "wagner_whitin": lambda i: inventory_lots.lots(i, lotsize.wagner_whitin),
    "silver_meal": lambda i: inventory_lots.lots(i, lotsize.silver_meal),
    "least_unit_cost": lambda i: inventory_lots.lots(i, lotsize.least_unit_cost),
    "part_period": lambda i: inventory_lots.lots(i, lotsize.part_period),
    "joint_replenishment": inventory_lots.joint,
    "projection": inventory_stock.projection,
    "moq_pack": inventory_lots.packs,
    "days_of_cover": inventory_stock.days_of_cover,
    "fill_rate_vs_csl": inventory_levels.fill_and_cycle,
    "lead_time_convolution": inventory_levels.convolution,
    "clearance": inventory_stock.clearance,
}


def answer(case: Case) -> tuple[Answer, str]:
    """What the case asks for, and what is wrong with it (empty = nothing)."""
    asked = [name for name in case["units"] if name not in case["inputs"]] or list(case.get("expected", {}))
    solve = TOPICS.get(case["topic"])
    if solve is None:
        return {}, f"topic {case['topic']} is not known"
    try:
        found = solve(named(case))
    except (ArithmeticError, CbecError, LookupError, StopIteration, TypeError, ValueError) as error:
        return {}, f"{type(error).__name__}: {error}"
    lost = [name for name in asked if name not in found]
    return {k: _plain(found[k]) for k in asked if k in found}, f"no answer for {', '.join(lost)}" if lost else ""


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, list) else value.item() if hasattr(value, "item") else value


def agrees(got: Any, want: Any, tol: float) -> bool:
    """The exam's own rule: |x - e| <= tol max(|e|, 0.01), lists element by element, null exactly."""
    if isinstance(want, dict):
        return all(k in got and agrees(got[k], v, tol) for k, v in want.items())
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(map(agrees, got, want, [tol] * len(want)))
    if want is None or got is None:
        return want is None and got is None
    return bool(abs(got - want) <= tol * max(abs(want), 0.01))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cases", type=Path)
    options.add_argument("--answers", type=Path, help="write {case id: {output: value}} here")
    chosen = options.parse_args()
    path = chosen.cases or harness.data_folder("forecast/inventory_exam") / "cases.json"
    cases = json.loads(path.read_text("utf-8"))
    answers, topics, faults = {}, {}, []
    for case in cases:
        answers[case["id"]], wrong = answer(case)
        good = "expected" in case and agrees(answers[case["id"]], case["expected"], case["rel_tol"])
        topics.setdefault(case["topic"], []).append(good)
        if wrong or ("expected" in case and not good):
            faults.append(
                f"{case['id']}: {wrong or 'expected ' + str(case['expected']) + ', got ' + str(answers[case['id']])}"
            )
    if chosen.answers:
        chosen.answers.write_text(json.dumps(answers, indent=1), "utf-8")
    out = harness.Table("inventory_exam", f"Inventory exam: {len(cases)} cases")
    out.rows += [{"topic": topic, "right": sum(marks), "cases": len(marks)} for topic, marks in topics.items()]
    out.rows.append({"topic": "all", "right": sum(map(sum, topics.values())), "cases": len(cases)})
    out.notes += faults
    out.finish()


if __name__ == "__main__":
    main()
