"""Rows of the table invoices as documents of the semantic model of EN 16931: totals, and terms by BT number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl

from cbec import tables
from cbec.core.errors import Fault, InputRejected
from cbec.methods.compliance.fixings import PER_UNIT, Fixings
from cbec.methods.compliance.invoice_totals import Amount, Tax, Totals, decimals, line_net, rounded, totals
from cbec.methods.compliance.tax_numbers import MALFORMED, VALID, judge
from cbec.tables.invoices import TAXED, TYPES

ROW = frozenset(
    (
        "line", "kind", "item", "description", "sku", "buyer_sku", "gtin", "hs_code", "origin", "qty", "unit", "price", "price_per",
        "price_includes_tax", "line_allowance", "line_allowance_reason", "line_charge", "line_charge_reason", "amount", "reason",
        "tax_category", "tax_rate", "exemption_reason", "exemption_code",
    )
)  # fmt: skip
"""Columns of the row; all others are of the whole invoice."""
UNITS = {
    "pcs": "H87", "pc": "H87", "piece": "H87", "pieces": "H87", "件": "H87", "个": "H87", "kg": "KGM", "g": "GRM", "m": "MTR",
    "l": "LTR", "h": "HUR", "day": "DAY", "set": "SET", "pair": "PR",
}  # fmt: skip
"""Words for units -> UN/ECE Recommendation 20."""
MEANS = {"transfer": "30", "sepa": "58", "card": "48", "direct_debit": "59", "cash": "10", "online": "68"}
"""Words for means of payment -> UNTDID 4461."""
EXEMPTIONS = {"AE": "VATEX-EU-AE", "K": "VATEX-EU-IC", "G": "VATEX-EU-G", "O": "VATEX-EU-O"}
"""Categories that have one reason only, and its code in the VATEX list."""
PARTIES = {"seller": "BG-4", "buyer": "BG-7", "representative": "BG-11", "ship_to": "BG-13"}
_PARTY = {
    "name": "name", "street": "addr_l1", "city": "city", "postcode": "postcode", "country": "country_code",
    "tax_reference": "tax_identifier", "registration": "legal_identifier", "registration_scheme": "legal_identifier_schemeid",
    "endpoint": "einvoicing_addr", "endpoint_scheme": "einvoicing_addr_schemeid",
}  # fmt: skip
_HEAD = {
    "invoice_id": "BT-1", "issue_date": "BT-2", "currency": "BT-5", "due_date": "BT-9", "buyer_reference": "BT-10", "contract": "BT-12",
    "order_id": "BT-13", "payment_terms": "BT-20", "delivery_date": "BT-72", "period_start": "BT-73", "period_end": "BT-74",
    "payment_reference": "BT-83", "payment_account": "BT-84", "payment_account_name": "BT-85", "payment_bic": "BT-86",
}  # fmt: skip
_LINE = {
    "line": "BT-126",
    "item": "BT-153",
    "description": "BT-154",
    "sku": "BT-155",
    "buyer_sku": "BT-156",
    "origin": "BT-159",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NET_DIGITS = 8
"""Decimals of a net price that was worked out of one with tax."""


@dataclass(frozen=True)
class Notice:
    """What cbec itself has to say of an invoice. rule: TAX-NUMBER, GROSS or SIGN; columns: where it stands."""

    rule: str
    message: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Invoice:
    """One invoice: its head (columns of the whole), totals, terms by BT and BG number, and notices."""

    head: Mapping[str, Any]
    totals: Totals
    tax_in_tax_currency: Decimal | None
    terms: Mapping[str, Any]
    notices: tuple[Notice, ...]

    @property
    def id(self) -> str:
        """BT-1."""
        return str(self.head["invoice_id"])


@cache
def columns_of(term: str) -> tuple[str, ...]:
    """Columns of the table invoices that a term of the model (BT-40) is taken from, () for none."""
    return tuple(
        c.name for c in tables.get("invoices").columns if re.search(rf"\b{re.escape(term)}(?![\d-])", c.description)
    )


def documents(rows: pl.DataFrame, rates: pl.DataFrame | None) -> Iterator[Invoice]:
    """The invoices of the table invoices, in order of their numbers and these of their lines (2 before 10).

    Raises InputRejected for an invoice whose rows contradict each other, or one without a line.
    """
    _consistent(rows)
    fixings = Fixings(rates)
    place = [re.sub(r"\d+", lambda digits: digits[0].zfill(20), line) for line in rows["line"].to_list()]
    rows = rows.sort("invoice_id", pl.Series("place", place, dtype=pl.String), "line")
    for own in rows.partition_by("invoice_id", maintain_order=True):
        yield _invoice(own.to_dicts(), fixings)


def _consistent(rows: pl.DataFrame) -> None:
    """Cells of the whole invoice say one thing."""
    whole = [name for name in rows.columns if name not in ROW and name != "invoice_id"]
    faults = []
    for name in whole:
        told = rows.select("invoice_id", name).drop_nulls().unique(maintain_order=True)
        for (number,), values in told.group_by("invoice_id", maintain_order=True):
            if values.height > 1:
                said = " and ".join(str(v) for v in values[name].to_list()[:2])
                faults.append(
                    _fault(str(number), name, said, "one_value", f"invoice {number} has {said}: it can have one only")
                )
    lacking = {"kind": (pl.col("kind") == "line").any()}
    lacking |= {
        n: pl.col(n).is_not_null().any() for n in ("seller_name", "seller_country", "buyer_name", "buyer_country")
    }
    held = rows.group_by("invoice_id", maintain_order=True).agg(**lacking)
    for name in lacking:
        word = "line" if name == "kind" else name
        bare = held.filter(~pl.col(name))["invoice_id"].to_list()
        faults += [_fault(number, name, None, "missing", f"invoice {number} has no {word}") for number in bare]
    if faults:
        raise InputRejected(f"invoices: {faults[0].message}", faults[:20], total=len(faults))


def _fault(number: str, column: str, value: str | None, rule: str, message: str) -> Fault:
    return Fault("invoices", f"invoice {number}", None, column, value, rule, message)


def _invoice(rows: Sequence[Mapping[str, Any]], fixings: Fixings) -> Invoice:
    head: dict[str, Any] = {
        name: next((row[name] for row in rows if row[name] is not None), None) for name in rows[0] if name not in ROW
    }
    digits = decimals(head["currency"])
    groups: dict[str, list[Mapping[str, Any]]] = {"line": [], "allowance": [], "charge": []}
    for row in rows:
        groups[row["kind"]].append(_taxed(row))
    nets = [_net(row, head, digits) for row in groups["line"]]
    lines = [Amount(net, row["tax_category"], row["tax_rate"]) for net, row in zip(nets, groups["line"], strict=True)]
    less, more = (
        [Amount(rounded(row["amount"], digits), row["tax_category"], row["tax_rate"]) for row in groups[kind]]
        for kind in ("allowance", "charge")
    )
    prepaid, rounding = (rounded(head[name] or Decimal(0), digits) for name in ("prepaid", "rounding"))
    found = totals(lines, less, more, prepaid=prepaid, rounding=rounding, digits=digits)
    accounted = _accounted(found.tax, head, fixings)
    terms = _head_terms(head) | _total_terms(found, head, accounted, digits) | {
        "BG-20": [_part(row, digits) for row in groups["allowance"]],
        "BG-21": [_part(row, digits) for row in groups["charge"]],
        "BG-23": [_tax_terms(tax, rows, digits) for tax in found.taxes],
        "BG-25": [_line_terms(row, net, digits) for row, net in zip(groups["line"], nets, strict=True)],
    }  # fmt: skip
    return Invoice(head, found, accounted, _clean(terms), tuple(_notices(head, groups["line"], found, digits)))


def _taxed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with its category, and the rate that the category has where none is told."""
    category = row["tax_category"] or "S"
    rate = None if category == "O" else row["tax_rate"] if row["tax_rate"] is not None else Decimal(0)
    return {**row, "tax_category": category, "tax_rate": rate}


