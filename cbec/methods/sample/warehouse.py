"""The Hamburg warehouse: its bins, what lies where today; and the lanes between the three warehouses.

Planted: goods were put away in the order in which they were launched, old ones at the front, so that what sells best lies
where chance put it, and a few of the best sellers lie at the far end. Stock that one warehouse runs out of while another
has plenty comes from the stock roles of `stock`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from cbec.methods.sample.company import DAYS, END, Company, Family
from cbec.methods.sample.demand import expected
from cbec.methods.sample.orders import family as orders
from cbec.methods.sample.stock import family as stock

PLACE = "DEHAM"
AISLES, CELLS = 8, 12
#: Metres between aisles and between cells; the first cell lies this far from the front cross aisle.
PITCH, CELL = 3.5, 1.3
DOCK_AISLE = 1
FAR = 5
#: Days for which a warehouse must last by itself (an order placed now and at the next review), and what is clearly short.
COVER, CLEAR = 56, 8.0
#: Days on the way and costs in CNY: per kg, per trip, m3 of a trip. None = a service by the kilogram, without a trip.
LANES: tuple[tuple[str, str, float, float, float | None, float | None], ...] = (
    ("DEHAM", "GBFXT", 6.0, 1.4, 900.0, 20.0),
    ("GBFXT", "DEHAM", 6.0, 1.5, 900.0, 20.0),
    ("DEHAM", "USLAX", 34.0, 0.9, 2600.0, 28.0),
    ("USLAX", "DEHAM", 34.0, 0.9, 2600.0, 28.0),
    ("GBFXT", "USLAX", 36.0, 0.9, 2800.0, 28.0),
    ("USLAX", "GBFXT", 36.0, 0.9, 2800.0, 28.0),
    ("DEHAM", "USLAX", 8.0, 38.0, None, None),
    ("USLAX", "DEHAM", 8.0, 38.0, None, None),
)


def family(company: Company) -> Family:
    """The tables bins, slots and transfer_lanes."""
    bins = _bins()
    slots, far = _slots(company, bins)
    lanes = pl.DataFrame(
        [
            {
                "from_warehouse": a,
                "to_warehouse": b,
                "transit_days": days,
                "cost_per_unit": 2.0,
                "cost_per_kg": kg,
                "cost_fixed": trip,
                "capacity_m3": room,
                "currency": "CNY",
                "customs": True,
            }
            for a, b, days, kg, trip, room in LANES
        ]
    ).sort("from_warehouse", "to_warehouse", "transit_days")
    tables = {"bins": bins, "slots": slots, "transfer_lanes": lanes}
    return Family(tables, {"far_fast_movers": far, "rebalance": _apart(company)})


def _bins() -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for aisle in range(AISLES):
        for cell in range(CELLS):
            for side in "LR":
                x, y = aisle * PITCH, round(CELL * (cell + 1), 2)
                rows.append(
                    {
                        "bin": f"{chr(65 + aisle)}{cell + 1:02d}{side}",
                        "warehouse": PLACE,
                        "distance_m": round(abs(aisle - DOCK_AISLE) * PITCH + y, 2),
                        "capacity_m3": 1.2 if cell < CELLS - 2 else 2.4,
                        "max_kg": 400.0,
                        "aisle": chr(65 + aisle),
                        "x": x,
                        "y": y,
                    }
                )
    return pl.DataFrame(rows).sort("warehouse", "bin")


def _slots(company: Company, bins: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """One bin for each SKU that Hamburg holds; a few bins stay free."""
    rng = company.random("slots")
    held = company.pairs().filter(pl.col("warehouse") == PLACE)
    lines = orders(company).tables["order_lines"].filter((pl.col("warehouse") == PLACE) & (pl.col("qty") > 0))
    picked = lines.group_by("sku").len().sort(["len", "sku"], descending=[True, False])
    far = picked["sku"].head(FAR).sort().to_list()
    # Old goods at the front: by the day of launch, with some disorder.
    launched = held["launch_date"].to_physical().to_numpy() + rng.normal(0, 200, held.height)
    order = held["sku"].gather(pl.Series(np.argsort(launched, kind="stable"))).to_list()
    near = bins.sort("distance_m", "bin")["bin"].to_list()
    last = near[-FAR:]
    others = [sku for sku in order if sku not in far]
    # A free bin now and then, so that not every move needs a swap.
    front = [b for i, b in enumerate(near[:-FAR]) if i % 15 != 7]
    rows = [*zip(others, front, strict=False), *zip(far, last, strict=True)]
    frame = pl.DataFrame(rows, schema=["sku", "bin"], orient="row").with_columns(warehouse=pl.lit(PLACE))
    return frame.sort("warehouse", "sku", "bin"), far


def _apart(company: Company) -> list[dict[str, Any]]:
    """SKUs of which Hamburg or Felixstowe will run at least CLEAR pieces short within COVER days, stock on its way
    included, while the other has at least as many to spare after its own COVER days and a third more. The best sellers,
    which fly in within days, are left out."""
    made = stock(company)
    tables = made.tables
    wanted = company.series.select("sku", "warehouse").with_columns(
        wanted=pl.Series(expected(company)[:, DAYS : DAYS + COVER].sum(axis=1))
    )
    totals = (
        wanted.sort("sku", "warehouse").group_by("sku", "warehouse", maintain_order=True).agg(pl.col("wanted").sum())
    )
    coming = (
        tables["inbound"]
        .filter(pl.col("arrival_date") <= END + timedelta(days=COVER))
        .group_by("sku", "warehouse")
        .agg(pl.col("qty").sum())
    )
    held = (
        tables["inventory"]
        .select("sku", "warehouse", free=pl.col("on_hand") - pl.col("reserved"))
        .join(coming, on=["sku", "warehouse"], how="left")
        .join(totals, on=["sku", "warehouse"], how="left")
        .with_columns(pl.col("qty", "wanted").fill_null(0.0))
    )
    spare = held.select(
        "sku", pl.col("warehouse").alias("from_warehouse"), spare=pl.col("free") - 4 / 3 * pl.col("wanted")
    )
    short = held.select(
        "sku", pl.col("warehouse").alias("to_warehouse"), short=pl.col("wanted") - pl.col("free") - pl.col("qty")
    )
    near = ("DEHAM", "GBFXT")
    both = spare.join(short, on="sku").filter(
        pl.col("from_warehouse").is_in(near) & pl.col("to_warehouse").is_in(near),
        pl.col("from_warehouse") != pl.col("to_warehouse"),
        pl.min_horizontal("spare", "short") >= CLEAR,
        ~pl.col("sku").is_in(made.truths["fast_lane"]),
    )
    rows = both.with_columns(pl.min_horizontal("spare", "short").floor().cast(pl.Int64).alias("qty"))
    return rows.select("sku", "from_warehouse", "to_warehouse", "qty").sort("sku").rows(named=True)
