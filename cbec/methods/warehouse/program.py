"""Transfers as a linear programme, solved by HiGHS (through SciPy): units per flow, pieces of cost, trips.

The cost of a position is convex and made of straight pieces in the stock that serves each window. Where one expression
of stock decides (it only sends, or only receives by one window; or every review by itself, where demand waits), its
pieces are bounded columns between the borders at which the slope changes. Where stock changes twice (sends and
receives, or receives early and late) and lost demand ties the windows together, the units lost on each path are
columns, bounded from below window by window.

Trips are whole: volume <= room x trips, and units <= useful units x open, for each flow by itself. That second row
makes no plan impossible, but it keeps the relaxation from opening a hundredth of a trip for a hundredth of a lot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cbec.methods.warehouse.fan import WEIGHT
from cbec.methods.warehouse.transfer import outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.warehouse.transfer import Network

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Relative gap at which a search counts as finished.
GAP = 1e-4


@dataclass(frozen=True)
class Solved:
    """qty: units per flow (not yet whole), None where nothing was found. bound: no plan costs less (None: none known).
    status: optimal, feasible (stopped by the clock) or none."""

    qty: Floats | None
    bound: float | None
    status: str


class Program:
    """The programme of one network. `constant`: what positions without any flow cost."""

    def __init__(self, net: Network, useful: Floats) -> None:
        self.net, self.useful = net, useful
        self._rows: list[tuple[list[int], list[float]]] = []
        self._low: list[float] = []
        self._high: list[float] = []
        self._cost: list[Floats] = [net.cost.copy()]
        self._upper: list[Floats] = [useful.copy()]
        self._lower: list[Floats] = [np.zeros(net.flows)]
        self._columns = net.flows
        self.constant = 0.0
        self.tied = 0
        sends: dict[int, list[int]] = {}
        gets: dict[int, list[int]] = {}
        for flow in range(net.flows):
            sends.setdefault(int(net.source[flow]), []).append(flow)
            gets.setdefault(int(net.target[flow]), []).append(flow)
        cost = outcome(net, np.repeat(net.stock[:, None], net.span.shape[1], axis=1)).cost
        idle = np.ones(len(net.stock), bool)
        for position in sorted(sends.keys() | gets.keys()):
            idle[position] = False
            self._position(position, sends.get(position, []), gets.get(position, []))
        self.constant += float(cost[idle].sum())

    # --- building --------------------------------------------------------------------------------------------------

    def _row(self, columns: list[int], values: list[float], low: float, high: float) -> None:
        self._rows.append((columns, values))
        self._low.append(low)
        self._high.append(high)

    def _add(self, cost: Floats, lower: Floats, upper: Floats) -> list[int]:
        start = self._columns
        self._columns += len(cost)
        self._cost.append(cost)
        self._lower.append(lower)
        self._upper.append(upper)
        return list(range(start, self._columns))

    def _position(self, at: int, out: list[int], into: list[int]) -> None:
        net = self.net
        if out:
            self._row(out, [1.0] * len(out), -np.inf, float(net.stock[at]))
        if not net.lost:
            self._reviews(at, out, into)
            return
        windows = sorted({int(net.window[f]) for f in into})
        if (out and into) or len(windows) > 1:
            self._chain(at, out, into)
        else:
            self._hinges(at, out, into, windows[0] if windows else 0)

    def _reviews(self, at: int, out: list[int], into: list[int]) -> None:
        """Demand waits: the cost of each review is a function of the stock that has come by then."""
        net = self.net
        for r in range(net.span.shape[1]):
            days = float(net.span[at, r])
            if days <= 0:
                continue
            here = [f for f in into if net.window[f] <= r]
            borders = net.demand[at, r] - net.coming[at, r]
            rate, wait = float(net.hold[at]) * days, float(net.short[at])
            # (D - V)+ and (V - D)+ = V - D + (D - V)+
            weights = WEIGHT * (wait + rate)
            self._pieces(at, out, here, borders, weights, rate, -rate * float(WEIGHT @ borders))

    def _hinges(self, at: int, out: list[int], into: list[int], first: int) -> None:
        """Demand is lost, and one expression of stock serves all windows from `first` on."""
        net = self.net
        excess, span = net.excess[at], net.span[at]
        stock, hold, short = float(net.stock[at]), float(net.hold[at]), float(net.short[at])
        before = np.maximum.accumulate(np.maximum(excess - stock, 0.0), axis=0)
        lost = before[first - 1] if first else np.zeros(len(WEIGHT))
        borders = np.maximum.accumulate(excess[first:], axis=0) - lost
        later = np.append(span[first + 1 :], 0.0)
        weights = WEIGHT * (hold / 2 * (span[first:] + later))[:, None]
        weights[-1] += WEIGHT * short
        # Of the windows before, and what does not depend on the stock in those from `first` on.
        level = net.coming[at][:, None] - net.demand[at] + np.where(np.arange(len(span))[:, None] < first, before, lost)
        ends = level + stock * (np.arange(len(span)) < first)[:, None]
        fixed = float(WEIGHT @ (short * lost))
        for g in range(len(span)):
            if g < first:
                start = max(stock, 0.0) if g == 0 else ends[g - 1]
            elif g == first:
                start = 0.0 if g == 0 else ends[g - 1] - stock
            else:
                start = level[g - 1]
            fixed += float(WEIGHT @ ((start + ends[g]) * (hold / 2 * span[g])))
        self._pieces(at, out, into, borders.ravel(), weights.ravel(), hold * float(span[first:].sum()), fixed)

    def _pieces(
        self, at: int, out: list[int], into: list[int], borders: Floats, weights: Floats, rate: float, fixed: float
    ) -> None:
        """fixed + rate V + sum of weights (borders - V)+, with V = stock - out + into."""
        net = self.net
        stock = float(net.stock[at])
        low = max(stock - float(self.useful[out].sum()), 0.0) if out else stock
        high = stock + float(self.useful[into].sum()) if into else stock
        self.constant += fixed + rate * low + float(weights @ np.maximum(borders - low, 0.0))
        if high <= low:
            return
        inner = np.unique(borders[(borders > low + 1e-6) & (borders < high - 1e-6)])
        points = np.concatenate([[low], inner, [high]])
        middle = (points[1:] + points[:-1]) / 2
        order = np.argsort(borders)
        above = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)
        slope = rate - above[np.searchsorted(borders[order], middle)]
        width = np.diff(points)
        pieces = self._add(slope, np.zeros(len(width)), width)
        columns = [*pieces, *out, *into]
        values = [1.0] * (len(pieces) + len(out)) + [-1.0] * len(into)
        self._row(columns, values, stock - low, stock - low)

    def _chain(self, at: int, out: list[int], into: list[int]) -> None:
        """Demand is lost, and stock changes more than once: units lost by each window's end, path by path."""
        net = self.net
        self.tied += 1
        excess, span = net.excess[at], net.span[at]
        stock, hold, short = float(net.stock[at]), float(net.hold[at]), float(net.short[at])
        paths = len(WEIGHT)
        after = np.append(span[1:], 0.0)
        fixed = hold / 2 * float(span[0]) * max(stock, 0.0)
        level = net.coming[at][:, None] - net.demand[at] + stock
        ahead: list[int] = []
        for g in range(len(span)):
            weight = WEIGHT * (hold / 2 * (span[g] + after[g]) + (short if g == len(span) - 1 else 0.0))
            lost = self._add(weight, np.zeros(paths), np.full(paths, np.inf))
            fixed += float(WEIGHT @ level[g]) * hold / 2 * float(span[g] + after[g])
            here = [f for f in into if net.window[f] <= g]
            for q in range(paths):
                columns, values = [lost[q], *out, *here], [1.0] + [-1.0] * len(out) + [1.0] * len(here)
                self._row(columns, values, float(excess[g, q] - stock), np.inf)
                if ahead:
                    self._row([lost[q], ahead[q]], [1.0, -1.0], 0.0, np.inf)
            ahead = lost
        days = float(span.sum())
        self._cost[0][out] -= hold * days
        for flow in into:
            self._cost[0][flow] += hold * float(span[net.window[flow] :].sum())
        self.constant += fixed

    # --- solving ---------------------------------------------------------------------------------------------------

    def relaxed(self, per_m3: Floats, room: Floats | None = None) -> Solved:
        """Trips priced by volume. per_m3: of each lane, inf = closed. room: m3 of each lane that may be used."""
        net = self.net
        closed = ~np.isfinite(per_m3)[net.lane]
        cost, lower, upper = self._bounds()
        cost[: net.flows] += np.where(closed, 0.0, np.where(np.isfinite(per_m3), per_m3, 0.0)[net.lane] * net.m3)
        upper[: net.flows][closed] = 0.0
        rows = [] if room is None else [self._volume(lane, float(room[lane]), None) for lane in self._limited(room)]
        return self._solve(cost, lower, upper, rows, None, None)

    def whole(self, seconds: float) -> Solved:
        """Whole trips, proved or stopped by the clock."""
        net = self.net
        cost, lower, upper = self._bounds()
        rows: list[tuple[list[int], list[float], float, float]] = []
        lanes = [int(lane) for lane in np.unique(net.lane) if net.lanes.fixed[lane] > 0]
        start = len(cost)
        n = len(lanes)
        trip = {lane: start + i for i, lane in enumerate(lanes)}
        opened = {lane: start + n + i for i, lane in enumerate(lanes)}
        most = np.zeros(n)
        for i, lane in enumerate(lanes):
            volume = float((net.m3 * self.useful)[net.lane == lane].sum())
            most[i] = max(np.ceil(volume / net.lanes.room[lane] - 1e-9), 1.0)
            if np.isfinite(net.lanes.room[lane]):
                rows.append(self._volume(lane, 0.0, (trip[lane], -float(net.lanes.room[lane]))))
            rows.append(([opened[lane], trip[lane]], [1.0, -1.0], -np.inf, 0.0))
        for flow in range(net.flows):
            lane = int(net.lane[flow])
            if lane in opened:
                rows.append(([flow, opened[lane]], [1.0, -float(self.useful[flow])], -np.inf, 0.0))
        cost = np.concatenate([cost, net.lanes.fixed[lanes], np.zeros(n)])
        lower, upper = np.append(lower, np.zeros(2 * n)), np.concatenate([upper, most, np.ones(n)])
        whole = np.zeros(len(cost))
        whole[start:] = 1
        return self._solve(cost, lower, upper, rows, whole, seconds)

    def _bounds(self) -> tuple[Floats, Floats, Floats]:
        return np.concatenate(self._cost), np.concatenate(self._lower), np.concatenate(self._upper)

    def _limited(self, room: Floats) -> list[int]:
        return [int(lane) for lane in np.unique(self.net.lane) if np.isfinite(room[lane])]

    def _volume(
        self, lane: int, room: float, more: tuple[int, float] | None
    ) -> tuple[list[int], list[float], float, float]:
        flows = np.flatnonzero(self.net.lane == lane)
        columns, values = flows.tolist(), self.net.m3[flows].tolist()
        if more is not None:
            columns, values = [*columns, more[0]], [*values, more[1]]
        return columns, values, -np.inf, room

    def _solve(
        self,
        cost: Floats,
        lower: Floats,
        upper: Floats,
        rows: list[tuple[list[int], list[float], float, float]],
        whole: Floats | None,
        seconds: float | None,
    ) -> Solved:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        every = [*((c, v) for c, v in self._rows), *((c, v) for c, v, _, _ in rows)]
        start = np.concatenate([[0], np.cumsum([len(c) for c, _ in every])])
        index = np.concatenate([np.asarray(c, dtype=np.int32) for c, _ in every])
        value = np.concatenate([np.asarray(v, dtype=np.float64) for _, v in every])
        matrix = csr_array((value, index, start), shape=(len(every), len(cost)))
        low, high = [*self._low, *(r[2] for r in rows)], [*self._high, *(r[3] for r in rows)]
        options: Any = {"mip_rel_gap": GAP} if seconds is None else {"mip_rel_gap": GAP, "time_limit": seconds}
        found: Any = milp(
            cost,
            constraints=LinearConstraint(matrix, np.array(low), np.array(high)),
            bounds=Bounds(lower, upper),
            integrality=None if whole is None else whole.astype(np.int64),
            options=options,
        )
        # Without integers the answer is its own bound.
        bound = found.fun if whole is None else found.mip_dual_bound
        known = bound is not None and bool(np.isfinite(bound))
        status = "optimal" if found.status == 0 else "feasible" if found.x is not None else "none"
        qty = None if found.x is None else found.x[: self.net.flows]
        return Solved(qty, float(bound) + self.constant if known else None, status)
