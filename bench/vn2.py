"""VN2 inventory planning: weekly orders for 599 store x product items by `cbec forecast backtest`, `demand` and `replenish`, replayed
in five windows inside the history (an order is sold three weeks later, 1.0 per lost unit, 0.2 per unit in stock at the end of
a week).

Before each window the stock replay of `forecast backtest` chooses the factor in the critical ratio (how many times a lost unit counts), from the history until then alone.
At each of six decisions the history is forecast three weeks ahead, and `forecast replenish` orders what is lacking where unmet demand
is lost. The simulator that scores is taken from the folder that --simulator names, where vn2_sim.py lies. `--part dev` plays three
earlier windows.

    python bench/vn2.py [--part test|dev] [--simulator FOLDER]
    python bench/vn2.py --write-orders orders.csv [--data FOLDER] [--factor F] [--write-tables FOLDER]

The second writes the orders of a round: FOLDER holds the history until today, the stock and what is on its way (history,
initial_state and master as the contest published them, Parquet or CSV). --write-tables keeps what the commands of cbec are given.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import Table, cpu_here, data_folder, typed

from cbec.forecast import Demand, Replenish, StockBacktest, backtest, demand, replenish
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR

ORIGINS = {"test": (105, 118, 131, 141, 149), "dev": (81, 89, 97)}
FACTORS = (0.4, 0.5, 0.63, 0.8, 1.0)
#: Weeks from the order to the shelf, of a round, and from one order to the next; what a unit costs is 1.
LEAD, ROUND, REVIEW = 2, 8, 1
HOLDING, SHORTAGE = 0.2, 1.0
BY = "sku,warehouse"
PEERS = (
    ("no orders", 11338.5),
    ("the contest's rule (four weeks of the seasonal mean)", 6024.4),
    ("Normal base stock, best of four levels seen afterwards", 5602.2),
    ("negative binomial base stock, best of four levels seen afterwards", 5639.3),
)


@dataclass
class Now:
    """What a policy sees."""

    on_hand: Any
    transit: Any


def read(folder: Path, name: str) -> pl.DataFrame:
    """A table of the contest, Parquet or CSV."""
    path = folder / f"{name}.parquet"
    return pl.read_parquet(path) if path.exists() else pl.read_csv(folder / f"{name}.csv", try_parse_dates=True)


class World:
    """The contest as tables of cbec: a product is a SKU, a store a warehouse."""

    def __init__(self, folder: Path) -> None:
        key = ["Store", "Product"]
        state = read(folder, "initial_state").sort(key)
        named = [pl.col("Product").cast(pl.String).alias("sku"), pl.col("Store").cast(pl.String).alias("warehouse")]
        self.items, self.names = state.select(key), state.select(named)
        history = read(folder, "history").join(self.items, on=key, how="semi")
        self.sales = typed(
            "sales", history.select(pl.col("week_start").alias("date"), *named, pl.col("sales").alias("units"), "in_stock")
        )  # fmt: skip
        self.dates = history["week_start"].unique().sort().to_list()
        kinds = read(folder, "master").select(named[0], category=pl.col("ProductGroup").cast(pl.String))
        kinds = kinds.unique("sku", keep="first", maintain_order=True)
        self.products = typed("products", kinds.with_columns(unit_cost=pl.lit(1.0), currency=pl.lit("EUR")))
        rate = HOLDING * DAYS_OF_YEAR / (7 * REVIEW)
        policy = {"lead_time_days": 7.0 * LEAD, "review_days": 7.0 * REVIEW, "holding_rate": rate}
        self.policies = typed(
            "policies", pl.DataFrame([policy | {"shortage_cost": SHORTAGE, "target": "cost_carry_over"}])
        )
        names = ("End Inventory", "In Transit W+1", "In Transit W+2")
        on_hand, *transit = (state[n].cast(pl.Float64).to_numpy() for n in names)
        self.now = Now(on_hand, transit)
        self.data = (self.items, self._grid(history, key), np.array(self.dates, "datetime64[D]"), self.now.on_hand, transit)  # fmt: skip
        self.seconds = 0.0

    def _grid(self, history: pl.DataFrame, key: list[str]) -> np.ndarray:
        """Units per item and week, NaN = out of stock, as the simulator has them."""
        units = pl.when("in_stock").then(pl.col("sales").cast(pl.Float64)).alias("units")
        weeks = pl.DataFrame({"week_start": self.dates})
        whole = self.items.join(weeks, how="cross").join(
            history.select(*key, "week_start", units), on=[*key, "week_start"], how="left", maintain_order="left"
        )
        return whole["units"].to_numpy().reshape(self.items.height, len(self.dates))

    def known(self, weeks: int) -> tuple[pl.DataFrame, date]:
        """The sales of the first weeks, and the day of the last one."""
        last = self.dates[weeks - 1]
        return self.sales.filter(pl.col("date") <= last), last

    @cache  # noqa: B019 - one world per run
    def factor(self, weeks: int) -> float:
        """The factor in the critical ratio that `forecast backtest` chooses on the first weeks."""
        begin = cpu_here()
        sales, last = self.known(weeks)
        s = StockBacktest(horizon=ROUND, frequency="W", by=BY, unmet="lost", as_of=last)
        found = backtest(sales, self.products, policies=self.policies, s=s).metrics["ratio_factor"]
        self.seconds += cpu_here() - begin
        return float(found)

    @cache  # noqa: B019
    def forecast(self, weeks: int) -> pl.DataFrame:
        """Demand of the weeks after the first ones."""
        begin = cpu_here()
        sales, last = self.known(weeks)
        s = Demand(horizon=LEAD + REVIEW, frequency="W", by=BY, as_of=last)
        made = typed("forecast", demand(sales, self.products, s=s).tables["forecast"])
        self.seconds += cpu_here() - begin
        return made

    def stock(self, now: Now, today: date) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The tables inventory and inbound on the evening of a week's last day."""
        inventory = self.names.with_columns(on_hand=pl.Series(now.on_hand))
        coming = [
            self.names.with_columns(qty=pl.Series(units), arrival_date=pl.lit(today + timedelta(days=1 + 7 * i)))
            for i, units in enumerate(now.transit)
        ]
        return typed("inventory", inventory), typed("inbound", pl.concat(coming).filter(pl.col("qty") > 0))

    def orders(self, factor: float, now: Now, weeks: int) -> np.ndarray:
        """Units to order, in the order of the items."""
        inventory, inbound = self.stock(now, self.dates[weeks - 1] + timedelta(days=6))
        s = Replenish(unmet="lost", ratio_factor=factor)
        made = replenish(self.forecast(weeks), inventory, self.policies, inbound, products=self.products, s=s)
        rows = self.names.join(made.tables["replenishment"], on=["sku", "warehouse"], how="left", maintain_order="left")
        return rows["order_qty"].fill_null(0.0).to_numpy()


