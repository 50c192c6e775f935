"""Stock, the terms on which it is replenished, the orders that follow, and stock that is too much."""

from __future__ import annotations

from cbec.core.contract import Column, Contract, optional
from cbec.tables.demand import _MARKET, _SKU, _SOLD_FOR, _WAREHOUSE

inventory = Contract(
    "inventory",
    "Stock on hand per SKU and warehouse.",
    (
        _SKU,
        _WAREHOUSE,
        Column("on_hand", "float", "what lies there and can be sold, with what is reserved", unit="pieces", aliases=("在库", "库存", "可用库存", "qty")),
        optional("reserved", "float", "of on_hand, promised to orders already; empty where on_hand is without it", unit="pieces", min=0, aliases=("预留", "占用")),
        optional("backorders", "float", "owed to customers who wait, beside what is reserved", unit="pieces", min=0, aliases=("缺货订单", "欠单")),
        optional("age_days", "float", "days since it arrived", unit="days", min=0, aliases=("库龄",)),
        optional("unit_cost", "float", "cost of one unit, where products tell none", min=0, aliases=("成本", "单位成本", "成本价", "采购价", "采购单价")),
        optional("currency", "currency", "of unit_cost", aliases=("币种", "货币")),
        optional("snapshot_date", "date", "day on which it was counted", aliases=("快照日期",)),
    ),
    key=("sku", "warehouse"),
    counted="snapshot_date",
)

inbound = Contract(
    "inbound",
    "Stock on its way.",
    (
        _SKU,
        _WAREHOUSE,
        Column("qty", "float", "units on their way", unit="pieces", min=0, aliases=("数量",)),
        Column("arrival_date", "date", "day on which they can be sold", aliases=("到货日期", "预计到货")),
        optional("status", "text", "what arrived or was cancelled by it does not count", aliases=("状态",)),
    ),
    key=("sku", "warehouse", "arrival_date", "status"),
)

coverage = Contract(
    "coverage",
    "Which warehouse serves which market, and what share of it.",
    (
        Column("market", "text", aliases=_MARKET.aliases),
        _WAREHOUSE,
        Column("share", "float", "part of the market's demand, 0..1", required=False, null=True, default=1.0, min=0, max=1, aliases=("比例",)),
    ),
    key=("market", "warehouse"),
)

POLICIES = ("RS", "sS", "RsS", "sQ", "wagner_whitin", "silver_meal")
TARGETS = ("service_level", "fill_rate", "cost_carry_over", "cost_single_period")

policies = Contract(
    "policies",
    "How stock is to be replenished; the most specific row holds (empty = any).",
    (
        optional("sku", "text", "of which item; empty = of any", aliases=_SKU.aliases),
        optional("warehouse", "text", "where; empty = anywhere", aliases=_WAREHOUSE.aliases),
        optional("supplier_id", "text", "of which supplier's items (supplier_id of products); empty = of any"),
        Column("lead_time_days", "float", "order to shelf", unit="days", min=0, aliases=("交期", "提前期")),
        optional("lead_time_sd_days", "float", "standard deviation of the lead time; empty = it is kept", unit="days", min=0),
        optional("review_days", "float", "days between two orders", unit="days", above=0),
        optional("moq", "float", "smallest order", unit="pieces", min=0, aliases=("起订量",)),
        optional("pack_size", "float", "orders are whole packs", unit="pieces", above=0, aliases=("装箱数",)),
        optional("service_level", "float", "chance of no stock-out in a cycle", min=0.5, max=0.999),
        optional("fill_rate", "float", "share of demand served from stock", min=0.5, max=0.999),
        optional("holding_rate", "float", "cost of holding, per year, as a share of unit cost", min=0),
        optional("shortage_cost", "float", "cost of a unit short", min=0),
        optional("order_cost", "float", "cost of placing an order", min=0),
        optional("policy", "text", "RS: review, order up to S. sS and sQ: order as soon as the position is at s, up to S or the lot Q. RsS: the same at reviews. wagner_whitin, silver_meal: lots for firm orders", one_of=POLICIES, aliases=("补货策略",)),
        optional("lot_size", "float", "the lot Q of sS, sQ and RsS; empty = economic order quantity", unit="pieces", above=0, aliases=("批量", "经济批量")),
        optional("target", "text", "what the level must hold: service_level, fill_rate, cost_carry_over (a unit left is held until the next order) or cost_single_period (it is sold off)", one_of=TARGETS, aliases=("目标",)),
        optional("salvage_rate", "float", "what a unit left over brings, as a share of unit cost, for cost_single_period", min=0, max=1, aliases=("残值率",)),
        optional("freight_per_unit", "float", "freight of a unit to this warehouse, in the home currency, on top of unit cost", min=0, aliases=("单位运费",)),
        optional("duty_rate", "float", "duty as a share of unit cost, on top of it", min=0, aliases=("关税率",)),
        optional("storage_cost_m3_day", "float", "cost of storing 1 m3 for a day, beside the holding rate", min=0, aliases=("仓储费(每立方米每天)",)),
    ),
    key=("sku", "warehouse", "supplier_id"),
)

