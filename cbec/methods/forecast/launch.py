"""Cold start: what is new is expected to sell like what was launched before it, and less so with every period of its own.

Analogues are series of the same category (then price band, market as far as there are enough of them) whose launch lies in
the data. Aligned by launch and divided by the catalogue's own ups and downs, they tell the course of a launch and, by how far
their levels differ, how sure one can be of the level: a gamma distribution, updated by the new series' own sales as counts
(gamma-Poisson; Gelman et al., Bayesian Data Analysis, section 2.6). What follows is negative binomial.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods import counts
from cbec.methods.forecast import history, periods, tables
from cbec.tables.demand import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cbec.methods.forecast.demand import Outlook
    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Analogues wanted; with fewer the next wider group is asked, and below ENOUGH there is no answer.
WANTED, ENOUGH = 8, 3
#: Prices within this ratio are of one band.
BAND = 2.0
#: Judged series-origins from which the record may say that the usual methods are nearer than analogues.
JUDGED = 20
#: Spread of the level around that of an analogue named by hand, as a share of it.
BY_HAND = 0.5
#: And around that of analogues at least: a handful that are alike by chance makes nobody that sure.
ALIKE = 0.3
MODEL = "analogues"
#: A launch date so long ago without a sale is a product that does not sell, not one to be launched.
LATELY = timedelta(days=182)


@dataclass(frozen=True)
class Catalogue:
    """What analogues are drawn from. value: n x A units by age, divided by the catalogue's index, NaN beyond what is known;
    index: T past and h coming values of the index; age: n, known periods since the launch (0: not launched);
    seen: n, whether its launch lies in the data; labels: per tier the group of each series, -1 = none; price: n."""

    value: Floats
    index: Floats
    age: Ints
    seen: NDArray[np.bool_]
    labels: dict[str, Ints]
    price: Floats
    dispersion: float


@dataclass(frozen=True)
class Made:
    """Forecasts of some series by analogues: rows (m), point (m x h), and how each came about."""

    rows: Ints
    point: Floats
    told: list[dict[str, Any]]


def named(text: str) -> dict[str, str]:
    """`NEW=OLD,NEW2=OLD2` -> new SKU: old SKU. UsageFault where it is no such list."""
    found: dict[str, str] = {}
    for word in (w.strip() for w in text.split(",") if w.strip()):
        new, sign, old = (p.strip() for p in word.partition("="))
        if not sign or not new or not old or new in found:
            raise UsageFault(f'like: "{word}" is no NEW=OLD, or names a SKU twice', hint="e.g. --like LMP-200=LMP-108")
        found[new] = old
    return found


def coming(
    sales: pl.DataFrame, products: pl.DataFrame | None, like: dict[str, str], as_of: date, by: str
) -> pl.DataFrame:
    """Rows of no units for SKUs that were never sold and that are asked for: in `like`, or in products with a launch date
    (ahead, or not longer ago than LATELY).

    They are forecast where their analogue sells, or where the SKUs of their category do. Only for series of SKU and market.
    """
    keys = history.series_keys(by)
    if set(keys) - {"sku", "market"} or "sku" not in keys or (products is None and not like):
        return sales
    sold = sales.filter(pl.col("date").cast(pl.Date) <= as_of)
    sold = _completed(sold, market=pl.String)
    known = set(sold["sku"].unique())
    for new, old in like.items():
        if old not in known:
            raise UsageFault(
                f"like: {old} was never sold{did_you_mean(old, known)}", hint=f"{new} can only be like what was sold"
            )
    places = sold.select("sku", pl.col("market").fill_null("*")).unique()
    asked = [
        places.filter(pl.col("sku") == old).select(pl.lit(sku).alias("sku"), "market")
        for sku, old in sorted(like.items())
        if sku not in known
    ]
    if products is not None:
        products = _completed(products, category=pl.String, launch_date=pl.Date)
        planned = products.filter(
            (pl.col("launch_date") >= as_of - LATELY) & ~pl.col("sku").is_in(sorted(known | set(like)))
        )
        kin = products.filter(pl.col("category").is_not_null()).select("sku", "category").join(places, on="sku")
        where = kin.select("category", "market").unique()
        asked.append(planned.select("sku", "category").join(where, on="category").select("sku", "market"))
    rows = pl.concat(asked).unique().sort("sku", "market") if asked else pl.DataFrame()
    if rows.is_empty():
        return sales
    day = sold["date"].max()
    blank = {
        c: pl.lit(None, t).alias(c) for c, t in sales.schema.items() if c not in ("sku", "market", "units", "date")
    }
    extra = rows.with_columns(
        pl.lit(day).cast(sales.schema["date"]).alias("date"),
        pl.lit(0.0).cast(sales.schema["units"]).alias("units"),
        *blank.values(),
    )
    return pl.concat([sales, extra.select(sales.columns)])


def _completed(frame: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    """The frame with columns that it lacks, empty."""
    return frame.with_columns(pl.lit(None, t).alias(c) for c, t in columns.items() if c not in frame.columns)


def catalogue(panel: Panel, point: Floats, products: pl.DataFrame | None, h: int) -> Catalogue:
    """point: n x h, what the usual methods forecast: the index goes on with that of the series that are not new."""
    width = panel.units.shape[1]
    units = panel.filled
    old = (panel.first <= 1) & ~panel.obsolete
    index = np.ones(width + h)
    if old.sum() >= ENOUGH:
        sums = np.concatenate([np.nansum(units[old], 0), point[old].sum(0)])
        usual = sums[:width].mean()
        index = np.maximum(sums / usual, 0.05) if usual > 0 else index
    age = np.where(panel.first < width, width - panel.first, 0)
    steps = np.arange(width)
    at = np.minimum(panel.first[:, None] + steps, width - 1)
    value = np.take_along_axis(units / index[:width], at, 1)
    value[steps[None, :] >= age[:, None]] = np.nan
    labels, price, begun = _kinship(panel, products)
    # What sold before the data begin was launched before, though its first sale of them may come late.
    seen = (panel.first > 1) & (age > 0) & ~begun
    return Catalogue(value, index, age.astype(np.int64), seen, labels, price, _dispersion(value))


def _kinship(panel: Panel, products: pl.DataFrame | None) -> tuple[dict[str, Ints], Floats, NDArray[np.bool_]]:
    """Groups per tier, prices, and which series were launched before the data begin (by products, where these tell)."""
    keys = tables.keys(panel).select("sku", "market")
    none = np.full(keys.height, -1, np.int64)
    if products is None:
        return (
            {"category and market": none, "category": none},
            np.full(keys.height, np.nan),
            np.zeros(keys.height, bool),
        )
    products = _completed(products, category=pl.String, price=pl.Float64, launch_date=pl.Date)
    about = keys.join(
        products.select("sku", "category", "price", "launch_date"), on="sku", how="left", maintain_order="left"
    )
    lacks = about["category"].is_null().to_numpy()

    def group(*columns: str) -> Ints:
        words = about.select(pl.concat_str([pl.col(c).fill_null("") for c in columns], separator="\x1f")).to_series()
        return np.where(lacks, -1, words.rank("dense").to_numpy().astype(np.int64))

    price = about["price"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    start = _day(tables.moments(panel.ordinals[:1], panel.frequency)[0])
    begun = (about["launch_date"] < start).fill_null(False).to_numpy()
    return {"category and market": group("category", "market"), "category": group("category")}, price, begun


def _dispersion(value: Floats) -> float:
    """Usual variance over mean of a series' periods around its level, at least that of counts."""
    known = ~np.isnan(value)
    n = known.sum(1)
    use = n >= 8
    if not use.any():
        return 1.0
    mean = np.nanmean(value[use], 1)
    var = np.nanvar(value[use], 1, ddof=1)
    ratio = var[mean > 0] / mean[mean > 0]
    return float(np.clip(np.median(ratio), 1.0, 50.0)) if ratio.size else 1.0


