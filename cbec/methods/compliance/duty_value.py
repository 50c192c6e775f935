"""Duty expressions computed for many lines at once, exact to the minor unit.

Every term of every line's expression becomes one row; amounts times quantities are integers in 10^-24 of the line's
currency (128 bits: up to 10^13 units of money), summed by line and role, held between the bounds, and rounded half up
once. Python's `decimal` is the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from cbec.methods.compliance.duty_text import CAP, FLOOR, SUM, VALUE, Expression
from cbec.methods.compliance.exact import half_up, wide

MICRO, PICO = 10**6, 10**12
"""Quantities come in millionths; amounts of money are kept in 10^-12."""
WHOLE = 10**24
PERCENTAGE = WHOLE // MICRO // MICRO // 100
"""Millionths of a percent times millionths of money times this are in 10^-24 of money."""
FX = 10**12
"""Exchange rates are integers in 10^-12: units of the line's currency per unit of the term's."""
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "expression": pl.UInt32,
    "term": pl.UInt32,
    "role": pl.Int8,
    "amount": pl.Int128,
    "per": pl.Int64,
    "term_currency": pl.String,
    "unit": pl.String,
    "second": pl.String,
}


def terms(expressions: Sequence[Expression]) -> pl.DataFrame:
    """One row per term: `expression` (its position), `role`, `amount` (10^-12 of money, or millionths of a percent),
    `per`, `term_currency` (null: a percentage), `unit` and `second` (a quantity that the first is multiplied with)."""
    rows = []
    for position, expression in enumerate(expressions):
        for number, term in enumerate(expression.terms):
            scale = MICRO if term.currency is None else PICO
            amount = (term.amount * scale).to_integral_value()
            second = term.units[1] if len(term.units) > 1 else None
            rows.append((position, number, term.role, int(amount), term.per, term.currency, term.units[0], second))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def bound(lines: pl.DataFrame, table: pl.DataFrame, quantities: pl.DataFrame, fixings: pl.DataFrame) -> pl.DataFrame:
    """One row for each term of each line's expression, as far as it does not depend on the line's own value.

    lines: `row`, `expression` (position in `terms`), `currency`. table: from `terms`. quantities: `row`, `unit`, `micro`
    (millionths, Int128). fixings: `row`, `term_currency`, `fx` for terms in another currency than the line's.
    Returns `row`, `role`, `amount`, `per`, `own` (a percentage of the line's own value), `product` (of the others, in
    10^-24 of the line's currency) and `lacking`: the unit or currency that the term needs and the line does not have.
    """
    parts = lines.select("row", "expression", "currency").join(table, on="expression", how="inner")
    parts = _with_quantity(parts, quantities, "unit", "first")
    parts = _with_quantity(parts, quantities, "second", "again")
    parts = parts.join(fixings.select("row", "term_currency", "fx"), on=["row", "term_currency"], how="left")
    share = pl.col("unit").str.starts_with(VALUE)
    # A component's value is told in the line's currency, in millionths; the line's own in minor units.
    percentage = pl.col("amount") * pl.col("first") * PERCENTAGE
    money = pl.col("amount") * pl.col("first") * pl.col("again").fill_null(MICRO)
    foreign = pl.col("term_currency") != pl.col("currency")
    turned = _halves(money, wide(FX)) * pl.col("fx")
    product = pl.when(share).then(percentage).when(foreign).then(turned).otherwise(money)
    lacks = (
        pl.when(~share & pl.col("first").is_null())
        .then(_named("unit"))
        .when(share & (pl.col("unit") != VALUE) & pl.col("first").is_null())
        .then("unit")
        .when(pl.col("second").is_not_null() & pl.col("again").is_null())
        .then(_named("second"))
        .when(foreign & pl.col("fx").is_null())
        .then("term_currency")
    )
    return parts.select(
        *("row", "role", "amount", "per"),
        (pl.col("unit") == VALUE).alias("own"),
        _halves(product, wide(pl.col("per"))).alias("product"),
        lacks.alias("lacking"),
    )


def evaluate(lines: pl.DataFrame, terms_of: pl.DataFrame) -> pl.DataFrame:
    """Duty of each line by its expression.

    lines: `row`, `value` (minor units >= 0), `digits` of the minor unit; a row may come several times, with different
    values. terms_of: from `bound`. Returns `duty` (minor units, null where something is lacking) and `lacking`: the
    first unit (in order of name), or currency, that the expression needs and the line does not have; in the order of
    the lines. Negative sums count as 0.
    """
    lines = lines.select("row", "value", "digits").with_row_index("n")
    parts = lines.join(terms_of, on="row", how="inner")
    worth = wide(pl.col("value")) * pl.when(pl.col("digits") == 0).then(100).otherwise(1) * (MICRO // 100)
    percentage = _halves(pl.col("amount") * worth * PERCENTAGE, wide(pl.col("per")))
    product = pl.when("own").then(percentage).otherwise("product")
    sums = (
        parts.select("n", "role", "lacking", product.alias("product"))
        .group_by("n")
        .agg(
            *(
                pl.col("product").filter(pl.col("role") == role).sum().alias(name)
                for role, name in ((SUM, "sum"), (FLOOR, "floor"), (CAP, "cap"))
            ),
            *((pl.col("role") == role).any().alias(f"has_{name}") for role, name in ((FLOOR, "floor"), (CAP, "cap"))),
            pl.col("lacking").min(),
        )
    )
    held = pl.when(pl.col("has_floor")).then(pl.max_horizontal("sum", "floor")).otherwise("sum")
    held = pl.when(pl.col("has_cap")).then(pl.min_horizontal(held, "cap")).otherwise(held)
    unit = pl.when(pl.col("digits") == 0).then(wide(WHOLE)).otherwise(wide(WHOLE // 100))
    told = lines.select("n", "digits").join(sums, on="n", how="left", maintain_order="left")
    duty = half_up(pl.max_horizontal(held.fill_null(0), wide(0)), unit)
    return told.select(pl.when(pl.col("lacking").is_null()).then(duty).alias("duty"), "lacking")


def _halves(top: pl.Expr, bottom: pl.Expr) -> pl.Expr:
    """top / bottom rounded to the nearest, half away from zero."""
    sign = pl.when(top < 0).then(wide(-1)).otherwise(wide(1))
    return ((top * sign) * 2 + bottom) // (bottom * 2) * sign


def _named(column: str) -> pl.Expr:
    return pl.col(column).str.replace(r"[<>]\d+$", "")


def _with_quantity(parts: pl.DataFrame, quantities: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    """Adds the quantity of a unit, in millionths; `degree<100` is 100 less the degrees, `jewel>7` the jewels over 7."""
    plain = parts.with_columns(_named(column).alias("_unit"))
    joined = plain.join(
        quantities.select("row", pl.col("unit").alias("_unit"), pl.col("micro").alias("_micro")),
        on=["row", "_unit"],
        how="left",
    )
    bound = pl.col(column).str.extract(r"[<>](\d+)$").cast(pl.Int128) * MICRO
    under = pl.max_horizontal(bound - pl.col("_micro"), wide(0))
    over = pl.max_horizontal(pl.col("_micro") - bound, wide(0))
    value = (
        pl.when(pl.col("_micro").is_null())
        .then(None)
        .when(pl.col(column).str.contains("<", literal=True))
        .then(under)
        .when(pl.col(column).str.contains(">", literal=True))
        .then(over)
        .otherwise("_micro")
    )
    return joined.with_columns(value.alias(name)).drop("_unit", "_micro")


def told(cells: pl.Series) -> pl.DataFrame:
    """Quantities that cells tell, e.g. "kg_drained=1.5|jewel=17": `cell`, `unit`, `micro`; unreadable ones are left out."""
    rows = []
    for cell in cells.drop_nulls().unique().sort().to_list():
        for part in cell.split("|"):
            name, _, number = part.partition("=")
            try:
                amount = Decimal(number.strip())
            except ArithmeticError:
                continue
            if amount.is_finite() and amount >= 0:
                rows.append((cell, name.strip().lower(), int(amount * MICRO)))
    return pl.DataFrame(rows, schema={"cell": pl.String, "unit": pl.String, "micro": pl.Int128}, orient="row").unique(
        ["cell", "unit"], keep="first", maintain_order=True
    )
