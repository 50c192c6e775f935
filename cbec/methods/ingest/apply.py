"""A layout applied to an export: typed cells, derived columns, cleaning rules, canonical tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from cbec import tables
from cbec.core import check
from cbec.core.contract import Column
from cbec.core.errors import InputRejected, UsageFault, did_you_mean
from cbec.core.files import FILE, ROW, Raw, Source
from cbec.methods.ingest.layout import PROVENANCE, Layout, Target, first_line

if TYPE_CHECKING:
    from cbec.core.check import Checked
    from cbec.core.command import Common

_FILE, _ROW = PROVENANCE
GIVEN = "order_lines"
"""The table that `given` values go into."""


@dataclass(frozen=True)
class Tally:
    """What one cleaning rule left out: rows, their money per currency (empty where the layout tells none), the first row."""

    rule: str
    message: str
    rows: int
    money: Mapping[str, float]
    first: str


@dataclass(frozen=True)
class Applied:
    """An export after its layout.

    typed: good rows under the names of the layout, derived columns included, before any rule.
    cut: rows later than `as_of`. kept: rows the tables stand on.
    removed: layout, file, row, rule, amount, currency of each row that a rule left out.
    """

    checked: Checked
    typed: pl.DataFrame
    cut: int
    kept: int
    tables: Mapping[str, pl.DataFrame]
    removed: pl.DataFrame
    tallies: Sequence[Tally]


def given(text: str, layout: Layout) -> dict[str, str]:
    """Columns of order_lines and their values, of `seller_country=DE|ship_from=CN`.

    Raises UsageFault for a part that is not of this form, a column that order_lines does not have, or a layout that
    makes no order lines.
    """
    names, told = tables.get(GIVEN).names, {}
    for part in filter(None, (p.strip() for p in text.split("|"))):
        name, sign, value = (p.strip() for p in part.partition("="))
        if not sign or not value or name not in names:
            near = did_you_mean(name, names) if name not in names else ""
            raise UsageFault(
                f'--given: "{part}" is no column of {GIVEN} and its value{near}',
                hint="write column=value, several with | between them, e.g. seller_country=DE|ship_from=CN",
            )
        told[name] = value
    if told and all(target.table != GIVEN for target in layout.targets):
        raise UsageFault(f"--given: the layout {layout.name} makes no {GIVEN}")
    return told


def run(layout: Layout, raw: Raw, common: Common, told: Mapping[str, str] | None = None) -> Applied:
    """Apply `layout` to an export. told: values of columns of order_lines where the export does not tell them.

    Raises InputRejected where the export lacks a column of the layout, or where a table made of it breaks its
    contract; UsageFault where an expression does not fit the data. Cells that do not parse are in `checked`: the
    caller decides what share of them is borne.
    """
    typed, checked = parse(layout, raw, common)
    known = typed
    if common.as_of is not None and layout.time is not None:
        day = _evaluate(layout, typed, "time", pl.col(layout.time).cast(pl.Date))
        known = typed.filter(day.le(common.as_of).fill_null(True))
    kept, removed, tallies = clean(layout, known)
    made = {t.table: make(layout, t, kept, common, (told or {}) if t.table == GIVEN else {}) for t in layout.targets}
    return Applied(checked, typed, typed.height - known.height, kept.height, made, removed, tallies)


def parse(layout: Layout, raw: Raw, common: Common) -> tuple[pl.DataFrame, Checked]:
    """Typed cells by the layout's own contract, maps applied, derived columns added, provenance as `file` and `row`."""
    # Provenance goes through the check as two more columns, so that it stays beside the rows that are good.
    at = (Column("cbec row's file", "text"), Column("cbec row's number", "int"))
    contract = dataclasses.replace(layout.contract, columns=(*layout.contract.columns, *at))
    marked = dataclasses.replace(
        raw,
        frame=raw.frame.with_columns(pl.col(FILE).alias(at[0].name), pl.col(ROW).alias(at[1].name)),
        headers={file: [*names, at[0].name, at[1].name] for file, names in raw.headers.items()},
    )
    checked = usable(check.check(contract, marked, _dialect(layout, common)))
    frame = checked.good.rename({**layout.names, at[0].name: _FILE, at[1].name: _ROW})
    frame = frame.with_columns(
        pl.col(name).replace_strict(dict(values), default=None, return_dtype=pl.String)
        for name, values in layout.maps.items()
    )
    for name, expression in layout.derived.items():
        frame = frame.with_columns(_evaluate(layout, frame, f"derived.{name}", expression).alias(name))
    return frame, checked


