"""Payments in the one order that all features keep: by time, equal times by transaction_id; and what was known when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import rate_to

if TYPE_CHECKING:
    from datetime import date

#: Columns that name who and what took part in a payment.
ENTITIES = {
    "customer": "customer_id",
    "card": "card_id",
    "device": "device_id",
    "merchant": "merchant_id",
    "ip": "ip_country",
    "email": "email_domain",
}
DAY = 86_400_000_000  # microseconds
_WORDS = {"fraud": 1, "1": 1, "true": 1, "genuine": 0, "0": 0, "false": 0, "unknown": None}
_FOUND = {"confirmed": 1, "false_positive": 0, "escalated": None}


def order(transactions: pl.DataFrame) -> pl.DataFrame:
    """The payments sorted, with the columns that features are made of.

    Adds `_at` (microseconds since 1970), `_day`, `_clock` (nanoseconds, the same time but no two alike: payments at the
    same time follow each other in the order of their ids, so that each has all earlier ones before it and no later
    one), and per entity `_customer`, `_card` ...: a whole number for each distinct value, null where there is none.
    The clock of a row depends on no later row.
    """
    at = pl.col("time").cast(pl.Datetime("us")).cast(pl.Int64)
    rows = pl.int_range(pl.len())
    return (
        transactions.sort("time", "transaction_id")
        .with_columns(at.alias("_at"), pl.col("time").cast(pl.Date).alias("_day"))
        .with_columns(
            ((pl.col("_at") * 1000 - rows).cum_max() + rows).alias("_clock"),
            *(pl.col(c).cast(pl.Categorical).to_physical().alias(f"_{e}") for e, c in ENTITIES.items()),
        )
    )


def with_money(frame: pl.DataFrame, rates: pl.DataFrame | None, home: str | None) -> tuple[pl.DataFrame, str | None]:
    """Adds `_amount` in one currency and `_minor` (its hundredths, whole); tells that currency, None if no table does.

    UsageFault for several currencies without a home currency; InputRejected for a missing rate. A rate is the last
    fixing at or before the payment's day.
    """
    given = frame["currency"].drop_nulls().unique().sort().to_list()
    if home is None:
        if len(given) > 1:
            raise UsageFault(
                f"amounts in {', '.join(given)} cannot be compared", hint="set --home-currency and give --rates"
            )
        home = given[0] if given else None
    amount = frame["amount"].cast(pl.Float64)
    if home is not None and set(given) - {home}:
        amount = amount * rate_to(frame, "currency", "_day", rates, home)
    money = pl.Series("_amount", amount)
    return frame.with_columns(money, (money * 100).round().cast(pl.Int64).alias("_minor")), home


def judgements(frame: pl.DataFrame, verdicts: pl.DataFrame | None, delay_days: float) -> pl.DataFrame:
    """What became known of each payment, and when: one row per piece of news, by `known`.

    frame: as `order` gives it. A label counts as known `delay_days` after its payment, a verdict when it was decided
    (without a time: likewise, and never before its payment). A later verdict replaces an earlier one from its own
    time on; a label is no news where a verdict came before it. So what a payment could know of the past stays the
    same whatever is found out later. Gives `_row` (position in frame), `known` (microseconds since 1970), `fraud` (1, 0),
    and what the news adds to counts of judged payments and of frauds: `more`, `frauds`.
    InputRejected where no verdict is about a payment of the frame.
    """
    late = pl.col("_at") + round(delay_days * DAY)
    rows = frame.select("transaction_id", "_at", "label", late.alias("late")).with_row_index("_row")
    labels = rows.select(
        "_row",
        pl.col("late").alias("known"),
        pl.col("label").replace_strict(_WORDS, default=None, return_dtype=pl.Int64).alias("fraud"),
        pl.lit(1).alias("source"),
    ).drop_nulls("fraud")
    news = labels if verdicts is None else pl.concat([labels, _verdicts(rows, verdicts)])
    first_verdict = pl.col("source").cum_min().over("_row")
    news = (
        news.sort("_row", "known", "source", "fraud")
        .filter((pl.col("source") == 0) | (first_verdict == 1))
        .with_columns(before=pl.col("fraud").shift(1).over("_row"))
    )
    return news.select(
        "_row",
        "known",
        "fraud",
        pl.col("before").is_null().cast(pl.Int64).alias("more"),
        (pl.col("fraud") - pl.col("before").fill_null(0)).alias("frauds"),
    ).sort("known", "_row", maintain_order=True)


def _verdicts(rows: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    found = verdicts.join(rows, on="transaction_id", how="inner")
    if verdicts.height and not found.height:
        first = verdicts["transaction_id"].sort()[0]
        raise InputRejected("verdicts: none is about a payment in transactions", hint=f"the first is about {first}")
    decided = pl.col("decided_at").cast(pl.Datetime("us")).cast(pl.Int64)
    return found.select(
        "_row",
        pl.max_horizontal("_at", pl.coalesce(decided, "late")).alias("known"),
        pl.col("verdict").replace_strict(_FOUND, default=None, return_dtype=pl.Int64).alias("fraud"),
        pl.lit(0).alias("source"),
    ).drop_nulls("fraud")


def labels(news: pl.DataFrame, rows: int, day: date | None) -> pl.Series:
    """Per row of the frame the label as known at the end of that day (None = all news): 1, 0 or null."""
    if day is not None:
        end = pl.select((pl.lit(day) + pl.duration(days=1)).cast(pl.Datetime("us")).cast(pl.Int64)).item()
        news = news.filter(pl.col("known") < end)
    last = news.unique("_row", keep="last", maintain_order=True)
    every = pl.DataFrame({"_row": pl.int_range(rows, eager=True, dtype=pl.UInt32)})
    return every.join(last, on="_row", how="left", maintain_order="left")["fraud"]
