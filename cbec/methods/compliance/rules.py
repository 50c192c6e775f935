"""What a rule is: its kinds, the facts it may ask for, the outcomes it may have, and the pack that holds it.

The layout follows OpenFisca's parameter files (`values: date -> value`); precedence follows Catala's default
logic: a base rule, and exceptions that name the rules they override.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

DATES = ("valid_from", "valid_to", "recorded_from", "end_recorded_from")
CONDITION = ("when", "then", "exception_to", *DATES)
KINDS: dict[str, tuple[str, ...]] = {
    "rate": ("country", "territory", "category", "levy", "unit", "values"),
    "goods": ("goods", "country", "hs", "partly", "words", "complete", "hint"),
    "territory": ("country", "name", "codes", "region", "area", "country_rates", "exception_to", "unit", "values"),
    "limit": ("unit", "per", "base", "inclusive", "values"),
    "amount": ("unit", "per", "digits", "values"),
    "bracket": ("unit", "per", "measures", "steps", *DATES),
    "factor": ("unit", "values"),
    "threshold": ("unit", "values"),
    "waiver": ("unit", "of", "inclusive", "step", "values"),
    "declaration": ("unit", "base_step", "step", "values"),
    "method": ("method", "unit", "values"),
    "measure": (
        "measure",
        "unit",
        "values",
        "not_with",
        "rest",
        "row_needed",
        "when",
        "exception_to",
        *DATES,
    ),
    "scheme": CONDITION,
    "duty": CONDITION,
    "export": CONDITION,
    "range": ("country", "definition", *DATES),
}
"""What a rule of each kind may say, beside `kind`, `reference` and `note`. end_recorded_from: the day on which `valid_to`
was known, where it was not from the beginning.

rate: of a country, for all goods or a category, of a levy (vat unless told); or of a category in one territory of it.
territory: a place with a rate of its own; what the country's categories bear is known there only where a rate names the
territory, or country_rates says that theirs hold there too. goods: a class of goods by customs
codes and words; without a rate its lines are marked, unless hint is false. limit: a value that a consignment, an item or a buyer's year is held against. amount: a duty in
money. bracket: a duty in money that depends on the rate of some measures together. factor: the part of a rate that is charged.
threshold: what a seller may turn over in a calendar year and still fall under a rule that names it; the lines of a file do not tell it, the scheme
that a line names does.
waiver: tax (and duty) of a consignment up to which none is levied, rounded to a step before where that is told.
declaration: customs reckons a consignment as a whole, bases cut to `base_step` and sums to `step` of the pack's currency; values: the
national part of the tax in percent, on which the rest is reckoned. measure: a duty beside others (most favoured
nation, additional duties of one authority), from the user's tariff or, with values, of its own; rest: it falls
on what is left where a measure of `not_with` falls on a part of the value only. row_needed: a tariff
that has other rows of it is not taken for complete. method: how a value
is reckoned. scheme, duty, export: conditions and what follows. range: how a country defines the quartiles of an arm's length
range in transfer pricing.
"""

NEEDED: dict[str, tuple[str, ...]] = {
    "rate": ("country", "unit", "values"),
    "goods": ("goods",),
    "territory": ("country", "name", "area", "unit", "values"),
    "limit": ("unit", "per", "base", "inclusive", "values"),
    "amount": ("unit", "per", "digits", "values"),
    "bracket": ("unit", "per", "measures", "steps", "valid_from"),
    "factor": ("unit", "values"),
    "threshold": ("unit", "values"),
    "waiver": ("unit", "of", "inclusive", "values"),
    "declaration": ("unit", "base_step", "step", "values"),
    "method": ("method",),
    "measure": ("measure", "valid_from"),
    "scheme": ("when", "then", "valid_from"),
    "duty": ("when", "then", "valid_from"),
    "export": ("when", "then", "valid_from"),
    "range": ("country", "definition", "valid_from"),
}

SCHEMES = (
    "IOSS", "OSS", "OSS_NON_UNION", "UK_VAT", "LOCAL", "NONE", "LVG", "VOEC", "CBEC", "PARCEL", "POSTAL_SPECIFIC", "POSTAL_AD_VALOREM",
)  # fmt: skip
"""Registrations and channels that an order line may name."""
DISPATCH = "DISPATCH"
"""The scheme of lines that bear the tax of the state they are sent from (`rate_of`), which goes into a return there."""
TRANSPORTS = ("post", "courier", "air", "sea", "land")
LEVIES = ("vat", "consumption", "parcel")

FACTS: dict[str, tuple[str, ...]] = {
    "movement": ("domestic", "intra", "import"),
    "buyer": ("B2C", "B2B"),
    "buyer_tax_id": ("missing", "inside", "origin", "territory", "outside"),
    "buyer_statement": ("yes", "no"),
    "marketplace": ("yes", "no"),
    "seller": ("local", "inside", "outside", "unknown"),
    "from_home": ("yes", "no"),
    "scheme": (*SCHEMES, "unknown"),
    "transport": (*TRANSPORTS, "unknown"),
    "gift": ("yes", "no"),
    "area": ("main", "inside", "import", "outside", "special", "provincial"),
    "leaves": ("with_order", "before"),
}
"""Facts of a line that a condition may name, with their values.

