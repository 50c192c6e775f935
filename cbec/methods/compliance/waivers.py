"""What small consignments are spared, and duties in steps of another rate."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.compliance.amounts import reckon
from cbec.methods.compliance.chain import ABOVE
from cbec.methods.compliance.codes import among, gather, marked, places, reason
from cbec.methods.compliance.consignments import OWING, flat_duty
from cbec.methods.compliance.exact import CENTS, hundredths, part, wide
from cbec.methods.compliance.fixings import PER_UNIT
from cbec.methods.compliance.intervals import MICRO
from cbec.methods.compliance.limits import STATES

if TYPE_CHECKING:
    from cbec.methods.compliance.amounts import Duties
    from cbec.methods.compliance.book import Rulebook
    from cbec.methods.compliance.decisions import Decisions
    from cbec.methods.compliance.limits import Limits
    from cbec.methods.compliance.rules import Rule


def allowed(frame: pl.DataFrame, imports: pl.DataFrame | None) -> pl.DataFrame:
    """Adds `allowed`: the line's share of the value that a consignment has free (minor units, null = none).

    frame: decided lines with `allowance` (millionths of the pack's currency, null = none) and `problem`. imports: the
    imported lines, as `consignments.flat_duty` wants them. A refund whose sale is not told has a problem.
    """
    if imports is None or frame["allowance"].null_count() == frame.height:
        return frame.with_columns(pl.lit(None, pl.Int64).alias("allowed"))
    at = imports["row"]
    rows = imports.select(OWING).with_columns(frame["allowance"].gather(at).alias("amount"))
    rows = rows[places(rows["amount"].is_not_null() & frame["problem"].gather(at).is_null())]
    shares = flat_duty(rows, each="group").select("row", pl.col("flat").alias("allowed"))
    joined = frame.join(shares, on="row", how="left", maintain_order="left")
    orphan = pl.col("problem").is_null() & pl.col("allowance").is_not_null() & pl.col("allowed").is_null()
    return joined.with_columns(
        pl.when(orphan).then(reason("tax_refund_without_sale")).otherwise("problem").alias("problem")
    )


def contradicted(
    frame: pl.DataFrame, imports: pl.DataFrame | None, decisions: Decisions, limits: Limits
) -> pl.DataFrame:
    """Gives a problem to prices with tax that contradict themselves: with the tax taken out, their consignment is within a
    limit up to which none is owed; but then no tax is in the price, and with the whole price it is above the limit.

    frame: lines with `case`, `gross`, `net_rate` and `problem`; imports: from `consignments.values`.
    """
    slots = decisions.cases["sparing"]
    if imports is None or slots.null_count() == len(slots):
        return frame
    spared = slots.is_not_null().to_numpy().take(frame["case"].to_numpy())
    rows = np.flatnonzero(spared)
    taxed = frame.select("gross", "net_rate")[rows].select(pl.col("gross") & (pl.col("net_rate") > 0))
    spared[rows] = taxed.to_series().to_numpy()
    if not spared.any():
        return frame
    row, group = imports["row"].to_numpy(), imports["group"].to_numpy()
    bare = imports[among(group, group[spared.take(row)])]
    whole = {"value": pl.col("whole"), "goods": pl.col("goods")}
    bare = bare.with_columns(
        pl.when("gross").then(price).otherwise(f"low_{of}").alias(f"{side}_{of}")
        for of, price in whole.items()
        for side in ("low", "high")
    )
    told = bare.select("row", limits.states(bare, decisions.cells)).filter(
        pl.Series(spared.take(bare["row"].to_numpy()))
    )
    slot = slots.gather(frame["case"].gather(told["row"]))
    there = pl.col("state") // pl.lit(STATES, pl.Int64).pow(pl.lit(slot)) % STATES
    above = told.filter(there == ABOVE)["row"]
    lost = above.filter(frame["problem"].gather(above).is_null())
    if not len(lost):
        return frame
    return frame.with_columns(marked(frame["problem"], lost, "tax_limit_circular"))


def waived(frame: pl.DataFrame, imports: pl.DataFrame | None, book: Rulebook, cells: pl.DataFrame) -> pl.DataFrame:
    """Adds `waived`; sets tax (and duty) to 0 where a consignment owes so little that none is levied.

    frame: reckoned lines with `waiver` (id of the rule that their scheme names, null = none). imports: the imported
    lines with `group` and `fx`. What is owed is added up per consignment over its sales; a line of it without an
    answer leaves that of the others open. Refunds follow their sale; one alone that owes so little is open, since its sale
    may have owed more.
    """
    frame = frame.with_columns(pl.lit(False).alias("waived"))
    rules = {rule.id: rule for pack in book.packs for rule in pack.of("waiver")}
    if imports is None or not rules or frame["waiver"].null_count() == frame.height:
        return frame
    asked = frame[places(frame["waiver"].is_not_null())].join(
        imports.select("row", "group", "fx"), on="row", how="inner", maintain_order="left"
    )
    asked = asked.with_columns(gather(cells["period"], "cell").alias("period"), pl.col("waiver").cast(pl.String))
    bounds = book.values("waiver").select(pl.col("rule_id").alias("waiver"), "period", pl.col("micro").alias("bound"))
    asked = asked.join(bounds, on=["waiver", "period"], how="left", maintain_order="left")
    scale = hundredths(pl.col("digits"))
    owed = pl.col("tax") + pl.when(pl.col("waiver").is_in(_both(rules))).then("duty").otherwise(0)
    asked = asked.with_columns((wide(owed) * pl.col("fx") * scale).alias("owed"))
    sale, first = pl.col("sign") > 0, pl.col("problem").is_null()
    totals = asked.group_by("group").agg(
        pl.col("owed").filter(sale).sum().alias("sum"),
        pl.col("owed").filter(~sale).sum().alias("back"),
        sale.any().alias("has_sale"),
        first.all().alias("complete"),
    )
    asked = asked.join(totals, on="group", how="left", maintain_order="left")
    due = pl.when("has_sale").then("sum").otherwise("back")
    # Up to 5.00 in steps of 0.05 is below 5.025 before it is rounded.
    half = {rule.id: int(rule.step * MICRO / 2) for rule in rules.values() if rule.step and rule.inclusive}
    more = pl.col("waiver").replace_strict(half, default=0, return_dtype=pl.Int64)
    bound = wide(pl.col("bound") + more) * (CENTS * PER_UNIT // MICRO)
    strict = [rule.id for rule in rules.values() if not rule.inclusive or rule.id in half]
    within = pl.when(pl.col("waiver").is_in(strict)).then(due < bound).otherwise(due <= bound)
    small = (within & pl.col("complete") & first).fill_null(False).alias("small")
    freed = asked.select("row", small, "has_sale", "waiver", "complete", "bound")
    joined = frame.select("row").join(freed, on="row", how="left", maintain_order="left")
    free = (joined["small"] & joined["has_sale"]).fill_null(False)
    alone = (joined["small"] & ~joined["has_sale"]).fill_null(False)
    gap = (~joined["complete"]).fill_null(False) & joined["bound"].is_not_null() & frame["problem"].is_null()
    both = free & joined["waiver"].is_in(_both(rules)).fill_null(False)
    return frame.with_columns(
        free.alias("waived"),
        pl.when(free).then(0).otherwise("tax").alias("tax"),
        pl.when(both).then(0).otherwise("duty").alias("duty"),
        pl.when(gap)
        .then(reason("tax_consignment_unknown"))
        .when(alone)
        .then(reason("tax_refund_without_sale"))
        .otherwise("problem")
        .alias("problem"),
    )


def untaxed(lines: pl.DataFrame, book: Rulebook, duties: Duties) -> pl.DataFrame:
    """Amounts of lines whose price holds no tax (nor duty, where the waiver is of both), as it is not levied; `tax` and
    `duty` are what would be, to be held against the waiver. lines: as `amounts.reckon` takes them, with `waiver`."""
    rules = {rule.id: rule for pack in book.packs for rule in pack.of("waiver")}
    both = pl.col("waiver").cast(pl.String).is_in(_both(rules))
    bare = lines.with_columns(
        (pl.col("gross") & ~both).alias("gross"),
        pl.when(both).then("charged_rate").otherwise(0).alias("charged_rate"),
    )
    told = reckon(bare, duties).with_columns(lines["charged_rate"])
    return told.with_columns(part(pl.col("base"), pl.col("charged_rate")).alias("tax"))


def replaced(frame: pl.DataFrame, again: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    """The frame with the amounts of some rows reckoned again."""
    amounts = ("value", "intrinsic", "customs", "duty", "base", "tax")
    return frame.with_columns(frame[name].scatter(rows, again[name]) for name in amounts)


def _both(rules: dict[str, Rule]) -> list[str]:
    return [rule.id for rule in rules.values() if "duty" in rule.of]


def in_steps(lines: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """Lines with `amount`: the duty in money (millionths of the pack's currency) of the step that `bracket` lies in, by the rule
    of their `day`."""
    told = pl.lit(None, pl.Int64)
    for rule in (rule for pack in book.packs for rule in pack.of("bracket")):
        found = pl.lit(None, pl.Int64)
        for step in reversed(rule.steps):
            value = pl.lit(int(step.value * MICRO), pl.Int64)
            if step.below is not None:
                found = pl.when(pl.col("bracket") < int(step.below * MICRO)).then(value).otherwise(found)
            elif step.up_to is not None:
                found = pl.when(pl.col("bracket") <= int(step.up_to * MICRO)).then(value).otherwise(found)
            else:
                found = value
        told = pl.when(pl.col("day").is_between(rule.valid_from, rule.valid_to or date.max)).then(found).otherwise(told)
    return lines.with_columns(told.alias("amount"))
