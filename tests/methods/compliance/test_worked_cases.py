"""Published and hand-derived worked cases, exact to the cent.

The cases describe amounts, not orders; the adapters put each into the order lines it is about, here those of the
European Union and the United Kingdom, the rest in support/worked.py.
"""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.taxed import packaged, tariff, taxed
from support.worked import ADAPTERS as ELSEWHERE
from support.worked import percent

from cbec.core.packaged import folder
from cbec.methods.compliance import packs
from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.rules import Pack

DATA = Path(os.environ.get("CBEC_SHARED_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
CASES = DATA / "compliance" / "worked_cases" / "cases_open.yaml"

#: Cases about something else than the tax on an order line.
NOT_LINES = {
    "EI-04": "totals of an e-invoice",
    "EI-05": "totals of an e-invoice",
    "RG-03": "duty to register",
    "RT-02": "boxes of a VAT return",
    "TP-02": "transfer pricing",
    "TP-03": "transfer pricing",
    "TP-06": "transfer pricing",
}
OURS = {"EU", *(country for pack in packaged() for country in pack.jurisdictions)}

if not CASES.exists():
    pytest.skip("data set worked_cases is absent (set CBEC_SHARED_DATA)", allow_module_level=True)


def _cases() -> list[dict[str, Any]]:
    read = yaml.safe_load(CASES.read_text("utf-8"))
    return [c for c in read if c["jurisdiction"] in OURS]


def _day(case: dict[str, Any]) -> date:
    return date(2024, 3, 31) if case["date"] == "2024-Q1" else date.fromisoformat(case["date"])


def D(value: object) -> Decimal:
    return Decimal(str(value))


def valuation(case: dict[str, Any]) -> dict[str, Any]:
    """Invoice lines with 20 % tax shown: sent to France from China, priced net and gross; transport is shipping."""
    goods = [x for x in case["inputs"]["lines"] if x.get("kind") != "transport"]
    shipping = [x for x in case["inputs"]["lines"] if x.get("kind") == "transport"]
    answers = []
    for gross in (False, True):
        rows = [
            {
                "order_id": "one", "line": str(i), "sku": x["desc"], "date": _day(case), "ship_from": "CN", "ship_to": "FR",
                "price": D(x["price"]) + (D(x["vat"]) if gross else 0), "price_includes_tax": gross, "duty_rate_pct": 0,
                "shipping": sum(D(s["price"]) + (D(s["vat"]) if gross else 0) for s in shipping) if i == 0 else None,
            }
            for i, x in enumerate(goods)
        ]  # fmt: skip
        told = taxed(rows)
        assert sum(x["tax"] for x in told) == sum(D(x["vat"]) for x in case["inputs"]["lines"])
        answers.append(
            {
                "intrinsic_value": sum(x["intrinsic_value"] for x in told),
                "h7_allowed": {x["scheme"] for x in told} == {"IOSS"},
            }
        )
    assert answers[0] == answers[1]
    return answers[0]


def parcel(case: dict[str, Any]) -> dict[str, Any]:
    items = case["inputs"]["parcel"]
    pieces = sum(x["qty"] for x in items)
    price = D(case["inputs"]["value"]) / pieces
    rows = [
        {
            "order_id": "one", "line": str(i), "sku": x["subheading"], "hs_code": x["subheading"], "qty": x["qty"], "price": price,
            "date": _day(case), "ship_from": "CN", "ship_to": "FR", "scheme": "IOSS",
        }
        for i, x in enumerate(items)
    ]  # fmt: skip
    return {"customs_duty": sum(x["duty"] for x in taxed(rows))}


def domestic(case: dict[str, Any]) -> dict[str, Any]:
    """A net amount sold within the country, to the postcode if there is one."""
    given = case["inputs"]
    country = given.get("country") or case["jurisdiction"]
    row = {"date": _day(case), "ship_from": country, "ship_to": country, "price": given["net"]}
    (told,) = taxed([row | {"ship_to_region": given.get("postcode")}])
    return {"rate": told["tax_rate"], "vat": told["tax"]}


def consignments(case: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "order_id": str(i) if not case["inputs"]["one_consignment"] else "one", "line": str(i), "price": price, "currency": "GBP",
            "date": _day(case), "ship_from": "CN", "ship_to": "GB", "duty_rate_pct": 0,
        }
        for i, price in enumerate(case["inputs"]["items"])
    ]  # fmt: skip
    schemes = {x["scheme"] for x in taxed(rows)}
    return {"supply_vat_regime": schemes == {"UK_SUPPLY"}, "import_vat_regime": "IMPORT" in schemes}


def landed(case: dict[str, Any]) -> dict[str, Any]:
    """An import into Great Britain. Rates that are no law but a test's own go into a copy of the pack."""
    given = case["inputs"]
    goods = given.get("goods") or given.get("valuation_cif") or given.get("customs_value") or given.get("value")
    row = {
        "date": _day(case), "ship_from": "CN", "ship_to": "GB", "currency": "GBP", "price": goods, "gift": given.get("gift"),
        "shipping": given.get("freight_insurance") or given.get("shipping"), "insurance": given.get("insurance"),
        "duty_rate_pct": percent(given.get("duty_rate") or given.get("third_country_duty")), "hs_code": given.get("hts"),
    }  # fmt: skip
    rules = None
    if "duty_total" in given:
        whole = D(given["goods"]) + D(given["shipping"]) + D(given["insurance"])
        row["duty_rate_pct"] = round(D(given["duty_total"]) / whole * 100, 6)
        rules = rulebook([_fixture_pack(percent(given["vat_rate"]))])
    (told,) = taxed([row], rules=rules)
    return {
        "customs_value": told["customs_value"],
        "duty": told["duty"],
        "import_vat": told["tax"],
        "vat": told["tax"],
        "total_landed": told["customs_value"] + told["total"],
    }


def specific(case: dict[str, Any]) -> dict[str, Any]:
    """A duty per weight, as a row of a tariff for goods above the limit of relief."""
    given = case["inputs"]
    row = {
        "date": _day(case), "ship_from": "CN", "ship_to": "GB", "currency": "GBP", "price": 500, "hs_code": "0402",
        "net_weight_kg": given["quantity_kg"],
    }  # fmt: skip
    schedule = tariff(
        {"jurisdiction": "GB", "hs_code": "0402", "duty": given["specific_duty"], "valid_from": date(2021, 1, 1)}
    )
    (told,) = taxed([row], tariff=schedule)
    return {"duty": told["duty"]}


def _fixture_pack(rate: Decimal | None) -> Pack:
    """The pack of Great Britain with another rate, and limits that nothing is within."""
    text = (folder("configs") / "rules" / "gb.yaml").read_text("utf-8")
    for value in ("value: 135}", "value: 39}"):
        text = text.replace(value, "value: 0}")
    return packs.parse(
        text.replace("{valid_from: 2011-01-04, value: 20}", f"{{valid_from: 2011-01-04, value: {rate}}}"), "gb.yaml"
    )


ADAPTERS = ELSEWHERE | {
    "EU-01": valuation, "EU-02": valuation, "EU-03": valuation, "EU-04": valuation, "EU-09": parcel, "EU-10": parcel, "EU-11": domestic,
    "UK-03": consignments, "UK-05": landed, "UK-06": landed, "UK-08": landed, "UK-10": specific, "UK-11": landed, "UK-12": landed,
}  # fmt: skip


@pytest.mark.parametrize("case", _cases(), ids=lambda c: c["id"])
def test_worked_case(case: dict[str, Any]) -> None:
    if case["id"] in NOT_LINES:
        pytest.skip(f"not an order line: {NOT_LINES[case['id']]}")
    adapt = ADAPTERS.get(case["id"]) or (domestic if case["topic"] == "vat_rate" else None)
    assert adapt is not None, f"no adapter for {case['id']}"
    told = adapt(case)
    for key, wanted in case["expected"].items():
        assert told[key] == (Decimal(wanted) if isinstance(wanted, str) else wanted), key
