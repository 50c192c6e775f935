"""The page of monitor stock: what is grave first, what each kind of trouble is worth, stock by age and against the books."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import figure, label, money, number, of, percent
from cbec.report.page import Figure

if TYPE_CHECKING:
    from cbec.report.page import Format, Page, View

_LEVELS = ("high", "warn", "info")
_TONES = ("orange", "ochre", "sky")
_BANDS = ("0-90", "91-180", "181-270", "271-365", "366+", "unknown")
_MOST = 15
_COLUMNS = ("entity", "observed", "expected", "unit", "money", "currency", "reason")
_MONEY: dict[str, Format] = {"money": "money", "value": "money"}
#: Rules by what a person does about them; the first that has alerts stands first.
_GROUPS = {
    "Stock and books": ("stock_negative", "stock_missing", "stock_elsewhere", "stock_surplus", "stock_oversold", "stock_negative_before"),
    "Running out": ("out_of_stock", "cover_low", "inbound_overdue"),
    "Not selling": ("sales_dropped", "stock_dead", "stock_aged"),
}  # fmt: skip


def stock(page: Page, view: View) -> None:
    """Grave alerts, money by rule, ageing, the books, then every alert by what it asks for."""
    alerts = view.table("alerts", "severity", "rule", "entity", "reason")
    page.section("At a glance")
    page.figures(_tiles(view, alerts))
    if alerts is None:
        page.text("Nothing to look into.")
    else:
        _worth(page, alerts)
    _ages(page, view)
    _books(page, view)
    if alerts is None:
        return
    for title, rules in _GROUPS.items():
        rows = alerts.filter(pl.col("rule").is_in(rules))
        if not rows.height:
            continue
        page.section(title)
        for rule in rules:
            mine = _sorted(rows.filter(rule=rule))
            if mine.height:
                page.table(
                    mine, label(rule).capitalize(), columns=("severity", *_COLUMNS), formats=_MONEY, contract="alerts"
                )


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    grave = pl.col("severity").replace_strict(dict(zip(_LEVELS, range(3), strict=True)), default=3)
    worth = [c for c in ("money",) if c in rows.columns]
    ordered = rows.with_columns(_grave=grave)
    return ordered.sort(["_grave", *worth, "entity"], descending=[False, *[True] * len(worth), False], nulls_last=True)


def _tiles(view: View, alerts: pl.DataFrame | None) -> list[Figure | None]:
    def worth(*rules: str) -> str:
        if alerts is None or "money" not in alerts.columns:
            return ""
        rows = alerts.filter(pl.col("rule").is_in(rules) & pl.col("money").is_not_null())
        currencies = rows["currency"].drop_nulls().unique().to_list() if "currency" in rows.columns else []
        return money(rows["money"].sum(), str(currencies[0])) if len(currencies) == 1 else ""

    def tile(title: str, *rules: str) -> Figure | None:
        counts = [view.metric(r) for r in rules]
        if all(c is None for c in counts):
            return None
        total = sum(c or 0 for c in counts)
        return Figure(title, number(total), worth(*rules), "bad" if total else "good")

    grave = view.metric("alerts_high")
    missing = view.metric("missing_share_of_sales")
    return [
        None if grave is None else Figure("Grave alerts", number(grave), f"of {number(view.metric('alerts'))}", "bad" if grave else "good"),
        tile("Missing or under 0", "stock_missing", "stock_negative"),
        None if missing is None else Figure("Missing", percent(missing, 2), f"of pieces sold: {number(view.metric('pieces_missing'))} pieces"),
        tile("Out of stock", "out_of_stock"),
        tile("Cover too short", "cover_low"),
        tile("Inbound overdue", "inbound_overdue"),
        tile("Dead", "stock_dead"),
        tile("Sales dropped", "sales_dropped"),
    ]  # fmt: skip


def _worth(page: Page, alerts: pl.DataFrame) -> None:
    """Money by rule and severity; counts where no money is told."""
    page.section("What is at stake")
    priced = "money" in alerts.columns and alerts["money"].is_not_null().any()
    measure = pl.col("money").fill_null(0.0).sum() if priced else pl.len().cast(pl.Float64)
    sums = alerts.group_by("rule", "severity").agg(measure.alias("amount"), pl.len().alias("count"))
    totals = (
        sums.group_by("rule").agg(pl.col("amount", "count").sum()).sort(["amount", "rule"], descending=[True, False])
    )
    rules = totals["rule"].to_list()
    cells = {(r, s): figure(a) or 0.0 for r, s, a in sums.select("rule", "severity", "amount").iter_rows()}
    levels = [x for x in _LEVELS if x in set(alerts["severity"])]
    stacks = {x: [cells.get((r, x), 0.0) for r in rules] for x in levels}
    currency = None
    if priced and "currency" in alerts.columns:
        found = alerts["currency"].drop_nulls().unique().to_list()
        currency = str(found[0]) if len(found) == 1 else None
    write = partial(money, currency=currency) if priced else number
    texts = [f"{write(a)} · {of(n, 'alert')}" if priced and a else of(n, "alert") for _, a, n in totals.iter_rows()]
    looks = [_LEVELS.index(x) for x in levels]
    one = len(levels) == 1
    drawn = svg.bars(
        "Alerts by rule", [label(r) for r in rules], stacks, write=write, texts=texts, axis=currency or "",
        tones=[_TONES[looks[0]]] * len(rules) if one else [_TONES[i] for i in looks], hatched=[looks[0]] * len(rules) if one else looks,
    )  # fmt: skip
    page.chart(
        drawn,
        "Money at stake by rule" if priced else "Alerts by rule",
        "An item may stand under several rules: the bars are not to be added up.",
    )


def _ages(page: Page, view: View) -> None:
    table = view.table("stock_ageing", "warehouse", "band", "units")
    if table is None:
        return
    page.section("Stock by age")
    column = "value" if "value" in table.columns and table["value"].is_not_null().any() else "units"
    places = table["warehouse"].unique().sort().to_list()
    bands = [b for b in _BANDS if b in set(table["band"])]
    cells = {(w, b): figure(v) or 0.0 for w, b, v in table.select("warehouse", "band", column).iter_rows()}
    stacks = {f"{b} days" if b != "unknown" else "age unknown": [cells.get((w, b), 0.0) for w in places] for b in bands}
    found = table["currency"].drop_nulls().unique().to_list() if "currency" in table.columns else []
    currency = str(found[0]) if found and column == "value" else None
    write = partial(money, currency=currency) if currency else number
    if any(any(v) for v in stacks.values()):
        drawn = (
            svg.bars("Stock by age", places, stacks, write=write, axis=currency or "pieces")
            if len(bands) > 1
            else svg.bars(
                "Stock by age", places, stacks, write=write, axis=f"{currency or 'pieces'}, {next(iter(stacks))}"
            )
        )
        page.chart(drawn, f"{'Value' if currency else 'Pieces'} on hand by how long it has been lying")
    order = pl.col("band").replace_strict({b: i for i, b in enumerate(_BANDS)}, default=9)
    rows = table.with_columns(_o=order).sort("warehouse", "_o")
    page.table(
        rows,
        "",
        columns=("warehouse", "band", "skus", "units", "value", "currency"),
        formats=_MONEY,
        contract="stock_ageing",
    )


def _books(page: Page, view: View) -> None:
    table = view.table("stock_balance", "sku", "warehouse", "difference", "verdict")
    if table is None:
        return
    page.section("Stock against the books", "Earlier stock + receipts - sales, beside what was counted.")
    odd = table.filter(pl.col("verdict") != "agrees")
    agree = table.height - odd.height
    page.text(f"{number(agree)} of {of(table.height, 'item')} agree within what bookings at the edge of a day explain.")
    if not odd.height:
        return
    rows = odd.with_columns(_size=pl.col("difference").abs()).sort(
        ["_size", "sku", "warehouse"], descending=[True, False, False]
    )
    top = list(rows.head(_MOST).iter_rows(named=True))
    drawn = svg.bars(
        "Differences", [f"{r['sku']} · {r['warehouse']}" for r in top], {"counted - expected": [r["difference"] for r in top]},
        texts=[f"{number(r['difference'])} ({r['verdict']})" for r in top], axis="pieces",
        tones=["orange" if r["verdict"] == "missing" else "sky" if r["verdict"] == "elsewhere" else "blue" for r in top],
        hatched=[1 if r["verdict"] == "missing" else 2 if r["verdict"] == "elsewhere" else 0 for r in top],
    )  # fmt: skip
    page.chart(drawn, "Counted less expected", f"The largest {len(top)} of {odd.height} differences.")
    columns = (
        "sku",
        "warehouse",
        "previous",
        "received",
        "sold",
        "expected",
        "counted",
        "difference",
        "tolerance",
        "value",
        "currency",
        "verdict",
    )
    page.table(rows, "", columns=columns, formats=_MONEY, contract="stock_balance")
