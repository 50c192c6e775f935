"""How the forecast of one series came about: every method from today and from the past origins, with its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods.forecast import reference, rolling, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.demand import Outlook
    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]

CHOSEN = "forecast"
_MANY = 12


def find(panel: Panel, name: str) -> int:
    """The row of `SKU@MARKET` (further keys follow by @; a SKU alone where it has one series).

    Raises UsageFault with the nearest name, or with the names of the SKU's series where it has several.
    """
    parts = panel.keys.select(pl.concat_str([pl.col(c).fill_null("") for c in panel.keys.columns], separator="@"))
    names = parts.to_series().to_list()
    if name in names:
        return names.index(name)
    of_sku = [n for n in names if n.split("@")[0] == name]
    if len(of_sku) == 1:
        return names.index(of_sku[0])
    if of_sku:
        more = f" and {len(of_sku) - _MANY} more" if len(of_sku) > _MANY else ""
        raise UsageFault(f"explain: {name} has {len(of_sku)} series", hint=", ".join(of_sku[:_MANY]) + more)
    raise UsageFault(
        f"explain: no series {name}{did_you_mean(name, [*names, *dict.fromkeys(n.split('@')[0] for n in names)])}",
        hint=f"write it as {names[0]}",
    )


def rows(panel: Panel, out: Outlook, row: int) -> pl.DataFrame:
    """Table `explained`: per method, origin and period ahead what it forecast, what came, and its weight there.

    The method `forecast` is what was (or would have been) told; the seasonal naive, the seller formula and textbook models of
    this series alone (see `reference`) stand beside the candidates with the weight that they have, if any.
    """
    h = out.point.shape[1]
    made = dict(out.rolled.forecasts)
    weights = {name: out.choice.weight[:, number, row] for number, name in enumerate(out.choice.names)}
    told = out.chosen[:, row].copy()
    told[0] = out.point[row]
    parts = [_one(panel, out, CHOSEN, told, np.ones(len(told)), row)]
    for name in sorted(made):
        if name in weights or name in (rolling.NAIVE, "seller_formula"):
            weight = weights.get(name, np.zeros(len(told)))
            parts.append(_one(panel, out, name, made[name][:, row], weight, row))
    for name, values in _textbook(panel, out, row).items():
        parts.append(_one(panel, out, name, values, np.zeros(len(told)), row))
    return pl.concat(parts).with_columns(pl.col("h").cast(pl.Int64)).filter(pl.col("h") <= h)


def _textbook(panel: Panel, out: Outlook, row: int) -> dict[str, Floats]:
    """(1 + K) x h by textbook model, for those that can be fitted at every origin."""
    y, h = panel.units[row], out.point.shape[1]
    made = [reference.forecasts(y[: len(y) - cut], h, panel.season) for cut in (0, *out.rolled.cuts)]
    return {name: np.stack([one[name] for one in made]) for name in made[0] if all(name in one for one in made)}


def _one(panel: Panel, out: Outlook, name: str, values: Floats, weight: Floats, row: int) -> pl.DataFrame:
    """One method from every origin: (1 + K) x h."""
    count, h = values.shape
    back = np.array([0, *out.rolled.cuts])
    # The last known period at each origin, and the periods that follow it.
    last = panel.start + panel.units.shape[1] - 1 - back
    dates = tables.moments((last[:, None] + np.arange(1, h + 1)).reshape(-1), panel.frequency)
    origin = tables.moments(last, panel.frequency)
    actual = out.rolled.actual[:, row].reshape(-1)
    frame = tables.keys(panel)[[row] * (count * h)]
    return frame.with_columns(
        pl.lit(name).alias("method"),
        origin[np.repeat(np.arange(count), h)].alias("origin"),
        pl.Series("h", np.tile(np.arange(1, h + 1), count)),
        dates,
        pl.Series("weight", np.repeat(weight, h)),
        pl.Series("forecast", values.reshape(-1)),
        pl.Series("actual", np.where(np.isfinite(actual), actual, np.nan)).fill_nan(None),
    )
