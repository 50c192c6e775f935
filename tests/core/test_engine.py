"""Partitions give the bytes of the whole, here and on a cluster; what is lost is run again, or said."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.answered import answered
from support.taxed import order_lines, rates

from cbec import forecast, tables
from cbec.compliance import Tax
from cbec.core import check, delivery, engine, files, pieces, runner, staging
from cbec.core.command import Command, Common, Parts, Result, find
from cbec.core.conform import ascending
from cbec.core.console import Console
from cbec.core.errors import EnvironmentFailed, ExitStatus, InputRejected, UsageFault
from cbec.core.writing import Stored

distributed = pytest.importorskip("distributed", reason="the extra cbec[cluster] is not installed")
import dask  # noqa: E402

from cbec.core import cluster  # noqa: E402

DAY = date(2026, 3, 1)
AT = Tax(as_of=date(2026, 10, 1))
QUIET = Console(0)


# --- cutting


def cut(by: tuple[str, ...] = ("sku",), state: dict[str, Any] | None = None, **frames: pl.DataFrame) -> engine.Cut:
    inputs = find("forecast", "demand").inputs  # sales leads
    command = Command("toy", "toy", "", lambda: Result({}), inputs, ("forecast",), Common, by=by)
    return engine.Cut(command, frames, state)


def ranges(made: engine.Cut, name: tuple[str, str] = ("frames", "sales")) -> list[list[Any]]:
    return [made.piece(n)[name].rows() for n in range(made.count)]


SALES = pl.DataFrame({"sku": list("abcabcabcdde"), "units": range(12)})


@given(st.permutations(range(12)), st.integers(1, 12))
@settings(deadline=None, max_examples=30)
def test_neither_the_order_of_rows_nor_anything_else_moves_a_cut(order: list[int], rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "ROWS", rows)
        whole, shuffled = ranges(cut(sales=SALES)), ranges(cut(sales=SALES[order]))
    assert [sorted(part) for part in shuffled] == [sorted(part) for part in whole]
    assert sorted(row for part in whole for row in part) == sorted(SALES.rows())
    keys = [{row[0] for row in part} for part in whole]
    assert all(max(a) < min(b) for a, b in itertools.pairwise(keys)), "ranges of the key, in order"


def test_tables_with_the_key_are_split_and_others_given_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ROWS", 6)
    some = pl.DataFrame({"sku": ["e", "a"], "x": [1, 2]})
    products = pl.DataFrame({"sku": ["a", None], "price": [1, 2]})  # a gap: of any article
    made = cut(sales=SALES, products=products, state={"pooled": some, "level": 0.5})
    assert made.count > 1
    assert {n: [row for part in ranges(made, n) for row in part] for n in made.piece(0)}.keys() == {
        ("frames", "sales"),
        ("state", "pooled"),
    }
    assert ranges(made, ("state", "pooled"))[0] == [("a", 2)]
    assert ranges(made, ("state", "pooled"))[-1] == [("e", 1)]
    assert made.shared[("frames", "products")] is products
    assert made.shared[("state", "level")] == 0.5


def test_the_leading_table_is_split_whatever_its_key_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ROWS", 1)
    gaps = pl.DataFrame({"sku": ["b", None, "a", None], "units": [1, 2, 3, 4]})
    assert ranges(cut(sales=gaps)) == [[(None, 2), (None, 4)], [("a", 3)], [("b", 1)]]
    two = pl.DataFrame({"sku": ["a", "a", "a"], "market": ["DE", "FR", None], "units": [1, 2, 3]})
    assert ranges(cut(("sku", "market"), sales=two)) == [[("a", None, 3)], [("a", "DE", 1)], [("a", "FR", 2)]]


def test_what_fits_one_partition_is_not_touched() -> None:
    made = cut(sales=SALES)
    assert made.count == 1
    assert made.piece(0)["frames", "sales"] is SALES


# --- what is no engine, or not one for this command


@pytest.mark.parametrize("where", ["spark://x:1", "dask://", "dask://host", "dask://host:http", "dask://[::1", "dask"])
def test_what_is_no_engine(where: str) -> None:
    with pytest.raises(UsageFault, match="is none of local, dask://HOST:PORT"):
        engine.check(find("compliance", "tax"), where)


def test_the_address_names_the_scheduler_and_the_shared_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "gettempdir", lambda: "/scratch")
    assert engine.place("dask://10.0.0.5:8786") == ("tcp://10.0.0.5:8786", Path("/scratch"))
    assert engine.place("dask://[::1]:8786/mnt/my%20disk") == ("tcp://[::1]:8786", Path("/mnt/my disk"))


def test_a_command_that_is_not_cut_says_which_are(cbec: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = cbec("supplier", "score", "--engine", "dask://127.0.0.1:1")
    assert done.returncode == ExitStatus.USAGE
    assert "supplier score runs on this machine only" in done.stderr
    with pytest.raises(UsageFault, match="this machine only") as fault:
        engine.check(find("supplier", "score"), "dask://127.0.0.1:1")
    assert "compliance tax" in str(fault.value.hint)
    engine.check(find("supplier", "score"), "local")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    with pytest.raises(UsageFault) as fault:
        engine.check(find("compliance", "tax"), "dask://127.0.0.1:1")
    assert fault.value.hint == "pip install 'cbec[cluster]'"


def test_only_commands_that_are_cut_offer_engines(cbec: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert "--engine" in cbec("compliance", "tax", "--help").stdout
    assert "--engine" not in cbec("supplier", "score", "--help").stdout


# --- the same bytes


def company() -> pl.DataFrame:
    """Orders of a few buyers all over the file, refunds among them; some go beyond a yearly limit of China."""
    rows = []
    places = [("CN", "CNY", 4400, "JP"), ("DE", "EUR", 90, "CN"), ("GB", "GBP", 120, "CN"), ("DE", "EUR", 200, "DE")]
    for i in range(80):
        to, currency, price, source = places[i % 4]
        line = {"order_id": f"O{(i * 37) % 80:03}", "date": DAY + timedelta(days=i), "ship_to": to, "ship_from": source}
        line |= {
            "currency": currency,
            "price": price,
            "customer_id": f"B{i % 3}",
            "hs_code": "950300",
            "qty": 1 + i % 2,
        }
        line |= {"scheme": "CBEC" if to == "CN" else None}
        rows.append(line)
        if i % 9 == 0:
            rows.append(line | {"line": "1R", "qty": -1, "date": DAY + timedelta(days=i + 20)})
        if i % 5 == 0:
            rows.append(line | {"line": "2", "sku": "B", "price": 3})
    return order_lines(rows)


def told(result: Result) -> tuple[bytes, ...]:
    """A result as it would be written."""
    made = [files.to_bytes(check.conform(tables.get(n), f), "parquet") for n, f in sorted(result.tables.items())]
    return (*made, pickle.dumps((result.metrics, result.findings, result.notes)))


@pytest.fixture(scope="module")
def whole() -> tuple[bytes, ...]:
    """Tax of the company in one piece."""
    return told(answered("compliance tax", AT, order_lines=company()))


def test_partitions_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch, whole: tuple[bytes, ...]) -> None:
    lines = company()
    # The case is one in which orders do need each other: by themselves, none is beyond the limit of a year.
    alone = answered("compliance tax", AT, order_lines=lines.with_columns(customer_id=pl.lit(None, pl.String)))
    assert told(alone) != whole
    shuffled = lines.sample(fraction=1, shuffle=True, seed=7)
    for rows in (20, 50):
        monkeypatch.setattr(engine, "ROWS", rows)
        for some in (lines, lines.sort("order_id", "line"), shuffled):
            assert told(answered("compliance tax", AT, order_lines=some)) == whole


def test_the_rows_of_a_partition_are_sorted_by_the_key_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ROWS", 30)
    lines = company().sample(fraction=1, shuffle=True, seed=8)
    made = engine.Cut(find("compliance", "tax"), {"order_lines": lines}, None)
    parts = [made.piece(n)["frames", "order_lines"] for n in range(made.count)]
    assert made.count > 2
    assert pl.concat(parts).equals(lines.sort("order_id", "line"))


KEYS = st.lists(st.tuples(st.sampled_from("ab") | st.none(), st.integers(0, 2) | st.none()), max_size=6)


@given(KEYS, st.booleans())
def test_ascending_is_what_sorting_leaves_as_it_is(rows: list[tuple[str | None, int | None]], strictly: bool) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.Int64}, orient="row")
    expected = frame.equals(frame.sort("a", "b")) and not (strictly and frame.is_duplicated().any())
    assert ascending(frame, ["a", "b"], strictly) is expected


@contextmanager
def workers(count: int) -> Iterator[str]:
    """A cluster in this process; its address as an engine."""
    with distributed.LocalCluster(
        n_workers=count, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as made:
        yield made.scheduler_address.replace("tcp://", "dask://")


def on(where: str, shared: Path, lines: pl.DataFrame, **more: pl.DataFrame) -> Result:
    """Tax of the lines on a cluster."""
    frames = {i.table: None for i in find("compliance", "tax").inputs} | {"order_lines": lines} | more
    with engine.opened(f"{where}{shared}", lambda _: None) as place:
        result = engine.answer(find("compliance", "tax"), frames, AT, place)
        result.tables |= {name: make() for name, make in result.later.items()}
        return result


def test_a_cluster_of_one_or_three_gives_the_bytes_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[bytes, ...]
) -> None:
    lines, shared = company(), tmp_path / "shared"
    shared.mkdir()
    left = shared / f".cbec-{staging._machine()}-{2**22 + 1}-{0:012x}.cluster"  # of a run that was killed
    left.mkdir()
    monkeypatch.setattr(engine, "ROWS", 30)
    for count in (1, 3):
        with workers(count) as where:
            assert told(on(where, shared, lines.sample(fraction=1, shuffle=True, seed=count))) == whole
    assert not list(shared.iterdir()), "nothing stays in the shared folder"


def test_a_whole_run_writes_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    company().write_parquet(tmp_path / "lines.parquet")
    company().sample(fraction=1, shuffle=True, seed=5).write_parquet(tmp_path / "shuffled.parquet")

    def run(name: str, lines: str, where: str) -> dict[str, bytes]:
        request = delivery.Request({"order_lines": [str(tmp_path / lines)]}, report=str(tmp_path / name), engine=where)
        assert runner.run(find("compliance", "tax"), request, QUIET) is ExitStatus.DONE
        found = (p for p in (tmp_path / name).iterdir() if p.name not in ("run.json", ".lock"))
        return {p.name: p.read_bytes() for p in found}

    here = run("here", "lines.parquet", "local")
    monkeypatch.setattr(engine, "ROWS", 50)
    with workers(2) as where:
        there = run("there", "shuffled.parquet", f"{where}{tmp_path}")
    assert here.keys() >= {"tax.parquet", "tax.csv", "exports.csv", "findings.csv", "summary.json", "report.html"}
    assert there == here


def test_a_catalogue_in_parts_is_forecast_to_the_same_bytes_on_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast, "Parts", partial(Parts, size=2, over=2))
    rows = [(DAY + timedelta(days=d), f"S{n}", "DE", float((d * n) % 7)) for n in range(1, 5) for d in range(60)]
    sales = pl.DataFrame(rows, schema=["date", "sku", "market", "units"], orient="row")
    command, asked = find("forecast", "demand"), forecast.Demand(as_of=DAY + timedelta(days=59), horizon=5)
    given = {i.table: None for i in command.inputs} | {"sales": sales}
    with workers(1) as where, engine.opened(f"{where}{tmp_path}", lambda _: None) as place:
        there = engine.answer(command, given, asked, place)
        table = there.tables["forecast"]
        assert isinstance(table, Stored) and len(table.files) == 2
        made = table.frame()
    here = engine.answer(command, given, asked, engine.here)
    assert made.equals(check.conform(tables.get("forecast"), here.tables["forecast"]))
    assert (there.metrics, there.findings, there.notes) == (here.metrics, here.findings, here.notes)


def test_a_refusal_is_that_of_the_first_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = company().with_columns(
        currency=pl.when(pl.col("order_id") > "O030").then(pl.lit("USD")).otherwise("currency")
    )
    fixings = rates([{"date": date(2020, 1, 1), "base": "EUR", "quote": "GBP", "rate": 0.9, "source": "x"}])
    lines = lines.filter(pl.col("ship_to") != "CN")
    monkeypatch.setattr(engine, "ROWS", 25)
    with pytest.raises(InputRejected) as here:
        answered("compliance tax", AT, order_lines=lines, rates=fixings)
    with workers(3) as where, pytest.raises(InputRejected) as there:
        on(where, tmp_path, lines, rates=fixings)
    assert (str(there.value), there.value.hint) == (str(here.value), here.value.hint)


# --- what can be lost

DIES = """
import os, pathlib, signal
from cbec.core import pieces

