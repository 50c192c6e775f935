"""Suppliers: how they kept their word, what it cost, and the lead times to plan with."""

from __future__ import annotations

from dataclasses import dataclass

from cbec.core.command import Common, Result, Table, command, setting


@dataclass(frozen=True)
class Score(Common):
    """Settings of `supplier score`."""

    window_days: int = setting(730, "orders of so many days are judged; 0 = all", min=0)
    promise: str = setting(
        "original", "the day that counts: as first promised, or as revised", choices=("original", "revised")
    )
    late_tolerance_days: int = setting(0, "days after the promise that still count as on time", min=0, max=365)
    early_tolerance_days: int = setting(365, "days before it that still do", min=0, max=3650)
    short_tolerance_pct: float = setting(0.0, "percent of a line that may be missing from one in full", min=0, max=100)
    short_after_days: int = setting(30, "days after the promise from which what has not come counts as short", min=0)
    interval: str = setting("wilson", "intervals of shares", choices=("wilson", "jeffreys"))
    confidence: float = setting(0.95, "of the intervals", min=0.5, max=0.999)
    target_otif: float = setting(0.9, "share on time and in full that you ask for", min=0, max=1)
    min_orders: int = setting(8, "fewer lines than this tell little: no verdict, no new lead time", min=1)
    weight_otif: float = setting(40.0, "weight of on time and in full in the score", min=0)
    weight_lead_time: float = setting(20.0, "weight of steady lead times", min=0)
    weight_quality: float = setting(20.0, "weight of few defects", min=0)
    weight_price: float = setting(20.0, "weight of steady prices", min=0)
    weight_band: float = setting(
        0.2, "share by which each weight is moved to see how far it decides the rank", min=0, max=1
    )
    worst_cv: float = setting(0.5, "coefficient of variation of the lead time that scores 0", min=0.01)
    worst_ppm: float = setting(20000.0, "defects per million that score 0", min=1)
    worst_drift_pct: float = setting(10.0, "rise of prices per year, percent, that scores 0", min=0.1)
    late_cost_pct: float = setting(0.0, "cost of a day late, percent of the late value; 0 = not told", min=0, max=100)
    defect_cost_pct: float = setting(0.0, "cost of a rejected piece, percent of its price; 0 = not told", min=0)


@command(
    "supplier_score",
    "lead_times",
    "policies_update",
    example="--receipts receipts.csv --purchase-orders purchase_orders.csv --rates rates.csv --home-currency CNY -o score.csv",
)
def score(
    receipts: Table,
    purchase_orders: Table,
    suppliers: Table | None = None,
    policies: Table | None = None,
    rates: Table | None = None,
    *,
    s: Score,
) -> Result:
    """Suppliers by how they kept their word: on time and in full, lead times, defects, prices, and what it cost.

    Lines are judged from the day they are due, by the first promise; open orders are never on time. With --policies
    the table policies_update carries the measured lead times to the next replenish.
    """
    from cbec.methods.supplier import leadtimes, lines, money, verdict
    from cbec.methods.supplier import score as method

    rules = lines.Rules(
        lines.today(receipts, s.as_of),
        s.window_days,
        s.late_tolerance_days,
        s.early_tolerance_days,
        s.short_tolerance_pct / 100,
        s.short_after_days,
        s.promise == "revised",
        s.home_currency,
    )
    scale = method.Scale(
        s.interval,
        s.confidence,
        s.target_otif,
        s.min_orders,
        (s.weight_otif, s.weight_lead_time, s.weight_quality, s.weight_price),
        s.weight_band,
        s.worst_cv,
        s.worst_ppm,
        s.worst_drift_pct,
    )
    record = lines.record(purchase_orders, receipts, suppliers, rates, rules)
    cells = leadtimes.cells(record.frame, policies, s.min_orders)
    table = method.shares(record, scale)
    for part in (method.lead_times(record, cells), money.prices(record)):
        table = table.join(part, on="supplier_id", how="left", maintain_order="left")
    spread = table.select("supplier_id", sd="_spread")
    costed = money.costs(record, policies, spread, money.Tariff(s.late_cost_pct, s.defect_cost_pct))
    table = table.join(money.summed(costed), on="supplier_id", how="left", maintain_order="left")
    table = method.reasoned(method.ranked(table, scale), scale).with_columns(currency=verdict.currency(record))
    told = [p for p in money.PARTS if costed[p].is_not_null().any()]
    tables = {"supplier_score": table, "lead_times": leadtimes.table(cells)}
    if policies is not None:
        tables["policies_update"] = leadtimes.updated(policies, cells, record.frame, s.min_orders)
    return Result(
        tables,
        money=money.in_words(costed, record, told, s.seed),
        metrics=verdict.metrics(table, record, s.target_otif),
        findings=verdict.findings(table, record, cells, s.language),
        notes=verdict.notes(table, record, told),
    )
