"""What a terminal shows."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from support import results as samples

from cbec import report
from cbec.report.screen import sparkline


def shown(made: Any, width: int = 100) -> str:
    out = Console(file=io.StringIO(), width=width, force_terminal=False)
    report.terminal(*made, out)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize("name", sorted(samples.EVERY))
@pytest.mark.parametrize("width", [40, 80, 160])
def test_every_line_fits_the_width(name: str, width: int) -> None:
    text = shown(samples.EVERY[name](), width)
    assert all(cell_len(line.rstrip()) <= width for line in text.splitlines())


def test_money_findings_and_the_most_urgent_rows() -> None:
    text = shown(samples.replenish())
    assert "EUR 48,250 today, EUR 31,870 proposed: EUR 16,380 saved (33.9 % of today's)" in text
    assert "findings: 3 high, 5 warn" in text and "▲ high SKU-0000@DEHAM" in text
    assert "10 of 30 rows of replenishment" in text
    plan = samples.replenish()[1]["replenishment"]
    first = plan.filter(plan["order_qty"] > 0).sort("stockout_date", "sku")["sku"][0]
    assert first in text


def test_series_come_with_the_shape_of_their_past_and_future() -> None:
    text = shown(samples.demand(), 140)
    line = next(x for x in text.splitlines() if x.startswith("SKU-0000"))
    assert "│" in line and any(c in line for c in "▁▂▃▄▅▆▇█") and "theta" in line
    assert "10 of 40 series" in text


def test_figures_are_never_cut() -> None:
    told, tables = samples.tax()
    text = shown((told, tables), 60)
    total = f"{tables['tax'].filter(tables['tax']['status'] == 'OK')['total'][0]:.2f}"
    assert total in text


def test_markup_and_escape_codes_in_data_are_text() -> None:
    told, tables = samples.backtest()
    told |= {
        "headline": "[bold red]x[/] \x1b[31m",
        "top_findings": [samples.finding(1, "high", "[link]a", "b\x1b]0;c")],
        "findings": {"high": 1},
    }
    text = shown((told, tables))
    assert "[bold red]x[/]" in text and "[link]a" in text
    assert "\x1b" not in text


def test_empty_tables_are_said() -> None:
    told, tables = samples.tax()
    assert "tax: no rows" in shown((told, {n: f.clear() for n, f in tables.items()}))


def test_sparkline() -> None:
    assert sparkline([0, 1, 2, None, 7]) == "▁▂▃·█"
    assert sparkline([None, 0.0]) == "·▁"
    assert sparkline([]) == ""


def test_a_terminal_that_lacks_a_character_shows_another(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(screen, "latin-1", write_through=True))
    report.terminal(*samples.demand())
    assert b"10 of 40 series" in screen.getvalue()
