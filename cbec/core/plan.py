"""A pipeline's YAML -> stages, checked against the declarations of their commands, and the order they need.

The graph comes from the files: a stage that reads what another one writes runs after it. Nothing is run here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec.core import config, engine, graph
from cbec.core.command import Command, Common, find
from cbec.core.errors import InputRejected, UsageFault, did_you_mean
from cbec.core.writing import is_folder, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_TOP = ("title", "stages", "common", "report", "carry")
_RUN = ("output", "report", "config", "set", "max_bad", "rejects", "fail_on", "engine")
_LEVELS = ("info", "warn", "high")
#: Seconds that a stage waits for its report folder: a child of a run that was just killed may still be ending.
_WAIT = "10"


@dataclass(frozen=True)
class Place:
    """Something a stage writes, as written in the YAML. A folder stands for every table in it; `made`: for whatever the
    command puts there, which shows only when it has run."""

    option: str
    path: str
    folder: bool = False
    made: bool = False


@dataclass(frozen=True)
class Stage:
    """One command with its options, paths as in the YAML (relative to its folder).

    inputs: paths by table; given: the command's settings as text; settings: every setting with its value after
    cbec.yaml, `config` and `set`; run: the options that say how to run.
    """

    name: str
    command: Command
    inputs: Mapping[str, Sequence[str]]
    given: Mapping[str, str]
    settings: Common
    run: Mapping[str, Sequence[str]]
    report: str

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Everything it writes, the report folder last."""
        found = []
        for option, values in self.run.items():
            if option == "output":
                found.append(Place(option, values[0], is_folder(values[0])))
            elif option == "rejects" or option.startswith("write_"):
                found.append(Place(dashed(option), values[0]))
        made = self.command.folder
        if made and getattr(self.settings, made):
            found.append(Place(dashed(made), getattr(self.settings, made), folder=True, made=True))
        return (*found, Place("report", self.report, folder=True))

    def files(self, place: Place) -> list[str]:
        """The files that may be written at a place: a folder gets every table, a report folder more."""
        if not place.folder:
            return [place.path]
        if place.made:
            return []
        if place.option == "output":
            return [os.path.join(place.path, f"{table}.parquet") for table in self.command.outputs]
        tables = [
            f"{table}{suffix}" for table in (*self.command.outputs, "findings") for suffix in (".parquet", ".csv")
        ]
        return [
            os.path.join(place.path, name) for name in (*tables, "summary.json", "report.html", "report.md", "run.json")
        ]

    @property
    def paths(self) -> list[str]:
        """Every input path or glob."""
        return [path for paths in self.inputs.values() for path in paths]

    @property
    def path_settings(self) -> list[str]:
        """Text settings; the ones that name a file or folder (rules, models) are read like inputs."""
        read = [name for name in self.command.fields() if name != self.command.folder]
        return [value for name in read if isinstance(value := getattr(self.settings, name), str) and value]

    def arguments(self) -> list[str]:
        """The command line after `cbec`."""
        kinds = config.kinds_of(self.command.settings)
        words = [self.command.step, self.command.name]
        for table, paths in self.inputs.items():
            words += [word for path in paths for word in (f"--{dashed(table)}", path)]
        for name, value in self.given.items():
            if config.describe(kinds[name]) == "yes/no":
                words.append(f"--{dashed(name)}" if getattr(self.settings, name) else f"--no-{dashed(name)}")
            else:
                words += [f"--{dashed(name)}", value]
        for name, values in self.run.items():
            words += [word for value in values for word in (f"--{dashed(name)}", value)]
        return [*words, "--report", self.report, "--wait", _WAIT]


@dataclass(frozen=True)
class Carry:
    """A file that one run leaves for the next: `into` begins as a copy of `first`, and becomes one of `then` where a run
    is told to carry on."""

    into: str
    first: str
    then: str


