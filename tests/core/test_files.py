"""Files into raw frames and back: encodings, delimiters, kinds, folders, and what is refused with its row."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cbec.core import dialect, files
from cbec.core.command import Common
from cbec.core.contract import Column, Contract, optional
from cbec.core.errors import EnvironmentFailed, InputRejected, NoRows, UsageFault
from cbec.core.staging import Staging

TWO = Contract(
    "two", "", (Column("id", "text", aliases=("编号",)), optional("name", "text", aliases=("品名",))), key=("id",)
)


def read(data: bytes | str, folder: Path, contract: Contract | None = TWO, **options: str) -> files.Raw:
    path = folder / "in.dat"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return files.read(contract, [str(path)], Common(**options))  # type: ignore[arg-type]


def cells(raw: files.Raw) -> list[tuple[object, ...]]:
    return raw.frame.drop("__file", "__row").rows()


def refused(data: bytes | str, folder: Path, contract: Contract | None = TWO, **options: str) -> InputRejected:
    with pytest.raises(InputRejected) as caught:
        read(data, folder, contract, **options)
    assert "in.dat" in caught.value.message
    return caught.value


# Provenance


def test_a_row_knows_its_file_and_record(tmp_path: Path) -> None:
    raw = read('id,name\n1,"two\nlines"\n\n2,b\n', tmp_path)
    path = str(tmp_path / "in.dat")
    assert raw.frame.select("__file", "__row", "id").rows() == [(path, 2, "1"), (path, 4, "2")]
    assert raw.notes == [f"{path}: 1 empty rows were passed over"]


def test_a_source_tells_what_was_read(tmp_path: Path) -> None:
    data = "id;name\n1;Müller\n".encode("cp1252")
    source = read(data, tmp_path).sources[0]
    assert source == files.Source(
        str(tmp_path / "in.dat"), len(data), hashlib.sha256(data).hexdigest(), 1, "cp1252", "csv", ";"
    )


def test_columns_that_no_contract_knows_are_named_but_not_read(tmp_path: Path) -> None:
    raw = read("id,foo,name\n1,2,3\n", tmp_path)
    assert raw.header == ["id", "foo", "name"]
    assert raw.frame.columns == ["__row", "id", "name", "__file"]
    assert set(read("id,foo\n1,2\n", tmp_path, None).frame.columns) == {"__row", "id", "foo", "__file"}


# Text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("编号,品名\n007,红色保温杯 500ml\n", "gb18030"),
        ("编号,品名\n007,x\n", "gb18030"),
        ("id,name\n1,窗帘、地毯（新款）\n", "gb18030"),
        ("id,name\n1,Müller Straße\n2,café à la crème\n", "cp1252"),
        ("id,name\n1,“5 €” – naïve\n", "cp1252"),
        ("id,name\n1,SCHÖNE GRÜSSE AUS KÖLN\n", "cp1252"),
        ("id,name\n1,Señor Muñoz\n2,São João\n", "cp1252"),
        ("id,name\n1,Müller 红色\n", "utf-8"),
    ],
)
def test_an_encoding_is_told_by_what_the_text_is_made_of(text: str, encoding: str, tmp_path: Path) -> None:
    raw = read(text.encode(encoding), tmp_path)
    assert raw.sources[0].encoding == encoding
    assert cells(raw) == [tuple(line.split(",")) for line in text.splitlines()[1:]]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id,name\n1,Русский текст товара\n", "cp1251"),
        ("id,name\n1,日本語の商品名テスト\n", "shift_jis"),
        ("id,name\n1,日本語の商品名テスト\n", "euc_jp"),
        ("id,name\n1,한국어 상품명 테스트 입니다\n", "euc_kr"),
        ("id,name\n1,繁體中文測試產品說明書\n", "big5"),
        ("id,name\n1,Ελληνικά προϊόντα\n", "cp1253"),
    ],
)
def test_an_encoding_that_cannot_be_told_is_asked_about(text: str, encoding: str, tmp_path: Path) -> None:
    error = refused(text.encode(encoding), tmp_path)
    assert "--encoding" in str(error.hint)
    assert cells(read(text.encode(encoding), tmp_path, encoding=encoding)) == [("1", text.splitlines()[1][2:])]


def test_utf8_with_a_broken_byte_is_not_taken_for_cp1252(tmp_path: Path) -> None:
    error = refused("id,name\n1,Müller\n2,Café\n".encode() + "3,Köln\n".encode("cp1252"), tmp_path)
    assert "row 4" in error.message


def test_the_encoding_that_was_said_must_fit(tmp_path: Path) -> None:
    assert "utf-8" in refused("id\nMüller\n".encode("cp1252"), tmp_path, encoding="utf-8").message
    with pytest.raises(UsageFault):
        read("id\n1\n", tmp_path, encoding="klingon")


def test_characters_across_the_pieces_of_a_big_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "CHUNK", 5)
    rows = [("1", "红色保温杯"), ("2", "é"), ("3", "多行\n文字")]
    text = "id,name\n" + "".join(f'{a},"{b}"\n' for a, b in rows)
    assert cells(read(text, tmp_path)) == rows
    assert cells(read(text.replace("é", "二").encode("gb18030"), tmp_path)) == [rows[0], ("2", "二"), rows[2]]
    assert cells(read(text.encode("utf-16"), tmp_path)) == rows


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_delimiter_is_told_by_what_cuts_evenly(mark: str, tmp_path: Path) -> None:
    raw = read(f"id{mark}name{mark}price\n1{mark}a b{mark}1.5\n2{mark}c{mark}\n", tmp_path, None)
    assert raw.delimiter == mark
    assert cells(raw) == [("1", "a b", "1.5"), ("2", "c", None)]


def test_commas_within_cells_do_not_mislead(tmp_path: Path) -> None:
    assert read("id;price, EUR;c\n1;1,5;2,5\n2;2,5;3\n", tmp_path, None).header == ["id", "price, EUR", "c"]
    assert read("sep=;\nid;name\n1;a,b,c\n", tmp_path).frame.select("__row", "id", "name").row(0) == (3, "1", "a,b,c")


def test_quotes(tmp_path: Path) -> None:
    raw = read('"id","name"\n"1","say ""hi"", now"\n2,5" disk\n3,\n"4",""\n', tmp_path)
    assert cells(raw) == [("1", 'say "hi", now'), ("2", '5" disk'), ("3", None), ("4", None)]


# What is no table


@pytest.mark.parametrize(
    ("text", "row", "value"),
    [
        ("id,name,c\n1,a,b\n2,a\n", 3, "2,a"),
        ("id,name,c\n1,a,\n2,a\n", 3, "2,a"),
        ('id,name,c\n1,"a,\nb",c\n2,"a,b"\n', 3, "2,a,b"),
        ("id,name,c\n1,a,b\n\n2,a,b,c\n", 4, "2,a,b,c"),
        ("id,name,c\n1,a,b,\n", 2, "1,a,b,"),
        ("id,c,name\n1,a,b\n2,cup, red,x\n", 3, "2,cup, red,x"),
        ("c,id,name\n1,a,\n2,cup, red,x\n3\n", 3, "2,cup, red,x"),
        ('c,id,name\n1,"a,b",c\n2,"x",y,z\n', 3, "2,x,y,z"),
        ("id\n1\n2,3\n", 3, "2,3"),
    ],
)
def test_rows_that_are_too_short_or_too_long(text: str, row: int, value: str, tmp_path: Path) -> None:
    # The contract knows id and name only: what is not read must not hide a row that is cut wrongly.
    for contract in (TWO, None):
        try:
            faults = read(text, tmp_path, contract).broken
        except InputRejected as error:  # no other row is left
            faults = error.faults
        assert (faults[0].row, faults[0].value, faults[0].rule) == (row, value, "fields")


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n\r\n"])
def test_empty_lines_at_the_end_are_no_rows(end: str, tmp_path: Path) -> None:
    assert cells(read(f"id,c,name\n1,x,a\n2,y,{end}", tmp_path)) == [("1", "a"), ("2", None)]


def test_rows_that_are_cut_wrongly_are_left_to_who_judges_bad_rows(tmp_path: Path) -> None:
    raw = read("id,name\n" + "".join(f"{n},a\n{n}\n" for n in range(50)), tmp_path)
    assert [f.row for f in raw.broken] == list(range(3, 102, 2))
    assert raw.frame.height == 50
    from cbec.core import check

    checked = check.check(TWO, raw, Common())
    assert (checked.rows, checked.total, checked.good.height, len(checked.faults)) == (100, 50, 50, 20)
    assert checked.rejects.row(0, named=True)["table"] == "two"
    assert checked.rejects["value"][0] == "0"


def test_lines_that_are_no_json_object_are_left_to_who_judges_bad_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{"id": "1", "name": "a"}\n{"id": "2"\n[3]\n\n{"id": "5", "name": "e"}\n'
    raw = read(text, tmp_path)
    assert [(f.row, f.rule, f.value) for f in raw.broken] == [(2, "json", '{"id": "2"'), (3, "json", "[3]")]
    assert cells(raw) == [("1", "a"), ("5", "e")]
    assert raw.frame[files.ROW].to_list() == [1, 5]
    monkeypatch.setattr("cbec.core.selfdescribed.MOST", 1)
    assert refused(text, tmp_path).total == 2


def test_a_file_of_nothing_but_wrong_rows_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = refused("id,name\n" + "1\n" * 50, tmp_path)
    assert (error.total, len(error.faults)) == (50, 20)
    monkeypatch.setattr("cbec.core.delimited.MOST", 10)
    error = refused("id,name\n" + "1,a\n2\n" * 50, tmp_path)
    assert (error.total, len(error.faults)) == (50, 10)


def test_a_file_without_rows_among_others_is_named(tmp_path: Path) -> None:
    for name, text in (("1.csv", "id\n1\n"), ("2.csv", "id\n"), ("3.csv", "id\n3\n")):
        (tmp_path / name).write_text(text, "utf-8")
    raw = files.read(TWO, [str(tmp_path / "*.csv")], Common())
    assert raw.frame["id"].to_list() == ["1", "3"]
    assert raw.notes == [f"{tmp_path}/2.csv: no rows, only a header"]
    with pytest.raises(NoRows):
        files.read(TWO, [str(tmp_path / "2.csv")], Common())


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"id,name\n", "no rows"),
        (b"id,name", "no rows"),
        (b"id,name\n\n\n", "no rows"),
        (b"PAR1 this is no parquet", "broken Parquet"),
        (b"ARROW1 this is no arrow", "broken Arrow"),
        (b"PK\x03\x04 this is no workbook", "broken workbook"),
        (gzip.compress(b"id,name\n1,a\n", mtime=0)[:-9], "broken gzip"),
        (b'[{"id": 1}]', "JSON array"),
        (b"<!DOCTYPE html><p>Log in", "page of HTML"),
        (bytes(range(256)).replace(b"\0", b"") * 9, "--encoding|neither"),
    ],
)
def test_what_is_no_table(data: bytes, what: str, tmp_path: Path) -> None:
    error = refused(data, tmp_path)
    assert re.search(what, error.message)


@pytest.mark.parametrize(
    ("text", "row", "column", "rule"),
    [
        ("id,name\n1,a\n2,b\0\n", 3, None, "nul"),
        ("id,name,id\n1,a,2\n", 1, "id", "header"),
        ('id,name\n1,a\n2,"b\n', 3, None, "quotes"),
        ('id,name\n1,"a"b\n', 2, None, "quotes"),
        ('id,name\n1,"a\n2,b\n3,"c"\n4,d\n', 2, None, "quotes"),
        ('{"id": 2\n', 1, None, "json"),
    ],
)
def test_the_place_of_what_is_wrong(text: str, row: int, column: str | None, rule: str, tmp_path: Path) -> None:
    assert [(f.row, f.column, f.rule) for f in refused(text, tmp_path).faults] == [(row, column, rule)]


def test_long_cells_and_stray_quotes(tmp_path: Path) -> None:
    long = "x" * 200_000
    assert cells(read(f'id,name\n1,{long}\n2,5" disk\n', tmp_path)) == [("1", long), ("2", '5" disk')]


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("id\n1\n", "utf-8")
    with pytest.raises(InputRejected, match=r'no such file; did you mean "sales.csv"'):
        files.read(TWO, [str(tmp_path / "sale.csv")], Common())
    with pytest.raises(InputRejected, match="no file matches"):
        files.read(TWO, [str(tmp_path / "*.parquet")], Common())
    with pytest.raises(InputRejected, match="holds no"):
        files.read(TWO, [str(tmp_path)], Common())


# Several files


def test_files_are_joined_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n", "utf-8")
    (tmp_path / "b.csv").write_bytes("品名;编号\n杯;2\n".encode("gb18030"))
    (tmp_path / "c.csv").write_text("id\n3\n", "utf-8")
    pl.DataFrame({"id": [4]}).write_parquet(tmp_path / "d.csv")
    raw = files.read(TWO, [str(tmp_path / "*.csv")], Common())
    assert [Path(s.name).name for s in raw.sources] == ["a.csv", "b.csv", "c.csv", "d.csv"]
    assert raw.frame.select("__row", "id", "name", "编号", "品名").rows() == [
        (2, "1", "a", None, None),
        (2, None, None, "2", "杯"),
        (2, "3", None, None, None),
        (2, "4", None, None, None),
    ]
    from cbec.core import check

    assert check.check(TWO, raw, Common()).good.rows() == [("1", "a"), ("2", "杯"), ("3", None), ("4", None)]


def test_a_file_is_not_counted_twice(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n", "utf-8")
    with pytest.raises(UsageFault, match="named twice"):
        files.read(TWO, [str(tmp_path / "a.csv"), str(tmp_path / "*.csv")], Common())


def test_a_copy_or_another_spelling_of_a_file_is_not_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "a (1).csv"):
        Path(name).write_text("id\n1\n", "utf-8")
    Path("link.csv").symlink_to("a.csv")
    for other in ("./a.csv", "link.csv"):
        with pytest.raises(UsageFault, match=f"{other} is named twice, as a.csv too"):
            files.read(None, ["a.csv", other], Common())
    with pytest.raises(InputRejected, match="holds the same bytes as a"):
        files.read(None, ["a*.csv"], Common())
    with pytest.raises(UsageFault, match="once only"):
        files.read(TWO, ["-", "-"], Common())
    for market in ("DE", "FR"):  # equal bytes, but the folders tell them apart
        Path(f"parts/name={market}").mkdir(parents=True)
        pl.DataFrame({"id": ["1"]}).write_parquet(f"parts/name={market}/0.parquet")
    assert cells(files.read(TWO, ["parts"], Common())) == [("1", "DE"), ("1", "FR")]


def test_each_file_proves_its_own_marks_and_orders(tmp_path: Path) -> None:
    from cbec.core import check

    contract = Contract("t", "", (Column("id", "text"), Column("day", "date"), Column("x", "float")), key=("id",))
    (tmp_path / "a.csv").write_text("id;day;x\n1;13/1/2025;1,5\n2;2/3/2025;1.234\n", "utf-8")
    (tmp_path / "b.csv").write_text('id,day,x\n3,1/13/2025,1.5\n4,2/3/2025,"1,234"\n', "utf-8")
    found = check.check(contract, files.read(contract, [str(tmp_path / "*.csv")], Common()), Common())
    assert [(str(day), x) for _, day, x in found.good.rows()] == [
        ("2025-01-13", 1.5),
        ("2025-03-02", 1234.0),
        ("2025-01-13", 1.5),
        ("2025-02-03", 1234.0),
    ]


def test_a_folder_of_parquet_keeps_partitions_as_text(tmp_path: Path) -> None:
    for market, sku in (("NA", "007"), ("DE", "08")):
        folder = tmp_path / f"market={market}" / f"sku={sku}"
        folder.mkdir(parents=True)
        pl.DataFrame({"units": [1.5, 2.5]}).write_parquet(folder / "part-0.parquet")
    (tmp_path / "_SUCCESS").write_text("", "utf-8")
    raw = files.read(None, [str(tmp_path)], Common())
    assert raw.frame.select("__row", "units", "market", "sku").rows() == [
        (2, 1.5, "DE", "08"),
        (3, 2.5, "DE", "08"),
        (2, 1.5, "NA", "007"),
        (3, 2.5, "NA", "007"),
    ]


def test_an_object_store_is_read_by_polars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file:// address goes the way of s3:// ones.
    monkeypatch.setattr(files, "CLOUD", ("file://",))
    (tmp_path / "a.csv").write_text('id;name\n007;"x\ny"\n', "utf-8")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"id,name\n08,z\n"))
    folder = tmp_path / "lake" / "name=NA"
    folder.mkdir(parents=True)
    pl.DataFrame({"id": ["1", "2"]}).write_parquet(folder / "part.parquet")
    raw = files.read(
        TWO, [f"file://{tmp_path}/a.csv", f"file://{tmp_path}/b.csv.gz", f"file://{tmp_path}/lake/"], Common()
    )
    assert raw.frame.select("__row", "id", "name").rows() == [
        (2, "007", "x\ny"),
        (2, "08", "z"),
        (2, "1", "NA"),
        (3, "2", "NA"),
    ]
    assert [Path(s.name).name for s in raw.sources] == ["a.csv", "b.csv.gz", "part.parquet"]
    with pytest.raises(InputRejected, match="no such object"):
        files.read(TWO, [f"file://{tmp_path}/none.csv"], Common())
    (tmp_path / "c.csv").write_bytes("编号\n1\n".encode("gb18030"))
    with pytest.raises(InputRejected, match="not UTF-8"):
        files.read(TWO, [f"file://{tmp_path}/c.csv"], Common())


def test_standard_input_tells_its_kind_by_its_first_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"id": ["007"], "name": ["a"]})
    for kind in ("csv", "csv.gz", "tsv", "parquet", "ndjson", "arrow", "xlsx"):
        data = io.TextIOWrapper(io.BytesIO(files.to_bytes(frame, kind)))
        monkeypatch.setattr(sys, "stdin", data)
        raw = files.read(TWO, ["-"], Common())
        assert cells(raw) == [("007", "a")], kind
        assert raw.frame["__file"][0] == "-"


# Writing


KINDS = ["csv", "csv.gz", "tsv", "parquet", "ndjson", "arrow", "xlsx"]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_tables_give_equal_bytes(kind: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["007", "=1+1"], "x": [0.1, 2.0]})
    with Staging() as staging:
        files.write(frame, tmp_path / f"out.{kind}", staging)
    assert (tmp_path / f"out.{kind}").read_bytes() == files.to_bytes(frame, kind) == files.to_bytes(frame.clone(), kind)


def test_a_csv_is_plain() -> None:
    from datetime import date, datetime
    from decimal import Decimal

    frame = pl.DataFrame(
        {
            "day": [date(2025, 1, 3)],
            "at": [datetime(2025, 1, 3, 10, 30)],
            "x": [1.5],
            "money": [Decimal("2.50")],
            "yes": [True],
            "text": ['a "b", c'],
            "none": [None],
        },
        schema_overrides={"none": pl.String, "money": pl.Decimal(38, 2)},
    )
    assert files.to_bytes(frame, "csv") == (
        b'day,at,x,money,yes,text,none\n2025-01-03,2025-01-03T10:30:00,1.5,2.50,true,"a ""b"", c",\n'
    )


def test_an_unknown_suffix_is_wrong_usage(tmp_path: Path) -> None:
    with Staging() as staging, pytest.raises(UsageFault, match="suffix"):
        files.write(pl.DataFrame({"id": ["1"]}), tmp_path / "out.doc", staging)
    assert not list(tmp_path.iterdir())


def test_formula_cells_are_neutralised_where_people_open_them() -> None:
    frame = pl.DataFrame({"t": ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a=1", None, ""], "n": [-1.0] * 9})
    assert files.neutralise(frame)["t"].to_list() == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "a=1", None, ""]
    assert files.neutralise(frame)["n"].to_list() == [-1.0] * 9


def test_a_workbook_keeps_formula_like_text_as_text(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": ["=1+1", "007"], "name": ["http://x", "-"]})
    assert cells(read(files.to_bytes(frame, "xlsx"), tmp_path)) == frame.rows()


def test_a_workbook_of_several_sheets_says_which_is_read(tmp_path: Path) -> None:
    target = io.BytesIO()
    import xlsxwriter

    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        for name, rows in (("orders", [["id", "name"], ["007", 1.5], [], ["8", None]]), ("notes", [["x"]])):
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    raw = read(target.getvalue(), tmp_path)
    assert raw.frame.select("__row", "id", "name").rows() == [(2, "007", "1.5"), (4, "8", None)]
    assert raw.notes == [f'{tmp_path / "in.dat"}: only the first sheet, "orders", is read']


def test_a_workbook_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbec.core.writing.SHEET_ROWS", 1)
    with pytest.raises(UsageFault, match="the table has 2"):
        files.to_bytes(pl.DataFrame({"id": ["1", "2"]}), "xlsx")


def test_a_workbook_without_the_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = files.to_bytes(pl.DataFrame({"id": ["1"]}), "xlsx")
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    for use in (lambda: read(data, tmp_path), lambda: files.to_bytes(pl.DataFrame({"id": ["1"]}), "xlsx")):
        with pytest.raises(EnvironmentFailed) as caught:
            use()
        assert caught.value.hint == "pip install cbec[excel]"


# Round trips

# Anything a cell of text may hold; a lone carriage return is an end of line in CSV, and NUL is no text.
TEXT = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1, max_size=12)
TABLE = st.lists(st.tuples(TEXT, TEXT | st.none()), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows=TABLE, kind=st.sampled_from(["csv", "csv.gz", "tsv", "parquet", "ndjson", "arrow"]))
def test_what_is_written_is_read_again(
    rows: list[tuple[str, str | None]], kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frame = pl.DataFrame(rows, schema={"id": pl.String, "name": pl.String}, orient="row")
    raw = read(files.to_bytes(frame, kind), tmp_path_factory.mktemp("trip"))
    assert_frame_equal(raw.frame.select("id", pl.col("name").cast(pl.String)), frame)


@settings(max_examples=60, deadline=None)
@given(rows=TABLE, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), mark=st.sampled_from([",", ";", "\t"]))
def test_any_text_in_any_guise(
    rows: list[tuple[str, str | None]], encoding: str, mark: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frame = pl.DataFrame(rows, schema={"id": pl.String, "name": pl.String}, orient="row")
    text = frame.write_csv(separator=mark, quote_style="always")
    raw = read(text.encode(encoding), tmp_path_factory.mktemp("guise"))
    assert raw.delimiter == mark
    # A quoted empty cell is an empty text to the reader, and empty to the contract.
    assert_frame_equal(
        raw.frame.select("id", pl.col("name").fill_null("")), frame.with_columns(pl.col("name").fill_null(""))
    )
