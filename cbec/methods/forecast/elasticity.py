"""Price elasticity per SKU with its uncertainty, from sales at different prices.

The model is the log-log one, for counts: E[units] = exposure x exp(level of the series in its half-year + effect of the
category's week + elasticity x log price (+ promotion)). It is fitted as a quasi-likelihood of counts whose variance is
mean + dispersion x mean^2 (Gourieroux, Monfort & Trognon 1984), which needs no logarithm of zero (Santos Silva & Tenreyro
2006) and for large counts weighs as least squares of logarithms does. All SKUs at once, factor by factor.

Own estimates are drawn to their category's mean as far as chance explains their spread (empirical Bayes; Paule & Mandel
1982 for the variance between SKUs); an SKU whose prices never moved has the category's, told as such.

What it cannot tell: prices that followed demand (cut because nobody bought) look like weak elasticities; a promotion
that always comes with its price cut counts into the elasticity, as it would in a clearance that is announced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.core.money import Z90
from cbec.methods import shrinkage
from cbec.methods.forecast import pricecells
from cbec.methods.forecast.pricecells import residual, total

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cbec.methods.forecast.pricecells import Cells

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: Rounds of the fit at most; it ends where nothing moves by a thousandth.
ROUNDS = 60
#: Rounds with one elasticity per category.
COMMON = 12
#: Precision (1 / variance) with which own slopes are held near their category's during the fit: very few sales at the
#: second price would otherwise lead to no end.
HOLD = 1 / 9
#: A standard error above this tells nothing.
WIDEST = 10.0
#: SKUs with an own estimate that a category needs for a mean of its own; below, all categories are one.
FEWEST = 4
#: SKUs of a category differ by this share of their mean elasticity at least (standard deviation), whatever few data find:
#: where the variance found is 0, all would be taken for alike and their common elasticity for certain.
ALIKE = 0.15
#: Of the variation of prices within SKUs this much must be left after promotions for an effect of promotions of its own.
OWN_VARIATION = 0.2
#: Log prices that differ by this much are different prices.
MOVED = 0.02


@dataclass(frozen=True)
class Fit:
    """Own estimates of K SKUs: slope and its standard error (inf = prices never moved), promotion effect per category
    (NaN = not told apart from price), effects of levels and times, dispersion per category."""

    slope: Floats
    error: Floats
    promo: Floats
    level: Floats
    time: Floats
    dispersion: Floats

    def rate(self, cells: Cells, slope: Floats | None = None) -> Floats:
        """Expected units of each cell, whatever was sold; slope: other elasticities than the own estimates."""
        slopes = self.slope if slope is None else slope
        at = self.level[cells.level] + self.time[cells.time] + slopes[cells.sku] * cells.log_price
        at = at + np.nan_to_num(self.promo)[cells.category] * cells.promo
        out: Floats = cells.exposure * np.exp(np.clip(at, -30, 30))
        return out


@dataclass(frozen=True)
class Look:
    """Cells under the present effects: expected units given what is known, their variance, score and expected information.

    curve: the larger of expected and observed information, by which steps are divided so that none goes too far.
    """

    expected: Floats
    variance: Floats
    score: Floats
    weight: Floats
    curve: Floats


@dataclass(frozen=True)
class Pooled:
    """Elasticities of K SKUs after pooling: mean, sd, and what each rests on (own, category, catalogue).

    common, common_sd: of an SKU of the same pool without an estimate of its own.
    pools: category or catalogue; nothing where nobody has an estimate.
    """

    mean: Floats
    sd: Floats
    basis: list[str]
    common: Floats
    common_sd: Floats
    pools: list[str]


def fit(cells: Cells, *, with_price: bool = True) -> Fit:
    """Fit every SKU's own elasticity. with_price False: the same model with all elasticities 0, to compare with."""
    n_category, n_sku = len(cells.categories), cells.skus.height
    levels, times = int(cells.level.max()) + 1, int(cells.time.max()) + 1
    level = np.log(total(cells.level, cells.units, levels) / total(cells.level, cells.exposure, levels))
    none = np.zeros(n_sku)
    made = Fit(none, none, np.zeros(n_category), level, np.zeros(times), np.full(n_category, 0.1))
    moved, told = _moved(cells) & with_price, _promo_alone(cells) & with_price
    centre = np.zeros(n_category)
    for turn in range(ROUNDS):
        before = made
        seen = _look(cells, made)
        # A week of few sales is drawn to no effect, as if one more average unit had been sold at it.
        time = made.time + _step(cells.time, seen, times, ridge=1.0)
        made = replace(made, time=_centred(time, cells, seen.weight))
        made = replace(made, level=made.level + _step(cells.level, _look(cells, made), levels))
        if with_price:
            seen = _look(cells, made)
            free = residual(cells.log_price, seen.curve, cells.level, cells.level, 1)
            bend = total(cells.sku, seen.curve * free**2, n_sku)
            score = total(cells.sku, seen.score * free, n_sku)
            if turn < COMMON:  # one elasticity per category first: where the own ones start, and what holds them
                score, bend = (total(cells.category_of, a, n_category) for a in (score, bend))
                centre = centre + np.clip(score / (bend + HOLD), -0.7, 0.7)
                slope = centre[cells.category_of]
            else:
                held = HOLD * (centre[cells.category_of] - made.slope)
                slope = made.slope + np.clip((score + held) / (bend + HOLD), -0.7, 0.7)
            made = _turned(cells, made, np.where(moved, slope, 0.0), seen.curve)
        if told.any():
            seen = _look(cells, made)
            free = residual(cells.promo, seen.curve, cells.level, cells.level, 1)
            size = total(cells.category, seen.curve * free**2, n_category)
            push = total(cells.category, seen.score * free, n_category) / np.maximum(size, 1e-9)
            made = replace(made, promo=np.where(told, made.promo + np.clip(push, -0.5, 0.5), 0.0))
        if turn % 5 == 1:
            made = replace(made, dispersion=_dispersion(cells, made, levels, times))
        steps = (np.abs(a - b).max() for a, b in ((made.slope, before.slope), (made.level, before.level)))
        if turn > COMMON + 3 and max(steps) < 1e-3:
            break
    info = _information(cells, made)
    # What held the slopes is taken off again, along the parabola at the end: the pooling has its own.
    away = HOLD * (made.slope - centre[cells.category_of]) / np.maximum(info, HOLD)
    made = replace(made, error=_errors(cells, made, info, moved), slope=np.where(moved, made.slope + away, 0.0))
    return replace(made, promo=np.where(told, made.promo, np.nan))