@dataclass(frozen=True)
class Plan:
    """A checked pipeline. stages: in an order that respects `needs`; needs: stage -> the stages it reads from."""

    path: Path
    folder: Path
    title: str
    report: str
    stages: Mapping[str, Stage]
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    carry: Sequence[Carry] = ()

    def select(self, words: Sequence[str] | None) -> list[str]:
        """Names chosen by `name`, `name+` (and what depends on it), `+name` (and what it needs); None = all."""
        if not words:
            return list(self.stages)
        followers: dict[str, list[str]] = {
            name: [n for n, deps in self.needs.items() if name in deps] for name in self.stages
        }
        chosen: set[str] = set()
        for word in words:
            name = word.removeprefix("+").removesuffix("+")
            if name not in self.stages:
                raise UsageFault(
                    f'--select: {self.path} has no stage "{name}"{did_you_mean(name, self.stages)}',
                    hint="stages: " + ", ".join(self.stages),
                )
            chosen.add(name)
            if word.endswith("+"):
                chosen |= graph.reach(name, followers)
            if word.startswith("+"):
                chosen |= graph.reach(name, self.needs)
        return [name for name in self.stages if name in chosen]

    def absolute(self, text: str) -> Path:
        """A path of the YAML, from the root."""
        return Path(graph.normal(self.folder, text))

    def writers(self, text: str) -> list[str]:
        """The stages that make this input path or glob."""
        return graph.writers(self.folder, text, self.stages.values())


def load(path: Path) -> Plan:
    """Read and check a pipeline.

    Raises InputRejected when there is no such file, UsageFault (file, stage and key named) for all that is wrong in it:
    YAML, keys, values of settings, missing inputs, cycles, two writers of one path.
    """
    if not path.is_file():
        raise InputRejected(f"no pipeline {path}")
    body = _read(path)
    folder = Path(os.path.abspath(path)).parent
    _known(body, _TOP, str(path))
    stages = body.get("stages")
    if not isinstance(stages, dict) or not stages:
        raise UsageFault(
            f"{path}: needs stages, e.g. stages: {{demand: {{command: forecast demand, sales: sales.csv}}}}"
        )
    report = _path(body.get("report", "report"), f"{path}: report")
    common = _known(_mapping(body.get("common"), f"{path}: common"), config.kinds_of(Common), f"{path}: common")
    made = [_stage(path, folder, name, keys, common, report) for name, keys in stages.items()]
    carry = _carry(body.get("carry"), f"{path}: carry")
    graph.one_writer(path, folder, report, made, [c.into for c in carry])
    needs = graph.needs(folder, made)
    order = graph.order(path, folder, {stage.name: stage for stage in made}, needs)
    title = _text(body.get("title", path.stem), f"{path}: title")
    sorted_needs = {s.name: needs[s.name] for s in order}
    return Plan(path, folder, title, report, {s.name: s for s in order}, sorted_needs, carry)


def dashed(name: str) -> str:
    """A key as an option."""
    return name.replace("_", "-")


# --- YAML


def _read(path: Path) -> dict[str, Any]:
    import yaml

    from cbec.core.onceyaml import Once

    class Loader(Once):
        """All scalars stay the text that was typed (`NO` is Norway, `007` keeps its zeros)."""

        # Merge keys (<<) are the only scalars that mean more than their text.
        yaml_implicit_resolvers = {"<": [("tag:yaml.org,2002:merge", re.compile(r"^<<$"))]}  # noqa: RUF012

    try:
        loaded = yaml.load(path.read_text("utf-8-sig"), Loader)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        hint = "a text that begins with * needs quotes" if "alias" in str(error) else None
        raise UsageFault(f"{path}{line}: {error.problem}", hint) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageFault(f"{path}: not readable as YAML: {error}") from error
    return _mapping(loaded, str(path))


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise UsageFault(f"{place}: must hold keys and values")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise UsageFault(f"{place}: must be one text, not {'a list' if isinstance(value, list) else 'keys and values'}")
    return value


def _known(body: Mapping[str, Any], names: Iterable[str], place: str) -> dict[str, Any]:
    """The body with its keys as Python names; a key that nobody knows or that comes in both spellings is an error."""
    names = list(names)
    found: dict[str, Any] = {}
    for key, value in body.items():
        name = str(key).replace("-", "_")
        if name not in names:
            raise UsageFault(
                f'{place}: unknown key "{key}"{did_you_mean(name, names)}',
                hint="keys: " + ", ".join(map(dashed, names)),
            )
        if name in found:
            raise UsageFault(f'{place}: key "{dashed(name)}" comes twice')
        found[name] = value
    return found


# --- stages


