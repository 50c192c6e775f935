"""Effects at today's and the past origins: judged, taken out of histories, put into forecasts, and told in units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.forecast import effects, global_model, history, occasions
from cbec.methods.forecast.covariates import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.covariates import Covariates, Line
    from cbec.methods.forecast.demand import Outlook
    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Loss against that without them at which effects are still used when no past horizon had any, so that only their removal from
#: the history is judged.
UNJUDGED = 1.02
#: Loss against that without them from which on effects are used that past horizons had: less is an accident of a few origins.
WORTH = 0.998
#: Series that effects of whole markets are learnt from.
LEARNERS = 5000


@dataclass(frozen=True)
class Driven:
    """Effects learnt at each of 1 + K origins (None = none seen there), and the kinds that are used."""

    origins: tuple[effects.Effects | None, ...]
    count: int
    h: int
    kinds: tuple[str, ...]
    saved: float = 0.0  # part of the error at the past origins that they saved

    def of(self, rows: Ints) -> Driven:
        """The same for some of the series."""
        return replace(self, origins=tuple(o and o.of(rows) for o in self.origins), count=len(rows))

    def out_of(self, stack: Floats) -> Floats:
        """Histories ((1 + K) x n x T, right-aligned) as they would have been without."""
        out = stack.copy()
        for k, one in enumerate(self.origins):
            if one is not None:
                out[k, :, stack.shape[2] - one.width :] /= one.past(self._of(one))
        return out

    def into(self, forecasts: Mapping[str, Floats]) -> dict[str, Floats]:
        """Forecasts per method ((1 + K) * n x h) with them."""
        factor = np.concatenate([self.ahead(k) for k in range(len(self.origins))])
        return {name: values * factor for name, values in forecasts.items()}

    def ahead(self, k: int) -> Floats:
        """N x h factors on the forecast of origin k."""
        one = self.origins[k]
        if one is None:
            return np.ones((self.count, self.h))
        return np.broadcast_to(one.ahead(self._of(one)), (self.count, self.h))

    def seen(self, kind: str) -> bool:
        """Whether a past horizon had effects of this kind."""
        return any(o is not None and kind in o.factor and (o.ahead((kind,)) != 1).any() for o in self.origins[1:])

    def _of(self, one: effects.Effects) -> tuple[str, ...]:
        return tuple(k for k in self.kinds if k in one.factor)


def judged(
    panel: Panel, back: tuple[int, ...], h: int, loss: Callable[[Driven | None], float]
) -> tuple[Covariates, float]:
    """What of a panel's covariates does better at the past origins, kind by kind, and the part of the error that it saves there.

    loss: usual error there with some effects. Each kind is learnt beside those that are used, not beside those that are not, which would
    take from it. Holidays and events of which the kind as a whole does no better are tried with those alone that have proved
    themselves: the horizons of a few origins seldom have what comes once a year.
    """
    assert panel.covariates is not None
    known, used = panel.covariates, panel.covariates.only(())
    plain = best = loss(None)
    for kind in known.kinds:
        lines: Sequence[Line] = [line for line in known.lines if line.kind == kind]
        for _ in range(2 if kind in ("holiday", "event") else 1):
            trial = known.only((*used.kinds, kind), [*used.lines, *lines])
            found = learn(replace(panel, covariates=trial), back, h)
            if found is None or kind not in found.kinds:
                break
            error = loss(found)
            if error < best * (WORTH if found.seen(kind) else UNJUDGED):
                used, best = trial, error
                break
            today = found.origins[0]
            proved = () if today is None else today.learnt.proved
            lines = [line for line, sure in zip(trial.lines, proved, strict=True) if sure and line.kind == kind]
    return used, 1 - best / plain if plain > 0 else 0.0


def learn(panel: Panel, back: tuple[int, ...], h: int) -> Driven | None:
    """Effects from today and from each origin `back` periods ago; None where nothing is seen today."""
    if panel.covariates is None or not panel.covariates.kinds:
        return None
    width, count = panel.units.shape[1], len(panel.keys)
    crowd = occasions.crowds(panel.covariates.market, panel.group)
    some, rows = panel, np.arange(count)
    if count > LEARNERS and not {"promotion", "price"} & set(panel.covariates.kinds):
        # What whole markets have in common is seen in some of their series.
        rows = np.unique(np.linspace(0, count - 1, LEARNERS).astype(np.int64))
        some = history.some(panel, rows)
    found = []
    for cut in (0, *back):
        known = some.covariates
        assert known is not None
        cov = known.until(cut) if cut else known
        one = effects.learn(some.units[:, : width - cut], cov, h, panel.frequency, some.group, crowd[rows])
        if one is not None and some is not panel:
            of = {k: panel.covariates.market if k == "signal" else crowd for k in one.factor}
            one = replace(one, factor={k: (f, of[k]) for k, (f, _) in one.factor.items()})
        found.append(one)
    if found[0] is None or not found[0].factor:
        return None
    return Driven(tuple(found), len(panel.keys), h, tuple(k for k in KINDS if k in found[0].factor))


def shares(mean: Floats, factor: Mapping[str, Floats]) -> dict[str, Floats]:
    """Units of a forecast (n x h) that come from each kind, and `base`; they add up to the mean.

    mean = base x product of the factors. Each kind gets its logarithm's part of the difference (logarithmic mean Divisia index:
    Ang 2005), so that no order of the kinds is preferred and nothing is left over.
    """
    product = np.ones_like(mean)
    for value in factor.values():
        product = product * value
    base = mean / product
    log = np.log(product)
    slope = np.where(np.abs(log) > 1e-9, (mean - base) / np.where(np.abs(log) > 1e-9, log, 1.0), base)
    told = {kind: slope * np.log(value) for kind, value in factor.items()}
    return {"base": base, **told}


def told(out: Outlook) -> dict[str, Floats]:
    """Units per kind and `base` (n x h), which add up to the point forecast of an outlook.

    What the global model makes of a kind besides its effect is told with it. The seasonal naive, and what is forecast by
    analogues or as zero, knows of no driver: all of it is base.
    """
    driven, choice = out.rolled.effect, out.choice
    if driven is None:
        return {"base": out.point}
    one = driven.origins[0]
    factor = {} if one is None else {k: np.broadcast_to(one.ahead((k,)), out.point.shape) for k in driven.kinds}
    weights = dict(zip(choice.names, choice.weight[0], strict=True))
    aware = np.isin(out.model, [*choice.names, "weighted", "half_global"])
    made = out.rolled.forecasts
    parts: dict[str, Floats] = {"base": np.zeros(out.point.shape)}
    whole = out.chosen[0]
    for name, weight in weights.items():
        here = np.flatnonzero((weight > 0) & aware)
        if not here.size:
            continue
        value = weight[here, None] * made[name][0][here]
        # Levels above may have moved the forecast since, and it was rounded: every part moves with it.
        scale = np.where(whole[here] > 0, out.point[here] / np.where(whole[here] > 0, whole[here], 1.0), 0.0)
        kinds = {} if name == "seasonal_naive" else {k: f[here] for k, f in factor.items()}
        if name == global_model.NAME:
            kinds = {k: f * out.rolled.besides[k][here] if k in out.rolled.besides else f for k, f in kinds.items()}
        for kind, units in shares(value * scale, kinds).items():
            parts.setdefault(kind, np.zeros(out.point.shape))[here] += units
    # What no method of the pool made (analogues, zero), and what a level above gave to a forecast of nothing.
    parts["base"] += out.point - sum(parts.values())
    return parts


def notes(panel: Panel, driven: Driven | None) -> list[str]:
    """What was known beside the sales, what of it is used, and what could not be."""
    if panel.covariates is None:
        return []
    said = list(panel.covariates.notes)
    found = panel.covariates.kinds
    used = () if driven is None else driven.kinds
    if driven is not None:
        gain = (
            f"{driven.saved:.1%} less error with them, tried on the past"
            if driven.saved >= 0.0005
            else "the past had too few of them to tell their worth"
        )
        said.append(f"effects in the forecast: {', '.join(used)}; {gain}")
    left = [k for k in found if k not in used]
    if left:
        said.append(
            "known and not used, since nothing was seen of it or the past was told no better with it: "
            + ", ".join(left)
        )
    return said
