"""New series in a forecast: which they are, when they begin to sell, and whether their analogues (`likeness`) were nearer before."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods.forecast import history, likeness, periods, seasonal, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.demand import Outlook
    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Judged series-origins from which the record may say that the usual methods are nearer than analogues.
JUDGED = 20
MODEL = "analogues"
#: A launch date so long ago without a sale is a product that does not sell, not one to be launched.
LATELY = timedelta(days=182)


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
    sold = likeness.completed(sold, market=pl.String)
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
        products = likeness.completed(products, category=pl.String, launch_date=pl.Date)
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


def applied(
    panel: Panel, out: Outlook, products: pl.DataFrame | None, like: dict[str, str], h: int
) -> tuple[Outlook, pl.DataFrame, list[str]]:
    """The outlook with new series forecast by analogues, unless these were farther off before; table `analogues`; notes."""
    of = likeness.catalogue(panel, out.point, products, h)
    rows, starts = _new(panel, of, products, h)
    by_hand = _by_hand(panel, like)
    rows, starts = _with(rows, starts, by_hand)
    if not rows.size:
        return out, _table(panel, likeness.Made(rows, np.zeros((0, h)), [])), []
    gain, judged = _record(panel, out, products, h)
    never = of.age[rows] == 0
    keep = never | np.isin(rows, list(by_hand)) | (gain is None or gain > 0)
    made = likeness.forecast(of, rows[keep], h, starts[keep], by_hand, panel.units.shape[1])
    if not made.rows.size:
        return out, _table(panel, made), []
    point, single, total = out.point.copy(), out.single.copy(), out.total.copy()
    model, dead = out.model.astype(object), out.dead.copy()
    shape = np.array([t["shape"] for t in made.told])
    sums = likeness.quantiles(np.cumsum(made.point, 1), of.dispersion, shape)
    point[made.rows], single[:, made.rows] = made.point, likeness.quantiles(made.point, of.dispersion, shape)
    total[:, made.rows] = np.maximum.accumulate(sums, 2)
    model[made.rows], dead[made.rows] = MODEL, False
    changed = dataclasses.replace(out, point=point, single=single, total=total, model=model.astype(np.str_), dead=dead)
    text = f"{made.rows.size} new series are forecast by analogues: their launches, and their own sales as far as these tell"
    if gain is not None:
        near = "nearer" if gain > 0 else "farther"
        text += f" (tried on the past, {abs(100 * gain):.0f} % {near} than the usual methods, {judged} judged)"
    return changed, _table(panel, made), [text]


def _new(panel: Panel, of: likeness.Catalogue, products: pl.DataFrame | None, h: int) -> tuple[Ints, Ints]:
    """Rows of series that are new, and the periods until each is launched.

    Without a product master nobody can tell a launch from a first sale that came late: none is new then. What was never in stock
    is as good as new, and launched with the first period ahead.
    """
    if products is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    young = (of.age < _youth(panel)) & of.seen & ~panel.obsolete
    empty = of.age == 0
    starts = np.zeros(len(of.age), np.int64)
    planned = np.zeros(len(of.age), bool)
    launched = likeness.completed(products, launch_date=pl.Date).select("sku", "launch_date")
    days = tables.keys(panel).select("sku").join(launched, on="sku", how="left", maintain_order="left")
    begins = [likeness.day(d) for d in tables.moments(panel.ahead(h), panel.frequency).to_list()]
    for row, day in enumerate(days["launch_date"].to_list()):
        if day is not None and empty[row]:
            planned[row] = day >= likeness.day(panel.as_of) - LATELY
            starts[row] = sum(b < day for b in begins)
    rows = np.flatnonzero((young & ~empty) | (empty & planned) | panel.unknown)
    return rows, starts[rows]


def _youth(panel: Panel) -> int:
    """Periods for which a series counts as new: a year in a catalogue of collections, whose launches tell how they end."""
    year = periods.YEAR[panel.frequency]
    return periods.YOUNG[panel.frequency] if seasonal.lasting(panel.units, year) is None else year


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


def _with(rows: Ints, starts: Ints, by_hand: dict[int, list[int]]) -> tuple[Ints, Ints]:
    more = np.array([r for r in by_hand if r not in set(rows.tolist())], np.int64)
    every = np.concatenate([rows, more])
    order = np.argsort(every)
    return every[order], np.concatenate([starts, np.zeros(len(more), np.int64)])[order]


def _record(panel: Panel, out: Outlook, products: pl.DataFrame | None, h: int) -> tuple[float | None, int]:
    """By what share analogues were nearer (mean squared errors of the total) than what was chosen, at the past origins.

    Errors are measured in what was expected then of such a launch: in what came, too much would weigh more than too little. Judged
    is who was as young as counts as new today.
    """
    ours, theirs, judged, youth = 0.0, 0.0, 0, _youth(panel)
    for k, cut in enumerate(out.rolled.cuts, 1):
        width = panel.units.shape[1] - cut
        if width < 4:
            continue
        past = history.until(panel, cut, products)
        of = likeness.catalogue(past, out.chosen[k], products, h)
        young = (of.age < youth) & of.seen & (of.age > 0) & ~past.obsolete
        actual = out.rolled.actual[k]
        rows = np.flatnonzero(young & np.isfinite(actual).any(1))
        made = likeness.forecast(of, rows, h, np.zeros(len(rows), np.int64), {}, width)
        for i, row in enumerate(made.rows.tolist()):
            known = np.isfinite(actual[row])
            came = float(actual[row][known].sum())
            size = max(float(known.sum()) * made.told[i]["prior"], 1e-9)
            ours += ((made.point[i][known].sum() - came) / size) ** 2
            theirs += ((out.chosen[k, row][known].sum() - came) / size) ** 2
            judged += 1
    if judged < JUDGED or theirs <= 0:
        return None, judged
    return 1 - (ours / theirs) ** 0.5, judged


def _table(panel: Panel, made: likeness.Made) -> pl.DataFrame:
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
