"""Child processes of a pipeline: they end when it ends, however that happens, and are ended when it is told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import cbec
from cbec.core.errors import ExitStatus
from cbec.core.signals import PARENT, before_exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_running: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()
#: Set once the children are being ended; no new one starts then.
ending = threading.Event()


def terminate(grace: float = 3.0) -> None:
    """End all children: SIGTERM, then SIGKILL to those still there after `grace` seconds. No new ones start."""
    with _guard:
        ending.set()
        running = list(_running)
    for child in running:
        child.terminate()
    deadline = time.monotonic() + grace
    while any(child.poll() is None for child in running) and time.monotonic() < deadline:
        time.sleep(0.02)
    for child in running:
        if child.poll() is None:
            child.kill()


before_exit(terminate)


@contextlib.contextmanager
def lifeline() -> Iterator[int]:
    """A descriptor for children to watch: it comes to its end when this process does, by kill -9 too."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(writing)
        os.close(reading)


def run(
    words: Sequence[str], folder: Path, output: IO[bytes], reading: int, more: Mapping[str, str] | None = None
) -> int:
    """Run a child in `folder`, all it says into `output`; its return code, negative when a signal ended it.

    more: what its environment has besides.
    """
    with _guard:  # so that none is started while the others are being ended
        if ending.is_set():
            return -signal.SIGTERM
        child = subprocess.Popen(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(reading,),
            env=_environment(reading) | dict(more or {}),
        )
        _running.add(child)
    try:
        return child.wait()
    finally:
        with _guard:
            _running.discard(child)


def exit_status(code: int) -> int:
    """A return code as an exit status of ours."""
    if code >= 0:
        return code
    told = {
        signal.SIGINT: ExitStatus.INTERRUPTED,
        signal.SIGTERM: ExitStatus.TERMINATED,
        signal.SIGPIPE: ExitStatus.PIPE_CLOSED,
    }
    # SIGKILL that nobody here sent is how Linux ends a process for want of memory.
    told[signal.SIGKILL] = ExitStatus.ENVIRONMENT
    return int(told.get(signal.Signals(-code), ExitStatus.BUG))


def _environment(reading: int) -> dict[str, str]:
    # A file random.py among a person's data must not become a module of the child.
    found = dict(os.environ) | {PARENT: str(reading), "PYTHONSAFEPATH": "1"}
    home = Path(cbec.__file__).resolve().parent.parent
    if home.name not in ("site-packages", "dist-packages"):  # a checkout: the child starts in another folder
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH"))))
    return found
