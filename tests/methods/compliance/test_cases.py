"""Cases beside the rules: read strictly, judged exactly, and every packaged rule has one."""

from __future__ import annotations

import re
import textwrap
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.taxed import judged, packaged

from cbec.core.errors import UsageFault
from cbec.methods.compliance import cases, questions, verdict

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


def _run(text: str) -> verdict.Verdict:
    return verdict.run(cases.parse(text, "eu.yaml", packaged()), packaged())


def _why(text: str) -> str:
    """Why the last case of the text cannot be read."""
    return cases.parse(text, "eu.yaml", packaged())[-1].unread


def test_a_case_that_holds() -> None:
    outcome = _run(TEXT)
    assert outcome.table["passed"].all()
    assert outcome.table.select("case", "field", "expected", "got").rows() == [
        ("one", "1.tax", "19.00", "19.00"),
        ("one", "1.scheme", "DOMESTIC", "DOMESTIC"),
        ("one", "1.customs_value", "(empty)", None),
        ("one", "sum.tax", "0.00", "0.00"),
    ]
    assert "eu.vat.standard.de" in outcome.met


def test_a_cent_is_a_failure_and_a_finding_of_severity_high() -> None:
    outcome = _run(TEXT.replace("tax: 19.00", "tax: 19.01"))
    result = verdict.result(outcome, packaged())
    high = [f for f in result.findings if f.severity == "high"]
    assert [f.message for f in high] == ["a sale in Germany: 1.tax: expected 19.01, got 19.00"]
    assert (result.metrics["cases"], result.metrics["cases_failed"], result.metrics["fields_failed"]) == (1, 1, 1)


def test_half_a_cent_more_than_is_due_does_not_pass_by_rounding() -> None:
    outcome = _run(TEXT.replace("tax: 19.00", "tax: 19.004"))
    assert outcome.table.filter(~outcome.table["passed"])["expected"].to_list() == ["19.004"]


