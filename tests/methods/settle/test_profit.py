"""Landed profit: what is shared out adds up, whatever the input; three SKUs of the sample by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import sampled
from support.answered import answered
from support.books import day, payout, rates

from cbec import compliance, fraud, settle, tables
from cbec.core import conform
from cbec.core.cells import dtype
from cbec.core.errors import InputRejected, UsageFault
from cbec.methods.settle import allocate
from cbec.methods.settle import profit as method
from cbec.methods.settle.sales import Terms

TERMS = Terms(gross=False, recoverable=False, resold=0.0, divisor=6000.0)
CNY = rates({("EUR", "CNY"): 8.0, ("USD", "CNY"): 7.0}, 60)


def frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as the checked table of that name."""
    contract = tables.get(name)
    given_ = pl.DataFrame(rows, infer_schema_length=None)
    columns = []
    for column in contract.columns:
        kind = dtype(column)
        cell = given_[column.name] if column.name in given_.columns else pl.Series([column.default] * len(rows))
        columns.append(cell.cast(kind).alias(column.name))
    return pl.DataFrame(columns)


def order(name: str, sku: str = "A", qty: float = 1, price: float = 10, number: int = 0, **more: Any) -> dict[str, Any]:
    row = {"order_id": name, "line": "1", "sku": sku, "qty": qty, "date": day(number), "market": "DE", "price": price}
    return row | {"currency": "EUR"} | more


def product(sku: str, cost: float = 10, **more: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "unit_cost": cost,
        "currency": "CNY",
        "weight_kg": 1.0,
        "length_cm": 10,
        "width_cm": 10,
        "height_cm": 10,
    } | more


def landed(
    orders: list[dict[str, Any]], terms: Terms = TERMS, home: str | None = "CNY", **more: Any
) -> dict[tuple[str, str], dict[str, Any]]:
    """SKU and market -> row of landed_profit, held against the contract."""
    given_ = {name: frame(name, rows) if isinstance(rows, list) else rows for name, rows in more.items()}
    every = (
        dict.fromkeys(("tax", "options", "shipments", "settlements", "inventory", "scores")) | {"rates": CNY} | given_
    )
    products = every.pop("products", None)
    if products is None:
        products = frame("products", [product(sku) for sku in sorted({o["sku"] for o in orders})])
    done = method.compute(method.Tables(frame("order_lines", orders), products, **every), terms, home, day(50))
    lines = conform.conform(tables.get("profit_lines"), method.by_line(done))
    table = conform.conform(tables.get("landed_profit"), method.by_sku(done))
    for kind in (*method.KINDS, "profit"):
        assert lines[kind].sum() == table[kind].sum()
    return {(r["sku"], r["market"]): r for r in table.to_dicts()}


def fee(number: str, amount: str, order_id: str | None = None, kind: str = "fee", **more: Any) -> dict[str, Any]:
    return payout(number, 20, amount, order_id=order_id, type=kind, **more)


# --- one by one ---


def test_revenue_is_without_the_tax_in_the_price_and_unknown_is_said() -> None:
    tax = [{"order_id": "1", "line": "1", "status": "OK", "duty": 0, "tax": "1.60", "tax_base": "8.40", "other_charges": 0,
            "currency": "EUR", "collected_by": "marketplace", "reason_code": "x", "reason": "x"}]  # fmt: skip
    orders = [order("1", price_includes_tax=True), order("2", sku="B", price=None)]
    got = landed(orders, tax=tax)
    assert got["A", "DE"]["revenue"] == Decimal("67.20")
    assert got["A", "DE"]["tax"] == 0
    assert got["A", "DE"]["profit"] == Decimal("57.20")
    assert got["A", "DE"]["unknown"] == "fees|fraud|freight|fx|returns|storage"
    assert got["B", "DE"]["unknown"] == "duty|fees|fraud|freight|fx|returns|revenue|storage|tax"
    assert got["B", "DE"]["margin_pct"] is None
    assert landed(orders)["A", "DE"]["unknown"] == "duty|fees|fraud|freight|fx|returns|storage|tax"


