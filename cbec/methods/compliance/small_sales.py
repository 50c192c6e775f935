"""Distance sales taxed where they are sent from, held against the yearly threshold up to which that is allowed.

A line cannot tell whether its seller's year stays within the threshold: its scheme says so, and the file as a whole may show
otherwise. Sales of the seller that bear the tax of their destination, and those in other files, are not seen here
(`compliance watch` sees all sales of the file).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.command import Finding
from cbec.core.errors import CbecError
from cbec.core.money import rate_to
from cbec.methods.compliance.codes import places

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack

BY = ("seller_country", "date", "currency")


def added(tax: pl.DataFrame, order_lines: pl.DataFrame, alike: pl.Series) -> pl.DataFrame:
    """What such sales of some lines come to, without tax, by seller's country, day and currency (`tax_base`).

    alike: the numbers `_alike` in tax of lines that are such sales.
    """
    rows = places(tax["_alike"].is_in(alike.implode())) if len(alike) else pl.Series([], dtype=pl.UInt32)
    small = order_lines.select(BY)[rows].hstack([tax["tax_base"].gather(rows)])
    return small.group_by(BY).agg(pl.col("tax_base").sum())


def findings(small: pl.DataFrame, packs: Sequence[Pack], rates: pl.DataFrame | None) -> list[Finding]:
    """A finding of severity high for each seller's country and year whose sales pass the threshold. small: from `added`."""
    rule = next((rule for pack in packs for rule in pack.of("threshold")), None)
    if rule is None or small.is_empty():
        return []
    unit, found = str(rule.unit), []
    daily, lacking = _daily(small, unit, rates)
    for (seller, year), sales in sorted(daily.items()):
        held = [v.value for v in rule.values if v.value is not None and v.valid_from.year <= year]
        if not held:
            continue
        total, crossed = Decimal(0), None
        for day, amount in sorted(sales.items()):
            total += amount
            crossed = crossed or (day if total > held[-1] else None)
        if total <= held[-1] or crossed is None:
            continue
        without = f" (amounts in {', '.join(lacking)} left out, for want of rates)" if lacking else ""
        message = (
            f"distance sales taxed in {seller} as those of a small seller come to {total:,.2f} {unit} without tax in {year}{without}, "
            f"above {held[-1]:,.0f} {unit}: from {crossed} on, and in the year after, the tax of the destination is due (OSS, or registered there)"
        )
        name = f"threshold:{seller}:{year}"
        found.append(Finding(name, "high", rule.id, "threshold_passed", message, float(round(total, 2)), unit))
    return found


def _daily(
    small: pl.DataFrame, unit: str, rates: pl.DataFrame | None
) -> tuple[Mapping[tuple[str, int], dict[date, Decimal]], list[str]]:
    """Sales in one currency by seller's country and year, day by day; and the currencies that cannot be told in it."""
    whole = small.group_by(BY).agg(pl.col("tax_base").sum()).sort(BY)
    found: dict[tuple[str, int], dict[date, Decimal]] = {}
    lacking = []
    for (currency,), rows in whole.partition_by("currency", as_dict=True, maintain_order=True).items():
        try:
            told = rate_to(rows, "currency", "date", rates, unit)
        except CbecError:
            lacking.append(str(currency))
            continue
        for (seller, day, _, amount), rate in zip(rows.rows(), told, strict=True):
            sales = found.setdefault((seller, day.year), {})
            sales[day] = sales.get(day, Decimal(0)) + amount * Decimal(repr(rate))
    return found, sorted(lacking)
