"""Small tables of shipments and rate cards, typed as their contracts say."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from cbec.core import reasons
from cbec.core.command import Result
from cbec.route import Plan, plan
from support.stockroom import table

READY = date(2026, 10, 5)  # a Monday


def shipments(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table shipments: S1 from CN to DE, 100 kg, 0.1 m3, value 1000 EUR, no due date, where a row says no other."""
    blank = {"origin": "CN", "destination": "DE", "weight_kg": 100.0, "volume_m3": 0.1, "goods_value": 1000.0}
    blank |= {"currency": "EUR", "ready_date": READY, "capital_rate": 0.0}
    return table("shipments", [{"shipment_id": f"S{i}"} | blank | row for i, row in enumerate(rows or ({},), 1)])


def lane(lane_id: str = "SEA", **more: Any) -> dict[str, Any]:
    """A row of a rate card from CN to DE in EUR: 1 EUR per kg, 30 certain days, any day, no loss."""
    blank = {"origin": "CN", "destination": "DE", "mode": "sea", "currency": "EUR", "cost_per_kg": 1.0}
    return {"lane_id": lane_id} | blank | {"transit_days": 30.0, "transit_sd_days": 0.0, "loss_rate": 0.0} | more


def lanes(*rows: dict[str, Any]) -> pl.DataFrame:
    """The table lanes."""
    return table("lanes", list(rows or (lane(),)))


def breaks(*bands: tuple[float, float | None, float], **more: Any) -> list[dict[str, Any]]:
    """Rows of one lane: (from kg, to kg, price per kg)."""
    return [lane(break_from_kg=a, break_to_kg=b, cost_per_kg=c, **more) for a, b, c in bands]


def run(goods: pl.DataFrame, cards: pl.DataFrame, *, s: Plan | None = None, **more: Any) -> Result:
    """`route plan`."""
    return plan(goods, cards, s=s or Plan(), **more)


def rows(result: Result) -> list[dict[str, Any]]:
    """The options in their order, with their reasons."""
    return list(reasons.render(result.tables["options"]).iter_rows(named=True))


def only(result: Result) -> dict[str, Any]:
    """The one option there is."""
    (row,) = rows(result)
    return row


def flags(row: dict[str, Any]) -> set[str]:
    """The flags of an option."""
    return set(row["flags"].split("|"))
