"""Calendar, holidays, signals and marks of sales onto the grid of a panel."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from cbec.methods.forecast import history, plans

START = date(2025, 1, 6)  # a Monday


def rows(count=3, days=140, market="DE", **columns):
    when = [START + timedelta(days=i) for i in range(days)]
    frame = pl.DataFrame(
        {
            "date": pl.Series(when)[np.tile(np.arange(days), count)],
            "sku": [f"S{i}" for i in range(count) for _ in range(days)],
            "market": market,
            "units": 2.0,
        }
    )
    return frame.with_columns(**columns)


def attached(sales, calendar=None, signals=None, frequency="D", h=14, by="sku,market"):
    panel = history.panel(sales, as_of=sales["date"].max(), frequency=frequency, by=by)
    return plans.attach(panel, sales, calendar, signals, h)


def calendar(*plan):
    columns = {
        "date": pl.Date,
        "name": pl.String,
        "kind": pl.String,
        "market": pl.String,
        "sku": pl.String,
        "until": pl.Date,
        "price": pl.Float64,
        "value": pl.Float64,
    }
    full = [dict.fromkeys(columns) | p for p in plan]
    return pl.DataFrame(full, schema=columns)


def test_days_of_a_promotion_are_parts_of_a_week():
    sale = {"date": START + timedelta(days=145), "until": START + timedelta(days=148), "kind": "promotion"}
    cov = attached(rows(), calendar(sale | {"name": "sale", "sku": "S1"}), frequency="W", h=3).covariates
    assert cov.width == 20 and cov.names == ("promotion", "sale")
    assert cov.planned[0].sum() == 0 and cov.planned[1].sum() == pytest.approx(4 / 7)
    assert cov.planned[1, 20] == pytest.approx(2 / 7) and cov.label[1, 21] == 1  # Saturday, Sunday; Monday, Tuesday


def test_a_mark_in_sales_covers_its_part_of_the_period():
    promo = pl.col("date").is_between(START + timedelta(days=7), START + timedelta(days=9))
    daily = attached(rows(promo=promo), frequency="W", h=2)
    assert daily.covariates.seen[0, 1] == pytest.approx(3 / 7)
    weekly = rows(promo=promo).filter(pl.col("date").dt.weekday() == 1)
    assert attached(weekly, frequency="W", h=2).covariates.seen[0, 1] == 1.0  # a row of a week stands for all of it


def test_a_plan_that_begins_today_makes_plans_of_what_the_sales_tell():
    promo = pl.col("date").is_between(START + timedelta(days=7), START + timedelta(days=9))
    sold = rows(promo=promo, price=pl.lit(5.0))
    day = START + timedelta(days=142)
    ahead = [
        {"date": day, "name": "deal", "kind": "promotion"},
        {"date": day, "name": "p", "kind": "price", "value": 4.0},
    ]
    cov = attached(sold, calendar(*ahead), frequency="W", h=3).covariates
    told = cov.as_planned()
    assert (told.planned[:, : cov.width] == cov.seen).all() and (
        told.planned[:, cov.width :] == cov.planned[:, cov.width :]
    ).all()
    assert (told.planned_price[:, : cov.width] == 5.0).all() and np.nanmin(told.planned_price[:, cov.width :]) == 4.0
    assert any("count as planned then" in note for note in told.notes)
    assert told.until(5).promotion(cov.width - 5)[0][0, 1] == pytest.approx(3 / 7)
    # A calendar of the past is the plan, and without one ahead there is none.
    before = attached(
        sold, calendar(*ahead, ahead[0] | {"date": START}, ahead[1] | {"date": START}), frequency="W", h=3
    ).covariates
    assert before.as_planned() is before
    none = attached(sold, None, frequency="W", h=3).covariates
    assert none.as_planned() is none


def test_a_hole_in_the_promotion_plan_is_told():
    promo = pl.col("date") == START + timedelta(days=30)
    panel = attached(rows(promo=promo))
    assert any("none planned ahead" in n for n in panel.covariates.notes)
    assert all("no_promo_plan" in f for f in panel.flags())
    plan = calendar({"date": START + timedelta(days=145), "name": "sale", "kind": "promotion", "sku": "S0"})
    whole = attached(rows(promo=promo), plan)
    assert whole.covariates.notes == [] and not any("no_promo_plan" in f for f in whole.flags())


def test_a_plan_that_ends_early_is_told():
    promo = ((pl.col("date") - START).dt.total_days() % 20) < 3
    sale = {"date": START + timedelta(days=142), "name": "sale", "kind": "promotion"}
    short = attached(rows(promo=promo), calendar(sale), h=40).covariates
    assert any("planned until 2025-05-28 and the horizon lasts until 2025-07-04" in n for n in short.notes)
    rest = calendar(sale, sale | {"date": START + timedelta(days=162)})
    assert attached(rows(promo=promo), rest, h=40).covariates.notes == []


def test_a_broken_value_of_a_signal_is_told():
    days = [START + timedelta(days=i) for i in range(160)]
    value = [15.0 + i % 7 if i != 90 else 1e6 for i in range(160)]
    told = pl.DataFrame(
        {"date": days, "name": "temperature", "value": value, "recorded": [d - timedelta(days=30) for d in days]}
    )
    notes = attached(rows(), None, told).covariates.notes
    assert any("temperature: 1 value far beyond all others (1e+06): not used" in n for n in notes)


def test_holidays_of_country_codes_only():
    names = {line.name for line in attached(rows(days=400)).covariates.lines}
    assert "Christmas Day" in names and "the day after" in names
    assert attached(rows(market="*")).covariates is None
    assert attached(rows(market="Shop 1")).covariates is None
    assert attached(rows(market="QZ")).covariates is None  # no such country


def test_a_holiday_has_one_name_in_all_years():
    """Days of the moon are `estimated` in years to come, some are moved to a weekday, two may fall on one day, and where a Sunday is worked
    another day is off: what was learnt of the past belongs to them."""
    days = {
        date(2024, 4, 10): "Eid al-Fitr",
        date(2027, 3, 9): "Eid al-Fitr (observed, estimated)",
        date(2027, 5, 19): "Youth Day; Eid al-Adha (estimated)",
        date(2024, 2, 12): "New Year (Spring Festival)",
        date(2024, 2, 15): "Day off (substituted from 02/04/2024)",
        date(2024, 8, 15): "Day off (substituted from 08/18/2024)",
    }
    assert plans._named(days) == {
        date(2024, 4, 10): ["Eid al-Fitr"],
        date(2027, 3, 9): ["Eid al-Fitr"],
        date(2027, 5, 19): ["Youth Day", "Eid al-Adha"],
        date(2024, 2, 12): ["New Year (Spring Festival)"],
        date(2024, 2, 15): ["New Year (Spring Festival)"],
        date(2024, 8, 15): ["Day off"],
    }


def test_rows_of_no_series_are_told_and_left_out():
    plan = calendar(
        {"date": START, "name": "fair", "market": "FR"},
        {"date": START, "name": "sale", "kind": "promotion", "sku": "S9"},
    )
    cov = attached(rows(), plan).covariates
    assert cov.planned is None and not any(line.kind == "event" for line in cov.lines)
    assert any("market" in n and "FR" in n for n in cov.notes) and any("S9" in n for n in cov.notes)


def test_an_event_belongs_to_its_market():
    sales = pl.concat([rows(), rows(market="FR")])
    plan = calendar({"date": START, "name": "fair", "market": "FR"}, {"date": START, "name": "storm", "value": 3.0})
    lines = {line.name: line for line in attached(sales, plan).covariates.lines}
    assert lines["fair"].markets.tolist() == [False, True] and lines["storm"].markets.all()
    assert lines["storm"].x[0] == 3.0


def signal(days, recorded=None):
    frame = pl.DataFrame({"date": [START + timedelta(days=d) for d in days], "name": "visits"})
    return frame.with_columns(value=pl.int_range(pl.len()).cast(pl.Float64) % 7, recorded=pl.lit(recorded, pl.Date))


def test_what_is_known_only_afterwards_is_refused():
    cov = attached(rows(), signals=signal(range(154))).covariates
    assert [f[3] for f in cov.findings] == ["signal_refused"] and "14 values" in cov.findings[0][4]
    assert np.isnan(cov.signals[0].known(140, 154)[140:]).all()
    assert any("nothing recorded for the time ahead" in n for n in cov.notes)


def test_a_signal_recorded_before_is_known_ahead_from_that_day_on():
    plan = pl.concat([signal(range(140)), signal(range(140, 154), START + timedelta(days=130))])
    cov = attached(rows(), signals=plan).covariates
    assert cov.findings == [] and not np.isnan(cov.signals[0].known(140, 154)).any()
    at_origin = cov.signals[0].known(130, 154)
    assert not np.isnan(at_origin[:130]).any() and np.isnan(at_origin[130:]).all()


def test_the_latest_record_of_a_day_counts():
    early = signal(range(145, 146), START + timedelta(days=10)).with_columns(value=pl.lit(5.0))
    late = early.with_columns(value=pl.lit(9.0), recorded=pl.lit(START + timedelta(days=100)))
    cov = attached(rows(), signals=pl.concat([signal(range(140)), late, early])).covariates
    assert cov.signals[0].known(140, 154)[145] == 9.0 and cov.signals[0].known(50, 154)[145] == 5.0


def test_prices_in_two_currencies_are_no_change_of_price():
    """Those in a series' commonest currency count, and a note says so."""
    sales = rows(price=10.0, currency=pl.lit("EUR")).with_row_index("n")
    foreign = (pl.col("sku") == "S1") & (pl.col("n") % 3 == 0)
    sales = sales.with_columns(
        price=pl.when(foreign).then(70.0).otherwise("price"), currency=pl.when(foreign).then(pl.lit("CNY")).otherwise("currency")
    )  # fmt: skip
    panel = attached(sales)
    price = panel.covariates.price
    assert set(np.unique(price[~np.isnan(price)])) == {10.0}
    assert any(note.startswith("prices of 1 series in several currencies") for note in panel.covariates.notes)


