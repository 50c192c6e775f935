"""The tables of `route plan`: options with flags and reasons, and their legs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec import tables
from cbec.core.cells import empty
from cbec.methods.route import costs, spread
from cbec.methods.route.paths import NOON

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.route.plan import Case

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

#: Under this chance to be on time even the best way is likely to be late.
LIKELY = 0.5
PARTS = ("freight", "surcharges", "handling", "capital_cost", "late_cost", "loss_cost")
_STRANDED = {
    "closed": "route_none_closed",
    "departure": "route_none_departure",
    "not_yet": "route_none_not_yet",
    "expired": "route_none_expired",
    "goods": "route_none_goods",
    "capacity": "route_none_capacity",
    "gap": "route_none_gap",
    "below": "route_none_below",
    "above": "route_none_above",
}


def nothing() -> dict[str, pl.DataFrame]:
    """Both tables without rows."""
    return {name: empty(tables.get(name).columns) for name in ("options", "legs")}


def options(case: Case) -> pl.DataFrame:
    """The table `options` without `reason`, with the parameters of its sentences in columns that begin with `_`.

    Columns `_shipment` (position), `_cheapest`, `_punctual` (bool) and `_var` serve the headline.
    """
    rows = _with_reasons(_with_runner_up(_figures(case)))
    return pl.concat([rows, _stranded(case)], how="diagonal_relaxed").sort("shipment_id", "option_rank")


def _figures(case: Case) -> pl.DataFrame:
    c, w, frame = case.costed, case.costed.ways, case.world.cards.frame
    of = case.ships.frame
    lane, mode = frame["lane_id"], frame["mode"]
    second = pl.Series(np.maximum(w.second, 0))
    two = pl.Series("two", w.second >= 0)
    p50, p90 = (w.depart + np.floor(NOON + spread.quantile(q, w.mean, w.var)) for q in (0.5, 0.9))
    made = pl.DataFrame(
        {
            "shipment_id": of["shipment_id"].gather(w.shipment),
            "option_rank": c.rank,
            "_shipment": w.shipment,
            "_mode": mode.gather(w.first),
            "_mode2": mode.gather(second),
            "_lane": lane.gather(w.first),
            "_lane2": lane.gather(second),
            "chargeable_kg": w.charged,
            "freight": w.freight,
            "surcharges": w.surcharge,
            "handling": w.handling,
            "capital_cost": c.capital,
            "late_cost": c.late,
            "loss_cost": c.loss,
            "total_cost": c.total,
            "depart": _dates(w.depart),
            "arrive_p50": _dates(p50),
            "arrive_p90": _dates(p90),
            "p_on_time": pl.Series(c.p_on_time, nan_to_null=True),
            "co2e_kg": pl.Series(c.co2e, nan_to_null=True),
            "_cheapest": c.cheapest,
            "_punctual": c.punctual,
            "_var": c.var,
            "_outlay": c.outlay,
            "_days": w.depart - case.ships.available[w.shipment] + w.mean,
        }
    ).with_columns(pl.lit(case.world.home).alias("currency"), two, flags=_flags(case))
    chain = {
        name: pl.when("two").then(pl.concat_str(f"_{one}", f"_{one}2", separator=">")).otherwise(f"_{one}")
        for name, one in (("modes", "mode"), ("lanes", "lane"))
    }
    return made.with_columns(**chain).with_columns(_name=pl.format("{} ({})", "modes", "lanes"))


def _flags(case: Case) -> pl.Series:
    c, w, built = case.costed, case.costed.ways, case.world
    second, two = np.maximum(w.second, 0), w.second >= 0

    def either(of_rows: Bools) -> Bools:
        return np.asarray(of_rows[w.first] | (two & of_rows[second]))

    frame, goods = built.cards.frame, case.ships.goods
    waits_unknown = built.calendar.wait > 0
    marks = {
        "best_value": c.rank == 1,
        "break_raised": w.bumped,
        "cheapest": c.cheapest,
        "co2e_unknown": np.isnan(c.co2e),
        "departure_unknown": either(waits_unknown),
        "dg_unchecked": goods.dangerous[w.shipment] & either(frame["dg_accepted"].is_null().to_numpy()),
        "disrupted": w.disrupted,
        "dominated": costs.dominated(c),
        "dwell_assumed": two & built.dwell_assumed[w.first],
        "fastest": c.fastest,
        "greenest": c.greenest,
        "late_likely": c.p_on_time < LIKELY,
        "spread_assumed": either(built.spread_assumed),
        "temp_unchecked": goods.chilled[w.shipment] & either(frame["temp_controlled"].is_null().to_numpy()),
    }
    listed = pl.DataFrame(marks)
    words = [pl.when(pl.col(name)).then(pl.lit(name)) for name in listed.columns]
    return listed.select(pl.concat_str(words, separator="|", ignore_nulls=True).alias("flags")).to_series()


def _with_runner_up(rows: pl.DataFrame) -> pl.DataFrame:
    """The best other option: the second for the first, the first for every other."""
    named = ["_shipment", pl.col("_name").alias("runner_up"), pl.col("total_cost").alias("runner_up_cost")]
    first = rows.filter(option_rank=1).select(named)
    second = rows.filter(option_rank=2).select(named)
    parts = (
        rows.filter(pl.col("option_rank") == 1).join(second, on="_shipment", how="left"),
        rows.filter(pl.col("option_rank") > 1).join(first, on="_shipment", how="left"),
    )
    return pl.concat(parts)


def _with_reasons(rows: pl.DataFrame) -> pl.DataFrame:
    """What decided: for the best, what it saves against the cheapest in freight; for others, what makes them dearer."""
    wanted = ["_shipment", *PARTS, "total_cost", "_outlay", "_name", "p_on_time", "_days"]
    best = rows.filter(option_rank=1).select(wanted).rename(lambda n: n if n == "_shipment" else f"_best_{n}")
    naive = rows.filter("_cheapest").select(wanted).rename(lambda n: n if n == "_shipment" else f"_naive_{n}")
    rows = rows.join(best, on="_shipment", how="left").join(naive, on="_shipment", how="left")
    more = {part: pl.col(part) - pl.col(f"_best_{part}") for part in PARTS}
    saved = {part: pl.col(f"_naive_{part}") - pl.col(part) for part in PARTS[3:]}
    first = pl.col("option_rank") == 1
    pays = _largest(saved, "route_pays")
    why = (
        pl.when(first & pl.col("runner_up").is_null()).then(pl.lit("route_only"))
        .when(first & pl.col("_cheapest") & (pl.col("runner_up_cost") == pl.col("total_cost"))).then(pl.lit("route_cheapest_tie"))
        .when(first & pl.col("_cheapest")).then(pl.lit("route_cheapest_best"))
        .when(first).then(pays)
        .when(pl.col("total_cost") == pl.col("_best_total_cost")).then(pl.lit("route_tie"))
        .otherwise(_largest(more, "route_more"))
    )  # fmt: skip
    return rows.with_columns(
        _more=pl.when(first)
        .then(pl.col("runner_up_cost") - pl.col("total_cost"))
        .otherwise(pl.col("total_cost") - pl.col("_best_total_cost")),
        _part=pl.max_horizontal(*more.values()),
        _paid=pl.col("_outlay") - pl.col("_naive__outlay"),
        _saved=pl.max_horizontal(*saved.values()),
        _less=pl.col("_naive_total_cost") - pl.col("total_cost"),
        _p=100 * pl.col("p_on_time").fill_null(1.0),
        _p_naive=100 * pl.col("_naive_p_on_time").fill_null(1.0),
        reason_code=why,
    )


def _largest(values: dict[str, pl.Expr], word: str) -> pl.Expr:
    """`<word>_<name>` of the largest value, the first of equal ones."""
    top = pl.max_horizontal(*values.values())
    chosen = pl.lit(None, pl.String)
    for name, value in reversed(values.items()):
        chosen = pl.when(value == top).then(pl.lit(f"{word}_{name.removesuffix('_cost')}")).otherwise(chosen)
    return chosen


def _stranded(case: Case) -> pl.DataFrame:
    """One row of rank 0 per shipment without a way, with what the nearest lane lacked."""
    frame = case.world.cards.frame
    of = case.ships.frame.select("shipment", "shipment_id", "origin", "destination", "weight_kg", "volume_m3")
    tell = frame.select(
        "row", "valid_from", "valid_to", "capacity_kg", "capacity_m3", _lane="lane_id",
        _low=pl.col("floor").min().over("tariff"), _high=pl.col("high").max().over("tariff"),
    )  # fmt: skip
    rows = case.stranded.join(of, on="shipment").join(tell, on="row", how="left")
    code = pl.col("why").replace_strict(_STRANDED, default="route_none_lane", return_dtype=pl.String)
    return rows.select(
        "shipment_id",
        pl.lit(0, pl.Int64).alias("option_rank"),
        pl.lit(case.world.home).alias("currency"),
        pl.lit("no_option").alias("flags"),
        code.alias("reason_code"),
        pl.col("shipment").alias("_shipment"),
        pl.col("origin").alias("_origin"),
        pl.col("destination").alias("_destination"),
        "_lane",
        "_low",
        "_high",
        pl.col("kg").alias("_kg"),
        pl.col("valid_from").alias("_from"),
        pl.col("valid_to").alias("_to"),
        pl.lit(case.world.terms.max_wait_days, pl.Int64).alias("_wait"),
    )


def legs(case: Case) -> pl.DataFrame:
    """The table `legs`."""
    c, w, built = case.costed, case.costed.ways, case.world
    two = w.second >= 0
    arrive = w.depart + np.floor(NOON + spread.quantile(0.5, w.mean, w.var))
    halfway = w.depart + np.floor(NOON + spread.quantile(0.5, w.first_mean, w.first_var))
    every = np.ones(len(two), dtype=np.bool_)
    sides = (
        (1, w.first, every, w.depart, np.where(two, halfway, arrive), w.charged),
        (2, w.second, two, w.change, np.maximum(arrive, w.change), w.charged_second),
    )
    weight, parts = case.ships.goods.weight, []
    for number, row, which, depart, reach, charged in sides:
        rows, ship = row[which], w.shipment[which]
        lane = built.cards.frame[pl.Series(rows)].select(
            "lane_id", "mode", "origin", "destination", "carrier", "service", "distance_km"
        )
        parts.append(
            lane.with_columns(
                case.ships.frame["shipment_id"].gather(ship).alias("shipment_id"),
                pl.Series("option_rank", c.rank[which]),
                pl.lit(number, pl.Int64).alias("leg"),
                _dates(depart[which]).alias("depart"),
                _dates(reach[which]).alias("arrive"),
                pl.Series("chargeable_kg", charged[which]),
                pl.Series("weight_kg", weight[ship]),
                built.factor_id.gather(rows).alias("factor_id"),
                pl.Series("co2e_kg", weight[ship] / 1000 * built.per_tonne[rows], nan_to_null=True),
            )
        )
    return pl.concat(parts).sort("shipment_id", "option_rank", "leg")


def _dates(days: Floats | NDArray[np.int64]) -> pl.Series:
    return pl.Series(days.astype(np.int64)).cast(pl.Int32).cast(pl.Date)
