"""Minor units of currencies (ISO 4217): how many decimals an amount of money has, and amounts as whole numbers."""

from __future__ import annotations

import polars as pl

NONE = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
)  # fmt: skip
THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DIGITS = dict.fromkeys(NONE, 0) | dict.fromkeys(THREE, 3)


def digits_of(currency: str) -> int:
    """Decimals of one currency: 0, 2 or 3."""
    return _DIGITS.get(currency, 2)


def micro(amount: str | pl.Expr) -> pl.Expr:
    """An exact decimal column as a whole number of millionths (Int128)."""
    column = pl.col(amount) if isinstance(amount, str) else amount
    return column.cast(pl.Decimal(38, 6)).to_physical()


def unit(currency: str | pl.Expr = "currency") -> pl.Expr:
    """Millionths in one minor unit of the currency of each row: 10_000 for cents."""
    column = pl.col(currency) if isinstance(currency, str) else currency
    sizes = {code: 10 ** (6 - digits) for code, digits in _DIGITS.items()}
    return column.replace_strict(sizes, default=10_000, return_dtype=pl.Int64)
