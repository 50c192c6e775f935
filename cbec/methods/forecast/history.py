"""Sales rows into one panel: series x periods, with what could not be known masked and everything done flagged.

One function for all methods, so that each sees the same demand:
- gaps are zero sales only between the first sale and the end (or the delisting); before the first sale nothing is known;
- periods out of stock are masked, not zero (partly out of stock: what was sold until the shelf was empty, scaled up);
- a period far above all before it is a one-off bulk order: capped at the largest before;
- returns (negative units) are netted apart;
- a last period that is not over, and a first one that began before the data, are dropped.
Every series ends at `as_of`; rows after it do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected, UsageFault, did_you_mean
from cbec.methods.forecast import cells, classes, local, lots, periods
from cbec.tables.demand import IN_LOTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.forecast.covariates import Covariates

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

KEYS = ("sku", "market", "warehouse", "channel")
#: Series of a group that has seasons of its own.
GROUP = 20
#: A period of more than so many times the largest one before it, of at least so many with a sale, is a one-off bulk order.
BULK, BULK_SALES = 3.0, 8


@dataclass(frozen=True)
class Panel:
    """Demand of n series over T periods that end together.

    keys: n rows, sorted. units: n x T, NaN = masked or before the first sale. excess: n x T, what was cut off one-off bulk
    orders. returned: n x T. stock_out, promo, gap: n x T marks. first, last: column of the first and last sale (T and -1
    without any). obsolete: no sale for so long that the series counts as delisted. adi, cv2, demand_class: see `classes.classify`. dropped: flags that hold for
    every series. group: which series share a season besides, numbers from 0 (see `groups`). fresh: n, series that sold for the first
    time in the last period, which is not over. covariates: what is known beside the sales (see `plans.attach`).
    """

    keys: pl.DataFrame
    frequency: str
    start: int
    as_of: date
    units: Floats
    excess: Floats
    returned: Floats
    stock_out: Flags
    promo: Flags
    gap: Flags
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    obsolete: Flags
    adi: Floats
    cv2: Floats
    demand_class: NDArray[np.str_]
    group: NDArray[np.int64]
    fresh: Flags
    dropped: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    covariates: Covariates | None = None

    @property
    def sold(self) -> Floats:
        """Units n x T with bulk orders whole, as they came."""
        return self.units + self.excess if self.excess.any() else self.units

    @property
    def unseen(self) -> Flags:
        """n, series that were out of stock whenever the data tell of them: what they would sell nobody knows."""
        out: Flags = self.stock_out.any(1) & (self.first >= self.units.shape[1]) & (self.stock_out | self.gap).all(1)
        return out

    @property
    def unknown(self) -> Flags:
        """n, series of whose demand no whole period tells: that they sold nothing in it says nothing."""
        out: Flags = self.unseen | self.fresh
        return out

    @property
    def filled(self) -> Floats:
        """Units n x T, masked periods at the last known demand, 0 before the first sale."""
        return local.zeroed(local.carried(self.units))

    @property
    def season(self) -> int:
        """Periods of one season."""
        return periods.SEASON[self.frequency]

    @property
    def ordinals(self) -> NDArray[np.int64]:
        """Period numbers of the columns."""
        return np.asarray(self.start + np.arange(self.units.shape[1]))

    def ahead(self, horizon: int) -> NDArray[np.int64]:
        """Period numbers of the next `horizon` periods."""
        return np.asarray(self.start + self.units.shape[1] + np.arange(horizon))

    def flags(self) -> list[str]:
        """What preparation did per series, sorted, joined by `|`."""
        alive = np.arange(self.units.shape[1]) >= self.first[:, None]
        known = np.where(np.isnan(self.units), 0.0, self.units)
        sales, lives = (known > 0).sum(1), (~np.isnan(self.units)).sum(1)
        low = np.where(np.isnan(self.units), np.inf, self.units).min(1, initial=np.inf)
        marks = {
            "constant": (lives >= 3) & (low == known.max(1, initial=0.0)),
            "one_sale": sales == 1,
            "bulk_capped": (self.excess > 0).any(1),
            "gap_filled": (self.gap & alive).any(1),
            "new": self.demand_class == "new",
            "never_in_stock": self.unseen,
            "no_sales": (self.demand_class == "empty") & ~(self.unknown & ~self.unseen),
            "obsolete": self.obsolete,
            "only_partial": self.unknown & ~self.unseen,
            "promo": (self.promo & alive).any(1),
            "no_promo_plan": (self.promo & alive).any(1) & (self.covariates is not None and self.covariates.unplanned),
            "returns": (self.returned > 0).any(1),
            "stock_out": (self.stock_out & alive).any(1),
            **{name: np.ones(len(self.first), bool) for name in self.dropped},
        }
        names = sorted(marks)
        table = np.stack([marks[n] for n in names], 1)
        found = [[n for n, on in zip(names, row, strict=True) if on] for row in table.tolist()]
        size = lots.sizes(self)
        for i in np.flatnonzero(size > 1).tolist():
            found[i] = sorted([*found[i], f"{IN_LOTS}{size[i]:.0f}"])
        return ["|".join(row) for row in found]


def series_keys(by: str) -> list[str]:
    """Columns of the setting `by`, checked, in the order of the contract's key."""
    wanted = [w.strip() for w in by.split(",") if w.strip()]
    for word in wanted:
        if word not in KEYS:
            raise UsageFault(
                f'by: no series column "{word}"{did_you_mean(word, KEYS)}', hint="choose from: " + ", ".join(KEYS)
            )
    if not wanted:
        raise UsageFault("by: at least one column is needed", hint="choose from: " + ", ".join(KEYS))
    return [k for k in KEYS if k in wanted]


