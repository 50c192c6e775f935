"""The page of forecast replenish: what to order, what it saves, and the stock that follows."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import stockplan, svg
from cbec.report.format import day, figure, money, number, of, short, short_day
from cbec.report.page import Chart, Figure
from cbec.report.series import WORDS, headed, keys, name, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.report.page import Format, Page, View

_STOCKS = 12
_BARS = 15
_COLUMNS = (
    "order_qty", "order_date", "arrival_date", "stockout_date", "p_stockout", "cost", "runner_up_cost", "currency", "reason",
)  # fmt: skip
_EVERY = (
    "order_qty", "order_date", "arrival_date", "stockout_date", "p_stockout", "position", "reorder_point", "order_up_to", "safety_stock",
    "cost", "currency", "runner_up", "runner_up_cost", "reason_code",
)  # fmt: skip
_LABELS = {
    "p_stockout": "chance of running out",
    "days_short": "days without stock",
    "cost": "cost",
    "runner_up_cost": "runner-up cost",
}
_FORMATS: dict[str, Format] = WORDS | {"p_stockout": "percent", "cost": "money", "runner_up_cost": "money"}


def replenish(page: Page, view: View) -> None:
    """Orders by what they save, the stock of the most urgent items, and what runs out before an order can arrive."""
    plan = view.table("replenishment", "sku", "warehouse", "order_qty")
    page.section("At a glance")
    if plan is None:
        page.text("No item was planned.")
        return
    names = keys(plan)
    orders = plan.filter(pl.col("order_qty") > 0)
    late = _late(plan, names)
    page.figures(_tiles(plan, orders, late))
    _savings(page, plan, names)
    _stocks(page, view, plan, names)
    stockplan.curve(page, view)
    stockplan.limits(page, view, plan, names)
    page.section("Orders to place")
    _items(
        page, _urgent(orders, names), "Gone before the order arrives first, then by expected cost", [*names, *_COLUMNS]
    )
    page.section(
        "Gone before an order can arrive",
        "Their stock ends before the order's arrival: hurry the shipment, move stock, or slow the sale.",
    )
    _items(
        page,
        late,
        "",
        [*names, "stockout_date", "arrival_date", "days_short", "p_stockout", "position", "order_qty", "reason"],
    )
    page.section("Every item")
    _items(page, plan, "", [*names, *_EVERY])


def _items(page: Page, frame: pl.DataFrame, title: str, columns: Sequence[str]) -> None:
    labels, columns = headed(frame, _LABELS, columns)
    page.table(frame, title, columns=columns, contract="replenishment", formats=_FORMATS, labels=labels)


def _saving(row: dict[str, Any], currency: str | None) -> str:
    saved, cost, other = row["_saved"], money(row["cost"], currency), money(row["runner_up_cost"], currency)
    if not saved:
        return f"{cost} either way"
    return f"{cost} instead of {other}: {money(abs(saved), currency)} {'saved' if saved > 0 else 'dearer'}"


def _late(plan: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Items whose shelf is empty before the proposed (or earliest possible) order arrives."""
    if not {"stockout_date", "arrival_date"} <= set(plan.columns):
        return plan.clear()
    short_of = (pl.col("arrival_date") - pl.col("stockout_date")).dt.total_days()
    late = plan.with_columns(short_of.alias("days_short")).filter(pl.col("days_short") > 0)
    return late.sort(["days_short", *names], descending=[True, *[False] * len(names)])


