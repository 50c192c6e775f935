"""Answers cases of the inventory exam (lists of {id, topic, question, inputs, units, expected, rel_tol}) through the
product's functions, and scores them where they carry expected values.

A case is told by its topic and by which inputs it has; what is asked are the names in `units` that are no inputs.

    python bench/inventory_exam.py [--cases FILE] [--answers FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from harness import ROOT, Table, data_folder

sys.path.insert(0, str(ROOT))

from cbec.core.errors import CbecError
from cbec.methods.forecast import orders
from cbec.methods.forecast.projection import lost_sales
from cbec.methods.inventory import counted, economic, flow, lotsize, normal, review

Case = dict[str, Any]
Answer = dict[str, Any]


def eoq(i: Case) -> Answer:
    costs = i["fixed_order_cost"], i["holding_cost"], i["annual_demand"]
    best = economic.eoq(*costs, pack=i.get("pack_size", 0.0), least=i.get("moq", 0.0))
    free = economic.eoq(*costs)
    q = i.get("order_quantity", best.quantity)
    cost = economic.lot_cost(q, *costs)
    return {
        "order_quantity": q,
        "packs": q / i.get("pack_size", 1.0),
        "annual_cost": cost,
        "optimal_quantity": free.quantity,
        "optimal_cost": free.cost,
        "extra_cost": cost - free.cost,
        "cost_ratio": cost / free.cost,
        "extra_cost_share": cost / free.cost - 1,
        "cost_increase": cost / free.cost - 1,
        "orders_per_year": i["annual_demand"] / q,
        "cycle_time": q / i["annual_demand"],
        "cycle_days": 365 * q / i["annual_demand"],
        "reorder_point": i["annual_demand"] * i.get("lead_time_days", 365 * i.get("lead_time", 0.0)) / 365,
    }


def eoq_backorders(i: Case) -> Answer:
    costs = i["fixed_order_cost"], i["holding_cost"], i["backorder_cost"], i["annual_demand"]
    if "order_quantity" in i:
        q, waiting = i["order_quantity"], i.get("max_backorder")
        if waiting is None:
            waiting = q * i["holding_cost"] / (i["holding_cost"] + i["backorder_cost"])
        cost = economic.backorder_cost(q, waiting, *costs)
        found = economic.Backordered(q, waiting, waiting / q, cost)
    else:
        found = economic.eoq_backorders(*costs)
    return {
        "order_quantity": found.quantity,
        "max_backorder": found.max_backorder,
        "max_stock": found.quantity - found.max_backorder,
        "backordered_fraction": found.fraction,
        "annual_cost": found.cost,
    }


def discount(i: Case, find: Any, judge: Any) -> Answer:
    terms = (
        i["fixed_order_cost"],
        i["holding_rate"],
        i["annual_demand"],
        i["break_quantities"],
        i["unit_prices"],
    )
    lot = judge(i["order_quantity"], *terms) if "order_quantity" in i else find(*terms)
    return {
        "order_quantity": lot.quantity,
        "unit_price": lot.unit_price,
        "average_unit_price": lot.unit_price,
        "annual_cost": lot.cost,
        "orders_per_year": i["annual_demand"] / lot.quantity,
    }


def epq(i: Case) -> Answer:
    rate = i["annual_production_rate"]
    run = economic.epq(i["fixed_order_cost"], i["holding_cost"], i["annual_demand"], rate, i.get("batch_quantity"))
    return {
        "batch_quantity": run.quantity,
        "max_stock": run.max_stock,
        "run_days": 365 * run.run_years,
        "cycle_days": 365 * run.quantity / i["annual_demand"],
        "annual_cost": run.cost,
    }


def _over_under(i: Case) -> tuple[float, float]:
    """Overage and underage cost of a unit: told, or from price, cost and salvage, or per period, or as a ratio."""
    if "critical_ratio" in i or "service_target" in i or "level" in i:
        ratio = next(i[k] for k in ("critical_ratio", "service_target", "level") if k in i)
        return 1 - ratio, ratio
    price = next((i[k] for k in ("selling_price", "price", "unit_price") if k in i), None)
    if price is not None:
        cost = next(i[k] for k in ("unit_cost", "purchase_cost", "cost") if k in i)
        salvage = next((i[k] for k in ("salvage_value", "salvage", "salvage_price") if k in i), 0.0)
        return cost - salvage, price - cost + i.get("goodwill_cost", 0.0)
    under = next(i[k] for k in ("underage_cost", "backorder_cost", "shortage_cost", "penalty_cost") if k in i)
    return next(i[k] for k in ("overage_cost", "holding_cost") if k in i), under


def _periods(i: Case) -> float:
    """Periods that a level covers: 1, or lead time + review."""
    if "lead_time" not in i and "review_period" not in i:
        return 1.0
    return i.get("lead_time", 0.0) + i.get("review_period", 1.0)


def newsvendor_normal(i: Case) -> Answer:
    over, under = _over_under(i)
    n = _periods(i)
    mean, sd = i["demand_mean"] * n, i["demand_sd"] * n**0.5
    best = normal.newsvendor(mean, sd, over, under)
    x = next((i[k] for k in ("stock_level", "order_up_to", "order_quantity", "base_stock") if k in i), best.level)
    cost, short = normal.level_cost(x, mean, sd, over, under), normal.short(x, mean, sd)
    return _levels(x, cost, short, mean, under, normal.cdf((x - mean) / sd), over, i, per=i["demand_mean"])


def _levels(
    x: float, cost: float, short: float, mean: float, under: float, reached: float, over: float, i: Case, per: float
) -> Answer:
    """The names under which cases ask for a level and what follows from it."""
    fill = 1 - short / per if per else 1.0
    return {
        **dict.fromkeys(
            ("stock_level", "order_up_to", "base_stock", "order_quantity", "base_stock_level", "quantile"), x
        ),
        **dict.fromkeys(("expected_cost", "cost", "expected_cost_per_period"), cost),
        **dict.fromkeys(
            ("expected_lost", "expected_short", "expected_shortage", "expected_lost_sales", "mean_unmet"), short
        ),
        **dict.fromkeys(("no_shortage_probability", "cycle_service_level", "cdf_at_level", "service_level"), reached),
        **dict.fromkeys(("stockout_probability", "shortage_probability"), 1 - reached),
        **dict.fromkeys(("expected_left", "expected_leftover", "expected_surplus"), x - mean + short),
        "expected_sales": mean - short,
        "expected_profit": under * mean - cost - i.get("goodwill_cost", 0.0) * mean,
        "fill_rate": fill,
        "critical_ratio": under / (under + over),
        "safety_stock": x - mean,
        "mean": mean,
    }


def _pmf(i: Case) -> counted.Floats:
    """Demand of one period, by what is told of it."""
    if "pmf" in i:
        return counted.given(i["pmf"])
    if "demand_values" in i:
        values, chances = i["demand_values"], next(i[k] for k in ("probabilities", "demand_probabilities") if k in i)
        out = np.zeros(int(max(values)) + 1)
        np.add.at(out, np.asarray(values, dtype=int), chances)
        return counted.given(out.tolist())
    for name in ("weekly_sales", "sales", "observed", "observations", "history", "demand_history", "daily_sales"):
        if name in i:
            return counted.observed(i[name])
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


def _over(i: Case, periods: float) -> counted.Floats:
    """Demand of several periods, which need not be whole where the family allows any."""
    if "pmf" in i or "demand_values" in i or any(k.endswith("sales") for k in i):
        return counted.total(_pmf(i), round(periods))
    one = _pmf(i)
    mean, var = counted.mean(one) * periods, counted.variance(one) * periods
    return counted.poisson(mean) if abs(var - mean) < 1e-9 * mean else counted.negative_binomial(mean, var)


def newsvendor_counted(i: Case) -> Answer:
    over, under = _over_under(i)
    pmf = _over(i, _periods(i))
    x, cost = counted.least_cost_level(pmf, over, under)
    given = next((i[k] for k in ("stock_level", "order_up_to", "order_quantity", "base_stock") if k in i), None)
    if given is not None:
        x, cost = given, over * counted.left(pmf, given) + under * counted.short(pmf, given)
    mean = counted.mean(pmf)
    return _levels(x, cost, counted.short(pmf, x), mean, under, counted.cdf(pmf, x), over, i, per=mean / _periods(i))


def reorder(i: Case) -> Answer:
    """(r, Q): a cost per unit short, a fill rate or service level, or a cost of waiting; normal or counted demand."""
    demand, q = i.get("annual_demand", i.get("demand_rate", 0.0)), i.get("order_quantity")
    mean, sd = _lead_demand(i)
    if "fill_rate" in i and sd is not None:
        r = normal.point_for_fill(q or 0.0, mean, sd, i["fill_rate"])
        found = normal.ReorderPoint(q or 0.0, r)
    elif ("service_level" in i or "cycle_service_level" in i) and sd is not None:
        level = i.get("service_level", i.get("cycle_service_level"))
        found = normal.ReorderPoint(q or 0.0, mean + sd * normal.z_of(level))
    elif sd is None:
        return _reorder_counted(i, demand, mean)
    elif "shortage_cost" in i:
        costs = i["fixed_order_cost"], i["holding_cost"], i["shortage_cost"], demand, mean, sd
        if "reorder_point" in i and q:
            found = normal.ReorderPoint(
                q, i["reorder_point"], normal.per_unit_short_cost(q, i["reorder_point"], *costs)
            )
        else:
            found = normal.per_unit_short(*costs, quantity=q)
    elif "backorder_cost" in i:
        costs = i["fixed_order_cost"], i["holding_cost"], i["backorder_cost"], demand, mean, sd
        if "reorder_point" in i and q:
            found = normal.ReorderPoint(q, i["reorder_point"], normal.exact_cost(q, i["reorder_point"], *costs))
        else:
            found = normal.exact(*costs, quantity=q)
    else:
        found = normal.ReorderPoint(q or 0.0, i["reorder_point"])
    short = normal.short(found.point, mean, sd)
    reached = normal.cdf((found.point - mean) / sd)
    return {
        "order_quantity": found.quantity,
        "reorder_point": found.point,
        "annual_cost": found.cost,
        "cycle_service_level": reached,
        "stockout_probability": 1 - reached,
        "safety_stock": found.point - mean,
        "fill_rate": 1 - short / found.quantity if found.quantity else None,
        **dict.fromkeys(("expected_short_per_cycle", "expected_short", "units_short_per_cycle"), short),
        "max_stock_level": found.point + found.quantity,
    }


def _lead_demand(i: Case) -> tuple[float, float | None]:
    if "lead_time_demand_mean" in i:
        return i["lead_time_demand_mean"], i.get("lead_time_demand_sd")
    lead = i.get("lead_time", i.get("lead_time_mean", 1.0))
    per = i.get("demand_mean", i.get("demand_rate", 0.0))
    sd = i.get("demand_sd")
    return per * lead, None if sd is None else normal.lead_time_sd(per, sd, lead, i.get("lead_time_sd", 0.0))


def _reorder_counted(i: Case, demand: float, mean: float) -> Answer:
    var = i.get("lead_time_demand_variance")
    pmf = counted.poisson(mean) if var is None else counted.negative_binomial(mean, var)
    q = i.get("order_quantity")
    if "fill_rate" in i or "fill_rate_target" in i:
        target, r = i.get("fill_rate", i.get("fill_rate_target")), -1

        def served(point: int) -> float:  # exact: the position is uniform on r + 1 .. r + Q
            return float(np.mean([counted.cdf(pmf, point + k - 1) for k in range(1, int(q) + 1)]))

        while served(r) < target - 1e-12:
            r += 1
        return {
            "reorder_point": r,
            "fill_rate": served(r),
            "cycle_service_level": counted.cdf(pmf, r),
            "safety_stock": r - mean,
        }
    if "service_level" in i:
        r = counted.quantile(pmf, i["service_level"])
        return {"reorder_point": r, "cycle_service_level": counted.cdf(pmf, r), "safety_stock": r - mean}
    rate = review.cost_rate(pmf, i["holding_cost"], i["backorder_cost"])
    setup = i["fixed_order_cost"] * demand
    if q is not None:
        q = int(q)
        r = min(range(int(mean) - q - 400, int(mean) + 400), key=lambda y: review.r_q_cost(rate, y, q, setup))
        return {"order_quantity": q, "reorder_point": r, "annual_cost": review.r_q_cost(rate, r, q, setup)}
    found = review.r_q(rate, round(mean), setup)
    names = dict.fromkeys(("annual_cost", "cost", "expected_cost"), found.cost)
    return {"order_quantity": found.high - found.low, "reorder_point": found.low, **names}


def s_S(i: Case) -> Answer:
    one = _pmf(i)
    rate = review.cost_rate(_over(i, 1 + i.get("lead_time", 0.0)), i["holding_cost"], i["backorder_cost"])
    low = next((i[k] for k in ("reorder_level", "reorder_point", "s") if k in i), None)
    high = next((i[k] for k in ("order_up_to", "S") if k in i), None)
    if low is not None and high is not None:
        found = review.Policy(low, high, review.s_S_cost(one, rate, i["fixed_order_cost"], low, high))
    else:
        found = review.s_S(one, rate, i["fixed_order_cost"])
    return {
        **dict.fromkeys(("reorder_level", "reorder_point", "s"), found.low),
        **dict.fromkeys(("order_up_to", "S"), found.high),
        **dict.fromkeys(("cost", "expected_cost", "cost_per_period"), found.cost),
    }


def base_stock(i: Case) -> Answer:
    """One-for-one ordering or (R, S): by fill rate, by service level, or by cost."""
    if "lead_time_demand_mean" in i:
        lead_mean = whole_mean = i["lead_time_demand_mean"]
    else:
        rate = i.get("demand_rate", i.get("demand_mean", 0.0))
        lead_mean = rate * i["lead_time"]
        whole_mean = rate * (i["lead_time"] + i.get("review_period", 0.0))
    lead, whole = counted.poisson(lead_mean), counted.poisson(whole_mean)
    reviewed = i.get("review_period", 0.0) > 0
    target = i.get("fill_rate_target", i.get("fill_rate"))
    if "base_stock" in i or "order_up_to" in i:
        level = i.get("base_stock", i.get("order_up_to"))
    elif target is not None:
        level = review.level_for_fill(lead, whole, target) if reviewed else review.fill_level(lead, target)
    else:
        over, under = _over_under(i)
        level = counted.quantile(whole, under / (under + over))
    fill = review.fill_rate(level, lead, whole) if reviewed else counted.cdf(lead, level - 1)
    out = {
        **dict.fromkeys(("base_stock", "order_up_to", "base_stock_level", "stock_level"), level),
        "fill_rate": fill,
        "cycle_service_level": counted.cdf(whole, level),
        "safety_stock": level - whole_mean,
        "reorder_point": level - 1,
        **dict.fromkeys(("mean_backorders", "expected_backorders", "expected_short"), counted.short(whole, level)),
        **dict.fromkeys(("mean_stock", "mean_on_hand", "expected_on_hand"), counted.left(whole, level)),
        "stockout_probability": 1 - counted.cdf(whole, level),
    }
    if {"holding_cost", "backorder_cost"} <= set(i):
        cost = i["holding_cost"] * out["mean_stock"] + i["backorder_cost"] * out["mean_backorders"]
        out |= dict.fromkeys(("cost", "expected_cost", "annual_cost", "cost_rate"), cost)
    return out


def random_lead(i: Case) -> Answer:
    week = 7.0 if "lead_time_mean_days" in i else 1.0
    lead = i.get("lead_time_mean_days", i.get("lead_time_mean", i.get("lead_time", 0.0))) / week
    lead_sd = i.get("lead_time_sd_days", i.get("lead_time_sd", 0.0)) / week
    lead += i.get("review_period_days", i.get("review_period", 0.0) * week) / week
    mean = i["demand_mean"] * lead
    sd = normal.lead_time_sd(i["demand_mean"], i.get("demand_sd", 0.0), lead, lead_sd)
    if "fill_rate" in i:
        point = normal.point_for_fill(i["order_quantity"], mean, sd, i["fill_rate"])
    else:
        point = mean + sd * normal.z_of(i.get("service_level", i.get("service_target", i.get("cycle_service_level"))))
    return {
        "lead_time_demand_mean": mean,
        "lead_time_demand_sd": sd,
        "safety_stock": point - mean,
        **dict.fromkeys(("reorder_point", "order_up_to"), point),
        **dict.fromkeys(("expected_short_per_cycle", "expected_short"), normal.short(point, mean, sd)),
    }


def lots(i: Case, method: Any) -> Answer:
    setup, holding = i["fixed_order_cost"], i["holding_cost"]
    need = lotsize.net(i["demand"], i.get("starting_stock", i.get("initial_stock", i.get("on_hand", 0.0))))
    exact = method is lotsize.wagner_whitin
    price = i.get("unit_cost", 0.0)
    plan = method(need, setup, holding, price) if exact else method(need, setup, holding)
    first = plan.orders[plan.orders > 0][:1].tolist()
    whole = exact or not np.any(price)
    total = plan.cost if whole else lotsize.cost(plan.orders, need, setup, holding, price)
    return {
        **dict.fromkeys(("total_cost", "cost"), total),
        **dict.fromkeys(("number_of_orders", "orders_count"), plan.count),
        "first_order": first[0] if first else 0.0,
        **dict.fromkeys(("orders", "order_quantities"), plan.orders.tolist()),
        "order_periods": (np.flatnonzero(plan.orders > 0) + 1).tolist(),
    }


def joint(i: Case) -> Answer:
    found = economic.joint(i["major_setup"], i["minor_setups"], i["annual_demand_values"], i["holding_rate"])
    return {"multipliers": found.multipliers, "base_cycle": found.cycle, "annual_cost": found.cost}


def projection(i: Case) -> Answer:
    start = i.get("on_hand", 0.0) - i.get("reserved", 0.0) - i.get("backorders", 0.0)
    due, asked = list(i.get("inbound", [])), list(i["forecast"])
    due += [0.0] * (len(asked) - len(due))
    net = flow.net_stock(start, due[: len(asked)], asked)
    lost = np.zeros(len(asked))
    if i["lost"]:
        supply = start + np.cumsum(due[: len(asked)])
        gone = np.cumsum(asked)
        lost = np.diff(lost_sales(supply[None], gone[None])[0] - (supply - gone), prepend=0.0)
        net = lost_sales(supply[None], gone[None])[0]
    under = np.flatnonzero(net < -1e-9)
    out = {
        **dict.fromkeys(("ending_net_stock", "ending_stock", "net_stock"), net.tolist()),
        "first_negative_week": int(under[0]) + 1 if under.size else None,
        "position_now": start + sum(due),
        "lowest_net_stock": float(net.min()),
        **dict.fromkeys(("lost_units", "lost_by_week", "lost_sales"), lost.tolist()),
        **dict.fromkeys(("lost_total", "total_lost"), float(lost.sum())),
        **dict.fromkeys(("first_empty_week", "first_stockout_week"), _first(lost > 1e-9 if i["lost"] else net <= 1e-9)),
    }
    if "safety_stock" in i:
        low = np.flatnonzero(net < i["safety_stock"] - 1e-9)
        out["first_week_below_safety_stock"] = int(low[0]) + 1 if low.size else None
    if "lead_time" in i:
        week = int(i["lead_time"] + i.get("review_period", 0))
        target = i.get("safety_stock", 0.0)
        need = max(target - float(net[week - 1]), 0.0)
        out["order_quantity"] = (
            float(orders.in_packs(need, i.get("moq", 0.0), i["pack_size"])) if "pack_size" in i else need
        )
    return out


def _first(on: Any) -> int | None:
    return int(np.argmax(on)) + 1 if np.any(on) else None


def packs(i: Case) -> Answer:
    need = i.get("need")
    if need is None:
        position = i.get("on_hand", 0.0) - i.get("reserved", 0.0) + i.get("on_order", 0.0) - i.get("backorders", 0.0)
        need = i["order_up_to"] - position
    q = float(orders.in_packs(need, i.get("moq", 0.0), i.get("pack_size", 1.0)))
    return {"order_quantity": q, "packs": round(q / i.get("pack_size", 1.0)), "need": max(need, 0.0)}


def days_of_cover(i: Case) -> Answer:
    weekly = "weekly_forecast" in i
    asked = i["weekly_forecast"] if weekly else i.get("daily_forecast", i.get("forecast"))
    stock = i["stock"] if "stock" in i else i["on_hand"] + i.get("on_order", 0.0) - i.get("reserved", 0.0)
    if asked is None:  # one rate for all time
        weekly, asked = "weekly_demand" in i, [i.get("weekly_demand", i.get("daily_demand"))] * 1000
    days = flow.cover(stock, asked, 7.0 if weekly else 1.0)
    return {"days_of_cover": None if np.isnan(days) else days, "weeks_of_cover": None if np.isnan(days) else days / 7}


def fill_and_cycle(i: Case) -> Answer:
    lead = _over(i, i["lead_time"])
    whole = _over(i, i["lead_time"] + i["review_period"])
    target = i.get("fill_rate_target", i.get("fill_rate"))
    if "order_up_to" in i:
        level = i["order_up_to"]
    elif target is not None:
        level = review.level_for_fill(lead, whole, target)
    else:
        level = counted.quantile(whole, i.get("service_target", i.get("service_level")))
    return {
        "order_up_to": level,
        "cycle_service_level": counted.cdf(whole, level),
        "fill_rate": review.fill_rate(level, lead, whole),
        "safety_stock": level - counted.mean(whole),
        "expected_short": counted.short(whole, level),
    }


def convolution(i: Case) -> Answer:
    extra = i.get("review_period", 0)
    if "lead_time_weeks" in i and isinstance(i["lead_time_weeks"], list):
        lengths, chances = i["lead_time_weeks"], i["lead_time_probabilities"]
        pmf = counted.mixed([_over(i, n + extra) for n in lengths], chances)
    else:
        weeks = next(i[k] for k in ("weeks", "lead_time_weeks", "lead_time") if k in i)
        pmf = _over(i, weeks + extra)
    level = next((i[k] for k in ("level", "service_level", "service_target") if k in i), None)
    q = counted.quantile(pmf, level) if level is not None else i.get("stock", i.get("order_up_to", 0))
    mean = counted.mean(pmf)
    return {
        **dict.fromkeys(("quantile", "order_up_to", "reorder_point"), q),
        **dict.fromkeys(("cdf_at_quantile", "cycle_service_level"), counted.cdf(pmf, q)),
        "mean": mean,
        "sd": counted.variance(pmf) ** 0.5,
        "variance": counted.variance(pmf),
        "safety_stock": q - mean,
        "expected_short": counted.short(pmf, q),
    }


def clearance(i: Case) -> Answer:
    weeks = i.get("horizon_weeks", 0)
    if "stock_by_band" in i:
        held = i["stock_by_band"]
        asked = i.get("weekly_demand", 0.0)
        sold = sum(asked[:weeks]) if isinstance(asked, list) else asked * weeks
        left = flow.left_by_age(held, sold)
        rates = next((i[k] for k in i if "fee" in k or "storage" in k), None)
        out = {
            "left_by_band": left.tolist(),
            "left_total": float(left.sum()),
            "sold_total": min(sold, float(sum(held))),
        }
        if isinstance(rates, list):
            out["cost"] = float((left * np.asarray(rates)).sum())
        return out
    position = i.get("on_hand", 0.0) + i.get("on_order", 0.0) - i.get("reserved", 0.0) - i.get("backorders", 0.0)
    q = counted.quantile(_over(i, weeks), i["level"])
    return {"quantile": q, "excess": max(position - q, 0.0), "position": position}


TOPICS: dict[str, Any] = {
    "eoq": eoq,
    "eoq_backorders": eoq_backorders,
    "discount_all_units": lambda i: discount(i, economic.all_units, economic.all_units_cost),
    "discount_incremental": lambda i: discount(i, economic.incremental, economic.incremental_cost),
    "epq": epq,
    "newsvendor_normal": newsvendor_normal,
    "newsvendor_poisson": newsvendor_counted,
    "newsvendor_discrete": newsvendor_counted,
    "r_Q": reorder,
    "s_S": s_S,
    "base_stock_poisson": base_stock,
    "safety_stock_random_lead": random_lead,
    "wagner_whitin": lambda i: lots(i, lotsize.wagner_whitin),
    "silver_meal": lambda i: lots(i, lotsize.silver_meal),
    "least_unit_cost": lambda i: lots(i, lotsize.least_unit_cost),
    "part_period": lambda i: lots(i, lotsize.part_period),
    "joint_replenishment": joint,
    "projection": projection,
    "moq_pack": packs,
    "days_of_cover": days_of_cover,
    "fill_rate_vs_csl": fill_and_cycle,
    "lead_time_convolution": convolution,
    "clearance": clearance,
}


def answer(case: Case) -> tuple[Answer, str]:
    """What the case asks for, and what is wrong with it (empty = nothing)."""
    asked = [name for name in case["units"] if name not in case["inputs"]] or list(case.get("expected", {}))
    solve = TOPICS.get(case["topic"])
    if solve is None:
        return {}, f"topic {case['topic']} is not known"
    try:
        found = solve(_named(case))
    except (CbecError, KeyError, StopIteration, TypeError, ValueError) as error:
        return {}, f"{type(error).__name__}: {error}"
    lost = [name for name in asked if name not in found]
    return {k: _plain(found[k]) for k in asked if k in found}, f"no answer for {', '.join(lost)}" if lost else ""


#: Other names of inputs, and other lengths of the period of a demand.
ALIASES = {
    "fixed_order_cost": ("order_cost", "setup_cost", "ordering_cost", "fixed_cost"),
    "annual_demand": ("yearly_demand",),
    "backorder_cost": ("penalty_cost",),
    "starting_stock": ("initial_inventory", "starting_inventory", "initial_stock"),
}
PER_YEAR = {"weekly_demand": 52, "monthly_demand": 12, "daily_demand": 365, "quarterly_demand": 4}


def _named(case: Case) -> Case:
    """The inputs under the names that the topics use; `lost`: whether the question says that unmet demand is lost."""
    i = dict(case["inputs"])
    for name, others in ALIASES.items():
        found = [o for o in others if o in i]
        if name not in i and found:
            i[name] = i[found[0]]
    if "holding_cost" not in i and {"holding_rate", "unit_cost"} <= set(i) and np.isscalar(i["unit_cost"]):
        i["holding_cost"] = i["holding_rate"] * i["unit_cost"]
    if "annual_demand" not in i:
        for name, times in PER_YEAR.items():
            if name in i and np.isscalar(i[name]):
                i["annual_demand"] = i[name] * times
    words = case.get("question", "").lower()
    return i | {"lost": "is lost" in words or "lost sales" in words}


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
    path = chosen.cases or data_folder("forecast/inventory_exam") / "cases.json"
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
    out = Table("inventory_exam", f"Inventory exam: {len(cases)} cases")
    out.rows += [{"topic": topic, "right": sum(marks), "cases": len(marks)} for topic, marks in topics.items()]
    out.rows.append({"topic": "all", "right": sum(map(sum, topics.values())), "cases": len(cases)})
    out.notes += faults
    out.finish()


if __name__ == "__main__":
    main()
