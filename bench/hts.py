"""How much of the United States' tariff schedule is computable, beside taking the percentage alone.

The schedule's 13,073 eight-digit rates are read; each that is read is computed for one line with every quantity told.
The peer column is what a reading of percentages alone gets right (what public trackers hold for each subheading).
"""

from __future__ import annotations

import csv
from collections import Counter

import polars as pl
from harness import Table, data_folder, timed

from cbec.methods.compliance import duty_value
from cbec.methods.compliance.duty_text import Expression, readable

ROWS = 100_000


def main() -> None:
    with (data_folder("compliance/tariff_us_hts") / "mfn_rates_2025.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["rate_raw"] for row in csv.DictReader(file)]
    counts = Counter(texts)
    found, seconds = timed(lambda: readable(counts))
    read = {text: e for text, e in found.items() if isinstance(e, Expression)}
    told = _computed(list(read.values()))
    assert told["lacking"].null_count() == told.height, "an expression lacks a quantity that was told"

    def lines(kind: str) -> int:
        return sum(counts[text] for text, e in read.items() if _kind(e) == kind)

    table = Table("hts", "Rate texts of the HTS, 13,073 eight-digit lines")
    executable = sum(counts[text] for text in read)
    table.rows = [
        {"what": "computable", "lines": executable, "share %": 100 * executable / len(texts), "bar %": 99.5},
        *(
            {"what": f"  {kind}", "lines": lines(kind), "share %": 100 * lines(kind) / len(texts)}
            for kind in ("free or a plain percentage", "amounts per unit, compounds, components, bounds", "on top of the duty of the own subheading", "free under a condition")
        ),
        {"what": "undetermined, with the reason", "lines": len(texts) - executable, "share %": 100 - 100 * executable / len(texts)},
        {"what": "peer: free and plain percentages only", "lines": lines("free or a plain percentage"), "share %": 100 * lines("free or a plain percentage") / len(texts)},
    ]  # fmt: skip
    mixed = [e for e in read.values() if e.simple is None]
    _, computing = timed(lambda: _computed([mixed[i % len(mixed)] for i in range(ROWS)]))
    table.notes = [
        f"{len(counts)} distinct texts read in {seconds:.2f} CPU-s; {ROWS:,} lines of compound rates computed in {computing:.2f} CPU-s",
        *(f"undetermined: {counts[text]} x {text[:110]}" for text, e in sorted(found.items(), key=lambda x: -counts[x[0]]) if isinstance(e, str)),
    ]  # fmt: skip
    table.finish()


def _kind(expression: Expression) -> str:
    if expression.simple is not None:
        return "free or a plain percentage"
    if expression.condition is not None:
        return "free under a condition"
    return (
        "on top of the duty of the own subheading"
        if expression.base
        else "amounts per unit, compounds, components, bounds"
    )


def _computed(expressions: list[Expression]) -> pl.DataFrame:
    """One line of 100.00 per expression with 3 of everything it asks for."""
    lines = pl.DataFrame({"row": range(len(expressions)), "expression": range(len(expressions))}).cast(pl.UInt32)
    lines = lines.with_columns(value=pl.lit(10_000), digits=pl.lit(2), currency=pl.lit("USD"))
    held = [(row, unit, 3_000_000) for row, e in enumerate(expressions) for unit in e.needs]
    quantities = pl.DataFrame(held, schema={"row": pl.UInt32, "unit": pl.String, "micro": pl.Int128}, orient="row")
    fixings = pl.DataFrame(schema={"row": pl.UInt32, "term_currency": pl.String, "fx": pl.Int128})
    terms = duty_value.bound(lines, duty_value.terms(expressions), quantities, fixings)
    return duty_value.evaluate(lines, terms)


if __name__ == "__main__":
    main()
