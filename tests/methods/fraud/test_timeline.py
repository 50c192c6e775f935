"""Order, money, and what was known when."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import payments

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.fraud import timeline


def verdicts(*rows: tuple[str, str, datetime | None]) -> pl.DataFrame:
    schema = {"transaction_id": pl.String, "verdict": pl.String, "decided_at": pl.Datetime("us")}
    return pl.DataFrame(rows, schema=schema, orient="row")


def at(days: float) -> int:
    return round((payments.START + timedelta(days=days) - datetime(1970, 1, 1)) / timedelta(microseconds=1))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_no_two_payments_share_a_clock_and_equal_times_go_by_id(hours):
    frame = timeline.order(
        payments.table([{"at": h, "transaction_id": f"{i * 7 % 31:02d}-{i}"} for i, h in enumerate(hours)])
    )
    clock = frame["_clock"]
    assert (clock.diff().drop_nulls() > 0).all()
    assert frame.select("time", "transaction_id").equals(
        frame.select("time", "transaction_id").sort("time", "transaction_id")
    )
    assert ((clock - frame["_at"] * 1000).is_between(0, len(hours))).all()


def test_dates_alone_are_times_too():
    frame = payments.table([{"at": 0}, {"at": 24}, {"at": 24}]).with_columns(pl.col("time").cast(pl.Date))
    assert timeline.order(frame)["_clock"].n_unique() == 3


def test_labels_are_known_late_and_verdicts_when_decided():
    frame = timeline.order(payments.table([{"label": "fraud"}, {"label": "0"}, {"label": "unknown"}, {}]))
    news = timeline.judgements(frame, None, 7.0)
    assert news["_row"].to_list() == [0, 1]
    assert news["fraud"].to_list() == [1, 0]
    assert news["known"].to_list() == [at(7), at(7 + 1 / 24)]
    told = timeline.judgements(frame, verdicts(("t00003", "confirmed", payments.START + timedelta(days=1))), 7.0)
    assert told.filter(pl.col("_row") == 3)["known"].to_list() == [at(1)]


def test_a_later_verdict_changes_nothing_before_it():
    frame = timeline.order(payments.table([{"label": "genuine"}]))
    day = payments.START
    news = timeline.judgements(frame, verdicts(("t00000", "confirmed", day + timedelta(days=20))), 7.0)
    assert news.select("known", "fraud", "more", "frauds").rows() == [(at(7), 0, 1, 0), (at(20), 1, 0, 1)]
    assert timeline.labels(news, 1, date(2026, 1, 6)).to_list() == [None]
    assert timeline.labels(news, 1, date(2026, 1, 10)).to_list() == [0]
    assert timeline.labels(news, 1, date(2026, 1, 21)).to_list() == [1]


def test_a_label_is_no_news_after_a_verdict_and_an_escalation_is_none_at_all():
    frame = timeline.order(payments.table([{"label": "genuine"}, {"label": "fraud"}]))
    soon = payments.START + timedelta(days=1)
    news = timeline.judgements(frame, verdicts(("t00000", "confirmed", soon), ("t00001", "escalated", soon)), 7.0)
    assert news.select("_row", "fraud", "more", "frauds").rows() == [(0, 1, 1, 1), (1, 1, 1, 1)]


def test_a_verdict_is_never_older_than_its_payment():
    frame = timeline.order(payments.table([{"at": 48}]))
    news = timeline.judgements(frame, verdicts(("t00000", "confirmed", payments.START)), 7.0)
    assert news["known"].to_list() == frame["_at"].to_list()


def test_verdicts_on_other_payments_are_refused():
    frame = timeline.order(payments.table([{}]))
    with pytest.raises(InputRejected, match="none is about a payment"):
        timeline.judgements(frame, verdicts(("x", "confirmed", None)), 7.0)


def test_amounts_are_brought_into_one_currency():
    frame = timeline.order(payments.table([{"currency": "EUR"}, {"currency": "USD"}, {}]))
    rates = pl.DataFrame(
        {"date": [date(2025, 12, 31), date(2026, 1, 2)], "base": ["EUR"] * 2, "quote": ["USD"] * 2, "rate": [1.25, 2.0],
         "source": ["ecb"] * 2}
    )  # fmt: skip
    money, currency = timeline.with_money(frame, rates, "EUR")
    assert currency == "EUR"
    assert money["_amount"].to_list() == pytest.approx([10, 8, 10])  # the fixing of the second is not known yet
    assert money["_minor"].to_list() == [1000, 800, 1000]
    with pytest.raises(UsageFault, match="EUR, USD"):
        timeline.with_money(frame, rates, None)
    one, currency = timeline.with_money(frame.filter(pl.col("currency") == "EUR"), None, None)
    assert (currency, one["_amount"].to_list()) == ("EUR", [10.0])
    assert timeline.with_money(frame.filter(pl.col("currency").is_null()), None, None)[1] is None
