"""Money, figures and notes of `forecast replenish`: facts that add up over the parts of a catalogue, and what they tell of the whole."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.core import words
from cbec.core.errors import UsageFault
from cbec.core.money import Z90, Headline
from cbec.methods.forecast import stockfindings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.methods.forecast.replenish import Choices
    from cbec.methods.forecast.stockcase import Case
    from cbec.methods.forecast.stockfindings import Found

#: Names that are told in a note.
TOLD = 5


def facts(
    case: Case,
    ways: Choices,
    answer: pl.DataFrame,
    inventory: pl.DataFrame,
    firm: pl.DataFrame | None,
    forecast: pl.DataFrame,
    sales: bool,
) -> dict[str, Any]:
    """What one catalogue, or a part of it, has to tell: plain numbers and words. sales: whether sales since the forecast were given."""
    ours, seller, prices = ways.ours_cost, ways.seller_cost, case.prices
    both = ~np.isnan(ours.cost) & ~np.isnan(seller.cost)
    known = ~np.isnan(seller.short)
    clock, solved = case.clock, case.limited.solved
    counted = pl.col("snapshot_date").is_not_null() & (pl.col("snapshot_date") != clock.today)
    found, places = stockfindings.findings(case, ways, answer, inventory, firm)
    return {
        "today": clock.today.isoformat(),
        "as_of": str(forecast["as_of"][0]),
        "currency": prices.currency,
        "sd": ways.sd,
        "factor": case.factor if np.char.startswith(case.terms.target, "cost").any() else None,
        "surge_periods": case.surge.periods if sales else None,
        "limits": None if solved is None else _limits(case, ways),
        "findings": found,
        "places": places,
        "sums": {
            "items": answer.height,
            "both": int(both.sum()),
            "cost": float(ours.cost[both].sum()),
            "cost_seller": float(seller.cost[both].sum()),
            "more": float((ours.cost - seller.cost)[both].sum()),
            "uncosted": int(case.uncosted.sum()),
            "unknown": int(np.isnan(ours.cost).sum()),
            "guessed": int(prices.guessed.sum()),
            "stale": inventory.filter(counted).height,
            "not_coming": case.held.not_coming,
            "with_seller": int((~np.isnan(ways.seller)).sum()),
            "known": int(known.sum()),
            **_leaning(case, forecast),
            "orders": int((case.plan.order > 0).sum()),
            "units": float(case.plan.order.sum()),
            "value": float(np.nansum(case.plan.order * prices.unit_cost)),
            "seller_orders": int((np.nan_to_num(ways.seller) > 0).sum()),
            "seller_units": float(np.nansum(ways.seller)),
            "short": float(ours.short.sum()),
            "short_seller": float(seller.short[known].sum()),
            "short_none": float(ways.none_cost.short.sum()),
            "early": float(case.early.units.sum()),
            "early_cost": float(np.nansum((case.early.units * prices.shortage)[both])),
            "empty_first": int(answer["_empty_first"].sum()),
            "overstocked": int((answer["reason_code"] == "overstock").sum()),
        },
    }


def _leaning(case: Case, forecast: pl.DataFrame) -> dict[str, float]:
    """Orders of items whose forecasts ran too high, or too low, at past origins (flags of the forecast): how many, and their value."""
    linked, order = case.linked, case.plan.order
    value = np.nan_to_num(order * case.prices.unit_cost)
    first = forecast.filter(pl.col("h") == 1).with_columns(pl.col("market").fill_null("*"))
    keys = linked.names.columns
    flags = linked.names.join(
        first.select(*keys, "flags"), on=keys, how="left", nulls_equal=True, maintain_order="left"
    )["flags"].fill_null("")
    found: dict[str, float] = {}
    for word in ("ran_high", "ran_low"):
        there = np.zeros(len(order), bool)
        there[linked.item[flags.str.split("|").list.contains(word).to_numpy()[linked.series]]] = True
        found |= {word: int((there & (order > 0)).sum()), f"{word}_value": float(value[there].sum())}
    return found


def _limits(case: Case, ways: Choices) -> dict[str, float | int | str | None]:
    solved = case.limited.solved
    assert solved is not None
    return {
        "limits_status": solved.status,
        "limits_gap": round(solved.gap, 6),
        "limits_bound": round(solved.bound, 2),
        "orders_cut": int((case.plan.order < case.wanted - 1e-9).sum()),
        "orders_filled": int((case.plan.order > case.wanted + 1e-9).sum()),
        "value_wanted": round(float(np.nansum(case.wanted * case.prices.unit_cost)), 2),
        "cost_of_limits": round(float(np.nansum(ways.ours_cost.cost - ways.uncut_cost.cost)), 2),
        "container_cost": round(case.limited.freight, 2),
        "container_cost_empty": round(case.limited.empty, 2),
        "container_cost_seller_formula": None if ways.shipped is None else round(ways.shipped[0], 2),
        "container_cost_empty_seller_formula": None if ways.shipped is None else round(ways.shipped[1], 2),
    }


def _added(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(p["sums"][name] for p in parts) for name in parts[0]["sums"]}


def currency(parts: Sequence[dict[str, Any]]) -> str | None:
    """The currency of all costs; UsageFault where parts of the catalogue have different ones."""
    found = sorted({p["currency"] for p in parts if p["currency"] is not None})
    if len(found) > 1:
        raise UsageFault(
            f"costs are in {', '.join(found)}, and no home currency is set",
            hint="set --home-currency and give --rates, so that they can be added up",
        )
    return found[0] if found else None


def headline(parts: Sequence[dict[str, Any]]) -> Headline | str:
    """Today = the seller formula's orders, proposed = ours, over the items where all costs are known."""
    sums, money = _added(parts), currency(parts)
    if not sums["both"]:
        if not sums["with_seller"]:
            return "the forecast has no column seller_formula, so that there is nothing to compare with"
        return "no unit cost is known: give unit_cost in products or inventory, or shortage_cost in policies"
    if money is None:
        return "costs are known but no table tells their currency: set --home-currency"
    today, ours = sums["cost_seller"], sums["cost"]
    rooms = [(parts[0]["limits"] or {}).get(f"container_cost_empty{of}") for of in ("_seller_formula", "")]
    half = Z90 * (parts[0]["sd"] if len(parts) == 1 else sqrt(sum(p["sd"] ** 2 for p in parts)))
    basis = (
        f"expected holding, shortage and order cost over lead time + review of {words.of(sums['both'], 'item')}; today = orders by "
        "the seller formula (0.2 x 30-day + 0.3 x 15-day + 0.5 x 7-day mean), the range takes items as independent"
    )
    if parts[0]["limits"]:
        basis += "; the seller formula's orders as if there were no budget and no containers"
    if rooms[0] is not None:
        today, ours = today + rooms[0], ours + rooms[1]
        basis += f"; containers by what their empty room costs ({rooms[0]:.2f} today, {rooms[1]:.2f} proposed)"
    if sums["early"]:
        basis += f"; in both, firm orders that come too early for any order ({sums['early_cost']:,.2f})"
    if sums["both"] < sums["items"]:
        basis += f"; left out: {words.of(sums['items'] - sums['both'], 'item')} without a known cost"
    return Headline(today, ours, ours - today - half, ours - today + half, money, basis)


