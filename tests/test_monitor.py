"""`monitor stock` as a whole: what it tells of planted trouble, what it cannot see, and how a night job uses it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import sampled
from support.stockroom import policy, stock, table
from support.supply import day, receipts, sold

from cbec import sample, tables
from cbec.core import check
from cbec.core.cells import dtype
from cbec.core.errors import InputRejected, UsageFault
from cbec.monitor import Stock
from cbec.monitor import stock as monitor

NOW = day(120)


def shelves(*rows: dict[str, Any], **more: Any) -> pl.DataFrame:
    base = {"snapshot_date": NOW, "unit_cost": 5.0, "currency": "CNY"} | more
    return stock(*(base | r for r in rows))


def earlier(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {"sku": "A", "warehouse": "W1", "snapshot_date": day(90), "on_hand": 50.0}
    return table("previous_inventory", [base | r for r in rows])


def of(result, rule):
    return result.tables["alerts"].filter(rule=rule)


def one(result, rule):
    return of(result, rule).row(0, named=True)


def test_stock_alone_tells_what_it_can():
    result = monitor(
        shelves(
            {"on_hand": -3.0},
            {"sku": "B", "on_hand": 4.0, "reserved": 6.0, "age_days": 400.0},
            {"sku": "C", "on_hand": 9.0, "age_days": 200.0},
        ),
        s=Stock(),
    )
    found = {r["alert_id"]: r for r in result.tables["alerts"].iter_rows(named=True)}
    assert {k: (r["severity"], r["money"]) for k, r in found.items()} == {
        "stock_negative:A@W1": ("high", 15.0),
        "stock_oversold:B@W1": ("warn", 10.0),
        "stock_aged:B@W1": ("warn", 20.0),
        "stock_aged:C@W1": ("info", 45.0),
    }
    assert [(f.finding_id, f.severity, f.money) for f in result.findings if f.severity == "high"] == [
        ("stock_negative:A@W1", "high", 15.0)
    ]
    assert "CNY 15 of stock missing or under 0" in result.money
    ages = {r["band"]: (r["units"], r["value"]) for r in result.tables["stock_ageing"].iter_rows(named=True)}
    assert ages == {"366+": (4.0, 20.0), "181-270": (9.0, 45.0)}
    assert sum("without --" in n for n in result.notes) == 3
    assert "stock_balance" not in result.tables


def test_missing_stock_and_a_lost_row():
    sales = table("sales", sold("A", [1.0] * 100, until=NOW) + sold("B", [1.0] * 100, until=NOW))
    before = earlier({}, {"sku": "B"})
    result = monitor(shelves({"on_hand": 10.0}), sales=sales, receipts=receipts(), previous_inventory=before, s=Stock())
    missing = {r["sku"]: r for r in of(result, "stock_missing").iter_rows(named=True)}
    assert (missing["A"]["severity"], missing["A"]["money"], missing["A"]["expected"]) == ("high", 50.0, 20.0)
    assert missing["B"]["reason_code"] == "alert_stock_row_missing"
    assert result.metrics["pieces_missing"] == 30.0
    assert "10 pieces are missing: 50 earlier" in missing["A"]["reason"]


def test_dead_stock_is_not_told_as_aged_too():
    sales = table("sales", sold("B", [1.0] * 100, until=NOW) + sold("A", [1.0] * 5, until=day(25)))
    rows = shelves({"on_hand": 8.0, "age_days": 300.0}, {"sku": "B", "on_hand": 99.0, "age_days": 300.0})
    result = monitor(rows, sales=sales, s=Stock())
    assert one(result, "stock_dead")["observed"] == 95
    assert of(result, "stock_aged")["sku"].to_list() == ["B"]
    short = monitor(rows, sales=sales.filter(pl.col("date") > day(60)), s=Stock())
    assert of(short, "stock_dead").is_empty()
    assert any("too late to call stock dead" in n for n in short.notes)


def test_running_out_and_overdue_inbound():
    sales = table("sales", sold("A", [2.0] * 60, until=NOW) + sold("B", [2.0] * 60, until=NOW))
    rows = shelves({"on_hand": 0.0}, {"sku": "B", "on_hand": 30.0})
    coming = table(
        "inbound",
        [{"sku": "A", "warehouse": "W1", "qty": 40.0, "arrival_date": day(115)}, {"sku": "B", "warehouse": "W1", "qty": 4.0, "arrival_date": day(110)},
         {"sku": "B", "warehouse": "W1", "qty": 4.0, "arrival_date": day(111), "status": "已到货"}],
    )  # fmt: skip
    terms = policy({"lead_time_days": 20.0, "shortage_cost": 3.0})
    result = monitor(rows, sales=sales, inbound=coming, policies=terms, s=Stock())
    empty, low = one(result, "out_of_stock"), one(result, "cover_low")
    assert (empty["sku"], empty["severity"], empty["money"]) == ("A", "high", 120.0)
    assert (low["sku"], low["observed"], low["expected"], low["money"]) == ("B", 15.0, 20.0, 30.0)
    late = {
        r["sku"]: (r["severity"], r["observed"], r["money"])
        for r in of(result, "inbound_overdue").iter_rows(named=True)
    }
    assert late == {"A": ("high", 5.0, 200.0), "B": ("warn", 10.0, 20.0)}
    patient = monitor(rows, sales=sales, inbound=coming, s=Stock(overdue_grace_days=9))
    assert of(patient, "inbound_overdue")["sku"].to_list() == ["B"]


def test_sales_without_warehouse_are_placed_where_the_sku_lies_alone():
    sales = table(
        "sales", sold("A", [1.0] * 60, until=NOW, warehouse=None) + sold("B", [1.0] * 60, until=NOW, warehouse=None)
    )
    rows = shelves({"on_hand": 5.0}, {"sku": "B", "on_hand": 5.0}, {"sku": "B", "warehouse": "W2", "on_hand": 5.0})
    result = monitor(rows, sales=sales, s=Stock())
    assert of(result, "cover_low")["sku"].to_list() == ["A"]
    assert any("sales of 1 SKU without a warehouse" in n for n in result.notes)


def test_costs_come_from_the_item_master_first_and_currencies_are_not_mixed():
    master = table("products", [{"sku": "A", "unit_cost": 2.0, "currency": "USD"}])
    with pytest.raises(UsageFault, match="CNY, USD"):
        monitor(shelves({"on_hand": -1.0}, {"sku": "B", "on_hand": -1.0}), products=master, s=Stock())
    rates = table("rates", [{"date": NOW, "base": "USD", "quote": "CNY", "rate": 7}])
    result = monitor(
        shelves({"on_hand": -1.0}, {"sku": "B", "on_hand": -1.0}),
        products=master,
        rates=rates,
        s=Stock(home_currency="CNY"),
    )
    assert of(result, "stock_negative").sort("sku")["money"].to_list() == [14.0, 5.0]
    bare = monitor(shelves({"on_hand": -1.0}, unit_cost=None, currency=None), s=Stock())
    assert "no unit costs" in bare.money and one(bare, "stock_negative")["money"] is None


def test_the_day_must_be_known_and_not_lie_before_the_count():
    with pytest.raises(InputRejected, match="no snapshot_date"):
        monitor(shelves({}, snapshot_date=None), s=Stock())
    with pytest.raises(InputRejected, match="after --as-of"):
        monitor(shelves({}), s=Stock(as_of=day(119)))


def test_later_sales_change_nothing():
    sales = sold("A", [2.0] * 100, until=NOW)
    later = sales + [
        {"sku": "A", "market": "DE", "warehouse": "W1", "date": day(121 + i), "units": 50.0} for i in range(5)
    ]
    kept = [
        monitor(
            shelves({"on_hand": 20.0}),
            sales=table("sales", rows),
            previous_inventory=earlier({}),
            receipts=receipts(),
            s=Stock(),
        )
        for rows in (sales, later)
    ]
    for name in ("alerts", "stock_balance", "stock_ageing"):
        assert kept[0].tables[name].equals(kept[1].tables[name])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-5, 60), st.integers(0, 20), st.integers(0, 500), st.integers(0, 5)),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_outputs_keep_their_contracts(rows, chinese):
    held = [
        {"sku": f"S{i}", "on_hand": float(n), "reserved": float(r), "age_days": float(a)}
        for i, (n, r, a, _) in enumerate(rows)
    ]
    sales = [r for i, (_, _, _, u) in enumerate(rows) for r in sold(f"S{i}", [u] * (40 + i), until=NOW)]
    result = monitor(
        shelves(*held), sales=table("sales", sales), receipts=receipts(), previous_inventory=earlier(*held), s=Stock(language="zh" if chinese else "en")
    )  # fmt: skip
    for name, frame in result.tables.items():
        assert check.conform(tables.get(name), frame).height == frame.height
    told = result.tables["alerts"]
    assert not told["reason"].str.contains("[{}]").any()
    assert {f.rule for f in result.findings} == set(told["rule"])
    again = monitor(
        shelves(*reversed(held)),
        sales=table("sales", sales[::-1]),
        receipts=receipts(),
        previous_inventory=earlier(*held),
        s=Stock(),
    )
    assert again.tables["alerts"]["alert_id"].to_list() == told["alert_id"].to_list()


@pytest.fixture(scope="module")
def company():
    made = sampled.made()

    def typed(name: str) -> pl.DataFrame:
        frame = made[name]
        missing = [c for c in tables.get(name).columns if c.name not in frame.columns]
        return frame.with_columns(pl.lit(c.default).cast(dtype(c)).alias(c.name) for c in missing)

    names = ("inventory", "sales", "inbound", "receipts", "previous_inventory", "policies", "products", "rates")
    return monitor(**{n: typed(n) for n in names}, s=Stock(home_currency="CNY")), sample.truths()


def entities(result, rule):
    return set(of(result, rule)["entity"])


def test_what_is_planted_in_the_sample_company_is_told(company):
    result, truths = company
    missing = {f"{r['sku']}@{r['warehouse']}" for r in truths["stock_missing"]}
    assert entities(result, "stock_missing") == missing
    assert entities(result, "stock_elsewhere") == {truths["stock_elsewhere"]["sku"]}
    assert entities(result, "stock_negative_before") == {truths["stock_negative_before"]}
    assert of(result, "stock_surplus").is_empty()
    assert entities(result, "out_of_stock") == set(truths["out_of_stock"])
    assert set(truths["running_out"]) <= entities(result, "cover_low")
    assert not set(truths["covered_by_inbound"]) & entities(result, "cover_low")
    assert set(truths["dead_stock"]) <= entities(result, "stock_dead")
    assert set(truths["overstock"]) <= entities(result, "stock_aged")
    late = {f"{r['sku']}@{r['warehouse']} due {r['arrival_date']}" for r in truths["late_inbound"]}
    assert entities(result, "inbound_overdue") == late
    assert of(result, "sales_dropped").is_empty()


CSV = {
    "now.csv": "货号,仓库,库存,快照日期\n007,DE,-4,2026-03-31\n008,DE,50,2026-03-31\n",
    "sales.csv": "日期,货号,仓库,数量\n2026-03-30,008,DE,3\n",
}


def test_on_the_command_line(cbec, tmp_path):
    for name, text in CSV.items():
        (tmp_path / name).write_text(text, "utf-8")
    words = (
        "monitor",
        "stock",
        "--inventory",
        "now.csv",
        "--sales",
        "sales.csv",
        "-o",
        "alerts.csv",
        "--report",
        "report",
        "--fail-on",
    )
    done = cbec(*words, "high")
    assert done.returncode == 1, done.stderr
    alerts = pl.read_csv(tmp_path / "alerts.csv", infer_schema=False)
    assert alerts.select("alert_id", "severity", "observed").row(0) == ("stock_negative:007@DE", "high", "-4.0")
    assert "a receipt is not booked" in (tmp_path / "report" / "report.md").read_text("utf-8")
    (tmp_path / "now.csv").write_text(CSV["now.csv"].replace("-4", "4"), "utf-8")
    assert cbec(*words, "high").returncode == 0
