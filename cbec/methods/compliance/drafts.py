"""Returns as files: a tidy CSV for each, JSON for the United Kingdom, the CSV of the German office for the Union scheme."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods.compliance.packs import read_yaml

if TYPE_CHECKING:
    from cbec.methods.compliance.filing import Filing
    from cbec.methods.compliance.returns import Return, Row

SELLER_KEYS = ("name", "address", "country", "eori", "phone", "email")
MTD = {
    "1": "vatDueSales", "2": "vatDueAcquisitions", "3": "totalVatDue", "4": "vatReclaimedCurrPeriod", "5": "netVatDue",
    "6": "totalValueSalesExVAT", "7": "totalValuePurchasesExVAT", "8": "totalValueGoodsSuppliedExVAT", "9": "totalAcquisitionsExVAT",
}  # fmt: skip
"""Names of the boxes in HMRC's interface Making Tax Digital for VAT."""
MONEY = frozenset(
    ["net", "tax", "amount", "intrinsic_value", "transport_insurance", "consignment_value", "value", "总价", "运保费"]
)
COLUMNS = ("Land des Verbrauchs", "Umsatzsteuertyp", "Umsatzsteuersatz", "Nettobetrag", "Umsatzsteuerbetrag")


def seller(path: str) -> dict[str, Any]:
    """The seller's own data from a YAML file ('' = none); UsageFault for an unknown key or no such file."""
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            told = read_yaml(file.read(), path)
    except OSError as error:
        raise UsageFault(
            f"--seller: {path} cannot be read", hint="a YAML file with " + ", ".join(SELLER_KEYS)
        ) from error
    for key in told:
        if key not in SELLER_KEYS:
            raise UsageFault(f'--seller: {path}: key "{key}" is not known{did_you_mean(str(key), SELLER_KEYS)}')
    address = told.get("address")
    return told | {"address": address if isinstance(address, list) else [address] if address else []}


def of_returns(
    filing: Filing, due: pl.DataFrame, registrations: pl.DataFrame | None, mark: str
) -> tuple[dict[str, bytes], list[str]]:
    """Files by name, and notes on what they cannot hold. due: the table returns_due; mark: comma or point."""
    files: dict[str, bytes] = {}
    notes: list[str] = []
    for one in filing.returns:
        name = one.id.replace(" ", "_").replace("..", "_to_").replace(".", "-")
        rows = due.filter(due["return_id"] == one.id).drop("_state")
        files[f"{name}.csv"] = tidy(rows)
        if one.rule is not None and one.rule.form == "gb":
            files[f"{name}.json"] = uk_json(one)
        if one.rule is not None and one.rule.registration == "OSS" and one.state == "DE":
            files[f"{name}_bzst.csv"] = bzst_records(one, numbers(registrations), mark)
            if bzst_fits(one):
                files[f"{name}_bzst_columns.csv"] = bzst_columns(one, mark)
            if any(r.corrected for r in one.rows):
                notes.append(
                    f"{one.id}: corrections of earlier periods are not in the CSV of the German office; enter them in its form"
                )
    return files, notes


def tidy(frame: pl.DataFrame) -> bytes:
    """UTF-8 CSV; amounts of money with two decimals at least, other decimals without zeros that say nothing.

    Cells that a spreadsheet would run as a formula are neutralised: people open these files.
    """
    from cbec.core.files import neutralise

    frame, plain = neutralise(frame), []
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Decimal):
            text = pl.col(name).cast(pl.String)
            cut = r"(\.\d\d\d*?)0+$" if name in MONEY else r"(\.\d*[1-9])0+$|\.0+$"
            plain.append(text.str.replace(cut, "$1"))
    return frame.with_columns(plain).write_csv().encode()


def numbers(registrations: pl.DataFrame | None) -> dict[str, str]:
    """VAT numbers of the seller by country."""
    if registrations is None:
        return {}
    own = registrations.filter(registrations["scheme"] == "VAT").drop_nulls("number").sort("country")
    return dict(own.select("country", "number").iter_rows())


def uk_json(one: Return) -> bytes:
    """Boxes under the names of Making Tax Digital; `periodKey` and `finalised` are for the software that submits."""
    amounts = {r.box: r.amount for r in one.rows}
    told = [f'  "{name}": {amounts[box]:.{0 if box in "6789" else 2}f}' for box, name in MTD.items()]
    return ("{\n" + ",\n".join(told) + "\n}\n").encode()


def _mark(value: Decimal | None, mark: str) -> str:
    text = f"{value or Decimal(0):.2f}"
    return text.replace(".", ",") if mark == "comma" else text


def _lines(one: Return) -> list[Row]:
    """Lines that the office takes: no corrections, and none of zero."""
    return [r for r in one.rows if r.kind == "line" and not r.corrected and (r.net or r.tax)]


def _state(country: str | None) -> str:
    return "EL" if country == "GR" else country or ""


def _written(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return ("".join(f"{line}\r\n" for line in first) + out.getvalue()).encode()


def bzst_records(one: Return, vat_numbers: Mapping[str, str], mark: str) -> bytes:
    """Records of the German office for the Union scheme, UTF-8, first line the version of its import (#v2.0).

    1: a country of consumption; 3: goods from Germany (country, type, rate, net, tax); 5: goods from another state
    (country, 1 = not as deemed supplier, state, VAT number, tax number, type, rate, net, tax). The office's guide asks for a
    point in decimals, a user of it found that only a comma is taken: hence `mark`.
    """
    rows: list[list[str]] = [["1", _state(c)] for c in sorted({r.country or "" for r in _lines(one)})]
    for r in _lines(one):
        money = [r.rate_type or "STANDARD", _mark(r.rate, mark), _mark(r.net, mark), _mark(r.tax, mark)]
        if r.dispatch is None:
            rows.append(["3", _state(r.country), *money])
        else:
            rows.append(["5", _state(r.country), "1", _state(r.dispatch), vat_numbers.get(r.dispatch, ""), "", *money])
    return _written(["#v2.0"], rows)


def bzst_fits(one: Return) -> bool:
    """Whether the layout with one kind of record can hold the return: goods from the state itself, no corrections."""
    return not any(r.dispatch or r.corrected for r in one.rows)


def bzst_columns(one: Return, mark: str) -> bytes:
    """The older layout with one kind of record: #v1.0, #ve1.1.0, names of columns, a line per country and rate."""
    rows = [
        [_state(r.country), r.rate_type or "STANDARD", _mark(r.rate, mark), _mark(r.net, mark), _mark(r.tax, mark)]
        for r in _lines(one)
    ]
    return _written(["#v1.0", "#ve1.1.0", ",".join(COLUMNS)], rows)
