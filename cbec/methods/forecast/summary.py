"""Figures, findings and notes of `forecast demand`: facts that add up over the parts of a catalogue, and what they tell of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.core import words
from cbec.methods.forecast import rolling, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.demand import Outlook
    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Found = tuple[str, str, str, str, str]
    """finding_id, severity, entity, rule, message"""

#: Findings of one rule at most; the rest is told in one line.
MOST = 50
#: Different notes of the parts at most.
NOTES = 20
#: A mean error of this part of the mean forecast is worth a finding.
BIASED = 0.3
#: ... where it is so many times what chance makes of it, the usual error over the root of the periods judged.
BEYOND_CHANCE = 2.0
#: Forecasts whose errors at the past origins are told.
RIVALS = ("chosen", "naive", "seller_formula")


def facts(panel: Panel, out: Outlook, actual: Floats, h: int, record: pl.DataFrame) -> dict[str, Any]:
    """What one catalogue, or a part of it, has to tell: plain numbers and words. actual: see `demand.judged`.

    came: units per period and units of the horizons; errors of each rival: absolute and signed ones per period, absolute ones of the
    horizons; all of them sums.
    """
    whole = np.where(np.isnan(actual).all(2), np.nan, np.nansum(actual, 2))
    errors = {}
    for label in RIVALS:
        forecast = (
            out.chosen if label == "chosen" else out.rolled.forecasts[rolling.NAIVE if label == "naive" else label]
        )
        reached = np.where(np.isnan(actual), 0.0, forecast[1:]).sum(2)
        gap = forecast[1:] - actual
        errors[label] = [_sum(np.abs(gap)), _sum(gap), _sum(np.abs(whole - reached))]
    names, counts = np.unique(out.model, return_counts=True)
    told = [] if panel.covariates is None else panel.covariates.findings
    return {
        "series": len(out.model),
        "frequency": panel.frequency,
        "horizon": h,
        "origins": len(out.rolled.cuts),
        "units_ahead": float(out.point.sum()),
        "came": [_sum(np.abs(actual)), _sum(np.abs(whole))],
        "errors": errors,
        "models": dict(zip(names.tolist(), counts.tolist(), strict=True)),
        "rules": _rules(panel, out, record),
        "findings": [list(f) for f in told],
    }


def _sum(values: Floats) -> float:
    return float(np.nansum(values))


def headline(parts: Sequence[dict[str, Any]]) -> str:
    """Why there is no sum of money."""
    return "a forecast moves no money by itself; forecast replenish prices the orders that follow from it"


def outcome(told: dict[str, float | int | str | None]) -> str:
    """The answer in one sentence, from the `metrics`."""
    per = words.PERIOD[str(told["frequency"])]
    span = words.of(int(told["horizon"] or 0), per)
    said = f"{float(told['units_ahead'] or 0):,.0f} units expected in the next {span}"
    ours, naive = told["wape_chosen"], told["wape_naive"]
    if ours is None or not naive:
        return said
    share = 1 - float(ours) / float(naive)
    said += f"; tried on the past, {100 * abs(share):.1f} % {'less' if share >= 0 else 'more'} error than the seasonal naive"
    # Orders stand on sums of periods: where these are worse, the error of single periods tells the wrong half.
    whole, rival = told["wape_total_chosen"], told["wape_total_naive"]
    if whole is not None and rival and float(whole) > float(rival):
        said += f", but {100 * (float(whole) / float(rival) - 1):.1f} % more on totals of the horizon"
    return said


def metrics(parts: Sequence[dict[str, Any]]) -> dict[str, float | int | str | None]:
    """Figures of the past origins, chosen beside naive and seller formula; shares of series by method."""
    first, series = parts[0], sum(p["series"] for p in parts)
    found: dict[str, float | int | str | None] = {
        "series": series,
        "frequency": first["frequency"],
        "horizon": first["horizon"],
        "origins": max(p["origins"] for p in parts),
        "units_ahead": round(sum(p["units_ahead"] for p in parts), 2),
    }
    came, total = (sum(p["came"][i] for p in parts) for i in (0, 1))
    for label in RIVALS:
        error, lean, reached = (sum(p["errors"][label][i] for p in parts) for i in (0, 1, 2))
        found[f"wape_{label}"] = round(error / came, 4) if came > 0 else None
        found[f"bias_{label}"] = round(lean / came, 4) if came > 0 else None
        found[f"wape_total_{label}"] = round(reached / total, 4) if total > 0 else None
    for name in sorted({name for p in parts for name in p["models"]}):
        found[f"share_{name}"] = round(sum(p["models"].get(name, 0) for p in parts) / series, 4)
    return found


def findings(parts: Sequence[dict[str, Any]]) -> list[Found]:
    """The largest series first within a rule."""
    out: list[Found] = []
    for number, (rule, severity, _, _) in enumerate(parts[0]["rules"]):
        of = [p["rules"][number] for p in parts]
        rows = sorted((row for _, _, _, rows in of for row in rows), key=lambda row: -row[0])[:MOST]
        out += [(f"{rule}:{entity}", severity, entity, rule, message) for _, entity, message in rows]
        more = sum(count for _, _, count, _ in of) - MOST
        if more > 0:
            out.append((f"{rule}:*", severity, "*", rule, f"and {more} more series; see model_record"))
    others: dict[str, Found] = {}
    for finding_id, severity, entity, rule, message in (f for p in parts for f in p["findings"]):
        others.setdefault(finding_id, (finding_id, severity, entity, rule, message))
    return [*out, *others.values()]


def notes(parts: Sequence[dict[str, Any]]) -> list[str]:
    """What the parts say, each thing once."""
    said = list(dict.fromkeys(note for p in parts for note in p["notes"]))
    if len(parts) == 1:
        return said
    count = sum(p["series"] for p in parts)
    cut = f"{count:,} series in {words.of(len(parts), 'part')} by SKU: seasons, choice of methods and spread are drawn from each part's own"
    return [cut, *said[:NOTES]]


def _units(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _entities(panel: Panel) -> list[str]:
    keys = tables.keys(panel)
    return (
        keys.select(pl.concat_str(["sku", "market", "warehouse", "channel"], separator="@", ignore_nulls=True))
        .to_series()
        .to_list()
    )


def leaning(panel: Panel, out: Outlook, record: pl.DataFrame) -> tuple[Floats, Floats, Flags]:
    """Mean error of each series at its past origins, the mean forecast there, and whether the one is worth telling.

    What a one-off bulk order brought above its cap is no error of that kind: nobody ought to have forecast it.
    """
    bias = record["bias"].fill_null(0.0).to_numpy()
    here = out.rolled.valid[1:, :, None] & ~np.isnan(out.rolled.actual[1:])
    judged = here.sum((0, 2))
    if panel.excess.any():
        bulk = rolling.actuals(panel.excess, out.rolled.cuts, here.shape[2])[1:]
        bias = bias + np.where(here, bulk, 0.0).sum((0, 2)) / np.maximum(judged, 1)
    mean = np.where(out.rolled.valid[1:, :, None], out.chosen[1:], 0.0).sum((0, 2)) / np.maximum(judged, 1)
    # Origins overlap: together they judge the periods since the first of them.
    span = (out.rolled.valid[1:] * np.array(out.rolled.cuts, float)[:, None]).max(0, initial=1.0)
    least = np.maximum(BIASED * np.maximum(mean, 1e-9), BEYOND_CHANCE * out.rolled.scale[0] / np.sqrt(span))
    return bias, mean, ~out.dead & (np.abs(bias) > least) & (out.choice.origins >= 2)


def _rules(
    panel: Panel, out: Outlook, record: pl.DataFrame
) -> list[tuple[str, str, int, list[tuple[float, str, str]]]]:
    """Rule, severity, how many series it meets, and the largest of these: units sold, name, message."""
    entity = _entities(panel)
    sold = np.nan_to_num(panel.units).sum(1)
    bias, mean, biased = leaning(panel, out, record)
    quiet = panel.units.shape[1] - 1 - panel.last
    unit = words.PERIOD[panel.frequency]
    missed = record["mae_naive"].fill_null(0.0).to_numpy() > 0
    naive = (out.model == rolling.NAIVE) & (out.choice.origins > 0) & missed

    def gone(i: int) -> str:
        ahead = float(out.point[i].sum())
        rest = (
            f": {ahead:.3g} units expected ahead, as much as came back of others" if ahead > 0 else ": forecast as zero"
        )
        return f"no sale for {words.of(int(quiet[i]), unit)}{rest}"

    def plain(i: int) -> str:
        return "tried on the past, no method beat the seasonal naive (as a year ago): it is used"

    def leans(i: int) -> str:
        side = "high" if bias[i] > 0 else "low"
        return (
            f"tried on the past, its forecasts were {_units(abs(bias[i]))} units a {unit} too {side}, at {_units(mean[i])} on the "
            "average; the range takes that into account, the mean does not"
        )

    def unknown(i: int) -> str:
        return (
            "out of stock whenever the data tell of it: what it would sell is not known, and it is in no forecast; name a SKU "
            "that it is like (--like), or give products with categories, so that it is forecast by analogues"
        )

    def begun(i: int) -> str:
        return (
            f"first sold in the last {unit}, which is not over: it is in no forecast; a finer --frequency sees it, and so do products "
            "with categories and launch dates or --like, by analogues"
        )

    rules: tuple[tuple[str, str, Flags, Callable[[int], str]], ...] = (
        ("obsolete", "info", panel.obsolete, gone),
        ("never_in_stock", "warn", panel.unseen & out.dead, unknown),
        ("only_partial", "warn", panel.unknown & ~panel.unseen & out.dead, begun),
        ("only_naive", "info", naive, plain),
        ("biased", "warn", biased, leans),
    )
    found = []
    for rule, severity, where, message in rules:
        rows = np.flatnonzero(where)
        largest = rows[np.lexsort((rows, -sold[rows]))][:MOST].tolist()
        found.append((rule, severity, len(rows), [(float(sold[i]), entity[i], message(i)) for i in largest]))
    return found
