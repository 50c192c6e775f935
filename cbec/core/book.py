"""Faults of a table as they are found: of single cells by position, and of the table as a whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cbec.core.errors import Fault
from cbec.core.files import FILE, ROW

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.contract import Contract


@dataclass
class Book:
    """Collects faults of one table. frame: the raw cells under the names of the contract, with `__file`, `__row`.

    spelled: contract column -> its name in the file, where messages tell it if it differs.
    """

    contract: Contract
    frame: pl.DataFrame
    spelled: dict[str, str] = field(default_factory=dict)
    whole: list[Fault] = field(default_factory=list)
    found: list[pl.DataFrame] = field(default_factory=list)

    def refuse(self, column: str, position: int | None, rule: str, message: str) -> None:
        """A fault for which no row of the table can go on, shown at one position if there is one."""
        row = value = None
        if position is not None:
            row, cell = int(self.frame[ROW][position]), self._cells(column)[position]
            value = None if cell is None else str(cell)
        file = str(self.frame[FILE][position or 0]) if self.frame.height else self.contract.name
        self.whole.append(Fault(self.contract.name, file, row, column, value, rule, message + self._headed(column)))

    def refused(self, column: str) -> bool:
        """Whether a fault of the whole names this column already."""
        return any(fault.column == column for fault in self.whole)

    def cell(
        self, column: str, mask: pl.Series, rule: str, message: str, suggest: Callable[[str], str] | None = None
    ) -> None:
        """Faults of the cells where mask is true; {} in the message is the cell, `suggest` adds to it per cell."""
        import polars as pl

        positions = mask.fill_null(False).arg_true()
        if positions.is_empty():
            return
        values = self._cells(column).gather(positions).cast(pl.String).alias("value")
        shown = values.fill_null("").str.slice(0, 80)
        if "{}" in message:
            told = pl.select(pl.format(message, shown)).to_series()
        else:
            told = pl.Series([message], dtype=pl.String).new_from_index(0, len(positions))
        if suggest is not None:
            distinct = values.unique().drop_nulls()
            more = pl.Series([suggest(value) for value in distinct], dtype=pl.String)
            told = told + values.replace_strict(distinct, more, default="", return_dtype=pl.String)
        self.row(column, positions, rule, values, told + self._headed(column))

    def row(self, column: str, positions: pl.Series, rule: str, values: pl.Series, told: pl.Series) -> None:
        """Faults whose values and messages are made already."""
        import polars as pl

        names = self.contract.names
        order = names.index(column) if column in names else len(names)
        block = pl.DataFrame({"position": positions.cast(pl.UInt32), "value": values, "message": told})
        marks = {"column": pl.lit(column), "rule": pl.lit(rule), "order": pl.lit(order, pl.UInt32)}
        self.found.append(block.with_columns(**marks))

    def _headed(self, column: str) -> str:
        name = self.spelled.get(column, column)
        return "" if name == column else f' (headed "{name}")'

    def _cells(self, column: str) -> pl.Series:
        import polars as pl

        if column in self.frame.columns:
            return self.frame[column]
        return pl.Series(column, [None], pl.String).new_from_index(0, self.frame.height)

    def positions(self) -> pl.Series:
        """Positions of rows with a fault, each once."""
        import polars as pl

        if not self.found:
            return pl.Series("position", [], pl.UInt32)
        return pl.concat([block["position"] for block in self.found]).unique().sort()

    def rejects(self) -> pl.DataFrame:
        """Every fault as a row of the table `rejects`: first of the whole, then by file, row and column as read."""
        import polars as pl

        text = ("table", "file", "column", "value", "rule", "message")
        schema = {f.name: pl.String if f.name in text else pl.Int64 for f in dataclasses.fields(Fault)}
        parts = [pl.DataFrame([dataclasses.asdict(fault) for fault in self.whole], schema=schema)]
        if self.found:
            found = pl.concat(self.found).sort("position", "order", "rule", maintain_order=True)
            place = self.frame.select(FILE, ROW)[found["position"]]
            found = found.with_columns(
                pl.lit(self.contract.name).alias("table"),
                place[FILE].alias("file"),
                place[ROW].cast(pl.Int64).alias("row"),
            )
            parts.append(found.select(list(schema)))
        return pl.concat(parts)
