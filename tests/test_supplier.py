"""`supplier score` as a whole: what is said of whom, money, ranks, and what must always hold."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.stockroom import policy
from support.supply import day, history, orders, receipts

from cbec import tables
from cbec.core import check, reasons
from cbec.supplier import Score, score

FAIR = [0, -1, 0, 2, 0, -2, 0, 0, -1, 0, 3, 0, -1, 0, 0, 0, 0, -3, 0, 0]


def run(*parts, more=(), s=None, **tables_given):
    made = [r for part in parts for r in part[0]] + list(more)
    came = [r for part in parts for r in part[1]]
    return score(receipts(*came), orders(*made), s=s or Score(as_of=day(200)), **tables_given)


def row(result, supplier):
    return result.tables["supplier_score"].row(by_predicate=pl.col("supplier_id") == supplier, named=True)


def rules(result):
    return {(f.rule, f.entity): f for f in result.findings}


def test_shares_and_days():
    found = row(run(history("S", FAIR)), "S")
    assert (found["orders"], found["lines"], found["due"], found["open"], found["overdue"]) == (20, 20, 20, 0, 0)
    assert found["otif"] == found["on_time"] == 0.9
    assert found["in_full"] == 1.0
    assert (round(found["otif_low"], 4), round(found["otif_high"], 4)) == (0.699, 0.9721)  # Wilson 18 of 20
    assert found["late_days"] == 2.5
    assert found["early_days"] == pytest.approx(8 / 5)
    assert found["lead_time_days"] == pytest.approx(10 + sum(FAIR) / 20)
    assert found["reason_code"] == "supplier_fair"


def test_open_orders_are_never_on_time():
    waiting = [
        {"po_id": f"W{i}", "supplier_id": "S", "order_date": day(195), "promised_date": day(260)} for i in range(9)
    ]
    found = row(run(history("S", FAIR), more=waiting), "S")
    assert (found["due"], found["open"], found["otif"]) == (20, 9, 0.9)
    overdue = row(run(history("S", FAIR), more=[r | {"promised_date": day(199)} for r in waiting]), "S")
    assert (overdue["due"], overdue["overdue"]) == (29, 9)
    assert overdue["otif"] == pytest.approx(18 / 29)


def test_each_kind_of_failure_is_named():
    fine = history("FINE", [0] * 60, every=3)
    late = history("LATE", [0, 6] * 15, every=6)
    worse = history("WORSE", [0] * 14 + [9] * 14)
    short = history("SHORT", [0] * 28, status="closed")
    for i, r in enumerate(short[1]):
        r["qty"] = 10.0 if i % 2 else 6.0
    faulty = history("FAULTY", [0] * 28)
    for r in faulty[1]:
        r["rejected"] = 1.0
    dear = history("DEAR", [0] * 28, currency="CNY")
    for i, r in enumerate(dear[0]):
        r["price"] = 10.0 if i < 14 else 11.0
    few = history("FEW", [0, 0, 5])
    promised_anew = history("ANEW", [5] * 27, revised_date=day(200))
    result = run(fine, late, worse, short, faulty, dear, few, promised_anew)
    codes = dict(result.tables["supplier_score"].select("supplier_id", "reason_code").iter_rows())
    assert codes == {
        "FINE": "supplier_excellent", "LATE": "supplier_late", "WORSE": "supplier_worse", "SHORT": "supplier_short",
        "FAULTY": "supplier_defects", "DEAR": "supplier_price", "FEW": "supplier_few_orders", "ANEW": "supplier_late",
    }  # fmt: skip
    found = rules(result)
    assert found["supplier_worse", "WORSE"].severity == "high"
    assert "100 % by the last" in found["dates_moved", "ANEW"].message
    assert not [entity for _, entity in found if entity in ("FINE", "FEW")]
    told = reasons.render(result.tables["supplier_score"], "zh")["reason"]
    assert told.str.contains(r"[\u4e00-\u9fff]").all() and not told.str.contains("{", literal=True).any()


def test_money_is_told_where_policies_tell_it():
    bad = history("BAD", [0, 4] * 14, status="closed", price=10.0, currency="CNY")
    for i, r in enumerate(bad[1]):
        r["qty"] = 10.0 if i % 4 else 5.0
    good = history("GOOD", [0, -1] * 14, price=10.0, currency="CNY")
    given_policies = policy({"shortage_cost": 3.0, "holding_rate": 0.365, "service_level": 0.95})
    s = Score(as_of=day(200), late_cost_pct=1.0)
    result = run(bad, good, policies=given_policies, s=s)
    found = row(result, "BAD")
    assert found["short_cost"] == pytest.approx(7 * 5 * 3.0)
    # 14 lines were 4 days late, none of them short: 10 x 10 x 1 % x 4 days.
    assert found["late_cost"] == pytest.approx(14 * 4.0)
    assert row(result, "GOOD")["early_cost"] == pytest.approx(14 * 100 * 0.001)
    # z(0.95) x sd x value x holding rate / 365
    expected = 1.6448536 * found["lead_time_sd_days"] * 2800 * 0.001
    assert found["buffer_cost"] == pytest.approx(expected)
    assert found["price_cost"] == 0 and found["defect_cost"] is None
    assert found["cost"] == pytest.approx(
        sum(found[p] or 0 for p in ("late_cost", "short_cost", "early_cost", "buffer_cost"))
    )
    # Told in words: nobody saves it by looking at a score.
    total = found["cost"] + row(result, "GOOD")["cost"]
    assert f"cost {total:,.0f} " in result.money
    assert "room to negotiate, not a saving" in result.money


def test_without_costs_the_reason_is_told():
    assert "no prices" in run(history("S", FAIR)).money
    assert "--policies" in run(history("S", FAIR, price=2.0, currency="CNY")).money


def test_policies_update_only_with_policies():
    assert "policies_update" not in run(history("S", FAIR)).tables
    result = run(history("S", FAIR), policies=policy({"lead_time_days": 30.0}))
    assert result.tables["policies_update"].height == 2
    assert ("policy_lead_time_off", "S") in rules(result)


def test_odd_rows_are_told():
    strange = ([], [{"po_id": "nobody"}, {"po_id": "S-000", "receipt_id": "x", "receipt_date": day(-3), "qty": 10.0}])
    found = rules(run(history("S", FAIR), strange))
    assert ("receipts_without_order", "receipts") in found
    assert ("received_before_ordered", "receipts") in found


def test_without_a_promise_nobody_is_ranked():
    result = run(history("S", FAIR, promised_date=None))
    found = row(result, "S")
    assert (found["rank"], found["score"], found["reason_code"]) == (None, None, "supplier_nothing_due")
    assert found["lead_time_days"] > 0
    assert any("carry no promise" in n for n in result.notes)


def many(seed: int, count: int):
    r = random.Random(seed)
    return [
        history(f"S{i}", [r.randint(-3, r.choice((0, 2, 9))) for _ in range(r.randint(1, 20))]) for i in range(count)
    ]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
@example(493, 6)
def test_what_always_holds(seed, count):
    result = run(*many(seed, count))
    table = result.tables["supplier_score"]
    for name, frame in result.tables.items():
        shaped = reasons.render(frame) if name == "supplier_score" else frame
        assert check.conform(tables.get(name), shaped).height == frame.height
    assert (table["rank_best"] <= table["rank"]).all() and (table["rank"] <= table["rank_worst"]).all()
    assert (table["otif_low"] <= table["otif"] + 1e-9).all() and (table["otif"] <= table["otif_high"] + 1e-9).all()
    assert table["rank"].is_null().equals(table["due"] < 8)
    order = table.drop_nulls("rank").sort("rank")["score"].round(9)  # equal but for rounding share a rank
    assert order.to_list() == sorted(order.to_list(), reverse=True)
    assert not order.len() or table["rank"].min() == 1


def test_ranks_do_not_depend_on_the_order_of_rows_and_weights_move_them():
    parts = many(4, 5)
    result = run(*parts)
    shuffled = [(random.Random(1).sample(o, len(o)), random.Random(2).sample(c, len(c))) for o, c in reversed(parts)]
    again = run(*shuffled)
    for name, frame in result.tables.items():
        contract = tables.get(name)
        wanted = [c for c in contract.names if c in frame.columns]
        assert_frame_equal(
            frame.select(wanted).sort(contract.key), again.tables[name].select(wanted).sort(contract.key)
        )
    still = run(*parts, s=Score(as_of=day(200), weight_band=0.0)).tables["supplier_score"]
    assert (still["rank_best"] == still["rank_worst"]).all()


def test_a_supplier_more_moves_no_score_of_the_others():
    """Scales are fixed: only the mean that few lines are drawn to may move a little."""
    parts = [history("A", FAIR * 4, every=2), history("B", ([0] * 9 + [4]) * 8, every=2)]
    before = run(*parts).tables["supplier_score"]
    after = run(*parts, history("C", [9] * 80, every=2)).tables["supplier_score"]
    for name in ("A", "B"):
        one, other = (t.row(by_predicate=pl.col("supplier_id") == name, named=True) for t in (before, after))
        assert other["score"] == pytest.approx(one["score"], abs=2.5)
        assert other["score_lead_time"] == pytest.approx(one["score_lead_time"], abs=1)


def test_lead_times_that_follow_the_wish_change_no_policy():
    made, came = [], []
    for i, wait in enumerate([10, 80, 30, 100, 50, 20, 90, 60, 40, 70]):
        made.append({"po_id": f"P{i}", "order_date": day(i), "promised_date": day(i + wait)})
        came.append({"po_id": f"P{i}", "receipt_date": day(i + wait + i % 2)})
    result = run((made, came), policies=policy({"lead_time_days": 10.0}))
    assert result.tables["lead_times"]["basis"].to_list() == ["as_asked"]
    assert result.tables["policies_update"]["lead_time_days"].to_list() == [10.0]
    assert ("lead_time_as_asked", "lead times") in rules(result)
    assert ("policy_lead_time_off", "S") not in rules(result)
    found = row(result, "S")
    assert found["lead_time_sd_days"] > 25 and found["promise_sd_days"] < 1
    assert found["score_lead_time"] > 95  # nothing was uncertain about it


CSV = {
    "po.csv": "采购单号,供应商,货号,下单日期,承诺交期,数量,采购单价,币种\nP1,厂A,007,2026-01-05,2026-02-04,10,8.5,CNY\nP2,厂A,007,2026-01-12,2026-02-11,10,8.5,CNY\n",
    "gr.csv": "采购单号,收货日期,收货数量\nP1,2026-02-03,10\nP2,2026-02-20,10\n",
    "policies.csv": "lead_time_days,moq\n30,5\n",
}


def test_on_the_command_line(cbec, tmp_path):
    for name, text in CSV.items():
        (tmp_path / name).write_text(text, "utf-8")
    done = cbec(
        "supplier", "score", "--purchase-orders", "po.csv", "--receipts", "gr.csv", "--policies", "policies.csv", "--min-orders", 2,
        "-o", "score.csv", "--write-lead-times", "lt.csv", "--write-policies-update", "new.csv", "--report", "report",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "as of 2026-02-20, the latest receipt_date of receipts" in done.stderr
    scored = pl.read_csv(tmp_path / "score.csv", infer_schema=False)
    assert scored.select("supplier_id", "rank", "lines", "otif").row(0) == ("厂A", "1", "2", "0.5")
    assert pl.read_csv(tmp_path / "new.csv").filter(pl.col("supplier_id") == "厂A")["lead_time_days"].to_list() == [
        34.0
    ]
    assert "厂A" in (tmp_path / "report" / "report.html").read_text("utf-8")
    checked = cbec("check", "policies", "new.csv")
    assert checked.returncode == 0, checked.stderr
