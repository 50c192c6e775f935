"""Goods that cross a customs border in a period, item by item, with the papers that each consignment needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.core import reasons
from cbec.core.errors import CbecError
from cbec.methods.compliance import registered
from cbec.methods.compliance.filing_lines import NORTHERN_IRELAND, OUT_OF_SCOPE, SELLER, to_northern_ireland
from cbec.methods.compliance.filing_rates import conversions, rounded
from cbec.methods.compliance.filing_rules import papers
from cbec.methods.compliance.lines import digits_of

if TYPE_CHECKING:
    from cbec.methods.compliance.filing_lines import Places
    from cbec.methods.compliance.filing_rules import Paper
    from cbec.methods.compliance.periods import Period

MONEY = pl.Decimal(38, 6)
MONACO = "MC"
"""Part of the customs territory of the Union: Union Customs Code, Article 4(2)."""
NEEDED = {
    "H7": ("description", "hs6", "gross_weight_kg", "intrinsic_value", "currency"),
    "H1": ("description", "hs_code", "origin", "gross_weight_kg", "intrinsic_value", "currency"),
    "CN22": ("description", "gross_weight_kg", "intrinsic_value", "currency"),
    "CN23": ("description", "hs6", "origin", "net_weight_kg", "gross_weight_kg", "intrinsic_value", "currency"),
    "9610": ("description", "hs_code", "net_weight_kg", "intrinsic_value", "currency"),
    "": ("description", "hs_code", "origin", "intrinsic_value", "currency"),
}
"""What a paper asks for of each item; "" = a commercial invoice, 9610 = the list of that regime."""


def items(
    order_lines: pl.DataFrame,
    tax: pl.DataFrame,
    asked: Period,
    where: Places,
    products: pl.DataFrame | None = None,
    exports: pl.DataFrame | None = None,
    registrations: pl.DataFrame | None = None,
    rates: pl.DataFrame | None = None,
    language: str = "en",
) -> pl.DataFrame:
    """The table customs_items: sales of the period whose goods cross a border between customs territories.

    What nobody told stays empty and is named in `missing`; a limit that cannot be judged for want of a rate gives the
    paper that holds more (H1 for H7 is not guessed: its cell stays empty).
    """
    values = tax.select("order_id", "line", "intrinsic_value", "customs_value", "scheme", "collected_by")
    # The scheme is what the tax table found: the word of an order line is often empty, or overruled.
    lines = order_lines.drop("scheme").join(values, on=["order_id", "line"], how="left", maintain_order="left")
    lines = _with_products(_crossing(lines, asked, where), products)
    if exports is not None:
        lines = lines.join(exports.select("order_id", "line", "regime"), on=["order_id", "line"], how="left")
    else:
        lines = lines.with_columns(pl.lit(None, pl.String).alias("regime"))
    rows = _told(lines.sort("order_id", "line")).to_dicts()
    held = [] if registrations is None else registrations.sort("country").to_dicts()
    for row in rows:
        row["ioss_number"] = _ioss(row, held)
    _papers(rows, where.countries("EU"), rates)
    schema = dict(_SCHEMA.items())
    return reasons.render(pl.DataFrame(rows, schema=schema), language)


_SCHEMA: dict[str, Any] = {
    "consignment": pl.String, "item": pl.Int64, "line": pl.String, "date": pl.Date, "ship_from": pl.String, "ship_to": pl.String,
    "import_data_set": pl.String, "postal_form": pl.String, "export_regime": pl.String, "sku": pl.String, "description": pl.String,
    "hs6": pl.String, "hs_code": pl.String, "origin": pl.String, "qty": MONEY, "net_weight_kg": MONEY, "gross_weight_kg": MONEY,
    "intrinsic_value": MONEY, "transport_insurance": MONEY, "currency": pl.String, "consignment_value": MONEY, "ioss_number": pl.String,
    "incoterm": pl.String, "buyer": pl.String, "missing": pl.String, "reason_code": pl.String,
}  # fmt: skip


def _crossing(lines: pl.DataFrame, asked: Period, where: Places) -> pl.DataFrame:
    """Sales of the period between countries, but not within the customs union, and those to territories outside a tax area.

    HMRC, Customs Information Paper 63 (2016): "movements to special (fiscal) territories must be declared under the normal
    export or re-export rules"; Export Procedures EXPP8200: "A Customs declaration is required for goods exported to the
    Channel Islands".
    """
    union = sorted(where.countries("EU"))
    source, target = (pl.col(c).replace(where.country) for c in ("ship_from", "ship_to"))
    to_there = to_northern_ireland()
    from_there = (pl.col("ship_from") == NORTHERN_IRELAND).fill_null(False)
    # Between the Union and Northern Ireland goods need no customs declaration (Revised Protocol; Revenue Ireland, "Trade with NI").
    inside = (source.is_in(union) | from_there) & (target.is_in(union) | to_there)
    abroad = ((source != target) & ~inside) | (pl.col("scheme") == OUT_OF_SCOPE).fill_null(False)
    return lines.filter(pl.col("date").is_between(asked.start, asked.end) & (pl.col("qty") > 0) & abroad)


def _with_products(lines: pl.DataFrame, products: pl.DataFrame | None) -> pl.DataFrame:
    """What the products tell of name, description, customs code, origin and weight."""
    none = pl.lit(None, pl.String)
    if products is None:
        return lines.with_columns(none.alias("description"), pl.lit(None, pl.Float64).alias("piece_kg"))
    had = products.columns
    text = [pl.col(c) if c in had else none for c in ("description", "name")]
    known = products.select(
        "sku",
        pl.coalesce(*text).alias("description"),
        (pl.col("weight_kg") if "weight_kg" in had else pl.lit(None, pl.Float64)).alias("piece_kg"),
        *((pl.col(c) if c in had else none).alias(f"own_{c}") for c in ("hs_code", "origin")),
    )
    joined = lines.join(known, on="sku", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce(c, f"own_{c}").alias(c) for c in ("hs_code", "origin"))


def _ioss(row: Mapping[str, Any], held: Sequence[Mapping[str, Any]]) -> str | None:
    """The seller's IOSS number on the day of the line; a marketplace that collects has one of its own."""
    if row["scheme"] != "IOSS" or row["collected_by"] != SELLER:
        return None
    return (registered.find(held, "IOSS", (), row["date"], row["date"]) or {}).get("number")


