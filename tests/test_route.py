"""`route plan` as a whole: costs reckoned by hand, choices, what must always hold, the command line."""

from __future__ import annotations

import random
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import stats
from support import freight
from support.stockroom import table

from cbec import tables
from cbec.core import check, reasons
from cbec.core.errors import InputRejected, UsageFault
from cbec.core.money import Headline
from cbec.route import Plan

READY = freight.READY


def test_one_shipment_by_hand():
    goods = freight.shipments(
        {"weight_kg": 500.0, "volume_m3": 3.0, "goods_value": 20000.0, "capital_rate": 0.1, "late_cost_per_day": 50.0,
         "due_date": date(2026, 11, 10)}
    )  # fmt: skip
    card = freight.lane(
        cost_fixed=40.0, cost_min=60.0, cost_per_kg=0.12, dim_divisor=1000.0, surcharge_pct=10.0, transit_days=34.0,
        transit_sd_days=4.0, departures="Fri", cutoff_days=2.0, loss_rate=0.004, distance_km=20000.0,
    )  # fmt: skip
    row = freight.only(freight.run(goods, freight.lanes(card)))
    assert row["chargeable_kg"] == 3000  # 3 m3 at a tonne per m3
    assert row["freight"] == 400.0  # 40 + 3000 x 0.12
    assert row["surcharges"] == 40.0
    assert row["depart"] == date(2026, 10, 9)  # Monday + 2 days, the next Friday
    assert row["capital_cost"] == round(20000 * 0.1 * (4 + 34) / 365, 2)
    assert row["loss_cost"] == 80.0
    gamma = stats.gamma(34**2 / 16, scale=16 / 34)
    limit = 32.5  # 9 October noon to the end of 10 November
    assert row["p_on_time"] == pytest.approx(gamma.cdf(limit), abs=1e-9)
    assert row["late_cost"] == pytest.approx(50 * gamma.expect(lambda t: t - limit, lb=limit), abs=0.005)
    assert row["total_cost"] == pytest.approx(
        sum(row[c] for c in ("freight", "surcharges", "handling", "capital_cost", "late_cost", "loss_cost"))
    )
    assert row["arrive_p50"] == date(2026, 10, 9) + timedelta(days=int(np.floor(0.5 + gamma.ppf(0.5))))
    assert row["arrive_p90"] == date(2026, 10, 9) + timedelta(days=int(np.floor(0.5 + gamma.ppf(0.9))))
    assert row["co2e_kg"] == pytest.approx(0.5 * 20000 * (0.01612 + 0.00365))
    assert row["reason_code"] == "route_only" and row["runner_up"] is None
    assert freight.flags(row) == {"best_value", "cheapest", "fastest", "greenest", "late_likely"}


def hub(**more):
    blank = {"node": "HUB", "kind": "port", "dwell_days": 2.0, "dwell_sd_days": 0.0, "cost_per_kg": 0.05}
    return table("nodes", [blank | {"currency": "EUR"} | more])


FIRST = freight.lane("A", destination="HUB", mode="rail", transit_days=10.0, cost_per_kg=0.5, distance_km=9000.0)
SECOND = freight.lane(
    "B", origin="HUB", mode="road", transit_days=1.0, cost_per_kg=0.2, departures="Fri", distance_km=500.0
)


def test_two_lanes_over_a_node_by_hand():
    goods = freight.shipments({"goods_value": 3650.0, "capital_rate": 0.1})
    result = freight.run(goods, freight.lanes(FIRST, SECOND), nodes=hub())
    row = freight.only(result)
    assert (row["modes"], row["lanes"]) == ("rail>road", "A>B")
    assert (row["freight"], row["handling"]) == (70.0, 5.0)
    # Monday 5 + 10 = Thursday 15, 2 days of dwell, the next Friday is the 23rd, a day on the road: 19 days at 1 a day.
    assert row["arrive_p50"] == row["arrive_p90"] == date(2026, 10, 24)
    assert row["capital_cost"] == 19.0
    assert row["co2e_kg"] == pytest.approx(0.1 * (9000 * 0.0347 + 500 * 0.12522), abs=0.005)
    legs = result.tables["legs"].select("leg", "lane_id", "depart", "arrive").rows()
    assert legs == [
        (1, "A", READY, date(2026, 10, 15)),
        (2, "B", date(2026, 10, 23), date(2026, 10, 24)),
    ]


