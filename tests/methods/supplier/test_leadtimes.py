"""Lead times as they were, and the policies that follow."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stockroom import policy
from support.supply import day, history, orders, receipts

from cbec import tables
from cbec.core import check
from cbec.methods.supplier import leadtimes, lines

LATER = day(400)


def record(made, came, as_of=LATER):
    rules = lines.Rules(as_of, 0, 0, 365, 0.0, 30, False, None)
    return lines.record(orders(*made), receipts(*came), None, None, rules).frame


def of(*parts, as_of=LATER):
    return record([r for made, _ in parts for r in made], [r for _, came in parts for r in came], as_of)


def cell(found, supplier, warehouse=None):
    return next(c for c in found if (c.supplier, c.warehouse) == (supplier, warehouse))


def test_mean_and_deviation_of_one_supplier():
    delays = [0, 2, 4, 6, 8, -4, 10, 2]
    found = leadtimes.cells(of(history("S", delays)), None, 5)
    one = cell(found, "S")
    assert one.mean == pytest.approx(10 + np.mean(delays))
    assert one.variance == pytest.approx(np.var(delays, ddof=1))
    assert (one.curve.n, one.curve.awaited, one.agreed, one.basis) == (8, 0, 10.0, "all")


def test_awaited_orders_make_it_longer_not_shorter():
    made, came = history("S", [0] * 12)
    slow = [{"po_id": f"W{i}", "order_date": day(70), "promised_date": day(200)} for i in range(6)]
    alone = cell(leadtimes.cells(record(made, came, day(100)), None, 5), "S")
    waiting = cell(leadtimes.cells(record(made + slow, came, day(100)), None, 5), "S")
    assert (alone.mean, waiting.curve.awaited) == (10.0, 6)
    assert waiting.mean > alone.mean


def test_few_orders_are_drawn_to_the_other_suppliers():
    rng = np.random.default_rng(5)
    many = [history(f"M{i}", rng.integers(-3, 4, 30).tolist()) for i in range(6)]
    few = history("F", [25])
    found = leadtimes.cells(of(*many, few), None, 5)
    drawn = cell(found, "F")
    assert drawn.curve.mean == 35
    assert 10 < drawn.mean < 35
    assert drawn.variance == pytest.approx(4, rel=0.5)  # of one order nothing is known but what the others tell
    assert abs(cell(found, "M0").mean - cell(found, "M0").curve.mean) < 0.5


def test_a_changed_record_counts_from_the_change():
    changed = cell(
        leadtimes.cells(of(history("S", [-1, 0, 1, 0] * 4 + [11, 12, 13, 12] * 4), as_of=day(230)), None, 5), "S"
    )
    assert changed.basis == "last_half"
    assert changed.mean == pytest.approx(22, abs=0.8)
    steady = cell(leadtimes.cells(of(history("S", [-1, 0, 1, 0] * 8)), None, 5), "S")
    assert steady.basis == "all"


def test_warehouses_are_apart_and_all_together():
    near, far = history("S", [0, 1] * 6, warehouse="W1"), history("S", [20, 21] * 6, warehouse="W2")
    made = near[0] + [r | {"po_id": r["po_id"] + "far"} for r in far[0]]
    found = leadtimes.cells(record(made, near[1] + [r | {"po_id": r["po_id"] + "far"} for r in far[1]]), None, 5)
    assert [c.warehouse for c in found] == [None, "W1", "W2"]
    assert [c.mean for c in found] == pytest.approx([20.5, 10.5, 30.5])
    assert found[0].variance > 90
    assert found[1].variance < 1


def two_places():
    near = history("S", [0, 1] * 5, warehouse="W1")
    far = history("T", [20, 21] * 5, warehouse="W2")
    return of(near, far)


def test_policies_take_the_measured_lead_time():
    frame = two_places()
    given_policies = policy(
        {"warehouse": "W1", "lead_time_days": 30.0, "moq": 5.0},
        {"warehouse": "W2", "lead_time_days": 30.0},
        {"supplier_id": "T", "lead_time_days": 25.0, "moq": 7.0},
        {"supplier_id": "X", "lead_time_days": 9.0},
    )
    found = leadtimes.cells(frame, given_policies, 5)
    assert cell(found, "S", "W1").policy == 30.0
    assert cell(found, "T", "W2").policy == 25.0
    new = leadtimes.updated(given_policies, found, frame, 5)
    rows = {(r["supplier_id"], r["warehouse"]): r for r in new.iter_rows(named=True)}
    assert rows["S", "W1"]["lead_time_days"] == pytest.approx(10.5, abs=0.3)
    assert rows["S", "W1"]["moq"] == 5.0  # the terms are those of the row that held
    assert rows["T", "W2"]["lead_time_days"] == pytest.approx(30.5, abs=0.3)
    assert rows["T", "W2"]["moq"] == 7.0
    assert rows["T", None]["lead_time_days"] == pytest.approx(30.5, abs=0.3)
    assert rows["X", None]["lead_time_days"] == 9.0
    assert rows[None, "W1"]["lead_time_days"] == 30.0  # of suppliers without a record
    shaped = check.conform(tables.get("policies_update"), new)
    assert shaped.columns == check.conform(tables.get("policies"), new).columns


def test_too_few_orders_change_no_policy():
    frame = two_places()
    given_policies = policy({"warehouse": "W1"}, {"warehouse": "W2"})
    new = leadtimes.updated(given_policies, leadtimes.cells(frame, given_policies, 11), frame, 11)
    assert new.sort("warehouse").equals(given_policies.sort("warehouse"))


def test_orders_without_warehouse_speak_for_all_of_them():
    frame = of(history("S", [0, 1] * 5))
    given_policies = policy({"warehouse": "W1", "moq": 1.0}, {"warehouse": "W2", "moq": 2.0}, {"sku": "Z"})
    new = leadtimes.updated(given_policies, leadtimes.cells(frame, given_policies, 5), frame, 5)
    rows = {(r["sku"], r["warehouse"], r["supplier_id"]): r for r in new.iter_rows(named=True)}
    assert rows[None, "W1", "S"]["moq"] == 1.0 and rows[None, "W2", "S"]["moq"] == 2.0
    assert (None, None, "S") not in rows
    assert rows["Z", None, None]["lead_time_days"] == 4.0


def test_a_sku_with_terms_of_its_own_is_its_own_record():
    sea, air = history("S", [20, 21] * 5, sku="A"), history("S", [-5, -6] * 5, start=2, sku="B")
    frame = record(
        sea[0] + [r | {"po_id": r["po_id"] + "air"} for r in air[0]],
        sea[1] + [r | {"po_id": r["po_id"] + "air"} for r in air[1]],
    )
    given_policies = policy({"lead_time_days": 40.0}, {"sku": "B", "lead_time_days": 12.0})
    found = leadtimes.cells(frame, given_policies, 5)
    assert cell(found, "S").mean == pytest.approx(30.5)
    new = leadtimes.updated(given_policies, found, frame, 5)
    rows = {(r["sku"], r["supplier_id"]): r["lead_time_days"] for r in new.iter_rows(named=True)}
    assert rows == {(None, None): 40.0, ("B", None): 4.5, (None, "S"): 30.5}


def test_no_row_is_made_up_where_none_held():
    frame = of(history("S", [0, 1] * 5))
    given_policies = policy({"sku": "Z"})
    new = leadtimes.updated(given_policies, leadtimes.cells(frame, given_policies, 5), frame, 5)
    assert new["sku"].to_list() == ["Z"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(-9, 40), min_size=1, max_size=12), min_size=1, max_size=5))
def test_the_table_keeps_its_contract(delays):
    frame = of(*(history(f"S{i}", d, warehouse=f"W{i % 2}") for i, d in enumerate(delays)))
    found = leadtimes.cells(frame, None, 4)
    shaped = check.conform(tables.get("lead_times"), leadtimes.table(found))
    assert shaped.filter(pl.col("warehouse").is_null()).height == len(delays)
    assert (shaped["lead_time_sd_days"] > 0).all()
    low, high = frame["lead"].min(), frame["lead"].max()
    assert shaped["lead_time_days"].is_between(low - 0.01, high + 0.01).all()