movement: domestic = sent and received in one country, intra = between two countries of the pack, import = from
anywhere else. buyer_tax_id: whose prefix the number bears: of a country of the pack (inside; also a number
without prefix), of the country the goods are sent from (origin), of a territory of the pack (XI, where a rule of the
pack asks for territory), of any other (outside). buyer_statement: the buyer
stated to be registered for the tax. seller: established in the country of destination (local), in another country
of the pack (inside), elsewhere (outside). from_home: the goods are sent from the country that the seller is known to be
established in; asked only where a rule may charge the tax of dispatch (rate_of). area: the mainland (main) or a special territory: inside the tax area with
a rate of its own (inside), an import territory with a rate of its own (import), outside the tax area (outside), with
rules that no pack holds (special), or with a rate that holds a tax the province levies itself (provincial). leaves (rules of kind export): the goods leave the country for the order, or
lay abroad when they were sold.
"""

PLACES = ("ship_from", "ship_to", "origin")
"""Countries that a condition may name; `origin` (where the goods were made) may be `unknown`."""
GOODS = "goods"
"""Classes of goods (of rules of kind goods, or categories) that a condition may name."""
LIMITS = ("within", "above")
PIECE = "piece"
"""The unit of a limit of the base `pieces`: how many pieces a consignment holds."""

OUTCOMES: dict[str, dict[str, tuple[str, ...] | None]] = {
    "scheme": {
        "scheme": None,
        "collected_by": ("seller", "marketplace", "carrier", "customs", "buyer", "nobody"),
        "tax": ("charge", "none", "undetermined"),
        "base": None,
        "levy": ("vat", "composite", "parcel"),
        "rate": None,
        "rate_of": ("dispatch",),
        "threshold": None,
        "allowance": None,
        "factor": None,
        "waiver": None,
        "declaration": None,
        "reason": None,
    },
    "duty": {
        "duty": ("none", "relief", "flat", "tariff", "bracket"),
        "amount": None,
        "base": None,
        "waiver": None,
    },
    "export": {
        "regime": None,
        "vat": ("zero", "exempt", "zero_or_exempt"),
        "reason": None,
    },
}
LINKS = {
    "base": "method",
    "factor": "factor",
    "waiver": "waiver",
    "declaration": "declaration",
    "rate": "rate",
    "threshold": "threshold",
    "allowance": "limit",
}
"""What an outcome names, and the kind of rule that it is. rate: charged instead of that of the place. threshold: told in the reason. allowance: a limit per consignment, in the pack's currency;
so much of its value is left free of duty and tax."""
METHODS = ("cif", "fob", "retail_share", "price_plus_duty", "price_plus_tariff", "cif_plus_duty", "value_plus_duty")
"""Ways of computing that the engine knows. Customs value: goods + shipping + insurance (cif), goods alone (fob), a
share of the goods' retail price (retail_share, its percent in values). Tax is reckoned on the price with shipping,
insurance and a duty the seller charges (price_plus_duty; price_plus_tariff: unless that is a flat one), on goods, shipping, insurance and duty (cif_plus_duty),
on customs value and duty (value_plus_duty)."""

DEFINITIONS = ("cumulative", "hazen", "inclusive", "exclusive")
"""Definitions of quartiles. cumulative: the lowest result with at least the share at or below it, and its mean with the
next where it is exactly the share (26 CFR 1.482-1(e)(2)(iii)(C)). Linear interpolation at position p n + 1/2 (hazen),
p (n - 1) + 1 (inclusive: QUARTILE.INC of spreadsheets) or p (n + 1) (exclusive: QUARTILE.EXC), counted from 1."""

AREAS = ("inside", "import", "outside", "special", "provincial")


@dataclass(frozen=True)
class Reference:
    """Where a rule was read: its title, the words that were read there, and the day of reading."""

    title: str
    quote: str
    verified_on: date
    url: str | None = None


@dataclass(frozen=True)
class Dated:
    """A value from the day it holds; `recorded_from` = the day it was known. None: no rule from that day on."""

    valid_from: date
    recorded_from: date
    value: Decimal | None


@dataclass(frozen=True)
class Step:
    """One step of a bracket: `value` where the rate lies below `below` or is at most `up_to`; the last has neither."""

    value: Decimal
    below: Decimal | None = None
    up_to: Decimal | None = None


@dataclass(frozen=True)
class Rule:
    """One rule of a pack; which fields say something depends on its kind (`KINDS`)."""

    id: str
    kind: str
    reference: Reference
    values: tuple[Dated, ...] = ()
    unit: str | None = None
    country: str | None = None
    category: str | None = None
    name: str | None = None
    codes: tuple[str, ...] = ()
    region: str | None = None
    area: str | None = None
    inclusive: bool = True
    per: str | None = None
    base: str | None = None
    digits: int = 0
    method: str | None = None
    definition: str | None = None
    goods: str | None = None
    hs: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    complete: bool = False
    hint: bool = True
    levy: str = "vat"
    territory: str | None = None
    country_rates: bool = False
    of: tuple[str, ...] = ()
    step: Decimal | None = None
    base_step: Decimal | None = None
    measure: str | None = None
    measures: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    rest: bool = False
    row_needed: bool = False
    steps: tuple[Step, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    then: Mapping[str, str] = field(default_factory=dict)
    exception_to: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    recorded_from: date | None = None
    end_recorded_from: date | None = None
    note: str | None = None


@dataclass(frozen=True)
class Pack:
    """The rules of one tax territory. After `valid_to` nobody has looked whether they still hold."""

    id: str
    title: str
    currency: str
    jurisdictions: tuple[str, ...]
    treated_as: Mapping[str, str]
    valid_to: date
    rules: Mapping[str, Rule]
    file: str
    _of: dict[tuple[str, ...], Sequence[Rule]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, *kinds: str) -> Sequence[Rule]:
        """Rules of these kinds, in the order of the file."""
        if kinds not in self._of:
            self._of[kinds] = [rule for rule in self.rules.values() if rule.kind in kinds]
        return self._of[kinds]

    @property
    def other_currency(self) -> str:
        """The currency of limits that are not in the pack's own; the pack's own where there is none."""
        return next((str(r.unit) for r in self.of("limit") if r.unit not in (self.currency, PIECE)), self.currency)

    @property
    def own_money(self) -> bool:
        """Whether limits or amounts are in the pack's own currency, so that lines are converted to it."""
        return any(r.unit == self.currency for r in self.of("limit", "amount", "bracket", "waiver"))
