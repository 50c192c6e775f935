"""Resolved duties put on lines: rates and expressions of every measure, summed to the minor unit measure by measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance import duty_value
from cbec.methods.compliance.amounts import TARIFF
from cbec.methods.compliance.exact import fits, micro, most, part, wide
from cbec.methods.compliance.tariff import FROM_LINE, Tariff

if TYPE_CHECKING:
    from cbec.methods.compliance.fixings import Fixings


class Applied:
    """The tariff on the lines of one part of a file."""

    def __init__(self, tariff: Tariff, fixings: Fixings, lines: pl.DataFrame) -> None:
        """lines: `row`, and of order_lines `net_weight_kg`, `quantities`, `currency`, `day`, with `piece_kg`, `pieces`."""
        self._tariff, self._fixings, self._lines = tariff, fixings, lines
        self._quantities: pl.DataFrame | None = None
        self._deep = max((len(r.parts) for r in tariff.resolutions), default=0)
        parts = [[*r.parts, *[None] * (self._deep - len(r.parts))] for r in tariff.resolutions]
        columns: dict[str, list[int | None]] = {}
        for i in range(self._deep):
            columns[f"rate{i}"] = [None if p[i] is None else p[i].rate for p in parts]  # type: ignore[union-attr]
            columns[f"expression{i}"] = [None if p[i] is None else p[i].expression for p in parts]  # type: ignore[union-attr]
        one = [
            r.parts[0].rate if len(r.parts) == 1 else (0 if not r.parts and r.problem is None else None)
            for r in tariff.resolutions
        ]
        self._table = pl.DataFrame(
            {
                **{name: pl.Series(name, cells, dtype=pl.Int64) for name, cells in columns.items()},
                "one": pl.Series("one", one, dtype=pl.Int64),
                "refused": pl.Series("refused", [r.problem for r in tariff.resolutions], dtype=pl.String),
                "bracket": pl.Series("bracket", [r.bracket for r in tariff.resolutions], dtype=pl.Int64),
            }
        )
        self._terms = duty_value.terms(tariff.expressions)

    def prepared(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Adds what the resolution of each line says: `one_rate`, `refused` (reason code or null), `bracket`."""
        held = {name: pl.lit(self._table[name]).gather(pl.col("resolution")) for name in ("one", "refused", "bracket")}
        expressed = [any(p.expression is not None for p in r.parts) for r in self._tariff.resolutions]
        asked = pl.lit(pl.Series(expressed, dtype=pl.Boolean)).gather(pl.col("resolution")).fill_null(False)
        self._lines = self._lines.filter(frame.select(asked.alias("asked"))["asked"])
        plain = pl.col("resolution").is_null() | (held["one"] == FROM_LINE)
        one = pl.when(plain).then("duty_rate").otherwise(held["one"])
        return frame.with_columns(
            one.alias("one_rate"), held["refused"].alias("refused"), held["bracket"].alias("bracket")
        )

    def duties(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Adds `tariff_duty` of `customs`, and `lacking`: the quantity that an expression asks for and the line lacks."""
        top, rate = (most(frame[name]) for name in ("customs", "one_rate"))
        base = pl.max_horizontal("customs", pl.lit(0, pl.Int64))
        duty = part(base, pl.col("one_rate").fill_null(0), fits(top, rate))
        frame = frame.drop("tariff_duty", "lacking", strict=False).with_columns(
            duty.alias("tariff_duty"), pl.lit(None, pl.String).alias("lacking")
        )
        rows = _several(frame)
        if not len(rows):
            return frame
        parts = self._parts(frame[rows])
        total = pl.lit(0, pl.Int64)
        for name in parts.columns:
            if name.startswith("duty"):
                total += pl.col(name).fill_null(0)
        sums = frame["tariff_duty"].scatter(rows, parts.select(total.alias("sum"))["sum"])
        lacking = [name for name in parts.columns if name.startswith("lacking")]
        if not lacking:
            return frame.with_columns(sums)
        told = parts.select(pl.coalesce(lacking).alias("lacking"))["lacking"]
        return frame.with_columns(sums, frame["lacking"].scatter(rows, told))

    def rate(self, frame: pl.DataFrame) -> pl.Series:
        """The duty in percent of the value (millionths) where every measure is a percentage, else null."""
        rows = _several(frame)
        if not len(rows):
            return frame["one_rate"].alias("rate")
        asked = frame.select("resolution", "duty_rate")[rows]
        total = pl.lit(0, pl.Int64)
        for i in range(self._deep):
            rate, expression = (
                pl.lit(self._table[f"{c}{i}"]).gather(pl.col("resolution")) for c in ("rate", "expression")
            )
            told = pl.when(rate == FROM_LINE).then("duty_rate").otherwise(rate).fill_null(0)
            total = pl.when(expression.is_null()).then(total + told)
        return frame["one_rate"].scatter(rows, asked.select(total.alias("rate"))["rate"]).alias("rate")

    def build_up(self, frame: pl.DataFrame) -> pl.DataFrame:
        """row -> `duty_parts`: what each measure adds, where there are several or one is no plain percentage.

        frame: lines with `customs`, `digits`, `sign`, whose duty comes from the tariff and is known.
        """
        many = [len(r.parts) > 1 or any(p.expression is not None for p in r.parts) for r in self._tariff.resolutions]
        frame = frame.filter(pl.lit(pl.Series(many, dtype=pl.Boolean)).gather(pl.col("resolution")))
        if frame.is_empty():
            return pl.DataFrame(schema={"row": frame.schema["row"], "duty_parts": pl.String})
        parts = self._parts(frame)
        names = [[p.measure for p in r.parts] for r in self._tariff.resolutions]
        told = []
        for i in range(self._deep):
            label = pl.Series([n[i] if len(n) > i else None for n in names], dtype=pl.String)
            amount = pl.col(f"duty{i}") * pl.col("sign")
            cents = amount.abs() % 100
            sign = pl.when(amount < 0).then(pl.lit("-")).otherwise(pl.lit(""))
            money = pl.concat_str(
                sign, (amount.abs() // 100).cast(pl.String), pl.lit("."), cents.cast(pl.String).str.zfill(2)
            )
            money = pl.when(pl.col("digits") == 0).then(amount.cast(pl.String)).otherwise(money)
            told.append(pl.concat_str(pl.lit(label).gather(pl.col("resolution")), pl.lit(" "), money))
        joined = frame.hstack([parts[c] for c in parts.columns if c.startswith("duty")]).select(
            "row", pl.concat_str(told, separator="|", ignore_nulls=True).alias("duty_parts")
        )
        return joined

    def _parts(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`duty0` .. of each measure, and `lacking0` .. where an expression could not be computed."""
        columns: list[pl.Series] = []
        # Lines that are not taxed by the tariff have a resolution too; their customs value may be below 0.
        base = pl.max_horizontal("customs", pl.lit(0, pl.Int64))
        for i in range(self._deep):
            rate, expression = (
                pl.lit(self._table[f"{c}{i}"]).gather(pl.col("resolution")) for c in ("rate", "expression")
            )
            told = pl.when(rate == FROM_LINE).then("duty_rate").otherwise(rate)
            columns.append(frame.select(part(base, told).alias(f"duty{i}"))[f"duty{i}"])
            if self._table[f"expression{i}"].null_count() == self._table.height or self._lines.is_empty():
                continue
            asked = frame.select(
                "row", "digits", base.alias("value"), expression.cast(pl.UInt32).alias("expression"), "duty_kind"
            ).filter(pl.col("expression").is_not_null() & (pl.col("duty_kind") == TARIFF))
            if asked.is_empty():
                continue
            asked = asked.join(
                self._lines.select("row", "currency", "day"), on="row", how="left", maintain_order="left"
            )
            found = duty_value.evaluate(asked, self._terms, self._held(), self._turned(asked))
            own = frame.select("row").join(found, on="row", how="left", maintain_order="left")
            columns[-1] = pl.select(pl.coalesce(own["duty"], columns[-1]).alias(f"duty{i}")).to_series()
            columns.append(own["lacking"].alias(f"lacking{i}"))
        return pl.DataFrame(columns) if columns else pl.zeros(frame.height, pl.Int64, eager=True).to_frame("duty0")

    def _held(self) -> pl.DataFrame:
        """Quantities of lines with expressions: row, unit, micro."""
        if self._quantities is None:
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
            self._quantities = every.unique(["row", "unit"], keep="first", maintain_order=True)
        return self._quantities

    def _turned(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Exchange rates of terms in another currency than the line's: row, term_currency, fx."""
        terms = self._terms.select("expression", "term_currency").drop_nulls().unique()
        rows = asked.join(terms, on="expression").filter(pl.col("term_currency") != pl.col("currency"))
        rows = rows.unique(["row", "term_currency"], maintain_order=True)
        pairs = [self._fixings.pair(a, b) for a, b in rows.select("term_currency", "currency").iter_rows()]
        fx = self._fixings.of(pl.Series(pairs, dtype=pl.Int64), rows["day"])
        return rows.select("row", "term_currency").with_columns(fx.alias("fx"))


def _several(frame: pl.DataFrame) -> pl.Series:
    """The lines with several measures, or one that is no percentage."""
    return frame.select((pl.col("one_rate").is_null() & pl.col("resolution").is_not_null()).alias("s"))["s"].arg_true()
