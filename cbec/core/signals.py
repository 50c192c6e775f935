"""Ends at once and cleanly on SIGINT, SIGTERM and SIGHUP, or when the pipeline that started this process has died.

Python signal handlers wait until native code (a solver, a Polars collect) returns, which can take many seconds.
The C-level handler, though, writes the signal's number to a descriptor at once; a thread that waits on it removes
temporaries and ends the process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from typing import TYPE_CHECKING

from cbec.core.errors import ExitStatus
from cbec.core.staging import TEMPORARIES

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT = "CBEC_PARENT_FD"
_ENDING = {
    signal.SIGINT: int(ExitStatus.INTERRUPTED),
    signal.SIGTERM: int(ExitStatus.TERMINATED),
    signal.SIGHUP: 128 + signal.SIGHUP,
}
_before_exit: list[Callable[[], None]] = []


def before_exit(hook: Callable[[], None]) -> None:
    """Call this before a signal ends the process (a pipeline stops its children)."""
    _before_exit.append(hook)


def watch() -> None:
    """Start the watcher. Called once, when a command begins to work."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    for number in _ENDING:
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup: it is to outlive its terminal
        signal.signal(number, lambda *_: None)  # a Python handler must stand for the descriptor to be written
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    parent = os.environ.pop(PARENT, None)
    inputs = [reading] if parent is None else [reading, int(parent)]
    threading.Thread(target=_wait, args=(reading, inputs), daemon=True).start()


def _wait(reading: int, inputs: list[int]) -> None:
    while True:
        ready, _, _ = select.select(inputs, [], [])
        if reading not in ready:  # the parent's end of the pipe is gone
            _end(ExitStatus.TERMINATED)
        for number in os.read(reading, 16):
            if number in _ENDING:
                _end(_ENDING[signal.Signals(number)])


def _end(status: int) -> None:
    for hook in _before_exit:
        with contextlib.suppress(Exception):
            hook()
    for temporary in list(TEMPORARIES):
        with contextlib.suppress(OSError):
            temporary.unlink()
    os._exit(status)
