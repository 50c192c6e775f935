"""Runs one command: with `core.delivery`, the only place with side effects.

files -> contract -> step -> contract -> files -> report -> run.json.
"""

from __future__ import annotations

import dataclasses
import os
import traceback
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cbec.core import config, engine, lock
from cbec.core.delivery import (
    SEVERITIES,
    Job,
    Request,
    asked_for,
    check_places,
    deliver,
    plain,
    record_failure,
    summarise,
)
from cbec.core.errors import CbecError, EnvironmentFailed, ExitStatus, InputRejected, NoRows, UsageFault
from cbec.core.staging import Staging
from cbec.core.words import of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from cbec.core.check import Checked
    from cbec.core.command import Command, Common, Finding, Result
    from cbec.core.console import Console
    from cbec.core.files import Raw, Source
    from cbec.core.ranged import Ranged
    from cbec.core.writing import Stored

    Given = pl.DataFrame | Raw | Ranged | None
    Frames = Mapping[str, Given]


def run(command: Command, request: Request, console: Console) -> ExitStatus:
    """Run a command to its end and say how it went. Never raises: every error becomes its exit status."""
    job = Job(command, request, console)
    error: CbecError
    try:
        return _run(job)
    except CbecError as caught:
        error = caught
        tell(error, console)
    except (MemoryError, OSError) as caught:
        error = EnvironmentFailed(str(caught) or type(caught).__name__)
        tell(error, console)
    except Exception as caught:  # whatever else comes here is a bug of ours
        error = CbecError(f"{type(caught).__name__}: {caught}")
        tell_bug(caught, console)
    record_failure(job, error.status, error)
    return error.status


def tell(error: CbecError, console: Console) -> None:
    """An error as a person reads it, with the first faults of a rejected input."""
    faults = error.faults if isinstance(error, InputRejected) else []
    console.error(error.message, None if faults else error.hint)
    for fault in faults:
        if str(fault) != error.message:
            console.line(f"  {fault}")
    if isinstance(error, InputRejected) and faults:
        if error.total > len(faults):
            console.line(f"  ... and {error.total - len(faults)} more")
        if error.hint:
            console.hint(error.hint)