def _told(lines: pl.DataFrame) -> pl.DataFrame:
    digits = digits_of(pl.col("hs_code"))
    charged = pl.sum_horizontal(
        "shipping", "insurance", ignore_nulls=True
    )  # 0 where neither is told: nothing was charged for the line
    # What one order sends from one country to another is one consignment, as for the limits of the tax.
    route = pl.format("{}-{}", "ship_from", "ship_to")
    consignment = (
        pl.when(route.n_unique().over("order_id") == 1)
        .then("order_id")
        .otherwise(pl.format("{} {}", "order_id", route))
    )
    net = pl.when(pl.col("price_includes_tax").fill_null(False)).then(None).otherwise(pl.col("qty") * pl.col("price"))
    more = (pl.col("customs_value") - pl.col("intrinsic_value")).cast(MONEY)
    return lines.select(
        consignment.alias("consignment"),
        pl.col("order_id").cum_count().over("order_id", "ship_from", "ship_to").cast(pl.Int64).alias("item"),
        "line", "date", "ship_from", "ship_to",
        pl.lit(None, pl.String).alias("import_data_set"),
        pl.lit(None, pl.String).alias("postal_form"),
        pl.col("regime").alias("export_regime"),
        "sku", "description",
        pl.when(digits.str.len_chars() >= 6).then(digits.str.slice(0, 6)).alias("hs6"),
        "hs_code", "origin",
        pl.col("qty").cast(MONEY),
        pl.col("net_weight_kg").cast(MONEY),
        (pl.col("piece_kg") * pl.col("qty").cast(pl.Float64)).round(3).cast(MONEY).alias("gross_weight_kg"),
        pl.coalesce("intrinsic_value", net).cast(MONEY).alias("intrinsic_value"),
        pl.when(more > 0).then(more).otherwise(charged.cast(MONEY)).alias("transport_insurance"),
        "currency",
        pl.lit(None, MONEY).alias("consignment_value"),
        pl.lit(None, pl.String).alias("ioss_number"),
        "incoterm",
        pl.col("customer_id").alias("buyer"),
        "scheme", "collected_by", "transport",
    )  # fmt: skip


