"""What a stage's answer follows from, as it stands on disk now, and whether that asks for another run."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from cbec.core import manifest
from cbec.core.graph import remote
from cbec.core.manifest import Entry, Parts
from cbec.core.plan import Plan, Stage, dashed

if TYPE_CHECKING:
    from pathlib import Path


def parts_of(plan: Plan, stage: Stage, hashes: manifest.Hashes) -> Parts:
    """All that the stage's answer follows from, as it stands on disk now."""
    options: dict[str, Any] = {"command": stage.command.path}
    options |= {f"option {dashed(table)}": list(paths) for table, paths in stage.inputs.items()}
    # Values of settings count, wherever they come from: a comment in cbec.yaml or another step's key changes nothing.
    options |= {f"setting {dashed(name)}": _plain(value) for name, value in asdict(stage.settings).items()}
    options |= {
        f"option {dashed(name)}": list(values)
        for name, values in stage.run.items()
        if name not in ("set", "config", "engine")
    }
    options["option report"] = [stage.report]
    inputs: dict[str, str | None] = {}
    for text in stage.paths:
        files = [] if remote(text) else manifest.input_files(plan.folder, text)
        inputs |= {_name(plan, file): hashes.of(file) for file in files} or {text: None}
    for text in stage.path_settings:
        if any(c.isalnum() for c in text) and not remote(text):
            inputs |= {_name(plan, file): hashes.of(file) for file in manifest.tree(plan.absolute(text))}
    return Parts(manifest.code_version(), options, inputs)


def outputs_of(plan: Plan, stage: Stage, hashes: manifest.Hashes) -> dict[str, str]:
    """The files that the stage left, with their hashes; run.json of its report is left out, since it tells the time."""
    found: dict[str, str] = {}
    for place in stage.places:
        if place.made:
            found |= {_name(plan, file): hashes.of(file) or "" for file in manifest.tree(plan.absolute(place.path))}
        for text in stage.files(place):
            digest = hashes.of(plan.absolute(text))
            if digest is not None and not (place.option == "report" and text.endswith("/run.json")):
                found[_name(plan, plan.absolute(text))] = digest
    return found


def reason_for(plan: Plan, last: Entry | None, now: Parts, hashes: manifest.Hashes) -> str | None:
    """Why a stage must run, or None."""
    return manifest.reason_to_run(last, now, {p: hashes.of(plan.folder / p) for p in (last.outputs if last else ())})


def _name(plan: Plan, file: Path) -> str:
    return os.path.relpath(file, plan.folder)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
