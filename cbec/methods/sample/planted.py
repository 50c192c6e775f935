"""Orders that stand on thresholds and corners of the tax rules, each with what is special about it.

Amounts are before tax unless said otherwise. What is due on them is the rules' matter, not told here.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from cbec.methods.sample.company import Company

Line = dict[str, Any]

#: Column order of `order_lines` in the sample: identity, goods, way, buyer, tax.
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "order_id": pl.String, "line": pl.String, "date": pl.Date, "market": pl.String, "warehouse": pl.String,
    "sku": pl.String, "qty": pl.Float64, "price": pl.Float64, "currency": pl.String, "customer_id": pl.String,
    "category": pl.String, "hs_code": pl.String, "origin": pl.String, "ship_from": pl.String, "ship_to": pl.String,
    "ship_to_region": pl.String, "price_includes_tax": pl.Boolean, "shipping": pl.Float64, "insurance": pl.Float64,
    "seller_country": pl.String, "buyer_type": pl.String, "buyer_tax_id": pl.String, "marketplace_collects": pl.Boolean,
    "incoterm": pl.String, "scheme": pl.String, "duty_rate_pct": pl.Float64, "gift": pl.Boolean,
}  # fmt: skip
IOSS: Line = {
    "market": "DE", "ship_from": "CN", "ship_to": "DE", "ship_to_region": "10115", "currency": "EUR", "scheme": "IOSS",
    "incoterm": "DAP",
}  # fmt: skip
IMPORT: Line = IOSS | {"scheme": "NONE"}
HAMBURG: Line = IOSS | {"ship_from": "DE", "warehouse": "DEHAM", "incoterm": None, "scheme": "LOCAL"}
UK: Line = IOSS | {"market": "GB", "ship_to": "GB", "ship_to_region": "M1 1AE", "currency": "GBP", "scheme": "UK_VAT"}
SPAIN: Line = IMPORT | {"market": "ES", "ship_to": "ES"}
TENT, PUZZLE, PLUSH, TEA, PAN = "OUT-101", "TOY-101", "TOY-102", "00101", "KIT-101"

#: kind, what is special, the lines (qty, sku and price, then what differs from the common columns), the common columns.
CASES: tuple[tuple[str, str, tuple[tuple[float, str, float, Line], ...], Line], ...] = (
    ("eu_at_limit", "goods are exactly EUR 150.00, shipping is told apart", ((1, PAN, 150.00, {"shipping": 9.9}),), IOSS),
    ("eu_over_limit", "goods are EUR 150.01", ((1, PAN, 150.01, {"duty_rate_pct": 3.2}),), IMPORT),
    ("eu_two_lines_at_limit", "two lines sum to EUR 150.00", ((1, PAN, 75.0, {}), (2, TEA, 37.5, {})), IOSS),
    ("eu_two_lines_over_limit", "each line is under EUR 150, the order over it",
     ((1, PAN, 100.0, {"duty_rate_pct": 3.2}), (1, TENT, 60.0, {"duty_rate_pct": 12.0})), IMPORT),
    ("eu_shipping_over_limit", "goods EUR 149.00, with shipping EUR 161.00", ((1, PAN, 149.0, {"shipping": 12.0}),), IOSS),
    ("gb_at_limit", "goods are exactly GBP 135.00", ((1, PAN, 135.00, {"shipping": 4.9}),), UK),
    ("gb_over_limit", "goods are GBP 135.01", ((1, PAN, 135.01, {"duty_rate_pct": 3.2}),), UK | {"scheme": "NONE"}),
    ("gb_two_lines_at_limit", "two lines sum to GBP 135.00", ((1, PAN, 60.0, {}), (3, TEA, 25.0, {})), UK),
    ("eur3_two_subheadings", "three lines of two tariff subheadings in one parcel (090210, and 950300 twice)",
     ((1, TEA, 12.0, {}), (2, PUZZLE, 18.0, {}), (1, PLUSH, 21.0, {})), IOSS),
    ("eur3_one_subheading", "four pieces of one tariff subheading", ((4, PUZZLE, 15.0, {}),), IOSS),
    ("eur3_day_before", "the day before 1 July 2026", ((1, TEA, 20.0, {}), (1, PUZZLE, 18.0, {})), IOSS | {"day": -1}),
    ("ddp_over_limit", "duty and VAT are within the price of EUR 249.00",
     ((1, TENT, 249.0, {"duty_rate_pct": 12.0}),), IMPORT | {"incoterm": "DDP", "price_includes_tax": True}),
    ("no_duty_rate", "over EUR 150, and neither customs code nor duty rate is known", ((1, TENT, 210.0, {"hs_code": None}),), IMPORT),
    ("no_customs_code", "a low-value parcel without customs code", ((1, PUZZLE, 24.0, {"hs_code": None}),), IOSS),
    ("priced_in_cny", "the EUR limit needs the exchange rate", ((1, PAN, 990.0, {}),), IOSS | {"currency": "CNY"}),
    ("priced_in_usd", "the EUR limit needs the exchange rate", ((1, PAN, 120.0, {}),), IOSS | {"currency": "USD"}),
    ("gb_priced_in_eur", "the GBP limit needs the exchange rate", ((1, PAN, 120.0, {}),), UK | {"currency": "EUR"}),
    ("canary_from_cn", "to the Canary Islands, outside the VAT area", ((1, PAN, 45.0, {}),), SPAIN | {"ship_to_region": "35001"}),
    ("canary_from_de", "to the Canary Islands from Hamburg", ((1, PAN, 45.0, {}),), SPAIN | HAMBURG
     | {"market": "ES", "ship_to": "ES", "ship_to_region": "38001", "scheme": "NONE"}),
    ("helgoland", "to Heligoland, outside the VAT area", ((1, TEA, 14.0, {}),), IMPORT | {"ship_to_region": "27498"}),
    ("northern_ireland", "to Northern Ireland, under EU rules for goods", ((1, PAN, 45.0, {}),), UK | {"ship_to_region": "BT1 5GS"}),
    ("b2b_valid", "tax number with right check digits", ((10, PAN, 40.0, {}),), HAMBURG
     | {"buyer_type": "B2B", "buyer_tax_id": "DE999999000"}),
    ("b2b_invalid", "tax number with a wrong check digit", ((10, PAN, 40.0, {}),), HAMBURG
     | {"buyer_type": "B2B", "buyer_tax_id": "DE999999001"}),
    ("b2b_intra_eu", "from Hamburg to a business in France", ((6, PAN, 40.0, {}),), HAMBURG
     | {"market": "FR", "ship_to": "FR", "ship_to_region": "75011", "scheme": None, "buyer_type": "B2B", "buyer_tax_id": "FR29999999907"}),
    ("reduced_rate_de", "tea from Hamburg: food, which Germany taxes at a reduced rate", ((2, TEA, 10.7, {"price_includes_tax": True}),), HAMBURG),
    ("oss", "from Hamburg to a private buyer in France", ((1, PAN, 48.0, {"price_includes_tax": True}),), HAMBURG
     | {"market": "FR", "ship_to": "FR", "ship_to_region": "69003", "scheme": "OSS"}),
    ("marketplace", "the marketplace collects", ((1, PAN, 59.5, {"price_includes_tax": True}),), IOSS
     | {"scheme": None, "marketplace_collects": True}),
    ("gift", "marked as a gift, EUR 40.00", ((1, PLUSH, 40.0, {"gift": True}),), IMPORT),
    ("gb_gift", "marked as a gift, GBP 38.00", ((1, PLUSH, 38.0, {"gift": True}),), UK | {"scheme": "NONE"}),
    ("insured", "insurance and shipping are told apart, over EUR 150",
     ((1, PAN, 180.0, {"shipping": 12.0, "insurance": 3.0, "duty_rate_pct": 3.2}),), IMPORT),
    ("refund_full", "everything came back", ((2, PAN, 30.0, {}), (-2, PAN, 30.0, {"line": "1R", "day": 82})), IOSS),
    ("refund_part", "one of three came back", ((3, TEA, 12.0, {}), (-1, TEA, 12.0, {"line": "1R", "day": 88})), IOSS),
    ("us", "to the United States", ((1, PAN, 60.0, {}),), IMPORT
     | {"market": "US", "ship_to": "US", "ship_to_region": "CA", "currency": "USD", "scheme": None}),
    ("jp", "to Japan", ((1, PAN, 6000.0, {}),), IMPORT
     | {"market": "JP", "ship_to": "JP", "ship_to_region": "100-0001", "currency": "JPY", "scheme": None}),
)  # fmt: skip


def planted(company: Company, first: date) -> tuple[pl.DataFrame, list[dict[str, str]]]:
    """The lines of all cases (one order a case, `PL26-001` and so on) and the list that says what each is."""
    goods = {
        row["sku"]: row for row in company.items.select("sku", "category", "hs_code", "origin").iter_rows(named=True)
    }
    rows: list[Line] = []
    truths: list[dict[str, str]] = []
    for number, (kind, note, lines, common) in enumerate(CASES, 1):
        order = f"PL26-{number:03d}"
        truths.append({"kind": kind, "order_id": order, "note": note})
        for position, (qty, sku, price, own) in enumerate(lines, 1):
            row = {
                "order_id": order, "line": str(position), "day": 7 + 2 * number, "qty": float(qty), "price": price,
                "customer_id": f"PL-{number:03d}", "shipping": 0.0, "price_includes_tax": False, "seller_country": "CN",
                "buyer_type": "B2C", "marketplace_collects": False, "gift": False, **goods[sku], **common, **own,
            }  # fmt: skip
            row["date"] = first + timedelta(days=row.pop("day"))
            rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA), truths