def _without_tax(value: Decimal | None, row: Mapping[str, Any]) -> Decimal:
    """A price, discount or surcharge of a line, without tax."""
    if not value or not row["price_includes_tax"]:
        return value or Decimal(0)
    return rounded(value * 100 / (100 + (row["tax_rate"] or 0)), _NET_DIGITS)


def _net(row: Mapping[str, Any], head: Mapping[str, Any], digits: int) -> Decimal:
    """BT-131 of a line: its amount where told, else from quantity and price."""
    told = row["amount"]
    if row["price"] is None:
        return rounded(told, digits)
    less, more = (_without_tax(row[name], row) for name in ("line_allowance", "line_charge"))
    net = line_net(
        row["qty"], _without_tax(row["price"], row), per=row["price_per"] or Decimal(1), allowances=less, charges=more, digits=digits
    )  # fmt: skip
    if told is not None and rounded(told, digits) != net:
        number = head["invoice_id"]
        message = f"invoice {number} line {row['line']}: amount {told.normalize():f} is not quantity x price, which make {net}"
        raise InputRejected(
            message, [_fault(number, "amount", str(told), "amount", message)], hint="leave one of them empty"
        )
    return net


def _accounted(tax: Decimal, head: Mapping[str, Any], fixings: Fixings) -> Decimal | None:
    """BT-111: the tax in the accounting currency, at the last rate at or before the day of issue."""
    home = head["tax_currency"]
    if home in (None, head["currency"]):
        return None
    pair = fixings.pair(head["currency"], home)
    rate = fixings.of(pl.Series([pair]), pl.Series([head["issue_date"]], dtype=pl.Date))[0]
    return rounded(tax * Decimal(int(rate)) / PER_UNIT, decimals(home))