def test_fraud_is_what_the_decision_on_the_orders_payment_is_expected_to_cost() -> None:
    def score(number: str, order_id: str | None, cost: float) -> dict[str, Any]:
        return {
            "transaction_id": number,
            "order_id": order_id,
            "cost": cost,
            "currency": "EUR",
            "score": 0.1,
            "time": datetime(2026, 3, 9),
        }

    orders = [
        order("1", price=30),
        order("1", sku="B", line="2", price=10),
        order("2", sku="C"),
        order("3", sku="D"),
        order("4", sku="E"),
    ]
    scores = [score("t1", "1", 1.0), score("t2", "2", 2.0), score("t3", None, 9.0), score("t4", "9", 9.0)]
    paid = [fee("S", "-10", "2", "Chargeback"), fee("S", "20", "3", "Order")]
    got = landed(orders, scores=scores, settlements=paid)
    assert {sku: row["fraud"] for (sku, _), row in got.items()} == {
        "A": Decimal("6.00"), "B": Decimal("2.00"),  # EUR 1 by 30 and 10 at 8 CNY
        "C": 0,  # the chargeback has come: it is a return of the settlement
        "D": 0, "E": 0,
    }  # fmt: skip
    assert [sku for (sku, _), row in got.items() if "fraud" in row["unknown"]] == ["E"]  # neither scored nor settled
    assert got["A", "DE"]["profit"] == got["A", "DE"]["revenue"] - 10 - 6


@pytest.mark.parametrize(
    ("incoterm", "includes", "collected_by", "revenue", "duty", "tax"),
    [
        ("DDP", True, "customs", "1992.00", "179.36", "318.08"),  # the seller pays both out of the price
        ("DAP", False, "customs", "1992.00", "0", "0"),  # the buyer pays at the door
        ("DDP", True, "seller", "1673.92", "179.36", "0"),  # tax in the price is the buyer's, duty the seller's
        ("DAP", True, "marketplace", "1673.92", "0", "0"),
        (None, False, "seller", "1992.00", "0", "0"),  # tax is charged on top
    ],
)
def test_who_bears_tax_and_duty(
    incoterm: str | None, includes: bool, collected_by: str, revenue: str, duty: str, tax: str
) -> None:
    told = [{"order_id": "1", "line": "1", "status": "OK", "duty": "22.42", "tax": "39.76", "tax_base": None, "other_charges": 0,
             "currency": "EUR", "collected_by": collected_by, "reason_code": "x", "reason": "x"}]  # fmt: skip
    orders = [order("1", price=249, price_includes_tax=includes, incoterm=incoterm)]
    row = landed(orders, tax=told)["A", "DE"]
    assert [row["revenue"], row["duty"], row["tax"]] == [Decimal(revenue), Decimal(duty), Decimal(tax)]
    row = landed(orders, TERMS._replace(recoverable=True), tax=told)["A", "DE"]
    assert row["tax"] == 0


def test_a_duty_on_top_carries_its_tax_out_of_the_price() -> None:
    told = [{"order_id": "1", "line": "1", "status": "OK", "duty": "3.00", "tax": "10.07", "tax_base": "53.00", "other_charges": 0,
             "currency": "EUR", "collected_by": "marketplace", "reason_code": "x", "reason": "x"}]  # fmt: skip
    row = landed([order("1", price=59.5, price_includes_tax=True, incoterm="DAP")], tax=told)["A", "DE"]
    assert row["revenue"] == 8 * Decimal("50.00")  # 59.50 holds 9.50 of tax; 0.57 on the duty come on top


def test_a_return_gives_back_revenue_but_not_goods_or_freight() -> None:
    orders = [order("1", qty=3), order("1", qty=-1, line="1R", number=9)]
    options = [{"shipment_id": "1", "option_rank": 1, "freight": 5.0, "surcharges": 1.0, "handling": 0.0, "capital_cost": 99.0,
                "currency": "EUR", "depart": day(1)}]  # fmt: skip
    row = landed(orders, options=options)["A", "DE"]
    assert (row["units"], row["units_returned"]) == (3.0, 1.0)
    assert [row[k] for k in ("revenue", "returns", "goods", "freight")] == [240, 80, 30, 48]
    row = landed(orders, TERMS._replace(resold=1.0), options=options)["A", "DE"]
    assert [row[k] for k in ("returns", "goods", "freight")] == [80, 20, 48]


