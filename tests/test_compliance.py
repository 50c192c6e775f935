"""The commands of the step, as functions and as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.answered import answered
from support.taxed import judged, order_lines, rates

from cbec import compliance, tables
from cbec.core import check, reasons
from cbec.core.command import Finding
from cbec.core.packaged import folder

DAY = date(2026, 8, 1)


def _lines() -> pl.DataFrame:
    basic = {"date": DAY, "ship_to": "FR"}
    return order_lines(
        [
            basic | {"order_id": "a", "ship_from": "DE", "price": 100},
            basic | {"order_id": "b", "ship_from": "CN", "price": 60, "marketplace_collects": True},
            basic
            | {"order_id": "c", "ship_from": "CN", "price": 200, "duty_rate_pct": 10, "price_includes_tax": False},
            basic | {"order_id": "d", "ship_from": "CN", "price": 200},
            basic | {"order_id": "e", "ship_from": "FR", "price": 10, "ship_to_region": "97110"},
            basic | {"order_id": "f", "ship_from": "FR", "price": None, "currency": None},
        ]
    )


Cbec = Callable[..., subprocess.CompletedProcess[str]]


def test_the_result_keeps_its_contract_and_says_what_it_adds_up_to() -> None:
    result = answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=_lines())
    check.conform(tables.get("tax"), result.tables["tax"])
    assert result.metrics == {
        "lines": 6,
        "undetermined_lines": 2,
        "flagged_lines": 0,
        "tax_total_EUR": 76.85,  # 20.00 + 12.00 + 44.00 + 0.85
        "duty_total_EUR": 23.0,  # 3 + 20
        "due_total_EUR": 99.85,
        "tax_customs_EUR": 44.85,
        "tax_marketplace_EUR": 12.0,
        "tax_seller_EUR": 20.0,
    }
    assert isinstance(result.money, str)


def test_what_a_person_should_act_on() -> None:
    found = {
        f.finding_id: f for f in answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=_lines()).findings
    }
    assert found.keys() == {"undetermined:tax_no_duty_rate:EUR", "undetermined:tax_no_price:-", "territory:FR"}
    duty = found["undetermined:tax_no_duty_rate:EUR"]
    assert (duty.severity, duty.money, duty.currency, duty.entity) == ("high", 200.0, "EUR", "tax_no_duty_rate")
    assert duty.message.startswith("1 line worth 200.00 EUR without a tax, e.g. order d: No duty rate is known")
    assert found["undetermined:tax_no_price:-"].money is None
    assert found["territory:FR"].severity == "warn"


def test_the_standard_rate_on_goods_that_commonly_bear_a_reduced_one_is_not_silent() -> None:
    """Chocolate in Poland: whether its rate is a reduced one, no source of the pack tells."""
    home = {"date": DAY, "ship_from": "PL", "ship_to": "PL", "price": 10, "currency": "EUR"}
    lines = order_lines(
        [home | {"order_id": str(i), "hs_code": code} for i, code in enumerate(["180631", "180690", "732393"])]
    )
    result = answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=lines)
    (found,) = result.findings
    assert (found.finding_id, found.severity, found.money, found.currency) == (
        "reduced_rate:PL:EUR",
        "warn",
        4.6,
        "EUR",
    )
    assert found.message.startswith("a reduced rate may apply to 2 lines worth 20.00 EUR taxed in PL, e.g. order 0")
    assert result.metrics["flagged_lines"] == 2
    told = result.tables["tax"]
    assert told["flags"].to_list() == ["reduced_rate", "reduced_rate", None]
    assert told["reason"][0].endswith(
        "for what the line tells of them (hs_code, category) the rule pack holds only the standard rate of PL."
    )
    assert told["reason"][2].endswith("is charged by the seller.")


def test_lines_that_are_reckoned_but_flagged_are_told_by_flag() -> None:
    """A business whose number has a digit too few, a refund without its sale; the sale beside them is neither."""
    sent = {"date": DAY, "ship_from": "DE", "ship_to": "FR", "scheme": "OSS", "price": 100, "price_includes_tax": False}
    rows = [sent, sent | {"buyer_type": "B2B", "buyer_tax_id": "FR4030326504"}, sent | {"qty": -1, "price": 50}]
    lines = order_lines([row | {"order_id": str(i), "currency": "EUR"} for i, row in enumerate(rows)])
    found = answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=lines).findings
    assert [(f.finding_id, f.severity, f.money) for f in found] == [
        ("buyer_tax_id_malformed:EUR", "warn", 19.0),
        ("refund_without_sale:EUR", "warn", -10.0),
    ]
    assert found[0].message.startswith(
        "1 line worth 100.00 EUR with 19.00 of tax and duty, e.g. order 1: the buyer's tax number"
    )


def test_goods_from_abroad_for_nothing_are_told() -> None:
    """A replacement at price 0 has a value for customs; within the country and as a refund it is nobody's business."""
    sent = {
        "date": DAY,
        "ship_to": "FR",
        "scheme": "IOSS",
        "price": 0,
        "price_includes_tax": False,
        "currency": "EUR",
        "hs_code": "610910",
    }
    rows = [
        sent | {"ship_from": "CN"},
        sent | {"ship_from": "CN", "price": 5},
        sent | {"ship_from": "FR", "scheme": None},
    ]
    lines = order_lines([row | {"order_id": str(i)} for i, row in enumerate(rows)])
    (found,) = answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=lines).findings
    assert (found.finding_id, found.severity) == ("no_value:FR", "warn")
    assert found.message.startswith("1 line to FR at a price of 0, e.g. order 0: customs ask what the goods are worth")


