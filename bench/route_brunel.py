"""1,000 shipments over the rate cards of Brunel's "Supply Chain Logistics Problem", turned into lanes; and a large plan.

The data (Dzalbs and Kalganova 2020): 9,215 orders of one day, 1,540 rows of rate cards with weight bands, minimum charge,
mode and days. A row's lane is its carrier, origin port, service, mode and days; where such a lane states several prices for one band
they become lanes of their own. The service (DTD or DTP) is part of the destination, since goods delivered to the door and to the port
do not end in the same place. Orders of service CRF are carried by the customer and left out. Orders start at the port of
the order (its historic plant's).

Checked against the data set's rule as the peer has it, in plain Python: freight = max(minimum, rate x kg), the cheapest band that
holds the weight. Ours may be lower where paying the next band's minimum weight is cheaper, and must not be higher.

With the warehouse cost of the orders' historic plants the rule gives 15,707,152.99 for all 9,215 orders, the figure known for them.

    python bench/route_brunel.py [--orders 1000] [--seed 1] [--write FOLDER]

`--write` leaves the drawn orders and the rate cards as CSV, for

    cbec route plan --shipments FOLDER/shipments.csv --lanes FOLDER/lanes.csv --report brunel
"""

from __future__ import annotations

import argparse
import csv
import math
import random
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
import polars as pl
from harness import Table, data_folder, timed

from cbec.route import Plan, plan

if TYPE_CHECKING:
    from cbec.core.command import Result

Rows = list[dict[str, Any]]


def typed(name: str, rows: Rows) -> pl.DataFrame:
    return harness.typed(name, pl.DataFrame(rows, infer_schema_length=None))


def read(name: str) -> list[dict[str, str]]:
    with (data_folder("route/brunel") / name).open(encoding="utf-8") as file:
        return [{k: v.strip() for k, v in row.items()} for row in csv.DictReader(file)]


def rate_cards(rates: list[dict[str, str]]) -> Rows:
    seen: Counter[tuple[str, float]] = Counter()
    rows: Rows = []
    for r in rates:
        lane = f"{r['Carrier']}.{r['orig_port_cd']}.{r['svc_cd']}.{r['mode_dsc']}.{r['tpt_day_cnt']}"
        low = float(r["minm_wgh_qty"])
        seen[lane, low] += 1
        rows.append(
            {
                "lane_id": f"{lane}#{seen[lane, low]}",
                "origin": r["orig_port_cd"],
                "destination": f"{r['dest_port_cd']} {r['svc_cd']}",
                "mode": r["mode_dsc"],
                "carrier": r["Carrier"],
                "service": r["svc_cd"],
                "currency": "USD",
                "cost_min": float(r["minimum cost"]),
                "cost_per_kg": float(r["rate"]),
                "break_from_kg": low,
                "break_to_kg": float(r["max_wgh_qty"]),
                "transit_days": float(r["tpt_day_cnt"]),
                "loss_rate": 0.0,
            }
        )
    return rows


def order_rows(orders: list[dict[str, str]]) -> Rows:
    return [
        {
            "shipment_id": o["Order ID"],
            "origin": o["Origin Port"],
            "destination": f"{o['Destination Port']} {o['Service Level']}",
            "weight_kg": float(o["Weight"]),
            "volume_m3": 0.0,
            "goods_value": 0.0,
            "currency": "USD",
            "ready_date": date.fromisoformat(o["Order Date"]),
        }
        for o in orders
    ]


def by_rule(rates: list[dict[str, str]], order: dict[str, str], **more: str) -> float | None:
    """The data set's own price: the cheapest band that holds the weight, of all rows that match."""
    wanted = {"orig_port_cd": order["Origin Port"], "svc_cd": order["Service Level"]} | more
    weight = float(order["Weight"])
    prices = [
        max(float(r["minimum cost"]), float(r["rate"]) * weight)
        for r in rates
        if all(r[k] == v for k, v in wanted.items()) and float(r["minm_wgh_qty"]) <= weight <= float(r["max_wgh_qty"])
    ]
    return min(prices, default=None)


def brunel(table: Table, count: int, seed: int, write: str | None) -> None:
    rates, every = read("FreightRates.csv"), read("OrderList.csv")
    per_unit = {r["WH"]: float(r["Cost/unit"]) for r in read("WhCosts.csv")}
    stored = math.fsum(float(o["Unit quantity"]) * per_unit[o["Plant Code"]] for o in every)
    carried = [o for o in every if o["Service Level"] != "CRF"]
    drawn = random.Random(seed).sample(sorted(carried, key=lambda o: o["Order ID"]), min(count, len(carried)))
    for name, orders in ((f"{len(drawn)} orders", drawn), ("every order", carried)):
        cards, goods = typed("lanes", rate_cards(rates)), typed("shipments", order_rows(orders))
        if write is not None and orders is drawn:
            Path(write).mkdir(parents=True, exist_ok=True)
            cards.write_csv(Path(write) / "lanes.csv")
            goods.write_csv(Path(write) / "shipments.csv")
        result, cpu = timed(lambda g=goods, c=cards: plan(g, c, s=Plan()))
        found = compare(result, orders, rates)
        table.rows.append({"plan": name, "CPU s": cpu} | found)
        if orders is carried:
            by_rule_, ours = stored + found["freight rule"], stored + found["freight ours"]
            table.notes.append(
                f"with the warehouse cost of the historic plants: {by_rule_:,.2f} by the rule (known: 15,707,152.99), {ours:,.2f} by cbec"
            )
        for f in result.findings[:3]:
            print("finding:", f.severity, f.rule, f.entity, f.message)
        print("rules met:", Counter(f.rule for f in result.findings))
    table.notes.append(
        "rule: the cheapest row that holds the weight, by plain Python; lower: paying the next band's minimum weight is cheaper, or the "
        "weight lies between the bounds of two bands (249.99 | 250), which the rule has no price for"
    )
    table.notes.append("own carrier: orders whose own carrier and days stand in the rate cards, priced by the rule")


