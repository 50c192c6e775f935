"""Every command of the how-tos, of the README and of the commands' help runs as it stands there, on the sample company under the names used."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from cbec.core.command import every_command

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
CBEC, ENV = [sys.executable, "-m", "cbec"], os.environ | {"PYTHONPATH": str(ROOT)}
#: A part of the catalogue does: the commands are tried, not the methods.
SKUS = 12
#: Words of commands that need what no test has: other machines, the official validator, a contest's files, a crontab.
ELSEWHERE = ("SCHEDULER", "FOLDER", "--validator", " ... ", "vn2/", "transactions_to_", "&&")
#: The cases of all rules, which rules.md runs too.
TWICE = (("tax", "cbec compliance test --fail-on high"),)
#: Files that a reader has and the sample company has under another name.
NAMES = {
    "orders.csv": "order_lines", "lines.parquet": "order_lines", "stock.parquet": "inventory", "ecb.parquet": "rates",
    "sales/part.parquet": "sales",
}  # fmt: skip
TEXTS = {
    "online_retail.csv": "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    + "".join(f"5363{d:02},85123A,HOLDER,{6 + d % 5},2010-12-{d:02} 08:26,2.55,17850,United Kingdom\n" for d in range(1, 31)),
    "customers.csv": "number,country\nDE136695976,DE\n",
    "seller.yaml": "{name: Example Ltd, address: [1 Road, Shenzhen], country: CN, eori: DE123456789012345, phone: '1', email: a@b.c}\n",
    "map.csv": "category,hs_code\nLoose tea,0902\n",
    "tariff.csv": "jurisdiction,hs_code,origin,measure,valid_from,duty\nEU,8712.00.30,CN,antidumping,2019-08-30,48.5%\n",
    "signals.csv": "date,name,value\n2026-01-01,visits,3\n",
    "my-cases.yaml": "cases:\n  - case: at-the-limit\n    pack: eu\n    given: {date: 2024-06-01, ship_from: CN, ship_to: FR, currency: EUR}\n"
    "    lines: [{sku: coat, price: 140.00, expect: {tax: 28.00}}]\n",
}  # fmt: skip


def commands(path: Path) -> list[str]:
    """The lines of a document that begin with `cbec`, in fences or indented, with what follows a backslash."""
    text = path.read_text("utf-8")
    fences = "".join(re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    indented = "".join(line[4:] for line in text.splitlines(keepends=True) if line.startswith("    "))
    lines = re.sub(r"\\\n\s*", " ", fences + indented).splitlines()
    return [line for line in lines if re.match(r"(cat \S+ \| )?cbec ", line)]


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Path:
    """The sample company, its sales cut to a few SKUs: in `sample_data`, and each table under its own name."""
    folder = tmp_path_factory.mktemp("company")
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    sales = pl.read_csv(folder / "sample_data" / "sales.csv.gz", infer_schema=False)
    few = sales["sku"].unique().sort().gather_every(200 // SKUS).to_list()
    kept = sales.filter(pl.col("sku").is_in([*few, "LMP-108"]) & (pl.col("date") >= "2025-04-01"))
    kept.write_csv(folder / "sample_data" / "sales.csv.gz", compression="gzip")
    for source in (folder / "sample_data").glob("*.csv*"):
        table = pl.read_csv(source, infer_schema=False)
        table.write_csv(folder / f"{source.name.removesuffix('.gz')}")
        for name, of in NAMES.items():
            if of == source.name.split(".")[0]:
                (folder / name).parent.mkdir(exist_ok=True)
                (table.write_parquet if name.endswith("parquet") else table.write_csv)(folder / name)
    for packed in (folder / "sample_data").glob("*.csv.gz"):
        shutil.copy(packed, folder)
    for name, text in TEXTS.items():
        (folder / name).write_text(text, "utf-8")
    shutil.copy(ROOT / "configs" / "fees.yaml", folder)
    for name in ("my-rules", "rules-2025", "rules-2026"):
        (folder / name / "cases").mkdir(parents=True)
        for file in ("jp.yaml", "cases/jp.yaml"):
            shutil.copy(ROOT / "configs" / "rules" / file, folder / name / file)
    before = folder / "rules-2025" / "jp.yaml"
    before.write_text(before.read_text("utf-8").replace("valid_to: 2026-12-31", "valid_to: 2026-03-31"), "utf-8")
    (folder / "in").symlink_to(Path("out", "xml"))
    for line in ("init .", "forecast demand --sales sales.csv --frequency W --horizon 26 -o forecast.parquet"):
        subprocess.run([*CBEC, *line.split()], cwd=folder, env=ENV, check=True)
    for exported in (folder / "exports").iterdir():
        shutil.copy(folder / exported.name, exported)
    shutil.copy(folder / "pipeline.yaml", folder / "night.yaml")
    return folder


@pytest.fixture
def typed(tmp_path, company, inside, monkeypatch):
    """`typed(command)` runs a line as a user types it in a folder with the company's files; the exit status."""
    shutil.copytree(company, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(tmp_path / "here")

    def run(line: str) -> int:
        if "HASH" in line:
            line = line.replace("HASH", pl.read_csv("ledger.csv", infer_schema=False)["hash"][-1])
        if "|" in line:
            shell = re.sub(r"(^|\| )cbec ", rf"\1{shlex.join(CBEC)} ", line)
            return subprocess.run(["bash", "-o", "pipefail", "-c", shell], env=ENV, check=False).returncode
        return inside(*shlex.split(line, comments=True)[1:])

    return run


def test_the_example_of_each_command_runs_as_its_help_tells_it(company, inside, monkeypatch, tmp_path, capfd):
    """One after the other in one folder: some read what others before them wrote."""
    shutil.copytree(company, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(tmp_path / "here")
    for command in every_command():
        assert command.example, f"cbec {command.path} has no example"
        if command.path == "compliance test":  # takes ten times as long as others, and rules.md has the same line
            continue
        status = inside(*command.path.split(), *shlex.split(command.example))
        told = capfd.readouterr()
        assert status == 0, f"cbec {command.path} {command.example}\n{told.out}{told.err}"


@pytest.mark.parametrize("path", [p for p in DOCS if commands(p)], ids=lambda p: p.stem)
def test_the_commands_of_a_document_run_as_they_stand(path, typed, capfd):
    for line in commands(path):
        if any(word in line for word in ELSEWHERE) or (path.stem, line) in TWICE:
            continue
        status = typed(line)
        told = capfd.readouterr()
        assert status == 0 or (status == 1 and "--fail-on" in line), f"{line}\n{told.out}{told.err}"
