"""The seller's registrations: which of them answers for a scheme and a place, on a day or in a period."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

#: Schemes of the whole Union: the registration may lie in any member state.
EVERYWHERE = ("OSS", "IOSS", "OSS_NON_UNION")


def valid(row: Mapping[str, Any], start: date, end: date) -> bool:
    """Whether a registration holds on some day of start..end; an empty `valid_from` or `valid_to` is no limit."""
    begins, ends = row.get("valid_from"), row.get("valid_to")
    return (begins is None or begins <= end) and (ends is None or ends >= start)


def find(
    held: Iterable[Mapping[str, Any]], scheme: str, countries: Collection[str], start: date, end: date
) -> Mapping[str, Any] | None:
    """The first row of the table `registrations` with the scheme, in one of the countries, that holds in start..end."""
    for row in held:
        if row["scheme"] == scheme and (scheme in EVERYWHERE or row["country"] in countries) and valid(row, start, end):
            return row
    return None
