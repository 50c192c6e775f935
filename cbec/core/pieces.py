"""Partitions through a folder: Parquet in and out, so that processes anywhere that see it can work on them.

A task can be run twice: its files are put in place whole, and each run of it writes the same bytes.
"""

from __future__ import annotations

import contextlib
import pickle
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec.core import signals
from cbec.core.engine import Cut, body
from cbec.core.errors import CbecError
from cbec.core.staging import Staging, sweep, unique
from cbec.core.writing import Stored

if TYPE_CHECKING:
    from cbec.core.command import Common

JOB, GIVEN = "job.pickle", "given.pickle"


@contextlib.contextmanager
def folder(shared: Path, what: str) -> Iterator[Path]:
    """A folder for one run in `shared`, gone afterwards; those of runs that were killed go too."""
    sweep(shared)
    made = shared.absolute() / unique(what)

    def remove() -> None:
        shutil.rmtree(made, ignore_errors=True)

    signals.before_exit(remove)
    try:
        made.mkdir(mode=0o700)
        yield made
    finally:
        remove()


def open_job(place: Path, cut: Cut, settings: Common) -> None:
    """Write what all partitions have in common."""
    job = (cut.function, cut.fitted, cut.shared, settings)
    (place / JOB).write_bytes(pickle.dumps(job))


def lay(place: Path, cut: Cut, number: int) -> None:
    """Write what one partition has for itself."""
    import polars as pl

    others = {}
    for name, value in cut.piece(number).items():
        if isinstance(value, pl.DataFrame):
            value.write_parquet(_file(place, number, "-".join(name), mkdir=True))
        else:
            others[name] = value
    if others:
        (_file(place, number, "", mkdir=True).parent / GIVEN).write_bytes(pickle.dumps(others))


def work(place: str, number: int) -> list[str] | CbecError:
    """Runs where a task is: one partition from its files into its files. The names of its tables, or the step's refusal."""
    import polars as pl

    # Each run of a task has a state of its own: it may learn in it while another thread works.
    function, fitted, shared, settings = pickle.loads(_job(place))
    given: dict[tuple[str, str], Any] = dict(shared)
    here = _file(Path(place), number, "").parent
    for file in sorted(here.glob("*.parquet")):
        kind, _, name = file.stem.partition("-")
        if kind != "out":
            given[kind, name] = pl.read_parquet(file)
    if (here / GIVEN).exists():
        given |= pickle.loads((here / GIVEN).read_bytes())
    try:
        tables = body(function, fitted, given, settings)
    except CbecError as refused:  # a value, or it would be tried again
        return refused
    if not (Path(place) / JOB).exists():  # the run has ended meanwhile: its folder is not to come back
        raise FileNotFoundError(place)
    with Staging() as staging:
        for name, frame in tables.items():
            frame.write_parquet(staging.path(_file(Path(place), number, f"out-{name}")))
    return list(tables)


def made(place: Path, number: int, names: list[str]) -> dict[str, Stored]:
    """The tables that `work` wrote."""
    import polars as pl

    files = {name: _file(place, number, f"out-{name}") for name in names}
    heights = {name: int(pl.scan_parquet(f).select(pl.len()).collect().item()) for name, f in files.items()}
    return {name: Stored((file,), heights[name]) for name, file in files.items()}


def _file(place: Path, number: int, name: str, mkdir: bool = False) -> Path:
    part = place / f"part-{number:05}"
    if mkdir:
        part.mkdir(exist_ok=True)
    return part / f"{name}.parquet"


@lru_cache(maxsize=1)
def _job(place: str) -> bytes:
    return (Path(place) / JOB).read_bytes()
