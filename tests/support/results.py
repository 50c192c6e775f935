"""Plausible results of each command, made by small seeded generators that follow the table contracts."""

from __future__ import annotations

import math
import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from cbec import tables

AS_OF = date(2025, 6, 29)
DANGEROUS = '<script>alert("x")</script>|[a](b)&amp;`*'
CHINESE = "便携式蓝牙音箱（黑色）"
TYPES = {
    "text": pl.String, "country": pl.String, "currency": pl.String, "int": pl.Int64, "float": pl.Float64,
    "decimal": pl.Decimal(38, 6), "date": pl.Date, "moment": pl.Date, "bool": pl.Boolean,
}  # fmt: skip


def frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A frame with every column of the contract; keys missing in a row are null."""
    schema = {c.name: TYPES[c.kind] for c in tables.get(table).columns}
    return pl.DataFrame([{n: row.get(n) for n in schema} for row in rows], schema=schema)


def summary(step: str, command: str, made: dict[str, pl.DataFrame], **more: Any) -> dict[str, Any]:
    told = {
        "schema_version": 1, "step": step, "command": command, "title": f"The title of {step} {command}.", "as_of": AS_OF.isoformat(),
        "seed": 0, "status": 0, "headline": f"{step} {command} said something", "money": {"reason": "this command moves no money by itself"},
        "metrics": {"rows": 3, "share": 0.25, "kind": "W", "unknown": None}, "findings": {"info": 0, "warn": 0, "high": 0}, "top_findings": [],
        "notes": ["2 series were cut at the first sale"], "tables": {n: f.height for n, f in made.items()}, "inputs": {"sales": 12345},
    }  # fmt: skip
    return told | more


def finding(i: int, severity: str, entity: str, message: str, money: float | None = None) -> dict[str, Any]:
    return {
        "finding_id": f"F{i:03d}", "severity": severity, "entity": entity, "rule": "late", "message": message,
        "money": money, "currency": "EUR" if money is not None else None,
    }  # fmt: skip


def demand(
    series: int = 40, horizon: int = 13, history: int = 110, seed: int = 1
) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    r = random.Random(seed)
    ahead, record, before = [], [], []
    start = date(2025, 6, 30)
    for i in range(series):
        sku = CHINESE if i == 1 else DANGEROUS if i == 2 else f"SKU-{i:04d}"
        keys = {"sku": sku, "market": ("DE", "US", "JP", "*")[i % 4]}
        level = 2000 / (i + 1)
        kind = "smooth" if i % 3 == 0 else ("erratic", "lumpy", "intermittent", "new")[i % 4]
        for t in range(history):
            day = start - timedelta(weeks=history - t)
            units = max(0.0, level * (1 + 0.3 * math.sin(t / 8)) * r.uniform(0.6, 1.4))
            if kind in ("lumpy", "intermittent") and r.random() < 0.6:
                units = 0.0
            out = i % 5 == 0 and 80 < t < 85
            before.append(
                {
                    **keys,
                    "date": day,
                    "units": None if out else round(units, 2),
                    "returned": 0.0,
                    "flag": "stock_out" if out else "",
                }
            )
        model = ("theta", "ets", "croston_sba", "seasonal_naive")[i % 4]
        total = 0.0
        for h in range(1, horizon + 1):
            mean = level * (1 + 0.3 * math.sin((history + h) / 8))
            total += mean
            spread = {
                q: mean * f * (1 + h / 40) for q, f in zip(("q05", "q10", "q25"), (0.55, 0.65, 0.82), strict=True)
            }
            spread |= {
                q: mean * f * (1 + h / 40)
                for q, f in zip(("q50", "q75", "q90", "q95", "q99"), (0.98, 1.15, 1.35, 1.5, 1.8), strict=True)
            }
            cum = {f"cum_{q}": v * h for q, v in spread.items()}
            ahead.append(
                {**keys, "as_of": AS_OF, "frequency": "W", "date": start + timedelta(weeks=h - 1), "h": h, "mean": mean, **spread,
                 "cum_mean": total, **cum, "naive": mean * 1.1, "seller_formula": mean * 0.9, "model": model, "flags": "stock_out" if i % 5 == 0 else ""}
            )  # fmt: skip
        naive = level * r.uniform(0.2, 0.5)
        mae = naive * r.uniform(0.6, 1.08)
        record.append(
            {**keys, "demand_class": kind, "adi": r.uniform(1, 4) if kind in ("lumpy", "intermittent") else r.uniform(1, 1.3), "cv2": r.uniform(0.05, 1.2),
             "periods": history, "origins": 6, "model": model, "mae": mae, "mae_naive": naive, "mae_seller_formula": naive * 1.2, "bias": r.uniform(-1, 1),
             "value_added": None if i == 7 else 1 - mae / naive, "flags": ""}
        )  # fmt: skip
    made = {
        "forecast": frame("forecast", ahead),
        "model_record": frame("model_record", record),
        "prepared": frame("prepared", before),
    }
    findings = [
        finding(1, "high", "SKU-0003@DE", "Obsolete: no sale for 26 weeks", 1234.5),
        finding(2, "warn", CHINESE, "缺货 4 周，未计入模型"),
    ]
    told = summary("forecast", "demand", made, findings={"info": 0, "warn": 1, "high": 1}, top_findings=findings)
    return told, made


def backtest() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    r = random.Random(2)
    rows = []
    for model, base in (
        ("portfolio", 0.31),
        ("theta", 0.33),
        ("ets", 0.34),
        ("croston_sba", 0.42),
        ("seasonal_naive", 0.39),
        ("seller_formula", 0.45),
    ):
        for kind in ("all", "smooth", "erratic", "intermittent", "lumpy"):
            for horizon in ("all",) if kind != "all" else ("all", "1", "2-4", "5-8", "9-13"):
                wape = (
                    base
                    * {"all": 1, "smooth": 0.7, "erratic": 1.1, "intermittent": 1.8, "lumpy": 2.2}[kind]
                    * r.uniform(0.95, 1.05)
                )
                wape *= {"all": 1, "1": 0.8, "2-4": 0.95, "5-8": 1.05, "9-13": 1.2}[horizon]
                rows.append(
                    {"model": model, "demand_class": kind, "horizon": horizon, "series": 40, "origins": 6, "wape": wape, "bias": r.uniform(-0.1, 0.1),
                     "mase": wape * 2.4, "rmsse": wape * 2, "smape": wape * 150, "wql": None if model[0] == "s" else wape / 2,
                     "coverage_90": None if model[:6] in ("season", "seller") else 0.89, "coverage_95": None, "value_added": 1 - wape / 0.39,
                     "verdict": "chosen" if model == "portfolio" else "beats naive" if base < 0.39 else "loses to naive"}
                )  # fmt: skip
    made = {"backtest": frame("backtest", rows)}
    return summary("forecast", "backtest", made), made


def replenish(items: int = 30) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    r = random.Random(3)
    plan, days = [], []
    for i in range(items):
        sku, place = CHINESE if i == 1 else f"SKU-{i:04d}", ("DEHAM", "USLAX")[i % 2]
        daily, stock = r.uniform(1, 40), r.uniform(50, 900)
        lead = r.choice([20, 35, 60])
        cover = int(stock / daily)
        gone = AS_OF + timedelta(days=cover) if cover < 150 else None
        qty = round(daily * 60 / 12) * 12.0 if cover < 90 else 0.0
        arrival = AS_OF + timedelta(days=lead)
        cost = daily * r.uniform(2, 6)
        plan.append(
            {"sku": sku, "warehouse": place, "order_qty": qty, "order_date": AS_OF + timedelta(days=1) if qty else None, "arrival_date": arrival if qty else None,
             "reorder_point": daily * lead * 1.3, "order_up_to": daily * lead * 2, "safety_stock": daily * lead * 0.3, "position": stock,
             "stockout_date": gone, "p_stockout": min(1.0, lead / (cover + 1) * 0.5), "cost": cost, "currency": "EUR", "runner_up": "seller_formula" if i % 2 else "no_order",
             "runner_up_cost": cost * r.uniform(1.0, 2.4), "reason_code": "below_reorder_point" if qty else "enough",
             "reason": f"Order {qty:.0f} now: stock of {stock:.0f} lasts {cover} days, the next order arrives after {lead}." if qty else "Stock lasts beyond the protection interval."}
        )  # fmt: skip
        with_order = without = low = stock
        for t in range(120):
            day = AS_OF + timedelta(days=t)
            arrives = qty if day == arrival else 0.0
            with_order, low = max(0.0, with_order + arrives - daily), max(0.0, low + arrives - daily * 1.25)
            without = max(0.0, without - daily)
            days.append(
                {"sku": sku, "warehouse": place, "date": day, "demand_mean": daily, "arrivals": arrives, "stock_mean": with_order, "stock_low": low,
                 "stock_without_order": without, "p_stockout": 0.1}
            )  # fmt: skip
    made = {"replenishment": frame("replenishment", plan), "projection": frame("projection", days)}
    money = {"today": 48250.0, "proposed": 31870.5, "difference": -16379.5, "low": -21400.0, "high": -9100.0, "currency": "EUR",
             "basis": "expected holding, shortage and order cost of 30 items over their protection intervals, against the seller formula"}  # fmt: skip
    findings = [
        finding(
            i,
            "high" if i < 3 else "warn",
            f"SKU-{i:04d}@DEHAM",
            f"Sold out {i + 2} days before an order can arrive",
            900.0 / (i + 1),
        )
        for i in range(8)
    ]
    told = summary("forecast", "replenish", made, money=money, findings={"info": 0, "warn": 5, "high": 3}, top_findings=findings,
                   headline="16,379.50 EUR saved (48,250.00 today, 31,870.50 proposed); 30 rows of replenishment")  # fmt: skip
    return told, made


def clearance(items: int = 30) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    r = random.Random(13)
    rows, path = [], []
    ways = ("markdown", "markdown", "keep", "write_off", "markdown_later", "transfer", "liquidate", "unknown", "keep")
    for i in range(items):
        sku, place = CHINESE if i == 1 else DANGEROUS if i == 2 else f"SKU-{i:04d}", ("DEHAM", "USLAX")[i % 2]
        action, stock, unit = ways[i % len(ways)], r.uniform(50, 900), r.uniform(4, 60)
        dead, judged = action == "write_off", action != "unknown"
        excess = 0.0 if i % 9 == 8 else stock if dead else stock * 0.7
        keep = excess * unit * r.uniform(0.2, 0.8)
        cost = keep if action == "keep" else keep * r.uniform(-0.2, 0.9)
        cut = r.choice([15.0, 30.0, 45.0]) if action == "markdown" else 0.0
        rows.append(
            {"sku": sku, "warehouse": place, "on_hand": stock, "excess_units": excess, "months_of_cover": None if dead else r.uniform(4, 30),
             "age_band": ("0-90", "91-180", "181-270", "271-365", "366+", "unknown")[i % 6], "action": action,
             "action_units": excess if action in ("write_off", "liquidate", "transfer") else 0.0, "destination": "GBFXT" if action == "transfer" else None,
             "discount_pct": cut, "price": 3 * unit * (1 - cut / 100), "expected_units": 0.0 if dead else stock * 0.9,
             "sell_through_date": None if dead else AS_OF + timedelta(days=200), "p_sell_through": None if dead else r.random(),
             "excess_value": excess * unit if judged else None, "recovered": excess * unit - cost + 5 if judged else None, "storage": 5.0 if judged else None,
             "cost": cost if judged else None, "currency": "EUR", "runner_up": "keep" if action not in ("keep", "unknown") else None,
             "runner_up_cost": keep if action not in ("keep", "unknown") else None, "cost_keep": keep if judged else None,
             "cost_markdown": cost if action.startswith("markdown") else None, "elasticity": r.uniform(-5.5, 0.2), "elasticity_low": -4.0,
             "elasticity_high": -1.0, "elasticity_basis": ("own", "category", "catalogue", "default")[i % 4], "reason_code": "clear_none",
             "reason": f"{excess:.0f} units are more than 90 days need."}
        )  # fmt: skip
        left = plain = stock
        for stage in range(1, 7) if action.startswith("markdown") else ():
            off = max(0.0, cut - 5 * stage) if action == "markdown" else 20.0 * (stage > 3)
            sold = min(left, stock * (0.1 + off / 200))
            left, plain = left - sold, max(0.0, plain - stock * 0.1)
            path.append(
                {"sku": sku, "warehouse": place, "stage": stage, "date": AS_OF + timedelta(days=60 * stage - 59), "until": AS_OF + timedelta(days=60 * stage),
                 "discount_pct": off, "price": 3 * unit * (1 - off / 100), "currency": "EUR", "expected_units": sold, "stock": left, "stock_keep": plain}
            )  # fmt: skip
    made = {"clearance": frame("clearance", rows), "clearance_path": frame("clearance_path", path)}
    money = {"today": 51000.0, "proposed": 20400.0, "difference": -30600.0, "low": -44000.0, "high": -17000.0, "currency": "EUR",
             "basis": "cost of the excess of 26 items"}  # fmt: skip
    findings = [finding(i, "high", f"SKU-{i:04d}@DEHAM", "60 units and no demand expected", 900.0) for i in range(3)]
    metrics = {"stock_value": 180000.0, "dead_items": 3, "dead_value": 4200.0}
    told = summary(
        "forecast",
        "clearance",
        made,
        money=money,
        findings={"info": 0, "warn": 0, "high": 3},
        top_findings=findings,
        metrics=metrics,
    )
    return told, made


def tax(lines: int = 260) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    r = random.Random(4)
    rows = []
    rules = {
        "DE": (19, "EUR"),
        "FR": (20, "EUR"),
        "IT": (22, "EUR"),
        "GB": (20, "GBP"),
        "US": (0, "USD"),
        "NO": (25, "NOK"),
        "AU": (10, "AUD"),
    }
    for i in range(lines):
        country = r.choice(list(rules))
        rate, currency = rules[country]
        value = Decimal(str(round(r.uniform(8, 280), 2)))
        known = r.random() > 0.06
        duty = (value * Decimal("0.045")).quantize(Decimal("0.01")) if value > 150 else Decimal(0)
        due = ((value + duty) * rate / 100).quantize(Decimal("0.01"))
        rows.append(
            {"order_id": f"00{i:05d}", "line": "1", "status": "OK", "ship_to": country, "customs_value": value, "duty_rate": Decimal("4.5") if duty else Decimal(0),
             "duty": duty, "tax_rate": Decimal(rate), "tax_base": value + duty, "tax": due, "other_charges": Decimal(0), "total": duty + due, "currency": currency,
             "scheme": "IOSS" if currency == "EUR" and value <= 150 else "NONE", "collected_by": "marketplace" if i % 3 == 0 else "seller" if value <= 150 else "customs",
             "rule_ids": "eu.vat.rate|eu.ioss.scope", "citation": "Directive 2006/112/EC Art. 369l|Regulation 904/2010", "reason_code": "vat_destination",
             "reason": f"VAT of {country} at {rate} % on {value}."}
            if known else
            {"order_id": f"00{i:05d}", "line": "1", "status": "UNDETERMINED", "ship_to": country, "rule_ids": "", "citation": "", "reason_code": "no_hs_code",
             "reason": "The duty rate needs an HS code of six digits or more; the line carries none."}
        )  # fmt: skip
    made = {"tax": frame("tax", rows)}
    return summary(
        "compliance",
        "tax",
        made,
        findings={"info": 0, "warn": 1, "high": 0},
        top_findings=[finding(1, "warn", "15 lines", "no HS code")],
    ), made


def rule_test() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    rows = [
        {"pack": pack, "case": f"case {i}", "field": f"1.{f}", "expected": "19.00", "got": "19.00" if (i, f, pack) != (3, "tax", "gb") else None,
         "passed": (i, f, pack) != (3, "tax", "gb")}
        for pack in ("eu", "gb", "us", "au") for i in range(6) for f in ("duty", "tax")
    ]  # fmt: skip
    made = {"rule_verdict": frame("rule_verdict", rows)}
    return summary("compliance", "test", made), made


def imported() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    sales = frame(
        "sales",
        [
            {
                "date": AS_OF - timedelta(days=i),
                "sku": f"00{i}",
                "market": "DE",
                "units": 2.0 + i,
                "price": 9.99,
                "currency": "EUR",
            }
            for i in range(50)
        ],
    )
    dq = frame(
        "dq",
        [
            {
                "table": "sales",
                "column": c,
                "kind": "text",
                "rows": 50,
                "empty": e,
                "distinct": 9,
                "lowest": "0",
                "highest": "9",
                "rejected": 0,
            }
            for c, e in (("sku", 0), ("market", 4), ("price", 12), ("channel", 50))
        ],
    )
    made = {"sales": sales, "dq": dq}
    return summary("ingest", "import", made, inputs={"files": 60}), made


def route_plan(shipments: int = 40) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    r = random.Random(8)
    ways = (("sea", "SEA-1", 36, 1.0), ("rail>road", "RAIL-1>ROAD-1", 21, 2.0), ("air", "AIR-1", 6, 5.0))
    options, legs = [], []
    for i in range(shipments):
        if i % 13 == 12:
            options.append({"shipment_id": f"S{i:03d}", "option_rank": 0, "currency": "CNY", "flags": "no_option",
                            "reason_code": "route_none_lane", "reason": "No lane leads there."})  # fmt: skip
            continue
        made = []
        for modes, lanes, days, times in ways:
            freight, late = r.uniform(800, 4000) * times, r.uniform(0, 3000) * (days > 20)
            parts = {"freight": freight, "surcharges": freight * 0.12, "handling": 40.0 * (">" in modes), "capital_cost": days * 8.0,
                     "late_cost": late, "loss_cost": 90.0}  # fmt: skip
            row = {"shipment_id": f"S{i:03d}", "modes": modes, "lanes": lanes, "chargeable_kg": r.uniform(100, 5000), **parts,
                   "total_cost": sum(parts.values()), "currency": "CNY", "depart": AS_OF, "arrive_p50": AS_OF + timedelta(days=days),
                   "arrive_p90": AS_OF + timedelta(days=days + 5), "p_on_time": None if i % 5 == 0 else r.random(),
                   "co2e_kg": None if i % 7 == 0 else freight / 9, "runner_up": "air (AIR-1)", "runner_up_cost": 9000.0,
                   "reason_code": "route_cheapest_best", "reason": f"{CHINESE} goes this way."}  # fmt: skip
            made.append(row)
        made.sort(key=lambda m: m["total_cost"])
        for rank, row in enumerate(made, 1):
            flags = [*(["best_value"] if rank == 1 else []), *(["cheapest"] if row["modes"] == "sea" else [])]
            options.append(row | {"option_rank": rank, "flags": "|".join(flags)})
            for leg, (mode, lane) in enumerate(zip(row["modes"].split(">"), row["lanes"].split(">"), strict=True), 1):
                legs.append({"shipment_id": row["shipment_id"], "option_rank": rank, "leg": leg, "lane_id": lane, "mode": mode, "origin": "CN",
                             "destination": "DE", "depart": row["depart"], "arrive": row["arrive_p50"], "weight_kg": 400.0})  # fmt: skip
    made_tables = {"options": frame("options", options), "legs": frame("legs", legs), "findings": frame("findings", [])}
    money = {
        "today": 90000.0,
        "proposed": 70000.0,
        "difference": -20000.0,
        "low": -22000.0,
        "high": -18000.0,
        "currency": "CNY",
        "basis": "expected cost",
    }
    metrics = {
        "on_time": 0.81,
        "on_time_punctual": 0.9,
        "best_is_not_cheapest": 4,
        "disrupted": 3,
        "co2e_kg": 9120.0,
        "co2e_unknown": 5,
    }
    return summary("route", "plan", made_tables, money=money, metrics=metrics), made_tables


def route_carbon() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    rows = []
    for i in range(30):
        known = i % 6 != 5
        figures = {
            "tonne_km": 4000.0 + i,
            "ttw_kg": 80.0 + i,
            "wtt_kg": 20.0,
            "co2e_kg": 100.0 + i,
            "source": "a table of factors",
            "factor_id": "f",
        }
        row = {
            "shipment_id": f"S{i:03d}",
            "option_rank": 1,
            "leg": 1,
            "lane_id": "L",
            "mode": ("sea", "air", "road")[i % 3],
        }
        rows.append(row | (figures if known else {}) | {"flags": "default_factor" if known else "no_distance"})
    made = {"carbon": frame("carbon", rows), "findings": frame("findings", [])}
    return summary("route", "carbon", made), made


def supplier_score() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    from cbec.supplier import Score, score
    from support import supply
    from support.stockroom import policy

    made = [
        supply.history(CHINESE, [0, 0, 3] * 9, price=4.0, currency="CNY", warehouse="W1"),
        supply.history(DANGEROUS, [0] * 12 + [9] * 14, price=9.0, currency="CNY", warehouse="W2"),
        supply.history("SHORT", [0, 1] * 12, price=2.0, currency="CNY", status="closed"),
    ]
    for receipt in made[2][1][::3]:
        receipt["qty"] = 4.0
    terms = policy({"shortage_cost": 3.0, "holding_rate": 0.3, "lead_time_days": 20.0})
    orders, came = supply.orders(*(r for o, _ in made for r in o)), supply.receipts(*(r for _, c in made for r in c))
    result = score(came, orders, policies=terms, s=Score(as_of=supply.day(200), late_cost_pct=1.0))
    return _told("supplier", "score", result)


def monitor_stock() -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    from cbec.monitor import Stock
    from cbec.monitor import stock as monitor
    from support import supply
    from support.stockroom import policy, stock, table

    today = supply.day(120)
    skus = {"A": (-3.0, 2), CHINESE: (20.0, 2), DANGEROUS: (90.0, 1), "DEAD": (7.0, 0), "EMPTY": (0.0, 3)}
    held = [
        {"sku": k, "on_hand": n, "age_days": 60.0 * i, "snapshot_date": today, "unit_cost": 3.0, "currency": "EUR"}
        for i, (k, (n, _)) in enumerate(skus.items())
    ]
    before = [{"sku": k, "warehouse": "W1", "on_hand": 100.0, "snapshot_date": supply.day(90)} for k in skus]
    sales = [r for k, (_, units) in skus.items() for r in supply.sold(k, [units] * 100, until=today)]
    coming = [{"sku": "EMPTY", "warehouse": "W1", "qty": 30.0, "arrival_date": supply.day(110)}]
    result = monitor(
        stock(*held), table("sales", sales), table("inbound", coming), supply.receipts(), table("previous_inventory", before),
        policy({"shortage_cost": 2.0, "lead_time_days": 30.0}), s=Stock(),
    )  # fmt: skip
    return _told("monitor", "stock", result)


def _told(step: str, command: str, result: Any) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    """A real result of a step, its tables in the shape in which they are written."""
    from cbec.core import check, reasons

    made = {}
    for name, rows in result.tables.items():
        contract = tables.get(name)
        told = reasons.render(rows) if "reason" in contract.names and "reason" not in rows.columns else rows
        made[name] = check.conform(contract, told)
    money = {"reason": result.money}
    if not isinstance(result.money, str):
        money = vars(result.money) | {"difference": result.money.difference}
    return summary(step, command, made, metrics=result.metrics, notes=result.notes, money=money), made


EVERY = {
    "demand": demand, "backtest": backtest, "replenish": replenish, "clearance": clearance, "tax": tax, "rule_test": rule_test, "imported": imported,
    "route_plan": route_plan, "route_carbon": route_carbon,
    "supplier_score": supplier_score, "monitor_stock": monitor_stock,
}  # fmt: skip


def run() -> dict[str, Any]:
    return {
        "title": "Weekly run", "status": 4,
        "stages": [
            {"name": "import", "command": "ingest import", "status": 0, "state": "unchanged", "needs": [], "report": "imported", "summary": imported()[0]},
            {"name": "demand", "command": "forecast demand", "status": 0, "state": "run", "needs": ["import"], "report": "demand", "summary": demand()[0]},
            {"name": "backtest", "command": "forecast backtest", "status": 0, "state": "run", "needs": ["import"], "report": "backtest", "summary": backtest()[0]},
            {"name": "orders", "command": "forecast replenish", "status": 1, "state": "run", "needs": ["demand"], "report": "replenish", "summary": replenish()[0]},
            {"name": "taxes", "command": "compliance tax", "status": 4, "state": "failed", "reason": "rule pack past its valid_to", "needs": [], "report": "tax", "summary": None},
            {"name": "later", "command": "compliance test", "status": None, "state": "not run", "reason": "needs taxes", "needs": ["taxes"], "report": "rule_test"},
        ],
    }  # fmt: skip
