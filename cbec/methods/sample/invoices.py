"""Invoices of one month to businesses, a kind each: rates, allowances, exemptions, credit notes, foreign currency.

Nothing is drawn at random. Planted: prices with tax that the rounding of tax turns by a cent, an intra-Community supply without its place and day of delivery, an exempt sale
without its reason, a buyer's tax number with a wrong check digit.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from cbec import tables
from cbec.methods.sample.company import Company, Family

Row = dict[str, Any]

SELLER: Row = {
    "seller_name": "Yiwu Lantern Trading (Hamburg) GmbH", "seller_street": "Am Sandtorkai 1", "seller_city": "Hamburg", "seller_postcode": "20457",
    "seller_country": "DE", "seller_tax_id": "DE 999 999 000", "payment_means": "sepa", "payment_account": "DE89370400440532013000",
}  # fmt: skip
IN_LONDON: Row = SELLER | {
    "seller_name": "Yiwu Lantern Trading (UK) Ltd", "seller_street": "1 Quay Road", "seller_city": "Felixstowe", "seller_postcode": "IP11 3SY",
    "seller_country": "GB", "seller_tax_id": "GB123456727", "payment_means": "transfer", "payment_account": "GB29NWBK60161331926819",
}  # fmt: skip
UNREGISTERED: Row = SELLER | {"seller_tax_id": None, "seller_registration": "HRB 999999"}


def _buyer(name: str, city: str, country: str, tax_id: str | None = None) -> Row:
    return {"buyer_name": name, "buyer_city": city, "buyer_country": country, "buyer_tax_id": tax_id}


BERLIN = _buyer("Musterladen AG", "Berlin", "DE")
PARIS = _buyer("Boutique Exemple SARL", "Paris", "FR", "FR29999999907")
STOCKHOLM = _buyer("Exempel Butik AB", "Stockholm", "SE", "SE999999999901")
VIENNA = _buyer("Beispiel Handel GmbH", "Wien", "AT", "ATU99999993")
BOSTON = _buyer("Example Stores Inc", "Boston", "US")
LEEDS = _buyer("Example Books Ltd", "Leeds", "GB", "GB123456727")
VALID, WARNED = "valid", "warned"


def family(company: Company) -> Family:
    """The table invoices."""
    items = company.items.select("sku", "name", "hs_code", "origin").head(8).to_dicts()

    def goods(at: int, qty: float, price: float | None, rate: float | None = 19, **more: Any) -> Row:
        own = items[at]
        told = {"item": own["name"], "sku": own["sku"], "hs_code": own["hs_code"], "origin": own["origin"]}
        return told | {"qty": qty, "price": price, "tax_rate": rate, "unit": "pcs"} | more

    def whole(kind: str, amount: float, reason: str, rate: float = 19, **more: Any) -> Row:
        return {"kind": kind, "amount": amount, "reason": reason, "tax_rate": rate} | more

    delivered = {"delivery_date": date(2026, 9, 1)}
    untaxed: dict[str, Any] = {"tax_rate": None}
    invoices: list[tuple[str, Row, list[Row], str | list[str]]] = [
        ("two_rates", SELLER | BERLIN | delivered | {"prepaid": 50.0, "order_id": "PO-4711"},
         [goods(0, 12, 23.335, line_allowance=5.0, line_allowance_reason="Second choice"), goods(1, 3, 9.99, 7),
          whole("allowance", 10.0, "Loyalty"), whole("charge", 4.9, "Shipping")], VALID),
        ("intra_community", SELLER | PARIS | delivered | {"ship_to_country": "FR"}, [goods(2, 40, 18.5, None, tax_category="K")], VALID),
        ("export", SELLER | BOSTON | delivered | {"currency": "USD"}, [goods(3, 100, 21.75, None, tax_category="G")], VALID),
        ("reverse_charge", SELLER | VIENNA, [{"item": "Product photographs", "qty": 6.5, "unit": "h", "price": 80.0, "tax_category": "AE"}], VALID),
        ("exempt", SELLER | BERLIN, [{"item": "Insurance of a consignment", "qty": 1, "price": 35.0, "tax_category": "E",
          "exemption_reason": "Insurance, Article 135(1)(a) of Directive 2006/112/EC"}], VALID),
        ("zero_rated", IN_LONDON | LEEDS | {"currency": "GBP"}, [{"item": "Printed manuals", "qty": 25, "unit": "pcs", "price": 6.4, "tax_category": "Z"}], VALID),
        ("outside_scope", UNREGISTERED | _buyer("Musterladen AG", "Berlin", "DE"), [{"item": "Deposit for pallets", "qty": 4, "price": 15.0, "tax_category": "O"}], VALID),
        ("credit_note", SELLER | BERLIN | {"document_type": "credit_note", "preceding_invoice": "RE-2026-0901", "preceding_date": date(2026, 9, 2)},
         [goods(0, 2, 23.335)], VALID),
        ("returned_goods", SELLER | BERLIN | delivered, [goods(4, 10, 15.0), goods(0, -1, 23.335)], VALID),
        ("accounted_in_euros", SELLER | BERLIN | delivered | {"currency": "USD", "tax_currency": "EUR"}, [goods(5, 7, 31.4)], VALID),
        ("prices_with_tax", SELLER | BERLIN | delivered | {"prepaid": 59.97, "payment_means": "online", "payment_account": None},
         [goods(6, 3, 19.99, price_includes_tax=True)], WARNED),
        ("price_per_hundred", SELLER | BERLIN | delivered, [goods(7, 2500, 3.995, price_per=100, gtin="4006381333931")], VALID),
        ("undelivered", SELLER | STOCKHOLM, [goods(2, 5, 18.5, None, tax_category="K")], ["BR-IC-11", "BR-IC-12"]),
        ("no_reason", SELLER | BERLIN, [{"item": "Course", "qty": 1, "price": 120.0, "tax_category": "E"} | untaxed], ["BR-E-10"]),
        ("wrong_number", SELLER | BERLIN | delivered | {"buyer_tax_id": "DE999999001"}, [goods(3, 1, 25.0)], WARNED),
    ]  # fmt: skip
    rows: list[Row] = []
    truths: list[Row] = []
    for n, (kind, head, lines, outcome) in enumerate(invoices, start=1):
        number = f"RE-2026-09{n:02d}"
        day = {"issue_date": date(2026, 9, 1 + n), "due_date": date(2026, 10, 1 + n), "currency": "EUR"}
        rows += [day | head | line | {"invoice_id": number, "line": str(at)} for at, line in enumerate(lines, start=1)]
        broken = outcome if isinstance(outcome, list) else []
        truths.append({"invoice": number, "kind": kind, "status": "invalid" if broken else outcome, "rules": broken})
    told = {name for row in rows for name in row}
    columns = [c.name for c in tables.get("invoices").columns if c.name in told]
    table = pl.DataFrame([pl.Series(name, [row.get(name) for row in rows], strict=False) for name in columns])
    return Family({"invoices": table}, {"invoices": truths})
