"""Lead times of the ways chosen, by hand; which rows of the policies change."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from support.stockroom import table

from cbec import tables
from cbec.core import conform, reasons
from cbec.core.errors import InputRejected
from cbec.methods.route import leadtimes
from cbec.route import LeadTimes
from cbec.route import leadtimes as command

READY = date(2026, 10, 1)
S = LeadTimes(ready_days=7, ready_sd_days=3.0)


def shipments(*rows: tuple[str, str, float]) -> pl.DataFrame:
    blank: dict[str, Any] = {
        "origin": "CNNGB",
        "volume_m3": 1.0,
        "goods_value": 1000.0,
        "currency": "EUR",
        "ready_date": READY,
    }
    return table("shipments", [blank | {"shipment_id": i, "destination": to, "weight_kg": kg} for i, to, kg in rows])


def options(*rows: tuple[str, int, int | None, int | None]) -> pl.DataFrame:
    """shipment_id, rank, days from ready to arrival with 50 and with 90 %."""
    blank: dict[str, Any] = {"modes": "sea", "reason_code": "route_only", "reason": "only"}

    def there(days: int | None) -> date | None:
        return None if days is None else READY + timedelta(days=days)

    return table(
        "options",
        [
            blank | {"shipment_id": i, "option_rank": r, "arrive_p50": there(a), "arrive_p90": there(b)}
            for i, r, a, b in rows
        ],
    )


def policies(*rows: tuple[str | None, str | None, str | None, float]) -> pl.DataFrame:
    return table(
        "policies",
        [{"sku": k, "warehouse": w, "supplier_id": p, "lead_time_days": d, "moq": 5.0} for k, w, p, d in rows],
    )


def test_days_count_by_weight_and_spread_is_within_and_between():
    made = leadtimes.planned(
        options(("a", 1, 30, 43), ("b", 1, 10, 10), ("b", 2, 50, 60)),
        shipments(("a", "HAM", 300.0), ("b", "HAM", 100.0)),
        7.0,
        3.0,
    ).row(0, named=True)
    assert made["transport_days"] == 25.0  # 0.75 x 30 + 0.25 x 10
    assert made["lead_time_days"] == 32.0
    within, between = 0.75 * (13 / 1.2816) ** 2, 0.75 * 5**2 + 0.25 * 15**2
    assert made["lead_time_sd_days"] == pytest.approx((within + between + 9) ** 0.5, abs=0.005)
    assert (made["shipments"], made["weight_kg"]) == (2, 400.0)


def test_only_the_general_row_of_a_warehouse_changes():
    before = policies(
        (None, None, None, 60.0), (None, "HAM", None, 20.0), (None, "HAM", "S1", 25.0), ("A", "HAM", None, 9.0)
    )
    result = command(
        options(("a", 1, 30, 30), ("b", 1, 8, 8)), shipments(("a", "HAM", 1.0), ("b", "LAX", 1.0)), before, s=S
    )
    after = {(r["sku"], r["warehouse"], r["supplier_id"]): r for r in result.tables["policies_update"].to_dicts()}
    days = {key: row["lead_time_days"] for key, row in after.items()}
    assert days == {
        (None, None, None): 60.0, (None, "HAM", "S1"): 25.0, ("A", "HAM", None): 9.0,
        (None, "HAM", None): 37.0, (None, "LAX", None): 15.0,
    }  # fmt: skip
    assert after[None, "LAX", None]["moq"] == 5.0  # like the row that held for it
    told = conform.conform(tables.get("route_lead_times"), reasons.render(result.tables["route_lead_times"]))
    codes = dict(told.select("warehouse", "reason_code").iter_rows())
    assert codes == {"HAM": "lead_longer", "LAX": "lead_shorter"}
    assert {f.entity for f in result.findings} == {"HAM", "LAX"}
    again = command(options(("a", 1, 30, 30), ("b", 1, 8, 8)), shipments(("a", "HAM", 1.0), ("b", "LAX", 1.0)),
                    result.tables["policies_update"], s=S)  # fmt: skip
    assert again.tables["policies_update"].sort("warehouse").equals(result.tables["policies_update"].sort("warehouse"))
    assert not again.findings


def test_what_has_no_way_or_no_policy_is_told():
    result = command(
        options(("a", 1, 30, 31), ("z", 0, None, None), ("x", 1, 5, 6)),
        shipments(("a", "HAM", 1.0)),
        policies((None, "LAX", None, 9.0)),
        s=S,
    )
    assert result.tables["policies_update"]["lead_time_days"].to_list() == [9.0]
    assert result.tables["route_lead_times"]["reason_code"].to_list() == ["lead_no_policy"]
    assert len(result.notes) == 3


def test_shipments_of_another_day_are_refused():
    with pytest.raises(InputRejected, match="none of the 1 shipments"):
        command(options(("a", 1, 30, 31)), shipments(("b", "HAM", 1.0)), policies((None, None, None, 9.0)), s=S)


def test_nothing_moves_where_nothing_is_shipped():
    none = command(options(("a", 0, None, None)), shipments(("a", "HAM", 1.0)), policies((None, None, None, 9.0)), s=S)
    assert none.tables["route_lead_times"].is_empty()
    assert none.tables["policies_update"]["lead_time_days"].to_list() == [9.0]
