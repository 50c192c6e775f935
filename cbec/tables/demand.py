"""Demand, stock and orders."""

from __future__ import annotations

from cbec.core.contract import Column, Contract, optional

QUANTILES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95", "q99")
LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)

_SKU = Column("sku", "text", "stock keeping unit, verbatim", aliases=("商品编码", "商品SKU", "SKU编码", "货号", "stockcode", "product_code", "seller_sku", "msku"))
_WAREHOUSE = Column("warehouse", "text", "where it lies: UN/LOCODE or your own code", aliases=("仓库", "仓库编码", "warehouse_id"))
_MARKET = Column("market", "text", "where it sells: a country code or your own", null=True, default="*", aliases=("国家", "目的国", "市场", "站点", "country", "marketplace"))

sales = Contract(
    "sales",
    "Units sold per day (or finer) and series, net of nothing: returns are rows of negative units or are left out.",
    (
        Column("date", "moment", "day or time of sale", aliases=("日期", "下单日期", "下单时间", "订单日期", "ds", "order_date", "day")),
        _SKU,
        Column("market", "text", "where it sells", required=False, null=True, default="*", aliases=_MARKET.aliases),
        optional("warehouse", "text", "where it shipped from", aliases=_WAREHOUSE.aliases),
        optional("channel", "text", "shop or marketplace", aliases=("渠道", "平台")),
        Column("units", "float", "units; negative = returned", unit="pieces", aliases=("数量", "销量", "件数", "qty", "quantity", "y")),
        optional("price", "float", "price per unit paid", min=0, aliases=("单价", "价格", "unit_price")),
        optional("currency", "currency", "currency of price", aliases=("币种", "货币")),
        optional("promo", "bool", "on promotion that day", aliases=("促销", "活动")),
        optional("in_stock", "bool", "false = could not be bought, so units say nothing of demand", aliases=("有货", "在库")),
    ),
    key=("date", "sku", "market", "warehouse", "channel"),
    time="date",
)

products = Contract(
    "products",
    "The item master.",
    (
        _SKU,
        optional("name", "text", aliases=("商品名称", "品名", "title")),
        optional("category", "text", aliases=("类目", "品类")),
        optional("brand", "text", aliases=("品牌",)),
        optional("weight_kg", "float", unit="kg", min=0, aliases=("重量(kg)", "重量", "单重")),
        optional("length_cm", "float", unit="cm", min=0, aliases=("长(cm)", "长")),
        optional("width_cm", "float", unit="cm", min=0, aliases=("宽(cm)", "宽")),
        optional("height_cm", "float", unit="cm", min=0, aliases=("高(cm)", "高")),
        optional("unit_cost", "float", "cost of one unit at your door", min=0, aliases=("成本", "采购价", "单位成本")),
        optional("currency", "currency", "currency of unit_cost and price", aliases=("币种",)),
        optional("price", "float", "selling price per unit", min=0, aliases=("售价",)),
        optional("hs_code", "text", "customs code, verbatim", aliases=("HS编码", "海关编码")),
        optional("origin", "country", "country of origin", aliases=("原产国", "原产地")),
        optional("supplier_id", "text", aliases=("供应商", "供应商编码")),
        optional("launch_date", "date", aliases=("上架日期",)),
        optional("description", "text", aliases=("描述",)),
        optional("image", "text", aliases=("图片",)),
    ),
    key=("sku",),
)

_FIGURES = (
    Column("mean", "float", "expected units of the period", unit="pieces", min=0, digits=4),
    *(Column(q, "float", f"quantile {level:g} of the period's units", unit="pieces", min=0, digits=4) for q, level in zip(QUANTILES, LEVELS, strict=True)),
    Column("cum_mean", "float", "expected units of periods 1..h together", unit="pieces", min=0, digits=4),
    *(Column(f"cum_{q}", "float", f"quantile {level:g} of the units of periods 1..h together", unit="pieces", min=0, digits=4) for q, level in zip(QUANTILES, LEVELS, strict=True)),
)

