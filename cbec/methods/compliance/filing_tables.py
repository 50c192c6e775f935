"""The tables of a filing, what it adds up to, and what a person should act on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.core import reasons
from cbec.core.command import Finding
from cbec.core.words import of
from cbec.methods.compliance.filing_lines import CORRECTION, FILED, LOCAL
from cbec.methods.compliance.filing_rates import conversions
from cbec.methods.compliance.periods import within
from cbec.methods.compliance.words import REDUCED

if TYPE_CHECKING:
    from cbec.methods.compliance.filing import Filing
    from cbec.methods.compliance.filing_rules import ReturnRule
    from cbec.methods.compliance.returns import Return, Row

MONEY = pl.Decimal(38, 6)
SCHEMA: dict[str, Any] = {
    "return_id": pl.String, "entry": pl.Int64, "jurisdiction": pl.String, "scheme": pl.String, "number": pl.String, "period": pl.String,
    "period_from": pl.Date, "period_to": pl.Date, "due_date": pl.Date, "kind": pl.String, "box": pl.String, "country": pl.String,
    "supply": pl.String, "dispatch_country": pl.String, "rate_type": pl.String, "rate": MONEY, "corrected_period": pl.String, "net": MONEY,
    "tax": MONEY, "amount": MONEY, "currency": pl.String, "lines": pl.Int64, "rule_id": pl.String, "citation": pl.String,
    "reason_code": pl.String, "_state": pl.String,
}  # fmt: skip
LEFT_OUT = ("undetermined", "no_date", "no_sale", "too_late")


def due(filing: Filing, language: str = "en") -> pl.DataFrame:
    """The table returns_due."""
    rows = []
    for one in filing.returns:
        for entry, row in enumerate(one.rows, start=1):
            rows.append(
                {
                    "return_id": one.id,
                    "entry": entry,
                    "jurisdiction": one.jurisdiction,
                    "scheme": one.scheme,
                    "number": one.number,
                    "period": one.period.name,
                    "period_from": one.period.start,
                    "period_to": one.period.end,
                    "due_date": one.due,
                    "kind": row.kind,
                    "box": row.box,
                    "country": row.country,
                    "supply": row.supply,
                    "dispatch_country": row.dispatch,
                    "rate_type": row.rate_type,
                    "rate": row.rate,
                    "corrected_period": row.corrected,
                    "net": row.net,
                    "tax": row.tax,
                    "amount": row.amount,
                    "currency": one.currency,
                    "lines": row.lines,
                    "rule_id": one.rule.id if one.rule else None,
                    "citation": one.rule.citation if one.rule else None,
                    "reason_code": _reason(one, row),
                    "_state": one.state or "-",
                }
            )
    return reasons.render(pl.DataFrame(rows, schema=SCHEMA), language)


def _reason(one: Return, row: Row) -> str:
    if row.reason == "return_line" and one.scheme != "OSS":
        return "return_country"
    return "return_local" if one.rule is None and row.kind == "line" else row.reason


def lines(filing: Filing, language: str = "en") -> pl.DataFrame:
    """The table filing_lines."""
    told = filing.lines.with_columns(
        pl.col("tax_base").alias("net"),
        pl.col("return_id").fill_null("-").alias("_return"),
        pl.col("corrected_period").fill_null("-").alias("_corrected"),
        pl.col("collected_by").fill_null("-").alias("_who"),
        pl.col("date").cast(pl.String).fill_null("-").alias("_day"),
        pl.lit(filing.asked.name).alias("_asked"),
        pl.col("tax_reason").fill_null("-").alias("_why"),
    )
    return reasons.render(told, language)


def control(filing: Filing) -> pl.DataFrame:
    """The table filing_control. Raises AssertionError where its sums are not those of the tax table."""
    keys = ["disposition", "return_id", "scheme", "collected_by", "country", "currency"]
    value = (pl.col("qty") * pl.col("price")).cast(pl.Decimal(38, 6)).fill_null(0)
    table = (
        filing.lines.with_columns(pl.when(pl.col("tax_base").is_null()).then(value).otherwise(0).alias("value"))
        .group_by(keys)
        .agg(pl.len().alias("lines"), pl.col("tax_base").sum().alias("net"), pl.col("tax").sum(), pl.col("value").sum())
        .sort(keys, nulls_last=True)
    )
    if table["lines"].sum() != filing.lines.height or _sum(table, "tax") != _sum(filing.lines, "tax"):
        raise AssertionError("the control totals are not those of the tax table")
    return table


def _sum(frame: pl.DataFrame, column: str) -> Decimal:
    return Decimal(frame[column].sum() or 0)


def metrics(filing: Filing) -> dict[str, float | int | str | None]:
    """Returns, lines by what became of them, and per currency what is payable, what comes back, and the tax left out."""
    told: dict[str, float | int | str | None] = {
        "returns": len(filing.returns),
        "nil_returns": sum(r.rows[0].kind == "nil" for r in filing.returns),
    }
    counts = dict(filing.lines.group_by("disposition").len().iter_rows())
    told |= {f"lines_{d}": counts.get(d, 0) for d in (FILED, CORRECTION, *LEFT_OUT)}
    for box in ("payable", "refund"):
        for currency in sorted({r.currency for r in filing.returns}):
            total = sum((r.total(box) for r in filing.returns if r.currency == currency), Decimal(0))
            if total or box == "payable":
                told[f"{box}_{currency}"] = float(total)
    dated = [r.due for r in filing.returns if r.due is not None]
    told["next_due_date"] = min(dated).isoformat() if dated else None
    return told


def headline(filing: Filing, home: str | None = None, rates: pl.DataFrame | None = None) -> str:
    """What is payable, in each currency (and together in the home currency, if rates are given), and by when first.

    Raises InputRejected where a pair or the end of the period has no rate.
    """
    per: dict[str, Decimal] = {}
    for one in filing.returns:
        per[one.currency] = per.get(one.currency, Decimal(0)) + one.total("payable")
    if not per:
        return "nothing to file: no line of the tax table and no registration falls into the period"
    told = ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(per.items()))
    dated = sorted({(r.due, r.id) for r in filing.returns if r.due is not None and r.total("payable") > 0})
    first = f"; the first return is due on {dated[0][0]} ({dated[0][1]})" if dated else ""
    whole = ""
    if home is not None and rates is not None:
        end = filing.asked.end
        factors = conversions([(c, home, end, False) for c, amount in per.items() if amount], rates)
        total = sum((amount * factors[c, home, end] for c, amount in per.items() if amount), Decimal(0))
        whole = f" (together {total:,.2f} {home} at the rates of {end})"
    return f"drafts decide nothing; payable: {told}{whole}{first}"


def findings(filing: Filing, order_lines: pl.DataFrame, as_of: date | None, registered: bool) -> list[Finding]:
    """Lines left out and their goods (high), schemes without registration, rates to check, returns past their day (warn)."""
    found = [
        *_left_out(filing),
        *_not_taxed(filing, order_lines),
        *_returns(filing, as_of, registered),
        *_reduced(filing),
    ]
    return found


def _left_out(filing: Filing) -> list[Finding]:
    value = (pl.col("qty") * pl.col("price")).abs().cast(pl.Float64)
    out = filing.lines.filter(pl.col("disposition").is_in(LEFT_OUT)).with_columns(value.alias("value"))
    groups = out.group_by("disposition", "currency").agg(
        pl.len(), pl.col("value").sum(), pl.col("order_id").min(), pl.col("tax").sum().cast(pl.Float64)
    )
    found = []
    for what, currency, count, worth, order, tax in groups.sort("disposition", "currency", nulls_last=True).iter_rows():
        said = {
            "undetermined": "no tax is determined",
            "no_date": "no date is told, and so no period",
            "no_sale": "the sale that is refunded is not among the order lines, so that the period to be corrected is not known",
            "too_late": f"the period of the sale can no longer be corrected here (tax {tax or 0:,.2f})",
        }[what]
        money = f", worth {worth or 0:,.2f} {currency}" if currency else ""
        text = f"{of(count, 'line', 'are')} in no return{money}: {said}, e.g. order {order}"
        found.append(
            Finding(f"left_out:{what}:{currency or '-'}", "high", what, "not_filed", text, worth, currency)
            if currency
            else Finding(f"left_out:{what}:-", "high", what, "not_filed", text)
        )
    return found


def _not_taxed(filing: Filing, order_lines: pl.DataFrame) -> list[Finding]:
    """Order lines of the period that the tax table does not have."""
    inside = pl.col("date").is_between(filing.asked.start, filing.asked.end)
    lost = order_lines.filter(inside).join(filing.lines, on=["order_id", "line"], how="anti")
    if lost.is_empty():
        return []
    first = lost.sort("order_id", "line").row(0, named=True)
    text = f"{of(lost.height, 'order line')} of the period without a row in the tax table, e.g. order {first['order_id']}: compute the tax of all"
    return [Finding("no_tax", "high", "order_lines", "not_filed", text)]


def _returns(filing: Filing, as_of: date | None, registered: bool) -> list[Finding]:
    found = []
    for one in filing.returns:
        payable = one.total("payable")
        if registered and one.rule is not None and one.number is None and one.state is None and payable:
            text = f"{one.id}: sales of the scheme {one.scheme}, but no registration for it in the period"
            # The national tax of the United Kingdom is owed whether or not the seller is registered.
            text += "" if one.scheme == "VAT" else ": register, or tell its order lines another scheme (NONE)"
            found.append(
                Finding(f"unregistered:{one.id}", "high", one.id, "unregistered", text, float(payable), one.currency)
            )
        if one.converted:
            text = f"{one.id}: amounts in other currencies were converted at the rate of the day of supply; check that it is the official one"
            found.append(Finding(f"rate:{one.id}", "warn", one.id, "conversion", text))
        if one.due is not None and as_of is not None and as_of > one.due:
            text = f"{one.id} was due on {one.due}, {(as_of - one.due).days} days before {as_of}"
            found.append(Finding(f"overdue:{one.id}", "warn", one.id, "overdue", text, float(payable), one.currency))
        back = one.total("refund")
        if back:
            text = f"{one.id}: {back:,.2f} {one.currency} come back; they are not offset where each country settles for itself"
            found.append(Finding(f"refund:{one.id}", "info", one.id, "refund", text, float(back), one.currency))
        if one.rule is None and payable:
            bare = registered and one.number is None and one.state is None
            text = f"{payable:,.2f} {one.currency} collected in {one.jurisdiction} belong into its national return, of which no form is drafted here"
            text += "; no VAT registration there is told" if bare else ""
            found.append(
                Finding(
                    f"local:{one.id}",
                    "high" if bare else "warn",
                    one.id,
                    "national_return",
                    text,
                    float(payable),
                    one.currency,
                )
            )
    return found


def _reduced(filing: Filing) -> list[Finding]:
    """Filed lines taxed at the standard rate although their kind of goods commonly bears a reduced one."""
    flagged = filing.lines.filter(
        pl.col("disposition").is_in([FILED, CORRECTION])
        & pl.col("flags").str.split("|").list.contains(REDUCED).fill_null(False)
    )
    groups = flagged.group_by("return_id", "currency").agg(pl.len(), pl.col("tax").sum().cast(pl.Float64))
    return [
        Finding(
            f"reduced_rate:{name}:{currency}", "warn", name, "reduced_rate",
            f"{name}: {of(count, 'line', 'bear')} {tax:,.2f} {currency} at the standard rate although a reduced one may apply", tax, currency,
        )
        for name, currency, count, tax in groups.sort("return_id", "currency").iter_rows()
    ]  # fmt: skip


def paper_metrics(items: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Consignments by paper, and those that lack something."""

    def count(condition: pl.Expr) -> int:
        return items.filter(condition)["consignment"].n_unique()

    told: dict[str, float | int | str | None] = {"consignments_abroad": items["consignment"].n_unique()}
    told |= {f"consignments_{d}": count(pl.col("import_data_set") == d) for d in ("H7", "H1")}
    told |= {f"consignments_{f}": count(pl.col("postal_form") == f) for f in ("CN22", "CN23")}
    return told | {"consignments_incomplete": count(pl.col("missing").is_not_null())}


