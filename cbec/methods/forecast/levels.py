"""Sums of series (total, market, category ...) forecast with the series, so that all of them add up.

Each level has a forecast of its own, by the same methods on its own sums. The coherent forecast is either bottom-up, or the one
that least squares draw from all levels (`reconcile.mint`), whichever was nearer at the past origins. Quantiles of sums come
from joint draws of the series (a Gaussian copula with a factor per level, so strong that sums spread as the level's own record
says), so that what is drawn for a node is the sum of what is drawn for its series.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods.forecast import demand, reconcile, tables
from cbec.methods.forecast.history import KEYS, finish
from cbec.tables.demand import LEVELS, QUANTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.demand import Outlook
    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Groups = NDArray[np.int64]

TOTAL, NONE, SERIES = "total", "(none)", "series"
OF_PRODUCTS = ("category", "brand")
#: Least squares must be nearer than bottom-up by this share at the past origins, which lie close to each other and tell little:
#: on M5 a gain of 5 % there became a loss of 5 % later.
MARGIN = 0.1
#: Joint draws, and cells drawn at most (draws x series x periods).
DRAWS, CELLS = 400, 60_000_000
#: Standard deviations between the 10 % and 90 % quantiles of a normal distribution.
_WIDTH = 2.5631
#: Shared part of a series' chance at most.
_SHARED = 0.95


@dataclass(frozen=True)
class Level:
    """Nodes of one level: its columns, their labels, and the node of each of n series."""

    name: str
    columns: tuple[str, ...]
    nodes: list[str]
    of: Groups


@dataclass(frozen=True)
class Coherent:
    """Forecasts that add up. point: n x h of the series; nodes: m x h; single, total: 8 x m x h quantiles of the nodes;
    method: bottom_up or mint; record: rows of the table level_record; notes."""

    levels: list[Level]
    point: Floats
    nodes: Floats
    single: Floats
    total: Floats
    method: str
    record: pl.DataFrame
    notes: list[str]


def parse(text: str, panel: Panel, products: pl.DataFrame | None) -> list[Level]:
    """`total,market,category+market` into levels, in the order given.

    Raises UsageFault for a column that the series do not have, and for category or brand without products.
    """
    keys = tables.keys(panel)
    named = keys
    if products is not None:
        named = keys.join(products.select("sku", *OF_PRODUCTS), on="sku", how="left", maintain_order="left")
    known = [TOTAL, *(k for k in KEYS if k in panel.keys.columns), *OF_PRODUCTS]
    found = []
    for word in dict.fromkeys(w.strip() for w in text.split(",") if w.strip()):
        columns = tuple(c.strip() for c in word.split("+"))
        for column in columns:
            if column not in known or (column == TOTAL and len(columns) > 1):
                raise UsageFault(
                    f'levels: no level "{column}"{did_you_mean(column, known)}', "levels: " + ", ".join(known)
                )
            if column in OF_PRODUCTS and products is None:
                raise UsageFault(f"levels: {column} stands in the table products", hint="give --products")
        if columns == (TOTAL,):
            found.append(Level(TOTAL, (), [TOTAL], np.zeros(keys.height, np.int64)))
            continue
        label = named.select(
            pl.concat_str([pl.col(c).fill_null(NONE) for c in columns], separator=" + ").alias("node")
        )["node"]
        nodes = label.unique().sort()
        at = label.to_frame().join(nodes.to_frame().with_row_index("i"), on="node", how="left", maintain_order="left")
        found.append(Level(word, columns, nodes.to_list(), at["i"].to_numpy().astype(np.int64)))
    return found


def summed(panel: Panel, levels: Sequence[Level], nodes: reconcile.Tree) -> Panel:
    """The panel of the nodes: what was out of stock counts as its last known demand; seasons are shared within a level."""
    units = panel.filled
    count, width = len(nodes.level), units.shape[1]
    nothing = np.zeros((count, width), bool)
    keys = pl.DataFrame({"sku": [f"{level.name}: {node}" for level in levels for node in level.nodes]})
    return finish(
        keys, panel.frequency, panel.start, panel.as_of, nodes.sums(units), excess=np.zeros(nothing.shape),
        returned=nodes.sums(np.nan_to_num(panel.returned)), stock_out=nothing, promo=nothing, gap=nothing, group=nodes.level,
        dropped=(), notes=[],
    )  # fmt: skip


def coherent(panel: Panel, out: Outlook, levels: list[Level], h: int, way: str, seed: int) -> Coherent:
    """way: bottom_up, mint, or auto (mint where it was nearer at the past origins)."""
    nodes = reconcile.tree([level.of for level in levels])
    above = summed(panel, levels, nodes)
    own = demand.outlook(above, h)
    drawn = _past(out, own, nodes) if way != "bottom_up" else None
    record, gain = _record(out, own, nodes, levels, drawn)
    method = way if way != "auto" else "mint" if gain is not None and gain > MARGIN else "bottom_up"
    point = out.point
    if method == "mint":
        point = np.round(reconcile.mint(nodes, out.point, own.point, _spread(out)[0], _spread(own)[0]), 4)
    sums = nodes.sums(point)
    single, total = _quantiles(out, own, point, levels, nodes, seed)
    notes = [_said(method, gain, way)]
    return Coherent(levels, point, sums, single, total, method, record, notes)


def moved(out: Outlook, point: Floats) -> Outlook:
    """The outlook of the series with other means: quantiles move in proportion."""
    ratio = np.where(out.point > 0, point / np.where(out.point > 0, out.point, 1.0), 1.0)
    sums, before = np.cumsum(point, 1), np.cumsum(out.point, 1)
    whole = bool((out.single % 1 == 0).all() and (out.total % 1 == 0).all())
    wide = np.where(before > 0, sums / np.where(before > 0, before, 1.0), 1.0)
    single, total = out.single * ratio, out.total * wide
    if whole:
        single, total = np.rint(single), np.rint(total)
    total[:, :, 0] = single[:, :, 0]
    return dataclasses.replace(out, point=point, single=single, total=np.maximum.accumulate(total, 2))


def _spread(out: Outlook) -> Floats:
    """(1 + K) x n: squared one-step errors as known then; a series that sold nothing cannot be moved."""
    return np.asarray(np.where(out.chosen.sum(2) > 0, np.maximum(out.rolled.scale**2, 1e-9), 0.0))


def _past(out: Outlook, own: Outlook, nodes: reconcile.Tree) -> Floats:
    """K x n x h: what least squares would have made of the forecasts of the past origins, with what was known then."""
    below, above = _spread(out), _spread(own)
    made = [
        reconcile.mint(nodes, out.chosen[k], own.chosen[k], below[k], np.maximum(above[k], 1e-9))
        for k in range(1, len(out.chosen))
    ]
    return np.array(made).reshape(-1, *out.chosen.shape[1:])


def _record(
    out: Outlook, own: Outlook, nodes: reconcile.Tree, levels: Sequence[Level], drawn: Floats | None
) -> tuple[pl.DataFrame, float | None]:
    """Per level and way: error and bias at the past origins; and by what share least squares were nearer than bottom-up."""
    past, actual = out.chosen[1:], own.rolled.actual[1:]
    above = {"bottom_up": _sums(nodes, past), "own": own.chosen[1:]}
    below = {"bottom_up": past}
    if drawn is not None:
        above["mint"], below["mint"] = _sums(nodes, drawn), drawn
    judged = [(SERIES, below, np.where(out.rolled.valid[1:, :, None], out.rolled.actual[1:], np.nan))]
    for number, level in enumerate(levels):
        here = nodes.level == number
        judged.append((level.name, {way: made[:, here] for way, made in above.items()}, actual[:, here]))
    rows, gains = [], []
    for name, ways, came in judged:
        known = np.isfinite(came)
        size = float(np.where(known, came, 0.0).sum())
        errors = {}
        for way, made in ways.items():
            gap = np.where(known, made - came, 0.0)
            errors[way] = float(np.sqrt((gap**2).sum()))
            rows.append(
                {
                    "level": name,
                    "method": way,
                    "nodes": came.shape[1],
                    "wape": float(np.abs(gap).sum() / size) if size > 0 else None,
                    "bias": float(gap.sum() / size) if size > 0 else None,
                    "rmse": float(np.sqrt((gap**2).sum() / max(int(known.sum()), 1))),
                }
            )
        if "mint" in errors and errors["bottom_up"] > 0:
            gains.append(1 - errors["mint"] / errors["bottom_up"])
    kinds = {
        "level": pl.String,
        "method": pl.String,
        "nodes": pl.Int64,
        "wape": pl.Float64,
        "bias": pl.Float64,
        "rmse": pl.Float64,
    }
    return pl.DataFrame(rows, schema=kinds), float(np.mean(gains)) if gains else None


def _sums(nodes: reconcile.Tree, past: Floats) -> Floats:
    if not len(past):
        return np.empty((0, len(nodes.level), past.shape[2]))
    return np.stack([nodes.sums(x) for x in past])


def _said(method: str, gain: float | None, way: str) -> str:
    if method == "mint":
        near = (
            ""
            if gain is None
            else f"; tried on the past it was {100 * gain:.1f} % nearer than bottom-up (root mean squared error)"
        )
        return f"the levels are reconciled by least squares (MinT){near}; model_record tells of the series before that"
    if way == "auto" and gain is not None:
        told = "nearer by" if gain > 0 else "farther by"
        return f"the levels are sums of the series (bottom-up): least squares were {told} {abs(100 * gain):.1f} % when tried on the past, too little"
    return "the levels are sums of the series (bottom-up)"


# --- quantiles of sums


def _quantiles(
    out: Outlook, own: Outlook, point: Floats, levels: Sequence[Level], nodes: reconcile.Tree, seed: int
) -> tuple[Floats, Floats]:
    moving = moved(out, point)
    found = []
    for below, above, mean in (
        (moving.single, own.single, point),
        (moving.total, own.total, np.cumsum(point, 1)),
    ):
        shares = _factors(below, above, levels)
        found.append(_joint(below, mean, shares, levels, nodes, seed))
    single, total = found
    total[:, :, 0] = single[:, :, 0]
    return single, np.maximum.accumulate(total, 2)


def _sd(quantiles: Floats) -> Floats:
    """n: usual standard deviation over the horizons, by the middle 80 %."""
    low, high = QUANTILES.index("q10"), QUANTILES.index("q90")
    return np.asarray((quantiles[high] - quantiles[low]).mean(1) / _WIDTH)


def _factors(below: Floats, above: Floats, levels: Sequence[Level]) -> Floats:
    """The part of a series' chance that it shares with all others of its node, per level, so that sums spread like the levels'
    own forecasts: non-negative least squares over the pairs of series that a level's nodes hold."""
    from scipy.optimize import nnls

    sd, wide = _sd(below), _sd(above)
    wanted, pairs = np.zeros(len(levels)), np.zeros((len(levels), len(levels)))
    start = 0
    for i, level in enumerate(levels):
        count = len(level.nodes)
        var = np.bincount(level.of, sd**2, count)
        every = np.bincount(level.of, sd, count) ** 2 - var
        if every.sum() > 0:
            wanted[i] = (wide[start : start + count] ** 2 - var).sum() / every.sum()
            for j, other in enumerate(levels):
                both = level.of * (int(other.of.max(initial=0)) + 1) + other.of
                mine = (np.bincount(both, sd) ** 2 - np.bincount(both, sd**2)).sum()
                pairs[i, j] = mine / every.sum()
        start += count
    shares, _ = nnls(pairs, np.clip(wanted, 0.0, _SHARED))
    return np.asarray(shares * min(1.0, _SHARED / max(float(shares.sum()), 1e-12)))


