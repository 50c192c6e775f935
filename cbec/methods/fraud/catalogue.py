"""Which features there are, which reason each of them speaks for, and which of their tails is odd."""

from __future__ import annotations

from typing import Literal, NamedTuple

from cbec.methods.fraud.features import JUDGED, PAYING, RISK_DAYS, WINDOWS

Tail = Literal["high", "low", ""]


class Feature(NamedTuple):
    """One feature. reason: the family it speaks for; tail: the side on which it is odd without any label, if any."""

    name: str
    reason: str
    tail: Tail = ""


def _every() -> tuple[Feature, ...]:
    found = [
        Feature("amount", "amount", "high"),
        Feature("amount_ratio", "amount"),
        Feature("amount_ratio_max", "amount"),
        Feature("amount_z", "amount", "high"),
        Feature("own_median", "amount"),
        Feature("own_max", "amount"),
        Feature("own_recent", "newcomer", "low"),
        Feature("own_age_days", "newcomer"),
        Feature("gap_hours", "pace"),
        Feature("hour", "night"),
        Feature("night", "night"),
        Feature("weekend", "night"),
        Feature("own_night_share", "night"),
        Feature("moves_24h", "places", "high"),
        Feature("moves_7d", "places"),
        Feature("countries_24h", "places", "high"),
        Feature("ip_new", "new_country", "high"),
        Feature("own_ip_share", "new_country"),
        Feature("ip_rarity", "new_country", "high"),
        Feature("ip_billing_differ", "mismatch", "high"),
        Feature("ip_shipping_differ", "mismatch", "high"),
        Feature("billing_shipping_differ", "mismatch", "high"),
        Feature("device_new", "new_device", "high"),
        Feature("card_new", "new_card", "high"),
        Feature("email_new", "email"),
        Feature("email_rarity", "email", "high"),
        Feature("email_n_24h", "email"),
        Feature("method_rarity", "method", "high"),
        Feature("burst_1h", "burst", "high"),
        Feature("device_customers", "shared_device", "high"),
        Feature("device_new_customers_24h", "shared_device"),
        Feature("device_new_customers_30d", "shared_device", "high"),
        Feature("card_customers", "shared_card", "high"),
        Feature("card_new_customers_24h", "shared_card"),
        Feature("card_new_customers_30d", "shared_card"),
        Feature("device_cards", "cards", "high"),
        Feature("device_new_cards_24h", "cards", "high"),
        Feature("device_new_cards_30d", "cards"),
        Feature("customer_new_cards_24h", "cards", "high"),
        Feature("customer_new_devices_24h", "new_device", "high"),
        Feature("merchant_new", "merchant"),
        Feature("own_merchant_share", "merchant"),
        Feature("own_device_share", "new_device"),
        Feature("own_card_share", "new_card"),
        Feature("ip_pace", "country_pace", "high"),
    ]
    for entity in PAYING:
        reason = "merchant" if entity == "merchant" else "pace"
        found += [Feature(f"{entity}_{what}_{w}", reason) for w in WINDOWS for what in ("n", "sum")]
        found += [
            Feature(f"{entity}_mean_{w}", "merchant" if entity == "merchant" else "amount")
            for w in ("24h", "7d", "30d")
        ]
        found.append(Feature(f"{entity}_pace", reason, "" if entity == "merchant" else "high"))
        odd = "merchant_unusual" if entity == "merchant" else "unusual"
        found += [Feature(f"{entity}_unusual_7d", odd, "high"), Feature(f"{entity}_unusual_30d", odd)]
    found += [Feature(f"ip_n_{w}", "country_pace") for w in ("1h", "24h", "30d")]
    for entity in JUDGED:
        told = ("judged", "frauds", "risk")
        found += [Feature(f"{entity}_{what}_{d}d", f"{entity}_frauds") for d in RISK_DAYS for what in told]
    return tuple(found)


FEATURES = _every()
NAMES = tuple(f.name for f in FEATURES)
REASON_OF = {f.name: f.reason for f in FEATURES}
REASONS = tuple(sorted(set(REASON_OF.values())))
ODD = tuple(f for f in FEATURES if f.tail)
