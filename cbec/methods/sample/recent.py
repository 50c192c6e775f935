"""Sales of the weeks after the last day of all other tables, as the next export tells them: a few SKUs run away.

The table obeys the contract of `sales`, and continues it: an order that was to wait is wanted now.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from cbec.methods.sample import demand
from cbec.methods.sample.company import DAYS, END, START, Company, Family

SPAN = 25  # to the end of the third whole week
CALM = 4  # days before those weeks
SURGING, FACTOR = 3, 3.0


def family(company: Company) -> Family:
    """The table `sales_since` and which SKUs surge in it."""
    rng = company.random("recent")
    known = company.items.filter(
        ~pl.col("intermittent")
        & pl.col("delisted_date").is_null()
        & (pl.col("launch_date") < START)
        & (pl.col("rate") > 0.8)
    )
    surging = sorted(known["sku"].gather(rng.permutation(known.height)[:SURGING].tolist()).to_list())
    days = slice(DAYS, DAYS + SPAN)
    mean = demand.expected(company)[:, days].copy()
    mean[np.flatnonzero(company.series["sku"].is_in(surging).to_numpy()), CALM:] *= FACTOR
    units = rng.poisson((mean * rng.gamma(10.0, 0.1, mean.shape)).round(6))
    slow = company.series["intermittent"].to_numpy()
    units[slow] = rng.random(mean[slow].shape) < mean[slow]
    series, day = np.nonzero(units)
    sold = units[series, day]
    everything = np.ones(series.size, dtype=bool)
    promo = demand.promotions(company) > 1
    rows = demand.rows(company, series, day + DAYS, sold, promo, ~everything, "marketplace", everything)
    pairs = (
        company.series.filter(pl.col("sku").is_in(surging)).select("sku", "warehouse").unique().sort("sku", "warehouse")
    )
    told = {
        "from": END + timedelta(days=1 + CALM), "to": END + timedelta(days=SPAN), "factor": FACTOR,
        "items": [f"{sku}@{warehouse}" for sku, warehouse in pairs.iter_rows()],
    }  # fmt: skip
    return Family({"sales_since": rows.sort("date", "sku", "market", "warehouse", "channel")}, {"surging": told})
