"""Forecasts of a hierarchy made to add up: weighted least squares (MinT with a diagonal covariance), never negative.

Wickramasuriya, Athanasopoulos and Hyndman (2019), "Optimal forecast reconciliation for hierarchical and grouped time
series through trace minimization"; non-negative: Wickramasuriya, Turlach and Hyndman (2020), by fixing at 0 what would fall
below and solving for the rest. The coherent bottom is the one closest to all base forecasts, each node weighed by the inverse
of its error variance. It is solved for the aggregates only (b = y + D G' v), whose system is well conditioned however many
series there are, by conjugate gradients over all horizons at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_TOLERANCE = 1e-6
_ITERATIONS = 60
_ROUNDS = 12


@dataclass(frozen=True)
class Tree:
    """Which aggregate nodes each of n bottom series belongs to.

    matrix: scipy CSR, m aggregates x n series, ones; level: number of the level of each aggregate, m.
    """

    matrix: Any
    level: NDArray[np.int64]

    @property
    def leaves(self) -> Floats:
        """Series under each aggregate, m."""
        return np.asarray(self.matrix.sum(1), dtype=np.float64).ravel()

    def sums(self, bottom: Floats) -> Floats:
        """n x h -> m x h."""
        return np.asarray(self.matrix @ bottom, dtype=np.float64)


def tree(groups: Sequence[NDArray[np.int64]]) -> Tree:
    """groups: per level the number of the node of each series, n each, 0 .. nodes - 1."""
    from scipy import sparse

    n = len(groups[0])
    sizes = [int(g.max()) + 1 if len(g) else 0 for g in groups]
    starts = np.cumsum([0, *sizes[:-1]])
    rows = np.concatenate([g + s for g, s in zip(groups, starts, strict=True)])
    matrix = sparse.csr_array((np.ones(len(rows)), (rows, np.tile(np.arange(n), len(groups)))), shape=(sum(sizes), n))
    return Tree(matrix, np.repeat(np.arange(len(groups)), sizes))


def mint(nodes: Tree, bottom: Floats, aggregates: Floats, bottom_var: Floats, aggregate_var: Floats) -> Floats:
    """The coherent bottom forecasts, n x h, none negative; `nodes.sums` of it are those of the aggregates.

    bottom, aggregates: base forecasts n x h and m x h. bottom_var, aggregate_var: error variances, n and m, or with
    a column per horizon; for structural weights (wls_struct) ones and `nodes.leaves`. A variance of 0 fixes a series. Where
    variances are further apart than numbers can hold, the base forecasts of the series stay.
    """
    base = np.maximum(bottom, 0.0)
    spread = np.broadcast_to(bottom_var.reshape(len(bottom), -1), base.shape)
    own = np.broadcast_to(aggregate_var.reshape(len(aggregates), -1), aggregates.shape)
    free = spread > 0
    found, pull = base, np.zeros_like(aggregates)
    for _ in range(_ROUNDS):
        room = np.where(free, spread, 0.0)
        start = np.where(free, base, np.where(spread > 0, 0.0, base))
        with np.errstate(over="ignore", invalid="ignore"):
            pull = _solve(nodes, room, own, aggregates - nodes.sums(start), pull)
            found = start + room * np.asarray(nodes.matrix.T @ pull)
        if not np.isfinite(found).all():
            return base
        below = found < 0
        if not below.any():
            break
        free = free & ~below
    return np.maximum(found, 0.0)


def _solve(nodes: Tree, room: Floats, own: Floats, wanted: Floats, start: Floats) -> Floats:
    """v with (own + G room G') v = wanted, per column; conjugate gradients with the diagonal as preconditioner."""
    turned = nodes.matrix.T.tocsr()
    scale = own + nodes.sums(room)
    scale = np.where(scale > 0, scale, 1.0)

    def apply(v: Floats) -> Floats:
        return own * v + nodes.sums(room * np.asarray(turned @ v))

    v = start.copy()
    rest = wanted - apply(v) if v.any() else wanted.copy()
    limit = _TOLERANCE**2 * np.maximum((wanted**2 / scale).sum(0), 1e-300)
    z = rest / scale
    way, size = z.copy(), (rest * z).sum(0)
    for _ in range(_ITERATIONS):
        open_ = size > limit
        if not open_.any():
            break
        moved = apply(way)
        along = (way * moved).sum(0)
        step = np.where(open_ & (along > 0), size / np.where(along > 0, along, 1.0), 0.0)
        v += step * way
        rest -= step * moved
        z = rest / scale
        after = (rest * z).sum(0)
        way = z + np.where(open_, after / np.where(size > 0, size, 1.0), 0.0) * way
        size = np.where(open_, after, size)
    return v