def _papers(rows: Sequence[dict[str, Any]], union: frozenset[str], rates: pl.DataFrame | None) -> None:
    """Decides each consignment's papers, and names what they lack."""
    h7, cn22 = papers()["eu.h7"], papers()["upu.cn22"]
    factor = _factors(rates)
    consignments: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        consignments.setdefault(row["consignment"], []).append(row)
    for own in consignments.values():
        into_union = own[0]["ship_to"] in {*union, MONACO} and own[0]["scheme"] != OUT_OF_SCOPE
        value = _value(own, h7.currency, factor) if into_union else None
        form, reason = None, "customs_invoice"
        data_set = None
        if into_union:
            data_set, reason = _data_set(value, h7, own[0]["date"])
        if own[0]["transport"] == "post":
            form, reason = _form(own, cn22, factor, reason)
        for row in own:
            row["consignment_value"], row["import_data_set"], row["postal_form"] = value, data_set, form
            # Goods have a value for customs, whatever was paid for them.
            lacking = [f for p in {data_set or "", form or ""} for f in NEEDED[p] if row[f] is None or row[f] == 0]
            if data_set == "H7" and row["scheme"] == "IOSS" and row["ioss_number"] is None:
                lacking.append("ioss_number")
            row["missing"] = "|".join(sorted(set(lacking))) or None
            row["reason_code"] = reason


Factor = Callable[[str, str, date], Decimal | None]


def _factors(rates: pl.DataFrame | None) -> Factor:
    """The rate of a currency in another on a day, looked up once; None where there is none."""

    @cache
    def factor(currency: str, home: str, day: date) -> Decimal | None:
        try:
            return conversions([(currency, home, day, False)], rates)[currency, home, day]
        except CbecError:
            return None

    return factor


def _value(own: Sequence[Mapping[str, Any]], currency: str, factor: Factor) -> Decimal | None:
    """Intrinsic value of a consignment in a currency; None where a value or a rate is not known."""
    total = Decimal(0)
    for row in own:
        if row["intrinsic_value"] is None or row["currency"] is None:
            return None
        rate = factor(row["currency"], currency, row["date"])
        if rate is None:
            return None
        total += row["intrinsic_value"] * rate
    return rounded(total, "EUR")


def _within(value: Decimal, paper: Paper, day: date) -> bool:
    limit = paper.limit(day)
    return limit is not None and (value <= limit if paper.inclusive else value < limit)


def _data_set(value: Decimal | None, h7: Paper, day: date) -> tuple[str | None, str]:
    if value is None:
        return None, "customs_value_unknown"
    return ("H7", "customs_h7") if _within(value, h7, day) else ("H1", "customs_h1")


def _form(own: Sequence[Mapping[str, Any]], cn22: Paper, factor: Factor, reason: str) -> tuple[str, str]:
    """CN22 where value and weight are known to lie below its limits, else CN23, which holds all that CN22 does."""
    value = _value(own, cn22.currency, factor)
    weights = [row["gross_weight_kg"] for row in own]
    light = None not in weights and cn22.max_kg is not None and sum(weights) < cn22.max_kg
    small = value is not None and light and _within(value, cn22, own[0]["date"])
    told = reason if reason != "customs_invoice" else ("customs_cn22" if small else "customs_cn23")
    return ("CN22" if small else "CN23"), told


def _known_sum(column: str) -> pl.Expr:
    """The sum of a group, empty where one of its values is not known."""
    return pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum())


def summary_9610(table: pl.DataFrame) -> pl.DataFrame:
    """Items under regime 9610 by month, destination, customs code and currency, as a summary declaration asks for.

    Which further features lists have to share to go into one declaration (port, transport, parties) the order lines do
    not tell. Raises AssertionError where the groups do not add up to the items.
    """
    own = table.filter(pl.col("export_regime").str.split("|").list.contains("9610").fill_null(False))
    grouped = (
        own.with_columns(pl.col("date").dt.strftime("%Y-%m").alias("month"))
        .group_by("month", "ship_to", "hs_code", "currency")
        .agg(
            pl.col("consignment").n_unique().alias("lists"),
            pl.len().alias("items"),
            pl.col("qty").sum(),
            _known_sum("net_weight_kg").alias("net_weight_kg"),
            _known_sum("intrinsic_value").alias("value"),
        )
        .sort("month", "ship_to", "hs_code", "currency", nulls_last=True)
    )
    valued = own["intrinsic_value"].null_count() == 0
    if (valued and grouped["value"].sum() != own["intrinsic_value"].sum()) or grouped["items"].sum() != own.height:
        raise AssertionError("the summary declaration does not add up to its lists")
    return grouped
