"""What the words of the forecast pages mean: measures, methods, classes of demand, marks of preparation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cbec.report.page import Page

MEANING = {
    "origin": "a day in the past from which a forecast was made with what was known by then, and held against what came",
    "WAPE": "sum of absolute errors over the sum of what came: 40 % = off by 40 units in 100",
    "bias": "mean of forecast less what came: below zero the forecasts were too low",
    "MASE": "mean absolute error over that of the naive method within the history: below 1 = better",
    "RMSSE": "root mean squared error over that of the naive method within the history: below 1 = better",
    "sMAPE": "mean of absolute errors over the mean of forecast and what came, in %, 200 at most",
    "MAE": "mean absolute error, in units per period",
    "value added": "error saved against the seasonal naive; below zero that one was better",
    "ADI, CV2": "mean periods from sale to sale, and squared variation of the amounts: what the class of demand goes by",
    "WQL": "weighted quantile loss: error of the whole range, over the sum of what came; less is better",
    "coverage": "how often what came lay within the range: 90 % is right for the 90 % range",
    "q05, q95": "5 and 95 of 100 outcomes lie at or under it; between them the 90 % range",
    "seller formula": "0.2 x 30-day + 0.3 x 15-day + 0.5 x 7-day mean of past sales",
    "seasonal naive": "as in the same period a year (week, day) before; the last value where the history is too short for that",
    "naive": "the last value goes on",
    "cbec": "what `forecast demand` would have said at each origin: the method it chooses series by series",
    "blend": "own methods where demand is steady, a level learnt over the whole catalogue where it is noisy, sparse or young",
    "pooled level": "a level whose recipe is learnt over all series of the catalogue",
    "combination": "mean of the methods, each weighed by its record",
    "theta": "Theta method: mean of a straight trend and of exponential smoothing",
    "theta standard": "Theta method as it won the M3 competition",
    "theta log": "Theta method on logarithms",
    "ses": "simple exponential smoothing: recent periods count more",
    "damped trend": "exponential smoothing with a trend that fades",
    "holt winters": "exponential smoothing with trend and season",
    "window mean": "mean of the latest periods",
    "seasonal level": "last year's season at this year's level",
    "seasonal blend": "season times a blend of levels",
    "tsb": "sparse demand: chance of a sale times its size (Teunter, Syntetos, Babai)",
    "sba": "sparse demand: size over interval, corrected (Syntetos, Boylan)",
    "croston": "sparse demand: size over interval (Croston)",
    "adida": "sparse demand, smoothed over sums of several periods",
    "imapa": "mean of adida over several lengths",
    "zero": "nothing was sold and nothing is expected",
    "unknown": "never in stock: what it would sell is not known, and it is in no forecast",
    "analogues": "a new product, by the launches of its like before it",
    "half global": "mean of the method chosen and of trees learnt over all series",
    "smooth": "sells nearly every period, in like amounts",
    "erratic": "sells nearly every period, in very different amounts",
    "intermittent": "often nothing for periods, then like amounts",
    "lumpy": "often nothing for periods, then very different amounts",
    "new": "too short a history to tell",
    "obsolete": "no sale for so long that it counts as gone",
    "empty": "never sold",
    "never in stock": "out of stock whenever the data tell of it",
    "gap filled": "days without a row counted as 0",
    "stock out": "periods left out or scaled up, since the item could not be bought",
    "returns": "returns were netted apart",
    "bulk capped": "a one-off bulk order was cut off the history that methods see",
    "one sale": "sold once in all its history",
    "ran high": "tried on the past, its forecasts ran much too high",
    "ran low": "tried on the past, its forecasts ran much too low",
    "promo": "some periods were on promotion",
    "no promo plan": "promotions in the past, none planned ahead: forecast without",
    "partial first dropped": "the first period is covered only in part by the data, and left out",
    "partial last dropped": "the last period is covered only in part by the data, and left out",
}


def words(page: Page, fixed: Iterable[str], *columns: pl.Series) -> None:
    """A table of the words used: `fixed`, and those found in columns of codes (several in a cell joined by |)."""
    found = set(fixed)
    for column in columns:
        for cell in column.drop_nulls().unique().to_list():
            found |= {part.replace("_", " ") for part in str(cell).split("|")}
    told = [(word, meaning) for word, meaning in MEANING.items() if word in found]
    if told:
        page.section("Words of this page")
        page.table(pl.DataFrame(told, schema=["word", "meaning"], orient="row"), "")