def pool(made: Fit, cells: Cells) -> Pooled:
    """Own estimates drawn to their category's mean, or to that of all SKUs where the category has few of its own."""
    n = cells.skus.height
    usable = np.isfinite(made.error) & (made.error < WIDEST)
    mean, var, common, common_var = (np.full(n, np.nan) for _ in range(4))
    basis, named = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
    counts = np.bincount(cells.category_of[usable], minlength=len(cells.categories))
    wide = np.flatnonzero(counts < FEWEST)
    pools = [(np.flatnonzero(cells.category_of == c), "category") for c in np.flatnonzero(counts >= FEWEST)]
    if wide.size:
        pools.append((np.arange(n), "catalogue"))
    for members, name in pools:
        with_own = members[usable[members]]
        if not with_own.size:
            continue
        slope, error = made.slope[with_own], made.error[with_own] ** 2
        _, middle, found = shrinkage.means(slope, error)
        between = float(np.fmax(found, (ALIKE * middle) ** 2))
        weight = 1 / (error + between)
        middle, of_middle = float((weight * slope).sum() / weight.sum()), float(1 / weight.sum())
        own = between / (between + error)
        if with_own.size == 1:
            own = np.ones(1)  # nobody to be drawn to
        rows = members if name == "category" else members[np.isin(cells.category_of[members], wide)]
        inside = np.isin(with_own, rows)
        mean[rows], var[rows], basis[rows] = middle, between + of_middle, name
        common[rows], common_var[rows], named[rows] = middle, between + of_middle, name
        at = with_own[inside]
        mean[at] = (own * slope + (1 - own) * middle)[inside]
        var[at] = own[inside] * made.error[at] ** 2 + (1 - own[inside]) ** 2 * of_middle
        basis[at[own[inside] >= 0.5]] = "own"
    return Pooled(mean, np.sqrt(var), basis.tolist(), common, np.sqrt(common_var), named.tolist())


def of_skus(
    skus: list[str], sales: pl.DataFrame | None, products: pl.DataFrame | None, default: float
) -> tuple[pl.DataFrame, Cells | None]:
    """Elasticities for these SKUs: sku, elasticity, sd, low, high (90 %), basis, own (slope), deepest; and the cells.

    basis: own (mostly the SKU's own sales), category, catalogue, or default (no sales at different prices; its sd is half of
    it). deepest: the deepest discount that the basis has seen, 0 for the default.
    """
    asked = pl.DataFrame({"sku": skus}, schema={"sku": pl.String})
    cells = None if sales is None or sales.is_empty() else pricecells.prepare(sales, products)
    if cells is None:
        found = asked.select(
            "sku",
            *(pl.lit(None, pl.Float64).alias(c) for c in ("elasticity", "sd", "own", "deepest")),
            pl.lit(None, pl.String).alias("basis"),
        )
    else:
        found = _found(asked, cells, products)
    found = found.with_columns(
        pl.col("basis").fill_null("default"),
        pl.col("elasticity").fill_null(default),
        pl.col("sd").fill_null(abs(default) / 2),
        pl.col("deepest").fill_null(0.0),
    )
    low, high = (pl.col("elasticity") + sign * Z90 * pl.col("sd") for sign in (-1, 1))
    return found.with_columns(low.alias("low"), high.alias("high")), cells


