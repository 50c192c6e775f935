"""Cases of the inventory exam: their inputs under the names that the topics use, and what they tell of demand and costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from cbec.methods.inventory import counted

Case = dict[str, Any]
Answer = dict[str, Any]

#: Other names of inputs, and other lengths of the period of a demand.
ALIASES = {
    "fixed_order_cost": ("order_cost", "setup_cost", "ordering_cost", "fixed_cost"),
    "annual_demand": ("yearly_demand",),
    "backorder_cost": ("penalty_cost",),
    "service_level": ("service_target", "cycle_service_level", "cycle_service_target", "target_service_level"),
    "fill_rate": ("fill_rate_target", "target_fill_rate"),
    "starting_stock": ("initial_inventory", "starting_inventory", "initial_stock"),
}
PER_YEAR = {"weekly": 52, "monthly": 12, "daily": 365, "quarterly": 4}
#: Parts of the names of lists of what was sold.
OBSERVED = ("sales", "observ", "history", "sold")


def named(case: Case) -> Case:
    """The inputs under the names that the topics use; `lost`: whether the question says that unmet demand is lost."""
    i = dict(case["inputs"])
    for name, others in ALIASES.items():
        found = [o for o in others if o in i]
        if name not in i and found:
            i[name] = i[found[0]]
    if "holding_cost" not in i and {"holding_rate", "unit_cost"} <= set(i) and np.isscalar(i["unit_cost"]):
        i["holding_cost"] = i["holding_rate"] * i["unit_cost"]
    for what in ("demand", "production_rate"):
        for name, times in PER_YEAR.items():
            told = i.get(f"{name}_{what}")
            if f"annual_{what}" not in i and told is not None and np.isscalar(told):
                i[f"annual_{what}"] = told * (i.get("days_per_year", times) if name == "daily" else times)
    words = case.get("question", "").lower()
    asked = any(name.startswith("lost") for name in case["units"])
    return i | {"lost": asked or ("lost" in words and "not lost" not in words and "wait" not in words)}


def position(i: Case) -> float:
    """Stock on hand and on order without what is spoken for."""
    return i.get("on_hand", 0.0) + i.get("on_order", 0.0) - i.get("reserved", 0.0) - i.get("backorders", 0.0)


def costs(i: Case) -> tuple[float, float]:
    """Overage and underage cost of a unit: told, or from price, cost and salvage, or per period, or as a ratio."""
    ratio = next((i[k] for k in ("critical_ratio", "service_level", "level") if k in i), None)
    if ratio is not None:
        return 1 - ratio, ratio
    price = next((i[k] for k in ("selling_price", "price", "unit_price") if k in i), None)
    if price is not None:
        cost = next(i[k] for k in ("unit_cost", "purchase_cost", "cost") if k in i)
        salvage = next((i[k] for k in ("salvage_value", "salvage", "salvage_price") if k in i), 0.0)
        return cost - salvage, price - cost + i.get("goodwill_cost", 0.0)
    under = next(i[k] for k in ("underage_cost", "backorder_cost", "shortage_cost", "penalty_cost") if k in i)
    return next(i[k] for k in ("overage_cost", "holding_cost") if k in i), under


def periods(i: Case) -> float:
    """Periods that a level covers: 1, or lead time + review."""
    if "lead_time" not in i and "review_period" not in i:
        return 1.0
    return i.get("lead_time", 0.0) + i.get("review_period", 1.0)


def demand_of(i: Case) -> counted.Floats:
    """Demand of one period, by what is told of it."""
    if "pmf" in i:
        return counted.given(i["pmf"])
    if "demand_values" in i:
        values, chances = i["demand_values"], next(i[k] for k in ("probabilities", "demand_probabilities") if k in i)
        out = np.zeros(int(max(values)) + 1)
        np.add.at(out, np.asarray(values, dtype=int), chances)
        return counted.given(out.tolist())
    seen = next((v for k, v in i.items() if isinstance(v, list) and any(w in k for w in OBSERVED)), None)
    if seen is not None:
        return counted.observed(seen)
    if "r" in i and "p" in i:
        return counted.negative_binomial(i["r"] * (1 - i["p"]) / i["p"], i["r"] * (1 - i["p"]) / i["p"] ** 2)
    mean = next(i[k] for k in ("demand_mean", "demand_rate", "mean", "weekly_mean") if k in i)
    spread = next((i[k] for k in ("demand_variance", "variance", "weekly_variance") if k in i), None)
    if spread is None and (sd := next((i[k] for k in ("demand_sd", "sd") if k in i), None)) is not None:
        spread = sd**2
    if spread is None and "variance_to_mean" in i:
        spread = mean * i["variance_to_mean"]
    if spread is None:
        size = next((i[k] for k in ("dispersion", "size", "r", "k") if k in i), None)
        spread = None if size is None else mean + mean**2 / size
    return counted.poisson(mean) if spread is None else counted.negative_binomial(mean, spread)


def demand_over(i: Case, periods: float) -> counted.Floats:
    """Demand of several periods, which need not be whole where the family allows any."""
    if (
        "pmf" in i
        or "demand_values" in i
        or any(isinstance(v, list) and any(w in k for w in OBSERVED) for k, v in i.items())
    ):
        return counted.total(demand_of(i), round(periods))
    one = demand_of(i)
    mean, var = counted.mean(one) * periods, counted.variance(one) * periods
    return counted.poisson(mean) if abs(var - mean) < 1e-9 * mean else counted.negative_binomial(mean, var)
