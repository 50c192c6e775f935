"""The user's tariff on order lines: the longest code, origins, dates, duties per unit, prices that include duty."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.taxed import rates, tariff, taxed

from cbec.core.errors import InputRejected, UsageFault

D = Decimal
LINE: dict[str, Any] = {"date": date(2024, 6, 1), "ship_from": "CN", "ship_to": "FR", "price": 1000, "origin": "CN"}
SCHEDULE = tariff(
    {"hs_code": "61", "duty": "12%", "source": "chapter 61"},
    {"hs_code": "6109.10", "duty": "8%", "source": "TARIC 6109 10"},
    {"hs_code": "610910", "origin": "VN", "duty": "Free", "source": "preference"},
    {"hs_code": "610910", "duty": "10%", "valid_from": date(2025, 1, 1)},
    {"hs_code": "3402", "duty": "12.80 % + 118.80 EUR DTN", "source": "cleaning agents"},
    {"hs_code": "2209", "duty": "15.40 EUR HLT"},
    {"hs_code": "1704", "duty": "9.60 % + EA MAX 24.20 % + AD S/Z"},
    {"hs_code": "9999", "duty": "Free, under bond"},
    {"hs_code": "64", "jurisdiction": "FR", "duty": "17%"},
)


def told(schedule: Any = SCHEDULE, fixings: Any = None, **line: Any) -> dict[str, Any]:
    (answer,) = taxed([LINE | line], fixings, tariff=schedule)
    return answer


def test_the_longest_code_holds_then_the_origin_then_the_later_row() -> None:
    assert told(hs_code="6110.20")["duty"] == 120
    assert told(hs_code="6109.10.00.10")["duty"] == 80
    assert told(hs_code="61091000", origin="VN")["duty"] == 0
    assert told(hs_code="610990")["duty"] == 120
    assert told(hs_code="610910", date=date(2025, 1, 1))["duty"] == 100
    assert told(hs_code="6403")["duty"] == 170


def test_duties_against_dumping_are_added_and_unknown_measures_refused() -> None:
    against = {"hs_code": "61", "measure": "antidumping", "origin": "CN", "duty": "30%", "source": "regulation"}
    schedule = tariff({"hs_code": "61", "duty": "12%"}, against, {"hs_code": "", "measure": "safeguard", "duty": "1%"})
    line = told(schedule, hs_code="6110")
    assert (line["duty"], line["duty_parts"]) == (430, "mfn 120.00|antidumping 300.00|safeguard 10.00")
    assert "regulation" in line["citation"].split("|")
    assert told(schedule, hs_code="6110", origin="VN")["duty"] == 130
    assert told(schedule, hs_code="6110", origin=None)["reason_code"] == "tax_no_goods_origin"
    assert told(schedule, hs_code="6403", duty_rate_pct=0, origin=None)["duty"] == 10
    assert told(schedule, duty_rate_pct=0)["reason_code"] == "tax_no_tariff_code"
    with pytest.raises(InputRejected, match=r'"antidumpin" is none of .*antidumping'):
        told(tariff(against | {"measure": "antidumpin"}), hs_code="6110")


def test_the_figures_name_the_row_they_come_from() -> None:
    line = told(hs_code="6109100010")
    assert (line["duty_rate"], line["customs_value"], line["tax"]) == (8, 1000, 216)
    assert "TARIC 6109 10" in line["citation"].split("|")
    assert line["duty_parts"] is None  # one plain percentage needs no taking apart


def test_the_rate_on_the_line_goes_before_the_tariff() -> None:
    line = told(hs_code="610910", duty_rate_pct=3)
    assert (line["duty"], line["duty_rate"]) == (30, 3)


def test_duties_per_unit() -> None:
    line = told(hs_code="34021011", net_weight_kg=50)
    assert (line["duty"], line["duty_rate"], line["duty_parts"]) == (D("187.40"), None, "mfn 187.40")
    assert line["tax_base"] == D("1187.40")
    assert told(hs_code="220900", quantities="litre=75")["duty"] == D("11.55")
    # What the line does not tell is named, never taken as 0.
    short = told(hs_code="220900")
    assert (short["reason_code"], short["duty"]) == ("tax_no_quantity", None)
    assert "litre" in short["reason"]


def test_weights_come_from_the_products_too() -> None:
    import polars as pl
    from support.taxed import book, order_lines

    from cbec.methods.compliance.tax import compute

    products = pl.DataFrame({"sku": ["A"], "category": ["soap"], "hs_code": ["3402"], "weight_kg": [25.0]})
    answer = compute(order_lines([LINE | {"qty": 2, "price": 500}]), products, None, book(), tariff=SCHEDULE)
    assert answer["duty"].to_list() == [D("187.40")]


def test_rates_that_are_none_leave_the_line_undetermined() -> None:
    assert told(hs_code="170490")["reason_code"] == "tax_duty_text"
    assert "agricultural component" in told(hs_code="170490")["reason"]
    assert told(hs_code="999910")["reason_code"] == "tax_duty_condition"
    assert told(hs_code="8471")["reason_code"] == "tax_no_duty_rate"
    assert told(hs_code=None)["reason_code"] == "tax_no_tariff_code"
    assert told(schedule=None, hs_code=None)["reason_code"] == "tax_no_duty_rate"


def test_duties_in_another_currency_need_the_rate_of_the_day() -> None:
    fixings = rates([{"date": date(2024, 5, 31), "base": "EUR", "quote": "USD", "rate": 1.08}])
    line = told(fixings=fixings, hs_code="220900", quantities="litre=75", currency="USD")
    assert line["duty"] == D("12.47")  # 11.55 x 1.08 = 12.474
    with pytest.raises(UsageFault, match="USD"):
        told(hs_code="220900", quantities="litre=75", currency="USD")


def test_delivered_prices_with_duties_per_unit_are_taken_apart() -> None:
    net = told(hs_code="3402", net_weight_kg=50)
    price = net["tax_base"] + net["tax"]
    line = told(hs_code="3402", net_weight_kg=50, price=price, price_includes_tax=True, incoterm="DDP")
    assert [line[c] for c in ("customs_value", "duty", "tax")] == [net[c] for c in ("customs_value", "duty", "tax")]


@given(
    st.lists(
        st.tuples(st.sampled_from(["6110", "610910", "3402"]), st.decimals(151, 5000, places=2), st.integers(1, 90)),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 7),
)
@settings(deadline=None, max_examples=10)
def test_many_lines_in_parts_against_one_line_at_a_time(goods: list[tuple[str, Decimal, int]], part: int) -> None:
    rows = [
        LINE | {"order_id": f"o{i}", "hs_code": c, "price": p, "net_weight_kg": kg}
        for i, (c, p, kg) in enumerate(goods)
    ]
    together = taxed(rows, tariff=SCHEDULE, part_size=part)
    assert together == [taxed([row], tariff=SCHEDULE)[0] for row in rows]
    for (code, price, weight), line in zip(goods, together, strict=True):
        wanted = {
            "6110": price * 12 / 100,
            "610910": price * 8 / 100,
            "3402": price * D("12.8") / 100 + weight * D("1.188"),
        }[code]
        assert line["duty"] == wanted.quantize(D("0.01"), ROUND_HALF_UP)
        assert line["tax"] == ((price + line["duty"]) / 5).quantize(D("0.01"), ROUND_HALF_UP)