def test_lanes_change_only_at_nodes_that_are_listed():
    cards = freight.lanes(FIRST, SECOND)
    elsewhere = freight.run(freight.shipments(), cards, nodes=hub(node="OTHER"))
    assert freight.only(elsewhere)["reason_code"] == "route_none_lane"
    anywhere = freight.only(freight.run(freight.shipments(), cards))
    assert "dwell_assumed" in freight.flags(anywhere)
    assert "dwell_assumed" not in freight.flags(freight.only(freight.run(freight.shipments(), cards, nodes=hub())))


SEA = freight.lane(cost_per_kg=0.5, transit_days=35.0, transit_sd_days=5.0, distance_km=20000.0)
AIR = freight.lane(
    "AIR", mode="air", cost_per_kg=5.0, transit_days=5.0, transit_sd_days=1.0, dim_divisor=6000.0, distance_km=9000.0
)


def test_goods_that_can_wait_go_by_sea_and_urgent_ones_by_air():
    goods = freight.shipments(
        {"due_date": READY + timedelta(days=90), "late_cost_per_day": 100.0},
        {"due_date": READY + timedelta(days=10), "late_cost_per_day": 100.0},
        {"goods_value": 100_000.0, "capital_rate": 0.3},
    )
    result = freight.run(goods, freight.lanes(SEA, AIR))
    best = {r["shipment_id"]: r for r in freight.rows(result) if r["option_rank"] == 1}
    assert {k: r["modes"] for k, r in best.items()} == {"S1": "sea", "S2": "air", "S3": "air"}
    assert best["S1"]["reason_code"] == "route_cheapest_best"
    assert best["S2"]["reason_code"] == "route_pays_late"
    assert "on time with 100 % instead of 0 %" in best["S2"]["reason"]
    assert best["S3"]["reason_code"] == "route_pays_capital"
    assert (best["S2"]["runner_up"], best["S3"]["p_on_time"]) == ("sea (SEA)", None)
    assert best["S2"]["runner_up_cost"] > best["S2"]["total_cost"]
    assert freight.flags(best["S1"]) == {"best_value", "cheapest", "greenest"}
    assert freight.flags(best["S2"]) == {"best_value", "fastest"}


def test_money_compares_with_the_better_of_two_plain_rules():
    goods = freight.shipments(
        {"due_date": READY + timedelta(days=10), "late_cost_per_day": 100.0},
        {"goods_value": 100_000.0, "capital_rate": 0.3},
    )
    result = freight.run(goods, freight.lanes(SEA, AIR))
    cost = {(r["shipment_id"], r["modes"]): r["total_cost"] for r in freight.rows(result)}
    assert isinstance(result.money, Headline)
    # What is due goes by air by the rule of thumb, what is not due by sea.
    assert result.money.today == pytest.approx(cost["S1", "air"] + cost["S2", "sea"])
    assert result.money.proposed == pytest.approx(cost["S1", "air"] + cost["S2", "air"])
    assert result.money.low < result.money.difference < result.money.high
    assert "whatever the time" not in result.money.basis
    assert result.metrics["total_cost_cheapest"] == pytest.approx(cost["S1", "sea"] + cost["S2", "sea"])


def test_the_range_is_that_of_arrivals():
    """Variance of what the arrival makes of the cost, by simulation."""
    goods = freight.shipments(
        {
            "due_date": READY + timedelta(days=34),
            "late_cost_per_day": 100.0,
            "goods_value": 50_000.0,
            "capital_rate": 0.2,
        }
    )
    result = freight.run(goods, freight.lanes(SEA, AIR))
    sd = {r["modes"]: r["_var"] ** 0.5 for r in freight.rows(result)}
    time = np.random.default_rng(2).gamma(35**2 / 25, 25 / 35, 400_000)
    cost = 50_000 * 0.2 / 365 * time + 100 * np.maximum(time - 34.5, 0)
    assert sd["sea"] == pytest.approx(cost.std(), rel=0.01)


