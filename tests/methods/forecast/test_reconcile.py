"""MinT with a diagonal covariance: the closed form, no negatives, sums that are sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from cbec.methods.forecast import reconcile


def example(
    seed: int, n: int = 12, h: int = 3
) -> tuple[reconcile.Tree, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = [np.zeros(n, np.int64), np.arange(n) % 3, np.arange(n) // 4]
    nodes = reconcile.tree(groups)
    bottom = rng.gamma(2.0, 3.0, (n, h))
    above = nodes.sums(bottom) * rng.uniform(0.7, 1.3, (len(nodes.level), h))
    return nodes, bottom, above, rng.uniform(0.5, 4, n), rng.uniform(1, 20, len(nodes.level))


def closed(nodes: reconcile.Tree, bottom: np.ndarray, above: np.ndarray, bv: np.ndarray, av: np.ndarray) -> np.ndarray:
    """(S' W^-1 S)^-1 S' W^-1 y."""
    s = np.vstack([np.eye(len(bottom)), nodes.matrix.toarray()])
    w = np.diag(1 / np.concatenate([bv, av]))
    return np.linalg.solve(s.T @ w @ s, s.T @ w @ np.vstack([bottom, above]))


def test_it_is_the_closed_form():
    for seed in range(5):
        case = example(seed)
        wanted = closed(*case)
        if (wanted >= 0).all():
            assert np.allclose(reconcile.mint(*case), wanted, rtol=1e-5, atol=1e-7)


def test_forecasts_that_add_up_stay():
    nodes, bottom, _, bv, av = example(1)
    assert np.allclose(reconcile.mint(nodes, bottom, nodes.sums(bottom), bv, av), bottom)


def test_a_variance_of_nothing_fixes_a_series_and_great_ones_follow_the_sums():
    nodes, bottom, above, bv, av = example(2)
    bv[3] = 0.0
    made = reconcile.mint(nodes, bottom, above, bv, av)
    assert (made[3] == bottom[3]).all()
    # The two lower levels contradict each other; the total alone is met where it is nearly certain.
    certain = np.where(nodes.level == 0, 1e-9, 1e6)
    made = reconcile.mint(nodes, bottom, above, np.where(bv > 0, bv, 1.0), certain)
    assert np.allclose(nodes.sums(made)[0], above[0], rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.3))
def test_never_negative_and_no_worse_than_nearly_the_best(seed: int, size: float) -> None:
    """Much too small sums push series below 0; the answer stays near the optimum under the bound."""
    nodes, bottom, above, bv, av = example(seed, h=1)
    above = above * size
    made = reconcile.mint(nodes, bottom, above, bv, av)
    assert (made >= 0).all()
    s = np.vstack([np.eye(len(bottom)), nodes.matrix.toarray()])
    root = np.sqrt(1 / np.concatenate([bv, av]))[:, None]
    y = np.vstack([bottom, above])
    best = lsq_linear(s * root, (y * root)[:, 0], bounds=(0, np.inf)).x

    def loss(b: np.ndarray) -> float:
        return float((((s @ b - y[:, 0]) * root[:, 0]) ** 2).sum())

    assert loss(made[:, 0]) <= 1.02 * loss(best) + 1e-9


def test_structural_weights_share_a_gap_equally():
    nodes = reconcile.tree([np.zeros(4, np.int64)])
    bottom = np.full((4, 1), 2.0)
    made = reconcile.mint(nodes, bottom, np.array([[16.0]]), np.ones(4), nodes.leaves)
    assert made == pytest.approx(np.full((4, 1), 3.0))  # half of the gap of 8, a quarter each


def test_horizons_do_not_touch_each_other():
    nodes, bottom, above, bv, av = example(4, h=6)
    whole = reconcile.mint(nodes, bottom, above, bv, av)
    for k in range(6):
        assert np.allclose(
            reconcile.mint(nodes, bottom[:, [k]], above[:, [k]], bv, av), whole[:, [k]], rtol=1e-5, atol=1e-7
        )


def test_variances_further_apart_than_numbers_hold_leave_the_series():
    nodes, bottom, above, bv, _ = example(3)
    far = 10.0 ** np.linspace(-290, 290, len(bv))
    found = reconcile.mint(nodes, bottom * 1e15, above * 1e15, far, np.full(len(nodes.level), 1e-280))
    assert np.isfinite(found).all() and (found >= 0).all()