def usable(checked: Checked) -> Checked:
    """What was checked, unless the table as a whole was refused (a missing column, dates of unknown order)."""
    if checked.whole:
        faults = "1 fault" if checked.total == 1 else f"{checked.total} faults"
        raise InputRejected(f"{checked.table}: {faults} in the input", checked.faults, total=checked.total)
    return checked


def _dialect(layout: Layout, common: Common) -> Common:
    """What the layout knows of dates and numbers holds where the person said nothing."""
    unsaid = {k: v for k, v in layout.dialect.items() if getattr(common, k) in (None, "auto")}
    return dataclasses.replace(common, **unsaid)  # type: ignore[arg-type]


def clean(layout: Layout, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, list[Tally]]:
    """Rules in order: (rows kept, rows removed, a tally per rule). An empty truth value keeps the row."""
    worth = pl.lit(None, pl.Decimal(38, 6)), pl.lit(None, pl.String)
    if layout.amount is not None and layout.currency is not None:
        amount = _evaluate(layout, frame, "money.amount", layout.amount.cast(pl.Decimal(38, 6)))
        currency = _evaluate(layout, frame, "money.currency", layout.currency.cast(pl.String))
        worth = pl.lit(amount), pl.lit(currency)
    frame = frame.with_columns(worth[0].alias("__amount"), worth[1].alias("__currency"))
    parts = [_listed(layout, "", frame.clear())]
    tallies: list[Tally] = []
    for rule in layout.rules:
        hit = _evaluate(layout, frame, f"rules.{rule.name}.remove", rule.remove)
        if hit.dtype != pl.Boolean:
            raise UsageFault(f"layout {layout.name}: rules.{rule.name}.remove: is {hit.dtype}, must be true or false")
        hit = hit.fill_null(False)
        gone = _listed(layout, rule.name, frame.filter(hit))
        tallies.append(_tally(rule.name, rule.message, gone))
        parts.append(gone)
        frame = frame.filter(~hit)
    return frame.drop("__amount", "__currency"), pl.concat(parts), tallies


def _listed(layout: Layout, rule: str, gone: pl.DataFrame) -> pl.DataFrame:
    return gone.select(
        pl.lit(layout.name).alias("layout"),
        _FILE,
        _ROW,
        pl.lit(rule).alias("rule"),
        pl.col("__amount").alias("amount"),
        pl.col("__currency").alias("currency"),
    )


def _tally(rule: str, message: str, gone: pl.DataFrame) -> Tally:
    money = gone.drop_nulls("currency").group_by("currency").agg(pl.col("amount").sum()).sort("currency")
    first = gone.sort(_FILE, _ROW).head(1)
    place = f"{first[_FILE][0]} row {first[_ROW][0]}" if first.height else ""
    return Tally(rule, message, gone.height, {c: float(v) for c, v in money.iter_rows()}, place)


