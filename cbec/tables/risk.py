"""Payments, what became of them, and what is thought of them."""

from __future__ import annotations

from cbec.core.contract import Column, Contract, optional

_TRANSACTION = Column("transaction_id", "text", "verbatim; equal times are ordered by it", aliases=("交易号", "交易编号", "流水号", "tx_id", "payment_id"))

transactions = Contract(
    "transactions",
    "Payments as they came in, with whatever is known of payer, card, device and place. Further numeric columns may be given: a trained model uses them.",
    (
        _TRANSACTION,
        Column("time", "moment", "when it was paid", aliases=("交易时间", "支付时间", "时间", "tx_datetime", "created_at", "paid_at", "timestamp")),
        Column("customer_id", "text", "who paid", aliases=("客户编号", "客户ID", "买家", "用户编号", "buyer_id", "user_id")),
        Column("amount", "decimal", "amount paid; refunds do not belong here", min=0, aliases=("金额", "交易金额", "支付金额", "tx_amount")),
        optional("currency", "currency", "currency of amount; empty = the home currency", aliases=("币种", "货币")),
        optional("card_id", "text", "fingerprint or token of the card, never its number", aliases=("卡号", "银行卡", "card_fingerprint")),
        optional("device_id", "text", "fingerprint of the device", aliases=("设备号", "设备编号", "设备指纹", "device_fingerprint")),
        optional("ip_country", "country", "country of the network address: where it was paid from", aliases=("IP国家", "IP所在国")),
        optional("billing_country", "country", "country of the card's address", aliases=("账单国家", "卡所在国", "card_country")),
        optional("shipping_country", "country", "where the goods go", aliases=("收货国家", "收货国", "ship_to")),
        optional("order_id", "text", "the order it pays", aliases=("订单号", "订单编号", "order", "order_number", "order_no")),
        optional("merchant_id", "text", "shop or terminal where it was paid", aliases=("商户号", "商户编号", "店铺", "terminal_id")),
        optional("email_domain", "text", "what follows the @", aliases=("邮箱域名", "邮箱后缀")),
        optional("payment_method", "text", "card, wallet, transfer ...", aliases=("支付方式", "付款方式")),
        optional("label", "text", "what it turned out to be; empty = not known", one_of=("fraud", "genuine", "unknown", "1", "0", "true", "false"), aliases=("标签", "是否欺诈", "tx_fraud", "is_fraud")),
    ),
    key=("transaction_id",),
    time="time",
    open=True,
)

verdicts = Contract(
    "verdicts",
    "What people found out about transactions. The latest verdict of a transaction holds, and goes before its label.",
    (
        _TRANSACTION,
        Column("verdict", "text", "escalated = not decided yet", one_of=("confirmed", "false_positive", "escalated"), aliases=("结论", "判定")),
        optional("decided_at", "moment", "when it was known; empty = the time of the transaction + the label delay", aliases=("判定时间", "结案时间")),
        optional("analyst", "text", aliases=("审核人",)),
        optional("note", "text", aliases=("备注",)),
    ),
    key=("transaction_id", "decided_at"),
    time="decided_at",
)

scores = Contract(
    "scores",
    "One row per payment: how likely it is fraud, what to do with it, what that costs, and why.",
    (
        _TRANSACTION,
        Column("score", "float", "estimated probability of fraud", min=0, max=1),
        Column("decision", "text", "allow; review = a person looks before it goes on; hold = suspended", one_of=("allow", "review", "hold")),
        Column("expected_loss", "float", "score x amount x loss share: what allowing it is expected to cost", min=0, digits=4),
        Column("reason_1", "text", "the strongest reason, against the customer's own past where there is one"),
        Column("reason_2", "text", null=True),
        Column("reason_3", "text", null=True),
        Column("time", "moment", "of the payment"),
        Column("customer_id", "text"),
        optional("order_id", "text", "the order it pays"),
        Column("amount", "float", "in currency", min=0, digits=4),
        Column("currency", "currency", "of all money here", null=True),
        Column("cost", "float", "expected cost of the decision: loss let through, review, good payments declined", min=0, digits=4),
        Column("runner_up", "text", "the cheapest other decision", one_of=("allow", "review", "hold")),
        Column("runner_up_cost", "float", min=0, digits=4),
        Column("rules", "text", "rules that were met, sorted, joined by |", null=True, default=""),
        Column("reason_codes", "text", "codes of the reasons, strongest first, joined by |"),
        Column("basis", "text", "what the score rests on", one_of=("model", "ensemble")),
    ),
    key=("transaction_id",),
    time="time",
)

training_record = Contract(
    "training_record",
    "Out of time: how well the model orders payments later than those it learnt from, beside what needs no model.",
    (
        Column("method", "text", "model, ensemble (no labels), amount only, random", one_of=("model", "ensemble", "amount_only", "random")),
        Column("verdict", "text", "of the average precisions; a model that is beaten is refused", one_of=("chosen", "refused", "beats the model", "behind the model")),
        Column("from_day", "date", "first day of the judged payments"),
        Column("to_day", "date", "last day of them"),
        Column("payments", "int", "judged payments", min=1),
        Column("frauds", "int", "of them fraud", min=0),
        Column("average_precision", "float", "area under precision over recall; random = share of frauds", min=0, max=1, digits=4),
        Column("auc", "float", "area under the ROC curve; random = 0.5", min=0, max=1, digits=4),
        Column("precision_at_capacity", "float", "share of frauds among the payments that a day's reviews reach", min=0, max=1, digits=4),
        Column("recall_at_capacity", "float", "share of all frauds that they find", min=0, max=1, digits=4),
        Column("value_recall_at_capacity", "float", "share of the money of all frauds that they find", min=0, max=1, digits=4),
        Column("brier", "float", "mean squared error of the probability; empty where the method gives none", null=True, digits=6),
    ),
    key=("method",),
)
