"""What becomes of each line of a tax table: which return takes it, for which period, or why none does.

A line goes into a return where the seller collects its tax, a return of its place takes its scheme, and the return's
period lies within the one asked for. Refunds of a return with corrections by period correct the period of their sale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected
from cbec.core.words import of
from cbec.methods.compliance import periods
from cbec.methods.compliance.lines import with_sale_date
from cbec.methods.compliance.periods import Period
from cbec.methods.compliance.rules import DISPATCH
from cbec.methods.compliance.territories import owners

if TYPE_CHECKING:
    from cbec.methods.compliance.filing_rules import ReturnRule
    from cbec.methods.compliance.rules import Pack

SELLER = "seller"
FILED, CORRECTION = "filed", "correction"
NORTHERN_IRELAND = "XI"
OUT_OF_SCOPE = "OUT_OF_SCOPE"
"""The scheme of goods that leave the tax area for a special territory."""
LOCAL = "local"
"""Scheme-less returns: what the seller collects where no form is drafted, by country and currency."""
OF_TAX = (
    "order_id", "line", "status", "ship_to", "intrinsic_value", "customs_value", "duty", "tax_rate", "tax_base", "tax", "currency", "scheme",
    "collected_by", "rule_ids", "flags", "reason_code", "reason",
)  # fmt: skip
OF_ORDER = (
    "order_id",
    "line",
    "date",
    "ship_from",
    "ship_to_region",
    "sku",
    "qty",
    "price",
    "shipping",
    "insurance",
    "price_includes_tax",
    "incoterm",
)


@dataclass(frozen=True)
class Places:
    """Countries of the places that returns name, and the country behind each code of an order line."""

    country: dict[str, str]
    of: dict[str, frozenset[str]]

    def countries(self, place: str) -> frozenset[str]:
        """The countries of a place: those of the rule pack of that name, else the country of that code."""
        return self.of.get(place, frozenset({place}))


def places(packs: Sequence[Pack]) -> Places:
    """Places by the rule packs: EU stands for its member states; MC counts as FR, IM as GB."""
    held = owners(packs)
    return Places(
        dict(held.select("code", "country").iter_rows()),
        {pack.id.upper(): frozenset(pack.jurisdictions) for pack in packs},
    )


def to_northern_ireland() -> pl.Expr:
    """Whether goods go to Northern Ireland, by its own code or the postcode."""
    postcode = pl.col("ship_to_region").str.strip_chars().str.to_uppercase().str.contains(r"^BT\d")
    return ((pl.col("ship_to") == NORTHERN_IRELAND) | ((pl.col("ship_to") == "GB") & postcode)).fill_null(False)


def _united_kingdom(country: str, code: pl.Expr) -> pl.Expr:
    """The country, but of distance sales from or to Northern Ireland its own code: it counts as a state for goods."""
    of_goods = pl.col("scheme").is_in(["OSS", "IOSS"]) & (pl.col(country) == "GB") & code
    return pl.when(of_goods).then(pl.lit(NORTHERN_IRELAND)).otherwise(country).alias(country)


def joined(tax: pl.DataFrame, order_lines: pl.DataFrame, packs: Sequence[Pack], where: Places) -> pl.DataFrame:
    """The tax table with what its order lines tell, and `country` (whose tax it is), `rate_type`, `sold`, `has_sale`.

    sold: the day of the sale that a refund takes back, of other lines their own day. Raises InputRejected for a line of
    tax that is no order line.
    """
    known = [c for c in OF_TAX if c in tax.columns]
    orders = order_lines.select(OF_ORDER)
    lines = tax.select(known).join(
        orders.with_columns(pl.lit(True).alias("_told")), on=["order_id", "line"], how="left"
    )
    lost = lines.filter(pl.col("_told").is_null())
    if lost.height:
        first = lost.sort("order_id", "line").row(0, named=True)
        raise InputRejected(
            f"tax: {lost.height:,} of {of(tax.height, 'line', 'are')} no order line, e.g. order {first['order_id']}, line {first['line']}",
            hint="give the order lines that the tax was computed from, all of them (--as-of leaves out later ones)",
        )
    lines = lines.drop("_told").sort("order_id", "line")
    if "flags" not in lines.columns:
        lines = lines.with_columns(pl.lit(None, pl.String).alias("flags"))
    lines = lines.with_columns(
        pl.col("order_id").rank("dense").cast(pl.Int64).alias("run"),
        pl.col("ship_to").replace(where.country).alias("country"),
        pl.col("ship_from").replace(where.country).alias("from_country"),
        rate_types(lines["rule_ids"], packs),
        (pl.col("qty") < 0).fill_null(False).alias("back"),
    )
    there = pl.when(pl.col("scheme") == DISPATCH).then("from_country").otherwise("country")
    lines = lines.with_columns(there.alias("country"))
    # What the rules of the United Kingdom take under OSS and IOSS goes to Northern Ireland.
    from_there = pl.col("ship_from") == NORTHERN_IRELAND
    lines = lines.with_columns(_united_kingdom("country", pl.lit(True)), _united_kingdom("from_country", from_there))
    sales = pl.col("date").filter(~pl.col("back")).count().over("run")
    return lines.with_columns(
        with_sale_date(lines.select("run", "sku", "qty", "date"))[0].alias("sold"),
        (~pl.col("back") | (sales > 0)).alias("has_sale"),
    )


def rate_types(rule_ids: pl.Series, packs: Sequence[Pack]) -> pl.Series:
    """STANDARD or REDUCED of each line, by the rate rule among its rules: that of all goods, or of a category.

    A territory's own rate is STANDARD where its rule overrides the standard rate. Null where no rate rule is named.
    """
    kinds: dict[str, str] = {}
    for pack in packs:
        standard = {r.id for r in pack.of("rate") if r.category is None and r.levy == "vat"}
        kinds |= {r.id: "STANDARD" if r.id in standard else "REDUCED" for r in pack.of("rate") if r.levy == "vat"}
        kinds |= {r.id: "STANDARD" if set(r.exception_to) & standard else "REDUCED" for r in pack.of("territory")}
    told = {}
    for ids in rule_ids.unique().drop_nulls().to_list():
        found = [kinds[rule] for rule in ids.split("|") if rule in kinds]
        told[ids] = found[0] if len(set(found)) == 1 else "REDUCED" if found else None
    return rule_ids.replace_strict(told, default=None, return_dtype=pl.String).alias("rate_type")


def disposed(lines: pl.DataFrame, rules: Sequence[ReturnRule], where: Places, asked: Period) -> pl.DataFrame:
    """Adds `rule` (index into rules, -1 = local), `p1` (first month of the return's period), `p0` (of the corrected one,
    else null) and `disposition`.

    lines: of `joined`. Dispositions: filed, correction, other_period, other_party, undetermined, no_date, no_sale,
    too_late.
    """
    taken = [
        (country, scheme, index)
        for index, rule in enumerate(rules)
        for place in rule.places
        for country in sorted(where.countries(place))
        for scheme in rule.schemes
    ]
    table = pl.DataFrame(taken, schema={"country": pl.String, "scheme": pl.String, "rule": pl.Int32}, orient="row")
    lines = lines.join(table, on=["country", "scheme"], how="left", maintain_order="left")
    mine = (pl.col("status") == "OK") & (pl.col("collected_by") == SELLER)
    lines = lines.with_columns(pl.when(mine).then(pl.col("rule").fill_null(-1)).alias("rule"))
    first, sold = pl.lit(None, pl.Int32), pl.lit(None, pl.Int32)
    inside = pl.lit(False)
    for index, rule in enumerate(rules):
        own = pl.col("rule") == index
        p1, p0 = (first_month(day, rule, asked) for day in ("date", "sold"))
        first = pl.when(own).then(p1).otherwise(first)
        sold = pl.when(own).then(p0 if rule.corrections == "by_period" else p1).otherwise(sold)
        windows = [p.first for p in periods.within(asked, rule)]
        inside |= own & p1.is_in(windows)
    local = pl.col("rule") == -1
    at = _month("date")
    within = (at >= asked.first) & (at < asked.first + asked.months)
    first = pl.when(local).then(pl.lit(asked.first, pl.Int32)).otherwise(first)
    lines = lines.with_columns(first.alias("p1"), sold.alias("p0"), (inside | (local & within)).alias("_in"))
    lines = lines.join(_late(lines, rules), on=["rule", "p1", "p0"], how="left", maintain_order="left")
    # Lines that no return takes belong to the period asked for by their day.
    open_inside = pl.when(pl.col("rule").is_null()).then(within).otherwise("_in")
    earlier = (pl.col("p0") < pl.col("p1")).fill_null(False)
    disposition = (
        pl.when(pl.col("date").is_null())
        .then(pl.lit("no_date"))
        .when(~open_inside.fill_null(False))
        .then(pl.lit("other_period"))
        .when(pl.col("status") != "OK")
        .then(pl.lit("undetermined"))
        .when(pl.col("rule").is_null())
        .then(pl.lit("other_party"))
        .when(~pl.col("has_sale") & pl.col("p0").is_not_null() & pl.col("rule").is_in(_by_period(rules)))
        .then(pl.lit("no_sale"))
        .when(earlier & pl.col("_late").fill_null(False))
        .then(pl.lit("too_late"))
        .when(earlier)
        .then(pl.lit(CORRECTION))
        .otherwise(pl.lit(FILED))
    )
    return lines.with_columns(disposition.alias("disposition"), pl.when(earlier).then("p0").alias("p0")).drop(
        "_in", "_late"
    )


def _by_period(rules: Sequence[ReturnRule]) -> list[int]:
    return [i for i, rule in enumerate(rules) if rule.corrections == "by_period"]


def _month(day: str) -> pl.Expr:
    return pl.col(day).dt.year().cast(pl.Int32) * 12 + pl.col(day).dt.month().cast(pl.Int32) - 1


def first_month(day: str, rule: ReturnRule, asked: Period) -> pl.Expr:
    """First month of the rule's period that a day falls into (as `periods.containing`)."""
    anchor = 0 if rule.calendar else asked.first
    return ((_month(day) - anchor) // rule.months * rule.months + anchor).cast(pl.Int32)


def _late(lines: pl.DataFrame, rules: Sequence[ReturnRule]) -> pl.DataFrame:
    """rule, p1, p0 -> `_late`: whether the return of p1 is too late to correct p0, or the scheme did not exist then."""
    pairs = lines.filter((pl.col("p0") < pl.col("p1")) & (pl.col("rule") >= 0)).select("rule", "p1", "p0").unique()
    late = []
    for index, p1, p0 in pairs.iter_rows():
        rule = rules[index]
        now, then = (periods.due_date(Period(first, rule.months).end, rule.due) for first in (p1, p0))
        gone = now is not None and then is not None and now > _years_on(then, rule.correction_years)
        late.append(gone or Period(p0, rule.months).start < rule.valid_from)
    return pairs.with_columns(pl.Series("_late", late, dtype=pl.Boolean))


def _years_on(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, day=28)
