"""The public worked cases (amounts, thresholds, rates) written as cases of cbec's own format.

A worked case names amounts, not orders: each function here puts those of one country or question into the order lines
(or the other kind of case) that they are about, and its expected figures into columns. What it expects stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

Case = dict[str, Any]
EVERY = ("mfn", "s301", "s232", "ieepa", "ieepa_fentanyl", "s122")
"""Measures that a schedule of the United States must name, or a line to it is undetermined."""


def percent(share: object) -> str | None:
    return None if share is None else f"{(Decimal(str(share)) * 100).normalize():f}"


def written(case: Case) -> list[Case]:
    """A worked case as one or several of our cases, named by its id; UnknownKind where nothing here fits it."""
    write = WRITERS.get(case["id"]) or (domestic if case["topic"] == "vat_rate" else None)
    if write is None:
        raise UnknownKind(case["id"])
    common = {"title": case["rule"], "source": case["source"]}
    found = [common | {"case": case["id"] + suffix} | own for suffix, own in write(case)]
    return [_plain(one) for one in found]


class UnknownKind(Exception):
    """No way is known to write this case."""


def _plain(value: Any) -> Any:
    """Without keys that say nothing."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _given(case: Case, **more: Any) -> Case:
    day = {"2024-Q1": "2024-03-31"}.get(case["date"], case["date"])
    return {"date": day, "ship_from": "JP", "ship_to": case["jurisdiction"]} | more


Written = Iterator[tuple[str, Case]]


# ---- European Union ----------------------------------------------------------------------------------------


def valuation(case: Case) -> Written:
    """Invoice lines with 20 % tax shown: sent to France from China, priced net and gross; transport is shipping."""
    goods = [x for x in case["inputs"]["lines"] if x.get("kind") != "transport"]
    shipping = [x for x in case["inputs"]["lines"] if x.get("kind") == "transport"]
    tax = sum(Decimal(x["vat"]) for x in case["inputs"]["lines"])
    allowed = case["expected"]["h7_allowed"]
    for suffix, gross in (("", False), ("-gross", True)):

        def price(line: Case, gross: bool = gross) -> str:
            return str(Decimal(line["price"]) + (Decimal(line["vat"]) if gross else 0))

        lines = [{"sku": x["desc"], "price": price(x)} for x in goods]
        lines[0] |= {"shipping": price(shipping[0])} if shipping else {}
        given = _given(case, ship_from="CN", ship_to="FR", price_includes_tax=gross, duty_rate_pct=0)
        sums = {"intrinsic_value": case["expected"]["intrinsic_value"], "tax": str(tax)}
        yield (
            suffix,
            {"given": given, "lines": lines, "expect": {"scheme": "IOSS" if allowed else "IMPORT"}, "sum": sums},
        )


def parcel(case: Case) -> Written:
    items = case["inputs"]["parcel"]
    price = str(Decimal(case["inputs"]["value"]) / sum(x["qty"] for x in items))
    lines = [
        {"sku": x["subheading"], "hs_code": x["subheading"], "qty": x["qty"], "price": price, "scheme": "IOSS"}
        for x in items
    ]
    given = _given(case, ship_from="CN", ship_to="FR")
    yield "", {"given": given, "lines": lines, "sum": {"duty": case["expected"]["customs_duty"]}}


def domestic(case: Case) -> Written:
    """A net amount sold within the country, to the postcode if there is one."""
    given = case["inputs"]
    country = given.get("country") or case["jurisdiction"]
    line = {"ship_from": country, "ship_to": country, "price": given["net"], "ship_to_region": given.get("postcode")}
    expected = {"tax": case["expected"]["vat"], "tax_rate": case["expected"].get("rate")}
    yield "", {"given": _given(case, **line), "expect": expected}


# ---- United Kingdom ----------------------------------------------------------------------------------------


def consignments(case: Case) -> Written:
    assert case["expected"] == {"supply_vat_regime": True, "import_vat_regime": False}
    apart = not case["inputs"]["one_consignment"]
    lines = [
        {"order_id": str(i) if apart else "one", "price": price} for i, price in enumerate(case["inputs"]["items"])
    ]
    given = _given(case, ship_from="CN", duty_rate_pct=0)
    yield "", {"given": given, "lines": lines, "expect": {"scheme": "UK_SUPPLY"}}


