"""What is open, what nets out, and what the exchange rates may do to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cbec.methods.fx import risk

if TYPE_CHECKING:
    from cbec.methods.fx.flows import Flows
    from cbec.methods.fx.panel import Panel, Told

Floats = NDArray[np.float64]

#: A currency with this share of the risk dominates; with minus this share it offsets others.
DOMINATES, OFFSETS = 0.5, 0.02
#: Payments that cover so much of the receipts of the same time (or the other way round) are a natural hedge.
NETTED = 0.5


@dataclass
class Exposure:
    """Tables exposure_report and currency_risk, and what to say of them."""

    report: pl.DataFrame
    currencies: pl.DataFrame
    money: str
    metrics: dict[str, float | int | str | None]
    findings: list[Told] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def exposure(flows: Flows, panel: Panel, level: float, home: str) -> Exposure:
    """Risk of every row and currency alone, and its part of the risk of all together (Euler: the parts add up).

    level: of VaR and CVaR, e.g. 0.95. Losses are against today's rate at the value date; nothing is expected of the
    direction of a rate.
    """
    scenes = risk.scenarios(flows, panel)
    value = flows.column("open") * scenes.spot
    loss = risk.losses(value, scenes)
    together = loss.sum(axis=1)
    var, cvar, weight = risk.tail(together, scenes.chance, level)
    parts = weight @ loss
    alone = [risk.tail(column, scenes.chance, level)[:2] for column in loss.T]
    report = flows.table.with_columns(
        spot=pl.Series(scenes.spot),
        home_value=pl.Series(value),
        var=pl.Series([a[0] for a in alone]),
        cvar=pl.Series([a[1] for a in alone]),
        cvar_share=pl.Series(parts),
    )
    table = _currencies(report, loss, scenes.chance, level, cvar)
    unhedged = risk.losses(flows.column("net") * scenes.spot, scenes).sum(axis=1)
    bare = risk.tail(unhedged, scenes.chance, level)[1]
    alone_sum = float(table["cvar"].sum())
    metrics: dict[str, float | int | str | None] = {
        "currencies": table.height,
        "rows": report.height,
        "level": level,
        "open_value": float(np.abs(value).sum()),
        "net_open_value": float(value.sum()),
        "gross_value": float(((flows.column("gross_in") - flows.column("gross_out")) * scenes.spot).sum()),
        "var": var,
        "cvar": cvar,
        "cvar_without_hedges": bare,
        "sd": risk.deviation(together, scenes.chance),
        "diversification": 1 - cvar / alone_sum if alone_sum > 0 else None,
        "days_longest": int(flows.ahead.max()),
        "origins": scenes.origins,
    }
    money = (
        f"a report decides nothing; as hedged today, the worst {100 * (1 - level):g} % of outcomes lose {cvar:,.0f} {home} on "
        f"average, {bare:,.0f} without hedges. fx hedge says what to do"
    )
    return Exposure(report, table, money, metrics, _findings(table, home), list(flows.notes))


def _currencies(report: pl.DataFrame, loss: Floats, chance: Floats, level: float, cvar: float) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    names = report["currency"].to_numpy()
    for code in report["currency"].unique().sort().to_list():
        own = report.filter(pl.col("currency") == code)
        var, alone, _ = risk.tail(loss[:, names == code].sum(axis=1), chance, level)
        smaller = np.minimum(own["gross_in"].to_numpy(), -own["gross_out"].to_numpy())
        larger = max(float(own["gross_in"].sum()), -float(own["gross_out"].sum()))
        share = float(own["cvar_share"].sum())
        row = {
            "currency": code,
            **{c: float(own[c].sum()) for c in ("gross_in", "gross_out", "net", "hedged", "open", "home_value")},
            "netted": min(float(smaller.sum()) / larger, 1.0) if larger > 0 else 0.0,
            "var": var, "cvar": alone, "cvar_share": share,
            "_part": 100 * share / cvar if cvar > 0 else 0.0,
            "_off": -100 * share / cvar if cvar > 0 else 0.0,
            "_out": -float(own["gross_out"].sum()),
        }  # fmt: skip
        rows.append(row | {"_netted": 100 * row["netted"], "reason_code": _code(row, cvar)})
    return pl.DataFrame(rows).sort("currency")


def _code(row: dict[str, Any], cvar: float) -> str:
    if row["netted"] >= NETTED:
        return "fx_risk_natural"
    if cvar > 0 and row["cvar_share"] >= DOMINATES * cvar:
        return "fx_risk_dominates"
    if cvar > 0 and row["cvar_share"] < -OFFSETS * cvar:
        return "fx_risk_offsets"
    if row["gross_in"] + row["_out"] > 0 and abs(row["open"]) <= 0.05 * (row["gross_in"] + row["_out"]):
        return "fx_risk_covered"
    return "fx_risk_open"


def _findings(table: pl.DataFrame, home: str) -> list[Told]:
    told: list[Told] = []
    for row in table.filter(pl.col("_part") >= 100 * DOMINATES).iter_rows(named=True):
        message = f"{row['currency']} alone carries {row['_part']:.0f} % of the currency risk (CVaR {row['cvar_share']:,.0f} {home})"
        told.append((f"fx:dominates:{row['currency']}", "warn", row["currency"], "dominating_exposure", message))
    for row in table.filter(pl.col("netted") >= NETTED).iter_rows(named=True):
        message = f"{row['currency']}: payments cover {row['_netted']:.0f} % of receipts in the same time: hedge the rest only"
        told.append((f"fx:natural:{row['currency']}", "info", row["currency"], "natural_hedge", message))
    return told
