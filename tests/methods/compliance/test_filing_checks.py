"""What is looked for before a return is sent."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from support.filed import HOME, OSS_DE, D, filed, named, purchases, registrations
from support.taxed import book, order_lines, packaged, rates

from cbec.methods.compliance import filing, filing_checks, filing_rules, periods
from cbec.methods.compliance.filing_rates import conversions, next_publication
from cbec.methods.compliance.tax import compute

END = date(2026, 9, 30)
SALE = HOME | {"order_id": "a", "line": "1", "ship_to": "FR", "price": 100}
KRONOR = HOME | {"order_id": "k", "ship_to": "SE", "price": 1000, "currency": "SEK"}


def _found(
    rows: list[dict[str, Any]], held: pl.DataFrame | None = None, fixing: pl.DataFrame | None = None
) -> list[tuple[str, str]]:
    made = filed(rows, held=held, rates=fixing)
    return [(f.severity, f.rule) for f in filing_checks.findings(made, held, fixing)]


def _kronor(*fixed: tuple[date, float, str]) -> pl.DataFrame:
    return rates([{"date": d, "base": "EUR", "quote": "SEK", "rate": rate, "source": who} for d, rate, who in fixed])


def test_sales_outside_the_registration_of_their_return() -> None:
    begun = registrations(OSS_DE | {"valid_from": date(2026, 8, 1)})
    later = SALE | {"order_id": "b", "date": date(2026, 8, 1)}
    assert _found([SALE, later], begun) == [("high", "outside_registration")]
    assert _found([later], begun) == []
    # A number that follows another at once in the same state is another registration.
    number = registrations(
        OSS_DE | {"valid_to": date(2026, 7, 31)}, OSS_DE | {"number": "DE2", "valid_from": date(2026, 8, 1)}
    )
    assert _found([SALE, later], number) == [("high", "outside_registration")]
    # A correction is of an earlier day by its nature.
    before = SALE | {"date": date(2026, 5, 5)}
    assert _found([before, before | {"line": "2", "qty": -1, "date": date(2026, 8, 9)}], begun) == []


def test_refunds_that_do_not_fit_their_sale() -> None:
    back = SALE | {"line": "2", "qty": -2, "date": date(2026, 7, 20)}
    assert _found([SALE, back]) == [("warn", "refund_unlike_sale")]
    assert _found([SALE | {"qty": 2}, back]) == []
    assert _found([SALE | {"qty": 2, "date": date(2026, 7, 21)}, back]) == [("warn", "refund_unlike_sale")]
    # A sale of an earlier quarter is one although this return does not take it.
    assert _found([SALE | {"qty": 2, "date": date(2026, 5, 5)}, back]) == []


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2023, 12, 31), date(2024, 1, 2)),  # a Sunday, then New Year
        (date(2024, 3, 31), date(2024, 4, 2)),  # Easter Sunday and Monday
        (date(2021, 4, 30), date(2021, 4, 30)),
        (date(2026, 1, 31), date(2026, 2, 2)),
    ],
)
def test_the_next_day_on_which_the_ecb_publishes(day: date, expected: date) -> None:
    assert next_publication(day) == expected


def test_rates_that_fill_up_a_weekend_are_no_publication() -> None:
    day = date(2023, 12, 31)
    fixing = _kronor((date(2023, 12, 29), 10, ""), (day, 10, ""), (date(2024, 1, 1), 10, ""), (date(2024, 1, 2), 8, ""))
    assert conversions([("SEK", "EUR", day, True)], fixing)["SEK", "EUR", day] == D("0.125")
    alone = _kronor((day, 10, ""))  # better than none, and told as `late_rate`
    assert conversions([("SEK", "EUR", day, True)], alone)["SEK", "EUR", day] == D("0.1")


def test_the_rate_of_the_ecb_goes_before_that_of_others() -> None:
    july = (date(2026, 7, 10), 10.0, "ECB")
    fixing = _kronor(july, (END, 8.0, "ECB"), (END, 10.0, "HMRC"))
    one = named(filed([KRONOR], rates=fixing), "eu.return.oss 2026-Q3")
    assert one.total("payable") == D("31.25")  # 250 / 8
    other = named(filed([KRONOR], rates=_kronor(july, (END, 10.0, "HMRC"))), "eu.return.oss 2026-Q3")
    assert other.total("payable") == D(25)


def test_a_later_rate_than_the_law_names_is_told() -> None:
    july = (date(2026, 7, 10), 10.0, "")
    assert _found([KRONOR], fixing=_kronor(july, (END, 10.0, ""))) == []
    assert _found([KRONOR], fixing=_kronor(july, (date(2026, 10, 1), 10.0, ""))) == [("warn", "late_rate")]


def test_tax_on_duty_is_collected_at_the_border() -> None:
    row = {
        "ship_from": "CN", "seller_country": "CN", "ship_to": "NZ", "currency": "NZD", "price": 900, "qty": 2, "duty_rate_pct": 5,
        "price_includes_tax": False, "date": date(2026, 7, 10),
    }  # fmt: skip
    (told,) = filing_checks.findings(filed([row]), None, None)
    assert (told.rule, told.money, told.currency) == ("tax_on_duty", 13.5, "NZD")


def test_order_lines_that_end_within_the_period_are_told() -> None:
    def notes(*days: date) -> list[str]:
        rows = [SALE | {"order_id": str(i), "date": day} for i, day in enumerate(days)]
        return filing_checks.notes(filed(rows), order_lines(rows))

    assert notes(date(2026, 7, 3), date(2026, 9, 25)) == []
    assert notes(date(2026, 7, 3), date(2026, 8, 25)) == [
        "order lines are of 2026-07-03 to 2026-08-25, the period is 2026-07-01 to 2026-09-30: is that all of it?"
    ]


def test_purchases_of_a_country_without_a_return_are_told() -> None:
    bought = purchases(
        {"country": "GB", "net": 100, "tax": 20}, {"document": "P2", "country": "DE", "net": 100, "tax": 19}
    )
    home = {"ship_from": "GB", "ship_to": "GB", "seller_country": "GB", "currency": "GBP", "price": 10, "date": END}
    (told,) = filing_checks.findings(filed([home], bought=bought), None, None, bought)
    assert (told.rule, told.entity, told.money) == ("purchase_not_filed", "DE", 19.0)


def test_tax_of_other_prices_is_told() -> None:
    rows = [
        SALE,
        SALE | {"order_id": "b", "price": 120, "price_includes_tax": True, "shipping": 6},
        SALE | {"order_id": "c", "price": 33.335, "qty": 3},
        SALE | {"order_id": "d", "price": 10, "qty": 2},
        SALE | {"order_id": "d", "line": "2", "price": 4, "qty": -1},  # less given back than was paid
    ]
    tax = compute(order_lines(rows), None, None, book())

    def found(now: list[dict[str, Any]]) -> list[str]:
        made = filing.file(tax, order_lines(now), packaged(), filing_rules.returns(), periods.parse("2026-Q3"))
        return [f.rule for f in filing_checks.findings(made, None, None)]

    assert found(rows) == []
    for index, change in ((0, {"price": 100.02}), (1, {"shipping": 7}), (2, {"qty": 4})):
        assert found([row | change if i == index else row for i, row in enumerate(rows)]) == ["stale_tax"]


def test_sales_to_businesses_of_other_states_are_told_for_the_recapitulative_statement() -> None:
    sold = {
        "ship_from": "PL",
        "date": END,
        "seller_country": "DE",
        "price_includes_tax": False,
        "buyer_type": "B2B",
        "price": 100,
    }
    sold |= {"currency": "EUR"}
    rows = [
        sold | {"order_id": "a", "ship_to": "FR", "buyer_tax_id": "FR40303265045"},
        sold | {"order_id": "a", "line": "2", "ship_to": "FR", "buyer_tax_id": "FR40303265045", "qty": -1, "price": 30},
        sold | {"order_id": "b", "ship_to": "GB", "ship_to_region": "BT1 5GS", "buyer_tax_id": "XI980780684"},
        sold | {"order_id": "c", "ship_to": "GB", "ship_to_region": "M1 1AE", "buyer_tax_id": "GB980780684"},
        sold | {"order_id": "d", "ship_to": "PL", "buyer_tax_id": "PL5260001246"},
        sold | {"order_id": "e", "ship_to": "FR", "buyer_tax_id": "FR40303265045", "date": date(2026, 10, 1)},
    ]
    made = filed(rows, rates=rates([{"date": END, "base": "EUR", "quote": "GBP", "rate": 0.8}]))
    (found,) = [
        f for f in filing_checks.findings(made, None, None, union=("FR", "PL")) if f.rule == "recapitulative_statement"
    ]
    assert (found.entity, found.money, found.severity) == ("PL", 170.0, "warn")
    assert found.message.startswith("3 lines worth 170.00 EUR sent from PL")


def test_goods_that_the_seller_may_import_itself_are_told() -> None:
    sent = {
        "ship_from": "CN",
        "date": END,
        "seller_country": "CN",
        "price_includes_tax": False,
        "duty_rate_pct": 10,
        "price": 200,
    }
    rows = [
        sent | {"order_id": "a", "ship_to": "DE", "currency": "EUR", "incoterm": "DDP", "hs_code": "610910"},
        sent | {"order_id": "b", "ship_to": "DE", "currency": "EUR", "incoterm": "DAP", "hs_code": "610910"},
        sent | {"order_id": "c", "ship_to": "DE", "currency": "EUR", "incoterm": "DDP", "price": 20, "scheme": "IOSS", "hs_code": "610910"},
        sent | {"order_id": "d", "ship_to": "GB", "currency": "GBP", "incoterm": "DDP", "hs_code": "610910"},
    ]  # fmt: skip
    found = filing_checks.findings(filed(rows), None, None, union=("DE",))
    told = [(f.entity, f.severity, f.money) for f in found if f.rule == "imported_by_seller"]
    assert told == [("DE", "warn", 200.0), ("GB", "warn", 200.0)]
