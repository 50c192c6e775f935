"""Reports: money first, self-contained, escaped, the same every time, small, and for any table that keeps its contract."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support import results as samples
from support.wellformed import check

from cbec import report
from cbec import tables as contracts
from cbec.core.errors import InputRejected
from cbec.core.staging import Staging
from cbec.report import compose, html, markdown


def drawn(made: tuple[dict[str, Any], dict[str, pl.DataFrame]]) -> tuple[str, str]:
    page = compose.compose(*made)
    return html.render(page), markdown.render(page)


@pytest.fixture(params=sorted(samples.EVERY))
def result(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, pl.DataFrame]]:
    made: tuple[dict[str, Any], dict[str, pl.DataFrame]] = samples.EVERY[request.param]()
    return made


def test_a_report_holds_everything_it_shows(result: Any) -> None:
    text, _ = drawn(result)
    seen = check(text)
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & {tag for tag, _ in seen.seen}
    places = [
        v for _, attrs in seen.seen for k, v in attrs.items() if k in ("src", "href", "xlink:href", "action", "data")
    ]
    assert all(str(p).startswith("#") for p in places)
    assert not re.search(r"url\((?!#)|@import|//[a-z]", text)
    assert not [k for _, attrs in seen.seen for k in attrs if k.startswith("on")]
    anchors = [a["id"] for _, a in seen.seen if "id" in a]
    assert len(anchors) == len(set(anchors)), "names hold for the whole page"
    assert {str(p)[1:] for p in places} <= set(anchors)


def test_a_report_is_small(result: Any) -> None:
    assert len(drawn(result)[0].encode()) < 300_000


def test_a_report_is_the_same_whatever_the_threads_and_hash_seeds() -> None:
    program = (
        "import hashlib\nfrom support import results\nfrom cbec.report import compose, html, markdown\n"
        "pages = [compose.compose(*made()) for made in results.EVERY.values()]\n"
        "print(hashlib.sha256(''.join(html.render(p) + markdown.render(p) for p in pages).encode()).hexdigest())"
    )
    root = Path(__file__).resolve().parents[2]
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ
            | {"PYTHONPATH": f"{root}:{root / 'tests'}", "POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(told) == 1


def test_redrawn_from_disk_it_is_the_same_byte_for_byte(result: Any, tmp_path: Path) -> None:
    summary, tables = result
    for name, frame in tables.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=2), "utf-8")
    with Staging() as staging:
        report.build(summary, tables, tmp_path, staging)
    first = [(tmp_path / n).read_bytes() for n in ("report.html", "report.md")]
    for name in ("report.html", "report.md"):
        (tmp_path / name).unlink()
    report.redraw(tmp_path)
    assert [(tmp_path / n).read_bytes() for n in ("report.html", "report.md")] == first


def test_empty_tables_give_a_report_all_the_same(result: Any) -> None:
    summary, tables = result
    text, told = drawn((summary, {n: f.clear() for n, f in tables.items()}))
    check(text)
    assert "How this was made" in told


def test_one_row_and_no_optional_values_give_a_report(result: Any) -> None:
    summary, tables = result
    one = {n: f.head(1) for n, f in tables.items()}
    check(drawn((summary, one))[0])
    for name, frame in one.items():
        for column in (c.name for c in contracts.get(name).columns if c.null):
            emptied = one | {name: frame.with_columns(pl.lit(None, frame.schema[column]).alias(column))}
            check(drawn((summary, emptied))[0])


def test_huge_numbers_do_not_break_a_report(result: Any) -> None:
    summary, tables = result
    huge = {n: f.with_columns(pl.col(pl.Float64) * 1e290) for n, f in tables.items()}
    text, _ = drawn((summary, huge))
    check(text)
    assert not re.search(r'"[^"<>]*\b(nan|inf)\b[^"<>]*"', text)


def test_dangerous_text_is_text(tmp_path: Path) -> None:
    told, tables = samples.demand()
    nasty = samples.DANGEROUS + "\x00\u202e<img src=x onerror=alert(1)>"
    told |= {"title": nasty, "headline": nasty, "notes": [nasty], "money": {"reason": nasty}, "metrics": {nasty: nasty}}
    told["top_findings"] = [
        dict.fromkeys(("finding_id", "severity", "entity", "rule", "message", "currency"), nasty) | {"money": 1.0}
    ]
    text, words = drawn((told, tables))
    seen = check(text)
    assert not {"script", "img"} & {tag for tag, _ in seen.seen}
    assert "<script" not in text and "<img" not in text and "\x00" not in text
    assert "<script" not in words and "<img" not in words
    assert samples.DANGEROUS in "".join(seen.words)


def test_chinese_text_stands_as_it_is() -> None:
    text, words = drawn(samples.demand())
    assert samples.CHINESE in text and samples.CHINESE in words


def test_money_stands_before_everything_else() -> None:
    text, words = drawn(samples.replenish())
    seen = " ".join("".join(check(text).words).split())
    for phrase in (
        "EUR 16,380 saved (33.9 % of today's)",
        "EUR 48,250",
        "EUR 31,870",
        "EUR 21,400 saved to EUR 9,100 saved",
    ):
        assert phrase in seen.replace("\u00a0", " ")
    assert text.index('class="money"') < text.index("<h2")
    assert words.index("EUR 48,250") < words.index("## ")
    assert 'class="tile saved"' in text


def test_where_there_is_no_money_the_reason_is_told() -> None:
    text, words = drawn(samples.backtest())
    assert "No money figure:</b> this command moves no money by itself." in text
    assert "**No money figure:** this command moves no money by itself." in words


def test_many_rows_are_cut_and_it_is_said() -> None:
    text, words = drawn(samples.tax(1000))
    known = int((samples.tax(1000)[1]["tax"]["status"] == "OK").sum())
    assert f"First 200 of {known} rows" in text
    assert f"First 25 of {known} rows" in words
    assert text.count("<tr>") < 400


def test_findings_come_by_weight_and_are_counted() -> None:
    told, tables = samples.replenish()
    told |= {"findings": {"info": 100, "warn": 5, "high": 3}}
    text, _ = drawn((told, tables))
    assert "3 high, 5 warn, 100 info" in text
    assert "8 of 108 findings" in text
    assert "▲ high" in text  # a sign beside the colour


def test_the_backtest_says_in_words_what_beats_what() -> None:
    _, words = drawn(samples.backtest())
    assert re.search(r"portfolio has an error \(WAPE\) of \d+\.\d %, over 40 series and 6 origins\.", words)
    assert re.search(r"That is \d+\.\d % less than the seasonal naive", words)
    told, tables = samples.backtest()
    worse = tables["backtest"].with_columns(
        pl.when(pl.col("model") == "seasonal_naive").then(pl.col("wape") / 9).otherwise("wape").alias("wape")
    )
    assert "It does not beat the naive method: use the naive one." in drawn((told, {"backtest": worse}))[1]


def test_taxes_in_several_currencies_are_never_added() -> None:
    told, tables = samples.tax()
    text, _ = drawn((told, tables))
    frame = tables["tax"].filter(pl.col("status") == "OK")
    for currency in frame["currency"].unique():
        assert f"Due in {currency}" in text
    assert "never added up" in text
    everything = float(frame["total"].sum())
    assert f"{everything:,.2f}" not in text and f"{everything:,.0f}" not in text


def test_lines_without_an_answer_stand_apart_with_their_reason() -> None:
    _, words = drawn(samples.tax())
    part = words.split("## Lines a person must look at")[1].split("\n## ")[0]
    assert "no\\_hs\\_code" in part and "The duty rate needs an HS code" in part
    assert "to be checked" not in part


def test_lines_taxed_but_marked_are_to_be_looked_at() -> None:
    told, tables = samples.tax()
    first = (pl.col("status") == "OK").cum_sum() == 1
    frame = tables["tax"].with_columns(flags=pl.when(first & (pl.col("status") == "OK")).then(pl.lit("reduced_rate")))
    _, words = drawn((told, {"tax": frame}))
    part = words.split("Taxed, but to be checked")[1].split("\n## ")[0]
    assert "reduced\\_rate" in part


def test_a_command_without_pages_of_its_own_shows_its_tables() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "<y>"]})
    text, words = drawn((samples.summary("compliance", "classify", {"things": frame}), {"things": frame}))
    assert "&lt;y&gt;" in text and "## things" in words
    assert "generic" not in text


@pytest.mark.parametrize(
    ("name", "content"), [("summary.json", "{"), ("summary.json", "[]"), ("summary.json", '{"tables": {"x": 1}}')]
)
def test_a_folder_without_a_result_is_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(InputRejected):
        report.redraw(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(InputRejected):
        report.redraw(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_the_style_ships_with_the_package() -> None:
    assert "prefers-color-scheme:dark" in html.style() and "@media print" in html.style()
    assert "PingFang SC" in html.style()


def test_shipments_without_a_way_stand_before_the_ways() -> None:
    _, told = drawn(samples.route_plan())
    assert told.index("Shipments without a way") < told.index("How they go") < told.index("The way of each shipment")
    assert "No lane leads there." in told


def test_unknown_emissions_are_in_no_sum() -> None:
    summary, tables = samples.route_carbon()
    _, told = drawn((summary, tables))
    known = tables["carbon"]["co2e_kg"].sum()
    assert f"{known / 1000:.2f} t CO2e" in told
    assert "unknown is not zero" in told
