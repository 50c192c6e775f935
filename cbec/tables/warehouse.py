"""Bins and what lies in them, moves, walks, lanes between warehouses and what travels on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbec.core.contract import Column, Contract, Rule, optional
from cbec.tables.demand import _SKU, _WAREHOUSE

if TYPE_CHECKING:
    import polars as pl

_OF = optional("warehouse", "text", "where the bin is, if the table tells of several warehouses", aliases=_WAREHOUSE.aliases)
_BIN = Column("bin", "text", "place inside a warehouse, verbatim", aliases=("库位", "货位", "储位", "location", "location_id", "bin_code"))
_FROM = Column("from_warehouse", "text", "where it leaves: UN/LOCODE or your own code", aliases=("调出仓库", "发出仓库", "from", "source"))
_TO = Column("to_warehouse", "text", "where it arrives", aliases=("调入仓库", "目的仓库", "to", "destination"))


def _nowhere() -> pl.Expr:
    import polars as pl

    return pl.col("from_warehouse") == pl.col("to_warehouse")


bins = Contract(
    "bins",
    "The places of a warehouse. x and y (metres) let walks be told; without them each bin is a trip of its own.",
    (
        _BIN,
        _OF,
        Column("distance_m", "float", "way from the dock to the bin", unit="m", min=0, aliases=("距离", "距离(m)", "distance")),
        optional("capacity_units", "float", "pieces that fit", unit="pieces", above=0, aliases=("容量", "可存件数")),
        optional("capacity_m3", "float", "room", unit="m3", above=0, aliases=("容积", "体积(m3)", "volume_m3")),
        optional("max_kg", "float", "load the bin bears", unit="kg", above=0, aliases=("承重", "承重(kg)", "max_weight_kg")),
        optional("aisle", "text", "bins of one aisle are reached from the same way", aliases=("巷道", "通道")),
        optional("x", "float", "across the aisles", unit="m", aliases=("x_m",)),
        optional("y", "float", "along the aisle", unit="m", aliases=("y_m", "position_m")),
        optional("zone", "text", "part that some goods need (cold, hazardous, heavy); an SKU stays in its zone", aliases=("库区", "区域")),
    ),
    key=("warehouse", "bin"),
)

slots = Contract(
    "slots",
    "What lies where today. An SKU in several bins is picked from the nearest.",
    (_SKU, _BIN, _OF),
    key=("warehouse", "sku", "bin"),
)

slotting = Contract(
    "slotting",
    "Which SKU lies in which bin after the moves (without slots today: the plan from scratch).",
    (
        _SKU,
        Column("bin", "text", "empty where no bin is left that may hold it", null=True),
        _OF,
        Column("class", "text", "A: the SKUs of the first 80 % of picks, B: up to 95 %, C: the rest", one_of=("A", "B", "C")),
        Column("picks", "int", "order lines", min=0),
        Column("share", "float", "of all picks", min=0, max=1, digits=6),
        optional("variability", "text", "X, Y, Z by the variation of weekly picks (under 0.5, under 1, over); empty for fewer than 8 weeks", one_of=("X", "Y", "Z")),
        optional("cpo", "float", "cube-per-order index: room of the stock held in the bin per pick a day; empty without volume or picks", unit="m3", min=0, digits=6),
        optional("distance_m", "float", "way from the dock", unit="m", digits=2),
        optional("from_bin", "text", "where it lies today"),
        optional("from_distance_m", "float", "way from the dock today", unit="m", digits=2),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("warehouse", "sku"),
)

moves = Contract(
    "moves",
    "What to carry where, in an order in which every place is free when it is needed.",
    (
        Column("seq", "int", "order of doing", min=1),
        _OF,
        Column("swap", "int", "moves of one number belong together: all of them or none", min=1),
        _SKU,
        Column("from_bin", "text"),
        Column("to_bin", "text"),
        Column("metres", "float", "walking saved over the days that the slotting holds, told at the SKU that leads its swap", unit="m", digits=1),
        Column("minutes_saved", "float", "the same at walking speed", unit="min", digits=2),
        Column("minutes", "float", "time of carrying it", unit="min", digits=2),
        Column("saving", "float", "money of minutes_saved; empty without a wage", null=True, digits=2),
        Column("cost", "float", "money of minutes; empty without a wage", null=True, digits=2),
        Column("currency", "currency", null=True),
    ),
    key=("warehouse", "seq"),
)

pick_evaluation = Contract(
    "pick_evaluation",
    "How far pickers walk, by way of walking: one tour per order.",
    (
        _OF,
        Column("policy", "text", "shortest, s-shape, return, or trips (a trip per bin, where the layout is not known)"),
        Column("orders", "int"),
        Column("lines", "int", "picks: different bins of an order"),
        Column("metres", "float", "all tours together", unit="m", digits=1),
        Column("metres_per_order", "float", unit="m", digits=3),
        Column("metres_per_line", "float", unit="m", digits=3),
        Column("minutes_per_order", "float", "walking alone", unit="min", digits=3),
        Column("gap_pct", "float", "longer than the shortest tours", unit="%", null=True, digits=2),
    ),
    key=("warehouse", "policy"),
)

transfer_lanes = Contract(
    "transfer_lanes",
    "Ways between two warehouses and what a trip costs.",
    (
        _FROM,
        _TO,
        Column("transit_days", "float", "door to shelf", unit="days", min=0, aliases=("在途天数", "时效", "lead_time_days")),
        optional("cost_per_unit", "float", "per piece, handling at both ends included", min=0, aliases=("单件费用",)),
        optional("cost_per_kg", "float", "freight per kg", min=0, aliases=("每公斤费用",)),
        optional("cost_fixed", "float", "per trip, however full", min=0, aliases=("固定费用", "每趟费用", "fixed_cost_trip")),
        optional("capacity_m3", "float", "room of a trip; empty = one trip holds all", unit="m3", above=0, aliases=("装载体积", "truck_m3")),
        optional("currency", "currency", "of the costs; empty = the home currency", aliases=("币种",)),
        optional("customs", "bool", "crosses a customs border", aliases=("报关",)),
    ),
    key=("from_warehouse", "to_warehouse", "transit_days"),
    rules=(Rule("to_itself", "a lane leads from a warehouse to itself", ("from_warehouse", "to_warehouse"), _nowhere, "to_warehouse"),),
)

stock_transfers = Contract(
    "stock_transfers",
    "Stock to move between warehouses, with what it costs and what it saves.",
    (
        _SKU,
        _FROM,
        _TO,
        Column("trip", "text", "lane and number of the trip"),
        Column("qty", "int", unit="pieces", min=1),
        Column("ship_date", "date"),
        Column("arrival_date", "date"),
        Column("cost", "float", "freight, handling, capital on the way, and a share of its trips by what the lot saves after that", digits=2),
        Column("benefit", "float", "expected cost of shortage and of stock if this lot stayed, less that with it; lots of one SKU help one another, so that they need not add up", digits=2),
        Column("currency", "currency", null=True),
        Column("short_before", "float", "units expected short where it arrives, without transfers", unit="pieces", digits=2),
        Column("short_after", "float", "the same with all transfers", unit="pieces", digits=2),
        Column("left_before", "float", "units expected left where it leaves at the end of the days looked at, without transfers", unit="pieces", digits=2),
        Column("runner_up", "text", "the next best for this lot: the other warehouse to take it from, or stay"),
        Column("runner_up_net", "float", "benefit less cost of the runner-up; stay = 0", digits=2),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("sku", "from_warehouse", "to_warehouse", "trip"),
)
