"""E-invoices: the sample company's through the official rules, totals and terms of single invoices, missing validators."""

import json
import os
import random
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import yaml

from cbec import compliance, tables
from cbec.core import packaged
from cbec.core.errors import EnvironmentFailed, InputRejected, UsageFault
from cbec.methods.compliance import einvoice, validator
from cbec.methods.compliance.cells import frame
from cbec.methods.compliance.invoices import columns_of, documents, vat_identifier

D = Decimal
SAMPLE = packaged.folder("sample_data")
HEAD = {
    "invoice_id": "R1", "kind": "line", "document_type": "invoice", "issue_date": date(2026, 3, 2), "due_date": date(2026, 4, 1), "currency": "EUR",
    "seller_name": "S", "seller_country": "DE", "seller_tax_id": "DE999999000", "buyer_name": "B", "buyer_country": "DE", "unit": "C62",
}  # fmt: skip
RATES = [{"date": date(2026, 3, 1), "base": "EUR", "quote": "USD", "rate": 1.25}]


def table(*rows, **head):
    """A table invoices; a row needs what differs from one piece at 100 euros and 19 %."""
    line = {"item": "Lamp", "qty": D(1), "price": D(100), "tax_rate": D(19)}
    told = [
        HEAD | {"line": str(n)} | head | (line if row.get("kind", "line") == "line" else {}) | row
        for n, row in enumerate(rows, start=1)
    ]
    return frame(told, tables.get("invoices"))


def one(*rows, **head):
    return next(documents(table(*rows, **head), frame(RATES, tables.get("rates"))))


