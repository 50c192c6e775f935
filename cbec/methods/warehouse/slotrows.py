"""What `warehouse slot` says of its plans: rows with their reasons, moves, money, findings, figures and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from cbec.core.money import Z90, Headline
from cbec.core.words import of
from cbec.methods import words
from cbec.methods.warehouse import layout, moves, picks
from cbec.methods.warehouse.slotting import NOWHERE

if TYPE_CHECKING:
    from cbec.methods.warehouse.slot import Plan, Terms

#: finding_id, severity, entity, rule, message, money, currency
Found = tuple[str, str, str, str, str, float | None, str | None]
_TOLD = 5


def rows(plan: Plan, s: Terms, slotted: bool) -> pl.DataFrame:
    """The table `slotting` of one warehouse, without `reason`; columns that begin with `_` are its parameters."""
    seen, floor = plan.picks, plan.floor
    count = seen.count
    aged = seen.frequency(seen.aged(plan.choice.half_life))
    led = {swap.lead for swap in plan.swaps}
    steps = {who for swap in plan.swaps for who, _, _ in swap.steps}
    codes = [_code(i, plan, led, steps, slotted) for i in range(len(seen.skus))]
    with np.errstate(divide="ignore", invalid="ignore"):
        cpo = plan.fit.m3 * plan.fit.need / (count / seen.days)
    distance = np.append(floor.distance, np.nan)
    names = [*floor.bins, None]
    share = count / max(int(count.sum()), 1)
    frame = pl.DataFrame(
        {
            "sku": seen.skus,
            "bin": pl.Series([names[p] for p in plan.place.tolist()], dtype=pl.String),
            "warehouse": pl.Series([plan.name] * len(seen.skus), dtype=pl.String),
            "class": picks.classes(aged),
            "picks": count,
            "share": share,
            "variability": pl.Series(picks.variability(seen), dtype=pl.String),
            "cpo": pl.Series(np.where(np.isfinite(cpo), cpo, np.nan), nan_to_null=True),
            "distance_m": pl.Series(distance[plan.place], nan_to_null=True),
            "from_bin": pl.Series([names[p] for p in plan.today.tolist()], dtype=pl.String),
            "from_distance_m": pl.Series(distance[plan.today], nan_to_null=True),
            "reason_code": codes,
            "_rank": np.argsort(np.argsort(-aged, kind="stable")) + 1,
            "_of": np.full(len(seen.skus), len(seen.skus)),
        }
    )
    return frame.with_columns(pl.col("picks").cast(pl.Int64))


def _code(sku: int, plan: Plan, led: set[int], steps: set[int], slotted: bool) -> str:
    if plan.place[sku] == NOWHERE:
        return "slot_no_bin"
    if not slotted:
        return "slot_from_scratch"
    if plan.today[sku] == NOWHERE:
        return "slot_put_away"
    if plan.place[sku] == plan.today[sku]:
        return "slot_stays"
    if sku in led:
        return "slot_deserves"
    nearer = plan.floor.distance[plan.place[sku]] <= plan.floor.distance[plan.today[sku]]
    return "slot_follows" if nearer and sku in steps else "slot_makes_room"


def steps(plan: Plan, s: Terms) -> pl.DataFrame:
    """The table `moves` of one warehouse."""
    out: list[dict[str, Any]] = []
    names = [*plan.floor.bins, s.temporary]
    rate = s.rate
    for number, swap in enumerate(plan.swaps, 1):
        told = False
        for sku, start, end in swap.steps:
            # Told once, at the step that brings the leading SKU to its place.
            here = swap.metres if sku == swap.lead and not told else 0.0
            told = told or sku == swap.lead
            minutes = here * s.minutes_per_metre
            out.append(
                {
                    "seq": len(out) + 1,
                    "warehouse": plan.name,
                    "swap": number,
                    "sku": plan.picks.skus[sku],
                    "from_bin": names[-1 if start == moves.TEMPORARY else start],
                    "to_bin": names[-1 if end == moves.TEMPORARY else end],
                    "metres": here,
                    "minutes_saved": minutes,
                    "minutes": s.minutes_per_move,
                    "saving": None if rate is None else minutes * rate,
                    "cost": None if rate is None else s.minutes_per_move * rate,
                    "currency": None if rate is None else s.currency,
                }
            )
    text, whole, number_kind = pl.String, pl.Int64, pl.Float64
    kinds = {
        "seq": whole, "warehouse": text, "swap": whole, "sku": text, "from_bin": text, "to_bin": text, "metres": number_kind,
        "minutes_saved": number_kind, "minutes": number_kind, "saving": number_kind, "cost": number_kind, "currency": text,
    }  # fmt: skip
    return pl.DataFrame(out, schema=kinds)


def headline(plans: list[Plan], s: Terms, slotted: bool) -> Headline | str:
    """Walking today beside walking after the moves and the carrying, over the days that the slotting holds."""
    if not slotted:
        return "no slots today, so that there is nothing to compare the plan with"
    if s.rate is None:
        return "the saving is told in metres and minutes: set --wage-per-hour and --home-currency for money"
    per_metre = s.minutes_per_metre * s.rate
    today = sum(p.metres["today"] for p in plans) * per_metre
    walk = sum(p.metres["proposed"] for p in plans) * per_metre
    carry = sum(len(w.steps) for p in plans for w in p.swaps) * s.minutes_per_move * s.rate
    half = Z90 * float(np.sqrt(sum(p.spread**2 for p in plans))) * per_metre
    difference = walk + carry - today
    dated = not any(np.isnan(p.picks.days) for p in plans)
    over = f"{s.keep_days:g} days" if dated else "the orders given (they have no dates)"
    basis = (
        f"picker's walking ({s.routing} tours, one per order) over {over} at {s.speed:g} m/s and {s.wage:g} an hour; proposed = "
        "after the moves, with the time of carrying; the range is that of the orders as a sample"
    )
    if not np.isfinite(half):
        return Headline(today, walk + carry, None, None, str(s.currency), basis)
    return Headline(today, walk + carry, difference - half, difference + half, str(s.currency), basis)


def metrics(plans: list[Plan], s: Terms, slotted: bool) -> dict[str, float | int | str | None]:
    """Figures for summary.json: of all warehouses together, metres per order as their mean over orders."""
    orders = sum(p.picks.orders for p in plans)

    def mean(which: str) -> float:
        return round(sum(p.per_order[which] * p.picks.orders for p in plans) / orders, 3)

    total = {k: sum(p.metres[k] for p in plans) for k in ("today", "proposed", "ideal")}
    carries = sum(len(w.steps) for p in plans for w in p.swaps)
    today = ("metres_per_order_today", "kilometres_today", "minutes_saved")
    figures: dict[str, float | int | str | None] = {
        "orders": orders,
        "picks": int(sum(len(p.picks.sku) for p in plans)),
        "skus": sum(len(p.picks.skus) for p in plans),
        "bins": sum(len(p.floor.bins) for p in plans),
        "metres_per_order_today": mean("today"),
        "metres_per_order": mean("proposed"),
        "metres_per_order_ideal": mean("ideal"),
        "kilometres_today": round(total["today"] / 1000, 3),
        "kilometres": round(total["proposed"] / 1000, 3),
        "kilometres_ideal": round(total["ideal"] / 1000, 3),
        "swaps": sum(len(p.swaps) for p in plans),
        "moves": carries,
        "minutes_saved": round((total["today"] - total["proposed"]) * s.minutes_per_metre, 2),
        "minutes_carrying": round(carries * s.minutes_per_move, 2),
        "routing": s.routing if all(p.floor.block is not None for p in plans) else "trips",
        "ranking": "|".join(sorted({p.choice.ranking for p in plans})),
        "half_life_days": "|".join(sorted({f"{p.choice.half_life:g}" for p in plans})),
    }
    return figures if slotted else figures | dict.fromkeys(today)


def findings(plans: list[Plan], s: Terms, slotted: bool) -> list[Found]:
    """What a person should act on."""
    out: list[Found] = []
    for plan in plans:
        at = "" if plan.name is None else f"@{plan.name}"
        here = plan.name or "the warehouse"
        skus = plan.picks.skus
        homeless = [skus[i] for i in np.flatnonzero(plan.place == NOWHERE).tolist()]
        sold = plan.picks.count
        if homeless:
            severity = "warn" if any(sold[i] for i in np.flatnonzero(plan.place == NOWHERE)) else "info"
            text = f"{words.skus(homeless)} of {here}: no bin is left that may hold {'it' if len(homeless) == 1 else 'them'} (number, room, load or zone)"
            out.append((f"no_bin:{here}", severity, here, "no_bin", text, None, None))
        if slotted and plan.unplaced_lines:
            new = [skus[i] for i in np.flatnonzero((plan.today == NOWHERE) & (sold > 0)).tolist()]
            text = f"{words.skus(new)} of {here} were ordered ({of(plan.unplaced_lines, 'line')}) and lie in no bin today: their walks are in neither figure"
            out.append((f"not_slotted:{here}", "warn", here, "not_slotted", text, None, None))
        out += _far_and_fast(plan, s, at)
        if plan.zone_guessed:
            text = f"{words.skus(plan.zone_guessed)} of {here} have no bin today: put in the zone where most goods lie; check what they need"
            out.append((f"zone_guessed:{here}", "info", here, "zone_guessed", text, None, None))
        if plan.floor.block is not None and plan.floor.block.misfit > layout.MISFIT:
            text = f"distance_m and x, y of {here} disagree by {100 * plan.floor.block.misfit:.0f} % on the average: check --depot-x and --front-y"
            out.append((f"layout_misfit:{here}", "warn", here, "layout_misfit", text, None, None))
    return out


def _far_and_fast(plan: Plan, s: Terms, at: str) -> list[Found]:
    """The swaps that save most, by name."""
    out: list[Found] = []
    rate = s.rate
    for swap in sorted(plan.swaps, key=lambda w: (-w.metres, w.lead))[:_TOLD]:
        start, end = (plan.floor.distance[w[swap.lead]] for w in (plan.today, plan.place))
        sku = plan.picks.skus[swap.lead]
        text = (
            f"picked {int(plan.picks.count[swap.lead])} times from {plan.floor.bins[plan.today[swap.lead]]}, {start:.0f} m from the dock; at "
            f"{plan.floor.bins[plan.place[swap.lead]]} ({end:.0f} m) it saves {swap.metres / 1000:.2f} km of walking"
        )
        money = None if rate is None else round(swap.metres * s.minutes_per_metre * rate, 2)
        currency = None if money is None else s.currency
        out.append((f"fast_mover_far:{sku}{at}", "warn", f"{sku}{at}", "fast_mover_far", text, money, currency))
    return out


def notes(plans: list[Plan], s: Terms, slotted: bool) -> list[str]:
    """Assumptions and doubts, in words."""
    out: list[str] = []
    for plan in plans:
        at = "" if plan.name is None else f"{plan.name}: "
        choice = plan.choice
        fade = (
            "no fading" if np.isinf(choice.half_life) else f"orders halving in weight every {choice.half_life:g} days"
        )
        if choice.metres is not None:
            plain = [v for (_, life), v in choice.tried.items() if np.isinf(life)]
            beside = f"; best without fading {min(plain):.1f}" if plain and not np.isinf(choice.half_life) else ""
            out.append(
                f"{at}bins ranked by {choice.ranking}, {fade}: {choice.metres:.1f} m per order on the last fifth of the days, which "
                f"the trial had not seen{beside}"
            )
        else:
            out.append(f"{at}bins ranked by {choice.ranking}, {fade}: too few dated orders to try others")
        if plan.floor.block is None:
            out.append(f"{at}bins have no x and y: each bin counts as a trip of its own from the dock")
        if np.isnan(plan.picks.days):
            out.append(
                f"{at}orders have no dates: savings are for the orders given, and room for stock is not asked for"
            )
        unknown = int(np.isnan(plan.fit.m3).sum())
        if unknown and not np.isnan(plan.floor.m3).all():
            out.append(f"{at}volume unknown for {of(unknown, 'SKU')}: any bin counts as large enough for them")
        if slotted:
            full = plan.metres["today"] - plan.metres["ideal"]
            part = plan.metres["today"] - plan.metres["proposed"]
            reach = (
                f", {100 * part / full:.0f} % of what putting every SKU in its best place would save"
                if full > 0
                else ""
            )
            out.append(f"{at}{sum(len(w.steps) for w in plan.swaps)} carries save {part / 1000:.2f} km{reach}")
    out.append("one tour per order is assumed; batches would walk less")
    return out
