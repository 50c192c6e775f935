"""Which rule holds: base rules, and exceptions that override the rules they name (Catala's default logic).

Rules are tried with every exception before what it overrides, so the first that holds is the one that counts.
Two rules that hold at once without one being an exception to the other are a mistake in the pack and are
reported, never resolved by their order in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault
from cbec.methods.compliance.intervals import known
from cbec.methods.compliance.rules import FACTS, GOODS, LIMITS, PLACES, Pack, Rule

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"
_EPOCH = date(1970, 1, 1)
_NEVER = (date.max - _EPOCH).days + 1
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
    rules = [r for r in in_order(every) if known(r, as_of)]
    facts = _Facts(cases)
    which = np.full(cases.height, -1)
    state = np.full(cases.height, -1)
    left = np.ones(cases.height, dtype=bool)
    holds: list[Mask] = []
    for i, rule in enumerate(rules):
        fits, opened = facts.fit(rule), facts.opened(rule)
        holding = fits & facts.within_limits(rule)
        holds.append(holding)
        blocked = fits & (opened >= CIRCULAR)
        which[left & holding & ~blocked] = i
        state[left & blocked] = opened[left & blocked]
        left &= ~(holding | blocked)
    _check_contradictions(which, pack, every, rules, holds)
    named = pl.Series([*(r.id for r in rules), None], dtype=pl.String)
    states = pl.Series(state, dtype=pl.Int8)
    return cases.with_columns(
        named.gather(np.where(which < 0, len(rules), which)).alias(f"{kind}_rule"),
        states.set(states < 0, None).alias(f"{kind}_open"),
    )


class _Facts:
    """Cases as arrays: there are few of them and many rules, so that one small array per word is all it takes."""

    def __init__(self, cases: pl.DataFrame) -> None:
        self._cases = cases
        self._words: dict[str, Mask] = {}
        self._are: dict[tuple[str, str], Mask] = {}
        self._states: dict[str, np.ndarray[Any, Any]] = {}
        self._day = cases["day"].to_physical().fill_null(_NEVER).to_numpy()

    def fit(self, rule: Rule) -> Mask:
        """Where the facts that the rule names are so; an unknown fact is none."""
        if rule.valid_from is None:
            return np.zeros(self._cases.height, dtype=bool)
        first, last = rule.valid_from, rule.valid_to or date.max
        fits: Mask = (self._day >= (first - _EPOCH).days) & (self._day <= (last - _EPOCH).days)
        fits &= self._day != _NEVER
        for key, words in rule.when.items():
            if key in FACTS or key in PLACES or key == GOODS:
                fits = fits & np.logical_or.reduce([self._is(key, word) for word in words])
        return fits

    def _is(self, fact: str, word: str) -> Mask:
        if fact not in self._words:
            self._words[fact] = np.array(self._cases[fact].to_list(), dtype=object)
        if (fact, word) not in self._are:
            self._are[fact, word] = self._words[fact] == word
        return self._are[fact, word]

    def _state(self, limit: str) -> np.ndarray[Any, Any]:
        """The state against a limit, -1 for none."""
        if limit not in self._states:
            self._states[limit] = self._cases[limit].fill_null(-1).to_numpy()
        return self._states[limit]

    def within_limits(self, rule: Rule) -> Mask:
        """Where consignments stand against limits as the rule asks."""
        holds = np.ones(self._cases.height, dtype=bool)
        for key, state in zip(LIMITS, (WITHIN, ABOVE), strict=True):
            for limit in rule.when.get(key, ()):
                holds &= self._state(limit) == state
        return holds

    def opened(self, rule: Rule) -> np.ndarray[Any, Any]:
        """The highest state against any limit that the rule names, -1 for none."""
        named = [limit for key in LIMITS for limit in rule.when.get(key, ())]
        none = np.full(self._cases.height, -1)
        return np.maximum.reduce([none, *(self._state(limit) for limit in named)])


def _check_contradictions(
    which: np.ndarray[Any, Any], pack: Pack, every: Sequence[Rule], rules: Sequence[Rule], holds: Sequence[Mask]
) -> None:
    below = overridden(every)
    winners = {rules[i].id: i for i in np.unique(which[which >= 0])}
    for winner, i in sorted(winners.items()):
        here = which == i
        for rule, holding in zip(rules, holds, strict=True):
            if rule.id not in (winner, *below[winner]) and (holding & here).any():
                raise UsageFault(
                    f'{pack.file}: rules "{winner}" and "{rule.id}" hold for the same line',
                    hint="say in exception_to which of them overrides the other",
                )