def checked(pairs):
    return list(validator.validate(pairs, validator.artefacts()))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """`compliance einvoice` as a user types it, on the sample company's invoices."""
    folder = tmp_path_factory.mktemp("einvoice")
    words = [
        "--invoices",
        SAMPLE / "invoices.csv",
        "--rates",
        SAMPLE / "rates.csv",
        "--syntax",
        "both",
        "--xml-folder",
        "xml",
        "--fail-on",
        "high",
    ]
    words += ["-o", "e.csv", "--write-einvoice-findings", "f.csv", "--report", "report"]
    env = os.environ | {"PYTHONPATH": str(Path(packaged.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-m", "cbec", "compliance", "einvoice", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    return done, folder


def test_the_planted_faults_and_no_other_are_found_in_both_syntaxes(sample):
    done, folder = sample
    assert done.returncode == 1, done.stderr
    told = pl.read_csv(folder / "e.csv", infer_schema=False)
    findings = pl.read_csv(folder / "f.csv", infer_schema=False)
    planted = yaml.safe_load((SAMPLE / "truths.yaml").read_text("utf-8"))["invoices"]
    assert told.height == 2 * len(planted)
    for truth in planted:
        for syntax in ("ubl", "cii"):
            own = told.row(
                by_predicate=(pl.col("invoice_id") == truth["invoice"]) & (pl.col("syntax") == syntax), named=True
            )
            found = findings.filter(pl.col("file") == own["file"])
            fatal = set(found.filter(pl.col("severity") == "fatal")["rule"])
            assert (own["status"], fatal) == ("invalid" if truth["rules"] else "valid", set(truth["rules"])), truth
            own_warnings = set(found.filter(pl.col("severity") == "warning")["rule"]) - {"PEPPOL-EN16931-R008"}
            assert bool(own_warnings) == (truth["status"] == "warned"), truth


def test_an_invalid_file_bears_its_status_in_its_name(sample):
    _, folder = sample
    told = pl.read_csv(folder / "e.csv", infer_schema=False)
    assert sorted(p.name for p in (folder / "xml").iterdir()) == sorted(told["file"])
    assert set(told.filter(pl.col("status") == "invalid")["file"].str.ends_with(".xml.invalid")) == {True}
    assert set(told.filter(pl.col("status") == "valid")["file"].str.ends_with(".xml")) == {True}


def test_findings_name_the_columns_to_look_at(sample):
    _, folder = sample
    findings = pl.read_csv(folder / "f.csv", infer_schema=False)
    told = findings.filter(pl.col("rule") == "BR-IC-12")["reason"]
    assert all("ship_to_country" in text for text in told)
    assert all(re.fullmatch(r"/[\w:/\[\]]+", place) for place in findings["location"].drop_nulls())
    summary = json.loads((folder / "report" / "summary.json").read_text("utf-8"))
    high = [f["message"] for f in summary["top_findings"] if f["severity"] == "high"]
    assert high and all(re.match(r"\d+ rules? (is|are) broken", text) for text in high)
    assert any(re.search(r"\[BR-[A-Z0-9-]+\].*; look at \w+", text) for text in high)


def test_the_files_are_read_back_with_their_totals(sample):
    _, folder = sample
    given = list(einvoice.read(f"{folder}/xml/*-0901.*.xml"))
    told = einvoice.result(given, validator.artefacts(), folder=False).tables["einvoices"]
    sums = told.select("invoice_id", "status", "net", "tax", "payable").unique().rows()
    assert sums == [("RE-2026-0901", "valid", D("299.89"), D("53.38"), D("303.27"))]


def test_documents_of_strangers(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("password")
    entity = f'<!DOCTYPE Invoice [<!ENTITY x SYSTEM "{secret.as_uri()}">]><Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">&x;</Invoice>'
    told = checked(
        [
            ("cut", b"<Invoice"),
            ("entity", entity.encode()),
            ("other", b"<order/>"),
            ("latin", '<?xml version="1.0" encoding="ISO-8859-1"?><Rechnung>ü</Rechnung>'.encode("latin-1")),
        ]
    )
    assert [[f.rule for f in report.findings] for report in told] == [["XML"]] * 4
    assert all(report.syntax is None for report in told)
    assert "password" not in str(told)


def test_a_missing_validator_is_an_error_and_never_a_pass(monkeypatch):
    monkeypatch.setattr(validator.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFailed, match="not installed") as told:
        validator.artefacts()
    assert told.value.status == 6
    assert "cbec[einvoice]" in told.value.hint


def test_a_folder_without_the_artefacts_is_an_error(tmp_path):
    with pytest.raises(EnvironmentFailed, match=r"EN16931-UBL-validation\.xslt"):
        validator.artefacts(str(tmp_path))
    with pytest.raises(UsageFault, match="no folder"):
        validator.artefacts(str(tmp_path / "none"))


def test_a_validator_that_breaks_off_leaves_nothing_behind(tmp_path):
    broken = tmp_path / "lib"
    broken.mkdir()
    (broken / "saxonche.py").write_text("import os; os.kill(os.getpid(), 11)")
    root = str(Path(packaged.__file__).parents[2])
    words = [
        "compliance",
        "einvoice",
        "--invoices",
        str(SAMPLE / "invoices.csv"),
        "--rates",
        str(SAMPLE / "rates.csv"),
        "--xml-folder",
        "xml",
        "-o",
        "e.csv",
    ]
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(broken), root])}
    done = subprocess.run(
        [sys.executable, "-m", "cbec", *words], cwd=tmp_path, capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 6
    assert "the validator broke off" in done.stderr
    assert not (tmp_path / "e.csv").exists()
    assert not (tmp_path / "xml").exists()


def test_unchecked_documents_say_so():
    found = compliance.einvoice(table({}), s=compliance.Einvoice(check="none"))
    assert found.tables["einvoices"].select("status", "fatal").rows() == [("not_checked", None)]
    assert [f.rule for f in found.findings] == ["not_checked"]


def test_neither_invoices_nor_documents_is_a_fault_of_usage():
    with pytest.raises(UsageFault, match="--invoices or --documents"):
        compliance.einvoice(s=compliance.Einvoice())
    with pytest.raises(InputRejected, match="no XML file"):
        compliance.einvoice(s=compliance.Einvoice(documents="none/*.xml"))


def test_the_order_of_rows_changes_nothing():
    rows = [{"line": str(n), "price": D(n)} for n in range(1, 13)]
    mixed = rows.copy()
    random.Random(1).shuffle(mixed)
    ordered, shuffled = one(*rows), one(*mixed)
    assert [line["BT-126"] for line in ordered.terms["BG-25"]] == [str(n) for n in range(1, 13)]
    assert einvoice.serialised(ordered, "ubl") == einvoice.serialised(shuffled, "ubl")


def test_terms_and_totals_of_an_invoice():
    found = one(
        {"qty": D("2.5"), "unit": "kg", "price": D("12.800"), "gtin": "4006381333931", "hs_code": "0902"},
        {"kind": "allowance", "amount": D(2), "tax_rate": D(19)},
        seller_tax_id="999 999 000", note="a\x00b",
    )  # fmt: skip
    line = found.terms["BG-25"][0]
    assert (line["BT-129"], line["BT-130"], line["BT-146"], line["BT-131"]) == ("2.5", "KGM", "12.8", "32.00")
    assert (line["BT-157-1"], line["BT-158"]) == ("0160", {"HS": {None: "0902"}})
    assert found.terms["BG-4"]["vat_identifier"] == "DE999999000"
    assert found.terms["BG-1"] == [{"BT-22": "a b"}]
    assert (found.totals.net, found.totals.tax, found.totals.gross) == (D(30), D("5.70"), D("35.70"))


def test_categories_bring_their_own_rate_and_reason():
    found = one({"tax_category": "AE", "tax_rate": None}, {"tax_category": "O", "tax_rate": None})
    reverse, outside = found.terms["BG-23"]
    assert (reverse["BT-119"], reverse["BT-121"]) == ("0", "VATEX-EU-AE")
    assert "BT-119" not in outside
    assert outside["BT-121"] == "VATEX-EU-O"
    assert "BT-152" not in found.terms["BG-25"][1]


def test_the_tax_is_told_in_the_accounting_currency():
    found = one({}, currency="USD", tax_currency="EUR")
    assert (found.tax_in_tax_currency, found.terms["BT-111"], found.terms["BT-6"]) == (D("15.20"), "15.20", "EUR")
    assert "BT-6" not in one({}, tax_currency="EUR").terms
    with pytest.raises(UsageFault, match="exchange rates"):
        next(documents(table({}, currency="USD", tax_currency="EUR"), None))


def test_the_rounding_amount_is_in_the_currency_of_the_invoice():
    xml = einvoice.serialised(one({}, currency="SEK", rounding=D("0.40")), "ubl")
    assert b'<cbc:PayableRoundingAmount currencyID="SEK">0.40<' in xml


def test_prices_with_tax_and_the_cent_that_they_may_leave():
    found = one({"price": D("19.99"), "qty": D(3), "price_includes_tax": True})
    assert (found.totals.net, found.totals.gross) == (D("50.39"), D("59.96"))
    assert [n.rule for n in found.notices] == ["GROSS"]
    assert "rounding of 0.01" in found.notices[0].message
    settled = one({"price": D("19.99"), "qty": D(3), "price_includes_tax": True}, rounding=D("0.01"))
    assert (settled.notices, settled.totals.payable) == ((), D("59.97"))


def test_the_amount_of_a_line_may_stand_instead_of_its_price():
    found = one({"price": None, "amount": D("10.01"), "qty": D(3)})
    assert (found.totals.net, found.terms["BG-25"][0]["BT-146"]) == (D("10.01"), "3.33666667")
    with pytest.raises(InputRejected, match="quantity x price"):
        one({"amount": D("99.99")})


def test_a_credit_note_whose_sign_is_turned_and_a_wrong_number_are_told():
    found = one({"qty": D(-1)}, document_type="credit_note", buyer_tax_id="DE999999001")
    assert [n.rule for n in found.notices] == ["TAX-NUMBER", "SIGN"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{}, {"currency": "USD"}], "EUR and USD"),
        ([{"kind": "charge", "amount": D(1), "tax_rate": D(19)}], "no line"),
        ([{"buyer_name": None}], "no buyer_name"),
    ],
)
def test_rows_that_make_no_invoice_are_rejected(rows, said):
    with pytest.raises(InputRejected, match=said):
        one(*rows)


