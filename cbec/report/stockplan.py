"""Parts of the pages of orders and of their record: what service costs, what limits cut, what a replay of the stock says."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import money, number, of, percent
from cbec.report.page import Figure
from cbec.report.series import NAIVE, SELLER, WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Page, View


def curve(page: Page, view: View) -> None:
    """Cost of each service level, if all items were ordered up to it."""
    frame = view.table("stock_curve", "service_level", "holding", "shortage", "cost")
    if frame is None or not frame.height or not frame["cost"].sum():
        return
    frame = frame.sort("service_level")
    currency = frame["currency"][0] if "currency" in frame.columns else None
    placing = (frame["cost"] - frame["holding"] - frame["shortage"]).clip(lower_bound=0.0)
    labels = [f"{100 * p:g} %" for p in frame["service_level"]]
    stacks = {
        "holding": frame["holding"].to_list(),
        "placing orders": placing.to_list(),
        "shortage": frame["shortage"].to_list(),
    }
    best = frame.sort("cost", "service_level").row(0, named=True)
    page.section("What service costs")
    drawn = svg.bars(
        "Expected cost by service level", labels, stacks, write=partial(money, currency=currency),
        texts=[money(c, currency) for c in frame["cost"]], axis="expected cost over lead time + review of all items with known costs",
    )  # fmt: skip
    page.chart(
        drawn,
        "All items at one service level: what that would be expected to cost",
        f"Least at {100 * best['service_level']:g} %. What is short before an order of today can arrive is in every bar.",
    )
    page.table(
        frame, "", contract="stock_curve", formats={"service_level": "percent", "holding": "money", "shortage": "money", "cost": "money"},
        columns=["service_level", "safety_stock_value", "order_value", "expected_short", "holding", "shortage", "cost", "currency"],
    )  # fmt: skip


def limits(page: Page, view: View, plan: pl.DataFrame, names: Sequence[str]) -> None:
    """Orders that the budget or containers cut or filled up, and the containers."""
    if "wanted_qty" not in plan.columns:
        return
    gap = pl.col("wanted_qty") - pl.col("order_qty")
    changed = plan.drop_nulls("wanted_qty").filter(gap.abs() > 1e-9).with_columns(gap.alias("_gap"))
    loads = view.table("order_loads", "warehouse", "container", "count")
    if not changed.height and (loads is None or not loads.height):
        return
    page.section(
        "Within the limits",
        "Budget and containers are given to the orders whose lack would cost most, shortage counted at what the service level implies.",
    )
    cut, filled = changed.filter(pl.col("_gap") > 0), changed.filter(pl.col("_gap") < 0)
    metrics = view.summary.get("metrics", {})
    page.figures(
        [
            Figure("Orders cut", number(cut.height), f"{number(round(float(cut['_gap'].sum())))} units less"),
            Figure(
                "Orders filled up", number(filled.height), f"{number(round(float(-filled['_gap'].sum())))} units more"
            ),
            _freight(loads, metrics),
            Figure("Program", str(metrics.get("limits_status", "")), _gap(metrics.get("limits_gap"))),
        ]
    )
    if loads is not None and loads.height:
        page.table(
            loads,
            "Containers",
            contract="order_loads",
            formats={"fill_kg": "percent", "fill_m3": "percent", "cost": "money"},
        )
    page.table(
        cut.sort(["_gap", *names], descending=[True, *[False] * len(names)]),
        "Cut most",
        columns=[*names, "wanted_qty", "order_qty", "p_stockout", "cost", "runner_up", "runner_up_cost", "reason"],
        contract="replenishment",
        formats=WORDS | {"p_stockout": "percent", "cost": "money", "runner_up_cost": "money"},
    )


def _freight(loads: pl.DataFrame | None, metrics: dict[str, Any]) -> Figure | None:
    if loads is None or not loads.height:
        return None
    currency = loads["currency"][0] if "currency" in loads.columns else None
    empty, theirs = metrics.get("container_cost_empty"), metrics.get("container_cost_seller_formula")
    beside = "" if theirs is None else f"; {money(theirs, currency)} by the seller formula"
    return Figure(
        "Containers", money(metrics.get("container_cost"), currency), f"{money(empty, currency)} for empty room{beside}"
    )


def _gap(gap: Any) -> str:
    return (
        ""
        if not isinstance(gap, (int, float))
        else f"no plan is more than {percent(gap, 3)} cheaper"
        if gap > 1e-6
        else "no plan is cheaper"
    )


def record(page: Page, view: View, rows: dict[str, dict[str, Any]]) -> None:
    """What orders by each method would have cost, and what a factor in the critical ratio does."""
    known = {m: r["decision_cost"] for m, r in rows.items() if r.get("decision_cost") is not None}
    if not known:
        return
    page.section(
        "What the orders would have cost",
        "Stock replayed from each past origin with the policies' lead times, reviews and targets: holding and shortage.",
    )
    ranked = sorted(known, key=lambda m: (known[m], m))
    simple = [m in (*NAIVE, *SELLER) for m in ranked]
    tones = ["green" if m == "cbec" else "grey" if s else "blue" for m, s in zip(ranked, simple, strict=True)]
    drawn = svg.bars(
        "Decision cost by method", [f"{m} (chosen)" if m == "cbec" else m.replace("_", " ") for m in ranked], {"cost": [known[m] for m in ranked]},
        tones=tones, hatched=simple, write=partial(money, currency=view.currency), axis="holding + shortage per series and origin, on the average",
    )  # fmt: skip
    page.chart(
        drawn,
        "Cost of the orders by method",
        "Shorter is better. cbec orders by its distribution, the others hold the textbook's safety stock (z x sd x root of the periods).",
    )
    frame = view.table("stock_record", "origin", "ratio_factor", "cost")
    if frame is None or not frame.height:
        return
    whole = frame.filter(pl.col("origin") == "all").sort("ratio_factor")
    best = whole.sort("cost").row(0, named=True)
    drawn = svg.bars(
        "Cost by factor in the critical ratio", [f"x {f:g}" for f in whole["ratio_factor"]],
        {"holding": whole["holding"].to_list(), "shortage": whole["shortage"].to_list()}, write=partial(money, currency=view.currency),
        texts=[f"{money(c, view.currency)} at {percent(p)}" for c, p in zip(whole["cost"], whole["service_level"], strict=True)],
        axis="holding + shortage over all origins; at = the mean service level",
    )  # fmt: skip
    page.chart(
        drawn,
        "Factor in the critical ratio: what its orders would have cost",
        "Critical ratio: cost of a unit short over that and the cost of a unit too many, the service level that pays; x 2: a unit short counts twice. "
        f"x {best['ratio_factor']:g} costs least over {of(frame['origin'].n_unique() - 1, 'origin')}; the table says what earlier origins alone would have chosen.",
    )
    page.table(
        frame.filter(pl.col("verdict") != ""), "Chosen on earlier origins only, and best afterwards", contract="stock_record",
        formats={"service_level": "percent", "holding": "money", "shortage": "money", "cost": "money"},
    )  # fmt: skip
