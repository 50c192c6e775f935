"""M5: 30,490 items by store, 28 days ahead of the last 447 (and 419) days, WRMSSE over the 12 levels, bottom-up from
`forecast demand` with the calendar.

The evaluator (official scales on levels 1-9 and weights) is taken from the folder that --evaluator names, where
m5_wrmsse.py lies. `--part dev` forecasts two earlier windows (363 and 391 days known) instead; everything was tuned there.

    python bench/m5.py [--part test|dev] [--evaluator FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import Table, data_folder, timed

from cbec.core import parts
from cbec.forecast import Demand, demand

H, FIRST = 28, date(2015, 3, 3)
#: Days before the end of the training part at which a forecast is made, and figures measured there.
PARTS = {"test": (0, 28), "dev": (56, 84)}
PEERS = {
    0: (
        ("seasonal naive", 0.8383),
        ("mean of the weekday, 8 weeks", 0.7472),
        ("weekday index of 56 days x SES", 0.7243),
        ("weekday index of 365 days x SES", 0.6831),
        ("mlforecast LightGBM, recursive", 0.7644),
    ),
    28: (
        ("seasonal naive", 0.8796),
        ("mean of the weekday, 8 weeks", 0.7572),
        ("weekday index of 56 days x SES", 0.7526),
        ("weekday index of 365 days x SES", 0.7445),
        ("mlforecast LightGBM, recursive", 0.6924),
    ),
}


def sales(keys: pl.DataFrame, known: np.ndarray) -> pl.DataFrame:
    """Rows of units sold; days without a row are days without a sale, from the first one on."""
    row, day = np.nonzero(np.nan_to_num(known) > 0)
    when = np.datetime64(FIRST, "D") + np.arange(known.shape[1])
    return pl.DataFrame(
        {
            "date": pl.Series(when)[day],
            "sku": keys["item_id"].cast(pl.String)[row],
            "market": keys["store_id"].cast(pl.String)[row],
            "units": known[row, day],
        }
    )


def products(keys: pl.DataFrame) -> pl.DataFrame:
    return keys.select(sku=pl.col("item_id").cast(pl.String), category=pl.col("dept_id").cast(pl.String)).unique("sku")


def calendar(stores: list[str]) -> pl.DataFrame:
    """Events of the country and days on which food benefits are paid in a store's state; both are known years ahead."""
    days = pl.read_parquet(data_folder("forecast/m5_last475") / "calendar_raw.parquet")
    days = days.with_columns(pl.col("date").cast(pl.Date))
    named = (pl.lit("event ") + pl.col("event_name_1")).alias("name")
    events = days.filter(pl.col("event_name_1") != "0").select("date", named, market=pl.lit(None, pl.String))
    paid = [days.filter(f"snap_{s[:2]}").select("date", name=pl.lit("benefits"), market=pl.lit(s)) for s in stores]
    return pl.concat([events, *paid])


def window(evaluator: Any, back: int) -> tuple[np.ndarray, float, str]:
    known, keys = evaluator.train, evaluator.keys
    frame = sales(keys, known)
    as_of = FIRST + timedelta(days=known.shape[1] - 1)
    settings = Demand(horizon=H, frequency="D", as_of=as_of)
    master = products(keys)
    plan = calendar(frame["market"].unique().sort().to_list())
    demand(frame.filter(pl.col("sku") == frame["sku"][0]), master, s=settings)  # imports
    result, seconds = timed(lambda: demand(frame, master, plan, s=settings))
    made = result.tables["forecast"].select("sku", "market", "h", "mean").sort("sku", "market", "h")
    grid = pl.DataFrame({"sku": keys["item_id"].cast(pl.String), "market": keys["store_id"].cast(pl.String)})
    whole = grid.with_row_index("row").join(pl.DataFrame({"h": np.arange(1, H + 1)}), how="cross")
    whole = whole.join(made, on=["sku", "market", "h"], how="left").sort("row", "h")
    shares = result.tables["model_record"]["model"].value_counts(sort=True)
    return (
        whole["mean"].fill_null(0.0).to_numpy().reshape(-1, H),
        seconds,
        "; ".join([", ".join(f"{m} {n}" for m, n in shares.rows()), *parts.heard(result.tables["told"])[0]["notes"]]),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--part", choices=tuple(PARTS), default="test")
    options.add_argument("--evaluator", type=Path, default=data_folder("forecast").parents[1] / "peers" / "forecast")
    chosen = options.parse_args()
    if not (chosen.evaluator / "m5_wrmsse.py").exists():
        sys.exit(f"no m5_wrmsse.py in {chosen.evaluator}: name its folder with --evaluator")
    sys.path.insert(0, str(chosen.evaluator))
    import os

    os.environ.setdefault("CBEC_SHARED_DATA", str(data_folder("forecast").parent))
    from m5_wrmsse import Evaluator

    out = Table(f"m5_{chosen.part}", f"M5, {chosen.part}: WRMSSE of 28 days, 30,490 series, 12 levels")
    scores, spent = [], 0.0
    for back in PARTS[chosen.part]:
        evaluator = Evaluator(back)
        made, seconds, shares = window(evaluator, back)
        levels, score = evaluator.score(made)
        scores.append(score)
        spent += seconds
        row = {"days known": evaluator.train.shape[1], "program": "cbec forecast demand", "WRMSSE": score}
        row |= {f"L{i}": float(x) for i, x in enumerate(levels, 1)}
        out.rows.append({**row, "CPU s": seconds})
        out.rows += [
            {"days known": evaluator.train.shape[1], "program": f"{p}, measured", "WRMSSE": w}
            for p, w in PEERS.get(back, ())
        ]
        out.notes.append(f"{evaluator.train.shape[1]} days: {shares}")
    out.rows.append({"program": "cbec, mean of the windows", "WRMSSE": float(np.mean(scores)), "CPU s": spent})
    out.finish()


if __name__ == "__main__":
    main()
