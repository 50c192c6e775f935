"""`cbec demo` as a newcomer runs it, and the truths planted in the sample company asked back of the product."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def truths(demo):
    import yaml

    return yaml.safe_load((demo / "data" / "truths.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def orders(demo):
    frame = pl.read_parquet(demo / "report" / "orders" / "replenishment.parquet")
    return {f"{row['sku']}@{row['warehouse']}": row for row in frame.iter_rows(named=True)}


@pytest.fixture(scope="module")
def tax(demo):
    frame = pl.read_parquet(demo / "report" / "tax" / "tax.parquet")
    return {(row["order_id"], row["line"]): row for row in frame.iter_rows(named=True)}


def planted(truths, kind: str) -> str:
    return next(order["order_id"] for order in truths["orders"] if order["kind"] == kind)


def test_every_stage_leaves_its_report(demo):
    run = json.loads((demo / "report" / "run.json").read_text("utf-8"))
    assert run["status"] == 0
    assert len(run["stages"]) >= 17
    for stage in (told["name"] for told in run["stages"]):
        for name in ("report.html", "report.md", "summary.json", "run.json"):
            assert (demo / "report" / stage / name).stat().st_size > 0
        page = (demo / "report" / stage / "report.html").read_text("utf-8")
        assert "<script" not in page
        assert len(page) < 3_000_000
    assert 'href="demand/report.html"' in (demo / "report" / "index.html").read_text("utf-8")


def test_what_one_stage_learns_the_next_one_uses(demo):
    import yaml

    measured = pl.read_csv(demo / "work" / "policies.csv", infer_schema=False)
    told = pl.read_csv(demo / "data" / "policies.csv", infer_schema=False)
    assert measured.height > told.height  # lead times as suppliers keep them, beside those of the policies
    shipped = pl.read_csv(demo / "work" / "shipments.csv", infer_schema=False)["shipment_id"].to_list()
    planned = pl.read_csv(demo / "out" / "routes.csv", infer_schema=False)["shipment_id"].unique().to_list()
    assert shipped
    assert set(shipped) <= set(planned)
    stages = yaml.safe_load((demo / "pipeline.yaml").read_text("utf-8"))["stages"]
    assert {stage["command"].split()[0] for stage in stages.values()} >= {
        "forecast", "route", "warehouse", "fx", "fraud", "compliance", "settle", "supplier", "monitor",
    }  # fmt: skip


def test_landed_profit_opens_the_index_and_adds_up(demo):
    rows = pl.read_parquet(demo / "report" / "profit" / "landed_profit.parquet")
    costs = ("goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud")
    figures = rows.select(pl.col(pl.Decimal).cast(pl.Float64).fill_null(0))
    left = figures.select(pl.col("revenue") + pl.col("fx") - pl.sum_horizontal(costs)).to_series()  # fx: gain in +
    assert (left - figures["profit"]).abs().max() < 0.02
    index = (demo / "report" / "index.html").read_text("utf-8")
    total = rows["profit"].sum()  # exact: a total of half a unit is rounded as the page does
    assert "Landed profit" in index
    assert f"{total:,.0f}" in index


def test_money_stands_in_the_home_currency(demo):
    money = json.loads((demo / "report" / "orders" / "summary.json").read_text("utf-8"))["money"]
    assert money["currency"] == "CNY"
    assert money["difference"] == pytest.approx(money["proposed"] - money["today"], abs=0.02)
    assert money["low"] <= money["difference"] <= money["high"]


def test_the_forecast_beats_both_rivals_from_past_origins(demo):
    rows = pl.read_parquet(demo / "report" / "backtest" / "backtest.parquet")
    overall = rows.filter((pl.col("demand_class") == "all") & (pl.col("horizon") == "all"))
    wape = dict(overall.select("model", "wape").iter_rows())
    assert wape["cbec"] < wape["seller_formula"] < wape["seasonal_naive"]
    coverage = overall.filter(pl.col("model") == "cbec")["coverage_90"][0]
    assert 0.85 <= coverage <= 0.95


def test_stock_outs_are_masked(demo, truths):
    prepared = pl.read_parquet(demo / "report" / "demand" / "prepared.parquet")
    masked = prepared.filter(pl.col("units").is_null())
    hidden = 0
    for window in truths["stock_outs"]:
        first, last = window["from"], window["to"]
        for market in window["market"].split("|"):
            weeks = prepared.filter((pl.col("sku") == window["sku"]) & (pl.col("market") == market))
            # Weeks that lie wholly in the window know nothing of demand.
            whole = weeks.filter((pl.col("date") >= first) & (pl.col("date").dt.offset_by("6d") <= last))
            assert whole["units"].null_count() == whole.height, window
            hidden += whole.height
    assert hidden > 20
    assert masked.height >= hidden


def test_delisted_items_are_forecast_at_nothing_and_said_so(demo, truths):
    record = pl.read_parquet(demo / "report" / "demand" / "model_record.parquet")
    forecast = pl.read_parquet(demo / "report" / "demand" / "forecast.parquet")
    gone = [sku for sku, day in truths["delisted_items"].items() if (date(2026, 9, 30) - day).days > 26 * 7 + 7]
    assert gone
    for sku in gone:
        classes = record.filter(pl.col("sku") == sku)["demand_class"].unique().to_list()
        assert classes == ["obsolete"], sku
        assert forecast.filter(pl.col("sku") == sku)["mean"].sum() == 0


def test_items_that_run_out_are_told_in_time(orders, truths):
    for item in truths["running_out"]:
        row = orders[item]
        assert row["order_qty"] > 0, item
        assert row["p_stockout"] > 0.5, item
        assert row["stockout_date"] < row["arrival_date"], item


def test_overstock_and_stock_on_its_way_are_not_ordered_again(orders, truths):
    for item in truths["overstock"]:
        assert orders[item]["order_qty"] == 0, item
        assert orders[item]["reason_code"] == "overstock", item
    for item in truths["covered_by_inbound"]:
        assert orders[item]["order_qty"] == 0, item


def test_parcels_at_and_over_the_limits(tax, truths):
    def lines(kind):
        order = planted(truths, kind)
        return [row for (order_id, _), row in tax.items() if order_id == order]

    for kind in ("eu_at_limit", "eu_two_lines_at_limit", "eu_shipping_over_limit"):
        assert {row["scheme"] for row in lines(kind)} == {"IOSS"}, kind
    for kind in ("eu_over_limit", "eu_two_lines_over_limit"):
        assert {row["scheme"] for row in lines(kind)} == {"IMPORT"}, kind
    for kind in ("gb_at_limit", "gb_two_lines_at_limit"):
        assert all(row["duty"] == 0 and row["collected_by"] != "customs" for row in lines(kind)), kind
    assert all(row["collected_by"] == "customs" for row in lines("gb_over_limit"))
    assert sum(row["duty"] for row in lines("eur3_two_subheadings")) == Decimal("6.00")
    assert sum(row["duty"] for row in lines("eur3_one_subheading")) == Decimal("3.00")
    assert sum(row["duty"] for row in lines("eur3_day_before")) == Decimal("0.00")
    assert [(row["scheme"], row["total"]) for row in lines("jp")] == [("DE_MINIMIS", 0)]
    # Two packets at EUR 10.70, tax included, hold EUR 1.40 at the 7 % of tea.
    assert [(row["tax_rate"], row["tax"]) for row in lines("reduced_rate_de")] == [(7, Decimal("1.40"))]


def test_what_no_rule_covers_is_undetermined_and_without_a_figure(tax, truths):
    for kind in ("us", "no_duty_rate", "northern_ireland", "helgoland"):
        order = planted(truths, kind)
        for (order_id, _), row in tax.items():
            if order_id == order:
                assert row["status"] == "UNDETERMINED", kind
                assert row["tax"] is None, kind
                assert row["reason"], kind


def test_determined_lines_are_cited_and_add_up(tax):
    for key, row in tax.items():
        if row["status"] == "OK":
            assert row["rule_ids"], key
            assert row["citation"], key
            assert row["total"] == row["duty"] + row["tax"] + row["other_charges"], key


def test_a_refund_takes_back_what_the_sale_paid(tax, truths):
    order = planted(truths, "refund_full")
    rows = [row for (order_id, _), row in tax.items() if order_id == order]
    assert sum(row["tax"] for row in rows) == 0
    assert any(row["tax"] < 0 for row in rows)


def test_a_second_run_finds_nothing_to_do(demo, tmp_path):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    demo = shutil.copytree(demo, tmp_path / "again")
    before = {p: p.stat().st_mtime_ns for p in (demo / "out").iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "cbec", "run", "pipeline.yaml"],
        cwd=demo,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "0 run" in done.stderr
    assert {p: p.stat().st_mtime_ns for p in (demo / "out").iterdir()} == before
