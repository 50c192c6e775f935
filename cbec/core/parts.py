"""A catalogue in parts: borders in its key, what a part answers, and the whole put together again.

A part is a catalogue of its own. Its output tables are brought into the shape of their contracts where the part is worked on, and
stay in files until they are written one after the other: their keys begin with the partition key, so that this is their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbec.core import check, ranged, reasons
from cbec.core.command import Result, find
from cbec.core.errors import Fault, InputRejected
from cbec.core.writing import Stored, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from cbec.core.command import Command, Common, Parts

    Table = pl.DataFrame | Stored

CHECKED, REJECTS = "_checked", "_rejects"
"""Tables of a part that tell how its share of a table read by ranges kept its contract."""


def told(**facts: Any) -> pl.DataFrame:
    """What a part has to tell of itself, as a table, so that it travels like any other."""
    import polars as pl

    return pl.DataFrame({"told": [json.dumps(facts)]})


def heard(table: pl.DataFrame) -> list[dict[str, Any]]:
    """What the parts told, in the order of their keys."""
    return [json.loads(line) for line in table["told"]]


def distinct(table: pl.DataFrame | ranged.Ranged, *columns: str) -> pl.DataFrame:
    """Distinct rows of some columns (of a frame: those it has), in no order to count on."""
    if isinstance(table, ranged.Ranged):
        return table.distinct(*columns)
    return table.select([c for c in columns if c in table.columns]).unique()


def borders(leading: pl.DataFrame | ranged.Ranged, key: str, size: Parts) -> list[str]:
    """The first key of every part but the first: none where the catalogue stays whole."""
    import polars as pl

    units = distinct(leading, *dict.fromkeys((key, *size.unit)))
    total = units.height
    if total <= size.over:
        return []
    keys = units.group_by(key).len().sort(key)
    first = pl.col("len").cum_sum() - pl.col("len")
    part = first.cast(pl.Int64) * -(-total // size.size) // total
    starts = keys.filter((part != part.shift(1)).fill_null(False))
    return starts[key].to_list()


def inputs(
    command: Command, settings: Common, paths: Mapping[str, Sequence[str]], rows: int
) -> dict[str, ranged.Ranged]:
    """The input tables of a run that are read by ranges, since it will be cut and they are large.

    rows: of a range, where a part needs nothing of the others.
    """
    from cbec import tables

    if command.ranged:
        return _by_rows(command, paths, rows)
    size = None if command.parts is None else command.parts(settings, [name for name in paths if paths[name]])
    leading = command.leading
    if size is None or leading is None or not paths.get(leading):
        return {}
    key = command.by[0]
    first = ranged.offered(tables.get(leading), paths[leading], key)
    if first is None or not borders(first, key, size):
        return {}
    others = [i.table for i in command.inputs if i.table != leading and not i.raw and paths.get(i.table)]
    offers = {name: ranged.offered(tables.get(name), paths[name], key) for name in others}
    return {leading: first} | {name: offer for name, offer in offers.items() if offer is not None}


def _by_rows(command: Command, paths: Mapping[str, Sequence[str]], rows: int) -> dict[str, ranged.Ranged]:
    """The leading table, where it is large, with its ranges."""
    from cbec import tables

    leading = command.leading
    if leading is None or not paths.get(leading):
        return {}
    offer = ranged.offered(tables.get(leading), paths[leading], command.by[0])
    offer = None if offer is None else offer.ranges(rows)
    return {} if offer is None or not offer.borders else {leading: offer}


@dataclass(frozen=True)
class Body:
    """What is run on a part: reads what is read by ranges, answers, and brings the outputs into shape.

    wanted: tables that the run was asked for, of those that are made only then.
    """

    step: str
    name: str
    wanted: tuple[str, ...]

    def __call__(self, *, s: Common, **given: Any) -> Result:
        """The output tables as they are written, and the tables that are told of the part."""
        command = find(self.step, self.name)
        seen = [(name, value.read(s)) for name, value in given.items() if isinstance(value, ranged.Ranged)]
        for _, checked in seen:
            if checked.total and checked.good.is_empty():
                raise InputRejected(f"{checked.table}: {checked.total} faults", checked.faults, total=checked.total)
        result = command.function(**given | {name: checked.good for name, checked in seen}, s=s)
        result.tables |= {name: make() for name, make in result.later.items() if name in self.wanted}
        inner = {name: table for name, table in result.tables.items() if not ordered(command, name)}
        outer = {name: table for name, table in result.tables.items() if name not in inner}
        return Result(inner | shaped(command, outer, s) | _verdicts([checked for _, checked in seen]))


def ordered(command: Command, name: str) -> bool:
    """Whether an output table of the parts, one after the other, is in the order of its key."""
    from cbec import tables

    return name in command.outputs and tables.get(name).key[:1] == command.by


def shaped(command: Command, made: Mapping[str, Any], settings: Common) -> dict[str, Any]:
    """Output tables as their contracts promise them, in the order of the declaration; reasons in words."""
    from cbec import tables

    out: dict[str, Any] = {}
    for name in command.outputs:
        if name not in made:
            continue
        frame, contract = made[name], tables.get(name)
        if isinstance(frame, Stored):
            out[name] = frame
            continue
        if "reason" in contract.names and "reason" not in frame.columns:
            frame = reasons.render(frame, settings.language)
        out[name] = check.conform(contract, frame)
    return out


def _verdicts(seen: Sequence[check.Checked]) -> dict[str, pl.DataFrame]:
    import polars as pl

    if not seen:
        return {}
    facts = [{"table": c.table, "rows": c.rows, "bad": c.bad, "total": c.total} for c in seen]
    return {CHECKED: told(checked=facts), REJECTS: pl.concat([c.rejects for c in seen])}


def verdicts(tables: dict[str, Any]) -> list[check.Checked]:
    """How the tables that the parts read kept their contracts, taken out of the merged tables."""
    if CHECKED not in tables:
        return []
    facts = [fact for line in heard(tables.pop(CHECKED)) for fact in line["checked"]]
    rejects: pl.DataFrame = tables.pop(REJECTS).sort("table", "file", "row", "column", maintain_order=True)
    found = []
    for name in dict.fromkeys(fact["table"] for fact in facts):
        of = [fact for fact in facts if fact["table"] == name]
        mine = rejects.filter(table=name)
        faults = [Fault(**line) for line in mine.head(check.SHOWN).iter_rows(named=True)]
        total, rows = sum(fact["total"] for fact in of), sum(fact["rows"] for fact in of)
        kept = rows - sum(fact["bad"] for fact in of)
        found.append(check.Checked(name, mine.clear(), mine, faults, total, rows, False, [], kept))
    return found


def merged(command: Command, parts: Iterable[Mapping[str, Table]]) -> dict[str, Table]:
    """One table of each name: outputs stay where they lie if they lie in files, all others are put together."""
    found = list(parts)
    out: dict[str, Table] = {}
    for name in dict.fromkeys(name for tables in found for name in tables):
        pieces = [tables[name] for tables in found if name in tables]
        stored = [piece for piece in pieces if isinstance(piece, Stored)]
        if len(stored) == len(pieces) and ordered(command, name):
            files = tuple(file for one in stored for file in one.files)
            out[name] = stored[0] if len(stored) == 1 else Stored(files, sum(one.height for one in stored))
            continue
        out[name] = joined(pieces)
    return out
