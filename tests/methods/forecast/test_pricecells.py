"""Sales into cells of series, week and price: which rows count, and how."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support import pricing

from cbec.methods.forecast import pricecells


def day(n, units, price=10.0, **more):
    return {
        "date": pricing.FIRST + timedelta(days=n),
        "sku": "A",
        "market": "DE",
        "units": float(units),
        "price": price,
    } | more


def of(*rows):
    return pricecells.prepare(pricing.frame(list(rows)), None)


def test_days_of_one_week_and_price_are_one_cell():
    cells = of(
        *(day(n, 3) for n in range(7)), *(day(n, 5, 8.0) for n in range(7, 10)), *(day(n, 2) for n in range(10, 14))
    )
    assert cells.units.tolist() == [21, 15, 8]
    assert cells.slots.tolist() == [7, 3, 4]
    assert cells.exposure.sum() == pytest.approx(14, rel=0.05)
    assert cells.log_price.tolist() == pytest.approx([0, -0.2231, 0], abs=1e-4)
    assert cells.names["regular"].to_list() == pytest.approx([10.0])
    assert cells.deepest.tolist() == pytest.approx([0.2])


def test_without_rows_of_no_sale_only_sales_are_seen():
    assert of(*(day(n, 2) for n in range(0, 28, 2))).cut.all()
    assert not of(*(day(n, 2 * (n % 2)) for n in range(28))).cut.any()


def test_weekdays_weigh_as_much_as_they_sell():
    cells = of(*(day(n, 10 if n % 7 == 5 else 5, 8.0 if n == 33 else 10.0) for n in range(70)))
    assert cells.exposure[cells.log_price < -0.1].sum() == pytest.approx(7 * 10 / 40, rel=0.02)  # a Saturday: 10 of 40


def test_stock_outs_returns_and_rows_without_price_do_not_count():
    plain = [day(n, 3) for n in range(14)]
    cells = of(*plain, day(20, 0, in_stock=False), day(15, -2), day(16, 5, None))
    assert cells.units.sum() == 42
    assert cells.slots.sum() == 14
    assert cells.cut.all()


def test_a_series_that_seldom_sells_is_left_out():
    assert of(*(day(10 * n, 2) for n in range(30))) is None
    both = pricing.frame([*(day(10 * n, 2) for n in range(30)), *(day(n, 1) | {"sku": "B"} for n in range(30))])
    assert pricecells.prepare(both, None).skus["sku"].to_list() == ["B"]


def test_discounts_are_counted_from_the_regular_price_of_the_last_half_year():
    rows = (
        [day(n, 2, 12.0) for n in range(200)]
        + [day(n, 2, 10.0) for n in range(200, 380)]
        + [day(n, 6, 7.5) for n in range(380, 384)]
    )
    cells = of(*rows)
    assert cells.names["regular"][0] == pytest.approx(10.0)
    assert cells.deepest[0] == pytest.approx(0.25)


def test_weekly_and_monthly_data_count_in_their_own_periods():
    weekly = of(*(day(7 * n, 20 + n % 3) for n in range(30)))
    assert weekly.exposure.sum() == 30 and weekly.units.sum() == sum(20 + n % 3 for n in range(30))
    months = [(2024 + n // 12, n % 12 + 1) for n in range(18)]
    monthly = of(
        *(day(0, 20 + n) | {"date": pricing.FIRST.replace(year=y, month=m, day=1)} for n, (y, m) in enumerate(months))
    )
    assert monthly.exposure.sum() == 18


def test_weeks_have_effects_where_some_skus_are_controls():
    def weekly(cut_weeks):
        return pricing.frame(
            [
                day(7 * n, 20, 8.0 if n in cut_weeks(i) else 10.0) | {"sku": s}
                for i, s in enumerate("ABCDEF")
                for n in range(52)
            ]
        )

    apart = pricecells.prepare(weekly(lambda i: {3 + i, 20 + i, 40 + i}), None)
    together = pricecells.prepare(weekly(lambda i: {3, 20, 40}), None)
    assert apart.time.max() + 1 == 52
    assert together.time.max() + 1 == 13


def test_no_price_no_cells():
    assert of(day(0, 3, None)) is None


def test_the_order_of_rows_does_not_matter():
    made = pricing.sales({"A": -2.0, "B": -3.0}, days=120, cuts=12)
    once = pricecells.prepare(made, None)
    again = pricecells.prepare(made.sample(fraction=1.0, shuffle=True, seed=3), None)
    for name in (
        "units",
        "exposure",
        "log_price",
        "promo",
        "cut",
        "slots",
        "level",
        "time",
        "sku",
        "series",
        "deepest",
    ):
        assert (getattr(once, name) == getattr(again, name)).all(), name
    assert_frame_equal(once.names, again.names, check_exact=True)


def test_an_sku_without_a_category_has_one_of_its_own():
    made = pricing.sales({"A": -2.0, "B": -2.0})
    products = pl.DataFrame({"sku": ["A"], "category": [None]}, schema={"sku": pl.String, "category": pl.String})
    assert pricecells.prepare(made, products).categories == ["*"]
