"""What a person hears: everything on standard error, colour and progress on a terminal only."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TextIO


@dataclass
class Console:
    """Narration of a run. level: 0 quiet (errors only), 1 normal, 2 verbose."""

    level: int = 1
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _open: bool = field(default=False, init=False)

    def say(self, text: str) -> None:
        """A line of the story."""
        if self.level >= 1:
            self.line(text)

    def detail(self, text: str) -> None:
        """A line that only `-v` shows."""
        if self.level >= 2:
            self.line(text)

    def doing(self, text: str) -> None:
        """What is going on: on a terminal only, and gone with the next line."""
        if self.level >= 1 and self.stream.isatty() and "CI" not in os.environ:
            self._write(f"\r\x1b[2K{text} ...")
            self._open = True

    def done(self) -> None:
        """Take away what `doing` left."""
        if self._open:
            self._write("\r\x1b[2K")
            self._open = False

    def warn(self, text: str) -> None:
        """Something that may be wrong."""
        if self.level >= 1:
            self.line(self._mark("warning: ", "33") + text)

    def error(self, text: str, hint: str | None = None) -> None:
        """Why there is no answer; always shown."""
        self.line(self._mark("error: ", "31") + text)
        if hint:
            self.hint(hint)

    def hint(self, text: str) -> None:
        """What to do about an error; always shown."""
        self.line(self._mark("hint: ", "36") + text)

    def line(self, text: str) -> None:
        """A line as it stands, whatever the level."""
        self.done()
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:  # who listened has left (2>&1 | head): that must not change how the work ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def _mark(self, word: str, colour: str) -> str:
        plain = not self.stream.isatty() or "NO_COLOR" in os.environ
        return word if plain else f"\x1b[1;{colour}m{word}\x1b[0m"
