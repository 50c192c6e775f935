"""From a tax table to returns: sums per return, forms, control totals, findings.

The sums of every return are taken over the tax table in its own currencies and held against what was filed: a
difference is a mistake of ours and stops the command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.methods.compliance import filing_lines, periods, registered, returns
from cbec.methods.compliance.filing_lines import CORRECTION, FILED, LOCAL, OUT_OF_SCOPE, Places, to_northern_ireland
from cbec.methods.compliance.filing_rates import conversions, rounded
from cbec.methods.compliance.periods import Period
from cbec.methods.compliance.returns import EVERY_KIND, IMPORT_TAX, INPUT_TAX, POSTPONED, Purchases, Return, Sum

if TYPE_CHECKING:
    from cbec.methods.compliance.filing_rules import ReturnRule
    from cbec.methods.compliance.rules import Pack

ZERO, HALF_CENT, HALF = Decimal(0), Decimal("0.005"), Decimal("0.5")
ON = ["rule", "p1", "p0", "country", "from_country", "rate_type", "tax_rate", "currency", "fx_day"]


@dataclass(frozen=True)
class Filing:
    """Everything that a period gives: returns, and the lines of the tax table with what became of them."""

    returns: tuple[Return, ...]
    lines: pl.DataFrame
    asked: Period


def file(
    tax: pl.DataFrame,
    order_lines: pl.DataFrame,
    packs: Sequence[Pack],
    rules: Sequence[ReturnRule],
    asked: Period,
    registrations: pl.DataFrame | None = None,
    purchases: pl.DataFrame | None = None,
    rates: pl.DataFrame | None = None,
) -> Filing:
    """The returns of the period, checked against the tax table to the cent.

    Raises InputRejected and UsageFault as `filing_lines.joined` and `filing_rates.conversions` do, AssertionError where
    a return does not add up to the lines it took.
    """
    where = filing_lines.places(packs)
    lines = filing_lines.joined(tax, order_lines, packs, where)
    lines = filing_lines.disposed(lines, rules, where, asked)
    held = _registered(registrations)
    made = []
    for index, rule in enumerate(rules):
        for period in periods.within(asked, rule):
            own = lines.filter((pl.col("rule") == index) & (pl.col("p1") == period.first) & _taken())
            countries = sorted({c for place in rule.places for c in where.countries(place)})
            registration = registered.find(held, rule.registration, countries, period.start, period.end)
            bought = _bought(purchases, rule, countries, period)
            if own.is_empty() and registration is None and not bought.height:
                continue
            made.append(_return(rule, period, own, bought, registration, lines, where, rates))
    made += _local(lines, asked, held)
    _prove(made, lines, rules)
    return Filing(tuple(made), _named(lines, made, rules, asked), asked)


def _taken() -> pl.Expr:
    return pl.col("disposition").is_in([FILED, CORRECTION])


def _registered(registrations: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if registrations is None else registrations.sort("scheme", "country").to_dicts()


def _bought(purchases: pl.DataFrame | None, rule: ReturnRule, countries: Sequence[str], period: Period) -> pl.DataFrame:
    """Purchases that a return reclaims: none for One Stop Shop returns."""
    if purchases is None or rule.form == "oss":
        return pl.DataFrame()
    return purchases.filter(
        pl.col("country").is_in(countries) & pl.col("date").cast(pl.Date).is_between(period.start, period.end)
    )


def _return(
    rule: ReturnRule,
    period: Period,
    own: pl.DataFrame,
    bought: pl.DataFrame,
    registration: Mapping[str, Any] | None,
    lines: pl.DataFrame,
    where: Places,
    rates: pl.DataFrame | None,
) -> Return:
    currency = (registration or {}).get("currency") or rule.currency
    state = (registration or {}).get("country")
    jurisdiction = rule.places[0]
    made = Return(
        f"{rule.id} {period.name}", rule, jurisdiction, rule.registration, period, currency, (registration or {}).get("number"), state
    )  # fmt: skip
    sums, converted = _sums(own, made, rates)
    paid = _purchases(bought, made, rates)
    untaxed = ZERO
    if rule.form == "oss":
        rows = returns.oss_rows(sums, currency)
    elif rule.form == "gb":
        extra, more = _sums(_zero_rated(lines, made, where), made, rates)
        converted |= more
        untaxed = sum((s.net for s in extra), ZERO)
        rows = returns.gb_rows(sums, paid, extra)
    else:
        rows = returns.summary_rows(sums, paid, currency, rule.rounding == "whole")
    exact = (sum((s.net for s in sums), ZERO), sum((s.tax for s in sums), ZERO))
    postponed = rounded(paid.tax(POSTPONED), currency)
    return replace(made, rows=tuple(rows), converted=converted, exact=exact, postponed=postponed, untaxed=untaxed)


def _zero_rated(lines: pl.DataFrame, made: Return, where: Places) -> pl.DataFrame:
    """Exports from the place of the return, and reverse-charge supplies into it: part of the value of sales, without tax.

    The value of an export is what was charged without tax: goods, shipping and insurance, as far as they are known net;
    so it counts too where the tax of its destination is not determined.
    """
    countries = sorted({c for place in made.rule.places for c in where.countries(place)}) if made.rule else []
    here = pl.col("from_country").is_in(countries)
    away = ~pl.col("country").is_in(countries) | (pl.col("scheme") == OUT_OF_SCOPE)
    # Goods from the Union to a business in Northern Ireland are supplied where they were sent from.
    in_union = pl.col("from_country").is_in(sorted(where.countries("EU"))) & to_northern_ireland()
    reverse = (pl.col("scheme") == "REVERSE_CHARGE") & pl.col("country").is_in(countries) & ~in_union
    sign = pl.when(pl.col("back")).then(-1).otherwise(1)
    charges = pl.col("shipping").fill_null(0) + pl.col("insurance").fill_null(0)
    gross = pl.col("price_includes_tax").fill_null(False)
    priced = pl.when(~gross & (pl.col("status") != "OK")).then(pl.col("qty") * pl.col("price"))
    goods = pl.coalesce("intrinsic_value", priced) + pl.when(gross).then(0).otherwise(charges * sign)
    more = (pl.col("customs_value") * sign > goods * sign).fill_null(False)
    value = pl.when(reverse).then("tax_base").when(more).then("customs_value").otherwise(goods)
    found = lines.filter(
        ((here & away) | reverse).fill_null(False) & pl.col("date").is_between(made.period.start, made.period.end)
    )
    return found.with_columns(value.alias("tax_base"), pl.lit(0).cast(pl.Decimal(38, 6)).alias("tax")).drop_nulls(
        "tax_base"
    )


def _sums(own: pl.DataFrame, made: Return, rates: pl.DataFrame | None) -> tuple[list[Sum], bool]:
    """Sums of lines in the currency of the return; whether a rate was taken that is nobody's official one."""
    rule = made.rule
    if rule is None or own.is_empty():
        return [], False
    foreign = pl.col("currency") != made.currency
    at_end = rule.conversion == "period_end"
    ends = {first: Period(first, rule.months).end for first in {*own["p0"].drop_nulls().to_list(), made.period.first}}
    of_period = pl.coalesce("p0", pl.lit(made.period.first, pl.Int32)).replace_strict(ends, return_dtype=pl.Date)
    day = pl.when(foreign).then(of_period if at_end else pl.col("date"))
    grouped = (
        own.with_columns(day.alias("fx_day"))
        .group_by(ON)
        .agg(pl.col("tax_base").sum().alias("net"), pl.col("tax").sum(), pl.len().alias("lines"))
        .sort(ON, nulls_last=True)
    )
    rows = grouped.to_dicts()
    wanted = [(r["currency"], made.currency, r["fx_day"], at_end) for r in rows if r["fx_day"] is not None]
    factors = conversions(wanted, rates)
    sums = []
    for r in rows:
        factor = factors[r["currency"], made.currency, r["fx_day"]] if r["fx_day"] is not None else Decimal(1)
        oss = rule.form == "oss"
        corrected = None if r["p0"] is None else Period(r["p0"], rule.months).name
        dispatch = r["from_country"] if rule.registration == "OSS" and corrected is None else None
        sums.append(
            Sum(
                country=r["country"],
                net=r["net"] * factor,
                tax=r["tax"] * factor,
                lines=r["lines"],
                supply=("services" if rule.registration == "OSS_NON_UNION" else "goods") if oss else "goods",
                dispatch=None if dispatch == made.state else dispatch,
                rate_type=None if corrected else r["rate_type"],
                rate=None if corrected else r["tax_rate"],
                corrected=corrected,
            )
        )
    return returns.merged(sums), bool(wanted) and not at_end


