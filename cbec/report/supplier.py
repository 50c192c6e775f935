"""The page of supplier score: what failings cost, who kept its word, and the lead times to plan with."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import figure, money, number, of, percent
from cbec.report.page import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Format, Page, View

_MOST = 25
_PARTS = {
    "short_cost": "never delivered",
    "late_cost": "late",
    "defect_cost": "rejected",
    "buffer_cost": "safety stock for unsteady lead times",
    "early_cost": "early",
    "price_cost": "prices above the first half's",
}
_RANKED = (
    "rank", "rank_best", "rank_worst", "supplier_id", "name", "score", "otif", "otif_low", "otif_high", "trend", "due", "overdue", "spend", "cost", "currency", "reason",
)  # fmt: skip
_TIMES = (
    "supplier_id", "orders", "lines", "due", "open", "overdue", "otif", "otif_revised", "revised", "on_time", "in_full", "units_on_time", "late_days", "early_days",
    "lead_time_days", "lead_time_sd_days", "lead_time_cv", "lead_time_p90_days", "promise_sd_days",
)  # fmt: skip
_GOODS = (
    "supplier_id", "inspected", "defect_ppm", "defect_ppm_high", "price_spread_pct", "price_drift_pct", "score_otif", "score_lead_time", "score_quality", "score_price",
    "flags",
)  # fmt: skip
_SHARES = (
    "otif", "otif_low", "otif_high", "otif_revised", "revised", "on_time", "in_full", "units_on_time", "otif_first", "otif_last",
)  # fmt: skip
_FORMATS: dict[str, Format] = {**dict.fromkeys(_SHARES, "percent"), "spend": "money", "cost": "money"}
_LABELS = {
    "otif_low": "at least",
    "otif_high": "at most",
    "revised": "dates moved",
    "otif_revised": "OTIF by revised dates",
    "otif": "OTIF",
}


def score(page: Page, view: View) -> None:
    """Ranks with their doubt, OTIF with its interval and its change, lead times against the policies, cost by kind."""
    table = view.table("supplier_score", "supplier_id", "rank", "score", "otif", "reason")
    page.section("At a glance")
    if table is None:
        page.text("No supplier was judged.")
        return
    page.figures(_tiles(view, table))
    table = table.sort("rank", "supplier_id", nulls_last=True)
    _kept(page, view, table)
    _costs(page, table)
    _leads(page, view)
    page.section("Suppliers by rank")
    page.table(
        table, "", columns=_RANKED, labels=_LABELS | {"rank_best": "best", "rank_worst": "worst"}, formats=_FORMATS, contract="supplier_score",
        note="best, worst: the ranks it can take while every weight moves within its band.",
    )  # fmt: skip
    page.section("Every figure")
    for title, columns in (("Orders and time", _TIMES), ("Goods, prices, scores", _GOODS)):
        page.table(
            table.sort("supplier_id"),
            title,
            columns=columns,
            labels=_LABELS,
            formats=_FORMATS,
            contract="supplier_score",
        )


def _tiles(view: View, table: pl.DataFrame) -> list[Figure | None]:
    due, overdue = view.metric("lines_due"), view.metric("lines_overdue")
    target, otif = view.metric("target_otif"), view.metric("otif")
    worse = table.filter(pl.col("trend") == "worse")["supplier_id"].to_list() if "trend" in table.columns else []
    ppm = view.metric("defect_ppm")
    tone = "" if otif is None or target is None else "good" if otif >= target else "bad"
    return [
        Figure("Suppliers", number(table.height), f"{of(int(due or 0), 'line')} judged"),
        Figure("On time and in full", percent(otif), f"of the due lines; target {percent(target, 0)}", tone),
        Figure("On time", percent(view.metric("on_time"))),
        Figure("In full", percent(view.metric("in_full"))),
        Figure("Overdue lines", number(overdue), "still awaited" if overdue else "nothing is", "bad" if overdue else "good"),
        None if ppm is None else Figure("Defects", f"{number(ppm, 0)} ppm", "of the inspected pieces"),
        Figure("Getting worse", number(len(worse)), ", ".join(worse[:4]) or "nobody beyond chance", "bad" if worse else "good"),
    ]  # fmt: skip


def _kept(page: Page, view: View, table: pl.DataFrame) -> None:
    judged = table.filter(pl.col("otif").is_not_null() & pl.col("rank").is_not_null()).head(_MOST)
    if not judged.height:
        return
    page.section("Who kept its word")
    rows = list(judged.iter_rows(named=True))
    names = [_name(r) for r in rows]
    target = view.metric("target_otif")
    drawn = svg.bars(
        "On time and in full", names, {"on time and in full": [r["otif"] for r in rows]}, write=percent,
        texts=[f"{percent(r['otif'], 0)} ({percent(r['otif_low'], 0)} to {percent(r['otif_high'], 0)})" for r in rows],
        tones=["orange" if _misses(r, target) else "blue" for r in rows], hatched=[int(_misses(r, target)) for r in rows],
        ticks=("first half of the window", [r.get("otif_first") for r in rows]),
        reference=None if target is None else (target, f"target {percent(target, 0)}"), axis="share of due lines",
    )  # fmt: skip
    few = f" The first {len(rows)} of {table.height}." if table.height > len(rows) else ""
    page.chart(
        drawn, "Due lines on time and in full, best rank first",
        f"In brackets the interval; hatched: even its upper end misses the target.{few}",
    )  # fmt: skip
    drawn = svg.bars(
        "Score", names, {"score": [r["score"] for r in rows]}, write=partial(number, digits=1), texts=[_rank(r) for r in rows], axis="0 to 100",
    )  # fmt: skip
    page.chart(drawn, "Score and rank", "In brackets the ranks that other weights, within their band, would give.")


def _misses(row: dict[str, Any], target: float | None) -> bool:
    high = figure(row.get("otif_high"))
    return target is not None and high is not None and high < target


def _rank(row: dict[str, Any]) -> str:
    best, worst = row.get("rank_best"), row.get("rank_worst")
    doubt = "" if best == worst else f" ({best} to {worst})"
    return f"{number(row['score'], 1)} · rank {row['rank']}{doubt}"


def _name(row: dict[str, Any]) -> str:
    return f"{row['supplier_id']} {row['name']}" if row.get("name") else str(row["supplier_id"])


def _costs(page: Page, table: pl.DataFrame) -> None:
    parts = [p for p in _PARTS if p in table.columns and table[p].is_not_null().any()]
    if not parts or table["cost"].null_count() == table.height:
        return
    top = table.filter(pl.col("cost") > 0).sort(["cost", "supplier_id"], descending=[True, False]).head(_MOST)
    if not top.height:
        return
    currency = top["currency"][0]
    # What is below the first half's prices is no cost; the total beside the bar has it taken off.
    stacks = {_PARTS[p]: [max(figure(v) or 0.0, 0.0) for v in top[p].to_list()] for p in parts}
    stacks = {k: v for k, v in stacks.items() if any(v)}
    if not stacks:
        return
    page.section("What failings cost")
    drawn = svg.bars(
        "Cost of failings", [_name(r) for r in top.iter_rows(named=True)], stacks, write=partial(money, currency=currency),
        texts=[_share(c, s, currency) for c, s in top.select("cost", "spend").iter_rows()], axis=f"{currency}",
    )  # fmt: skip
    page.chart(
        drawn,
        "Cost by kind",
        "In brackets the share of what was bought of the supplier. A piece that never came is priced as one short.",
    )


def _share(cost: float, spend: float | None, currency: str) -> str:
    return money(cost, currency) + (f" ({percent(cost / spend)})" if spend else "")


def _leads(page: Page, view: View) -> None:
    table = view.table("lead_times", "supplier_id", "lead_time_days", "lead_time_sd_days", "n")
    if table is None:
        return
    page.section("Lead times", "From order to receipt in full; what is awaited counts for as long as it has lasted.")
    shown = _compared(table)
    rows = list(shown.head(_MOST).iter_rows(named=True))
    key = next((k for k in ("policy_days", "agreed_days") if any(r.get(k) is not None for r in rows)), None)
    if rows:
        drawn = svg.bars(
            "Lead times", [_place(r) for r in rows], {"measured": [r["lead_time_days"] for r in rows]}, write=partial(number, digits=1),
            texts=[f"{number(r['lead_time_days'], 1)} ± {number(r['lead_time_sd_days'], 1)}" for r in rows],
            ticks=None if key is None else ("the policy's" if key == "policy_days" else "agreed", [r.get(key) for r in rows]), axis="days",
        )  # fmt: skip
        told = " The furthest from the policy first." if key == "policy_days" else ""
        page.chart(
            drawn, "Measured lead time (mean ± standard deviation)", f"{of(len(rows), 'row')} of {table.height}.{told}"
        )
    columns: Sequence[str] = [
        "supplier_id", "warehouse", "lead_time_days", "lead_time_sd_days", "p90_days", "measured_days", "policy_days", "agreed_days", "promise_sd_days", "n", "awaited", "basis",
    ]  # fmt: skip
    page.table(
        table, "", columns=columns, contract="lead_times",
        note="policies_update carries them to forecast replenish where enough lines tell them." if view.table("policies_update") is not None else "",
    )  # fmt: skip


def _compared(table: pl.DataFrame) -> pl.DataFrame:
    """Rows by how far the policy is off; rows of single warehouses where there are any."""
    if "warehouse" in table.columns and table["warehouse"].is_not_null().any():
        table = table.filter(pl.col("warehouse").is_not_null())
    off = (pl.col("lead_time_days") - pl.col("policy_days")).abs() if "policy_days" in table.columns else pl.lit(0.0)
    keys = ["supplier_id", *(["warehouse"] if "warehouse" in table.columns else [])]
    return table.with_columns(_off=off).sort(["_off", *keys], descending=[True, *[False] * len(keys)], nulls_last=True)


def _place(row: dict[str, Any]) -> str:
    return f"{row['supplier_id']} · {row['warehouse']}" if row.get("warehouse") else str(row["supplier_id"])
