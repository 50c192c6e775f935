"""One table of sales in every guise that exports come in: the same good rows, cell by cell."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cbec import tables
from cbec.core import check, files
from cbec.core.command import Common
from cbec.core.errors import EnvironmentFailed, InputRejected

SALES = tables.get("sales")

ROWS = [
    # date, sku, market, units, price, currency, promo
    ("2025-01-03", "007", "DE", "1", "1234.5", "EUR", "true"),
    ("2025-01-13", "007", "DE", "2.5", "19.99", "EUR", "false"),
    ("2025-02-01", "0101210000", "NA", "10", "1000", "USD", "false"),
    ("2025-02-28", "红色水杯", "FR", "-3", "0.5", "EUR", ""),
    ("2025-12-31", 'A "quoted", cup', "FR", "4", "", "", "true"),
]
NAMES = ["date", "sku", "market", "units", "price", "currency", "promo"]
CHINESE = ["日期", "商品编码", "国家", "数量", "单价", "币种", "促销"]


def text(rows: list[tuple[str, ...]] = ROWS, names: list[str] = NAMES, mark: str = ",", end: str = "\n") -> str:
    def cell(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if any(c in value for c in f'{mark}"\r\n') else value

    return "".join(mark.join(cell(v) for v in row) + end for row in [tuple(names), *rows])


def european(rows: list[tuple[str, ...]] = ROWS) -> str:
    """Semicolons, a decimal comma, points between thousands, d.m.y."""
    changed = []
    for date, sku, market, units, price, currency, promo in rows:
        year, month, day = date.split("-")
        whole, _, part = price.partition(".")
        grouped = f"{int(whole):,}".replace(",", ".") + (f",{part}" if part else "") if price else ""
        changed.append((f"{day}.{month}.{year}", sku, market, units.replace(".", ","), grouped, currency, promo))
    return text(changed, mark=";")


def american(rows: list[tuple[str, ...]] = ROWS) -> str:
    """m/d/y and commas between thousands."""
    changed = []
    for date, sku, market, units, price, currency, promo in rows:
        year, month, day = date.split("-")
        grouped = f"{float(price):,}" if price else ""
        changed.append((f"{int(month)}/{int(day)}/{year}", sku, market, units, grouped, currency, promo))
    return text(changed)


def chinese(rows: list[tuple[str, ...]] = ROWS) -> str:
    changed = []
    for date, *rest, promo in rows:
        year, month, day = date.split("-")
        changed.append((f"{year}年{int(month)}月{int(day)}日", *rest, {"true": "是", "false": "否", "": ""}[promo]))
    return text(changed, names=CHINESE)


def workbook() -> bytes:
    frame = pl.DataFrame(ROWS, schema=NAMES, orient="row").with_columns(
        pl.col("price").str.replace("^$", "").alias("price")
    )
    return files.to_bytes(frame, "xlsx")


def typed() -> pl.DataFrame:
    frame = pl.DataFrame(ROWS, schema=NAMES, orient="row")
    frame = frame.with_columns(pl.when(pl.all() != "").then(pl.all()))
    return frame.with_columns(
        pl.col("date").str.to_date(),
        pl.col("units", "price").cast(pl.Float64),
        pl.col("promo").replace_strict({"true": True, "false": False}),
    )


GUISES: dict[str, Callable[[], bytes]] = {
    "utf-8": lambda: text().encode(),
    "byte order mark": lambda: text().encode("utf-8-sig"),
    "utf-16": lambda: text().encode("utf-16"),
    "utf-16 big endian": lambda: b"\xfe\xff" + text().encode("utf-16-be"),
    "gb18030 with Chinese headers": lambda: chinese().encode("gb18030"),
    "Chinese headers": lambda: chinese().encode(),
    "semicolon, decimal comma, d.m.y": lambda: european().encode(),
    "m/d/y, thousands": lambda: american().encode(),
    "tab": lambda: text(mark="\t").encode(),
    "CRLF": lambda: text(end="\r\n").encode(),
    "CR": lambda: text(end="\r").encode(),
    "no end of line at the end": lambda: text().rstrip("\n").encode(),
    "gzip": lambda: gzip.compress(text().encode()),
    "gzip of utf-16 tab": lambda: gzip.compress(text(mark="\t").encode("utf-16")),
    "parquet": lambda: files.to_bytes(typed(), "parquet"),
    "parquet of text": lambda: files.to_bytes(pl.DataFrame(ROWS, schema=NAMES, orient="row"), "parquet"),
    "parquet of categories": lambda: files.to_bytes(
        typed().with_columns(pl.col("sku", "market").cast(pl.Categorical)), "parquet"
    ),
    "arrow": lambda: files.to_bytes(typed(), "arrow"),
    "arrow stream": lambda: _stream(typed()),
    "ndjson": lambda: files.to_bytes(typed(), "ndjson"),
    "xlsx": workbook,
    "shuffled": lambda: text(random.Random(7).sample(ROWS, len(ROWS))).encode(),
    "shuffled European": lambda: european(random.Random(3).sample(ROWS, len(ROWS))).encode(),
    "other order of columns": lambda: text([row[::-1] for row in ROWS], NAMES[::-1]).encode(),
}


def _stream(frame: pl.DataFrame) -> bytes:
    target = io.BytesIO()
    frame.write_ipc_stream(target)
    return target.getvalue()


def good(path: Path, common: Common | None = None) -> pl.DataFrame:
    common = common or Common()
    checked = check.check(SALES, files.read(SALES, [str(path)], common), common)
    assert checked.total == 0, checked.faults
    return checked.good.sort("date", "sku")


@pytest.fixture(scope="module")
def expected() -> pl.DataFrame:
    absent = pl.lit(None, pl.String)
    return pl.DataFrame(
        {
            "date": ["2025-01-03", "2025-01-13", "2025-02-01", "2025-02-28", "2025-12-31"],
            "sku": ["007", "007", "0101210000", "红色水杯", 'A "quoted", cup'],
            "market": ["DE", "DE", "NA", "FR", "FR"],
            "units": [1.0, 2.5, 10.0, -3.0, 4.0],
            "price": [1234.5, 19.99, 1000.0, 0.5, None],
            "currency": ["EUR", "EUR", "USD", "EUR", None],
            "promo": [True, False, False, None, True],
        }
    ).select(
        pl.col("date").str.to_date(),
        "sku",
        "market",
        absent.alias("warehouse"),
        absent.alias("channel"),
        "units",
        "price",
        "currency",
        "promo",
        pl.lit(None, pl.Boolean).alias("in_stock"),
    )


@pytest.mark.parametrize("guise", GUISES)
def test_every_guise_gives_the_same_rows(guise: str, expected: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "export.dat"  # no suffix tells anything
    path.write_bytes(GUISES[guise]())
    assert_frame_equal(good(path), expected)


# Lengths inside a damaged Arrow or Parquet file can make native code ask for more memory than there is, and abort.
TEXTUAL = sorted(name for name in GUISES if not name.startswith(("arrow", "parquet")))


@settings(max_examples=80, deadline=None)
@given(guise=st.sampled_from(TEXTUAL), data=st.data())
def test_a_damaged_file_is_a_table_or_a_refusal(
    guise: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(GUISES[guise]())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        scrap = st.sampled_from([b'"', b",", b";", b"\n", b"\0", b"\xff", b"\xe9", b'""', b"1e999", b"1,234"])
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(scrap)
    path = tmp_path_factory.mktemp("damaged") / "export.dat"
    path.write_bytes(content)
    try:
        checked = check.check(SALES, files.read(SALES, [str(path)], Common()), Common())
    except (InputRejected, EnvironmentFailed):
        return
    assert checked.whole or checked.good.height <= checked.rows
    assert checked.total == checked.rejects.height
