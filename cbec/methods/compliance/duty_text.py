"""Duty rates as tariffs print them, read into expressions that can be computed.

A rate text is a sum of parts (a percentage of the value or of a component's value, an amount per kilogram, piece,
litre ...), sometimes less a part, with a lower (MIN, "but not less than") and an upper bound (MAX). Read are the
styles of the United States' HTS ("30.5¢/kg + 8.5%", "4¢ each + 2% on the case"), of TARIC ("9.6 % + 27.1 EUR DTN
MAX 18.7 %") and of the United Kingdom ("35.10 GBP / 100 kg"). What is no rate by itself ("See additional U.S. note 5",
agricultural components EA and AD S/Z of the Union) is refused with the reason, never read as 0.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache

SUM, FLOOR, CAP = 0, 1, 2
"""Roles of a term: of the sum itself, of its lower bound (MIN), of its upper bound (MAX)."""

VALUE = "value"
"""The unit of a percentage: the customs value. `value_case` and the like: the value of a component."""


@dataclass(frozen=True)
class Term:
    """`amount` x the quantities of `units` / `per`. currency None: amount is a percentage, units are values.

    A unit is a name (kg, piece, litre, value, value_case ..), `degree<100` = 100 less the degrees (never below 0),
    or `jewel>7` = the jewels over 7.
    """

    amount: Decimal
    units: tuple[str, ...]
    currency: str | None = None
    per: int = 1
    role: int = SUM


@dataclass(frozen=True)
class Expression:
    """Terms of all roles; `base`: the duty of the subheading that the goods fall in otherwise is added.

    `condition`: a condition of the rate in the tariff's words ("under bond"), null where it is unconditional.
    """

    terms: tuple[Term, ...]
    base: bool = False
    condition: str | None = None

    @cached_property
    def simple(self) -> Decimal | None:
        """The percentage of the value that is the whole rate; None where the rate is more than that."""
        plain = all(t.role == SUM and t.currency is None and t.units == (VALUE,) for t in self.terms)
        if not plain or self.base or self.condition is not None:
            return None
        return sum((t.amount for t in self.terms), Decimal(0))

    @property
    def needs(self) -> tuple[str, ...]:
        """Units other than the value that a line must tell, sorted."""
        units = {_variable(u) for t in self.terms for u in t.units}
        return tuple(sorted(units - {VALUE}))


class NoRate(ValueError):
    """The text is no rate that can be computed; the message says why."""


def _variable(unit: str) -> str:
    return re.split("[<>]", unit)[0]


_NUMBER = r"(?:\d+,\d{1,2}(?!\d)|(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)"
_SIGNS = {"€": "EUR", "£": "GBP", "¥": "CNY", "元": "CNY", "yen": "JPY"}
DOLLARS = ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD")
"""Currencies that "$" and "¢" may mean; which one, the tariff's country tells."""
_BOUNDS = re.compile(
    r"\s*,?\s*\b(?:(?P<floor>but not less than|not less than|with a minimum of|min\.?)|"
    r"(?P<cap>but not more than|but not exceeding|not more than|with a maximum of|max\.?))(?=[\s\d.$€£]|$)",
    re.IGNORECASE,
)
_EITHER = re.compile(
    r"(.+?)\s+or\s+(.+?)\s*,?\s*whichever (?:is|be)(?: the)? (greater|higher|less|lower)", re.IGNORECASE
)
_LESS = re.compile(r"\s+(?:less|minus)\s+", re.IGNORECASE)
_DEGREES = re.compile(
    r"\s*for each degree under (\d+) degrees\s*(?:\(and fractions of a degree in proportion\))?\s*", re.IGNORECASE
)
_FOOTNOTE = re.compile(r"\s*(?:\[\d+\]|\b\d+/)\s*$")
_BASE = re.compile(
    r"(?:the\s+)?(?:rate of\s+)?(?:duty(?: rate)?|rate(?: of duty)?)\s+provided\s+(?:for\s+)?in\s*(?:the applicable|such)\s+subheading|no change",
    re.IGNORECASE,
)
_PERCENT = re.compile(
    rf"(?P<n>{_NUMBER})\s*(?:%|percent|per cent)\s*(?:ad val(?:orem)?\.?)?\s*(?P<of>(?:on|of)\s+.+)?", re.IGNORECASE
)
_MONEY = re.compile(
    rf"(?:(?P<sign>[$€£¥])\s*(?P<a>{_NUMBER})|(?P<cent>{_NUMBER})\s*(?:¢|cents?\b)|(?P<code>[A-Z]{{3}})\s*(?P<b>{_NUMBER})|"
    rf"(?P<c>{_NUMBER})\s*(?P<code2>[A-Z]{{3}}\b|[€£元]|yen\b))\s*(?P<unit>.*)"
)
_PARTS = {"strap, band or bracelet": "strap", "telescopic sight, if any": "telescopic_sight", "entire set": ""}
#: TARIC codes of measurement units with the commonest qualifiers.
_CODES: dict[str, tuple[int, tuple[str, ...]]] = {
    "DTN": (100, ("kg",)), "DTN E": (100, ("kg_drained",)), "DTN G": (100, ("kg_gross",)), "KGM": (1, ("kg",)),
    "KGM E": (1, ("kg_drained",)), "KGM G": (1, ("kg_gross",)), "GRM": (1, ("gram",)), "TNE": (1000, ("kg",)), "HLT": (100, ("litre",)),
    "LTR": (1, ("litre",)), "KLT": (1000, ("litre",)), "LPA": (1, ("litre_alcohol",)), "ASV X": (100, ("degree_alcohol", "litre")),
    "NAR": (1, ("piece",)), "CEN": (100, ("piece",)), "MIL": (1000, ("piece",)), "NPR": (1, ("pair",)), "MPR": (1000, ("pair",)),
    "MTR": (1, ("metre",)), "MTK": (1, ("m2",)), "MTQ": (1, ("m3",)), "CTM": (1, ("carat",)), "MWH": (1, ("megawatt_hour",)),
}  # fmt: skip
#: Units as words: the pattern of the whole unit, how many of the quantity make one, and the quantity.
_UNITS: list[tuple[str, int, tuple[str, ...]]] = [
    (r"kgs?|kilograms?|kg ?/? ?net|千克|公斤", 1, ("kg",)),
    (r"kg ?/? ?net eda", 1, ("kg_drained",)),
    (r"kg ?/? ?gross", 1, ("kg_gross",)),
    (r"t|tonnes?|metric tons?", 1000, ("kg",)),
    (r"g|grams?", 1, ("gram",)),
    (r"each|ea\.?|no\.?|pieces?|pcs\.?|p/st|items?|articles?|head|units?|件|个", 1, ("piece",)),
    (r"prs?\.?|pairs?|双", 1, ("pair",)),
    (r"doz\.?|dozens?", 12, ("piece",)),
    (r"gross", 144, ("piece",)),
    (r"1,?000(?: \w+)?|thousand", 1000, ("piece",)),
    (r"lit(?:er|re)s?|l", 1, ("litre",)),
    (r"pf\.? ?lit(?:er|re)s?(?: on ethyl alcohol content)?|proof lit(?:er|re)s?", 1, ("litre_proof",)),
    (r"litre pure \(100%\) alcohol|lit(?:er|re)s? of pure alcohol|lpa", 1, ("litre_alcohol",)),
    (r"hl|hectolit(?:er|re)s?", 100, ("litre",)),
    (r"% ?vol ?/ ?hl|%? ?vol/hl", 100, ("degree_alcohol", "litre")),
    (r"m2|m²|square met(?:er|re)s?", 1, ("m2",)),
    (r"m3|m³|cubic met(?:er|re)s?", 1, ("m3",)),
    (r"m|met(?:er|re)s?", 1, ("metre",)),
    (r"bbl\.?|barrels?", 1, ("barrel",)),
    (r"jewels?", 1, ("jewel",)),
    (r"clean kg", 1, ("kg_clean",)),
    (r"lines?/ ?gross", 144, ("button_line", "piece")),
    (r"carats?|ct", 1, ("carat",)),
]  # fmt: skip
_COMPILED = [(re.compile(rf"(?:{pattern})\Z", re.IGNORECASE), per, units) for pattern, per, units in _UNITS]
_WEIGHED = {
    "drained weight": "kg_drained", "contents and container": "kg_container", "entire contents of container": "kg_contents",
    "total sugars": "kg_sugars",
}  # fmt: skip


