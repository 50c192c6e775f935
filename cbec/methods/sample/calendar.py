"""The promotion plan: which items take part in which event, with those of the next three months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.sample.company import END, START, Family
from cbec.methods.sample.demand import DISCOUNT, events, promotions

if TYPE_CHECKING:
    from cbec.methods.sample.company import Company


def family(company: Company) -> Family:
    """The table `calendar`. Coupon weeks of single items are in no plan: sales mark them."""
    factor = promotions(company)
    sku, first = np.unique(company.series["sku"].to_numpy().astype(str), return_index=True)
    rows = []
    for name, begin, end, uplift in events():
        on = factor[first, (begin - START).days] == uplift
        rows += [(begin, name, "promotion", str(s), end, DISCOUNT) for s in sku[on]]
    columns = ["date", "name", "kind", "sku", "until", "value"]
    calendar = pl.DataFrame(rows, schema=columns, orient="row").sort("date", "name", "sku")
    planned = [{"name": n, "from": a, "to": b, "factor": f} for n, a, b, f in events() if b > END]
    return Family({"calendar": calendar}, {"promotions_planned": planned})
