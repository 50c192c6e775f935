"""The declaration of a command: the signature of a step function is all there is.

Table parameters name the inputs (default None = optional), the settings dataclass gives the options,
the decorator names the output tables. Command line, pipeline, `cbec schema`, reference docs and engine
read the `Command` made here. Nothing heavy is imported.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

from cbec.core.errors import UsageFault, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.check import Checked
    from cbec.core.files import Raw
    from cbec.core.money import Headline

    Table = pl.DataFrame
    RawTable = Raw
else:

    class Table:
        """At run time only a marker in signatures; to a type checker it is `polars.DataFrame`."""

    class RawTable:
        """Marks an input without a contract: files of any layout, as `core.files.Raw`."""


#: The steps and what the root's help says of them. Each is a module `cbec.<step>`.
STEPS: dict[str, str] = {
    "ingest": "Raw exports into canonical tables.",
    "forecast": "Demand as a distribution, orders that follow from it.",
    "monitor": "Stock that is not as it should be.",
    "route": "How to move each shipment: cost, time, risk and carbon.",
    "warehouse": "Which bin for which SKU, what pickers walk, stock between warehouses.",
    "supplier": "How suppliers kept their word; lead times to plan with.",
    "settle": "Payouts against the bank, a ledger that shows tampering, landed profit.",
    "fx": "Exchange rates: forecast, exposure, hedge.",
    "fraud": "Payments scored: allow, review or hold.",
    "compliance": "Tax, duty and rules, dated and cited.",
}


def setting(
    default: Any,
    help: str,
    *,
    min: float | None = None,
    max: float | None = None,
    choices: tuple[str, ...] | None = None,
    made: bool = False,
) -> Any:
    """A field of a settings dataclass: an option on the command line and a key in cbec.yaml.

    made: it names the folder that `Result.files` are written into, which a pipeline's later stages may read.
    """
    return field(default=default, metadata={"help": help, "min": min, "max": max, "choices": choices, "made": made})


@dataclass(frozen=True)
class Common:
    """Settings that every command has; settings classes of commands inherit from it."""

    as_of: date | None = setting(None, "nothing after this date is used; default the latest date of the leading table")
    seed: int = setting(0, "seed of everything random", min=0)
    home_currency: str | None = setting(None, "currency of the money in outputs (ISO 4217)")
    time_zone: str | None = setting(None, "zone of times that carry none, e.g. Asia/Shanghai")
    language: str = setting("en", "language of reasons", choices=("en", "zh"))
    encoding: str = setting("auto", "encoding of text inputs: auto, utf-8, utf-16, gb18030, cp1252 ...")
    date_order: str = setting("auto", "order of dates like 03/01/2025", choices=("auto", "dmy", "mdy", "ymd"))
    decimal: str = setting("auto", "decimal mark of numbers like 1,234", choices=("auto", "point", "comma"))


@dataclass(frozen=True)
class Input:
    """One table parameter of a command."""

    table: str
    required: bool
    raw: bool = False


@dataclass(frozen=True)
class Finding:
    """Something a person should know or act on; `--fail-on LEVEL` turns findings into exit status 1."""

    finding_id: str
    severity: str  # info | warn | high
    entity: str
    rule: str
    message: str
    money: float | None = None
    currency: str | None = None


@dataclass(frozen=True)
class Parts:
    """How many series (or articles, orders) of a command are worked on together.

    unit: columns of the leading table whose distinct values are counted. Up to `over` of them the run is not cut; more are
    cut, at borders of the partition key, into as few parts of equal size as have about `size` at most.
    """

    unit: tuple[str, ...]
    size: int = 50_000
    over: int = 100_000


@dataclass
class Result:
    """What a step answers.

    tables: output table name -> frame, as declared by the command; checked against the contract when written.
    money: today's cost or risk, the proposal's, the difference; or the reason (text) why there is none.
    metrics: named figures for summary.json. notes: lines for a person.
    checked: raw inputs that the step held against a contract itself; the runner judges their rejects.
    files: what is no table (a trained model), by plain file name; written into the folder that the setting declared
    with `made=True` names, together with the tables, or not at all where that setting is empty.
    fail: the answer is a failed verdict: exit status 1 whatever --fail-on says.
    later: further output tables, made only where the run is asked for them.
    outcome: the answer in one sentence, where it is no sum of money.
    """

    tables: dict[str, Table]
    money: Headline | str = "this command moves no money by itself"
    metrics: dict[str, float | int | str | None] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    fail: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    later: dict[str, Callable[[], Table]] = field(default_factory=dict)
    outcome: str = ""


@dataclass(frozen=True)
class Command:
    """A declared command. `function` takes frames by input name, `s=` settings and, if `fit` is given, `state=`.

    example, by, fit, conclude, parts: see `command`.
    """

    step: str
    name: str
    help: str
    function: Callable[..., Result]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    settings: type[Common]
    by: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    fit: Callable[..., dict[str, Any]] | None = None
    conclude: Callable[..., Result] | None = None
    parts: Callable[[Any, Collection[str]], Parts | None] | None = None
    ranged: bool = False
    example: str = ""

    @property
    def path(self) -> str:
        """`step name`, as typed."""
        return f"{self.step} {self.name}"

    @property
    def main(self) -> str:
        """The table that `-o` writes."""
        return self.outputs[0]

    @property
    def leading(self) -> str | None:
        """The input whose latest date is the default of `--as-of`: the first one."""
        return self.inputs[0].table if self.inputs else None

    @property
    def folder(self) -> str | None:
        """The setting that names the folder for `Result.files`."""
        return next((name for name, f in self.fields().items() if f.metadata.get("made")), None)

    def fields(self) -> Mapping[str, dataclasses.Field[Any]]:
        """Settings by name, the command's own first, then the common ones."""
        every = {f.name: f for f in dataclasses.fields(self.settings)}
        shared = {f.name for f in dataclasses.fields(Common)}
        return {k: f for k, f in every.items() if k not in shared} | {k: f for k, f in every.items() if k in shared}


