"""What is closed or slow: which rows of the rate cards it meets, and what delay it adds on a day.

A disruption of a lane, mode or passage meets legs that leave in its window. That of a node meets legs that arrive there in its
window, and those of a shipment that starts there; where lanes meet it counts once, on arrival. A closure blocks departures
(the next one after it is taken); goods that would arrive at a closed node wait until it opens. A closure that is not certain
and whose end is known is a delay to its end with that probability; without an end it counts as closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from cbec.methods.route import modes, spread
from cbec.methods.route.calendar import day_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

NO_END = 10**7
_SCHEMA = {"number": pl.Int64, "row": pl.Int64, "arriving": pl.Boolean}


@dataclass(frozen=True)
class Disrupted:
    """Disruptions and the rows they meet.

    events: the table, numbered in the order of its key, with `first` and `last` day numbers; meets: number, row and `arriving`
    (tested on the day of arrival, else on that of departure).
    """

    events: pl.DataFrame
    meets: pl.DataFrame

    def closures(self) -> list[tuple[int, int, int]]:
        """(row, first day, last day) without departures."""
        if not self.meets.height:
            return []
        shut = self.events.filter(pl.col("closed") & ((pl.col("probability") >= 1) | pl.col("end").is_null()))
        found = self.meets.filter(~pl.col("arriving")).join(shut.select("number", "first", "last"), on="number")
        return list(found.select("row", "first", "last").sort("row", "first", "last").iter_rows())

    def unmet(self) -> pl.DataFrame:
        """Disruptions that no lane meets: a code nobody uses, or lanes that do not tell their passages."""
        return self.events.join(self.meets, on="number", how="anti").sort("number")

    def delay(self, row: Ints, depart: Ints, arrive: Floats, starts: bool) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Mean and variance of the delay of legs, and which of them can never arrive (a node closed without an end).

        row, depart (day number), arrive (expected, day number with decimals): arrays of one length. starts: whether the
        legs are first ones, so that a disruption of the node they leave counts.
        """
        n = len(row)
        mean, var, never = np.zeros(n), np.zeros(n), np.zeros(n, dtype=np.bool_)
        if not self.meets.height or not n:
            return mean, var, never
        legs = pl.DataFrame({"leg": np.arange(n), "row": row, "depart": depart, "arrive": np.floor(arrive)})
        met = legs.join(self.meets, on="row").join(self.events, on="number").sort("leg", "number")
        day = pl.when("arriving").then("arrive").otherwise("depart")
        met = met.filter(day.is_between(pl.col("first"), pl.col("last")))
        if not starts:
            met = met.filter(pl.col("arriving") | (pl.col("scope") != "node"))
        certain = pl.col("closed") & ((pl.col("probability") >= 1) | pl.col("end").is_null())
        # A certain closure on departure has no departures at all; what is left of it waits on arrival.
        met = met.filter(pl.col("arriving") | ~certain)
        opens = pl.col("last") + 1 - day
        met = met.with_columns(
            mean=pl.when("closed").then(opens).otherwise(pl.col("delay_days").fill_null(0.0)),
            sd=pl.when("closed").then(0.0).otherwise(pl.col("delay_sd_days").fill_null(0.0)),
            never=pl.col("closed") & pl.col("arriving") & pl.col("end").is_null(),
        )
        added, spreads = spread.mixed(met["mean"], met["sd"] ** 2, met["probability"])
        leg, lost = met["leg"].to_numpy(), met["never"].to_numpy()
        np.add.at(mean, leg[~lost], added[~lost])
        np.add.at(var, leg[~lost], spreads[~lost])
        never[leg[lost]] = True
        return mean, var, never


def match(disruptions: pl.DataFrame | None, frame: pl.DataFrame) -> Disrupted:
    """Join disruptions to the rows of the rate cards (columns row, lane_id, mode, origin, destination, passages)."""
    if disruptions is None or not disruptions.height:
        none = pl.DataFrame(schema=_SCHEMA)
        return Disrupted(pl.DataFrame(schema={"number": pl.Int64, "closed": pl.Boolean}), none)
    events = disruptions.sort("scope", "code", "start", "end", "source", nulls_last=True)
    events = events.with_row_index("number").with_columns(
        pl.col("number").cast(pl.Int64),
        pl.Series("first", day_numbers(events["start"], 0)),
        pl.Series("last", day_numbers(events["end"], NO_END)),
        _word=pl.col("code").str.strip_chars().str.to_lowercase(),
    )
    words = {mode: modes.of(mode) for mode in frame["mode"].unique().to_list()}
    codes = {code: modes.of(code) for code in events["code"].unique().to_list()}
    rows = frame.select("row", "lane_id", "origin", "destination", "passages", _mode=pl.col("mode").replace(words))
    passing = rows.select("row", _word=pl.col("passages").str.to_lowercase().str.split("|")).explode("_word")
    passing = passing.with_columns(pl.col("_word").str.strip_chars()).drop_nulls()
    of_mode = events.filter(scope="mode").with_columns(_mode=pl.col("code").replace(codes))
    leaving, arriving = pl.lit(False).alias("arriving"), pl.lit(True).alias("arriving")
    joined = [
        (events.filter(scope="lane").join(rows, left_on="code", right_on="lane_id"), leaving),
        (of_mode.join(rows, on="_mode"), leaving),
        (events.filter(scope="passage").join(passing, on="_word"), leaving),
        (events.filter(scope="node").join(rows, left_on="code", right_on="origin"), leaving),
        (events.filter(scope="node").join(rows, left_on="code", right_on="destination"), arriving),
    ]
    meets = pl.concat([found.select("number", "row", side) for found, side in joined])
    return Disrupted(events, meets.unique().sort("number", "row", "arriving"))
