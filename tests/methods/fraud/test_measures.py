"""Measures against their definitions, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.methods.fraud import measures

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40).filter(
    lambda p: 0 < sum(f for f, _ in p) < len(p)
)


@given(PAIRS)
def test_auc_is_the_chance_of_the_right_order(pairs):
    fraud, score = np.array([f for f, _ in pairs]), np.array([float(s) for _, s in pairs])
    wins = [(a > b) + 0.5 * (a == b) for a in score[fraud] for b in score[~fraud]]
    assert measures.auc(fraud, score) == pytest.approx(np.mean(wins))


@given(PAIRS)
def test_average_precision_adds_precision_over_steps_of_recall(pairs):
    fraud, score = np.array([f for f, _ in pairs]), np.array([float(s) for _, s in pairs])
    total, before = 0.0, 0.0
    for cut in sorted(set(score), reverse=True):
        top = score >= cut
        recall = fraud[top].sum() / fraud.sum()
        total += (recall - before) * fraud[top].mean()
        before = recall
    assert measures.average_precision(fraud, score) == pytest.approx(total)


def test_published_example():
    # scikit-learn's documentation of average_precision_score and roc_auc_score.
    fraud, score = np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8])
    assert measures.average_precision(fraud, score) == pytest.approx(0.8333333)
    assert measures.auc(fraud, score) == pytest.approx(0.75)


def test_without_frauds_there_is_no_measure():
    nothing = np.array([False, False])
    assert np.isnan(measures.average_precision(nothing, np.array([0.0, 1.0])))
    assert np.isnan(measures.auc(nothing, np.array([0.0, 1.0])))


def test_a_days_reviews_reach_the_highest_scores():
    day, score = np.array([1, 1, 1, 2, 2, 1]), np.array([0.3, 0.9, 0.3, 0.1, 0.2, 0.5])
    assert measures.top_per_day(day, score, 3).tolist() == [True, True, False, True, True, True]
    assert not measures.top_per_day(day, score, 0).any()


def test_card_precision_counts_customers_once():
    day, customer = np.array([1, 1, 1, 2, 2]), np.array([7, 7, 8, 7, 9])
    fraud, score = np.array([True, False, False, True, True]), np.array([0.2, 0.9, 0.5, 0.99, 0.1])
    # Day 1: customer 7 is found (its day is compromised); day 2: 7 is known, 9 remains.
    assert measures.card_precision(day, customer, fraud, score, k=1) == 1.0
    assert measures.card_precision(day, customer, fraud, score, k=2) == 0.5
