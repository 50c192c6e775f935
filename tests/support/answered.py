"""A command answered from frames, without files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbec.core import engine
from cbec.core.command import find

if TYPE_CHECKING:
    import polars as pl

    from cbec.core.command import Common, Result


def answered(path: str, s: Common, **frames: pl.DataFrame) -> Result:
    """The result of the command `path` ("step name") on this machine; tables not given are absent."""
    command = find(*path.split())
    every = {declared.table: frames.get(declared.table) for declared in command.inputs}
    return engine.answer(command, every, s, engine.here)
