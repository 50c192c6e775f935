"""What a run asks of the process it runs in; what the user has set is kept."""

import os

import pytest

from cbec.core import process

SETTINGS = (
    "OMP_WAIT_POLICY",
    "NUMPY_MADVISE_HUGEPAGE",
    "_RJEM_MALLOC_CONF",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in SETTINGS:
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    return monkeypatch


def test_waiting_threads_sleep(bare: pytest.MonkeyPatch) -> None:
    process.wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    bare.setenv("OMP_WAIT_POLICY", "ACTIVE")
    process.wait_asleep()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_memory_settings_of_the_user_are_kept(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("NUMPY_MADVISE_HUGEPAGE", "1")
    bare.setenv("MALLOC_MMAP_THRESHOLD_", "131072")
    process.hold_memory()
    assert os.environ["NUMPY_MADVISE_HUGEPAGE"] == "1"
    assert os.environ["MALLOC_MMAP_THRESHOLD_"] == "131072"
    assert "MALLOC_TRIM_THRESHOLD_" not in os.environ
    assert "dirty_decay_ms" in os.environ["_RJEM_MALLOC_CONF"]
