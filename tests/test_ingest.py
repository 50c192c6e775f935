"""`cbec ingest`: exports of shops into canonical tables, each line accounted for."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from cbec import ingest
from cbec.core import files
from cbec.core.errors import InputRejected, UsageFault

RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom
536365,85123A,WHITE HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom
536366,85123a,CREAM HEART,2,12/1/2010 9:02,2.95,12583,Norway
C536367,85123A,WHITE HEART,-1,12/2/2010 9:41,2.55,17850,United Kingdom
536368,POST,POSTAGE,1,12/13/2010 9:41,18.00,12583,France
536369,22960,,-30,12/13/2010 9:50,0,,United Kingdom
A563185,B,Adjust bad debt,1,12/13/2010 14:50,11062.06,,United Kingdom
541431,23166,JAR,74215,12/14/2010 10:01,1.04,12346,United Kingdom
C541433,23166,JAR,-74215,12/14/2010 10:17,1.04,12346,United Kingdom
541432,23166,JAR,6000,12/14/2010 10:17,1.04,12346,Unspecified
536370,22961,JAM SET,24,12/14/2010 10:20,0.0,12346,EIRE
"""

AMAZON = "\t".join
AMAZON_HEADER = [
    "amazon-order-id", "merchant-order-id", "purchase-date", "last-updated-date", "order-status", "fulfillment-channel",
    "sales-channel", "order-channel", "url", "ship-service-level", "product-name", "sku", "asin", "item-status",
    "quantity", "currency", "item-price", "item-tax", "shipping-price", "shipping-tax", "gift-wrap-price",
    "gift-wrap-tax", "item-promotion-discount", "ship-promotion-discount", "ship-city", "ship-state",
    "ship-postal-code", "ship-country", "promotion-ids", "is-business-order", "purchase-order-number",
    "price-designation",
]  # fmt: skip
AVTR_HEADER = [
    "TRANSACTION_TYPE", "TRANSACTION_EVENT_ID", "TAX_CALCULATION_DATE", "TRANSACTION_COMPLETE_DATE", "SELLER_SKU", "QTY",
    "TOTAL_PRICE_OF_ITEMS_AMT_VAT_INCL", "TOTAL_SHIP_CHARGE_AMT_VAT_INCL", "TOTAL_GIFT_WRAP_AMT_VAT_INCL",
    "TOTAL_ACTIVITY_VALUE_VAT_AMT", "TRANSACTION_CURRENCY_CODE", "COMMODITY_CODE", "DEPARTURE_COUNTRY", "ARRIVAL_COUNTRY",
    "ARRIVAL_POST_CODE", "SALE_DEPART_COUNTRY", "SALE_ARRIVAL_COUNTRY", "BUYER_VAT_NUMBER", "TAX_REPORTING_SCHEME",
    "TAX_COLLECTION_RESPONSIBILITY",
]  # fmt: skip
SHOPIFY_HEADER = [
    "Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Currency", "Total", "Created at",
    "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku", "Lineitem discount", "Shipping Zip",
    "Shipping Country", "Notes", "Cancelled at",
]  # fmt: skip


def table(header: list[str], rows: list[dict[str, object]], separator: str) -> str:
    lines = [separator.join(header)]
    lines += [separator.join(str(row.get(name, "")) for name in header) for row in rows]
    return "\n".join(lines) + "\n"


def read(folder: Path, text: str, name: str = "export.csv", **settings) -> files.Raw:
    (folder / name).write_text(text, "utf-8")
    return files.read(None, [str(folder / name)], ingest.Import(**settings))


def run(folder: Path, text: str, **settings):
    return ingest.import_(read(folder, text, **settings), s=ingest.Import(**settings))


