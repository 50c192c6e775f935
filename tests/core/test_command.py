"""The registry: every declared name has one meaning, everything a person meets has help."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from cbec import tables
from cbec.cli import options_of
from cbec.core import command as commands
from cbec.core.command import STEPS, Common, Result, Table, command, every_command, find, setting
from cbec.core.config import kinds_of
from cbec.core.errors import UsageFault


def test_every_name_on_a_command_line_has_one_meaning():
    # Typer takes duplicate options silently, the later one wins.
    for declared in every_command():
        flags = [
            flag
            for p in options_of(declared)
            for info in p.annotation.__metadata__
            for flag in (info.default, *info.param_decls)
        ]
        flags = [f for joined in flags if isinstance(joined, str) for f in joined.split("/")]
        assert len(flags) == len(set(flags)), f"{declared.path}: {sorted(f for f in flags if flags.count(f) > 1)}"


def test_tables_settings_and_run_options_do_not_share_names():
    run_words = {
        "output",
        "format",
        "report",
        "config",
        "set",
        "max_bad",
        "rejects",
        "fail_on",
        "json",
        "wait",
        "quiet",
        "verbose",
    }
    table_names = set(tables.every())
    for declared in every_command():
        names = set(declared.fields())
        assert not names & table_names, f"{declared.path}: a setting is named like a table"
        assert not names & run_words, f"{declared.path}: a setting is named like a run option"
    # `--rejects FILE` is where the table of that name goes.
    assert table_names & run_words == {"rejects"}


def test_a_setting_of_one_name_has_one_kind():
    kinds: dict[str, object] = {}
    for declared in every_command():
        for name, kind in kinds_of(declared.settings).items():
            assert kinds.setdefault(name, kind) == kind, f"{declared.path}: {name} is {kind}, elsewhere {kinds[name]}"


def test_every_table_named_by_a_command_has_a_contract():
    for declared in every_command():
        for declared_input in declared.inputs:
            assert declared_input.raw or declared_input.table in tables.every()
        for name in declared.outputs:
            assert name in tables.every()


def test_everything_has_help():
    for declared in every_command():
        assert declared.help, declared.path
        assert declared.step in STEPS
        for name, field in declared.fields().items():
            assert field.metadata.get("help"), f"{declared.path}: {name}"


def test_keys_name_columns():
    for contract in tables.every().values():
        assert set(contract.key) <= set(contract.names), contract.name
        assert contract.time is None or contract.time in contract.names
        assert len(contract.names) == len(set(contract.names))
        for rule in contract.rules:
            assert set(rule.needs) <= set(contract.names)


def test_aliases_of_a_table_lead_to_one_column_each():
    for contract in tables.every().values():
        seen: dict[str, str] = {}
        for column in contract.columns:
            for word in (column.name, *column.aliases):
                assert seen.setdefault(word.lower(), column.name) == column.name, f"{contract.name}: {word}"


def test_the_signature_is_the_declaration():
    @dataclasses.dataclass(frozen=True)
    class Toy(Common):
        size: int = setting(3, "how many", min=1)

    # get_type_hints looks names up in the module of the function.
    Toy.__module__ = __name__
    globals()["Toy"] = Toy
    try:

        @command("forecast", "prepared", by=("sku",), conclude=lambda made, **_: Result(made), name="toy-one")
        def toy(sales: Table, products: Table = None, *, s: Toy) -> Result:
            """A toy."""
            return Result({})

    finally:
        del globals()["Toy"]
    declared = toy.__dict__["__command__"]
    assert [(i.table, i.required, i.raw) for i in declared.inputs] == [
        ("sales", True, False),
        ("products", False, False),
    ]
    assert declared.outputs == ("forecast", "prepared")
    assert declared.main == "forecast"
    assert declared.leading == "sales"
    assert declared.help == "A toy."
    assert next(iter(declared.fields())) == "size"
    assert inspect.isfunction(declared.function)


def test_a_partition_key_and_a_conclusion_need_each_other():
    with pytest.raises(TypeError, match="need each other"):
        command("forecast", by=("sku",))(lambda: Result({}))
    with pytest.raises(TypeError, match="a fit needs both"):
        command("forecast", fit=lambda **_: {})(lambda: Result({}))


def test_unknown_names_are_met_with_the_nearest():
    with pytest.raises(UsageFault, match='did you mean "forecast"'):
        commands.commands_of("forcast")
    with pytest.raises(UsageFault, match='did you mean "demand"'):
        find("forecast", "demnad")
    with pytest.raises(UsageFault, match='did you mean "sales"'):
        tables.get("slaes")
