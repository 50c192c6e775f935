"""E-invoices: the table invoices as UBL and CII, and documents held against the rules of EN 16931."""

from __future__ import annotations

import copy
import glob
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.core import command
from cbec.core.codes import CURRENCIES
from cbec.core.errors import EnvironmentFailed, InputRejected
from cbec.core.words import of
from cbec.methods.compliance import validator
from cbec.methods.compliance.invoice_profiles import CORE, PROFILES, lacking
from cbec.methods.compliance.invoices import Invoice, columns_of, documents
from cbec.tables.invoices import CREDITS

if TYPE_CHECKING:
    from cbec.methods.compliance.validator import Report, Rules

SUMS = {
    "line_total": "BT-106", "allowance_total": "BT-107", "charge_total": "BT-108", "net": "BT-109", "tax": "BT-110", "gross": "BT-112",
    "prepaid": "BT-113", "rounding": "BT-114", "payable": "BT-115",
}  # fmt: skip
FLAVOURS = {"ubl": "ubl-2.1", "cii": "factur-x"}
"""What factur-x calls the syntaxes."""


@dataclass
class Document:
    """An XML file to be judged, and what is known of it."""

    file: str
    xml: bytes
    syntax: str | None = None
    invoice: Invoice | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)


def written(
    rows: pl.DataFrame, rates: pl.DataFrame | None, syntax: str, profile: str = "en16931"
) -> Iterator[Document]:
    """The documents of the table invoices. syntax: ubl, cii or both. profile: of `invoice_profiles.PROFILES`."""
    taken: set[str] = set()
    for invoice in documents(rows, rates):
        told = replace(invoice, notices=(*invoice.notices, *lacking(invoice.head, profile)))
        stem = _file_name(invoice.id, taken)
        for own in ("ubl", "cii") if syntax == "both" else (syntax,):
            yield Document(f"{stem}.{own}.xml", serialised(told, own, profile), own, told)


def _file_name(number: str, taken: set[str]) -> str:
    """A plain file name for a number; numbers that would share one are told apart by a hash."""
    name = re.sub(r"[^\w.-]", "_", number).lstrip(".") or "_"
    if name.lower() in taken:
        name += "~" + hashlib.sha256(number.encode()).hexdigest()[:8]
    taken.add(name.lower())
    return name


def serialised(invoice: Invoice, syntax: str, profile: str = "en16931") -> bytes:
    """The invoice in UBL 2.1 or CII, by factur-x. Raises EnvironmentFailed where it is not installed."""
    try:
        from facturx import generate_xml
    except ImportError as missing:
        raise EnvironmentFailed(
            "e-invoices are written by factur-x, which is not installed", hint=validator.INSTALL
        ) from missing
    logging.getLogger("factur-x").setLevel(logging.ERROR)
    # It empties and moves parts of what it is given.
    terms = copy.deepcopy(dict(invoice.terms))
    named = PROFILES[profile]
    if named.process is not None:
        terms["BT-23"] = named.process
    xml: bytes = generate_xml(terms, flavor=FLAVOURS[syntax], level="en16931", check_xsd=False, check_schematron=False)
    # It sets BT-24 itself, by its own levels.
    xml = xml.replace(f">{CORE}<".encode(), f">{named.identifier}<".encode(), 1)
    # Two faults of factur-x 7.8: an empty element is marked as nil, which the schema forbids, and the rounding amount is
    # in euros whatever the currency.
    xml = xml.replace(b' xsi:nil="true"', b"")
    currency = str(invoice.head["currency"]).encode()
    return xml.replace(
        b'<cbc:PayableRoundingAmount currencyID="EUR">', b'<cbc:PayableRoundingAmount currencyID="%s">' % currency
    )


def read(places: str) -> Iterator[Document]:
    """XML files of a path, a folder or a pattern, in order of their names. Raises InputRejected where there are none."""
    folder = Path(places)
    if folder.is_dir():
        found = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() == ".xml")
    else:
        found = sorted(path for path in glob.glob(places, recursive=True) if Path(path).is_file())
    if not found:
        raise InputRejected(
            f"no XML file at {places}", hint="--documents takes a file, a folder or a pattern in quotes"
        )
    for path in found:
        yield Document(path, Path(path).read_bytes())


