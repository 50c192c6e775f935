"""VN2 inventory planning: weekly orders for 599 store x product items from the quantiles of `forecast demand`, replayed in
five windows inside the history (lead time 3 weeks, 1.0 per lost unit, 0.2 per unit in stock at the end of a week).

At each of six decisions the history up to then is forecast three weeks ahead, and demand drawn from the forecast. The order is a
quantile of what the week of its arrival lacks (what is lost before does not wait); its level the one that would have cost
least in the windows before, none of whose weeks is later than the decision. The simulator is
taken from the folder that --simulator names, where vn2_sim.py lies. `--part dev` plays three earlier windows.

    python bench/vn2.py [--part test|dev] [--simulator FOLDER]
    python bench/vn2.py --write-orders orders.csv [--data FOLDER] [--week N] [--level P]

The second writes the orders of a round: FOLDER holds the history until today, the stock and what is on its way
(history, initial_state and master as the contest published them); the level is chosen on windows of that history.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import ROOT, Table, cpu_here, data_folder

sys.path.insert(0, str(ROOT))

from cbec.forecast import Demand, demand
from cbec.methods import counts

ORIGINS = {"test": (105, 118, 131, 141, 149), "dev": (81, 89, 97)}
#: Levels tried, and windows before on which they are judged.
LEVELS = (0.5, 0.6, 0.65, 0.7, 0.74, 0.78, 0.82, 0.86, 0.9)
BEFORE = (8, 14, 20, 26, 32)
LEAD, DRAWS = 3, 1000
#: No order follows the last one (of six), and what is left after its week costs nothing more: its level is higher by this,
#: the better of 0 and 0.05 on the windows of --part dev.
LAST, MORE = 5, 0.05
PEERS = (
    ("no orders", 11338.5),
    ("the contest's rule (four weeks of the seasonal mean)", 6024.4),
    ("Normal base stock, best of four levels seen afterwards", 5602.2),
    ("negative binomial base stock, best of four levels seen afterwards", 5639.3),
)


def load(folder: Path) -> tuple[Any, ...]:
    """Items, units per item and week (NaN = out of stock), weeks, stock, and what arrives in the next two weeks."""
    key = ["Store", "Product"]
    state = pl.read_parquet(folder / "initial_state.parquet").sort(key)
    long = pl.read_parquet(folder / "history.parquet").select(
        *key, "week_start", units=pl.when("in_stock").then(pl.col("sales").cast(pl.Float64))
    )
    dates = long["week_start"].unique().sort()
    grid = state.select(key).join(dates.to_frame(), how="cross").join(long, on=[*key, "week_start"], how="left")
    units = grid.sort(*key, "week_start")["units"].to_numpy().reshape(state.height, len(dates))
    names = ("End Inventory", "In Transit W+1", "In Transit W+2")
    stock = [state[name].cast(pl.Float64).to_numpy() for name in names]
    return state.select(key), units, dates.to_numpy().astype("datetime64[D]"), stock[0], stock[1:]


@dataclass
class Now:
    """What a policy sees."""

    on_hand: Any
    transit: Any
    week: int = 0


class World:
    """The history as sales rows, and its forecasts by the number of weeks known."""

    def __init__(self, folder: Path, replay: Any) -> None:
        self.items, self.y, self.dates, *self.state = load(folder)
        self.replay = replay
        master = pl.read_parquet(folder / "master.parquet")
        self.products = master.select(
            sku=pl.col("Product").cast(pl.String), category=pl.col("ProductGroup").cast(pl.String)
        ).unique("sku", keep="first", maintain_order=True)
        row, week = np.indices(self.y.shape)
        self.rows = pl.DataFrame(
            {
                "date": pl.Series(self.dates)[week.ravel()],
                "week": week.ravel(),
                "sku": self.items["Product"].cast(pl.String)[row.ravel()],
                "market": self.items["Store"].cast(pl.String)[row.ravel()],
                "units": np.nan_to_num(self.y).ravel(),
                "in_stock": ~np.isnan(self.y).ravel(),
            }
        )
        self.seconds = 0.0

    @cache  # noqa: B019 - one world per run
    def draws(self, known: int) -> np.ndarray:
        """3 x n x DRAWS units of the next weeks, from the first `known` weeks: negative binomials of the forecast's mean and
        upper quantiles."""
        begin = cpu_here()
        as_of: date = self.dates[known - 1].astype(date)
        frame = self.rows.filter(pl.col("week") < known).drop("week")
        made = demand(frame, self.products, s=Demand(horizon=LEAD, frequency="W", as_of=as_of)).tables["forecast"]
        grid = pl.DataFrame(
            {"sku": self.items["Product"].cast(pl.String), "market": self.items["Store"].cast(pl.String)}
        )
        whole = grid.with_row_index("row").join(pl.DataFrame({"h": np.arange(1, LEAD + 1)}), how="cross")
        columns = ["mean", "q90", "q95", "q99"]
        whole = whole.join(made.select("sku", "market", "h", *columns), on=["sku", "market", "h"], how="left")
        whole = whole.sort("row", "h").fill_null(0.0)
        self.seconds += cpu_here() - begin
        mean = np.maximum(whole["mean"].to_numpy(), 1e-9)
        ratio = counts.dispersion(mean, [whole[c].to_numpy() for c in columns[1:]], np.zeros(len(mean), np.int64))
        ratio = np.maximum(ratio, 1.001)
        rng = np.random.default_rng(known)
        made = rng.negative_binomial((mean / (ratio - 1))[:, None], (1 / ratio)[:, None], (len(mean), DRAWS))
        return made.reshape(-1, LEAD, DRAWS).transpose(1, 0, 2).astype(float)

    def policy(self, level: float, shift: int) -> Any:
        """Orders at decision w of a window that begins after `shift` weeks."""

        def order(d: Any) -> np.ndarray:
            draws = self.draws(shift + d.week)
            left = np.maximum((d.on_hand + d.transit[0])[:, None] - draws[0], 0)
            left = np.maximum(left + d.transit[1][:, None] - draws[1], 0)
            reach = min(level + (MORE if d.week == LAST else 0.0), 0.95)
            return np.maximum(np.quantile(draws[2] - left, reach, axis=1, method="inverted_cdf"), 0)

        return order

    @cache  # noqa: B019
    def cost(self, level: float, origin: int) -> float:
        data = (self.items, self.y, self.dates, *self.state)
        return float(self.replay(self.policy(level, origin), origin, data).cost)

    def best(self, origin: int) -> float:
        """The level that cost least in the windows before."""
        return min(LEVELS, key=lambda p: (sum(self.cost(p, origin - b) for b in BEFORE), p))


def write_orders(world: World, level: float, path: Path, week: int) -> None:
    """The orders of the round that begins after the last week of the history. week: of the contest, 0 to 5."""
    order = world.policy(level, world.y.shape[1] - week)(Now(*world.state, week))
    frame = world.items.with_columns(order_qty=pl.Series(order.astype(int)), level=pl.lit(level))
    frame.write_csv(path)
    print(f"{int(order.sum())} units in {int((order > 0).sum())} of {len(order)} orders at level {level:g} -> {path}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--part", choices=tuple(ORIGINS), default="test")
    options.add_argument("--simulator", type=Path, default=data_folder("forecast").parents[1] / "peers" / "forecast")
    options.add_argument("--write-orders", type=Path, help="write the orders of this round here (CSV)")
    options.add_argument("--data", type=Path, help="folder of history, initial_state and master")
    options.add_argument("--level", type=float, help="of the orders; default: chosen on windows of the history")
    options.add_argument("--week", type=int, default=0, help="decision of the round, 0 to 5; 5 = no order follows")
    chosen = options.parse_args()
    folder = chosen.data or data_folder("forecast/vn2")
    if chosen.write_orders and chosen.level:
        write_orders(World(folder, None), chosen.level, chosen.write_orders, chosen.week)
        return
    if not (chosen.simulator / "vn2_sim.py").exists():
        sys.exit(f"no vn2_sim.py in {chosen.simulator}: name its folder with --simulator")
    sys.path.insert(0, str(chosen.simulator))
    os.environ.setdefault("CBEC_SHARED_DATA", str(data_folder("forecast").parent))
    import vn2_sim

    world = World(folder, vn2_sim.replay)
    if chosen.write_orders:
        write_orders(world, world.best(world.y.shape[1]), chosen.write_orders, chosen.week)
        return
    out = Table(f"vn2_{chosen.part}", f"VN2, {chosen.part}: cost of 8 weeks, orders of weeks 0..5")
    costs, rule = [], []
    for origin in ORIGINS[chosen.part]:
        level = world.best(origin)
        costs.append(world.cost(level, origin))
        rule.append(vn2_sim.replay(vn2_sim.benchmark_rule, origin).cost)
        after = {f"at {p:g}": world.cost(p, origin) for p in LEVELS}
        out.rows.append({"weeks known": origin, "level": level, "cbec": costs[-1], "contest's rule": rule[-1], **after})
    mean = {"weeks known": "mean", "cbec": float(np.mean(costs)), "contest's rule": float(np.mean(rule))}
    mean |= {f"at {p:g}": float(np.mean([world.cost(p, o) for o in ORIGINS[chosen.part]])) for p in LEVELS}
    out.rows.append(mean)
    if chosen.part == "test":
        out.notes += [f"{name}, measured: {cost:,.0f}" for name, cost in PEERS]
    out.notes.append("columns `at p`: one level for all windows, seen afterwards")
    out.notes.append(f"CPU of all forecasts: {world.seconds:.0f} s")
    out.finish()


if __name__ == "__main__":
    main()
