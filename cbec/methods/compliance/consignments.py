"""Consignments of imported goods: their value against the limits, and duties owed once per consignment.

A consignment is what one order sends from one country to another. Its value is that of the goods alone: without
shipping, insurance, tax and duty ("intrinsic value"), or with shipping and insurance where a limit says so, in the
currency of the limit. A refund belongs to the consignment of the sale it reverses and never makes it smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from cbec.methods.compliance.chain import ABOVE, CIRCULAR, NO_SALE, UNKNOWN, WITHIN
from cbec.methods.compliance.exact import PERCENT, before_tax, fits, half_up, most, portion, shares, ten_to, wide
from cbec.methods.compliance.fixings import PER_UNIT
from cbec.methods.compliance.intervals import MICRO

if TYPE_CHECKING:
    from cbec.methods.compliance.book import Rulebook

STATES = 6
"""States of a consignment against one limit: those of `chain`, and none."""
NO_STATE = STATES - 1
VALUED = (
    "cell", "group", "sign", "fx", "fx_other", "digits", "pieces", "telling", "year", "share",
    "low_goods", "high_goods", "low_value", "high_value",
)  # fmt: skip
ARTICLE = -1
"""Stands for the subheading of a consignment's only article, whatever that is."""
CENTS = 100
SCALED = CENTS * PER_UNIT // MICRO
"""Minor units times an exchange rate over this are millionths of the rule's currency."""


def stateless(slots: int) -> int:
    """The states of a line whose consignment is held against no limit, as one integer of base `STATES`."""
    return sum(NO_STATE * STATES**slot for slot in range(slots))


def grouped(imports: pl.DataFrame) -> pl.DataFrame:
    """Imported lines in consignments that stand together, with `group` numbered from 0.

    imports: `run` (number of the order, ascending) and `route` (pair of countries).
    """
    new = (pl.col("run") != pl.col("run").shift(1)).fill_null(True)
    turns = (~new & (pl.col("route") != pl.col("route").shift(1))).fill_null(False)
    if imports.select(turns.any()).item():
        imports = imports.sort("run", "route", maintain_order=True)
    begins = new | (pl.col("route") != pl.col("route").shift(1))
    return imports.with_columns((begins.cum_sum().cast(pl.Int64) - 1).alias("group"))


def values(imports: pl.DataFrame) -> pl.DataFrame:
    """Adds what limits are held against, of each line, without tax, in minor units.

    imports: `goods`, `shipping`, `insurance`, `net_rate`, `gross`, `ddp`, `flat` (a flat duty that the price includes),
    `tariff_rate`. The value is reckoned twice: `low_*` as if no duty were due (small consignments) and `high_*` with
    the duty taken out of prices that include it; `*_goods` without and `*_value` with shipping and insurance.
    """
    whole = pl.col("goods") + pl.col("shipping") + pl.col("insurance")
    imports = imports.with_columns(whole.alias("whole"))
    top, rate = most(imports["whole"]), most(imports["net_rate"])
    narrow = fits(top, rate + PERCENT) and fits(top, top)
    apart = before_tax(pl.col("whole"), pl.col("net_rate"), narrow)
    low = pl.when(pl.col("gross")).then(apart).otherwise("whole") - pl.col("flat").fill_null(0)
    imports = imports.with_columns(pl.max_horizontal(low, pl.lit(0, pl.Int64)).alias("low_value"))
    delivered = pl.col("gross") & pl.col("ddp")
    if imports.select((delivered & (pl.col("tariff_rate") > 0)).any()).item():
        price = wide(pl.col("whole")) * PERCENT * PERCENT
        duty = pl.col("tariff_rate").fill_null(0)
        high = half_up(price, (PERCENT + wide(duty)) * (PERCENT + wide(pl.col("net_rate"))))
        high = pl.when(delivered & (duty > 0)).then(high).when(delivered).then(apart).otherwise("low_value")
        imports = imports.with_columns(high.alias("high_value"))
    elif imports.select((delivered & pl.col("flat").is_not_null()).any()).item():
        imports = imports.with_columns(pl.when(delivered).then(apart).otherwise("low_value").alias("high_value"))
    else:
        imports = imports.with_columns(pl.col("low_value").alias("high_value"))
    return imports.with_columns(
        portion(pl.col("goods"), pl.col(f"{c}_value"), pl.col("whole"), narrow).alias(f"{c}_goods")
        for c in ("low", "high")
    )


