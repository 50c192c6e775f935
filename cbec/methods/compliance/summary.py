"""What a tax table adds up to: figures for the summary, and what a person should act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.command import Finding
from cbec.core.words import of
from cbec.methods.compliance import small_sales
from cbec.methods.compliance.codes import places
from cbec.methods.compliance.rules import DISPATCH
from cbec.methods.compliance.words import ORPHAN, REDUCED, TAX_ID, UNCHECKED

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack


REGISTERED = ("IOSS", "OSS", "VOEC", "LVG")
ADDED = ("_due", "_open", "_reduced", "_flagged", "_free", "_outside", "_assumed", "_small")
"""Tables of what lines add up to. Each part of a file has its own; one below the other they are those of the file."""
SUMS = ("tax", "duty", "total")
FLAGGED = {
    ORPHAN: "the sale that is refunded is not in the file, so that rules and rates of the refund's own day were taken",
    TAX_ID: "the buyer's tax number cannot be one and counts as none",
    UNCHECKED: "a duty on nearly everything was taken, and no row of the tariff (--tariff) says whether the goods are exempt",
}
"""What the other flags say of lines."""
WORDS = ("status", "ship_to", "currency", "scheme", "collected_by", "flags", "reason_code", "reason")
"""What is the same for lines that are `_alike`."""


def added(tax: pl.DataFrame, order_lines: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The tables `ADDED` of some lines and their tax (with `_alike`), row by row beside each other; all else here is told of these."""
    alike = _alike(tax, order_lines)
    known, lines = pl.col("status") == "OK", pl.col("lines").sum()
    flagged = pl.col("lines").filter(pl.col("flags").is_not_null()).sum().alias("flagged")
    due = alike.group_by(known.alias("known"), "currency", "collected_by").agg(lines, flagged, pl.col(SUMS).sum())
    gaps = (
        alike.filter(~known)
        .group_by("reason_code", "currency")
        .agg(lines, pl.col("value").sum(), pl.col("reason", "order_id").min())
    )
    taxed_in = pl.when(pl.col("scheme") == DISPATCH).then("ship_from").otherwise("ship_to").alias("ship_to")
    reduced = (
        alike.filter(pl.col("flags").str.split("|").list.contains(REDUCED))
        .group_by(taxed_in, "currency")
        .agg(lines, pl.col("tax_base", "tax").sum(), pl.col("order_id").min())
    )
    flags = alike.drop_nulls("flags").with_columns(pl.col("flags").str.split("|")).explode("flags")
    other = (
        flags.filter(pl.col("flags").is_in(list(FLAGGED)))
        .group_by("flags", "currency")
        .agg(lines, pl.col("tax_base", "total").sum(), pl.col("order_id").min())
    )
    nothing = places((order_lines["price"] == 0) & (order_lines["qty"] > 0) & tax["customs_value"].is_not_null())
    free = (
        tax.select("ship_to", "order_id")[nothing]
        .group_by("ship_to")
        .agg(pl.len().alias("lines"), pl.col("order_id").min())
    )
    away = pl.col("reason_code").is_in(["tax_territory_outside", "tax_territory_import"])
    outside = alike.filter(away).group_by("ship_to").agg(lines)
    assumed = alike.filter(known).select(
        pl.col("price_basis").sum(),
        *(pl.col("registration").filter(pl.col("scheme") == scheme).sum().alias(scheme) for scheme in REGISTERED),
    )
    small = small_sales.added(tax, order_lines, alike.filter(pl.col("reason_code") == "tax_dispatch_small")["_alike"])
    return dict(zip(ADDED, (due, gaps, reduced, other, free, outside, assumed, small), strict=True))


