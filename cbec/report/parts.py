"""The parts of charts: lettering, colours, symbols, hatches, legends. Colours never speak alone.

Colours are Okabe and Ito's, safe for the colour-blind; hatches, dashes, shapes and labels say the same without colour.
Every part carries its colour as an attribute and a class, so that a page may darken it.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from cbec.report.format import clip, plain, width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.scale import X

TONES = {
    "blue": "#0072b2", "orange": "#d55e00", "green": "#009e73", "purple": "#cc79a7",
    "sky": "#56b4e9", "ochre": "#e69f00", "grey": "#8b95a1", "ink": "#24292f", "soft": "#5b6570", "rule": "#e3e7eb", "on": "#ffffff",
}  # fmt: skip
STACK = ("blue", "ochre", "green", "purple", "sky", "orange", "grey")
_WIDE = 500.0  # width from which a chart is scrolled, not shrunk, on a telephone
SIZE = 11.0  # of the lettering, in pixels


@dataclass(frozen=True)
class Line:
    """A line through points in the order of x; None breaks it. `dash`: SVG dash pattern; `step`: holds until the next."""

    label: str
    points: Sequence[tuple[X, float | None]]
    tone: str = "blue"
    dash: str = ""
    step: bool = False


@dataclass(frozen=True)
class Band:
    """An area between low and high."""

    label: str
    points: Sequence[tuple[X, float | None, float | None]]
    tone: str = "blue"
    opacity: float = 0.2


@dataclass(frozen=True)
class Mark:
    """Something that happened at x. shape: line (over the whole height, labelled), up, cross or dot (at y)."""

    x: X
    label: str
    shape: str = "line"
    y: float = 0.0
    tone: str = "soft"


class Head:
    """The legend at the top of a chart, broken into as many lines as it needs."""

    def __init__(self, items: Sequence[tuple[str, str, object]], size: float) -> None:
        out: list[str] = []
        x, y = 0.0, 4.0
        for label, kind, thing in items:
            text = clip(label, size / SIZE - 4)
            long = 30 + width(text) * SIZE
            if x and x + long > size:
                x, y = 0.0, y + 17
            out.append(self._sample(kind, thing, x, y) + lettering(x + 23, y + 9, text))
            x += long + 10
        self.drawn = "".join(out)
        self.height = y + 18 if items else 0.0

    def _sample(self, kind: str, thing: object, x: float, y: float) -> str:
        box = f'x="{px(x)}" y="{px(y)}" width="18" height="11"'
        if isinstance(thing, Line):
            dash = f" stroke-dasharray={quoted(thing.dash)}" if thing.dash else ""
            return f'<path {stroke(thing.tone)} stroke-width="2"{dash} d="M{px(x)},{px(y + 6)}h18"/>'
        if isinstance(thing, Band):
            return f"<rect {box} {fill(thing.tone)} fill-opacity={quoted(thing.opacity)}/>"
        if isinstance(thing, Mark):
            return symbol(thing.shape, x + 9, y + 6, thing.tone)
        if kind == "shape" and isinstance(thing, int):
            return f"<g {fill(STACK[thing % 7])}>{shape(thing, x + 9, y + 6, '')}</g>"
        if isinstance(thing, tuple):
            tone, texture = thing
            return f"<rect {box} {fill(tone)}/>" + (f'<rect {box} fill="url(#{texture})"/>' if texture else "")
        return f'<path {stroke("ink")} stroke-width="2.5" d="M{px(x + 9)},{px(y)}v11"/>'


def symbol(shape: str, x: float, y: float, tone: str) -> str:
    """A mark: up (triangle), cross, line or dot."""
    if shape == "up":
        return f'<path {fill(tone)} d="M{px(x)},{px(y - 6)}l5.5,10h-11z"/>'
    if shape == "cross":
        return f'<path {stroke(tone)} stroke-width="2.2" d="M{px(x - 4)},{px(y - 4)}l8,8m0,-8l-8,8"/>'
    if shape == "line":
        return f'<path {stroke(tone)} stroke-dasharray="2 3" d="M{px(x)},{px(y - 6)}v12"/>'
    return f'<circle {fill(tone)} cx="{px(x)}" cy="{px(y)}" r="3"/>'


def shape(i: int, x: float, y: float, note: str) -> str:
    """A point of group i: circle, square, triangle, diamond, ..."""
    d = (
        f"M{px(x - 3)},{px(y)}a3,3 0 1 0 6,0a3,3 0 1 0 -6,0",
        f"M{px(x - 3)},{px(y - 3)}h6v6h-6z",
        f"M{px(x)},{px(y - 4)}l4,7h-8z",
        f"M{px(x)},{px(y - 4)}l4,4l-4,4l-4,-4z",
        f"M{px(x)},{px(y + 4)}l4,-7h-8z",
        f"M{px(x - 4)},{px(y - 1)}h3v-3h2v3h3v2h-3v3h-2v-3h-3z",
    )[i % 6]
    return f'<path d="{d}">{tip(note)}</path>' if note else f'<path d="{d}"/>'


def hatches(key: str) -> str:
    """Three textures, named key1 to key3: the key must be the chart's own, since names hold for the whole page."""
    strokes = ("M0,6L6,0", "M0,0L6,6", "M3,3h.1")
    made = (
        f'<pattern id="{key}{j}" width="6" height="6" patternUnits="userSpaceOnUse">'
        f'<path d="{d}" stroke="#fff" stroke-opacity="0.75" stroke-width="{2.4 if j == 3 else 1.1}" stroke-linecap="round"/></pattern>'
        for j, d in enumerate(strokes, 1)
    )
    return f"<defs>{''.join(made)}</defs>"


