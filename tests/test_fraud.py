"""`fraud score` and `fraud train` as wholes: nothing later changes a score, planted frauds are found, money adds up."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, timedelta
from pathlib import Path
from unittest import mock

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support import payments

from cbec import tables
from cbec.core import check, files, packaged
from cbec.core.command import Common
from cbec.core.errors import InputRejected, NoAnswer, UsageFault
from cbec.core.money import Headline
from cbec.fraud import Score, Train, score, train
from cbec.methods.fraud import anomaly, level
from cbec.methods.fraud import model as models

HOME = {"home_currency": "EUR"}


def scores(transactions, s=None, **more):
    result = score(transactions, s=s or Score(**HOME), **more)
    return check.conform(tables.get("scores"), result.tables["scores"])


def by_time(frame):
    return frame.sort("time", "transaction_id")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model, trained on the first three quarters of the shop."""
    place = tmp_path_factory.mktemp("model")
    with mock.patch.object(models, "ROUNDS", 30):
        result = train(payments.shop(), s=Train(as_of=date(2026, 4, 20), **HOME))
    for name, content in result.files.items():
        (place / name).write_bytes(content)
    return str(place)


# --- nothing later changes a score ---


@st.composite
def books(draw):
    some = st.sampled_from
    row = st.fixed_dictionaries(
        {
            "at": st.integers(0, 30).map(lambda x: x * 8.0),
            "customer_id": some(["a", "b"]),
            "amount": some([1.0, 10.0, 12.0, 400.0]),
            "device_id": some([None, "d"]),
            "ip_country": some([None, "DE", "FR", "US"]),
            "label": some([None, "fraud", "genuine"]),
        }
    )
    rows = draw(st.lists(row, min_size=8, max_size=30))
    for i, r in enumerate(rows):
        r["transaction_id"] = f"{i * 17 % 101:03d}-{i}"
    return rows, draw(st.integers(1, len(rows) - 1))


@settings(max_examples=25, deadline=None)
@given(books())
def test_rows_and_labels_that_come_later_change_no_earlier_score(book):
    rows, kept = book
    # Detectors and calibration begin at once, so that little data tests them.
    with mock.patch.multiple(anomaly, FEWEST=2), mock.patch.multiple(level, FEWEST_FRAUDS=1):
        s = Score(label_delay_days=1.0, **HOME)
        whole = by_time(scores(payments.table(rows), s))
        early = set(whole["transaction_id"].head(kept))
        part = by_time(scores(payments.table([r for r in rows if r["transaction_id"] in early]), s))
        changed = [
            r
            if r["transaction_id"] in early
            else r | {"amount": r["amount"] * 7 + 1, "label": "fraud", "ip_country": "JP"}
            for r in rows
        ]
        other = by_time(scores(payments.table(changed), s))
    columns = ["transaction_id", "score", "expected_loss", "rules"]
    assert part.select(columns).equals(whole.head(kept).select(columns))
    assert other.head(kept).select(columns).equals(whole.head(kept).select(columns))


@pytest.mark.parametrize("trained", [False, True])
def test_on_a_larger_book_all_answers_of_earlier_days_stay_byte_for_byte(folder, trained):
    book = by_time(payments.shop())
    s = Score(model=folder if trained else "", review_capacity=3, base_rate=0.02, **HOME)
    cut = date(2026, 3, 1)
    before = pl.col("time") < cut
    later = book.filter(~before)
    # A thousand times the money, other places, every label turned round, verdicts against earlier ones, twice as many.
    wild = later.with_columns(
        (pl.col("amount") * 1000).cast(pl.Decimal(38, 6)),
        pl.lit("JP").alias("ip_country"),
        pl.when(pl.col("label") == "fraud").then(pl.lit("genuine")).otherwise(pl.lit("fraud")).alias("label"),
    )
    twice = wild.with_columns(pl.col("transaction_id") + "x")
    verdicts = pl.DataFrame(
        {"transaction_id": book["transaction_id"][:200], "verdict": ["confirmed"] * 200, "decided_at": [cut] * 200}
    ).with_columns(pl.col("decided_at").cast(pl.Datetime("us")))
    whole = scores(book, s)
    alone = scores(book.filter(before), s)
    other = scores(pl.concat([book.filter(before), wild, twice]), s, verdicts=verdicts)
    assert alone.equals(whole.filter(before))
    assert alone.write_csv() == other.filter(before).write_csv()
    assert whole.filter(~before).height == later.height
    assert not other.filter(~before).head(50).equals(whole.filter(~before).head(50))


