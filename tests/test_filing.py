"""compliance file and watch as a person types them, on the sample company."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import yaml
from support.filed import HOME, OSS_DE, filed, registrations

from cbec import compliance
from cbec.core.errors import UsageFault
from cbec.core.packaged import folder

Cbec = Callable[..., subprocess.CompletedProcess[str]]
SAMPLE = folder("sample_data")


def test_a_quarter_of_the_sample_company(cbec: Cbec, tmp_path: Path) -> None:
    orders, rates, products = (SAMPLE / f"{name}.csv" for name in ("order_lines", "rates", "products"))
    common = ("--order-lines", orders, "--rates", rates)
    done = cbec("compliance", "tax", *common, "--products", products, "-o", "tax")
    assert done.returncode == 0, done.stderr
    tax = ("--tax", "tax/tax.parquet", "--registrations", SAMPLE / "registrations.csv")
    (tmp_path / "seller.yaml").write_text("name: Example House\ncountry: CN\n")
    done = cbec(
        "compliance", "file", *common, *tax, "--products", products, "--exports", "tax/exports.parquet", "--purchase-tax", SAMPLE / "purchase_tax.csv",
        "--period", "2026-Q3", "--seller", "seller.yaml", "--drafts", "drafts", "--report", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    truths = yaml.safe_load((SAMPLE / "truths.yaml").read_text())["filing"]
    due = pl.read_parquet(tmp_path / "out" / "returns_due.parquet")
    boxes = dict(due.filter(pl.col("return_id") == "gb.return.vat 2026-Q3").select("box", "amount").iter_rows())
    assert float(boxes["4"]) == truths["gb_box_4"]
    nil = due.filter(pl.col("kind") == "nil")["return_id"].to_list()
    assert nil == [truths["nil_return"]]
    corrected = due.filter(pl.col("box") == "correction")
    assert corrected["corrected_period"].to_list() == [truths["corrected_month"]]
    # Money of the tax table that the seller collects is in the returns, to the cent.
    table = pl.read_parquet(tmp_path / "tax" / "tax.parquet")
    days = pl.read_csv(orders, schema_overrides={"order_id": pl.String, "line": pl.String}, infer_schema_length=0)
    seller = table.join(days.select("order_id", "line", "date"), on=["order_id", "line"]).filter(
        (pl.col("collected_by") == "seller") & (pl.col("currency") == "GBP") & (pl.col("date") >= "2026-07-01")
    )
    control = pl.read_parquet(tmp_path / "out" / "filing_control.parquet")
    assert control["lines"].sum() == table.height
    assert control["tax"].sum() == table["tax"].sum()
    british = control.filter((pl.col("return_id") == "gb.return.vat 2026-Q3") & (pl.col("currency") == "GBP"))
    assert british["tax"].sum() == seller["tax"].sum()
    files = {file.name for file in (tmp_path / "drafts").iterdir()}
    assert {
        "eu-return-oss_2026-Q3_bzst.csv",
        "gb-return-vat_2026-Q3.json",
        "h7.json",
        "h1.csv",
        "cn_9610_summary.csv",
    } <= files
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["metrics"]["nil_returns"] == 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What is payable, where and by when" in page
    done = cbec("compliance", "watch", *common, *tax, "--fail-on", "high", "-o", "watch.csv", "--report", "watch")
    assert done.returncode == 0, done.stderr  # registered for all that is due
    assert set(pl.read_csv(tmp_path / "watch.csv")["verdict"]) == {"registered"}


def test_a_period_is_needed() -> None:
    made = filed([HOME | {"ship_to": "FR", "price": 1}], held=registrations(OSS_DE))
    with pytest.raises(UsageFault, match="needs --period"):
        compliance.file(made.lines, made.lines, s=compliance.File())


def test_the_sums_of_the_control_table_are_told_in_the_metrics() -> None:
    from support.taxed import book, order_lines

    from cbec.methods.compliance.tax import compute

    lines = order_lines([HOME | {"ship_to": "FR", "price": 100}])
    result = compliance.file(
        compute(lines, None, None, book()), lines, s=compliance.File(period="2026-Q3", as_of=date(2026, 11, 5))
    )
    assert result.metrics["payable_EUR"] == 20.0
    assert result.metrics["next_due_date"] == "2026-10-31"
    assert (
        result.money
        == "drafts decide nothing; payable: 20.00 EUR; the first return is due on 2026-10-31 (eu.return.oss 2026-Q3)"
    )
    assert [f.finding_id for f in result.findings] == ["overdue:eu.return.oss 2026-Q3"]
    assert result.files == {}
    assert result.tables["returns_due"].filter(pl.col("box") == "payable")["amount"].to_list() == [Decimal(20)]
