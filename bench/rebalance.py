"""Transfers of a seeded world of six warehouses and 30 lanes, priced by the world's own true cost.

The world (gen_rebalance.py, in the folder that `--peer` names) has normal weekly demand, surges, trucks with a cost per
trip; demand waits, and every unit short at one of three reviews costs. `warehouse rebalance` sees it as tables: a
forecast with quantiles, stock, products, policies, lanes. Peers, as that folder's README has them: a linear programme
without trips, and HiGHS with whole trips, stopped after 60 s.

    python bench/rebalance.py --peer FOLDER [--limit SECONDS] [SKUS SEED ...]      # default 200 7 2000 7
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import Table, timed, typed
from scipy import special

from cbec.tables.demand import LEVELS, QUANTILES
from cbec.warehouse import Rebalance, rebalance

PEERS = {(200, 7): (112_108, 60_978, 60.0), (2000, 7): (568_221, 557_885, 65.8)}
AS_OF = date(2026, 6, 28)


def seen(world: Any) -> dict[str, pl.DataFrame]:
    """The world as the tables that the command reads."""
    skus, places = len(world.skus), len(world.locations)
    keys = {"sku": np.repeat(world.skus, places), "warehouse": np.tile(world.locations, skus)}
    mean, sd = world.mean.ravel(), world.sd.ravel()
    periods = []
    for h in range(1, world.horizon_days // 7 + 1):
        columns: dict[str, Any] = keys | {
            "h": h,
            "date": AS_OF + timedelta(days=7 * h - 6),
            "mean": mean,
            "cum_mean": mean * h,
        }
        for quantile, level in zip(QUANTILES, LEVELS, strict=True):
            z = special.ndtri(level)
            columns[quantile] = np.maximum(mean + z * sd, 0)
            columns[f"cum_{quantile}"] = np.maximum(mean * h + z * sd * np.sqrt(h), 0)
        periods.append(pl.DataFrame(columns))
    forecast = pl.concat(periods).with_columns(as_of=pl.lit(AS_OF), frequency=pl.lit("W"), model=pl.lit("given"))
    lanes = [(i, j) for i in range(places) for j in range(places) if not np.isnan(world.days[i, j])]

    def of(values: np.ndarray) -> list[float]:
        return [float(values[i, j]) for i, j in lanes]

    return {
        "inventory": typed("inventory", pl.DataFrame(keys | {"on_hand": world.on_hand.ravel()})),
        "forecast": typed("forecast", forecast),
        "transfer_lanes": typed(
            "transfer_lanes",
            pl.DataFrame(
                {
                    "from_warehouse": [world.locations[i] for i, _ in lanes],
                    "to_warehouse": [world.locations[j] for _, j in lanes],
                    "transit_days": of(world.days),
                    "cost_per_unit": of(world.lane_unit),
                    "cost_fixed": of(world.lane_trip),
                    "capacity_m3": of(world.truck),
                    "currency": "USD",
                }
            ),
        ),
        "policies": typed(
            "policies",
            pl.DataFrame(
                {
                    "warehouse": world.locations,
                    "lead_time_days": world.horizon_days - world.review_days,
                    "review_days": world.review_days,
                    "holding_rate": world.holding_rate,
                    "storage_cost_m3_day": world.storage,
                }
            ),
        ),
        "products": typed(
            "products",
            pl.DataFrame(
                {
                    "sku": world.skus,
                    "length_cm": 100.0,
                    "width_cm": 100.0,
                    "height_cm": 100 * world.volume,
                    "unit_cost": world.unit_cost,
                    "price": world.unit_cost + world.shortage,
                    "currency": "USD",
                }
            ),
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("numbers", type=int, nargs="*")
    chosen = parser.parse_args()
    sys.path.insert(0, str(chosen.peer))
    import gen_rebalance as world_of

    numbers = chosen.numbers or [200, 7, 2000, 7]
    table = Table("rebalance", "Transfers between six warehouses: true expected cost, USD")
    for skus, seed in zip(numbers[::2], numbers[1::2], strict=True):
        world = world_of.generate(skus, seed)
        given = seen(world)
        nothing = world_of.evaluate(world).total
        case = f"{skus} SKUs, seed {seed}"
        table.rows.append({"world": case, "plan": "do nothing", "cost": round(nothing)})
        if (skus, seed) in PEERS:
            without, whole, cpu = PEERS[skus, seed]
            table.rows.append({"world": case, "plan": "linear programme, trips ignored (peer)", "cost": without})
            table.rows.append({"world": case, "plan": "HiGHS, whole trips, 60 s (peer)", "cost": whole, "CPU s": cpu})
        for seconds in sorted({0.0, chosen.limit}):
            s = Rebalance(unserved="waits", time_limit=seconds)
            result, cpu = timed(lambda s=s, given=given: rebalance(**given, s=s))
            lots = result.tables["stock_transfers"].rename(
                {"from_warehouse": "from_location", "to_warehouse": "to_location"}
            )
            cost = world_of.evaluate(world, world_of.transfers_to_qty(world, lots))
            assert cost.total <= nothing
            row = {"world": case, "plan": f"cbec, --time-limit {seconds:g}", "cost": round(cost.total), "CPU s": cpu}
            row |= {"saves %": 100 * (1 - cost.total / nothing), "trips": cost.trips, "units": cost.units}
            table.rows.append(row | {"status": result.metrics["solver_status"], "gap %": result.metrics["gap_pct"]})
    table.notes.append(
        "bars: 60,978 and 557,885, never above do nothing; the gap is that of the model (demand as gamma)"
    )
    table.finish()


if __name__ == "__main__":
    main()
