"""From measurements to alerts: what, how grave, how much money, and the findings that a script acts on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from cbec.core import reasons
from cbec.core.command import Finding
from cbec.core.words import of
from cbec.methods.monitor.items import KEY, entity
from cbec.methods.monitor.movement import expected_inbound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.methods.monitor.items import Shelf

#: What each rule is called in the findings that sum up its alerts.
RULES = {
    "stock_negative": "stock under 0",
    "stock_negative_before": "stock under 0 in the earlier table",
    "stock_oversold": "more reserved than on hand",
    "stock_missing": "stock missing against the books",
    "stock_surplus": "more stock than the books say",
    "stock_elsewhere": "stock that moved between warehouses without a booking",
    "stock_dead": "stock that nobody buys",
    "stock_aged": "stock lying too long",
    "sales_dropped": "sales that dropped beyond chance",
    "inbound_overdue": "inbound overdue",
    "out_of_stock": "out of stock while it sells",
    "cover_low": "shelf empty before an order of today could arrive",
}
#: A loss of this share of the expected stock is grave.
_GRAVE_LOSS = 0.2
_COLUMNS = ("severity", "rule", "entity", "sku", "warehouse", "observed", "expected", "unit", "money", "reason_code")
_LEVELS = ("info", "warn", "high")


def _alert(rows: pl.DataFrame, rule: str, unit: str, **cells: pl.Expr | None) -> pl.DataFrame:
    """Alerts of one rule; cells: severity, observed, expected, money, and parameters of the reason (with _)."""
    base = {"rule": pl.lit(rule), "reason_code": pl.lit(f"alert_{rule}"), "unit": pl.lit(unit), "entity": entity()}
    told = {k: pl.lit(None, pl.Float64) if v is None else v for k, v in cells.items()}
    return rows.with_columns(**(base | told))


def of_counts(shelf: Shelf, previous: pl.DataFrame | None) -> list[pl.DataFrame]:
    """Stock under 0, today and before, and more promised than there is."""
    stock = pl.col("on_hand")
    under = shelf.items.filter(stock < 0)
    owed = shelf.items.filter((stock >= 0) & (pl.col("reserved") > stock))
    over = pl.col("reserved") - stock
    out = [
        _alert(under, "stock_negative", "pieces", severity=pl.lit("high"), observed=stock, expected=pl.lit(0.0), money=-stock * pl.col("cost")),
        _alert(owed, "stock_oversold", "pieces", severity=pl.lit("warn"), observed=pl.col("reserved"), expected=stock, money=over * pl.col("cost")),
    ]  # fmt: skip
    if previous is not None:
        before = previous.filter(stock < 0)
        out.append(
            _alert(before, "stock_negative_before", "pieces", severity=pl.lit("warn"), observed=stock, expected=pl.lit(0.0), money=None)
        )  # fmt: skip
    return out


def of_balance(balance: pl.DataFrame) -> list[pl.DataFrame]:
    """What is missing, too much, or elsewhere."""
    gap, worth = pl.col("difference"), pl.col("value")
    lost = balance.filter(verdict="missing")
    grave = ~pl.col("_listed") | (-gap >= _GRAVE_LOSS * pl.col("expected"))
    common = {"observed": pl.col("counted"), "expected": pl.col("expected")}
    missing = _alert(
        lost, "stock_missing", "pieces", severity=pl.when(grave).then(pl.lit("high")).otherwise(pl.lit("warn")), money=-worth, _gap=-gap, **common
    ).with_columns(
        reason_code=pl.when("_listed").then("reason_code").otherwise(pl.lit("alert_stock_row_missing"))
    )  # fmt: skip
    surplus = _alert(
        balance.filter(verdict="surplus"), "stock_surplus", "pieces", severity=pl.lit("info"), money=worth, _gap=gap, **common
    )  # fmt: skip
    moved = balance.filter(verdict="elsewhere").sort(KEY).group_by("sku", maintain_order=True).agg(
        _from=pl.col("warehouse").filter(gap < 0).str.join(", "), _to=pl.col("warehouse").filter(gap > 0).str.join(", "),
        _gap=gap.filter(gap > 0).sum(), counted=pl.col("counted").sum(), expected=pl.col("expected").sum(), worth=worth.filter(gap > 0).sum(),
    )  # fmt: skip
    elsewhere = _alert(
        moved, "stock_elsewhere", "pieces", severity=pl.lit("warn"), entity=pl.col("sku"), observed=pl.col("_gap"), expected=pl.lit(0.0), money=pl.col("worth")
    )  # fmt: skip
    return [missing, surplus, elsewhere]


def of_age(
    shelf: Shelf, unsold: pl.DataFrame | None, aged_days: float, old_days: float, dead_days: int
) -> list[pl.DataFrame]:
    """Dead stock, and what has lain too long (dead stock left out: it is told once). unsold: None = not looked for."""
    worth = pl.col("on_hand") * pl.col("cost")
    rest, out = shelf.items, []
    if unsold is not None:
        since = (pl.lit(shelf.today) - pl.col("last_sold")).dt.total_days().cast(pl.Float64)
        limit = pl.lit(float(dead_days))
        dead = _alert(
            unsold, "stock_dead", "days without a sale", severity=pl.lit("warn"), observed=since, expected=limit, money=worth, _limit=limit
        )  # fmt: skip
        never = pl.when(pl.col("last_sold").is_null()).then(pl.lit("alert_stock_never_sold")).otherwise("reason_code")
        out.append(dead.with_columns(reason_code=never))
        rest = rest.join(unsold.select(KEY), on=KEY, how="anti", maintain_order="left")
    old = rest.filter((pl.col("age_days") > aged_days) & (pl.col("on_hand") > 0))
    grave = pl.when(pl.col("age_days") > old_days).then(pl.lit("warn")).otherwise(pl.lit("info"))
    limit = pl.lit(float(aged_days))
    return [
        *out,
        _alert(old, "stock_aged", "days", severity=grave, observed=pl.col("age_days"), expected=limit, money=worth),
    ]


def of_drops(items: pl.DataFrame, days: int) -> list[pl.DataFrame]:
    """Sales that dropped; the money is what was not sold, at list price."""
    lost = (pl.col("expected") - pl.col("observed")) * pl.col("price")
    return [
        _alert(
            items.filter("dropped"), "sales_dropped", f"pieces in {days} days", severity=pl.lit("warn"), observed=pl.col("observed"),
            expected=pl.col("expected"), money=lost, _days=pl.lit(float(days)), _fall=100 * (1 - pl.col("observed") / pl.col("expected")),
        )
    ]  # fmt: skip


def of_cover(items: pl.DataFrame) -> list[pl.DataFrame]:
    """Empty shelves, and shelves that will be before an order could arrive; priced at the policy's shortage cost, else the margin."""
    margin = (pl.col("price") - pl.col("cost")).clip(0.0)
    money = pl.col("short") * pl.coalesce("shortage_cost", margin)
    free = pl.col("on_hand") - pl.col("reserved")
    selling = items.filter(pl.col("rate") > 0)
    common = {
        "observed": pl.col("cover"),
        "expected": pl.col("lead"),
        "money": money,
        "_rate": pl.col("rate"),
        "_free": free,
    }
    empty = _alert(selling.filter(free <= 0), "out_of_stock", "days of cover", severity=pl.lit("high"), **common)
    low = selling.filter((free > 0) & (pl.col("cover") < pl.col("lead")) & (pl.col("short") >= 1))
    return [empty, _alert(low, "cover_low", "days of cover", severity=pl.lit("warn"), **common)]


