"""Shipments, lanes, legs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbec.core.contract import Column, Contract, Rule, optional

if TYPE_CHECKING:
    import polars as pl

#: What `departures` may say: nothing or `daily`, `weekly`, `every N [days]`, or weekdays by name or number (Monday = 1).
WEEKDAYS = (
    ("1", "mon", "monday", "周一", "星期一"),
    ("2", "tue", "tuesday", "周二", "星期二"),
    ("3", "wed", "wednesday", "周三", "星期三"),
    ("4", "thu", "thursday", "周四", "星期四"),
    ("5", "fri", "friday", "周五", "星期五"),
    ("6", "sat", "saturday", "周六", "星期六"),
    ("7", "sun", "sunday", "周日", "星期日", "周天"),
)
_DAY = "(" + "|".join(sorted((w for words in WEEKDAYS for w in words), key=len, reverse=True)) + ")"
DEPARTURES = rf"^(?i)\s*(daily|每天|weekly|每周|every\s*[1-9][0-9]{{0,2}}(\s*d(ays?)?)?|{_DAY}([|,;/、\s]+{_DAY})*)\s*$"
PRICES = ("cost_fixed", "cost_min", "cost_per_kg", "cost_per_m3")

_ORIGIN = Column("origin", "text", "where it starts: UN/LOCODE or your own code", aliases=("起运地", "起运港", "始发地", "发货地", "from", "pol"))
_DESTINATION = Column("destination", "text", "where it ends: UN/LOCODE or your own code", aliases=("目的地", "目的港", "收货地", "to", "pod"))
_SHIPMENT = Column("shipment_id", "text", "consignment that travels together", aliases=("货件号", "货件编号", "运单号", "shipment", "consignment"))


def _before(earlier: str, later: str) -> Rule:
    def broken() -> pl.Expr:
        import polars as pl

        return (pl.col(later) < pl.col(earlier)).fill_null(False)

    return Rule(f"{later}_before_{earlier}", f"{later} lies before {earlier}", (earlier, later), broken, later)


def _no_price() -> pl.Expr:
    import polars as pl

    return pl.all_horizontal(pl.col(name).is_null() for name in PRICES)


def _odd_departures() -> pl.Expr:
    import polars as pl

    return ~pl.col("departures").str.contains(DEPARTURES).fill_null(True)


shipments = Contract(
    "shipments",
    "What is to be moved, from where to where, ready when and due when.",
    (
        _SHIPMENT,
        _ORIGIN,
        _DESTINATION,
        Column("weight_kg", "float", "gross weight", unit="kg", min=0, aliases=("毛重", "重量", "重量(kg)", "实重")),
        Column("volume_m3", "float", "volume with packing", unit="m3", min=0, aliases=("体积", "体积(m3)", "体积(立方米)", "方数", "cbm")),
        Column("goods_value", "float", "what the goods cost you (not the retail price)", min=0, aliases=("货值", "货物价值")),
        Column("currency", "currency", "currency of goods_value and late_cost_per_day", aliases=("币种", "货币")),
        Column("ready_date", "date", "day from which it can leave", aliases=("备货完成日", "可发货日期", "备货日期", "ready")),
        optional("due_date", "date", "day by whose end it must be there", aliases=("要求到货日期", "要求送达日期", "截止日期", "due")),
        optional("pieces", "float", "packages", unit="pieces", min=0, aliases=("件数", "箱数")),
        optional("incoterm", "text", aliases=("贸易术语", "贸易条款")),
        optional("hs_code", "text", "customs code, verbatim", aliases=("HS编码", "海关编码")),
        optional("dg_class", "text", "class of dangerous goods", aliases=("危险品类别", "危险品等级")),
        optional("temp_min_c", "float", "lowest temperature it bears", unit="°C", aliases=("最低温度",)),
        optional("temp_max_c", "float", "highest temperature it bears", unit="°C", aliases=("最高温度",)),
        optional("late_cost_per_day", "float", "cost of a day after due_date", min=0, aliases=("每日延误成本", "延误成本")),
        optional("capital_rate", "float", "cost of capital per year as a share (0.1 = 10 %)", min=0, max=10, aliases=("资金成本率", "年资金成本")),
    ),
    key=("shipment_id",),
)

lanes = Contract(
    "lanes",
    "Rate cards: one row per lane and weight break. Price = cost_fixed + max(cost_min, cost_per_kg x chargeable kg + cost_per_m3 x volume).",
    (
        Column("lane_id", "text", "one service of one carrier between two places", aliases=("线路", "线路编号", "渠道编号", "lane")),
        _ORIGIN,
        _DESTINATION,
        Column("mode", "text", "sea, air, rail, road, express, barge or your own word", aliases=("运输方式", "方式")),
        optional("carrier", "text", aliases=("物流商", "承运人", "货代")),
        optional("service", "text", aliases=("服务", "渠道", "渠道名称")),
        Column("currency", "currency", "currency of the costs", aliases=("币种", "货币")),
        optional("cost_fixed", "float", "per shipment, on top", min=0, aliases=("固定费用", "票费")),
        optional("cost_min", "float", "least freight per shipment", min=0, aliases=("最低收费", "最低运费")),
        optional("cost_per_kg", "float", "per chargeable kg", min=0, aliases=("单价", "每公斤单价", "公斤价", "运价")),
        optional("cost_per_m3", "float", "per m3 of volume, added to what the weight costs", min=0, aliases=("每方单价", "方价")),
        Column("break_from_kg", "float", "lowest chargeable weight of the row", unit="kg", min=0, required=False, null=True, default=0.0, aliases=("起始重量", "重量起", "重量段起")),
        optional("break_to_kg", "float", "highest chargeable weight of the row; empty: up to the lane's next break, without end in the last", unit="kg", min=0, aliases=("截止重量", "重量止", "重量段止")),
        optional("dim_divisor", "float", "cm3 per kg: volume counts as weight (6000, 5000; 1000 = a tonne per m3); empty: gross weight alone", unit="cm3/kg", above=0, aliases=("体积重系数", "计泡系数", "材积系数")),
        optional("surcharge_pct", "float", "fuel and other surcharges on the freight, percent", unit="%", min=0, aliases=("附加费(%)", "附加费率", "燃油附加费")),
        Column("transit_days", "float", "mean days from departure to arrival", unit="days", min=0, aliases=("时效", "运输天数", "航程", "时效(天)")),
        optional("transit_sd_days", "float", "standard deviation of transit_days", unit="days", min=0, aliases=("时效标准差",)),
        optional("departures", "text", "weekdays (Mon|Thu or 1|4), every N days (counted from valid_from), weekly, daily; empty: any day", aliases=("开船日", "航班日", "截止开", "班期")),
        optional("cutoff_days", "float", "days before departure by which goods must be there", unit="days", min=0, aliases=("截单天数", "截关天数")),
        optional("capacity_kg", "float", "largest shipment", unit="kg", min=0, aliases=("限重",)),
        optional("capacity_m3", "float", "largest shipment", unit="m3", min=0, aliases=("限体积",)),
        optional("loss_rate", "float", "share of the value lost or damaged on this lane that no insurance pays", min=0, max=1, aliases=("丢损率", "货损率")),
        optional("distance_km", "float", "distance travelled", unit="km", min=0, aliases=("距离", "里程", "里程(km)")),
        optional("valid_from", "date", "first day of departure at this rate", aliases=("生效日期", "有效期起")),
        optional("valid_to", "date", "last day of departure at this rate", aliases=("失效日期", "有效期止", "有效期至")),
        optional("factor_id", "text", "emission factor; empty: that of the mode"),
        optional("passages", "text", "straits and canals on the way, joined by | (suez, malacca)", aliases=("途经",)),
        optional("dg_accepted", "bool", "takes dangerous goods", aliases=("接危险品", "可走危险品")),
        optional("temp_controlled", "bool", "keeps the temperature", aliases=("温控", "冷链")),
    ),
    key=("lane_id", "valid_from", "break_from_kg"),
    rules=(
        Rule("price", f"a rate without a price: give one of {', '.join(PRICES)} (0 if it is free)", PRICES, _no_price, "cost_per_kg"),
        Rule("departures", "departures are weekdays (Mon|Thu or 1|4), `every N days`, `weekly` or `daily`", ("departures",), _odd_departures),
        _before("break_from_kg", "break_to_kg"),
        _before("valid_from", "valid_to"),
    ),
)

nodes = Contract(
    "nodes",
    "Places where a shipment may change lanes, how long it lies there and what handling costs.",
    (
        Column("node", "text", "UN/LOCODE or your own code", aliases=("节点", "中转地", "港口")),
        Column("kind", "text", "port, airport, rail, hub, warehouse, border ...", null=True, aliases=("类型",)),
        optional("country", "country", aliases=("国家",)),
        optional("lat", "float", unit="°", min=-90, max=90, aliases=("纬度",)),
        optional("lon", "float", unit="°", min=-180, max=180, aliases=("经度",)),
        optional("dwell_days", "float", "mean days between arrival and being ready to leave", unit="days", min=0, aliases=("停留天数", "中转天数")),
        optional("dwell_sd_days", "float", unit="days", min=0),
        optional("cost_per_kg", "float", "handling between two lanes, per kg gross", min=0, aliases=("操作费", "每公斤操作费")),
        optional("currency", "currency", "currency of cost_per_kg", aliases=("币种",)),
    ),
    key=("node",),
)

disruptions = Contract(
    "disruptions",
    "What is closed or slow, where and when.",
    (
        Column("scope", "text", "what code names", one_of=("node", "lane", "passage", "mode"), aliases=("范围",)),
        Column("code", "text", "the node, lane_id, passage or mode", aliases=("编码", "代码")),
        Column("start", "date", "first day", aliases=("开始日期",)),
        optional("end", "date", "last day; empty: not known", aliases=("结束日期",)),
        Column("closed", "bool", "nothing passes", required=False, null=True, default=False, aliases=("关闭", "停运")),
        optional("delay_days", "float", "mean delay if it happens", unit="days", min=0, aliases=("延误天数",)),
        optional("delay_sd_days", "float", unit="days", min=0),
        Column("probability", "float", "chance that it happens", required=False, null=True, default=1.0, min=0, max=1, aliases=("概率",)),
        optional("source", "text", "who says so", aliases=("来源",)),
    ),
    key=("scope", "code", "start", "end", "source"),
    rules=(_before("start", "end"),),
)



def _money(name: str, description: str = "") -> Column:
    return Column(name, "float", description, null=True, digits=2)


_RANK = Column("option_rank", "int", "1 = lowest expected total cost; 0 = no option was found", min=0)

options = Contract(
    "options",
    "Ways to move each shipment, cheapest in expected total cost first. A shipment without any way has one row of rank 0.",
    (
        _SHIPMENT,
        _RANK,
        Column("modes", "text", "modes in order, joined by >", null=True),
        Column("lanes", "text", "lane_id in order, joined by >", required=False, null=True),
        Column("chargeable_kg", "float", "weight charged on the first lane: the larger of gross and volume weight, or the minimum of the break that was cheaper", unit="kg", null=True, digits=3),
        _money("freight", "freight of all lanes"),
        _money("surcharges"),
        _money("handling", "handling where lanes meet"),
        _money("capital_cost", "goods_value x capital_rate x expected days from ready to arrival / 365"),
        _money("late_cost", "cost of a day late x expected days after due_date"),
        _money("loss_cost", "goods_value x chance of loss"),
        _money("total_cost", "sum of the six"),
        Column("currency", "currency", null=True),
        Column("depart", "date", "departure of the first lane", null=True),
        Column("arrive_p50", "date", "there by the end of this day with 50 %", null=True),
        Column("arrive_p90", "date", "there by the end of this day with 90 %", null=True),
        Column("p_on_time", "float", "chance to be there by the end of due_date", null=True, min=0, max=1, digits=4),
        Column("co2e_kg", "float", "well to wheel; empty: a distance or factor is not known", unit="kg", null=True, digits=2),
        Column("flags", "text", "best_value, cheapest, fastest, greenest, and what to know; sorted, joined by |", null=True, default=""),
        Column("runner_up", "text", "the best other option", null=True),
        _money("runner_up_cost", "its total_cost"),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("shipment_id", "option_rank"),
)

legs = Contract(
    "legs",
    "The lanes of each option in order.",
    (
        _SHIPMENT,
        Column("option_rank", "int", min=1),
        Column("leg", "int", "1, 2, ...", min=1),
        Column("lane_id", "text"),
        Column("mode", "text"),
        _ORIGIN,
        _DESTINATION,
        Column("depart", "date", "planned departure"),
        Column("arrive", "date", "day of arrival with 50 %"),
        optional("carrier", "text"),
        optional("service", "text"),
        optional("chargeable_kg", "float", "weight charged", unit="kg", min=0, digits=3),
        optional("weight_kg", "float", "gross weight carried", unit="kg", min=0, digits=3),
        optional("distance_km", "float", unit="km", min=0, digits=1),
        optional("factor_id", "text", "emission factor used, or asked for"),
        optional("co2e_kg", "float", "well to wheel", unit="kg", min=0, digits=2),
    ),
    key=("shipment_id", "option_rank", "leg"),
)

route_lead_times = Contract(
    "route_lead_times",
    "Days from the order to the shelf of each warehouse by the ways chosen, beside what the policies plan with.",
    (
        Column("warehouse", "text", "destination of the shipments"),
        Column("lead_time_days", "float", "until ready, and from there by the ways chosen; shipments count by their weight", unit="days", min=0, digits=2),
        Column("lead_time_sd_days", "float", "within the shipments and between them", unit="days", min=0, digits=2),
        Column("transport_days", "float", "from ready to the day of arrival with 50 %", unit="days", min=0, digits=2),
        Column("policy_days", "float", "lead time of the policy row that holds for the warehouse", unit="days", null=True, digits=2),
        Column("shipments", "int", "how many of them", min=0),
        Column("weight_kg", "float", unit="kg", min=0, digits=1),
        Column("modes", "text", "ways taken, sorted, joined by |"),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("warehouse",),
)

carbon = Contract(
    "carbon",
    "Emissions per leg, the factor and its source.",
    (
        _SHIPMENT,
        Column("option_rank", "int", min=1),
        Column("leg", "int", min=1),
        Column("lane_id", "text"),
        Column("mode", "text"),
        Column("tonne_km", "float", "gross weight x distance", unit="t km", null=True, min=0, digits=3),
        Column("factor_id", "text", null=True),
        Column("ttw_kg", "float", "tank to wheel", unit="kg CO2e", null=True, min=0, digits=3),
        Column("wtt_kg", "float", "well to tank", unit="kg CO2e", null=True, min=0, digits=3),
        Column("co2e_kg", "float", "well to wheel: the two together", unit="kg CO2e", null=True, min=0, digits=3),
        Column("source", "text", "where the factor stands", null=True),
        Column("flags", "text", "no_distance, no_weight, no_factor, default_factor, no_edition; sorted, joined by |", null=True, default=""),
    ),
    key=("shipment_id", "option_rank", "leg"),
)
