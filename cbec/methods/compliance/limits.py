"""Consignments held against the limits of their pack, all packs together, in integer arrays.

A value and its bound are compared in minor units of the line's currency times the exchange rate to the limit's, so that
nothing is divided and nothing rounded twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl

from cbec.methods.compliance.chain import ABOVE, CIRCULAR, NO_SALE, UNKNOWN, WITHIN
from cbec.methods.compliance.exact import CENTS, PERCENT, at_least, wide
from cbec.methods.compliance.fixings import PER_UNIT
from cbec.methods.compliance.intervals import MICRO

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

    Array: TypeAlias = np.ndarray[Any, Any]

STATES = 6
"""States of a consignment against one limit: those of `chain`, and none."""
NO_STATE = STATES - 1
SCALED = CENTS * PER_UNIT // MICRO
"""Minor units times an exchange rate over this are millionths of the rule's currency."""
SAFE = 2**62
"""Sums and products of integers below this are taken in 64 bits, others in Python's own integers."""
HIGH, ORPHAN, GAP = 2, 4, 8
_STATE = np.array([[ABOVE, WITHIN, CIRCULAR, WITHIN], [ABOVE, NO_SALE, CIRCULAR, NO_SALE]]).ravel()
STATE = np.concatenate([_STATE, np.full(GAP, UNKNOWN)])
"""State by what is found: 1 within by the low value, HIGH by the high one, ORPHAN, GAP."""


def stateless(slots: int) -> int:
    """The states of a line whose consignment is held against no limit, as one integer of base `STATES`."""
    return sum(NO_STATE * STATES**slot for slot in range(slots))


