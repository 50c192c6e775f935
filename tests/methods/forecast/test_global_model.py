"""The global model: causal, the same bytes always, and used only where it did better."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cbec.methods.forecast import challenge, demand, global_model, history, plans, rolling, select

H, N, T = 14, 25, 300
START = date(2025, 1, 6)


def catalogue(seed=0, count=N):
    """Counts with days of the week."""
    rng = np.random.default_rng(seed)
    rate = rng.uniform(1, 12, (count, 1)) * np.array([1.3, 1, 1, 1, 0.9, 0.8, 1.0])[np.arange(T) % 7]
    y = rng.poisson(rate).astype(float)
    y[:, 0] = 1
    return y


def sales_of(y):
    count, width = y.shape
    when = pl.Series([START + timedelta(days=i) for i in range(width)])
    day = np.tile(np.arange(width), count)
    return pl.DataFrame(
        {
            "date": when[day],
            "sku": [f"S{i:03d}" for i in range(count) for _ in range(width)],
            "market": "DE",
            "units": y.ravel(),
            "price": np.where(day % 50 < 7, 8.0, 10.0),
            "promo": (day % 60 < 3),
        }
    )


def plan(width):
    days = [d for d in range(width + H) if d % 60 < 3]
    return pl.DataFrame({"date": [START + timedelta(days=d) for d in days], "name": "deal", "kind": "promotion"})


def signal(width, changed_from=None):
    value = (
        np.sin(np.arange(width))
        if changed_from is None
        else np.sin(np.arange(width)) * np.where(np.arange(width) >= changed_from, 50, 1)
    )
    return pl.DataFrame({"date": [START + timedelta(days=d) for d in range(width)], "name": "visits", "value": value})


def panel_of(sales, signals=None):
    panel = history.panel(sales, as_of=sales["date"].max(), frequency="D")
    return plans.attach(panel, sales, plan(T), signals, H)


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(global_model, "ROUNDS", 15)
        patch.setitem(global_model.LEARNER, "num_threads", 1)
        yield


@pytest.fixture(scope="module")
def rolled():
    return rolling.roll(panel_of(sales_of(catalogue()), signal(T)), H, every=True, trees="on")


def test_nothing_after_an_origin_enters_any_method(rolled):
    """Units, promotions, prices and signals after the last past origin are others: its forecasts and effects are the same."""
    cut = rolling.cuts(T, H)[0]
    y = catalogue()
    y[:, -cut:] = y[:, -cut:] * 7 + 3
    later = pl.col("date") > START + timedelta(days=T - 1 - cut)
    sales = sales_of(y).with_columns(
        price=pl.when(later).then(99.0).otherwise("price"),
        promo=pl.when(later).then(~pl.col("promo")).otherwise("promo"),
    )
    other = rolling.roll(panel_of(sales, signal(T, T - cut)), H, every=True, trees="on")
    assert rolled.effect.origins[1].learnt.promotion == pytest.approx(other.effect.origins[1].learnt.promotion, abs=0)
    known = panel_of(sales_of(catalogue()), signal(T)), panel_of(sales, signal(T, T - cut))
    past = [history.until(panel, cut) for panel in known]
    one, two = (demand.outlook(replace(p, notes=[]), H, trees="on") for p in past)
    assert one.choice.names == two.choice.names and one.rolled.effect.kinds == two.rolled.effect.kinds
    np.testing.assert_array_equal(one.choice.weight, two.choice.weight)
    np.testing.assert_array_equal(one.point, two.point)
    np.testing.assert_array_equal(one.single, two.single)
    if rolled.effect.kinds == other.effect.kinds:
        for name, forecast in rolled.forecasts.items():
            np.testing.assert_array_equal(forecast[1:], other.forecasts[name][1:], err_msg=name)


def test_a_lesson_sees_what_was_known_at_its_origin():
    """The features of an origin `back` periods ago are those of a history that ends there."""
    y, back = catalogue(), 20
    effect = (np.linspace(0, 1, T + H)[None], np.zeros(N, np.int64))
    view = global_model.View(y, 0, 20_000, "D", np.arange(N) % 2, {"promotion": effect}, False)
    cut = np.full(y.shape, np.nan)
    cut[:, back:] = y[:, : T - back]
    ended = replace(view, flat=cut, lead=back, ordinal=view.ordinal - back)
    series, step = np.repeat(np.arange(N), H), np.tile(np.arange(H), N)
    for one, two in zip(global_model.rows_of(view, back), global_model.rows_of(ended, 0), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(
        global_model.steps_of(view, back, series, step), global_model.steps_of(ended, 0, series, step)
    )


def test_order_of_rows_and_number_of_threads_change_nothing(rolled, monkeypatch):
    monkeypatch.setitem(global_model.LEARNER, "num_threads", 2)
    sales = sales_of(catalogue())
    shuffled = sales[np.random.default_rng(1).permutation(sales.height)]
    again = rolling.roll(panel_of(shuffled, signal(T)), H, every=True, trees="on")
    for name, forecast in rolled.forecasts.items():
        np.testing.assert_array_equal(forecast, again.forecasts[name], err_msg=name)


def test_it_is_used_where_it_did_better_and_told_where_not(rolled):
    panel = panel_of(sales_of(catalogue()), signal(T))
    choice = select.choose(panel, rolled)
    perfect = rolled.forecasts | {global_model.NAME: np.where(np.isnan(rolled.actual), 0.0, rolled.actual)}
    taken = challenge.challenge(panel, replace(rolled, forecasts=perfect), choice)
    assert taken.names[-1] == global_model.NAME and (taken.weight[:, -1] == challenge.PART).all()
    np.testing.assert_allclose(taken.weight.sum(1), 1.0)
    wrong = rolled.forecasts | {global_model.NAME: 5 + 3 * rolled.forecasts["blend"]}
    left = challenge.challenge(panel, replace(rolled, forecasts=wrong), choice)
    assert left.names == choice.names and left.weight is choice.weight and "not used" in left.notes[0]
    without = {k: v for k, v in rolled.forecasts.items() if k != global_model.NAME}
    assert challenge.challenge(panel, replace(rolled, forecasts=without), choice) is choice


@pytest.mark.parametrize(("saved", "used"), [(0.01, False), (0.03, True)])
def test_it_must_save_more_than_chance_may(rolled, saved, used):
    panel = panel_of(sales_of(catalogue()), signal(T))
    choice = select.choose(panel, rolled)
    without = select.chosen(rolled, choice)
    # Half of it and half of what was chosen without it err less by `saved`.
    nearer = rolled.usual + (without - rolled.usual) * (1 - saved / challenge.PART)
    made = rolled.forecasts | {global_model.NAME: np.where(np.isnan(nearer), without, nearer)}
    taken = challenge.challenge(panel, replace(rolled, forecasts=made), choice)
    assert (global_model.NAME in taken.names) == used


def test_unasked_it_is_taught_only_where_it_can_matter():
    panel = panel_of(sales_of(catalogue()))
    assert not global_model.wanted("auto", panel, 5, H)  # few series
    assert global_model.wanted("on", panel, 5, H) and not global_model.wanted("off", panel, 5, H)
    assert not global_model.wanted("on", panel_of(sales_of(catalogue()[:, :30])), 2, H)  # nothing to learn from
    many = history.some(panel, np.arange(600) % N)
    assert global_model.wanted("auto", many, 5, H)
    assert not global_model.wanted(
        "auto", history.some(replace(panel, covariates=None, frequency="W"), np.arange(600) % N), 5, H
    )


def test_the_parts_of_a_forecast_add_up_with_it():
    y = catalogue()
    y[:, np.arange(T) % 60 < 3] *= 2
    answer = demand.answer(panel_of(sales_of(y)), H, trees="on")
    told = answer.later["drivers"]()
    parts = told.select(pl.sum_horizontal("base", "promotion", "holiday", "event", "price", "signal")).to_series()
    np.testing.assert_allclose(parts, told["mean"], atol=1e-6)
    made = answer.tables["forecast"].join(told, on=["sku", "market", "h"])
    np.testing.assert_array_equal(made["mean"], made["mean_right"])
    on = told.filter(pl.col("names").str.contains("deal"))
    assert on.height and (on["promotion"] / on["base"]).mean() == pytest.approx(1.0, abs=0.35)
