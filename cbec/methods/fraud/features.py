"""Causal features of payments: each value follows from the payment itself and from payments before it, never later ones.

Windows follow the field's usual recipe (velocity counts and sums over hours to a month per customer, card, device and
merchant; recency, frequency and money; risk of an entity only after a label delay: Le Borgne et al., Reproducible
Machine Learning for Credit Card Fraud Detection, chapter 3), the amount is held against the customer's own past by
order statistics that one odd payment does not move. All sums are of whole numbers, so that they are exact and a
payment elsewhere cannot change the last bit of a sum here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.fraud.timeline import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

HOUR = 3_600_000_000_000  # nanoseconds
WINDOWS = {"1h": HOUR, "24h": 24 * HOUR, "7d": 7 * 24 * HOUR, "30d": 30 * 24 * HOUR}
#: Entities whose payments are counted and summed.
PAYING = ("customer", "card", "device", "merchant")
#: Entities whose past frauds say something of the next payment.
JUDGED = ("customer", "card", "device", "merchant", "email")
RISK_DAYS = (1, 7, 30)
EXACT = ("amount", "own_median", "own_n")
OWN = 50  # payments of the customer that are the own past
MIN_OWN = 3  # fewer are no past to compare with
#: Prior of the spread of a customer's amounts (natural log) and its weight in payments: half as much again is common,
#: so that a customer with three equal payments is not alarmed by the fourth.
PRIOR_SPREAD, PRIOR_WEIGHT = math.log(1.5), 5.0
UNUSUAL = 3.0  # robust z from which an amount counts as unusual for its customer


def build(frame: pl.DataFrame, news: pl.DataFrame) -> pl.DataFrame:
    """The frame of `timeline.order` and `with_money` with every feature as a further column, in the same order.

    news: `timeline.judgements`. Where a column of transactions is empty, the features of its entity are null.
    """
    frame = _add(_own_past(frame), [_unusual()])
    frame = _add(frame, [*_velocity(), *_firsts(), *_clock_features(), *_places()])
    frame = _add(_distinct_countries(frame), [*_shares(), *_rates(), *_shared()])
    return _risk(frame, news)


def _add(frame: pl.DataFrame, features: Iterable[pl.Expr]) -> pl.DataFrame:
    """The features as further columns: in single precision, since there are many; what is shown or counted on stays."""

    def small(feature: pl.Expr) -> bool:
        name = feature.meta.output_name()
        return not name.startswith("_") and name not in EXACT

    return frame.with_columns(f.cast(pl.Float32) if small(f) else f for f in features)


def only(entity: str, value: pl.Expr) -> pl.Expr:
    """The value where the payment names such an entity, else null (payments without a card are no card's payments)."""
    return pl.when(pl.col(f"_{entity}").is_not_null()).then(value)


def _before(value: pl.Expr, window: str, entity: str) -> pl.Expr:
    """Sum over the entity's payments within the window before this one."""
    total = value.rolling_sum_by("_clock", window_size=f"{WINDOWS[window]}i", closed="left")
    return only(entity, total.over(f"_{entity}").fill_null(0))


def _count(entities: Iterable[str]) -> pl.Expr:
    """How many earlier payments had the same entities."""
    return pl.int_range(pl.len()).over([f"_{e}" for e in entities])


def _own_past(frame: pl.DataFrame) -> pl.DataFrame:
    """The amount beside the customer's last payments: median, quartiles, largest, and a robust z of the log amount."""
    before = pl.col("_amount").shift(1)

    def own(value: pl.Expr) -> pl.Expr:
        return value.over("_customer")

    frame = frame.with_columns(
        own(before.rolling_quantile(q, "linear", window_size=OWN, min_samples=MIN_OWN)).alias(name)
        for q, name in ((0.25, "_low"), (0.5, "own_median"), (0.75, "_high"), (1.0, "_max"))
    )
    frame = frame.with_columns(_count(["customer"]).alias("own_n"))
    median, largest = (pl.when(pl.col(c) > 0).then(c) for c in ("own_median", "_max"))
    # A twentieth of the median is added on both sides, or amounts near zero would have endless logarithms.
    low, now, high = (((pl.col(c) + 0.05 * median) / (1.05 * median)).log() for c in ("_low", "_amount", "_high"))
    n = pl.min_horizontal("own_n", OWN)
    spread = (high - low) / 1.349  # interquartile range of a normal distribution in standard deviations
    scale = ((n * spread.pow(2) + PRIOR_WEIGHT * PRIOR_SPREAD**2) / (n + PRIOR_WEIGHT)).sqrt()
    age = (pl.col("_at") - own(pl.col("_at").first())) / DAY
    features = {
        "amount": pl.col("_amount"),
        "amount_ratio": pl.col("_amount") / median,
        "amount_ratio_max": pl.col("_amount") / largest,
        "amount_z": now / scale,
        "own_max": pl.col("_max"),
        "own_recent": n,
        # What reaches back without end would differ with the length of the file.
        "own_age_days": age.clip(upper_bound=30),
        "gap_hours": own(pl.col("_at").diff()) / 3.6e9,
    }
    return _add(frame, [f.alias(name) for name, f in features.items()]).drop("_low", "_high", "_max")


def _unusual() -> pl.Expr:
    return (pl.col("amount_z") >= UNUSUAL).fill_null(False).cast(pl.Int64).alias("_unusual")


def _velocity() -> list[pl.Expr]:
    one = pl.col("_minor").is_not_null().cast(pl.Int64)
    found = []
    for entity in PAYING:
        for window in WINDOWS:
            found.append(_before(one, window, entity).alias(f"{entity}_n_{window}"))
            found.append((_before(pl.col("_minor"), window, entity) / 100).alias(f"{entity}_sum_{window}"))
        found += [_before(pl.col("_unusual"), w, entity).alias(f"{entity}_unusual_{w}") for w in ("7d", "30d")]
    found += [_before(one, w, "ip").alias(f"ip_n_{w}") for w in ("1h", "24h", "30d")]
    found.append(_before(one, "24h", "email").alias("email_n_24h"))
    return found


def _first(of: str, within: str) -> pl.Expr:
    """Whether the pair has never been seen before: 1 or 0."""
    return (
        pl.struct(f"_{within}", f"_{of}").is_first_distinct()
        & pl.col(f"_{of}").is_not_null()
        & pl.col(f"_{within}").is_not_null()
    )


def _firsts() -> list[pl.Expr]:
    """Things that the customer uses for the first time, and pairs that share a device or card."""
    past = pl.col("own_n") > 0
    found = [
        only(e, pl.when(past).then(_first(e, "customer").cast(pl.Int8))).alias(f"{e}_new")
        for e in ("card", "device", "merchant", "ip", "email")
    ]
    pairs = (
        ("customer", "device"),
        ("customer", "card"),
        ("card", "device"),
        ("card", "customer"),
        ("device", "customer"),
    )
    return [*found, *(_first(of, within).cast(pl.Int64).alias(f"_{of}_on_{within}") for of, within in pairs)]


def _clock_features() -> list[pl.Expr]:
    hour = pl.col("time").cast(pl.Datetime("us")).dt.hour()
    timed = pl.col("time").cast(pl.Datetime("us")) != pl.col("_day").cast(pl.Datetime("us"))
    night = (timed & (hour < 6)).cast(pl.Int64)
    return [
        pl.when(timed).then(hour).alias("hour"),
        night.alias("night"),
        (pl.col("_day").dt.weekday() >= 6).cast(pl.Int8).alias("weekend"),
        # Share of the customer's earlier payments made at night; half a payment in ten is believed beforehand.
        ((night.cum_sum().over("_customer") - night + 0.5) / (pl.col("own_n") + 10)).alias("own_night_share"),
    ]


def _places() -> list[pl.Expr]:
    def differs(a: str, b: str) -> pl.Expr:
        return (pl.col(a) != pl.col(b)).cast(pl.Int8)

    last = pl.col("_ip").forward_fill().shift(1).over("_customer")
    return [
        differs("ip_country", "billing_country").alias("ip_billing_differ"),
        differs("ip_country", "shipping_country").alias("ip_shipping_differ"),
        differs("billing_country", "shipping_country").alias("billing_shipping_differ"),
        (pl.col("_ip") != last).fill_null(False).cast(pl.Int64).alias("_moved"),
        pl.col("ip_country").forward_fill().shift(1).over("_customer").alias("_last_country"),
    ]


def _distinct_countries(frame: pl.DataFrame) -> pl.DataFrame:
    """Countries that the customer paid from within 24 hours, this payment among them."""
    if frame["_ip"].null_count() == frame.height:
        return frame.with_columns(pl.lit(None, pl.Float32).alias("countries_24h"))
    seen = frame.filter(pl.col("_ip").is_not_null()).rolling(
        "_clock", period=f"{WINDOWS['24h']}i", group_by="_customer", closed="right"
    )
    counted = seen.agg(pl.col("_ip").n_unique().cast(pl.Float32).alias("countries_24h"))
    return frame.join(counted.select("_clock", "countries_24h"), on="_clock", how="left", maintain_order="left")


def _shares() -> list[pl.Expr]:
    """How common a thing is, among the customer's own payments and among all payments before."""
    rows = pl.int_range(pl.len())
    found = [
        only(e, pl.when(pl.col("own_n") > 0).then(_count(["customer", e]) / pl.col("own_n"))).alias(f"own_{e}_share")
        for e in ("ip", "device", "card", "merchant")
    ]
    # Minus the logarithm of a frequency is how surprising a value is (a histogram score, kept up to date row by row).
    found += [only(e, -((_count([e]) + 1) / (rows + 1)).log()).alias(f"{e}_rarity") for e in ("ip", "email")]
    method = pl.col("payment_method")
    found.append(
        pl.when(method.is_not_null())
        .then(-((pl.int_range(pl.len()).over("payment_method") + 1) / (rows + 1)).log())
        .alias("method_rarity")
    )
    return found


def _rates() -> list[pl.Expr]:
    """Today's pace beside the usual pace: payments of a day over the mean day of the month before (one is added).

    The month is as long as the entity has been seen, a week at least, or everyone would hurry in the file's first days.
    """

    def mean_day(entity: str) -> pl.Expr:
        age = (pl.col("_at") - pl.col("_at").first().over(f"_{entity}")) / DAY
        return pl.col(f"{entity}_n_30d") / age.clip(7, 30)

    found = [((pl.col(f"{e}_n_24h") + 1) / (mean_day(e) + 1)).alias(f"{e}_pace") for e in (*PAYING, "ip")]
    means = [
        pl.when(pl.col(f"{e}_n_{w}") > 0).then(pl.col(f"{e}_sum_{w}") / pl.col(f"{e}_n_{w}")).alias(f"{e}_mean_{w}")
        for e in PAYING
        for w in ("24h", "7d", "30d")
    ]
    moved = [(_before(pl.col("_moved"), w, "customer") + pl.col("_moved")).alias(f"moves_{w}") for w in ("24h", "7d")]
    return [*found, *means, *moved]


def _shared() -> list[pl.Expr]:
    """Customers on one device or card, cards on one device, this payment among them."""
    found = []
    for of, within in (("customer", "device"), ("customer", "card"), ("card", "device")):
        first = pl.col(f"_{of}_on_{within}")
        found.append(only(within, first.cum_sum().over(f"_{within}")).alias(f"{within}_{of}s"))
        found += [(_before(first, w, within) + first).alias(f"{within}_new_{of}s_{w}") for w in ("24h", "30d")]
    for of in ("card", "device"):
        first = pl.col(f"_{of}_on_customer")
        # The first one is no news, or every newcomer would look like a thief trying cards.
        found.append((_before(first, "24h", "customer") + first - 1).clip(0).alias(f"customer_new_{of}s_24h"))
    # The busiest of the three: a burst shows on the customer, the card or the device.
    busiest = pl.max_horizontal(*(f"{e}_n_1h" for e in ("customer", "card", "device")))
    return [*found, (busiest + 1).alias("burst_1h")]


def _risk(frame: pl.DataFrame, news: pl.DataFrame) -> pl.DataFrame:
    """Judged payments and frauds of each entity that became known in the days before the payment; 0 where none did.

    Without any news the values are the same as before the first news: later labels change no earlier feature.
    """
    rows = frame.select("_at", *(f"_{e}" for e in JUDGED))
    found: list[pl.Series] = []
    for entity in JUDGED:
        key = f"_{entity}"
        told = news.with_columns(rows[key].gather(news["_row"])).drop_nulls(key)
        total = told.select(key, "known", pl.col("more").cum_sum().over(key), pl.col("frauds").cum_sum().over(key))
        now = _known(rows, total, key, 0)
        for days in RISK_DAYS:
            then = _known(rows, total, key, days)
            judged, frauds = now["more"] - then["more"], now["frauds"] - then["frauds"]
            share = pl.select(pl.when(judged > 0).then(frauds / judged).when(judged.is_not_null()).then(0.0))
            three = {"judged": judged, "frauds": frauds, "risk": share.to_series()}
            found += [value.cast(pl.Float32).alias(f"{entity}_{what}_{days}d") for what, value in three.items()]
    everything = news.select("known", _all=pl.lit(0), more=pl.col("more").cum_sum(), frauds=pl.col("frauds").cum_sum())
    now = _known(rows.with_columns(_all=pl.lit(0)), everything, "_all", 0)
    return frame.with_columns(found).with_columns(_judged=now["more"], _frauds=now["frauds"])


def _known(rows: pl.DataFrame, total: pl.DataFrame, key: str, days: int) -> pl.DataFrame:
    """Totals of the entity that were known strictly before each payment, less so many days."""
    asked = rows.select(key, (pl.col("_at") - days * DAY).alias("known"))
    met = asked.join_asof(
        total, on="known", by=key, strategy="backward", allow_exact_matches=False, check_sortedness=False
    )
    named = pl.col(key).is_not_null()
    return met.select(pl.when(named).then(pl.col(c).fill_null(0)).alias(c) for c in ("more", "frauds"))
