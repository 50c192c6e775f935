"""What the pages of forecast share: the keys and names of series, and the largest among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cbec.report.format import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from cbec.report.page import Format

KEYS = ("sku", "market", "warehouse", "channel")
NAIVE = ("seasonal_naive", "naive", "snaive", "random_walk")
SELLER = ("seller_formula",)
WORDS: dict[str, Format] = dict.fromkeys(("action", "flags", "model", "reason_code", "runner_up"), "words")
"""Columns of codes that the pages of forecast tell in words."""


def keys(frame: pl.DataFrame) -> list[str]:
    """Key columns that name the series of this frame (those with any value)."""
    return [k for k in KEYS if k in frame.columns and frame[k].null_count() < frame.height]


def name(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """`SKU · market`; the market `*` (all) says nothing and is left out."""
    parts = [plain(row[n]) for n in names if row.get(n) is not None and not (n == "market" and row[n] == "*")]
    return " · ".join(parts) or "all"


def last_period(forecast: pl.DataFrame) -> pl.DataFrame:
    """Per series the row of its last period, where the cumulative columns hold the whole horizon; largest first."""
    import polars as pl

    names = keys(forecast)
    last = forecast.filter(pl.col("h") == (pl.col("h").max().over(names) if names else pl.col("h").max()))
    return last.sort(["cum_mean", *names], descending=[True, *[False] * len(names)], nulls_last=True)


def rows_of(
    frame: pl.DataFrame | None, chosen: pl.DataFrame, names: Sequence[str], by: str
) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """Rows of the chosen series, per series key, in the order of `by`."""
    if frame is None or not set(names) <= set(frame.columns):
        return {}
    found = frame.join(chosen.select(names), on=list(names), how="semi", nulls_equal=True).sort([*names, by])
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in found.iter_rows(named=True):
        grouped.setdefault(tuple(row[n] for n in names), []).append(row)
    return grouped


def headed(frame: pl.DataFrame, labels: Mapping[str, str], columns: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Labels and columns of a table of items: the currency stands in the heading of the cost where it is one for all."""
    found = frame["currency"].drop_nulls().unique().to_list() if "currency" in frame.columns else []
    if len(found) != 1:
        return dict(labels), list(columns)
    return {**labels, "cost": f"cost ({found[0]})"}, [c for c in columns if c != "currency"]


def tone(chosen: float, other: float | None) -> str:
    """Of a tile: good where the error is smaller than the other one."""
    return "" if other is None or chosen == other else "good" if chosen < other else "bad"
