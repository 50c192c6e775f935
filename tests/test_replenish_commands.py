"""What a user types: orders within a budget, and the replay that tells the factor."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from support import stockroom as room


def test_orders_within_a_budget_with_their_report(cbec, tmp_path):
    room.forecast(room.poisson(5, 30), room.poisson(2, 30, sku="B")).write_parquet(tmp_path / "f.parquet")
    (tmp_path / "stock.csv").write_text("sku,warehouse,on_hand\nA,W1,3\nB,W1,0\n")
    (tmp_path / "policies.csv").write_text("lead_time_days,review_days,policy,target\n4,7,,cost_carry_over\n")
    (tmp_path / "cover.csv").write_text("market,warehouse\nDE,W1\n")
    (tmp_path / "products.csv").write_text("sku,unit_cost,price,currency\nA,10,15,EUR\nB,4,20,EUR\n")
    words = [
        "forecast",
        "replenish",
        "--forecast",
        "f.parquet",
        "--inventory",
        "stock.csv",
        "--policies",
        "policies.csv",
    ]
    words += ["--coverage", "cover.csv", "--products", "products.csv", "--budget", "300", "--report", "r"]
    done = cbec(*words, "-o", "-")
    assert done.returncode == 0, done.stderr
    rows = pl.read_csv(done.stdout.encode())  # nothing of the solver among the data
    assert (rows["order_qty"] * pl.Series([10, 4])).sum() <= 300 < (rows["wanted_qty"] * pl.Series([10, 4])).sum()
    page = (tmp_path / "r" / "report.html").read_text("utf-8")
    assert "What service costs" in page and "Within the limits" in page
    assert json.loads((tmp_path / "r" / "summary.json").read_text("utf-8"))["metrics"]["limits_status"] == "optimal"
    short = cbec(*words[:-2], "--policy", "wagner_whitin", "--target", "no_such", "-o", "x.csv")
    assert short.returncode == 2


def test_the_replay_of_a_shop_tells_a_factor(cbec, tmp_path):
    rng = np.random.default_rng(5)
    day = pl.date_range(pl.date(2025, 1, 1), pl.date(2025, 6, 30), eager=True)
    sales = [pl.DataFrame({"date": day, "sku": f"S{i}", "units": rng.poisson(2 + i, len(day))}) for i in range(5)]
    pl.concat(sales).write_csv(tmp_path / "sales.csv")
    (tmp_path / "policies.csv").write_text("lead_time_days,review_days\n3,7\n")
    (tmp_path / "products.csv").write_text(
        "sku,unit_cost,price,currency\n" + "".join(f"S{i},10,14,EUR\n" for i in range(5))
    )
    words = ["forecast", "backtest", "--sales", "sales.csv", "--products", "products.csv", "--policies", "policies.csv"]
    done = cbec(*words, "--horizon", "28", "--write-stock-record", "factors.csv", "-o", "b.csv", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    metrics, money = told["metrics"], told["money"]
    assert money["proposed"] == metrics["decision_cost"] and money["today"] == metrics["decision_cost_seller_formula"]
    assert money["currency"] == "EUR" and money["low"] < money["difference"] < money["high"]
    table = pl.read_csv(tmp_path / "b.csv").filter(pl.col("horizon") == "all", pl.col("demand_class") == "all")
    wape, added = (dict(table.select("model", c).rows()) for c in ("wape", "value_added_seller"))
    assert added["cbec"] == pytest.approx(1 - wape["cbec"] / wape["seller_formula"], abs=2e-4)
    assert added["seller_formula"] == 0
    assert 0.2 <= metrics["ratio_factor"] <= 10 and metrics["decision_cost"] > 0
    factors = pl.read_csv(tmp_path / "factors.csv")
    assert factors.filter(pl.col("verdict") == "chosen").height == factors["origin"].n_unique()
    near = cbec(*words, "--horizon", "5", "-o", "b.csv")
    assert near.returncode == 0 and "no decision cost" in near.stderr
