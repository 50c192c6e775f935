"""Payouts against the bank, a ledger that shows tampering, landed profit."""

from __future__ import annotations

from dataclasses import dataclass

from cbec.core.command import Common, Result, Table, command, setting


@command("ledger")
def ledger(events: Table, ledger: Table | None = None, *, s: Common) -> Result:
    """Events into a ledger in which each record carries the hash of the one before it.

    Give the ledger of the last run with --ledger to append to it; events that stand in it already are not written
    again. Keep the last hash (metric `head`) where nobody who writes the ledger can change it.
    """
    from cbec.methods.settle import book

    made = book.write(events, ledger)
    return Result(
        {"ledger": made.ledger},
        money="a ledger moves no money",
        metrics={
            "records": made.ledger.height,
            "appended": made.appended,
            "known": made.known,
            "head": made.head,
        },
        notes=[
            f"{made.appended} of {made.appended + made.known} events appended; the rest stood in the ledger already",
            f"head {made.head}: keep it elsewhere; settle verify --head HASH then shows a ledger cut off or written anew",
        ],
    )


@dataclass(frozen=True)
class Verify(Common):
    """Settings of `settle verify`."""

    head: str = setting("", "hash of a record of this ledger as kept elsewhere; shows a tail cut off")


@command("ledger_verdict")
def verify(ledger: Table, *, s: Verify) -> Result:
    """Recompute the chain of a ledger: exit status 1 and the first bad record where it is broken.

    Without --head a tail that was cut off, or a chain written anew, cannot be seen.
    """
    from cbec.methods.settle import book

    verdict = book.verify(ledger, s.head.strip().lower())
    return Result(
        {"ledger_verdict": verdict.table},
        money="a ledger moves no money",
        metrics={"records": ledger.height, "status": verdict.table["status"][0], "head": verdict.head},
        findings=verdict.findings,
        fail=verdict.broken,
    )
