"""A page as Markdown, for terminals, chats and pull requests: the same words and tables, pictures as their descriptions."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

from cbec.report import page as p
from cbec.report.format import certainty, figure, money, of, plain, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS = 25
_SPECIAL = re.compile(r"([\\`*_\[\]|~#!])")
_DESC = re.compile("<desc>(.*?)</desc>", re.DOTALL)


def render(page: p.Page) -> str:
    """The file's text."""
    head = [f"# {_e(page.title)}"] + [_e(t) for t in (page.eyebrow, page.headline) if t]
    return "\n\n".join([*head, *(t for t in (_block(b) for b in page.blocks) if t)]) + "\n"


def _block(block: p.Block) -> str:
    match block:
        case p.Lead():
            return _lead(block.money)
        case p.Tiles():
            return "\n".join(
                f"- {_e(f.label)}: **{_e(f.value)}**" + (f" ({_e(f.note)})" if f.note else "") for f in block.figures
            )
        case p.Section():
            return f"## {_e(block.title)}" + (f"\n\n{_e(block.note)}" if block.note else "")
        case p.Text():
            return (
                "\n".join(f"- {_e(x)}" for x in block.lines)
                if block.listed
                else "\n\n".join(_e(x) for x in block.lines)
            )
        case p.Chart():
            return _chart(block)
        case p.Charts():
            shown = ", ".join(_e(c.title) for c in block.charts)
            return (
                f"**{_e(block.title or 'Pictures')}** (pictures in report.html). {_e(block.caption)}\n{shown}".rstrip()
            )
        case p.TableBlock():
            return _table(block)
        case p.Findings():
            return _findings(block)
        case p.Links():
            return "\n".join(f"- [{_e(k.text)}]({quote(k.target, safe='/#')})" for k in block.links)


def _lead(told: Mapping[str, object]) -> str:
    if "reason" in told or "today" not in told:
        return f"**No money figure:** {_e(str(told.get('reason', 'none was computed'))).rstrip('.')}."
    currency = None if told.get("currency") is None else str(told["currency"])
    _, words = verdict(told)
    rows = [[money(told.get(k), currency) for k in ("today", "proposed", "difference")]]
    basis = f" Basis: {_e(str(told['basis']))}" if told.get("basis") else ""
    return f"{_rows(['Today', 'Proposed', 'Difference'], [True] * 3, rows)}\n\n**{_e(words)}.** {_e(certainty(told))}{basis}"


def _chart(chart: p.Chart) -> str:
    found = _DESC.search(chart.svg)
    told = _e(unescape(found[1])) if found else ""
    return " ".join(t for t in (f"**{_e(chart.title)}** (picture in report.html).", _e(chart.caption), told) if t)


def _table(block: p.TableBlock) -> str:
    grid = block.grid
    title = f"### {_e(block.title)}\n\n" if block.title else ""
    note = f"{_e(block.note)}\n\n" if block.note else ""
    if not grid.rows:
        return f"{title}{note}No rows."
    rows = grid.rows[:ROWS]
    more = f"\n\nFirst {len(rows):,} of {grid.total:,} rows." if len(rows) < grid.total else ""
    return f"{title}{note}{_rows([h.label for h in grid.heads], [h.right for h in grid.heads], rows)}{more}"


def _findings(block: p.Findings) -> str:
    if not block.rows:
        return "No findings."
    rows = [
        [
            str(f.get("severity", "")),
            (f"{f['stage']}: " if f.get("stage") else "") + str(f.get("entity", "")),
            str(f.get("message", "")),
            "" if figure(f.get("money")) is None else money(f.get("money"), f.get("currency")),
        ]
        for f in block.rows
    ]
    more = f"\n\n{len(block.rows):,} of {of(block.total, 'finding')}." if block.total > len(block.rows) else ""
    return _rows(["Severity", "What", "Finding", "Money"], [False, False, False, True], rows) + more


def _rows(heads: Sequence[str], right: Sequence[bool], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---:" if r else "---" for r in right]]
    told = ["| " + " | ".join(_e(c) if i != 1 else c for c in line) + " |" for i, line in enumerate([*lines, *rows])]
    return "\n".join(told)


def _e(text: str) -> str:
    """Text that Markdown and the HTML inside it leave alone."""
    flat = " ".join(plain(text).split())
    return _SPECIAL.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
