"""A file taxed in one part, in many, shuffled, and order by order: the same table, for lines to every country with a pack."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from support.taxed import book, order_lines, packaged, rates, tariff

from cbec.methods.compliance import summary
from cbec.methods.compliance.facts import met
from cbec.methods.compliance.fixings import Fixings
from cbec.methods.compliance.rules import SCHEMES, TRANSPORTS
from cbec.methods.compliance.tax import Run
from cbec.methods.compliance.years import by_order

PER_EURO = {
    "GBP": 0.85, "USD": 1.09, "JPY": 163.02, "CNY": 7.72, "AUD": 1.65, "NOK": 11.51, "CHF": 0.95, "CAD": 1.48, "NZD": 1.8,
    "SGD": 1.45, "KRW": 1480.2, "MXN": 19.52,
}  # fmt: skip
FIXINGS = rates(
    [
        {"date": date(2016, 12, 30) + timedelta(days=9 * i), "base": "EUR", "quote": quote, "rate": rate, "source": "x"}
        for quote, rate in PER_EURO.items()
        for i in range(420)
    ]
)
DUTIES = tariff(
    *({"jurisdiction": place, "hs_code": code, "duty": duty, "source": "T"} for place in ("EU", "GB", "US", "JP", "NO", "CN")
      for code, duty in (("61", "12%"), ("6402", "4.7%"), ("2204", "1.5 USD/l + 2%"), ("85", "37.2¢/kg + 6%"), ("", "3%"))),
    *({"jurisdiction": "US", "measure": m, "hs_code": "61", "duty": "10%"} for m in ("s301", "s232", "ieepa", "ieepa_fentanyl")),
)  # fmt: skip


def _lines(draw: random.Random, orders: int) -> pl.DataFrame:
    """Orders of one to four lines and their refunds, every fact missing now and then."""

    def maybe(options: Any, known: float = 0.8) -> Any:
        return draw.choice(options) if draw.random() < known else None

    packs = packaged()
    territories = [code for pack in packs for rule in pack.of("territory") for code in rule.codes]
    places = sorted({c for p in packs for c in (*p.jurisdictions, *p.treated_as)} | {*territories, "XI", "HK", "AQ"})
    codes = sorted({code for p in packs for rule in p.of("goods") for code in (*rule.hs, *rule.partly)})
    rows: list[dict[str, Any]] = []
    for number in range(orders):
        order = {
            "order_id": f"O{number}",
            "date": maybe([date(2017, 1, 1) + timedelta(days=n) for n in range(0, 3640, 7)], 0.98),
            "ship_from": maybe(["CN", "CN", *places], 0.98),
            "ship_to": maybe(places, 0.98),
            "ship_to_region": maybe(["35001", "BT1 1AA", "22100", "97100", "78266", "H2X 1Y4"], 0.4),
            "currency": maybe(["EUR", *PER_EURO], 0.98),
            "seller_country": maybe(["CN", "DE", "GB", "US"]),
            "customer_id": maybe(["a", "b"]),
            "buyer_type": draw.choice(["B2C", "B2C", "B2B"]),
            "buyer_tax_id": maybe(["DE136695976", "DE136695977", "51824753556", "GB980780684"], 0.4),
            "buyer_statement": maybe([True, False], 0.5),
            "marketplace_collects": maybe([True, False]),
            "gift": maybe([True, False, False]),
            "transport": maybe(TRANSPORTS),
            "scheme": maybe(SCHEMES, 0.4),
        }
        for line in range(draw.randint(1, 4)):
            sold = order | {
                "line": f"{line}",
                "sku": f"S{draw.randint(0, 3)}",
                "qty": draw.choice([1, 1, 2, Decimal("0.5")]),
                # A price in the thousands beside cents: amounts of very different size stand in one part.
                "price": maybe([Decimal(draw.randint(1, 40_000)) / 100, Decimal(9_999_999)], 0.97),
                "shipping": maybe([Decimal("4.99")], 0.5),
                "insurance": maybe([Decimal("1.005")], 0.2),
                "hs_code": maybe([*codes, "6109100010", "6402.99", "2204210000", "8517"]),
                "category": maybe(["books", "wine", "toys"], 0.2),
                "origin": maybe(["CN", "VN", "MX", "US"]),
                "duty_rate_pct": maybe([Decimal("4.7"), Decimal(0)], 0.4),
                "net_weight_kg": maybe([Decimal("0.75")], 0.5),
                "quantities": maybe(["litre=1.5"], 0.5),
                "price_includes_tax": maybe([True, False]),
                "incoterm": maybe(["DDP", "DAP"]),
            }
            rows.append(sold)
            if draw.random() < 0.1:
                rows.append(sold | {"line": f"{line}R", "qty": -sold["qty"]})
    return order_lines(rows)


def test_parts_shuffled_lines_and_single_orders_give_the_same_table() -> None:
    draw = random.Random(20)
    lines = _lines(draw, 300)
    years = by_order(lines, Fixings(FIXINGS), book())

    def taxed(some: pl.DataFrame, **more: Any) -> pl.DataFrame:
        told = Run(met(some), None, FIXINGS, book(), tariff=DUTIES).told(some, years, **more)
        return told.drop("_alike")  # numbered as lines are met

    told = taxed(lines)
    key = ["order_id", "line"]
    assert told["status"].n_unique() == 2 and told["reason_code"].n_unique() > 35
    assert taxed(lines, part_size=90).equals(told)
    mixed = lines.sample(fraction=1.0, shuffle=True, seed=4)
    assert taxed(mixed, part_size=200).sort(key).equals(told.sort(key))
    alone = draw.sample(range(300), 10)
    for number in alone:
        here = pl.col("order_id") == f"O{number}"
        assert taxed(lines.filter(here)).equals(told.filter(here)), number


def test_what_is_told_of_a_table_does_not_hang_on_its_parts_nor_their_order() -> None:
    lines = _lines(random.Random(21), 60)
    years = by_order(lines, Fixings(FIXINGS), book())
    tax = Run(met(lines), None, FIXINGS, book(), tariff=DUTIES).told(lines, years)

    def told(*parts: pl.Series) -> tuple[object, ...]:
        added = [summary.added(tax[rows], lines[rows]) for rows in parts]
        found = {name: pl.concat([part[name] for part in added]) for name in summary.ADDED}
        findings = summary.findings(found, lines["ship_to"], packaged(), date(2026, 12, 1))
        due = found["_due"]
        return summary.headline(due), summary.metrics(due), findings, summary.notes(found["_assumed"], False)

    rows = pl.int_range(tax.height, eager=True)
    mixed = rows.shuffle(seed=5)
    whole = told(rows)
    assert told(mixed[100:], mixed[:7], mixed[7:100]) == whole
    assert all(whole) and len(whole[2]) > 10  # type: ignore[arg-type]
