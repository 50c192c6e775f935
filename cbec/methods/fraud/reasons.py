"""Why a payment stands out, in words: the strongest families of features, each told against the customer's own past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core import reasons as catalogue_of_reasons
from cbec.methods.fraud import rules
from cbec.methods.fraud.catalogue import REASON_OF, REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHOWN = 3
#: A rule that was met is told before anything else.
RULE_STRENGTH = 1e6
REASON_OF_RULE = {rules.JUMP: "amount", rules.SWITCH: "places", rules.BURST: "burst", rules.RING: "shared_device"}
#: Below these a family is no reason: a tail of one in ten; a fifth of a unit of log odds.
LEAST_EVIDENCE, LEAST_CONTRIBUTION = float(np.log(10)), 0.2


def strengths(by_feature: Mapping[str, NDArray[np.floating]], rows: int, add: bool) -> Floats:
    """Rows x families. add: contributions of a family's features add up; evidence is that of the strongest one."""
    out = np.zeros((rows, len(REASONS)))
    for name, value in by_feature.items():
        if name not in REASON_OF:
            continue
        column = REASONS.index(REASON_OF[name])
        out[:, column] = out[:, column] + value if add else np.maximum(out[:, column], value)
    return out


def tell(frame: pl.DataFrame, flagged: pl.DataFrame, strength: Floats, least: float, language: str) -> pl.DataFrame:
    """Columns reason_1..3 and reason_codes for these payments.

    frame: their features; flagged: the rules they met; strength: rows x families; least: what counts as a reason.
    """
    strength = np.where(frame.select(_worth_telling()).to_numpy(), strength, 0.0) if frame.height else strength.copy()
    for rule, family in REASON_OF_RULE.items():
        met = flagged[rule].to_numpy()
        if family == "shared_device":  # one rule for devices and cards: the fuller one is told
            on_card = _more_on_card(frame)
            strength[met & on_card, REASONS.index("shared_card")] += RULE_STRENGTH
            met = met & ~on_card
        strength[met, REASONS.index(family)] += RULE_STRENGTH
    order = np.argsort(-strength, axis=1, kind="stable")[:, :SHOWN]
    codes = frame.with_columns(_parameters()).with_columns(_codes())
    chosen: list[pl.Series] = []
    for place in range(SHOWN):
        at = order[:, place] if frame.height else np.zeros(0, dtype=np.int64)
        enough = strength[np.arange(len(at)), at] >= least
        names = [f"_code_{r}" for r in REASONS]
        picked = codes.select(names).to_numpy()[np.arange(len(at)), at] if len(at) else np.zeros(0, dtype=object)
        chosen.append(
            pl.Series(f"_code{place + 1}", [c if ok else None for c, ok in zip(picked, enough, strict=True)], pl.String)
        )
    return _render(codes.with_columns(chosen).with_columns(pl.col("_code1").fill_null("fraud_together")), language)


def usual(frame: pl.DataFrame, language: str) -> pl.DataFrame:
    """The same columns for payments that are let through: nothing stands out."""
    code = pl.when(pl.col("own_n") > 0).then(pl.lit("fraud_usual")).otherwise(pl.lit("fraud_first"))
    nothing = pl.lit(None, pl.String)
    told = frame.select(pl.col("own_n").cast(pl.Float64).alias("_p_n"), code.alias("_code1"))
    return _render(told.with_columns(_code2=nothing, _code3=nothing), language)


def _render(frame: pl.DataFrame, language: str) -> pl.DataFrame:
    out = []
    for place in range(1, SHOWN + 1):
        told = catalogue_of_reasons.render(frame.with_columns(reason_code=f"_code{place}"), language)
        out.append(told["reason"].alias(f"reason_{place}"))
    codes = frame.select(
        pl.concat_str([f"_code{p}" for p in range(1, SHOWN + 1)], separator="|", ignore_nulls=True).alias(
            "reason_codes"
        )
    )
    return pl.DataFrame([*out, codes["reason_codes"]])


def _more_on_card(frame: pl.DataFrame) -> NDArray[np.bool_]:
    card, device = pl.col("card_new_customers_30d").fill_null(0), pl.col("device_new_customers_30d").fill_null(0)
    return frame.select(card > device).to_series().to_numpy()


