"""The whole way from a panel to a distribution, on demand whose own is known."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from cbec.methods.forecast import demand, history, metrics
from cbec.tables.demand import LEVELS

LOW, HIGH = LEVELS.index(0.05), LEVELS.index(0.95)


def walks(rng, n, width, noise=0.06, drift=0.03):
    """Random walks in logarithms with a drift and a level of their own."""
    steps = rng.normal(drift, noise, (n, width)) * rng.uniform(0.5, 1.5, (n, 1))
    return np.round(np.exp(rng.uniform(5, 9, (n, 1)) + steps.cumsum(1)), 2)


def panel_of(y, frequency):
    count = len(y)
    first = {"Y": 2000, "Q": 8000, "M": 24000}[frequency]
    empty = np.zeros(y.shape, bool)
    names = pl.DataFrame({"sku": [f"S{i:04d}" for i in range(count)]})
    return history.finish(
        names, frequency, first, date(2000, 1, 1), y.copy(), excess=np.zeros(y.shape), returned=np.zeros(y.shape), stock_out=empty,
        promo=empty, gap=empty, group=np.zeros(count, np.int64), dropped=(), notes=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("frequency", "width"), [("Y", 4), ("Y", 6), ("Y", 8), ("Y", 10), ("Y", 14), ("Q", 8), ("M", 8)]
)
def test_ranges_of_short_histories_hold_as_often_as_they_say(frequency, width):
    """Each length has origins of another kind; none may fall through (of 8 years 56 % lay within, for 90 %)."""
    y = walks(np.random.default_rng(width), 400, width + 2)
    found = demand.outlook(panel_of(y[:, :width], frequency), 2)
    actual = y[:, width:]
    assert 0.8 <= metrics.coverage(actual, found.single[LOW], found.single[HIGH]) <= 0.97
    total = actual.cumsum(1)
    assert 0.8 <= metrics.coverage(total, found.total[LOW], found.total[HIGH]) <= 0.97