def test_a_gap_in_a_rate_card_is_no_option_and_never_free():
    gap = [*freight.breaks((0.0, 100.0, 1.0), (300.0, 1000.0, 0.5))]
    result = freight.run(freight.shipments({"weight_kg": 200.0}), freight.lanes(*gap, AIR))
    assert freight.only(result)["lanes"] == "AIR"
    (told,) = (f for f in result.findings if f.rule == "rate_gap")
    assert told.entity == "SEA" and "a gap (100 to 300 kg)" in told.message
    alone = freight.run(freight.shipments({"weight_kg": 200.0}), freight.lanes(*gap))
    row = freight.only(alone)
    assert (row["option_rank"], row["total_cost"], row["reason_code"]) == (0, None, "route_none_gap")
    (high,) = (f for f in alone.findings if f.severity == "high")
    assert high.entity == "S1" and "gap" in high.message
    assert isinstance(alone.money, str)


@pytest.mark.parametrize(
    ("goods", "card", "code"),
    [
        ({"destination": "FR"}, {}, "route_none_lane"),
        ({"weight_kg": 2000.0}, {"break_to_kg": 1000.0}, "route_none_above"),
        ({"weight_kg": 20.0}, {"break_from_kg": 45.0}, "route_none_below"),
        ({}, {"capacity_kg": 99.0}, "route_none_capacity"),
        ({"dg_class": "3"}, {"dg_accepted": False}, "route_none_goods"),
        ({}, {"valid_to": date(2026, 9, 30)}, "route_none_expired"),
        ({}, {"valid_from": date(2026, 12, 1)}, "route_none_not_yet"),
        ({}, {"valid_from": date(2026, 9, 1), "departures": "every 90 days"}, "route_none_departure"),
    ],
)
def test_a_shipment_without_an_option_is_listed_with_the_reason(goods, card, code):
    fine = {"shipment_id": "S9", "origin": "US"}
    result = freight.run(
        freight.shipments(goods, fine), freight.lanes(freight.lane(**card), freight.lane("X", origin="US"))
    )
    row, other = freight.rows(result)
    assert (row["shipment_id"], row["option_rank"], row["flags"]) == ("S1", 0, "no_option")
    assert row["reason_code"] == code and "{" not in row["reason"]
    assert other["option_rank"] == 1
    assert [f.entity for f in result.findings if f.severity == "high"] == ["S1"]
    assert result.metrics["without_option"] == 1
    assert "1 shipment without an option left out" in result.money.basis


def test_a_rate_that_ended_is_told_and_not_used():
    ended = freight.lane("CHEAP", cost_per_kg=0.1, valid_to=READY - timedelta(days=1))
    result = freight.run(freight.shipments({}, {}), freight.lanes(SEA, ended))
    assert {r["lanes"] for r in freight.rows(result)} == {"SEA"}
    (told,) = (f for f in result.findings if f.rule == "rate_expired")
    assert told.entity == "CHEAP" and "2 shipments" in told.message
    last_day = freight.run(freight.shipments(), freight.lanes(freight.lane(valid_to=READY)))
    assert freight.only(last_day)["option_rank"] == 1


def test_the_rate_of_the_day_of_departure_holds():
    old = freight.lane(cost_per_kg=1.0, valid_from=date(2026, 9, 1), valid_to=date(2026, 10, 6))
    new = freight.lane(cost_per_kg=2.0, valid_from=date(2026, 10, 7), valid_to=date(2026, 12, 31))
    goods = freight.shipments({}, {"ready_date": date(2026, 10, 7)})
    best = [r["freight"] for r in freight.rows(freight.run(goods, freight.lanes(old, new))) if r["option_rank"] == 1]
    assert best == [100.0, 200.0]


