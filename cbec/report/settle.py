"""Pages of settle: which payouts arrived and what is missing, the verdict on a ledger."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import NOTHING, bare, money, number, of
from cbec.report.page import Chart, Figure
from cbec.report.profit import profit

if TYPE_CHECKING:
    from cbec.report.page import Format, Page, View

__all__ = ["ledger", "profit", "reconcile", "verify"]

_CURRENCIES = 4
_PLACES = 12
_BARS = 12
_LOST = ("missing", "short", "digits", "control", "over", "duplicate")
_STANDS = ("received", "for review", "missing", "not due yet")


def reconcile(page: Page, view: View) -> None:
    """Where the money of the payouts stands, what was kept back on the way, what to act on."""
    matches = view.table("matches", "settlement_id", "expected", "currency", "status")
    left = view.table("unexplained", "kind", "amount", "currency")
    page.section("At a glance")
    if matches is None and left is None:
        page.text("There was nothing to reconcile.")
        return
    empty = pl.DataFrame(schema={"kind": pl.String, "amount": pl.Float64, "currency": pl.String})
    left = empty if left is None else left
    if matches is not None:
        page.figures(_reconcile_tiles(matches, left))
        page.section("Where the money of the payouts stands")
        _standing(page, matches, left)
        _kept_back(page, matches)
    page.section("To act on")
    lost = left.filter(pl.col("kind").is_in(_LOST))
    page.table(
        _ordered(lost, _LOST),
        "",
        columns=["kind", "item", "marketplace", "amount", "currency", "date", "reason"],
        contract="unexplained",
        formats={"amount": "money"},
    )
    if matches is not None:
        page.section("To look at", "The match is likely; something about it needs an eye.")
        columns = [
            "settlement_id",
            "bank_ref",
            "kind",
            "marketplace",
            "expected",
            "currency",
            "received",
            "bank_currency",
            "gap",
            "days_lag",
            "score",
            "reason",
        ]
        review = matches.filter(pl.col("status") == "review").sort(
            "score", "match_id", "settlement_id", nulls_last=True
        )
        page.table(review, "", columns=columns, contract="matches", formats=_MONEY | {"score": "percent"})
    page.section(
        "The proof", "Total less matched less open, per currency: 0 to the last unit, or something would be lost."
    )
    totals = view.table("recon_totals")
    if totals is not None:
        page.table(
            totals,
            "",
            contract="recon_totals",
            formats=_PROOF,
        )
    page.section("Rows")
    if matches is not None:
        columns = [
            "settlement_id",
            "bank_ref",
            "kind",
            "marketplace",
            "payout_date",
            "booking_date",
            "expected",
            "currency",
            "received",
            "bank_currency",
            "fee",
            "gap",
            "spread_bp",
            "fx_cost",
            "score",
            "status",
        ]
        page.table(matches, "Matches", columns=columns, contract="matches", formats=_MONEY | {"score": "percent"})
    rest = left.filter(~pl.col("kind").is_in(_LOST))
    page.table(
        rest,
        "What else is open",
        columns=["side", "kind", "item", "amount", "currency", "date", "text", "reason"],
        contract="unexplained",
        formats={"amount": "money"},
    )


_PROOF: dict[str, Format] = {"total": "money", "matched": "money", "open": "money", "proof": "money"}
_MONEY: dict[str, Format] = {
    "expected": "money",
    "received": "money",
    "fee": "money",
    "gap": "money",
    "fx_cost": "money",
}


def _ordered(frame: pl.DataFrame, kinds: tuple[str, ...]) -> pl.DataFrame:
    rank = pl.col("kind").replace_strict({k: i for i, k in enumerate(kinds)}, default=len(kinds), return_dtype=pl.Int64)
    size = pl.col("amount").cast(pl.Float64).abs()
    return (
        frame.with_columns(_rank=rank, _size=size)
        .sort(["_rank", "_size"], descending=[False, True])
        .drop("_rank", "_size")
    )


def _reconcile_tiles(matches: pl.DataFrame, left: pl.DataFrame) -> list[Figure | None]:
    settlements = matches.select("settlement_id", "currency").n_unique()
    auto = matches.filter(pl.col("status") == "auto").select("settlement_id", "currency").n_unique()
    review = matches.filter(pl.col("status") == "review")["match_id"].n_unique()
    lost = left.filter(pl.col("kind").is_in(["missing", "short", "digits"]))
    tiles: list[Figure | None] = [
        Figure("Payouts found beyond doubt", f"{auto:,} of {settlements:,}"),
        Figure("Matches to look at", number(review), "", "bad" if review else "good"),
    ]
    if lost.is_empty():
        tiles.append(Figure("Due and not received", "nothing", "", "good"))
    for currency, amount, count in _by_currency(lost, "amount").head(_CURRENCIES).iter_rows():
        tiles.append(Figure("Due and not received", money(amount, currency), of(count, "payout"), "bad"))
    if "fx_cost" in matches.columns:
        for currency, cost, count in (
            _by_currency(matches.drop_nulls("fx_cost"), "fx_cost", "bank_currency").head(2).iter_rows()
        ):
            tiles.append(
                Figure("Cost of conversions", money(cost, currency), f"against the fixing, {of(count, 'payout')}")
            )
    return tiles


def _by_currency(frame: pl.DataFrame, column: str, currency: str = "currency") -> pl.DataFrame:
    sums = frame.group_by(currency).agg(pl.col(column).cast(pl.Float64).sum().round(3), pl.len())
    return sums.sort(["len", currency], descending=[True, False])


def _standing(page: Page, matches: pl.DataFrame, left: pl.DataFrame) -> None:
    """Per currency, marketplaces by what was to be paid, the bar cut by where it stands."""
    pending = (
        left.filter(pl.col("kind") == "pending")["item"] if "item" in left.columns else pl.Series([], dtype=pl.String)
    )
    status = (
        pl.when(pl.col("status") == "auto").then(pl.lit(_STANDS[0]))
        .when(pl.col("status") == "review").then(pl.lit(_STANDS[1]))
        .when(pl.col("settlement_id").is_in(pending.implode())).then(pl.lit(_STANDS[3]))
        .otherwise(pl.lit(_STANDS[2]))
    )  # fmt: skip
    place = pl.col("marketplace").fill_null(NOTHING) if "marketplace" in matches.columns else pl.lit(NOTHING)
    paid = matches.with_columns(stands=status, place=place, value=pl.col("expected").cast(pl.Float64)).filter(
        pl.col("value") > 0
    )
    order = _by_currency(paid, "value")["currency"].to_list()[:_CURRENCIES]
    charts = [
        _stands(paid.filter(pl.col("currency") == currency), currency, 340 if len(order) > 1 else 720)
        for currency in order
    ]
    few = (
        f" Drawn: {len(order)} of {paid['currency'].n_unique()} currencies."
        if paid["currency"].n_unique() > len(order)
        else ""
    )
    page.charts(
        charts,
        "Payouts by marketplace",
        f"Each chart has the scale of its own currency; balances below zero are not drawn.{few}",
    )


def _stands(part: pl.DataFrame, currency: str, size: float) -> Chart:
    sums = part.group_by("place", "stands").agg(pl.col("value").sum().round(3))
    top = (
        sums.group_by("place")
        .agg(pl.col("value").sum().round(3))
        .sort(["value", "place"], descending=[True, False])
        .head(_PLACES)["place"]
        .to_list()
    )
    values = {(place, stands): value for place, stands, value in sums.iter_rows()}
    stacks = {
        s: [values.get((place, s)) for place in top] for s in _STANDS if any((place, s) in values for place in top)
    }
    looks = {"received": ("green", 0), "for review": ("ochre", 1), "missing": ("orange", 2), "not due yet": ("grey", 3)}
    tones, hatched = [looks[s][0] for s in stacks], [looks[s][1] for s in stacks]
    one = len(stacks) == 1
    drawn = svg.bars(
        f"Payouts in {currency}", top, stacks, write=partial(bare, currency), size=size, axis=currency,
        tones=tones * len(top) if one else tones, hatched=hatched * len(top) if one else hatched,
    )  # fmt: skip
    return Chart(drawn, f"Payouts in {currency}", f"all {next(iter(stacks))}" if one else "")


def _kept_back(page: Page, matches: pl.DataFrame) -> None:
    """What conversions cost, and how many days a payout takes."""
    charts = []
    if {"spread_bp", "booking_date", "bank_currency"} <= set(matches.columns):
        fx = matches.drop_nulls(["spread_bp", "booking_date"]).sort("booking_date", "settlement_id")
        first = fx["booking_date"].to_list()[0] if fx.height else None
        groups: dict[str, list[tuple[float, float, str]]] = {}
        for row in fx.iter_rows(named=True):
            name = f"{row['currency']} into {row['bank_currency']}"
            days = (row["booking_date"] - first).days
            note = f"{row['settlement_id']}, {row['booking_date']}: {row['spread_bp']:.0f} bp"
            groups.setdefault(name, []).append((float(days), float(row["spread_bp"]), note))
        if groups:
            drawn = svg.scatter(
                "Cost of conversions",
                dict(sorted(groups.items())),
                x_title=f"days since {first}",
                y_title="bp under the fixing",
                size=(340.0, 240.0),
            )
            charts.append(Chart(drawn, "Cost of conversions", "Basis points under the fixing of the booking day."))
    if "days_lag" in matches.columns:
        lags = matches.drop_nulls("days_lag").group_by("days_lag").len().sort("days_lag")
        if lags.height > 1:
            names = [f"{lag}" for lag in lags["days_lag"].to_list()]
            drawn = svg.bars(
                "Days from payout to bank", names, {"lines": lags["len"].to_list()}, size=340, horizontal=False
            )
            charts.append(Chart(drawn, "Days from payout to bank", "Bank lines by days between payout and booking."))
    page.charts(charts, "On the way")


def verify(page: Page, view: View) -> None:
    """The verdict and the first bad record."""
    verdict = view.table("ledger_verdict", "status", "records")
    page.section("At a glance")
    if verdict is None:
        page.text("The ledger has no record.")
        return
    row = verdict.row(0, named=True)
    whole = row["status"] == "OK"
    page.figures(
        [
            Figure("Chain", "holds" if whole else "broken", str(row.get("rule") or ""), "good" if whole else "bad"),
            Figure("Records", number(row["records"])),
            None
            if row.get("first_bad_seq") is None
            else Figure("First bad record", number(row["first_bad_seq"]), "", "bad"),
        ]
    )
    page.text(str(row.get("reason") or ""))
    page.section("Verdict")
    page.table(verdict, "", contract="ledger_verdict")


def ledger(page: Page, view: View) -> None:
    """What was appended, and the last records."""
    records = view.table("ledger", "seq", "hash", "event")
    page.section("At a glance")
    if records is None:
        page.text("The ledger has no record.")
        return
    page.figures(
        [
            Figure("Records", number(records.height)),
            Figure("Appended", number(view.metric("appended"))),
            Figure("In it already", number(view.metric("known"))),
        ]
    )
    kinds = records.group_by("event").len().sort(["len", "event"], descending=[True, False]).head(_BARS)
    page.chart(
        svg.bars("Records by event", kinds["event"].to_list(), {"records": kinds["len"].to_list()}), "Records by event"
    )
    page.section("Last records")
    columns = ["seq", "event", "ref", "amount_minor", "currency", "at", "evidence", "hash"]
    last = records.sort("seq", descending=True).with_columns(pl.col("hash").str.head(16) + "…")
    page.table(last, "", columns=columns, contract="ledger", formats={"amount_minor": "text"})
