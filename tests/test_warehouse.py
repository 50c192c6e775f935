"""`warehouse slot`, `evaluate` and `rebalance` as a whole: rows, reasons, money, findings, planted truths."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats
from support import floors, sampled
from support import stockroom as room

from cbec import sample, tables
from cbec.core import check, reasons
from cbec.core.cells import dtype
from cbec.core.errors import InputRejected
from cbec.core.money import Headline
from cbec.methods.sample import company as companies
from cbec.methods.sample.demand import expected
from cbec.tables.demand import LEVELS, QUANTILES
from cbec.warehouse import Picking, Rebalance, Slot, evaluate, rebalance, slot

PAID = {"wage_per_hour": 30.0, "home_currency": "EUR"}


@pytest.fixture(scope="module")
def made():
    return sampled.made()


@pytest.fixture(scope="module")
def truths():
    return sample.truths()


def conform(result):
    """Every table as it would be written, reasons filled in."""
    out = {}
    for name, frame in result.tables.items():
        told = reasons.render(frame) if "reason_code" in frame.columns else frame
        out[name] = check.conform(tables.get(name), told)
        assert out[name].height == frame.height
    return out


def typed(name, frame):
    """A frame of the sample as its contract types it, absent columns empty."""
    columns = tables.get(name).columns
    return frame.select(
        pl.col(c.name) if c.name in frame.columns else pl.lit(c.default, dtype(c)).alias(c.name) for c in columns
    )


# --- slot ---


def test_the_planted_fast_movers_are_brought_to_the_front(made, truths):
    given = {name: typed(name, made[name]) for name in ("order_lines", "bins", "slots", "products")}
    result = slot(**given, s=Slot(wage_per_hour=170.0, home_currency="CNY", max_moves=12))
    moves, rows = conform(result)["moves"], conform(result)["slotting"]
    lead = moves.filter(pl.col("metres") > 0)["sku"].to_list()
    assert set(truths["far_fast_movers"]) <= set(lead)
    planted = rows.filter(pl.col("sku").is_in(truths["far_fast_movers"]))
    assert (planted["distance_m"] < 0.4 * planted["from_distance_m"]).all()
    assert (planted["reason_code"] == "slot_deserves").all()
    told = {f.entity for f in result.findings if f.rule == "fast_mover_far"}
    assert {f"{sku}@DEHAM" for sku in truths["far_fast_movers"]} <= told | {f"{s}@DEHAM" for s in lead}
    assert isinstance(result.money, Headline)
    assert result.money.high < 0  # a saving over the whole range
    # What is told of walking is what `evaluate` walks, but for the weights of late orders.
    one = evaluate(given["order_lines"], given["bins"], given["slots"], s=Picking())
    assert one.metrics["metres_per_order"] == pytest.approx(result.metrics["metres_per_order_today"], abs=1e-3)
    after = typed("slots", rows.select("sku", "bin", "warehouse"))
    two = evaluate(given["order_lines"], given["bins"], after, s=Picking())
    assert two.metrics["metres_per_order"] == pytest.approx(result.metrics["metres_per_order"], abs=1e-3)


def test_money_adds_up_with_the_moves():
    orders = floors.orders(*["F"] * 60, "S", "T", days=30)
    result = slot(orders, floors.bins(1, 4), floors.slots(F="A4", S="A1", T="A2"), s=Slot(minutes_per_move=0.1, **PAID))
    moves = conform(result)["moves"]
    assert moves["seq"].to_list() == list(range(1, moves.height + 1))
    assert result.money.difference == pytest.approx(moves["cost"].sum() - moves["saving"].sum(), abs=0.02)
    assert result.money.today > result.money.proposed
    # 61 orders a month, 90 days: F walks 3 m less each way, S 2 m more.
    assert moves["metres"].sum() == pytest.approx((60 * 6 - 2 * 2) * 90 / 30, rel=0.05)


def test_without_a_wage_minutes_are_told():
    orders = floors.orders(*["F"] * 60, "S", days=30)
    result = slot(orders, floors.bins(1, 4), floors.slots(F="A4", S="A1"), s=Slot(minutes_per_move=0.1))
    assert isinstance(result.money, str) and "--wage-per-hour" in result.money
    moves = conform(result)["moves"]
    assert moves["saving"].null_count() == moves.height > 0
    assert moves["minutes_saved"].sum() > moves["minutes"].sum()


def test_from_scratch_every_sku_of_the_item_master_gets_a_bin():
    products = room.table("products", [{"sku": s} for s in "ABC"])
    result = slot(floors.orders("A", "A", "B"), floors.bins(1, 4), products=products, s=Slot())
    rows = conform(result)["slotting"]
    assert rows.select("sku", "bin", "class").rows() == [("A", "A1", "A"), ("B", "A2", "A"), ("C", "A3", "C")]
    assert result.tables["moves"].height == 0
    assert isinstance(result.money, str) and "nothing to compare" in result.money


def every_slot_reason():
    bins = floors.bins(2, 3).with_columns(capacity_m3=pl.lit(1.0))
    orders = floors.orders(*["F"] * 90, *["N"] * 8, *["K"] * 30, "S", "Z", days=30)
    products = room.table("products", [{"sku": "Z", "length_cm": 900.0, "width_cm": 900.0, "height_cm": 900.0}])
    return slot(orders, bins, floors.slots(F="B3", S="A1", K="A2"), products, s=Slot(minutes_per_move=0.05))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_slotting_reasons_are_whole_sentences(language):
    found = every_slot_reason()
    scratch = slot(floors.orders("A"), floors.bins(1, 1), s=Slot())
    frame = pl.concat([found.tables["slotting"], scratch.tables["slotting"]])
    codes = set(frame["reason_code"])
    assert codes >= {
        "slot_deserves",
        "slot_makes_room",
        "slot_stays",
        "slot_put_away",
        "slot_no_bin",
        "slot_from_scratch",
    }
    for sentence in reasons.render(frame, language)["reason"]:
        assert re.search(r"[.。]$", sentence) and "{" not in sentence and "None" not in sentence
        assert not re.search(r"\s{2}| [,.;:)]|\(\s", sentence), sentence


def test_slotting_findings_tell_what_has_no_place():
    found = {f.rule: f for f in every_slot_reason().findings}
    assert found["no_bin"].severity == "warn" and "Z" in found["no_bin"].message
    assert "N" in found["not_slotted"].message
    assert "fast_mover_far" in found


def test_row_order_changes_nothing(made):
    given = {name: typed(name, made[name]) for name in ("order_lines", "bins", "slots", "products")}
    first = conform(slot(**given, s=Slot(max_moves=6)))
    mixed = {name: frame.sample(fraction=1.0, shuffle=True, seed=3) for name, frame in given.items()}
    again = conform(slot(**mixed, s=Slot(max_moves=6)))
    for name, frame in first.items():
        assert_frame_equal(frame, again[name])


# --- evaluate ---


def test_walks_by_policy_and_money():
    orders = floors.orders("AB", "C", "A")
    result = evaluate(orders, floors.bins(3, 4), floors.slots(A="A2", B="A4", C="C1"), s=Picking(**PAID))
    rows = conform(result)["pick_evaluation"]
    walked = dict(rows.select("policy", "metres").iter_rows())
    assert walked == {"shortest": 8 + 14 + 4, "s-shape": 8 + 14 + 4, "return": 8 + 14 + 4}
    assert rows["lines"].to_list() == [4] * 3
    assert result.money.today == pytest.approx(26 / 1.2 / 3600 * 30)


def test_without_a_layout_each_bin_is_a_trip():
    bins = floors.bins(2, 2).with_columns(x=None)
    result = evaluate(floors.orders("AB", "Q"), bins, floors.slots(A="A1", B="B2"), s=Picking())
    rows = conform(result)["pick_evaluation"]
    assert rows.select("policy", "metres", "gap_pct").rows() == [("trips", 2 * 1 + 2 * 5, None)]
    assert {f.rule for f in result.findings} == {"not_slotted"}
    assert "trip of its own" in result.notes[0]


def test_slots_that_name_no_bin_are_refused():
    with pytest.raises(InputRejected, match='bin "Z"'):
        evaluate(floors.orders("A"), floors.bins(1, 1), floors.slots(A="Z"), s=Picking())
    with pytest.raises(InputRejected, match="no line"):
        evaluate(floors.orders("A"), floors.bins(1, 1), floors.slots(B="A1"), s=Picking())


# --- rebalance ---


@pytest.fixture(scope="module")
def known_demand():
    """The forecast that one would make who knew the sample company's demand: Poisson about its mean."""
    company = companies.found(7)
    weeks = 12
    daily = expected(company)[:, companies.DAYS : companies.DAYS + 7 * weeks]
    mean = daily.reshape(len(daily), weeks, 7).sum(axis=2)
    total = np.cumsum(mean, axis=1)
    parts = []
    for h in range(1, weeks + 1):
        columns = {
            "h": h,
            "date": companies.END + timedelta(days=7 * h - 6),
            "mean": mean[:, h - 1],
            "cum_mean": total[:, h - 1],
        }
        for quantile, level in zip(QUANTILES, LEVELS, strict=True):
            columns[quantile] = stats.poisson(mean[:, h - 1]).ppf(level)
            columns[f"cum_{quantile}"] = stats.poisson(total[:, h - 1]).ppf(level)
        parts.append(
            company.series.select("sku", "market").with_columns(
                **{k: pl.lit(v) if np.isscalar(v) or isinstance(v, date) else pl.Series(v) for k, v in columns.items()}
            )
        )
    frame = pl.concat(parts).with_columns(as_of=pl.lit(companies.END), frequency=pl.lit("W"), model=pl.lit("known"))
    return typed("forecast", frame.with_columns(pl.col("h").cast(pl.Int64)))


