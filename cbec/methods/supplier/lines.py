"""One row per line of a purchase order: what was promised, what came when, and what can be said of it by today.

A line is judged from the day on which it is due, whether it came or not: judging those that came early before their
siblings are due would flatter the supplier. What is not due yet is open, never on time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import rate_to

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Words of `purchase_orders.status` that say the order was called off.
CANCELLED = ("cancelled", "canceled", "void", "deleted", "已取消", "取消", "作废", "已作废")
#: Words that say nothing more will come.
CLOSED = (
    "closed", "completed", "complete", "received", "done", "finished", "已完成", "完成", "已收货", "已入库", "已到货", "已关闭", "关闭", "已结案",
)  # fmt: skip
_SAME = 1e-9


@dataclass(frozen=True)
class Rules:
    """How a promise is read. late, early: days around the due date that still count as on time. short: share of a line
    that may be missing from one in full. after: days past due after which what has not come counts as short."""

    as_of: date
    window_days: int
    late: int
    early: int
    short: float
    after: int
    revised: bool
    home: str | None


@dataclass(frozen=True)
class Record:
    """Lines of the window and what was odd about the tables.

    frame: keys, dates and quantities of the line, `value` and `price_home` in `currency`, half (0 first, 1 last), and:
    received (rejected ones included: quality is judged by itself), rejected, inspected, missing, in_time (pieces); full_date, last_date; due (promised day), matured (the
    due day and its tolerance have passed), pending (more is awaited); otif, on_time, in_full, otif_revised, moved
    (true, false, or null where it cannot be told); late, early (days past or before the due day); lead, ended (days
    from the order until it was full or the last part came; not ended = so far).
    """

    frame: pl.DataFrame
    currency: str | None
    start: date
    middle: date
    cancelled: int
    strays: int
    backwards: int

    @property
    def days(self) -> int:
        """Length of the window."""
        return max((self.middle - self.start).days * 2, 1)


def today(receipts: pl.DataFrame, as_of: date | None) -> date:
    """The day up to which receipts are known: as told, else that of the last one."""
    last = receipts["receipt_date"].max() if as_of is None else as_of
    if not isinstance(last, date):
        raise InputRejected("receipts: no row, and no --as-of", hint="give --as-of, the day the tables were exported")
    return last


def record(
    orders: pl.DataFrame,
    receipts: pl.DataFrame,
    suppliers: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    rules: Rules,
) -> Record:
    """Join the tables and judge each line. Raises UsageFault for mixed currencies without a home currency, and
    InputRejected where the window holds no line."""
    orders = orders.sort("po_id", "line", "sku").with_row_index("item")
    matched = _matched(orders, receipts)
    strays = receipts.height - matched.height
    first = orders["order_date"].min()
    if not isinstance(first, date):
        raise InputRejected("purchase_orders: no row", hint="nothing was ordered that could be judged")
    start = first if not rules.window_days else max(first, rules.as_of - timedelta(days=rules.window_days - 1))
    middle = start + timedelta(days=(rules.as_of - start).days // 2 + 1)
    known = orders.filter(pl.col("order_date") >= start)
    promised = _promised(known, suppliers, rules)
    frame = promised.join(_came(promised, matched, rules), on="item", how="left", maintain_order="left")
    status = pl.col("status").str.strip_chars().str.to_lowercase()
    called_off = status.is_in(CANCELLED).fill_null(False)
    nothing = pl.col("last_date").is_null()
    cancelled = frame.filter(called_off & nothing).height
    frame = frame.filter(~(called_off & nothing)).with_columns(
        closed=called_off | status.is_in(CLOSED).fill_null(False)
    )
    if frame.is_empty():
        raise InputRejected(
            f"purchase_orders: no line was ordered from {start} to {rules.as_of}",
            hint="widen --window-days or look at --as-of",
        )
    frame = _judged(frame, rules)
    backwards = frame.filter(pl.col("lead") < 0).height
    frame = frame.with_columns(
        lead=pl.when(pl.col("lead") >= 0).then("lead"), half=(pl.col("order_date") >= middle).cast(pl.Int8)
    )
    priced, currency = _priced(frame, rates, rules.home)
    return Record(priced, currency, start, middle, cancelled, strays, backwards)


def _matched(orders: pl.DataFrame, receipts: pl.DataFrame) -> pl.DataFrame:
    """Receipts with the `item` of their line: by order, line and SKU; where the SKU is told and the line is not that of
    the order, by order and SKU; without a SKU by order and line. Only where that names one line."""
    receipts = receipts.with_row_index("receipt")

    def found(rows: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
        single = orders.filter(pl.len().over(on) == 1).select(*on, "item")
        return rows.join(single, on=on, how="inner").select("receipt", "item")

    told, untold = receipts.filter(pl.col("sku").is_not_null()), receipts.filter(pl.col("sku").is_null())
    exact = found(told, ("po_id", "line", "sku"))
    rest = told.join(exact, on="receipt", how="anti")
    pairs = pl.concat([exact, found(rest, ("po_id", "sku")), found(untold, ("po_id", "line"))])
    return (
        receipts.drop("sku", "line", "po_id")
        .join(pairs, on="receipt", how="inner")
        .sort("item", "receipt_date", "receipt")
    )


def _promised(orders: pl.DataFrame, suppliers: pl.DataFrame | None, rules: Rules) -> pl.DataFrame:
    """Due days: the promise of the order, else order date + the supplier's agreed lead time."""
    if suppliers is None:
        orders = orders.with_columns(pl.lit(None, pl.Float64).alias("agreed"), pl.lit(None, pl.String).alias("name"))
    else:
        agreed = suppliers.select("supplier_id", "name", pl.col("lead_time_days").alias("agreed"))
        orders = orders.join(agreed, on="supplier_id", how="left", maintain_order="left")
    by_terms = pl.col("order_date") + pl.duration(days=pl.col("agreed").ceil().cast(pl.Int64))
    promised = pl.coalesce("promised_date", by_terms)
    named = pl.coalesce("revised_date", promised)
    return orders.with_columns(
        due=named if rules.revised else promised,
        revised_due=named,
        moved=pl.when(promised.is_not_null()).then((named > promised).fill_null(False)),
    )


