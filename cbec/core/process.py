"""What a run asks of the process it runs in: memory kept for its next column, standard streams that exist."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of the settings of `mallopt` in GNU's C library."""


def hold_memory() -> None:
    """Memory is looked through and given back less often than is usual, since a run ends soon.

    A step makes and drops columns all the time: asking the system for each anew costs a sixth of a large run. So what Polars frees
    is kept for its next column for half a minute (who set something of their own keeps it; to be called before Polars is
    imported), and what NumPy frees until the end, where the C library lets us say so. Cycles are rare, and looking for them
    costs several percent.
    """
    gc.set_threshold(100_000, 50, 50)
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:30000,muzzy_decay_ms:30000")
    # Looking for huge pages in a memory in pieces costs more than they save.
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    settings = {
        "MALLOC_TRIM_THRESHOLD_": (_TRIM_THRESHOLD, 2**31 - 1),
        "MALLOC_MMAP_THRESHOLD_": (_MMAP_THRESHOLD, 2**30),
    }
    if sys.platform == "linux" and not os.environ.keys() & settings:
        with contextlib.suppress(OSError, AttributeError):  # another C library than GNU's
            tune = ctypes.CDLL(None).mallopt
            for name, (number, value) in settings.items():
                tune(number, value)
                os.environ[name] = str(value)  # for the processes that this one starts


def wait_asleep() -> None:
    """Threads of LightGBM that wait for each other sleep (to be called before it is imported).

    Awake they take the time of whatever else runs: beside another busy process forecasts took twice the CPU seconds.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def hold_standard_streams() -> None:
    """Standard streams that were closed before the start (cbec ... 2>&-) lead nowhere, or a file we open would take their number.

    `sys.stdout` stays None where there is no standard output, so that data for it is an error and not lost.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")