def balanced(made, forecast, **more):
    names = ("inventory", "transfer_lanes", "policies", "coverage", "products", "inbound", "rates")
    given = {name: typed(name, made[name]) for name in names}
    return rebalance(forecast, s=Rebalance(home_currency="CNY", **more), **given)


def test_the_planted_imbalances_are_mended(made, truths, known_demand):
    result = balanced(made, known_demand, time_limit=0.0)
    rows = conform(result)["stock_transfers"]
    assert truths["rebalance"]
    for planted in truths["rebalance"]:
        moved = rows.filter(
            sku=planted["sku"], from_warehouse=planted["from_warehouse"], to_warehouse=planted["to_warehouse"]
        )
        into = rows.filter(sku=planted["sku"], to_warehouse=planted["to_warehouse"])
        assert moved["qty"].sum() > 0, planted
        assert into["qty"].sum() >= 0.7 * planted["qty"], planted
        assert (moved["benefit"] > moved["cost"]).all()
    # Nothing goes where it came from, and no more than there is.
    held = made["inventory"].select(
        "sku", pl.col("warehouse").alias("from_warehouse"), free=pl.col("on_hand") - pl.col("reserved")
    )
    sent = (
        rows.group_by("sku", "from_warehouse")
        .agg(pl.col("qty").sum())
        .join(held, on=["sku", "from_warehouse"], how="left")
    )
    assert (sent["qty"] <= sent["free"]).all()
    assert isinstance(result.money, Headline)
    assert result.money.difference < 0 and result.money.high < 0


