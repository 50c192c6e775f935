"""The cost of every way and the choice among them."""

from __future__ import annotations

import numpy as np
import pytest

from cbec.methods.forecast import ways

NAN = np.nan


def chosen(cost, value=100.0, dead=False):
    row = np.array([cost], float)
    first, second = ways.choose(row, np.array([value]), np.array([dead]))
    return ways.WAYS[first[0]], None if second[0] < 0 else ways.WAYS[second[0]]


@pytest.mark.parametrize(
    ("cost", "dead", "first", "second"),
    [
        ((50, 20, NAN, NAN, 80), False, "markdown", "keep"),
        ((50, 47, NAN, NAN, 80), False, "keep", "markdown"),  # 3 % of the value saved are not worth the work
        ((50, 40, 30, 20, 80), False, "liquidate", "transfer"),
        ((50, NAN, NAN, NAN, NAN), False, "keep", None),
        ((100, NAN, NAN, NAN, 100), True, "write_off", "keep"),  # nobody wants it, and it costs the same
        ((100, NAN, NAN, NAN, 101), True, "keep", "write_off"),
        ((100, NAN, NAN, 80, 100), True, "liquidate", "keep"),
        ((-10, -30, NAN, NAN, 90), False, "markdown", "keep"),
    ],
)
def test_the_cheapest_way_unless_keeping_costs_hardly_more(cost, dead, first, second):
    assert chosen(cost, dead=dead) == (first, second)
