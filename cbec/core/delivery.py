"""What a run leaves behind: tables, report, summary.json, run.json, and standard output last."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import os
import platform
import signal
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cbec import __version__
from cbec.core.errors import CbecError, EnvironmentFailed, ExitStatus, UsageFault
from cbec.core.staging import Staging
from cbec.core.words import of
from cbec.core.writing import Stored, held, is_folder, kind_of, pour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from cbec.core.check import Checked
    from cbec.core.command import Command, Common, Result
    from cbec.core.console import Console
    from cbec.core.files import Source
    from cbec.core.money import Headline

SEVERITIES = ("info", "warn", "high")
FORMATS = ("csv", "parquet", "ndjson")


@dataclass
class Request:
    """What a person asked for, before anything is read."""

    inputs: Mapping[str, Sequence[str]]
    options: Mapping[str, Any] = field(default_factory=dict)
    sets: Sequence[str] = ()
    config: str | None = None
    output: str | None = None
    format: str | None = None
    writes: Mapping[str, str] = field(default_factory=dict)
    report: str | None = None
    max_bad: float = 0.0
    rejects: str | None = None
    fail_on: str | None = None
    as_json: bool = False
    wait: float = 0.0
    engine: str | None = None
    argv: Sequence[str] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing says where the answer goes."""
        return self.output is None and self.report is None and not self.as_json

    @property
    def piped(self) -> bool:
        """Whether the main table goes to standard output."""
        terminal = sys.stdout is not None and sys.stdout.isatty()
        return self.output == "-" or (self.silent and not terminal)


