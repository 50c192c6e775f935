"""Order days, firm orders and containers of the sample company, asked back through `forecast replenish`."""

from __future__ import annotations

import csv

import polars as pl
import pytest
import yaml

from cbec.core import packaged

COMPANY = ("sales", "products", "inventory", "policies", "inbound", "coverage", "rates")


@pytest.fixture(scope="module")
def sample_folder():
    return packaged.folder("sample_data")


def test_the_planted_order_days_and_firm_orders_are_kept(cbec, tmp_path, sample_folder):
    truths = yaml.safe_load((sample_folder / "truths.yaml").read_text("utf-8"))
    path = {p.name.split(".")[0]: p for p in sample_folder.iterdir()}
    few = pl.read_csv(path["sales"], infer_schema_length=0).filter(pl.col("sku").str.contains("^(PET|KIT)-1[0-2]"))
    few.write_csv(tmp_path / "sales.csv")
    done = cbec(
        "forecast", "demand", "--sales", "sales.csv", "--frequency", "W", "--horizon", "26", "--global-model", "off", "-o", "f.parquet"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tables = [w for name in COMPANY[2:] for w in (f"--{name}", path[name])]
    limits = [w for name in ("order_calendar", "firm_orders", "containers") for w in (f"--{name.replace('_', '-')}", path[name])]  # fmt: skip
    done = cbec(
        "forecast", "replenish", "--forecast", "f.parquet", "--products", path["products"], *tables, *limits, "--home-currency", "CNY",
        "-o", "o.csv", "--write-order-loads", "loads.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (tmp_path / "o.csv").open(encoding="utf-8") as file:
        orders = {f"{r['sku']}@{r['warehouse']}": r for r in csv.DictReader(file)}
    supplier = dict(pl.read_csv(path["products"], infer_schema_length=0).select("sku", "supplier_id").rows())
    planned = truths["order_days"]
    first, bound = str(planned["first"]), set(planned["suppliers"])
    days = {(supplier[r["sku"]] in bound, r["order_date"]) for r in orders.values() if float(r["order_qty"]) > 0}
    assert days == {(True, first), (False, "2026-09-30")}
    for entity, pieces in truths["firm_orders"].items():
        row = orders[entity]
        assert row["reason_code"] == "order_firm" and 0 < float(row["order_qty"]) <= pieces
        assert row["runner_up"] == "lot_for_lot" and float(row["cost"]) < float(row["runner_up_cost"])
    loads = pl.read_csv(tmp_path / "loads.csv")
    assert set(loads["warehouse"]) == {"DEHAM", "GBFXT", "USLAX"} and loads["fill_m3"].max() <= 1


def test_the_planted_surges_are_found(cbec, demo, tmp_path, sample_folder):
    planted = yaml.safe_load((sample_folder / "truths.yaml").read_text("utf-8"))["surging"]
    given = [w for name in ("inventory", "policies", "coverage", "products", "rates") for w in (f"--{name}", sample_folder / f"{name}.csv")]  # fmt: skip
    sold = [w for name in ("sales", "sales_since") for w in ("--sales", sample_folder / f"{name}.csv.gz")]
    done = cbec(
        "forecast", "replenish", "--forecast", demo / "work" / "forecast.parquet", *given, *sold, "--as-of", planted["to"],
        "--home-currency", "CNY", "-o", "o.csv", "--write-findings", "found.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = pl.read_csv(tmp_path / "found.csv").filter(pl.col("rule") == "early_order")
    assert set(planted["items"]) <= set(found["entity"])
    assert found.height <= len(planted["items"]) + 3  # by chance one of 8,000 series is above its 95 % three times
