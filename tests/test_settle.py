"""The step settle from the outside: statuses, streams, planted truths of the sample company."""

from __future__ import annotations

import json

EVENTS = (
    "event,ref,amount,currency,at\npayout,A,12.50,EUR,2026-01-01\npayout,B,-3,JPY,2026-01-02\nnote,C,,,2026-01-02\n"
)


def test_a_broken_ledger_is_status_1_and_names_the_record(cbec, tmp_path) -> None:
    (tmp_path / "events.csv").write_text(EVENTS, "utf-8")
    made = cbec("settle", "ledger", "--events", "events.csv", "-o", "ledger.csv", "--json")
    assert made.returncode == 0, made.stderr
    head = json.loads(made.stdout)["metrics"]["head"]
    fine = cbec("settle", "verify", "--ledger", "ledger.csv", "--head", head, "-o", "verdict.csv")
    assert fine.returncode == 0, fine.stderr
    text = (tmp_path / "ledger.csv").read_text("utf-8")
    (tmp_path / "ledger.csv").write_text(text.replace("1250", "1251"), "utf-8")
    broken = cbec("settle", "verify", "--ledger", "ledger.csv", "-o", "verdict.csv", "--json")
    assert broken.returncode == 1
    assert json.loads(broken.stdout)["status"] == 1
    assert "BROKEN,3,1,content," in (tmp_path / "verdict.csv").read_text("utf-8")
    refused = cbec("settle", "ledger", "--events", "events.csv", "--ledger", "ledger.csv", "-o", "ledger.csv")
    assert refused.returncode == 3
    assert "record 1 was changed" in refused.stderr
    cut = "\n".join(text.splitlines()[:-1]) + "\n"
    (tmp_path / "ledger.csv").write_text(cut, "utf-8")
    assert cbec("settle", "verify", "--ledger", "ledger.csv", "-o", "verdict.csv").returncode == 0
    assert cbec("settle", "verify", "--ledger", "ledger.csv", "--head", head, "-o", "verdict.csv").returncode == 1


def test_a_failed_verdict_is_status_1_without_fail_on() -> None:
    from cbec.core.command import Finding, Result
    from cbec.core.errors import ExitStatus
    from cbec.core.runner import _status

    finding = Finding("f", "high", "e", "r", "m")
    assert _status(Result({}, findings=[finding]), None) is ExitStatus.DONE
    assert _status(Result({}, findings=[finding], fail=True), None) is ExitStatus.FINDINGS
    assert _status(Result({}, fail=True), "high") is ExitStatus.FINDINGS
