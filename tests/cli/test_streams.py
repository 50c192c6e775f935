"""Standard output is data or JSON and nothing else; exit statuses tell what happened; nothing known later is used."""

from __future__ import annotations

import errno
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


def test_who_listens_changes_no_status(shop):
    demand = f"{PROGRAM} forecast demand --sales sales.csv --horizon 4"
    for line, status in (
        (f"{demand} -o a.csv 2>&-", 0),
        (f"{demand} -o a.csv <&- >&- 2>&-", 0),
        (f"{PROGRAM} forecast demand --sales nowhere.csv 2>&-", 3),
        (f"{demand} --fail-on info --bogus 2>&-", 2),
        (f"{demand} -q >&-", 6),
        (f"{PROGRAM} forecast demand --sales - <&-", 3),
    ):
        done = shell(line, shop)
        assert done.returncode == status, (line, done.stderr)
    assert (shop / "a.csv").read_text("utf-8").startswith("sku,market,")
    left = shell(f"{demand} -o b.csv 2>&1 | true; echo ${{PIPESTATUS[0]}}", shop)
    assert left.stdout == "0\n"
    assert (shop / "b.csv").exists()


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "arrow", "ndjson", "xlsx"])
def test_a_full_disk_is_status_6_and_leaves_what_was_there(shop, kind):
    (shop / f"out.{kind}").write_bytes(b"old")
    # A limit on the size of files stands for the full disk: the kernel refuses the same writes.
    done = shell(
        f"ulimit -f 2; {PROGRAM} forecast demand --sales sales.csv --horizon 90 --frequency D -q -o out.{kind}", shop
    )
    assert done.returncode == 6, done.stderr
    assert f"out.{kind}: cannot be written" in done.stderr
    assert (shop / f"out.{kind}").read_bytes() == b"old"
    assert not list(shop.glob(".*tmp*"))


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