def command(
    *outputs: str,
    name: str | None = None,
    example: str = "",
    by: tuple[str, ...] = (),
    any_of: tuple[str, ...] = (),
    fit: Callable[..., dict[str, Any]] | None = None,
    conclude: Callable[..., Result] | None = None,
    parts: Callable[[Any, Collection[str]], Parts | None] | None = None,
    ranged: bool = False,
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Declare a step function as a command.

    outputs: names of output tables, the main one first. any_of: inputs of which at least one is needed. name: only where
    the command's name is a Python keyword. example: what follows the command's name in a line that runs in a folder with the
    sample company's tables and what the examples before it wrote; told at the end of its help.

    by, fit, conclude: for a command whose rows can be worked out apart, key by key (core/engine.py). by: the key columns.
    The function then answers with the tables of a part of the keys, from the rows of those keys and whole tables without
    the key. `fit` is given the whole tables and tells by name what a part needs of the others (small things, and tables,
    which are cut by the key like any other), which the function gets as `state`. `conclude` is given the merged tables,
    (rows in no order to count on) and all that the function was given, whole: it tells the words and sums.

    parts: for a command whose output is too large to be held whole (core/parts.py); of the settings and the names of the
    tables given it tells the size of a part, or None where the answer needs all rows together; an uncut run is no part and has no `state`. Parts are worked on in processes of their own, whole input
    tables may be `core.ranged.Ranged`, and `conclude` is given the settings and the merged tables alone, the outputs
    among them perhaps as files (`core.writing.Stored`); what else it needs, the function puts into tables that are no output.

    ranged: `fit` and `conclude` take the leading table as `core.ranged.Ranged`, and `conclude` the outputs as
    `core.writing.Stored`: where it is large, nobody holds it whole.
    """
    if (conclude is None) != (not by) or (conclude is None and fit is not None):
        raise TypeError("a partition key and a conclusion need each other, and a fit needs both")
    if (parts is not None or ranged) and len(by) != 1:
        raise TypeError("parts are ranges of one key column")

    def declare(function: Callable[..., Result]) -> Callable[..., Result]:
        step = function.__module__.rpartition(".")[2]
        inputs, settings = _read_signature(function)
        declared = Command(
            step=step,
            name=name or function.__name__.replace("_", "-"),
            help=inspect.getdoc(function) or "",
            example=example,
            function=function,
            inputs=inputs,
            outputs=outputs,
            settings=settings,
            by=by,
            any_of=any_of,
            fit=fit,
            conclude=conclude,
            parts=parts,
            ranged=ranged,
        )
        function.__dict__["__command__"] = declared
        return function

    return declare


def _read_signature(function: Callable[..., Result]) -> tuple[tuple[Input, ...], type[Common]]:
    # Annotations are read by name, since the marker `Table` and the frame type of a type checker differ.
    hints = function.__annotations__
    inputs: list[Input] = []
    settings: type[Common] = Common
    for parameter in inspect.signature(function).parameters.values():
        text = str(hints.get(parameter.name, ""))
        if parameter.name == "s":
            found = typing.get_type_hints(function, localns={"Table": Table, "RawTable": RawTable})["s"]
            if not issubclass(found, Common):
                raise TypeError(f"{function.__qualname__}: settings must inherit from Common")
            settings = found
        elif "Table" in text:
            inputs.append(Input(parameter.name, parameter.default is inspect.Parameter.empty, raw="RawTable" in text))
    return tuple(inputs), settings


@cache
def commands_of(step: str) -> dict[str, Command]:
    """Declared commands of a step by name, in the order of the file. Imports the step's module (light)."""
    if step not in STEPS:
        raise UsageFault(f'no step "{step}"{did_you_mean(step, STEPS)}', hint="steps: " + ", ".join(STEPS))
    module = importlib.import_module(f"cbec.{step}")
    found = [
        v.__dict__["__command__"]
        for v in vars(module).values()
        if inspect.isfunction(v) and "__command__" in v.__dict__
    ]
    return {c.name: c for c in found if c.function.__module__ == module.__name__}


def find(step: str, name: str) -> Command:
    """The command `step name`, or a usage error with the nearest name."""
    commands = commands_of(step)
    if name not in commands:
        raise UsageFault(
            f'no command "{step} {name}"{did_you_mean(name, commands)}', hint=f"{step}: " + ", ".join(commands)
        )
    return commands[name]


def every_command() -> list[Command]:
    """All declared commands of all steps."""
    return [c for step in STEPS for c in commands_of(step).values()]
