"""Consignments of imported goods: their value against the limits, and duties owed once per consignment.

A consignment is what one order sends from one country to another. Its value is that of the goods alone: without
shipping, insurance, tax and duty ("intrinsic value"), or with shipping and insurance where a limit says so, in the
currency of the limit. A refund belongs to the consignment of the sale it reverses and never makes it smaller.
"""

from __future__ import annotations

import polars as pl

from cbec.methods.compliance.chain import ABOVE, CIRCULAR, NO_SALE, UNKNOWN, WITHIN
from cbec.methods.compliance.exact import PERCENT, before_tax, fits, half_up, most, part, portion, shares, ten_to, wide
from cbec.methods.compliance.fixings import PER_UNIT
from cbec.methods.compliance.intervals import MICRO

ARTICLE = -1
"""Stands for the subheading of a consignment's only article, whatever that is."""
CENTS = 100
SCALED = CENTS * PER_UNIT // MICRO
"""Minor units times an exchange rate over this are millionths of the rule's currency."""


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


def states(imports: pl.DataFrame, cells: pl.DataFrame, slots: int) -> pl.DataFrame:
    """`row` and `state0` ..: the state (`chain`) of each line's consignment against each limit of its pack.

    imports: from `grouped` and `values`, with `cell`, `sign`, `fx` (to the pack's currency) and `fx_other` (to that of
    its other limits), `digits`, `pieces`, `telling` (the scheme tells that the sale was within), `year` (value of the
    buyer's year in millionths of the pack's currency). cells: from `decisions`. Above the limit by the low value and
    within it by the high one is a price that contradicts itself.
    """
    here = cells[imports["cell"].unique().to_list()]
    kinds = [
        here.filter(pl.col(f"bound{slot}").is_not_null())
        .select(f"base{slot}", f"own{slot}", f"per{slot}")
        .unique()
        .rows()
        for slot in range(slots)
    ]
    simple = imports["low_goods"].equals(imports["high_goods"]) and imports["low_value"].equals(imports["high_value"])
    totals = {
        (base, own): _totals(imports, base, own, simple)
        for base, own in sorted({(base, own) for rows in kinds for base, own, per in rows if per == "consignment"})
    }
    told: list[pl.Series] = []
    for slot in range(slots):
        # Limits of several rules are often one: the same bound of the same value.
        twin = next(
            (i for i in range(slot) if kinds[i] == kinds[slot] and _edges(cells, i).equals(_edges(cells, slot))), slot
        )
        state = (
            told[twin]
            if twin < slot
            else imports.select(_against(imports, totals, cells, slot, kinds[slot], simple).alias("state"))["state"]
        )
        told.append(state.alias(f"state{slot}"))
    return imports.select("row").hstack(told)


def _edges(cells: pl.DataFrame, slot: int) -> pl.Series:
    """What twice a value is held against: half_up(value, SCALED) <= bound, without a division, is
    2 value < SCALED (2 bound + 1); strictly within: (2 bound - 1)."""
    half = pl.when(f"inclusive{slot}").then(1).otherwise(-1)
    return cells.select(((wide(pl.col(f"bound{slot}")) * 2 + half) * SCALED).alias("edge"))["edge"]


def _worth(imports: pl.DataFrame, which: str, base: str, own: bool) -> pl.Series:
    """Value of each line in minor units times the rate to the limit's currency (Int128)."""
    amount = pl.col(f"{which}_{'value' if base == 'value' else 'goods'}")
    if base == "customs":
        amount = part(amount, pl.col("share").fill_null(PERCENT))
    scale = 1 if imports["digits"].min() == 2 else pl.when(pl.col("digits") == 0).then(CENTS).otherwise(1)
    return imports.select((wide(amount) * pl.col("fx" if own else "fx_other") * scale).alias(which))[which]