def states(imports: pl.DataFrame, cells: pl.DataFrame, book: Rulebook) -> pl.Series:
    """The states (`chain`) of each line's consignment against the limits of its pack, as one integer (of base `STATES`).

    imports: from `grouped` and `values`, with `cell`, `sign`, `fx` (to the pack's currency) and `fx_other` (to that of
    its other limits), `digits`, `pieces`, `telling` (the scheme tells that the sale was within), `year` (value of the
    buyer's year in millionths of the pack's currency). cells: from `decisions`. Above the limit by the low value and
    within it by the high one is a price that contradicts itself.
    """
    number = {pack.id: n for n, pack in enumerate(book.packs)}
    pack_of = cells["pack"].replace_strict(number, default=None, return_dtype=pl.Int64).gather(imports["cell"])
    code = pl.Series("state", [stateless(book.slots)], dtype=pl.Int64).new_from_index(0, imports.height)
    for n in pack_of.unique().drop_nulls().sort().to_list():
        limits = book.limits.filter(pl.col("pack") == book.packs[n].id).sort("slot")
        rows = (pack_of == n).arg_true()
        if limits.height and len(rows):
            mine = imports if len(rows) == imports.height else imports.select(VALUED)[rows]
            code = code.scatter(rows, _against(mine, cells, limits) + stateless(book.slots))
    return code


def _against(imports: pl.DataFrame, cells: pl.DataFrame, limits: pl.DataFrame) -> pl.Series:
    """The states against the limits of one pack, less the code of no state at all."""
    here = cells[imports["cell"].unique().sort().to_list()]
    edges = {slot: here.select(_edge(slot).max()).item() for slot in limits["slot"]}
    simple = imports["low_goods"].equals(imports["high_goods"]) and imports["low_value"].equals(imports["high_value"])
    per_consignment = limits.filter(pl.col("per") == "consignment")
    bases = per_consignment.select("base", "own").unique(maintain_order=True).rows()
    highest = max((edges[slot] or 0 for slot in per_consignment["slot"]), default=0)
    totals = {(base, own): _totals(imports, base, own, simple, highest) for base, own in bases}
    code = pl.lit(0, pl.Int64)
    known: dict[tuple[object, ...], pl.Expr] = {}
    for slot, per, base, own, inclusive in limits.select("slot", "per", "base", "own", "inclusive").iter_rows():
        if edges[slot] is None:
            continue
        # Limits of several rules are often one: the same bound of the same value.
        same = (per, base, own, inclusive, tuple(here[f"bound{slot}"].to_list()))
        if same not in known:
            edge = cells.select(_edge(slot).alias("edge"))["edge"]
            if edge.max() < 2**63:  # type: ignore[operator]
                edge = edge.cast(pl.Int64)
            at = pl.lit(edge).gather(pl.col("cell"))
            if per == "consignment":
                state = _state(totals[base, own], at, simple)
            elif per == "item":
                state = _state_of_items(imports, at, base, own)
            else:
                within = wide(pl.col("year")) * SCALED < wide(at)
                state = _told(within, None, pl.col("year").is_null(), None)
            known[same] = pl.when(at.is_not_null()).then(state - NO_STATE).otherwise(0)
        code += known[same] * STATES**slot
    return imports.select(code.alias("state"))["state"]


