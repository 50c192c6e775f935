"""Pages of compliance file and watch: what is payable where and by when, the proof, thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.report import svg
from cbec.report.format import NOTHING, day, figure, money, number, of, percent
from cbec.report.page import Chart, Figure

if TYPE_CHECKING:
    from cbec.report.page import Page, View

_RETURNS = 15
_LEFT_OUT = ("undetermined", "no_date", "no_sale", "too_late")
_WORDS = {
    "filed": "in a return",
    "correction": "in a return, as a correction",
    "other_party": "accounted for by others, or without tax",
    "other_period": "outside the period",
    "undetermined": "not filed: tax not determined",
    "no_date": "not filed: no date",
    "no_sale": "not filed: refund without its sale",
    "too_late": "not filed: too late to correct",
}


def file(page: Page, view: View) -> None:
    """Payable per return with its last day, the proof against the tax table, what was left out, boxes, customs papers."""
    due = view.table("returns_due", "return_id", "kind", "amount", "currency")
    lines, control = (
        view.table("filing_lines", "disposition"),
        view.table("filing_control", "disposition", "lines", "tax"),
    )
    page.section("At a glance")
    if due is None:
        page.text("No return falls into the period: no line of the tax table and no registration.")
    else:
        returns = _returns(due, lines)
        page.figures(_tiles(returns, lines))
        page.section("What is payable, where and by when")
        _payable(page, returns)
    if control is not None:
        _proof(page, control)
    if lines is not None:
        _left_out(page, lines)
    if due is not None:
        page.section("Boxes and lines")
        columns = [
            "return_id", "box", "country", "dispatch_country", "rate_type", "rate", "corrected_period", "net", "tax", "amount", "currency",
            "lines", "reason",
        ]  # fmt: skip
        page.table(due.sort("return_id", "entry"), "Every row of every return", columns=columns, contract="returns_due")
    _papers(page, view)
    if due is not None and "citation" in due.columns:
        used = (
            due.select("return_id", pl.col("citation").str.split("|"))
            .explode("citation")
            .drop_nulls("citation")
            .unique()
        )
        told = used.group_by("citation").agg(pl.col("return_id").n_unique().alias("returns")).sort("citation")
        page.section("Sources")
        page.table(told, "Where boxes, last days, rounding and corrections were read")


def _returns(due: pl.DataFrame, lines: pl.DataFrame | None) -> pl.DataFrame:
    """A row per return: what it pays, what comes back, its last day, how many lines of the tax table it took."""

    def total(box: str) -> pl.Expr:
        return pl.col("amount").filter((pl.col("kind") == "total") & (pl.col("box") == box)).sum().alias(box)

    keys = ["return_id", "jurisdiction", "scheme", "number", "period", "due_date", "currency"]
    told = due.group_by(keys).agg(
        total("payable"),
        total("refund"),
        (pl.col("kind") == "nil").any().alias("nil"),
    )
    if lines is not None:
        taken = lines.drop_nulls("return_id").group_by("return_id").agg(pl.len().alias("order lines"))
        told = told.join(taken, on="return_id", how="left").with_columns(pl.col("order lines").fill_null(0))
    return told.sort("due_date", "return_id", nulls_last=True)


def _tiles(returns: pl.DataFrame, lines: pl.DataFrame | None) -> list[Figure | None]:
    tiles: list[Figure | None] = []
    sums = returns.group_by("currency").agg(pl.col("payable", "refund").sum(), pl.len()).sort("currency")
    for currency, pay, back, count in sums.iter_rows():
        note = of(count, "return") + (f", {money(back, currency)} come back" if back else "")
        tiles.append(Figure(f"Payable in {currency}", money(pay, currency), note))
    dated = returns.filter(pl.col("due_date").is_not_null() & (pl.col("payable") > 0)).sort("due_date")
    if dated.height:
        tiles.append(Figure("First last day", day(dated["due_date"][0]), str(dated["return_id"][0])))
    nil = returns.filter("nil").height
    tiles.append(Figure("Returns", number(returns.height), f"{of(nil, 'nil return')}" if nil else "none of them nil"))
    if lines is not None:
        out = lines.filter(pl.col("disposition").is_in(_LEFT_OUT)).height
        tiles.append(Figure("Lines not filed", number(out), f"of {lines.height:,}", "bad" if out else "good"))
    return tiles[:6]


def _payable(page: Page, returns: pl.DataFrame) -> None:
    charts = []
    size = 720 if returns.filter(pl.col("payable") + pl.col("refund") > 0)["currency"].n_unique() < 2 else 340
    for (currency,), part in returns.partition_by("currency", as_dict=True, maintain_order=True).items():
        own = part.filter((pl.col("payable") != 0) | (pl.col("refund") != 0)).head(_RETURNS)
        if own.is_empty():
            continue
        told = own.select("scheme", "jurisdiction", "period", "due_date", "payable").rows()
        labels = [
            f"{scheme if scheme != 'LOCAL' else f'local {place}'} {period}" for scheme, place, period, _, _ in told
        ]
        texts = [f"{money(pay, None)}{f' by {last}' if last else ''}" for _, _, _, last, pay in told]
        stacks = {"payable": [figure(v) for v in own["payable"].to_list()]}
        if own["refund"].sum():
            stacks["comes back"] = [figure(v) for v in own["refund"].to_list()]
        several = len(stacks) > 1
        drawn = svg.bars(
            f"Payable in {currency}", labels, stacks, write=_bare, size=size, axis=str(currency), texts=texts,
            tones=["blue", "orange"] if several else None, hatched=[0, 1] if several else None,
        )  # fmt: skip
        charts.append(Chart(drawn, f"Payable in {currency}", "Hatched: comes back." if several else ""))
    page.charts(charts, "By return and last day", "Each currency has a scale of its own." if len(charts) > 1 else "")
    page.table(
        returns.with_columns(pl.when("nil").then(pl.lit("nil")).alias("nil")),
        "Returns",
        formats={"payable": "money", "refund": "money"},
        labels={"return_id": "return", "due_date": "last day", "refund": "comes back"},
        note="A return without a last day has none that was sourced. Weekends and holidays move no day here.",
    )


def _bare(value: float) -> str:
    return money(value, None)


def _proof(page: Page, control: pl.DataFrame) -> None:
    page.section(
        "Control totals",
        "Every line of the tax table stands in exactly one of these rows; the command stops where a return differs by a cent.",
    )
    told = control.with_columns(pl.col("disposition").replace(_WORDS).alias("what became of it"))
    sums = told.group_by("what became of it", "currency").agg(pl.col("lines", "net", "tax", "value").sum())
    page.table(
        sums.sort("what became of it", "currency", nulls_last=True),
        "The tax table by what became of its lines",
        formats={"net": "money", "tax": "money", "value": "money"},
        labels={"net": "tax base", "value": "goods without tax base"},
    )
    page.table(control, "By return, scheme and collector", contract="filing_control")


def _left_out(page: Page, lines: pl.DataFrame) -> None:
    out = lines.filter(pl.col("disposition").is_in(_LEFT_OUT))
    page.section("Lines that were not filed", "They are in no return; a person has to decide.")
    if out.is_empty():
        page.text("None.")
        return
    counts = out.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    page.table(counts, "Why", labels={"len": "lines"})
    page.table(
        out,
        "The lines",
        columns=["order_id", "line", "disposition", "corrected_period", "tax", "currency", "reason"],
        contract="filing_lines",
    )


def _papers(page: Page, view: View) -> None:
    items = view.table("customs_items", "consignment")
    if items is None:
        return
    page.section("Customs papers")
    asked = {"import data set": "import_data_set", "postal form": "postal_form", "export regime": "export_regime"}
    parts = [
        items.group_by(pl.lit(title).alias("paper"), pl.col(column).fill_null(NOTHING).alias("kind")).agg(
            pl.col("consignment").n_unique().alias("consignments"), pl.len().alias("items")
        )
        for title, column in asked.items()
        if items[column].null_count() < items.height
    ]
    if parts:
        page.table(pl.concat(parts).sort("paper", "kind"), "Consignments by paper")
    lacking = items.filter(pl.col("missing").is_not_null())
    if lacking.height:
        words = lacking.select("consignment", pl.col("missing").str.split("|")).explode("missing")
        counts = words.group_by("missing").agg(pl.col("consignment").n_unique().alias("consignments")).sort("missing")
        page.table(counts, "What the papers ask for and nobody told")
    columns = [
        "consignment", "item", "ship_from", "ship_to", "import_data_set", "postal_form", "description", "hs6", "origin", "qty", "gross_weight_kg",
        "intrinsic_value", "currency", "missing",
    ]  # fmt: skip
    page.table(items, "Goods items", columns=columns, contract="customs_items", cap=50)


def watch(page: Page, view: View) -> None:
    """Thresholds by urgency: share used, when passed or expected, last day to register."""
    rows = view.table("registration_watch", "rule_id", "verdict", "turnover")
    page.section("At a glance")
    if rows is None:
        page.text("No sale counts towards a threshold that is held here.")
        return
    order = ["must_register", "expected", "unknown", "below", "registered"]
    rows = rows.with_columns(
        pl.col("verdict").replace_strict(order, list(range(5)), return_dtype=pl.Int64).alias("_at")
    )
    rows = rows.sort("_at", "register_by", "rule_id", nulls_last=True)
    counts = dict(rows.group_by("verdict").len().iter_rows())
    must = counts.get("must_register", 0)
    first = rows.filter(pl.col("register_by").is_not_null())["register_by"].min()
    page.figures(
        [
            Figure("To register", number(must), "thresholds passed without a registration", "bad" if must else "good"),
            Figure("Expected", number(counts.get("expected", 0)), "at today's pace, within a year"),
            Figure("Registered", number(counts.get("registered", 0))),
            Figure("Next last day", day(first), "to register") if first is not None else None,
        ]
    )
    page.section("How near")
    shares = rows.filter(pl.col("share").is_not_null())
    if shares.height:
        names = [f"{r}{f' ({s})' if s else ''}" for r, s in shares.select("rule_id", "seller_country").iter_rows()]
        drawn = svg.bars(
            "Share of the threshold", names, {"share": [figure(v) for v in shares["share"].to_list()]}, write=percent, axis="of the threshold",
            reference=(1.0, "threshold"),
        )  # fmt: skip
        page.chart(drawn, "Sales in the window as a share of the threshold")
    page.table(
        rows.drop("_at"),
        "Thresholds",
        columns=[
            "rule_id", "seller_country", "verdict", "turnover", "threshold", "currency", "share", "crossed_on", "projected_on", "register_by",
            "number", "reason",
        ],
        contract="registration_watch",
        formats={"share": "percent"},
        note="Turnover without tax in the window of the rule. A threshold of 0: the first sale is enough. Places without a row are not cleared.",
    )  # fmt: skip
    page.section("Sources")
    cited = (
        rows.select("rule_id", pl.col("citation").str.split("|"))
        .explode("citation")
        .unique()
        .sort("rule_id", "citation")
    )
    page.table(cited, "Where thresholds were read")
