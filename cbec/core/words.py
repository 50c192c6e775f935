"""Numbers of things in words."""

from __future__ import annotations


def of(count: int, noun: str) -> str:
    """`1 row`, `2 rows`, `1,200 series`."""
    return f"{count:,} {noun}" + ("" if count == 1 or noun.endswith("s") else "s")