def test_online_retail_lines_become_sales_and_returns(tmp_path):
    result = run(tmp_path, RETAIL)
    sales = result.tables["sales"].sort("date", "sku", "market", "units")
    assert sales.select("date", "sku", "market", "channel", "units", "price").rows() == [
        (date(2010, 12, 1), "85123A", "GB", None, 12.0, 2.55),
        (date(2010, 12, 1), "85123A", "NO", None, 2.0, 2.95),
        (date(2010, 12, 2), "85123A", "GB", "returned", -1.0, 2.55),
        (date(2010, 12, 14), "23166", "*", None, 6000.0, 1.04),
    ]
    assert sales["currency"].unique().to_list() == ["GBP"]


def test_online_retail_lines_left_out_stand_with_their_rule_row_and_money(tmp_path):
    result = run(tmp_path, RETAIL)
    removed = {
        row: (rule, amount) for row, rule, amount in result.tables["removed"].select("row", "rule", "amount").rows()
    }
    assert removed == {
        6: ("not_a_product", Decimal(18)),
        7: ("stock_movement", Decimal(0)),
        8: ("adjustment", Decimal("11062.06")),
        9: ("cancelled_bulk", Decimal("77183.6")),
        10: ("cancelled_bulk", Decimal("-77183.6")),
        12: ("no_price", Decimal(0)),
    }
    assert result.metrics["rows_in"] == 11 == result.metrics["rows_kept"] + result.metrics["rows_removed"]
    assert result.metrics["removed_not_a_product_GBP"] == 18
    [found] = [f for f in result.findings if f.rule == "adjustment"]
    assert (found.severity, found.money, found.currency) == ("info", 11062.06, "GBP")
    assert found.message.startswith("1 row left out (11,062.06 GBP): an adjustment of bad debt, no sale; the first is ")
    assert found.message.endswith("export.csv row 8")


def test_online_retail_order_lines_and_products(tmp_path):
    tables = run(tmp_path, RETAIL).tables
    lines = tables["order_lines"]
    assert lines.filter(pl.col("order_id") == "536365")["line"].to_list() == ["1", "2"]
    row = lines.filter(pl.col("order_id") == "536366").row(0, named=True)
    assert (row["sku"], row["qty"], row["ship_from"], row["ship_to"], row["customer_id"]) == (
        "85123A",
        2,
        "GB",
        "NO",
        "12583",
    )
    assert lines.filter(pl.col("order_id") == "541432")["ship_to"].to_list() == [None]
    assert tables["products"].sort("sku").select("sku", "name", "price").rows() == [
        ("23166", "JAR", 1.04),
        ("85123A", "CREAM HEART", 2.95),
    ]


def test_typed_cells_of_parquet_give_the_same_tables_as_text(tmp_path):
    typed = pl.read_csv(RETAIL.encode(), schema_overrides={"InvoiceNo": pl.String, "StockCode": pl.String})
    typed = typed.with_columns(pl.col("InvoiceDate").str.to_datetime("%m/%d/%Y %H:%M"))
    assert typed["InvoiceDate"][0] == datetime(2010, 12, 1, 8, 26)
    typed.write_parquet(tmp_path / "export.parquet")
    raw = files.read(None, [str(tmp_path / "export.parquet")], ingest.Import())
    from_parquet = ingest.import_(raw, s=ingest.Import()).tables
    from_text = run(tmp_path, RETAIL).tables
    for name in ("sales", "order_lines", "products"):
        assert from_parquet[name].equals(from_text[name]), name


def test_the_second_edition_of_online_retail_has_other_headers(tmp_path):
    second = RETAIL.replace("InvoiceNo", "Invoice").replace("UnitPrice", "Price").replace("CustomerID", "Customer ID")
    assert run(tmp_path, second).tables["sales"].height == 4


def test_dq_tells_of_the_export_and_of_every_table_made(tmp_path):
    dq = run(tmp_path, RETAIL).tables["dq"]
    assert dq["table"].unique(maintain_order=True).to_list() == ["online_retail", "sales", "order_lines", "products"]
    row = dq.filter(table="online_retail", column="CustomerID").row(0, named=True)
    assert (row["rows"], row["empty"], row["lowest"]) == (11, 2, "12346")


