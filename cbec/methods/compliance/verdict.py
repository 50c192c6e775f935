"""Cases run against the rules: every expectation compared exactly, with the rules and sources behind what came."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec import tables
from cbec.core.command import Finding, Result
from cbec.core.errors import CbecError
from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.cases import DERIVED, Case, Row
from cbec.methods.compliance.cells import frame
from cbec.methods.compliance.exact import NO_MINOR
from cbec.methods.compliance.exports import leaving
from cbec.methods.compliance.fixings import PER_UNIT, Fixings
from cbec.methods.compliance.questions import question
from cbec.methods.compliance.rules import Dated, Pack
from cbec.methods.compliance.tax import compute

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

READABLE = "a case that can be read"
"""What is expected of a case that is not."""
CENT, WHOLE = Decimal("0.01"), Decimal(1)


@dataclass(frozen=True)
class Verdict:
    """Rows of the table rule_verdict, titles by (pack, case), and the ids of all rules that the cases met."""

    table: pl.DataFrame
    titles: Mapping[tuple[str, str], str]
    met: frozenset[str]


@dataclass(frozen=True)
class Comparison:
    """One figure asked for, and what came, with the rules behind it and their sources."""

    field: str
    column: str
    expected: Any
    got: Any
    rules: str | None
    citation: str | None


def run(cases: Sequence[Case], packs: Sequence[Pack]) -> Verdict:
    """Verdict of every expectation. Tax cases known on the same day are computed in one go, each in its own orders."""
    batches: dict[tuple[date | None, bool, int], list[Case]] = {}
    for number, case in enumerate(case for case in cases if not case.unread):
        alone = number if case.alone or case.kind != "tax" else -1
        batches.setdefault((case.as_of, case.gross, alone), []).append(case)
    compared = [(c, Comparison("case", "", READABLE, c.unread, None, None)) for c in cases if c.unread]
    for (as_of, _, _), batch in batches.items():
        book = rulebook([_assuming(pack, batch[0].assume) for pack in packs], as_of)
        compared.extend(_asked(batch, book))
    met = {rule for _, c in compared if c.rules for rule in c.rules.split("|")}
    rows = [
        (case.pack, case.name, c.field, _told(c.expected, c.column) or "(empty)", _told(c.got, c.column), c.expected == c.got, c.rules, c.citation)
        for case, c in compared
    ]  # fmt: skip
    contract = tables.get("rule_verdict")
    schema = {c.name: pl.Boolean if c.kind == "bool" else pl.String for c in contract.columns}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return Verdict(table, {(c.pack, c.name): c.title for c in cases}, frozenset(met))


def _asked(batch: Sequence[Case], book: Rulebook) -> list[tuple[Case, Comparison]]:
    """The comparisons of some cases; of one that cannot be computed every figure fails, and says why."""
    try:
        return list(_taxed(batch, book) if batch[0].kind == "tax" else _answered(batch[0], book))
    except CbecError as fault:
        if len(batch) > 1:  # which of them it is shows when each stands alone
            return [found for case in batch for found in _asked([case], book)]
        why = f"no answer: {fault.message}"
        return [(batch[0], Comparison(f, c, wanted, why, None, None)) for f, c, wanted in _wanted(batch[0])]


def _wanted(case: Case) -> Iterator[tuple[str, str, Any]]:
    """Every figure that a case expects: its place, its column and the figure."""
    yield from ((place, "", value) for place, value in _leaves(case.wanted, ""))
    for place, expected, export in zip(_places(case), case.expect, case.export, strict=True):
        yield from ((f"{place}.{column}", column, value) for column, value in expected.items())
        yield from ((f"{place}.export.{column}", column, value) for column, value in export.items())
    yield from ((f"sum.{column}", column, value) for column, value in case.sums.items())


def _places(case: Case) -> list[str]:
    """What the figures of each line are named by: its `line`, or its number where two lines of the case share one."""
    names = [str(line["line"]) for line in case.lines]
    return names if len(set(names)) == len(names) else [str(n) for n in range(1, len(names) + 1)]


def _assuming(pack: Pack, assumed: Mapping[str, Decimal]) -> Pack:
    """The pack with other values of some rules, from ever on."""
    own = {rule_id: value for rule_id, value in assumed.items() if rule_id in pack.rules}
    if not own:
        return pack
    rules = {
        rule_id: dataclasses.replace(rule, values=(Dated(date.min, date.min, own[rule_id]),))
        if rule_id in own
        else rule
        for rule_id, rule in pack.rules.items()
    }
    return dataclasses.replace(pack, rules=rules)


def _answered(case: Case, book: Rulebook) -> Iterator[tuple[Case, Comparison]]:
    """A case of another kind than tax."""
    told = question(case.kind, case.name).answer(case.given, book)
    rules = sorted(told.get("rule_ids") or [])
    titles = book.titles()
    citation = "|".join(told.get("citation") or sorted({titles[rule] for rule in rules if rule in titles})) or None
    told = {**told, "rule_ids": "|".join(rules) or None}
    told = _aligned(case.wanted, told)
    for field, wanted in _leaves(case.wanted, ""):
        yield case, Comparison(field, "", wanted, _found(told, field), told["rule_ids"], citation)


def _aligned(wanted: Any, told: Any) -> Any:
    """What is told, with rows (lists of mappings) in the order in which the case expects them: each expected row stands
    against the one left that it agrees with most."""
    if isinstance(wanted, Mapping) and isinstance(told, Mapping):
        return {key: _aligned(wanted[key], value) if key in wanted else value for key, value in told.items()}
    if not isinstance(wanted, list) or not isinstance(told, list) or not all(isinstance(x, Mapping) for x in wanted):
        return told
    left, found = list(told), []
    for row in wanted[: len(told)]:
        agreeing = [sum(_found(own, str(key)) == value for key, value in row.items()) for own in left]
        found.append(left.pop(agreeing.index(max(agreeing))))
    return [*found, *left]


def _leaves(wanted: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every cell of nested mappings and lists, with its path (lists count from 1)."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(wanted, list):
        for number, value in enumerate(wanted, start=1):
            yield from _leaves(value, f"{path}.{number}" if path else str(number))
    else:
        yield path, wanted


def _found(told: Any, path: str) -> Any:
    """The cell at a path, None where there is none; a key may hold dots itself."""
    if not path:
        return told
    if isinstance(told, (list, tuple)):
        number, _, rest = path.partition(".")
        return _found(told[int(number) - 1], rest) if number.isdigit() and 0 < int(number) <= len(told) else None
    if isinstance(told, Mapping):
        for key in told:
            if path == str(key) or path.startswith(f"{key}."):
                return _found(told[key], path[len(str(key)) + 1 :])
    return None


def _taxed(batch: Sequence[Case], book: Rulebook) -> Iterator[tuple[Case, Comparison]]:
    """Cases of order lines."""
    # Orders and buyers of one case are nobody of another.
    lines = [
        {k: f"{n}/{v}" if k in ("order_id", "customer_id") and v is not None else v for k, v in row.items()}
        for n, case in enumerate(batch)
        for row in case.lines
    ]
    table = frame(lines, tables.get("order_lines"))
    first = batch[0]
    rates = frame(first.rates, tables.get("rates")) if first.rates else None
    tariff = frame(first.tariff, tables.get("tariff")) if first.tariff else None
    answer = compute(table, None, rates, book, tariff=tariff, gross=first.gross).to_dicts()
    exported = {(x["order_id"], x["line"]): x for x in leaving(table, book).to_dicts()}
    at = 0
    for case in batch:
        own = [
            _converted(_derived(x), y, case) for x, y in zip(answer[at : at + len(case.lines)], case.lines, strict=True)
        ]
        sides = [exported.get((x["order_id"], x["line"]), {}) for x in answer[at : at + len(case.lines)]]
        at += len(case.lines)
        for comparison in _compared(case, own, sides):
            yield case, comparison


def _derived(line: Row) -> Row:
    """A line of the table tax with the figures of `DERIVED`."""
    base, rate, value, total = (line[c] for c in ("tax_base", "tax_rate", "customs_value", "total"))
    assessed = None if base is None or rate is None else _rounded(base * rate / 100, line["currency"])
    return {**line, "assessed": assessed, "landed": None if value is None or total is None else value + total}


def _rounded(amount: Decimal, currency: str) -> Decimal:
    """To the minor unit, half up."""
    return amount.quantize(WHOLE if currency in NO_MINOR else CENT, ROUND_HALF_UP)


def _converted(line: Row, sold: Row, case: Case) -> Row:
    """The line's money in the currency `told_in`, by the case's rates at the line's day, each figure to the cent."""
    if case.told_in is None or line["currency"] in (None, case.told_in):
        return line
    fixings = Fixings(frame(case.rates, tables.get("rates")))
    pair = fixings.pair(line["currency"], case.told_in)
    rate = Decimal(int(fixings.of(pl.Series([pair]), pl.Series([sold["date"]], dtype=pl.Date))[0])) / PER_UNIT
    money = [c.name for c in (*tables.get("tax").columns, *DERIVED) if c.digits == 2]
    told = {c: _rounded(line[c] * rate, case.told_in) for c in money if line[c] is not None}
    return {**line, **told, "currency": case.told_in}


