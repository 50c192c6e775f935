"""A layout applied: every line is kept, removed with its rule and place, or cut by date; nothing is lost in silence."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbec.core.errors import InputRejected, UsageFault
from cbec.core.files import Raw, Source
from cbec.ingest import MADE, Import
from cbec.methods.ingest import apply, layout

TEXT = """
title: A shop
columns:
  order_no: {header: Order, kind: text}
  when: {header: Date, kind: date}
  sku: {header: SKU, kind: text}
  qty: {header: Qty, kind: int}
  price: {header: Price, kind: decimal}
  land: {header: Country, kind: text, map: lands, required: false}
maps:
  lands: {Norway: "NO", Nowhere: }
derived:
  line: ROW_NUMBER() OVER (PARTITION BY order_no ORDER BY row)
time: when
money: {amount: qty * price, currency: "'NOK'"}
rules:
  - {name: test_order, remove: "order_no LIKE 'T%'", message: a test order}
  - {name: huge, remove: qty > 100, message: too many}
tables:
  sales:
    select:
      date: when
      sku: sku
      market: COALESCE(land, '*')
      channel: CASE WHEN qty < 0 THEN 'returned' END
      units: SUM(qty)
    group_by: [date, sku, market, channel]
  order_lines:
    where: qty > 0
    select: {order_id: order_no, line: CAST(line AS VARCHAR), sku: sku, qty: qty, price: price, currency: "'NOK'"}
  products:
    order_by: [when]
    select: {sku: sku, price: LAST(price), currency: "'NOK'"}
    group_by: [sku]
