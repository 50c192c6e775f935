"""Rules that need no training and always raise an alert: amount jumps, location switching, bursts, shared devices."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

JUMP, SWITCH, BURST, RING = "amount_jump", "location_switch", "burst", "shared_device"
RULES = (JUMP, SWITCH, BURST, RING)
#: The two that suspend a payment; the others ask for a look.
NAMED = (JUMP, SWITCH)
JUMP_Z = 3.5  # customary cut of a robust z (Iglewicz and Hoaglin, 1993)


@dataclass(frozen=True)
class Limits:
    """Where the rules begin.

    jump_ratio: amount over the median of the customer's last payments (and a robust z of 3.5 at least);
    switch_countries: countries within 24 hours, or as many moves between them; burst: payments within an hour by
    one customer, card or device; ring_customers: customers that came to one device or card within 30 days.
    """

    jump_ratio: float
    switch_countries: int
    burst: int
    ring_customers: int


def flags(features: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """One Boolean column per rule, in the order of the rows."""
    moved = pl.col("_moved") > 0
    places = pl.max_horizontal("countries_24h", "moves_24h") >= limits.switch_countries
    shared = pl.max_horizontal("device_new_customers_30d", "card_new_customers_30d") >= limits.ring_customers
    found = {
        JUMP: (pl.col("amount_ratio") >= limits.jump_ratio) & (pl.col("amount_z") >= JUMP_Z),
        # Who stays in the last place after a journey is no longer switching.
        SWITCH: places & moved,
        BURST: pl.col("burst_1h") >= limits.burst,
        RING: shared,
    }
    return features.select(rule.fill_null(False).alias(name) for name, rule in found.items())


def joined(flagged: pl.DataFrame) -> pl.Series:
    """The rules that a payment met, sorted, joined by |; empty for none."""
    words = [pl.when(name).then(pl.lit(name)) for name in sorted(flagged.columns)]
    return flagged.select(pl.concat_str(words, separator="|", ignore_nulls=True).alias("rules")).to_series()
