"""Departures: what the column may say, validity, closures."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from support import freight

from cbec.methods.route import calendar
from cbec.tables.transport import DEPARTURES

DAY = (freight.READY - date(1970, 1, 1)).days  # Monday 5 October 2026


@pytest.mark.parametrize(
    ("text", "days"),
    [
        (None, "MTWTFSS"),
        ("daily", "MTWTFSS"),
        ("Mon|Thu", "M__T___"),
        ("1, 4", "M__T___"),
        ("monday thursday", "M__T___"),
        ("周一、周四", "M__T___"),
        ("Sun", "______S"),
    ],
)
def test_weekdays(text, days):
    assert text is None or pl.Series([text]).str.contains(DEPARTURES)[0]
    wanted = {i for i, letter in enumerate(days) if letter != "_"}
    assert calendar.parse(text).weekdays == wanted


@pytest.mark.parametrize(
    ("text", "n"), [("every 10 days", 10), ("every 3", 3), ("Every14d", 14), ("weekly", 7), ("每周", 7)]
)
def test_every_n_days(text, n):
    assert pl.Series([text]).str.contains(DEPARTURES)[0]
    assert calendar.parse(text) == calendar.Pattern(every=n)


@pytest.mark.parametrize("text", ["8", "sometimes", "each Monday", "every 0 days", "Mon|Foo"])
def test_other_words_are_refused(text):
    assert not pl.Series([text]).str.contains(DEPARTURES)[0]


def following(day, closures=(), **more):
    frame = freight.lanes(freight.lane(**more))
    built = calendar.build(frame, [(0, a, b) for a, b in closures], DAY, DAY + 60)
    return int(built.next(np.array([0]), np.array([day]))[0])


def test_the_next_departure_is_that_day_or_later():
    assert following(DAY) == DAY
    assert following(DAY, departures="Mon") == DAY
    assert following(DAY + 1, departures="Mon") == DAY + 7
    assert following(DAY, departures="Fri|Tue") == DAY + 1
    assert following(DAY + 61) == calendar.NEVER


def test_every_n_days_counts_from_the_first_day_of_validity():
    first = date(2026, 10, 1)
    assert following(DAY, departures="every 10 days", valid_from=first) == DAY + 6
    assert following(DAY + 6, departures="every 10 days", valid_from=first) == DAY + 6


def test_every_n_days_without_a_first_day_is_a_wait_of_unknown_length():
    frame = freight.lanes(freight.lane(departures="every 7 days"))
    built = calendar.build(frame, [], DAY, DAY + 60)
    assert built.next(np.array([0]), np.array([DAY]))[0] == DAY
    assert (built.wait[0], built.wait_var[0]) == (3.0, 4.0)  # 0..6, each as likely


def test_validity_and_closures():
    assert following(DAY, valid_from=date(2026, 10, 8)) == DAY + 3
    assert following(DAY, valid_to=date(2026, 10, 4)) == calendar.NEVER
    assert following(DAY, valid_to=date(2026, 10, 5)) == DAY
    assert following(DAY, closures=[(DAY, DAY + 2)]) == DAY + 3
    assert following(DAY, closures=[(DAY, DAY + 2), (DAY + 3, DAY + 9)], departures="Mon") == DAY + 14
    assert following(DAY, closures=[(DAY - 5, DAY + 1000)]) == calendar.NEVER