def test_the_order_of_the_rows_does_not_matter():
    book = payments.shop(payments=600)
    assert scores(book.sample(fraction=1.0, shuffle=True, seed=1)).equals(scores(book))


# --- planted frauds ---


@pytest.fixture(scope="module")
def company():
    """Payments, verdicts and rates of the sample company, read from its files, and what is planted in them."""
    found = []
    for name in ("transactions", "verdicts", "rates"):
        contract = tables.get(name)
        (path,) = packaged.folder("sample_data").glob(f"{name}.csv*")
        checked = check.check(contract, files.read(contract, [str(path)], Common()), Common())
        assert checked.total == 0
        found.append(checked.good)
    planted = yaml.safe_load((packaged.folder("sample_data") / "truths.yaml").read_text("utf-8"))["fraud"]
    return *found, planted


HOUSE = Score(home_currency="CNY", review_cost=15.0, review_capacity=8, as_of=date(2026, 9, 30))


@pytest.mark.parametrize("labelled", [False, True])
def test_every_planted_incident_is_alerted(company, labelled):
    transactions, verdicts, rates, planted = company
    if not labelled:
        transactions = transactions.with_columns(pl.lit(None, pl.String).alias("label"))
    result = score(transactions, verdicts if labelled else None, rates, s=HOUSE)
    rows = {r["transaction_id"]: r for r in result.tables["scores"].iter_rows(named=True)}
    wanted = {
        "amount_jumps": "amount_jump",
        "location_switches": "location_switch",
        "card_testing": "burst",
        "rings": "shared_device",
    }
    for kind, rule in wanted.items():
        incidents = [i["transactions"].split("|") for i in planted[kind]]
        caught = [
            any(rule in rows[t]["rules"].split("|") and rows[t]["decision"] != "allow" for t in ids)
            for ids in incidents
        ]
        assert sum(caught) / len(caught) >= 0.9, kind
    # From when it can be seen - the third place, the fourth customer, the fifth payment - nothing of it passes.
    for kind, seen in (("amount_jumps", 0), ("location_switches", 2), ("card_testing", 4)):
        late = [t for i in planted[kind] for t in i["transactions"].split("|")[seen:]]
        alerted = [rows[t]["decision"] != "allow" for t in late]
        assert sum(alerted) / len(alerted) >= 0.9, kind
    for ring in planted["rings"]:
        ids = ring["transactions"].split("|")
        owners: set[str] = set()
        for t in ids:
            owners.add(rows[t]["customer_id"])
            assert len(owners) < 4 or rows[t]["decision"] != "allow"


def test_the_planted_book_is_what_its_truths_say(company):
    transactions, verdicts, _, planted = company
    kinds = ("amount_jumps", "location_switches", "card_testing", "rings", "chargebacks")
    frauds = [t for kind in kinds for incident in planted[kind] for t in incident["transactions"].split("|")]
    assert len(frauds) == len(set(frauds)) == planted["frauds"]
    labelled = transactions.filter(pl.col("label").is_not_null())
    assert set(labelled.filter(pl.col("label") == "fraud")["transaction_id"]) <= set(frauds)
    assert labelled["time"].max().date() < planted["unlabelled_from"] <= transactions["time"].max().date()
    assert 7500 < transactions.height < 8500
    assert 550 < transactions["customer_id"].n_unique() < 700
    judged = verdicts.join(transactions, on="transaction_id")
    assert judged.height == verdicts.height
    assert (judged["decided_at"] > judged["time"]).all()
    assert judged.filter((pl.col("verdict") == "confirmed") != pl.col("transaction_id").is_in(frauds)).height == 0


