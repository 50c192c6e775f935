"""Files that ship with the package: configs/ and sample_data/, in a wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """`configs` or `sample_data` of the installed wheel, or of the checkout the package runs from."""
    for place in (_PACKAGE / "_packaged" / name, _PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise FileNotFoundError(f"{name} is missing from this installation of cbec")
