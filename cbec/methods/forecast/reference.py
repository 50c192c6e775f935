"""Textbook models of one series by statsmodels, to hold a forecast against where a single series deserves the time.

Exponential smoothing in state space form (ETS; Hyndman, Koehler, Ord & Snyder 2008) and ARIMA (Box & Jenkins 1970), each the best of a few by
Akaike's criterion, and STL (Cleveland et al. 1990) with an ARIMA of what is left. One fit takes up to some seconds, so
that they are asked for one series (`forecast demand --explain`), never for a catalogue.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ETS, ARIMA, STL = "statsmodels_ets", "statsmodels_sarimax", "statsmodels_stl"
#: Longest season that ETS and ARIMA take: their time rises with its square or faster.
LONGEST = 24
#: Values that a fit needs, and the most that it gets (the latest): a fit of two years of hours takes minutes.
LEAST, MOST = 8, 400
_ORDERS: tuple[tuple[tuple[int, int, int], str], ...] = (((0, 1, 1), "n"), ((1, 0, 1), "c"), ((1, 1, 1), "n"))


def forecasts(y: Floats, h: int, m: int) -> dict[str, Floats]:
    """Means of the next h periods by method, never negative; a method whose fit fails is left out.

    y: T values of one series, NaN = not known (in front: not yet born). m: periods of a season.
    """
    first = int((~np.isnan(y)).argmax()) if not np.isnan(y).all() else len(y)
    known = y[max(first, len(y) - MOST) :]
    if (~np.isnan(known)).sum() < LEAST:
        return {}
    filled = known.copy()
    for t in np.flatnonzero(np.isnan(known)).tolist():
        filled[t] = filled[t - m] if t >= m else filled[t - 1]
    out: dict[str, Floats] = {}
    with threadpool_limits(1, "blas"):  # threads that share matrices of ten rows make a fit thirty times slower
        for name, made in ((ETS, _ets(filled, m)), (ARIMA, _arima(known, m)), (STL, _stl(filled, m))):
            ahead = _best(made, h)
            if ahead is not None:
                out[name] = np.maximum(ahead, 0.0)
    return out


def _best(fits: Iterable[Callable[[], Any]], h: int) -> Floats | None:
    """The forecast of the fit with the least criterion; None where none can be fitted."""
    least, found = math.inf, None
    for fit in fits:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an optimiser stopped early is what the criterion is for
            try:
                made = fit()
                ahead = np.asarray(made.forecast(h), np.float64)
            except (ValueError, np.linalg.LinAlgError, IndexError, ZeroDivisionError):
                continue
        criterion = float(getattr(made, "aicc", 0.0))
        if np.isfinite(ahead).all() and criterion < least:
            least, found = criterion, ahead
    return found


def _ets(y: Floats, m: int) -> Iterable[Callable[[], Any]]:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    def fit(trend: str | None, season: str | None) -> Callable[[], Any]:
        model = {"trend": trend, "damped_trend": trend is not None, "seasonal": season}
        return lambda: ETSModel(y, error="add", **model, seasonal_periods=m if season else None).fit(
            disp=False, maxiter=200
        )

    seasons = (None, "add") if 1 < m <= LONGEST and len(y) >= 2 * m + 3 else (None,)
    return [fit(trend, season) for season in seasons for trend in (None, "add")]


def _arima(y: Floats, m: int) -> Iterable[Callable[[], Any]]:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    def fit(order: tuple[int, int, int], trend: str, season: tuple[int, int, int, int]) -> Callable[[], Any]:
        return lambda: SARIMAX(y, order=order, trend=trend, seasonal_order=season).fit(disp=False, maxiter=60)

    fits = [fit(order, trend, (0, 0, 0, 0)) for order, trend in _ORDERS]
    if 1 < m <= LONGEST and len(y) >= 3 * m:
        # Differencing over a season costs its values: by their likelihood alone such models are not to be compared with the others.
        fits = [fit((0, 1, 1), "n", (0, 1, 1, m)), fit((1, 0, 0), "n", (0, 1, 1, m))]
    return fits


def _stl(y: Floats, m: int) -> Iterable[Callable[[], Any]]:
    from statsmodels.tsa.arima.model import ARIMA as Arima
    from statsmodels.tsa.forecasting.stl import STLForecast

    if not 1 < m <= len(y) // 2:
        return []
    return [lambda: STLForecast(y, Arima, model_kwargs={"order": (0, 1, 1)}, period=m, robust=True).fit()]
