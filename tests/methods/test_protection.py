"""From a forecast to demand per warehouse over any number of days."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats
from support import stockroom as room

from cbec.core.errors import InputRejected
from cbec.methods import protection


def demand(forecast, coverage, *, days=4.0, target=0.95, correlation=0.0, as_of=None):
    clock = protection.clock(forecast, as_of)
    linked = protection.link(forecast, coverage, clock)
    n = linked.items.height
    return clock, linked, protection.demand(linked, clock, np.full(n, days), np.full(n, target), correlation)


def test_poisson_demand_comes_back_at_every_horizon():
    _, _, found = demand(room.forecast(room.poisson(0.2, 8)), room.serves())
    mean, var = found.at(np.array([5.0]))
    assert mean[0] == pytest.approx(1) and var[0] == pytest.approx(1)


def test_part_of_a_week_has_its_part_of_mean_and_variance():
    rows = room.normal(700, 70, 4, frequency="W")
    _, _, found = demand(room.forecast(rows), room.serves(), days=14)
    mean, var = found.at(np.array([10.5]))
    assert mean[0] == pytest.approx(1050)
    assert var[0] == pytest.approx(1.5 * 70**2, rel=0.06)  # a gamma is fitted to a normal quantile


def test_a_week_in_progress_counts_with_what_is_left():
    rows = room.normal(700, 70, 4, frequency="W", start=date(2026, 6, 22), as_of=date(2026, 6, 24))
    clock, _, found = demand(room.forecast(rows), room.serves())
    assert clock.today == date(2026, 6, 24)
    mean, var = found.at(np.array([4.0]))  # Thursday to Sunday
    assert mean[0] == pytest.approx(400) and var[0] == pytest.approx(70**2 * 4 / 7, rel=0.06)
    assert found.reach[0] == 25


def test_weeks_dated_by_their_monday_end_before_the_forecast_begins():
    rows = room.normal(70, 7, 4, frequency="W", start=date(2026, 6, 29), as_of=date(2026, 6, 22))
    assert protection.clock(room.forecast(rows), None).today == date(2026, 6, 28)


def test_the_spread_of_few_units_is_read_at_the_end_of_the_time_that_stock_has_to_last():
    """Poisson for four days, three times as spread from the eighth on: each need has the spread of its own days."""
    totals = [stats.poisson(0.5 * h) if h < 8 else stats.nbinom(0.5 * h / 2, 1 / 3) for h in range(1, 13)]
    forecast = room.forecast(room.series(totals))
    for days, ratio in ((4.0, 1.0), (4.5, 1.0), (9.0, 3.0)):
        _, _, found = demand(forecast, room.serves(), days=days)
        mean, var = found.at(np.array([days]))
        assert var[0] / mean[0] == pytest.approx(ratio, rel=0.2)


def test_a_later_day_of_order_leaves_out_what_is_past():
    clock, _, found = demand(room.forecast(room.poisson(2, 30)), room.serves(), as_of=date(2026, 7, 8))
    assert clock.today == date(2026, 7, 8)
    assert found.reach[0] == 20
    assert found.at(np.array([5.0]))[0][0] == pytest.approx(10)


def test_half_of_a_poisson_market_is_a_poisson_market():
    # Thinning: mean and variance are both halved; half of the quantiles would quarter the variance.
    _, linked, found = demand(room.forecast(room.poisson(2, 6)), room.serves(W1=0.5, W2=0.5))
    assert linked.items["warehouse"].to_list() == ["W1", "W2"]
    mean, var = found.at(np.array([4.0, 4.0]))
    np.testing.assert_allclose(mean, 4)
    np.testing.assert_allclose(var, 4)


def test_markets_of_one_warehouse_add_means_and_variances_not_quantiles():
    coverage = room.table("coverage", [{"market": m, "warehouse": "W1"} for m in ("DE", "FR")])
    parts = room.forecast(room.normal(100, 10, 5), room.normal(100, 10, 5, market="FR"))
    _, _, alone = demand(parts, coverage)
    _, _, joint = demand(parts, coverage, correlation=1.0)
    mean, var = alone.at(np.array([4.0]))
    assert mean[0] == pytest.approx(800) and var[0] == pytest.approx(800, rel=0.04)
    assert joint.at(np.array([4.0]))[1][0] == pytest.approx(1600, rel=0.04)


def test_a_forecast_by_warehouse_needs_no_coverage():
    _, linked, _ = demand(room.forecast(room.poisson(1, 6, market="*", warehouse="W9")), None)
    assert linked.items.rows() == [("A", "W9")]


def test_the_seller_formula_is_told_per_day():
    _, linked, _ = demand(
        room.forecast(room.normal(70, 7, 4, frequency="W", seller_formula=63)), room.serves(W1=1 / 3, W2=2 / 3)
    )
    np.testing.assert_allclose(linked.seller_rate(), [3, 6])


def test_no_coverage_says_which_file_to_write():
    with pytest.raises(InputRejected, match="which warehouse serves which market") as caught:
        demand(room.forecast(room.poisson(1, 6)), None)
    assert "market,warehouse,share\\nDE," in (caught.value.hint or "")


def test_a_market_without_a_warehouse_is_named():
    with pytest.raises(InputRejected, match="no warehouse for market FR"):
        demand(room.forecast(room.poisson(1, 6), room.poisson(1, 6, market="FR")), room.serves())


def test_shares_must_sum_to_one():
    with pytest.raises(InputRejected, match=r"market DE sum to 0\.8"):
        demand(room.forecast(room.poisson(1, 6)), room.serves(W1=0.5, W2=0.3))
    _, linked, _ = demand(room.forecast(room.poisson(1, 6)), room.serves(W1=0.33, W2=0.33, W3=0.33))
    np.testing.assert_allclose(linked.share, 1 / 3)


def test_two_forecasts_at_a_time_are_refused():
    rows = room.forecast(room.poisson(1, 6), room.poisson(1, 6, sku="B", as_of=date(2026, 6, 1)))
    with pytest.raises(InputRejected, match="several values of as_of"):
        protection.clock(rows, None)


def test_a_forecast_that_is_over_is_refused():
    with pytest.raises(InputRejected, match="ends before 2026-08-01"):
        protection.clock(room.forecast(room.poisson(1, 6)), date(2026, 8, 1))


def test_a_short_horizon_names_the_one_needed():
    clock, linked, found = demand(room.forecast(room.normal(70, 7, 4, frequency="W")), room.serves())
    protection.check_reach(linked, clock, found, np.array([28.0]))
    with pytest.raises(InputRejected, match="SKU A at W1 needs 30 days") as caught:
        protection.check_reach(linked, clock, found, np.array([30.0]))
    assert "--horizon 5" in (caught.value.hint or "")


def test_lead_times_keep_mean_and_deviation():
    days, weight = protection.lead_times(np.array([30.0, 10, 20]), np.array([6.0, 0, 12]))
    assert days.shape == (3, protection.LEAD_POINTS)
    np.testing.assert_allclose((days * weight).sum(1), [30, 10, 20], rtol=0.005)
    sd = np.sqrt((weight * (days - (days * weight).sum(1, keepdims=True)) ** 2).sum(1))
    np.testing.assert_allclose(sd, [6, 0, 12], rtol=0.03, atol=1e-9)
    assert protection.lead_times(np.array([3.0]), np.array([0.0]))[0].shape == (1, 1)


@pytest.mark.parametrize("target", [0.9, 0.95, 0.99])
def test_the_spread_at_the_target_is_the_forecasts_own(target):
    # Two-sided asymmetric totals: what the forecast says at the level asked for holds, whatever the other levels say.
    law = stats.lognorm(0.6, scale=400)
    _, _, found = demand(room.forecast(room.series([law] * 4)), room.serves(), target=target)
    from cbec.methods import counts

    mean, var = found.at(np.array([4.0]))
    level = counts.level(np.array([target]), mean[:, None], var[:, None], np.ones((1, 1)))
    assert level[0] == np.ceil(law.ppf(target))


def test_a_series_whose_periods_are_over_today_is_named():
    whole, cut = room.poisson(2, 30), room.poisson(2, 2, sku="B")
    table = room.forecast(whole, cut)
    clock = protection.clock(table, room.AS_OF + timedelta(days=5))
    linked = protection.link(table, room.serves(), clock)
    with pytest.raises(InputRejected, match="of SKU B for W1 end before"):
        protection.demand(linked, clock, np.full(2, 7.0), np.full(2, 0.95), 0.0)
