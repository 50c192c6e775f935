"""Cases beside the rules: read strictly, judged exactly, and every packaged rule has one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from support.taxed import packaged

from cbec.core.errors import UsageFault
from cbec.methods.compliance import cases

CURRENCIES = {"eu": "EUR", "gb": "GBP"}
TEXT = """
pack: eu
cases:
  - case: one
    title: a sale in Germany
    given: {date: 2024-06-01, ship_from: DE, ship_to: DE}
    lines:
      - {price: 100.00, expect: {tax: 19.00, scheme: DOMESTIC, customs_value: null}}
      - {price: 100.00, qty: -1}
    sum: {tax: 0.00}
"""


def _run(text: str) -> cases.Verdict:
    return cases.run(cases.parse(text, "eu.yaml", CURRENCIES), packaged())


def test_a_case_that_holds() -> None:
    verdict = _run(TEXT)
    assert verdict.table["passed"].all()
    assert verdict.table.select("case", "field", "expected", "got").rows() == [
        ("one", "1.tax", "19.00", "19.00"),
        ("one", "1.scheme", "DOMESTIC", "DOMESTIC"),
        ("one", "1.customs_value", "(empty)", None),
        ("one", "sum.tax", "0.00", "0.00"),
    ]
    assert "eu.vat.standard.de" in verdict.met


def test_a_cent_is_a_failure_and_a_finding_of_severity_high() -> None:
    verdict = _run(TEXT.replace("tax: 19.00", "tax: 19.01"))
    result = cases.result(verdict, packaged())
    high = [f for f in result.findings if f.severity == "high"]
    assert [f.message for f in high] == ["a sale in Germany: 1.tax: expected 19.01, got 19.00"]
    assert (result.metrics["cases"], result.metrics["cases_failed"], result.metrics["fields_failed"]) == (1, 1, 1)


def test_half_a_cent_more_than_is_due_does_not_pass_by_rounding() -> None:
    verdict = _run(TEXT.replace("tax: 19.00", "tax: 19.004"))
    assert verdict.table.filter(~verdict.table["passed"])["expected"].to_list() == ["19.004"]


def test_a_case_may_ask_what_was_known_on_a_day() -> None:
    text = """
pack: eu
cases:
  - {case: then, as_of: 2026-02-17, given: &g {date: 2026-07-01, ship_from: CN, ship_to: FR}, lines: [{price: 60.00, expect: {reason_code: tax_no_duty_rate}}]}
  - {case: now, as_of: 2026-07-01, given: *g, lines: [{price: 60.00, expect: {duty: 3.00}}]}
"""
    assert _run(text).table["passed"].all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pack: eu", "pack: us", r'there is no rule pack "us"'),
        ("given:", "givn:", r'eu\.yaml: case "one": key "givn" is not known; did you mean "given"\?'),
        ("ship_from: DE", "ship_frm: DE", r'line 1: key "ship_frm" is not known; did you mean "ship_from"\?'),
        ("ship_to: DE", "ship_to: NO", r"line 1: ship_to False is no country"),
        ("price: 100.00, expect", "price: dear, expect", r"line 1: price 'dear' is no decimal"),
        ("date: 2024-06-01", "date: June", r"date 'June' is no date"),
        ("tax: 19.00, scheme", "taxes: 19.00, scheme", r'line 1: expect: key "taxes" is not known; did you mean "tax"\?'),
        ("qty: -1", "buyer_type: C2C", r'buyer_type "C2C" is none of B2C, B2B'),
        ("- case: one", "- name: one", r"a case without a name"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_case_is_named(old: str, new: str, message: str) -> None:
    with pytest.raises(UsageFault, match=message):
        cases.parse(TEXT.replace(old, new, 1), "eu.yaml", CURRENCIES)


def test_a_case_that_expects_nothing_is_none() -> None:
    with pytest.raises(UsageFault, match="something to expect"):
        cases.parse("pack: eu\ncases: [{case: x, lines: [{price: 1}]}]", "eu.yaml", CURRENCIES)


def test_no_file_of_cases(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="no cases"):
        cases.load(str(tmp_path), "", packaged())
    with pytest.raises(UsageFault, match="no cases"):
        cases.load(str(tmp_path / "none.yaml"), "", packaged())


def test_every_packaged_case_holds_and_every_packaged_rule_is_met() -> None:
    packs = packaged()
    verdict = cases.run(cases.load("", "", packs), packs)
    result = cases.result(verdict, packs)
    assert result.findings == []
    assert result.metrics["rules_without_case"] == 0
    assert int(result.metrics["cases"] or 0) >= 90
    assert verdict.table.select("pack", "case", "field").is_unique().all()


def test_dates_of_cases_lie_within_the_packs() -> None:
    packs = {pack.id: pack for pack in packaged()}
    for case in cases.load("", "", packaged()):
        days = [line["date"] for line in case.lines if line.get("date") is not None]
        late = case.name == "after-the-pack"
        assert all(isinstance(day, date) and (late or day <= packs[case.pack].valid_to) for day in days)
