"""Words as codes, combinations as numbers: each distinct one a number of its own, the same in every part of a file."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.compliance.codes import DENSE, SLOTS, Combinations, Register, Words, places, runs, taken


def test_words_have_codes_in_order_and_empty_cells_the_last() -> None:
    words = Words(pl.Series(["FR", None, "DE"]), pl.Series(["DE", "AT"]))
    column = pl.Series("to", ["DE", None, "FR", "AT"])
    assert words.size == 4
    assert words.codes(column).to_list() == [1, 3, 2, 0]
    assert words.told(words.codes(column)).to_list() == column.to_list()
    empty = Words(pl.Series([None, None], dtype=pl.String))
    assert empty.codes(pl.Series("x", [None, None], dtype=pl.String)).to_list() == [0, 0]


KEYS = st.lists(st.one_of(st.integers(0, 50), st.integers(DENSE - 2, DENSE + 2), st.integers(0, 2**61)), max_size=30)


@given(st.lists(KEYS, max_size=4))
@settings(deadline=None)
def test_a_key_keeps_its_number_and_no_other_key_has_it(parts: list[list[int]]) -> None:
    register = Register()
    met: dict[int, int] = {}
    for part in parts:
        numbers, fresh = register.number(pl.Series(part, dtype=pl.Int64))
        assert sorted(fresh.to_list()) == sorted(set(part) - set(met))
        met |= {key: len(met) + i for i, key in enumerate(fresh.to_list())}
        assert numbers.to_list() == [met[key] for key in part]
    assert len(set(met.values())) == len(met)


@given(st.lists(st.tuples(*[st.integers(0, 2**21 - 1)] * 5), min_size=1, max_size=20))
@settings(deadline=None)
def test_combinations_larger_than_a_key_are_told_apart_and_come_back(rows: list[tuple[int, ...]]) -> None:
    """Five codes of 21 bits each: 105 bits, numbered in steps."""
    names = list("abcde")
    combinations = Combinations(dict.fromkeys(names, 2**21))
    codes = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Int64), orient="row")
    numbers, fresh = combinations.number(codes)
    assert fresh.select(names)[numbers.to_list()].equals(codes)
    assert fresh.height == len(set(rows))


def test_orders_whose_lines_stand_together() -> None:
    assert runs(pl.Series(["b", "b", "a", "c"]))[0].to_list() == [True, False, True, True]
    assert [runs(pl.Series(ids))[1] for ids in (["a", "b", "b"], ["b", "a", "a"], ["b", "a", "b"])] == [
        True,
        True,
        False,
    ]


@given(st.lists(st.text(max_size=14), max_size=40, unique=True), st.data())
def test_few_words_are_told_by_their_hash_as_by_themselves(known: list[str], data: st.DataObject) -> None:
    words = Words(known=known)
    cells = data.draw(st.lists(st.sampled_from([*known, None]), max_size=20))
    assert words.codes(pl.Series("x", cells, dtype=pl.String)).to_list() == [
        words.size - 1 if cell is None else sorted(known, key=lambda w: w.encode()).index(cell) for cell in cells
    ]


def test_many_words_and_few_have_codes_alike() -> None:
    many = [f"{n:05d}" for n in range(SLOTS // 4)]
    cells = pl.Series("x", [*many[:3], None, many[-1]], dtype=pl.String)
    assert Words(known=many).codes(cells).to_list() == [0, 1, 2, len(many), len(many) - 1]
    assert Words(known=many[:400]).codes(cells[:4]).to_list() == [0, 1, 2, 400]


@pytest.mark.parametrize("size", [2, 400, 2000])
def test_a_word_that_was_not_collected_has_no_code(size: int) -> None:
    words = Words(known=[f"{n:05d}" for n in range(size)])
    with pytest.raises((KeyError, pl.exceptions.InvalidOperationError)):
        words.codes(pl.Series("x", [f"other {n}" for n in range(100)]))


@given(st.lists(st.sampled_from([True, False, None])))
def test_places_are_those_of_arg_true(mask: list[bool | None]) -> None:
    told = pl.Series("m", mask, dtype=pl.Boolean)
    assert places(told).to_list() == told.arg_true().to_list()


@given(st.lists(st.integers(0, 4)))
def test_taken_is_gathered(at: list[int]) -> None:
    table = pl.Series("t", [7, -3, 0, 2**60, 5])
    rows = pl.Series("at", at, dtype=pl.Int64)
    assert taken(table, rows).equals(table.gather(rows), check_names=True)