def result(given: Sequence[Document], rules: Rules | None, *, folder: bool, profile: str = "en16931") -> command.Result:
    """The answer of `compliance einvoice`. rules: None = documents are not checked. folder: whether files are written.
    profile: what the written ones claim."""
    reports: Iterable[Report | None] = [None] * len(given)
    if rules is not None:
        reports = validator.validate(((document.file, document.xml) for document in given), rules)
    rows, files = [], {}
    found: list[dict[str, Any]] = []
    for document, report in zip(given, reports, strict=True):
        own = [*_notices(document), *(_findings(document, report) if report else ())]
        row = _row(document, report, rules, own)
        if document.invoice is not None and folder:
            name = f"{document.file}.invalid" if row["status"] == "invalid" else document.file
            files[name] = document.xml
            row["file"] = name
        rows.append(row)
        found += [
            finding | {k: row[k] for k in ("file", "invoice_id", "syntax")} | {"n": n}
            for n, finding in enumerate(own, start=1)
        ]
    table = pl.DataFrame(rows, schema=_ROW)
    findings = pl.DataFrame(found, schema=_FINDING)
    return command.Result(
        {"einvoices": table, "einvoice_findings": findings},
        money="an e-invoice moves no money by itself (sums per currency are in the metrics)",
        metrics=_metrics(table),
        findings=list(_told(table, findings)),
        notes=_notes_on(table, rules, folder, profile),
        files=files,
    )


_ROW: dict[str, Any] = {
    **dict.fromkeys(("file", "invoice_id", "syntax", "status"), pl.String), "fatal": pl.Int64, "warnings": pl.Int64, "type_code": pl.String, "currency": pl.String,
    **dict.fromkeys(SUMS, pl.Decimal(38, 2)), "tax_currency": pl.String, "tax_in_tax_currency": pl.Decimal(38, 2),
    **dict.fromkeys(("tax_breakdown", "validated_by", "reason_code", "_rules"), pl.String),
}  # fmt: skip
_FINDING: dict[str, Any] = {
    **dict.fromkeys(("file", "invoice_id", "syntax"), pl.String), "n": pl.Int64,
    **dict.fromkeys(("rule", "severity", "location", "message", "reason_code", "_columns"), pl.String),
}  # fmt: skip