def test_covered_stock_is_not_mended(made, truths, known_demand):
    rows = balanced(made, known_demand, time_limit=0.0).tables["stock_transfers"]
    into = {f"{s}@{w}" for s, w in rows.filter(pl.col("short_before") < 0.5).select("sku", "to_warehouse").iter_rows()}
    assert not into & set(truths["covered_by_inbound"])


COSTED = {"unit_cost": 10.0, "currency": "EUR"}
LANE = {"from_warehouse": "W1", "to_warehouse": "W2", "transit_days": 5.0, "cost_per_unit": 0.5, "cost_fixed": 20.0}


def small(lane=LANE, here=90.0, there=4.0, s=None, **more):
    forecast = room.forecast(
        *(room.poisson(r, 40, sku="A", warehouse=w, market=None) for w, r in (("W1", 1.0), ("W2", 2.0)))
    )
    stock = room.stock({"on_hand": here} | COSTED, {"warehouse": "W2", "on_hand": there} | COSTED)
    ways = room.table("transfer_lanes", [lane] if isinstance(lane, dict) else lane)
    return rebalance(forecast, stock, ways, s=s or Rebalance(cover_days=30.0), **more)


def test_one_lot_from_end_to_end():
    result = small()
    (row,) = conform(result)["stock_transfers"].iter_rows(named=True)
    # W2 wants 60 in 30 days; the first 10 of them go before the lot comes (4 are there). W1 keeps what it wants itself.
    assert 45 <= row["qty"] <= 56
    assert (row["trip"], row["ship_date"], row["arrival_date"]) == ("W1-W2 1", date(2026, 6, 28), date(2026, 7, 3))
    assert row["reason_code"] == "transfer_shortage"
    assert row["short_before"] == pytest.approx(56, abs=0.5)
    assert row["short_after"] == pytest.approx(6.5, abs=1.5)
    assert row["cost"] == pytest.approx(20 + row["qty"] * (0.5 + 10 * 0.25 * 5 / 365), abs=0.02)
    assert result.money.difference == pytest.approx(row["cost"] - row["benefit"], abs=0.02)
    assert (row["runner_up"], row["runner_up_net"]) == ("stay", 0)
    assert result.metrics["solver_status"] == "optimal" and result.metrics["gap_pct"] < 1
    assert result.metrics["trips"] == 1