replenishment = Contract(
    "replenishment",
    "What to order, when, and what it costs beside the runner-up.",
    (
        _SKU,
        _WAREHOUSE,
        Column("order_qty", "float", "units to order, in whole packs; 0 = none", unit="pieces", min=0, digits=2),
        Column("order_date", "date", "day to order; empty without an order", null=True),
        Column("arrival_date", "date", "day on which the order is on the shelf: order_date + lead time", null=True),
        Column("reorder_point", "float", "sS, sQ, RsS: the position at which to order; RS: the stock that lasts over the lead time at the same target, for watching", unit="pieces", digits=2),
        Column("order_up_to", "float", "the level S: stock that holds the target over lead time + review; reorder point + lot of sS, sQ, RsS", unit="pieces", digits=2),
        Column("safety_stock", "float", "order-up-to level (reorder point of sS, sQ, RsS) less mean demand of the protection interval", unit="pieces", digits=2),
        Column("position", "float", "on hand - reserved - backorders + on order", unit="pieces", digits=2),
        Column("stockout_date", "date", "first day on which mean demand empties the shelf without this order", null=True),
        Column("p_stockout", "float", "chance of a stock-out before this order could arrive", min=0, max=1, digits=4),
        Column("cost", "float", "expected holding + shortage + order cost over the protection interval; empty where no unit cost is known", null=True, digits=2),
        Column("currency", "currency", "of cost and runner_up_cost", null=True),
        Column("runner_up", "text", "the alternative: seller_formula, no_order, uncut_order (what no limit would have cut) or lot_for_lot", null=True),
        Column("runner_up_cost", "float", "the alternative's cost, reckoned as `cost` is", null=True, digits=2),
        Column("reason_code", "text", "why, as a code that stays the same in every language"),
        Column("reason", "text", "why, in words and numbers"),
        Column("wanted_qty", "float", "the order that the policy asks for before budget and containers", required=False, null=True, unit="pieces", min=0, digits=2),
    ),
    key=("sku", "warehouse"),
)

projection = Contract(
    "projection",
    "Stock by day with and without the proposed order.",
    (
        _SKU,
        _WAREHOUSE,
        Column("date", "date", "the day, of --projection-days or lead time + review, whichever is longer"),
        Column("demand_mean", "float", "mean demand of the day", unit="pieces", digits=4),
        Column("arrivals", "float", "inbound and the proposed order", unit="pieces", digits=4),
        Column("stock_mean", "float", "expected stock at the end of the day with the order", unit="pieces", digits=4),
        Column("stock_low", "float", "stock if demand so far runs at its q95", unit="pieces", digits=4),
        Column("stock_without_order", "float", "expected stock at the end of the day if nothing is ordered", unit="pieces", digits=4),
        Column("p_stockout", "float", "chance that stock with the order is gone by the end of the day", min=0, max=1, digits=4),
    ),
    key=("sku", "warehouse", "date"),
)

prices = Contract(
    "prices",
    "Selling prices; the last row on or before the day of the decision holds, a row without a market where no other does.",
    (
        _SKU,
        Column("market", "text", "where it sells; empty = everywhere", required=False, null=True, default="*", aliases=_MARKET.aliases),
        optional("date", "date", "first day of the price", aliases=("日期", "生效日期", "valid_from")),
        Column("price", "float", "price per unit", above=0, aliases=("单价", "价格", "unit_price", *_SOLD_FOR)),
        optional("currency", "currency", "empty = the home currency", aliases=("币种", "货币")),
    ),
    key=("sku", "market", "date"),
    time="date",
)

