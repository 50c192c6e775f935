"""The tables of `forecast clearance`: rows with the parameters of their reasons, and planned prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods import words
from cbec.methods.forecast import excess as ex
from cbec.methods.forecast import fees as fee_tables
from cbec.methods.forecast import markdown, ways

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from cbec.methods.forecast.excess import Facts, Position
    from cbec.methods.forecast.fees import Fees
    from cbec.methods.forecast.ways import Answer
    from cbec.methods.protection import Clock, Linked
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """The settings of the command that the answer reads: days, shares, selling_cost in the home currency per unit."""

    cover_days: float
    cover_level: float
    silent_days: float
    sell_by_days: int
    step_days: int
    max_discount: float
    selling_rate: float
    selling_cost: float
    recovery: float
    elasticity: float
    borrowed: float
    correlation: float


@dataclass(frozen=True)
class Given:
    """What the tables tell of the n items. fees: None = no file of fees."""

    clock: Clock
    linked: Linked
    terms: Terms
    held: Stock
    costs: Prices
    of: Facts
    fees: Fees | None

    @property
    def bands(self) -> tuple[int, ...]:
        """First days of the age bands."""
        return fee_tables.BANDS if self.fees is None else self.fees.bands


@dataclass(frozen=True)
class Case:
    """Everything computed. fee_rate: home currency per unit of the fees'. s: the case.s."""

    given: Given
    where: Position
    answer: Answer
    fee_rate: float
    s: Rules

    @property
    def sell_by(self) -> date:
        """The day after which what is left is worth nothing."""
        return self.given.clock.day(self.s.sell_by_days)


def case(
    given: Given, s: Rules, *, sales: pl.DataFrame | None, lanes: pl.DataFrame | None, rates: pl.DataFrame | None
) -> Case:
    """Excess, the value of every way, the choice. lanes: table transfer_lanes."""
    clock, linked, terms, of, home = given.clock, given.linked, given.terms, given.of, given.costs.currency
    where = ex.position(
        linked, clock, given.held, np.maximum(s.cover_days, terms.protection), sales,
        level=s.cover_level, silent_days=s.silent_days, sell_by_days=s.sell_by_days, correlation=s.correlation,
    )  # fmt: skip
    rows = np.flatnonzero((where.excess > 0) & ~np.isnan(of.unit_cost))
    view = markdown.part_of(markdown.outlook(where.demand, s.sell_by_days, s.step_days), rows)
    rate = ex.fee_rate(given.fees, rates, home, clock.today)
    storage = ex.storage(rows, linked, of, terms, given.fees, rate, view, clock)
    items = ways.goods(rows, where, of, terms, storage, selling_rate=s.selling_rate, selling_cost=s.selling_cost)
    moves = ways.transfers(rows, linked, where, of, terms, lanes, rates, clock, home)
    priced = ~np.isnan(of.price)
    answer = ways.judge(
        rows, items, view, where, priced, moves, recovery=s.recovery, max_discount=s.max_discount, borrowed=s.borrowed
    )
    return Case(given, where, answer, rate, s)