def test_jumps_and_switches_are_held_and_told_against_the_own_past(company):
    transactions, _, rates, planted = company
    result = score(transactions, None, rates, s=HOUSE)
    named = result.tables["scores"].filter(pl.col("rules").str.contains("amount_jump|location_switch"))
    assert set(named["decision"]) == {"hold"}
    jumps = named.filter(pl.col("rules") == "amount_jump")
    assert (
        jumps["reason_1"]
        .str.contains(r"^The amount .* is [\d.]+ times the median of the customer's last \d+ payments")
        .all()
    )
    switches = named.filter(pl.col("rules") == "location_switch")
    assert switches["reason_1"].str.contains(r"\d countries within 24 hours").all()
    alerts = {(f.rule, f.entity): f for f in result.findings}
    for incident in planted["amount_jumps"]:
        assert alerts["amount_jump", incident["customer_id"]].severity == "high"
    review = score(transactions, None, rates, s=dataclasses.replace(HOUSE, named_rules="review", review_capacity=1000))
    rules = review.tables["scores"].filter(pl.col("rules") != "")
    assert set(rules["decision"]) == {"review"}


def test_labels_raise_the_order_far_above_amount_and_chance(company):
    transactions, verdicts, rates, _ = company
    found = score(transactions, verdicts, rates, s=HOUSE).metrics
    # One fraud in eight is an ordinary payment disputed later, which nothing can rank.
    assert found["average_precision"] > 0.6
    assert found["average_precision_amount_only"] < 0.3
    assert found["average_precision_random"] < 0.05


def test_a_model_of_the_company_is_judged_out_of_time(company, monkeypatch):
    monkeypatch.setattr(models, "ROUNDS", 80)
    transactions, verdicts, rates, _ = company
    result = train(
        transactions, verdicts, rates, s=Train(home_currency="CNY", review_capacity=5, as_of=date(2026, 9, 30))
    )
    record = {
        r["method"]: r
        for r in check.conform(tables.get("training_record"), result.tables["training_record"]).iter_rows(named=True)
    }
    assert record["model"]["verdict"] == "chosen"
    assert (
        record["model"]["average_precision"]
        > record["ensemble"]["average_precision"]
        > record["amount_only"]["average_precision"]
    )
    assert record["random"]["average_precision"] == pytest.approx(
        record["model"]["frauds"] / record["model"]["payments"], abs=1e-4
    )
    assert record["model"]["recall_at_capacity"] > 0.7
    assert result.metrics["expected_frauds_in_record"] == pytest.approx(result.metrics["frauds_in_record"], rel=0.5)
    card = json.loads(result.files["card.json"])
    assert card["currency"] == "CNY" and card["learnt_to"] == str(record["model"]["to_day"])
    assert set(result.files) == {"model.txt", "features.json", "card.json", "training.json"}
    again = train(
        transactions, verdicts, rates, s=Train(home_currency="CNY", review_capacity=5, as_of=date(2026, 9, 30))
    )
    assert again.files == result.files


# --- money, settings, refusals ---


def test_money_is_the_sum_of_the_rows():
    result = score(payments.shop(payments=800), s=Score(base_rate=0.02, **HOME))
    rows = result.tables["scores"]
    assert isinstance(result.money, Headline)
    assert result.money.today == pytest.approx(rows["expected_loss"].sum())
    assert result.money.proposed == pytest.approx(rows["cost"].sum())
    assert result.money.low is None
    assert (rows["expected_loss"] - rows["score"] * rows["amount"]).abs().max() < 1e-9
    free = rows.filter(pl.col("rules") == "")
    assert (free["cost"] <= free["runner_up_cost"] + 1e-9).all()
    counted = [result.metrics[k] for k in ("allowed", "reviewed", "held")]
    assert sum(counted) == rows.height == result.metrics["payments"]


