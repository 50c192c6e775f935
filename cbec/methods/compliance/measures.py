"""Resolved duties put on lines: rates and expressions of every measure, summed to the minor unit measure by measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.methods.compliance import duty_value
from cbec.methods.compliance.amounts import TARIFF
from cbec.methods.compliance.codes import REASON, gather, places, scattered, taken
from cbec.methods.compliance.exact import at_least, fits, micro, most, part, wide
from cbec.methods.compliance.tariff import FROM_LINE, Tariff

if TYPE_CHECKING:
    from cbec.methods.compliance.fixings import Fixings


NEEDED = ("row", "resolution", "duty_rate", "duty_kind", "customs", "digits")
"""What the duties of several measures are reckoned of."""
OF_EACH: dict[str, Any] = {
    "one": pl.Int64, "refused": REASON, "bracket": pl.Int64, "several": pl.Boolean, "expressed": pl.Boolean, "unchecked": pl.Boolean, "what": REASON,
}  # fmt: skip
"""What every resolution says besides its parts."""


class Resolved:
    """What the resolutions of a tariff say, as a table that grows with them.

    `table` has a row for each: `rate0`, `expression0`, `measure0` .. of its parts, `one` (the rate where it is one
    percentage), `refused` (reason code), `bracket`, `several` (parts, or one that is no percentage), `expressed`,
    `unchecked`, `what` (it was refused about).
    """

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        self.deep = 0
        self.table = pl.DataFrame(schema=OF_EACH)
        self.terms = duty_value.terms([])

    def grow(self) -> None:
        """Adds rows for the resolutions that were met since."""
        fresh = self.tariff.resolutions[self.table.height :]
        if not fresh:
            return
        self.deep = max(self.deep, *(len(r.parts) for r in fresh))
        parts = [[*r.parts, *[None] * (self.deep - len(r.parts))] for r in fresh]
        columns: list[pl.Series] = []
        for i in range(self.deep):
            held = [p[i] for p in parts]
            columns += [
                pl.Series(f"rate{i}", [p and p.rate for p in held], dtype=pl.Int64),
                pl.Series(f"expression{i}", [p and p.expression for p in held], dtype=pl.Int64),
                pl.Series(f"measure{i}", [p and p.measure for p in held], dtype=pl.String),
            ]
        one = [
            r.parts[0].rate if len(r.parts) == 1 else (0 if not r.parts and r.problem is None else None) for r in fresh
        ]
        expressed = [any(p.expression is not None for p in r.parts) for r in fresh]
        said: dict[str, list[Any]] = {
            "one": one,
            "refused": [r.problem for r in fresh],
            "bracket": [r.bracket for r in fresh],
            "several": [len(r.parts) > 1 or e for r, e in zip(fresh, expressed, strict=True)],
            "expressed": expressed,
            "unchecked": [r.unchecked for r in fresh],
            "what": [r.what for r in fresh],
        }
        for name, kind in OF_EACH.items():
            columns.append(pl.Series(name, said[name], dtype=pl.String if kind == REASON else kind).cast(kind))
        self.table = pl.concat([self.table, pl.DataFrame(columns)], how="diagonal", rechunk=True)
        self.terms = duty_value.terms(self.tariff.expressions)

    def of(self, column: str) -> pl.Expr:
        """What the column says of each line's `resolution`."""
        told = self.table[column]
        return pl.lit(None, told.dtype) if told.null_count() == len(told) else gather(told, "resolution")