def rows(case: Case, inventory: pl.DataFrame) -> pl.DataFrame:
    """The table `clearance` without `reason`: every item with stock, those without a forecast too."""
    where, of, made = case.where, case.given.of, case.answer
    n, at = case.given.linked.items.height, made.rows
    every = np.arange(at.size)

    def spread(values: Floats, empty: float = np.nan) -> Floats:
        out = np.full(n, empty)
        out[at] = values
        return out

    chosen_cost = made.cost[every, made.chosen]
    second_cost = np.where(made.second >= 0, made.cost[every, made.second], np.nan)
    no_excess = where.excess <= 0
    excess_value = where.excess * of.unit_cost
    discount = spread(made.planned[:, 0], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        months = np.where(
            where.mean > 1e-9,
            np.maximum(where.position, 0) / where.mean * where.cover / fee_tables.DAYS_OF_MONTH,
            np.nan,
        )
    figures = {
        "on_hand": case.given.held.free,
        "excess_units": where.excess,
        "months_of_cover": months,
        "action_units": spread(made.units[every, made.chosen]),
        "discount_pct": 100 * discount,
        "price": of.price * (1 - discount),
        "expected_units": spread(made.sold),
        "p_sell_through": spread(made.p_sold),
        "excess_value": excess_value,
        "recovered": np.where(no_excess, np.nan, spread(made.recovered[every, made.chosen])),
        "storage": np.where(no_excess, np.nan, spread(made.storage[every, made.chosen])),
        "cost": np.where(no_excess, np.where(np.isnan(excess_value), np.nan, 0.0), spread(chosen_cost)),
        "runner_up_cost": spread(second_cost),
        **{f"cost_{name}": spread(made.cost[:, way]) for way, name in enumerate(ways.WAYS)},
        "_position": where.position,
        "_needed": where.needed,
        "_cover": where.cover,
        "_level": np.full(n, 100 * case.s.cover_level),
        "_saved": spread(made.cost[:, ways.KEEP] - chosen_cost),
        "_chance": 100 * spread(made.p_sold),
        "_later": 100 * spread(made.path.max(1, initial=0.0)),
        "_coming": np.minimum(where.coming, np.maximum(where.position - where.needed, 0.0)),
    }
    frame = case.given.linked.items.with_columns(
        *(pl.Series(name, value, nan_to_null=True) for name, value in figures.items()),
        pl.Series("age_band", fee_tables.age_band(of.age, case.given.bands)),
        *_chosen(case),
        pl.lit(case.given.costs.currency, pl.String).alias("currency"),
        case.given.clock.dates("sell_through_date", spread(made.out_on)),
        case.given.clock.dates("_cut_on", spread(_first_cut(made))),
        pl.lit(case.sell_by).alias("_sell_by"),
        case.given.clock.dates("_last_sale", where.last_sale),
        pl.Series("_dead", where.dead),
        pl.Series("_silent", where.silent),
        case.given.of.elasticity["elasticity"],
        case.given.of.elasticity["low"].alias("elasticity_low"),
        case.given.of.elasticity["high"].alias("elasticity_high"),
        case.given.of.elasticity["basis"].alias("elasticity_basis"),
    )
    frame = frame.filter(pl.col("on_hand") > 0).with_columns(_reason_code())
    return pl.concat([frame, _unasked(case, inventory)], how="diagonal").sort("sku", "warehouse")


def _chosen(case: Case) -> list[pl.Series]:
    """Columns action, runner_up and destination of the n items."""
    of, made, n, at = case.given.of, case.answer, case.given.linked.items.height, case.answer.rows
    action = np.full(n, "keep", dtype=object)
    action[at] = _action_names(made)
    action[(case.where.excess > 0) & np.isnan(of.unit_cost)] = "unknown"
    runner = np.full(n, None, dtype=object)
    runner[at] = [None if w < 0 else ways.WAYS[w] for w in made.second.tolist()]
    to = np.full(n, None, dtype=object)
    places = case.given.linked.items["warehouse"].to_list()
    to[at] = [None if i < 0 else places[i] for i in made.to.tolist()]
    return [
        pl.Series("action", action.tolist()),
        pl.Series("runner_up", runner.tolist(), dtype=pl.String),
        pl.Series("destination", to.tolist(), dtype=pl.String),
    ]


def _unasked(case: Case, inventory: pl.DataFrame) -> pl.DataFrame:
    """Stock without a forecast: nobody can say whether it is too much."""
    promised = pl.col("reserved").fill_null(0.0) + pl.col("backorders").fill_null(0.0)
    free = (pl.col("on_hand") - promised).alias("on_hand")
    rest = (
        inventory.with_columns(free)
        .filter(pl.col("on_hand") > 0)
        .join(case.given.linked.items, on=["sku", "warehouse"], how="anti")
    )
    age = rest["age_days"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return rest.select("sku", "warehouse", "on_hand").with_columns(
        pl.Series("age_band", fee_tables.age_band(age, case.given.bands), dtype=pl.String),
        pl.lit("unknown").alias("action"),
        pl.lit("clear_no_forecast").alias("reason_code"),
    )


def _first_cut(made: Answer) -> Floats:
    """Day of the first discount of the chosen path, NaN = none."""
    cut = made.planned > 0
    return np.where(cut.any(1), made.view.edges[cut.argmax(1)], np.nan)


def _action_names(made: Answer) -> list[str]:
    later = (made.chosen == ways.MARKDOWN) & (made.planned[:, 0] <= 0)
    return [
        "markdown_later" if wait else ways.WAYS[way]
        for way, wait in zip(made.chosen.tolist(), later.tolist(), strict=True)
    ]


def _reason_code() -> pl.Expr:
    action, basis, dead = pl.col("action"), pl.col("elasticity_basis"), pl.col("_dead")
    codes = [
        (action == "unknown", "clear_no_cost"),
        (pl.col("excess_units") <= 0, "clear_none"),
        (dead & (action == "keep"), "clear_dead_keep"),
        (pl.col("_silent"), "clear_silent"),
        (dead & (action == "liquidate"), "clear_dead_liquidate"),
        (dead & (action == "write_off"), "clear_dead_write_off"),
        (action == "transfer", "clear_transfer"),
        (action == "liquidate", "clear_liquidate"),
        (action == "write_off", "clear_write_off"),
        (action == "markdown_later", "clear_later"),
        ((action == "markdown") & (basis == "own"), "clear_markdown"),
        ((action == "markdown") & (basis == "default"), "clear_markdown_default"),
        (action == "markdown", "clear_markdown_category"),
        (pl.col("price").is_null(), "clear_keep_no_price"),
    ]
    return words.reason_code(codes, "clear_keep")


def paths(case: Case) -> pl.DataFrame:
    """The table `clearance_path`: stages of the items with excess and a price."""
    made, of = case.answer, case.given.of
    some = np.flatnonzero(~np.isnan(of.price[made.rows]))
    k = len(made.view.edges) - 1
    items = case.given.linked.items[made.rows[some]]
    begin = [case.given.clock.day(int(d) + 1) for d in made.view.edges[:-1]]
    end = [case.given.clock.day(int(d)) for d in made.view.edges[1:]]
    left, keep, plan = made.left[some], made.left_keep[some], made.planned[some]
    price = of.price[made.rows[some], None] * (1 - plan)
    return pl.DataFrame(
        {
            "sku": np.repeat(items["sku"].to_numpy(), k),
            "warehouse": np.repeat(items["warehouse"].to_numpy(), k),
            "stage": np.tile(np.arange(1, k + 1), some.size),
            "date": begin * some.size,
            "until": end * some.size,
            "discount_pct": (100 * plan).ravel(),
            "price": price.ravel(),
            "expected_units": np.maximum(-np.diff(left, axis=1), 0.0).ravel(),
            "stock": left[:, 1:].ravel(),
            "stock_keep": keep[:, 1:].ravel(),
        },
        schema={
            "sku": pl.String, "warehouse": pl.String, "stage": pl.Int64, "date": pl.Date, "until": pl.Date,
            **dict.fromkeys(("discount_pct", "price", "expected_units", "stock", "stock_keep"), pl.Float64),
        },
    ).with_columns(pl.lit(case.given.costs.currency, pl.String).alias("currency"))  # fmt: skip