def landed(case: Case) -> Written:
    """An import into Great Britain. Rates that are no law but a test's own are assumed."""
    given, wanted = case["inputs"], case["expected"]
    goods = given.get("goods") or given.get("valuation_cif") or given.get("customs_value") or given.get("value")
    line = {
        "ship_from": "CN", "price": goods, "gift": given.get("gift"), "insurance": given.get("insurance"), "hs_code": given.get("hts"),
        "shipping": given.get("freight_insurance") or given.get("shipping"),
        "duty_rate_pct": percent(given.get("duty_rate") or given.get("third_country_duty")),
    }  # fmt: skip
    own: Case = {}
    if "duty_total" in given:
        whole = Decimal(given["goods"]) + Decimal(given["shipping"]) + Decimal(given["insurance"])
        line["duty_rate_pct"] = str(round(Decimal(given["duty_total"]) / whole * 100, 6))
        own["assume"] = {
            "gb.vat.standard.gb": percent(given["vat_rate"]),
            "gb.supply.limit": 0,
            "gb.duty.relief.limit": 0,
        }
    names = {"import_vat": "tax", "vat": "tax", "total_landed": "landed"}
    expected = {names.get(key, key): value for key, value in wanted.items()}
    yield "", {"given": _given(case, **line), "expect": expected} | own


def specific(case: Case) -> Written:
    """A duty per weight, as a row of a tariff for goods above the limit of relief."""
    given = case["inputs"]
    line = {"ship_from": "CN", "price": 500, "hs_code": "0402", "net_weight_kg": given["quantity_kg"]}
    row = {"jurisdiction": "GB", "hs_code": "0402", "duty": given["specific_duty"], "valid_from": "2021-01-01"}
    yield "", {"tariff": [row], "given": _given(case, **line), "expect": {"duty": case["expected"]["duty"]}}


# ---- Australia, Canada, Switzerland ------------------------------------------------------------------------


def australia_inclusive(case: Case) -> Written:
    given = case["inputs"]
    line = {"price": given["price_gst_incl"], "shipping": given["delivery_gst_incl"], "price_includes_tax": True}
    yield "", {"given": _given(case, **line), "expect": {"tax": case["expected"]["gst"]}}


def australia_limit(case: Case) -> Written:
    line = {"price": case["inputs"]["customs_value"], "duty_rate_pct": 0}
    yield "", {"given": _given(case, **line), "expect": {"scheme": "LVG" if case["expected"]["lvig"] else "IMPORT"}}


def australia_business(case: Case) -> Written:
    buyer = case["inputs"]["buyer"]
    assert "ABN" in buyer
    line = {"price": case["inputs"]["customs_value"], "buyer_type": "B2B", "buyer_tax_id": "ABN 51 824 753 556"}
    line |= {"buyer_statement": "declaration supplied" in buyer}
    yield "", {"given": _given(case, **line), "expect": {"status": "OK", "tax": case["expected"]["gst_at_sale"]}}


def canada_limits(case: Case) -> Written:
    """Goods that bear 10 %, in Ontario (13 %): both are levied."""
    given = case["inputs"]
    assert case["expected"] == {"duty_applies": True, "tax_applies": True}
    value = Decimal(given["vfd"])
    duty = round(value / 10, 2)
    tax = round((value + duty) * 13 / 100, 2)
    line = {"ship_from": given["from"], "price": given["vfd"], "transport": given["mode"], "duty_rate_pct": 10}
    expected = {"status": "OK", "duty": str(duty), "tax": str(tax)}
    yield "", {"given": _given(case, **line, ship_to_region="ON"), "expect": expected}


def canada_landed(case: Case) -> Written:
    """In Ontario, whose harmonised tax is the 13 % of the case; the rate of exchange is that of the day."""
    given, wanted = case["inputs"], case["expected"]
    assert given["tax_rate"] == "0.13"
    line = {
        "ship_from": "CN",
        "currency": "USD",
        "price": given["goods_usd"],
        "duty_rate_pct": percent(given["duty_rate"]),
    }
    fixing = {"date": case["date"], "base": "USD", "quote": "CAD", "rate": given["fx"]}
    expected = {"customs_value": wanted["value_cad"], "duty": wanted["duty"], "tax": wanted["tax"]}
    line |= {"transport": "courier", "ship_to_region": "ON"}
    yield "", {"told_in": "CAD", "rates": [fixing], "given": _given(case, **line), "expect": expected}


def switzerland(case: Case) -> Written:
    """Books are goods at the reduced rate."""
    given, wanted = case["inputs"], case["expected"]
    code = {"standard": "950300", "reduced": "490199"}[given["rate_class"]]
    line = {"ship_from": "DE", "price": given["assessment_basis"], "hs_code": code, "duty_rate_pct": 0}
    expected = {"status": "OK", "assessed": wanted.get("vat_assessed"), "tax": wanted["payable"]}
    yield "", {"given": _given(case, **line), "expect": expected}


# ---- China -------------------------------------------------------------------------------------------------


