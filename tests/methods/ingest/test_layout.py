"""Layouts are checked before any data is read: a fault names the file, the key and the nearest name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from cbec.core.errors import UsageFault
from cbec.ingest import MADE
from cbec.methods.ingest import layout

GOOD = """
title: A shop
columns:
  order_no: {header: Order, kind: text, aliases: [订单号]}
  when: {header: Date, kind: date}
  sku: {header: SKU, kind: text}
  qty: {header: Qty, kind: int}
  land: {header: Country, kind: text, map: lands, required: false}
maps:
  lands: {Norway: "NO", Nowhere: null}
derived:
  market: COALESCE(land, '*')
rules:
  - {name: test_order, remove: "order_no LIKE 'T%'", message: a test order}
tables:
  sales:
    select: {date: when, sku: sku, market: market, units: SUM(qty)}
    group_by: [date, sku, market]
"""


def parse(text: str) -> layout.Layout:
    return layout.parse("shop", text.encode(), MADE)


def test_a_good_layout_describes_the_export_under_its_own_headers():
    made = parse(GOOD)
    assert made.contract.names == ["Order", "Date", "SKU", "Qty", "Country"]
    assert made.names["Order"] == "order_no"
    assert made.maps == {"land": {"Norway": "NO", "Nowhere": None}}
    assert made.contract.column("Country").one_of == ("Norway", "Nowhere")
    assert made.missing(["订单号", "date", " SKU "]) == ["Qty"]
    assert [t.table for t in made.targets] == ["sales"]


@pytest.mark.parametrize("name", layout.packaged_names())
def test_packaged_layouts_are_sound_and_found_by_their_own_header(name):
    path = next(Path(__file__).parents[3].glob(f"configs/layouts/{name}.yaml"))
    columns = yaml.safe_load(path.read_text("utf-8"))["columns"].values()
    header = [c["header"] for c in columns]
    needed = [c["header"] for c in columns if c.get("required", True)]
    assert layout.find("auto", header, MADE).name == name
    assert layout.find("auto", needed, MADE).name == name
    assert layout.find(name, [], MADE).sha256 == layout.find(str(path), [], MADE).sha256
    for rule in layout.find(name, [], MADE).rules:
        assert rule.message and not rule.message.endswith(".")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: A shop", "titel: A shop", 'layout shop: titel: no such key; did you mean "title"?'),
        ("title: A shop\n", "", "layout shop: needs the key title"),
        ("kind: int", "kind: integer", 'columns.qty.kind: "integer" is none of'),
        ("kind: int", "kinds: int", 'columns.qty.kinds: no such key; did you mean "kind"?'),
        ("kind: int}", "kind: int, min: low}", 'columns.qty.min: must be a number, not "low"'),
        ("required: false", "required: 'no'", 'columns.land.required: must be true or false, not "no"'),
        ("header: Qty", "header: order", 'columns.qty: header "order" belongs to columns.order_no already'),
        ("  qty: {", "  row: {", "columns.row: that name holds where a row came from"),
        ("map: lands", "map: land", 'columns.land.map: "land" is none of lands; did you mean "lands"?'),
        ("kind: text, map", "kind: country, map", "columns.land.map: needs the kind text"),
        ('"NO"', "NO", "maps.lands.Norway: must be text, not False; put it in quotes"),
        ("{Norway:", "{NO:", "maps.lands: key False is no text; put it in quotes"),
        ("  market: COALESCE", "  qty: COALESCE", "derived.qty: there is a column of that name already"),
        ("COALESCE(land", "COALESCE(lnd", 'derived.market: no column "lnd"; did you mean "land"?'),
        ("COALESCE(land, '*')", "COALESCE(land,", 'derived.market: "COALESCE(land," is no SQL expression'),
        ("SUM(qty)", "SUMM(qty)", 'tables.sales.select.units: "SUMM(qty)" is no SQL expression'),
        ("{name: test_order, remove", "{name: test_order, drop", "rules.1.drop: no such key"),
        (
            "market: market, units",
            "markt: market, units",
            'tables.sales.select.markt: no such key; did you mean "market"?',
        ),
        (", units: SUM(qty)", "", 'tables.sales.select: table sales needs the column "units"'),
        ("group_by: [date, sku", "group_by: [day, sku", 'tables.sales.group_by: "day" is none of'),
        ("  sales:", "  sale:", 'tables: "sale" is none of sales, order_lines, products; did you mean "sales"?'),
        ("tables:", "time: noon\ntables:", 'layout shop: time: "noon" is none of'),
        ("tables:", "money: {amount: qty}\ntables:", "money: needs both amount and currency"),
        ("tables:", "dialect: {language: zh}\ntables:", "dialect.language: no such key"),
        (
            "  qty: {header: Qty, kind: int}",
            "  qty: {header: Qty, kind: int}\n  qty: {header: Q, kind: int}",
            'key "qty" comes twice',
        ),
        ("title: A shop", "title: [", "layout shop: while parsing"),
    ],
)
def test_faults_name_the_key_and_the_nearest(old, new, message):
    assert old in GOOD
    with pytest.raises(UsageFault, match=re.escape(message)):
        parse(GOOD.replace(old, new, 1))


def test_rules_must_be_a_list_of_distinct_names():
    rule = "  - {name: test_order, remove: \"order_no LIKE 'T%'\", message: a test order}\n"
    with pytest.raises(UsageFault, match=r"rules\.test_order: there is a rule of that name already"):
        parse(GOOD.replace(rule, rule * 2))
    with pytest.raises(UsageFault, match="rules: must be a list, since rules apply in order"):
        parse(GOOD.replace(rule, "  test_order: TRUE\n"))


def test_unknown_layouts_name_the_nearest():
    with pytest.raises(UsageFault, match='no layout "online_retial"; did you mean "online_retail"') as caught:
        layout.find("online_retial", [], MADE)
    assert "amazon_orders" in caught.value.hint
    with pytest.raises(UsageFault, match=r"layout nowhere/shop\.yaml: No such file"):
        layout.find("nowhere/shop.yaml", [], MADE)


def test_a_header_that_fits_nothing_names_the_nearest_layout_and_what_it_lacks():
    header = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrices", "Country"]
    with pytest.raises(UsageFault, match="nearest: online_retail, which also needs UnitPrice") as caught:
        layout.find("auto", header, MADE)
    assert 'the header has "UnitPrices"' in caught.value.message
    with pytest.raises(UsageFault, match="none has a column in common with it"):
        layout.find("auto", ["id", "x"], MADE)


def test_a_header_that_fits_two_layouts_asks():
    both = [c.name for n in ("online_retail", "shopify_orders") for c in layout.find(n, [], MADE).contract.columns]
    with pytest.raises(UsageFault, match="fits more than one layout: online_retail, shopify_orders"):
        layout.find("auto", both, MADE)