def _compared(case: Case, answer: Sequence[Row], sides: Sequence[Row]) -> Iterator[Comparison]:
    def compared(place: str, wanted: Row, got: Row) -> Iterator[Comparison]:
        for column, value in wanted.items():
            yield Comparison(
                f"{place}.{column}", column, value, got.get(column), got.get("rule_ids"), got.get("citation")
            )

    places = _places(case)
    for place, expected, got in zip(places, case.expect, answer, strict=True):
        yield from compared(place, expected, got)
    for place, expected, got in zip(places, case.export, sides, strict=True):
        yield from compared(f"{place}.export", expected, got)
    whole: dict[str, Any] = {c: _joined(line[c] for line in answer) for c in ("rule_ids", "citation")}
    for column in case.sums:
        cells = [line[column] for line in answer]
        whole[column] = None if None in cells else sum(cells, Decimal(0))
    yield from compared("sum", case.sums, whole)


def _joined(cells: Iterator[str | None]) -> str | None:
    return "|".join(sorted({word for text in cells if text for word in text.split("|")})) or None


def _told(value: Any, column: str) -> str | None:
    columns = {c.name: c for c in (*tables.get("tax").columns, *DERIVED)}
    digits = columns[column].digits if column in columns else None
    if isinstance(value, Decimal):
        return f"{value:.{max(digits or 0, -int(value.normalize().as_tuple().exponent))}f}"
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def result(verdict: Verdict, packs: Sequence[Pack], *, whole: bool = True) -> Result:
    """The verdict as a Result: failing cases are findings of severity high, rules that no case meets of warn (asked
    where the cases are `whole`: all of those beside the rules)."""
    failed = verdict.table.filter(~pl.col("passed"))
    findings = []
    for (pack, case), rows in failed.group_by("pack", "case", maintain_order=True):
        said = "; ".join(
            str(g) if e == READABLE else f"{f}: expected {e}, got {g or '(empty)'}"
            for f, e, g in rows.select("field", "expected", "got").iter_rows()
        )
        title = verdict.titles[str(pack), str(case)]
        findings.append(Finding(f"case:{pack}:{case}", "high", f"{pack}/{case}", "case", f"{title}: {said}"))
    unmet = {pack.id: sorted(set(pack.rules) - verdict.met) for pack in packs if whole}
    for pack_id, rules in unmet.items():
        if rules:
            text = f"{len(rules)} rules are met by no case: {', '.join(rules[:10])}{' ...' if len(rules) > 10 else ''}"
            findings.append(Finding(f"unmet:{pack_id}", "warn", pack_id, "rule_without_case", text))
    cases = verdict.table.select("pack", "case").unique().height
    uncited = verdict.table.filter(pl.col("rule_ids").is_null() | pl.col("citation").is_null())
    metrics: dict[str, float | int | str | None] = {
        "cases": cases,
        "cases_failed": failed.select("pack", "case").unique().height,
        "fields": verdict.table.height,
        "fields_failed": failed.height,
        "fields_without_rule": uncited.height,
        "rules": sum(len(pack.rules) for pack in packs),
    }
    if whole:
        metrics["rules_without_case"] = sum(len(rules) for rules in unmet.values())
    return Result({"rule_verdict": verdict.table}, "cases move no money", metrics, findings)