def test_a_dear_trip_is_not_run_and_the_shortage_is_told():
    result = small(LANE | {"cost_fixed": 5000.0})
    assert result.tables["stock_transfers"].height == 0
    assert result.money.difference == 0
    assert result.metrics["solver_status"] == "nothing_pays"
    (told,) = [f for f in result.findings if f.rule == "still_short"]
    assert told.entity == "A@W2" and "not worth" not in told.message and "no transfer is worth its cost" in told.message


def test_lots_are_put_on_trips_by_their_room():
    products = room.table("products", [{"sku": "A", "length_cm": 100.0, "width_cm": 100.0, "height_cm": 10.0}])
    result = small(LANE | {"cost_fixed": 5.0, "capacity_m3": 2.0}, products=products)
    rows = conform(result)["stock_transfers"]
    assert rows["trip"].to_list() == [f"W1-W2 {i}" for i in range(1, rows.height + 1)]
    assert rows["qty"].max() <= 20 and rows.height == result.metrics["trips"] >= 2
    assert rows["cost"].sum() == pytest.approx(result.metrics["freight"] + result.metrics["trip_cost"], abs=0.02)


def test_another_source_is_the_runner_up():
    ways = [LANE | {"cost_fixed": None}, LANE | {"from_warehouse": "W3", "cost_per_unit": 1.5, "cost_fixed": None}]
    forecast = room.forecast(room.poisson(2.0, 40, sku="A", warehouse="W2", market=None))
    stock = room.stock(
        *({"warehouse": w, "on_hand": 80.0} | COSTED for w in ("W1", "W3")), {"warehouse": "W2"} | COSTED
    )
    result = rebalance(forecast, stock, room.table("transfer_lanes", ways), s=Rebalance(cover_days=30.0))
    (row,) = conform(result)["stock_transfers"].iter_rows(named=True)
    assert (row["from_warehouse"], row["runner_up"]) == ("W1", "W3")
    assert row["runner_up_net"] == pytest.approx(row["benefit"] - row["cost"] - row["qty"] * 1.0, abs=0.1)


