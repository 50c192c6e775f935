"""Where goods lie: which bin for which SKU, what pickers walk, which stock to move between warehouses."""

from __future__ import annotations

from dataclasses import dataclass

from cbec.core.command import Common, Finding, Result, Table, command, setting


@dataclass(frozen=True)
class Picking(Common):
    """Settings of `warehouse evaluate`, and of the walks in `warehouse slot`."""

    routing: str = setting("s-shape", "how pickers walk today", choices=("s-shape", "return", "shortest"))
    walking_speed: float = setting(1.2, "metres a second", min=0.1, max=10)
    wage_per_hour: float = setting(
        0.0, "cost of an hour of a picker in the home currency; 0 = savings in minutes only", min=0
    )
    front_y: float = setting(0.0, "y of the front cross aisle, where the dock is")
    back_y: float = setting(
        0.0, "y of the back cross aisle; 0 = as far behind the last bin as the front one lies before the first"
    )
    depot_x: float | None = setting(None, "x of the dock; default the place that explains distance_m best")


@dataclass(frozen=True)
class Slot(Picking):
    """Settings of `warehouse slot`."""

    ranking: str = setting(
        "auto",
        "which bins are good: near the dock, aisle by aisle, fronts first; auto: by trial",
        choices=("auto", "distance", "aisle", "across"),
    )
    half_life_days: float = setting(0.0, "days in which an order's weight halves; 0 = by trial", min=0)
    keep_days: float = setting(90.0, "days that a slotting holds: savings are told for them", min=1)
    minutes_per_move: float = setting(4.0, "minutes of carrying one SKU to another place", min=0)
    max_moves: int = setting(100, "carries at most; 0 = all that pay", min=0)
    stock_days: float = setting(7.0, "days of sales that a bin must hold, where it tells its room", min=0)
    temporary: str = setting("TEMP", "name of the place where goods wait during a swap")


@command(
    "slotting",
    "moves",
    example="--order-lines order_lines.csv --bins bins.csv --slots slots.csv --products products.csv -o slotting.csv --write-moves moves.csv",
)
def slot(
    order_lines: Table,
    bins: Table,
    slots: Table | None = None,
    products: Table | None = None,
    *,
    s: Slot,
) -> Result:
    """Which SKU belongs in which bin, and the moves that pay for themselves.

    Frequent SKUs to near bins under the limits of room, load and zone; whole tours are walked before and after.
    """
    import polars as pl

    from cbec.methods.warehouse import picks, slotrows
    from cbec.methods.warehouse import slot as method

    terms = method.Terms(
        routing=s.routing, ranking=s.ranking, half_life=s.half_life_days, stock_days=s.stock_days, keep_days=s.keep_days,
        speed=s.walking_speed, minutes_per_move=s.minutes_per_move, max_moves=s.max_moves, temporary=s.temporary,
        front=s.front_y, back=s.back_y, depot=s.depot_x, wage=s.wage_per_hour, currency=s.home_currency,
    )  # fmt: skip
    parts = [
        method.make(name, lines, places, held, products, terms)
        for name, lines, places, held in picks.by_warehouse(order_lines, bins, slots)
    ]
    slotted = slots is not None
    return Result(
        tables={
            "slotting": pl.concat([slotrows.rows(p, terms, slotted) for p in parts]),
            "moves": pl.concat([slotrows.steps(p, terms) for p in parts]),
        },
        money=slotrows.headline(parts, terms, slotted),
        metrics=slotrows.metrics(parts, terms, slotted),
        findings=[Finding(*f) for f in slotrows.findings(parts, terms, slotted)],
        notes=slotrows.notes(parts, terms, slotted),
    )


