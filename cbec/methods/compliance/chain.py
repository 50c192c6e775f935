"""Which rule holds: base rules, and exceptions that override the rules they name (Catala's default logic).

Rules are tried with every exception before what it overrides, so the first that holds is the one that counts.
Two rules that hold at once without one being an exception to the other are a mistake in the pack and are
reported, never resolved by their order in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault
from cbec.methods.compliance.intervals import known
from cbec.methods.compliance.rules import FACTS, GOODS, LIMITS, PLACES, Pack, Rule

Array: TypeAlias = "np.ndarray[Any, Any]"
_NEVER = date.max.toordinal() + 1
WITHIN, ABOVE, CIRCULAR, UNKNOWN, NO_SALE = range(5)
"""States of a consignment against a limit. From CIRCULAR on the question has no answer."""


def buyer() -> pl.Expr:
    """The fact `buyer` of rows with `business`."""
    return pl.when(pl.col("business")).then(pl.lit("B2B")).otherwise(pl.lit("B2C")).alias("buyer")


def overridden(rules: Sequence[Rule]) -> Mapping[str, set[str]]:
    """Rule id -> ids of all rules it overrides, through any number of exceptions. `*` = every rule but its like.

    Raises UsageFault where exceptions go in a circle.
    """
    return _below(tuple(_named(rule) for rule in rules))


@lru_cache(maxsize=1024)
def _below(rules: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, set[str]]:
    direct: dict[str, set[str]] = {}
    for rule_id, exceptions in rules:
        named = set(exceptions)
        if "*" in named:
            named = {other for other, theirs in rules if "*" not in theirs and other != rule_id}
        direct[rule_id] = named
    done: dict[str, set[str]] = {}

    def reach(rule_id: str, path: tuple[str, ...]) -> set[str]:
        if rule_id in path:
            raise UsageFault(f"rules override each other in a circle: {' -> '.join((*path, rule_id))}")
        if rule_id not in done:
            below = [reach(other, (*path, rule_id)) for other in sorted(direct[rule_id])]
            done[rule_id] = direct[rule_id].union(*below)
        return done[rule_id]

    for rule_id, _ in rules:
        reach(rule_id, ())
    return done


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """Exceptions before the rules they override; else the order of the file."""
    return [rules[i] for i in _order(tuple(_named(rule) for rule in rules))]


def _named(rule: Rule) -> tuple[str, tuple[str, ...]]:
    return rule.id, rule.exception_to


@lru_cache(maxsize=1024)
def _order(rules: tuple[tuple[str, tuple[str, ...]], ...]) -> list[int]:
    below = _below(rules)
    left, ordered = list(range(len(rules))), []
    while left:
        free = next(i for i in left if not any(rules[i][0] in below[rules[other][0]] for other in left))
        ordered.append(free)
        left.remove(free)
    return ordered


def decide(
    cases: pl.DataFrame, pack: Pack, kind: str, as_of: date | None, among: Sequence[Rule] | None = None
) -> pl.DataFrame:
    """The rule of a kind (scheme, duty or export) that holds for each case: adds `<kind>_rule` and `<kind>_open`, as
    `Cases.decide` tells them."""
    named, opened = Cases(cases).decide(pack, kind, as_of, among)
    return cases.with_columns(outcome(kind, named, opened))


def outcome(kind: str, named: Array, opened: Array) -> list[pl.Series]:
    """`<kind>_rule` (null: no rule holds) and `<kind>_open`, as columns."""
    states = [state if state >= 0 else None for state in opened.tolist()]
    return [
        pl.Series(f"{kind}_rule", named.tolist(), dtype=pl.String),
        pl.Series(f"{kind}_open", states, dtype=pl.Int8),
    ]


class Cases:
    """Distinct combinations of facts as arrays: there are few of them and many rules, so that one small array for each
    word that a rule names is all it takes."""

    def __init__(self, cases: pl.DataFrame, limits: Mapping[str, str] | None = None) -> None:
        """cases: a String column per fact of `FACTS` and `PLACES`, `day` (Date, first day of the period), and an Int8
        column per limit rule with the state of the consignment against it (null: no consignment is imported), named by
        its id or as `limits` tells."""
        self._cases, self._limits = cases, limits or {}
        self._words: dict[str, Array] = {}
        self._are: dict[tuple[str, str], Array] = {}
        self._states: dict[str, Array] = {}
        days = [_NEVER if day is None else day.toordinal() for day in cases["day"].to_list()]
        self._day = np.array(days, dtype=np.int64)

    def decide(
        self,
        pack: Pack,
        kind: str,
        as_of: date | None,
        among: Sequence[Rule] | None = None,
        where: Array | None = None,
    ) -> tuple[Array, Array]:
        """The id of the rule of a kind that holds for each case (None: no rule does), and the state from CIRCULAR on, where
        a limit that matters cannot be answered (else -1). among: only of these rules; where: only of these cases.

        Raises UsageFault naming two rules that contradict each other.
        """
        every = pack.of(kind) if among is None else among
        rules = [r for r in in_order(every) if known(r, as_of)]
        height = self._cases.height
        which, state = np.full(height, -1), np.full(height, -1)
        left = np.ones(height, dtype=bool) if where is None else where.copy()
        asked, holds = left.copy(), []
        for i, rule in enumerate(rules):
            fits, opened = self._fit(rule) & asked, self._opened(rule)
            holding = fits & self._stands(rule)
            holds.append(holding)
            blocked = fits & (opened >= CIRCULAR)
            which[left & holding & ~blocked] = i
            state[left & blocked] = opened[left & blocked]
            left &= ~(holding | blocked)
        _check_contradictions(which, pack, every, rules, holds)
        return np.array([*(rule.id for rule in rules), None], dtype=object)[which], state

    def _fit(self, rule: Rule) -> Array:
        """Where the facts that the rule names are so; an unknown fact is none."""
        if rule.valid_from is None:
            return np.zeros(self._cases.height, dtype=bool)
        last = (rule.valid_to or date.max).toordinal()
        fits = (self._day >= rule.valid_from.toordinal()) & (self._day <= last)
        for key, words in rule.when.items():
            if key in FACTS or key in PLACES or key == GOODS:
                fits = fits & np.logical_or.reduce([self._is(key, word) for word in words])
        return fits

    def _is(self, fact: str, word: str) -> Array:
        if fact not in self._words:
            self._words[fact] = np.array(self._cases[fact].to_list(), dtype=object)
        if (fact, word) not in self._are:
            self._are[fact, word] = self._words[fact] == word
        return self._are[fact, word]

    def _state(self, limit: str) -> Array:
        """The state against a limit, -1 for none."""
        column = self._limits.get(limit, limit)
        if column not in self._states:
            states = [-1 if state is None else state for state in self._cases[column].to_list()]
            self._states[column] = np.array(states, dtype=np.int64)
        return self._states[column]

    def _stands(self, rule: Rule) -> Array:
        """Where consignments stand against limits as the rule asks."""
        holds = np.ones(self._cases.height, dtype=bool)
        for key, state in zip(LIMITS, (WITHIN, ABOVE), strict=True):
            for limit in rule.when.get(key, ()):
                holds &= self._state(limit) == state
        return holds

    def _opened(self, rule: Rule) -> Array:
        """The highest state against any limit that the rule names, -1 for none."""
        named = [limit for key in LIMITS for limit in rule.when.get(key, ())]
        none = np.full(self._cases.height, -1)
        return np.maximum.reduce([none, *(self._state(limit) for limit in named)]) if named else none


def _check_contradictions(
    which: Array, pack: Pack, every: Sequence[Rule], rules: Sequence[Rule], holds: Sequence[Array]
) -> None:
    below = overridden(every)
    winners = {rules[i].id: i for i in np.unique(which[which >= 0])}
    for winner, i in sorted(winners.items()):
        here = which == i
        for rule, holding in zip(rules, holds, strict=True):
            if rule.id not in below[winner] and rule.id != winner and (holding & here).any():
                raise UsageFault(
                    f'{pack.file}: rules "{winner}" and "{rule.id}" hold for the same line',
                    hint="say in exception_to which of them overrides the other",
                )
