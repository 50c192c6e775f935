"""A catalogue in parts: borders by the data alone, ranges that read as the whole does, and nothing left behind."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import cbec.forecast
from cbec import tables
from cbec.core import check, children, delivery, engine, files, parts, ranged, runner, staging, workers, writing
from cbec.core.command import Common, Parts, find
from cbec.core.console import Console
from cbec.core.errors import ExitStatus, InputRejected
from cbec.forecast import Demand, Replenish

ROOT = Path(__file__).resolve().parents[2]
MONDAY = date(2025, 1, 6)
WEEKS = 40


def sales() -> pl.DataFrame:
    """24 series of 12 SKUs; those of the last ones sold nothing in the last weeks."""
    random = np.random.default_rng(3)
    rows = [
        (MONDAY + timedelta(weeks=w), f"S{sku:02}", market, float(random.poisson(2 + sku % 5) + 1))
        for sku, market, w in itertools.product(range(12), ("DE", "FR"), range(WEEKS))
        if sku < 9 or w < WEEKS - 3
    ]
    return pl.DataFrame(rows, schema=["date", "sku", "market", "units"], orient="row")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catalogues of more than 12 series are cut into parts of 12."""
    monkeypatch.setattr(cbec.forecast, "Parts", partial(Parts, size=12, over=12))


def run(folder: Path, words: str = "forecast demand", **more: str) -> ExitStatus:
    inputs = {"sales": [str(folder / "sales.parquet")]} | {name: [str(folder / place)] for name, place in more.items()}
    request = delivery.Request(inputs, output=str(folder / "out.parquet"))
    return runner.run(find(*words.split()), request, Console(0))


def in_process(frame: pl.DataFrame) -> pl.DataFrame:
    """The table of `forecast demand` from parts that are worked on here."""
    s = Demand(as_of=MONDAY + timedelta(weeks=WEEKS - 1))
    given = {"sales": frame, "products": None, "calendar": None, "signals": None}
    made = engine.answer(find("forecast", "demand"), given, s, engine.here).tables["forecast"]
    return check.conform(tables.get("forecast"), made)


# --- borders


@given(st.permutations(range(20)), st.integers(1, 9))
@settings(deadline=None, max_examples=30)
def test_borders_are_of_the_data_alone(order: list[int], size: int) -> None:
    frame = pl.DataFrame({"sku": list("aabbbccccddddeeefghi"), "market": list("xyxyzwxyzxyzwxyzxxxx")})
    how = Parts(("sku", "market"), size, over=5)
    whole = parts.borders(frame, "sku", how)
    assert parts.borders(frame[order], "sku", how) == whole == sorted(set(whole))
    assert set(whole) <= set(frame["sku"]) - {"a"}, "a SKU is never cut, and the first part begins at the first"


def test_a_small_catalogue_stays_whole() -> None:
    frame = pl.DataFrame({"sku": list("abc"), "market": list("xyz")})
    assert parts.borders(frame, "sku", Parts(("sku", "market"), 1, over=3)) == []
    assert len(parts.borders(frame, "sku", Parts(("sku", "market"), 1, over=2))) == 2


@pytest.mark.parametrize("how", [{"levels": "total"}, {"like": "A=B"}, {"explain": "A@DE"}, {"by": "market"}])
def test_what_needs_all_series_is_not_cut(how: dict[str, str]) -> None:
    size = find("forecast", "demand").parts
    assert size is not None and size(Demand(), ["sales"]) is not None
    assert size(Demand(**how), ["sales"]) is None


def test_a_budget_and_containers_are_shared_by_all_items() -> None:
    size = find("forecast", "replenish").parts
    assert size is not None and size(Replenish(), ["forecast"]) is not None
    assert size(Replenish(budget=5.0), ["forecast"]) is None
    assert size(Replenish(), ["forecast", "containers"]) is None


# --- ranges of a file


def two_files(folder: Path, frame: pl.DataFrame) -> list[str]:
    half = frame.height // 2
    frame[:half].write_parquet(folder / "a.parquet")
    frame[half:].write_parquet(folder / "b.parquet")
    return [str(folder / "a.parquet"), str(folder / "b.parquet")]


def test_ranges_read_what_the_whole_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged, "LARGE", 1)
    frame = sales().sample(fraction=1.0, shuffle=True, seed=1)
    again = frame[5:6]  # a key that comes twice, in two files
    broken = frame[:1].with_columns(units=pl.lit(None, pl.Float64), date=pl.lit(date(2020, 1, 6)))
    nobody = frame[:1].with_columns(sku=pl.lit("  "))
    paths = two_files(tmp_path, pl.concat([frame, again, broken, nobody]))
    contract = tables.get("sales")
    whole = check.check(contract, files.read(contract, paths, Common()), Common())
    far = ranged.offered(contract, paths, "sku")
    assert far is not None
    found = [far.between(*edge).read(Common()) for edge in itertools.pairwise([None, "S04", "S07", None])]
    order = ["sku", "market", "date"]
    assert_frame_equal(pl.concat([c.good for c in found]).sort(order), whole.good.sort(order))
    assert sum(c.total for c in found) == whole.total == 3
    told = [str(f) for c in found for f in c.faults]
    assert sorted(told) == sorted(str(f) for f in whole.faults)


