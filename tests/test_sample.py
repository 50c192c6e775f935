"""The sample company: same seed, same bytes; tables keep their contracts; planted truths are in the data."""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import holidays
import numpy as np
import polars as pl
import pytest
import yaml
from support import sampled

from cbec import sample, tables
from cbec.core import check, files, packaged
from cbec.core.cells import dtype
from cbec.core.command import Common

FIRST, LAST = date(2024, 10, 1), date(2026, 9, 30)
TABLES = (
    "products",
    "sales",
    "inventory",
    "inbound",
    "coverage",
    "policies",
    "order_lines",
    "rates",
    "exposures",
    "hedges",
    "policy_rates",
    "shipments",
    "lanes",
    "nodes",
    "disruptions",
    "purchase_orders",
    "receipts",
    "suppliers",
    "previous_inventory",
    "settlements",
    "bank",
    "events",
    "ledger",
    "bins",
    "slots",
    "transfer_lanes",
    "order_calendar",
    "firm_orders",
    "containers",
    "sales_since",
)


@pytest.fixture(scope="module")
def made() -> dict[str, pl.DataFrame]:
    return sampled.made()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of the sample company as the generator writes them."""
    return sample.write(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def truths() -> dict[str, Any]:
    return sample.truths()


@pytest.fixture(scope="module")
def panel(made: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Units per series and day with gaps filled by zero; returns and slow movers left out, settled items only."""
    sold = made["sales"].filter(pl.col("channel") != "returns")
    days = pl.DataFrame({"date": pl.date_range(FIRST, LAST, eager=True)})
    settled = made["products"].filter(pl.col("launch_date") < FIRST).select("sku", "category")
    series = sold.group_by("sku", "market").agg(pl.col("units").sum()).filter(pl.col("units") > 200)
    daily = sold.group_by("sku", "market", "date").agg(pl.col("units").sum(), pl.col("promo").any())
    grid = series.select("sku", "market").join(settled, on="sku").join(days, how="cross")
    return grid.join(daily, on=["sku", "market", "date"], how="left").with_columns(
        pl.col("units").fill_null(0), pl.col("promo").fill_null(False)
    )


def event_days(truths: dict[str, Any]) -> set[date]:
    return {p["from"] + timedelta(days=d) for p in truths["promotions"] for d in range((p["to"] - p["from"]).days + 1)}


# --- the same seed ---


def test_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path, written: list[Path]) -> None:
    once, (again, other) = written, (sample.write(tmp_path / n, s) for n, s in (("b", 7), ("c", 8)))
    assert [p.name for p in once] == [p.name for p in again] == [p.name for p in other]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(once, again, strict=True))
    same = {a.name for a, c in zip(once, other, strict=True) if a.read_bytes() == c.read_bytes()}
    # Which warehouse serves which market, who the suppliers are and when they take orders, how a warehouse is built, what
    # containers there are, where the seller is registered, what kinds of invoices there are is no matter of chance.
    fixed = {
        "coverage", "suppliers", "bins", "transfer_lanes", "registrations", "purchase_tax", "invoices", "order_calendar", "containers",
    }  # fmt: skip
    assert same == {f"{name}.csv" for name in fixed}
    assert {p.name for p in once[0].parent.iterdir()} == {p.name for p in once}  # no temporaries stay


def test_the_committed_folder_is_what_the_generator_makes(written: list[Path]) -> None:
    folder = packaged.folder("sample_data")
    for path in written:
        new, old = path.read_bytes(), (folder / path.name).read_bytes()
        if path.suffix == ".gz":  # zlib builds pack the same bytes differently
            new, old = gzip.decompress(new), gzip.decompress(old)
        assert new == old, f"{path.name}: run `python -m cbec.sample sample_data`"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 3_000_000


