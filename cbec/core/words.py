"""Numbers of things and periods in words."""

from __future__ import annotations

#: One period of each frequency.
PERIOD = {"H": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter", "Y": "year"}
SINGULAR = {"are": "is", "have": "has", "were": "was", "do": "does", "go": "goes"}


def of(count: int, noun: str, verb: str = "") -> str:
    """`1 row`, `2 rows`, `3 countries`, `1,200 series`; with a verb in its plural form `1 row is`, `2 rows are`."""
    many = noun if noun.endswith("s") else f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    told = f"{count:,} {noun if count == 1 else many}"
    if not verb:
        return told
    return f"{told} {verb if count != 1 else SINGULAR.get(verb, f'{verb}s')}"
