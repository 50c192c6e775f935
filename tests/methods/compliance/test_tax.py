"""Amounts against arithmetic written once more in plain Python, and lines of every odd kind; laws stand in test_laws."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.taxed import MONEY, book, cents, order_lines, packaged, rates, taxed

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.tax import compute
from cbec.methods.compliance.words import FIGURES

D = Decimal
DAY = date(2024, 6, 1)
LATER = date(2026, 8, 1)
FIXINGS = rates(
    [
        {"date": date(year, month, day), "base": "EUR", "quote": quote, "rate": rate, "source": "ECB"}
        for quote, rate in (("GBP", 0.8543), ("CNY", 7.7215), ("JPY", 163.02), ("NZD", 1.7544))
        for year in range(2021, 2027)
        for month in range(1, 13)
        for day in (1, 10, 20, 28)
    ]
)
MONEYS = st.decimals(0, 400, places=2)

#: Orders of one to four lines; all facts of an order's way and buyer are its own, the rest is the line's.
ORDERS = st.lists(
    st.fixed_dictionaries(
        {
            "date": st.dates(date(2021, 7, 1), date(2026, 12, 31)),
            "ship_from": st.sampled_from(["CN", "DE", "FR", "GB"]),
            "ship_to": st.sampled_from(["DE", "FR", "SE", "GB", "NZ"]),
            "currency": st.sampled_from(["EUR", "GBP", "CNY", "JPY"]),
            "scheme": st.sampled_from([None, "IOSS", "NONE"]),
            "marketplace_collects": st.booleans(),
            "buyer_type": st.sampled_from(["B2C", "B2C", "B2B"]),
            "buyer_tax_id": st.sampled_from([None, "SE123456789701"]),
            "price_includes_tax": st.booleans(),
            "incoterm": st.sampled_from([None, "DDP"]),
            "lines": st.lists(
                st.fixed_dictionaries(
                    {
                        "price": MONEYS,
                        "qty": st.integers(1, 3),
                        "shipping": st.sampled_from([None, D("4.99")]),
                        "duty_rate_pct": st.sampled_from([None, D(0), D("4.7"), D(12)]),
                        "hs_code": st.sampled_from([None, "610910", "640299"]),
                    }
                ),
                min_size=1,
                max_size=4,
            ),
        }
    ),
    min_size=1,
    max_size=5,
)


def _rows(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in order.items() if k != "lines"} | line | {"order_id": f"O{i}", "line": f"{j}", "sku": f"S{j}"}
        for i, order in enumerate(orders)
        for j, line in enumerate(order["lines"])
    ]


@given(ORDERS)
@settings(deadline=None, max_examples=15)
def test_every_line_adds_up_or_says_why_it_cannot(orders: list[dict[str, Any]]) -> None:
    rows = _rows(orders)
    for row, told in zip(rows, taxed(rows, FIXINGS), strict=True):
        assert told["reason"]
        if told["status"] == "UNDETERMINED":
            assert all(told[c] is None for c in (*MONEY, "tax_rate", "duty_rate", "collected_by"))
            assert told["scheme"] is None or told["reason_code"] in FIGURES
            continue
        assert told["rule_ids"] == "|".join(sorted(told["rule_ids"].split("|")))
        assert told["citation"] == "|".join(sorted(set(told["citation"].split("|"))))
        assert told["total"] == told["duty"] + told["tax"] + told["other_charges"]
        unit = D(1) if row["currency"] == "JPY" else D("0.01")
        assert all(told[c] is None or told[c] % unit == 0 for c in MONEY)
        whole = (D(row["price"]) * row["qty"] / unit).quantize(D(1), "ROUND_HALF_UP") * unit
        whole += (D(row["shipping"] or 0) / unit).quantize(D(1), "ROUND_HALF_UP") * unit
        untaxed = told["scheme"] == "IOSS" and "eu.duty.interim" in told["rule_ids"]
        value = told["tax_base"] - (0 if untaxed else told["duty"])
        if not row["price_includes_tax"]:
            assert value == whole
        elif row["incoterm"] == "DDP":
            assert value + told["duty"] + told["tax"] == whole
        elif untaxed or told["duty"] == 0:
            assert value + told["tax"] == whole
        assert told["intrinsic_value"] <= value


def _rate(country: str, day: date) -> Decimal:
    rule = next(p.rules[f"{p.id}.vat.standard.{country.lower()}"] for p in packaged() if country in p.jurisdictions)
    return [v.value for v in rule.values if v.valid_from <= day][-1] or D(0)


SINGLE = st.fixed_dictionaries(
    {
        "date": st.dates(date(2021, 7, 1), date(2026, 12, 31)),
        "ship_from": st.sampled_from(["CN", "DE", "GB"]),
        "ship_to": st.sampled_from(["DE", "EE", "FI", "HU", "LU", "GB"]),
        "price": st.decimals(0, 300, places=4),
        "qty": st.decimals("0.5", 3, places=1),
        "shipping": st.decimals(0, 20, places=2),
        "insurance": st.decimals(0, 5, places=3),
        "duty_rate_pct": st.decimals(0, 40, places=3),
    }
)


@given(st.lists(SINGLE, min_size=20, max_size=60))
@settings(deadline=None, max_examples=20)
def test_single_lines_against_decimal_arithmetic(rows: list[dict[str, Any]]) -> None:
    """The law of the two packs for net prices, written once more in plain Python, one line at a time."""
    rows = [row | {"currency": "GBP" if row["ship_to"] == "GB" else "EUR"} for row in rows]
    for row, told in zip(rows, taxed(rows), strict=True):
        day, origin, to = row["date"], row["ship_from"], row["ship_to"]
        goods = cents(row["price"] * row["qty"])
        value = goods + cents(row["shipping"]) + cents(row["insurance"])
        home = origin == to or (origin == "DE" and to != "GB")
        small = goods <= (135 if to == "GB" else 150)
        owed, rate = D(0), None
        if home:
            scheme = "DOMESTIC" if origin == to else "OSS"
        elif small:
            scheme = "UK_SUPPLY" if to == "GB" else "IOSS"
            owed = D(3) if to != "GB" and day >= date(2026, 7, 1) else D(0)
        else:
            scheme, rate = "IMPORT", row["duty_rate_pct"]
            owed = cents(value * rate / 100)
        base = value if scheme == "IOSS" else value + owed  # no tax of the IOSS on the flat duty
        tax = cents(base * _rate(to, day) / 100)
        assert (told["scheme"], told["duty_rate"]) == (scheme, rate)
        assert told["customs_value"] == (None if home else value)
        assert (told["duty"], told["tax_base"], told["tax"], told["total"]) == (owed, base, tax, owed + tax)


def test_products_fill_what_the_line_does_not_say() -> None:
    lines = order_lines(
        [
            {"order_id": "a", "line": str(i), "sku": sku, "date": LATER, "ship_from": "CN", "ship_to": "FR", "price": 10, "hs_code": code}
            for i, (sku, code) in enumerate([("A", None), ("B", "640299")])
        ]
    )  # fmt: skip
    products = pl.DataFrame(
        {"sku": ["A", "B"], "hs_code": ["610910", "610910"], "category": pl.Series([None, None], dtype=pl.String)}
    )
    told = compute(lines, products, None, book())
    assert told["duty"].to_list() == [3, 3]
    assert compute(lines, None, None, book())["reason_code"][0] == "tax_no_hs_code"


def test_customs_codes_of_ones_own_categories() -> None:
    """They find rates where neither line nor product tells a code, and count for nothing else."""
    mine = pl.DataFrame({"category": ["Loose Tea ", "Reading", "Odd"], "hs_code": ["0902", "49.01.99", "n/a"]})
    rules = rulebook(packaged(), None, mine)
    sold = {"date": DAY, "ship_from": "DE", "ship_to": "DE", "price": 100}
    rows: list[dict[str, Any]] = [
        sold | {"category": "loose tea"},
        sold | {"category": "loose tea", "hs_code": "610910"},
        sold | {"category": "READING"},
        sold | {"category": "odd"},
        sold | {"category": "loose tea", "date": LATER, "ship_from": "CN", "price": 50, "sku": "A", "order_id": "X"},
        sold
        | {
            "category": "reading",
            "date": LATER,
            "ship_from": "CN",
            "price": 50,
            "sku": "B",
            "order_id": "X",
            "line": "2",
        },
    ]
    told = taxed(rows, rules=rules)
    assert [t["tax"] for t in told[:4]] == [7, 19, 7, 19]
    assert [t["flags"] for t in told[:4]] == [None, None, None, None]
    assert [t["reason_code"] for t in told[4:]] == ["tax_no_hs_code"] * 2  # the flat duty counts subheadings
    assert taxed(rows[:1])[0]["tax"] == 19
    # The product's category serves as well, and its code goes before.
    products = pl.DataFrame(
        {"sku": ["A"], "category": ["Loose tea"], "hs_code": [None]}, schema_overrides={"hs_code": pl.String}
    )
    assert compute(order_lines([sold]), products, None, rules)["tax"].to_list() == [7]
    assert compute(order_lines([sold]), products.with_columns(hs_code=pl.lit("610910")), None, rules)[
        "tax"
    ].to_list() == [19]


def test_goods_given_away_owe_the_flat_duty_and_give_it_back() -> None:
    gift = {"order_id": "a", "date": LATER, "ship_from": "CN", "ship_to": "DE", "price": 0, "scheme": "IOSS"}
    told = taxed([gift, gift | {"line": "1R", "qty": -1, "date": LATER + timedelta(days=9)}])
    assert [t["duty"] for t in told] == [3, -3]


def test_a_missing_rate_is_named() -> None:
    line = {"date": DAY, "ship_from": "CN", "ship_to": "FR", "price": 100, "currency": "USD"}
    with pytest.raises(InputRejected, match="USD"):
        taxed([line], FIXINGS)
    with pytest.raises(UsageFault, match="USD"):
        taxed([line])
    # No limit is asked of goods that cross no border, so no rate is needed.
    (told,) = taxed([line | {"ship_from": "FR"}])
    assert (told["tax"], told["currency"]) == (20, "USD")


def test_amounts_of_currencies_without_minor_unit() -> None:
    line = {"date": LATER, "ship_from": "JP", "ship_to": "DE", "currency": "JPY", "hs_code": "610910"}
    (told,) = taxed([line | {"price": 9999}], FIXINGS)
    assert told["duty"] == 489  # EUR 3 at 163.02 = 489.06
    assert told["tax"] == 1900  # 19 % of 9999 = 1899.81


def test_reasons_are_told_in_chinese() -> None:
    (told,) = taxed([{"date": DAY, "ship_from": "CN", "ship_to": "FR", "price": 100}], language="zh")
    assert told["reason"] == "包裹价值未超过 150 EUR：按 FR 税率 20.0% 在销售时通过 IOSS 收取。"


def test_an_empty_table() -> None:
    told = compute(order_lines([{"date": DAY}]).clear(), None, None, book())
    assert told.height == 0 and "rule_ids" in told.columns


def test_a_file_in_which_no_line_can_be_decided() -> None:
    told = taxed([{"date": None, "price": 1}, {"date": DAY, "ship_from": "AQ", "ship_to": "AQ", "price": 1}])
    assert [t["reason_code"] for t in told] == ["tax_no_date", "tax_no_pack"]
    assert all(t["tax"] is None and t["rule_ids"] is None for t in told)