def test_as_of_cuts_the_export(tmp_path):
    result = run(tmp_path, RETAIL, as_of=date(2010, 12, 1))
    assert result.metrics["rows_after_as_of"] == 8 and result.metrics["last_day"] == "2010-12-01"


def test_an_export_without_anything_to_keep_is_told(tmp_path):
    lines = RETAIL.splitlines()
    result = run(tmp_path, "\n".join([lines[0], lines[5]]) + "\n", layout="online_retail")
    assert result.tables["sales"].is_empty() and result.tables["order_lines"].is_empty()
    assert [f.rule for f in result.findings if f.severity == "warn"] == ["nothing_left"]


def test_amazon_order_report_gives_units_by_shop_and_totals_become_prices(tmp_path):
    base = {"order-status": "Shipped", "sales-channel": "Amazon.de", "currency": "EUR", "ship-country": "DE"}
    at = {"purchase-date": "2026-03-01T23:30:00+00:00", "is-business-order": "false"}
    rows = [
        base
        | at
        | {"amazon-order-id": "302-1", "sku": "007", "quantity": 3, "item-price": "30.00", "shipping-price": "4.99"},
        base
        | at
        | {"amazon-order-id": "302-1", "sku": "B", "quantity": 2, "item-price": "10", "item-promotion-discount": "1"},
        base
        | at
        | {"amazon-order-id": "302-2", "sku": "007", "quantity": 1, "item-price": "10.00", "is-business-order": "true"},
        base
        | at
        | {"amazon-order-id": "302-3", "sku": "007", "quantity": 1, "order-status": "Cancelled", "currency": ""},
        base
        | at
        | {"amazon-order-id": "302-4", "sku": "007", "quantity": 1, "order-status": "Pending", "currency": ""},
        base
        | at
        | {"amazon-order-id": "302-5", "sku": "007", "quantity": 0, "item-status": "Unshipped", "currency": ""},
    ]
    text = table(AMAZON_HEADER, rows, "\t")
    result = run(tmp_path, text, time_zone="Europe/Berlin")
    assert result.tables["sales"].sort("sku").select(
        "date", "sku", "market", "channel", "units", "price", "currency", "promo"
    ).rows() == [
        (date(2026, 3, 2), "007", "DE", "Amazon.de", 5.0, 10.0, "EUR", False),
        (date(2026, 3, 2), "B", "DE", "Amazon.de", 2.0, 4.5, "EUR", True),
    ]
    lines = result.tables["order_lines"].sort("order_id", "line")
    assert lines.select("order_id", "line", "price", "buyer_type").rows() == [
        ("302-1", "1", 10, "B2C"),
        ("302-1", "2", Decimal("4.5"), "B2C"),
        ("302-2", "1", 10, "B2B"),
        ("302-4", "1", None, "B2C"),
    ]
    assert result.metrics["removed_cancelled"] == 1 and result.metrics["removed_no_units"] == 1
    with pytest.raises(InputRejected) as caught:
        run(tmp_path, text)
    assert "zone" in str(caught.value.faults[0])


def test_shopify_orders_carry_order_fields_on_their_first_row_only(tmp_path):
    first = {
        "Name": "#1001",
        "Financial Status": "paid",
        "Currency": "USD",
        "Shipping Country": "US",
        "Shipping Zip": "'04101",
    }
    day = {"Created at": "2026-03-01 10:00:00 +0000"}
    rows = [
        first
        | day
        | {"Lineitem quantity": 2, "Lineitem sku": "007", "Lineitem price": "5.00", "Lineitem discount": "1.00"},
        day | {"Name": "#1001", "Lineitem quantity": 1, "Lineitem sku": "B", "Lineitem price": "7.00"},
        day | {"Name": "#1001", "Lineitem quantity": 1, "Lineitem name": "Tip", "Lineitem price": "3.00"},
        first
        | day
        | {
            "Name": "#1002",
            "Lineitem quantity": 4,
            "Lineitem sku": "B",
            "Lineitem price": "7",
            "Cancelled at": "2026-03-02 09:00:00 +0000",
        },
        day | {"Name": "#1002", "Lineitem quantity": 1, "Lineitem sku": "007", "Lineitem price": "5.00"},
    ]
    result = run(tmp_path, table(SHOPIFY_HEADER, rows, ","), time_zone="America/New_York")
    assert result.tables["order_lines"].sort("line").select(
        "order_id", "line", "sku", "price", "currency", "ship_to", "ship_to_region"
    ).rows() == [
        ("#1001", "1", "007", Decimal("4.5"), "USD", "US", "04101"),
        ("#1001", "2", "B", 7, "USD", "US", "04101"),
    ]
    assert result.tables["sales"]["units"].sum() == 3
    told = {f.rule: (f.money, f.currency) for f in result.findings}
    assert told == {"cancelled": (33.0, "USD"), "no_sku": (3.0, "USD")}