def panel(
    sales: pl.DataFrame,
    *,
    as_of: date,
    frequency: str = "auto",
    by: str = "sku,market",
    products: pl.DataFrame | None = None,
    dates: pl.Series | None = None,
) -> Panel:
    """The panel of a typed sales table.

    sales: contract `sales`; optional columns may be all null or absent. as_of: nothing later is used.
    frequency: auto (from the spacing of the dates) or one of H, D, W, M, Q, Y. by: series columns.
    products: contract `products`; categories share seasons. dates: those of the whole catalogue, where this is a part of it.
    Raises InputRejected where no row is left, UsageFault for unknown settings.
    """
    keys = series_keys(by)
    rows = _rows(sales, keys, as_of)
    if rows.is_empty():
        raise InputRejected(f"sales: no row on or before {as_of}", hint="see --as-of")
    notes: list[str] = []
    known = rows.select("date").unique() if dates is None else dates.to_frame("date").filter(_until(as_of))
    spacing, chosen = _frequencies(known["date"], frequency, notes)
    rows = rows.with_columns(
        periods.ordinal("date", spacing).alias("slot"), periods.ordinal("date", chosen).alias("period")
    )

    names = rows.select(keys).unique().sort(keys)
    rows = rows.join(names.with_row_index("series"), on=keys, how="left", nulls_equal=True)
    slots = known.drop_nulls().select(periods.ordinal("date", spacing).alias("slot"))["slot"]
    first_slot, last_slot = int(slots.min()), int(slots.max())  # type: ignore[arg-type]
    start, end, dropped = cells.span(first_slot, last_slot, as_of, spacing, chosen)
    start = max(start, end + 1 - periods.MEMORY[chosen])
    late = rows.filter(pl.col("period") > end, pl.col("units") > 0)["series"]
    rows = rows.filter(pl.col("period").is_between(start, end))
    if end < start or rows.is_empty():
        raise InputRejected(
            f"sales: no whole period of frequency {chosen} on or before {as_of}", hint="choose a finer --frequency"
        )

    shape = (len(names), end - start + 1)
    units, returned = cells.totals(rows, shape, start)
    stock_out, units = cells.masked(rows, units, shape, start, spacing, chosen)
    promo = cells.marks(rows.filter(pl.col("promo").fill_null(False)), shape, start)
    gap = ~cells.marks(rows, shape, start) & ~stock_out
    excess = _excess(units, promo)
    made = finish(
        names, chosen, start, as_of, units - excess, excess=excess, returned=returned, stock_out=stock_out, promo=promo, gap=gap,
        group=groups(names, products), dropped=dropped, notes=notes,
    )  # fmt: skip
    begun = np.zeros(len(names), bool)
    begun[late.to_numpy()] = True
    return replace(made, fresh=begun & (made.last < 0))


def _frequencies(dates: pl.Series, asked: str, notes: list[str]) -> tuple[str, str]:
    """The spacing of the dates and the frequency of the forecast, which is never finer; a note where a finer one was asked for."""
    spacing = periods.native(dates)
    chosen = spacing if asked == "auto" else asked
    if chosen not in periods.FREQUENCIES:
        raise UsageFault(f'frequency: "{asked}" is not one of auto, H, D, W, M, Q, Y')
    if periods.FREQUENCIES.index(chosen) < periods.FREQUENCIES.index(spacing):
        notes.append(
            f"dates look like frequency {spacing}, forecast at {chosen}: periods between them count as zero sales"
        )
        spacing = chosen
    return spacing, chosen


def groups(names: pl.DataFrame, products: pl.DataFrame | None) -> NDArray[np.int64]:
    """Numbers (n) of series of the same market, warehouse and channel and, where products tell it, category.

    Groups of fewer than GROUP series fall back on those without the category, and then on all (number 0).
    """
    found = names
    if products is not None and "sku" in names.columns and "category" in products.columns:
        kinds = products.select("sku", "category").unique("sku", keep="first", maintain_order=True)
        found = names.join(kinds, on="sku", how="left", maintain_order="left")
    places = [k for k in found.columns if k not in ("sku", "category")]
    out = np.zeros(len(names), np.int64)
    last = 0
    for columns in (places, [*places, "category"]):
        if not columns or (columns[-1] == "category" and "category" not in found.columns):
            continue
        code = found.select(pl.struct(columns).rank("dense").cast(pl.Int64)).to_series().to_numpy()
        large = np.bincount(code)[code] >= GROUP
        if "category" in columns:
            large &= found["category"].is_not_null().to_numpy()
        out = np.where(large, code + last, out)
        last += int(code.max(initial=0)) + 1
    return np.unique(out, return_inverse=True)[1].astype(np.int64)


