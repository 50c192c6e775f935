"""Static charts as SVG text from plain data: no script, no reference to anything outside, same data same bytes.

Pure functions. Titles are for tips and screen readers; the page writes them above the chart.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from cbec.report import scale
from cbec.report.barchart import bars
from cbec.report.format import clip, day, figure, number, plain, short, width
from cbec.report.parts import (
    SIZE,
    STACK,
    Band,
    Head,
    Line,
    Mark,
    empty,
    fill,
    lettering,
    opening,
    px,
    quoted,
    shape,
    stroke,
    symbol,
    tip,
    trail,
)
from cbec.report.scale import Scale, Tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: Size of a picture among several: as narrow as a column of them on the page (style.css), and a little more.
SMALL = (340.0, 190.0)

__all__ = ["SMALL", "Band", "Line", "Mark", "bars", "heatmap", "interval", "legend", "lines", "scatter"]


def lines(
    title: str,
    lines: Sequence[Line],
    bands: Sequence[Band] = (),
    marks: Sequence[Mark] = (),
    *,
    y_title: str = "",
    x_title: str = "",
    size: tuple[float, float] = (720, 280),
    legend: bool = True,
    as_percent: bool = False,
    desc: str = "",
) -> str:
    """Lines over dates or numbers, with bands and marks: fan charts, stock projections, plain time series."""
    xs = [p[0] for line in lines for p in line.points] + [p[0] for b in bands for p in b.points]
    if not xs:
        return empty(title, size[0])
    dated = not isinstance(xs[0], (int, float))
    values = [p[1] for line in lines for p in line.points] + [v for b in bands for p in b.points for v in p[1:]]
    low, high = scale.span([*values, *(m.y for m in marks if m.shape != "line")])
    ys = scale.nice(low, high, max(2, int(size[1] / 55)))
    labels = scale.words(ys, as_percent)
    left = 8 + max(width(t) for t in labels) * SIZE
    head = Head(
        [*((b.label, "band", b) for b in bands), *((n.label, "line", n) for n in lines)] if legend else [], size[0]
    )
    top = head.height + (20 if y_title else 6) + (12 if any(m.shape == "line" and m.label for m in marks) else 0)
    bottom = size[1] - (32 if dated or x_title else 20)
    at_y = Scale(ys[0], ys[-1], bottom, top)
    places = [scale.place(x) for x in xs]
    x_low, x_high = scale.span(places, zero=False)
    if dated and min(places) == max(places):
        x_low, x_high = places[0] - 3, places[0] + 3  # a single day, not half of all time around it
    at_x = Scale(x_low, x_high, left, size[0] - 12)
    room = max(2, int((size[0] - left) / 62))
    if dated:
        ticks = scale.dates(x_low, x_high, room)
    else:
        found = [v for v in scale.nice(x_low, x_high, room) if x_low <= v <= x_high]
        ticks = [(v, t, "") for v, t in zip(found, scale.words(found), strict=True)]
    first, last = (day(min(xs)), day(max(xs))) if dated else (number(x_low), number(x_high))
    told = (
        desc
        or f"{', '.join(n.label for n in lines)} from {first} to {last}, between {short(low)} and {short(high)} {y_title}."
    )
    out = [opening(title, told, *size), head.drawn, _grid(ys, labels, at_y, left, size[0] - 12)]
    if y_title:
        out.append(lettering(0, head.height + 10, y_title, tone="soft"))
    out += [
        _x_axis(ticks, at_x, bottom, size[0]),
        lettering(size[0] - 12, size[1] - 3, x_title, "end", tone="soft") if x_title else "",
    ]
    for band in bands:
        out.append(f"<g {fill(band.tone)} fill-opacity={quoted(band.opacity)}>{_areas(band, at_x, at_y)}</g>")
    for line in lines:
        dash = f" stroke-dasharray={quoted(line.dash)}" if line.dash else ""
        out.append(
            f'<g {stroke(line.tone)} fill="none" stroke-width="1.7" stroke-linejoin="round"{dash}>{_path(line, at_x, at_y)}</g>'
        )
    out += _marks(marks, at_x, at_y, top, bottom, size[0])
    return "".join(out) + "</svg>"


def scatter(
    title: str,
    groups: Mapping[str, Sequence[tuple[float, float, str]]],
    *,
    x_title: str,
    y_title: str,
    guides: Sequence[tuple[str, float, str]] = (),
    limits: tuple[float | None, float | None] = (None, None),
    size: tuple[float, float] = (720, 320),
    desc: str = "",
) -> str:
    """Points (x, y, what it is) by group, each group with its own shape. guides: ("x" or "y", value, name) lines.

    Points beyond `limits` (x, y) are drawn at the edge, so that one outlier does not squeeze the others.
    """
    points = [p for group in groups.values() for p in group if figure(p[0]) is not None and figure(p[1]) is not None]
    if not points:
        return empty(title, size[0])

    def axis(which: int, name: str, count: int) -> list[float]:
        limit = limits[which]
        values = [p[0] if which == 0 else p[1] for p in points] + [v for n, v, _ in guides if n == name]
        low, high = scale.span([v if limit is None else min(v, limit) for v in values], zero=which == 1)
        return scale.nice(low, high, count)

    xs, ys = axis(0, "x", 8), axis(1, "y", 6)
    head = Head([(name, "shape", i) for i, name in enumerate(groups)], size[0])
    top, bottom = head.height + 28, size[1] - 34
    labels = scale.words(ys)
    left = 8 + max(width(t) for t in labels) * SIZE
    at_x, at_y = Scale(xs[0], xs[-1], left, size[0] - 12), Scale(ys[0], ys[-1], bottom, top)
    told = desc or "; ".join(f"{name}: {len(group)} points" for name, group in groups.items()) + "."
    out = [opening(title, told, *size), head.drawn, _grid(ys, labels, at_y, left, size[0] - 12)]
    out.append(_x_axis([(v, t, "") for v, t in zip(xs, scale.words(xs), strict=True)], at_x, bottom, size[0]))
    out += [
        lettering(0, head.height + 11, y_title, tone="soft"),
        lettering(size[0] - 12, size[1] - 3, x_title, "end", tone="soft"),
    ]
    for name, value, told in guides:
        x, y = (at_x(value), at_y(value))
        d = f"M{px(x)},{px(top)}V{px(bottom)}" if name == "x" else f"M{px(left)},{px(y)}H{px(size[0] - 12)}"
        out.append(f'<path {stroke("soft")} stroke-dasharray="4 3" d="{d}"/>')
        out.append(
            lettering(x + 4, top + 8, told, tone="soft")
            if name == "x"
            else lettering(size[0] - 14, y - 4, told, "end", tone="soft")
        )
    for i, group in enumerate(groups.values()):
        drawn = (
            shape(i, at_x(min(x, xs[-1])), at_y(min(y, ys[-1])), note)
            for x, y, note in group
            if figure(x) is not None and figure(y) is not None
        )
        out.append(f'<g {fill(STACK[i % 7])} fill-opacity="0.75">{"".join(drawn)}</g>')
    return "".join(out) + "</svg>"


def heatmap(
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    write: Callable[[float], str] = number,
    note: str = "darker = larger",
    size: float = 720,
    desc: str = "",
) -> str:
    """A grid of cells, darker for larger values, each with its figure; empty cells where nothing is known."""
    known = [v for row in values for v in (figure(v) for v in row) if v is not None]
    if not known or not rows or not columns:
        return empty(title, size)
    low, high = scale.span(known, zero=False)
    left = min(size * 0.35, max(width(plain(r)) for r in rows) * SIZE + 10)
    cell, tall = (size - left) / len(columns), 24.0
    out = [
        opening(
            title,
            desc or f"{len(rows)} rows by {len(columns)} columns, from {write(low)} to {write(max(known))}.",
            size,
            40 + tall * len(rows),
        )
    ]
    out += [
        lettering(left + (j + 0.5) * cell, 12, clip(c, cell / SIZE), "middle", tone="soft")
        for j, c in enumerate(columns)
    ]
    for i, row in enumerate(rows):
        y = 18 + i * tall
        out.append(lettering(left - 8, y + 16, clip(row, (left - 8) / SIZE), "end"))
        for j, raw in enumerate(values[i]):
            value = figure(raw)
            share = 0.0 if value is None else (value - low) / (high - low)
            cell_tip = f"{row}, {columns[j]}: {'not known' if value is None else write(value)}"
            box = f'x="{px(left + j * cell + 1)}" y="{px(y + 1)}" width="{px(cell - 2)}" height="{px(tall - 2)}"'
            paint = fill("rule") if value is None else f'{fill("blue")} fill-opacity="{0.08 + 0.84 * share:.2f}"'
            out.append(f"<rect {box} {paint}>{tip(cell_tip)}</rect>")
            if value is not None:
                out.append(
                    lettering(left + (j + 0.5) * cell, y + 16, write(value), "middle", "on" if share > 0.62 else "ink")
                )
    return "".join(out) + lettering(size, 34 + tall * len(rows), note, "end", tone="soft") + "</svg>"


def interval(
    title: str, low: float, middle: float, high: float, *, write: Callable[[float], str] = number, size: float = 420
) -> str:
    """A range with its middle beside zero: how sure a difference of money is."""
    a, b = scale.span([low, middle, high])
    pad = (b - a) * 0.04
    at = Scale(a - pad, b + pad, 6, size - 6)
    out = [opening(title, f"{write(low)} to {write(high)}, middle {write(middle)}, beside zero.", size, 44)]
    out.append(f'<path {stroke("rule")} d="M6,16H{px(size - 6)}"/><path {stroke("ink")} d="M{px(at(0))},5V27"/>')
    out.append(f'<path {stroke("blue")} stroke-width="6" stroke-opacity="0.45" d="M{px(at(low))},16H{px(at(high))}"/>')
    out.append(f'<circle {fill("blue")} cx="{px(at(middle))}" cy="16" r="5"/>')
    spots = [(at(0), "0"), (at(low), write(low)), (at(high), write(high))]
    taken: list[tuple[float, float]] = []
    for x, text in spots:
        half = width(text) * SIZE / 2
        x = min(max(x, half), size - half)  # noqa: PLW2901
        if all(x + half < start or x - half > end for start, end in taken):
            taken.append((x - half, x + half))
            out.append(lettering(x, 40, text, "middle", tone="soft"))
    return "".join(out) + "</svg>"


def legend(items: Iterable[Line | Band | Mark], size: float = 720) -> str:
    """One legend for several small charts."""
    kinds = {Line: "line", Band: "band", Mark: "mark"}
    head = Head([(i.label, kinds[type(i)], i) for i in items], size)
    return opening("Legend", "What the lines and areas mean.", size, head.height) + head.drawn + "</svg>"


# --- parts ---------------------------------------------------------------------------------------------------------


def _marks(marks: Sequence[Mark], at_x: Scale, at_y: Scale, top: float, bottom: float, size: float) -> list[str]:
    out: list[str] = []
    free = -math.inf  # right end of the last label, so that labels do not lie on each other
    for mark in sorted(marks, key=lambda m: (scale.place(m.x), m.label)):
        x = at_x(scale.place(mark.x))
        if mark.shape != "line":
            out.append(f"<g>{tip(f'{mark.label} {day(mark.x)}')}{symbol(mark.shape, x, at_y(mark.y), mark.tone)}</g>")
            continue
        half = width(mark.label) * SIZE / 2
        middle = min(max(x, half), size - half)
        out.append(
            f'<path {stroke(mark.tone)} stroke-dasharray="2 3" d="M{px(x)},{px(top)}V{px(bottom)}">{tip(f"{mark.label} {day(mark.x)}")}</path>'
        )
        if middle - half > free:
            out.append(lettering(middle, top - 4, mark.label, "middle", tone=mark.tone))
            free = middle + half + 4
    return out


def _path(line: Line, at_x: Scale, at_y: Scale) -> str:
    out: list[str] = []
    for known, run in groupby(line.points, key=lambda p: figure(p[1]) is not None):
        spots = [(at_x(scale.place(x)), at_y(float(y or 0.0))) for x, y in run] if known else []
        if len(spots) == 1:
            out.append(
                f'<circle {fill(line.tone)} cx="{px(spots[0][0])}" cy="{px(spots[0][1])}" r="1.8" stroke="none"/>'
            )
        elif spots:
            out.append(f'<path d="{trail(spots, line.step)}"/>')
    return "".join(out)


def _areas(band: Band, at_x: Scale, at_y: Scale) -> str:
    out: list[str] = []
    for known, run in groupby(band.points, key=lambda p: figure(p[1]) is not None and figure(p[2]) is not None):
        if known:
            spots = [(at_x(scale.place(x)), at_y(float(a or 0.0)), at_y(float(b or 0.0))) for x, a, b in run]
            if len(spots) == 1:  # one period is a bar, or it would have no area
                (x, a, b) = spots[0]
                spots = [(x - 3, a, b), (x + 3, a, b)]
            there = [(x, high) for x, _, high in spots]
            out.append(f'<path d="{trail([*there, *((x, low) for x, low, _ in reversed(spots))])}Z"/>')
    return "".join(out)


def _grid(ys: Sequence[float], labels: Sequence[str], at_y: Scale, left: float, right: float) -> str:
    drawn = "".join(f"M{px(left)},{px(at_y(y))}H{px(right)}" for y in ys)
    zero = f'<path {stroke("grey")} d="M{px(left)},{px(at_y(0))}H{px(right)}"/>' if ys[0] <= 0 <= ys[-1] else ""
    named = "".join(lettering(left - 5, at_y(y) + 4, t, "end", tone="soft") for y, t in zip(ys, labels, strict=True))
    return f'<path {stroke("rule")} d="{drawn}"/>{zero}{named}'


def _x_axis(ticks: Sequence[Tick], at_x: Scale, bottom: float, size: float) -> str:
    out: list[str] = []
    for value, first, second in ticks:
        x = at_x(value)
        out.append(f'<path {stroke("grey")} d="M{px(x)},{px(bottom)}v4"/>')
        for text, y in ((first, bottom + 15), (second, bottom + 27)):
            half = width(text) * SIZE / 2
            out.append(lettering(min(x, size - half), y, text, "middle", tone="soft") if text else "")
    return "".join(out)
