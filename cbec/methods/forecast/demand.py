"""The whole way from a panel to the tables of `forecast demand`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.core import words
from cbec.methods.forecast import challenge, distribution, drivers, global_model, periods, rolling, select, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


#: Of series that were never in stock and have no analogues: they have a record, but no forecast.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outlook:
    """What a panel lets expect: point and quantiles (8 x n x h) per period and of the totals, and how they came about."""

    rolled: rolling.Rolled
    choice: select.Choice
    chosen: Floats
    dead: Flags
    point: Floats
    single: Floats
    total: Floats
    model: NDArray[np.str_]


def outlook(panel: Panel, h: int, *, every: bool = False, trees: str = "off") -> Outlook:
    """Fit, choose and calibrate; series without sales are forecast as zero, delisted ones as what came
    back of such series before. every, trees: see `rolling.roll`."""
    rolled = rolling.roll(panel, h, every=every, trees=trees)
    choice = challenge.challenge(panel, rolled, select.choose(panel, rolled), asked=trees == "on")
    chosen = select.chosen(rolled, choice)
    # Rounded as it is written, so that cum_mean is the sum of the means that a person sees.
    point = np.round(chosen[0], 4)
    dead = (panel.demand_class == "empty") | (panel.obsolete & (point.sum(1) == 0))
    point[dead] = 0.0
    single, total = distribution.around(panel, rolled, chosen, point)
    single[:, dead], total[:, dead] = 0.0, 0.0
    mixed = choice.weight[0].max(0) < 1
    model = np.where(mixed, "weighted", np.array(choice.names)[choice.best])
    if global_model.NAME in choice.names:
        half = mixed & (choice.weight[0, choice.names.index(global_model.NAME)] > 0)
        model = np.where(half, "half_global", model)
    model = np.where(dead, "zero", model)
    return Outlook(rolled, choice, chosen, dead, point, single, total, model)


@dataclass
class Answer:
    """Tables, those that are made only where they are asked for, and what the whole is told from (see summary.py)."""

    tables: dict[str, pl.DataFrame]
    later: dict[str, Callable[[], pl.DataFrame]]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Sums:
    """Which sums of series to forecast too (see levels.parse), how they are made to add up, and the seed of the draws."""

    levels: str
    way: str
    seed: int


def answer(
    panel: Panel,
    horizon: int,
    products: pl.DataFrame | None = None,
    *,
    sums: Sums | None = None,
    explained: str = "",
    like: dict[str, str] | None = None,
    trees: str = "off",
) -> Answer:
    """Forecast, record and prepared demand of a panel; with `sums` the levels above it besides, all of them coherent.

    explained: a series of which every method's forecasts are told, as SKU@MARKET. like: new SKU -> the SKU it resembles.
    trees: whether the global model is taught (auto, on, off).
    """
    from cbec.methods.forecast import explain, launch, levels, summary

    h = horizon or periods.HORIZON[panel.frequency]
    row = explain.find(panel, explained) if explained else None
    out = outlook(panel, h, trees=trees)
    out, kin, told = launch.applied(panel, out, products, like or {}, h)
    out = replace(out, model=np.where(panel.unknown & out.dead, UNKNOWN, out.model))
    above = None
    if sums is not None:
        above = levels.coherent(panel, out, levels.parse(sums.levels, panel, products), h, sums.way, sums.seed)
        out = levels.moved(out, above.point) if above.method == "mint" else out
    alive = ~out.dead[:, None]
    figures = {
        "mean": out.point,
        **tables.named("", out.single),
        "cum_mean": np.cumsum(out.point, 1),
        **tables.named("cum_", out.total),
        "naive": np.where(alive, out.rolled.forecasts[rolling.NAIVE][0], 0.0),
        "seller_formula": np.where(alive, out.rolled.forecasts["seller_formula"][0], 0.0),
    }
    record = _record(panel, out)
    bias, _, leans = summary.leaning(panel, out, record)
    flags = _with_leaning(panel.flags(), bias, leans)
    record = record.with_columns(pl.Series("flags", flags, pl.String))
    known = tables.forecast(panel, figures, out.model, flags).filter(pl.col("model") != UNKNOWN)
    made = {"forecast": known, "model_record": record}
    later = {"prepared": lambda: tables.prepared(panel)}
    if out.rolled.effect is not None:
        later["drivers"] = lambda: tables.drivers(panel, out.point, drivers.told(out))
    if row is not None:
        made["explained"] = explain.rows(panel, out, row)
    notes = [*_notes(panel, out, h), *told, *(_untold(panel) if products is None else [])]
    if kin.height:
        made["analogues"] = kin
    if above is not None:
        made |= {"forecast_levels": levels.rows(panel, above), "level_record": above.record}
        notes += above.notes
    facts = summary.facts(panel, out, judged(out), h, record)
    return Answer(made, later, facts | {"notes": [*panel.notes, *notes]})


def judged(out: Outlook) -> Floats:
    """K x n x h: what came after the past origins where a series could be judged."""
    return np.where((out.rolled.valid & ~out.dead)[1:, :, None], out.rolled.actual[1:], np.nan)


def _record(panel: Panel, out: Outlook) -> pl.DataFrame:
    actual = judged(out)
    n = (~np.isnan(actual)).sum((0, 2))

    def mean(error: Floats) -> Floats:
        return np.where(n > 0, np.nansum(error, (0, 2)) / np.maximum(n, 1), np.nan)

    def mae(name: str) -> Floats:
        return mean(np.abs(out.rolled.forecasts[name][1:] - actual))

    own, base = mean(np.abs(out.chosen[1:] - actual)), mae(rolling.NAIVE)
    added = np.where(base > 0, 1 - own / np.where(base > 0, base, 1.0), np.nan)
    figures = {
        "adi": panel.adi,
        "cv2": panel.cv2,
        "mae": own,
        "mae_naive": base,
        "mae_seller_formula": mae("seller_formula"),
        "bias": mean(out.chosen[1:] - actual),
        "value_added": added,
    }
    return tables.keys(panel).with_columns(
        pl.Series("demand_class", panel.demand_class),
        *[pl.Series(name, values).fill_nan(None) for name, values in figures.items()],
        pl.Series("periods", (~np.isnan(panel.units)).sum(1)),
        pl.Series("origins", np.where(out.dead, 0, out.choice.origins)),
        pl.Series("model", out.model),
    )


def _with_leaning(flags: list[str], bias: Floats, leans: Flags) -> list[str]:
    """The flags, and `ran_high` or `ran_low` of series whose forecasts did at past origins (see `summary.leaning`)."""
    found = list(flags)
    for i in np.flatnonzero(leans).tolist():
        word = "ran_high" if bias[i] > 0 else "ran_low"
        found[i] = "|".join(sorted({*flags[i].split("|"), word} - {""}))
    return found


def _untold(panel: Panel) -> list[str]:
    """What a table of products would change: nobody can tell a launch from a first sale that came late without it."""
    young = periods.YOUNG[panel.frequency]
    if panel.units.shape[1] <= 2 * young or not (panel.demand_class == "new").any():
        return []  # where all is young there were no launches before
    unit = words.of(young, words.PERIOD[panel.frequency])
    told = (
        f"some series are younger than {unit}: --products with category and launch_date forecasts them by the launches before them; "
        "without it they rest on their few sales and mostly come out low"
    )
    return [told]


def _notes(panel: Panel, out: Outlook, h: int) -> list[str]:
    notes = [*out.choice.notes, *drivers.notes(panel, out.rolled.effect)]
    if not out.rolled.cuts:
        notes.append(
            "history too short to try methods on the past: choice and range follow general experience, not a record"
        )
    elif h > int((~np.isnan(out.rolled.actual[1:])).any((0, 1)).sum()):
        notes.append("the record covers only the first part of the horizon; beyond it the spread is extrapolated")
    if panel.dropped:
        notes.append("not whole and left out: " + ", ".join(d.split("_")[1] + " period" for d in panel.dropped))
    return notes
