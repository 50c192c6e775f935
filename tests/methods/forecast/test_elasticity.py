"""Elasticities asked back from simulated sales, and pooled."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from support import pricing

from cbec.methods.forecast import elasticity, pricecells

NAMES = [f"S{i:02}" for i in range(12)]


def fitted(made, products=None):
    cells = pricecells.prepare(made, products)
    return elasticity.fit(cells), cells


def test_each_elasticity_is_asked_back_within_its_error():
    truth = dict(zip(NAMES, np.linspace(-0.5, -4.0, 12), strict=True))
    made, _ = fitted(pricing.sales(truth, rate=8), pricing.master(**dict.fromkeys(NAMES, "x")))
    z = (made.slope - np.array(list(truth.values()))) / made.error
    assert np.abs(z).max() < 3.2
    assert 0.5 < np.sqrt((z**2).mean()) < 1.6
    assert made.error.max() < 0.5


@pytest.mark.parametrize("rate", [0.3, 1.0, 4.0])
def test_days_on_offer_without_a_sale_are_no_bias(rate):
    # A day on offer has a row only where something was sold: taken as it stands, slow sellers look far too elastic.
    truth = {f"T{i:02}": -2.0 for i in range(40)}
    made, cells = fitted(pricing.sales(truth, rate=rate, cuts=60, seed=4))
    common = float((made.slope / made.error**2).sum() / (1 / made.error**2).sum())
    error = float(1 / np.sqrt((1 / made.error**2).sum()))
    assert common == pytest.approx(-2.0, abs=2.5 * error + 0.05)
    assert error < 0.5
    assert elasticity.pool(made, cells).common[0] == pytest.approx(common, abs=0.2)


def test_the_unit_of_money_and_a_constant_price_ratio_change_nothing():
    truth = dict.fromkeys(NAMES[:6], -2.0)
    one, _ = fitted(pricing.sales(truth, price=20.0))
    other, _ = fitted(pricing.sales(truth, price=3000.0))
    assert one.slope == pytest.approx(other.slope, abs=1e-9)


def test_a_promotion_that_moves_sales_by_itself_is_told_apart_where_prices_move_without_it():
    rng = np.random.default_rng(2)
    truth = dict.fromkeys(NAMES, -1.5)
    made = pricing.sales(truth, rate=12, cuts=60, zeros=True)
    # Half of the cut days are promoted and sell 1.6 times as much for that alone.
    cut = (made["price"] < 20).to_numpy()
    promo = cut & (rng.random(made.height) < 0.5)
    units = np.where(promo, rng.poisson(made["units"].to_numpy() * 1.6), made["units"].to_numpy())
    made = made.with_columns(pl.Series("units", units.astype(float)), pl.Series("promo", promo)).filter(
        pl.col("units") > 0
    )
    found, _ = fitted(made)
    assert found.promo[0] == pytest.approx(np.log(1.6), abs=0.1)
    assert np.mean(found.slope) == pytest.approx(-1.5, abs=0.25)
    # Where every cut is promoted nothing can tell them apart: all of it is the price's.
    always, _ = fitted(pricing.sales(truth, promo=True))
    assert np.isnan(always.promo[0])


def test_own_estimates_are_drawn_to_their_category_and_the_pooled_ones_err_less():
    rng = np.random.default_rng(5)
    names = [f"P{i:02}" for i in range(60)]
    truth = {n: float(rng.normal(-1.5 if i < 30 else -3.5, 0.3)) for i, n in enumerate(names)}
    products = pricing.master(**{n: "low" if i < 30 else "high" for i, n in enumerate(names)})
    made, cells = fitted(pricing.sales(truth, rate=1.5, cuts=30), products)
    pooled = elasticity.pool(made, cells)
    real = np.array([truth[s] for s in cells.skus["sku"]])
    assert np.mean((pooled.mean - real) ** 2) < 0.5 * np.mean((made.slope - real) ** 2)
    inside = np.abs(pooled.mean - real) < elasticity.Z90 * pooled.sd
    assert inside.mean() >= 0.75
    by_category = {c: pooled.common[(cells.skus["category"] == c).to_numpy()][0] for c in ("low", "high")}
    assert by_category["low"] == pytest.approx(-1.5, abs=0.3) and by_category["high"] == pytest.approx(-3.5, abs=0.4)
    own, common = np.abs(pooled.mean - pooled.common), np.abs(made.slope - pooled.common)
    assert (own <= common + 1e-9).all()


def test_what_an_elasticity_rests_on_is_told():
    truth = dict.fromkeys(NAMES[:6], -2.0)
    moved = pricing.sales(truth)
    still = pricing.sales({"STILL": -2.0}, cuts=0, seed=9)
    lone = pricing.sales({"LONE": -2.0}, cuts=0, seed=10)
    products = pricing.master(**dict.fromkeys([*truth, "STILL", "NEVER SOLD"], "x"), LONE="y", OTHER="z")
    asked = [*truth, "STILL", "NEVER SOLD", "LONE", "STRANGER"]
    found, cells = elasticity.of_skus(asked, pl.concat([moved, still, lone]), products, -1.5)
    rows = {r["sku"]: r for r in found.iter_rows(named=True)}
    assert found["sku"].to_list() == asked
    assert {rows[s]["basis"] for s in truth} <= {"own", "category"}
    assert rows["STILL"]["basis"] == rows["NEVER SOLD"]["basis"] == "category"
    assert rows["STILL"]["elasticity"] == pytest.approx(rows["NEVER SOLD"]["elasticity"])
    assert rows["STILL"]["own"] is None
    assert rows["LONE"]["basis"] == "catalogue"
    assert rows["STRANGER"]["basis"] == "default"
    assert (rows["STRANGER"]["elasticity"], rows["STRANGER"]["deepest"]) == (-1.5, 0.0)
    assert rows["STRANGER"]["low"] < -1.5 < rows["STRANGER"]["high"] < 0
    assert rows[NAMES[0]]["deepest"] == pytest.approx(0.2)
    assert cells is not None


def test_without_sales_everything_is_the_default():
    found, cells = elasticity.of_skus(["A"], None, None, -2.0)
    assert cells is None
    assert found.row(0, named=True) | {"low": 0, "high": 0} == {
        "sku": "A", "elasticity": -2.0, "sd": 1.0, "own": None, "deepest": 0.0, "basis": "default", "low": 0, "high": 0,
    }  # fmt: skip
    # Prices that never move tell nothing either.
    found, _ = elasticity.of_skus(["A"], pricing.sales({"A": -2.0}, cuts=0), None, -2.0)
    assert found["basis"].to_list() == ["default"]


def test_one_sku_alone_is_its_own():
    found, _ = elasticity.of_skus(["A"], pricing.sales({"A": -2.0}, rate=20, days=500, cuts=60), None, -1.0)
    assert found["basis"].to_list() == ["own"]
    assert found["low"][0] < -2.0 < found["high"][0]


def test_a_single_cut_day_with_one_unit_leads_nowhere_far():
    made = pricing.sales({"A": -2.0, "B": -2.0, "C": -2.0, "D": -2.0, "E": -2.0}, rate=0.2, cuts=1)
    found, _ = elasticity.of_skus(list("ABCDE"), made, None, -1.5)
    assert found["elasticity"].is_finite().all() and (found["elasticity"].abs() < 12).all()


def test_the_order_of_rows_does_not_matter():
    made = pricing.sales(dict.fromkeys(NAMES[:5], -2.0), days=200)
    one, _ = elasticity.of_skus(NAMES[:5], made, None, -1.5)
    other, _ = elasticity.of_skus(NAMES[:5], made.sample(fraction=1.0, shuffle=True, seed=1), None, -1.5)
    assert one.equals(other)


def test_the_same_model_without_prices_fits_worse():
    made = pricing.sales(dict.fromkeys(NAMES[:5], -3.0))
    cells = pricecells.prepare(made, None)
    with_price, without = elasticity.fit(cells), elasticity.fit(cells, with_price=False)
    assert (without.slope == 0).all()
    errors = [np.abs(cells.units - m.rate(cells)).sum() for m in (with_price, without)]
    assert errors[0] < errors[1]


def test_prices_that_fall_for_good_and_all_together_lead_nowhere_far():
    # Weekly, overdispersed, price moves shared by all and lasting: levels, weeks and slopes pull at one another.
    rng = np.random.default_rng(8)
    weeks, rows = 120, []
    fall = np.interp(np.arange(weeks), [0, 30, 34, 120], [0.3, 0.3, 0.0, -0.05]) + 0.1 * (rng.random(weeks) < 0.1)
    for i in range(20):
        log_price = np.log(3.0) + fall + 0.02 * rng.standard_normal(weeks).round(1)
        units = rng.poisson(60 * np.exp(-2.5 * fall) * rng.gamma(2.5, 1 / 2.5, weeks))
        rows += [
            {
                "date": pricing.FIRST + timedelta(weeks=t),
                "sku": f"W{i:02}",
                "units": float(units[t]),
                "price": float(np.exp(log_price[t])),
            }
            for t in range(weeks)
        ]
    made, _ = fitted(pricing.frame(rows))
    assert np.abs(made.slope).max() < 8
    assert float((made.slope / made.error**2).sum() / (1 / made.error**2).sum()) == pytest.approx(-2.5, abs=0.8)
