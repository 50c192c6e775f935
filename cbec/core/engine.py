"""Where one machine ends: the body of a command over partitions of its tables, here or on a cluster, to the same bytes.

A command declared with `conclude` is run in three steps. `fit` finds in the whole tables the little that one partition
needs of the others; the body answers for each partition by itself; `conclude` tells of the merged tables. Partitions are
ranges of the key, cut by the data alone: neither the order of the rows nor the number of threads or workers moves a cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cbec.core.command import every_command
from cbec.core.errors import UsageFault
from cbec.core.writing import joined

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.command import Command, Common, Result
    from cbec.core.writing import Stored

    Tables = dict[str, pl.DataFrame | Stored]
    Name = tuple[str, str]  # "frames" or "state", and the table's name there
    Engine = Callable[["Cut", Common], list[Tables]]

LOCAL = "local"
ROWS = 1_000_000
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
    from cbec.core.ranged import Ranged

    leading = frames[str(command.leading)]
    state = None if command.fit is None else command.fit(**frames, s=settings)
    given = {**frames, **({} if state is None else {"state": state})}
    if isinstance(leading, Ranged):
        cut = Cut(command, frames, state, leading.borders)
        return _by_parts(command, cut, settings, engine, wanted, given)
    told = engine(Cut(command, frames, state), settings)
    names = dict.fromkeys(name for part in told for name in part)
    # The contract sorts them by their keys when they are written.
    whole = {name: joined([part[name] for part in told if name in part]) for name in names}
    return command.conclude(whole, **given, s=settings)


def _by_parts(
    command: Command, cut: Cut, settings: Common, engine: Engine, wanted: Collection[str], given: Mapping[str, Any]
) -> Result:
    """The result of a command whose parts read their share of the tables and leave their outputs in files.

    given: what `conclude` is told beside the merged tables.
    """
    from cbec.core import parts

    assert command.conclude is not None
    cut.function = parts.Body(command.step, command.name, tuple(sorted(wanted)))
    tables = parts.merged(command, engine(cut, settings))
    checked = parts.verdicts(tables)
    result = command.conclude(tables, **given, s=settings)
    result.checked = checked
    return result


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
    return _by_parts(command, Cut(command, frames, state, borders), settings, engine, wanted, {})


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
        firsts = _firsts(split, by) if borders is None else pl.DataFrame({by[0]: borders})
        self.count = 1 if firsts is None else firsts.height + 1
        self._split = {
            name: frame if isinstance(frame, Ranged) else Split(frame, by, firsts, _order(command, name))
            for name, frame in split.items()
        }
        self._ends = [None, *([] if firsts is None else firsts[by[0]]), None]

    def lay(self, folder: Path) -> None:
        """Tables whose rows are in no order, and lie in files, are laid into their ranges in that folder."""
        from cbec.core.ranged import Ranged

        for name, table in self._split.items():
            if isinstance(table, Ranged):
                self._split[name] = table.lay(folder)

    def piece(self, number: int) -> dict[Name, Any]:
        """The split tables of one partition."""
        low, high = self._ends[number : number + 2]
        return {
            name: table.piece(number) if isinstance(table, Split) else table.between(low, high)
            for name, table in self._split.items()
        }


def _firsts(split: Mapping[Name, pl.DataFrame], by: list[str]) -> pl.DataFrame | None:
    """The first key of every partition but the first; None where one is enough."""
    import polars as pl

    from cbec.core.conform import ascending

    given = [frame.select(by) for name, frame in split.items() if name[0] == "frames"]
    if sum(frame.height for frame in given) <= ROWS:
        return None
    keys = pl.concat(given)
    if not ascending(keys, by):
        keys = keys.sort(by)
    new = keys.select(pl.any_horizontal(pl.col(c).ne_missing(pl.col(c).shift(1)) for c in by).alias("new"))["new"]
    heads = new.arg_true()
    due = [heads.search_sorted(at) for at in range(ROWS, keys.height, ROWS)]
    return keys[heads.gather([n for n in dict.fromkeys(due) if n < len(heads)])]


def _order(command: Command, name: Name) -> tuple[str, ...]:
    """Columns that a split table is sorted by: the leading one, so that what is made of it is in order."""
    from cbec import tables

    if name != ("frames", command.leading):
        return ()
    return (*command.by, *(c for c in tables.get(name[1]).key if c not in command.by))


class Split:
    """A table in ranges of its key. firsts: the first key of each range but the first; None: there is one range.

    A table that is sorted is sliced; of another the rows of a range are picked and sorted by the columns `order`, so
    that what is made of them is sorted when all are put together.
    """

    def __init__(self, frame: pl.DataFrame, by: list[str], firsts: pl.DataFrame | None, order: Sequence[str]) -> None:
        import polars as pl

        from cbec.core.conform import ascending

        self._frame, self._order = frame, [c for c in order if c in frame.columns]
        self._ends: list[int] | None = None
        self._part: pl.Series | None = None
        if firsts is None:
            self._ends = [0, frame.height]
            return
        reached = [_from(by, first) for first in firsts.iter_rows()]
        if ascending(frame, self._order or by):
            self._ends = [0, *(_first(frame, row) for row in reached), frame.height]
        else:
            self._part = frame.select(pl.sum_horizontal(r.cast(pl.Int32) for r in reached).alias("part"))["part"]

    def piece(self, number: int) -> pl.DataFrame:
        """The rows of one range."""
        if self._ends is not None:
            first, end = self._ends[number : number + 2]
            return self._frame if end - first == self._frame.height else self._frame[first:end]
        rows = self._frame.filter(self._part == number)
        return rows.sort(self._order, maintain_order=True) if self._order else rows


def _first(frame: pl.DataFrame, reached: pl.Expr) -> int:
    """The first row of a sorted table from which on the condition holds."""

    def holds(row: int) -> bool:
        return bool(frame[row : row + 1].select(reached).item())

    return bisect_left(range(frame.height), True, key=holds)


def _from(by: list[str], key: Sequence[Any]) -> pl.Expr:
    """Whether a row's key is that key or comes after it; nothing comes before everything."""
    import polars as pl

    *before, (last, least) = zip(by, key, strict=True)
    reached = pl.lit(True) if least is None else (pl.col(last) >= pl.lit(least)).fill_null(False)
    for column, value in reversed(before):
        cell = pl.col(column)
        beyond = cell.is_not_null() if value is None else (cell > pl.lit(value)).fill_null(False)
        reached = beyond | (cell.eq_missing(pl.lit(value)) & reached)
    return reached


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
