"""The hash chain: every change of content, order or length is found, and where."""

from __future__ import annotations

import copy
import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.core.errors import InputRejected
from cbec.methods import ledger as chain
from cbec.methods.settle import book

EVENTS = {
    "event": ["payout", "fee", "payout", "payout"],
    "ref": ["A", "A", "B", "B"],
    "amount": [Decimal("12.50"), Decimal("-1.00"), Decimal("300"), Decimal("300")],
    "currency": ["EUR", "EUR", "JPY", "JPY"],
    "at": [date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 2)],
    "evidence": [None, "sha256:ab", None, None],
}
SCHEMA = {
    "event": pl.String,
    "ref": pl.String,
    "amount": pl.Decimal(38, 6),
    "currency": pl.String,
    "at": pl.Date,
    "evidence": pl.String,
}


def events(**more: Any) -> pl.DataFrame:
    return pl.DataFrame(EVENTS | more, schema=SCHEMA | {"at": pl.Datetime("us")} if "at" in more else SCHEMA)


def test_the_bytes_that_are_hashed_are_those_of_rfc_8785() -> None:
    record = {
        "seq": 1, "prev_hash": chain.GENESIS, "hash": "not part of it", "event": "Zahlung ü|\"\n", "ref": "A-1",
        "amount_minor": -1250, "currency": "EUR", "at": "2026-09-30", "evidence": None,
    }  # fmt: skip
    text = (
        '{"amount_minor":-1250,"at":"2026-09-30","currency":"EUR","event":"Zahlung ü|\\"\\n","evidence":null,'
        f'"prev_hash":"{"0" * 64}","ref":"A-1","seq":1}}'
    )
    assert chain.canonical(record) == text.encode()
    assert chain.digest(record) == hashlib.sha256(text.encode()).hexdigest()


def test_amounts_are_minor_units_and_the_order_of_rows_does_not_matter() -> None:
    made = book.write(events(), None)
    assert made.ledger["amount_minor"].to_list() == [-100, 1250, 300, 300]  # fee before payout on the same day
    assert made.ledger["seq"].to_list() == [1, 2, 3, 4]
    assert made.ledger["prev_hash"][0] == chain.GENESIS
    assert book.write(events().reverse(), None).ledger.equals(made.ledger)


def test_an_event_is_written_once_however_often_a_run_is_repeated() -> None:
    first = book.write(events().head(3), None)
    again = book.write(events(), first.ledger)
    assert (again.appended, again.known) == (1, 3)  # the second of two equal payments is an event of its own
    assert again.ledger.head(3).equals(first.ledger)
    assert book.write(events(), again.ledger).ledger.equals(again.ledger)


def test_midnight_is_the_day_alone() -> None:
    whole = book.write(events(), None).ledger
    timed = events(at=[datetime(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 2), datetime(2026, 1, 2, 9, 30)])
    made = book.write(timed, whole)
    assert made.appended == 1
    assert made.ledger["at"][-1] == "2026-01-02T09:30:00"


def test_parts_of_a_minor_unit_and_a_broken_ledger_are_refused() -> None:
    with pytest.raises(InputRejected, match=r"0\.5 JPY of B has parts"):
        book.write(events(amount=[Decimal("1"), Decimal("1"), Decimal("0.5"), Decimal("1")], at=EVENTS["at"]), None)
    whole = book.write(events(), None).ledger
    with pytest.raises(InputRejected, match="record 2 was changed"):
        book.write(events(), whole.with_columns(ref=pl.when(pl.col("seq") == 2).then(pl.lit("X")).otherwise("ref")))


def records(count: int) -> list[dict[str, Any]]:
    return chain.extend(
        {"event": "e", "ref": f"r{i}", "amount_minor": i, "currency": "EUR", "at": "2026-01-01", "evidence": "x"}
        for i in range(count)
    )


TEXTS = ("prev_hash", "hash", "event", "ref", "currency", "at", "evidence")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_change_of_one_byte_is_found_at_its_record(data: st.DataObject) -> None:
    whole = records(data.draw(st.integers(1, 8)))
    changed = copy.deepcopy(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    name = data.draw(st.sampled_from((*TEXTS, "amount_minor")))
    if name == "amount_minor":
        changed[at][name] += data.draw(st.integers(1, 9))
    else:
        text = changed[at][name]
        place = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.sampled_from("0123456789abcdefXYZé ").filter(lambda c: c != text[place]))
        changed[at][name] = text[:place] + letter + text[place + 1 :]
    found = chain.check(changed)
    assert found is not None
    assert found.seq == at + 1


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_rows_taken_out_put_in_swapped_or_cut_off_are_found(data: st.DataObject) -> None:
    whole = records(data.draw(st.integers(2, 8)))
    head = whole[-1]["hash"]
    at = data.draw(st.integers(0, len(whole) - 1))
    without = whole[:at] + whole[at + 1 :]
    found = chain.check(without, head)
    assert found is not None
    if at < len(whole) - 1:
        assert (found.rule, found.seq) == ("sequence", at + 1)
    else:
        assert found.rule == "head"  # only the hash kept elsewhere shows it
        assert chain.check(without) is None
    twice = chain.check([*whole[: at + 1], whole[at], *whole[at + 1 :]])
    assert twice is not None
    assert (twice.rule, twice.seq) == ("sequence", at + 1)
    other = data.draw(st.integers(0, len(whole) - 1).filter(lambda i: i != at))
    swapped = copy.deepcopy(whole)
    swapped[at]["seq"], swapped[other]["seq"] = swapped[other]["seq"], swapped[at]["seq"]
    found = chain.check(sorted(swapped, key=lambda r: r["seq"]))
    assert found is not None
    assert found.seq == min(at, other) + 1


def test_a_record_hashed_anew_breaks_the_link_and_a_chain_written_anew_needs_the_head() -> None:
    whole = records(4)
    changed = copy.deepcopy(whole)
    changed[1]["amount_minor"] = 99
    changed[1]["hash"] = chain.digest(changed[1])
    found = chain.check(changed)
    assert found is not None and (found.seq, found.rule) == (3, "link")
    anew = chain.extend([{**r, "amount_minor": 7} for r in whole])
    assert chain.check(anew) is None
    found = chain.check(anew, whole[-1]["hash"])
    assert found is not None and found.rule == "head"
    assert chain.check(whole, whole[1]["hash"]) is None  # records were appended since: that is no break
