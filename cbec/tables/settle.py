"""Ledgers, payouts against the bank, landed profit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbec.core.contract import Column, Contract, Rule, optional

if TYPE_CHECKING:
    import polars as pl


def _amount_without_currency() -> pl.Expr:
    import polars as pl

    return pl.col("amount").is_not_null() & pl.col("currency").is_null()


events = Contract(
    "events",
    "What happened to money or goods, to be written into a ledger. Equal rows are events of their own.",
    (
        Column("event", "text", "what happened: payout_received, invoice_approved ...", aliases=("事件",)),
        Column("ref", "text", "what it happened to: number of a settlement, invoice, order", aliases=("单号", "参考号")),
        optional("amount", "decimal", "in +, out -", aliases=("金额",)),
        optional("currency", "currency", aliases=("币种", "货币")),
        Column("at", "moment", "when it happened", aliases=("时间", "日期")),
        optional("evidence", "text", "hash or place of the document that proves it", aliases=("凭证",)),
    ),
    key=(),
    time="at",
    rules=(Rule("currency", "an amount needs its currency", ("amount", "currency"), _amount_without_currency, "currency"),),
)

ledger = Contract(
    "ledger",
    "Events in a chain: each record carries the hash of the one before it, so that a change shows.",
    (
        Column("seq", "int", "1, 2, 3 ... without a gap"),
        Column("prev_hash", "text", "hash of the record before; 64 zeros in the first"),
        Column("hash", "text", "SHA-256 of the record's canonical JSON (RFC 8785) of all columns but this one"),
        Column("event", "text"),
        Column("ref", "text"),
        optional("amount_minor", "int", "in minor units of the currency (cents)"),
        optional("currency", "currency"),
        Column("at", "text", "ISO 8601, verbatim"),
        optional("evidence", "text"),
    ),
    # No key: a number that comes twice is for `settle verify` to tell, not a fault of the file.
    key=(),
)

ledger_verdict = Contract(
    "ledger_verdict",
    "Whether the chain of a ledger holds, and its first bad record.",
    (
        Column("status", "text", one_of=("OK", "BROKEN")),
        Column("records", "int", min=0),
        Column("first_bad_seq", "int", "number of the first bad record; empty where none is bad or the head is not found", null=True),
        Column("rule", "text", "what it breaks: sequence, link, content or head", null=True, one_of=("sequence", "link", "content", "head")),
        Column("expected", "text", null=True),
        Column("got", "text", null=True),
        Column("head", "text", "hash of the last record"),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("status",),
)


def _too_fine() -> pl.Expr:
    import polars as pl

    return (pl.col("amount").cast(pl.Decimal(38, 6)).to_physical() % 1000 != 0).fill_null(False)


_THOUSANDTHS = Rule("decimals", "no currency has more than three decimals: is the decimal mark read right (--decimal)?", ("amount",), _too_fine, "amount")

settlements = Contract(
    "settlements",
    "What marketplaces and payment services say they paid out: lines of each settlement, or one row per payout. Equal rows are lines of their own.",
    (
        Column("settlement_id", "text", "number of the payout, verbatim", aliases=("结算编号", "结算单号", "payout_id", "automatic_payout_id")),
        Column("posted_at", "moment", "day of the payout, or of the line", aliases=("deposit_date", "payout_date", "结算日期", "打款日期")),
        optional("order_id", "text", "order that the line belongs to", aliases=("订单号", "订单编号")),
        Column("type", "text", "sale, refund, fee, storage, reserve, tax, payout ... or the marketplace's own words; empty: the row is a whole payout", required=False, null=True, default="payout", aliases=("transaction_type", "类型", "reporting_category")),
        optional("description", "text", "what the line is for, in the marketplace's words", aliases=("amount_description", "描述", "说明")),
        Column("amount", "decimal", "to the seller +, from the seller -", aliases=("total_amount", "金额", "结算金额")),
        Column("currency", "currency", aliases=("币种", "货币")),
        optional("marketplace", "text", aliases=("marketplace_name", "平台", "站点", "市场")),
    ),
    key=(),
    time="posted_at",
    rules=(_THOUSANDTHS,),
)

bank = Contract(
    "bank",
    "Lines of bank accounts and payment accounts. A row that comes twice to the letter counts as read twice.",
    (
        Column("bank_ref", "text", "number of the line, verbatim", aliases=("流水号", "交易流水号", "银行流水号", "reference")),
        Column("booking_date", "date", aliases=("记账日期", "交易日期", "入账日期", "date")),
        Column("amount", "decimal", "in +, out -", aliases=("金额", "交易金额", "发生额")),
        Column("currency", "currency", aliases=("币种", "货币")),
        optional("text", "text", "what the payer wrote", aliases=("remittance_info", "摘要", "附言", "用途", "memo")),
        optional("counterparty", "text", "who paid", aliases=("对方户名", "对方名称", "counterparty_name")),
    ),
    key=(),
    time="booking_date",
    rules=(_THOUSANDTHS,),
)

matches = Contract(
    "matches",
    "Which bank line paid which settlement, with what was kept back. Settlements that nothing paid stand here too.",
    (
        Column("match_id", "text", "rows of one match share it"),
        Column("settlement_id", "text"),
        Column("bank_ref", "text", "empty where nothing was found; ref#2 for the second row of that number", null=True),
        Column("kind", "text", "1:1, split (one settlement, several bank lines) or merge (one bank line, several settlements)", null=True, one_of=("1:1", "split", "merge")),
        Column("marketplace", "text", null=True),
        Column("expected", "decimal", "the settlement's amount, or the part of it that falls to this bank line", digits=3),
        Column("currency", "currency", "of expected"),
        Column("received", "decimal", "the bank line's amount, or the part of it that falls to this settlement", null=True, digits=3),
        Column("bank_currency", "currency", "of received, fee, gap and fx_cost", null=True),
        Column("fee", "decimal", "kept back as a fee, same currency only", null=True, digits=3),
        Column("gap", "decimal", "expected less received and fee: short (+) or too much (-), same currency only", null=True, digits=3),
        Column("implied_rate", "float", "received per one expected, across currencies", null=True, digits=8),
        Column("mid_rate", "float", "fixing of the booking day", null=True, digits=8),
        Column("spread_bp", "float", "what the conversion cost against the fixing", null=True, unit="bp", digits=1),
        Column("fx_cost", "decimal", "the same in money: expected at the fixing less received", null=True, digits=3),
        Column("payout_date", "date"),
        Column("booking_date", "date", null=True),
        Column("days_lag", "int", "booking less payout date", null=True, unit="days"),
        Column("score", "float", "chance that the match is right, by the evidence", null=True, min=0, max=1, digits=4),
        Column("status", "text", one_of=("auto", "review", "unmatched")),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("match_id", "settlement_id", "bank_ref"),
)

unexplained = Contract(
    "unexplained",
    "Every amount that no match explains, by its name; with the matches they add up to the inputs.",
    (
        Column("side", "text", "where the amount stands: settlement, bank, match (inside a match) or order", one_of=("settlement", "bank", "match", "order")),
        Column("item", "text", "settlement_id, bank_ref, match_id or order_id"),
        Column("kind", "text", "missing, pending, carried, duplicate, control, unknown, outgoing, short, over, digits or unsettled"),
        Column("amount", "decimal", digits=3),
        Column("currency", "currency"),
        Column("date", "date", null=True),
        Column("marketplace", "text", null=True),
        Column("text", "text", "of the bank line", null=True),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("side", "item", "currency", "kind"),
)

recon_totals = Contract(
    "recon_totals",
    "The proof: per currency, what came in is what was matched and what is left, to the last unit.",
    (
        Column("currency", "currency"),
        Column("side", "text", "settlements; bank; gaps (expected less received within matches of one currency)", one_of=("settlements", "bank", "gaps")),
        Column("total", "decimal", digits=3),
        Column("matched", "decimal", "in matches; of gaps: the fees", digits=3),
        Column("open", "decimal", "in unexplained", digits=3),
        Column("proof", "decimal", "total less matched less open: 0", digits=3),
    ),
    key=("currency", "side"),
)

PROFIT_KINDS = ("revenue", "goods", "freight", "duty", "tax", "fees", "storage", "returns", "fx")
_PROFIT = (
    Column("units", "float", "pieces sold", unit="pieces", digits=4),
    Column("units_returned", "float", "pieces sent back", unit="pieces", min=0, digits=4),
    Column("revenue", "decimal", "what buyers paid for pieces sold, shipping included, without the tax charged at the sale", digits=2),
    Column("goods", "decimal", "what the pieces cost", digits=2),
    Column("freight", "decimal", digits=2),
    Column("duty", "decimal", "customs duty that the seller bears (DDP)", digits=2),
    Column("tax", "decimal", "import tax and other charges that the seller bears and cannot reclaim; not what is collected from buyers", digits=2),
    Column("fees", "decimal", "of marketplaces and payment services, advertising included", digits=2),
    Column("storage", "decimal", digits=2),
    Column("returns", "decimal", "revenue given back", digits=2),
    Column("fraud", "decimal", "expected cost of fraud in the order's payment, as it was decided: loss let through, review, good payments declined", digits=2),
    Column("fx", "decimal", "gain (+) or loss (-) between the day of the order and of the payout", digits=2),
    Column("profit", "decimal", "revenue - goods - freight - duty - tax - fees - storage - returns - fraud + fx", digits=2),
)

landed_profit = Contract(
    "landed_profit",
    "What is left of the sales of each SKU in each market when everything known is paid, in home currency.",
    (
        Column("sku", "text", "`*`: costs that belong to no SKU of the order lines"),
        Column("market", "text", "`*`: stock that lies but was not sold, or costs of no market"),
        *_PROFIT,
        Column("margin_pct", "float", "profit / revenue", null=True, unit="%", digits=2),
        Column("currency", "currency"),
        Column("unknown", "text", "cost kinds that no table told of all or some of the lines, joined by |; they count as 0", null=True, default=""),
    ),
    key=("sku", "market"),
)

profit_lines = Contract(
    "profit_lines",
    "The same per order line, in home currency.",
    (
        Column("order_id", "text", "empty: stock that was not sold, or costs of no order", null=True),
        Column("line", "text", null=True),
        Column("sku", "text"),
        Column("market", "text"),
        *_PROFIT,
        Column("currency", "currency"),
        Column("unknown", "text", null=True, default=""),
    ),
    key=("order_id", "line", "sku", "market"),
)
