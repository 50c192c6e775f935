"""From an order of payments to a probability: calibrated on labels that were known by then, else assumed and said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.fraud import anomaly, timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.fraud.case import Case

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: Of frauds ranked by an anomaly score the tail probability v is taken to have the density (1 - C) v^-C: they crowd
#: where v is small. C = 0.8 means an area under the ROC curve of 1 / (2 - C) = 0.83, what good detectors without labels
#: reach on average over public sets (ADBench, Han et al. 2022: 0.75 to 0.82).
CROWDING = 0.8
FEWEST_FRAUDS = 30  # known frauds from which the level is learnt
LEAST_LABELLED = (
    0.5  # share of the old payments with a label: below it, labels are of alerts and say little of the rest
)


def assumed(tail: Floats, base_rate: float, known: Flags) -> Floats:
    """Probability of fraud of a payment with this tail probability, for an assumed share of frauds.

    Bayes with the density of CROWDING for frauds and a uniform one for the rest; where nothing is known, the share itself.
    """
    odds = base_rate / (1 - base_rate) * (1 - CROWDING) * tail**-CROWDING
    return np.where(known, odds / (1 + odds), base_rate)


def of_oddness(case: Case, base_rate: float, delay_days: float) -> tuple[Floats, Flags]:
    """Probability per payment from its tail probability, and whether its level was learnt from labels.

    The level of a block of days is learnt from labels known before the block began, so that later ones change nothing.
    """
    odds = case.odds
    p = assumed(odds.tail, base_rate, odds.known)
    learnt = np.zeros(len(p), dtype=np.bool_)
    evidence = -np.log(odds.tail)
    for block in anomaly.blocks(case.day):
        today = int(case.day[block.start])
        news = case.news.filter(pl.col("known") < today * timeline.DAY)
        if int(news["frauds"].sum()) < FEWEST_FRAUDS:
            continue
        label = timeline.labels(news, case.frame.height, None)
        old = odds.known & (case.day < today - delay_days)
        labelled = label.is_not_null().to_numpy()
        if not old.any() or labelled[old].mean() < LEAST_LABELLED:
            continue
        rows = np.flatnonzero(labelled & odds.known)
        fraud = (label.fill_null(0) == 1).to_numpy()[rows]
        if fraud.sum() < FEWEST_FRAUDS or fraud.all():
            continue
        slope, offset = calibrate(evidence[rows], fraud)
        part = slice(block.start, block.end)
        p[part] = logistic(offset + slope * evidence[part])
        learnt[part] = True
    return p, learnt


def logistic(value: Floats) -> Floats:
    """1 / (1 + exp(-value)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(value / 2)), dtype=np.float64)


def calibrate(score: Floats, fraud: Flags) -> tuple[float, float]:
    """Slope and offset of Platt's calibration (2000): a logistic regression of the label on the score.

    Newton's method on Platt's smoothed targets; the slope is kept above 0.05, so that the order of scores stays.
    """
    frauds, rows = int(fraud.sum()), len(fraud)
    target = np.where(fraud, (frauds + 1) / (frauds + 2), 1 / (rows - frauds + 2))

    def loss(at: Floats) -> float:
        z = at[1] + at[0] * score
        return float(np.sum(np.logaddexp(0, z) - target * z))

    found = np.array([0.0, np.log((frauds + 1) / (rows - frauds + 1))])
    for _ in range(100):
        p = logistic(found[1] + found[0] * score)
        weight = p * (1 - p) + 1e-12
        gradient = np.array([np.sum((p - target) * score), np.sum(p - target)])
        cross = np.sum(weight * score)
        curve = np.array([[np.sum(weight * score**2), cross], [cross, np.sum(weight)]])
        step = np.linalg.solve(curve + 1e-9 * np.eye(2), gradient)
        size, now = 1.0, loss(found)
        while size > 1e-6 and loss(found - size * step) > now:  # a full step may leap too far where the curve is flat
            size /= 2
        found = found - size * step
        if np.abs(size * step).max() < 1e-9:
            break
    slope, offset = (float(v) for v in found)
    return (slope, offset) if slope > 0.05 else (0.05, float(np.log(max(frauds, 0.5) / max(rows - frauds, 0.5))))