whole = pieces.work

def work(folder, number):
    pathlib.Path({mark!r}).write_text(str(number))
    os.kill(os.getpid(), signal.SIGKILL)

pieces.work = work
"""


def test_the_partitions_of_a_lost_worker_are_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(engine, "ROWS", 30)
    mark = tmp_path / "died"
    (tmp_path / "preload.py").write_text(DIES.format(mark=str(mark)))
    with workers(1) as where:
        address = where.replace("dask://", "tcp://")
        words = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--preload"]
        mortal = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", address, *words, str(tmp_path / "preload.py")],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        try:
            with distributed.Client(address) as client:
                client.wait_for_workers(2, timeout=30)
            assert told(on(where, tmp_path, company())) == whole
            assert mortal.wait(10) == -signal.SIGKILL
        finally:
            mortal.kill()
    assert mark.exists(), "the worker died at its first partition"


def test_a_cluster_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    company().write_parquet(tmp_path / "lines.parquet")
    request = delivery.Request({"order_lines": [str(tmp_path / "lines.parquet")]}, output=str(tmp_path / "tax.csv"))
    request = replace(request, engine="dask://127.0.0.1:9")
    assert runner.run(find("compliance", "tax"), request, Console(1)) is ExitStatus.ENVIRONMENT
    said = capsys.readouterr().err
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in said
    assert "leave --engine away" in said
    assert not (tmp_path / "tax.csv").exists()


def test_a_cluster_without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.3)
    with workers(0) as where, pytest.raises(EnvironmentFailed, match="has no worker"):
        on(where, tmp_path, company())


def slow(folder: str, number: int) -> None:
    time.sleep(1)


@pytest.mark.parametrize("what", ["workers", "scheduler"])
def test_a_cluster_that_goes_away(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    monkeypatch.setattr(engine, "ROWS", 11)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": 0.5}),  # closing waits for what is gone, too
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
        ) as made,
    ):

        def gone(cut: engine.Cut, number: int) -> Any:
            if number == 2:  # when some partitions lie with the cluster already
                threading.Thread(target=made.scale, args=(0,)).start() if what == "workers" else made.sync(
                    made.scheduler.close
                )
            return piece(cut, number)

        piece = engine.Cut.piece
        monkeypatch.setattr(engine.Cut, "piece", gone)
        monkeypatch.setattr(pieces, "work", slow)
        where = made.scheduler_address.replace("tcp://", "dask://")
        with pytest.raises(EnvironmentFailed, match="lost"):
            on(where, tmp_path, company())


def test_workers_that_are_not_as_this_machine() -> None:
    mine = {"cbec": "abc", "Polars": "2.1.0", "seen": "yes"}
    shared = Path("/mnt/x")
    cluster.agree({"w1": mine, "w2": dict(mine)}, mine, shared)
    with pytest.raises(EnvironmentFailed, match="worker w2 has another cbec"):
        cluster.agree({"w1": mine, "w2": mine | {"cbec": "abd"}}, mine, shared)
    with pytest.raises(EnvironmentFailed, match="worker w2 does not see the folder /mnt/x"):
        cluster.agree({"w2": mine | {"seen": ""}}, mine, shared)
    with pytest.raises(EnvironmentFailed, match="cbec does not run on worker w3"):
        cluster.agree({"w3": ModuleNotFoundError("cbec")}, mine, shared)