def china(case: Case) -> Written:
    """Retail import of edible oil, which bears 9 %."""
    given, wanted = case["inputs"], case["expected"]
    assert given["vat"] == "0.09"
    line = {"price": given["price"], "hs_code": "150920", "scheme": "CBEC", "customer_id": "wang"}
    expected = {"tax_rate": percent(wanted["composite_rate"]), "tax": wanted["tax"]}
    yield "", {"given": _given(case, **line), "expect": expected}


def china_parcel(case: Case) -> Written:
    """Books are among the articles of 13 %."""
    given = case["inputs"]
    line = {"price": given["price"], "hs_code": "490199", "scheme": "PARCEL"}
    expected = {"tax_rate": percent(given["rate"]), "tax": case["expected"]["payable"]}
    yield "", {"given": _given(case, **line), "expect": expected}


def china_limits(case: Case) -> Written:
    """The order alone, and after five of 4,400 in the same year."""
    given = case["inputs"]
    assert case["expected"] == {"single_limit_ok": True, "annual_limit_ok": False}
    earlier = [{"order_id": f"E{i}", "date": f"2019-01-0{i + 1}", "price": "4400.00"} for i in range(5)]
    assert Decimal(given["ytd"]) == 5 * 4400
    now = {"price": given["price"], "expect": {"reason_code": "tax_cn_year"}}
    buyer = _given(case, scheme="CBEC", customer_id="wang")
    yield "", {"given": buyer, "lines": [*earlier, now]}
    yield "-single", {"given": buyer | {"price": given["price"]}, "expect": {"status": "OK", "scheme": "CBEC"}}


# ---- Norway, New Zealand, Singapore ------------------------------------------------------------------------


def norway(case: Case) -> Written:
    given, wanted = case["inputs"], case["expected"]
    scheme = "VOEC" if given.get("seller") else None  # NO-05 names no seller
    line = {"scheme": scheme, "shipping": given.get("shipping"), "duty_rate_pct": 0}
    assert wanted["voec_items"] in (0, len(given["items"]))
    own = {"lines": [{"price": price} for price in given["items"]]}
    expected = {"status": "OK", "scheme": "VOEC" if wanted["voec_items"] else "IMPORT"}
    yield "", {"given": _given(case, **line), "expect": expected, "sum": {"tax": wanted.get("vat")}} | own


def new_zealand_import(case: Case) -> Written:
    given, wanted = case["inputs"], case["expected"]
    line = {
        "price": given["goods"],
        "shipping": given["freight_insurance"],
        "duty_rate_pct": percent(given["duty_rate"]),
    }
    names = {"duty": "duty", "gst": "tax", "assessed": "assessed", "payable": "total"}
    yield "", {"given": _given(case, **line), "expect": {"status": "OK"} | {names[k]: v for k, v in wanted.items()}}


def new_zealand_items(case: Case) -> Written:
    wanted = case["expected"]
    assert all(wanted["low_value_each"])
    lines = [{"price": price} for price in case["inputs"]["items_excl_gst"]]
    own = {"expect": {"scheme": "LVG"}, "sum": {"tax": wanted.get("gst_at_sale")}}
    yield "", {"given": _given(case, duty_rate_pct=0), "lines": lines} | own


def singapore(case: Case) -> Written:
    given, wanted = case["inputs"], case["expected"]
    registered = given.get("supplier_gst_registered", True)
    line = {"price": given.get("cif") or given["sales_value"], "shipping": given.get("freight_insurance")}
    line |= {"transport": given["mode"], "duty_rate_pct": 0, "scheme": None if registered else "NONE"}
    assert Decimal(wanted.get("gst_at_sale", "0")) == 0
    due = Decimal(wanted["import_gst"])
    assert wanted.get("import_gst_due", False) is (due > 0)
    expected = {"tax": wanted["import_gst"], "collected_by": "customs" if due else "nobody"}
    yield "", {"given": _given(case, **line), "expect": expected}


# ---- United States -----------------------------------------------------------------------------------------


def _measure(name: str, duty: str, **more: Any) -> Case:
    return {"jurisdiction": "US", "measure": name, "valid_from": "2020-01-01", "duty": duty} | more


def postal(case: Case) -> Written:
    """One package by post at the carrier's choice of the specific duty; the country's rate is the case's."""
    given = case["inputs"]
    assert given["items"] == 1
    row = _measure("ieepa", f"{percent(given['ieepa_rate'])}%", origin="TH", valid_from="2025-08-07")
    line = {"ship_from": "TH", "origin": "TH", "price": 40, "transport": "post", "scheme": "POSTAL_SPECIFIC"}
    yield "", {"tariff": [row], "given": _given(case, **line), "expect": {"duty": case["expected"]["duty"]}}