def tell_bug(error: BaseException, console: Console) -> None:
    """One line for a person, the traceback into a log file."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    log = home / "cbec" / f"bug-{os.getpid()}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), "utf-8")
        place = f"traceback in {log}"
    except OSError:
        place = "no place for a traceback"
    first = str(error).splitlines()[0] if str(error) else ""
    console.error(f"this is a bug in cbec: {type(error).__name__}: {first} ({place})")


def _run(job: Job) -> ExitStatus:
    command, request = job.command, job.request
    settled = config.resolve(command, request.options, request.sets, request.config)
    job.record.origins, job.record.settings = settled.origins, plain(settled.settings)
    _check_request(command, request)
    with ExitStack() as held:
        if request.report is not None:
            held.enter_context(lock.hold(Path(request.report) / ".lock", request.wait, f"cbec {command.path}"))
        for name, origin in settled.origins.items():
            if origin != config.DEFAULT:
                job.console.detail(f"setting {name} = {job.record.settings[name]} (from {origin})")
        where = held.enter_context(engine.opened(request.engine, job.console.doing))
        frames = _read_inputs(job, settled.settings)
        settings = _settle_as_of(job, settled.settings, frames)
        job.record.settings = plain(settings)
        frames = _cut(job, frames, settings)
        job.console.doing(command.path)
        wanted = asked_for(command, request)
        result = engine.answer(command, frames, settings, where, wanted)
        result.tables |= {name: make() for name, make in result.later.items() if name in wanted}
        result.notes += _add_empty(request.writes, result)
        for note in result.notes:
            job.console.say(f"note: {note}")
        for checked in result.checked:
            job.record.counts[checked.table] = {"good": checked.rows - checked.bad, "rejected": checked.bad}
        _judge_rejects(result.checked, job)
        result.findings = _at_home(result.findings, frames.get("rates"), settings)
        tables = _conform(command, result, settings)
        status = _status(result, request.fail_on)
        rows = {name: _height(frame) for name, frame in frames.items() if frame is not None}
        job.console.doing("writing")
        deliver(job, tables, summarise(command, settings, result, tables, rows, status), result.files)
    return status


def _height(frame: pl.DataFrame | Raw | Ranged) -> int:
    from cbec.core.files import Raw

    return frame.frame.height if isinstance(frame, Raw) else frame.height


def _check_request(command: Command, request: Request) -> None:
    def flags(names: Sequence[str]) -> str:
        return ", ".join(f"--{name.replace('_', '-')}" for name in names)

    engine.check(command, request.engine)
    missing = [i.table for i in command.inputs if i.required and not request.inputs.get(i.table)]
    if missing:
        raise UsageFault(f"{command.path} needs {flags(missing)}", hint=f"cbec {command.path} --help")
    if command.any_of and not any(request.inputs.get(name) for name in command.any_of):
        raise UsageFault(f"{command.path} needs one of {flags(command.any_of)}")
    piped = [name for name, paths in request.inputs.items() for path in paths if path == "-"]
    if len(piped) > 1:
        raise UsageFault(f"only one table can come from standard input, not {', '.join(piped)}")
    if request.fail_on not in (None, *SEVERITIES):
        raise UsageFault(f"--fail-on: {request.fail_on} is none of {', '.join(SEVERITIES)}")
    if not 0 <= request.max_bad <= 1:
        raise UsageFault(f"--max-bad: {request.max_bad:g} is no share between 0 and 1")
    check_places(command, request)


def _read_inputs(job: Job, settings: Common) -> dict[str, Given]:
    from cbec import tables
    from cbec.core import check, files, parts

    frames: dict[str, Given] = {}
    checked: list[Checked] = []
    here = job.request.engine in (None, engine.LOCAL)  # the files of this machine are not those of a cluster
    ranges = {}
    if here or job.command.parts:
        ranges = parts.inputs(job.command, settings, job.request.inputs, engine.ROWS)
    for declared in job.command.inputs:
        name, paths = declared.table, job.request.inputs.get(declared.table)
        if not paths:
            frames[name] = None
            continue
        job.console.doing(f"reading {name}")
        if name in ranges:
            frames[name] = _ranged(job, ranges[name])
            continue
        contract = None if declared.raw else tables.get(name)
        try:
            raw = files.read(contract, paths, settings)
        except NoRows as none:
            if declared.required or name in job.command.any_of:
                raise
            job.console.say(f"note: {name}: {none.message}; taken as not given")
            frames[name] = None
            continue
        job.record.sources[name] = raw.sources
        for source in raw.sources:
            job.console.detail(f"{name}: {source.name}: {_told(source)}")
        if contract is None:
            frames[name] = raw
            job.record.counts[name] = {"good": raw.frame.height, "rejected": 0}
            continue
        outcome = check.check(contract, raw, settings)
        for note in outcome.notes:
            job.console.say(f"note: {name}: {note}")
        checked.append(outcome)
        frames[name] = outcome.good
        job.record.counts[name] = {"good": outcome.good.height, "rejected": outcome.bad}
    _judge_rejects(checked, job)
    return frames


def _ranged(job: Job, table: Ranged) -> Ranged:
    """Tell of a table that the parts of the run read, each its range."""
    job.record.sources[table.table] = list(table.sources)
    job.record.counts[table.table] = {"good": table.height, "rejected": 0}
    for source in table.sources:
        job.console.detail(f"{table.table}: {source.name}: {_told(source)}")
    for note in table.notes:
        job.console.say(f"note: {table.table}: {note}")
    return table


def _told(source: Source) -> str:
    """What a file was taken for."""
    cut = {None: "", "\t": ", cut by tabs"}.get(source.delimiter, f', cut by "{source.delimiter}"')
    words = source.kind if source.encoding == "binary" else f"{source.kind}, {source.encoding}"
    return f"{of(source.rows, 'row')}, {words}{cut}"


def _judge_rejects(checked: Sequence[Checked], job: Job) -> None:
    """Bad rows stop the run unless their share is allowed; either way `--rejects` gets them all.

    Where there are none it gets an empty table, or those of an earlier run would be taken for today's.
    """
    import polars as pl

    from cbec import tables
    from cbec.core import check, files

    request, console = job.request, job.console
    bad = [c for c in checked if c.total]
    job.bad.extend(bad)
    if request.rejects is not None:
        contract = tables.get("rejects")
        every = [c.rejects for c in job.bad] or [pl.DataFrame(schema=contract.names)]
        with Staging() as staging:
            files.write(check.conform(contract, pl.concat(every)), Path(request.rejects), staging)
    over = [c for c in bad if c.whole or c.bad > request.max_bad * c.rows]
    if over:
        total = sum(c.total for c in bad)
        hint = "mend them, or let the good rows go on with --max-bad SHARE (--rejects FILE keeps the bad ones)"
        if lost := next((fault.table for c in over for fault in c.faults if fault.rule == "column"), None):
            hint = f"is it the right file? `cbec schema {lost}` lists the columns and the names accepted for each"
        elif twice := next((tables.get(f.table).twice for c in over for f in c.faults if f.rule == "key"), ""):
            hint = twice
        raise InputRejected(
            f"{', '.join(c.table for c in over)}: {of(total, 'fault')} in the input; nothing was written",
            [fault for c in over for fault in c.faults][:20],
            hint=None if lost is None and any(c.whole for c in over) else hint,
            total=total,
        )
    for c in bad:
        console.warn(f"{c.table}: {c.bad} of {c.rows} rows left out (--max-bad {request.max_bad:g})")


def _settle_as_of(job: Job, settings: Common, frames: Frames) -> Common:
    """The default of `as_of` is the latest date of the leading table, never the clock."""
    import polars as pl

    from cbec import tables
    from cbec.core.ranged import Ranged

    leading = job.command.leading
    frame = None if leading is None else frames.get(leading)
    if settings.as_of is not None or leading is None or not isinstance(frame, (pl.DataFrame, Ranged)):
        return settings
    column = tables.get(leading).time
    latest = None if column is None else _end(frame, column, highest=True)
    if not isinstance(latest, date):
        return settings
    day = latest.date() if isinstance(latest, datetime) else latest
    age = (date.today() - day).days
    line = f"as of {day}, the latest {column} of {leading} ({_age(age)})"
    if age < 0:  # one mistyped year would move the whole answer
        job.console.warn(line)
    else:
        job.console.say(line)
    return dataclasses.replace(settings, as_of=day)


def _end(frame: pl.DataFrame | Ranged, column: str, highest: bool) -> object:
    """The highest or lowest value of a column."""
    import polars as pl

    if not isinstance(frame, pl.DataFrame):
        return frame.bound(column, highest)
    return frame[column].max() if highest else frame[column].min()


def _age(days: int) -> str:
    if days < 0:
        return f"{of(-days, 'day')} in the future"
    return "today" if days == 0 else f"{of(days, 'day')} old"


def _cut(job: Job, frames: Frames, settings: Common) -> dict[str, Given]:
    """Nothing after `as_of` reaches a step, except in tables that tell of the future by design."""
    import polars as pl

    from cbec import tables
    from cbec.core.ranged import Ranged

    kept = dict(frames)
    for declared in job.command.inputs:
        name, frame = declared.table, frames[declared.table]
        if not declared.raw:
            _later(job, name, tables.get(name).counted, frame, settings.as_of)
        column = None if declared.raw else tables.get(name).time
        if settings.as_of is None or column is None or not isinstance(frame, (pl.DataFrame, Ranged)):
            continue
        known: pl.DataFrame | Ranged
        if isinstance(frame, Ranged):
            known = frame.at(settings.as_of)
        else:
            known = frame.filter(pl.col(column).cast(pl.Date).le(settings.as_of).fill_null(True))
        if known.height < frame.height:
            job.console.say(f"note: {name}: {of(frame.height - known.height, 'row')} after {settings.as_of} not used")
        if frame.height and not known.height and declared.required:
            first = _end(frame, column, highest=False)
            raise InputRejected(
                f"{name}: no row at or before --as-of {settings.as_of}", hint="the first is of " + str(first)
            )
        kept[name] = known
    return kept


def _later(job: Job, name: str, column: str | None, frame: Given, as_of: date | None) -> None:
    """A state that was seen after `as_of` cannot be left out as an event can: without it there would be none.

    Where a person said the day, it is refused. Where the day is that of the latest sale, stock is usually counted the
    morning after: it is used, and told.
    """
    import polars as pl

    if column is None or as_of is None or not isinstance(frame, pl.DataFrame):
        return
    later = frame.filter(pl.col(column) > as_of)
    if not later.height:
        return
    last = str(later[column].max())
    told = f"{name}: {later.height} of {frame.height} rows are of a day after --as-of {as_of}, the last of {last}"
    if job.record.origins.get("as_of") != config.DEFAULT:
        raise InputRejected(told, hint=f"give --as-of {last}, or what was there on {as_of}")
    job.console.warn(f"{told}; they are used as what is there now")


def _at_home(findings: Sequence[Finding], rates: Given, settings: Common) -> list[Finding]:
    """Findings with their money in the home currency at the last fixing, so that they can be ranked.

    Where no fixing tells it, the amount stays as it is.
    """
    import polars as pl

    from cbec.core.money import rate_to

    home, day = settings.home_currency, settings.as_of
    if home is None or day is None or not isinstance(rates, pl.DataFrame):
        return list(findings)
    known: dict[str, float | None] = {home: 1.0}
    for code in sorted({f.currency for f in findings if f.currency} - {home}):
        try:
            known[code] = float(
                rate_to(pl.DataFrame({"currency": [code], "day": [day]}), "currency", "day", rates, home)[0]
            )
        except InputRejected:
            known[code] = None
    told = []
    for f in findings:
        rate = known.get(f.currency or home)
        if f.money is not None and rate is not None:
            told.append(dataclasses.replace(f, money=round(f.money * rate, 2), currency=home))
        else:
            told.append(f)
    return told


def _conform(command: Command, result: Result, settings: Common) -> dict[str, pl.DataFrame | Stored]:
    from cbec import tables
    from cbec.core import check, parts

    out = parts.shaped(command, result.tables, settings)
    out["findings"] = check.conform(tables.get("findings"), _findings_frame(result.findings))
    return out


def _add_empty(asked: Iterable[str], result: Result) -> list[str]:
    """Tables that were asked for and that had nothing to tell, without rows, so that what reads them next finds a file.

    Answers a note for each.
    """
    from cbec import tables
    from cbec.core.cells import empty

    lost = [name for name in asked if name not in result.tables and name != "findings"]
    for name in lost:
        result.tables[name] = empty(tables.get(name).columns)
    return [f"{name}: this run has nothing to tell there; an empty table is written" for name in lost]


def _findings_frame(findings: Sequence[Finding]) -> pl.DataFrame:
    import polars as pl

    names = ("finding_id", "severity", "entity", "rule", "message", "money", "currency")
    schema = {name: pl.Float64 if name == "money" else pl.String for name in names}
    return pl.DataFrame([dataclasses.asdict(f) for f in findings], schema=schema)


def _status(result: Result, fail_on: str | None) -> ExitStatus:
    if result.fail:
        return ExitStatus.FINDINGS
    if fail_on is None:
        return ExitStatus.DONE
    level = SEVERITIES.index(fail_on)
    met = any(SEVERITIES.index(f.severity) >= level for f in result.findings)
    return ExitStatus.FINDINGS if met else ExitStatus.DONE
