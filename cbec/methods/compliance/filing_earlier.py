"""Earlier returns against what the tax table says of their periods today: differences that nobody has corrected."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.command import Finding
from cbec.methods.compliance import periods
from cbec.methods.compliance.filing_lines import SELLER, first_month
from cbec.methods.compliance.filing_rates import conversions, rounded

if TYPE_CHECKING:
    from cbec.methods.compliance.filing import Filing
    from cbec.methods.compliance.filing_rules import ReturnRule
    from cbec.methods.compliance.periods import Period

ZERO, HALF_CENT = Decimal(0), Decimal("0.005")


def differences(
    filing: Filing, filed: pl.DataFrame, rules: Sequence[ReturnRule], rates: pl.DataFrame | None
) -> list[Finding]:
    """A finding (high) for each earlier period and country whose filed tax, with its corrections up to this filing, is
    not what the tax table gives for it now: sales that came late, lines that changed.

    filed: earlier tables returns_due. Periods of which the tax table holds no line are passed over. Nothing is corrected
    of itself: whether the old figure or the new one is right, a person has to say.
    """
    found = []
    for index, rule in enumerate(rules):
        if rule.corrections != "by_period":
            continue
        # A refund whose sale is not there has been left out and told: nobody knows which period it changes.
        known = (pl.col("collected_by") == SELLER) & pl.col("has_sale")
        sold = filing.lines.filter(
            (pl.col("rule") == index) & known & (pl.col("date") <= filing.asked.end)
        ).with_columns(first_month("sold", rule, filing.asked).alias("of"))
        for name in sorted(set(filed.filter(pl.col("rule_id") == rule.id)["period"].to_list())):
            period = periods.parse(name)
            own = sold.filter(pl.col("of") == period.first)
            if period.end >= filing.asked.start or own.is_empty():
                continue
            currency = filed.filter((pl.col("rule_id") == rule.id) & (pl.col("period") == name))["currency"][0]
            now, then = _now(own, period, currency, rates), _filed(filed, filing, rule, name)
            converted = own.filter(pl.col("currency") != currency).height > 0
            for country in sorted(now.keys() | then.keys()):
                exact, (old, rows) = now.get(country, ZERO), then.get(country, (ZERO, 0))
                new = rounded(exact, currency)
                # Each row of a return was rounded once: amounts that were converted may differ by half a cent per row.
                if new != old and (not converted or abs(exact - old) > HALF_CENT * rows):
                    text = (
                        f"{rule.id} {name}, {country}: the tax table gives {new:,.2f} {currency}, filed and corrected so far are {old:,.2f}: "
                        f"{new - old:+,.2f} are not corrected"
                    )
                    money = float(abs(new - old))
                    found.append(
                        Finding(
                            f"earlier:{rule.id}:{name}:{country}",
                            "high",
                            f"{rule.id} {name}",
                            "earlier_return",
                            text,
                            money,
                            currency,
                        )
                    )
    return found


def _now(own: pl.DataFrame, period: Period, currency: str, rates: pl.DataFrame | None) -> dict[str, Decimal]:
    """Tax by country, in the currency of the return at the rate of the period's last day."""
    sums = own.group_by("country", "currency").agg(pl.col("tax").sum()).sort("country", "currency")
    factors = conversions([(c, currency, period.end, True) for c in sums["currency"].to_list()], rates)
    told: dict[str, Decimal] = {}
    for country, own_currency, tax in sums.iter_rows():
        told[country] = told.get(country, ZERO) + tax * factors[own_currency, currency, period.end]
    return told


def _filed(filed: pl.DataFrame, filing: Filing, rule: ReturnRule, name: str) -> dict[str, tuple[Decimal, int]]:
    """Tax by country in the return of a period, in corrections of it by later returns, and in those of this filing; with
    the number of rows it was filed in."""
    lines = filed.filter((pl.col("rule_id") == rule.id) & (pl.col("kind") == "line"))
    first = lines.filter((pl.col("period") == name) & pl.col("corrected_period").is_null())
    later = lines.filter(pl.col("corrected_period") == name)
    rows = list(pl.concat([first, later]).select("country", "tax").iter_rows())
    rows += [
        (row.country, row.tax or ZERO)
        for one in filing.returns
        if one.rule is rule
        for row in one.rows
        if row.corrected == name and row.country is not None
    ]
    told: dict[str, tuple[Decimal, int]] = {}
    for country, tax in rows:
        had, count = told.get(country, (ZERO, 0))
        told[country] = (had + tax, count + 1)
    return told
