"""Consignments against limits: sums in 64 bits and in Python's own integers are the same."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from methods.compliance.test_parts import DUTIES, FIXINGS, _lines
from support.taxed import book, taxed

from cbec.methods.compliance import limits
from cbec.methods.compliance.tax import compute


@given(st.lists(st.lists(st.integers(0, limits.SAFE), min_size=1, max_size=6), min_size=1, max_size=5))
def test_sums_saturate_above_every_edge(groups: list[list[int]]) -> None:
    values = np.array([value for group in groups for value in group])
    starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
    told = limits._summed(values, starts, max(len(group) for group in groups))
    assert told.dtype == np.int64
    for sum_told, group in zip(told.tolist(), groups, strict=True):
        assert sum_told == sum(group) if sum(group) < limits.SAFE else sum_told >= limits.SAFE


def test_wide_and_narrow_integers_decide_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _lines(random.Random(4), 250)
    narrow = compute(lines, None, FIXINGS, book(), tariff=DUTIES)
    monkeypatch.setattr(limits, "SAFE", 1)
    wide = compute(lines, None, FIXINGS, book(), tariff=DUTIES)
    assert wide.equals(narrow)
    assert narrow["reason_code"].n_unique() > 30


def test_a_limit_per_item_between_two_per_consignment_hides_neither() -> None:
    # New Zealand: gifts up to 110 dollars, single items and consignments up to 1,000.
    told = taxed(
        [
            {"date": date(2024, 3, 1), "ship_from": "CN", "ship_to": "NZ", "currency": "NZD", "price": price, "scheme": "LVG"}
            for price in (100, 200, 900)
        ]
    )  # fmt: skip
    assert [(line["reason_code"], line["tax"]) for line in told] == [
        ("tax_lvg", Decimal(p) * 15 / 100) for p in (100, 200, 900)
    ]
