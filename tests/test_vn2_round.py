"""The orders of a round of VN2 from its published files are those of the commands on the tables that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parent.parent


def test_a_round_from_its_files(cbec, tmp_path):
    rng, weeks = np.random.default_rng(3), 60
    pairs = pl.DataFrame({"Store": [1, 1, 2, 2], "Product": [10, 11, 10, 12]})
    days = pl.DataFrame({"week_start": [date(2023, 2, 20) + timedelta(days=7 * i) for i in range(weeks)]})
    long = pairs.join(days, how="cross")
    long = long.with_columns(
        sales=pl.Series(rng.poisson(3.0, long.height)), in_stock=pl.Series(rng.random(long.height) > 0.1)
    )
    long.write_csv(tmp_path / "history.csv")
    state = {"End Inventory": [0, 9, 2, 40], "In Transit W+1": [0, 0, 3, 0], "In Transit W+2": [1, 0, 0, 0]}
    pairs.with_columns(pl.Series(name, units) for name, units in state.items()).write_csv(
        tmp_path / "initial_state.csv"
    )
    pairs.with_columns(ProductGroup=pl.lit(7)).write_csv(tmp_path / "master.csv")
    words = [
        ROOT / "bench" / "vn2.py",
        "--data",
        tmp_path,
        "--write-orders",
        tmp_path / "orders.csv",
        "--write-tables",
        tmp_path,
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    orders = pl.read_csv(tmp_path / "orders.csv").sort("Product", "Store")
    assert orders["order_qty"].dtype == pl.Int64 and orders["order_qty"].min() >= 0
    assert orders.filter(Product=12)["order_qty"].item() == 0  # 40 in stock
    made = cbec(
        "forecast", "demand", "--sales", "sales.csv", "--products", "products.csv", "--by", "sku,warehouse", "--frequency", "W",
        "--horizon", "3", "-o", "f.csv",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    made = cbec(
        "forecast", "replenish", "--forecast", "f.csv", "--inventory", "inventory.csv", "--inbound", "inbound.csv", "--policies",
        "policies.csv", "--products", "products.csv", "--unmet", "lost", "--ratio-factor", orders["factor"][0], "-o", "o.csv",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert pl.read_csv(tmp_path / "o.csv")["order_qty"].to_list() == orders["order_qty"].to_list()
