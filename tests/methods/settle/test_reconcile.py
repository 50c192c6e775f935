"""Reconciliation: each kind of match and residual by name, and what must hold whatever the input."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import books
from support.books import TERMS, day, history, line, payout

from cbec import tables
from cbec.core import check, conform, files, reasons
from cbec.core.command import Common
from cbec.methods.settle import groups, judgement, kinds, lines, orders, outcome
from cbec.methods.settle.reconcile import match

AS_OF = day(300)


class Answer:
    """The three tables of one run, held against their contracts."""

    def __init__(
        self, paid: pl.DataFrame, bank: pl.DataFrame, rates: pl.DataFrame | None = None, as_of: date = AS_OF
    ) -> None:
        done = match(paid, bank, rates, TERMS)
        links = outcome.named(done)
        left = outcome.unexplained(done, links, as_of, TERMS.window.late)
        self.links = links
        self.raw = left
        self.matches = _held("matches", outcome.matches(done, links, as_of, TERMS.window.late))
        self.unexplained = _held("unexplained", left.with_columns(amount=outcome.money("amount")))
        self.totals = _held("recon_totals", outcome.proof(paid, bank, links, left))

    def of(self, settlement: str) -> list[dict[str, Any]]:
        return self.matches.filter(pl.col("settlement_id") == settlement).sort("bank_ref").to_dicts()

    def left(self, item: str) -> list[tuple[str, Decimal]]:
        return self.unexplained.filter(pl.col("item") == item).select("kind", "amount").rows()


def _held(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    contract = tables.get(name)
    if "reason_code" in frame.columns:
        reasons.render(frame, "zh")
        frame = reasons.render(frame)
    return conform.conform(contract, frame)


def run(*extra: dict[str, Any], rates: pl.DataFrame | None = None, as_of: date = AS_OF, count: int = 12) -> Answer:
    """The history and these rows, told apart by their columns."""
    paid, bank = history(count)
    paid = paid + [row for row in extra if "settlement_id" in row]
    bank = bank + [row for row in extra if "bank_ref" in row]
    return Answer(books.settlements(paid), books.bank(bank), rates, as_of)


# --- one by one ---


def test_the_same_amount_within_the_window_is_a_match() -> None:
    got = run(payout("S1", 30, "777.77"), line("B1", 33, "777.77"))
    (row,) = got.of("S1")
    assert (row["bank_ref"], row["kind"], row["status"], row["reason_code"]) == ("B1", "1:1", "auto", "recon_exact")
    assert (row["expected"], row["received"], row["fee"], row["gap"]) == (Decimal("777.77"), Decimal("777.77"), 0, 0)
    assert row["days_lag"] == 3
    assert got.unexplained.is_empty()
    late = run(payout("S1", 30, "777.77"), line("B1", 43, "777.77"))
    assert late.of("S1")[0]["status"] == "unmatched"
    assert late.left("B1") == [("unknown", Decimal("777.77"))]


def test_a_fee_is_named_and_a_larger_gap_is_short() -> None:
    got = run(payout("S1", 30, "2000.00"), line("B1", 32, "1985.00"))
    (row,) = got.of("S1")
    assert (row["fee"], row["gap"], row["reason_code"]) == (Decimal("15.00"), 0, "recon_fee")
    assert got.unexplained.is_empty()
    got = run(payout("S1", 30, "2000.00"), line("B1", 32, "1700.00"))
    (row,) = got.of("S1")
    assert (row["status"], row["fee"], row["gap"], row["reason_code"]) == (
        "review",
        0,
        Decimal("300.00"),
        "recon_short",
    )
    assert got.left("S:S1") == [("short", Decimal("300.00"))]


def test_a_number_in_the_text_finds_a_payment_that_is_late_and_short() -> None:
    got = run(payout("PO-2026-777", 30, "2000.00"), line("B1", 55, "1200.00", text="AMAZON EU PO2026777"))
    (row,) = got.of("PO-2026-777")
    assert (row["bank_ref"], row["status"], row["gap"]) == ("B1", "review", Decimal("800.00"))
    assert row["reason_code"] == "recon_named_off"


def test_the_named_line_wins_over_an_equal_amount_that_names_another() -> None:
    got = run(
        payout("PO-2026-777", 30, "500.00"), payout("PO-2026-778", 30, "500.00"),
        line("B1", 32, "500.00", text="AMAZON EU PO-2026-778"), line("B2", 32, "500.00", text="AMAZON EU PO-2026-777"),
    )  # fmt: skip
    assert got.of("PO-2026-777")[0]["bank_ref"] == "B2"
    assert got.of("PO-2026-778")[0]["bank_ref"] == "B1"
    assert {got.of(s)[0]["status"] for s in ("PO-2026-777", "PO-2026-778")} == {"auto"}


def test_a_conversion_is_told_against_the_fixing_of_the_booking_day() -> None:
    rates = books.rates({("USD", "CNY"): 7.0, ("EUR", "CNY"): 8.0})
    amount = Decimal("1000") * 7 * (1 - Decimal("0.0180"))  # 180 bp under the fixing
    got = run(payout("S1", 30, "1000.00", "USD"), line("B1", 33, amount, "CNY"), rates=rates)
    (row,) = got.of("S1")
    assert row["spread_bp"] == pytest.approx(180.0)
    assert row["fx_cost"] == Decimal("126.00")
    assert row["mid_rate"] == 7.0
    assert row["implied_rate"] == pytest.approx(6.874)
    assert row["fee"] is None and row["gap"] is None
    found = judgement.findings(got.matches, got.unexplained, 150.0)
    assert [(f.rule, f.entity, f.money, f.currency) for f in found if f.severity == "warn"] == [
        ("spread", "S1", 126.0, "CNY")
    ]
    assert not [f for f in judgement.findings(got.matches, got.unexplained, 200.0) if f.rule == "spread"]


def test_two_swapped_digits_are_found_for_review() -> None:
    got = run(payout("S1", 30, "1847.20"), line("B1", 32, "1487.20"))
    (row,) = got.of("S1")
    assert (row["bank_ref"], row["status"], row["reason_code"]) == ("B1", "review", "recon_digits")
    assert got.left("S:S1") == [("digits", Decimal("360.00"))]


def test_a_split_and_a_merge_add_up() -> None:
    got = run(payout("S1", 30, "1000.01"), line("B1", 32, "600.00"), line("B2", 33, "400.01"))
    assert [(r["bank_ref"], r["kind"], r["expected"], r["match_id"]) for r in got.of("S1")] == [
        ("B1", "split", Decimal("600.00"), "S:S1"),
        ("B2", "split", Decimal("400.01"), "S:S1"),
    ]
    got = run(
        payout("S1", 30, "1000.01"), payout("S2", 31, "333.33"), payout("S3", 31, "12.34"), line("B1", 33, "1345.68")
    )
    assert [got.of(s)[0]["bank_ref"] for s in ("S1", "S2", "S3")] == ["B1"] * 3
    assert {got.of(s)[0]["kind"] for s in ("S1", "S2", "S3")} == {"merge"}
    assert {got.of(s)[0]["match_id"] for s in ("S1", "S2", "S3")} == {"B:B1"}
    assert got.unexplained.is_empty()


def test_a_merge_may_bear_a_fee_that_was_seen_before() -> None:
    got = run(
        payout("PO-2026-777", 20, "900.00"), line("B0", 22, "885.00", text="AMAZON EU PO-2026-777"),
        payout("S1", 30, "1000.01"), payout("S2", 31, "333.33"), line("B1", 33, "1318.34"),
    )  # fmt: skip
    assert (got.of("S1")[0]["fee"], got.of("S1")[0]["received"]) == (Decimal("15.00"), Decimal("985.01"))
    assert (got.of("S2")[0]["fee"], got.of("S2")[0]["received"]) == (0, Decimal("333.33"))


def test_rows_read_twice_and_lines_booked_twice_count_once() -> None:
    again = line("B1", 33, "777.77")
    got = run(payout("S1", 30, "777.77"), again, again, line("B9", 34, "777.77"))
    assert got.of("S1")[0]["bank_ref"] == "B1"
    assert got.left("B1#2") == [("duplicate", Decimal("777.77"))]
    assert got.left("B9") == [("duplicate", Decimal("777.77"))]
    codes = dict(got.unexplained.select("item", "reason_code").rows())
    assert codes == {"B1#2": "recon_row_twice", "B9": "recon_booked_twice"}
    assert "B1" in got.unexplained.filter(pl.col("item") == "B9")["reason"][0]


def test_what_is_missing_is_not_what_is_pending_or_carried() -> None:
    got = run(payout("S1", 30, "500"), payout("S2", 295, "600"), payout("S3", 40, "-70"), payout("S4", 41, "0"))
    kinds_ = {r["item"]: r["kind"] for r in got.unexplained.to_dicts()}
    assert kinds_ == {"S1": "missing", "S2": "pending", "S3": "carried", "S4": "carried"}
    assert "2026-04-11" in got.unexplained.filter(pl.col("item") == "S1")["reason"][0]
    found = {f.entity: f.severity for f in judgement.findings(got.matches, got.unexplained, 150.0)}
    assert found == {"S1": "high"}


def test_a_payer_of_payouts_without_a_settlement_is_a_warning_others_are_not() -> None:
    got = run(
        line("B1", 50, "444.44"), line("B2", 50, "55.55", text="TAX OFFICE"), line("B3", 51, "-9.99", text="RENT")
    )
    codes = dict(got.unexplained.select("item", "reason_code").rows())
    assert codes == {"B1": "recon_unknown_payout", "B2": "recon_unknown", "B3": "recon_outgoing"}
    rules = {f.rule: f.severity for f in judgement.findings(got.matches, got.unexplained, 150.0)}
    assert rules == {"unknown_payout": "warn", "unknown": "info"}


# --- settlements of lines ---


def parts(name: str, number: int, *rows: tuple[str, str | None, str], **more: Any) -> list[dict[str, Any]]:
    return [payout(name, number, amount, type=kind, description=text, **more) for kind, text, amount in rows]


def test_lines_add_up_and_are_held_against_the_payout_they_state() -> None:
    sold = parts(
        "S1", 30, ("Order", "Principal", "120.00"), ("Order", "Commission", "-18.00"), ("Order", "Commission", "-18.00")
    )
    owed = lines.payouts(books.settlements(sold))
    assert owed.open["expected"].to_list() == [84_000]  # the two equal fees are two fees
    stated = [*sold, payout("S1", 31, "-84.00", type="Transfer")]
    owed = lines.payouts(books.settlements(stated))
    assert (owed.open["expected"].to_list(), owed.open["day"].to_list()) == ([84_000], [day(31)])
    assert owed.control.is_empty()
    off = lines.payouts(books.settlements([*sold, payout("S1", 31, "80.00", type="payout")]))
    assert (off.open["expected"].to_list(), off.control["amount"].to_list()) == ([80_000], [4_000])


def test_an_export_that_overlaps_another_counts_once() -> None:
    sold = parts(
        "S1", 30, ("Order", "Principal", "120.00"), ("Order", "Commission", "-18.00"), ("Refund", None, "-5.00")
    )
    owed = lines.payouts(books.settlements([*sold, *sold]))
    assert owed.open["expected"].to_list() == [97_000]
    assert owed.duplicates["amount"].to_list() == [97_000]
    twice = lines.payouts(books.settlements([payout("S1", 30, "97"), payout("S1", 30, "97")]))
    assert (twice.open["expected"].to_list(), twice.duplicates["amount"].to_list()) == ([97_000], [97_000])


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Order", "Principal", "sale"), ("Order", "Commission", "fee"), ("Refund", "Principal", "refund"),
        ("Refund", "RefundCommission", "fee"), ("Order", "ShippingTax", "tax"), ("order", "Coffee maker, innovative", "sale"),
        ("ServiceFee", "Subscription", "fee"), ("other-transaction", "FBALongTermStorageFee", "storage"),
        ("other", "Previous Reserve Amount Balance", "reserve"), ("Transfer", "to your account", "payout"),
        ("charge", None, "sale"), ("payout", None, "payout"), ("dispute", None, "refund"), ("Adjustment", None, "other"),
        ("订单", "佣金", "fee"), ("退款", None, "refund"), ("仓储费", None, "storage"), ("提现", None, "payout"),
        (None, None, "other"),
    ],
)  # fmt: skip
def test_words_of_marketplaces(kind: str | None, text: str | None, expected: str) -> None:
    frame = pl.DataFrame({"type": [kind], "description": [text]}, schema={"type": pl.String, "description": pl.String})
    assert kinds.classify(frame)["class"].to_list() == [expected]


# --- whatever the input ---

AMOUNTS = st.sampled_from(["100.00", "60.00", "40.00", "85.00", "1000", "985", "0", "-50", "1.234", "340.00", "430.00"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD", "JPY"])
PAID = st.builds(
    lambda name, number, amount, currency, kind: payout(f"PO-{name:05d}", number, amount, currency, type=kind),
    st.integers(1, 8), st.integers(0, 20), AMOUNTS, CURRENCIES, st.sampled_from(["payout", "sale", "fee"]),
)  # fmt: skip
BOOKED = st.builds(
    lambda ref, number, amount, currency, text: line(f"B{ref}", number, amount, currency, text),
    st.integers(1, 12), st.integers(0, 25), AMOUNTS, CURRENCIES,
    st.sampled_from(["AMAZON EU", "AMAZON PO-00003", "RENT", None]),
)  # fmt: skip
RATES = books.rates({("EUR", "USD"): 1.0, ("EUR", "JPY"): 10.0}, 60)


@settings(max_examples=30, deadline=None)
@given(st.lists(PAID, min_size=1, max_size=14), st.lists(BOOKED, min_size=1, max_size=16), st.randoms())
def test_nothing_is_lost_nothing_used_twice_and_the_order_of_rows_does_not_matter(
    paid: list[dict[str, Any]], booked: list[dict[str, Any]], random: Any
) -> None:
    got = Answer(books.settlements(paid), books.bank(booked), RATES, day(20))
    assert (got.totals["proof"] == 0).all()
    # The proof, reckoned again from the rows as they were given.
    for currency in ("EUR", "USD", "JPY"):
        here = pl.col("currency") == currency
        sums: dict[str, list[Decimal]] = {}
        for row in paid:
            if row["currency"] == currency:
                sums.setdefault(row["settlement_id"], []).append(row["amount"])
        detailed = {r["settlement_id"] for r in paid if r["currency"] == currency and r["type"] != "payout"}
        total = sum(
            (
                r["amount"]
                for r in paid
                if r["currency"] == currency and (r["type"] != "payout" or r["settlement_id"] not in detailed)
            ),
            Decimal(0),
        )
        matched = got.matches.filter(here, pl.col("status") != "unmatched")["expected"].sum()
        left = got.unexplained.filter(here, pl.col("side") == "settlement")["amount"].sum()
        assert total == Decimal(matched) + Decimal(left)
        total = sum((r["amount"] for r in booked if r["currency"] == currency), Decimal(0))
        received = got.matches.filter(pl.col("bank_currency") == currency)["received"].sum()
        left = got.unexplained.filter(here, pl.col("side") == "bank")["amount"].sum()
        assert total == Decimal(received) + Decimal(left)
    # Within a match: expected is received, fee and gap; gaps stand in unexplained.
    same = got.matches.filter(pl.col("fee").is_not_null())
    assert (same["expected"] - same["received"] - same["fee"] - same["gap"] == 0).all()
    # No line of either side is in two matches.
    assert got.links.group_by("s").agg(pl.col("m").n_unique())["m"].to_list() == [1] * got.links["s"].n_unique()
    assert got.links.group_by("b").agg(pl.col("m").n_unique())["m"].to_list() == [1] * got.links["b"].n_unique()
    assert set(got.links.filter(pl.col("kind") == "1:1").group_by("m").len()["len"]) <= {1}
    random.shuffle(paid)
    random.shuffle(booked)
    again = Answer(books.settlements(paid), books.bank(booked), RATES, day(20))
    assert again.matches.equals(got.matches)
    assert again.unexplained.equals(got.unexplained)
    assert again.totals.equals(got.totals)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(-5, 30), max_size=9), st.lists(st.integers(0, 60), min_size=1, max_size=3), st.integers(2, 6)
)
def test_subset_sums_are_those_of_trying_all(values: list[int], targets: list[int], most: int) -> None:
    plain = {
        (which, places)
        for which, target in enumerate(targets)
        for size in range(2, most + 1)
        for places in combinations(range(len(values)), size)
        if sum(values[i] for i in places) == target
    }
    found = groups.subset_sums(values, targets, most)
    assert len(found) == len(set(found))
    assert set(found) == plain


def test_nothing_on_one_side_is_no_mistake() -> None:
    paid, bank = books.settlements([payout("S1", 1, "5")]), books.bank([line("B1", 1, "7")])
    assert Answer(paid, bank.clear()).left("S1") == [("missing", Decimal(5))]
    assert Answer(paid.clear(), bank).left("B1") == [("unknown", Decimal(7))]


# --- public data ---


def test_made_up_payouts_with_their_truth(data_set: Any) -> None:
    """Bars of bench/recon.py: the best published rule has precision .998 and F1 .994."""
    folder: Path = data_set("fx/recon_synth") / "open"
    wide = pl.read_parquet(
        data_set("fx/ecb_hist") / "ecb_open_1999_2021.parquet",
        columns=["date", "CNY", "USD", "JPY", "GBP", "CAD", "AUD", "MXN"],
    )
    wide = wide.filter(pl.col("date").dt.year() >= 2019)
    rates = wide.unpivot(index="date", variable_name="quote", value_name="rate").select(
        pl.col("date").cast(pl.Date), base=pl.lit("EUR"), quote="quote", rate="rate", source=pl.lit("ECB")
    )

    def load(name: str) -> pl.DataFrame:
        contract = tables.get(name)
        return check.check(contract, files.read(contract, [str(folder / f"{name}.csv")], Common()), Common()).good

    got = Answer(load("settlements"), load("bank"), rates, date(2021, 1, 22))
    truth = set(pl.read_csv(folder / "truth_links.csv", infer_schema=False).iter_rows())
    pairs = {
        status: set(got.links.filter(pl.col("status") == status).select("settlement_id", "bank_ref").iter_rows())
        for status in ("auto", "review")
    }
    every = pairs["auto"] | pairs["review"]
    assert pairs["auto"] <= truth
    assert len(pairs["auto"]) > 0.9 * len(truth)
    assert len(every & truth) / len(every) >= 0.998
    assert len(every & truth) / len(truth) >= 0.99
    assert (got.totals["proof"] == 0).all()


def test_orders_that_no_settlement_names_are_told_after_some_days() -> None:
    schema = {
        "order_id": pl.String,
        "qty": pl.Decimal(38, 6),
        "price": pl.Decimal(38, 6),
        "date": pl.Date,
        "market": pl.String,
    }
    rows = [("A", 1, 10, 0), ("B", 2, 10, 1), ("C", 1, 10, 29), ("D", 1, 10, 2), ("D", -1, 10, 3), ("OLD", 1, 10, -5)]
    orders_ = pl.DataFrame(
        [
            {"order_id": o, "qty": Decimal(q), "price": Decimal(p), "date": day(d), "market": "DE"}
            for o, q, p, d in rows
        ],
        schema=schema,
    ).with_columns(
        currency=pl.lit("EUR"), shipping=pl.lit(None, pl.Decimal(38, 6)), insurance=pl.lit(None, pl.Decimal(38, 6))
    )
    paid = books.settlements([payout("S", 5, "10", order_id="A", type="sale")])
    found = orders.unsettled(orders_, paid, day(31), 30)
    # C is young, D was sent back, OLD lies before the first order that a settlement names.
    assert found.select("item", "amount").rows() == [("B", 20_000)]
    nameless = books.settlements([payout("S", 5, "10")])
    assert orders.unsettled(orders_, nameless, day(31), 30).is_empty()
