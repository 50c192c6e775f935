"""Start-up: CPU of help beside a hello-world Typer's, in turn, median of 15."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness import Table, medians

HELLO = '''
import typer
app = typer.Typer()

@app.command()
def hello(name: str = "world") -> None:
    """Say hello."""
    print(f"hello {name}")

app()
'''


def main() -> None:
    table = Table("startup", "Start-up: CPU of --help, median of 15")
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder) / "hello.py"
        hello.write_text(HELLO, "utf-8")
        python = sys.executable
        commands = {
            "hello-world Typer --help": [python, str(hello), "--help"],
            "cbec --help": [python, "-m", "cbec", "--help"],
            "cbec forecast --help": [python, "-m", "cbec", "forecast", "--help"],
            "cbec forecast demand --help": [python, "-m", "cbec", "forecast", "demand", "--help"],
            "cbec compliance tax --help": [python, "-m", "cbec", "compliance", "tax", "--help"],
        }
        got = medians(commands, 15)
    base = got["hello-world Typer --help"]
    table.rows = [{"command": name, "CPU s": seconds, "ratio": seconds / base} for name, seconds in got.items()]
    table.notes.append("bar: at most 1.3 x the hello-world for `cbec --help` and `cbec forecast demand --help`")
    table.finish()


if __name__ == "__main__":
    main()