def _small_sales(*sales: tuple[date, float, str]) -> list[Finding]:
    sent = {"ship_from": "DE", "ship_to": "FR", "seller_country": "DE", "scheme": "NONE", "price_includes_tax": False}
    lines = order_lines(
        [
            sent | {"order_id": str(i), "date": day, "price": price, "currency": c}
            for i, (day, price, c) in enumerate(sales)
        ]
    )
    fixings = rates([{"date": DAY, "base": "EUR", "quote": "SEK", "rate": 10.0, "source": "ECB"}])
    found = answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=lines, rates=fixings).findings
    return [f for f in found if f.rule == "threshold_passed"]


def test_small_sellers_whose_file_shows_that_they_are_none_are_told() -> None:
    assert not _small_sales(
        (date(2024, 3, 1), 6000, "EUR"), (date(2024, 5, 3), 4000, "EUR"), (date(2025, 1, 1), 9000, "EUR")
    )
    (found,) = _small_sales(
        (date(2024, 5, 3), 4000.01, "EUR"), (date(2024, 3, 1), 6000, "EUR"), (date(2024, 9, 1), 5, "PLN")
    )
    assert (found.finding_id, found.severity, found.money, found.currency) == (
        "threshold:DE:2024",
        "high",
        10000.01,
        "EUR",
    )
    assert (
        "10,000.01 EUR without tax in 2024 (amounts in PLN left out, for want of rates), above 10,000 EUR"
        in found.message
    )
    assert "from 2024-05-03 on" in found.message
    (found,) = _small_sales((DAY, 6000, "EUR"), (DAY, 40010, "SEK"))
    assert (found.finding_id, found.money) == ("threshold:DE:2026", 10001.0)


def test_what_was_taken_for_granted_is_said() -> None:
    notes = answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=_lines()).notes
    assert notes == [
        "prices taken without tax, where not told (--price-basis): 3 lines",
        "a registration in OSS taken for granted, where no scheme is told: 1 line",
    ]
    far = {"date": DAY, "price": 20, "price_includes_tax": False, "hs_code": "610910"}
    ways = [("CN", "AU", "AUD"), ("CN", "NO", "NOK"), ("CN", "NO", "NOK")]
    lines = order_lines(
        [far | {"order_id": str(i), "ship_from": a, "ship_to": b, "currency": c} for i, (a, b, c) in enumerate(ways)]
    )
    assert answered("compliance tax", compliance.Tax(as_of=DAY), order_lines=lines).notes == [
        "a registration in VOEC taken for granted, where no scheme is told: 2 lines",
        "a registration in LVG taken for granted, where no scheme is told: 1 line",
    ]
    gross = answered("compliance tax", compliance.Tax(as_of=DAY, price_basis="gross"), order_lines=_lines())
    assert gross.notes[0].startswith("prices taken with tax")
    assert gross.metrics["tax_seller_EUR"] == 16.67