def empty(title: str, size: float) -> str:
    """What stands where there is nothing to draw."""
    return opening(title, "Nothing to draw.", size, 40) + lettering(0, 22, "nothing to draw", tone="soft") + "</svg>"


def opening(title: str, desc: str, w: float, h: float) -> str:
    """The start of a chart: size, title and description for those who do not see it."""
    return (
        f'<svg class="{"chart wide" if w > _WIDE else "chart"}" role="img" viewBox="0 0 {px(w)} {px(h)}" width="{px(w)}" height="{px(h)}" font-size="11"'
        f' font-family="inherit"><title>{safe(title)}</title><desc>{safe(desc)}</desc>'
    )


def lettering(x: float, y: float, text: str, anchor: str = "start", tone: str = "ink", full: str = "") -> str:
    """Text; `full` is its tip where the text was cut."""
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    note = tip(full) if full and plain(full) != text else ""
    return f'<text x="{px(x)}" y="{px(y)}"{side} {fill(tone)}>{note}{safe(text)}</text>' if text else ""


def fill(tone: str) -> str:
    """Class and colour of an area."""
    return f'class="f-{tone}" fill="{TONES[tone]}"'


def stroke(tone: str) -> str:
    """Class and colour of a line."""
    return f'class="s-{tone}" stroke="{TONES[tone]}"'


def tip(text: str) -> str:
    """What a pointer shows."""
    return f"<title>{safe(text)}</title>"


def safe(text: str) -> str:
    """Text that HTML cannot mistake."""
    return escape(plain(text))


def quoted(value: object) -> str:
    """An attribute's value."""
    return f'"{safe(str(value))}"'


def trail(spots: Sequence[tuple[float, float]], step: bool = False) -> str:
    """The path through these points, each told by its distance from the one before: half the length of places.

    Distances are taken between rounded places, so that rounding does not add up along the path.
    """
    tenths = [(round(x * 10), round(y * 10)) for x, y in spots]
    out = [f"M{px(tenths[0][0] / 10)},{px(tenths[0][1] / 10)}", "" if step else "l"]
    for (a, b), (x, y) in pairwise(tenths):
        across, down = _brief(x - a), _brief(y - b)
        if step:
            out.append((f"h{across}" if x != a else "") + (f"v{down}" if y != b else ""))
        else:
            out.append(
                f"{'' if across[0] == '-' or out[-1] == 'l' else ' '}{across}{'' if down[0] == '-' else ' '}{down}"
            )
    return "".join(out)


def _brief(tenths: int) -> str:
    text = px(tenths / 10)
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def px(value: float) -> str:
    """A coordinate with one decimal at most."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
