"""What changed between two states of the rules, told by rule id and date, never by the text of a file.

A state is a set of packs as known on a day. Every rule becomes a time line of what it says (its value, and its terms:
conditions, outcomes, codes ..); two time lines are laid over each other, and a stretch on which they differ is a change.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from cbec.methods.compliance import intervals
from cbec.methods.compliance.intervals import ENDLESS
from cbec.methods.compliance.rules import Pack, Rule

TERMS = tuple(
    f.name
    for f in dataclasses.fields(Rule)
    if f.name
    not in ("id", "reference", "values", "valid_from", "valid_to", "recorded_from", "end_recorded_from", "note")
)
"""What a rule says beside its values and dates. A new source or note alone is no change of the rule."""
DAY = timedelta(days=1)

SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("pack", "rule_id", "kind", "jurisdiction", "scheme", "category"), pl.String),
    **dict.fromkeys(("valid_from", "valid_to"), pl.Date),
    **dict.fromkeys(("old_value", "new_value"), pl.Decimal(38, 6)),
    **dict.fromkeys(("unit", "old_terms", "new_terms"), pl.String),
    "recorded_from": pl.Date,
    **dict.fromkeys(("citation", "reason_code"), pl.String),
}


@dataclass(frozen=True)
class State:
    """Packs as known on a day (None: all they know)."""

    packs: tuple[Pack, ...]
    known_on: date | None = None

    def rules(self) -> dict[str, tuple[Pack, Rule]]:
        """Every rule by id, with its pack."""
        return {rule.id: (pack, rule) for pack in self.packs for rule in pack.rules.values()}


@dataclass(frozen=True)
class Said:
    """What a rule says on a stretch of days: its value, if its kind has one, and its terms."""

    value: Decimal | None
    terms: tuple[Any, ...]
    recorded_from: date | None = dataclasses.field(compare=False, default=None)


Span = tuple[date, date, "Said | None"]


def timeline(rule: Rule, known_on: date | None) -> list[Span]:
    """Stretches (first day, last day, what it says) of a rule, in order; days between them say nothing."""
    terms = tuple(getattr(rule, name) for name in TERMS)
    last = intervals.last_day(rule, known_on)
    if not rule.values:
        start = rule.valid_from or date.min
        known = intervals.known(rule, known_on)
        return [(start, last, Said(None, terms, rule.recorded_from or rule.valid_from))] if known else []
    first = rule.valid_from or date.min
    spans = [
        (max(start, first), min(end, last), Said(dated.value, terms, dated.recorded_from))
        for start, end, dated in intervals.in_force(rule, known_on)
    ]
    return [span for span in spans if span[0] <= span[1]]


def changes(old: State, new: State, *, effective: date | None = None) -> pl.DataFrame:
    """A row for each stretch of days on which a rule says something else than before, sorted by day and rule.

    effective: only what is in force on that day and was not on the day before. The columns are those of `SCHEMA`;
    `valid_from` is null where there was no beginning, `valid_to` where there is no end.
    """
    before, after = old.rules(), new.rules()
    rows = []
    for rule_id in sorted({*before, *after}):
        was, now = (
            timeline(side[rule_id][1], state.known_on) if rule_id in side else []
            for side, state in ((before, old), (after, new))
        )
        found = _overnight(was, now, effective) if effective else _apart(was, now)
        rows += [_row(rule_id, before.get(rule_id), after.get(rule_id), *change) for change in found]
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return table.sort("valid_from", "pack", "rule_id", nulls_last=False, maintain_order=True)


Change = tuple[date, date, "Said | None", "Said | None"]


def _apart(old: Sequence[Span], new: Sequence[Span]) -> Iterator[Change]:
    """The stretches on which two time lines differ; neighbours with the same difference are one."""
    cuts = sorted({day for start, end, _ in (*old, *new) for day in (start, end + DAY if end < ENDLESS else ENDLESS)})
    pending: Change | None = None
    for start, after in itertools.pairwise(cuts):
        end = ENDLESS if after == ENDLESS else after - DAY
        was, now = _on(old, start), _on(new, start)
        if was == now:
            continue
        if pending is not None and pending[1] + DAY == start and pending[2:] == (was, now):
            pending = (pending[0], end, was, now)
            continue
        if pending is not None:
            yield pending
        pending = (start, end, was, now)
    if pending is not None:
        yield pending


def _overnight(old: Sequence[Span], new: Sequence[Span], day: date) -> Iterator[Change]:
    """What differs between the night before a day (by the old state) and the day (by the new one)."""
    was, now = _on(old, day - DAY), _on(new, day)
    if was != now:
        ends = [end for start, end, _ in new if start <= day <= end]
        later = [start - DAY for start, _, _ in new if start > day]
        yield day, min([*ends, *later, ENDLESS]), was, now


def _on(spans: Sequence[Span], day: date) -> Said | None:
    return next((said for start, end, said in spans if start <= day <= end), None)


def _row(
    rule_id: str,
    before: tuple[Pack, Rule] | None,
    after: tuple[Pack, Rule] | None,
    start: date,
    end: date,
    was: Said | None,
    now: Said | None,
) -> tuple[Any, ...]:
    pack, rule = after or before or (None, None)
    assert pack is not None and rule is not None
    place = rule.country or (pack.jurisdictions[0] if len(pack.jurisdictions) == 1 else pack.id.upper())
    old_terms, new_terms = _terms(was, now)
    recorded = now.recorded_from if now is not None else None
    return (
        pack.id, rule_id, rule.kind, place, rule.then.get("scheme"), rule.category or rule.goods, None if start == date.min else start, None if end == ENDLESS else end,
        was.value if was else None, now.value if now else None, rule.unit, old_terms, new_terms, recorded, rule.reference.title,
        _code(before, after, was, now),
    )  # fmt: skip


def _code(before: object, after: object, was: Said | None, now: Said | None) -> str:
    if before is None or after is None:
        return "rule_added" if before is None else "rule_removed"
    if was is None or now is None:
        return "rule_begins" if was is None else "rule_ends"
    return "rule_value" if was.terms == now.terms else "rule_terms"


def _terms(was: Said | None, now: Said | None) -> tuple[str | None, str | None]:
    """The terms that differ between two states of a rule, in words; none where only one of them says anything."""
    if was is None or now is None or was.terms == now.terms:
        return None, None
    names = [n for n, a, b in zip(TERMS, was.terms, now.terms, strict=True) if a != b]
    told = (
        "; ".join(f"{name} {_words(dict(zip(TERMS, said.terms, strict=True))[name])}" for name in names)
        for said in (was, now)
    )
    return next(told), next(told)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_words(v)}" for key, v in sorted(value.items())) or "(none)"
    if isinstance(value, tuple):
        return "|".join(str(v) for v in value) or "(none)"
    return "(none)" if value is None else str(value)
