"""The story of a reconciliation: surest pairs first, then sums, then what needs a person's eye.

1. pairs of one currency (equal amount, a number in the text, an amount within the fee) that are beyond the threshold
2. pairs across currencies and with swapped digits beyond it, and whatever is left of equal amounts
3. splits and merges, exact sums
4. what is more likely right than wrong, for review: also payouts that came short
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from cbec.methods.settle import candidates, evidence, groups
from cbec.methods.settle.assign import Taken, greedy
from cbec.methods.settle.lines import Payouts, bank_lines, payouts, tokens

if TYPE_CHECKING:
    from cbec.methods.settle.candidates import Window

REVIEW = 0.5
"""A pair less likely than this is no match."""

LINKS = {
    "m": pl.Int64, "kind": pl.String, "s": pl.Int64, "b": pl.Int64, "expected": pl.Int64, "received": pl.Int64,
    "level": pl.String, "gap": pl.Int64, "mid": pl.Float64, "lag": pl.Int64, "score": pl.Float64, "ref": pl.Int64,
    "ambiguous": pl.Boolean, "status": pl.String,
}  # fmt: skip


class Terms(NamedTuple):
    """Settings of a reconciliation. max_fee in hundreds of minor units, shares and score as fractions."""

    window: Window
    max_fee: float
    max_fee_share: float
    auto: float
    most: int


class Matched(NamedTuple):
    """links: one row per settlement and bank line of a match (columns LINKS), amounts in thousandths; lacking: pairs
    of currencies without a rate; searched: whether splits and merges were looked for."""

    payouts: Payouts
    bank: pl.DataFrame
    links: pl.DataFrame
    learnt: evidence.Learnt
    lacking: list[str]
    searched: bool


def fee_limit(terms: Terms) -> pl.Expr:
    """Largest fee in thousandths: the share, or the fixed fee but never above a twentieth of the amount."""
    amount = pl.col("expected")
    from cbec.methods.minor import unit

    fixed = (terms.max_fee * 100 * unit("currency") / 1000).cast(pl.Int64)
    share = (amount * terms.max_fee_share).cast(pl.Int64)
    return pl.max_horizontal(share, pl.min_horizontal(fixed, amount // 20))


def match(settlements: pl.DataFrame, bank: pl.DataFrame, rates: pl.DataFrame | None, terms: Terms) -> Matched:
    """Match the tables `settlements` and `bank`; every settlement and bank line is in one match at most."""
    owed, lines = payouts(settlements), bank_lines(bank)
    due = owed.open
    refs = candidates.referenced(due, tokens(lines))
    named = candidates.named(refs, due, lines, rates)
    refs = refs.join(named.select("s", "b"), on=["s", "b"], how="semi")
    limit = fee_limit(terms)
    everything = candidates.near(evidence.with_decoys(due), lines, terms.window, limit)
    close, odds_of_fee = evidence.apart(everything, "fee")
    odds = {"fee": odds_of_fee}
    same = _joined(
        [
            candidates.exact(due, lines, terms.window),
            close,
            _leveled(named, due, limit),
        ],
        refs,
        lines,
    )
    seeds = evidence.beyond_doubt(same)
    window = terms.window.early + terms.window.late + 1
    learnt = evidence.learn(seeds, due, lines, window)
    taken = Taken()
    first = evidence.score(same, due, lines, learnt, odds)
    chosen = [_sure(first, terms, taken)]

    # What is left may have been converted, or mistyped.
    left, open_lines = _rest(due, lines, taken)
    everything, lacking = candidates.across(evidence.with_decoys(left), open_lines, terms.window, rates)
    fx, odds["fx"] = evidence.apart(everything, "fx")
    mistyped = candidates.digits(left, open_lines, terms.window)
    second = _joined([taken.free(same).select(list(candidates.SCHEMA)), fx, mistyped], refs, lines)
    seeds = pl.concat([seeds, evidence.beyond_doubt(second)]).unique(["s", "b"]).sort("s", "b")
    learnt = evidence.learn(seeds, due, lines, window)
    scored = evidence.score(second, due, lines, learnt, odds)
    chosen.append(_sure(scored, terms, taken))
    equal = taken.free(scored).filter(pl.col("level") == "exact", pl.col("score") >= REVIEW)
    chosen.append(_status(greedy(equal, taken), terms))

    sums, searched = groups.find(due, lines, refs, learnt, terms.window, terms.most, taken)

    left, open_lines = _rest(due, lines, taken)
    short = _short(left, open_lines, terms, limit, learnt)
    later = [_short(d, open_lines, terms, limit, learnt) for d in evidence.shifted(left, 3 * window)]
    odds["short"] = evidence.measured(short.height, sum(c.height for c in later))
    third = _joined([taken.free(second).select(list(candidates.SCHEMA)), short], refs, lines)
    scored = evidence.score(third, due, lines, learnt, odds)
    chosen.append(_status(greedy(scored.filter(pl.col("score") >= REVIEW), taken), terms))
    links = _links(pl.concat(chosen), sums, due, lines, terms)
    return Matched(owed, lines, links, learnt, lacking, searched)


def _short(
    left: pl.DataFrame, lines: pl.DataFrame, terms: Terms, limit: pl.Expr, learnt: evidence.Learnt
) -> pl.DataFrame:
    """Open settlements and open lines of one who pays for them, down to half the amount."""
    pairs = candidates.near(left, lines, terms.window, limit, candidates.SHORT_SHARE)
    payers = learnt.text.filter("payer").select("brand", "pattern")
    told = pairs.join(left.select("s", "brand"), on="s").join(lines.select("b", "pattern"), on="b")
    return told.join(payers, on=["brand", "pattern"], how="semi").select(list(candidates.SCHEMA)).sort("s", "b")


def _rest(due: pl.DataFrame, lines: pl.DataFrame, taken: Taken) -> tuple[pl.DataFrame, pl.DataFrame]:
    s, b = pl.Series(sorted(taken.s), dtype=pl.Int64), pl.Series(sorted(taken.b), dtype=pl.Int64)
    return due.filter(~pl.col("s").is_in(s.implode())), lines.filter(~pl.col("b").is_in(b.implode()))


def _leveled(named: pl.DataFrame, due: pl.DataFrame, limit: pl.Expr) -> pl.DataFrame:
    """The level of pairs that the text names, by their amounts."""
    gap, value = pl.col("gap"), pl.col("expected")
    frame = named.join(due.select("s", "expected", "currency"), on="s").with_columns(limit=limit)
    in_band = gap.is_between(-candidates.FX_GAIN * value * pl.col("mid"), candidates.FX_LOSS * value * pl.col("mid"))
    level = (
        pl.when(pl.col("mid").is_not_null()).then(pl.when(in_band).then(pl.lit("fx")).otherwise(pl.lit("off")))
        .when(gap == 0).then(pl.lit("exact"))
        .when(gap.is_between(0, pl.col("limit"))).then(pl.lit("fee"))
        .when(gap.is_between(-(pl.col("limit") // 10), 0)).then(pl.lit("over"))
        .otherwise(pl.lit("off"))
    )  # fmt: skip
    return frame.with_columns(level=level).select(list(candidates.SCHEMA))


def _joined(parts: list[pl.DataFrame], refs: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Each pair once, at its best level, with what the text says of it: ref -1 where it names another settlement."""
    rank = pl.col("level").replace_strict({name: i for i, name in enumerate(evidence.LEVELS)}, return_dtype=pl.Int64)
    pairs = (
        pl.concat(parts)
        .with_columns(rank=rank)
        .sort("s", "b", "rank")
        .unique(["s", "b"], keep="first", maintain_order=True)
    )
    speaks = refs.select("b").unique().with_columns(speaks=pl.lit(True))
    pairs = pairs.join(refs.cast({"ref": pl.Int64}), on=["s", "b"], how="left").join(speaks, on="b", how="left")
    ref = (
        pl.when(pl.col("ref").is_null() & pl.col("speaks").is_not_null()).then(-1).otherwise(pl.col("ref").fill_null(0))
    )
    pairs = pairs.with_columns(ref=ref.cast(pl.Int64), shared=pl.col("shared").fill_null(1))
    return pairs.join(lines.select("b", "received"), on="b").drop("rank", "speaks").sort("s", "b")


