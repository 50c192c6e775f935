"""The score of suppliers: shares with intervals, criteria on fixed scales, ranks, and how far the weights decide them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods import proportions, shrinkage
from cbec.methods.supplier.leadtimes import curve_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cbec.methods.supplier.leadtimes import Cell
    from cbec.methods.supplier.lines import Record

    Floats = NDArray[np.float64]

#: Days are whole: no spread is known to less than the variance of rounding to them.
_LEAST = 1 / 12
CRITERIA = ("score_otif", "score_lead_time", "score_quality", "score_price")


@dataclass(frozen=True)
class Scale:
    """What the settings say of the score. A criterion is worth nothing from `worst_cv` (lead time), `worst_ppm`
    (defects) or `worst_drift_pct` (prices per year) on, everything at 0, and falls evenly between; OTIF counts as it is."""

    interval: str
    confidence: float
    target: float
    min_orders: int
    weights: tuple[float, float, float, float]
    band: float
    worst_cv: float
    worst_ppm: float
    worst_drift_pct: float


def shares(record: Record, scale: Scale) -> pl.DataFrame:
    """Per supplier: counts, shares with their intervals, days late and early, defects, trend. Sorted by supplier."""
    frame = record.frame.sort("supplier_id", "item")
    names = frame["supplier_id"].unique(maintain_order=True)
    group = frame["supplier_id"].rle_id().to_numpy().astype(np.intp)
    order = frame.select(pl.struct("supplier_id", "po_id").rank("dense") - 1).to_series().to_numpy().astype(np.intp)
    out = frame.group_by("supplier_id", maintain_order=True).agg(
        name=pl.col("name").first(),
        orders=pl.col("po_id").n_unique(),
        lines=pl.len(),
        due=pl.col("matured").sum(),
        open=(~pl.col("matured")).sum(),
        overdue=(pl.col("matured") & pl.col("pending")).sum(),
        revised=pl.col("moved").filter("matured").mean(),
        otif_revised=pl.col("otif_revised").mean(),
        units_on_time=pl.col("in_time").sum() / pl.col("qty").filter("matured").sum(),
        late_days=pl.col("late").mean(),
        early_days=pl.col("early").mean(),
        inspected=pl.col("inspected").sum(),
        rejected=pl.col("rejected").sum(),
    )

    def share(column: str, rows: pl.Series) -> tuple[Floats, Floats]:
        """Hits and effective cases per supplier."""
        keep = (rows & frame[column].is_not_null()).to_numpy()
        hit = frame[column].fill_null(False).to_numpy()[keep].astype(np.float64)
        codes = np.unique(order[keep], return_inverse=True)[1].astype(np.intp)
        n, worth = proportions.effective(group[keep], codes, hit, names.len())
        hits = np.bincount(group[keep], weights=hit, minlength=names.len())
        with np.errstate(invalid="ignore"):
            return np.where(n > 0, hits / n * worth, 0.0), np.where(n > 0, worth, 0.0)

    every = pl.Series([True]).new_from_index(0, frame.height)
    columns: dict[str, Floats] = {}
    for name in ("otif", "on_time", "in_full"):
        hits, worth = share(name, every)
        with np.errstate(invalid="ignore"):
            columns[name] = hits / worth
        columns[f"{name}_low"], columns[f"{name}_high"] = proportions.interval(
            scale.interval, hits, worth, scale.confidence
        )
        if name == "otif":
            drawn, _, _ = proportions.shrunk(hits, worth)
            columns["otif_shrunk"] = drawn
    first, last = (share("otif", frame["half"] == half) for half in (0, 1))
    with np.errstate(invalid="ignore"):
        columns["otif_first"], columns["otif_last"] = first[0] / first[1], last[0] / last[1]
    enough = np.minimum(first[1], last[1]) >= scale.min_orders
    # Among many suppliers one seems to change by chance: the risk is shared among all that are tested (Bonferroni).
    surer = 1 - (1 - scale.confidence) / max(int(enough.sum()), 1)
    low, high = proportions.difference(*last, *first, surer)
    trend = np.where(~enough, "unknown", np.where(high < 0, "worse", np.where(low > 0, "better", "steady")))
    rejected, inspected = out["rejected"].to_numpy(), out["inspected"].to_numpy()
    # More rejected than inspected is a slip of the table; the share is then all.
    ppm_low, ppm_high = proportions.jeffreys(np.minimum(rejected, inspected), inspected, scale.confidence)
    with np.errstate(invalid="ignore"):
        columns["defect_ppm"] = 1e6 * np.minimum(rejected, inspected) / inspected
    columns["defect_ppm_low"], columns["defect_ppm_high"] = 1e6 * ppm_low, 1e6 * ppm_high
    return out.with_columns(pl.Series(k, v).fill_nan(None) for k, v in columns.items()).with_columns(
        trend=pl.Series(trend.tolist(), dtype=pl.String)
    )


def lead_times(record: Record, cells: Sequence[Cell]) -> pl.DataFrame:
    """Per supplier: mean, deviation, CV and p90 of the lead time.

    The deviation is that within a warehouse (pooled): that Los Angeles is further than Hamburg is not unsteadiness.
    promise_sd_days is that of receipt against promise. _spread: that one, else the deviation of the lead time.
    """
    rows = []
    for (name,), lines in record.frame.filter(pl.col("lead").is_not_null()).sort("supplier_id", "item").group_by(
        "supplier_id", maintain_order=True
    ):  # fmt: skip
        whole = next((c for c in cells if c.supplier == name and c.warehouse is None), None)
        if whole is None:
            continue
        own = [c for c in cells if c.supplier == name and c.warehouse is not None] or [whole]
        n = sum(c.curve.n for c in own)
        mean = sum(c.mean * c.curve.n for c in own) / n
        sd = (sum(c.variance * c.curve.n for c in own) / n) ** 0.5
        p90 = curve_of(lines).quantile(0.9) if lines["ended"].sum() >= 20 else whole.p90
        late = lines.filter("ended").select(
            (pl.col("lead") - (pl.col("due") - pl.col("order_date")).dt.total_days()).drop_nulls()
        )
        told = late.height
        rows.append(
            (
                str(name),
                mean,
                sd,
                sd / mean if mean > 0 else None,
                p90,
                late.to_series().var() if told > 1 else None,
                float(told),
            )
        )
    names = ("lead_time_days", "lead_time_sd_days", "lead_time_cv", "lead_time_p90_days", "_off", "_told")
    table = pl.DataFrame(rows, schema={"supplier_id": pl.String(), **dict.fromkeys(names, pl.Float64())}, orient="row")
    promised = table["_told"].to_numpy() > 0
    off = np.where(promised, np.maximum(table["_off"].fill_null(np.nan).to_numpy(), _LEAST), np.nan)
    drawn, _, _ = shrinkage.variances(off, np.maximum(table["_told"].to_numpy() - 1, 0.0))
    sd_off = pl.Series("promise_sd_days", np.where(promised, np.sqrt(drawn), np.nan)).fill_nan(None)
    return (
        table.drop("_off", "_told")
        .with_columns(sd_off)
        .with_columns(_spread=pl.coalesce("promise_sd_days", "lead_time_sd_days"))
    )


def ranked(table: pl.DataFrame, scale: Scale) -> pl.DataFrame:
    """Criteria (0..100), score, rank, and the best and worst rank while every weight moves within its band.

    The scales are fixed by settings, not by who else is there: a supplier more changes no other's criteria but through
    the mean that few lines are drawn to. A criterion that is not known is left out and the other weights fill its place.
    Without a due line there is no score, with fewer than `min_orders` no rank.
    """

    def worth(column: str, worst: float) -> pl.Expr:
        return 100 * (1 - pl.col(column).clip(0.0) / worst).clip(0.0, 1.0)

    table = table.with_columns(_cv=pl.col("_spread") / pl.when(pl.col("lead_time_days") > 0).then("lead_time_days"))
    table = table.with_columns(
        score_otif=pl.when(pl.col("due") > 0).then(100 * pl.col("otif_shrunk")),
        score_lead_time=worth("_cv", scale.worst_cv),
        score_quality=worth("defect_ppm", scale.worst_ppm),
        score_price=worth("price_drift_pct", scale.worst_drift_pct),
    )
    values = table.select(CRITERIA).cast(pl.Float64).to_numpy()
    values = np.where((table["due"] > 0).to_numpy()[:, None], values, np.nan)
    base = np.array(scale.weights)
    score = _weighted(values, base)
    corners = [base * np.array(c) for c in product((1 - scale.band, 1 + scale.band), repeat=len(base))]
    enough = (table["due"] >= scale.min_orders).to_numpy()
    ranks = np.array([_ranks(np.where(enough, _weighted(values, w), np.nan)) for w in [base, *corners]])
    return table.with_columns(
        pl.Series("score", score).fill_nan(None),
        *(
            pl.Series(name, figures).fill_nan(None).cast(pl.Int64)
            for name, figures in (("rank", ranks[0]), ("rank_best", ranks.min(0)), ("rank_worst", ranks.max(0)))
        ),
    )


def _weighted(values: Floats, weights: Floats) -> Floats:
    """Mean of the known criteria; NaN where nothing is known."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        out: Floats = np.where(known, values, 0.0) @ weights / (known @ weights)
    return out


