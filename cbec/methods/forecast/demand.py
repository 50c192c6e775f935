"""The whole way from a panel to the tables of `forecast demand`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.forecast import calibrate, periods, select, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]

GROUPS = ("smooth", "erratic", "intermittent", "lumpy", "new", "obsolete", "empty")


@dataclass
class Answer:
    """Tables, metrics, findings (as tuples of Finding's fields) and notes."""

    tables: dict[str, pl.DataFrame]
    metrics: dict[str, float | int | str | None]
    findings: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def answer(panel: Panel, horizon: int) -> Answer:
    """Forecast, record and prepared demand of a panel."""
    h = horizon or periods.HORIZON[panel.frequency]
    rolled = select.roll(panel, h)
    choice = select.choose(panel, rolled)
    dead = panel.obsolete | (panel.demand_class == "empty")
    stacked = np.stack([rolled.forecasts[n] for n in choice.names])
    rows = np.arange(len(choice.best))
    chosen = stacked[choice.best, :, rows].transpose(1, 0, 2)
    point = np.where(dead[:, None], 0.0, chosen[0])
    group = np.array([GROUPS.index(c) for c in panel.demand_class.tolist()])
    valid = rolled.valid[1:, :, None]
    actual = np.where(valid, rolled.actual[1:], np.nan)
    single = calibrate.quantiles(point, rolled.scale[0], chosen[1:], rolled.scale[1:], actual, group)
    total = np.cumsum(point, 1)
    cum = calibrate.quantiles(
        total, rolled.scale[0], np.cumsum(chosen[1:], 2), rolled.scale[1:], np.cumsum(actual, 2), group
    )
    cum = np.maximum.accumulate(cum, 2)
    single[:, dead], cum[:, dead] = 0.0, 0.0
    figures = {
        "mean": point,
        **tables.named("", single),
        "cum_mean": total,
        **tables.named("cum_", cum),
        "naive": np.where(dead[:, None], 0.0, rolled.forecasts["seasonal_naive"][0]),
        "seller_formula": np.where(dead[:, None], 0.0, rolled.forecasts["seller_formula"][0]),
    }
    model = np.where(dead, "zero", np.array(choice.names)[choice.best])
    flags = panel.flags()
    made = {
        "forecast": tables.forecast(panel, figures, model, flags),
        "model_record": _record(panel, rolled, choice, chosen, model, flags),
        "prepared": tables.prepared(panel),
    }
    return Answer(made, {"series": len(model), "horizon": h, "frequency": panel.frequency})


def _record(
    panel: Panel,
    rolled: select.Rolled,
    choice: select.Choice,
    chosen: Floats,
    model: NDArray[np.str_],
    flags: list[str],
) -> pl.DataFrame:
    def mae(forecast: Floats) -> Floats:
        gap = np.where(rolled.valid[1:, :, None], np.abs(forecast[1:] - rolled.actual[1:]), np.nan)
        n = (~np.isnan(gap)).sum((0, 2))
        return np.where(n > 0, np.nansum(gap, (0, 2)) / np.maximum(n, 1), np.nan)

    own, base = mae(chosen), mae(rolled.forecasts["seasonal_naive"])
    gap = np.where(rolled.valid[1:, :, None], chosen[1:] - rolled.actual[1:], np.nan)
    n = (~np.isnan(gap)).sum((0, 2))
    bias = np.where(n > 0, np.nansum(gap, (0, 2)) / np.maximum(n, 1), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        added = np.where(base > 0, 1 - own / base, np.nan)
    return tables.keys(panel).with_columns(
        pl.Series("demand_class", panel.demand_class),
        *[
            pl.Series(name, values).fill_nan(None)
            for name, values in {
                "adi": panel.adi,
                "cv2": panel.cv2,
                "mae": own,
                "mae_naive": base,
                "mae_seller_formula": mae(rolled.forecasts["seller_formula"]),
                "bias": bias,
                "value_added": added,
            }.items()
        ],
        pl.Series("periods", (~np.isnan(panel.units)).sum(1)),
        pl.Series("origins", choice.origins),
        pl.Series("model", model),
        pl.Series("flags", flags, pl.String),
    )