"""
HEADER = ["Order", "Date", "SKU", "Qty", "Price", "Country"]


def export(*lines: tuple[str | None, ...], header: list[str] | None = None) -> Raw:
    """Text cells as a CSV would give them; the first line is record 2."""
    names = header or HEADER
    frame = pl.DataFrame(list(lines), schema=dict.fromkeys(names, pl.String), orient="row")
    frame = frame.with_columns(__file=pl.lit("shop.csv"), __row=pl.int_range(2, len(lines) + 2, dtype=pl.UInt32))
    return Raw(frame, [Source("shop.csv", 0, None, len(lines), "utf-8", "csv", ",")], {"shop.csv": names})


def run(raw: Raw, text: str = TEXT, **options) -> apply.Applied:
    return apply.run(layout.parse("shop", text.encode(), MADE), raw, Import(**options))


LINES = (
    ("T1", "2026-01-01", "007", "5", "2.50", "Norway"),
    ("1", "2026-01-02", "007", "3", "2.50", "Norway"),
    ("1", "2026-01-02", "007", "4", "2.00", "Norway"),
    ("2", "2026-01-03", "B", "999", "0.10", None),
    ("3", "2026-01-02", "007", "-1", "2.50", "Norway"),
    ("4", "2026-01-01", "B", "1", "7", "Nowhere"),
)


def test_rules_count_list_and_value_what_they_leave_out():
    done = run(export(*LINES))
    told = {t.rule: (t.rows, t.money, t.first) for t in done.tallies}
    assert told == {"test_order": (1, {"NOK": 12.5}, "shop.csv row 2"), "huge": (1, {"NOK": 99.9}, "shop.csv row 5")}
    assert done.removed.select("layout", "file", "row", "rule", "amount", "currency").rows() == [
        ("shop", "shop.csv", 2, "test_order", Decimal("12.5"), "NOK"),
        ("shop", "shop.csv", 5, "huge", Decimal("99.9"), "NOK"),
    ]
    assert done.kept == 4


def test_sales_add_lines_up_and_hold_returns_apart():
    sales = run(export(*LINES)).tables["sales"].sort("date", "units")
    assert sales.rows() == [
        (date(2026, 1, 1), "B", "*", None, 1.0),
        (date(2026, 1, 2), "007", "NO", "returned", -1.0),
        (date(2026, 1, 2), "007", "NO", None, 7.0),
    ]


def test_lines_are_numbered_in_the_order_of_the_file_before_rules_take_any():
    lines = run(export(("9", "2026-01-02", "A", "101", "1", None), ("9", "2026-01-02", "A", "1", "1", None)))
    assert lines.tables["order_lines"].select("order_id", "line").rows() == [("9", "2")]


def test_order_by_decides_which_line_is_the_last():
    rows = [("1", "2026-01-05", "A", "1", "5", None), ("2", "2026-01-03", "A", "1", "3", None)]
    products = run(export(*rows)).tables["products"]
    assert products.rows() == [("A", "NOK", 5.0)]


def test_an_empty_truth_value_keeps_the_row():
    text = TEXT.replace("kind: int}", 'kind: int, "null": true}').replace(
        "units: SUM(qty)", "units: COALESCE(SUM(qty), 0)"
    )
    done = run(export(("1", "2026-01-02", "A", None, "1", None)), text)
    assert done.kept == 1 and done.removed.is_empty()


def test_nothing_after_as_of_is_used():
    done = run(export(*LINES), as_of=date(2026, 1, 1))
    assert (done.cut, done.kept) == (4, 1)
    assert done.tables["sales"]["date"].to_list() == [date(2026, 1, 1)]


def test_a_value_outside_its_map_is_a_fault_with_its_place():
    done = run(export(*LINES[:2], ("8", "2026-01-02", "A", "1", "1", "Norwai")))
    assert done.checked.total == 1
    assert "shop.csv row 4" in str(done.checked.faults[0]) and 'did you mean "Norway"?' in str(done.checked.faults[0])
    assert done.typed.height == 2


def test_a_missing_column_is_told_with_the_nearest_header():
    with pytest.raises(InputRejected, match="shop: 1 fault in the input") as caught:
        run(export(LINES[0], header=[*HEADER[:4], "Prices", "Country"]))
    assert (caught.value.faults[0].file, caught.value.faults[0].column) == ("shop.csv", "Price")
    assert 'the column "Price" is missing; did you mean "Prices"?' in caught.value.faults[0].message


def test_dates_and_numbers_follow_the_dialect_of_the_layout_unless_the_person_says_otherwise():
    text = TEXT.replace("columns:", "dialect: {date_order: mdy, decimal: comma}\ncolumns:", 1)
    raw = export(("1", "01/02/2026", "A", "1.000", "1,5", None))
    typed = run(raw, text).typed
    assert typed["when"][0] == date(2026, 1, 2) and typed["qty"][0] == 1000 and typed["price"][0] == Decimal("1.5")
    assert run(raw, text, date_order="dmy").typed["when"][0] == date(2026, 2, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("units: SUM(qty)", "units: qty", "tables.sales.select.units: gives many values per group"),
        ("units: SUM(qty)", "units: SUM(qty) + UPPER(qty)", "tables.sales.select.units: "),
        ("remove: qty > 100", "remove: qty + 100", "rules.huge.remove: is Int64, must be true or false"),
        ("remove: qty > 100", "remove: sku > 100", "rules.huge.remove: "),
        ("line: ROW_NUMBER() OVER (PARTITION BY order_no ORDER BY row)", "line: CAST(sku AS INT)", "derived.line: "),
        ("amount: qty * price", "amount: order_no", "money.amount: "),
        ("time: when", "time: order_no", "time: "),
        ("where: qty > 0", "where: UPPER(qty) = 'A'", "tables.order_lines.where: "),
    ],
)
def test_an_expression_that_does_not_fit_the_data_is_told_with_its_key(old, new, message):
    with pytest.raises(UsageFault, match=f"layout shop: {message}".replace("(", r"\(")):
        run(export(*LINES), TEXT.replace(old, new), as_of=date(2026, 1, 9))


def test_a_table_that_would_break_its_contract_names_the_row_of_the_export():
    text = TEXT.replace("line: CAST(line AS VARCHAR)", "line: \"'1'\"")
    with pytest.raises(InputRejected, match="layout shop: 1 fault in the table order_lines") as caught:
        run(export(*LINES), text)
    assert (caught.value.faults[0].row, caught.value.faults[0].rule) == (4, "key")
    assert "rule of the layout" in caught.value.hint


CELLS = st.tuples(
    st.sampled_from(["T1", "1", "2", "3"]),
    st.dates(date(2026, 1, 1), date(2026, 1, 9)).map(str),
    st.sampled_from(["A", "B"]),
    st.integers(-50, 200).map(str),
    st.decimals(0, 99, places=2).map(str),
    st.sampled_from(["Norway", "Nowhere", None]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=25), st.dates(date(2026, 1, 1), date(2026, 1, 9)))
def test_every_line_and_every_unit_and_every_cent_is_accounted_for(lines, as_of):
    done = run(export(*lines), as_of=as_of)
    known = [x for x in lines if x[1] <= str(as_of)]
    assert done.cut == len(lines) - len(known)
    assert len(known) == done.kept + done.removed.height
    kept = [x for x in known if not x[0].startswith("T") and int(x[3]) <= 100]
    assert done.kept == len(kept)
    assert done.tables["sales"]["units"].sum() == sum(int(x[3]) for x in kept)
    worth = {t.rule: t.money.get("NOK", 0.0) for t in done.tallies}
    expected = sum((int(x[3]) * Decimal(x[4]) for x in known if x not in kept), Decimal(0))
    assert sum(worth.values()) == pytest.approx(float(expected))
    assert not done.tables["sales"].select("date", "sku", "market", "channel").is_duplicated().any()


@settings(max_examples=20, deadline=None)
@given(st.lists(CELLS, min_size=2, max_size=15, unique=True), st.randoms(use_true_random=False))
def test_sales_do_not_depend_on_the_order_of_rows(lines, shuffler):
    other = list(lines)
    shuffler.shuffle(other)
    first, second = (run(export(*x)).tables["sales"].sort(pl.all()) for x in (lines, other))
    assert first.equals(second)
