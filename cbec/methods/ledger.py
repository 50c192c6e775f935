"""A ledger that shows tampering: each record carries the SHA-256 of the one before it.

A record is written as canonical JSON (RFC 8785: keys sorted, no spaces, UTF-8) of exactly these fields:

    {"amount_minor":-1250,"at":"2026-09-30","currency":"EUR","event":"fee","evidence":null,"prev_hash":"..","ref":"A-1","seq":1}

`hash` is the SHA-256 of those bytes in hexadecimal; `prev_hash` is the hash of the record before, 64 zeros for the
first. Unlike fields joined by a separator, no two different records have the same bytes. A chain alone cannot show that
its tail was cut off or that all of it was written anew: for that the last hash has to be kept where nobody who writes
the ledger can change it, and be given to `check`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
CONTENT = ("event", "ref", "amount_minor", "currency", "at", "evidence")
FIELDS = ("seq", "prev_hash", "hash", *CONTENT)
LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON takes without loss."""

Record = Mapping[str, Any]


def canonical(record: Record) -> bytes:
    """The bytes that are hashed: all fields but `hash`, as RFC 8785 writes them.

    Texts and whole numbers only, for which `json.dumps` and RFC 8785 agree.
    """
    body = {name: record[name] for name in FIELDS if name != "hash"}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(record: Record) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical(record)).hexdigest()


def extend(events: Iterable[Record], last: Record | None = None) -> list[dict[str, Any]]:
    """Records for `events` (the fields of CONTENT) in their order, chained to the record `last`."""
    seq, before = (0, GENESIS) if last is None else (int(last["seq"]), str(last["hash"]))
    made: list[dict[str, Any]] = []
    for event in events:
        seq += 1
        record: dict[str, Any] = {"seq": seq, "prev_hash": before, **{name: event[name] for name in CONTENT}}
        before = digest(record)
        made.append(record | {"hash": before})
    return made


@dataclass(frozen=True)
class Break:
    """The first record that does not hold. seq: its number (the expected one where a record is missing).

    rule: sequence (missing or twice), link (does not continue the one before), content (changed since it was
    written), head (the hash kept elsewhere is not in the chain; seq is None).
    """

    seq: int | None
    rule: str
    expected: str
    got: str | None


def check(records: Sequence[Record], head: str = "") -> Break | None:
    """The first break of a chain in the order of `seq`, or None. head: a hash of it that was kept elsewhere.

    A head further back is fine: records may have been appended since.
    """
    before, seen = GENESIS, set()
    for number, record in enumerate(records, 1):
        if record["seq"] != number:
            return Break(min(number, int(record["seq"])), "sequence", str(number), str(record["seq"]))
        if record["prev_hash"] != before:
            return Break(number, "link", before, str(record["prev_hash"]))
        made = digest(record)
        if record["hash"] != made:
            return Break(number, "content", made, str(record["hash"]))
        before = made
        seen.add(made)
    if head and head not in seen:
        return Break(None, "head", head, before if records else None)
    return None
