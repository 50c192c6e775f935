"""What a service level costs: all items ordered up to the level, for several levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods import counts
from cbec.methods.forecast.ordercost import Costing
from cbec.methods.forecast.orders import whole_packs

if TYPE_CHECKING:
    from cbec.methods.forecast.stockcase import Case

LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995)


def curve(case: Case) -> pl.DataFrame:
    """Table `stock_curve`, over the items whose costs are known and that are not planned by firm orders.

    (R, S) at one level for all items, whatever their own policy: what each would be ordered up to, what that is expected
    to cost. A random lead time counts by the two moments of its demand.
    """
    plan, prices = case.plan, case.prices
    known = ~np.isnan(prices.unit_cost * prices.shortage)
    known[case.firm.item] = False
    mean, var = plan.cover.mean, plan.cover.var
    costing = Costing(case.demand, case.terms, case.held, plan, prices, case.due)
    rows = []
    for level in LEVELS if known.any() else ():
        up_to = counts.level(
            np.full_like(mean, level), mean[:, None], var[:, None], np.ones((len(mean), 1)), plan.cover.lot
        )
        order = whole_packs(up_to - plan.position, case.terms)
        way = costing.of(order)
        held = {
            "holding": way.holding,
            "shortage": way.shortage,
            "cost": way.cost,
            "expected_short": way.short,
        }
        value = {"safety_stock_value": (up_to - mean) * prices.unit_cost, "order_value": order * prices.unit_cost}
        sums = {name: float(figure[known].sum()) for name, figure in (held | value).items()}
        rows.append({"service_level": level, **sums, "currency": prices.currency})
    figures = ("safety_stock_value", "order_value", "expected_short", "holding", "shortage", "cost")
    schema = {"service_level": pl.Float64, **dict.fromkeys(figures, pl.Float64), "currency": pl.String}
    return pl.DataFrame(rows, schema=schema)