def _totals(imports: pl.DataFrame, base: str, own: bool, simple: bool) -> dict[str, pl.Series]:
    """`low`, `high`, `gap` and `has_sale` of each line's consignment: of its sales, or of refunds where it has none."""
    group = imports["group"]
    starts = (group != group.shift(1)).fill_null(True).arg_true()
    ends = pl.concat([starts[1:].cast(pl.Int64) - 1, pl.Series([len(group) - 1], dtype=pl.Int64)])

    def summed(column: pl.Series) -> pl.Series:
        running = column.cum_sum()
        return running.gather(ends) - running.gather(starts) + column.gather(starts)

    sale = imports["sign"] > 0
    whole = bool(sale.all())
    has_sale = None if whole else summed(sale.cast(pl.Int64)) > 0
    found: dict[str, pl.Series] = {}
    for which in ("low",) if simple else ("low", "high"):
        worth = _worth(imports, which, base, own)
        gaps = worth.is_null()
        known = worth.fill_null(0)
        if has_sale is None:
            found[which] = summed(known).gather(group)
            found["gap"] = (summed(gaps.cast(pl.Int64)) > 0).gather(group)
            continue
        split = pl.DataFrame({"known": known, "gaps": gaps, "sale": sale})
        sums = {}
        for name, mine in (("sale", pl.col("sale")), ("back", ~pl.col("sale"))):
            part_of = split.select(
                pl.when(mine).then("known").otherwise(wide(0)).alias("k"),
                (mine & pl.col("gaps")).cast(pl.Int64).alias("g"),
            )
            sums[name] = summed(part_of["k"]), summed(part_of["g"]) > 0
        frame = pl.DataFrame(
            {"has": has_sale, "s": sums["sale"][0], "b": sums["back"][0], "sg": sums["sale"][1], "bg": sums["back"][1]}
        ).select(
            pl.when("has").then("s").otherwise("b").alias("sum"), pl.when("has").then("sg").otherwise("bg").alias("gap")
        )
        found[which], found["gap"] = frame["sum"].gather(group), frame["gap"].gather(group)
    found.setdefault("high", found["low"])
    found["has_sale"] = sale if has_sale is None else has_sale.gather(group)
    return found


def _against(
    imports: pl.DataFrame,
    totals: dict[tuple[str, bool], dict[str, pl.Series]],
    cells: pl.DataFrame,
    slot: int,
    kinds: list[tuple[str, bool, str]],
    simple: bool,
) -> pl.Expr:
    """The state against one limit; null where the line's pack has none then."""

    def held(column: str) -> pl.Expr:
        return pl.lit(cells[f"{column}{slot}"]).gather(pl.col("cell"))

    edge = pl.lit(_edges(cells, slot)).gather(pl.col("cell"))
    state: pl.Expr = pl.lit(None, pl.Int8)
    for base, own, per in sorted(kinds):
        if per == "consignment":
            low, high, gap, has_sale = (pl.lit(totals[base, own][c]) for c in ("low", "high", "gap", "has_sale"))
            orphan = ~has_sale & ~pl.col("telling")
            found = _state(low * 2 < edge, None if simple else high * 2 < edge, gap, orphan)
        elif per == "item":
            # The price of one piece, compared without dividing by the quantity (in millionths).
            pieces = wide(pl.max_horizontal("pieces", pl.lit(1, pl.Int64)))
            worths = [pl.lit(_worth(imports, which, base, own)) for which in ("low", "high")]
            low, high = (worth * 2 * MICRO < edge * pieces for worth in worths)
            found = _state(low, high, worths[0].is_null(), pl.lit(False))
        else:
            within = wide(pl.col("year")) * SCALED * 2 < edge
            found = _state(within, None, pl.col("year").is_null(), pl.lit(False))
        if len(kinds) == 1:
            state = found
        else:
            mine = (held("per") == per) & (held("base") == base) & (held("own") == own)
            state = pl.when(mine.fill_null(False)).then(found).otherwise(state)
    return pl.when(edge.is_not_null()).then(state).cast(pl.Int8)


def _state(low: pl.Expr, high: pl.Expr | None, gap: pl.Expr, orphan: pl.Expr) -> pl.Expr:
    above = pl.lit(ABOVE, pl.Int8)
    beyond = above if high is None else pl.when(high).then(pl.lit(CIRCULAR, pl.Int8)).otherwise(above)
    return (
        pl.when(gap)
        .then(pl.lit(UNKNOWN, pl.Int8))
        .when(low & orphan)
        .then(pl.lit(NO_SALE, pl.Int8))
        .when(low)
        .then(pl.lit(WITHIN, pl.Int8))
        .otherwise(beyond)
    )


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
