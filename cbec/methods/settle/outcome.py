"""The tables of a reconciliation: matches, what they leave unexplained, and the proof that nothing was lost."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.settle.lines import SCALE, totals

if TYPE_CHECKING:
    from cbec.methods.settle.reconcile import Matched

TWIN_DAYS = 7
"""An equal amount with the same words this near to a matched line may have been booked twice."""


def money(column: str | pl.Expr) -> pl.Expr:
    """Thousandths as an exact decimal."""
    value = pl.col(column) if isinstance(column, str) else column
    return value.cast(pl.Decimal(38, 3)) / SCALE


def named(done: Matched) -> pl.DataFrame:
    """Links with the names, days and currencies of both sides, and match_id, sorted."""
    owed, lines = done.payouts.open, done.bank
    twice = pl.len().over("settlement_id") > 1
    key = pl.when(twice).then(pl.format("{}:{}", "settlement_id", "currency")).otherwise("settlement_id")
    left = owed.select(
        "s", "settlement_id", "currency", "marketplace", "brand", payout_date="day", whole="expected", key=key
    )
    again = pl.when(pl.col("copy") > 0).then(pl.format("{}#{}", "bank_ref", pl.col("copy") + 1)).otherwise("bank_ref")
    right = lines.select(
        "b", "bank_ref", "copy", "text", "pattern", bank_key=again, booking_date="day", bank_currency="currency"
    )
    links = done.links.join(left, on="s").join(right, on="b")
    match_id = pl.when(pl.col("kind") == "merge").then("B:" + pl.col("bank_ref")).otherwise("S:" + pl.col("key"))
    return links.with_columns(match_id=match_id).sort("match_id", "settlement_id", "bank_ref")


def matches(done: Matched, links: pl.DataFrame, as_of: date, late: int) -> pl.DataFrame:
    """The table `matches`: one row per link, and one per settlement that nothing paid."""
    same = pl.col("mid").is_null()
    fee = pl.when(pl.col("level") == "fee").then(pl.col("gap")).otherwise(0)
    value = pl.col("gap") + pl.col("received")
    found = links.with_columns(
        fee_=pl.when(same).then(fee),
        gap_=pl.when(same).then(pl.col("gap") - fee),
        fx_=pl.when(~same).then(pl.col("gap")),
        spread_bp=pl.when(~same).then(pl.col("gap") / value * 1e4),
        implied_rate=pl.when(~same).then(pl.col("received") / pl.col("expected")),
        reason_code=_reason(),
    ).select(
        "match_id", "settlement_id", "bank_ref", "kind", "marketplace", "currency", "bank_currency", "payout_date",
        "booking_date", "implied_rate", "spread_bp", "score", "status", "reason_code", "copy",
        expected=money("expected"), received=money("received"), fee=money("fee_"), gap=money("gap_"), fx_cost=money("fx_"),
        mid_rate="mid", days_lag="lag", _score=pl.col("score") * 100,
    )  # fmt: skip
    nothing = open_payouts(done, as_of, late).select(
        "settlement_id", "marketplace", "currency", "reason_code", match_id="S:" + pl.col("key"), payout_date="day",
        expected=money("amount"), status=pl.lit("unmatched"), _until=pl.col("day") + timedelta(days=late),
    )  # fmt: skip
    return pl.concat([found, nothing], how="diagonal_relaxed")


def _reason() -> pl.Expr:
    level, ref = pl.col("level"), pl.col("ref")
    code = (
        pl.when((level == "exact") & (ref > 0)).then(pl.lit("recon_exact_named"))
        .when(level == "off").then(pl.lit("recon_named_off"))
        .otherwise("recon_" + level)
    )  # fmt: skip
    return (
        pl.when("ambiguous").then(pl.lit("recon_ambiguous"))
        .when(pl.col("copy") > 0).then(pl.lit("recon_copy"))
        .when(pl.col("kind") != "1:1").then("recon_" + pl.col("kind"))
        .otherwise(code)
    )  # fmt: skip


def open_payouts(done: Matched, as_of: date, late: int) -> pl.DataFrame:
    """Settlements that nothing paid, by kind: carried (nothing to be paid), pending (not due yet), missing."""
    owed = done.payouts.open
    twice = pl.len().over("settlement_id") > 1
    key = pl.when(twice).then(pl.format("{}:{}", "settlement_id", "currency")).otherwise("settlement_id")
    free = owed.with_columns(key=key).filter(~pl.col("s").is_in(done.links["s"].unique().implode()))
    kind = (
        pl.when(pl.col("expected") <= 0).then(pl.lit("carried"))
        .when(pl.col("day") + timedelta(days=late) > as_of).then(pl.lit("pending"))
        .otherwise(pl.lit("missing"))
    )  # fmt: skip
    return free.with_columns(kind=kind, amount="expected").with_columns(reason_code="recon_" + pl.col("kind")).sort("s")


UNEXPLAINED = {
    "side": pl.String, "item": pl.String, "kind": pl.String, "amount": pl.Int64, "currency": pl.String, "date": pl.Date,
    "marketplace": pl.String, "text": pl.String, "reason_code": pl.String, "_twin": pl.String, "_until": pl.Date,
}  # fmt: skip


def unexplained(done: Matched, links: pl.DataFrame, as_of: date, late: int) -> pl.DataFrame:
    """Every amount that no match explains (table `unexplained`, amounts in thousandths)."""
    payouts = [
        open_payouts(done, as_of, late).with_columns(_until=pl.col("day") + timedelta(days=late)),
        done.payouts.duplicates.with_columns(kind=pl.lit("duplicate"), reason_code=pl.lit("recon_repeated")),
        done.payouts.control.with_columns(kind=pl.lit("control"), reason_code=pl.lit("recon_control")),
    ]
    payouts = [part.with_columns(side=pl.lit("settlement"), item="settlement_id", date="day") for part in payouts]
    within = links.filter(pl.col("mid").is_null(), pl.col("gap") != 0, pl.col("level") != "fee")
    kind = (
        pl.when(pl.col("level") == "digits").then(pl.lit("digits"))
        .when(pl.col("gap") > 0).then(pl.lit("short")).otherwise(pl.lit("over"))
    )  # fmt: skip
    within = within.with_columns(
        side=pl.lit("match"),
        item="match_id",
        kind=kind,
        amount="gap",
        date="booking_date",
        reason_code="recon_gap_" + kind,
    )
    parts = [*payouts, _bank(done, links), within]
    shaped = [_shaped(part) for part in parts]
    return pl.concat(shaped).sort("side", "item", "currency", "kind")


def _shaped(part: pl.DataFrame) -> pl.DataFrame:
    lacking = [pl.lit(None, kind).alias(name) for name, kind in UNEXPLAINED.items() if name not in part.columns]
    return part.with_columns(lacking).select(pl.col(name).cast(kind) for name, kind in UNEXPLAINED.items())


def _bank(done: Matched, links: pl.DataFrame) -> pl.DataFrame:
    """Bank lines that paid no settlement: duplicate (read or booked twice), outgoing, unknown."""
    free = done.bank.filter(~pl.col("b").is_in(done.links["b"].unique().implode()))
    used = links.select(
        "pattern",
        currency="bank_currency",
        twin="bank_ref",
        booked="booking_date",
        whole=pl.col("received").sum().over("b"),
        b_="b",
    ).unique("b_")
    twins = free.filter(pl.col("received") > 0, pl.col("copy") == 0).join(
        used, left_on=["currency", "received", "pattern"], right_on=["currency", "whole", "pattern"]
    )
    twins = twins.filter((pl.col("day") - pl.col("booked")).dt.total_days().abs() <= TWIN_DAYS)
    twins = twins.sort("b", "twin").unique("b", keep="first").select("b", "twin")
    payer = done.learnt.text.group_by("pattern").agg(fits=pl.col("payer").any())
    free = free.join(twins, on="b", how="left").join(payer, on="pattern", how="left")
    kind = (
        pl.when((pl.col("copy") > 0) | pl.col("twin").is_not_null()).then(pl.lit("duplicate"))
        .when(pl.col("received") < 0).then(pl.lit("outgoing")).otherwise(pl.lit("unknown"))
    )  # fmt: skip
    code = (
        pl.when(pl.col("copy") > 0).then(pl.lit("recon_row_twice"))
        .when(pl.col("twin").is_not_null()).then(pl.lit("recon_booked_twice"))
        .when(pl.col("received") < 0).then(pl.lit("recon_outgoing"))
        .when(pl.col("fits").fill_null(False)).then(pl.lit("recon_unknown_payout"))
        .otherwise(pl.lit("recon_unknown"))
    )  # fmt: skip
    return free.with_columns(
        side=pl.lit("bank"), item="name", kind=kind, amount="received", date="day", reason_code=code, _twin="twin"
    )


def proof(settlements: pl.DataFrame, bank: pl.DataFrame, links: pl.DataFrame, open_: pl.DataFrame) -> pl.DataFrame:
    """The table `recon_totals`, from the inputs as they came: total less matched less open is 0 per currency and side."""

    def summed(frame: pl.DataFrame, column: str, currency: str, name: str) -> pl.DataFrame:
        return frame.group_by(currency=currency).agg(pl.col(column).cast(pl.Int128).sum().alias(name))

    same = links.filter(pl.col("mid").is_null())
    sides = {
        "settlements": (totals(settlements), summed(links, "expected", "currency", "matched"), "settlement"),
        "bank": (
            summed(bank.with_columns(v=(pl.col("amount").cast(pl.Decimal(38, 6)).to_physical() // 1000)), "v", "currency", "total"),
            summed(links, "received", "bank_currency", "matched"),
            "bank",
        ),
        "gaps": (
            summed(same.with_columns(d=pl.col("expected") - pl.col("received")), "d", "currency", "total"),
            summed(same.filter(pl.col("level") == "fee"), "gap", "currency", "matched"),
            "match",
        ),
    }  # fmt: skip
    parts = []
    for side, (total, matched, where) in sides.items():
        left = summed(open_.filter(pl.col("side") == where), "amount", "currency", "open")
        joined = total.join(matched, on="currency", how="full", coalesce=True).join(
            left, on="currency", how="full", coalesce=True
        )
        parts.append(joined.with_columns(pl.col("total", "matched", "open").fill_null(0), side=pl.lit(side)))
    frame = pl.concat(parts).with_columns(proof=pl.col("total") - pl.col("matched") - pl.col("open"))
    return frame.select(
        "currency", "side", *(money(name).alias(name) for name in ("total", "matched", "open", "proof"))
    )
