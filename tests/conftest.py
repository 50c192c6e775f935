"""What many tests share: the command line as a child process, and where public data sets lie."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no failure: examples have no time limit.
settings.register_profile("cbec", deadline=None)
settings.load_profile("cbec")

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
def inside(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`inside(*words)` runs the command line in this process and folder, for tests of many commands; its exit status."""
    from cbec import cli
    from cbec.core import signals

    monkeypatch.setattr(signals, "watch", lambda: None)  # signals are the test run's own

    def run(*words: object) -> int:
        told = list(map(str, words))
        monkeypatch.setattr(sys, "argv", ["cbec", *told])
        with pytest.raises(SystemExit) as ended:
            cli.app(told, prog_name="cbec")
        signal.signal(
            signal.SIGPIPE, signal.SIG_IGN
        )  # as Python has it; a run that writes to standard output ends by it
        return int(ended.value.code or 0)

    return run


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `cbec demo` makes, once for all processes of a test run: to be read, or copied."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "demo"
    with (base / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the second process waits for what the first one makes
        if not folder.exists():
            folder.mkdir()
            done = subprocess.run(
                [sys.executable, "-m", "cbec", "demo"],
                cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            (folder / "told").write_text(done.stderr + done.stdout, "utf-8")
    told = (folder / "told").read_text("utf-8")
    assert told.splitlines()[-1:] == ["cbec-demo/report/index.html"], told
    return folder / "cbec-demo"


@pytest.fixture
def data_set() -> Callable[[str], Path]:
    """`data_set("forecast/m3_monthly")` is the folder of a public data set; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        base = Path(os.environ.get("CBEC_SHARED_DATA", ROOT.parent / "shared" / "data"))
        if not (base / name).exists():
            pytest.skip(f"data set {name} is absent (set CBEC_SHARED_DATA to the folder that holds it)")
        return base / name

    return find
