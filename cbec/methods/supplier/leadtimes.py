"""Lead times as they were, by supplier and warehouse, and the policies that follow from them.

Lines that are awaited are known to last longer than until today (Kaplan-Meier). Means and variances of few orders are
drawn to those of all suppliers of the same warehouse (Paule and Mandel 1982; Smyth 2004). Where the last half of the
window differs from the first beyond doubt, it alone holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import special

from cbec.methods import shrinkage, terms
from cbec.methods.survival import Curve, kaplan_meier

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Days are whole: no lead time is known to less than the variance of rounding to them.
_LEAST = 1 / 12
#: A change of the record counts when it is beyond this many standard errors (99 %).
_BEYOND = 2.576
#: Lead times that vary so many times more than their distance from the promise follow the promise: what was asked for.
_FOLLOWS = 3.0
#: From so many lines on the measured quantile is used, below the gamma distribution of the drawn mean and deviation.
_ENOUGH = 20


@dataclass
class Cell:
    """The lead time of one supplier at one warehouse (None = all of them). agreed, policy: None = not told.
    around: variance of receipt against promise, None = not told."""

    supplier: str
    warehouse: str | None
    curve: Curve
    basis: str
    agreed: float | None
    around: float | None
    policy: float | None = None
    mean: float = 0.0
    variance: float = 0.0

    @property
    def p90(self) -> float:
        """Nine of ten came within."""
        if self.curve.n >= _ENOUGH:
            return self.curve.quantile(0.9)
        shape, scale = self.mean**2 / self.variance, self.variance / max(self.mean, 1e-9)
        return float(special.gammaincinv(max(shape, 1e-9), 0.9) * scale) if self.mean > 0 else 0.0


def cells(frame: pl.DataFrame, policies: pl.DataFrame | None, min_orders: int) -> list[Cell]:
    """One cell per supplier and warehouse with a line that came, and one per supplier for all warehouses.

    frame: lines of a `Record`. Lines that a policy row for their own SKU holds for (another way of transport, most
    often) are left out. Sorted by supplier and warehouse, all warehouses first.
    """
    timed = frame.filter(pl.col("lead").is_not_null())
    if policies is not None:
        policies = policies.sort(terms.KEYS, nulls_last=True)
        timed = timed.filter(~_by_sku(timed, policies))
    found = [*_family(timed, None, min_orders)]
    for place in timed["warehouse"].drop_nulls().unique().sort():
        found += _family(timed.filter(pl.col("warehouse") == place), place, min_orders)
    if policies is not None and found:
        named = pl.DataFrame(
            [(None, c.warehouse, c.supplier) for c in found],
            schema=dict.fromkeys(terms.KEYS, pl.String),
            orient="row",
        )
        days = policies["lead_time_days"].gather(terms.holding(named, policies)).to_list()
        for cell, held in zip(found, days, strict=True):
            cell.policy = held
    return sorted(found, key=lambda c: (c.supplier, c.warehouse is not None, c.warehouse or ""))


def _by_sku(frame: pl.DataFrame, policies: pl.DataFrame) -> pl.Series:
    """Whether the row of `policies` that holds for a line is one of its own SKU."""
    row = terms.holding(frame.select(terms.KEYS), policies)
    return policies["sku"].is_not_null().gather(row).fill_null(False)


def _family(timed: pl.DataFrame, place: str | None, min_orders: int) -> list[Cell]:
    """Cells of all suppliers at one place, each drawn to the others."""
    found: list[Cell] = []
    for (supplier,), rows in timed.sort("supplier_id", "item").group_by("supplier_id", maintain_order=True):
        rows = rows.with_columns(agreed=(pl.col("due") - pl.col("order_date")).dt.total_days())  # noqa: PLW2901
        if not rows["ended"].any():
            continue
        curve, basis = _held(rows, min_orders)
        agreed = rows["agreed"].mean()
        around = rows.filter("ended").select((pl.col("lead") - pl.col("agreed")).var()).item()
        if around is not None and curve.variance > _FOLLOWS**2 * max(around, _LEAST):
            basis = "as_asked"
        found.append(
            Cell(str(supplier), place, curve, basis, float(agreed) if isinstance(agreed, float) else None, around)
        )
    if not found:
        return found
    n = np.array([c.curve.n for c in found], dtype=np.float64)
    sample = np.array([c.curve.variance for c in found])
    variance, _, _ = shrinkage.variances(np.where(np.isnan(sample), np.nan, np.maximum(sample, _LEAST)), n - 1)
    # One line each and nothing to compare: the spread is unknown, so the largest of the usual ones is taken.
    means = np.array([c.curve.mean for c in found])
    variance = np.where(np.isnan(variance), (means / 2) ** 2, variance)
    variance = np.maximum(variance, _LEAST)
    drawn, _, _ = shrinkage.means(means, variance / n)
    for cell, mean, spread in zip(found, drawn, variance, strict=True):
        cell.mean, cell.variance = float(mean), float(spread)
    return found


def _held(rows: pl.DataFrame, min_orders: int) -> tuple[Curve, str]:
    """The curve of the window, or that of its last half where the record has changed."""
    first, last = (rows.filter(pl.col("half") == half) for half in (0, 1))
    if min(first["ended"].sum(), last["ended"].sum()) >= max(min_orders, 2):
        before, now = curve_of(first), curve_of(last)
        error = (max(before.variance, _LEAST) / before.n + max(now.variance, _LEAST) / now.n) ** 0.5
        if abs(now.mean - before.mean) > _BEYOND * error:
            return now, "last_half"
    return curve_of(rows), "all"


def curve_of(rows: pl.DataFrame) -> Curve:
    """The Kaplan-Meier curve of lines."""
    return kaplan_meier(rows["lead"].to_numpy(), rows["ended"].to_numpy())


def table(found: Iterable[Cell]) -> pl.DataFrame:
    """The table `lead_times`."""
    rows = [
        {
            "supplier_id": c.supplier,
            "warehouse": c.warehouse,
            "lead_time_days": c.mean,
            "lead_time_sd_days": c.variance**0.5,
            "n": c.curve.n,
            "awaited": c.curve.awaited,
            "p90_days": c.p90,
            "measured_days": c.curve.mean,
            "agreed_days": c.agreed,
            "policy_days": c.policy,
            "promise_sd_days": None if c.around is None else c.around**0.5,
            "basis": c.basis,
        }
        for c in found
    ]
    text = dict.fromkeys(("supplier_id", "warehouse", "basis"), pl.String())
    whole = dict.fromkeys(("n", "awaited"), pl.Int64())
    figures = (
        "lead_time_days",
        "lead_time_sd_days",
        "p90_days",
        "measured_days",
        "agreed_days",
        "policy_days",
        "promise_sd_days",
    )
    return pl.DataFrame(rows, schema={**text, **whole, **dict.fromkeys(figures, pl.Float64())})


def updated(policies: pl.DataFrame, found: list[Cell], frame: pl.DataFrame, min_orders: int) -> pl.DataFrame:
    """`policies` with lead times as they were, where at least `min_orders` lines tell them.

    A supplier and warehouse with a record gets a row of its own: the row that holds for it today with the lead time
    replaced. Where orders name no warehouse, every warehouse of the policies gets one. Rows of single SKUs take the
    lead time of their own lines. All other rows, and all other terms, stay; so do those of suppliers whose lead times follow
    what was asked for.
    """
    policies = policies.sort(terms.KEYS, nulls_last=True)
    rows: dict[tuple[str | None, ...], dict[str, Any]] = {
        tuple(row[k] for k in terms.KEYS): row for row in policies.iter_rows(named=True)
    }
    told = [c for c in found if c.curve.n >= min_orders and c.basis != "as_asked"]
    placed = {c.supplier for c in found if c.warehouse is not None}
    general = [key[1] for key in rows if key[0] is None and key[2] is None]
    for cell in told:
        if cell.warehouse is not None:
            places: list[str | None] = [cell.warehouse]
        elif cell.supplier in placed:
            places = [None] if (None, None, cell.supplier) in rows else []
        else:
            places = sorted({*general, *([None] if (None, None, cell.supplier) in rows else [])}, key=str)
        for place in places:
            named = pl.DataFrame(
                [(None, place, cell.supplier)], schema=dict.fromkeys(terms.KEYS, pl.String), orient="row"
            )
            held = terms.holding(named, policies)[0]
            if held is not None:
                key = {"sku": None, "warehouse": place, "supplier_id": cell.supplier}
                rows[tuple(key.values())] = policies.row(held, named=True) | key | _lead(cell.mean, cell.variance)
    timed = frame.filter(pl.col("lead").is_not_null())
    timed = timed.with_columns(held=terms.holding(timed.select(terms.KEYS), policies))
    for (held,), lines in timed.drop_nulls("held").sort("item").group_by("held", maintain_order=True):
        row = policies.row(int(held), named=True)
        if row["sku"] is not None and lines["ended"].sum() >= max(min_orders, 2):
            curve = curve_of(lines)
            rows[tuple(row[k] for k in terms.KEYS)] = row | _lead(curve.mean, max(curve.variance, _LEAST))
    return pl.DataFrame(list(rows.values()), schema=policies.schema)


def _lead(mean: float, variance: float) -> dict[str, float]:
    return {"lead_time_days": round(mean, 2), "lead_time_sd_days": round(variance**0.5, 2)}
