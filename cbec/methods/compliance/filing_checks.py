"""What an accountant looks for before a return is sent: registrations that do not cover it, refunds that do not fit
their sales, exchange rates of another day than the law names, order lines that do not reach over the period."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from cbec.core.command import Finding
from cbec.core.words import of
from cbec.methods.compliance import registered
from cbec.methods.compliance.filing_lines import CORRECTION, FILED, to_northern_ireland
from cbec.methods.compliance.filing_rates import next_publication, published
from cbec.methods.compliance.periods import Period
from cbec.methods.minor import digits_of

if TYPE_CHECKING:
    from cbec.methods.compliance.filing import Filing
    from cbec.methods.compliance.returns import Return


def findings(
    filing: Filing,
    registrations: pl.DataFrame | None,
    rates: pl.DataFrame | None,
    purchases: pl.DataFrame | None = None,
    union: Collection[str] = (),
) -> list[Finding]:
    """Sales outside their registration, tax that customs collects and tax of other prices (high), rates of another day,
    refunds beyond their sales, purchases that no return reclaims, sales for a recapitulative statement and of goods that the
    seller may import itself (warn).

    union: the member states of the European Union.
    """
    taken = filing.lines.filter(pl.col("disposition").is_in([FILED, CORRECTION]))
    held = [] if registrations is None else registrations.to_dicts()
    found = []
    for one in filing.returns:
        own = taken.filter(pl.col("return_id") == one.id)
        found += _uncovered(one, own, held)
        found += _at_the_border(one, own)
        if one.rule is not None and one.rule.form == "oss" and rates is not None:
            found += _late_rates(one, own, rates)
    more = [*_odd_refunds(filing.lines, taken), *_unclaimed(filing, purchases), *_recapitulative(filing, union)]
    more += _imported_by_the_seller(filing, union)
    return [*found, *_stale(taken), *more]


def notes(filing: Filing, order_lines: pl.DataFrame) -> list[str]:
    """Whether the order lines reach over the period asked for, to within a week."""
    first, last = order_lines["date"].min(), order_lines["date"].max()
    asked, week = filing.asked, timedelta(days=7)
    if isinstance(first, date) and isinstance(last, date) and (first > asked.start + week or last < asked.end - week):
        return [f"order lines are of {first} to {last}, the period is {asked.start} to {asked.end}: is that all of it?"]
    return []


def _uncovered(one: Return, own: pl.DataFrame, held: list[dict[str, Any]]) -> list[Finding]:
    """Sales of days on which the registration that the return is filed under does not hold.

    Corrections belong to the registration of the day on which they are filed; only lines of the period itself are held
    against it.
    """
    if one.rule is None or (one.number is None and one.state is None):
        return []
    same = [
        row
        for row in held
        if (row["scheme"], row["country"], row["number"]) == (one.rule.registration, one.state, one.number)
    ]
    days = own.filter(pl.col("disposition") == FILED).select("order_id", "date", "tax")
    bare = [d for d in days["date"].unique().to_list() if not any(registered.valid(row, d, d) for row in same)]
    lost = days.filter(pl.col("date").is_in(bare)).sort("order_id")
    if lost.is_empty():
        return []
    name = " ".join(str(word) for word in (one.scheme, one.state, one.number) if word)
    text = (
        f"{one.id}: {of(lost.height, 'line')} of days outside the registration {name}, "
        f"e.g. order {lost['order_id'][0]}: they may belong into a return under another number"
    )
    return [Finding(f"uncovered:{one.id}", "high", one.id, "outside_registration", text)]


def _at_the_border(one: Return, own: pl.DataFrame) -> list[Finding]:
    """Tax on the duty of low-value goods in a large consignment: part of what the line owes, but customs collects it."""
    bearing = own.filter((pl.col("scheme") == "LVG") & (pl.col("duty") != 0))
    if bearing.is_empty():
        return []
    part = (pl.col("duty") * pl.col("tax_rate") / 100).round(2)
    text = (
        f"{one.id}: {of(bearing.height, 'line', 'bear')} tax on their duty, e.g. order "
        f"{bearing.sort('order_id')['order_id'][0]}: customs collects it at the border, so take it off this return"
    )
    more = [
        (currency, float(amount))
        for currency, amount in bearing.group_by("currency").agg(part.sum()).sort("currency").iter_rows()
    ]
    return [
        Finding(f"border:{one.id}:{currency}", "high", one.id, "tax_on_duty", text, amount, currency)
        for currency, amount in more
    ]


def _late_rates(one: Return, own: pl.DataFrame, rates: pl.DataFrame) -> list[Finding]:
    """Currencies converted at another fixing than the first that the ECB published from the end of the period on."""
    late = {}
    assert one.rule is not None
    pairs = own.filter(pl.col("currency") != one.currency).select("currency", "p0").unique().sort("currency", "p0")
    for currency, p0 in pairs.iter_rows():
        end = (one.period if p0 is None else Period(p0, one.rule.months)).end
        (used, _), due = published(currency, end, rates, one.currency), next_publication(end)
        if used != due:
            late[f"{currency} of {used}"] = due
    if not late:
        return []
    told = ", ".join(f"{what} (not {due})" for what, due in late.items())
    text = f"{one.id}: rates hold no fixing of the day that the law names and others were taken: {told}"
    return [Finding(f"late_rate:{one.id}", "warn", one.id, "late_rate", text)]


def _stale(taken: pl.DataFrame) -> list[Finding]:
    """Sales whose tax was computed from another price than their order line has today.

    Only where the price tells whether it holds the tax, and holds no duty, so that it can be told from the tax table:
    within one unit for currencies without decimals, a cent for others.
    """
    gross, plain = pl.col("price_includes_tax"), (pl.col("incoterm") != "DDP").fill_null(True)
    charges = pl.col("shipping").fill_null(0) + pl.col("insurance").fill_null(0)
    goods = pl.col("qty") * pl.col("price")
    off = (
        pl.when(gross & (pl.col("duty").fill_null(0) == 0))
        .then(goods + charges - pl.col("tax_base") - pl.col("tax"))
        .when(~gross & plain)
        .then(goods - pl.col("intrinsic_value"))
    )
    sales = taken.filter(~pl.col("back")).with_columns(off.abs().alias("off"))
    unit = {code: 1.0 for code in sales["currency"].unique().drop_nulls() if digits_of(code) == 0}
    slack = pl.col("currency").replace_strict(unit, default=0.01, return_dtype=pl.Float64)
    wrong = sales.filter((pl.col("off").cast(pl.Float64) > slack + 1e-9).fill_null(False)).sort("order_id")
    if wrong.is_empty():
        return []
    text = (
        f"{of(wrong.height, 'line', 'have')} another price than the one the tax was computed from, e.g. order "
        f"{wrong['order_id'][0]}: compute the tax of these order lines"
    )
    return [Finding("stale_tax", "high", "tax", "stale_tax", text)]


def _odd_refunds(lines: pl.DataFrame, taken: pl.DataFrame) -> list[Finding]:
    """Orders that give back more of an article than they sold, or before they sold it, by a refund of these returns."""
    backs = taken.filter(pl.col("back") & pl.col("has_sale"))
    sums = lines.group_by("order_id", "sku").agg(pl.col("qty").sum().alias("left"))
    over = backs.join(sums, on=["order_id", "sku"]).filter(pl.col("left") < 0)
    early = backs.filter(pl.col("date") < pl.col("sold"))
    found = []
    for what, some, said in (
        ("over", over, "back more of an article than was sold"),
        ("early", early, "back what was sold only later"),
    ):
        orders = some["order_id"].unique().sort().to_list()
        if orders:
            text = f"{of(len(orders), 'order', 'give')} {said}, e.g. order {orders[0]}"
            found.append(Finding(f"refunds:{what}", "warn", "refunds", "refund_unlike_sale", text))
    return found


def _recapitulative(filing: Filing, union: Collection[str]) -> list[Finding]:
    """Sales to businesses of other member states, by the state they were sent from.

    Council Directive 2006/112/EC, Article 262: "Every taxable person identified for VAT purposes shall submit a
    recapitulative statement of [...] the acquirers identified for VAT purposes to whom he has supplied goods in accordance
    with the conditions specified in Article 138(1)".
    """
    states = sorted(union)
    inside = pl.col("date").is_between(filing.asked.start, filing.asked.end) & (pl.col("scheme") == "REVERSE_CHARGE")
    there = pl.col("country").is_in(states) | to_northern_ireland()
    free = filing.lines.filter(
        inside & pl.col("from_country").is_in(states) & there & (pl.col("country") != pl.col("from_country"))
    )
    sums = free.group_by("from_country", "currency").agg(
        pl.len(), pl.col("tax_base").sum().cast(pl.Float64), pl.col("order_id").min()
    )
    return [
        Finding(
            f"recapitulative:{state}:{currency}", "warn", state, "recapitulative_statement",
            f"{of(count, 'line')} worth {worth:,.2f} {currency} sent from {state} to businesses of other member states without tax, e.g. order "
            f"{order}: for the recapitulative statement of {state}, which is not drafted here",
            worth, currency,
        )
        for state, currency, count, worth, order in sums.sort("from_country", "currency").iter_rows()
    ]  # fmt: skip


def _imported_by_the_seller(filing: Filing, union: Collection[str]) -> list[Finding]:
    """Sales under DDP whose tax customs collect: where the seller is the importer, they are supplied in the country too.

    HMRC, VAT Place of Supply (Goods), VATPOSG3600, on section 7(6) of the VAT Act 1994 and Article 32 of Directive 2006/112/EC:
    "if the supplier imports the goods into the UK, the supply to the UK customer is treated as taking place in the UK and so
    the supplier may be liable to register for VAT here".
    """
    inside = pl.col("date").is_between(filing.asked.start, filing.asked.end) & pl.col("country").is_in([*union, "GB"])
    own = filing.lines.filter(
        inside & (pl.col("scheme") == "IMPORT") & (pl.col("incoterm") == "DDP") & (pl.col("collected_by") == "customs")
    )
    sums = own.group_by("country", "currency").agg(
        pl.len(), pl.col("customs_value").sum().cast(pl.Float64), pl.col("order_id").min()
    )
    return [
        Finding(
            f"importer:{country}:{currency}", "warn", country, "imported_by_seller",
            f"{of(count, 'line')} worth {worth:,.2f} {currency} imported into {country} under DDP, e.g. order {order}: where the seller is the importer, "
            "the sale is made there, to be taxed in a return of that country which reclaims the import tax; it is in no return here",
            worth, currency,
        )
        for country, currency, count, worth, order in sums.sort("country", "currency").iter_rows()
    ]  # fmt: skip


def _unclaimed(filing: Filing, purchases: pl.DataFrame | None) -> list[Finding]:
    """Purchases of the period asked for in countries of which no return is drafted."""
    if purchases is None:
        return []
    forms = [one for one in filing.returns if one.rule is not None and one.rule.form != "oss"]
    places = sorted({place for one in forms if one.rule is not None for place in one.rule.places})
    inside = pl.col("date").cast(pl.Date).is_between(filing.asked.start, filing.asked.end)
    sums = purchases.filter(inside & ~pl.col("country").is_in(places)).group_by("country", "currency")
    rows = sums.agg(pl.len(), pl.col("tax").sum().cast(pl.Float64)).sort("country", "currency").iter_rows()
    return [
        Finding(
            f"unclaimed:{country}:{currency}", "warn", country, "purchase_not_filed",
            f"{of(count, 'document')} of {country} with {tax:,.2f} {currency} of tax: no return of that country is drafted here",
            tax, currency,
        )
        for country, currency, count, tax in rows
    ]  # fmt: skip
