"""Emissions of freight: tonnes x kilometres x a published factor, well to wheel; unknown stays unknown.

The activity is the gross weight (never the chargeable one) times the distance of the leg. Distances are taken as
given: no uplift for detours is added, no handling at nodes is counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from cbec.core import packaged, words
from cbec.core.errors import InputRejected, did_you_mean
from cbec.methods.route import modes


@dataclass(frozen=True)
class Factors:
    """table: factor_id, ttw, wtt (kg CO2e per t km), source; by_mode: mode -> factor_id; the days for which they hold."""

    title: str
    table: pl.DataFrame
    by_mode: dict[str, str]
    valid_from: date | None
    valid_to: date | None


def load(path: str = "") -> Factors:
    """The packaged factors, or those of a YAML of the same shape. Raises InputRejected for a file that is none."""
    place = Path(path) if path else packaged.folder("configs") / "factors.yaml"
    import yaml

    from cbec.core.onceyaml import Once

    try:
        told: Any = yaml.load(place.read_text("utf-8"), Loader=Once)
        title = str(told["title"])
        rows = [
            {"factor_id": name, "ttw": float(f["ttw"]), "wtt": float(f["wtt"]), "source": f"{title}: {f['source']}"}
            for name, f in told["factors"].items()
        ]
        by_mode = {modes.of(mode): str(name) for mode, name in (told.get("modes") or {}).items()}
    except FileNotFoundError:
        raise InputRejected(f"factors: no file {place}") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise InputRejected(
            f"factors: {place} is no table of emission factors ({type(wrong).__name__}: {wrong})",
            hint="title, factors: {name: {ttw, wtt, source}}, modes: {sea: name} as in configs/factors.yaml",
        ) from wrong
    names = [row["factor_id"] for row in rows]
    for mode, name in by_mode.items():
        if name not in names:
            raise InputRejected(f"factors: {place}: mode {mode} names {name}{did_you_mean(name, names)}, which is none")
    negative = [row["factor_id"] for row in rows if min(row["ttw"], row["wtt"]) < 0]
    if negative:
        raise InputRejected(f"factors: {place}: {negative[0]} is negative")
    days = [told.get(key) if isinstance(told.get(key), date) else None for key in ("valid_from", "valid_to")]
    kinds = {"factor_id": pl.String, "ttw": pl.Float64, "wtt": pl.Float64, "source": pl.String}
    return Factors(title, pl.DataFrame(rows, schema=kinds), by_mode, days[0], days[1])


def assign(frame: pl.DataFrame, factors: Factors) -> pl.DataFrame:
    """`frame` (columns mode, factor_id) with the factor that holds: factor_id (asked for, else that of the mode), ttw, wtt,
    source (null where there is none) and `default_factor`. The order of rows stays."""
    words = {mode: factors.by_mode.get(modes.of(mode)) for mode in frame["mode"].unique().drop_nulls().to_list()}
    default = pl.col("mode").replace_strict(list(words), list(words.values()), default=None, return_dtype=pl.String)
    named = frame.with_columns(
        factor_id=pl.coalesce("factor_id", default), default_factor=pl.col("factor_id").is_null()
    )
    return named.join(factors.table, on="factor_id", how="left", maintain_order="left")


def footprint(legs: pl.DataFrame, factors: Factors) -> pl.DataFrame:
    """The table `carbon` of the table `legs`."""
    found = assign(legs, factors)
    activity = pl.col("weight_kg") / 1000 * pl.col("distance_km")
    outside = pl.lit(False)
    if factors.valid_to is not None:
        outside |= pl.col("depart") > factors.valid_to
    if factors.valid_from is not None:
        outside |= pl.col("depart") < factors.valid_from
    marks = {
        "default_factor": pl.col("default_factor") & pl.col("ttw").is_not_null(),
        "no_distance": pl.col("distance_km").is_null(),
        "no_edition": outside & pl.col("ttw").is_not_null(),
        "no_factor": pl.col("ttw").is_null(),
        "no_weight": pl.col("weight_kg").is_null(),
    }
    flags = [pl.when(when).then(pl.lit(word)) for word, when in marks.items()]
    return found.with_columns(
        tonne_km=activity,
        ttw_kg=activity * pl.col("ttw"),
        wtt_kg=activity * pl.col("wtt"),
        co2e_kg=activity * (pl.col("ttw") + pl.col("wtt")),
        flags=pl.concat_str(flags, separator="|", ignore_nulls=True),
    )


def metrics(table: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Totals over the legs whose emissions are known, and how many are not."""
    known = table.filter(pl.col("co2e_kg").is_not_null())
    sums = {name: round(math.fsum(known[name].to_list()), 3) for name in ("tonne_km", "ttw_kg", "wtt_kg", "co2e_kg")}
    return {"legs": table.height, "legs_unknown": table.height - known.height, **sums}


def findings(table: pl.DataFrame) -> list[tuple[str, str, str, str, str, float | None, str | None]]:
    """Legs whose emissions are not known, by what is missing."""
    out: list[tuple[str, str, str, str, str, float | None, str | None]] = []
    marks = table.select("mode", pl.col("flags").str.split("|")).explode("flags")
    for rule, what in (("no_distance", "distance_km"), ("no_factor", "emission factor"), ("no_weight", "weight_kg")):
        met = marks.filter(pl.col("flags") == rule)
        if met.height:
            by = ", ".join(met["mode"].unique().sort().to_list())
            text = f"{words.of(met.height, 'leg')} without {what} ({by}): their emissions are unknown, not zero"
            out.append((f"{rule}:legs", "warn", "legs", rule, text, None, None))
    return out