ACTIONS = ("keep", "markdown", "markdown_later", "transfer", "liquidate", "write_off", "unknown")

clearance = Contract(
    "clearance",
    "Stock that is more than needed, and what to do with it: each way with its cost until the sell-by day, the cheapest first.",
    (
        _SKU,
        _WAREHOUSE,
        Column("on_hand", "float", "less what is reserved", unit="pieces", digits=2),
        Column("excess_units", "float", "position over the quantile of demand of the cover horizon, at most what is here; empty without a forecast", unit="pieces", null=True, min=0, digits=2),
        Column("months_of_cover", "float", "position / expected demand of a month; empty where none is expected", unit="months", null=True, min=0, digits=2),
        Column("age_band", "text", "days since arrival, or unknown"),
        Column("action", "text", one_of=ACTIONS),
        Column("action_units", "float", "units moved, sold off or destroyed now; a markdown is of all", unit="pieces", null=True, min=0, digits=2),
        Column("destination", "text", "of a transfer", null=True),
        Column("discount_pct", "float", "off the regular price from today", unit="%", null=True, min=0, max=100, digits=1),
        Column("price", "float", "from today, in `currency`", null=True, min=0, digits=2),
        Column("expected_units", "float", "of the stock of today, sold until the sell-by day", unit="pieces", null=True, min=0, digits=2),
        Column("sell_through_date", "date", "day by which the stock is as likely gone as not; empty where that is after the sell-by day", null=True),
        Column("p_sell_through", "float", "chance that it is sold out by the sell-by day", null=True, min=0, max=1, digits=4),
        Column("excess_value", "float", "excess at unit cost", null=True, min=0, digits=2),
        Column("recovered", "float", "what the excess brings, less what the rest of the stock loses by the action, at today's value", null=True, digits=2),
        Column("storage", "float", "storage and disposal of the excess until the sell-by day", null=True, digits=2),
        Column("cost", "float", "excess_value - recovered + storage: what the excess costs (negative = it earns)", null=True, digits=2),
        Column("currency", "currency", null=True),
        Column("runner_up", "text", "the next cheapest way", null=True),
        Column("runner_up_cost", "float", null=True, digits=2),
        Column("cost_keep", "float", "at the regular price, as today", null=True, digits=2),
        Column("cost_markdown", "float", "on the best path of discounts", null=True, digits=2),
        Column("cost_transfer", "float", "to the warehouse that needs it; empty without a lane or a need", null=True, digits=2),
        Column("cost_liquidate", "float", "sold off or returned at the setting `recovery`", null=True, digits=2),
        Column("cost_write_off", "float", "destroyed now", null=True, digits=2),
        Column("elasticity", "float", "change of demand in % per 1 % of price", null=True, digits=3),
        Column("elasticity_low", "float", "5 % quantile", null=True, digits=3),
        Column("elasticity_high", "float", "95 % quantile", null=True, digits=3),
        Column("elasticity_basis", "text", "own sales; those of its category; of the whole catalogue; default = a setting, no data", null=True, one_of=("own", "category", "catalogue", "default")),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("sku", "warehouse"),
)

clearance_path = Contract(
    "clearance_path",
    "Planned prices of items with excess stock, and the stock that follows, beside that at the regular price.",
    (
        _SKU,
        _WAREHOUSE,
        Column("stage", "int", min=1),
        Column("date", "date", "first day of the stage"),
        Column("until", "date", "its last day"),
        Column("discount_pct", "float", unit="%", min=0, max=100, digits=1),
        Column("price", "float", min=0, digits=2),
        Column("currency", "currency", null=True),
        Column("expected_units", "float", "sold in the stage", unit="pieces", min=0, digits=2),
        Column("stock", "float", "expected at its end", unit="pieces", min=0, digits=2),
        Column("stock_keep", "float", "expected at its end at the regular price", unit="pieces", min=0, digits=2),
    ),
    key=("sku", "warehouse", "stage"),
)