def of_inbound(
    shelf: Shelf, inbound: pl.DataFrame, items: pl.DataFrame, grace: int, grave_days: int
) -> list[pl.DataFrame]:
    """Deliveries past their day; grave where they are long overdue or the shelf is empty meanwhile."""
    late = expected_inbound(inbound).filter(pl.col("arrival_date") < shelf.today - timedelta(days=grace))
    known = [*KEY, "on_hand", "reserved", "cost", *(["rate"] if "rate" in items.columns else [])]
    rows = late.join(items.select(known), on=KEY, how="left").with_columns(
        days=(pl.lit(shelf.today) - pl.col("arrival_date")).dt.total_days().cast(pl.Float64)
    )
    empty = (pl.col("on_hand") - pl.col("reserved") <= 0).fill_null(True)
    if "rate" in items.columns:
        empty &= (pl.col("rate") > 0).fill_null(False)
    grave = pl.when((pl.col("days") > grave_days) | empty).then(pl.lit("high")).otherwise(pl.lit("warn"))
    overdue = _alert(
        rows.sort(*KEY, "arrival_date"), "inbound_overdue", "days overdue", severity=grave, observed=pl.col("days"), expected=pl.lit(float(grace)),
        money=pl.col("qty") * pl.col("cost"), entity=pl.concat_str(entity(), pl.lit(" due "), pl.col("arrival_date").cast(pl.String)), _qty=pl.col("qty"),
    )  # fmt: skip
    return [overdue]