class Limits:
    """The limits of the packs of a run, with the bounds of its cells as they are met."""

    def __init__(self, book: Rulebook) -> None:
        self._slots = book.slots
        rows = book.limits.select("pack", "slot", "inclusive", "per", "base", "own").rows()
        self._kinds = list(dict.fromkeys((per, base, own) for *_, per, base, own in rows))
        self._packs = {pack.id: n for n, pack in enumerate(book.packs)}
        # By pack (the last row: none) and slot: which kind of limit, -1 for none.
        self._of_pack = np.full((len(book.packs) + 1, max(book.slots, 1)), -1)
        # half_up(value, SCALED) <= bound, without a division, is value < SCALED bound + SCALED / 2; strictly within: less
        # SCALED / 2.
        self._half: dict[tuple[str, int], int] = {}
        for pack, slot, inclusive, *kind in rows:
            self._of_pack[self._packs[pack], slot] = self._kinds.index(tuple(kind))
            self._half[pack, slot] = SCALED // 2 if inclusive else -SCALED // 2
        self._pack = np.empty(0, dtype=np.int64)
        self._kind = np.empty((0, max(book.slots, 1)), dtype=np.int64)
        self._edges: list[Array] = [np.empty(0, dtype=np.int64) for _ in range(book.slots)]

    def _grow(self, cells: pl.DataFrame) -> None:
        """Adds the bounds of the cells that were met since."""
        fresh = cells[len(self._pack) :]
        if fresh.is_empty():
            return
        none = len(self._packs)
        pack = np.array([self._packs.get(pack, none) for pack in fresh["pack"]], dtype=np.int64)
        kind = self._of_pack[pack]
        for slot in range(self._slots):
            bounds = fresh.select("pack", f"bound{slot}").rows()
            edges = [0 if bound is None else bound * SCALED + self._half[pack, slot] for pack, bound in bounds]
            kind[fresh[f"bound{slot}"].is_null().to_numpy(), slot] = -1
            self._edges[slot] = np.concatenate([self._edges[slot], _integers(edges)])
        self._pack = np.concatenate([self._pack, pack])
        self._kind = np.concatenate([self._kind, kind])

    def states(self, imports: pl.DataFrame, cells: pl.DataFrame) -> pl.Series:
        """The states (`chain`) of each line's consignment against the limits of its pack, as one integer (of base `STATES`).

        imports: from `consignments.grouped` and `values`, with `cell` (of `cells`, from `decisions`), `sign`, `fx` (to the pack's
        currency) and `fx_other` (to that of its other limits), `digits`, `pieces`, `share`, `telling` (the scheme tells
        that the sale was within), `year` (value of the buyer's year in millionths of the pack's currency). Above the limit
        by the low value and within it by the high one is a price that contradicts itself.
        """
        self._grow(cells)
        cell = imports["cell"].cast(pl.Int64).to_numpy()
        pack = self._pack[cell]
        met = np.bincount(cell, minlength=len(self._pack)) > 0
        code = np.full(len(cell), stateless(self._slots))
        for number, (per, base, own) in enumerate(self._kinds):
            if not (self._kind[met] == number).any():
                continue
            asked = (self._of_pack == number).any(axis=1)
            rows = np.flatnonzero(asked[pack])
            mine = imports if len(rows) == len(cell) else imports.select(_needed(per, base, own))[rows]
            if per == "consignment":
                turned = _turned(mine["group"].to_numpy(), pack[rows])
                if turned is not None:
                    rows, mine = rows[turned], mine[turned]
                found = self._consignments(number, mine, pack[rows], base, own)
            elif per == "item":
                found = {slot: _items(mine, edge, base, own) for slot, edge in self._bounds(number, mine)}
            else:
                found = {slot: _years(mine, edge) for slot, edge in self._bounds(number, mine)}
            of_rows = cell[rows]
            for slot, state in found.items():
                # What a state adds to the code of no state at all; nothing where the cell has no such limit.
                weight = (self._kind[:, slot] == number) * STATES**slot
                code[rows] += (state - NO_STATE) * weight[of_rows]
        return pl.Series("state", code)

    def _bounds(self, kind: int, imports: pl.DataFrame) -> list[tuple[int, pl.Series]]:
        """The slots of a kind of limit, with each line's edge."""
        cell = imports["cell"].cast(pl.Int64).to_numpy()
        return [(slot, _series(self._edges[slot]).cast(pl.Int128).gather(cell)) for slot in self._slots_of(kind)]

    def _slots_of(self, kind: int) -> list[int]:
        """The slots in which any pack has this kind of limit."""
        return [int(slot) for slot in np.flatnonzero((self._of_pack == kind).any(axis=0))]

    def _consignments(self, kind: int, imports: pl.DataFrame, pack: Array, base: str, own: bool) -> dict[int, Array]:
        """The states of each line against each slot of a kind of limit per consignment.

        imports: lines of one consignment together.
        """
        cell, group = imports["cell"].cast(pl.Int64).to_numpy(), imports["group"].to_numpy()
        begins = np.ones(len(group), dtype=bool)
        begins[1:] = (group[1:] != group[:-1]) | (pack[1:] != pack[:-1])
        starts = np.flatnonzero(begins)
        sizes = np.diff(starts, append=len(group))

        slots = self._slots_of(kind)
        used = {slot: self._kind[:, slot] == kind for slot in slots}
        highest = max((int(self._edges[slot][used[slot]].max(initial=0)) for slot in slots), default=0)
        sale = imports["sign"].to_numpy() > 0
        flags = np.zeros(len(starts), dtype=np.int64)
        counted: Array | None = None
        if not sale.all():
            has_sale = np.logical_or.reduceat(sale, starts)
            counted = sale | ~np.repeat(has_sale, sizes)
        totals = []
        for which in ("low", "high"):
            worth, known = _worth(imports, which, base, own, highest)
            if known is not None:
                gaps = ~known if counted is None else ~known & counted
                flags |= np.where(np.logical_or.reduceat(gaps, starts), GAP, 0)
            worth = worth if counted is None else np.where(counted, worth, 0)
            totals.append(_summed(worth, starts, int(sizes.max())))
        low, high = (np.repeat(total, sizes) for total in totals)
        found = np.repeat(flags, sizes)
        if counted is not None and not has_sale.all():
            orphan = ~np.repeat(has_sale, sizes) & ~imports["telling"].fill_null(True).to_numpy()
            found += np.where(orphan, ORPHAN, 0)
        states: dict[int, Array] = {}
        reckoned: list[int] = []
        for slot in slots:
            # Limits of several rules are often one: the same bound of the same value.
            same = next((s for s in reckoned if self._alike(s, slot, kind)), None)
            if same is not None:
                states[slot] = states[same]
                continue
            reckoned.append(slot)
            edge = self._edges[slot][cell]
            states[slot] = STATE[found + (low < edge) + HIGH * (high < edge)]
        return states

    def _alike(self, one: int, other: int, kind: int) -> bool:
        used = self._kind[:, other] == kind
        return np.array_equal(self._edges[one][used], self._edges[other][used])


def _needed(per: str, base: str, own: bool) -> list[str]:
    """The columns of imported lines that a kind of limit asks for."""
    if per == "year":
        return ["cell", "year"]
    of = ["pieces"] if per == "item" else ["group", "sign", "telling"]
    if base == "pieces":
        return ["cell", *of, "pieces"]
    worth = ["low_value", "high_value"] if base == "value" else ["low_goods", "high_goods"]
    return ["cell", *of, *worth, "digits", "fx" if own else "fx_other", *(["share"] if base == "customs" else [])]


def _integers(values: list[int]) -> Array:
    """An array of 64 bits, or of Python's own integers where those are too few."""
    return np.array(values, dtype=np.int64 if max(map(abs, values), default=0) < SAFE else object)


def _series(values: Array) -> pl.Series:
    return pl.Series(values.tolist(), dtype=pl.Int128) if values.dtype == object else pl.Series(values)


