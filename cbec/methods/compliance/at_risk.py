"""What a change of rules does to order lines: their tax by the old and by the new rules, line by line and per change."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from cbec.core.command import Finding
from cbec.core.errors import UsageFault
from cbec.core.money import Headline, rate_to
from cbec.core.words import of
from cbec.methods.compliance.book import rulebook
from cbec.methods.compliance.summary import stale
from cbec.methods.compliance.tax import compute

if TYPE_CHECKING:
    from cbec.methods.compliance.changes import State

COMPARED = ("status", "scheme", "collected_by", "duty", "tax", "total")


@dataclass(frozen=True)
class Book:
    """The user's tables that say what was sold."""

    order_lines: pl.DataFrame
    products: pl.DataFrame | None
    tariff: pl.DataFrame | None
    rates: pl.DataFrame | None
    gross: bool
    language: str
    home: str | None
    category_codes: pl.DataFrame | None = None


def compared(book: Book, old: State, new: State, effective: date | None) -> pl.DataFrame:
    """The lines by both states: `order_id`, `line`, `sku`, `ship_to`, `date`, `currency`, `old_*` and `new_*` of
    `COMPARED` and rule_ids, `difference` (null where one of them is undetermined), `changed`, `reason_code`.

    effective: every line is taken as sold on that day, by the new rules, and the day before, by the old ones.
    """
    lines = book.order_lines
    if effective is not None:
        book = dataclasses.replace(book, rates=fixed(book.rates, effective))
    days = (effective - timedelta(days=1), effective) if effective else (None, None)
    told = [
        _taxed(book, lines if day is None else lines.with_columns(date=pl.lit(day)), state)
        for state, day in ((old, days[0]), (new, days[1]))
    ]
    day = lines["date"] if effective is None else pl.lit(effective, pl.Date).alias("date")
    sides = [
        side.select(pl.col(*COMPARED, "rule_ids").name.prefix(f"{name}_"))
        for name, side in zip(("old", "new"), told, strict=True)
    ]
    table = pl.concat([told[1].select("order_id", "line", "ship_to", "currency"), *sides], how="horizontal")
    table = table.with_columns(lines["sku"], day, told[1]["reason"].alias("_told"))
    return table.with_columns(
        (pl.col("new_total") - pl.col("old_total")).alias("difference"),
        pl.any_horizontal(pl.col(f"old_{c}").ne_missing(pl.col(f"new_{c}")) for c in COMPARED).alias("changed"),
        _why().alias("reason_code"),
    )


def fixed(rates: pl.DataFrame | None, day: date) -> pl.DataFrame | None:
    """The last fixing of each pair at or before a day, dated so that it is a rate of that day and of its eve: a change of
    rules is told without changes of exchange rates, and may lie ahead of the last fixing."""
    if rates is None:
        return None
    known = rates.filter(pl.col("date") <= day)
    last = pl.col("date") == pl.col("date").max().over("base", "quote")
    told = known.filter(last).with_columns(date=pl.lit(day - timedelta(days=1)))
    # A pair that is fixed later only stays, so that its day is told to be missing and not the pair.
    return pl.concat([told, rates.join(known, on=["base", "quote"], how="anti")])


def _taxed(book: Book, lines: pl.DataFrame, state: State) -> pl.DataFrame:
    rules = rulebook(state.packs, state.known_on, book.category_codes)
    return compute(
        lines, book.products, book.rates, rules, tariff=book.tariff, gross=book.gross, language=book.language
    )


def _why() -> pl.Expr:
    was, now = pl.col("old_status") == "OK", pl.col("new_status") == "OK"
    return (
        pl.when(was & ~now)
        .then(pl.lit("change_undetermined"))
        .when(~was & now)
        .then(pl.lit("change_determined"))
        .when(pl.col("old_total") != pl.col("new_total"))
        .then(pl.lit("change_due"))
        .when(pl.col("old_collected_by").ne_missing(pl.col("new_collected_by")))
        .then(pl.lit("change_collector"))
        .otherwise(pl.lit("change_scheme"))
    )


