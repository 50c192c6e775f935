"""Export layouts: a YAML file that says how one export becomes canonical tables. Loading and checking, no data yet.

Every expression in a layout is Polars SQL (https://docs.pola.rs/api/python/stable/reference/sql/), the standard
language for the job, window functions included; there is no language of our own. docs/how-to/import.md tells each key.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from cbec import tables
from cbec.core import packaged
from cbec.core.contract import Column, Contract, Kind
from cbec.core.errors import UsageFault, did_you_mean
from cbec.core.header import match, plain
from cbec.core.onceyaml import Once

#: Provenance as expressions see it: file as the person named it, record number (header = 1).
PROVENANCE = ("file", "row")

_TOP = ("title", "source", "dialect", "columns", "maps", "derived", "time", "money", "rules", "tables")
_COLUMN = ("header", "kind", "aliases", "required", "null", "default", "min", "max", "above", "one_of", "map", "about")
_DIALECT = ("date_order", "decimal", "time_zone")


@dataclass(frozen=True)
class RuleOfCleaning:
    """Rows where `remove` is true are left out, counted and listed under `name`."""

    name: str
    remove: pl.Expr
    message: str


@dataclass(frozen=True)
class Target:
    """A canonical table: `select` gives its columns; with `group_by` (names among them) the others are aggregates.

    `order_by` sorts the lines first, for FIRST and LAST.
    """

    table: str
    select: Mapping[str, pl.Expr]
    where: pl.Expr | None = None
    group_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A checked layout. `contract` describes the export itself under its own headers; `names` maps those to the
    names that expressions use; `maps` holds value -> value per name."""

    name: str
    title: str
    source: str
    sha256: str
    dialect: Mapping[str, str]
    contract: Contract
    names: Mapping[str, str]
    maps: Mapping[str, Mapping[str, str | None]]
    derived: Mapping[str, pl.Expr]
    time: str | None
    amount: pl.Expr | None
    currency: pl.Expr | None
    rules: tuple[RuleOfCleaning, ...]
    targets: tuple[Target, ...]

    def missing(self, header: Collection[str]) -> list[str]:
        """Required columns that do not stand in `header`, under no alias either."""
        found, _, _ = match(self.contract, {self.name: list(header)})
        return [c.name for c in self.contract.columns if c.required and c.name not in found]


def packaged_names() -> list[str]:
    """Names of the layouts that ship with the package."""
    return sorted(p.stem for p in (packaged.folder("configs") / "layouts").glob("*.yaml"))


def find(wanted: str, header: Collection[str], outputs: Collection[str]) -> Layout:
    """The layout named `wanted`: a packaged name, a path to a YAML, or 'auto' for the one that fits the header.

    outputs: tables that the command may make. Raises UsageFault for an unknown name, a layout that is wrong,
    or a header that no layout or more than one fits (candidates and the nearest are named).
    """
    if wanted == "auto":
        return _fitting(header, outputs)
    names = packaged_names()
    if wanted in names:
        return load(packaged.folder("configs") / "layouts" / f"{wanted}.yaml", outputs)
    path = Path(wanted)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load(path, outputs)
    raise UsageFault(
        f'no layout "{wanted}"{did_you_mean(wanted, names)}',
        hint=f"packaged layouts: {', '.join(names)}; or give the path of a YAML",
    )


