"""A result on a terminal: headline, money, findings, the top rows of the main table fitted to the width."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cbec.report.format import NOTHING, certainty, figure, money, of, percent, plain, units, verdict
from cbec.report.html import SEVERITY
from cbec.report.page import Format, Grid, Head, View, grid
from cbec.report.series import keys, last_period, name, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_ROWS = 10
_PAST, _AHEAD = 14, 12  # periods of a sparkline
_GAP, _WORDS = 2, 28  # cells between columns; width from which words are cut
#: What a person wants first of a wide table; the reason is kept longest.
_COLUMNS = {
    "replenishment": (
        "sku",
        "warehouse",
        "order_qty",
        "order_date",
        "arrival_date",
        "stockout_date",
        "cost",
        "currency",
        "reason",
    ),
    "tax": ("order_id", "line", "ship_to", "status", "total", "currency", "collected_by", "scheme", "reason"),
    "backtest": ("model", "series", "origins", "wape", "bias", "mase", "coverage_90", "value_added", "verdict"),
}
_FORMATS: dict[str, Format] = {
    **dict.fromkeys(("wape", "bias", "coverage_90", "value_added"), "percent"),
    **dict.fromkeys(("cost", "total"), "money"),
}
_FINDINGS = 5
_BLOCKS = "▁▂▃▄▅▆▇█"
_STYLE = {"high": "bold red", "warn": "yellow", "info": "dim", "saved": "green", "dearer": "red", "even": ""}


def show(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], console: Console | None = None) -> None:
    """Print it. Without a console: standard output. Styles go with NO_COLOR; words say all that colours say."""
    if console is None and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal whose encoding lacks the bars of a sparkline
    out = console or Console()
    view = View(summary, tables)
    as_of = f" · as of {summary['as_of']}" if summary.get("as_of") else ""
    out.print(Text(plain(f"cbec {summary.get('step')} {summary.get('command')}{as_of}"), style="dim"))
    out.print(Text(plain(summary.get("headline") or summary.get("title") or ""), style="bold"))
    _money(out, summary.get("money") or {})
    _findings(out, summary)
    main = next((n for n in tables if n != "findings"), None)
    if main is None:
        return
    if main == "forecast" and view.table("forecast", "h", "cum_mean", "mean") is not None:
        _print(out, _forecast(view), main, "series", 0)
    else:
        frame = _first(main, view.tables[main])
        columns = [c for c in _COLUMNS.get(main, ()) if c in frame.columns] or frame.columns
        told = grid(frame, columns, formats=_FORMATS, contract=main, cap=_ROWS, units=False)
        _print(out, told, main, "row", len(frame.columns) - len(told.heads))


def sparkline(values: Sequence[float | None]) -> str:
    """One character per value, eight heights from zero (or the lowest, if below) up; a dot where nothing is known."""
    known = [v for v in (figure(v) for v in values) if v is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    if high == low:
        return "".join("·" if figure(v) is None else _BLOCKS[0] for v in values)
    return "".join(
        "·" if figure(v) is None else _BLOCKS[round((float(v or 0) - low) / (high - low) * 7)] for v in values
    )


def _money(out: Console, told: Mapping[str, Any]) -> None:
    if "today" not in told:
        out.print(Text(f"money: {plain(told.get('reason', 'none was computed'))}", style="dim"))
        return
    tone, words = verdict(told)
    currency = told.get("currency")
    line = Text(
        f"money: {money(told.get('today'), currency)} today, {money(told.get('proposed'), currency)} proposed: "
    )
    line.append(words, style=f"bold {_STYLE[tone]}".strip())
    out.print(line)
    for words in (certainty(told), f"Basis: {told.get('basis', 'not told')}"):
        out.print(Padding(Text(plain(words), style="dim"), (0, 0, 0, 2)))


def _findings(out: Console, summary: Mapping[str, Any]) -> None:
    counts: Mapping[str, int] = summary.get("findings") or {}
    told = ", ".join(f"{counts[level]:,} {level}" for level in ("high", "warn", "info") if counts.get(level))
    out.print(Text(f"findings: {told or 'none'}"))
    top = [f for f in summary.get("top_findings") or [] if f.get("severity") != "info"][:_FINDINGS]
    for finding in top:
        level = str(finding.get("severity"))
        line = Text(f"  {SEVERITY.get(level, '')} {level:<4} ", style=_STYLE.get(level, ""))
        line.append(plain(f"{finding.get('entity')}: {finding.get('message')}"), style="default")
        out.print(line, overflow="ellipsis", no_wrap=True)


def _first(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that matter first: orders by urgency, what has no answer, what failed."""
    if table == "replenishment" and {"order_qty", "stockout_date"} <= set(frame.columns):
        idle = frame["order_qty"].fill_null(0) <= 0
        order = [c for c in ("stockout_date", "sku", "warehouse") if c in frame.columns]
        return frame.with_columns(idle.alias("_idle")).sort(["_idle", *order], nulls_last=True).drop("_idle")
    if table == "tax" and "status" in frame.columns:
        known = frame["status"] == "OK"
        without = frame.filter(~known)
        return without.head(_ROWS // 2).vstack(frame.filter(known)).vstack(without.slice(_ROWS // 2))
    if table == "rule_verdict" and "passed" in frame.columns:
        return frame.sort("passed", maintain_order=True)
    if table == "backtest" and {"demand_class", "horizon", "wape"} <= set(frame.columns):
        every = (frame["demand_class"] == "all") & (frame["horizon"] == "all")
        return frame.filter(every).sort("wape", nulls_last=True, maintain_order=True)
    return frame


def _forecast(view: View) -> Grid:
    """Largest series: what is expected over the whole horizon, and the shape of past and future."""
    forecast = view.tables["forecast"]
    names = keys(forecast)
    every = last_period(forecast)
    top = every.head(_ROWS)
    ahead = rows_of(forecast, top, names, "date")
    before = rows_of(view.table("prepared", "date", "units"), top, names, "date")
    record = rows_of(view.table("model_record", "model"), top, names, "model")
    rows: list[list[str]] = []
    for last in top.iter_rows(named=True):
        key = tuple(last[n] for n in names)
        past = [r["units"] for r in before.get(key, [])][-_PAST:]
        drawn = sparkline([*past, *(r["mean"] for r in ahead.get(key, [])[:_AHEAD])])
        spread = f"{units(last.get('cum_q05'))} – {units(last.get('cum_q95'))}"
        saved = percent(record[key][0].get("value_added")) if key in record else NOTHING
        shape = f"{drawn[: len(past)]}│{drawn[len(past) :]}" if before else drawn
        rows.append([name(last, names), units(last["cum_mean"]), spread, shape, str(last.get("model")), saved])
    heads = [
        Head("series"), Head("total", right=True), Head("90 % range", right=True), Head("past│expected" if before else "expected"), Head("model"), Head("error saved", right=True),
    ]  # fmt: skip
    return Grid(heads, rows, every.height)


def _print(out: Console, told: Grid, table: str, noun: str, rest: int) -> None:
    if not told.rows:
        out.print(Text(f"{table}: no rows", style="dim"))
        return
    shown = _fitting(told, out.width)
    made = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    for j, size in shown.items():
        head = told.heads[j]
        title = Text("\n".join(_broken(head.label, size)))
        made.add_column(title, justify="right" if head.right else "left", no_wrap=True, overflow="ellipsis", width=size)
    for row in told.rows:
        made.add_row(*(Text(plain(row[j])) for j in shown))
    out.print()
    out.print(made)
    rest += len(told.heads) - len(shown)
    more = [f"{len(told.rows):,} of {of(told.total, noun)} of {table}"] if told.total > len(told.rows) else []
    more += [f"{of(rest, 'column')} more in the table"] if rest else []
    if more:
        out.print(Text("; ".join(more), style="dim"))


def _fitting(told: Grid, width: int) -> dict[int, int]:
    """Columns that fit and their widths: words are cut, figures never; what has no room is left out from the right."""
    longest = [max((cell_len(w) for w in h.label.split()), default=1) for h in told.heads]
    natural = [max(longest[j], *(cell_len(row[j]) for row in told.rows)) for j in range(len(told.heads))]
    last = len(natural) - 1
    # The reason is what a person reads first, so it keeps a place where there is room for it.
    kept = min(natural[last], max(24, width // 4)) if told.heads[last].label == "reason" and width >= 80 else 0
    chosen: dict[int, int] = {}
    used = kept + _GAP if kept else 0
    for j, size in enumerate(natural):
        need = size if told.heads[j].right else min(size, _WORDS)
        if kept and j == last:
            chosen[j] = min(natural[last], kept + max(0, width - used + _GAP))
        elif not chosen or used + need <= width:
            chosen[j] = min(need, width)
            used += need + _GAP
    return chosen


def _broken(text: str, size: int) -> list[str]:
    """Words of a heading in lines of that width."""
    lines: list[str] = []
    for word in text.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= size:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
