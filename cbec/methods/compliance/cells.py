"""Words of a YAML file as typed cells: columns of tables, and shapes of lists and mappings made of them.

Scalars are kept as they were written until a column says what they are, so that the customs code 0402 keeps its zero
and the country NO does not become the answer no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import polars as pl

from cbec.core.codes import COUNTRIES, CURRENCIES, MEANT
from cbec.core.contract import Column, Contract
from cbec.core.errors import UsageFault, did_you_mean
from cbec.core.onceyaml import Once

DTYPES: dict[str, Any] = {
    "text": pl.String,
    "country": pl.String,
    "currency": pl.String,
    "int": pl.Int64,
    "decimal": pl.Decimal(38, 6),
    "float": pl.Float64,
    "date": pl.Date,
    "bool": pl.Boolean,
}
YES, NO = ("true", "yes"), ("false", "no")
ASKED = {
    "int": "a whole number, e.g. 3",
    "decimal": "a number with a point, e.g. 12.50",
    "float": "a number with a point, e.g. 0.25",
    "date": "a day, e.g. 2024-06-30",
    "bool": "true or false",
    "country": "two letters, e.g. DE",
    "currency": "three letters, e.g. EUR",
}
"""How a cell of each kind is to be written."""
CODES = {"country": COUNTRIES, "currency": CURRENCIES}

Shape: TypeAlias = "Column | Contract | list[Shape] | dict[str, Shape]"
"""What may stand somewhere in a case: a cell, a row of a table, a list (of the one shape it holds), a mapping with these
keys (`*` = any)."""


class VerbatimLoader(Once):
    """YAML whose scalars stay text; only an empty cell or `null` is nothing."""


VerbatimLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in Once.yaml_implicit_resolvers.items()
}


def columns(**kinds: str) -> dict[str, Shape]:
    """A mapping of cells: name = kind."""
    return {name: Column(name, kind) for name, kind in kinds.items()}  # type: ignore[arg-type]


def known(raw: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    """Raises UsageFault for a key that is none of `keys`, with the nearest."""
    words = list(keys)
    for key in raw:
        if key not in words:
            raise UsageFault(f'{where}: key "{key}" is not known{did_you_mean(str(key), words)}')


def read(value: Any, shape: Shape, where: str) -> Any:
    """The value in the types of its shape; one thing where a list is asked stands for a list of one.

    Raises UsageFault naming the place, the key and the value.
    """
    if value is None:
        return None
    if isinstance(shape, Column):
        return cell(value, shape, where)
    if isinstance(shape, list):
        items = value if isinstance(value, list) else [value]
        return [read(item, shape[0], f"{where}: {n}") for n, item in enumerate(items, start=1)]
    if not isinstance(value, dict):
        raise UsageFault(f"{where}: {value!r} is no mapping of keys")
    if isinstance(shape, Contract):
        return row(value, shape.columns, where)
    if "*" not in shape:
        known(value, shape, where)
    return {key: read(item, shape.get(key) or shape["*"], _at(where, key, item)) for key, item in value.items()}


def _at(where: str, key: str, item: object) -> str:
    """A cell tells its own name; a list or mapping does not."""
    return f"{where}: {key}" if isinstance(item, (list, dict)) else where


def row(raw: Any, allowed: Sequence[Column], where: str) -> dict[str, Any]:
    """A mapping of columns as typed cells."""
    if not isinstance(raw, dict):
        raise UsageFault(f"{where}: {raw!r} is no mapping of columns")
    found = {column.name: column for column in allowed}
    known(raw, found, where)
    return {key: cell(value, found[key], where) for key, value in raw.items()}


def cell(value: Any, column: Column, where: str) -> Any:
    """One cell in the type of its column, None for nothing."""
    if value is None:
        return None
    asked = f"; write {ASKED[column.kind]}" if column.kind in ASKED else ""
    fault = UsageFault(f"{where}: {column.name} {value!r} is no {column.kind}{asked}")
    if isinstance(value, (list, dict)):
        raise fault
    text = str(value).strip()
    try:
        if column.kind in ("decimal", "float", "int"):
            number = Decimal(text)
            if not number.is_finite() or (column.kind == "int" and number != int(number)):
                raise fault
            return {"decimal": Decimal, "float": float, "int": int}[column.kind](number)
        if column.kind == "date":
            return date.fromisoformat(text)
    except (InvalidOperation, ValueError):
        raise fault from None
    if column.kind == "bool":
        if text.lower() not in (*YES, *NO):
            raise fault
        return text.lower() in YES
    if column.kind in CODES:
        if text.upper() not in CODES[column.kind]:
            if meant := MEANT.get(text.upper()):
                raise UsageFault(f"{where}: {column.name} {value!r} is no {column.kind}; did you mean {meant}?")
            raise fault
        return text.upper()
    if column.one_of is not None and text not in column.one_of:
        near = did_you_mean(text, column.one_of)
        raise UsageFault(f'{where}: {column.name} "{text}" is none of {", ".join(column.one_of)}{near}')
    return text


def frame(rows: Sequence[Mapping[str, Any]], contract: Contract) -> pl.DataFrame:
    """Rows as a typed table of that contract; what they leave out is null."""
    return pl.DataFrame(
        [pl.Series(c.name, [one.get(c.name) for one in rows], dtype=DTYPES[c.kind]) for c in contract.columns]
    )
