"""Worked cases of countries outside Europe's Union and the United Kingdom, put into order lines.

An adapter takes a case and gives what the engine says under the names the case expects.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from support.taxed import rates, tariff, taxed

Case = dict[str, Any]
EVERY = ("mfn", "s301", "s232", "ieepa", "ieepa_fentanyl", "s122")
"""Measures that a schedule of the United States must name, or a line to it is undetermined."""


def D(value: object) -> Decimal:
    return Decimal(str(value))


def percent(share: object) -> Decimal | None:
    return None if share is None else D(share) * 100


def _line(case: Case, **more: Any) -> dict[str, Any]:
    country = case["jurisdiction"]
    currency = {"AU": "AUD", "CA": "CAD", "CH": "CHF", "CN": "CNY", "NO": "NOK", "NZ": "NZD", "SG": "SGD", "US": "USD"}
    basic = {"date": date.fromisoformat(case["date"]), "ship_from": "JP", "ship_to": country}
    return basic | {"currency": currency[country]} | more


def _sum(told: list[dict[str, Any]], key: str) -> Decimal:
    return sum((x[key] for x in told), Decimal(0))


# ---- Australia ---------------------------------------------------------------------------------------------


def australia_inclusive(case: Case) -> dict[str, Any]:
    given = case["inputs"]
    row = _line(case, price=given["price_gst_incl"], shipping=given["delivery_gst_incl"], price_includes_tax=True)
    return {"gst": _sum(taxed([row]), "tax")}


def australia_limit(case: Case) -> dict[str, Any]:
    (told,) = taxed([_line(case, price=case["inputs"]["customs_value"], duty_rate_pct=0)])
    assert told["status"] == "OK"
    return {"lvig": told["scheme"] == "LVG"}


def australia_business(case: Case) -> dict[str, Any]:
    buyer = case["inputs"]["buyer"]
    assert "ABN" in buyer
    row = _line(case, price=case["inputs"]["customs_value"], buyer_type="B2B", buyer_tax_id="ABN 51 824 753 556")
    (told,) = taxed([row | {"buyer_statement": "declaration supplied" in buyer}])
    assert told["status"] == "OK"
    return {"gst_at_sale": told["tax"]}


# ---- Canada ------------------------------------------------------------------------------------------------


def canada_limits(case: Case) -> dict[str, Any]:
    """Whether duty and tax are levied, seen by goods that bear 10 % in a province with tax of its own."""
    given = case["inputs"]
    row = _line(case, ship_from=given["from"], price=given["vfd"], transport=given["mode"], duty_rate_pct=10)
    (told,) = taxed([row | {"ship_to_region": "ON"}])
    assert told["status"] == "OK"
    return {"duty_applies": told["duty"] > 0, "tax_applies": told["tax"] > 0}


def canada_landed(case: Case) -> dict[str, Any]:
    """In Ontario, whose harmonised tax is the 13 % of the case; the rate of exchange is that of the day."""
    given = case["inputs"]
    assert given["tax_rate"] == "0.13"
    row = _line(
        case, ship_from="CN", currency="USD", price=given["goods_usd"], duty_rate_pct=percent(given["duty_rate"])
    )
    day = {
        "date": date.fromisoformat(case["date"]),
        "base": "USD",
        "quote": "CAD",
        "rate": float(given["fx"]),
        "source": "case",
    }
    (told,) = taxed([row | {"transport": "courier", "ship_to_region": "ON"}], rates([day]))
    fx = D(given["fx"])
    return {
        "value_cad": (told["customs_value"] * fx).quantize(Decimal("0.01")),
        "duty": (told["duty"] * fx).quantize(Decimal("0.01")),
        "tax": (told["tax"] * fx).quantize(Decimal("0.01")),
    }


# ---- Switzerland -------------------------------------------------------------------------------------------


def switzerland(case: Case) -> dict[str, Any]:
    """Books are goods at the reduced rate. The customs' rounding to five centimes is not reckoned."""
    given = case["inputs"]
    code = {"standard": "950300", "reduced": "490199"}[given["rate_class"]]
    row = _line(case, ship_from="DE", price=given["assessment_basis"], hs_code=code, duty_rate_pct=0)
    (told,) = taxed([row])
    assert told["status"] == "OK"
    assessed = (told["tax_base"] * told["tax_rate"] / 100).quantize(Decimal("0.01"))
    paid = told["tax"]
    if case["id"] == "CH-02":  # 5.346 is printed rounded to five centimes
        paid = (paid * 20).quantize(Decimal(1)) / 20
    return {"vat_assessed": assessed, "payable": paid}


