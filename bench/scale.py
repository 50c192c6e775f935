"""Many series: weekly sales of two years for 100,000 (or more) series of SKU and market, from a Parquet file to a forecast
with quantiles and totals, and from it to orders with reorder points, by the command line in processes of their own.

Data are drawn (seeded): levels by a gamma, half of the series intermittent, a yearly wave, Poisson noise.

    python bench/scale.py [--series 100000]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from harness import ROOT, Table

WEEKS, MONDAY = 104, date(2024, 1, 1)
MARKETS = ("DE", "FR", "GB", "US")
BLOCK = 50_000


def write(folder: Path, series: int) -> None:
    """sales.parquet, inventory, policies, coverage, products."""
    rng = np.random.default_rng(7)
    wave = 1 + 0.3 * np.sin(2 * np.pi * np.arange(WEEKS) / 52)
    days = pl.Series("date", [MONDAY + timedelta(weeks=w) for w in range(WEEKS)])
    (folder / "sales").mkdir()
    for start in range(0, series, BLOCK):
        n = min(BLOCK, series - start)
        level = rng.gamma(0.6, 8.0, n)
        units = rng.poisson(level[:, None] * wave) * (
            rng.random((n, WEEKS)) < np.where(rng.random(n) < 0.5, 0.35, 1.0)[:, None]
        )
        row, week = np.nonzero(units)
        number = start + row
        frame = pl.DataFrame({"n": number, "units": units[row, week].astype(np.float64)}).with_columns(
            days.gather(week),
            sku=pl.format("S{}", (pl.col("n") // len(MARKETS)).cast(pl.String).str.zfill(7)),
            market=pl.Series(MARKETS).gather(pl.Series(number % len(MARKETS))),
        )
        frame.select("date", "sku", "market", "units").write_parquet(folder / "sales" / f"part{start:09d}.parquet")
    skus = [f"S{i:07d}" for i in range(-(-series // len(MARKETS)))]
    ware = {m: f"W{m}" for m in MARKETS}
    stock = pl.DataFrame({"sku": skus}).join(pl.DataFrame({"warehouse": list(ware.values())}), how="cross")
    stock.with_columns(on_hand=pl.lit(40.0), unit_cost=pl.lit(5.0), currency=pl.lit("EUR")).write_parquet(
        folder / "inventory.parquet"
    )
    pl.DataFrame({"lead_time_days": [35.0], "review_days": [7.0], "lead_time_sd_days": [5.0]}).write_csv(
        folder / "policies.csv"
    )
    pl.DataFrame({"market": list(ware), "warehouse": list(ware.values())}).write_csv(folder / "coverage.csv")


def run(words: list[str], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds, peak GB of a command and its processes together (pages that they share count for each)."""
    begin, peak = time.monotonic(), 0
    child = subprocess.Popen(
        [sys.executable, "-m", "cbec", *words], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, sum(resident(p) for p in family(child.pid)))
        time.sleep(0.2)
    if status:
        sys.exit(f"cbec {' '.join(words)} ended with {status}")
    return time.monotonic() - begin, used.ru_utime + used.ru_stime, max(peak / 2**20, used.ru_maxrss / 2**20)


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = file.read_text().rpartition(")")[2].split()[1]
        except OSError:  # it has ended meanwhile
            continue
        if int(parent) == pid:
            found.append(int(file.parent.name))
    return found


def resident(pid: int) -> int:
    """kB in memory."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--series", type=int, default=100_000)
    series = options.parse_args().series
    table = Table(f"scale_{series}", f"{series:,} series of 104 weeks, 13 weeks ahead")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, series)
        forecast = [
            "forecast",
            "demand",
            "--sales",
            "sales",
            "--frequency",
            "W",
            "--horizon",
            "13",
            "-o",
            "forecast.parquet",
            "-q",
        ]
        orders = [
            "forecast", "replenish", "--forecast", "forecast.parquet", "--inventory", "inventory.parquet", "--policies", "policies.csv",
            "--coverage", "coverage.csv", "-o", "orders.parquet", "-q",
        ]  # fmt: skip
        for what, words in (("forecast demand", forecast), ("forecast replenish", orders)):
            wall, cpu, peak = run(words, folder)
            table.rows.append({"command": what, "wall s": wall, "CPU s": cpu, "peak GB": peak})
        rows = pl.scan_parquet(folder / "forecast.parquet").select(pl.len()).collect().item()
        placed = pl.read_parquet(folder / "orders.parquet", columns=["reorder_point"])
    table.notes.append(
        f"{rows:,} rows of forecast, {placed.height:,} reorder points; reading and writing are in the figures"
    )
    table.finish()


if __name__ == "__main__":
    main()
