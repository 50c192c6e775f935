"""Money: the headline of a result, conversion at a dated rate, rounding to the minor unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbec.core.errors import InputRejected, UsageFault

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Headline:
    """The first number of every report.

    today: cost or risk as things stand; proposed: under the proposal; low, high: the 90 % range of the
    difference; basis: in words, what was counted and over which period.
    """

    today: float
    proposed: float
    low: float | None
    high: float | None
    currency: str
    basis: str

    @property
    def difference(self) -> float:
        """proposed - today (negative = saved)."""
        return self.proposed - self.today
