"""Rule packs: dated law as data, read from YAML and checked before anything is computed with it.

A pack holds the rules of one tax territory. Every rule carries the source it was taken from with a quotation
and the day on which that was read; values carry the day from which they hold and, where it differs, the day
from which they were known. `cbec.methods.compliance.rules` says what a rule is; here it is read and checked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from cbec.core import packaged
from cbec.core.codes import CURRENCIES
from cbec.core.errors import UsageFault, did_you_mean
from cbec.core.onceyaml import Once
from cbec.methods.compliance.rules import (
    AREAS,
    DATES,
    DEFINITIONS,
    FACTS,
    GOODS,
    KINDS,
    LEVIES,
    LIMITS,
    LINKS,
    METHODS,
    NEEDED,
    OUTCOMES,
    PIECE,
    PLACES,
    Dated,
    Pack,
    Reference,
    Rule,
    Step,
)


def home(folder: str) -> Path:
    """The folder of packs a setting names; the packaged one where it is empty."""
    place = Path(folder) if folder else packaged.folder("configs") / "rules"
    if not place.is_dir():
        raise UsageFault(f"--rules: {folder} is no folder", hint="give a folder with one YAML file per rule pack")
    return place


def load(folder: str = "") -> list[Pack]:
    """Read and check every pack (`*.yaml`) of a folder, sorted by id; '' = the packs that ship with cbec.

    Raises UsageFault naming file, rule and key for the first thing that cannot be a rule: an unknown key or word
    (with the nearest known one), a rule without a quoted source or the day it was read, values out of order, a
    rule that names another one that is not there, two packs for one country.
    """
    files = sorted(home(folder).glob("*.yaml"))
    if not files:
        raise UsageFault(f"no rule pack (*.yaml) in {folder or 'the packaged rules'}")
    packs = [parse(file.read_text("utf-8"), file.name) for file in files]
    owner: dict[str, str] = {}
    for pack in packs:
        for code in pack.jurisdictions:
            if code in owner:
                raise UsageFault(f"{pack.file}: {code} already belongs to {owner[code]}")
            owner[code] = pack.file
    names = [pack.id for pack in packs]
    if len(set(names)) < len(names):
        raise UsageFault(f"two rule packs bear one id: {', '.join(names)}")
    return sorted(packs, key=lambda pack: pack.id)


PER = {"limit": ("consignment", "item", "year"), "amount": ("subheading",), "bracket": ("consignment",)}
"""What a value may be per, by the kind of rule. year: of a buyer (customer_id) in a calendar year."""


def read_yaml(text: str, file: str, loader: type[Once] = Once) -> dict[str, Any]:
    """A YAML mapping, or a UsageFault with the line; keys that come twice are a fault."""
    try:
        loaded = yaml.load(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}" if mark else ""
        raise UsageFault(f"{file}{place}: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(loaded, dict):
        raise UsageFault(f"{file}: not a mapping of keys")
    return loaded


def parse(text: str, file: str) -> Pack:
    """One pack from the text of its file. Raises UsageFault as `load` does."""
    raw = read_yaml(text, file)
    keys = ("pack", "title", "currency", "jurisdictions", "treated_as", "valid_to", "rules", "note")
    _known(raw, keys, file)
    for key in ("pack", "title", "currency", "jurisdictions", "valid_to", "rules"):
        if raw.get(key) in (None, "", [], {}):
            raise UsageFault(f'{file}: key "{key}" is missing')
    pack_id = str(raw["pack"])
    places = tuple(_code(code, f"{file}: jurisdictions") for code in raw["jurisdictions"])
    if not isinstance(raw["rules"], dict):
        raise UsageFault(f"{file}: rules is no mapping of rule ids")
    rules = {str(key): _rule(str(key), value, file, pack_id) for key, value in raw["rules"].items()}
    pack = Pack(
        id=pack_id,
        title=str(raw["title"]),
        currency=str(raw["currency"]),
        jurisdictions=places,
        treated_as={_code(k, f"{file}: treated_as"): str(v) for k, v in (raw.get("treated_as") or {}).items()},
        valid_to=_day(raw["valid_to"], f"{file}: valid_to"),
        rules=rules,
        file=file,
    )
    for rule in rules.values():
        _check_links(rule, pack)
    foreign = {str(rule.unit) for rule in pack.of("limit")} - {pack.currency, PIECE}
    if len(foreign) > 1 or not foreign <= CURRENCIES:
        raise UsageFault(
            f"{file}: limits are in {pack.currency} and at most one other currency, not {', '.join(sorted(foreign))}"
        )
    for country in places:
        charged = any(rule.then.get("tax") == "charge" for rule in pack.of("scheme"))
        if charged and not any(r.country == country and r.category is None for r in pack.of("rate")):
            raise UsageFault(f"{file}: {country} has no rule of kind rate")
    return pack


def _code(value: object, where: str) -> str:
    # YAML 1.1 reads NO (Norway) as false; `str(False)` would make a country of it.
    if not isinstance(value, str):
        raise UsageFault(f'{where}: {value!r} is no country code; write it in quotes, e.g. "NO"')
    return value


def _known(raw: Mapping[str, object], keys: Iterable[str], where: str) -> None:
    known = list(keys)
    for key in raw:
        if key not in known:
            raise UsageFault(f'{where}: key "{key}" is not known{did_you_mean(str(key), known)}')


def _day(value: object, where: str) -> date:
    if type(value) is not date:
        raise UsageFault(f"{where}: {value!r} is no date (write 2026-07-01)")
    return value


def _rule(rule_id: str, raw: object, file: str, pack_id: str) -> Rule:
    where = f'{file}: rule "{rule_id}"'
    if not isinstance(raw, dict):
        raise UsageFault(f"{where}: not a mapping of keys")
    if not rule_id.startswith(f"{pack_id}."):
        raise UsageFault(f'{where}: the id of a rule begins with its pack: "{pack_id}."')
    kind = raw.get("kind")
    if kind not in KINDS:
        raise UsageFault(f"{where}: kind {kind!r} is none of {', '.join(KINDS)}{did_you_mean(str(kind), KINDS)}")
    _known(raw, ("kind", "reference", "note", *KINDS[kind]), where)
    for key in NEEDED[kind]:
        if raw.get(key) in (None, "", [], {}):
            raise UsageFault(f'{where}: key "{key}" is missing')
    said = _said(raw, kind, where)
    _check_words(said, kind, where)
    return Rule(
        id=rule_id, kind=kind, reference=reference_of(raw.get("reference"), where), note=raw.get("note"), **said
    )


def _said(raw: Mapping[str, Any], kind: str, where: str) -> dict[str, Any]:
    """The fields of a rule in their types."""
    said = {key: raw[key] for key in KINDS[kind] if raw.get(key) is not None}
    for key in ("when", "then"):
        if not isinstance(said.get(key, {}), dict):
            raise UsageFault(f"{where}: {key} is no mapping of keys")
    for key, value in said.items():
        place = f"{where}: {key}"
        if key in DATES:
            said[key] = _day(value, place)
        elif key in ("hs", "partly"):
            said[key] = tuple(_prefix(code, place) for code in _list(value))
        elif key in ("codes", "exception_to", "words", "of", "not_with", "measures"):
            said[key] = tuple(_code(word, place) for word in _list(value))
        elif key in ("step", "base_step"):
            said[key] = _number(value, place)
        elif key == "steps":
            said[key] = _steps(value, where)
        elif key in ("country", "territory", "unit", "name", "category", "goods", "measure"):
            said[key] = _code(value, place)
        elif key in ("values", "when"):
            said[key] = dated_values(value, where) if key == "values" else _when(value, where)
        elif key == "then":
            said[key] = _then(value, kind, where)
    return said


def _prefix(code: object, where: str) -> str:
    # An unquoted 0902 is read as a number and loses its zero.
    if not isinstance(code, str) or not re.fullmatch(r"[0-9]{2,10}", code):
        raise UsageFault(
            f'{where}: {code!r} is no beginning of a customs code; write its digits in quotes, e.g. "0902"'
        )
    return code


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _check_words(said: Mapping[str, Any], kind: str, where: str) -> None:
    words: dict[str, tuple[str, ...]] = {
        "area": AREAS,
        "method": METHODS,
        "definition": DEFINITIONS,
        "per": PER.get(kind, ()),
        "base": ("goods", "value", "customs", "pieces"),
        "levy": LEVIES,
    }
    for word in said.get("of", ()):
        if word not in ("tax", "duty"):
            raise UsageFault(f'{where}: of "{word}" is none of tax, duty')
    for key, known in words.items():
        if key in said and said[key] not in known:
            near = did_you_mean(str(said[key]), known)
            raise UsageFault(f'{where}: {key} "{said[key]}" is none of {", ".join(known)}{near}')
    if not isinstance(said.get("inclusive", True), bool):
        raise UsageFault(f"{where}: inclusive is true (the limit itself is within) or false")
    for key in ("rest", "row_needed", "hint"):
        if not isinstance(said.get(key, False), bool):
            raise UsageFault(f"{where}: {key} is true or false")
    if not isinstance(said.get("complete", False), bool):
        raise UsageFault(f"{where}: complete is true (no other goods of the country bear a reduced rate) or false")
    if said.get("region") is not None:
        try:
            re.compile(said["region"])
        except re.error as error:
            raise UsageFault(f"{where}: region is no regular expression: {error}") from error


def reference_of(raw: object, where: str) -> Reference:
    """A source from its mapping (title, quote, verified_on, url?); UsageFault where one of them is missing."""
    if not isinstance(raw, dict):
        raise UsageFault(f"{where}: no reference; a rule needs a source (title, quote, verified_on)")
    fields = [f.name for f in dataclasses.fields(Reference)]
    _known(raw, fields, f"{where}: reference")
    for key in ("title", "quote", "verified_on"):
        if not raw.get(key):
            raise UsageFault(f'{where}: reference: key "{key}" is missing; a rule without a quoted source is none')
    if "|" in str(raw["title"]):
        raise UsageFault(f'{where}: reference: title: "|" joins titles in citations and cannot stand in one')
    return Reference(
        str(raw["title"]), str(raw["quote"]), _day(raw["verified_on"], f"{where}: verified_on"), raw.get("url")
    )


def dated_values(raw: object, where: str) -> tuple[Dated, ...]:
    """Values with the day they hold from, in their order; UsageFault where they do not go up."""
    if not isinstance(raw, list):
        raise UsageFault(f"{where}: values is no list")
    found = []
    for entry in raw:
        if not isinstance(entry, dict):
            raise UsageFault(f"{where}: values: {entry!r} is no mapping (valid_from, value)")
        _known(entry, ("valid_from", "recorded_from", "value"), f"{where}: values")
        day = _day(entry.get("valid_from"), f"{where}: valid_from")
        known = _day(entry.get("recorded_from", day), f"{where}: recorded_from")
        found.append(Dated(day, known, _number(entry.get("value"), where)))
    if [(v.valid_from, v.recorded_from) for v in found] != sorted({(v.valid_from, v.recorded_from) for v in found}):
        raise UsageFault(f"{where}: values do not go up by valid_from (and recorded_from), or one comes twice")
    return tuple(found)


def _number(value: object, where: str) -> Decimal | None:
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or number < 0 or -int(number.as_tuple().exponent) > 6:
        raise UsageFault(f"{where}: value {value!r} is no number >= 0 with at most 6 decimals")
    return number


def _steps(raw: object, where: str) -> tuple[Step, ...]:
    if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
        raise UsageFault(f"{where}: steps is no list of mappings (below or up_to, and value)")
    found = []
    for entry in raw:
        _known(entry, ("below", "up_to", "value"), f"{where}: steps")
        value = _number(entry.get("value"), where)
        if value is None:
            raise UsageFault(f"{where}: steps: a step has no value")
        found.append(Step(value, _number(entry.get("below"), where), _number(entry.get("up_to"), where)))
    open_ended = [step.below is None and step.up_to is None for step in found]
    if not found or not open_ended[-1] or any(open_ended[:-1]):
        raise UsageFault(f"{where}: steps: every step but the last has a bound (below or up_to), the last has none")
    return tuple(found)


def _when(raw: Mapping[str, object], where: str) -> dict[str, tuple[str, ...]]:
    _known(raw, (*FACTS, *PLACES, *LIMITS, GOODS), f"{where}: when")
    found: dict[str, tuple[str, ...]] = {}
    for key, value in raw.items():
        said = tuple(("no", "yes")[v] if isinstance(v, bool) else str(v) for v in _list(value))
        known = FACTS.get(key)
        for word in said:
            if known is not None and word not in known:
                near = did_you_mean(word, known)
                raise UsageFault(f'{where}: when: {key} "{word}" is none of {", ".join(known)}{near}')
        if key in LIMITS and len(said) != 1:
            raise UsageFault(f"{where}: when: {key} names one rule of kind limit")
        found[key] = said
    return found


def _then(raw: Mapping[str, object], kind: str, where: str) -> dict[str, str]:
    outcomes = OUTCOMES[kind]
    _known(raw, outcomes, f"{where}: then")
    found = {key: str(value) for key, value in raw.items()}
    for key, known in outcomes.items():
        if known is not None and key in found and found[key] not in known:
            raise UsageFault(f'{where}: then: {key} "{found[key]}" is none of {", ".join(known)}')
    needed = {"duty": ["duty"], "scheme": ["tax", "reason"], "export": ["vat", "reason"]}[kind]
    if kind == "scheme" and found.get("tax") != "undetermined":
        needed += ["scheme", "collected_by"]
    if found.get("tax") == "charge" or found.get("duty") == "tariff":
        needed.append("base")
    if found.get("duty") in ("flat", "bracket"):
        needed.append("amount")
    for key in needed:
        if key not in found:
            raise UsageFault(f'{where}: then: key "{key}" is missing')
    return found


def _check_links(rule: Rule, pack: Pack) -> None:
    where = f'{pack.file}: rule "{rule.id}"'

    def named(other: str, *kinds: str) -> None:
        known = [r.id for r in pack.of(*kinds)]
        if other not in known:
            raise UsageFault(f'{where}: there is no rule "{other}" of kind {kinds[0]}{did_you_mean(other, known)}')

    for key in LIMITS:
        for other in rule.when.get(key, ()):
            named(other, "limit")
    _check_goods(rule, pack, where)
    for other in rule.exception_to:
        if other != "*":
            named(other, *(("rate",) if rule.kind == "territory" else (rule.kind,)))
    if rule.end_recorded_from is not None and rule.valid_to is None:
        raise UsageFault(f"{where}: end_recorded_from without valid_to")
    if rule.territory is not None:
        named(rule.territory, "territory")
        if rule.category is None or pack.rules[rule.territory].country != rule.country:
            raise UsageFault(f"{where}: a rate in a territory is one of a category, and of the territory's country")
    for key, kind in LINKS.items():
        if key in rule.then:
            named(rule.then[key], kind)
    if "amount" in rule.then:
        named(rule.then["amount"], "bracket" if rule.then.get("duty") == "bracket" else "amount")
    _check_units(rule, pack, where)
    if rule.method == "retail_share" and not rule.values:
        raise UsageFault(f'{where}: key "values" is missing')
    if rule.country is not None and rule.country not in pack.jurisdictions:
        near = did_you_mean(rule.country, pack.jurisdictions)
        raise UsageFault(f"{where}: country {rule.country} is none of the pack's jurisdictions{near}")
    _check_reason(rule, where)


def _check_units(rule: Rule, pack: Pack, where: str) -> None:
    if "allowance" in rule.then:
        freed = pack.rules[rule.then["allowance"]]
        if freed.unit != pack.currency or freed.per != "consignment":
            raise UsageFault(f"{where}: allowance is no limit per consignment in the pack's currency ({pack.currency})")
    if rule.kind in ("amount", "bracket", "waiver") and rule.unit != pack.currency:
        raise UsageFault(f"{where}: unit {rule.unit} is not the currency of the pack ({pack.currency})")
    if (
        rule.kind in ("rate", "territory", "factor", "declaration")
        or (rule.values and rule.kind in ("measure", "method"))
    ) and rule.unit != "percent":
        raise UsageFault(f"{where}: unit is percent")


def _check_goods(rule: Rule, pack: Pack, where: str) -> None:
    classes = sorted({c for c in (r.goods or r.category for r in pack.of("goods", "rate")) if c is not None})
    for word in rule.when.get(GOODS, ()):
        if word not in classes:
            near = did_you_mean(word, classes)
            raise UsageFault(f'{where}: when: goods "{word}" is no class of goods of the pack{near}')


def _check_reason(rule: Rule, where: str) -> None:
    from cbec.core.reasons import catalogue

    reason = rule.then.get("reason")
    if reason is not None and reason not in catalogue():
        near = did_you_mean(reason, catalogue())
        raise UsageFault(f'{where}: reason "{reason}" is not in the catalogue of reasons{near}')
