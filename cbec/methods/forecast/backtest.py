"""Rolling origins seen from outside: the whole of `forecast demand` as it would have run then, beside every method.

At each origin the panel is cut; classes, seasons, choice and quantiles are made from what is left. Nothing that came
later enters, so that the record of `cbec` is what a user would have had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import NoAnswer
from cbec.core.money import Z90, Headline
from cbec.core.words import of
from cbec.methods import counts
from cbec.methods.forecast import demand, history, launch, lots, metrics, periods, rolling, stockreplay
from cbec.tables.demand import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

OURS, SELLER = "cbec", "seller_formula"
ORIGINS = 3
#: Last period of each horizon band.
BANDS = {
    "H": (1, 24, 48, 168),
    "D": (1, 7, 14, 30, 60, 90),
    "W": (1, 4, 13, 26, 52),
    "M": (1, 3, 6, 12, 18, 24),
    "Q": (1, 2, 4, 8),
    "Y": (1, 2, 4, 6),
}


@dataclass
class Replay:
    """Series-origins one under the other: forecasts per method (N x h), cbec's quantiles (8 x N x h), what came (N x h),
    scales of the known part, class at the first origin, number of the series; per origin what a stock replay needs."""

    forecasts: dict[str, Floats]
    quantiles: Floats
    actual: Floats
    mase_scale: Floats
    rmsse_scale: Floats
    label: NDArray[np.str_]
    series: NDArray[np.int64]
    origins: int
    stock: list[stockreplay.Origin]


def cuts(width: int, h: int) -> tuple[int, ...]:
    """Origins, newest first: at least three where the history allows, a half horizon apart at least."""
    reach = min(h, max(1, width // 4))
    step = max(1, -(-reach // 2))
    least = max(2, min(2 * reach, width // 3))
    return tuple(c for c in (reach + k * step for k in range(ORIGINS)) if width - c >= least)


def replay(
    panel: Panel, h: int, products: pl.DataFrame | None = None, *, stock: bool = False, trees: str = "off"
) -> Replay:
    """Run every origin; `stock`: and keep what decision costs need. Raises NoAnswer where the history leaves none."""
    count, width = panel.units.shape
    back = cuts(width, h)
    if not back:
        raise NoAnswer(
            f"the history has {of(width, 'period')}, too few for one past origin",
            hint="a shorter --horizon or more history",
        )
    label = np.full(count, "", dtype="<U12")
    kept: list[stockreplay.Origin] = []
    parts: list[tuple[dict[str, Floats], Floats, Floats, Floats, Floats, NDArray[np.int64]]] = []
    for cut in sorted(back, reverse=True):
        past = history.until(panel, cut, products)
        out, *_ = launch.applied(past, demand.outlook(past, h, every=True, trees=trees), products, {}, h)
        after = rolling.actuals(panel.sold, (cut,), h)[1]
        rows = np.flatnonzero((past.demand_class != "empty") & ~np.isnan(after).all(1))
        label[rows] = np.where(label[rows] == "", past.demand_class[rows], label[rows])
        made = {name: values[0][rows] for name, values in out.rolled.forecasts.items()}
        made[OURS] = out.point[rows]
        known = past.units[rows]
        if stock:
            upper = out.total[[LEVELS.index(p) for p in counts.UPPER]][:, rows]
            start = periods.starts(past.ahead(1), panel.frequency)[0]
            day: date = (start.astype("datetime64[D]") - np.timedelta64(1, "D")).astype(object)
            name = str(start.astype("datetime64[h]")) + ":00" if panel.frequency == "H" else str(day)
            lot = lots.sizes(past)[rows]
            kept.append(stockreplay.Origin(day, rows, known, after[rows], made, OURS, upper, lot, name))
        scales = metrics.seasonal_scale(known, panel.season), metrics.squared_scale(known)
        parts.append((made, out.single[:, rows], after[rows], *scales, rows))
    # The global model is not among the methods of origins that left it nothing to learn.
    everywhere = set.intersection(*(set(made) for made, *_ in parts))
    for made, *_ in parts:
        for name in made.keys() - everywhere:
            made.pop(name)
    return Replay(
        forecasts={name: np.concatenate([p[0][name] for p in parts]) for name in parts[0][0]},
        quantiles=np.concatenate([p[1] for p in parts], 1),
        actual=np.concatenate([p[2] for p in parts]),
        mase_scale=np.concatenate([p[3] for p in parts]),
        rmsse_scale=np.concatenate([p[4] for p in parts]),
        label=np.concatenate([label[p[5]] for p in parts]),
        series=np.concatenate([p[5] for p in parts]),
        origins=len(parts),
        stock=kept,
    )


def table(run: Replay, frequency: str, costs: Mapping[str, Floats] | None = None) -> pl.DataFrame:
    """Table `backtest`: every method, class and horizon band, `all` included. costs: decision costs per method (N)."""
    reach = int((~np.isnan(run.actual)).any(0).sum())
    edges = [e for e in BANDS[frequency] if e < reach] + [reach]
    bands = {(f"{a + 1}" if a + 1 == b else f"{a + 1}-{b}"): (a, b) for a, b in zip([0, *edges], edges, strict=False)}
    bands["all"] = (0, reach)
    rows = []
    for label in ["all", *np.unique(run.label).tolist()]:
        here = np.ones(len(run.label), bool) if label == "all" else run.label == label
        for band, (a, b) in bands.items():
            actual = run.actual[here, a:b]
            base = [metrics.wape(actual, run.forecasts[rival][here, a:b]) for rival in (rolling.NAIVE, SELLER)]
            for name, forecast in run.forecasts.items():
                row = _row(run, name, label, band, here, actual, forecast[here, a:b], base, slice(a, b))
                cost = _mean_cost(costs[name][here]) if costs is not None and band == "all" else None
                rows.append(row | {"decision_cost": cost})
    return pl.DataFrame(rows, infer_schema_length=None)


def _mean_cost(cost: Floats) -> float | None:
    known = cost[~np.isnan(cost)]
    return float(known.mean()) if known.size else None


def _row(
    run: Replay,
    name: str,
    label: str,
    band: str,
    here: Flags,
    actual: Floats,
    forecast: Floats,
    base: list[float | None],
    part: slice,
) -> dict[str, object]:
    wape = metrics.wape(actual, forecast)
    added, over_seller = (1 - wape / rival if wape is not None and rival else None for rival in base)
    q = run.quantiles[:, here, part] if name == OURS else None
    return {
        "model": name,
        "demand_class": label,
        "horizon": band,
        "series": len(np.unique(run.series[here])),
        "origins": run.origins,
        "wape": wape,
        "bias": metrics.bias(actual, forecast),
        "mase": metrics.mase(actual, forecast, run.mase_scale[here]),
        "rmsse": metrics.rmsse(actual, forecast, run.rmsse_scale[here]),
        "smape": metrics.smape(actual, forecast),
        "wql": None if q is None else metrics.wql(actual, q, LEVELS),
        "coverage_90": None if q is None else metrics.coverage(actual, q[LEVELS.index(0.05)], q[LEVELS.index(0.95)]),
        "coverage_95": None if q is None else metrics.coverage(actual, None, q[LEVELS.index(0.95)]),
        "value_added": added,
        "value_added_seller": over_seller,
        "decision_cost": None,
        "verdict": _verdict(name, added),
    }


def _verdict(name: str, added: float | None) -> str:
    if name == rolling.NAIVE:
        return "reference"
    if added is None or added <= 0:
        return "loses to naive"
    return "chosen" if name == OURS else "beats naive"


def summary(frame: pl.DataFrame) -> tuple[dict[str, float | int | str | None], list[str]]:
    """Metrics (with the verdict in words) and notes from the table."""
    whole = {
        r["model"]: r for r in frame.filter(pl.col("demand_class") == "all", pl.col("horizon") == "all").to_dicts()
    }
    ours, naive, formula = whole[OURS], whole[rolling.NAIVE], whole[SELLER]
    found: dict[str, float | int | str | None] = {"series": ours["series"], "origins": ours["origins"]}
    for key in ("wape", "bias", "mase", "rmsse", "smape", "wql", "coverage_90", "coverage_95", "value_added"):
        found[key] = None if ours[key] is None else round(ours[key], 4)
    for label, row in (("naive", naive), ("seller_formula", formula)):
        found[f"wape_{label}"] = None if row["wape"] is None else round(row["wape"], 4)
    if ours["wape"] is None:
        found["verdict"] = "nothing was sold after the origins: no verdict"
        return found, []
    found["verdict"] = (
        f"cbec misses by {ours['wape']:.1%} of the units, {_against(ours, naive, 'seasonal naive')}, {_against(ours, formula, 'seller formula')}"
    )
    losers = sorted(r["model"] for r in whole.values() if r["verdict"] == "loses to naive")
    notes = [f"lose to the seasonal naive over all series: {', '.join(losers)}"] if losers else []
    lost = frame.filter(
        pl.col("model") == OURS,
        pl.col("verdict") == "loses to naive",
        pl.col("demand_class") != "all",
        pl.col("horizon") == "all",
    )["demand_class"].to_list()
    if lost:
        notes.append(f"cbec itself loses to the seasonal naive for: {', '.join(sorted(lost))}")
    return found, notes


def _against(ours: dict[str, float], other: dict[str, float], name: str) -> str:
    if not other["wape"]:
        return f"the {name} misses by nothing"
    gain = 1 - ours["wape"] / other["wape"]
    return f"{abs(gain):.1%} {'less' if gain >= 0 else 'more'} than the {name} ({other['wape']:.1%})"


@dataclass(frozen=True)
class Record:
    """What `forecast backtest` answers. stock: table `stock_record`, without rows where no policies were given; money: what the
    orders by cbec would have cost beside those by the seller formula, or why nothing is told of that."""

    table: pl.DataFrame
    stock: pl.DataFrame
    metrics: dict[str, float | int | str | None]
    notes: list[str]
    money: Headline | str = "a backtest moves no money; it says how far the forecasts can be trusted"


def answer(
    panel: Panel,
    horizon: int,
    products: pl.DataFrame | None = None,
    world: stockreplay.World | None = None,
    *,
    trees: str = "off",
) -> Record:
    """Table, metrics and notes of `forecast backtest`; with a world of stock, decision costs and the tuned factor too."""
    h = horizon or periods.HORIZON[panel.frequency]
    run = replay(panel, h, products, stock=world is not None, trees=trees)
    costs, more, notes = None, stockreplay.nothing(), []
    told: dict[str, float | int | str | None] = {}
    if world is not None:
        reach = run.actual.shape[1]
        if not stockreplay.reachable(world, reach).any():
            every = np.arange(len(panel.keys))
            longest = int((world.lead(every) + world.review(every)).min())
            notes.append(
                f"no decision cost: lead time and review take {of(longest, 'period')} at least, the horizon has {reach}"
            )
        else:
            parts = [stockreplay.by_method(world, origin) for origin in run.stock]
            costs = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
            more, factor = stockreplay.record(world, run.stock)
            told, words = _money(costs, world, factor, more)
            notes += words
    frame = table(run, panel.frequency, costs)
    found, said = summary(frame)
    judged = int((~np.isnan(run.actual)).any(0).sum())
    if judged < h:
        notes.append(f"the history is long enough to judge {of(judged, 'period')} ahead, not the {h} of the horizon")
    notes += [] if panel.covariates is None else panel.covariates.notes
    figures = {"frequency": panel.frequency, "horizon": h, **found, **told}
    record = Record(frame, more, figures, [*said, *notes])
    money = _headline(costs, run.series, world) if costs is not None and world is not None and told else None
    return record if money is None else replace(record, money=money)


def _headline(costs: Mapping[str, Floats], series: NDArray[np.int64], world: stockreplay.World) -> Headline | None:
    """Decision costs of all origins: the seller formula's orders (today) and cbec's; the range takes series as independent."""
    if world.prices.currency is None:
        return None
    known = ~np.isnan(costs[OURS])
    ours, theirs = (np.bincount(series[known], weights=costs[name][known]) for name in (OURS, SELLER))
    gap = (ours - theirs)[np.unique(series[known])]
    half = Z90 * float(gap.std(ddof=1)) * len(gap) ** 0.5 if len(gap) > 1 else None
    low, high = (None, None) if half is None else (float(gap.sum()) - half, float(gap.sum()) + half)
    basis = (
        f"holding and shortage in a replay of the stock of {len(gap):,} series over all past origins: orders by the seller formula "
        "(today) and by cbec, both at the policies' targets; the range takes series as independent"
    )
    return Headline(float(theirs.sum()), float(ours.sum()), low, high, world.prices.currency, basis)


def _money(
    costs: Mapping[str, Floats], world: stockreplay.World, factor: float | None, record: pl.DataFrame
) -> tuple[dict[str, float | int | str | None], list[str]]:
    """Decision costs over all series and origins, and what the factor does, in figures and words."""
    total = {name: float(np.nansum(cost)) for name, cost in costs.items()}
    if factor is None:
        return {}, ["no decision cost: no unit cost is known (give --products with unit_cost)"]
    ours, naive, seller = (total[n] for n in (OURS, rolling.NAIVE, SELLER))
    currency = world.prices.currency or ""
    best = min(total, key=lambda n: (total[n], n))
    whole = record.filter(pl.col("origin") == "all")
    cost = dict(whole.select("ratio_factor", "cost").rows())
    tuned = float(record.filter(pl.col("origin") != "all", pl.col("verdict").str.starts_with("chosen"))["cost"].sum())
    told: dict[str, float | int | str | None] = {
        "decision_cost": round(ours, 2),
        "decision_cost_naive": round(naive, 2),
        "decision_cost_seller_formula": round(seller, 2),
        "ratio_factor": factor,
        "cost_at_ratio_factor_1": round(cost[1.0], 2),
        "cost_at_tuned_factors": round(tuned, 2),
    }
    replayed = (
        f"stock replay at the policies' targets: cbec's orders cost {ours:,.2f} {currency}, the seasonal naive's {naive:,.2f}, the "
        f"seller formula's {seller:,.2f}" + (f"; {best}'s cost least, {total[best]:,.2f}" if best != OURS else "")
    )
    beside = "" if factor == 1 else f"x 1: {cost[1.0]:,.2f}; "
    advice = (
        f"critical ratio with a unit short counted x {factor:g} costs least in the replay ({cost[factor]:,.2f}; {beside}factors chosen on earlier origins only: "
        f"{tuned:,.2f}): give `forecast replenish --target cost_carry_over` the table stock_record, or --ratio-factor {factor:g}"
    )
    notes = [replayed, advice]
    lost = int((~stockreplay.costed(world)).sum())
    if lost:
        notes.append(f"{of(lost, 'series', 'have')} no known cost: left out of every decision cost")
    return told, notes
