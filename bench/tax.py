"""Ten million order lines through the tax engine with every audit column, beside a plain Polars join sketch.

    python bench/tax.py [--rows 10000000] [--folder DIR]

The lines are made here, seeded: to every country that has a rule pack, in six currencies, net, gross and DDP, 2 % refunds,
5 % businesses (500 customers a country), a quarter through marketplaces, one to four lines an order, duties from a tariff of 2,800 rows (the United
States' with additional duties). Once in the order of the orders, once shuffled line by line. Each measurement is a process of
its own; CPU seconds are those of all its threads. Reading (with the contract's check), engine and writing are told
apart. The sketch joins rates and limits, adds up consignments and reckons tax in floats: no refunds, no prices taken apart,
no tariff, no rule ids, no reasons.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from cbec.core.process import hold_memory

hold_memory()  # as the command does, before Polars is imported

import numpy as np  # noqa: E402
import polars as pl  # noqa: E402
from harness import ROOT, Table  # noqa: E402

PIECE = 1_000_000  # orders made at a time
TO = {
    "DE": 18, "FR": 14, "IT": 9, "ES": 8, "NL": 5, "PL": 4, "SE": 3, "AT": 3, "BE": 3, "IE": 2, "PT": 2, "FI": 2, "DK": 2, "CZ": 2,
    "GR": 1, "HU": 1, "RO": 1, "GB": 9, "US": 6, "AU": 3, "JP": 3, "NO": 2, "CN": 2,
}  # fmt: skip
OWN = {"GB": "GBP", "US": "USD", "AU": "AUD", "JP": "JPY", "NO": "NOK", "CN": "CNY"}
PER_EUR = {"GBP": 0.85, "USD": 1.09, "AUD": 1.65, "JPY": 163.0, "NOK": 11.5, "CNY": 7.8}
SPAN = (date(2024, 1, 1), date(2026, 10, 31))
HS = 400
SKUS = 20_000
TYPES = {
    "qty": pl.Decimal(12, 3), "price": pl.Decimal(12, 2), "shipping": pl.Decimal(12, 2),
}  # fmt: skip


def codes() -> list[str]:
    """Customs codes of six to ten digits over all chapters."""
    draw = np.random.default_rng(7)
    return sorted(
        {f"{draw.integers(1, 97):02d}{draw.integers(1, 30):02d}{draw.integers(10, 99)}{tail}" for tail in ("", "00", "9010") for _ in range(HS)}
    )[:HS]  # fmt: skip


def tariff() -> pl.DataFrame:
    """Ordinary duties of every code by jurisdiction, and the additional ones of the United States."""
    draw = np.random.default_rng(8)
    rows: list[dict[str, Any]] = []
    for place in ("EU", "GB", "US", "AU", "JP", "NO", "CN"):
        for code in codes():
            texts = ["Free", f"{draw.integers(1, 18)}%", f"{draw.integers(1, 180) / 10}%"]
            if place == "US" and draw.random() < 0.1:
                texts = [f"{draw.integers(5, 60)}¢/kg + {draw.integers(1, 9)}%"]
            rows.append({"jurisdiction": place, "measure": "mfn", "hs_code": code, "duty": str(draw.choice(texts))})
    more = {"jurisdiction": "US", "measure": "s301", "origin": "CN", "duty": "25%"}
    rows.extend(more | {"hs_code": code} for code in codes()[::2])
    for measure, duty in (("ieepa", "10%"), ("ieepa_fentanyl", "20%"), ("s232", "25%")):
        rows += [{"jurisdiction": "US", "measure": measure, "hs_code": codes()[5], "duty": duty}]
    columns = {
        "jurisdiction": pl.String,
        "measure": pl.String,
        "hs_code": pl.String,
        "origin": pl.String,
        "duty": pl.String,
    }
    table = pl.DataFrame(rows, schema=columns)
    return table.with_columns(pl.lit(date(2015, 1, 1)).alias("valid_from"))


def rates() -> pl.DataFrame:
    """A fixing of each currency on every day."""
    draw = np.random.default_rng(9)
    first, last = SPAN[0] - timedelta(days=5), SPAN[1]
    days = pl.date_range(first, last, eager=True)
    parts = []
    for quote, level in PER_EUR.items():
        walk = np.round(level * np.exp(np.cumsum(draw.normal(0, 0.004, len(days)))), 4)
        parts.append(pl.DataFrame({"date": days, "base": "EUR", "quote": quote, "rate": walk}))
    return pl.concat(parts)


def _pick(draw: np.random.Generator, size: int, odds: dict[Any, float]) -> np.ndarray:
    share = np.array(list(odds.values()), dtype=float)
    return draw.choice(len(share), size, p=share / share.sum())


def _words(options: dict[Any, float], picked: np.ndarray) -> pl.Series:
    return pl.Series(list(options), dtype=pl.String).gather(picked)


def lines(orders: int, first: int, of: int) -> pl.DataFrame:
    """The lines of orders `first` .. of `of` in all: dates rise with their numbers."""
    draw = np.random.default_rng([11, first])
    to = _pick(draw, orders, TO)
    there = _words(TO, to)
    nation = np.array([OWN.get(c, "EUR") for c in TO])
    abroad = draw.random(orders)
    home = np.array(list(TO))[to]
    ship_from = np.where(abroad < 0.55, "CN", np.where(abroad < 0.7, "DE", np.where(abroad < 0.8, "US", home)))
    currency = np.where(draw.random(orders) < 0.85, nation[to], np.where(draw.random(orders) < 0.5, "USD", "EUR"))
    span = (SPAN[1] - SPAN[0]).days
    day = np.minimum((np.arange(first, first + orders) * span) // of + draw.integers(0, 2, orders), span)
    business = draw.random(orders) < 0.05
    market = draw.random(orders) < 0.25
    gross = draw.random(orders) < 0.5
    delivered = draw.random(orders) < 0.3
    postal = (there.to_numpy() == "US") & (draw.random(orders) < 0.3)
    level = np.where(currency == "JPY", 160, 1)
    postcode = draw.integers(1000, 99_000, orders)
    frame = pl.DataFrame(
        {
            "number": np.arange(first, first + orders),
            "date": pl.Series(day + (SPAN[0] - date(1970, 1, 1)).days, dtype=pl.Int32).cast(pl.Date),
            "ship_from": ship_from,
            "ship_to": there,
            "ship_to_region": pl.Series(postcode).cast(pl.String).str.zfill(5),
            "currency": currency,
            "seller_country": np.where(draw.random(orders) < 0.8, "CN", "DE"),
            "buyer_type": np.where(business, "B2B", "B2C"),
            "registered": business,
            "marketplace_collects": market,
            "price_includes_tax": gross,
            "incoterm": np.where(delivered, "DDP", "DAP"),
            "transport": np.where(postal, "post", "courier"),
            "level": level,
            "count": draw.choice([1, 2, 3, 4], orders, p=[0.6, 0.2, 0.12, 0.08]),
        }
    )
    tax_id = pl.concat_str("ship_to", (pl.col("number") * 7919 % 500 + 100_000_000).cast(pl.String))
    frame = frame.with_columns(
        pl.concat_str(pl.lit("O"), pl.col("number").cast(pl.String).str.zfill(9)).alias("order_id"),
        pl.when("registered").then(tax_id).alias("buyer_tax_id"),
        pl.int_ranges(1, pl.col("count") + 1, dtype=pl.Int16).alias("line"),
    )
    frame = frame.explode("line")
    sku = draw.integers(0, SKUS, frame.height)
    price = np.round(np.exp(draw.normal(3.2, 0.9, frame.height)), 2)
    code = pl.Series(codes())
    frame = frame.with_columns(
        pl.col("line").cast(pl.String),
        pl.Series("sku", sku).cast(pl.String).str.zfill(6),
        (pl.Series("price", price) * pl.col("level")).round(2),
        pl.Series("qty", draw.choice([1, 1, 1, 1, 2, 3], frame.height)),
        pl.Series("shipping", np.round(draw.random(frame.height) * 6, 2)),
        code.gather(sku % HS).alias("hs_code"),
        pl.Series("origin", np.where(sku % 7 == 0, "VN", "CN")),
        pl.Series("net_weight_kg", np.round(0.05 + draw.random(frame.height), 3)),
    )
    back = frame.filter(pl.Series(draw.random(frame.height) < 0.02))
    back = back.with_columns(
        pl.col("line") + "R", -pl.col("qty"), pl.min_horizontal(pl.col("date") + timedelta(days=20), pl.lit(SPAN[1])),
    )  # fmt: skip
    whole = pl.concat([frame, back]).sort("number", "line", maintain_order=True)
    return whole.drop("number", "registered", "level", "count").select(
        "order_id", "line", pl.exclude("order_id", "line")
    ).with_columns(pl.col(name).cast(kind) for name, kind in TYPES.items())  # fmt: skip


def make(folder: Path, rows: int) -> None:
    """order_lines.parquet, shuffled.parquet, tariff.parquet and rates.parquet."""
    orders = int(rows / 1.68) + 1000  # 1.68 lines and 0.034 refunds an order
    parts, made, first = [], 0, 0
    while made < rows:
        parts.append(lines(min(PIECE, orders), first, orders))
        made, first = made + parts[-1].height, first + PIECE
    table = pl.concat(parts).head(rows)
    table.write_parquet(folder / "order_lines.parquet")
    order = np.random.default_rng(12).permutation(table.height)
    table[order].write_parquet(folder / "shuffled.parquet")
    tariff().write_parquet(folder / "tariff.parquet")
    rates().write_parquet(folder / "rates.parquet")


class Clock:
    """CPU seconds of all threads, wall seconds and the peak of memory, stage by stage."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stage(self, name: str) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        self.told |= {f"{name} CPU s": cpu - self._cpu, f"{name} wall s": wall - self._wall, f"{name} peak GB": peak()}
        self._cpu, self._wall = cpu, wall


