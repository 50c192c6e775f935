"""Who reads what of whom: the graph of a pipeline's stages, from the files they read and write."""

from __future__ import annotations

import itertools
import os
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cbec.core import config
from cbec.core.errors import UsageFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cbec.core.plan import Stage


def remote(text: str) -> bool:
    """Whether it lies in an object store."""
    return "://" in text


def normal(folder: Path, text: str) -> str:
    """A path of the YAML from the root, without `.` and `..`."""
    return text if remote(text) else os.path.normpath(folder / text)


def one_writer(path: Path, folder: Path, report: str, stages: Iterable[Stage], carried: Iterable[str] = ()) -> None:
    """Raise UsageFault where two stages, or one of them and the pipeline itself, write the same file."""
    taken = {
        normal(folder, os.path.join(report, name)): "the pipeline's own report"
        for name in ("index.html", "index.md", "run.json")
    }
    taken |= {normal(folder, file): "the pipeline itself (carry)" for file in carried}
    taken |= {os.path.abspath(path): "its author", normal(folder, config.FILE): "its author"}
    for stage in stages:
        for place in stage.places:
            for file in stage.files(place):
                where = normal(folder, file)
                if where in taken:
                    raise UsageFault(
                        f"{path}: stage {stage.name}: {place.option}: {file} is written by {taken[where]} too"
                    )
                taken[where] = f"stage {stage.name} ({place.option})"


def needs(folder: Path, stages: Sequence[Stage]) -> dict[str, list[str]]:
    """For each stage those whose outputs it reads, in the order of the YAML."""
    found: dict[str, list[str]] = {}
    for stage in stages:
        makers = {maker for text in stage.paths for maker in writers(folder, text, stages)}
        # A setting is text of any kind: only one that names a written place itself counts.
        for text in stage.path_settings:
            where = normal(folder, text)
            makers |= {
                s.name for s in stages if s is not stage and any(normal(folder, p.path) == where for p in s.places)
            }
        found[stage.name] = [s.name for s in stages if s.name in makers]
    return found


def writers(folder: Path, text: str, stages: Iterable[Stage]) -> list[str]:
    """Stages that write a path, something that a glob matches, or Parquet into a folder."""
    if remote(text):
        return []
    pattern = PurePath(normal(folder, text)).parts
    found = []
    for stage in stages:
        files = [PurePath(normal(folder, file)).parts for place in stage.places for file in stage.files(place)]
        inside = [f for f in files if f[: len(pattern)] == pattern and f[-1].endswith(".parquet")]
        if inside or any(_matches(pattern, parts) for parts in files):
            found.append(stage.name)
    return found


def _matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether the parts of a glob match those of a path; `**` is any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _matches(pattern[1:], parts) or (bool(parts) and _matches(pattern, parts[1:]))
    if not parts:
        return False
    same = pattern[0] == parts[0] or fnmatchcase(parts[0], pattern[0])
    return same and _matches(pattern[1:], parts[1:])


def order(path: Path, folder: Path, stages: Mapping[str, Stage], needs: Mapping[str, Sequence[str]]) -> list[Stage]:
    """Stages so that each comes after those it needs; otherwise as in the YAML."""
    done: list[str] = []
    while len(done) < len(stages):
        ready = next((n for n in stages if n not in done and all(d in done for d in needs[n])), None)
        if ready is None:
            raise UsageFault(f"{path}: stages wait for each other: {_cycle(folder, stages, needs, done)}")
        done.append(ready)
    return [stages[name] for name in done]


def _cycle(folder: Path, stages: Mapping[str, Stage], needs: Mapping[str, Sequence[str]], done: Sequence[str]) -> str:
    walk = [next(n for n in stages if n not in done)]
    while walk[-1] not in walk[:-1]:
        walk.append(next(d for d in needs[walk[-1]] if d not in done))
    walk = walk[walk.index(walk[-1]) :]
    told = []
    for reader, writer in itertools.pairwise(walk):
        texts = [t for t in stages[reader].paths if writer in writers(folder, t, stages.values())]
        told.append(f"{reader} reads {texts[0] if texts else 'the output'} of {writer}")
    return ", ".join(told)


def reach(name: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    """All that can be come to from `name` along the edges."""
    found: set[str] = set()
    open_ends = [name]
    while open_ends:
        for other in edges[open_ends.pop()]:
            if other not in found:
                found.add(other)
                open_ends.append(other)
    return found
