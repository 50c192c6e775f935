"""Cases that a tax adviser can read, and their verdict: order lines with what the rules should say of them.

    pack: eu
    cases:
      - case: ioss-at-the-limit
        title: A consignment of exactly EUR 150 is within the limit
        source: where the expected figures come from (optional)
        as_of: 2024-06-30            # rules recorded later do not exist (optional)
        rates: [{date: 2024-06-01, base: EUR, quote: USD, rate: 1.1}]                     # optional
        tariff: [{jurisdiction: EU, hs_code: "6109", valid_from: 2020-01-01, duty: 12%}]  # optional
        given: {date: 2024-06-01, ship_from: CN, ship_to: FR}                             # for every line
        lines:
          - {price: 150.00, expect: {scheme: IOSS, collected_by: seller, tax: 30.00}, export: {regime: 1210|9610}}
        sum: {tax: 30.00}            # over the lines (optional)

Lines and `given` take columns of the table order_lines, `expect` and `sum` columns of the table tax, `export` columns
of the table exports. What a line
leaves out: order_id is the case, line its number, sku its number, qty 1, currency that of the pack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec import tables
from cbec.core.command import Finding, Result
from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.exports import leaving
from cbec.methods.compliance.packs import home, read_yaml
from cbec.methods.compliance.tax import compute

if TYPE_CHECKING:
    from cbec.core.contract import Column, Contract
    from cbec.methods.compliance.rules import Pack

KINDS: dict[str, Any] = {
    "text": pl.String,
    "country": pl.String,
    "currency": pl.String,
    "decimal": pl.Decimal(38, 6),
    "float": pl.Float64,
    "date": pl.Date,
    "bool": pl.Boolean,
}
CASE_KEYS = ("case", "title", "source", "as_of", "rates", "tariff", "given", "lines", "sum", "price_basis")


@dataclass(frozen=True)
class Case:
    """One case: its lines as rows of order_lines, and per line (or `sum`) the columns expected of the tax table."""

    pack: str
    name: str
    title: str
    as_of: date | None
    gross: bool
    rates: tuple[Mapping[str, Any], ...]
    tariff: tuple[Mapping[str, Any], ...]
    lines: tuple[Mapping[str, Any], ...]
    expect: tuple[Mapping[str, Any], ...]
    export: tuple[Mapping[str, Any], ...]
    sums: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Rows of the table rule_verdict, titles by (pack, case), and the ids of all rules that the cases met."""

    table: pl.DataFrame
    titles: Mapping[tuple[str, str], str]
    met: frozenset[str]


def load(path: str, rules: str, packs: Sequence[Pack]) -> list[Case]:
    """Read cases from a file or a folder; '' = the folder `cases` in that of the packs.

    Raises UsageFault naming file, case and key for anything unknown (with the nearest known word) and for a case
    that expects nothing.
    """
    place = Path(path) if path else home(rules) / "cases"
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files or not all(file.is_file() for file in files):
        raise UsageFault(f"no cases (*.yaml) at {path or 'the folder cases beside the rules'}")
    currencies = {pack.id: pack.currency for pack in packs}
    return [case for file in files for case in parse(file.read_text("utf-8"), file.name, currencies)]


def parse(text: str, file: str, currencies: Mapping[str, str]) -> list[Case]:
    """The cases of one file. currencies: pack id -> its currency."""
    raw = read_yaml(text, file)
    _known(raw, ("pack", "cases", "note"), file)
    pack = str(raw.get("pack"))
    if pack not in currencies:
        raise UsageFault(f'{file}: there is no rule pack "{pack}"{did_you_mean(pack, currencies)}')
    found = []
    names: set[str] = set()
    for entry in raw.get("cases") or []:
        name = str(entry.get("case") or "") if isinstance(entry, dict) else ""
        if not name or name in names:
            raise UsageFault(f"{file}: a case without a name, or with one that comes twice: {name or entry!r}")
        names.add(name)
        found.append(_case(pack, name, entry, f'{file}: case "{name}"', currencies[pack]))
    return found