def paper_findings(items: pl.DataFrame) -> list[Finding]:
    """What customs papers ask for and nobody told, by the word."""
    lacking = (
        items.filter(pl.col("missing").is_not_null()).with_columns(pl.col("missing").str.split("|")).explode("missing")
    )
    counts = lacking.group_by("missing").agg(
        pl.col("consignment").n_unique(), pl.col("consignment").min().alias("first")
    )
    return [
        Finding(
            f"paper:{word}", "warn", word, "paper_incomplete",
            f"{of(count, 'consignment', 'lack')} {word} in the customs papers, e.g. {first}",
        )
        for word, count, first in counts.sort("missing").iter_rows()
    ]  # fmt: skip


def notes(filing: Filing, rules: Sequence[ReturnRule]) -> list[str]:
    """What was not filed because it is somebody else's or another period's, and what was taken for granted."""
    counts = dict(filing.lines.group_by("disposition").len().iter_rows())
    asked = filing.asked
    found = []
    if counts.get("other_party"):
        found.append(
            f"lines of the period that others account for (marketplace, customs, carrier, buyer) or that bear no tax: {counts['other_party']}"
        )
    if counts.get("other_period"):
        found.append(f"lines outside the periods of the returns within {asked.name}: {counts['other_period']}")
    touched = set(filing.lines["rule"].drop_nulls().to_list())
    lacking = [rule.title for i, rule in enumerate(rules) if i in touched and not within(asked, rule)]
    if lacking:
        found.append(f"no whole period lies within {asked.name} of: {'; '.join(lacking)}")
    if any(one.rule is not None and one.rule.form == "gb" for one in filing.returns):
        found.append(
            "boxes 2 and 9 of the United Kingdom return hold the acquisitions in purchase_tax, box 8 (goods sent from Northern Ireland to the Union) nothing; sales that a marketplace accounts for are not in box 6"
        )
    if any(one.rule is None for one in filing.returns):
        found.append(
            f"returns named {LOCAL} are sums for national returns, whose forms and last days are not held here"
        )
    if any(one.scheme == "OSS" and one.state is None for one in filing.returns):
        found.append(
            "the state of identification of the One Stop Shop is not told (--registrations): every dispatch country stands apart"
        )
    return found
