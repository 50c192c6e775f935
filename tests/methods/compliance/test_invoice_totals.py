"""Arithmetic of EN 16931: published examples, and the identities of its rules for random invoices."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.core.errors import UsageFault
from cbec.methods.compliance import invoice_question
from cbec.methods.compliance.cells import read
from cbec.methods.compliance.invoice_totals import TAXED, UNTAXED, Amount, decimals, line_net, rounded, totals

D = Decimal


@pytest.mark.parametrize(
    ("value", "told"), [("-324.995", "-325.00"), ("324.995", "325.00"), ("0.005", "0.01"), ("-0.004", "0.00")]
)
def test_rounding_is_half_away_from_zero_and_never_minus_zero(value, told):
    assert str(rounded(D(value))) == told


def test_an_exempt_line_less_an_allowance_is_the_taxable_amount():  # eInvoicing-EN16931 issue 338
    found = totals([Amount(D("4.20"), "E", D(0))], [Amount(D("1.26"), "E", D(0))])
    assert [(t.taxable, t.tax) for t in found.taxes] == [(D("2.94"), D(0))]


def test_a_charge_is_part_of_the_taxable_amount():  # eInvoicing-EN16931 issue 336, BR-IC-08
    found = totals([Amount(D("1225.60"), "K", D(0))], charges=[Amount(D("196.10"), "K", D(0))])
    assert found.taxes[0].taxable == D("1421.70")


def test_vat_is_rounded_once_per_rate_and_not_per_line():
    lines = [Amount(D("0.05"), "S", D("10"))] * 3 + [Amount(D("0.05"), "S", D("10.00"))]
    assert totals(lines).tax == D("0.02")  # four lines rounded each would be 0.04


def test_rates_of_one_category_stand_apart():
    found = totals([Amount(D("10"), "S", D("19")), Amount(D("10"), "S", D("7")), Amount(D("5"), "O", None)])
    assert [(t.category, t.rate, t.tax) for t in found.taxes] == [
        ("O", None, D("0")), ("S", D("7"), D("0.70")), ("S", D("19"), D("1.90")),
    ]  # fmt: skip


def test_a_price_for_a_hundred_with_allowance_and_charge():
    assert line_net(D("250"), D("3.99"), per=D("100"), allowances=D("1"), charges=D("0.50")) == D("9.48")


def test_amounts_in_yen_have_no_decimals_and_dinars_two():
    assert (decimals("JPY"), decimals("KWD"), decimals("EUR")) == (0, 2, 2)
    assert line_net(D(3), D("33.5"), digits=0) == D("101")


money = st.decimals(-(10**9), 10**9, places=2, allow_nan=False)
taxed = st.builds(Amount, money, st.sampled_from(TAXED), st.decimals(1, 30, places=2))
untaxed = st.builds(Amount, money, st.sampled_from(UNTAXED[:-1]), st.just(D(0)))
amounts = st.lists(taxed | untaxed, max_size=6)


@given(st.lists(taxed | untaxed, min_size=1, max_size=8), amounts, amounts, money, money)
def test_the_identities_of_br_co_10_to_17_hold_for_any_invoice(lines, allowances, charges, prepaid, rounding):
    t = totals(lines, allowances, charges, prepaid=prepaid, rounding=rounding)
    assert t.lines == sum(a.amount for a in lines)  # BR-CO-10
    assert t.allowances == sum(a.amount for a in allowances)  # BR-CO-11
    assert t.charges == sum(a.amount for a in charges)  # BR-CO-12
    assert t.net == t.lines - t.allowances + t.charges  # BR-CO-13
    assert t.tax == sum(row.tax for row in t.taxes)  # BR-CO-14
    assert t.gross == t.net + t.tax  # BR-CO-15
    assert t.payable == t.gross - t.prepaid + t.rounding  # BR-CO-16
    assert sum(row.taxable for row in t.taxes) == t.net
    for row in t.taxes:  # BR-CO-17
        assert abs(row.tax - row.taxable * (row.rate or 0) / 100) <= D("0.005")


@given(st.lists(taxed, min_size=1, max_size=6))
def test_a_credit_note_is_the_invoice_with_the_sign_turned(lines):
    sale, credit = totals(lines), totals([Amount(-a.amount, a.category, a.rate) for a in lines])
    assert (credit.net, credit.tax, credit.payable) == (-sale.net, -sale.tax, -sale.payable)


def asked(**given):
    return invoice_question.QUESTION.answer(read(given, invoice_question.QUESTION.given, "given"), None)


def test_the_published_cases_as_cases_of_the_kind_invoice():
    exempt = asked(category="E", lines=[{"net": "4.20"}], allowances=[{"amount": "1.26"}])
    assert exempt["taxes"][0]["taxable"] == D("2.94")
    assert "BR-E-08" in exempt["rule_ids"]
    supply = asked(category="K", lines=[{"net": "1225.60"}], charges=[{"amount": "196.10"}])
    assert supply["taxes"][0]["taxable"] == D("1421.70")
    assert "BR-IC-08" in supply["rule_ids"]
    assert asked(category="Z", lines=[{"price": "-324.995"}])["net"] == D("-325.00")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lines": []}, "needs lines"),
        ({"lines": [{"net": "1"}]}, "rate"),
        ({"lines": [{"net": "1", "category": "X"}]}, "category"),
        ({"lines": [{"net": "1", "price": "1", "rate": "19"}]}, "either"),
    ],
)
def test_a_case_that_is_no_invoice_is_refused(given, said):
    with pytest.raises(UsageFault, match=said):
        asked(**given)
