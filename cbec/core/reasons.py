"""Reasons from one catalogue: a code chooses a sentence, columns of the row fill it, in English or Chinese."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from cbec.core import packaged
from cbec.core.words import of

if TYPE_CHECKING:
    import polars as pl

_FIELD = re.compile(r"\{(\w+)(?::(\d))?(?: ([A-Za-z ]+))?\}")


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """reason_code -> {language: sentence}. `{column}` is filled from the row, `{column:1}` with one decimal.

    `{column line are}` is a number of things, with a verb or without: `1 line is`, `1,200 lines are`.
    """
    import yaml

    from cbec.core.onceyaml import Once

    text = (packaged.folder("configs") / "reasons.yaml").read_text("utf-8")
    loaded: dict[str, dict[str, str]] = yaml.load(text, Loader=Once)
    return loaded


def render(frame: pl.DataFrame, language: str = "en") -> pl.DataFrame:
    """Fill the column `reason` from `reason_code` and the columns that its sentence names.

    Columns whose names begin with `_` may serve as parameters; they are dropped when the table is written.
    Raises KeyError for a code or column that does not exist: that is a mistake of ours, not of the user.
    """
    import polars as pl

    codes = frame["reason_code"].unique().drop_nulls().sort().to_list()
    reason = pl.lit(None, pl.String)
    for code in codes:
        sentence = catalogue()[code].get(language) or catalogue()[code]["en"]
        reason = pl.when(pl.col("reason_code") == code).then(_sentence(sentence, frame)).otherwise(reason)
    return frame.with_columns(reason.alias("reason"))


def _sentence(sentence: str, frame: pl.DataFrame) -> pl.Expr:
    import polars as pl

    parts: list[pl.Expr] = []
    at = 0
    for match in _FIELD.finditer(sentence):
        if match.start() > at:
            parts.append(pl.lit(sentence[at : match.start()]))
        if match[3]:
            parts.append(_counted(match[1], match[3].split(), frame))
        else:
            parts.append(_cell(match[1], int(match[2] or 0), frame))
        at = match.end()
    if at < len(sentence):
        parts.append(pl.lit(sentence[at:]))
    return pl.concat_str(parts, ignore_nulls=True)


def _counted(name: str, words: list[str], frame: pl.DataFrame) -> pl.Expr:
    import polars as pl

    told = {count: of(round(count), *words) for count in frame[name].unique().drop_nulls().to_list()}
    return pl.col(name).replace_strict(told, default=None, return_dtype=pl.String)


def _cell(name: str, digits: int, frame: pl.DataFrame) -> pl.Expr:
    import polars as pl

    kind = frame.schema[name]
    cell = pl.col(name)
    if kind.is_float() or kind.is_decimal():
        number = cell.cast(pl.Float64).round(digits)
        if digits == 0:
            return number.cast(pl.Int64).cast(pl.String)
        if digits > 2:
            return number.cast(pl.String)
        # Money with all its decimals: 8.40, not 8.4. More are asked for only where there are any.
        full = number.cast(pl.Decimal(38, digits), strict=False).cast(pl.String)
        return pl.coalesce(full, number.cast(pl.String))
    return cell.cast(pl.String)