def test_only_what_need_not_be_parsed_is_read_by_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranged, "LARGE", 1)
    contract, frame, place = tables.get("sales"), sales(), tmp_path / "s.parquet"

    def offered(changed: pl.DataFrame) -> bool:
        changed.write_parquet(place)
        return ranged.offered(contract, [str(place)], "sku") is not None

    assert offered(frame) and offered(frame.rename({"units": "销量"}))
    assert not offered(frame.with_columns(pl.col("units").cast(pl.String)))
    assert not offered(frame.with_columns(pl.col("date").cast(pl.Datetime("us"))))
    assert not offered(frame.with_columns(pl.col("sku").str.slice(1).cast(pl.Int64)))
    assert not offered(frame.drop("units")), "what is missing is told by the usual way"
    frame.write_csv(tmp_path / "s.csv")
    assert ranged.offered(contract, [str(tmp_path / "s.csv")], "sku") is None
    assert ranged.offered(contract, ["-"], "sku") is None
    monkeypatch.setattr(ranged, "LARGE", 10_000)
    assert not offered(frame)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv", "csv.gz", "ndjson", "arrow"])
def test_pieces_are_written_to_the_bytes_of_the_whole(tmp_path: Path, suffix: str) -> None:
    frame = sales().with_columns(
        at=pl.col("date").cast(pl.Datetime("us")) + pl.duration(microseconds=250 * (pl.col("units") == 9))
    )
    edges = [0, 300, 301, frame.height]
    places = [tmp_path / f"{low}.parquet" for low in edges[:-1]]
    for place, (low, high) in zip(places, itertools.pairwise(edges), strict=True):
        frame[low:high].write_parquet(place)
    stored = writing.Stored(tuple(places), frame.height)
    for table, name in ((frame, "whole"), (stored, "pieces")):
        with staging.Staging() as staged:
            writing.write(table, tmp_path / f"{name}.{suffix}", staged)
    whole, pieces = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("whole", "pieces"))
    if not suffix.endswith(".gz"):
        poured = io.BytesIO()
        writing.pour(stored, poured, suffix)
        assert poured.getvalue() == whole
    if suffix.endswith(".gz"):  # its blocks follow the pieces, not its text
        whole, pieces = gzip.decompress(whole), gzip.decompress(pieces)
    assert whole == pieces


# --- runs in parts


@pytest.mark.usefixtures("small")
def test_the_same_bytes_by_one_or_two_processes_from_any_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for processes, seed, large in ((1, 1, 1), (2, 2, 10_000)):
        monkeypatch.setattr(workers, "at_once", lambda processes=processes: processes)
        monkeypatch.setattr(ranged, "LARGE", large)
        sales().sample(fraction=1.0, shuffle=True, seed=seed).write_parquet(tmp_path / "sales.parquet")
        assert run(tmp_path) is ExitStatus.DONE
        made.append((tmp_path / "out.parquet").read_bytes())
    assert made[0] == made[1]
    assert_frame_equal(pl.read_parquet(tmp_path / "out.parquet"), in_process(sales()))


@pytest.mark.usefixtures("small")
def test_every_part_has_the_periods_of_the_whole() -> None:
    made = in_process(sales())
    assert made["sku"].n_unique() == 12
    assert made.filter(h=1)["date"].unique().to_list() == [MONDAY + timedelta(weeks=WEEKS)], (
        "also where none sold lately"
    )


