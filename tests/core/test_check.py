"""The contract of a table: what is accepted, what is a fault, and where the fault is said to be."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cbec import tables
from cbec.core import check, files
from cbec.core.check import Checked
from cbec.core.command import Common
from cbec.core.contract import Column, Contract, Rule, optional
from cbec.core.errors import UsageFault

TOY = Contract(
    "toy",
    "A table with a column of every kind.",
    (
        Column("id", "text", aliases=("编号", "number(new)")),
        optional("count", "int", min=0),
        optional("weight", "float", above=0, aliases=("重量(kg)",)),
        optional("change", "float"),
        optional("price", "decimal", min=0, max=1000),
        optional("day", "date"),
        optional("at", "moment"),
        optional("sold", "bool"),
        optional("land", "country"),
        optional("money", "currency"),
        Column("mode", "text", required=False, null=True, default="air", one_of=("air", "sea", "rail")),
    ),
    key=("id",),
    rules=(
        Rule(
            "weighed",
            "a sold row needs a weight",
            ("sold", "weight"),
            lambda: pl.col("sold") & pl.col("weight").is_null(),
        ),
    ),
)


def run(text: str, folder: Path, contract: Contract = TOY, **settings: str) -> Checked:
    """The table in this text, held against its contract."""
    path = folder / "in.csv"
    path.write_text(text, "utf-8")
    common = Common(**settings)  # type: ignore[arg-type]
    return check.check(contract, files.read(contract, [str(path)], common), common)


def column(text: str, name: str, folder: Path, **settings: str) -> list[object]:
    """The cells of one column, which must be good."""
    found = run(text, folder, **settings)
    assert not found.total, found.faults
    return found.good[name].to_list()


def cells(name: str, *values: str, mark: str = ";") -> str:
    return f"id{mark}{name}\n" + "".join(f"{at}{mark}{value}\n" for at, value in enumerate(values, 1))


def places(found: Checked) -> list[tuple[int | None, str | None, str | None, str]]:
    return [(f.row, f.column, f.value, f.rule) for f in found.faults]


# Headers


@pytest.mark.parametrize(
    "name", ["id", "ID", " Id ", "i d", "I_D", "编号", "number(new)", "Number (new)", "number（new）"]
)
def test_a_column_is_known_by_name_spelling_or_alias(name: str, tmp_path: Path) -> None:
    assert column(f"{name},x\n007,1\n", "id", tmp_path) == ["007"]


def test_a_missing_column_is_a_fault_that_names_the_nearest(tmp_path: Path) -> None:
    found = run("dates,sku,unitz\n2025-01-01,a,1\n", tmp_path, tables.get("sales"))
    assert found.whole
    assert found.good.is_empty()
    assert [(f.row, f.column, f.rule) for f in found.faults] == [(1, "date", "column"), (1, "units", "column")]
    assert 'did you mean "dates"' in found.faults[0].message
    assert 'did you mean "unitz"' in found.faults[1].message


@pytest.mark.parametrize("header", ["id,ID", "编号,Number(new)"])
def test_two_columns_of_one_meaning_are_a_fault(header: str, tmp_path: Path) -> None:
    found = run(f"{header}\n1,2\n", tmp_path)
    assert found.whole
    assert [(f.row, f.column, f.rule) for f in found.faults] == [(1, "id", "header")]


def test_the_exact_name_wins_over_an_alias_beside_it(tmp_path: Path) -> None:
    found = run("id,编号\n007,8\n", tmp_path)
    assert found.good["id"].to_list() == ["007"]
    assert found.notes == ["1 column is not part of the table and ignored: 编号"]


def test_extra_columns_are_told_in_one_note(tmp_path: Path) -> None:
    found = run("id,foo,bar\n1,2,3\n", tmp_path)
    assert found.notes == ["2 columns are not part of the table and ignored: foo, bar"]
    assert found.good.columns == TOY.names


def test_an_open_table_keeps_extra_columns_of_numbers(tmp_path: Path) -> None:
    table = Contract("open", "", (Column("id", "text"),), key=("id",), open=True)
    found = run('id;amount;note;ratio\n1;"1.234,5";x;0,5\n2;3;y;\n', tmp_path, table)
    assert found.good.columns == ["id", "amount", "ratio"]
    assert found.good["amount"].to_list() == [1234.5, 3.0]
    assert found.notes == ["1 column is not part of the table and ignored: note"]


def test_absent_optional_columns_are_there_and_empty(tmp_path: Path) -> None:
    good = run("id\n1\n", tmp_path).good
    assert good.schema == {
        "id": pl.String,
        "count": pl.Int64,
        "weight": pl.Float64,
        "change": pl.Float64,
        "price": pl.Decimal(38, 6),
        "day": pl.Date,
        "at": pl.Date,
        "sold": pl.Boolean,
        "land": pl.String,
        "money": pl.String,
        "mode": pl.String,
    }
    assert good.row(0) == ("1", *[None] * 9, "air")


# Text


def test_text_stays_as_it_stands(tmp_path: Path) -> None:
    assert column("id\n007\n0101210000\n1e5\nNA\nnull\n1.50\n", "id", tmp_path) == [
        "007",
        "0101210000",
        "1e5",
        "NA",
        "null",
        "1.50",
    ]


def test_the_first_place_where_a_needed_cell_is_empty(tmp_path: Path) -> None:
    found = run('id,count\n1,1\n,2\n"",3\n"  ",4\n', tmp_path)
    assert places(found) == [(row, "id", None, "required") for row in (3, 4, 5)]
    assert found.good["id"].to_list() == ["1"]


# Numbers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("1", "-2.5", "+3", ".5", "1e3", " 4 "), [1, -2.5, 3, 0.5, 1000, 4]),
        (("1,234.5", "1,234"), [1234.5, 1234]),
        (("1,234,567", "1,234"), [1234567, 1234]),
        (("1.234,5", "1.234", "2"), [1234.5, 1234, 2]),
        (("1.234.567", "1.234"), [1234567, 1234]),
        (("0,5", "1,234"), [0.5, 1.234]),
        (("0.125", "1.234"), [0.125, 1.234]),
        (("1 234,5", "1 234,5", "1\u202f234"), [1234.5, 1234.5, 1234]),
        (("1'234.5", "1’234"), [1234.5, 1234]),
        (("12,34,567.5", "1,000"), [1234567.5, 1000]),
    ],
)
def test_a_column_proves_its_decimal_mark(values: tuple[str, ...], expected: list[float], tmp_path: Path) -> None:
    assert column(cells("change", *values), "change", tmp_path) == expected


@pytest.mark.parametrize(("proof", "expected"), [("2.5", 1234.0), ("2,5", 1.234)])
def test_another_column_of_the_file_proves_the_mark(proof: str, expected: float, tmp_path: Path) -> None:
    assert column(f"id;weight;price\n1;1,234;{proof}\n", "weight", tmp_path) == [expected]


def test_a_number_with_two_readings_is_asked_about(tmp_path: Path) -> None:
    text = 'id,weight\n1,2\n2,"1,234"\n'
    found = run(text, tmp_path)
    assert found.whole
    assert places(found) == [(3, "weight", "1,234", "decimal mark")]
    assert "--decimal" in found.faults[0].message
    assert column(text, "weight", tmp_path, decimal="point") == [2, 1234]
    assert column(text, "weight", tmp_path, decimal="comma") == [2, 1.234]


def test_thousands_or_a_fraction_in_a_file_of_semicolons(tmp_path: Path) -> None:
    assert run("id;weight\n1;1.234\n", tmp_path).whole
    assert column("id,weight\n1,1.234\n", "weight", tmp_path) == [1.234]


def test_marks_that_contradict_name_the_rarer(tmp_path: Path) -> None:
    text = cells("weight", "1.5", "2.5", "3,5")
    found = run(text, tmp_path)
    assert places(found) == [(4, "weight", "3,5", "decimal mark")]
    settled = run(text, tmp_path, decimal="point")
    assert not settled.whole
    assert places(settled) == [(4, "weight", "3,5", "float")]
    assert settled.good["weight"].to_list() == [1.5, 2.5]


@pytest.mark.parametrize(
    "value", ["x", "1 2", "$5", "5 %", "nan", "inf", "1e999", "0x1", "1_000", "--1", "1.2.3", "12 34", "1,23", "€5"]
)
def test_what_is_no_number(value: str, tmp_path: Path) -> None:
    found = run(cells("weight", "1.5", value, "7"), tmp_path, decimal="point")
    assert places(found) == [(3, "weight", value, "float")]
    assert found.good["weight"].to_list() == [1.5, 7.0]


def test_whole_numbers(tmp_path: Path) -> None:
    assert column(cells("count", "1", "2.0", "9007199254740993", "1 000"), "count", tmp_path) == [
        1,
        2,
        9007199254740993,
        1000,
    ]
    assert places(run(cells("count", "1", "2.5"), tmp_path)) == [(3, "count", "2.5", "int")]


def test_decimals_are_exact_or_refused(tmp_path: Path) -> None:
    values = ("0.1", "19.999999", "0.30000000000000004", "1e-3", "0.0000001", "0.1234567")
    found = run(cells("price", *values), tmp_path)
    assert found.good["price"].to_list() == [Decimal(v) for v in ("0.1", "19.999999", "0.3", "0.001")]
    assert places(found) == [(6, "price", "0.0000001", "decimal"), (7, "price", "0.1234567", "decimal")]


def test_a_decimal_has_as_many_digits_as_its_column(tmp_path: Path) -> None:
    table = Contract("fine", "", (Column("id", "text"), Column("rate", "decimal", digits=10)), key=("id",))
    found = run("id,rate\n1,0.0001234567\n2,1.1e-5\n", tmp_path, table)
    assert found.good["rate"].to_list() == [Decimal("0.0001234567"), Decimal("0.000011")]


# Dates and times


@pytest.mark.parametrize(
    "value",
    [
        "2025-01-03", "2025-1-3", "2025/01/03", "2025/1/3", "2025.1.3", "20250103", "3.1.2025", "03.01.2025", "2025年1月3日",
        "2025年01月03日", "2025-01-03 00:00:00", "2025-01-03T00:00:00.000", "2025/1/3 0:00", " 2025-01-03 ",
    ],
)  # fmt: skip
def test_forms_of_a_day(value: str, tmp_path: Path) -> None:
    for name in ("day", "at"):
        assert column(cells(name, value), name, tmp_path) == [dt.date(2025, 1, 3)]
        assert column(cells(name, "2025-01-02", value), name, tmp_path) == [dt.date(2025, 1, 2), dt.date(2025, 1, 3)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("13/01/2025", "02/03/2025"), ["2025-01-13", "2025-03-02"]),
        (("1/13/2025", "2/3/2025"), ["2025-01-13", "2025-02-03"]),
        (("13-01-2025", "2-3-2025"), ["2025-01-13", "2025-03-02"]),
        (("3/3/2025", "4/4/2025"), ["2025-03-03", "2025-04-04"]),  # the same either way
    ],
)
def test_a_column_proves_its_order_of_days(values: tuple[str, ...], expected: list[str], tmp_path: Path) -> None:
    assert [str(day) for day in column(cells("day", *values), "day", tmp_path)] == expected


def test_a_date_with_two_readings_is_asked_about(tmp_path: Path) -> None:
    text = cells("day", "03/03/2025", "03/01/2025")
    found = run(text, tmp_path)
    assert places(found) == [(3, "day", "03/01/2025", "date order")]
    assert found.whole
    assert "--date-order" in found.faults[0].message
    assert column(text, "day", tmp_path, date_order="dmy")[1] == dt.date(2025, 1, 3)
    assert column(text, "day", tmp_path, date_order="mdy")[1] == dt.date(2025, 3, 1)


def test_orders_that_contradict_name_the_rarer(tmp_path: Path) -> None:
    text = cells("day", "13/01/2025", "14/01/2025", "01/15/2025")
    assert places(run(text, tmp_path)) == [(4, "day", "01/15/2025", "date order")]
    settled = run(text, tmp_path, date_order="dmy")
    assert places(settled) == [(4, "day", "01/15/2025", "date")]
    assert settled.good.height == 2


@pytest.mark.parametrize(
    "value",
    [
        "2025-02-29",
        "2025-13-01",
        "31.4.2025",
        "0025-01-01",
        "25-01-03",
        "3/1/25",
        "tomorrow",
        "45660",
        "2025-01-01 25:00",
    ],
)
def test_what_is_no_date(value: str, tmp_path: Path) -> None:
    found = run(cells("day", "2025-01-01", value), tmp_path)
    assert places(found) == [(3, "day", value, "date")]


def test_times(tmp_path: Path) -> None:
    values = (
        "2025-01-03 10:30",
        "2025/1/3 9:05:07",
        "1/13/2025 2:05 PM",
        "2025-01-03T10:30:00.25",
        "2025-01-04",
        "1/13/2025 12:00 AM",
    )
    assert column(cells("at", *values), "at", tmp_path) == [
        dt.datetime(2025, 1, 3, 10, 30),
        dt.datetime(2025, 1, 3, 9, 5, 7),
        dt.datetime(2025, 1, 13, 14, 5),
        dt.datetime(2025, 1, 3, 10, 30, 0, 250_000),
        dt.datetime(2025, 1, 4),
        dt.datetime(2025, 1, 13),
    ]
    assert column(cells("day", *values), "day", tmp_path)[2] == dt.date(2025, 1, 13)


def test_a_time_with_a_zone_needs_one_to_be_turned_into(tmp_path: Path) -> None:
    text = cells(
        "at", "2025-01-03 10:00", "2025-01-03T20:00:00Z", "2025-01-03T20:00:00+08:00", "2025-01-03 20:00:00-0500"
    )
    found = run(text, tmp_path)
    assert found.whole
    assert places(found) == [(3, "at", "2025-01-03T20:00:00Z", "time zone")]
    assert column(text, "at", tmp_path, time_zone="Asia/Shanghai") == [
        dt.datetime(2025, 1, 3, 10),
        dt.datetime(2025, 1, 4, 4),
        dt.datetime(2025, 1, 3, 20),
        dt.datetime(2025, 1, 4, 9),
    ]
    # The day of a sale is its day in that zone.
    assert column(cells("day", "2025-01-03T20:00:00Z"), "day", tmp_path, time_zone="Asia/Shanghai") == [
        dt.date(2025, 1, 4)
    ]


def test_an_unknown_zone_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageFault, match='did you mean "Asia/Shanghai"'):
        run("id\n1\n", tmp_path, time_zone="Asia/Shangai")


# Invariants

AMOUNTS = st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=2), min_size=1, max_size=8)
DAYS = st.lists(st.dates(dt.date(1990, 1, 1), dt.date(2099, 12, 31)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(amounts=AMOUNTS)
def test_amounts_read_the_same_in_every_country(
    amounts: list[Decimal], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("amounts")
    table = Contract("amounts", "", (Column("id", "text"), Column("x", "decimal"), Column("y", "float")), key=("id",))
    swap = str.maketrans(",.", ".,")
    for american in ("{:,.2f}", "{:.2f}"):
        rows = [f"{at};{american.format(x)};{american.format(x)}" for at, x in enumerate(amounts)]
        for text in ("\n".join(rows), "\n".join(rows).translate(swap)):
            good = run(f"id;x;y\n{text}\n", folder, table).good
            assert good["x"].to_list() == amounts
            assert good["y"].to_list() == [float(x) for x in amounts]


@settings(max_examples=60, deadline=None)
@given(days=DAYS, mark=st.sampled_from(["/", "-"]), time=st.sampled_from(["", " 10:30"]))
def test_days_are_read_right_or_asked_about(
    days: list[dt.date], mark: str, time: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("days")
    for order in ("dmy", "mdy"):
        form = mark.join({"d": "{0.day}", "m": "{0.month}", "y": "{0.year}"}[part] for part in order) + time
        found = run(cells("day", *(form.format(day) for day in days)), folder)
        if any(day.day > 12 for day in days) or all(day.day == day.month for day in days):
            assert found.good["day"].to_list() == days
        else:
            assert [fault.rule for fault in found.faults] == ["date order"]
        said = run(cells("day", *(form.format(day) for day in days)), folder, date_order=order)
        assert said.good["day"].to_list() == days


# Truth, codes, choices, bounds, rules


def test_truth(tmp_path: Path) -> None:
    values = ("true", "FALSE", "1", "0", "yes", "No", "Y", "n", "是", "否", "", " true ")
    text = "id;sold;weight\n" + "".join(f"{at};{v};1\n" for at, v in enumerate(values))
    assert column(text, "sold", tmp_path) == [True, False] * 5 + [None, True]
    assert places(run("id,sold,weight\n1,2,1\n2,maybe,1\n", tmp_path)) == [
        (2, "sold", "2", "bool"),
        (3, "sold", "maybe", "bool"),
    ]


def test_countries_and_currencies(tmp_path: Path) -> None:
    text = "id,land,money\n1,NA,EUR\n2,xi, cny\n3,uk,RMB\n4,Germany,€\n"
    found = run(text, tmp_path)
    assert found.good.select("land", "money").rows() == [("NA", "EUR"), ("XI", "CNY")]
    assert places(found) == [
        (4, "land", "uk", "country"),
        (4, "money", "RMB", "currency"),
        (5, "land", "Germany", "country"),
        (5, "money", "€", "currency"),
    ]
    assert 'did you mean "GB"' in found.faults[0].message
    assert 'did you mean "CNY"' in found.faults[1].message
    assert 'did you mean "DE"' in found.faults[2].message
    spelt = run("id,land,money\n1,Österreich,EUR\n2,united kingdom,EUR\n3,日本,EUR\n4,Ruritania,EUR\n", tmp_path)
    assert [fault.message.partition("; ")[2] for fault in spelt.faults] == [
        *(f'did you mean "{code}"?' for code in ("AT", "GB", "JP")),
        "",
    ]


def test_choices_and_bounds(tmp_path: Path) -> None:
    found = run("id,mode,count,weight,price\n1,aire,-1,0,1000.01\n2,,0,0.1,1000\n", tmp_path)
    assert places(found) == [
        (2, "count", "-1", "min"),
        (2, "weight", "0", "above"),
        (2, "price", "1000.01", "max"),
        (2, "mode", "aire", "one_of"),
    ]
    assert 'did you mean "air"' in found.faults[3].message
    assert found.good["mode"].to_list() == ["air"]


def test_a_named_rule_over_the_row(tmp_path: Path) -> None:
    found = run("id,sold,weight\n1,true,2\n2,true,\n3,,\n", tmp_path)
    assert places(found) == [(3, "sold", "true", "weighed")]
    assert found.good["id"].to_list() == ["1", "3"]


# Keys


def test_the_second_row_of_a_key_is_the_fault_and_names_the_first(tmp_path: Path) -> None:
    found = run("id,count\na,1\nb,2\na,3\na,4\n", tmp_path)
    assert [(f.row, f.column, f.value, f.rule) for f in found.faults] == [(4, "id", "a", "key"), (5, "id", "a", "key")]
    assert "in.csv row 2" in found.faults[1].message
    assert found.good["count"].to_list() == [1, 2]


def test_key_columns_that_are_absent_do_not_count(tmp_path: Path) -> None:
    sales = tables.get("sales")
    assert not run("date,sku,units\n2025-01-01,a,1\n2025-01-01,b,1\n", tmp_path, sales).total
    found = run("date,sku,market,units\n2025-01-01,a,,1\n2025/1/1,a,*,1\n", tmp_path, sales)
    assert [(f.row, f.rule, f.value) for f in found.faults] == [(3, "key", "2025-01-01|a|*")]


def test_a_row_whose_key_is_unreadable_is_no_second(tmp_path: Path) -> None:
    found = run("date,sku,units\nx,a,1\ny,a,1\n2025-01-01,a,1\n", tmp_path, tables.get("sales"))
    assert [f.rule for f in found.faults] == ["moment", "moment"]
    assert found.good.height == 1


# What is answered


def test_all_faults_are_kept_and_the_first_twenty_shown(tmp_path: Path) -> None:
    rows = "".join(f"{at},x,y\n" for at in range(30))
    found = run(f"id,count,weight\nok,1,1\n{rows}", tmp_path)
    assert found.total == found.rejects.height == 60
    assert [(f.row, f.column) for f in found.faults] == [
        (row, name) for row in range(3, 13) for name in ("count", "weight")
    ]
    assert found.rows == 31
    assert found.good["id"].to_list() == ["ok"]
    assert found.rejects.columns == tables.get("rejects").names
    assert_frame_equal(check.conform(tables.get("rejects"), found.rejects), found.rejects)
    path = str(tmp_path / "in.csv")
    assert found.rejects.row(0) == ("toy", path, 3, "count", "x", "int", '"x" is not a whole number')


def test_a_fault_tells_how_the_file_heads_the_column(tmp_path: Path) -> None:
    found = run("编号,重量（KG）\n1,x\n", tmp_path)
    assert str(found.faults[0]).endswith('row 2, column "weight": "x" is not a number (headed "重量（KG）")')


# Typed columns


def typed(frame: pl.DataFrame, folder: Path, contract: Contract = TOY, **settings: str) -> Checked:
    path = folder / "in.parquet"
    frame.write_parquet(path)
    common = Common(**settings)  # type: ignore[arg-type]
    return check.check(contract, files.read(contract, [str(path)], common), common)


def test_typed_columns_keep_every_bit_or_are_faults(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [7, 8, 9],
            "count": [1.0, 2.5, None],
            "weight": [1.5, float("nan"), 2.0],
            "price": [0.1, 0.30000000000000004, 1e-7],
            "day": [dt.datetime(2025, 1, 3, 10), dt.datetime(2025, 1, 4), None],
            "sold": [1, 0, 2],
        }
    )
    found = typed(frame, tmp_path)
    assert places(found) == [
        (3, "count", "2.5", "int"),
        (3, "weight", "NaN", "float"),
        (4, "price", "1e-7", "decimal"),
        (4, "sold", "2", "bool"),
    ]
    assert found.good.row(0)[:8] == ("7", 1, 1.5, None, Decimal("0.1"), dt.date(2025, 1, 3), None, True)


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("weight", pl.Series([True])),
        ("weight", pl.Series([dt.date(2025, 1, 1)])),
        ("day", pl.Series([1])),
        ("sold", pl.Series([dt.date(2025, 1, 1)])),
        ("land", pl.Series([["DE"]])),
    ],
)
def test_a_type_that_cannot_be_the_kind_refuses_the_table(name: str, series: pl.Series, tmp_path: Path) -> None:
    found = typed(pl.DataFrame({"id": ["1"], name: series}), tmp_path)
    assert found.whole
    assert [(f.column, f.rule) for f in found.faults] == [(name, TOY.column(name).kind)]


def test_a_parquet_file_without_a_known_column_lacks_columns_not_rows(tmp_path: Path) -> None:
    found = typed(pl.DataFrame({"foo": [1, 2]}), tmp_path)
    assert found.whole
    assert [(f.column, f.rule) for f in found.faults] == [("id", "column")]


def test_typed_times_with_a_zone(tmp_path: Path) -> None:
    moments = pl.Series([dt.datetime(2025, 1, 3, 20)]).dt.replace_time_zone("UTC")
    frame = pl.DataFrame({"id": ["1"], "at": moments})
    assert places(typed(frame, tmp_path))[0][3] == "time zone"
    assert typed(frame, tmp_path, time_zone="Asia/Shanghai").good["at"].to_list() == [dt.datetime(2025, 1, 4, 4)]


def test_long_whole_numbers_are_no_floats(tmp_path: Path) -> None:
    found = typed(pl.DataFrame({"id": ["1", "2"], "weight": [2**53 + 1, 5]}), tmp_path)
    assert places(found) == [(2, "weight", str(2**53 + 1), "float")]


# The output side


def test_conform_shapes_rounds_and_sorts() -> None:
    frame = pl.DataFrame(
        {
            "_why": ["x", "y"],
            "price": [0.1 + 0.2, 1.0],
            "id": ["b", "a"],
            "weight": [1 / 3, -1e-9],
            "at": [dt.datetime(2025, 1, 1, 5), None],
        }
    )
    shaped = check.conform(TOY, frame.with_columns(weight=pl.col("weight") + 1))
    assert shaped.columns == ["id", "weight", "price", "at"]
    assert shaped.rows() == [
        ("a", 1.0, Decimal("1"), None),
        ("b", 1.333333, Decimal("0.3"), dt.datetime(2025, 1, 1, 5)),
    ]


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (pl.DataFrame({"weight": [1.0]}), "lacks id"),
        (pl.DataFrame({"id": ["a", "a"]}), "comes twice"),
        (pl.DataFrame({"id": ["a", None]}), "empty"),
        (pl.DataFrame({"id": ["a"], "weight": [-1.0]}), "not above"),
        (pl.DataFrame({"id": ["a"], "weight": [float("inf")]}), "infinite"),
        (pl.DataFrame({"id": ["a"], "mode": ["road"]}), "none of"),
        (pl.DataFrame({"id": ["a"], "count": ["many"]}), "count"),
    ],
)
def test_a_step_that_breaks_its_contract_is_a_bug(frame: pl.DataFrame, what: str) -> None:
    with pytest.raises(check.ContractBroken, match=what):
        check.conform(TOY, frame)


def test_conform_writes_zero_without_a_sign() -> None:
    frame = pl.DataFrame({"id": ["a", "b", "c", "d"], "change": [-0.0, -1e-9, -2.0, None]})
    assert [str(v) for v in check.conform(TOY, frame)["change"]] == ["0.0", "0.0", "-2.0", "None"]


def test_a_key_is_not_judged_without_a_column_it_needs(tmp_path):
    (tmp_path / "sales.csv").write_text("month,sku,units\n2026-01,a,1\n2026-02,a,2\n", "utf-8")
    contract = tables.get("sales")
    outcome = check.check(contract, files.read(contract, [str(tmp_path / "sales.csv")], Common()), Common())
    assert outcome.whole
    assert [fault.column for fault in outcome.faults] == ["date"]


def test_a_figure_that_nothing_is_counted_in_is_a_fault(tmp_path: Path) -> None:
    found = run(cells("change", "1e308", "-1e16", "1e15", "-1e15"), tmp_path)
    assert places(found) == [(2, "change", "1e308", "size"), (3, "change", "-1e16", "size")]


def test_a_fault_holds_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    found = run(cells("change", "\x1b[31mx\x07"), tmp_path)
    assert str(found.faults[0]).endswith('"\ufffd[31mx\ufffd" is not a number')
    assert found.rejects["value"].to_list() == ["\x1b[31mx\x07"]
