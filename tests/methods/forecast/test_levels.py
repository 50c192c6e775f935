"""Sums of series: coherent means, quantiles in order, which way is taken and why."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import stats
from support.answered import demand

from cbec import tables
from cbec.core import conform
from cbec.core.errors import UsageFault
from cbec.forecast import Demand
from cbec.methods.forecast import levels, reconcile
from cbec.tables.demand import LEVELS, QUANTILES

MONDAY = date(2023, 1, 2)


def shop(count: int = 12, width: int = 120, seed: int = 0, shared: float = 0.0) -> pl.DataFrame:
    """Weekly sales in two markets; `shared`: sd of a shock that all series have in common each week."""
    rng = np.random.default_rng(seed)
    wave = np.exp(shared * rng.standard_normal(width))
    rows = []
    for i in range(count):
        level = rng.gamma(2.0, 15.0)
        units = rng.poisson(level * wave)
        rows += [
            (MONDAY + timedelta(weeks=w), f"S{i // 2:02d}", "DE" if i % 2 else "FR", float(u))
            for w, u in enumerate(units)
        ]
    return pl.DataFrame(
        rows, schema={"date": pl.Date, "sku": pl.String, "market": pl.String, "units": pl.Float64}, orient="row"
    )


def products(count: int = 6) -> pl.DataFrame:
    skus = [f"S{i:02d}" for i in range(count)]
    return pl.DataFrame(
        {"sku": skus, "category": ["A" if i < 3 else "B" for i in range(count - 1)] + [None], "brand": ["X"] * count}
    )


def told(frame: pl.DataFrame, levels: str = "total,market,category+market", way: str = "auto", **more):
    s = Demand(frequency="W", horizon=8, levels=levels, reconcile=way, **more)
    return demand(frame, products(), s=s)


@pytest.mark.parametrize("way", ["bottom_up", "mint", "auto"])
def test_means_of_every_level_are_the_sums_of_the_series(way):
    result = told(shop(), way=way)
    levels = conform.conform(tables.get("forecast_levels"), result.tables["forecast_levels"])
    series = (
        result.tables["forecast"]
        .join(products(), on="sku", how="left")
        .with_columns(pl.col("category").fill_null("(none)"))
    )
    labels = {
        "total": pl.lit("total"),
        "market": pl.col("market"),
        "category+market": pl.format("{} + {}", "category", "market"),
    }
    for level, label in labels.items():
        sums = series.group_by(node=label, h="h").agg(pl.col("mean", "cum_mean").sum())
        both = levels.filter(pl.col("level") == level).join(sums, on=["node", "h"], how="full", suffix="_sum")
        assert both.null_count().sum_horizontal().item() == 0
        for column in ("mean", "cum_mean"):
            assert np.allclose(both[column], both[f"{column}_sum"], rtol=1e-6, atol=1e-3)
    assert levels.filter(pl.col("level") == "total")["series"].to_list() == [12] * 8
    assert set(levels["node"].filter(levels["level"] == "category+market")) >= {"(none) + DE", "A + DE", "B + FR"}


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_quantiles_are_in_order_and_never_negative(seed: int) -> None:
    frame = told(shop(6, 60, seed), "total,market").tables["forecast_levels"]
    for prefix in ("", "cum_"):
        quantiles = frame.select(prefix + q for q in QUANTILES).to_numpy()
        assert (quantiles >= 0).all() and (np.diff(quantiles, axis=1) >= 0).all()
    total = frame.filter(pl.col("level") == "total").sort("h").select("cum_" + q for q in QUANTILES).to_numpy()
    assert (np.diff(total, axis=0) >= 0).all()


def test_a_sum_is_surer_than_its_parts_unless_they_move_together():
    def width(shared: float) -> float:
        result = told(shop(40, 120, 3, shared), "total", "bottom_up")
        total, parts = result.tables["forecast_levels"], result.tables["forecast"]
        spread = pl.col("q90") - pl.col("q10")
        return float(total.select(spread).sum().item()) / float(parts.select(spread).sum().item())

    alone, together = width(0.0), width(0.35)
    assert alone == pytest.approx(1 / 40**0.5, rel=0.4)  # independent parts of similar size
    assert together > 2.5 * alone


def test_the_same_bytes_whatever_the_order_of_rows_and_nothing_after_as_of():
    frame = shop()
    one = told(frame, as_of=date(2025, 1, 5))
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=5)
    later = shuffled.with_columns(
        pl.when(pl.col("date") > date(2025, 1, 5)).then(pl.col("units") * 50).otherwise("units").alias("units")
    )
    two = told(later, as_of=date(2025, 1, 5))
    for name in ("forecast", "forecast_levels", "level_record"):
        assert_frame_equal(one.tables[name], two.tables[name], check_exact=True)


def test_without_levels_nothing_changes():
    plain = demand(shop(), products(), s=Demand(frequency="W", horizon=8))
    summed = told(shop(), way="bottom_up")
    assert "forecast_levels" not in plain.tables
    assert_frame_equal(plain.tables["forecast"], summed.tables["forecast"], check_exact=True)


def test_the_record_has_every_way_and_auto_takes_the_nearer_one():
    result = told(shop(shared=0.2))
    record = conform.conform(tables.get("level_record"), result.tables["level_record"])
    assert set(record["level"]) == {"series", "total", "market", "category+market"}
    rmse = {(r["level"], r["method"]): r["rmse"] for r in record.to_dicts()}
    gains = [1 - rmse[level, "mint"] / rmse[level, "bottom_up"] for level in set(record["level"])]
    chosen = set(result.tables["forecast_levels"]["model"])
    assert chosen == ({"mint"} if np.mean(gains) > 0.1 else {"bottom_up"})


def test_levels_that_do_not_exist_are_met_with_the_nearest():
    with pytest.raises(UsageFault, match=r'no level "markt"; did you mean "market"'):
        told(shop(), "markt")
    with pytest.raises(UsageFault, match='no level "channel"'):
        told(shop(), "channel")
    with pytest.raises(UsageFault, match="stands in the table products"):
        demand(shop(), s=Demand(frequency="W", levels="category"))


def test_a_catalogue_that_sells_nothing_adds_up_to_nothing():
    frame = shop(4, 30).with_columns(units=pl.lit(0.0))
    levels = told(frame, "total").tables["forecast_levels"]
    assert levels["mean"].to_list() == [0.0] * 8 and levels["q99"].to_list() == [0.0] * 8
    assert len(LEVELS) == len(QUANTILES)


def test_draws_that_share_nothing_and_draws_that_share_all():
    """Two alike series and their sum: independent, its spread is the root of two wider; bound together, twice as wide."""
    level = levels.Level("total", (), ["total"], np.zeros(2, np.int64))
    nodes = reconcile.tree([level.of])
    mean = np.full((2, 1), 100.0)
    quantiles = np.repeat((100 + 10 * stats.norm.ppf(LEVELS))[:, None, None], 2, 1)
    for share, times in ((0.0, 2**0.5), (0.9, (2 + 2 * 0.9) ** 0.5)):
        found = levels._joint(quantiles, mean, np.array([share]), [level], nodes, 0)[:, 0, 0]
        wide = (found[LEVELS.index(0.9)] - found[LEVELS.index(0.1)]) / (quantiles[-3, 0, 0] - quantiles[1, 0, 0])
        assert wide == pytest.approx(times, rel=0.12)