def de_minimis(case: Case) -> Written:
    """Goods that bear 10 %: free within the limit."""
    given = case["inputs"]
    origin = given.get("origin", "VN")
    line = {
        "ship_from": origin,
        "origin": origin,
        "price": given["value"],
        "gift": given.get("gift"),
        "hs_code": "420221",
    }
    duty = Decimal(0) if case["expected"]["de_minimis_free"] else Decimal(given["value"]) / 10
    free = [_measure(measure, "Free") for measure in EVERY]
    own = {"given": _given(case, **line, duty_rate_pct=10), "expect": {"status": "OK", "duty": f"{duty:.2f}"}}
    yield "", {"tariff": free} | own


def measures(case: Case) -> Written:
    """The surcharge of section 122 stands in the tariff and has expired: the ordinary duty is all there is."""
    given, wanted = case["inputs"], case["expected"]
    assert (given["s122"], given["s232"], wanted["s122"]) == ("expired", "0", "0.00")
    duties = {"mfn": f"{percent(given['mfn'])}%", "s122": "10%"}
    rows = [_measure(measure, duties.get(measure, "Free")) for measure in EVERY]
    line = {"ship_from": "VN", "origin": "VN", "hs_code": "420221", "price": given["value"]}
    yield "", {"tariff": rows, "given": _given(case, **line), "expect": {"duty": wanted["mfn"], "duty_parts": None}}


# ---- What is no order line ---------------------------------------------------------------------------------


def transfer_pricing(case: Case) -> Written:
    given = case["inputs"]
    told: Case = {"country": "US", "date": f"{case['date']}-12-31" if len(case["date"]) == 4 else case["date"]}
    if "results" in given:
        told["results"] = given["results"]
    else:
        told |= {"range": given["iqr"], "tested": given["avg_operating_profit"], "years": 3}
        told |= {"year_tested": given["year_profit"], "year_median": given["year_median"]}
    names = {"outside_range": "outside"}
    yield "", {"kind": "range", "given": told, "expect": {names.get(k, k): v for k, v in case["expected"].items()}}


def registration(case: Case) -> Written:
    given = case["inputs"]
    told = {"place": case["jurisdiction"], "established": given["established"], "date": case["date"]}
    told["turnover"] = given["rolling_12m_taxable_turnover"]
    yield "", {"kind": "registration", "given": told, "expect": case["expected"]}


def vat_return(case: Case) -> Written:
    told = {"return": "gb.return.vat", "period": case["date"], **case["inputs"]}
    yield "", {"kind": "return", "given": told, "expect": case["expected"]}


def invoice(case: Case) -> Written:
    """The taxable amount of one category (BT-116): lines less allowances and plus charges, all of that category."""
    given = case["inputs"]
    own = {"category": given["category"], "rate": 0}
    lines = given.get("bt131_lines") or [given["line_net"]]
    told = {
        "lines": [own | {"net": net} for net in lines],
        "allowances": [own | {"amount": given["allowance"]}] if "allowance" in given else None,
        "charges": [own | {"amount": amount} for amount in given["charges"]] if "charges" in given else None,
    }
    expected = {"taxes": [{"category": given["category"], "taxable": case["expected"]["bt116"]}]}
    yield "", {"kind": "invoice", "given": told, "expect": expected}


WRITERS: dict[str, Callable[[Case], Written]] = {
    "EU-01": valuation, "EU-02": valuation, "EU-03": valuation, "EU-04": valuation, "EU-09": parcel, "EU-10": parcel, "EU-11": domestic,
    "UK-03": consignments, "UK-05": landed, "UK-06": landed, "UK-08": landed, "UK-10": specific, "UK-11": landed, "UK-12": landed,
    "AU-03": australia_inclusive, "AU-04": australia_limit, "AU-05": australia_business, "AU-06": australia_business,
    "CA-03": canada_limits, "CA-05": canada_limits, "CA-06": canada_landed,
    "CH-02": switzerland, "CH-03": switzerland, "CH-05": switzerland,
    "CN-02": china, "CN-05": china_parcel, "CN-06": china_limits,
    "NO-01": norway, "NO-04": norway, "NO-05": norway,
    "NZ-01": new_zealand_import, "NZ-03": new_zealand_import, "NZ-05": new_zealand_items, "NZ-06": new_zealand_items,
    "SG-01": singapore, "SG-03": singapore, "SG-05": singapore,
    "US-02": postal, "US-04": postal, "US-06": postal, "US-08": de_minimis, "US-09": de_minimis, "US-10": de_minimis,
    "EI-04": invoice, "EI-05": invoice,
    "US-12": measures, "TP-02": transfer_pricing, "TP-03": transfer_pricing, "TP-06": transfer_pricing,
    "RG-03": registration, "RT-02": vat_return,
}  # fmt: skip
"""How each worked case is written; those of VAT rates by `domestic`."""
