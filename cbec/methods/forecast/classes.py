"""What kind of demand a series has: its class by interval and spread, and whether it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

#: Chance below which a silence is no accident.
UNLIKELY = 0.01


def delisted(units: Floats, first: NDArray[Any], last: NDArray[Any], silence: int) -> Flags:
    """Which series (n) had no sale over a long tail of known periods: half a year, and so long that chance leaves it 1 in 100.

    The chance is that of a series which sells as often as this one did up to its last sale.
    """
    width = units.shape[1]
    columns = np.arange(width)
    known = ~np.isnan(units)
    quiet = (known & (columns > last[:, None])).sum(1)
    sales = (units > 0).sum(1)
    lasting = patience(sales / np.maximum(last - first + 1, 1))
    return np.asarray((last >= 0) & (quiet >= np.maximum(silence, lasting)))


def patience(share: Floats) -> Floats:
    """Periods without a sale that chance leaves UNLIKELY, where a sale falls in this share of the periods."""
    return np.asarray(np.log(UNLIKELY) / np.log1p(-np.clip(share, 1e-9, 0.99)))


def classify(units: Floats, obsolete: Flags | None = None, young: int = 0) -> tuple[Floats, Floats, NDArray[np.str_]]:
    """ADI, CV2 and class per series (Syntetos, Boylan & Croston 2005: cuts 1.32 and 0.49).

    ADI = known periods since the first sale / periods with a sale. CV2 = (sd / mean)^2 of the sizes that are not
    zero, with the sample sd (0 for a single size). Fewer than `young` known periods: new.
    """
    known = ~np.isnan(units)
    size = np.where(known & (units > 0), units, 0.0)
    n, k = known.sum(1), (size > 0).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        adi = np.where(k > 0, n / k, np.nan)
        mean = size.sum(1) / k
        spread = np.where(size > 0, (size - mean[:, None]) ** 2, 0.0).sum(1) / (k - 1)
        cv2 = np.where(k > 1, spread / mean**2, np.where(k == 1, 0.0, np.nan))
    often, steady = adi < 1.32, cv2 < 0.49
    classes = np.where(often, np.where(steady, "smooth", "erratic"), np.where(steady, "intermittent", "lumpy"))
    classes = np.where(n < young, "new", classes)
    if obsolete is not None:
        classes = np.where(obsolete, "obsolete", classes)
    return adi, cv2, np.where(k == 0, "empty", classes).astype(np.str_)
