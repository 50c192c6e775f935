"""Demand as a distribution, its record, and the orders that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cbec.core.command import Common, Finding, Result, Table, command, setting

if TYPE_CHECKING:
    from cbec.methods.forecast.history import Panel


@dataclass(frozen=True)
class Demand(Common):
    """Settings of `forecast demand` and `forecast backtest`."""

    horizon: int = setting(
        0, "periods ahead; 0 = 168 hours, 90 days, 13 weeks, 6 months, 4 quarters or 2 years", min=0, max=1000
    )
    frequency: str = setting(
        "auto", "length of a period; auto: the spacing of the dates", choices=("auto", "H", "D", "W", "M", "Q", "Y")
    )
    by: str = setting("sku,market", "columns of sales that make a series: sku, market, warehouse, channel")


@command("forecast", "model_record", "prepared", by=("sku", "market"))
def demand(sales: Table, *, s: Demand) -> Result:
    """Demand per series as a distribution, beside the seasonal naive and the seller formula.

    Each series gets the method that did best from past origins; quantiles come from its past errors.
    """
    from cbec.methods.forecast import demand as method

    panel = _panel(sales, s)
    answer = method.answer(panel, s.horizon)
    return Result(
        tables=answer.tables,
        money="a forecast moves no money by itself; forecast replenish prices the orders that follow from it",
        metrics=answer.metrics,
        findings=[Finding(*f) for f in answer.findings],
        notes=[*panel.notes, *answer.notes],
    )


def _panel(sales: Table, s: Demand) -> Panel:
    from cbec.methods.forecast import history

    as_of = s.as_of if s.as_of is not None else history.latest(sales)
    return history.panel(sales, as_of=as_of, frequency=s.frequency, by=s.by)
