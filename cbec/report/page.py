"""A report as plain blocks; `html.render` and `markdown.render` write them. Money stands first, the making last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cbec.report.format import NOTHING, day, digits_for, figure, label, number, percent, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from cbec.core.contract import Column

ROWS = 200
_LONG = 60  # characters from which a text column may wrap
MANY = 10  # columns from which a table is set closer, and more of its text columns may wrap
_LONG_OF_MANY = 20
Format = Literal["percent", "money", "text", "words"]
"""words: codes as words, `bulk_capped|returns` -> `bulk capped, returns`."""


@dataclass(frozen=True)
class Figure:
    """A tile: one number and what it means. tone: good, bad or nothing; `note` says the same in words."""

    label: str
    value: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Head:
    """A column of a grid."""

    label: str
    hint: str = ""
    right: bool = False
    long: bool = False
    dated: bool = False


@dataclass(frozen=True)
class Grid:
    """A table as text, cut to `rows`; `total` rows there were; `hidden`: columns without any value."""

    heads: list[Head]
    rows: list[list[str]]
    total: int
    hidden: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Lead:
    """The money headline of summary.json."""

    money: Mapping[str, Any]


@dataclass(frozen=True)
class Tiles:
    """Figures side by side."""

    figures: Sequence[Figure]


@dataclass(frozen=True)
class Section:
    """A heading with an anchor."""

    title: str
    anchor: str
    note: str = ""


@dataclass(frozen=True)
class Text:
    """A paragraph, or a list of lines."""

    lines: Sequence[str]
    listed: bool = False


@dataclass(frozen=True)
class Chart:
    """One picture."""

    svg: str
    title: str
    caption: str = ""


@dataclass(frozen=True)
class Charts:
    """Small pictures side by side under one title and legend."""

    charts: Sequence[Chart]
    title: str
    caption: str = ""
    legend: str = ""


@dataclass(frozen=True)
class TableBlock:
    """A table with its title."""

    grid: Grid
    title: str
    note: str = ""


@dataclass(frozen=True)
class Findings:
    """Findings in the order given, of `total`."""

    rows: Sequence[Mapping[str, Any]]
    total: int


@dataclass(frozen=True)
class Link:
    """A file of the same folder tree."""

    text: str
    target: str


@dataclass(frozen=True)
class Links:
    """Files to go on to."""

    links: Sequence[Link]


Block = Lead | Tiles | Section | Text | Chart | Charts | TableBlock | Findings | Links


class Page:
    """What a report says, in order."""

    def __init__(self, title: str, eyebrow: str = "", headline: str = "") -> None:
        self.title, self.eyebrow, self.headline = plain(title), plain(eyebrow), plain(headline)
        self.blocks: list[Block] = []

    def lead(self, money: Mapping[str, Any]) -> None:
        """Money: today, the proposal, the difference, how sure; or the reason why there is none."""
        self.blocks.append(Lead(money))

    def figures(self, figures: Sequence[Figure | None]) -> None:
        """Tiles; None is left out, so that a figure nobody measured takes no place."""
        known = [f for f in figures if f is not None]
        if known:
            self.blocks.append(Tiles(known))

    def section(self, title: str, note: str = "") -> None:
        """A heading."""
        taken = sum(isinstance(b, Section) for b in self.blocks)
        self.blocks.append(Section(title, f"s{taken + 1}", note))

    def text(self, *lines: str, listed: bool = False) -> None:
        """A paragraph per line, or one list."""
        if lines:
            self.blocks.append(Text(lines, listed))

    def chart(self, svg: str, title: str, caption: str = "") -> None:
        """A picture; the caption says what it shows."""
        self.blocks.append(Chart(svg, title, caption))

    def charts(self, charts: Sequence[Chart], title: str = "", caption: str = "", legend: str = "") -> None:
        """Small multiples."""
        if charts:
            self.blocks.append(Charts(charts, title, caption, legend))

    def table(
        self,
        frame: pl.DataFrame,
        title: str,
        *,
        columns: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        formats: Mapping[str, Format] | None = None,
        contract: str | None = None,
        note: str = "",
        cap: int = ROWS,
    ) -> None:
        """The first `cap` rows of a frame. contract: the table whose units and descriptions the columns carry."""
        self.blocks.append(TableBlock(grid(frame, columns, labels, formats, contract, cap), title, note))

    def findings(self, rows: Sequence[Mapping[str, Any]], total: int) -> None:
        """What a person should act on."""
        self.blocks.append(Findings(rows, total))

    def links(self, links: Sequence[Link]) -> None:
        """Where to go on."""
        if links:
            self.blocks.append(Links(links))


@dataclass(frozen=True)
class View:
    """What a page is drawn from."""

    summary: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame]

    def table(self, name: str, *needed: str) -> pl.DataFrame | None:
        """The table if it is there, has rows and the columns needed."""
        frame = self.tables.get(name)
        return frame if frame is not None and frame.height and set(needed) <= set(frame.columns) else None

    def metric(self, *names: str) -> float | None:
        """The first of these metrics that is a number."""
        metrics = self.summary.get("metrics") or {}
        return next((v for v in (figure(metrics.get(n)) for n in names) if v is not None), None)

    @property
    def currency(self) -> str | None:
        """Currency of the money headline."""
        found = (self.summary.get("money") or {}).get("currency")
        return None if found is None else str(found)


def grid(
    frame: pl.DataFrame,
    columns: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    formats: Mapping[str, Format] | None = None,
    contract: str | None = None,
    cap: int = ROWS,
    units: bool = True,
) -> Grid:
    """A frame as text: numbers with the decimals their column deserves, ids verbatim, columns without values left out."""
    labels, formats = labels or {}, formats or {}
    wanted = [c for c in (columns or frame.columns) if c in frame.columns]
    hidden = [c for c in wanted if frame.height and _without_value(frame[c])]
    shown = [c for c in wanted if c not in hidden] or wanted
    known = _contract(contract)
    top = frame.head(cap)
    limit = _LONG if len(shown) < MANY else _LONG_OF_MANY
    heads: list[Head] = []
    cells: list[list[str]] = []
    for name in shown:
        column = known.get(name)
        values = top[name].to_list()
        numeric = frame.schema[name].is_numeric() and formats.get(name) != "text"
        written = _cells(values, numeric, formats.get(name), column)
        unit = f" ({column.unit})" if units and column and column.unit and name not in labels else ""
        unit = "" if column and column.unit and column.unit in label(name) else unit
        long = not numeric and max((len(t) for t in written), default=0) > limit
        hint = column.description if column else ""
        dated = frame.schema[name].is_temporal()
        heads.append(Head((labels.get(name) or label(name)) + unit, hint, numeric, long, dated))
        cells.append(written)
    return Grid(heads, [list(row) for row in zip(*cells, strict=True)], frame.height, hidden)


def _without_value(column: pl.Series) -> bool:
    return column.null_count() == column.len() or (column[0] == "" and column.n_unique() == 1)


def _contract(name: str | None) -> dict[str, Column]:
    if name is None:
        return {}
    from cbec import tables

    found = tables.every().get(name)
    return {} if found is None else {c.name: c for c in found.columns}


def _cells(values: Sequence[object], numeric: bool, style: Format | None, column: Column | None) -> list[str]:
    if style == "percent":
        return [percent(v) for v in values]
    if numeric:
        known = [v for v in (figure(v) for v in values) if v is not None]
        limit = 4 if column is None or column.digits is None else column.digits
        exact = style == "money" or (column is not None and column.kind == "decimal" and limit == 2)
        digits = 2 if exact else digits_for(known, limit)
        return [number(v, digits) for v in values]
    written = [_cell(v) for v in values]
    return [text.replace("_", " ").replace("|", ", ") for text in written] if style == "words" else written


def _cell(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return day(value)