def test_refunds_that_only_the_marketplace_tells_are_returns_without_the_tax_they_hold() -> None:
    tax = [{"order_id": "1", "line": "1", "status": "OK", "duty": 0, "tax": "20.00", "tax_base": "100.00", "other_charges": 0,
            "currency": "EUR", "collected_by": "marketplace", "reason_code": "x", "reason": "x"}]  # fmt: skip
    paid = [fee("S", "120", "1", "sale"), fee("S", "-60", "1", "refund")]
    row = landed([order("1", price=120, price_includes_tax=True)], tax=tax, settlements=paid)["A", "DE"]
    assert (row["revenue"], row["returns"]) == (800, 400)
    told_twice = [order("1", price=120, price_includes_tax=True), order("1", qty=-1, price=60, line="1R")]
    assert landed(told_twice, settlements=paid)["A", "DE"]["returns"] == 480  # the order lines tell it already


def test_currency_gains_between_order_and_payout() -> None:
    moving = pl.concat(
        [rates({("EUR", "CNY"): 8.0}, 10), rates({("EUR", "CNY"): 7.5}, 60).filter(pl.col("date") >= day(10))]
    )
    paid = [fee("S", "100", "1", "sale"), fee("S", "-15", "1")]
    row = landed([order("1", price=100)], rates=moving, settlements=paid)["A", "DE"]
    assert (row["revenue"], row["fees"], row["fx"]) == (800, Decimal("112.50"), -50)
    assert row["profit"] == 800 - 10 - Decimal("112.50") - 50
    assert "fx" not in row["unknown"]


def test_fees_of_an_order_go_by_value_with_the_odd_cent_to_the_largest_line() -> None:
    orders = [order("1", "A", price=10), order("1", "B", price=10, line="2"), order("1", "C", price=10.01, line="3")]
    got = landed([o | {"currency": "CNY"} for o in orders], settlements=[fee("S", "-1.00", "1", currency="CNY")])
    assert [got[sku, "DE"]["fees"] for sku in "ABC"] == [Decimal("0.33"), Decimal("0.33"), Decimal("0.34")]


def test_costs_of_a_settlement_alone_fall_on_its_orders_else_on_its_marketplace_else_on_all() -> None:
    orders = [order("1", "A"), order("2", "B", price=30), order("3", "C")]
    named = [fee("S1", "1", "1", "sale"), fee("S1", "1", "2", "sale"), fee("S1", "-8")]
    got = landed(orders, settlements=named)
    assert [got[sku, "DE"]["fees"] for sku in "ABC"] == [16, 48, 0]
    later = [*named[:2], fee("S2", "-8")]
    assert [landed(orders, settlements=later)[sku, "DE"]["fees"] for sku in "ABC"] == [16, 48, 0]
    other = [*named[:2], fee("S2", "-10", marketplace="shop")]
    assert [landed(orders, settlements=other)[sku, "DE"]["fees"] for sku in "ABC"] == [16, 48, 16]


def test_fees_of_orders_that_are_not_there_are_left_out_and_told() -> None:
    paid = [fee("S", "50", "OLD", "sale"), fee("S", "-5", "OLD"), fee("S", "-1", "1")]
    done = method.compute(
        method.Tables(frame("order_lines", [order("1")]), frame("products", [product("A")]), None, None, None, frame("settlements", paid), None, None, CNY),
        TERMS, "CNY", day(50),
    )  # fmt: skip
    assert method.by_sku(done)["fees"].to_list() == [8]
    assert done.metrics["fees_of_other_orders"] == 40.0
    assert "1 order beside those of the order lines" in done.notes[0]


def test_storage_goes_by_volume_and_stock_that_was_not_sold_bears_its_part() -> None:
    orders = [order("1", "A", qty=1, warehouse="HAM"), order("2", "A", qty=3, warehouse="HAM", market="FR")]
    stock = [{"sku": "A", "warehouse": "HAM", "on_hand": 10}, {"sku": "Z", "warehouse": "HAM", "on_hand": 5},
             {"sku": "A", "warehouse": "LAX", "on_hand": 1000}]  # fmt: skip
    products = frame("products", [product("A"), product("Z", length_cm=20)])
    paid = [fee("S", "1", "1", "sale"), fee("S", "-20", kind="Storage")]
    got = landed(orders, products=products, inventory=stock, settlements=paid)
    # 10 pieces of 1 litre, 5 of 2 litres: half each; A's half by pieces sold.
    assert {key: row["storage"] for key, row in got.items()} == {("A", "DE"): 20, ("A", "FR"): 60, ("Z", "*"): 80}
    assert got["Z", "*"]["profit"] == -80
    without = landed(orders, settlements=paid)
    assert {key: row["storage"] for key, row in without.items()} == {("A", "DE"): 160, ("A", "FR"): 0}


