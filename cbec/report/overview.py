"""The page of a pipeline's run: money of every stage, the gravest findings, the chain, and the way to each report.

`run`: {"title", "as_of"?, "status", "stages": [stage, ...]}; a stage: "name", "command", "status" (exit status or None),
"state" or "status_text" (run, unchanged, failed, not run ...), "reason"? (why), "needs"? (names of stages before it),
"report"? (its folder or report.html, relative to the index), "summary"? (its summary.json; else read from that folder).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbec.core.staging import Staging
from cbec.report import html, markdown
from cbec.report.format import clip, figure, money, of, plain, verdict
from cbec.report.page import Figure, Grid, Head, Link, Page, TableBlock
from cbec.report.parts import SIZE, fill, lettering, opening, px, safe, stroke

_TOP = 20
_SEVERITY = ("high", "warn", "info")
_WIDE, _TALL, _GAP = 190.0, 62.0, 38.0


@dataclass(frozen=True)
class Stage:
    """One stage as the page tells it. mark says in a sign what the colour says."""

    name: str
    command: str
    state: str
    reason: str
    tone: str
    mark: str
    needs: tuple[str, ...]
    link: str | None
    summary: Mapping[str, Any] = field(default_factory=dict)


def write(folder: Path, run: Mapping[str, Any]) -> None:
    """index.html and index.md in `folder`."""
    page = compose(Path(folder), run)
    with Staging() as staging:
        staging.write(Path(folder) / "index.html", html.render(page).encode("utf-8", "replace"))
        staging.write(Path(folder) / "index.md", markdown.render(page).encode("utf-8", "replace"))


def compose(folder: Path, run: Mapping[str, Any]) -> Page:
    """The page of a run whose stages left their reports under `folder`."""
    stages = [_stage(folder, told, i, run["stages"]) for i, told in enumerate(run["stages"])]
    dates = sorted({str(s.summary["as_of"]) for s in stages if s.summary.get("as_of")})
    as_of = str(run.get("as_of") or (dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else ""))
    failed = [s.name for s in stages if s.tone == "orange"]
    outcome = f"{of(len(stages), 'stage')}, exit status {run.get('status', 0)}"
    outcome += (
        f"; failed: {', '.join(failed)}"
        if failed
        else "; every stage is done"
        if all(s.tone != "grey" for s in stages)
        else ""
    )
    page = Page(str(run.get("title") or "Run"), "cbec run" + (f" · as of {as_of}" if as_of else ""), outcome)
    _money(page, stages)
    found = _findings(stages)
    page.section("Findings", ", ".join(f"{n:,} {level}" for level, n in _counts(stages).items() if n))
    page.findings(found[:_TOP], max(len(found), sum(_counts(stages).values())))
    page.section("The chain")
    page.chart(
        chain(stages),
        "",
        "Each box a stage, arrows from what it reads. ✓ done, ! findings met the limit, ✗ failed, – not run.",
    )
    heads = [Head("Stage"), Head("Command"), Head("State"), Head("Outcome", long=True), Head("Findings", right=True)]
    rows = [[s.name, s.command, f"{s.mark} {s.state}", _outcome(s), f"{_total(s):,}"] for s in stages]
    page.blocks.append(TableBlock(Grid(heads, rows, len(rows)), ""))
    page.section("Reports")
    page.links([Link(f"{s.name}: {s.command}", s.link) for s in stages if s.link])
    if not any(s.link for s in stages):
        page.text("No stage left a report.")
    return page


def _stage(folder: Path, told: Mapping[str, Any], at: int, every: list[Mapping[str, Any]]) -> Stage:
    status = told.get("status")
    state = str(
        told.get("state")
        or told.get("status_text")
        or ("skipped" if told.get("skipped") else "done" if status == 0 else "failed")
    )
    bad = state == "failed" or status not in (None, 0, 1)
    idle = not bad and (status is None or state == "not run")
    tone, mark = (
        ("orange", "✗") if bad else ("grey", "–") if idle else ("ochre", "!") if status == 1 else ("green", "✓")
    )
    place = told.get("report")
    link = None
    if place:
        link = str(place) if str(place).endswith(".html") else f"{place}/report.html"
        link = link.replace("\\", "/")
    known = bool(link) and not bad and not idle and (folder / str(link)).is_file()
    summary = told.get("summary") or (_summary(folder / str(link)) if known else {})
    # What a failed stage left is an older run's.
    needs = told.get("needs", told.get("after"))
    before = [str(every[at - 1]["name"])] if needs is None and at else list(needs or [])
    given = {k: told[k] for k in ("money", "headline", "findings") if told.get(k)}
    return Stage(
        str(told["name"]), str(told.get("command", "")), state, str(told.get("reason") or ""), tone, mark,
        tuple(str(n) for n in before), link if known else None, {} if bad or idle else {**given, **summary},
    )  # fmt: skip


def _summary(report: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(report.with_name("summary.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _money(page: Page, stages: list[Stage]) -> None:
    """Landed profit where a stage tells it, then one row per stage with a headline.

    The rows are not added up: some are costs, some are risks, and stages may count the same money.
    """
    profit = next((s for s in stages if s.command == "settle profit" and s.summary.get("metrics")), None)
    told = [(s, s.summary["money"]) for s in stages if figure((s.summary.get("money") or {}).get("today")) is not None]
    if profit is None and not told:
        page.lead({"reason": "no stage of this run told of money"})
        return
    page.section("Money")
    if profit is not None:
        page.figures(_profit(profit.summary["metrics"]))
    if told:
        page.blocks.append(TableBlock(_headlines(told), "What the stages propose", _NOT_ADDED))


_NOT_ADDED = "The rows are not added up: some are costs, some risks, and stages may count the same money."
_COSTS = ("goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud", "fx")


def _profit(metrics: Mapping[str, Any]) -> list[Figure | None]:
    currency = str(metrics.get("currency") or "")
    profit, margin = figure(metrics.get("profit")), figure(metrics.get("margin_pct"))
    partly = [c for c in _COSTS if (figure(metrics.get(f"told_{c}")) or 0.0) < 1]
    largest = sorted(_COSTS, key=lambda c: -(figure(metrics.get(c)) or 0.0))[:3]
    share = "" if margin is None else f"{margin:.1f} % of revenue, costs told by the tables"
    return [
        Figure(
            "Landed profit", money(profit, currency), share, "" if profit is None else "good" if profit > 0 else "bad"
        ),
        Figure("Revenue", money(metrics.get("revenue"), currency), "without tax, before returns"),
        Figure("Largest costs", ", ".join(largest), ", ".join(money(metrics.get(c), currency) for c in largest)),
        Figure(
            "Not fully told", f"{len(partly)} of {len(_COSTS)} kinds", ", ".join(partly), "bad" if partly else "good"
        ),
    ]


def _headlines(told: list[tuple[Stage, Mapping[str, Any]]]) -> Grid:
    heads = [
        Head("Stage"),
        *(Head(h, right=True) for h in ("Today", "Proposed")),
        Head("Difference"),
        Head("90 % range", right=True),
        Head("Basis", long=True),
    ]
    rows = []
    for stage, m in told:
        currency = str(m.get("currency") or "")
        low, high = figure(m.get("low")), figure(m.get("high"))
        span = "not estimated" if low is None or high is None else f"{money(low, None)} to {money(high, None)}"
        amounts = [money(m.get(k), currency) for k in ("today", "proposed")]
        rows.append([stage.name, *amounts, verdict(m)[1], span, str(m.get("basis") or "")])
    return Grid(heads, rows, len(rows))


def _findings(stages: list[Stage]) -> list[dict[str, Any]]:
    every = [{**f, "stage": s.name} for s in stages for f in s.summary.get("top_findings") or []]

    def weight(told: Mapping[str, Any]) -> tuple[int, float, str, str]:
        level = str(told.get("severity"))
        rank = _SEVERITY.index(level) if level in _SEVERITY else len(_SEVERITY)
        return rank, -abs(figure(told.get("money")) or 0.0), str(told["stage"]), str(told.get("finding_id"))

    return sorted(every, key=weight)


def _counts(stages: list[Stage]) -> dict[str, int]:
    return {level: sum(int((s.summary.get("findings") or {}).get(level, 0)) for s in stages) for level in _SEVERITY}


def _total(stage: Stage) -> int:
    return sum(int(n) for n in (stage.summary.get("findings") or {}).values())


def _outcome(stage: Stage) -> str:
    return str(stage.summary.get("headline") or stage.reason or "")


def chain(stages: list[Stage], size: float = 1060) -> str:
    """Stages as boxes, in columns by how many stages stand before them; a chain too long for a line goes on below."""
    names = {s.name for s in stages}
    depth: dict[str, int] = {}
    for stage in stages:  # the order given is the order of running, so that those before have their depth
        depth[stage.name] = max((depth[n] + 1 for n in stage.needs if n in depth), default=0)
    columns = int((size + _GAP) // (_WIDE + _GAP))
    spots: dict[str, tuple[float, float]] = {}
    top = 4.0
    for first in range(0, max(depth.values(), default=0) + 1, columns):
        tallest = 0
        for column in range(first, first + columns):
            members = [s.name for s in stages if depth[s.name] == column]
            tallest = max(tallest, len(members))
            for row, member in enumerate(members):
                spots[member] = (1 + (column - first) * (_WIDE + _GAP), top + row * (_TALL + 16))
        top += tallest * (_TALL + 16) + 8
    told = "; ".join(f"{s.name} ({s.command}): {s.state}" for s in stages)
    out = [opening("The chain of stages", told or "No stages.", size, max(top, 20.0))]
    for stage in stages:
        x, y = spots[stage.name]
        for before in (n for n in stage.needs if n in names and n in spots):
            a, b = spots[before]
            out.append(
                _arrow(a + _WIDE, b + _TALL / 2, x, y + _TALL / 2)
                if a < x
                else _arrow_down(a + _WIDE / 2, b + _TALL, x + _WIDE / 2, y)
            )
    out += [_box(s, *spots[s.name]) for s in stages]
    return "".join(out) + "</svg>"


def _box(stage: Stage, x: float, y: float) -> str:
    room = (_WIDE - 24) / SIZE
    note = f"<title>{safe(f'{stage.name}: {stage.state}. {stage.reason}')}</title>"
    box = f'<rect x="{px(x)}" y="{px(y)}" width="{px(_WIDE)}" height="{px(_TALL)}" rx="4" class="box s-{stage.tone}" fill="#fff" {stroke(stage.tone).split(" ", 1)[1]} stroke-width="1.5">{note}</rect>'
    bar = f'<rect x="{px(x)}" y="{px(y)}" width="5" height="{px(_TALL)}" {fill(stage.tone)}/>'
    return (
        box + bar + lettering(x + 14, y + 19, clip(stage.name, room), full=stage.name).replace("<text", '<text font-weight="600"', 1)
        + lettering(x + 14, y + 35, clip(stage.command, room), tone="soft") + lettering(x + 14, y + 51, clip(f"{stage.mark} {plain(stage.state)}", room))
    )  # fmt: skip


def _arrow(a: float, b: float, x: float, y: float) -> str:
    middle = x - _GAP / 2
    return f'<path {stroke("soft")} fill="none" d="M{px(a)},{px(b)}H{px(middle)}V{px(y)}H{px(x - 2)}m-5,-4l5,4l-5,4"/>'


def _arrow_down(a: float, b: float, x: float, y: float) -> str:
    middle = y - 8
    return f'<path {stroke("soft")} fill="none" d="M{px(a)},{px(b)}V{px(middle)}H{px(x)}V{px(y - 1)}m-4,-5l4,5l4,-5"/>'
