"""Rolling origins from outside: what the table says, and that it could have been said then."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cbec.core.errors import NoAnswer
from cbec.methods.forecast import backtest, history, metrics


def panel_of(y, frequency="D"):
    count, width = y.shape
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(width)]
    frame = pl.DataFrame(
        {
            "date": pl.Series(days)[np.tile(np.arange(width), count)],
            "sku": [f"S{i:03d}" for i in range(count) for _ in range(width)],
            "units": y.ravel(),
        }
    )
    return history.panel(frame, as_of=days[-1], frequency=frequency)


@pytest.fixture(scope="module")
def demand_of_shops():
    rng = np.random.default_rng(4)
    week = np.array([1.4, 1.0, 0.9, 0.8, 0.9, 1.1, 0.9])
    rate = rng.gamma(2, 2, 25)[:, None] * week[np.arange(140) % 7]
    return rng.poisson(rate).astype(float)


@pytest.mark.parametrize(("width", "h"), [(140, 14), (100, 30), (48, 18), (40, 90), (8, 4)])
def test_three_origins_where_history_allows(width, h):
    found = backtest.cuts(width, h)
    assert len(found) == 3
    assert all(width - c >= 2 for c in found)


def test_too_little_history_has_no_answer():
    with pytest.raises(NoAnswer, match="too few"):
        backtest.replay(panel_of(np.array([[1.0, 2.0]])), 5)


def test_rows_for_every_method_class_and_band(demand_of_shops):
    made = backtest.answer(panel_of(demand_of_shops), 14)
    frame, found = made.table, made.metrics
    whole = frame.filter(demand_class="all", horizon="all")
    assert {"cbec", "seasonal_naive", "naive", "seller_formula", "theta", "pooled_level"} <= set(whole["model"])
    assert set(frame["horizon"]) == {"1", "2-7", "8-14", "all"}
    assert frame.select("model", "demand_class", "horizon").is_duplicated().sum() == 0
    ours = whole.row(by_predicate=pl.col("model") == "cbec", named=True)
    assert ours["origins"] == 3 and ours["series"] == 25
    assert ours["verdict"] == "chosen" and ours["value_added"] > 0.1
    assert 0.8 <= ours["coverage_90"] <= 1
    assert whole.filter(pl.col("model") != "cbec")["wql"].is_null().all()
    assert "less than the seasonal naive" in found["verdict"]


def test_figures_are_those_of_the_measures(demand_of_shops):
    run = backtest.replay(panel_of(demand_of_shops), 14)
    frame = backtest.table(run, "D")
    row = frame.row(
        by_predicate=(pl.col("model") == "naive") & (pl.col("demand_class") == "all") & (pl.col("horizon") == "2-7"),
        named=True,
    )
    actual, made = run.actual[:, 1:7], run.forecasts["naive"][:, 1:7]
    assert row["wape"] == pytest.approx(metrics.wape(actual, made))
    assert row["mase"] == pytest.approx(metrics.mase(actual, made, run.mase_scale))
    base = metrics.wape(actual, run.forecasts["seasonal_naive"][:, 1:7])
    assert row["value_added"] == pytest.approx(1 - row["wape"] / base)


def test_nothing_after_an_origin_enters_it(demand_of_shops):
    """Sales after the oldest origin times fifty: its forecasts, and cbec's quantiles, stay what they were."""
    cut = max(backtest.cuts(140, 14))
    changed = demand_of_shops.copy()
    changed[:, -cut:] *= 50
    one, two = (backtest.replay(panel_of(y), 14) for y in (demand_of_shops, changed))
    rows = slice(0, 25)  # the oldest origin comes first
    for name, forecast in one.forecasts.items():
        np.testing.assert_array_equal(forecast[rows], two.forecasts[name][rows], err_msg=name)
    np.testing.assert_array_equal(one.quantiles[:, rows], two.quantiles[:, rows])
    assert (one.actual[rows] != two.actual[rows]).any()


def test_losers_are_named():
    rng = np.random.default_rng(0)
    y = np.tile([2.0, 9.0, 4.0, 30.0, 1.0, 8.0, 5.0], (8, 16)) * (1 + 0.02 * rng.standard_normal((8, 112)))
    made = backtest.answer(panel_of(np.maximum(y, 0)), 7)
    found, notes = made.metrics, made.notes
    assert any(
        "lose to the seasonal naive" in n and "naive" in n and "window_mean" not in n.split(":")[0] for n in notes
    )
    assert found["wape"] < 0.1


def test_nothing_sold_after_the_origins_is_no_verdict():
    y = np.zeros((2, 80))
    y[:, 0] = 3
    made = backtest.answer(panel_of(y), 7)
    frame, found = made.table, made.metrics
    assert found["verdict"].endswith("no verdict")
    assert frame["wape"].is_null().all()