def test_shopify_discounts_and_shipping_of_the_order_are_shared_out_to_the_cent(tmp_path):
    """What all lines bear adds up to the order's subtotal and shipping; totals tell whether prices include the tax."""
    header = [*SHOPIFY_HEADER, "Subtotal", "Shipping", "Taxes"]
    day = {"Created at": "2026-03-01 10:00:00 +0000", "Currency": "EUR", "Shipping Country": "DE"}
    gross = {"Subtotal": "90.00", "Shipping": "4.99", "Taxes": "15.17", "Total": "94.99"}
    net = {"Subtotal": "20.00", "Shipping": "5.00", "Taxes": "5.00", "Total": "30.00"}
    untaxed = {"Subtotal": "0.00", "Shipping": "3.00", "Taxes": "0.00", "Total": "3.00"}
    mug = {"Lineitem quantity": 3, "Lineitem sku": "MUG", "Lineitem price": "20.00"}
    rows = [
        day | gross | mug | {"Name": "#1"},
        {
            "Name": "#1",
            "Created at": day["Created at"],
            "Lineitem quantity": 1,
            "Lineitem sku": "B",
            "Lineitem price": 40,
        },
        day | net | mug | {"Name": "#2", "Lineitem quantity": 1},
        day | untaxed | mug | {"Name": "#3", "Lineitem quantity": 1, "Lineitem discount": "20.00"},
    ]
    result = run(tmp_path, table(header, rows, ","), time_zone="UTC")
    lines = result.tables["order_lines"].sort("order_id", "line")
    assert lines.select("order_id", "sku", "price", "shipping", "price_includes_tax").rows() == [
        ("#1", "MUG", 18, Decimal("2.99"), True),
        ("#1", "B", 36, 2, True),
        ("#2", "MUG", 20, 5, False),
        ("#3", "MUG", 0, 3, None),
    ]


