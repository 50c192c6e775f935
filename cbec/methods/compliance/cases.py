"""Cases that a tax adviser can read and write: what is given, and what the rules must say of it.

    pack: eu
    cases:
      - case: ioss-at-the-limit
        title: A consignment of exactly EUR 150 is within the limit
        given: {date: 2024-06-01, ship_from: CN, ship_to: FR}
        lines:
          - {price: 150.00, expect: {scheme: IOSS, collected_by: seller, tax: 30.00}}
        sum: {tax: 30.00}

The whole format stands in docs/how-to/rules.md. A case of the kind `tax` (the default) is of order lines; every other
kind is given a mapping and expects one (`questions`). Here cases are read; `verdict` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec import tables
from cbec.core.contract import Column
from cbec.core.errors import UsageFault, did_you_mean
from cbec.methods.compliance.cells import VerbatimLoader, cell, known, read, row
from cbec.methods.compliance.packs import home, read_yaml
from cbec.methods.compliance.questions import question
from cbec.methods.compliance.territories import owners

if TYPE_CHECKING:
    from cbec.methods.compliance.rules import Pack

FILE_KEYS = ("pack", "cases", "note")
COMMON_KEYS = ("case", "title", "source", "note", "pack", "kind", "as_of", "given", "expect", "assume")
TAX_KEYS = (*COMMON_KEYS, "rates", "tariff", "lines", "sum", "price_basis", "told_in")
DERIVED = (
    Column("assessed", "decimal", "tax_rate of the tax_base, whether or not so small an amount is levied", digits=2),
    Column("landed", "decimal", "customs_value and total: what imported goods have cost in the end", digits=2),
)
"""Figures that a case may expect beside the columns of the table tax."""
START = date(1900, 1, 1)
"""Since when a row of a tariff holds that does not tell."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One case. Of the kind tax: rows of order_lines, and per line (or `sums`) the columns expected of the tax table;
    of another kind: what is given and what is expected, in the shapes of its question. unread: why it cannot be read."""

    pack: str
    name: str
    title: str
    unread: str = ""
    kind: str = "tax"
    as_of: date | None = None
    assume: Mapping[str, Decimal] = field(default_factory=dict)
    given: Row = field(default_factory=dict)
    wanted: Row = field(default_factory=dict)
    gross: bool = False
    told_in: str | None = None
    rates: tuple[Row, ...] = ()
    tariff: tuple[Row, ...] = ()
    lines: tuple[Row, ...] = ()
    expect: tuple[Row, ...] = ()
    export: tuple[Row, ...] = ()
    sums: Row = field(default_factory=dict)

    @property
    def alone(self) -> bool:
        """Whether it cannot be computed together with others: it has rates, a tariff or values of its own."""
        return bool(self.rates or self.tariff or self.assume)


def load(path: str, rules: str, packs: Sequence[Pack]) -> list[Case]:
    """Read cases from a file or a folder; '' = the folder `cases` in that of the packs.

    A case that cannot be read is one all the same, and tells file, case and key (`Case.unread`). Raises UsageFault for a
    file that is no YAML or has an unknown key at its top (with the nearest known word).
    """
    place = Path(path) if path else home(rules) / "cases"
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files or not all(file.is_file() for file in files):
        raise UsageFault(f"no cases (*.yaml) at {path or 'the folder cases beside the rules'}")
    taken: set[tuple[str, str]] = set()
    return [case for file in files for case in parse(file.read_text("utf-8"), file.name, packs, taken)]


def parse(text: str, file: str, packs: Sequence[Pack], taken: set[tuple[str, str]] | None = None) -> list[Case]:
    """The cases of one file. taken: packs and names of cases read before; those of the file are added."""
    raw = read_yaml(text, file, VerbatimLoader)
    known(raw, FILE_KEYS, file)
    reader = _Reader(packs, raw.get("pack"))
    taken = set() if taken is None else taken
    found = []
    for number, entry in enumerate(_listed(raw.get("cases"), f"{file}: cases"), start=1):
        case = reader.read(entry, file, number)
        if (case.pack, case.name) in taken:
            why = f'{file}: case "{case.name}": another case bears this name; give each a name of its own'
            case = Case(case.pack, f"{case.name} ({file} {number})", case.title, why)
        taken.add((case.pack, case.name))
        found.append(case)
    return found


def _listed(value: Any, where: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise UsageFault(f"{where}: {value!r} is no list")
    return value or []


def _pack(name: Any, packs: Sequence[Pack], where: str) -> str | None:
    ids = [pack.id for pack in packs]
    if name is not None and name not in ids:
        raise UsageFault(f'{where}: there is no rule pack "{name}"{did_you_mean(str(name), ids)}')
    return None if name is None else str(name)


class _Reader:
    """Reads the entries of one file, whose cases are of the pack `own` where they do not say."""

    def __init__(self, packs: Sequence[Pack], own: Any) -> None:
        self._packs, self._own = packs, own
        self._currency = {pack.id: pack.currency for pack in packs}
        self._owner = dict(owners(packs).select("code", "pack").iter_rows())
        self._rules = {rule.id: rule for pack in packs for rule in pack.rules.values()}

    def read(self, entry: Any, file: str, number: int) -> Case:
        """The case, or why it cannot be read."""
        raw = entry if isinstance(entry, dict) else {}
        name = str(raw.get("case") or f"#{number}")
        where = f'{file}: case "{name}"'
        try:
            if not raw.get("case"):
                raise UsageFault(f"{where}: a case without a name: {entry!r}; give it one by the key case")
            return self._case(name, raw, where)
        except UsageFault as fault:
            pack = raw.get("pack") or self._own or raw.get("kind") or "-"
            return Case(str(pack), name, str(raw.get("title") or name), fault.message)

    def _case(self, name: str, raw: Row, where: str) -> Case:
        kind = str(raw.get("kind") or "tax")
        day = cell(raw.get("as_of"), Column("as_of", "date"), where)
        pack = _pack(raw.get("pack") or self._own, self._packs, where)
        basic: dict[str, Any] = {"name": name, "title": str(raw.get("title") or name), "kind": kind, "as_of": day}
        basic["assume"] = self._assumed(raw.get("assume") or {}, where)
        if kind == "tax":
            known(raw, TAX_KEYS, where)
            return self._tax(pack, basic, raw, where)
        asked = question(kind, where)
        known(raw, COMMON_KEYS, where)
        wanted = read(
            raw.get("expect") or {}, {**asked.told, "rule_ids": Column("rule_ids", "text")}, f"{where}: expect"
        )
        if not wanted:
            raise UsageFault(f"{where}: a case needs something to expect")
        given = read(raw.get("given") or {}, asked.given, f"{where}: given")
        return Case(pack=pack or kind, given=given, wanted=wanted, **basic)

    def _assumed(self, raw: Any, where: str) -> Row:
        values = row(raw, [Column(r.id, "decimal") for r in self._rules.values() if r.values], f"{where}: assume")
        if empty := [rule for rule, value in values.items() if value is None]:
            raise UsageFault(f"{where}: assume: {empty[0]} has no value")
        return values

    def _tax(self, pack: str | None, basic: dict[str, Any], raw: Row, where: str) -> Case:
        lines, fixings, duties, exports = (tables.get(t).columns for t in ("order_lines", "rates", "tariff", "exports"))
        tax = (*tables.get("tax").columns, *DERIVED)
        given = row(raw.get("given") or {}, lines, f"{where}: given")
        every = row(raw.get("expect") or {}, tax, f"{where}: expect")
        rows, expected, exported = [], [], []
        # A case of one line may tell it all in `given` and `expect`.
        for number, entry in enumerate(
            _listed(raw.get("lines"), f"{where}: lines") or ([{}] if given else []), start=1
        ):
            place = f"{where}: line {number}"
            if not isinstance(entry, dict):
                raise UsageFault(f"{place} is no mapping of columns")
            own = given | row({k: v for k, v in entry.items() if k not in ("expect", "export")}, lines, place)
            pack = pack or self._owner.get(own.get("ship_to"))
            default = {"order_id": basic["name"], "line": str(number), "sku": str(number), "qty": Decimal(1)}
            default |= {"currency": self._currency.get(pack or ""), "buyer_type": "B2C"}
            rows.append(default | own)
            expected.append(every | row(entry.get("expect") or {}, tax, f"{place}: expect"))
            exported.append(row(entry.get("export") or {}, exports, f"{place}: export"))
        sums = row(raw.get("sum") or {}, [c for c in tax if c.kind == "decimal"], f"{where}: sum")
        if not rows or not (any(expected) or any(exported) or sums):
            raise UsageFault(f"{where}: a case needs lines and something to expect")
        basis = cell(raw.get("price_basis"), Column("price_basis", "text", one_of=("net", "gross")), where)
        return Case(
            pack=pack or "-",
            gross=basis == "gross",
            told_in=cell(raw.get("told_in"), Column("told_in", "currency"), where),
            rates=tuple(
                {"date": rows[0].get("date")} | row(r, fixings, f"{where}: rates")
                for r in _listed(raw.get("rates"), f"{where}: rates")
            ),
            tariff=()
            if raw.get("tariff") is None
            else self._tariff(
                pack, [row(r, duties, f"{where}: tariff") for r in _listed(raw["tariff"], f"{where}: tariff")]
            ),
            lines=tuple(rows),
            expect=tuple(expected),
            export=tuple(exported),
            sums=sums,
            **basic,
        )

    def _tariff(self, pack: str | None, rows: Sequence[dict[str, Any]]) -> tuple[Row, ...]:
        """The tariff of a case is the whole of it: where a measure has no row, or none on a day, it is not owed."""
        place = self._place(pack)
        told = [place | entry for entry in rows]
        rules = [rule for own in self._packs if own.id == pack for rule in own.of("measure")]
        listed = {str(rule.measure) for rule in rules} - {str(rule.measure) for rule in rules if rule.values}
        free = [
            place | {"hs_code": "", "measure": measure, "duty": "Free"} | days
            for measure in sorted(listed)
            for days in _free_days([entry for entry in told if entry["measure"] == measure])
        ]
        return (*told, *free)

    def _place(self, pack: str | None) -> dict[str, Any]:
        """What a row of a tariff need not say: the ordinary duty of the pack's territory, at any time."""
        own = next((p.jurisdictions for p in self._packs if p.id == pack), ())
        place = own[0] if len(own) == 1 else (pack or "").upper()
        return {"measure": "mfn", "jurisdiction": place, "valid_from": START}


def _free_days(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The times before and after all rows of a measure: `valid_from` and `valid_to` where told."""
    if not rows:
        return [{}]
    first, last = min(row["valid_from"] for row in rows), max(row.get("valid_to") or date.max for row in rows)
    before: list[dict[str, Any]] = [{"valid_to": first - timedelta(days=1)}] if first > START else []
    return before + ([{"valid_from": last + timedelta(days=1)}] if last < date.max else [])
