"""The answer of `forecast replenish`: rows with their reasons, findings, figures and notes from the computed arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.money import Headline
from cbec.methods import counts
from cbec.methods.forecast.ordercost import DAYS_OF_YEAR, Costing, Outcome
from cbec.methods.forecast.orders import whole_packs

if TYPE_CHECKING:
    from cbec.methods.forecast.orders import Plan
    from cbec.methods.forecast.projection import Projection
    from cbec.methods.protection import Clock, Demand, Floats, Linked
    from cbec.methods.terms import Stock, Terms
    from cbec.methods.unitcost import Prices

#: finding_id, severity, entity, rule, message, money, currency
Found = tuple[str, str, str, str, str, float | None, str | None]
_NAMED = 3
_Z90 = 1.6449


@dataclass(frozen=True)
class Case:
    """Everything computed for the n items."""

    clock: Clock
    linked: Linked
    demand: Demand
    terms: Terms
    held: Stock
    plan: Plan
    prices: Prices
    p_stockout: Floats


@dataclass(frozen=True)
class Choices:
    """Three ways to order (n units each) and what each is expected to cost. seller: NaN where it has no rate."""

    seller: Floats
    ours_cost: Outcome
    seller_cost: Outcome
    none_cost: Outcome
    sd: float


def choices(case: Case) -> Choices:
    """Our orders beside the seller formula's (its daily rate x (lead time + review) - position, same packs) and none."""
    costing = Costing(case.demand, case.terms, case.held, case.plan, case.prices)
    need = case.linked.seller_rate() * case.terms.protection - case.plan.position
    seller = np.where(np.isnan(need), np.nan, whole_packs(np.nan_to_num(need), case.terms))
    at = np.nan_to_num(seller)
    theirs = costing.of(at)
    known = ~np.isnan(seller)
    theirs = Outcome(*(np.where(known, a, np.nan) for a in (theirs.cost, theirs.holding, theirs.short)))
    sd = costing.spread(case.plan.order, np.where(known, seller, case.plan.order))
    return Choices(seller, costing.of(case.plan.order), theirs, costing.of(np.zeros_like(at)), sd)


def rows(case: Case, ways: Choices, projected: Projection) -> pl.DataFrame:
    """The table `replenishment` without `reason`, with the parameters of its sentences in columns that begin with `_`."""
    clock, terms, plan, held = case.clock, case.terms, case.plan, case.held
    ordered = plan.order > 0
    horizon = case.demand.at(np.minimum(case.demand.reach, case.demand.days[-1]))
    runner = np.where(ordered & ~(ways.none_cost.cost > ways.seller_cost.cost), "no_order", "seller_formula")
    runner = np.where(ordered & np.isnan(ways.seller_cost.cost), "no_order", runner)
    runner_cost = np.where(runner == "no_order", ways.none_cost.cost, ways.seller_cost.cost)
    need = plan.order_up_to - plan.position
    per_day = horizon[0] / case.demand.reach
    with np.errstate(divide="ignore", invalid="ignore"):
        cover = np.where(per_day > 0, np.maximum(plan.position, 0) / per_day, np.nan)
    late = projected.empty < terms.arrival
    next_in = _next_arrival(held, len(need))
    figures = {
        "order_qty": plan.order,
        "reorder_point": plan.reorder_point,
        "order_up_to": plan.order_up_to,
        "safety_stock": plan.order_up_to - plan.whole.mean,
        "position": plan.position,
        "p_stockout": case.p_stockout,
        "cost": ways.ours_cost.cost,
        "runner_up_cost": runner_cost,
        "_need": np.maximum(need, 0.0),
        "_mean": plan.whole.mean,
        "_days": terms.protection,
        "_lead": terms.lead,
        "_target": 100 * np.fmax(terms.service, np.nan_to_num(terms.fill)),
        "_moq": terms.moq,
        "_years": np.where(per_day > 0, plan.order / np.maximum(per_day * DAYS_OF_YEAR, 1e-9), np.nan),
        "_cover": cover,
        "_q95": counts.gamma_quantile(counts.UPPER.index(0.95), *horizon),
        "_horizon": case.demand.reach,
        "_more": ways.ours_cost.cost - runner_cost,
        "_short": ways.none_cost.short,
        "_wait": terms.arrival - projected.empty,
        "_chance": 100 * case.p_stockout,
    }
    day = {
        "order_date": np.where(ordered, 0.0, np.nan),
        "arrival_date": np.where(ordered, terms.arrival, np.nan),
        "stockout_date": projected.empty,
        "_next_in": next_in,
    }
    frame = case.linked.items.with_columns(
        *(pl.Series(name, value, nan_to_null=True) for name, value in figures.items()),
        *(_date(clock, name, value) for name, value in day.items()),
        pl.Series("runner_up", runner.tolist()),
        pl.lit(case.prices.currency, pl.String).alias("currency"),
        pl.Series("_empty_first", late),
        pl.Series("_dearer", ordered & (ways.ours_cost.cost > runner_cost + 0.005)),
        pl.Series("_none_ahead", horizon[0] <= 0),
    )
    known = pl.col("runner_up_cost").is_not_null()
    return frame.with_columns(_reason_code(), runner_up=pl.when(known).then("runner_up"))