def test_amazon_vat_report_tells_sales_and_refunds_apart_from_goods_that_only_move(tmp_path):
    at = {"TRANSACTION_COMPLETE_DATE": "09-05-2025", "SELLER_SKU": "A", "QTY": 2, "TRANSACTION_CURRENCY_CODE": "EUR"}
    sale = at | {"TRANSACTION_TYPE": "SALE", "TAX_CALCULATION_DATE": "07-05-2025", "SALE_DEPART_COUNTRY": "PL"}
    sale |= {"SALE_ARRIVAL_COUNTRY": "AT", "TAX_COLLECTION_RESPONSIBILITY": "SELLER", "ARRIVAL_POST_CODE": "1010"}
    total, ship, vat = (
        "TOTAL_PRICE_OF_ITEMS_AMT_VAT_INCL",
        "TOTAL_SHIP_CHARGE_AMT_VAT_INCL",
        "TOTAL_ACTIVITY_VALUE_VAT_AMT",
    )
    number = {"BUYER_VAT_NUMBER": "ATU33864707"}
    rows = [
        sale | {"TRANSACTION_EVENT_ID": "1", total: "40.00", ship: "4.90", vat: "7.48", "TAX_REPORTING_SCHEME": "UNION-OSS"},
        sale | {"TRANSACTION_EVENT_ID": "1", "TRANSACTION_TYPE": "REFUND", "TAX_CALCULATION_DATE": "", "QTY": 1, total: "-5.00", vat: "-.83"},
        sale | {"TRANSACTION_EVENT_ID": "2", total: "30.00", vat: "0.00"} | number,
        sale | {"TRANSACTION_EVENT_ID": "3", total: "30.00", "TAX_COLLECTION_RESPONSIBILITY": "MARKETPLACE"},
        at | {"TRANSACTION_TYPE": "FC_TRANSFER", "TRANSACTION_EVENT_ID": "4", "TRANSACTION_CURRENCY_CODE": "", "DEPARTURE_COUNTRY": "DE", "ARRIVAL_COUNTRY": "PL"},
        at | {"TRANSACTION_TYPE": "RETURN", "TRANSACTION_EVENT_ID": "1", "QTY": 1, "TRANSACTION_CURRENCY_CODE": ""},
    ]  # fmt: skip
    result = run(tmp_path, table(AVTR_HEADER, rows, "\t"), given="seller_country=DE|scheme=LOCAL", date_order="dmy")
    lines = result.tables["order_lines"].sort("order_id", "line")
    told = ("order_id", "qty", "date", "price", "shipping", "price_includes_tax", "buyer_type", "marketplace_collects", "scheme")  # fmt: skip
    assert lines.select(told).rows() == [
        ("1", 2, date(2025, 5, 7), 20, Decimal("4.9"), True, "B2C", False, "OSS"),
        ("1", -1, date(2025, 5, 9), 5, None, True, "B2C", False, "LOCAL"),
        ("2", 2, date(2025, 5, 7), 15, None, False, "B2B", False, "LOCAL"),
        ("3", 2, date(2025, 5, 7), 15, None, True, "B2C", True, "LOCAL"),
    ]
    assert set(lines.select("seller_country", "ship_from", "ship_to", "ship_to_region").rows()) == {
        ("DE", "PL", "AT", "1010")
    }
    assert [(f.rule, f.message[:10]) for f in result.findings] == [("movement", "2 rows lef")]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("seller_contry=DE", 'did you mean "seller_country"'),
        ("seller_country", "is no column of order_lines and its value"),
        ("seller_country=", "column=value"),
    ],
)
def test_given_values_that_are_no_column_and_value_are_refused(told, said, tmp_path):
    rows = [{"Name": "#1", "Created at": "2026-03-01 10:00:00 +0000", "Lineitem quantity": 1}]
    with pytest.raises(UsageFault) as caught:
        run(tmp_path, table(SHOPIFY_HEADER, rows, ","), time_zone="UTC", given=told)
    assert said in f"{caught.value} {caught.value.hint}"


def test_check_profiles_a_table_and_reports_broken_cells_without_failing(tmp_path):
    text = "date,sku,units,price\n2026-01-01,A,1,2\n2026-01-01,A,5,2\n2026-02-01,B,x,-3\n2026-02-01,C,2,1\n"
    result = ingest.check(read(tmp_path, text), s=ingest.Check(table="sales"))
    assert result.tables["dq"]["column"].to_list() == ["date", "sku", "units", "price"]
    assert dict(result.tables["dq"].select("column", "rejected").iter_rows())["units"] == 1
    assert result.metrics == {"rows": 4, "rows_good": 2, "cells_rejected": 3}
    assert {(f.severity, f.rule) for f in result.findings} == {
        ("high", "key"),
        ("high", "float"),
        ("high", "min"),
        ("warn", "break"),
    }
    assert result.tables["faults"].select("row", "column").rows() == [(3, "date, sku"), (4, "units"), (4, "price")]
    with pytest.raises(InputRejected, match="inventory: 3 faults in the input"):
        ingest.check(read(tmp_path, text.replace("sku", "item")), s=ingest.Check(table="inventory"))
    with pytest.raises(UsageFault, match='no table "slaes"; did you mean "sales"'):
        ingest.check(read(tmp_path, text), s=ingest.Check(table="slaes"))


