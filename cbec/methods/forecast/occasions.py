"""Holidays and events: the effect of each on all series that have it and on each crowd of them, and whether its occasions tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast.byday import LEAST, MOST, shrunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.covariates import Line

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]

#: Part of what its occasions were off, each told by the others, that a holiday or an event may leave to have proved itself.
PROVED = 0.5


@dataclass(frozen=True)
class Found:
    """Effects of L lines: u, on all that have them; inside, on each crowd (L x C, 0 where it has none); proved: whether the occasions
    of a line tell each other."""

    u: Floats
    inside: Floats
    proved: Flags


def nothing(lines: int, crowds: int) -> Found:
    """Lines without any effect."""
    return Found(np.zeros(lines), np.zeros((lines, crowds)), np.zeros(lines, bool))


def crowds(market: Ints, group: Ints) -> Ints:
    """N: numbers of the series of one market and group, in which holidays, events and promotions have effects of their own."""
    return np.unique(np.stack([market, group]), axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)


def learn(
    lines: Sequence[Line], home: Ints, large: Flags, sold: Floats, usual: Floats, before: Found, apart: int
) -> Found:
    """Events each; then holidays: those of a market together, then each, beside events, which somebody named. Then either in each large crowd.

    home: C, the market of each crowd; large: C, whether it is. sold, usual: C x T', what crowds sold and what they would have without any line (sums over series
    tell all of it). before: effects as they stood, which the other lines keep meanwhile. apart: see `_proved`.
    """
    u, inside, proved = before.u.copy(), before.inside.copy(), before.proved.copy()
    width = sold.shape[1]
    x = np.stack([line.x[:width] for line in lines])
    groups: dict[tuple[str, bytes], list[int]] = {}
    for i, line in sorted(enumerate(lines), key=lambda one: one[1].kind == "holiday"):
        around = line.kind == "holiday" and line.name.endswith(("before", "after"))
        key = (line.kind, line.markets.tobytes()) if line.kind == "holiday" and not around else (str(i), b"")
        groups.setdefault(key, []).append(i)

    def off(of: Floats, members: list[int]) -> tuple[Floats, Floats]:
        """X times what the crowds of these lines sold more than they would have without on days of x, and x squared times that."""
        here = lines[members[0]].markets[home]
        excess, weight = np.zeros((int(here.sum()), width)), np.zeros((int(here.sum()), width))
        days = np.flatnonzero(of)
        if days.size:
            rest = [i for i in np.flatnonzero(x[:, days].any(1)).tolist() if i not in members]
            base = usual[here][:, days] * factor([lines[i] for i in rest], inside[rest], days)[here]
            excess[:, days] = of[days] * (sold[here][:, days] - base)
            weight[:, days] = of[days] ** 2 * base
        return excess, weight

    for members in groups.values():
        prior = 0.0
        if len(members) > 1:
            excess, weight = off(np.minimum(x[members].sum(0), 1.0), members)
            prior = shrunk(excess.sum(0), weight.sum(0), 0.0)
        for i in members:
            excess, weight = off(x[i], [i])
            u[i] = shrunk(excess.sum(0), weight.sum(0), prior)
            proved[i] = _proved(excess.sum(0), weight.sum(0), x[i], apart)
            here = np.flatnonzero(lines[i].markets[home])
            inside[i, here] = u[i]
            for crowd, e, w in zip(here, excess, weight, strict=True) if here.size > 1 else ():
                if large[crowd]:
                    inside[i, crowd] = shrunk(e, w, float(u[i]))
    return Found(u, inside, proved)


def factor(lines: Sequence[Line], inside: Floats, days: Ints) -> Floats:
    """Crowds x days: product of the factors of lines whose effects are `inside`, on these periods."""
    out = np.ones((inside.shape[1], len(days)))
    for line, effect in zip(lines, inside, strict=True):
        here = np.flatnonzero(effect)
        if here.size:
            out[here] *= np.clip(1 + effect[here, None] * line.x[days], LEAST, MOST)
    return out


def _proved(excess: Floats, weight: Floats, x: Floats, apart: int) -> bool:
    """Whether what is learnt of a line without one of its occasions leaves at most PROVED of what that one was off.

    excess, weight: see `shrunk`; between two occasions lie more than `apart` periods without it. Last year's tells of this year's
    although no past origin that is judged has it in its horizon.
    """
    days = np.flatnonzero(x)
    of = np.cumsum(np.diff(days, prepend=days[:1]) > apart)
    if not days.size or of[-1] < 1:
        return False
    off = left = 0.0
    for one in range(int(of[-1]) + 1):
        here, rest = days[of == one], days[of != one]
        gap, size = float(excess[here].sum()), float(weight[here].sum())
        off += gap**2
        left += (gap - shrunk(excess[rest], weight[rest], 0.0) * size) ** 2
    return left <= PROVED * off
