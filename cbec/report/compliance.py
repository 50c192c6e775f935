"""Pages of compliance: who collects which tax, and whether the rule packs pass their own cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.report import svg
from cbec.report.einvoice import einvoice, taxid
from cbec.report.filing import file, watch
from cbec.report.format import NOTHING, figure, money, number, of, percent
from cbec.report.page import Chart, Figure
from cbec.report.parts import STACK
from cbec.report.rule_changes import diff

if TYPE_CHECKING:
    from cbec.report.page import Page, View

__all__ = ["diff", "einvoice", "file", "tax", "taxid", "test", "watch"]

_COUNTRIES = 15
_CURRENCIES = 6
_COLLECTORS = ("seller", "marketplace", "carrier", "customs", "buyer", "nobody")
_UNTOLD = "not told"
_AMOUNTS = ("value", "duty", "tax", "other_charges", "total")
_PLACE = ("ship_to", "currency", "scheme", "collected_by")


def tax(page: Page, view: View) -> None:
    """What is due per country and who collects it; lines without a known rule apart. Currencies are never added."""
    lines = view.table("tax", "status", "currency", "total", "collected_by")
    page.section("At a glance")
    if lines is None:
        page.text("No order line was given.")
        return
    if "ship_to" not in lines.columns:
        lines = lines.with_columns(pl.lit(None, pl.String).alias("ship_to"))
    # The value that rates are compared with: of domestic lines customs knows none, so it is what the tax is due on.
    value = pl.coalesce(*(pl.col(c) for c in ("customs_value", "tax_base") if c in lines.columns), pl.lit(None))
    lines = lines.with_columns(value.alias("value"))
    known, unknown = lines.filter(pl.col("status") == "OK"), lines.filter(pl.col("status") != "OK")
    by_lines = (
        known.drop_nulls("currency").group_by("currency").len().sort(["len", "currency"], descending=[True, False])
    )
    currencies = [str(c) for c in by_lines["currency"].to_list()]
    page.figures(_tiles(lines, known, unknown, currencies))
    if len(currencies) > 1:
        page.text(
            f"Amounts stand in {len(currencies)} currencies ({', '.join(currencies)}), each by itself: they are never added up."
        )
    if known.height:
        page.section("Who collects what")
        _collectors(page, known, currencies)
        page.section("Effective rate")
        _effective(page, known)
        page.section("By scheme")
        formats: Any = dict.fromkeys(_AMOUNTS, "money") | {"effective": "percent"}
        page.table(
            _summed(known), "Tax and duty by country, scheme and collector", columns=[*_PLACE, "lines", *_AMOUNTS, "effective"], formats=formats,
            labels={"effective": "duty + tax / value", "other_charges": "other", "ship_to": "country", "collected_by": "collected by"},
            note="Value: the customs value, or what the tax is due on where there is none.",
        )  # fmt: skip
    _to_look_at(page, known, unknown)
    page.section("Rows")
    columns = [
        "order_id", "line", "ship_to", "currency", "customs_value", "duty_rate", "duty", "tax_rate", "tax_base", "tax", "other_charges", "total",
        "scheme", "collected_by", "reason",
    ]  # fmt: skip
    page.table(
        known,
        "Tax per order line",
        columns=columns,
        contract="tax",
        note="The rules and sources of each line stand in the table tax itself.",
    )
    page.section("Rules and sources")
    for column, title in (("rule_ids", "Rules applied"), ("citation", "Sources cited")):
        _used(page, known, column, title)


def _to_look_at(page: Page, known: pl.DataFrame, unknown: pl.DataFrame) -> None:
    """Lines without an answer, and lines whose answer a person should check, with why."""
    page.section("Lines a person must look at")
    flags = pl.col("flags") if "flags" in known.columns else pl.lit(None, pl.String).alias("flags")
    marked = known.with_columns(flags).filter(pl.col("flags").fill_null("") != "")
    if not unknown.height and not marked.height:
        page.text("None: every line has an answer, and none is marked for checking.")
        return
    if unknown.height:
        why = unknown.group_by("reason_code", "ship_to").agg(pl.len().alias("lines"), _told(unknown))
        page.table(
            why.sort(["lines", "reason_code", "ship_to"], descending=[True, False, False], nulls_last=True),
            "Without an answer: neither taxed nor called free",
            columns=["reason_code", "ship_to", "lines", "reason"],
            labels={"reason_code": "what", "ship_to": "country", "reason": "e.g."},
        )
    if marked.height:
        by = ["flags", "ship_to", "currency"]
        told = marked.group_by(by).agg(pl.len().alias("lines"), pl.col("value", "tax").sum(), _told(marked))
        page.table(
            told.sort(["lines", *by], descending=[True, False, False, False], nulls_last=True),
            "Taxed, but to be checked",
            columns=["flags", "ship_to", "lines", "value", "tax", "currency", "reason"],
            formats={"value": "money", "tax": "money"},
            labels={"flags": "what", "ship_to": "country", "reason": "e.g."},
            note="What each mark means stands in the column flags of the table tax (cbec schema tax).",
        )
    rows = pl.concat([unknown, marked], how="diagonal_relaxed")
    page.table(
        rows,
        "The lines",
        columns=["order_id", "line", "ship_to", "status", "flags", "reason_code", "reason"],
        contract="tax",
    )


def _told(lines: pl.DataFrame) -> pl.Expr:
    """The reason of one of the lines, the same whatever their order."""
    return pl.col("reason").min() if "reason" in lines.columns else pl.lit(None, pl.String).alias("reason")


def _effective(page: Page, known: pl.DataFrame) -> None:
    """Duty and tax as shares of the value, by country; of a country with several currencies that of most lines."""
    amounts = [c for c in ("value", "duty", "tax") if c in known.columns]
    if len(amounts) < 3:
        return
    sums = known.group_by("ship_to", "currency").agg(pl.len().alias("lines"), pl.col(amounts).sum().cast(pl.Float64))
    most = sums.filter(pl.col("value") > 0).sort(["lines", "currency"], descending=[True, False])
    shown = most.unique("ship_to", keep="first", maintain_order=True).head(2 * _COUNTRIES)
    shares = shown.with_columns(pl.col("duty", "tax") / pl.col("value")).sort(
        [pl.col("duty") + pl.col("tax"), "ship_to"], descending=[True, False]
    )
    if shares.is_empty():
        return
    drawn = svg.bars(
        "Duty and tax as shares of the value", [c or NOTHING for c in shares["ship_to"].to_list()],
        {"tax": shares["tax"].to_list(), "duty": shares["duty"].to_list()}, write=percent, tones=["blue", "ochre"], hatched=[0, 1],
    )  # fmt: skip
    page.chart(
        drawn,
        "Duty and tax as shares of the value, by country",
        "Of lines with an answer; refunds count against their sales.",
    )


def _tiles(
    lines: pl.DataFrame, known: pl.DataFrame, unknown: pl.DataFrame, currencies: list[str]
) -> list[Figure | None]:
    share = unknown.height / lines.height
    marked = known.filter(pl.col("flags").fill_null("") != "").height if "flags" in known.columns else 0
    tiles: list[Figure | None] = [
        Figure(
            "Order lines", number(lines.height), f"{known['ship_to'].n_unique() if known.height else 0:,} countries"
        ),
        Figure(
            "Without an answer",
            number(unknown.height),
            f"{percent(share)} of the lines",
            "bad" if unknown.height else "good",
        ),
        Figure("To be checked", number(marked), "taxed, and marked") if marked else None,
    ]
    for currency in currencies[:4]:
        part = known.filter(pl.col("currency") == currency)
        due, base = _sum(part, "total"), _sum(part, "value")
        note = f"{percent(due / base)} of the value" if base else of(part.height, "line")
        tiles.append(Figure(f"Duty, tax and charges in {currency}", money(due, currency), note))
    return tiles


def _sum(frame: pl.DataFrame, column: str) -> float:
    return (figure(frame[column].sum()) or 0.0) if column in frame.columns else 0.0


def _collectors(page: Page, known: pl.DataFrame, currencies: list[str]) -> None:
    """One chart per currency, the currency of most lines first; a collector looks the same in all of them."""
    known = _by_collector(known)
    # Who collects nothing of anything has no bar to be drawn.
    drawn = known.filter(pl.col("total").fill_null(0) != 0)
    told = sorted({str(c or _UNTOLD) for c in drawn["collected_by"].to_list()}, key=lambda c: (c not in _COLLECTORS, c))
    order = [c for c in _COLLECTORS if c in told] + [c for c in told if c not in _COLLECTORS]
    chosen = [c for c in currencies if _sum(known.filter(pl.col("currency") == c), "total")][
        :_CURRENCIES
    ] or currencies[:1]
    small = len(chosen) > 1
    charts = [_collected(known.filter(pl.col("currency") == c), c, order, 340 if small else 720) for c in chosen]
    few = f" Drawn: {len(chosen)} of {len(currencies)} currencies." if len(currencies) > len(chosen) else ""
    page.charts(
        charts,
        "Duty, tax and other charges due, by country and collector",
        "Duty is owed to the customs, or to the carrier that pays it, whoever collects the tax."
        + (f" Each chart has the scale of its own currency.{few}" if small else ""),
    )


def _by_collector(known: pl.DataFrame) -> pl.DataFrame:
    """Each line's duty apart from its tax and other charges, as `total` with who collects it; `lines` counts it once."""
    if "duty" not in known.columns:
        return known.with_columns(lines=pl.lit(1))
    duty = pl.col("duty").fill_null(0)
    rest = known.select("ship_to", "currency", "collected_by", total=pl.col("total") - duty, lines=pl.lit(1))
    border = pl.when(pl.col("collected_by") == "carrier").then("collected_by").otherwise(pl.lit("customs"))
    owed = known.filter(duty != 0).select("ship_to", "currency", collected_by=border, total=duty, lines=pl.lit(0))
    return pl.concat([rest, owed], how="vertical_relaxed")