def _parameters() -> list[pl.Expr]:
    def whole(value: pl.Expr | str) -> pl.Expr:
        return (pl.col(value) if isinstance(value, str) else value).cast(pl.Float64).fill_null(0.0)

    def word(name: str) -> pl.Expr:
        return pl.col(name).fill_null("?")

    found = {
        "_p_amount": whole("amount"),
        "_p_ratio": whole("amount_ratio"),
        "_p_median": whole("own_median"),
        "_p_n": whole("own_n"),
        "_p_last": whole("own_recent"),
        "_p_burst": whole("burst_1h"),
        "_p_week": whole(pl.col("customer_n_30d") * 7 / 30),
        "_p_day": whole(pl.col("customer_n_30d") / 30),
        "_p_24h": whole("customer_n_24h"),
        "_p_sum": whole("customer_sum_24h"),
        "_p_countries": whole("countries_24h"),
        "_p_moves": whole("moves_24h"),
        "_p_here": word("ip_country"),
        "_p_before": word("_last_country"),
        "_p_here_share": whole(100 * pl.col("own_ip_share")),
        "_p_billing": word("billing_country"),
        "_p_shipping": word("shipping_country"),
        "_p_email": word("email_domain"),
        "_p_method": word("payment_method"),
        "_p_device_share": whole(100 * pl.col("own_device_share")),
        "_p_card_share": whole(100 * pl.col("own_card_share")),
        "_p_hour": whole("hour"),
        "_p_night_share": whole(
            100 * (pl.col("own_night_share") * (pl.col("own_n") + 10) - 0.5) / pl.col("own_n").clip(1)
        ),
        "_p_device_customers": whole("device_new_customers_30d"),
        "_p_card_customers": whole("card_new_customers_30d"),
        "_p_device_cards": whole("device_new_cards_24h"),
        "_p_own_cards": whole("customer_new_cards_24h"),
        "_p_merchant_24h": whole("merchant_n_24h"),
        "_p_merchant_day": whole(pl.col("merchant_n_30d") / 30),
        "_p_merchant_unusual": whole("merchant_unusual_7d"),
        "_p_unusual": whole("customer_unusual_30d"),
        "_p_country_hour": whole("ip_n_1h"),
        "_p_country_day": whole(pl.col("ip_n_30d") / 30),
    }
    for entity in ("customer", "card", "device", "merchant", "email"):
        found |= {f"_p_{entity}_{what}": whole(f"{entity}_{what}_30d") for what in ("judged", "frauds")}
    return [value.alias(name) for name, value in found.items()]


def _worth_telling() -> list[pl.Expr]:
    """Per family whether its sentence would say anything: a model may lean on a quite ordinary value."""
    col = pl.col
    when = {
        "amount": col("amount_ratio").is_null() | (col("amount_ratio") >= 1.2) | (col("amount_ratio") <= 0.5),
        "burst": col("burst_1h") >= 2,
        "places": (col("moves_24h") > 0) | (col("countries_24h") > 1),
        "new_country": col("own_ip_share") < 0.5,
        "country_pace": col("ip_n_1h") > 0,
        "mismatch": pl.any_horizontal(
            col(f"{a}_differ") == 1 for a in ("ip_billing", "ip_shipping", "billing_shipping")
        ),
        "new_device": col("own_device_share") < 0.5,
        "new_card": col("own_card_share") < 0.5,
        "email": col("email_rarity") >= 3,  # one payment in twenty
        "method": col("method_rarity") >= 2,
        "night": col("hour") < 6,
        "pace": (col("customer_n_24h") > 0) & (col("customer_pace") > 1.5),
        "unusual": col("customer_unusual_30d") > 0,
        "shared_device": col("device_new_customers_30d") > 1,
        "shared_card": col("card_new_customers_30d") > 1,
        "cards": (col("device_new_cards_24h") > 1) | (col("customer_new_cards_24h") > 0),
        "newcomer": col("own_n") < 10,
        "merchant": col("merchant_pace") >= 2,
        "merchant_unusual": col("merchant_unusual_7d") > 0,
    }
    # A domain that half of the customers have is no reason for its few frauds.
    judged = {f"{e}_frauds": col(f"{e}_risk_30d") >= 0.05 for e in ("customer", "card", "device", "merchant", "email")}
    return [(when | judged)[r].fill_null(False).alias(r) for r in REASONS]


def _codes() -> list[pl.Expr]:
    """Per family the code of the sentence that fits the payment."""

    def either(condition: pl.Expr, yes: str, no: str) -> pl.Expr:
        return pl.when(condition.fill_null(False)).then(pl.lit(yes)).otherwise(pl.lit(no))

    special = {
        "amount": either(pl.col("amount_ratio").is_not_null(), "fraud_amount_own", "fraud_amount_few"),
        "new_country": either(pl.col("ip_new") == 1, "fraud_new_country", "fraud_country_share"),
        "new_device": either(pl.col("device_new") == 1, "fraud_new_device", "fraud_device_share"),
        "pace": either(pl.col("customer_n_30d") > pl.col("customer_n_24h"), "fraud_pace", "fraud_pace_first"),
        "new_card": either(pl.col("card_new") == 1, "fraud_new_card", "fraud_card_share"),
    }
    return [special.get(r, pl.lit(f"fraud_{r}")).alias(f"_code_{r}") for r in REASONS]


def of_known_frauds(frame: pl.DataFrame, evidence: Floats) -> Floats:
    """Rows x families: the evidence of known frauds, given to the entity with the largest share of them."""
    out = np.zeros((frame.height, len(REASONS)))
    names = ("customer", "card", "device", "merchant", "email")
    shares = frame.select(pl.col(f"{e}_risk_30d").fill_null(0.0) for e in names).to_numpy()
    worst = shares.argmax(axis=1) if frame.height else np.zeros(0, dtype=np.int64)
    column = np.array([REASONS.index(f"{e}_frauds") for e in names])[worst]
    some = shares.max(axis=1, initial=0.0) > 0
    out[np.arange(frame.height)[some], column[some]] = evidence[some]
    return out
