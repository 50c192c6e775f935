"""Tax of the state of dispatch: what is asked of which lines."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from support.taxed import book, order_lines, packaged

from cbec.methods.compliance.facts import met
from cbec.methods.compliance.packs import parse
from cbec.methods.compliance.tax import Run

STATES = [code for code in packaged()[[p.id for p in packaged()].index("eu")].jurisdictions if code != "SE"]


def _facts(**more: Any) -> Run:
    """A run that was asked about a sale from each state to Sweden."""
    rows = [{"date": date(2024, 6, 1), "ship_from": s, "ship_to": "SE", "price": 10} | more for s in STATES]
    lines = order_lines([row | ({"seller_country": row["ship_from"]} if more.get("scheme") else {}) for row in rows])
    run = Run(met(lines), None, None, book())
    run.told(lines, None)
    return run


def test_only_lines_that_may_bear_it_are_told_apart_by_where_they_come_from() -> None:
    assert _facts()._facts.table.height == 1
    small = _facts(scheme="NONE")._facts.table
    assert sorted(small["sent"]) == sorted(STATES)
    assert _facts(buyer_type="B2B", buyer_tax_id="SE123456789701")._facts.table["sent"].null_count() == 1
    assert _facts(buyer_type="B2B")._facts.table.height == len(STATES)


def test_periods_change_with_either_state() -> None:
    """Sweden's foods at 6 % since 1 April 2026, Germany's cut of the second half of 2020."""
    same = _facts(scheme="NONE")._decisions._same
    places = book().owned
    one, other = places.index(("eu", "SE")), places.index(("eu", "DE"))
    joint = same.both(one, other)
    assert joint == same.both(one, other) != same.both(other, places.index(("eu", "FR")))
    assert same.both(one, 0) == one
    periods = len(book().periods.starts)
    cuts = {
        n: {*same._firsts[at * (periods + 1) : at * (periods + 1) + periods]}
        for n, at in enumerate((one, other, joint))
    }
    assert cuts[2] == cuts[0] | cuts[1]


def test_a_rule_names_only_what_it_may() -> None:
    from cbec.core.errors import UsageFault
    from cbec.core.packaged import folder

    text = (folder("configs") / "rules" / "eu.yaml").read_text("utf-8")
    with pytest.raises(UsageFault, match=r'rate_of "origin" is none of dispatch'):
        parse(text.replace("rate_of: dispatch", "rate_of: origin", 1), "eu.yaml")
    with pytest.raises(UsageFault, match=r'there is no rule "eu.no-threshold" of kind threshold'):
        parse(text.replace("threshold: eu.distance.threshold", "threshold: eu.no-threshold", 1), "eu.yaml")
