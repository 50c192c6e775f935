"""Packs are checked before anything is computed: clear errors, no rule without a quoted source."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from support.taxed import packaged, taxed

from cbec.core.errors import UsageFault
from cbec.core.packaged import folder
from cbec.core.reasons import catalogue
from cbec.methods.compliance import packs

TEXT = """
pack: xx
title: a test
currency: EUR
valid_to: 2026-12-31
jurisdictions: [DE]
rules:
  xx.rate:
    kind: rate
    country: DE
    unit: percent
    values:
      - {valid_from: 2007-01-01, value: 19}
      - {valid_from: 2020-07-01, recorded_from: 2020-06-30, value: 16}
    reference: {title: a set, quote: "19", verified_on: 2026-11-25}
  xx.limit:
    kind: limit
    unit: EUR
    per: consignment
    base: goods
    inclusive: true
    values: [{valid_from: 2021-07-01, value: 150}]
    reference: {title: a set, quote: "150", verified_on: 2026-11-25}
  xx.base:
    kind: method
    method: price_plus_duty
    reference: {title: a set, quote: base, verified_on: 2026-11-25}
  xx.low:
    kind: scheme
    when: {movement: import, within: xx.limit}
    then: {scheme: IOSS, collected_by: seller, tax: charge, base: xx.base, reason: tax_ioss}
    valid_from: 2021-07-01
    reference: {title: a set, quote: low, verified_on: 2026-11-25}
