"""Settings: precedence, origins, and errors that name the nearest key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cbec.core import config
from cbec.core.command import find
from cbec.core.errors import UsageFault


@pytest.fixture
def demand():
    return find("forecast", "demand")


def resolve(command, tmp_path: Path, house: str = "", **more):
    if house:
        (tmp_path / "cbec.yaml").write_text(house, "utf-8")
    return config.resolve(command, more.pop("options", {}), folder=tmp_path, **more)


def test_each_layer_goes_over_the_one_below(demand, tmp_path):
    extra = tmp_path / "extra.yaml"
    extra.write_text("forecast: {demand: {horizon: 12}}\ncommon: {seed: 4}\n", "utf-8")
    house = "common: {seed: 3, language: zh}\nforecast: {demand: {horizon: 11}}\n"
    plain = resolve(demand, tmp_path)
    assert plain.origins["horizon"] == "default"
    low = resolve(demand, tmp_path, house)
    assert (low.settings.horizon, low.settings.seed, low.settings.language) == (11, 3, "zh")
    middle = resolve(demand, tmp_path, house, config=str(extra))
    assert (middle.settings.horizon, middle.settings.seed) == (12, 4)
    assert middle.origins["horizon"] == str(extra)
    assert middle.origins["language"].endswith("cbec.yaml")
    high = resolve(demand, tmp_path, house, config=str(extra), sets=["forecast.demand.horizon=13"])
    assert high.settings.horizon == 13
    top = resolve(demand, tmp_path, house, config=str(extra), sets=["horizon=13"], options={"horizon": "14"})
    assert top.settings.horizon == 14
    assert top.origins["horizon"] == "option"


@pytest.mark.parametrize(
    ("house", "word"),
    [
        ("comon: {seed: 1}", 'did you mean "common"'),
        ("common: {sead: 1}", 'did you mean "seed"'),
        ("forecast: {demnad: {horizon: 1}}", 'did you mean "demand"'),
        ("forecast: {demand: {horzion: 1}}", 'did you mean "horizon"'),
        ("forecast: 3", "must hold keys and values"),
        ("- 1", "must hold keys and values"),
        ("common: {seed: [", "not readable as YAML"),
        ("common: {seed: 1}\ncommon: {seed: 2}", r"line 2: not readable as YAML: key \"common\" comes twice"),
        ("common: []", "must hold keys and values"),
        ("forecast: {demand: {horizon: [1, 2]}}", "not an integer"),
        ("forecast: {demand: {horizon: {a: 1}}}", "not an integer"),
        ("forecast: {demand: {by: {a: 1}}}", "not a text"),
        ("common: {home_currency: 1}", "not a currency code"),
    ],
)
def test_mistakes_in_the_file_are_named(demand, tmp_path, house, word):
    with pytest.raises(UsageFault, match=word):
        resolve(demand, tmp_path, house)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"horizon": "abc"}, "not an integer"),
        ({"horizon": "2.5"}, "not an integer"),
        ({"horizon": "1e400"}, "not an integer"),
        ({"horizon": "nan"}, "not an integer"),
        ({"horizon": "-1"}, "below"),
        ({"language": "de"}, "none of en, zh"),
        ({"as_of": "01.02.2026"}, "not a date"),
    ],
)
def test_values_are_checked(demand, tmp_path, options, word):
    with pytest.raises(UsageFault, match=word):
        resolve(demand, tmp_path, options=options)


def test_dates_come_as_dates_from_yaml_and_options(demand, tmp_path):
    assert resolve(demand, tmp_path, options={"as_of": "2026-01-31"}).settings.as_of == date(2026, 1, 31)
    assert resolve(demand, tmp_path, "common: {as_of: 2026-01-31}").settings.as_of == date(2026, 1, 31)


def test_unknown_set_key(demand, tmp_path):
    with pytest.raises(UsageFault, match='did you mean "horizon"'):
        resolve(demand, tmp_path, sets=["horizn=3"])
    with pytest.raises(UsageFault, match="KEY=VALUE"):
        resolve(demand, tmp_path, sets=["horizon"])
    with pytest.raises(UsageFault, match="no file"):
        resolve(demand, tmp_path, config="nowhere.yaml")


def test_a_number_is_finite(tmp_path):
    for word in ("nan", "inf", "-inf"):
        with pytest.raises(UsageFault, match="not a number"):
            resolve(find("forecast", "replenish"), tmp_path, options={"markup": word})


def test_keys_with_nothing_behind_them_leave_the_default(demand, tmp_path):
    for house in ("common:\n", "forecast:\n", "forecast: {demand: }\n", "forecast: {demand: {horizon: , by: sku}}\n"):
        settled = resolve(demand, tmp_path, house)
        assert settled.settings.horizon == 0
        assert settled.origins["horizon"] == "default"


def test_a_list_of_names_is_what_commas_are(demand, tmp_path):
    assert resolve(demand, tmp_path, "forecast: {demand: {by: [sku, market]}}").settings.by == "sku,market"


def test_the_home_currency_is_a_currency(demand, tmp_path):
    assert resolve(demand, tmp_path, options={"home_currency": "eur"}).settings.home_currency == "EUR"
    with pytest.raises(UsageFault, match='did you mean "CNY"'):
        resolve(demand, tmp_path, options={"home_currency": "RMB"})
    with pytest.raises(UsageFault, match="ISO 4217"):
        resolve(demand, tmp_path, options={"home_currency": "UK"})


def test_a_long_seed_is_kept(demand, tmp_path):
    assert resolve(demand, tmp_path, options={"seed": "9007199254740993"}).settings.seed == 9007199254740993