def until(panel: Panel, cut: int, products: pl.DataFrame | None = None) -> Panel:
    """The panel as it stood `cut` periods ago: what came later is gone, classes, flags and groups are those of then.

    products: as the panel was made of.
    """
    width = panel.units.shape[1] - cut
    born = panel.first < width
    group = np.zeros(len(born), np.int64)
    group[born] = groups(panel.keys.filter(born), products)
    units = np.where(np.arange(width) < panel.first[:, None], 0.0, panel.units[:, :width])
    cells = {name: getattr(panel, name)[:, :width] for name in ("excess", "returned", "stock_out", "promo", "gap")}
    past = finish(
        panel.keys,
        panel.frequency,
        panel.start,
        panel.as_of,
        units,
        **cells,
        group=group,
        dropped=panel.dropped,
        notes=[],
    )
    return past if panel.covariates is None else replace(past, covariates=panel.covariates.until(cut))


def some(panel: Panel, rows: NDArray[np.int64]) -> Panel:
    """The panel of some of the series, as they stand in the whole one."""
    parts = {name: getattr(panel, name)[rows] for name in _PER_SERIES}
    return replace(panel, **parts, covariates=None if panel.covariates is None else panel.covariates.of(rows))


_PER_SERIES = (
    "keys", "units", "excess", "returned", "stock_out", "promo", "gap", "first", "last", "obsolete", "adi", "cv2", "demand_class",
    "group", "fresh",
)  # fmt: skip


def finish(
    names: pl.DataFrame,
    frequency: str,
    start: int,
    as_of: date,
    units: Floats,
    *,
    excess: Floats,
    returned: Floats,
    stock_out: Flags,
    promo: Flags,
    gap: Flags,
    group: NDArray[np.int64],
    dropped: tuple[str, ...],
    notes: list[str],
) -> Panel:
    """Trim what lies before the first sale (in place), find what is delisted, classify. For the arguments see `Panel`."""
    width = units.shape[1]
    sold = units > 0
    any_sold = sold.any(1)
    first = np.where(any_sold, sold.argmax(1), width)
    last = np.where(any_sold, width - 1 - sold[:, ::-1].argmax(1), -1)
    units[np.arange(width) < first[:, None]] = np.nan
    obsolete = classes.delisted(units, first, last, periods.SILENCE[frequency])
    adi, cv2, demand_class = classes.classify(units, obsolete, periods.YOUNG[frequency])
    return Panel(
        keys=names,
        frequency=frequency,
        start=start,
        as_of=as_of,
        units=units,
        excess=excess,
        returned=returned,
        stock_out=stock_out,
        promo=promo,
        gap=gap,
        first=first,
        last=last,
        obsolete=obsolete,
        adi=adi,
        cv2=cv2,
        demand_class=demand_class,
        group=group,
        fresh=np.zeros(len(names), bool),
        dropped=dropped,
        notes=notes,
    )


def _rows(sales: pl.DataFrame, keys: Sequence[str], as_of: date) -> pl.DataFrame:
    """Rows up to as_of with the series columns filled and the optional columns present."""
    absent = [k for k in (*KEYS, "promo", "in_stock") if k not in sales.columns]
    sales = sales.with_columns(
        *[pl.lit(None, pl.Boolean if a in ("promo", "in_stock") else pl.String).alias(a) for a in absent]
    )
    return sales.filter(_until(as_of), pl.col("units").is_finite()).select(
        "date", *[pl.col(k).fill_null("*") for k in keys], "units", "promo", "in_stock"
    )


def _until(as_of: date) -> pl.Expr:
    return pl.col("date").cast(pl.Date) <= as_of


def _excess(units: Floats, promo: Flags) -> Floats:
    """Units of one-off bulk orders above the largest period before them (n x T, 0 elsewhere).

    What lies before a period alone decides, so that nothing later changes the past; a second order of the size is no
    longer one-off, and promotions are none.
    """
    known = np.nan_to_num(units)
    before = np.zeros(units.shape)
    before[:, 1:] = np.maximum.accumulate(known, 1)[:, :-1]
    sales: NDArray[np.int64] = np.cumsum(known > 0, 1) - (known > 0)
    bulk = (sales >= BULK_SALES) & (known > BULK * before) & ~promo
    return np.where(bulk, known - before, 0.0)


def latest(sales: pl.DataFrame) -> date:
    """The latest date of a sales table; InputRejected where it has no row."""
    found = sales.select(pl.col("date").cast(pl.Date).max()).item()
    if found is None:
        raise InputRejected("sales: no row")
    day: date = found
    return day