def test_goods_nobody_asked_about_are_marked():
    goods = freight.shipments({"dg_class": "9"}, {"temp_max_c": 8.0}, {})
    told = freight.run(goods, freight.lanes(freight.lane(dg_accepted=True, temp_controlled=True)))
    assert not {f.rule for f in told.findings} & {"dg_unchecked", "temp_unchecked"}
    silent = freight.run(goods, freight.lanes())
    marked = {r["shipment_id"]: freight.flags(r) for r in freight.rows(silent)}
    assert "dg_unchecked" in marked["S1"] and "temp_unchecked" in marked["S2"]
    assert not any("unchecked" in flag for flag in marked["S3"])
    assert {f.rule for f in silent.findings} >= {"dg_unchecked", "temp_unchecked"}


def test_unknown_distances_make_unknown_emissions():
    result = freight.run(freight.shipments(), freight.lanes(SEA, AIR | {"distance_km": None}))
    rows = {r["modes"]: r for r in freight.rows(result)}
    assert rows["air"]["co2e_kg"] is None and "co2e_unknown" in freight.flags(rows["air"])
    assert "greenest" in freight.flags(rows["sea"])
    assert any("no distance_km" in n for n in result.notes)


def test_what_nobody_told_is_taken_from_the_settings_and_said():
    goods = freight.shipments(
        {
            "capital_rate": None,
            "goods_value": 36500.0,
            "due_date": READY + timedelta(days=20),
            "late_cost_per_day": None,
        }
    )
    card = freight.lane(transit_sd_days=None, loss_rate=None, transit_days=30.0)
    result = freight.run(goods, freight.lanes(card), s=Plan(capital_rate=0.2, late_share=0.02, transit_cv=0.0))
    row = freight.only(result)
    assert row["capital_cost"] == 36500 * 0.2 * 30 / 365
    assert row["late_cost"] == 0.02 * 36500 * (30 - 20.5)
    assert "spread_assumed" in freight.flags(row)
    words = " ".join(result.notes)
    assert all(name in words for name in ("capital_rate", "late_share", "transit_cv", "loss_rate"))


def test_nothing_leaves_before_the_day_of_the_plan():
    late = freight.run(freight.shipments(), freight.lanes(), s=Plan(as_of=READY + timedelta(days=9)))
    assert freight.only(late)["depart"] == READY + timedelta(days=9)
    early = freight.run(freight.shipments(), freight.lanes(), s=Plan(as_of=READY - timedelta(days=9)))
    assert freight.only(early)["depart"] == READY


def test_dominated_options_are_marked():
    worse = freight.lane(
        "WORSE", mode="sea", cost_per_kg=0.6, transit_days=36.0, transit_sd_days=5.0, distance_km=21000.0
    )
    rows = {
        r["lanes"]: freight.flags(r)
        for r in freight.rows(freight.run(freight.shipments(), freight.lanes(SEA, AIR, worse)))
    }
    assert "dominated" in rows["WORSE"]
    assert "dominated" not in rows["SEA"] | rows["AIR"]


def test_the_best_at_something_is_kept_whatever_its_rank():
    many = [
        freight.lane(f"L{i:02d}", cost_per_kg=0.5 + i / 100, transit_days=30.0 + i, distance_km=20000.0)
        for i in range(20)
    ]
    result = freight.run(freight.shipments(), freight.lanes(*many, AIR), s=Plan(max_options=3))
    assert [r["option_rank"] for r in freight.rows(result)] == [1, 2, 3, 21]
    assert "fastest" in freight.flags(freight.rows(result)[-1])
    assert result.tables["legs"].height == 4


def test_money_in_several_currencies():
    rates = table(
        "rates",
        [
            {"date": date(2026, 10, 2), "base": "USD", "quote": "CNY", "rate": 7.0, "source": "x"},
            {"date": date(2026, 10, 2), "base": "EUR", "quote": "CNY", "rate": 8.0, "source": "x"},
        ],
    )
    goods = freight.shipments({"currency": "USD", "goods_value": 3650.0, "capital_rate": 0.1})
    cards = freight.lanes(FIRST, SECOND)
    with pytest.raises(UsageFault, match="several currencies"):
        freight.run(goods, cards, nodes=hub())
    with pytest.raises(UsageFault, match="without exchange rates"):
        freight.run(goods, cards, nodes=hub(), s=Plan(home_currency="CNY"))
    row = freight.only(freight.run(goods, cards, nodes=hub(), rates=rates, s=Plan(home_currency="CNY")))
    assert (row["freight"], row["handling"], row["currency"]) == (560.0, 40.0, "CNY")
    assert row["capital_cost"] == 19 * 7.0
    with pytest.raises(InputRejected, match="no pair joins"):
        freight.run(goods, cards, nodes=hub(), rates=rates.head(1), s=Plan(home_currency="CNY"))