def _head_terms(head: Mapping[str, Any]) -> dict[str, Any]:
    kind = head["document_type"]
    means = head["payment_means"]
    if means is None and head["payment_account"] is not None:
        means = "transfer"
    terms: dict[str, Any] = {term: head[name] for name, term in _HEAD.items()}
    terms |= {"BT-3": TYPES.get(kind, kind), "BT-81": MEANS.get(means, means)}
    if head["tax_currency"] not in (None, head["currency"]):
        terms["BT-6"] = head["tax_currency"]
    if head["note"] is not None:
        terms["BG-1"] = [{"BT-22": head["note"]}]
    if head["preceding_invoice"] is not None:
        terms["BG-3"] = [{"BT-25": head["preceding_invoice"], "BT-26": head["preceding_date"]}]
    for who, group in PARTIES.items():
        party = _party(who, head)
        if party:
            terms[group] = party
    return terms


def _party(who: str, head: Mapping[str, Any]) -> dict[str, Any]:
    party = {key: head.get(f"{who}_{name}") for name, key in _PARTY.items()}
    contact = {
        key: head.get(f"{who}_{name}") for name, key in (("contact", "name"), ("phone", "phone"), ("email", "email"))
    }
    party["contacts"] = [contact] if any(contact.values()) else None
    if head.get(f"{who}_tax_id") is not None:
        party["vat_identifier"] = vat_identifier(head[f"{who}_tax_id"], head[f"{who}_country"])
    if who == "ship_to" and any(party.values()):
        party["name"] = party["name"] or head["buyer_name"]
    return {key: value for key, value in party.items() if value is not None}


def vat_identifier(number: str, country: str | None) -> str:
    """A tax number as invoices quote it: with the prefix of its country (BR-CO-09), without separators."""
    found = judge(number, country)
    if found.verdict != VALID or found.country is None:
        return re.sub(r"[\s.\-/]", "", number).upper()
    led = "EL" if found.country == "GR" else found.country
    return found.number if found.number.startswith(led) else led + found.number


def _total_terms(
    found: Totals, head: Mapping[str, Any], accounted: Decimal | None, digits: int
) -> dict[str, str | None]:
    terms: dict[str, str | None] = {
        "BT-106": money(found.lines, digits), "BT-107": money(found.allowances, digits), "BT-108": money(found.charges, digits),
        "BT-109": money(found.net, digits), "BT-110": money(found.tax, digits), "BT-112": money(found.gross, digits),
        "BT-113": money(found.prepaid, digits) if found.prepaid else None,
        "BT-114": money(found.rounding, digits) if found.rounding else None, "BT-115": money(found.payable, digits),
    }  # fmt: skip
    if accounted is not None:
        terms["BT-111"] = money(accounted, decimals(head["tax_currency"]))
    return terms