"""


def test_the_sound_pack_is_read() -> None:
    pack = packs.parse(TEXT, "xx.yaml")
    assert list(pack.rules) == ["xx.rate", "xx.limit", "xx.base", "xx.low"]
    assert pack.rules["xx.rate"].values[1].recorded_from == date(2020, 6, 30)
    assert pack.rules["xx.rate"].values[0].recorded_from == date(2007, 1, 1)
    assert pack.rules["xx.low"].when == {"movement": ("import",), "within": ("xx.limit",)}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("jurisdictions: [DE]", "jurisdiction: [DE]", r'xx\.yaml: key "jurisdiction" is not known; did you mean "jurisdictions"\?'),
        ("jurisdictions: [DE]", "jurisdictions: [NO]", r'False is no country code; write it in quotes, e\.g\. "NO"'),
        ("valid_to: 2026-12-31", "valid_to: soon", r"valid_to: 'soon' is no date"),
        ("kind: rate", "kind: rates", r'rule "xx\.rate": kind \'rates\' is none of .*did you mean "rate"\?'),
        ("country: DE", "contry: DE", r'rule "xx\.rate": key "contry" is not known; did you mean "country"\?'),
        ("country: DE", "country: DK", r"country DK is none of the pack's jurisdictions"),
        ("unit: percent", "unit: share", r"unit is percent"),
        ("value: 16}", "value: -16}", r'rule "xx\.rate": value -16 is no number'),
        ("value: 16}", "valu: 16}", r'values: key "valu" is not known; did you mean "value"\?'),
        ("2020-07-01, recorded", "2006-07-01, recorded", r"values do not go up by valid_from"),
        ("quote: low, ", "", r'rule "xx\.low": reference: key "quote" is missing; a rule without a quoted source is none'),
        (", verified_on: 2026-11-25}\n  xx.limit", "}\n  xx.limit", r'reference: key "verified_on" is missing'),
        ('    reference: {title: a set, quote: "150", verified_on: 2026-11-25}\n', "", r'rule "xx\.limit": no reference; a rule needs a source'),
        ("title: a set, quote: base", "title: a | set, quote: base", r'title: "\|" joins titles in citations'),
        ("inclusive: true", "inclusive: maybe", r"inclusive is true .* or false"),
        ("per: consignment", "per: order", r'per "order" is none of consignment, item, year'),
        ("method: price_plus_duty", "method: price_plus_dutty", r'method "price_plus_dutty" is none of .*did you mean "price_plus_duty"\?'),
        ("movement: import", "movment: import", r'when: key "movment" is not known; did you mean "movement"\?'),
        ("movement: import", "movement: imports", r'when: movement "imports" is none of .*did you mean "import"\?'),
        ("within: xx.limit", "within: xx.limits", r'there is no rule "xx\.limits" of kind limit; did you mean "xx\.limit"\?'),
        ("base: xx.base", "base: xx.bas", r'there is no rule "xx\.bas" of kind method; did you mean "xx\.base"\?'),
        ("collected_by: seller, ", "", r'then: key "collected_by" is missing'),
        ("collected_by: seller", "collected_by: sellers", r'collected_by "sellers" is none of seller,'),
        ("reason: tax_ioss", "reason: tax_iosss", r'reason "tax_iosss" is not in the catalogue of reasons; did you mean "tax_ioss"\?'),
        ("    valid_from: 2021-07-01\n", "", r'rule "xx\.low": key "valid_from" is missing'),
        ("  xx.low:", "  yy.low:", r'the id of a rule begins with its pack: "xx\."'),
        ("  xx.low:", "  xx.base:", r'line \d+: key "xx\.base" comes twice'),
        ("  xx.rate:\n    kind: rate", "  xx.rate:\n    kind: rate\n    category: books", r"DE has no rule of kind rate"),
        ("unit: EUR", "unit: EURO", r"limits are in EUR and at most one other currency, not EURO"),
        ("base: xx.base, ", "base: xx.base, rate: xx.rat, ", r'there is no rule "xx\.rat" of kind rate; did you mean "xx\.rate"\?'),
        ("base: xx.base, ", "base: xx.base, allowance: xx.limi, ", r'there is no rule "xx\.limi" of kind limit'),
        ("per: consignment", "per: item", r"allowance is no limit per consignment in the pack's currency \(EUR\)"),
        ("pack: xx", "pack: [", r"xx\.yaml line \d+"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_rule_is_named_with_file_rule_and_key(old: str, new: str, message: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    if "allowance is no limit" in message:
        text = text.replace("base: xx.base, ", "base: xx.base, allowance: xx.limit, ")
    with pytest.raises(UsageFault, match=message):
        packs.parse(text, "xx.yaml")


def test_a_scheme_may_name_its_rate_and_leave_a_part_free() -> None:
    """The rate holds there whatever the place has; the part left free is shared by value and bears no duty either."""
    from cbec.methods.compliance.book import rulebook

    text = TEXT.replace("base: xx.base, ", "base: xx.base, rate: xx.own, allowance: xx.free, ")
    text += """
  xx.own:
    kind: rate
    country: DE
    category: own
    unit: percent
    values: [{valid_from: 2021-07-01, value: 50}]
    reference: {title: a set, quote: "50", verified_on: 2026-11-25}
  xx.free:
    kind: limit
    unit: EUR
    per: consignment
    base: goods
    inclusive: true
    values: [{valid_from: 2021-07-01, value: 30}]
    reference: {title: a set, quote: "30", verified_on: 2026-11-25}
  xx.tariff:
    kind: duty
    when: {movement: import}
    then: {duty: tariff, base: xx.value}
    valid_from: 2021-07-01
    reference: {title: a set, quote: tariff, verified_on: 2026-11-25}
  xx.value:
    kind: method
    method: cif
    reference: {title: a set, quote: cif, verified_on: 2026-11-25}
  xx.home:
    kind: scheme
    when: {movement: domestic}
    then: {scheme: HOME, collected_by: seller, tax: charge, base: xx.base, reason: tax_domestic}
    valid_from: 2021-07-01
    reference: {title: a set, quote: home, verified_on: 2026-11-25}
  xx.none:
    kind: duty
    when: {movement: domestic}
    then: {duty: none}
    valid_from: 2021-07-01
    reference: {title: a set, quote: none, verified_on: 2026-11-25}