def _urgent(plan: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Orders before items without one; those gone before their order arrives first, and the dearest of them."""
    ranked = plan.with_columns(_idle=pl.col("order_qty") <= 0)
    by = [("_idle", False)]
    if {"stockout_date", "arrival_date"} <= set(plan.columns):
        ranked = ranked.with_columns(_late=(pl.col("arrival_date") > pl.col("stockout_date")).fill_null(False))
        by.append(("_late", True))
    by += [(c, falls) for c, falls in (("cost", True), ("stockout_date", False)) if c in plan.columns]
    columns, falling = zip(*by, *((name, False) for name in names), strict=True)
    return ranked.sort(columns, descending=list(falling), nulls_last=True).select(plan.columns)


def _tiles(plan: pl.DataFrame, orders: pl.DataFrame, late: pl.DataFrame) -> list[Figure | None]:
    units = float(orders["order_qty"].round(2).sum() or 0.0)
    first = orders["order_date"].min() if "order_date" in orders.columns else None
    return [
        Figure("Items planned", number(plan.height)),
        Figure(
            "Orders to place",
            number(orders.height),
            f"{short(round(units))} units together" if orders.height else "stock is enough",
        ),
        None if first is None else Figure("First order", day(first)),
        Figure(
            "Gone before an order can arrive",
            number(late.height),
            f"of {of(plan.height, 'item')}",
            "bad" if late.height else "good",
        ),
    ]


def _savings(page: Page, plan: pl.DataFrame, names: Sequence[str]) -> None:
    """The largest savings against the runner-up, one chart per currency: currencies are never compared by size."""
    if not {"cost", "runner_up_cost"} <= set(plan.columns):
        return
    known = plan.drop_nulls(["cost", "runner_up_cost"]).with_columns(
        (pl.col("runner_up_cost") - pl.col("cost")).round(2).alias("_saved")
    )
    known = known.filter((pl.col("cost") > 0) | (pl.col("runner_up_cost") > 0))
    if not known.height:
        return
    page.section("What the orders save")
    currencies = known["currency"].unique().sort().to_list() if "currency" in known.columns else [None]
    for currency in currencies[:4]:
        part = known.filter(pl.col("currency").eq_missing(pl.lit(currency))) if "currency" in known.columns else known
        top = part.sort(["_saved", *names], descending=[True, *[False] * len(names)]).head(_BARS)
        rows = list(top.iter_rows(named=True))
        drawn = svg.bars(
            "Cost with the order beside the runner-up", [name(r, names) for r in rows], {"cost": [r["cost"] for r in rows]},
            write=partial(money, currency=currency), texts=[_saving(r, currency) for r in rows], ticks=("cost of the runner-up", [r["runner_up_cost"] for r in rows]),
            axis="expected holding, shortage and order cost over lead time + review",
        )  # fmt: skip
        unit = f" in {currency}" if currency else ""
        page.chart(
            drawn,
            f"Expected cost{unit}: the order, and the runner-up",
            f"The {of(len(rows), 'item')} with the largest saving of {part.height:,}.",
        )


def _stocks(page: Page, view: View, plan: pl.DataFrame, names: Sequence[str]) -> None:
    projection = view.table("projection", "sku", "warehouse", "date", "stock_mean")
    if projection is None:
        return
    ranked = _urgent(plan, names)
    ranked = (
        ranked.join(projection.select(names).unique(), on=names, how="semi", nulls_equal=True, maintain_order="left")
        if names
        else ranked
    )
    top = ranked.head(_STOCKS)
    ahead = rows_of(projection, top, names, "date")
    charts: list[Chart] = []
    lines: list[svg.Line] = []
    bands: list[svg.Band] = []
    for item in top.iter_rows(named=True):
        rows = ahead.get(tuple(item[n] for n in names), [])
        rows = rows[: _window(rows, item)]
        lines = [
            svg.Line(
                "expected stock with the order", [(r["date"], r["stock_mean"]) for r in rows], "blue", "", step=True
            ),
            svg.Line(
                "without the order",
                [(r["date"], r.get("stock_without_order")) for r in rows],
                "orange",
                "4 2",
                step=True,
            ),
        ]
        bands = [
            svg.Band(
                "down to demand at its 95 % quantile",
                [(r["date"], r.get("stock_low"), r["stock_mean"]) for r in rows],
                "blue",
                0.15,
            )
        ]
        title = name(item, names)
        owed = any((figure(r["stock_mean"]) or 0.0) < 0 for r in rows)
        unit = "units in stock (below 0: owed)" if owed else "units in stock"
        drawn = svg.lines(title, lines, bands, _events(item, rows), y_title=unit, size=svg.SMALL, legend=False)
        charts.append(Chart(drawn, title, _words(item)))
    if not charts:
        return
    page.section("Stock ahead")
    marks = [
        svg.Mark(0, "order arrives", "up", 0, "green"),
        svg.Mark(0, "shelf empty without the order", "cross", 0, "orange"),
    ]
    caption = (
        f"{len(charts)} of {plan.height:,} items: orders, those gone before the order arrives first, by expected cost."
    )
    page.charts(charts, "The most urgent items", caption, svg.legend([*lines, *bands, *marks]))


def _window(rows: Sequence[dict[str, Any]], item: dict[str, Any]) -> int:
    """How many days to draw: a while beyond the arrival, since a horizon of a year would hide it."""
    arrival = item.get("arrival_date") or item.get("stockout_date")
    if not isinstance(arrival, date) or not rows:
        return 120
    until = arrival + timedelta(days=45)
    return max(60, sum(1 for r in rows if r["date"] <= until))


def _events(item: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[svg.Mark]:
    stock = {r["date"]: figure(r["stock_mean"]) or 0.0 for r in rows}
    arrival, gone = item.get("arrival_date"), item.get("stockout_date")
    marks: list[svg.Mark] = []
    if isinstance(arrival, date) and arrival in stock and (item.get("order_qty") or 0) > 0:
        marks.append(svg.Mark(arrival, "order arrives", "up", stock[arrival], "green"))
    if isinstance(gone, date) and gone in stock:
        marks.append(svg.Mark(gone, "shelf empty without the order", "cross", 0.0, "orange"))
    return marks


def _words(item: dict[str, Any]) -> str:
    quantity = item.get("order_qty") or 0
    parts = [f"order {short(quantity)}" if quantity > 0 else "no order"]
    if item.get("arrival_date") is not None and quantity > 0:
        parts.append(f"arrives {short_day(item['arrival_date'])}")
    if item.get("stockout_date") is not None:
        parts.append(f"else empty {short_day(item['stockout_date'])}")
    return " · ".join(parts)
