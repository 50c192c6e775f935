"""Detectors against earlier days only: tails by hand, members, what cannot be called odd."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.fraud import anomaly, level
from cbec.methods.fraud.anomaly import Block


def test_references_are_taken_at_the_beginning_of_days_when_enough_has_come():
    day = np.repeat(np.arange(40), 50)  # 50 payments a day
    cut = anomaly.blocks(day)
    assert cut[0] == Block(200, 250, 0, 200)
    assert [b.start for b in cut[:4]] == [200, 250, 350, 450]  # a quarter more each time, on a day's border
    assert all(b.high == b.start and b.start % 50 == 0 for b in cut)
    assert cut[-1].end == 2000
    assert anomaly.blocks(day[:200]) == []
    assert anomaly.blocks(np.zeros(5000, dtype=np.int64)) == []  # one day has nothing before it
    assert anomaly.blocks(np.zeros(0, dtype=np.int64)) == []


def test_an_old_reference_is_renewed():
    day = np.sort(np.concatenate([np.zeros(1000, dtype=np.int64), np.arange(1, 100)]))
    starts = [b.start for b in anomaly.blocks(day)]
    assert starts == [1000, 1030, 1060, 1090]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=300, max_size=600), st.integers(1, 599))
def test_later_days_move_no_border(days, kept):
    day = np.sort(np.array(days))
    part = day[:kept]
    whole = [b.start for b in anomaly.blocks(day) if b.start < len(part)]
    assert whole == [b.start for b in anomaly.blocks(part)]


def test_tails_are_shares_of_the_reference_at_least_as_high():
    values = np.array([1.0, 2.0, 2.0, 3.0, 2.0, 5.0, 0.0, np.nan])
    found = anomaly.tails(values, [Block(4, 8, 0, 4)])
    assert found.tolist() == pytest.approx([1, 1, 1, 1, 4 / 5, 1 / 5, 1, 1])


def test_heights_are_larger_where_high_values_are_fewer():
    values = np.concatenate([np.zeros(60), np.full(30, 10.0), np.full(10, 20.0), [0.0, 20.0, 7.0, 99.0, -5.0, np.nan]])
    found = anomaly.heights(values, [Block(100, 106, 0, 100)])[100:]
    assert found[0] == found[4] == pytest.approx(-np.log(61 / 120))
    assert found[1] == pytest.approx(-np.log(11 / 120))
    assert found[2] == pytest.approx(-np.log(31 / 120))  # an empty bin below a full one is not odd
    assert found[3] == pytest.approx(-np.log(1 / 120))
    assert found[5] == 0


def test_a_constant_reference_breaks_nothing():
    values = np.full(300, 4.0)
    assert np.isfinite(anomaly.heights(values, [Block(200, 300, 0, 200)])).all()
    assert (anomaly.tails(values, [Block(200, 300, 0, 200)]) == 1).all()


def test_the_assumed_level_follows_the_base_rate():
    tail, known = np.array([1.0, 0.1, 0.001, 1.0]), np.array([True, True, True, False])
    p = level.assumed(tail, 0.01, known)
    assert p[0] < p[1] < p[2] < 1
    assert p[3] == 0.01
    assert p[2] == pytest.approx(1 / (1 + 99 / (0.2 * 0.001**-0.8)))
    # Over uniform tails the mean stays near the share that was assumed.
    uniform = (np.arange(100_000) + 0.5) / 100_000
    frauds = uniform ** (1 / 0.2)  # quantiles of the density 0.2 v^-0.8
    every = np.concatenate([np.repeat(uniform, 1), frauds[::100]])
    assert level.assumed(every, 1 / 101, np.ones(len(every), dtype=bool)).mean() == pytest.approx(1 / 101, rel=0.1)


def test_calibration_finds_the_slope_and_keeps_the_order():
    rng = np.random.default_rng(0)
    score = rng.normal(0, 2, 50_000)
    fraud = rng.random(50_000) < level.logistic(-4 + 0.7 * score)
    slope, offset = level.calibrate(score, fraud)
    assert slope == pytest.approx(0.7, abs=0.05)
    assert offset == pytest.approx(-4, abs=0.1)
    assert level.calibrate(-score, fraud)[0] == 0.05  # a score that is upside down does not turn the order
    assert level.logistic(np.array([-1000.0, 0.0, 1000.0])).tolist() == [0, 0.5, 1]


def test_few_separable_labels_stay_finite():
    slope, offset = level.calibrate(np.array([0.0, 0.1, 5.0, 6.0]), np.array([False, False, True, True]))
    assert np.isfinite([slope, offset]).all()
    p = level.logistic(offset + slope * np.array([0.0, 6.0]))
    assert 0.05 < p[0] < 0.5 < p[1] < 0.95


def test_a_member_that_is_not_finite_is_left_out():
    n = 400
    frame = pl.DataFrame(
        {"amount": np.arange(n, dtype=float), "amount_z": [float("inf")] * n, "customer_pace": [1.0] * n, "moves_24h": [0] * n,
         "ip_new": [0] * n, "device_new": [0] * n, "own_n": [1] * n}
        | {f"{e}_{w}_30d": [0.0] * n for e in ("customer", "card", "device", "merchant", "email") for w in ("frauds", "risk")}
        | {"_frauds": [0] * n, "_judged": [0] * n}
    )  # fmt: skip
    odds = anomaly.judge(frame, {"amount": "high"}, np.zeros(n), np.repeat(np.arange(2), n // 2))
    assert odds.left_out == ["own_past"]
    assert set(odds.members) == {"ecod", "hbos", "known_frauds", "rules"}
    assert np.isfinite(odds.tail).all()
    assert not odds.known[: n // 2].any() and odds.known[n // 2 :].all()
