"""What a run was made of, as hashes: whether a stage must run again, and why.

Contents count, not times: a file that was copied or touched is the same file.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import threading
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cbec
from cbec.core import packaged
from cbec.core.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 1
#: Packages whose version can change a number.
_NUMERIC = ("polars", "numpy", "scipy", "holidays", "lightgbm")


@dataclass(frozen=True)
class Parts:
    """All that the answer of a stage follows from.

    code: hash of the program; options: settings and options by name; inputs: path -> sha256, None where there is no
    such file or where its content cannot be known beforehand (an object store).
    """

    code: str
    options: Mapping[str, Any]
    inputs: Mapping[str, str | None]

    @property
    def fingerprint(self) -> str:
        """One hash of everything."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """One stage's last run: its exit status, what it was made of, and its outputs (path -> sha256)."""

    status: int
    parts: Parts
    outputs: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Hashes:
    """sha256 of files, each read once per run as long as it stays the same file."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int], str] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> str | None:
        """Hex digest of the content, or None when there is no such file."""
        try:
            with path.open("rb") as stream:
                about = os.fstat(stream.fileno())
                key = (str(path), about.st_ino, about.st_size, about.st_mtime_ns)
                with self._lock:
                    known = self._known.get(key)
                if known is None:
                    known = hashlib.file_digest(stream, "sha256").hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            return None
        with self._lock:
            self._known[key] = known
        return known


def input_files(folder: Path, text: str) -> list[Path]:
    """The files that an input names, sorted, as core.files reads them: a file, a glob, or the Parquet files in a folder."""
    path = folder / text
    if path.is_dir():
        return [
            p
            for p in tree(path)
            if p.suffix == ".parquet" and not any(part.startswith("_") for part in p.relative_to(path).parts)
        ]
    if path.exists():
        return [path]
    return sorted(p for name in glob.glob(text, root_dir=folder, recursive=True) if (p := folder / name).is_file())


def tree(path: Path) -> list[Path]:
    """A file, or all files of a folder and the folders in it, sorted; hidden ones are left out. Empty when there is none."""
    if path.is_file():
        return [path]
    found: list[Path] = []
    for place, folders, names in os.walk(path):
        folders[:] = [f for f in folders if not f.startswith(".")]
        found += [Path(place) / name for name in names if not name.startswith(".")]
    return sorted(found)


@cache
def code_version() -> str:
    """Hash of the program: version, source, packaged configs, and the numeric packages it computes with."""
    digest = hashlib.sha256(cbec.__version__.encode())
    for name in _NUMERIC:
        try:
            digest.update(f"{name} {metadata.version(name)}\n".encode())
        except metadata.PackageNotFoundError:
            digest.update(f"{name} absent\n".encode())
    package = Path(cbec.__file__).resolve().parent
    configs = packaged.folder("configs")
    files = [(f"cbec/{p.relative_to(package)}", p) for p in package.rglob("*.py")]
    files += [(f"configs/{p.relative_to(configs)}", p) for p in tree(configs)]
    for name, path in sorted(files):
        digest.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def reason_to_run(last: Entry | None, now: Parts, outputs: Mapping[str, str | None]) -> str | None:
    """Why a stage must run, in words, or None when its last run still holds.

    outputs: the recorded output paths with the hashes they have on disk now.
    """
    if last is None:
        return "never ran"
    if last.status not in (0, 1):
        return "failed last time"
    if last.parts.code != now.code:
        return "code changed"
    for name in [*now.options, *last.parts.options]:
        if last.parts.options.get(name) != now.options.get(name):
            return f"{name} changed"
    changed = _changed_input(last.parts.inputs, now.inputs)
    if changed:
        return changed
    for path, digest in last.outputs.items():
        if outputs.get(path) is None:
            return f"output missing: {path}"
        if outputs[path] != digest:
            return f"output changed: {path}"
    return None


def _changed_input(before: Mapping[str, str | None], now: Mapping[str, str | None]) -> str | None:
    for path, digest in now.items():
        if "://" in path:
            return f"input {path} lies in an object store and cannot be compared"
        if path not in before:
            return f"input {path} is new"
        if before[path] != digest:
            return f"input {path} is gone" if digest is None else f"input {path} changed"
    gone = [path for path in before if path not in now]
    return f"input {gone[0]} is gone" if gone else None


def read_state(path: Path) -> dict[str, Entry]:
    """The last run of each stage; empty when there is no state or it is none of ours (then everything runs again)."""
    try:
        loaded = json.loads(path.read_text("utf-8"))
        if loaded["schema_version"] != SCHEMA:
            return {}
        return {
            name: Entry(e["status"], Parts(e["code"], e["options"], e["inputs"]), e["outputs"], e["seconds"])
            for name, e in loaded["stages"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_state(path: Path, state: Mapping[str, Entry]) -> None:
    """Put the state in place, whole or not at all."""
    stages = {
        name: {
            "status": e.status,
            "fingerprint": e.parts.fingerprint,
            **asdict(e.parts),
            "outputs": dict(e.outputs),
            "seconds": e.seconds,
        }
        for name, e in state.items()
    }
    told = {"schema_version": SCHEMA, "stages": stages}
    with Staging() as staging:
        staging.write(path, (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())
