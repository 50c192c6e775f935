"""Compliance: what tax and duty each order line owes, by dated rules that name their sources."""

from __future__ import annotations

from dataclasses import dataclass

from cbec.core.command import Common, Result, Table, command, setting


@dataclass(frozen=True)
class Tax(Common):
    """Settings of `compliance tax`."""

    rules: str = setting("", "folder of rule packs (YAML); empty = those that ship with cbec")
    price_basis: str = setting(
        "net", "whether prices include tax (gross) or not (net) where a line does not say", choices=("net", "gross")
    )


@command("tax", "exports", by=("order_id",))
def tax(
    order_lines: Table,
    products: Table | None = None,
    tariff: Table | None = None,
    rates: Table | None = None,
    *,
    s: Tax,
) -> Result:
    """Tax and duty per order line, to the cent, with the rule, its source and who collects it.

    Lines that no rule decides are marked UNDETERMINED with the reason, never set to 0. A refund (negative
    quantity) reverses the sale of its order and article, by the rules of the day of that sale. The table exports tells
    the customs regime of sales whose goods leave a country with export rules (China).
    """
    from cbec.methods.compliance import exports, packs, summary
    from cbec.methods.compliance.book import rulebook
    from cbec.methods.compliance.tax import compute

    loaded = packs.load(s.rules)
    gross = s.price_basis == "gross"
    book = rulebook(loaded, s.as_of)
    table = compute(order_lines, products, rates, book, tariff=tariff, gross=gross, language=s.language)
    return Result(
        {"tax": table, "exports": exports.leaving(order_lines, book, s.language)},
        money="tax and duty are what the rules say; nothing is decided here (sums per currency are in the metrics)",
        metrics=summary.metrics(table),
        findings=summary.findings(table, order_lines, loaded, s.as_of),
        notes=summary.notes(order_lines, table, gross),
    )


@dataclass(frozen=True)
class RuleTest(Common):
    """Settings of `compliance test`."""

    rules: str = setting("", "folder of rule packs (YAML); empty = those that ship with cbec")
    cases: str = setting("", "file or folder of cases (YAML); empty = the folder `cases` beside the rules")


@command("rule_verdict", name="test")
def rule_test(*, s: RuleTest) -> Result:
    """Run the cases that stand beside the rules: every one, every field, exact to the cent.

    A case that fails is a finding of severity high, so that `--fail-on high` ends with status 1.
    """
    from cbec.methods.compliance import cases, packs, verdict

    loaded = packs.load(s.rules)
    outcome = verdict.run(cases.load(s.cases, s.rules, loaded), loaded)
    return verdict.result(outcome, loaded, whole=not s.cases)


@command("tax_id_verdicts")
def taxid(tax_ids: Table, *, s: Common) -> Result:
    """Tax numbers held against the published format and check digits of their country.

    A number that passes is format-valid, never registered: no register is asked.
    """
    from cbec.methods.compliance import tax_numbers

    return tax_numbers.result(tax_ids)