@command("pick_evaluation", example="--order-lines order_lines.csv --bins bins.csv --slots slots.csv -o walks.csv")
def evaluate(order_lines: Table, bins: Table, slots: Table, *, s: Picking) -> Result:
    """How far pickers walk with today's slots, by way of walking, beside the shortest tours."""
    import polars as pl

    from cbec.methods.warehouse import evaluate as method
    from cbec.methods.warehouse import picks

    parts = [
        method.walk(name, lines, places, held, speed=s.walking_speed, front=s.front_y, back=s.back_y, depot=s.depot_x)
        for name, lines, places, held in picks.by_warehouse(order_lines, bins, slots)
        if held is not None
    ]
    rows = pl.concat([p[0] for p in parts])
    here = rows.filter(pl.col("policy").is_in([s.routing, "trips"]))
    orders = int(here["orders"].sum())
    return Result(
        tables={"pick_evaluation": rows},
        money=method.headline(rows, s.routing, wage=s.wage_per_hour, currency=s.home_currency),
        metrics={
            "orders": orders,
            "metres_per_order": round(float(here["metres"].sum()) / orders, 3),
            "routing": s.routing,
        },
        findings=[Finding(*f) for p in parts for f in p[1]],
        notes=[n for p in parts for n in p[2]],
    )


@dataclass(frozen=True)
class Rebalance(Common):
    """Settings of `warehouse rebalance`; a policy row's own value goes before the setting."""

    unserved: str = setting(
        "lost",
        "demand that meets an empty shelf: lost (costs its margin once) or waits (costs at every review)",
        choices=("lost", "waits"),
    )
    cover_days: float = setting(45.0, "days to look after where there are no policies (else lead time + review)", min=1)
    review_days: float = setting(7.0, "days between two reviews where the policy has none", min=0.1)
    holding_rate: float = setting(
        0.25, "cost of holding per year as a share of unit cost, where the policy has none", min=0
    )
    markup: float = setting(
        0.5, "cost of a unit short as a share of unit cost, where neither policy nor price tells", min=0
    )
    correlation: float = setting(0.0, "correlation of the markets that one warehouse serves", min=0, max=1)
    lot_cost: float = setting(
        0.0, "cost of handling one SKU on one lane (picking, labels, papers), in the home currency", min=0
    )
    in_packs: bool = setting(False, "move whole packs (pack_size of the policies)")
    time_limit: float = setting(30.0, "seconds for the proof that a plan is the best; 0 = none", min=0)


@command(
    "stock_transfers",
    example="--forecast forecast.parquet --inventory inventory.csv --transfer-lanes transfer_lanes.csv --policies policies.csv --coverage coverage.csv --products products.csv --rates rates.csv --home-currency CNY -o transfers.csv",
)
def rebalance(
    forecast: Table,
    inventory: Table,
    transfer_lanes: Table,
    policies: Table | None = None,
    coverage: Table | None = None,
    products: Table | None = None,
    inbound: Table | None = None,
    rates: Table | None = None,
    *,
    s: Rebalance,
) -> Result:
    """Stock to move between warehouses, on whole trips, where shortage avoided is worth more than freight.

    By the forecast's distribution, never dearer than doing nothing; solved by HiGHS, bound and gap told.
    """
    from cbec.methods.warehouse import network, search
    from cbec.methods.warehouse import rebalance as method

    settings = network.Settings(
        as_of=s.as_of, home=s.home_currency, lost=s.unserved == "lost", cover_days=s.cover_days, review_days=s.review_days,
        holding_rate=s.holding_rate, markup=s.markup, correlation=s.correlation, packs=s.in_packs,
        lot_cost=s.lot_cost,
    )  # fmt: skip
    world = network.build(forecast, inventory, transfer_lanes, policies, coverage, products, inbound, rates, settings)
    strange = network.strange_places(world, transfer_lanes)
    case = method.case(world, search.best(world.net, s.time_limit), s.time_limit)
    rows = method.rows(case)
    return Result(
        tables={"stock_transfers": rows},
        money=method.headline(case),
        metrics=method.metrics(case, rows),
        findings=[Finding(*f) for f in method.findings(case)],
        notes=method.notes(case, inventory, policies, s.markup, strange),
    )
