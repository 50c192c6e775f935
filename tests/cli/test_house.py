"""The commands of the house: schema, check, config show, report, init, doctor, version."""

from __future__ import annotations

import json

import yaml
from support.shop import sales_csv

from cbec import tables
from cbec.core import plan


def test_schema_lists_tells_and_exports(cbec):
    listed = cbec("schema")
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in tables.every())
    told = cbec("schema", "order-lines").stdout
    assert told.startswith("order_lines: ")
    assert "订单号" in told
    as_json = json.loads(cbec("schema", "sales", "--json").stdout)
    assert as_json[0]["key"] == ["date", "sku", "market", "warehouse", "channel"]
    as_csv = cbec("schema", "--csv").stdout.splitlines()
    assert as_csv[0].startswith("table,column,kind,unit,required,key")
    assert len(as_csv) == 1 + sum(len(c.columns) for c in tables.every().values())
    assert cbec("schema", "--csv", "--json").returncode == 2


def test_check_holds_files_against_a_contract(cbec, shop):
    good = cbec("check", "sales", "sales.csv")
    assert good.returncode == 0
    assert "every one keeps the contract" in good.stderr
    (shop / "bad.csv").write_text(sales_csv() + "2026-02-30,x,DE,1,1,EUR\n", "utf-8")
    bad = cbec("check", "sales", "bad.csv", "--rejects", "rejects.csv")
    assert bad.returncode == 3
    assert "bad.csv row 422" in bad.stderr
    assert "2026-02-30" in (shop / "rejects.csv").read_text("utf-8")
    (shop / "us.csv").write_text("date,sku,market,units\n03/04/2026,a,US,1\n05/06/2026,a,US,1\n", "utf-8")
    assert cbec("check", "sales", "us.csv").returncode == 3
    assert cbec("check", "sales", "us.csv", "--set", "date_order=mdy").returncode == 0


def test_check_heeds_the_common_settings_and_no_command_s_own(cbec, shop):
    (shop / "cbec.yaml").write_text("ingest: {check: {table: sales}}\ncommon: {date_order: mdy}\n", "utf-8")
    (shop / "us.csv").write_text("date,sku,market,units\n03/04/2026,a,US,1\n05/06/2026,a,US,1\n", "utf-8")
    done = cbec("check", "sales", "us.csv")
    assert done.returncode == 0, done.stderr
    assert cbec("check", "sales", "-", "-").returncode == 2


def test_demo_does_not_take_over_a_project(cbec, tmp_path):
    assert cbec("init", "mine").returncode == 0
    text = (tmp_path / "mine" / "pipeline.yaml").read_bytes()
    done = cbec("demo", "mine")
    assert done.returncode == 2
    assert "holds other files" in done.stderr
    assert (tmp_path / "mine" / "pipeline.yaml").read_bytes() == text
    assert not (tmp_path / "mine" / "data").exists()
    (tmp_path / "note.txt").write_text("x", "utf-8")
    for command in ("demo", "init"):
        assert cbec(command, "note.txt").returncode == 2


def test_config_show_tells_value_and_origin(cbec, tmp_path):
    (tmp_path / "cbec.yaml").write_text("common: {seed: 5}\nforecast: {demand: {horizon: 8}}\n", "utf-8")
    lines = cbec("config", "show", "forecast", "demand", "--set", "by=sku").stdout.splitlines()
    cells = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("  ")}
    assert cells["horizon"] == ["8", "cbec.yaml"]
    assert cells["by"] == ["sku", "--set"]
    assert cells["seed"] == ["5", "cbec.yaml"]
    assert cells["language"] == ["en", "default"]
    assert cbec("config", "show", "forcast").returncode == 2


def test_a_report_is_drawn_again_from_disk(cbec, shop):
    cbec("forecast", "demand", "--sales", "sales.csv", "--horizon", "4", "--report", "r")
    page = (shop / "r" / "report.html").read_bytes()
    (shop / "r" / "report.html").unlink()
    again = cbec("report", "r")
    assert again.returncode == 0, again.stderr
    assert (shop / "r" / "report.html").read_bytes() == page
    assert cbec("report", "nowhere").returncode == 3
    (shop / "r" / "model_record.parquet").unlink()
    lost = cbec("report", "r")
    assert lost.returncode == 3
    assert "model_record.parquet is missing" in lost.stderr


def test_init_lays_out_a_project_and_touches_nothing_that_is_there(cbec, tmp_path):
    assert cbec("init", "mine").returncode == 0
    pipeline = tmp_path / "mine" / "pipeline.yaml"
    assert set(yaml.safe_load(pipeline.read_text("utf-8"))["stages"]) == {"demand", "orders", "tax"}
    assert plan.load(pipeline).stages  # every key is an option of its command
    pipeline.write_text("stages: {}\n", "utf-8")
    told = cbec("init", "mine")
    assert "kept mine/pipeline.yaml" in told.stderr
    assert pipeline.read_text("utf-8") == "stages: {}\n"
    empty = cbec("check", "sales", "mine/exports/sales.csv")
    assert empty.returncode == 3
    assert "no rows" in empty.stderr


def test_doctor_and_version(cbec):
    told = cbec("doctor")
    assert told.returncode == 0
    assert "polars" in told.stdout
    assert "configs" in told.stdout
    assert cbec("--version").stdout.startswith("cbec ")


def test_completion_is_on(cbec, monkeypatch):
    monkeypatch.setenv("_CBEC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "cbec fore")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert "forecast" in cbec().stdout


def test_the_plan_of_a_dry_run_is_its_answer(cbec, tmp_path):
    (tmp_path / "sales.csv").write_text("date,sku,market,units\n2024-01-01,A,DE,1\n")
    (tmp_path / "pipeline.yaml").write_text(
        "stages: {demand: {command: forecast demand, sales: sales.csv, output: f.csv}}\n"
    )
    told = cbec("run", "--dry-run")
    assert told.returncode == 0
    assert told.stdout.startswith("demand: would run (never ran)")
    assert not told.stderr
