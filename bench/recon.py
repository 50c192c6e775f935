"""Reconciliation of made-up payouts with known pairs (recon_synth), beside the rules whose figures come with the data.

The set is easy for a solver that knows how it was made, and it was at hand while the method was written. So harder ones
are made from it: the bank's texts lose every number, or there is no text at all; a tenth of the payouts never arrives, a
twentieth comes 3 to 30 percent short, and the bank's other lines come twice as often. --scale N adds N made-up
settlements with as many bank lines.

    python bench/recon.py [--scale 100000]
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from harness import Table, data_folder, timed

from cbec import tables
from cbec.core import check, files
from cbec.core.command import Common
from cbec.methods.settle import outcome
from cbec.methods.settle.candidates import Window
from cbec.methods.settle.reconcile import Terms, match

PEERS = (
    ("A exact amount, first come", 247, 1.000, 0.595, 0.746),
    ("B 1 % drift, same currency", 263, 1.000, 0.634, 0.776),
    ("C 2 % of the amount at the ECB's rate", 382, 0.955, 0.880, 0.916),
    ("D scored, global assignment", 382, 0.997, 0.918, 0.956),
    ("E = D with splits and merges", 412, 0.998, 0.990, 0.994),
)
TERMS = Terms(Window(2, 10), 30.0, 0.005, 0.95, 4)
Case = tuple[pl.DataFrame, pl.DataFrame, set[tuple[str, str]]]


def load(name: str, path: Path) -> pl.DataFrame:
    contract = tables.get(name)
    return check.check(contract, files.read(contract, [str(path)], Common()), Common()).good


def fixings(path: Path) -> pl.DataFrame:
    wide = pl.read_parquet(path).filter(pl.col("date").dt.year() >= 2018)
    long = wide.unpivot(index="date", variable_name="quote", value_name="rate").drop_nulls().filter(pl.col("rate") > 0)
    return long.select(
        pl.col("date").cast(pl.Date), base=pl.lit("EUR"), quote="quote", rate="rate", source=pl.lit("ECB")
    )


def measure(table: Table, name: str, case: Case, rates: pl.DataFrame) -> None:
    """Rows for what needs no review, and for all; the proof has to hold."""
    settlements, bank, truth = case
    done, cpu = timed(lambda: match(settlements, bank, rates, TERMS))
    links = outcome.named(done)
    for status, part in (("auto", links.filter(pl.col("status") == "auto")), ("all", links)):
        got = set(part.select("settlement_id", "bank_ref").iter_rows())
        hit = len(got & truth)
        p, r = hit / max(len(got), 1), hit / len(truth)
        row = {
            "rule": f"cbec, {status}",
            "data": name,
            "pairs": len(got),
            "true": len(truth),
            "precision": p,
            "recall": r,
        }
        table.rows.append(row | {"F1": 2 * p * r / max(p + r, 1e-9), "CPU s": cpu})
    last = bank["booking_date"].max()
    assert isinstance(last, date)
    left = outcome.unexplained(done, links, last, TERMS.window.late)
    assert (outcome.proof(settlements, bank, links, left)["proof"] == 0).all()


def faults(case: Case) -> Case:
    """Payouts that never arrive or come short, and more lines of others."""
    settlements, bank, truth = case
    rng = np.random.default_rng(1)
    ids = sorted({s for s, _ in truth})
    lost = set(rng.choice(ids, len(ids) // 10, replace=False))
    cut = {r for s, r in truth if s in lost}
    short = set(rng.choice(sorted({r for s, r in truth if s not in lost}), len(ids) // 20, replace=False))
    factor = pl.Series(rng.uniform(0.7, 0.97, bank.height))
    less = (pl.col("amount").cast(pl.Float64) * factor).round(2).cast(pl.Decimal(38, 6))
    others = bank.filter(~pl.col("bank_ref").is_in([r for _, r in truth]))
    more = others.with_columns(
        bank_ref="X" + pl.col("bank_ref"),
        amount=(pl.col("amount").cast(pl.Float64) * 1.0137).round(2).cast(pl.Decimal(38, 6)),
        booking_date=pl.col("booking_date") + timedelta(days=3),
    )
    bank = bank.with_columns(amount=pl.when(pl.col("bank_ref").is_in(list(short))).then(less).otherwise("amount"))
    bank = pl.concat([bank.filter(~pl.col("bank_ref").is_in(list(cut))), more])
    return settlements, bank, {(s, r) for s, r in truth if s not in lost}


def large(count: int) -> Case:
    """Settlements of 20 shops over two years; 88 % paid as they are, 10 % less a fee, 2 % never; a third named."""
    rng = np.random.default_rng(2)
    amount = np.exp(rng.normal(6.5, 1.1, count)).round(2)
    day = rng.integers(0, 730, count)
    shop = rng.integers(0, 20, count)
    names = [f"shop{i:02d}" for i in range(20)]
    currency = np.array(["EUR", "USD", "GBP", "CNY"])[shop % 4]
    start = date(2024, 1, 1)
    settlements = pl.DataFrame(
        {
            "settlement_id": [f"P{i:07d}" for i in range(count)],
            "posted_at": [start + timedelta(days=int(d)) for d in day],
            "order_id": pl.Series([None] * count, dtype=pl.String),
            "type": ["payout"] * count,
            "description": pl.Series([None] * count, dtype=pl.String),
            "amount": pl.Series(amount).cast(pl.Decimal(38, 6)),
            "currency": currency,
            "marketplace": [names[i] for i in shop],
        }
    )
    fee = np.where(rng.random(count) < 0.1, rng.choice([1.5, 5.0, 10.0], count), 0.0)
    fee = np.where(fee < amount / 25, fee, 0.0)
    named = rng.random(count) < 0.33
    lag = rng.integers(0, 6, count)
    kept = np.flatnonzero(rng.random(count) >= 0.02)
    text = [f"{names[shop[i]].upper()} PAYOUT" + (f" P{i:07d}" if named[i] else "") for i in kept]
    bank = pl.DataFrame(
        {
            "bank_ref": [f"B{i:07d}" for i in kept],
            "booking_date": [start + timedelta(days=int(day[i] + lag[i])) for i in kept],
            "amount": pl.Series((amount - fee)[kept].round(2)).cast(pl.Decimal(38, 6)),
            "currency": currency[kept],
            "text": text,
            "counterparty": pl.Series([None] * kept.size, dtype=pl.String),
        }
    )
    return settlements, bank, {(f"P{i:07d}", f"B{i:07d}") for i in kept}


def main() -> None:
    """The table, and bench/out/recon.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=int, default=0)
    scale = parser.parse_args().scale
    folder = data_folder("fx/recon_synth") / "open"
    rates = fixings(data_folder("fx/ecb_hist") / "ecb_open_1999_2021.parquet")
    settlements, bank = load("settlements", folder / "settlements.csv"), load("bank", folder / "bank.csv")
    truth = set(pl.read_csv(folder / "truth_links.csv", infer_schema=False).iter_rows())
    silent = bank.with_columns(text=pl.col("text").str.replace_all(r"\d+", ""))
    table = Table("recon", "Payouts and bank lines: pairs found against the truth")
    for name, pairs, p, r, f1 in PEERS:
        row = {"rule": name, "data": "as it is", "pairs": pairs, "true": len(truth)}
        table.rows.append(row | {"precision": p, "recall": r, "F1": f1})
    cases = {
        "as it is": (settlements, bank, truth),
        "no numbers in the texts": (settlements, silent, truth),
        "no texts": (settlements, bank.with_columns(text=pl.lit(None, pl.String)), truth),
        "faults": faults((settlements, bank, truth)),
        "faults, no numbers": faults((settlements, silent, truth)),
    }
    if scale:
        cases[f"{scale:,} made up"] = large(scale)
    for name, case in cases.items():
        measure(table, name, case, rates)
    table.notes.append("rules A to E: figures that come with the data set, not run here")
    table.finish()


if __name__ == "__main__":
    main()
