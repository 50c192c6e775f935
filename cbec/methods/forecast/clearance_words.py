"""What `forecast clearance` says beside its tables: findings, the money, figures and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core import words as plural
from cbec.core.money import Z90, Headline
from cbec.methods import words
from cbec.methods.forecast import excess as ex
from cbec.methods.forecast import fees as fee_tables
from cbec.methods.forecast import ways

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.clearance import Case

#: finding_id, severity, entity, rule, message, money, currency
Found = tuple[str, str, str, str, str, float | None, str | None]
#: Days before the next age surcharge at which it is a finding.
SOON = 30


def findings(case: Case, answer: pl.DataFrame) -> list[Found]:
    """What a person should act on, most urgent kinds first."""
    currency = case.given.costs.currency
    out: list[Found] = []

    def tell(rule: str, severity: str, some: pl.DataFrame, sentence: str) -> None:
        for row in some.iter_rows(named=True):
            entity = f"{row['sku']}@{row['warehouse']}"
            worth = None if row["money"] is None else round(row["money"], 2)
            out.append(
                (
                    f"{rule}:{entity}",
                    severity,
                    entity,
                    rule,
                    sentence.format_map(row),
                    worth,
                    currency if worth is not None else None,
                )
            )

    judged = answer.filter(pl.col("excess_units").is_not_null())
    judged = judged.with_columns(_way=pl.col("action").str.replace_all("_", " "))
    tell(
        "dead_stock",
        "high",
        judged.filter(pl.col("_dead") & ~pl.col("_silent")).with_columns(
            money=pl.coalesce("cost_keep", "excess_value")
        ),
        "{on_hand:g} units and no demand expected; proposed: {_way}",
    )
    tell(
        "dead_stock",
        "high",
        judged.filter("_silent").with_columns(money=pl.coalesce("cost_keep", "excess_value")),
        "{on_hand:g} units, not sold since {_last_sale}, though the forecast expects sales; proposed: {_way}",
    )
    acted = judged.filter(~pl.col("_dead") & ~pl.col("action").is_in(["keep", "unknown"]))
    tell(
        "excess_stock",
        "warn",
        acted.with_columns(money=pl.col("_saved")),
        "{excess_units:g} of {on_hand:g} units are more than {_cover:g} days need at their {_level:g} % quantile; proposed: {_way}",
    )
    unit_cost = case.given.linked.items.with_columns(pl.Series("unit", case.given.of.unit_cost, nan_to_null=True))
    coming = judged.filter((pl.col("_coming") >= ex.LEAST) & (pl.col("excess_units") > 0))
    coming = coming.join(unit_cost, on=["sku", "warehouse"], how="left", maintain_order="left")
    tell(
        "excess_coming",
        "warn",
        coming.with_columns(money=pl.col("_coming") * pl.col("unit")),
        "{_coming:g} units more are on their way to stock that is too much already: stop them or push them back",
    )
    if case.given.fees is not None:
        tell(
            "surcharge_soon",
            "info",
            _surcharges(case, judged),
            "{on_hand:g} units reach an age surcharge in {_days:g} days: so much more a month",
        )
    lost = answer.filter(pl.col("reason_code") == "clear_no_forecast")
    for (place,), part in lost.sort("warehouse", "sku").group_by("warehouse", maintain_order=True):
        text = f"{plural.of(part.height, 'SKU')} at {place} with stock but without a forecast: nobody can say whether it is too much ({words.some(part['sku'].to_list())})"
        out.append((f"no_forecast:{place}", "warn", str(place), "no_forecast", text, None, None))
    return out


def _surcharges(case: Case, judged: pl.DataFrame) -> pl.DataFrame:
    """Items whose fee per day rises by their age within SOON days, with the rise per month of their stock."""
    fees, items, of = case.given.fees, case.given.linked.items, case.given.of
    assert fees is not None
    today = case.given.clock.today
    now, later = (
        fee_tables.per_day(fees, items["warehouse"], of.age + shift, of.volume, today, 1)[:, 0]
        for shift in (0.0, float(SOON))
    )
    starts = np.array(sorted({row["age_from"] for row in fees.rows if row["kind"] == "aged"}), dtype=np.float64)
    at = np.searchsorted(starts, np.nan_to_num(of.age, nan=np.inf), side="right")
    wait = np.append(starts, np.nan)[np.minimum(at, starts.size)] - of.age
    rise = (later - now) * case.fee_rate * fee_tables.DAYS_OF_MONTH
    frame = items.with_columns(pl.Series("rise", rise), pl.Series("_days", wait, nan_to_null=True))
    return (
        judged.join(frame, on=["sku", "warehouse"], how="left", maintain_order="left")
        .filter((pl.col("rise") > 0) & (pl.col("_days") <= SOON) & (pl.col("excess_units") > 0))
        .with_columns(money=pl.col("rise") * pl.col("on_hand"))
    )


def headline(case: Case) -> Headline | str:
    """Today = the excess kept at the regular price, proposed = each item's cheapest way."""
    made = case.answer
    if not (case.where.excess > 0).any():
        return "no stock is more than needed"
    if not made.rows.size:
        return "no unit cost is known: give unit_cost in products or inventory"
    if case.given.costs.currency is None:
        return "costs are known but no table tells their currency: set --home-currency"
    today = float(made.cost[:, ways.KEEP].sum())
    ours = float(made.cost[np.arange(made.rows.size), made.chosen].sum())
    # Demands of items are independent; elasticities may all be wrong in the same direction.
    half = Z90 * float(np.sqrt((made.sd_demand**2).sum() + made.sd_elasticity.sum() ** 2))
    basis = (
        f"cost of the excess of {plural.of(made.rows.size, 'item')} until {case.sell_by}: its value at unit cost less what it "
        f"brings, plus storage and disposal, capital at the holding rate; today = kept at the regular price"
    )
    if case.given.fees is not None and case.given.fees.example:
        basis += "; storage by the packaged EXAMPLE of fees"
    unknown = int((case.where.excess > 0).sum()) - made.rows.size
    if unknown:
        basis += f"; left out: {plural.of(unknown, 'item')} without a unit cost"
    return Headline(today, ours, ours - today - half, ours - today + half, case.given.costs.currency, basis)


