"""The benchmark harness: cbec and a peer in the same run, a table out as Markdown and JSON.

Seconds depend on the machine, so every time is CPU time (user + system) and stands beside the peer's of the same run.
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "bench" / "out"

# What is measured is this checkout, whatever is installed: scripts import the harness before anything of cbec.
sys.path.insert(0, str(ROOT))

from cbec.core import process  # noqa: E402

process.wait_asleep()  # as the command does


def data_folder(name: str) -> Path:
    """The folder of a public data set: $CBEC_SHARED_DATA/<name>, else ../shared/data/<name>. Exits when it is absent."""
    folder = Path(os.environ.get("CBEC_SHARED_DATA", ROOT.parent / "shared" / "data")) / name
    if not folder.exists():
        sys.exit(f"data set {name} is absent: set CBEC_SHARED_DATA to the folder that holds it")
    return folder


def typed(name: str, frame: Any) -> Any:
    """A Polars frame with every column of the table's contract, typed by it: what steps take when no file is read."""
    import polars as pl

    from cbec import tables
    from cbec.core.cells import dtype

    return frame.select(
        pl.col(c.name).cast(dtype(c)) if c.name in frame.columns else pl.lit(c.default, dtype(c)).alias(c.name)
        for c in tables.get(name).columns
    )


def cpu_here() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result of `work` and its CPU seconds in this process."""
    begin = cpu_here()
    result = work()
    return result, cpu_here() - begin


def cpu_of(command: Sequence[str], expect: int | None = 0) -> float:
    """CPU seconds of a child process; raises when its exit status is not as expected."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, check=False, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if expect is not None and done.returncode != expect:
        raise RuntimeError(f"{command}: status {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def medians(commands: dict[str, Sequence[str]], runs: int) -> dict[str, float]:
    """Median CPU seconds of each command, the commands in turn, so that a drift of the machine meets all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seconds[name].append(cpu_of(command))
    return {name: statistics.median(values) for name, values in seconds.items()}


@dataclass
class Table:
    """What a benchmark prints and writes."""

    name: str
    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The table as Markdown."""
        heads = list(dict.fromkeys(key for row in self.rows for key in row))
        lines = [f"## {self.title}", "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        lines += ["| " + " | ".join(_cell(row.get(head)) for head in heads) + " |" for row in self.rows]
        return "\n".join([*lines, *([""] if self.notes else []), *(f"- {note}" for note in self.notes), ""])

    def finish(self) -> None:
        """Print, and write bench/out/<name>.md and .json."""
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{self.name}.md").write_text(self.markdown(), "utf-8")
        (OUT / f"{self.name}.json").write_text(
            json.dumps({"title": self.title, "rows": self.rows, "notes": self.notes}, indent=2), "utf-8"
        )
        print(self.markdown())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


#: The order of bench/results.md.
COLLECTED = (
    "startup", "reading", "m3_monthly_test", "m3_quarterly_test", "m4_yearly_test", "m4_hourly_test", "carparts_test",
    "spare_parts_test", "orange_juice", "walmart_test", "online_retail_test", "m5_test", "vn2_test", "hierarchy", "demand_classes", "scale_100000", "scale_1000000", "inventory_exam", "elasticity", "hts", "tax", "worked_cases", "vat_changes", "en16931", "vat_numbers", "route_brunel", "slotbench", "rebalance", "fx", "fx_volatility",
    "fx_hedging", "recon", "fraud_handbook", "scms_supplier",
)  # fmt: skip


def collect() -> None:
    """Write bench/results.md: the tables in bench/out/, and what it tells already of those that are not there."""
    page = ROOT / "bench" / "results.md"
    parts = re.split(r"<!-- (\w+) -->\n", page.read_text("utf-8")) if page.is_file() else [""]
    kept = dict(zip(parts[1::2], parts[2::2], strict=True))
    made = {name: (OUT / f"{name}.md").read_text("utf-8") for name in COLLECTED if (OUT / f"{name}.md").is_file()}
    told = [
        "# Results last measured",
        (
            "Collected by `python bench/harness.py`. One machine with two cores, Python 3.11: read times as ratios. Test "
            "parts of public sets are looked at only to report; `--part dev` uses windows inside the training part."
        ),
    ]
    tables = kept | made
    told += [f"<!-- {name} -->\n{tables[name].rstrip()}" for name in COLLECTED if name in tables]
    page.write_text("\n\n".join(told) + "\n", "utf-8")


if __name__ == "__main__":
    collect()