def test_a_pack_past_its_last_check_is_a_warning_and_its_later_lines_are_not_taxed() -> None:
    late = date(2027, 1, 1)
    lines = order_lines([{"date": late, "ship_from": "DE", "ship_to": "DE", "price": 100}])
    result = answered("compliance tax", compliance.Tax(as_of=late), order_lines=lines)
    assert [f.finding_id for f in result.findings if f.severity == "warn"] == ["stale:eu"]  # no line goes elsewhere
    assert result.tables["tax"]["reason_code"].to_list() == ["tax_pack_expired"]
    assert "2026-12-31" in result.tables["tax"]["reason"].item()


def test_the_cases_as_a_command() -> None:
    result = judged()
    check.conform(tables.get("rule_verdict"), result.tables["rule_verdict"])
    assert result.findings == []


def test_every_reason_of_the_step_has_both_languages_and_only_known_parameters() -> None:
    codes = [code for code in reasons.catalogue() if code.startswith("tax_")]
    assert len(codes) >= 40
    known = {"ship_to", "tax_rate", "_limit", "_limit_currency", "_territory", "_pack_valid_to", "_what"}
    known |= {"_sent", "_taxed_in"}
    for code in codes:
        sentences = reasons.catalogue()[code]
        assert sentences.keys() == {"en", "zh"}
        for sentence in sentences.values():
            assert {m[1] for m in reasons._FIELD.finditer(sentence)} <= known, code


