"""Partitions on a Dask cluster: a task each, Parquet in and out, nothing but names through the scheduler.

Driver and workers meet in a folder that all of them see. A task can be run twice (core/pieces.py), so that a lost worker costs
time only: the partitions it had are run again elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec.core import manifest, pieces
from cbec.core.errors import CbecError, EnvironmentFailed

if TYPE_CHECKING:
    from cbec.core.command import Common
    from cbec.core.engine import Cut, Engine, Tables

CONNECT = 15.0
"""Seconds to wait for the scheduler, at the start and when it is lost."""
PATIENCE = 60.0
"""Seconds to wait for a worker where there is none, at the start and when all are lost."""
RETRIES = 2
"""Further runs of a task that failed by itself (a full disk of one worker, say)."""
SEEN = "seen"
HINT = "start it again (docs/how-to/cluster.md), or leave --engine away: this machine gives the same bytes"


@contextlib.contextmanager
def connected(address: str, shared: Path, say: Callable[[str], None]) -> Iterator[Engine]:
    """An engine on the cluster at `address` (tcp://HOST:PORT), with a folder of its own in `shared`.

    Raises EnvironmentFailed: no scheduler there, no worker, a worker with another version of cbec or Polars, or one that
    does not see the folder.
    """
    import dask
    import distributed

    # What it logs of lost connections is told by us, once.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as held:
        held.enter_context(dask.config.set({"distributed.comm.timeouts.connect": CONNECT}))
        try:
            client: Any = distributed.Client(address, timeout=CONNECT, name="cbec")  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError) as error:
            raise EnvironmentFailed(f"no Dask scheduler answers at {address} ({type(error).__name__})", HINT) from None
        held.callback(_close, client)
        if not shared.is_dir():
            raise EnvironmentFailed(f"--engine: there is no folder {shared}", "name one that all workers see")
        folder = held.enter_context(pieces.folder(shared, "cluster"))
        _ready(client, address, folder)
        yield lambda cut, settings: _run(client, folder, say, cut, settings)


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):  # of a cluster that is lost there is nothing to close
        client.close(timeout=2)


def _ready(client: Any, address: str, folder: Path) -> None:
    """Hold every worker against this program: same code, same Polars, same folder."""
    (folder / SEEN).touch()
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        told = client.run(about, str(folder), on_error="return")
    except (OSError, TimeoutError) as error:
        raise EnvironmentFailed(
            f"the Dask scheduler at {address} has no worker ({type(error).__name__})", HINT
        ) from None
    agree(told, about(str(folder)), folder.parent)


def agree(told: Mapping[str, Any], mine: Mapping[str, str], shared: Path) -> None:
    """Raise EnvironmentFailed for the first worker that is not as this process is. told: `about` of each, or its error."""
    for worker, found in sorted(told.items()):
        if isinstance(found, BaseException):
            message = f"cbec does not run on worker {worker} ({type(found).__name__}: {found})"
            raise EnvironmentFailed(message, "install the same cbec on every worker")
        for name, here in mine.items():
            if name != "seen" and found[name] != here:
                message = f"worker {worker} has another {name} ({found[name][:12]}) than this machine ({here[:12]})"
                raise EnvironmentFailed(message, "install the same cbec, Polars and Python packages on every worker")
        if not found["seen"]:
            hint = "name a folder that all machines share: --engine dask://HOST:PORT/FOLDER"
            raise EnvironmentFailed(f"worker {worker} does not see the folder {shared}", hint)


def about(folder: str) -> dict[str, str]:
    """What a process must have in common with the others of its run."""
    seen = "yes" if (Path(folder) / SEEN).exists() else ""
    return {"cbec": manifest.code_version(), "Polars": metadata.version("polars"), "seen": seen}


def _run(client: Any, folder: Path, say: Callable[[str], None], cut: Cut, settings: Common) -> list[Tables]:
    pieces.open_job(folder, cut, settings)
    futures = {}
    for number in range(cut.count):
        pieces.lay(folder, cut, number)
        key = f"{folder.name}-{number}"
        futures[number] = client.submit(pieces.work, str(folder), number, key=key, pure=False, retries=RETRIES)
    made = _gathered(client, futures, say)
    return [dict(pieces.made(folder, number, names)) for number, names in sorted(made.items())]


def _gathered(client: Any, futures: dict[int, Any], say: Callable[[str], None]) -> dict[int, list[str]]:
    """The result of every task. Raises the refusal of the first partition that has one, whichever was done first."""
    made: dict[int, list[str]] = {}
    refused: dict[int, CbecError] = {}
    seen = time.monotonic()
    while waiting := {n: f for n, f in futures.items() if n not in made and n < min(refused, default=len(futures))}:
        say(f"{len(made)} of {len(futures)} partitions")
        for number in _done(waiting):
            outcome = _outcome(futures[number], number)
            if isinstance(outcome, CbecError):
                refused[number] = outcome
            else:
                made[number] = outcome
        if _workers(client):
            seen = time.monotonic()
        elif time.monotonic() - seen > PATIENCE:
            raise EnvironmentFailed("the cluster has lost all its workers", HINT)
    if refused:
        raise refused[min(refused)]
    return made


def _done(waiting: dict[int, Any]) -> list[int]:
    """Numbers of the tasks that have ended, after a moment at most."""
    import distributed
    from distributed.client import FuturesCancelledError

    with contextlib.suppress(TimeoutError, FuturesCancelledError):
        distributed.wait(  # type: ignore[no-untyped-call]
            list(waiting.values()), timeout=1, return_when="FIRST_COMPLETED"
        )
    return [number for number, future in waiting.items() if future.status not in ("pending",)]


def _outcome(future: Any, number: int) -> list[str] | CbecError:
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    try:
        told: list[str] | CbecError = future.result(timeout=CONNECT)
    except KilledWorker as error:
        message = f"partition {number} ended {error.allowed_failures + 1} workers, one after the other"
        raise EnvironmentFailed(message, "most often for want of memory: give workers more, or more workers") from None
    except (FutureCancelledError, OSError, TimeoutError) as error:
        raise EnvironmentFailed(f"the cluster was lost ({type(error).__name__})", HINT) from None
    return told


def _workers(client: Any) -> bool:
    """Whether the scheduler answers and has workers."""
    try:
        return bool(client.nthreads())
    except (OSError, TimeoutError):
        return False
