from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from support import fxdesk as desk

from cbec.core.errors import InputRejected
from cbec.methods.fx import panel as method


def test_weekends_and_copied_days_are_left_out():
    table = desk.rates(desk.paths(40, names=("EUR", "USD", "GBP")))
    saturday = desk.LAST + timedelta(days=1)
    weekend = table.filter(pl.col("date") == desk.LAST).with_columns(date=pl.lit(saturday))
    monday = weekend.with_columns(date=pl.lit(saturday + timedelta(days=2)))  # a holiday that somebody filled
    made = method.panel(pl.concat([table, weekend, monday]), None, "CNY")
    assert all(one.dates[-1] == np.datetime64(desk.LAST) for one in made.series)
    assert any("weekends" in n for n in made.notes) and any("filled" in n for n in made.notes)
    assert made.as_of == saturday + timedelta(days=2)


def test_a_pegged_pair_alone_is_not_taken_for_copied_days():
    table = desk.rates({"HKD": np.zeros(40)})
    assert len(method.panel(table, None, "CNY").of("HKD").logs) == 40


def test_pairs_are_inverted_and_crossed_at_one_fixing():
    euro = desk.rates(desk.paths(30, names=("USD", "CNY")), quote="EUR", level=0.5)
    euro = pl.concat([euro.filter(base="USD"), euro.filter(base="CNY").filter(pl.col("date") != desk.LAST)])
    made = method.panel(euro, None, "CNY")
    one = made.of("USD")
    # The last day has no fixing of CNY, so there is no cross on it: a rate of the day before is no rate of that day.
    assert len(one.logs) == 29 and made.of("EUR").logs[-1] == pytest.approx(
        -np.log(euro.filter(base="CNY")["rate"][-1])
    )
    usd = euro.filter(base="USD")["rate"][:29].to_numpy()
    cny = euro.filter(base="CNY")["rate"].to_numpy()
    np.testing.assert_allclose(one.logs, np.log(usd / cny), rtol=0, atol=1e-12)


def test_a_series_that_stopped_is_refused_with_its_last_day():
    table = pl.concat([desk.rates({"EUR": np.zeros(60)}), desk.rates({"RUB": np.zeros(60)}, last=date(2026, 3, 2))])
    made = method.panel(table, None, "CNY")
    assert [(r.base, r.last) for r in made.refused] == [("RUB", date(2026, 3, 2))]
    with pytest.raises(InputRejected, match=r"RUB.*2026-03-02"):
        made.of("RUB")


def test_what_lies_before_a_long_silence_is_not_used():
    old = desk.rates({"ISK": np.zeros(50)}, last=date(2025, 1, 10))
    made = method.panel(pl.concat([old, desk.rates({"ISK": np.zeros(60)})]), None, "CNY")
    assert len(made.of("ISK").logs) == 60
    assert any("begins on" in n for n in made.notes)


def test_ways_to_the_same_rate_that_differ_are_told():
    table = pl.concat(
        [
            desk.rates({"EUR": np.zeros(30)}, level=8.0),
            desk.rates({"USD": np.zeros(30)}, level=7.0),
            desk.rates({"EUR": np.zeros(30)}, quote="USD", level=1.2),  # 8.4 through the dollar
        ]
    )
    told = {f[0] for f in method.panel(table, None, "CNY").findings}
    assert told == {"fx:triangle:EURCNY:USD", "fx:triangle:USDCNY:EUR"}
    table = pl.concat([desk.rates({"EUR": np.zeros(30)}), desk.rates({"CNY": np.zeros(30)}, quote="EUR", level=0.125)])
    assert method.panel(table, None, "CNY").findings == []
    assert [s.name for s in method.panel(table, None).series] == ["CNY/EUR", "EUR/CNY"]


def test_a_tick_that_is_undone_is_left_out_and_a_jump_that_stays_is_kept():
    path = desk.paths(200)["EUR"]
    tick, jump = path.copy(), path.copy()
    tick[150] += 0.2
    jump[150:] += 0.2
    made = method.panel(desk.rates({"EUR": tick}), None, "CNY")
    assert len(made.of("EUR").logs) == 199 and [f[3] for f in made.findings] == ["bad_tick"]
    made = method.panel(desk.rates({"EUR": jump}), None, "CNY")
    assert len(made.of("EUR").logs) == 200 and made.findings == []
    tick = path.copy()
    tick[-1] += 0.2  # whether the last one is undone cannot be known
    made = method.panel(desk.rates({"EUR": tick}), None, "CNY")
    assert len(made.of("EUR").logs) == 200 and [f[3] for f in made.findings] == ["last_fixing_jumps"]


def test_the_errors_of_a_public_data_set_are_found_and_its_real_jumps_kept(data_set):
    folder = data_set("fx/lstnet_exchange_rate")
    logs = np.log(np.loadtxt(folder / "exchange_rate.txt", delimiter=","))
    days = np.datetime64("1990-01-01") + np.arange(len(logs))
    found = set()
    for j, code in enumerate(("AUD", "GBP", "CAD", "CHF", "CNY", "JPY", "NZD", "SGD")):
        made = method.Panel(date(2020, 1, 1), [])
        method._without_ticks(code, "USD", days, logs[:, j], made)
        found |= {(code, int((np.datetime64(f[0].rpartition(":")[2]) - days[0]).astype(int))) for f in made.findings}
    assert found == set(pl.read_csv(folder / "bad_ticks.csv").select("currency", "row0").iter_rows())


def test_nothing_to_tell():
    with pytest.raises(InputRejected, match="SEK is in no pair"):
        method.panel(desk.rates({"EUR": np.zeros(3)}), None, "SEK")
    with pytest.raises(InputRejected, match="no fixing"):
        method.panel(desk.rates({"EUR": np.zeros(3)}), date(2020, 1, 1), "CNY")
    apart = pl.concat([desk.rates({"EUR": np.zeros(9)}), desk.rates({"SEK": np.zeros(9)}, quote="NOK")])
    assert [r.base for r in method.panel(apart, None, "CNY").refused] == ["NOK", "SEK"]
