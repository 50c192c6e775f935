"""Pages of settle from real results, and from the ends: nothing matched, nothing on one side, no revenue, a broken chain."""

from __future__ import annotations

from typing import Any

import polars as pl
from support import books
from support.books import day, line, payout
from support.wellformed import check as well_formed

from cbec import settle, tables
from cbec.core import check, reasons
from cbec.core.cells import dtype
from cbec.core.command import Common, Result, find
from cbec.core.delivery import summarise
from cbec.core.errors import ExitStatus
from cbec.report import compose, html, markdown


def drawn(command: str, settings: Any, result: Result) -> tuple[str, str]:
    made = {}
    for name, frame in result.tables.items():
        contract = tables.get(name)
        made[name] = check.conform(contract, reasons.render(frame) if "reason" in contract.names else frame)
    summary = summarise(find("settle", command), settings, result, made, {"bank": 1}, ExitStatus.DONE)
    page = compose.compose(summary, made)
    text = html.render(page)
    well_formed(text)
    assert len(text.encode()) < 300_000
    assert html.render(compose.compose(summary, made)) == text
    return text, markdown.render(page)


def whole(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    given = pl.DataFrame(rows, infer_schema_length=None)
    columns = [
        (given[c.name] if c.name in given.columns else pl.Series([c.default] * len(rows))).cast(dtype(c)).alias(c.name)
        for c in tables.get(name).columns
    ]
    return pl.DataFrame(columns)


def reconciled(
    paid: list[dict[str, Any]], bank: list[dict[str, Any]], rates: pl.DataFrame | None = None
) -> tuple[str, str]:
    s = settle.Reconcile(as_of=day(300))
    return drawn("reconcile", s, settle.reconcile(books.bank(bank), books.settlements(paid), None, rates, s=s))


def test_a_reconciliation_shows_what_is_missing_first() -> None:
    paid, bank = books.history()
    paid += [payout("S1", 30, "500"), payout("S2", 40, "1000.00", "USD"), payout("S3", 60, "900")]
    bank += [line("B2", 42, "6950.00", "CNY"), line("B3", 62, "700"), line("B9", 63, "-5", text="<b>RENT</b>")]
    text, plain = reconciled(paid, bank, books.rates({("USD", "CNY"): 7.0}))
    assert text.index("was due and not received") < text.index("Payouts by marketplace") < text.rindex("To act on")
    assert "USD into CNY" in text and "Cost of conversions" in text
    assert "<b>RENT" not in text
    assert "Due and not received" in plain


def test_the_ends_of_a_reconciliation_have_a_page() -> None:
    assert "1 payout missing or short" in reconciled([payout("S1", 1, "5")], [])[1]
    assert "every payout that is due was received" in reconciled([], [line("B1", 1, "7")])[1]
    assert "There was nothing to reconcile" in reconciled([], [])[1]
    assert "all received" in reconciled([payout("S1", 1, "5", marketplace=None)], [line("B1", 2, "5")])[0]


def profited(orders: list[dict[str, Any]], **more: Any) -> tuple[str, str]:
    s = settle.Profit(home_currency="CNY", as_of=day(50))
    products = whole("products", [{"sku": "A", "unit_cost": 30.0, "currency": "CNY"}])
    return drawn(
        "profit",
        s,
        settle.profit(whole("order_lines", orders), products, rates=books.rates({("EUR", "CNY"): 8.0}), s=s, **more),
    )


def test_a_profit_is_told_from_revenue_on() -> None:
    order = {"order_id": "1", "sku": "A", "qty": 1, "date": day(1), "market": "DE", "price": 10, "currency": "EUR"}
    loss = order | {"order_id": "2", "market": "FR", "price": 1}
    paid = books.settlements([payout("S", 20, "-1", order_id="1", type="fee")])
    text, plain = profited([order, loss], settlements=paid)
    assert text.index("From revenue to profit") < text.index("Cost kinds that the tables told")
    assert "A@FR loses 22.00 CNY on 8.00 revenue" in plain
    # Nothing sold.
    assert "No revenue was told" in profited([order | {"qty": -1}])[1]


def test_a_ledger_and_its_verdict_have_pages() -> None:
    rows = [{"event": "e", "ref": "<i>", "amount": 1, "currency": "EUR", "at": day(1)}]
    made = settle.ledger(whole("events", rows), s=Common())
    assert "Records by event" in drawn("ledger", Common(), made)[0]
    s = settle.Verify()
    assert "holds" in drawn("verify", s, settle.verify(made.tables["ledger"], s=s))[1]
    changed = made.tables["ledger"].with_columns(ref=pl.lit("x"))
    assert "broken" in drawn("verify", s, settle.verify(changed, s=s))[1]
    assert "no record" in drawn("ledger", Common(), settle.ledger(whole("events", rows).clear(), s=Common()))[1]
