"""What is planted in purchase orders, receipts and the earlier stock is in the tables, whatever the seed."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from support import sampled

from cbec import sample

BEFORE, LAST = date(2026, 8, 31), date(2026, 9, 30)


@pytest.fixture(scope="module", params=[7, 11])
def company(request: pytest.FixtureRequest) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    return sampled.made(request.param), sample.truths(request.param)


@pytest.fixture
def lines(company: tuple[dict[str, pl.DataFrame], dict[str, Any]]) -> pl.DataFrame:
    """Order lines with what was received of each."""
    tables, _ = company
    came = tables["receipts"].group_by("po_id", "line").agg(
        pl.col("qty").sum().alias("received"), pl.col("rejected").sum(), pl.col("receipt_date").max(), parts=pl.len()
    )  # fmt: skip
    return tables["purchase_orders"].join(came, on=["po_id", "line"], how="left")


def test_every_receipt_has_its_line_and_every_closed_line_its_receipts(company, lines):
    tables, _ = company
    assert tables["receipts"].join(lines, on=["po_id", "line"], how="anti").is_empty()
    assert (lines["receipt_date"].is_null() == (lines["status"] == "open")).all()
    assert (lines["receipt_date"] > lines["order_date"]).drop_nulls().all()
    assert lines["receipt_date"].max() <= LAST
    assert (
        set(lines["supplier_id"]) == set(tables["suppliers"]["supplier_id"]) == set(tables["products"]["supplier_id"])
    )


def test_open_lines_are_what_is_on_its_way(company, lines):
    tables, _ = company
    waiting = lines.filter(status="open").select("sku", "warehouse", "qty", arrival_date="promised_date")
    key = ["sku", "warehouse", "qty", "arrival_date"]
    assert waiting.sort(key).equals(tables["inbound"].select(key).sort(key))


def test_suppliers_are_as_planted(company, lines):
    _, truths = company
    roles = truths["suppliers"]
    closed = lines.filter(status="closed").with_columns(
        late=(pl.col("receipt_date") - pl.col("promised_date")).dt.total_days() > 0,
        full=pl.col("received") >= pl.col("qty"),
        year=pl.col("order_date") >= date(2025, 10, 1),
    )

    def of(role: str) -> pl.DataFrame:
        return closed.filter(supplier_id=roles[role])

    others = closed.filter(~pl.col("supplier_id").is_in([roles[r] for r in ("late_and_worse", "moves_dates")]))
    assert others["late"].mean() < 0.12
    by_year = of("late_and_worse").group_by("year").agg(pl.col("late").mean()).sort("year")["late"].to_list()
    assert by_year[0] > 0.4 and by_year[1] > 0.85
    short = of("short").filter(~pl.col("full"))
    assert 0.25 < short.height / of("short").height < 0.55
    assert (short["received"] / short["qty"]).is_between(0.5, 0.97).all()
    assert closed.filter(~pl.col("full"), pl.col("supplier_id") != roles["short"]).is_empty()
    prices = of("price_creep").group_by("sku", "currency").agg(
        first=pl.col("price").sort_by("order_date").first(), last=pl.col("price").sort_by("order_date").last(), span=pl.col("order_date").max() - pl.col("order_date").min()
    )  # fmt: skip
    long = prices.filter(pl.col("span").dt.total_days() > 500)
    assert 0.08 < (long["last"] / long["first"] - 1).mean() < 0.22
    moved = of("moves_dates").filter(pl.col("revised_date").is_not_null())
    assert 0.3 < moved.height / of("moves_dates").height < 0.65
    assert moved["late"].all() and (moved["receipt_date"] <= moved["revised_date"]).all()
    seen = (
        company[0]["receipts"]
        .filter(pl.col("rejected").is_not_null())
        .join(lines.select("po_id", "line", "supplier_id"), on=["po_id", "line"])
    )
    ppm = dict(seen.group_by("supplier_id").agg(1e6 * pl.col("rejected").sum() / pl.col("qty").sum()).iter_rows())
    assert ppm.pop(roles["defects"]) > 25_000
    assert max(ppm.values()) < 5_000
    assert (of("in_parts")["parts"] == 2).mean() > 0.3
    assert not of("excellent")["late"].any() and of("excellent")["rejected"].sum() == 0


def test_earlier_stock_leads_to_today_but_for_what_is_planted(company):
    tables, truths = company
    key = ["sku", "warehouse"]
    sold = tables["sales"].filter(pl.col("date") > BEFORE).group_by(key).agg(pl.col("units").sum())
    came = tables["receipts"].filter(pl.col("receipt_date") > BEFORE).group_by(key).agg(
        came=(pl.col("qty") - pl.col("rejected").fill_null(0)).sum()
    )  # fmt: skip
    before = tables["previous_inventory"].select(*key, before="on_hand")
    book = (
        tables["inventory"]
        .select(*key, "on_hand")
        .join(before, on=key)
        .join(sold, on=key, how="left")
        .join(came, on=key, how="left")
    )
    assert book.height == tables["inventory"].height
    gap = book.with_columns(
        gap=pl.col("on_hand") - pl.col("before") - pl.col("came").fill_null(0) + pl.col("units").fill_null(0)
    )
    found = {(s, w): g for s, w, g in gap.filter(pl.col("gap").abs() > 1e-6).select(*key, "gap").iter_rows()}
    moved = truths["stock_elsewhere"]
    planted = {(r["sku"], r["warehouse"]): -r["units"] for r in truths["stock_missing"]}
    planted |= {(moved["sku"], moved["from"]): -moved["units"], (moved["sku"], moved["to"]): moved["units"]}
    assert found == planted
    under = tables["previous_inventory"].filter(pl.col("on_hand") < 0)
    assert [f"{s}@{w}" for s, w in under.select(key).iter_rows()] == [truths["stock_negative_before"]]
    assert under["on_hand"].to_list() == [-4.0]
