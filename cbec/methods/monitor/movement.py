"""How stock moves: daily rate, sales that dropped beyond chance, stock that nobody buys, days until the shelf is empty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods import counts, terms
from cbec.methods.monitor.items import KEY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.monitor.items import Shelf

    Floats = NDArray[np.float64]

_RATE_DAYS = 28
_LONGEST = 730  # days over which stock is followed
#: With fewer expected pieces than this in the rest of the warehouse, its general course is not known.
_CROWD = 50.0


@dataclass(frozen=True)
class Look:
    """Settings. drop: days looked at, base: days before them, share: smallest drop, alarms: share of false ones."""

    drop: int
    base: int
    share: float
    alarms: float
    dead: int
    low: float


def rates(shelf: Shelf, days: pl.DataFrame, look: Look) -> pl.DataFrame:
    """Items with rate (pieces a day of the last four weeks in which it could be bought, else of the base), last_sold,
    and the columns of `_dropped`."""
    known = days.filter(pl.col("day") <= shelf.today)
    recent = _window(known, shelf.today, _RATE_DAYS, promo=True).rename({"units": "_u", "days": "_d", "squares": "_s"})
    base = _window(known, shelf.today - timedelta(days=_RATE_DAYS), look.base, promo=True)
    items = shelf.items.join(recent, on=KEY, how="left").join(base, on=KEY, how="left").with_columns(
        _d=pl.col("_d").fill_null(_RATE_DAYS), days=pl.col("days").fill_null(look.base)
    )  # fmt: skip
    a_week = pl.col("_d") >= 7
    items = items.with_columns(
        rate=pl.when(a_week).then(pl.col("_u").fill_null(0.0) / pl.col("_d"))
        .when(pl.col("days") >= 7).then(pl.col("units").fill_null(0.0) / pl.col("days")).otherwise(0.0)
    ).drop("_u", "_d", "_s", "units", "days", "squares")  # fmt: skip
    last = known.filter(pl.col("sold") > 0).group_by(KEY).agg(last_sold=pl.col("day").max())
    return _dropped(items.join(last, on=KEY, how="left").sort(KEY), known, shelf.today, look)


def _window(days: pl.DataFrame, until: date, length: int, promo: bool) -> pl.DataFrame:
    """Pieces, squares and number of usable days of the `length` days up to `until`. Days without a row sold nothing;
    days out of stock, and unless `promo` those on promotion, are not usable."""
    inside = days.filter(pl.col("day").is_between(until - timedelta(days=length - 1), until))
    usable = pl.col("stocked") if promo else pl.col("stocked") & ~pl.col("promo")
    return inside.group_by(KEY, maintain_order=True).agg(
        units=pl.col("sold").filter(usable).sum(),
        squares=(pl.col("sold") ** 2).filter(usable).sum(),
        days=length - (~usable).sum().cast(pl.Int64),
    )


def _dropped(items: pl.DataFrame, days: pl.DataFrame, today: date, look: Look) -> pl.DataFrame:
    """observed, expected (pieces in the last `look.drop` days) and dropped (beyond chance).

    Expected is the item's base, times how the rest of its warehouse went meanwhile: a season's end is no alarm. Chance is a
    count of that mean with the base's variance over mean; the alarms are chosen by Benjamini and Hochberg (1995).
    """
    recent = _window(days, today, look.drop, promo=False)
    base = _window(days, today - timedelta(days=look.drop), look.base, promo=False)
    joined = (
        items.select(*KEY, "on_hand")
        .join(recent, on=KEY, how="left")
        .join(base, on=KEY, how="left", suffix="_base")
        .sort(KEY)
    )
    fill = {"days": look.drop, "days_base": look.base}
    joined = joined.with_columns(
        pl.col(c).fill_null(fill.get(c, 0)) for c in joined.columns if c not in (*KEY, "on_hand")
    )
    now, n, before, m = (joined[c].cast(pl.Float64).to_numpy() for c in ("units", "days", "units_base", "days_base"))
    squares = joined["squares_base"].to_numpy()
    usable = (n >= look.drop / 2) & (m >= look.base / 2) & (before > 0)
    daily = np.divide(before, m, out=np.zeros_like(m), where=usable)
    own = daily * n
    course = _course(joined["warehouse"].to_numpy(), np.where(usable, now, 0.0), np.where(usable, own, 0.0))
    expected = own * course
    spread = np.divide(squares - m * daily**2, m - 1, out=np.zeros_like(m), where=usable & (m > 1))
    ratio = np.maximum(np.divide(spread, daily, out=np.ones_like(m), where=daily > 0), 1.0)
    variance = ratio * expected * (1 + n / np.maximum(m, 1.0))
    chance = np.where(usable, counts.cdf(now, expected, variance), 1.0)
    alarm = (
        usable
        & _chosen(chance, usable, look.alarms)
        & (now <= (1 - look.share) * expected)
        & (joined["on_hand"] > 0).to_numpy()
    )
    return items.with_columns(
        observed=pl.Series(now), expected=pl.Series(np.where(usable, expected, np.nan)).fill_nan(None), dropped=pl.Series(alarm)
    )  # fmt: skip


def _course(place: NDArray[np.object_], now: Floats, own: Floats) -> Floats:
    """How the rest of the warehouse went against its base, for each item."""
    out = np.ones(own.size)
    for name in np.unique(place.astype(str)):
        there = place.astype(str) == name
        rest_now, rest_own = now[there].sum() - now[there], own[there].sum() - own[there]
        out[there] = np.where(rest_own >= _CROWD, rest_now / np.maximum(rest_own, _CROWD), 1.0)
    return out


def _chosen(chance: Floats, tested: NDArray[np.bool_], alarms: float) -> NDArray[np.bool_]:
    """Benjamini and Hochberg's step-up: chances under the largest p(k) <= alarms x k / n."""
    order = np.sort(chance[tested])
    under = np.flatnonzero(order <= alarms * np.arange(1, order.size + 1) / order.size)
    return chance <= (order[under[-1]] if under.size else -1.0)