def _sure(scored: pl.DataFrame, terms: Terms, taken: Taken) -> pl.DataFrame:
    """The best pairs that need no eye: the others are let go again."""
    trial = Taken(set(taken.s), set(taken.b))
    won = _status(greedy(scored.filter(pl.col("score") >= REVIEW), trial), terms)
    sure = won.filter(pl.col("status") == "auto")
    taken.s.update(sure["s"].to_list())
    taken.b.update(sure["b"].to_list())
    return sure


def _status(won: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    fit = pl.col("level").is_in(["exact", "fee", "fx"]) & (pl.col("copy") == 0) & ~pl.col("ambiguous")
    auto = fit & (pl.col("score") >= terms.auto)
    return won.with_columns(status=pl.when(auto).then(pl.lit("auto")).otherwise(pl.lit("review")))


def _links(
    pairs: pl.DataFrame, sums: list[groups.Group], due: pl.DataFrame, lines: pl.DataFrame, terms: Terms
) -> pl.DataFrame:
    single = pairs.join(due.select("s", "expected"), on="s").with_columns(kind=pl.lit("1:1"))
    single = (
        single.sort("s", "b")
        .with_row_index("m")
        .with_columns(pl.col("m").cast(pl.Int64))
        .select(pl.col(name).cast(kind) for name, kind in LINKS.items())
    )
    days = due["day"].to_list(), lines["day"].to_list()
    owed, got = due["expected"].to_list(), lines["received"].to_list()
    rows: list[dict[str, Any]] = []
    for number, group in enumerate(sorted(sums), single.height):
        sure = group.score >= terms.auto and not group.ambiguous
        common = {
            "m": number, "kind": group.kind, "level": "fee" if group.gap else "exact", "mid": None, "ref": 0,
            "score": group.score, "ambiguous": group.ambiguous, "status": "auto" if sure else "review",
        }  # fmt: skip
        # The part that bears the fee is the largest settlement.
        bearer = max(group.s, key=lambda s: (owed[s], -s))
        for s in group.s:
            for b in group.b:
                expected = owed[s] if group.kind == "merge" else got[b]
                gap = group.gap if s == bearer else 0
                rows.append(
                    common
                    | {"s": s, "b": b, "expected": expected, "received": expected - gap, "gap": gap}
                    | {"lag": (days[1][b] - days[0][s]).days}
                )
    return pl.concat([single, pl.DataFrame(rows, schema=LINKS)])
