"""Bar charts, lying or standing, stacked or not, with marks for what each bar is compared with."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

from cbec.report import scale
from cbec.report.format import clip, figure, number, plain, width
from cbec.report.parts import SIZE, STACK, Head, empty, fill, hatches, lettering, opening, px, stroke, tip
from cbec.report.scale import Scale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def bars(
    title: str,
    labels: Sequence[str],
    stacks: Mapping[str, Sequence[float | None]],
    *,
    write: Callable[[float], str] = number,
    axis: str = "",
    size: float = 720,
    horizontal: bool = True,
    tones: Sequence[str] | None = None,
    hatched: Sequence[int] | None = None,
    texts: Sequence[str] | None = None,
    ticks: tuple[str, Sequence[float | None]] | None = None,
    reference: tuple[float, str] | None = None,
    desc: str = "",
) -> str:
    """Bars, one per label; several `stacks` lie on top of each other in their order.

    write: value -> its text, in tips and at the end of the bar unless `texts` gives one per bar. tones, hatched (0 plain, 1 to 3 a
    texture): per bar (one stack) or per stack. ticks: (name, a value per bar)
    drawn as a mark across the bar. reference: (value, name) drawn over all bars. Horizontal unless told otherwise.
    """
    if not labels:
        return empty(title, size)
    clean = {k: [figure(v) or 0.0 for v in values] for k, values in stacks.items()}
    totals = [math.fsum(v[i] for v in clean.values()) for i in range(len(labels))]
    ends = [math.fsum(max(v[i], 0.0) for v in clean.values()) for i in range(len(labels))]
    starts = [math.fsum(min(v[i], 0.0) for v in clean.values()) for i in range(len(labels))]
    extra = [*(ticks[1] if ticks else ()), *([reference[0]] if reference else ())]
    low, high = scale.span([*ends, *starts, *extra])
    many = len(stacks) > 1
    tone = list(tones or (STACK * len(stacks) if many else ["blue"] * len(labels)))
    hatch = [
        int(h) for h in hatched or ([i and (i - 1) % 3 + 1 for i in range(len(stacks))] if many else [0] * len(labels))
    ]
    key = f"h{zlib.crc32(repr((title, labels, sorted(stacks))).encode('utf-8', 'replace')):08x}"
    items: list[tuple[str, str, object]] = (
        [(k, "swatch", (tone[j], f"{key}{hatch[j]}" if hatch[j] else "")) for j, k in enumerate(stacks)] if many else []
    )
    if ticks:
        items.append((ticks[0], "tick", None))
    head = Head(items, size)
    top = head.height + (14 if reference else 4)
    ends_with = list(texts or [write(t) for t in totals])
    frame = _Bars(labels, ends_with, low, high, size, top, horizontal)
    told = desc or "; ".join(f"{plain(n)} {write(t)}" for n, t in list(zip(labels, totals, strict=True))[:12]) + "."
    out = [
        opening(title, told, size, frame.height + (16 if axis else 0)),
        hatches(key) if any(hatch) else "",
        head.drawn,
        frame.names(),
    ]
    values_at: list[str] = []
    for i, name in enumerate(labels):
        up = down = 0.0
        for j, (stack, values) in enumerate(clean.items()):
            value = values[i]
            base = up if value >= 0 else down
            up, down = (up + value, down) if value >= 0 else (up, down + value)
            which = j if many else i
            note = f"{name}, {stack}: {write(value)}" if many else f"{name}: {write(value)}"
            texture = f"{key}{hatch[which]}" if hatch[which] else ""
            out.append(frame.bar(i, base, base + value, tone[which], texture, note))
        mark = figure(ticks[1][i]) if ticks else None
        spot = starts[i] if totals[i] < 0 else ends[i]
        if ticks and mark is not None:
            out.append(frame.tick(i, mark, f"{ticks[0]}: {write(mark)}"))
            spot = min(spot, mark) if totals[i] < 0 else max(spot, mark)
        values_at.append(frame.value(i, spot, ends_with[i]))
    if reference:
        # Under the figures, which keep a margin of paper around them so that the line does not cross them.
        out += [frame.reference(*reference), f'<g class="halo">{"".join(values_at)}</g>']
    else:
        out += values_at
    out.append(lettering(size, frame.height + 11, axis, "end", tone="soft") if axis else "")
    return "".join(out) + "</svg>"


class _Bars:
    """Where bars lie, in either direction."""

    def __init__(
        self,
        labels: Sequence[str],
        texts: Sequence[str],
        low: float,
        high: float,
        size: float,
        top: float,
        horizontal: bool,
    ) -> None:
        self.labels, self.horizontal, self.size, self.top = [plain(x) for x in labels], horizontal, size, top
        room = max(width(t) for t in texts) * SIZE + 8
        if horizontal:
            self.left = min(size * 0.36, max(width(x) for x in self.labels) * SIZE + 10)
            self.slot = 22.0
            self.height = top + self.slot * len(labels) + 4
            self.at = Scale(low, high, self.left + (room if low < 0 else 0), max(size - room, self.left + 40))
        else:
            self.left = 4.0
            self.slot = (size - 8) / len(labels)
            self.height = top + 170
            self.at = Scale(low, high, self.height - 24 - (14 if low < 0 else 0), top + 14)

    def names(self) -> str:
        """The axis line and the names of the bars."""
        zero, length = px(self.at(0)), self.slot * len(self.labels)
        if self.horizontal:
            named = (
                lettering(
                    self.left - 8, self.top + (i + 0.5) * self.slot + 4, clip(x, (self.left - 8) / SIZE), "end", full=x
                )
                for i, x in enumerate(self.labels)
            )
            return f'<path {stroke("grey")} d="M{zero},{px(self.top)}v{px(length)}"/>' + "".join(named)
        named = (
            lettering(self.left + (i + 0.5) * self.slot, self.height - 8, clip(x, self.slot / SIZE), "middle", full=x)
            for i, x in enumerate(self.labels)
        )
        return f'<path {stroke("grey")} d="M{px(self.left)},{zero}h{px(length)}"/>' + "".join(named)

    def bar(self, i: int, start: float, end: float, tone: str, texture: str, note: str) -> str:
        """One rectangle from start to end in data units."""
        a, b = sorted((self.at(start), self.at(end)))
        near = self.slot * (0.16 if self.horizontal else 0.12)
        across, thick = (self.top if self.horizontal else self.left) + i * self.slot + near, self.slot - 2 * near
        x, y, w, h = (a, across, b - a, thick) if self.horizontal else (across, a, thick, b - a)
        if min(w, h) <= 0:
            return ""
        box = f'x="{px(x)}" y="{px(y)}" width="{px(w)}" height="{px(h)}"'
        hatch = f'<rect {box} fill="url(#{texture})" pointer-events="none"/>' if texture else ""
        return f"<rect {box} {fill(tone)}>{tip(note)}</rect>" + hatch

    def value(self, i: int, end: float, text: str) -> str:
        """The figure at the end of a bar."""
        spot = self.at(end)
        if self.horizontal:
            y = self.top + (i + 0.5) * self.slot + 4
            return lettering(spot - 5, y, text, "end") if end < 0 else lettering(spot + 5, y, text)
        return lettering(self.left + (i + 0.5) * self.slot, spot + (12 if end < 0 else -4), text, "middle")

    def tick(self, i: int, value: float, note: str) -> str:
        """A mark across a bar, for what it is compared with."""
        at, across = self.at(value), (self.top if self.horizontal else self.left) + i * self.slot
        d = (
            f"M{px(at)},{px(across + 1)}v{px(self.slot - 2)}"
            if self.horizontal
            else f"M{px(across + 1)},{px(at)}h{px(self.slot - 2)}"
        )
        return f'<path {stroke("ink")} stroke-width="2.5" d="{d}">{tip(note)}</path>'

    def reference(self, value: float, name: str) -> str:
        """A dashed line over all bars, named at its end."""
        at = self.at(value)
        if not self.horizontal:
            return (
                f'<path {stroke("ink")} stroke-dasharray="4 3" d="M{px(self.left)},{px(at)}H{px(self.size)}"/>'
                + lettering(self.size, at - 4, name, "end")
            )
        half = width(name) * SIZE / 2
        line = f'<path {stroke("ink")} stroke-dasharray="4 3" d="M{px(at)},{px(self.top - 2)}v{px(self.slot * len(self.labels) + 2)}"/>'
        return line + lettering(min(max(at, half), self.size - half), self.top - 5, name, "middle", tone="soft")