def test_freight_into_a_warehouse_is_borne_by_chargeable_weight() -> None:
    options = [{"shipment_id": "SH1", "option_rank": rank, "freight": cost, "currency": "CNY", "depart": day(1)}
               for rank, cost in ((1, 900.0), (2, 5000.0))]  # fmt: skip
    shipments = [{"shipment_id": "SH1", "origin": "NGB", "destination": "HAM", "weight_kg": 100.0, "volume_m3": 1.8,
                  "goods_value": 1.0, "currency": "CNY", "ready_date": day(1)}]  # fmt: skip
    products = frame("products", [product("A"), product("B", height_cm=240)])  # 1 kg; 4 kg by volume
    orders = [order("1", "A", warehouse="HAM"), order("2", "B", qty=2, warehouse="HAM"), order("3", "A", market="US")]
    got = landed(orders, products=products, options=options, shipments=shipments)
    # 1.8 m3 count as 300 kg: CNY 3 per kg.
    assert [got[k]["freight"] for k in (("A", "DE"), ("B", "DE"), ("A", "US"))] == [3, 24, 0]
    assert "freight" in got["A", "US"]["unknown"] and "freight" not in got["A", "DE"]["unknown"]


def test_costs_of_no_order_line_stand_in_a_row_of_their_own() -> None:
    # The only order is a refund of an order of an earlier period: it bears the costs of its settlement.
    got = landed([order("1", qty=-1)], settlements=[fee("S", "-5")])
    assert (got["A", "DE"]["fees"], got["A", "DE"]["returns"]) == (40, 80)


def test_mixed_currencies_need_a_home_currency_and_a_rate() -> None:
    with pytest.raises(UsageFault, match="need a home currency"):
        landed([order("1")], home=None)
    with pytest.raises(InputRejected, match="no pair joins GBP and CNY"):
        landed([order("1", currency="GBP")])
    assert landed([order("1", currency="CNY")], home=None, rates=None)["A", "DE"]["currency"] == "CNY"


def test_a_currency_without_cents_is_reckoned_in_whole_units() -> None:
    yen = rates({("EUR", "JPY"): 160.0, ("CNY", "JPY"): 20.0}, 60)
    row = landed([order("1", price=1.234)], home="JPY", rates=yen)["A", "DE"]
    assert (row["revenue"], row["goods"]) == (197, 200)


# --- whatever the input ---


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**12)), max_size=20),
    st.lists(st.integers(-(10**12), 10**12), max_size=4),
)
def test_parts_add_up_to_the_whole(parts: list[tuple[int, int]], amounts: list[int]) -> None:
    weights = pl.DataFrame(
        [{"g": g, "row": i, "weight": w} for i, (g, w) in enumerate(parts)],
        schema={"g": pl.Int64, "row": pl.Int64, "weight": pl.Int64},
    )
    whole = pl.DataFrame({"g": range(len(amounts)), "amount": amounts}, schema={"g": pl.Int64, "amount": pl.Int64})
    made = allocate.share(weights, whole, "g")
    for group, amount in enumerate(amounts):
        mine = made.filter(pl.col("g") == group)
        if mine.height:
            assert sum(mine["part"].to_list()) == amount
            total = sum(w for g, w in parts if g == group)
            for row, part in mine.select("row", "part").iter_rows():
                even = amount / mine.height if total == 0 else amount * parts[row][1] / total
                assert abs(part - even) <= mine.height + 1


