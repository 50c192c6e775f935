"""Preparation: what is zero, what is not known, what is left out, and that nothing after as_of enters."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.forecast import classes, history, tables

MONDAY = date(2024, 1, 1)


def day(i):
    return MONDAY + timedelta(days=i)


def sales(rows, **more):
    """Rows (day number, sku, units); further columns by name."""
    frame = pl.DataFrame(
        {"date": [day(r[0]) for r in rows], "sku": [r[1] for r in rows], "units": [float(r[2]) for r in rows]}
    )
    return frame.with_columns(**{k: pl.Series(v) for k, v in more.items()})


def panel(frame, last, **more):
    return history.panel(frame, as_of=day(last), **more)


def test_gaps_are_zero_only_after_the_first_sale():
    p = panel(sales([(0, "a", 1), (9, "a", 2), (4, "b", 3)]), 11, frequency="D")
    assert p.keys["sku"].to_list() == ["a", "b"]
    assert p.keys["market"].to_list() == ["*", "*"]
    assert p.units[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0]
    assert np.isnan(p.units[1, :4]).all()
    assert p.units[1, 4:].tolist() == [3, 0, 0, 0, 0, 0, 0, 0]


def test_zeros_before_launch_are_trimmed():
    p = panel(sales([(0, "a", 0), (1, "a", 0), (2, "a", 5), (3, "a", 0)]), 3, frequency="D")
    assert np.isnan(p.units[0, :2]).all()
    assert p.units[0, 2:].tolist() == [5, 0]


def test_the_first_and_the_last_sale_are_columns():
    p = panel(sales([(2, "a", 1), (5, "a", 2), (0, "b", 3), (9, "b", 0), (3, "c", 0)]), 9, frequency="D")
    assert p.first.tolist() == [2, 0, 10]
    assert p.last.tolist() == [5, 0, -1]


def test_stock_out_is_masked_not_zero():
    rows = [(i, "a", 0 if i in (3, 4) else 2) for i in range(8)]
    p = panel(sales(rows, in_stock=[i not in (3, 4) for i in range(8)]), 7, frequency="D")
    assert np.isnan(p.units[0, 3:5]).all()
    assert p.stock_out[0].tolist() == [i in (3, 4) for i in range(8)]
    assert "stock_out" in p.flags()[0]


def test_a_week_partly_out_of_stock_is_scaled_up_from_its_days_in_stock():
    rows = [(i, "a", 0 if 8 <= i < 12 else 3) for i in range(21)]
    p = panel(sales(rows, in_stock=[not 8 <= i < 12 for i in range(21)]), 20, frequency="W")
    assert p.units[0].tolist() == [21, 21, 21]  # 3 days in stock x 3 units, times 7/3


def test_a_week_with_a_single_day_in_stock_is_masked():
    rows = [(i, "a", 0 if 7 <= i < 13 else 3) for i in range(21)]
    p = panel(sales(rows, in_stock=[not 7 <= i < 13 for i in range(21)]), 20, frequency="W")
    assert np.isnan(p.units[0, 1])


def test_a_day_that_ends_with_an_empty_shelf_counts_as_half_a_day_with_what_it_sold():
    rows = [(i, "a", {8: 2, 9: 0, 10: 0, 11: 0}.get(i, 3)) for i in range(21)]
    p = panel(sales(rows, in_stock=[not 8 <= i < 12 for i in range(21)]), 20, frequency="W")
    assert p.units[0].tolist() == [21, 11 * 7 / 3.5, 21]
    assert p.stock_out[0].tolist() == [False, True, False]


def test_a_period_sold_out_counts_where_it_sold_no_less_than_usual():
    rows = [(i, "a", u) for i, u in enumerate([4, 6, 3, 0, 7, 5])]
    p = panel(sales(rows, in_stock=[True, True, False, False, False, True]), 5, frequency="D")
    assert p.units[0][[0, 1, 4, 5]].tolist() == [4, 6, 7, 5]
    assert np.isnan(p.units[0, 2:4]).all()  # 3 is less than the 5 of the days before: more may have been asked for


@pytest.mark.parametrize(("frequency", "days"), [("D", 1), ("W", 7)])
@pytest.mark.parametrize(("per_day", "stock", "lead"), [(0.02, 2, 45), (0.1, 2, 20)])
def test_sales_that_empty_the_shelf_do_not_hide_demand(frequency, days, per_day, stock, lead):
    """Base stock, lost sales, in_stock by the count of the evening: the mean that methods see is the demand, not what is left
    of it without the days on which the last unit went."""
    rng = np.random.default_rng(4)
    width, many = 7 * 140, 60
    asked = rng.poisson(per_day, (width, many))
    asked[0] = 1
    shelf, coming, rows, there = np.full(many, stock), np.zeros((width + lead + 1, many), int), [], []
    for t in range(width):
        sold = np.minimum(asked[t], shelf)
        shelf = shelf - sold
        coming[t + lead] += sold
        rows += [(t, f"s{i:02d}", units) for i, units in enumerate(sold)]
        there += (shelf > 0).tolist()
        shelf = shelf + coming[t]
    p = panel(sales(rows, in_stock=there), width - 1, frequency=frequency)
    assert np.nanmean(p.units[:, 28 // days :]) == pytest.approx(days * per_day, rel=0.2)


def test_a_day_sold_out_in_one_warehouse_and_open_in_another_counts():
    rows = [(0, "a", 2), (1, "a", 0), (1, "a", 2), (2, "a", 2)]
    p = panel(sales(rows, in_stock=[True, False, True, True]), 2, frequency="D")
    assert p.units[0].tolist() == [2, 2, 2]


def test_returns_are_netted_apart():
    p = panel(sales([(0, "a", 5), (1, "a", -2), (1, "a", 1)]), 1, frequency="D")
    assert p.units[0].tolist() == [5, 1]
    assert p.returned[0].tolist() == [0, 2]
    assert "returns" in p.flags()[0]


def test_partial_weeks_at_both_ends_are_dropped():
    p = panel(sales([(i, "a", 1) for i in range(2, 24)]), 23, frequency="W")
    assert p.units.tolist() == [[7, 7]]
    assert p.dropped == ("partial_first_dropped", "partial_last_dropped")
    whole = panel(sales([(i, "a", 1) for i in range(21)]), 20, frequency="W")
    assert whole.units.tolist() == [[7, 7, 7]]
    assert whole.dropped == ()


def test_weekly_rows_stand_for_whole_weeks():
    p = panel(sales([(7 * i, "a", i + 1) for i in range(4)]), 21)
    assert p.frequency == "W"
    assert p.units.tolist() == [[1, 2, 3, 4]]


def test_days_without_rows_up_to_as_of_are_zero_sales():
    p = panel(sales([(0, "a", 1), (1, "a", 1)]), 4, frequency="D")
    assert p.units.tolist() == [[1, 1, 0, 0, 0]]


def test_duplicates_and_markets_are_added_up():
    frame = sales([(0, "a", 1), (0, "a", 2), (0, "a", 4)], market=["DE", "DE", None])
    p = panel(frame, 0, frequency="D")
    assert p.keys.rows() == [("a", "*"), ("a", "DE")]
    assert p.units[:, 0].tolist() == [4, 3]
    assert panel(frame, 0, frequency="D", by="sku").units.tolist() == [[7]]


def test_delisted_after_half_a_year_of_silence():
    rows = [(7 * i, "a", 5) for i in range(10)] + [(7 * i, "b", 5) for i in range(40)]
    p = panel(sales(rows), 7 * 39)
    assert p.obsolete.tolist() == [True, False]
    assert p.demand_class.tolist() == ["obsolete", "smooth"]
    assert "obsolete" in p.flags()[0]


def test_a_rare_seller_is_not_delisted_by_its_usual_interval():
    rows = [(7 * i, "rare", 1) for i in (0, 20, 40, 60)] + [(7 * i, "b", 5) for i in range(90)]
    p = panel(sales(rows), 7 * 89)
    assert not p.obsolete.any()  # 29 weeks of silence, with a sale every 20 weeks before


def test_a_stock_out_is_no_silence():
    rows = [(7 * i, "a", 5 if i < 10 else 0) for i in range(45)]
    p = panel(sales(rows, in_stock=[i < 10 for i in range(45)]), 7 * 44)
    assert not p.obsolete.any()


@pytest.mark.parametrize(
    ("values", "adi", "cv2", "label"),
    [
        ([4, 5, 4, 5, 4, 5, 4, 5, 4, 5], 1.0, 10 * 0.25 / 9 / 4.5**2, "smooth"),
        ([1, 9, 1, 9, 1, 9, 1, 9, 1, 9], 1.0, 10 * 16 / 9 / 25, "erratic"),
        ([4, 0, 0, 4, 0, 0, 4, 0, 0], 3.0, 0.0, "intermittent"),
        ([1, 0, 0, 9, 0, 0, 1, 0, 0, 9], 2.5, 4 * 16 / 3 / 25, "lumpy"),
    ],
)
def test_classes_of_syntetos_boylan_croston(values, adi, cv2, label):
    found = classes.classify(np.array([values], float))
    assert found[0][0] == pytest.approx(adi)
    assert found[1][0] == pytest.approx(cv2)
    assert found[2][0] == label


@pytest.mark.parametrize(("name", "known"), [("AUTO", 17), ("OIL", 38)])
def test_classes_reproduce_published_labels(data_set, name, known):
    folder = data_set("forecast/spare_parts")
    long = pl.read_parquet(folder / f"{name}_clean_long.parquet").sort("unique_id", "t")
    labels = pl.read_parquet(folder / f"{name}_classification.parquet").sort("unique_id")
    count = labels.height
    units = long["y"].cast(pl.Float64).to_numpy().reshape(count, -1)[:, :known]
    assert classes.classify(units)[2].tolist() == labels["Classification"].str.to_lowercase().to_list()


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abc"), st.integers(-3, 20)), min_size=5, max_size=60),
    st.randoms(),
)
@settings(max_examples=40, deadline=None)
def test_the_order_of_rows_does_not_matter(rows, random):
    rows = [(0, "a", 1), *rows]
    other = list(rows)
    random.shuffle(other)
    frames = [sales([(i, s, u + 0.1) for i, s, u in r]) for r in (rows, other)]
    one, two = (panel(f, 60, frequency="D") for f in frames)
    assert one.units.tobytes() == two.units.tobytes()
    assert one.returned.tobytes() == two.returned.tobytes()


def test_until_is_what_a_panel_of_that_day_would_be():
    rng = np.random.default_rng(3)
    rows = [(i, s, u) for s in "abcd" for i, u in enumerate(rng.poisson(0.4, 90)) if u]
    now, then = panel(sales(rows), 89, frequency="D"), panel(sales(rows), 69, frequency="D")
    past = history.until(now, 20)
    assert now.keys.equals(then.keys)
    width = then.units.shape[1]
    np.testing.assert_array_equal(past.units[:, -width:], then.units)
    assert past.demand_class.tolist() == then.demand_class.tolist()


def test_settings_that_make_no_sense():
    frame = sales([(0, "a", 1)])
    with pytest.raises(UsageFault, match="sku"):
        panel(frame, 0, by="skus")
    with pytest.raises(UsageFault):
        panel(frame, 0, by=" ")
    with pytest.raises(UsageFault, match="frequency"):
        panel(frame, 0, frequency="2W")
    with pytest.raises(InputRejected, match="no row"):
        panel(frame, -1)
    with pytest.raises(InputRejected, match="no whole period"):
        panel(frame, 0, frequency="M")


def test_a_finer_frequency_than_the_dates_have_is_said():
    p = panel(sales([(7 * i, "a", 1) for i in range(5)]), 28, frequency="D")
    assert p.frequency == "D"
    assert "look like frequency W" in p.notes[0]


def test_groups_of_market_and_category():
    names = pl.DataFrame({"sku": [f"S{i:03d}" for i in range(100)], "market": ["DE"] * 60 + ["FR"] * 40})
    products = pl.DataFrame({"sku": names["sku"], "category": ["pet"] * 30 + ["toy"] * 15 + [None] * 15 + ["pet"] * 40})
    assert history.groups(names.select("sku"), None).tolist() == [0] * 100
    by_market = history.groups(names, None)
    assert len(set(by_market[:60])) == len(set(by_market[60:])) == 1 and by_market[0] != by_market[60]
    both = history.groups(names, products)
    assert len(set(both[:30])) == len(set(both[30:60])) == len(set(both[60:])) == 1  # 15 toys are too few
    assert len({both[0], both[30], both[60]}) == 3
    few = names.with_columns(market=pl.Series([f"M{i // 5}" for i in range(100)]))
    assert history.groups(few, None).tolist() == [0] * 100
    assert history.groups(few, products)[0] == 0


def test_a_one_off_bulk_order_is_capped_and_a_second_is_not():
    rng = np.random.default_rng(1)
    units = rng.integers(3, 9, 60).astype(float)
    units[[30, 45]] = 60.0
    rows = [(date(2024, 1, 1) + timedelta(days=i), "A", u) for i, u in enumerate(units)]
    sold = pl.DataFrame(rows, schema={"date": pl.Date, "sku": pl.String, "units": pl.Float64}, orient="row")
    made = history.panel(sold, as_of=date(2024, 2, 29), frequency="D")
    assert np.flatnonzero(made.excess[0]).tolist() == [30]
    assert made.units[0, 30] == units[:30].max() and made.units[0, 45] == 60.0
    np.testing.assert_array_equal(
        made.sold[0], units
    )  # nothing is lost: what came is judged, and the naive methods see it
    assert "bulk_capped" in made.flags()[0]
    told = tables.prepared(made)
    assert told.filter(pl.col("flag") == "bulk")["date"].to_list() == [date(2024, 1, 31)]
    before = history.panel(sold, as_of=date(2024, 2, 5), frequency="D")  # what comes later changes nothing
    assert (before.units[0] == made.units[0, :36]).all()
    promoted = history.panel(sold.with_columns(promo=pl.col("units") == 60), as_of=date(2024, 2, 29), frequency="D")
    assert not promoted.excess.any()
    assert not history.until(made, 40).excess.any()