def analogues(of: Catalogue, row: int, age: int, h: int, by_hand: Sequence[int] = ()) -> tuple[str, Ints]:
    """Which series stand for a new one, and by what: named by hand, or the narrowest group that holds enough."""
    if by_hand:
        return "named", np.asarray(by_hand, np.int64)
    able = of.seen & (of.age >= age + min(h, 4)) & (of.age >= 4)
    able[row] = False
    price = of.price[row]
    near = np.abs(np.log(of.price / price)) <= np.log(BAND) if price > 0 else np.zeros(len(able), bool)
    tiers = []
    for name, label in of.labels.items():
        same = able & (label == label[row]) & (label[row] >= 0)
        tiers += [(f"{name}, price band", same & near), (name, same)]
    tiers.append(("every launch", able))
    for name, some in tiers:
        if some.sum() >= WANTED:
            return name, np.flatnonzero(some)
    fullest = max(tiers, key=lambda t: int(t[1].sum()))
    return fullest[0], np.flatnonzero(fullest[1])


def forecast(of: Catalogue, rows: Ints, h: int, starts: Ints, by_hand: dict[int, list[int]], now: int) -> Made:
    """Forecast the series `rows` (m) as known `now` periods after the beginning of the data.

    starts: m, periods ahead until the launch (0: launched already). Series without enough analogues are left out.
    """
    points, told = [], []
    for row, start in zip(rows.tolist(), starts.tolist(), strict=True):
        found = _one(of, row, h, start, by_hand.get(row, []), now)
        if found is not None:
            points.append(found.pop("point"))
            told.append(found)
    return Made(np.array([t["row"] for t in told], np.int64), np.array(points).reshape(-1, h), told)


