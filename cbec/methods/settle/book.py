"""Events into a hash-chained ledger, and the verdict on a ledger: frames around `methods.ledger`."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from cbec.core.command import Finding
from cbec.core.errors import InputRejected
from cbec.methods import ledger as chain
from cbec.methods.minor import micro, unit

SCHEMA = {
    "seq": pl.Int64,
    "prev_hash": pl.String,
    "hash": pl.String,
    "event": pl.String,
    "ref": pl.String,
    "amount_minor": pl.Int64,
    "currency": pl.String,
    "at": pl.String,
    "evidence": pl.String,
}


class Written(NamedTuple):
    """A ledger with its new records; `known` events stood in it already and were not written again."""

    ledger: pl.DataFrame
    appended: int
    known: int
    head: str


def write(events: pl.DataFrame, existing: pl.DataFrame | None) -> Written:
    """Append events (table `events`) to a ledger (table `ledger`, or a new one).

    New records stand in the order of time, event, ref, amount, so that the order of rows changes nothing. An event
    that stands in the ledger already, as often as it is given, is not written again: a run may be repeated.
    Raises InputRejected where the existing chain is broken or an amount has parts of a minor unit.
    """
    old = [] if existing is None else _records(existing)
    broken = chain.check(old)
    if broken is not None:
        raise InputRejected(
            f"ledger: {_told(broken)}; nothing was appended", hint="cbec settle verify tells more about the chain"
        )
    rows = _contents(events)
    there = Counter(_identity(row) for row in old)
    fresh = []
    for row in sorted(rows, key=_order):
        if there[_identity(row)]:
            there[_identity(row)] -= 1
        else:
            fresh.append(row)
    made = chain.extend(fresh, old[-1] if old else None)
    frame = pl.DataFrame([*old, *made], schema=SCHEMA)
    head = str(frame["hash"][-1]) if frame.height else chain.GENESIS
    return Written(frame, len(made), len(rows) - len(made), head)


def _contents(events: pl.DataFrame) -> list[dict[str, Any]]:
    """Events as the ledger holds them: amounts in minor units, times as ISO 8601 text, midnight as the day alone."""
    at = pl.col("at")
    frame = events.with_columns(
        _whole=micro("amount"),
        _unit=unit("currency"),
        at=(at.dt.strftime("%Y-%m-%dT%H:%M:%S%.f").str.strip_suffix("T00:00:00"))
        if isinstance(events.schema["at"], pl.Datetime)
        else at.dt.strftime("%Y-%m-%d"),
    )
    odd = frame.filter(pl.col("_whole") % pl.col("_unit") != 0)
    if odd.height:
        row = odd.sort("ref", "amount").row(0, named=True)
        raise InputRejected(
            f"events: {Decimal(row['amount']).normalize():f} {row['currency']} of {row['ref']} has parts of a minor unit"
        )
    minor = pl.col("_whole") // pl.col("_unit")
    large = frame.filter(minor.abs() > chain.LARGEST)
    if large.height:
        raise InputRejected(f"events: the amount of {large['ref'].sort()[0]} is beyond {chain.LARGEST} minor units")
    return frame.with_columns(amount_minor=minor.cast(pl.Int64)).select(chain.CONTENT).to_dicts()


def _identity(row: chain.Record) -> tuple[Any, ...]:
    return tuple(row[name] for name in chain.CONTENT)


def _order(row: chain.Record) -> tuple[Any, ...]:
    amount = row["amount_minor"]
    return (
        row["at"],
        row["event"],
        row["ref"],
        amount is not None,
        amount or 0,
        row["currency"] or "",
        row["evidence"] or "",
    )


def _records(ledger: pl.DataFrame) -> list[dict[str, Any]]:
    return ledger.sort("seq", "hash").select(list(SCHEMA)).to_dicts()


class Verdict(NamedTuple):
    """The table `ledger_verdict` (one row), what a person should act on, whether the chain is broken."""

    table: pl.DataFrame
    findings: list[Finding]
    broken: bool
    head: str


def verify(ledger: pl.DataFrame, head: str) -> Verdict:
    """Recompute every hash. head: hash of a record as kept elsewhere, "" if none was."""
    records = _records(ledger)
    broken = chain.check(records, head)
    last = str(records[-1]["hash"]) if records else chain.GENESIS
    reason = "ledger_ok" if head else "ledger_ok_no_head"
    row = {
        "status": "OK" if broken is None else "BROKEN",
        "records": len(records),
        "first_bad_seq": None if broken is None else broken.seq,
        "rule": None if broken is None else broken.rule,
        "expected": None if broken is None else broken.expected,
        "got": None if broken is None else broken.got,
        "head": last,
        "reason_code": reason if broken is None else f"ledger_{broken.rule}",
    }
    kinds = {"records": pl.Int64, "first_bad_seq": pl.Int64}
    table = pl.DataFrame([row], schema={name: kinds.get(name, pl.String) for name in row})
    findings = []
    if broken is not None:
        place = "head" if broken.seq is None else f"record {broken.seq}"
        findings.append(Finding(f"ledger:{broken.rule}", "high", place, broken.rule, _told(broken)))
    return Verdict(table, findings, broken is not None, last)


def _told(broken: chain.Break) -> str:
    """The break as a sentence."""
    if broken.rule == "sequence":
        got = int(broken.got or 0)
        how = "comes twice" if got < int(broken.expected) else "is missing"
        return f"record {broken.seq} {how}"
    if broken.rule == "link":
        return f"record {broken.seq} does not continue the one before: one of the two was changed, put in or taken out"
    if broken.rule == "content":
        return f"record {broken.seq} was changed after it was written"
    return "the hash kept elsewhere is in no record: the ledger was cut off or written anew"