def metrics(parts: Sequence[dict[str, Any]]) -> dict[str, float | int | str | None]:
    """Figures for summary.json, over all items."""
    sums = _added(parts)
    return {
        **(parts[0]["limits"] or {}),
        "items": sums["items"],
        "orders": sums["orders"],
        "units_ordered": sums["units"],
        "order_value": round(sums["value"], 2),
        "seller_formula_orders": sums["seller_orders"],
        "seller_formula_units": sums["seller_units"],
        "expected_short": round(sums["short"], 2),
        "expected_short_seller_formula": round(sums["short_seller"], 2) if sums["known"] else None,
        "expected_short_no_order": round(sums["short_none"], 2),
        "firm_orders_short": round(sums["early"], 2),
        "stockouts_before_arrival": sums["empty_first"],
        "overstocked": sums["overstocked"],
    }


def findings(parts: Sequence[dict[str, Any]]) -> list[Found]:
    """What a person should act on."""
    of_items: list[Found] = [tuple(found) for p in parts for found in p["findings"]]
    return of_items + stockfindings.of_places([tuple(count) for p in parts for count in p["places"]])


def notes(parts: Sequence[dict[str, Any]]) -> list[str]:
    """Assumptions and doubts, in words."""
    sums, first, money = _added(parts), parts[0], currency(parts)
    out = []
    if first["today"] != first["as_of"]:
        out.append(f"orders are dated {first['today']}; the forecast knows sales until {first['as_of']}")
    if sums["stale"]:
        out.append(
            f"{words.of(sums['stale'], 'stock row', 'were')} counted on another day than {first['today']}; sales between count in neither"
        )
    if sums["not_coming"]:
        out.append(f"{words.of(sums['not_coming'], 'inbound row')} arrived or cancelled by status: not counted")
    if sums["guessed"]:
        out.append(
            f"shortage cost unknown for {words.of(sums['guessed'], 'item')} (no price, none in policies): taken as a share of the "
            "unit cost (setting markup)"
        )
    if first["surge_periods"] is not None and not max(p["surge_periods"] for p in parts):
        out.append(
            "too few periods of the forecast are over to see a surge: give --as-of a later day and the sales until then"
        )
    if factors := {p["factor"] for p in parts} - {None}:
        out.append(
            f"levels of targets in money: critical ratio with a unit short counted x {factors.pop():g}, as the replay in stock_record chose"
        )
    if sums["uncosted"]:
        out.append(
            f"{words.of(sums['uncosted'], 'item', 'have')} a target in money but no known cost: the service level of the settings holds"
        )
    limits = first["limits"]
    if limits is not None and limits["limits_status"] != "optimal":
        gap = limits["limits_gap"]
        out.append(
            f"the clock stopped the program of budget and containers: a plan within {gap:.2%} of the best, not the best"
        )
    if sums["unknown"]:
        out.append(f"cost unknown for {words.of(sums['unknown'], 'item')}: no unit_cost in products or inventory")
    for word, side in (("ran_high", "high"), ("ran_low", "low")):
        if sums[word]:
            worth = f" (worth {sums[f'{word}_value']:,.0f} {money})" if money and sums[f"{word}_value"] > 0 else ""
            out.append(
                f"forecasts of {words.of(sums[word], 'item')} to be ordered{worth} ran much too {side} on the past (flag {word} of "
                "the forecast): the range takes that in, the mean does not; a look pays there first"
            )
    return [*out, *_strangers(parts), *([_dearer(sums["more"], limits, money)] if sums["more"] > 0 else [])]


