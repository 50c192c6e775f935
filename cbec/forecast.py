"""Demand as a distribution, its record, and the orders that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from cbec.core.command import Common, Finding, Parts, Result, Table, command, setting

if TYPE_CHECKING:
    from types import ModuleType

    import polars as pl

    from cbec.methods.forecast.history import Panel


@dataclass(frozen=True)
class Backtest(Common):
    """Settings of `forecast backtest`, which `forecast demand` has too."""

    horizon: int = setting(
        0, "periods ahead; 0 = 168 hours, 90 days, 13 weeks, 6 months, 4 quarters or 2 years", min=0, max=1000
    )
    frequency: str = setting(
        "auto", "length of a period; auto: the spacing of the dates", choices=("auto", "H", "D", "W", "M", "Q", "Y")
    )
    by: str = setting("sku,market", "columns of sales that make a series: sku, market, warehouse, channel")
    global_model: str = setting(
        "auto",
        "gradient boosting over all series, used where it did better before; auto: where there are enough of them",
        choices=("auto", "on", "off"),
    )


@dataclass(frozen=True)
class Demand(Backtest):
    """Settings of `forecast demand`."""

    levels: str = setting(
        "", "sums to forecast too, e.g. total,market,category+market: total, columns of `by`, category, brand"
    )
    reconcile: str = setting(
        "auto",
        "how levels add up: sums of the series, least squares over all levels (MinT), or what was nearer before",
        choices=("auto", "bottom_up", "mint"),
    )
    like: str = setting("", "new SKUs and the ones they resemble, as NEW=OLD,NEW2=OLD2; others find their analogues")
    explain: str = setting("", "a series, as SKU@MARKET: how its forecast came about, on the page and as `explained`")


def _series(s: Demand, given: Collection[str]) -> Parts | None:
    """Series are counted; sums of them, kin named by hand and a series to be explained need all of them together."""
    from cbec.methods.forecast import history

    keys = history.series_keys(s.by)
    whole = s.levels.strip() or s.like.strip() or s.explain.strip() or "sku" not in keys
    return None if whole else Parts(tuple(keys))


def _dates(*, sales: Table, **_: object) -> dict[str, Table]:
    """The days of the whole catalogue, from which every part reads the same periods."""
    from cbec.core.parts import distinct

    return {"dates": distinct(sales, "date").sort("date")}


def _added_up(tables: dict[str, Table], summary: ModuleType) -> Result:
    """What all parts add up to, in the words of `summary`."""
    from cbec.core.parts import heard

    parts = heard(tables.pop("told"))
    return Result(
        tables=tables,
        money=summary.headline(parts),
        metrics=summary.metrics(parts),
        findings=[Finding(*f) for f in summary.findings(parts)],
        notes=summary.notes(parts),
    )


def _demand_told(tables: dict[str, Table], *, s: Demand) -> Result:
    from cbec.methods.forecast import summary

    result = _added_up(tables, summary)
    result.outcome = summary.outcome(result.metrics)
    return result


@command(
    "forecast", "model_record", "prepared", "drivers", "forecast_levels", "level_record", "explained", "analogues",
    by=("sku",), fit=_dates, conclude=_demand_told, parts=_series,
    example="--sales sales.csv.gz --frequency W --horizon 26 -o forecast.parquet",
)  # fmt: skip
def demand(
    sales: Table,
    products: Table | None = None,
    calendar: Table | None = None,
    signals: Table | None = None,
    *,
    s: Demand,
    state: Mapping[str, Any] | None = None,
) -> Result:
    """What will sell per SKU and market, with its range, beside last year's sales and the seller's formula.

    Each series gets the method that did best from past origins; quantiles come from its past errors. Products of the same
    category (and market) share seasons. Promotions, holidays, events, prices and signals have effects of their own, told
    in units. With --levels sums of series are forecast too, and all of them add up.
    """
    from cbec.core.parts import told
    from cbec.methods.forecast import demand as method
    from cbec.methods.forecast import launch

    like = launch.named(s.like)
    known = launch.coming(sales, products, like, _as_of(sales, s), s.by)
    panel = _panel(known, products, calendar, signals, s, None if state is None else state["dates"]["date"])
    if panel.covariates is not None:
        panel = replace(panel, covariates=panel.covariates.as_planned())
    sums = method.Sums(s.levels, s.reconcile, s.seed) if s.levels.strip() else None
    answer = method.answer(
        panel, s.horizon, products, sums=sums, explained=s.explain.strip(), like=like, trees=s.global_model
    )
    return Result(answer.tables | {"told": told(**answer.facts)}, later=answer.later)


def _panel(
    sales: Table,
    products: Table | None,
    calendar: Table | None,
    signals: Table | None,
    s: Backtest,
    dates: pl.Series | None = None,
) -> Panel:
    from cbec.methods.forecast import history, periods, plans

    panel = history.panel(sales, as_of=_as_of(sales, s), frequency=s.frequency, by=s.by, products=products, dates=dates)
    return plans.attach(panel, sales, calendar, signals, s.horizon or periods.HORIZON[panel.frequency])


def _as_of(sales: Table, s: Common) -> date:
    from cbec.methods.forecast import history

    return s.as_of if s.as_of is not None else history.latest(sales)


@dataclass(frozen=True)
class _Stock(Common):
    """What holds of stock where a policy says nothing: of orders, and of their replay in a backtest."""

    service_level: float = setting(
        0.95, "chance of no stock-out per cycle where the policy has none", min=0.5, max=0.999
    )
    unmet: str = setting(
        "waits",
        "what demand does that finds the shelf empty; lost: orders do not make up for it",
        choices=("waits", "lost"),
    )
    review_days: float = setting(7.0, "days between two orders where the policy has none", min=0.1)
    holding_rate: float = setting(
        0.25, "cost of holding per year as a share of unit cost, where the policy has none", min=0
    )
    markup: float = setting(
        0.5, "cost of a unit short as a share of unit cost, where neither policy nor price tells", min=0
    )


@dataclass(frozen=True)
class Replenish(_Stock):
    """Settings of `forecast replenish`; a policy row's own value goes before the setting."""

    policy: str = setting(
        "RS", "policy where the table has none", choices=("RS", "sS", "RsS", "sQ", "wagner_whitin", "silver_meal")
    )
    target: str = setting(
        "auto",
        "what the level must hold where the policy names none; auto: its service level or fill rate",
        choices=("auto", "service_level", "cost_carry_over", "cost_single_period"),
    )
    ratio_factor: float = setting(
        1.0, "how many times a unit short counts in cost targets, where no `stock_record` tells it", min=0.01, max=100
    )
    budget: float = setting(0.0, "value of all orders at unit cost, at most, in the home currency; 0 = no limit", min=0)
    solver_seconds: float = setting(60.0, "time for the program of budget and containers", min=1)
    surge_periods: int = setting(3, "last periods above the 95 % quantile that make a surge", min=1, max=50)
    correlation: float = setting(0.0, "correlation of the markets that one warehouse serves", min=0, max=1)
    projection_days: int = setting(90, "days of the table projection (longer where lead time + review is)", min=0)


