"""Every dated change of the standard VAT rates of the EU's 27 states as a dated diff, beside three public histories.

kdeldycke/vat-rates dates the standard rates since 1968, ibericode/vat-rates has periods since about 2010 and, from its
version history, what its maintainers changed and when. A change counts as reproduced when `compliance diff --effective
DAY` has a row of the country's standard rate with the old and the new value. Where the sets contradict each other, both
stand in the notes with what the pack says.
"""

from __future__ import annotations

import csv
import itertools
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from harness import Table, data_folder, timed

from cbec.methods.compliance import packs
from cbec.methods.compliance.changes import State, changes

STATES = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL",
    "PT", "RO", "SE", "SI", "SK",
)  # fmt: skip
Rates = dict[date, Decimal]
Change = tuple[str, date, Decimal, Decimal]


def main() -> None:
    folder = data_folder("compliance/vat_rates")
    state = State(tuple(packs.load()))
    sets = {"kdeldycke": _kdeldycke(folder), "ibericode": _ibericode(folder)}
    told = {name: _changes(rates) for name, rates in sets.items()}
    told["ibericode, its change history"], corrected = _history(folder, sets["ibericode"])
    every = sorted(set().union(*told.values()), key=lambda c: c[:2])
    days = sorted({day for _, day, _, _ in every})
    ours, seconds = timed(lambda: {day: _diff(state, day) for day in days})
    table = Table("vat_changes", "Standard VAT rates of the EU 27: every dated change as a dated diff")
    for name, found in told.items():
        hit = sum(_same(change, ours) for change in found)
        table.rows.append(
            {"history": name, "changes": len(found), "reproduced": hit, "share %": 100 * hit / len(found)}
        )
    hit = sum(_same(change, ours) for change in every)
    table.rows.append(
        {"history": "any of them", "changes": len(every), "reproduced": hit, "share %": 100 * hit / len(every)}
    )
    table.notes = [f"{len(days)} days compared in {seconds:.1f} CPU-s, all packs loaded once"]
    table.notes += [
        f"not reproduced: {_words(c)}; the pack: {_ours(state, c[0], c[1])}" for c in every if not _same(c, ours)
    ]
    table.notes += _disagreements(sets, state)
    table.notes += [f"history: {text}" for text in corrected]
    table.finish()


def _kdeldycke(folder: Any) -> dict[str, Rates]:
    found: dict[str, Rates] = {state: {} for state in STATES}
    with (folder / "kdeldycke_vat_rates.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for state in set(row["territory_codes"].split("\n")) & set(STATES):
                found[state][date.fromisoformat(row["start_date"])] = Decimal(row["rate"]) * 100
    return found


def _ibericode(folder: Any) -> dict[str, Rates]:
    items = json.loads((folder / "ibericode_vat_rates.json").read_text("utf-8"))["items"]
    names = {"GR": "GR" if "GR" in items else "EL"}
    return {
        state: {
            date.min if e["effective_from"].startswith("0000") else date.fromisoformat(e["effective_from"]): Decimal(str(e["rates"]["standard"]))
            for e in items[names.get(state, state)]
        }
        for state in STATES
    }  # fmt: skip


def _changes(sets: dict[str, Rates]) -> list[Change]:
    """Days on which a standard rate became another; the first day of a history is none."""
    return [
        (state, day, rates[before], rates[day])
        for state, rates in sets.items()
        for before, day in itertools.pairwise(sorted(rates))
        if rates[before] != rates[day]
    ]


def _history(folder: Any, now: dict[str, Rates]) -> tuple[list[Change], list[str]]:
    """Changes that the version history tells and today's file still has; and in words those it has taken back."""
    standing, said = set(), []
    kept = {(state, day): (old, new) for state, day, old, new in _changes(now)}
    with (folder / "ibericode_change_history.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (
                row["rate_key"] != "standard"
                or row["country"] not in STATES
                or row["effective_from"].startswith("0000")
            ):
                continue
            day = date.fromisoformat(row["effective_from"])
            change = kept.get((row["country"], day))
            if change is not None and row["new"] and Decimal(row["new"]) == change[1]:
                standing.add((row["country"], day, *change))
            elif row["new"] and now[row["country"]].get(day) != Decimal(row["new"]):
                said.append(
                    f"{row['country']} {row['new']} % from {day}, told on {row['committed_at'][:10]}, is not in today's file"
                )
    return sorted(standing, key=lambda c: c[:2]), sorted(set(said))


def _diff(state: State, day: date) -> dict[str, tuple[Decimal, Decimal]]:
    """What `compliance diff --effective day` says of the standard rates: country -> old and new."""
    found = changes(state, state, effective=day)
    rows = found.filter(found["rule_id"].str.starts_with("eu.vat.standard.")).select(
        "jurisdiction", "old_value", "new_value"
    )
    return {country: (old, new) for country, old, new in rows.iter_rows()}


def _same(change: Change, ours: dict[date, dict[str, tuple[Decimal, Decimal]]]) -> bool:
    state, day, old, new = change
    return ours[day].get(state) == (old, new)


def _on(rates: Rates, day: date) -> Decimal | None:
    known = [d for d in rates if d <= day]
    return rates[max(known)] if known else None


def _ours(state: State, country: str, day: date) -> str:
    rule = state.rules()[f"eu.vat.standard.{country.lower()}"][1]
    rates = {v.valid_from: v.value for v in rule.values if v.value is not None}
    return f"{_on(rates, day - timedelta(days=1))} % on the eve, {_on(rates, day)} % on the day"


def _words(change: Change) -> str:
    state, day, old, new = change
    return f"{state} {old.normalize():f} -> {new.normalize():f} % on {day}"


def _disagreements(sets: dict[str, dict[str, Rates]], state: State) -> list[str]:
    """Stretches of days on which the two dated sets have different standard rates, from the second's first dated day on."""
    found = []
    for country in STATES:
        first, second = (sets[name][country] for name in ("kdeldycke", "ibericode"))
        start = min((day for day in second if day > date.min), default=None)
        if start is None:
            start = max(day for day in first)
        days = sorted({d for rates in (first, second) for d in rates if d >= start})
        for day in days:
            a, b = _on(first, day), _on(second, day)
            if a != b:
                found.append(
                    f"the sets disagree: {country} from {day}: kdeldycke {a} %, ibericode {b} %; the pack: {_ours(state, country, day)}"
                )
    return found


if __name__ == "__main__":
    main()
