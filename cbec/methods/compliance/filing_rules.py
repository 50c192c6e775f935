"""What returns, registrations and customs papers ask for: dated, quoted data, read from YAML and checked.

configs/filing holds three files: returns.yaml, registrations.yaml and customs.yaml. Every entry names its sources with
the words that were read there and the day of reading; thresholds are dated values like those of rule packs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec.core import packaged
from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods.compliance.packs import dated_values, read_yaml, reference_of

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Dated, Reference


@dataclass(frozen=True)
class Due:
    """The last day of a return: `months` after the month in which its period ends, day `day` (0 = the last of it)."""

    months: int
    day: int
    others: Mapping[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sourced:
    """What every entry has: id, title and its sources by what they are about."""

    id: str
    title: str
    references: tuple[tuple[str, Reference], ...]

    @property
    def citation(self) -> str:
        """Titles of the sources, each once, joined by |."""
        return "|".join(dict.fromkeys(r.title.replace("|", "/") for _, r in self.references))


@dataclass(frozen=True)
class ReturnRule(Sourced):
    """A return: the lines it takes (places, schemes), its periods of `months`, and its rules of money.

    calendar: periods are those of the calendar year (quarters from January); else any run of `months` months.
    conversion: period_end or supply. rounding: cent or whole (of the amounts filed). corrections: by_period (of the
    period they are about) or current (in the period they become known).
    """

    form: str
    places: tuple[str, ...]
    schemes: tuple[str, ...]
    registration: str
    months: int
    calendar: bool
    due: Due | None
    currency: str
    conversion: str
    rounding: str
    corrections: str
    correction_years: int
    valid_from: date


@dataclass(frozen=True)
class RegistrationRule(Sourced):
    """A threshold: whose sales of which kind count, in which window, and by when to register (days from an event).

    from_home: only goods sent from the seller's own country; elsewhere: of a seller established in the place, goods sent
    from another of its countries. item_limit: value of a piece (of what an order sends, where per_consignment) up to
    which an import counts; import_buyer: to whom imports have to go to count.
    """

    place: str
    scheme: str
    seller: str
    currency: str
    inclusive: bool
    window: str
    tested: str
    ahead_days: int
    ahead_months: int
    movement: tuple[str, ...]
    buyer: tuple[str, ...]
    collected_by: tuple[str, ...]
    from_home: bool
    elsewhere: bool
    item_limit: Decimal | None
    item_inclusive: bool
    per_consignment: bool
    import_buyer: tuple[str, ...]
    register_days: int | None
    register_from: str
    worldwide: Decimal | None
    values: tuple[Dated, ...]

    def threshold(self, day: date) -> Decimal | None:
        """The value that holds on a day, None before the first."""
        return value_on(self.values, day)


@dataclass(frozen=True)
class Paper(Sourced):
    """A customs paper: its limit (None: none), and the last day of what follows from it."""

    place: str
    currency: str
    inclusive: bool
    max_kg: Decimal | None
    due: Due | None
    values: tuple[Dated, ...]

    def limit(self, day: date) -> Decimal | None:
        """The limit that holds on a day."""
        return value_on(self.values, day)


def value_on(values: Sequence[Dated], day: date) -> Decimal | None:
    """The value of the last entry that holds on a day."""
    found = [v for v in values if v.valid_from <= day]
    return found[-1].value if found else None


RETURN_KEYS = (
    "title", "form", "places", "schemes", "registration", "months", "calendar", "due", "currency", "conversion", "rounding", "corrections",
    "correction_years", "valid_from", "references",
)  # fmt: skip
REGISTRATION_KEYS = (
    "title", "place", "scheme", "seller", "currency", "inclusive", "window", "tested", "ahead", "counts", "register", "global", "values",
    "references",
)  # fmt: skip
PAPER_KEYS = ("title", "place", "currency", "inclusive", "max_kg", "due", "values", "references")
WORDS: dict[str, tuple[str, ...]] = {
    "form": ("oss", "gb", "summary"),
    "conversion": ("period_end", "supply"),
    "rounding": ("cent", "whole"),
    "corrections": ("by_period", "current"),
    "seller": ("established", "abroad", "any"),
    "window": ("months", "year"),
    "tested": ("month_end", "day"),
}


@cache
def returns() -> tuple[ReturnRule, ...]:
    """The returns of configs/filing/returns.yaml, in their order."""
    return tuple(_return(*entry) for entry in _entries("returns", RETURN_KEYS))


@cache
def registrations() -> tuple[RegistrationRule, ...]:
    """The thresholds of configs/filing/registrations.yaml, in their order."""
    return tuple(_registration(*entry) for entry in _entries("registrations", REGISTRATION_KEYS))


@cache
def papers() -> dict[str, Paper]:
    """The customs papers of configs/filing/customs.yaml by id."""
    return {paper.id: paper for paper in (_paper(*entry) for entry in _entries("customs", PAPER_KEYS, "papers"))}


def _entries(name: str, keys: Sequence[str], top: str = "") -> list[tuple[str, dict[str, Any], str]]:
    """(id, mapping, where) of each entry of a file, keys and words checked."""
    path: Path = packaged.folder("configs") / "filing" / f"{name}.yaml"
    found = []
    for key, raw in (read_yaml(path.read_text("utf-8"), path.name).get(top or name) or {}).items():
        where = f'{path.name}: "{key}"'
        for word in raw:
            if word not in keys:
                raise UsageFault(f'{where}: key "{word}" is not known{did_you_mean(str(word), keys)}')
        for word, known in WORDS.items():
            if word in raw and raw[word] not in known:
                raise UsageFault(f'{where}: {word} "{raw[word]}" is none of {", ".join(known)}')
        found.append((str(key), raw, where))
    return found


def _sources(raw: Mapping[str, Any], where: str) -> tuple[tuple[str, Reference], ...]:
    told = raw.get("references") or []
    if not told:
        raise UsageFault(f"{where}: no references; what is law needs a source (title, quote, verified_on)")
    return tuple(
        (str(r.get("about", "")), reference_of({k: v for k, v in r.items() if k != "about"}, where)) for r in told
    )


def _due(raw: Mapping[str, Any] | None) -> Due | None:
    if raw is None:
        return None

    def day(value: object) -> int:
        return 0 if value == "last" else int(str(value))

    others = {int(month): (int(v["months"]), day(v["day"])) for month, v in (raw.get("except") or {}).items()}
    return Due(int(raw["months"]), day(raw["day"]), others)


def _return(key: str, raw: Mapping[str, Any], where: str) -> ReturnRule:
    return ReturnRule(
        id=key,
        title=str(raw["title"]),
        references=_sources(raw, where),
        form=raw["form"],
        places=tuple(raw["places"]),
        schemes=tuple(raw["schemes"]),
        registration=raw["registration"],
        months=int(raw["months"]),
        calendar=bool(raw.get("calendar", True)),
        due=_due(raw.get("due")),
        currency=raw["currency"],
        conversion=raw["conversion"],
        rounding=raw["rounding"],
        corrections=raw["corrections"],
        correction_years=int(raw.get("correction_years", 0)),
        valid_from=raw["valid_from"],
    )


def _registration(key: str, raw: Mapping[str, Any], where: str) -> RegistrationRule:
    counts, ahead, register = (raw.get(k) or {} for k in ("counts", "ahead", "register"))
    limit = counts.get("item_limit") or {}
    return RegistrationRule(
        id=key,
        title=str(raw["title"]),
        references=_sources(raw, where),
        place=raw["place"],
        scheme=raw["scheme"],
        seller=raw["seller"],
        currency=raw["currency"],
        inclusive=bool(raw["inclusive"]),
        window=raw["window"],
        tested=raw["tested"],
        ahead_days=int(ahead.get("days", 0)),
        ahead_months=int(ahead.get("months", 0)),
        movement=tuple(counts.get("movement") or ()),
        buyer=tuple(counts.get("buyer") or ()),
        collected_by=tuple(counts.get("collected_by") or ()),
        from_home=bool(counts.get("from_home", False)),
        elsewhere=bool(counts.get("elsewhere", False)),
        item_limit=Decimal(str(limit["value"])) if limit else None,
        item_inclusive=bool(limit.get("inclusive", True)),
        per_consignment=limit.get("per") == "consignment",
        import_buyer=tuple(counts.get("import_buyer") or ()),
        register_days=int(register["days"]) if register else None,
        register_from=str(register.get("from", "crossing")),
        worldwide=Decimal(str(raw["global"])) if raw.get("global") is not None else None,
        values=dated_values(raw["values"], where),
    )


def _paper(key: str, raw: Mapping[str, Any], where: str) -> Paper:
    return Paper(
        id=key,
        title=str(raw["title"]),
        references=_sources(raw, where),
        place=str(raw.get("place", "")),
        currency=str(raw.get("currency", "")),
        inclusive=bool(raw.get("inclusive", True)),
        max_kg=Decimal(str(raw["max_kg"])) if raw.get("max_kg") is not None else None,
        due=_due(raw.get("due")),
        values=dated_values(raw["values"], where) if raw.get("values") else (),
    )
