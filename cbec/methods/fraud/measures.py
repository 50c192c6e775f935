"""How well a score orders payments: average precision, area under the ROC curve, what a day's reviews find.

Ties count as they should: a score that is the same for all has the share of frauds as average precision and 0.5 as
area. (Average precision as in scikit-learn: the sum of precision over the steps of recall.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


def average_precision(fraud: Flags, score: Floats) -> float:
    """Area under precision over recall; NaN without frauds."""
    if not fraud.any():
        return float("nan")
    hits, rows = _steps(fraud, score)
    return float(np.sum(np.diff(hits, prepend=0) / fraud.sum() * hits / rows))


def auc(fraud: Flags, score: Floats) -> float:
    """Chance that a fraud scores higher than a genuine payment, ties half; NaN where one kind is missing."""
    frauds, genuine = int(fraud.sum()), int((~fraud).sum())
    if not frauds or not genuine:
        return float("nan")
    hits, rows = _steps(fraud, score)
    tp, fp = np.concatenate(([0], hits)), np.concatenate(([0], rows - hits))
    return float(np.sum(np.diff(fp) * (tp[1:] + tp[:-1]) / 2) / (frauds * genuine))


def _steps(fraud: Flags, score: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frauds and rows at or above each distinct score, highest first."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    return np.cumsum(fraud[order])[last].astype(np.int64), (last + 1).astype(np.int64)


def top_per_day(day: NDArray[np.int64], score: Floats, capacity: int) -> Flags:
    """The payments that `capacity` reviews a day reach, highest scores first (equal ones: earlier in the frame)."""
    if capacity <= 0:
        return np.zeros(len(day), dtype=np.bool_)
    order = np.lexsort((np.arange(len(day)), -score, day))
    sorted_day = day[order]
    start = np.flatnonzero(np.diff(sorted_day, prepend=sorted_day[0] - 1 if len(day) else 0))
    rank = np.arange(len(day)) - np.repeat(start, np.diff(np.append(start, len(day))))
    chosen = np.zeros(len(day), dtype=np.bool_)
    chosen[order] = rank < capacity
    return chosen


def card_precision(
    day: NDArray[np.int64], customer: NDArray[np.int64], fraud: Flags, score: Floats, k: int = 100
) -> float:
    """Mean over days of the share of compromised customers among the k that score highest; those found drop out.

    As in the Fraud Detection Handbook (Le Borgne et al.), chapter 4: a customer's score of a day is the largest one.
    """
    found: set[int] = set()
    shares = []
    for today in np.unique(day):
        rows = np.flatnonzero(day == today)
        best: dict[int, tuple[float, bool]] = {}
        for i in rows.tolist():
            who = int(customer[i])
            if who not in found:
                old = best.get(who, (-np.inf, False))
                best[who] = (max(old[0], float(score[i])), old[1] or bool(fraud[i]))
        top = sorted(best.items(), key=lambda item: -item[1][0])[:k]
        hit = {who for who, (_, bad) in top if bad}
        shares.append(len(hit) / k)
        found |= hit
    return float(np.mean(shares))


def brier(fraud: Flags, probability: Floats) -> float:
    """Mean squared error of a probability."""
    return float(np.mean((probability - fraud) ** 2))