@pytest.mark.usefixtures("small")
def test_orders_in_parts_are_those_of_the_whole() -> None:
    forecast = in_process(sales())
    given: dict[str, pl.DataFrame | None] = dict.fromkeys(i.table for i in find("forecast", "replenish").inputs)
    keys = forecast.select("sku").unique().sort("sku").with_row_index("n")
    given["inventory"] = typed("inventory", keys.select("sku", warehouse=pl.lit("W"), on_hand=pl.col("n") * 4.0, unit_cost=pl.lit(2.0), currency=pl.lit("EUR")))  # fmt: skip
    given["inventory"] = pl.concat([given["inventory"][:5], given["inventory"][7:]])  # some without a row
    given["policies"] = typed("policies", pl.DataFrame({"lead_time_days": [21.0], "review_days": [7.0]}))
    given["coverage"] = typed("coverage", pl.DataFrame({"market": ["DE", "FR"], "warehouse": ["W", "W"]}))
    given["forecast"] = forecast
    command, wanted = find("forecast", "replenish"), ("projection", "stock_curve")
    apart = engine.answer(command, given, Replenish(), engine.here, wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cbec.forecast, "Parts", Parts)
        whole = engine.answer(command, given, Replenish(), engine.here, wanted)
    whole.tables |= {name: make() for name, make in whole.later.items()}
    for name in ("replenishment", "projection", "stock_curve"):
        shaped = [parts.shaped(command, {name: made.tables[name]}, Replenish())[name] for made in (apart, whole)]
        assert_frame_equal(*shaped)
    assert apart.metrics == pytest.approx(whole.metrics) and apart.notes == whole.notes
    assert sorted(apart.findings, key=str) == sorted(whole.findings, key=str)
    assert any(f.rule == "no_stock_row" and f.message.startswith("2 SKUs at W") for f in whole.findings)


def typed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    raw = files.Raw(
        frame.with_row_index(files.ROW).with_columns(pl.lit("x").alias(files.FILE)), [], {"x": frame.columns}
    )
    return check.check(tables.get(name), raw, Common()).good


def test_a_bad_row_of_one_part_is_an_error_of_the_run(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ranged, "LARGE", 1)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    frame = sales()
    bad = frame.with_row_index().with_columns(units=pl.when(pl.col("index") != 700).then("units")).drop("index")
    bad.write_parquet(tmp_path / "sales.parquet")
    assert run(tmp_path) is ExitStatus.INPUT
    assert "sales.parquet row 702" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["sales.parquet"], "nothing is half-written, nothing left behind"


def test_the_refusal_of_the_first_part_is_that_of_the_run(small: None) -> None:
    frame = sales().with_columns(market=pl.when(pl.col("sku") == "S08").then(pl.lit("IT")).otherwise("market"))
    forecast = in_process(frame)
    given: dict[str, pl.DataFrame | None] = dict.fromkeys(i.table for i in find("forecast", "replenish").inputs)
    given["inventory"] = typed("inventory", pl.DataFrame({"sku": ["S01"], "warehouse": ["W"], "on_hand": [1.0]}))
    given["policies"] = typed("policies", pl.DataFrame({"lead_time_days": [21.0]}))
    given["coverage"] = typed("coverage", pl.DataFrame({"market": ["DE", "FR"], "warehouse": ["W", "W"]}))
    given["forecast"] = forecast
    with pytest.raises(InputRejected, match="no warehouse for market IT"):
        engine.answer(find("forecast", "replenish"), given, Replenish(), engine.here)


def killed(*_: object) -> int:
    return -signal.SIGKILL


def test_a_process_that_is_killed_ends_the_run(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(children, "run", killed)
    sales().write_parquet(tmp_path / "sales.parquet")
    assert run(tmp_path) is ExitStatus.ENVIRONMENT
    assert "the process of part 1 was killed" in capsys.readouterr().err
    assert not (tmp_path / "out.parquet").exists()


def failed(words: list[str], folder: Path, output: IO[bytes], *_: object) -> int:
    output.write(b"Traceback (most recent call last):\nValueError: no such luck")
    return 1


def test_a_mistake_of_ours_in_a_part_is_told_as_one(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(children, "run", failed)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    sales().write_parquet(tmp_path / "sales.parquet")
    assert run(tmp_path) is ExitStatus.BUG
    assert "part 1: ValueError: no such luck" in capsys.readouterr().err
    assert not (tmp_path / "out.parquet").exists()


SMALL = "import sys, cbec.forecast as f; from functools import partial; f.Parts = partial(f.Parts, size=12, over=12); "


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_its_run(tmp_path: Path, number: signal.Signals) -> None:
    sales().write_parquet(tmp_path / "sales.parquet")
    words = ["forecast", "demand", "--sales", "sales.parquet", "-o", "out.parquet"]
    main = subprocess.Popen(
        [sys.executable, "-c", SMALL + "from cbec.cli import main; main()", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: bool(of_run(tmp_path)))
        main.send_signal(number)
        assert main.wait(20) == (int(ExitStatus.TERMINATED) if number is signal.SIGTERM else -number)
        until(lambda: not of_run(tmp_path))
    finally:
        main.kill()
    if number is signal.SIGTERM:
        assert [p.name for p in tmp_path.iterdir()] == ["sales.parquet"]


def of_run(folder: Path) -> list[str]:
    """Processes of parts whose files lie in a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_text("utf-8", "replace").split("\0")
        except OSError:
            continue
        if "cbec.core.workers" in words and any(word.startswith(str(folder)) for word in words):
            found.append(file.parent.name)
    return found


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