def test_results_keep_their_contracts():
    goods = freight.shipments(
        {}, {"destination": "FR"}, {"due_date": READY + timedelta(days=12), "late_cost_per_day": 9.0}
    )
    result = freight.run(goods, freight.lanes(FIRST, SECOND, SEA, AIR), nodes=hub())
    for name, frame in result.tables.items():
        made = reasons.render(frame) if name == "options" else frame
        assert check.conform(tables.get(name), made).height == frame.height
    empty = freight.run(freight.shipments().clear(), freight.lanes())
    assert empty.tables["options"].is_empty() and isinstance(empty.money, str)


def test_a_card_without_lanes_strands_everything():
    result = freight.run(freight.shipments(), freight.lanes().clear())
    assert freight.only(result)["reason_code"] == "route_none_lane"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.5, 4000), min_size=2, max_size=6), st.floats(0, 5))
def test_heavier_shipments_never_cost_less(weights, volume):
    card = [
        *freight.breaks((0.0, 100.0, 3.0), (100.0, 500.0, 2.0), (500.0, None, 1.0), cost_min=20.0, dim_divisor=5000.0),
        *freight.breaks((0.0, 1000.0, 2.5), (1000.0, 5000.0, 0.8), lane_id="B", surcharge_pct=12.0),
    ]
    goods = freight.shipments(*({"weight_kg": w, "volume_m3": volume} for w in sorted(weights)))
    best = [r["total_cost"] for r in freight.rows(freight.run(goods, freight.lanes(*card))) if r["option_rank"] == 1]
    assert best == sorted(best)


@settings(max_examples=25, deadline=None)
@example(1.0, 4.2e-162, 0.0)
@given(st.floats(0, 60), st.floats(0, 20), st.floats(0, 10))
def test_a_later_due_date_is_met_more_often_and_costs_less(transit, sd, late):
    days = range(0, 90, 9)
    goods = freight.shipments(
        *({"shipment_id": f"S{d:02}", "due_date": READY + timedelta(days=d), "late_cost_per_day": late} for d in days)
    )
    rows = freight.rows(freight.run(goods, freight.lanes(freight.lane(transit_days=transit, transit_sd_days=sd))))
    chances, costs = [r["p_on_time"] for r in rows], [r["late_cost"] for r in rows]
    assert chances == sorted(chances) and costs == sorted(costs, reverse=True)
    assert all(0 <= p <= 1 for p in chances)


