"""Every table contract, one file per family; `tables.get(name)` finds one."""

from __future__ import annotations

import importlib
from functools import cache

from cbec.core.contract import Contract, one_meaning
from cbec.core.errors import UsageFault, did_you_mean

FAMILIES = (
    "demand", "stock", "orders", "supply", "transport", "warehouse", "money", "settle", "risk", "compliance", "filing", "invoices", "market", "house",
)  # fmt: skip


@cache
def every() -> dict[str, Contract]:
    """All contracts by name, in the order of their families."""
    modules = [importlib.import_module(f"cbec.tables.{family}") for family in FAMILIES]
    return one_meaning([v for m in modules for v in vars(m).values() if isinstance(v, Contract)])


def get(name: str) -> Contract:
    """The contract of a table, or a usage error with the nearest name."""
    contracts = every()
    if name not in contracts:
        raise UsageFault(f'no table "{name}"{did_you_mean(name, contracts)}', hint="`cbec schema` lists the tables")
    return contracts[name]