def test_planned_prices_without_prices_paid_are_told():
    ahead = {"date": START + timedelta(days=145), "name": "autumn", "kind": "price", "sku": "S1", "value": 9.0}
    silent = attached(rows(), calendar(ahead)).covariates
    assert any("planned prices of 1 series not used" in note for note in silent.notes)
    paid = rows(price=pl.when(pl.col("sku") == "S1").then(10.0))
    assert not any("planned prices" in note for note in attached(paid, calendar(ahead)).covariates.notes)
    # Prices of other series help this one as little as none.
    other = attached(rows(price=pl.when(pl.col("sku") != "S1").then(10.0)), calendar(ahead)).covariates
    assert any("planned prices of 1 series not used" in note for note in other.notes)


def test_a_price_stands_in_its_own_column_of_a_promotion_too():
    day = {"date": START + timedelta(days=145), "name": "deal"}
    both = day | {"kind": "promotion", "price": 7.0, "sku": "S0"}
    bare = day | {"price": 8.0, "sku": "S1"}  # no kind: a price
    old = day | {"kind": "price", "value": 9.0, "sku": "S2"}
    cov = attached(rows(price=pl.lit(10.0)), calendar(both, bare, old)).covariates
    assert cov.planned_price[:, 145].tolist() == [7.0, 8.0, 9.0] and cov.planned[:, 145].tolist() == [1.0, 0.0, 0.0]
    assert np.isnan(cov.planned_price[:, 144]).all() and not any(line.kind == "event" for line in cov.lines)


