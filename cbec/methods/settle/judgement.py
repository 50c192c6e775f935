"""What a person should act on after a reconciliation, and its figures."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import polars as pl

from cbec.core.command import Finding
from cbec.core.words import of

_WORDS = {
    "missing": ("high", "was not received"),
    "short": ("high", "came short"),
    "control": ("high", "does not add up: its lines are not what it says it paid"),
    "digits": ("high", "was received with two digits swapped"),
    "over": ("warn", "came with too much"),
    "duplicate": ("warn", "stands in the data twice"),
}


def findings(matches: pl.DataFrame, unexplained: pl.DataFrame, most_bp: float) -> list[Finding]:
    """Amounts missing, short, twice or swapped one by one; dear conversions; the rest as sums per currency."""
    found = []
    for row in unexplained.filter(pl.col("kind").is_in(list(_WORDS)), pl.col("amount") != 0).iter_rows(named=True):
        severity, words = _WORDS[row["kind"]]
        amount = abs(row["amount"])
        name = f"{row['side']}:{row['item']}:{row['currency']}:{row['kind']}"
        what = {"settlement": "settlement", "bank": "bank line", "match": "match"}[row["side"]]
        where = f" of {row['marketplace']}" if row["marketplace"] else ""
        text = f"{what} {row['item']}{where}: {amount:,.2f} {row['currency']} {words}"
        found.append(Finding(name, severity, row["item"], row["kind"], text, float(amount), row["currency"]))
    return [*found, *_dear(matches, most_bp), *_sums(unexplained), *_reviews(matches)]


def _dear(matches: pl.DataFrame, most_bp: float) -> Iterable[Finding]:
    dear = matches.filter(pl.col("spread_bp") > most_bp).sort("match_id", "settlement_id")
    for row in dear.iter_rows(named=True):
        cost = float(row["fx_cost"])
        text = (
            f"settlement {row['settlement_id']}: {row['currency']} was changed into {row['bank_currency']} {row['spread_bp']:.0f} bp"
            f" under the fixing, {cost:,.2f} {row['bank_currency']}; the limit is {most_bp:g} bp"
        )
        name = f"spread:{row['match_id']}:{row['settlement_id']}:{row['bank_ref']}"
        yield Finding(name, "warn", row["settlement_id"], "spread", text, cost, row["bank_currency"])


def _sums(unexplained: pl.DataFrame) -> Iterable[Finding]:
    payout = pl.col("reason_code") == "recon_unknown_payout"
    told = (
        ("unknown_payout", "warn", payout, "bank lines of payers of payouts belong to no settlement"),
        (
            "unknown",
            "info",
            (pl.col("kind") == "unknown") & ~payout,
            "other amounts came in that belong to no settlement",
        ),
        ("unsettled", "warn", pl.col("kind") == "unsettled", "orders are in no settlement yet"),
    )
    for rule, severity, condition, words in told:
        rows = unexplained.filter(condition)
        for currency, count, amount, first in (
            rows.group_by("currency")
            .agg(pl.len(), pl.col("amount").sum(), pl.col("item").min())
            .sort("currency")
            .iter_rows()
        ):
            text = f"{count:,} {words}: {amount:,.2f} {currency}, e.g. {first}"
            yield Finding(f"{rule}:{currency}", severity, currency, rule, text, float(amount), currency)


def _reviews(matches: pl.DataFrame) -> Iterable[Finding]:
    count = matches.filter(pl.col("status") == "review")["match_id"].n_unique()
    if count:
        text = f"{count:,} match{'es' if count != 1 else ''} are for review: the evidence is not beyond doubt"
        yield Finding("review", "info", "matches", "review", text)


def metrics(matches: pl.DataFrame, unexplained: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Counts, and sums per currency: what is missing or short, fees, costs of conversion."""
    found: dict[str, float | int | str | None] = {
        "settlements": matches["match_id"].n_unique() if matches.height else 0,
        "matched_auto": matches.filter(pl.col("status") == "auto")["settlement_id"].n_unique(),
        "matched_review": matches.filter(pl.col("status") == "review")["settlement_id"].n_unique(),
    }
    settlements = matches.select("settlement_id", "currency").unique().height
    found["settlements"] = settlements
    for kind, count in unexplained.group_by("kind").len().sort("kind").iter_rows():
        found[f"{kind}_count"] = count
    lost = unexplained.filter(pl.col("kind").is_in(["missing", "short", "digits"]))
    for currency, amount in lost.group_by("currency").agg(pl.col("amount").sum()).sort("currency").iter_rows():
        found[f"not_received_{currency}"] = float(amount)
    cost = (
        matches.group_by("bank_currency").agg(pl.col("fee").sum(), pl.col("fx_cost").sum()).drop_nulls("bank_currency")
    )
    for currency, fee, fx in cost.sort("bank_currency").iter_rows():
        found |= {f"fees_{currency}": float(fee or 0), f"fx_cost_{currency}": float(fx or 0)}
    return found


def headline(unexplained: pl.DataFrame) -> str:
    """The money in one sentence; nothing is decided here, so that there is no today and no proposal."""
    lost = unexplained.filter(pl.col("kind").is_in(["missing", "short", "digits"]))
    if lost.is_empty():
        return "nothing is decided here; every payout that is due was received"
    parts = [
        f"{Decimal(amount):,.2f} {currency}"
        for currency, amount in lost.group_by("currency").agg(pl.col("amount").sum()).sort("currency").iter_rows()
    ]
    return f"nothing is decided here; {', '.join(parts)} was due and not received ({of(lost.height, 'payout')} missing or short); to be claimed"
