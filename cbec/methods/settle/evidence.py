"""How likely a pair belongs together: the sum of its log-likelihood ratios (Fellegi and Sunter, 1969).

Each field that is compared (amount, number in the text, who pays, days of delay) adds the logarithm of how much more
often its level is seen among true pairs than among chance ones. What can be learnt is learnt from the data at hand:
payer, delay and usual spread from the pairs beyond doubt; how often an amount within a fee or at a fixing fits by
chance from decoys, the same payouts with amounts that nobody paid. The other weights are fixed and stated here.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

import polars as pl

#: Log odds of a pair by its amount alone, where these are not measured. `off` pairs stand on a number in the text.
AMOUNT = {"exact": 4.0, "fee": 0.0, "fx": 0.0, "digits": 0.0, "over": -2.5, "short": -1.0, "off": -5.0}
LEVELS = tuple(AMOUNT)
MEASURED_LEAST, MEASURED_MOST = -1.0, 4.0
DECOYS = (1.061, 0.947, 1.137, 0.881)
"""Factors on the amounts of payouts that make decoys: far enough to miss the true line, near enough to be like it."""
ROUND_FEE = 1.5  # a fee of a whole number of units, or one that came before
#: Weights of a settlement's number in the text: whole, in part, none; another settlement's number.
WHOLE, PART, OTHER = 8.0, 5.0, -6.0
NAME = 1.5  # the payer's name reads like the marketplace's, where nothing was learnt
TEXT_MOST, LAG_LEAST, LAG_MOST = 3.0, -2.0, 1.5
COUNT = 2.0  # pseudo-count of what is learnt
FX_BAND = 550.0  # basis points over which chance pairs spread (candidates.FX_LOSS and FX_GAIN)
FX_ODD = 0.15  # share of conversions that are out of the usual
FX_USUAL = (80.0, 100.0)  # basis points and their deviation, where fewer than five conversions were seen
FX_SD = 20.0  # basis points, least deviation of what is usual
NEIGHBOURS = ((0, 0.5), (-1, 0.2), (1, 0.2), (-2, 0.05), (2, 0.05))  # a delay speaks for those beside it
COPY = -3.0  # a row that stands in the bank's file twice


def measured(real: int, decoys: int) -> float:
    """Log odds of a candidate, from how many there are and how many DECOYS found by chance (four per payout)."""
    chance = (decoys + 0.5) / len(DECOYS)
    return min(max(math.log(max(real - chance, 0.25) / chance), MEASURED_LEAST), MEASURED_MOST)


def with_decoys(payouts: pl.DataFrame) -> pl.DataFrame:
    """The payouts and their decoys, which are looked for in one go: `apart` tells them by the number s."""
    numbered = pl.col("s") * (len(DECOYS) + 1)
    amounts = [pl.col("expected"), *((pl.col("expected") * f).round().cast(pl.Int64) for f in DECOYS)]
    return pl.concat([payouts.with_columns(s=numbered + k, expected=amount) for k, amount in enumerate(amounts)])


def apart(pairs: pl.DataFrame, level: str) -> tuple[pl.DataFrame, float]:
    """Pairs of the payouts themselves, and the measured log odds of those of a level."""
    size = len(DECOYS) + 1
    real = pairs.filter(pl.col("s") % size == 0).with_columns(s=pl.col("s") // size).sort("s", "b")
    fits = pl.col("level") == level
    decoys = pairs.filter(fits, pl.col("s") % size != 0).height
    return real, measured(real.filter(fits).height, decoys)


class Learnt(NamedTuple):
    """text: brand, pattern, text (log ratio), payer (seen to pay for the brand, or named like it); lag: lag, delay (log ratio); spread: usual cost of conversions in basis
    points per pair of currencies (source, target, usual, sd); fees: currency, gap of fees seen."""

    text: pl.DataFrame
    lag: pl.DataFrame
    spread: pl.DataFrame
    fees: pl.DataFrame


def beyond_doubt(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs that are the only one of their settlement and bank line with that amount, or that a number names alone."""
    sure = pairs.filter(pl.col("level").is_in(["exact", "fx"]) & (pl.col("ref") >= 0))
    alone = sure.filter(pl.len().over("s") == 1, pl.len().over("b") == 1)
    named = pairs.filter((pl.col("ref") >= 1) & pl.col("level").is_in(["exact", "fee", "fx"]))
    named = named.filter(pl.len().over("s") == 1, pl.len().over("b") == 1)
    return pl.concat([alone, named]).unique(["s", "b"]).sort("s", "b")