"""
    line = {"date": date(2024, 6, 1), "ship_from": "CN", "ship_to": "DE", "duty_rate_pct": 10, "order_id": "one"}
    told = taxed(
        [
            line | {"line": "1", "sku": "A", "price": 60},
            line | {"line": "2", "sku": "B", "price": 30, "qty": 1},
            line | {"line": "3", "sku": "B", "price": 30, "qty": -1},
            line | {"line": "4", "sku": "C", "price": 100, "ship_from": "DE"},
            line | {"order_id": "two", "qty": -1, "price": 60, "scheme": "IOSS"},
        ],
        rules=rulebook([packs.parse(text, "xx.yaml")]),
    )
    assert [t["customs_value"] for t in told[:3]] == [40, 20, -20]  # 30 of 90 are free
    assert [t["duty"] for t in told[:3]] == [4, 2, -2]
    assert [t["tax"] for t in told[:4]] == [22, 11, -11, 16]
    assert "xx.own" in told[0]["rule_ids"] and "xx.free" in told[0]["rule_ids"]
    assert "xx.own" not in told[3]["rule_ids"]
    assert told[4]["reason_code"] == "tax_refund_without_sale"


def test_two_packs_for_one_country_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "xx.yaml").write_text(TEXT, "utf-8")
    (tmp_path / "yy.yaml").write_text(TEXT.replace("xx", "yy"), "utf-8")
    with pytest.raises(UsageFault, match=r"yy\.yaml: DE already belongs to xx\.yaml"):
        packs.load(str(tmp_path))


def test_a_folder_that_is_none_or_holds_no_pack(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match="is no folder"):
        packs.load(str(tmp_path / "nowhere"))
    with pytest.raises(UsageFault, match="no rule pack"):
        packs.load(str(tmp_path))


def test_every_packaged_rule_names_its_source_and_a_day_of_reading_that_is_past() -> None:
    for pack in packaged():
        assert pack.rules
        for rule in pack.rules.values():
            assert rule.reference.title and rule.reference.quote
            assert date(2026, 1, 1) <= rule.reference.verified_on <= date(2026, 11, 26)


def test_rules_whose_end_nobody_foresaw_tell_since_when_it_was_known() -> None:
    """Else a state of the rules before that day would depend on what was recorded later."""
    foreseen = ("mx.", "gb.northern-ireland.", "us.measure.s122", "us.postal.surcharge", "eu.duty.interim")
    ended = [rule for pack in packaged() for rule in pack.rules.values() if rule.valid_to is not None]
    assert [r.id for r in ended if r.end_recorded_from is None and not r.id.startswith(foreseen)] == []
    assert [
        r.id for r in ended if r.end_recorded_from is not None and r.end_recorded_from < (r.valid_from or date.min)
    ] == []


def test_every_reason_is_told_in_english_and_chinese() -> None:
    said = {rule.then["reason"] for pack in packaged() for rule in pack.of("scheme")}
    assert all(catalogue()[reason].keys() == {"en", "zh"} for reason in said)


def test_a_category_of_ones_own_gets_its_rate(tmp_path: Path) -> None:
    """What the docs promise: copy the folder, add a rate for a category, give it with --rules."""
    from cbec.methods.compliance.book import rulebook

    for file in (folder("configs") / "rules").glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    own = """
  eu.vat.flowers.de:
    kind: rate
    country: DE
    category: flowers
    unit: percent
    values: [{valid_from: 2021-01-01, value: 7}]
    reference: {title: our tax adviser, quote: flowers 7 %, verified_on: 2026-11-01}
"""
    with (tmp_path / "eu.yaml").open("a", encoding="utf-8") as file:
        file.write(own)
    line = {"date": date(2024, 6, 1), "ship_from": "DE", "ship_to": "DE", "price": 100}
    told = taxed(
        [
            line | {"category": "Flowers"},
            line | {"category": "shoes"},
            line,
            line | {"category": "flowers", "ship_to_region": "27498"},
        ],
        rules=rulebook(packs.load(str(tmp_path))),
    )
    assert [t["tax"] for t in told] == [7, 19, 19, 0]
    assert "eu.vat.flowers.de" in told[0]["rule_ids"]
    assert "our tax adviser" in told[0]["citation"]
