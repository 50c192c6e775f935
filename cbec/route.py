"""How to move each shipment: lanes and pairs of lanes by expected total cost, and the carbon of their legs."""

from __future__ import annotations

from dataclasses import dataclass

from cbec.core.command import Common, Finding, Result, Table, command, setting


@dataclass(frozen=True)
class Plan(Common):
    """Settings of `route plan`; a row's own value goes before the setting."""

    capital_rate: float = setting(
        0.10, "cost of capital per year as a share of goods_value, where the shipment tells none", min=0, max=10
    )
    late_share: float = setting(
        0.01, "cost of a day late as a share of goods_value, where the shipment tells none", min=0, max=1
    )
    transit_cv: float = setting(
        0.15, "standard deviation of transit and dwell as a share of their days, where none is told", min=0, max=2
    )
    transfer_days: float = setting(2.0, "days lost where lanes meet, where no node tells its dwell", min=0, max=365)
    max_wait_days: int = setting(30, "longest wait for a departure", min=0, max=365)
    max_options: int = setting(10, "options kept per shipment, besides those that are best at something", min=2)
    factors: str = setting("", "file of emission factors (YAML); empty = those that ship with cbec")


@command(
    "options",
    "legs",
    example="--shipments shipments.csv --lanes lanes.csv --nodes nodes.csv --rates rates.csv --home-currency CNY -o options.csv --write-legs legs.csv",
)
def plan(
    shipments: Table,
    lanes: Table,
    nodes: Table | None = None,
    disruptions: Table | None = None,
    rates: Table | None = None,
    *,
    s: Plan,
) -> Result:
    """Ways to move each shipment by expected total cost: freight, surcharges, handling, capital, lateness, loss.

    Direct lanes and pairs of lanes, with the chance to be on time, emissions, the runner-up and why it lost. A weight
    outside the bands of a rate card has no rate; a shipment without any way is listed, never dropped.
    """
    from cbec.methods.route import answer, carbon, verdict, world
    from cbec.methods.route import plan as method

    factors = carbon.load(s.factors)
    if not shipments.height:
        return Result(answer.nothing(), money="no shipment was given")
    terms = world.Terms(s.home_currency, s.capital_rate, s.late_share, s.transit_cv, s.transfer_days, s.max_wait_days)
    case = method.work(shipments, lanes, nodes, disruptions, rates, factors, s.as_of, terms, s.max_options)
    rows = answer.options(case)
    return Result(
        tables={"options": rows, "legs": answer.legs(case)},
        money=verdict.headline(case, rows),
        metrics=verdict.metrics(case, rows),
        findings=[Finding(*f) for f in verdict.findings(case, rows)],
        notes=verdict.notes(case, factors),
    )


@dataclass(frozen=True)
class Carbon(Common):
    """Settings of `route carbon`."""

    factors: str = setting("", "file of emission factors (YAML); empty = those that ship with cbec")
    chosen_only: bool = setting(True, "only the legs of the first option of each shipment")


@command("carbon", example="--legs legs.csv -o carbon.csv")
def carbon(legs: Table, *, s: Carbon) -> Result:
    """Emissions per leg, well to wheel, with the factor and its source; what is not known stays empty and is marked."""
    from cbec.methods.route import carbon as method

    factors = method.load(s.factors)
    taken = legs.filter(legs["option_rank"] == 1) if s.chosen_only else legs
    table = method.footprint(taken, factors)
    return Result(
        {"carbon": table},
        money="emissions are told in kilograms; no price of carbon is assumed",
        metrics=method.metrics(table),
        findings=[Finding(*f) for f in method.findings(table)],
        notes=[f"factors: {factors.title}, tonne-kilometres by gross weight, well to wheel"],
    )


@dataclass(frozen=True)
class Ship(Common):
    """Settings of `route ship`."""

    origin: str = setting("", "place where goods are handed over: UN/LOCODE or your own code, as in lanes")
    ready_days: int = setting(7, "days from the order until the goods can leave", min=0, max=365)
    packing_share: float = setting(0.1, "weight and volume of packing as a share of those of the goods", min=0, max=5)


@command(
    "shipments",
    example="--replenishment replenishment.csv --products products.csv --rates rates.csv --origin CNNGB -o next_shipments.csv",
)
def ship(replenishment: Table, products: Table, rates: Table | None = None, *, s: Ship) -> Result:
    """Orders into shipments: one per supplier and warehouse, with weight, volume, value and the day it is needed."""
    from cbec.core.errors import UsageFault
    from cbec.methods.route import ship as method

    if not s.origin:
        raise UsageFault("route ship needs --origin, the place where goods are handed over")
    terms = method.Terms(s.origin, s.ready_days, s.packing_share, s.home_currency)
    table = method.shipments(replenishment, products, rates, terms)
    return Result(
        {"shipments": table},
        money="orders become shipments; route plan prices the ways they can go",
        metrics={
            "shipments": table.height,
            "pieces": float(table["pieces"].sum()),
            "weight_kg": float(table["weight_kg"].sum()),
            "volume_m3": float(table["volume_m3"].sum()),
            "goods_value": float(table["goods_value"].sum()),
        },
    )


@dataclass(frozen=True)
class LeadTimes(Common):
    """Settings of `route leadtimes`."""

    ready_days: int = setting(7, "days from the order until the goods can leave, as in route ship", min=0, max=365)
    ready_sd_days: float = setting(0.0, "standard deviation of these days", min=0, max=365)


@command(
    "policies_update",
    "route_lead_times",
    example="--options options.csv --shipments shipments.csv --policies policies.csv -o policies_next.csv",
)
def leadtimes(options: Table, shipments: Table, policies: Table, *, s: LeadTimes) -> Result:
    """Lead times of the ways chosen, into the policies of the next orders: from the order to the shelf of each warehouse.

    Only the general row of a warehouse changes: rows of single SKUs and of suppliers, whose lead times are agreed or
    measured (supplier score), go before what is planned.
    """
    from cbec.methods.route import leadtimes as method

    found = method.compared(method.planned(options, shipments, s.ready_days, s.ready_sd_days), policies)
    return Result(
        {"policies_update": method.updated(policies, found), "route_lead_times": found},
        money="lead times move no money by themselves; forecast replenish prices the stock that follows from them",
        metrics=method.metrics(found),
        findings=[Finding(*f) for f in method.findings(found)],
        notes=method.notes(options, shipments, found),
    )
