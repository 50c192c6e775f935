"""Exit statuses and the one family of errors that carries them.

Every error that a person can cause or mend is a `CbecError`; anything else that reaches the
command line is a bug (status 70).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


#: Control characters: a cell may hold anything, also what a terminal would obey.
_OBEYED = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), "\ufffd")


class ExitStatus(IntEnum):
    """What a shell, cron or a scheduler sees."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    INPUT = 3
    NO_ANSWER = 4
    BUSY = 5
    ENVIRONMENT = 6
    BUG = 70
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


class CbecError(Exception):
    """An error with an exit status, one line for a person, and optionally what to do about it."""

    status = ExitStatus.BUG

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageFault(CbecError):
    """Wrong options, settings or configuration."""

    status = ExitStatus.USAGE


@dataclass(frozen=True)
class Fault:
    """One broken promise of an input table. `row` is the record number in its file (header = 1)."""

    table: str
    file: str
    row: int | None
    column: str | None
    value: str | None
    rule: str
    message: str

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f" row {self.row}"
        if self.column is not None:
            place += f', column "{self.column}"'
        return f"{place}: {self.message}".translate(_OBEYED)


class InputRejected(CbecError):
    """A missing file or column, or cells that break the contract of their table."""

    status = ExitStatus.INPUT

    def __init__(
        self, message: str, faults: Sequence[Fault] = (), hint: str | None = None, total: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.faults = list(faults)
        self.total = len(self.faults) if total is None else total


class NoRows(InputRejected):
    """A file that has a header and nothing under it."""


class NoAnswer(CbecError):
    """The question is well put but has no answer: infeasible (which constraint, by how much), or a model refused."""

    status = ExitStatus.NO_ANSWER


class Busy(CbecError):
    """Another run holds the lock."""

    status = ExitStatus.BUSY


class EnvironmentFailed(CbecError):
    """Disk full, no memory, a cluster lost, a validator missing."""

    status = ExitStatus.ENVIRONMENT


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean "x"?` for the nearest choice, or nothing."""
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
