"""Exchange rates of limits and duties in money: the last fixing at or before a line's day, as an exact integer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.money import rate_to
from cbec.methods.compliance.codes import Register, Words
from cbec.methods.compliance.exact import minor_digits

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

PER_UNIT = 1_000_000_000_000
"""Exchange rates are integers in 10^-12: a published rate of at most 6 decimals is exact."""
_DAYS = 4_000_000
_EPOCH = date(1970, 1, 1)


class Money:
    """The currencies of one file, as codes, and their rates to those of the packs."""

    def __init__(self, currency: pl.Series, fixings: Fixings, book: Rulebook) -> None:
        self._words, self._fixings = Words(currency), fixings
        digits = self._words.told(pl.int_range(self._words.size, eager=True)).alias("currency").to_frame()
        self._digits = digits.select(minor_digits().alias("digits"))["digits"]
        self._packs = [pack.id for pack in book.packs]
        self._to = [(pack.currency if pack.own_money else None, pack.other_currency) for pack in book.packs]
        self._pairs: dict[int, tuple[int, int]] = {}

    def codes(self, currency: pl.Series) -> pl.Series:
        """The code of each line's currency."""
        return self._words.codes(currency)

    def digits(self, codes: pl.Series) -> pl.Series:
        """Decimals of the minor unit of each, as `exact.minor_digits` tells them."""
        if (self._digits == 2).all():
            return pl.Series("digits", [2], dtype=pl.Int64).new_from_index(0, len(codes))
        return self._digits.gather(codes)

    def fx(self, imports: pl.DataFrame, cells: pl.DataFrame) -> list[pl.Series]:
        """`fx` and `fx_other`: rates from each line's currency to its pack's and to that of the pack's other limits,
        at the line's day; null where pack or currency is not known, 1 where nothing is held against it. imports: `cell`, `money` (codes), `day`."""
        number = cells["pack"].replace_strict(self._packs, range(len(self._packs)), default=None, return_dtype=pl.Int64)
        none = self._words.size - 1
        known = imports.select(pl.lit(number).gather(pl.col("cell")).alias("pack"), "money", "day").select(
            (pl.col("pack") * self._words.size + pl.when(pl.col("money") < none).then("money")).alias("way"), "day"
        )
        words = self._words.words.to_list()
        for way in known["way"].unique().drop_nulls().sort().to_list():
            if way not in self._pairs:
                base, (own, other) = words[way % self._words.size], self._to[way // self._words.size]
                self._pairs[way] = self._fixings.pair(base, own or base), self._fixings.pair(base, other)
        size = len(self._packs) * self._words.size
        own, other = (
            pl.Series([self._pairs[way][i] if way in self._pairs else None for way in range(size)], dtype=pl.Int64)
            for i in (0, 1)
        )
        fx = self._fixings.of(own.gather(known["way"]), known["day"])
        if own.equals(other, null_equal=True):
            return [fx.alias("fx"), fx.alias("fx_other")]
        return [fx.alias("fx"), self._fixings.of(other.gather(known["way"]), known["day"]).alias("fx_other")]


class Fixings:
    """Rates between the currencies of lines and of rules, looked up once per pair and day."""

    def __init__(self, rates: pl.DataFrame | None) -> None:
        self._rates = rates
        self._pairs: list[tuple[str, str]] = []
        self._register = Register()
        self._values = pl.Series("fx", [], dtype=pl.Int128)

    def pair(self, base: str, quote: str) -> int:
        """The number of a pair of currencies."""
        if (base, quote) not in self._pairs:
            self._pairs.append((base, quote))
        return self._pairs.index((base, quote))

    def of(self, pair: pl.Series, day: pl.Series) -> pl.Series:
        """Units of the quote per unit of the base, in 10^-12 (Int128), for each pair (number, null = none) and day.

        Raises what `core.money.rate_to` raises: InputRejected naming the first pair and day without a fixing.
        """
        same = pl.Series([base == quote for base, quote in self._pairs], dtype=pl.Boolean)
        days = day.to_physical().cast(pl.Int64)
        frame = pl.DataFrame({"pair": pair.cast(pl.Int64), "day": days})
        # Money of the same currency needs no day.
        plain = pl.lit(same).gather(pl.col("pair")) if len(same) else pl.lit(None, pl.Boolean)
        moved = pl.when(plain).then(0).otherwise(pl.col("day") + _DAYS // 2)
        keys = frame.select((pl.col("pair") * _DAYS + moved).alias("key"))["key"]
        known = keys.drop_nulls() if keys.null_count() else keys
        numbers, fresh = self._register.number(known)
        if len(fresh):
            self._values = pl.concat([self._values, self._looked_up(fresh)])
        found = self._values.gather(numbers)
        if not keys.null_count():
            return found.alias("fx")
        at = keys.is_not_null().arg_true()
        return pl.Series("fx", [None], dtype=pl.Int128).new_from_index(0, len(keys)).scatter(at, found)

    def _looked_up(self, keys: pl.Series) -> pl.Series:
        asked = pl.DataFrame({"pair": keys // _DAYS, "day": keys % _DAYS - _DAYS // 2}).with_row_index("n")
        parts = []
        for (number,), rows in asked.partition_by("pair", as_dict=True, maintain_order=True).items():
            base, quote = self._pairs[int(number)]
            if base == quote:
                parts.append(rows.select("n", pl.lit(PER_UNIT, pl.Int128).alias("fx")))
                continue
            days = [_EPOCH + timedelta(days=int(d)) for d in rows["day"].to_list()]
            frame = pl.DataFrame({"currency": [base] * rows.height, "date": days}, schema_overrides={"date": pl.Date})
            rate = rate_to(frame, "currency", "date", self._rates, quote)
            parts.append(rows.select("n", (rate * PER_UNIT).round().cast(pl.Int128).alias("fx")))
        return pl.concat(parts).sort("n")["fx"]
