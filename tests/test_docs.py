"""The documents hold: the tutorial runs as it stands, the reference is what the code declares."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cbec import reference

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def scenes(path: Path) -> list[tuple[str, list[str]]]:
    """(command, expected lines of output) of each `$ ` line in the console blocks of a document."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall(path.read_text("utf-8")):
        text = block.replace("\\\n", " ")
        for line in text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip() and found:
                found[-1][1].append(line)
    return found


@pytest.mark.parametrize("document", ["tutorial.md", "explanation/adding-a-command.md"])
def test_console_blocks_run_and_print_what_they_say(document, tmp_path):
    path = DOCS / document
    told = scenes(path)
    assert told
    program = tmp_path / "bin" / "cbec"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cbec "$@"\n', "utf-8")
    program.chmod(0o755)
    env = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    folder = tmp_path / "work"
    folder.mkdir()
    for command, expected in told:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0 or "exit status" in " ".join(expected), f"{command}\n{printed}"
        at = 0
        for line in expected:  # in this order, other lines may stand between
            if line.strip() == "...":
                continue
            if match := re.fullmatch(r"exit status (\d+)", line.strip()):
                assert done.returncode == int(match[1]), f"{command}\n{printed}"
                continue
            place = printed.find(line.strip(), at)
            assert place >= 0, f"{command}\ndid not print: {line}\nbut:\n{printed}"
            at = place + len(line.strip())


def test_the_reference_is_current():
    hint = "write it again: python -m cbec.reference docs/reference"
    assert (DOCS / "reference" / "commands.md").read_text("utf-8") == reference.commands(), hint
    assert (DOCS / "reference" / "tables.md").read_text("utf-8") == reference.table_reference(), hint


def test_links_between_documents_lead_somewhere():
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} -> {target}"
