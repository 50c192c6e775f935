"""The packs against the two public sets of VAT rates they were taken from."""

from __future__ import annotations

import csv
import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from support.taxed import packaged, taxed

DATA = Path(os.environ.get("CBEC_SHARED_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
RATES = DATA / "compliance" / "vat_rates"
if not RATES.is_dir():
    pytest.skip("data set vat_rates is absent (set CBEC_SHARED_DATA)", allow_module_level=True)

COUNTRIES = [(pack.id, code) for pack in packaged() if pack.id in ("eu", "gb") for code in pack.jurisdictions]
#: Where the sets are known to be wrong or behind: Ireland's cut of 2020 is in one set only, the Azores' in none.
IRELAND = (date(2020, 9, 1), date(2021, 3, 1))
SAMPLES = {
    "Canary Islands": "35001", "Ceuta": "51001", "Melilla": "52006", "Campione d'Italia": "22061", "Livigno": "23041",
    "Mount Athos": "63086", "Guadeloupe": "97110", "Martinique": "97200", "Guyane": "97300", "Reunion": "97400",
    "Mayotte": "97600", "Büsingen am Hochrhein": "78266", "Heligoland": "27498", "Madeira": "9000", "Azores": "9500",
    "Jungholz": "6691", "Mittelberg": "6992",
}  # fmt: skip


def _ours(pack_id: str, country: str, day: date) -> Decimal | None:
    pack = next(p for p in packaged() if p.id == pack_id)
    values = [v for v in pack.rules[f"{pack_id}.vat.standard.{country.lower()}"].values if v.valid_from <= day]
    return values[-1].value if values else None


def _ibericode() -> dict[str, list[dict[str, object]]]:
    read: dict[str, list[dict[str, object]]] = json.loads((RATES / "ibericode_vat_rates.json").read_text("utf-8"))[
        "items"
    ]
    return read


@pytest.mark.parametrize(("pack", "country"), COUNTRIES)
def test_every_dated_change_of_the_history_since_1967(pack: str, country: str) -> None:
    with (RATES / "kdeldycke_vat_rates.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if country in r["territory_codes"].split("\n")]
    assert rows
    for row in rows:
        start = date.fromisoformat(row["start_date"])
        assert _ours(pack, country, start) == Decimal(row["rate"]) * 100, start
        if row["stop_date"] and not (country == "IE" and start < IRELAND[0]):
            last = date.fromisoformat(row["stop_date"]).toordinal() - 1
            assert _ours(pack, country, date.fromordinal(last)) == Decimal(row["rate"]) * 100


@pytest.mark.parametrize(("pack", "country"), COUNTRIES)
def test_every_dated_rate_of_the_second_set(pack: str, country: str) -> None:
    entries = sorted(_ibericode()[country], key=lambda e: str(e["effective_from"]))
    for entry, after in zip(entries, [*entries[1:], None], strict=True):
        wanted = Decimal(str(entry["rates"]["standard"]))  # type: ignore[index]
        if entry["effective_from"] != "0000-01-01":
            assert _ours(pack, country, date.fromisoformat(str(entry["effective_from"]))) == wanted
        if after is not None:
            day_before = date.fromordinal(date.fromisoformat(str(after["effective_from"])).toordinal() - 1)
            assert _ours(pack, country, day_before) == wanted


def test_every_territorial_exception() -> None:
    met = set()
    for country, entries in _ibericode().items():
        latest = max(entries, key=lambda e: str(e["effective_from"]))
        for exception in latest.get("exceptions", []):  # type: ignore[attr-defined]
            line = {"date": date(2025, 9, 1), "ship_from": country, "ship_to": country, "price": 100}
            (told,) = taxed([line | {"ship_to_region": SAMPLES[exception["name"]]}])
            wanted = Decimal(str(exception["standard"])) if exception["name"] != "Azores" else Decimal(16)
            assert (told["status"], told["tax_rate"], told["tax"]) == ("OK", wanted, wanted), exception["name"]
            met.add(exception["name"])
    assert met == set(SAMPLES)