KIND = st.sampled_from(["fee", "Commission", "Storage", "sale", "refund", "tax", "reserve", "payout", "odd"])
MONEY = st.integers(-5000, 5000).map(lambda cents: Decimal(cents) / 100)
LINE = st.builds(
    lambda o, sku, qty, price, market, place, cur: order(f"O{o}", f"K{sku}", qty, price, o, market=market, warehouse=place, currency=cur),
    st.integers(0, 5), st.integers(0, 3), st.integers(-2, 4).filter(bool), MONEY.map(abs), st.sampled_from(["DE", "FR", None]),
    st.sampled_from(["HAM", "LAX", None]), st.sampled_from(["EUR", "USD", "CNY"]),
)  # fmt: skip
PAID = st.builds(
    lambda s, o, kind, amount, cur, place: payout(f"S{s}", 20 + s, amount, cur, order_id=o, type=kind, marketplace=place),
    st.integers(0, 3), st.sampled_from([None, None, "O0", "O1", "O2", "O3", "GONE"]), KIND, MONEY, st.sampled_from(["EUR", "USD"]),
    st.sampled_from(["m1", "m2", None]),
)  # fmt: skip
STOCK = st.dictionaries(
    st.tuples(st.sampled_from(["K0", "K1", "Z"]), st.sampled_from(["HAM", "LAX"])), st.integers(0, 9), max_size=5
)
VALUE = {"EUR": 8, "USD": 7, "CNY": 1}


@settings(max_examples=40, deadline=None)
@given(st.lists(LINE, min_size=1, max_size=8), st.lists(PAID, max_size=12), STOCK, st.randoms())
def test_the_sum_over_sku_and_market_is_that_of_the_tables(
    orders: list[dict[str, Any]], paid: list[dict[str, Any]], stock: dict[tuple[str, str], int], random: Any
) -> None:
    # Rates are whole numbers, so that sums in home currency are exact too.
    for i, row in enumerate(orders):
        row["line"] = str(i)
    products = frame("products", [product(f"K{i}", 3 * i) for i in range(4)] + [product("Z")])
    inventory = (
        frame("inventory", [{"sku": k[0], "warehouse": k[1], "on_hand": n} for k, n in stock.items()])
        if stock
        else None
    )

    def run() -> dict[tuple[str, str], dict[str, Any]]:
        settled_ = frame("settlements", paid) if paid else None
        return landed(orders, products=products, settlements=settled_, inventory=inventory)

    got = run()

    def total(kind: str) -> Decimal:
        return sum((row[kind] for row in got.values()), Decimal(0))

    def gross(sign: int) -> Decimal:
        return sum(
            (Decimal(str(o["qty"])) * o["price"] * VALUE[o["currency"]] for o in orders if o["qty"] * sign > 0),
            Decimal(0),
        )

    known = {o["order_id"] for o in orders}

    def settled(*kinds: str, orders_too: bool = True) -> Decimal:
        return -sum(
            (r["amount"] * VALUE[r["currency"]] for r in paid
             if r["type"] in kinds and (r["order_id"] is None or (orders_too and r["order_id"] in known))),
            Decimal(0),
        )  # fmt: skip

    assert total("revenue") == gross(1)
    assert total("goods") == sum(int(o["qty"]) * 3 * int(o["sku"][1]) for o in orders if o["qty"] > 0)
    in_orders = settled("Storage") - settled("Storage", orders_too=False)  # storage of an order is a fee of it
    assert total("fees") == settled("fee", "Commission", "odd") + in_orders
    assert total("storage") == settled("Storage", orders_too=False)
    told = {o["order_id"] for o in orders if o["qty"] < 0}
    refunds = -sum(
        (r["amount"] * VALUE[r["currency"]] for r in paid if r["type"] == "refund" and r["order_id"] in known - told),
        Decimal(0),
    )
    assert total("returns") == -gross(-1) + refunds
    assert total("fx") == 0
    spent = sum(total(k) for k in ("goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud"))
    assert total("profit") == total("revenue") - spent + total("fx")
    random.shuffle(orders)
    random.shuffle(paid)
    assert run() == got


# --- three SKUs of the sample by hand ---


def whole(name: str, given_: pl.DataFrame) -> pl.DataFrame:
    contract = tables.get(name)
    lacking = [c for c in contract.columns if c.name not in given_.columns]
    return given_.with_columns(pl.lit(c.default, dtype(c)).alias(c.name) for c in lacking).select(contract.names)


SKUS = ("OUT-115", "TOY-101", "00104")