def _came(orders: pl.DataFrame, matched: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Per line with receipts: quantities, and the days on which it was full and its last part came."""
    rejected = pl.col("rejected").fill_null(0.0)
    parts = matched.with_columns(
        rejected=rejected,
        inspected=pl.coalesce("inspected", pl.when(pl.col("rejected").is_not_null()).then("qty")).fill_null(0.0),
        received=pl.col("qty"),
        place=pl.col("warehouse"),
    ).drop("qty", "warehouse")
    parts = parts.join(orders.select("item", "qty", "due"), on="item", how="inner", maintain_order="left")
    punctual = pl.col("receipt_date") <= pl.col("due") + pl.duration(days=rules.late)
    full = pl.col("received").cum_sum().over("item") >= pl.col("qty") * (1 - rules.short) - _SAME
    parts = parts.with_columns(full_day=pl.when(full).then("receipt_date"))
    return parts.group_by("item", maintain_order=True).agg(
        pl.col("received", "rejected", "inspected").sum(),
        in_time=pl.col("received").filter(punctual.fill_null(False)).sum(),
        full_date=pl.col("full_day").min(),
        last_date=pl.col("receipt_date").max(),
        place=pl.col("place").drop_nulls().first(),
    )


def _judged(frame: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    as_of, slack = pl.lit(rules.as_of), pl.duration(days=rules.late)
    amounts = pl.col("received", "rejected", "inspected").fill_null(0.0)
    limit = pl.col("due") + slack
    frame = frame.with_columns(
        amounts,
        warehouse=pl.coalesce("warehouse", "place"),
        full=pl.col("full_date").is_not_null(),
        waited=(as_of - pl.col("order_date")).dt.total_days(),
        matured=(limit <= as_of).fill_null(False),
    )
    came = (pl.col("last_date") - pl.col("order_date")).dt.total_days()
    # A line without a promise is given up once it has waited longer than any that came.
    longest = frame.select(came.max()).item() or 0
    lost = pl.when(pl.col("due").is_not_null()).then(limit + pl.duration(days=rules.after) < as_of).otherwise(
        pl.col("waited") > longest + rules.after
    )  # fmt: skip
    frame = frame.with_columns(settled=pl.col("full") | pl.col("closed") | lost)
    there = pl.coalesce("full_date", pl.when(pl.col("settled")).then("last_date"))
    matured, punctual = pl.col("matured"), (there <= limit) & (there >= pl.col("due") - pl.duration(days=rules.early))
    pending = ~pl.col("settled")
    revised_limit = pl.col("revised_due") + slack
    # What never came is short, not late; what is awaited is late so far.
    until = pl.coalesce(there, pl.when(pending).then(as_of))
    past = pl.when(matured).then((until - pl.col("due")).dt.total_days())
    return frame.with_columns(
        pending=pending,
        on_time=pl.when(matured).then(punctual.fill_null(False)),
        in_full=pl.when(matured & pl.col("settled")).then(pl.col("full")),
        otif=pl.when(matured).then(pl.col("full") & punctual.fill_null(False)),
        otif_revised=pl.when(revised_limit <= as_of).then(
            (pl.col("full_date").is_between(pl.col("revised_due") - pl.duration(days=rules.early), revised_limit)).fill_null(False)
        ),
        in_time=pl.when(matured).then(pl.min_horizontal(pl.col("in_time").fill_null(0.0), "qty")),
        late=pl.when(past > rules.late).then(past),
        early=pl.when(matured & (there < pl.col("due"))).then((pl.col("due") - there).dt.total_days()),
        missing=pl.when(pl.col("settled") & ~pl.col("full")).then((pl.col("qty") - pl.col("received")).clip(0.0)).otherwise(0.0),
        lead=pl.when(pending).then("waited").otherwise((there - pl.col("order_date")).dt.total_days()),
        ended=~pending,
    ).drop("place", "waited")  # fmt: skip


def _priced(frame: pl.DataFrame, rates: pl.DataFrame | None, home: str | None) -> tuple[pl.DataFrame, str | None]:
    """Price per unit and value of each line in the home currency, at the fixing of its order."""
    told = frame.filter(pl.col("price").is_not_null())
    found = sorted(told["currency"].drop_nulls().unique().to_list())
    if home is None and len(found) > 1:
        raise UsageFault(
            f"prices are in {', '.join(found)}, and no home currency is set",
            hint="set --home-currency and give --rates",
        )
    home = home or (found[0] if found else None)
    rate = pl.Series("rate", [1.0] * frame.height, dtype=pl.Float64)
    if home is not None:
        # A line without a price needs no rate.
        money = frame.select("order_date", currency=pl.when(pl.col("price").is_not_null()).then("currency"))
        rate = rate_to(money, "currency", "order_date", rates, home)
    priced = frame.with_columns(price_home=pl.col("price") * rate)
    return priced.with_columns(value=pl.col("price_home") * pl.col("qty")), home if told.height else None