def peak() -> float:
    """The most memory that this process held so far, in GB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**20


class Told:
    """CPU seconds of what is timed within a stage, told apart from it."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(("reading", "writing"), 0.0)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **more: Any) -> Any:
            begin = time.process_time()
            try:
                return function(*given, **more)
            finally:
                self.spent[name] += time.process_time() - begin

        return measured


def engine(folder: Path, name: str) -> dict[str, float]:
    """Reading with the check of the contracts, the answer with its sums and findings, and writing, in this process.

    As the command does it: range by range. The pieces are written one at a time here, not
    beside the work, so that their time can be told apart.
    """
    from cbec import tables
    from cbec.compliance import Tax
    from cbec.core import check, files, parts, ranged, workers
    from cbec.core import engine as partitions
    from cbec.core.command import find
    from cbec.core.staging import Staging
    from cbec.core.writing import Stored

    settings, command, told = Tax(as_of=SPAN[1]), find("compliance", "tax"), Told()
    paths = {"order_lines": [str(folder / f"{name}.parquet")]}

    def table(contract: str, file: str) -> pl.DataFrame:
        held = tables.get(contract)
        outcome = check.check(held, files.read(held, [str(folder / f"{file}.parquet")], settings), settings)
        assert not outcome.total, outcome.faults[:3]
        return outcome.good

    class Pieces(workers.Packing):
        def add(self, piece: pl.DataFrame) -> None:
            super().add(piece)
            written = super().close().files[0]  # waits for it
            made.append(Stored((folder / f"told_{name}.{len(made)}.parquet",), piece.height))
            written.rename(made[-1].files[0])

        def close(self) -> Stored:
            return Stored(tuple(file for one in made for file in one.files), sum(one.height for one in made))

    made: list[Stored] = []
    Pieces.add = told.timed("writing", Pieces.add)  # type: ignore[method-assign]
    workers.Packing = Pieces  # type: ignore[misc]
    for work in ("read", "lay", "words", "where", "bound"):
        setattr(ranged.Ranged, work, told.timed("reading", getattr(ranged.Ranged, work)))
    check.conform = told.timed("writing", check.conform)
    clock = Clock()
    given = {"tariff": table("tariff", "tariff"), "rates": table("rates", "rates")}
    given |= parts.inputs(command, settings, paths, partitions.ROWS)
    if "order_lines" not in given:
        given["order_lines"] = table("order_lines", name)
    clock.stage("reading")
    frames = {declared.table: given.get(declared.table) for declared in command.inputs}
    with workers.local(lambda _: None) as here:
        answer = partitions.answer(command, frames, settings, here).tables["tax"]
        clock.stage("engine")
        with Staging() as staging:
            if isinstance(answer, pl.DataFrame):
                shaped = check.conform(tables.get("tax"), answer)
                files.write(shaped, folder / f"told_{name}.parquet", staging)
        clock.stage("writing")
        status = answer.lazy() if isinstance(answer, pl.DataFrame) else answer.scan()
        found = status.select(pl.col("status").value_counts(sort=True)).unnest("status").collect().rows()
    for one in made:
        one.files[0].unlink()
    for stage, spent in told.spent.items():
        clock.told[f"{stage} CPU s"] += spent
        clock.told["engine CPU s"] -= spent
    return clock.told | {"lines": answer.height} | {f"status {status}": count for status, count in found}


