"""Exposures and the forwards that stand -> net flows by currency and time bucket."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.fx.parity import business_day, weekdays_until

if TYPE_CHECKING:
    from cbec.methods.fx.panel import Told

Floats = NDArray[np.float64]

#: Text of a bucket from a date.
BUCKETS = {
    "week": pl.format("{}-W{}", pl.col("day").dt.iso_year(), pl.col("day").dt.week().cast(pl.String).str.zfill(2)),
    "month": pl.col("day").dt.strftime("%Y-%m"),
    "quarter": pl.format("{}-Q{}", pl.col("day").dt.year(), pl.col("day").dt.quarter()),
}
_FLOW = pl.Schema({"currency": pl.String, "day": pl.Date, "flow": pl.Float64, "hedge": pl.Float64})


@dataclass
class Flows:
    """One row per currency and bucket, by currency and value date.

    table: currency, bucket, value_date, gross_in, gross_out, net, hedged, open (in the row's currency).
    ahead: weekdays from as_of to each value date, at least 1.
    """

    table: pl.DataFrame
    ahead: NDArray[np.int64]
    notes: list[str] = field(default_factory=list)
    findings: list[Told] = field(default_factory=list)

    @property
    def currencies(self) -> list[str]:
        """Foreign currencies, sorted."""
        return self.table["currency"].unique().sort().to_list()

    def column(self, name: str) -> Floats:
        """A column as numbers."""
        made: Floats = self.table[name].to_numpy().astype(np.float64)
        return made


def flows(exposures: pl.DataFrame, hedges: pl.DataFrame | None, as_of: date, home: str | None, bucket: str) -> Flows:
    """Net the exposures of each currency and bucket, expected amounts, and put the forwards that stand beside them.

    Overdue items count as due on the next weekday. Amounts in home currency carry no risk and are left out.
    Raises UsageFault without a home currency, InputRejected when nothing is left.
    """
    if home is None:
        raise UsageFault(
            "risk is told in a home currency", hint="give --home-currency CNY (or common.home_currency in cbec.yaml)"
        )
    made = Flows(pl.DataFrame(), np.zeros(0, np.int64))
    due = _exposures(exposures, as_of, home, made)
    if hedges is not None:
        due = pl.concat([due, _hedges(hedges, as_of, home, made)])
    if due.is_empty():
        raise InputRejected(f"exposures: none is in a currency other than {home}")
    size = (pl.col("flow").abs() + pl.col("hedge").abs()).clip(1e-9, None)
    offset = (pl.col("day") - pl.lit(as_of)).dt.total_days()
    table = (
        due.with_columns(BUCKETS[bucket].alias("bucket"))
        .group_by("currency", "bucket")
        .agg(
            # Sorted, so that sums of floats do not depend on the order of the rows.
            pl.col("flow").filter(pl.col("flow") > 0).sort().sum().alias("gross_in"),
            pl.col("flow").filter(pl.col("flow") < 0).sort().sum().alias("gross_out"),
            pl.col("hedge").sort().sum().alias("hedged"),
            ((offset * size).sort().sum() / size.sort().sum()).alias("mean_days"),
        )
        .with_columns((pl.col("gross_in") + pl.col("gross_out")).round(6).alias("net"))
        .with_columns((pl.col("net") + pl.col("hedged")).round(6).alias("open"))
        .sort("currency", "bucket")
    )
    mean = [as_of.toordinal() + round(d) for d in table["mean_days"].to_list()]
    # A value date is a weekday; one that falls on a weekend moves on.
    days = np.busday_offset(np.array([date.fromordinal(d) for d in mean], "datetime64[D]"), 0, roll="forward")
    made.table = table.with_columns(pl.Series("value_date", days).cast(pl.Date)).select(
        "currency", "bucket", "value_date", "gross_in", "gross_out", "net", "hedged", "open"
    )
    made.ahead = np.maximum(weekdays_until(as_of, days), 1)
    made.findings += _alone(made.table)
    return made


def _exposures(exposures: pl.DataFrame, as_of: date, home: str, made: Flows) -> pl.DataFrame:
    own = exposures.filter(pl.col("currency") == home).height
    if own:
        made.notes.append(f"exposures in {home}: {own} left out, they carry no currency risk")
    foreign = exposures.filter(pl.col("currency") != home)
    late = foreign.filter(pl.col("due_date") <= as_of)
    if late.height:
        made.notes.append(f"exposures due on or before {as_of}: {late.height}, counted as paid on the next weekday")
    unsure = foreign.filter((pl.col("type") == "FORECAST") & pl.col("probability").is_null())
    if unsure.height:
        message = f"{unsure.height} exposures of type FORECAST name no probability and count in full: hedged in full, sales that do not come leave a forward open"
        made.findings.append(("fx:forecast_certain", "info", "exposures", "forecast_without_probability", message))
    return foreign.select(
        "currency",
        pl.when(pl.col("due_date") <= as_of).then(pl.lit(business_day(as_of, 1))).otherwise("due_date").alias("day"),
        (pl.col("amount").cast(pl.Float64) * pl.col("probability").fill_null(1.0)).alias("flow"),
        pl.lit(0.0).alias("hedge"),
    ).cast(_FLOW)


def _hedges(hedges: pl.DataFrame, as_of: date, home: str, made: Flows) -> pl.DataFrame:
    over = hedges.filter(pl.col("value_date") <= as_of).height
    if over:
        made.notes.append(f"hedges with a value date on or before {as_of}: {over} left out, they are over")
    standing = hedges.filter(pl.col("value_date") > as_of)
    legs = [
        standing.select(
            pl.col(f"{side}_currency").alias("currency"),
            pl.col("value_date").alias("day"),
            pl.lit(0.0).alias("flow"),
            (sign * pl.col(f"{side}_amount").cast(pl.Float64)).alias("hedge"),
        )
        for side, sign in (("buy", 1.0), ("sell", -1.0))
    ]
    return pl.concat(legs).filter(pl.col("currency") != home).cast(_FLOW)


def _alone(table: pl.DataFrame) -> list[Told]:
    """Forwards in a bucket without flows, and forwards that exceed or deepen what they should cover."""
    told: list[Told] = []
    for row in table.filter(pl.col("hedged") != 0).iter_rows(named=True):
        name = f"{row['currency']}@{row['bucket']}"
        hedged, net = row["hedged"], row["net"]
        amount = f"{abs(hedged):,.0f} {row['currency']} {'sold' if hedged < 0 else 'bought'} forward"
        if net == 0:
            message = f"{amount} for {row['bucket']}, where no money is due: a hedge without exposure is a position"
            told.append((f"fx:alone:{name}", "warn", name, "hedge_alone", message))
        elif hedged * net > 0 or abs(hedged) > abs(net) * 1.0001:
            message = f"{amount} for {row['bucket']}, while the net flow is {net:,.0f}: more is hedged than is due once both directions are netted"
            told.append((f"fx:over:{name}", "warn", name, "over_hedged", message))
    return told