def _collected(part: pl.DataFrame, currency: str, collectors: list[str], size: float) -> Chart:
    """Countries by what is due, the bar cut by who collects it."""
    sums = part.group_by("ship_to", pl.col("collected_by").fill_null(_UNTOLD)).agg(pl.col("total").sum())
    totals = (
        sums.group_by("ship_to")
        .agg(pl.col("total").sum())
        .sort(["total", "ship_to"], descending=[True, False], nulls_last=True)
    )
    top = totals.head(_COUNTRIES)["ship_to"].to_list()
    values = {(c, w): figure(t) for c, w, t in sums.iter_rows()}
    there = {w for (_, w), due in values.items() if due}
    stacks = {w: [values.get((c, w)) for c in top] for w in collectors if w in there}
    looks = [(STACK[i % len(STACK)], i and (i - 1) % 3 + 1) for i, w in enumerate(collectors) if w in there]
    one = len(stacks) == 1
    drawn = svg.bars(
        f"Due in {currency}", [c or NOTHING for c in top], stacks, write=_bare, size=size, axis=currency,
        tones=[looks[0][0]] * len(top) if one else [t for t, _ in looks], hatched=[looks[0][1]] * len(top) if one else [h for _, h in looks],
    )  # fmt: skip
    words = [of(int(part["lines"].sum()), "order line")]
    words += [f"all collected by {next(iter(stacks))}"] if one else []
    words += [f"the first {len(top)} of {totals.height} countries"] if totals.height > len(top) else []
    return Chart(drawn, f"Due in {currency}", ", ".join(words))