def _one(of: Catalogue, row: int, h: int, start: int, by_hand: list[int], now: int) -> dict[str, Any] | None:
    age = int(of.age[row])
    tier, donors = analogues(of, row, age, h, by_hand)
    if not by_hand and len(donors) < ENOUGH:
        return None
    course, mean, var = _launches(of, donors, age + h)
    if mean <= 0:
        return None
    var = max(var, ((BY_HAND if by_hand else ALIKE) * mean) ** 2)
    own = np.nan_to_num(of.value[row, :age])
    # The gamma of the level, and what the series' own sales add to it: units, and periods they were sold in.
    shape = mean**2 / var + own.sum() / of.dispersion
    level = shape / (mean / var + course[:age].sum() / of.dispersion)
    ahead = np.zeros(h)
    ahead[start:] = course[age : age + h - start] * of.index[now + start : now + h]
    return {
        "row": row, "point": np.round(level * ahead, 4), "analogues": donors, "tier": tier, "periods": age, "prior": mean,
        "level": level, "shape": shape, "own": float(own.mean()) if age else None, "start": start,
    }  # fmt: skip


def _launches(of: Catalogue, donors: Ints, length: int) -> tuple[Floats, float, float]:
    """The usual course (mean 1 over what is known) by age, and mean and variance of the levels."""
    value = of.value[donors, :length]
    level = np.nanmean(value, 1)
    use = level > 0
    if not use.any():
        return np.ones(length), 0.0, 0.0
    relative = value[use] / level[use, None]
    known = (~np.isnan(relative)).sum(0)
    # Few launches tell little of one period: their mean is drawn to 1 as by four more.
    course = (np.nansum(relative, 0) + 4.0) / (known + 4.0)
    long = np.concatenate([course, np.full(max(length - len(course), 0), course[-4:].mean() if len(course) else 1.0)])
    # The variance of levels holds what chance adds to each; only the rest is a difference of the products.
    noise = float(np.mean(of.dispersion * level / np.maximum((~np.isnan(value)).sum(1), 1)))
    spread = float(level.var(ddof=1)) if len(level) > 1 else 0.0
    return long, float(level.mean()), max(spread - noise, 0.0)


def _quantiles(mean: Floats, dispersion: float, shape: Floats) -> Floats:
    """8 x m x h quantiles of counts whose rates (mean m x h) are gamma distributed with shapes m."""
    flat = mean.reshape(-1)
    var = np.maximum(flat * dispersion + flat**2 / np.repeat(shape, mean.shape[1]), 1e-9)
    one = np.ones((len(flat), 1))
    found = [counts.level(np.full(len(flat), q), flat[:, None], var[:, None], one) for q in LEVELS]
    return np.stack(found).reshape(len(LEVELS), *mean.shape) * (mean > 0)


def applied(
    panel: Panel, out: Outlook, products: pl.DataFrame | None, like: dict[str, str], h: int
) -> tuple[Outlook, pl.DataFrame, list[str]]:
    """The outlook with new series forecast by analogues, unless these were farther off before; table `analogues`; notes."""
    of = catalogue(panel, out.point, products, h)
    rows, starts = _new(panel, of, products, h)
    by_hand = _by_hand(panel, like)
    rows, starts = _with(rows, starts, by_hand, panel)
    if not rows.size:
        return out, _table(panel, Made(rows, np.zeros((0, h)), [])), []
    gain, judged = _record(panel, out, products, h)
    never = of.age[rows] == 0
    keep = never | np.isin(rows, list(by_hand)) | (gain is None or gain > 0)
    made = forecast(of, rows[keep], h, starts[keep], by_hand, panel.units.shape[1])
    if not made.rows.size:
        return out, _table(panel, made), []
    point, single, total = out.point.copy(), out.single.copy(), out.total.copy()
    model, dead = out.model.astype(object), out.dead.copy()
    shape = np.array([t["shape"] for t in made.told])
    sums = _quantiles(np.cumsum(made.point, 1), of.dispersion, shape)
    point[made.rows], single[:, made.rows] = made.point, _quantiles(made.point, of.dispersion, shape)
    total[:, made.rows] = np.maximum.accumulate(sums, 2)
    model[made.rows], dead[made.rows] = MODEL, False
    changed = dataclasses.replace(out, point=point, single=single, total=total, model=model.astype(np.str_), dead=dead)
    text = f"{made.rows.size} new series are forecast by analogues: their launches, and their own sales as far as these tell"
    if gain is not None:
        near = "nearer" if gain > 0 else "farther"
        text += f" (at past origins {abs(100 * gain):.0f} % {near} than the usual methods, {judged} judged)"
    return changed, _table(panel, made), [text]


