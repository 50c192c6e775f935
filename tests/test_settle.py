"""The step settle from the outside: statuses, streams, planted truths of the sample company."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest
from support import sampled

from cbec import sample, settle, tables
from cbec.core import packaged
from cbec.core.cells import dtype
from cbec.core.command import Common, Result

EVENTS = (
    "event,ref,amount,currency,at\npayout,A,12.50,EUR,2026-01-01\npayout,B,-3,JPY,2026-01-02\nnote,C,,,2026-01-02\n"
)


def test_a_broken_ledger_is_status_1_and_names_the_record(inside, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.csv").write_text(EVENTS, "utf-8")
    assert inside("settle", "ledger", "--events", "events.csv", "-o", "ledger.csv", "--json") == 0
    head = json.loads(capfd.readouterr().out)["metrics"]["head"]
    assert inside("settle", "verify", "--ledger", "ledger.csv", "--head", head, "-o", "verdict.csv") == 0
    text = (tmp_path / "ledger.csv").read_text("utf-8")
    (tmp_path / "ledger.csv").write_text(text.replace("1250", "1251"), "utf-8")
    capfd.readouterr()
    assert inside("settle", "verify", "--ledger", "ledger.csv", "-o", "verdict.csv", "--json") == 1
    assert json.loads(capfd.readouterr().out)["status"] == 1
    assert "BROKEN,3,1,content," in (tmp_path / "verdict.csv").read_text("utf-8")
    assert inside("settle", "ledger", "--events", "events.csv", "--ledger", "ledger.csv", "-o", "ledger.csv") == 3
    assert "record 1 was changed" in capfd.readouterr().err
    cut = "\n".join(text.splitlines()[:-1]) + "\n"
    (tmp_path / "ledger.csv").write_text(cut, "utf-8")
    assert inside("settle", "verify", "--ledger", "ledger.csv", "-o", "verdict.csv") == 0
    assert inside("settle", "verify", "--ledger", "ledger.csv", "--head", head, "-o", "verdict.csv") == 1


def test_a_failed_verdict_is_status_1_without_fail_on() -> None:
    from cbec.core.command import Finding, Result
    from cbec.core.errors import ExitStatus
    from cbec.core.runner import _status

    finding = Finding("f", "high", "e", "r", "m")
    assert _status(Result({}, findings=[finding]), None) is ExitStatus.DONE
    assert _status(Result({}, findings=[finding], fail=True), None) is ExitStatus.FINDINGS
    assert _status(Result({}, fail=True), "high") is ExitStatus.FINDINGS


@pytest.fixture(scope="module")
def reconciled() -> Result:
    """The sample company's payouts against its bank lines."""
    made = sampled.made()
    paid, bank, lines = (whole(name, made[name]) for name in ("settlements", "bank", "order_lines"))
    settings = settle.Reconcile(as_of=date(2026, 9, 30))
    return settle.reconcile(bank, paid, lines, made["rates"], s=settings)


def whole(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the columns that its contract lets be absent."""
    contract = tables.get(name)
    lacking = [c for c in contract.columns if c.name not in frame.columns]
    return frame.with_columns(pl.lit(c.default, dtype(c)).alias(c.name) for c in lacking).select(contract.names)


def found(frame: pl.DataFrame, **values: object) -> list[dict[str, object]]:
    return frame.filter(**values).to_dicts()


def test_the_planted_faults_of_the_sample_are_found(reconciled: Result) -> None:
    faults = {fault["kind"]: fault for fault in sample.truths()["settle"]["faults"]}
    assert len(faults) == 8
    matches, left = reconciled.tables["matches"], reconciled.tables["unexplained"]
    paid = {r["settlement_id"]: r for r in matches.to_dicts()}
    for kind, name in (("missing", "missing"), ("short", "short"), ("digits", "swapped_digits")):
        assert [float(r["amount"]) for r in found(left, kind=kind)] == [faults[name]["amount"]]
    for kind, status in (("short", "review"), ("swapped_digits", "review"), ("fee", "auto"), ("fx_spread", "auto")):
        [number], [ref] = faults[kind]["settlement_ids"], faults[kind]["bank_refs"]
        assert (paid[number]["bank_ref"], kind, paid[number]["status"]) == (ref, kind, status)
    assert paid[faults["missing"]["settlement_ids"][0]]["status"] == "unmatched"
    assert float(paid[faults["fee"]["settlement_ids"][0]]["fee"]) == faults["fee"]["amount"]
    [number], [first, again] = faults["booked_twice"]["settlement_ids"], faults["booked_twice"]["bank_refs"]
    assert (paid[number]["bank_ref"], [r["item"] for r in found(left, kind="duplicate")]) == (first, [again])
    for kind in ("split", "merge"):
        rows = matches.filter(kind=kind)
        assert rows["settlement_id"].unique().sort().to_list() == faults[kind]["settlement_ids"]
        assert rows["bank_ref"].unique().sort().to_list() == faults[kind]["bank_refs"]
    dear = faults["fx_spread"]
    assert paid[dear["settlement_ids"][0]]["spread_bp"] == pytest.approx(dear["spread_bp"], abs=0.1)
    assert [f.entity for f in reconciled.findings if f.rule == "spread"] == dear["settlement_ids"]


def test_nothing_else_of_the_sample_is_at_fault(reconciled: Result) -> None:
    matches, left = reconciled.tables["matches"], reconciled.tables["unexplained"]
    assert (reconciled.tables["recon_totals"]["proof"] == 0).all()
    assert set(left["kind"]) == {
        "missing",
        "short",
        "digits",
        "duplicate",
        "pending",
        "outgoing",
        "unknown",
        "unsettled",
    }
    # Money of other payers, and orders that no marketplace sold.
    assert set(left.filter(kind="unknown")["reason_code"]) == {"recon_unknown"}
    unsettled = left.filter(kind="unsettled")["item"]
    assert unsettled.str.starts_with("PL").all()
    assert unsettled.len() <= sample.truths()["settle"]["orders_of_no_marketplace"]
    eyes = matches.filter(pl.col("status") == "review")["match_id"].n_unique()
    assert eyes <= 4 < 0.15 * matches["match_id"].n_unique()


def test_the_ledger_of_the_sample_is_whole_and_takes_the_new_events() -> None:
    truth = sample.truths()["settle"]["ledger"]
    made = sampled.made()
    verdict = settle.verify(whole("ledger", made["ledger"]), s=settle.Verify(head=truth["head"]))
    assert not verdict.fail
    assert (verdict.metrics["records"], verdict.metrics["head"]) == (truth["records"], truth["head"])
    longer = settle.ledger(whole("events", made["events"]), whole("ledger", made["ledger"]), s=Common())
    assert longer.metrics["appended"] == truth["events_not_in_it"]
    assert longer.metrics["known"] == truth["records"]
    assert not settle.verify(longer.tables["ledger"], s=settle.Verify(head=truth["head"])).fail


def test_reconcile_runs_on_the_files_of_the_sample(cbec, tmp_path) -> None:
    folder = packaged.folder("sample_data")
    done = cbec(
        "settle", "reconcile", "--bank", folder / "bank.csv", "--settlements", folder / "settlements.csv.gz",
        "--order-lines", folder / "order_lines.csv", "--rates", folder / "rates.csv", "--report", "report", "--fail-on", "high",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    summary = json.loads((tmp_path / "report" / "summary.json").read_text("utf-8"))
    assert summary["money"]["reason"].startswith("nothing is decided here; 2,221.83 EUR was due and not received")
    assert "proof" in (tmp_path / "report" / "recon_totals.csv").read_text("utf-8")
