"""Laws that hold for order lines to every country with a pack, whatever its rules say."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.taxed import MONEY, book, packaged, rates, tariff, taxed

from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.rules import KINDS, Dated, Pack
from cbec.methods.compliance.words import FIGURES

D = Decimal
PER_EURO = {
    "GBP": 0.8543, "CNY": 7.7215, "JPY": 163.02, "USD": 1.09, "AUD": 1.65, "NOK": 11.6, "CHF": 0.96, "SGD": 1.46, "NZD": 1.79, "CAD": 1.48,
    "KRW": 1480.0, "MXN": 18.4,
}  # fmt: skip
FIXINGS = rates(
    [
        {"date": date(year, month, day), "base": "EUR", "quote": quote, "rate": rate, "source": "ECB"}
        for quote, rate in PER_EURO.items()
        for year in range(2018, 2028)
        for month in range(1, 13)
        for day in (1, 10, 20, 28)
    ]
)
WHOLE = ("JPY", "KRW")  # currencies without minor unit
SCHEDULE = tariff(
    *(
        {"jurisdiction": "US", "hs_code": "", "measure": measure, "duty": duty}
        for measure, duty in (("mfn", "4.2%"), ("s301", "25%"), ("s232", "Free"), ("ieepa", "10%"), ("ieepa_fentanyl", "10%"), ("s122", "10%"))
    )
)  # fmt: skip
#: A few countries of each pack.
TO = [(code, pack.currency) for pack in packaged() for code in pack.jurisdictions[:4]]
LINE = st.fixed_dictionaries(
    {
        "price": st.one_of(st.decimals(0, 400, places=2), st.decimals(400, 4000, places=2)),
        "qty": st.integers(1, 4),
        "shipping": st.sampled_from([None, D("4.99"), D("25.00")]),
        "duty_rate_pct": st.sampled_from([None, D(0), D("4.7"), D(12)]),
        "hs_code": st.sampled_from([None, "610910", "640299", "490199", "090210", "220421"]),
    }
)
ORDER = st.fixed_dictionaries(
    {
        "date": st.dates(date(2018, 7, 1), date(2026, 12, 31)),
        "ship_from": st.sampled_from(["CN", "DE", "GB", "US", "JP", "home"]),
        "place": st.sampled_from(TO),
        "own": st.booleans(),
        "scheme": st.sampled_from([None, None, "IOSS", "NONE", "LVG", "VOEC", "CBEC", "PARCEL", "POSTAL_SPECIFIC"]),
        "transport": st.sampled_from([None, "post", "courier", "air", "sea"]),
        "seller_country": st.sampled_from([None, "CN", "DE"]),
        "marketplace_collects": st.booleans(),
        "buyer_type": st.sampled_from(["B2C", "B2C", "B2B"]),
        "buyer_tax_id": st.sampled_from([None, "SE556677889901", "ABN 51 824 753 556"]),
        "buyer_statement": st.booleans(),
        "gift": st.sampled_from([False, False, True]),
        "price_includes_tax": st.booleans(),
        "incoterm": st.sampled_from([None, "DDP"]),
        "origin": st.sampled_from([None, "CN", "CA"]),
        "lines": st.lists(LINE, min_size=1, max_size=3),
    }
)
ORDERS = st.lists(ORDER, min_size=4, max_size=12)
#: Countries whose customs cuts bases to 1,000 of its money and amounts to 100.
CUT = [code for pack in packaged() if pack.of("declaration") for code in pack.jurisdictions]
Row = dict[str, Any]
#: An example costs tenths of a second; making a failing one smaller would take minutes.
QUICK = settings(deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


def _rows(orders: list[Row]) -> list[Row]:
    """Order lines in the currency of the destination, or in euros; amounts in yen and won are whole."""
    rows = []
    for i, order in enumerate(orders):
        to, currency = order["place"]
        currency = currency if order["own"] else "EUR"
        facts = {k: v for k, v in order.items() if k not in ("lines", "place", "own")}
        facts |= {"ship_to": to, "currency": currency, "order_id": f"O{i}"}
        facts["ship_from"] = to if order["ship_from"] == "home" else order["ship_from"]
        for j, line in enumerate(order["lines"]):
            whole = (
                {c: line[c] and line[c].to_integral_value() for c in ("price", "shipping")} if currency in WHOLE else {}
            )
            rows.append(facts | line | whole | {"line": f"{j}", "sku": f"S{j}"})
    return rows


def _cut(currency: str, articles: int) -> Decimal:
    """At most so much tax is lost by the cuts of a declaration, in the currency of its lines: 10 % of 1,000 yen and 22/78 of 100
    for each article, and 100 yen of national and of local tax; the base told holds up to 100 yen of duty more."""
    return (articles * D(140) + D(210)) / (1 if currency == "JPY" else D(str(PER_EURO["JPY"])))


def _taxed(rows: list[Row], **more: Any) -> list[Row]:
    return taxed(rows, FIXINGS, tariff=SCHEDULE, **more)


def _by_key(told: list[Row]) -> dict[tuple[str, str], Row]:
    return {(t["order_id"], t["line"]): t for t in told}


@given(ORDERS, st.randoms())
@settings(QUICK, max_examples=5)
def test_the_order_of_lines_and_the_size_of_parts_change_nothing(orders: list[Row], random: Any) -> None:
    rows = _rows(orders)
    shuffled = random.sample(rows, len(rows))
    told = _taxed(shuffled, part_size=random.randint(1, 6))
    assert [(t["order_id"], t["line"]) for t in told] == [(r["order_id"], r["line"]) for r in shuffled]
    assert _by_key(_taxed(rows)) == _by_key(told)


@given(ORDERS)
@settings(QUICK, max_examples=3)
def test_one_order_at_a_time_gives_the_same_lines(orders: list[Row]) -> None:
    rows = _rows(orders)
    together = _by_key(_taxed(rows))
    for i in range(len(orders)):
        for told in _taxed([row for row in rows if row["order_id"] == f"O{i}"]):
            assert together[told["order_id"], told["line"]] == told


@given(st.lists(ORDER.map(lambda order: order | {"lines": order["lines"][:1]}), min_size=1, max_size=6))
@settings(QUICK, max_examples=3)
def test_one_line_at_a_time_gives_the_same_lines(orders: list[Row]) -> None:
    rows = _rows(orders)
    assert _taxed(rows) == [told for row in rows for told in _taxed([row])]


@given(ORDERS)
@settings(QUICK, max_examples=12)
def test_every_line_adds_up_or_says_why_it_cannot(orders: list[Row]) -> None:
    rows = _rows(orders)
    for row, told in zip(rows, _taxed(rows), strict=True):
        assert told["reason"] and told["reason_code"]
        if told["status"] == "UNDETERMINED":
            assert all(told[c] is None for c in (*MONEY, "tax_rate", "duty_rate", "collected_by"))
            assert told["scheme"] is None or told["reason_code"] in FIGURES
            continue
        assert told["rule_ids"] and told["citation"]
        assert told["total"] == told["duty"] + told["tax"] + told["other_charges"]
        assert min(told[c] for c in ("duty", "tax", "tax_base", "intrinsic_value")) >= 0
        unit = D(1) if row["currency"] in WHOLE else D("0.01")
        assert all(told[c] is None or told[c] % unit == 0 for c in MONEY)
        short = told["tax_base"] * told["tax_rate"] / 100 - told["tax"]
        if row["ship_to"] in CUT and told["scheme"] == "IMPORT":
            assert -2 * unit <= short <= _cut(row["currency"], 3)
        elif told["tax"]:  # what the price leaves over may be a cent
            assert abs(short) <= 2 * unit


@given(ORDERS)
@settings(QUICK, max_examples=10)
def test_a_refund_reverses_its_sale(orders: list[Row]) -> None:
    """Whole orders given back weeks later: every amount mirrors, and the sales themselves stay as they were."""
    sales = _rows(orders)
    later = timedelta(days=45)
    back = [row | {"qty": -row["qty"], "line": f"{row['line']}-R", "date": row["date"] + later} for row in sales]
    told, alone = _by_key(_taxed(sales + back)), _by_key(_taxed(sales))
    for (order, line), sale in alone.items():
        assert told[order, line] == sale
        refund = told[order, f"{line}-R"]
        same = set(sale) - {"line", "duty_parts", *MONEY}
        assert {k: refund[k] for k in same} == {k: sale[k] for k in same}
        for column in MONEY:
            assert refund[column] == (None if sale[column] is None else -sale[column]), column


@given(ORDER)
@settings(QUICK, max_examples=25)
def test_money_of_another_name_at_par_owes_the_same(order: Row) -> None:
    """A currency whose unit is that of the destination's own, by the rate of the month, to its last day: limits, duties in
    money and roundings are the same, for the tax is about values, not about names of money."""
    rows = _rows([order | {"own": True}])
    _, home = order["place"]
    other, month = "CLP" if home in WHOLE else "DKK", order["date"].replace(day=1)
    fixing = {"date": month, "source": "customs"}
    fixings = rates(
        [
            fixing | {"base": home, "quote": other, "rate": 1.0},
            *([] if home == "USD" else [fixing | {"base": "USD", "quote": home, "rate": 2.0}]),
        ]
    )
    told = taxed(rows, fixings, tariff=SCHEDULE)
    same = taxed([row | {"currency": other} for row in rows], fixings, tariff=SCHEDULE)
    named = ("currency", "reason")
    assert [{k: v for k, v in t.items() if k not in named} for t in same] == [
        {k: v for k, v in t.items() if k not in named} for t in told
    ]


@given(ORDERS)
@settings(QUICK, max_examples=10)
def test_tax_of_the_parts_is_tax_of_the_whole_but_for_rounding(orders: list[Row]) -> None:
    """Pieces of an article on lines of their own: each line is rounded, so a sum may differ by half a unit per rounding.

    A line has at most four roundings that bear on its tax (price without tax, duty, base, tax).
    """
    whole = _rows(orders)
    parts = [
        row | {"qty": 1, "line": f"{row['line']}.{n}", "shipping": row["shipping"] if n == 0 else None}
        for row in whole
        for n in range(row["qty"])
    ]
    told, apart = _taxed(whole), _taxed(parts)
    for i in range(len(orders)):
        one = [t for t in told if t["order_id"] == f"O{i}"]
        many = [t for t in apart if t["order_id"] == f"O{i}"]
        # A part may cost less than its share of a duty that is owed once.
        if any(t["reason_code"] == "tax_price_below_duty" for t in (*one, *many)):
            continue
        assert {(t["line"], t["status"], t["reason_code"]) for t in one} == {
            (t["line"].split(".")[0], t["status"], t["reason_code"]) for t in many
        }
        if any(t["status"] != "OK" for t in one):
            continue
        unit = D(1) if one[0]["currency"] in WHOLE else D("0.01")
        slack = unit * 2 * (len(one) + len(many))
        if orders[i]["place"][0] in CUT and orders[i]["price_includes_tax"]:  # a yen may lie on either side of a cut
            slack += _cut(one[0]["currency"], 3)
        for column in ("duty", "tax", "total"):
            assert abs(sum(t[column] for t in one) - sum(t[column] for t in many)) <= slack, column


def _dutiable(order: Row) -> Row:
    """The order from abroad, with a tariff rate on every line: most orders drawn owe no duty."""
    lines = [
        line | {"duty_rate_pct": line["duty_rate_pct"] or D("6.5"), "hs_code": "640299"} for line in order["lines"]
    ]
    return order | {"lines": lines, "ship_from": "CN", "scheme": None, "buyer_type": "B2C", "gift": False}


@given(ORDERS.map(lambda orders: orders + [_dutiable(order) for order in orders]))
@settings(QUICK, max_examples=10)
def test_a_delivered_price_taken_apart_and_put_together_is_the_price(orders: list[Row]) -> None:
    """Net prices, the price the customer then pays, and that price taken apart again: the same figures."""
    net = [
        row | {"gift": False, "price_includes_tax": False, "incoterm": None, "qty": 1, "shipping": None}
        for row in _rows(orders)
    ]
    told = _taxed(net)
    open_orders = {t["order_id"] for t in told if t["status"] != "OK"}
    kept = [(row, t) for row, t in zip(net, told, strict=True) if t["order_id"] not in open_orders]
    if not kept:
        return
    paid = [
        row | {"price": row["price"] + t["total"], "price_includes_tax": True, "incoterm": "DDP"} for row, t in kept
    ]
    for (_, sale), again in zip(kept, _taxed(paid), strict=True):
        if again["reason_code"] == "tax_limit_circular":  # both sides of a limit explain the price, and it says so
            continue
        if (
            sale["ship_to"] == "JP"
        ):  # values are cut to 1,000 yen, sums to 100: several net prices lead to one delivered price
            assert again["intrinsic_value"] + again["total"] == sale["intrinsic_value"] + sale["total"]
            continue
        assert again == sale


@given(ORDERS.map(lambda orders: [_dutiable(order) for order in orders]))
@settings(QUICK, max_examples=10)
def test_a_delivered_price_is_used_up_to_the_cent(orders: list[Row]) -> None:
    """Any price that includes tax and duty, also one that no net price leads to: goods, duty and tax make it up."""
    rows = [row | {"price_includes_tax": True, "incoterm": "DDP", "shipping": None} for row in _rows(orders)]
    for row, told in zip(rows, _taxed(rows), strict=True):
        if told["status"] == "OK" and told["reason_code"] != "tax_price_below_duty":
            assert told["intrinsic_value"] + told["total"] == row["price"] * row["qty"]


@given(ORDERS, st.data())
@settings(QUICK, max_examples=3)
def test_what_is_recorded_later_never_changes_what_was_known(orders: list[Row], data: st.DataObject) -> None:
    """Values and rules recorded after a day, of every rule of every pack, change nothing as known on that day."""
    as_of = date(2024, 6, 30)
    rows = [row | {"date": min(row["date"], as_of)} for row in _rows(orders)]
    drawn = data.draw(st.dates(date(2000, 1, 1), date(2026, 12, 31)))

    def amended(pack: Pack) -> Pack:
        rules = dict(pack.rules)
        for rule in pack.rules.values():
            if rule.values:
                late = Dated(drawn, date(2024, 7, 1), D(7))
                values = sorted([*rule.values, late], key=lambda v: (v.valid_from, v.recorded_from))
                rules[rule.id] = dataclasses.replace(rule, values=tuple(values))
            elif "recorded_from" in KINDS[rule.kind]:
                more = {"id": f"{rule.id}.later", "recorded_from": date(2024, 7, 1)}
                rules[f"{rule.id}.later"] = dataclasses.replace(rule, **more, exception_to=("*",) if rule.when else ())
                if rule.valid_to is None:
                    ended = {"valid_to": drawn, "end_recorded_from": date(2024, 7, 1)}
                    rules[rule.id] = dataclasses.replace(rule, **ended)
        for country, goods in {(c, r.goods) for r in pack.of("goods") for c in pack.jurisdictions}:
            rate = next((r for r in pack.of("rate") if r.country == country and r.category is None), None)
            if rate is not None and not any((r.country, r.category) == (country, goods) for r in pack.of("rate")):
                own = {"id": f"{pack.id}.later.{country}.{goods}", "category": goods}
                values = (Dated(date(2000, 1, 1), date(2024, 7, 1), D(7)),)
                rules[own["id"]] = dataclasses.replace(rate, **own, values=values)
        return dataclasses.replace(pack, rules=rules)

    later = [amended(pack) for pack in packaged()]
    assert _taxed(rows, rules=rulebook(later, as_of)) == _taxed(rows, rules=book(as_of))
