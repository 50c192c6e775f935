"""What `supplier score` says beside its tables: findings, figures and notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.core import reasons
from cbec.core.command import Finding
from cbec.core.words import of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cbec.methods.supplier.leadtimes import Cell
    from cbec.methods.supplier.lines import Record

#: Reason codes that a person should act on, and how gravely.
_GRAVE = {
    "supplier_worse": "high",
    "supplier_short": "warn",
    "supplier_late": "warn",
    "supplier_defects": "warn",
    "supplier_price": "warn",
    "supplier_late_and_short": "warn",
}
#: The parts of cost that each of them is about.
_PRICED = {
    "supplier_worse": ("late_cost", "short_cost"),
    "supplier_short": ("short_cost",),
    "supplier_late": ("late_cost",),
    "supplier_defects": ("defect_cost",),
    "supplier_price": ("price_cost",),
    "supplier_late_and_short": ("late_cost", "short_cost"),
}
#: A policy that is off by more than this share of its lead time, and by more than two standard errors, is a finding.
_OFF = 0.15


def findings(table: pl.DataFrame, record: Record, cells: Sequence[Cell], language: str) -> list[Finding]:
    """One per supplier that stands out, one per supplier that moves its dates, overdue orders, policies that are off, odd rows."""
    told = reasons.render(table, language).sort("supplier_id")
    found: list[Finding] = []
    for row in told.iter_rows(named=True):
        name, code = row["supplier_id"], row["reason_code"]
        if code in _GRAVE:
            known = [row[p] for p in _PRICED[code] if row[p] is not None]
            found.append(
                _finding(_GRAVE[code], name, code, row["reason"], sum(known) if known else None, row["currency"])
            )
        if row["_moves_dates"]:
            text = (
                f"{100 * row['revised']:.0f} % of the due lines were promised anew for a later day: "
                f"{_pct(row['otif'])} came on time and in full by the first promise, {_pct(row['otif_revised'])} by the last"
            )
            found.append(_finding("warn", name, "dates_moved", text))
    late = record.frame.filter(pl.col("matured") & pl.col("pending")).sort("supplier_id", "item")
    for (name,), lines in late.group_by("supplier_id", maintain_order=True):
        awaited = lines.select(((pl.col("qty") - pl.col("received")).clip(0.0) * pl.col("price_home")).sum()).item()
        oldest = max(lines["late"].fill_null(0).to_list())
        text = f"{_lines(lines.height)} overdue, the oldest by {of(oldest, 'day')}; {_units(lines)} pieces awaited"
        found.append(
            _finding("warn", str(name), "orders_overdue", text, awaited if record.currency else None, record.currency)
        )
    found += _policies(cells)
    if record.strays:
        found.append(
            _finding(
                "warn", "receipts", "receipts_without_order", f"{of(record.strays, 'receipt', 'name')} no line of purchase_orders: counted for nobody"
            )
        )  # fmt: skip
    if record.backwards:
        found.append(
            _finding(
                "warn", "receipts", "received_before_ordered", f"{_lines(record.backwards)} came before they were ordered: no lead time is taken from them"
            )
        )  # fmt: skip
    return found


def _policies(cells: Sequence[Cell]) -> list[Finding]:
    found = []
    asked = sorted({c.supplier for c in cells if c.basis == "as_asked"})
    if asked:
        named = ", ".join(asked[:5]) + (f" and {len(asked) - 5} more" if len(asked) > 5 else "")
        text = (
            f"{of(len(asked), 'supplier')} ({named}): lead times follow the promised days, so they tell what was asked "
            "for and not what it takes; no policy is changed by them"
        )
        found.append(_finding("info", "lead times", "lead_time_as_asked", text))
    for cell in cells:
        if cell.policy is None or cell.curve.n < 2 or cell.basis == "as_asked":
            continue
        off, error = cell.mean - cell.policy, (cell.variance / cell.curve.n) ** 0.5
        if abs(off) > max(_OFF * cell.policy, 2 * error, 1.0):
            where = cell.supplier if cell.warehouse is None else f"{cell.supplier}@{cell.warehouse}"
            text = (
                f"the policy says {cell.policy:g} days, {cell.curve.n} lines took {cell.mean:.1f} ({off:+.1f}): "
                f"{'too little' if off > 0 else 'too much'} stock is held for it; policies_update carries the measured one"
            )
            found.append(_finding("warn" if off > 0 else "info", where, "policy_lead_time_off", text))
    return found


def currency(record: Record) -> pl.Expr:
    """The currency of all money, null where prices are not told."""
    return pl.lit(record.currency, pl.String)


def metrics(table: pl.DataFrame, record: Record, target: float) -> dict[str, float | int | str | None]:
    """Figures for summary.json, all suppliers together."""
    frame = record.frame
    due = frame.filter("matured")
    rejected, inspected = float(table["rejected"].sum()), float(table["inspected"].sum())

    def mean(rows: pl.Series) -> float | None:
        value = rows.cast(pl.Float64).mean()
        return round(value, 4) if isinstance(value, float) else None

    return {
        "suppliers": table.height,
        "lines": frame.height,
        "lines_due": due.height,
        "lines_overdue": due.filter("pending").height,
        "target_otif": target,
        "otif": mean(due["otif"]),
        "on_time": mean(due["on_time"]),
        "in_full": mean(due["in_full"]),
        "defect_ppm": round(1e6 * rejected / inspected, 1) if inspected else None,
        "lead_time_days": mean(frame.filter("ended")["lead"]),
        "spend": None if record.currency is None else round(float(frame["value"].sum()), 2),
        "window_from": record.start.isoformat(),
        "halves_part": record.middle.isoformat(),
        "first_ranks_stable": table.filter(rank=1, rank_worst=1).height,
    }


def notes(table: pl.DataFrame, record: Record, told: Sequence[str]) -> list[str]:
    """What the figures stand on and what is not known."""
    out = [f"orders from {record.start} on are judged; the last half begins on {record.middle}"]
    if record.cancelled:
        out.append(f"{_lines(record.cancelled)} called off before anything came are left out")
    unpromised = record.frame.filter(pl.col("due").is_null()).height
    if unpromised:
        out.append(
            f"{_lines(unpromised)} carry no promise (promised_date, or lead_time_days of --suppliers): never judged"
        )
    if not table["inspected"].sum():
        out.append("no receipt tells of an inspection: quality is not in the score")
    unsure = table.filter(pl.col("rank").is_not_null() & (pl.col("rank_best") < pl.col("rank_worst"))).height
    if unsure:
        out.append(f"{unsure} of {table.height} ranks change while the weights move within their band")
    untold = [p for p in ("late_cost", "short_cost", "defect_cost", "early_cost", "buffer_cost") if p not in told]
    if untold:
        out.append(f"not told, so not in the cost: {', '.join(untold)}")
    return out


def _finding(
    severity: str, entity: str, rule: str, text: str, money: float | None = None, currency: str | None = None
) -> Finding:
    worth = None if money is None else round(money, 2)
    return Finding(f"{rule}:{entity}", severity, entity, rule, text, worth, None if worth is None else currency)


def _pct(share: float | None) -> str:
    return "nobody knows how much" if share is None else f"{100 * share:.0f} %"


def _lines(count: int) -> str:
    return f"{count} line{'' if count == 1 else 's'}"


def _units(lines: pl.DataFrame) -> str:
    return f"{(lines['qty'] - lines['received']).clip(0.0).sum():,.0f}"
