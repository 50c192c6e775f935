"""Supplier scores on real deliveries: the SCMS delivery history (USAID/PEPFAR, public), turned into purchase orders and receipts.

7,110 lines scheduled before July 2013. A line is an order line of its vendor: ordered on the day its purchase order was sent, promised
for the scheduled day, received whole on the day it was delivered. Lines out of the regional stocks have no purchase order; they
are ordered on the day of the price quotation where that is known. What no day is known of is left out of lead times.

What is asked: standing on 30 June 2012, do the score's shares and lead times tell the year that follows better than raw ones?

    python bench/scms_supplier.py [--write FOLDER]     # --write: the two tables as CSV, for cbec supplier score
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from harness import Table, data_folder, timed, typed

from cbec.supplier import Score, score

TODAY = date(2012, 6, 30)
LAST = date(2013, 6, 30)


def days(column: str) -> pl.Expr:
    """The dates come as 2-Jun-06 and as 6/2/06."""
    cell = pl.col(column)
    return pl.coalesce(cell.str.to_date("%d-%b-%y", strict=False), cell.str.to_date("%m/%d/%y", strict=False))


def read() -> pl.DataFrame:
    raw = pl.read_parquet(data_folder("route/scms") / "scms_open_before_2013-07.parquet")
    sent, quoted = days("PO Sent to Vendor Date"), days("PQ First Sent to Client Date")
    scheduled = days("Scheduled Delivery Date")
    frame = raw.select(
        po_id="PO / SO #", line="ID", supplier_id="Vendor", sku="Item Description", warehouse="Country", order_date=pl.coalesce(sent, quoted),
        known=pl.coalesce(sent, quoted).is_not_null(), direct=pl.col("Fulfill Via") == "Direct Drop", promised_date=scheduled,
        receipt_date=days("Delivered to Client Date"), qty=pl.col("Line Item Quantity").cast(pl.Float64),
        value=pl.col("Line Item Value").cast(pl.Float64, strict=False),
    )  # fmt: skip
    # Without a day of order only the promise can be judged; a day before it lets the line in and tells no lead time.
    return frame.with_columns(
        order_date=pl.coalesce("order_date", pl.col("promised_date") - timedelta(days=1)), price=pl.col("value") / pl.col("qty"), currency=pl.lit("USD")
    )  # fmt: skip


def pair(frame: pl.DataFrame, as_of: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Orders and receipts known on a day."""
    orders = typed("purchase_orders", frame.filter(pl.col("order_date") <= as_of))
    came = frame.select("po_id", "line", "sku", "warehouse", "receipt_date", "qty").filter(
        pl.col("receipt_date") <= as_of
    )
    return orders, typed("receipts", came)


def auc(chance: np.ndarray, late: np.ndarray) -> float:
    ranks = pl.Series(chance).rank("average").to_numpy()
    n, m = late.sum(), (~late).sum()
    return float((ranks[late].sum() - n * (n + 1) / 2) / (n * m))


def judge(chance: pl.Series, late: np.ndarray) -> dict[str, float]:
    p = np.clip(chance.to_numpy(), 1e-6, 1 - 1e-6)
    loss = -np.where(late, np.log(p), np.log(1 - p)).mean()
    return {"AUC": auc(p, late), "Brier": float(((p - late) ** 2).mean()), "log loss": float(loss)}


def shares(table: Table, frame: pl.DataFrame) -> None:
    """P(late) of the lines scheduled in the year after TODAY, by their vendor's record on that day."""
    test = frame.filter(pl.col("promised_date").is_between(TODAY + timedelta(days=1), LAST))
    late = (test["receipt_date"] > test["promised_date"]).to_numpy()
    orders, came = pair(frame, TODAY)
    due = frame.filter(pl.col("promised_date") <= TODAY)
    base = float((due["receipt_date"] > due["promised_date"]).mean())
    for window, words in ((0, "all before"), (730, "two years before")):
        result, cpu = timed(
            lambda w=window: score(came, orders, s=Score(as_of=TODAY, window_days=w, home_currency="USD"))
        )
        made = test.join(result.tables["supplier_score"], on="supplier_id", how="left", maintain_order="left")
        for name, column in (("raw share", "otif"), ("drawn to the mean", "otif_shrunk")):
            chance = 1 - made[column].fill_null(1 - base)
            table.rows.append(
                {"late by": f"{name}, {words}", "lines": test.height, **judge(chance, late), "CPU s": cpu}
            )
    table.rows.append(
        {"late by": "one rate for all", "lines": test.height, **judge(pl.Series([base] * test.height), late)}
    )
    table.notes.append(
        f"{100 * late.mean():.1f} % of the {test.height} lines of the year after were late; {100 * base:.1f} % before"
    )


