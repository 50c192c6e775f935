"""Exchange rates: what they may do, what that puts at risk, what to sell or buy forward."""

from __future__ import annotations

from dataclasses import dataclass

from cbec.core.command import Common, Finding, Result, Table, command, setting


@dataclass(frozen=True)
class Forecast(Common):
    """Settings of `fx forecast`."""

    horizons: str = setting("1,5,20,60", "business days ahead, joined by commas")
    currencies: str = setting("", "currencies to forecast, joined by commas; empty = all in the table")
    record_days: int = setting(1500, "fixings over which the record is taken", min=250, max=20000)
    rate_basis: str = setting("", "points added to policy rates to reach the money market, e.g. CNY=-1.45")


@command("fx_forecast", "fx_history")
def forecast(rates: Table, policy_rates: Table | None = None, *, s: Forecast) -> Result:
    """Exchange rates ahead as a distribution, with the verdict of their record against no change.

    The centre is today's rate unless a model has beaten that beyond doubt; the spread comes from combined volatility
    and past errors. With a home currency every other currency is told in it, else the pairs as they stand.
    """
    from cbec.methods.fx import outlook, parity
    from cbec.methods.fx.panel import panel

    interest = None if policy_rates is None else parity.interest(policy_rates, s.rate_basis)
    known = panel(rates, s.as_of, s.home_currency)
    made = outlook.outlook(known, outlook.horizons(s.horizons), s.currencies, interest, s.record_days, s.language)
    return Result(
        {"fx_forecast": made.forecast, "fx_history": made.history},
        money="a forecast moves no money by itself; fx exposure says what is at risk, fx hedge what to do",
        metrics=made.metrics,
        findings=[Finding(*f) for f in made.findings],
        notes=made.notes,
    )
