"""Topics of the inventory exam: how much to order where demand is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from inventory_cases import Answer, Case, position

from cbec.methods.forecast import orders
from cbec.methods.inventory import economic, lotsize


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
        "total_cost": cost + i.get("unit_cost", 0.0) * i["annual_demand"],
        "optimal_quantity": free.quantity,
        "optimal_cost": free.cost,
        "extra_cost": cost - free.cost,
        **_of(cost, free.cost, cost_ratio=1),
        **_of(cost - free.cost, free.cost, extra_cost_share=1, cost_increase=1),
        **_of(i["annual_demand"], q, orders_per_year=1),
        **_of(q, i["annual_demand"], cycle_time=1, cycle_days=365, cycle_weeks=52, cycle_months=12),
        "reorder_point": i["annual_demand"] * i.get("lead_time_days", 365 * i.get("lead_time", 0.0)) / 365,
    }


def _of(part: float, whole: float, **times: float) -> Answer:
    """The ratio under each name, times its factor; none where there is nothing to divide by."""
    return {name: factor * part / whole for name, factor in times.items()} if whole else {}


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
        **_of(i["annual_demand"], lot.quantity, orders_per_year=1),
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


def lots(i: Case, method: Any) -> Answer:
    setup, holding = i["fixed_order_cost"], i["holding_cost"]
    stock = i.get("starting_stock", i.get("on_hand", 0.0))
    need = lotsize.net(i["demand"], stock)
    exact = method is lotsize.wagner_whitin
    price = i.get("unit_cost", 0.0)
    plan = method(need, setup, holding, price) if exact else method(need, setup, holding)
    first = plan.orders[plan.orders > 0][:1].tolist()
    total = lotsize.cost(plan.orders, i["demand"], setup, holding, price, stock)
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


def packs(i: Case) -> Answer:
    need = i.get("need")
    if need is None:
        need = i["order_up_to"] - position(i)
    q = float(orders.in_packs(need, i.get("moq", 0.0), i.get("pack_size", 1.0)))
    return {"order_quantity": q, "packs": round(q / i.get("pack_size", 1.0)), "need": max(need, 0.0)}
