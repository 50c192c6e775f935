"""Cases of the kind `invoice`: lines, allowances and charges in, the totals of EN 16931 out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cbec.core.errors import UsageFault
from cbec.methods.compliance.cells import Shape, columns
from cbec.methods.compliance.invoice_totals import TAXED, UNTAXED, Amount, decimals, line_net, rounded, totals
from cbec.methods.compliance.questions import Question

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

SOURCE = "EN 16931-1:2017 and its validation artefacts v1.3.16, business rules"
TOTALS = ("BR-CO-10", "BR-CO-11", "BR-CO-12", "BR-CO-13", "BR-CO-14", "BR-CO-15", "BR-CO-16", "BR-CO-17")
_PREFIX = {"K": "IC", "L": "AF", "M": "AG"}
"""Category -> the letters in the ids of its rules, where they differ."""


def breakdown_rule(category: str) -> str:
    """Id of the rule of a category's taxable amount: BR-S-08, BR-IC-08 ..."""
    return f"BR-{_PREFIX.get(category, category)}-08"


def answer(given: Mapping[str, Any], _book: Rulebook) -> Mapping[str, Any]:
    """The case of kind `invoice`; see docs/how-to/rules.md for what it is given and tells."""
    digits = decimals(given.get("currency") or "EUR")
    lines = [_line(entry, given, digits) for entry in given.get("lines") or []]
    if not lines:
        raise UsageFault("an invoice needs lines")
    less, more = (_amounts(given.get(key) or [], given, digits) for key in ("allowances", "charges"))
    prepaid, rounding = (given.get(key) or Decimal(0) for key in ("prepaid", "rounding"))
    found = totals(lines, less, more, prepaid=prepaid, rounding=rounding, digits=digits)
    return {
        "line_nets": [line.amount for line in lines],
        "line_total": found.lines,
        "allowance_total": found.allowances,
        "charge_total": found.charges,
        "net": found.net,
        "tax": found.tax,
        "gross": found.gross,
        "payable": found.payable,
        "taxes": [{"category": t.category, "rate": t.rate, "taxable": t.taxable, "tax": t.tax} for t in found.taxes],
        "rule_ids": [*TOTALS, *{breakdown_rule(t.category) for t in found.taxes}],
        "citation": [SOURCE],
    }


def _line(entry: Mapping[str, Any], given: Mapping[str, Any], digits: int) -> Amount:
    if (entry.get("net") is None) == (entry.get("price") is None):
        raise UsageFault("a line has either its net amount or a price")
    if entry.get("net") is not None:
        return _amount(rounded(entry["net"], digits), entry, given)
    one, none = Decimal(1), Decimal(0)
    net = line_net(
        one if entry.get("qty") is None else entry["qty"],
        entry["price"],
        per=entry.get("per") or one,
        allowances=entry.get("allowance") or none,
        charges=entry.get("charge") or none,
        digits=digits,
    )
    return _amount(net, entry, given)


def _amounts(entries: Sequence[Mapping[str, Any]], given: Mapping[str, Any], digits: int) -> list[Amount]:
    if any(entry.get("amount") is None for entry in entries):
        raise UsageFault("an allowance or charge has an amount")
    return [_amount(rounded(entry["amount"], digits), entry, given) for entry in entries]


def _amount(amount: Decimal, entry: Mapping[str, Any], given: Mapping[str, Any]) -> Amount:
    category = entry.get("category") or given.get("category") or "S"
    rate = entry.get("rate") if entry.get("rate") is not None else given.get("rate")
    if category not in (*TAXED, *UNTAXED):
        raise UsageFault(f'"{category}" is no VAT category; there are {", ".join((*TAXED, *UNTAXED))}')
    if category in TAXED and rate is None:
        raise UsageFault(f"a rate (percent) is needed for category {category}")
    return Amount(amount, category, None if category == "O" else rate or Decimal(0))


_TAXED: dict[str, Shape] = columns(category="text", rate="decimal")
QUESTION = Question(
    given={
        **columns(currency="currency", prepaid="decimal", rounding="decimal"),
        **_TAXED,
        "lines": [columns(net="decimal", qty="decimal", price="decimal", per="decimal", allowance="decimal", charge="decimal") | _TAXED],
        "allowances": [columns(amount="decimal") | _TAXED],
        "charges": [columns(amount="decimal") | _TAXED],
    },
    told={
        "line_nets": [columns(net="decimal")["net"]],
        **columns(line_total="decimal", allowance_total="decimal", charge_total="decimal", net="decimal"),
        **columns(tax="decimal", gross="decimal", payable="decimal"),
        "taxes": [columns(taxable="decimal", tax="decimal") | _TAXED],
    },
    answer=answer,
)  # fmt: skip
