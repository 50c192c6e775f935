"""What many tests share: the command line as a child process, and where public data sets lie."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def cbec(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`cbec(*words)` runs the real command line in `tmp_path`; text in and out, never a terminal."""

    def run(*words: object, stdin: str | bytes = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "cbec", *map(str, words)],
            input=data,
            capture_output=True,
            cwd=cwd or tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")},
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )

    return run


@pytest.fixture
def data_set() -> Callable[[str], Path]:
    """`data_set("forecast/m3_monthly")` is the folder of a public data set; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        base = Path(os.environ.get("CBEC_SHARED_DATA", ROOT.parent / "shared" / "data"))
        if not (base / name).exists():
            pytest.skip(f"data set {name} is absent (set CBEC_SHARED_DATA to the folder that holds it)")
        return base / name

    return find
