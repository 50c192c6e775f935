"""Tax, duty, rules."""

from __future__ import annotations

from cbec.core.contract import Column, Contract, optional

tariff = Contract(
    "tariff",
    "Duty rates by customs code, as a tariff prints them; of several that fit, the row of the longest code holds.",
    (
        Column("jurisdiction", "text", "country code, or EU", aliases=("进口国", "country", "market")),
        Column(
            "hs_code",
            "text",
            "customs code or its beginning, dots and spaces aside; empty = all goods",
            null=True,
            aliases=("HS编码", "税则号列", "heading", "hts", "commodity_code"),
        ),
        optional("origin", "country", "goods made there; empty = anywhere", aliases=("原产国", "原产地")),
        Column(
            "measure",
            "text",
            "whose duty: mfn (ordinary), antidumping, countervailing, safeguard, or a measure of the rule pack such as s301, s232, ieepa",
            required=False,
            null=True,
            default="mfn",
            aliases=("措施",),
        ),
        Column("valid_from", "date", aliases=("生效日期", "from")),
        optional("valid_to", "date", "last day", aliases=("失效日期", "to")),
        Column(
            "duty",
            "text",
            "the rate as printed: 6.5%, 37.2¢/kg + 6%, 35.10 GBP / 100 kg, Free",
            aliases=("关税", "税率", "rate", "general_rate_of_duty"),
        ),
        optional("source", "text", "where it was read; told in the citation", aliases=("来源",)),
    ),
    key=("jurisdiction", "hs_code", "origin", "measure", "valid_from"),
)

category_codes = Contract(
    "category_codes",
    "Customs codes of your own categories: by them rates of tax are found where no line and no product tells a code.",
    (
        Column("category", "text", "as in order_lines or products, whatever its case", aliases=("类目", "品类")),
        Column(
            "hs_code",
            "text",
            "customs code of all its goods, or its beginning (0902, 49); no duty is reckoned by it",
            aliases=("HS编码", "海关编码"),
        ),
    ),
    key=("category",),
)