def learn(seeds: pl.DataFrame, payouts: pl.DataFrame, bank: pl.DataFrame, window: int) -> Learnt:
    """Who pays for whom, after how many days, at what spread; from the pairs beyond doubt."""
    told = seeds.join(payouts.select("s", "brand", source="currency"), on="s").join(
        bank.select("b", "pattern", target="currency"), on="b"
    )
    return Learnt(_text(told, payouts, bank), _lag(told, window), _spread(told), _fees(told))


def _text(told: pl.DataFrame, payouts: pl.DataFrame, bank: pl.DataFrame) -> pl.DataFrame:
    inflow = bank.filter(pl.col("received") > 0)
    base = inflow.group_by("pattern").agg(base=pl.len() / max(inflow.height, 1))
    seen = told.group_by("brand").agg(of=pl.len())
    both = told.group_by("brand", "pattern").agg(n=pl.len())
    grid = payouts.select("brand").unique().join(base, how="cross").join(seen, on="brand", how="left")
    grid = grid.join(both, on=["brand", "pattern"], how="left").with_columns(pl.col("n", "of").fill_null(0))
    share = (pl.col("n") + COUNT * pl.col("base")) / (pl.col("of") + COUNT)
    like = pl.Series([_alike(b, p) for b, p in grid.select("brand", "pattern").iter_rows()], dtype=pl.Boolean)
    learnt = (share / pl.col("base")).log().clip(-TEXT_MOST, TEXT_MOST)
    # What was learnt counts; a name that reads alike helps where little was.
    help_ = NAME * COUNT / (pl.col("of") + COUNT)
    text = pl.when(pl.col("pattern") == "").then(0.0).when(like).then(learnt + help_).otherwise(learnt)
    payer = (pl.col("pattern") != "") & ((pl.col("n") > 0) | like)
    return grid.select("brand", "pattern", text=text.round(9), payer=payer).sort("brand", "pattern")


def _alike(brand: str, pattern: str) -> bool:
    """Whether a word of the text reads like the marketplace: AMAZON, AMZN and AMZ for amazon."""
    if len(brand) < 3:
        return False
    bones = _bones(brand)
    return any(
        len(word) >= 3 and (word.startswith(brand[:5]) or (len(_bones(word)) >= 3 and bones.startswith(_bones(word))))
        for word in pattern.lower().split()
    )


def _bones(word: str) -> str:
    return word[0] + "".join(c for c in word[1:] if c not in "aeiouy")


def _lag(told: pl.DataFrame, window: int) -> pl.DataFrame:
    near = pl.concat([told.select(pl.col("lag") + step, n=pl.lit(share)) for step, share in NEIGHBOURS])
    counted = near.group_by("lag").agg(pl.col("n").sum().round(9))
    days = pl.DataFrame({"lag": range(-60, 120)}, schema={"lag": pl.Int64})
    ratio = (pl.col("n").fill_null(0.0) + COUNT / window) / (told.height + COUNT) * window
    delay = ratio.log().clip(LAG_LEAST, LAG_MOST).round(9)
    return days.join(counted, on="lag", how="left").select("lag", delay=delay).sort("lag")