def _found(asked: pl.DataFrame, cells: Cells, products: pl.DataFrame | None) -> pl.DataFrame:
    made = fit(cells)
    pooled = pool(made, cells)
    known = np.isfinite(made.error)
    deep = np.where(known, cells.deepest, np.nan)
    rows = cells.skus.select("sku", "category").with_columns(
        pl.Series("elasticity", pooled.mean, nan_to_null=True),
        pl.Series("sd", pooled.sd, nan_to_null=True),
        pl.Series("own", np.where(known, made.slope, np.nan), nan_to_null=True),
        pl.Series("deep", deep, nan_to_null=True),
        pl.Series("common", pooled.common, nan_to_null=True),
        pl.Series("common_sd", pooled.common_sd, nan_to_null=True),
        pl.Series("pool", [p or None for p in pooled.pools], dtype=pl.String),
        pl.Series("basis", [b or None for b in pooled.basis], dtype=pl.String),
    )
    typical = rows.group_by("category").agg(pl.col("deep").median().alias("typical"))
    everywhere = rows["deep"].median()
    rows = rows.join(typical, on="category", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("basis") == "own")
        .then("deep")
        .otherwise(pl.coalesce("typical", pl.lit(everywhere)))
        .alias("deepest")
    )
    found = asked.join(
        rows.select("sku", "elasticity", "sd", "own", "basis", "deepest"), on="sku", how="left", maintain_order="left"
    )
    if products is None or found["basis"].null_count() == 0:
        return found
    # An SKU that never sold at a told price has its category's common elasticity.
    named = asked.join(
        products.select("sku", pl.col("category").fill_null("*")), on="sku", how="left", maintain_order="left"
    )
    common = rows.unique("category", keep="first", maintain_order=True).select(
        "category",
        pl.col("common").alias("elasticity"),
        pl.col("common_sd").alias("sd"),
        pl.col("pool").alias("basis"),
        pl.coalesce("typical", pl.lit(everywhere)).alias("deepest"),
    )
    other = named.join(common, on="category", how="left", maintain_order="left")
    return found.with_columns(pl.coalesce(c, other[c]).alias(c) for c in ("elasticity", "sd", "basis", "deepest"))


def _look(cells: Cells, made: Fit) -> Look:
    """Units of slots that are known only because something was sold are counts cut off at zero."""
    mu, alpha = made.rate(cells), np.maximum(made.dispersion[cells.category], 1e-6)
    expected, slope = mu.copy(), mu.copy()
    cut = np.flatnonzero(cells.cut)
    days = cells.slots[cut]
    m, a = mu[cut] / days, alpha[cut]
    with np.errstate(over="ignore", under="ignore"):
        none = np.exp(-np.log1p(a * m) / a)  # chance of no sale on such a day, negative binomial
        some = -np.expm1(-np.log1p(a * m) / a)
    expected[cut] = days * m / some
    slope[cut] = np.maximum(
        days * m * (some - m * none / (1 + a * m)) / some**2, 1e-9 * mu[cut]
    )  # by the log of the rate
    variance = slope + alpha * expected**2 + 1e-12
    weight = slope**2 / variance
    observed = (1 + alpha * cells.units) / (1 + alpha * expected)
    score = slope / variance * (cells.units - expected)
    return Look(expected, variance, score, weight, weight * np.maximum(observed, 1.0))


def _step(of: Ints, seen: Look, n: int, ridge: float = 0.0) -> Floats:
    """One Newton step of a factor's effects."""
    out: Floats = np.clip(total(of, seen.score, n) / (total(of, seen.curve, n) + ridge + 1e-9), -1.0, 1.0)
    return out


def _turned(cells: Cells, made: Fit, slope: Floats, weight: Floats) -> Fit:
    """Other slopes, the levels turned along so that each keeps its place at its mean price."""
    n = len(made.level)
    middle = total(cells.level, weight * cells.log_price, n) / np.maximum(total(cells.level, weight, n), 1e-12)
    by = (slope - made.slope)[_owner(cells.level, cells.sku, n)]
    return replace(made, slope=slope, level=made.level - by * middle)


def _information(cells: Cells, made: Fit) -> Floats:
    """Expected information of each slope, levels and times being fitted too."""
    weight = _look(cells, made).weight
    free = residual(cells.log_price, weight, cells.time, cells.level)
    return total(cells.sku, weight * free**2, cells.skus.height)