def sketch(folder: Path, name: str) -> dict[str, float]:
    """The same file by plain lazy joins on rates, limits and fixings, streamed."""
    from cbec.methods.compliance import intervals, packs

    held = packs.load()
    table = intervals.table(held).filter(pl.col("value").is_not_null())
    vat = table.filter((pl.col("kind") == "rate") & pl.col("category").is_null() & pl.col("jurisdiction").is_not_null())
    vat = vat.unique(["jurisdiction", "valid_from"]).select(
        ship_to="jurisdiction", start="valid_from", vat=pl.col("value").cast(pl.Float64)
    )
    days = pl.date_range(*SPAN, eager=True).alias("date")
    daily = days.to_frame().join(vat.select("ship_to").unique(), how="cross").sort("date")
    daily = daily.join_asof(
        vat.sort("start"), left_on="date", right_on="start", by="ship_to", check_sortedness=False
    ).drop("start")
    limit = pl.DataFrame({"ship_to": list(TO), "limit": [{"GB": 135.0}.get(c, 150.0) for c in TO]})
    scheme = pl.DataFrame(
        {"import": [True, True, False, False], "small": [True, False, True, False], "scheme": ["IOSS", "IMPORT", "DOMESTIC", "DOMESTIC"],
         "rule_ids": ["a|b", "c|d", "e", "e"]}
    )  # fmt: skip
    fixed = pl.read_parquet(folder / "rates.parquet").select("date", currency="quote", fx="rate")
    duty = (
        pl.read_parquet(folder / "tariff.parquet")
        .filter(jurisdiction="EU")
        .select("hs_code", duty_rate=pl.lit(4.0))
        .unique("hs_code")
    )
    clock = Clock()
    scan = pl.scan_parquet(folder / f"{name}.parquet").select(
        "order_id", "line", "date", "ship_from", "ship_to", "currency", "hs_code",
        value=(pl.col("price") * pl.col("qty")).cast(pl.Float64) + pl.col("shipping").cast(pl.Float64),
    )  # fmt: skip
    joined = (
        scan.join(daily.lazy(), on=["ship_to", "date"], how="left")
        .join(limit.lazy(), on="ship_to", how="left")
        .join(fixed.lazy(), on=["currency", "date"], how="left")
        .join(duty.lazy(), on="hs_code", how="left")
    )
    whole = scan.group_by("order_id").agg(pl.col("value").sum().alias("whole"))
    told = joined.join(whole, on="order_id", how="left")
    told = told.with_columns(
        (pl.col("ship_from") != pl.col("ship_to")).alias("import"),
        (pl.col("whole") / pl.col("fx").fill_null(1.0) <= pl.col("limit")).alias("small"),
    ).join(scheme.lazy(), on=["import", "small"], how="left")
    due = pl.when(pl.col("import") & ~pl.col("small")).then(pl.col("value") * pl.col("duty_rate") / 100).otherwise(0.0)
    told = told.with_columns(due.round(2).alias("duty"))
    told = told.with_columns(((pl.col("value") + pl.col("duty")) * pl.col("vat") / 100).round(2).alias("tax"))
    answer = told.select("order_id", "line", "scheme", "duty", "vat", "tax", "rule_ids").collect(engine="streaming")
    clock.stage("engine")
    return clock.told | {"lines": answer.height}


