"""The tables of the sample company, made once for all tests of a process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cbec import sample

if TYPE_CHECKING:
    import polars as pl


@cache
def _made(seed: int) -> dict[str, pl.DataFrame]:
    return sample.make(seed)


def made(seed: int = 7) -> dict[str, pl.DataFrame]:
    """As `sample.make`."""
    return dict(_made(seed))
