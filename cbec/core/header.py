"""Which column of a file is which column of a contract: by name, by spelling, by alias in English or Chinese."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cbec.core.errors import Fault

if TYPE_CHECKING:
    from cbec.core.contract import Contract


def plain(name: str) -> str:
    """A name without case, spaces, underscores, hyphens and full-width forms, as headers are compared."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if not c.isspace() and c not in "_-")


def means(contract: Contract, name: str) -> bool:
    """Whether a column of a file means one of the contract."""
    word = plain(name)
    return any(word == plain(known) for column in contract.columns for known in (column.name, *column.aliases))


def match(
    contract: Contract, headers: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], list[Fault], list[str]]:
    """Columns of the contract -> names in the files that mean them; faults; names that mean no column.

    headers: file -> its column names. A contract column has several names only where different files spell it
    differently. An exact name wins over aliases beside it in the same file; otherwise two names for one column
    are a fault, and so is a required column that a file lacks.
    """
    found: dict[str, list[str]] = {}
    faults: list[Fault] = []
    extra: dict[str, None] = {}
    for file, names in headers.items():
        mine = _match_one(contract, file, names, faults)
        for column, name in mine.items():
            if name not in found.setdefault(column, []):
                found[column].append(name)
        taken = set(mine.values())
        extra.update((n, None) for n in names if n not in taken)
    used = {name for spelled in found.values() for name in spelled}
    return found, faults, [n for n in extra if n not in used]


def _match_one(contract: Contract, file: str, names: Sequence[str], faults: list[Fault]) -> dict[str, str]:
    by_name = {plain(c.name): c.name for c in contract.columns}
    by_alias: dict[str, str] = {}
    for column in contract.columns:
        for alias in column.aliases:
            by_alias.setdefault(plain(alias), column.name)
    named: dict[str, list[str]] = {}
    aliased: dict[str, list[str]] = {}
    for name in names:
        word = plain(name)
        if word in by_name:
            named.setdefault(by_name[word], []).append(name)
        elif word in by_alias:
            aliased.setdefault(by_alias[word], []).append(name)
    mine: dict[str, str] = {}
    for column in contract.columns:
        candidates = named.get(column.name) or aliased.get(column.name) or []
        if len(candidates) > 1:
            listed = " and ".join(f'"{c}"' for c in candidates)
            message = f'{listed} both mean the column "{column.name}"; rename or remove one'
            faults.append(Fault(contract.name, file, 1, column.name, candidates[1], "header", message))
        if candidates:
            mine[column.name] = candidates[0]
        elif column.required:
            free = [n for n in names if plain(n) not in by_name]
            message = f'the column "{column.name}" is missing{_nearest(column.name, column.aliases, free)}'
            faults.append(Fault(contract.name, file, 1, column.name, None, "column", message))
    return mine


def _nearest(name: str, aliases: Sequence[str], free: Sequence[str]) -> str:
    spelled = {plain(n): n for n in free}
    for word in (name, *aliases):
        near = difflib.get_close_matches(plain(word), list(spelled), n=1, cutoff=0.6)
        if near:
            return f'; did you mean "{spelled[near[0]]}"?'
    return ""
