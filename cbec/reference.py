"""The reference documents, written from the declarations: docs/reference/commands.md, tables.md and rules.md.

`python -m cbec.reference docs/reference` writes them; a test holds that they are current.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbec import tables
from cbec.core.command import STEPS, Command, Common, commands_of
from cbec.core.config import describe, kinds_of

if TYPE_CHECKING:
    from cbec.core.contract import Contract
    from cbec.methods.compliance.rules import Dated, Pack, Rule


def commands() -> str:
    """Markdown of every command: tables in and out, settings."""
    parts = [
        "# Commands\n\nWritten from the declarations by `python -m cbec.reference`. Options that every command has stand at the end.\n"
    ]
    for step, help in STEPS.items():
        parts.append(f"## {step}\n\n{help}\n")
        parts.extend(_command(c) for c in commands_of(step).values())
    shared = {field.name: field for field in dataclasses.fields(Common)}
    parts.append("## Settings of every command\n\n" + "\n".join(_settings(shared, kinds_of(Common))) + "\n")
    parts.append(_COMMON_TEXT)
    return "\n".join(parts)


_COMMON_TEXT = """## Options of every command

| option | meaning |
|---|---|
| `-o PATH` | the main table; kind by suffix (`.csv .csv.gz .tsv .parquet .ndjson .arrow .xlsx`), `-` = standard output, a name without suffix = a folder with every table as Parquet |
| `--write-TABLE PATH` | a further table |
| `--report DIR` | report.html, report.md, summary.json, run.json, every table as Parquet and CSV |
| `--json` | summary.json on standard output |
| `--config FILE`, `--set KEY=VALUE` | settings; option > --set > --config > ./cbec.yaml > default |
| `--max-bad SHARE`, `--rejects FILE` | let good rows go on; keep the bad ones as they stood (an empty table where there are none) |
| `--fail-on info\\|warn\\|high` | exit 1 when a finding is at least that |
| `--engine ENGINE` | of commands that are worked on in parts: `local`, or a Dask cluster at `dask://HOST:PORT[/FOLDER]` (docs/how-to/cluster.md) |
| `-q`, `-v`, `--wait SECONDS` | errors only, also what each file was taken for and every setting that is no default; wait for another run that holds the report folder |

