"""The only Typer code: makes a command of each declaration, lazily; the top-level commands; the way out.

`cbec --help` imports no step; `cbec STEP --help` imports that step's declarations and nothing heavy.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from cbec.core import process
from cbec.core.command import STEPS, Command, Common, commands_of
from cbec.core.config import describe, kinds_of
from cbec.core.console import Console
from cbec.core.errors import CbecError, ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable

_TABLES, _SETTINGS, _COMMON, _RUN = "Tables", "Settings", "Common settings", "Run"


class DeclaredCommand(TyperCommand):
    """Help in plain sections: cheap to print (no Rich), the same bytes on a terminal and in a pipe."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Options by section: tables, settings, common settings, how to run."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "rich_help_panel", None) or _RUN, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The example, in one line however long it is: it is there to be copied."""
        if self.epilog:
            with formatter.section("Example (tables of the sample company)"):
                formatter.write(f"  {self.epilog}\n")


class LazyGroup(TyperGroup):
    """A group that does not parse options it was not given.

    Typer passes the default of each option, `--help` included, through Pydantic, whose import costs more CPU than all
    else that `cbec STEP COMMAND --help` does.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words before the command's name."""
        if args and not args[0].startswith("-"):
            self.params, self.add_help_option = [], False
        return super().parse_args(ctx, args)


