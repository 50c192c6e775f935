"""Rates, what is open in foreign currencies, and the hedges against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cbec.core.contract import Column, Contract, Rule, optional

if TYPE_CHECKING:
    import polars as pl

rates = Contract(
    "rates",
    "Exchange rates: one unit of base costs `rate` units of quote.",
    (
        Column("date", "date", "fixing day", aliases=("日期",)),
        Column("base", "currency", aliases=("基准货币", "currency")),
        Column("quote", "currency", aliases=("计价货币",)),
        Column("rate", "float", "quote per one base", above=0, digits=10, aliases=("汇率",)),
        Column("source", "text", "who fixed it", required=False, null=True, aliases=("来源",)),
    ),
    key=("date", "base", "quote", "source"),
    time="date",
)

policy_rates = Contract(
    "policy_rates",
    "Short-term interest rates by currency; a rate holds from its date until the next one.",
    (
        Column("date", "date", "day from which the rate is known", aliases=("日期", "生效日期")),
        Column("currency", "currency", aliases=("币种", "货币")),
        Column("rate_pct", "float", "simple interest per year", unit="%", min=-20, digits=6, aliases=("利率", "政策利率", "rate_percent")),
    ),
    key=("date", "currency"),
    time="date",
)


def _paid_but_positive() -> pl.Expr:
    import polars as pl

    return (pl.col("type") == "AP") & (pl.col("amount") > 0)


exposures = Contract(
    "exposures",
    "Money that will come in or go out, by currency and day.",
    (
        Column("exposure_id", "text", "your own number, verbatim", aliases=("敞口编号", "编号", "单据号")),
        Column("type", "text", "AR receivable, AP payable, PAYOUT of a marketplace, FORECAST of sales or purchases", one_of=("AR", "AP", "PAYOUT", "FORECAST"), aliases=("类型", "敞口类型")),
        Column("currency", "currency", aliases=("币种", "货币")),
        Column("amount", "decimal", "in +, out -", aliases=("金额", "敞口金额")),
        Column("due_date", "date", "day on which it is to be paid; earlier than the as-of date = overdue", aliases=("到期日", "预计收付日期", "收付款日期")),
        optional("probability", "float", "chance that it comes about; empty = certain", min=0, max=1, aliases=("概率",)),
    ),
    key=("exposure_id",),
    rules=(
        Rule("payable_sign", "a payable goes out: its amount is negative", ("type", "amount"), _paid_but_positive, "amount"),
    ),
)

hedges = Contract(
    "hedges",
    "Forwards that stand: one currency bought against another for a day to come.",
    (
        Column("hedge_id", "text", "number of the deal, verbatim", aliases=("套保编号", "交易编号", "合约编号")),
        Column("instrument", "text", "FWD forward, NDF, SWAP (one row per leg)", required=False, null=True, default="FWD", one_of=("FWD", "NDF", "SWAP"), aliases=("工具", "产品")),
        optional("trade_date", "date", "day of the deal", aliases=("交易日", "成交日")),
        Column("value_date", "date", "day of exchange", aliases=("交割日", "起息日")),
        Column("buy_currency", "currency", aliases=("买入币种",)),
        Column("buy_amount", "decimal", min=0, aliases=("买入金额",)),
        Column("sell_currency", "currency", aliases=("卖出币种",)),
        Column("sell_amount", "decimal", min=0, aliases=("卖出金额",)),
        optional("counterparty", "text", aliases=("交易对手", "银行")),
    ),
    key=("hedge_id",),
    time="trade_date",
)

FX_QUANTILES = ("q01", "q05", "q10", "q25", "q50", "q75", "q90", "q95", "q99")
FX_LEVELS = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)

fx_forecast = Contract(
    "fx_forecast",
    "A rate to come as a distribution, per pair and horizon; pairs that cannot be told have no figures and say why.",
    (
        Column("base", "currency"),
        Column("quote", "currency"),
        Column("as_of", "date", "last day known to the forecast"),
        Column("horizon_days", "int", "business days (fixings) ahead", unit="business days", min=1),
        Column("target_date", "date", "the day ahead, weekends left out"),
        Column("spot", "float", "last fixing, quote per one base", null=True, digits=8),
        Column("mean", "float", "expected rate of the distribution (its median is q50)", null=True, digits=8),
        Column("sd", "float", "standard deviation of the rate", null=True, digits=8),
        *(Column(q, "float", f"quantile {level:g} of the rate", null=True, digits=8) for q, level in zip(FX_QUANTILES, FX_LEVELS, strict=True)),
        Column("model", "text", "where the centre comes from: random_walk, forward, autoregression, reversion, or none"),
        Column("rw_ratio", "float", "root mean squared log error of this procedure over that of no change, past origins", null=True, digits=6),
        Column("p_value", "float", "of the best predictive model being no better than no change (one-sided, blocks)", null=True, min=0, max=1, digits=4),
        Column("origins", "int", "past origins that the record stands on", min=0),
        Column("coverage_90", "float", "share of past outcomes between q05 and q95", null=True, min=0, max=1, digits=4),
        Column("kupiec_p", "float", "p-value of Kupiec's test that 1 % of outcomes fell below q01 (one day ahead only)", null=True, min=0, max=1, digits=4),
        Column("verdict", "text", "what the record says, in words"),
    ),
    key=("base", "quote", "horizon_days"),
    time="as_of",
)

fx_history = Contract(
    "fx_history",
    "The last fixings of each pair as the methods saw them, with their volatility.",
    (
        Column("base", "currency"),
        Column("quote", "currency"),
        Column("date", "date"),
        Column("rate", "float", "quote per one base", above=0, digits=8),
        Column("volatility", "float", "expected of the next day, per year (250 days), as a share", null=True, min=0, digits=6),
    ),
    key=("base", "quote", "date"),
    time="date",
)

exposure_report = Contract(
    "exposure_report",
    "Open money by currency and time, netted and after hedges, with its risk in home currency.",
    (
        Column("currency", "currency"),
        Column("bucket", "text", "month, week or quarter of the due dates; overdue counts as the first"),
        Column("value_date", "date", "mean due date of the bucket, by size"),
        Column("gross_in", "float", "expected, in the row's currency", min=0, digits=2),
        Column("gross_out", "float", "expected, in the row's currency", max=0, digits=2),
        Column("net", "float", "gross_in + gross_out", digits=2),
        Column("hedged", "float", "forwards that stand: sold -, bought +", digits=2),
        Column("open", "float", "net + hedged", digits=2),
        Column("spot", "float", "home currency per unit", above=0, digits=8),
        Column("home_value", "float", "open x spot", digits=2),
        Column("var", "float", "loss in home currency that is passed with chance 1 - level, this row alone", digits=2),
        Column("cvar", "float", "mean loss beyond it, this row alone", digits=2),
        Column("cvar_share", "float", "this row's part of the CVaR of all rows together; they add up to it; negative = it offsets others", digits=2),
    ),
    key=("currency", "bucket"),
)

currency_risk = Contract(
    "currency_risk",
    "Per currency over all days: what nets out, what stays open, how much of the risk it is.",
    (
        Column("currency", "currency"),
        Column("gross_in", "float", min=0, digits=2),
        Column("gross_out", "float", max=0, digits=2),
        Column("net", "float", digits=2),
        Column("hedged", "float", digits=2),
        Column("open", "float", digits=2),
        Column("netted", "float", "share of the smaller side that payments the other way cover within the same bucket", min=0, max=1, digits=4),
        Column("home_value", "float", "open x spot", digits=2),
        Column("var", "float", digits=2),
        Column("cvar", "float", "mean loss beyond var, this currency alone", digits=2),
        Column("cvar_share", "float", "its part of the CVaR of all currencies together", digits=2),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("currency",),
)

hedge_plan = Contract(
    "hedge_plan",
    "What to sell or buy forward, per currency and value date, and what it does to cost and risk.",
    (
        Column("currency", "currency"),
        Column("bucket", "text", "month, week or quarter of the due dates"),
        Column("value_date", "date"),
        Column("action", "text", "sell_forward, buy_forward or none", one_of=("sell_forward", "buy_forward", "none")),
        Column("notional", "float", "amount of the forward in the row's currency", min=0, digits=2),
        Column("spot", "float", "home currency per unit", above=0, digits=8),
        Column("forward", "float", "mid outright by covered interest parity, home currency per unit", above=0, digits=8),
        Column("carry", "float", "cost of the forward points in home currency; negative = they pay", digits=2),
        Column("spread", "float", "cost of half the bid-ask spread in home currency", min=0, digits=2),
        Column("cost", "float", "carry + spread", digits=2),
        Column("net", "float", "expected flow in the row's currency", digits=2),
        Column("open_before", "float", "net and the forwards that stand", digits=2),
        Column("open_after", "float", "with this forward too", digits=2),
        Column("ratio_before", "float", "share of net that is hedged today", null=True, digits=4),
        Column("ratio_after", "float", null=True, digits=4),
        Column("cvar_before", "float", "this row's part of the CVaR of all rows today", digits=2),
        Column("cvar_after", "float", "its part of the CVaR under the plan", digits=2),
        Column("policy_check", "text", "ok, ok_within_step, below_min, above_max or no_exposure", one_of=("ok", "ok_within_step", "below_min", "above_max", "no_exposure")),
        Column("reason_code", "text"),
        Column("reason", "text"),
    ),
    key=("currency", "bucket"),
)

hedge_choices = Contract(
    "hedge_choices",
    "The plan beside the simple ways: what each costs and what risk it leaves.",
    (
        Column("choice", "text", "do_nothing, hedge_half, hedge_all, hedge_gross or proposed"),
        Column("traded", "float", "value of new forwards in home currency", min=0, digits=2),
        Column("spread", "float", min=0, digits=2),
        Column("carry", "float", "cost of forward points; negative = they pay", digits=2),
        Column("sd", "float", "standard deviation of the home value", min=0, digits=2),
        Column("var", "float", digits=2),
        Column("cvar", "float", "mean loss beyond var", digits=2),
        Column("total", "float", "cvar + spread + carry where it costs (points that pay are not counted)", digits=2),
        Column("in_policy", "bool", "every row within the band"),
    ),
    key=("choice",),
)