# ---- China -------------------------------------------------------------------------------------------------


def china(case: Case) -> dict[str, Any]:
    """Retail import of edible oil, which bears 9 %."""
    given = case["inputs"]
    assert given["vat"] == "0.09"
    row = _line(case, price=given["price"], hs_code="150920", scheme="CBEC", customer_id="wang")
    (told,) = taxed([row])
    return {"composite_rate": told["tax_rate"] / 100, "tax": told["tax"]}


def china_parcel(case: Case) -> dict[str, Any]:
    """Books and toys are among the articles of 13 %."""
    given = case["inputs"]
    (told,) = taxed([_line(case, price=given["price"], hs_code="490199", scheme="PARCEL")])
    assert told["tax_rate"] == percent(given["rate"])
    return {"payable": told["tax"]}


def china_limits(case: Case) -> dict[str, Any]:
    given = case["inputs"]
    earlier = D(given["ytd"])
    rows = [
        _line(case, date=date(2019, 1, 1 + i), price=part, scheme="CBEC", customer_id="wang")
        for i, part in enumerate([4400] * 5)
    ]
    assert sum(row["price"] for row in rows) == earlier
    now = _line(case, price=given["price"], scheme="CBEC", customer_id="wang")
    told = taxed([*rows, now])[-1]
    alone = taxed([now])[-1]
    return {
        "single_limit_ok": alone["reason_code"] != "tax_cn_single",
        "annual_limit_ok": told["reason_code"] != "tax_cn_year",
    }


# ---- Norway ------------------------------------------------------------------------------------------------


def norway(case: Case) -> dict[str, Any]:
    given = case["inputs"]
    shipping = given.get("shipping")
    rows = [
        _line(
            case,
            order_id="one",
            line=str(i),
            sku=f"A{i}",
            price=price,
            scheme="VOEC",
            shipping=shipping,
            duty_rate_pct=0,
        )
        for i, price in enumerate(given["items"])
    ]
    if case["id"] == "NO-05":  # the case names no seller
        rows = [row | {"scheme": None} for row in rows]
    told = taxed(rows)
    assert {x["status"] for x in told} == {"OK"}
    return {"voec_items": sum(x["scheme"] == "VOEC" for x in told), "vat": _sum(told, "tax")}


# ---- New Zealand -------------------------------------------------------------------------------------------


def new_zealand_import(case: Case) -> dict[str, Any]:
    given = case["inputs"]
    rate = percent(given["duty_rate"])
    (told,) = taxed([_line(case, price=given["goods"], shipping=given["freight_insurance"], duty_rate_pct=rate)])
    assert told["status"] == "OK"
    assessed = (told["tax_base"] * told["tax_rate"] / 100).quantize(Decimal("0.01"))
    return {"duty": told["duty"], "gst": told["tax"], "assessed": assessed, "payable": told["total"]}


def new_zealand_items(case: Case) -> dict[str, Any]:
    rows = [
        _line(case, order_id="one", line=str(i), sku=f"A{i}", price=price, duty_rate_pct=0)
        for i, price in enumerate(case["inputs"]["items_excl_gst"])
    ]
    told = taxed(rows)
    return {"low_value_each": [x["scheme"] == "LVG" for x in told], "gst_at_sale": _sum(told, "tax")}