def test_verbose_says_what_was_read_and_notes_are_told(cbec, shop):
    (shop / "sales.csv").write_text(
        sales_csv().replace(",", ";").replace(".5;", ",5;").replace(".95;", ",95;"), "utf-8"
    )
    told = cbec(*DEMAND, "-v", "--set", "seed=3", "-o", "f.csv").stderr
    assert 'sales: sales.csv: 420 rows, csv, utf-8, cut by ";"' in told
    assert "setting seed = 3 (from --set)" in told
    assert "setting horizon = 4 (from option)" in told
    quieter = cbec(*DEMAND, "--frequency", "M", "-o", "f.csv").stderr
    assert "setting" not in quieter
    assert "note: not whole and left out:" in quieter


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-o", "a.csv", "--write-model-record", "./a.csv"), "would both write ./a.csv"),
        (("-o", "a.csv", "--rejects", "a.csv"), "would both write a.csv"),
        (("-o", "r/forecast.csv", "--report", "r"), "would both write r/forecast.csv"),
        (("-o", "sales.csv"), "would write over sales.csv, which --sales reads"),
        (("-o", "coverage.csv", "--sales", "cov*.csv"), "would write over coverage.csv"),
        (("-o", "a.xyz"), "the suffix tells no kind"),
        (("-o", "a.csv", "--rejects", "bad"), "the suffix tells no kind"),
        (("-o", ""), "--output: the path is empty"),
        (("--report", ""), "--report: the path is empty"),
        (("-o", "there.csv"), "there.csv is a folder"),
        (("-o", "/dev/null"), "/dev/null is a file"),
        (("--report", "sales.csv"), "sales.csv is a file"),
        (("--format", "yaml"), "yaml is none of csv, parquet, ndjson"),
        (("-o", "a.csv", "--format", "parquet"), "the suffix of -o FILE tells its kind"),
    ],
)
def test_places_that_cannot_be_written_are_told_before_anything_is_read(cbec, shop, words, told):
    (shop / "there.csv").mkdir()
    before = {p: p.read_bytes() for p in shop.iterdir() if p.is_file()}
    done = cbec(*DEMAND, *words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "as of" not in done.stderr
    assert {p: p.read_bytes() for p in shop.iterdir() if p.is_file()} == before
    assert not list((shop / "there.csv").iterdir())


def test_rejects_are_those_of_this_run(cbec, shop):
    good = (shop / "sales.csv").read_text("utf-8")
    (shop / "sales.csv").write_text(good + "2026-02-30,x,DE,1,1,EUR\n", "utf-8")
    done = cbec(*DEMAND, "-o", "f.csv", "--max-bad", "0.1", "--rejects", "bad.csv")
    assert done.returncode == 0, done.stderr
    assert len((shop / "bad.csv").read_text("utf-8").splitlines()) == 2
    (shop / "sales.csv").write_text(good, "utf-8")
    assert cbec(*DEMAND, "-o", "f.csv", "--rejects", "bad.csv").returncode == 0
    assert (shop / "bad.csv").read_text("utf-8") == "table,file,row,column,value,rule,message\n"


def test_rows_that_are_cut_wrongly_may_be_left_out(cbec, shop):
    good = sales_csv()
    (shop / "sales.csv").write_text(good + "2026-05-24,a,DE,1,1,EUR,too,long\n", "utf-8")
    strict = cbec(*DEMAND, "-o", "f.csv", "--rejects", "bad.csv")
    assert strict.returncode == 3
    assert "sales.csv row 422: the row is too long: 8 cells, the header has 6" in strict.stderr
    assert '"2026-05-24,a,DE,1,1,EUR,too,long"' in (shop / "bad.csv").read_text("utf-8")
    borne = cbec(*DEMAND, "-o", "f.csv", "--max-bad", "0.01")
    assert borne.returncode == 0, borne.stderr
    assert "1 of 421 rows left out" in borne.stderr
    (shop / "sales.csv").write_text(good, "utf-8")
    assert cbec(*DEMAND, "-o", "g.csv").returncode == 0
    assert (shop / "f.csv").read_bytes() == (shop / "g.csv").read_bytes()


def test_an_optional_table_without_rows_is_none(cbec, shop):
    cbec("forecast", "demand", "--sales", "sales.csv", "--horizon", 40, "--frequency", "D", "-o", "f.parquet")
    rest = ["--forecast", "f.parquet", "--inventory", "inventory.csv", "--policies", "policies.csv"]
    rest += ["--coverage", "coverage.csv", "--products", "products.csv"]
    (shop / "inbound.csv").write_text("sku,warehouse,qty,arrival_date\n", "utf-8")
    done = cbec("forecast", "replenish", *rest, "--inbound", "inbound.csv", "-o", "a.csv")
    assert done.returncode == 0, done.stderr
    assert "note: inbound: inbound.csv: no rows, only a header; taken as not given" in done.stderr
    cbec("forecast", "replenish", *rest, "-o", "b.csv")
    assert (shop / "a.csv").read_bytes() == (shop / "b.csv").read_bytes()
    (shop / "inventory.csv").write_text("sku,warehouse,on_hand\n", "utf-8")
    assert cbec("forecast", "replenish", *rest, "-o", "c.csv").returncode == 3


def test_a_date_in_the_future_is_a_warning(cbec, shop):
    (shop / "sales.csv").write_text(sales_csv() + "2205-05-24,007,DE,1,1,EUR\n", "utf-8")
    told = cbec(*DEMAND, "--frequency", "Y", "-o", "f.csv")
    assert "warning: as of 2205-05-24, the latest date of sales" in told.stderr


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


def test_stock_counted_after_as_of_is_refused(cbec, shop):
    cbec(*DEMAND, "--horizon", "40", "-o", "f.csv")
    (shop / "inventory.csv").write_text(
        "sku,warehouse,on_hand,snapshot_date\n007,DEHAM,40,2026-05-24\nA-1,DEHAM,300,2026-05-26\n", "utf-8"
    )
    words = (
        "forecast",
        "replenish",
        "--forecast",
        "f.csv",
        "--inventory",
        "inventory.csv",
        "--policies",
        "policies.csv",
    )
    words += ("--coverage", "coverage.csv", "--products", "products.csv", "--home-currency", "EUR", "-o", "o.csv")
    refused = cbec(*words, "--as-of", "2026-05-24")
    assert refused.returncode == 3
    assert "inventory: 1 of 2 rows are of a day after --as-of 2026-05-24, the last of 2026-05-26" in refused.stderr
    assert "give --as-of 2026-05-26" in refused.stderr
    assert not (shop / "o.csv").exists()
    then = cbec(*words, "--as-of", "2026-05-26")
    assert then.returncode == 0, then.stderr
    # The latest day of the sales is nobody's word: stock counted the morning after is used, and told.
    usual = cbec(*words)
    assert usual.returncode == 0, usual.stderr
    assert "they are used as what is there now" in usual.stderr


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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_at_once_and_leave_no_temporary(shop, number, status):
    # A first-in-first-out file that nobody writes keeps the command waiting inside native code.
    os.mkfifo(shop / "slow.csv")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cbec", "forecast", "demand", "--sales", "slow.csv", "-o", "out.csv"]

    def heed() -> None:  # nohup, under which tests may run, has its children ignore hang-ups
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    child = subprocess.Popen(command, cwd=shop, env=env, preexec_fn=heed)  # noqa: PLW1509  no threads here
    writer = _writer_once_read(shop / "slow.csv")
    try:
        child.send_signal(number)
        assert child.wait(timeout=60) == status
    finally:
        os.close(writer)
    assert not list(shop.glob(".*tmp*"))


def _writer_once_read(fifo: Path) -> int:
    """The end to write to of a first-in-first-out file, as soon as somebody reads it, however busy the machine is."""
    for _ in range(1200):
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as nobody:
            if nobody.errno != errno.ENXIO:
                raise
            time.sleep(0.05)
    raise AssertionError("the command never read its table")


def test_formulas_are_neutralised_for_people_and_verbatim_for_machines(cbec, shop):
    text = sales_csv().replace("A-1", "=1+1")
    (shop / "sales.csv").write_text(text, "utf-8")
    done = cbec(*DEMAND, "--report", "r", "-o", "f.csv")
    assert done.returncode == 0, done.stderr
    assert "\n=1+1,DE" in (shop / "f.csv").read_text("utf-8")
    assert "\n'=1+1,DE" in (shop / "r" / "forecast.csv").read_text("utf-8")
