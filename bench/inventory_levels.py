"""Topics of the inventory exam: stock levels and reorder points where demand is uncertain."""

from __future__ import annotations

from inventory_cases import Answer, Case, costs, demand_of, demand_over, periods

from cbec.methods.inventory import counted, normal, review


def newsvendor_normal(i: Case) -> Answer:
    over, under = costs(i)
    n = periods(i)
    mean, sd = i["demand_mean"] * n, i["demand_sd"] * n**0.5
    best = normal.newsvendor(mean, sd, over, under)
    x = next((i[k] for k in ("stock_level", "order_up_to", "order_quantity", "base_stock") if k in i), best.level)
    cost, short = normal.level_cost(x, mean, sd, over, under), normal.short(x, mean, sd)
    return _levels(x, cost, short, mean, under, normal.reached(x, mean, sd), over, i, per=i["demand_mean"])


def newsvendor_counted(i: Case) -> Answer:
    over, under = costs(i)
    pmf = demand_over(i, periods(i))
    x, cost = counted.least_cost_level(pmf, over, under)
    given = next((i[k] for k in ("stock_level", "order_up_to", "order_quantity", "base_stock") if k in i), None)
    if given is not None:
        x, cost = given, over * counted.left(pmf, given) + under * counted.short(pmf, given)
    mean = counted.mean(pmf)
    return _levels(x, cost, counted.short(pmf, x), mean, under, counted.cdf(pmf, x), over, i, per=mean / periods(i))


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


def reorder(i: Case) -> Answer:
    """(r, Q): a cost per unit short, a fill rate or service level, or a cost of waiting; normal or counted demand."""
    demand, q = i.get("annual_demand", i.get("demand_rate", 0.0)), i.get("order_quantity")
    mean, sd = _lead_demand(i)
    if "fill_rate" in i and sd is not None:
        r = normal.point_for_fill(q or 0.0, mean, sd, i["fill_rate"])
        found = normal.ReorderPoint(q or 0.0, r)
    elif "service_level" in i and sd is not None:
        found = normal.ReorderPoint(q or 0.0, mean + sd * normal.z_of(i["service_level"]))
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
    reached = normal.reached(found.point, mean, sd)
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
    if "fill_rate" in i:
        r = review.r_for_fill(pmf, int(q), i["fill_rate"])
        return {
            "reorder_point": r,
            "fill_rate": review.r_q_fill_rate(r, int(q), pmf),
            "cycle_service_level": counted.cdf(pmf, r),
            "safety_stock": r - mean,
        }
    if "service_level" in i:
        r = counted.quantile(pmf, i["service_level"])
        return {"reorder_point": r, "cycle_service_level": counted.cdf(pmf, r), "safety_stock": r - mean}
    rate = review.cost_rate(pmf, i["holding_cost"], i["backorder_cost"])
    setup = i["fixed_order_cost"] * demand
    found = review.r_q(rate, round(mean), setup, None if q is None else int(q))
    names = dict.fromkeys(("annual_cost", "cost", "expected_cost"), found.cost)
    return {"order_quantity": found.high - found.low, "reorder_point": found.low, **names}


def s_S(i: Case) -> Answer:
    one = demand_of(i)
    rate = review.cost_rate(demand_over(i, 1 + i.get("lead_time", 0.0)), i["holding_cost"], i["backorder_cost"])
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
    target = i.get("fill_rate")
    if "base_stock" in i or "order_up_to" in i:
        level = i.get("base_stock", i.get("order_up_to"))
    elif target is not None:
        level = review.level_for_fill(lead, whole, target) if reviewed else review.fill_level(lead, target)
    else:
        over, under = costs(i)
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
        "ready_rate": counted.cdf(whole, level),
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
        point = mean + sd * normal.z_of(i["service_level"])
    return {
        "lead_time_demand_mean": mean,
        "lead_time_demand_sd": sd,
        "safety_stock": point - mean,
        **dict.fromkeys(("reorder_point", "order_up_to"), point),
        **dict.fromkeys(("expected_short_per_cycle", "expected_short"), normal.short(point, mean, sd)),
    }


def fill_and_cycle(i: Case) -> Answer:
    if "order_quantity" in i:
        return reorder(i)
    lead = demand_over(i, i["lead_time"])
    whole = demand_over(i, i["lead_time"] + i["review_period"])
    target = i.get("fill_rate")
    if "order_up_to" in i:
        level = i["order_up_to"]
    elif target is not None:
        level = review.level_for_fill(lead, whole, target)
    else:
        level = counted.quantile(whole, i["service_level"])
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
        pmf = counted.mixed([demand_over(i, n + extra) for n in lengths], chances)
    else:
        weeks = next(i[k] for k in ("weeks", "lead_time_weeks", "lead_time") if k in i)
        pmf = demand_over(i, weeks + extra)
    level = next((i[k] for k in ("level", "service_level", "service_target") if k in i), None)
    q = counted.quantile(pmf, level) if level is not None else i.get("stock", i.get("order_up_to", 0))
    mean = counted.mean(pmf)
    return {
        **dict.fromkeys(("quantile", "order_up_to", "reorder_point"), q),
        **dict.fromkeys(("cdf_at_quantile", "cycle_service_level"), counted.cdf(pmf, q)),
        "stockout_probability": 1 - counted.cdf(pmf, q),
        "mean": mean,
        "sd": counted.variance(pmf) ** 0.5,
        "variance": counted.variance(pmf),
        "safety_stock": q - mean,
        "expected_short": counted.short(pmf, q),
    }
