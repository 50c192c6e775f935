"""Help loads nothing heavy; a command loads only what it uses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "polars",
    "numpy",
    "pandas",
    "scipy",
    "statsmodels",
    "lightgbm",
    "pulp",
    "jinja2",
    "yaml",
    "holidays",
    "distributed",
    "dask",
}
PROBE = """
import contextlib, io, json, sys
sys.argv = ["cbec", *{words!r}]
from cbec.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(json.dumps(sorted(set(m.split(".")[0] for m in sys.modules))))
"""


def modules(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(words=list(words))], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("forecast", "--help"),
        ("forecast", "demand", "--help"),
        ("forecast", "replenish", "--help"),
        ("compliance", "tax", "--help"),
        ("fraud", "score", "--help"),
        ("ingest", "import", "--help"),
        ("run", "--help"),
        ("schema", "sales"),
    ],
)
def test_help_loads_nothing_heavy(words):
    assert not modules(*words) & HEAVY


def test_a_cluster_is_loaded_only_when_one_is_asked_for():
    words = ("compliance", "tax", "--order-lines", "absent.csv", "--engine")
    assert not modules(*words, "local") & {"distributed", "dask"}


def test_the_root_help_imports_no_step():
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(words=["--help"]).replace('m.split(".")[0]', "m")],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"cbec.forecast", "cbec.compliance", "cbec.ingest"}
