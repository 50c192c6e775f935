"""Pages of e-invoices and of tax numbers: what may be sent, what breaks a rule and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import money, number, of
from cbec.report.page import Figure
from cbec.tables.invoices import CREDITS

if TYPE_CHECKING:
    from cbec.report.page import Page, View

__all__ = ["einvoice", "taxid"]

_RULES = 12
_SUMS = ("net", "tax", "gross", "payable")


def einvoice(page: Page, view: View) -> None:
    """How many documents may be sent, the money on them, and the rules that others break."""
    table = view.table("einvoices", "status", "currency", "payable", "invoice_id", "type_code")
    page.section("At a glance")
    if table is None:
        page.text("There was no document.")
        return
    count = {status: table.filter(pl.col("status") == status).height for status in ("valid", "invalid", "not_checked")}
    tiles: list[Figure | None] = [
        Figure("Documents", number(table.height), of(table["invoice_id"].n_unique(), "invoice")),
        Figure("Keep every rule", number(count["valid"]), "may be sent", "good" if count["valid"] else ""),
        Figure("Break a rule", number(count["invalid"]), "a receiver may refuse them", "bad" if count["invalid"] else ""),
    ]  # fmt: skip
    if count["not_checked"]:
        tiles.append(Figure("Not checked", number(count["not_checked"]), "held against no rule", "bad"))
    # An invoice in both syntaxes is one invoice, and a credit note takes away.
    once = table.drop_nulls("currency").unique(["invoice_id", "currency"], keep="first", maintain_order=True)
    credit = pl.col("type_code").is_in(CREDITS).fill_null(False)
    once = once.with_columns(pl.when(credit).then(-pl.col(c)).otherwise(c).alias(c) for c in _SUMS)
    sums = (
        once.group_by("currency")
        .agg(pl.len().alias("invoices"), pl.col(*_SUMS).sum())
        .sort("invoices", "currency", descending=[True, False])
    )
    for currency, due in sums.select("currency", "payable").head(4).iter_rows():
        tiles.append(Figure(f"Amounts due in {currency}", money(float(due or 0), currency)))
    page.figures(tiles)
    findings = view.table("einvoice_findings", "rule", "severity", "message", "reason", "file", "n")
    if findings is not None and findings.height:
        page.section(
            "Rules that are broken", "Fatal: a receiver may refuse the document. A warning does not hinder it."
        )
        _rules(page, findings)
    page.section("Sums", "Credit notes are taken away; currencies are never added.")
    page.table(sums, "Invoices by currency", formats=dict.fromkeys(_SUMS, "money"))
    page.section("Documents")
    order = {"invalid": 0, "not_checked": 1, "valid": 2}
    ranked = table.sort(pl.col("status").replace_strict(order, default=3), "file")
    page.table(
        ranked, "Those with faults first", contract="einvoices",
        columns=["invoice_id", "file", "status", "fatal", "warnings", "currency", *_SUMS, "tax_breakdown", "reason"],
    )  # fmt: skip


def _rules(page: Page, findings: pl.DataFrame) -> None:
    met = findings.group_by("rule", "severity").agg(
        pl.len().alias("findings"), pl.col("file").n_unique().alias("documents"), pl.col("message", "reason").first()
    )
    met = met.sort("severity", "documents", "rule", descending=[False, True, False])
    top = met.head(_RULES)
    kinds = [f"{rule} ({severity})" for rule, severity in top.select("rule", "severity").iter_rows()]
    tones = ["orange" if severity == "fatal" else "grey" for severity in top["severity"].to_list()]
    stacks = {"documents": [float(n) for n in top["documents"].to_list()]}
    drawn = svg.bars("Documents by broken rule", kinds, stacks, tones=tones, axis="documents")
    page.chart(drawn, "Documents by broken rule", f"The first {_RULES} of {met.height}." if met.height > _RULES else "")
    page.table(met, "What each says, and what to do", labels={"reason": "what to do"})
    columns = ["invoice_id", "file", "rule", "severity", "location", "message", "reason"]
    page.table(
        findings, "Every finding", columns=columns, contract="einvoice_findings", labels={"reason": "what to do"}
    )


def taxid(page: Page, view: View) -> None:
    """How many numbers are well formed, and which are not and why."""
    table = view.table("tax_id_verdicts", "verdict", "judged_by", "reason")
    page.section("At a glance")
    if table is None:
        page.text("There was no tax number.")
        return
    count = {v: table.filter(pl.col("verdict") == v).height for v in ("format-valid", "malformed", "unknown")}
    page.figures([
        Figure("Tax numbers", number(table.height)),
        Figure("Well formed", number(count["format-valid"]), "registered or not is not known", "good" if count["format-valid"] else ""),
        Figure("Malformed", number(count["malformed"]), "ask the buyer again", "bad" if count["malformed"] else ""),
        Figure("Unknown", number(count["unknown"]), "no rule to judge by"),
    ])  # fmt: skip
    columns = ["party_id", "number", "country", "judged_by", "normalised", "reason"]
    for verdict, title in (("malformed", "Numbers that cannot be"), ("unknown", "Numbers without a verdict"), ("format-valid", "Well formed numbers")):  # fmt: skip
        own = table.filter(pl.col("verdict") == verdict)
        if own.height:
            page.section(title)
            page.table(own, "", columns=columns, contract="tax_id_verdicts")