def command(folder: Path, name: str) -> dict[str, float]:
    """The whole command line, from file to file."""
    out = folder / f"command_{name}.parquet"
    argv = [sys.executable, "-m", "cbec", "compliance", "tax", "--order-lines", str(folder / f"{name}.parquet")]
    argv += ["--rates", str(folder / "rates.parquet"), "--tariff", str(folder / "tariff.parquet"), "-o", str(out), "-q"]
    begin = time.perf_counter()
    child = subprocess.Popen(argv, cwd=ROOT)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{argv}: status {child.returncode}")
    cpu = used.ru_utime + used.ru_stime
    return {"engine CPU s": cpu, "engine wall s": time.perf_counter() - begin, "engine peak GB": used.ru_maxrss / 2**20}


WAYS = {"engine": engine, "sketch": sketch, "command": command}


def child(way: str, folder: Path, name: str) -> dict[str, float]:
    """What one way measures, in a process of its own."""
    argv = [sys.executable, __file__, "--way", way, "--name", name, "--folder", str(folder)]
    return json.loads(
        subprocess.run(argv, capture_output=True, check=True, text=True, cwd=ROOT).stdout.splitlines()[-1]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--name", default="order_lines")
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(WAYS[asked.way](asked.folder, asked.name)))
        return
    with tempfile.TemporaryDirectory() as spare:
        folder = asked.folder or Path(spare)
        if not (folder / "shuffled.parquet").exists():
            make(folder, asked.rows)
        title = f"Tax of {asked.rows:,} order lines with every audit column"
        table = Table("tax", title)
        for name, word in (("order_lines", "in order"), ("shuffled", "shuffled")):
            for way in WAYS:
                told = child(way, folder, name)
                row: dict[str, Any] = {"lines": word, "way": way}
                for stage in ("reading", "engine", "writing"):
                    row[f"{stage} CPU s"] = told.get(f"{stage} CPU s")
                row["peak GB"] = max(value for key, value in told.items() if key.endswith("peak GB"))
                table.rows.append(row)
        ours, peer = (row["engine CPU s"] for row in table.rows[:2])
        table.notes = [
            f"The engine takes {ours / peer:.1f} times the CPU of the sketch; bars: 2.4 times (8 CPU seconds), 4 GB at most.",
            "engine: rules read, lines answered, sums and findings; its lines come back in the order of their keys.",
            "reading: with the check of the contract; also looking through the file beforehand for borders, words and buyers.",
            "reading, shuffled: also laying the rows into their ranges.",
            "writing: with the check of the answer's contract.",
            "The sketch reads too, but knows no refunds, prices that include tax, tariff, rule ids, citations or reasons.",
            "command: `cbec compliance tax` from file to file, all of it in one column.",
        ]
        table.finish()


if __name__ == "__main__":
    main()