def test_a_case_may_ask_what_was_known_on_a_day() -> None:
    text = """
pack: eu
cases:
  - {case: then, as_of: 2026-02-17, given: &g {date: 2026-07-01, ship_from: CN, ship_to: FR}, lines: [{price: 60.00, expect: {duty: 0.00}}]}
  - {case: now, as_of: 2026-07-01, given: *g, lines: [{price: 60.00, expect: {duty: 3.00}}]}
"""
    assert _run(text).table["passed"].all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pack: eu", "pack: xx", r'there is no rule pack "xx"'),
        ("given:", "givn:", r'eu\.yaml: case "one": key "givn" is not known; did you mean "given"\?'),
        ("ship_from: DE", "ship_frm: DE", r'given: key "ship_frm" is not known; did you mean "ship_from"\?'),
        ("ship_to: DE", "ship_to: Norway", r"given: ship_to 'Norway' is no country"),
        ("ship_to: DE", "ship_to: UK", r"given: ship_to 'UK' is no country; did you mean GB\?"),
        ("price: 100.00, expect", "price: dear, expect", r"line 1: price 'dear' is no decimal"),
        ("date: 2024-06-01", "date: June", r"date 'June' is no date"),
        ("tax: 19.00, scheme", "taxes: 19.00, scheme", r'line 1: expect: key "taxes" is not known; did you mean "tax"\?'),
        ("qty: -1", "buyer_type: C2C", r'buyer_type "C2C" is none of B2C, B2B'),
        ("- case: one", "- name: one", r"a case without a name"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_case_is_named(old: str, new: str, message: str) -> None:
    assert re.search(message, _why(TEXT.replace(old, new, 1)))


def test_norway_may_stand_without_quotes() -> None:
    text = "pack: no\ncases: [{case: x, given: {date: 2024-06-01, ship_from: NO, ship_to: NO}, lines: [{price: 100, expect: {tax: 25}}]}]"
    assert _run(text).table["passed"].all()


def test_a_case_that_expects_nothing_is_none() -> None:
    assert "something to expect" in _why("pack: eu\ncases: [{case: x, lines: [{price: 1}]}]")


def test_no_file_of_cases(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="no cases"):
        cases.load(str(tmp_path), "", packaged())
    with pytest.raises(UsageFault, match="no cases"):
        cases.load(str(tmp_path / "none.yaml"), "", packaged())


def test_every_packaged_case_holds_and_every_packaged_rule_is_met() -> None:
    result = judged()
    assert result.findings == []
    assert result.metrics["rules_without_case"] == 0
    assert int(result.metrics["cases"] or 0) >= 90
    assert result.tables["rule_verdict"].select("pack", "case", "field").is_unique().all()


def test_dates_of_cases_lie_within_the_packs() -> None:
    packs = {pack.id: pack for pack in packaged()}
    for case in cases.load("", "", packaged()):
        days = [line["date"] for line in case.lines if line.get("date") is not None]
        late = case.name == "after-the-pack"
        assert all(isinstance(day, date) and (late or day <= packs[case.pack].valid_to) for day in days)


def test_words_stand_as_they_are_written() -> None:
    """Codes keep their zeros, Norway is no answer, and numbers, dates and truths may be in quotes."""
    text = """
pack: "no"
cases:
  - case: plain
    given: {date: "2024-06-01", ship_from: JP, ship_to: NO, price: "2990.00", scheme: VOEC, hs_code: 0902, gift: "no"}
    expect: {scheme: IMPORT, reason_code: tax_no_duty_rate}
"""
    (case,) = cases.parse(text, "no.yaml", packaged())
    assert case.lines[0] | {"x": 0} == {
        "order_id": "plain", "line": "1", "sku": "1", "qty": 1, "currency": "NOK", "buyer_type": "B2C", "date": date(2024, 6, 1),
        "ship_from": "JP", "ship_to": "NO", "price": 2990, "scheme": "VOEC", "hs_code": "0902", "gift": False, "x": 0,
    }  # fmt: skip


def test_a_case_of_one_line_and_expectations_of_every_line() -> None:
    outcome = _run("""
pack: eu
cases:
  - {case: one, given: {date: 2024-06-01, ship_from: DE, ship_to: DE, price: 100}, expect: {tax: 19.00}}
  - case: two
    given: {date: 2024-06-01, ship_from: DE, ship_to: DE, price: 100}
    expect: {scheme: DOMESTIC, tax: 19.00}
    lines: [{}, {price: 200, expect: {tax: 38.00}}]
""")
    assert outcome.table["passed"].all()
    assert outcome.table["field"].to_list() == ["1.tax", "1.scheme", "1.tax", "2.scheme", "2.tax"]


def test_the_pack_of_a_file_without_one_is_that_of_the_destination() -> None:
    text = "cases: [{case: x, given: {date: 2024-06-01, ship_from: GB, ship_to: GB, price: 10}, expect: {tax: 2.00}}]"
    outcome = _run(text)
    assert outcome.table.select("pack", "expected", "got").rows() == [("gb", "2.00", "2.00")]


def test_a_buyer_of_one_case_is_nobody_of_another() -> None:
    text = "pack: cn\ncases:\n" + "".join(
        f"  - {{case: {name}, given: {{date: 2019-06-01, ship_from: JP, ship_to: CN, price: 4400, scheme: CBEC, customer_id: wang}}, "
        "lines: [{order_id: a}, {order_id: b}, {order_id: c}, {order_id: d}], expect: {status: OK}}\n"
        for name in ("one", "two")
    )
    assert _run(text).table["passed"].all()


def test_every_figure_names_its_rules_and_their_sources() -> None:
    outcome = _run(TEXT)
    sources = {rule.id: rule.reference.title for pack in packaged() for rule in pack.rules.values()}
    for rules, citation in outcome.table.select("rule_ids", "citation").iter_rows():
        assert "eu.vat.standard.de" in rules.split("|")
        assert set(citation.split("|")) == {sources[rule] for rule in rules.split("|")}


def test_a_case_may_assume_other_values_of_rules() -> None:
    text = """
pack: eu
cases:
  - case: what-if
    assume: {eu.vat.standard.de: 25}
    given: {date: 2024-06-01, ship_from: DE, ship_to: DE, price: 100}
    expect: {tax: 25.00}
  - {case: as-it-is, given: {date: 2024-06-01, ship_from: DE, ship_to: DE, price: 100}, expect: {tax: 19.00}}
"""
    assert _run(text).table["passed"].all()
    misspelt = cases.parse(text.replace("standard.de:", "standard.dee:"), "eu.yaml", packaged())[0].unread
    assert 'assume: key "eu.vat.standard.dee" is not known; did you mean' in misspelt


def test_amounts_in_another_currency_and_figures_that_follow() -> None:
    text = """
pack: gb
cases:
  - case: in-pounds
    told_in: GBP
    rates: [{date: 2024-06-01, base: USD, quote: GBP, rate: 0.8}]
    given: {date: 2024-06-02, ship_from: CN, ship_to: GB, currency: USD, price: 250, duty_rate_pct: 12}
    expect: {customs_value: 200.00, duty: 24.00, tax: 44.80, assessed: 44.80, landed: 268.80, currency: GBP}
    sum: {landed: 268.80}
"""
    assert _run(text).table["passed"].all()


def test_what_rows_of_rates_and_of_a_tariff_need_not_say() -> None:
    text = """
pack: jp
cases:
  - case: in-yen
    told_in: JPY
    rates: [{base: USD, quote: JPY, rate: 150.5}]
    tariff: [{hs_code: "4202", duty: 8%}]
    given: {date: 2024-06-03, ship_from: US, ship_to: JP, currency: USD, buyer_type: B2B, price: 100.01, hs_code: "420221"}
    expect: {customs_value: 15052, duty: 1199, currency: JPY}
"""
    # 1,200 yen are USD 7.97, and those 1,199 yen.
    assert _run(text).table.select("field", "got", "passed").rows() == [
        ("1.customs_value", "15052.00", True), ("1.duty", "1199.00", True), ("1.currency", "JPY", True),
    ]  # fmt: skip


def test_lines_of_two_orders_that_share_a_number_are_told_apart() -> None:
    text = """
pack: au
cases:
  - case: twice
    given: {date: 2024-06-01, ship_from: CN, ship_to: AU, line: 1}
    lines:
      - {order_id: a, price: 10.00, expect: {tax: 1.00}}
      - {order_id: b, price: 20.00, expect: {tax: 2.00}}
"""
    assert _run(text).table.select("field", "passed").rows() == [("1.tax", True), ("2.tax", True)]


def test_another_kind_of_case() -> None:
    text = """
cases:
  - case: four
    kind: range
    given: {country: US, results: [42, 44, 45, "47.50"], tested: 40}
    expect: {q1: 43, q3: 46.25, outside: true, rule_ids: us.arms-length}
"""
    outcome = _run(text)
    assert outcome.table.select("pack", "field", "expected", "got", "passed").rows() == [
        ("range", "q1", "43", "43", True), ("range", "q3", "46.25", "46.25", True), ("range", "outside", "true", "true", True),
        ("range", "rule_ids", "us.arms-length", "us.arms-length", True),
    ]  # fmt: skip
    assert outcome.table["citation"].str.contains("26 CFR 1.482-1").all()
    for old, new, message in (
        ("kind: range", "kind: rang", r'kind "rang" is none of tax, .*did you mean "range"\?'),
        ("q1: 43", "q_1: 43", r'case "four": expect: key "q_1" is not known; did you mean "q1"\?'),
        ("country: US", "land: US", r'given: key "land" is not known'),
        ("44, 45", "dear, 45", r"given: results: 2: results 'dear' is no decimal"),
    ):
        assert re.search(message, _why(text.replace(old, new)))


def test_a_case_that_cannot_be_computed_fails_alone() -> None:
    """Every other case still gets its verdict, whether it is of order lines or of another kind."""
    text = """
cases:
  - {case: rates-missing, pack: gb, given: {date: 2024-06-01, ship_from: CN, ship_to: GB, currency: USD, price: 10}, expect: {tax: 2.00}, sum: {tax: 2.00}}
  - {case: fine, pack: gb, given: {date: 2024-06-01, ship_from: CN, ship_to: GB, price: 10}, expect: {tax: 2.00}}
  - {case: no-definition, kind: range, given: {country: JP, results: [1, 2, 3, 4]}, expect: {q1: 1.5}}
"""
    outcome = _run(text)
    got = {
        (case, field): (got, passed)
        for case, field, got, passed in outcome.table.select("case", "field", "got", "passed").rows()
    }
    assert got.pop(("fine", "1.tax")) == ("2.00", True)
    assert {key: passed for key, (_, passed) in got.items()} == {
        ("rates-missing", "1.tax"): False, ("rates-missing", "sum.tax"): False, ("no-definition", "q1"): False,
    }  # fmt: skip
    assert "without exchange rates" in got["rates-missing", "1.tax"][0]
    assert got["no-definition", "q1"][0].startswith("no answer: no rule pack tells how JP")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("price: 100.00, expect", "price: dear, expect", "case \"one\": line 1: price 'dear' is no decimal; write a number with a point, e.g. 12.50"),
        ("given: {", "assume: [eu.vat.standard.de]\n    given: {", "assume: ['eu.vat.standard.de'] is no mapping of columns"),
        ("sum: {", "rates: EUR\n    sum: {", "case \"one\": rates: 'EUR' is no list"),
        ("sum: {", "pack: [eu]\n    sum: {", "there is no rule pack \"['eu']\""),
    ],
)  # fmt: skip
def test_a_case_that_cannot_be_read_fails_alone(old: str, new: str, told: str) -> None:
    """With the file, the case, the column and what to write; the others get their verdict."""
    fine = "  - {case: fine, given: {date: 2024-06-01, ship_from: DE, ship_to: DE, price: 100}, expect: {tax: 19.00}}\n"
    outcome = _run(TEXT.replace(old, new, 1) + fine)
    assert dict(outcome.table.select("case", "passed").rows()) == {"one": False, "fine": True}
    result = verdict.result(outcome, packaged(), whole=False)
    (message,) = [f.message for f in result.findings]
    assert message.startswith("a sale in Germany: eu.yaml: case ")
    assert told in message
    assert (result.metrics["cases"], result.metrics["cases_failed"]) == (2, 1)


