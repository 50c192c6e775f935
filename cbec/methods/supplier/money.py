"""What suppliers' prices did, and what their failings cost as far as policies and settings tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import special

from cbec.methods import terms

if TYPE_CHECKING:
    from cbec.methods.supplier.lines import Record

#: Halves shorter than this tell no drift per year.
_SHORTEST_HALF = 90
#: Columns of `supplier_score` that add up to `cost`.
PARTS = ("late_cost", "short_cost", "defect_cost", "early_cost", "buffer_cost", "price_cost")
_LEVEL = 0.95  # of service, where the policy has none
_DRAWS = 400


@dataclass(frozen=True)
class Tariff:
    """What the settings tell: percent of the value late per day, percent of the price of a rejected unit; 0 = not told."""

    late_pct: float
    defect_pct: float


def prices(record: Record) -> pl.DataFrame:
    """Per supplier: price_spread_pct, price_drift_pct (per year, null where nothing was bought in both halves).

    A price is compared with the supplier's own median of the same SKU in the same currency, so that neither the mix of
    goods nor exchange rates move it; SKUs weigh by what was spent on them in home currency.
    """
    told = record.frame.filter(pl.col("price").is_not_null() & (pl.col("price") > 0))
    of = ["supplier_id", "sku", "currency"]
    own = pl.col("price").median().over(of)
    spread = told.with_columns(off=(pl.col("price") / own - 1).abs()).group_by("supplier_id", maintain_order=True).agg(
        price_spread_pct=100 * (pl.col("off") * pl.col("value")).sum() / pl.col("value").sum()
    )  # fmt: skip
    halves = told.group_by(of, maintain_order=True).agg(
        first=pl.col("price").filter(pl.col("half") == 0).median(),
        last=pl.col("price").filter(pl.col("half") == 1).median(),
        weight=pl.col("value").filter(pl.col("half") == 1).sum(),
    )
    both = halves.drop_nulls(["first", "last"]).filter(pl.col("weight") > 0).sort(of)
    half = record.days / 2
    yearly = 365 / half if half >= _SHORTEST_HALF else float("nan")
    drift = both.group_by("supplier_id", maintain_order=True).agg(
        price_drift_pct=100 * yearly * ((pl.col("last") / pl.col("first") - 1) * pl.col("weight")).sum() / pl.col("weight").sum()
    )  # fmt: skip
    return spread.join(drift, on="supplier_id", how="left").with_columns(pl.col("price_drift_pct").fill_nan(None))


def costs(record: Record, policies: pl.DataFrame | None, spread: pl.DataFrame, tariff: Tariff) -> pl.DataFrame:
    """Lines with the parts of cost in home currency: late_cost, short_cost, defect_cost, early_cost, price_cost, and
    buffer_cost, the line's part of holding its supplier's safety stock. Null where nobody told what it costs.

    spread: supplier_id, sd (days). Late: value not there in time x days late x the setting. Short: pieces that never
    came x the policy's shortage cost. Early: value x days early x holding rate. Buffer: the safety stock for the spread
    of the lead time alone is z(service level) x sd x daily volume (King 2011), held for the window. Price: bought in
    the last half x (price - median price of the first half, same SKU and currency).
    """
    frame = record.frame.join(spread, on="supplier_id", how="left", maintain_order="left")
    if policies is None:
        nothing = dict.fromkeys(("holding_rate", "shortage_cost", "service_level"), pl.lit(None, pl.Float64))
        frame = frame.with_columns(**nothing)
    else:
        policies = policies.sort(terms.KEYS, nulls_last=True)
        held = policies.select("holding_rate", "shortage_cost", "service_level")
        frame = frame.hstack(held[terms.holding(frame.select(terms.KEYS), policies)])
    level = frame["service_level"].fill_null(_LEVEL).to_numpy()
    base = pl.col("price").filter(pl.col("half") == 0).median().over("supplier_id", "sku", "currency")
    value, unit = pl.col("value"), pl.col("price_home")
    sure = pl.when(pl.col("pending")).then("qty").otherwise("received")  # what never came is short, not late
    lateness = (sure - pl.col("in_time")).clip(0.0) * unit * pl.col("late").fill_null(0)
    rate = pl.col("holding_rate")
    return frame.with_columns(
        late_cost=lateness.fill_null(0.0) * tariff.late_pct / 100 if tariff.late_pct else pl.lit(None, pl.Float64),
        short_cost=pl.col("missing") * pl.col("shortage_cost"),
        defect_cost=pl.col("rejected") * unit * tariff.defect_pct / 100 if tariff.defect_pct else pl.lit(None, pl.Float64),
        early_cost=value * pl.col("early").fill_null(0) * rate / 365,
        buffer_cost=pl.Series(special.ndtri(level)) * pl.col("sd") * value * rate / 365,
        price_cost=pl.when(pl.col("half") == 1).then(value * (1 - base / pl.col("price"))),
    )  # fmt: skip


def summed(lines: pl.DataFrame) -> pl.DataFrame:
    """Per supplier the parts of cost and spend; a part is null where no line tells it."""
    amounts = pl.col(*PARTS)
    total = lines.sort("item").group_by("supplier_id", maintain_order=True).agg(
        pl.when(amounts.is_not_null().any()).then(amounts.sum()), spend=pl.when(pl.col("value").is_not_null().any()).then(pl.col("value").sum())
    )  # fmt: skip
    return total.with_columns(
        cost=pl.when(pl.any_horizontal(pl.col(*PARTS).is_not_null())).then(pl.sum_horizontal(*PARTS))
    )


def in_words(lines: pl.DataFrame, record: Record, told: list[str], seed: int) -> str:
    """What failings cost in the window, and how much of it lies above the median supplier's cost per unit of spend.

    That is room to negotiate and no saving, so it makes no headline. The range is a bootstrap over each supplier's
    purchase orders (5 % to 95 %).
    """
    if record.currency is None:
        return "purchase orders carry no prices and no home currency is set: what failings cost is not known"
    if not {"late_cost", "short_cost"} & set(told):
        return (
            "what a late or missing unit costs is not told: give --policies with shortage_cost (and holding_rate), or --late-cost-pct"
        )  # fmt: skip
    orders = lines.filter(pl.col("value") > 0).sort("item").group_by("supplier_id", "po_id", maintain_order=True).agg(
        cost=pl.sum_horizontal(pl.col(*PARTS).sum()), spend=pl.col("value").sum()
    )  # fmt: skip
    groups = [
        (g["cost"].to_numpy(), g["spend"].to_numpy()) for g in orders.partition_by("supplier_id", maintain_order=True)
    ]
    if len(groups) < 2:
        return "one supplier alone has no other to be measured by"
    today = np.array([[cost.sum(), spend.sum()] for cost, spend in groups])
    rng = np.random.default_rng(seed)
    draws = np.empty((_DRAWS, len(groups), 2))
    for i, (cost, spend) in enumerate(groups):
        weights = rng.multinomial(cost.size, np.full(cost.size, 1 / cost.size), _DRAWS)
        draws[:, i, 0], draws[:, i, 1] = weights @ cost, weights @ spend
    low, high = np.quantile([_gain(d) for d in draws], [0.05, 0.95])
    words = {
        "late_cost": "late", "short_cost": "never delivered, each piece as one short", "defect_cost": "rejected", "early_cost": "early", "buffer_cost": "safety stock for unsteady lead times",
        "price_cost": "prices above those of the first half",
    }  # fmt: skip
    now, room = float(today[:, 0].sum()), -_gain(today)
    kinds = ", ".join(words[p] for p in PARTS if p in told)
    return (
        f"a score decides nothing; failings of orders from {record.start} on cost {now:,.0f} {record.currency} ({kinds}), "
        f"of which {room:,.0f} ({-float(high):,.0f} to {-float(low):,.0f}) above the median supplier per unit of spend: "
        "room to negotiate, not a saving"
    )


def _gain(amounts: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Change of cost when the dear half comes down to the median; amounts: cost and spend per supplier (>= 0 spend)."""
    bought = amounts[amounts[:, 1] > 0]
    rate = bought[:, 0] / bought[:, 1]
    return float(((np.minimum(rate, np.median(rate)) - rate) * bought[:, 1]).sum())
