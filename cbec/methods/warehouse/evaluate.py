"""The answer of `warehouse evaluate`: walks by each way of walking, beside the shortest tours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.errors import InputRejected
from cbec.core.money import Headline
from cbec.methods import words
from cbec.methods.warehouse import layout, picks, slotting, tours
from cbec.methods.warehouse.slotting import NOWHERE

if TYPE_CHECKING:
    from cbec.methods.warehouse.slotrows import Found


def walk(
    name: str | None,
    lines: pl.DataFrame,
    bins: pl.DataFrame,
    slots: pl.DataFrame,
    *,
    speed: float,
    front: float,
    back: float,
    depot: float | None,
) -> tuple[pl.DataFrame, list[Found], list[str]]:
    """The table `pick_evaluation` of one warehouse, findings and notes.

    Lines of SKUs that lie nowhere are left out and told. Raises InputRejected where slots name bins that there are not.
    """
    floor = layout.read(bins, front=front, back=back, depot=depot)
    place_of = {b: i for i, b in enumerate(floor.bins)}
    seen = picks.read(lines, [])
    here = name or "the warehouse"
    number = {sku: i for i, sku in enumerate(seen.skus)}
    place = np.full(len(seen.skus), NOWHERE, dtype=np.intp)
    for sku, at in slots.select("sku", "bin").sort("sku", "bin").rows():
        if at not in place_of:
            raise InputRejected(f'slots: bin "{at}" is not in bins', hint="bins must list every place that slots name")
        i = number.get(sku)
        if i is not None and (place[i] == NOWHERE or floor.distance[place_of[at]] < floor.distance[place[i]]):
            place[i] = place_of[at]
    known = place[seen.sku] != NOWHERE
    if not known.any():
        raise InputRejected(f"order_lines: no line of {here} is of an SKU that slots name")
    visited = pl.DataFrame({"order": seen.order[known], "bin": place[seen.sku[known]]}).unique()
    orders = int(visited["order"].n_unique())
    policies = tours.POLICIES if floor.block is not None else ("trips",)
    total = {p: float(slotting.lengths(seen, place, floor, p).sum()) for p in policies}
    rows = pl.DataFrame(
        {
            "warehouse": pl.Series([name] * len(total), dtype=pl.String),
            "policy": list(total),
            "orders": [orders] * len(total),
            "lines": [visited.height] * len(total),
            "metres": list(total.values()),
            "metres_per_order": [v / orders for v in total.values()],
            "metres_per_line": [v / visited.height for v in total.values()],
            "minutes_per_order": [v / orders / (60 * speed) for v in total.values()],
            "gap_pct": pl.Series([_gap(v, total.get("shortest")) for v in total.values()], dtype=pl.Float64),
        }
    )
    found: list[Found] = []
    lost = [seen.skus[i] for i in np.flatnonzero(place == NOWHERE).tolist()]
    if lost:
        text = (
            f"{int((~known).sum())} of {len(seen.sku)} picks are of {len(lost)} SKUs that lie in no bin "
            f"({words.some(lost)}): they are walked to nowhere"
        )
        found.append((f"not_slotted:{here}", "warn", here, "not_slotted", text, None, None))
    if floor.block is not None and floor.block.misfit > layout.MISFIT:
        text = f"distance_m and x, y of {here} disagree by {100 * floor.block.misfit:.0f} % on the average: check --depot-x and --front-y"
        found.append((f"layout_misfit:{here}", "warn", here, "layout_misfit", text, None, None))
    told = [] if floor.block is not None else [f"{here}: bins have no x and y, each counts as a trip of its own"]
    return rows, found, told


def _gap(metres: float, shortest: float | None) -> float | None:
    return None if not shortest else 100 * (metres / shortest - 1)


def headline(rows: pl.DataFrame, policy: str, *, wage: float, currency: str | None) -> Headline | str:
    """Walking by the policy in use beside the shortest tours through the same bins."""
    if wage <= 0 or currency is None:
        return "walks are told in metres and minutes: set --wage-per-hour and --home-currency for money"
    hours = {
        row["policy"]: row["minutes"] / 60
        for row in rows.group_by("policy")
        .agg(minutes=(pl.col("minutes_per_order") * pl.col("orders")).sum())
        .iter_rows(named=True)
    }
    if policy not in hours or "shortest" not in hours:
        return "bins have no x and y, so that there is no other way of walking to compare with"
    basis = f"walking for the orders given at {wage:g} an hour; today = {policy} tours, proposed = the shortest tours through the same bins"
    today, best = hours[policy] * wage, hours["shortest"] * wage
    return Headline(today, best, best - today, best - today, currency, basis)
