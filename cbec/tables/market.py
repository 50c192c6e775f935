"""Orders as customers placed them."""

from __future__ import annotations

from cbec.core.contract import Column, Contract, optional
from cbec.tables.demand import _SOLD_FOR

order_lines = Contract(
    "order_lines",
    "One row per line of a customer's order, with what a tax engine must know of it.",
    (
        Column("order_id", "text", "the consignment too, unless the marketplace says otherwise", aliases=("订单号", "订单编号", "order_number")),
        Column("line", "text", "line within the order", required=False, null=True, default="1", aliases=("行号", "order_line_id")),
        Column("sku", "text", aliases=("商品编码", "货号", "seller_sku")),
        Column("qty", "decimal", "pieces; negative = a refund", unit="pieces", aliases=("数量", "件数", "quantity", "units")),
        optional("date", "date", "day of supply: payment accepted", aliases=("日期", "下单日期", "付款日期", "order_date")),
        optional("market", "text", aliases=("市场", "站点", "marketplace")),
        optional("warehouse", "text", aliases=("仓库",)),
        optional("price", "decimal", "price per unit", min=0, aliases=("单价", "unit_price", "商品单价", "产品单价", *_SOLD_FOR)),
        optional("currency", "currency", aliases=("币种", "货币")),
        optional("customer_id", "text", aliases=("客户编号", "买家")),
        optional("category", "text", "your category, mapped to reduced rates", aliases=("类目", "品类")),
        optional("hs_code", "text", "customs code, verbatim", aliases=("HS编码", "海关编码")),
        optional("duty_rate_pct", "decimal", "ordinary duty rate you know for the line's customs code and origin; goes before the tariff's", min=0, unit="%", aliases=("关税税率", "duty_rate")),
        optional("origin", "country", "where the goods were made", aliases=("原产国", "原产地")),
        optional("net_weight_kg", "decimal", "net weight of the whole line", min=0, unit="kg", aliases=("净重", "净重kg", "net_weight")),
        optional("quantities", "text", "other quantities that duties per unit ask for, whole line: litre=1.5|value_case=20"),
        optional("transport", "text", "how it crosses the border", one_of=("post", "courier", "air", "sea", "land"), aliases=("运输方式",)),
        optional("ship_from", "country", aliases=("发货国", "始发国")),
        optional("ship_to", "country", aliases=("目的国", "收货国", "国家")),
        optional("ship_to_region", "text", "postcode or region", aliases=("邮编", "postcode", "ship_to_postcode")),
        optional("price_includes_tax", "bool", "prices carry the destination's tax (and duty, if DDP)", aliases=("含税",)),
        optional("shipping", "decimal", "shipping charged for the line", min=0, aliases=("运费",)),
        optional("insurance", "decimal", "insurance charged for the line", min=0, aliases=("保险费",)),
        optional("seller_country", "country", "where the seller is established", aliases=("卖家国家",)),
        Column("buyer_type", "text", "B2C or B2B", required=False, null=True, default="B2C", one_of=("B2C", "B2B"), aliases=("买家类型",)),
        optional("buyer_tax_id", "text", aliases=("买家税号",)),
        optional("buyer_statement", "bool", "the buyer stated to be registered for the tax", aliases=("买家税务声明",)),
        optional("marketplace_collects", "bool", "the marketplace is the deemed supplier", aliases=("平台代缴",)),
        optional("gift", "bool", "sent by one private person to another, unpaid", aliases=("礼品",)),
        optional("incoterm", "text", "Incoterms 2020", one_of=("EXW", "FCA", "FAS", "FOB", "CFR", "CIF", "CPT", "CIP", "DAP", "DPU", "DDP"), aliases=("贸易术语",)),
        optional("scheme", "text", "registration or channel used: IOSS, OSS, UK_VAT, a local one or none; LVG = low-value goods (Australia, New Zealand, Singapore), VOEC (Norway), CBEC or PARCEL (China), POSTAL_SPECIFIC or POSTAL_AD_VALOREM (United States)", one_of=("IOSS", "OSS", "OSS_NON_UNION", "UK_VAT", "LOCAL", "NONE", "LVG", "VOEC", "CBEC", "PARCEL", "POSTAL_SPECIFIC", "POSTAL_AD_VALOREM"), aliases=("申报方式",)),
    ),
    key=("order_id", "line"),
    time="date",
)