def make(
    layout: Layout, target: Target, kept: pl.DataFrame, common: Common, told: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """One canonical table, checked by its contract: typed, with the columns that the layout gives and those of `told`.

    Faults name the file and row of the export (for a group: of its first line).
    """
    place = f"tables.{target.table}"
    lines = kept
    if target.where is not None:
        lines = lines.filter(_evaluate(layout, lines, f"{place}.where", target.where).fill_null(False))
    if target.order_by:
        lines = lines.sort(target.order_by, maintain_order=True)
    if target.group_by:
        frame = _grouped(layout, target, lines)
    else:
        cells = [
            _evaluate(layout, lines, f"{place}.select.{name}", expression).alias(name)
            for name, expression in target.select.items()
        ]
        frame = pl.DataFrame(cells).with_columns(lines[_FILE].alias(FILE), lines[_ROW].alias(ROW))
    # A column of nothing but NULL has no type; to the contract it is the same as absent.
    frame = frame.drop(n for n, kind in frame.schema.items() if kind == pl.Null)
    frame = _filled(frame, told or {})
    contract = tables.get(target.table)
    names = [n for n in contract.names if n in frame.columns]
    source = Source(layout.name, 0, None, frame.height, "utf-8", "layout")
    outcome = check.check(contract, Raw(frame, [source], {layout.name: names}), common)
    if outcome.total:
        faults = "1 fault" if outcome.total == 1 else f"{outcome.total} faults"
        raise InputRejected(
            f"layout {layout.name}: {faults} in the table {target.table} that it makes of this export",
            outcome.faults,
            hint="mend the rows, or let a rule of the layout leave them out",
            total=outcome.total,
        )
    return outcome.good.select(names)


def _filled(frame: pl.DataFrame, told: Mapping[str, str]) -> pl.DataFrame:
    """Empty cells, and columns that are not there, as told; as text, so that the contract reads the value as it would a file's."""
    cells = [
        (pl.col(name).cast(pl.String).fill_null(value) if name in frame.columns else pl.lit(value)).alias(name)
        for name, value in told.items()
    ]
    return frame.with_columns(cells)


def figures(made: Mapping[str, pl.DataFrame]) -> dict[str, float | int | str | None]:
    """Named figures of the tables made: lines, units, days and SKUs, what was sold apart from what came back."""
    told: dict[str, float | int | str | None] = {}
    if "order_lines" in made:
        qty = made["order_lines"]["qty"]
        told |= {"lines_sold": int((qty > 0).sum()), "lines_returned": int((qty < 0).sum())}
    if "sales" in made:
        sales = made["sales"]
        sold = sales.filter(pl.col("units") > 0)
        days = sold["date"].cast(pl.Date)
        first, last = days.min(), days.max()
        told |= {
            "units_sold": float(sold["units"].sum()),
            "units_returned": -float(sales.filter(pl.col("units") < 0)["units"].sum()),
            "skus_sold": sold["sku"].n_unique(),
            "first_day": None if first is None else str(first),
            "last_day": None if last is None else str(last),
            "days": 0 if sold.is_empty() else pl.select(pl.lit(last) - pl.lit(first)).item().days + 1,
        }
    return told


def _grouped(layout: Layout, target: Target, lines: pl.DataFrame) -> pl.DataFrame:
    place = f"tables.{target.table}.select"
    keys = [_evaluate(layout, lines, f"{place}.{n}", target.select[n]).alias(f"__by_{n}") for n in target.group_by]
    groups = lines.hstack(keys).group_by([k.name for k in keys], maintain_order=True)
    figures = {n: e.alias(n) for n, e in target.select.items() if n not in target.group_by}
    try:
        frame = groups.agg(pl.col(_FILE).first().alias(FILE), pl.col(_ROW).first().alias(ROW), *figures.values())
    except pl.exceptions.PolarsError:
        # Each by itself, to name the one that is wrong.
        for name, figure in figures.items():
            with _told(layout, f"{place}.{name}"):
                groups.agg(figure)
        raise
    for name in figures:
        if frame.schema[name] == pl.List:
            raise UsageFault(
                f"layout {layout.name}: {place}.{name}: gives many values per group; take SUM, FIRST, LAST, MAX ... of them"
            )
    return frame.rename({k.name: k.name.removeprefix("__by_") for k in keys})


def _evaluate(layout: Layout, frame: pl.DataFrame, place: str, expression: pl.Expr) -> pl.Series:
    """A column of the frame's height; one at a time, so that a fault names its key."""
    with _told(layout, place):
        # with_columns, since it broadcasts an expression that is one constant.
        return frame.with_columns(expression.alias("__value"))["__value"]


@contextmanager
def _told(layout: Layout, place: str) -> Iterator[None]:
    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise UsageFault(
            f"layout {layout.name}: {place}: {first_line(error)}",
            hint="TRY_CAST(x AS kind) gives an empty cell where a value does not convert",
        ) from error
