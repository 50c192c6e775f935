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
    result = engine.answer(command, every, s, engine.here, command.outputs)
    result.tables |= {name: make() for name, make in result.later.items()}
    return result


def demand(
    sales: pl.DataFrame,
    products: pl.DataFrame | None = None,
    calendar: pl.DataFrame | None = None,
    signals: pl.DataFrame | None = None,
    *,
    s: Common,
) -> Result:
    """The result of `forecast demand`."""
    return answered("forecast demand", s, **_given(sales=sales, products=products, calendar=calendar, signals=signals))


def replenish(
    forecast: pl.DataFrame, inventory: pl.DataFrame, policies: pl.DataFrame, *, s: Common, **more: pl.DataFrame | None
) -> Result:
    """The result of `forecast replenish`."""
    return answered(
        "forecast replenish", s, **_given(forecast=forecast, inventory=inventory, policies=policies, **more)
    )


def _given(**frames: pl.DataFrame | None) -> dict[str, pl.DataFrame]:
    return {name: frame for name, frame in frames.items() if frame is not None}
