"""The dq table counts what is there; findings name what is broken, hollow or broken off."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import polars as pl

from cbec import tables
from cbec.core.contract import Column, Contract
from cbec.methods.ingest import quality

CONTRACT = Contract(
    "shop",
    "",
    (
        Column("sku", "text"),
        Column("day", "date"),
        Column("price", "decimal"),
        Column("share", "float", required=False),
    ),
    key=("sku",),
    time="day",
)
FRAME = pl.DataFrame(
    {
        "sku": ["b", "a", "a", None],
        "day": [date(2026, 1, 1), date(2026, 1, 31), date(2026, 1, 2), None],
        "price": pl.Series([Decimal("10.50"), Decimal("9"), None, Decimal("120")], dtype=pl.Decimal(38, 6)),
        "share": [0.1, 0.25, 1e-7, None],
    }
)
REJECTS = pl.DataFrame(
    [
        ("shop", "x.csv", 9, "day", "no", "date", '"no" is not a date'),
        ("shop", "x.csv", 3, "day", "never", "date", '"never" is not a date'),
        ("shop", "x.csv", 4, "price", "-1", "min", "-1 is below 0"),
    ],
    schema=tables.get("rejects").names,
    orient="row",
)


def test_profile_counts_and_shows_the_ends():
    got = {r["column"]: r for r in quality.profile(CONTRACT, FRAME, {"day": 2}).iter_rows(named=True)}
    assert list(got) == ["sku", "day", "price", "share"]
    assert (got["sku"]["rows"], got["sku"]["empty"], got["sku"]["distinct"]) == (4, 1, 2)
    assert (got["day"]["lowest"], got["day"]["highest"], got["day"]["rejected"]) == ("2026-01-01", "2026-01-31", 2)
    assert (got["price"]["lowest"], got["price"]["highest"]) == ("9", "120")
    assert (got["share"]["lowest"], got["share"]["highest"]) == ("1e-07", "0.25")
    assert got["price"]["kind"] == "decimal" and got["price"]["rejected"] == 0


def test_profile_of_nothing_has_no_ends():
    [row] = quality.profile(CONTRACT, FRAME.select("sku").clear()).rows(named=True)
    assert (row["rows"], row["distinct"], row["lowest"], row["highest"]) == (0, 0, None, None)


def test_columns_are_present_under_any_spelling_of_any_file():
    assert quality.present(CONTRACT, {"a.csv": ["SKU", "other"], "b.csv": ["Day", "sku"]}) == ["sku", "day"]


def test_rejected_cells_are_counted_per_column():
    assert quality.rejected_by_column(REJECTS) == {"day": 2, "price": 1}


def test_findings_name_the_first_cell_per_column_and_rule():
    broken = [f for f in quality.findings(CONTRACT, FRAME, REJECTS) if f.severity == "high"]
    assert [(f.entity, f.rule) for f in broken] == [("shop.day", "date"), ("shop.price", "min")]
    assert broken[0].message == '2 cells; the first is in x.csv row 3: "never" is not a date'
    assert broken[1].message == "1 cell; the first is in x.csv row 4: -1 is below 0"


def test_a_needed_column_without_values_is_told_an_optional_one_is_not():
    hollow = FRAME.with_columns(pl.lit(None, pl.String).alias("sku"), pl.lit(None, pl.Float64).alias("share"))
    told = [f for f in quality.findings(CONTRACT, hollow, REJECTS.clear()) if f.rule == "empty"]
    assert [f.entity for f in told] == ["shop.sku"]


def test_only_breaks_longer_than_a_week_are_told():
    days = [date(2026, 1, 1) + timedelta(days=n) for n in (0, 7, 8, 20, 29)]
    frame = pl.DataFrame({"day": days})
    [found] = quality.findings(CONTRACT, frame, REJECTS.clear())
    assert found.message == (
        "2 breaks of more than 7 days without any row; the longest lies between 2026-01-09 and 2026-01-21 (11 days)"
    )
    assert quality.findings(CONTRACT, frame.head(3), REJECTS.clear()) == []