def _case(pack: str, name: str, raw: Mapping[str, Any], where: str, currency: str) -> Case:
    _known(raw, CASE_KEYS, where)
    lines, tax, fixings, duties = (tables.get(t) for t in ("order_lines", "tax", "rates", "tariff"))
    given = raw.get("given") or {}
    rows, expected, exported = [], [], []
    for number, entry in enumerate(raw.get("lines") or [], start=1):
        if not isinstance(entry, dict):
            raise UsageFault(f"{where}: line {number} is no mapping of columns")
        own = {k: v for k, v in entry.items() if k not in ("expect", "export")}
        basic = {"order_id": name, "line": str(number), "sku": str(number), "qty": 1, "currency": currency}
        rows.append(_row(basic | {"buyer_type": "B2C"} | given | own, lines, f"{where}: line {number}"))
        expected.append(_row(entry.get("expect") or {}, tax, f"{where}: line {number}: expect"))
        exported.append(_row(entry.get("export") or {}, tables.get("exports"), f"{where}: line {number}: export"))
    sums = _row(raw.get("sum") or {}, tax, f"{where}: sum")
    if not rows or not (any(expected) or any(exported) or sums):
        raise UsageFault(f"{where}: a case needs lines and something to expect")
    rates = tuple(_row(r, fixings, f"{where}: rates") for r in raw.get("rates") or [])
    tariff = tuple(_row({"measure": "mfn"} | r, duties, f"{where}: tariff") for r in raw.get("tariff") or [])
    as_of = raw.get("as_of")
    if as_of is not None and type(as_of) is not date:
        raise UsageFault(f"{where}: as_of {as_of!r} is no date")
    gross = raw.get("price_basis") == "gross"
    title = str(raw.get("title") or name)
    return Case(pack, name, title, as_of, gross, rates, tariff, tuple(rows), tuple(expected), tuple(exported), sums)


def _known(raw: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    known = list(keys)
    for key in raw:
        if key not in known:
            raise UsageFault(f'{where}: key "{key}" is not known{did_you_mean(str(key), known)}')


def _row(raw: Mapping[str, Any], contract: Contract, where: str) -> dict[str, Any]:
    _known(raw, contract.names, where)
    return {key: _cell(value, contract.column(key), where) for key, value in raw.items()}


def _cell(value: Any, column: Column, where: str) -> Any:
    fault = UsageFault(f"{where}: {column.name} {value!r} is no {column.kind}")
    if value is None:
        return None
    if column.kind in ("decimal", "float"):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise fault from None
        if isinstance(value, bool) or not number.is_finite():
            raise fault
        return number if column.kind == "decimal" else float(number)
    if column.kind in ("date", "bool"):
        if type(value) is not {"date": date, "bool": bool}[column.kind]:
            raise fault
        return value
    # YAML reads NO as false and 007 as a number; codes are written in quotes.
    if not isinstance(value, str) and not (column.kind == "text" and type(value) is int):
        raise fault
    if column.one_of is not None and str(value) not in column.one_of:
        raise UsageFault(f'{where}: {column.name} "{value}" is none of {", ".join(column.one_of)}')
    return str(value)


def frame(rows: Sequence[Mapping[str, Any]], contract: Contract) -> pl.DataFrame:
    """Rows as a typed table of that contract; what they leave out is null."""
    return pl.DataFrame(
        [pl.Series(c.name, [row.get(c.name) for row in rows], dtype=KINDS[c.kind]) for c in contract.columns]
    )


def run(cases: Sequence[Case], packs: Sequence[Pack]) -> Verdict:
    """Verdict of every expectation. Cases known on the same day are computed in one go, each in orders of its own."""
    batches: dict[tuple[date | None, bool, int], list[Case]] = {}
    for number, case in enumerate(cases):
        alone = number if case.rates or case.tariff else -1
        batches.setdefault((case.as_of, case.gross, alone), []).append(case)
    rows: list[tuple[str, str, str, str, str | None, bool]] = []
    met: set[str] = set()
    for (as_of, gross, _), batch in batches.items():
        lines = [
            dict(row, order_id=f"{number}/{row['order_id']}") for number, case in enumerate(batch) for row in case.lines
        ]
        rates = frame([r for case in batch for r in case.rates], tables.get("rates")) if batch[0].rates else None
        book = rulebook(packs, as_of)
        tariff = frame(batch[0].tariff, tables.get("tariff")) if batch[0].tariff else None
        table = frame(lines, tables.get("order_lines"))
        answer = compute(table, None, rates, book, tariff=tariff, gross=gross).to_dicts()
        exported = {(x["order_id"], x["line"]): x for x in leaving(table, book).to_dicts()}
        at = 0
        for case in batch:
            own = answer[at : at + len(case.lines)]
            at += len(case.lines)
            sides = [exported.get((x["order_id"], x["line"]), {}) for x in own]
            rows.extend(_verdicts(case, own, sides))
            met.update(rule for x in (*own, *sides) if x.get("rule_ids") for rule in x["rule_ids"].split("|"))
    schema = {"pack": pl.String, "case": pl.String, "field": pl.String, "expected": pl.String, "got": pl.String}
    table = pl.DataFrame(rows, schema=schema | {"passed": pl.Boolean}, orient="row")
    return Verdict(table, {(c.pack, c.name): c.title for c in cases}, frozenset(met))


def _verdicts(
    case: Case, answer: Sequence[Mapping[str, Any]], sides: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, str, str, str | None, bool]]:
    asked: list[tuple[str, str, Any, Any]] = []
    for line, expected, got in zip(case.lines, case.expect, answer, strict=True):
        asked += [(str(line["line"]), column, value, got[column]) for column, value in expected.items()]
    for line, expected, got in zip(case.lines, case.export, sides, strict=True):
        asked += [(f"{line['line']}.export", column, value, got.get(column)) for column, value in expected.items()]
    for column, value in case.sums.items():
        cells = [line[column] for line in answer]
        asked.append(("sum", column, value, None if None in cells else sum(cells, Decimal(0))))
    return [
        (case.pack, case.name, f"{place}.{column}", _told(value, column) or "(empty)", _told(got, column), value == got)
        for place, column, value, got in asked
    ]


