"""Payouts of the marketplaces for the quarter's orders, the bank lines that came of them, and a ledger of what came in.

Every marketplace closes its books each fortnight: sales, refunds, fees, tax it hands on, storage, advertising, a reserve
held back and let go. The bank lines reconcile with the payouts but for planted faults.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from cbec.methods import ledger as chain
from cbec.methods.sample import orders, rates
from cbec.methods.sample.company import END, Company, Family

if TYPE_CHECKING:
    import numpy as np

FORTNIGHT = 14
POSTED = 2  # days from order to the marketplace's books


class Place(NamedTuple):
    """A marketplace: its market, currency, digit in the numbers of payouts, first day of its books, share of commission, fee per
    piece it sends, storage per fortnight, and how its payer writes."""

    name: str
    market: str
    currency: str
    number: int
    opens: int
    commission: float
    sending: float
    storage: float
    payer: str


PLACES = (
    Place("bazaar.de", "DE", "EUR", 1, 0, 0.15, 2.9, 140.0, "BAZAAR PAYMENTS EUROPE"),
    Place("bazaar.fr", "FR", "EUR", 2, 3, 0.15, 3.1, 70.0, "BAZAAR PAYMENTS EUROPE"),
    Place("bazaar.es", "ES", "EUR", 3, 3, 0.15, 3.2, 45.0, "BAZAAR PAYMENTS EUROPE"),
    Place("bazaar.co.uk", "GB", "GBP", 4, 6, 0.14, 2.6, 60.0, "FERRYPAY SETTLEMENT"),
    Place("bazaar.com", "US", "USD", 5, 8, 0.13, 4.2, 120.0, "BAZAAR COM SVCS"),
    Place("bazaar.co.jp", "JP", "JPY", 6, 10, 0.10, 420.0, 4800.0, "FERRYPAY SETTLEMENT"),
)
#: These payouts are changed into CNY on the way, at so many basis points under the fixing.
CONVERTED = {"GBP": 45.0, "JPY": 55.0}
#: (market, which payout): what is planted there.
FAULTS = {
    ("ES", 2): "missing", ("DE", 3): "short", ("US", 1): "booked_twice", ("US", 3): "split", ("FR", 4): "merge", ("ES", 4): "merge",
    ("GB", 2): "fx_spread", ("FR", 1): "swapped_digits", ("US", 4): "fee",
}  # fmt: skip
DEAR = 180.0  # basis points of the planted conversion
KEPT = Decimal("15.00")  # fee of the planted transfer
LACKS = Decimal("0.925")  # what came of the short payout
RESERVE = Decimal("400.00")
LEDGER_TO = date(2026, 8, 31)


def family(company: Company) -> Family:
    """The tables `settlements`, `bank`, `events` and `ledger`."""
    rng = company.random("settle")
    sold = orders.family(company).tables["order_lines"]
    lines = _settlements(rng, sold)
    fixings = rates.family(company).tables["rates"]
    paid = _payouts(lines)
    bank, truths = _bank(rng, paid, fixings)
    events, records = _ledger(bank)
    faults = {
        "faults": truths,
        "orders_of_no_marketplace": sold.filter(pl.col("order_id").str.starts_with("PL"))["order_id"].n_unique(),
    }
    told = {
        "records": len(records),
        "head": records[-1]["hash"],
        "events_not_in_it": sum(e["at"] > LEDGER_TO for e in events),
    }
    tables = {
        "settlements": lines.sort(
            "settlement_id", "posted_at", "order_id", "type", "description", "amount", nulls_last=True
        ),
        "bank": bank.sort("booking_date", "bank_ref"),
        "events": pl.DataFrame(events).sort("at", "ref", "event"),
        "ledger": pl.DataFrame(records).select(*chain.FIELDS),
    }
    return Family(tables, {"settle": faults | {"ledger": told}})


def _cents(value: float, currency: str) -> Decimal:
    return Decimal(f"{value:.6f}").quantize(Decimal(1) if currency == "JPY" else Decimal("0.01"), ROUND_HALF_UP)


def _settlements(rng: np.random.Generator, sold: pl.DataFrame) -> pl.DataFrame:
    """Lines of every fortnight that was closed by the last day, with a row of what was paid out."""
    first = sold["date"].min()
    assert isinstance(first, date)
    charged = pl.col("qty").cast(pl.Float64) * pl.col("price").cast(pl.Float64) + pl.col("shipping").cast(pl.Float64)
    vat = pl.col("ship_to").replace_strict(orders.VAT, return_dtype=pl.Float64)
    within = (
        pl.when(pl.col("marketplace_collects") & pl.col("price_includes_tax"))
        .then(charged - charged / (1 + vat))
        .otherwise(0.0)
    )
    back = pl.col("qty") < 0
    per = (
        sold.filter(~pl.col("order_id").str.starts_with("PL"))
        .with_columns(gross=charged, tax=within, back=back, sent=pl.col("warehouse").is_not_null() & ~back)
        .sort("order_id", "line")
        .group_by("market", "order_id", "back", "date", maintain_order=True)
        .agg(pl.col("gross", "tax").sum().round(6), pieces=(pl.col("qty").cast(pl.Float64) * pl.col("sent")).sum())
    )
    rows: list[dict[str, Any]] = []
    for place in PLACES:
        rows += _of_place(rng, place, per.filter(pl.col("market") == place.market), first)
    return pl.DataFrame(rows, schema_overrides={"order_id": pl.String, "description": pl.String})


def _of_place(rng: np.random.Generator, place: Place, per: pl.DataFrame, first: date) -> list[dict[str, Any]]:
    opens = first + timedelta(days=place.opens)
    rows: list[dict[str, Any]] = []

    def add(
        number: str, day: date, kind: str, amount: Decimal, order: str | None = None, what: str | None = None
    ) -> None:
        common = {"settlement_id": number, "posted_at": day, "order_id": order, "type": kind, "description": what}
        rows.append(common | {"amount": amount, "currency": place.currency, "marketplace": place.name})

    period = 0
    closes = opens + timedelta(days=FORTNIGHT - 1)
    held = Decimal(0)
    while closes < END:
        number = f"26{place.number}{4107 + 211 * period + int(rng.integers(0, 90)):04d}"
        total = Decimal(0)
        # Orders before the first books are settled with them.
        begins = date.min if period == 0 else closes - timedelta(days=FORTNIGHT - 1)
        booked = pl.col("date") + timedelta(days=POSTED)
        for order, back, day, gross, tax, pieces in (
            per.filter(booked > begins if period == 0 else booked >= begins, booked <= closes)
            .select("order_id", "back", "date", "gross", "tax", "pieces")
            .iter_rows()
        ):
            posted = max(day + timedelta(days=POSTED), opens)
            # A part of the commission is kept when goods come back.
            share = place.commission * (0.8 if back else 1.0)
            parts = [
                ("Refund" if back else "Order", "Principal", gross),
                ("Refund" if back else "Order", "Commission", -gross * share),
            ]
            parts += [("Order", "Fulfilment fee", -pieces * place.sending)] if pieces else []
            parts += [("Order", "Tax withheld", -tax)] if tax else []
            for kind, what, value in parts:
                amount = _cents(value, place.currency)
                add(number, posted, kind, amount, order, what)
                total += amount
        reserve = RESERVE if place.market == "DE" and period == 2 else Decimal(0)
        loose = [
            ("Fee", "Storage", -_cents(place.storage * (0.9 + 0.2 * rng.random()), place.currency)),
            ("Fee", "Advertising", -_cents(float(total) * (0.03 + 0.02 * rng.random()), place.currency)),
            ("Reserve", "held back", -reserve),
            ("Reserve", "let go", held),
        ]
        for kind, what, amount in loose:
            if amount:
                add(number, closes, kind, amount, None, what)
                total += amount
        add(number, closes + timedelta(days=1), "Payout", total)
        held, period, closes = reserve, period + 1, closes + timedelta(days=FORTNIGHT)
    return rows


def _payouts(lines: pl.DataFrame) -> list[dict[str, Any]]:
    """Payout rows in the order of days, each with which one of its marketplace it is."""
    market = {place.name: place for place in PLACES}
    paid = lines.filter(pl.col("type") == "Payout").sort("marketplace", "posted_at")
    found, which = [], dict.fromkeys(market, 0)
    for row in paid.iter_rows(named=True):
        place = market[row["marketplace"]]
        found.append(row | {"place": place, "fault": FAULTS.get((place.market, which[place.name]))})
        which[place.name] += 1
    return sorted(found, key=lambda r: (r["posted_at"], r["settlement_id"]))


class _Account:
    """The lines of the bank and what is planted in them."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.truths: list[dict[str, Any]] = []

    def book(self, day: date, amount: Decimal, currency: str, text: str, party: str | None = None) -> str:
        """Add a line, unless it lies after the last day; its number."""
        ref = f"TX{day:%y%m%d}{7 * (len(self.lines) + 1):04d}"
        if day <= END:
            line = {"bank_ref": ref, "booking_date": day, "amount": amount, "currency": currency}
            self.lines.append(line | {"text": text, "counterparty": party})
        return ref

    def plant(self, kind: str | None, numbers: list[str], refs: list[str], **more: Any) -> None:
        """Write down a fault: which settlements and bank lines it is in."""
        if kind is not None:
            self.truths.append({"kind": kind, "settlement_ids": sorted(numbers), "bank_refs": refs, **more})


