"""Customs papers and the files of returns."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from support.filed import HOME, IOSS, OSS_DE, D, filed, named, registrations
from support.taxed import book, order_lines, packaged, rates

from cbec import tables
from cbec.core import check
from cbec.core.errors import UsageFault
from cbec.methods.compliance import customs_items, drafts, filing_lines, filing_tables, paper_files, periods
from cbec.methods.compliance.cells import frame
from cbec.methods.compliance.exports import leaving
from cbec.methods.compliance.tax import compute

DAY = date(2026, 7, 10)
PARCEL = {
    "ship_from": "CN", "ship_to": "FR", "date": DAY, "seller_country": "CN", "price_includes_tax": False, "scheme": "IOSS", "hs_code": "6109.10.00",
    "origin": "CN", "customer_id": "C1",
}  # fmt: skip
GOODS = [{"sku": "A", "name": "T-shirt", "weight_kg": 0.2}]


def _items(
    rows: list[dict[str, Any]],
    held: pl.DataFrame | None = None,
    fixing: pl.DataFrame | None = None,
    goods: bool = True,
    blind: bool = False,
) -> pl.DataFrame:
    lines = order_lines(rows)
    tax = compute(lines, None, fixing, book())
    products = frame(GOODS, tables.get("products")) if goods else None
    where, asked = filing_lines.places(packaged()), periods.parse("2026-Q3")
    made = customs_items.items(
        lines, tax, asked, where, products, leaving(lines, book()), held, None if blind else fixing
    )
    return check.conform(tables.get("customs_items"), made)


def test_the_limit_of_h7_is_that_of_the_consignment() -> None:
    rows = [
        PARCEL | {"order_id": "a", "line": "1", "price": 100},
        PARCEL | {"order_id": "a", "line": "2", "price": 50},
        PARCEL | {"order_id": "b", "line": "1", "price": 100},
        PARCEL | {"order_id": "b", "line": "2", "price": 50.01, "duty_rate_pct": 12},
    ]
    found = _items(rows, registrations(IOSS))
    assert found["import_data_set"].to_list() == ["H7", "H7", "H1", "H1"]
    assert found["consignment_value"].to_list() == [D(150), D(150), D("150.01"), D("150.01")]
    first = found.row(0, named=True)
    assert (first["hs6"], first["description"], first["gross_weight_kg"], first["ioss_number"]) == (
        "610910",
        "T-shirt",
        D("0.2"),
        "IM2760000000",
    )
    assert first["missing"] is None


def test_within_the_union_and_at_home_there_are_no_customs_papers() -> None:
    rows = [
        HOME | {"order_id": "a", "ship_to": "FR", "price": 1},
        HOME | {"order_id": "b", "ship_to": "DE", "price": 1},
    ]
    assert _items(rows).is_empty()
    assert _items([PARCEL | {"price": 10, "qty": -1}]).is_empty()
    assert _items([PARCEL | {"price": 10, "date": date(2026, 6, 30)}]).is_empty()


def test_between_the_union_and_northern_ireland_there_are_no_customs_papers() -> None:
    rows = [
        HOME | {"order_id": "a", "ship_to": "XI", "price": 1},
        HOME | {"order_id": "b", "ship_to": "GB", "ship_to_region": "bt1 5gs", "price": 1},
        HOME | {"order_id": "c", "ship_from": "XI", "ship_to": "IE", "price": 1},
        HOME | {"order_id": "d", "ship_to": "GB", "ship_to_region": "B1 1AA", "price": 1},
        HOME | {"order_id": "e", "ship_to": "GB", "price": 1},
    ]
    fixing = rates([{"date": DAY, "base": "EUR", "quote": "GBP", "rate": 0.8}])
    assert _items(rows, fixing=fixing)["consignment"].to_list() == ["d", "e"]


def test_goods_to_territories_outside_a_tax_area_are_declared_as_exports() -> None:
    """Jersey, the Canary Islands from Spain and from Germany, and nothing that would be an import into the Union."""
    sent = {"date": DAY, "price_includes_tax": False, "price": 20, "hs_code": "6109.10.00", "origin": "CN"}
    ways = [("GB", "JE", "JE2 3AB"), ("ES", "ES", "35001"), ("DE", "ES", "38003"), ("DE", "DE", "27498")]
    ways += [("GB", "IM", "IM1 1AA"), ("ES", "ES", "28001")]
    rows = [
        sent | {"order_id": str(i), "ship_from": a, "ship_to": b, "ship_to_region": region, "currency": "GBP" if a == "GB" else "EUR"}
        for i, (a, b, region) in enumerate(ways)
    ]  # fmt: skip
    found = _items(rows)
    assert found["consignment"].to_list() == ["0", "1", "2", "3"]
    assert found["import_data_set"].to_list() == [None] * 4 and found["missing"].to_list() == [None] * 4


def test_the_ioss_number_is_that_of_the_day_and_of_who_collects() -> None:
    """Also where the order line says nothing of a scheme, and none where IOSS cannot be used."""
    old, new = IOSS | {"number": "IM1", "valid_to": date(2026, 7, 9)}, IOSS | {"number": "IM2", "valid_from": DAY}
    silent = {key: value for key, value in PARCEL.items() if key != "scheme"}
    rows = [
        silent | {"order_id": "a", "price": 10},
        silent | {"order_id": "b", "price": 10, "date": date(2026, 7, 1)},
        silent | {"order_id": "c", "price": 10, "marketplace_collects": True},
        PARCEL | {"order_id": "d", "price": 10, "ship_to": "ES", "ship_to_region": "35001"},  # Canary Islands
        PARCEL | {"order_id": "e", "price": 10, "ship_to": "MC"},
    ]
    found = _items(rows, registrations(old, new))
    assert found["ioss_number"].to_list() == ["IM2", "IM1", None, None, "IM2"]
    assert found["missing"].to_list() == [None, None, "ioss_number", None, None]
    assert found["import_data_set"].to_list() == ["H7"] * 5


def test_an_order_sent_from_two_countries_is_two_consignments() -> None:
    rows = [
        PARCEL | {"order_id": "a", "line": "1", "price": 100},
        PARCEL | {"order_id": "a", "line": "2", "price": 100, "ship_from": "GB"},
        PARCEL | {"order_id": "a", "line": "3", "price": 40},
    ]
    found = _items(rows, registrations(IOSS))
    assert found.select("consignment", "item", "line", "consignment_value", "import_data_set").rows() == [
        ("a CN-FR", 1, "1", D(140), "H7"),
        ("a CN-FR", 2, "3", D(140), "H7"),
        ("a GB-FR", 1, "2", D(100), "H7"),
    ]


def test_what_nobody_told_is_named_not_guessed() -> None:
    row = _items([PARCEL | {"price": 10, "hs_code": None, "origin": None}], goods=False).row(0, named=True)
    assert row["missing"] == "description|gross_weight_kg|hs6|hs_code|ioss_number|origin"
    # Without a rate the limit in euros cannot be judged, and neither data set is guessed.
    fixing = rates([{"date": DAY, "base": "EUR", "quote": "USD", "rate": 1.25}])
    priced = _items([PARCEL | {"price": 10, "currency": "USD"}], fixing=fixing, blind=True)
    assert priced["import_data_set"].to_list() == [None]
    assert priced["reason_code"].to_list() == ["customs_value_unknown"]


def test_goods_for_nothing_lack_their_value() -> None:
    rows = [
        PARCEL | {"order_id": "a", "price": 0},
        PARCEL | {"order_id": "b", "price": 1},
    ]
    assert _items(rows, registrations(IOSS))["missing"].to_list() == ["intrinsic_value", None]


def test_the_postal_forms() -> None:
    fixing = rates(
        [
            {"date": DAY, "base": "XDR", "quote": "USD", "rate": 1.5},
            {"date": DAY, "base": "XDR", "quote": "EUR", "rate": 1.25},
        ]
    )
    post = PARCEL | {"ship_to": "US", "currency": "USD", "transport": "post", "scheme": None}
    rows = [
        post | {"order_id": "a", "price": 449.99},
        post | {"order_id": "b", "price": 450},  # 300 SDR are no longer below
        post | {"order_id": "c", "price": 10, "qty": 10},  # 2 kg neither
    ]
    assert _items(rows, fixing=fixing)["postal_form"].to_list() == ["CN22", "CN23", "CN23"]
    # Without a rate of the SDR the form that holds everything is taken.
    assert _items(rows[:1])["postal_form"].to_list() == ["CN23"]


def test_lists_and_summary_of_9610_add_up() -> None:
    rows = [
        PARCEL | {"order_id": "a", "price": 10},
        PARCEL | {"order_id": "b", "price": 20, "net_weight_kg": 1},
        PARCEL | {"order_id": "c", "price": 5, "date": date(2026, 8, 1), "net_weight_kg": 1},
        PARCEL | {"order_id": "d", "price": 5, "buyer_type": "B2B"},  # 9710
    ]
    found = _items(rows)
    assert found["export_regime"].to_list() == ["1210|9610", "1210|9610", "1210|9610", "0110|9710"]
    summary = customs_items.summary_9610(found).to_dicts()
    assert [(s["month"], s["lists"], s["value"], s["net_weight_kg"]) for s in summary] == [
        ("2026-07", 2, D(30), None),
        ("2026-08", 1, D(5), D(1)),
    ]
    files = paper_files.files(found, {})
    assert {"cn_9610_list.csv", "cn_9610_summary.csv", "h7.csv", "h7.json", "commercial_invoices.html"} <= files.keys()
    assert "2026-08-15" in files["cn_9610_summary.csv"].decode()
    # The list names what it lacks itself, not what the other end's papers do.
    rows_of_list = files["cn_9610_list.csv"].decode().splitlines()[1:]
    assert [row.rsplit(",", 1)[1] for row in rows_of_list] == ["net_weight_kg", "", ""]


def test_a_summary_of_9610_has_no_value_where_one_is_not_known() -> None:
    rows = [
        PARCEL | {"order_id": "a", "price": 10},
        PARCEL | {"order_id": "b", "ship_to": "US", "price": 20, "currency": "USD", "price_includes_tax": True},
        PARCEL | {"order_id": "c", "ship_to": "US", "price": 20, "currency": "USD"},
    ]
    fixing = rates([{"date": DAY, "base": "EUR", "quote": "USD", "rate": 1.25}])
    summary = customs_items.summary_9610(_items(rows, fixing=fixing))
    assert summary.select("ship_to", "lists", "value").rows() == [("FR", 1, D(10)), ("US", 2, None)]


def test_a_commercial_invoice_tells_the_value_of_a_piece_and_the_total() -> None:
    rows = [
        PARCEL | {"order_id": "a", "line": "1", "price": 10.02, "qty": 3, "shipping": 2.5},
        PARCEL | {"order_id": "a", "line": "2", "price": 5, "currency": "EUR"},
    ]
    page = paper_files.files(_items(rows), {})["commercial_invoices.html"].decode()
    assert "total 37.56 EUR" in page and ">10.02<" in page and "sent from CN" in page
    fixing = rates([{"date": DAY, "base": "EUR", "quote": "USD", "rate": 1.25}])
    mixed = paper_files.files(_items([rows[0], rows[1] | {"currency": "USD"}], fixing=fixing), {})
    assert "total ? EUR" in mixed["commercial_invoices.html"].decode()  # two currencies are never added up


def test_the_h7_file_is_a_declaration_per_consignment() -> None:
    rows = [PARCEL | {"order_id": "a", "line": str(i), "price": 10, "shipping": 1} for i in (1, 2)]
    (told,) = json.loads(
        paper_files.files(_items(rows, registrations(IOSS)), {"name": "Seller & Co", "address": []})["h7.json"]
    )
    assert told["additional_fiscal_references"] == [{"role": "FR5", "vat_number": "IM2760000000"}]
    assert (told["total_number_of_items"], told["transport_and_insurance_costs"]) == (2, "2.00")
    assert [g["intrinsic_value"] for g in told["goods"]] == ["10.00", "10.00"]


def test_forms_are_escaped() -> None:
    page = paper_files.files(
        _items([PARCEL | {"price": 10, "customer_id": "<script>x</script>"}]), {"name": "A & B <i>"}
    )
    text = page["commercial_invoices.html"].decode()
    assert "<script>" not in text
    assert "A &amp; B &lt;i&gt;" in text


def test_the_csv_of_the_german_office() -> None:
    rows = [
        HOME | {"order_id": "a", "ship_to": "GR", "price": 100},
        HOME | {"order_id": "b", "ship_to": "FR", "price": 50.5, "ship_from": "PL"},
        HOME | {"order_id": "c", "line": "1", "ship_to": "FR", "price": 9, "date": date(2026, 4, 1)},
        HOME | {"order_id": "c", "line": "2", "ship_to": "FR", "price": 9, "qty": -1},
    ]
    held = registrations(OSS_DE, {"scheme": "VAT", "country": "PL", "number": "PL1234567883"})
    made = filed(rows, held=held)
    files, notes = drafts.of_returns(made, filing_tables.due(made), held, "comma")
    text = files["eu-return-oss_2026-Q3_bzst.csv"].decode()
    assert text.splitlines()[0] == "#v2.0"
    assert list(csv.reader(io.StringIO(text)))[1:] == [
        ["1", "FR"],
        ["1", "EL"],
        ["5", "FR", "1", "PL", "PL1234567883", "", "STANDARD", "20,00", "50,50", "10,10"],
        ["3", "EL", "STANDARD", "24,00", "100,00", "24,00"],
    ]
    assert "eu-return-oss_2026-Q3_bzst_columns.csv" not in files
    assert notes == [
        "eu.return.oss 2026-Q3: corrections of earlier periods are not in the CSV of the German office; enter them in its form"
    ]


def test_the_older_layout_with_names_of_columns() -> None:
    one = named(filed([HOME | {"ship_to": "EE", "price": 255.08}], held=registrations(OSS_DE)), "eu.return.oss 2026-Q3")
    lines = drafts.bzst_columns(one, "point").decode().splitlines()
    assert lines[:3] == [
        "#v1.0",
        "#ve1.1.0",
        "Land des Verbrauchs,Umsatzsteuertyp,Umsatzsteuersatz,Nettobetrag,Umsatzsteuerbetrag",
    ]
    assert lines[3:] == ["EE,STANDARD,24.00,255.08,61.22"]


def test_boxes_under_the_names_of_making_tax_digital() -> None:
    row = {
        "ship_from": "GB",
        "ship_to": "GB",
        "date": DAY,
        "seller_country": "CN",
        "price_includes_tax": False,
        "currency": "GBP",
        "price": 99.99,
    }
    told = json.loads(drafts.uk_json(named(filed([row]), "gb.return.vat 2026-Q3")))
    assert told == {
        "vatDueSales": 20.0, "vatDueAcquisitions": 0.0, "totalVatDue": 20.0, "vatReclaimedCurrPeriod": 0.0, "netVatDue": 20.0,
        "totalValueSalesExVAT": 100, "totalValuePurchasesExVAT": 0, "totalValueGoodsSuppliedExVAT": 0, "totalAcquisitionsExVAT": 0,
    }  # fmt: skip


def test_decimals_and_formulas_in_tidy_files() -> None:
    told = pl.DataFrame({"tax": [D("-6.700000")], "rate": [D("20.0000")], "qty": [D("1.500")], "text": ["=1+1"]})
    assert drafts.tidy(told).decode().splitlines()[1] == "-6.70,20,1.5,'=1+1"


def test_the_sellers_own_data(tmp_path: Path) -> None:
    file = tmp_path / "seller.yaml"
    file.write_text("name: A\naddress: Street 1\neori: DE1\n")
    assert drafts.seller(str(file)) == {"name": "A", "address": ["Street 1"], "eori": "DE1"}
    file.write_text("nmae: A\n")
    with pytest.raises(UsageFault, match="did you mean"):
        drafts.seller(str(file))
    with pytest.raises(UsageFault, match="cannot be read"):
        drafts.seller(str(tmp_path / "none.yaml"))