def metrics(case: Case, answer: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Figures for summary.json."""
    judged = answer.filter(pl.col("excess_units").is_not_null())
    stock_value = np.maximum(case.given.held.free, 0.0) * case.given.of.unit_cost
    actions = dict(answer["action"].value_counts().iter_rows())
    dead = case.where.dead
    return {
        "items": answer.height,
        "items_with_excess": int((judged["excess_units"] > 0).sum()),
        "excess_units": round(float(judged["excess_units"].sum()), 2),
        "stock_value": round(float(np.nansum(stock_value)), 2),
        "excess_value": round(float(np.nansum(case.where.excess * case.given.of.unit_cost)), 2),
        "dead_items": int(dead.sum()),
        "dead_value": round(float(np.nansum(stock_value[dead])), 2),
        **{
            f"action_{name}": int(actions.get(name, 0))
            for name in ("markdown", "markdown_later", "transfer", "liquidate", "write_off")
        },
        **{
            f"elasticity_{b}": int((case.given.of.elasticity["basis"] == b).sum())
            for b in ("own", "category", "catalogue", "default")
        },
    }


def notes(case: Case, inventory: pl.DataFrame) -> list[str]:
    """Assumptions and doubts, in words."""
    clock, s, excess = case.given.clock, case.s, case.where.excess > 0
    out = []
    short = excess & (case.where.demand.reach < s.sell_by_days)
    if short.any():
        out.append(
            f"the forecast ends {case.where.demand.reach[short].min():g} days after {clock.today}; its mean rate is carried on until the "
            f"sell-by day {case.sell_by}, so a season after it is not seen: forecast further ahead where there is one"
        )
    out += [*_elasticity_notes(case), *_storage_notes(case, excess)]
    no_price = int((np.isnan(case.given.of.price) & excess).sum())
    if no_price:
        out.append(f"no price is known for {plural.of(no_price, 'item')} with excess: no markdown is judged there")
    of_sales = sum(source == "sales" and e for source, e in zip(case.given.of.sources, excess.tolist(), strict=True))
    if of_sales:
        out.append(
            f"the prices of {plural.of(of_sales, 'item')} with excess are those of past sales, which may hold tax"
        )
    if s.recovery <= 0:
        out.append("nobody is known to buy or take back excess (setting recovery): selling off is not on offer")
    stale = inventory.filter(pl.col("snapshot_date").is_not_null() & (pl.col("snapshot_date") != clock.today)).height
    if stale:
        out.append(f"{stale} stock rows were counted on another day than {clock.today}")
    return out


def _elasticity_notes(case: Case) -> list[str]:
    s, basis = case.s, case.given.of.elasticity["basis"].gather(pl.Series(case.answer.rows))
    if basis.is_empty():
        return []
    told = ", ".join(f"{count} {name}" for name, count in basis.value_counts().sort("basis").iter_rows())
    out = [f"elasticities of the items with excess: {told} (own = mostly own sales; category, catalogue = pooled)"]
    if "default" in basis.to_list():
        out.append(
            f"default elasticity {s.elasticity:g}: no sales at different prices tell one; give --sales with prices, or treat these "
            "discounts as trials"
        )
    deepest = case.given.of.elasticity["deepest"].gather(pl.Series(case.answer.rows)).to_numpy()
    beyond = int((case.answer.planned.max(1, initial=0.0) > deepest + 1e-9).sum())
    if beyond:
        out.append(
            f"{beyond} planned discounts are deeper than any that the sales have seen: beyond those less is expected of a discount than the "
            "elasticity says, and nobody has tried it"
        )
    out.append(
        f"selling costs {100 * s.selling_rate:g} % of the price and {s.selling_cost:g} per unit; {100 * s.borrowed:g} % of the extra sales of "
        "past promotions are taken as borrowed from later weeks"
    )
    return out


def _storage_notes(case: Case, excess: NDArray[np.bool_]) -> list[str]:
    fees, of = case.given.fees, case.given.of
    told = fees is not None or bool((case.given.terms.storage > 0).any())
    if not told:
        return [
            "no storage fee is told (--fees FILE, or storage_cost_m3_day in policies): keeping costs capital and write-off alone"
        ]
    out = []
    bulky = int((np.isnan(of.volume) & excess).sum())
    if bulky:
        out.append(f"dimensions unknown for {plural.of(bulky, 'item')} with excess: storage per m3 counts 0 there")
    if fees is None:
        return out
    if fees.example:
        out.append("storage fees are those of the packaged EXAMPLE, nobody's contract: give your own with --fees FILE")
    if fees.until < case.sell_by:
        out.append(f"fees are told until {fees.until}; the last ones are taken to go on")
    unaged = int((np.isnan(of.age) & excess).sum())
    if unaged:
        out.append(f"age unknown for {plural.of(unaged, 'item')} with excess: surcharges count from today as if new")
    return out
