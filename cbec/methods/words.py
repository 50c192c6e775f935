"""How rows and messages are told: the reason of a row, a few names of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core.words import of

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Names that a message gives; the table has them all.
NAMED = 3


def reason_code(codes: Sequence[tuple[pl.Expr, str]], otherwise: str) -> pl.Expr:
    """The column reason_code: the code of the first condition that holds."""
    chain = pl.lit(otherwise)
    for condition, code in reversed(codes):
        chain = pl.when(condition).then(pl.lit(code)).otherwise(chain)
    return chain.alias("reason_code")


def some(names: Sequence[str], most: int = NAMED) -> str:
    """The first of the names: A, B, C ..."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def skus(names: Sequence[str]) -> str:
    """SKU A, or 7 SKUs (A, B, C ...)."""
    return f"SKU {names[0]}" if len(names) == 1 else f"{of(len(names), 'SKU')} ({some(names)})"
