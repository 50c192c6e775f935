"""Which terms of `policies` hold for each SKU and warehouse, and what lies there or is on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec import tables
from cbec.core.errors import InputRejected

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.protection import Clock

    Floats = NDArray[np.float64]
    Rows = NDArray[np.intp]

#: Words of `inbound.status` that say the goods are not on their way (any more).
NOT_COMING = (
    "received",
    "arrived",
    "closed",
    "completed",
    "cancelled",
    "canceled",
    "已收货",
    "已到货",
    "已入库",
    "已完成",
    "已取消",
    "取消",
)


#: What a row of `policies` may be bound to.
KEYS = ("sku", "warehouse", "supplier_id")


@dataclass(frozen=True)
class Terms:
    """The policy of each item, n each. service: level of the cycle. fill: NaN = no target. shortage: NaN = not told.

    storage: per m3 and day. policy: a word of tables.stock.POLICIES. lot: units, NaN = not told. target: a word of
    TARGETS. freight: money per unit. wait: days until an order can be placed, which `lead` includes.
    """

    lead: Floats
    lead_sd: Floats
    review: Floats
    moq: Floats
    pack: Floats
    service: Floats
    fill: Floats
    holding_rate: Floats
    shortage: Floats
    order_cost: Floats
    storage: Floats
    policy: NDArray[np.str_]
    lot: Floats
    target: NDArray[np.str_]
    salvage: Floats
    freight: Floats
    duty: Floats
    wait: Floats

    @property
    def continuous(self) -> NDArray[np.bool_]:
        """Whether stock is looked at all the time: an order is placed as soon as the position is at the reorder point."""
        return np.isin(self.policy, ("sS", "sQ"))

    @property
    def protection(self) -> Floats:
        """Days that an order has to last: until the next one could arrive."""
        return self.lead + self.beyond

    @property
    def beyond(self) -> Floats:
        """Days over the lead time that a level has to last: the review. Where stock is looked at all the time none, but a day in
        all: between two evenings nothing can be ordered."""
        return np.where(self.continuous, np.maximum(1.0 - self.lead, 0.0), self.review)

    @property
    def needed(self) -> Floats:
        """Days of forecast needed: protection, and two deviations of a random lead time."""
        return self.protection + 2 * self.lead_sd

    @property
    def arrival(self) -> NDArray[np.int64]:
        """Days until an order of today is on the shelf, whole."""
        return np.ceil(self.lead - 1e-9).astype(np.int64)


def at_once() -> pl.DataFrame:
    """A table `policies` for where none is given: no lead time, all else by the settings."""
    kinds = {"text": pl.String, "float": pl.Float64}
    schema = {c.name: kinds[c.kind] for c in tables.get("policies").columns}
    return pl.DataFrame([{"lead_time_days": 0.0}], schema=schema)


def holding(named: pl.DataFrame, policies: pl.DataFrame) -> pl.Series:
    """Which row of `policies` holds for each row of `named` (sku, warehouse, supplier_id): its number, null where none fits.

    The most specific one, as `choose` says; of equal ones the first.
    """
    policies = policies.with_row_index("row")
    row = pl.repeat(None, named.height, dtype=pl.UInt32, eager=True)
    for weight in range(7, -1, -1):  # sku 4 + supplier 2 + warehouse 1
        on = [k for k, bit in zip(KEYS, (4, 1, 2), strict=True) if weight & bit]
        fitting = policies.filter(*(pl.col(k).is_not_null() if k in on else pl.col(k).is_null() for k in KEYS))
        if fitting.is_empty():
            continue
        if on:
            fitting = fitting.unique(on, keep="first", maintain_order=True)
            found = named.join(fitting.select(*on, "row"), on=on, how="left", maintain_order="left")["row"]
        else:
            found = pl.repeat(fitting["row"][0], named.height, dtype=pl.UInt32, eager=True)
        row = row.zip_with(row.is_not_null(), found)
    return row


def supplied(items: pl.DataFrame, suppliers: pl.DataFrame | None) -> pl.DataFrame:
    """Items with the column supplier_id, empty where no table (sku, supplier_id) tells it."""
    if suppliers is None:
        return items.with_columns(pl.lit(None, pl.String).alias("supplier_id"))
    return items.join(suppliers.select("sku", "supplier_id"), on="sku", how="left", maintain_order="left")


def choose(
    items: pl.DataFrame,
    policies: pl.DataFrame,
    suppliers: pl.DataFrame | None,
    *,
    service_level: float,
    review_days: float,
    holding_rate: float,
    policy: str = "RS",
    target: str = "",
) -> Terms:
    """The most specific row of `policies` for each item: SKU and warehouse > SKU > supplier and warehouse > supplier > warehouse > any.

    The row holds as a whole; its empty cells mean the settings, not a less specific row. suppliers: sku, supplier_id.
    target: where the row has none; empty = its fill rate where it has one alone, else the service level. Raises InputRejected naming an item that no row fits.
    """
    named = supplied(items, suppliers)
    policies = policies.sort(KEYS, nulls_last=True)
    row = holding(named, policies)
    if row.null_count():
        lost = items.filter(row.is_null())
        raise InputRejected(
            f"policies: no row fits SKU {lost['sku'][0]} at {lost['warehouse'][0]} ({lost.height} of {items.height} items)",
            hint="add a row with sku, warehouse and supplier_id empty: it holds where no other does",
        )
    held = policies[row.to_numpy()]

    def cells(name: str, empty: float) -> Floats:
        return held[name].cast(pl.Float64).fill_null(empty).to_numpy()

    fill, service = cells("fill_rate", np.nan), cells("service_level", np.nan)
    aims = held["target"].fill_null(target).to_numpy().astype("U20")
    # A fill rate alone is a target of its own; where the row has both and names none, both are held.
    aims = np.where((aims == "") & ~np.isnan(fill) & np.isnan(service), "fill_rate", aims)
    unset = np.flatnonzero((aims == "fill_rate") & np.isnan(fill))
    if unset.size:
        name = items.row(int(unset[0]), named=True)
        raise InputRejected(
            f"policies: the target of SKU {name['sku']} at {name['warehouse']} is a fill rate, but the row has none"
        )
    service = np.where(np.isnan(service) & (aims != "fill_rate"), service_level, service)
    return Terms(
        lead=cells("lead_time_days", 0.0),
        lead_sd=cells("lead_time_sd_days", 0.0),
        review=cells("review_days", review_days),
        moq=cells("moq", 0.0),
        pack=cells("pack_size", 1.0),
        service=np.where(np.isin(aims, ("fill_rate",)), np.nan, service),
        fill=np.where(np.isin(aims, ("", "fill_rate")), fill, np.nan),
        holding_rate=cells("holding_rate", holding_rate),
        shortage=cells("shortage_cost", np.nan),
        order_cost=cells("order_cost", 0.0),
        storage=cells("storage_cost_m3_day", 0.0),
        policy=held["policy"].fill_null(policy).to_numpy().astype("U20"),
        lot=cells("lot_size", np.nan),
        target=np.where(aims == "", "service_level", aims),
        salvage=cells("salvage_rate", 0.0),
        freight=cells("freight_per_unit", 0.0),
        duty=cells("duty_rate", 0.0),
        wait=np.zeros(items.height),
    )


@dataclass(frozen=True)
class Stock:
    """What n items have and expect.

    free: on hand less reserved and backorders (negative = owed). listed: whether the inventory has a row. item, day, qty: one entry
    per delivery on its way, `day` counted from today, overdue ones moved to day 1. overdue: one flag per delivery.
    """

    on_hand: Floats
    free: Floats
    listed: NDArray[np.bool_]
    item: Rows
    day: NDArray[np.int64]
    qty: Floats
    overdue: NDArray[np.bool_]
    not_coming: int

    def coming(self, days: Floats) -> Floats:
        """Units that arrive within `days` (n) days."""
        counted = np.where(self.day <= days[self.item], self.qty, 0.0)
        return np.bincount(self.item, weights=counted, minlength=len(self.free)).astype(np.float64)

    def by_day(self, last: int, rows: slice = slice(None)) -> Floats:
        """Arrivals on the days 1..last, items of `rows` x last."""
        first, end, _ = rows.indices(len(self.free))
        keep = (self.item >= first) & (self.item < end) & (self.day <= last)
        out = np.zeros((end - first, last))
        np.add.at(out, (self.item[keep] - first, self.day[keep] - 1), self.qty[keep])
        return out


def stock(items: pl.DataFrame, inventory: pl.DataFrame, inbound: pl.DataFrame | None, clock: Clock) -> Stock:
    """Stock of the items, in their order. Items without an inventory row have none."""
    key = ["sku", "warehouse"]
    held = items.join(
        inventory.select(*key, "on_hand", "reserved", "backorders"), on=key, how="left", maintain_order="left"
    )
    on_hand = held["on_hand"].fill_null(0.0).to_numpy()
    none = np.zeros(0)
    item, day, qty, dropped = none.astype(np.intp), none.astype(np.int64), none, 0
    if inbound is not None:
        status = pl.col("status").str.strip_chars().str.to_lowercase().is_in(NOT_COMING)
        coming = inbound.filter(~status.fill_null(False))
        dropped = inbound.height - coming.height
        order = items.with_row_index("item")
        coming = coming.join(order, on=key, how="inner").sort("item", "arrival_date", "qty")
        item, qty = coming["item"].to_numpy().astype(np.intp), coming["qty"].to_numpy()
        day = clock.offset(coming["arrival_date"]).astype(np.int64)
    return Stock(
        on_hand,
        on_hand - held["reserved"].fill_null(0.0).to_numpy() - held["backorders"].fill_null(0.0).to_numpy(),
        held["on_hand"].is_not_null().to_numpy(),
        item,
        np.maximum(day, 1),
        qty,
        day <= 0,
        dropped,
    )
