"""Customs papers as files: tidy CSV and JSON, and HTML to print."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any

import polars as pl

from cbec.methods.compliance.customs_items import NEEDED, summary_9610
from cbec.methods.compliance.drafts import tidy
from cbec.methods.compliance.filing_rules import papers
from cbec.methods.compliance.periods import due_date, parse

H7 = (
    "consignment", "item", "date", "ship_from", "ship_to", "sku", "description", "hs6", "origin", "qty", "gross_weight_kg", "intrinsic_value",
    "transport_insurance", "currency", "consignment_value", "ioss_number", "missing",
)  # fmt: skip
FORM = (
    "consignment", "item", "postal_form", "ship_from", "ship_to", "description", "qty", "net_weight_kg", "gross_weight_kg", "intrinsic_value",
    "currency", "hs6", "origin", "transport_insurance", "missing",
)  # fmt: skip
INVOICE = (
    "consignment", "item", "date", "ship_from", "ship_to", "buyer", "incoterm", "description", "sku", "hs_code", "origin", "qty",
    "net_weight_kg", "gross_weight_kg", "intrinsic_value", "transport_insurance", "currency", "missing",
)  # fmt: skip
LIST_9610 = {
    "consignment": "订单编号", "item": "序号", "date": "日期", "ship_to": "运抵国", "hs_code": "商品编码", "description": "商品名称", "sku": "货号",
    "qty": "数量", "net_weight_kg": "净重", "intrinsic_value": "总价", "transport_insurance": "运保费", "currency": "币制",
    "export_regime": "监管方式", "missing": "缺项",
}  # fmt: skip
SUMMARY_9610 = {
    "month": "月份", "ship_to": "运抵国", "hs_code": "商品编码", "currency": "币制", "lists": "清单数", "items": "项数", "qty": "数量",
    "net_weight_kg": "净重", "value": "总价", "due": "申报截止",
}  # fmt: skip


def files(items: pl.DataFrame, seller: Mapping[str, Any]) -> dict[str, bytes]:
    """Files by name for the table customs_items; nothing for papers that no consignment needs."""
    found: dict[str, bytes] = {}
    for data_set in ("H7", "H1"):
        own = items.filter(pl.col("import_data_set") == data_set)
        if own.height:
            found[f"{data_set.lower()}.csv"] = tidy(own.select(H7))
    h7 = items.filter(pl.col("import_data_set") == "H7")
    if h7.height:
        found["h7.json"] = _h7_json(h7, seller)
    post = items.filter(pl.col("postal_form").is_not_null())
    if post.height:
        found["cn22_cn23.csv"] = tidy(post.select(FORM))
        found["cn22_cn23.html"] = _page("CN22 and CN23", _sheets(post, seller, postal=True))
    rest = items.filter(pl.col("postal_form").is_null())
    if rest.height:
        found["commercial_invoices.csv"] = tidy(rest.select(INVOICE))
        found["commercial_invoices.html"] = _page("Commercial invoices", _sheets(rest, seller, postal=False))
    nine = items.filter(pl.col("export_regime").str.split("|").list.contains("9610").fill_null(False))
    if nine.height:
        lacks = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in NEEDED["9610"]]
        lacking = pl.concat_str(lacks, separator="|", ignore_nulls=True).replace("", None).alias("missing")
        found["cn_9610_list.csv"] = tidy(nine.with_columns(lacking).select(list(LIST_9610)).rename(LIST_9610))
        rule = papers()["cn.9610"]
        summary = summary_9610(items)
        due = [due_date(parse(month).end, rule.due) for month in summary["month"].to_list()]
        summary = summary.with_columns(pl.Series("due", due, dtype=pl.Date)).select(list(SUMMARY_9610))
        found["cn_9610_summary.csv"] = tidy(summary.rename(SUMMARY_9610))
    return found


def _groups(items: pl.DataFrame) -> list[list[dict[str, Any]]]:
    parts = items.sort("consignment", "item").partition_by("consignment", maintain_order=True)
    return [part.to_dicts() for part in parts]


def _h7_json(items: pl.DataFrame, seller: Mapping[str, Any]) -> bytes:
    """A declaration per consignment: exporter, importer, fiscal reference, goods items."""
    told = []
    for rows in _groups(items):
        first = rows[0]
        fiscal = [{"role": "FR5", "vat_number": first["ioss_number"]}] if first["ioss_number"] else []
        goods = [
            {
                "goods_item_number": row["item"],
                "merchant_product_identifier": row["sku"],
                "description": row["description"],
                "commodity_code_hs6": row["hs6"],
                "country_of_origin": row["origin"],
                "intrinsic_value": _money(row["intrinsic_value"]),
                "currency": row["currency"],
                "gross_mass_kg": _plain(row["gross_weight_kg"]),
            }
            for row in rows
        ]
        told.append(
            {
                "consignment": first["consignment"],
                "total_number_of_items": len(rows),
                "exporter": {k: seller.get(k) for k in ("name", "address", "country", "eori")},
                "importer": {"reference": first["buyer"], "country": first["ship_to"]},
                "additional_fiscal_references": fiscal,
                "transport_and_insurance_costs": _money(_charged(rows, "transport_insurance")),
                "number_of_packages": None,
                "goods": goods,
                "missing": sorted({word for row in rows if row["missing"] for word in row["missing"].split("|")}),
            }
        )
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def _plain(value: Decimal | None) -> str | None:
    """A quantity or weight without zeros that say nothing."""
    return None if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _sum(rows: Sequence[Mapping[str, Any]], column: str) -> Decimal | None:
    """The sum over a consignment, None where one is not known."""
    values = [row[column] for row in rows]
    return None if None in values else sum(values, Decimal(0))


def _charged(rows: Sequence[Mapping[str, Any]], column: str) -> Decimal | None:
    """A sum of money; None too where the lines of a consignment are in several currencies."""
    return _sum(rows, column) if len({row["currency"] for row in rows}) == 1 else None


STYLE = (
    "body{font:13px/1.4 sans-serif;margin:2em}section{page-break-after:always;margin-bottom:3em}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #888;padding:3px 6px;text-align:left;vertical-align:top}td.n,th.n{text-align:right}h2{font-size:16px;margin:0 0 .4em}"
    ".two{display:flex;gap:2em}.two>div{flex:1;border:1px solid #888;padding:6px;min-height:5em}.lack{color:#a33}"
)


def _page(title: str, sheets: Sequence[str]) -> bytes:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body>{''.join(sheets)}</body></html>\n"
    ).encode()


def _sheets(items: pl.DataFrame, seller: Mapping[str, Any], *, postal: bool) -> list[str]:
    return [_sheet(rows, seller, postal) for rows in _groups(items)]


def _sheet(rows: Sequence[Mapping[str, Any]], seller: Mapping[str, Any], postal: bool) -> str:
    """One consignment on one page: who sends, who receives, the goods, totals, signature."""
    first = rows[0]
    title = f"Customs declaration {first['postal_form']}" if postal else "Commercial invoice"
    lines = [seller.get("name"), *(seller.get("address") or []), seller.get("country") or first["ship_from"]]
    sender = "<br>".join(escape(str(x)) for x in lines if x)
    for key in ("eori", "phone", "email"):
        if seller.get(key):
            sender += f"<br>{key.upper() if key == 'eori' else key}: {escape(str(seller[key]))}"
    receiver = f"{escape(first['buyer'] or '')}<br><br>{escape(first['ship_to'])}"
    each = () if postal else ("Unit value",)
    heads = ("Description", "HS code", "Origin", "Pieces", "Net kg", "Gross kg", *each, "Value")
    head = "".join(f"<th{_right(i)}>{name}</th>" for i, name in enumerate(heads))
    body = "".join(f"<tr>{_cells(row, postal)}</tr>" for row in rows)
    lacking = sorted({word for row in rows if row["missing"] for word in row["missing"].split("|")})
    note = f'<p class="lack">Missing: {escape(", ".join(lacking))}</p>' if lacking else ""
    goods, other = (_charged(rows, column) for column in ("intrinsic_value", "transport_insurance"))
    total = None if goods is None or other is None else goods + other
    totals = f"Goods {_money(goods) or '?'} {first['currency'] or ''}; transport and insurance {_money(other) or '?'}; "
    totals += "" if postal else f"total {_money(total) or '?'} {first['currency'] or ''}; "
    totals += f"gross {_plain(_sum(rows, 'gross_weight_kg')) or '?'} kg; sent from {first['ship_from']}"
    kind = "Category of item: sale of goods. " if postal else f"Incoterms 2020: {escape(first['incoterm'] or '?')}. "
    ioss = f" IOSS {escape(first['ioss_number'])}." if first["ioss_number"] else ""
    return (
        f"<section><h2>{title}</h2><p>No. {escape(first['consignment'])}, {first['date']}</p>"
        f'<div class="two"><div><b>From</b><br>{sender}</div><div><b>To</b><br>{receiver}</div></div>'
        f"<p>{kind}{escape(totals)}.{ioss}</p><table><tr>{head}</tr>{body}</table>{note}<p>Date and signature: ____________________</p></section>"
    )


def _right(column: int) -> str:
    return ' class="n"' if column >= 3 else ""


def _cells(row: Mapping[str, Any], postal: bool) -> str:
    value = f"{_money(row['intrinsic_value']) or '?'} {row['currency'] or ''}"
    told = (
        row["description"] or row["sku"], row["hs6" if postal else "hs_code"] or "?", row["origin"] or "?", _plain(row["qty"]),
        _plain(row["net_weight_kg"]) or "", _plain(row["gross_weight_kg"]) or "?", *(() if postal else (_each(row),)), value,
    )  # fmt: skip
    return "".join(f"<td{_right(i)}>{escape(str(text))}</td>" for i, text in enumerate(told))


def _each(row: Mapping[str, Any]) -> str:
    """Value of a piece: with two decimals where they are exact, else four."""
    if row["intrinsic_value"] is None or not row["qty"]:
        return "?"
    each = Decimal(row["intrinsic_value"] / row["qty"])
    return f"{each:.2f}" if each == round(each, 2) else f"{each:.4f}"