def _part(row: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """A document level allowance or charge."""
    return {
        "amount": money(rounded(row["amount"], digits), digits),
        "reason": row["reason"] or {"allowance": "Discount", "charge": "Charge"}[row["kind"]],
        "vat_category_code": row["tax_category"],
        "vat_rate": plain(row["tax_rate"]),
    }


def _tax_terms(tax: Tax, rows: Sequence[Mapping[str, Any]], digits: int) -> dict[str, Any]:
    own = [row for row in rows if (row["tax_category"] or "S") == tax.category]
    said = dict.fromkeys(row["exemption_reason"] for row in own if row["exemption_reason"])
    code = next((row["exemption_code"] for row in own if row["exemption_code"]), EXEMPTIONS.get(tax.category))
    untaxed = tax.category not in TAXED and tax.category != "Z"
    return {
        "BT-116": money(tax.taxable, digits), "BT-117": money(tax.tax, digits), "BT-118": tax.category, "BT-119": plain(tax.rate),
        "BT-120": "; ".join(said) or None if untaxed else None, "BT-121": code if untaxed else None,
    }  # fmt: skip


def _line_terms(row: Mapping[str, Any], net: Decimal, digits: int) -> dict[str, Any]:
    price = _without_tax(row["price"], row) if row["price"] is not None else _unit_price(net, row)
    unit = row["unit"]
    terms: dict[str, Any] = {term: row[name] for name, term in _LINE.items()}
    terms |= {
        "BT-129": plain(row["qty"]), "BT-130": UNITS.get(unit.lower(), unit), "BT-131": money(net, digits), "BT-146": plain(price),
        "BT-149": plain(row["price_per"]), "BT-151": row["tax_category"], "BT-152": plain(row["tax_rate"]),
    }  # fmt: skip
    if row["gtin"] is not None:
        terms |= {"BT-157": row["gtin"], "BT-157-1": "0160"}  # ISO 6523 ICD of GS1's GTIN
    if row["hs_code"] is not None:
        terms["BT-158"] = {"HS": {None: row["hs_code"]}}
    for group, name, word in (("BG-27", "line_allowance", "Discount"), ("BG-28", "line_charge", "Charge")):
        if row["price"] is not None and row[name]:
            amount = rounded(_without_tax(row[name], row), digits)
            terms[group] = [{"amount": money(amount, digits), "reason": row[f"{name}_reason"] or word}]
    return terms


def _unit_price(net: Decimal, row: Mapping[str, Any]) -> Decimal:
    return rounded(abs(net) / abs(row["qty"]), _NET_DIGITS) if row["qty"] else Decimal(0)


def _notices(
    head: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], found: Totals, digits: int
) -> Iterator[Notice]:
    for who in PARTIES:
        number, country = head.get(f"{who}_tax_id"), head.get(f"{who}_country")
        if number is not None and judge(number, country).verdict == MALFORMED:
            yield Notice("TAX-NUMBER", f"{number} has a wrong form or check digit", (f"{who}_tax_id",))
    paid = sum(
        (
            line_net(
                row["qty"], row["price"], per=row["price_per"] or Decimal(1), allowances=row["line_allowance"] or Decimal(0),
                charges=row["line_charge"] or Decimal(0), digits=digits,
            )
            for row in lines if row["price"] is not None and row["price_includes_tax"]
        ),
        Decimal(0),
    )  # fmt: skip
    every = all(row["price"] is not None and row["price_includes_tax"] for row in lines)
    off = paid - found.gross - found.rounding
    if every and not found.allowances and not found.charges and off:
        text = f"prices with tax make {paid}, the invoice {found.gross}, as tax is rounded once per rate: a rounding of {off} settles it"
        yield Notice("GROSS", text, ("price", "rounding"))
    if TYPES.get(head["document_type"], head["document_type"]) == "381" and found.gross < 0:
        text = f"a credit note of {found.gross} asks the buyer to pay: quantities of a credit note are positive"
        yield Notice("SIGN", text, ("qty", "document_type"))


def money(value: Decimal, digits: int) -> str:
    """An amount with the decimals of its currency."""
    return f"{value:.{digits}f}"


def plain(value: Decimal | None) -> str | None:
    """A quantity, price or rate without trailing zeros; None stays None."""
    return None if value is None else f"{value.normalize() + 0:f}"


def _clean(value: Any) -> Any:
    """Without empty terms and without characters that XML cannot hold."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items() if item is not None and item != []}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return _CONTROL.sub(" ", value) if isinstance(value, str) else value
