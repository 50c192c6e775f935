"""What a tax table adds up to: figures for the summary, and what a person should act on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.command import Finding
from cbec.methods.compliance.words import REDUCED

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack


KEY = ["order_id", "line"]


def metrics(tax: pl.DataFrame) -> dict[str, float | int | str | None]:
    """Lines, undetermined lines, and per currency the tax, the duty, their sum, and the tax by who collects it.

    Names: `tax_total_EUR`, `duty_total_EUR`, `due_total_EUR`, `tax_seller_EUR`, `tax_customs_EUR` ..
    """
    found: dict[str, float | int | str | None] = {
        "lines": tax.height,
        "undetermined_lines": tax.filter(pl.col("status") == "UNDETERMINED").height,
        "flagged_lines": tax.height - tax["flags"].null_count(),
    }
    known = tax.select("currency", "collected_by", "tax", "duty", "total").filter(tax["status"] == "OK")
    sums = known.group_by("currency").agg(pl.col("tax", "duty", "total").sum()).sort("currency")
    for currency, due_tax, duty, total in sums.iter_rows():
        found |= {f"tax_total_{currency}": float(due_tax), f"duty_total_{currency}": float(duty)}
        found[f"due_total_{currency}"] = float(total)
    collected = known.group_by("collected_by", "currency").agg(pl.col("tax").sum()).sort("collected_by", "currency")
    for who, currency, due_tax in collected.iter_rows():
        found[f"tax_{who}_{currency}"] = float(due_tax)
    return found


def headline(tax: pl.DataFrame) -> str:
    """What is due, per currency, and for how many lines nobody knows."""
    known = tax.select("currency", "total").filter(tax["status"] == "OK")
    sums = known.group_by("currency").agg(pl.col("total").sum()).filter(pl.col("total") != 0).sort("currency")
    due = ", ".join(f"{total:,.2f} {currency}" for currency, total in sums.iter_rows()) or "nothing"
    unknown = tax.height - known.height
    left = f"; {unknown:,} of {tax.height:,} lines have no answer and are in no sum" if unknown else ""
    return f"the rules decide, not this command; due in tax and duty: {due}{left}"


def findings(tax: pl.DataFrame, order_lines: pl.DataFrame, packs: Sequence[Pack], as_of: date | None) -> list[Finding]:
    """Undetermined lines by reason with the goods they hold back (high); lines to which a reduced rate may apply,
    lines outside the tax area and packs past their last check (warn)."""
    found = [*_undetermined(tax, order_lines), *_reduced(tax), *stale(packs, order_lines["ship_to"], as_of)]
    outside = tax.select("ship_to", "reason_code").filter(
        pl.col("reason_code").is_in(["tax_territory_outside", "tax_territory_import"])
    )
    for country, lines in outside.group_by("ship_to").len().sort("ship_to").iter_rows():
        go = "line goes" if lines == 1 else "lines go"
        message = f"{lines} {go} to special territories of {country}; what these charge themselves is not covered"
        found.append(Finding(f"territory:{country}", "warn", country, "territory", message))
    return found


def _beside(tax: pl.DataFrame, lines: pl.DataFrame, kept: pl.Expr) -> pl.DataFrame:
    """Lines of the tax table that are `kept`, with what the order lines say; in no order to count on."""
    # Partitions come back in the order of their keys, which is that of most files.
    if all(lines[k].equals(tax[k], null_equal=True) for k in KEY):
        return tax.hstack(lines.drop(KEY)).filter(kept)
    return lines.join(tax.filter(kept), on=KEY, how="inner", nulls_equal=True)


def _undetermined(tax: pl.DataFrame, order_lines: pl.DataFrame) -> list[Finding]:
    told = tax.select(*KEY, "status", "currency", "reason_code", "reason")
    open_lines = _beside(told, order_lines.select(*KEY, "qty", "price"), pl.col("status") == "UNDETERMINED")
    open_lines = open_lines.with_columns((pl.col("qty") * pl.col("price")).abs().alias("value"))
    groups = (
        open_lines.group_by("reason_code", "currency")
        .agg(pl.len(), pl.col("value").sum().cast(pl.Float64), pl.col("reason").min(), pl.col("order_id").min())
        .sort("reason_code", "currency", nulls_last=True)
    )
    found = []
    for code, currency, lines, money, reason, order in groups.iter_rows():
        worth = f" worth {money:,.2f} {currency}" if currency is not None else ""
        text = f"{lines} line{'s' if lines != 1 else ''}{worth} without a tax, e.g. order {order}: {reason}"
        name = f"undetermined:{code}:{currency or '-'}"
        paid = (money, currency) if currency is not None else (None, None)
        found.append(Finding(name, "high", code, "undetermined", text, *paid))
    return found


def _reduced(tax: pl.DataFrame) -> list[Finding]:
    """Lines taxed at the standard rate although goods of their kind commonly bear a reduced one, per country."""
    flagged = tax.select("order_id", "ship_to", "currency", "tax_base", "tax", "flags").filter(
        tax["flags"].is_not_null()
    )
    flagged = flagged.filter(pl.col("flags").str.split("|").list.contains(REDUCED))
    groups = (
        flagged.group_by("ship_to", "currency")
        .agg(pl.len(), pl.col("tax_base", "tax").sum().cast(pl.Float64), pl.col("order_id").min())
        .sort("ship_to", "currency")
    )
    return [
        Finding(
            f"reduced_rate:{country}:{currency}",
            "warn",
            country,
            "reduced_rate",
            f"a reduced rate may apply to {lines} line{'s' if lines != 1 else ''} worth {base:,.2f} {currency} to {country}, "
            f"e.g. order {order}; the pack holds only the standard rate for them, by which they bear {due:,.2f} {currency}",
            due,
            currency,
        )
        for country, currency, lines, base, due, order in groups.iter_rows()
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


def notes(order_lines: pl.DataFrame, tax: pl.DataFrame, gross: bool) -> list[str]:
    """What was taken for granted, with the number of lines it touches."""
    told = tax.select(*KEY, "status", scheme_used="scheme")
    lines = order_lines.select(*KEY, "price_includes_tax", "scheme", "marketplace_collects")
    lines = _beside(told, lines, pl.col("status") == "OK")
    found = []

    def note(condition: pl.Expr, text: str) -> None:
        count = int(lines.select(condition.sum()).item() or 0)
        if count:
            found.append(f"{text}: {count} line{'s' if count != 1 else ''}")

    word = "with" if gross else "without"
    note(pl.col("price_includes_tax").is_null(), f"prices taken {word} tax, where not told (--price-basis)")
    assumed = pl.col("scheme").is_null() & ~pl.col("marketplace_collects").fill_null(False)
    for scheme in ("IOSS", "OSS"):
        note(
            assumed & (pl.col("scheme_used") == scheme),
            f"a registration in {scheme} taken for granted, where no scheme is told",
        )
    return found
