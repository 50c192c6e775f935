"""Lead times that follow from the ways chosen: from the order to the shelf of each warehouse, for the next policies.

Of a warehouse's shipments each counts by its weight. The variance is that within the shipments (read off the 50 % and
90 % days of arrival) and that between them, as if the way of the next one were drawn from today's (law of total variance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core.errors import InputRejected
from cbec.methods import terms

if TYPE_CHECKING:
    from collections.abc import Sequence

#: finding_id, severity, entity, rule, message, money, currency
Found = tuple[str, str, str, str, str, float | None, str | None]
_Z90 = 1.2816  # of the normal distribution, one-sided
FAR_DAYS, FAR_SHARE = 3.0, 0.1
"""A plan is off its policy when it differs by so many days, and by this share of it."""


def planned(options: pl.DataFrame, shipments: pl.DataFrame, ready_days: float, ready_sd: float) -> pl.DataFrame:
    """Rows of the table `route_lead_times` without what the policies say: one per destination.

    options: of route plan; the first of each shipment counts. shipments: with destination, ready_date and weight.
    Raises InputRejected where no option is of a shipment of the table.
    """
    best = options.filter(pl.col("option_rank") == 1).select("shipment_id", "modes", "arrive_p50", "arrive_p90")
    told = best.join(shipments.select("shipment_id", "destination", "ready_date", "weight_kg"), on="shipment_id")
    if told.is_empty() and best.height:
        raise InputRejected(
            f"shipments: none of the {best.height} shipments of options is among them",
            hint="give the shipments that route plan had",
        )
    days = (pl.col("arrive_p50") - pl.col("ready_date")).dt.total_days().clip(lower_bound=0).cast(pl.Float64)
    spread = (pl.col("arrive_p90") - pl.col("arrive_p50")).dt.total_days() / _Z90
    told = told.with_columns(days=days, variance=spread**2, weight=pl.col("weight_kg").clip(lower_bound=1e-9))
    share = pl.col("weight") / pl.col("weight").sum()
    mean = (pl.col("days") * share).sum()
    return (
        told.sort("destination", "shipment_id")
        .group_by("destination", maintain_order=True)
        .agg(
            (mean + ready_days).round(2).alias("lead_time_days"),
            ((pl.col("variance") * share).sum() + ((pl.col("days") - mean) ** 2 * share).sum() + ready_sd**2)
            .sqrt()
            .round(2)
            .alias("lead_time_sd_days"),
            mean.round(2).alias("transport_days"),
            pl.len().cast(pl.Int64).alias("shipments"),
            pl.col("weight_kg").sum().alias("weight_kg"),
            pl.col("modes").unique().sort().str.join("|").alias("modes"),
        )
        .rename({"destination": "warehouse"})
    )


def compared(found: pl.DataFrame, policies: pl.DataFrame) -> pl.DataFrame:
    """Adds `policy_days`, the lead time of the row that holds today for a SKU of no supplier, and the reason."""
    policies = policies.sort(terms.KEYS, nulls_last=True)
    named = found.select(
        pl.lit(None, pl.String).alias("sku"), "warehouse", pl.lit(None, pl.String).alias("supplier_id")
    )
    row = terms.holding(named, policies)
    told = found.with_columns(policies["lead_time_days"].gather(row).alias("policy_days"))
    off = (pl.col("lead_time_days") - pl.col("policy_days")).round(2)
    far = (off.abs() > FAR_DAYS) & (off.abs() > FAR_SHARE * pl.col("policy_days"))
    code = (
        pl.when(pl.col("policy_days").is_null()).then(pl.lit("lead_no_policy"))
        .when(far & (off > 0)).then(pl.lit("lead_longer"))
        .when(far).then(pl.lit("lead_shorter"))
        .otherwise(pl.lit("lead_as_planned"))
    )  # fmt: skip
    return told.with_columns(code.alias("reason_code"), _off=off.abs())


def updated(policies: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The policies with the lead time of each warehouse's general row; rows of single SKUs and suppliers stay.

    What was measured of a supplier, or agreed for a SKU, goes before what is planned for a warehouse. A warehouse without
    a row of its own gets one like the row that holds for it; where none does, nothing is added.
    """
    policies = policies.sort(terms.KEYS, nulls_last=True)
    rows = {tuple(row[k] for k in terms.KEYS): row for row in policies.iter_rows(named=True)}
    known = found.filter(pl.col("policy_days").is_not_null())
    for warehouse, days, sd in known.select("warehouse", "lead_time_days", "lead_time_sd_days").iter_rows():
        named = pl.DataFrame([(None, warehouse, None)], schema=dict.fromkeys(terms.KEYS, pl.String), orient="row")
        held = policies.row(int(terms.holding(named, policies)[0]), named=True)
        key = {"sku": None, "warehouse": warehouse, "supplier_id": None}
        rows[tuple(key.values())] = held | key | {"lead_time_days": days, "lead_time_sd_days": sd}
    return pl.DataFrame(list(rows.values()), schema=policies.schema)


def findings(table: pl.DataFrame) -> list[Found]:
    """Warehouses whose policies plan with other days than the ways that are taken."""
    found: list[Found] = []
    for row in table.filter(pl.col("reason_code").is_in(["lead_longer", "lead_shorter"])).iter_rows(named=True):
        longer = row["reason_code"] == "lead_longer"
        text = (
            f"goods to {row['warehouse']} take {row['lead_time_days']:.1f} days by the ways chosen, its policy plans with "
            f"{row['policy_days']:.1f}: {'too little' if longer else 'too much'} stock is held for it"
        )
        found.append(
            (f"route_lead_time:{row['warehouse']}", "warn", row["warehouse"], "route_lead_time", text, None, None)
        )
    return found


def metrics(table: pl.DataFrame) -> dict[str, float | int | str | None]:
    """How many warehouses, how many of them far off."""
    return {"warehouses": table.height, "shipments": int(table["shipments"].sum()), "off": len(findings(table))}


def notes(options: pl.DataFrame, shipments: pl.DataFrame, table: pl.DataFrame) -> list[str]:
    """What was left out."""
    told: list[str] = []
    lost = options.filter(pl.col("option_rank") == 0).height
    if lost:
        told.append(f"shipments without any way tell no lead time: {lost}")
    strange = _names(options.join(shipments, on="shipment_id", how="anti")["shipment_id"].unique().sort().to_list())
    if strange:
        told.append(f"options of shipments that are not in the table shipments are left out: {strange}")
    none = _names(table.filter(pl.col("policy_days").is_null())["warehouse"].to_list())
    if none:
        told.append(f"no policy holds for {none}: their lead times are in route_lead_times only")
    return told


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