def test_with_a_model_the_range_holds_the_difference(folder):
    result = score(payments.shop(payments=800), s=Score(model=folder, **HOME))
    assert result.money.low < result.money.difference < result.money.high
    assert set(result.tables["scores"]["basis"]) == {"model"}
    assert any("the model learnt from payments up to" in n for n in result.notes)


def test_few_payments_are_scored_at_the_base_rate():
    found = scores(payments.table([{}, {"at": 1}]), Score(base_rate=0.01, **HOME))
    assert found["score"].to_list() == [0.01, 0.01]
    assert found["decision"].to_list() == ["allow", "allow"]
    assert found["reason_codes"].to_list() == ["fraud_first", "fraud_usual"]


def test_no_money_without_a_currency():
    assert (
        score(payments.table([{}]), s=Score()).money
        == "no table tells the currency of the amounts: set --home-currency"
    )


def test_only_the_last_days_are_decided_on_and_the_rest_is_history():
    book = payments.shop(payments=800)
    last = book["time"].max().date()
    every = scores(book)
    some = scores(book, Score(days=5, as_of=last, **HOME))
    assert some.equals(every.filter(pl.col("time").cast(pl.Date) > last - timedelta(days=5)))
    assert 0 < some.height < every.height
    nothing = score(book, s=Score(days=1, as_of=last + timedelta(days=30), **HOME))
    assert nothing.tables["scores"].height == 0
    assert nothing.money == "no payment in the days asked for"


def test_reasons_are_told_in_chinese_too():
    book = payments.table([{"at": i} for i in range(10)] + [{"at": 11, "amount": 95.0}])
    rows = scores(book, Score(language="zh", **HOME))
    assert rows["reason_1"][10] == "金额 95.00 是该客户最近 10 笔付款中位数（10.00）的 9.5 倍。"
    assert rows["decision"][10] == "hold"


def test_an_empty_table_is_no_question():
    with pytest.raises(InputRejected, match="no payment"):
        score(payments.table([]), s=Score())


def test_a_model_needs_the_columns_and_the_currency_that_it_learnt_from(folder):
    with pytest.raises(InputRejected, match="risk_given"):
        score(payments.shop(payments=300).drop("risk_given"), s=Score(model=folder, **HOME))
    with pytest.raises(UsageFault, match="amounts in EUR"):
        score(payments.shop(payments=300), s=Score(model=folder, home_currency="USD"))


def test_training_needs_labels_and_time():
    with pytest.raises(NoAnswer, match="no payment has a label"):
        train(payments.table([{"at": i} for i in range(50)]), s=Train(**HOME))
    few = payments.shop(payments=300)
    with pytest.raises(NoAnswer, match="at least 20"):
        train(few, s=Train(as_of=date(2026, 6, 1), **HOME))
    one_day = payments.table([{"at": i / 100, "label": "fraud" if i % 2 else "genuine"} for i in range(400)])
    with pytest.raises(NoAnswer, match="too few days"):
        train(one_day, s=Train(as_of=date(2026, 6, 1), **HOME))


def test_labels_that_are_not_known_yet_are_not_learnt_from():
    book = payments.shop()
    early, late = (train_rows(book, day) for day in (date(2026, 3, 31), date(2026, 4, 28)))
    assert early["labelled"] < late["labelled"]
    known = book.filter(pl.col("time") < pl.datetime(2026, 4, 1) - pl.duration(days=7)).height
    assert early["labelled"] == known