forecast = Contract(
    "forecast",
    "Demand per series and period as a distribution. Quantiles do not add: the cum_ columns hold the total of periods 1..h.",
    (
        _SKU,
        _MARKET,
        optional("warehouse", "text"),
        optional("channel", "text"),
        Column("as_of", "date", "last day known to the forecast"),
        Column("frequency", "text", "H, D, W, M, Q or Y", one_of=("H", "D", "W", "M", "Q", "Y")),
        Column("date", "moment", "first day of the period; weeks begin on Monday"),
        Column("h", "int", "periods ahead", min=1),
        *_FIGURES,
        Column("naive", "float", "the seasonal naive method's units of the period", unit="pieces", min=0, digits=4, required=False, null=True),
        Column("seller_formula", "float", "0.2 x 30-day + 0.3 x 15-day + 0.5 x 7-day mean, per period", unit="pieces", min=0, digits=4, required=False, null=True),
        Column("model", "text", "method chosen for the series"),
        Column("flags", "text", "what preparation did, sorted, joined by |", null=True, default=""),
    ),
    key=("sku", "market", "warehouse", "channel", "h"),
    time="as_of",
    dynamic_key=True,
)

forecast_levels = Contract(
    "forecast_levels",
    "Demand of sums of series as a distribution. Means are the sums of the series' means; quantiles come from joint draws of the series.",
    (
        Column("level", "text", "total, or the columns that a node has in common, joined by +"),
        Column("node", "text", "their values, joined by ' + '"),
        Column("series", "int", "series under the node", min=1),
        Column("as_of", "date", "last day known to the forecast"),
        Column("frequency", "text", "H, D, W, M, Q or Y", one_of=("H", "D", "W", "M", "Q", "Y")),
        Column("date", "moment", "first day of the period; weeks begin on Monday"),
        Column("h", "int", "periods ahead", min=1),
        *_FIGURES,
        Column("model", "text", "bottom_up: sums of the series; mint: reconciled by least squares", one_of=("bottom_up", "mint")),
    ),
    key=("level", "node", "h"),
    time="as_of",
)

explained = Contract(
    "explained",
    "How the forecast of one series came about: every method from today and from past origins.",
    (
        _SKU,
        _MARKET,
        optional("warehouse", "text"),
        optional("channel", "text"),
        Column("method", "text", "a method; forecast = what is told, or would have been at the origin"),
        Column("origin", "moment", "last period known to it"),
        Column("h", "int", "periods ahead", min=1),
        Column("date", "moment", "first day of the period"),
        Column("weight", "float", "of the method in the forecast", min=0, max=1, digits=4),
        Column("forecast", "float", unit="pieces", null=True, digits=4),
        Column("actual", "float", "what came; empty = not known, or masked", unit="pieces", null=True, digits=4),
    ),
    key=("sku", "market", "warehouse", "channel", "method", "origin", "h"),
    dynamic_key=True,
)

analogues = Contract(
    "analogues",
    "Series that are new, and the launches before them that their forecast stands on.",
    (
        _SKU,
        _MARKET,
        optional("warehouse", "text"),
        optional("channel", "text"),
        Column("chosen_by", "text", "named (by hand), or what the analogues have in common with it"),
        Column("analogues", "text", "series they are, the first 20, sorted, joined by |"),
        Column("count", "int", "how many", min=1),
        Column("periods", "int", "known periods of its own since the launch", min=0),
        Column("own_level", "float", "its own mean, without the catalogue's ups and downs", unit="pieces per period", null=True, digits=4),
        Column("analogue_level", "float", "mean of the analogues over the same ages", unit="pieces per period", digits=4),
        Column("level", "float", "between the two, as far as its own sales tell: what is forecast, without ups and downs and the course of the launch", unit="pieces per period", digits=4),
        Column("starts_in", "int", "periods until it is launched", min=0),
    ),
    key=("sku", "market", "warehouse", "channel"),
    dynamic_key=True,
)

level_record = Contract(
    "level_record",
    "How near each way of forecasting a level was at the past origins.",
    (
        Column("level", "text", "series: the series themselves"),
        Column("method", "text", "own: the level's own forecast, which does not add up", one_of=("bottom_up", "own", "mint")),
        Column("nodes", "int", "of the level", min=1),
        Column("wape", "float", "absolute errors over demand", null=True, min=0, digits=4),
        Column("bias", "float", "errors over demand", null=True, digits=4),
        Column("rmse", "float", "root mean squared error", min=0, unit="pieces", digits=4),
    ),
    key=("level", "method"),
)