def _stocked_series(s: Replenish, given: Collection[str]) -> Parts | None:
    """Series of the forecast are counted; a budget and containers are shared by all items."""
    whole = s.budget > 0 or "containers" in given
    return None if whole else Parts(("sku", "market", "warehouse", "channel"))


def _periods(*, forecast: Table, **_: object) -> dict[str, Table]:
    """What the series of a forecast must have in common, from which every part takes its calendar."""
    from cbec.core.parts import distinct

    columns = ("as_of", "frequency", "h", "date")
    return {"periods": distinct(forecast, *columns).sort(columns)}


def _replenish_told(tables: dict[str, Table], *, s: Replenish) -> Result:
    from cbec.methods.forecast import stocksummary

    if "stock_curve" in tables:
        tables["stock_curve"] = stocksummary.curve(tables["stock_curve"])
    return _added_up(tables, stocksummary)


@command(
    "replenishment",
    "projection",
    "stock_curve",
    "order_loads",
    by=("sku",),
    fit=_periods,
    conclude=_replenish_told,
    parts=_stocked_series,
    example="--forecast forecast.parquet --inventory inventory.csv --policies policies.csv --coverage coverage.csv --products products.csv --rates rates.csv --home-currency CNY -o replenishment.csv",
)
def replenish(
    forecast: Table,
    inventory: Table,
    policies: Table,
    inbound: Table | None = None,
    coverage: Table | None = None,
    products: Table | None = None,
    order_calendar: Table | None = None,
    firm_orders: Table | None = None,
    containers: Table | None = None,
    sales: Table | None = None,
    stock_record: Table | None = None,
    rates: Table | None = None,
    *,
    s: Replenish,
    state: Mapping[str, Any] | None = None,
) -> Result:
    """What to order per SKU and warehouse, and what that saves: demand over lead time and review with its range.

    By each item's policy, in whole packs, within budget and containers, with the expected cost beside that of the
    seller formula's order and of none, and stock by day. Targets in money take their factor from the stock_record of a backtest.
    """
    from cbec.core.parts import told
    from cbec.methods import protection
    from cbec.methods.forecast import limits, orderdays, stockcase, stockcurve, stocksummary
    from cbec.methods.forecast import replenish as method

    given = stockcase.Given(
        forecast=forecast, inventory=inventory, policies=policies, inbound=inbound, coverage=coverage, products=products,
        order_calendar=order_calendar, firm_orders=firm_orders, containers=containers, sales=sales,
        stock_record=stock_record, rates=rates,
    )  # fmt: skip
    rules = stockcase.Rules(
        policy=s.policy, target="" if s.target == "auto" else s.target, service_level=s.service_level,
        review_days=s.review_days, holding_rate=s.holding_rate, markup=s.markup, ratio_factor=s.ratio_factor,
        lost=s.unmet == "lost", budget=s.budget, solver_seconds=s.solver_seconds, surge_periods=s.surge_periods,
        correlation=s.correlation, home_currency=s.home_currency, projection_days=s.projection_days, seed=s.seed,
    )  # fmt: skip
    case = stockcase.case(given, rules, protection.clock(forecast if state is None else state["periods"], s.as_of))
    ways = method.choices(case)
    rows = method.rows(case, ways)
    facts = stocksummary.facts(case, ways, rows, inventory, firm_orders, forecast, sales is not None)
    facts["suppliers"] = orderdays.suppliers(case.linked.items, products, order_calendar)
    return Result(
        {"replenishment": rows, "order_loads": limits.loads(case.limited), "told": told(**facts)},
        later={"projection": lambda: case.projected.rows, "stock_curve": lambda: stockcurve.curve(case)},
    )