def test_three_skus_of_the_sample_by_hand() -> None:
    """Every figure again with plain Python and decimals, from the rows of the tables."""
    made = sampled.made()
    lines = whole("order_lines", made["order_lines"])
    products = whole("products", made["products"])
    taxed = answered(
        "compliance tax",
        compliance.Tax(as_of=date(2026, 9, 30)),
        order_lines=lines,
        products=products,
        rates=made["rates"],
    )
    tax = taxed.tables["tax"]
    tax = conform.conform(tables.get("tax"), tax.with_columns(reason=pl.lit("")))
    scores = fraud.score(
        whole("transactions", made["transactions"]), rates=made["rates"], s=fraud.Score(home_currency="CNY", as_of=date(2026, 9, 30))
    ).tables["scores"]  # fmt: skip
    done = settle.profit(
        lines, products, tax, None, None, whole("settlements", made["settlements"]), whole("inventory", made["inventory"]),
        scores, made["rates"], s=settle.Profit(home_currency="CNY", as_of=date(2026, 9, 30)),
    )  # fmt: skip
    table = {
        (r["sku"], r["market"]): r
        for r in conform.conform(tables.get("landed_profit"), done.tables["landed_profit"]).to_dicts()
    }
    hand = Hand(made | {"scores": scores}, tax).out
    for sku in SKUS:
        markets = [key for key in table if key[0] == sku]
        assert len(markets) >= 3
        for key in markets:
            for kind in ("revenue", "goods", "duty", "tax", "fees", "storage", "returns", "fraud", "fx"):
                assert table[key][kind] == hand[key][kind], (key, kind)
            spent = sum(
                table[key][k] for k in ("goods", "freight", "duty", "tax", "fees", "storage", "returns", "fraud")
            )
            assert table[key]["profit"] == table[key]["revenue"] - spent + table[key]["fx"]
    for kind in ("revenue", "goods", "duty", "tax", "fees", "storage", "returns", "fraud", "fx"):
        assert any(table[key][kind] for key in table if key[0] in SKUS), kind


CENT = Decimal("0.01")


def shared(amount: Decimal, weights: dict[Any, Decimal]) -> dict[Any, Decimal]:
    """By weight to the cent, the odd cents to the largest."""
    total = sum(weights.values())
    parts = {k: (amount * w / total).quantize(CENT, ROUND_HALF_UP) for k, w in weights.items()}
    largest = min(weights, key=lambda k: (-weights[k], k))
    parts[largest] += amount - sum(parts.values())
    return parts


