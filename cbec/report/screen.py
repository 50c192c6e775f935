"""A result on a terminal: headline, money, findings, the top rows of the main table fitted to the width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cbec.report.format import certainty, figure, money, of, percent, plain, short, verdict
from cbec.report.html import SEVERITY
from cbec.report.page import Grid, Head, View, grid
from cbec.report.series import keys, last_period, name, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_ROWS = 10
_FINDINGS = 5
_BLOCKS = "▁▂▃▄▅▆▇█"
_STYLE = {"high": "bold red", "warn": "yellow", "info": "dim", "saved": "green", "dearer": "red", "even": ""}


def show(summary: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], console: Console | None = None) -> None:
    """Print it. Without a console: standard output. Styles go with NO_COLOR; words say all that colours say."""
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
        _print(out, _forecast(view), tables[main].height, main, "series")
    else:
        frame = _first(main, view.tables[main])
        _print(out, grid(frame, contract=main, cap=_ROWS), tables[main].height, main, "row")


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
    out.print(Text(plain(f"       {certainty(told)} Basis: {told.get('basis', 'not told')}"), style="dim"))


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
        return frame.sort("status", descending=True, maintain_order=True)
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
    top = last_period(forecast).head(_ROWS)
    ahead, before = (
        rows_of(forecast, top, names, "date"),
        rows_of(view.table("prepared", "date", "units"), top, names, "date"),
    )
    added = {
        key: rows[0].get("value_added")
        for key, rows in rows_of(view.table("model_record", "model"), top, names, "model").items()
    }
    rows: list[list[str]] = []
    for last in top.iter_rows(named=True):
        key = tuple(last[n] for n in names)
        past = [r["units"] for r in before.get(key, [])][-16:]
        shape = [*past, *[r["mean"] for r in ahead.get(key, [])][:12]]
        drawn = sparkline(shape)
        spread = f"{short(last.get('cum_q05'))} – {short(last.get('cum_q95'))}"
        rows.append(
            [
                name(last, names),
                f"{drawn[: len(past)]}│{drawn[len(past) :]}",
                short(last["cum_mean"]),
                spread,
                str(last.get("model")),
                percent(added.get(key)),
            ]
        )
    heads = [
        Head("series"),
        Head("past│expected"),
        Head("total", right=True),
        Head("90 % range", right=True),
        Head("model"),
        Head("error saved", right=True),
    ]
    return Grid(heads, rows, last_period(forecast).height)


def _print(out: Console, told: Grid, rows: int, table: str, noun: str) -> None:
    if not told.rows:
        out.print(Text(f"{table}: no rows", style="dim"))
        return
    shown = _fitting(told, out.width)
    made = Table(box=None, pad_edge=False, show_edge=False, header_style="dim")
    for j, size in shown:
        head = told.heads[j]
        made.add_column(
            Text(head.label),
            justify="right" if head.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=size,
        )
    for row in told.rows:
        made.add_row(*(Text(plain(row[j])) for j, _ in shown))
    out.print()
    out.print(made)
    left = [h.label for j, h in enumerate(told.heads) if j not in {j for j, _ in shown}]
    more = [f"{len(told.rows):,} of {of(told.total, noun)} of {table}"] if told.total > len(told.rows) else []
    more += [f"not shown for want of width: {', '.join(left)}"] if left else []
    if more:
        out.print(Text("; ".join(more), style="dim"))


def _fitting(told: Grid, width: int) -> list[tuple[int, int]]:
    """Columns that fit, with their widths. Wide texts give way first; then columns from the right are left out."""
    natural = [max(cell_len(h.label), *(cell_len(row[j]) for row in told.rows)) for j, h in enumerate(told.heads)]
    last = len(natural) - 1 if told.heads[-1].label == "reason" else None
    chosen: list[tuple[int, int]] = []
    # The reason is what a person reads first, so it keeps a place where there is room for it.
    kept = min(natural[last], max(24, width // 4)) if last is not None and width >= 80 else 0
    used = kept + 1 if kept else 0
    for j, size in enumerate(natural):
        if kept and j == last:
            continue
        need = min(size, 28)
        if chosen and used + need + 1 > width:
            break
        chosen.append((j, need))
        used += need + 1
    if kept and last is not None:
        chosen.append((last, kept + max(0, width - used)))
    return chosen