def test_nothing_heavy_is_loaded_for_the_declaration() -> None:
    code = "import sys, cbec.compliance; print([m for m in ('polars', 'numpy', 'yaml') if m in sys.modules])"
    root = str(Path(compliance.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_from_file_to_file(tmp_path: Path, cbec: Cbec) -> None:
    (tmp_path / "orders.csv").write_text(
        "订单号,货号,数量,日期,单价,币种,发货国,目的国,含税\nA-007,S1,1,2026-08-01,60.00,EUR,CN,FR,no\n",
        encoding="utf-8",
    )
    done = cbec("compliance", "tax", "--order-lines", "orders.csv", "-o", "-", "--language", "zh")
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()
    told = pl.read_csv(done.stdout.encode(), infer_schema=False).to_dicts()[0]
    assert header.split(",") == tables.get("tax").names and row
    assert (told["order_id"], told["duty"], told["tax"], told["total"]) == ("A-007", "3.00", "12.00", "15.00")
    assert told["reason"].startswith("包裹价值未超过 150 EUR")


def test_a_map_of_categories_as_a_file(tmp_path: Path, cbec: Cbec) -> None:
    (tmp_path / "orders.csv").write_text(
        "order_id,sku,qty,date,price,currency,ship_from,ship_to,category\nA,T,1,2025-08-01,100,EUR,DE,DE,茶叶\n",
        "utf-8",
    )
    (tmp_path / "map.csv").write_text("类目,HS编码\n茶叶,0902\n", "utf-8")
    done = cbec(
        "compliance",
        "tax",
        "--order-lines",
        tmp_path / "orders.csv",
        "--category-codes",
        tmp_path / "map.csv",
        "-o",
        tmp_path / "tax.csv",
    )
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(tmp_path / "tax.csv")["tax"].to_list() == [7.0]


@pytest.mark.parametrize(("cent", "status"), [("19.00", 0), ("19.01", 1)])
def test_failing_cases_end_with_status_1_when_asked(tmp_path: Path, cbec: Cbec, cent: str, status: int) -> None:
    case = f"{{case: x, given: {{date: 2024-06-01, ship_from: DE, ship_to: DE}}, lines: [{{price: 100.00, expect: {{tax: {cent}}}}}]}}"
    (tmp_path / "own.yaml").write_text(f"pack: eu\ncases: [{case}]\n", encoding="utf-8")
    done = cbec("compliance", "test", "--cases", "own.yaml", "--fail-on", "high", "--json")
    assert done.returncode == status, done.stderr
    assert json.loads(done.stdout)["metrics"]["cases_failed"] == status


def test_a_broken_pack_is_a_usage_fault_that_names_the_key(tmp_path: Path, cbec: Cbec) -> None:
    text = (folder("configs") / "rules" / "gb.yaml").read_text("utf-8")
    (tmp_path / "gb.yaml").write_text(text.replace("inclusive: true", "inclusiv: true", 1), encoding="utf-8")
    done = cbec("compliance", "test", "--rules", str(tmp_path))
    assert done.returncode == 2
    assert 'gb.yaml: rule "gb.supply.limit": key "inclusiv" is not known; did you mean "inclusive"?' in done.stderr


SALES = """order_id,line,sku,qty,date,price,currency,ship_from,ship_to,hs_code
A,1,S1,1,2026-05-04,60.00,EUR,CN,FR,610910
A,2,S2,1,2026-05-04,20.00,EUR,CN,FR,640299
B,1,S1,1,2026-05-05,60.00,EUR,FR,FR,610910
"""


def test_what_a_day_of_changes_does_to_an_order_file(tmp_path: Path, cbec: Cbec) -> None:
    (tmp_path / "orders.csv").write_text(SALES, "utf-8")
    done = cbec(
        "compliance", "diff", "--effective", "2026-07-01", "--order-lines", "orders.csv", "-o", "changes.csv",
        "--write-line-changes", "lines.csv", "--json", "--report", "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["money"]["today"], told["money"]["proposed"], told["money"]["currency"]) == (28.0, 34.0, "EUR")
    assert (told["metrics"]["lines_changed"], told["metrics"]["orders_changed"]) == (2, 1)
    changes = {r["rule_id"]: r for r in pl.read_csv(tmp_path / "changes.csv").to_dicts()}
    assert changes["eu.duty.interim"]["difference"] == 6
    assert changes["eu.duty.interim"]["valid_from"] == "2026-07-01"
    lines = pl.read_csv(tmp_path / "lines.csv")
    assert lines.select("order_id", "line", "old_total", "new_total").rows() == [
        ("A", 1, 12.0, 15.0),
        ("A", 2, 4.0, 7.0),
    ]
    assert "More (or less) due, by country" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_two_folders_of_rules(tmp_path: Path, cbec: Cbec) -> None:
    for name, rate in (("old", "20"), ("new", "22")):
        (tmp_path / name).mkdir()
        text = (folder("configs") / "rules" / "gb.yaml").read_text("utf-8")
        before, rule, after = text.partition("  gb.vat.standard.gb:")
        after = after.replace("valid_from: 2011-01-04, value: 20}", f"valid_from: 2011-01-04, value: {rate}}}", 1)
        (tmp_path / name / "gb.yaml").write_text(before + rule + after, "utf-8")
    done = cbec(
        "compliance", "diff", "--old", "old", "--new", "new", "--as-of", "2027-02-01", "-o", "-", "--fail-on", "warn"
    )
    assert done.returncode == 1, done.stderr  # the pack is past its last check
    (row,) = pl.read_csv(done.stdout.encode()).to_dicts()
    assert (row["rule_id"], row["old_value"], row["new_value"]) == ("gb.vat.standard.gb", 20, 22)
    assert row["reason"] == "20.0 percent before, 22.0 percent now."
    same = cbec("compliance", "diff", "--old", "old", "--new", "old")
    assert same.returncode == 2
    assert "old and new rules are the same" in same.stderr