def _turned(group: Array, pack: Array) -> Array | None:
    """The order in which lines of one consignment and pack stand together; None = as they are."""
    turns = (group[1:] == group[:-1]) & (pack[1:] != pack[:-1])
    return np.lexsort((pack, group)) if turns.any() else None


def _wide(column: pl.Series) -> Array:
    """A column without nulls as Python's own integers."""
    return np.array(column.to_list(), dtype=object)


def _column(column: pl.Series) -> tuple[Array, Array | None]:
    """A column as integers, and which of them are known (None = all); 0 for the others."""
    known = None if not column.null_count() else column.is_not_null().to_numpy()
    filled = column if known is None else column.fill_null(0)
    return _wide(filled) if filled.dtype == pl.Int128 else filled.to_numpy(), known


def _amount(imports: pl.DataFrame, which: str, base: str) -> tuple[Array, Array | None]:
    """What a limit of this base counts of each line, in minor units, or in millionths of a piece."""
    if base == "pieces":
        return _column(imports["pieces"])
    amount, known = _column(imports[f"{which}_{'value' if base == 'value' else 'goods'}"])
    if base == "customs":
        # Rounded up: a part of a yen above the limit is above it (16 667 x 60 %).
        share = imports["share"].fill_null(PERCENT).to_numpy()
        if _most(amount) * _most(share) >= SAFE:
            amount = amount.astype(object)
        amount = (amount * share + PERCENT - 1) // PERCENT
    return amount, known


def _rate(imports: pl.DataFrame, base: str, own: bool) -> tuple[Array, Array | None]:
    """The exchange rate of each line to the limit's currency, for amounts in minor units; what pieces are held by."""
    if base == "pieces":
        return np.full(imports.height, SCALED), None
    rate, known = _column(imports["fx" if own else "fx_other"])
    digits = imports["digits"]
    return rate if digits.min() == 2 else rate * np.where(digits.to_numpy() == 0, CENTS, 1), known


def _most(values: Array) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def _summed(values: Array, starts: Array, longest: int) -> Array:
    """Sums of runs of at most `longest` values >= 0; a sum from SAFE on is told as SAFE, which is above every edge of 64 bits."""
    if values.dtype == object:
        return np.add.reduceat(values, starts)
    ends = np.append(starts[1:], len(values)) - 1

    def sums(running: Array) -> Array:
        told: Array = running[ends]
        told[1:] -= running[ends[:-1]]
        return told

    # Running sums may go round at 64 bits: their differences are right all the same, for sums that do not.
    exact = sums(np.cumsum(values))
    if _most(values) * longest < SAFE:
        return exact
    near = sums(np.cumsum(values, dtype=np.float64))
    told: Array = np.where(near < SAFE * 1.5, np.minimum(exact, SAFE), SAFE)
    return told


def _worth(imports: pl.DataFrame, which: str, base: str, own: bool, highest: int) -> tuple[Array, Array | None]:
    """Value of each line times the rate to the limit's currency, and which are known (None = all; others are 0).

    What is above `highest` by itself need not be more than that.
    """
    values, told = _amount(imports, which, base)
    rates, found = _rate(imports, base, own)
    known = told if found is None else found if told is None else told & found
    rate = _most(rates)
    if highest + 2 * rate >= SAFE or object in (values.dtype, rates.dtype):
        worth = values.astype(object) * rates
    else:
        if _most(values) * rate >= SAFE:
            values = np.minimum(values, highest // np.maximum(rates, 1) + 2)
        worth = values * rates
    return worth if known is None else np.where(known, worth, 0), known


def _items(imports: pl.DataFrame, edge: pl.Series, base: str, own: bool) -> Array:
    """The states of limits per item: the price of one piece, compared without dividing by the quantity (in millionths)."""
    pieces = wide(at_least(pl.lit(imports["pieces"]), 1))
    bound = pl.lit(edge) * pieces
    flags = np.zeros(imports.height, dtype=np.int64)
    for which, flag in (("low", 1), ("high", HIGH)):
        values, told = _amount(imports, which, base)
        rates, found = _rate(imports, base, own)
        worth = wide(pl.lit(_series(values))) * pl.lit(_series(rates)) * MICRO
        flags += np.where(pl.select((worth < bound).alias("within"))["within"].to_numpy(), flag, 0)
        for known in (told, found):
            if known is not None:
                flags = np.where(known, flags, GAP)
    return STATE[np.minimum(flags, GAP)]


def _years(imports: pl.DataFrame, edge: pl.Series) -> Array:
    """The states of limits per year."""
    year = imports["year"]
    within = pl.select((wide(pl.lit(year)) * SCALED < pl.lit(edge)).fill_null(False).alias("w"))["w"].to_numpy()
    return STATE[np.where(year.is_null().to_numpy(), GAP, within * 1)]