def _joint(
    quantiles: Floats, mean: Floats, shares: Floats, levels: Sequence[Level], nodes: reconcile.Tree, seed: int
) -> Floats:
    """8 x m x h quantiles of the nodes from joint draws of the series, moved so that their means are the sums of the means."""
    from scipy.special import ndtr

    count, h = mean.shape
    draws = int(np.clip(CELLS // max(count * h, 1), 50, DRAWS))
    rng = np.random.default_rng(seed)
    grid = np.array([0.0, *LEVELS, 1.0])
    # Beyond the outer quantiles a draw goes as far again as from there to the quantile before.
    low = np.maximum(2 * quantiles[0] - quantiles[1], 0.0)
    far = quantiles[-1] + (quantiles[-1] - quantiles[-2])
    whole = np.concatenate([low[None], quantiles, far[None]])
    drawn = np.empty((draws, len(nodes.level), h))
    rows, columns = np.arange(count)[:, None], np.arange(h)[None, :]
    for d in range(draws):
        score = np.sqrt(max(1 - float(shares.sum()), 0.0)) * rng.standard_normal((count, h))
        for share, level in zip(shares, levels, strict=True):
            if share > 0:
                score += np.sqrt(share) * rng.standard_normal((len(level.nodes), h))[level.of]
        u = ndtr(score)
        k = np.clip(np.searchsorted(grid, u, side="right") - 1, 0, len(grid) - 2)
        part = (u - grid[k]) / (grid[k + 1] - grid[k])
        left, right = whole[k, rows, columns], whole[k + 1, rows, columns]
        drawn[d] = nodes.sums(left + part * (right - left))
    middle = drawn.mean(0)
    sums = nodes.sums(mean)
    drawn *= np.where(middle > 0, sums / np.where(middle > 0, middle, 1.0), 1.0)
    return np.quantile(drawn, LEVELS, axis=0)


def rows(panel: Panel, found: Coherent) -> pl.DataFrame:
    """Table `forecast_levels`."""
    names = [
        (level.name, node, len(level.of[level.of == i])) for level in found.levels for i, node in enumerate(level.nodes)
    ]
    table = pl.DataFrame(names, schema={"level": pl.String, "node": pl.String, "series": pl.Int64}, orient="row")
    figures = {
        "mean": found.nodes,
        **tables.named("", found.single),
        "cum_mean": np.cumsum(found.nodes, 1),
        **tables.named("cum_", found.total),
    }
    return tables.by_period(panel, table, figures).with_columns(pl.lit(found.method).alias("model"))