def _bare(value: float) -> str:
    return money(value, None)


def _used(page: Page, known: pl.DataFrame, column: str, title: str) -> None:
    """How many lines each rule or source speaks for; a cell holds several, joined by |."""
    if column not in known.columns:
        return
    used = known.select(pl.col(column).str.split("|")).explode(column).filter(pl.col(column) != "")
    counted = used.group_by(column).len().sort(["len", column], descending=[True, False])
    page.table(counted, title, labels={column: title.split(" ", maxsplit=1)[0].rstrip("s").lower(), "len": "lines"})


def _summed(known: pl.DataFrame) -> pl.DataFrame:
    amounts = [c for c in _AMOUNTS if c in known.columns]
    place = [c for c in _PLACE if c in known.columns]
    summed = known.group_by(place).agg(pl.len().alias("lines"), pl.col(amounts).sum())
    due = pl.sum_horizontal(*(pl.col(c).cast(pl.Float64).fill_null(0) for c in ("duty", "tax") if c in amounts))
    base = pl.col("value").cast(pl.Float64)
    rate = pl.when(base != 0).then(due / base).round(6).alias("effective")
    return summed.with_columns(rate).sort(
        ["currency", "total", *place], descending=[False, True, *[False] * len(place)], nulls_last=True
    )


def test(page: Page, view: View) -> None:
    """Passed and failed cases per rule pack, every failure with what was expected and what came."""
    verdicts = view.table("rule_verdict", "pack", "case", "field", "passed")
    page.section("At a glance")
    if verdicts is None:
        page.text("The packs carry no cases.")
        return
    cases = verdicts.group_by("pack", "case").agg(pl.col("passed").all())
    packs = cases.group_by("pack").agg(
        pl.len().alias("cases"), pl.col("passed").sum(), (~pl.col("passed")).sum().alias("failed")
    )
    packs = packs.sort(["failed", "pack"], descending=[True, False])
    failed = int(packs["failed"].sum())
    page.figures(
        [
            Figure("Packs", number(packs.height)),
            Figure("Cases", number(cases.height), f"{of(verdicts.height, 'figure')} compared"),
            Figure(
                "Failed",
                number(failed),
                "every case passed" if not failed else f"{percent(failed / cases.height)} of the cases",
                "bad" if failed else "good",
            ),
        ]
    )
    top = packs.head(40)
    drawn = svg.bars(
        "Cases per pack", top["pack"].to_list(), {"passed": top["passed"].to_list(), "failed": top["failed"].to_list()},
        tones=["blue", "orange"], hatched=[False, True],
    )  # fmt: skip
    page.chart(drawn, "Cases per pack", "Hatched: failed.")
    page.section("Failures")
    wrong = verdicts.filter(~pl.col("passed")).with_columns(pl.col("got").fill_null("nothing"))
    page.table(wrong, "", columns=["pack", "case", "field", "expected", "got"], contract="rule_verdict")
    page.section("Rows")
    page.table(packs, "Packs")
    page.table(verdicts, "Every comparison", contract="rule_verdict")


test.__test__ = False  # type: ignore[attr-defined]  # the command's name; pytest would take it for a test
