"""Tables of the house itself: findings, rejects, data quality."""

from __future__ import annotations

import dataclasses

from cbec.core.contract import Column, Contract

findings = Contract(
    "findings",
    "What a person should know or act on.",
    (
        Column("finding_id", "text"),
        Column("severity", "text", one_of=("info", "warn", "high")),
        Column("entity", "text", "what it is about, e.g. SKU@MARKET"),
        Column("rule", "text"),
        Column("message", "text"),
        Column("money", "float", null=True, digits=2),
        Column("currency", "currency", null=True),
    ),
    key=("finding_id",),
)

rejects = Contract(
    "rejects",
    "Rows that broke the contract of their table, as they stood.",
    (
        Column("table", "text"),
        Column("file", "text"),
        Column("row", "int", "record number in the file, header = 1", null=True),
        Column("column", "text", null=True),
        Column("value", "text", null=True),
        Column("rule", "text"),
        Column("message", "text"),
    ),
    key=("table", "file", "row", "column", "rule"),
)

faults = dataclasses.replace(rejects, name="faults", description="Cells that break the contract of the table they are meant to be; `ingest check` lists them.")

dq = Contract(
    "dq",
    "Data quality per column.",
    (
        Column("table", "text"),
        Column("column", "text"),
        Column("kind", "text"),
        Column("rows", "int"),
        Column("empty", "int"),
        Column("distinct", "int"),
        Column("lowest", "text", null=True),
        Column("highest", "text", null=True),
        Column("rejected", "int"),
    ),
    key=("table", "column"),
)

removed = Contract(
    "removed",
    "Rows of an export that a cleaning rule of its layout left out.",
    (
        Column("layout", "text"),
        Column("file", "text"),
        Column("row", "int", "record number in the file, header = 1"),
        Column("rule", "text", "rule of the layout"),
        Column("amount", "decimal", "money of the row", null=True, digits=2),
        Column("currency", "currency", "of amount", null=True),
    ),
    key=("file", "row"),
)