@lru_cache(maxsize=65536)
def parse(text: str, dollar: str = "USD") -> Expression:
    """The expression of one rate text. dollar: the currency of "$" and "¢".

    Raises NoRate, with the reason, for a text that cannot be computed: references to notes or to the rate of
    other goods, components that are published elsewhere, unknown units.
    """
    plain = _plain(text)
    if not plain:
        raise NoRate("the rate is empty")
    free = re.fullmatch(r"(?:free|nil|exempt|免税|零关税)(?:\s*,\s*(?P<condition>.+))?", plain, re.IGNORECASE)
    if free is not None:
        return Expression((), condition=free["condition"])
    sections = _sections(plain)
    base, terms = False, []
    for role, section in sections:
        first, *taken = _LESS.split(section)
        pieces = [(1, piece) for piece in re.split(r"\s*\+\s*|\s+plus\s+", first)]
        pieces += [(-1, piece) for piece in taken]
        for sign, piece in pieces:
            if _BASE.fullmatch(piece) and role == SUM and sign == 1:
                base = True
            else:
                terms += [replace(t, amount=sign * t.amount, role=role) for t in _terms(piece, text, dollar)]
    return Expression(tuple(terms), base)


def readable(texts: Iterable[str], dollar: str = "USD") -> dict[str, Expression | str]:
    """text -> its expression, or why there is none."""
    found: dict[str, Expression | str] = {}
    for text in texts:
        try:
            found[text] = parse(text, dollar)
        except NoRate as fault:
            found[text] = str(fault)
    return found