def test_a_family_is_made_the_same_without_the_others(
    made: dict[str, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "FAMILIES", ("rates", "orders"))
    alone = sample.make()
    assert set(alone) == {"rates", "order_lines"}
    assert all(frame.equals(made[name]) for name, frame in alone.items())


def test_usage_and_laziness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sample.main([]) == 2
    assert "usage:" in capsys.readouterr().err
    code = "import sys, cbec.sample; print({'polars', 'numpy', 'yaml', 'holidays'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "set()"


# --- contracts ---


@pytest.mark.parametrize("name", TABLES)
def test_tables_keep_their_contract(made: dict[str, pl.DataFrame], name: str) -> None:
    frame, contract = made[name], tables.get(sample.CONTRACTS.get(name, name))
    assert set(frame.columns) <= set(contract.names)
    for column in contract.columns:
        if column.name not in frame.columns:
            assert not column.required
            continue
        cells = frame[column.name]
        assert cells.dtype == dtype(column)
        assert column.null or cells.null_count() == 0
        assert column.min is None or (cells.drop_nulls() >= column.min).all()
        assert column.max is None or (cells.drop_nulls() <= column.max).all()
        assert column.above is None or (cells.drop_nulls() > column.above).all()
        assert column.one_of is None or set(cells.drop_nulls()) <= set(column.one_of)
    key = [c for c in contract.key if c in frame.columns]
    assert not frame.select(key).is_duplicated().any()
    assert name == "policies" or frame.equals(frame.sort(key))


@pytest.mark.parametrize("name", TABLES)
def test_the_files_are_read_back_without_a_reject(made: dict[str, pl.DataFrame], name: str) -> None:
    (path,) = packaged.folder("sample_data").glob(f"{name}.csv*")
    contract = tables.get(sample.CONTRACTS.get(name, name))
    checked = check.check(contract, files.read(contract, [str(path)], Common()), Common())
    assert checked.rejects.is_empty()
    known = [c for c in contract.names if c in made[name].columns]
    assert checked.good.select(known).equals(made[name].select(known))


def test_tables_refer_to_each_other(made: dict[str, pl.DataFrame]) -> None:
    skus, places = set(made["products"]["sku"]), set(made["coverage"]["warehouse"])
    for name in ("sales", "inventory", "inbound", "order_lines"):
        assert set(made[name]["sku"]) <= skus
        assert set(made[name]["warehouse"].drop_nulls()) <= places
    assert set(made["policies"]["supplier_id"].drop_nulls()) <= set(made["products"]["supplier_id"])
    serves = dict(made["coverage"].select("market", "warehouse").iter_rows())
    assert set(made["sales"].select("market", "warehouse").unique().iter_rows()) == set(serves.items())
    assert set(made["order_lines"]["currency"]) <= {"CNY", *made["rates"]["base"]}


def test_the_company_has_the_size_of_a_small_brand(made: dict[str, pl.DataFrame]) -> None:
    sales = made["sales"]
    assert (sales["date"].min(), sales["date"].max()) == (FIRST, LAST)
    assert made["products"].height == 200
    per_day = sales.group_by("sku", "market").agg(pl.col("units").sum() / 730)["units"]
    assert per_day.len() == 450
    assert 15 < float(per_day.max()) < 30  # type: ignore[arg-type]
    assert float(per_day.quantile(0.05)) < 0.08  # type: ignore[arg-type]
    assert sales.filter((pl.col("units") == 0) & pl.col("in_stock")).is_empty()  # gaps are zeros
    returned = sales.filter(pl.col("units") < 0)
    assert set(returned["channel"]) == {"returns"}
    assert 0.005 < -returned["units"].sum() / sales["units"].sum() < 0.02


# --- planted truths ---


def test_truths_are_what_the_file_says(truths: dict[str, Any]) -> None:
    assert yaml.safe_load((packaged.folder("sample_data") / "truths.yaml").read_text(encoding="utf-8")) == truths


def test_weekday_index(panel: pl.DataFrame, truths: dict[str, Any]) -> None:
    weeks = panel.with_columns(week=pl.col("date").dt.truncate("1w"), weekday=pl.col("date").dt.weekday())
    busy = {day - timedelta(days=day.weekday()) for day in event_days(truths)} | {date(2024, 9, 30), date(2026, 9, 28)}
    for market, index in truths["weekday_index"].items():
        mine = weeks.filter((pl.col("market") == market) & ~pl.col("week").is_in(list(busy)))
        units = mine.group_by("weekday").agg(pl.col("units").sum()).sort("weekday")["units"].to_numpy()
        assert np.abs(units / units.mean() - index).max() < 0.06, market


def test_promotion_uplift(panel: pl.DataFrame, made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    ratios: dict[str, list[float]] = {}
    for event in truths["promotions"]:
        days = [event["from"] + timedelta(days=d) for d in range((event["to"] - event["from"]).days + 1)]
        around = [day + timedelta(days=shift) for day in days for shift in (-14, -7, 7, 14)]
        joined = panel.filter(pl.col("date").is_in(days) & pl.col("promo"))["sku"].unique().implode()
        mine = panel.filter(pl.col("sku").is_in(joined))
        on = mine.filter(pl.col("date").is_in(days))["units"].sum()
        off = mine.filter(pl.col("date").is_in(around))["units"].sum() / 4
        ratios.setdefault(event["name"], []).append(on / off / event["factor"])
    assert {name: abs(np.mean(r) - 1) < 0.15 for name, r in ratios.items()} == dict.fromkeys(ratios, True), ratios
    paid = made["sales"].filter(pl.col("channel") == "marketplace", pl.col("currency") != "JPY")
    prices = paid.group_by("sku", "market").agg(
        on=pl.col("price").filter("promo").mean(), off=pl.col("price").filter(~pl.col("promo")).mean()
    )
    assert ((prices["on"] / prices["off"]).drop_nulls() - (1 - truths["promotion_discount"])).abs().max() < 0.001  # type: ignore[operator]


def test_public_holidays(panel: pl.DataFrame, truths: dict[str, Any]) -> None:
    busy = event_days(truths)
    totals = panel.group_by("market", "date").agg(pl.col("units").sum())
    daily = {(market, day): units for market, day, units in totals.iter_rows()}
    seen, usual = dict.fromkeys(("dip", "lift"), 0.0), dict.fromkeys(("dip", "lift"), 0.0)
    for market, factor in truths["holiday_factor"].items():
        off = set(holidays.country_holidays(market, years=(2024, 2025, 2026)))
        for day in sorted(off - busy):
            near = [day + timedelta(days=shift) for shift in (-14, -7, 7, 14)]
            plain = [daily[market, d] for d in near if FIRST <= d <= LAST and d not in off | busy]
            if FIRST <= day <= LAST and plain:
                way = "dip" if factor < 1 else "lift"
                seen[way] += daily[market, day]
                usual[way] += factor * float(np.mean(plain))
    # Pooled over markets: a day of a small market is some 25 units.
    assert {way: abs(seen[way] / usual[way] - 1) < 0.08 for way in seen} == {"dip": True, "lift": True}


def test_season_by_category(panel: pl.DataFrame, truths: dict[str, Any]) -> None:
    quiet = panel.filter(~pl.col("date").is_in(list(event_days(truths))))
    for category, season in truths["season"].items():
        mine = quiet.filter(pl.col("category") == category, ~pl.col("sku").is_in(list(truths["growth_per_year"])))
        daily = mine.group_by("date").agg(pl.col("units").sum()).sort("date")
        angle = 2 * np.pi * daily["date"].dt.ordinal_day().to_numpy() / 365.25
        time = np.arange(daily.height) / 365.25 - 1
        design = np.column_stack((np.ones(daily.height), np.cos(angle), np.sin(angle), time))
        level, cosine, sine, _ = np.linalg.lstsq(design, daily["units"].to_numpy(), rcond=None)[0]
        assert abs(np.hypot(cosine, sine) / level - season["amplitude"]) < 0.1, category
        if season["amplitude"] > 0.15:
            peak = np.arctan2(sine, cosine) / (2 * np.pi) * 365.25
            assert abs((peak - season["peak_day_of_year"] + 182.6) % 365.25 - 182.6) < 20, category


def test_growth(panel: pl.DataFrame, truths: dict[str, Any]) -> None:
    for growth in (0.6, -0.4):
        skus = [sku for sku, g in truths["growth_per_year"].items() if g == growth]
        years = (
            panel.filter(pl.col("sku").is_in(skus))
            .group_by(pl.col("date") < date(2025, 10, 1))
            .agg(pl.col("units").sum())
        )
        first, second = years.sort("date", descending=True)["units"]
        assert len(skus) == 6
        assert abs(second / first / (1 + growth) - 1) < 0.15


def test_stock_outs(made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    sales, days = made["sales"], set()
    for window in truths["stock_outs"]:
        length = (window["to"] - window["from"]).days + 1
        for market in window["market"].split("|"):
            mine = sales.filter(
                pl.col("sku") == window["sku"],
                pl.col("market") == market,
                pl.col("date").is_between(window["from"], window["to"]),
            )
            assert mine["units"].sum() == 0
            assert not mine["in_stock"].any()
            assert mine["date"].n_unique() == length
            days |= {(window["sku"], market, day) for day in mine["date"]}
    assert set(sales.filter(~pl.col("in_stock")).select("sku", "market", "date").iter_rows()) == days
    assert sum(window["open"] for window in truths["stock_outs"]) == 4
    assert all(window["to"] == LAST for window in truths["stock_outs"] if window["open"])


def test_intermittent_new_and_delisted_items(made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    sold = made["sales"].filter(pl.col("units") > 0)
    days = sold.group_by(pl.concat_str("sku", "market", separator="@").alias("series")).agg(pl.col("date").n_unique())
    active = dict(days.iter_rows())
    assert len(truths["intermittent"]) > 50
    assert all(730 / active.get(series, 1) > 4 for series in truths["intermittent"])
    launch = dict(made["products"].select("sku", "launch_date").iter_rows())
    assert len(truths["new_items"]) == 12
    for sku, day in truths["new_items"].items():
        assert launch[sku] == day
        assert 56 <= (LAST - day).days <= 140
        assert timedelta(0) <= sold.filter(pl.col("sku") == sku)["date"].min() - day < timedelta(days=40)  # type: ignore[operator]
    assert len(truths["delisted_items"]) == 8
    for sku, day in truths["delisted_items"].items():
        assert timedelta(0) < day - sold.filter(pl.col("sku") == sku)["date"].max() < timedelta(days=40)  # type: ignore[operator]


def test_skus_keep_their_zeros(made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    zeros = made["products"].filter(pl.col("sku").str.starts_with("0"))
    assert zeros["sku"].to_list() == truths["skus_with_leading_zeros"]
    assert zeros["sku"].str.contains(r"^\d{5}$").all()
    assert set(zeros["hs_code"]) == {"090210", "090230"}


def test_stock_roles(made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    sold = made["sales"].filter(pl.col("channel") != "returns", pl.col("date") > LAST - timedelta(days=28))
    recent = sold.group_by("sku", "warehouse").agg(pl.col("units").sum() / 28)
    stock = (
        made["inventory"].join(recent, on=["sku", "warehouse"], how="left").with_columns(pl.col("units").fill_null(0))
    )
    rows = {f"{row['sku']}@{row['warehouse']}": row for row in stock.iter_rows(named=True)}
    coming = {f"{row['sku']}@{row['warehouse']}": row for row in made["inbound"].iter_rows(named=True)}
    assert all(row["reserved"] <= row["on_hand"] for row in rows.values())
    assert [len(truths[r]) for r in ("out_of_stock", "running_out", "covered_by_inbound", "overstock")] == [
        4,
        12,
        10,
        10,
    ]
    assert all(rows[key]["on_hand"] == 0 for key in truths["out_of_stock"])
    shortest = made["policies"].filter(pl.col("sku").is_null())["lead_time_days"].min()
    for key in truths["running_out"]:
        assert key not in coming
        assert rows[key]["on_hand"] / rows[key]["units"] < shortest < 45
        assert rows[key]["sku"] not in truths["fast_lane"]
    for key in truths["covered_by_inbound"]:
        assert 0 < (coming[key]["arrival_date"] - LAST).days <= 8
        assert coming[key]["qty"] > 59 * rows[key]["units"]
    for key in truths["overstock"]:
        assert rows[key]["on_hand"] > 200 * rows[key]["units"]
        assert rows[key]["age_days"] >= 210
    assert truths["dead_stock"]
    assert {key.split("@")[0] for key in truths["dead_stock"]} <= set(truths["delisted_items"])
    late = {key: row["arrival_date"] for key, row in coming.items() if row["arrival_date"] <= LAST}
    assert late == {f"{row['sku']}@{row['warehouse']}": row["arrival_date"] for row in truths["late_inbound"]}
    assert len(late) == 8


def test_planted_orders(made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    kinds = {row["kind"]: row["order_id"] for row in truths["orders"]}
    lines = made["order_lines"]

    def order(kind: str) -> pl.DataFrame:
        return lines.filter(pl.col("order_id") == kinds[kind])

    def value(kind: str) -> str:
        return f"{(order(kind)['qty'] * order(kind)['price']).sum():.2f}"

    assert {kind: value(kind) for kind in kinds if "limit" in kind and kind != "ddp_over_limit"} == {
        "eu_at_limit": "150.00",
        "eu_over_limit": "150.01",
        "eu_two_lines_at_limit": "150.00",
        "eu_two_lines_over_limit": "160.00",
        "eu_shipping_over_limit": "149.00",
        "gb_at_limit": "135.00",
        "gb_over_limit": "135.01",
        "gb_two_lines_at_limit": "135.00",
    }
    assert order("eur3_two_subheadings")["hs_code"].sort().to_list() == ["090210", "950300", "950300"]
    assert order("eur3_one_subheading")["qty"].to_list() == [4]
    assert order("eur3_day_before")["date"].to_list() == [date(2026, 6, 30)] * 2
    assert order("ddp_over_limit")["price_includes_tax"].all()
    assert order("no_duty_rate").select("hs_code", "duty_rate_pct").row(0) == (None, None)
    assert order("canary_from_cn")["ship_to_region"].to_list() == ["35001"]
    assert len(kinds) == len(truths["orders"])
    assert lines["date"].is_between(date(2026, 6, 30), LAST).all()
    assert 2900 < lines.height < 3300


def test_refunds_are_pairs(made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    lines = made["order_lines"]
    back = lines.filter(pl.col("qty") < 0).with_columns(pl.col("line").str.strip_suffix("R"))
    pairs = back.join(lines, on=["order_id", "line"], suffix="_sold")
    assert pairs.height == back.height == len(truths["refunds"]) + 2
    assert (pairs["date"] > pairs["date_sold"]).all()
    assert (pairs["qty"] + pairs["qty_sold"] >= 0).all()
    assert all(
        (pairs[c].eq_missing(pairs[f"{c}_sold"])).all() for c in ("sku", "price", "currency", "ship_to", "scheme")
    )


def test_order_lines_meet_every_regime(made: dict[str, pl.DataFrame]) -> None:
    lines = made["order_lines"]
    ways = set(lines.select("ship_from", "ship_to").unique().iter_rows())
    assert {("CN", "DE"), ("DE", "FR"), ("DE", "AT"), ("CN", "GB"), ("GB", "GB"), ("CN", "US"), ("US", "JP")} <= ways
    assert set(lines["scheme"].drop_nulls()) == {"IOSS", "OSS", "UK_VAT", "LOCAL", "NONE"}
    assert lines.filter(pl.col("buyer_type") == "B2B")["buyer_tax_id"].null_count() == 0
    # Duty rates are told for parcels from China over the low-value limit, mostly.
    told = lines.filter(pl.col("duty_rate_pct").is_not_null())
    assert told.height > 50
    assert set(told["ship_from"]) == {"CN"}


def test_rates(made: dict[str, pl.DataFrame], truths: dict[str, Any]) -> None:
    rates = made["rates"].with_columns(pl.col("rate").cast(pl.Float64), pair=pl.col("base") + pl.col("quote"))
    assert (rates["date"].dt.weekday() <= 5).all()
    wide = rates.pivot("pair", index="date", values="rate").sort("date")
    assert wide.height == 522
    assert wide.null_count().sum_horizontal().item() == 0
    assert ((wide["EURGBP"] * wide["GBPCNY"] / wide["EURCNY"]) - 1).abs().max() < 2e-4  # type: ignore[operator]
    planted = truths["rates"]
    columns = [np.diff(np.log(wide[f"{c}CNY"].to_numpy())) for c in planted["correlation"]["currencies"]]
    returns = np.column_stack(columns)
    assert np.allclose(returns.std(axis=0), list(planted["daily_sd"].values()), rtol=0.3)
    assert np.abs(np.corrcoef(returns.T) - np.array(planted["correlation"]["matrix"])).max() < 0.15
    size = returns**2 / (returns**2).mean(axis=0) - 1
    assert np.mean([(size[lag:] * size[:-lag]).mean() for lag in range(1, 11)]) > 0.02  # storms last