def _strangers(parts: Sequence[dict[str, Any]]) -> list[str]:
    """Order days that hold for nothing, since no item has that supplier."""
    told, known = ({s for p in parts for s in p["suppliers"][of]} for of in ("told", "known"))
    lost = sorted(told - known)
    if not lost:
        return []
    named = ", ".join(lost[:TOLD]) + (" ..." if len(lost) > TOLD else "")
    return [
        f"order_calendar: days of {words.of(len(lost), 'supplier')} of no item ({named}) hold for nothing: products tell supplier_id"
    ]


def _dearer(more: float, limits: dict[str, Any] | None, money: str | None) -> str:
    """Why the proposed orders cost more than those of the seller formula."""
    why = "the service level is held as a constraint, even where a shortage would be cheaper"
    if limits is not None and limits["orders_cut"]:
        why = (
            f"{words.of(limits['orders_cut'], 'order', 'are')} cut by budget and containers, which costs "
            f"{limits['cost_of_limits']:.2f}; the seller formula's are counted uncut"
        )
    return f"the proposed orders are expected to cost {more:.2f} {money or ''} more than the seller formula's over lead time + review: {why}"


def curve(table: pl.DataFrame) -> pl.DataFrame:
    """Table `stock_curve` of the whole from those of the parts."""
    figures = [name for name in table.columns if name not in ("service_level", "currency")]
    return (
        table.group_by("service_level", maintain_order=True)
        .agg(*(pl.col(name).sum() for name in figures), pl.col("currency").drop_nulls().first())
        .select(table.columns)
    )
