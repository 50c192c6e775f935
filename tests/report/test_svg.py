"""Charts: the drawing of known data, and that no data can break one."""

from __future__ import annotations

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cbec.report import scale, svg

VALUES = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(-(10**12), 10**12))


def parsed(drawn: str) -> ElementTree.Element:
    """Well-formed, and without a coordinate that is no number."""
    assert not re.search(r"\b(nan|inf)\b", drawn.split("</desc>", 1)[1])
    return ElementTree.fromstring(drawn)


def test_a_small_bar_chart_is_drawn_as_it_was_agreed() -> None:
    drawn = svg.bars("Units", ["A", "<b>"], {"units": [10, 5]}, size=200)
    assert drawn == (
        '<svg class="chart" role="img" viewBox="0 0 200 52" width="200" height="52" font-size="11" font-family="inherit">'
        "<title>Units</title><desc>A 10; &lt;b&gt; 5.</desc>"
        '<path class="s-grey" stroke="#8b95a1" d="M29.1,4v44"/>'
        '<text x="21.1" y="19" text-anchor="end" class="f-ink" fill="#24292f">A</text>'
        '<text x="21.1" y="41" text-anchor="end" class="f-ink" fill="#24292f">&lt;b&gt;</text>'
        '<rect x="29.1" y="7.5" width="150.1" height="15" class="f-blue" fill="#0072b2"><title>A: 10</title></rect>'
        '<rect x="29.1" y="29.5" width="75.1" height="15" class="f-blue" fill="#0072b2"><title>&lt;b&gt;: 5</title></rect>'
        '<text x="184.2" y="19" class="f-ink" fill="#24292f">10</text>'
        '<text x="109.2" y="41" class="f-ink" fill="#24292f">5</text></svg>'
    )


def test_a_line_breaks_where_nothing_is_known() -> None:
    day = date(2025, 1, 6)
    points = [(day + timedelta(weeks=i), None if i == 3 else float(i)) for i in range(8)]
    drawn = svg.lines("Sales", [svg.Line("sales", points)], y_title="units per week")
    line = re.search(r'<g class="s-blue"[^>]*>(.*?)</g>', drawn)
    assert line is not None
    assert line[1].count("<path") == 2
    assert "units per week" in drawn
    assert "sales from 2025-01-06 to 2025-02-24" in drawn


def test_stacked_bars_tell_their_parts_by_texture_as_well_as_colour() -> None:
    drawn = svg.bars("Due", ["DE", "FR"], {"seller": [1, 2], "customs": [3, 4]})
    root = parsed(drawn)
    fills = {r.get("fill") for r in root.iter("rect")}
    assert sum(str(f).startswith("url(#") for f in fills) == 1
    used = {str(f)[5:-1] for f in fills if str(f).startswith("url(#")}
    assert used <= {str(p.get("id")) for p in root.iter("pattern")}


def test_the_bar_lengths_are_in_proportion() -> None:
    root = parsed(svg.bars("Due", ["a", "b", "c"], {"x": [-10, 30, 60]}, size=500))
    widths = [float(r.get("width", 0)) for r in root.iter("rect")]
    assert widths[1] == pytest.approx(3 * widths[0], abs=0.3)
    assert widths[2] == pytest.approx(6 * widths[0], abs=0.6)


@pytest.mark.parametrize("draw", [svg.bars, svg.heatmap])
def test_nothing_to_draw_is_said(draw: object) -> None:
    drawn = svg.bars("t", [], {}) if draw is svg.bars else svg.heatmap("t", [], [], [])
    assert "nothing to draw" in drawn
    assert "nothing to draw" in svg.lines("t", []) and "nothing to draw" in svg.scatter("t", {}, x_title="", y_title="")


@settings(max_examples=60, deadline=None)
@example([5e-324], "", False)
@given(st.lists(VALUES, min_size=1, max_size=12), st.text(max_size=8), st.booleans())
def test_any_values_and_any_text_give_a_well_formed_chart(
    values: list[float | None], text: str, horizontal: bool
) -> None:
    labels = [f"{text}{i}" for i in range(len(values))]
    parsed(svg.bars(text, labels, {text: values}, horizontal=horizontal))
    parsed(
        svg.bars(text, labels, {"a": values, "b": list(reversed(values))}, ticks=("t", values), horizontal=horizontal)
    )
    day = date(2024, 2, 27)
    points = [(day + timedelta(days=i * 40), v) for i, v in enumerate(values)]
    band = svg.Band(text, [(x, v, v) for x, v in points])
    parsed(svg.lines(text, [svg.Line(text, points, step=horizontal)], [band], [svg.Mark(day, text)]))
    parsed(svg.lines(text, [svg.Line(text, [(float(i), v) for i, v in enumerate(values)])]))
    parsed(svg.heatmap(text, labels, ["x"], [[v] for v in values]))
    known = [(float(i), float(v), text) for i, v in enumerate(values) if v is not None]
    parsed(svg.scatter(text, {text: known}, x_title="x", y_title=text, guides=[("x", 1.0, text), ("y", 1.0, text)]))


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12), st.integers(2, 9))
def test_nice_ticks_span_the_data_and_are_few(low: float, length: float, count: int) -> None:
    a, b = scale.span([low, low + length], zero=False)
    ticks = scale.nice(a, b, count)
    assert ticks == sorted(set(ticks))
    tolerance = 1e-6 * (b - a) + 1e-9 * max(abs(a), abs(b))
    assert ticks[0] <= a + tolerance and ticks[-1] >= b - tolerance
    assert len(ticks) <= count + 3


@settings(max_examples=100, deadline=None)
@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(0, 30_000), st.integers(2, 9))
def test_date_ticks_lie_inside_and_are_few(start: date, days: int, count: int) -> None:
    low, high = start.toordinal(), min(start.toordinal() + days, date.max.toordinal())
    ticks = scale.dates(low, high, count)
    assert len(ticks) <= count
    assert all(low - 1e-6 <= at <= high + 1e-6 for at, _, _ in ticks)


def test_date_ticks_say_the_year_where_it_changes() -> None:
    ticks = scale.dates(date(2024, 10, 1).toordinal(), date(2025, 4, 1).toordinal(), 4)
    assert [(first, second) for _, first, second in ticks] == [("Oct", "2024"), ("Jan", "2025"), ("Apr", "")]


def test_weeks_are_marked_on_mondays() -> None:
    ticks = scale.dates(date(2025, 6, 1).toordinal(), date(2025, 7, 10).toordinal(), 6)
    assert {date.fromordinal(int(at)).weekday() for at, _, _ in ticks} == {0}


def test_large_ticks_are_shortened() -> None:
    assert scale.words([0.0, 2.5e6, 5e6]) == ["0", "2.5 M", "5 M"]
    assert scale.words([0.0, 0.05, 0.1], as_percent=True) == ["0 %", "5 %", "10 %"]
    assert scale.words([0.0, 2500.0]) == ["0", "2,500"]