def currency(lines: pl.DataFrame, home: str | None) -> str | None:
    """The currency that money is told in: the home currency, or the only one there is."""
    found = lines["currency"].drop_nulls().unique().to_list()
    return home or (str(found[0]) if len(found) == 1 else None)


def told_in(lines: pl.DataFrame, home: str | None, rates: pl.DataFrame | None) -> pl.DataFrame:
    """Adds `_old`, `_new`, `_home`: due by both, and the difference, in one currency; null where there is none."""
    money = currency(lines, home)
    amounts = {"_old": "old_total", "_new": "new_total", "_home": "difference"}
    if money is None:
        return lines.with_columns(pl.lit(None, pl.Float64).alias(name) for name in amounts)
    fx = rate_to(lines, "currency", "date", rates, money)
    return lines.with_columns((pl.col(column).cast(pl.Float64) * fx).alias(name) for name, column in amounts.items())


def per_change(changes: pl.DataFrame, lines: pl.DataFrame, money: str | None) -> pl.DataFrame:
    """The table rule_changes: each change with the `lines` that rest on its rule (before or after) while it holds, how
    many of them it `lines_changed`, in how many `orders` and `skus`, and their `difference` in one currency.

    A line that several changes touch counts with each of them: the sum over all changes is not the whole.
    """
    mixes = lines.select("old_rule_ids", "new_rule_ids").unique(maintain_order=True).with_row_index("_mix")
    numbered = lines.join(
        mixes, on=["old_rule_ids", "new_rule_ids"], how="left", nulls_equal=True, maintain_order="left"
    )
    named = [
        {rule for side in sides if side for rule in side.split("|")}
        for sides in mixes.select("old_rule_ids", "new_rule_ids").iter_rows()
    ]
    rows = []
    for rule, start, end in changes.select("rule_id", "valid_from", "valid_to").iter_rows():
        resting = [n for n, rules in enumerate(named) if rule in rules]
        within = pl.col("date").is_between(start or date.min, end or date.max) & pl.col("_mix").is_in(resting)
        touched = numbered.filter(within) if resting else numbered.clear()
        hit = touched.filter("changed")
        rows.append((touched.height, hit.height, hit["order_id"].n_unique(), hit["sku"].n_unique(), hit["_home"].sum()))
    names = ("lines", "lines_changed", "orders", "skus")
    counted = pl.DataFrame(rows, schema={**dict.fromkeys(names, pl.Int64), "difference": pl.Float64}, orient="row")
    if money is None:
        counted = counted.with_columns(pl.lit(None, pl.Float64).alias("difference"))
    return changes.hstack(counted).with_columns(pl.lit(money, pl.String).alias("currency"))


def headline(lines: pl.DataFrame, money: str | None, effective: date | None) -> Headline | str:
    """Due by the old and by the new rules, of the lines that both decide."""
    if money is None:
        return "amounts in several currencies are not added up; give --home-currency and --rates (sums per currency are in the metrics)"
    both = lines.filter(pl.col("difference").is_not_null())
    when = f"taken as sold on {effective}, and the day before" if effective else "on their own days"
    basis = f"duty, tax and charges of {both.height:,} order lines {when}, by the new rules beside the old"
    return Headline(float(both["_old"].sum()), float(both["_new"].sum()), None, None, money, basis)


def metrics(changes: pl.DataFrame, lines: pl.DataFrame | None) -> dict[str, float | int | str | None]:
    """Changes, and of the lines how many change, in how many orders and SKUs; `old_due_EUR`, `new_due_EUR`,
    `difference_EUR` per currency."""
    found: dict[str, float | int | str | None] = {
        "changes": changes.height,
        "rules_changed": changes["rule_id"].n_unique(),
    }
    if lines is None:
        return found
    hit = lines.filter("changed")
    found |= {"lines": lines.height, "lines_changed": hit.height, "orders_changed": hit["order_id"].n_unique()}
    found |= {"skus_changed": hit["sku"].n_unique(), "lines_undetermined_by_change": _of(hit, "change_undetermined")}
    decided = hit.filter(pl.col("old_status") == "OK", pl.col("new_status") == "OK")
    found["lines_another_collects"] = decided.filter(pl.col("old_collected_by") != pl.col("new_collected_by")).height
    both = lines.filter(pl.col("difference").is_not_null())
    sums = both.group_by("currency").agg(pl.col("old_total", "new_total", "difference").sum()).sort("currency")
    for code, was, now, difference in sums.iter_rows():
        found |= {f"old_due_{code}": float(was), f"new_due_{code}": float(now), f"difference_{code}": float(difference)}
    return found


