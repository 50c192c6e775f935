"""Customs that reckons a whole declaration: bases cut to a step, the sums of duty and tax cut to another.

Japan (Customs Answer 1111; 関税法 13 の 4, 国税通則法 118, 119, 関税法基本通達 13の4-2): the lines of a declaration are added up by
article. Of each article

    duty            the customs value cut to 1,000 yen, times the rate; a duty per unit as it is; yen cut
    national tax    value and duty (this cut to 100 yen) together cut to 1,000 yen, times its rate; yen cut
    local tax       22/78 of the national tax (this cut to 100 yen); yen cut

and of the sums of duty, national tax and local tax each is cut to 100 yen. The sums are exact; lines bear shares of them
by what each would owe alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl

from cbec.methods.compliance.amounts import TARIFF, valued
from cbec.methods.compliance.codes import gather, marked, places
from cbec.methods.compliance.consignments import flat_duty
from cbec.methods.compliance.exact import CENTS, PERCENT, at_least, hundredths, part, wide
from cbec.methods.compliance.fixings import PER_UNIT
from cbec.methods.compliance.intervals import MICRO

if TYPE_CHECKING:
    from collections.abc import Callable

    from cbec.methods.compliance.amounts import Duties
    from cbec.methods.compliance.book import Rulebook

    Array: TypeAlias = np.ndarray[Any, Any]

TURNS = 35
"""Turns in which a price that includes the cut amounts is taken apart; most need a few."""
TINY = 1e-9
"""What a quotient of floats may lack of a whole number."""
ARTICLE = ["group", "article", "one_rate", "resolution", "charged_rate", "duty_kind"]
"""Lines that are one article of a declaration."""
ONE = CENTS * PER_UNIT
"""One of the pack's currency, as amounts are added up here."""
AMOUNTS = ("value", "intrinsic", "customs", "duty", "base", "tax")


def declared(
    frame: pl.DataFrame,
    imports: pl.DataFrame | None,
    book: Rulebook,
    cells: pl.DataFrame,
    articles: Callable[[pl.Series], pl.Series],
    duties: Duties,
) -> pl.DataFrame:
    """Replaces duty and tax of lines whose scheme names a declaration by their shares of what the whole of it owes.

    frame: reckoned lines with `declaration` (id of the rule, null = none). imports: the imported lines with `group`, `fx`,
    `sku`, `line`. articles: numbers of the customs codes `hs`; lines without one that bear the same rates are one article. A line without an answer leaves that of the others of its declaration open. Prices that include tax (and
    duty) are taken apart so that value, duty and tax are the price. Refunds take back the shares of their sale.
    """
    if imports is None or frame["declaration"].null_count() == frame.height:
        return frame
    named = frame[places(frame["declaration"].is_not_null())].with_columns(pl.col("declaration").cast(pl.String))
    named = named.join(
        imports.select("row", "group", "fx", "sku", "line"), on="row", how="inner", maintain_order="left"
    )
    whole = pl.col("problem").is_null().all().over("group")
    gaps = named.filter(~whole & pl.col("problem").is_null())["row"]
    if len(gaps):
        frame = frame.with_columns(marked(frame["problem"], gaps, "tax_consignment_unknown"))
    named = named.filter(whole)
    if named.is_empty():
        return frame
    named = _with_rule(named.with_columns(articles(named["hs"])).sort("group", maintain_order=True), book, cells)
    told = _apart(named, duties)
    lost = told.filter(pl.col("duty").is_null() | pl.col("tax").is_null())["row"]
    if len(lost):
        frame = frame.with_columns(marked(frame["problem"], lost, "tax_refund_without_sale"))
    return frame.with_columns(frame[name].scatter(told["row"], told[name]) for name in AMOUNTS)


def _with_rule(lines: pl.DataFrame, book: Rulebook, cells: pl.DataFrame) -> pl.DataFrame:
    """Adds what the rule says: `national` (millionths of a percent of the tax), `base_step`, `step`; and `scale`, which turns
    minor units of the line into parts of `ONE`."""
    rules = {rule.id: rule for pack in book.packs for rule in pack.of("declaration")}
    shares = book.values("declaration").select(pl.col("rule_id").alias("declaration"), "period", national="micro")
    period = gather(cells["period"], "cell").alias("period")
    lines = lines.with_columns(period).join(shares, on=["declaration", "period"], how="left", maintain_order="left")
    steps = {
        name: {key: int(getattr(rule, name) or 1) for key, rule in rules.items()} for name in ("base_step", "step")
    }
    cents = hundredths(pl.col("digits"))
    return lines.with_columns(
        *(
            pl.col("declaration").replace_strict(told, return_dtype=pl.Int64).alias(name)
            for name, told in steps.items()
        ),
        (wide(pl.col("fx")) * cents).alias("scale"),
    )


