"""`forecast clearance` as a whole: the planted truths of the sample company, by hand, reasons, findings, invariants."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support import pricing, sampled
from support import stockroom as room
from support.answered import demand

from cbec import sample, tables
from cbec.core import check, reasons
from cbec.core.money import Headline
from cbec.forecast import Clearance, Demand, clearance
from cbec.methods.forecast import elasticity

ROOT = Path(__file__).resolve().parent.parent
COSTED = {"unit_cost": 8.0, "currency": "EUR"}
PLAIN = {"selling_rate": 0.0, "holding_rate": 0.0, "borrowed": 0.0}


def products(*rows):
    return room.table("products", [{"sku": "A", "price": 20.0} | COSTED | r for r in rows or ({},)])


def run(forecast=None, inventory=None, master=None, *, s=None, **more):
    return clearance(
        room.forecast(room.poisson(1, 90)) if forecast is None else forecast,
        room.stock({"on_hand": 500.0}) if inventory is None else inventory,
        products() if master is None else master,
        coverage=more.pop("coverage", room.serves()),
        s=s or Clearance(),
        **more,
    )


def rows(result):
    return {f"{r['sku']}@{r['warehouse']}": r for r in result.tables["clearance"].iter_rows(named=True)}


def rules(result):
    return {(f.rule, f.entity): f for f in result.findings}


@cache
def company():
    """The sample company: tables as a run has them, its truths, and the answer."""
    made, planted = sampled.made(), sample.truths()

    def whole(name):
        blank = room.table(name, []).schema
        frame = made[name]
        return frame.with_columns(
            pl.lit(None, kind).alias(c) for c, kind in blank.items() if c not in frame.columns
        ).select(blank.names())

    frames = {n: whole(n) for n in ("sales", "inventory", "products", "policies", "coverage", "inbound", "rates")}
    made_forecast = demand(frames["sales"], s=Demand(frequency="W", horizon=26, as_of=planted["to"])).tables["forecast"]
    blank = room.table("forecast", []).schema
    made_forecast = made_forecast.with_columns(
        pl.lit(None, k).alias(c) for c, k in blank.items() if c not in made_forecast.columns
    )
    s = Clearance(home_currency="CNY", as_of=planted["to"], fees="example", recovery=0.1)
    return frames, planted, made_forecast, clearance(made_forecast, s=s, **frames)


def test_the_planted_overstock_is_found_and_something_is_done_about_it():
    _, planted, _, result = company()
    found = rows(result)
    for name in planted["overstock"]:
        assert found[name]["excess_units"] > 0.4 * found[name]["on_hand"], name
        assert found[name]["months_of_cover"] > 9
        assert found[name]["action"] in ("markdown", "liquidate"), name
        assert found[name]["cost"] < found[name]["cost_keep"]
        assert ("excess_stock", name) in rules(result)
        if found[name]["action"] == "markdown":
            assert 0 < found[name]["discount_pct"] <= 70
            assert found[name]["p_sell_through"] > 0.4


def test_the_planted_dead_stock_is_found_with_its_money():
    _, planted, _, result = company()
    found = rows(result)
    for name in planted["dead_stock"]:
        assert found[name]["reason_code"] in ("clear_dead_liquidate", "clear_silent"), name
        finding = rules(result)["dead_stock", name]
        assert finding.severity == "high" and finding.currency == "CNY"
        assert (
            finding.money >= found[name]["on_hand"] * found[name]["excess_value"] / found[name]["excess_units"] - 0.01
        )
    others = {f.entity for f in result.findings if f.rule == "dead_stock"} - set(planted["dead_stock"])
    intermittent = {name.split("@")[0] for name in planted["intermittent"]}
    assert {name.split("@")[0] for name in others} <= intermittent


def test_what_is_running_out_is_no_excess():
    _, planted, _, result = company()
    found = rows(result)
    for name in planted["running_out"] + planted["out_of_stock"]:
        assert name not in found or found[name]["excess_units"] == 0


def test_elasticities_are_asked_back_from_the_planted_promotions():
    frames, planted, _, _ = company()
    found, cells = elasticity.of_skus(sorted(frames["products"]["sku"]), frames["sales"], frames["products"], -1.5)
    discount = np.log1p(-planted["promotion_discount"])
    factors = [planted["coupon_week_factor"], *(p["factor"] for p in planted["promotions"])]
    weakest, strongest = np.log(min(factors)) / discount, np.log(max(factors)) / discount
    told = found.filter(pl.col("basis") != "default")
    assert told.height == 200
    assert told["elasticity"].is_between(strongest, weakest).mean() > 0.97
    # The mean over all promotion days, coupon weeks too: days x chance of taking part (0.65, coupon weeks 0.3).
    days = [(14 * 0.3, planted["coupon_week_factor"])]
    days += [(((p["to"] - p["from"]).days + 1) * 0.65, p["factor"]) for p in planted["promotions"]]
    mean = sum(n * f for n, f in days) / sum(n for n, _ in days)
    assert told["elasticity"].mean() == pytest.approx(np.log(mean) / discount, abs=0.2)
    assert cells.deepest[cells.deepest > 0.01] == pytest.approx(planted["promotion_discount"], abs=0.005)
    # Intermittent items had no promotions: they have what their category has, and it is said.
    slow = {name.split("@")[0] for name in planted["intermittent"]}
    assert set(told.filter(pl.col("sku").is_in(list(slow)))["basis"]) == {"category"}


def test_the_sample_run_keeps_its_contracts_and_adds_up():
    _, _, _, result = company()
    for name in ("clearance", "clearance_path"):
        frame = result.tables[name]
        frame = reasons.render(frame) if name == "clearance" else frame
        assert check.conform(tables.get(name), frame).height == frame.height > 0
    table = result.tables["clearance"]
    judged = table.filter(pl.col("excess_units") > 0)
    assert (judged["excess_value"] - judged["recovered"] + judged["storage"] - judged["cost"]).abs().max() < 1e-6
    assert isinstance(result.money, Headline) and result.money.currency == "CNY"
    assert result.money.today == pytest.approx(judged["cost_keep"].sum())
    assert result.money.proposed == pytest.approx(judged["cost"].sum())
    assert result.money.low < result.money.difference < result.money.high < 0
    assert "EXAMPLE" in result.money.basis and any("EXAMPLE" in n for n in result.notes)
    # The path of a markdown begins with its price and ends with what is expected to be left.
    path = result.tables["clearance_path"].filter(pl.col("stage") == 1).join(judged, on=["sku", "warehouse"])
    assert (path["discount_pct"] - path["discount_pct_right"]).abs().max() < 1e-9
    units = result.tables["clearance_path"].group_by("sku", "warehouse").agg(pl.col("expected_units").sum())
    both = units.join(judged, on=["sku", "warehouse"])
    assert (both["expected_units"] - both["expected_units_right"]).abs().max() < 1e-6


def test_keeping_by_hand():
    # 90 units of 500 are needed for 90 days and some for chance; 365 are sold in a year, the rest is worth nothing then.
    result = run(s=Clearance(**PLAIN, max_discount=0.0))
    found = rows(result)["A@W1"]
    assert found["action"] == "keep" and found["reason_code"] == "clear_keep"
    excess = found["excess_units"]
    assert excess == 500 - 106  # Poisson 90 at 95 %
    assert found["months_of_cover"] == pytest.approx(500 / (365.25 / 12))
    assert found["cost"] == pytest.approx((500 - 365) * 8, rel=1e-3)
    assert found["expected_units"] == pytest.approx(365, rel=1e-3)
    assert found["sell_through_date"] is None and found["p_sell_through"] < 0.01
    assert found["runner_up"] == "write_off"
    # To destroy a quarter of the excess now costs next to nothing more: they would not have been sold.
    assert found["cost"] < found["cost_write_off"] == pytest.approx(found["cost"], rel=5e-3)


def test_capital_alone_makes_slow_stock_cost():
    found = rows(
        run(inventory=room.stock({"on_hand": 200.0}), s=Clearance(**PLAIN | {"holding_rate": 0.3}, max_discount=0.0))
    )["A@W1"]
    assert found["excess_units"] == 94
    # Units 107 to 200 are sold about days 107 to 200, instead of as many bought then: their cost is late by as long.
    days = np.arange(106, 200) + 0.5
    assert found["cost"] == pytest.approx((8 * (1 - 1.3 ** (-days / 365))).sum(), rel=0.03)
    assert found["p_sell_through"] == pytest.approx(1.0, abs=1e-3)
    assert abs((found["sell_through_date"] - room.AS_OF).days - 200) <= 2


def test_a_markdown_pays_where_much_would_be_written_off():
    sales = pricing.sales({"A": -2.5, "B": -2.5, "C": -2.5, "D": -2.5}, rate=6, days=500, cuts=80, discount=0.4)
    result = run(sales=sales.with_columns(date=pl.col("date").dt.offset_by("-1mo")), s=Clearance())
    found = rows(result)["A@W1"]
    assert found["action"] == "markdown" and found["discount_pct"] >= 10
    assert found["price"] == pytest.approx(20 * (1 - found["discount_pct"] / 100))
    assert found["elasticity_low"] < -2.5 < found["elasticity_high"]
    assert found["elasticity_basis"] in ("own", "catalogue")
    assert found["cost"] < found["cost_keep"] and found["runner_up"] == "keep"
    finding = rules(result)["excess_stock", "A@W1"]
    assert finding.money == pytest.approx(found["cost_keep"] - found["cost"], abs=0.01)
    assert found["p_sell_through"] > rows(run(s=Clearance(max_discount=0.0)))["A@W1"]["p_sell_through"]


def test_without_sales_a_markdown_is_a_trial_at_the_default_elasticity():
    result = run(s=Clearance(elasticity=-3.0))
    found = rows(result)["A@W1"]
    assert found["elasticity_basis"] == "default" and found["elasticity"] == -3.0
    assert found["reason_code"] == "clear_markdown_default"
    assert any("default elasticity -3" in n for n in result.notes)
    assert any("deeper than any" in n for n in result.notes)


def lanes(**more):
    return room.table(
        "transfer_lanes",
        [{"from_warehouse": "W1", "to_warehouse": "W2", "transit_days": 5.0, "currency": "EUR"} | more],
    )


def test_excess_goes_where_it_is_needed_while_the_way_is_cheap():
    coverage = room.serves(W1=0.5, W2=0.5)
    inventory = room.stock({"on_hand": 400.0}, {"warehouse": "W2", "on_hand": 5.0})

    def moved(**more):
        return rows(
            run(inventory=inventory, coverage=coverage, transfer_lanes=lanes(**more), s=Clearance(max_discount=0.0))
        )["A@W1"]

    found = moved(cost_per_unit=1.0)
    assert found["action"] == "transfer" and found["destination"] == "W2"
    need = found["action_units"]
    assert 45 < need < 60  # the 95 % quantile of 45, less 5
    # A unit saves buying one at 8, less 1 for the way: what would have been written off here.
    assert found["cost_keep"] - found["cost"] == pytest.approx(need * 7, rel=0.02)
    assert found["reason_code"] == "clear_transfer"
    assert moved(cost_per_unit=9.0)["action"] != "transfer"
    assert moved(cost_per_unit=9.0)["cost_transfer"] is None
    assert moved(cost_fixed=100.0)["cost_transfer"] == pytest.approx(moved()["cost_transfer"] + 100, rel=1e-3)
    # Nobody gets more than he needs, whoever gives.
    third = room.serves(W1=0.4, W2=0.2, W3=0.4)
    full = room.stock({"on_hand": 300.0}, {"warehouse": "W2"}, {"warehouse": "W3", "on_hand": 300.0})
    ways = pl.concat([lanes(), lanes(from_warehouse="W3")])
    both = rows(run(inventory=full, coverage=third, transfer_lanes=ways, s=Clearance(max_discount=0.0)))
    given = [both[f"A@{w}"] for w in ("W1", "W3")]
    assert sum(g["action_units"] for g in given if g["action"] == "transfer") <= 27


def test_returns_and_write_offs():
    keep = {"max_discount": 0.0}
    returned = rows(run(s=Clearance(**PLAIN, **keep, recovery=0.5)))["A@W1"]
    assert returned["action"] == "liquidate"
    assert returned["cost"] < returned["cost_keep"]
    assert 0 < returned["action_units"] < returned["excess_units"]  # part of it sells better than that
    none = room.forecast(room.series([room.stats.poisson(0)] * 40))
    dead = rows(run(none, s=Clearance(**PLAIN)))["A@W1"]
    assert dead["action"] == "write_off" and dead["action_units"] == dead["excess_units"] == 500
    assert dead["months_of_cover"] is None and dead["p_sell_through"] is None
    assert dead["cost"] == pytest.approx(4000) == dead["cost_keep"]
    sold = rows(run(none, s=Clearance(recovery=0.25)))["A@W1"]
    assert (
        sold["action"] == "liquidate"
        and sold["recovered"] == pytest.approx(1000)
        and sold["cost"] == pytest.approx(3000)
    )


def test_storage_fees_make_waiting_dear():
    big = products({"length_cm": 50.0, "width_cm": 40.0, "height_cm": 30.0})
    inventory = room.stock({"on_hand": 500.0, "age_days": 170.0})
    free, paid = (
        run(master=big, inventory=inventory, s=Clearance(fees=f, home_currency="EUR")) for f in ("", "example")
    )
    assert rows(paid)["A@W1"]["cost_keep"] > rows(free)["A@W1"]["cost_keep"]
    assert rows(paid)["A@W1"]["age_band"] == "91-180"
    soon = rules(paid)["surcharge_soon", "A@W1"]
    assert "in 11 days" in soon.message and soon.money > 0
    assert any("no storage fee" in n for n in free.notes)
    # A policy's own storage cost counts where there is no file.
    told = run(
        master=big,
        inventory=inventory,
        policies=room.policy({"storage_cost_m3_day": 1.0}),
        s=Clearance(max_discount=0.0),
    )
    plain = run(master=big, inventory=inventory, policies=room.policy(), s=Clearance(max_discount=0.0))
    assert rows(told)["A@W1"]["cost_keep"] > rows(plain)["A@W1"]["cost_keep"] + 100


def test_lead_time_and_review_are_needed_too():
    long = run(policies=room.policy({"lead_time_days": 100.0, "review_days": 30.0}))
    assert rows(long)["A@W1"]["excess_units"] == 500 - 149  # Poisson 130


def test_unknown_things_stay_unknown():
    no_cost = run(master=products({"unit_cost": None, "price": None, "currency": None}))
    found = rows(no_cost)["A@W1"]
    assert (found["action"], found["cost"], found["reason_code"]) == ("unknown", None, "clear_no_cost")
    assert found["excess_units"] == 394
    assert isinstance(no_cost.money, str) and "unit cost" in no_cost.money
    no_price = run(master=products({"price": None}))
    found = rows(no_price)["A@W1"]
    assert found["cost_markdown"] is None and found["reason_code"] == "clear_keep_no_price"
    assert any("no price is known" in n for n in no_price.notes)
    other = run(inventory=room.stock({"on_hand": 50.0}, {"sku": "Z", "on_hand": 9.0, "age_days": 400.0}))
    found = rows(other)["Z@W1"]
    assert (found["action"], found["excess_units"], found["age_band"]) == ("unknown", None, "366+")
    assert ("no_forecast", "W1") in rules(other)
    assert other.money == "no stock is more than needed"


def test_more_on_its_way_to_stock_that_is_too_much():
    inbound = room.table(
        "inbound", [{"sku": "A", "warehouse": "W1", "qty": 60.0, "arrival_date": room.AS_OF + timedelta(days=20)}]
    )
    finding = rules(run(inbound=inbound))["excess_coming", "A@W1"]
    assert finding.money == pytest.approx(60 * 8) and finding.severity == "warn"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_reasons_are_whole_sentences(language):
    none = room.series([room.stats.poisson(0)] * 40, sku="DEAD")
    parts = [room.poisson(1, 90, sku=s) for s in ("A", "NOCOST", "NOPRICE", "FINE", "SILENT")]
    old = [
        {"date": room.AS_OF - timedelta(days=d), "sku": "SILENT", "market": "DE", "units": 1.0} for d in range(200, 400)
    ]
    held = {"A": 500, "NOCOST": 500, "NOPRICE": 400, "FINE": 50, "DEAD": 6, "STRANGER": 3, "SILENT": 70}
    inventory = room.stock(*({"sku": k, "on_hand": float(v)} for k, v in held.items()))
    master = products(
        {}, {"sku": "NOCOST", "unit_cost": None}, {"sku": "NOPRICE", "price": None}, {"sku": "FINE"}, {"sku": "DEAD"}, {"sku": "SILENT"}
    )  # fmt: skip
    told: list[pl.DataFrame] = []
    for s in (
        Clearance(),
        Clearance(recovery=0.4),
        Clearance(max_discount=0.0, recovery=0.7),
        Clearance(elasticity=-4.0),
    ):
        result = run(room.forecast(none, *parts), inventory, master, sales=pricing.frame(old), s=s)
        told.append(reasons.render(result.tables["clearance"], language).select("reason_code", "reason"))
    _, _, _, whole = company()
    told.append(reasons.render(whole.tables["clearance"], language).select("reason_code", "reason"))
    every = pl.concat(told)
    assert every["reason_code"].n_unique() >= 11
    for sentence in every["reason"]:
        assert re.search(r"[.。）)]$", sentence) and "{" not in sentence and "None" not in sentence
        assert not re.search(r"\s{2}| [,.;:)]|\(\s", sentence), sentence  # no hole where a cell was empty


ITEM = st.fixed_dictionaries(
    {
        "rate": st.sampled_from([0.0, 0.02, 0.5, 3.0, 20.0]),
        "on_hand": st.integers(0, 3000),
        "age": st.one_of(st.none(), st.integers(0, 500)),
        "price": st.one_of(st.none(), st.floats(1, 60)),
        "cost": st.one_of(st.none(), st.floats(0.5, 30)),
    }
)


@given(st.lists(ITEM, min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_what_always_holds(items, random):
    made = {
        "forecast": room.forecast(*(room.poisson(it["rate"], 12, sku=f"{i:02}") for i, it in enumerate(items))),
        "inventory": room.stock(
            *({"sku": f"{i:02}", "on_hand": float(it["on_hand"]), "age_days": it["age"]} for i, it in enumerate(items))
        ),
        "master": products(
            *({"sku": f"{i:02}", "price": it["price"], "unit_cost": it["cost"], "length_cm": 30.0, "width_cm": 20.0, "height_cm": 10.0}
              for i, it in enumerate(items))
        ),
    }  # fmt: skip
    s = Clearance(fees="example", recovery=0.2, home_currency="EUR")
    result = run(**made, s=s)
    table = result.tables["clearance"]
    assert table.height == sum(it["on_hand"] > 0 for it in items)
    assert (table["excess_units"] <= table["on_hand"] + 1e-9).all()
    assert ((table["excess_units"] == 0) | (table["excess_units"] >= 1)).all()
    known = table.filter(pl.col("cost").is_not_null() & (pl.col("excess_units") > 0))
    # Never dearer than keeping; a runner-up is never cheaper than what is proposed by more than the threshold.
    slack = 0.05 * known["excess_value"] + 1e-6
    assert (known["cost"] <= known["cost_keep"] + 1e-6 * known["excess_value"] + 1e-6).all()
    assert (known["cost"] <= known["runner_up_cost"].fill_null(np.inf) + slack).all()
    assert (known["action_units"] <= known["excess_units"] + 1e-9).all()
    assert (table.filter(pl.col("action") == "unknown")["cost"].is_null()).all()
    # More stock never means less excess, and a longer cover never more.
    richer = made["inventory"].with_columns(pl.col("on_hand") + 50 * (pl.col("on_hand") > 0))
    assert (run(**made | {"inventory": richer}, s=s).tables["clearance"]["excess_units"] >= table["excess_units"]).all()
    longer = Clearance(fees="example", recovery=0.2, home_currency="EUR", cover_days=180.0)
    assert (run(**made, s=longer).tables["clearance"]["excess_units"] <= table["excess_units"] + 1e-9).all()
    # The order of rows in the files does not matter.
    shuffled = {n: f[random.sample(range(f.height), f.height)] for n, f in made.items()}
    again = run(**shuffled, s=s)
    for name, frame in result.tables.items():
        assert_frame_equal(again.tables[name], frame, check_exact=True)
    assert again.findings == result.findings and again.money == result.money


def test_the_command_line(cbec, demo, tmp_path):
    place, forecast = ROOT / "sample_data", demo / "work" / "forecast.parquet"
    # A later sale at another price changes nothing: the forecast's day is that of the decision.
    sales = pl.read_csv(place / "sales.csv.gz", infer_schema=False)
    extra = sales.filter(pl.col("date") == "2026-09-30").with_columns(date=pl.lit("2026-10-05"), price=pl.lit("1.00"))
    pl.concat([sales, extra]).write_csv(tmp_path / "more.csv")
    base = ["forecast", "clearance", "--forecast", forecast, "--fees"]
    for table in ("inventory", "products", "policies", "coverage", "rates"):
        base[2:2] = [f"--{table}", place / f"{table}.csv"]
    more = ("--home-currency", "CNY", "--report", "report", "--language", "zh", "--fail-on", "high")
    paths = {"once": place / "sales.csv.gz", "again": "more.csv"}
    for name, path in paths.items():
        out = ("-o", f"{name}.csv", "--write-clearance-path", f"{name}_path.csv")
        done = cbec(*base, "example", "--sales", path, *more, *out)
        assert done.returncode == 1, done.stderr  # dead stock is a high finding
    for kind in ("", "_path"):
        assert (tmp_path / f"once{kind}.csv").read_bytes() == (tmp_path / f"again{kind}.csv").read_bytes()
    told = pl.read_csv(tmp_path / "once.csv", infer_schema=False)
    planted = yaml.safe_load((place / "truths.yaml").read_text("utf-8"))
    dead = told.filter(pl.col("reason").str.contains("呆滞库存"))
    assert set(planted["dead_stock"]) <= set((dead["sku"] + "@" + dead["warehouse"]).to_list())
    assert pl.read_csv(tmp_path / "once_path.csv")["stage"].max() == 9
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "Planned prices" in page and "EXAMPLE" in page
    wrong = cbec(*base, "nowhere.yaml")
    assert wrong.returncode == 3 and "fees: no file" in wrong.stderr