def test_the_price_of_an_item_goes_before_that_of_all_and_the_lower_before_the_higher():
    day = {"date": START + timedelta(days=145), "kind": "price"}
    plan = [
        day | {"name": "list", "price": 10.0},
        day | {"name": "own", "price": 12.0, "sku": "S1"},
        day | {"name": "deal", "price": 9.0},
    ]
    cov = attached(rows(price=pl.lit(10.0)), calendar(*plan)).covariates
    assert cov.planned_price[:, 145].tolist() == [9.0, 12.0, 9.0]


def test_prices_of_some_days_count_by_their_part_of_the_week():
    """Two days at 7 instead of 10: seven days ahead, and in the past, the week's price is between."""
    cut = pl.col("date").is_between(START + timedelta(days=7), START + timedelta(days=8))
    sold = rows(price=pl.when(cut).then(7.0).otherwise(10.0))
    ahead = {"date": START + timedelta(days=145), "until": START + timedelta(days=146), "name": "deal", "price": 7.0}
    cov = attached(sold, calendar(ahead), frequency="W", h=3).covariates
    assert cov.price[0, :2].tolist() == pytest.approx([10.0, (2 * 7 + 5 * 10) / 7])
    assert cov.planned_price[0, 20] == 7.0 and cov.price_held[0, 19:22].tolist() == pytest.approx([0, 2 / 7, 0])


def test_plans_for_quarters_are_told_as_unused():
    sale = {"date": START + timedelta(days=145), "name": "sale", "kind": "promotion"}
    panel = attached(rows(days=700), calendar(sale), frequency="Q", h=2)
    assert panel.covariates is None and any("calendar: not used" in note for note in panel.notes)
