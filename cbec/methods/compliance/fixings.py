"""Exchange rates of limits and duties in money: the last fixing at or before a line's day, as an exact integer."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.money import MAX_FIXING_AGE_DAYS, daily, rate_to, settled
from cbec.methods.compliance.codes import Words, gather, taken
from cbec.methods.compliance.exact import minor_digits

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

PER_UNIT = 1_000_000_000_000
"""Exchange rates are integers in 10^-12: a published rate of at most 6 decimals is exact."""
_EPOCH = date(1970, 1, 1)
_MONTH_DAYS = 30  # after its first day: as long as a monthly rate can hold


class Money:
    """The currencies of one file, as codes, and their rates to those of the packs."""

    def __init__(self, currency: pl.Series, fixings: Fixings, book: Rulebook) -> None:
        self._words, self._fixings = Words(currency), fixings
        digits = self._words.told(pl.int_range(self._words.size, eager=True)).alias("currency").to_frame()
        self._digits = digits.select(minor_digits().alias("digits"))["digits"]
        self._packs = [pack.id for pack in book.packs]
        self._to = [(pack.currency if pack.own_money else None, pack.other_currency) for pack in book.packs]
        self._pairs: dict[int, tuple[int, int]] = {}

    @property
    def size(self) -> int:
        """How many codes there are."""
        return self._words.size

    def codes(self, currency: pl.Series) -> pl.Series:
        """The code of each line's currency."""
        return self._words.codes(currency)

    def digits(self, codes: pl.Series) -> pl.Series:
        """Decimals of the minor unit of each, as `exact.minor_digits` tells them."""
        if (self._digits == 2).all():
            return pl.Series("digits", [2], dtype=pl.Int64).new_from_index(0, len(codes))
        return taken(self._digits, codes)

    def fx(self, imports: pl.DataFrame, cells: pl.DataFrame) -> list[pl.Series]:
        """`fx` and `fx_other`: rates from each line's currency to its pack's and to that of the pack's other limits,
        at the line's day; null where pack or currency is not known, 1 where nothing is held against it. imports: `cell`, `money` (codes), `day`."""
        number = cells["pack"].replace_strict(self._packs, range(len(self._packs)), default=None, return_dtype=pl.Int64)
        none = self._words.size - 1
        known = imports.select(gather(number, "cell").alias("pack"), "money", "day").select(
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
    """Rates between the currencies of lines and of rules, as a table of pairs by days."""

    def __init__(self, rates: pl.DataFrame | None) -> None:
        self._rates = rates
        self._pairs: dict[tuple[str, str], int] = {}
        self._settled = None if rates is None or rates.is_empty() else settled(rates)
        # From the first fixing until the last is too old or its month is over; on other days there is no rate.
        self._first, self._days = 0, 0
        if self._settled is not None:
            days = self._settled[0]["date"].to_physical()
            self._first = int(str(days.min()))
            self._days = int(str(days.max())) - self._first + max(MAX_FIXING_AGE_DAYS, _MONTH_DAYS) + 1
        # Money of the same currency needs no day: place 0. Each pair looked up so far has `_days` places from `_starts`.
        self._values = pl.Series("fx", [PER_UNIT], dtype=pl.Int64)
        self._starts: list[int | None] = []

    def pair(self, base: str, quote: str) -> int:
        """The number of a pair of currencies."""
        if (base, quote) not in self._pairs:
            self._pairs[base, quote] = len(self._pairs)
            self._starts.append(0 if base == quote else None)
        return self._pairs[base, quote]

    def of(self, pair: pl.Series, day: pl.Series) -> pl.Series:
        """Units of the quote per unit of the base, in 10^-12 (Int64, Int128 where one is too large), for each pair (number, null = none) and day.

        Raises what `core.money.rate_to` raises: InputRejected naming the first pair and day without a fixing.
        """
        asked = pl.DataFrame({"pair": pair.cast(pl.Int64), "day": day.to_physical().cast(pl.Int64) - self._first})
        fresh = [n for n, start in enumerate(self._starts) if start is None]
        if fresh:
            met = asked.select(pl.col("pair").filter(pl.col("day").is_not_null()).unique())["pair"]
            for number in sorted(set(met) & set(fresh)):
                self._look_up(number)
        starts = pl.Series(self._starts, dtype=pl.Int64)
        start = gather(starts, "pair") if len(starts) else pl.lit(None, pl.Int64)
        inside = pl.col("day").is_between(0, self._days - 1)
        place = pl.when(pl.col("start") == 0).then(0).when(inside).then(pl.col("start") + pl.col("day"))
        places = asked.select("day", start.alias("start")).select(place.alias("place"))["place"]
        found = self._values.gather(places)
        if found.null_count():
            self._refuse(pair, day, found)
        return found.alias("fx")

    def _look_up(self, number: int) -> None:
        """The rates of a pair on all days."""
        base, quote = list(self._pairs)[number]
        if self._settled is None:
            self._starts[number] = 1
            return
        first = _EPOCH + timedelta(days=self._first)
        rate = daily(base, quote, *self._settled, first, first + timedelta(days=self._days - 1))
        told = rate.to_frame("fx").select((pl.col("fx") * PER_UNIT).round().cast(pl.Int128))["fx"]
        self._starts[number] = len(self._values)
        small = self._values.dtype == pl.Int64 and (told.is_null().all() or int(str(told.max())) < 2**63)
        kind = pl.Int64 if small else pl.Int128
        self._values = pl.concat([self._values.cast(kind), told.cast(kind)], rechunk=True)

    def _refuse(self, pair: pl.Series, day: pl.Series, found: pl.Series) -> None:
        """Raise for the first pair, and its first day, without a rate; a line without pair or day has none."""
        asked = pl.DataFrame({"pair": pair.cast(pl.Int64), "date": day}).filter(found.is_null()).drop_nulls()
        for number, rows in sorted(asked.partition_by("pair", as_dict=True).items()):
            base, quote = list(self._pairs)[int(number[0])]
            rate_to(rows.select(pl.lit(base).alias("currency"), "date"), "currency", "date", self._rates, quote)