def _bank(
    rng: np.random.Generator, paid: list[dict[str, Any]], fixings: pl.DataFrame
) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Bank lines and the faults in them. `amount` of a fault: what should have come less what came."""
    account = _Account()
    waiting: list[dict[str, Any]] = []
    for row in paid:
        place, fault, number, amount = row["place"], row["fault"], row["settlement_id"], row["amount"]
        chance = rng.random(4)
        day = _workday(row["posted_at"] + timedelta(days=1 + int(3 * chance[0])))
        named = chance[1] < 0.5 and fault not in ("short", "swapped_digits", "split")
        text = f"{place.payer} {number}" if named else place.payer
        if place.currency in CONVERTED:
            bp = DEAR if fault == "fx_spread" else CONVERTED[place.currency] + 16 * (chance[2] - 0.5)
            mid = _fixing(fixings, place.currency, day)
            ref = account.book(day, _cents(float(amount) * mid * (1 - bp / 1e4), "CNY"), "CNY", text)
            account.plant(fault, [number], [ref], spread_bp=DEAR)
            continue
        if fault == "merge":
            waiting.append(row)
            if len(waiting) == 2:
                ref = account.book(day, waiting[0]["amount"] + amount, place.currency, place.payer)
                account.plant(fault, [w["settlement_id"] for w in waiting], [ref])
            continue
        came = _arrivals(fault, amount, day)
        refs = [account.book(when, part, place.currency, text) for when, part in came]
        lost = amount - sum((part for _, part in came), Decimal(0))
        account.plant(fault, [number], refs, amount=float(lost), currency=place.currency)
    for day, value, currency, text, party in _others(rng):
        account.book(day, _cents(value, currency), currency, text, party)
    return pl.DataFrame(account.lines), account.truths


def _arrivals(fault: str | None, amount: Decimal, day: date) -> list[tuple[date, Decimal]]:
    """What comes of a payout, and when."""
    later = _workday(day + timedelta(days=1))
    part = (amount * Decimal("0.6")).quantize(Decimal("0.01"))
    return {
        "missing": [],
        "short": [(day, (amount * LACKS).quantize(Decimal("0.01")))],
        "booked_twice": [(day, amount), (later, amount)],
        "split": [(day, part), (later, amount - part)],
        "swapped_digits": [(day, _swapped(amount))],
        "fee": [(day, amount - KEPT)],
    }.get(fault or "", [(day, amount)])


def _swapped(amount: Decimal) -> Decimal:
    """The amount with its first two different neighbouring digits swapped, but not the first of all."""
    digits = list(str(amount))
    for i in range(1, len(digits) - 1):
        a, b = digits[i], digits[i + 1]
        if a.isdigit() and b.isdigit() and a != b:
            digits[i], digits[i + 1] = b, a
            return Decimal("".join(digits))
    return amount


def _others(rng: np.random.Generator) -> list[tuple[date, float, str, str, str | None]]:
    """What else goes over the accounts."""
    rows: list[tuple[date, float, str, str, str | None]] = []
    for month in (7, 8, 9):
        for day, low, currency, text, party in (
            (5, -62_000, "CNY", "GOODS INVOICE", "S03"), (11, -48_000, "CNY", "GOODS INVOICE", "S05"),
            (14, -2_150, "USD", "OCEAN FREIGHT", "Blue Anchor"), (18, -1_900, "EUR", "VAT RETURN", "Bundeskasse"),
            (21, -890, "EUR", "PARCEL COLLECTION", "Nord Cargo"), (28, 6, "EUR", "INTEREST", None),
            (24, 320, "EUR", "CLAIM SETTLED", "Nord Cargo"),
        ):  # fmt: skip
            rows.append((_workday(date(2026, month, day)), low * (0.9 + 0.2 * rng.random()), currency, text, party))
    rows.append((date(2026, 8, 3), 250_000.0, "CNY", "LOAN", "Example Bank"))
    return rows


def _workday(day: date) -> date:
    weekday = day.isoweekday()
    return day + timedelta(days=8 - weekday if weekday > 5 else 0)


def _fixing(fixings: pl.DataFrame, currency: str, day: date) -> float:
    known = fixings.filter(pl.col("base") == currency, pl.col("quote") == "CNY", pl.col("date") <= day)
    return float(known.sort("date")["rate"][-1])


def _ledger(bank: pl.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Events of the bank lines in August and September, and the ledger as it stood at the end of August."""
    recent = bank.filter(pl.col("booking_date") >= date(2026, 8, 1), pl.col("amount") > 0).sort(
        "booking_date", "bank_ref"
    )
    events: list[dict[str, Any]] = [
        {
            "event": "money_received", "ref": row["bank_ref"], "amount": row["amount"], "currency": row["currency"],
            "at": row["booking_date"], "evidence": None if row["text"] is None else f"text:{row['text']}",
        }
        for row in recent.iter_rows(named=True)
    ]  # fmt: skip
    written = [
        {
            **{name: event[name] for name in ("event", "ref", "currency", "evidence")}, "at": event["at"].isoformat(),
            "amount_minor": int(event["amount"] * (1 if event["currency"] == "JPY" else 100)),
        }
        for event in events
        if event["at"] <= LEDGER_TO
    ]  # fmt: skip
    return events, chain.extend(sorted(written, key=lambda e: (e["at"], e["event"], e["ref"])))
