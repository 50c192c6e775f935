"""The 61 public worked cases of tax, duty and thresholds, through `cbec compliance test`, exact to the cent.

They are put into cbec's own format of cases (tests/support/worked.py) and run by the command line as a user runs it.
A case counts when every figure that it expects came, each with the rules behind it and their sources.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl
import yaml
from harness import ROOT, Table, cpu_of, data_folder

sys.path.insert(0, str(ROOT / "tests"))
from support.worked import UnknownKind, written

BAR = 61


def main() -> None:
    source = data_folder("compliance/worked_cases") / "cases_open.yaml"
    worked = yaml.safe_load(source.read_text("utf-8"))
    ours, lost = [], {}
    for case in worked:
        try:
            ours += written(case)
        except UnknownKind:
            lost[case["id"]] = "no kind of case fits"
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "worked.yaml", Path(folder) / "verdict.parquet"
        file.write_text(yaml.safe_dump({"cases": ours}, allow_unicode=True, sort_keys=False), "utf-8")
        seconds = cpu_of(
            [sys.executable, "-m", "cbec", "compliance", "test", "--cases", str(file), "-o", str(out), "-q"]
        )
        verdict = pl.read_parquet(out)
    cited = pl.col("rule_ids").is_not_null() & pl.col("citation").is_not_null()
    verdict = verdict.with_columns(pl.col("case").str.extract(r"^([A-Z]+-\d+[a-z]?)").alias("id"), cited.alias("cited"))
    told = verdict.group_by("id").agg(pl.col("passed", "cited").all(), pl.len())
    for name, passed, cited_all, _ in told.sort("id").iter_rows():
        if not (passed and cited_all):
            wrong = verdict.filter((pl.col("id") == name) & ~(pl.col("passed") & pl.col("cited")))
            said = wrong.select("field", "expected", "got").rows()
            lost[name] = "; ".join(f"{f}: expected {e}, got {g or '(empty)'}" for f, e, g in said)
    table = Table("worked_cases", f"Worked cases, {len(worked)} of them, through `compliance test`")
    for topic in dict.fromkeys(case["topic"] for case in worked):
        of = [case["id"] for case in worked if case["topic"] == topic]
        table.rows.append({"topic": topic, "cases": len(of), "exact, with rule and source": len(set(of) - set(lost))})
    table.rows.append(
        {"topic": "all", "cases": len(worked), "exact, with rule and source": len(worked) - len(lost), "bar": BAR}
    )
    table.notes = [f"{verdict.height} figures compared in {seconds:.1f} CPU-s, start-up included"]
    table.notes += [f"{name}: {why}" for name, why in sorted(lost.items())]
    table.finish()


if __name__ == "__main__":
    main()
