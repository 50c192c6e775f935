"""A large table read and answered range by range: the same files as from the whole."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest
from core.test_engine import company

from cbec.core import delivery, engine, ranged, runner, writing
from cbec.core.command import find
from cbec.core.console import Console
from cbec.core.errors import ExitStatus


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tables of one row count as large, and are cut into ranges of 30; what is read of them is noted here."""
    seen: list[int] = []
    read = ranged.Ranged.read

    def noted(self, common):
        told = read(self, common)
        seen.append(told.rows)
        return told

    monkeypatch.setattr(ranged.Ranged, "read", noted)
    monkeypatch.setattr(ranged, "LARGE", 1)
    monkeypatch.setattr(engine, "ROWS", 30)
    return seen


def run(folder: Path, *lines: Path, **more: object) -> dict[str, bytes]:
    """The files of a run with everything it can tell."""
    inputs = {"order_lines": [str(path) for path in lines]}
    request = delivery.Request(inputs, report=str(folder), **more)  # type: ignore[arg-type]
    assert runner.run(find("compliance", "tax"), request, Console(0)) is ExitStatus.DONE
    found = {p.name: p.read_bytes() for p in folder.iterdir() if p.name not in ("run.json", ".lock")}
    assert found.keys() >= {"tax.parquet", "exports.csv", "findings.csv", "summary.json", "report.html"}
    return found


def spelled(lines: pl.DataFrame) -> pl.DataFrame:
    """Codes as people write them, and numbers as programs do."""
    return lines.with_columns(
        pl.when(pl.col("line") == "2").then(pl.lit(" cn ")).otherwise(pl.col("ship_from").str.to_lowercase()).alias("ship_from"),
        pl.col("ship_to").str.to_lowercase(),
        pl.col("currency").str.to_lowercase(),
        pl.col("qty").cast(pl.Float64),
    )  # fmt: skip


def test_ranges_give_the_files_of_the_whole(tmp_path: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = spelled(company().sort("order_id", "line"))
    lines.write_parquet(tmp_path / "a.parquet")
    lines[:50].write_parquet(tmp_path / "b1.parquet")
    lines[50:].write_parquet(tmp_path / "b2.parquet")
    shuffled = lines.sample(fraction=1, shuffle=True, seed=3)
    shuffled[:20].write_parquet(tmp_path / "c1.parquet")
    shuffled[20:].write_parquet(tmp_path / "c2.parquet")
    monkeypatch.setattr(ranged, "TAKEN", 25)
    monkeypatch.setattr(ranged, "SAMPLED", 3)
    by_ranges = {
        name: run(tmp_path / name, *(tmp_path / f"{place}.parquet" for place in places))
        for name, places in {"a": ["a"], "b": ["b1", "b2"], "c": ["c1", "c2"]}.items()
    }
    assert len(reads) > 6 and sum(reads) == 3 * lines.height
    monkeypatch.setattr(ranged, "LARGE", 10**6)
    whole = run(tmp_path / "whole", tmp_path / "a.parquet")
    assert all(files == whole for files in by_ranges.values())
    assert sum(reads) == 3 * lines.height


def test_bad_rows_are_told_with_their_place_in_the_file(tmp_path: Path, reads: list[int]) -> None:
    lines = company().sort("order_id", "line")
    lines = lines.with_columns(
        pl.when(pl.int_range(pl.len()) == 77).then(pl.lit("XX")).otherwise("ship_to").alias("ship_to")
    )
    lines.write_parquet(tmp_path / "lines.parquet")
    request = delivery.Request(
        {"order_lines": [str(tmp_path / "lines.parquet")]},
        output=str(tmp_path / "tax.parquet"), rejects=str(tmp_path / "bad.csv"), max_bad=0.05,
    )  # fmt: skip
    assert runner.run(find("compliance", "tax"), request, Console(0)) is ExitStatus.DONE
    assert reads
    assert pl.read_csv(tmp_path / "bad.csv").select("row", "column", "value").rows() == [(79, "ship_to", "XX")]
    assert pl.read_parquet(tmp_path / "tax.parquet").height == lines.height - 1


def test_a_full_disk_ends_the_run_and_leaves_nothing(
    tmp_path: Path, reads: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(rows: pl.LazyFrame, target: object) -> None:
        raise OSError(28, "No space left on device")

    company().sort("order_id", "line").write_parquet(tmp_path / "lines.parquet")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("cbec.core.workers.gettempdir", lambda: str(scratch))
    monkeypatch.setattr(writing, "_sink", full)
    request = delivery.Request({"order_lines": [str(tmp_path / "lines.parquet")]}, output=str(tmp_path / "tax.parquet"))
    assert runner.run(find("compliance", "tax"), request, Console(0)) is ExitStatus.ENVIRONMENT
    assert "No space left" in capsys.readouterr().err
    assert reads and not list(scratch.iterdir()) and not (tmp_path / "tax.parquet").exists()


def test_pieces_pack_to_the_bytes_of_the_whole(tmp_path: Path) -> None:
    whole = pl.DataFrame({"a": [str(n % 7) for n in range(10_000)], "b": range(10_000)})
    with writing.Packing(tmp_path / "packed.parquet") as packing:
        for first, end in ((0, 10), (10, 10), (10, 7_000), (7_000, 10_000)):
            packing.add(whole[first:end])
        told = packing.close()
    assert told.height == whole.height
    assert (tmp_path / "packed.parquet").read_bytes() == writing.to_bytes(whole, "parquet")


def test_what_fails_on_the_way_ends_the_packing(tmp_path: Path) -> None:
    def half() -> None:
        with writing.Packing(tmp_path / "half.parquet") as packing:
            packing.add(pl.DataFrame({"a": [1]}))
            raise ValueError("on the way")

    before = threading.active_count()
    with pytest.raises(ValueError, match="on the way"):
        half()
    assert threading.active_count() == before