def _told(value: Any, column: str) -> str | None:
    digits = tables.get("tax").column(column).digits if column in tables.get("tax").names else None
    if isinstance(value, Decimal):
        return f"{value:.{max(digits or 0, -int(value.normalize().as_tuple().exponent))}f}"
    return None if value is None else str(value)


def result(verdict: Verdict, packs: Sequence[Pack]) -> Result:
    """The verdict as a Result: failing cases are findings of severity high, rules that no case meets of warn."""
    failed = verdict.table.filter(~pl.col("passed"))
    findings = []
    for (pack, case), rows in failed.group_by("pack", "case", maintain_order=True):
        said = "; ".join(
            f"{f}: expected {e}, got {g or '(empty)'}"
            for f, e, g in rows.select("field", "expected", "got").iter_rows()
        )
        title = verdict.titles[str(pack), str(case)]
        findings.append(Finding(f"case:{pack}:{case}", "high", f"{pack}/{case}", "case", f"{title}: {said}"))
    unmet = {pack.id: sorted(set(pack.rules) - verdict.met) for pack in packs}
    for pack_id, rules in unmet.items():
        if rules:
            text = f"{len(rules)} rules are met by no case: {', '.join(rules[:10])}{' ...' if len(rules) > 10 else ''}"
            findings.append(Finding(f"unmet:{pack_id}", "warn", pack_id, "rule_without_case", text))
    cases = verdict.table.select("pack", "case").unique().height
    metrics: dict[str, float | int | str | None] = {
        "cases": cases,
        "cases_failed": failed.select("pack", "case").unique().height,
        "fields": verdict.table.height,
        "fields_failed": failed.height,
        "rules": sum(len(pack.rules) for pack in packs),
        "rules_without_case": sum(len(rules) for rules in unmet.values()),
    }
    return Result({"rule_verdict": verdict.table}, "cases move no money", metrics, findings)