def _reason_code() -> pl.Expr:
    ordered = pl.col("order_qty") > 0
    waits = pl.col("_empty_first")
    kinds = [(waits, "order_late"), (~waits & (pl.col("_need") < pl.col("_moq")), "order_moq"), (~waits, "order_now")]
    codes = [
        *((ordered & when & pl.col("_dearer"), code + "_dearer") for when, code in kinds),
        *((ordered & when, code) for when, code in kinds),
        (pl.col("_none_ahead"), "no_demand"),
        (waits & pl.col("_next_in").is_not_null(), "stockout_before_inbound"),
        (pl.col("position") > pl.col("_q95"), "overstock"),
        ((pl.col("order_up_to") <= 0) & (pl.col("position") <= 0), "slow_mover"),
    ]
    chain = pl.lit("enough_stock")
    for condition, code in reversed(codes):
        chain = pl.when(condition).then(pl.lit(code)).otherwise(chain)
    return chain.alias("reason_code")


def _next_arrival(held: Stock, n: int) -> Floats:
    first = np.full(n, np.inf)
    np.minimum.at(first, held.item, held.day.astype(np.float64))
    return np.where(np.isinf(first), np.nan, first)


def _date(clock: Clock, name: str, days: Floats) -> pl.Series:
    offset = pl.Series(name, days, nan_to_null=True).cast(pl.Int64)
    return (
        offset.to_frame().select((pl.lit(clock.today) + pl.duration(days=name)).cast(pl.Date).alias(name)).to_series()
    )


def findings(case: Case, answer: pl.DataFrame, inventory: pl.DataFrame) -> list[Found]:
    """What a person should act on, most urgent kinds first."""
    currency = case.prices.currency
    out: list[Found] = []

    def tell(
        rule: str, severity: str, which: pl.Series | np.ndarray, sentence: str, money: Floats | None = None
    ) -> None:
        some = answer.with_columns(money=None if money is None else pl.Series(money, nan_to_null=True)).filter(which)
        for row in some.iter_rows(named=True):
            entity = f"{row['sku']}@{row['warehouse']}"
            worth = None if row["money"] is None else round(row["money"], 2)
            text = sentence.format_map(row)
            out.append(
                (f"{rule}:{entity}", severity, entity, rule, text, worth, currency if worth is not None else None)
            )

    terms, held, plan = case.terms, case.held, case.plan
    here = held.free + held.coming(terms.lead)
    lost = counts.shortage(here, plan.lead.mean, plan.lead.var) * case.prices.shortage
    tell(
        "stockout_before_arrival",
        "high",
        answer["_empty_first"],
        "empty on {stockout_date} at mean demand, and an order of today is on the shelf only {_lead:g} days from now "
        "(chance of running out by then {_chance:.0f} %)",
        lost,
    )
    tell("negative_stock", "warn", held.on_hand < 0, "stock on hand is negative: it counts as owed to customers")
    holding = plan.order * case.prices.unit_cost * terms.holding_rate * np.nan_to_num(answer["_years"].to_numpy()) / 2
    tell(
        "moq_over_a_year",
        "warn",
        answer.select((pl.col("_years") > 1) & (pl.col("_need") < pl.col("_moq"))).to_series().fill_null(False),
        "the smallest order ({_moq:g}) is {_years:.1f} years of demand; the need is {_need:g}",
        holding,
    )
    overdue = np.bincount(held.item[held.overdue], weights=held.qty[held.overdue], minlength=len(held.free))
    answer = answer.with_columns(pl.Series("_overdue", overdue))
    tell(
        "overdue_inbound",
        "warn",
        overdue > 0,
        f"{{_overdue:g}} units were due by {case.clock.today} and have not arrived; they count as coming",
        overdue * case.prices.unit_cost,
    )
    beyond = held.day > terms.protection[held.item]
    far = np.bincount(held.item[beyond], weights=held.qty[beyond], minlength=len(held.free))
    answer = answer.with_columns(pl.Series("_far", far))
    tell(
        "late_inbound",
        "info",
        far > 0,
        "{_far:g} units arrive only after lead time + review ({_days:g} days): they do not count in the position",
    )
    key = ["sku", "warehouse"]
    unasked = inventory.join(case.linked.items, on=key, how="anti").filter(pl.col("on_hand") > 0)
    unlisted = case.linked.items.filter(~held.listed)
    out += _per_warehouse(
        "no_forecast", "warn", unasked, "have stock but no forecast, so that nothing is proposed for them"
    )
    out += _per_warehouse(
        "no_stock_row", "info", unlisted, "have a forecast but no row in inventory: taken as no stock"
    )
    return out


