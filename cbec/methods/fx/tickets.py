"""The tables of fx hedge: a row per currency and value date, the plan beside the simple ways, the money."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cbec.core.money import Headline
from cbec.methods.fx import hedge, parity, risk

if TYPE_CHECKING:
    from datetime import date

    from cbec.methods.fx.flows import Flows
    from cbec.methods.fx.panel import Panel, Told

Floats = NDArray[np.float64]

RESAMPLES = 300
DEAR = 0.05  # carry of a currency per year that is worth a word


@dataclass(frozen=True)
class Ask:
    """What the settings ask for."""

    as_of: date
    home: str
    level: float
    least: float
    most: float
    lot: float
    spread_bp: float
    spreads: str
    seed: int


@dataclass
class Answer:
    """Tables hedge_plan and hedge_choices, the money, and what to say of them."""

    plan: pl.DataFrame
    choices: pl.DataFrame
    money: Headline
    metrics: dict[str, float | int | str | None]
    findings: list[Told] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Case:
    flows: Flows
    scenes: risk.Scenarios
    rates: hedge.Terms
    allowed: hedge.Band
    plan: hedge.Plan
    ask: Ask

    def loss(self, deal: Floats) -> Floats:
        """(scenarios, rows) of loss with these deals on top of what stands."""
        return risk.losses((self.flows.column("open") + deal) * self.scenes.spot, self.scenes)

    def tail(self, deal: Floats) -> tuple[float, float, Floats]:
        """VaR, CVaR and tail weights of all rows together."""
        return risk.tail(self.loss(deal).sum(axis=1), self.scenes.chance, self.ask.level)


def answer(flows: Flows, panel: Panel, interest: parity.Interest, ask: Ask) -> Answer:
    """Plan the forwards and tell them. See `hedge` for the program, `risk` for the scenarios."""
    scenes = risk.scenarios(flows, panel)
    rates = hedge.terms(flows, scenes.spot, interest, ask.as_of, ask.home, ask.spread_bp, ask.spreads, ask.lot)
    allowed = hedge.band(flows, ask.least, ask.most)
    case = _Case(flows, scenes, rates, allowed, hedge.solve(flows, scenes, rates, allowed, ask.level), ask)
    rows = _rows(case)
    choices = _choices(case)
    money = _headline(case, choices)
    return Answer(
        rows, choices, money, _metrics(case, rows, choices), _findings(case, rows),
        [*flows.notes, *_notes(case, interest)],
    )  # fmt: skip


def _rows(case: _Case) -> pl.DataFrame:
    flows, scenes, plan = case.flows, case.scenes, case.plan
    nothing = np.zeros_like(plan.deal)
    net, hedged = flows.column("net"), flows.column("hedged")
    carry, spread = hedge.costs(plan.deal, case.rates)
    before, after = (case.tail(d)[2] @ case.loss(d) for d in (nothing, plan.deal))
    now, then = hedge.ratio(net, hedged), hedge.ratio(net, hedged + plan.deal)
    checks = _checks(case, then)
    table = flows.table.select("currency", "bucket", "value_date", "net", open_before="open").with_columns(
        action=pl.Series(np.where(plan.deal < 0, "sell_forward", np.where(plan.deal > 0, "buy_forward", "none"))),
        notional=pl.Series(np.abs(plan.deal)),
        spot=pl.Series(scenes.spot),
        forward=pl.Series(case.rates.forward),
        carry=pl.Series(carry),
        spread=pl.Series(spread),
        cost=pl.Series(carry + spread),
        open_after=pl.Series(flows.column("open") + plan.deal),
        ratio_before=pl.Series(now).fill_nan(None),
        ratio_after=pl.Series(then).fill_nan(None),
        cvar_before=pl.Series(before),
        cvar_after=pl.Series(after),
        policy_check=pl.Series(checks),
        _step=pl.Series([f"{v:,.12g}" for v in case.rates.step], dtype=pl.String),
        _now=pl.Series(100 * np.nan_to_num(now)),
        _then=pl.Series(100 * np.nan_to_num(then)),
        _home=pl.lit(case.ask.home),
        _most=pl.lit(100 * case.ask.most),
    )
    told = [
        pl.Series(f"_{name}", [f"{round(v):,}" for v in table[name].to_list()], dtype=pl.String)
        for name in ("notional", "carry", "spread", "cvar_before", "cvar_after")
    ]
    return table.with_columns(*told, reason_code=pl.Series(_codes(case, table))).sort("currency", "bucket")


def _checks(case: _Case, then: Floats) -> list[str]:
    """Whether each row ends within the band; a row that misses it by less than one step is as near as steps allow."""
    made = []
    net, ask = np.abs(case.flows.column("net")), case.ask
    for size, share, step in zip(net, then, case.rates.step, strict=True):
        if not np.isfinite(share):
            made.append("no_exposure")
            continue
        miss = max(ask.least - share, share - ask.most)
        if miss <= 1e-6:
            made.append("ok")
        elif miss * size < step and not case.plan.forced_back:
            made.append("ok_within_step")
        else:
            made.append("below_min" if share < ask.least else "above_max")
    return made


def _codes(case: _Case, table: pl.DataFrame) -> list[str]:
    codes = []
    for i, row in enumerate(table.iter_rows(named=True)):
        if row["policy_check"] == "no_exposure":
            codes.append("fx_hedge_alone" if row["open_before"] else "fx_hedge_netted")
        elif row["action"] != "none":
            at_least = case.allowed.low[i] > 0 and row["notional"] < case.allowed.low[i] + case.rates.step[i]
            codes.append(
                "fx_hedge_reduce" if case.allowed.over[i] else "fx_hedge_least" if at_least else "fx_hedge_deal"
            )
        elif case.plan.forced_back and row["policy_check"] in ("below_min", "above_max"):
            codes.append("fx_hedge_refused")
        elif case.allowed.high[i] < case.rates.step[i]:
            codes.append("fx_hedge_covered" if row["_now"] >= row["_most"] - 1e-6 else "fx_hedge_small")
        elif row["cvar_before"] <= 0:
            codes.append("fx_hedge_offsets")
        else:
            codes.append("fx_hedge_dear")
    return codes


def _choices(case: _Case) -> pl.DataFrame:
    flows = case.flows
    net, hedged = flows.column("net"), flows.column("hedged")
    now = np.nan_to_num(hedge.ratio(net, hedged))
    gross = np.where(net > 0, -flows.column("gross_in"), np.where(net < 0, -flows.column("gross_out"), hedged))
    ways = {
        "do_nothing": np.zeros_like(net),
        # Half at least; what stands beyond the whole is taken back.
        "hedge_half": (np.clip(now, 0.5, 1.0) - now) * -net,
        "hedge_all": (1.0 - now) * -net,
        # Every receipt sold, as if no payment went the other way; what stands counts.
        "hedge_gross": np.where(np.abs(gross) > np.abs(hedged), gross - hedged, 0.0),
        "proposed": case.plan.deal,
    }
    rows = []
    for name, deal in ways.items():
        carry, spread = hedge.costs(deal, case.rates)
        var, cvar, _ = case.tail(deal)
        then = hedge.ratio(net, hedged + deal)
        # Within the band: as near as one step, as for the plan.
        slack = np.divide(case.rates.step, np.abs(net), out=np.zeros_like(net), where=net != 0)
        inside = ~np.isfinite(then) | ((then >= case.ask.least - slack - 1e-6) & (then <= case.ask.most + slack + 1e-6))
        rows.append(
            {
                "choice": name,
                "traded": float((np.abs(deal) * case.scenes.spot).sum()),
                "spread": float(spread.sum()),
                "carry": float(carry.sum()),
                "sd": risk.deviation(case.loss(deal).sum(axis=1), case.scenes.chance),
                "var": var,
                "cvar": cvar,
                "total": cvar + hedge.counted(deal, case.rates),
                "in_policy": bool(inside.all()),
            }
        )
    return pl.DataFrame(rows)


def _headline(case: _Case, choices: pl.DataFrame) -> Headline:
    by_name = {r["choice"]: r for r in choices.iter_rows(named=True)}
    today, proposed = by_name["do_nothing"], by_name["proposed"]
    low, high = _range(case, proposed["total"] - proposed["cvar"])
    share = round(100 * (1 - case.ask.level), 4)
    last: date = case.flows.table["value_date"].to_list()[int(np.argmax(case.flows.ahead))]
    basis = (
        f"mean loss of the worst {share:g} % of outcomes (CVaR) on money due up to {last.isoformat()}, at today's hedges, beside the "
        f"plan's with its spread ({proposed['spread']:,.0f}) and the carry of the rows where it costs"
    )
    return Headline(today["cvar"], proposed["total"], low, high, case.ask.home, basis)


def _range(case: _Case, cost: float) -> tuple[float, float]:
    """90 % range of the difference: the past days resampled in blocks of the longest horizon."""
    count = case.scenes.origins
    before = case.loss(np.zeros_like(case.plan.deal)).sum(axis=1)
    after = case.loss(case.plan.deal).sum(axis=1)
    rng = np.random.Generator(np.random.PCG64(case.ask.seed))
    length = min(max(int(case.flows.ahead.max()), 20), count)
    drawn = []
    for _ in range(RESAMPLES):
        starts = rng.integers(0, count - length + 1, -(-count // length))
        days = (starts[:, None] + np.arange(length)).ravel()[:count]
        times = np.bincount(days, minlength=count).astype(np.float64)
        chance = case.scenes.chance * np.concatenate([times, times])
        there = chance > 0
        chance = chance[there] / chance.sum()
        a, b = (risk.tail(x[there], chance, case.ask.level)[1] for x in (before, after))
        drawn.append(b + cost - a)
    low, high = np.quantile(drawn, [0.05, 0.95])
    return float(low), float(high)


def _metrics(case: _Case, rows: pl.DataFrame, choices: pl.DataFrame) -> dict[str, float | int | str | None]:
    by_name = {r["choice"]: r for r in choices.iter_rows(named=True)}
    plan = by_name["proposed"]
    made: dict[str, float | int | str | None] = {
        "rows": rows.height,
        "forwards": rows.filter(pl.col("action") != "none").height,
        "traded": plan["traded"],
        "cvar_today": by_name["do_nothing"]["cvar"],
        "cvar_proposed": plan["cvar"],
        "spread": plan["spread"],
        "carry": plan["carry"],
        "solver": case.plan.status,
        "bound": case.plan.bound,
        "gap": (case.plan.value - case.plan.bound) / max(abs(case.plan.bound), 1e-9)
        if not case.plan.forced_back
        else None,
        "origins": case.scenes.origins,
        "level": case.ask.level,
    }
    for name in ("hedge_half", "hedge_all", "hedge_gross"):
        made[f"total_{name}"] = by_name[name]["total"]
    return made


def _findings(case: _Case, rows: pl.DataFrame) -> list[Told]:
    told: list[Told] = []
    for row in rows.filter(pl.col("policy_check").is_in(["below_min", "above_max"])).iter_rows(named=True):
        name = f"{row['currency']}@{row['bucket']}"
        message = f"{row['_then']:.0f} % of {row['net']:,.0f} {row['currency']} are hedged, the policy asks for {100 * case.ask.least:g} to {100 * case.ask.most:g} %: to obey it would raise the CVaR of all rows"
        told.append((f"fx:policy:{name}", "high", name, "policy_band", message))
    days = np.maximum(case.flows.ahead, 1) * 7 / 5
    yearly = case.rates.points / case.scenes.spot / days * 365
    for code in sorted(set(rows["currency"])):
        own = (case.flows.table["currency"] == code).to_numpy()
        points = float(yearly[own][np.argmax(days[own])])
        if abs(points) > DEAR:
            sold = "costs" if points < 0 else "pays"
            message = f"forward points of {code} are {100 * points:.1f} % a year: selling it forward {sold} that much, whatever the rate does"
            told.append((f"fx:points:{code}", "info", code, "large_forward_points", message))
    return told


def _notes(case: _Case, interest: parity.Interest) -> list[str]:
    ask = case.ask
    notes = [
        f"spread of {ask.spread_bp:g} basis points to each side{f' ({ask.spreads})' if ask.spreads else ''}, steps worth about {ask.lot:,.0f} {ask.home}",
    ]
    for code in [ask.home, *case.flows.currencies]:
        rate, since = interest.known(code, ask.as_of)
        notes.append(
            f"{code}: {100 * rate:.2f} % a year since {since}"
            + (", is it still in force?" if parity.stale(since, ask.as_of) else "")
        )
    if "CNY" in interest.days and abs(interest.known("CNY", ask.as_of)[0]) > 0.025:
        notes.append(
            "CNY: a policy rate above 2.5 % is often the lending rate (LPR), not what forwards are made of; --rate-basis CNY=-1.45 corrects it"
        )
    carry = float(hedge.costs(case.plan.deal, case.rates)[0].sum())
    if carry < 0:
        notes.append(
            f"the forward points of the plan pay {-carry:,.0f} {ask.home} at today's rates; not counted as saved, since they can turn"
        )
    return notes