def _plain(text: str) -> str:
    """One spacing, no footnote marks at the end; typographic variants as the patterns know them."""
    # NFKC would turn ² into 2, which is what m² needs, and leaves ¢ and € alone.
    plain = unicodedata.normalize("NFKC", text).replace("％", "%")
    plain = re.sub(r"\s+", " ", plain).strip().rstrip(".").strip()
    # "2.5%1/" and "Free [2]" carry the number of a footnote; "38.4¢/1000" ends in no slash.
    plain = _FOOTNOTE.sub("", plain) if re.search(r"(?:%|[Ff]ree|kg|each|liter)\s*(?:\[\d+\]|\d+/)$", plain) else plain
    return re.sub(r"(?<=[a-z])(in)(the applicable)", r"\1 \2", plain)


def _sections(plain: str) -> list[tuple[int, str]]:
    """The sum and its bounds, each with its role."""
    either = _EITHER.fullmatch(plain)
    if either is not None:
        return [
            (SUM, either[1].strip()),
            (FLOOR if either[3].lower() in ("greater", "higher") else CAP, either[2].strip()),
        ]
    marks = list(_BOUNDS.finditer(plain))
    ends = [m.start() for m in marks] + [len(plain)]
    sections = [(SUM, plain[: ends[0]].strip())]
    for mark, end in zip(marks, ends[1:], strict=True):
        sections.append((FLOOR if mark["floor"] else CAP, plain[mark.end() : end].strip()))
    if any(not section for _, section in sections):
        raise NoRate(f'a bound without a rate in "{plain}"')
    return sections


