"""Delimited text into a frame of text cells, each with the number of its record.

Polars reads it. What Polars would pass over in silence (short rows) or stumbles at (a quote inside a
field) is read again by the csv module, which either makes sense of it or names the row.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cbec.core import dialect
from cbec.core.errors import Fault, InputRejected, NoRows

if TYPE_CHECKING:
    import polars as pl

ROW = "__row"
SHOWN = 20
MOST = 100_000  # rows that may be cut wrongly before the file is taken for no table


def unique_header(cells: Sequence[str], table: str, file: str) -> list[str]:
    """Column names of a header row; InputRejected where one stands twice.

    A trailing delimiter or a column without a heading is no reason to refuse the others: it is called `column N`.
    """
    names = [cell.strip() or f"column {at}" for at, cell in enumerate(cells, 1)]
    twice = dict.fromkeys(n for at, n in enumerate(names) if n in names[:at])
    if twice:
        faults = [Fault(table, file, 1, n, n, "header", f'"{n}" stands twice in the header') for n in twice]
        raise InputRejected(str(faults[0]), faults)
    return names


class Delimited:
    """A table in delimited UTF-8 text. `source` is a path, so that Polars maps it, or the bytes themselves."""

    def __init__(
        self, name: str, table: str, source: Path | bytes, data: bytes | memoryview, survey: dialect.Survey
    ) -> None:
        self.name = name
        self.table = table
        self.source = source
        self.data = data
        self.survey = survey
        head = bytes(memoryview(data)[: 1 << 16]).decode("utf-8", errors="ignore").removeprefix("\ufeff")
        # Excel writes and obeys a first line such as sep=;
        told = re.match(r"sep=([,;\t|])\r?\n", head)
        self.skipped = 1 if told else 0
        self.delimiter = told[1] if told else dialect.delimiter(head)
        head = head[told.end() :] if told else head
        self.header = self._read_header(head)
        self.blank = 0
        self.uneven: list[Fault] = []

    def _read_header(self, head: str) -> list[str]:
        for record in csv.reader(io.StringIO(head, newline=""), delimiter=self.delimiter):
            if not record:
                continue
            return unique_header(record, self.table, self.name)
        raise InputRejected(f"{self.name}: no header, the file is empty")

    def _fault(self, row: int | None, column: str | None, value: str | None, rule: str, message: str) -> Fault:
        return Fault(self.table, self.name, row, column, value, rule, message)

    def frame(self, wanted: Callable[[str], bool] = lambda _: True) -> pl.DataFrame:
        """The wanted columns as text with `__row` (the header is record 1); rows without any cell are left out.

        `blank` tells how many those were; `uneven` has the rows that are too long or too short, which are left out.
        InputRejected where quotes do not match or nothing else is left.
        """
        import polars as pl

        odd_lines = self.survey.returns_only or bytes(memoryview(self.data)[:1]) in {b"\n", b"\r"}
        if odd_lines or (self.survey.quotes and not self._quotes_fit()):
            return self._by_hand(wanted)
        try:
            scan = pl.scan_csv(
                self.source,
                separator=self.delimiter,
                infer_schema=False,
                quote_char='"',
                glob=False,
                skip_lines=self.skipped,
                row_index_name=ROW,
                row_index_offset=2 + self.skipped,
            )
            names = scan.collect_schema().names()[1:]
            if len(names) != len(self.header):
                return self._by_hand(wanted)
            mine = dict(zip(self.header, names, strict=True))
            last = self.header[-1]
            keep = [n for n in self.header if wanted(n)]
            read = [n for n in self.header if n in keep or n == last]
            frame = scan.select(ROW, *(pl.col(mine[n]).alias(n) for n in read)).collect()
            empty = None
            if frame[last].null_count() or (frame[last].str.len_bytes() == 0).any():
                # Only a look at all columns tells that no row is too long, and which rows are empty.
                every = frame.lazy() if len(read) == len(self.header) else scan
                cells = pl.all().exclude(ROW)
                empty = every.select(pl.all_horizontal(cells.is_null() | (cells == ""))).collect().to_series()
        except pl.exceptions.PolarsError:
            return self._by_hand(wanted)
        if frame.is_empty():
            raise NoRows(f"{self.name}: no rows, only a header")
        # Polars pads a short row with nulls, which can only be where the last cell is null; and it passes over cells
        # beyond the header while some column is not read.
        if (empty is not None or len(read) < len(self.header)) and not self._even(frame.height):
            return self._by_hand(wanted)
        if empty is not None and empty.any():
            self.blank = int(empty.sum())
            frame = frame.filter(~empty)
        return frame.select(ROW, *keep)

    def _quotes_fit(self) -> bool:
        """Whether every quote opens a cell, closes one, or stands for itself (doubled).

        Where one is left open, Polars swallows the lines up to the next quote without a word.
        """
        import numpy as np

        cells = np.frombuffer(self.data, np.uint8)
        edge = np.zeros(256, bool)
        edge[list(f'{self.delimiter}"\r\n'.encode())] = True
        begin = 3 if bytes(cells[:3]) == codecs.BOM_UTF8 else 0
        inside = 0
        for start in range(0, len(cells), dialect.CHUNK):
            quotes = np.flatnonzero(cells[start : start + dialect.CHUNK] == ord('"')) + start
            opening, closing = quotes[inside::2], quotes[1 - inside :: 2]
            before, after = opening[opening > begin] - 1, closing[closing < len(cells) - 1] + 1
            if not (edge[cells[before]].all() and edge[cells[after]].all()):
                return False
            inside = (inside + len(quotes)) % 2
        return inside == 0

    def _even(self, rows: int) -> bool:
        """Whether every record has the header's number of cells, told by the sum of delimiters.

        Too long and too short rows could only even out where both can be, and long ones are ruled out by then.
        """
        if len(self.header) == 1:
            return self._delimiters() == self.skipped
        tail = bytes(memoryview(self.data)[-4096:])
        blank = max(0, tail[len(tail.rstrip(b"\r\n")) :].count(b"\n") - 1)
        return self._delimiters() == (len(self.header) - 1) * (rows + 1 - blank) + self.skipped

    def _delimiters(self) -> int:
        mark = self.delimiter.encode()
        if not self.survey.quotes:
            return sum(chunk.count(mark) for chunk in dialect.chunks(self.data))
        import numpy as np

        total, inside = 0, 0
        for chunk in dialect.chunks(self.data):
            cells = np.frombuffer(chunk, np.uint8)
            # A delimiter counts where the number of quotes before it is even.
            parity = np.bitwise_xor.accumulate((cells == 34).view(np.uint8)) ^ inside
            total += int(np.count_nonzero((cells == ord(mark)) & (parity == 0)))
            inside = int(parity[-1])
        return total

    def _by_hand(self, wanted: Callable[[str], bool]) -> pl.DataFrame:
        import polars as pl

        keep = [at for at, n in enumerate(self.header) if wanted(n)]
        cells: list[list[str | None]] = [[] for _ in keep]
        rows: list[int] = []
        total = 0
        for record, row in self._records():
            if isinstance(row, Fault):
                total += 1
                if total <= MOST:
                    self.uneven.append(row)
            elif not any(row):
                self.blank += 1
            else:
                rows.append(record)
                for column, at in zip(cells, keep, strict=True):
                    column.append(row[at] or None)
        if self.uneven and (total > MOST or not rows):
            raise InputRejected(str(self.uneven[0]), self.uneven[:SHOWN], total=total)
        if not rows:
            raise NoRows(f"{self.name}: no rows, only a header")
        data = {ROW: pl.Series(ROW, rows, pl.UInt32)}
        for column, at in zip(cells, keep, strict=True):
            data[self.header[at]] = pl.Series(self.header[at], column, pl.String)
        return pl.DataFrame(data)

    def _records(self) -> Iterator[tuple[int, list[str] | Fault]]:
        """Number and cells of each record under the header; a fault where it is too long or short.

        InputRejected where quotes do not match: nobody can tell where the row ends.
        """
        text = bytes(self.data).decode().removeprefix("\ufeff")
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True)
        limit = csv.field_size_limit(len(text) + 1)
        record, headed = 0, False
        try:
            for record, row in enumerate(reader, 1):
                if headed:
                    yield record, self._uneven(record, row) or row
                elif record > self.skipped:
                    headed = bool(row)
        except csv.Error as error:
            message = f"the quotes of the row do not match ({error})"
            fault = self._fault(record + 1, None, None, "quotes", message)
            raise InputRejected(str(fault), [fault]) from None
        finally:
            csv.field_size_limit(limit)

    def _uneven(self, record: int, row: list[str]) -> Fault | None:
        width = len(self.header)
        if len(row) == width or not any(row):
            return None
        what = "too long" if len(row) > width else "too short"
        message = f"the row is {what}: {len(row)} cells, the header has {width}"
        return self._fault(record, None, self.delimiter.join(row)[:200], "fields", message)
