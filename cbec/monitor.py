"""Monitors: what a person should look into this morning."""

from __future__ import annotations

from dataclasses import dataclass

from cbec.core.command import Common, Result, Table, command, setting


@dataclass(frozen=True)
class Stock(Common):
    """Settings of `monitor stock`."""

    cutoff_days: int = setting(
        1, "days of sales and receipts that may be booked on either side of a count", min=0, max=7
    )
    least_units: float = setting(2.0, "differences of a count up to so many pieces are no alert", min=0)
    restock_returns: bool = setting(True, "returned pieces go back to stock")
    aged_days: float = setting(180.0, "days from which lying stock is told", min=1)
    old_days: float = setting(365.0, "days from which that is a warning", min=1)
    dead_days: int = setting(90, "days without a sale after which stock is dead", min=1)
    drop_days: int = setting(14, "last days in which a drop of sales is looked for", min=3, max=90)
    base_days: int = setting(56, "days before them that they are held against", min=7, max=730)
    drop_share: float = setting(0.5, "smallest drop that is told", min=0, max=1)
    false_alarms: float = setting(0.05, "share of the told drops that may be chance", min=0.001, max=0.5)
    low_days: float = setting(
        14.0, "days of cover under which stock is low, where no policy tells the lead time", min=0
    )
    overdue_grace_days: int = setting(0, "days that inbound may be late before it is told", min=0, max=365)
    overdue_high_days: int = setting(14, "days overdue from which it is grave", min=0)


@command(
    "alerts",
    "stock_balance",
    "stock_ageing",
    example="--inventory inventory.csv --sales sales.csv.gz --products products.csv --rates rates.csv --home-currency CNY -o alerts.csv",
)
def stock(
    inventory: Table,
    sales: Table | None = None,
    inbound: Table | None = None,
    receipts: Table | None = None,
    previous_inventory: Table | None = None,
    policies: Table | None = None,
    products: Table | None = None,
    rates: Table | None = None,
    *,
    s: Stock,
) -> Result:
    """Stock that is not as it should be: under 0, missing, dead, ageing, late, about to run out; sales that dropped.

    Each table given makes more of it possible. Use --fail-on high in a nightly job.
    """
    from cbec.methods.monitor import ageing, alerts, balance, items, movement, notes

    shelf = items.shelf(inventory, products, rates, sales, s.as_of, s.home_currency)
    told = notes.Notes()
    days = None if sales is None else notes.sold(sales, shelf, told)
    came = None if receipts is None else notes.received(receipts, told)
    parts = alerts.of_counts(shelf, previous_inventory)
    tables = {"stock_ageing": ageing.bands(shelf)}
    book = None
    if previous_inventory is not None:
        book = balance.balance(
            shelf,
            previous_inventory,
            days,
            came,
            cutoff_days=s.cutoff_days,
            least=s.least_units,
            restock_returns=s.restock_returns,
        )
        book = book.filter(~book["sku"].is_in(list(told.unplaced)))
        tables["stock_balance"] = book
        parts += alerts.of_balance(book)
    moving, unsold = shelf.items, None
    if days is not None:
        look = movement.Look(s.drop_days, s.base_days, s.drop_share, s.false_alarms, s.dead_days, s.low_days)
        moving = movement.cover(shelf, movement.rates(shelf, days, look), inbound, policies, look)
        moving = moving.filter(~moving["sku"].is_in(list(told.unplaced)))
        unsold = moving.filter(movement.dead(moving, told.first_sale, shelf.today, look))
        parts += [*alerts.of_drops(moving, s.drop_days), *alerts.of_cover(moving)]
    parts += alerts.of_age(shelf, unsold, s.aged_days, s.old_days, s.dead_days)
    if inbound is not None:
        parts += alerts.of_inbound(shelf, inbound, moving, s.overdue_grace_days, s.overdue_high_days)
    found = alerts.table(shelf, parts, s.language)
    return Result(
        {"alerts": found, **tables},
        money=alerts.money(shelf, found),
        metrics=alerts.metrics(shelf, found, book),
        findings=alerts.findings(found),
        notes=notes.lines(told, shelf, s.dead_days, sales, receipts, previous_inventory, inbound),
    )
