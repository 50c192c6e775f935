"""The arm's length range of transfer pricing: quartiles of comparable results, and the adjustment to the median.

Countries define a quartile differently; the definition is a rule of kind `range` in the country's pack, or is named
(`DEFINITIONS`). On the four results of 26 CFR 1.482-1(e)(5) Example 3 (42, 44, 45, 47.50) the regulation says 43 to
46.25; a spreadsheet's QUARTILE.INC says 43.50 to 45.625.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cbec.core.contract import Column
from cbec.core.errors import UsageFault
from cbec.methods.compliance.cells import Shape, columns
from cbec.methods.compliance.questions import Question
from cbec.methods.compliance.rules import DEFINITIONS

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.rules import Rule

QUARTERS = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))


@dataclass(frozen=True)
class Range:
    """Low (25th percentile), median and high (75th percentile) of comparable results."""

    low: Decimal
    median: Decimal
    high: Decimal


def quartiles(results: Sequence[Decimal], definition: str) -> Range:
    """The interquartile range of results by one of the `DEFINITIONS`.

    Raises UsageFault where there are too few results for the definition (`exclusive` needs three).
    """
    if definition not in DEFINITIONS:
        raise UsageFault(f'"{definition}" is no definition of quartiles; there are {", ".join(DEFINITIONS)}')
    ordered = sorted(results)
    least = 3 if definition == "exclusive" else 1
    if len(ordered) < least:
        raise UsageFault(f"the {definition} quartiles of {len(ordered)} results are not defined; {least} are needed")
    return Range(*(_PERCENTILES[definition](ordered, quarter) for quarter in QUARTERS))


def _cumulative(ordered: Sequence[Decimal], share: Fraction) -> Decimal:
    """The lowest result with at least that share of all at or below it; with exactly that share, its mean with the next.

    26 CFR 1.482-1(e)(2)(iii)(C).
    """
    rank = share * len(ordered)
    if rank.denominator == 1:
        return (ordered[int(rank) - 1] + ordered[int(rank)]) / 2
    return ordered[math.ceil(rank) - 1]


def _interpolated(position: Callable[[int, Fraction], Fraction]) -> Callable[[Sequence[Decimal], Fraction], Decimal]:
    """Linear interpolation at a position counted from 1, kept within the results."""

    def percentile(ordered: Sequence[Decimal], share: Fraction) -> Decimal:
        place = min(max(position(len(ordered), share), Fraction(1)), Fraction(len(ordered)))
        below = math.floor(place)
        rest = place - below
        low, high = ordered[below - 1], ordered[min(below, len(ordered) - 1)]
        return low + (high - low) * rest.numerator / rest.denominator

    return percentile


_PERCENTILES: dict[str, Callable[[Sequence[Decimal], Fraction], Decimal]] = {
    "cumulative": _cumulative,
    "hazen": _interpolated(lambda n, share: share * n + Fraction(1, 2)),
    "inclusive": _interpolated(lambda n, share: share * (n - 1) + 1),
    "exclusive": _interpolated(lambda n, share: share * (n + 1)),
}


def adjustment(span: Range, tested: Decimal) -> Decimal:
    """What is added to a result outside the range to bring it to the median; 0 within (ends included)."""
    return Decimal(0) if span.low <= tested <= span.high else span.median - tested


def of_year(span: tuple[Decimal, Decimal], average: Decimal, result: Decimal, median: Decimal, years: int) -> Decimal:
    """Adjustment of one year's result to the median of that year, where the average of several years is outside.

    span: the range of the comparables' averages; average: the tested party's; median: of the comparables' results of
    the year. Only as far as the average moves towards the range or to a point within it
    (26 CFR 1.482-1(f)(2)(iii)(D)).
    """
    low, high = span
    if low <= average <= high:
        return Decimal(0)
    wanted = median - result
    # The whole way to the far end of the range; what goes the other way is none.
    room = ((high if average < low else low) - average) * years
    return max(Decimal(0), min(wanted, room)) if average < low else min(Decimal(0), max(wanted, room))


def definition_of(country: str, day: date | None, book: Rulebook) -> Rule:
    """The rule of kind `range` of a country that holds on a day (None: the last known).

    Raises UsageFault where no pack has one.
    """
    for rule in (rule for pack in book.packs for rule in pack.of("range") if rule.country == country):
        start, end = rule.valid_from or date.min, rule.valid_to or date.max
        recorded = rule.recorded_from or start
        if (day is None or start <= day <= end) and (book.as_of is None or recorded <= book.as_of):
            return rule
    raise UsageFault(
        f"no rule pack tells how {country} defines the interquartile range{f' on {day}' if day else ''}",
        hint=f"name a definition: {', '.join(DEFINITIONS)}",
    )


def answer(given: Mapping[str, Any], book: Rulebook) -> Mapping[str, Any]:
    """The case of kind `range`; see docs/how-to/rules.md for what it is given and tells."""
    rules: list[str] = []
    definition = given.get("definition")
    if definition is None:
        rule = definition_of(given.get("country") or "US", given.get("date"), book)
        definition, rules = str(rule.definition), [rule.id]
    told: dict[str, Any] = {"rule_ids": rules, "definition": definition}
    if given.get("range") is not None:
        low, high = _ends(given["range"])
        span, median = (low, high), given.get("median")
    else:
        quarters = quartiles(_numbers(given.get("results"), "results"), definition)
        span, median = (quarters.low, quarters.high), quarters.median
        told["median"] = median
    told |= {"q1": span[0], "q3": span[1]}
    tested = given.get("tested")
    if tested is None:
        return told
    outside = not span[0] <= tested <= span[1]
    told["outside"] = outside
    if given.get("year_tested") is not None:
        center = given.get("year_median")
        if center is None:
            center = quartiles(_numbers(given.get("year_results"), "year_results"), definition).median
        told["adjustment"] = of_year(span, tested, given["year_tested"], center, given.get("years") or 3)
    elif not outside:
        told["adjustment"] = Decimal(0)
    elif median is not None:
        told["adjustment"] = median - tested
    return told


def _ends(span: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    if len(span) != 2 or span[0] > span[1]:
        raise UsageFault("range: give its low and its high end, in this order")
    return span[0], span[1]


def _numbers(results: Sequence[Decimal] | None, name: str) -> Sequence[Decimal]:
    if not results or any(result is None for result in results):
        raise UsageFault(f"{name}: give the comparables' results, one number each")
    return results


_LIST: list[Shape] = [Column("results", "decimal")]
QUESTION = Question(
    given={
        "results": _LIST,
        "range": _LIST,
        "year_results": _LIST,
        "definition": Column("definition", "text", one_of=DEFINITIONS),
        **columns(country="country", date="date", median="decimal", tested="decimal", year_tested="decimal"),
        **columns(year_median="decimal", years="int"),
    },
    told=columns(q1="decimal", median="decimal", q3="decimal", outside="bool", adjustment="decimal", definition="text"),
    answer=answer,
)