class StepGroup(LazyGroup):
    """The commands of one step, declared in `cbec.<step>`, loaded when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the step's file."""
        return list(self._load())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One command, or None for Typer to say what is near."""
        return self._load().get(cmd_name)

    def _load(self) -> Any:
        if not self.commands:
            step = typer.Typer(add_completion=False, rich_markup_mode=None)
            step.callback()(lambda: None)
            for declared in commands_of(str(self.name)).values():
                step.command(declared.name, cls=DeclaredCommand, help=declared.help, epilog=_example(declared))(
                    _function(declared)
                )
            group: Any = typer.main.get_command(step)
            self.commands = group.commands
        return self.commands


class RootGroup(LazyGroup):
    """The root, steps first."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Steps in the order of the table, then the commands of the house."""
        return [*STEPS, *(name for name in self.commands if name not in STEPS)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Steps and the commands of the house in two sections."""
        named = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        for title, steps in (("Steps", True), ("House", False)):
            rows = [(n, c.get_short_help_str(limit=100)) for n, c in named if (n in STEPS) is steps]
            with formatter.section(title):
                formatter.write_dl(rows)


app = typer.Typer(
    cls=RootGroup,
    help="Decisions with their money effect from the exports of a cross-border seller.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for _name, _help in STEPS.items():
    app.add_typer(typer.Typer(cls=StepGroup, no_args_is_help=True, rich_markup_mode=None), name=_name, help=_help)


def _option(
    flag: str, kind: Any, help: str, panel: str, *flags: str, default: Any = None, **more: Any
) -> inspect.Parameter:
    info = typer.Option(flag, *flags, help=help, rich_help_panel=panel, show_default=False, **more)
    # Python names may not hold what option names may (`import`, `from`): a leading mark keeps them apart.
    name = flag.split("/", maxsplit=1)[0].lstrip("-").replace("-", "_")
    return inspect.Parameter(
        f"o_{name}", inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def options_of(command: Command) -> list[inspect.Parameter]:
    """Every option of a command: its tables, its settings, the common settings, how to run."""
    found = []
    for declared in command.inputs:
        word = "" if declared.required else " [optional]"
        help = "files of the export" if declared.raw else f"table {declared.table}: `cbec schema {declared.table}`"
        found.append(_option(f"--{_dashed(declared.table)}", list[str] | None, help + word, _TABLES, metavar="PATH"))
    kinds, common = kinds_of(command.settings), kinds_of(Common)
    for name, field in command.fields().items():
        panel = _COMMON if name in common else _SETTINGS
        found.append(_setting_option(name, field, describe(kinds[name]), panel))
    return found + _run_options(command)


def _setting_option(name: str, field: Any, kind: str, panel: str) -> inspect.Parameter:
    help = field.metadata["help"]
    if field.metadata.get("choices"):
        help += f" ({', '.join(field.metadata['choices'])})"
    if field.default not in (None, ""):
        help += f" [default: {field.default}]"
    flag = f"--{_dashed(name)}"
    if kind == "yes/no":
        return _option(f"{flag}/--no-{_dashed(name)}", bool | None, help, panel)
    return _option(flag, str | None, help, panel, metavar=kind.upper())


def _run_options(command: Command) -> list[inspect.Parameter]:
    main = f"table {command.main}; kind by suffix, - = standard output, a folder = every table as Parquet"
    found = [
        _option("--output", str | None, main, _RUN, "-o", metavar="PATH"),
        _option("--format", str | None, "kind on standard output: csv, parquet, ndjson", _RUN, metavar="KIND"),
    ]
    found.extend(
        _option(f"--write-{_dashed(table)}", str | None, f"table {table} too", _RUN, metavar="PATH")
        for table in (*command.outputs[1:], "findings")
    )
    return [
        *found,
        _option(
            "--report",
            str | None,
            "folder for report.html, report.md, summary.json, run.json, every table",
            _RUN,
            metavar="DIR",
        ),
        _option(
            "--engine",
            str | None,
            "where partitions are worked on: local, dask://HOST:PORT[/FOLDER] [default: local]",
            _RUN,
            metavar="ENGINE",
            hidden=command.conclude is None,
        ),
        _option("--config", str | None, "settings file, over ./cbec.yaml", _RUN, metavar="FILE"),
        _option("--set", list[str] | None, "one setting, e.g. --set common.seed=3", _RUN, metavar="KEY=VALUE"),
        _option(
            "--max-bad",
            float,
            "share of bad rows that may be left out [default: 0]",
            _RUN,
            default=0.0,
            metavar="SHARE",
        ),
        _option("--rejects", str | None, "the bad rows as they stood", _RUN, metavar="FILE"),
        _option("--fail-on", str | None, "exit 1 when a finding is at least: info, warn, high", _RUN, metavar="LEVEL"),
        _option("--json", bool, "summary.json on standard output", _RUN, default=False),
        _option(
            "--wait",
            float,
            "seconds to wait for another run that holds --report [default: 0]",
            _RUN,
            default=0.0,
            metavar="SECONDS",
        ),
        _option("--quiet", bool, "errors only", _RUN, "-q", default=False),
        _option(
            "--verbose",
            bool,
            "also what each file was taken for, and settings that are no default",
            _RUN,
            "-v",
            default=False,
        ),
    ]


def _function(command: Command) -> Callable[..., None]:
    def body(**given: Any) -> None:
        from cbec.core import delivery, runner, signals

        signals.watch()
        got = {name.removeprefix("o_"): value for name, value in given.items()}
        request = delivery.Request(
            inputs={i.table: got[i.table] or [] for i in command.inputs},
            options={name: got[name] for name in command.fields()},
            sets=got["set"] or [],
            config=got["config"],
            output=got["output"],
            format=got["format"],
            writes={t: got[f"write_{t}"] for t in (*command.outputs[1:], "findings") if got[f"write_{t}"]},
            report=got["report"],
            max_bad=got["max_bad"],
            rejects=got["rejects"],
            fail_on=got["fail_on"],
            as_json=got["json"],
            wait=got["wait"],
            engine=got["engine"],
            argv=sys.argv[1:],
        )
        raise typer.Exit(runner.run(command, request, Console(_level(got["quiet"], got["verbose"]))))

    body.__signature__ = inspect.Signature(options_of(command))  # type: ignore[attr-defined]
    body.__name__ = command.name.replace("-", "_")
    body.__doc__ = command.help
    return body


def _level(quiet: bool, verbose: bool) -> int:
    return 0 if quiet else 2 if verbose else 1


def _example(command: Command) -> str:
    return f"cbec {command.path} {command.example}" if command.example else ""


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _guarded(work: Callable[[Console], int | None], console: Console | None = None) -> None:
    """Run a top-level command: its errors become exit statuses, as those of steps do."""
    from cbec.core import runner, signals

    signals.watch()
    console = console or Console()
    try:
        raise typer.Exit(int(work(console) or 0))
    except CbecError as error:
        runner.tell(error, console)
        raise typer.Exit(error.status) from None
    except (MemoryError, OSError) as error:
        console.error(str(error) or type(error).__name__)
        raise typer.Exit(ExitStatus.ENVIRONMENT) from None
    except (typer.Exit, KeyboardInterrupt):
        raise
    except Exception as error:
        runner.tell_bug(error, console)
        raise typer.Exit(ExitStatus.BUG) from None


@app.command()
def demo(
    folder: Annotated[str, typer.Argument(help="where to, made if need be")] = "cbec-demo",
) -> None:
    """The whole chain on sample data; ends with the path of report/index.html."""
    from cbec import house

    _guarded(lambda console: house.demo(folder, console))


@app.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="YAML of stages")] = "pipeline.yaml",
    select: Annotated[
        list[str] | None, typer.Option(help="stages: NAME, NAME+ (and what follows), +NAME (and what it needs)")
    ] = None,
    jobs: Annotated[int, typer.Option(help="stages at once", min=1)] = 1,
    force: Annotated[bool, typer.Option("--force", help="run unchanged stages too")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell what would run and why, write nothing")] = False,
    carry: Annotated[bool, typer.Option("--carry", help="begin with what the last run left for this one")] = False,
    wait: Annotated[float, typer.Option(help="seconds to wait for another run")] = 0.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="errors only")] = False,
) -> None:
    """Run a pipeline: only stages whose inputs, settings or code changed."""
    from cbec import house

    _guarded(
        lambda console: house.run(pipeline, select, jobs, force, dry_run, carry, wait, console),
        Console(_level(quiet, False)),
    )


@app.command()
def init(folder: Annotated[str, typer.Argument(help="where to, made if need be")] = ".") -> None:
    """Start a project: cbec.yaml, pipeline.yaml and an empty exports/ with the headers to fill."""
    from cbec import house

    _guarded(lambda console: house.init(folder, console))


@app.command()
def schema(
    table: Annotated[str | None, typer.Argument(help="a table; without one, all are listed")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="as CSV")] = False,
) -> None:
    """Tables and their columns: kind, unit, needed or not, range, key, names accepted."""
    from cbec import house

    _guarded(lambda _: house.schema(table, as_json, as_csv))


@app.command()
def check(
    table: Annotated[str, typer.Argument(help="the table's name")],
    paths: Annotated[
        list[str], typer.Argument(help="files, quoted globs, folders of Parquet, or -", metavar="PATH...")
    ],
    rejects: Annotated[str | None, typer.Option(help="write the bad rows here", metavar="FILE")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="one common setting, e.g. --set date_order=dmy", metavar="KEY=VALUE"),
    ] = None,
) -> None:
    """Hold files against the contract of a table: exit 3 and the faults, or 0."""
    from cbec import house

    _guarded(lambda console: house.check(table, paths, rejects, sets or [], console))


_config = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(_config, name="config", help="Settings.")


@_config.command("show")
def config_show(
    step: Annotated[str, typer.Argument(help="a step")],
    command: Annotated[str | None, typer.Argument(help="one of its commands; without one, all")] = None,
    config: Annotated[str | None, typer.Option(help="settings file, over ./cbec.yaml", metavar="FILE")] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="one setting")] = None,
) -> None:
    """Each setting of a step, its value and where that came from."""
    from cbec import house

    _guarded(lambda _: house.config_show(step, command, config, sets or []))


@app.command()
def report(folder: Annotated[str, typer.Argument(help="a folder that --report wrote", metavar="DIR")]) -> None:
    """Draw a report again from the tables in its folder."""
    from cbec import house

    _guarded(lambda console: house.redraw(folder, console))


@app.command()
def doctor() -> None:
    """What this installation has: versions, extras, packaged files, free disk."""
    from cbec import house

    _guarded(lambda _: house.doctor())


def _version(given: bool) -> None:
    if given:
        from cbec import __version__

        typer.echo(f"cbec {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="print the version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script `cbec`."""
    process.hold_standard_streams()
    process.hold_memory()
    process.wait_asleep()
    app(prog_name="cbec")
