"""Storage fees by age and date: the file, and what a unit costs per day."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from cbec.core.errors import InputRejected
from cbec.methods.forecast import fees

ROWS = """
  - {kind: storage, valid_from: 2026-01-01, valid_to: 2026-06-30, per_m3_month: 30.4375}
  - {kind: storage, valid_from: 2026-07-01, valid_to: 2026-12-31, per_m3_month: 60.875}
  - {kind: aged, warehouse: W1, valid_from: 2026-01-01, valid_to: 2026-12-31, age_from: 181, age_to: 365, per_unit_month: 3.04375}
  - {kind: storage, valid_from: 2026-01-01, valid_to: 2026-12-31, months: [12], per_m3_month: 30.4375}
  - {kind: disposal, warehouse: W2, valid_from: 2026-01-01, valid_to: 2026-12-31, per_unit: 0.5}
"""


def told(tmp_path, rows=ROWS, head="currency: eur\n"):
    place = tmp_path / "fees.yaml"
    place.write_text(f"{head}fees:{rows}", "utf-8")
    return fees.load(str(place))


def cost(made, *, warehouse="W1", age=0.0, volume=0.1, today=date(2026, 3, 1), days=1):
    return fees.per_day(made, pl.Series([warehouse]), np.array([age]), np.array([volume]), today, days)[0]


def test_a_unit_pays_by_room_day_and_age(tmp_path):
    made = told(tmp_path)
    assert made.currency == "EUR" and not made.example and made.bands == fees.BANDS
    assert cost(made) == pytest.approx([0.1])  # a m3 a day costs 1
    # From the day on which it is 181 days old, 0.1 a day more; told for one warehouse only.
    assert cost(made, age=179.0, days=3) == pytest.approx([0.1, 0.2, 0.2])
    assert cost(made, age=364.0, days=2) == pytest.approx([0.2, 0.1])
    assert cost(made, warehouse="W2", age=200.0) == pytest.approx([0.1])
    # Fees change on their day, and months have their own.
    assert cost(made, today=date(2026, 6, 29), days=2) == pytest.approx([0.1, 0.2])
    assert cost(made, today=date(2026, 12, 1)) == pytest.approx([0.3])
    # Without dimensions fees per m3 are not known; without an age it counts as new.
    assert cost(made, volume=np.nan, age=200.0) == pytest.approx([0.1])
    assert cost(made, age=np.nan, days=2) == pytest.approx([0.1, 0.1])


def test_after_the_last_row_its_fees_go_on(tmp_path):
    made = told(tmp_path)
    assert made.until == date(2026, 12, 31)
    assert cost(made, today=date(2027, 3, 1)) == pytest.approx([0.2])
    assert cost(made, today=date(2027, 12, 1)) == pytest.approx([0.3])
    assert fees.disposal(made, pl.Series(["W1", "W2"]), date(2028, 1, 1)).tolist() == [0.0, 0.5]


def test_bands():
    ages = np.array([0.0, 90.0, 90.9, 91.0, 365.0, 366.0, 4000.0, np.nan])
    assert fees.age_band(ages, fees.BANDS) == ["0-90", "0-90", "0-90", "91-180", "271-365", "366+", "366+", "unknown"]
    assert fees.band_names((0, 61)) == ["0-60", "61+"]


def test_the_packaged_example_says_what_it_is():
    made = fees.load(fees.EXAMPLE)
    assert made.example
    assert made.bands == fees.BANDS
    year = fees.per_day(made, pl.Series(["X"]), np.array([0.0]), np.array([0.01]), date(2026, 1, 1), 400)[0]
    assert (year > 0).all() and year[-1] > 5 * year[0]
    assert fees.load("") is None


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ("\n  - {kind: rent, valid_from: 2026-01-01, valid_to: 2026-12-31, per_m3_month: 1}", "rent"),
        ("\n  - {kind: storage, valid_from: 2026-01-01, valid_to: 2025-12-31, per_m3_month: 1}", "span"),
        ("\n  - {kind: storage, valid_from: soon, valid_to: 2025-12-31, per_m3_month: 1}", "span"),
        ("\n  - {kind: storage, valid_from: 2026-01-01, valid_to: 2026-12-31, per_m3_month: -1}", "amount"),
        ("\n  - {kind: storage, valid_from: 2026-01-01, valid_to: 2026-12-31}", "amount"),
        ("\n  - {kind: storage, valid_from: 2026-01-01, valid_to: 2026-12-31, per_unit: 1}", "disposal"),
        ("\n  - {kind: storage, valid_from: 2026-01-01, valid_to: 2026-12-31, per_m3_day: 1}", "per_m3_day"),
        (" []", "one row"),
        (" 3", "no table of fees"),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path, rows, word):
    with pytest.raises(InputRejected, match=word):
        told(tmp_path, rows)


def test_a_missing_file_and_wrong_bands_are_refused(tmp_path):
    with pytest.raises(InputRejected, match="no file"):
        fees.load(str(tmp_path / "none.yaml"))
    with pytest.raises(InputRejected, match="bands"):
        told(tmp_path, head="currency: EUR\nbands: [0, 91, 60]\n")
