"""Which rule holds: base rules, and exceptions that override the rules they name (Catala's default logic).

Rules are tried with every exception before what it overrides, so the first that holds is the one that counts.
Two rules that hold at once without one being an exception to the other are a mistake in the pack and are
reported, never resolved by their order in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault
from cbec.methods.compliance.intervals import known
from cbec.methods.compliance.rules import FACTS, GOODS, LIMITS, PLACES, Pack, Rule

WITHIN, ABOVE, CIRCULAR, UNKNOWN, NO_SALE = range(5)
"""States of a consignment against a limit. From CIRCULAR on the question has no answer."""


def overridden(rules: Sequence[Rule]) -> dict[str, set[str]]:
    """Rule id -> ids of all rules it overrides, through any number of exceptions. `*` = every rule but its like.

    Raises UsageFault where exceptions go in a circle.
    """
    direct: dict[str, set[str]] = {}
    for rule in rules:
        named = set(rule.exception_to)
        if "*" in named:
            named = {r.id for r in rules if "*" not in r.exception_to and r.id != rule.id}
        direct[rule.id] = named
    done: dict[str, set[str]] = {}

    def reach(rule_id: str, path: tuple[str, ...]) -> set[str]:
        if rule_id in path:
            raise UsageFault(f"rules override each other in a circle: {' -> '.join((*path, rule_id))}")
        if rule_id not in done:
            below = [reach(other, (*path, rule_id)) for other in sorted(direct[rule_id])]
            done[rule_id] = direct[rule_id].union(*below)
        return done[rule_id]

    for rule in rules:
        reach(rule.id, ())
    return done


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """Exceptions before the rules they override; else the order of the file."""
    below = overridden(rules)
    left, ordered = list(rules), []
    while left:
        free = next(r for r in left if not any(r.id in below[other.id] for other in left))
        ordered.append(free)
        left.remove(free)
    return ordered


def decide(
    cases: pl.DataFrame, pack: Pack, kind: str, as_of: date | None, among: Sequence[Rule] | None = None
) -> pl.DataFrame:
    """The rule of a kind (scheme, duty or export) that holds for each case. among: only of these rules.

    cases: distinct combinations of facts: a String column per fact of `FACTS` and `PLACES`, `day` (Date, first day
    of the period), and an Int8 column per limit rule, named by its id, with the state of the consignment against
    it (null: no consignment is imported).
    Adds `<kind>_rule` (null: no rule holds) and `<kind>_open`: the state from CIRCULAR on, where a limit that
    matters cannot be answered. Raises UsageFault naming two rules that contradict each other.
    """
    every = pack.of(kind) if among is None else among
    if cases.is_empty():
        return cases.with_columns(
            pl.lit(None, pl.String).alias(f"{kind}_rule"), pl.lit(None, pl.Int8).alias(f"{kind}_open")
        )
    rules = [r for r in in_order(every) if known(r, as_of)]
    marks = cases.select(
        *(_facts(rule).alias(f"fits {i}") for i, rule in enumerate(rules)),
        *(_limits(rule).alias(f"holds {i}") for i, rule in enumerate(rules)),
        *(_open(rule).fill_null(-1).alias(f"open {i}") for i, rule in enumerate(rules)),
    )
    which = np.full(cases.height, -1)
    state = np.full(cases.height, -1)
    left = np.ones(cases.height, dtype=bool)
    holds: list[pl.Series] = []
    for i in range(len(rules)):
        fits, opened = marks[f"fits {i}"].to_numpy(), marks[f"open {i}"].to_numpy()
        holding = fits & marks[f"holds {i}"].to_numpy()
        holds.append(pl.Series(holding))
        blocked = fits & (opened >= 0)
        which[left & holding & ~blocked] = i
        state[left & blocked] = np.broadcast_to(opened, state.shape)[left & blocked]
        left &= ~(holding | blocked)
    named = pl.Series([*(r.id for r in rules), None], dtype=pl.String)
    states = pl.Series(state, dtype=pl.Int8)
    decided = cases.with_columns(
        named.gather(np.where(which < 0, len(rules), which)).alias(f"{kind}_rule"),
        states.set(states < 0, None).alias(f"{kind}_open"),
    )
    _check_contradictions(decided[f"{kind}_rule"], pack, every, rules, holds)
    return decided


def _facts(rule: Rule) -> pl.Expr:
    fit = pl.col("day") >= pl.lit(rule.valid_from)
    if rule.valid_to is not None:
        fit &= pl.col("day") <= pl.lit(rule.valid_to)
    for key, words in rule.when.items():
        if key in FACTS or key in PLACES or key == GOODS:
            fit &= pl.col(key).is_in(list(words))
    return fit.fill_null(False)


def _limits(rule: Rule) -> pl.Expr:
    holds = pl.lit(True)
    for key, state in zip(LIMITS, (WITHIN, ABOVE), strict=True):
        for limit in rule.when.get(key, ()):
            holds &= (pl.col(limit) == state).fill_null(False)
    return holds


def _open(rule: Rule) -> pl.Expr:
    named = [limit for key in LIMITS for limit in rule.when.get(key, ())]
    if not named:
        return pl.lit(None, pl.Int8)
    worst = pl.max_horizontal(*named)
    return pl.when(worst >= CIRCULAR).then(worst)


def _check_contradictions(
    winners: pl.Series, pack: Pack, every: Sequence[Rule], rules: Sequence[Rule], holds: Sequence[pl.Series]
) -> None:
    below = overridden(every)
    for winner in winners.drop_nulls().unique().sort():
        here = winners == winner
        for rule, holding in zip(rules, holds, strict=True):
            if rule.id not in (winner, *below[winner]) and (holding & here).any():
                raise UsageFault(
                    f'{pack.file}: rules "{winner}" and "{rule.id}" hold for the same line',
                    hint="say in exception_to which of them overrides the other",
                )
