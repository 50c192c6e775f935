"""Declarations reckoned as a whole (Japan): what the search for a value reckons in floats is what is owed in integers."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.methods.compliance import declarations
from cbec.methods.compliance.amounts import NONE, TARIFF, valued
from cbec.methods.compliance.exact import CENTS, PERCENT, at_least, part, wide
from cbec.methods.compliance.fixings import PER_UNIT

RATES = [0, 2_900_000, 5_300_000, 10_000_000]
LINE = st.fixed_dictionaries(
    {
        "group": st.integers(0, 2),
        "article": st.integers(0, 1),
        "one_rate": st.sampled_from(RATES),
        "duty_kind": st.sampled_from([NONE, TARIFF]),
        "goods": st.integers(1, 300_000),
        "more": st.sampled_from([0, 0, 900]),
        "share": st.sampled_from([None, 60_000_000]),
        "sku": st.sampled_from(["A", "B"]),
        "inside": st.booleans(),
        "freight": st.sampled_from([None, 0, 820]),
    }
)


def _lines(drawn: list[dict[str, object]], fx: int, digits: int) -> pl.DataFrame:
    schema = {"share": pl.Int64, "inside": pl.Boolean, "freight": pl.Int64}
    lines = pl.DataFrame(drawn, schema_overrides=schema).sort("group", maintain_order=True).with_row_index("row")
    whole = pl.col("goods") + pl.col("more")
    lines = lines.with_columns(
        pl.lit(None, pl.Int64).alias("allowed"),
        pl.when(pl.col("more") > 0).then("freight").alias("freight"),
        pl.lit(1, pl.Int64).alias("sign"),
        pl.lit(False).alias("fob"),
        pl.lit(0, pl.Int64).alias("resolution"),
        pl.lit(10_000_000, pl.Int64).alias("charged_rate"),
        pl.lit(78_000_000, pl.Int64).alias("national"),
        pl.lit(1_000, pl.Int64).alias("base_step"),
        pl.lit(100, pl.Int64).alias("step"),
        pl.lit(fx, pl.Int64).alias("fx"),
        pl.lit(digits, pl.Int64).alias("digits"),
        (wide(pl.lit(fx, pl.Int64)) * (CENTS if digits == 0 else 1)).alias("scale"),
        pl.col("inside").alias("gross"),
        pl.col("inside").alias("ddp"),
        pl.col("row").cast(pl.String).alias("line"),
        whole.alias("whole"),
        whole.alias("value"),
        pl.lit(0, pl.Int64).alias("duty"),
        pl.lit(0, pl.Int64).alias("tax"),
    )
    return valued(lines)


def _duties(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(part(at_least("customs"), pl.col("one_rate")).alias("tariff_duty"))


@settings(deadline=None, max_examples=80)
@given(st.lists(LINE, min_size=1, max_size=7), st.sampled_from([(PER_UNIT, 0), (163 * PER_UNIT, 2)]), st.booleans())
def test_floats_owe_what_integers_owe(drawn: list[dict[str, object]], money: tuple[int, int], only_tax: bool) -> None:
    lines = _lines(drawn, *money)
    told = declarations._owed(lines, _duties, untaxed_duty=only_tax).sort("row")
    sales = lines.sort("group", "sku", "goods", "line", descending=[False, False, True, False])
    kinds = sales.select(pl.struct(declarations.ARTICLE).rank("dense").cast(pl.Int64) - 1).to_series()
    firsts = {kind: n for n, kind in enumerate(dict.fromkeys(kinds.to_list()))}
    group = sales["group"].rank("dense").cast(pl.Int64).to_numpy() - 1
    owed = declarations._Owed(sales, group, np.array([firsts[kind] for kind in kinds.to_list()]), only_tax)
    duty, tax = owed.of(sales["value"].to_numpy().astype(np.float64))
    found = sales.select("row").with_columns(pl.Series("duty", duty), pl.Series("tax", tax)).sort("row")
    assert found["duty"].to_list() == told["duty"].to_list()
    assert found["tax"].to_list() == told["tax"].to_list()


@settings(deadline=None, max_examples=60)
@given(st.lists(LINE, min_size=1, max_size=6), st.sampled_from([(PER_UNIT, 0), (163 * PER_UNIT, 2)]))
def test_a_price_is_value_duty_and_tax_as_far_as_a_cut_lets_it(
    drawn: list[dict[str, object]], money: tuple[int, int]
) -> None:
    lines = _lines(drawn, *money)
    told = declarations._apart(lines, _duties).sort("row")
    delivered = told.filter("gross")
    price = delivered.select(pl.col("value") + pl.col("duty") + pl.col("tax")).to_series()
    short = delivered.select(pl.col("duty") + pl.col("tax") > pl.col("whole")).to_series()
    assert (price.filter(~short) == delivered["whole"].filter(~short)).all()
    # What customs charge on these values is what was taken, but for what a value of 1,000 yen more or less makes.
    again = declarations._owed(told, _duties).sort("row")
    owed = {name: again.group_by("group").agg(pl.col(name).sum()).sort("group")[name] for name in ("duty", "tax")}
    taken = {name: told.group_by("group").agg(pl.col(name).sum()).sort("group")[name] for name in ("duty", "tax")}
    minor = 1_000 / (money[0] / PER_UNIT) * 10 ** money[1]
    for name, rate in (("duty", max(RATES) / PERCENT), ("tax", 0.11)):
        most = minor * (rate + 0.2) * len(set(map(str, drawn))) * 2
        assert ((owed[name] - taken[name]).abs() <= most).all()


def test_over_a_cut_the_lower_value_is_taken() -> None:
    """12,000 yen and 10 % of it is 13,200; 11,999 yen owe 10 % of 11,000: nothing comes to 13,150."""
    line = {
        "group": 0, "article": 0, "one_rate": 0, "duty_kind": NONE, "goods": 13_150, "more": 0, "share": None, "sku": "A", "inside": True,
        "freight": None,
    }  # fmt: skip
    told = declarations._apart(_lines([line], PER_UNIT, 0), _duties)
    assert told.select("value", "duty", "tax").row(0) == (12_050, 0, 1_100)
