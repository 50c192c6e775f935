"""Demand: what was sold, what is planned, what is forecast and how near that was."""

from __future__ import annotations

from cbec.core.contract import Column, Contract, optional

QUANTILES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95", "q99")
LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
#: Beginning of the flag of a series whose customers buy a whole number of lots; the units of one follow.
IN_LOTS = "lots_of_"

_SKU = Column("sku", "text", "stock keeping unit, verbatim", aliases=("商品编码", "商品SKU", "SKU编码", "货号", "stockcode", "product_code", "seller_sku", "msku"))
_WAREHOUSE = Column("warehouse", "text", "where it lies: UN/LOCODE or your own code", aliases=("仓库", "仓库编码", "warehouse_id"))
_MARKET = Column("market", "text", "where it sells: a country code or your own", null=True, default="*", aliases=("国家", "目的国", "市场", "站点", "country", "marketplace"))
#: What a unit sold for, in the words of exports; of no other price (an original one, a cost, the amount of a line).
_SOLD_FOR = ("售价", "销售价", "销售价格", "销售单价", "商品售价", "产品售价", "selling_price")

sales = Contract(
    "sales",
    "Units sold per day (or finer) and series, net of nothing: returns are rows of negative units or are left out.",
    (
        Column("date", "moment", "day or time of sale", aliases=("日期", "下单日期", "下单时间", "订单日期", "销售日期", "ds", "order_date", "purchase_date", "day")),
        _SKU,
        Column("market", "text", "where it sells", required=False, null=True, default="*", aliases=_MARKET.aliases),
        optional("warehouse", "text", "where it shipped from", aliases=_WAREHOUSE.aliases),
        optional("channel", "text", "shop or marketplace", aliases=("渠道", "平台")),
        Column("units", "float", "units; negative = returned", unit="pieces", aliases=("数量", "销量", "件数", "销售数量", "购买数量", "qty", "quantity", "y")),
        optional("price", "float", "price per unit paid", min=0, aliases=("单价", "价格", "unit_price", "商品单价", "产品单价", "成交单价", *_SOLD_FOR)),
        optional("currency", "currency", "currency of price", aliases=("币种", "货币")),
        optional("promo", "bool", "on promotion that day", aliases=("促销", "活动")),
        optional("in_stock", "bool", "false = could not be bought, at least by the evening: demand may have been more than units", aliases=("有货", "在库")),
    ),
    key=("date", "sku", "market", "warehouse", "channel"),
    time="date",
    twice='add up the rows of a day, or tell them apart by the column channel (returns: "returned"); `cbec ingest import` makes sales of order lines',
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
        optional("unit_cost", "float", "cost of one unit at your door", min=0, aliases=("成本", "采购价", "单位成本", "成本价", "采购单价")),
        optional("currency", "currency", "currency of unit_cost and price", aliases=("币种", "货币")),
        optional("price", "float", "selling price per unit", min=0, aliases=(*_SOLD_FOR, "零售价")),
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
        optional("kind", "text", "price where it is empty and the price is told, else event", one_of=("promotion", "holiday", "event", "price"), aliases=("类型", "活动类型")),
        optional("market", "text", "where; empty or * = everywhere", aliases=_MARKET.aliases),
        optional("sku", "text", "of which item (promotions and prices); empty or * = of all", aliases=_SKU.aliases),
        optional("until", "date", "last day, where it lasts longer than one", aliases=("结束日期", "end", "to")),
        optional("price", "float", "planned price per unit, as in sales: of a promotion too", min=0, aliases=("unit_price", "planned_price", "价格", "计划价格", "活动价", "促销价", *_SOLD_FOR)),
        optional("value", "float", "how strong (a discount, visitors), 1 where it is empty; kind price: the price, where the column price is empty", min=0, aliases=("数值", "力度", "折扣")),
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
