"""The global model against what was chosen without it: class by class, on the past origins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import global_model, rolling, select

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Flags = NDArray[np.bool_]

#: Part that it has in a forecast (the mean of two kinds of method errs less than either where both err), and how much less the
#: error must be: a few origins, which all series lived through together, cannot tell more similar ways apart.
PART, MARGIN = 0.5, 0.02
#: Series of a class that are enough for a verdict; the others follow that of all.
ENOUGH = 30


def challenge(panel: Panel, rolled: rolling.Rolled, choice: select.Choice, *, asked: bool = False) -> select.Choice:
    """The choice with the global model as half of the mean where that did better, and a note that says so.

    asked: whether it is told where it could not be taught. What was chosen without it was chosen on the same origins, so that the comparison leans against the global model.
    """
    if global_model.NAME not in rolled.forecasts:
        note = "the global model was not taught: too little history, too few series, or periods longer than a month"
        return replace(choice, notes=(note,)) if asked else choice
    without, alone = select.chosen(rolled, choice), rolled.forecasts[global_model.NAME]
    error = rolling.errors(rolled, without)
    tried = rolling.errors(rolled, (1 - PART) * without + PART * alone)
    judged = (choice.origins > 0) & ~panel.obsolete

    def better(rows: Flags) -> bool:
        return float(tried[rows].sum()) < (1 - MARGIN) * float(error[rows].sum())

    used = np.zeros(len(panel.keys), bool)
    everyone = better(judged)
    for label in np.unique(panel.demand_class):
        here = judged & (panel.demand_class == label)
        used[here] = better(here) if here.sum() >= ENOUGH else everyone
    if not used.any():
        note = (
            "the global model was taught and is not used: what was chosen without it did as well when tried on the past"
        )
        return replace(choice, notes=(note,))
    saved = 1 - float(np.where(used, tried, error).sum()) / max(float(error.sum()), 1e-12)
    note = f"the global model has half a part in {int(used.sum())} of {len(used)} series: {saved:.1%} less error, tried on the past"
    part = PART * used
    weight = np.concatenate([choice.weight * (1 - part), np.broadcast_to(part, (len(choice.weight), 1, len(part)))], 1)
    return replace(choice, names=[*choice.names, global_model.NAME], weight=weight, notes=(note,))
