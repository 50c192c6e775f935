"""Invoices as they are written, and what the rules of EN 16931 say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbec.core.contract import Column, Contract, Rule, optional

if TYPE_CHECKING:
    import polars as pl

TYPES = {
    "invoice": "380", "credit_note": "381", "corrected": "384", "prepayment": "386", "self_billed": "389",
}  # fmt: skip
CREDITS = ("81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532")
"""Types of documents whose amounts are owed to the buyer."""
CATEGORIES = ("S", "Z", "E", "AE", "K", "G", "O", "L", "M", "B")
TAXED = ("S", "L", "M", "B")


def _line_without() -> pl.Expr:
    import polars as pl

    lacks = pl.col("qty").is_null() | pl.col("item").is_null() | (pl.col("price").is_null() & pl.col("amount").is_null())
    return (pl.col("kind") == "line") & lacks


def _amount_without() -> pl.Expr:
    import polars as pl

    return (pl.col("kind") != "line") & pl.col("amount").is_null()


def _category_unknown() -> pl.Expr:
    import polars as pl

    return pl.col("tax_category").is_null() & (pl.col("tax_rate").fill_null(0) == 0)


def _rate_unknown() -> pl.Expr:
    import polars as pl

    return pl.col("tax_category").is_in(TAXED) & pl.col("tax_rate").is_null()


def _party(who: str, words: str, terms: dict[str, str], zh: str, *, needed: bool) -> tuple[Column, ...]:
    """Columns of one party: what it is called, and the BT number of each."""
    said = {
        "name": ("text", "legal name", ("名称",)),
        "street": ("text", "street and number", ("地址",)),
        "city": ("text", "", ("城市",)),
        "postcode": ("text", "", ("邮编",)),
        "country": ("country", "", ("国家",)),
        "tax_id": ("text", "VAT number", ("税号",)),
        "tax_reference": ("text", "local tax number, where there is no VAT number", ()),
        "registration": ("text", "number in the company register", ("注册号",)),
        "registration_scheme": ("text", "its scheme, ISO 6523 ICD, e.g. 0002 SIRENE", ()),
        "endpoint": ("text", "electronic address", ()),
        "endpoint_scheme": ("text", "its scheme, e.g. 0088 GLN, 9930 German VAT number, EM e-mail", ()),
        "contact": ("text", "person", ("联系人",)),
        "phone": ("text", "", ("电话",)),
        "email": ("text", "", ("邮箱",)),
    }
    made = []
    for column, term in terms.items():
        kind, text, aliases = said[column]
        required = needed and column in ("name", "country")
        told = ", ".join(filter(None, (f"{words}: {text or column}", term)))
        more = tuple(f"{zh}{alias}" for alias in aliases)
        made.append(Column(f"{who}_{column}", kind, told, required=required, null=True, aliases=more))  # type: ignore[arg-type]
    return tuple(made)


invoices = Contract(
    "invoices",
    "Invoices and credit notes: a row per line, and per allowance or charge on the whole. What is of the whole invoice stands on each of its rows, or on some of them.",
    (
        Column("invoice_id", "text", "number of the invoice, BT-1", aliases=("invoice_number", "invoice_no", "发票号", "发票编号")),
        Column("line", "text", "number of the line, BT-126", aliases=("line_id", "行号")),
        Column("kind", "text", "line, or an allowance (discount) or charge (shipping, packing) on the whole invoice", required=False, null=True, default="line", one_of=("line", "allowance", "charge"), aliases=("行类型",)),
        Column("issue_date", "date", "BT-2", aliases=("invoice_date", "开票日期")),
        Column("document_type", "text", "or the code of UNTDID 1001, BT-3", required=False, null=True, default="invoice", one_of=(*TYPES, *TYPES.values()), aliases=("发票类型",)),
        Column("currency", "currency", "of all amounts, BT-5", aliases=("币种", "货币")),
        optional("tax_currency", "currency", "in which the seller accounts for VAT, where it is another one, BT-6; the VAT in it, BT-111, comes by --rates", aliases=("记账币种",)),
        optional("due_date", "date", "BT-9", aliases=("到期日",)),
        optional("buyer_reference", "text", "what the buyer asked for as reference (in Germany: Leitweg-ID), BT-10"),
        optional("contract", "text", "number of the contract, BT-12", aliases=("合同号",)),
        optional("order_id", "text", "number of the buyer's order, BT-13", aliases=("purchase_order", "订单号")),
        optional("note", "text", "BT-22", aliases=("备注",)),
        optional("preceding_invoice", "text", "the invoice that a credit note or correction is about, BT-25", aliases=("原发票号",)),
        optional("preceding_date", "date", "its date, BT-26", aliases=("原开票日期",)),
        optional("delivery_date", "date", "BT-72", aliases=("交货日期",)),
        optional("period_start", "date", "first day invoiced, BT-73"),
        optional("period_end", "date", "last day invoiced, BT-74"),
        *_party("seller", "seller", {"name": "BT-27", "street": "BT-35", "city": "BT-37", "postcode": "BT-38", "country": "BT-40", "tax_id": "BT-31", "tax_reference": "BT-32", "registration": "BT-30", "registration_scheme": "BT-30-1", "endpoint": "BT-34", "endpoint_scheme": "BT-34-1", "contact": "BT-41", "phone": "BT-42", "email": "BT-43"}, "卖方", needed=True),
        *_party("buyer", "buyer", {"name": "BT-44", "street": "BT-50", "city": "BT-52", "postcode": "BT-53", "country": "BT-55", "tax_id": "BT-48", "registration": "BT-47", "registration_scheme": "BT-47-1", "endpoint": "BT-49", "endpoint_scheme": "BT-49-1", "contact": "BT-56", "phone": "BT-57", "email": "BT-58"}, "买方", needed=True),
        *_party("representative", "seller's tax representative", {"name": "BT-62", "tax_id": "BT-63", "country": "BT-69"}, "税务代表", needed=False),
        *_party("ship_to", "delivered to", {"name": "BT-70", "street": "BT-75", "city": "BT-77", "postcode": "BT-78", "country": "BT-80"}, "收货", needed=False),
        optional("payment_means", "text", "transfer, sepa, card, direct_debit, cash, online, or a code of UNTDID 4461, BT-81", aliases=("付款方式",)),
        optional("payment_reference", "text", "what the payer is to quote, BT-83"),
        optional("payment_account", "text", "IBAN or other account that is paid to, BT-84", aliases=("iban", "收款账号")),
        optional("payment_account_name", "text", "BT-85"),
        optional("payment_bic", "text", "BT-86", aliases=("bic", "swift")),
        optional("payment_terms", "text", "BT-20", aliases=("付款条件",)),
        optional("prepaid", "decimal", "paid already, BT-113", aliases=("已付金额",)),
        optional("rounding", "decimal", "added to the amount due, BT-114"),
        optional("item", "text", "name of the goods or service, BT-153", aliases=("item_name", "title", "商品名称", "品名")),
        optional("description", "text", "BT-154", aliases=("商品描述",)),
        optional("sku", "text", "seller's number of the item, BT-155", aliases=("商品编码",)),
        optional("buyer_sku", "text", "buyer's number of the item, BT-156"),
        optional("gtin", "text", "EAN, UPC, BT-157", aliases=("ean", "barcode", "条码")),
        optional("hs_code", "text", "customs code, BT-158", aliases=("HS编码",)),
        optional("origin", "country", "where the goods were made, BT-159", aliases=("原产国",)),
        optional("qty", "decimal", "negative for what is taken back on an invoice, BT-129", aliases=("quantity", "数量")),
        Column("unit", "text", "UN/ECE Recommendation 20, or pcs, kg, g, m, l, h, day, set, pair, BT-130", required=False, null=True, default="C62", aliases=("单位",)),
        optional("price", "decimal", "per unit without tax, BT-146 (where price_includes_tax: with tax)", aliases=("unit_price", "单价")),
        optional("price_per", "decimal", "the price is for so many units, BT-149", above=0),
        optional("price_includes_tax", "bool", "whether price, line_allowance and line_charge hold the tax; empty = no", aliases=("是否含税",)),
        optional("line_allowance", "decimal", "discount on the line, BT-136", aliases=("discount", "折扣")),
        optional("line_allowance_reason", "text", "BT-139"),
        optional("line_charge", "decimal", "surcharge on the line, BT-141"),
        optional("line_charge_reason", "text", "BT-144"),
        optional("amount", "decimal", "of an allowance, BT-92, or charge, BT-99, without tax; of a line: its net amount, BT-131, which may stand instead of the price", aliases=("金额",)),
        optional("reason", "text", "why the allowance, BT-97, or charge, BT-104", aliases=("原因",)),
        optional("tax_category", "text", "S standard (any rate above 0), Z zero, E exempt, AE reverse charge, K intra-Community supply, G export, O outside the scope, BT-151, BT-95, BT-102, BT-118; empty with a rate = S", one_of=CATEGORIES, aliases=("税类",)),
        optional("tax_rate", "decimal", "percent, BT-152, BT-96, BT-103, BT-119", min=0, unit="%", aliases=("税率",)),
        optional("exemption_reason", "text", "why no tax is charged, BT-120", aliases=("免税原因",)),
        optional("exemption_code", "text", "code of the reason, VATEX-..., BT-121"),
    ),
    key=("invoice_id", "line"),
    time="issue_date",
    rules=(
        Rule("line_incomplete", "a line needs item, qty and price (or amount)", ("kind", "item", "qty", "price", "amount"), _line_without),
        Rule("amount_missing", "an allowance or charge needs its amount", ("kind", "amount"), _amount_without, "amount"),
        Rule("tax_category_unknown", "no tax rate: say why by a tax category (Z, E, AE, K, G or O)", ("tax_category", "tax_rate"), _category_unknown, "tax_category"),
        Rule("tax_rate_unknown", "this tax category needs its rate", ("tax_category", "tax_rate"), _rate_unknown, "tax_rate"),
    ),
)

_SUMS = {
    "line_total": "sum of the lines, BT-106", "allowance_total": "BT-107", "charge_total": "BT-108", "net": "total without tax, BT-109",
    "tax": "total tax, BT-110", "gross": "total with tax, BT-112", "prepaid": "BT-113", "rounding": "BT-114", "payable": "amount due, BT-115",
}  # fmt: skip

einvoices = Contract(
    "einvoices",
    "Electronic invoices written, or read, and whether they keep the rules of EN 16931.",
    (
        Column("file", "text", "of the XML; one that breaks a rule is written with .invalid behind its name"),
        Column("invoice_id", "text", null=True),
        Column("syntax", "text", "ubl (OASIS UBL 2.1), cii (UN/CEFACT CII)", one_of=("ubl", "cii"), null=True),
        Column("status", "text", "valid = no fatal finding; not_checked = no validator was asked, by --check none", one_of=("valid", "invalid", "not_checked")),
        Column("fatal", "int", "rules broken", null=True),
        Column("warnings", "int", null=True),
        Column("type_code", "text", "BT-3: 380 invoice, 381 credit note (its amounts are owed to the buyer), UNTDID 1001", null=True),
        Column("currency", "currency", null=True),
        *(Column(name, "decimal", text, null=True, digits=2) for name, text in _SUMS.items()),
        Column("tax_currency", "currency", "BT-6", null=True),
        Column("tax_in_tax_currency", "decimal", "BT-111", null=True, digits=2),
        Column("tax_breakdown", "text", "category rate%: taxable amount + tax, BG-23, joined by |", null=True),
        Column("validated_by", "text", "rules that the document was held against, with their version", null=True),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("file",),
)

einvoice_findings = Contract(
    "einvoice_findings",
    "Rules that electronic invoices break, with the place and what to do.",
    (
        Column("file", "text"),
        Column("invoice_id", "text", null=True),
        Column("syntax", "text", null=True),
        Column("n", "int", "1, 2, 3 ... within the file"),
        Column("rule", "text", "of EN 16931, e.g. BR-CO-10; XSD = the XML schema; XML = no invoice in XML; TAX-NUMBER = a tax number that cannot be one; GROSS, SIGN: see the message"),
        Column("severity", "text", one_of=("fatal", "warning")),
        Column("location", "text", "XPath in the document", null=True),
        Column("message", "text", "as the rule says it"),
        Column("reason_code", "text"),
        Column("reason", "text", "what to do"),
    ),
    key=("file", "n"),
)