def _fitting(header: Collection[str], outputs: Collection[str]) -> Layout:
    every = [load(packaged.folder("configs") / "layouts" / f"{n}.yaml", outputs) for n in packaged_names()]
    fitting = [x for x in every if not x.missing(header)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        found = ", ".join(x.name for x in fitting)
        raise UsageFault(f"the header fits more than one layout: {found}", hint="name one with --layout")
    seen = ", ".join(list(header)[:8]) or "nothing"
    # The nearest layout is the one with the smallest share of required headers missing.
    near = min(every, key=lambda x: (len(x.missing(header)) / max(1, _required(x)), x.name))
    lacking = near.missing(header)
    told = "none has a column in common with it"
    if len(lacking) < _required(near):
        told = f"nearest: {near.name}, which also needs {', '.join(lacking[:5])}"
        close = difflib.get_close_matches(lacking[0], header, n=1)
        told += f' (the header has "{close[0]}")' if close else ""
    raise UsageFault(
        f"no packaged layout fits the header ({seen}); {told}",
        hint=f"packaged layouts: {', '.join(x.name for x in every)}; or write a YAML of your own, see docs/how-to/import.md",
    )


def _required(layout: Layout) -> int:
    return sum(c.required for c in layout.contract.columns)


def load(path: Path, outputs: Collection[str]) -> Layout:
    """Read and check one layout. Raises UsageFault with the file, the key and the nearest name."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageFault(f"layout {path}: {error.strerror or error}") from error
    return parse(path.stem, data, outputs)


def parse(name: str, data: bytes, outputs: Collection[str]) -> Layout:
    """Check the bytes of a layout; see `load`."""
    here = _Place(f"layout {name}")
    try:
        loaded = yaml.load(data.decode("utf-8"), Loader=Once)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise here.fault(" ".join(str(error).split())) from error
    top = here.mapping(loaded, _TOP, needed=("title", "columns", "tables"))
    maps = {k: here.at("maps", k).translation(v) for k, v in here.at("maps").mapping(top.get("maps", {})).items()}
    columns, names, mapped = _columns(here, top["columns"], maps)
    known = [*names.values(), *PROVENANCE]
    derived: dict[str, pl.Expr] = {}
    for key, text in here.at("derived").mapping(top.get("derived", {})).items():
        place = here.at("derived", key)
        if key in known:
            raise place.fault("there is a column of that name already")
        derived[key] = place.expression(text, known)
        known.append(key)
    time = top.get("time")
    if time is not None:
        here.at("time").one_of(time, known)
    money = here.at("money").mapping(top.get("money", {}), ("amount", "currency"))
    if len(money) == 1:
        raise here.at("money").fault("needs both amount and currency")
    return Layout(
        name=name,
        title=here.at("title").text(top["title"]),
        source=here.at("source").text(top.get("source", "")),
        sha256=hashlib.sha256(data).hexdigest(),
        dialect=_dialect(here.at("dialect"), top.get("dialect", {})),
        contract=Contract(name, str(top["title"]), columns, key=()),
        names=names,
        maps=mapped,
        derived=derived,
        time=time,
        amount=here.at("money", "amount").expression(money["amount"], known) if money else None,
        currency=here.at("money", "currency").expression(money["currency"], known) if money else None,
        rules=_rules(here.at("rules"), top.get("rules", []), known),
        targets=_targets(here.at("tables"), top["tables"], known, outputs),
    )


def _columns(
    here: _Place, section: Any, maps: Mapping[str, Mapping[str, str | None]]
) -> tuple[tuple[Column, ...], dict[str, str], dict[str, Mapping[str, str | None]]]:
    columns: list[Column] = []
    names: dict[str, str] = {}
    mapped: dict[str, Mapping[str, str | None]] = {}
    headers: dict[str, str] = {}
    for name, spec in here.at("columns").mapping(section).items():
        place = here.at("columns", name)
        if name in PROVENANCE:
            raise place.fault("that name holds where a row came from")
        keys = dict(place.mapping(spec, _COLUMN, needed=("header", "kind")))
        place.at("kind").one_of(keys["kind"], typing.get_args(Kind))
        aliases = tuple(place.at("aliases").texts(keys.get("aliases", [])))
        header = place.at("header").text(keys["header"])
        for spelling in {plain(h) for h in (header, *aliases)}:
            if headers.get(spelling, name) != name:
                raise place.fault(f'header "{spelling}" belongs to columns.{headers[spelling]} already')
            headers[spelling] = name
        allowed = tuple(place.at("one_of").texts(keys["one_of"])) if "one_of" in keys else None
        if "map" in keys:
            place.at("map").one_of(keys["map"], maps)
            if keys["kind"] != "text":
                raise place.at("map").fault("needs the kind text: a map reads cells as they stand")
            mapped[name] = maps[keys["map"]]
            allowed = tuple(mapped[name])
        required = place.at("required").truth(keys.get("required", True))
        low, high, above = (place.at(k).number(keys.get(k)) for k in ("min", "max", "above"))
        columns.append(
            Column(
                header,
                keys["kind"],
                place.at("about").text(keys.get("about", "")),
                required=required,
                null=place.at("null").truth(keys.get("null", not required)),
                min=low,
                max=high,
                above=above,
                default=keys.get("default"),
                one_of=allowed,
                aliases=aliases,
            )
        )
        names[header] = name
    return tuple(columns), names, mapped


def _dialect(here: _Place, section: Any) -> dict[str, str]:
    return {k: here.at(k).text(v) for k, v in here.mapping(section, _DIALECT).items()}


def _rules(here: _Place, section: Any, known: Collection[str]) -> tuple[RuleOfCleaning, ...]:
    if not isinstance(section, list):
        raise here.fault("must be a list, since rules apply in order")
    rules: list[RuleOfCleaning] = []
    for number, spec in enumerate(section, 1):
        keys = here.at(str(number)).mapping(spec, ("name", "remove", "message"), needed=("name", "remove", "message"))
        name = here.at(str(number), "name").text(keys["name"])
        if name in {r.name for r in rules}:
            raise here.at(name).fault("there is a rule of that name already")
        remove = here.at(name, "remove").expression(keys["remove"], known)
        rules.append(RuleOfCleaning(name, remove, here.at(name, "message").text(keys["message"])))
    return tuple(rules)


def _targets(here: _Place, section: Any, known: Collection[str], outputs: Collection[str]) -> tuple[Target, ...]:
    targets: list[Target] = []
    for table, spec in here.mapping(section).items():
        place = here.at(table)
        here.one_of(table, outputs)
        contract = tables.get(table)
        keys = place.mapping(spec, ("select", "where", "group_by", "order_by"), needed=("select",))
        chosen = place.at("select").mapping(keys["select"], contract.names)
        for column in contract.columns:
            if column.required and column.name not in chosen:
                raise place.at("select").fault(f'table {table} needs the column "{column.name}"')
        group_by = tuple(place.at("group_by").texts(keys.get("group_by", [])))
        for name in group_by:
            place.at("group_by").one_of(name, chosen)
        order_by = tuple(place.at("order_by").texts(keys.get("order_by", [])))
        for name in order_by:
            place.at("order_by").one_of(name, known)
        where = keys.get("where")
        targets.append(
            Target(
                table,
                {c: place.at("select", c).expression(text, known) for c, text in chosen.items()},
                None if where is None else place.at("where").expression(where, known),
                group_by,
                order_by,
            )
        )
    if not targets:
        raise here.fault(f"must name at least one of {', '.join(outputs)}")
    return tuple(targets)


@dataclass(frozen=True)
class _Place:
    """A key of the file, for messages such as `layout shop: columns.qty.kind: ...`."""

    file: str
    keys: tuple[str, ...] = ()

    def at(self, *keys: str) -> _Place:
        return dataclasses.replace(self, keys=(*self.keys, *keys))

    def fault(self, message: str) -> UsageFault:
        where = ".".join(self.keys)
        return UsageFault(f"{self.file}: {where}: {message}" if where else f"{self.file}: {message}")

    def mapping(
        self, value: Any, allowed: Iterable[str] | None = None, needed: Iterable[str] = ()
    ) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self.fault(f"must be keys with values, not {_shown(value)}")
        for key in value:
            if not isinstance(key, str):
                raise self.fault(f"key {_shown(key)} is no text; put it in quotes")
            if allowed is not None and key not in allowed:
                raise self.at(key).fault(f"no such key{did_you_mean(key, allowed)}")
        for key in needed:
            if key not in value:
                raise self.fault(f"needs the key {key}")
        return value

    def text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.fault(f"must be text, not {_shown(value)}; put it in quotes")
        return value

    def texts(self, value: Any) -> list[str]:
        if not isinstance(value, list):
            raise self.fault(f"must be a list, not {_shown(value)}")
        return [self.text(v) for v in value]

    def truth(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise self.fault(f"must be true or false, not {_shown(value)}")
        return value

    def number(self, value: Any) -> float | None:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise self.fault(f"must be a number, not {_shown(value)}")
        return value

    def translation(self, value: Any) -> dict[str, str | None]:
        # `Norway: NO` is the truth value false in YAML 1.1; a map takes text (or nothing) and so says it.
        return {k: None if v is None else self.at(k).text(v) for k, v in self.mapping(value).items()}

    def one_of(self, value: Any, choices: Iterable[str]) -> None:
        if value not in choices:
            near = did_you_mean(value, choices) if isinstance(value, str) else ""
            raise self.fault(f"{_shown(value)} is none of {', '.join(choices)}{near}")

    def expression(self, value: Any, known: Collection[str]) -> pl.Expr:
        text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else self.text(value)
        try:
            parsed = pl.sql_expr(text)
        except pl.exceptions.PolarsError as error:
            raise self.fault(f"{_shown(text)} is no SQL expression: {first_line(error)}") from error
        for name in parsed.meta.root_names():
            if name not in known:
                raise self.fault(f'no column "{name}"{did_you_mean(name, known)}')
        return parsed


def first_line(error: BaseException) -> str:
    """An engine's message without its plan dump."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