def _purchases(bought: pl.DataFrame, made: Return, rates: pl.DataFrame | None) -> Purchases:
    if bought.is_empty():
        return Purchases()
    grouped = bought.group_by("kind", "currency", "date").agg(pl.col("net", "tax").sum(), pl.len().alias("n"))
    rows = grouped.sort("kind", "currency", "date").to_dicts()
    factors = conversions([(r["currency"], made.currency, r["date"], False) for r in rows], rates)
    found: dict[str, tuple[Decimal, Decimal, int]] = {}
    for r in rows:
        factor = factors[r["currency"], made.currency, r["date"]]
        net, tax, count = found.get(r["kind"] or EVERY_KIND[0], (ZERO, ZERO, 0))
        found[r["kind"] or EVERY_KIND[0]] = (net + r["net"] * factor, tax + r["tax"] * factor, count + r["n"])
    return Purchases(found)


def _local(lines: pl.DataFrame, asked: Period, held: Sequence[Mapping[str, Any]]) -> list[Return]:
    """What the seller collects where no form is drafted: sums by rate, per country and currency."""
    own = lines.filter((pl.col("rule") == -1) & _taken())
    made = []
    for (country, currency), part in (
        own.sort("country", "currency", nulls_last=True)
        .partition_by(["country", "currency"], as_dict=True, maintain_order=True)
        .items()
    ):
        grouped = part.group_by("rate_type", "tax_rate").agg(pl.col("tax_base", "tax").sum(), pl.len())
        sums = [
            Sum(str(country), net, tax, count, "goods", None, kind, rate)
            for kind, rate, net, tax, count in grouped.sort("tax_rate", "rate_type", nulls_last=True).iter_rows()
        ]
        rows = returns.summary_rows(sums, Purchases(), str(currency))
        exact = (sum((s.net for s in sums), ZERO), sum((s.tax for s in sums), ZERO))
        name = f"{LOCAL}.{country}.{currency} {asked.name}"
        there = [registered.find(held, scheme, (str(country),), asked.start, asked.end) for scheme in ("VAT", "GST")]
        row = next((one for one in there if one is not None), {})
        number, state = row.get("number"), row.get("country")
        made.append(
            Return(
                name, None, str(country), LOCAL.upper(), asked, str(currency), number, state, tuple(rows), exact=exact
            )
        )
    return made


