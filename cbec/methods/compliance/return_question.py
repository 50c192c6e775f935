"""Cases of the kind `return`: what goes into the boxes of a return in, its totals out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cbec import tables
from cbec.core.errors import UsageFault
from cbec.methods.compliance import filing_rules, periods
from cbec.methods.compliance.cells import columns, frame
from cbec.methods.compliance.filing_rates import conversions
from cbec.methods.compliance.questions import Question
from cbec.methods.compliance.returns import (
    EVERY_KIND,
    Purchases,
    Return,
    Row,
    Sum,
    gb_rows,
    merged,
    oss_rows,
    repayment,
    summary_rows,
    vat_boxes,
)

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.filing_rules import ReturnRule

ZERO = Decimal(0)


def answer(given: Mapping[str, Any], _book: Rulebook) -> Mapping[str, Any]:
    """The case of kind `return`; see docs/how-to/rules.md for what it is given and tells."""
    rule = _rule(str(given.get("return")))
    told: dict[str, Any] = {"rule_ids": [rule.id], "citation": rule.citation.split("|")}
    if given.get("period") is not None:
        period = periods.parse(given["period"])
        if rule.form == "oss" and period.start < rule.valid_from:
            raise UsageFault(
                f"{rule.id}: there was no such return in {period.name}", hint=f"it began on {rule.valid_from}"
            )
        told["due_date"] = periods.due_date(period.end, rule.due)
    currency = given.get("currency") or rule.currency
    sums = merged([_sum(line, rule, currency, given) for line in given.get("lines") or []])
    if rule.form == "gb":
        return told | _boxes(sums, given)
    if rule.form == "oss":
        rows = oss_rows(sums, currency)
    else:
        rows = summary_rows(sums, _purchases(given), currency, rule.rounding == "whole")
    made = Return("", rule, "", "", periods.Period(0, rule.months), currency, None, None, tuple(rows))
    lines = [_line(row) for row in rows if row.kind == "line"]
    balances = {row.country or "": row.amount for row in rows if row.box == "balance"}
    nil = rows[0].kind == "nil"
    return told | {
        "lines": lines,
        "balances": balances,
        "payable": made.total("payable"),
        "refund": made.total("refund"),
        "nil": nil,
    }


def _line(row: Row) -> dict[str, Any]:
    return {
        "country": row.country, "dispatch": row.dispatch, "rate": row.rate, "corrected_period": row.corrected, "net": row.net,
        "tax": row.tax, "amount": row.amount,
    }  # fmt: skip


def _sum(line: Mapping[str, Any], rule: ReturnRule, currency: str, given: Mapping[str, Any]) -> Sum:
    """A line in the currency of the return: of the period it belongs to, or corrects."""
    own, corrected = line.get("currency") or currency, line.get("corrected_period")
    factor = Decimal(1)
    if own != currency:
        at_end, period = rule.conversion == "period_end", corrected or given.get("period")
        day = line.get("date") if not at_end else None if period is None else periods.parse(period).end
        if day is None:
            raise UsageFault(f"a line in another currency needs {'a period' if at_end else 'its date'} to be converted")
        fixings = frame(given.get("rates") or [], tables.get("rates"))
        factor = conversions([(own, currency, day, at_end)], fixings)[own, currency, day]
    return Sum(
        line.get("country"), (line.get("net") or ZERO) * factor, _tax(line) * factor, 1, "goods", line.get("dispatch"),
        rate=None if corrected else line.get("rate"), corrected=corrected,
    )  # fmt: skip


def _tax(line: Mapping[str, Any]) -> Decimal:
    """The tax of a line where told, else its rate of the net amount, exact: a return rounds each of its rows once."""
    tax, net, rate = (line.get(name) for name in ("tax", "net", "rate"))
    if tax is not None:
        return Decimal(tax)
    if net is None or rate is None:
        raise UsageFault("lines: a line needs its tax, or net and rate")
    return Decimal(net * rate / 100)


def _purchases(given: Mapping[str, Any]) -> Purchases:
    found: dict[str, tuple[Decimal, Decimal, int]] = {}
    for bought in given.get("purchases") or []:
        kind = bought.get("kind") or EVERY_KIND[0]
        if kind not in EVERY_KIND:
            raise UsageFault(f'purchases: kind "{kind}" is none of {", ".join(EVERY_KIND)}')
        net, tax, count = found.get(kind, (ZERO, ZERO, 0))
        found[kind] = (net + (bought.get("net") or ZERO), tax + (bought.get("tax") or ZERO), count + 1)
    return Purchases(found)


def _boxes(sums: Sequence[Sum], given: Mapping[str, Any]) -> dict[str, Any]:
    """Boxes 1 to 9, from boxes 1, 2, 4 and 6 to 9, or from sales (`lines`) and `purchases`."""
    if sums or given.get("purchases"):
        boxes = {row.box: row.amount for row in gb_rows(sums, _purchases(given)) if row.box.isdigit()}
    else:
        one, two, four, six, seven, eight, nine = (given.get(f"box{n}") or ZERO for n in (1, 2, 4, 6, 7, 8, 9))
        boxes = vat_boxes(one, six, four, seven, two, nine, eight)
    back, owed = repayment(boxes), boxes["5"]
    told: dict[str, Any] = {f"box{n}": amount for n, amount in boxes.items()}
    paid = {"payable": ZERO if back else owed, "refund": owed if back else ZERO}
    return told | paid | {"repayment": back, "nil": not any(boxes.values())}


def _rule(name: str) -> ReturnRule:
    found = {rule.id: rule for rule in filing_rules.returns()}
    if name not in found:
        raise UsageFault(f'return "{name}" is none of {", ".join(found)}')
    return found[name]


_BOXES = columns(**{f"box{n}": "decimal" for n in range(1, 10)})
_LINE = columns(
    country="country", dispatch="country", rate="decimal", net="decimal", tax="decimal", corrected_period="text"
)
QUESTION = Question(
    given={
        **columns(period="text", currency="currency"),
        "return": columns(name="text")["name"],
        **_BOXES,
        "lines": [_LINE | columns(currency="currency", date="date")],
        "purchases": [columns(kind="text", net="decimal", tax="decimal")],
        "rates": [tables.get("rates")],
    },
    told={
        **_BOXES,
        **columns(repayment="bool", payable="decimal", refund="decimal", nil="bool", due_date="date"),
        "lines": [_LINE | columns(amount="decimal")],
        "balances": {"*": columns(amount="decimal")["amount"]},
    },
    answer=answer,
)  # fmt: skip
