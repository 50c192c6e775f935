"""Table contracts: columns, keys, rules. Declarations only, so that help and schema need no Polars.

`core.check` turns raw frames into typed good rows and rejects by these declarations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cbec.core.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

Kind = Literal["text", "int", "float", "decimal", "date", "moment", "bool", "country", "currency"]
"""Kinds of cell. text: verbatim (ids keep their zeros). float: Float64. decimal: exact, Decimal(38, 6).
date: Date. moment: Date where every cell of the column is a date, else Datetime (microseconds, naive, in the
zone of the setting `time_zone` or the user's own). country: ISO 3166-1 alpha-2 (or an EU special code such as XI).
currency: ISO 4217, upper case."""


@dataclass(frozen=True)
class Column:
    """One column. `required=False` means the column may be absent; `null=True` that single cells may be empty.

    Optional columns may always be empty in single cells. `min`/`max` are inclusive; `above` is exclusive.
    `digits`: decimals to which outputs are rounded. `per_row_default`: value of an absent column or empty cell.
    """

    name: str
    kind: Kind
    description: str = ""
    required: bool = True
    null: bool = False
    unit: str | None = None
    min: float | None = None
    max: float | None = None
    above: float | None = None
    one_of: tuple[str, ...] | None = None
    default: str | float | bool | None = None
    digits: int | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A promise over whole rows. `broken` gives a Boolean expression, true where the row breaks it."""

    name: str
    message: str
    needs: tuple[str, ...]
    broken: Callable[[], pl.Expr]
    column: str | None = None


@dataclass(frozen=True)
class Contract:
    """A table. `key`: columns that name a row (those present count); `time`: the column that `--as-of` cuts,
    None where rows tell of the future; `counted`: the day on which a row's state was seen, later than `--as-of` it is
    refused, since no earlier row tells what was then; `open`: extra numeric columns belong to the table;
    `dynamic_key`: leading key columns are chosen by a setting (the series of a forecast); `twice`: what to do where a key
    comes twice."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str | None = None
    counted: str | None = None
    open: bool = False
    dynamic_key: bool = False
    rules: tuple[Rule, ...] = ()
    twice: str = ""

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        return next(c for c in self.columns if c.name == name)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [c.name for c in self.columns]


def optional(name: str, kind: Kind, description: str = "", **more: object) -> Column:
    """A column that may be absent or empty."""
    return Column(name, kind, description, required=False, null=True, **more)  # type: ignore[arg-type]


def one_meaning(contracts: Sequence[Contract]) -> dict[str, Contract]:
    """Contracts by name; a name that comes twice is a mistake of ours."""
    found: dict[str, Contract] = {}
    for contract in contracts:
        if contract.name in found:
            raise UsageFault(f'table "{contract.name}" is declared twice')
        found[contract.name] = contract
    return found