def _prove(made: Sequence[Return], lines: pl.DataFrame, rules: Sequence[ReturnRule]) -> None:
    """Hold what every return files against the lines of the tax table that it took, to the cent.

    Where lines are in another currency than the return, each row may differ by half a cent from their exact sum; values
    that are filed in whole units differ by half a unit.
    """
    for one in made:
        own = _lines_of(one, lines, rules)
        tax, net = (own[c].sum() or ZERO for c in ("tax", "tax_base"))
        sales = [r for r in one.rows if r.kind == "line" and r.box not in (INPUT_TAX, IMPORT_TAX)]
        if one.rule is not None and one.rule.form == "gb":
            boxes = {r.box: r for r in sales}
            filed_tax = (boxes["1"].tax or ZERO) - one.postponed
            filed_net = (boxes["6"].net or ZERO) - one.untaxed
        else:
            filed_tax, filed_net = (sum((getattr(r, c) or ZERO for r in sales), ZERO) for c in ("tax", "net"))
            if sum(r.lines for r in sales) != own.height:
                raise AssertionError(f"{one.id}: {sum(r.lines for r in sales)} lines filed, {own.height} taken")
        slack = HALF_CENT * len(sales)
        if not own.filter(pl.col("currency") != one.currency).height:
            slack = ZERO if one.untaxed == ZERO else HALF_CENT  # exports in other currencies are rounded once
            if one.exact != (net, tax):
                raise AssertionError(f"{one.id}: sums {one.exact}, the tax table has {net} net and {tax} tax")
        units = HALF * len(sales) if one.rule is not None and one.rule.rounding == "whole" else slack
        if abs(filed_tax - one.exact[1]) > slack or abs(filed_net - one.exact[0]) > units:
            raise AssertionError(f"{one.id}: filed {filed_net} net and {filed_tax} tax, its lines have {one.exact}")


def _lines_of(one: Return, lines: pl.DataFrame, rules: Sequence[ReturnRule]) -> pl.DataFrame:
    """The lines of the tax table that a return took."""
    index = -1 if one.rule is None else list(rules).index(one.rule)
    own = lines.filter((pl.col("rule") == index) & (pl.col("p1") == one.period.first) & _taken())
    if one.rule is None:
        own = own.filter(pl.col("country").eq_missing(one.jurisdiction) & pl.col("currency").eq_missing(one.currency))
    return own


REASONS = {
    FILED: "filing_filed", CORRECTION: "filing_correction", "other_period": "filing_other_period", "other_party": "filing_other_party",
    "undetermined": "filing_undetermined", "no_date": "filing_no_date", "no_sale": "filing_no_sale", "too_late": "filing_too_late",
}  # fmt: skip


def _named(lines: pl.DataFrame, made: Sequence[Return], rules: Sequence[ReturnRule], asked: Period) -> pl.DataFrame:
    """Adds return_id, corrected_period and reason_code."""
    ids = {(list(rules).index(r.rule), r.period.first): r.id for r in made if r.rule is not None}
    table = pl.DataFrame(
        [(*key, name) for key, name in ids.items()],
        schema={"rule": pl.Int32, "p1": pl.Int32, "of_rule": pl.String},
        orient="row",
    )
    lines = lines.join(table, on=["rule", "p1"], how="left", maintain_order="left")
    local = pl.format(f"{LOCAL}.{{}}.{{}} {asked.name}", "country", "currency")
    named = pl.when(pl.col("rule") == -1).then(local).otherwise("of_rule")
    sizes = {i: rule.months for i, rule in enumerate(rules)}
    earlier = lines.select("rule", "p0").drop_nulls().unique().sort("rule", "p0")
    names = [Period(p0, sizes.get(rule, 1)).name for rule, p0 in earlier.iter_rows()]
    earlier = earlier.with_columns(pl.Series("corrected_period", names, dtype=pl.String))
    lines = lines.join(earlier, on=["rule", "p0"], how="left", maintain_order="left")
    return lines.with_columns(
        pl.when(_taken()).then(named).alias("return_id"),
        pl.col("disposition").replace_strict(REASONS).alias("reason_code"),
        pl.col("reason").alias("tax_reason"),
    ).drop("of_rule")
