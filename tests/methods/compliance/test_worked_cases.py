"""Published and hand-derived worked cases, exact to the cent, through cbec's own format of cases."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from support.taxed import packaged
from support.worked import UnknownKind, written

from cbec.methods.compliance import cases, verdict

DATA = Path(os.environ.get("CBEC_SHARED_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")
CASES = DATA / "compliance" / "worked_cases" / "cases_open.yaml"

if not CASES.exists():
    pytest.skip("data set worked_cases is absent (set CBEC_SHARED_DATA)", allow_module_level=True)


def _worked() -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = yaml.safe_load(CASES.read_text("utf-8"))
    return read


def _ours(case: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return written(case)
    except UnknownKind:
        return []


@cache
def _verdict() -> pl.DataFrame:
    text = yaml.safe_dump({"cases": [own for case in _worked() for own in _ours(case)]}, allow_unicode=True)
    return verdict.run(cases.parse(text, "worked.yaml", packaged()), packaged()).table


@pytest.mark.parametrize("case", _worked(), ids=lambda c: c["id"])
def test_worked_case(case: dict[str, Any]) -> None:
    if case["jurisdiction"] not in {"EU", *(country for pack in packaged() for country in pack.jurisdictions)}:
        pytest.skip("no rule pack")
    names = [own["case"] for own in _ours(case)]
    if not names:
        pytest.skip("no kind of case fits")
    rows = _verdict().filter(pl.col("case").is_in(names))
    assert set(rows["case"]) == set(names)
    assert rows.filter(~pl.col("passed")).select("field", "expected", "got").rows() == []
    assert rows.filter(pl.col("rule_ids").is_null() | pl.col("citation").is_null()).is_empty()
