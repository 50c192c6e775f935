"""Words as codes, combinations as numbers: each distinct one a number of its own, the same in every part of a file."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.compliance.codes import DENSE, Combinations, Register, Words, runs


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
