"""The distribution around chosen forecasts: counts and noisy demand by their shape, the rest by the errors of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import calibrate, counted, lots
from cbec.tables.demand import LEVELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel
    from cbec.methods.forecast.rolling import Rolled

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: Usual error over mean from which on demand is noisy: below it a normal and a gamma are hardly told apart.
NOISY = 0.3
#: Weight of the spread of the history in the dispersion.
OWN = 0.75


def around(panel: Panel, rolled: Rolled, chosen: Floats, point: Floats) -> tuple[Floats, Floats]:
    """Quantiles 8 x n x h per period and of totals 1..h.

    chosen: (1 + K) x n x h forecasts of the chosen methods from today and from the past origins; point: n x h, today's as
    they are written.
    """
    actual = np.where(rolled.valid[1:, :, None], rolled.actual[1:], np.nan)
    whole = lots.whole(panel)
    of = calibrate.spread(panel, rolled, chosen)
    lot = lots.sizes(panel) if whole else np.ones(len(point))
    if (lot > 1).any():
        # What is always bought by the dozen is counted in dozens.
        point, chosen, actual = point / lot[:, None], chosen / lot[:, None], actual / lot[:, None]
        of = calibrate.Spread(of.scale / lot, of.group)
    mean = point.mean(1)
    noisy = (of.scale[0] >= NOISY * mean) | panel.obsolete | (panel.demand_class == "empty")
    single, total = np.empty((len(LEVELS), *point.shape)), np.empty((len(LEVELS), *point.shape))
    smooth = calibrate.Spread(of.scale[:, ~noisy], of.group[:, ~noisy])
    parts = point, chosen[1:], actual
    for out, sums in ((single, False), (total, True)):
        now, past, came = (np.cumsum(x, -1) for x in parts) if sums else parts
        if not noisy.all():
            rows = now[~noisy], past[:, ~noisy], came[:, ~noisy]
            out[:, ~noisy] = calibrate.quantiles(*rows, smooth, total=sums, whole=whole)
        if noisy.any():
            shape = _shape(rolled, chosen[:, noisy], of.scale[:, noisy], noisy, lot[noisy])
            out[:, noisy] = counted.quantiles(now[noisy], past[:, noisy], came[:, noisy], shape, LEVELS, whole=whole)
    single, total = single * lot[:, None], total * lot[:, None]
    total[:, :, 0] = single[:, :, 0]
    return single, np.maximum.accumulate(total, 2)


def _shape(rolled: Rolled, chosen: Floats, scale: Floats, rows: Flags, lot: Floats) -> counted.Shape:
    """Dispersion by the spread of the history and by the usual error, between them. chosen, scale: in lots."""
    level = np.maximum(chosen.mean(2), 1e-9)
    moments = rolled.moments[:, :, rows] / np.stack([np.ones(len(lot)), lot, lot**2])[:, None]
    own = counted.dispersion(*moments)
    ratio = np.maximum(own, 0.1) ** OWN * np.maximum(scale**2 / level, 0.1) ** (1 - OWN)
    return counted.Shape(ratio, counted.bins(level, rolled.valid[:, rows]))
