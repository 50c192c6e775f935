"""Panel and figures into the tables of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.forecast import periods
from cbec.methods.forecast.covariates import KINDS
from cbec.methods.forecast.history import KEYS
from cbec.tables.demand import QUANTILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]


def keys(panel: Panel) -> pl.DataFrame:
    """All key columns: chosen ones as they are, sku and market `*` and the others empty where not chosen."""
    missing = [
        pl.lit("*" if k in ("sku", "market") else None, pl.String).alias(k) for k in KEYS if k not in panel.keys.columns
    ]
    return panel.keys.with_columns(missing).select(KEYS)


def moments(ordinals: NDArray[np.int64], frequency: str) -> pl.Series:
    """Date (H: Datetime) of the start of each period."""
    return pl.Series("date", periods.starts(ordinals, frequency))


def forecast(panel: Panel, figures: Mapping[str, Floats], model: NDArray[np.str_], flags: list[str]) -> pl.DataFrame:
    """Table `forecast`. figures: column name -> n x h."""
    rows = keys(panel).with_columns(pl.Series("model", model), pl.Series("flags", flags, pl.String))
    return by_period(panel, rows, figures)


def by_period(panel: Panel, rows: pl.DataFrame, figures: Mapping[str, Floats]) -> pl.DataFrame:
    """Each of n rows once per period ahead, with the period and its figures (column name -> n x h)."""
    count, h = next(iter(figures.values())).shape
    dates = moments(panel.ahead(h), panel.frequency)
    return rows[np.repeat(np.arange(count), h)].with_columns(
        pl.lit(panel.as_of).alias("as_of"),
        pl.lit(panel.frequency).alias("frequency"),
        dates[np.tile(np.arange(h), count)],
        pl.Series("h", np.tile(np.arange(1, h + 1), count)),
        *[pl.Series(name, np.ascontiguousarray(values).reshape(-1)) for name, values in figures.items()],
    )


def named(prefix: str, values: Floats) -> dict[str, Floats]:
    """Quantiles 8 x n x h by column name."""
    return {prefix + q: values[i] for i, q in enumerate(QUANTILES)}


def prepared(panel: Panel) -> pl.DataFrame:
    """Table `prepared`: the life of each series as the methods saw it."""
    width = panel.units.shape[1]
    columns = np.arange(width)
    end = np.where(panel.obsolete, panel.last, width - 1)
    alive = (columns >= panel.first[:, None]) & (columns <= end[:, None])
    row, column = np.nonzero(alive)
    label = np.full(panel.units.shape, "", dtype="<U10")
    label[panel.promo] = "promo"
    label[panel.excess > 0] = "bulk"
    label[panel.gap] = "gap_filled"
    label[panel.stock_out] = "stock_out"
    units = pl.Series("units", panel.units[alive]).fill_nan(None)
    return keys(panel)[row].with_columns(
        moments(panel.ordinals, panel.frequency)[column],
        units,
        pl.Series("returned", panel.returned[alive]),
        pl.Series("flag", label[alive]),
    )


def drivers(panel: Panel, mean: Floats, parts: Mapping[str, Floats]) -> pl.DataFrame:
    """Table `drivers`: parts per kind (n x h) of the series that one of them touches."""
    kinds = [k for k in parts if k != "base"]
    touched = np.zeros(len(mean), bool)
    for kind in kinds:
        touched |= (np.abs(parts[kind]) > 1e-4).any(1)
    rows = np.flatnonzero(touched)
    h = mean.shape[1]
    none = np.zeros((len(rows), h))
    # Rounded as they are written, with the rest in the base, so that a person can add them up.
    told = {k: np.round(parts[k][rows], 4) if k in parts else none for k in KINDS}
    base = mean[rows] - sum(told.values(), none)
    dates = moments(panel.ahead(h), panel.frequency)
    frame = keys(panel)[np.repeat(rows, h)]
    names = panel.covariates.named(rows, h) if panel.covariates is not None else [""] * (len(rows) * h)
    return frame.with_columns(
        dates[np.tile(np.arange(h), len(rows))],
        pl.Series("h", np.tile(np.arange(1, h + 1), len(rows))),
        *[pl.Series(k, np.ascontiguousarray(v).reshape(-1)) for k, v in {"base": base, **told}.items()],
        pl.Series("mean", np.ascontiguousarray(mean[rows]).reshape(-1)),
        pl.Series("names", names, pl.String),
    )
