"""Cold start: analogues, the gamma-Poisson update by hand, what is planned, what is refused."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.answered import demand

from cbec import tables
from cbec.core import conform
from cbec.core.errors import UsageFault
from cbec.forecast import Demand
from cbec.methods.forecast import likeness

MONDAY = date(2023, 1, 2)
WEEKS = 80
AS_OF = MONDAY + timedelta(weeks=WEEKS - 1, days=6)


def launches(levels: list[float], starts: list[int], seed: int = 0, old: int = 4) -> pl.DataFrame:
    """Weekly sales: `old` series from the beginning, and others launched at `starts` with three weeks of rise."""
    rng = np.random.default_rng(seed)
    rows = [
        (MONDAY + timedelta(weeks=w), f"O{i}", "DE", float(rng.poisson(30))) for i in range(old) for w in range(WEEKS)
    ]
    for i, (level, start) in enumerate(zip(levels, starts, strict=True)):
        sizes = rng.poisson([level * min(1.0, (w + 1) / 4) for w in range(WEEKS - start)])
        rows += [
            (MONDAY + timedelta(weeks=start + w), f"L{i:02d}", "DE", float(units)) for w, units in enumerate(sizes)
        ]
    return pl.DataFrame(
        rows, schema={"date": pl.Date, "sku": pl.String, "market": pl.String, "units": pl.Float64}, orient="row"
    )


LEVELS, STARTS = [20.0, 24.0, 16.0, 22.0, 18.0, 21.0, 19.0, 23.0, 17.0], [10, 14, 18, 22, 26, 30, 34, 38, 42]


def products(new: dict[str, date | None], price: float | None = 10.0) -> pl.DataFrame:
    skus = [*(f"L{i:02d}" for i in range(12)), *(f"O{i}" for i in range(4)), *new]
    launched = [None] * 16 + list(new.values())
    return pl.DataFrame(
        {"sku": list(dict.fromkeys(skus)), "category": ["toys"] * len(dict.fromkeys(skus)), "price": [price] * len(dict.fromkeys(skus)),
         "brand": [None] * len(dict.fromkeys(skus)), "launch_date": launched[: len(dict.fromkeys(skus))]},
        schema_overrides={"launch_date": pl.Date, "brand": pl.String},
    )  # fmt: skip


def test_a_planned_product_is_expected_to_sell_like_the_launches_before_it():
    day = AS_OF + timedelta(days=1 + 14)  # two weeks ahead
    result = demand(launches(LEVELS, STARTS), products({"NEW": day}), s=Demand(frequency="W", horizon=12, as_of=AS_OF))
    rows = result.tables["forecast"].filter(pl.col("sku") == "NEW").sort("h")
    assert rows["market"].unique().to_list() == ["DE"]
    assert rows["mean"].to_list()[:2] == [0.0, 0.0]  # not launched yet
    assert rows["mean"][2] < 0.6 * rows["mean"][9]  # a launch takes weeks
    assert rows["mean"].to_list()[8:] == pytest.approx([20.0] * 4, rel=0.25)
    assert (rows["q05"] < rows["mean"]).sum() >= 10 and rows["model"].unique().to_list() == ["analogues"]
    kin = conform.conform(tables.get("analogues"), result.tables["analogues"])
    row = kin.row(0, named=True)
    assert (row["sku"], row["periods"], row["own_level"], row["starts_in"]) == ("NEW", 0, None, 2)
    assert row["count"] == 9 and row["chosen_by"].startswith("category")


def test_its_own_sales_move_the_level_as_far_as_they_tell():
    def level(own: float) -> float:
        sales = launches([*LEVELS, own], [*STARTS, WEEKS - 4])
        made = demand(sales, products({}), s=Demand(frequency="W", horizon=8, as_of=AS_OF)).tables["analogues"]
        return float(made.filter(pl.col("sku") == "L09")["level"][0])

    low, usual, high = level(5.0), level(20.0), level(60.0)
    assert low < 0.9 * usual and high > 2 * usual
    assert usual == pytest.approx(20.0, rel=0.4)


def test_the_update_is_that_of_gamma_and_poisson():
    """Prior mean m and variance v; k units in periods of course s: (m^2/v + k) / (m/v + s)."""
    value = np.array([[4.0] * 10, [6.0] * 10, [8.0] * 10, [1.0, 1.0, *[np.nan] * 8]])
    of = likeness.Catalogue(
        value, np.ones(30), np.array([10, 10, 10, 2]), np.ones(4, bool), {}, np.full(4, np.nan), 1.0
    )
    made = likeness.forecast(of, np.array([3]), 5, np.array([0]), {}, 10)
    var = (
        4.0 - np.mean([4, 6, 8]) / 7
    )  # variance of the levels less what Poisson noise adds over the 7 periods looked at
    var = max(var, (likeness.ALIKE * 6) ** 2)
    wanted = (36 / var + 2) / (6 / var + 2)
    assert made.told[0]["level"] == pytest.approx(wanted)
    assert made.point[0].tolist() == pytest.approx([wanted] * 5, abs=1e-4)


def test_a_sku_named_by_hand():
    s = Demand(frequency="W", horizon=6, as_of=AS_OF, like="NEW=L03")
    result = demand(launches(LEVELS, STARTS), s=s)
    kin = result.tables["analogues"].row(0, named=True)
    assert (kin["chosen_by"], kin["analogues"], kin["count"]) == ("named", "L03@DE", 1)
    rows = result.tables["forecast"].filter(pl.col("sku") == "NEW")
    assert rows.height == 6 and rows["mean"].sum() > 0


def test_launches_after_as_of_change_nothing():
    sales = launches(LEVELS, STARTS)
    day = AS_OF - timedelta(weeks=20)
    later = sales.with_columns(
        pl.when(pl.col("date") > day).then(pl.col("units") * 50).otherwise("units").alias("units")
    )
    one, two = (
        demand(x, products({"NEW": day}), s=Demand(frequency="W", horizon=6, as_of=day)) for x in (sales, later)
    )
    for name in ("forecast", "analogues"):
        assert_frame_equal(one.tables[name], two.tables[name], check_exact=True)


def test_without_enough_launches_nothing_is_made_up():
    result = demand(launches([20.0], [10]), products({"NEW": AS_OF}), s=Demand(frequency="W", horizon=6, as_of=AS_OF))
    assert "analogues" not in result.tables
    assert result.tables["forecast"].filter(pl.col("sku") == "NEW")["mean"].to_list() == [0.0] * 6


def test_words_that_are_no_pair():
    for like, words in (
        ("A", "no NEW=OLD"),
        ("A=B=", "never sold"),
        ("A=L03,A=L04", "twice"),
        ("A=L3", 'did you mean "L03"'),
    ):
        with pytest.raises(UsageFault, match=words):
            demand(launches(LEVELS, STARTS), s=Demand(frequency="W", as_of=AS_OF, like=like))


def test_what_was_never_in_stock_is_unknown_or_like_others():
    sold = launches(LEVELS, STARTS).with_columns(in_stock=pl.lit(True))
    days = [MONDAY + timedelta(weeks=w) for w in range(60, WEEKS)]
    empty = pl.DataFrame({"date": days, "sku": "NEVER", "market": "DE", "units": 0.0, "in_stock": False})
    sales = pl.concat([sold, empty])
    s = Demand(frequency="W", horizon=8, as_of=AS_OF)
    alone = demand(sales, s=s)
    assert "NEVER" not in alone.tables["forecast"]["sku"]
    row = alone.tables["model_record"].filter(pl.col("sku") == "NEVER").row(0, named=True)
    assert row["model"] == "unknown" and "never_in_stock" in row["flags"]
    assert [f.entity for f in alone.findings if f.rule == "never_in_stock"] == ["NEVER@DE"]
    kin = demand(sales, products({"NEVER": None}), s=s)
    rows = kin.tables["forecast"].filter(pl.col("sku") == "NEVER")
    assert set(rows["model"]) == {"analogues"} and rows["mean"].sum() > 40
    assert not [f for f in kin.findings if f.rule == "never_in_stock"]
    named = demand(sales, s=Demand(frequency="W", horizon=8, as_of=AS_OF, like="NEVER=L00"))
    assert named.tables["forecast"].filter(pl.col("sku") == "NEVER")["mean"].sum() > 40
    # In stock and not sold is another thing: a forecast of nothing.
    there = demand(pl.concat([sold, empty.with_columns(in_stock=pl.lit(True))]), s=s)
    assert there.tables["forecast"].filter(pl.col("sku") == "NEVER")["mean"].to_list() == [0.0] * 8


def test_collections_end_and_what_stays_goes_on():
    rng = np.random.default_rng(3)
    first, weeks, life = date(2022, 1, 3), 52 * 3 + 22, 26
    course = np.minimum(1, np.arange(1, life + 1) / 4) * np.where(np.arange(life) < 14, 1, 0.85 ** np.arange(-13, 13))
    rows, master = [], []
    for i in range(12):
        rows += [(first + timedelta(weeks=w), f"STAY{i:02d}", float(rng.poisson(12))) for w in range(weeks)]
        master.append((f"STAY{i:02d}", "basics", None))
    for year in range(4):
        for i in range(40):
            begin, level, sku = 52 * year + 9 + i % 3, 15 * np.exp(rng.normal(0, 0.4)), f"C{year}{i:02d}"
            sold = rng.poisson(level * course)[: max(weeks - begin, 0)]
            rows += [(first + timedelta(weeks=begin + w), sku, float(units)) for w, units in enumerate(sold)]
            master.append((sku, "dresses", first + timedelta(weeks=begin)))
    schema = {"date": pl.Date, "sku": pl.String, "units": pl.Float64}
    sales = pl.DataFrame(rows, schema=schema, orient="row").with_columns(market=pl.lit("DE"))
    columns = {"sku": pl.String, "category": pl.String, "launch_date": pl.Date}
    made = demand(sales, pl.DataFrame(master, schema=columns, orient="row"), s=Demand(frequency="W", horizon=26))
    by_week = (
        made.tables["forecast"].group_by(pl.col("sku").str.slice(0, 2).alias("kind"), "h").agg(pl.col("mean").sum())
    )
    told = {
        kind: part.sort("h")["mean"].to_numpy() for (kind,), part in by_week.partition_by("kind", as_dict=True).items()
    }
    assert told["ST"].sum() == pytest.approx(12 * 12 * 26, rel=0.1)
    # Those of this spring have 14 weeks to go, and fade.
    assert told["C3"][:4].sum() > 2000 and told["C3"][16:].sum() < 0.15 * told["C3"][:4].sum()


def test_too_much_and_too_little_weigh_the_same_in_the_record():
    """Launches of very different levels, which rise over weeks: measured in what came, half of each looked nearer than what was expected of it."""
    rng = np.random.default_rng(1)
    starts = [*(5 + int(2.3 * i) for i in range(29)), WEEKS - 2]
    sales = launches(np.exp(rng.normal(2.5, 0.7, 30)).tolist(), starts, 1)
    about = pl.DataFrame({"sku": sales["sku"].unique().sort(), "category": "toys", "price": 10.0}).with_columns(
        brand=pl.lit(None, pl.String), launch_date=pl.lit(None, pl.Date)
    )
    rows = demand(sales, about, s=Demand(frequency="W", horizon=12, as_of=AS_OF)).tables["forecast"]
    assert rows.filter(pl.col("sku") == "L29")["model"].unique().to_list() == ["analogues"]


def test_a_course_is_no_noise_and_is_told_where_launches_agree():
    rng = np.random.default_rng(3)
    course = np.array([0.2, 0.5, 1.0, 1.6, 1.5, 1.3, 1.1, 0.9, 0.8, 0.7, 0.7, 0.7]) / 0.9167
    value = rng.poisson(60 * course, (9, 12)).astype(float)
    of = likeness.Catalogue(
        value, np.ones(30), np.full(9, 12), np.ones(9, bool), {}, np.full(9, np.nan), likeness._dispersion(value)
    )
    assert of.dispersion < 4  # around one level for all weeks it would be 12
    told, mean, _ = likeness._launches(of, np.arange(9), 12)
    np.testing.assert_allclose(told, course, atol=0.12)
    assert mean == pytest.approx(60, rel=0.1)
    flat, _, _ = likeness._launches(of, np.arange(1), 12)
    assert np.abs(flat - 1).max() < np.abs(value[0] / value[0].mean() - 1).max()


def test_the_course_of_one_analogue_is_told_by_the_periods_beside():
    """Named by hand: a peak and a decay that single weeks hide in the noise of their counts."""
    rng = np.random.default_rng(4)
    course = np.interp(np.arange(24), [0, 3, 6, 23], [0.6, 1.8, 1.6, 0.5])
    course /= course.mean()
    told = likeness._course((rng.poisson(12 * course) / 12)[None], 1 / 12)
    assert np.abs(told[6:] - course[6:]).mean() < 0.15 and told[20:].mean() < 0.75
    flat = likeness._course((rng.poisson(np.full(24, 12.0)) / 12)[None], 1 / 12)
    assert np.abs(flat - 1).mean() < 0.12