def train_rows(book, day):
    with mock.patch.object(models, "ROUNDS", 5):
        return train(book.filter(pl.col("time").cast(pl.Date) <= day), s=Train(as_of=day, **HOME)).metrics


def test_columns_that_know_the_outcome_or_the_clock_are_not_learnt_from():
    fraud = pl.col("label") == "fraud"
    book = by_time(payments.shop()).with_columns(
        (fraud * 3.0 + 0.5).alias("chargeback_fee"),
        pl.when(~fraud).then(1.0).alias("settled"),
        pl.int_range(pl.len()).cast(pl.Float64).alias("row_number"),
    )
    with mock.patch.object(models, "ROUNDS", 5):
        result = train(book, s=Train(as_of=date(2026, 4, 20), **HOME))
        ignored = train(
            book, s=Train(as_of=date(2026, 4, 20), ignore="chargeback_fee, settled,row_number,risk_given", **HOME)
        )
    assert {f.entity for f in result.findings if f.rule == "leak"} == {"chargeback_fee", "settled", "row_number"}
    assert json.loads(result.files["card.json"])["given_columns"] == ["risk_given"]
    assert not [f for f in ignored.findings if f.rule == "leak"]
    with pytest.raises(UsageFault, match='did you mean "settled"'):
        train(book, s=Train(as_of=date(2026, 4, 20), ignore="setled", **HOME))


def test_a_model_that_is_no_better_is_refused():
    # In the last fifth frauds are simply the largest payments, which nothing before could teach.
    book, large = (
        payments.shop(),
        pl.col("amount").cast(pl.Float64).rank(descending=True).over(pl.col("time") > date(2026, 4, 1)),
    )
    late = pl.col("time") > date(2026, 4, 1)
    turned = pl.when(late & (large <= 30)).then(pl.lit("fraud")).when(late).then(pl.lit("genuine")).otherwise("label")
    with mock.patch.object(models, "ROUNDS", 5):
        result = train(book.with_columns(turned.alias("label")), s=Train(as_of=date(2026, 5, 20), **HOME))
    assert [*result.files] == ["training.json"]
    assert json.loads(result.files["training.json"])["chosen"] is False
    assert [f.rule for f in result.findings if f.severity == "high"] == ["model_refused"]
    record = dict(result.tables["training_record"].select("method", "verdict").iter_rows())
    assert record["model"] == "refused"
    assert record["amount_only"] == "beats the model"


# --- the command line ---


def test_train_then_score_from_files(cbec, tmp_path: Path):
    names = [c for c in tables.get("transactions").names if c not in ("currency", "shipping_country", "payment_method")]
    payments.shop(payments=2500).select(*names, "risk_given").write_csv(tmp_path / "t.csv")
    made = cbec("fraud", "train", "--transactions", "t.csv", "--home-currency", "EUR", "--as-of", "2026-04-20", "--model", "m",
                "-o", "record.csv", "--report", "rt")  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "card.json",
        "features.json",
        "model.txt",
        "training.json",
    ]
    assert json.loads((tmp_path / "rt" / "run.json").read_text())["outputs"]["model"]["files"] == [
        "card.json",
        "features.json",
        "model.txt",
        "training.json",
    ]
    done = cbec("fraud", "score", "--transactions", "t.csv", "--home-currency", "EUR", "--model", "m", "--days", "10",
                "-o", "scores.csv", "--report", "rs", "--fail-on", "high")  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    rows = pl.read_csv(tmp_path / "scores.csv")
    assert rows.columns == [c.name for c in tables.get("scores").columns]
    assert rows["score"].is_between(0, 1).all()
    assert (tmp_path / "rs" / "report.html").stat().st_size < 300_000
    missing = cbec(
        "fraud", "score", "--transactions", "t.csv", "--home-currency", "EUR", "--model", "nowhere", "-o", "x.csv"
    )
    assert missing.returncode == 3
    assert "no features.json there" in missing.stderr and not (tmp_path / "x.csv").exists()
