"""How numbers, money, dates and names are written, the same in charts, tables, Markdown and the terminal."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cbec.core import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

of = words.of
NOTHING = "–"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WITHOUT_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "HUF", "IDR", "TWD"})
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LARGE = ((1e12, "tn"), (1e9, "bn"), (1e6, "M"))


def plain(value: object) -> str:
    """Text without control characters (they break HTML and terminals) and lone surrogates."""
    return _CONTROL.sub("\ufffd", str(value))


def figure(value: object) -> float | None:
    """The value as a finite float, or None where it is no number (beyond 1e300 nothing can be added or drawn)."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < 1e300 else None


def number(value: object, digits: int | None = None) -> str:
    """`1,234.5`: thousands separated; digits None = as many as the size of the number deserves."""
    known = figure(value)
    if known is None:
        return NOTHING if value is None else plain(value)
    if abs(known) >= 1e15:
        return f"{known:.3g}"
    places = digits_for([known]) if digits is None else digits
    text = f"{value if isinstance(value, Decimal) else known:,.{places}f}"
    return text.lstrip("-") if text.startswith("-") and not text.strip("-0.,") else text


def digits_for(values: Iterable[float], limit: int = 4) -> int:
    """Decimals for a column: none where all are whole, else about four significant figures of the largest."""
    known = [abs(v) for v in values if math.isfinite(v)]
    if not known or all(v == round(v) for v in known):
        return 0
    top = max(known)
    return min(limit, 0 if top >= 10_000 else 1 if top >= 100 else 2 if top >= 1 else 4)


def short(value: object) -> str:
    """For tiles and axes: `12,345`, `1.23 M`, `4.5 bn`."""
    known = figure(value)
    if known is None or abs(known) < 1e6:
        return number(value)
    if abs(known) >= 1e15:
        return f"{known:.2g}"
    size, word = next(pair for pair in _LARGE if abs(known) >= pair[0])
    return f"{known / size:,.3g} {word}" if abs(known) / size < 1000 else f"{known / size:,.0f} {word}"


def units(value: float | None) -> str:
    """Units of demand: whole where there are many of them, two decimals otherwise."""
    return short(value if value is None else round(value, 2) if abs(value) < 100 else round(value))


def percent(share: object, digits: int = 1) -> str:
    """`12.3 %` of a share 0..1."""
    known = figure(share)
    return NOTHING if known is None else f"{number(known * 100, digits)} %"


def money(amount: object, currency: str | None, cents: bool | None = None) -> str:
    """`EUR 1,234` or `EUR 12.30`; cents None = where they matter (below 1,000). No cents where the currency has none."""
    known = figure(amount)
    if known is None:
        return NOTHING
    with_cents = abs(known) < 1000 if cents is None else cents
    text = (
        short(known) if abs(known) >= 1e9 else number(known, 2 if with_cents and currency not in _WITHOUT_CENTS else 0)
    )
    return f"{plain(currency)} {text}" if currency else text


def bare(currency: str, amount: object) -> str:
    """As `money`, without the currency, where it stands nearby."""
    return money(amount, currency).removeprefix(f"{plain(currency)} ")


def day(value: object) -> str:
    """ISO date; a time only where there is one."""
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    return value.isoformat() if isinstance(value, date) else plain(value)


def short_day(value: object) -> str:
    """`3 Aug`, where the year stands nearby."""
    return f"{value.day} {MONTHS[value.month - 1]}" if isinstance(value, date) else plain(value)


def label(name: str) -> str:
    """A column's name for people: `order_qty` -> `order qty`."""
    return plain(name).replace("_", " ").strip() or NOTHING


def width(text: str) -> float:
    """Rough width in ems: Chinese characters count 1, others a little over a half."""
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.58 for c in text)


def clip(text: str, ems: float) -> str:
    """Cut to that width, with an ellipsis where something was cut."""
    text = plain(text)
    if width(text) <= ems:
        return text
    kept, used = "", 0.9
    for character in text:
        used += width(character)
        if used > ems:
            break
        kept += character
    return kept.rstrip() + "…"


def verdict(headline: Mapping[str, Any]) -> tuple[str, str]:
    """(tone, words) of a money headline's difference: `saved`, `EUR 1,200 saved (8.0 % of today's)`."""
    difference = figure(headline.get("difference")) or 0.0
    today, currency = figure(headline.get("today")), headline.get("currency")
    share = "" if not today else f" ({percent(abs(difference / today))} of today's)"
    if round(difference, 2) == 0:
        return "even", "no difference"
    amount = money(abs(difference), currency)
    return ("saved", f"{amount} saved{share}") if difference < 0 else ("dearer", f"{amount} dearer{share}")


def certainty(headline: Mapping[str, Any]) -> str:
    """How sure the difference is, in words, from its 90 % range (low..high; negative = saved)."""
    low, high = figure(headline.get("low")), figure(headline.get("high"))
    currency = headline.get("currency")
    if low is None or high is None:
        return "No range was estimated for the difference."
    low, high = min(low, high), max(low, high)

    def told(amount: float) -> str:
        word = "" if round(amount, 2) == 0 else " saved" if amount < 0 else " dearer"
        return f"{money(abs(amount), currency)}{word}"

    if low == high:
        return f"The difference is certain: {told(low)}."
    sure = (
        "a saving over the whole range"
        if high < 0
        else "dearer over the whole range"
        if low > 0
        else "the sign is not sure"
    )
    return f"90 % range of the difference: {told(low)} to {told(high)}; {sure}."
