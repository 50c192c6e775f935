"""Supply: purchase orders and receipts, what suppliers' records say, and the alerts of monitors."""

from __future__ import annotations

import dataclasses

from cbec.core.contract import Column, Contract, optional
from cbec.tables import stock

_PO = Column("po_id", "text", "purchase order", aliases=("采购单号", "采购订单号", "采购订单", "po_number", "po_no", "purchase_order"))
_LINE = Column("line", "text", "line within the order", required=False, null=True, default="1", aliases=("行号", "采购行号", "line_no", "line_number"))
_SUPPLIER = Column("supplier_id", "text", aliases=("供应商", "供应商编码", "供应商代码", "supplier", "vendor", "vendor_id"))
_SKU_WORDS = ("商品编码", "货号", "seller_sku", "msku", "item", "item_code")
_WAREHOUSE_WORDS = ("仓库", "仓库编码", "收货仓库", "warehouse_id", "destination")

purchase_orders = Contract(
    "purchase_orders",
    "What was ordered of suppliers, one row per line of an order.",
    (
        _PO,
        _LINE,
        _SUPPLIER,
        Column("sku", "text", aliases=_SKU_WORDS),
        optional("warehouse", "text", "where it is to be delivered", aliases=_WAREHOUSE_WORDS),
        Column("order_date", "date", aliases=("下单日期", "采购日期", "po_date", "ordered_at")),
        optional("promised_date", "date", "day of delivery that was agreed with the order", aliases=("承诺交期", "约定交期", "预计到货日期", "due_date", "need_by_date")),
        optional("revised_date", "date", "day that the supplier named later instead", aliases=("变更交期", "修改交期", "confirmed_date")),
        Column("qty", "float", "pieces ordered", unit="pieces", above=0, aliases=("数量", "采购数量", "订购数量", "qty_ordered", "quantity")),
        optional("price", "float", "price per unit", min=0, aliases=("单价", "采购单价", "采购价", "unit_price")),
        optional("currency", "currency", "of price", aliases=("币种", "货币")),
        optional("status", "text", "closed, cancelled, ...: whether more is to come", aliases=("状态", "订单状态")),
    ),
    key=("po_id", "line", "sku"),
    time="order_date",
)

receipts = Contract(
    "receipts",
    "Deliveries of purchase orders as they were received; several per line where it came in parts.",
    (
        _PO,
        _LINE,
        optional("receipt_id", "text", "tells two receipts of one day apart", aliases=("入库单号", "收货单号", "grn")),
        Column("receipt_date", "date", aliases=("收货日期", "入库日期", "到货日期", "received_at")),
        Column("qty", "float", "pieces received, rejected ones included", unit="pieces", min=0, aliases=("数量", "收货数量", "入库数量", "qty_received", "quantity")),
        optional("inspected", "float", "pieces inspected; empty with `rejected` told = all of them, empty without = none", unit="pieces", min=0, aliases=("质检数量", "检验数量", "qty_inspected")),
        optional("rejected", "float", "pieces that failed inspection", unit="pieces", min=0, aliases=("不良数量", "不合格数量", "qty_rejected")),
        optional("sku", "text", "needed where a purchase order has no line numbers, and by monitor stock", aliases=_SKU_WORDS),
        optional("warehouse", "text", "where it was received; needed by monitor stock", aliases=_WAREHOUSE_WORDS),
    ),
    key=("po_id", "line", "sku", "receipt_date", "receipt_id"),
    time="receipt_date",
)

suppliers = Contract(
    "suppliers",
    "The supplier master.",
    (
        _SUPPLIER,
        optional("name", "text", aliases=("供应商名称", "supplier_name", "vendor_name")),
        optional("country", "country", aliases=("国家", "所在国")),
        optional("lead_time_days", "float", "agreed time from order to delivery: the promise of orders that carry none", unit="days", min=0, aliases=("交期", "约定交货天数")),
    ),
    key=("supplier_id",),
)

_SHARES = tuple(
    column
    for name, told in (
        ("otif", "share of due lines that came on time and in full"),
        ("on_time", "share of due lines of which what came was there in time"),
        ("in_full", "share of due and settled lines that came in full"),
    )
    for column in (
        Column(name, "float", told, null=True, min=0, max=1, digits=4),
        Column(f"{name}_low", "float", "lower end of its interval", null=True, min=0, max=1, digits=4),
        Column(f"{name}_high", "float", "upper end of its interval", null=True, min=0, max=1, digits=4),
    )
)