@dataclass(frozen=True)
class StockBacktest(_Stock, Backtest):
    """Settings of `forecast backtest`; those of the stock replay hold where a policy says nothing."""


@command("backtest", "stock_record", example="--sales sales.csv.gz --frequency W --horizon 13 -o backtest.csv")
def backtest(
    sales: Table,
    products: Table | None = None,
    calendar: Table | None = None,
    signals: Table | None = None,
    policies: Table | None = None,
    coverage: Table | None = None,
    rates: Table | None = None,
    *,
    s: StockBacktest,
) -> Result:
    """How good every method would have been in the past, against last year's sales and the seller's formula.

    The row `cbec` is what `forecast demand` would have said at each origin, quantiles included. With --policies the stock
    is replayed too: what the orders of each method would have cost, and which factor in the critical ratio costs least.
    """
    from cbec.methods.forecast import backtest as method
    from cbec.methods.forecast import stockreplay

    panel = _panel(sales, products, calendar, signals, s)
    world = None
    if policies is not None:
        rules = stockreplay.Rules(
            s.service_level, s.review_days, s.holding_rate, s.markup, s.unmet == "lost", panel.as_of, s.home_currency
        )
        world = stockreplay.world(panel.keys, panel.frequency, policies, coverage, products, rates, rules)
    record = method.answer(panel, s.horizon, products, world, trees=s.global_model)
    return Result(
        tables={"backtest": record.table, "stock_record": record.stock},
        money=record.money,
        metrics=record.metrics,
        findings=[Finding(*f) for f in panel.covariates.findings] if panel.covariates is not None else [],
        notes=[*panel.notes, *record.notes],
        outcome=str(record.metrics["verdict"]),
    )


