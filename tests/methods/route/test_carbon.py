"""Emissions: published check values, unknown stays unknown, files of one's own."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from support.stockroom import table

from cbec.core.errors import InputRejected
from cbec.methods.route import carbon, modes
from cbec.route import Carbon
from cbec.route import carbon as command

#: kg CO2e per tonne, well to wheel, of the publisher's factors x distance (Shanghai-Rotterdam: 10 591 nm by sea, 8 910 km by air).
CHECKS = [
    ("sea", None, 19615.0, 387.8),
    ("sea", "defra2025_container_8000teu", 19615.0, 304.6),
    ("air", None, 8910.0, 9217.8),
    ("air", "defra2025_air_international", 8910.0, 5938.2),
    ("rail", None, 1000.0, 34.7),
    ("road", None, 1000.0, 125.22),
    ("road", "defra2025_hgv_refrigerated", 1000.0, 146.63),
]


def leg(mode="sea", **more):
    blank = {"shipment_id": "S1", "option_rank": 1, "leg": 1, "lane_id": "L", "origin": "CN", "destination": "DE"}
    days = {"depart": date(2025, 6, 1), "arrive": date(2025, 7, 1)}
    return blank | days | {"mode": mode, "weight_kg": 1000.0, "distance_km": 1000.0} | more


@pytest.mark.parametrize(("mode", "factor", "km", "kg"), CHECKS)
def test_published_check_values(mode, factor, km, kg):
    legs = table("legs", [leg(mode, factor_id=factor, distance_km=km)])
    (row,) = carbon.footprint(legs, carbon.load()).iter_rows(named=True)
    assert row["co2e_kg"] == pytest.approx(kg, rel=0.005)
    assert row["co2e_kg"] == pytest.approx(row["ttw_kg"] + row["wtt_kg"])
    assert row["source"].startswith("UK Government GHG Conversion Factors")
    assert ("default_factor" in row["flags"]) == (factor is None)


def test_what_is_not_known_is_marked_and_not_zero():
    legs = table(
        "legs",
        [
            leg(leg=1, distance_km=None),
            leg(leg=2, weight_kg=None),
            leg("drone", leg=3),
            leg("air", leg=4, factor_id="no_such_factor"),
            leg("air", leg=5, depart=date(2031, 1, 1)),
        ],
    )
    result = command(legs, s=Carbon())
    made = result.tables["carbon"].sort("leg")
    assert made["co2e_kg"].is_null().to_list() == [True] * 4 + [False]
    assert made["flags"].to_list() == [
        "default_factor|no_distance",
        "default_factor|no_weight",
        "no_factor",
        "no_factor",
        "default_factor|no_edition",
    ]
    assert {f.rule for f in result.findings} == {"no_distance", "no_weight", "no_factor"}
    assert result.metrics["legs_unknown"] == 4


def test_only_the_chosen_options_count_unless_asked():
    legs = table("legs", [leg(), leg(option_rank=2)])
    assert command(legs, s=Carbon()).tables["carbon"].height == 1
    assert command(legs, s=Carbon(chosen_only=False)).tables["carbon"].height == 2


def test_factors_of_ones_own(tmp_path):
    place = tmp_path / "own.yaml"
    place.write_text(
        "title: Carrier X 2026\nfactors:\n  x: {ttw: 0.01, wtt: 0.002, source: page 3}\nmodes: {SEA_FCL: x}\n", "utf-8"
    )
    (row,) = carbon.footprint(table("legs", [leg("海运")]), carbon.load(str(place))).iter_rows(named=True)
    assert row["co2e_kg"] == pytest.approx(12.0)
    assert (row["factor_id"], row["source"]) == ("x", "Carrier X 2026: page 3")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: T\nfactors: {x: {ttw: a, wtt: 0, source: s}}\n", "no table of emission factors"),
        ("just words", "no table of emission factors"),
        (
            "title: T\nfactors: {x: {ttw: 1, wtt: 0, source: s}, x: {ttw: 2, wtt: 0, source: s}}\n",
            '"x" comes twice',
        ),
        ("title: T\nfactors: {x: {ttw: 1, wtt: 0, source: s}}\nmodes: {sea: y}\n", "names y"),
        ("title: T\nfactors: {x: {ttw: -1, wtt: 0, source: s}}\n", "negative"),
    ],
)
def test_files_that_are_none(tmp_path, text, words):
    place = tmp_path / "own.yaml"
    place.write_text(text, "utf-8")
    with pytest.raises(InputRejected, match=words):
        carbon.load(str(place))
    with pytest.raises(InputRejected, match="no file"):
        carbon.load(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("word", "mode"),
    [("SEA_FCL", "sea"), ("Ocean", "sea"), ("AIR", "air"), ("GROUND  ", "road"), ("空运", "air"), ("中欧班列", "rail"),
     ("air freight", "air"), ("Courier", "express"), ("drone", "drone")],
)  # fmt: skip
def test_words_for_modes(word, mode):
    assert modes.of(word) == mode


def test_every_factor_is_of_the_published_tables(data_set):
    folder = data_set("route/defra_2025")
    found = {}
    for name in ("category_freighting_goods.csv", "category_wtt_delivery_vehs_&_freight.csv"):
        text = (folder / name).read_bytes().decode("latin-1").encode()
        rows = pl.read_csv(text, infer_schema=False).filter(UOM="tonne.km", **{"GHG/Unit": "kg CO2e"})
        for row in rows.iter_rows(named=True):
            parts = [row["Level 1"], row["Level 2"], row["Level 3"], row["Level 4"], row["Column Text"]]
            found.setdefault(parts[1].removeprefix("WTT- ").lower(), []).append(row)
    values = {
        float(r["GHG Conversion Factor 2025"])
        for rows in found.values()
        for r in rows
        if r["GHG Conversion Factor 2025"]
    }
    packaged = carbon.load().table
    assert set(packaged["ttw"]) <= values
    assert set(packaged["wtt"]) <= values
