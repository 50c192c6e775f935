"""The Kaplan-Meier estimate on published data, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbec.methods.survival import kaplan_meier

# Weeks in remission on 6-mercaptopurine (Freireich et al. 1963); 0 = still in remission.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_as_published():
    curve = kaplan_meier(WEEKS, ENDED)
    found = dict(zip(curve.times.tolist(), curve.survival.round(3).tolist(), strict=True))
    expected = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {t: found[t] for t in expected} == expected
    assert curve.quantile(0.5) == 23
    assert (curve.n, curve.awaited) == (9, 12)


@given(st.lists(st.integers(0, 90), min_size=2, max_size=40))
def test_when_all_have_ended_it_is_the_sample(times):
    curve = kaplan_meier(times, [True] * len(times))
    assert curve.mean == pytest.approx(np.mean(times))
    assert curve.variance == pytest.approx(np.var(times, ddof=1), abs=1e-9)
    assert curve.quantile(1.0) == max(times)


@given(st.lists(st.tuples(st.integers(0, 90), st.booleans()), min_size=1, max_size=40))
def test_waiting_never_shortens(rows):
    """What is still awaited counts for longer than if it had ended today."""
    times, ended = [t for t, _ in rows], [e for _, e in rows]
    waiting, done = kaplan_meier(times, ended), kaplan_meier(times, [True] * len(rows))
    assert waiting.mean >= done.mean - 1e-9
    assert waiting.n + waiting.awaited == len(rows)


def test_no_times():
    with pytest.raises(ValueError, match="no times"):
        kaplan_meier([], [])