def _of(lines: pl.DataFrame, code: str) -> int:
    return lines.filter(pl.col("reason_code") == code).height


def findings(changes: pl.DataFrame, lines: pl.DataFrame | None, new: State, day: date | None) -> list[Finding]:
    """Lines that lose their answer (high), changes with money at risk, packs past their last check (warn)."""
    if lines is None:
        return stale(new.packs, None, day)
    found = []
    lost = lines.filter("changed", pl.col("reason_code") == "change_undetermined")
    first = (pl.len(), pl.col("order_id").min(), pl.col("_told").sort_by("order_id", "line").first())
    for country, count, order, reason in lost.group_by("ship_to").agg(*first).sort("ship_to").iter_rows():
        text = f"{of(count, 'line')} to {country} had an answer and {'has' if count == 1 else 'have'} none by the new rules, e.g. order {order}: {reason}"
        found.append(Finding(f"undetermined:{country}", "high", str(country), "undetermined", text))
    # Rules that change together (a duty, its amount and its limit) and touch the same lines are one thing to act on.
    same = ["pack", "valid_from", "valid_to", "lines_changed", "orders", "skus", "difference", "currency"]
    costly = changes.filter(pl.col("lines_changed") > 0).group_by(same, maintain_order=True).agg("rule_id")
    for row in costly.sort("lines_changed", descending=True, maintain_order=True).iter_rows(named=True):
        start, rules = row["valid_from"] or "ever", ", ".join(row["rule_id"])
        money = f", {row['difference']:+,.2f} {row['currency']}" if row["difference"] is not None else ""
        text = f"from {start}: {of(row['lines_changed'], 'line')} of {of(row['skus'], 'SKU')} in {of(row['orders'], 'order')}{money} ({rules})"
        amount = (row["difference"], row["currency"]) if row["difference"] is not None else (None, None)
        found.append(Finding(f"change:{row['rule_id'][0]}:{start}", "warn", row["pack"], "rule_change", text, *amount))
    return [*found, *stale(new.packs, lines["ship_to"], day)]


def states_differ(old: State, new: State, effective: date | None) -> None:
    """Raises UsageFault where there are not two things to compare."""
    if effective is None and old.known_on == new.known_on and old.packs == new.packs:
        raise UsageFault(
            "old and new rules are the same",
            hint="give two folders (--old, --new), two days (--old-known-on, --new-known-on), or a day on which rules change (--effective)",
        )


def last_day(lines: pl.DataFrame | None, days: Sequence[date | None]) -> date | None:
    """The latest day that rules are asked for: of the lines, or of the settings."""
    sold = [] if lines is None else [lines["date"].max()]
    known = [day for day in (*sold, *days) if isinstance(day, date)]
    return max(known, default=None)


def notes(changes: pl.DataFrame, lines: pl.DataFrame, effective: date | None) -> list[str]:
    """What was taken for granted, and what is left out of the money."""
    found = []
    ahead = changes.filter(pl.col("valid_from") > lines["date"].max())["valid_from"]
    if effective is None and len(ahead):
        found.append(
            f"changes that begin after the last order: {len(ahead)}; what they would do: --effective {ahead[0]}"
        )
    if effective is not None:
        found.append(f"every line is taken as sold on {effective}, so limits per year count the whole file in one year")
    left = lines.filter(
        pl.col("difference").is_null() & ((pl.col("old_status") == "OK") | (pl.col("new_status") == "OK"))
    )
    if left.height:
        found.append(f"lines that only one of the two states decides, left out of the money: {left.height}")
    return found
