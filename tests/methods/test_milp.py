"""Small programs by both ways to HiGHS, and what is told where there is no answer."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from cbec.core.errors import NoAnswer
from cbec.methods import milp


def knapsack() -> milp.Model:
    model = milp.Model(constant=100.0)
    packs = model.add(np.array([-3.0, -5.0, -4.0]), 0, np.array([10.0, 10, 10]), whole=True)
    model.row(packs, [2.0, 4.0, 3.0], -np.inf, 17, "the budget")
    return model


@pytest.fixture(params=["pulp", "highspy"])
def way(request, monkeypatch):
    monkeypatch.setattr(milp, "LARGE", 0 if request.param == "highspy" else 100_000)


@pytest.mark.usefixtures("way")
def test_both_ways_find_the_optimum_and_say_so(capfd):
    found = milp.solve(knapsack(), 10)
    assert found.status == "optimal" and found.cost == found.bound == 75 and found.gap == 0
    assert found.x.tolist() == [7, 0, 1]
    assert capfd.readouterr() == ("", "")  # standard output is for data


@pytest.mark.usefixtures("way")
def test_limits_that_cannot_hold_are_named_with_what_they_lack():
    model = knapsack()
    model.row([0, 1, 2], [1.0, 1.0, 1.0], 20, np.inf, "the smallest load")
    with pytest.raises(NoAnswer, match=r"the smallest load fails by 12\.00"):
        milp.solve(model, 10)


def test_a_row_of_huge_figures_tells_what_it_lacks_in_its_own_units():
    model = knapsack()
    model.row([0, 1, 2], [1e15, 1e15, 1e15], 2e16, np.inf, "the value of the load")
    with pytest.raises(NoAnswer, match=r"the value of the load fails by 12,000,000,000,000,000\.00"):
        milp.solve(model, 10)


def test_no_time_is_no_optimum():
    rng = np.random.default_rng(1)
    model = milp.Model()
    x = model.add(-rng.integers(50, 99, 400).astype(float), 0, 1, whole=True)
    for i in range(60):
        model.row(x, rng.integers(10, 99, 400).astype(float), -np.inf, 4000 + i)
    with suppress(NoAnswer):  # or it found no plan at all, and said so
        found = milp.solve(model, 0.05)
        assert found.status == "feasible" and found.bound <= found.cost
