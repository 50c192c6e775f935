"""Decisions by expected cost within a day's reviews; rules first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.methods.fraud import decide
from cbec.methods.fraud.decide import ALLOW, HOLD, REVIEW, Costs

COSTS = Costs(review_cost=5.0, capacity=1, loss_share=1.0, decline_share=0.5)
N = np.zeros(0)


def run(p, amount, day=None, hold=(), look=(), may_hold=True, costs=COSTS):
    n = len(p)
    flags = [np.isin(np.arange(n), rows) for rows in (hold, look)]
    days = np.zeros(n, dtype=np.int64) if day is None else np.array(day)
    return decide.decide(np.array(p, float), np.array(amount, float), days, *flags, may_hold, costs)


def test_the_cheapest_decision():
    # allow 0.1, review 5, hold 49.95 · allow 50, review 5, hold 25 · allow 3.8, hold 0.1
    found = run([0.001, 0.5, 0.95], [100, 100, 4], costs=Costs(5.0, 9, 1.0, 0.5))
    assert found.choice.tolist() == [ALLOW, REVIEW, HOLD]
    assert found.cost.tolist() == pytest.approx([0.1, 5, 0.1])
    second, cost = found.runner_up()
    assert second.tolist() == [REVIEW, HOLD, ALLOW]
    assert cost.tolist() == pytest.approx([5, 25, 3.8])


def test_reviews_go_where_they_save_most():
    found = run([0.5, 0.5, 0.5], [100, 300, 200], may_hold=False)
    assert found.choice.tolist() == [ALLOW, REVIEW, ALLOW]
    assert found.full == 1
    other_day = run([0.5, 0.5, 0.5], [100, 300, 200], day=[1, 1, 2], may_hold=False)
    assert other_day.choice.tolist() == [ALLOW, REVIEW, REVIEW]


def test_a_probability_without_labels_suspends_nothing():
    assert run([0.99], [4], may_hold=False).choice.tolist() == [ALLOW]
    assert run([0.99], [1000], may_hold=False, costs=Costs(5.0, 0, 1.0, 0.5)).choice.tolist() == [ALLOW]


def test_rules_never_let_a_payment_pass():
    found = run([0.0, 0.0, 0.0], [100, 100, 100], hold=[0], look=[1, 2], may_hold=False)
    assert found.choice.tolist() == [HOLD, REVIEW, HOLD]  # the second look found the day's reviews used up
    likely = run([0.999, 0.999], [100, 100], look=[0, 1])
    assert likely.choice.tolist() == [HOLD, HOLD]  # suspending a near certain fraud costs less than a look


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 1e4), st.integers(0, 3), st.booleans(), st.booleans()),
        min_size=1,
        max_size=30,
    ),
    st.integers(0, 4),
    st.booleans(),
)
def test_invariants(rows, capacity, may_hold):
    p, amount, day, hold, look = (np.array(column) for column in zip(*rows, strict=True))
    found = decide.decide(p, amount, day, hold, look & ~hold, may_hold, Costs(5.0, capacity, 1.0, 0.3))
    reviewed = found.choice == REVIEW
    assert all(reviewed[day == d].sum() <= capacity for d in range(4))
    assert (found.choice[hold] == HOLD).all()
    assert (found.choice[look] != ALLOW).all()
    free = ~hold & ~look
    # Nothing that was free to pass costs more than letting it pass.
    assert (found.cost[free] <= found.costs[free, ALLOW] + 1e-9).all()
    # A day's choices depend on that day alone.
    part = day <= 1
    alone = decide.decide(
        p[part], amount[part], day[part], hold[part], (look & ~hold)[part], may_hold, Costs(5.0, capacity, 1.0, 0.3)
    )
    assert (alone.choice == found.choice[part]).all()


def test_the_spread_is_that_of_independent_draws():
    found = run([0.5, 0.5], [100, 100], may_hold=False)  # one reviewed, one allowed
    assert decide.spread(np.array([0.5, 0.5]), np.array([100.0, 100.0]), found, COSTS) == pytest.approx(50)