def dead(items: pl.DataFrame, first: date | None, today: date, look: Look) -> pl.Series:
    """Stock that nobody bought in `look.dead` days, where sales reach back that far and it has lain as long."""
    if first is None or (today - first).days < look.dead - 1:
        return pl.repeat(False, items.height, dtype=pl.Boolean, eager=True)
    limit = today - timedelta(days=look.dead)
    unsold = (pl.col("last_sold") <= limit).fill_null(True)
    old = (pl.col("age_days") >= look.dead).fill_null(True)
    return items.select((pl.col("on_hand") > 0) & unsold & old).to_series()


def cover(
    shelf: Shelf, items: pl.DataFrame, inbound: pl.DataFrame | None, policies: pl.DataFrame | None, look: Look
) -> pl.DataFrame:
    """Items with cover (days until mean sales empty the shelf, inbound that is not overdue included; null = never within two
    years), lead (days until an order of today arrives), short (pieces missing by then), shortage_cost of the policy."""
    if policies is None:
        items = items.with_columns(lead=pl.lit(look.low), shortage_cost=pl.lit(None, pl.Float64))
    else:
        policies = policies.sort(terms.KEYS, nulls_last=True)
        held = policies.select(lead="lead_time_days", shortage_cost="shortage_cost")
        items = items.hstack(held[terms.holding(items.select(terms.KEYS), policies)])
        items = items.with_columns(pl.col("lead").fill_null(look.low))
    rate, free = items["rate"].to_numpy(), (items["on_hand"] - items["reserved"]).to_numpy()
    lead = items["lead"].to_numpy()
    arrivals = _arrivals(items, inbound, shelf.today)
    stock, empty, short = np.maximum(free, 0.0), np.full(rate.size, np.nan), np.zeros(rate.size)
    selling = rate > 0
    for day in range(1, _LONGEST + 1):
        stock = stock + arrivals.get(day, 0.0)
        lacking = np.maximum(rate - stock, 0.0)
        gone = selling & np.isnan(empty) & (lacking > 1e-9)
        # The part of the day that the rest of the stock still covers.
        empty[gone] = day - 1 + np.clip(stock[gone] / rate[gone], 0, 1)
        part = np.clip(lead - (day - 1), 0.0, 1.0)
        short += np.maximum(rate * part - stock, 0.0)  # of the day on which the order arrives, the part before it
        stock = np.maximum(stock - rate, 0.0)
        if day > lead.max(initial=0.0) and not np.isnan(empty[selling]).any():
            break
    return items.with_columns(cover=pl.Series(empty).fill_nan(None), short=pl.Series(short))


def _arrivals(items: pl.DataFrame, inbound: pl.DataFrame | None, today: date) -> dict[int, Floats]:
    """Pieces per item by day from now; what is overdue may never come and is left out."""
    found: dict[int, Floats] = {}
    if inbound is None:
        return found
    order = items.select(KEY).with_row_index("item")
    days = (pl.col("arrival_date") - pl.lit(today)).dt.total_days()
    coming = (
        expected_inbound(inbound)
        .join(order, on=KEY)
        .with_columns(ahead=days)
        .filter(pl.col("ahead").is_between(0, _LONGEST))
    )
    for item, ahead, qty in coming.sort("ahead", "item").select("item", "ahead", "qty").iter_rows():
        found.setdefault(max(ahead, 1), np.zeros(items.height))[item] += qty
    return found


def expected_inbound(inbound: pl.DataFrame) -> pl.DataFrame:
    """What is still on its way, by SKU, warehouse and day."""
    over = pl.col("status").str.strip_chars().str.to_lowercase().is_in(terms.NOT_COMING).fill_null(False)
    coming = inbound.filter(~over).sort(*KEY, "arrival_date", "qty")
    return coming.group_by(*KEY, "arrival_date", maintain_order=True).agg(pl.col("qty").sum())