def _ranks(score: Floats) -> Floats:
    """1 + how many are better by more than rounding; NaN stays."""
    told = np.round(score, 9)
    better = (told[None, :] > told[:, None]).sum(1) + 1.0
    return np.where(np.isnan(score), np.nan, better)


def reasoned(table: pl.DataFrame, scale: Scale) -> pl.DataFrame:
    """Flags of all that stands out, and the reason code of what matters most.

    Late, short and faulty mean that even the friendly end of the interval misses the target.
    """
    few = pl.col("due") < scale.min_orders
    aim = scale.target
    marks = {
        "worse": pl.col("trend") == "worse",
        "late": (pl.col("on_time_high") < aim) & ~few,
        "short": (pl.col("in_full_high") < aim) & ~few,
        "defects": pl.col("defect_ppm_low") > scale.worst_ppm / 2,
        "price": pl.col("price_drift_pct") > scale.worst_drift_pct / 2,
        "moves_dates": (pl.col("revised") > 0.2) & ~few,
        "few_orders": few & (pl.col("due") > 0),
        "better": pl.col("trend") == "better",
    }
    table = table.with_columns(**{f"_{k}": v.fill_null(False) for k, v in marks.items()})
    flags = pl.concat_str(
        [pl.when(pl.col(f"_{k}")).then(pl.lit(k)) for k in sorted(marks)], separator="|", ignore_nulls=True
    )
    cases = [
        (pl.col("due") == 0, "nothing_due"),
        *((pl.col(f"_{mark}"), mark) for mark in ("few_orders", "worse", "short", "late", "defects", "price")),
        (pl.col("otif_low") >= aim, "excellent"),
        (pl.col("otif_high") < aim, "late_and_short"),
        (pl.lit(True), "fair"),
    ]
    code = pl.coalesce(*(pl.when(case).then(pl.lit(f"supplier_{word}")) for case, word in cases))
    return table.with_columns(flags=flags, reason_code=code).with_columns(
        _target=pl.lit(100 * aim),
        _missing=100 * (1 - pl.col("in_full")),
        _late=100 * (1 - pl.col("on_time")),
        **{f"_{c}_pct": 100 * pl.col(c) for c in ("otif", "otif_low", "otif_high", "otif_first", "otif_last", "on_time", "in_full")},
    )  # fmt: skip
