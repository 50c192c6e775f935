"""A page as one HTML file: style and pictures inside, no script, nothing fetched, every text escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cbec.report import page as p
from cbec.report import svg
from cbec.report.format import NOTHING, certainty, figure, money, of, plain, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The browser itself refuses whatever a slip of ours might want to load.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
SEVERITY = {"high": "▲", "warn": "●", "info": "○"}
NO_BREAK = "\u00a0"
_LONG = 13  # characters of a tile's figure from which it is written smaller


def render(page: p.Page) -> str:
    """The file's text."""
    body = "\n".join(_block(b) for b in page.blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">\n'
        f"<title>{_e(page.title)} · cbec</title>\n<style>\n{style()}</style>\n</head>\n<body>\n<header>\n"
        + (f'<p class="eyebrow">{_e(page.eyebrow)}</p>\n' if page.eyebrow else "")
        + f"<h1>{_e(page.title)}</h1>\n"
        + (f'<p class="headline">{_e(page.headline)}</p>\n' if page.headline else "")
        + f"{_contents(page)}</header>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def style() -> str:
    """The style sheet that ships beside this module."""
    return Path(__file__).with_name("style.css").read_text("utf-8")


def _contents(page: p.Page) -> str:
    sections = [b for b in page.blocks if isinstance(b, p.Section)]
    links = " ".join(f'<a href="#{s.anchor}">{_e(s.title)}</a>' for s in sections)
    return f"<nav>{links}</nav>\n" if len(sections) > 2 else ""


def _block(block: p.Block) -> str:
    match block:
        case p.Lead():
            return _lead(block.money)
        case p.Tiles():
            return f'<div class="tiles">{"".join(_tile(f) for f in block.figures)}</div>'
        case p.Section():
            note = f'<p class="note">{_e(block.note)}</p>' if block.note else ""
            return f'<h2 id="{block.anchor}">{_e(block.title)}</h2>{note}'
        case p.Text():
            if block.listed:
                return "<ul>" + "".join(f"<li>{_e(line)}</li>" for line in block.lines) + "</ul>"
            return "".join(f"<p>{_e(line)}</p>" for line in block.lines)
        case p.Chart():
            return _figure(block)
        case p.Charts():
            head = f"<h3>{_e(block.title)}</h3>" if block.title else ""
            caption = f'<p class="note">{_e(block.caption)}</p>' if block.caption else ""
            legend = f"<figure>{block.legend}</figure>" if block.legend else ""
            # A picture of its own keeps the width it was drawn in.
            kind = ' class="multiples"' if len(block.charts) > 1 else ""
            return f"{head}{caption}{legend}<div{kind}>{''.join(_figure(c) for c in block.charts)}</div>"
        case p.TableBlock():
            return _table(block)
        case p.Findings():
            return _findings(block)
        case p.Links():
            made = (f'<li><a href="{_e(quote(k.target, safe="/#"))}">{_e(k.text)}</a></li>' for k in block.links)
            return f"<ul>{''.join(made)}</ul>"


def _lead(told: Mapping[str, Any]) -> str:
    if "reason" in told or "today" not in told:
        return (
            f'<p class="calm"><b>No money figure:</b> {_e(str(told.get("reason", "none was computed")))}.</p>'.replace(
                "..", "."
            )
        )
    currency = told.get("currency")
    tone, words = verdict(told)
    tiles = (
        p.Figure("Today", money(told.get("today"), currency)),
        p.Figure("Proposed", money(told.get("proposed"), currency)),
        p.Figure("Difference", money(told.get("difference"), currency), words, tone),
    )
    low, high, middle = figure(told.get("low")), figure(told.get("high")), figure(told.get("difference"))
    drawn = ""
    if low is not None and high is not None and middle is not None and low != high:
        picture = svg.interval("90 % range of the difference", low, middle, high, write=lambda v: money(v, None))
        drawn = f'<figure class="range">{picture}</figure>'
    basis = f'<p class="note">Basis: {_e(str(told["basis"]))}</p>' if told.get("basis") else ""
    return (
        f'<section class="money"><div class="tiles">{"".join(_tile(t) for t in tiles)}</div>'
        f"<p>{_e(certainty(told))}</p>{drawn}{basis}</section>"
    )


def _tile(tile: p.Figure) -> str:
    note = f'<div class="said">{_e(tile.note)}</div>' if tile.note else ""
    tone = f" {tile.tone}" if tile.tone else ""
    small = " small" if len(tile.value) > _LONG else ""
    return f'<div class="tile{tone}"><div class="what">{_e(tile.label)}</div><div class="value{small}">{_e(tile.value.replace(" ", NO_BREAK))}</div>{note}</div>'


def _figure(chart: p.Chart) -> str:
    title = f"<b>{_e(chart.title)}</b>" if chart.title else ""
    caption = f"<span>{_e(chart.caption)}</span>" if chart.caption else ""
    return f"<figure><figcaption>{title}{caption}</figcaption>{chart.svg}</figure>"


def _table(block: p.TableBlock) -> str:
    grid = block.grid
    notes = [block.note] if block.note else []
    if len(grid.rows) < grid.total:
        notes.append(f"First {len(grid.rows):,} of {grid.total:,} rows; the files beside this report hold all.")
    if grid.hidden:
        notes.append(f"Without any value, so not shown: {', '.join(grid.hidden)}.")
    title = f"<h3>{_e(block.title)}</h3>" if block.title else ""
    note = f'<p class="note">{_e(" ".join(notes))}</p>' if notes else ""
    if not grid.rows:
        return f'{title}{note}<p class="calm">No rows.</p>'
    heads = "".join(_head(h) for h in grid.heads)
    classes = [" ".join(w for w, on in (("n", h.right), ("long", h.long), ("d", h.dated)) if on) for h in grid.heads]
    openings = [_opening(c) for c in classes]
    rows = "\n".join(
        f"<tr>{''.join(f'{o}{_e(c)}</td>' for o, c in zip(openings, row, strict=True))}</tr>" for row in grid.rows
    )
    dense = " class=dense" if len(grid.heads) >= p.MANY else ""
    return (
        f'{title}{note}<div class="scroll" tabindex="0" role="region" aria-label="{_e(block.title or "table")}">'
        f"<table{dense}><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table></div>"
    )


def _opening(classes: str) -> str:
    # One word needs no quotes, and cells are what a report has most of.
    return "<td>" if not classes else f'<td class="{classes}">' if " " in classes else f"<td class={classes}>"


def _head(head: p.Head) -> str:
    hint = f' title="{_e(head.hint)}"' if head.hint else ""
    return f'<th scope="col"{" class=n" if head.right else ""}{hint}>{_e(head.label)}</th>'


def _findings(block: p.Findings) -> str:
    if not block.rows:
        return '<p class="calm">No findings.</p>'
    more = f'<p class="note">{len(block.rows):,} of {of(block.total, "finding")}, the gravest first.</p>'
    more = more if block.total > len(block.rows) else ""
    with_money = any(figure(f.get("money")) is not None for f in block.rows)
    rows = "\n".join(_finding(f, with_money) for f in block.rows)
    heads = '<th scope="col">Severity</th><th scope="col">What</th><th scope="col">Finding</th>'
    return (
        f'{more}<div class="scroll" tabindex="0" role="region" aria-label="findings"><table class="findings"><thead><tr>{heads}'
        + ('<th scope="col" class="n">Money</th>' if with_money else "")
        + f"</tr></thead><tbody>\n{rows}\n</tbody></table></div>"
    )


def _finding(told: Mapping[str, Any], with_money: bool) -> str:
    level = str(told.get("severity"))
    badge = f'<span class="badge {_e(level)}">{SEVERITY.get(level, "")} {_e(level)}</span>'
    amount = figure(told.get("money"))
    worth = (
        f'<td class="n">{_e(NOTHING if amount is None else money(amount, told.get("currency")))}</td>'
        if with_money
        else ""
    )
    stage = f'<span class="soft">{_e(str(told["stage"]))} · </span>' if told.get("stage") else ""
    return (
        f"<tr><td>{badge}</td><td>{stage}{_e(str(told.get('entity', '')))}</td>"
        f'<td class="long">{_e(str(told.get("message", "")))} <span class="soft">{_e(str(told.get("rule", "")))}</span></td>{worth}</tr>'
    )


def _e(text: str) -> str:
    return escape(plain(text))


__all__: Sequence[str] = ["SEVERITY", "render", "style"]
