"""Reason codes and names of a few of many."""

from __future__ import annotations

import polars as pl

from cbec.methods import words


def test_the_first_condition_that_holds_gives_the_code():
    stock = pl.DataFrame({"stock": [-1, 0, 5, None]})
    codes = [(pl.col("stock") < 0, "owed"), (pl.col("stock") < 1, "empty")]
    found = stock.select(words.reason_code(codes, "enough"))
    assert found["reason_code"].to_list() == ["owed", "empty", "enough", "enough"]


def test_a_few_names_stand_for_many():
    assert words.some(["a", "b", "c"]) == "a, b, c"
    assert words.some(["a", "b", "c", "d"]) == "a, b, c ..."
    assert words.skus(["a"]) == "SKU a"
    assert words.skus(["a", "b"]) == "2 SKUs (a, b)"
    assert words.skus(list("abcd")) == "4 SKUs (a, b, c ...)"