def _stage(path: Path, folder: Path, name: str, body: Any, common: Mapping[str, Any], report: str) -> Stage:
    place = f"{path}: stage {name}"
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageFault(f"{place}: a stage's name has letters, digits, - _ . only, since files are named after it")
    body = _mapping(body, place)
    words = _text(body.get("command", ""), f"{place}: command").split()
    if len(words) != 2:
        raise UsageFault(f"{place}: command: write STEP COMMAND, e.g. command: forecast demand")
    try:
        command = find(*words)
    except UsageFault as fault:
        raise UsageFault(f"{place}: command: {fault.message}", fault.hint) from None
    tables = [declared.table for declared in command.inputs]
    # The main table goes where `output` says, so `write-` is for the others.
    writes = [f"write_{table}" for table in (*command.outputs[1:], "findings")]
    keys = _known(body, ["command", *tables, *command.fields(), *_RUN, *writes], place)
    keys = {key: value for key, value in keys.items() if value not in ("", [])}
    inputs = {table: _paths(keys[table], f"{place}: {table}") for table in tables if table in keys}
    _enough(command, inputs, place)
    # What the stage itself says goes before what holds for all of them, in whichever way it says it.
    own = {name.rpartition(".")[2].replace("-", "_") for name in _mapping(keys.get("set"), f"{place}: set")}
    shared = {key: value for key, value in common.items() if key not in own}
    given = {
        key: _setting(value, f"{place}: {key}") for key, value in {**shared, **keys}.items() if key in command.fields()
    }
    run = {
        key: _run_option(key, keys[key], f"{place}: {dashed(key)}")
        for key in (*_RUN, *writes)
        if key in keys and key != "report"
    }
    try:
        engine.check(command, run.get("engine", [None])[0])
        file = str(folder / run["config"][0]) if "config" in run else None
        settled = config.resolve(command, given, run.get("set", ()), file, folder)
    except UsageFault as fault:
        raise UsageFault(f"{place}: {fault.message}", fault.hint) from None
    report_folder = _path(keys.get("report", os.path.join(report, name)), f"{place}: report")
    return Stage(name, command, inputs, given, settled.settings, run, report_folder)


def _carry(value: Any, place: str) -> list[Carry]:
    found = []
    for into, body in _mapping(value, place).items():
        where = f"{place}: {into}"
        keys = _known(_mapping(body, where), ("first", "then"), where)
        if set(keys) != {"first", "then"}:
            raise UsageFault(f"{where}: needs first (the file it begins as) and then (what a run leaves for the next)")
        told = {key: _text(text, f"{where}: {key}") for key, text in keys.items()}
        found.append(Carry(_text(into, place), told["first"], told["then"]))
    return found


def _enough(command: Command, inputs: Mapping[str, Sequence[str]], place: str) -> None:
    for declared in command.inputs:
        if declared.required and declared.table not in inputs:
            raise UsageFault(f'{place}: needs the key "{dashed(declared.table)}", the files of table {declared.table}')
    if command.any_of and not any(table in inputs for table in command.any_of):
        raise UsageFault(f"{place}: needs one of the keys {', '.join(map(dashed, command.any_of))}")


def _paths(value: Any, place: str) -> list[str]:
    paths = [_path(item, place) for item in (value if isinstance(value, list) else [value])]
    if "-" in paths:
        raise UsageFault(f"{place}: a stage cannot read standard input; give it a file")
    return paths


def _path(value: Any, place: str) -> str:
    """`~/` is the home folder; nothing else is put in, so that a pipeline reads the same whatever the environment."""
    text = _text(value, place)
    return os.path.expanduser(text) if text.startswith("~/") else text


def _setting(value: Any, place: str) -> str:
    # Settings of several names are typed with commas: by: [sku, market] is --by sku,market.
    return ",".join(_text(item, place) for item in value) if isinstance(value, list) else _text(value, place)


def _run_option(key: str, value: Any, place: str) -> list[str]:
    if key == "set":
        return [f"{name}={_text(item, place)}" for name, item in _mapping(value, place).items()]
    text = _path(value, place)
    if text == "-":
        raise UsageFault(f"{place}: a stage cannot write to standard output; give it a file")
    if key == "rejects" or key.startswith("write_") or (key == "output" and not is_folder(text)):
        _kind(text, place)
    if key == "fail_on" and text not in _LEVELS:
        raise UsageFault(f"{place}: {text} is none of {', '.join(_LEVELS)}{did_you_mean(text, _LEVELS)}")
    if key == "max_bad" and not (re.fullmatch(r"\d*\.?\d+", text) and float(text) <= 1):
        raise UsageFault(f"{place}: {text} is no share between 0 and 1")
    return [text]


def _kind(text: str, place: str) -> None:
    try:
        kind_of(text)
    except UsageFault as fault:
        raise UsageFault(f"{place}: {fault.message}", fault.hint) from None