def _alike(tax: pl.DataFrame, order_lines: pl.DataFrame) -> pl.DataFrame:
    """A row for all lines of which words, currency and country are the same (`_alike`): these, a `ship_from` (the one where the tax is that of dispatch), the sums of their money, `lines`, the first `order_id`, the
    `value` of goods without an answer, and for how many `price_basis` and `registration` were taken for granted."""
    untold = order_lines.select(
        pl.col("price_includes_tax").is_null().alias("price_basis"),
        (pl.col("scheme").is_null() & ~pl.col("marketplace_collects").fill_null(False)).alias("registration"),
    )
    lines = tax.select("_alike", "order_id", "tax_base", "tax", "duty").hstack(untold).with_row_index("row")
    alike = (
        lines.lazy()
        .group_by("_alike")
        .agg(
            pl.len().alias("lines"),
            pl.col("row", "order_id").min(),
            pl.col("tax_base", "tax", "duty", "price_basis", "registration").sum(),
        )
        .with_columns(total=pl.col("tax") + pl.col("duty"))
        .collect(engine="streaming")
    )
    alike = alike.hstack(tax.select(WORDS)[alike["row"]]).with_columns(order_lines["ship_from"].gather(alike["row"]))
    rows = places(tax["status"] == "UNDETERMINED")
    goods = order_lines.select("qty", "price")[rows].select((pl.col("qty") * pl.col("price")).abs().alias("value"))
    values = tax.select("_alike")[rows].hstack(goods).group_by("_alike").agg(pl.col("value").sum())
    return alike.join(values, on="_alike", how="left", maintain_order="left")