Exit status: 0 done · 1 done, and `--fail-on` was met · 2 wrong usage or settings · 3 input rejected · 4 no answer · 5 busy · 6 the environment failed · 70 a bug · 129, 130, 141, 143 on SIGHUP, SIGINT, SIGPIPE, SIGTERM.
"""


def _command(command: Command) -> str:
    inputs = ", ".join(
        ("files" if i.raw else f"[{i.table}](tables.md#{i.table})") + ("" if i.required else "?")
        for i in command.inputs
    )
    outputs = ", ".join(f"[{name}](tables.md#{name})" for name in command.outputs)
    common = kinds_of(Common)
    own = {name: field for name, field in command.fields().items() if name not in common}
    cut = f" Worked on in parts of `{', '.join(command.by)}` (`--engine`)." if command.by else ""
    lines = [f"### cbec {command.path}\n", command.help, "", f"In: {inputs or 'none'}. Out: {outputs}.{cut}", ""]
    if command.example:
        lines += [f"Example: `cbec {command.path} {command.example}`", ""]
    return "\n".join([*lines, *_settings(own, kinds_of(command.settings))]) + "\n"


def _settings(fields: Mapping[str, Field[Any]], kinds: Mapping[str, Any]) -> list[str]:
    if not fields:
        return ["No settings of its own."]
    lines = ["| setting | kind | default | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        choices = field.metadata.get("choices")
        help = field.metadata["help"] + (f" ({', '.join(choices)})" if choices else "")
        default = "" if field.default is None else field.default
        lines.append(f"| `--{name.replace('_', '-')}` | {describe(kinds[name])} | {default} | {_cell(help)} |")
    return lines


def table_reference() -> str:
    """Markdown of every table contract."""
    parts = ["# Tables\n\nWritten from the contracts by `python -m cbec.reference`. Columns marked * are needed.\n"]
    parts.extend(_table(c) for c in tables.every().values())
    return "\n".join(parts)


def _table(contract: Contract) -> str:
    lines = [
        f"## {contract.name}\n",
        contract.description,
        "",
        f"Key: {', '.join(contract.key)}.",
        "",
        "| column | kind | unit | meaning | also accepted |",
        "|---|---|---|---|---|",
    ]
    for c in contract.columns:
        bounds = [
            f">= {c.min:g}" if c.min is not None else "",
            f"> {c.above:g}" if c.above is not None else "",
            f"<= {c.max:g}" if c.max is not None else "",
        ]
        meaning = "; ".join(
            p for p in (c.description, ", ".join(c.one_of or ()), " ".join(b for b in bounds if b)) if p
        )
        lines.append(
            f"| {c.name}{'*' if c.required else ''} | {c.kind} | {c.unit or ''} | {_cell(meaning)} | {', '.join(c.aliases)} |"
        )
    return "\n".join(lines) + "\n"


def rule_reference() -> str:
    """Markdown of what the packaged rule packs hold: rates, limits, and what they leave undetermined."""
    from cbec.methods.compliance import packs

    parts = [
        "# Rules\n\nWritten from the rule packs (configs/rules) by `python -m cbec.reference`. Every rule stands there with its source.\n"
    ]
    parts.extend(_pack(pack) for pack in packs.load())
    return "\n".join(parts)


def _pack(pack: Pack) -> str:
    sources = len({rule.reference.title for rule in pack.rules.values()})
    lines = [
        f"## {pack.title}\n",
        f"Pack `{pack.id}`: {len(pack.rules)} rules from {sources} sources, checked to {pack.valid_to}.\n",
    ]
    rates = [rule for rule in pack.of("rate") if rule.levy == "vat"]
    if rates:
        lines += ["| country | general rate, % | since | first held | other rates |", "|---|---|---|---|---|"]
        lines += [_country(code, rates, pack.rules) for code in pack.jurisdictions]
    places = pack.of("territory")
    if places:
        lines += ["\n| place | country | rate, % | since |", "|---|---|---|---|"]
        lines += [f"| {p.name} | {p.country} | {_now(p)} |" for p in places]
    limits = pack.of("limit", "waiver", "amount", "threshold")
    if limits:
        lines += ["\n| limit | per | of | value | since |", "|---|---|---|---|---|"]
        lines += [_limit(rule) for rule in limits]
    open_rules = [rule for rule in pack.of("scheme") if rule.then["tax"] == "undetermined"]
    if open_rules:
        told = ", ".join(f"`{rule.id}` ({rule.then['reason']})" for rule in open_rules)
        lines.append(f"\nLeft undetermined by a rule: {told}.")
    return "\n".join(lines) + "\n"


def _country(code: str, rates: list[Rule], places: Mapping[str, Rule]) -> str:
    mine = [rule for rule in rates if rule.country == code]
    general = next((rule for rule in mine if rule.category is None), None)
    held = "- | - | -" if general is None else f"{_now(general)} | {general.values[0].valid_from}"
    others = "; ".join(
        f"{r.category}{f' in {places[r.territory].name}' if r.territory else ''} {_now(r, ' since ')}"
        for r in mine
        if r.category is not None
    )
    return f"| {code} | {held} | {others} |"


def _now(rule: Rule, since: str = " | ") -> str:
    """The value of the day the rule was read, the day it holds from, and what follows."""
    told = [value for value in rule.values if value.valid_from <= rule.reference.verified_on] or rule.values[:1]
    ahead = "".join(f", {_value(later)} from {later.valid_from}" for later in rule.values[len(told) :])
    return f"{_value(told[-1])}{since}{told[-1].valid_from}{ahead}"


def _value(dated: Dated) -> str:
    return "none" if dated.value is None else f"{dated.value.normalize():f}"


def _limit(rule: Rule) -> str:
    sign = "" if rule.kind == "amount" else "up to " if rule.inclusive else "below "
    seller = rule.kind == "threshold"
    of = "distance sales" if seller else rule.base or "+".join(rule.of) or "duty"
    per = "year of the seller" if seller else rule.per or "consignment"
    return f"| `{rule.id}` | {per} | {of} | {sign}{_now(rule, f' {rule.unit} | ')} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write(folder: Path) -> None:
    """Write the documents."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "commands.md").write_text(commands(), "utf-8")
    (folder / "tables.md").write_text(table_reference(), "utf-8")
    (folder / "rules.md").write_text(rule_reference(), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
