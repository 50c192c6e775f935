"""Order lines for tax tests, and an oracle that computes one line at a time with Python's decimal module."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from cbec import compliance, tables
from cbec.methods.compliance import packs
from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.cells import frame
from cbec.methods.compliance.tax import compute

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.command import Result
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.rules import Pack

MONEY = ("intrinsic_value", "customs_value", "duty", "tax_base", "tax", "other_charges", "total")


@cache
def packaged() -> tuple[Pack, ...]:
    return tuple(packs.load())


@cache
def judged() -> Result:
    """What `compliance test` says of the packaged cases: worked out once, since it takes long."""
    return compliance.rule_test(s=compliance.RuleTest())


@cache
def book(as_of: date | None = None) -> Rulebook:
    return rulebook(packaged(), as_of)


def order_lines(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A table order_lines; each row needs what differs from one piece of article A in euros to a consumer."""
    basic = {"line": "1", "sku": "A", "qty": 1, "currency": "EUR", "buyer_type": "B2C"}
    numbers = {c.name for c in tables.get("order_lines").columns if c.kind == "decimal"}
    full = [basic | {"order_id": f"O{i}"} | row for i, row in enumerate(rows)]
    typed = [{k: Decimal(str(v)) if k in numbers and v is not None else v for k, v in row.items()} for row in full]
    return frame(typed, tables.get("order_lines"))


def rates(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return frame(rows, tables.get("rates"))


def tariff(*rows: dict[str, Any]) -> pl.DataFrame:
    """A table tariff; each row needs hs_code and duty, the rest is the ordinary duty of the Union since 2020."""
    basic = {"jurisdiction": "EU", "measure": "mfn", "valid_from": date(2020, 1, 1)}
    return frame([basic | row for row in rows], tables.get("tariff"))


def taxed(
    rows: list[dict[str, Any]], fixings: pl.DataFrame | None = None, rules: Rulebook | None = None, **more: Any
) -> list[dict[str, Any]]:
    """The tax table of these lines, a dict per line, in their order."""
    return compute(order_lines(rows), None, fixings, rules or book(), **more).to_dicts()


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)
