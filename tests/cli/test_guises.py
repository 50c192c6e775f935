"""The same table in every guise gives the same bytes; a wrong one is refused by name and leaves nothing behind."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import polars as pl
import pytest
from support.shop import sales_csv, sales_rows

CHINESE = "日期,商品编码,国家,数量,单价,币种"


def german(number: float) -> str:
    return f"{number:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def guises(folder: Path) -> dict[str, Path]:
    text, rows = sales_csv(), sales_rows()
    body = text.split("\n", 1)[1]
    shuffled = rows.copy()
    random.Random(3).shuffle(shuffled)
    semicolon = "date;sku;market;units;price;currency\n" + "".join(
        f"{d:%d.%m.%Y};{s};{m};{u};{german(p)};{c}\n" for d, s, m, u, p, c in rows
    )
    contents = {
        "utf8.csv": text.encode(),
        "bom.csv": text.encode("utf-8-sig"),
        "utf16.csv": text.encode("utf-16"),
        "gb18030.csv": (CHINESE + "\n" + body).encode("gb18030"),
        "semicolon.csv": semicolon.encode(),
        "tab.tsv": text.replace(",", "\t").encode(),
        "crlf.csv": text.replace("\n", "\r\n").encode(),
        "packed.csv.gz": gzip.compress(text.encode()),
        "shuffled.csv": sales_csv(shuffled).encode(),
    }
    made = {}
    for name, data in contents.items():
        made[name] = folder / name
        made[name].write_bytes(data)
    frame = pl.DataFrame(rows, schema=["date", "sku", "market", "units", "price", "currency"], orient="row")
    frame.write_parquet(folder / "typed.parquet")
    made["typed.parquet"] = folder / "typed.parquet"
    (folder / "parts").mkdir()
    frame[:200].write_parquet(folder / "parts" / "a.parquet")
    frame[200:].write_parquet(folder / "parts" / "b.parquet")
    made["a folder of Parquet"] = folder / "parts"
    for i, part in enumerate((rows[:100], rows[100:])):
        (folder / f"glob{i}.csv").write_text(sales_csv(part), "utf-8")
    made["a quoted glob"] = folder / "glob*.csv"
    return made


def test_every_guise_gives_the_same_bytes(inside, tmp_path, capfd):
    (tmp_path / "in").mkdir()
    outputs = {}
    for name, path in guises(tmp_path / "in").items():
        status = inside("forecast", "demand", "--sales", path, "--horizon", "4", "-o", tmp_path / "out.csv", "-q")
        assert status == 0, f"{name}: {capfd.readouterr().err}"
        outputs[name] = (tmp_path / "out.csv").read_bytes()
    assert b"007,DE" in outputs["utf8.csv"]
    different = [name for name, data in outputs.items() if data != outputs["utf8.csv"]]
    assert not different


def test_standard_input_is_a_guise_too(cbec, tmp_path):
    text = sales_csv()
    (tmp_path / "sales.csv").write_text(text, "utf-8")
    from_file = cbec("forecast", "demand", "--sales", "sales.csv", "--horizon", "4")
    piped = cbec("forecast", "demand", "--sales", "-", "--horizon", "4", stdin=text)
    packed = cbec("forecast", "demand", "--sales", "-", "--horizon", "4", stdin=gzip.compress(text.encode("utf-16")))
    assert from_file.returncode == piped.returncode == packed.returncode == 0, piped.stderr + packed.stderr
    assert from_file.stdout == piped.stdout == packed.stdout


GOOD = sales_csv()
BAD = {
    "empty": (b"", ["empty.csv"]),
    "header-alone": (GOOD.split("\n")[0].encode() + b"\n", ["header-alone.csv", "no rows"]),
    "garbage": (b"PAR1" + bytes(range(200)), ["garbage.csv"]),
    "ambiguous-dates": (
        b"date,sku,market,units\n03/01/2026,a,DE,1\n04/02/2026,a,DE,2\n",
        ["ambiguous-dates.csv", "date", "--date-order"],
    ),
    "misspelt": (GOOD.replace("units", "unitz", 1).encode(), ["misspelt.csv", "units", 'did you mean "unitz"']),
    "three-bad-rows": (
        (GOOD + "2026-13-01,x,DE,1,1,EUR\n2026-02-01,x,DE,many,1,EUR\n2026-02-02,x,DE,1,1,Euro\n").encode(),
        [
            "three-bad-rows.csv row 422",
            '"date"',
            "2026-13-01",
            "row 423",
            '"units"',
            "many",
            "row 424",
            '"currency"',
            "Euro",
        ],
    ),
    "nul": (GOOD.encode() + b"2026-02-01,\x00,DE,1,1,EUR\n", ["nul.csv"]),
    "ragged": (GOOD.encode() + b"2026-02-01,x,DE\n", ["ragged.csv", "row 422"]),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_input_is_named_and_nothing_is_written(cbec, tmp_path, name):
    data, words = BAD[name]
    (tmp_path / f"{name}.csv").write_bytes(data)
    done = cbec("forecast", "demand", "--sales", f"{name}.csv", "-o", "out.csv", "--write-prepared", "prepared.csv")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} not told: {done.stderr}"
    assert {p.name for p in tmp_path.iterdir()} <= {f"{name}.csv", "state"}


def test_good_rows_go_on_when_asked_and_the_bad_ones_are_kept(cbec, tmp_path):
    data, _ = BAD["three-bad-rows"]
    (tmp_path / "sales.csv").write_bytes(data)
    (tmp_path / "good.csv").write_text(GOOD, "utf-8")
    done = cbec(
        "forecast",
        "demand",
        "--sales",
        "sales.csv",
        "--horizon",
        "4",
        "--max-bad",
        "0.01",
        "--rejects",
        "bad.csv",
        "-o",
        "out.csv",
    )
    assert done.returncode == 0, done.stderr
    assert "3 of 423 rows left out" in done.stderr
    cbec("forecast", "demand", "--sales", "good.csv", "--horizon", "4", "-o", "clean.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "clean.csv").read_bytes()
    bad = pl.read_csv(tmp_path / "bad.csv", infer_schema=False)
    assert bad["row"].to_list() == ["422", "423", "424"]
    assert bad["value"].to_list() == ["2026-13-01", "many", "Euro"]
    over = cbec("forecast", "demand", "--sales", "sales.csv", "--max-bad", "0.001", "-o", "none.csv")
    assert over.returncode == 3


def test_codes_keep_their_zeros(cbec, shop):
    done = cbec("compliance", "tax", "--order-lines", "order_lines.csv", "-o", "tax.csv")
    assert done.returncode == 0, done.stderr
    assert (shop / "tax.csv").read_text("utf-8").splitlines()[1].startswith("0001,1,")
    demand = cbec("forecast", "demand", "--sales", "sales.csv", "--horizon", "2", "-o", "-")
    assert "\n007,DE," in demand.stdout
