"""Payouts against the bank, a ledger that shows tampering, landed profit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cbec.core.command import Common, Result, Table, command, setting


@dataclass(frozen=True)
class Reconcile(Common):
    """Settings of `settle reconcile`."""

    window_days: int = setting(10, "days after the payout within which the bank line may be booked", min=0, max=60)
    early_days: int = setting(2, "days before it", min=0, max=30)
    max_fee: float = setting(
        30.0,
        "largest fixed fee kept back, in hundreds of minor units (30 = EUR 30.00 or JPY 3,000); at most 5 % of it all",
        min=0,
    )
    max_fee_pct: float = setting(0.5, "largest fee as a share of the payout, percent", min=0, max=20)
    max_spread_bp: float = setting(150.0, "a conversion dearer than this, against the fixing, is a finding", min=0)
    auto_score: float = setting(0.95, "matches at or above this score need no review", min=0.5, max=1)
    max_parts: int = setting(4, "most lines in a split or merge; 1 = look for none", min=1, max=6)
    order_days: int = setting(30, "an order in no settlement after so many days is a finding", min=0)


@command(
    "matches",
    "unexplained",
    "recon_totals",
    example="--bank bank.csv --settlements settlements.csv.gz --order-lines order_lines.csv --rates rates.csv -o matches.csv",
)
def reconcile(
    bank: Table, settlements: Table, order_lines: Table | None = None, rates: Table | None = None, *, s: Reconcile
) -> Result:
    """Which bank line paid which settlement, what was kept back on the way, and what is missing.

    Pairs, splits and merges with a score and a reason; fees, conversions against the fixing, short payments and
    duplicates by name; the rest is listed, and the proof that nothing was lost adds up to 0 per currency. The dates
    are known up to the last bank line.
    """
    import polars as pl

    from cbec.methods.settle import judgement, orders, outcome
    from cbec.methods.settle import reconcile as method
    from cbec.methods.settle.candidates import Window

    latest = bank["booking_date"].max()
    as_of = s.as_of or (latest if isinstance(latest, date) else date.max)
    terms = method.Terms(Window(s.early_days, s.window_days), s.max_fee, s.max_fee_pct / 100, s.auto_score, s.max_parts)
    done = method.match(settlements, bank, rates, terms)
    links = outcome.named(done)
    matches = outcome.matches(done, links, as_of, s.window_days)
    left = outcome.unexplained(done, links, as_of, s.window_days)
    if order_lines is not None:
        left = pl.concat([left, orders.unsettled(order_lines, settlements, as_of, s.order_days)])
    table = left.with_columns(amount=outcome.money("amount"))
    notes = [f"no rate joins {pair}: lines in these currencies were not compared" for pair in sorted(set(done.lacking))]
    if rates is None and set(bank["currency"]) != set(settlements["currency"]):
        notes.append("without --rates payouts that were changed into another currency are not looked for")
    if not done.searched:
        notes.append("too many lines are open to look for splits and merges: narrow --window-days or the period")
    return Result(
        {
            "matches": matches,
            "unexplained": table,
            "recon_totals": outcome.proof(settlements, bank, links, left),
        },
        money=judgement.headline(table),
        metrics=judgement.metrics(matches, table),
        findings=judgement.findings(matches, table, s.max_spread_bp),
        notes=notes,
    )


@dataclass(frozen=True)
class Profit(Common):
    """Settings of `settle profit`."""

    price_basis: str = setting(
        "net", "whether prices include tax (gross) or not (net) where a line does not say", choices=("net", "gross")
    )
    import_vat_recoverable: bool = setting(False, "tax paid at import comes back to the seller: no cost")
    returns_resold: float = setting(
        0.0, "share of the pieces sent back that can be sold again; the others are lost at cost", min=0, max=1
    )
    dim_divisor: float = setting(6000.0, "cm3 per kg of volume weight, by which freight is shared out", min=1)


@command(
    "landed_profit",
    "profit_lines",
    example="--order-lines order_lines.csv --products products.csv --settlements settlements.csv.gz --rates rates.csv --home-currency CNY -o profit.csv",
)
def profit(
    order_lines: Table,
    products: Table,
    tax: Table | None = None,
    options: Table | None = None,
    shipments: Table | None = None,
    settlements: Table | None = None,
    inventory: Table | None = None,
    scores: Table | None = None,
    rates: Table | None = None,
    *,
    s: Profit,
) -> Result:
    """What is left per SKU and market when goods, freight, duty, tax, fees, storage, returns, fraud and currency are paid.

    Every amount of the tables is placed to the last cent; cost kinds that no table tells are named, row by row, and
    count as 0. Tax collected from buyers is no revenue and no cost, whoever collects it.
    """
    from cbec.methods.settle import profit as method
    from cbec.methods.settle.sales import Terms

    latest = order_lines["date"].max()
    as_of = s.as_of or (latest if isinstance(latest, date) else date.max)
    terms = Terms(s.price_basis == "gross", s.import_vat_recoverable, s.returns_resold, s.dim_divisor)
    tables = method.Tables(order_lines, products, tax, options, shipments, settlements, inventory, scores, rates)
    landed = method.compute(tables, terms, s.home_currency, as_of)
    table = method.by_sku(landed)
    return Result(
        {"landed_profit": table, "profit_lines": method.by_line(landed)},
        money=method.headline(table, landed),
        metrics=method.metrics(landed, table),
        findings=method.findings(table, landed),
        notes=landed.notes,
    )


@command("ledger", example="--events events.csv --ledger ledger.csv -o ledger_next.csv")
def ledger(events: Table, ledger: Table | None = None, *, s: Common) -> Result:
    """Events into a ledger in which each record carries the hash of the one before it.

    Give the ledger of the last run with --ledger to append to it; events that stand in it already are not written
    again. Keep the last hash (metric `head`) where nobody who writes the ledger can change it.
    """
    from cbec.methods.settle import book

    made = book.write(events, ledger)
    return Result(
        {"ledger": made.ledger},
        money="a ledger moves no money",
        metrics={
            "records": made.ledger.height,
            "appended": made.appended,
            "known": made.known,
            "head": made.head,
        },
        notes=[
            f"{made.appended} of {made.appended + made.known} events appended; the rest stood in the ledger already",
            f"head {made.head}: keep it elsewhere; settle verify --head HASH then shows a ledger cut off or written anew",
        ],
    )


@dataclass(frozen=True)
class Verify(Common):
    """Settings of `settle verify`."""

    head: str = setting("", "hash of a record of this ledger as kept elsewhere; shows a tail cut off")


@command("ledger_verdict", example="--ledger ledger.csv -o ledger_verdict.csv")
def verify(ledger: Table, *, s: Verify) -> Result:
    """Whether the chain of a ledger holds; where it is broken, exit status 1 and the first bad record.

    Without --head a tail that was cut off, or a chain written anew, cannot be seen.
    """
    from cbec.methods.settle import book

    verdict = book.verify(ledger, s.head.strip().lower())
    return Result(
        {"ledger_verdict": verdict.table},
        money="a ledger moves no money",
        metrics={"records": ledger.height, "status": verdict.table["status"][0], "head": verdict.head},
        findings=verdict.findings,
        fail=verdict.broken,
    )
