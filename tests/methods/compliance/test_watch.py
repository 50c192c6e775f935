"""Registration thresholds: on turnover by day, and in order lines."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.filed import D, registrations
from support.taxed import book, order_lines, packaged, rates

from cbec.methods.compliance import filing_rules, watched
from cbec.methods.compliance.tax import compute
from cbec.methods.compliance.watch import must_register, verdict, window_start

RULES = {rule.id: rule for rule in filing_rules.registrations()}
GB, EU, AU, NO = (
    RULES[i]
    for i in ("gb.registration.established", "eu.registration.distance", "au.registration", "no.registration.voec")
)
DAY = date(2026, 9, 30)


def test_the_worked_case_of_a_business_not_established_in_the_united_kingdom() -> None:
    """RG-03: one pound is enough."""
    assert must_register(RULES["gb.registration.abroad"], D("1.00"), date(2024, 4, 15)) == (D(0), True)
    assert must_register(RULES["gb.registration.abroad"], D(0), date(2024, 4, 15)) == (D(0), False)


@pytest.mark.parametrize(
    ("day", "amount", "due"),
    [
        (date(2024, 3, 31), "85000.01", True),
        (date(2024, 4, 1), "85000.01", False),
        (date(2024, 4, 1), "90000.00", False),
    ],
)
def test_the_threshold_of_the_day(day: date, amount: str, due: bool) -> None:
    assert must_register(GB, D(amount), day)[1] is due


def test_windows_are_twelve_calendar_months_or_the_year() -> None:
    assert window_start(GB, date(2026, 2, 10)) == date(2025, 3, 1)
    assert window_start(EU, date(2026, 2, 10)) == date(2026, 1, 1)


def test_a_month_that_ends_below_the_threshold_does_not_cross_it() -> None:
    daily = {date(2026, 5, 10): D(95000), date(2026, 5, 28): D(-10000)}
    assert verdict(GB, daily, DAY).crossed_on is None
    told = verdict(GB, {date(2026, 5, 10): D(95000)}, DAY)
    assert (told.crossed_on, told.register_by, told.word) == (date(2026, 5, 10), date(2026, 6, 30), "must_register")


def test_within_the_month_it_is_only_expected() -> None:
    told = verdict(GB, {date(2026, 9, 10): D(95000)}, date(2026, 9, 15))
    assert (told.word, told.crossed_on, told.projected_on) == ("expected", None, date(2026, 9, 30))


def test_sales_of_thirteen_months_ago_are_out_of_the_window() -> None:
    told = verdict(NO, {date(2025, 8, 31): D(49000), date(2026, 9, 1): D(1000)}, DAY)
    assert (told.turnover, told.crossed_on) == (D(1000), None)
    inside = verdict(NO, {date(2025, 10, 1): D(49000), date(2026, 9, 1): D(1000)}, DAY)
    assert (inside.turnover, inside.crossed_on) == (D(50000), date(2026, 9, 1))  # reached is enough


def test_the_preceding_year_counts_the_one_before_it_does_not() -> None:
    assert verdict(EU, {date(2025, 12, 31): D("10000.01")}, DAY).word == "must_register"
    assert verdict(EU, {date(2024, 12, 31): D("10000.01")}, DAY).word == "below"


def test_the_pace_tells_when() -> None:
    daily = {DAY - timedelta(days=i): D(500) for i in range(90)}
    told = verdict(NO, daily, DAY)
    assert told.turnover == 45000
    assert (told.word, told.projected_on) == ("expected", DAY + timedelta(days=10))  # 45,000 + 10 x 500
    slow = verdict(NO, {day: D(1) for day in daily}, DAY)
    assert (slow.word, slow.projected_on) == ("below", None)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.dates(date(2024, 1, 1), DAY), st.integers(1, 40000).map(Decimal), max_size=30))
def test_without_refunds_a_passed_threshold_is_the_first_day_that_passes(daily: dict[date, Decimal]) -> None:
    told = verdict(AU, daily, DAY)
    sums = {d: sum((v for e, v in daily.items() if window_start(AU, d) <= e <= d), D(0)) for d in daily}
    over = sorted(d for d, s in sums.items() if s >= 75000)
    assert told.crossed_on == (over[0] if over else None)
    assert told.register_by == (over[0] + timedelta(days=21) if over else None)


UK = {"ship_from": "GB", "ship_to": "GB", "currency": "GBP", "price_includes_tax": False, "date": date(2026, 9, 1)}
CHINA = {"ship_from": "CN", "seller_country": "CN", "price_includes_tax": False, "date": date(2026, 9, 1)}


def _watch(rows: list[dict[str, Any]], taxed: bool = True, **more: Any) -> dict[str, dict[str, Any]]:
    lines = order_lines(rows)
    tax = compute(lines, None, more.get("rates"), book()) if taxed else None
    table = watched.table(lines, packaged(), filing_rules.registrations(), DAY, tax, **more)
    return {row["rule_id"]: row for row in table.to_dicts()}


def test_what_the_marketplace_accounts_for_does_not_count() -> None:
    rows = [
        UK | {"order_id": "a", "seller_country": "GB", "price": 100},
        UK | {"order_id": "b", "seller_country": "CN", "price": 100, "marketplace_collects": True},
    ]
    found = _watch(rows)
    assert found.keys() == {"gb.registration.established"}
    assert (found["gb.registration.established"]["turnover"], found["gb.registration.established"]["verdict"]) == (
        D(100),
        "below",
    )


def test_a_seller_from_abroad_registers_with_the_first_sale_unless_it_has() -> None:
    rows = [UK | {"seller_country": "CN", "price": 1}]
    due = _watch(rows)["gb.registration.abroad"]
    assert (due["verdict"], due["register_by"], due["threshold"]) == ("must_register", date(2026, 10, 1), D(0))
    held = _watch(rows, registrations=registrations({"scheme": "VAT", "country": "GB", "number": "GB1"}))[
        "gb.registration.abroad"
    ]
    assert (held["verdict"], held["number"], held["register_by"]) == ("registered", "GB1", None)


def test_turnover_is_without_tax_and_below_the_limit_of_a_piece() -> None:
    row = CHINA | {"ship_to": "NO", "currency": "NOK", "scheme": "VOEC"}
    rows = [
        row | {"order_id": "a", "price": 2999},
        row | {"order_id": "b", "price": 3000},
        row | {"order_id": "c", "price": 125, "price_includes_tax": True},
    ]
    assert _watch(rows)["no.registration.voec"]["turnover"] == D(2999) + D(100)


def test_distance_sales_are_undetermined_lines_too() -> None:
    """What no rule decides because the threshold is not known to be passed is what the threshold is about."""
    row = {
        "ship_from": "DE",
        "seller_country": "DE",
        "ship_to": "FR",
        "scheme": "NONE",
        "price": 10001,
        "date": date(2026, 3, 1),
        "price_includes_tax": False,
    }
    found = _watch([row])["eu.registration.distance"]
    assert (found["verdict"], found["turnover"], found["share"]) == ("must_register", D(10001), 1.0001)
    assert "eu.registration.distance" not in _watch([row | {"ship_from": "PL"}])


def test_what_cannot_be_judged_is_unknown() -> None:
    assert (
        _watch([UK | {"seller_country": "CN", "price": 1}], taxed=False)["gb.registration.abroad"]["verdict"]
        == "unknown"
    )
    assert {r["verdict"] for r in _watch([UK | {"price": 1}]).values()} == {"unknown"}


def test_other_currencies_count_at_their_day() -> None:
    fixing = rates([{"date": date(2026, 9, 1), "base": "NOK", "quote": "USD", "rate": 0.1}])
    row = CHINA | {"ship_to": "NO", "currency": "USD", "price": 200, "scheme": "VOEC"}
    assert _watch([row], rates=fixing)["no.registration.voec"]["turnover"] == D(2000)


def test_what_a_person_should_act_on() -> None:
    lines = order_lines([UK | {"seller_country": "CN", "price": 1}])
    table = watched.table(lines, packaged(), filing_rules.registrations(), DAY, compute(lines, None, None, book()))
    (found,) = watched.findings(table)
    assert (found.severity, found.rule, found.currency) == ("high", "must_register", "GBP")
    assert watched.metrics(table)["register_by"] == "2026-10-01"
    assert isinstance(table, pl.DataFrame)


def test_four_fifths_of_a_threshold_are_told_whatever_the_pace() -> None:
    row = CHINA | {"ship_to": "NO", "currency": "NOK", "scheme": "VOEC", "date": date(2025, 11, 1)}
    for pieces, rules in ((39, []), (40, ["near"])):
        lines = order_lines([row | {"order_id": str(i), "price": 1000} for i in range(pieces)])
        table = watched.table(lines, packaged(), filing_rules.registrations(), DAY, compute(lines, None, None, book()))
        assert table["verdict"].to_list() == ["below"]
        assert [f.rule for f in watched.findings(table)] == rules


def test_stock_in_a_member_state_without_a_registration_there() -> None:
    sold = {"date": DAY, "price": 10, "ship_to": "DE"}
    lines = order_lines(
        [
            sold | {"ship_from": "DE", "seller_country": "CN", "marketplace_collects": True},
            sold | {"ship_from": "PL", "seller_country": "CN"},
            sold | {"ship_from": "PL", "seller_country": "CN"},
            sold | {"ship_from": "FR", "seller_country": "FR"},
            sold | {"ship_from": "MC", "seller_country": "FR"},
            sold | {"ship_from": "CN", "seller_country": "CN"},
            sold | {"ship_from": "NL"},
        ]
    )
    told = watched.stock(lines, packaged(), None, DAY)
    assert [(f.finding_id, f.severity) for f in told] == [("stock:DE:CN", "high"), ("stock:PL:CN", "high")]
    assert told[1].message.startswith("2 lines of a seller in CN left PL, e.g. order O1,")
    held = registrations({"scheme": "VAT", "country": "PL"}, {"scheme": "OSS", "country": "DE"})
    assert [f.entity for f in watched.stock(lines, packaged(), held, DAY)] == ["DE"]


AUSTRALIA = {"ship_to": "AU", "currency": "AUD"}


def test_a_limit_on_imports_is_held_against_net_values_and_in_australia_against_consignments() -> None:
    rows = [
        CHINA | AUSTRALIA | {"order_id": "a", "price": 1100, "price_includes_tax": True},  # 1,000 without tax
        CHINA | AUSTRALIA | {"order_id": "b", "line": "1", "price": 750, "duty_rate_pct": 5},
        CHINA | AUSTRALIA | {"order_id": "b", "line": "2", "price": 750, "duty_rate_pct": 5},
        CHINA | AUSTRALIA | {"order_id": "c", "price": 10, "buyer_type": "B2B", "buyer_tax_id": "51824753556"},
        CHINA | {"order_id": "n", "ship_to": "NO", "currency": "NOK", "price": 3125, "price_includes_tax": True},
    ]
    found = _watch(rows)
    assert found["au.registration"]["turnover"] == D(1000)
    assert found["no.registration.voec"]["turnover"] == D(2500)


def test_no_limit_of_imports_for_sales_within_the_country() -> None:
    home = AUSTRALIA | {"ship_from": "AU", "seller_country": "AU", "price_includes_tax": False, "date": DAY}
    rows = [
        home | {"order_id": "a", "price": 1500, "qty": 49},
        home | {"order_id": "b", "price": 1500, "buyer_type": "B2B"},
    ]
    told = _watch(rows)["au.registration"]
    assert (told["verdict"], told["turnover"], told["crossed_on"]) == ("must_register", D(75000), DAY)


def test_duty_is_no_turnover() -> None:
    row = CHINA | {"ship_to": "NZ", "currency": "NZD", "price": 900, "qty": 2, "duty_rate_pct": 5}
    assert _watch([row])["nz.registration"]["turnover"] == D(1800)


def test_goods_sent_from_another_member_state_have_no_threshold() -> None:
    home = {"ship_from": "DE", "seller_country": "DE", "ship_to": "FR", "price_includes_tax": False, "date": DAY}
    found = _watch([home | {"order_id": "a", "price": 50}, home | {"order_id": "b", "price": 1, "ship_from": "PL"}])
    own = found["eu.registration.distance"]
    assert (own["turnover"], own["crossed_on"]) == (D(50), None)
    other = found["eu.registration.distance.abroad"]
    assert (other["verdict"], other["turnover"], other["established"]) == ("must_register", D(1), True)


def test_exports_count_for_a_seller_of_the_country() -> None:
    """Zero-rated is taxable: GOV.UK, "Include any zero-rated items"; also where the foreign tax is not determined."""
    rows = [
        UK | {"order_id": "a", "seller_country": "GB", "price": 100},
        UK | {"order_id": "b", "seller_country": "GB", "price": 50, "ship_to": "BR"},
        UK | {"order_id": "c", "seller_country": "GB", "price": 20, "ship_to": "FR", "marketplace_collects": True},
        UK | {"order_id": "d", "seller_country": "GB", "price": 9, "ship_from": "CN", "ship_to": "BR"},
        UK | {"order_id": "e", "seller_country": "CN", "price": 7, "ship_to": "BR"},
    ]
    fixing = rates([{"date": date(2026, 9, 1), "base": "EUR", "quote": "GBP", "rate": 0.8}])
    found = _watch(rows, rates=fixing)
    assert found["gb.registration.established"]["turnover"] == D(170)
    assert "gb.registration.abroad" not in found


def test_a_seller_from_abroad_behind_a_british_marketplace() -> None:
    sold = UK | {"price": 1, "marketplace_collects": True}
    lines = order_lines([sold | {"seller_country": "CN"}, sold | {"seller_country": "GB"}, sold | {"ship_from": "CN"}])
    (told,) = watched.through_marketplaces(lines, None, DAY)
    assert (told.severity, told.finding_id) == ("warn", "zero_rated:GB:CN")
    assert told.message.startswith("1 line of a seller in CN sold within GB")
    held = registrations({"scheme": "VAT", "country": "GB"})
    assert watched.through_marketplaces(lines, held, DAY) == []