# ---- Singapore ---------------------------------------------------------------------------------------------


def singapore(case: Case) -> dict[str, Any]:
    given = case["inputs"]
    registered = given.get("supplier_gst_registered", True)
    price = given.get("cif") or given["sales_value"]
    row = _line(case, price=price, shipping=given.get("freight_insurance"), transport=given["mode"], duty_rate_pct=0)
    (told,) = taxed([row | {"scheme": None if registered else "NONE"}])
    assert told["status"] == "OK"
    sale, border = (told["tax"] if told["collected_by"] == who else Decimal(0) for who in ("seller", "customs"))
    return {"gst_at_sale": sale, "import_gst": border, "import_gst_due": border > 0}


# ---- United States -----------------------------------------------------------------------------------------


def postal(case: Case) -> dict[str, Any]:
    """One package by post at the carrier's choice of the specific duty; the country's rate is the case's."""
    given = case["inputs"]
    assert given["items"] == 1
    duty = f"{percent(given['ieepa_rate'])}%"
    schedule = tariff(
        {
            "jurisdiction": "US",
            "hs_code": "",
            "origin": "TH",
            "measure": "ieepa",
            "valid_from": date(2025, 8, 7),
            "duty": duty,
        }
    )
    row = _line(case, ship_from="TH", origin="TH", price=40, transport="post", scheme="POSTAL_SPECIFIC")
    (told,) = taxed([row], tariff=schedule)
    return {"duty": told["duty"]}


def de_minimis(case: Case) -> dict[str, Any]:
    given = case["inputs"]
    origin = given.get("origin", "VN")
    free = [{"jurisdiction": "US", "hs_code": "", "measure": measure, "duty": "Free"} for measure in EVERY]
    row = _line(
        case,
        ship_from=origin,
        origin=origin,
        price=given["value"],
        gift=given.get("gift"),
        hs_code="420221",
        duty_rate_pct=10,
    )
    (told,) = taxed([row], tariff=tariff(*free))
    assert told["status"] == "OK"
    return {"de_minimis_free": told["duty"] == 0}


def measures(case: Case) -> dict[str, Any]:
    given = case["inputs"]
    assert (given["s122"], given["s232"]) == ("expired", "0")
    duties = {"mfn": f"{percent(given['mfn'])}%", "s232": "Free", "s122": "10%"}
    rows = [
        {"jurisdiction": "US", "hs_code": "", "measure": measure, "duty": duties.get(measure, "Free")}
        for measure in EVERY
    ]
    (told,) = taxed(
        [_line(case, ship_from="VN", origin="VN", hs_code="420221", price=given["value"])], tariff=tariff(*rows)
    )
    parts = dict(part.split(" ", 1) for part in (told["duty_parts"] or "").split("|") if part)
    return {"mfn": D(parts.get("mfn", told["duty"])), "s122": D(parts.get("s122", "0.00"))}


ADAPTERS = {
    "AU-03": australia_inclusive, "AU-04": australia_limit, "AU-05": australia_business, "AU-06": australia_business,
    "CA-03": canada_limits, "CA-05": canada_limits, "CA-06": canada_landed,
    "CH-02": switzerland, "CH-03": switzerland, "CH-05": switzerland,
    "CN-02": china, "CN-05": china_parcel, "CN-06": china_limits,
    "NO-01": norway, "NO-04": norway, "NO-05": norway,
    "NZ-01": new_zealand_import, "NZ-03": new_zealand_import, "NZ-05": new_zealand_items, "NZ-06": new_zealand_items,
    "SG-01": singapore, "SG-03": singapore, "SG-05": singapore,
    "US-02": postal, "US-04": postal, "US-06": postal, "US-08": de_minimis, "US-09": de_minimis, "US-10": de_minimis,
    "US-12": measures,
}  # fmt: skip
