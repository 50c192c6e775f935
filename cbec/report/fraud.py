"""Pages of fraud: what was held and why, what it is expected to cost, and how well a trained model orders payments."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.format import money, number, of, percent, short
from cbec.report.page import Chart, Figure

if TYPE_CHECKING:
    from cbec.report.page import Page, View

_MOST_STEPS = 31
_POINTS = 120  # points of the curve
_ROWS = 60
#: Families of reasons for people; the code is fraud_<family>, some with a variant behind it.
_WHY = {
    "amount_own": "amount beside the own past", "amount_few": "high amount, little past", "burst": "burst within an hour",
    "places": "places change within a day", "new_country": "new country", "country_share": "rare country for the customer",
    "country_pace": "rush from one country", "mismatch": "places of payer, card, goods differ", "new_device": "new device",
    "device_share": "rare device for the customer", "new_card": "new card", "card_share": "rare card for the customer",
    "email": "rare e-mail domain", "method": "rare payment method", "night": "at night", "pace": "pace beside the usual",
    "pace_first": "many payments at once", "unusual": "earlier large amounts", "shared_device": "device shared by customers",
    "shared_card": "card shared by customers", "cards": "many cards", "newcomer": "new customer", "merchant": "rush at a merchant",
    "merchant_unusual": "large amounts at a merchant", "together": "several small departures",
    "customer_frauds": "known frauds of the customer", "card_frauds": "known frauds with the card",
    "device_frauds": "known frauds from the device", "merchant_frauds": "known frauds at the merchant",
    "email_frauds": "known frauds with the e-mail domain",
}  # fmt: skip


def score(page: Page, view: View) -> None:
    """Decisions with their money, how they lie in time, why they were made, and the payments themselves."""
    scores = view.table("scores", "score", "decision", "expected_loss", "cost")
    page.section("At a glance")
    if scores is None:
        page.text("No payment was scored.")
        return
    page.figures(_score_tiles(view, scores))
    page.section("Money")
    _money(page, view)
    _curve(page, view, scores)
    alerts = scores.filter(pl.col("decision") != "allow")
    page.section("Alerts")
    if not alerts.height:
        page.text("Every payment is allowed.")
    else:
        _in_time(page, scores)
        _why(page, alerts)
    _labels(page, view)
    page.section("Payments")
    columns = [
        "transaction_id", "time", "customer_id", "amount", "score", "expected_loss", "reason_1", "reason_2", "reason_3", "rules",
        "cost", "runner_up",
    ]  # fmt: skip
    for decision, title in (("hold", "Held"), ("review", "To be reviewed")):
        some = alerts.filter(pl.col("decision") == decision).sort(
            ["expected_loss", "transaction_id"], descending=[True, False]
        )
        if some.height:
            named = f"{title}, the largest expected loss first" + (f" ({view.currency})" if view.currency else "")
            page.table(some, named, columns=columns, contract="scores", formats={"score": "percent"}, cap=_ROWS)
    allowed = scores.filter(pl.col("decision") == "allow").sort(
        ["expected_loss", "transaction_id"], descending=[True, False]
    )
    page.table(
        allowed, "Allowed, the largest expected loss first", columns=columns[:6], contract="scores", formats={"score": "percent"}, cap=10,
    )  # fmt: skip


def _score_tiles(view: View, scores: pl.DataFrame) -> list[Figure | None]:
    currency = view.currency
    count = {d: scores.filter(pl.col("decision") == d) for d in ("hold", "review")}
    held, looks = count["hold"], count["review"]
    basis = view.summary.get("metrics", {}).get("basis")
    left, today = view.metric("expected_loss_left"), view.metric("expected_loss_if_all_allowed")
    return [
        Figure("Payments", number(scores.height), "scored by a trained model" if basis == "model" else "scored by detectors and rules"),
        Figure("Held", number(held.height), f"{money(_sum(held, 'amount'), currency)} suspended"),
        Figure("To be reviewed", number(looks.height), percent(looks.height / scores.height, 2) + " of all payments"),
        None if today is None else Figure("Expected loss if all were allowed", money(today, currency)),
        None if left is None or not today else Figure("Expected loss still let through", money(left, currency), f"{percent(left / today)} of it"),
    ]  # fmt: skip


def _sum(frame: pl.DataFrame, column: str) -> float:
    return float(frame[column].round(4).sum() or 0.0)


def _money(page: Page, view: View) -> None:
    parts = {
        "loss let through": ("expected_loss_if_all_allowed", "expected_loss_left"),
        "reviews": (None, "reviews_cost"),
        "good payments held": (None, "good_payments_held_cost"),
    }
    stacks = {name: [view.metric(a) if a else 0.0, view.metric(b)] for name, (a, b) in parts.items()}
    drawn = svg.bars("Expected cost", ["all allowed", "proposed"], stacks, write=lambda v: money(v, view.currency))
    page.chart(drawn, "Expected cost", "What fraud, reviews and suspended good payments are expected to cost together.")


def _curve(page: Page, view: View, scores: pl.DataFrame) -> None:
    """Share of the expected loss in the payments looked at first, by score x amount and by amount alone."""
    total = _sum(scores, "expected_loss")
    if total <= 0 or scores.height < 20:
        return
    reach = max(20, min(scores.height, int(scores.height * 0.1)))
    places = sorted({round(i * reach / _POINTS) for i in range(_POINTS + 1)})

    def line(by: str) -> list[tuple[Any, float | None]]:
        ranked = scores.sort([by, "transaction_id"], descending=[True, False])["expected_loss"].cum_sum().to_list()
        return [(float(n), 0.0 if n == 0 else min(1.0, ranked[n - 1] / total)) for n in places]

    alerts = int((scores["decision"] != "allow").sum())
    marks = [svg.Mark(float(alerts), f"{alerts:,} alerts", "line")] if 0 < alerts <= reach else []
    drawn = svg.lines(
        "What looking finds",
        [svg.Line("highest expected loss first", line("expected_loss"), "blue"), svg.Line("highest amount first", line("amount"), "grey", "5 3")],
        marks=marks, x_title="payments looked at", y_title="share of the expected loss", as_percent=True,
    )  # fmt: skip
    page.chart(
        drawn, "What looking finds", "Share of the whole expected loss that lies in the first payments of each order."
    )


def _in_time(page: Page, scores: pl.DataFrame) -> None:
    days = scores.with_columns(pl.col("time").cast(pl.Date).alias("day"))
    first, last = days["day"].min(), days["day"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return
    span = (last - first).days + 1
    step, word = (1, "day") if span <= _MOST_STEPS else (7, "week") if span <= 7 * _MOST_STEPS else (30, "30 days")
    bucket = ((pl.col("day") - first).dt.total_days() // step).alias("bucket")
    counted = days.group_by(bucket, "decision").len()
    found = {(b, d): n for b, d, n in counted.iter_rows()}
    days_of = [first + timedelta(days=step * b) for b in range((span - 1) // step + 1)]
    lines = [
        svg.Line(name, [(day, float(found.get((b, d), 0))) for b, day in enumerate(days_of)], tone, dash, step=True)
        for name, d, tone, dash in (("held", "hold", "orange", ""), ("to be reviewed", "review", "blue", "5 2"))
    ]
    if len(days_of) > 1:
        drawn = svg.lines("Alerts in time", lines, y_title=f"alerts per {word}", size=(720, 220))
        page.chart(drawn, f"Alerts per {word}", "Of payments that a rule or the expected cost stopped.")


def _why(page: Page, alerts: pl.DataFrame) -> None:
    code = pl.col("reason_codes").str.split("|").list.first().str.strip_prefix("fraud_").alias("why")
    counted = alerts.with_columns(code).group_by("why", "decision").len()
    found = {(w, d): n for w, d, n in counted.iter_rows()}
    total = {w: sum(n for (v, _), n in found.items() if v == w) for w, _ in found}
    order = sorted(total, key=lambda w: (-total[w], w))[:14]
    stacks = {d: [float(found.get((w, d), 0)) for w in order] for d in ("hold", "review")}
    drawn = svg.bars("First reasons", [_WHY.get(w, w) for w in order], stacks, tones=["orange", "blue"], hatched=[1, 0])
    page.chart(drawn, "Why: the first reason of each alert", "Number of payments; hatched: held.")


def _labels(page: Page, view: View) -> None:
    ours = view.metric("average_precision")
    if ours is None:
        return
    page.section("Held against what is known", "Only payments whose outcome was known by the as-of date.")
    other = {
        "this score": ours,
        "amount alone": view.metric("average_precision_amount_only"),
        "chance": view.metric("average_precision_random"),
    }
    drawn = svg.bars(
        "Average precision", list(other), {"average precision": list(other.values())}, write=lambda v: number(v, 3),
        tones=["blue", "grey", "grey"], size=480,
    )  # fmt: skip
    page.chart(
        drawn, "Average precision", "1 = every fraud before every genuine payment; chance = the share of frauds."
    )
    recall, precision, left = (
        view.metric("alert_recall"),
        view.metric("alert_precision"),
        view.metric("fraud_amount_allowed"),
    )
    frauds = view.metric("labelled_frauds")
    page.figures(
        [
            None if frauds is None else Figure("Known frauds", number(frauds), f"{money(view.metric('fraud_amount'), view.currency)}"),
            None if recall is None else Figure("Of them alerted", percent(recall)),
            None if precision is None else Figure("Alerts that were fraud", percent(precision)),
            None if left is None else Figure("Fraud let through", money(left, view.currency)),
        ]
    )  # fmt: skip


def train(page: Page, view: View) -> None:
    """The record of the model on later payments, beside what needs no model."""
    record = view.table("training_record", "method", "average_precision")
    page.section("Verdict")
    if record is None:
        page.text("No model was judged.")
        return
    rows = {str(r["method"]): r for r in record.iter_rows(named=True)}
    ours, others = rows["model"], [rows[m] for m in ("ensemble", "amount_only", "random") if m in rows]
    best = max(others, key=lambda r: float(r["average_precision"]))
    page.text(_verdict(ours, best))
    expected, frauds = view.metric("expected_frauds_in_record"), view.metric("frauds_in_record")
    page.figures(
        [
            Figure("Judged payments", short(ours["payments"]), f"{ours['from_day']} to {ours['to_day']}"),
            Figure("Average precision", number(ours["average_precision"], 3), f"chance {number(rows['random']['average_precision'], 3)}", "good" if ours["verdict"] == "chosen" else "bad"),
            Figure("Frauds found by a day's reviews", percent(ours["recall_at_capacity"]), f"{percent(ours['value_recall_at_capacity'])} of their money"),
            None if expected is None else Figure("Frauds expected", number(expected, 0), f"{number(frauds, 0)} there were"),
        ]
    )  # fmt: skip
    page.section("Beside what needs no model")
    names = {"model": "model", "ensemble": "detectors and rules", "amount_only": "amount alone", "random": "chance"}
    known = [m for m in names if m in rows]
    charts = []
    for column, title in (
        ("average_precision", "Average precision"),
        ("recall_at_capacity", "Frauds found within a day's reviews"),
        ("value_recall_at_capacity", "Money of frauds found within a day's reviews"),
    ):
        drawn = svg.bars(
            title, [names[m] for m in known], {title: [rows[m][column] for m in known]}, write=lambda v: number(v, 3),
            tones=["blue", *["grey"] * (len(known) - 1)], size=340,
        )  # fmt: skip
        charts.append(Chart(drawn, title))
    page.charts(charts, "On payments later than the model learnt from")
    page.table(record, "Record", contract="training_record")


def _verdict(ours: dict[str, Any], best: dict[str, Any]) -> str:
    names = {"ensemble": "the detectors without labels", "amount_only": "the amount alone", "random": "chance"}
    said = (
        f"On {of(int(ours['payments']), 'later payment')} with {of(int(ours['frauds']), 'fraud')} the model has an average precision of "
        f"{number(ours['average_precision'], 3)}; the best without a model, {names[str(best['method'])]}, has {number(best['average_precision'], 3)}."
    )
    return said + (
        " It is good enough to score with."
        if ours["verdict"] == "chosen"
        else " It is not good enough: the detectors decide."
    )