def test_a_file_with_an_unknown_key_at_its_top_is_refused() -> None:
    for text, message in (
        ("pak: eu\ncases: []", 'key "pak" is not known'),
        ("pack: eu\ncases: 5", "'5' is no list"),
        ("{", r"eu\.yaml line \d"),
    ):
        with pytest.raises(UsageFault, match=message):
            _run(text)


def test_the_tariff_of_a_case_is_the_whole_of_it() -> None:
    text = """
pack: us
cases:
  - case: bag
    tariff: [{hs_code: "4202", duty: 6.8%}]
    given: {date: 2026-08-01, ship_from: CN, ship_to: US, origin: CN, hs_code: "420221", price: 1000.00}
    expect: {duty: 68.00}
"""
    assert _run(text).table["passed"].all()
    assert _run(text.replace('tariff: [{hs_code: "4202", duty: 6.8%}]', "note: none")).table["got"].to_list() == [None]
    empty = text.replace('[{hs_code: "4202", duty: 6.8%}]', "[]")
    assert _run(empty).table["got"].to_list() == ["0.00"]


def test_money_of_a_limit_in_another_currency_needs_no_rate_to_the_packs_own() -> None:
    text = """
pack: kr
cases:
  - {case: dollars, given: {date: 2025-06-01, ship_from: CN, ship_to: KR, currency: USD, price: 150, hs_code: "950300"}, expect: {tax: 0.00}}
"""
    assert _run(text).table["passed"].all()


