"""Files of a result that are no tables (a model's folder): with the tables, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from cbec.core import command as commands
from cbec.core.command import Common, Result, Table, command, setting
from cbec.core.console import Console
from cbec.core.delivery import Job, Request, deliver
from cbec.core.staging import TEMPORARIES


@dataclass(frozen=True)
class Teach(Common):
    model: str = setting("", "folder of the model", made=True)


@command("findings")
def teach(sales: Table, *, s: Teach) -> Result:
    """A model."""
    raise AssertionError("never run: the tests hand over to `deliver` what it would have answered")


TABLE = pl.DataFrame({"finding_id": ["a"]})
SUMMARY = {"headline": "taught", "findings": {"info": 0, "warn": 0, "high": 0}, "status": 0}
MODEL = {"model.txt": b"tree\n", "card.json": b"{}"}


def job(tmp_path: Path, **settings: str) -> Job:
    made = Job(teach.__dict__["__command__"], Request({}, output=str(tmp_path / "record.csv")), Console(0))
    made.record.settings = dict(settings)
    return made


def test_files_go_into_the_folder_of_the_setting_made_for_them(tmp_path):
    asked = job(tmp_path, model=str(tmp_path / "deep" / "model"))
    deliver(asked, {"findings": TABLE}, SUMMARY, MODEL)
    assert {p.name: p.read_bytes() for p in (tmp_path / "deep" / "model").iterdir()} == MODEL
    assert (tmp_path / "record.csv").exists()
    assert asked.record.outputs["model"] == {"path": str(tmp_path / "deep" / "model"), "files": sorted(MODEL)}


def test_without_a_folder_no_file_is_written(tmp_path):
    asked = job(tmp_path, model="")
    deliver(asked, {"findings": TABLE}, SUMMARY, MODEL)
    assert [p.name for p in tmp_path.iterdir()] == ["record.csv"]
    assert "model" not in asked.record.outputs


def test_a_failure_leaves_the_old_model_and_no_temporary(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.txt").write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        deliver(job(tmp_path, model=str(folder)), {"findings": TABLE}, SUMMARY, MODEL)
    assert [(p.name, p.read_bytes()) for p in sorted(folder.iterdir())] == [("model.txt", b"old")]
    assert not (tmp_path / "record.csv").exists()
    assert not [t for t in TEMPORARIES if t.is_relative_to(tmp_path)]


@pytest.mark.parametrize("name", ["../model.txt", "a/b.txt", "/etc/x", ""])
def test_a_file_stays_in_its_folder(tmp_path, name):
    with pytest.raises(AssertionError):
        deliver(job(tmp_path, model=str(tmp_path / "model")), {"findings": TABLE}, SUMMARY, {name: b""})
    assert list(tmp_path.rglob("*.txt")) == []


def test_a_result_has_no_files_unless_it_says_so():
    assert Result({}).files == {}
    assert "teach" not in commands.STEPS
