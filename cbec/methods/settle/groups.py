"""One settlement paid by several bank lines (split), several settlements paid by one line (merge).

Subset sums, exact in whole numbers, within bounds: at most `most` parts out of at most WIDTH candidates that fit best.
All sums are collected, then taken best first; a settlement or line with a second sum that fits is ambiguous.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from cbec.methods.settle.evidence import LAG_LEAST, PART, WHOLE, Learnt, measured, probability

if TYPE_CHECKING:
    from cbec.methods.settle.assign import Taken
    from cbec.methods.settle.candidates import Window

WIDTH = 12
DECOYS = (370, -530, 890, -1170)
"""Thousandths added to the sum looked for, in hundreds of them where amounts are whole: sums that nobody paid."""
EACH = 1.0  # less for every part beyond two: more parts, more chance sums
LARGEST = 4_000_000
"""Pairs looked at. Beyond it only lines whose payer fits are tried; where these are too many as well, none."""


class Group(NamedTuple):
    """A match of several lines. gap: sum of settlements less sum of bank lines (a fee), thousandths."""

    kind: str
    s: tuple[int, ...]
    b: tuple[int, ...]
    gap: int
    odds: float
    ambiguous: bool

    @property
    def score(self) -> float:
        """Chance that it is right."""
        return probability(self.odds)


def subset_sums(values: Sequence[int], targets: Sequence[int], most: int) -> list[tuple[int, tuple[int, ...]]]:
    """Every subset of 2..most values (6 at most) that adds up to one of the targets: (which target, places), small first.

    Halves of up to three values are added up once and looked up (Horowitz and Sahni, 1974). The left half is the part
    with the lower places, so that each subset is met once.
    """
    halves = {
        size: [(places, sum(values[i] for i in places)) for places in combinations(range(len(values)), size)]
        for size in range(1, (most + 1) // 2 + 1)
    }
    found: list[tuple[int, tuple[int, ...]]] = []
    ends: dict[int, dict[int, list[tuple[int, ...]]]] = {}
    for size in range(2, min(most, len(values)) + 1):
        left, right = size // 2, size - size // 2
        if right not in ends:
            ends[right] = defaultdict(list)
            for places, total in halves[right]:
                ends[right][total].append(places)
        table = ends[right]
        for which, target in enumerate(targets):
            for places, total in halves[left]:
                rests = table.get(target - total, ())
                found.extend((which, places + rest) for rest in rests if places[-1] < rest[0])
    return found


def find(
    payouts: pl.DataFrame,
    bank: pl.DataFrame,
    refs: pl.DataFrame,
    learnt: Learnt,
    window: Window,
    most: int,
    taken: Taken,
) -> tuple[list[Group], bool]:
    """Splits and merges among the free settlements and lines; `taken` grows by them. False: too many to be searched."""
    pairs = _pairs(payouts, bank, refs, learnt, window, taken)
    if pairs is None:
        return [], False
    sums: list[Group] = []
    for search in (_splits, _merges):
        real, decoys = search(pairs, most, learnt)
        odds = measured(len({group.s if group.kind == "split" else group.b for group in real}), decoys)
        sums += [group._replace(odds=round(group.odds + odds, 6)) for group in real]
    many: dict[tuple[str, int], int] = defaultdict(int)
    for group in sums:
        side, numbers = ("s", group.s) if group.kind == "split" else ("b", group.b)
        many[side, numbers[0]] += 1
    chosen = []
    for group in sorted(sums, key=lambda g: (-g.odds, g.s, g.b)):
        if taken.s.isdisjoint(group.s) and taken.b.isdisjoint(group.b):
            taken.s.update(group.s)
            taken.b.update(group.b)
            side, numbers = ("s", group.s) if group.kind == "split" else ("b", group.b)
            chosen.append(group._replace(ambiguous=many[side, numbers[0]] > 1))
    return chosen, True


def _pairs(
    payouts: pl.DataFrame, bank: pl.DataFrame, refs: pl.DataFrame, learnt: Learnt, window: Window, taken: Taken
) -> pl.DataFrame | None:
    """Free settlements and lines of one currency within the window, with what speaks for each pair."""
    left = payouts.filter(
        pl.col("expected") > 0, ~pl.col("s").is_in(pl.Series(sorted(taken.s), dtype=pl.Int64).implode())
    )
    right = bank.filter(
        pl.col("received") > 0,
        pl.col("copy") == 0,
        ~pl.col("b").is_in(pl.Series(sorted(taken.b), dtype=pl.Int64).implode()),
    )
    left = left.with_columns(block=window.blocks).explode("block")
    right = right.with_columns(block=window.block)
    if _size(left, right) > LARGEST:
        known = learnt.text.group_by("pattern").agg(pl.col("text").max()).filter(pl.col("text") > 1.0)
        right = right.join(known.select("pattern"), on="pattern", how="semi")
        if _size(left, right) > LARGEST:
            return None
    found = left.select("s", "currency", "block", "day", "expected", "brand").join(
        right.select("b", "currency", "block", "received", "pattern", booked="day"), on=["currency", "block"]
    )
    lag = (pl.col("booked") - pl.col("day")).dt.total_days().cast(pl.Int64)
    found = found.with_columns(lag=lag).filter(pl.col("lag").is_between(-window.early, window.late))
    named = refs.select("b").unique().with_columns(speaks=pl.lit(True))
    found = (
        found.join(learnt.text, on=["brand", "pattern"], how="left")
        .join(learnt.lag, on="lag", how="left")
        .join(refs, on=["s", "b"], how="left")
        .join(named, on="b", how="left")
    )
    number = pl.when(pl.col("ref") == 2).then(WHOLE).when(pl.col("ref") == 1).then(PART).otherwise(0.0)
    fits = pl.col("text").fill_null(0.0) + pl.col("delay").fill_null(LAG_LEAST) + number
    # A line that names a settlement pays no other, unless it names several.
    silent = pl.col("speaks").is_null() | pl.col("ref").is_not_null()
    found = found.filter(silent & ((pl.col("text").fill_null(0.0) > -1.0) | pl.col("ref").is_not_null()))
    return found.with_columns(fits=fits.round(6)).sort("s", "b")


def _size(left: pl.DataFrame, right: pl.DataFrame) -> float:
    key = ["currency", "block"]
    both = left.group_by(key).len("n").join(right.group_by(key).len("m"), on=key)
    return float((both["n"].cast(pl.Float64) * both["m"]).sum())


def _splits(pairs: pl.DataFrame, most: int, _: Learnt) -> tuple[list[Group], int]:
    """Sums of lines, and how many decoys were met. Parts of one settlement come from one payer: the same words."""
    small = pairs.filter(pl.col("received") < pl.col("expected")).sort(
        ["s", "pattern", "fits", "lag", "b"], descending=[False, False, True, False, False]
    )
    small = small.group_by("s", "pattern", maintain_order=True).head(WIDTH)
    lists = small.group_by("s", "pattern", "expected", maintain_order=True).agg("b", "received", "fits")
    found, decoys = [], 0
    for s, _pattern, expected, numbers, values, fits in lists.filter(pl.col("b").list.len() > 1).iter_rows():
        for which, places in subset_sums(values, _with_decoys(expected), most):
            if which:
                decoys += 1
                continue
            odds = sum(fits[i] for i in places) / len(places) - EACH * (len(places) - 2)
            found.append(Group("split", (s,), tuple(sorted(numbers[i] for i in places)), 0, odds, False))
    return found, decoys


def _merges(pairs: pl.DataFrame, most: int, learnt: Learnt) -> tuple[list[Group], int]:
    """Settlements that one line pays together, exactly or less a fee that was seen in this currency; and decoys met."""
    fees: dict[str, list[int]] = defaultdict(list)
    for currency, gap in learnt.fees.iter_rows():
        fees[currency].append(gap)
    small = pairs.sort(["b", "fits", "lag", "s"], descending=[False, True, False, False])
    small = small.filter(pl.col("expected") < pl.col("received")).group_by("b", maintain_order=True).head(WIDTH)
    lists = small.group_by("b", "received", "currency", maintain_order=True).agg("s", "expected", "fits")
    found, decoys = [], 0
    for b, received, currency, numbers, values, fits in lists.filter(pl.col("s").list.len() > 1).iter_rows():
        gaps = (0, *fees[currency][:8])
        targets = [target + gap for target in _with_decoys(received) for gap in gaps]
        for which, places in subset_sums(values, targets, most):
            if which >= len(gaps):
                decoys += 1
                continue
            gap = gaps[which]
            odds = sum(fits[i] for i in places) / len(places) - EACH * (len(places) - 2 + (gap > 0))
            found.append(Group("merge", tuple(sorted(numbers[i] for i in places)), (b,), gap, odds, False))
    return found, decoys


def _with_decoys(amount: int) -> list[int]:
    """The amount, and decoys of it that are as whole as itself."""
    return [amount, *(amount + shift * (100 if amount % 1000 == 0 else 1) for shift in DECOYS)]
