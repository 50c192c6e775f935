"""Text into dates and times. Year-first forms and d.m.y say their order; a column of d/m/y or m/d/y has to prove it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_FAST = (
    (re.compile(r"\d{4}-\d\d-\d\d"), "%Y-%m-%d"),
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2}"), "%Y/%m/%d"),
    (re.compile(r"\d\d\.\d\d\.\d{4}"), "%d.%m.%Y"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"), "%Y-%m-%dT%H:%M:%S"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "%Y-%m-%d %H:%M:%S"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "%Y-%m-%d %H:%M"),
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d\d"), "%Y/%m/%d %H:%M"),
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d\d:\d\d"), "%Y/%m/%d %H:%M:%S"),
)

_TIME = (
    r"(?:[T\s]\s*(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?\s*(?P<half>[AaPp][Mm])?"
    r"\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d\d:?\d\d|[+-]\d\d)?)?$"
)
_YEAR_FIRST = r"^(?P<year>\d{4})(?P<one>[-/.年])(?P<month>\d{1,2})(?P<two>[-/.月])(?P<day>\d{1,2})日?" + _TIME
_COMPACT = r"^(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)" + _TIME
_YEAR_LAST = r"^(?P<a>\d{1,2})(?P<one>[-/.])(?P<b>\d{1,2})(?P<two>[-/.])(?P<year>\d{4})" + _TIME


def fast(text: pl.Series) -> pl.Series | None:
    """Date or naive Datetime where every cell has the form of the first one, else None."""
    import polars as pl

    first = text.drop_nulls().head(1)
    if first.is_empty():
        return pl.Series(text.name, [None], pl.Date).new_from_index(0, len(text))
    form = next((f for shape, f in _FAST if shape.fullmatch(first[0])), None)
    if form is None:
        return None
    found = (
        text.str.to_datetime(form, strict=False, time_unit="us")
        if "%H" in form
        else text.str.to_date(form, strict=False)
    )
    if found.null_count() != text.null_count():
        return None
    lowest, highest = found.dt.year().min(), found.dt.year().max()
    return found if lowest >= 1000 and highest <= 9999 else None  # type: ignore[operator]


def distinct(text: pl.Series) -> pl.DataFrame:
    """One row per distinct cell: its parts, and whether it proves or needs an order of day and month."""
    import polars as pl

    cells = text.unique(maintain_order=True).drop_nulls().alias("cell").to_frame()
    trimmed = pl.col("cell").str.strip_chars()
    shapes = [
        trimmed.str.extract_groups(shape).alias(f"g{at}")
        for at, shape in enumerate((_YEAR_FIRST, _COMPACT, _YEAR_LAST))
    ]
    frame = cells.with_columns(shapes)

    def part(name: str, *groups: int) -> pl.Expr:
        return pl.coalesce(pl.col(f"g{at}").struct.field(name) for at in groups)

    frame = frame.select(
        "cell",
        year=part("year", 0, 1, 2),
        month=part("month", 0, 1),
        day=part("day", 0, 1),
        a=part("a", 2).cast(pl.Int32),
        b=part("b", 2).cast(pl.Int32),
        dotted=part("one", 2) == ".",
        even=(part("one", 0, 2) == part("two", 0, 2)).fill_null(True)
        | (part("one", 0) + part("two", 0) == "年月").fill_null(False),
        hour=part("hour", 0, 1, 2).cast(pl.Int32).fill_null(0),
        minute=part("minute", 0, 1, 2).fill_null("00"),
        second=part("second", 0, 1, 2).fill_null("00"),
        fraction=part("fraction", 0, 1, 2).fill_null("").str.pad_end(6, "0").str.slice(0, 6),
        half=part("half", 0, 1, 2).str.to_lowercase(),
        zone=part("zone", 0, 1, 2),
    )
    slashed = pl.col("a").is_not_null() & ~pl.col("dotted") & pl.col("even")
    small = (pl.col("a") <= 12) & (pl.col("b") <= 12)
    return frame.with_columns(
        dmy=(slashed & (pl.col("a") > 12) & (pl.col("b") <= 12)).fill_null(False),
        mdy=(slashed & (pl.col("b") > 12) & (pl.col("a") <= 12)).fill_null(False),
        open=(slashed & small & (pl.col("a") != pl.col("b"))).fill_null(False),
        slashed=slashed.fill_null(False),
    )


def moments(cells: pl.DataFrame, order: str, time_zone: str | None) -> pl.DataFrame:
    """Distinct cells with `moment`: naive Datetime in time_zone (cells with an offset) or as written.

    order: dmy or mdy for cells like 3/1/2025. Null where the cell is no date.
    """
    import polars as pl

    if order == "ymd":
        a, b = pl.lit(None, pl.Int32), pl.lit(None, pl.Int32)
    else:
        day_first = pl.col("dotted") | (order == "dmy")
        a = pl.when(day_first).then("a").otherwise("b")
        b = pl.when(day_first).then("b").otherwise("a")
    if order == "ymd":
        a, b = pl.when("dotted").then("a"), pl.when("dotted").then("b")
    day = pl.coalesce("day", pl.when("even").then(a).cast(pl.String)).str.zfill(2)
    month = pl.coalesce("month", pl.when("even").then(b).cast(pl.String)).str.zfill(2)
    hour = (
        pl.when(pl.col("half").is_null())
        .then("hour")
        .when(pl.col("hour").is_between(1, 12))
        .then(pl.col("hour") % 12 + pl.when(pl.col("half") == "pm").then(12).otherwise(0))
    )
    text = pl.concat_str(
        "year",
        pl.lit("-"),
        month,
        pl.lit("-"),
        day,
        pl.lit("T"),
        hour.cast(pl.String).str.zfill(2),
        pl.lit(":"),
        "minute",
        pl.lit(":"),
        "second",
        pl.lit("."),
        "fraction",
    )
    moment = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    frame = cells.with_columns(moment=pl.when(pl.col("even") & moment.dt.year().is_between(1000, 9999)).then(moment))
    if time_zone is None:
        return frame
    digits = pl.col("zone").str.replace_all(":", "").str.replace(r"^(?i:z|utc|gmt)$", "+0000").str.pad_end(5, "0")
    minutes = (digits.str.slice(1, 2).cast(pl.Int64) * 60 + digits.str.slice(3, 2).cast(pl.Int64)) * pl.when(
        digits.str.starts_with("-")
    ).then(-1).otherwise(1)
    utc = (
        (pl.col("moment") - pl.duration(minutes=minutes))
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(time_zone)
        .dt.replace_time_zone(None)
    )
    return frame.with_columns(moment=pl.when(pl.col("zone").is_null()).then("moment").otherwise(utc))