@dataclass
class Record:
    """What run.json tells: filled while the run goes on, written on failure too."""

    started: float = field(default_factory=time.time)
    settings: dict[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    sources: dict[str, list[Source]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Job:
    """One run of one command: what was asked for, who listens, what is known so far."""

    command: Command
    request: Request
    console: Console
    record: Record = field(default_factory=Record)
    bad: list[Checked] = field(default_factory=list)


def check_places(command: Command, request: Request) -> None:
    """Raise UsageFault, before anything is read, where the outputs that were asked for cannot all be written."""
    if request.format not in (None, *FORMATS):
        raise UsageFault(f"--format: {request.format} is none of {', '.join(FORMATS)}")
    if request.format and not request.piped:
        hint = "the suffix of -o FILE tells its kind"
        raise UsageFault("--format is the kind of the table on standard output, where none goes", hint=hint)
    if request.piped and request.as_json:
        raise UsageFault("--json and a table cannot share standard output", hint="write the table with -o FILE")
    named = {"--output": request.output, "--report": request.report, "--rejects": request.rejects}
    named |= {f"--write-{table.replace('_', '-')}": place for table, place in request.writes.items()}
    for option, place in named.items():
        if place is None or (place == "-" and option == "--output"):
            continue
        if not place.strip():
            raise UsageFault(f"{option}: the path is empty")
        folder = option == "--report" or (option == "--output" and is_folder(place))
        if not folder:
            kind_of(place)
        if folder and Path(place).exists() and not Path(place).is_dir():
            raise UsageFault(
                f"{option}: {place} is a file, and a folder is to be made there"
                + (" (a path without a suffix is a folder)" if option == "--output" else "")
            )
        if not folder and Path(place).is_dir():
            raise UsageFault(f"{option}: {place} is a folder", hint="name a file in it")
    _each_once(command, request)


def _each_once(command: Command, request: Request) -> None:
    """No file is written twice, nor written over a table that is read (a table may take the place of its own last state)."""
    written: dict[str, tuple[str, str]] = {}
    for option, table, place in _written(command, request):
        where = os.path.realpath(place)
        if where in written:
            raise UsageFault(f"{option} and {written[where][0]} would both write {place}")
        written[where] = (option, table)
    for table, paths in request.inputs.items():
        for path in paths:
            for file in [path] if os.path.exists(path) else glob.glob(path, recursive=True):
                option, made = written.get(os.path.realpath(file), ("", table))
                if made != table:
                    raise UsageFault(f"{option} would write over {file}, which --{table.replace('_', '-')} reads")


def _written(command: Command, request: Request) -> Iterator[tuple[str, str, str]]:
    """Option, table (or nothing) and path of every file that may be written."""
    output, report = request.output, request.report
    if output and output != "-" and is_folder(output):
        tables = [table for table in command.outputs if table not in request.writes]
        yield from (("--output", table, os.path.join(output, f"{table}.parquet")) for table in tables)
    elif output and output != "-":
        yield "--output", command.main, output
    for table, place in request.writes.items():
        yield f"--write-{table.replace('_', '-')}", table, place
    if request.rejects is not None:
        yield "--rejects", "", request.rejects
    if report is not None:
        for table in (*command.outputs, "findings"):
            yield from (("--report", table, os.path.join(report, f"{table}{kind}")) for kind in (".parquet", ".csv"))
        for name in ("summary.json", "run.json", "report.html", "report.md"):
            yield "--report", "", os.path.join(report, name)


def asked_for(command: Command, request: Request) -> frozenset[str]:
    """The output tables that this run is to write or to show."""
    every = request.report is not None or (request.output not in (None, "-") and is_folder(str(request.output)))
    return frozenset(command.outputs) if every else frozenset({command.main, *request.writes})


def summarise(
    command: Command,
    settings: Common,
    result: Result,
    tables: Mapping[str, pl.DataFrame | Stored],
    inputs: Mapping[str, int],
    status: ExitStatus,
) -> dict[str, Any]:
    """summary.json: the result in figures, without clock times, so that equal runs give equal bytes.

    inputs: rows used per input table.
    """
    # Of equal weight they stay in the order in which the step tells them.
    by_weight = sorted(result.findings, key=lambda f: (-SEVERITIES.index(f.severity), -(f.money or 0.0)))
    return {
        "schema_version": 1,
        "step": command.step,
        "command": command.name,
        "title": command.help.splitlines()[0] if command.help else command.path,
        "as_of": None if settings.as_of is None else settings.as_of.isoformat(),
        "seed": settings.seed,
        "status": int(status),
        "headline": headline(command, result, tables),
        "money": _money(result.money),
        "metrics": {k: _round(v) for k, v in result.metrics.items()},
        "findings": {level: sum(f.severity == level for f in result.findings) for level in SEVERITIES},
        "top_findings": [dataclasses.asdict(f) for f in by_weight[:20]],
        "notes": list(result.notes),
        "tables": {name: frame.height for name, frame in tables.items()},
        "inputs": dict(inputs),
    }


def headline(command: Command, result: Result, tables: Mapping[str, pl.DataFrame | Stored]) -> str:
    """The outcome in one sentence, money (or what else the step answers) first."""
    # The main table, or where this run made none (an import of order lines alone) the first that it made.
    first = next((name for name in command.outputs if name in tables), None)
    rows = command.path if first is None else f"{of(tables[first].height, 'row')} of {first}"
    if isinstance(result.money, str):
        return f"{result.outcome}; {rows}" if result.outcome else rows
    m = result.money
    word = "saved" if m.difference <= 0 else "dearer"
    return f"{abs(m.difference):,.2f} {m.currency} {word} ({m.today:,.2f} today, {m.proposed:,.2f} proposed); {rows}"


def _money(money: Headline | str) -> dict[str, Any]:
    if isinstance(money, str):
        return {"reason": money}
    parts = dataclasses.asdict(money) | {"difference": money.difference}
    return {k: round(v, 2) if isinstance(v, float) else v for k, v in parts.items()}


def _round(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def plain(settings: Common) -> dict[str, Any]:
    """Settings as JSON can hold them."""
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in dataclasses.asdict(settings).items()}


def deliver(
    job: Job,
    tables: Mapping[str, pl.DataFrame | Stored],
    summary: dict[str, Any],
    made: Mapping[str, bytes] | None = None,
) -> None:
    """Write everything asked for, whole or not at all; a table or summary for standard output goes last.

    made: the result's files that are no tables, for the folder that a setting names.
    """
    from cbec.core import files

    request = job.request
    with Staging() as staging:
        for name, place in _places(job, tables).items():
            files.write(tables[name], Path(place), staging)
            job.record.outputs[name] = {"path": place, "rows": tables[name].height}
        _write_files(job, made or {}, staging)
        if request.report is not None:
            _write_report(job, tables, summary, staging)
    if request.silent and not request.piped:
        from cbec import report

        job.console.done()
        report.terminal(summary, _whole(tables))
    _close(job, summary)
    if request.as_json:
        to_stdout((json.dumps(summary, ensure_ascii=False, indent=2) + "\n").encode())
    elif request.piped and job.command.main in tables:
        with _standard_output() as out:
            pour(_main(job, tables), out, request.format or "csv")


def _places(job: Job, tables: Mapping[str, pl.DataFrame | Stored]) -> dict[str, str]:
    """Where each asked-for table goes."""
    output, places = job.request.output, dict(job.request.writes)
    if output is None or output == "-":
        if job.request.piped and (output == "-" or not places):
            _main(job, tables)
        return places
    if is_folder(output):
        # A place without a suffix is a folder: every table of the result, as Parquet.
        return {name: str(Path(output) / f"{name}.parquet") for name in tables if name != "findings"} | places
    _main(job, tables)
    return {job.command.main: output} | places


def _whole(tables: Mapping[str, pl.DataFrame | Stored]) -> dict[str, pl.DataFrame]:
    """Tables that lie in files, read: what people look at needs them so."""
    return {name: held(table) for name, table in tables.items()}


def _write_files(job: Job, made: Mapping[str, bytes], staging: Staging) -> None:
    """Files that are no tables, staged with the rest: a model is never newer than the record beside it."""
    setting = job.command.folder
    folder = job.record.settings.get(setting) if setting else None
    if not made or not folder:
        return
    for name, data in sorted(made.items()):
        if not name or Path(name).name != name:
            raise AssertionError(f"{name} is no plain file name")
        staging.write(Path(folder) / name, data)
    job.record.outputs[str(setting)] = {"path": folder, "files": sorted(made)}


def _main(job: Job, tables: Mapping[str, pl.DataFrame | Stored]) -> pl.DataFrame | Stored:
    if job.command.main not in tables:
        made = ", ".join(name for name in tables if name != "findings")
        raise UsageFault(f"this run made no table {job.command.main}", hint=f"it made {made}: give -o a folder")
    return tables[job.command.main]


def _write_report(
    job: Job, tables: Mapping[str, pl.DataFrame | Stored], summary: dict[str, Any], staging: Staging
) -> None:
    from cbec import report
    from cbec.core import files

    folder, frames = Path(str(job.request.report)), _whole(tables)
    for name, frame in frames.items():
        files.write(frame, folder / f"{name}.parquet", staging)
        files.write(files.neutralise(frame), folder / f"{name}.csv", staging)
    staging.write(folder / "summary.json", (json.dumps(summary, ensure_ascii=False, indent=2) + "\n").encode())
    report.build(summary, frames, folder, staging)
    staging.write(folder / "run.json", _run_json(job, ExitStatus(summary["status"]), None))


def _run_json(job: Job, status: ExitStatus, error: CbecError | None) -> bytes:
    from importlib import metadata

    record = job.record
    told = {
        "schema_version": 1,
        "command": job.command.path,
        "argv": list(job.request.argv),
        "versions": {"cbec": __version__, "python": platform.python_version(), "polars": metadata.version("polars")},
        "settings": {k: {"value": v, "from": record.origins.get(k)} for k, v in record.settings.items()},
        "inputs": {k: [dataclasses.asdict(s) for s in v] for k, v in record.sources.items()},
        "rows": record.counts,
        "outputs": record.outputs,
        "started": round(record.started, 3),
        "seconds": round(time.time() - record.started, 3),
        "status": int(status),
        "error": None if error is None else error.message,
    }
    return (json.dumps(told, ensure_ascii=False, indent=2, default=str) + "\n").encode()


def record_failure(job: Job, status: ExitStatus, error: CbecError) -> None:
    """run.json of a run that failed, where a report was asked for and no other run holds its folder."""
    report = job.request.report
    if report is None or not report.strip() or status is ExitStatus.BUSY:
        return
    # The first error has been told; a second one about its record would help nobody.
    with contextlib.suppress(OSError), Staging() as staging:
        staging.write(Path(report) / "run.json", _run_json(job, status, error))


def _close(job: Job, summary: Mapping[str, Any]) -> None:
    request, counts = job.request, summary["findings"]
    told = ", ".join(f"{counts[level]} {level}" for level in reversed(SEVERITIES) if counts[level])
    output = request.output if request.output != "-" else None
    where = [w for w in (output, f"{request.report}/report.html" if request.report else None) if w]
    line = f"{job.command.path}: {summary['headline']}"
    line += f"; findings: {told}" if told else ""
    job.console.say(line + (f" -> {', '.join(where)}" if where else ""))


def to_stdout(data: bytes) -> None:
    """Write what goes to standard output; a reader that left ends us silently (status 141)."""
    with _standard_output() as out:
        out.write(data)


def _standard_output() -> IO[bytes]:
    if sys.stdout is None:
        raise EnvironmentFailed("standard output is closed", hint="write into a file with -o FILE")
    # Only here, since the default action would also end a process whose socket breaks.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.stdout.flush()
    return open(sys.stdout.fileno(), "wb", closefd=False)
