"""What a person hears, and what a log file does not."""

from __future__ import annotations

import io
import os

import pytest

from cbec.core.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_progress_is_for_terminals_and_leaves_no_trace():
    screen, log = Terminal(), io.StringIO()
    for stream in (screen, log):
        console = Console(stream=stream)
        console.doing("reading sales")
        console.say("done")
    assert log.getvalue() == "done\n"
    assert screen.getvalue() == "\r\x1b[2Kreading sales ...\r\x1b[2Kdone\n"


def test_levels():
    for level, expected in (
        (0, ["error: e"]),
        (1, ["a", "warning: w", "error: e"]),
        (2, ["a", "b", "warning: w", "error: e"]),
    ):
        stream = io.StringIO()
        console = Console(level, stream)
        console.say("a")
        console.detail("b")
        console.warn("w")
        console.error("e")
        assert stream.getvalue().splitlines() == expected


def test_no_color_and_ci_are_honoured(monkeypatch):
    screen = Terminal()
    Console(stream=screen).error("e", "h")
    assert "\x1b[1;31merror: \x1b[0m" in screen.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("CI", "true")
    screen = Terminal()
    console = Console(stream=screen)
    console.doing("x")
    console.error("e", "h")
    assert screen.getvalue() == "error: e\nhint: h\n"


def test_a_listener_who_left_changes_nothing():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        console = Console(stream=stream)
        console.say("heard")
        os.close(reading)
        console.say("not heard")
        console.error("neither")