def metrics(due: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Lines, undetermined lines, and per currency the tax, the duty, their sum, and the tax by who collects it.

    due: the table `_due`. Names: `tax_total_EUR`, `duty_total_EUR`, `due_total_EUR`, `tax_seller_EUR`, `tax_customs_EUR` ..
    """
    known = due.filter("known")
    lines = int(due["lines"].sum())
    found: dict[str, float | int | str | None] = {
        "lines": lines,
        "undetermined_lines": lines - int(known["lines"].sum()),
        "flagged_lines": int(due["flagged"].sum()),
    }
    sums = known.group_by("currency").agg(pl.col("tax", "duty", "total").sum()).sort("currency")
    for currency, due_tax, duty, total in sums.iter_rows():
        found |= {f"tax_total_{currency}": float(due_tax), f"duty_total_{currency}": float(duty)}
        found[f"due_total_{currency}"] = float(total)
    collected = known.group_by("collected_by", "currency").agg(pl.col("tax").sum()).sort("collected_by", "currency")
    for who, currency, due_tax in collected.iter_rows():
        found[f"tax_{who}_{currency}"] = float(due_tax)
    return found


def headline(due: pl.DataFrame) -> str:
    """What is due, per currency, and for how many lines nobody knows. due: the table `_due`."""
    known = due.filter("known")
    sums = known.group_by("currency").agg(pl.col("total").sum()).filter(pl.col("total") != 0).sort("currency")
    told = ", ".join(f"{total:,.2f} {currency}" for currency, total in sums.iter_rows()) or "nothing"
    lines = int(due["lines"].sum())
    unknown = lines - int(known["lines"].sum())
    left = f"; {unknown:,} of {lines:,} lines have no answer and are in no sum" if unknown else ""
    return f"the rules decide, not this command; due in tax and duty: {told}{left}"


def findings(
    found: Mapping[str, pl.DataFrame],
    ship_to: pl.Series,
    packs: Sequence[Pack],
    as_of: date | None,
    rates: pl.DataFrame | None = None,
) -> list[Finding]:
    """Undetermined lines by reason with the goods they hold back, small sellers who are none (high); lines to which a reduced rate may apply,
    other flags, goods from abroad for nothing, lines outside the tax area and packs past their last check (warn). found: the tables `ADDED`."""
    told = [*_undetermined(found["_open"]), *_reduced(found["_reduced"]), *_flagged(found["_flagged"])]
    told += [*_free(found["_free"]), *stale(packs, ship_to, as_of)]
    told += small_sales.findings(found["_small"], packs, rates)
    outside = found["_outside"].group_by("ship_to").agg(pl.col("lines").sum()).sort("ship_to")
    for country, lines in outside.iter_rows():
        message = f"{of(lines, 'line', 'go')} to special territories of {country}; what these charge themselves is not covered"
        told.append(Finding(f"territory:{country}", "warn", country, "territory", message))
    return told


def _undetermined(gaps: pl.DataFrame) -> list[Finding]:
    groups = (
        gaps.group_by("reason_code", "currency")
        .agg(pl.col("lines").sum(), pl.col("value").sum().cast(pl.Float64), pl.col("reason", "order_id").min())
        .sort("reason_code", "currency", nulls_last=True)
    )
    found = []
    for code, currency, lines, money, reason, order in groups.iter_rows():
        worth = f" worth {money:,.2f} {currency}" if currency is not None else ""
        text = f"{of(lines, 'line')}{worth} without a tax, e.g. order {order}: {reason}"
        name = f"undetermined:{code}:{currency or '-'}"
        paid = (money, currency) if currency is not None else (None, None)
        found.append(Finding(name, "high", code, "undetermined", text, *paid))
    return found


def _reduced(flagged: pl.DataFrame) -> list[Finding]:
    """Lines taxed at the standard rate although goods of their kind commonly bear a reduced one, per country."""
    groups = (
        flagged.group_by("ship_to", "currency")
        .agg(pl.col("lines").sum(), pl.col("tax_base", "tax").sum().cast(pl.Float64), pl.col("order_id").min())
        .sort("ship_to", "currency")
    )
    return [
        Finding(
            f"reduced_rate:{country}:{currency}",
            "warn",
            country,
            "reduced_rate",
            f"a reduced rate may apply to {of(lines, 'line')} worth {base:,.2f} {currency} taxed in {country}, "
            f"e.g. order {order}; the pack holds only the standard rate for them, by which they bear {due:,.2f} {currency}",
            due,
            currency,
        )
        for country, currency, lines, base, due, order in groups.iter_rows()
    ]


def _flagged(flagged: pl.DataFrame) -> list[Finding]:
    """What a person should check although the lines are reckoned, by flag."""
    groups = (
        flagged.group_by("flags", "currency")
        .agg(pl.col("lines").sum(), pl.col("tax_base", "total").sum().cast(pl.Float64), pl.col("order_id").min())
        .sort("flags", "currency")
    )
    return [
        Finding(
            f"{flag}:{currency}",
            "warn",
            flag,
            flag,
            f"{of(lines, 'line')} worth {base:,.2f} {currency} with {due:,.2f} of tax and duty, e.g. order {order}: {FLAGGED[flag]}",
            due,
            currency,
        )
        for flag, currency, lines, base, due, order in groups.iter_rows()
    ]


def _free(free: pl.DataFrame) -> list[Finding]:
    """Goods from abroad at a price of 0, such as replacements: what they are worth is not told.

    Open to Export, "Inclusion of 'free' packaging for customer use on commercial invoice": "As far as customs are concerned
    there is 'no such thing as a gift' [...] must have some value, even if you do not want to charge your customer for it".
    """
    groups = free.group_by("ship_to").agg(pl.col("lines").sum(), pl.col("order_id").min()).sort("ship_to")
    return [
        Finding(
            f"no_value:{country}",
            "warn",
            country,
            "no_value",
            f"{of(lines, 'line')} to {country} at a price of 0, e.g. order {order}: customs ask what the goods are worth, though "
            "nothing was paid; tax and duty by value are reckoned on nothing here",
        )
        for country, lines, order in groups.iter_rows()
    ]


def stale(packs: Sequence[Pack], ship_to: pl.Series | None, as_of: date | None) -> list[Finding]:
    """Packs past their last check that lines of the file go to (None: all packs)."""
    every = {code for pack in packs for code in (*pack.jurisdictions, *pack.treated_as)}
    places = every if ship_to is None else set(ship_to.drop_nulls().unique())
    return [
        Finding(
            f"stale:{pack.id}",
            "warn",
            pack.id,
            "stale_pack",
            f"the rules of {pack.file} were checked up to {pack.valid_to}; lines dated later are not taxed; give newer rules by --rules",
        )
        for pack in packs
        if as_of is not None and as_of > pack.valid_to and places & {*pack.jurisdictions, *pack.treated_as}
    ]


def notes(assumed: pl.DataFrame, gross: bool) -> list[str]:
    """What was taken for granted, with the number of lines it touches. assumed: the table `_assumed`."""
    word = "with" if gross else "without"
    texts = {"price_basis": f"prices taken {word} tax, where not told (--price-basis)"}
    texts |= {s: f"a registration in {s} taken for granted, where no scheme is told" for s in REGISTERED}
    counts = assumed.sum().row(0, named=True)
    return [f"{text}: {of(counts[n], 'line')}" for n, text in texts.items() if counts[n]]
