"""What a rule is: its kinds, the facts it may ask for, the outcomes it may have, and the pack that holds it.

The layout follows OpenFisca's parameter files (`values: date -> value`); precedence follows Catala's default
logic: a base rule, and exceptions that name the rules they override.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

KINDS: dict[str, tuple[str, ...]] = {
    "rate": ("country", "category", "unit", "values"),
    "goods": ("goods", "country", "hs", "partly", "words", "complete"),
    "territory": ("country", "name", "codes", "region", "area", "exception_to", "unit", "values"),
    "limit": ("unit", "per", "base", "inclusive", "values"),
    "amount": ("unit", "per", "digits", "values"),
    "method": ("method",),
    "scheme": ("when", "then", "exception_to", "valid_from", "valid_to", "recorded_from"),
    "duty": ("when", "then", "exception_to", "valid_from", "valid_to", "recorded_from"),
}
"""What a rule of each kind may say, beside `kind`, `reference` and `note`."""

NEEDED: dict[str, tuple[str, ...]] = {
    "rate": ("country", "unit", "values"),
    "goods": ("goods",),
    "territory": ("country", "name", "area", "unit", "values"),
    "limit": ("unit", "per", "base", "inclusive", "values"),
    "amount": ("unit", "per", "digits", "values"),
    "method": ("method",),
    "scheme": ("when", "then", "valid_from"),
    "duty": ("when", "then", "valid_from"),
}

FACTS: dict[str, tuple[str, ...]] = {
    "movement": ("domestic", "intra", "import"),
    "buyer": ("B2C", "B2B"),
    "buyer_tax_id": ("missing", "inside", "origin", "outside"),
    "marketplace": ("yes", "no"),
    "seller": ("local", "inside", "outside", "unknown"),
    "scheme": ("IOSS", "OSS", "OSS_NON_UNION", "UK_VAT", "LOCAL", "NONE", "unknown"),
    "gift": ("yes", "no"),
    "area": ("main", "inside", "import", "outside", "special"),
}
"""Facts of a line that a condition may name, with their values.

movement: domestic = sent and received in one country, intra = between two countries of the pack, import = from
anywhere else. buyer_tax_id: whose prefix the number bears: of a country of the pack (inside; also a number
without prefix), of the country the goods are sent from (origin), of any other (outside). seller: established in
the country of destination (local), in another country of the pack (inside), elsewhere (outside). area: the
mainland (main) or a special territory: inside the tax area with a rate of its own (inside), an import territory
with a rate of its own (import), outside the tax area (outside), or with rules that no pack holds (special).
"""

PLACES = ("ship_from", "ship_to")
LIMITS = ("within", "above")

OUTCOMES: dict[str, dict[str, tuple[str, ...] | None]] = {
    "scheme": {
        "scheme": None,
        "collected_by": ("seller", "marketplace", "carrier", "customs", "buyer", "nobody"),
        "tax": ("charge", "none", "undetermined"),
        "base": None,
        "reason": None,
    },
    "duty": {
        "duty": ("none", "relief", "flat", "tariff"),
        "amount": None,
        "base": None,
    },
}
METHODS = ("cif", "price_plus_duty", "cif_plus_duty")
"""Ways of computing that the engine knows: customs value = goods + shipping + insurance (cif); VAT on the price
with shipping, insurance and a duty the seller charges (price_plus_duty); VAT on customs value + duty (cif_plus_duty)."""

AREAS = ("inside", "import", "outside", "special")


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
    goods: str | None = None
    hs: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    complete: bool = False
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    then: Mapping[str, str] = field(default_factory=dict)
    exception_to: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None
    recorded_from: date | None = None
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

    def of(self, *kinds: str) -> list[Rule]:
        """Rules of these kinds, in the order of the file."""
        return [rule for rule in self.rules.values() if rule.kind in kinds]
