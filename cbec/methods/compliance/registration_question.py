"""Cases of the kind `registration`: turnover in, whether a seller has to register out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cbec.core.errors import UsageFault
from cbec.methods.compliance import filing_rules
from cbec.methods.compliance.cells import columns
from cbec.methods.compliance.questions import Question
from cbec.methods.compliance.watch import must_register, verdict

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.filing_rules import RegistrationRule


def answer(given: Mapping[str, Any], _book: Rulebook) -> Mapping[str, Any]:
    """The case of kind `registration`; see docs/how-to/rules.md for what it is given and tells.

    turnover: of the rule's window; ahead: expected in the time the rule looks ahead; preceding: of the year before.
    """
    rule, day = _rule(given), given.get("date")
    if day is None:
        raise UsageFault("a registration needs a date")
    base: dict[str, Any] = {"rule_ids": [rule.id], "citation": rule.citation.split("|")}
    if given.get("preceding") is not None and rule.window != "year":
        raise UsageFault(f"{rule.id} looks at no preceding year")
    if given.get("ahead") is not None and not (rule.ahead_days or rule.ahead_months):
        raise UsageFault(f"{rule.id} looks at no time ahead")
    if given.get("sales"):
        daily: dict[Any, Decimal] = {}
        for sale in given["sales"]:
            daily[sale["date"]] = daily.get(sale["date"], Decimal(0)) + sale["amount"]
        told = verdict(rule, daily, day)
        return base | {
            "threshold": told.threshold,
            "turnover": told.turnover,
            "must_register": told.word == "must_register",
            "crossed_on": told.crossed_on,
            "register_by": told.register_by,
        }
    told_turnover = [given[key] for key in ("turnover", "ahead", "preceding") if given.get(key) is not None]
    if not told_turnover:
        raise UsageFault("a registration is given its turnover (or ahead, or preceding), or sales by day")
    threshold = rule.threshold(day)
    due = any(must_register(rule, turnover, day)[1] for turnover in told_turnover)
    return base | {"threshold": threshold, "turnover": given.get("turnover"), "must_register": due}


def _rule(given: Mapping[str, Any]) -> RegistrationRule:
    place, scheme = given.get("place"), given.get("scheme")
    established = given.get("established")
    fits = [
        rule
        for rule in filing_rules.registrations()
        if rule.place == place
        and scheme in (None, rule.scheme)
        and (rule.seller == "any" or established is None or established == (rule.seller == "established"))
    ]
    if scheme is None:  # a threshold for such sellers goes before one for any
        fits = [rule for rule in fits if rule.seller != "any"] or fits
    if len(fits) != 1:
        known = ", ".join(rule.id for rule in fits) or "none"
        raise UsageFault(f"place {place}: not one threshold but {known}; say established, or scheme")
    return fits[0]


QUESTION = Question(
    given={
        **columns(place="text", scheme="text", established="bool", date="date"),
        **columns(turnover="decimal", ahead="decimal", preceding="decimal"),
        "sales": [columns(date="date", amount="decimal")],
    },
    told=columns(threshold="decimal", turnover="decimal", must_register="bool", crossed_on="date", register_by="date"),
    answer=answer,
)
