"""Pages of settle: which payouts arrived and what is missing, the verdict on a ledger, what is left of the sales."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import NOTHING, clip, figure, money, number, of, percent, short
from cbec.report.page import Chart, Figure

if TYPE_CHECKING:
    from cbec.report.page import Format, Page, View

__all__ = ["ledger", "profit", "reconcile", "verify"]

_CURRENCIES = 4
_PLACES = 12
_BARS = 12
_LOST = ("missing", "short", "digits", "control", "over", "duplicate")
_STANDS = ("received", "for review", "missing", "not due yet")
_COSTS = ("goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud")
_KINDS = ("revenue", *_COSTS, "fx")


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
        f"Payouts in {currency}", top, stacks, write=partial(_bare, currency), size=size, axis=currency,
        tones=tones * len(top) if one else tones, hatched=hatched * len(top) if one else hatched,
    )  # fmt: skip
    return Chart(drawn, f"Payouts in {currency}", f"all {next(iter(stacks))}" if one else "")


def _bare(currency: str, value: float) -> str:
    return money(value, currency).removeprefix(f"{currency} ")


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


def profit(page: Page, view: View) -> None:
    """From revenue to profit, by market and by SKU, and how much of it the tables told."""
    table = view.table("landed_profit", "sku", "market", "revenue", "profit", "currency")
    page.section("At a glance")
    if table is None:
        page.text("There was nothing to reckon.")
        return
    frame = table.with_columns(pl.col(*_KINDS, "profit").cast(pl.Float64))
    currency = str(frame["currency"][0])
    page.figures(_profit_tiles(view, frame, currency))
    page.section("From revenue to profit")
    _waterfall(page, frame, currency)
    _markets(page, frame)
    page.section("What earns and what loses")
    _rows(page, frame, currency)
    page.section(
        "What the tables told",
        "Share of revenue for which a table told the kind; the rest counts as 0, so that the profit is too high by it.",
    )
    _told(page, view)
    page.section("Rows")
    columns = ["sku", "market", "units", "units_returned", *_KINDS, "profit", "margin_pct", "unknown"]
    ranked = table.sort(["profit", "sku", "market"], descending=[True, False, False])
    page.table(ranked, f"Landed profit in {currency}, the best first", columns=columns, contract="landed_profit")
    if ranked.height > 200:
        page.table(ranked.reverse(), "The worst first", columns=columns, contract="landed_profit", cap=50)


def _profit_tiles(view: View, frame: pl.DataFrame, currency: str) -> list[Figure | None]:
    revenue, left = float(frame["revenue"].sum()), float(frame["profit"].sum())
    loss = frame.filter(pl.col("profit") < 0, pl.col("units") > 0)
    idle = frame.filter(pl.col("market") == "*", pl.col("units") == 0)
    lacking = [k for k in _KINDS if (view.metric(f"told_{k}") or 0.0) < 1]
    return [
        Figure(
            "Profit",
            money(left, currency),
            f"{percent(left / revenue)} of revenue" if revenue > 0 else "",
            "good" if left > 0 else "bad",
        ),
        Figure("Revenue", money(revenue, currency), "without tax, before returns"),
        Figure(
            "Sold at a loss",
            money(-float(loss["profit"].sum()), currency),
            of(loss.height, "SKU and market pair"),
            "bad" if loss.height else "good",
        ),
        Figure("Stock that only cost", money(float(idle["storage"].sum()), currency), of(idle.height, "SKU"))
        if idle.height
        else None,
        Figure(
            "Not fully told", f"{len(lacking)} of {len(_KINDS)} kinds", ", ".join(lacking), "bad" if lacking else "good"
        ),
    ]


def _waterfall(page: Page, frame: pl.DataFrame, currency: str) -> None:
    sums = {kind: float(frame[kind].sum()) for kind in (*_KINDS, "profit")}
    signed = {"revenue": sums["revenue"], **{k: -sums[k] for k in _COSTS}, "fx": sums["fx"], "profit": sums["profit"]}
    shown = {k: v for k, v in signed.items() if round(v, 2) or k in ("revenue", "profit")}
    tones = [
        "grey"
        if k == "revenue"
        else ("green" if v >= 0 else "orange")
        if k == "profit"
        else "sky"
        if v > 0
        else "ochre"
        for k, v in shown.items()
    ]
    hatched = [0 if k in ("revenue", "profit") else 1 for k in shown]
    revenue = sums["revenue"]
    texts = [
        f"{_bare(currency, v)}" + (f"  {percent(v / revenue)}" if revenue > 0 and k != "revenue" else "")
        for k, v in shown.items()
    ]
    drawn = svg.bars(
        "From revenue to profit",
        list(shown),
        {currency: list(shown.values())},
        tones=tones,
        hatched=hatched,
        texts=texts,
        axis=currency,
    )
    untold = [k for k in _COSTS if not round(signed[k], 2)]
    page.chart(
        drawn,
        "From revenue to profit",
        "Hatched: what comes between; shares are of revenue."
        + (f" Nothing was told of: {', '.join(untold)}." if untold else ""),
    )


def _markets(page: Page, frame: pl.DataFrame) -> None:
    """Of each 100 of revenue, per market."""
    per = frame.group_by("market").agg(pl.col(*_KINDS, "profit").sum().round(2)).filter(pl.col("revenue") > 0)
    per = per.sort(["revenue", "market"], descending=[True, False]).head(_PLACES)
    if per.is_empty():
        return
    parts = [*(k for k in _COSTS if per[k].abs().sum() > 0), "profit"]
    stacks = {k: (per[k] / per["revenue"] * 100).to_list() for k in parts}
    names = [f"{m}  {short(r)}" for m, r in per.select("market", "revenue").iter_rows()]
    texts = [f"{percent(p / r)} profit" for p, r in per.select("profit", "revenue").iter_rows()]
    tones = {
        "goods": "grey",
        "freight": "blue",
        "duty": "purple",
        "tax": "soft",
        "fees": "ochre",
        "storage": "sky",
        "returns": "orange",
        "fraud": "purple",
        "profit": "green",
    }
    hatches = {
        "goods": 0,
        "freight": 1,
        "duty": 2,
        "tax": 3,
        "fees": 1,
        "storage": 2,
        "returns": 3,
        "fraud": 2,
        "profit": 0,
    }
    drawn = svg.bars(
        "Of 100 of revenue", names, stacks, texts=texts, axis="% of revenue", tones=[tones[k] for k in parts], hatched=[hatches[k] for k in parts]
    )  # fmt: skip
    page.chart(
        drawn,
        "Where 100 of revenue go, per market",
        "Markets by revenue, which stands behind the name; currency gains are within the profit.",
    )


def _rows(page: Page, frame: pl.DataFrame, currency: str) -> None:
    sold = frame.filter(pl.col("units") > 0).with_columns(name=pl.format("{}@{}", "sku", "market"))
    ranked = sold.sort(["profit", "sku", "market"], descending=[True, False, False])
    best, worst = ranked.head(_BARS), ranked.tail(_BARS).reverse()
    charts = []
    for title, part, caption in (("Best", best, "largest profit"), ("Worst", worst, "smallest profit or largest loss")):
        values = part["profit"].to_list()
        tones = ["green" if v >= 0 else "orange" for v in values]
        names = [clip(n, 14) for n in part["name"].to_list()]
        drawn = svg.bars(
            f"{title} rows",
            names,
            {"profit": values},
            tones=tones,
            write=partial(_bare, currency),
            size=340,
            axis=currency,
        )
        charts.append(Chart(drawn, title, caption))
    page.charts(charts, "SKU and market", "Scales differ.")


def _told(page: Page, view: View) -> None:
    shares = {kind: figure(view.metric(f"told_{kind}")) for kind in _KINDS}
    known = {k: v for k, v in shares.items() if v is not None}
    if not known:
        page.text("No revenue was told.")
        return
    values = [v * 100 for v in known.values()]
    tones = ["green" if v >= 1 else "ochre" if v > 0 else "orange" for v in known.values()]
    hatched = [0 if v >= 1 else 1 for v in known.values()]
    drawn = svg.bars(
        "Told, % of revenue",
        list(known),
        {"told": values},
        texts=[percent(v) for v in known.values()],
        tones=tones,
        hatched=hatched,
        axis="% of revenue",
    )
    page.chart(drawn, "Cost kinds that the tables told", "Hatched: in part or not at all.")
