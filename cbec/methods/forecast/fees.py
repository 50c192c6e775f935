"""Fees of storage by age and date: a YAML of dated rows, and what a unit costs per day of the future.

Fees of one kind add up over its rows: storage (what every unit pays), aged (on top from an age on), disposal (once, per
unit destroyed). A day after the last dated row pays what its last day pays, and it is said.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cbec.core import packaged
from cbec.core.errors import InputRejected

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: First days of the age bands where no file names others: those that marketplaces' warehouses report.
BANDS = (0, 91, 181, 271, 366)
KINDS = ("storage", "aged", "disposal")
EXAMPLE = "example"
DAYS_OF_MONTH = 365.25 / 12
_AMOUNTS = ("per_m3_month", "per_unit_month", "per_unit")


@dataclass(frozen=True)
class Fees:
    """Rows of fees (kind, warehouse or *, valid_from, valid_to, months, age_from, age_to, the amounts), their currency,
    first and last day told, first days of the age bands; example: it is the packaged one, nobody's contract."""

    example: bool
    currency: str
    bands: tuple[int, ...]
    rows: list[dict[str, Any]]

    @property
    def until(self) -> date:
        """Last day that a row tells."""
        last: date = max(row["valid_to"] for row in self.rows)
        return last


def load(path: str) -> Fees | None:
    """The fees of a YAML file; None for no path; the packaged example for the word `example`. Raises InputRejected."""
    if not path:
        return None
    place = packaged.folder("configs") / "fees.yaml" if path == EXAMPLE else Path(path)
    import yaml

    from cbec.core.onceyaml import Once

    try:
        told: Any = yaml.load(place.read_text("utf-8"), Loader=Once)
        rows = [_row(row) for row in told["fees"]]
        bands = tuple(int(b) for b in told.get("bands", BANDS))
        fees = Fees(bool(told.get("example", False)), str(told["currency"]).upper(), bands, rows)
    except FileNotFoundError:
        raise InputRejected(f"fees: no file {place}", hint=f"`--fees {EXAMPLE}` takes the packaged example") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise InputRejected(
            f"fees: {place} is no table of fees ({type(wrong).__name__}: {wrong})",
            hint="currency, fees: [{kind, valid_from, valid_to, per_m3_month or per_unit_month}] as in configs/fees.yaml",
        ) from wrong
    if not rows or bands[0] != 0 or list(bands) != sorted(set(bands)):
        raise InputRejected(f"fees: {place}: it needs at least one row, and bands that rise from 0")
    return fees


def _row(told: dict[str, Any]) -> dict[str, Any]:
    known = {"kind", "warehouse", "valid_from", "valid_to", "months", "age_from", "age_to", "note", *_AMOUNTS}
    if unknown := set(told) - known:
        raise ValueError(f"unknown key {sorted(unknown)[0]}")
    kind, first, last = told["kind"], told["valid_from"], told["valid_to"]
    amounts = {name: float(told.get(name, 0.0)) for name in _AMOUNTS}
    if kind not in KINDS:
        raise ValueError(f"kind {kind} is none of {', '.join(KINDS)}")
    if not isinstance(first, date) or not isinstance(last, date) or last < first:
        raise ValueError(f"valid_from {first} and valid_to {last} are no span of days")
    if min(amounts.values()) < 0 or not any(amounts.values()):
        raise ValueError("a row needs an amount above 0")
    if (amounts["per_unit"] > 0) != (kind == "disposal"):
        raise ValueError("per_unit is for disposal, per_m3_month and per_unit_month are for storage and aged")
    return {
        "kind": kind,
        "warehouse": str(told.get("warehouse", "*")),
        "valid_from": first,
        "valid_to": last,
        "months": tuple(int(m) for m in told.get("months", range(1, 13))),
        "age_from": int(told.get("age_from", 0)),
        "age_to": int(told.get("age_to", 10**6)),
        **amounts,
    }


def band_names(bands: tuple[int, ...]) -> list[str]:
    """`0-90`, `91-180`, ..., `366+`."""
    ends = [f"{a}-{b - 1}" for a, b in itertools.pairwise(bands)]
    return [*ends, f"{bands[-1]}+"]


def age_band(age: Floats, bands: tuple[int, ...]) -> list[str]:
    """The band of each age in days; NaN = unknown."""
    names = band_names(bands)
    at = np.searchsorted(np.array(bands), np.nan_to_num(age), side="right") - 1
    return ["unknown" if np.isnan(a) else names[i] for a, i in zip(age.tolist(), at.tolist(), strict=True)]


def per_day(fees: Fees, warehouse: pl.Series, age: Floats, volume: Floats, today: date, days: int) -> Floats:
    """Cost of one unit on each of the next `days` days, n x days, in the currency of the fees.

    warehouse, age (days today; NaN counts as 0), volume (m3 per unit; NaN = fees per m3 unknown, counted 0): n each.
    """
    out = np.zeros((len(age), days))
    ages = np.nan_to_num(age)[:, None] + np.arange(1, days + 1)
    room, place = np.nan_to_num(volume), warehouse.to_numpy()
    when = [today + timedelta(days=d) for d in range(1, days + 1)]
    told = np.array([min(d, fees.until).toordinal() for d in when])
    month = np.array([d.month for d in when])
    for row in fees.rows:
        if row["kind"] == "disposal":
            continue
        on = (
            (told >= row["valid_from"].toordinal())
            & (told <= row["valid_to"].toordinal())
            & np.isin(month, row["months"])
        )
        here = (row["warehouse"] == "*") | (place == row["warehouse"])
        amount = (row["per_m3_month"] * room + row["per_unit_month"]) * here / DAYS_OF_MONTH
        out += amount[:, None] * (on & (ages >= row["age_from"]) & (ages <= row["age_to"]))
    return out


def disposal(fees: Fees, warehouse: pl.Series, day: date) -> Floats:
    """Cost of destroying one unit on a day, n."""
    at, place = min(day, fees.until), warehouse.to_numpy()
    out = np.zeros(len(place))
    for row in fees.rows:
        if row["kind"] == "disposal" and row["valid_from"] <= at <= row["valid_to"]:
            out += row["per_unit"] * ((row["warehouse"] == "*") | (place == row["warehouse"]))
    return out