def _row(
    document: Document, report: Report | None, rules: Rules | None, own: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    terms = report.terms if report else {}
    syntax = document.syntax or (report.syntax if report else None)
    fatal, warnings = (sum(f["severity"] == level for f in own) for level in ("fatal", "warning"))
    status = "not_checked" if report is None else "invalid" if fatal else "valid"
    row: dict[str, Any] = {
        "file": document.file, "invoice_id": terms.get("BT-1"), "syntax": syntax, "status": status,
        "fatal": None if report is None else fatal, "warnings": None if report is None else warnings,
        "validated_by": rules.names[syntax] if rules and report and syntax else None,
        "reason_code": f"einvoice_{status}" if warnings == 0 or status != "valid" else "einvoice_warned",
        "_rules": ", ".join(dict.fromkeys(f["rule"] for f in own if f["severity"] == ("fatal" if fatal else "warning"))),
    }  # fmt: skip
    if document.invoice is None:
        currency = terms.get("BT-5")
        return row | {name: _amount(terms.get(term)) for name, term in SUMS.items()} | {
            "type_code": terms.get("BT-3"), "currency": currency if currency in CURRENCIES else None,
            "tax_currency": terms.get("BT-6") if terms.get("BT-6") in CURRENCIES else None,
            "tax_in_tax_currency": _amount(terms.get("BT-111")),
        }  # fmt: skip
    invoice, t = document.invoice, document.invoice.totals
    sums = (t.lines, t.allowances, t.charges, t.net, t.tax, t.gross, t.prepaid, t.rounding, t.payable)
    breakdown = "|".join(
        f"{tax.category}{'' if tax.rate is None else f' {tax.rate:f}%'}: {tax.taxable} + {tax.tax}" for tax in t.taxes
    )
    return row | dict(zip(SUMS, sums, strict=True)) | {
        "invoice_id": invoice.id, "type_code": invoice.terms["BT-3"], "currency": invoice.head["currency"], "tax_breakdown": breakdown,
        "tax_currency": invoice.head["tax_currency"], "tax_in_tax_currency": invoice.tax_in_tax_currency,
    }  # fmt: skip


def _amount(text: str | None) -> Decimal | None:
    try:
        value = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() and abs(value) < 10**30 else None


def _notices(document: Document) -> Iterator[dict[str, Any]]:
    for notice in document.invoice.notices if document.invoice else ():
        yield {
            "rule": notice.rule, "severity": "warning", "location": None, "message": notice.message, "reason_code": "einvoice_columns",
            "_columns": ", ".join(notice.columns),
        }  # fmt: skip


CODE_LISTS = {
    "BR-CL-01": "BT-3", "BR-CL-11": "BT-30-1 BT-47-1", "BR-CL-16": "BT-81", "BR-CL-21": "BT-157", "BR-CL-22": "BT-121", "BR-CL-23": "BT-130",
    "BR-CL-25": "BT-34-1 BT-49-1",
}  # fmt: skip
"""The terms that each rule about a list of codes is about, as the rules themselves name none."""


def _findings(document: Document, report: Report) -> Iterator[dict[str, Any]]:
    for f in report.findings:
        told = CODE_LISTS.get(f.rule, f.message)
        terms = list(dict.fromkeys(re.findall(r"BT-\d+(?:-\d+)?", told)))
        columns = list(dict.fromkeys(name for term in terms for name in columns_of(term)))
        if f.location.endswith(
            "ApplicableHeaderTradeDelivery"
        ):  # CII asks for it, empty where nothing is told of delivery
            columns = ["delivery_date"]
        code, named = "einvoice_rule", ""
        if f.rule in ("XSD", "XML"):
            code = f"einvoice_{f.rule.lower()}"
        elif document.invoice is not None and columns:
            code, named = "einvoice_columns", ", ".join(columns)
        elif terms:
            code, named = "einvoice_terms", ", ".join(terms)
        yield {
            "rule": f.rule, "severity": f.severity, "location": f.location, "message": f.message, "reason_code": code, "_columns": named,
        }  # fmt: skip


def _metrics(table: pl.DataFrame) -> dict[str, float | int | str | None]:
    counts = Counter(table["status"].to_list())
    told: dict[str, float | int | str | None] = {"documents": table.height, "invoices": table["invoice_id"].n_unique()}
    told |= {status: counts[status] for status in ("valid", "invalid", "not_checked")}
    for currency, net, tax, payable in (
        signed(table).group_by("currency").agg(pl.col("net", "tax", "payable").sum()).sort("currency").iter_rows()
    ):
        told |= {
            f"{name}_{currency.lower()}": float(value)
            for name, value in (("net", net), ("tax", tax), ("payable", payable))
        }
    return told


def signed(table: pl.DataFrame) -> pl.DataFrame:
    """One row per invoice (in whatever syntaxes it is there), amounts of credit notes negative."""
    once = table.drop_nulls("currency").unique(["invoice_id", "currency"], keep="first", maintain_order=True)
    credit = pl.col("type_code").is_in(CREDITS).fill_null(False)
    return once.with_columns(pl.when(credit).then(-pl.col(name)).otherwise(name).alias(name) for name in SUMS)


def _told(table: pl.DataFrame, findings: pl.DataFrame) -> Iterator[command.Finding]:
    broken = findings.filter(pl.col("severity") == "fatal").unique("file", keep="first", maintain_order=True)
    first = {file: (message, columns) for file, message, columns in broken.select("file", "message", "_columns").rows()}
    for row in table.filter(pl.col("status") == "invalid").iter_rows(named=True):
        message, columns = first[row["file"]]
        look = f"; look at {columns}" if columns else ""
        more = f", {row['_rules']}; the first" if row["fatal"] > 1 else ""
        text = f"{of(row['fatal'], 'rule', 'are')} broken{more}: {message.rstrip('.')}{look}"
        yield command.Finding(f"invalid:{row['file']}", "high", row["invoice_id"] or row["file"], "en16931", text)
    warned = (
        findings.filter(pl.col("severity") == "warning")
        .group_by("rule")
        .agg(pl.len(), pl.col("message", "file").first())
    )
    for rule, n, message, file in warned.sort("rule").iter_rows():
        yield command.Finding(f"warning:{rule}", "warn", file, rule, f"{of(n, 'time')}, first in {file}: {message}")
    unchecked = table.filter(pl.col("status") == "not_checked").height
    if unchecked:
        yield command.Finding(
            "not_checked",
            "warn",
            "einvoices",
            "not_checked",
            f"{of(unchecked, 'document', 'were')} held against no rule",
        )


def _notes_on(table: pl.DataFrame, rules: Rules | None, folder: bool, profile: str) -> list[str]:
    notes = []
    if profile != "en16931":
        wanted = ", ".join(PROFILES[profile].wanted)
        notes.append(
            f"invoices name the profile {profile}; of its own rules only {wanted} are checked: valid means by EN 16931"
        )
    if rules is not None:
        used = dict.fromkeys(name for syntax, name in rules.names.items() if (table["syntax"] == syntax).any())
        notes.append(f"rules: XML schema and {', '.join(used)}" if used else "no invoice was found to check")
    if not folder and table["tax_breakdown"].null_count() < table.height:
        notes.append("no XML was kept: name a folder by --xml-folder")
    return notes
