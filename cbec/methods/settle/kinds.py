"""What a line of a settlement is: marketplaces' words, in English or Chinese, into a few classes.

The words of `description` go before those of `type`: a commission on an order is a fee, though its type is Order.
"""

from __future__ import annotations

import polars as pl

CLASSES = ("payout", "reserve", "storage", "fee", "tax", "refund", "sale", "other")

#: Classes by a pattern over the line's words, the first that fits; `payout` and `sale` by the type alone.
_PAYOUT = r"^(payout|payouts|transfer|settlement|disbursement|deposit|withdrawal|提现|打款|结算|放款)$"
_WORDS = (
    ("reserve", r"\breserves?\b|negative balance|\bcarried\b|carry ?forward|预留|准备金"),
    ("storage", r"\bstorage\b|仓储|仓租"),
    ("fee", r"\bfees?\b|commission|advertis|sponsored|subscription|\bfba\b|processing|佣金|手续费|广告|服务费|月租|配送费"),
    ("tax", r"\btax(es)?\b|\bvat\b|\bgst\b|税"),
    ("refund", r"\brefund|\breturns?\b|chargeback|dispute|reversal|退款|退货"),
    ("sale", r"\borders?\b|\bsales?\b|principal|\bprice\b|product|\bcharge\b|shipping|gift ?wrap|promo|货款|订单|销售|运费"),
)  # fmt: skip


def classify(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `class` (one of CLASSES) to lines with `type` and `description`."""
    words = lines.select("type", "description").unique(maintain_order=True)
    kind, text = _plain("type"), _plain("description")
    told = [("payout", kind.str.contains(_PAYOUT))]
    told += [(name, text.str.contains(p) | kind.str.contains(p)) for name, p in _WORDS[:4]]
    # The type says whether money came or went, whatever it is for.
    told += [(name, kind.str.contains(p)) for name, p in _WORDS[4:]]
    told += [(name, text.str.contains(p)) for name, p in _WORDS[4:]]
    first = pl.coalesce(*(pl.when(fits).then(pl.lit(name)) for name, fits in told), pl.lit("other"))
    words = words.with_columns(first.alias("class"))
    return lines.join(words, on=["type", "description"], how="left", nulls_equal=True, maintain_order="left")


def _plain(column: str) -> pl.Expr:
    """Lower case, with the words of `LongTermStorage` and `long_term_storage` apart."""
    apart = pl.col(column).fill_null("").str.replace_all(r"([a-z])([A-Z])", "$1 $2").str.replace_all(r"[_\-]+", " ")
    return apart.str.to_lowercase().str.strip_chars()
