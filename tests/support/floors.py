"""Small warehouses, orders and networks of warehouses, typed as their contracts say."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from cbec.methods.warehouse.fan import WEIGHT
from cbec.methods.warehouse.transfer import Lanes, Network
from support.stockroom import table

DAY = date(2026, 3, 2)


def bins(aisles: int = 3, cells: int = 4, pitch: float = 3.0, dock: int = 0, **more: Any) -> pl.DataFrame:
    """One block: aisles A, B, ... at x = 0, pitch, ..., cells at y = 1, 2, ..., the dock before one of the aisles."""
    rows = []
    for a in range(aisles):
        for c in range(1, cells + 1):
            place = {"bin": f"{chr(65 + a)}{c}", "distance_m": abs(a - dock) * pitch + c}
            rows.append(place | {"aisle": chr(65 + a), "x": a * pitch, "y": float(c)} | more)
    return table("bins", rows)


def orders(*skus: str, days: int = 1) -> pl.DataFrame:
    """Order lines: each text is one order, its letters (or words between spaces) the SKUs; spread evenly over days."""
    rows = []
    for i, text in enumerate(skus):
        when = DAY + timedelta(days=i * days // max(len(skus), 1))
        bought = text.split() if " " in text else text
        rows += [{"order_id": f"{i:05d}", "line": s, "sku": s, "qty": 1, "date": when} for s in bought]
    return table("order_lines", rows)


def slots(**places: str) -> pl.DataFrame:
    """What lies where: SKU = bin."""
    return table("slots", [{"sku": s, "bin": b} for s, b in places.items()])


def network(stock: Any, demand: Any, lanes: list[tuple[int, int, int, float, float, float]], **more: Any) -> Network:
    """Positions and flows of S SKUs in K warehouses.

    stock: S x K. demand: S x K x R x Q, cumulative at the end of windows `ends` (days). lanes: (from, to, window that is
    served, cost per unit, cost per trip, m3 of a trip). Every SKU can use every lane; a unit has 1 m3.
    """
    stock, demand = np.asarray(stock, float), np.asarray(demand, float)
    skus, places, windows, paths = demand.shape
    ends = np.asarray(more.pop("ends", np.arange(1, windows + 1) * 10.0))
    sku = np.repeat(np.arange(skus), places)
    n = skus * places
    flat = demand.reshape(n, windows, paths)
    source, target, lane = (
        np.array(v, dtype=np.intp)
        for v in zip(
            *[(s * places + a, s * places + b, i) for s in range(skus) for i, (a, b, *_) in enumerate(lanes)],
            strict=True,
        )
    )
    names = [f"W{k}" for k in range(places)]
    given: dict[str, Any] = {
        "lost": True,
        "skus": [f"S{s}" for s in range(skus)],
        "places": names * skus,
        "sku": sku,
        "stock": stock.ravel(),
        "short": np.full(n, 10.0),
        "hold": np.full(n, 0.01),
        "span": np.tile(np.diff(np.append(0.0, ends)), (n, 1)),
        "demand": flat,
        "coming": np.zeros((n, windows)),
        "excess": flat,
        "lanes": Lanes(
            [names[a] for a, *_ in lanes],
            [names[b] for _, b, *_ in lanes],
            np.array([int(ends[w - 1]) if w else 0 for _, _, w, *_ in lanes]),
            np.array([x[4] for x in lanes], float),
            np.array([x[5] for x in lanes], float),
            [False] * len(lanes),
        ),
        "source": source,
        "target": target,
        "lane": lane,
        "window": np.array([lanes[i][2] for i in lane], dtype=np.intp),
        "cost": np.array([lanes[i][3] for i in lane], float),
        "m3": np.ones(len(lane)),
        "pack": np.ones(len(lane)),
    }
    return Network(**given | more)


@st.composite
def networks(draw: Any, lost: bool | None = None, windows: int = 3) -> Network:
    """Up to two SKUs in up to three warehouses, with lanes between all of them and inbound."""
    skus, places = draw(st.integers(1, 2)), draw(st.integers(2, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rate = rng.gamma(1.0, 8.0, (skus, places, windows, 1)) * np.sort(
        rng.gamma(2.0, 0.6, (skus, places, 1, len(WEIGHT))), axis=3
    )
    demand = np.cumsum(rate, axis=2)
    stock = np.floor(rng.gamma(1.0, 20.0, (skus, places)))
    pairs = [(a, b) for a in range(places) for b in range(places) if a != b]
    lanes = [
        (
            a,
            b,
            int(rng.integers(windows)),
            float(rng.uniform(0, 2)),
            float(rng.choice([0, 15, 60])),
            float(rng.choice([8, 25, np.inf])),
        )
        for a, b in pairs
    ]
    if draw(st.booleans()):  # a second, later way
        a, b = pairs[0]
        lanes.append((a, b, windows - 1, 0.1, 5.0, 30.0))
    net = network(stock, demand, lanes, lost=draw(st.booleans()) if lost is None else lost)
    n = skus * places
    coming = np.cumsum(np.floor(rng.gamma(0.3, 10.0, (n, windows))), axis=1)
    return dataclasses.replace(
        net,
        short=rng.uniform(2, 20, n),
        hold=rng.uniform(0, 0.1, n),
        coming=coming,
        # Inbound comes at the end of its window: until then only that of the windows before.
        excess=net.demand - np.hstack([np.zeros((n, 1)), coming[:, :-1]])[:, :, None],
    )