model_record = Contract(
    "model_record",
    "Per series: which method was chosen, on which record, beside the naive methods.",
    (
        _SKU,
        _MARKET,
        optional("warehouse", "text"),
        optional("channel", "text"),
        Column("demand_class", "text", "smooth, erratic, intermittent, lumpy, new, obsolete or empty", one_of=("smooth", "erratic", "intermittent", "lumpy", "new", "obsolete", "empty")),
        Column("adi", "float", "average demand interval in periods", null=True, digits=4),
        Column("cv2", "float", "squared coefficient of variation of non-zero demand", null=True, digits=4),
        Column("periods", "int", "known periods in the series' life"),
        Column("origins", "int", "rolling origins that the record stands on"),
        Column("model", "text", "chosen method"),
        Column("mae", "float", "mean absolute error of the chosen method over the origins", null=True, digits=4),
        Column("mae_naive", "float", "of the seasonal naive", null=True, digits=4),
        Column("mae_seller_formula", "float", "of the seller formula", null=True, digits=4),
        Column("bias", "float", "mean of forecast - actual", null=True, digits=4),
        Column("value_added", "float", "1 - mae / mae_naive", null=True, digits=4),
        Column("flags", "text", "what preparation did", null=True, default=""),
    ),
    key=("sku", "market", "warehouse", "channel"),
    dynamic_key=True,
)

prepared = Contract(
    "prepared",
    "Demand per series and period as the methods saw it.",
    (
        _SKU,
        _MARKET,
        optional("warehouse", "text"),
        optional("channel", "text"),
        Column("date", "moment", "first day of the period"),
        Column("units", "float", "demand used; empty = masked (not known)", null=True, digits=4),
        Column("returned", "float", "units returned in the period, netted apart", digits=4),
        Column("flag", "text", "stock_out, gap_filled, promo, bulk (capped) or nothing", null=True, default=""),
    ),
    key=("sku", "market", "warehouse", "channel", "date"),
    dynamic_key=True,
)

calendar = Contract(
    "calendar",
    "What is planned or known to come: promotions, holidays, own events, prices. Counts as known in advance, at every past origin too.",
    (
        Column("date", "date", "the day, or the first of several", aliases=("日期", "开始日期", "start", "from", "ds")),
        Column("name", "text", "what it is called; what comes again has the same name", aliases=("名称", "活动名称", "节日", "event", "promotion", "holiday")),
        optional("kind", "text", "event where it is empty", one_of=("promotion", "holiday", "event", "price"), aliases=("类型", "活动类型")),
        optional("market", "text", "where; empty or * = everywhere", aliases=_MARKET.aliases),
        optional("sku", "text", "of which item (promotions and prices); empty or * = of all", aliases=_SKU.aliases),
        optional("until", "date", "last day, where it lasts longer than one", aliases=("结束日期", "end", "to")),
        optional("value", "float", "kind price: the price per unit, as in sales; else how strong (a discount, visitors), 1 where it is empty", min=0, aliases=("数值", "力度", "折扣")),
    ),
    key=("date", "name", "kind", "market", "sku"),
)

signals = Contract(
    "signals",
    "Numbers from outside that move demand: weather, visits, prices of others. A value is used only from the day on which it was recorded.",
    (
        Column("date", "date", "the day that the value is about", aliases=("日期", "ds")),
        Column("name", "text", "what was measured", aliases=("名称", "指标", "signal")),
        Column("value", "float", aliases=("数值", "值")),
        optional("market", "text", "where; empty or * = everywhere", aliases=_MARKET.aliases),
        optional("recorded", "date", "day on which the value was known: of a forecast or a plan before `date`; empty = on `date` itself", aliases=("记录日期", "发布日期", "known_from")),
    ),
    key=("date", "name", "market", "recorded"),
    time="recorded",
)

drivers = Contract(
    "drivers",
    "What a forecast is made of, in units: base and what each driver adds or takes; together they are the mean. Series that a driver touches in the horizon.",
    (
        _SKU,
        _MARKET,
        optional("warehouse", "text"),
        optional("channel", "text"),
        Column("date", "moment", "first day of the period"),
        Column("h", "int", "periods ahead", min=1),
        Column("base", "float", "expected without any driver", unit="pieces", digits=4),
        Column("promotion", "float", "by promotions of the calendar", unit="pieces", digits=4),
        Column("holiday", "float", "by public holidays and the days around them", unit="pieces", digits=4),
        Column("event", "float", "by own events", unit="pieces", digits=4),
        Column("price", "float", "by a planned price other than the last one paid", unit="pieces", digits=4),
        Column("signal", "float", "by signals recorded for the time ahead", unit="pieces", digits=4),
        Column("mean", "float", "as in the forecast", unit="pieces", min=0, digits=4),
        Column("names", "text", "promotions, holidays and events of the period, joined by |", null=True, default=""),
    ),
    key=("sku", "market", "warehouse", "channel", "h"),
    dynamic_key=True,
)

