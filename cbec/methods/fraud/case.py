"""What scoring and training share: payments with features, news of frauds, rules met, and how odd each payment is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods.fraud import anomaly, features, rules, timeline
from cbec.methods.fraud.catalogue import ODD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Case:
    """Payments in order of time, with everything known of each before it happened.

    frame: transactions and features; news: timeline.judgements; flagged: one Boolean column per rule; odds: how odd;
    day: days since 1970; currency: of amounts, None where no table tells it.
    """

    frame: pl.DataFrame
    news: pl.DataFrame
    flagged: pl.DataFrame
    odds: anomaly.Odds
    day: NDArray[np.int64]
    currency: str | None

    @property
    def amount(self) -> NDArray[np.float64]:
        """Amounts in one currency."""
        return self.frame["_amount"].to_numpy()


def study(
    transactions: pl.DataFrame,
    verdicts: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    limits: rules.Limits,
    delay_days: float,
    home: str | None,
) -> Case:
    """Order the payments, compute features, rules and detectors. InputRejected for an empty table."""
    if not transactions.height:
        raise InputRejected("transactions: no payment in the table")
    ordered, currency = timeline.with_money(timeline.order(transactions), rates, home)
    news = timeline.judgements(ordered, verdicts, delay_days)
    frame = features.build(ordered, news)
    flagged = rules.flags(frame, limits)
    day = frame["_day"].to_physical().cast(pl.Int64).to_numpy()
    met = flagged.sum_horizontal().cast(pl.Float64).to_numpy()
    odds = anomaly.judge(frame, {f.name: f.tail for f in ODD}, met, day)
    return Case(frame, news, flagged, odds, day, currency)
