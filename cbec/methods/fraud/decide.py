"""What to do with each payment: the decision with the least expected cost, within a day's reviews; rules come first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

ALLOW, REVIEW, HOLD = 0, 1, 2
WORDS = ("allow", "review", "hold")


@dataclass(frozen=True)
class Costs:
    """Money of the decisions. review_cost: of one review; capacity: reviews a day; loss_share: of the amount that a
    fraud costs; decline_share: of the amount that a good payment costs when it is suspended (margin, goodwill)."""

    review_cost: float
    capacity: int
    loss_share: float
    decline_share: float


@dataclass(frozen=True)
class Decisions:
    """choice: 0 allow, 1 review, 2 hold; costs: n x 3, expected cost of each; full: days whose reviews ran out."""

    choice: NDArray[np.int64]
    costs: Floats
    full: int

    @property
    def cost(self) -> Floats:
        """Of what was chosen."""
        return self.costs[np.arange(len(self.choice)), self.choice]

    def runner_up(self) -> tuple[NDArray[np.int64], Floats]:
        """The cheapest other decision and its cost."""
        other = self.costs.copy()
        other[np.arange(len(self.choice)), self.choice] = np.inf
        second = other.argmin(axis=1) if len(other) else np.zeros(0, dtype=np.int64)
        return second.astype(np.int64), other[np.arange(len(second)), second]


def decide(
    p: Floats, amount: Floats, day: NDArray[np.int64], must_hold: Flags, must_look: Flags, may_hold: bool, costs: Costs
) -> Decisions:
    """Choose per payment.

    p: probability of fraud; amount: in the currency of the costs; day: of the payment; must_hold: suspended whatever it
    costs; must_look: reviewed, or suspended where the day's reviews are used up; may_hold: whether the probability alone
    may suspend a payment (not where it rests on no label). A review is taken to find the truth. Reviews go to rules
    first, then to where they save most; a day's choices depend on the payments of that day only.
    """
    table = np.stack(
        [p * amount * costs.loss_share, np.full(len(p), costs.review_cost), (1 - p) * amount * costs.decline_share],
        axis=1,
    )
    without = np.where(table[:, HOLD] < table[:, ALLOW], HOLD, ALLOW) if may_hold else np.zeros(len(p), dtype=np.int64)
    without = np.where(must_hold | must_look, HOLD, without)
    rest = table[np.arange(len(p)), without]
    gain = np.where(must_look, np.inf, rest - costs.review_cost)
    # A likely fraud that must not pass needs no review where suspending it is cheaper.
    surely = must_look & (table[:, HOLD] < costs.review_cost) & may_hold
    wanted = ~must_hold & ~surely & (gain > 0)
    reviewed, full = _within_capacity(day, gain, wanted, costs.capacity)
    return Decisions(np.where(reviewed, REVIEW, without).astype(np.int64), table, full)


def _within_capacity(day: NDArray[np.int64], gain: Floats, wanted: Flags, capacity: int) -> tuple[Flags, int]:
    """The wanted reviews that fit into each day, largest gain first (equal ones: earlier rows)."""
    rows = np.flatnonzero(wanted)
    order = rows[np.lexsort((rows, -gain[rows], day[rows]))]
    days, start, count = np.unique(day[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(start, count)
    chosen = np.zeros(len(day), dtype=np.bool_)
    chosen[order[rank < capacity]] = True
    return chosen, int((count > capacity).sum()) if len(days) else 0


def spread(p: Floats, amount: Floats, decisions: Decisions, costs: Costs) -> float:
    """Standard deviation of proposed - today, with payments as independent draws of fraud or not."""
    # Of a fraud: allow 0, review -amount x loss, hold the same; of a genuine one: 0, 0, amount x decline.
    swing = np.where(decisions.choice == ALLOW, 0.0, amount * costs.loss_share)
    swing = swing + np.where(decisions.choice == HOLD, amount * costs.decline_share, 0.0)
    return float(np.sqrt(np.sum(p * (1 - p) * swing**2)))
