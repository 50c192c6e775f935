"""`cbec run`: the stages of a YAML as child processes, only those whose inputs, settings or code changed.

What runs and in which order is decided by the files that stages read and write (core/plan.py); whether a stage must run
by hashes of all that its answer follows from (core/changed.py, core/manifest.py). State is written after every stage, so that a run that
was killed goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import cbec
from cbec.core import children, lock, manifest
from cbec.core.changed import outputs_of, parts_of, reason_for
from cbec.core.console import Console
from cbec.core.errors import ExitStatus, InputRejected, UsageFault
from cbec.core.graph import remote
from cbec.core.manifest import Entry, Parts
from cbec.core.plan import Plan, Stage, load
from cbec.core.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HIDDEN = ".cbec"
PROGRAM = (sys.executable, "-m", "cbec")
_TAIL = 8  # lines of a failed stage's log that are told
_FAREWELL = 1.0
_DONE = (ExitStatus.DONE, ExitStatus.FINDINGS)


class Says(Protocol):
    """Where the story of a run goes (core.console.Console is one)."""

    def say(self, text: str) -> None:
        """Tell a line."""

    def error(self, text: str) -> None:
        """Tell what must be heard in a quiet run too."""


@dataclass
class Outcome:
    """How a stage went.

    state: run, unchanged, failed, not run, not selected. reason: why it ran, or why it failed or did not run.
    """

    state: str
    reason: str
    entry: Entry | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        """Its exit status; 0 where nothing was run or known."""
        return self.entry.status if self.entry and self.state != "not selected" else 0


def run(
    path: Path,
    select: Sequence[str] | None = None,
    jobs: int = 1,
    force: bool = False,
    dry_run: bool = False,
    carry: bool = False,
    wait: float = 0.0,
    console: Says | None = None,
    program: Sequence[str] = PROGRAM,
) -> int:
    """Run a pipeline and return the highest exit status of its stages.

    path: the YAML; its folder is the working directory of the stages. select: see `Plan.select`. jobs: stages at once.
    force: run selected stages even when unchanged. carry: hand over first what the last run left (`Plan.carry`). dry_run: only tell (status 3 when an input is missing that no stage
    makes). wait: seconds to wait for another run in the same folder. program: what `STEP COMMAND --options` is given to.
    Raises UsageFault for a wrong pipeline, InputRejected when there is none, Busy when another run holds the folder.
    """
    if jobs < 1:
        raise UsageFault(f"--jobs: {jobs} is below 1")
    console = Console() if console is None else console
    plan = load(path)
    chosen = plan.select(select)
    state_file = plan.folder / HIDDEN / f"{path.stem}.json"
    if dry_run:
        for line in _handovers(plan, carry):
            console.say(f"would hand over {line[0]} as {line[1]}")
        return _tell(plan, chosen, manifest.read_state(state_file), force, console)
    with lock.hold(plan.folder / HIDDEN / "lock", wait, f"cbec run {path.name}"):
        _hand_over(plan, carry, console)
        return _Run(plan, chosen, state_file, force, console, program).go(jobs)


def _handovers(plan: Plan, carry: bool) -> list[tuple[str, str]]:
    """(from, into) of the files that begin a run: what the last one left where asked for, else what each file begins as."""
    found = []
    for c in plan.carry:
        if carry and plan.absolute(c.then).is_file():
            found.append((c.then, c.into))
        elif not plan.absolute(c.into).exists():
            found.append((c.first, c.into))
    return found


def _hand_over(plan: Plan, carry: bool, console: Says) -> None:
    if carry and not plan.carry:
        raise UsageFault(
            f"{plan.path} hands nothing over", hint="the key carry of a pipeline says what a run leaves for the next"
        )
    for source, into in _handovers(plan, carry):
        file = plan.absolute(source)
        if not file.is_file():
            raise InputRejected(f"{plan.path}: carry: no file {source}, which {into} begins as")
        with Staging() as staging:
            staging.write(plan.absolute(into), file.read_bytes())
        console.say(f"handed over: {source} as {into}")


@dataclass
class _Run:
    plan: Plan
    chosen: list[str]
    state_file: Path
    force: bool
    console: Says
    program: Sequence[str]
    hashes: manifest.Hashes = field(default_factory=manifest.Hashes)
    state: dict[str, Entry] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reading: int = -1

    def go(self, jobs: int) -> int:
        """Run what must be run, then report."""
        children.ending.clear()
        started, clock = time.time(), time.monotonic()
        self.state = manifest.read_state(self.state_file)
        with children.lifeline() as self.reading:
            self._all(jobs)
        if children.ending.is_set():
            time.sleep(_FAREWELL)  # whoever ended the stages ends this process too, with the status of the signal
            return int(ExitStatus.TERMINATED)
        return self._report(started, time.monotonic() - clock)

    def _all(self, jobs: int) -> None:
        waiting = list(self.chosen)
        running: dict[Future[Outcome], str] = {}
        with ThreadPoolExecutor(jobs) as pool:
            try:
                while (waiting or running) and not children.ending.is_set():
                    for name in list(waiting):
                        needs = [n for n in self.plan.needs[name] if n in self.chosen]
                        ended = [n for n in needs if n in self.outcomes]
                        lost = [n for n in ended if self.outcomes[n].state in ("failed", "not run")]
                        if lost:
                            waiting.remove(name)
                            how = "failed" if self.outcomes[lost[0]].state == "failed" else "did not run"
                            self._end(name, Outcome("not run", f"{lost[0]} {how}"))
                        elif len(running) < jobs and ended == needs:
                            waiting.remove(name)
                            running[pool.submit(self._one, self.plan.stages[name])] = name
                    for future in wait_for(running, return_when=FIRST_COMPLETED).done:
                        self._end(running.pop(future), future.result())
            except BaseException:
                children.terminate()  # or leaving the pool would wait for them
                raise

    def _end(self, name: str, outcome: Outcome) -> None:
        if children.ending.is_set() and outcome.state == "failed":
            return  # ended by us: its last entry still says what its outputs are
        self.outcomes[name] = outcome
        if outcome.entry is not None and outcome.state != "unchanged":
            self.state[name] = outcome.entry
            manifest.write_state(self.state_file, {n: e for n, e in self.state.items() if n in self.plan.stages})
        seconds = f" in {outcome.entry.seconds:.1f} s" if outcome.entry else ""
        if outcome.state == "run":
            self.console.say(f"{name}: done{seconds}" + (", with findings (status 1)" if outcome.status else ""))
        elif outcome.state == "failed":
            how = f"{name}: failed with status {outcome.status}{seconds}; log: {self._log(name, short=True)}"
            self.console.error("\n  ".join([how, *outcome.notes]))
        else:
            self.console.say(f"{name}: {outcome.state}" + (f": {outcome.reason}" if outcome.reason else ""))

    def _one(self, stage: Stage) -> Outcome:
        """Decide, run, look at what came out. Called in a thread of its own."""
        try:
            now = parts_of(self.plan, stage, self.hashes)
            last = self.state.get(stage.name)
            reason = "forced" if self.force else reason_for(self.plan, last, now, self.hashes)
            if reason is None:
                return Outcome("unchanged", "", last)
            self.console.say(f"{stage.name}: runs ({reason})")
            begun = time.monotonic()
            status, notes = self._child(stage)
            seconds = round(time.monotonic() - begun, 3)
            outputs = outputs_of(self.plan, stage, self.hashes) if status in _DONE else {}
        except OSError as error:
            failed = Entry(int(ExitStatus.ENVIRONMENT), Parts("", {}, {}))
            return Outcome("failed", str(error), failed, [str(error)])
        entry = Entry(status, now, outputs, seconds)
        if status in _DONE:
            return Outcome("run", reason, entry)
        errors = [line.removeprefix("error: ") for line in notes if line.startswith("error: ")]
        return Outcome("failed", (errors or notes[-1:] or [f"status {status}"])[0], entry, notes)

    def _child(self, stage: Stage) -> tuple[int, list[str]]:
        """Run the stage's command; its status, and what to tell when that is no success."""
        log = self._log(stage.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        words = stage.arguments()
        record = self.plan.absolute(stage.report) / "run.json"
        before = _identity(record)
        with log.open("wb") as stream:
            stream.write(f"$ cbec {shlex.join(words)}\n".encode())
            stream.flush()
            code = children.run([*self.program, *words], self.plan.folder, stream, self.reading)
        status = children.exit_status(code)
        if status not in _DONE:
            word = [f"ended by {signal.Signals(-code).name}"] if code < 0 else []
            return status, [*_last_lines(log), *word]
        # Python itself ends with 1 when it cannot even start: a success is one that left its traces.
        absent = [
            p.path
            for p in stage.places
            if not p.folder and p.option != "rejects" and not self.plan.absolute(p.path).is_file()
        ]
        if _identity(record) == before:
            absent.append(f"{stage.report}/run.json")
        if absent:
            return int(ExitStatus.BUG), [
                *_last_lines(log),
                f"ended with status {status} but did not write {', '.join(absent)}",
            ]
        return status, []

    def _log(self, name: str, short: bool = False) -> Path:
        return (self.plan.path.parent if short else self.plan.folder) / HIDDEN / "logs" / f"{name}.log"

    # --- afterwards

    def _report(self, started: float, seconds: float) -> int:
        from cbec import report

        for name, stage in self.plan.stages.items():
            if name not in self.outcomes:
                self.outcomes[name] = Outcome("not selected", "", self.state.get(name))
            summary = _summary(self.plan, stage) if self.outcomes[name].state in ("run", "unchanged") else {}
            if summary.get("headline"):
                self.console.say(f"{name}: {summary['headline']}")
        states = [self.outcomes[name].state for name in self.plan.stages]
        status = max(outcome.status for outcome in self.outcomes.values())
        told = self._told(started, seconds, status)
        folder = self.plan.absolute(self.plan.report)
        with Staging() as staging:
            staging.write(folder / "run.json", (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())
        report.index(folder, told)
        counts = [
            f"{states.count('run')} run",
            f"{states.count('unchanged')} unchanged",
            f"{states.count('failed')} failed",
        ]
        if "not run" in states:
            counts.append(f"{states.count('not run')} not run")
        self.console.say(f"{', '.join(counts)}; report: {self.plan.path.parent / self.plan.report / 'index.html'}")
        return status

    def _told(self, started: float, seconds: float, status: int) -> dict[str, Any]:
        """What run.json tells; paths are relative to the pipeline's folder, `report` of a stage to the report folder."""
        report = self.plan.absolute(self.plan.report)
        stages = []
        for name, stage in self.plan.stages.items():
            outcome = self.outcomes[name]
            entry = outcome.entry
            summary = _summary(self.plan, stage) if outcome.state in ("run", "unchanged", "not selected") else {}
            stages.append(
                {
                    "name": name,
                    "command": stage.command.path,
                    "state": outcome.state,
                    "reason": outcome.reason,
                    "status": entry.status if entry else None,
                    "seconds": entry.seconds if entry else None,
                    "needs": list(self.plan.needs[name]),
                    "report": os.path.relpath(self.plan.absolute(stage.report), report),
                    "log": f"{HIDDEN}/logs/{name}.log",
                    "fingerprint": entry.parts.fingerprint if entry else None,
                    "inputs": dict(entry.parts.inputs) if entry else {},
                    "outputs": dict(entry.outputs) if entry else {},
                    "headline": summary.get("headline"),
                }
            )
        return {
            "schema_version": 1,
            "title": self.plan.title,
            "pipeline": self.plan.path.name,
            "status": status,
            "versions": {"cbec": cbec.__version__, "code": manifest.code_version()},
            "started": round(started, 3),
            "seconds": round(seconds, 3),
            "stages": stages,
        }


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    return about.st_ino, about.st_mtime_ns


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text("utf-8", errors="replace").splitlines()[1:]
    return [line for line in lines if line.strip()][-_TAIL:]


def _summary(plan: Plan, stage: Stage) -> Mapping[str, Any]:
    try:
        loaded = json.loads((plan.absolute(stage.report) / "summary.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


# --- dry run


def _tell(plan: Plan, chosen: Sequence[str], state: Mapping[str, Entry], force: bool, console: Says) -> int:
    """What would run and why; nothing is written. Status 3 when an input is missing that no chosen stage makes."""
    hashes = manifest.Hashes()
    running: list[str] = []
    missing = False
    for name in chosen:
        stage = plan.stages[name]
        reason = "forced" if force else reason_for(plan, state.get(name), parts_of(plan, stage, hashes), hashes)
        before = [n for n in plan.needs[name] if n in running]
        if reason is not None:
            console.say(f"{name}: would run ({reason})")
        elif before:
            console.say(
                f"{name}: would run, unless {' and '.join(before)} write{'s' if len(before) == 1 else ''} the same as last time"
            )
        else:
            console.say(f"{name}: up to date")
        if reason is not None or before:
            running.append(name)
        console.say(f"  cbec {shlex.join(stage.arguments())}")
        for text in stage.paths:
            makers = [n for n in plan.writers(text) if n in chosen]
            there = remote(text) or bool(manifest.input_files(plan.folder, text))
            missing = missing or not (makers or there)
            made = f" (made by {', '.join(makers)})" if makers else "" if there else " (missing)"
            console.say(f"  reads {text}{made}")
        for place in stage.places:
            console.say(f"  writes {place.path.rstrip('/')}{'/' if place.folder else ''}")
    return int(ExitStatus.INPUT if missing else ExitStatus.DONE)
