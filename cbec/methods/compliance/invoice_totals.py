"""Totals of an invoice by the arithmetic of EN 16931-1: exact decimals, VAT rounded once per category and rate.

BT and BG numbers are those of the standard's semantic model. Rounding is half away from zero, the commercial way, for
sales and credits alike: -324.995 becomes -325.00.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from cbec.methods.minor import digits_of

TAXED = ("S", "L", "M", "B")
"""VAT categories with a rate above 0: standard, IGIC (Canary Islands), IPSI (Ceuta, Melilla), split payment (Italy)."""
UNTAXED = ("Z", "E", "AE", "K", "G", "O")
"""Zero rated, exempt, reverse charge, intra-Community supply, export, outside the scope of VAT."""
_PRECISION = 60
"""Digits carried: contract cells have 38, and a product of two of them must not be cut."""


@dataclass(frozen=True)
class Amount:
    """The net amount of an invoice line (BT-131) or of a document level allowance or charge (BT-92, BT-99).

    rate: percent; None only where category is O, which bears none.
    """

    amount: Decimal
    category: str
    rate: Decimal | None


@dataclass(frozen=True)
class Tax:
    """A row of the VAT breakdown (BG-23): category BT-118, rate BT-119, taxable amount BT-116, tax BT-117."""

    category: str
    rate: Decimal | None
    taxable: Decimal
    tax: Decimal


@dataclass(frozen=True)
class Totals:
    """Document totals (BG-22) and the VAT breakdown (BG-23) of one invoice."""

    lines: Decimal
    """BT-106, sum of line net amounts."""
    allowances: Decimal
    """BT-107, sum of document level allowances."""
    charges: Decimal
    """BT-108, sum of document level charges."""
    net: Decimal
    """BT-109, total without VAT."""
    tax: Decimal
    """BT-110, total VAT."""
    gross: Decimal
    """BT-112, total with VAT."""
    prepaid: Decimal
    """BT-113, paid already."""
    rounding: Decimal
    """BT-114, rounding of the amount due."""
    payable: Decimal
    """BT-115, amount due."""
    taxes: tuple[Tax, ...]


def decimals(currency: str) -> int:
    """Decimals of amounts in a currency: those of its minor unit, at most the 2 that EN 16931 allows (BR-DEC)."""
    return min(digits_of(currency), 2)


def rounded(value: Decimal, digits: int = 2) -> Decimal:
    """Half away from zero, never -0."""
    with localcontext() as context:
        context.prec = _PRECISION
        return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0


def line_net(
    quantity: Decimal,
    price: Decimal,
    *,
    per: Decimal = Decimal(1),
    allowances: Decimal = Decimal(0),
    charges: Decimal = Decimal(0),
    digits: int = 2,
) -> Decimal:
    """BT-131: quantity x item net price (BT-146) / price base quantity (BT-149), less allowances, plus charges."""
    with localcontext() as context:
        context.prec = _PRECISION
        return rounded(quantity * price / per - allowances + charges, digits)


def totals(
    lines: Sequence[Amount],
    allowances: Sequence[Amount] = (),
    charges: Sequence[Amount] = (),
    *,
    prepaid: Decimal = Decimal(0),
    rounding: Decimal = Decimal(0),
    digits: int = 2,
) -> Totals:
    """Totals of an invoice by BR-CO-10 to BR-CO-17.

    Amounts are net of VAT and carry at most `digits` decimals. VAT is reckoned on the sum of each category and rate and
    rounded there, once; the total is the sum of these.
    """
    with localcontext() as context:
        context.prec = _PRECISION
        zero = rounded(Decimal(0), digits)
        of_lines, less, more = (sum((a.amount for a in group), zero) for group in (lines, allowances, charges))
        net = of_lines - less + more
        taxes = _breakdown([*lines, *charges], allowances, digits)
        tax = sum((row.tax for row in taxes), zero)
        payable = net + tax - prepaid + rounding
        return Totals(of_lines, less, more, net, tax, net + tax, prepaid + zero, rounding + zero, payable, taxes)


def _breakdown(added: Iterable[Amount], taken: Iterable[Amount], digits: int) -> tuple[Tax, ...]:
    bases: dict[tuple[str, Decimal | None], Decimal] = {}
    for sign, amounts in ((1, added), (-1, taken)):
        for a in amounts:
            key = (a.category, None if a.rate is None else a.rate.normalize())
            bases[key] = bases.get(key, rounded(Decimal(0), digits)) + sign * a.amount
    return tuple(
        Tax(category, rate, base, rounded(base * (rate or 0) / 100, digits))
        for (category, rate), base in sorted(bases.items(), key=lambda item: (item[0][0], item[0][1] or 0))
    )
