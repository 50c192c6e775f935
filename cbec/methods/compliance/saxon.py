"""The validator's own process: XML schema by lxml, then the rules (XSLT 2) by SaxonC.

SaxonC runs in a GraalVM isolate that crashes inside hosts with threads of their own, so nothing of cbec is imported here
and `validator` runs this file as a script. It reads JSON lines and answers each with one:

    {"xslt": {"ubl": PATH, "cii": PATH}, "xsd": {"ubl-invoice": PATH, "ubl-creditnote": PATH, "cii": PATH}}  -> {"ready": true}
    {"xml": BASE64}                                                                                  -> {"kind", "terms", "findings"}

kind: a key of xsd, null for another document. terms: BT number -> text. findings: rule, severity, location, message.
Its input's end is its own, so it never outlives the process that started it.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

from lxml import etree
from saxonche import PySaxonProcessor

SVRL = "{http://purl.oclc.org/dsdl/svrl}"
CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"
CAC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2}"
RAM = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
RSM = "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}"
KINDS = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": "ubl-invoice",
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": "ubl-creditnote",
    f"{RSM}CrossIndustryInvoice": "cii",
}
_MONEY = f"{CAC}LegalMonetaryTotal/{CBC}"
_SETTLEMENT = f"{RSM}SupplyChainTradeTransaction/{RAM}ApplicableHeaderTradeSettlement/"
_SUMS = f"{_SETTLEMENT}{RAM}SpecifiedTradeSettlementHeaderMonetarySummation/{RAM}"
UBL_TERMS = {
    "BT-1": f"{CBC}ID", "BT-5": f"{CBC}DocumentCurrencyCode", "BT-6": f"{CBC}TaxCurrencyCode",
    "BT-106": f"{_MONEY}LineExtensionAmount", "BT-107": f"{_MONEY}AllowanceTotalAmount", "BT-108": f"{_MONEY}ChargeTotalAmount",
    "BT-109": f"{_MONEY}TaxExclusiveAmount", "BT-112": f"{_MONEY}TaxInclusiveAmount", "BT-113": f"{_MONEY}PrepaidAmount",
    "BT-114": f"{_MONEY}PayableRoundingAmount", "BT-115": f"{_MONEY}PayableAmount",
}  # fmt: skip
CII_TERMS = {
    "BT-1": f"{RSM}ExchangedDocument/{RAM}ID", "BT-3": f"{RSM}ExchangedDocument/{RAM}TypeCode", "BT-5": f"{_SETTLEMENT}{RAM}InvoiceCurrencyCode", "BT-6": f"{_SETTLEMENT}{RAM}TaxCurrencyCode",
    "BT-106": f"{_SUMS}LineTotalAmount", "BT-107": f"{_SUMS}AllowanceTotalAmount", "BT-108": f"{_SUMS}ChargeTotalAmount",
    "BT-109": f"{_SUMS}TaxBasisTotalAmount", "BT-112": f"{_SUMS}GrandTotalAmount", "BT-113": f"{_SUMS}TotalPrepaidAmount",
    "BT-114": f"{_SUMS}RoundingAmount", "BT-115": f"{_SUMS}DuePayableAmount",
}  # fmt: skip
"""Where the terms of the model stand in each syntax."""


class Validator:
    """Schemas and rules, compiled once each when first asked for."""

    def __init__(self, xslt: dict[str, str], xsd: dict[str, str]) -> None:
        self._paths, self._xsd = xslt, xsd
        self._saxon = PySaxonProcessor(license=False)
        self._xslt = self._saxon.new_xslt30_processor()
        self._rules: dict[str, Any] = {}
        self._schemas: dict[str, Any] = {}

    def answer(self, xml: bytes) -> dict[str, Any]:
        """What the schema and the rules say of one document."""
        # Documents come from strangers: no entity is expanded and nothing is fetched.
        parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, huge_tree=True)
        try:
            root = etree.fromstring(xml, parser)
        except etree.XMLSyntaxError as error:
            return _refused("XML", f"no well-formed XML: {error.msg}")
        if root.getroottree().docinfo.doctype:
            return _refused("XML", "a document type declaration is not allowed in an invoice")
        kind = KINDS.get(root.tag)
        if kind is None:
            return _refused(
                "XML", f"the root element {root.tag} is that of no UBL invoice or credit note and no CII invoice"
            )
        findings = [*self._schema(kind, root), *self._asserted(kind, root)]
        return {"kind": kind, "terms": _terms(kind, root), "findings": findings}

    def _schema(self, kind: str, root: Any) -> list[dict[str, str]]:
        if kind not in self._schemas:
            self._schemas[kind] = etree.XMLSchema(etree.parse(self._xsd[kind]))
        schema = self._schemas[kind]
        if schema.validate(root):
            return []
        return [
            {
                "rule": "XSD",
                "severity": "fatal",
                "location": error.path or f"line {error.line}",
                "message": error.message,
            }
            for error in schema.error_log
        ]

    def _asserted(self, kind: str, root: Any) -> list[dict[str, str]]:
        syntax = kind.partition("-")[0]
        if syntax not in self._rules:
            self._rules[syntax] = self._xslt.compile_stylesheet(stylesheet_file=self._paths[syntax])
        node = self._saxon.parse_xml(xml_text=etree.tostring(root, encoding="unicode"))
        report = etree.fromstring(self._rules[syntax].transform_to_string(xdm_node=node).encode())
        return [
            {
                "rule": found.get("id") or "?",
                "severity": "warning"
                if (found.get("flag") or found.get("role")) in ("warning", "information")
                else "fatal",
                "location": found.get("location") or "",
                "message": " ".join("".join(found.find(f"{SVRL}text").itertext()).split()),
            }
            for found in report.iter(f"{SVRL}failed-assert", f"{SVRL}successful-report")
        ]


def _refused(rule: str, message: str) -> dict[str, Any]:
    finding = {"rule": rule, "severity": "fatal", "location": "/", "message": message}
    return {"kind": None, "terms": {}, "findings": [finding]}


def _terms(kind: str, root: Any) -> dict[str, str]:
    places = CII_TERMS if kind == "cii" else UBL_TERMS
    found = {term: root.findtext(place) for term, place in places.items()}
    taxes = f"{_SUMS}TaxTotalAmount" if kind == "cii" else f"{CAC}TaxTotal/{CBC}TaxAmount"
    if kind != "cii":
        code = "CreditNoteTypeCode" if kind == "ubl-creditnote" else "InvoiceTypeCode"
        found["BT-3"] = root.findtext(f"{CBC}{code}")
    for amount in root.iterfind(taxes):
        own = amount.get("currencyID") in (None, found["BT-5"])
        found.setdefault("BT-110" if own else "BT-111", amount.text)
    return {term: text.strip() for term, text in found.items() if text is not None and text.strip()}


def main() -> None:
    """Answer lines until there are no more."""
    validator: Validator | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        if validator is None:
            validator = Validator(**asked)
            told: dict[str, Any] = {"ready": True}
        else:
            told = validator.answer(base64.b64decode(asked["xml"]))
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
