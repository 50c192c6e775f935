"""Standard output is data or JSON and nothing else; exit statuses tell what happened; nothing known later is used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from support.shop import sales_csv, sales_rows

ROOT = Path(__file__).resolve().parents[2]
DEMAND = ("forecast", "demand", "--sales", "sales.csv", "--horizon", "4")
PROGRAM = f'"{sys.executable}" -m cbec'


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, cwd=cwd, env=env, check=False
    )


def test_a_pipe_of_steps_gives_what_files_give(cbec, shop):
    rest = "--inventory inventory.csv --policies policies.csv --coverage coverage.csv --products products.csv"
    piped = shell(
        f"cat sales.csv | {PROGRAM} forecast demand --sales - --horizon 40 --frequency D | {PROGRAM} forecast replenish --forecast - {rest} > piped.csv",
        shop,
    )
    assert piped.returncode == 0, piped.stderr
    cbec("forecast", "demand", "--sales", "sales.csv", "--horizon", 40, "--frequency", "D", "-o", "f.parquet")
    done = cbec("forecast", "replenish", "--forecast", "f.parquet", *rest.split(), "-o", "orders.csv")
    assert done.returncode == 0, done.stderr
    assert (shop / "piped.csv").read_bytes() == (shop / "orders.csv").read_bytes()
    orders = pl.read_csv(shop / "orders.csv", infer_schema=False)
    assert orders["sku"].to_list() == ["007", "A-1"]


def test_a_reader_that_leaves_is_no_error(shop):
    line = (
        f"{PROGRAM} forecast demand --sales sales.csv --horizon 90 --frequency D -q | head -1; echo ${{PIPESTATUS[0]}}"
    )
    done = shell(line, shop)
    assert done.stderr == ""
    header, status = done.stdout.splitlines()
    assert header.startswith("sku,market,")
    assert status in {"0", "141"}  # 0 where the pipe's buffer took it all


def test_sigpipe_ends_the_writer_silently(shop):
    reading, writing = os.pipe()
    os.close(reading)  # nobody reads: the first byte meets a closed pipe
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cbec", *DEMAND, "-q"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=shop, env=env, check=False)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == -signal.SIGPIPE


def test_standard_output_holds_the_table_only_when_asked(cbec, shop):
    bare = cbec(*DEMAND)
    asked = cbec(*DEMAND, "-o", "-")
    assert bare.stdout == asked.stdout
    assert bare.stdout.startswith("sku,market,")
    assert cbec(*DEMAND, "-o", "f.csv").stdout == ""
    assert cbec(*DEMAND, "--report", "r").stdout == ""
    told = cbec(*DEMAND, "--json", "-o", "f.csv")
    summary = json.loads(told.stdout)
    assert summary["command"] == "demand"
    assert summary["as_of"] == "2026-05-24"
    both = cbec(*DEMAND, "--json", "-o", "-")
    assert both.returncode == 2
    ndjson = cbec(*DEMAND, "-o", "-", "--format", "ndjson")
    assert json.loads(ndjson.stdout.splitlines()[0])["sku"] == "007"


def test_quiet_and_the_story(cbec, shop):
    assert cbec(*DEMAND, "-q", "-o", "f.csv").stderr == ""
    told = cbec(*DEMAND, "-o", "f.csv").stderr
    assert "as of 2026-05-24" in told
    assert "-> f.csv" in told
    assert "\x1b" not in told


def test_wrong_usage_is_status_2(cbec, shop):
    for words, word in (
        (("forecast", "demand"), "--sales"),
        (("forecast", "demnad"), "demand"),
        (("forecast", "demand", "--sales", "sales.csv", "--horizn", "3"), "--horizon"),
        ((*DEMAND, "--frequency", "X"), "frequency"),
        ((*DEMAND, "--fail-on", "loud"), "--fail-on"),
        ((*DEMAND, "--set", "horizn=3"), "horizon"),
        (("schema", "slaes"), "sales"),
    ):
        done = cbec(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert word in done.stderr, (words, done.stderr)
        assert done.stdout == ""


def test_a_missing_file_is_status_3(cbec, shop):
    done = cbec("forecast", "demand", "--sales", "nowhere.csv")
    assert done.returncode == 3
    assert "nowhere.csv" in done.stderr


def test_nothing_after_as_of_is_used(cbec, shop):
    known = cbec(*DEMAND, "--as-of", "2026-04-12", "-o", "a.csv")
    assert known.returncode == 0, known.stderr
    later = [(d, s, m, u * 50 if str(d) > "2026-04-12" else u, p, c) for d, s, m, u, p, c in sales_rows()]
    (shop / "sales.csv").write_text(sales_csv(later), "utf-8")
    cbec(*DEMAND, "--as-of", "2026-04-12", "-o", "b.csv")
    assert (shop / "a.csv").read_bytes() == (shop / "b.csv").read_bytes()
    early = cbec(*DEMAND, "--as-of", "2020-01-01")
    assert early.returncode == 3
    assert "2026-01-05" in early.stderr


def test_same_bytes_whatever_the_threads(cbec, shop, monkeypatch):
    outputs = []
    for threads in ("1", "2"):
        monkeypatch.setenv("POLARS_MAX_THREADS", threads)
        done = cbec(*DEMAND, "--report", "r", "-o", "f.csv")
        assert done.returncode == 0, done.stderr
        files = sorted(p for p in (shop / "r").iterdir() if p.name not in ("run.json", ".lock"))
        outputs.append({p.name: p.read_bytes() for p in [*files, shop / "f.csv"]})
    assert outputs[0] == outputs[1]


def test_run_json_is_written_on_failure_too(cbec, shop):
    (shop / "sales.csv").write_text("date,sku\n2026-01-01,a\n", "utf-8")
    done = cbec(*DEMAND, "--report", "r")
    assert done.returncode == 3
    told = json.loads((shop / "r" / "run.json").read_text("utf-8"))
    assert told["status"] == 3
    assert "sales" in told["error"]
    assert not (shop / "r" / "summary.json").exists()


def test_a_report_folder_in_use_is_status_5(cbec, shop):
    from cbec.core import lock

    with lock.hold(shop / "r" / ".lock"):
        done = cbec(*DEMAND, "--report", "r")
    assert done.returncode == 5
    assert "--wait" in done.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_at_once_and_leave_no_temporary(shop, number, status):
    # A first-in-first-out file that nobody writes keeps the command waiting inside native code.
    os.mkfifo(shop / "slow.csv")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-m", "cbec", "forecast", "demand", "--sales", "slow.csv", "-o", "out.csv"], cwd=shop, env=env
    )
    time.sleep(1.5)
    child.send_signal(number)
    assert child.wait(timeout=10) == status
    assert not list(shop.glob(".*tmp*"))


def test_formulas_are_neutralised_for_people_and_verbatim_for_machines(cbec, shop):
    text = sales_csv().replace("A-1", "=1+1")
    (shop / "sales.csv").write_text(text, "utf-8")
    done = cbec(*DEMAND, "--report", "r", "-o", "f.csv")
    assert done.returncode == 0, done.stderr
    assert "\n=1+1,DE" in (shop / "f.csv").read_text("utf-8")
    assert "\n'=1+1,DE" in (shop / "r" / "forecast.csv").read_text("utf-8")