def _per_warehouse(rule: str, severity: str, frame: pl.DataFrame, what: str) -> list[Found]:
    out: list[Found] = []
    for (place,), part in frame.sort("warehouse", "sku").group_by("warehouse", maintain_order=True):
        named = ", ".join(part["sku"].head(_NAMED).to_list()) + (" ..." if part.height > _NAMED else "")
        text = f"{part.height} SKU{'s' if part.height > 1 else ''} at {place} {what} ({named})"
        out.append((f"{rule}:{place}", severity, str(place), rule, text, None, None))
    return out


def headline(case: Case, ways: Choices) -> Headline | str:
    """Today = the seller formula's orders, proposed = ours, over the items where all costs are known."""
    known = ~np.isnan(ways.ours_cost.cost) & ~np.isnan(ways.seller_cost.cost)
    if not known.any():
        if np.isnan(ways.seller).all():
            return "the forecast has no column seller_formula, so that there is nothing to compare with"
        return "no unit cost is known: give unit_cost in products or inventory, or shortage_cost in policies"
    if case.prices.currency is None:
        return "costs are known but no table tells their currency: set --home-currency"
    today, ours = float(ways.seller_cost.cost[known].sum()), float(ways.ours_cost.cost[known].sum())
    half = _Z90 * ways.sd
    basis = (
        f"expected holding, shortage and order cost over lead time + review of {int(known.sum())} items; today = orders by "
        "the seller formula (0.2 x 30-day + 0.3 x 15-day + 0.5 x 7-day mean), the range takes items as independent"
    )
    if not known.all():
        basis += f"; {int((~known).sum())} items without a known cost are left out"
    return Headline(today, ours, ours - today - half, ours - today + half, case.prices.currency, basis)


def metrics(case: Case, ways: Choices, answer: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Figures for summary.json, over all items."""
    value = case.plan.order * case.prices.unit_cost
    known = ~np.isnan(ways.seller_cost.short)
    return {
        "items": answer.height,
        "orders": int((case.plan.order > 0).sum()),
        "units_ordered": float(case.plan.order.sum()),
        "order_value": round(float(np.nansum(value)), 2),
        "seller_formula_orders": int((np.nan_to_num(ways.seller) > 0).sum()),
        "seller_formula_units": float(np.nansum(ways.seller)),
        "expected_short": round(float(ways.ours_cost.short.sum()), 2),
        "expected_short_seller_formula": round(float(ways.seller_cost.short[known].sum()), 2) if known.any() else None,
        "expected_short_no_order": round(float(ways.none_cost.short.sum()), 2),
        "stockouts_before_arrival": int(answer["_empty_first"].sum()),
        "overstocked": int((answer["reason_code"] == "overstock").sum()),
    }


def notes(case: Case, ways: Choices, inventory: pl.DataFrame, as_of_forecast: object) -> list[str]:
    """Assumptions and doubts, in words."""
    prices, clock = case.prices, case.clock
    out = []
    if clock.today != as_of_forecast:
        out.append(f"orders are dated {clock.today}; the forecast knows sales until {as_of_forecast}")
    stale = inventory.filter(pl.col("snapshot_date").is_not_null() & (pl.col("snapshot_date") != clock.today))
    if stale.height:
        out.append(
            f"{stale.height} stock rows were counted on another day than {clock.today}; sales between count in neither"
        )
    if case.held.not_coming:
        out.append(f"{case.held.not_coming} inbound rows have arrived or were cancelled by their status: not counted")
    if prices.guessed.any():
        out.append(
            f"shortage cost unknown for {int(prices.guessed.sum())} items (no price, none in policies): taken as a share of the "
            "unit cost (setting markup)"
        )
    unknown = int(np.isnan(ways.ours_cost.cost).sum())
    if unknown:
        out.append(f"cost unknown for {unknown} items: no unit_cost in products or inventory")
    both = ~np.isnan(ways.ours_cost.cost) & ~np.isnan(ways.seller_cost.cost)
    more = float((ways.ours_cost.cost - ways.seller_cost.cost)[both].sum())
    if more > 0:
        out.append(
            f"the proposed orders are expected to cost {more:.2f} {prices.currency or ''} more than the seller formula's over "
            "lead time + review: the service level is held as a constraint, even where a shortage would be cheaper"
        )
    return out
