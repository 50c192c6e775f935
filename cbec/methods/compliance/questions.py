"""Kinds of cases beside the tax of order lines: what one is given, what it tells, and who answers it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbec.core.errors import UsageFault, did_you_mean

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.cells import Shape

MODULES = {
    "invoice": "invoice_question",
    "range": "arms_length",
    "registration": "registration_question",
    "return": "return_question",
}
"""Kind of case -> the module here whose `QUESTION` answers it."""


@dataclass(frozen=True)
class Question:
    """given, told: the keys of a case's `given` and `expect`, with their shapes (`cells.Shape`).

    answer: what is given (typed by its shape; keys left out are missing) and the rules as known on the case's day ->
    figures in the shape `told`, with `rule_ids` (a list of the rules that made them). Its citations are the titles
    of those rules, unless it tells `citation` (a list) itself. Raises UsageFault where what is given is no question.
    """

    given: dict[str, Shape]
    told: dict[str, Shape]
    answer: Callable[[Mapping[str, Any], Rulebook], Mapping[str, Any]]


def question(kind: str, where: str) -> Question:
    """The question that a case of this kind asks."""
    if kind not in MODULES:
        known = ("tax", *MODULES)
        raise UsageFault(f'{where}: kind "{kind}" is none of {", ".join(known)}{did_you_mean(kind, known)}')
    module = importlib.import_module(f"cbec.methods.compliance.{MODULES[kind]}")
    found: Question = module.QUESTION
    return found
