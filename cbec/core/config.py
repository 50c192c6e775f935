"""Settings and where each value came from: option > --set > --config > ./cbec.yaml > packaged default."""

from __future__ import annotations

import dataclasses
import math
import os
import typing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cbec.core.codes import CURRENCIES, MEANT
from cbec.core.command import STEPS, Command, Common, commands_of
from cbec.core.errors import UsageFault, did_you_mean

if typing.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = "cbec.yaml"
DEFAULT = "default"


@dataclass(frozen=True)
class Settled:
    """Settings of one command with the origin of each value."""

    settings: Common
    origins: Mapping[str, str]


def resolve(
    command: Command,
    options: Mapping[str, Any],
    sets: Sequence[str] = (),
    config: str | None = None,
    folder: Path | None = None,
) -> Settled:
    """Settle every field of the command's settings.

    options: values given on the command line (None = not given). sets: `KEY=VALUE`, KEY dotted
    (`forecast.demand.horizon`, `common.seed`) or a bare field of this command. Raises UsageFault for unknown
    keys (with the nearest) and for values of the wrong type or out of bounds.
    """
    layers: list[tuple[str, Mapping[str, Any]]] = []
    house = (folder or Path()) / FILE
    if house.is_file():
        layers.append((str(house), _for_command(command, _load(house), str(house))))
    if config is not None:
        path = Path(config)
        if not path.is_file():
            raise UsageFault(f"--config: no file {config}")
        layers.append((config, _for_command(command, _load(path), config)))
    layers.append(("--set", _read_sets(command, sets)))
    layers.append(("option", {k: v for k, v in options.items() if v is not None}))
    values: dict[str, Any] = {}
    origins = dict.fromkeys(command.fields(), DEFAULT)
    kinds = kinds_of(command.settings)
    for origin, layer in layers:
        for name, value in layer.items():
            if value is None:  # `horizon:` with nothing behind it
                continue
            values[name] = _coerce(name, value, command.fields()[name], kinds[name], origin)
            origins[name] = origin
    return Settled(command.settings(**values), origins)


def describe(kind: Any) -> str:
    """The type of a setting in a word: `integer`, `number`, `text`, `date` or `yes/no`."""
    return {int: "integer", float: "number", bool: "yes/no", date: "date"}.get(_bare(kind), "text")


def kinds_of(settings: type[Common]) -> Mapping[str, Any]:
    """Type of each field by name."""
    return typing.get_type_hints(settings)


def _bare(kind: Any) -> Any:
    inner = [k for k in typing.get_args(kind) if k is not type(None)]
    return inner[0] if inner else kind


def _load(path: Path) -> Mapping[str, Any]:
    import yaml

    from cbec.core.onceyaml import Once

    try:
        loaded = yaml.load(path.read_text("utf-8"), Loader=Once)
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageFault(f"{path}{line}: not readable as YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageFault(f"{path}: not readable as YAML: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageFault(f"{path}: must hold keys and values, e.g. common: {{home_currency: CNY}}")
    return loaded


def _for_command(command: Command, loaded: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Check every key of the file, return those that are of this command."""
    found: dict[str, Any] = {}
    shared = {f.name for f in dataclasses.fields(Common)}
    for top, body in loaded.items():
        if top == "common":
            _known(body, shared, f"{origin}: common")
            found |= body or {}
        elif top in STEPS:
            _known(body, commands_of(top), f"{origin}: {top}")
            for name, fields in (body or {}).items():
                _known(fields, commands_of(top)[name].fields(), f"{origin}: {top}.{name}")
        else:
            raise UsageFault(f'{origin}: unknown key "{top}"{did_you_mean(str(top), ["common", *STEPS])}')
    return found | dict((loaded.get(command.step) or {}).get(command.name) or {})


def _known(body: Any, names: typing.Collection[str], place: str) -> None:
    if body is None:  # a key whose lines are all comments
        return
    if not isinstance(body, dict):
        raise UsageFault(f"{place}: must hold keys and values")
    for key in body:
        if key not in names:
            raise UsageFault(f'{place}: unknown key "{key}"{did_you_mean(str(key), names)}')


def _read_sets(command: Command, sets: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in sets:
        key, sign, value = text.partition("=")
        if not sign:
            raise UsageFault(f"--set {text}: write KEY=VALUE")
        name = key.removeprefix(f"{command.step}.{command.name}.").removeprefix("common.").replace("-", "_")
        if name not in command.fields():
            raise UsageFault(f'--set: unknown key "{key}"{did_you_mean(name, command.fields())}')
        found[name] = value
    return found


def _coerce(name: str, value: Any, field: dataclasses.Field[Any], kind: Any, origin: str) -> Any:
    where = f'setting "{name}" (from {origin})' if origin != "option" else f"--{name.replace('_', '-')}"
    if isinstance(value, list) and _bare(kind) is str:
        value = ",".join(map(str, value))  # settings of several names are typed with commas
    try:
        typed = _parse(value, _bare(kind))
    except (ValueError, TypeError):
        raise UsageFault(f'{where}: "{value}" is not {_NAMED[describe(kind)]}') from None
    if name == "home_currency":
        typed = _currency(typed, where)
    low, high, choices = (field.metadata.get(k) for k in ("min", "max", "choices"))
    if choices and typed not in choices:
        raise UsageFault(f'{where}: "{value}" is none of {", ".join(choices)}{did_you_mean(str(value), choices)}')
    if low is not None and typed < low:
        raise UsageFault(f"{where}: {value} is below {low:g}")
    if high is not None and typed > high:
        raise UsageFault(f"{where}: {value} is above {high:g}")
    return typed


_NAMED = {"integer": "an integer", "number": "a number", "text": "a text", "date": "a date", "yes/no": "yes or no"}


def _currency(code: str, where: str) -> str:
    if code.upper() in CURRENCIES:
        return code.upper()
    meant = MEANT.get(code.upper())
    near = f'; did you mean "{meant}"?' if meant in CURRENCIES else ""
    raise UsageFault(f'{where}: "{code}" is not a currency code (ISO 4217){near}')


def _parse(value: Any, kind: Any) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        if word in ("true", "yes", "1", "on"):
            return True
        if word in ("false", "no", "0", "off"):
            return False
        raise ValueError(value)
    if isinstance(value, bool):  # YAML reads yes/no as booleans; no number is meant
        raise ValueError(value)
    if kind is date:
        # A YAML date comes as a date, a YAML time as its subclass datetime: only the former is one.
        return value if type(value) is date else date.fromisoformat(str(value))
    if kind is int:
        try:
            return int(str(value))  # not by way of a float, which holds no long number
        except ValueError:
            number = _finite(value)
            if number != int(number):
                raise
            return int(number)
    if kind is float:
        return _finite(value)
    if isinstance(value, list | dict):
        raise TypeError(value)
    # No shell has seen what stands in a file.
    return os.path.expanduser(value) if str(value).startswith("~/") else str(value)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number
