"""Reading: a sales export from text to typed and checked rows, beside Polars reading the same text.

Each measure is the CPU of a child process less that of a child that only imports the same modules, so that the
ratio is about rows. Peak memory (resident, Linux) is of the whole child.

    python bench/reading.py [--rows 500000] [--runs 5]
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import ROOT, Table

CHILD = """
import json, resource, sys
import polars as pl
from cbec import tables
from cbec.core import check, files
from cbec.core.command import Common
path, what = sys.argv[1:]
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
begin, common, rows = cpu(), Common(), 0
if what == "polars":
    rows = pl.read_csv(path, infer_schema=False).height
elif what != "nothing":
    contract = tables.get("sales")
    raw = files.read(contract, [path], common)
    rows = raw.frame.height
    if what == "check":
        outcome = check.check(contract, raw, common)
        assert not outcome.whole, outcome.faults
        rows = outcome.good.height
used = cpu() - begin
# ru_maxrss would count the parent's memory at the fork too.
status = open("/proc/self/status").read()
peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"rows": rows, "cpu": used, "peak": peak}))
"""


def lines(rows: int, bad: bool = False) -> list[tuple[str, ...]]:
    """A sales-like table of 8 columns: day, sku, market, warehouse, channel, units, price, currency."""
    chance = random.Random(1)
    series = 500
    markets = ["DE", "FR", "US", "GB", "IT", "ES", "PL", "JP"]
    first = datetime.date(1990, 1, 1)
    found = []
    for number in range(rows):
        day, sku = divmod(number, series)
        units, price = str(chance.randint(0, 40)), f"{chance.randint(199, 99999) / 100:.2f}"
        if bad and number % 100 == 0:
            units = "x"
        date = (first + datetime.timedelta(day)).isoformat()
        warehouse, channel = ("FBA" if sku % 3 else "NBO"), ("amazon" if sku % 2 else "ebay")
        found.append((date, f"SKU-{sku:05d}", markets[sku * 7 % 8], warehouse, channel, units, price, "EUR"))
    return found


HEAD = ("date", "sku", "market", "warehouse", "channel", "units", "price", "currency")


def text(rows: list[tuple[str, ...]], mark: str = ",") -> str:
    return "\n".join(mark.join(row) for row in [HEAD, *rows]) + "\n"


def european(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Day first with slashes, decimal comma: nothing that parses at once."""
    return [("/".join(row[0].split("-")[::-1]), *row[1:6], row[6].replace(".", ","), row[7]) for row in rows]


def stamped(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """A different second in every row."""
    first = datetime.datetime(2020, 1, 1)
    return [((first + datetime.timedelta(seconds=61 * at)).isoformat(" "), *row[1:]) for at, row in enumerate(rows)]


def measure(path: Path, what: str, runs: int) -> tuple[float, float, int]:
    """Median CPU seconds, peak MB, rows."""
    found = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", CHILD, str(path), what], capture_output=True, check=True, cwd=ROOT)
        found.append(json.loads(done.stdout))
    return statistics.median(f["cpu"] for f in found), statistics.median(f["peak"] for f in found), found[0]["rows"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    clean = lines(chosen.rows)
    exports = {
        "clean, UTF-8": text(clean).encode(),
        "quoted": ('"' + text(clean, '","').replace("\n", '"\n"')[:-1]).encode(),
        "a time in every row": text(stamped(clean)).encode(),
        "semicolon, decimal comma, d/m/y": text(european(clean), ";").encode(),
        "GB18030": text(clean).replace("date", "日期", 1).replace("amazon", "亚马逊").encode("gb18030"),
        "1 % bad cells": text(lines(chosen.rows, bad=True)).encode(),
    }
    table = Table("reading", f"Reading {chosen.rows:,} rows x 8 columns: CPU, median of {chosen.runs}")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.csv"
        plain.write_bytes(exports["clean, UTF-8"])
        base, memory, _ = measure(plain, "polars", chosen.runs)
        size = plain.stat().st_size / 1e6
        table.rows.append(
            {"export": "Polars reads the text (clean, UTF-8)", "CPU s": base, "ratio": 1.0, "peak MB": memory}
        )
        for name, data in exports.items():
            path = Path(folder) / "export.csv"
            path.write_bytes(data)
            read, _, _ = measure(path, "read", chosen.runs)
            both, memory, rows = measure(path, "check", chosen.runs)
            row = {
                "export": name,
                "CPU s": both,
                "ratio": both / base,
                "peak MB": memory,
                "of it reading": read,
                "good": rows,
            }
            table.rows.append(row)
    table.notes.append(f"the clean export is {size:.0f} MB; importing is not counted; bar: clean at most 8 x")
    table.finish()


if __name__ == "__main__":
    main()