def test_the_command_line_writes_every_table_into_a_folder(cbec, tmp_path):
    (tmp_path / "retail.csv").write_text(RETAIL, "utf-8")
    done = cbec("ingest", "import", "--files", "retail.csv", "--layout", "online_retail", "-o", "work")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "work").iterdir()) == [
        "dq.parquet", "order_lines.parquet", "products.parquet", "removed.parquet", "sales.parquet",
    ]  # fmt: skip
    assert pl.read_parquet(tmp_path / "work" / "removed.parquet")["row"].to_list() == [6, 7, 8, 9, 10, 12]
    again = cbec("ingest", "import", "--files", "retail.csv", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["metrics"]["units_sold"] == 6014


def test_bad_cells_stop_an_import_unless_their_share_is_allowed(cbec, tmp_path):
    (tmp_path / "retail.csv").write_text(RETAIL.replace("Norway", "Norwai"), "utf-8")
    stopped = cbec("ingest", "import", "--files", "retail.csv", "-o", "work", "--rejects", "bad.csv")
    assert stopped.returncode == 3 and not (tmp_path / "work").exists()
    assert 'retail.csv row 4, column "Country"' in stopped.stderr and 'did you mean "Norway"' in stopped.stderr
    assert pl.read_csv(tmp_path / "bad.csv")["value"].to_list() == ["Norwai"]
    borne = cbec("ingest", "import", "--files", "retail.csv", "-o", "work", "--max-bad", "0.1")
    assert borne.returncode == 0 and "1 of 11 rows left out" in borne.stderr


def test_a_missing_column_is_status_3_and_an_unknown_layout_status_2(cbec, tmp_path):
    (tmp_path / "retail.csv").write_text(RETAIL.replace("UnitPrice", "UnitPrise"), "utf-8")
    lacking = cbec("ingest", "import", "--files", "retail.csv", "--layout", "online_retail")
    assert lacking.returncode == 3
    assert 'retail.csv row 1, column "UnitPrice"' in lacking.stderr and 'did you mean "UnitPrise"' in lacking.stderr
    assert cbec("ingest", "import", "--files", "retail.csv", "--layout", "online").returncode == 2


def test_online_retail_in_full_gives_the_published_figures(data_set):
    path = data_set("market_supply/online_retail") / "online_retail.parquet"
    result = ingest.import_(files.read(None, [str(path)], ingest.Import()), s=ingest.Import())
    told = result.metrics
    assert told["rows_in"] == 541_909 == told["rows_kept"] + told["rows_removed"]
    assert (told["lines_sold"], told["skus_sold"], told["days"], told["units_sold"]) == (527_723, 3_790, 374, 5_421_786)
    assert (told["lines_returned"], told["units_returned"]) == (8_702, 116_820)
    assert result.tables["order_lines"].select("order_id", "line").is_duplicated().sum() == 0


def test_the_layout_of_the_how_to_works_as_it_stands(cbec, tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "how-to" / "import.md").read_text("utf-8")
    start = text.index("    title: My shop")
    block = text[start : text.index("\nEvery expression is", start)]
    (tmp_path / "my_shop.yaml").write_text("\n".join(line[4:] for line in block.splitlines()), "utf-8")
    (tmp_path / "shop.csv").write_text(
        "Order;Tag;Artikel;Menge;Preis;Land\n"
        "1;31.01.2026;007;2;1.234,50;Deutschland\n1;31.01.2026;007;-1;1.234,50;Norwegen\nTEST9;01.02.2026;A;1;9,99;Unbekannt\n",
        "cp1252",
    )
    done = cbec("ingest", "import", "--files", "shop.csv", "--layout", "my_shop.yaml", "-o", "work")
    assert done.returncode == 0, done.stderr
    sales = pl.read_parquet(tmp_path / "work" / "sales.parquet").sort("units")
    assert sales.select("date", "sku", "market", "channel", "units").rows() == [
        (date(2026, 1, 31), "007", "NO", "returned", -1.0),
        (date(2026, 1, 31), "007", "DE", None, 2.0),
    ]