def _apart(lines: pl.DataFrame, duties: Duties) -> pl.DataFrame:
    """Amounts of lines; prices that include them taken apart. The value is the price less what is owed on that value."""
    delivered = pl.col("gross") & pl.col("ddp")
    several = (pl.col("duty_kind") == TARIFF) & pl.col("one_rate").is_null()
    for only_tax in (True, False):
        # A price that includes the tax, to which the duty is added, includes the tax on itself.
        inside = pl.col("gross") & ~pl.col("ddp") if only_tax else delivered
        lines = lines.with_columns(inside.alias("inside"))
        asked, hard = lines.select(
            pl.col("inside").any().over("group"), several.any().over("group").alias("several")
        ).get_columns()
        for rows, search in ((places(asked & ~hard), _searched), (places(asked & hard), _tried)):
            if len(rows):
                found = search(lines[rows], duties, only_tax)
                lines = valued(lines.with_columns(lines["value"].scatter(rows, found)))
    told = _owed(lines, duties)
    # What no value leads to stays in it, so that value, duty and tax are the price.
    told = valued(told.with_columns(pl.when(delivered).then(_left()).otherwise("value").alias("value")))
    return told.with_columns((pl.col("customs") + pl.col("duty")).alias("base")).drop("inside")


def _left(only_tax: bool = False) -> pl.Expr:
    """What the tax (and the duty) leaves of a price; the value as it is where they are unknown."""
    left = at_least(pl.col("whole") - pl.col("tax") - (0 if only_tax else pl.col("duty")))
    return pl.when(pl.col("tax").is_null() | pl.col("duty").is_null()).then("value").otherwise(left)


