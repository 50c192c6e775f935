"""Features by hand, and none of them looks ahead."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import payments

from cbec.methods.fraud import features, timeline
from cbec.methods.fraud.catalogue import NAMES


def build(frame: pl.DataFrame, delay: float = 7.0) -> pl.DataFrame:
    ordered, _ = timeline.with_money(timeline.order(frame), None, None)
    return features.build(ordered, timeline.judgements(ordered, None, delay))


def test_counts_and_sums_are_of_payments_before_in_the_window():
    found = build(
        payments.table([{"at": h, "amount": a} for h, a in ((0, 1), (0.5, 2), (1.0, 4), (24.5, 8), (24.75, 16))])
    )
    assert found["customer_n_1h"].to_list() == [0, 1, 2, 0, 1]  # exactly an hour before is still in
    assert found["customer_sum_1h"].to_list() == [0, 1, 3, 0, 8]
    assert found["customer_n_24h"].to_list() == [0, 1, 2, 2, 2]
    assert found["customer_sum_30d"].to_list() == [0, 1, 3, 7, 15]
    assert found["customer_mean_30d"].to_list()[:3] == [None, 1, 1.5]
    assert found["customer_mean_30d"].to_list()[3:] == pytest.approx([7 / 3, 3.75], rel=1e-6)


def test_of_payments_at_the_same_time_each_has_those_with_a_lower_id_before_it():
    found = build(
        payments.table([{"at": 1, "transaction_id": i, "amount": a} for i, a in (("b", 2), ("c", 4), ("a", 1))])
    )
    assert found["transaction_id"].to_list() == ["a", "b", "c"]
    assert found["customer_sum_1h"].to_list() == [0, 1, 3]
    assert found["own_n"].to_list() == [0, 1, 2]


def test_payments_without_a_card_are_no_cards_payments():
    found = build(payments.table([{"card_id": "k"}, {}, {}, {"card_id": "k"}]))
    assert found["card_n_7d"].to_list() == [0, None, None, 1]
    assert found["card_customers"].to_list() == [1, None, None, 1]


def test_the_amount_is_held_against_the_customers_own_past():
    rows = [{"at": i, "amount": 20.0, "customer_id": "ann"} for i in range(6)]
    rows += [{"at": 6, "amount": 120.0}, {"at": 6.5, "amount": 120.0, "customer_id": "bob"}]
    found = build(payments.table(rows))
    assert found["amount_ratio"].to_list()[:3] == [None] * 3  # too few to compare with
    assert found["amount_ratio"][6] == 6.0
    # ln((6 + .05) / 1.05) over the shrunk spread sqrt(5 ln(1.5)^2 / (6 + 5)).
    assert found["amount_z"][6] == pytest.approx(np.log(6.05 / 1.05) / np.sqrt(5 * np.log(1.5) ** 2 / 11), rel=1e-6)
    assert found["amount_ratio"][7] is None
    assert found["own_n"].to_list() == [0, 1, 2, 3, 4, 5, 6, 0]


def test_moves_and_countries():
    places = ("DE", "DE", "FR", None, "DE", "US")
    found = build(payments.table([{"at": i, "ip_country": p} for i, p in enumerate(places)]))
    assert found["moves_24h"].to_list() == [0, 0, 1, 1, 2, 3]
    assert found["countries_24h"].to_list() == [1, 1, 2, None, 2, 3]
    assert found["ip_new"].to_list() == [None, 0, 1, None, 0, 1]
    assert found["_last_country"].to_list() == [None, "DE", "DE", "FR", "FR", "DE"]
    late = build(payments.table([{"at": 30.0 * i, "ip_country": p} for i, p in enumerate(("DE", "FR", "US"))]))
    assert late["countries_24h"].to_list() == [1, 1, 1]


def test_customers_on_a_device_and_cards_on_it():
    rows = [{"at": i * 48, "customer_id": f"c{i}", "device_id": "d", "card_id": f"k{i % 2}"} for i in range(4)]
    rows.append({"at": 48 * 40, "customer_id": "c9", "device_id": "d", "card_id": "k0"})
    found = build(payments.table(rows))
    assert found["device_customers"].to_list() == [1, 2, 3, 4, 5]
    assert found["device_new_customers_30d"].to_list() == [1, 2, 3, 4, 1]
    assert found["device_new_customers_24h"].to_list() == [1, 1, 1, 1, 1]
    assert found["device_cards"].to_list() == [1, 2, 2, 2, 2]
    assert found["card_customers"].to_list() == [1, 1, 2, 2, 3]


def test_risk_of_a_merchant_waits_for_its_labels():
    rows = [{"at": 24 * d, "merchant_id": "m", "label": "fraud" if d == 0 else "genuine"} for d in range(12)]
    found = build(payments.table(rows))
    # The label of day 0 is known on day 7, strictly before a payment of day 8.
    assert found["merchant_frauds_30d"].to_list() == [0] * 8 + [1] * 4
    assert found["merchant_judged_30d"].to_list() == [0] * 8 + [1, 2, 3, 4]
    assert found["merchant_risk_30d"].to_list() == pytest.approx([0] * 8 + [1, 1 / 2, 1 / 3, 1 / 4], rel=1e-6)
    assert found["merchant_frauds_1d"].to_list() == [0] * 8 + [1, 0, 0, 0]
    assert found["device_risk_30d"].null_count() == 12


def test_without_news_risk_is_what_it_is_before_the_first_news():
    rows = [{"at": 24 * d, "merchant_id": "m"} for d in range(3)]
    unlabelled = build(payments.table(rows))
    labelled = build(payments.table([r | {"label": "fraud"} for r in rows]))
    assert unlabelled.select(NAMES).equals(labelled.select(NAMES))


def test_every_named_feature_is_built_and_finite_where_known():
    found = build(payments.shop(payments=400)).select(NAMES)
    for column in found.iter_columns():
        values = column.drop_nulls().cast(pl.Float64)
        assert values.is_finite().all(), column.name


@st.composite
def books(draw):
    """Payments with many ties, missing cells and all kinds of labels, and where to cut them."""
    some = st.sampled_from
    row = st.fixed_dictionaries(
        {
            "at": st.integers(0, 40).map(lambda x: x * 6.0) | st.integers(0, 2000).map(lambda x: x * 0.01),
            "customer_id": some(["a", "b", "c"]),
            "amount": some([0.0, 5.0, 10.0, 19.99, 500.0]),
            "card_id": some([None, "k1", "k2"]),
            "device_id": some([None, "d1", "d2"]),
            "ip_country": some([None, "DE", "FR", "US"]),
            "shipping_country": some([None, "DE"]),
            "merchant_id": some([None, "m1", "m2"]),
            "email_domain": some([None, "x.com"]),
            "payment_method": some([None, "card"]),
            "label": some([None, "fraud", "genuine"]),
        }
    )
    rows = draw(st.lists(row, min_size=2, max_size=25))
    # Ids do not follow the order of the rows.
    for i, r in enumerate(rows):
        r["transaction_id"] = f"{i * 17 % 101:03d}-{i}"
    return rows, draw(st.integers(1, len(rows)))


@settings(max_examples=60, deadline=None)
@given(books())
def test_later_rows_change_no_feature(book):
    rows, kept = book
    whole = build(payments.table(rows), delay=1.0)
    first = whole.head(kept)
    part = payments.table(rows).join(first.select("transaction_id"), on="transaction_id", how="semi")
    again = build(part, delay=1.0)
    assert again.select(NAMES).equals(first.select(NAMES))


@settings(max_examples=40, deadline=None)
@given(books())
def test_later_amounts_and_labels_change_no_feature(book):
    rows, kept = book
    whole = build(payments.table(rows), delay=1.0)
    later = whole["transaction_id"][kept:].to_list()
    other = [
        r
        | (
            {"amount": r["amount"] * 9 + 1, "label": "fraud", "ip_country": "JP"}
            if r["transaction_id"] in later
            else {}
        )
        for r in rows
    ]
    again = build(payments.table(other), delay=1.0)
    assert again.head(kept).select(NAMES).equals(whole.head(kept).select(NAMES))