def _spread(told: pl.DataFrame) -> pl.DataFrame:
    bp = pl.col("gap") / (pl.col("gap") + pl.col("received")) * 1e4
    fx = told.filter(pl.col("level") == "fx").with_columns(bp=bp)
    middle = fx.with_columns(usual=pl.col("bp").median().over("source", "target"))
    spread = ((pl.col("bp") - pl.col("usual")).abs().median() * 1.4826).clip(lower_bound=FX_SD)
    rows = middle.group_by("source", "target").agg(pl.col("usual").first(), sd=spread, n=pl.len())
    return rows.filter(pl.col("n") >= 5).drop("n").sort("source", "target")


def _fees(told: pl.DataFrame) -> pl.DataFrame:
    fees = told.filter(pl.col("level") == "fee").select(currency="source", gap="gap").unique()
    return fees.sort("currency", "gap")


def shifted(payouts: pl.DataFrame, days: int) -> list[pl.DataFrame]:
    """Decoys by time: the payouts that many days, and twice as many, earlier and later; for pairs whose amounts may be far apart."""
    return [payouts.with_columns(day=pl.col("day") + timedelta(days=by)) for by in (-2 * days, -days, days, 2 * days)]


def score(
    pairs: pl.DataFrame, payouts: pl.DataFrame, bank: pl.DataFrame, learnt: Learnt, odds_of: dict[str, float]
) -> pl.DataFrame:
    """Adds odds (log), score (0..1) and text to pairs (with `ref`, `shared`, `received`), sorted by s and b.

    odds_of: log odds of levels that were measured; the others are those of AMOUNT.
    """
    frame = pairs.join(payouts.select("s", "brand", source="currency"), on="s").join(
        bank.select("b", "pattern", "copy", target="currency"), on="b"
    )
    frame = (
        frame.join(learnt.text, on=["brand", "pattern"], how="left")
        .join(learnt.lag, on="lag", how="left")
        .join(learnt.spread, on=["source", "target"], how="left")
        .join(
            learnt.fees.with_columns(before=True), left_on=["source", "gap"], right_on=["currency", "gap"], how="left"
        )
    )
    level, ref = pl.col("level"), pl.col("ref")
    amount = level.replace_strict(AMOUNT | odds_of, return_dtype=pl.Float64)
    whole = (pl.col("gap") % 1000 == 0) | pl.col("before").is_not_null()
    amount = amount + pl.when((level == "fee") & whole).then(ROUND_FEE).otherwise(0.0)
    bp = pl.col("gap") / (pl.col("gap") + pl.col("received")) * 1e4
    usual, sd = pl.col("usual").fill_null(FX_USUAL[0]), pl.col("sd").fill_null(FX_USUAL[1])
    bell = (-0.5 * ((bp - usual) / sd) ** 2).exp() * FX_BAND / (sd * math.sqrt(2 * math.pi))
    apart = ((1 - FX_ODD) * bell + FX_ODD).log()
    amount = amount + pl.when(level == "fx").then(apart).otherwise(0.0)
    rivals = pl.max_horizontal(pl.len().over("s", "level"), pl.len().over("b", "level"))
    number = (
        pl.when(ref == 2)
        .then(WHOLE)
        .when(ref == 1)
        .then(PART - pl.col("shared").log())
        .when(ref < 0)
        .then(OTHER)
        .otherwise(0.0)
    )
    odds = (
        amount - rivals.cast(pl.Float64).log() + number + pl.col("text").fill_null(0.0)
        + pl.col("delay").fill_null(LAG_LEAST) + pl.when(pl.col("copy") > 0).then(COPY).otherwise(0.0)
    ).round(6)  # fmt: skip
    frame = frame.with_columns(odds=odds).with_columns(score=1 / (1 + (-pl.col("odds")).exp()))
    return frame.select(*pairs.columns, "copy", "text", "odds", "score").sort("s", "b")


def probability(odds: float) -> float:
    """The score of log odds."""
    return 1 / (1 + math.exp(-odds))
