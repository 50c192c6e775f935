"""The arm's length range by the regulation's own examples, and against definitions of quartiles known elsewhere."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.taxed import book

from cbec.core.errors import UsageFault
from cbec.methods.compliance.arms_length import Range, adjustment, answer, definition_of, of_year, quartiles
from cbec.methods.compliance.rules import DEFINITIONS

D = Decimal
FOUR = [D("45"), D("42"), D("47.5"), D("44")]  # 26 CFR 1.482-1(e)(5) Example 3
RESULTS = st.lists(st.decimals(-50, 50, places=2), min_size=3, max_size=24)


def test_the_regulation_s_own_example() -> None:
    assert quartiles(FOUR, "cumulative") == Range(D("43"), D("44.5"), D("46.25"))


def test_a_spreadsheet_says_otherwise() -> None:
    assert quartiles(FOUR, "inclusive") == Range(D("43.5"), D("44.5"), D("45.625"))
    assert quartiles(FOUR, "exclusive") == Range(D("42.5"), D("44.5"), D("46.875"))
    assert quartiles(FOUR, "hazen") == Range(D("43"), D("44.5"), D("46.25"))


@given(RESULTS)
def test_the_legal_definition_word_by_word(results: list[Decimal]) -> None:
    """The lowest result such that at least the share of the results are at or below it; if exactly the share is, the
    average of that result and the next higher one."""

    def percentile(share: Decimal) -> Decimal:
        ordered = sorted(results)
        for value in ordered:
            at_or_below = sum(x <= value for x in ordered)
            if at_or_below >= share * len(ordered):
                exact = at_or_below == share * len(ordered)
                return (value + min((x for x in ordered if x > value), default=value)) / 2 if exact else value
        raise AssertionError

    assert quartiles(results, "cumulative") == Range(percentile(D("0.25")), percentile(D("0.5")), percentile(D("0.75")))


@pytest.mark.parametrize(("ours", "numpy"), [("inclusive", "linear"), ("exclusive", "weibull"), ("hazen", "hazen")])
@given(results=RESULTS)
def test_interpolated_definitions_as_numpy_has_them(ours: str, numpy: str, results: list[Decimal]) -> None:
    span = quartiles(results, ours)
    wanted = np.quantile([float(x) for x in results], [0.25, 0.5, 0.75], method=numpy)
    assert [float(span.low), float(span.median), float(span.high)] == pytest.approx(list(wanted))


@pytest.mark.parametrize("definition", DEFINITIONS)
@given(results=RESULTS)
def test_quartiles_stand_in_order_whatever_the_order_of_results(definition: str, results: list[Decimal]) -> None:
    span = quartiles(results, definition)
    assert min(results) <= span.low <= span.median <= span.high <= max(results)
    assert span == quartiles(results[::-1], definition)


def test_too_few_results() -> None:
    with pytest.raises(UsageFault, match="exclusive quartiles of 2 results are not defined; 3 are needed"):
        quartiles([D(1), D(2)], "exclusive")
    with pytest.raises(UsageFault, match='"tukey" is no definition'):
        quartiles(FOUR, "tukey")


def test_the_ends_of_the_range_are_within() -> None:
    span = quartiles(FOUR, "cumulative")
    assert [adjustment(span, D(x)) for x in ("43", "46.25", "42.99", "50")] == [0, 0, D("1.51"), D("-5.5")]


def test_a_year_is_adjusted_only_towards_the_range_of_the_average_and_not_past_it() -> None:
    span = (D(15500), D(30000))
    assert of_year(span, D(-10000), D(-10000), D(12000), 3) == D(22000)  # 26 CFR 1.482-5(e) Example 3
    assert of_year(span, D(20000), D(-10000), D(12000), 3) == 0  # the average is within
    assert of_year(span, D(-10000), D(14000), D(12000), 3) == 0  # down, away from the range
    assert of_year(span, D(15000), D(-90000), D(12000), 3) == D(45000)  # the average would leave it above
    assert of_year(span, D(40000), D(90000), D(12000), 3) == D(-73500)


def test_the_country_s_pack_names_the_definition() -> None:
    told = answer({"country": "US", "results": FOUR, "tested": D("44")}, book())
    assert told == {
        "rule_ids": ["us.arms-length"], "definition": "cumulative", "median": D("44.5"), "q1": D("43"), "q3": D("46.25"),
        "outside": False, "adjustment": 0,
    }  # fmt: skip
    assert definition_of("US", None, book()).definition == "cumulative"


def test_what_is_no_question() -> None:
    with pytest.raises(UsageFault, match="no rule pack tells how JP defines") as fault:
        answer({"country": "JP", "results": FOUR}, book())
    assert "inclusive" in (fault.value.hint or "")
    with pytest.raises(UsageFault, match="its low and its high end"):
        answer({"definition": "hazen", "range": [D(3), D(1)]}, book())
    with pytest.raises(UsageFault, match="results: give the comparables' results"):
        answer({"definition": "hazen", "results": [None]}, book())