tax = Contract(
    "tax",
    "Tax and duty per order line, to the cent, with the rules that made each figure.",
    (
        Column("order_id", "text"),
        Column("line", "text"),
        Column("status", "text", "OK, or UNDETERMINED where no rule is known", one_of=("OK", "UNDETERMINED")),
        Column("ship_to", "country", null=True),
        Column(
            "intrinsic_value",
            "decimal",
            "the line's goods alone, without shipping, insurance, tax and duty: what limits are held against",
            null=True,
            digits=2,
        ),
        Column(
            "customs_value",
            "decimal",
            "goods, shipping and insurance of an import, without tax and duty",
            null=True,
            digits=2,
        ),
        Column("duty_rate", "decimal", "percent", null=True, digits=4, unit="%"),
        Column("duty", "decimal", null=True, digits=2),
        Column("tax_rate", "decimal", "percent", null=True, digits=4, unit="%"),
        Column("tax_base", "decimal", "what the tax is due on", null=True, digits=2),
        Column("tax", "decimal", null=True, digits=2),
        Column("other_charges", "decimal", null=True, digits=2),
        Column("total", "decimal", "duty + tax + other charges", null=True, digits=2),
        Column("currency", "currency", null=True),
        Column("scheme", "text", null=True),
        Column(
            "collected_by",
            "text",
            "who collects the tax: seller, marketplace, carrier, customs, buyer (reverse charge) or nobody",
            null=True,
        ),
        Column("rule_ids", "text", "rules applied, sorted, joined by |", null=True),
        Column("citation", "text", "titles of their sources, joined by |", null=True),
        Column(
            "duty_parts",
            "text",
            "what each measure adds to the duty, joined by |, where there are several or one is no plain percentage",
            null=True,
        ),
        Column(
            "flags",
            "text",
            "what a person should check although the line is reckoned, joined by |: reduced_rate = the standard rate was taken, but goods of this kind commonly bear a reduced one; exemption_unchecked = a duty on nearly everything was taken, and the tariff does not name its exemptions; refund_without_sale = the sale is not in the file, so that rules and rates of the refund's own day were taken; buyer_tax_id_malformed = the buyer's tax number cannot be one and counts as none",
            null=True,
        ),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("order_id", "line"),
)

exports = Contract(
    "exports",
    "The export side of sales whose goods leave, or left, a country with export rules: customs regime and VAT.",
    (
        Column("order_id", "text"),
        Column("line", "text"),
        Column("status", "text", "OK, or UNDETERMINED where no rule is known", one_of=("OK", "UNDETERMINED")),
        Column("ship_from", "country", null=True),
        Column("ship_to", "country"),
        Column("regime", "text", "customs regime, e.g. 9610; several that fit joined by |", null=True),
        Column(
            "export_vat",
            "text",
            "zero = zero-rated with refund, exempt = exempt without, zero_or_exempt = depends on proof of purchase",
            one_of=("zero", "exempt", "zero_or_exempt"),
            null=True,
        ),
        Column("rule_ids", "text", null=True),
        Column("citation", "text", null=True),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("order_id", "line"),
)

rule_verdict = Contract(
    "rule_verdict",
    "Outcome of the cases that stand beside the rules.",
    (
        Column("pack", "text"),
        Column("case", "text"),
        Column("field", "text", "what is compared: order line and column, e.g. 1.tax, or a figure of another kind of case"),
        Column("expected", "text"),
        Column("got", "text", null=True),
        Column("passed", "bool"),
        Column("rule_ids", "text", "rules behind what came, joined by |", null=True),
        Column("citation", "text", "titles of their sources, joined by |", null=True),
    ),
    key=("pack", "case", "field"),
)

tax_ids = Contract(
    "tax_ids",
    "Tax numbers to be judged by their form, e.g. a list of customers.",
    (
        optional("party_id", "text", "whose number it is; told again in the answer", aliases=("customer_id", "客户编号", "客户")),
        Column("number", "text", "as written", aliases=("buyer_tax_id", "vat_id", "vat_number", "tax_id", "税号", "纳税人识别号")),
        optional("country", "country", "of the number; needed where it bears no prefix (XI = Northern Ireland)", aliases=("国家",)),
    ),
    key=(),
)

tax_id_verdicts = Contract(
    "tax_id_verdicts",
    "What the form of each tax number says. format-valid is not registered.",
    (
        Column("party_id", "text", null=True),
        Column("number", "text", "as written"),
        Column("country", "country", "as given", null=True),
        Column("verdict", "text", "unknown = there is no rule to judge by", one_of=("format-valid", "malformed", "unknown")),
        Column("judged_by", "text", "country whose rules it was held against; EU and IM = numbers of the one-stop shops", null=True),
        Column("normalised", "text", "without separators, with prefix and suffix where the country writes them"),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=(),
)

rule_changes = Contract(
    "rule_changes",
    "What changed between two states of the rules, by rule and day, and what rests on each change in an order file.",
    (
        Column("pack", "text"),
        Column("rule_id", "text"),
        Column("kind", "text", "kind of rule: rate, limit, scheme, duty .."),
        Column("jurisdiction", "text", "country, or the pack of several"),
        Column("scheme", "text", null=True),
        Column("category", "text", "class of goods", null=True),
        Column("valid_from", "date", "first day on which the rule says something else; empty = ever", null=True),
        Column("valid_to", "date", "last such day; empty = no end", null=True),
        Column("old_value", "decimal", null=True),
        Column("new_value", "decimal", null=True),
        Column("unit", "text", "of the values: percent or a currency", null=True),
        Column("old_terms", "text", "conditions, outcomes, codes that were changed, as they were", null=True),
        Column("new_terms", "text", "the same as they are", null=True),
        Column("recorded_from", "date", "day from which the new state was known", null=True),
        Column("citation", "text", "title of the source"),
        optional("lines", "int", "order lines that rest on the rule, before or after, while the change holds"),
        optional("lines_changed", "int", "of them, those that are taxed or decided otherwise"),
        optional("orders", "int", "with such lines"),
        optional("skus", "int", "with such lines"),
        optional("difference", "decimal", "more (or less) due for those lines; lines of several changes count in each", digits=2),
        optional("currency", "currency", "of the difference"),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("pack", "rule_id", "valid_from"),
)

line_changes = Contract(
    "line_changes",
    "Order lines that a change of rules taxes, collects or decides otherwise.",
    (
        Column("order_id", "text"),
        Column("line", "text"),
        Column("sku", "text"),
        Column("date", "date", null=True),
        Column("ship_to", "country", null=True),
        Column("currency", "currency", null=True),
        *(Column(f"{side}_{name}", "text", null=True) for name in ("status", "scheme", "collected_by") for side in ("old", "new")),
        *(Column(f"{side}_{name}", "decimal", null=True, digits=2) for name in ("duty", "tax", "total") for side in ("old", "new")),
        Column("difference", "decimal", "new total less old total; empty where one of them is undetermined", null=True, digits=2),
        Column("old_rule_ids", "text", null=True),
        Column("new_rule_ids", "text", null=True),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("order_id", "line"),
)
