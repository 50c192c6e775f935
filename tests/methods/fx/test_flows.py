from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import fxdesk as desk

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.fx import flows as method

SOON, LATER = desk.LAST + timedelta(days=20), desk.LAST + timedelta(days=50)


def run(exposures, hedges=None, *, home="CNY", bucket="month"):
    return method.flows(exposures, hedges, desk.LAST, home, bucket)


def rows(found):
    return {(r["currency"], r["bucket"]): r for r in found.table.iter_rows(named=True)}


def test_receipts_and_payments_of_one_month_are_netted_by_what_is_expected():
    found = run(
        desk.due(
            {"amount": 1000, "due_date": SOON},
            {"amount": -300, "type": "AP", "due_date": SOON},
            {"amount": 500, "type": "FORECAST", "probability": 0.4, "due_date": SOON},
            {"amount": 700, "currency": "USD", "due_date": LATER},
        ),
        desk.sold({"sell_amount": 250, "value_date": SOON}),
    )
    euro = rows(found)["EUR", "2026-07"]
    assert (euro["gross_in"], euro["gross_out"], euro["net"], euro["hedged"], euro["open"]) == (
        1200,
        -300,
        900,
        -250,
        650,
    )
    assert rows(found)["USD", "2026-08"]["open"] == 700
    assert found.currencies == ["EUR", "USD"]


def test_the_value_date_lies_between_the_due_dates_by_size_on_a_weekday():
    found = run(desk.due({"amount": 300, "due_date": date(2026, 7, 3)}, {"amount": 100, "due_date": date(2026, 7, 31)}))
    assert found.table["value_date"].to_list() == [date(2026, 7, 10)]
    assert found.ahead.tolist() == [10]
    saturday = run(desk.due({"due_date": date(2026, 7, 4)}))
    assert saturday.table["value_date"].to_list() == [date(2026, 7, 6)]


def test_what_is_overdue_is_paid_on_the_next_weekday_and_dead_hedges_are_left_out():
    found = run(desk.due({"due_date": date(2026, 5, 1)}), desk.sold({"value_date": desk.LAST}))
    row = found.table.row(0, named=True)
    assert row["value_date"] == date(2026, 6, 29) and row["hedged"] == 0 and found.ahead.tolist() == [1]
    assert len(found.notes) == 2


def test_a_cross_hedge_has_two_legs():
    found = rows(
        run(
            desk.due(
                {"amount": 1000, "due_date": SOON}, {"amount": -800, "currency": "USD", "type": "AP", "due_date": SOON}
            ),
            desk.sold({"sell_amount": 700, "buy_currency": "USD", "buy_amount": 780, "value_date": SOON}),
        )
    )
    assert found["EUR", "2026-07"]["open"] == 300 and found["USD", "2026-07"]["open"] == -20


def test_home_money_is_no_exposure():
    found = run(desk.due({}, {"currency": "CNY"}))
    assert found.currencies == ["EUR"] and "CNY: 1 left out" in found.notes[0]
    with pytest.raises(InputRejected, match="other than EUR"):
        run(desk.due(), home="EUR")
    with pytest.raises(UsageFault, match="home currency"):
        run(desk.due(), home=None)


def test_forwards_that_do_not_fit_are_told():
    found = run(desk.due({"due_date": SOON}), desk.sold({"value_date": LATER}))
    assert [f[3] for f in found.findings] == ["hedge_alone"]
    found = run(desk.due({"due_date": SOON, "amount": 100}), desk.sold({"value_date": SOON, "sell_amount": 200}))
    assert [f[3] for f in found.findings] == ["over_hedged"]
    found = run(desk.due({"type": "FORECAST"}))
    assert [f[3] for f in found.findings] == ["forecast_without_probability"]


@pytest.mark.parametrize(
    ("bucket", "names"), [("week", ["2026-W29"]), ("month", ["2026-07"]), ("quarter", ["2026-Q3"])]
)
def test_buckets(bucket, names):
    assert run(desk.due({"due_date": date(2026, 7, 16)}), bucket=bucket).table["bucket"].to_list() == names


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(1, 120)), min_size=1, max_size=12), st.randoms())
def test_the_order_of_rows_is_nothing_and_money_is_kept(items, shuffle):
    def made(pairs):
        return desk.due(
            *({"exposure_id": f"{a}/{d}/{i}", "type": "FORECAST", "amount": a, "probability": 0.7, "due_date": desk.LAST + timedelta(days=d)} for i, a, d in pairs)
        )  # fmt: skip

    numbered = [(i, a, d) for i, (a, d) in enumerate(items)]
    mixed = list(numbered)
    shuffle.shuffle(mixed)
    first, second = run(made(numbered)), run(made(mixed))
    assert first.table.equals(second.table)
    assert first.table["net"].sum() == pytest.approx(0.7 * sum(a for a, _ in items), abs=1e-3)