def _edge(slot: int) -> pl.Expr:
    """What a value is held against: half_up(value, SCALED) <= bound, without a division, is
    value < SCALED bound + SCALED / 2; strictly within: less SCALED / 2."""
    half = pl.when(f"inclusive{slot}").then(SCALED // 2).otherwise(-SCALED // 2)
    return wide(pl.col(f"bound{slot}")) * SCALED + half


def _worth(imports: pl.DataFrame, which: str, base: str, own: bool, highest: int | None) -> pl.Series:
    """Value of each line in minor units times the rate to the limit's currency: Int128, or Int64 where no sum of them
    can become too large; what is above `highest` by itself need not be more than that."""
    amount = pl.col(f"{which}_{'value' if base == 'value' else 'goods'}")
    if base == "customs":
        # Rounded up: a part of a yen above the limit is above it (16 667 x 60 %).
        product = wide(amount) * wide(pl.col("share").fill_null(PERCENT))
        amount = ((product + PERCENT - 1) // PERCENT).cast(pl.Int64)
    scale = 1 if imports["digits"].min() == 2 else pl.when(pl.col("digits") == 0).then(CENTS).otherwise(1)
    fx = imports.select((pl.col("fx" if own else "fx_other") * scale).alias("fx"))["fx"]
    values = imports.select(amount.alias("amount"))["amount"]
    size, rate = 1 + int(str(imports["group"].rle().struct.field("len").max())), most(fx)
    if highest is None or size * (highest + rate + 2) >= 2**62:
        return pl.select((wide(pl.lit(values)) * pl.lit(fx)).alias(which))[which]
    slim = pl.lit(fx.cast(pl.Int64))
    held = pl.lit(values)
    if most(values) * rate * size >= 2**62:
        enough = highest // pl.max_horizontal(slim, 1) + 2
        held = pl.when(held > enough).then(enough).otherwise(held)  # an unknown amount stays unknown
    return pl.select((held * slim).alias(which))[which]


def _totals(imports: pl.DataFrame, base: str, own: bool, simple: bool, highest: int) -> dict[str, pl.Series]:
    """`low`, `high`, `gap` and `orphan` of each line's consignment: of its sales, or of refunds where it has none.

    gap: the value of a line is not known; orphan: refunds without a sale, of which nothing tells that it was within.
    Either is left out where there is none.
    """
    group = imports["group"]
    starts = (group != group.shift(1)).fill_null(True).arg_true()
    ends = pl.concat([starts[1:].cast(pl.Int64) - 1, pl.Series([len(group) - 1], dtype=pl.Int64)])
    place = group if int(str(group[-1])) == len(starts) - 1 and group[0] == 0 else group.rle_id().cast(pl.Int64)

    def summed(column: pl.Series) -> pl.Series:
        running = column.cum_sum()
        return running.gather(ends) - running.gather(starts) + column.gather(starts)

    sale = imports["sign"] > 0
    whole = bool(sale.all())
    has_sale = None if whole else summed(sale.cast(pl.Int64)) > 0
    counted = sale if has_sale is None else sale | ~has_sale.gather(place)
    found: dict[str, pl.Series] = {}
    for which in ("low",) if simple else ("low", "high"):
        worth = _worth(imports, which, base, own, highest)
        if worth.null_count():
            gaps = worth.is_null() & counted
            found["gap"] = (summed(gaps.cast(pl.Int64)) > 0).gather(place)
            worth = worth.fill_null(0)
        if not whole:
            worth = pl.select(pl.when(counted).then(worth).otherwise(pl.lit(0, worth.dtype)).alias("worth"))["worth"]
        found[which] = summed(worth).gather(place)
    if has_sale is not None and not has_sale.all():
        orphan = (~has_sale).gather(place) & ~imports["telling"]
        found["orphan"] = orphan
    return found


def _state(total: dict[str, pl.Series], edge: pl.Expr, simple: bool) -> pl.Expr:
    high = None if simple else pl.lit(total["high"]) < edge
    return _told(
        pl.lit(total["low"]) < edge, high, *(pl.lit(total[c]) if c in total else None for c in ("gap", "orphan"))
    )


def _state_of_items(imports: pl.DataFrame, edge: pl.Expr, base: str, own: bool) -> pl.Expr:
    """The price of one piece, compared without dividing by the quantity (in millionths)."""
    pieces = wide(pl.max_horizontal("pieces", pl.lit(1, pl.Int64)))
    worths = [pl.lit(_worth(imports, which, base, own, None)) for which in ("low", "high")]
    low, high = (worth * MICRO < wide(edge) * pieces for worth in worths)
    return _told(low, high, worths[0].is_null(), None)


def _told(low: pl.Expr, high: pl.Expr | None, gap: pl.Expr | None, orphan: pl.Expr | None) -> pl.Expr:
    def state(number: int) -> pl.Expr:
        return pl.lit(number, pl.Int64)

    beyond = state(ABOVE) if high is None else pl.when(high).then(state(CIRCULAR)).otherwise(state(ABOVE))
    within = state(WITHIN) if orphan is None else pl.when(orphan).then(state(NO_SALE)).otherwise(state(WITHIN))
    found = pl.when(low).then(within).otherwise(beyond)
    return found if gap is None else pl.when(gap).then(state(UNKNOWN)).otherwise(found)


def lone_article(imports: pl.DataFrame) -> pl.DataFrame:
    """Fills `subheading` where a consignment holds one article only: whatever its code is, it is one subheading."""
    wanting = imports.filter(pl.col("subheading").is_null() & pl.col("amount").is_not_null()).select("group").unique()
    if wanting.is_empty():
        return imports
    lone = (
        imports.join(wanting, on="group", how="semi")
        .group_by("group")
        .agg(pl.col("subheading").max().fill_null(ARTICLE), pl.col("sku").n_unique().alias("articles"))
        .filter(pl.col("articles") == 1)
    )
    told = imports.join(lone.select("group", "subheading"), on="group", how="left", maintain_order="left")
    return told.with_columns(pl.coalesce("subheading", "subheading_right").alias("subheading")).drop("subheading_right")


def flat_duty(lines: pl.DataFrame, each: str = "subheading") -> pl.DataFrame:
    """row -> `flat`: each line's share of the duty that is owed once per tariff subheading of a consignment.

    lines: those that owe it, of one consignment together, with `subheading` (not null), `fx`, `amount` (millionths of the pack's currency).
    The duty is turned into the line's currency, rounded, and shared by the value of the goods; the shares of a
    subheading sum to it exactly. A refund takes back the share of its article in its own consignment, in
    proportion to the value taken back; null where that sale is not among the lines. each: the column whose distinct
    values in a consignment owe the duty once ("group": the consignment itself).
    """
    unit = ten_to(pl.col("digits"))
    whole = half_up(wide(pl.col("amount")) * unit * PER_UNIT, wide(pl.col("fx")) * MICRO)
    scaled = wide(pl.col("goods")) * pl.when(pl.col("digits") == 0).then(CENTS).otherwise(1) * pl.col("fx")
    group = list(dict.fromkeys(["group", each]))
    lines = lines.with_columns(whole.alias("whole"))
    # Most consignments hold one line, which owes the whole.
    alone = (lines["group"] != lines["group"].shift(1)).fill_null(True) & (
        lines["group"] != lines["group"].shift(-1)
    ).fill_null(True)
    alone &= lines["sign"] > 0
    lone = lines.filter(alone).select("row", pl.col("whole").alias("flat"))
    lines = lines.filter(~alone)
    if lines.is_empty():
        return lone
    ordered = lines.with_columns(scaled.alias("weight")).sort(
        *group, "sku", "goods", "line", descending=[False] * (len(group) + 1) + [True, False]
    )
    sales = ordered.filter(pl.col("sign") > 0).with_columns(pl.col("weight").sum().over(group).alias("total"))
    # A subheading of free goods still owes its duty: its lines then count alike.
    free = pl.col("total") == 0
    sales = sales.with_columns(pl.when(free).then(wide(1)).otherwise(pl.col("weight")).alias("weight")).with_columns(
        pl.col("weight").cum_sum().over(group).alias("running"), pl.col("weight").sum().over(group).alias("total")
    )
    sales = sales.with_columns(
        shares(pl.col("whole"), pl.col("running"), pl.col("weight"), pl.col("total")).alias("flat")
    )
    article = ["group", "sku"]
    sold = sales.group_by(article).agg(
        pl.col("flat").sum().alias("owed"), pl.col("goods").sum().alias("value"), pl.len().alias("count")
    )
    back = ordered.filter(pl.col("sign") < 0).join(sold, on=article, how="left", maintain_order="left")
    back = back.with_columns(wide(pl.col("goods")).cum_sum().over(article).alias("running"))
    share = shares(pl.col("owed"), pl.col("running"), pl.col("goods"), pl.max_horizontal("value", pl.lit(1)))
    # What was given away free goes back line by line.
    number = pl.min_horizontal(pl.int_range(1, pl.len() + 1).over(article), pl.col("count").cast(pl.Int64))
    free = shares(pl.col("owed"), number, wide(1), pl.col("count"))
    told = pl.when(pl.col("value") > 0).then(share).when(pl.col("value") == 0).then(free)
    back = back.with_columns(told.alias("flat"))
    return pl.concat([lone, sales.select("row", "flat"), back.select("row", "flat")])
