"""Topics of the inventory exam: stock by period, cover, what is too much."""

from __future__ import annotations

from typing import Any

import numpy as np
from inventory_cases import Answer, Case, demand_over, position

from cbec.methods.forecast import orders
from cbec.methods.forecast.projection import lost_sales
from cbec.methods.inventory import counted, flow


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


def days_of_cover(i: Case) -> Answer:
    weekly = "weekly_forecast" in i
    asked = i["weekly_forecast"] if weekly else i.get("daily_forecast", i.get("forecast"))
    stock = i["stock"] if "stock" in i else i["on_hand"] + i.get("on_order", 0.0) - i.get("reserved", 0.0)
    if asked is None:  # one rate for all time
        weekly, asked = "weekly_demand" in i, [i.get("weekly_demand", i.get("daily_demand"))] * 1000
    days = flow.cover(stock, asked, 7.0 if weekly else 1.0)
    return {"days_of_cover": None if np.isnan(days) else days, "weeks_of_cover": None if np.isnan(days) else days / 7}


def clearance(i: Case) -> Answer:
    weeks = i.get("horizon_weeks", 0)
    if "stock_by_band" in i:
        bands = i["stock_by_band"]
        asked = i.get("weekly_demand", 0.0)
        sold = sum(asked[:weeks]) if isinstance(asked, list) else asked * weeks
        left = flow.left_by_age(bands, sold)
        rates = next((i[k] for k in i if "fee" in k or "storage" in k), None)
        out = {
            "left_by_band": left.tolist(),
            "left_total": float(left.sum()),
            "sold_total": min(sold, float(sum(bands))),
        }
        if isinstance(rates, list):
            out |= dict.fromkeys(("cost", "fee", "total_fee", "storage_cost"), float((left * np.asarray(rates)).sum()))
        return out
    held = position(i)
    q = counted.quantile(demand_over(i, weeks), i["level"])
    return {"quantile": q, "excess": max(held - q, 0.0), "position": held}