def test_customs_packs_and_stock_for_its_own_sake():
    policies = room.policy(
        {"lead_time_days": 20.0, "review_days": 10.0, "pack_size": 12.0, "storage_cost_m3_day": 0.02}
    )
    products = room.table("products", [{"sku": "A", "length_cm": 100.0, "width_cm": 100.0, "height_cm": 100.0}])
    result = small(LANE | {"customs": True}, policies=policies, products=products, s=Rebalance(in_packs=True))
    (row,) = conform(result)["stock_transfers"].iter_rows(named=True)
    assert row["qty"] % 12 == 0 and row["reason_code"] == "transfer_shortage_customs"
    assert "customs" in {f.rule for f in result.findings}
    # Storing at W1 is dear, at W2 free: stock moves though nothing is short.
    dear = room.policy(
        {"warehouse": "W1", "lead_time_days": 30.0, "storage_cost_m3_day": 2.0},
        {"warehouse": "W2", "lead_time_days": 30.0},
    )
    moved = small(there=200.0, policies=dear, products=products)
    assert moved.tables["stock_transfers"]["reason_code"].to_list() == ["transfer_stock"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_transfer_reasons_are_whole_sentences(language):
    frame = pl.concat([small().tables["stock_transfers"], small(LANE | {"customs": True}).tables["stock_transfers"]])
    frame = pl.concat([frame, frame.with_columns(reason_code=pl.col("reason_code").str.replace("shortage", "stock"))])
    assert frame["reason_code"].n_unique() == 4
    for sentence in reasons.render(frame, language)["reason"]:
        assert re.search(r"[.。]$", sentence) and "{" not in sentence and "None" not in sentence


def test_demand_that_waits_costs_more_than_demand_that_is_lost_once():
    lost, waits = (small(s=Rebalance(cover_days=30.0, unserved=u)) for u in ("lost", "waits"))
    assert waits.money.today > lost.money.today
    assert "at every review" in waits.money.basis


def test_unknown_costs_and_missing_forecasts_are_told():
    stock = room.stock({"on_hand": 90.0}, {"warehouse": "W2"}, {"sku": "old", "on_hand": 7.0} | COSTED)
    forecast = room.forecast(
        *(room.poisson(r, 40, sku="A", warehouse=w, market=None) for w, r in (("W1", 1.0), ("W2", 2.0)))
    )
    result = rebalance(forecast, stock, room.table("transfer_lanes", [LANE]), s=Rebalance(cover_days=30.0))
    assert {f.rule for f in result.findings} >= {"unknown_cost", "no_forecast"}
    assert result.tables["stock_transfers"].height == 0


def test_row_order_changes_no_transfer(made, known_demand):
    first = conform(balanced(made, known_demand, time_limit=0.0))["stock_transfers"]
    mixed = {k: v.sample(fraction=1.0, shuffle=True, seed=5) for k, v in made.items()}
    again = conform(balanced(mixed, known_demand.sample(fraction=1.0, shuffle=True, seed=5), time_limit=0.0))
    assert_frame_equal(first, again["stock_transfers"])


# --- the command line ---


def test_commands_from_files_to_reports(cbec, tmp_path):
    (tmp_path / "orders.csv").write_text(
        "订单号,sku,数量,日期\n"
        + "".join(f"{i},F,1,2026-03-{1 + i % 28:02d}\n" for i in range(60))
        + "99,S,1,2026-03-02\n",
        "utf-8",
    )
    (tmp_path / "bins.csv").write_text(
        "库位,distance_m,x,y\n" + "".join(f"A{c},{c},0,{c}\n" for c in range(1, 5)), "utf-8"
    )
    (tmp_path / "slots.csv").write_text("sku,bin\nF,A4\nS,A1\n", "utf-8")
    common = ("--order-lines", "orders.csv", "--bins", "bins.csv", "--slots", "slots.csv")
    done = cbec("warehouse", "slot", *common, "--minutes-per-move", "0.1", "--wage-per-hour", "30", "--home-currency", "EUR", "-o", "slotting.csv",
                "--write-moves", "moves.csv", "--report", "report", "--fail-on", "warn")  # fmt: skip
    assert done.returncode == 1, done.stderr  # a fast mover lies far away
    assert "EUR saved" in done.stderr
    assert (tmp_path / "slotting.csv").read_text("utf-8").splitlines()[1].startswith("F,A1,")
    assert len((tmp_path / "moves.csv").read_text("utf-8").splitlines()) == 3
    html = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "Share of all picks within a distance of the dock" in html and "The swaps that save most" in html
    done = cbec("warehouse", "evaluate", *common, "--report", "walks", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["orders"] == 61
    assert "Walk per order" in (tmp_path / "walks" / "report.html").read_text("utf-8")


def test_rebalance_from_files(cbec, tmp_path):
    (tmp_path / "stock.csv").write_text(
        "sku,warehouse,on_hand,unit_cost,currency\n007,W1,90,10,EUR\n007,W2,4,10,EUR\n", "utf-8"
    )
    (tmp_path / "lanes.csv").write_text("调出仓库,调入仓库,在途天数,每趟费用\nW1,W2,5,20\n", "utf-8")
    frame = room.forecast(
        *(room.poisson(r, 40, sku="007", warehouse=w, market=None) for w, r in (("W1", 1.0), ("W2", 2.0)))
    )
    frame.write_parquet(tmp_path / "forecast.parquet")
    common = (
        "warehouse",
        "rebalance",
        "--inventory",
        "stock.csv",
        "--forecast",
        "forecast.parquet",
        "--transfer-lanes",
        "lanes.csv",
    )
    done = cbec(*common, "--cover-days", "30", "-o", "transfers.csv", "--report", "report")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "transfers.csv").read_text("utf-8").splitlines()[1].startswith("007,W1,W2,W1-W2 1,")
    assert "What each trip saves" in (tmp_path / "report" / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "report" / "summary.json").read_text("utf-8"))["as_of"] == "2026-06-28"
    done = cbec(*common, "--cover-days", "60")
    assert done.returncode == 3 and "needs 60 days" in done.stderr