def test_one_name_in_two_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(TEXT, "utf-8")
    first, second = cases.load(str(tmp_path), "", packaged())
    assert (first.name, first.unread) == ("one", "")
    assert second.unread == 'b.yaml: case "one": another case bears this name; give each a name of its own'
    assert verdict.run([first, second], packaged()).table.filter(~pl.col("passed"))["case"].to_list() == [
        "one (b.yaml 1)"
    ]


def _documented() -> list[str]:
    """Files of cases out of the examples in docs/how-to/rules.md."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "rules.md"
    blocks, block = [], ""
    for line in [*page.read_text("utf-8").splitlines(), "end"]:
        if line.startswith("    ") or not line:
            block += f"{line}\n"
            continue
        if "case:" in block:
            text = textwrap.dedent(block).strip("\n")
            blocks.append(text if text.startswith("pack:") else f"cases:\n{textwrap.indent(text, '  ')}")
        block = ""
    return blocks


def test_the_examples_of_the_documentation_hold() -> None:
    files = _documented()
    read = [case for text in files for case in cases.parse(text, "rules.md", packaged())]
    outcome = verdict.run(read, packaged())
    assert verdict.result(outcome, packaged(), whole=False).findings == []
    assert {case.kind for case in read} == {"tax", *questions.MODULES}