class Applied:
    """The tariff on the lines of one part of a file."""

    def __init__(self, resolved: Resolved, fixings: Fixings, lines: pl.DataFrame) -> None:
        """lines: `row`, and of order_lines `net_weight_kg`, `quantities`, `currency`, `day`, with `piece_kg`, `pieces`."""
        self._resolved, self._fixings, self._lines = resolved, fixings, lines
        self._terms: dict[int, pl.DataFrame] = {}

    def prepared(self, frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
        """Adds what the resolution of each line says: `one_rate`, `refused` (reason code or null), `bracket`.

        rows: the lines with a `resolution`.
        """
        table, number = self._resolved.table, frame["resolution"].gather(rows)

        def those(flags: pl.Series) -> pl.Series:
            """Of `rows` those whose resolution has a flag."""
            return rows.gather(places(taken(flags, number)))

        self._lines = self._lines[those(table["expressed"])]
        stepped = those(table["bracket"].is_not_null())
        bracket = table["bracket"].gather(frame["resolution"].gather(stepped))
        told = frame.select("resolution", "duty_rate", self._resolved.of("one").alias("one"))
        plain = pl.col("resolution").is_null() | (pl.col("one") == FROM_LINE)
        one = told.select(pl.when(plain).then("duty_rate").otherwise("one").alias("one_rate"))
        return frame.hstack(one).with_columns(
            self._resolved.of("refused").alias("refused"), scattered("bracket", frame.height, stepped, bracket)
        )

    def bind(self, frame: pl.DataFrame) -> None:
        """Looks up what the expressions of lines ask for, but for the customs value. frame: decided lines."""
        if self._lines.is_empty():
            return
        asked = self._lines.select("row", "currency", "day").hstack(
            frame.select("resolution", "duty_kind")[self._lines["row"]]
        )
        asked = asked.filter(pl.col("duty_kind") == TARIFF)
        quantities = self._held() if asked.height else None
        for i in range(self._resolved.deep):
            rows = asked.with_columns(self._resolved.of(f"expression{i}").cast(pl.UInt32).alias("expression"))
            rows = rows.filter(pl.col("expression").is_not_null())
            if rows.height and quantities is not None:
                self._terms[i] = duty_value.bound(rows, self._resolved.terms, quantities, self._turned(rows))

    def duties(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Adds `tariff_duty` of `customs`, and `lacking`: the quantity that an expression asks for and the line lacks."""
        top, rate = (most(frame[name]) for name in ("customs", "one_rate"))
        base = at_least("customs")
        duty = part(base, pl.col("one_rate").fill_null(0), fits(top, rate))
        frame = frame.drop("tariff_duty", "lacking", strict=False).with_columns(
            duty.alias("tariff_duty"), pl.lit(None, REASON).alias("lacking")
        )
        rows = _several(frame)
        if not len(rows):
            return frame
        parts = self._parts(frame.select(NEEDED)[rows])
        total = pl.lit(0, pl.Int64)
        for name in parts.columns:
            if name.startswith("duty"):
                total += pl.col(name).fill_null(0)
        sums = frame["tariff_duty"].scatter(rows, parts.select(total.alias("sum"))["sum"])
        lacking = [name for name in parts.columns if name.startswith("lacking")]
        if not lacking:
            return frame.with_columns(sums)
        told = parts.select(pl.coalesce(lacking).alias("lacking"))["lacking"]
        return frame.with_columns(sums, frame["lacking"].scatter(rows, told.cast(REASON)))

    def rate(self, frame: pl.DataFrame) -> pl.Series:
        """The duty in percent of the value (millionths) where every measure is a percentage, else null."""
        rows = _several(frame)
        if not len(rows):
            return frame["one_rate"].alias("rate")
        asked = frame.select("resolution", "duty_rate")[rows]
        total = pl.lit(0, pl.Int64)
        for i in range(self._resolved.deep):
            rate, expression = (self._resolved.of(f"{c}{i}") for c in ("rate", "expression"))
            told = pl.when(rate == FROM_LINE).then("duty_rate").otherwise(rate).fill_null(0)
            total = pl.when(expression.is_null()).then(total + told)
        return frame["one_rate"].scatter(rows, asked.select(total.alias("rate"))["rate"]).alias("rate")

    def build_up(self, frame: pl.DataFrame) -> pl.DataFrame:
        """row -> `duty_parts`: what each measure adds, where there are several or one is no plain percentage.

        frame: lines with `customs`, `digits`, `sign`, `problem`; told of those whose duty comes from the tariff and is known.
        """
        asked = pl.col("problem").is_null() & (pl.col("duty_kind") == TARIFF) & self._resolved.of("several")
        frame = frame.select(*NEEDED, "sign", "problem")[_several(frame)].filter(asked)
        if frame.is_empty():
            return pl.DataFrame(schema={"row": frame.schema["row"], "duty_parts": pl.String})
        parts = self._parts(frame)
        told = []
        for i in range(self._resolved.deep):
            amount = pl.col(f"duty{i}") * pl.col("sign")
            cents = amount.abs() % 100
            sign = pl.when(amount < 0).then(pl.lit("-")).otherwise(pl.lit(""))
            money = pl.concat_str(
                sign, (amount.abs() // 100).cast(pl.String), pl.lit("."), cents.cast(pl.String).str.zfill(2)
            )
            money = pl.when(pl.col("digits") == 0).then(amount.cast(pl.String)).otherwise(money)
            told.append(pl.concat_str(self._resolved.of(f"measure{i}"), pl.lit(" "), money))
        return frame.hstack([parts[c] for c in parts.columns if c.startswith("duty")]).select(
            "row", pl.concat_str(told, separator="|", ignore_nulls=True).alias("duty_parts")
        )

    def _parts(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`duty0` .. of each measure, and `lacking0` .. where an expression could not be computed."""
        columns: list[pl.Series] = []
        # Lines that are not taxed by the tariff have a resolution too; their customs value may be below 0.
        base = at_least("customs")
        for i in range(self._resolved.deep):
            rate, expression = (self._resolved.of(f"{c}{i}") for c in ("rate", "expression"))
            percent = pl.when(rate == FROM_LINE).then("duty_rate").otherwise(rate)
            columns.append(frame.select(part(base, percent).alias(f"duty{i}"))[f"duty{i}"])
            if i not in self._terms:
                continue
            rows = places(frame.select((expression.is_not_null() & (pl.col("duty_kind") == TARIFF)).alias("x"))["x"])
            asked = frame.select("row", base.alias("value"), "digits")[rows]
            found = duty_value.evaluate(asked, self._terms[i])
            lacking = pl.Series(f"lacking{i}", [None], dtype=pl.String).new_from_index(0, frame.height)
            # What lacks something has no duty.
            columns[-1] = columns[-1].scatter(rows, found["duty"])
            columns.append(lacking.scatter(rows, found["lacking"]))
        return pl.DataFrame(columns) if columns else pl.zeros(frame.height, pl.Int64, eager=True).to_frame("duty0")

    def _held(self) -> pl.DataFrame:
        """Quantities of lines with expressions: row, unit, micro."""
        lines = self._lines
        piece = wide(pl.col("pieces"))
        own = micro(pl.col("piece_kg").cast(pl.Decimal(38, 6)))
        weighed = pl.coalesce(micro("net_weight_kg"), own * piece // 10**6)
        known = lines.select("row", weighed.alias("kg"), piece.alias("piece"), piece.alias("pair"))
        known = known.with_columns((pl.col("kg") * 1000).alias("gram"))
        long = known.unpivot(index="row", variable_name="unit", value_name="micro").drop_nulls("micro")
        told = duty_value.told(lines["quantities"])
        said = lines.select("row", pl.col("quantities").alias("cell")).join(told, on="cell", how="inner")
        every = pl.concat([said.select("row", "unit", "micro"), long.with_columns(pl.col("micro").cast(pl.Int128))])
        return every.unique(["row", "unit"], keep="first", maintain_order=True)

    def _turned(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Exchange rates of terms in another currency than the line's: row, term_currency, fx."""
        terms = self._resolved.terms.select("expression", "term_currency").drop_nulls().unique()
        rows = asked.join(terms, on="expression").filter(pl.col("term_currency") != pl.col("currency"))
        rows = rows.unique(["row", "term_currency"], maintain_order=True)
        pairs = [self._fixings.pair(a, b) for a, b in rows.select("term_currency", "currency").iter_rows()]
        fx = self._fixings.of(pl.Series(pairs, dtype=pl.Int64), rows["day"])
        return rows.select("row", "term_currency").with_columns(fx.alias("fx"))


def _several(frame: pl.DataFrame) -> pl.Series:
    """The lines with several measures, or one that is no percentage."""
    return places(frame["one_rate"].is_null() & frame["resolution"].is_not_null())