@dataclass(frozen=True)
class Clearance(Common):
    """Settings of `forecast clearance`; a policy row's own value goes before the setting."""

    cover_days: float = setting(
        90.0, "stock beyond the demand of so many days is excess (of lead time + review where that is longer)", min=1
    )
    cover_level: float = setting(0.95, "quantile of that demand which is needed", min=0.5, max=0.999)
    silent_days: float = setting(
        90.0,
        "stock not sold for so long is dead whatever the forecast says, if so long a silence is no accident",
        min=7,
    )
    sell_by_days: int = setting(365, "days until what is left is worth nothing", min=14, max=1825)
    step_days: int = setting(14, "days until the next change of price; later ones are further apart", min=1, max=365)
    max_discount: float = setting(0.7, "deepest discount that is tried", min=0, max=0.9)
    selling_rate: float = setting(0.15, "marketplace fee and returns of a sale, as a share of its price", min=0, max=1)
    selling_cost: float = setting(0.0, "shipping and packing of a unit sold, in the home currency", min=0)
    recovery: float = setting(
        0.0, "what a supplier or liquidator pays for excess, as a share of unit cost; 0 = not on offer", min=0, max=1
    )
    elasticity: float = setting(-1.5, "price elasticity where no sales tell one", min=-10, max=0)
    borrowed: float = setting(
        0.33, "part of a promotion's extra sales that later weeks lack: no lasting discount gets it", min=0, max=1
    )
    holding_rate: float = setting(
        0.25, "cost of capital per year as a share of its value, where the policy has no holding rate", min=0
    )
    correlation: float = setting(0.0, "correlation of the markets that one warehouse serves", min=0, max=1)
    fees: str = setting(
        "", "file of storage fees by age (YAML); example = the packaged example; empty = the policies' storage cost"
    )


@command(
    "clearance",
    "clearance_path",
    example="--forecast forecast.parquet --inventory inventory.csv --products products.csv --coverage coverage.csv --rates rates.csv --home-currency CNY -o clearance.csv",
)
def clearance(
    forecast: Table,
    inventory: Table,
    products: Table,
    prices: Table | None = None,
    policies: Table | None = None,
    coverage: Table | None = None,
    inbound: Table | None = None,
    sales: Table | None = None,
    transfer_lanes: Table | None = None,
    rates: Table | None = None,
    *,
    s: Clearance,
) -> Result:
    """Stock that is more than needed: keep, mark down, move, sell off or write off, whichever costs least.

    Discounts follow from price elasticities, estimated from `sales` where prices moved and pooled by category.
    """
    from cbec.methods import protection, unitcost
    from cbec.methods import terms as policy
    from cbec.methods.forecast import clearance as method
    from cbec.methods.forecast import clearance_words as words
    from cbec.methods.forecast import elasticity, excess
    from cbec.methods.forecast import fees as fee_tables

    clock = protection.clock(forecast, s.as_of)
    linked = protection.link(forecast, coverage, clock)
    terms = excess.terms(linked.items, policies, products, level=s.cover_level, holding_rate=s.holding_rate)
    costs = unitcost.prices(
        linked.items, inventory, products, rates, terms, today=clock.today, home=s.home_currency, markup=0.0
    )
    held = policy.stock(linked.items, inventory, inbound, clock)
    told, cells = elasticity.of_skus(linked.items["sku"].to_list(), sales, products, s.elasticity)
    facts = excess.facts(linked, costs, inventory, products, prices, told, cells, rates, clock)
    rules = method.Rules(
        s.cover_days, s.cover_level, s.silent_days, s.sell_by_days, s.step_days, s.max_discount, s.selling_rate,
        s.selling_cost, s.recovery, s.elasticity, s.borrowed, s.correlation,
    )  # fmt: skip
    given = method.Given(clock, linked, terms, held, costs, facts, fee_tables.load(s.fees))
    case = method.case(given, rules, sales=sales, lanes=transfer_lanes, rates=rates)
    rows = method.rows(case, inventory)
    return Result(
        tables={"clearance": rows, "clearance_path": method.paths(case)},
        money=words.headline(case),
        metrics=words.metrics(case, rows),
        findings=[Finding(*f) for f in words.findings(case, rows)],
        notes=words.notes(case, inventory),
    )
