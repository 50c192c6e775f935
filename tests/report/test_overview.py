"""The page of a pipeline's run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import results as samples
from support.wellformed import check

from cbec import report
from cbec.report import html, markdown, overview


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in samples.EVERY:
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.html").write_text("x")
    return tmp_path


def test_index_is_written_self_contained(folder: Path) -> None:
    report.index(folder, samples.run())
    text = (folder / "index.html").read_text("utf-8")
    seen = check(text)
    targets = [a["href"] for tag, a in seen.seen if tag == "a" and not str(a.get("href")).startswith("#")]
    assert targets == ["imported/report.html", "demand/report.html", "backtest/report.html", "replenish/report.html"]
    assert all((folder / str(t)).is_file() for t in targets)
    assert (folder / "index.md").read_text("utf-8").startswith("# Weekly run")
    first = text
    report.index(folder, samples.run())
    assert (folder / "index.html").read_text("utf-8") == first


def test_money_first_then_findings_by_weight_with_their_stage(folder: Path) -> None:
    words = markdown.render(overview.compose(folder, samples.run()))
    assert words.index("## Money") < words.index("## Findings") < words.index("## The chain")
    assert "EUR 16,380 saved" in words
    found = words.split("## Findings")[1].split("## The chain")[0]
    assert found.index("demand: SKU-0003@DE") < found.index("orders: SKU-0000@DEHAM") < found.index("warn |")


def test_what_stages_propose_stands_row_by_row_and_is_not_added_up(folder: Path) -> None:
    run = samples.run()
    other = samples.replenish()[0]
    other["money"] |= {"currency": "USD", "today": 100.0, "proposed": 150.0, "difference": 50.0}
    run["stages"][1]["summary"] = other
    run["stages"][0]["summary"] = samples.replenish()[0]
    words = markdown.render(overview.compose(folder, run))
    assert words.count("EUR 16,380 saved") == 2
    assert "USD 50.00 dearer" in words
    assert "32,759" not in words
    assert "not added up" in words


def test_landed_profit_opens_the_page(folder: Path) -> None:
    run = samples.run()
    metrics = {"profit": 374590.96, "margin_pct": 35.4, "revenue": 1057895.25, "goods": 372065.61, "fees": 221520.73}
    metrics |= {"freight": 26520.59, "currency": "CNY", "told_goods": 1.0, "told_fees": 0.89}
    run["stages"][0] |= {"command": "settle profit", "summary": {"metrics": metrics, "money": {"reason": "told apart"}}}
    money = markdown.render(overview.compose(folder, run)).split("## Money")[1].split("## Findings")[0]
    assert "Landed profit: **CNY 374,591**" in money
    assert "goods, fees, freight" in money
    assert "8 of 9 kinds" in money


def test_a_failed_stage_shows_its_reason_and_not_an_older_result(folder: Path) -> None:
    run = samples.run()
    (folder / "tax" / "summary.json").write_text(json.dumps(samples.replenish()[0]))
    words = markdown.render(overview.compose(folder, run))
    assert "✗ failed | rule pack past its valid\\_to" in words
    assert "failed: taxes" in words
    assert "– not run | needs taxes" in words
    assert words.count("16,379.50 EUR saved") == 1


def test_summaries_are_read_from_the_stage_folders(folder: Path) -> None:
    stage: dict[str, Any] = {
        "name": "orders",
        "command": "forecast replenish",
        "status": 0,
        "state": "run",
        "needs": [],
        "report": "replenish",
    }
    (folder / "replenish" / "summary.json").write_text(json.dumps(samples.replenish()[0]), "utf-8")
    words = markdown.render(overview.compose(folder, {"title": "t", "status": 0, "stages": [stage]}))
    assert "EUR 16,380 saved" in words and "Sold out 2 days" in words
    assert "every stage is done" in words


def test_no_stage_with_money_is_said(folder: Path) -> None:
    words = markdown.render(overview.compose(folder, {"title": "t", "status": 0, "stages": []}))
    assert "No money figure" in words and "No stage left a report." in words


def test_a_long_chain_breaks_into_lines_and_names_are_escaped(folder: Path) -> None:
    stages = [{"name": f"<s{i}>", "command": "x y", "status": 0, "state": "run"} for i in range(14)]
    text = html.render(overview.compose(folder, {"title": samples.DANGEROUS, "status": 0, "stages": stages}))
    seen = check(text)
    boxes = [a for tag, a in seen.seen if tag == "rect" and "box" in str(a.get("class"))]
    assert len(boxes) == 14 and len({(a["x"], a["y"]) for a in boxes}) == 14
    assert max(float(str(a["x"])) for a in boxes) < 1060
    assert "<script" not in text