def _tried(lines: pl.DataFrame, duties: Duties, only_tax: bool) -> pl.Series:
    """The values of lines with several measures, turn by turn."""
    for turn in range(TURNS):
        told = _owed(lines, duties, untaxed_duty=only_tax)
        value = told.select(pl.when("inside").then(_left(only_tax)).otherwise("value").alias("value"))["value"]
        if (value == told["value"]).all():
            break
        if turn % 5 > 2:  # half the way, where whole steps go to and fro over a cut
            value = told.select((pl.col("value") + value + 1) // 2)["value"]
        lines = valued(lines.with_columns(value))
    return lines["value"]


def _searched(lines: pl.DataFrame, duties: Duties, only_tax: bool) -> pl.Series:
    """The values of lines with one rate each, likewise, in arrays: what `_owed` says of them is reckoned in floats, which a
    cut is not near to. Where a price lies between those of two values on both sides of a cut, it is the lower one."""
    sales = lines.with_row_index("at").filter(pl.col("sign") > 0)
    sales = sales.sort("group", "sku", "goods", "line", descending=[False, False, True, False])
    kinds = sales.select(ARTICLE).unique(maintain_order=True).with_row_index("kind")
    kind = sales.select(ARTICLE).join(kinds, on=ARTICLE, how="left", nulls_equal=True, maintain_order="left")["kind"]
    begins = sales["group"].ne_missing(sales["group"].shift(1))
    group = begins.cum_sum().to_numpy().astype(np.int64) - 1
    owed = _Owed(sales, group, kind.to_numpy().astype(np.int64), only_tax)
    inside, value = sales["inside"].to_numpy(), sales["value"].to_numpy().astype(np.float64)
    whole, before = sales["whole"].to_numpy(), value
    for turn in range(TURNS):
        duty, tax = owed.of(value)
        turned = np.where(inside, np.maximum(whole - tax - (0 if only_tax else duty), 0), value)
        if (turned == value).all():
            break
        # To and fro over a cut: the lower of the two.
        swing = owed.all(turned == before) & ~owed.all(turned == value)
        lower = swing & (owed.sum(turned) < owed.sum(value))
        inside = inside & ~swing
        if turn > TURNS // 2:
            turned = np.where(swing, turned, np.floor((turned + value) / 2))
        before, value = value, np.where(swing & ~lower, value, turned)
    found = lines["value"].scatter(sales["at"], pl.Series(value.astype(np.int64)))
    refunds = places((lines["sign"] < 0) & lines["inside"])
    if len(refunds):
        # Where a price lay on both sides of a cut, its value is that of the sale, not what is left of the price.
        on = ["group", "sku", "whole"]
        sold = sales.select(*on, pl.Series("sold", value.astype(np.int64))).unique(
            on, keep="first", maintain_order=True
        )
        back = lines.select(on)[refunds].join(sold, on=on, how="left", nulls_equal=True, maintain_order="left")["sold"]
        if back.null_count():
            told = _owed(valued(lines.with_columns(found)), duties, untaxed_duty=only_tax)[refunds]
            back = told.select(pl.coalesce(back, _left(only_tax)).alias("sold"))["sold"]
        found = found.scatter(refunds, back)
    return found


class _Owed:
    """What sales owe on values, as `_owed` says it, in arrays: `group` and `kind` number the declaration and the article of
    each line, the lines of a declaration standing together."""

    def __init__(self, sales: pl.DataFrame, group: Array, kind: Array, only_tax: bool) -> None:
        def column(name: str, over: float = 1.0) -> Array:
            told = sales[name].cast(pl.Float64)
            return (told.fill_null(0.0) if told.null_count() else told).to_numpy() / over

        self._group, self._kind, self._only_tax = group, kind, only_tax
        self._goods, self._whole, self._allowed = column("goods"), column("whole"), column("allowed")
        self._share, self._shared = column("share", PERCENT), sales["share"].is_not_null().to_numpy()
        self._fob = sales["fob"].to_numpy()
        self._freight = sales["freight"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        self._yen = column("scale", ONE)
        self._rate = np.where(sales["duty_kind"].to_numpy() == TARIFF, column("one_rate", PERCENT), 0.0)
        self._charged = column("charged_rate", PERCENT)
        _, first = np.unique(kind, return_index=True)
        self._of_kind, self._first = group[first], first
        self._national, self._step, self._cut = column("national", PERCENT)[first], *(
            column(name)[first] for name in ("base_step", "step")
        )  # fmt: skip
        _, at = np.unique(group, return_index=True)
        self._starts = at
        # Currencies of one declaration that differ are weighed in that of the pack.
        self._unit = np.where(self.all(self._yen == self._yen[at][group]), 1.0, self._yen)

    def sum(self, values: Array) -> Array:
        """The sum of each line's declaration."""
        sums: Array = np.bincount(self._group, values)
        return sums[self._group]

    def all(self, flags: Array) -> Array:
        """Whether something holds of all lines of the declaration."""
        none: Array = self.sum(~flags) == 0
        return none

    def of(self, value: Array) -> tuple[Array, Array]:
        """Duty and tax of each line on these values."""
        part = np.where(self._whole == self._goods, value, _half_up(self._goods * value, np.maximum(self._whole, 1)))
        part = np.where(np.isnan(self._freight), part, np.maximum(value - self._freight, 0))
        customs = np.where(self._shared, _half_up(part * self._share, 1), np.where(self._fob, part, value))
        customs = np.maximum(customs - self._allowed, 0)
        exact = np.bincount(self._kind, np.where(self._shared, part * self._share, customs) * self._yen)
        duty = _down(_down(exact, self._step) * self._rate[self._first], 1)
        taxed = _down(exact + (0 if self._only_tax else _down(duty, self._cut)), self._step)
        national = _down(taxed * self._charged[self._first] * self._national, 1)
        local = _down(_down(national, self._cut) * (1 - self._national) / self._national, 1)
        cut = self._cut[np.searchsorted(self._of_kind, np.arange(len(self._starts)))]
        sums = [_down(np.bincount(self._of_kind, levy), cut)[self._group] for levy in (duty, national, local)]
        of_duty = self._shares(sums[0], _half_up(customs * self._rate, 1))
        base = customs + (0 if self._only_tax else of_duty)
        return of_duty, self._shares(sums[1] + sums[2], _half_up(base * self._charged, 1))

    def _shares(self, owed: Array, weight: Array) -> Array:
        """What each line bears of what its declaration owes, in minor units."""
        whole, weight = _half_up(owed, self._yen), weight * self._unit
        total = self.sum(weight)
        weight = np.where(total == 0, 1.0, weight)
        total, running = self.sum(weight), np.cumsum(weight)
        running -= (running - weight)[self._starts][self._group]
        return _half_up(whole * running, total) - _half_up(whole * (running - weight), total)


def _half_up(top: Array, bottom: Array | float) -> Array:
    return np.floor(top / bottom + 0.5)


def _down(value: Array, step: Array | float) -> Array:
    """Cut to a step; what floats lack of a whole one is nothing."""
    return np.floor(value / step + TINY) * step


def _owed(lines: pl.DataFrame, duties: Duties, untaxed_duty: bool = False) -> pl.DataFrame:
    """Adds `duty`, `tax` and `base` of lines with `value`, `intrinsic`, `customs`. untaxed_duty: no duty in the base of tax."""
    lines = duties(lines)
    owes = pl.col("duty_kind") == TARIFF
    share = pl.col("share").fill_null(PERCENT)
    # 60 % of a yen is no whole yen: the value is added up as it is.
    exact = (
        wide(pl.when(pl.col("share").is_null()).then("customs").otherwise("intrinsic")) * wide(share) * pl.col("scale")
    )
    alone = pl.when(owes).then(wide(pl.col("tariff_duty")) * pl.col("scale")).otherwise(wide(0))
    lines = lines.with_columns(exact.alias("exact"), alone.alias("alone"))
    totals = _totals(lines, untaxed_duty)
    lines = lines.join(totals, on="group", how="left", maintain_order="left")
    one = {"duty": pl.when(owes).then("tariff_duty").otherwise(0)}
    one["tax"] = part(pl.col("customs") + (0 if untaxed_duty else pl.col("duty").fill_null(0)), pl.col("charged_rate"))
    for name, weight in one.items():
        asked = lines.with_columns((pl.col(f"{name}_owed") * MICRO).alias("amount"), weight.alias("due"))
        shared = flat_duty(asked, each="group", by="due").select("row", pl.col("flat").alias(name))
        lines = lines.drop(name).join(shared, on="row", how="left", maintain_order="left")
    base = pl.col("customs") + (0 if untaxed_duty else pl.col("duty"))
    return lines.with_columns(base.alias("base")).drop("exact", "alone", *totals.columns[1:])


def _totals(lines: pl.DataFrame, untaxed_duty: bool) -> pl.DataFrame:
    """group -> `duty_owed`, `tax_owed`: what the sales of a declaration owe, in the pack's currency."""
    rules = ["national", "base_step", "step"]
    items = (
        lines.filter(pl.col("sign") > 0)
        .group_by(ARTICLE)
        .agg(*(pl.col(c).first() for c in rules), pl.col("exact", "alone").sum())
    )
    whole = wide(ONE) * PERCENT
    value = pl.col("exact")
    step, cents = wide(pl.col("base_step")), wide(pl.col("step"))
    base = value // (whole * step) * step
    ad_valorem = base * wide(pl.col("one_rate")) // PERCENT
    owes = pl.col("duty_kind") == TARIFF
    duty = (
        pl.when(~owes)
        .then(wide(0))
        .when(pl.col("one_rate").is_null())
        .then(pl.col("alone") // ONE)
        .otherwise(ad_valorem)
    )
    items = items.with_columns(duty.alias("duty"))
    with_duty = value if untaxed_duty else value + pl.col("duty") // cents * cents * whole
    taxed = with_duty // (whole * step) * step
    national = taxed * wide(pl.col("charged_rate")) * wide(pl.col("national")) // (wide(PERCENT) * PERCENT)
    items = items.with_columns(national.alias("national_tax"))
    share = wide(pl.col("national"))
    local = pl.col("national_tax") // cents * cents * (PERCENT - share) // share
    sums = (
        items.with_columns(local.alias("local_tax"))
        .group_by("group")
        .agg(pl.col("duty", "national_tax", "local_tax").sum(), pl.col("step").first())
    )

    def cut(name: str) -> pl.Expr:
        return (pl.col(name) // cents * cents).cast(pl.Int64)

    return sums.select(
        "group", cut("duty").alias("duty_owed"), (cut("national_tax") + cut("local_tax")).alias("tax_owed")
    )
