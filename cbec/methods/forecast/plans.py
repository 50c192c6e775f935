"""The tables `calendar` and `signals`, public holidays, and the marks in `sales`, onto the grid of a panel."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.words import of
from cbec.methods.forecast import cells, periods
from cbec.methods.forecast.covariates import UNNAMED, Covariates, Line, Signal, broken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cbec.methods.forecast.history import Panel

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Ints = NDArray[np.int64]

#: Frequencies at which a day can still be seen, and those at which a public holiday can.
FINE, HOLIDAYS = ("H", "D", "W", "M"), ("H", "D", "W")
#: Days before and after a public holiday that have an effect of their own, where a period is a day.
AROUND = (-2, -1, 1)
#: What the table of holidays says of a day besides its name, and how it calls a day off for a Sunday worked; days to the holiday it belongs to.
_REMARK = re.compile(r" \((?:observed|estimated)(?:, (?:observed|estimated))*\)$")
_EVE = "Eve"
_INSTEAD, INSTEAD = " (substituted from", timedelta(days=7)
#: Names that are told in a note.
TOLD = 5


@dataclass
class Grid:
    """Series and periods of the panel, h ahead too, and what is to be told of what does not fit."""

    keys: pl.DataFrame
    frequency: str
    start: int
    width: int
    length: int
    as_of: date
    markets: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    findings: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def by_period(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Days (column `date`) as `at` (period from 0) and `part` (of the period); those outside the grid are left out."""
        rows = rows.with_columns(pl.col("date").cast(pl.Date))
        if self.frequency == "H":
            rows = rows.join(pl.DataFrame({"hour": np.arange(24)}), how="cross").with_columns(
                pl.col("date").cast(pl.Datetime("us")) + pl.duration(hours="hour")
            )
        rows = rows.with_columns(at=periods.ordinal("date", self.frequency) - self.start)
        rows = rows.filter(pl.col("at").is_between(0, self.length - 1))
        size = np.maximum(periods.days(self.start + np.arange(self.length), self.frequency), 1.0)
        return rows.with_columns(part=pl.Series(1 / size[rows["at"].to_numpy()], dtype=pl.Float64))

    def series(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with the number of each series that their sku and market mean (empty = every one), without these two."""
        keys = self.keys.with_row_index("series")
        rest = [c for c in rows.columns if c not in ("sku", "market")]
        found = []
        for told in product((True, False), repeat=2):
            on = [c for c, there in zip(("sku", "market"), told, strict=True) if there]
            here = rows.filter(
                pl.col("sku").is_not_null() == told[0], pl.col("market").is_not_null() == told[1]
            ).select(*on, *rest)
            if on and not here.is_empty():
                found.append(keys.join(here, on=on).select("series", *rest))
            elif not here.is_empty():
                found.append(keys.select("series").join(here, how="cross"))
        nothing = keys.select("series").head(0).join(rows.select(rest).head(0), how="cross")
        return pl.concat([nothing, *found])

    def of_markets(self, market: str | None) -> Flags:
        """S: which markets an empty or given one means."""
        return np.array([market is None or m == market for m in self.markets])


def attach(
    panel: Panel, sales: pl.DataFrame, calendar: pl.DataFrame | None, signals: pl.DataFrame | None, h: int
) -> Panel:
    """The panel with what is known beside its sales, h periods ahead.

    sales: the table the panel was made of; calendar, signals: contracts of these names. What cannot be used is told in the
    notes and findings of the covariates.
    """
    if panel.frequency not in FINE:
        given = " and ".join(
            name for name, table in (("calendar", calendar), ("signals", signals)) if table is not None
        )
        told = f"{given}: not used, since they say nothing of a whole period (frequency {panel.frequency})"
        return replace(panel, notes=[*panel.notes, told]) if given else panel
    names = panel.keys["market"].to_list() if "market" in panel.keys.columns else ["*"] * len(panel.keys)
    markets = tuple(sorted(set(names)))
    width = panel.units.shape[1]
    grid = Grid(panel.keys, panel.frequency, panel.start, width, width + h, panel.as_of, markets)
    events = _calendar(calendar, grid)
    seen, price = _recorded(sales, grid)
    planned, label, promotions = _promotions(events, grid)
    prices, held = _planned_prices(events, grid)
    _tell_unpaid(prices, price, grid)
    number = {m: i for i, m in enumerate(markets)}
    found = Covariates(
        width=width,
        length=grid.length,
        market=np.array([number[m] for m in names], np.int64),
        markets=markets,
        lines=(*_holidays(grid), *_events(events, grid)),
        planned=planned,
        label=label,
        names=promotions,
        seen=seen,
        price=price,
        planned_price=None if price is None else prices,
        price_held=None if price is None else held,
        signals=_signals(signals, grid),
        notes=grid.notes,
        findings=grid.findings,
    )
    if found.unplanned:
        grid.notes.append(
            "promotions in the past and none planned ahead: the horizon is forecast without any; a calendar tells them"
        )
    until = found.planned_until
    if until is not None:
        days = (
            periods.starts(grid.start + np.array([until + 1, grid.length]), grid.frequency).astype("datetime64[D]") - 1
        )
        grid.notes.append(
            f"promotions are planned until {days[0]} and the horizon lasts until {days[1]}, longer than ever went by without one: what "
            "comes after the plan is forecast without any"
        )
    return replace(panel, covariates=found) if found.kinds or found.findings or found.notes else panel


def _calendar(calendar: pl.DataFrame | None, grid: Grid) -> pl.DataFrame:
    """Calendar rows by day that belong to a series: date, name, market, sku, price, value, kind."""
    kinds = {
        "market": pl.String, "sku": pl.String, "price": pl.Float64, "value": pl.Float64, "until": pl.Date, "kind": pl.String
    }  # fmt: skip
    if calendar is None:
        return pl.DataFrame(schema={"date": pl.Date, "name": pl.String, **kinds})
    rows = calendar.with_columns(pl.lit(None, kind).alias(c) for c, kind in kinds.items() if c not in calendar.columns)
    kind = pl.coalesce("kind", pl.when(pl.col("price").is_null()).then(pl.lit("event")).otherwise(pl.lit("price")))
    rows = rows.with_columns(
        kind,
        # The price stands in its own column, of a promotion too, or in `value` of a row that is nothing else.
        pl.coalesce("price", pl.when(kind == "price").then("value")).alias("price"),
        *[pl.when(pl.col(c) != "*").then(pl.col(c)).alias(c) for c in ("market", "sku")],
    )
    for column in ("market", "sku"):
        here = grid.keys[column].unique().to_list() if column in grid.keys.columns else []
        fits = pl.col(column).is_null() | pl.col(column).is_in(here)
        others = rows.filter(~fits)
        if others.height:
            which = ", ".join(others[column].unique().sort().to_list()[:TOLD])
            grid.notes.append(
                f"calendar: {of(others.height, 'row', 'name')} a {column} of no series ({which}): not used"
            )
        rows = rows.filter(fits)
    last = pl.max_horizontal("date", pl.col("until").fill_null(pl.col("date")))
    days = rows.with_columns(pl.date_ranges("date", last).alias("date")).explode("date", empty_as_null=True)
    return days.select("date", "name", *[c for c in kinds if c != "until"])


def _recorded(sales: pl.DataFrame, grid: Grid) -> tuple[Floats | None, Floats | None]:
    """Parts of periods on promotion and mean prices paid, n x T as in the sales; None where the sales tell none."""
    told = [c for c in ("promo", "price") if c in sales.columns and sales[c].null_count() < sales.height]
    promo = "promo" in told and bool(sales["promo"].any())
    if not promo and "price" not in told:
        return None, None
    by = grid.keys.columns
    # Rows further apart than the periods stand for one period each, as in `history.panel`.
    spacing = min(periods.native(sales["date"]), grid.frequency, key=periods.FREQUENCIES.index)
    rows = sales.filter(pl.col("date").cast(pl.Date) <= grid.as_of).with_columns(
        pl.col(k).fill_null("*") if k in sales.columns else pl.lit("*").alias(k) for k in by
    )
    rows = rows.with_columns(
        at=periods.ordinal("date", grid.frequency) - grid.start, slot=periods.ordinal("date", spacing)
    ).filter(pl.col("at").is_between(0, grid.width - 1))
    rows = rows.join(grid.keys.with_row_index("series"), on=by)
    shape = (len(grid.keys), grid.width)
    seen = price = None
    if promo:
        slots = cells.slots(grid.start + np.arange(grid.width), spacing, grid.frequency)
        marked = rows.filter("promo").select("series", "at", "slot").unique()
        marked = marked.group_by("series", "at").len()
        seen = np.zeros(shape)
        at = marked["at"].to_numpy()
        seen[marked["series"].to_numpy(), at] = np.minimum(marked["len"].to_numpy() / slots[at], 1.0)
    if "price" in told:
        paid = _of_one_currency(rows.filter(pl.col("price") > 0, pl.col("units") > 0), grid)
        # The median of a day's rows, which does not depend on their order; of a longer period the mean of its days, since a
        # cut of two days is in a week's units and has to be in its price.
        paid = paid.group_by("series", "at", "slot").agg(pl.col("price").median())
        paid = paid.group_by("series", "at").agg(pl.col("price").sort().mean().round(9)).sort("series", "at")
        price = np.full(shape, np.nan)
        price[paid["series"].to_numpy(), paid["at"].to_numpy()] = paid["price"].to_numpy()
    return seen, price


def _holidays(grid: Grid) -> list[Line]:
    """Public holidays of the markets that are country codes, with the days around them where a period is a day."""
    codes = [(i, m) for i, m in enumerate(grid.markets) if len(m) == 2 and m.isalpha()]
    if grid.frequency not in HOLIDAYS or not codes:
        return []
    import holidays

    known = holidays.list_supported_countries()
    edges = periods.starts(np.array([grid.start, grid.start + grid.length]), grid.frequency).astype("datetime64[Y]")
    years = range(int(edges[0].astype(int)) + 1970, int(edges[1].astype(int)) + 1971)
    lines = []
    for number, code in codes:
        if code not in known:
            continue
        name = _named(holidays.country_holidays(code, years=years))
        rows = [(d, n) for d, both in name.items() for n in both]
        if grid.frequency == "D":
            step = np.timedelta64(1, "D")
            for lead in AROUND:
                moved = [(np.datetime64(d) + lead * step).astype(object) for d in name]
                rows += [(d, f"{-lead} day(s) before" if lead < 0 else "the day after") for d in moved if d not in name]
        frame = pl.DataFrame(rows, schema={"date": pl.Date, "name": pl.String}, orient="row").unique()
        only = np.arange(len(grid.markets)) == number
        lines += _lines(frame.with_columns(value=pl.lit(1.0)), "holiday", only, grid)
    return lines


def _named(days: Mapping[date, str]) -> dict[date, list[str]]:
    """Days of a country with the names that come again every year: a holiday that is moved to a weekday, or whose day is not sure yet
    (those by the moon, in years to come), is still the same one, a day off instead of a Sunday is one of the holiday beside it, and so is
    what bears its name besides (Eid al-Fitr Holiday, Second Day of Lunar New Year): of these days each year gives others."""
    name = {d: [_REMARK.sub("", n) for n in both.split("; ")] for d, both in days.items()}
    proper = [d for d in sorted(name) if _INSTEAD not in days[d]]

    def of_day(one: str, d: date) -> str:
        beside = min(proper, key=lambda other: abs(other - d), default=date.max)
        return name[beside][0] if abs(beside - d) <= INSTEAD else one.split(_INSTEAD, maxsplit=1)[0]

    name = {d: [of_day(n, d) if _INSTEAD in n else n for n in both] for d, both in name.items()}

    def feast(one: str, d: date) -> str:
        near = (n for o in proper if abs(o - d) <= INSTEAD for n in name[o] if n in one and _EVE not in one)
        return min(near, key=len, default=one)

    return {d: list(dict.fromkeys(feast(n, d) for n in both)) for d, both in name.items()}


def _events(events: pl.DataFrame, grid: Grid) -> list[Line]:
    """Holidays and events of the calendar: by name, and by market where it names one."""
    rows = events.filter(pl.col("kind").is_in(("holiday", "event")), pl.col("sku").is_null())
    lost = events.filter(pl.col("kind").is_in(("holiday", "event")), pl.col("sku").is_not_null()).height
    if lost:
        grid.notes.append(
            f"calendar: {of(lost, 'day')} of holidays or events {'names' if lost == 1 else 'name'} a sku: not used (is it a promotion?)"
        )
    lines = []
    for (kind, market), part in sorted(
        rows.partition_by("kind", "market", as_dict=True).items(), key=lambda item: (item[0][0], item[0][1] or "")
    ):
        lines += _lines(part.with_columns(pl.col("value").fill_null(1.0)), kind, grid.of_markets(market), grid)
    return lines


def _lines(rows: pl.DataFrame, kind: str, markets: Flags, grid: Grid) -> list[Line]:
    parts = grid.by_period(rows).group_by("name", "at").agg((pl.col("part") * pl.col("value")).sum()).sort("name", "at")
    lines = []
    for (name,), part in parts.partition_by("name", as_dict=True, maintain_order=True).items():
        x = np.zeros(grid.length)
        x[part["at"].to_numpy()] = part["part"].to_numpy()
        lines.append(Line(kind, str(name), markets, x))
    return lines


def _promotions(events: pl.DataFrame, grid: Grid) -> tuple[Floats | None, Ints | None, tuple[str, ...]]:
    """Parts of periods on promotion by plan (n x (T + H)), and the number of the name that takes most of each."""
    rows = events.filter(pl.col("kind") == "promotion")
    if rows.is_empty():
        return None, None, (UNNAMED,)
    usual = rows["value"].drop_nulls().mean()
    rows = rows.with_columns((pl.col("value") / (usual or 1.0)).fill_null(1.0).alias("value"))
    names = (UNNAMED, *rows["name"].unique().sort().to_list())
    place = {n: i for i, n in enumerate(names)}
    shape = (len(grid.keys), grid.length)
    planned, label = np.zeros(shape), np.zeros(shape, np.int64)
    parts = grid.series(grid.by_period(rows).select("sku", "market", "name", "at", "date", "part", "value"))
    # Two promotions of one day are one: the deeper.
    parts = parts.group_by("series", "at", "name").agg((pl.col("part") * pl.col("value")).sum().alias("x"))
    parts = parts.sort(["series", "at", "x", "name"])
    cell = parts["series"].to_numpy(), parts["at"].to_numpy()
    planned[cell] = parts["x"].to_numpy()
    label[cell] = [place[n] for n in parts["name"].to_list()]
    return planned, label, names


def _of_one_currency(paid: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Per series the rows in its commonest currency: prices in two say nothing of each other."""
    if "currency" not in paid.columns:
        return paid
    count = paid.group_by("series", "currency").len().sort(["len", "currency"], descending=[True, False])
    commonest = count.group_by("series", maintain_order=True).first().select("series", "currency")
    kept = paid.join(commonest, on=["series", "currency"], how="semi", nulls_equal=True)
    if kept.height < paid.height:
        mixed = count.filter(pl.col("series").is_duplicated())["series"].n_unique()
        grid.notes.append(
            f"prices of {of(mixed, 'series')} in several currencies: those in the commonest of each count"
        )
    return kept


def _planned_prices(events: pl.DataFrame, grid: Grid) -> tuple[Floats, Floats]:
    """Prices of the calendar (NaN = none) and the parts of periods that they hold for, n x (T + H)."""
    out, held = np.full((len(grid.keys), grid.length), np.nan), np.zeros((len(grid.keys), grid.length))
    rows = events.filter(pl.col("price") > 0)
    if not rows.is_empty():
        special = pl.sum_horizontal(pl.col(c).is_not_null().cast(pl.Int8) for c in ("sku", "market")).alias("special")
        rows = grid.by_period(rows).select("sku", "market", "at", "date", "part", "price", special)
        # Of two prices of one day the one of the item or market holds, else the lower (a promotion's beside the regular one).
        rows = grid.series(rows).sort(["series", "date", "special", "price"], descending=[False, False, True, False])
        rows = rows.unique(("series", "date"), keep="first", maintain_order=True)
        parts = rows.group_by("series", "at").agg(pl.col("price").sort().mean().round(9), pl.col("part").sum())
        cell = parts["series"].to_numpy(), parts["at"].to_numpy()
        out[cell], held[cell] = parts["price"].to_numpy(), np.minimum(parts["part"].to_numpy(), 1.0)
    return out, held


def _tell_unpaid(planned: Floats, paid: Floats | None, grid: Grid) -> None:
    """A planned price counts by its distance from the prices paid: without any it says nothing."""
    ahead = ~np.isnan(planned[:, grid.width :]).all(1)
    never = ahead if paid is None else ahead & np.isnan(paid).all(1)
    if never.any():
        grid.notes.append(
            f"calendar: planned prices of {of(int(never.sum()), 'series')} not used, since sales tell no price paid "
            "that they could be held against: give the column price in sales"
        )


def _signals(signals: pl.DataFrame | None, grid: Grid) -> tuple[Signal, ...]:
    """Signals by name and market. A value dated after as_of that was not recorded by then is refused."""
    if signals is None:
        return ()
    rows = signals.with_columns(
        pl.lit(None, kind).alias(c)
        for c, kind in (("market", pl.String), ("recorded", pl.Date))
        if c not in signals.columns
    ).with_columns(pl.when(pl.col("market") != "*").then("market").alias("market"))
    rows = rows.with_columns(pl.col("recorded").fill_null(pl.col("date")))
    late = rows.filter(pl.col("recorded") > grid.as_of)
    for (name,), part in late.partition_by("name", as_dict=True).items():
        text = f"{of(part.height, 'value')} from {part['date'].min()!s} on not known on {grid.as_of}: refused"
        text += "; the column `recorded` tells when a value was known (a forecast, a plan)"
        grid.notes.append(f"signal {name}: {text}")
        grid.findings.append((f"signal_refused:{name}", "warn", str(name), "signal_refused", text))
    rows = rows.filter(pl.col("recorded") <= grid.as_of)
    rows = grid.by_period(rows).with_columns(
        # What was recorded in a last period that is not whole is known today, and at no origin before.
        seen=(periods.ordinal("recorded", grid.frequency) - grid.start).clip(upper_bound=grid.width - 1)
    )
    found = []
    for (name, market), part in sorted(
        rows.partition_by("name", "market", as_dict=True).items(), key=lambda item: (item[0][0], item[0][1] or "")
    ):
        which = grid.of_markets(market)
        if which.any():
            mean = part.group_by("at", "seen").agg(pl.col("value").sort().mean()).sort("at", "seen")
            arrays = mean["at"].to_numpy(), mean["seen"].to_numpy(), mean["value"].to_numpy().astype(np.float64)
            found.append(Signal(str(name), which, *arrays))
            known = found[-1].known(grid.width, grid.length)
            far = known[broken(known, grid.width)]
            if far.size:
                grid.notes.append(
                    f"signal {name}: {of(far.size, 'value')} far beyond all others ({far[0]:g}): not used"
                )
            if not np.isfinite(known[grid.width :]).any():
                grid.notes.append(
                    f"signal {name}: nothing recorded for the time ahead, without which its past says nothing: not used"
                )
    return tuple(found)
