"""Slotting on the bench made of Online Retail: planned on the training orders, walked on the test orders.

3,920 places in 20 aisles, 14,284 orders to learn from, 4,762 later ones to walk; 306 SKUs are sold in the later part only.
The peers' figures (ABC zones, k-means, sorting by frequency) are those of the data set's README: same tours, same split.
`--peer FOLDER` walks our plans with the evaluator that made them too (eval_slotting.py in that folder).

    python bench/slotbench.py [--peer FOLDER]

The moves start from places drawn at random; they are chosen on the training orders and walked on the test orders.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import polars as pl
from harness import Table, data_folder, timed, typed

from cbec.methods.warehouse import layout, picks, slotting
from cbec.warehouse import Slot, slot

PEERS = {
    "random (mean of 20)": (737.5, 1044.5),
    "ABC zones 80/95": (593.8, 803.1),
    "k-means, 3 clusters": (575.4, 814.4),
    "k-means, 15 clusters with recency": (482.8, 669.3),
    "dock distance by frequency": (542.7, 969.1),
    "within-aisle by frequency": (537.0, 739.2),
    "within-aisle by the test orders themselves": (430.6, 554.9),
}
CARRIES = (200, 1000, 3000)


class Bench:
    def __init__(self, peer: Path | None) -> None:
        folder = data_folder("warehouse/online_retail")
        places = pl.read_parquet(folder / "slotbench_locations.parquet")
        self.lines = pl.read_parquet(folder / "slotbench_order_lines.parquet")
        self.bins = typed(
            "bins",
            places.select(
                bin="location_id",
                distance_m=pl.col("position_m") + 3 * (pl.col("aisle") - 11).abs(),
                aisle=pl.col("aisle").cast(pl.String),
                x=3.0 * pl.col("aisle"),
                y="position_m",
            ),
        )
        self.train, self.test = (self.part(split) for split in ("train", "test"))
        self.products = typed("products", self.lines.select("sku").unique().sort("sku"))
        self.floor = layout.read(self.bins)
        self.number = {b: i for i, b in enumerate(self.floor.bins)}
        self.seen = picks.read(self.test, [])
        self.peer = None
        if peer is not None:
            sys.path.insert(0, str(peer))
            import eval_slotting

            self.peer = eval_slotting

    def part(self, split: str) -> pl.DataFrame:
        part = self.lines.filter(split=split).select(
            "order_id", "sku", line="sku", date=pl.col("order_ts").dt.date(), qty=1
        )
        return typed("order_lines", part)

    def walk(self, plan: dict[str, str]) -> tuple[float, float]:
        place = np.array([self.number[plan[sku]] for sku in self.seen.skus])
        ours = tuple(slotting.walked(self.seen, place, self.floor, p) for p in ("shortest", "s-shape"))
        if self.peer is not None:
            theirs = self.peer.evaluate(self.lines, plan)
            assert np.allclose(ours, (theirs.exact, theirs.s_shape)), (ours, theirs)
        return ours[0], ours[1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", type=Path)
    bench = Bench(parser.parse_args().peer)
    table = Table("slotbench", "Slotting, Online Retail: mean test tour of 4,762 orders, exact and S-shape")
    for name, (exact, shape) in PEERS.items():
        table.rows.append({"slotting": name, "exact": exact, "S-shape": shape})
    for routing in ("s-shape", "shortest", "return"):
        settings = Slot(routing=routing)
        result, cpu = timed(lambda s=settings: slot(bench.train, bench.bins, products=bench.products, s=s))
        plan = dict(result.tables["slotting"].select("sku", "bin").iter_rows())
        exact, shape = bench.walk(plan)
        row = {"slotting": f"cbec warehouse slot, routing {routing}", "exact": exact, "S-shape": shape, "CPU s": cpu}
        table.rows.append(
            row | {"chosen": f"{result.metrics['ranking']}, half-life {result.metrics['half_life_days']} d"}
        )
    chance = np.random.default_rng(0).permutation(bench.floor.bins)
    today = {sku: str(chance[i]) for i, sku in enumerate(bench.products["sku"].to_list())}
    slots = typed("slots", pl.DataFrame({"sku": list(today), "bin": list(today.values())}))
    exact, shape = bench.walk(today)
    table.rows.append({"slotting": "one random slotting, before any move", "exact": exact, "S-shape": shape})
    for most in CARRIES:
        settings = Slot(max_moves=most)
        result, cpu = timed(lambda s=settings: slot(bench.train, bench.bins, slots=slots, products=bench.products, s=s))
        plan = dict(result.tables["slotting"].select("sku", "bin").iter_rows())
        exact, shape = bench.walk(plan)
        name = f"after {result.tables['moves'].height} carries in an order that can be done"
        table.rows.append({"slotting": name, "exact": exact, "S-shape": shape, "CPU s": cpu})
    table.notes.append("bar: at most the within-aisle figures, 537.0 and 739.2")
    table.notes.append("tours agree with the peers' evaluator" if bench.peer else "peers' evaluator not asked (--peer)")
    table.finish()


if __name__ == "__main__":
    main()
