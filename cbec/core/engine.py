"""Where one machine ends: the body of a command over partitions of its tables, here or on a cluster, to the same bytes.

A command declared with `conclude` is run in three steps. `fit` finds in the whole tables the little that one partition
needs of the others; the body answers for each partition by itself; `conclude` tells of the merged tables. Partitions are
ranges of the key, cut by the data alone: neither the order of the rows nor the number of threads or workers moves a cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cbec.core.command import every_command
from cbec.core.errors import UsageFault

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.command import Command, Common, Result

    Tables = dict[str, pl.DataFrame]
    Name = tuple[str, str]  # "frames" or "state", and the table's name there
    Engine = Callable[["Cut", Common], list[Tables]]

LOCAL = "local"
ROWS = 500_000
"""Rows of the split tables in a partition: enough that what is done once in each does not count, few enough for a worker's
memory. A key with more rows stays whole."""


def check(command: Command, where: str | None) -> None:
    """Raise UsageFault where `where` is no engine, or not one for this command."""
    if where in (None, LOCAL):
        return
    place(where)
    if command.conclude is None:
        able = ", ".join(c.path for c in every_command() if c.conclude is not None)
        raise UsageFault(f"{command.path} runs on this machine only (--engine local)", hint=f"on a cluster run: {able}")
    if find_spec("distributed") is None:
        hint = "pip install 'cbec[cluster]'"
        raise UsageFault(f"--engine {where} needs the package distributed, which is not installed", hint=hint)


def place(where: str) -> tuple[str, Path]:
    """Address of the scheduler and the folder that all workers see, of `dask://HOST:PORT[/FOLDER]`."""
    try:
        parts = urlsplit(where)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme != "dask" or not parts.hostname or port is None or parts.query or parts.fragment:
        raise UsageFault(f"--engine: {where} is none of local, dask://HOST:PORT, dask://HOST:PORT/FOLDER")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"tcp://{host}:{port}", Path(unquote(parts.path) or gettempdir())


@contextmanager
def opened(where: str | None, say: Callable[[str], None]) -> Iterator[Engine]:
    """The engine of a run; a cluster is reached before anything is read. say: told how far it is.

    Raises EnvironmentFailed when the cluster cannot be reached or does not fit this program.
    """
    if where is None or where == LOCAL:
        yield here
        return
    from cbec.core import cluster

    address, folder = place(where)
    with cluster.connected(address, folder, say) as engine:
        yield engine


def answer(command: Command, frames: Mapping[str, Any], settings: Common, engine: Engine) -> Result:
    """The result of a command; where it is declared so, of its partitions one by one."""
    state = None if command.fit is None else command.fit(**frames, s=settings)
    if command.conclude is None:
        return command.function(**frames, s=settings)
    parts = engine(Cut(command, frames, state), settings)
    return command.conclude(_merged(parts), **frames, s=settings, **({} if state is None else {"state": state}))


class Cut:
    """The tables of a command, cut: those that carry every `by` column are split, the others are given to all.

    Tables are those of the frames and of the state. One whose key has gaps is given to all, since there a gap means
    "any"; the leading table is split whatever its key holds. `count`: how many partitions there are, at least one.
    """

    def __init__(self, command: Command, frames: Mapping[str, Any], state: Mapping[str, Any] | None) -> None:
        import polars as pl

        self.function, self.fitted = command.function, state is not None
        every: dict[Name, Any] = {("frames", name): frame for name, frame in frames.items()}
        every |= {("state", name): value for name, value in (state or {}).items()}
        by = list(command.by)
        split = {
            name: frame
            for name, frame in every.items()
            if isinstance(frame, pl.DataFrame)
            and set(by) <= set(frame.columns)
            and (name[1] == command.leading or not any(frame[column].null_count() for column in by))
        }
        self.shared = {name: value for name, value in every.items() if name not in split}
        given = [frame.select(by) for name, frame in split.items() if name[0] == "frames"]
        if sum(frame.height for frame in given) <= ROWS:
            self.count = 1
            self._split: dict[Name, tuple[pl.DataFrame, pl.Series | None]] = {n: (f, None) for n, f in split.items()}
            return
        keys = pl.concat(given).group_by(by).len().sort(by)
        first = pl.col("len").cum_sum() - pl.col("len")
        parts = keys.select(*by, (first // ROWS).rle_id().alias("part"))
        self.count = int(parts["part"][-1]) + 1
        self._split = {
            name: (
                frame,
                frame.select(by).join(parts, on=by, how="left", nulls_equal=True, maintain_order="left")["part"],
            )
            for name, frame in split.items()
        }

    def piece(self, number: int) -> dict[Name, pl.DataFrame]:
        """The split tables of one partition."""
        return {
            name: frame if part is None else frame.filter(part == number) for name, (frame, part) in self._split.items()
        }


def body(function: Callable[..., Result], fitted: bool, given: Mapping[Name, Any], settings: Common) -> Tables:
    """The tables that a command's body makes of one partition. given: split and shared tables together."""
    frames = {name: value for (kind, name), value in given.items() if kind == "frames"}
    state = {name: value for (kind, name), value in given.items() if kind == "state"}
    return function(**frames, s=settings, **({"state": state} if fitted else {})).tables


def here(cut: Cut, settings: Common) -> list[Tables]:
    """The engine `local`: one partition after the other; Polars uses the cores."""
    return [body(cut.function, cut.fitted, cut.shared | cut.piece(n), settings) for n in range(cut.count)]


def _merged(parts: list[Tables]) -> Tables:
    """One table of each name; the contract sorts it by its key when it is written."""
    import polars as pl

    names = dict.fromkeys(name for tables in parts for name in tables)
    # A column that is empty in one partition may have no type of its own there.
    return {
        name: pl.concat([tables[name] for tables in parts if name in tables], how="vertical_relaxed", rechunk=False)
        for name in names
    }