class Hand:
    """The landed profit again, in plain Python. out: SKU and market -> kind -> CNY."""

    def __init__(self, made: dict[str, pl.DataFrame], tax: pl.DataFrame) -> None:
        self.made = made
        self.fixings: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        for row in made["rates"].filter(pl.col("quote") == "CNY").sort("date").to_dicts():
            self.fixings[row["base"]].append((row["date"], Decimal(str(row["rate"]))))
        self.dues = {(r["order_id"], r["line"]): r for r in tax.to_dicts()}
        self.rows = sorted(made["order_lines"].to_dicts(), key=lambda r: (r["order_id"], r["line"]))
        self.out: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self.value: dict[str, dict[int, Decimal]] = defaultdict(dict)  # order -> number of the row -> revenue
        self.named: dict[str, set[str]] = defaultdict(set)  # settlement -> orders
        self.sales()
        self.settlements()
        self.fraud()

    def home(self, amount: Decimal, currency: str, on: date) -> Decimal:
        rate = Decimal(1) if currency == "CNY" else [r for d, r in self.fixings[currency] if d <= on][-1]
        return (amount * rate).quantize(CENT, ROUND_HALF_UP)

    def give(self, kind: str, parts: dict[int, Decimal]) -> None:
        for i, part in parts.items():
            self.out[self.rows[i]["sku"], self.rows[i]["market"]][kind] += part

    def sales(self) -> None:
        cost = {r["sku"]: Decimal(str(r["unit_cost"])) for r in self.made["products"].to_dicts()}
        for i, r in enumerate(self.rows):
            due = self.dues[r["order_id"], r["line"]]
            sold = r["qty"] > 0
            gross = abs(r["qty"]) * r["price"] + (r["shipping"] or 0) + (r["insurance"] or 0)
            gross = gross if sold else -gross
            net = self.home(gross, r["currency"], r["date"]) - self.home(
                self.inside(r, due, gross), r["currency"], r["date"]
            )
            mine = self.out[r["sku"], r["market"]]
            if sold:
                mine["revenue"] += net
                mine["goods"] += self.home(r["qty"] * cost[r["sku"]], "CNY", r["date"])
                self.value[r["order_id"]][i] = net
            else:
                mine["returns"] -= net
            if due["status"] == "OK" and r["incoterm"] == "DDP":
                mine["duty"] += self.home(due["duty"], due["currency"], r["date"])
                if due["collected_by"] == "customs":
                    mine["tax"] += self.home(due["tax"] + due["other_charges"], due["currency"], r["date"])

    def fraud(self) -> None:
        for paid in self.made["scores"].filter(pl.col("order_id").is_not_null()).sort("transaction_id").to_dicts():
            cost = Decimal(str(round(paid["cost"], 6))).quantize(CENT, ROUND_HALF_UP)
            self.give("fraud", shared(cost, self.value[paid["order_id"]]))

    def inside(self, r: dict[str, Any], due: dict[str, Any], gross: Decimal) -> Decimal:
        """The tax charged at the sale that the price holds."""
        at_sale = due["status"] == "OK" and due["collected_by"] in ("seller", "marketplace")
        if not at_sale or not r["price_includes_tax"]:
            return Decimal(0)
        if r["incoterm"] != "DDP" and due["duty"]:
            return gross - (due["tax_base"] - due["duty"])
        return Decimal(due["tax"])

    def settlements(self) -> None:
        paid = self.made["settlements"].to_dicts()
        payday = {r["settlement_id"]: r["posted_at"] for r in paid if r["type"] == "Payout"}
        first: dict[str, date] = {}
        for r in self.rows:
            first[r["order_id"]] = min(first.get(r["order_id"], r["date"]), r["date"])
        fees: dict[str, Decimal] = defaultdict(Decimal)
        moved: dict[str, Decimal] = defaultdict(Decimal)
        loose: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for r in paid:
            amount = self.home(r["amount"], r["currency"], payday[r["settlement_id"]])
            if r["order_id"] is None:
                loose[r["settlement_id"], str(r["description"])] -= amount
                continue
            self.named[r["settlement_id"]].add(r["order_id"])
            if r["description"] in ("Commission", "Fulfilment fee"):
                fees[r["order_id"]] -= amount
            elif r["description"] == "Principal":
                moved[r["order_id"]] += amount - self.home(r["amount"], r["currency"], first[r["order_id"]])
        for kind, amounts in (("fees", fees), ("fx", moved)):
            for name, amount in amounts.items():
                self.give(kind, shared(amount, self.value[name]))
        for (number, what), amount in loose.items():
            if what == "Advertising":
                self.give("fees", shared(amount, {i: v for o in self.named[number] for i, v in self.value[o].items()}))
        self.storage({number: amount for (number, what), amount in loose.items() if what == "Storage"})

    def storage(self, amounts: dict[str, Decimal]) -> None:
        sides = ("length_cm", "width_cm", "height_cm")
        size = {r["sku"]: math.prod(Decimal(str(r[s])) for s in sides) for r in self.made["products"].to_dicts()}
        stock = {
            (r["sku"], r["warehouse"]): (Decimal(str(r["on_hand"])) * size[r["sku"]]).quantize(Decimal(1), ROUND_HALF_UP)
            for r in self.made["inventory"].to_dicts() if r["on_hand"] > 0
        }  # fmt: skip
        lying: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for number, amount in amounts.items():
            used = {r["warehouse"] for r in self.rows if r["order_id"] in self.named[number]}
            for key, part in shared(amount, {k: w for k, w in stock.items() if k[1] in used}).items():
                lying[key] += part
        for (sku, place), amount in lying.items():
            sold = {
                i: r["qty"]
                for i, r in enumerate(self.rows)
                if (r["sku"], r["warehouse"]) == (sku, place) and r["qty"] > 0
            }
            if sold:
                self.give("storage", shared(amount, sold))
            else:
                self.out[sku, "*"]["storage"] += amount
