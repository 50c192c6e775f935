"""How odd a payment is without training: tails of features against the payments before, members added up.

Every payment is held against payments of earlier days only, so that later ones change no score. A reference is taken
at the beginning of a day and kept until the known payments have grown by a quarter or 30 days have gone.

Members: ECOD (Li et al., 2022: minus the log of each feature's tail probability, added up), here on the tail that is
odd for the feature; HBOS (Goldstein and Dengel, 2012: minus the log of the height of each feature's histogram), here
one-sided too; the payment against the customer's own past; the rules; and, where labels or verdicts are given, what was
known by then of frauds with the same customer, card, device, merchant or e-mail domain. A member becomes its own tail
probability, and so does the sum of their negative logarithms, so that no member's scale outweighs the others'. A member
that is not finite is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cbec.methods.fraud.features import JUDGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST = 200  # payments of earlier days without which nothing can be called odd
MOST = 50_000  # latest payments that make a reference
GROWTH, AGE_DAYS = 1.25, 30
BINS = 20


@dataclass(frozen=True)
class Block:
    """Rows start..end are judged by the reference rows low..high; high <= start."""

    start: int
    end: int
    low: int
    high: int


@dataclass
class Odds:
    """What the detectors found, per payment.

    tail: probability that an ordinary payment is as odd as this one (1 = not odd, or nothing to compare with);
    members: the same per member; features: minus the log of the tail probability per feature with an odd tail
    (float32); known: whether there was a reference; left_out: members that gave no finite number.
    """

    tail: Floats
    members: dict[str, Floats]
    features: dict[str, NDArray[np.float32]]
    known: NDArray[np.bool_]
    left_out: list[str] = field(default_factory=list)


def blocks(day: NDArray[np.int64]) -> list[Block]:
    """Cuts rows (sorted by day, days since any date) where a new reference is taken. Depends on earlier rows only."""
    n = len(day)
    starts = np.flatnonzero(np.diff(day, prepend=day[0] - 1 if n else 0))
    cuts: list[int] = []
    taken, taken_on = 0, 0
    for start in starts.tolist():
        if start < FEWEST:
            continue
        if not cuts or start >= GROWTH * taken or day[start] - taken_on >= AGE_DAYS:
            cuts.append(start)
            taken, taken_on = start, int(day[start])
    ends = [*cuts[1:], n] if cuts else []
    return [Block(a, b, max(0, a - MOST), a) for a, b in zip(cuts, ends, strict=True)]


def tails(values: Floats, cut: list[Block]) -> Floats:
    """Share of the reference that is at least as high, (1 + count) / (1 + size): 1 where nothing is known.

    NaN is not odd. Rows before the first reference get 1.
    """
    out = np.ones(len(values))
    for block in cut:
        reference = values[block.low : block.high]
        reference = np.sort(reference[~np.isnan(reference)])
        if not len(reference):
            continue
        asked = values[block.start : block.end]
        above = len(reference) - np.searchsorted(reference, asked, side="left")
        out[block.start : block.end] = np.where(np.isnan(asked), 1.0, (1 + above) / (1 + len(reference)))
    return out


def heights(values: Floats, cut: list[Block]) -> Floats:
    """Minus the log of the height of the histogram (20 equal bins over the reference) where the value lies.

    One-sided: a bin counts as no lower than the highest one above it, so that only a rare high value is odd, and one
    below all others is not; above all others the height is that of an empty bin. 0 where nothing is known.
    """
    out = np.zeros(len(values))
    for block in cut:
        reference = values[block.low : block.high]
        reference = reference[~np.isnan(reference)]
        if not len(reference):
            continue
        low, high = float(reference.min()), float(reference.max())
        step = (high - low) / BINS or 1.0
        asked = values[block.start : block.end]
        with np.errstate(invalid="ignore"):
            there = np.clip(np.floor((reference - low) / step), 0, BINS - 1).astype(np.int64)
            bin_ = np.clip(np.floor((asked - low) / step), 0, BINS - 1)
        count = np.bincount(there, minlength=BINS)
        count = np.append(np.maximum.accumulate(count[::-1])[::-1], 0)
        place = np.where(asked > high, BINS, np.nan_to_num(bin_)).astype(np.int64)
        score = -np.log((count[place] + 1) / (len(reference) + BINS))
        out[block.start : block.end] = np.where(np.isnan(asked), 0.0, score)
    return out


def judge(features: pl.DataFrame, odd: Mapping[str, str], rules: Floats, day: NDArray[np.int64]) -> Odds:
    """Judge every payment.

    features: in order of time; odd: feature -> "high" or "low", the tail that is odd; rules: how many rules each payment
    met; day: days since any date, sorted.
    """
    cut = blocks(day)
    n = features.height
    found = Odds(np.ones(n), {}, {}, np.zeros(n, dtype=np.bool_))
    if not cut:
        return found
    found.known[cut[0].start :] = True
    ecod, hbos = np.zeros(n), np.zeros(n)
    for name, values in _columns(features, odd):
        evidence = -np.log(tails(values, cut))
        found.features[name] = evidence.astype(np.float32)
        ecod += evidence
        hbos += heights(values, cut)
    raw = {
        "ecod": ecod,
        "hbos": hbos,
        "own_past": own_past(features),
        "rules": rules.astype(np.float64),
    }
    total = np.zeros(n)
    for name, score in raw.items():
        if not np.isfinite(score[~np.isnan(score)]).all():
            found.left_out.append(name)
            continue
        found.members[name] = tails(score, cut)
        total += -np.log(found.members[name])
    # A share of frauds is a probability by itself: against a reference from before the first verdict it would be endless.
    # It counts twice, since the other members see the same payment from four sides.
    found.members["known_frauds"] = known_frauds(features) ** -2.0
    total += -np.log(found.members["known_frauds"])
    found.tail = tails(np.where(found.known, total, np.nan), cut_again(cut))
    return found


def cut_again(cut: list[Block]) -> list[Block]:
    """The blocks for a score that exists only from the first block on: what came before it is no reference."""
    first = cut[0].start
    return [Block(b.start, b.end, max(b.low, first), b.high) for b in cut]


def _columns(features: pl.DataFrame, odd: Mapping[str, str]) -> Iterator[tuple[str, Floats]]:
    import polars as pl

    for name, side in odd.items():
        column = features[name]
        if column.null_count() == len(column):
            continue
        values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
        yield name, values if side == "high" else -values


def own_past(features: pl.DataFrame) -> Floats:
    """The largest of what departs from the customer's own past: amount, pace, places; NaN for a newcomer.

    In robust standard deviations for the amount; pace and places are put beside it as base-2 logarithms, twice.
    """
    import polars as pl

    parts = [
        pl.col("amount_z"),
        2 * (pl.col("customer_pace").log(2)),
        2 * pl.col("moves_24h").clip(0, 8).cast(pl.Float64),
        pl.col("ip_new").cast(pl.Float64) + pl.col("device_new").cast(pl.Float64).fill_null(0),
    ]
    best = pl.max_horizontal(*parts)
    return (
        features.select(pl.when(pl.col("own_n") > 0).then(best).fill_null(float("nan")).alias("own"))
        .to_series()
        .to_numpy()
        .copy()
    )


def known_frauds(features: pl.DataFrame) -> Floats:
    """How many times as often as all payments an entity's were fraud in the last 30 days, as far as known then; at least 1.

    The entity with the largest share counts. Five genuine payments are added to each, so that one fraud in one is no
    certainty, and 200 with one fraud to all payments judged so far. 1 where nothing is known.
    """
    import polars as pl

    shares = []
    for entity in JUDGED:
        frauds, share = pl.col(f"{entity}_frauds_30d"), pl.col(f"{entity}_risk_30d")
        shares.append(pl.when(share > 0).then(frauds / (frauds / share + 5)))
    usual = (pl.col("_frauds") + 1) / (pl.col("_judged") + 200)
    times = (pl.max_horizontal(*shares) / usual).clip(1.0).fill_null(1.0)
    return features.select(times.alias("times")).to_series().to_numpy().copy()