def _terms(piece: str, text: str, dollar: str) -> list[Term]:
    percent = _PERCENT.fullmatch(piece)
    if percent is not None:
        amount = _number(percent["n"])
        return [Term(amount, (unit,)) for unit in _components(percent["of"], text)]
    degrees = _DEGREES.search(piece)
    if degrees is not None and degrees.end() == len(piece):
        within = _terms(piece[: degrees.start()], text, dollar)
        return [replace(t, units=(*t.units, f"degree<{degrees[1]}")) for t in within]
    money = _MONEY.fullmatch(piece)
    if money is None:
        raise NoRate(_why(piece, text))
    if money["cent"] is not None:
        amount, currency = _number(money["cent"]) / 100, dollar
    else:
        code = money["sign"] or money["code"] or money["code2"]
        amount, currency = (
            _number(money["a"] or money["b"] or money["c"]),
            _SIGNS.get(code, code if code != "$" else dollar),
        )
    per, units = _unit(money["unit"].strip(), text)
    return [Term(amount, units, currency, per)]


def _components(of: str | None, text: str) -> list[str]:
    """Units of a percentage: the whole value, or the values of the components it is on."""
    if of is None:
        return [VALUE]
    words = re.sub(r"^(?:on|of)\s+(?:the\s+)?(?:value of the\s+)?", "", of.strip(), flags=re.IGNORECASE)
    if re.fullmatch(r"(?:customs )?value|entire set|full value", words, re.IGNORECASE):
        return [VALUE]
    for phrase, name in _PARTS.items():
        words = words.replace(phrase, name)
    words = words.replace(" content", "")
    names = [re.sub(r"[^a-z]+", "_", part.lower()).strip("_") for part in re.split(r"\s+and\s+(?:the\s+)?", words)]
    if not all(re.fullmatch(r"[a-z_]{3,40}", name) for name in names) or len(words) > 50:
        raise NoRate(f'it is not known what "{of.strip()}" is in "{text}"')
    return [f"{VALUE}_{name}" for name in names]


def _unit(words: str, text: str) -> tuple[int, tuple[str, ...]]:
    """How many of a quantity make the unit of an amount, and the quantity (or two that are multiplied)."""
    code = _CODES.get(words.upper())
    if code is not None:
        return code
    words = re.sub(r"^(?:/|per)\s*", "", words).strip()
    if words == "for each other piece or part":
        return 1, ("other_part",)
    counted = re.match(r"(\d{2,4})\s*(?=[a-z%])", words)
    many, words = (int(counted[1]), words[counted.end() :]) if counted else (1, words)
    over = re.fullmatch(r"jewels? over (\d+)", words)
    if over is not None:
        return many, (f"jewel>{over[1]}",)
    weighed = re.fullmatch(r"kg (?:on|of) (?:the )?(.+)", words)
    if weighed is not None:
        what = weighed[1]
        metal = re.fullmatch(r"([a-z]+) content", what)
        if what in _WEIGHED or metal is not None:
            return many, (_WEIGHED[what] if what in _WEIGHED else f"kg_{metal[1]}",)  # type: ignore[index]
    for pattern, per, units in _COMPILED:
        if pattern.fullmatch(words):
            return many * per, units
    raise NoRate(f'the unit "{words}" of "{text}" is not known' if words else f'an amount without a unit in "{text}"')


def _number(digits: str) -> Decimal:
    if re.fullmatch(r"\d+,\d{1,2}", digits):  # a decimal comma: thousands come in threes
        return Decimal(digits.replace(",", "."))
    return Decimal(digits.replace(",", ""))


def _why(piece: str, text: str) -> str:
    if re.match(r"(?:the|a)\s+(?:rate|duty)", piece, re.IGNORECASE) or re.match(r"see\b", piece, re.IGNORECASE):
        return f'"{text}" points to the rate of other goods or to a note'
    if re.match(r"(?:reduced )?(?:EA|AD ?[SF]/?[ZM]|EAR|ADSZR?|ADFMR?)\b", piece):
        return f'"{text}" has an agricultural component, which is published apart'
    return f'"{piece}" in "{text}" is no rate'
