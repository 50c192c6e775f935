"""The seeded generator of the sample company: two years of a small cross-border seller, with planted truths.

`cbec demo` works on what it makes, and the tests ask the planted truths back. Maintainers renew the folder with
`python -m cbec.sample sample_data`. The families of tables live in cbec/methods/sample, each with its own stream
of random numbers: a new family is one more name in FAMILIES and changes no table of the others.
"""

from __future__ import annotations

import gzip
import importlib
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec import tables as contracts
from cbec.core.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

#: Modules of cbec/methods/sample with a function `family(company)`, in the order of their tables.
FAMILIES = (
    "products",
    "demand",
    "stock",
    "orders",
    "rates",
    "fx",
    "transport",
    "risk",
    "supply",
    "settle",
    "warehouse",
    "registered",
    "calendar",
    "invoices",
    "buying",
    "recent",
)
#: Tables that stand under another name than their contract's.
CONTRACTS = {"sales_since": "sales"}
#: Tables too large for plain text.
PACKED = ("sales", "sales_since", "transactions", "settlements")


def make(seed: int = 7) -> dict[str, pl.DataFrame]:
    """The tables of the company by name, typed as their contracts say and sorted by key.

    Args:
        seed: any whole number from 0; the same seed makes the same tables.
    """
    return _make(seed)[0]


def truths(seed: int = 7) -> dict[str, Any]:
    """What is planted in the tables of this seed: plain values, as written to truths.yaml."""
    return _make(seed)[1]


def write(folder: Path, seed: int = 7) -> list[Path]:
    """Write every table and truths.yaml into a folder, all of them or none; gives back their paths.

    Tables are CSV (the long ones gzipped). The same seed writes the same bytes.
    """
    tables, planted = _make(seed)
    files = {f"{name}.csv.gz" if name in PACKED else f"{name}.csv": _csv(frame) for name, frame in tables.items()}
    files["truths.yaml"] = _yaml(planted)
    with Staging() as staging:
        for name, data in files.items():
            # No time and no name in the gzip header, or the bytes would differ from run to run.
            staging.write(Path(folder) / name, gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return [Path(folder) / name for name in files]


def _make(seed: int) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    from cbec.methods.sample import company as companies

    company = companies.found(seed)
    tables: dict[str, pl.DataFrame] = {}
    planted: dict[str, Any] = {"seed": seed, "from": companies.START, "to": companies.END}
    for name in FAMILIES:
        made = importlib.import_module(f"cbec.methods.sample.{name}").family(company)
        tables |= {table: _typed(table, frame) for table, frame in made.tables.items()}
        planted |= made.truths
    return tables, planted


def _typed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as the contract has them (families draw floats)."""
    import polars as pl

    kinds = {"float": pl.Float64(), "decimal": pl.Decimal(38, 6), "int": pl.Int64()}
    columns = [
        c for c in contracts.get(CONTRACTS.get(name, name)).columns if c.kind in kinds and c.name in frame.columns
    ]
    return frame.with_columns(pl.col(c.name).cast(kinds[c.kind]) for c in columns)


def _csv(frame: pl.DataFrame) -> bytes:
    """CSV as a person would write it: whole numbers without a point, decimals without zeros behind."""
    import polars as pl

    columns = []
    for column in frame.iter_columns():
        tidy = column.cast(pl.Float64) if column.dtype.is_decimal() else column
        if tidy.dtype.is_float() and (tidy.round(0) == tidy).all():
            tidy = tidy.cast(pl.Int64)
        columns.append(tidy)
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_csv(buffer)
    return buffer.getvalue()


def _yaml(planted: dict[str, Any]) -> bytes:
    """YAML with one record a line, and quotes round what begins with a digit (some readers take 00108 for 108)."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Representers are kept by class: those of SafeDumper stay as they are."""

    def flat(values: Iterable[Any]) -> bool:
        return not any(isinstance(value, dict | list) for value in values)

    Dumper.add_representer(
        str, lambda d, v: d.represent_scalar("tag:yaml.org,2002:str", v, style="'" if v[:1].isdigit() else None)
    )
    Dumper.add_representer(list, lambda d, v: d.represent_sequence("tag:yaml.org,2002:seq", v, flow_style=flat(v)))
    Dumper.add_representer(
        dict, lambda d, v: d.represent_mapping("tag:yaml.org,2002:map", v.items(), flow_style=flat(v.values()))
    )
    head = "# What the generator planted (python -m cbec.sample). Series are SKU@MARKET, stock is SKU@WAREHOUSE.\n"
    return (head + yaml.dump(planted, Dumper=Dumper, sort_keys=False, width=160)).encode()


def main(arguments: list[str]) -> int:
    """`python -m cbec.sample FOLDER [SEED]`."""
    if len(arguments) not in (1, 2) or not all(a.isdecimal() for a in arguments[1:]):
        sys.stderr.write("usage: python -m cbec.sample FOLDER [SEED]\n")
        return 2
    for path in write(Path(arguments[0]), *(int(a) for a in arguments[1:])):
        sys.stdout.write(f"{path}\t{path.stat().st_size}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
