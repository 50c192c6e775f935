"""The connection between two lanes against simulated days."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest
from support import freight
from support.stockroom import table

from cbec.methods.route import carbon, connections, world

DAY = (freight.READY - date(1970, 1, 1)).days
TERMS = world.Terms(None, 0.1, 0.01, 0.15, 2.0, 30)


def built(onward, dwell=2.0, dwell_sd=0.0, **first):
    cards = freight.lanes(freight.lane("A", destination="HUB", **first), freight.lane("B", origin="HUB", **onward))
    nodes = table("nodes", [{"node": "HUB", "kind": "port", "dwell_days": dwell, "dwell_sd_days": dwell_sd}])
    return world.build(cards, nodes, None, None, carbon.load(), (DAY, DAY), freight.READY, "EUR", TERMS)


def link(made):
    mean, var = made.mean[:1], made.var[:1]
    return connections.connect(made, np.array([0]), np.array([DAY]), mean, var, np.array([1]))


def test_a_certain_arrival_takes_the_next_departure():
    found = link(built({"departures": "Fri"}, transit_days=10.0))
    # Monday 5 + 10 days + 2 of dwell = Saturday 17; the next Friday is the 23rd, day 18.
    assert (found.mean[0], found.var[0], found.planned[0]) == (18, 0, DAY + 18)
    assert found.goes.all()


def test_cut_off_days_come_before_the_departure():
    found = link(built({"departures": "Mon", "cutoff_days": 2.0}, transit_days=10.0))
    assert found.mean[0] == 14  # Saturday + 2 = Monday
    found = link(built({"departures": "Mon", "cutoff_days": 3.0}, transit_days=10.0))
    assert found.mean[0] == 21


@pytest.mark.parametrize("departures", ["Mon|Thu", "Fri", "daily"])
@pytest.mark.parametrize("sd", [0.8, 5.0])
def test_a_spread_arrival_waits_as_simulated(departures, sd):
    found = link(
        built({"departures": departures, "cutoff_days": 1.0}, transit_days=30.0, transit_sd_days=sd, dwell_sd=1.0)
    )
    rng = np.random.default_rng(1)
    mean, var = 32.0, sd**2 + 1.0
    ready = rng.gamma(mean**2 / var, var / mean, 100_000)
    days = {"Mon|Thu": (0, 3), "Fri": (4,), "daily": range(7)}[departures]
    wanted = np.ceil(ready + 1).astype(int)
    leaves = np.min([wanted + (d - (DAY + 3 + wanted)) % 7 for d in days], axis=0)
    assert found.mean[0] == pytest.approx(leaves.mean(), abs=0.05)
    assert math.sqrt(found.var[0]) == pytest.approx(leaves.std(), abs=0.05)


def test_who_misses_the_last_departure_waits_the_longest_wait():
    last = date(2026, 10, 18)
    found = link(built({"valid_to": last}, dwell=0.0, transit_days=10.0, transit_sd_days=4.0))
    free = link(built({}, dwell=0.0, transit_days=10.0, transit_sd_days=4.0))
    assert found.goes.all() and found.planned[0] == DAY + 10
    assert found.mean[0] > free.mean[0] + 3
    late = link(built({"valid_to": date(2026, 10, 10)}, dwell=0.0, transit_days=10.0))
    assert not late.goes.any()


def test_many_connections_are_the_same_one_by_one():
    made = built({"departures": "Tue|Sat"}, transit_days=20.0, transit_sd_days=3.0)
    starts = DAY + np.arange(12)
    row, onward = np.zeros(12, dtype=np.int64), np.ones(12, dtype=np.int64)
    mean, var = np.full(12, 20.0), np.full(12, 9.0)
    whole = connections.connect(made, row, starts, mean, var, onward)
    for i in range(12):
        part = slice(i, i + 1)
        one = connections.connect(made, row[part], starts[part], mean[part], var[part], onward[part])
        assert (one.mean[0], one.var[0], one.planned[0]) == (whole.mean[i], whole.var[i], whole.planned[i])