def _centred(time: Floats, cells: Cells, weight: Floats) -> Floats:
    """Effects of time less their mean per category and block: the levels, which are of a block, carry it."""
    blocks = int(cells.block.max()) + 1
    of = cells.category * blocks + cells.block
    n = len(cells.categories) * blocks
    middle = total(of, weight * time[cells.time], n) / np.maximum(total(of, weight, n), 1e-12)
    out: Floats = time - middle[_owner(cells.time, of, len(time))]
    return out


def _moved(cells: Cells) -> NDArray[np.bool_]:
    """SKUs whose price moved by 2 % at least within one half-year of one series."""
    n = int(cells.level.max()) + 1
    high, low = np.full(n, -np.inf), np.full(n, np.inf)
    np.maximum.at(high, cells.level, cells.log_price)
    np.minimum.at(low, cells.level, cells.log_price)
    of = np.zeros(n, dtype=np.int64)
    of[cells.level] = cells.sku
    out = np.zeros(cells.skus.height, dtype=bool)
    out[of[high - low > MOVED]] = True
    return out


def _promo_alone(cells: Cells) -> NDArray[np.bool_]:
    """Categories in which prices also move without promotions, so that both effects can be told apart."""
    n, k = len(cells.categories), cells.skus.height
    weight, never = cells.units + 0.1, np.zeros_like(cells.time)
    x, p = (residual(a, weight, never, cells.level, 1) for a in (cells.log_price, cells.promo))
    slope = total(cells.sku, weight * x * p, k) / np.maximum(total(cells.sku, weight * p * p, k), 1e-12)
    left = total(cells.category, weight * (x - slope[cells.sku] * p) ** 2, n)
    every = total(cells.category, weight * x * x, n)
    out: NDArray[np.bool_] = (total(cells.category, weight * p * p, n) > 1e-9) & (left > OWN_VARIATION * every)
    return out


def _dispersion(cells: Cells, made: Fit, levels: int, times: int) -> Floats:
    """Per category the alpha with sum (y - mu)^2 / variance = degrees of freedom, by halving."""
    n = len(cells.categories)
    lost = np.bincount(_owner(cells.level, cells.category, levels), minlength=n)
    lost = lost + np.bincount(_owner(cells.time, cells.category, times), minlength=n)
    freedom = np.maximum(np.bincount(cells.category, minlength=n) - lost, 1)
    low, high = np.zeros(n), np.full(n, 4.0)
    seen = _look(cells, made)
    squared = (cells.units - seen.expected) ** 2
    own = seen.variance - np.maximum(made.dispersion, 1e-6)[cells.category] * seen.expected**2
    for _ in range(18):
        middle = (low + high) / 2
        over = total(cells.category, squared / (own + middle[cells.category] * seen.expected**2), n) > freedom
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    out: Floats = (low + high) / 2
    return out


def _owner(of: Ints, category: Ints, n: int) -> Ints:
    out = np.zeros(n, dtype=np.int64)
    out[of] = category
    return out


def _errors(cells: Cells, made: Fit, info: Floats, moved: NDArray[np.bool_]) -> Floats:
    """Standard errors of the slopes: the larger of two.

    Quasi-likelihood, the squared residuals of each SKU drawn to those of all; and the sandwich with periods as clusters
    (Liang & Zeger 1986), since every promotion has its own success whatever the price.
    """
    n = cells.skus.height
    seen = _look(cells, made)
    lost = np.bincount(_owner(cells.level, cells.sku, len(made.level)), minlength=n)
    freedom = np.maximum(np.bincount(cells.sku, minlength=n) - lost - 1, 0).astype(np.float64)
    pearson = total(cells.sku, (cells.units - seen.expected) ** 2 / seen.variance, n) / np.maximum(freedom, 1)
    inflated, _, _ = shrinkage.variances(np.maximum(pearson, 1e-3), freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.fmax(np.nan_to_num(inflated, nan=1.0), 1.0) / info)
        error = np.fmax(error, np.sqrt(_between_periods(cells, seen, n)) / info)
    return np.where(moved & (info > 1e-9), error, np.inf)


def _between_periods(cells: Cells, seen: Look, n: int) -> Floats:
    """Per SKU the sum over periods of squared scores of the slope, for as many periods as prices were off the regular one."""
    free = residual(cells.log_price, seen.weight, cells.time, cells.level)
    first = int(cells.period.min())
    width = int(cells.period.max()) - first + 1
    at = cells.sku * width + cells.period - first
    push = total(at, seen.score * free, n * width).reshape(n, width)
    moved = total(at, (np.abs(cells.log_price) > MOVED).astype(np.float64), n * width).reshape(n, width)
    periods = (moved > 0).sum(1)
    out: Floats = (push**2).sum(1) * np.where(periods > 1, periods / np.maximum(periods - 1, 1), 2.0)
    return out
