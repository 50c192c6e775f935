"""Whole or not at all; one run at a time per place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cbec.core import lock
from cbec.core.errors import Busy
from cbec.core.staging import TEMPORARIES, Staging


def test_files_appear_together_at_the_end(tmp_path):
    one, two = tmp_path / "a" / "one.csv", tmp_path / "two.csv"
    with Staging() as staging:
        staging.write(one, b"1\n")
        staging.path(two).write_bytes(b"2\n")
        assert not one.exists()
        assert not two.exists()
    assert one.read_bytes() == b"1\n"
    assert two.read_bytes() == b"2\n"
    assert not TEMPORARIES
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["one.csv", "two.csv"]


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    script = "import os, sys; from cbec.core.staging import Staging; from pathlib import Path\n"
    script += "Staging().path(Path(sys.argv[1]) / 'one.csv').write_bytes(b'half'); os.kill(os.getpid(), 9)"
    root = str(Path(__file__).resolve().parents[2])
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=os.environ | {"PYTHONPATH": root}, check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".cbec-")
    parts = left.name.split("-")
    elsewhere = tmp_path / "-".join([parts[0], "00000000", *parts[2:]])  # another machine's, of which nothing is known
    running = tmp_path / "-".join([*parts[:2], str(os.getppid()), *parts[3:]])
    for other in (elsewhere, running):
        other.write_bytes(b"half")
    stage(tmp_path / "one.csv")
    assert {p.name for p in tmp_path.iterdir()} == {"one.csv", elsewhere.name, running.name}


def fail_half_way(folder: Path) -> None:
    with Staging() as staging:
        staging.write(folder / "one.csv", b"new\n")
        staging.path(folder / "never-written.csv")
        raise RuntimeError("half way")


def test_a_failure_leaves_what_stood_there(tmp_path):
    (tmp_path / "one.csv").write_bytes(b"old\n")
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path)
    assert (tmp_path / "one.csv").read_bytes() == b"old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["one.csv"]
    assert not TEMPORARIES


def stage(*places: Path) -> None:
    with Staging() as staging:
        for place in places:
            staging.write(place, b"new\n")


def test_a_commit_that_fails_leaves_what_stood_there_and_no_temporary(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError("disk full")

    one, folder = tmp_path / "one.csv", tmp_path / "folder"
    one.write_bytes(b"old\n")
    folder.mkdir()
    with pytest.raises(IsADirectoryError, match="folder"):
        stage(one, folder)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        stage(one)
    assert one.read_bytes() == b"old\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "one.csv"]
    assert not TEMPORARIES


def test_a_second_holder_is_told_who_has_the_lock(tmp_path):
    place = tmp_path / ".lock"
    with lock.hold(place, label="first"):
        code = f"""
from pathlib import Path
from cbec.core import lock
from cbec.core.errors import Busy
try:
    with lock.hold(Path({str(place)!r})):
        print("held")
except Busy as error:
    print(error.message)
"""
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "is in use by process" in told
    assert "first" in told
    with lock.hold(place):  # free again
        pass


def test_busy_in_the_same_process(tmp_path):
    with lock.hold(tmp_path / "l"), pytest.raises(Busy), lock.hold(tmp_path / "l", wait=0.05):
        pass
