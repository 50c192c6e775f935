"""What limits orders, and what follows from them over all SKUs."""

from __future__ import annotations

from cbec.core.contract import Column, Contract, optional

order_calendar = Contract(
    "order_calendar",
    "Days on which orders can be placed; the dates of the most specific rows (supplier and warehouse) hold.",
    (
        optional("supplier_id", "text", "empty = any", aliases=("供应商", "供应商编码")),
        optional("warehouse", "text", "empty = any", aliases=("仓库", "仓库编码", "warehouse_id")),
        Column("order_date", "date", aliases=("下单日期", "订货日")),
    ),
    key=("supplier_id", "warehouse", "order_date"),
)

firm_orders = Contract(
    "firm_orders",
    "Demand known for sure, such as orders of resellers: the policies wagner_whitin and silver_meal plan lots for it; with any other it is part of the forecast, and the least that stock has to hold.",
    (
        Column("sku", "text", aliases=("商品编码", "商品SKU", "SKU编码", "货号")),
        Column("warehouse", "text", aliases=("仓库", "仓库编码", "warehouse_id")),
        Column("due_date", "date", "day on which the goods must leave", aliases=("交货日期", "要求发货日期")),
        Column("qty", "float", unit="pieces", min=0, aliases=("数量",)),
    ),
    key=("sku", "warehouse", "due_date"),
)

containers = Contract(
    "containers",
    "Kinds of container (or truck, or pallet) that orders travel in.",
    (
        Column("container", "text", "name of the kind, such as 40HC", aliases=("柜型", "箱型")),
        Column("capacity_kg", "float", "what it may carry", unit="kg", above=0, aliases=("载重(kg)",)),
        Column("capacity_m3", "float", "what fits in", unit="m3", above=0, aliases=("容积(m3)",)),
        Column("cost", "float", "of one, door to door", min=0, aliases=("费用", "运费")),
        Column("currency", "currency", aliases=("币种",)),
        optional("warehouse", "text", "where it goes; empty = to any", aliases=("仓库", "目的仓")),
        Column("available", "int", "how many there are now; empty = as many as needed", required=False, null=True, min=0, aliases=("可用数量",)),
    ),
    key=("container", "warehouse"),
)

order_loads = Contract(
    "order_loads",
    "Containers that the orders need, per warehouse.",
    (
        Column("warehouse", "text"),
        Column("container", "text"),
        Column("count", "int", min=0),
        Column("load_kg", "float", "of all orders to the warehouse", unit="kg", min=0, digits=1),
        Column("load_m3", "float", "of all orders to the warehouse", unit="m3", min=0, digits=3),
        Column("fill_kg", "float", "load / capacity of all containers to the warehouse, 0..1", min=0, max=1, digits=4),
        Column("fill_m3", "float", "load / capacity of all containers to the warehouse, 0..1", min=0, max=1, digits=4),
        Column("cost", "float", "of these containers", null=True, digits=2),
        Column("currency", "currency", null=True),
    ),
    key=("warehouse", "container"),
)

stock_curve = Contract(
    "stock_curve",
    "What a service level costs: all items ordered up to that level, over lead time + review.",
    (
        Column("service_level", "float", min=0, max=1, digits=4),
        Column("safety_stock_value", "float", "safety stock at unit cost", digits=2),
        Column("order_value", "float", "orders of today at unit cost", digits=2),
        Column("expected_short", "float", "units", unit="pieces", digits=2),
        Column("holding", "float", digits=2),
        Column("shortage", "float", digits=2),
        Column("cost", "float", "holding + shortage + order cost", digits=2),
        Column("currency", "currency", null=True),
    ),
    key=("service_level",),
)

stock_record = Contract(
    "stock_record",
    "Replay of the stock from past origins with orders at several factors in the critical ratio.",
    (
        Column("origin", "text", "last day known (of hours: the first hour not known), or all"),
        Column("ratio_factor", "float", "how many times a unit short counts in the critical ratio", digits=4),
        Column("service_level", "float", "mean level that follows", digits=4),
        Column("holding", "float", digits=2),
        Column("shortage", "float", digits=2),
        Column("cost", "float", "holding + shortage", digits=2),
        Column("units_short", "float", unit="pieces", digits=2),
        Column("verdict", "text", "chosen = cheapest on the origins before (for origin all: on every origin, for orders of today); best afterwards; or nothing", null=True, default=""),
    ),
    key=("origin", "ratio_factor"),
)
