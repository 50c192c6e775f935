"""Words as small integers, and distinct combinations of them as numbers.

A file of millions of lines names few countries, currencies and schemes. Columns become integer codes, the codes of a
line one mixed-radix key, and each distinct key a number under which its facts are worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

WIDEST = 2**62
"""Keys stay below this, so that they fit 64 bits."""
DENSE = 2**23
"""Keys below this are looked up in a table, one step each."""
REASON = pl.Categorical()
"""Type of the columns of codes that lines bear (reasons, what they are about, ids of rules): compared and chosen between as
numbers, in a quarter of the memory of words."""
MANY = 2**26
"""More distinct combinations than this are not counted with."""
SLOTS, SEEDS = 2**18, 16
"""Words are told apart by that many places at most; seeds that are tried for a hash without two words in one place."""


def reason(code: str) -> pl.Expr:
    """A reason code as a value of such a column."""
    return pl.lit(code, REASON)


class Words:
    """The distinct words of columns in order; the code of an empty cell is the last one, `size - 1`."""

    def __init__(self, *columns: pl.Series, known: Sequence[str] = ()) -> None:
        found = [column.unique().cast(pl.String) for column in columns if column.null_count() < len(column)]
        words = pl.concat([*found, pl.Series([*known], dtype=pl.String)]).drop_nulls().unique().sort()
        self.words = words.alias("word")
        self.size = len(words) + 1
        self._enum = pl.Enum(words)
        self._seed, self._slots = _slots(self.words)

    def codes(self, column: pl.Series) -> pl.Series:
        """Code of each cell, Int64. Raises KeyError for a word that is none of these."""
        none = self.size - 1
        if none == 0 or column.null_count() == len(column):
            return pl.Series(column.name, [none], dtype=pl.Int64).new_from_index(0, len(column))
        if self._slots is None:
            return column.cast(self._enum).to_physical().cast(pl.Int64).fill_null(none)
        found = self._slots.take(hashed(column, len(self._slots), self._seed))
        if found.min() < 0:
            raise KeyError(f"{column.name}: a word that was not there when the words were collected")
        return pl.Series(column.name, found)

    def told(self, codes: pl.Series) -> pl.Series:
        """The words of codes; null for the last code."""
        return pl.concat([self.words, pl.Series("word", [None], dtype=pl.String)]).gather(codes)


def hashed(column: pl.Series, size: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """A place from 0 to `size` (a power of 2) for each cell, the same for the same words: several times faster than a look-up."""
    return (column.hash(seed).to_numpy() & np.uint64(size - 1)).view(np.int64)


def _slots(words: pl.Series) -> tuple[int, np.ndarray[Any, Any] | None]:
    """A seed with which words, and the empty cell, all have places of their own, and the code in each place (-1: no
    word's); None where there are too many words for that."""
    every = pl.concat([words, pl.Series([None], dtype=pl.String)])
    size = max(1 << 2 * len(every).bit_length(), 4096)
    if size <= SLOTS:
        for seed in range(SEEDS):
            at = hashed(every, size, seed)
            if len(np.unique(at)) == len(every):
                codes = np.full(size, -1)
                codes[at] = np.arange(len(every))
                return seed, codes
    return 0, None


def taken(table: pl.Series, at: pl.Series) -> pl.Series:
    """The values of a column without gaps at places without gaps; three times faster than `gather`."""
    return pl.Series(table.name, table.to_numpy().take(at.to_numpy()))


def places(mask: pl.Series) -> pl.Series:
    """The rows in which a mask is true; five times faster than `arg_true`."""
    told = mask.fill_null(False) if mask.null_count() else mask
    return pl.Series("row", np.flatnonzero(told.to_numpy()).astype(np.uint32))


def among(numbers: np.ndarray[Any, Any], some: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The rows whose number is one of `some`; numbers are small and >= 0, so that a table of flags tells it, faster than a join."""
    there = np.zeros(int(numbers.max()) + 1, dtype=bool)
    there[some] = True
    return np.flatnonzero(there[numbers])


def gather(column: pl.Series, at: str) -> pl.Expr:
    """The values of a column at the places that another one numbers."""
    return pl.lit(column).gather(pl.col(at))


def gathered(table: pl.DataFrame, at: str, *columns: str) -> list[pl.Expr]:
    """Columns of a small table at the rows that a column numbers; those that are empty throughout cost nothing."""
    return [
        (pl.lit(None, table.schema[c]) if table[c].null_count() == table.height else gather(table[c], at)).alias(c)
        for c in columns
    ]


def scattered(name: str, height: int, rows: pl.Series, values: pl.Series) -> pl.Series:
    """A column with values in some rows, null elsewhere."""
    return pl.select(pl.lit(None, values.dtype).alias(name)).to_series().new_from_index(0, height).scatter(rows, values)


def marked(problem: pl.Series, rows: pl.Series, code: str) -> pl.Series:
    """The column of reason codes with this one in some rows."""
    return problem.scatter(rows, pl.Series([code], dtype=REASON).new_from_index(0, len(rows)))


class Register:
    """Distinct integer keys >= 0, numbered as they are met: small keys by a table, others by a join."""

    def __init__(self) -> None:
        self._small = np.full(1024, -1, dtype=np.int32)  # half the width lies in half the cache
        self._large = pl.DataFrame(schema={"key": pl.Int64, "number": pl.Int64})
        self._count = 0

    def number(self, keys: pl.Series | np.ndarray[Any, Any]) -> tuple[pl.Series, pl.Series]:
        """The number of each key, and the keys that were met for the first time (in the order of their numbers)."""
        cells = keys.to_numpy() if isinstance(keys, pl.Series) else keys
        most = int(cells.max()) if len(cells) else 0
        if most < DENSE:
            numbers, fresh = self._dense(cells, most)
            return pl.Series("number", numbers), pl.Series("key", fresh)
        at = np.flatnonzero(cells < DENSE)
        if not len(at):
            return self._sparse(pl.Series(cells))
        small, new = self._dense(cells[at], int(cells[at].max()))
        rest = np.flatnonzero(cells >= DENSE)
        large, newer = self._sparse(pl.Series(cells[rest]))
        numbers = np.empty(len(cells), dtype=np.int64)
        numbers[at], numbers[rest] = small, large.to_numpy()
        return pl.Series("number", numbers), pl.concat([pl.Series("key", new), newer.alias("key")])

    def _dense(self, cells: np.ndarray[Any, Any], most: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        if most >= len(self._small):
            more = np.full(most + 1 + most // 8 - len(self._small), -1, dtype=np.int32)
            self._small = np.concatenate([self._small, more])
        numbers = self._small.take(cells).astype(np.int64)
        if not len(numbers) or numbers.min() >= 0:
            return numbers, cells[:0]
        new = np.flatnonzero(numbers < 0)
        keys = cells[new]
        met = np.zeros(most + 1, dtype=bool)
        met[keys] = True
        fresh = np.flatnonzero(met)
        self._small[fresh] = np.arange(self._count, self._count + len(fresh))
        self._count += len(fresh)
        numbers[new] = self._small[keys]
        return numbers, fresh

    def _sparse(self, keys: pl.Series) -> tuple[pl.Series, pl.Series]:
        frame = keys.alias("key").to_frame()
        fresh = frame.unique().join(self._large, on="key", how="anti").sort("key")
        if fresh.height:
            first = pl.int_range(self._count, self._count + fresh.height, dtype=pl.Int64).alias("number")
            self._large = pl.concat([self._large, fresh.with_columns(first)])
            self._count += fresh.height
        numbers = frame.join(self._large, on="key", how="left", maintain_order="left")["number"]
        return numbers, fresh["key"]


class Pairs:
    """Numbers for pairs of codes (below 2^30) of which nobody knows how many there will be.

    `first` and `second`: the codes of each pair, by its number.
    """

    FAR, SHIFT = 2**61, 2**30

    def __init__(self, width: int = 64) -> None:
        """width: pairs whose second code is below this have small keys, which are looked up fastest: of the two codes the one that
        most lines share comes first, so that what they look up lies together."""
        self._width, self._register = width, Register()
        self.first, self.second = (pl.Series(name, [], dtype=pl.Int64) for name in ("first", "second"))

    def number(self, first: pl.Series, second: pl.Series) -> pl.Series:
        """The number of each pair."""
        one, two = first.to_numpy(), second.to_numpy()
        keys = one * self._width
        keys += two
        if len(two) and two.max() >= self._width:
            keys = np.where(two < self._width, keys, self.FAR + one * self.SHIFT + two)
        numbers, fresh = self._register.number(keys)
        if len(fresh):
            near = [divmod(key, self._width) if key < self.FAR else divmod(key - self.FAR, self.SHIFT) for key in fresh]
            self.first = pl.concat([self.first, pl.Series("first", [a for a, _ in near], dtype=pl.Int64)], rechunk=True)
            self.second = pl.concat(
                [self.second, pl.Series("second", [b for _, b in near], dtype=pl.Int64)], rechunk=True
            )
        return numbers


class Classes:
    """Combinations of codes, told apart only as far as what they mean differs; `table` has a row for each meaning.

    A file may hold very many combinations of words, of which rules tell few apart.
    """

    def __init__(self, sizes: dict[str, int], meaning: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        """meaning: from rows of codes (columns: `sizes`) to what rules see of them, row by row."""
        self._combinations, self._meaning = Combinations(sizes), meaning
        self._of = pl.Series("class", [], dtype=pl.Int64)
        self._known: dict[tuple[object, ...], int] = {}
        self.table = pl.DataFrame()

    def number(self, codes: pl.DataFrame) -> pl.Series:
        """The row of `table` that each row of codes means."""
        numbers, fresh = self._combinations.number(codes)
        if fresh.height:
            meant = self._meaning(fresh)
            before = len(self._known)
            of = [self._known.setdefault(row, len(self._known)) for row in meant.iter_rows()]
            self._of = pl.concat([self._of, pl.Series("class", of, dtype=pl.Int64)], rechunk=True)
            first = {n: i for i, n in reversed(list(enumerate(of))) if n >= before}
            told = meant[[first[n] for n in sorted(first)]]
            self.table = pl.concat([self.table, told], rechunk=True) if self.table.width else told
        return taken(self._of, numbers)


class Combinations:
    """Numbers for combinations of codes whose sizes are known, however large their product."""

    def __init__(self, sizes: dict[str, int]) -> None:
        self._sizes = sizes
        self._groups: list[list[str]] = [[]]
        product = 1
        for name, size in sizes.items():
            if product * size >= WIDEST:
                self._groups.append([])
                product = MANY
            self._groups[-1].append(name)
            product *= size
        self._registers = [Register() for _ in self._groups]
        self._parts: list[pl.DataFrame] = [pl.DataFrame() for _ in self._groups]

    def number(self, codes: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
        """The number of each row's combination, and the codes of the combinations met for the first time."""
        numbers: pl.Series | None = None
        fresh = pl.DataFrame()
        for i, group in enumerate(self._groups):
            # In place: there are more columns than memory is fast.
            key = np.zeros(codes.height, dtype=np.int64) if numbers is None else numbers.to_numpy().copy()
            for name in group:
                if self._sizes[name] > 1:
                    key *= self._sizes[name]
                    key += codes[name].to_numpy()
            numbers, new = self._registers[i].number(key)
            fresh = self._split(new, group, self._parts[i - 1] if i else None)
            self._parts[i] = pl.concat([self._parts[i], fresh]) if self._parts[i].width else fresh
        assert numbers is not None
        return numbers, fresh

    def _split(self, keys: pl.Series, group: list[str], before: pl.DataFrame | None) -> pl.DataFrame:
        rest, digits = keys.to_numpy(), {}
        for name in reversed(group):
            rest, digits[name] = np.divmod(rest, self._sizes[name])
        own = pl.DataFrame({name: digits[name] for name in group})
        return own if before is None else pl.concat([before[rest.tolist()], own], how="horizontal")


def runs(order_id: pl.Series) -> tuple[pl.Series, bool]:
    """Where a new order begins (Boolean per row), and whether the lines of every order stand together."""
    starts = (order_id != order_id.shift(1)).fill_null(True)
    heads = order_id.filter(starts)
    if heads.is_sorted() or heads.is_sorted(descending=True):
        return starts, True
    return starts, heads.n_unique() == len(heads)
