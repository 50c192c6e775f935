"""Tables of the house itself: findings, rejects, data quality."""

from __future__ import annotations

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
