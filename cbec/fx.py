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


@command("fx_forecast", "fx_history", example="--rates rates.csv --home-currency CNY -o fx_forecast.csv")
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


@dataclass(frozen=True)
class Exposure(Common):
    """Settings of `fx exposure`."""

    level: float = setting(0.95, "level of VaR and CVaR", min=0.5, max=0.999)
    bucket: str = setting("month", "length of a time bucket", choices=("week", "month", "quarter"))


@command(
    "exposure_report",
    "currency_risk",
    example="--rates rates.csv --exposures exposures.csv --hedges hedges.csv --home-currency CNY -o exposure.csv",
)
def exposure(rates: Table, exposures: Table, hedges: Table | None = None, *, s: Exposure) -> Result:
    """Open money by currency and time, netted and after hedges, with its risk in home currency.

    All currencies move together as they did on the same past days, scaled to today's volatility; each row carries its
    part of the whole risk, so that what offsets shows.
    """
    from cbec.methods.fx import exposure as method
    from cbec.methods.fx import flows
    from cbec.methods.fx.panel import latest, panel

    due = flows.flows(exposures, hedges, s.as_of or latest(rates), s.home_currency, s.bucket)
    known = panel(rates, s.as_of, s.home_currency, due.currencies)
    made = method.exposure(due, known, s.level, str(s.home_currency))
    return Result(
        {"exposure_report": made.report, "currency_risk": made.currencies},
        money=made.money,
        metrics=made.metrics,
        findings=[Finding(*f) for f in [*known.findings, *due.findings, *made.findings]],
        notes=[*known.notes, *made.notes],
    )


@dataclass(frozen=True)
class Hedge(Exposure):
    """Settings of `fx hedge`."""

    min_ratio: float = setting(0.0, "least share of each net flow that must be hedged", min=0, max=1)
    max_ratio: float = setting(1.0, "most that may be", min=0, max=1)
    lot: float = setting(
        10000.0, "smallest step of a forward, worth so much home currency; rounded to 1, 2 or 5", min=0
    )
    spread_bp: float = setting(10.0, "half the bid-ask spread of a forward in basis points", min=0, max=1000)
    spreads: str = setting("", "the same for single currencies, e.g. MXN=40,GBP=15")
    rate_basis: str = setting("", "points added to policy rates to reach the money market, e.g. CNY=-1.45")


@command(
    "hedge_plan",
    "hedge_choices",
    example="--rates rates.csv --exposures exposures.csv --policy-rates policy_rates.csv --hedges hedges.csv --home-currency CNY -o hedges_next.csv",
)
def hedge(rates: Table, exposures: Table, policy_rates: Table, hedges: Table | None = None, *, s: Hedge) -> Result:
    """Forwards that take most out of the worst outcomes for their cost, within the bands of the policy.

    The mean of the worst outcomes (CVaR) plus spread and carry is made as small as the bands allow, and told beside
    doing nothing, hedging half, all, and receipts without netting.
    """
    from cbec.methods.fx import flows, parity, tickets
    from cbec.methods.fx.panel import latest, panel

    due = flows.flows(exposures, hedges, s.as_of or latest(rates), s.home_currency, s.bucket)
    known = panel(rates, s.as_of, s.home_currency, due.currencies)
    ask = tickets.Ask(
        known.as_of, str(s.home_currency), s.level, s.min_ratio, s.max_ratio, s.lot, s.spread_bp, s.spreads, s.seed
    )
    made = tickets.answer(due, known, parity.interest(policy_rates, s.rate_basis), ask)
    return Result(
        {"hedge_plan": made.plan, "hedge_choices": made.choices},
        money=made.money,
        metrics=made.metrics,
        findings=[Finding(*f) for f in [*known.findings, *due.findings, *made.findings]],
        notes=[*known.notes, *made.notes],
    )
