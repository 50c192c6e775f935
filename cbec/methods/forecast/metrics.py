"""Measures of forecasts as the field defines them; arrays are series x horizon, NaN actuals do not count.

sMAPE 0-200 (Makridakis 1993), MASE (Hyndman & Koehler 2006), RMSSE and pinball loss as in the M5 competition, WAPE and
bias pooled over everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def smape(actual: Floats, forecast: Floats) -> float | None:
    """200 |y - f| / (|y| + |f|), 0 where both are 0: mean over the horizon, then over the series."""
    total = np.abs(actual) + np.abs(forecast)
    each = np.where(total > 0, 200 * np.abs(actual - forecast) / np.where(total > 0, total, 1.0), 0.0)
    return _mean_of_rows(np.where(np.isnan(actual), np.nan, each))


def seasonal_scale(known: Floats, season: int) -> Floats:
    """Mean |y_t - y_(t-m)| per history (right-aligned, NaN = not known); m = 1 where the history is no longer than m."""
    life = known.shape[1] - np.where((~np.isnan(known)).any(1), (~np.isnan(known)).argmax(1), known.shape[1])
    one = _mean_row(np.abs(known[:, 1:] - known[:, :-1]))
    if season <= 1 or known.shape[1] <= season:
        return one
    return np.where(life > season, _mean_row(np.abs(known[:, season:] - known[:, :-season])), one)


def squared_scale(known: Floats) -> Floats:
    """Mean (y_t - y_(t-1))^2 per history."""
    return _mean_row((known[:, 1:] - known[:, :-1]) ** 2)


def mase(actual: Floats, forecast: Floats, scale: Floats) -> float | None:
    """Mean over series of the mean absolute error over the scale; series without a positive scale do not count."""
    return _scaled(np.abs(actual - forecast), scale, root=False)


def rmsse(actual: Floats, forecast: Floats, scale: Floats) -> float | None:
    """Mean over series of the root of the mean squared error over the squared scale."""
    return _scaled((actual - forecast) ** 2, scale, root=True)


def wape(actual: Floats, forecast: Floats) -> float | None:
    """Sum |y - f| / sum |y|."""
    return _share(float(np.nansum(np.abs(actual - forecast))), actual)


def bias(actual: Floats, forecast: Floats) -> float | None:
    """Sum (f - y) / sum |y|."""
    return _share(float(np.nansum(forecast - actual)), actual)


def wql(actual: Floats, quantiles: Floats, levels: Sequence[float]) -> float | None:
    """Mean over the levels of 2 sum pinball / sum |y|; quantiles: levels x series x horizon."""
    losses = []
    for level, quantile in zip(levels, quantiles, strict=True):
        gap = actual - quantile
        losses.append(2 * float(np.nansum(np.where(gap >= 0, level * gap, (level - 1) * gap))))
    return _share(float(np.mean(losses)), actual)


def coverage(actual: Floats, low: Floats | None, high: Floats) -> float | None:
    """Share of actuals at or under `high` and, where given, at or over `low`."""
    known = ~np.isnan(actual)
    if not known.any():
        return None
    inside = actual <= high + 1e-9
    if low is not None:
        inside &= actual >= low - 1e-9
    return float(inside[known].mean())


def _share(error: float, actual: Floats) -> float | None:
    """Error over demand; None without demand, or with next to none (1e-300 units)."""
    total = float(np.nansum(np.abs(actual)))
    with np.errstate(over="ignore"):
        share = float(np.float64(error) / total) if total > 0 else np.inf
    return share if np.isfinite(share) else None


def _mean_row(values: Floats) -> Floats:
    there = ~np.isnan(values)
    n = there.sum(1)
    return np.where(n > 0, np.where(there, values, 0.0).sum(1) / np.maximum(n, 1), np.nan)


def _mean_of_rows(values: Floats) -> float | None:
    rows = _mean_row(values)
    rows = rows[~np.isnan(rows)]
    return float(rows.mean()) if rows.size else None


def _scaled(error: Floats, scale: Floats, *, root: bool) -> float | None:
    each = _mean_row(error)
    use = np.isfinite(scale) & (np.nan_to_num(scale) > 0) & ~np.isnan(each)
    if not use.any():
        return None
    with np.errstate(over="ignore"):
        ratio = each[use] / scale[use]
        mean = float(np.sqrt(ratio).mean() if root else ratio.mean())
    return mean if np.isfinite(mean) else None
