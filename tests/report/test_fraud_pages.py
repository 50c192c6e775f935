"""Pages of fraud from real results, and from the ends: no payment, no alert, no label, no currency."""

from __future__ import annotations

from datetime import date
from typing import Any
from unittest import mock

import polars as pl
import pytest
from support import payments
from support.wellformed import check as well_formed

from cbec import tables
from cbec.core import check
from cbec.core.command import Result, find
from cbec.core.delivery import summarise
from cbec.core.errors import ExitStatus
from cbec.fraud import Score, Train, score, train
from cbec.methods.fraud import model as models
from cbec.report import compose, html, markdown

AS_OF = date(2026, 4, 28)


def drawn(command: str, settings: Any, result: Result) -> tuple[str, str]:
    made = {name: check.conform(tables.get(name), frame) for name, frame in result.tables.items()}
    summary = summarise(find("fraud", command), settings, result, made, {"transactions": 1}, ExitStatus.DONE)
    page = compose.compose(summary, made)
    text = html.render(page)
    well_formed(text)
    assert len(text.encode()) < 300_000
    return text, markdown.render(page)


def scored(frame: pl.DataFrame, **settings: Any) -> tuple[str, str]:
    s = Score(as_of=AS_OF, **settings)
    return drawn("score", s, score(frame, s=s))


def test_the_page_of_a_score_opens_with_money_and_tells_the_reasons():
    text, plain = scored(payments.shop(), home_currency="EUR", review_capacity=3)
    assert (
        text.index("saved") < text.index("Alerts per week") < text.index("Held, the largest expected loss first (EUR)")
    )
    assert "times the median of the customer" in plain
    assert "Average precision" in text and "amount alone" in text
    assert "amount beside the own past" in text
    assert scored(payments.shop(), home_currency="EUR", review_capacity=3)[0] == text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{}, {"at": 30}], "Every payment is allowed."),
        ([{"at": i} for i in range(9)] + [{"at": 10, "amount": 99.0}], "Held, the largest expected loss first"),
        ([{"amount": 0.0}], "Every payment is allowed."),
    ],
)
def test_small_books_have_a_page(rows, said):
    assert said in scored(payments.table(rows))[0]


def test_no_payment_in_the_days_asked_for():
    assert "No payment was scored." in scored(payments.table([{}]), days=1)[0]


def test_every_code_of_a_reason_has_a_name_in_the_picture():
    from cbec.core import reasons
    from cbec.report import fraud

    told = {c.removeprefix("fraud_") for c in reasons.catalogue() if c.startswith("fraud_")} - {"usual", "first"}
    assert set(fraud._WHY) == told


def test_the_page_of_training_gives_the_verdict():
    s = Train(as_of=AS_OF, home_currency="EUR")
    with mock.patch.object(models, "ROUNDS", 20):
        result = train(payments.shop(), s=s)
    text, _ = drawn("train", s, result)
    assert "It is good enough to score with." in text and "detectors and rules" in text
    refused = result.tables["training_record"].with_columns(pl.lit("refused").alias("verdict"))
    result.tables["training_record"] = refused
    assert "the detectors decide" in drawn("train", s, result)[0]