def compare(result: Result, orders: list[dict[str, str]], rates: list[dict[str, str]]) -> dict[str, Any]:
    options = result.tables["options"]
    ours = dict(options.filter(pl.col("option_rank") == 1).select("shipment_id", "freight").iter_rows())
    counts: Counter[str] = Counter()
    sums: dict[str, float] = defaultdict(float)
    cache: dict[tuple[str, ...], float | None] = {}
    for order in orders:
        key = (order["Origin Port"], order["Service Level"], order["Weight"])
        if key not in cache:
            cache[key] = by_rule(rates, order)
        rule, got = cache[key], ours.get(order["Order ID"])
        if got is None or rule is None:
            counts["no price by either" if got is rule else "only ours" if rule is None else "only the rule"] += 1
            continue
        counts["equal" if abs(got - rule) < 0.006 else "lower" if got < rule else "HIGHER"] += 1
        sums["ours"] += got
        sums["rule"] += rule
        own_key = (*key, order["Carrier"], order["TPT"])
        if own_key not in cache:
            cache[own_key] = by_rule(rates, order, Carrier=order["Carrier"], tpt_day_cnt=order["TPT"])
        own = cache[own_key]
        if own is not None:
            counts["own carrier"] += 1
            sums["own"] += own
            sums["ours of those"] += got
    return {
        "with option %": round(100 * len(ours) / len(orders), 2),
        "equal to the rule": counts["equal"],
        "lower": counts["lower"],
        "higher": counts["HIGHER"],
        "only ours": counts["only ours"],
        "only the rule": counts["only the rule"],
        "no price by either": counts["no price by either"],
        "freight ours": round(sums["ours"], 6),
        "freight rule": round(sums["rule"], 6),
        "own carrier": counts["own carrier"],
        "freight own": round(sums["own"], 6),
        "ours of those": round(sums["ours of those"], 6),
    }


def large(table: Table, shipments: int, lanes: int) -> None:
    """As many shipments over as many rows of rate cards: 12 origins, 25 hubs, 15 destinations, 4 breaks a lane."""
    rng = random.Random(7)
    origins, hubs, ends = ([f"{k}{i:02d}" for i in range(n)] for k, n in (("CN", 12), ("HB", 25), ("XX", 15)))
    cards: Rows = []
    for i in range(lanes // 4):
        start, end = rng.choice([(origins, ends), (origins, hubs), (hubs, ends)])
        days = rng.randint(2, 40)
        for low, high, step in ((0, 45, 1.0), (45, 100, 0.9), (100, 500, 0.8), (500, None, 0.7)):
            cards.append(
                {
                    "lane_id": f"L{i:05d}", "origin": start[i % len(start)], "destination": end[i // 7 % len(end)],
                    "mode": "air" if days < 9 else "sea", "currency": "USD", "cost_min": 50.0, "cost_per_kg": 40 / (days + 4) * step,
                    "break_from_kg": float(low), "break_to_kg": high if high is None else float(high), "dim_divisor": 6000.0,
                    "transit_days": float(days), "transit_sd_days": days / 8, "departures": rng.choice(["Mon|Thu", "Fri", None]),
                    "loss_rate": 0.001, "distance_km": 9000.0,
                }
            )  # fmt: skip
    goods = [
        {
            "shipment_id": f"S{i:05d}", "origin": rng.choice(origins), "destination": rng.choice(ends),
            "weight_kg": rng.lognormvariate(5, 1), "volume_m3": rng.lognormvariate(0, 1), "goods_value": rng.lognormvariate(9, 1),
            "currency": "USD", "ready_date": date(2026, 10, 5) + timedelta(days=rng.randint(0, 30)),
            "due_date": date(2026, 12, 1), "late_cost_per_day": 50.0,
        }
        for i in range(shipments)
    ]  # fmt: skip
    result, cpu = timed(lambda: plan(typed("shipments", goods), typed("lanes", cards), s=Plan()))
    served = result.metrics["with_option"]
    table.rows.append(
        {
            "plan": f"{shipments} shipments x {len(cards)} rows, made up",
            "CPU s": cpu,
            "with option %": 100 * served / shipments,
        }
    )
    table.notes.append(
        f"the made-up plan found {result.metrics['ways_found']} ways; "
        + " ".join(n for n in result.notes if "ruled out" in n)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", metavar="FOLDER")
    chosen = parser.parse_args()
    table = Table("route_brunel", "Route plan over the rate cards of Brunel's supply chain problem")
    brunel(table, chosen.orders, chosen.seed, chosen.write)
    large(table, 1000, 10_000)
    table.finish()


if __name__ == "__main__":
    main()
