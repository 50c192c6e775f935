"""From scored pairs to matches: the best first, no line twice, the same whatever the order of rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import polars as pl

MARGIN = 2.0
"""A free rival within this many log odds makes a match ambiguous."""


@dataclass
class Taken:
    """Settlements and bank lines that belong to a match."""

    s: set[int] = field(default_factory=set)
    b: set[int] = field(default_factory=set)

    def free(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Pairs whose both sides are free."""
        return pairs.filter(
            ~pl.col("s").is_in(pl.Series(sorted(self.s), dtype=pl.Int64).implode()),
            ~pl.col("b").is_in(pl.Series(sorted(self.b), dtype=pl.Int64).implode()),
        )


def greedy(pairs: pl.DataFrame, taken: Taken) -> pl.DataFrame:
    """The pairs that are chosen when the best goes first, then the best of what is left; `taken` grows by them.

    Equal odds: the shorter delay, then the numbers of both sides decide. Adds `ambiguous`: another pair of one of the
    two sides is nearly as good, and its other side stays free.
    """
    ranked = pairs.with_columns(wait=pl.col("lag").abs()).sort(
        ["odds", "wait", "s", "b"], descending=[True, False, False, False]
    )
    chosen: list[int] = []
    for place, (s, b) in enumerate(ranked.select("s", "b").iter_rows()):
        if s not in taken.s and b not in taken.b:
            taken.s.add(s)
            taken.b.add(b)
            chosen.append(place)
    won = ranked[chosen].drop("wait")
    return won.join(_rivals(won, pairs, taken), on="s", how="left").with_columns(
        ambiguous=pl.col("ambiguous").fill_null(False)
    )


def _rivals(won: pl.DataFrame, pairs: pl.DataFrame, taken: Taken) -> pl.DataFrame:
    """s of the chosen pairs that have a free rival within MARGIN."""
    mine = won.select("s", "b", own="odds")
    free_s, free_b = _free(pairs, "s", taken.s), _free(pairs, "b", taken.b)
    other_bank = free_b.join(mine, on="s", suffix="_won").filter(pl.col("odds") >= pl.col("own") - MARGIN)
    other_payout = free_s.join(mine, on="b", suffix="_won").filter(pl.col("odds") >= pl.col("own") - MARGIN)
    rivalled = pl.concat([other_bank.select("s"), other_payout.select(s="s_won")]).unique()
    return rivalled.with_columns(ambiguous=pl.lit(True))


def _free(pairs: pl.DataFrame, side: str, taken: Collection[int]) -> pl.DataFrame:
    return pairs.filter(~pl.col(side).is_in(pl.Series(sorted(taken), dtype=pl.Int64).implode()))