def cloud(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Shipments and lanes of a small network, at random."""
    rng = random.Random(seed)
    places = ["CN", "HUB", "H2", "DE", "FR"]
    cards = []
    for i in range(40):
        a, b = rng.sample(places, 2)
        more = {
            "origin": a, "destination": b, "mode": rng.choice(["sea", "air", "rail", "road"]),
            "transit_days": float(rng.randint(1, 40)), "transit_sd_days": rng.choice([None, 0.0, 2.0, 6.0]),
            "cost_min": rng.choice([None, 50.0]), "departures": rng.choice([None, "Mon|Thu", "Fri", "every 9 days"]),
            "distance_km": rng.choice([None, 500.0, 9000.0]), "cutoff_days": rng.choice([None, 2.0]),
            "dim_divisor": rng.choice([None, 6000.0]), "loss_rate": 0.001 * rng.randint(0, 5),
        }  # fmt: skip
        cards += freight.breaks(
            (0.0, 100.0, rng.uniform(1, 9)), (100.0, 2000.0, rng.uniform(0.5, 4)), lane_id=f"L{i}", **more
        )
    goods = [
        {"origin": "CN", "destination": rng.choice(["DE", "FR"]), "weight_kg": rng.uniform(1, 3000), "volume_m3": rng.uniform(0, 9),
         "goods_value": rng.uniform(10, 90000), "ready_date": READY + timedelta(days=rng.randint(0, 20)),
         "due_date": rng.choice([None, READY + timedelta(days=rng.randint(5, 80))]), "late_cost_per_day": rng.choice([None, 30.0])}
        for _ in range(30)
    ]  # fmt: skip
    return freight.shipments(*goods), freight.lanes(*cards)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_changes_nothing(seed):
    goods, cards = cloud(seed)
    once = freight.run(goods, cards)
    again = freight.run(goods.sample(fraction=1, shuffle=True, seed=5), cards.sample(fraction=1, shuffle=True, seed=6))
    for name in ("options", "legs"):
        assert_frame_equal(once.tables[name], again.tables[name], check_exact=True)
    assert once.money == again.money and once.metrics == again.metrics and once.findings == again.findings


def test_chunks_of_shipments_change_nothing(monkeypatch):
    goods, cards = cloud(3)
    once = freight.run(goods, cards)
    monkeypatch.setattr("cbec.methods.route.plan._CHUNK", 100)
    again = freight.run(goods, cards)
    for name in ("options", "legs"):
        assert_frame_equal(once.tables[name], again.tables[name], check_exact=True)
    assert once.findings == again.findings and once.notes == again.notes


def test_no_pair_of_lanes_is_forgotten():
    """Every pair by plain loops: the kept ways are all there are, and the best is the best of them."""
    goods, cards = cloud(4)
    result = freight.run(goods, cards, s=Plan(max_options=500))
    routes = cards.group_by("lane_id").agg(pl.col("origin").first(), pl.col("destination").first()).rows()
    for ship in goods.iter_rows(named=True):
        rows = result.tables["options"].filter(pl.col("shipment_id") == ship["shipment_id"], pl.col("option_rank") > 0)
        chargeable = {
            r["lane_id"]: max(ship["weight_kg"], ship["volume_m3"] * 1e6 / r["dim_divisor"] if r["dim_divisor"] else 0)
            for r in cards.iter_rows(named=True)
        }
        fits = {name for name, kg in chargeable.items() if kg <= 2000}
        straight = {a for a, o, d in routes if a in fits and (o, d) == (ship["origin"], ship["destination"])}
        pairs = {
            f"{a}>{b}"
            for a, o, via in routes
            for b, begin, d in routes
            if {a, b} <= fits
            and o == ship["origin"]
            and begin == via
            and d == ship["destination"]
            and via not in {o, d}
        }
        assert set(rows["lanes"]) == straight | pairs
        assert rows["total_cost"].to_list() == sorted(rows["total_cost"])


def test_from_the_command_line(cbec, tmp_path):
    (tmp_path / "s.csv").write_text(
        "货件号,起运地,目的地,毛重,体积,货值,币种,可发货日期\nS1,CN,DE,100,0.5,1000,EUR,2026-10-05\nS2,CN,XX,1,1,1,EUR,2026-10-05\n",
        "utf-8",
    )
    head = "lane_id,origin,destination,mode,currency,cost_per_kg,transit_days,departures\n"
    (tmp_path / "l.csv").write_text(head + "SEA,CN,DE,sea,EUR,1,30,Mon|Thu\nAIR,CN,DE,air,EUR,5,5,\n", "utf-8")
    done = cbec(
        "route", "plan", "--shipments", "s.csv", "--lanes", "l.csv", "-o", "out.csv", "--write-legs", "legs.csv",
        "--report", "report", "--fail-on", "high",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    made = pl.read_csv(tmp_path / "out.csv")
    assert made["option_rank"].to_list() == [1, 2, 0]
    assert "S2" in (tmp_path / "report" / "report.html").read_text("utf-8")
    done = cbec("route", "carbon", "--legs", "legs.csv", "-o", "-")
    assert done.returncode == 0 and "no_distance" in done.stdout
    (tmp_path / "l.csv").write_text(head + "SEA,CN,DE,sea,EUR,,30,sometimes\n", "utf-8")
    done = cbec("route", "plan", "--shipments", "s.csv", "--lanes", "l.csv", "-o", "x.csv")
    assert done.returncode == 3
    assert "departures are weekdays" in done.stderr and "without a price" in done.stderr
