"""From order lines through their tax to returns."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.filed import HOME, IOSS, OSS_DE, D, dispositions, entries, filed, named, purchases, registrations
from support.taxed import order_lines, packaged, rates

from cbec import tables
from cbec.core import check
from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.compliance import filing, filing_earlier, filing_lines, filing_rules, filing_tables, periods

DAY = date(2026, 7, 10)
CHINA = {"ship_from": "CN", "date": DAY, "seller_country": "CN", "price_includes_tax": False, "scheme": "IOSS"}
UK = {
    "ship_from": "GB",
    "ship_to": "GB",
    "date": DAY,
    "seller_country": "CN",
    "price_includes_tax": False,
    "currency": "GBP",
}


def test_goods_from_other_states_stand_apart_from_those_of_the_state_of_identification() -> None:
    rows = [
        HOME | {"order_id": "a", "ship_to": "FR", "price": 100},
        HOME | {"order_id": "b", "ship_to": "FR", "price": 50, "ship_from": "PL"},
        HOME | {"order_id": "c", "ship_to": "FR", "price": 10},
    ]
    one = named(filed(rows, held=registrations(OSS_DE)), "eu.return.oss 2026-Q3")
    own, other = entries(one)["goods", "FR", None, None], entries(one)["goods dispatched", "FR", "PL", None]
    assert (own.net, own.tax, own.lines, own.rate_type, own.rate) == (D(110), D(22), 2, "STANDARD", D(20))
    assert (other.net, other.tax, other.lines) == (D(50), D(10), 1)
    assert one.total("payable") == 32
    assert (one.due, one.number, one.state) == (date(2026, 10, 31), "DE123456789", "DE")


def test_without_a_registration_every_dispatch_country_is_told() -> None:
    one = named(filed([HOME | {"ship_to": "FR", "price": 100}]), "eu.return.oss 2026-Q3")
    assert ("goods dispatched", "FR", "DE", None) in entries(one)


def test_parcels_to_northern_ireland_are_in_the_import_one_stop_shop() -> None:
    row = CHINA | {"ship_to": "XI", "date": date(2026, 5, 10), "price": 80, "currency": "GBP"}
    fixings = [
        {"date": day, "base": "EUR", "quote": "GBP", "rate": 0.8, "source": "ECB"}
        for day in (date(2026, 5, 8), date(2026, 5, 29), date(2026, 6, 1))
    ]
    one = named(filed([row], "2026-05", held=registrations(IOSS), rates=rates(fixings)), "eu.return.ioss 2026-05")
    (line,) = [r for r in one.rows if r.lines]
    assert (line.country, line.rate, line.net, line.tax) == ("XI", D(20), D(100), D(20))


def test_sales_taxed_where_they_are_sent_from_go_into_the_return_of_that_state() -> None:
    """Beside the sales within it, not into the One Stop Shop; those from Northern Ireland into that of the United Kingdom."""
    small = HOME | {"scheme": "NONE", "price": 100}
    rows = [
        small | {"order_id": "home", "ship_to": "DE"},
        small | {"order_id": "away", "ship_to": "FR"},
        small | {"order_id": "books", "ship_to": "DK", "hs_code": "490199"},
        small | {"order_id": "back", "ship_to": "FR", "qty": -1, "price": 40},
        HOME | {"order_id": "business", "ship_to": "IT", "buyer_type": "B2B", "price": 10},
        small | {"order_id": "irish", "ship_to": "IE", "ship_from": "XI", "seller_country": "XI", "price": 200},
    ]
    made = filed(
        rows, rates=rates([{"date": HOME["date"], "base": "EUR", "quote": "GBP", "rate": 0.5, "source": "ECB"}])
    )
    assert [r.id for r in made.returns] == ["gb.return.vat 2026-Q3", "local.DE.EUR 2026-Q3"]
    german = {row.rate: (row.net, row.tax, row.lines) for row in named(made, "local.DE.EUR 2026-Q3").rows if row.rate}
    assert german == {D(19): (D(170), D("32.3"), 4), D(7): (D(100), D(7), 1)}
    boxes = {row.box: row.tax if row.tax is not None else row.net for row in named(made, "gb.return.vat 2026-Q3").rows}
    assert (boxes["1"], boxes["6"]) == (D(20), D(100))


def test_distance_sales_to_and_from_northern_ireland_are_in_the_one_stop_shop() -> None:
    """In euros by the rate of the last day, under the code XI; not in a return of the United Kingdom."""
    rows = [
        HOME | {"order_id": "a", "ship_to": "GB", "ship_to_region": "BT1 5GS", "price": 86, "currency": "GBP"},
        HOME | {"order_id": "b", "ship_to": "IE", "ship_from": "XI", "seller_country": "XI", "price": 100},
    ]
    fixing = rates([{"date": date(2026, 9, 30), "base": "EUR", "quote": "GBP", "rate": 0.86, "source": "ECB"}])
    made = filed(rows, held=registrations(OSS_DE), rates=fixing)
    one = named(made, "eu.return.oss 2026-Q3")
    there, thence = entries(one)["goods", "XI", None, None], entries(one)["goods dispatched", "IE", "XI", None]
    assert (there.net, there.tax, thence.net, thence.tax) == (100, 20, 100, 23)
    assert one.total("payable") == 43
    assert [r.id for r in made.returns] == [one.id]


def test_rate_types_by_the_rule_that_gave_the_rate() -> None:
    ids = pl.Series(["eu.distance.oss|eu.vat.standard.fr", "gb.domestic", "no.vat.food|no.voec", None])
    assert filing_lines.rate_types(ids, packaged()).to_list() == ["STANDARD", None, "REDUCED", None]


def test_a_refund_in_a_later_quarter_corrects_the_quarter_of_its_sale() -> None:
    sale = HOME | {"order_id": "a", "line": "1", "ship_to": "FR", "price": 100, "date": date(2026, 5, 5)}
    back = sale | {"line": "2", "qty": -1, "date": date(2026, 8, 1)}
    now = HOME | {"order_id": "b", "ship_to": "FR", "price": 200}
    one = named(filed([sale, back, now]), "eu.return.oss 2026-Q3")
    correction = entries(one)["correction", "FR", None, "2026-Q2"]
    assert (correction.net, correction.tax, correction.rate) == (D(-100), D(-20), None)
    assert (one.total("payable"), one.total("refund")) == (D(20), D(0))
    made = filed([sale, back, now])
    assert dispositions(made) == ["other_period", "correction", "filed"]


def test_a_refund_within_the_period_lowers_its_line() -> None:
    sale = HOME | {"order_id": "a", "line": "1", "ship_to": "FR", "price": 100}
    one = named(filed([sale, sale | {"line": "2", "qty": -1, "date": date(2026, 9, 30)}]), "eu.return.oss 2026-Q3")
    assert entries(one)["goods dispatched", "FR", "DE", None].tax == 0
    assert one.total("payable") == 0


def test_a_month_of_ioss_is_corrected_in_the_next() -> None:
    sale = CHINA | {"order_id": "a", "line": "1", "ship_to": "FR", "price": 100}
    back = sale | {"line": "2", "qty": -1, "date": date(2026, 8, 2)}
    made = filed([sale, back], held=registrations(IOSS))
    assert named(made, "eu.return.ioss 2026-07").total("payable") > 0
    august = named(made, "eu.return.ioss 2026-08")
    assert [r.corrected for r in august.rows if r.kind == "line"] == ["2026-07"]
    assert august.total("payable") == 0
    assert august.total("refund") == named(made, "eu.return.ioss 2026-07").total("payable")
    assert named(made, "eu.return.ioss 2026-09").rows[0].kind == "nil"


def test_a_refund_without_its_sale_is_left_out_and_told() -> None:
    back = HOME | {"order_id": "a", "ship_to": "FR", "price": 100, "qty": -1}
    made = filed([back, HOME | {"order_id": "b", "ship_to": "FR", "price": 100}])
    assert dispositions(made) == ["no_sale", "filed"]
    (found,) = [f for f in filing_tables.findings(made, order_lines([]), None, False) if f.severity == "high"]
    assert (found.finding_id, found.money, found.currency) == ("left_out:no_sale:EUR", 100.0, "EUR")


def test_corrections_end_three_years_after_the_last_day_of_the_return() -> None:
    sale = HOME | {"order_id": "a", "line": "1", "ship_to": "FR", "price": 100, "date": date(2023, 5, 5)}
    back = sale | {"line": "2", "qty": -1}
    # 2023-Q2 was due on 2023-07-31; the return of 2026-Q2 is due on 2026-07-31, the next one three months later.
    assert dispositions(filed([sale, back | {"date": date(2026, 6, 1)}], "2026-Q2"))[1] == "correction"
    assert dispositions(filed([sale, back | {"date": date(2026, 8, 1)}], "2026-Q3"))[1] == "too_late"
    # Asked for together, each return keeps its own day.
    both = [sale, back | {"date": date(2026, 6, 1)}, back | {"line": "3", "date": date(2026, 8, 1)}]
    assert dispositions(filed(both, "2026-Q2"))[1:] == ["correction", "other_period"]
    assert dispositions(filed(both, "2026"))[1:] == ["correction", "too_late"]


def test_what_an_earlier_return_lacks_is_told_until_it_is_corrected() -> None:
    sale = HOME | {"order_id": "a", "line": "1", "ship_to": "FR", "price": 100, "date": date(2026, 5, 5)}
    late = sale | {"order_id": "late", "ship_to": "IT", "date": date(2026, 6, 30)}
    back = sale | {"line": "2", "qty": -1, "date": date(2026, 8, 1)}
    rules = filing_rules.returns()
    then = filing_tables.due(filed([sale], "2026-Q2"))
    assert filing_earlier.differences(filed([sale, back]), then, rules, None) == []
    (found,) = filing_earlier.differences(filed([sale, back, late]), then, rules, None)
    assert (found.finding_id, found.severity, found.money) == ("earlier:eu.return.oss:2026-Q2:IT", "high", 22.0)
    # Nor is a refund whose sale is not there, which is told by itself.
    alone = back | {"order_id": "unknown", "date": date(2026, 6, 1)}
    assert filing_earlier.differences(filed([sale, back, alone]), then, rules, None) == []
    # What a return between them corrected is not told again.
    between = pl.concat([then, filing_tables.due(filed([sale, back], "2026-Q3"))])
    now = filed(
        [sale, back, HOME | {"order_id": "b", "ship_to": "FR", "price": 1, "date": date(2026, 10, 1)}], "2026-Q4"
    )
    assert filing_earlier.differences(now, between, rules, None) == []


def test_nothing_sold_is_a_nil_return_where_a_registration_holds() -> None:
    held = registrations(OSS_DE, IOSS | {"valid_to": date(2026, 7, 31)})
    made = filed([HOME | {"ship_to": "FR", "price": 1, "date": date(2026, 4, 1)}], held=held)
    assert [(r.id, r.rows[0].kind) for r in made.returns] == [
        ("eu.return.oss 2026-Q3", "nil"),
        ("eu.return.ioss 2026-07", "nil"),
    ]


def test_boxes_of_the_united_kingdom() -> None:
    rows = [
        UK | {"order_id": "a", "price": 100},
        UK | {"order_id": "b", "price": 50, "ship_from": "CN"},
        UK | {"order_id": "c", "price": 30, "ship_from": "CN", "buyer_type": "B2B", "buyer_tax_id": "GB980780684"},
        UK | {"order_id": "d", "price": 70, "ship_to": "JP", "currency": "GBP"},
        UK | {"order_id": "e", "price": 1000, "marketplace_collects": True},
    ]
    bought = purchases({"net": 300, "tax": 60}, {"document": "P2", "kind": "import_postponed", "net": 500, "tax": 100})
    fixing = rates([{"date": DAY, "base": "GBP", "quote": "JPY", "rate": 200.0}])
    made = filed(
        rows, held=registrations({"scheme": "VAT", "country": "GB", "number": "GB1"}), bought=bought, rates=fixing
    )
    boxes = {r.box: r.amount for r in named(made, "gb.return.vat 2026-Q3").rows}
    assert boxes["1"] == D("130.00")  # 20 + 10 + 100 postponed
    assert (boxes["4"], boxes["5"], boxes["payable"], boxes["refund"]) == (D(160), D(30), D(0), D(30))
    assert boxes["6"] == 250  # sales 150, reverse charge 30, export 70
    assert boxes["7"] == 800


def test_a_refund_in_the_united_kingdom_lowers_the_period_it_is_made_in() -> None:
    sale = UK | {"order_id": "a", "line": "1", "price": 100, "date": date(2026, 4, 2)}
    one = named(filed([sale, sale | {"line": "2", "qty": -1, "date": DAY}]), "gb.return.vat 2026-Q3")
    assert {r.box: r.amount for r in one.rows}["1"] == D(-20)


def test_quarters_of_the_united_kingdom_end_in_any_month() -> None:
    made = filed(
        [UK | {"price": 100}, UK | {"order_id": "x", "price": 10, "date": date(2026, 8, 1)}], "2026-05..2026-07"
    )
    one = named(made, "gb.return.vat 2026-05..2026-07")
    assert {r.box: r.amount for r in one.rows}["1"] == D(20)
    assert one.due == date(2026, 9, 7)


@pytest.mark.parametrize(
    ("country", "currency", "scheme", "name", "due", "payable"),
    [
        ("AU", "AUD", "LVG", "au.return.gst 2026-Q3", date(2026, 10, 28), "10.00"),
        ("NO", "NOK", "VOEC", "no.return.voec 2026-Q3", date(2026, 10, 20), "25"),
    ],
)
def test_low_value_schemes(country: str, currency: str, scheme: str, name: str, due: date, payable: str) -> None:
    row = CHINA | {"ship_to": country, "currency": currency, "scheme": scheme, "price": 100}
    one = named(filed([row]), name)
    assert (one.due, one.total("payable")) == (due, D(payable))


def test_what_no_form_takes_is_summed_for_the_national_return() -> None:
    rows = [
        HOME | {"ship_to": "DE", "price": 100},
        HOME | {"order_id": "b", "ship_to": "PL", "ship_from": "PL", "price": 10, "currency": "PLN"},
    ]
    made = filed(rows)
    assert {r.id: r.total("payable") for r in made.returns} == {
        "local.DE.EUR 2026-Q3": D(19),
        "local.PL.PLN 2026-Q3": D("2.30"),
    }
    held = registrations(OSS_DE, {"scheme": "VAT", "country": "DE", "number": "DE123456789"})
    made = filed(rows, held=held)
    assert [named(made, f"local.{c} 2026-Q3").number for c in ("DE.EUR", "PL.PLN")] == ["DE123456789", None]
    found = filing_tables.findings(made, order_lines(rows), None, True)
    assert [(f.entity, f.severity, "no VAT registration" in f.message) for f in found] == [
        ("local.DE.EUR 2026-Q3", "warn", False),
        ("local.PL.PLN 2026-Q3", "high", True),
    ]


FIXINGS = [
    {"date": date(2026, 7, 31), "base": "EUR", "quote": "USD", "rate": 1.25},
    {"date": DAY, "base": "EUR", "quote": "USD", "rate": 2.0},
]


def test_one_stop_shops_convert_at_the_last_day_of_the_period() -> None:
    row = CHINA | {"ship_to": "FR", "price": 100, "currency": "USD"}
    made = filed([row], "2026-07", rates=rates(FIXINGS))
    tax = made.lines["tax"][0]
    assert named(made, "eu.return.ioss 2026-07").total("payable") == (tax / D("1.25")).quantize(D("0.01"))


def test_a_rate_missing_on_the_last_day_is_the_next_one_published() -> None:
    later = [FIXINGS[0] | {"date": date(2026, 8, 3)}, FIXINGS[1]]
    row = CHINA | {"ship_to": "FR", "price": 100, "currency": "USD"}
    assert named(filed([row], "2026-07", rates=rates(later)), "eu.return.ioss 2026-07").total("payable") == D("16.00")
    with pytest.raises(InputRejected, match="no fixing of USD/EUR on 2026-07-31"):
        filed([row], "2026-07", rates=rates(FIXINGS[1:]))


def test_money_without_rates_is_a_wrong_use() -> None:
    with pytest.raises(UsageFault, match="cannot be filed in GBP without exchange rates"):
        filed([UK | {"price": 10, "currency": "EUR"}])


def test_what_is_not_determined_or_somebody_elses_is_not_filed() -> None:
    rows = [
        HOME | {"order_id": "a", "ship_to": "IT", "price": 100, "scheme": "NONE", "seller_country": "FR"},
        CHINA | {"order_id": "b", "ship_to": "FR", "price": 100, "marketplace_collects": True},
        HOME | {"order_id": "c", "ship_to": "FR", "price": 5},
        HOME | {"order_id": "d", "ship_to": "FR", "price": 5, "date": None},
    ]
    made = filed(rows)
    assert dispositions(made) == ["undetermined", "other_party", "filed", "no_date"]
    control = filing_tables.control(made)
    assert control["lines"].sum() == 4
    undetermined = control.filter(pl.col("disposition") == "undetermined").row(0, named=True)
    assert (undetermined["lines"], undetermined["value"], undetermined["tax"]) == (1, D(100), D(0))
    ids = {f.finding_id for f in filing_tables.findings(made, order_lines(rows), None, False)}
    assert {"left_out:undetermined:EUR", "left_out:no_date:EUR"} <= ids


def test_a_tax_line_that_is_no_order_line_is_rejected() -> None:
    made = order_lines([HOME | {"ship_to": "FR", "price": 1}])
    tax = filed([HOME | {"ship_to": "FR", "price": 1}]).lines
    with pytest.raises(InputRejected, match="1 of 1 line is no order line"):
        filing.file(
            tax.select(filing_lines.OF_TAX), made.with_columns(pl.lit("other").alias("order_id")), packaged(), filing_rules.returns(), periods.parse("2026-Q3")
        )  # fmt: skip


def test_order_lines_that_were_not_taxed_are_told() -> None:
    row = HOME | {"ship_to": "FR", "price": 1}
    made = filed([row])
    ids = {
        f.finding_id for f in filing_tables.findings(made, order_lines([row, row | {"order_id": "new"}]), None, False)
    }
    assert "no_tax" in ids


def test_a_return_that_does_not_add_up_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    import cbec.methods.compliance.returns as forms

    honest = forms.oss_rows
    monkeypatch.setattr(forms, "oss_rows", lambda sums, currency: honest(sums, currency)[1:])
    with pytest.raises(AssertionError, match="filed"):
        filed([HOME | {"ship_to": "FR", "price": 100}, HOME | {"order_id": "b", "ship_to": "IT", "price": 1}])


SALES = st.lists(
    st.fixed_dictionaries(
        {
            "ship_to": st.sampled_from(["FR", "IT", "GB", "AU", "DE"]),
            "ship_from": st.sampled_from(["DE", "CN", "GB"]),
            "price": st.integers(1, 20_000).map(lambda c: Decimal(c) / 100),
            "qty": st.sampled_from([1, 2, -1]),
            "date": st.dates(date(2026, 4, 1), date(2026, 10, 31)),
            "order_id": st.sampled_from(["A", "B", "C", "D"]),
        }
    ),
    min_size=1,
    max_size=12,
)
MONEY_OF = {"GB": "GBP", "AU": "AUD"}


@settings(max_examples=8, deadline=None)
@given(SALES, st.randoms(use_true_random=False))
def test_totals_are_those_of_the_tax_table_whatever_the_order_of_lines(rows: list[dict[str, Any]], random: Any) -> None:
    """The proof within `file` holds for any lines, and shuffling them changes nothing."""
    full = [
        row
        | {
            "line": str(i),
            "seller_country": "CN",
            "price_includes_tax": False,
            "currency": MONEY_OF.get(row["ship_to"], "EUR"),
        }
        for i, row in enumerate(rows)
    ]
    fixing = rates([{"date": d, "base": "GBP", "quote": c, "rate": 2.0} for d in _days() for c in ("EUR", "AUD")])
    first = filed(full, rates=fixing)
    control = filing_tables.control(first)
    assert control["lines"].sum() == len(rows)
    assert control["tax"].sum() == first.lines["tax"].sum()
    due = check.conform(tables.get("returns_due"), filing_tables.due(first))
    random.shuffle(full)
    assert check.conform(tables.get("returns_due"), filing_tables.due(filed(full, rates=fixing))).equals(due)


def _days() -> list[date]:
    return [date(2026, month, day) for month in range(3, 12) for day in (1, 6, 11, 16, 21, 26)]


def test_exports_count_in_box_6_whether_or_not_the_tax_of_their_destination_is_known() -> None:
    home = UK | {"seller_country": "GB"}
    rows = [
        home | {"order_id": "a", "price": 100},
        home | {"order_id": "b", "ship_to": "BR", "price": 33.33, "shipping": 4},  # no rule pack
        home | {"order_id": "c", "ship_to": "US", "price": 50},  # no duty rate
        home | {"order_id": "d", "ship_to": "BR", "price": 9, "price_includes_tax": True},  # value without tax unknown
        home | {"order_id": "e", "line": "1", "ship_to": "BR", "price": 10, "qty": 2},
        home | {"order_id": "e", "line": "2", "ship_to": "BR", "price": 10, "qty": -1},
    ]
    fixing = rates([{"date": DAY, "base": "GBP", "quote": "USD", "rate": 1.25}])
    boxes = {r.box: r.amount for r in named(filed(rows, rates=fixing), "gb.return.vat 2026-Q3").rows}
    assert (boxes["1"], boxes["6"]) == (D(20), D(197))  # 100 + 37.33 + 50 + 10


def test_goods_to_jersey_are_exports_and_those_sent_from_the_union_to_a_business_in_northern_ireland_are_none_of_box_6() -> (
    None
):
    from_nl = UK | {"ship_from": "NL", "buyer_type": "B2B", "price": 30, "seller_country": "GB"}
    rows = [
        UK | {"order_id": "a", "price": 100, "seller_country": "GB"},
        UK | {"order_id": "b", "price": 40, "shipping": 2, "ship_to": "JE", "seller_country": "GB"},
        UK | {"order_id": "b", "line": "2", "qty": -1, "price": 5, "ship_to": "JE", "seller_country": "GB"},
        from_nl | {"order_id": "c", "ship_to_region": "BT1 5GS", "buyer_tax_id": "XI980780684"},
        from_nl | {"order_id": "d", "ship_to_region": "M1 1AE", "buyer_tax_id": "GB980780684"},
    ]
    made = filed(rows)
    assert [s for s in made.lines.sort("order_id")["scheme"] if s == "REVERSE_CHARGE"] == ["REVERSE_CHARGE"] * 2
    boxes = {r.box: r.amount for r in named(made, "gb.return.vat 2026-Q3").rows}
    assert (boxes["1"], boxes["6"]) == (D(20), D(167))  # 100 + 42 - 5 + 30


def test_british_boxes_add_up_where_purchases_were_converted() -> None:
    fixing = rates([{"date": date(2026, 7, 1), "base": "EUR", "quote": "GBP", "rate": 0.85}])
    bought = purchases(
        {"document": "a", "kind": "import_postponed", "net": "1000.03", "tax": "200.01", "currency": "EUR"},
        {"document": "b", "kind": "acquisition", "net": "33.35", "tax": "6.67", "currency": "EUR"},
    )
    made = filed([UK | {"seller_country": "GB", "price": 100.5}], bought=bought, rates=fixing)
    boxes = {r.box: r.amount for r in named(made, "gb.return.vat 2026-Q3").rows}
    assert (boxes["1"], boxes["2"], boxes["3"]) == (D("190.11"), D("5.67"), D("195.78"))
    assert boxes["5"] == boxes["3"] - boxes["4"]


def test_rows_that_were_rounded_are_no_difference_of_an_earlier_return() -> None:
    """Two dispatch states, 2.50 SEK of tax each at 8: 0.31 + 0.31 filed, and 0.625 in the tax table."""
    sold = HOME | {"ship_to": "SE", "price": 10, "currency": "SEK", "date": date(2026, 5, 5)}
    rows = [sold | {"order_id": "a"}, sold | {"order_id": "b", "ship_from": "PL"}]
    days = (date(2026, 5, 5), date(2026, 6, 30), date(2026, 9, 30))
    fixing = rates([{"date": d, "base": "EUR", "quote": "SEK", "rate": 8} for d in days])
    then = check.conform(
        tables.get("returns_due"), filing_tables.due(filed(rows, "2026-Q2", held=registrations(OSS_DE), rates=fixing))
    )
    rules = filing_rules.returns()
    now = filed(rows, held=registrations(OSS_DE), rates=fixing)
    assert filing_earlier.differences(now, then, rules, fixing) == []
    late = filed([*rows, sold | {"order_id": "c"}], held=registrations(OSS_DE), rates=fixing)
    assert len(filing_earlier.differences(late, then, rules, fixing)) == 1