def test_what_of_the_whole_invoice_is_told_once_is_enough():
    found = one({"buyer_reference": "PO-7"}, {"buyer_name": None, "seller_name": None})
    assert (found.terms["BT-10"], found.terms["BG-7"]["name"]) == ("PO-7", "B")


def test_numbers_that_share_a_file_name_are_told_apart():
    rows = pl.concat([table({}, invoice_id=number) for number in ("A/1", "A:1", "a_1", "..")])
    names = [d.file for d in einvoice.written(rows, None, "ubl")]
    assert len({name.lower() for name in names}) == 4
    assert not any("/" in name or name.startswith(".") for name in names)


def test_vat_numbers_are_quoted_with_their_prefix():
    assert vat_identifier("094259216", "GR") == "EL094259216"
    assert vat_identifier("NO 995 525 828 MVA", None) == "NO995525828MVA"
    assert vat_identifier("ABN 51 824 753 556", "AU") == "AU51824753556"
    assert vat_identifier("wrong 1", "DE") == "WRONG1"


def test_every_term_that_a_column_names_is_found_again():
    assert columns_of("BT-40") == ("seller_country",)
    assert columns_of("BT-30") == ("seller_registration",)
    assert columns_of("BT-15") == ()


def test_rows_that_lack_something_are_faults_of_the_input(cbec, tmp_path):
    head = "invoice_id,line,issue_date,currency,seller_name,seller_country,buyer_name,buyer_country,item,qty,price,tax_rate,tax_category"
    lacks = {
        "1,,19,": "a line needs item, qty and price",
        "1,5,,": "say why by a tax category",
        "1,5,,S": "needs its rate",
    }
    rows = [f"R1,{n},2026-03-02,EUR,S,DE,B,DE,Lamp,{cells}" for n, cells in enumerate(lacks)]
    (tmp_path / "i.csv").write_text("\n".join([head, *rows]))
    done = cbec("compliance", "einvoice", "--invoices", "i.csv", cwd=tmp_path)
    assert done.returncode == 3
    assert all(said in done.stderr for said in lacks.values())