def _new(panel: Panel, of: Catalogue, products: pl.DataFrame | None, h: int) -> tuple[Ints, Ints]:
    """Rows of series that are new, and the periods until each is launched.

    Without a product master nobody can tell a launch from a first sale that came late: none is new then.
    """
    if products is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    young = (of.age < periods.YOUNG[panel.frequency]) & of.seen & ~panel.obsolete
    empty = of.age == 0
    starts = np.zeros(len(of.age), np.int64)
    planned = np.zeros(len(of.age), bool)
    launched = _completed(products, launch_date=pl.Date).select("sku", "launch_date")
    days = tables.keys(panel).select("sku").join(launched, on="sku", how="left", maintain_order="left")
    begins = [_day(d) for d in tables.moments(panel.ahead(h), panel.frequency).to_list()]
    for row, day in enumerate(days["launch_date"].to_list()):
        if day is not None and empty[row]:
            planned[row] = day >= _day(panel.as_of) - LATELY
            starts[row] = sum(b < day for b in begins)
    rows = np.flatnonzero((young & ~empty) | (empty & planned))
    return rows, starts[rows]


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _by_hand(panel: Panel, like: dict[str, str]) -> dict[int, list[int]]:
    """New series -> the series of the SKU it is like, in its own market where that sells there."""
    keys = tables.keys(panel)
    sku, market = keys["sku"].to_list(), keys["market"].to_list()
    found: dict[int, list[int]] = {}
    for row, name in enumerate(sku):
        if name in like:
            same = [i for i, other in enumerate(sku) if other == like[name]]
            here = [i for i in same if market[i] == market[row]]
            if same:
                found[row] = here or same
    return found


def _with(rows: Ints, starts: Ints, by_hand: dict[int, list[int]], panel: Panel) -> tuple[Ints, Ints]:
    more = np.array([r for r in by_hand if r not in set(rows.tolist())], np.int64)
    every = np.concatenate([rows, more])
    order = np.argsort(every)
    return every[order], np.concatenate([starts, np.zeros(len(more), np.int64)])[order]


def _record(panel: Panel, out: Outlook, products: pl.DataFrame | None, h: int) -> tuple[float | None, int]:
    """By what share analogues were nearer (mean squared errors of the total) than what was chosen, at the past origins."""
    ours, theirs, judged = 0.0, 0.0, 0
    for k, cut in enumerate(out.rolled.cuts, 1):
        width = panel.units.shape[1] - cut
        if width < 4:
            continue
        past = history.until(panel, cut)
        of = catalogue(past, out.chosen[k], products, h)
        young = (of.age < periods.YOUNG[panel.frequency]) & of.seen & (of.age > 0)
        actual = out.rolled.actual[k]
        rows = np.flatnonzero(young & np.isfinite(actual).any(1))
        made = forecast(of, rows, h, np.zeros(len(rows), np.int64), {}, width)
        for i, row in enumerate(made.rows.tolist()):
            known = np.isfinite(actual[row])
            came = float(actual[row][known].sum())
            size = max(came, float(known.sum()) * made.told[i]["prior"] * 0.1, 1e-9)
            ours += ((made.point[i][known].sum() - came) / size) ** 2
            theirs += ((out.chosen[k, row][known].sum() - came) / size) ** 2
            judged += 1
    if judged < JUDGED or theirs <= 0:
        return None, judged
    return 1 - (ours / theirs) ** 0.5, judged


def _table(panel: Panel, made: Made) -> pl.DataFrame:
    """Table `analogues`."""
    keys = tables.keys(panel)
    names = keys.select(pl.concat_str([pl.col("sku"), pl.col("market")], separator="@")).to_series().to_list()
    rows = []
    for t in made.told:
        donors = t["analogues"].tolist()
        rows.append(
            {
                **keys.row(t["row"], named=True),
                "chosen_by": t["tier"],
                "analogues": "|".join(sorted(names[d] for d in donors)[:20]),
                "count": len(donors),
                "periods": t["periods"],
                "own_level": t["own"],
                "analogue_level": t["prior"],
                "level": t["level"],
                "starts_in": t["start"],
            }
        )
    numbers = {
        "count": pl.Int64,
        "periods": pl.Int64,
        "own_level": pl.Float64,
        "analogue_level": pl.Float64,
        "level": pl.Float64,
        "starts_in": pl.Int64,
    }
    return pl.DataFrame(rows, schema={**keys.schema, "chosen_by": pl.String, "analogues": pl.String, **numbers})
