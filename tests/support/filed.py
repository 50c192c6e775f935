"""Returns of a few order lines: taxed by the packaged rules, then filed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cbec import tables
from cbec.methods.compliance import filing, filing_rules, periods
from cbec.methods.compliance.cells import frame
from cbec.methods.compliance.tax import compute
from support.taxed import book, order_lines, packaged

if TYPE_CHECKING:
    import polars as pl

    from cbec.methods.compliance.filing import Filing
    from cbec.methods.compliance.returns import Return, Row

D = Decimal
HOME = {"ship_from": "DE", "date": date(2026, 7, 10), "seller_country": "DE", "price_includes_tax": False}
OSS_DE = {"scheme": "OSS", "country": "DE", "number": "DE123456789"}
IOSS = {"scheme": "IOSS", "country": "DE", "number": "IM2760000000"}


def registrations(*rows: dict[str, Any]) -> pl.DataFrame:
    return frame(rows, tables.get("registrations"))


def purchases(*rows: dict[str, Any]) -> pl.DataFrame:
    basic = {"document": "P1", "country": "GB", "kind": "purchase", "currency": "GBP", "date": date(2026, 7, 1)}
    typed = [{k: D(str(v)) if k in ("net", "tax") else v for k, v in (basic | row).items()} for row in rows]
    return frame(typed, tables.get("purchase_tax"))


def filed(
    rows: list[dict[str, Any]],
    period: str = "2026-Q3",
    *,
    held: pl.DataFrame | None = None,
    bought: pl.DataFrame | None = None,
    rates: pl.DataFrame | None = None,
) -> Filing:
    lines = order_lines(rows)
    tax = compute(lines, None, rates, book())
    return filing.file(tax, lines, packaged(), filing_rules.returns(), periods.parse(period), held, bought, rates)


def named(made: Filing, name: str) -> Return:
    """The return of that name (rule and period)."""
    return next(r for r in made.returns if r.id == name)


def entries(one: Return) -> dict[tuple[str | None, ...], Row]:
    """Its rows by (box, country, dispatch, corrected)."""
    return {(r.box, r.country, r.dispatch, r.corrected): r for r in one.rows}


def dispositions(made: Filing) -> list[str]:
    return made.lines.sort("order_id", "line")["disposition"].to_list()
