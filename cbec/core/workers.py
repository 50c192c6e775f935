"""Partitions on the cores of this machine: a process each, so that its memory is given back, a few at a time.

The processes end when this one does, however that happens (core/children.py). A partition that refuses its rows refuses
the run: the first one by its key, whichever was done first.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

from cbec.core import children, engine, parts, pieces, signals
from cbec.core.command import find
from cbec.core.errors import CbecError, EnvironmentFailed, ExitStatus
from cbec.core.writing import Packing

if TYPE_CHECKING:
    from cbec.core.command import Command, Common
    from cbec.core.engine import Cut, Engine, Tables

NEED = 3.0
"""GB of memory that a process may take."""
THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def local(say: Callable[[str], None]) -> Iterator[Engine]:
    """The engine `local`: in this process, and in others where a command comes in parts. Their files last as long as it does."""
    with ExitStack() as held:

        def run(cut: Cut, settings: Common) -> list[Tables]:
            if cut.count == 1 or not isinstance(cut.function, parts.Body):
                return engine.here(cut, settings)
            folder = held.enter_context(pieces.folder(Path(gettempdir()), "parts"))
            command = find(cut.function.step, cut.function.name)
            # Parts of a command that takes ranges share what they learn, so that one process works on all of them.
            return (
                _together(folder, cut, command, settings, say) if command.ranged else _run(folder, cut, settings, say)
            )

        yield run


def at_once() -> int:
    """How many processes: one per core that is ours, as far as there is memory for them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        told = Path("/proc/meminfo").read_text("ascii").split("MemAvailable:")[1].split()[0]
        free = int(told) * 1024
    except (OSError, ValueError, IndexError):
        return cores
    return max(1, min(cores, int(free / (NEED * 2**30))))


def _together(folder: Path, cut: Cut, command: Command, settings: Common, say: Callable[[str], None]) -> list[Tables]:
    """One partition after the other in this process; output tables go into files as they are made."""
    done: list[Tables] = []
    say("laying rows into ranges")
    cut.lay(folder)
    with ExitStack() as held:
        files: dict[str, Packing] = {}
        for number in range(cut.count):
            say(f"{number} of {cut.count} parts")
            told = engine.body(cut.function, cut.fitted, cut.shared | cut.piece(number), settings)
            for name in [name for name in told if parts.ordered(command, name)]:
                if name not in files:
                    files[name] = held.enter_context(Packing(folder / f"{name}.parquet"))
                files[name].add(told.pop(name))
            done.append(dict(told))
        done.append({name: file.close() for name, file in files.items()})
    return done


def _run(folder: Path, cut: Cut, settings: Common, say: Callable[[str], None]) -> list[Tables]:
    pieces.open_job(folder, cut, settings)
    refused: dict[int, CbecError] = {}
    done: dict[int, list[str]] = {}

    def one(number: int) -> None:
        if refused and number > min(refused):
            return
        pieces.lay(folder, cut, number)
        outcome = _process(folder, number, reading)
        if isinstance(outcome, CbecError):
            refused[number] = outcome
            return
        done[number] = outcome
        say(f"{len(done)} of {cut.count} parts")

    say(f"0 of {cut.count} parts")
    with children.lifeline() as reading, ThreadPoolExecutor(min(at_once(), cut.count)) as pool:
        for future in [pool.submit(one, number) for number in range(cut.count)]:
            future.result()
    if refused:
        raise refused[min(refused)]
    return [dict(pieces.made(folder, number, names)) for number, names in sorted(done.items())]


def _process(folder: Path, number: int, reading: int) -> list[str] | CbecError:
    """Run one partition in a process of its own. Its table names, or why the partition or the process gave none."""
    words = [sys.executable, "-m", "cbec.core.workers", str(folder), str(number)]
    said = folder / f"said-{number:05}"
    with said.open("wb") as output:
        code = children.run(words, Path.cwd(), output, reading, dict.fromkeys(THREADS, "1"))
    answer = _answer(folder, number)
    if children.ending.is_set():  # this process is being ended, and the watcher says with which status
        threading.Event().wait()
    if code == 0 and answer.exists():
        outcome: list[str] | CbecError = pickle.loads(answer.read_bytes())
        return outcome
    if code == -signal.SIGKILL:
        hint = "most often for want of memory: end other programs, or use a larger machine"
        return EnvironmentFailed(f"the process of part {number + 1} was killed", hint)
    if code < 0:
        return EnvironmentFailed(f"the process of part {number + 1} was ended by {signal.Signals(-code).name}")
    lines = said.read_text("utf-8", "replace").strip()
    if code == int(ExitStatus.ENVIRONMENT):
        return EnvironmentFailed(lines.rpartition("\n")[2] or f"part {number + 1} failed")
    raise RuntimeError(f"part {number + 1}: {lines.rpartition(chr(10))[2]}\n{lines}")


def _answer(folder: Path, number: int) -> Path:
    return folder / f"answer-{number:05}.pickle"


def main() -> None:
    """What a worker process does: one partition."""
    signals.watch()
    folder, number = sys.argv[1], int(sys.argv[2])
    try:
        outcome = pieces.work(folder, number)
        _answer(Path(folder), number).write_bytes(pickle.dumps(outcome))
    except (MemoryError, OSError) as error:
        print(str(error) or type(error).__name__)  # noqa: T201 -- read by the process that started this one
        sys.exit(int(ExitStatus.ENVIRONMENT))


if __name__ == "__main__":
    main()