backtest = Contract(
    "backtest",
    "Accuracy over rolling origins per method, demand class and horizon band.",
    (
        Column("model", "text"),
        Column("demand_class", "text", "class of the series at the first origin, or all"),
        Column("horizon", "text", "1, 2-4, ... or all"),
        Column("series", "int"),
        Column("origins", "int"),
        Column("wape", "float", "sum |error| / sum actual", null=True, digits=4),
        Column("bias", "float", "sum (forecast - actual) / sum actual", null=True, digits=4),
        Column("mase", "float", "mean absolute scaled error, scale = seasonal naive in the known part", null=True, digits=4),
        Column("rmsse", "float", "root mean squared scaled error", null=True, digits=4),
        Column("smape", "float", "0-200", null=True, digits=4),
        Column("wql", "float", "weighted quantile loss over the forecast's quantiles; empty for methods without a distribution", null=True, digits=4),
        Column("coverage_90", "float", "share of actuals between q05 and q95", null=True, digits=4),
        Column("coverage_95", "float", "share of actuals at or under q95 (one-sided)", null=True, digits=4),
        Column("value_added", "float", "1 - wape / wape of the seasonal naive", null=True, digits=4),
        Column("value_added_seller", "float", "1 - wape / wape of the seller formula", required=False, null=True, digits=4),
        Column("decision_cost", "float", "holding + shortage of the orders that follow from it in a replay of the stock, per series and origin; empty without policies", required=False, null=True, digits=4),
        Column("verdict", "text", "chosen, beats naive, or loses to naive"),
    ),
    key=("model", "demand_class", "horizon"),
)

inventory = Contract(
    "inventory",
    "Stock on hand per SKU and warehouse.",
    (
        _SKU,
        _WAREHOUSE,
        Column("on_hand", "float", unit="pieces", aliases=("在库", "库存", "可用库存", "qty")),
        optional("reserved", "float", "promised to orders already", unit="pieces", min=0, aliases=("预留", "占用")),
        optional("backorders", "float", "owed to customers who wait, beside what is reserved", unit="pieces", min=0, aliases=("缺货订单", "欠单")),
        optional("age_days", "float", unit="days", min=0, aliases=("库龄",)),
        optional("unit_cost", "float", min=0, aliases=("成本",)),
        optional("currency", "currency", aliases=("币种",)),
        optional("snapshot_date", "date", aliases=("快照日期",)),
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
        Column("qty", "float", unit="pieces", min=0, aliases=("数量",)),
        Column("arrival_date", "date", aliases=("到货日期", "预计到货")),
        optional("status", "text", aliases=("状态",)),
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
        optional("sku", "text", aliases=_SKU.aliases),
        optional("warehouse", "text", aliases=_WAREHOUSE.aliases),
        optional("supplier_id", "text"),
        Column("lead_time_days", "float", "order to shelf", unit="days", min=0, aliases=("交期", "提前期")),
        optional("lead_time_sd_days", "float", unit="days", min=0),
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
        Column("order_qty", "float", unit="pieces", min=0, digits=2),
        Column("order_date", "date", null=True),
        Column("arrival_date", "date", null=True),
        Column("reorder_point", "float", unit="pieces", digits=2),
        Column("order_up_to", "float", unit="pieces", digits=2),
        Column("safety_stock", "float", "order-up-to level (reorder point of sS, sQ, RsS) less mean demand of the protection interval", unit="pieces", digits=2),
        Column("position", "float", "on hand - reserved - backorders + on order", unit="pieces", digits=2),
        Column("stockout_date", "date", "first day on which mean demand empties the shelf without this order", null=True),
        Column("p_stockout", "float", "chance of a stock-out before this order could arrive", min=0, max=1, digits=4),
        Column("cost", "float", "expected holding + shortage + order cost over the protection interval; empty where no unit cost is known", null=True, digits=2),
        Column("currency", "currency", null=True),
        Column("runner_up", "text", "the alternative: seller_formula, no_order, uncut_order (what no limit would have cut) or lot_for_lot", null=True),
        Column("runner_up_cost", "float", null=True, digits=2),
        Column("reason_code", "text"),
        Column("reason", "text"),
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
        Column("date", "date"),
        Column("demand_mean", "float", "mean demand of the day", unit="pieces", digits=4),
        Column("arrivals", "float", "inbound and the proposed order", unit="pieces", digits=4),
        Column("stock_mean", "float", "expected stock at the end of the day with the order", unit="pieces", digits=4),
        Column("stock_low", "float", "stock if demand so far runs at its q95", unit="pieces", digits=4),
        Column("stock_without_order", "float", unit="pieces", digits=4),
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
        Column("price", "float", "price per unit", above=0, aliases=("售价", "单价", "价格", "unit_price")),
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