def test_a_credit_note_is_taken_away_from_what_is_due():
    rows = pl.concat([table({}, invoice_id="A"), table({"price": D(40)}, invoice_id="B", document_type="credit_note")])
    given = list(einvoice.written(rows, None, "both"))
    metrics = einvoice.result(given, None, folder=False).metrics
    assert (metrics["net_eur"], metrics["payable_eur"]) == (60.0, 71.4)
    read_back = [report.terms["BT-3"] for report in checked((d.file, d.xml) for d in given)]
    assert read_back == ["380", "380", "381", "381"]


@pytest.mark.parametrize(
    ("profile", "urn"),
    [("peppol", "urn:fdc:peppol.eu:2017:poacc:billing:3.0"), ("xrechnung", "urn:xeinkauf.de:kosit:xrechnung_3.0")],
)
def test_profiles_are_named_and_what_they_lack_is_told(profile, urn):
    bare = list(einvoice.written(table({}), None, "both", profile))
    for document in bare:
        xml = document.xml.decode()
        assert xml.count(f">urn:cen.eu:en16931:2017#compliant#{urn}<") == 1
        assert xml.count(">urn:fdc:peppol.eu:2017:poacc:billing:01:1.0<") == 1
    (report,) = checked([(bare[0].file, bare[0].xml)])
    assert not [f for f in report.findings if f.severity == "fatal"]
    told = {notice.rule: notice.columns for notice in bare[0].invoice.notices}
    assert {
        "PEPPOL-EN16931-R010": ("buyer_endpoint",),
        "PEPPOL-EN16931-R020": ("seller_endpoint",),
    }.items() <= told.items()
    assert ("BR-DE-15" in told, "PEPPOL-EN16931-R003" in told) == (profile == "xrechnung", profile == "peppol")
    full = {f"seller_{n}": "x" for n in ("city", "postcode", "contact", "phone", "email", "endpoint")} | {
        "buyer_city": "x", "buyer_postcode": "x", "buyer_endpoint": "y", "buyer_reference": "04011000-1-23", "payment_means": "transfer",
    }  # fmt: skip
    assert next(einvoice.written(table(full), None, "ubl", profile)).invoice.notices == ()


def test_a_profile_in_cii_needs_the_official_rules():
    with pytest.raises(UsageFault, match="know no profile xrechnung"):
        compliance.einvoice(table({}), s=compliance.Einvoice(syntax="both", profile="xrechnung"))


def test_without_a_profile_the_core_is_claimed():
    (document,) = einvoice.written(table({}), None, "ubl")
    assert b">urn:cen.eu:en16931:2017<" in document.xml
    assert b"ProfileID" not in document.xml
    assert document.invoice.notices == ()


def test_rules_about_lists_of_codes_name_the_columns_too():
    invoices = table({"unit": "widget"}, payment_means="999", buyer_endpoint="x", buyer_endpoint_scheme="ZZZZ")
    found = compliance.einvoice(invoices, s=compliance.Einvoice()).tables["einvoice_findings"]
    assert dict(found.select("rule", "_columns").iter_rows()) == {
        "BR-CL-16": "payment_means",
        "BR-CL-23": "unit",
        "BR-CL-25": "seller_endpoint_scheme, buyer_endpoint_scheme",
    }