supplier_score = Contract(
    "supplier_score",
    "How each supplier kept its word, what that cost, and its rank with how far the rank depends on the weights.",
    (
        _SUPPLIER,
        optional("name", "text"),
        Column("rank", "int", "1 = best; empty where too few lines are due", null=True, min=1),
        Column("rank_best", "int", "best rank while every weight moves within its band", null=True, min=1),
        Column("rank_worst", "int", "worst rank while every weight moves within its band", null=True, min=1),
        Column("score", "float", "0..100, weighted mean of the known criteria on fixed scales", null=True, min=0, max=100, digits=2),
        Column("score_otif", "float", "0..100", null=True, min=0, max=100, digits=2),
        Column("score_lead_time", "float", "0..100, steadiness of the lead time (around the promise, where there is one)", null=True, min=0, max=100, digits=2),
        Column("score_quality", "float", "0..100; empty = nothing was inspected", null=True, min=0, max=100, digits=2),
        Column("score_price", "float", "0..100; empty = no SKU was bought in both halves", null=True, min=0, max=100, digits=2),
        Column("orders", "int", "purchase orders in the window"),
        Column("lines", "int", "their lines, cancelled ones left out"),
        Column("due", "int", "lines whose day has come: they are judged"),
        Column("open", "int", "lines that are not due yet or carry no promise: not judged"),
        Column("overdue", "int", "due lines of which more is awaited"),
        *_SHARES,
        Column("otif_shrunk", "float", "otif drawn to the mean of all suppliers as far as few lines tell little", null=True, min=0, max=1, digits=4),
        Column("otif_revised", "float", "otif against the dates that the supplier named later", null=True, min=0, max=1, digits=4),
        Column("revised", "float", "share of due lines whose day was moved back", null=True, min=0, max=1, digits=4),
        Column("units_on_time", "float", "share of the due units that were there in time", null=True, min=0, max=1, digits=4),
        Column("late_days", "float", "mean days late of the late lines (awaited ones: so far)", null=True, unit="days", min=0, digits=2),
        Column("early_days", "float", "mean days early of the early lines", null=True, unit="days", min=0, digits=2),
        Column("lead_time_days", "float", "order to receipt in full, mean; drawn to all suppliers as far as few orders tell little", null=True, unit="days", min=0, digits=2),
        Column("lead_time_sd_days", "float", null=True, unit="days", min=0, digits=2),
        Column("lead_time_cv", "float", "standard deviation / mean", null=True, min=0, digits=4),
        Column("promise_sd_days", "float", "standard deviation of the days between promise and receipt in full, drawn likewise", null=True, unit="days", min=0, digits=2),
        Column("lead_time_p90_days", "float", "nine of ten came within", null=True, unit="days", min=0, digits=2),
        Column("inspected", "float", "pieces inspected", unit="pieces", min=0, digits=2),
        Column("defect_ppm", "float", "rejected per million inspected", null=True, min=0, digits=1),
        Column("defect_ppm_low", "float", null=True, min=0, digits=1),
        Column("defect_ppm_high", "float", null=True, min=0, digits=1),
        Column("price_spread_pct", "float", "mean distance of prices from the supplier's own median of the SKU, by spend", null=True, unit="%", min=0, digits=2),
        Column("price_drift_pct", "float", "change of prices per year, same SKUs, last half against first half", null=True, unit="%", digits=2),
        Column("spend", "float", "ordered in the window; empty where prices are not told", null=True, min=0, digits=2),
        Column("currency", "currency", "of all money", null=True),
        Column("otif_first", "float", "otif of the first half of the window", null=True, min=0, max=1, digits=4),
        Column("otif_last", "float", "otif of the last half", null=True, min=0, max=1, digits=4),
        Column("trend", "text", "better or worse where the change is beyond chance, else steady; unknown = too few lines", one_of=("better", "worse", "steady", "unknown")),
        Column("late_cost", "float", "of late units, as the setting prices a day", null=True, min=0, digits=2),
        Column("short_cost", "float", "of units that never came, at the policies' shortage cost", null=True, min=0, digits=2),
        Column("defect_cost", "float", "of rejected units, as the setting prices them", null=True, min=0, digits=2),
        Column("early_cost", "float", "of holding what came early, at the policies' holding rate", null=True, min=0, digits=2),
        Column("buffer_cost", "float", "of holding the safety stock that the spread of the lead time (around the promise, where there is one) asks for", null=True, min=0, digits=2),
        Column("price_cost", "float", "paid in the last half above the first half's median prices (negative = below)", null=True, digits=2),
        Column("cost", "float", "all of these, as far as they are told", null=True, digits=2),
        Column("flags", "text", "what stands out, sorted, joined by |", null=True, default=""),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("supplier_id",),
)

lead_times = Contract(
    "lead_times",
    "Time from order to receipt in full as it was; a row without warehouse holds for all of them together.",
    (
        _SUPPLIER,
        optional("warehouse", "text"),
        Column("lead_time_days", "float", "mean, drawn to all suppliers of the warehouse as far as few orders tell little", unit="days", min=0, digits=2),
        Column("lead_time_sd_days", "float", "standard deviation, drawn likewise", unit="days", min=0, digits=2),
        Column("n", "int", "lines that came"),
        Column("awaited", "int", "lines that are still on their way: known to last longer than until today"),
        Column("p90_days", "float", "nine of ten came within", unit="days", min=0, digits=2),
        Column("measured_days", "float", "mean before it is drawn to the others", unit="days", min=0, digits=2),
        Column("agreed_days", "float", "mean of what was promised", unit="days", null=True, digits=2),
        Column("policy_days", "float", "lead time of the policy row that holds today", unit="days", null=True, digits=2),
        Column("promise_sd_days", "float", "standard deviation around the promise", null=True, unit="days", min=0, digits=2),
        Column("basis", "text", "as_asked: lead times follow the promised days, so they tell what was asked for, not what it takes; all: the whole window; last_half: the record changed, the last half holds", one_of=("all", "last_half", "as_asked")),
    ),
    key=("supplier_id", "warehouse"),
)

policies_update = dataclasses.replace(
    stock.policies,
    name="policies_update",
    description="The policies with lead times as they were measured (supplier score) or as the ways chosen need (route leadtimes); give it to the next replenish as --policies.",
)

previous_inventory = dataclasses.replace(
    stock.inventory, name="previous_inventory", description="Stock on hand at an earlier day: what the stock of today is held against."
)

alerts = Contract(
    "alerts",
    "What a monitor saw that a person should look into.",
    (
        Column("alert_id", "text", "rule and what it is about: the same from night to night"),
        Column("severity", "text", one_of=("info", "warn", "high")),
        Column("rule", "text"),
        Column("entity", "text", "what it is about, e.g. SKU@WAREHOUSE"),
        optional("sku", "text"),
        optional("warehouse", "text"),
        Column("observed", "float", "what was measured", null=True, digits=2),
        Column("expected", "float", "what it should be, or the limit that it broke", null=True, digits=2),
        Column("unit", "text", "of both", null=True),
        Column("money", "float", "at stake", null=True, digits=2),
        Column("currency", "currency", null=True),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("alert_id",),
)

stock_balance = Contract(
    "stock_balance",
    "Stock as it should be (earlier stock + receipts - sales) beside stock as counted.",
    (
        Column("sku", "text"),
        Column("warehouse", "text"),
        Column("previous", "float", "on hand in the earlier table; 0 where it has no row", unit="pieces", digits=2),
        Column("received", "float", "between the two days; empty without receipts", unit="pieces", null=True, digits=2),
        Column("sold", "float", "net of returns; empty without sales", unit="pieces", null=True, digits=2),
        Column("expected", "float", unit="pieces", digits=2),
        Column("counted", "float", "on hand; 0 where it has no row", unit="pieces", digits=2),
        Column("difference", "float", "counted - expected", unit="pieces", digits=2),
        Column("tolerance", "float", "what bookings at the edge of a day can explain", unit="pieces", digits=2),
        Column("value", "float", "of the difference", null=True, digits=2),
        Column("currency", "currency", null=True),
        Column("verdict", "text", one_of=("agrees", "missing", "surplus", "elsewhere")),
    ),
    key=("sku", "warehouse"),
)

stock_ageing = Contract(
    "stock_ageing",
    "Stock by how long it has been lying.",
    (
        Column("warehouse", "text"),
        Column("band", "text", "days", one_of=("0-90", "91-180", "181-270", "271-365", "366+", "unknown")),
        Column("skus", "int"),
        Column("units", "float", unit="pieces", digits=2),
        Column("value", "float", "at unit cost; what has none is not in it", digits=2, null=True),
        Column("currency", "currency", null=True),
    ),
    key=("warehouse", "band"),
)
