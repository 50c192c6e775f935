"""Outputs appear whole or not at all: temporaries beside their place, fsync, rename.

Several files of one run are renamed together at the end, so that a failure half-way leaves the old ones.
`TEMPORARIES` is what the signal watcher removes before it ends the process; what a process that could not do even that
left behind (kill -9, no more power) is removed when a run next writes into the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import uuid
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

TEMPORARIES: set[Path] = set()
_OURS = re.compile(r"\.cbec-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}\.")


def unique(what: str) -> str:
    """A hidden name that tells which process of which machine made it."""
    return f".cbec-{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:12]}.{what}"


def sweep(folder: Path) -> None:
    """Remove what processes that are no more left in a folder under names of `unique`.

    Only those of this machine: of another one's processes nothing can be known here.
    """
    try:
        with os.scandir(folder) as found:
            entries = [(entry, ours) for entry in found if (ours := _OURS.match(entry.name))]
    except OSError:  # a folder that may be written but not listed
        return
    for entry, ours in entries:
        if ours[1] != _machine() or _alive(int(ours[2])) or Path(entry.path) in TEMPORARIES:
            continue
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


@cache
def _machine() -> str:
    # Containers share folders, but neither names nor, without them, process numbers.
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(f'{os.uname().nodename} {space}'.encode()):08x}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


class Staging:
    """Collects output files; `commit` puts them in place, leaving the block with an error removes them."""

    def __init__(self) -> None:
        self._moves: list[tuple[Path, Path]] = []
        self._swept: set[Path] = set()

    def path(self, final: Path) -> Path:
        """A temporary path in the folder of `final` (made if need be), to be written before `commit`."""
        final = Path(final)
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.parent not in self._swept:
            self._swept.add(final.parent)
            sweep(final.parent)
        # The suffix is kept last, since writers choose the kind of file by it.
        temporary = final.with_name(unique(final.name))
        TEMPORARIES.add(temporary)
        self._moves.append((temporary, final))
        return temporary

    def write(self, final: Path, data: bytes) -> None:
        """Stage these bytes for `final`."""
        self.path(final).write_bytes(data)

    def commit(self) -> None:
        """fsync every temporary, then rename all of them in the order they were asked for."""
        for temporary, final in self._moves:
            if final.is_dir():  # found out only at its turn, it would leave the outputs before it in place
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(final))
            descriptor = os.open(temporary, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        for temporary, final in self._moves:
            os.replace(temporary, final)
            TEMPORARIES.discard(temporary)
        for folder in {final.parent for _, final in self._moves}:
            _sync_folder(folder)
        self._moves.clear()

    def abort(self) -> None:
        """Remove what was staged."""
        for temporary, _ in self._moves:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            TEMPORARIES.discard(temporary)
        self._moves.clear()

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.abort()  # of what was committed nothing is left to remove


def _sync_folder(folder: Path) -> None:
    # A rename is durable only when its folder is; not every file system allows it.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