def leads(table: Table, frame: pl.DataFrame) -> None:
    """Lead times of direct lines ordered in the year after TODAY, by the record of vendor and country on that day."""
    direct = frame.filter("direct", "known", pl.col("receipt_date") >= pl.col("order_date"))
    orders, came = pair(direct, TODAY)
    # Ordered by the end of 2012: of the last half year the data hold only what was scheduled early.
    test = direct.filter(pl.col("order_date").is_between(TODAY + timedelta(days=1), date(2012, 12, 31)))
    result, cpu = timed(lambda: score(came, orders, s=Score(as_of=TODAY, window_days=0, home_currency="USD")))
    cells = result.tables["lead_times"].filter(pl.col("warehouse").is_not_null())
    made = test.join(cells, on=["supplier_id", "warehouse"], how="inner")
    took = (made["receipt_date"] - made["order_date"]).dt.total_days().cast(pl.Float64)
    agreed = (made["promised_date"] - made["order_date"]).dt.total_days().cast(pl.Float64)
    for words, keep in (
        ("all", made["n"] > 0),
        ("vendor and country with 1 to 4 lines", made["n"] < 5),
        ("with 20 and more", made["n"] >= 20),
    ):
        if not keep.sum():
            continue
        row: dict[str, Any] = {"lead time": words, "lines": int(keep.sum())}
        for name, guess in (
            ("drawn", made["lead_time_days"]),
            ("raw mean", made["measured_days"]),
            ("as scheduled", agreed),
        ):
            row[f"MAE {name}"] = float((guess - took).abs().filter(keep).mean())
        row["within p90 %"] = 100 * float((took <= made["p90_days"]).filter(keep).mean())
        table.rows.append(row | {"CPU s": cpu})
    table.notes.append(
        f"lead times: {cells.height} pairs of vendor and country, {cells['awaited'].sum()} lines awaited on {TODAY}; 'as scheduled' knows the order's own date"
    )


def seen(table: Table, frame: pl.DataFrame) -> None:
    """What the score says on the last day, as a person would read it."""
    orders, came = pair(frame, LAST)
    result, cpu = timed(lambda: score(came, orders, s=Score(as_of=LAST, home_currency="USD")))
    scored = result.tables["supplier_score"].filter(pl.col("due") >= 8).sort("due", descending=True)
    print(
        scored.select(
            "supplier_id",
            "rank",
            "rank_best",
            "rank_worst",
            "due",
            "otif",
            "otif_low",
            "otif_high",
            "otif_first",
            "otif_last",
            "trend",
            "reason_code",
        ).head(15)
    )
    print(result.metrics)
    for finding in result.findings[:12]:
        print(finding.severity, finding.rule, finding.entity, finding.message)
    table.notes.append(
        f"on {LAST}: {result.metrics['suppliers']} vendors, {result.metrics['lines_due']} due lines, OTIF {result.metrics['otif']}; "
        f"worse {scored.filter(trend='worse')['supplier_id'].to_list()}, better {scored.filter(trend='better')['supplier_id'].to_list()}; CPU {cpu:.2f} s"
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    frame = read()
    if chosen.write:
        chosen.write.mkdir(parents=True, exist_ok=True)
        for name, made in zip(("purchase_orders", "receipts"), pair(frame, LAST), strict=True):
            kept = [c for c in made.columns if made[c].null_count() < made.height]
            made.select(kept).write_csv(chosen.write / f"{name}.csv")
        return
    late = Table("scms_supplier", "P(late) of the year after, by the vendor's record (SCMS delivery history)")
    took = Table("scms_lead_times", "Lead times of the half year after, by the record of vendor and country (SCMS)")
    pl.Config.set_tbl_cols(-1).set_tbl_rows(20).set_tbl_width_chars(200)
    print(
        f"{frame.height} lines, {frame['supplier_id'].n_unique()} vendors; day of order known of {frame['known'].sum()}, direct {frame['direct'].sum()}"
    )
    shares(late, frame)
    leads(took, frame)
    seen(late, frame)
    late.finish()
    took.finish()


if __name__ == "__main__":
    main()