def write(world: World, factor: float | None, path: Path, tables: Path | None) -> None:
    """The orders of the round that begins after the last week of the history."""
    weeks = len(world.dates)
    chosen = factor or world.factor(weeks)
    order = world.orders(chosen, world.now, weeks)
    world.items.with_columns(order_qty=pl.Series(order.astype(int)), factor=pl.lit(chosen)).write_csv(path)
    print(f"{int(order.sum())} units in {int((order > 0).sum())} of {len(order)} orders, factor {chosen:g} -> {path}")
    if tables is not None:
        tables.mkdir(parents=True, exist_ok=True)
        inventory, inbound = world.stock(world.now, world.dates[-1] + timedelta(days=6))
        every = {"sales": world.sales, "products": world.products, "policies": world.policies, "inventory": inventory, "inbound": inbound}  # fmt: skip
        for name, frame in every.items():
            frame.select(c for c in frame.columns if frame[c].null_count() < max(frame.height, 1)).write_csv(
                tables / f"{name}.csv"
            )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--part", choices=tuple(ORIGINS), default="test")
    options.add_argument("--simulator", type=Path, help="folder of vn2_sim.py")
    options.add_argument("--write-orders", type=Path, help="write the orders of this round here (CSV)")
    options.add_argument(
        "--write-tables", type=Path, help="and the tables that the commands were given into this folder"
    )
    options.add_argument("--data", type=Path, help="folder of history, initial_state and master")
    options.add_argument("--factor", type=float, help="in the critical ratio; default: chosen on the history")
    chosen = options.parse_args()
    world = World(chosen.data or data_folder("forecast/vn2"))
    if chosen.write_orders:
        write(world, chosen.factor, chosen.write_orders, chosen.write_tables)
        return
    simulator = chosen.simulator or data_folder("forecast").parents[1] / "peers" / "forecast"
    if not (simulator / "vn2_sim.py").exists():
        sys.exit(f"no vn2_sim.py in {simulator}: name its folder with --simulator")
    sys.path.insert(0, str(simulator))
    os.environ.setdefault("CBEC_SHARED_DATA", str(data_folder("forecast").parent))
    import vn2_sim

    def cost(factor: float, origin: int) -> float:
        def policy(d: Any) -> np.ndarray:
            return world.orders(factor, Now(d.on_hand, d.transit), origin + d.week)

        return float(vn2_sim.replay(policy, origin, world.data).cost)

    out = Table(f"vn2_{chosen.part}", f"VN2, {chosen.part}: cost of 8 weeks, orders of weeks 0..5")
    for origin in ORIGINS[chosen.part]:
        factor = world.factor(origin)
        after = {f: cost(f, origin) for f in sorted({*FACTORS, factor})}
        rule = vn2_sim.replay(vn2_sim.benchmark_rule, origin).cost
        tried = {f"x {f:g}": after[f] for f in FACTORS}
        out.rows.append(
            {"weeks known": origin, "factor": factor, "cbec": after[factor], "contest's rule": rule, **tried}
        )
    figures = [name for name in out.rows[0] if name not in ("weeks known", "factor")]
    out.rows.append({"weeks known": "mean"} | {name: float(np.mean([r[name] for r in out.rows])) for name in figures})
    if chosen.part == "test":
        out.notes += [f"{name}, measured: {figure:,.0f}" for name, figure in PEERS]
    out.notes.append("columns `x f`: one factor in the critical ratio for all windows, seen afterwards")
    out.notes.append(f"CPU of forecasts and backtests: {world.seconds:.0f} s")
    out.finish()


if __name__ == "__main__":
    main()
