"""Pages of warehouse: where goods should lie, how far pickers walk, which stock travels between warehouses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import figure, money, number, of, percent, short
from cbec.report.page import Figure

if TYPE_CHECKING:
    from cbec.report.page import Format, Page, View

_BARS = 12
_SMALL = (720.0, 240.0)
_MOVES = (
    "seq",
    "warehouse",
    "swap",
    "sku",
    "from_bin",
    "to_bin",
    "metres",
    "minutes_saved",
    "minutes",
    "saving",
    "cost",
    "currency",
)
_SLOTTING = (
    "sku", "warehouse", "bin", "distance_m", "from_bin", "from_distance_m", "class", "variability", "picks", "share", "cpo", "reason",
)  # fmt: skip
_LOTS = (
    "sku", "from_warehouse", "to_warehouse", "trip", "qty", "arrival_date", "benefit", "cost", "currency", "short_before",
    "short_after", "runner_up", "runner_up_net", "reason",
)  # fmt: skip
_MONEY: dict[str, Format] = dict.fromkeys(("saving", "cost", "benefit", "net", "runner_up_net"), "money")


def slot(page: Page, view: View) -> None:
    """What the moves save and cost, how near picks come to the dock, every move and every SKU."""
    table = view.table("slotting", "sku", "picks", "distance_m")
    page.section("At a glance")
    if table is None:
        page.text("No SKU was slotted.")
        return
    moves = view.table("moves", "seq", "swap", "metres", "minutes")
    page.figures(_slot_tiles(view, table, moves))
    _near(page, table)
    if moves is not None:
        _paying(page, moves, view.currency)
        page.section(
            "Moves, in the order of doing", "Every place is free when it is needed; moves of one swap belong together."
        )
        page.table(moves, "", columns=list(_MOVES), contract="moves", formats=_MONEY)
    far = table.filter(pl.col("class") == "A").sort(["distance_m", "sku"], descending=[True, False]).head(25)
    page.section(
        "Frequent, and still far",
        "Class A by the way from the dock after the moves: no move of them pays for the carrying.",
    )
    page.table(far, "", columns=list(_SLOTTING), contract="slotting", formats={"share": "percent"})
    page.section("Every SKU")
    ranked = table.sort(["picks", "sku"], descending=[True, False])
    page.table(ranked, "By picks", columns=list(_SLOTTING), contract="slotting", formats={"share": "percent"})


def _slot_tiles(view: View, table: pl.DataFrame, moves: pl.DataFrame | None) -> list[Figure | None]:
    today, then, ideal = (view.metric(f"metres_per_order{which}") for which in ("_today", "", "_ideal"))
    slotted = "from_bin" in table.columns and table["from_bin"].null_count() < table.height
    saved, carrying = view.metric("minutes_saved"), view.metric("minutes_carrying")
    walk = None
    if then is not None:
        note = "a tour per order"
        if slotted and today:
            note = f"{number(today, 1)} m today; {number(ideal, 1)} m with every SKU in its best place"
        walk = Figure(
            "Walk per order", f"{number(then, 1)} m", note, "good" if slotted and today and then < today else ""
        )
    return [
        walk,
        Figure("Carries", number(0 if moves is None else moves.height), f"{number(carrying, 0)} minutes of work") if slotted else None,
        Figure("Walking saved", f"{short(round(saved / 60))} h", "while the slotting holds") if slotted and saved is not None else None,
        Figure("SKUs", number(table.height), f"{(table['class'] == 'A').sum():,} make 80 % of the picks"),
    ]  # fmt: skip


def _near(page: Page, table: pl.DataFrame) -> None:
    """Share of all picks within a distance of the dock, today and then."""
    lines = []
    for name, column, tone, dash in (
        ("after the moves", "distance_m", "blue", ""),
        ("today", "from_distance_m", "orange", "5 3"),
    ):
        if column not in table.columns:
            continue
        known = table.drop_nulls(column).sort(column)
        total = float(known["picks"].sum() or 0)
        if not total:
            continue
        steps = known.group_by(column, maintain_order=True).agg(pl.col("picks").sum())
        share = (steps["picks"].cum_sum() / total * 100).to_list()
        points: list[tuple[Any, float | None]] = [(0.0, 0.0), *zip(steps[column].to_list(), share, strict=True)]
        lines.append(svg.Line(name, points, tone, dash, step=True))
    if lines:
        drawn = svg.lines(
            "Picks by distance", lines, y_title="% of picks within", x_title="metres from the dock", size=_SMALL
        )
        page.section("How near the dock the picks are")
        page.chart(
            drawn,
            "Share of all picks within a distance of the dock",
            "The further to the upper left, the shorter the ways.",
        )


def _paying(page: Page, moves: pl.DataFrame, currency: str | None) -> None:
    """Minutes saved and spent, move by move."""
    saved = moves["minutes_saved"].cum_sum().to_list()
    spent = moves["minutes"].cum_sum().to_list()
    at = list(range(1, moves.height + 1))
    lines = [
        svg.Line("walking saved", list(zip(at, saved, strict=True)), "blue", step=True),
        svg.Line("carrying", list(zip(at, spent, strict=True)), "orange", "5 3", step=True),
    ]
    page.section("What the moves save")
    page.chart(
        svg.lines("Minutes", lines, y_title="minutes", x_title="moves done", size=_SMALL),
        "Minutes of walking saved and of carrying, move by move",
        "One may stop after any swap: what was done stays done.",
    )
    lead = moves.filter(pl.col("metres") > 0).sort(["metres", "seq"], descending=[True, False]).head(_BARS)
    if lead.height:
        words = [f"{s}: {a} → {b}" for s, a, b in lead.select("sku", "from_bin", "to_bin").iter_rows()]
        told = [
            f"{number(m / 1000, 2)} km" + (f", {money(v, currency)}" if v is not None else "") for m, v in _pairs(lead)
        ]
        drawn = svg.bars(
            "Walking saved",
            words,
            {"km": (lead["metres"] / 1000).to_list()},
            texts=told,
            axis="kilometres saved while the slotting holds",
        )
        page.chart(
            drawn,
            "The swaps that save most",
            f"{len(words)} of {moves['swap'].n_unique()} swaps, named by the SKU that they are for.",
        )


def _pairs(lead: pl.DataFrame) -> list[tuple[float, float | None]]:
    money_of = lead["saving"].to_list() if "saving" in lead.columns else [None] * lead.height
    return [(float(m), figure(v)) for m, v in zip(lead["metres"].to_list(), money_of, strict=True)]


def evaluate(page: Page, view: View) -> None:
    """Metres per order by way of walking."""
    table = view.table("pick_evaluation", "policy", "metres_per_order")
    page.section("At a glance")
    if table is None:
        page.text("No order was walked.")
        return
    places = table["warehouse"].unique().sort().to_list() if "warehouse" in table.columns else [None]
    for place in places:
        part = table.filter(pl.col("warehouse").eq_missing(pl.lit(place))) if "warehouse" in table.columns else table
        part = part.sort("metres_per_order")
        gaps = part["gap_pct"].to_list() if "gap_pct" in part.columns else [None] * part.height
        told = [
            f"{number(m, 1)} m" + (f", {number(g, 1)} % longer" if g else "")
            for m, g in zip(part["metres_per_order"].to_list(), gaps, strict=True)
        ]
        drawn = svg.bars(
            "Metres per order",
            part["policy"].to_list(),
            {"metres": part["metres_per_order"].to_list()},
            texts=told,
            axis="metres per order",
        )
        title = "Walk per order, by way of walking" + (f": {place}" if place else "")
        page.chart(
            drawn,
            title,
            f"{of(int(part['orders'][0]), 'order')}, the same slots; longer than the shortest tours by the share told.",
        )
    page.section("Figures")
    page.table(table, "", contract="pick_evaluation")


def rebalance(page: Page, view: View) -> None:
    """What the transfers save and cost, by lane and by lot."""
    table = view.table("stock_transfers", "sku", "from_warehouse", "to_warehouse", "qty", "benefit", "cost")
    page.section("At a glance")
    page.figures(_lot_tiles(view, table))
    if table is None:
        page.text("No transfer is worth its freight: nothing is to be moved.")
        return
    currency = view.currency
    by_trip = (
        table.group_by("trip", "from_warehouse", "to_warehouse", "ship_date", "arrival_date")
        .agg(pl.len().alias("lots"), pl.col("qty").sum(), pl.col("benefit").sum(), pl.col("cost").sum())
        .with_columns((pl.col("benefit") - pl.col("cost")).alias("net"))
        .sort(["net", "trip"], descending=[True, False])
    )
    page.section("Trips")
    drawn = svg.bars(
        "Benefit and cost by trip", by_trip["trip"].to_list(), {"benefit": by_trip["benefit"].to_list()}, write=partial(money, currency=currency),
        texts=[f"{money(n, currency)} net" for n in by_trip["net"].to_list()], ticks=("cost of the trip", by_trip["cost"].to_list()),
        axis="expected shortage and stock avoided",
    )  # fmt: skip
    page.chart(
        drawn,
        "What each trip saves, and what it costs",
        "Lots of one SKU help one another, so that the sum of benefits is a little off the headline.",
    )
    page.table(by_trip, "", formats=_MONEY, labels={"len": "lots"}, contract="stock_transfers")
    top = (
        table.with_columns((pl.col("benefit") - pl.col("cost")).alias("net"))
        .sort(["net", "sku", "trip"], descending=[True, False, False])
        .head(_BARS)
    )
    page.section("Lots")
    drawn = svg.bars(
        "Benefit and cost by lot", [f"{r['qty']:,} {r['sku']} {r['from_warehouse']} → {r['to_warehouse']}" for r in top.iter_rows(named=True)],
        {"benefit": top["benefit"].to_list()}, write=partial(money, currency=currency), texts=[f"{money(n, currency)} net" for n in top["net"].to_list()],
        ticks=("cost", top["cost"].to_list()), axis="expected shortage and stock avoided",
    )  # fmt: skip
    page.chart(drawn, "The lots that save most", f"{top.height} of {of(table.height, 'lot')}.")
    labels = {"benefit": "benefit", "cost": "cost"}
    columns = [c for c in _LOTS if not (c == "currency" and currency)]
    ranked = table.sort("sku", "from_warehouse", "to_warehouse", "trip")
    page.table(
        ranked,
        "Every lot" + (f" (money in {currency})" if currency else ""),
        columns=columns,
        contract="stock_transfers",
        formats=_MONEY,
        labels=labels,
    )


def _lot_tiles(view: View, table: pl.DataFrame | None) -> list[Figure | None]:
    before, after = view.metric("short_today"), view.metric("short")
    gap = view.metric("gap_pct")
    status = str((view.summary.get("metrics") or {}).get("solver_status") or "")
    trips = view.metric("trips")
    units = 0 if table is None else int(table["qty"].sum())
    short_note = (
        ""
        if not before or after is None
        else f"{number(round(before))} without transfers, {percent((before - after) / before)} fewer"
    )
    proof = None
    if status:
        words = {
            "optimal": "proved",
            "nothing_pays": "proved",
            "bounded": "proved but for handling",
            "feasible": "stopped by the clock",
            "heuristic": "not asked for",
        }
        note = "" if gap is None else f"at most {number(gap, 2)} % above the bound"
        proof = Figure("Proof", words.get(status, status), note)
    return [
        Figure("Units to move", number(units), f"{of(0 if table is None else table.height, 'lot')}"),
        None if trips is None else Figure("Trips", number(round(trips))),
        None if after is None else Figure("Units expected short", number(round(after)), short_note, "good" if before and after < before else ""),
        proof,
    ]  # fmt: skip
