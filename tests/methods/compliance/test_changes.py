"""What changed between two states of the rules: by rule and day, never by text; and what it does to order lines."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.taxed import order_lines, packaged, rates, taxed

from cbec.core.errors import UsageFault
from cbec.core.money import Headline
from cbec.core.packaged import folder
from cbec.methods.compliance import at_risk, packs
from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.changes import State, changes, timeline
from cbec.methods.compliance.rules import Dated, Pack

D = Decimal
RATE = "eu.vat.standard.de"
NOW = State(packaged())
TOLD = ["rule_id", "reason_code", "valid_from", "valid_to", "old_value", "new_value"]


def _with(rule_id: str, **fields: Any) -> State:
    """The packaged rules with one rule otherwise."""

    def other(pack: Pack) -> Pack:
        if rule_id not in pack.rules:
            return pack
        return dataclasses.replace(
            pack, rules={**pack.rules, rule_id: dataclasses.replace(pack.rules[rule_id], **fields)}
        )

    return State(tuple(other(pack) for pack in packaged()))


def _without(rule_id: str) -> State:
    return State(
        tuple(dataclasses.replace(p, rules={k: r for k, r in p.rules.items() if k != rule_id}) for p in packaged())
    )


def _values(*values: tuple[date, str | None]) -> tuple[Dated, ...]:
    return tuple(Dated(day, day, None if value is None else D(value)) for day, value in values)


def _german(*more: tuple[date, str | None]) -> tuple[Dated, ...]:
    (pack,) = (p for p in packaged() if p.id == "eu")
    return (*pack.rules[RATE].values, *_values(*more))


def test_a_changed_value_is_told_with_the_days_it_holds() -> None:
    new = _with(RATE, values=_german((date(2027, 1, 1), "21"), (date(2028, 1, 1), "19")))
    found = changes(NOW, new)
    assert found.select(TOLD).rows() == [(RATE, "rule_value", date(2027, 1, 1), date(2027, 12, 31), D(19), D(21))]
    assert found.select("pack", "kind", "jurisdiction", "unit", "recorded_from").rows() == [
        ("eu", "rate", "DE", "percent", date(2027, 1, 1))
    ]


def test_a_text_file_written_otherwise_changes_no_rule() -> None:
    text = (folder("configs") / "rules" / "gb.yaml").read_text("utf-8")
    new = packs.parse("# a comment\n" + text.replace("verified_on: 2026", "verified_on: 2027"), "gb.yaml")
    same = State(tuple(new if p.id == "gb" else p for p in packaged()))
    assert changes(NOW, same).is_empty()


def test_rules_that_come_and_go() -> None:
    gone = changes(NOW, _without("gb.gift.limit"))
    came = changes(_without("gb.gift.limit"), NOW)
    assert set(gone["reason_code"]) == {"rule_removed"}
    assert set(came["reason_code"]) == {"rule_added"}
    assert (
        gone.select("rule_id", "valid_from", "old_value").rows()
        == came.select("rule_id", "valid_from", "new_value").rows()
    )
    assert gone["new_value"].null_count() == gone.height


def test_changed_terms_are_named() -> None:
    found = changes(NOW, _with("gb.supply.limit", inclusive=False))
    assert set(found["reason_code"]) == {"rule_terms"}
    assert found.select("old_terms", "new_terms").unique().rows() == [("inclusive True", "inclusive False")]


def test_what_was_known_on_two_days() -> None:
    """The EUR 3 duty was known from 18 February 2026 on, and held from 1 July."""
    (eu,) = (p for p in packaged() if p.id == "eu")
    found = changes(State((eu,), date(2026, 2, 17)), State((eu,), date(2026, 2, 18)))
    row = found.filter(pl.col("rule_id") == "eu.duty.interim")
    assert row.select("reason_code", "valid_from", "valid_to").rows() == [
        ("rule_begins", date(2026, 7, 1), date(2028, 6, 30))
    ]
    assert found["recorded_from"].max() == date(2026, 2, 18)


def test_what_begins_on_a_day() -> None:
    found = changes(NOW, NOW, effective=date(2025, 8, 1)).filter(
        pl.col("kind") == "rate", pl.col("jurisdiction") == "RO"
    )
    assert found.filter(pl.col("category").is_null()).select(TOLD).rows() == [
        ("eu.vat.standard.ro", "rule_value", date(2025, 8, 1), None, D(19), D(21))
    ]
    assert changes(NOW, NOW, effective=date(2025, 7, 30)).is_empty()


DAYS = st.dates(date(2020, 1, 1), date(2020, 2, 9))
DATED = st.lists(st.tuples(DAYS, st.sampled_from([None, "5", "10"])), min_size=1, max_size=5, unique_by=lambda x: x[0])


def _alone(values: list[tuple[date, str | None]]) -> State:
    """A pack of one rule."""
    (pack,) = (p for p in _with(RATE, values=_values(*sorted(values))).packs if p.id == "eu")
    return State((dataclasses.replace(pack, rules={RATE: pack.rules[RATE]}),))


@given(DATED, DATED)
def test_a_day_lies_in_a_change_exactly_where_the_two_states_differ(
    old: list[tuple[date, str | None]], new: list[tuple[date, str | None]]
) -> None:
    before, after = _alone(old), _alone(new)
    found = (
        changes(before, after)
        .filter(pl.col("rule_id") == RATE)
        .select("valid_from", "valid_to", "old_value", "new_value")
    )
    for offset in range(-1, 45):
        day = date(2020, 1, 1) + timedelta(days=offset)
        was, now = (
            next((s.value for a, b, s in timeline(state.rules()[RATE][1], None) if s and a <= day <= b), None)
            for state in (before, after)
        )
        within = found.filter(pl.col("valid_from") <= day, pl.col("valid_to").fill_null(date.max) >= day)
        assert within.select("old_value", "new_value").rows() == ([(was, now)] if was != now else [])


# ---- Order lines -------------------------------------------------------------------------------------------

SALES = [
    {"order_id": "A", "sku": "S1", "date": date(2027, 3, 1), "ship_from": "DE", "ship_to": "DE", "price": 100},
    {
        "order_id": "A",
        "line": "2",
        "sku": "S2",
        "date": date(2027, 3, 1),
        "ship_from": "DE",
        "ship_to": "DE",
        "price": 10,
    },
    {"order_id": "B", "sku": "S1", "date": date(2026, 12, 31), "ship_from": "DE", "ship_to": "DE", "price": 100},
    {"order_id": "C", "sku": "S3", "date": date(2027, 3, 1), "ship_from": "FR", "ship_to": "FR", "price": 100},
]


def _longer(state: State) -> State:
    return State(tuple(dataclasses.replace(p, valid_to=date(2028, 12, 31)) for p in state.packs))


def _book(rows: list[dict[str, Any]], fixings: pl.DataFrame | None = None, home: str | None = None) -> at_risk.Book:
    return at_risk.Book(order_lines(rows), None, None, fixings, False, "en", home)


def test_lines_at_risk_by_change() -> None:
    old, new = _longer(NOW), _longer(_with(RATE, values=_german((date(2027, 1, 1), "21"))))
    lines = at_risk.told_in(at_risk.compared(_book(SALES), old, new, None), None, None)
    assert lines.select("order_id", "line", "changed", "difference").rows() == [
        ("A", "1", True, D("2.00")), ("A", "2", True, D("0.20")), ("B", "1", False, D(0)), ("C", "1", False, D(0)),
    ]  # fmt: skip
    table = at_risk.per_change(changes(old, new), lines, "EUR")
    assert table.select("rule_id", "lines", "lines_changed", "orders", "skus", "difference").rows() == [
        (RATE, 2, 2, 1, 2, 2.2)
    ]
    money = at_risk.headline(lines, "EUR", None)
    assert isinstance(money, Headline)
    assert (money.today, money.proposed) == (pytest.approx(19 + 1.9 + 19 + 20), pytest.approx(21 + 2.1 + 19 + 20))


def test_lines_as_sold_on_the_day_of_a_change() -> None:
    """Both days are reckoned with the exchange rate of the day; the last fixing holds, however far ahead the day lies."""
    sale = {
        "order_id": "A",
        "date": date(2024, 6, 3),
        "ship_from": "CN",
        "ship_to": "RO",
        "currency": "USD",
        "price": 60,
        "duty_rate_pct": 0,
    }
    fixings = rates([{"date": date(2024, 6, 3), "base": "EUR", "quote": "USD", "rate": 1.5, "source": "ECB"}])
    two = [sale | {"line": "1"}, sale | {"line": "2", "sku": "B"}]
    lines = at_risk.compared(_book(two, fixings), NOW, NOW, date(2026, 7, 1))
    assert lines.select("difference", "reason_code", "old_scheme", "new_status").unique().rows() == [
        (None, "change_undetermined", "IOSS", "UNDETERMINED")  # no customs codes, which the EUR 3 are counted by
    ]
    lines = at_risk.compared(_book([sale | {"hs_code": "610910"}], fixings), NOW, NOW, date(2026, 7, 1))
    assert lines.select("old_duty", "new_duty", "difference").rows() == [(0, D("4.50"), D("4.50"))]


def test_a_difference_is_that_of_the_two_tax_tables() -> None:
    rows = [
        {"order_id": str(n), "date": date(2026, 8, 1), "ship_from": "CN", "ship_to": to, "price": price, "qty": qty, "hs_code": "610910",
         "duty_rate_pct": 12, "currency": "EUR"}
        for n, (to, price, qty) in enumerate([("DE", 40, 1), ("FR", 149, 1), ("IT", 151, 1), ("DE", 40, 3), ("NO", 40, 1), ("ES", 9, -1)])
    ]  # fmt: skip
    old = State(packaged(), date(2026, 2, 17))
    lines = at_risk.compared(
        _book(rows, rates([{"date": date(2026, 8, 1), "base": "EUR", "quote": "NOK", "rate": 11.5, "source": "x"}])),
        old,
        NOW,
        None,
    )
    fixings = rates([{"date": date(2026, 8, 1), "base": "EUR", "quote": "NOK", "rate": 11.5, "source": "x"}])
    before = taxed(rows, fixings, rulebook(old.packs, old.known_on))
    after = taxed(rows, fixings)
    for told, was, now in zip(lines.to_dicts(), before, after, strict=True):
        both = was["total"] is not None and now["total"] is not None
        assert told["difference"] == (now["total"] - was["total"] if both else None)
        assert (told["old_status"], told["new_status"]) == (was["status"], now["status"])


def test_money_in_several_currencies_is_told_only_in_a_home_currency() -> None:
    rows = [SALES[0], SALES[3] | {"currency": "GBP"}]
    old, new = _longer(NOW), _longer(_with(RATE, values=_german((date(2027, 1, 1), "21"))))
    lines = at_risk.compared(_book(rows), old, new, None)
    assert isinstance(at_risk.headline(at_risk.told_in(lines, None, None), None, None), str)
    assert at_risk.metrics(changes(old, new), lines)["difference_EUR"] == 2
    fixings = rates([{"date": date(2027, 3, 1), "base": "GBP", "quote": "EUR", "rate": 1.2, "source": "ECB"}])
    told = at_risk.told_in(lines, "GBP", fixings)
    money = at_risk.headline(told, "GBP", None)
    assert isinstance(money, Headline)
    assert money.difference == pytest.approx(2 / 1.2)


def test_nothing_to_compare() -> None:
    with pytest.raises(UsageFault, match="old and new rules are the same") as fault:
        at_risk.states_differ(NOW, NOW, None)
    assert "--effective" in (fault.value.hint or "")
