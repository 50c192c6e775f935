"""Where one machine ends: the body of a command over partitions of its tables, here or on a cluster, to the same bytes.

A command declared with `conclude` is run in three steps. `fit` finds in the whole tables the little that one partition
needs of the others; the body answers for each partition by itself; `conclude` tells of the merged tables. Partitions are
ranges of the key, cut by the data alone: neither the order of the rows nor the number of threads or workers moves a cut.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
    from cbec.core.writing import Stored

    Tables = dict[str, pl.DataFrame | Stored]
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
        from cbec.core import workers

        with workers.local(say) as engine:
            yield engine
        return
    from cbec.core import cluster

    address, folder = place(where)
    with cluster.connected(address, folder, say) as engine:
        yield engine


def answer(
    command: Command, frames: Mapping[str, Any], settings: Common, engine: Engine, wanted: Collection[str] = ()
) -> Result:
    """The result of a command; where it is declared so, of its partitions one by one.

    wanted: the tables that the run was asked for.
    """
    if command.conclude is None:
        return command.function(**frames, s=settings)
    if command.parts is not None:
        return _catalogue(command, frames, settings, engine, wanted)
    state = None if command.fit is None else command.fit(**frames, s=settings)
    whole = [
        {name: _read(table) for name, table in part.items()} for part in engine(Cut(command, frames, state), settings)
    ]
    return command.conclude(_merged(whole), **frames, s=settings, **({} if state is None else {"state": state}))


def _catalogue(
    command: Command,
    frames: Mapping[str, Any],
    settings: Common,
    engine: Engine,
    wanted: Collection[str],
) -> Result:
    """The result of a command whose parts are catalogues of their own, or of the whole where it is not cut."""
    from cbec.core import parts

    assert command.parts is not None and command.conclude is not None
    given = [name for name, frame in frames.items() if frame is not None]
    size, leading = command.parts(settings, given), frames[str(command.leading)]
    borders = [] if size is None else parts.borders(leading, command.by[0], size)
    if not borders:
        result = command.function(**frames, s=settings)
        whole = command.conclude(result.tables, s=settings)
        whole.later = result.later
        return whole
    state = None if command.fit is None else command.fit(**frames, s=settings)
    cut = Cut(command, frames, state, borders)
    cut.function = parts.Body(command.step, command.name, tuple(sorted(wanted)))
    tables = parts.merged(command, engine(cut, settings))
    checked = parts.verdicts(tables)
    result = command.conclude(tables, s=settings)
    result.checked = checked
    return result


class Cut:
    """The tables of a command, cut: those that carry every `by` column are split, the others are given to all.

    Tables are those of the frames and of the state. One whose key has gaps is given to all, since there a gap means
    "any"; the leading table is split whatever its key holds. `count`: how many partitions there are, at least one.
    """

    def __init__(
        self,
        command: Command,
        frames: Mapping[str, Any],
        state: Mapping[str, Any] | None,
        borders: Sequence[str] | None = None,
    ) -> None:
        import polars as pl

        from cbec.core.ranged import Ranged

        self.function: Callable[..., Result] = command.function
        self.fitted = state is not None
        self._borders: list[str | None] | None = None if borders is None else [None, *borders, None]
        every: dict[Name, Any] = {("frames", name): frame for name, frame in frames.items()}
        every |= {("state", name): value for name, value in (state or {}).items()}
        by = list(command.by)
        split: dict[Name, Any] = {
            name: frame
            for name, frame in every.items()
            if isinstance(frame, Ranged)
            or (
                isinstance(frame, pl.DataFrame)
                and set(by) <= set(frame.columns)
                and (name[1] == command.leading or not any(frame[column].null_count() for column in by))
            )
        }
        self.shared = {name: value for name, value in every.items() if name not in split}
        self._split: dict[Name, tuple[Any, pl.Series | None]]
        if borders is not None:
            self.count = len(borders) + 1
            self._key = by[0]
            self._split = {name: (frame, None) for name, frame in split.items()}
            return
        given = [frame.select(by) for name, frame in split.items() if name[0] == "frames"]
        if sum(frame.height for frame in given) <= ROWS:
            self.count = 1
            self._split = {n: (f, None) for n, f in split.items()}
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

    def piece(self, number: int) -> dict[Name, Any]:
        """The split tables of one partition."""
        if self._borders is not None:
            low, high = self._borders[number : number + 2]
            return {name: _between(frame, self._key, low, high) for name, (frame, _) in self._split.items()}
        return {
            name: frame if part is None else frame.filter(part == number) for name, (frame, part) in self._split.items()
        }


def _between(frame: Any, key: str, low: str | None, high: str | None) -> Any:
    """Rows of a table (a frame, or one read by ranges) with low <= key < high; None is no border."""
    import polars as pl

    if not isinstance(frame, pl.DataFrame):
        return frame.between(low, high)
    inside = pl.lit(True)
    if low is not None:
        inside &= pl.col(key) >= pl.lit(low)
    if high is not None:
        inside &= pl.col(key) < pl.lit(high)
    return frame.filter(inside)


def body(
    function: Callable[..., Result], fitted: bool, given: Mapping[Name, Any], settings: Common
) -> dict[str, pl.DataFrame]:
    """The tables that a command's body makes of one partition. given: split and shared tables together."""
    frames = {name: value for (kind, name), value in given.items() if kind == "frames"}
    state = {name: value for (kind, name), value in given.items() if kind == "state"}
    return function(**frames, s=settings, **({"state": state} if fitted else {})).tables


def here(cut: Cut, settings: Common) -> list[Tables]:
    """The engine `local`: one partition after the other; Polars uses the cores."""
    return [dict(body(cut.function, cut.fitted, cut.shared | cut.piece(n), settings)) for n in range(cut.count)]


def _read(table: pl.DataFrame | Stored) -> pl.DataFrame:
    import polars as pl

    return table if isinstance(table, pl.DataFrame) else table.frame()


def _merged(parts: list[dict[str, pl.DataFrame]]) -> dict[str, pl.DataFrame]:
    """One table of each name; the contract sorts it by its key when it is written."""
    import polars as pl

    names = dict.fromkeys(name for tables in parts for name in tables)
    # A column that is empty in one partition may have no type of its own there.
    return {
        name: pl.concat([tables[name] for tables in parts if name in tables], how="vertical_relaxed", rechunk=False)
        for name in names
    }
