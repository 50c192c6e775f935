"""Findings of `forecast replenish`: what a person should act on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.words import PERIOD, of
from cbec.methods import counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cbec.methods.forecast.replenish import Choices
    from cbec.methods.forecast.stockcase import Case
    from cbec.methods.protection import Floats

#: finding_id, severity, entity, rule, message, money, currency
Found = tuple[str, str, str, str, str, float | None, str | None]
_NAMED = 3


#: rule, severity, warehouse, how many SKUs, the first of them
Count = tuple[str, str, str, int, list[str]]
#: What is said of the SKUs of a warehouse, by rule.
_PLACES = {
    "firm_orders_beside": "with firm orders beside a forecast: they count as part of it, and stock is at least what is due "
    "until the next order arrives; reserve the stock where they come on top",
    "no_forecast": "with stock but without a forecast: nothing is proposed there",
    "no_stock_row": "with a forecast but without a row in inventory: taken as no stock",
}


def findings(
    case: Case, ways: Choices, answer: pl.DataFrame, inventory: pl.DataFrame, firm: pl.DataFrame | None
) -> tuple[list[Found], list[Count]]:
    """What a person should act on, most urgent kinds first; and what is counted by warehouse (see `of_places`)."""
    currency = case.prices.currency
    out: list[Found] = []

    def tell(
        rule: str,
        severity: str,
        which: pl.Series | np.ndarray,
        sentence: str,
        money: Floats | None = None,
        more: Mapping[str, Floats] | None = None,
    ) -> None:
        figures = [pl.Series(name, value) for name, value in (more or {}).items()]
        some = answer.with_columns(
            *figures, money=None if money is None else pl.Series(money, nan_to_null=True)
        ).filter(which)
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
        answer["_empty_first"].to_numpy() & (case.early.units <= 0),
        "empty on {stockout_date} at mean demand, and the earliest order is on the shelf only {_lead:g} days from now "
        "(chance of running out by then {_chance:.0f} %)",
        lost,
    )
    tell(
        "firm_orders_too_early",
        "high",
        case.early.units > 0,
        "firm orders are {_early:g} short from {_early_day} on, and the earliest order is on the shelf only on {_earliest}: hurry a "
        "delivery, move stock, or agree on a later day",
        case.early.units * case.prices.shortage,
    )
    _surges(case, tell)
    out += _limits(case, ways)
    tell(
        "firm_orders_over_forecast",
        "warn",
        ~np.isnan(case.firm_due),
        "firm orders of {_firm_due:g} units are due within {_days:g} days, where {_mean:.1f} were expected: the order is raised for "
        "them, and the forecast may lack others",
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
    _deliveries(case, tell)
    return out, _counts(case, inventory, firm)


def _deliveries(case: Case, tell: Callable[..., None]) -> None:
    """Goods on their way that should have come, or that come too late for the order of today."""
    held = case.held
    overdue = np.bincount(held.item[held.overdue], weights=held.qty[held.overdue], minlength=len(held.free))
    tell(
        "overdue_inbound",
        "warn",
        overdue > 0,
        f"{{_overdue:g}} units were due by {case.clock.today} and have not arrived; they count as coming",
        overdue * case.prices.unit_cost,
        {"_overdue": overdue},
    )
    beyond = held.day > case.terms.protection[held.item]
    far = np.bincount(held.item[beyond], weights=held.qty[beyond], minlength=len(held.free))
    tell(
        "late_inbound",
        "info",
        far > 0,
        "{_far:g} units arrive only after lead time + review ({_days:g} days): they do not count in the position",
        None,
        {"_far": far},
    )


def _counts(case: Case, inventory: pl.DataFrame, firm: pl.DataFrame | None) -> list[Count]:
    """What is counted by warehouse: firm orders beside a forecast, stock without a forecast, items without a row of stock."""
    key = ["sku", "warehouse"]
    out: list[Count] = []
    if firm is not None:
        planned = case.linked.items[case.firm.item]
        out += _per_warehouse("firm_orders_beside", "info", firm.select(key).unique().join(planned, on=key, how="anti"))
    unasked = inventory.join(case.linked.items, on=key, how="anti").filter(pl.col("on_hand") > 0)
    out += _per_warehouse("no_forecast", "warn", unasked)
    out += _per_warehouse("no_stock_row", "info", case.linked.items.filter(~case.held.listed))
    return out


def of_places(counted: Sequence[Count]) -> list[Found]:
    """What is found by warehouse, from the counts of all parts of a catalogue in the order of their keys."""
    every: dict[tuple[str, str, str], tuple[int, list[str]]] = {}
    for rule, severity, place, count, named in counted:
        before, names = every.get((rule, severity, place), (0, []))
        every[rule, severity, place] = before + count, [*names, *named][:_NAMED]
    out: list[Found] = []
    for (rule, severity, place), (count, names) in every.items():
        listed = ", ".join(names) + (" ..." if count > _NAMED else "")
        text = f"{of(count, 'SKU')} at {place} {_PLACES[rule]} ({listed})"
        out.append((f"{rule}:{place}", severity, place, rule, text, None, None))
    return out


def _surges(case: Case, tell: Callable[..., None]) -> None:
    """Items whose demand was above its 95 % quantile in each of the last periods."""
    surge, plan = case.surge, case.plan
    up = surge.ratio > 1
    if not up.any():
        return
    mean, var = plan.lead.mean * surge.ratio, plan.lead.var * surge.ratio**2
    here = case.held.free + case.held.coming(case.terms.lead)
    short = counts.shortage(here, mean, var)
    more = np.ceil(np.maximum(plan.whole.mean * (surge.ratio - 1), 0.0))
    unit = f"{PERIOD[case.clock.frequency]}s"
    tell(
        "early_order",
        "high",
        up,
        f"demand surges: {{_sold:,.0f}} units in the last {surge.periods} {unit}, each above its 95 % quantile, where "
        "{_expected:,.0f} were expected; order now and about {_extra:,.0f} more than proposed if it lasts, and forecast anew",
        short * case.prices.shortage,
        {"_sold": surge.sold, "_expected": surge.expected, "_extra": more},
    )


def _limits(case: Case, ways: Choices) -> list[Found]:
    """What the budget and the containers cut, and what that costs."""
    solved, currency = case.limited.solved, case.prices.currency
    if solved is None:
        return []
    cut = case.plan.order < case.wanted - 1e-9
    out: list[Found] = []
    if cut.any():
        more = ways.ours_cost.cost - ways.uncut_cost.cost
        worst = np.flatnonzero(cut)[np.argsort(-np.nan_to_num(more[cut]), kind="stable")][:_NAMED]
        items = case.linked.items
        named = ", ".join(f"{items['sku'][int(i)]}@{items['warehouse'][int(i)]}" for i in worst)
        gone = float(np.nansum((case.wanted - case.plan.order)[cut] * case.prices.unit_cost[cut]))
        money = float(np.nansum(more[cut]))
        short = float((ways.ours_cost.short - ways.uncut_cost.short)[cut].sum())
        effect = (
            f"costs {money:,.2f} more" if money > 0 else f"costs {-money:,.2f} less (the service level has its price)"
        )
        firm = "; what firm orders need is not cut" if case.question.least.any() else ""
        text = (
            f"budget and containers cut {of(int(cut.sum()), 'order')} by {gone:,.2f} {currency or ''}: over lead time + review that "
            f"{effect}, and {short:,.0f} more units are short (most: {named}){firm}"
        )
        out.append(("orders_cut", "warn", "budget", "orders_cut", text, round(money, 2), currency))
    if solved.status != "optimal":
        text = f"the clock stopped the program: this plan may cost up to {solved.gap:.2%} more than the best"
        out.append(("no_optimum", "warn", "budget", "no_optimum", text, None, None))
    return out


def _per_warehouse(rule: str, severity: str, frame: pl.DataFrame) -> list[Count]:
    by_place = frame.sort("warehouse", "sku").group_by("warehouse", maintain_order=True)
    return [
        (rule, severity, str(place), part.height, part["sku"].head(_NAMED).to_list()) for (place,), part in by_place
    ]
