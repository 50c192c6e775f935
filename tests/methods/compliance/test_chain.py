"""Which rule holds: exceptions over what they name, contradictions reported, no gap in the packaged packs."""

from __future__ import annotations

from datetime import date
from itertools import product

import polars as pl
import pytest
from support.taxed import packaged

from cbec.core.errors import UsageFault
from cbec.methods.compliance import chain
from cbec.methods.compliance.rules import FACTS, Pack, Reference, Rule

SOURCE = Reference("a test", "words", date(2026, 11, 25))


def _pack(*rules: Rule) -> Pack:
    return Pack("t", "a test", "EUR", ("DE",), {}, date(2026, 12, 31), {r.id: r for r in rules}, "t.yaml")


def _rule(name: str, exception_to: tuple[str, ...] = (), kind: str = "scheme", **when: str) -> Rule:
    words = {key: (word,) for key, word in when.items()}
    start = date(2020, 1, 1)
    return Rule(
        f"t.{name}", kind, SOURCE, when=words, exception_to=tuple(f"t.{e}" for e in exception_to), valid_from=start
    )


def _case(**facts: str | int) -> pl.DataFrame:
    basic = {"movement": "import", "buyer": "B2C", "gift": "no", "day": date(2024, 1, 1)}
    return pl.DataFrame([basic | facts])


def _told(pack: Pack, case: pl.DataFrame, as_of: date | None = None) -> tuple[str | None, int | None]:
    return chain.decide(case, pack, "scheme", as_of).select("scheme_rule", "scheme_open").row(0)


def test_an_exception_beats_the_rule_it_names_wherever_it_stands() -> None:
    base, narrow = _rule("base", movement="import"), _rule("gift", ("base",), movement="import", gift="yes")
    for pack in (_pack(base, narrow), _pack(narrow, base)):
        assert _told(pack, _case(gift="yes")) == ("t.gift", None)
        assert _told(pack, _case()) == ("t.base", None)


def test_an_exception_to_an_exception_beats_both() -> None:
    rules = _rule("a"), _rule("b", ("a",)), _rule("c", ("b",), gift="yes")
    assert _told(_pack(*rules), _case(gift="yes"))[0] == "t.c"
    assert _told(_pack(*rules), _case())[0] == "t.b"


def test_two_rules_that_hold_at_once_are_reported_not_resolved() -> None:
    pack = _pack(_rule("a", movement="import"), _rule("b", buyer="B2C"))
    with pytest.raises(UsageFault, match=r't\.yaml: rules "t\.a" and "t\.b" hold for the same line'):
        _told(pack, _case())
    assert _told(pack, _case(buyer="B2B"))[0] == "t.a"


def test_rules_that_override_each_other_are_reported() -> None:
    with pytest.raises(UsageFault, match=r"in a circle: t\.a -> t\.b -> t\.a"):
        chain.in_order([_rule("a", ("b",)), _rule("b", ("a",))])


def test_rules_begin_and_end_and_are_known_from_a_day() -> None:
    pack = _pack(_rule("a"))
    assert _told(pack, _case(day=date(2019, 12, 31)))[0] is None  # type: ignore[arg-type]
    assert _told(pack, _case(), as_of=date(2019, 12, 31))[0] is None
    assert _told(pack, _case(), as_of=date(2020, 1, 1))[0] == "t.a"


@pytest.mark.parametrize("state", [chain.CIRCULAR, chain.UNKNOWN, chain.NO_SALE])
def test_a_limit_that_cannot_be_answered_opens_the_question(state: int) -> None:
    small, large = _rule("small", within="t.limit"), _rule("large", above="t.limit")
    special = _rule("special", ("small", "large"), gift="yes")
    pack = _pack(small, large, special)
    assert _told(pack, _case(**{"t.limit": state})) == (None, state)
    assert _told(pack, _case(**{"t.limit": chain.WITHIN})) == ("t.small", None)
    assert _told(pack, _case(**{"t.limit": chain.ABOVE})) == ("t.large", None)
    # A rule that does not ask for the limit and overrides those that do needs no answer.
    assert _told(pack, _case(gift="yes", **{"t.limit": state})) == ("t.special", None)


def _every_case(pack: Pack, day: date) -> pl.DataFrame:
    """Every combination of the facts that the pack asks for; consignments as values can lie: 20, 100 and 500."""
    asked = {key for rule in pack.rules.values() for key in rule.when}
    lists = [words if key in asked else words[:1] for key, words in FACTS.items()]
    classes = sorted({word for rule in pack.rules.values() for word in rule.when.get("goods", ())})
    goods = pl.DataFrame({"goods": ["", *classes]})
    rows = pl.DataFrame(list(product(*lists)), schema=list(FACTS), orient="row").join(goods, how="cross")
    limits = [
        (rule.id, float(next(v.value for v in reversed(rule.values) if v.value is not None)))
        for rule in pack.of("limit")
    ]
    held = sorted({value for _, limit in limits for value in (limit, limit + 1)}) or [0.0]
    values = pl.DataFrame({"value": held}).with_columns(
        pl.when(pl.col("value") <= limit).then(chain.WITHIN).otherwise(chain.ABOVE).cast(pl.Int8).alias(name)
        for name, limit in limits
    )
    home = pack.jurisdictions[0]
    places = pl.DataFrame(
        {"ship_from": ["CN", "XI", "CN"], "ship_to": [home] * 3, "origin": ["CN", "unknown", "other"], "day": [day] * 3}
    )
    return rows.join(values, how="cross").join(places, how="cross")


@pytest.mark.parametrize("day", [date(2024, 6, 1), date(2026, 7, 1)], ids=str)
@pytest.mark.parametrize("pack", packaged(), ids=lambda p: p.id)
def test_the_packaged_rules_answer_every_case_without_contradiction(pack: Pack, day: date) -> None:
    cases = _every_case(pack, day)
    cases = cases.filter(pl.col("area").is_in(["main", *(rule.area for rule in pack.of("territory"))]))
    if not any("territory" in rule.when.get("buyer_tax_id", ()) for rule in pack.rules.values()):
        cases = cases.filter(pl.col("buyer_tax_id") != "territory")
    if len(pack.jurisdictions) == 1:  # one country has no movements between two
        cases = cases.filter(pl.col("movement") != "intra")
    open_schemes = [rule.id for rule in pack.of("scheme") if rule.then["tax"] == "undetermined"]
    for kind in ("scheme", "duty"):
        cases = chain.decide(cases, pack, kind, None)
        assert cases[f"{kind}_open"].null_count() == cases.height
        # Where the scheme leaves the line undetermined nobody asks for its duty.
        asked = cases.filter(~pl.col("scheme_rule").is_in(open_schemes).fill_null(False))
        unanswered = asked.filter(pl.col(f"{kind}_rule").is_null())
        assert unanswered.is_empty(), unanswered.head(3).to_dicts()
