from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from support import fxdesk as desk

from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.fx import parity


def test_forwards_equal_those_of_quantlib(data_set):
    rows = pl.read_csv(data_set("fx/quantlib_reference") / "cip_forwards.csv").rows(named=True)
    assert len(rows) == 56
    for row in rows:
        pair = row["pair(base,quote)"]
        base, quote = pair[:3], pair[3:]
        assert ("365" in row["dc_base"]) == (base in parity.ACT_365)
        found = parity.forward(row["spot"], base, quote, row["r_base_simple"], row["r_quote_simple"], row["days"])
        assert found == pytest.approx(row["forward"], abs=5.1e-9)  # the table has eight decimals


def test_a_forward_by_hand():
    # 7.10 x (1 + 2 % x 90/360) / (1 + 5 % x 90/360)
    assert parity.forward(7.10, "USD", "CNY", 0.05, 0.02, 90) == pytest.approx(7.10 * 1.005 / 1.0125)


def test_a_rate_holds_from_its_day_on():
    table = desk.table(
        "policy_rates", [{"date": date(2026, m, 1), "currency": "USD", "rate_pct": r} for m, r in ((1, 5.0), (3, 4.0))]
    )
    known = parity.interest(table)
    assert known.known("USD", date(2026, 2, 28)) == (0.05, date(2026, 1, 1))
    assert known.known("USD", date(2026, 3, 1)) == (0.04, date(2026, 3, 1))
    with pytest.raises(InputRejected, match="none holds on 2025-12-31"):
        known.known("USD", date(2025, 12, 31))
    with pytest.raises(InputRejected, match="no rate of EUR"):
        known.known("EUR", date(2026, 2, 1))
    assert parity.interest(table, "USD=-1.5").known("USD", date(2026, 3, 1))[0] == pytest.approx(0.025)
    assert known.drift("EUR", "USD", np.array(["2026-02-01"], "datetime64[D]"), 5) is None


def test_the_drift_is_that_of_the_forward_and_zero_before_the_rates_are_known():
    known = parity.interest(desk.interest(USD=5.0, CNY=2.0))
    days = np.array([desk.LAST, date(2020, 1, 1)], "datetime64[D]")
    drift = known.drift("USD", "CNY", days, 50)
    assert drift[0] == pytest.approx(np.log(parity.forward(1.0, "USD", "CNY", 0.05, 0.02, 70)))
    assert drift[1] == 0
    assert parity.stale(date(2020, 1, 1), desk.LAST) and not parity.stale(date(2026, 1, 1), desk.LAST)


def test_days():
    friday = date(2026, 6, 26)
    assert parity.business_day(friday, 1) == date(2026, 6, 29)
    assert parity.business_day(date(2026, 6, 27), 1) == date(2026, 6, 29)  # from a Saturday
    ends = np.array(["2026-06-26", "2026-06-28", "2026-06-29", "2026-07-03"], "datetime64[D]")
    assert parity.weekdays_until(friday, ends).tolist() == [0, 0, 1, 5]


def test_lists_of_single_currencies():
    assert parity.per_currency("mxn=40, GBP:15.5,", "spreads") == {"MXN": 40.0, "GBP": 15.5}
    for wrong in ("MXN", "MXN=x", "PESO=3"):
        with pytest.raises(UsageFault, match="no CURRENCY=NUMBER"):
            parity.per_currency(wrong, "spreads")
    with pytest.raises(UsageFault, match="rate_basis names EUR"):
        parity.interest(desk.interest(USD=5.0), "EUR=1")
