"""Lines of purchase orders: what is judged, and how."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.stockroom import table
from support.supply import day, orders, receipts

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.supplier import lines

LATER = day(60)
JUDGED = ("otif", "on_time", "in_full", "pending", "matured", "late", "early", "missing", "lead", "ended")


def rules(as_of: date = LATER, **more) -> lines.Rules:
    base = {"window_days": 0, "late": 0, "early": 365, "short": 0.0, "after": 30, "revised": False, "home": None}
    return lines.Rules(as_of, **(base | more))


def judged(order: dict, *came: dict, as_of: date = LATER, suppliers=None, **more) -> dict:
    record = lines.record(orders(order), receipts(*came), suppliers, None, rules(as_of, **more))
    return record.frame.row(0, named=True)


def test_in_time_and_in_full():
    line = judged({}, {})
    assert {k: line[k] for k in JUDGED} == {
        "otif": True, "on_time": True, "in_full": True, "pending": False, "matured": True, "late": None, "early": None, "missing": 0.0,
        "lead": 10, "ended": True,
    }  # fmt: skip


def test_parts_are_added_up_and_the_one_that_fills_the_line_counts():
    early = {"receipt_date": day(4), "qty": 6.0}
    line = judged({}, early, {"receipt_date": day(10), "qty": 4.0})
    assert (line["otif"], line["lead"], line["in_time"]) == (True, 10, 10.0)
    line = judged({}, early, {"receipt_date": day(12), "qty": 4.0})
    assert (line["otif"], line["on_time"], line["in_full"], line["late"], line["lead"]) == (False, False, True, 2, 12)
    assert line["in_time"] == 6.0


def test_tolerances():
    assert judged({}, {"receipt_date": day(12)}, late=2)["otif"]
    assert not judged({}, {"receipt_date": day(13)}, late=2)["otif"]
    assert not judged({}, {"receipt_date": day(3)}, early=5)["otif"]
    assert judged({}, {"receipt_date": day(5)}, early=5)["early"] == 5
    assert judged({"status": "closed"}, {"qty": 9.5}, short=0.05)["otif"]
    short = judged({"status": "closed"}, {"qty": 9.4}, short=0.05)
    assert (short["otif"], short["on_time"], short["in_full"]) == (False, True, False)
    assert short["missing"] == pytest.approx(0.6)


def test_what_is_not_due_is_open_even_if_it_came():
    for came in ((), ({"receipt_date": day(3)},)):
        line = judged({}, *came, {"po_id": "other"}, as_of=day(9))
        assert (line["matured"], line["otif"], line["on_time"], line["in_full"]) == (False, None, None, None)


def test_overdue_is_late_so_far_and_then_short():
    line = judged({}, {"qty": 4.0}, as_of=day(25))
    assert (line["otif"], line["on_time"], line["in_full"]) == (False, False, None)
    assert (line["pending"], line["late"], line["lead"], line["ended"]) == (True, 15, 25, False)
    line = judged({}, {"qty": 4.0}, as_of=day(41))  # 31 days past due: given up
    assert (line["on_time"], line["in_full"], line["pending"], line["missing"], line["lead"]) == (
        True,
        False,
        False,
        6.0,
        10,
    )
    line = judged({}, {"po_id": "other"}, as_of=day(41))
    assert (line["on_time"], line["in_full"], line["late"], line["missing"], line["lead"]) == (
        False,
        False,
        None,
        10.0,
        None,
    )


def test_the_first_promise_counts_unless_told_otherwise():
    order, came = {"revised_date": day(20)}, {"receipt_date": day(18)}
    line = judged(order, came)
    assert (line["otif"], line["otif_revised"], line["moved"]) == (False, True, True)
    assert judged(order, came, revised=True)["otif"]


def test_the_agreed_lead_time_is_the_promise_where_the_order_has_none():
    agreed = table("suppliers", [{"supplier_id": "S", "lead_time_days": 12.0}])
    assert judged({"promised_date": None}, {"receipt_date": day(12)}, suppliers=agreed)["otif"]
    alone = judged({"promised_date": None}, {})
    assert (alone["matured"], alone["otif"], alone["lead"]) == (False, None, 10)


def test_a_forgotten_line_without_promise_does_not_wait_for_ever():
    made = orders({"promised_date": None}, {"promised_date": None})
    frame = lines.record(made, receipts({}), None, None, rules(day(39))).frame
    assert frame["ended"].to_list() == [True, False]
    frame = lines.record(made, receipts({}), None, None, rules(day(41))).frame
    assert frame["pending"].to_list() == [False, False]


def test_status_words():
    for word in ("Closed", "已完成"):
        assert not judged({"status": word}, {"qty": 4.0}, as_of=day(12))["pending"]
    for word in ("cancelled", " 已取消"):
        record = lines.record(orders({"status": word}, {}), receipts({"po_id": "P2"}), None, None, rules())
        assert (record.cancelled, record.frame["po_id"].to_list()) == (1, ["P2"])
    assert judged({"status": "cancelled"}, {"qty": 4.0})["missing"] == 6.0  # something had come: the rest is short


def test_receipts_find_their_line():
    two = orders({"po_id": "P", "line": "1"}, {"po_id": "P", "line": "2", "sku": "B"})
    by = {
        "line": [{"po_id": "P", "line": "2"}],
        "line and SKU": [{"po_id": "P", "line": "2", "sku": "B"}],
        "SKU": [{"po_id": "P", "line": "1", "sku": "B"}],
    }
    for came in by.values():
        record = lines.record(two, receipts(*came), None, None, rules())
        assert record.frame["received"].to_list() == [0.0, 10.0]
        assert record.strays == 0
    strange = receipts({"po_id": "P", "line": "2", "sku": "C"}, {"po_id": "Q"}, {"po_id": "P", "line": "1"})
    assert lines.record(two, strange, None, None, rules()).strays == 2


def test_rejected_pieces_are_received_and_told_apart():
    line = judged({}, {"rejected": 3.0})
    assert (line["in_full"], line["rejected"], line["inspected"]) == (True, 3.0, 10.0)
    assert judged({}, {"rejected": 1.0, "inspected": 2.0})["inspected"] == 2.0
    assert judged({}, {})["inspected"] == 0.0


def test_received_before_ordered_gives_no_lead_time():
    record = lines.record(orders({}), receipts({"receipt_date": day(-2)}), None, None, rules())
    assert (record.backwards, record.frame["lead"].to_list()) == (1, [None])


def test_money():
    priced = orders({"price": 2.0, "currency": "USD"}, {"price": 3.0, "currency": "CNY"}, {})
    rates = table("rates", [{"date": day(-1), "base": "USD", "quote": "CNY", "rate": 7}])
    record = lines.record(priced, receipts({}), None, rates, rules(home="CNY"))
    assert record.currency == "CNY"
    assert record.frame["value"].to_list() == [140.0, 30.0, None]
    with pytest.raises(UsageFault, match="CNY, USD"):
        lines.record(priced, receipts({}), None, None, rules())
    assert lines.record(orders({}), receipts({}), None, None, rules()).currency is None


def test_window_and_halves():
    made = orders(*({"order_date": day(n)} for n in (0, 10, 29, 30, 60)))
    record = lines.record(made, receipts({}), None, None, rules(day(60), window_days=41))
    assert record.start == day(20)
    assert dict(zip(record.frame["po_id"], record.frame["half"], strict=True)) == {"P3": 0, "P4": 0, "P5": 1}
    with pytest.raises(InputRejected, match="no line was ordered"):
        lines.record(orders({}), receipts({}), None, None, rules(day(900), window_days=10))


def test_empty_tables():
    with pytest.raises(InputRejected, match="receipts: no row"):
        lines.today(receipts(), None)
    with pytest.raises(InputRejected, match="purchase_orders: no row"):
        lines.record(orders().clear(), receipts(), None, None, rules())
    record = lines.record(orders({}), receipts(), None, None, rules())
    assert record.frame["in_full"].to_list() == [False]


@st.composite
def deliveries(draw):
    return [
        {
            "po_id": f"P{i}",
            "receipt_id": str(j),
            "receipt_date": day(draw(st.integers(1, 50))),
            "qty": draw(st.floats(0.5, 12)),
        }
        for i in range(1, draw(st.integers(1, 5)) + 1)
        for j in range(draw(st.integers(0, 3)))
    ]


@settings(max_examples=40, deadline=None)
@given(deliveries(), st.integers(11, 60))
def test_what_comes_later_changes_nothing_before(rows, today):
    """A line that was judged stays as it was judged, whatever is received after the day."""
    made = orders(*({} for _ in range(5)))
    known = [r for r in rows if r["receipt_date"] <= day(today)]
    then = lines.record(made, receipts(*known), None, None, rules(day(today))).frame
    more = receipts(*rows).filter(pl.col("receipt_date") <= day(today))
    assert_frame_equal(then, lines.record(made, more, None, None, rules(day(today))).frame)
    later = lines.record(made, receipts(*rows), None, None, rules(day(60))).frame
    for name in ("otif", "in_time"):
        assert then[name].equals(later[name])
    assert (then["otif"].not_() | then["in_full"].fill_null(False)).all()
    assert (then["otif"].not_() | then["on_time"]).all()
