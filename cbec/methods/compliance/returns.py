"""Returns as rows: boxes or lines, totals, nil; and the proof that they add up to the tax table.

Each form has a pure function from sums to rows: `oss_rows`, `gb_rows`, `summary_rows`. Amounts are exact decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from cbec.methods.compliance.filing_rates import rounded
from cbec.methods.compliance.periods import Period, due_date

if TYPE_CHECKING:
    from cbec.methods.compliance.filing_rules import ReturnRule

ZERO = Decimal(0)


@dataclass(frozen=True)
class Sum:
    """Order lines that share a line of a return, in the currency of the return (exact, not rounded)."""

    country: str | None
    net: Decimal
    tax: Decimal
    lines: int
    supply: str | None = None
    dispatch: str | None = None
    rate_type: str | None = None
    rate: Decimal | None = None
    corrected: str | None = None


@dataclass(frozen=True)
class Row:
    """One row of a return; `amount` is what is written into the box."""

    kind: str
    box: str
    amount: Decimal
    reason: str
    lines: int = 0
    country: str | None = None
    supply: str | None = None
    dispatch: str | None = None
    rate_type: str | None = None
    rate: Decimal | None = None
    corrected: str | None = None
    net: Decimal | None = None
    tax: Decimal | None = None


@dataclass(frozen=True)
class Return:
    """A return of one period: its rule, its rows, and what it pays (or gets back, per country of consumption).

    converted: at a rate that is nobody's official one. exact: net and tax of its sales, not rounded. postponed: import
    VAT within its output tax; untaxed: exports and reverse charge within its sales. They serve the proof.
    """

    id: str
    rule: ReturnRule | None
    jurisdiction: str
    scheme: str
    period: Period
    currency: str
    number: str | None
    state: str | None
    rows: tuple[Row, ...] = ()
    converted: bool = False
    exact: tuple[Decimal, Decimal] = (ZERO, ZERO)
    postponed: Decimal = ZERO
    untaxed: Decimal = ZERO

    @property
    def due(self) -> date | None:
        """Its last day."""
        return None if self.rule is None else due_date(self.period.end, self.rule.due)

    def total(self, box: str) -> Decimal:
        """The amount of a total by its name (payable, refund), 0 where it has none."""
        return sum((r.amount for r in self.rows if r.kind == "total" and r.box == box), ZERO)


def oss_rows(sums: Sequence[Sum], currency: str) -> list[Row]:
    """Lines of a One Stop Shop return, corrections by period and country, balances per country, what is payable.

    A negative balance of a country is returned by that country and not offset against the others.
    """
    if not sums:
        return [Row("nil", "nil", ZERO, "return_nil")]
    rows: list[Row] = []
    order = sorted(
        sums,
        key=lambda s: (
            s.corrected is not None,
            s.country or "",
            s.supply or "",
            s.dispatch or "",
            -(s.rate or ZERO),
            s.rate_type or "",
            s.corrected or "",
        ),
    )
    for s in order:
        net, tax = rounded(s.net, currency), rounded(s.tax, currency)
        box = "correction" if s.corrected else f"{s.supply or 'goods'}{' dispatched' if s.dispatch else ''}"
        reason = "return_correction" if s.corrected else "return_dispatch" if s.dispatch else "return_line"
        rows.append(
            Row(
                "line",
                box,
                tax,
                reason,
                s.lines,
                s.country,
                None if s.corrected else s.supply,
                s.dispatch,
                s.rate_type,
                s.rate,
                s.corrected,
                net,
                tax,
            )
        )
    balances: dict[str, Decimal] = {}
    for row in rows:
        balances[row.country or ""] = balances.get(row.country or "", ZERO) + row.amount
    for country, balance in sorted(balances.items()):
        rows.append(Row("total", "balance", balance, "return_balance", country=country or None))
    return [*rows, *_payable(list(balances.values()))]


def _payable(balances: Sequence[Decimal]) -> list[Row]:
    """What is paid, and what comes back where a balance is negative."""
    pay = sum((b for b in balances if b > 0), ZERO)
    back = -sum((b for b in balances if b < 0), ZERO)
    rows = [Row("total", "payable", pay, "return_payable")]
    return rows + ([Row("total", "refund", back, "return_refund")] if back else [])


@dataclass(frozen=True)
class Purchases:
    """Sums of a table purchase_tax in the currency of the return, by kind: (net, tax, documents)."""

    of: Mapping[str, tuple[Decimal, Decimal, int]] = field(default_factory=dict)

    def net(self, *kinds: str) -> Decimal:
        """Value of these kinds."""
        return sum((self.of[k][0] for k in kinds if k in self.of), ZERO)

    def tax(self, *kinds: str) -> Decimal:
        """Tax of these kinds."""
        return sum((self.of[k][1] for k in kinds if k in self.of), ZERO)

    def count(self, *kinds: str) -> int:
        """Documents of these kinds."""
        return sum(self.of[k][2] for k in kinds if k in self.of)


POSTPONED, ACQUIRED = "import_postponed", "acquisition"
EVERY_KIND = ("purchase", "import_paid", POSTPONED, ACQUIRED)
OWN_ACCOUNT = (POSTPONED, ACQUIRED)
"""Kinds whose tax nobody charged: the return owes it as well as it reclaims it."""
INPUT_TAX, IMPORT_TAX = "input tax", "import tax"
"""Boxes of a summary that are no sales."""


def vat_boxes(
    output_tax: Decimal,
    output_net: Decimal = ZERO,
    input_tax: Decimal = ZERO,
    input_net: Decimal = ZERO,
    acquisition_tax: Decimal = ZERO,
    acquisition_net: Decimal = ZERO,
    dispatch_net: Decimal = ZERO,
) -> dict[str, Decimal]:
    """Boxes 1 to 9 of a United Kingdom VAT return, in pounds.

    Tax and values as they go into boxes 1, 6, 4, 7, 2, 9 and 8: import VAT that is postponed is already part of output
    tax, input tax and input value. Box 5 is the difference of boxes 3 and 4, never negative; boxes 6 to 9 are whole
    pounds, half rounded away from zero.
    """
    one, two, four = (rounded(v, "GBP") for v in (output_tax, acquisition_tax, input_tax))
    # Boxes 3 and 5 are reckoned from the boxes as they are filed: HMRC refuses a return whose boxes do not add up.
    told = {"1": one, "2": two, "3": one + two, "4": four, "5": abs(one + two - four)}
    values = {"6": output_net, "7": input_net, "8": dispatch_net, "9": acquisition_net}
    return told | {box: rounded(v, "GBP", whole=True) for box, v in values.items()}


def repayment(boxes: Mapping[str, Decimal]) -> bool:
    """Whether box 5 is paid back to the business: more is reclaimed than due."""
    return boxes["4"] > boxes["3"]


def gb_rows(sums: Sequence[Sum], purchases: Purchases, zero_rated: Sequence[Sum] = ()) -> list[Row]:
    """Boxes 1 to 9. sums: sales whose tax the seller accounts for; zero_rated: exports and reverse charge (box 6 only)."""
    sales_net, sales_tax = sum((s.net for s in sums), ZERO), sum((s.tax for s in sums), ZERO)
    other_net = sum((s.net for s in zero_rated), ZERO)
    boxes = vat_boxes(
        output_tax=rounded(sales_tax, "GBP") + rounded(purchases.tax(POSTPONED), "GBP"),
        output_net=sales_net + other_net,
        input_tax=purchases.tax(*EVERY_KIND),
        input_net=purchases.net(*EVERY_KIND),
        acquisition_tax=purchases.tax(ACQUIRED),
        acquisition_net=purchases.net(ACQUIRED),
    )
    sold, bought = sum(s.lines for s in sums), purchases.count(*EVERY_KIND)
    other = sum(s.lines for s in zero_rated)
    counts = {"1": sold + purchases.count(POSTPONED), "2": purchases.count(ACQUIRED), "4": bought}
    counts |= {"6": sold + other, "7": bought, "8": 0, "9": purchases.count(ACQUIRED)}
    exact = {"1": (None, boxes["1"]), "2": (None, boxes["2"]), "4": (None, boxes["4"])}
    nets = {"6": sales_net + other_net, "7": purchases.net(*EVERY_KIND), "8": ZERO, "9": purchases.net(ACQUIRED)}
    rows = []
    for box, amount in boxes.items():
        kind = "total" if box in ("3", "5") else "line"
        net = rounded(nets[box], "GBP") if box in nets else None
        tax = exact[box][1] if box in exact else None
        rows.append(Row(kind, box, amount, f"return_gb_{box}", counts.get(box, 0), net=net, tax=tax))
    owed = boxes["3"] - boxes["4"]
    return [*rows, *_payable([owed])]


def summary_rows(sums: Sequence[Sum], purchases: Purchases, currency: str, whole: bool = False) -> list[Row]:
    """Sales and their tax by rate, tax on imports that the return itself accounts for, input tax, what is payable.

    whole: amounts filed and values of sales in whole units; `tax` stays what it is, to the cent.
    """
    rows = []
    for s in sorted(sums, key=lambda s: (s.country or "", -(s.rate or ZERO), s.rate_type or "")):
        tax = rounded(s.tax, currency)
        filed = rounded(s.tax, currency, whole)
        rows.append(
            Row("line", "sales", filed, "return_sales", s.lines, s.country, "goods", None, s.rate_type, s.rate, None, rounded(s.net, currency, whole), tax)
        )  # fmt: skip
    if purchases.count(*OWN_ACCOUNT):
        tax, net = rounded(purchases.tax(*OWN_ACCOUNT), currency), rounded(purchases.net(*OWN_ACCOUNT), currency, whole)
        filed, count = rounded(tax, currency, whole), purchases.count(*OWN_ACCOUNT)
        rows.append(Row("line", IMPORT_TAX, filed, "return_postponed", count, net=net, tax=tax))
    if purchases.count(*EVERY_KIND):
        tax = rounded(purchases.tax(*EVERY_KIND), currency)
        count = purchases.count(*EVERY_KIND)
        net = rounded(purchases.net(*EVERY_KIND), currency, whole)
        rows.append(Row("line", INPUT_TAX, -rounded(tax, currency, whole), "return_input", count, net=net, tax=-tax))
    if not rows:
        return [Row("nil", "nil", ZERO, "return_nil")]
    return [*rows, *_payable([sum((r.amount for r in rows), ZERO)])]


def merged(sums: Sequence[Sum]) -> list[Sum]:
    """Sums of equal country, supply, dispatch, rate and corrected period, added up (several source currencies)."""
    found: dict[tuple[object, ...], Sum] = {}
    for s in sums:
        key = (s.country, s.supply, s.dispatch, s.rate_type, s.rate, s.corrected)
        had = found.get(key)
        found[key] = (
            s if had is None else replace(had, net=had.net + s.net, tax=had.tax + s.tax, lines=had.lines + s.lines)
        )
    return list(found.values())
