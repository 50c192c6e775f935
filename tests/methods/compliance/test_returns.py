"""Boxes and lines of returns from sums alone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.taxed import book

from cbec.core.errors import UsageFault
from cbec.methods.compliance.return_question import QUESTION
from cbec.methods.compliance.returns import Purchases, Sum, gb_rows, oss_rows, repayment, summary_rows, vat_boxes

D = Decimal
MONEY = st.decimals(-(10**7), 10**7, places=2)


def test_more_reclaimed_than_due_is_a_repayment() -> None:
    """The worked case RT-02 (VAT Notice 700/12): box 5 is the difference of boxes 3 and 4, always positive."""
    boxes = vat_boxes(D("1000.00"), input_tax=D("1500.00"))
    assert (boxes["3"], boxes["5"], repayment(boxes)) == (D("1000.00"), D("500.00"), True)


def test_postponed_import_vat_is_in_boxes_1_4_and_7() -> None:
    bought = Purchases({"purchase": (D(1000), D(200), 2), "import_postponed": (D("2500.49"), D("500.10"), 1)})
    rows = {r.box: r for r in gb_rows([Sum("GB", D("4000.50"), D("800.10"), 7)], bought)}
    amounts = {box: row.amount for box, row in rows.items()}
    assert amounts == {
        "1": D("1300.20"), "2": D("0.00"), "3": D("1300.20"), "4": D("700.10"), "5": D("600.10"),
        "6": D(4001), "7": D(3500), "8": D(0), "9": D(0), "payable": D("600.10"),
    }  # fmt: skip
    assert rows["1"].lines == 8
    assert rows["7"].lines == 3


@given(MONEY, MONEY, MONEY, MONEY)
def test_box_5_is_never_negative_and_boxes_6_to_9_are_whole(
    sold: Decimal, net: Decimal, tax: Decimal, value: Decimal
) -> None:
    boxes = vat_boxes(sold, net, tax, value)
    assert boxes["5"] == abs(boxes["3"] - boxes["4"])
    assert all(boxes[b] == boxes[b].to_integral_value() for b in "6789")
    assert abs(boxes["6"] - net) <= D("0.5")


def test_values_are_rounded_half_away_from_zero() -> None:
    assert vat_boxes(D(0), D("10.50"))["6"] == 11
    assert vat_boxes(D(0), D("-10.50"))["6"] == -11
    assert vat_boxes(D(0), D("10.49"))["6"] == 10


def test_a_negative_balance_of_a_country_is_not_offset() -> None:
    sums = [
        Sum("FR", D(100), D(20), 1, "goods", None, "STANDARD", D(20)),
        Sum("ES", D(-50), D("-10.50"), 1, corrected="2026-Q2"),
    ]
    rows = oss_rows(sums, "EUR")
    totals = {(r.box, r.country): r.amount for r in rows if r.kind == "total"}
    assert totals == {
        ("balance", "ES"): D("-10.50"),
        ("balance", "FR"): D("20.00"),
        ("payable", None): D("20.00"),
        ("refund", None): D("10.50"),
    }


def test_no_sums_are_a_nil_return() -> None:
    for rows in (oss_rows([], "EUR"), summary_rows([], Purchases(), "AUD")):
        assert [(r.kind, r.amount) for r in rows] == [("nil", D(0))]


def test_whole_units_are_filed_where_the_form_asks_for_them() -> None:
    (sales, payable) = summary_rows(
        [Sum("NO", D("1000.40"), D("250.50"), 3, "goods", None, "STANDARD", D(25))], Purchases(), "NOK", True
    )
    assert (sales.tax, sales.amount, payable.amount) == (D("250.50"), D(251), D(251))


@pytest.mark.parametrize("kinds", [("purchase",), ("purchase", "import_paid")])
def test_input_tax_lowers_what_is_payable(kinds: tuple[str, ...]) -> None:
    bought = Purchases({kind: (D(100), D(10), 1) for kind in kinds})
    rows = summary_rows([Sum("AU", D(1000), D(100), 1)], bought, "AUD")
    assert rows[-1].amount == 100 - 10 * len(kinds)


def test_tax_that_a_return_accounts_for_itself_is_owed_before_it_is_reclaimed() -> None:
    bought = Purchases({"import_postponed": (D(500), D(125), 1), "purchase": (D(40), D(10), 1)})
    rows = {r.box: r for r in summary_rows([Sum("NO", D(100), D(25), 1)], bought, "NOK", whole=True)}
    assert (rows["import tax"].amount, rows["input tax"].amount, rows["payable"].amount) == (D(125), D(-135), D(15))


@given(MONEY, MONEY, MONEY)
def test_british_boxes_add_up_as_filed(one: Decimal, two: Decimal, four: Decimal) -> None:
    boxes = vat_boxes(one / 3, input_tax=four / 7, acquisition_tax=two / 9)
    assert boxes["3"] == boxes["1"] + boxes["2"]
    assert boxes["5"] == abs(boxes["3"] - boxes["4"])


def test_norwegian_values_are_whole_kroner_too() -> None:
    """Skatteetaten: "The amounts, declared and paid, must be rounded off to the nearest whole krone"."""
    (sales, _) = summary_rows([Sum("NO", D("1000.50"), D("250.13"), 1)], Purchases(), "NOK", whole=True)
    assert (sales.net, sales.tax, sales.amount) == (D(1001), D("250.13"), D(250))


def test_there_is_no_one_stop_shop_before_its_first_day() -> None:
    sold = {"country": "FR", "rate": D(20), "net": D(100)}
    with pytest.raises(UsageFault, match="no such return in 2021-Q2"):
        QUESTION.answer({"return": "eu.return.oss", "period": "2021-Q2", "lines": [sold]}, book())
    told = QUESTION.answer({"return": "eu.return.oss", "period": "2021-Q3", "lines": [sold]}, book())
    assert (told["payable"], told["due_date"]) == (D(20), date(2021, 10, 31))
