"""A step made up for the tests of the pipeline, and a program that acts as its commands without any tables in it."""

from __future__ import annotations

import sys
import types
from pathlib import Path

STEP = '''
from __future__ import annotations
from dataclasses import dataclass
from cbec.core.command import Common, Result, Table, command, setting

@dataclass(frozen=True)
class Grow(Common):
    horizon: int = setting(4, "periods ahead", min=1)
    by: str = setting("sku", "columns")
    deep: bool = setting(False, "look deeper")
    rules: str = setting("", "folder of rules")
    model: str = setting("", "folder of a model", made=True)

@command("forecast", "prepared")
def grow(sales: Table, products: Table = None, *, s: Grow) -> Result:
    """Grow a forecast."""

@command("replenishment", "projection")
def order(forecast: Table, inventory: Table, coverage: Table = None, *, s: Common) -> Result:
    """Order."""

@command("tax", any_of=("order_lines", "rates"))
def duty(order_lines: Table = None, rates: Table = None, *, s: Common) -> Result:
    """Tax."""
'''

# Writes what it was told to write: the inputs' bytes and the horizon. Each run adds its stage to ran.txt; the file
# act.json says how a stage should behave: {"status": n}, {"sleep": s}, {"skip": true} (write nothing), {"kill": signal}.
PROGRAM = """
import glob, json, os, sys, threading, time

def die_with_parent(fd=int(os.environ["CBEC_PARENT_FD"])):
    os.read(fd, 1)
    os._exit(143)

threading.Thread(target=die_with_parent, daemon=True).start()
words, options = sys.argv[3:], {}
while words:
    key = words.pop(0)
    options.setdefault(key, []).append(words.pop(0) if words and not words[0].startswith("--") else "")
report = options["--report"][0]
stage = os.path.basename(report)
with open("ran.txt", "a") as ran:
    print(stage, os.getpid(), *sys.argv[1:], file=ran)
act = {}
if os.path.exists("act.json"):
    act = json.load(open("act.json")).get(stage, {})
time.sleep(act.get("sleep", 0))
print("story of", stage)
if "kill" in act:
    os.kill(os.getpid(), act["kill"])
if act.get("skip"):
    sys.exit(act.get("status", 0))

def put(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "wb") as new:
        new.write(data)
    os.replace(path + ".new", path)

put(report + "/run.json", str(time.time()).encode())
if act.get("status", 0) <= 1:
    data = b""
    for key in ("--sales", "--products", "--forecast", "--inventory", "--order-lines", "--rates"):
        for text in options.get(key, []):
            for name in sorted(glob.glob(text)) or [text]:
                for part in sorted(glob.glob(name + "/*")) if os.path.isdir(name) else [name]:
                    data += open(part, "rb").read()
    data += str(options.get("--horizon")).encode()
    for key, (path, *_) in options.items():
        if key == "--output" and not os.path.splitext(path)[1]:
            for table in ("forecast", "prepared"):
                put(f"{path}/{table}.parquet", data)
        elif key == "--model":
            put(f"{path}/model.txt", data)
        elif key == "--output" or key.startswith("--write-"):
            put(path, data)
    put(report + "/summary.json", json.dumps({"headline": f"{len(data)} bytes"}).encode())
    put(report + "/forecast.parquet", data)
sys.exit(act.get("status", 0))
"""


def install() -> None:
    """Make `cbec.toy` importable; the name is to be put among `command.STEPS`."""
    from cbec.core.command import STEPS, commands_of

    module = types.ModuleType("cbec.toy")
    sys.modules["cbec.toy"] = module
    exec(STEP, module.__dict__)
    STEPS["toy"] = "A step made up."
    commands_of.cache_clear()


def uninstall() -> None:
    from cbec.core.command import STEPS, commands_of

    STEPS.pop("toy", None)
    sys.modules.pop("cbec.toy", None)
    commands_of.cache_clear()


def program(folder: Path) -> tuple[str, ...]:
    """What to give to `pipeline.run(program=)`."""
    path = folder / "program.py"
    path.write_text(PROGRAM)
    return (sys.executable, "-S", str(path))
