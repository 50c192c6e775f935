"""The documents hold: the tutorial runs as it stands, the reference is what the code declares."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cbec import reference

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATCH = re.compile(r"`((?:cbec|tests)/[\w/]+\.py)`[^`]*?\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r"exit status (\d+)")


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


def play(path: Path, folder: Path, code: Path) -> None:
    """Run the console blocks of a document in `folder`, with the package of `code`."""
    told = scenes(path)
    assert told
    programs = folder / "bin"
    programs.mkdir(parents=True)
    for name, words in (("cbec", " -m cbec"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n', "utf-8")
        (programs / name).chmod(0o755)
    env = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(code)}
    work = folder / "work"
    work.mkdir(exist_ok=True)
    for command, expected in told:
        words = ["bash", "-c", command]
        done = subprocess.run(words, cwd=work, env=env, capture_output=True, text=True, check=False)
        printed = done.stdout + done.stderr
        status = next((int(m[1]) for line in expected if (m := STATUS.fullmatch(line.strip()))), 0)
        assert done.returncode == status, f"{command}\n{printed}"
        at = 0
        for line in (text.strip() for text in expected):  # in this order, other lines may stand between
            if line == "..." or STATUS.fullmatch(line):
                continue
            place = printed.find(line, at)
            assert place >= 0, f"{command}\ndid not print: {line}\nbut:\n{printed}"
            at = place + len(line)


def test_the_tutorial_runs_as_it_stands(demo, tmp_path):
    shutil.copytree(demo, tmp_path / "work" / "shop")  # its first command is the demo, which finds it done
    play(DOCS / "tutorial.md", tmp_path, ROOT)


def test_a_command_is_added_as_the_walk_through_says(tmp_path):
    path, code = DOCS / "explanation" / "adding-a-command.md", tmp_path / "code"
    for name in ("cbec", "configs", "tests/support", "tests/conftest.py", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, code / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, code / name)
    added = 0
    for name, text in PATCH.findall(path.read_text("utf-8")):
        place = code / name
        before = place.read_text("utf-8").rstrip() + "\n\n\n" if place.exists() else ""
        place.write_text(before + text, "utf-8")
        added += sum(bool(line.strip()) for line in text.splitlines())
    assert added < 40
    play(path, tmp_path, code)
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_cover.py"]
    env = os.environ | {"PYTHONPATH": str(code)}
    done = subprocess.run(test, cwd=code, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_is_current():
    hint = "write it again: python -m cbec.reference docs/reference"
    assert (DOCS / "reference" / "commands.md").read_text("utf-8") == reference.commands(), hint
    assert (DOCS / "reference" / "tables.md").read_text("utf-8") == reference.table_reference(), hint
    assert (DOCS / "reference" / "rules.md").read_text("utf-8") == reference.rule_reference(), hint


def test_links_between_documents_lead_somewhere():
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} -> {target}"