def table(shelf: Shelf, parts: Sequence[pl.DataFrame], language: str) -> pl.DataFrame:
    """The table `alerts`; every part has its reason told by its own columns."""
    made = []
    for part in parts:
        if part.is_empty():
            continue
        told = reasons.render(part.with_columns(pl.col("observed", "expected", "money").cast(pl.Float64)), language)
        blank = [pl.lit(None, pl.String).alias(c) for c in ("sku", "warehouse") if c not in told.columns]
        made.append(told.with_columns(blank).select(*_COLUMNS, "reason"))
    if not made:
        kinds = dict.fromkeys(_COLUMNS, pl.String()) | dict.fromkeys(("observed", "expected", "money"), pl.Float64())
        return pl.DataFrame(schema={"alert_id": pl.String(), **kinds, "reason": pl.String(), "currency": pl.String()})
    return pl.concat(made).with_columns(
        alert_id=pl.concat_str("rule", "entity", separator=":"),
        currency=pl.when(pl.col("money").is_not_null()).then(pl.lit(shelf.currency, pl.String)),
    ).sort("alert_id")  # fmt: skip


def findings(alerts: pl.DataFrame) -> list[Finding]:
    """One per grave alert; the others of a rule and severity together."""
    found = [
        Finding(r["alert_id"], "high", r["entity"], r["rule"], r["reason"], _cents(r["money"]), r["currency"])
        for r in alerts.filter(severity="high").iter_rows(named=True)
    ]
    rest = alerts.filter(pl.col("severity") != "high").sort("rule", "severity", "alert_id")
    for (rule, severity), rows in rest.group_by("rule", "severity", maintain_order=True):
        worth = rows["money"].sum() if rows["money"].is_not_null().any() else None
        top = rows.sort(["money", "alert_id"], descending=[True, False], nulls_last=True)["entity"].head(3).to_list()
        more = f" and {rows.height - 3} more" if rows.height > 3 else ""
        text = f"{of(rows.height, 'alert')}: {RULES[str(rule)]} ({', '.join(top)}{more})"
        currency = None if worth is None else rows["currency"].drop_nulls()[0]
        found.append(
            Finding(
                f"{rule}:{severity}",
                str(severity),
                "stock",
                str(rule),
                text,
                None if worth is None else float(worth),
                currency,
            )
        )
    return found


def _cents(amount: object) -> float | None:
    return round(float(amount), 2) if isinstance(amount, float) else None


def metrics(shelf: Shelf, alerts: pl.DataFrame, balance: pl.DataFrame | None) -> dict[str, float | int | str | None]:
    """Figures for summary.json."""
    worth = shelf.items.select((pl.col("on_hand").clip(0.0) * pl.col("cost")).sum()).item()
    told: dict[str, float | int | str | None] = {
        "items": shelf.items.height,
        "stock_value": None if shelf.currency is None else round(worth, 2),
        "alerts": alerts.height,
    }
    told |= {f"alerts_{level}": alerts.filter(severity=level).height for level in reversed(_LEVELS)}
    told |= {rule: alerts.filter(rule=rule).height for rule in RULES}
    if balance is not None:
        lost = balance.filter(verdict="missing")
        moved = balance["sold"].sum() if balance["sold"].is_not_null().any() else None
        told["pieces_missing"] = round(-float(lost["difference"].sum()), 2)
        told["missing_share_of_sales"] = (
            None if not moved else round(-float(lost["difference"].sum()) / float(moved), 6)
        )
        told["counts_that_agree"] = balance.filter(verdict="agrees").height
    return told


def money(shelf: Shelf, alerts: pl.DataFrame) -> str:
    """What is at stake, in words: a monitor proposes nothing."""
    if shelf.currency is None:
        return "no unit costs are told (inventory or --products): what the alerts are worth is not known"

    def sums(*rules: str) -> str:
        total = alerts.filter(pl.col("rule").is_in(rules))["money"].sum() or 0.0
        return f"{shelf.currency} {total:,.0f}"

    return (
        f"at stake: {sums('stock_missing', 'stock_negative')} of stock missing or under 0, {sums('stock_dead', 'stock_aged')} dead or aged, "
        f"{sums('out_of_stock', 'cover_low')} of sales to be lost, {sums('inbound_overdue')} overdue; a monitor only tells, "
        "forecast replenish proposes orders"
    )  # fmt: skip
