"""Fill rates that the levels of (R, S) reach where the demand is known: most of all of what hardly sells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support import stockroom as room

from cbec.methods import protection
from cbec.methods import terms as policy
from cbec.methods.forecast import orders

UNITS = np.arange(400)
PERIODS = 26


def law(mean, ratio):
    """Counts with that ratio variance / mean, whatever the time: compound Poisson demand."""
    return stats.poisson(mean) if ratio == 1 else stats.nbinom(mean / (ratio - 1), 1 / ratio)


def short(mean, ratio, level):
    return (np.maximum(UNITS - level, 0) * law(mean, ratio).pmf(UNITS)).sum() if mean else 0.0


def reached(mean, ratio, lead, review, level):
    """The share of demand served in the long run (Silver, Pyke & Peterson), `mean` being that of lead time + review."""
    per_day = mean / (lead + review)
    return 1 - (short(mean, ratio, level) - short(per_day * lead, ratio, level)) / (per_day * review)


def levels(means, ratio, lead, review, **targets):
    """Order-up-to levels of items of these means, forecast for half a year."""
    names = [f"s{i}" for i in range(len(means))]
    parts = [
        room.series(
            [law(mean / (lead + review) * 7 * h, ratio) for h in range(1, PERIODS + 1)], frequency="W", sku=name
        )
        for name, mean in zip(names, means, strict=True)
    ]
    forecast = room.forecast(*parts)
    clock = protection.clock(forecast, None)
    linked = protection.link(forecast, room.serves(), clock)
    policies = room.policy({"lead_time_days": float(lead), "review_days": float(review), **targets})
    terms = policy.choose(linked.items, policies, None, service_level=0.95, review_days=7.0, holding_rate=0.25)
    demand = protection.demand(linked, clock, terms.protection, terms.service, 0.0, ~np.isnan(terms.fill))
    held = policy.stock(linked.items, room.stock(*[{"sku": name} for name in names]), None, clock)
    return orders.plan(demand, terms, held).order_up_to


@pytest.mark.parametrize("ratio", [1, 1.5, 3, 6])
@pytest.mark.parametrize(("lead", "review"), [(0, 7), (28, 7)])
def test_what_hardly_sells_reaches_its_fill_rate(ratio, lead, review):
    means, target = (0.05, 0.1, 0.3, 1, 5), 0.95
    found = levels(means, ratio, lead, review, fill_rate=target)
    for mean, level in zip(means, found, strict=True):
        assert reached(mean, ratio, lead, review, level) >= target - 0.025, (mean, level)
        if level > 1:  # nor is much more held than that takes
            assert reached(mean, ratio, lead, review, np.floor(0.7 * level) - 1) < target, (mean, level)


def test_independent_buyers_of_one_unit_need_one():
    # Poisson, .02 units expected: one unit serves 985 of 1,000 buyers.
    assert levels((0.02,), 1, 28, 28, fill_rate=0.98)[0] == 1


def test_a_service_level_beside_a_fill_rate_stays_the_forecasts_own():
    both = levels((0.2, 4), 3, 7, 7, fill_rate=0.5, service_level=0.95)
    assert both.tolist() == [law(mean, 3).ppf(0.95) for mean in (0.2, 4)]
