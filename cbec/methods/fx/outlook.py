"""The table fx_forecast: today's distribution of each pair, beside the record of the procedure that made it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.core import reasons
from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.fx import parity, spread
from cbec.methods.fx.centre import MODELS
from cbec.methods.fx.record import Record, record
from cbec.methods.fx.volatility import WARM, variances
from cbec.tables.money import FX_LEVELS, FX_QUANTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.methods.fx.panel import Panel, Refused, Series, Told

YEAR = 250  # fixings
SHOWN = 250  # fixings of the table fx_history
PEGGED = 0.01  # a volatility below this is a peg's
#: Kupiec's test is told as a finding below this, since it is asked of many pairs at once.
DOUBT = 0.01
WORDS = {"autoregression": "last returns", "reversion": "distance from past means"}

Row = dict[str, Any]


@dataclass
class Outlook:
    """Rows of fx_forecast and fx_history, and what to say of them."""

    forecast: pl.DataFrame
    history: pl.DataFrame
    metrics: dict[str, float | int | str | None]
    findings: list[Told] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def horizons(text: str) -> tuple[int, ...]:
    """`1,5,20,60` in order; UsageFault where it is no list of whole numbers from 1 to 260."""
    parts = [p.strip() for p in text.split(",")]
    if not all(p.isascii() and p.isdecimal() and 1 <= int(p) <= 260 for p in parts):
        raise UsageFault(
            f'horizons: "{text}" is no list of business days from 1 to 260', hint="e.g. --horizons 1,5,20,60"
        )
    return tuple(sorted({int(p) for p in parts}))


def chosen(panel: Panel, currencies: str) -> tuple[list[Series], list[Refused]]:
    """The pairs to forecast; asked for by name, a pair that cannot be told is an error and not a marked row."""
    wanted = {c.strip().upper() for c in currencies.split(",") if c.strip()}
    if not wanted:
        return panel.series, panel.refused
    for refused in panel.refused:
        if refused.base in wanted or refused.quote in wanted - {panel.home}:
            raise InputRejected(f"rates: {refused.base}/{refused.quote} cannot be told: {refused.why}")
    found = [s for s in panel.series if s.base in wanted or s.quote in wanted - {panel.home}]
    missing = sorted(wanted - {c for s in found for c in (s.base, s.quote)})
    if missing:
        raise InputRejected(f"rates: no pair of {', '.join(missing)}")
    return found, []


def outlook(
    panel: Panel,
    ahead: Sequence[int],
    currencies: str,
    interest: parity.Interest | None,
    record_days: int,
    language: str,
) -> Outlook:
    """Forecast every pair of the panel at each horizon, with its record over the last `record_days` fixings.

    interest: policy rates; where both currencies of a pair have one, the centre is the forward and says so.
    """
    series, refused = chosen(panel, currencies)
    if not series and not refused:
        raise InputRejected("rates: no pair to forecast")
    rows, history, findings = [], [], list(panel.findings)
    for one in series:
        made, past, told = _pair(one, panel, ahead, interest, record_days)
        rows += made
        history.append(past)
        findings += told
    for gone in refused:
        rows += [
            _blank(gone.base, gone.quote, panel, h) | {"reason_code": "fx_refused", "_why": gone.why} for h in ahead
        ]
        message = f"{gone.base}/{gone.quote} is not forecast: {gone.why}"
        findings.append(
            (f"fx:refused:{gone.base}{gone.quote}", "warn", f"{gone.base}/{gone.quote}", "refused", message)
        )
    table = pl.DataFrame(rows, schema=_schema(), orient="row")
    table = reasons.render(table, language).rename({"reason": "verdict"})
    notes = list(panel.notes)
    if interest is not None:
        notes += _parity_notes(series, panel, interest)
    past = pl.concat(history) if history else pl.DataFrame(schema=_PAST)
    return Outlook(table, past, _metrics(table, ahead), findings, notes)


def _pair(
    one: Series, panel: Panel, ahead: Sequence[int], interest: parity.Interest | None, record_days: int
) -> tuple[list[Row], pl.DataFrame, list[Told]]:
    by_horizon = variances(one.logs, (1, *ahead))
    rows: list[Row] = []
    findings: list[Told] = []
    first = max(len(one.logs) - record_days, 0)
    for h in ahead:
        drift = None if interest is None else interest.drift(one.base, one.quote, one.dates, h)
        kept = record(one.logs, by_horizon[h], h, first=first, drift=drift)
        rows.append(_row(one, panel, kept, drift is not None))
        findings += _doubts(one, kept)
    daily = by_horizon[1]
    yearly = math.sqrt(YEAR * daily[-1]) if np.isfinite(daily[-1]) else None
    if yearly is not None and yearly < PEGGED:
        message = f"{one.name} moves by {100 * yearly:.2f} % a year, like a peg: that the peg breaks is not in this distribution"
        findings.append((f"fx:peg:{one.base}{one.quote}", "warn", one.name, "pegged", message))
    volatility = np.sqrt(YEAR * daily[-SHOWN:])
    past = pl.DataFrame(
        {
            "base": [one.base] * len(volatility),
            "quote": [one.quote] * len(volatility),
            "date": pl.Series(one.dates[-SHOWN:]).cast(pl.Date),
            "rate": np.exp(one.logs[-SHOWN:]),
            "volatility": pl.Series(volatility).fill_nan(None),
        },
        schema=_PAST,
    )
    return rows, past, findings


def _row(one: Series, panel: Panel, kept: Record, parity_used: bool) -> Row:
    row = _blank(one.base, one.quote, panel, kept.h)
    last = len(one.logs) - 1
    shape = spread.pool(kept.scores, last, kept.h)
    deviation = math.sqrt(kept.variance[last]) if np.isfinite(kept.variance[last]) else math.nan
    needed = WARM + kept.h + spread.FEWEST
    # A pool holds every error four times (see spread.pool); a rate that never moved has none.
    if len(shape) < 4 * spread.FEWEST or not shape.any():
        why = f"{last + 1} fixings are known, {needed} are needed" if last + 1 < needed else "it never moved"
        return row | {"reason_code": "fx_refused", "_why": why, "spot": one.spot}
    change, used = float(kept.centre.change[last]), int(kept.centre.model[last])
    middle = one.spot * math.exp(change)
    grown, scattered = spread.moments(shape, deviation)
    levels = middle * np.exp(deviation * spread.quantiles(shape, FX_LEVELS))
    gain = float(kept.centre.gain[last])
    tested = math.isfinite(gain)
    tail = kept.tail(0.01)
    row |= {
        "spot": one.spot,
        "mean": middle * grown,
        "sd": middle * scattered,
        **dict(zip(FX_QUANTILES, (float(x) for x in levels), strict=True)),
        "model": MODELS[used - 1] if used else "forward" if parity_used else "random_walk",
        "rw_ratio": kept.ratio,
        "p_value": float(kept.centre.p_value[last]) if tested else None,
        "origins": len(kept.at),
        "coverage_90": kept.coverage(0.05, 0.95),
        "kupiec_p": None if tail is None else tail[2],
        "_gain": math.sqrt(max(gain, 0.0)) if tested else None,
        "_best": WORDS[MODELS[int(kept.centre.best[last]) - 1]] if tested else None,
        "_points": 100 * math.expm1(change) / (kept.h * 7 / 5 / 365) if parity_used and not used else None,
    }
    return row | {"reason_code": _code(row, bool(used), tested, parity_used)}


def _code(row: Row, used: bool, tested: bool, parity_used: bool) -> str:
    if used:
        return "fx_model"
    if parity_used:
        return "fx_forward" if row["origins"] else "fx_forward_untested"
    return "fx_random_walk" if tested else "fx_untested"


def _blank(base: str, quote: str, panel: Panel, h: int) -> Row:
    target = parity.business_day(panel.as_of, h)
    return {
        "base": base,
        "quote": quote,
        "as_of": panel.as_of,
        "horizon_days": h,
        "target_date": target,
        "model": "none",
        "origins": 0,
    }


def _schema() -> dict[str, Any]:
    text, whole, number = pl.String, pl.Int64, pl.Float64
    return {
        "base": text, "quote": text, "as_of": pl.Date, "horizon_days": whole, "target_date": pl.Date, "spot": number, "mean": number, "sd": number,
        **dict.fromkeys(FX_QUANTILES, number), "model": text, "rw_ratio": number, "p_value": number, "origins": whole, "coverage_90": number,
        "kupiec_p": number, "reason_code": text, "_gain": number, "_best": text, "_points": number, "_why": text,
    }  # fmt: skip


_PAST: dict[str, Any] = {
    "base": pl.String,
    "quote": pl.String,
    "date": pl.Date,
    "rate": pl.Float64,
    "volatility": pl.Float64,
}


def _doubts(one: Series, kept: Record) -> list[Told]:
    told: list[Told] = []
    for level, side in ((0.01, "below q01"), (0.99, "above q99")):
        tested = kept.tail(level)
        if tested is not None and tested[2] < DOUBT:
            broken, days, p = tested
            message = f"{one.name} went {side} on {broken} of {days} days, 1 % was said (Kupiec p = {p:.3f}): its tails are not trusted"
            told.append((f"fx:tail:{one.base}{one.quote}:{level}", "warn", one.name, "tail_rejected", message))
    return told


def _parity_notes(series: Sequence[Series], panel: Panel, interest: parity.Interest) -> list[str]:
    notes = []
    without = sorted({c for s in series for c in (s.base, s.quote)} - set(interest.days))
    if without:
        notes.append(f"no policy rate of {', '.join(without)}: the centre of their pairs is today's rate")
    for code in sorted({c for s in series for c in (s.base, s.quote)} & set(interest.days)):
        since = interest.days[code][-1].astype(object)
        if parity.stale(since, panel.as_of):
            notes.append(f"the policy rate of {code} is of {since}: is it still in force?")
    return notes


def _metrics(table: pl.DataFrame, ahead: Sequence[int]) -> dict[str, float | int | str | None]:
    told = table.filter(pl.col("mean").is_not_null())
    made: dict[str, float | int | str | None] = {
        "pairs": told.select("base", "quote").n_unique(),
        "pairs_refused": table.filter(pl.col("model") == "none").select("base", "quote").n_unique(),
        "models_used": told.filter(pl.col("model").is_in(MODELS)).height,
        "kupiec_rejected": told.filter(pl.col("kupiec_p") < 0.05).height,
    }
    for h in ahead:
        ratios = told.filter(pl.col("horizon_days") == h)["rw_ratio"].drop_nulls()
        made[f"rw_ratio_h{h}"] = float(np.exp(np.log(ratios.to_numpy()).mean())) if len(ratios) else None
    return made
