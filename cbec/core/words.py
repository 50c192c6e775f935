"""Numbers of things and periods in words."""

from __future__ import annotations

#: One period of each frequency.
PERIOD = {"H": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter", "Y": "year"}
SINGULAR = {"are": "is", "have": "has", "were": "was", "do": "does"}


def of(count: int, noun: str, verb: str = "") -> str:
    """`1 row`, `2 rows`, `1,200 series`; with a verb in its plural form `1 row is`, `2 rows are`."""
    told = f"{count:,} {noun}" + ("" if count == 1 or noun.endswith("s") else "s")
    if not verb:
        return told
    return f"{told} {verb if count != 1 else SINGULAR.get(verb, f'{verb}s')}"
